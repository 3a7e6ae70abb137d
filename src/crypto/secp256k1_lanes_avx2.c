/* secp256k1_lanes_avx2.c - secp256k1_lanes.c for AVX2. */
#define XMTP_AVX2
#include "crypto/secp256k1_lanes.c"
