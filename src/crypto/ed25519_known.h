/* ed25519_known.h - keys whose signatures come again and again: of those who talk with us; private to this room.
 *
 * A key that was asked about USES_BEFORE times gets multiples (ed25519_base_lanes.h), and a verification costs a
 * third from then on. The process keeps some of each: the least recently used goes.
 */
#ifndef XMTP_CRYPTO_ED25519_KNOWN_H
#define XMTP_CRYPTO_ED25519_KNOWN_H

#include <xmtp/base.h>

/* True: Ed25519 (RFC 8032 section 5.1.7, dom empty, cofactorless) accepts the signature, key and R are encoded
 * as short as can be, and both are of the order of B. False says nothing: ask libsodium. Counts the use. Any
 * thread; allocates nothing. */
bool xmtp_ed25519_known_verify(const uint8_t pk[32], xmtp_bytes message,
                               const uint8_t signature[64]);

/* For tests: whether the key has multiples. */
bool xmtp_ed25519_is_known(const uint8_t pk[32]);

/* For benchmarks: from now on every key is a new one, or not. */
void xmtp_ed25519_know_none(bool none);

#endif
