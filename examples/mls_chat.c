/* mls_chat.c - three members of an MLS group talk, in one process and without any network.
 *
 *     Ann creates a group and adds Ben      Ben adds Cara      everybody writes
 *     Ben is restarted from his store       Ann removes Ben    Cara still reads, Ben cannot
 *
 * Every member has a store: a list of records in memory here, a table of a database in a program.
 * The rule to keep: what a call wrote is stored before its message leaves and before anything else
 * happens to the group. The "network" is a loop that hands each message to everybody in the same
 * order; ordering commits is the only thing that MLS asks of it.
 *
 * docs/MLS.md explains the calls. Exit code 0: everybody read what they should, and nothing more.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xmtp/mls.h>

static void check(xmtp_status status, const xmtp_error *error, const char *what)
{
    if (status != XMTP_OK) {
        fprintf(stderr, "%s: %s (%s)\n", what, error->text, xmtp_status_name(status));
        exit(1);
    }
}

static xmtp_bytes bytes(const void *p, size_t n)
{
    return (xmtp_bytes){.p = p, .n = n};
}

static xmtp_bytes text_bytes(const char *s)
{
    return bytes(s, strlen(s));
}

/* ---- a store ---- */

typedef struct record {
    uint8_t key[16];
    size_t key_len;
    uint8_t *value;
    size_t value_len;
} record;

typedef struct store {
    record records[256];
    size_t count;
} store;

static void store_delete(store *s, xmtp_bytes key)
{
    for (size_t i = 0; i < s->count; i++) {
        record *r = &s->records[i];
        if (r->key_len == key.n && memcmp(r->key, key.p, key.n) == 0) {
            sodium_memzero(r->value, r->value_len); /* secrets: a delete must be real */
            free(r->value);
            *r = s->records[--s->count];
            return;
        }
    }
}

static void store_put(store *s, xmtp_bytes key, xmtp_bytes value)
{
    store_delete(s, key);
    record *r = &s->records[s->count];
    *r = (record){.key_len = key.n, .value = malloc(value.n + 1), .value_len = value.n};
    if (r->value == NULL || key.n > sizeof r->key || s->count == 255) {
        abort();
    }
    memcpy(r->key, key.p, key.n);
    if (value.n > 0) {
        memcpy(r->value, value.p, value.n);
    }
    s->count++;
}

/* What a database would do in one transaction. */
static void store_apply(store *s, xmtp_mls_writes *writes)
{
    for (size_t i = 0; i < xmtp_mls_writes_count(writes); i++) {
        xmtp_mls_write w = xmtp_mls_writes_at(writes, i);
        if (w.is_delete) {
            store_delete(s, w.key);
        } else {
            store_put(s, w.key, w.value);
        }
    }
    xmtp_mls_writes_clear(writes);
}

static xmtp_status store_each(void *context, xmtp_bytes prefix, void *visitor,
                              xmtp_status (*visit)(void *visitor, xmtp_bytes key, xmtp_bytes value))
{
    const store *s = context;
    for (size_t i = 0; i < s->count; i++) {
        const record *r = &s->records[i];
        if (r->key_len >= prefix.n && memcmp(r->key, prefix.p, prefix.n) == 0) {
            xmtp_status status =
                visit(visitor, bytes(r->key, r->key_len), bytes(r->value, r->value_len));
            if (status != XMTP_OK) {
                return status;
            }
        }
    }
    return XMTP_OK;
}

static void store_free(store *s)
{
    while (s->count > 0) {
        store_delete(s, bytes(s->records[0].key, s->records[0].key_len));
    }
}

/* ---- a member ---- */

typedef struct member {
    const char *name;
    uint8_t signature_pk[32];
    uint8_t signature_sk[64]; /* libsodium keeps the public key behind the seed */
    uint8_t *key_package;
    size_t key_package_len;
    xmtp_mls_key_package_private private_keys;
    xmtp_mls_group *group;
    xmtp_mls_writes *writes;
    store store;
    int messages_read;
} member;

enum { ANN, BEN, CARA, MEMBERS };

static const xmtp_mls_config *config(void)
{
    static xmtp_mls_config c = {.past_epochs_max = 2, .check_lifetimes = true};
    c.env = xmtp_env_system();
    return &c;
}

