/* welcome.h - the second envelope around an MLS Welcome (identity.md 7).
 *
 *     HPKE context to the recipient's wrapper key
 *       seal 0   the Welcome           --> data              kem_output<V> || ciphertext<V>
 *       seal 1   WelcomeMetadata       --> welcome_metadata  bare AEAD output
 *
 *     or, for three or more capable recipients, one body for all:
 *
 *     pointer (seal 0 to each recipient)  -- destination, key, nonces -->  pointee
 *       pointee   data, welcome_metadata  ChaCha20-Poly1305 under the key in the pointer
 *
 * Sealed buffers are freed by the caller with the alloc that was given; opened ones with
 * xmtp_welcome_opened_free, which wipes.
 */
#ifndef XMTP_IDENTITY_WELCOME_H
#define XMTP_IDENTITY_WELCOME_H

#include "identity/key_package.h"

enum {
    XMTP_WELCOME_POINTERS_ABOVE = 2, /* pointers are used for more capable recipients than this */
    XMTP_WELCOME_DESTINATION_LEN = 32,
    XMTP_WELCOME_POINTER_LEN = 1240, /* of one that is sealed */
};

/* Output of sealing. metadata has 16 bytes more than the encoded WelcomeMetadata. */
typedef struct xmtp_welcome_sealed {
    const xmtp_alloc *alloc;
    uint8_t *data;
    size_t data_len;
    uint8_t *metadata;
    size_t metadata_len;
} xmtp_welcome_sealed;

void xmtp_welcome_sealed_free(xmtp_welcome_sealed *sealed);

typedef struct xmtp_welcome_opened {
    const xmtp_alloc *alloc;
    uint8_t *welcome; /* an MLSMessage */
    size_t welcome_len;
    uint64_t message_cursor; /* sequence id of the adding commit; 0: not told */
} xmtp_welcome_opened;

void xmtp_welcome_opened_free(xmtp_welcome_opened *opened);

/* An X-Wing seed, expanded for all welcomes of a batch. As secret as the seed, and no longer kept
 * than the batch takes: free wipes, and takes NULL. XMTP_E_NOMEM. */
typedef struct xmtp_expanded_key xmtp_expanded_key;
XMTP_MUST_CHECK xmtp_status xmtp_expanded_key_new(xmtp_expanded_key **out, const xmtp_alloc *alloc,
                                                  const uint8_t xwing_seed[XMTP_XWING_SEED_LEN]);
bool xmtp_expanded_key_is_of(const xmtp_expanded_key *key,
                             const uint8_t xwing_seed[XMTP_XWING_SEED_LEN]);
void xmtp_expanded_key_free(xmtp_expanded_key *key);

/* Decapsulates count HPKECiphertexts to this key ahead, several at once where the machine can: opening
 * the same bytes with this key finds what came of it, and so gives what it gives without. What is
 * malformed is left to the opening. Once for a key. XMTP_E_NOMEM: nothing is ahead. */
XMTP_MUST_CHECK xmtp_status xmtp_expanded_key_go_ahead(xmtp_expanded_key *key,
                                                       const xmtp_bytes *sealed, size_t count);

/* Our private half of a wrapper key: the X-Wing seed or the init key, 32 bytes each. */
typedef struct xmtp_unwrap_key {
    xmtp_wrapper_algorithm algorithm;
    const uint8_t *sk;
    const xmtp_expanded_key *expanded; /* used when it is of sk; NULL: sk is expanded each time */
} xmtp_unwrap_key;

/* XMTP_E_KEY: public_key is not a key of that algorithm. env gives randomness and memory, and must
 * outlive the result. */
XMTP_MUST_CHECK xmtp_status xmtp_welcome_seal(const xmtp_env *env, xmtp_wrapper_algorithm algorithm,
                                              xmtp_bytes public_key, xmtp_bytes welcome,
                                              uint64_t message_cursor, xmtp_welcome_sealed *out,
                                              xmtp_error *error);

/* metadata may be empty: then there is none. Metadata that decrypts but is no WelcomeMetadata is
 * ignored, as on the network. XMTP_E_MALFORMED data is no HPKECiphertext, XMTP_E_AUTH not for this
 * key or altered. */
XMTP_MUST_CHECK xmtp_status xmtp_welcome_open(const xmtp_alloc *alloc, const xmtp_unwrap_key *key,
                                              xmtp_bytes data, xmtp_bytes metadata,
                                              xmtp_welcome_opened *out, xmtp_error *error);

/* ---- pointers */

typedef struct xmtp_welcome_pointer {
    uint8_t destination[XMTP_WELCOME_DESTINATION_LEN];
    uint8_t key[32];
    uint8_t data_nonce[12];
    uint8_t metadata_nonce[12];
} xmtp_welcome_pointer;

XMTP_MUST_CHECK xmtp_status xmtp_welcome_pointer_generate(const xmtp_env *env,
                                                          xmtp_welcome_pointer *out);
void xmtp_welcome_pointer_wipe(xmtp_welcome_pointer *pointer);

/* The pointer for each of count recipients, several at once where the machine can, and begun by other processors
 * while the caller does something else. */
typedef struct xmtp_pointers_sealing xmtp_pointers_sealing;

/* Only X-Wing keys take pointers. XMTP_E_KEY: one of public_keys has another length. env gives randomness and
 * memory, which outlives *out; keys and pointer are copied. */
XMTP_MUST_CHECK xmtp_status xmtp_welcome_pointers_begin(const xmtp_env *env,
                                                        const xmtp_welcome_pointer *pointer,
                                                        const xmtp_bytes *public_keys, size_t count,
                                                        xmtp_pointers_sealing **out);
/* Takes part until nothing is left to begin: for time that the caller has in between. */
void xmtp_welcome_pointers_help(xmtp_pointers_sealing *sealing);
/* Takes part, and returns when all are sealed. XMTP_E_KEY: one of the keys is none; no output is to be used. */
XMTP_MUST_CHECK xmtp_status xmtp_welcome_pointers_finish(xmtp_pointers_sealing *sealing,
                                                         xmtp_error *error);
/* After finish: the index-th one's XMTP_WELCOME_POINTER_LEN bytes, which live as long as sealing. */
xmtp_bytes xmtp_welcome_pointer_at(const xmtp_pointers_sealing *sealing, size_t index);
/* Waits for what is being sealed when finish was not called. NULL is allowed. */
void xmtp_welcome_pointers_free(xmtp_pointers_sealing *sealing);
/* XMTP_E_UNSUPPORTED: another kind of pointer or AEAD than the one we know, no X-Wing key. */
XMTP_MUST_CHECK xmtp_status xmtp_welcome_pointer_open(const xmtp_alloc *alloc,
                                                      const xmtp_unwrap_key *key,
                                                      xmtp_bytes wrapped, xmtp_welcome_pointer *out,
                                                      xmtp_error *error);

/* The body that pointers point at. Unlike above, metadata must decode when it is there. */
XMTP_MUST_CHECK xmtp_status xmtp_welcome_pointee_seal(const xmtp_env *env,
                                                      const xmtp_welcome_pointer *pointer,
                                                      xmtp_bytes welcome, uint64_t message_cursor,
                                                      xmtp_welcome_sealed *out);
XMTP_MUST_CHECK xmtp_status xmtp_welcome_pointee_open(const xmtp_alloc *alloc,
                                                      const xmtp_welcome_pointer *pointer,
                                                      xmtp_bytes data, xmtp_bytes metadata,
                                                      xmtp_welcome_opened *out, xmtp_error *error);

#endif
