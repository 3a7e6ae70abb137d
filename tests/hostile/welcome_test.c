/* welcome_test.c - invitations that are broken, lead nowhere or lie about who is in the group.
 * Nothing of them is stored, and the honest invitation behind them arrives. */
#include "client/group_create.h"
#include "identity/welcome.h"
#include "mallory.h"

enum { SYNCS_MAX = 6 };

/* ---- the victim's key package */

typedef struct victim {
    person *person;
    uint8_t installation[XMTP_INSTALLATION_LEN];
    xmtp_bytes key_package;
    xmtp_inbox_key_package info;
} victim;

static victim victim_of(person *p, person *by)
{
    victim v = {.person = p};
    ProtobufCBinaryData keys[1];
    Pb__FetchKeyPackagesRequest request = PB__FETCH_KEY_PACKAGES_REQUEST__INIT;
    void *answer;
    assert_int_equal(
        xmtp_hex_decode(v.installation, 32, xmtp_client_installation_id(p->client), 64), XMTP_OK);
    keys[0] = xmtp_proto_data(xmtp_bytes_of(v.installation, 32));
    request.n_installation_keys = 1;
    request.installation_keys = keys;
    assert_ok(by,
              xmtp_call(by->client, XMTP_MLS_API("FetchKeyPackages"), &request.base,
                        &pb__fetch_key_packages_response__descriptor, &lab, &answer, &by->error));
    const Pb__FetchKeyPackagesResponse *found = answer;
    assert_int_equal(found->n_key_packages, 1);
    v.key_package = xmtp_proto_bytes(found->key_packages[0]->key_package_tls_serialized);
    assert_int_equal(xmtp_inbox_key_package_verify(&net.env, v.key_package, 0,
                                                   XMTP_KEY_PACKAGE_ADDER, NULL, &v.info,
                                                   &by->error),
                     XMTP_OK);
    return v;
}

/* ---- sending */

static xmtp_status try_send_welcome(person *by, Pb__WelcomeMessageInput *input)
{
    Pb__WelcomeMessageInput *inputs[] = {input};
    Pb__SendWelcomeMessagesRequest request = PB__SEND_WELCOME_MESSAGES_REQUEST__INIT;
    request.n_messages = 1;
    request.messages = inputs;
    return call_node(by, XMTP_MLS_API("SendWelcomeMessages"), &request.base);
}

static xmtp_status send_sealed(person *by, const victim *v, xmtp_bytes data, xmtp_bytes metadata,
                               xmtp_bytes wrapper_key, int32_t algorithm)
{
    Pb__WelcomeMessageInput__V1 v1 = PB__WELCOME_MESSAGE_INPUT__V1__INIT;
    Pb__WelcomeMessageInput input = PB__WELCOME_MESSAGE_INPUT__INIT;
    v1.has_installation_key = 1;
    v1.installation_key = xmtp_proto_data(xmtp_bytes_of(v->installation, 32));
    v1.has_data = 1;
    v1.data = xmtp_proto_data(data);
    v1.has_hpke_public_key = 1;
    v1.hpke_public_key = xmtp_proto_data(wrapper_key);
    v1.has_wrapper_algorithm = 1;
    v1.wrapper_algorithm = algorithm;
    v1.has_welcome_metadata = metadata.n > 0;
    v1.welcome_metadata = xmtp_proto_data(metadata);
    input.version_case = PB__WELCOME_MESSAGE_INPUT__VERSION_V1;
    input.v1 = &v1;
    return try_send_welcome(by, &input);
}

static void invite_with(person *by, const victim *v, xmtp_bytes welcome, uint64_t cursor)
{
    xmtp_welcome_sealed sealed = {0};
    assert_int_equal(xmtp_welcome_seal(&net.env, XMTP_WRAPPER_XWING, v->info.wrapper_key, welcome,
                                       cursor, &sealed, &by->error),
                     XMTP_OK);
    assert_ok(by, send_sealed(by, v, xmtp_bytes_of(sealed.data, sealed.data_len),
                              xmtp_bytes_of(sealed.metadata, sealed.metadata_len),
                              v->info.wrapper_key, XMTP_WRAPPER_XWING));
    xmtp_welcome_sealed_free(&sealed);
}

