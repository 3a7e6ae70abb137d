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

enum { KEY_PACKAGE_MEMORY_MAX = 16 << 20, ADMITTED_AT_ONCE = 64 };

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

/* All rules but the signatures. */
static xmtp_status read_package(xmtp_bytes bytes, uint64_t now_seconds, xmtp_key_package *package,
                                const xmtp_suite **suite, xmtp_error *error)
{
    xmtp_status status = xmtp_key_package_of(bytes, package);
    if (status != XMTP_OK) {
        return xmtp_fail_default(error, status, "reading a key package");
    }
    if (package->version != XMTP_PROTOCOL_MLS10) {
        return xmtp_fail(error, XMTP_E_VERSION, "key package has protocol version %u",
                         (unsigned)package->version);
    }
    *suite = xmtp_suite_by_id(package->cipher_suite);
    if (*suite == NULL) {
        return xmtp_fail(error, XMTP_E_SUITE, "cipher suite 0x%04x is not supported",
                         (unsigned)package->cipher_suite);
    }
    xmtp_leaf_node_rules rules = {
        .suite = *suite, .check_lifetime = now_seconds != 0, .now_s = now_seconds};
    status = xmtp_key_package_validate(package, &rules, error);
    if (status == XMTP_OK) {
        status = xmtp_key_package_check_extensions(package, error);
    }
    return status == XMTP_OK ? XMTP_OK
                             : xmtp_fail_default(error, status, "verifying a key package");
}

static xmtp_status verify_package(const xmtp_env *env, const xmtp_suite *suite,
                                  const xmtp_key_package *package, xmtp_error *error)
{
    xmtp_writer scratch;
    xmtp_writer_init(&scratch, &env->alloc, XMTP_WRITER_MAX);
    xmtp_status status = xmtp_key_package_verify(suite, package, &scratch);
    xmtp_writer_free(&scratch);
    if (status != XMTP_OK) {
        return xmtp_fail(error, status, "a signature of the key package is wrong");
    }
    return XMTP_OK;
}

static void describe(const xmtp_suite *suite, const xmtp_key_package *package,
                     xmtp_mls_key_package_info *info)
{
    const xmtp_leaf_node *leaf = &package->leaf_node;
    *info = (xmtp_mls_key_package_info){.suite = package->cipher_suite,
                                        .init_key = package->init_key,
                                        .member = {.credential_type = leaf->credential.type,
                                                   .identity = leaf->credential.content,
                                                   .signature_key = leaf->signature_key,
                                                   .encryption_key = leaf->encryption_key},
                                        .not_before = leaf->not_before,
                                        .not_after = leaf->not_after,
                                        .extensions = package->extensions.raw,
                                        .ref_len = suite->hash->len};
    xmtp_key_package_ref(suite, package->raw, info->ref);
}

xmtp_status xmtp_mls_key_package_verify(const xmtp_env *env, xmtp_bytes key_package,
                                        uint64_t now_seconds, xmtp_mls_key_package_info *info,
                                        xmtp_error *error)
{
    xmtp_key_package package;
    const xmtp_suite *suite;
    *info = (xmtp_mls_key_package_info){0};
    XMTP_TRY(read_package(key_package, now_seconds, &package, &suite, error));
    XMTP_TRY(verify_package(env, suite, &package, error));
    describe(suite, &package, info);
    return XMTP_OK;
}

/* A copy, not verified yet. */
static xmtp_status copy_package(const xmtp_env *env, xmtp_bytes key_package,
                                xmtp_mls_verified_key_package **out)
{
    size_t size;
    *out = NULL;
    XMTP_ENSURE(xmtp_size_add(&size, sizeof **out, key_package.n), XMTP_E_LIMIT);
    xmtp_mls_verified_key_package *copy = env->alloc.reallocate(env->alloc.context, NULL, size);
    XMTP_ENSURE(copy != NULL, XMTP_E_NOMEM);
    copy->alloc = &env->alloc;
    copy->n = key_package.n;
    xmtp_copy(copy->p, key_package.p, key_package.n);
    *out = copy;
    return XMTP_OK;
}

