/* key_package.h - KeyPackage, RFC 9420 section 10. */
#ifndef XMTP_MLS_KEY_PACKAGE_H
#define XMTP_MLS_KEY_PACKAGE_H

#include "mls/leaf_node.h"

#include <xmtp/mls.h>

typedef struct xmtp_key_package {
    xmtp_bytes raw; /* the whole encoding; KeyPackageRef is made over it */
    xmtp_bytes tbs; /* the encoding up to the signature: KeyPackageTBS */
    uint16_t version;
    uint16_t cipher_suite;
    xmtp_bytes init_key;
    xmtp_leaf_node leaf_node;
    xmtp_extensions extensions;
    xmtp_bytes signature;
    bool is_verified; /* out of a xmtp_mls_verified_key_package; decoding leaves false */
} xmtp_key_package;

struct xmtp_mls_verified_key_package {
    const xmtp_alloc *alloc;
    size_t n;
    uint8_t p[];
};

xmtp_status xmtp_key_package_decode(xmtp_reader *r, xmtp_key_package *out) XMTP_MUST_CHECK;

/* The same over exactly one encoded KeyPackage. */
xmtp_status xmtp_key_package_of(xmtp_bytes raw, xmtp_key_package *out) XMTP_MUST_CHECK;

/* Writes the fields; of leaf_node only raw, which is signed already. */
void xmtp_key_package_encode(xmtp_writer *w, const xmtp_key_package *key_package);

/* Signs the fields (leaf_node.raw must be set) and appends the KeyPackage to w. */
xmtp_status xmtp_key_package_sign(const xmtp_suite *suite, const uint8_t *signature_sk,
                                  const xmtp_key_package *key_package, xmtp_writer *scratch,
                                  xmtp_writer *w) XMTP_MUST_CHECK;

/* Verifies both signatures of each, of the leaf and of the package, several at once. verdicts[i] is
 * that on the i-th: XMTP_E_LEAF_SIGNATURE, XMTP_E_KEY_PACKAGE_SIGNATURE, XMTP_E_KEY; those with
 * is_verified are believed. Fails only without memory; no verdict counts then. scratch is cleared. */
xmtp_status xmtp_key_packages_verify(const xmtp_suite *suite,
                                     const xmtp_key_package *const *key_packages, size_t count,
                                     xmtp_status *verdicts, xmtp_writer *scratch) XMTP_MUST_CHECK;

/* The verdict on one, or what failed. */
xmtp_status xmtp_key_package_verify(const xmtp_suite *suite, const xmtp_key_package *key_package,
                                    xmtp_writer *scratch) XMTP_MUST_CHECK;

/* The rules of section 10.1, signatures excepted: version and suite, init_key differs from the
 * leaf's encryption_key, then xmtp_leaf_node_validate with source KEY_PACKAGE (rules->source is
 * ignored). XMTP_E_VERSION, XMTP_E_SUITE, XMTP_E_KEY_PACKAGE and those of the leaf. */
xmtp_status xmtp_key_package_validate(const xmtp_key_package *key_package,
                                      const xmtp_leaf_node_rules *rules,
                                      xmtp_error *error) XMTP_MUST_CHECK;

/* xmtp_mls_key_package_private.check: out receives XMTP_MLS_KEY_CHECK_LEN bytes. */
void xmtp_key_package_private_check(const xmtp_suite *suite,
                                    const xmtp_mls_key_package_private *keys, uint8_t *out);

#endif
