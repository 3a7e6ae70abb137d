/* ed25519_base_avx2.c - ed25519_base_lanes.c for AVX2. */
#define XMTP_AVX2
#include "crypto/ed25519_base_lanes.c"
