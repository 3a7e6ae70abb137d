/* test_lanes.h - for tests that run in each kind of lanes and once as on a machine without. */
#ifndef XMTP_CRYPTO_TEST_LANES_H
#define XMTP_CRYPTO_TEST_LANES_H

#include "crypto/lanes.h"

/* For tests of lanes themselves. */
static inline void need_lanes(void)
{
    if (!xmtp_has_lanes()) {
        print_message("skipped: this machine has neither AVX2 nor AVX-512 IFMA\n");
        skip();
    }
}

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

/* Once more in the lanes that the machine would have without AVX-512; how many tests failed. */
#define RUN_IN_SLOWER_LANES(tests)                                                                 \
    (xmtp_lanes_here() == XMTP_LANES_AVX512                                                        \
         ? cmocka_run_group_tests_name("in lanes of AVX2", tests, allow_avx2, allow_lanes)         \
         : 0)

#endif
