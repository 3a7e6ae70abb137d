/* group_world.h - for tests: members with keys and an in-memory store, and the steps of a
 * conversation between them. Include after <cmocka.h>.
 *
 * Every step that changes a group applies its writes to the member's store and then replaces the
 * group by what the store gives back, so that each test of behaviour is one of persistence too
 * (world_reload_always).
 */
#ifndef XMTP_MLS_GROUP_WORLD_H
#define XMTP_MLS_GROUP_WORLD_H

#include "base/bytes.h"
#include "base/writer.h"
#include "crypto/crypto.h"

#include <xmtp/mls.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- an environment with a seed ---- */

typedef struct world_env {
    xmtp_env env;
    uint64_t state;
    uint64_t now_ns;
} world_env;

static inline uint64_t world_next(world_env *w)
{
    uint64_t z = (w->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline uint32_t world_below(world_env *w, uint32_t n)
{
    return (uint32_t)(world_next(w) % n);
}

static inline uint64_t world_now(void *context)
{
    return ((world_env *)context)->now_ns;
}

static inline xmtp_status world_random(void *context, uint8_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = (uint8_t)(world_next(context) >> 32);
    }
    return XMTP_OK;
}

static inline void world_env_init(world_env *w, uint64_t seed)
{
    *w = (world_env){.state = seed, .now_ns = 1795373306u * 1000000000ull};
    w->env = (xmtp_env){.context = w,
                        .now_ns = world_now,
                        .random = world_random,
                        .alloc = xmtp_env_system()->alloc};
}

/* ---- a store ---- */

typedef struct world_record {
    uint8_t key[16];
    size_t key_len;
    uint8_t *value;
    size_t value_len;
} world_record;

typedef struct world_store {
    world_record *records;
    size_t count;
} world_store;

static inline size_t world_store_find(const world_store *s, xmtp_bytes key)
{
    size_t i = 0;
    while (i < s->count &&
           !xmtp_bytes_equal(xmtp_bytes_of(s->records[i].key, s->records[i].key_len), key)) {
        i++;
    }
    return i;
}

static inline void world_store_delete(world_store *s, xmtp_bytes key)
{
    size_t i = world_store_find(s, key);
    if (i < s->count) {
        xmtp_wipe(s->records[i].value, s->records[i].value_len);
        free(s->records[i].value);
        s->records[i] = s->records[--s->count];
    }
}

static inline void world_store_put(world_store *s, xmtp_bytes key, xmtp_bytes value)
{
    assert_true(key.n <= 16);
    world_store_delete(s, key);
    s->records = realloc(s->records, (s->count + 1) * sizeof *s->records);
    assert_non_null(s->records);
    world_record *r = &s->records[s->count++];
    *r = (world_record){.key_len = key.n, .value = malloc(value.n + 1), .value_len = value.n};
    assert_non_null(r->value);
    memcpy(r->key, key.p, key.n);
    xmtp_copy(r->value, value.p, value.n);
}

static inline void world_store_apply(world_store *s, const xmtp_mls_writes *writes)
{
    for (size_t i = 0; i < xmtp_mls_writes_count(writes); i++) {
        xmtp_mls_write w = xmtp_mls_writes_at(writes, i);
        if (w.is_delete) {
            world_store_delete(s, w.key);
        } else {
            world_store_put(s, w.key, w.value);
        }
    }
}

static inline void world_store_free(world_store *s)
{
    while (s->count > 0) {
        const world_record *last = &s->records[s->count - 1];
        world_store_delete(s, xmtp_bytes_of(last->key, last->key_len));
    }
    free(s->records);
    *s = (world_store){0};
}

static inline xmtp_status world_store_each(void *context, xmtp_bytes prefix, void *visitor,
                                           xmtp_status (*visit)(void *visitor, xmtp_bytes key,
                                                                xmtp_bytes value))
{
    const world_store *s = context;
    for (size_t i = 0; i < s->count; i++) {
        const world_record *r = &s->records[i];
        if (r->key_len >= prefix.n && memcmp(r->key, prefix.p, prefix.n) == 0) {
            xmtp_status status = visit(visitor, xmtp_bytes_of(r->key, r->key_len),
                                       xmtp_bytes_of(r->value, r->value_len));
            if (status != XMTP_OK) {
                return status;
            }
        }
    }
    return XMTP_OK;
}

static inline int world_record_order(const void *a, const void *b)
{
    const world_record *x = a;
    const world_record *y = b;
    return xmtp_bytes_compare(xmtp_bytes_of(x->key, x->key_len), xmtp_bytes_of(y->key, y->key_len));
}

/* Everything in the store, in one hash: the state as a serialised whole. */
static inline void world_store_digest(world_store *s, uint8_t out[32])
{
    xmtp_hash_context c;
    qsort(s->records, s->count, sizeof *s->records, world_record_order);
    xmtp_hash_sha256.init(&c);
    for (size_t i = 0; i < s->count; i++) {
        const world_record *r = &s->records[i];
        uint64_t lens[2] = {r->key_len, r->value_len};
        xmtp_hash_sha256.update(&c, lens, sizeof lens);
        xmtp_hash_sha256.update(&c, r->key, r->key_len);
        xmtp_hash_sha256.update(&c, r->value, r->value_len);
    }
    xmtp_hash_sha256.final(&c, out);
}

/* ---- members ---- */

typedef struct member {
    world_env *world;
    xmtp_mls_config config;
    char name[16];
    uint8_t sk[32];
    uint8_t pk[32];
    world_store store;
    xmtp_mls_group *group;
    xmtp_mls_writes *writes; /* of the last step */
    bool reloads;            /* the group comes from the store after every step */
    xmtp_error error;
} member;

typedef struct blob {
    uint8_t *p;
    size_t n;
} blob;

static inline xmtp_bytes blob_bytes(blob b)
{
    return xmtp_bytes_of(b.p, b.n);
}

static inline blob blob_copy(xmtp_bytes in)
{
    blob b = {.p = malloc(in.n + 1), .n = in.n};
    assert_non_null(b.p);
    xmtp_copy(b.p, in.p, in.n);
    return b;
}

static const uint16_t world_versions[] = {1};
static const uint16_t world_suites[] = {3};
static const uint16_t world_extensions[] = {0xff00, 0xff01, 10, 6};
static const uint16_t world_proposals[] = {7, 0xf001, 8, 10};
static const uint16_t world_credentials[] = {1};

static inline xmtp_mls_capabilities world_capabilities(void)
{
    return (xmtp_mls_capabilities){.versions = {world_versions, 1},
                                   .suites = {world_suites, 1},
                                   .extensions = {world_extensions, 4},
                                   .proposals = {world_proposals, 4},
                                   .credentials = {world_credentials, 1}};
}

/* required_capabilities: extensions ff00, ff01 and 10, which the group itself does not have */
static const uint8_t world_required[] = {0x06, 0xff, 0x00, 0xff, 0x01, 0x00, 0x0a, 0x00, 0x00};

static inline void member_init(member *m, world_env *world, const char *name)
{
    *m = (member){
        .world = world, .config = {.env = &world->env, .past_epochs_max = 3}, .reloads = true};
    snprintf(m->name, sizeof m->name, "%s", name);
    world_random(world, m->sk, sizeof m->sk);
    assert_int_equal(xmtp_signature_ed25519.public_key(m->sk, m->pk), XMTP_OK);
    assert_int_equal(xmtp_mls_writes_new(&m->writes, &world->env), XMTP_OK);
}

static inline void member_free(member *m)
{
    xmtp_mls_group_free(m->group);
    xmtp_mls_writes_free(m->writes);
    world_store_free(&m->store);
    *m = (member){0};
}

static inline xmtp_mls_signer member_signer(const member *m)
{
    return (xmtp_mls_signer){.identity = xmtp_bytes_of_string(m->name),
                             .signature_sk = xmtp_bytes_of(m->sk, 32),
                             .signature_pk = xmtp_bytes_of(m->pk, 32)};
}

#define assert_ok(m, call)                                                                         \
    do {                                                                                           \
        xmtp_status assert_status_ = (call);                                                       \
        if (assert_status_ != XMTP_OK) {                                                           \
            fail_msg("%s: %s: %s", (m)->name, xmtp_status_name(assert_status_), (m)->error.text);  \
        }                                                                                          \
    } while (0)

static inline xmtp_status member_load(member *m)
{
    const xmtp_mls_records records = {.context = &m->store, .each = world_store_each};
    xmtp_mls_group *group = NULL;
    xmtp_status status = xmtp_mls_group_load(&group, &m->config, &records, &m->error);
    if (status == XMTP_OK) {
        xmtp_mls_group_free(m->group);
        m->group = group;
    }
    return status;
}

/* Stores the writes of the step that was just made. */
static inline void member_store(member *m)
{
    world_store_apply(&m->store, m->writes);
    if (m->reloads) {
        assert_ok(m, member_load(m));
    }
}

static inline void member_create(member *m)
{
    static const uint8_t data[] = {1, 2, 3};
    const xmtp_mls_extension extensions[] = {{.type = 0xff00, .data = {data, sizeof data}},
                                             {.type = 0xff01, .data = {data, 0}},
                                             {.type = XMTP_MLS_EXTENSION_REQUIRED_CAPABILITIES,
                                              .data = {world_required, sizeof world_required}}};
    const xmtp_mls_create_options options = {.suite = 3,
                                             .group_id = xmtp_bytes_of("group id of 16b.", 16),
                                             .signer = member_signer(m),
                                             .capabilities = world_capabilities(),
                                             .context_extensions = extensions,
                                             .context_extension_count = 3};
    xmtp_mls_writes_clear(m->writes);
    assert_ok(m, xmtp_mls_group_create(&m->group, &m->config, &options, m->writes, &m->error));
    member_store(m);
}

static inline blob member_key_package(member *m, xmtp_mls_key_package_private *private_keys)
{
    const xmtp_mls_key_package_options options = {.suite = 3,
                                                  .signer = member_signer(m),
                                                  .capabilities = world_capabilities(),
                                                  .not_before = 1,
                                                  .not_after = UINT64_MAX / 2};
    const xmtp_alloc *alloc = &m->world->env.alloc;
    uint8_t *p;
    size_t n;
    assert_ok(
        m, xmtp_mls_key_package_create(&m->world->env, &options, &p, &n, private_keys, &m->error));
    blob b = blob_copy(xmtp_bytes_of(p, n)); /* so that tests can free it whatever the memory */
    (void)alloc->reallocate(alloc->context, p, 0);
    return b;
}

static inline xmtp_status member_join(member *m, xmtp_bytes welcome, blob key_package,
                                      const xmtp_mls_key_package_private *private_keys)
{
    const xmtp_mls_join_options options = {.welcome = welcome,
                                           .key_package = blob_bytes(key_package),
                                           .private_keys = private_keys,
                                           .signer = member_signer(m)};
    xmtp_mls_group *group = NULL;
    uint32_t signer_leaf;
    xmtp_mls_writes_clear(m->writes);
    xmtp_status status =
        xmtp_mls_group_join(&group, &m->config, &options, &signer_leaf, m->writes, &m->error);
    if (status == XMTP_OK) {
        world_store_free(&m->store);
        xmtp_mls_group_free(m->group);
        m->group = group;
        member_store(m);
    }
    return status;
}

static inline blob member_send(member *m, const char *text)
{
    xmtp_bytes message;
    xmtp_mls_writes_clear(m->writes);
    assert_ok(m, xmtp_mls_group_protect(m->group, (xmtp_bytes){0}, xmtp_bytes_of_string(text),
                                        &message, m->writes, &m->error));
    blob b = blob_copy(message); /* storing may load the group anew */
    member_store(m);
    return b;
}

static inline xmtp_status member_merge(member *m, xmtp_mls_staged *staged)
{
    xmtp_mls_writes_clear(m->writes);
    xmtp_status status = xmtp_mls_group_merge(m->group, staged, m->writes, &m->error);
    if (status == XMTP_OK) {
        member_store(m);
    }
    return status;
}

/* Processes and merges. */
static inline xmtp_status member_take(member *m, xmtp_bytes message)
{
    xmtp_mls_staged *staged;
    xmtp_status status = xmtp_mls_group_process(m->group, message, &staged, &m->error);
    return status == XMTP_OK ? member_merge(m, staged) : status;
}

/* Processes and merges an application message that must say text. */
static inline void member_expect(member *m, blob message, const char *text)
{
    xmtp_mls_staged *staged;
    assert_ok(m, xmtp_mls_group_process(m->group, blob_bytes(message), &staged, &m->error));
    assert_int_equal(xmtp_mls_staged_content_type(staged), XMTP_MLS_CONTENT_APPLICATION);
    xmtp_bytes data = xmtp_mls_staged_application_data(staged);
    assert_int_equal(data.n, strlen(text));
    assert_memory_equal(data.p, text, data.n);
    assert_ok(m, member_merge(m, staged));
}

static inline xmtp_mls_pending *member_commit(member *m, const xmtp_mls_commit_options *options)
{
    static const xmtp_mls_commit_options none = {0};
    xmtp_mls_pending *pending;
    assert_ok(
        m, xmtp_mls_group_commit(m->group, options == NULL ? &none : options, &pending, &m->error));
    return pending;
}

/* The own commit has come back. Consumes pending. */
static inline void member_confirm(member *m, xmtp_mls_pending *pending)
{
    xmtp_mls_staged *staged;
    assert_ok(m, xmtp_mls_group_stage_pending(m->group, pending, &staged, &m->error));
    assert_ok(m, member_merge(m, staged));
    xmtp_mls_pending_free(pending);
}

/* One adds another, who joins. Others have to take *commit, which the caller frees. */
static inline blob member_invite(member *m, member *other)
{
    xmtp_mls_key_package_private private_keys;
    blob key_package = member_key_package(other, &private_keys);
    const xmtp_bytes add = blob_bytes(key_package);
    xmtp_mls_pending *pending =
        member_commit(m, &(xmtp_mls_commit_options){.add = &add, .add_count = 1});
    blob message = blob_copy(xmtp_mls_pending_message(pending));
    blob welcome = blob_copy(xmtp_mls_pending_welcome(pending));
    member_confirm(m, pending);
    assert_ok(other, member_join(other, blob_bytes(welcome), key_package, &private_keys));
    free(welcome.p);
    free(key_package.p);
    return message;
}

/* Both see the same group. */
static inline void members_agree(const member *a, const member *b)
{
    xmtp_bytes x = xmtp_mls_group_context(a->group);
    xmtp_bytes y = xmtp_mls_group_context(b->group);
    assert_true(xmtp_bytes_equal(x, y));
    x = xmtp_mls_group_epoch_authenticator(a->group);
    y = xmtp_mls_group_epoch_authenticator(b->group);
    assert_true(x.n == 32 && xmtp_bytes_equal(x, y));
}

#endif
