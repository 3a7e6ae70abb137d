/* crypto.h - what the rest of the house sees of cryptography: const structs of sizes and functions.
 *
 * An algorithm is a const struct. A cipher suite names one of each kind. Rooms above hold a
 * const xmtp_suite * and never name a crypto library; each engine (libsodium, OpenSSL, ours) fills
 * such structs in one file of its own. All functions: any thread, keep nothing, allocate nothing
 * (only OpenSSL's AES-GCM, NIST curves and curve 448 take memory during a call, and may say
 * XMTP_E_NOMEM). Those that do many of a kind share them among processors (base/together.h).
 *
 * "Kept copy" rules: contexts may be copied with plain assignment (the HMAC states after the key
 * pad are reused that way). Everything that held a secret is wiped by whoever declared it.
 */
#ifndef XMTP_CRYPTO_CRYPTO_H
#define XMTP_CRYPTO_CRYPTO_H

#include <xmtp/base.h>

/* Largest sizes over all suites that we know: buffers on the stack use these. */
enum {
    XMTP_HASH_MAX = 64,
    XMTP_HASH_BLOCK_MAX = 128,
    XMTP_AEAD_KEY_MAX = 32,
    XMTP_AEAD_NONCE_MAX = 12,
    XMTP_AEAD_TAG_MAX = 16,
    XMTP_KEM_SK_MAX = 66,
    XMTP_KEM_PK_MAX = 1216,
    XMTP_KEM_ENC_MAX = 1120,
    XMTP_KEM_SS_MAX = 64,
    XMTP_KEM_SEED_MAX = 66,
    XMTP_SIGNATURE_SK_MAX = 66,
    XMTP_SIGNATURE_PK_MAX = 133,
    XMTP_SIGNATURE_MAX = 144,
};

/* A secret of at most one hash length: created in few places, wiped when consumed. */
typedef struct xmtp_secret {
    size_t n;
    uint8_t p[XMTP_HASH_MAX];
} xmtp_secret;

static inline xmtp_bytes xmtp_secret_bytes(const xmtp_secret *s)
{
    return (xmtp_bytes){.p = s->p, .n = s->n};
}

void xmtp_secret_wipe(xmtp_secret *s);

/* ---- hash */

typedef struct xmtp_hash_context {
    _Alignas(16) uint8_t opaque[224];
} xmtp_hash_context;

typedef struct xmtp_hash {
    const char *name;
    size_t len;
    size_t block_len;
    void (*init)(xmtp_hash_context *c);
    void (*update)(xmtp_hash_context *c, const void *p, size_t n);
    void (*final)(xmtp_hash_context *c, uint8_t *out); /* len bytes; wipes the context */
} xmtp_hash;

extern const xmtp_hash
    xmtp_hash_sha256; /* OpenSSL's low-level functions: CPU instructions, no fetch */
extern const xmtp_hash xmtp_hash_sha384;
extern const xmtp_hash xmtp_hash_sha512;

/* out receives hash->len bytes. */
void xmtp_hash_of(const xmtp_hash *hash, xmtp_bytes in, uint8_t *out);

enum { XMTP_PASSWORD_SALT_LEN = 16 };

/* Argon2id of RFC 9106: 3 passes over 64 MiB, one lane. out_len from 16. XMTP_E_NOMEM. */
xmtp_status xmtp_password_key(xmtp_bytes passphrase, const uint8_t salt[XMTP_PASSWORD_SALT_LEN],
                              uint8_t *out, size_t out_len);

typedef struct xmtp_hmac {
    const xmtp_hash *hash;
    xmtp_hash_context inner;
    xmtp_hash_context outer;
} xmtp_hmac;

/* HMAC of RFC 2104. An initialised xmtp_hmac may be copied by assignment and finished several
 * times. */
void xmtp_hmac_init(xmtp_hmac *m, const xmtp_hash *hash, xmtp_bytes key);
void xmtp_hmac_update(xmtp_hmac *m, xmtp_bytes in);
void xmtp_hmac_final(xmtp_hmac *m, uint8_t *out); /* wipes m */
void xmtp_hmac_of(const xmtp_hash *hash, xmtp_bytes key, xmtp_bytes in, uint8_t *out);

