/* key_package.c - KeyPackage of RFC 9420 section 10.
 *
 *     KeyPackage = version, cipher_suite, init_key, leaf_node, extensions, signature
 */
#include "mls/key_package.h"
#include "base/bytes.h"
#include "base/status.h"
#include "mls/label.h"
#include "mls/signature_batch.h"

xmtp_status xmtp_key_package_decode(xmtp_reader *r, xmtp_key_package *out)
{
    const xmtp_reader start = *r;
    XMTP_TRY(xmtp_reader_u16(r, &out->version));
    XMTP_TRY(xmtp_reader_u16(r, &out->cipher_suite));
    XMTP_TRY(xmtp_reader_vec(r, &out->init_key));
    XMTP_TRY(xmtp_leaf_node_decode(r, &out->leaf_node));
    XMTP_TRY(xmtp_extensions_decode(r, &out->extensions));
    out->tbs = xmtp_reader_since(r, &start);
    XMTP_TRY(xmtp_reader_vec(r, &out->signature));
    out->raw = xmtp_reader_since(r, &start);
    out->is_verified = false;
    return XMTP_OK;
}

xmtp_status xmtp_key_package_of(xmtp_bytes raw, xmtp_key_package *out)
{
    xmtp_reader r = xmtp_reader_of(raw);
    XMTP_TRY(xmtp_key_package_decode(&r, out));
    return xmtp_reader_end(&r);
}

static void tbs_encode(xmtp_writer *w, const xmtp_key_package *key_package)
{
    xmtp_writer_u16(w, key_package->version);
    xmtp_writer_u16(w, key_package->cipher_suite);
    xmtp_writer_vec(w, key_package->init_key);
    xmtp_writer_put(w, key_package->leaf_node.raw);
    xmtp_extensions_encode(w, &key_package->extensions);
}

void xmtp_key_package_encode(xmtp_writer *w, const xmtp_key_package *key_package)
{
    tbs_encode(w, key_package);
    xmtp_writer_vec(w, key_package->signature);
}

xmtp_status xmtp_key_package_sign(const xmtp_suite *suite, const uint8_t *signature_sk,
                                  const xmtp_key_package *key_package, xmtp_writer *scratch,
                                  xmtp_writer *w)
{
    const xmtp_bytes pk = key_package->leaf_node.signature_key;
    XMTP_ENSURE(pk.n == suite->signature->pk_len, XMTP_E_KEY);
    uint8_t signature[XMTP_SIGNATURE_MAX];
    size_t signature_len = 0;
    const size_t start = w->n;
    tbs_encode(w, key_package);
    XMTP_TRY(xmtp_writer_status(w));
    XMTP_TRY(xmtp_sign_with_label(suite, signature_sk, pk.p, "KeyPackageTBS",
                                  xmtp_bytes_of(w->p + start, w->n - start), scratch, signature,
                                  &signature_len));
    xmtp_writer_vec(w, xmtp_bytes_of(signature, signature_len));
    return xmtp_writer_status(w);
}

static void put(xmtp_signature_batch *batch, const xmtp_key_package *key_package)
{
    const xmtp_leaf_node *leaf = &key_package->leaf_node;
    xmtp_leaf_node_sign_content(batch->contents, leaf, (xmtp_bytes){0}, 0);
    xmtp_signature_batch_put(batch, leaf->signature_key, leaf->signature);
    xmtp_labelled_content(batch->contents, "KeyPackageTBS", key_package->tbs);
    xmtp_signature_batch_put(batch, leaf->signature_key, key_package->signature);
}

/* Both signatures of one key package: that of the leaf is judged first. */
static xmtp_status verdict_of(const xmtp_signature_check pair[2])
{
    const xmtp_status own = pair[1].verdict;
    XMTP_TRY(xmtp_leaf_node_verdict(pair[0].verdict));
    return own == XMTP_E_SIGNATURE ? XMTP_E_KEY_PACKAGE_SIGNATURE : own;
}

