/* lanes.h - whether this machine does the same arithmetic for eight at once. */
#ifndef XMTP_CRYPTO_LANES_H
#define XMTP_CRYPTO_LANES_H

#include <xmtp/base.h>

enum { XMTP_LANES = 8 };

/* Whether this machine has the instructions (AVX-512 with BW and IFMA). Any thread. */
bool xmtp_has_lanes(void);

/* For tests: false has everybody work as on a machine without, until it is true again. */
void xmtp_lanes_allow(bool is_allowed);

#endif