/* HKDF of RFC 5869. extract: out receives hash->len bytes. expand: out_len at most 255 * hash->len
 * (XMTP_E_LENGTH beyond). */
void xmtp_hkdf_extract(const xmtp_hash *hash, xmtp_bytes salt, xmtp_bytes ikm, xmtp_secret *out);
xmtp_status xmtp_hkdf_expand(const xmtp_hash *hash, xmtp_bytes prk, xmtp_bytes info, uint8_t *out,
                             size_t out_len);

/* ---- AEAD */

typedef struct xmtp_aead {
    const char *name;
    uint16_t id; /* HPKE AEAD identifier, RFC 9180 section 7.3 */
    size_t key_len;
    size_t nonce_len;
    size_t tag_len;
    /* out receives plaintext.n + tag_len bytes, and may be plaintext.p. */
    xmtp_status (*seal)(const uint8_t *key, const uint8_t *nonce, xmtp_bytes aad,
                        xmtp_bytes plaintext, uint8_t *out);
    /* out receives ciphertext.n - tag_len bytes, and may be ciphertext.p.
     * XMTP_E_LENGTH shorter than a tag, XMTP_E_AUTH forged; out is zeroed then. */
    xmtp_status (*open)(const uint8_t *key, const uint8_t *nonce, xmtp_bytes aad,
                        xmtp_bytes ciphertext, uint8_t *out);
} xmtp_aead;

extern const xmtp_aead xmtp_aead_chacha20poly1305; /* libsodium */
extern const xmtp_aead xmtp_aead_aes128gcm;        /* OpenSSL */
extern const xmtp_aead xmtp_aead_aes256gcm;

/* ---- KEM */

/* One encapsulation to pk: seed_len fresh random bytes in; enc and ss out. */
typedef struct xmtp_kem_encap {
    const uint8_t *pk;
    const uint8_t *seed;
    uint8_t *enc;
    uint8_t *ss;
} xmtp_kem_encap;

/* One key pair from ikm, as derive_key_pair makes it. */
typedef struct xmtp_kem_derive {
    xmtp_bytes ikm;
    uint8_t *sk;
    uint8_t *pk;
} xmtp_kem_derive;

/* One of many encapsulated keys to one receiver: enc in; ss and status out, ss zeroed on failure. */
typedef struct xmtp_kem_decap {
    const uint8_t *enc;
    uint8_t *ss;
    xmtp_status status; /* receives what decapsulating this one alone gives */
} xmtp_kem_decap;

typedef struct xmtp_kem {
    const char *name;
    uint16_t id; /* HPKE KEM identifier */
    size_t sk_len;
    size_t pk_len;
    size_t enc_len;
    size_t ss_len;
    size_t seed_len; /* randomness that encap consumes */
    /* DeriveKeyPair of RFC 9180 section 4 (for MLS: ikm is node_secret). */
    xmtp_status (*derive_key_pair)(xmtp_bytes ikm, uint8_t *sk, uint8_t *pk);
    xmtp_status (*public_key)(const uint8_t *sk, uint8_t *pk);
    /* XMTP_E_KEY: pk is not a valid public key, or gives an all-zero shared secret. seed: seed_len
     * fresh random bytes. decap: pk is the public key of sk; NULL: derived. */
    xmtp_status (*encap)(const uint8_t *pk, const uint8_t *seed, uint8_t *enc, uint8_t *ss);
    xmtp_status (*decap)(const uint8_t *sk, const uint8_t *pk, const uint8_t *enc, uint8_t *ss);
    /* count times encap, several at once where the machine can; NULL: no faster than one by one.
     * XMTP_E_KEY when one pk is bad; no output is to be used then. */
    xmtp_status (*encap_many)(const xmtp_kem_encap *jobs, size_t count);
    /* count times derive_key_pair, likewise. */
    xmtp_status (*derive_many)(const xmtp_kem_derive *jobs, size_t count);
    /* Where most of the work of decap depends on sk alone: expand does that once, into expanded_len
     * bytes aligned as malloc does, as secret as sk and wiped by their holder; decap_expanded gives
     * what decap gives. 0 and NULL: decap does no such work. */
    size_t expanded_len;
    void (*expand)(const uint8_t *sk, void *expanded);
    xmtp_status (*decap_expanded)(const void *expanded, const uint8_t *enc, uint8_t *ss);
    /* count times decap_expanded, several at once where the machine can. */
    void (*decap_many)(const void *expanded, xmtp_kem_decap *jobs, size_t count);
} xmtp_kem;

