/* assembly.h - a group in memory whose members may commit whatever they like, and two judges of
 * it; for tests only.
 *
 *     people    alice super admin   bob, dave members   carol admin   erin outside
 *     logs      bob: 21 bob's phone, 22 + bob's tablet, 23 - bob's phone; others have one update
 *     group     leaves and membership { alice 11, bob 21, carol 31, dave 41 }, name "old"
 *
 * A test edits a draft of the new context, says who is added and removed, and lets somebody commit
 * it. The verdict is asked twice, of the author over its own commit and of a witness over the bytes
 * that were sent: both must say the same in the same words.
 */
#ifndef XMTP_TESTS_ASSEMBLY_H
#define XMTP_TESTS_ASSEMBLY_H

#include "client/commit_rules.h"
#include "client/permissions.h"
#include "identity/key_package.h"
#include "identity/test_scene.h"
#include "mls/group.h"
#include "proto/identity.pb-c.h"
#include "proto/message.h"

enum { ALICE, BOB, CAROL, DAVE, ERIN, PEOPLE };
enum { NOBODY = -1, LOG_MAX = 4, CHANGES_MAX = 8, PROPOSALS_ROOM = 8 };
enum { BOBS_TABLET = 100 /* installation byte */, POLICY_ALLOW = 1, POLICY_DENY = 2 };
enum { POLICY_ADMIN_ONLY = 3, POLICY_SUPER_ADMIN_ONLY = 4 };

typedef struct someone {
    const xmtp_wallet *wallet;
    char inbox[XMTP_INBOX_ID_LEN + 1];
    const xmtp_installation *phone;
    xmtp_association *states[LOG_MAX]; /* after update 10 * (who + 1) + 1 + index */
    size_t count;
    xmtp_mls_group *group; /* as this one's phone has it; NULL: no member */
    uint32_t leaf;
} someone;

typedef struct assembly {
    someone people[PEOPLE];
    xmtp_status trouble; /* what the lookup answers instead of states */
} assembly;

/* What a commit is to change. Contents are pointers into the test's arena: edit them freely. */
typedef struct draft {
    Pb__GroupMetadata *immutable;
    Pb__GroupMutableMetadata *metadata;
    Pb__GroupMembership *membership;
    Pb__PolicySet *policies;
    xmtp_mls_extension instead[CHANGES_MAX]; /* raw data for a type; p NULL: left out */
    size_t instead_count;
    bool keeps_context; /* no GroupContextExtensions at all */
    xmtp_bytes add[PROPOSALS_ROOM];
    size_t add_count;
    uint32_t remove[PROPOSALS_ROOM];
    size_t remove_count;
    /* What is done to the staged commit before it is judged: for what no bytes can bring about. */
    void (*twist)(xmtp_staged_commit *commit);
} draft;

static const uint8_t required_capabilities[] = {0x0c, 0xff, 0x01, 0xff, 0x00, 0xff, 0x02,
                                                0xf0, 0x00, 0x00, 0x0a, 0x00, 0x01, 0x02,
                                                0x00, 0x07, 0x02, 0x00, 0x01};

static xmtp_error trouble;

#define must(call)                                                                                 \
    do {                                                                                           \
        xmtp_status must_status_ = (call);                                                         \
        if (must_status_ != XMTP_OK) {                                                             \
            fail_msg("%s:%d: %s: %s", __FILE__, __LINE__, xmtp_status_name(must_status_),          \
                     trouble.text);                                                                \
        }                                                                                          \
    } while (0)

/* ---- people */

static inline uint64_t sequence_of(int who, size_t index)
{
    return 10 * (uint64_t)(who + 1) + 1 + index;
}

static inline void log_update(someone *s, const deed *deeds, size_t count)
{
    size_t n = s->count;
    if (n == 0) {
        s->states[n] = new_state();
    } else {
        must(xmtp_association_copy(s->states[n - 1], &s->states[n]));
    }
    fold(s->states[n], update_of(s->inbox, at((unsigned)(T0 + n)), deeds, count));
    s->count++;
}

static inline void create_person(someone *s, int who)
{
    char key[65];
    (void)snprintf(key, sizeof(key), "%064x", 0x1000 + who);
    s->wallet = wallet_of(key);
    s->phone = installation_of((uint8_t)(who + 1));
    must(xmtp_inbox_id_of_address(s->wallet->address, 1, s->inbox, &trouble));
    const deed deeds[] = {create_by(s->wallet, 1), add_app(wallet_hand(s->wallet), s->phone)};
    log_update(s, deeds, 2);
}

