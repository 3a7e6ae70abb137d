/* lanes.h - whether this machine does the same arithmetic for several at once.
 *
 * Work comes in eights. AVX-512 has a lane for each of the eight, AVX2 takes two rounds of four.
 */
#ifndef XMTP_CRYPTO_LANES_H
#define XMTP_CRYPTO_LANES_H

#include <xmtp/base.h>

enum { XMTP_LANES = 8 };

/* From slow to fast. */
typedef enum xmtp_lanes_kind {
    XMTP_LANES_NONE,
    XMTP_LANES_AVX2,
    XMTP_LANES_AVX512, /* with BW and IFMA */
} xmtp_lanes_kind;

/* The fastest kind that this machine has and that is allowed. Any thread. */
xmtp_lanes_kind xmtp_lanes_here(void);

static inline bool xmtp_has_lanes(void)
{
    return xmtp_lanes_here() != XMTP_LANES_NONE;
}

/* For tests and benchmarks: no kind faster than this one is used from now on. */
void xmtp_lanes_allow(xmtp_lanes_kind fastest);

#endif
