/* mls_people.h - for the MLS benchmarks: members with an in-memory record store.
 *
 * The store is a hash table, so that its own cost is small; it is never inside a measured span. A
 * person's group can be put back to what the store holds (person_load), which is how an operation
 * that changes the group is measured many times from the same state.
 */
#ifndef BENCH_MLS_PEOPLE_H
#define BENCH_MLS_PEOPLE_H

#include "base/bytes.h"
#include "crypto/crypto.h"

#include <xmtp/mls.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory that counts ---- */

typedef struct tally {
    size_t allocations;
    size_t bytes;
} tally;

static inline void *tally_reallocate(void *context, void *p, size_t n)
{
    tally *t = context;
    t->bytes -= p == NULL ? 0 : malloc_usable_size(p);
    if (n == 0) {
        free(p);
        return NULL;
    }
    t->allocations++;
    void *q = realloc(p, n);
    t->bytes += q == NULL ? 0 : malloc_usable_size(q);
    return q;
}

static inline tally *bench_tally(void)
{
    static tally t;
    return &t;
}

static inline const xmtp_env *bench_env(void)
{
    static xmtp_env env;
    if (env.now_ns == NULL) {
        env = *xmtp_env_system();
        env.alloc = (xmtp_alloc){.context = bench_tally(), .reallocate = tally_reallocate};
    }
    return &env;
}

static inline void must(xmtp_status status, const xmtp_error *error, const char *what)
{
    if (status != XMTP_OK) {
        fprintf(stderr, "bench_mls: %s: %s (%s)\n", what, error->text, xmtp_status_name(status));
        exit(1);
    }
}

static inline void *must_have(void *p)
{
    if (p == NULL) {
        fprintf(stderr, "bench_mls: out of memory\n");
        exit(1);
    }
    return p;
}

/* ---- a store ---- */

typedef struct record {
    uint8_t key[16];
    size_t key_len; /* 0: free place; values of deleted records are NULL */
    uint8_t *value;
    size_t value_len;
} record;

typedef struct store {
    record *places;
    size_t capacity; /* a power of two, or 0 */
    size_t used;
} store;

static inline record *store_place(record *places, size_t capacity, xmtp_bytes key)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < key.n; i++) {
        hash = (hash ^ key.p[i]) * 0x100000001b3u;
    }
    size_t i = (hash ^ (hash >> 29)) & (capacity - 1);
    while (places[i].key_len != 0 &&
           !xmtp_bytes_equal(xmtp_bytes_of(places[i].key, places[i].key_len), key)) {
        i = (i + 1) & (capacity - 1);
    }
    return &places[i];
}

static inline void store_grow(store *s)
{
    size_t capacity = s->capacity == 0 ? 64 : s->capacity * 2;
    record *places = must_have(calloc(capacity, sizeof *places));
    for (size_t i = 0; i < s->capacity; i++) {
        const record *r = &s->places[i];
        if (r->key_len != 0) {
            *store_place(places, capacity, xmtp_bytes_of(r->key, r->key_len)) = *r;
        }
    }
    free(s->places);
    s->places = places;
    s->capacity = capacity;
}

static inline void store_put(store *s, const xmtp_mls_write *w)
{
    if (s->used * 2 >= s->capacity) {
        store_grow(s);
    }
    record *r = store_place(s->places, s->capacity, w->key);
    if (r->key_len == 0) {
        s->used++;
        memcpy(r->key, w->key.p, w->key.n);
        r->key_len = w->key.n;
    }
    free(r->value);
    r->value = NULL;
    if (!w->is_delete) {
        r->value = must_have(malloc(w->value.n + 1));
        r->value_len = w->value.n;
        xmtp_copy(r->value, w->value.p, w->value.n);
    }
}

static inline void store_free(store *s)
{
    for (size_t i = 0; i < s->capacity; i++) {
        free(s->places[i].value);
    }
    free(s->places);
    *s = (store){0};
}

static inline xmtp_status store_each(void *context, xmtp_bytes prefix, void *visitor,
                                     xmtp_status (*visit)(void *visitor, xmtp_bytes key,
                                                          xmtp_bytes value))
{
    const store *s = context;
    for (size_t i = 0; i < s->capacity; i++) {
        const record *r = &s->places[i];
        if (r->value != NULL && r->key_len >= prefix.n && memcmp(r->key, prefix.p, prefix.n) == 0) {
            xmtp_status status = visit(visitor, xmtp_bytes_of(r->key, r->key_len),
                                       xmtp_bytes_of(r->value, r->value_len));
            if (status != XMTP_OK) {
                return status;
            }
        }
    }
    return XMTP_OK;
}

/* ---- people ---- */

typedef struct person {
    uint8_t identity[32];
    uint8_t sk[32];
    uint8_t pk[32];
    uint8_t *key_package;
    size_t key_package_len;
    xmtp_mls_key_package_private private_keys;
    xmtp_mls_group *group;
    xmtp_mls_writes *writes; /* of the last step */
    store store;
} person;

static const uint16_t bench_versions[] = {1};
static const uint16_t bench_suites[] = {XMTP_MLS_SUITE_X25519_CHACHA};
static const uint16_t bench_credentials[] = {XMTP_MLS_CREDENTIAL_BASIC};

static inline xmtp_mls_capabilities bench_capabilities(void)
{
    return (xmtp_mls_capabilities){.versions = {bench_versions, 1},
                                   .suites = {bench_suites, 1},
                                   .credentials = {bench_credentials, 1}};
}