static inline void create_people(assembly *a)
{
    for (int who = 0; who < PEOPLE; who++) {
        create_person(&a->people[who], who);
    }
    someone *bob = &a->people[BOB];
    const deed more = add_app(wallet_hand(bob->wallet), installation_of(BOBS_TABLET));
    const deed less = revoke(wallet_hand(bob->wallet), id_of_installation(bob->phone));
    log_update(bob, &more, 1);
    log_update(bob, &less, 1);
}

static inline xmtp_status state_of(void *context, const char *inbox_id, uint64_t sequence_id,
                                   const xmtp_association **out, uint64_t *newest,
                                   xmtp_error *error)
{
    assembly *a = context;
    *newest = 0;
    if (a->trouble != XMTP_OK) {
        return xmtp_fail(error, a->trouble, "the lookup is in trouble");
    }
    for (int who = 0; who < PEOPLE; who++) {
        someone *s = &a->people[who];
        for (size_t i = 0; strcmp(s->inbox, inbox_id) == 0 && i < s->count; i++) {
            *newest = sequence_of(who, i) <= sequence_id ? sequence_of(who, i) : *newest;
            if (sequence_of(who, i) == sequence_id) {
                *out = s->states[i];
                return XMTP_OK;
            }
        }
    }
    return XMTP_E_NOT_FOUND;
}

/* A key package of any installation that says it belongs to any inbox. */
static inline xmtp_bytes package_of(const char *inbox, const xmtp_installation *installation,
                                    xmtp_inbox_key_package_keys *keys)
{
    uint8_t *p;
    size_t n;
    must(xmtp_inbox_key_package_create(xmtp_env_system(), inbox, installation, &p, &n, keys,
                                       &trouble));
    return adopt(p, n);
}

static inline xmtp_bytes fresh_package(const someone *s)
{
    xmtp_inbox_key_package_keys keys;
    xmtp_bytes package = package_of(s->inbox, s->phone, &keys);
    xmtp_inbox_key_package_keys_wipe(&keys);
    return package;
}

/* ---- drafts */

static inline xmtp_mls_extension extension(uint16_t type, xmtp_bytes data)
{
    return (xmtp_mls_extension){.type = type, .data = data};
}

static inline void use_instead(draft *d, uint16_t type, xmtp_bytes data)
{
    d->instead[d->instead_count++] = extension(type, data);
}

static inline void leave_out(draft *d, uint16_t type)
{
    use_instead(d, type, (xmtp_bytes){0});
}

static inline void set_attribute(draft *d, const char *key, const char *value)
{
    must(xmtp_attribute_set(&arena, d->metadata, key, value));
}

static inline void drop_attribute(draft *d, const char *key)
{
    size_t kept = 0;
    for (size_t i = 0; i < d->metadata->n_attributes; i++) {
        if (strcmp(d->metadata->attributes[i]->key, key) != 0) {
            d->metadata->attributes[kept++] = d->metadata->attributes[i];
        }
    }
    d->metadata->n_attributes = kept;
}

static inline void list_inbox(Pb__Inboxes *list, const char *inbox)
{
    char **items = room((list->n_inbox_ids + 1) * sizeof(*items));
    xmtp_copy(items, list->inbox_ids, list->n_inbox_ids * sizeof(*items));
    items[list->n_inbox_ids++] = (char *)(uintptr_t)inbox;
    list->inbox_ids = items;
}

static inline void unlist_inbox(Pb__Inboxes *list, const char *inbox)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->n_inbox_ids; i++) {
        if (strcmp(list->inbox_ids[i], inbox) != 0) {
            list->inbox_ids[kept++] = list->inbox_ids[i];
        }
    }
    list->n_inbox_ids = kept;
}

static inline void set_member(draft *d, const char *inbox, uint64_t sequence_id)
{
    must(xmtp_membership_set(&arena, d->membership, inbox, sequence_id));
}

/* A second entry for an inbox that may be there already. */
static inline void append_member(draft *d, const char *inbox, uint64_t sequence_id)
{
    size_t n = d->membership->n_members;
    Pb__SequenceEntry **items = room((n + 1) * sizeof(Pb__SequenceEntry *));
    xmtp_copy(items, d->membership->members, n * sizeof(Pb__SequenceEntry *));
    items[n] = room(sizeof(Pb__SequenceEntry));
    pb__sequence_entry__init(items[n]);
    items[n]->key = (char *)(uintptr_t)inbox;
    items[n]->has_value = 1;
    items[n]->value = sequence_id;
    d->membership->members = items;
    d->membership->n_members = n + 1;
}