static xmtp_mls_capabilities capabilities(void)
{
    static const uint16_t versions[] = {1};
    static const uint16_t suites[] = {XMTP_MLS_SUITE_X25519_CHACHA};
    static const uint16_t credentials[] = {XMTP_MLS_CREDENTIAL_BASIC};
    return (xmtp_mls_capabilities){
        .versions = {versions, 1}, .suites = {suites, 1}, .credentials = {credentials, 1}};
}

static xmtp_mls_signer signer(const member *m)
{
    return (xmtp_mls_signer){.identity = text_bytes(m->name),
                             .signature_sk = bytes(m->signature_sk, 32),
                             .signature_pk = bytes(m->signature_pk, 32)};
}

/* A key package is what others need to add us. It would be published; the private keys are kept. */
static void member_init(member *m, const char *name)
{
    xmtp_error error = {0};
    const xmtp_env *env = xmtp_env_system();
    *m = (member){.name = name};
    crypto_sign_keypair(m->signature_pk, m->signature_sk);
    check(xmtp_mls_writes_new(&m->writes, env), &error, "writes");
    uint64_t now = env->now_ns(env->context) / 1000000000u;
    const xmtp_mls_key_package_options options = {.suite = XMTP_MLS_SUITE_X25519_CHACHA,
                                                  .signer = signer(m),
                                                  .capabilities = capabilities(),
                                                  .not_before = now - 3600,
                                                  .not_after = now + 30 * 86400};
    check(xmtp_mls_key_package_create(env, &options, &m->key_package, &m->key_package_len,
                                      &m->private_keys, &error),
          &error, "key package");
}

static void member_free(member *m)
{
    const xmtp_env *env = xmtp_env_system();
    xmtp_mls_group_free(m->group);
    xmtp_mls_writes_free(m->writes);
    xmtp_mls_key_package_private_wipe(&m->private_keys);
    (void)env->alloc.reallocate(env->alloc.context, m->key_package, 0);
    store_free(&m->store);
    sodium_memzero(m->signature_sk, sizeof m->signature_sk);
}

static void member_create_group(member *m)
{
    xmtp_error error = {0};
    const xmtp_mls_create_options options = {.suite = XMTP_MLS_SUITE_X25519_CHACHA,
                                             .group_id = text_bytes("garden club"),
                                             .signer = signer(m),
                                             .capabilities = capabilities()};
    check(xmtp_mls_group_create(&m->group, config(), &options, m->writes, &error), &error,
          "create");
    store_apply(&m->store, m->writes);
    printf("%s creates the group\n", m->name);
}

static void member_join(member *m, xmtp_bytes welcome)
{
    xmtp_error error = {0};
    uint32_t added_by;
    const xmtp_mls_join_options options = {.welcome = welcome,
                                           .key_package = bytes(m->key_package, m->key_package_len),
                                           .private_keys = &m->private_keys,
                                           .signer = signer(m)};
    check(xmtp_mls_group_join(&m->group, config(), &options, &added_by, m->writes, &error), &error,
          "join");
    store_apply(&m->store, m->writes);
    xmtp_mls_key_package_private_wipe(&m->private_keys); /* they open nothing else */
    xmtp_mls_member adder;
    if (xmtp_mls_group_member(m->group, added_by, &adder)) {
        printf("%s joins, added by %.*s\n", m->name, (int)adder.identity.n,
               (const char *)adder.identity.p);
    }
}

/* The program ends and starts again: the group is what its records say. */
static void member_restart(member *m)
{
    xmtp_error error = {0};
    const xmtp_mls_records records = {.context = &m->store, .each = store_each};
    xmtp_mls_group_free(m->group);
    check(xmtp_mls_group_load(&m->group, config(), &records, &error), &error, "load");
    printf("%s restarts at epoch %llu\n", m->name,
           (unsigned long long)xmtp_mls_group_epoch(m->group));
}

/* ---- the network: everybody gets every message, in one order ---- */

static void print_staged(member *m, const xmtp_mls_staged *staged)
{
    xmtp_mls_member sender = xmtp_mls_staged_sender(staged);
    if (xmtp_mls_staged_content_type(staged) == XMTP_MLS_CONTENT_APPLICATION) {
        xmtp_bytes said = xmtp_mls_staged_application_data(staged);
        printf("    %s reads from %.*s: %.*s\n", m->name, (int)sender.identity.n,
               (const char *)sender.identity.p, (int)said.n, (const char *)said.p);
        m->messages_read++;
    } else if (xmtp_mls_staged_removes_us(staged)) {
        printf("    %s is removed\n", m->name);
    }
}