xmtp_status xmtp_mls_verified_key_package_new(xmtp_mls_verified_key_package **out,
                                              const xmtp_env *env, xmtp_bytes key_package,
                                              uint64_t now_seconds, xmtp_mls_key_package_info *info,
                                              xmtp_error *error)
{
    *info = (xmtp_mls_key_package_info){0};
    xmtp_status status = copy_package(env, key_package, out);
    if (status != XMTP_OK) {
        return xmtp_fail_default(error, status, "keeping a key package");
    }
    status = xmtp_mls_key_package_verify(env, xmtp_bytes_of((*out)->p, (*out)->n), now_seconds,
                                         info, error);
    if (status != XMTP_OK) {
        xmtp_mls_verified_key_package_free(*out);
        *out = NULL;
    }
    return status;
}

void xmtp_mls_verified_key_package_free(xmtp_mls_verified_key_package *verified)
{
    if (verified != NULL) {
        const xmtp_alloc *alloc = verified->alloc;
        (void)alloc->reallocate(alloc->context, verified, 0);
    }
}

/* ---- several at once ---- */

typedef struct admitting {
    const xmtp_suite *suite[ADMITTED_AT_ONCE]; /* NULL: refused */
    xmtp_key_package packages[ADMITTED_AT_ONCE];
} admitting;

/* Verdicts on the signatures of those of one suite. */
static void verify_suite(admitting *a, const xmtp_suite *suite,
                         xmtp_mls_key_package_candidate *candidates, size_t count,
                         xmtp_writer *scratch)
{
    const xmtp_key_package *packages[ADMITTED_AT_ONCE];
    xmtp_status verdicts[ADMITTED_AT_ONCE];
    size_t places[ADMITTED_AT_ONCE];
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (a->suite[i] == suite) {
            places[n] = i;
            packages[n++] = &a->packages[i];
        }
    }
    const xmtp_status status = xmtp_key_packages_verify(suite, packages, n, verdicts, scratch);
    for (size_t k = 0; k < n; k++) {
        const size_t i = places[k];
        candidates[i].status = status == XMTP_OK ? verdicts[k] : status;
        a->suite[i] = NULL;
        if (candidates[i].status == XMTP_OK) {
            describe(suite, packages[k], &candidates[i].info);
        }
    }
}

/* At most ADMITTED_AT_ONCE. */
static void admit_some(const xmtp_env *env, xmtp_mls_key_package_candidate *candidates,
                       size_t count, uint64_t now_seconds)
{
    admitting a = {.suite = {NULL}};
    xmtp_writer scratch;
    xmtp_writer_init(&scratch, &env->alloc, XMTP_WRITER_MAX);
    for (size_t i = 0; i < count; i++) {
        xmtp_mls_key_package_candidate *c = &candidates[i];
        c->info = (xmtp_mls_key_package_info){0};
        c->status = copy_package(env, c->key_package, &c->verified);
        if (c->status == XMTP_OK) {
            c->status = read_package(xmtp_bytes_of(c->verified->p, c->verified->n), now_seconds,
                                     &a.packages[i], &a.suite[i], NULL);
        }
        a.suite[i] = c->status == XMTP_OK ? a.suite[i] : NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (a.suite[i] != NULL) {
            verify_suite(&a, a.suite[i], candidates, count, &scratch);
        }
        if (candidates[i].status != XMTP_OK) {
            xmtp_mls_verified_key_package_free(candidates[i].verified);
            candidates[i].verified = NULL;
        }
    }
    xmtp_writer_free(&scratch);
}

void xmtp_mls_key_packages_admit(const xmtp_env *env, xmtp_mls_key_package_candidate *candidates,
                                 size_t count, uint64_t now_seconds)
{
    for (size_t i = 0; i < count; i += ADMITTED_AT_ONCE) {
        const size_t left = count - i;
        admit_some(env, candidates + i, left < ADMITTED_AT_ONCE ? left : ADMITTED_AT_ONCE,
                   now_seconds);
    }
}

/* ---- extensions ---- */

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
