/* api_key_package.c - key packages of xmtp/mls.h. RFC 9420 section 10. */
#include "base/bytes.h"
#include "base/status.h"
#include "mls/api_convert.h"
#include "mls/grease.h"
#include "mls/key_package.h"
#include "mls/key_package_rules.h"
#include "mls/label.h"

#include <assert.h>

static_assert(sizeof((xmtp_mls_key_package_private *)0)->init_sk >= XMTP_KEM_SK_MAX, "init_sk");
static_assert(sizeof((xmtp_mls_key_package_private *)0)->leaf_sk >= XMTP_KEM_SK_MAX, "leaf_sk");
static_assert(sizeof((xmtp_mls_key_package_private *)0)->ref >= XMTP_HASH_MAX, "ref");
static_assert(sizeof((xmtp_mls_key_package_info *)0)->ref >= XMTP_HASH_MAX, "ref");

enum { KEY_PACKAGE_MEMORY_MAX = 16 << 20 };

void xmtp_mls_key_package_private_wipe(xmtp_mls_key_package_private *private_keys)
{
    xmtp_wipe(private_keys, sizeof *private_keys);
}

/* ---- making ---- */

typedef struct making {
    const xmtp_env *env;
    const xmtp_suite *suite;
    const xmtp_mls_key_package_options *options;
    xmtp_error *error;
    xmtp_arena arena;
    xmtp_writer leaf;
    xmtp_writer scratch;
    xmtp_writer out;
    uint8_t init_pk[XMTP_KEM_PK_MAX];
    uint8_t leaf_pk[XMTP_KEM_PK_MAX];
} making;

static xmtp_status fresh_key_pair(const making *m, uint8_t *sk, size_t *sk_len, uint8_t *pk)
{
    uint8_t ikm[XMTP_HASH_MAX];
    size_t n = m->suite->hash->len;
    XMTP_TRY(m->env->random(m->env->context, ikm, n));
    xmtp_status status = m->suite->kem->derive_key_pair(xmtp_bytes_of(ikm, n), sk, pk);
    *sk_len = m->suite->kem->sk_len;
    xmtp_wipe(ikm, sizeof ikm);
    return status;
}

static xmtp_status make_leaf(making *m)
{
    const xmtp_mls_key_package_options *o = m->options;
    xmtp_leaf_node leaf = {.encryption_key = xmtp_bytes_of(m->leaf_pk, m->suite->kem->pk_len),
                           .signature_key = o->signer.signature_pk,
                           .credential = xmtp_signer_credential(&o->signer),
                           .source = XMTP_LEAF_NODE_KEY_PACKAGE,
                           .not_before = o->not_before,
                           .not_after = o->not_after};
    XMTP_TRY(xmtp_convert_capabilities(&m->arena, &o->capabilities, &leaf.capabilities));
    XMTP_TRY(xmtp_convert_extensions(&m->arena, o->leaf_extensions, o->leaf_extension_count,
                                     &leaf.extensions));
    if (o->capabilities.grease) {
        XMTP_TRY(xmtp_grease_leaf(m->env, &m->arena, &leaf));
    }
    return xmtp_leaf_node_sign(m->suite, o->signer.signature_sk.p, &leaf, (xmtp_bytes){0}, 0,
                               &m->scratch, &m->leaf);
}

static xmtp_status make_package(making *m)
{
    const xmtp_mls_key_package_options *o = m->options;
    xmtp_key_package package = {.version = XMTP_PROTOCOL_MLS10,
                                .cipher_suite = m->suite->id,
                                .init_key = xmtp_bytes_of(m->init_pk, m->suite->kem->pk_len)};
    XMTP_TRY(xmtp_leaf_node_of(xmtp_writer_bytes(&m->leaf), &package.leaf_node));
    XMTP_TRY(
        xmtp_convert_extensions(&m->arena, o->extensions, o->extension_count, &package.extensions));
    if (o->capabilities.grease) {
        XMTP_TRY(xmtp_grease_extensions(
            m->env, &m->arena, package.leaf_node.capabilities.extensions, &package.extensions));
    }
    XMTP_TRY(
        xmtp_key_package_sign(m->suite, o->signer.signature_sk.p, &package, &m->scratch, &m->out));
    XMTP_TRY(xmtp_writer_status(&m->out));
    /* What we make must be what others accept. */
    xmtp_leaf_node_rules rules = {.suite = m->suite};
    XMTP_TRY(xmtp_key_package_of(xmtp_writer_bytes(&m->out), &package));
    XMTP_TRY(xmtp_key_package_validate(&package, &rules, m->error));
    return xmtp_key_package_check_extensions(&package, m->error);
}