static void send_pointer_to_nowhere(person *by, const victim *v)
{
    xmtp_welcome_pointer pointer;
    xmtp_pointers_sealing *sealing;
    Pb__WelcomeMessageInput__WelcomePointer body = PB__WELCOME_MESSAGE_INPUT__WELCOME_POINTER__INIT;
    Pb__WelcomeMessageInput input = PB__WELCOME_MESSAGE_INPUT__INIT;
    assert_int_equal(xmtp_welcome_pointer_generate(&net.env, &pointer), XMTP_OK);
    assert_int_equal(
        xmtp_welcome_pointers_begin(&net.env, &pointer, &v->info.wrapper_key, 1, &sealing),
        XMTP_OK);
    assert_int_equal(xmtp_welcome_pointers_finish(sealing, &by->error), XMTP_OK);
    body.has_installation_key = 1;
    body.installation_key = xmtp_proto_data(xmtp_bytes_of(v->installation, 32));
    body.has_welcome_pointer = 1;
    body.welcome_pointer = xmtp_proto_data(xmtp_welcome_pointer_at(sealing, 0));
    body.has_hpke_public_key = 1;
    body.hpke_public_key = xmtp_proto_data(v->info.wrapper_key);
    body.has_wrapper_algorithm = 1;
    body.wrapper_algorithm = XMTP_WRAPPER_XWING;
    input.version_case = PB__WELCOME_MESSAGE_INPUT__VERSION_WELCOME_POINTER;
    input.welcome_pointer = &body;
    assert_ok(by, try_send_welcome(by, &input));
    xmtp_welcome_pointers_free(sealing);
}

/* ---- groups that mallory makes by hand */

typedef struct plan {
    uint32_t kind;
    const char *dm_one; /* NULL: no dm_members */
    const char *dm_two;
    const char *in_membership; /* besides the two; NULL: nobody */
    bool has_no_victim_in_membership;
    bool has_old_sequence; /* the victim's sequence id is one too low */
    bool has_admins;
    uint16_t broken; /* extension with garbage in it; 0: none */
    const char *minimum_version;
} plan;

static uint64_t newest_update_of(person *p, const char *inbox)
{
    const xmtp_association *state;
    uint64_t sequence_id;
    assert_ok(p, xmtp_identity_sync(p->client, &inbox, 1, &p->error));
    assert_ok(p, xmtp_newest_state(p->client, inbox, &state, &sequence_id, &p->error));
    return sequence_id;
}

static void put_member(person *by, Pb__GroupMembership *membership, const char *inbox, bool is_old)
{
    assert_int_equal(
        xmtp_membership_set(&lab, membership, inbox, newest_update_of(by, inbox) - is_old),
        XMTP_OK);
}

static xmtp_bytes membership_for(const plan *what, person *by, const victim *v)
{
    Pb__GroupMembership membership = PB__GROUP_MEMBERSHIP__INIT;
    put_member(by, &membership, xmtp_client_inbox_id(by->client), false);
    if (!what->has_no_victim_in_membership) {
        put_member(by, &membership, xmtp_client_inbox_id(v->person->client),
                   what->has_old_sequence);
    }
    if (what->in_membership != NULL) {
        put_member(by, &membership, what->in_membership, false);
    }
    return encoded(&membership.base);
}

static xmtp_bytes immutable_for(const plan *what, person *by)
{
    xmtp_writer w;
    Pb__InboxRef one = PB__INBOX_REF__INIT;
    Pb__InboxRef two = PB__INBOX_REF__INIT;
    Pb__DmMembers members = PB__DM_MEMBERS__INIT;
    Pb__GroupMetadata metadata = PB__GROUP_METADATA__INIT;
    one.inbox_id = (char *)(uintptr_t)what->dm_one;
    two.inbox_id = (char *)(uintptr_t)what->dm_two;
    members.dm_member_one = &one;
    members.dm_member_two = &two;
    metadata.has_conversation_type = 1;
    metadata.conversation_type = (int32_t)what->kind;
    metadata.creator_inbox_id = (char *)(uintptr_t)xmtp_client_inbox_id(by->client);
    metadata.dm_members = what->dm_one == NULL ? NULL : &members;
    xmtp_writer_init(&w, &net.env.alloc, XMTP_WRITER_MAX);
    xmtp_writer_vec(&w, encoded(&metadata.base));
    xmtp_bytes out = kept(xmtp_writer_bytes(&w));
    xmtp_writer_free(&w);
    return out;
}

static xmtp_bytes metadata_for(const plan *what, person *by)
{
    Pb__GroupMutableMetadata *metadata;
    xmtp_group_kind kind = what->has_admins ? XMTP_GROUP_KIND_GROUP : (xmtp_group_kind)what->kind;
    const xmtp_group_options options = {.name = "trap"};
    const xmtp_group_initial initial = {.kind = kind,
                                        .creator_inbox = xmtp_client_inbox_id(by->client),
                                        .options = &options,
                                        .commit_log_signer = "00"};
    assert_int_equal(xmtp_mutable_metadata_initial(&lab, &initial, &metadata), XMTP_OK);
    if (what->minimum_version != NULL) {
        assert_int_equal(xmtp_attribute_set(&lab, metadata, XMTP_ATTRIBUTE_MINIMUM_VERSION,
                                            what->minimum_version),
                         XMTP_OK);
    }
    return encoded(&metadata->base);
}

