/* people.h - what the examples about clients share: two people on a network in this process, and a check
 * that ends the program with the sentence of an error. In an application, xmtp_client_open takes the
 * place of ann_and_bob; everything else stays as it is.
 */
#ifndef XMTP_EXAMPLES_PEOPLE_H
#define XMTP_EXAMPLES_PEOPLE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xmtp/network.h>

typedef struct people {
    xmtp_network *net;
    xmtp_network_device *ann_device;
    xmtp_network_device *bob_device;
    xmtp_client *ann;
    xmtp_client *bob;
} people;

static xmtp_error error;

static void check(xmtp_status status, const char *what)
{
    if (status != XMTP_OK) {
        fprintf(stderr, "%s: %s (%s)\n", what, error.text, xmtp_status_name(status));
        exit(1);
    }
}

static people ann_and_bob(void)
{
    people p;
    const xmtp_network_options options = {.seed = 1};
    check(xmtp_network_open(&p.net, &options, &error), "network");
    check(xmtp_network_client(p.net, NULL, &p.ann_device, &error), "ann");
    check(xmtp_network_client(p.net, NULL, &p.bob_device, &error), "bob");
    p.ann = xmtp_network_client_of(p.ann_device);
    p.bob = xmtp_network_client_of(p.bob_device);
    return p;
}

#endif
