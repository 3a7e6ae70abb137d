/* ed25519_many.h - many signatures of one kind of Ed25519, eight at once where the machine can; private
 * to this room. */
#ifndef XMTP_CRYPTO_ED25519_MANY_H
#define XMTP_CRYPTO_ED25519_MANY_H

#include "crypto/crypto.h"

/* The kinds differ in what they hash, and in what they do with odd keys. */
typedef struct xmtp_ed25519_kind {
    xmtp_bytes context; /* of Ed25519ph; given to the functions */
    /* k below the group order, for a key of 32 bytes and a signature of 64; false: there is none. */
    bool (*scalar)(xmtp_bytes context, const xmtp_signature_check *check, uint8_t k[32]);
    xmtp_status (*verify)(xmtp_bytes context, const xmtp_signature_check *check);
} xmtp_ed25519_kind;

/* Sets the verdict of each check to what kind->verify gives. Any thread; allocates nothing. */
void xmtp_ed25519_many(const xmtp_ed25519_kind *kind, xmtp_signature_check *checks, size_t count);

/* Whether s is below the group order. All of it is public. */
bool xmtp_ed25519_is_scalar(const uint8_t s[32]);

#endif