/* owners: whose signatures stand in the batch. */
static xmtp_status verify_batch(xmtp_signature_batch *batch, const size_t *owners,
                                xmtp_status *verdicts)
{
    XMTP_TRY(xmtp_signature_batch_verify(batch));
    for (size_t i = 0; i < batch->count / 2; i++) {
        verdicts[owners[i]] = verdict_of(&batch->checks[2 * i]);
    }
    return XMTP_OK;
}

xmtp_status xmtp_key_packages_verify(const xmtp_suite *suite,
                                     const xmtp_key_package *const *key_packages, size_t count,
                                     xmtp_status *verdicts, xmtp_writer *scratch)
{
    xmtp_signature_batch batch;
    size_t owners[XMTP_SIGNATURE_BATCH_MAX / 2];
    xmtp_signature_batch_init(&batch, suite, scratch);
    for (size_t i = 0; i < count; i++) {
        verdicts[i] = XMTP_OK;
        if (key_packages[i]->is_verified) {
            continue;
        }
        if (batch.count == XMTP_SIGNATURE_BATCH_MAX) {
            XMTP_TRY(verify_batch(&batch, owners, verdicts));
            xmtp_signature_batch_init(&batch, suite, scratch);
        }
        owners[batch.count / 2] = i;
        put(&batch, key_packages[i]);
    }
    return verify_batch(&batch, owners, verdicts);
}

xmtp_status xmtp_key_package_verify(const xmtp_suite *suite, const xmtp_key_package *key_package,
                                    xmtp_writer *scratch)
{
    xmtp_status verdict = XMTP_OK;
    XMTP_TRY(xmtp_key_packages_verify(suite, &key_package, 1, &verdict, scratch));
    return verdict;
}

xmtp_status xmtp_key_package_validate(const xmtp_key_package *key_package,
                                      const xmtp_leaf_node_rules *rules, xmtp_error *error)
{
    if (key_package->version != XMTP_PROTOCOL_MLS10) {
        return xmtp_fail(error, XMTP_E_VERSION, "key package is for version %u",
                         key_package->version);
    }
    if (key_package->cipher_suite != rules->suite->id) {
        return xmtp_fail(error, XMTP_E_SUITE, "key package is for suite 0x%04x, not 0x%04x",
                         key_package->cipher_suite, rules->suite->id);
    }
    if (key_package->init_key.n != rules->suite->kem->pk_len) {
        return xmtp_fail(error, XMTP_E_KEY, "init key has %zu bytes", key_package->init_key.n);
    }
    if (xmtp_bytes_equal(key_package->init_key, key_package->leaf_node.encryption_key)) {
        return xmtp_fail(error, XMTP_E_KEY_PACKAGE, "init key and encryption key are the same");
    }
    xmtp_leaf_node_rules leaf_rules = *rules;
    leaf_rules.source = XMTP_LEAF_NODE_KEY_PACKAGE;
    return xmtp_leaf_node_validate(&key_package->leaf_node, &leaf_rules, error);
}

static void update_vec(const xmtp_hash *hash, xmtp_hash_context *c, const uint8_t *p, size_t n)
{
    const uint8_t prefix = (uint8_t)n; /* none of these is longer than 66 bytes */
    hash->update(c, &prefix, 1);
    hash->update(c, p, n);
}

void xmtp_key_package_private_check(const xmtp_suite *suite,
                                    const xmtp_mls_key_package_private *keys, uint8_t *out)
{
    uint8_t digest[XMTP_HASH_MAX];
    xmtp_hash_context c;
    suite->hash->init(&c);
    update_vec(suite->hash, &c, keys->ref, keys->ref_len);
    update_vec(suite->hash, &c, keys->init_sk, keys->init_sk_len);
    update_vec(suite->hash, &c, keys->leaf_sk, keys->leaf_sk_len);
    suite->hash->final(&c, digest);
    memcpy(out, digest, XMTP_MLS_KEY_CHECK_LEN);
    xmtp_wipe(digest, sizeof digest);
}
