/* hkdf.h - HKDF over inputs given in pieces, for the labels of HPKE; private to this room. */
#ifndef XMTP_CRYPTO_HKDF_H
#define XMTP_CRYPTO_HKDF_H

#include "crypto/crypto.h"

/* HKDF-Extract over the concatenation of count parts. */
void xmtp_hkdf_extract_parts(const xmtp_hash *hash, xmtp_bytes salt, const xmtp_bytes *parts,
                             size_t count, xmtp_secret *out);

/* HKDF-Expand with the concatenation of count parts as info. XMTP_E_LENGTH as xmtp_hkdf_expand. */
xmtp_status xmtp_hkdf_expand_parts(const xmtp_hash *hash, xmtp_bytes prk, const xmtp_bytes *parts,
                                   size_t count, uint8_t *out, size_t out_len);

/* What LabeledExtract and LabeledExpand of RFC 9180 section 4 mix in: "KEM" || kem_id for a KEM,
 * "HPKE" || kem_id || kdf_id || aead_id for a context. */
typedef struct xmtp_hpke_suite_id {
    size_t n;
    uint8_t p[10];
} xmtp_hpke_suite_id;

void xmtp_labeled_extract(const xmtp_hash *hash, const xmtp_hpke_suite_id *suite_id,
                          xmtp_bytes salt, const char *label, xmtp_bytes ikm, xmtp_secret *out);
xmtp_status xmtp_labeled_expand(const xmtp_hash *hash, const xmtp_hpke_suite_id *suite_id,
                                xmtp_bytes prk, const char *label, xmtp_bytes info, uint8_t *out,
                                size_t out_len);

#endif
