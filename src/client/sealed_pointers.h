/* sealed_pointers.h - pointers of welcomes, sealed while their commit is built, stored and sent. */
#ifndef XMTP_CLIENT_SEALED_POINTERS_H
#define XMTP_CLIENT_SEALED_POINTERS_H

#include "identity/key_package.h"
#include "identity/welcome.h"

typedef struct xmtp_client xmtp_client;

typedef struct sealed_pointers {
    xmtp_welcome_pointer pointer;
    size_t count;
    xmtp_pointers_sealing *sealing; /* for each who takes one, in the order of the commit */
} sealed_pointers;

/* Begins for those who are to be invited; whoever cannot take a pointer gets none. NULL when too few can
 * (post_commit.c), and when there is no memory or a key is bad: then they are sealed when they are sent. */
sealed_pointers *xmtp_sealed_pointers_begin(const xmtp_client *client,
                                            const xmtp_inbox_key_package *const *invited,
                                            size_t count);
/* NULL is allowed. */
void xmtp_sealed_pointers_free(const xmtp_client *client, sealed_pointers *sealed);

#endif
