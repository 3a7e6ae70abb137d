/* x25519_avx2.c - x25519_lanes.c for AVX2. */
#define XMTP_AVX2
#include "crypto/x25519_lanes.c"
