/* test_lanes.h - for tests that run once in lanes and once as on a machine without them. */
#ifndef XMTP_CRYPTO_TEST_LANES_H
#define XMTP_CRYPTO_TEST_LANES_H

#include "crypto/lanes.h"

/* Set-up and tear-down of a group that runs without. */
static inline int forbid_lanes(void **state)
{
    (void)state;
    xmtp_lanes_allow(false);
    return 0;
}

static inline int allow_lanes(void **state)
{
    (void)state;
    xmtp_lanes_allow(true);
    return 0;
}

#endif