static void replace_in(xmtp_mls_extension *list, size_t count, uint16_t type, xmtp_bytes data)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i].type == type) {
            list[i].data = data;
        }
    }
}

static xmtp_mls_group *trap_of(const plan *what, person *by, const victim *v)
{
    static uint8_t next_id;
    uint8_t id[16] = {0xbb, ++next_id};
    xmtp_mls_extension *list;
    size_t count;
    xmtp_mls_group *group;
    xmtp_mls_writes *writes = new_writes();
    const xmtp_group_options named = {.name = "trap"};
    const xmtp_group_initial initial = {.kind = XMTP_GROUP_KIND_GROUP,
                                        .creator_inbox = xmtp_client_inbox_id(by->client),
                                        .options = &named,
                                        .commit_log_signer = "00"};
    assert_int_equal(xmtp_group_extensions_initial(&lab, &initial, &list, &count, NULL), XMTP_OK);
    replace_in(list, count, XMTP_EXTENSION_IMMUTABLE_METADATA, immutable_for(what, by));
    replace_in(list, count, XMTP_EXTENSION_MUTABLE_METADATA, metadata_for(what, by));
    replace_in(list, count, XMTP_EXTENSION_MEMBERSHIP, membership_for(what, by, v));
    replace_in(list, count, what->broken, xmtp_bytes_of("\xff\xff\xff", 3));
    xmtp_mls_config config = xmtp_client_mls_config(by->client);
    xmtp_mls_create_options options = {.suite = XMTP_MLS_SUITE_X25519_CHACHA,
                                       .group_id = xmtp_bytes_of(id, sizeof(id)),
                                       .signer = xmtp_client_signer(by->client),
                                       .capabilities = *xmtp_inbox_creator_capabilities(),
                                       .context_extensions = list,
                                       .context_extension_count = count};
    assert_ok(by, xmtp_mls_group_create(&group, &config, &options, writes, &by->error));
    xmtp_mls_writes_free(writes);
    return group;
}

static xmtp_bytes welcome_to(const plan *what, person *by, const victim *v)
{
    xmtp_mls_pending *pending;
    xmtp_mls_group *group = trap_of(what, by, v);
    xmtp_mls_commit_options options = {.add = &v->key_package, .add_count = 1};
    assert_ok(by, xmtp_mls_group_commit(group, &options, &pending, &by->error));
    xmtp_bytes welcome = kept(xmtp_mls_pending_welcome(pending));
    xmtp_mls_pending_free(pending);
    xmtp_mls_group_free(group);
    return welcome;
}

/* ---- what must be so afterwards */

static xmtp_status count_conversation(void *context, const xmtp_conversation *conversation)
{
    (void)conversation;
    (*(size_t *)context)++;
    return XMTP_OK;
}

static size_t conversations_of(person *p)
{
    size_t count = 0;
    assert_ok(p, xmtp_client_conversations(p->client, count_conversation, &count, &p->error));
    return count;
}

/* Alice's next group reaches bob within a few syncs; returns after how many. */
static int assert_invited_after(trio *t, size_t before)
{
    xmtp_conversation_id good;
    xmtp_status status = XMTP_OK;
    const char *members[] = {xmtp_client_address(t->bob.client)};
    assert_ok(&t->alice, xmtp_client_group_create(t->alice.client, "good", members, 1, &good,
                                                  &t->alice.error));
    int syncs = 0;
    while (conversations_of(&t->bob) == before && syncs < SYNCS_MAX) {
        syncs++;
        status = xmtp_client_sync(t->bob.client, &t->bob.error);
        assert_true(status == XMTP_OK || status == XMTP_E_RETRY);
    }
    assert_int_equal(status, XMTP_OK);
    assert_int_equal(conversations_of(&t->bob), before + 1);
    assert_string_equal(conversation_of(&t->bob, &good).name, "good");
    send_text(&t->bob, &good, "hello");
    sync_all(&t->alice);
    assert_texts(&t->alice, &good, "hello|");
    return syncs;
}