static xmtp_status make(making *m, xmtp_mls_key_package_private *private_keys)
{
    const xmtp_mls_signer *signer = &m->options->signer;
    if (m->suite == NULL) {
        return xmtp_fail(m->error, XMTP_E_SUITE, "cipher suite 0x%04x is not supported",
                         (unsigned)m->options->suite);
    }
    if (signer->signature_sk.n != m->suite->signature->sk_len ||
        signer->signature_pk.n != m->suite->signature->pk_len) {
        return xmtp_fail(m->error, XMTP_E_KEY, "signature keys have a wrong length");
    }
    XMTP_TRY(fresh_key_pair(m, private_keys->init_sk, &private_keys->init_sk_len, m->init_pk));
    XMTP_TRY(fresh_key_pair(m, private_keys->leaf_sk, &private_keys->leaf_sk_len, m->leaf_pk));
    XMTP_TRY(make_leaf(m));
    XMTP_TRY(make_package(m));
    private_keys->ref_len = m->suite->hash->len;
    xmtp_key_package_ref(m->suite, xmtp_writer_bytes(&m->out), private_keys->ref);
    xmtp_key_package_private_check(m->suite, private_keys, private_keys->check);
    return XMTP_OK;
}

xmtp_status xmtp_mls_key_package_create(const xmtp_env *env,
                                        const xmtp_mls_key_package_options *options,
                                        uint8_t **key_package, size_t *key_package_len,
                                        xmtp_mls_key_package_private *private_keys,
                                        xmtp_error *error)
{
    making m = {
        .env = env, .suite = xmtp_suite_by_id(options->suite), .options = options, .error = error};
    *key_package = NULL;
    *key_package_len = 0;
    *private_keys = (xmtp_mls_key_package_private){0};
    xmtp_arena_init(&m.arena, &env->alloc, KEY_PACKAGE_MEMORY_MAX);
    xmtp_writer_init(&m.leaf, &env->alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&m.scratch, &env->alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&m.out, &env->alloc, XMTP_WRITER_MAX);
    xmtp_status status = make(&m, private_keys);
    if (status == XMTP_OK) {
        status = xmtp_writer_detach(&m.out, key_package, key_package_len);
    }
    if (status != XMTP_OK) {
        xmtp_mls_key_package_private_wipe(private_keys);
        status = xmtp_fail_default(error, status, "making a key package");
    }
    xmtp_arena_reset(&m.arena);
    xmtp_writer_free(&m.leaf);
    xmtp_writer_free(&m.scratch);
    xmtp_writer_free(&m.out);
    return status;
}

/* ---- verifying ---- */

static xmtp_status verify(const xmtp_env *env, const xmtp_key_package *package,
                          uint64_t now_seconds, const xmtp_suite *suite, xmtp_error *error)
{
    xmtp_leaf_node_rules rules = {
        .suite = suite, .check_lifetime = now_seconds != 0, .now_s = now_seconds};
    XMTP_TRY(xmtp_key_package_validate(package, &rules, error));
    XMTP_TRY(xmtp_key_package_check_extensions(package, error));
    xmtp_writer scratch;
    xmtp_writer_init(&scratch, &env->alloc, XMTP_WRITER_MAX);
    xmtp_status status = xmtp_key_package_verify(suite, package, &scratch);
    xmtp_writer_free(&scratch);
    if (status != XMTP_OK) {
        return xmtp_fail(error, status, "a signature of the key package is wrong");
    }
    return XMTP_OK;
}

