/* one_network.h - for a test program each of whose tests starts with a new, empty network: the network
 * and the two functions that cmocka_unit_test_setup_teardown takes. */
#ifndef XMTP_TESTS_ONE_NETWORK_H
#define XMTP_TESTS_ONE_NETWORK_H

#include "test_network.h"

static network net;

static int set_up(void **state)
{
    (void)state;
    network_open(&net);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    network_close(&net);
    return 0;
}

#endif