/* process looks and changes nothing: here a program would ask whether the change is allowed. */
static void member_receive(member *m, xmtp_bytes message)
{
    xmtp_error error = {0};
    xmtp_mls_staged *staged;
    check(xmtp_mls_group_process(m->group, message, &staged, &error), &error, m->name);
    print_staged(m, staged);
    check(xmtp_mls_group_merge(m->group, staged, m->writes, &error), &error, m->name);
    store_apply(&m->store, m->writes);
}

static void deliver(member *members, const member *sender, xmtp_bytes message)
{
    for (int i = 0; i < MEMBERS; i++) {
        member *m = &members[i];
        if (m != sender && m->group != NULL && xmtp_mls_group_is_active(m->group)) {
            member_receive(m, message);
        }
    }
}

static void say(member *members, member *sender, const char *text)
{
    xmtp_error error = {0};
    xmtp_bytes message;
    check(xmtp_mls_group_protect(sender->group, (xmtp_bytes){0}, text_bytes(text), &message,
                                 sender->writes, &error),
          &error, "protect");
    store_apply(&sender->store, sender->writes); /* before it leaves: the key is used up */
    printf("%s says: %s (%zu bytes on the wire)\n", sender->name, text, message.n);
    deliver(members, sender, message);
}

/* The own commit becomes true when the network has put it first, not when it was made. */
static void commit(member *members, member *sender, const xmtp_mls_commit_options *options,
                   member *newcomer)
{
    xmtp_error error = {0};
    xmtp_mls_pending *pending;
    xmtp_mls_staged *staged;
    check(xmtp_mls_group_commit(sender->group, options, &pending, &error), &error, "commit");
    deliver(members, sender, xmtp_mls_pending_message(pending));
    check(xmtp_mls_group_stage_pending(sender->group, pending, &staged, &error), &error, "stage");
    check(xmtp_mls_group_merge(sender->group, staged, sender->writes, &error), &error, "merge");
    store_apply(&sender->store, sender->writes);
    if (newcomer != NULL) {
        member_join(newcomer, xmtp_mls_pending_welcome(pending));
    }
    xmtp_mls_pending_free(pending);
}

static void add(member *members, member *sender, member *newcomer)
{
    const xmtp_bytes key_package = bytes(newcomer->key_package, newcomer->key_package_len);
    commit(members, sender, &(xmtp_mls_commit_options){.add = &key_package, .add_count = 1},
           newcomer);
}

static void remove_member(member *members, member *sender, const member *whom)
{
    int64_t leaf = xmtp_mls_group_find(sender->group, bytes(whom->signature_pk, 32));
    if (leaf == XMTP_MLS_NO_LEAF) {
        abort();
    }
    const uint32_t gone = (uint32_t)leaf;
    commit(members, sender, &(xmtp_mls_commit_options){.remove = &gone, .remove_count = 1}, NULL);
}

/* ---- what happens ---- */

static void play(member *members)
{
    member *ann = &members[ANN];
    member *ben = &members[BEN];
    member *cara = &members[CARA];
    member_create_group(ann);
    add(members, ann, ben);
    say(members, ann, "hello, Ben");
    add(members, ben, cara);
    say(members, cara, "hello, both of you");
    member_restart(ben);
    say(members, ben, "I am back");
    remove_member(members, ann, ben);
    say(members, ann, "Cara, only you can read this");
}

static int verdict(const member *members)
{
    static const int expected[MEMBERS] = {[ANN] = 2, [BEN] = 2, [CARA] = 2};
    for (int i = 0; i < MEMBERS; i++) {
        if (members[i].messages_read != expected[i]) {
            fprintf(stderr, "%s read %d messages, not %d\n", members[i].name,
                    members[i].messages_read, expected[i]);
            return 1;
        }
    }
    return xmtp_mls_group_is_active(members[BEN].group) ||
           xmtp_mls_group_member_count(members[CARA].group) != 2;
}

int main(void)
{
    static member members[MEMBERS];
    static const char *const names[MEMBERS] = {"Ann", "Ben", "Cara"};
    if (sodium_init() < 0) {
        return 1;
    }
    for (int i = 0; i < MEMBERS; i++) {
        member_init(&members[i], names[i]);
    }
    play(members);
    int result = verdict(members);
    for (int i = 0; i < MEMBERS; i++) {
        member_free(&members[i]);
    }
    return result;
}
