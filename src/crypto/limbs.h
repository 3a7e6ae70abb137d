/* limbs.h - what both fields of this room have alike: an element is five limbs. Private to this room. */
#ifndef XMTP_CRYPTO_LIMBS_H
#define XMTP_CRYPTO_LIMBS_H

enum { LIMBS = 5 };

/* Limbs live in registers only where the loops over them are unrolled: three times faster. */
#define UNROLL _Pragma("GCC unroll 10")

#endif