xmtp_status xmtp_mls_key_package_verify(const xmtp_env *env, xmtp_bytes key_package,
                                        uint64_t now_seconds, xmtp_mls_key_package_info *info,
                                        xmtp_error *error)
{
    xmtp_key_package package;
    *info = (xmtp_mls_key_package_info){0};
    xmtp_status status = xmtp_key_package_of(key_package, &package);
    if (status != XMTP_OK) {
        return xmtp_fail_default(error, status, "reading a key package");
    }
    if (package.version != XMTP_PROTOCOL_MLS10) {
        return xmtp_fail(error, XMTP_E_VERSION, "key package has protocol version %u",
                         (unsigned)package.version);
    }
    const xmtp_suite *suite = xmtp_suite_by_id(package.cipher_suite);
    if (suite == NULL) {
        return xmtp_fail(error, XMTP_E_SUITE, "cipher suite 0x%04x is not supported",
                         (unsigned)package.cipher_suite);
    }
    status = verify(env, &package, now_seconds, suite, error);
    if (status != XMTP_OK) {
        return xmtp_fail_default(error, status, "verifying a key package");
    }
    *info =
        (xmtp_mls_key_package_info){.suite = package.cipher_suite,
                                    .init_key = package.init_key,
                                    .member = {.credential_type = package.leaf_node.credential.type,
                                               .identity = package.leaf_node.credential.content,
                                               .signature_key = package.leaf_node.signature_key,
                                               .encryption_key = package.leaf_node.encryption_key},
                                    .not_before = package.leaf_node.not_before,
                                    .not_after = package.leaf_node.not_after,
                                    .extensions = package.extensions.raw,
                                    .ref_len = suite->hash->len};
    xmtp_key_package_ref(suite, package.raw, info->ref);
    return XMTP_OK;
}

xmtp_status xmtp_mls_verified_key_package_new(xmtp_mls_verified_key_package **out,
                                              const xmtp_env *env, xmtp_bytes key_package,
                                              uint64_t now_seconds, xmtp_mls_key_package_info *info,
                                              xmtp_error *error)
{
    size_t size;
    *out = NULL;
    *info = (xmtp_mls_key_package_info){0};
    XMTP_ENSURE(xmtp_size_add(&size, sizeof **out, key_package.n), XMTP_E_LIMIT);
    xmtp_mls_verified_key_package *verified = env->alloc.reallocate(env->alloc.context, NULL, size);
    if (verified == NULL) {
        return xmtp_fail_default(error, XMTP_E_NOMEM, "keeping a key package");
    }
    verified->alloc = &env->alloc;
    verified->n = key_package.n;
    xmtp_copy(verified->p, key_package.p, key_package.n);
    xmtp_status status = xmtp_mls_key_package_verify(env, xmtp_bytes_of(verified->p, verified->n),
                                                     now_seconds, info, error);
    if (status != XMTP_OK) {
        xmtp_mls_verified_key_package_free(verified);
        return status;
    }
    *out = verified;
    return XMTP_OK;
}

void xmtp_mls_verified_key_package_free(xmtp_mls_verified_key_package *verified)
{
    if (verified != NULL) {
        const xmtp_alloc *alloc = verified->alloc;
        (void)alloc->reallocate(alloc->context, verified, 0);
    }
}

bool xmtp_mls_extensions_find(xmtp_bytes extensions, uint16_t type, xmtp_bytes *data)
{
    xmtp_extensions list;
    if (xmtp_extensions_of(extensions, &list) != XMTP_OK) {
        return false;
    }
    return xmtp_extensions_find(&list, type, data);
}

bool xmtp_mls_extensions_next(xmtp_bytes *rest, xmtp_mls_extension *out)
{
    xmtp_reader r = xmtp_reader_of(*rest);
    xmtp_extension extension;
    if (!xmtp_extensions_next(&r, &extension)) {
        return false;
    }
    *out = (xmtp_mls_extension){.type = extension.type, .data = extension.data};
    *rest = xmtp_bytes_of(r.p, r.n);
    return true;
}