static inline const xmtp_mls_config *bench_config(void)
{
    static xmtp_mls_config config;
    config.env = bench_env();
    return &config;
}

static inline xmtp_mls_signer person_signer(const person *p)
{
    return (xmtp_mls_signer){.identity = xmtp_bytes_of(p->identity, sizeof p->identity),
                             .signature_sk = xmtp_bytes_of(p->sk, sizeof p->sk),
                             .signature_pk = xmtp_bytes_of(p->pk, sizeof p->pk)};
}

static inline void person_key_package(person *p)
{
    xmtp_error error = {0};
    const xmtp_mls_key_package_options options = {.suite = XMTP_MLS_SUITE_X25519_CHACHA,
                                                  .signer = person_signer(p),
                                                  .capabilities = bench_capabilities(),
                                                  .not_before = 1,
                                                  .not_after = UINT64_MAX / 2};
    const xmtp_env *env = bench_env();
    p->key_package = env->alloc.reallocate(env->alloc.context, p->key_package, 0);
    must(xmtp_mls_key_package_create(env, &options, &p->key_package, &p->key_package_len,
                                     &p->private_keys, &error),
         &error, "making a key package");
}

static inline void person_init(person *p, uint32_t number)
{
    xmtp_error error = {0};
    const xmtp_env *env = bench_env();
    *p = (person){0};
    memcpy(p->identity, &number, sizeof number);
    must(env->random(env->context, p->sk, sizeof p->sk), &error, "randomness");
    must(xmtp_signature_ed25519.public_key(p->sk, p->pk), &error, "signature key");
    must(xmtp_mls_writes_new(&p->writes, env), &error, "writes");
    person_key_package(p);
}

static inline void person_free(person *p)
{
    const xmtp_env *env = bench_env();
    xmtp_mls_group_free(p->group);
    xmtp_mls_writes_free(p->writes);
    (void)env->alloc.reallocate(env->alloc.context, p->key_package, 0);
    store_free(&p->store);
    *p = (person){0};
}

/* The step that was just made becomes what person_load returns to. */
static inline void person_store(person *p)
{
    for (size_t i = 0; i < xmtp_mls_writes_count(p->writes); i++) {
        xmtp_mls_write w = xmtp_mls_writes_at(p->writes, i);
        store_put(&p->store, &w);
    }
    xmtp_mls_writes_clear(p->writes);
}

static inline void person_load(person *p)
{
    xmtp_error error = {0};
    const xmtp_mls_records records = {.context = &p->store, .each = store_each};
    xmtp_mls_group_free(p->group);
    xmtp_mls_writes_clear(p->writes);
    must(xmtp_mls_group_load(&p->group, bench_config(), &records, &error), &error, "loading");
}

static inline void person_create(person *p)
{
    xmtp_error error = {0};
    const xmtp_mls_create_options options = {.suite = XMTP_MLS_SUITE_X25519_CHACHA,
                                             .group_id = xmtp_bytes_of("benchmark group.", 16),
                                             .signer = person_signer(p),
                                             .capabilities = bench_capabilities()};
    xmtp_mls_group_free(p->group);
    xmtp_mls_writes_clear(p->writes);
    must(xmtp_mls_group_create(&p->group, bench_config(), &options, p->writes, &error), &error,
         "creating");
}

static inline void person_join(person *p, xmtp_bytes welcome)
{
    xmtp_error error = {0};
    uint32_t signer;
    const xmtp_mls_join_options options = {.welcome = welcome,
                                           .key_package =
                                               xmtp_bytes_of(p->key_package, p->key_package_len),
                                           .private_keys = &p->private_keys,
                                           .signer = person_signer(p)};
    xmtp_mls_group_free(p->group);
    xmtp_mls_writes_clear(p->writes);
    must(xmtp_mls_group_join(&p->group, bench_config(), &options, &signer, p->writes, &error),
         &error, "joining");
}

static inline xmtp_mls_pending *person_commit(const person *p,
                                              const xmtp_mls_commit_options *options)
{
    xmtp_error error = {0};
    xmtp_mls_pending *pending;
    must(xmtp_mls_group_commit(p->group, options, &pending, &error), &error, "committing");
    return pending;
}

static inline void person_merge(person *p, xmtp_mls_staged *staged)
{
    xmtp_error error = {0};
    xmtp_mls_writes_clear(p->writes);
    must(xmtp_mls_group_merge(p->group, staged, p->writes, &error), &error, "merging");
}

static inline void person_confirm(person *p, const xmtp_mls_pending *pending)
{
    xmtp_error error = {0};
    xmtp_mls_staged *staged;
    must(xmtp_mls_group_stage_pending(p->group, pending, &staged, &error), &error, "staging");
    person_merge(p, staged);
}

static inline xmtp_mls_staged *person_process(const person *p, xmtp_bytes message)
{
    xmtp_error error = {0};
    xmtp_mls_staged *staged;
    must(xmtp_mls_group_process(p->group, message, &staged, &error), &error, "processing");
    return staged;
}

static inline void people_agree(const person *a, const person *b)
{
    if (!xmtp_bytes_equal(xmtp_mls_group_epoch_authenticator(a->group),
                          xmtp_mls_group_epoch_authenticator(b->group))) {
        fprintf(stderr, "bench_mls: two members disagree\n");
        exit(1);
    }
}

#endif