/* By the functions above, or one by one where they are NULL. The same bytes either way. */
xmtp_status xmtp_kem_encap_many(const xmtp_kem *kem, const xmtp_kem_encap *jobs, size_t count);
xmtp_status xmtp_kem_derive_many(const xmtp_kem *kem, const xmtp_kem_derive *jobs, size_t count);

extern const xmtp_kem xmtp_kem_p256;       /* 0x0010, DHKEM(P-256, HKDF-SHA256), OpenSSL */
extern const xmtp_kem xmtp_kem_p384;       /* 0x0011, DHKEM(P-384, HKDF-SHA384), OpenSSL */
extern const xmtp_kem xmtp_kem_p521;       /* 0x0012, DHKEM(P-521, HKDF-SHA512), OpenSSL */
extern const xmtp_kem xmtp_kem_x25519;     /* 0x0020, DHKEM(X25519, HKDF-SHA256), libsodium */
extern const xmtp_kem xmtp_kem_x448;       /* 0x0021, DHKEM(X448, HKDF-SHA512), OpenSSL */
extern const xmtp_kem xmtp_kem_xwing;      /* 0x647a, X-Wing, the registered id */
extern const xmtp_kem xmtp_kem_xwing_004d; /* X-Wing draft-06 under the id that the network uses */

/* ---- signatures */

/* One of many signatures to verify, and what came of it. */
typedef struct xmtp_signature_check {
    xmtp_bytes pk;
    xmtp_bytes message;
    xmtp_bytes signature;
    xmtp_status verdict; /* receives what verifying this one alone gives */
} xmtp_signature_check;

typedef struct xmtp_signature {
    const char *name;
    uint16_t scheme;      /* TLS SignatureScheme */
    size_t sk_len;        /* Ed25519, Ed448: the seed; ECDSA: the scalar, big-endian */
    size_t pk_len;        /* ECDSA: an uncompressed point */
    size_t signature_max; /* ECDSA: DER, of varying length; the others always have this length */
    xmtp_status (*public_key)(const uint8_t *sk, uint8_t *pk);
    /* *signature_len is set; at most signature_max bytes. pk spares deriving it again and
     * must belong to sk: signatures of one message under two public keys reveal sk. No
     * randomness is used: the same message gives the same signature. */
    xmtp_status (*sign)(const uint8_t *sk, const uint8_t *pk, xmtp_bytes message,
                        uint8_t *signature, size_t *signature_len);
    /* XMTP_E_KEY not a public key, XMTP_E_SIGNATURE does not verify. */
    xmtp_status (*verify)(xmtp_bytes pk, xmtp_bytes message, xmtp_bytes signature);
    /* verify for each, several at once where the machine can; NULL: no faster than one by one. */
    void (*verify_many)(xmtp_signature_check *checks, size_t count);
} xmtp_signature;

/* By the function above, or one by one where it is NULL. The same verdicts either way. */
void xmtp_signature_verify_many(const xmtp_signature *signature, xmtp_signature_check *checks,
                                size_t count);

extern const xmtp_signature xmtp_signature_ed25519;    /* libsodium; signs in lanes */
extern const xmtp_signature xmtp_signature_ed448;      /* OpenSSL */
extern const xmtp_signature xmtp_signature_ecdsa_p256; /* with SHA-256, OpenSSL */
extern const xmtp_signature xmtp_signature_ecdsa_p384; /* with SHA-384 */
extern const xmtp_signature xmtp_signature_ecdsa_p521; /* with SHA-512 */

/* Ed25519ph of RFC 8032 section 5.1 with a context of at most 255 bytes; pre-hash SHA-512 over
 * message. sk is the 32-byte seed. verify: cofactorless, s canonical. */
