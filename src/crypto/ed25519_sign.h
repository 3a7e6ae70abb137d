/* ed25519_sign.h - what Ed25519 and Ed25519ph of RFC 8032 section 5.1 have in common; private to this
 * room.
 *
 * dom is empty for Ed25519, dom2 of section 2 for Ed25519ph; message is what the text calls PH(M): the
 * message, or its SHA-512. */
#ifndef XMTP_CRYPTO_ED25519_SIGN_H
#define XMTP_CRYPTO_ED25519_SIGN_H

#include <xmtp/base.h>

/* scalar = SHA-512(dom || a || b || message) modulo the group order. Constant time but for lengths. */
void xmtp_ed25519_scalar(xmtp_bytes dom, xmtp_bytes a, xmtp_bytes b, xmtp_bytes message,
                         uint8_t scalar[32]);

/* Section 5.1.5. sk is the seed. Constant time. */
void xmtp_ed25519_public_key(const uint8_t sk[32], uint8_t pk[32]);

/* Section 5.1.6. pk must belong to sk: signing one message under two public keys would reveal sk.
 * signature must not overlap with message. XMTP_E_CRYPTO once in 2^252 texts. Constant time but for
 * that and the lengths. Threads: any. */
xmtp_status xmtp_ed25519_sign(xmtp_bytes dom, const uint8_t sk[32], const uint8_t pk[32],
                              xmtp_bytes message, uint8_t signature[64]) XMTP_MUST_CHECK;

#endif