static void assert_refused_at_once(trio *t)
{
    size_t before = conversations_of(&t->bob);
    sync_all(&t->bob);
    assert_int_equal(conversations_of(&t->bob), before);
    assert_int_equal(assert_invited_after(t, before), 1);
    assert_calm(t);
}

/* ---- broken ones */

static void a_welcome_for_an_unknown_key_package_is_stepped_over(void **state)
{
    (void)state;
    trio t;
    uint8_t nobodys_key[XMTP_XWING_PK_LEN] = {1};
    begin(&t);
    victim v = victim_of(&t.bob, &t.mallory);
    (void)send_sealed(&t.mallory, &v, xmtp_bytes_of("data", 4), (xmtp_bytes){0},
                      xmtp_bytes_of(nobodys_key, sizeof(nobodys_key)), XMTP_WRAPPER_XWING);
    (void)send_sealed(&t.mallory, &v, xmtp_bytes_of("data", 4), (xmtp_bytes){0},
                      xmtp_bytes_of(nobodys_key, 1), XMTP_WRAPPER_CURVE25519);
    assert_refused_at_once(&t);
    end(&t);
}

static void a_welcome_of_garbage_is_stepped_over(void **state)
{
    (void)state;
    static const int32_t algorithms[] = {-1, 0, 1, 2, 3, 4, INT32_MAX};
    trio t;
    begin(&t);
    victim v = victim_of(&t.bob, &t.mallory);
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
        /* the node refuses algorithms that do not exist */
        (void)send_sealed(&t.mallory, &v, xmtp_bytes_of("garbage", 7), xmtp_bytes_of("more", 4),
                          v.info.wrapper_key, algorithms[i]);
    }
    invite_with(&t.mallory, &v, xmtp_bytes_of("no welcome at all", 17), 0);
    assert_refused_at_once(&t);
    end(&t);
}

static void a_welcome_cut_short_is_stepped_over(void **state)
{
    (void)state;
    const plan what = {.kind = XMTP_GROUP_KIND_GROUP};
    trio t;
    begin(&t);
    victim v = victim_of(&t.bob, &t.mallory);
    xmtp_bytes welcome = welcome_to(&what, &t.mallory, &v);
    for (size_t n = 1; n < welcome.n; n += welcome.n / 8) {
        invite_with(&t.mallory, &v, xmtp_bytes_of(welcome.p, n), 0);
    }
    assert_refused_at_once(&t);
    end(&t);
}

static void a_pointer_to_nowhere_holds_up_others_for_a_few_syncs_only(void **state)
{
    (void)state;
    trio t;
    begin(&t);
    victim v = victim_of(&t.bob, &t.mallory);
    send_pointer_to_nowhere(&t.mallory, &v);
    (void)assert_invited_after(&t, conversations_of(&t.bob));
    assert_calm(&t);
    end(&t);
}

static void many_pointers_to_nowhere_hold_up_others_for_a_few_syncs_only(void **state)
{
    (void)state;
    trio t;
    begin(&t);
    victim v = victim_of(&t.bob, &t.mallory);
    for (int i = 0; i < 20; i++) {
        send_pointer_to_nowhere(&t.mallory, &v);
    }
    (void)assert_invited_after(&t, conversations_of(&t.bob));
    assert_calm(&t);
    end(&t);
}

/* ---- lies */

static void refuse(const plan *what)
{
    trio t;
    begin(&t);
    victim v = victim_of(&t.bob, &t.mallory);
    invite_with(&t.mallory, &v, welcome_to(what, &t.mallory, &v), 0);
    assert_refused_at_once(&t);
    end(&t);
}

static void an_honest_plan_is_accepted(void **state)
{
    (void)state;
    const plan what = {.kind = XMTP_GROUP_KIND_GROUP};
    trio t;
    begin(&t);
    victim v = victim_of(&t.bob, &t.mallory);
    invite_with(&t.mallory, &v, welcome_to(&what, &t.mallory, &v), 0);
    sync_all(&t.bob);
    assert_int_equal(conversations_of(&t.bob), 2); /* so that the refusals below mean something */
    end(&t);
}

static void a_membership_that_is_not_the_tree_is_refused(void **state)
{
    (void)state;
    trio t;
    begin(&t);
    victim v = victim_of(&t.bob, &t.mallory);
    const plan plans[] = {
        {.kind = XMTP_GROUP_KIND_GROUP, .in_membership = xmtp_client_inbox_id(t.alice.client)},
        {.kind = XMTP_GROUP_KIND_GROUP, .has_no_victim_in_membership = true},
        {.kind = XMTP_GROUP_KIND_GROUP, .has_old_sequence = true},
        {.kind = XMTP_GROUP_KIND_GROUP, .broken = XMTP_EXTENSION_MEMBERSHIP},
        {.kind = XMTP_GROUP_KIND_GROUP, .broken = XMTP_EXTENSION_IMMUTABLE_METADATA},
        {.kind = XMTP_GROUP_KIND_GROUP, .broken = XMTP_EXTENSION_MUTABLE_METADATA},
    };
    for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
        invite_with(&t.mallory, &v, welcome_to(&plans[i], &t.mallory, &v), 0);
    }
    assert_refused_at_once(&t);
    end(&t);
}

