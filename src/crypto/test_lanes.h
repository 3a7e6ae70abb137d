/* test_lanes.h - for tests that run in each kind of lanes and once as on a machine without. */
#ifndef XMTP_CRYPTO_TEST_LANES_H
#define XMTP_CRYPTO_TEST_LANES_H

#include "crypto/lanes.h"

/* Set-ups and the tear-down of groups of tests that run in slower lanes, or without. */

static inline int forbid_lanes(void **state)
{
    (void)state;
    xmtp_lanes_allow(XMTP_LANES_NONE);
    return 0;
}

static inline int allow_avx2(void **state)
{
    (void)state;
    xmtp_lanes_allow(XMTP_LANES_AVX2);
    return 0;
}

static inline int allow_lanes(void **state)
{
    (void)state;
    xmtp_lanes_allow(XMTP_LANES_AVX512);
    return 0;
}

#endif
