/* secp256k1_field_avx2_test.c - secp256k1_field_test.c for AVX2. */
#define XMTP_AVX2
#include "crypto/secp256k1_field_test.c"