xmtp_status xmtp_ed25519ph_sign(const uint8_t sk[32], const uint8_t pk[32], xmtp_bytes context,
                                xmtp_bytes message, uint8_t signature[64]);
xmtp_status xmtp_ed25519ph_verify(const uint8_t pk[32], xmtp_bytes context, xmtp_bytes message,
                                  const uint8_t signature[64]);
/* verify for each, several at once where the machine can. */
void xmtp_ed25519ph_verify_many(xmtp_bytes context, xmtp_signature_check *checks, size_t count);

/* ---- passkeys */

enum { XMTP_P256_RAW_LEN = 64 };

/* ECDSA P-256 with SHA-256 by a key in any form of SEC 1 section 2.3.3 but that of infinity, or the
 * compact one. der: DER of r and s. raw receives r || s, 32 bytes each; a high s is accepted.
 * XMTP_E_KEY not a point, XMTP_E_MALFORMED not strict DER, XMTP_E_SIGNATURE. */
xmtp_status xmtp_p256_verify(xmtp_bytes key, xmtp_bytes message, xmtp_bytes der,
                             uint8_t raw[XMTP_P256_RAW_LEN]) XMTP_MUST_CHECK;

/* ---- certificates */

enum {
    XMTP_X509_CHAIN_MAX = 16,              /* certificates of one credential */
    XMTP_X509_CERTIFICATE_MAX = 64 * 1024, /* bytes of one, in DER */
};

/* Whether certificates (DER, the end entity's first) hold together: the first has public_key, of this
 * signature algorithm, and may sign; each other one is an authority and signed the one before it;
 * critical extensions are known, keys and digests not weaker than 112 bits. Whom to trust, and what
 * time it is, is not looked at.
 *
 * XMTP_E_CERTIFICATE      they do not, or one cannot be read; none at all
 * XMTP_E_CERTIFICATE_KEY  the first is for another key
 * XMTP_E_LIMIT            more than XMTP_X509_CHAIN_MAX
 * Threads: any. OpenSSL takes memory during the call. */
xmtp_status xmtp_x509_check_chain(const xmtp_bytes *certificates, size_t count,
                                  const xmtp_signature *signature, xmtp_bytes public_key);

/* ---- suites */

/* One MLS cipher suite (RFC 9420 section 17.1). */
typedef struct xmtp_suite {
    uint16_t id;
    const char *name;
    const xmtp_hash *hash; /* of HKDF, HMAC and transcripts */
    const xmtp_aead *aead;
    const xmtp_kem *kem;
    const xmtp_signature *signature;
    uint16_t kdf_id; /* HPKE KDF identifier */
} xmtp_suite;

extern const xmtp_suite xmtp_suite_x25519_chacha; /* 0x0003 */
extern const xmtp_suite xmtp_suite_xwing_chacha;  /* 0x004D: only wraps welcomes */
extern const xmtp_suite xmtp_suite_xwing_group;   /* 0xF004: post-quantum groups, private use */

/* The suite with this id that may carry groups: 0x0001 to 0x0007 of RFC 9420 and 0xF004; NULL when
 * we do not have it. What a network accepts is its own affair (XMTP: 0x0003 only). */
const xmtp_suite *xmtp_suite_by_id(uint16_t id);

/* ---- HPKE (RFC 9180), base mode */

typedef struct xmtp_hpke {
    const xmtp_aead *aead;
    uint8_t key[XMTP_AEAD_KEY_MAX];
    uint8_t base_nonce[XMTP_AEAD_NONCE_MAX];
    xmtp_secret exporter_secret;
    uint64_t sequence;
} xmtp_hpke;

/* SetupBaseS: enc receives kem->enc_len bytes; seed are kem->seed_len random bytes. */
xmtp_status xmtp_hpke_setup_sender(xmtp_hpke *c, const xmtp_suite *suite, const uint8_t *pk,
                                   xmtp_bytes info, const uint8_t *seed, uint8_t *enc);
/* SetupBaseR. pk is the public key of sk (NULL: derived). XMTP_E_LENGTH when enc has the wrong
 * length. */