static inline void set_failed(draft *d, const xmtp_installation *installation)
{
    must(xmtp_membership_add_failed(&arena, d->membership,
                                    xmtp_bytes_of(installation->pk, sizeof(installation->pk))));
}

static inline xmtp_bytes encoded_permissions(Pb__PolicySet *policies)
{
    Pb__GroupMutablePermissions permissions = PB__GROUP_MUTABLE_PERMISSIONS__INIT;
    xmtp_writer w;
    xmtp_writer_init(&w, heap(), XMTP_WRITER_MAX);
    permissions.policies = policies;
    ok(xmtp_proto_encode(&permissions.base, &w));
    return finish(&w);
}

static inline xmtp_bytes encoded_immutable(const Pb__GroupMetadata *metadata)
{
    xmtp_writer w;
    xmtp_writer_init(&w, heap(), XMTP_WRITER_MAX);
    size_t mark = xmtp_writer_vec_open(&w);
    ok(xmtp_proto_encode(&metadata->base, &w));
    xmtp_writer_vec_close(&w, mark);
    return finish(&w);
}

static inline xmtp_bytes encoded_message(const ProtobufCMessage *message)
{
    xmtp_writer w;
    xmtp_writer_init(&w, heap(), XMTP_WRITER_MAX);
    ok(xmtp_proto_encode(message, &w));
    return finish(&w);
}

/* The complete list of extensions that a draft stands for. */
static inline size_t extensions_of(const draft *d, xmtp_mls_extension *out)
{
    const xmtp_mls_extension all[] = {
        extension(XMTP_EXTENSION_IMMUTABLE_METADATA, encoded_immutable(d->immutable)),
        extension(XMTP_EXTENSION_MUTABLE_METADATA, encoded_message(&d->metadata->base)),
        extension(XMTP_EXTENSION_MEMBERSHIP, encoded_message(&d->membership->base)),
        extension(XMTP_EXTENSION_PERMISSIONS, encoded_permissions(d->policies)),
        extension(XMTP_MLS_EXTENSION_REQUIRED_CAPABILITIES,
                  xmtp_bytes_of(required_capabilities, sizeof(required_capabilities))),
    };
    size_t n = 0;
    for (size_t i = 0; i < COUNT(all); i++) {
        xmtp_mls_extension one = all[i];
        for (size_t k = 0; k < d->instead_count; k++) {
            one = d->instead[k].type == one.type ? d->instead[k] : one;
        }
        if (one.data.p != NULL) {
            out[n++] = one;
        }
    }
    return n;
}

static inline xmtp_bytes extension_in(const xmtp_mls_extension *list, size_t count, uint16_t type)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i].type == type) {
            return list[i].data;
        }
    }
    fail_msg("no extension %04x", type);
    return (xmtp_bytes){0};
}

static inline draft draft_from(const xmtp_mls_extension *list, size_t count)
{
    draft d = {0};
    must(xmtp_group_metadata_decode(
        &arena, extension_in(list, count, XMTP_EXTENSION_IMMUTABLE_METADATA), &d.immutable));
    must(xmtp_mutable_metadata_decode(
        &arena, extension_in(list, count, XMTP_EXTENSION_MUTABLE_METADATA), &d.metadata));
    must(xmtp_membership_decode(&arena, extension_in(list, count, XMTP_EXTENSION_MEMBERSHIP),
                                &d.membership));
    must(xmtp_permissions_decode(&arena, extension_in(list, count, XMTP_EXTENSION_PERMISSIONS),
                                 &d.policies));
    return d;
}

/* The present context, to be edited. */
static inline draft draft_of(const assembly *a)
{
    const xmtp_mls_group *group = a->people[ALICE].group;
    xmtp_mls_extension list[CHANGES_MAX];
    size_t n = xmtp_mls_group_extension_count(group);
    for (size_t i = 0; i < n; i++) {
        list[i] = xmtp_mls_group_extension_at(group, i);
    }
    return draft_from(list, n);
}

/* A commit that leaves the context alone. */
static inline draft empty_draft(void)
{
    return (draft){.keeps_context = true};
}

static inline void add_package(draft *d, xmtp_bytes package)
{
    d->add[d->add_count++] = package;
}

static inline void add_phone(const assembly *a, draft *d, int who)
{
    add_package(d, fresh_package(&a->people[who]));
}

static inline void remove_phone(const assembly *a, draft *d, int who)
{
    d->remove[d->remove_count++] = a->people[who].leaf;
}

/* ---- coming together */