static void dms_of_third_people_are_refused(void **state)
{
    (void)state;
    trio t;
    begin(&t);
    victim v = victim_of(&t.bob, &t.mallory);
    const char *alice = xmtp_client_inbox_id(t.alice.client);
    const char *bob = xmtp_client_inbox_id(t.bob.client);
    const char *mallory = xmtp_client_inbox_id(t.mallory.client);
    const plan plans[] = {
        {.kind = XMTP_GROUP_KIND_DM, .dm_one = alice, .dm_two = bob},
        {.kind = XMTP_GROUP_KIND_DM, .dm_one = bob, .dm_two = alice},
        {.kind = XMTP_GROUP_KIND_DM, .dm_one = bob, .dm_two = bob},
        {.kind = XMTP_GROUP_KIND_DM, .dm_one = mallory, .dm_two = mallory},
        {.kind = XMTP_GROUP_KIND_DM, .dm_one = mallory, .dm_two = alice},
        {.kind = XMTP_GROUP_KIND_DM, .dm_one = "", .dm_two = bob},
        {.kind = XMTP_GROUP_KIND_DM},
        {.kind = XMTP_GROUP_KIND_DM, .dm_one = mallory, .dm_two = bob, .has_admins = true},
    };
    for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
        invite_with(&t.mallory, &v, welcome_to(&plans[i], &t.mallory, &v), 0);
    }
    assert_refused_at_once(&t);
    end(&t);
}

static void kinds_that_are_not_kept_are_not_shown(void **state)
{
    (void)state;
    static const uint32_t kinds[] = {0, XMTP_GROUP_KIND_SYNC, XMTP_GROUP_KIND_ONESHOT, 77};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const plan what = {.kind = kinds[i]};
        refuse(&what);
    }
}

static void a_group_for_newer_libraries_arrives_paused(void **state)
{
    (void)state;
    const plan what = {.kind = XMTP_GROUP_KIND_GROUP, .minimum_version = "99.0.0"};
    trio t;
    begin(&t);
    victim v = victim_of(&t.bob, &t.mallory);
    invite_with(&t.mallory, &v, welcome_to(&what, &t.mallory, &v), 0);
    sync_all(&t.bob);
    assert_int_equal(conversations_of(&t.bob), 2);
    (void)assert_invited_after(&t, 2);
    assert_calm(&t);
    end(&t);
}

/* The cursor in the metadata is the sender's word: one that is far ahead hides the group's own
 * messages from its members and nothing else. */
static void a_message_cursor_out_of_all_reason_harms_only_its_own_group(void **state)
{
    (void)state;
    const plan what = {.kind = XMTP_GROUP_KIND_GROUP};
    trio t;
    begin(&t);
    victim v = victim_of(&t.bob, &t.mallory);
    invite_with(&t.mallory, &v, welcome_to(&what, &t.mallory, &v), UINT64_MAX);
    invite_with(&t.mallory, &v, welcome_to(&what, &t.mallory, &v), INT64_MAX);
    sync_all(&t.bob);
    (void)assert_invited_after(&t, conversations_of(&t.bob));
    assert_calm(&t);
    end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_NETWORK(a_welcome_for_an_unknown_key_package_is_stepped_over),
        ON_NETWORK(a_welcome_of_garbage_is_stepped_over),
        ON_NETWORK(a_welcome_cut_short_is_stepped_over),
        ON_NETWORK(a_pointer_to_nowhere_holds_up_others_for_a_few_syncs_only),
        ON_NETWORK(many_pointers_to_nowhere_hold_up_others_for_a_few_syncs_only),
        ON_NETWORK(an_honest_plan_is_accepted),
        ON_NETWORK(a_membership_that_is_not_the_tree_is_refused),
        ON_NETWORK(dms_of_third_people_are_refused),
        ON_NETWORK(kinds_that_are_not_kept_are_not_shown),
        ON_NETWORK(a_group_for_newer_libraries_arrives_paused),
        ON_NETWORK(a_message_cursor_out_of_all_reason_harms_only_its_own_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
