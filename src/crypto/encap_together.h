/* encap_together.h - many encapsulations, a few at a time, shared among processors; private to this room. */
#ifndef XMTP_CRYPTO_ENCAP_TOGETHER_H
#define XMTP_CRYPTO_ENCAP_TOGETHER_H

#include "crypto/crypto.h"

/* Does at most piece of them, on any thread; fails for a bad public key only, with XMTP_E_KEY. */
typedef xmtp_status (*xmtp_encap_step)(const xmtp_kem_encap *jobs, size_t count);

/* All of them by step, which takes piece_us. XMTP_E_KEY when one failed; no output is to be used then. */
xmtp_status xmtp_encap_together(const xmtp_kem_encap *jobs, size_t count, xmtp_encap_step step,
                                size_t piece, size_t piece_us) XMTP_MUST_CHECK;

#endif