static inline xmtp_mls_config config_of_tests(void)
{
    return (xmtp_mls_config){.env = xmtp_env_system(),
                             .past_epochs_max = 3,
                             .private_messages_only = true,
                             .refuse_psks = true,
                             .openmls_verdicts = true};
}

static inline xmtp_mls_signer signer_of_person(const someone *s)
{
    uint8_t *credential = room(XMTP_CREDENTIAL_LEN);
    xmtp_inbox_credential_encode(s->inbox, credential);
    return (xmtp_mls_signer){.identity = xmtp_bytes_of(credential, XMTP_CREDENTIAL_LEN),
                             .signature_sk = xmtp_bytes_of(s->phone->sk, 32),
                             .signature_pk = xmtp_bytes_of(s->phone->pk, 32)};
}

static inline xmtp_mls_writes *no_store(void)
{
    static xmtp_mls_writes *writes;
    if (writes == NULL) {
        must(xmtp_mls_writes_new(&writes, xmtp_env_system()));
    }
    xmtp_mls_writes_clear(writes);
    return writes;
}

static inline xmtp_mls_pending *commit_by(const assembly *a, int who, const draft *d)
{
    xmtp_mls_extension list[CHANGES_MAX];
    xmtp_mls_pending *pending = NULL;
    xmtp_mls_commit_options options = {.add = d->add,
                                       .add_count = d->add_count,
                                       .remove = d->remove,
                                       .remove_count = d->remove_count};
    if (!d->keeps_context) {
        options.set_context_extensions = true;
        options.context_extensions = list;
        options.context_extension_count = extensions_of(d, list);
    }
    must(xmtp_mls_group_commit(a->people[who].group, &options, &pending, &trouble));
    return pending;
}

static inline void create_group(assembly *a, const draft *d)
{
    someone *alice = &a->people[ALICE];
    xmtp_mls_extension list[CHANGES_MAX];
    xmtp_mls_config config = config_of_tests();
    xmtp_mls_create_options options = {.suite = XMTP_MLS_SUITE_X25519_CHACHA,
                                       .group_id = xmtp_bytes_of("sixteen letters.", 16),
                                       .signer = signer_of_person(alice),
                                       .capabilities = *xmtp_inbox_creator_capabilities(),
                                       .context_extensions = list,
                                       .context_extension_count = extensions_of(d, list)};
    must(xmtp_mls_group_create(&alice->group, &config, &options, no_store(), &trouble));
}

static inline void join_person(someone *s, xmtp_bytes welcome, xmtp_bytes package,
                               const xmtp_inbox_key_package_keys *keys)
{
    xmtp_mls_config config = config_of_tests();
    xmtp_mls_join_options options = {.welcome = welcome,
                                     .key_package = package,
                                     .private_keys = &keys->mls,
                                     .signer = signer_of_person(s)};
    uint32_t signer_leaf;
    must(xmtp_mls_group_join(&s->group, &config, &options, &signer_leaf, no_store(), &trouble));
    s->leaf = xmtp_mls_group_own_leaf(s->group);
}

/* Alice adds the others without anybody judging it. */
static inline void add_all(assembly *a, const int *who, size_t count)
{
    xmtp_inbox_key_package_keys keys[PEOPLE];
    xmtp_mls_staged *staged;
    draft d = empty_draft();
    for (size_t i = 0; i < count; i++) {
        someone *s = &a->people[who[i]];
        add_package(&d, package_of(s->inbox, s->phone, &keys[i]));
    }
    xmtp_mls_pending *pending = commit_by(a, ALICE, &d);
    xmtp_mls_group *group = a->people[ALICE].group;
    must(xmtp_mls_group_stage_pending(group, pending, &staged, &trouble));
    must(xmtp_mls_group_merge(group, staged, no_store(), &trouble));
    for (size_t i = 0; i < count; i++) {
        join_person(&a->people[who[i]], xmtp_mls_pending_welcome(pending), d.add[i], &keys[i]);
    }
    xmtp_mls_pending_free(pending);
}

static inline draft first_draft(const assembly *a, xmtp_group_kind kind)
{
    const char *alice = a->people[ALICE].inbox;
    bool is_dm = kind == XMTP_GROUP_KIND_DM;
    xmtp_mls_extension *list;
    size_t count;
    const xmtp_group_options options = {.name = "old"};
    const xmtp_group_initial what = {.kind = kind,
                                     .creator_inbox = alice,
                                     .dm_peer = is_dm ? a->people[BOB].inbox : NULL,
                                     .options = &options,
                                     .commit_log_signer = "00"};
    must(xmtp_group_extensions_initial(&arena, &what, &list, &count, NULL));
    draft d = draft_from(list, count);
    set_member(&d, alice, sequence_of(ALICE, 0));
    return d;
}

