/* key_package.h - key packages as XMTP shapes them (identity.md 6), on top of mls.h.
 *
 *     KeyPackage
 *       leaf        credential  basic, identity = MlsCredential { inbox_id }
 *                   signature_key = the installation's public key
 *                   extensions  application_id = inbox id
 *       extensions  last_resort (000A), pointee AEAD types (FF04), welcome wrapper key (FF03)
 *
 * The wrapper key is an X-Wing key: welcomes are sealed to it once more around MLS's own
 * encryption.
 */
#ifndef XMTP_IDENTITY_KEY_PACKAGE_H
#define XMTP_IDENTITY_KEY_PACKAGE_H

#include "identity/signer.h"

#include <xmtp/mls.h>

enum {
    XMTP_EXTENSION_IMMUTABLE_METADATA = 0xF000,
    XMTP_EXTENSION_MUTABLE_METADATA = 0xFF00,
    XMTP_EXTENSION_GROUP_MEMBERSHIP = 0xFF01,
    XMTP_EXTENSION_GROUP_PERMISSIONS = 0xFF02,
    XMTP_EXTENSION_WELCOME_WRAPPER = 0xFF03,
    XMTP_EXTENSION_POINTEE_AEAD = 0xFF04,

    XMTP_XWING_SEED_LEN = 32,
    XMTP_XWING_PK_LEN = 1216,
    XMTP_INIT_KEY_LEN = 32,
    XMTP_CREDENTIAL_LEN = 66, /* of an MlsCredential: 0A 40 and 64 characters */

    XMTP_KEY_PACKAGE_BACKDATE_S = 3600,
    XMTP_KEY_PACKAGE_LIFETIME_S = 7257600,      /* 84 days */
    XMTP_KEY_PACKAGE_RANGE_MAX_S = 400 * 86400, /* longest lifetime that our node stores */
};

/* WelcomeWrapperAlgorithm of the network. */
typedef enum xmtp_wrapper_algorithm {
    XMTP_WRAPPER_CURVE25519 = 1,
    XMTP_WRAPPER_XWING = 2,
    XMTP_WRAPPER_SYMMETRIC = 3, /* what a welcome pointer points at */
} xmtp_wrapper_algorithm;

/* What has to be kept to open welcomes. A welcome names the public key that it was sealed to, so
 * both public keys lead to this record. */
typedef struct xmtp_inbox_key_package_keys {
    xmtp_mls_key_package_private mls;
    uint8_t init_pk[XMTP_INIT_KEY_LEN];
    uint8_t xwing_seed[XMTP_XWING_SEED_LEN];
    uint8_t xwing_pk[XMTP_XWING_PK_LEN];
} xmtp_inbox_key_package_keys;

void xmtp_inbox_key_package_keys_wipe(xmtp_inbox_key_package_keys *keys);

/* Makes one, valid from an hour ago for 84 days by the env's clock. *key_package is freed by the
 * caller with env->alloc. XMTP_E_INBOX_ID: inbox_id is not 64 lower-case hex digits. */
XMTP_MUST_CHECK xmtp_status xmtp_inbox_key_package_create(const xmtp_env *env, const char *inbox_id,
                                                          const xmtp_installation *installation,
                                                          uint8_t **key_package,
                                                          size_t *key_package_len,
                                                          xmtp_inbox_key_package_keys *keys,
                                                          xmtp_error *error);

/* Capabilities that our leaves state, in the network's order; static memory. The leaf of a key
 * package has the first, the leaf of a group's creator the second. */
const xmtp_mls_capabilities *xmtp_inbox_key_package_capabilities(void);
const xmtp_mls_capabilities *xmtp_inbox_creator_capabilities(void);

/* out receives the credential identity of a 64-character inbox id. */
void xmtp_inbox_credential_encode(const char inbox_id[XMTP_INBOX_ID_LEN + 1],
                                  uint8_t out[XMTP_CREDENTIAL_LEN]);
/* The inbox id in a credential identity: a view into it, which may be empty or not an inbox id at
 * all. XMTP_E_CREDENTIAL: not an MlsCredential. */
XMTP_MUST_CHECK xmtp_status xmtp_inbox_credential_decode(xmtp_bytes identity, xmtp_bytes *inbox_id);

/* ---- other people's */

typedef enum xmtp_inbox_key_package_rules {
    /* What every peer checks on a fetched key package (identity.md 6.4): suite 0x0003 and RFC 9420,
     * nothing else. */
    XMTP_KEY_PACKAGE_PEER = 0,
    /* Also what our node asks for before it stores one (node.md 3.3): an inbox id of 64 hex digits,
     * a lifetime of at most 400 days. */
    XMTP_KEY_PACKAGE_NODE = 1,
    /* Also what makes an add succeed: the installation and inbox that were asked for,
     * capabilities for a group, a wrapper key of the right length. */
    XMTP_KEY_PACKAGE_ADDER = 2,
} xmtp_inbox_key_package_rules;

typedef struct xmtp_inbox_key_package_expected {
    xmtp_bytes installation; /* empty: any */
    xmtp_bytes inbox_id;     /* empty: any */
} xmtp_inbox_key_package_expected;

/* What a verified key package says; views into its bytes. */
typedef struct xmtp_inbox_key_package {
    xmtp_mls_key_package_info mls;
    xmtp_bytes installation; /* the leaf's signature key */
    xmtp_bytes inbox_id;
    xmtp_wrapper_algorithm wrapper_algorithm; /* 0 without ADDER when FF03 cannot be used */
    xmtp_bytes wrapper_key;                   /* FF03, or the init key */
    bool takes_pointers;                      /* FF04 lists ChaCha20-Poly1305 and FF03 is there */
} xmtp_inbox_key_package;

/* Verifies a bare KeyPackage. now_seconds 0 skips the lifetime. expected may be NULL; it is looked
 * at by ADDER only.
 *
 * XMTP_E_SUITE        for another suite than 0x0003, whatever the rules
 * XMTP_E_CREDENTIAL   not basic, no MlsCredential, or not the inbox that was expected
 * XMTP_E_KEY_PACKAGE  another installation than expected, a wrapper key of a wrong length
 * XMTP_E_CAPABILITIES ADDER only: lacks what every group requires
 * XMTP_E_EXTENSION    ADDER only: FF03 or FF04 do not decode
 * others              as xmtp_mls_key_package_verify */
XMTP_MUST_CHECK xmtp_status xmtp_inbox_key_package_verify(
    const xmtp_env *env, xmtp_bytes key_package, uint64_t now_seconds,
    xmtp_inbox_key_package_rules rules, const xmtp_inbox_key_package_expected *expected,
    xmtp_inbox_key_package *out, xmtp_error *error);

/* Several with the rules of ADDER, for who adds them, which costs less than one by one. */
typedef struct xmtp_inbox_key_package_candidate {
    xmtp_bytes key_package;
    xmtp_inbox_key_package_expected expected;
    /* set by admit */
    xmtp_mls_verified_key_package
        *verified;               /* what xmtp_mls_group_commit takes; the caller's to free */
    xmtp_inbox_key_package what; /* views into verified */
    xmtp_status status;          /* not XMTP_OK: refused, and verified is NULL */
} xmtp_inbox_key_package_candidate;

/* Fails for lack of memory only, with nothing to free. */
XMTP_MUST_CHECK xmtp_status
xmtp_inbox_key_packages_admit(const xmtp_env *env, xmtp_inbox_key_package_candidate *candidates,
                              size_t count, uint64_t now_seconds);

#endif