xmtp_status xmtp_hpke_setup_receiver(xmtp_hpke *c, const xmtp_suite *suite, const uint8_t *sk,
                                     const uint8_t *pk, xmtp_bytes enc, xmtp_bytes info);
/* The same with what kem->expand made of sk. */
xmtp_status xmtp_hpke_setup_receiver_expanded(xmtp_hpke *c, const xmtp_suite *suite,
                                              const void *expanded, xmtp_bytes enc,
                                              xmtp_bytes info);

/* The same with the secret that decapsulating gave before, kem->ss_len bytes. */
xmtp_status xmtp_hpke_setup_receiver_shared(xmtp_hpke *c, const xmtp_suite *suite,
                                            const uint8_t *shared_secret, xmtp_bytes info);

/* One message to one receiver: what xmtp_hpke_seal_many takes and makes. */
typedef struct xmtp_hpke_letter {
    const uint8_t *pk;   /* kem->pk_len bytes */
    const uint8_t *seed; /* kem->seed_len fresh random bytes */
    xmtp_bytes plaintext;
    uint8_t *enc;        /* receives kem->enc_len bytes */
    uint8_t *ciphertext; /* receives plaintext.n + aead->tag_len bytes */
} xmtp_hpke_letter;

/* SetupBaseS and one Seal without aad for each letter, all with the same info: what this info costs
 * is paid once, and encapsulations run side by side. The same bytes as one by one. After a failure
 * no output is to be used. */
xmtp_status xmtp_hpke_seal_many(const xmtp_suite *suite, xmtp_bytes info,
                                const xmtp_hpke_letter *letters, size_t count);

/* The next message of the context; the sequence number rises with each success. */
xmtp_status xmtp_hpke_seal(xmtp_hpke *c, xmtp_bytes aad, xmtp_bytes plaintext, uint8_t *out);
xmtp_status xmtp_hpke_open(xmtp_hpke *c, xmtp_bytes aad, xmtp_bytes ciphertext, uint8_t *out);
xmtp_status xmtp_hpke_export(const xmtp_hpke *c, const xmtp_suite *suite, xmtp_bytes context,
                             uint8_t *out, size_t out_len);
void xmtp_hpke_wipe(xmtp_hpke *c);

/* ---- wallets */

/* Keccak-256 with the padding of Ethereum (0x01), not SHA3-256. */
void xmtp_keccak256(xmtp_bytes in, uint8_t out[32]);

/* address receives "0x" + 40 lower-case digits + 0 for a secp256k1 private key.
 * XMTP_E_KEY when it is zero or not below the group order. */
xmtp_status xmtp_secp256k1_address(const uint8_t sk[32], char address[43]);

/* r || s || v over a 32-byte digest: RFC 6979, low s, v = 27 or 28. */
xmtp_status xmtp_secp256k1_sign(const uint8_t sk[32], const uint8_t digest[32],
                                uint8_t signature[65]);

/* Address that signed digest, following identity.md 3.3 step by step: range check, s lowered
 * without flipping v, v of 0, 1, 27, 28 or >= 35. normalized receives the 65 bytes after lowering s
 * (v as sent), which is what replay protection remembers. XMTP_E_SIGNATURE when nothing can be
 * recovered. */
xmtp_status xmtp_secp256k1_recover(const uint8_t digest[32], const uint8_t signature[65],
                                   char address[43], uint8_t normalized[65]);

/* One of many signatures of wallets: digest (32 bytes) and signature (65) in; address (43), normalized (65)
 * and status out, each as xmtp_secp256k1_recover gives them. */
typedef struct xmtp_wallet_recovery {
    const uint8_t *digest;
    const uint8_t *signature;
    char *address;
    uint8_t *normalized;
    xmtp_status status;
    bool is_from_lanes; /* the status is XMTP_OK, and xmtp_secp256k1_recover was not asked */
} xmtp_wallet_recovery;

/* Eight at once where the machine can. Whatever is not the plain case goes to xmtp_secp256k1_recover, which
 * alone refuses. */
void xmtp_secp256k1_recover_many(xmtp_wallet_recovery *jobs, size_t count);

#endif