/* The standing group. prepare, when given, edits its context before anybody knows it. */
static inline void assemble(assembly *a, void (*prepare)(const assembly *a, draft *d))
{
    static const int others[] = {BOB, CAROL, DAVE};
    *a = (assembly){0};
    create_people(a);
    draft d = first_draft(a, XMTP_GROUP_KIND_GROUP);
    for (size_t i = 0; i < COUNT(others); i++) {
        set_member(&d, a->people[others[i]].inbox, sequence_of(others[i], 0));
    }
    list_inbox(d.metadata->admin_list, a->people[CAROL].inbox);
    if (prepare != NULL) {
        prepare(a, &d);
    }
    create_group(a, &d);
    add_all(a, others, COUNT(others));
}

/* A DM of alice with bob in which alice is alone so far. */
static inline void assemble_dm(assembly *a, void (*prepare)(const assembly *a, draft *d))
{
    *a = (assembly){0};
    create_people(a);
    draft d = first_draft(a, XMTP_GROUP_KIND_DM);
    if (prepare != NULL) {
        prepare(a, &d);
    }
    create_group(a, &d);
}

static inline void disperse(assembly *a)
{
    for (int who = 0; who < PEOPLE; who++) {
        xmtp_mls_group_free(a->people[who].group);
        for (size_t i = 0; i < a->people[who].count; i++) {
            xmtp_association_free(a->people[who].states[i]);
        }
    }
    *a = (assembly){0};
}

/* ---- verdicts */

static xmtp_commit_facts facts; /* of the last verdict */

static inline xmtp_status judge(assembly *a, const xmtp_mls_group *group, xmtp_mls_staged *staged,
                                const draft *d, xmtp_error *why)
{
    xmtp_state_lookup lookup = {.context = a, .state_at = state_of};
    *why = (xmtp_error){0};
    if (d->twist != NULL) {
        d->twist(staged->commit);
    }
    xmtp_status status = xmtp_commit_validate(group, staged, &lookup, &arena, &facts, why);
    xmtp_mls_staged_free(staged);
    return status;
}

static inline int witness_of(const assembly *a, int author)
{
    for (int who = PEOPLE - 1; who >= 0; who--) {
        if (who != author && a->people[who].group != NULL) {
            return who;
        }
    }
    return NOBODY;
}

static inline xmtp_status verdict(assembly *a, int author, const draft *d, xmtp_error *why)
{
    xmtp_error of_witness;
    xmtp_mls_staged *staged;
    const xmtp_mls_group *group = a->people[author].group;
    xmtp_mls_pending *pending = commit_by(a, author, d);
    must(xmtp_mls_group_stage_pending(group, pending, &staged, &trouble));
    xmtp_status status = judge(a, group, staged, d, why);
    int witness = witness_of(a, author);
    if (witness != NOBODY) {
        group = a->people[witness].group;
        must(xmtp_mls_group_process(group, xmtp_mls_pending_message(pending), &staged, &trouble));
        assert_int_equal(judge(a, group, staged, d, &of_witness), status);
        assert_string_equal(of_witness.text, why->text);
    }
    xmtp_mls_pending_free(pending);
    return status;
}

/* The commit passes. */
static inline void passes(assembly *a, int author, const draft *d)
{
    xmtp_error why;
    xmtp_status status = verdict(a, author, d, &why);
    if (status != XMTP_OK) {
        fail_msg("%s: %s", xmtp_status_name(status), why.text);
    }
    assert_string_equal(facts.author_inbox, a->people[author].inbox);
}

/* The commit fails with this status, and a sentence that ends so. */
static inline void fails_with(assembly *a, int author, const draft *d, xmtp_status expected,
                              const char *ending)
{
    xmtp_error why;
    xmtp_status status = verdict(a, author, d, &why);
    size_t n = strlen(why.text);
    size_t m = strlen(ending);
    assert_string_equal(xmtp_status_name(status), xmtp_status_name(expected));
    assert_int_equal(why.status, expected);
    if (n < m || strcmp(why.text + n - m, ending) != 0) {
        fail_msg("\"%s\" does not end with \"%s\"", why.text, ending);
    }
}

static inline void is_invalid(assembly *a, int author, const draft *d, const char *ending)
{
    fails_with(a, author, d, XMTP_E_COMMIT_INVALID, ending);
}

static inline void is_denied(assembly *a, int author, const draft *d, const char *ending)
{
    fails_with(a, author, d, XMTP_E_PERMISSION, ending);
}

#endif
