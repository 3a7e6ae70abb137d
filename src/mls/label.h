/* label.h - the labelled functions of RFC 9420 sections 5.1.2, 5.1.3, 5.2, 8, 8.1 and 9.
 *
 * Every use of a key in MLS is bound to a label, so that one use never stands in for another.
 * Labels are given without the prefix "MLS 1.0 ", which is added here (RefHash takes its label
 * whole, as the RFC does). Threads: any. Nothing is kept.
 */
#ifndef XMTP_MLS_LABEL_H
#define XMTP_MLS_LABEL_H

#include "base/arena.h"
#include "base/writer.h"
#include "crypto/crypto.h"

/* RefHash(label, value), section 5.2; out receives suite->hash->len bytes. */
void xmtp_ref_hash(const xmtp_suite *suite, const char *label, xmtp_bytes value, uint8_t *out);

/* MakeKeyPackageRef over the encoded KeyPackage, MakeProposalRef over the encoded
 * AuthenticatedContent (section 5.2). */
void xmtp_key_package_ref(const xmtp_suite *suite, xmtp_bytes key_package, uint8_t *out);
void xmtp_proposal_ref(const xmtp_suite *suite, xmtp_bytes authenticated_content, uint8_t *out);

/* ExpandWithLabel(secret, label, context, out_len), section 8. context may have any length and is
 * not copied. XMTP_E_LENGTH when out_len is above 255 * hash->len or 65535. Allocates nothing. */
xmtp_status xmtp_expand_with_label(const xmtp_suite *suite, xmtp_bytes secret, const char *label,
                                   xmtp_bytes context, uint8_t *out,
                                   size_t out_len) XMTP_MUST_CHECK;

/* The same with the HMAC already keyed with the secret, for secrets that are expanded several
 * times. keyed is copied, not consumed. */
xmtp_status xmtp_expand_keyed(const xmtp_hmac *keyed, const char *label, xmtp_bytes context,
                              uint8_t *out, size_t out_len) XMTP_MUST_CHECK;

/* DeriveSecret(secret, label), section 8: hash->len bytes, empty context. out may be secret. */
xmtp_status xmtp_derive_secret(const xmtp_suite *suite, const xmtp_secret *secret,
                               const char *label, xmtp_secret *out) XMTP_MUST_CHECK;

/* DeriveTreeSecret(secret, label, generation, out_len), section 9. */
xmtp_status xmtp_derive_tree_secret(const xmtp_suite *suite, xmtp_bytes secret, const char *label,
                                    uint32_t generation, uint8_t *out,
                                    size_t out_len) XMTP_MUST_CHECK;

/* SignWithLabel, section 5.1.2. sk, pk: suite->signature lengths. signature: room for
 * signature_max bytes, *signature_len is set. scratch is cleared and used to build SignContent. */
xmtp_status xmtp_sign_with_label(const xmtp_suite *suite, const uint8_t *sk, const uint8_t *pk,
                                 const char *label, xmtp_bytes content, xmtp_writer *scratch,
                                 uint8_t *signature, size_t *signature_len) XMTP_MUST_CHECK;

/* VerifyWithLabel, section 5.1.2. XMTP_E_SIGNATURE, XMTP_E_KEY. */
xmtp_status xmtp_verify_with_label(const xmtp_suite *suite, xmtp_bytes pk, const char *label,
                                   xmtp_bytes content, xmtp_bytes signature,
                                   xmtp_writer *scratch) XMTP_MUST_CHECK;

/* Appends SignContent or EncryptContext, which have the same shape: both vectors of section 5.1.2
 * and 5.1.3. For callers that use one context for many keys. */
void xmtp_labelled_content(xmtp_writer *w, const char *label, xmtp_bytes content);

/* EncryptWithLabel, section 5.1.3: one HPKE message to pk (kem->pk_len bytes) with info =
 * EncryptContext. seed: kem->seed_len fresh random bytes. kem_output receives kem->enc_len bytes,
 * ciphertext plaintext.n + aead->tag_len. scratch is cleared and used for EncryptContext. */
xmtp_status xmtp_encrypt_with_label(const xmtp_suite *suite, const uint8_t *pk, const char *label,
                                    xmtp_bytes context, xmtp_bytes plaintext, const uint8_t *seed,
                                    xmtp_writer *scratch, uint8_t *kem_output,
                                    uint8_t *ciphertext) XMTP_MUST_CHECK;

/* DecryptWithLabel, section 5.1.3. pk may be NULL (derived from sk). out receives
 * ciphertext.n - aead->tag_len bytes. XMTP_E_AUTH, XMTP_E_LENGTH, XMTP_E_KEY; out is zeroed then.
 */
xmtp_status xmtp_decrypt_with_label(const xmtp_suite *suite, const uint8_t *sk, const uint8_t *pk,
                                    const char *label, xmtp_bytes context, xmtp_bytes kem_output,
                                    xmtp_bytes ciphertext, xmtp_writer *scratch,
                                    uint8_t *out) XMTP_MUST_CHECK;

/* EncryptWithLabel to many receivers under one context: letters are put in, sealed together, and
 * read in the order of putting. All of it lies in the arena, which wipes it. */
typedef struct xmtp_letters {
    const xmtp_suite *suite;
    xmtp_arena *arena;
    xmtp_hpke_letter *items;
    size_t count;
    size_t capacity;
} xmtp_letters;

xmtp_status xmtp_letters_init(xmtp_letters *out, const xmtp_suite *suite, size_t capacity,
                              xmtp_arena *arena) XMTP_MUST_CHECK;

/* pk: a view that lives until sealing. plaintext is copied. XMTP_E_KEY: pk has a wrong length;
 * XMTP_E_LIMIT beyond the capacity. */
xmtp_status xmtp_letters_put(xmtp_letters *letters, const xmtp_env *env, xmtp_bytes pk,
                             xmtp_bytes plaintext) XMTP_MUST_CHECK;

/* Once, after the last letter was put in. */
xmtp_status xmtp_letters_seal(xmtp_letters *letters, const char *label,
                              xmtp_bytes context) XMTP_MUST_CHECK;

/* HPKECiphertext of the i-th letter. */
xmtp_bytes xmtp_letters_kem_output(const xmtp_letters *letters, size_t i);
xmtp_bytes xmtp_letters_ciphertext(const xmtp_letters *letters, size_t i);

#endif
