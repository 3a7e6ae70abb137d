/* member_test.c - what a member of a group may send to harm the others. Afterwards the others are
 * in one group with one transcript, have lost nothing, and go on talking. */
#include "forge.h"
#include "mallory.h"

/* ---- commits that nobody may make */

/* Mallory commits, nobody minds. */
static void survive(xmtp_mls_commit_options (*attack)(trio *t))
{
    trio t;
    begin(&t);
    uint64_t epoch = xmtp_mls_group_epoch(group_in(&t.bob, &t.group));
    const xmtp_mls_commit_options options = attack(&t);
    commit_raw(&t.mallory, &t.group, &options);
    catch_up(&t);
    assert_int_equal(xmtp_mls_group_epoch(group_in(&t.bob, &t.group)), epoch);
    assert_calm_after(&t, "");
    end(&t);
}

static xmtp_mls_commit_options without(trio *t, const person *victim)
{
    Pb__GroupMembership *membership = membership_of(&t->mallory, &t->group);
    xmtp_membership_remove(membership, xmtp_client_inbox_id(victim->client));
    xmtp_mls_commit_options options =
        replacing(&t->mallory, &t->group, XMTP_EXTENSION_MEMBERSHIP, encoded(&membership->base));
    uint32_t *leaf = (uint32_t *)(void *)bench(sizeof(*leaf));
    *leaf = leaf_of(&t->mallory, &t->group, victim);
    options.remove = leaf;
    options.remove_count = 1;
    return options;
}

static xmtp_mls_commit_options remove_bob(trio *t)
{
    return without(t, &t->bob);
}

static xmtp_mls_commit_options remove_alice(trio *t)
{
    return without(t, &t->alice);
}

static xmtp_mls_commit_options remove_bobs_leaf_only(trio *t)
{
    xmtp_mls_commit_options options = without(t, &t->bob);
    options.set_context_extensions = false;
    return options;
}

static xmtp_mls_commit_options require_version_99(trio *t)
{
    return setting(&t->mallory, &t->group, XMTP_ATTRIBUTE_MINIMUM_VERSION, "99.0.0");
}

static xmtp_mls_commit_options make_messages_disappear(trio *t)
{
    return setting(&t->mallory, &t->group, XMTP_ATTRIBUTE_DISAPPEAR_IN, "1");
}

static xmtp_mls_commit_options give_a_long_name(trio *t)
{
    char name[102] = {0};
    memset(name, 'x', sizeof(name) - 1);
    return setting(&t->mallory, &t->group, XMTP_ATTRIBUTE_NAME, name);
}

static xmtp_mls_commit_options become_super_admin(trio *t)
{
    Pb__GroupMutableMetadata *metadata = metadata_of(&t->mallory, &t->group);
    char *ids[] = {(char *)(uintptr_t)xmtp_client_inbox_id(t->mallory.client)};
    metadata->super_admin_list->inbox_ids = ids;
    metadata->super_admin_list->n_inbox_ids = 1;
    return replacing(&t->mallory, &t->group, XMTP_EXTENSION_MUTABLE_METADATA,
                     encoded(&metadata->base));
}

static xmtp_mls_commit_options break_the_metadata(trio *t)
{
    return replacing(&t->mallory, &t->group, XMTP_EXTENSION_MUTABLE_METADATA,
                     xmtp_bytes_of("\xff\xff", 2));
}

static xmtp_mls_commit_options break_the_membership(trio *t)
{
    return replacing(&t->mallory, &t->group, XMTP_EXTENSION_MEMBERSHIP,
                     xmtp_bytes_of("\xff\xff", 2));
}

static xmtp_mls_commit_options empty_the_membership(trio *t)
{
    Pb__GroupMembership nobody = PB__GROUP_MEMBERSHIP__INIT;
    return replacing(&t->mallory, &t->group, XMTP_EXTENSION_MEMBERSHIP, encoded(&nobody.base));
}

static xmtp_mls_commit_options name_a_member_who_does_not_exist(trio *t)
{
    Pb__GroupMembership *membership = membership_of(&t->mallory, &t->group);
    assert_int_equal(
        xmtp_membership_set(&lab, membership,
                            "00000000000000000000000000000000000000000000000000000000deadbeef", 7),
        XMTP_OK);
    return replacing(&t->mallory, &t->group, XMTP_EXTENSION_MEMBERSHIP, encoded(&membership->base));
}

static void commits_that_nobody_may_make_change_nothing(void **state)
{
    (void)state;
    xmtp_mls_commit_options (*const attacks[])(trio *) = {
        remove_bob,
        remove_alice,
        remove_bobs_leaf_only,
        require_version_99,
        make_messages_disappear,
        give_a_long_name,
        become_super_admin,
        break_the_metadata,
        break_the_membership,
        empty_the_membership,
        name_a_member_who_does_not_exist,
    };
    for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
        survive(attacks[i]);
    }
}

static void many_forbidden_commits_between_messages_lose_no_message(void **state)
{
    (void)state;
    trio t;
    begin(&t);
    const xmtp_mls_commit_options options = require_version_99(&t);
    for (int i = 0; i < 10; i++) {
        commit_raw(&t.mallory, &t.group, &options);
        send_text(&t.alice, &t.group, "x");
    }
    assert_calm_after(&t, "x|x|x|x|x|x|x|x|x|x|");
    end(&t);
}

/* Alice closes renaming to everybody but super admins. */
static void deny_names(trio *t)
{
    Pb__PolicySet *policies;
    Pb__GroupMutablePermissions permissions = PB__GROUP_MUTABLE_PERMISSIONS__INIT;
    xmtp_bytes data = kept(extension_of(&t->alice, &t->group, XMTP_EXTENSION_PERMISSIONS));
    assert_int_equal(xmtp_permissions_decode(&lab, data, &policies), XMTP_OK);
    for (size_t i = 0; i < policies->n_update_metadata_policy; i++) {
        policies->update_metadata_policy[i]->value->base_policy = 4;
    }
    permissions.policies = policies;
    const xmtp_mls_commit_options options =
        replacing(&t->alice, &t->group, XMTP_EXTENSION_PERMISSIONS, encoded(&permissions.base));
    commit_and_merge(&t->alice, &t->group, &options);
    catch_up(t);
    sync_all(&t->mallory);
    assert_same_group(&t->alice, &t->mallory, &t->group);
}

static void a_rename_that_the_policies_deny_changes_nothing(void **state)
{
    (void)state;
    trio t;
    begin(&t);
    deny_names(&t);
    const xmtp_mls_commit_options options =
        setting(&t.mallory, &t.group, XMTP_ATTRIBUTE_NAME, "chaos");
    commit_raw(&t.mallory, &t.group, &options);
    assert_calm_after(&t, "");
    end(&t);
}

/* ---- devices that were revoked */

static void revoke_device(person *p, const person *device)
{
    xmtp_wallet wallet;
    uint8_t key[1][XMTP_INSTALLATION_LEN];
    uint8_t *update;
    size_t n;
    assert_int_equal(xmtp_wallet_parse(p->key, &wallet, NULL), XMTP_OK);
    xmtp_signer signer = xmtp_signer_of_wallet(&wallet);
    assert_int_equal(xmtp_hex_decode(key[0], 32, xmtp_client_installation_id(device->client), 64),
                     XMTP_OK);
    assert_int_equal(xmtp_identity_update_revoke_installations(
                         &net.env.alloc, xmtp_client_inbox_id(p->client), &signer, key, 1,
                         net.clock_ns, &update, &n, &p->error),
                     XMTP_OK);
    Pb__PublishIdentityUpdateRequest request = PB__PUBLISH_IDENTITY_UPDATE_REQUEST__INIT;
    request.has_identity_update = 1;
    request.identity_update = xmtp_proto_data(xmtp_bytes_of(update, n));
    assert_ok(p, call_node(p, XMTP_IDENTITY_API("PublishIdentityUpdate"), &request.base));
    free(update);
}

static void a_revoked_device_can_change_nothing_any_more(void **state)
{
    (void)state;
    trio t;
    begin(&t);
    person device;
    person_open_device(&device, &t.mallory);
    revoke_device(&device, &t.mallory);
    network_advance(&net, 10);
    /* what mallory makes now is for the epoch before its removal */
    const xmtp_mls_commit_options options =
        setting(&t.mallory, &t.group, XMTP_ATTRIBUTE_NAME, "chaos");
    xmtp_mls_pending *pending = commit_of(&t.mallory, &t.group, &options);
    send_text(&t.alice, &t.group, "mallory's phone is gone");
    send_raw(&t.mallory, xmtp_mls_pending_message(pending));
    xmtp_mls_pending_free(pending);
    catch_up(&t);
    sync_all(&device);
    assert_string_equal(conversation_of(&t.bob, &t.group).name, "calm");
    assert_same_group(&t.alice, &t.bob, &t.group);
    assert_same_group(&t.alice, &device, &t.group);
    assert_same_story(&t.alice, &t.bob, &t.group);
    sync_all(&t.mallory);
    assert_false(conversation_of(&t.mallory, &t.group).is_active);
    send_text(&t.bob, &t.group, "good");
    catch_up(&t);
    sync_all(&device);
    assert_texts(&device, &t.group, "mallory's phone is gone|good|");
    person_close(&device);
    end(&t);
}

/* ---- bytes */

enum { EPOCH_AT = 2 + 2 + 1 + 16 }; /* version, wire format, group id of 16 bytes */

static xmtp_bytes with_byte(xmtp_bytes message, size_t at, uint8_t value)
{
    uint8_t *copy = bench(message.n);
    memcpy(copy, message.p, message.n);
    copy[at] = value;
    return xmtp_bytes_of(copy, message.n);
}

static xmtp_bytes text_by(trio *t, const char *text)
{
    xmtp_bytes content = content_of_type("text", xmtp_bytes_of_string(text));
    return sealed_by(&t->mallory, &t->group, envelope(content, text));
}

static void garbage_in_the_right_shape_is_stepped_over(void **state)
{
    (void)state;
    trio t;
    begin(&t);
    xmtp_bytes message = text_by(&t, "never seen");
    for (size_t at = EPOCH_AT + 8; at < message.n; at += 7) {
        /* a length prefix among them makes the node refuse it */
        (void)try_send_raw(&t.mallory, with_byte(message, at, (uint8_t)(message.p[at] ^ 0x40)));
    }
    send_raw(&t.mallory,
             with_byte(message, message.n - 1, (uint8_t)(message.p[message.n - 1] ^ 1)));
    assert_calm_after(&t, "");
    end(&t);
}

static void messages_of_other_epochs_are_stepped_over(void **state)
{
    (void)state;
    trio t;
    begin(&t);
    xmtp_bytes message = text_by(&t, "never seen");
    send_raw(&t.mallory, with_byte(message, EPOCH_AT + 7, 0));    /* the first */
    send_raw(&t.mallory, with_byte(message, EPOCH_AT + 7, 0xff)); /* far ahead */
    send_raw(&t.mallory, with_byte(message, EPOCH_AT, 0xff));     /* out of all reason */
    assert_calm_after(&t, "");
    end(&t);
}

static void a_message_from_the_future_does_not_stop_a_stream(void **state)
{
    (void)state;
    trio t;
    begin(&t);
    xmtp_bytes message = text_by(&t, "never seen");
    xmtp_status status = xmtp_client_poll(t.bob.client, 0, &t.bob.error);
    assert_true(status == XMTP_OK || status == XMTP_E_TIMEOUT);
    send_raw(&t.mallory, with_byte(message, EPOCH_AT + 7, 0xff));
    send_text(&t.alice, &t.group, "live");
    for (int i = 0; i < 4; i++) {
        status = xmtp_client_poll(t.bob.client, 0, &t.bob.error);
        assert_true(status == XMTP_OK || status == XMTP_E_TIMEOUT);
    }
    assert_texts(&t.bob, &t.group, "b|m|a|live|");
    assert_calm_after(&t, "live|");
    end(&t);
}

static void replayed_bytes_are_seen_once(void **state)
{
    (void)state;
    trio t;
    begin(&t);
    xmtp_bytes message = text_by(&t, "once");
    for (int i = 0; i < 3; i++) {
        (void)try_send_raw(&t.mallory, message);
        sync_all(&t.bob);
    }
    assert_calm_after(&t, "once|");
    end(&t);
}

/* ---- contents of the wrong kind */

static void a_proposal_on_its_own_is_stepped_over(void **state)
{
    (void)state;
    trio t;
    begin(&t);
    const xmtp_mls_group *group = group_in(&t.mallory, &t.group);
    send_raw(&t.mallory, forge_removal(group, leaf_of(&t.mallory, &t.group, &t.bob), &lab));
    assert_calm_after(&t, "");
    end(&t);
}

static void a_public_message_is_not_shown(void **state)
{
    (void)state;
    trio t;
    begin(&t);
    xmtp_bytes content = content_of_type("text", xmtp_bytes_of_string("in the open"));
    send_raw(&t.mallory,
             forge_public_message(group_in(&t.mallory, &t.group), envelope(content, "1"), &lab));
    assert_calm_after(&t, "");
    end(&t);
}

/* ---- plaintexts */

static void plaintexts_that_are_no_envelope_are_not_stored(void **state)
{
    (void)state;
    static const uint8_t v2[] = {0x12, 0x03, 1, 2, 3};
    static const uint8_t other_field[] = {0x1a, 0x01, 0x00};
    static const uint8_t torn[] = {0x0a, 0x7f, 0x00};
    trio t;
    begin(&t);
    send_raw(&t.mallory, sealed_by(&t.mallory, &t.group, (xmtp_bytes){0}));
    send_raw(&t.mallory, sealed_by(&t.mallory, &t.group, xmtp_bytes_of(v2, sizeof(v2))));
    send_raw(&t.mallory, sealed_by(&t.mallory, &t.group, xmtp_bytes_of(other_field, 3)));
    send_raw(&t.mallory, sealed_by(&t.mallory, &t.group, xmtp_bytes_of(torn, sizeof(torn))));
    send_raw(&t.mallory, sealed_by(&t.mallory, &t.group, xmtp_bytes_of("plain text", 10)));
    assert_calm_after(&t, "");
    end(&t);
}

typedef struct odd_one {
    size_t count;
    xmtp_message_kind kind;
    char type[64];
    char text[64];
    size_t text_len;
    bool has_text;
} odd_one;

static xmtp_status note_odd(void *context, const xmtp_message *message)
{
    odd_one *odd = context;
    odd->count++;
    odd->kind = message->kind;
    odd->has_text = message->text != NULL;
    odd->text_len = message->text_len;
    (void)snprintf(odd->type, sizeof(odd->type), "%s", message->type);
    if (message->text != NULL && message->text_len < sizeof(odd->text)) {
        memcpy(odd->text, message->text, message->text_len + 1);
    }
    return XMTP_OK;
}

/* The newest message as bob has it. */
static odd_one newest_of(person *p, const xmtp_conversation_id *id)
{
    odd_one odd = {0};
    xmtp_message_query query = {.conversation = id, .limit = 1, .newest_first = true};
    sync_all(p);
    assert_ok(p, xmtp_client_messages(p->client, &query, note_odd, &odd, &p->error));
    assert_int_equal(odd.count, 1);
    return odd;
}

static odd_one sent_as_content(trio *t, xmtp_bytes content, const char *key)
{
    network_advance(&net, 1);
    send_raw(&t->mallory, sealed_by(&t->mallory, &t->group, envelope(content, key)));
    return newest_of(&t->bob, &t->group);
}

static void content_that_does_not_parse_is_kept_as_unknown(void **state)
{
    (void)state;
    trio t;
    begin(&t);
    odd_one odd = sent_as_content(&t, xmtp_bytes_of("\xff\xff\xff", 3), "1");
    assert_int_equal(odd.kind, XMTP_MESSAGE_APPLICATION);
    assert_string_equal(odd.type, "");
    assert_false(odd.has_text);
    odd = sent_as_content(&t, (xmtp_bytes){0}, "2");
    assert_false(odd.has_text);
    assert_calm_after(&t, "?|?|");
    end(&t);
}

static void texts_that_are_no_utf8_have_no_text(void **state)
{
    (void)state;
    static const char *const wrong[] = {"\xff", "\xc0\x80", "\xed\xa0\x80", "a\xe2\x82",
                                        "\xf5\x80"};
    trio t;
    begin(&t);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        odd_one odd = sent_as_content(&t, content_of_type("text", xmtp_bytes_of_string(wrong[i])),
                                      wrong[0] + 1);
        assert_string_equal(odd.type, "text");
        assert_false(odd.has_text);
    }
    assert_calm_after(&t, "?|?|?|?|?|");
    end(&t);
}

static void a_zero_byte_in_a_text_is_a_character_like_others(void **state)
{
    (void)state;
    trio t;
    begin(&t);
    odd_one odd = sent_as_content(&t, content_of_type("text", xmtp_bytes_of("a\0b", 3)), "1");
    assert_true(odd.has_text);
    assert_int_equal(odd.text_len, 3);
    assert_memory_equal(odd.text, "a\0b", 4);
    assert_calm_after(&t, "a|");
    end(&t);
}

static void a_told_membership_change_is_not_believed(void **state)
{
    (void)state;
    trio t;
    begin(&t);
    Pb__InboxRef gone = PB__INBOX_REF__INIT;
    Pb__InboxRef *list[] = {&gone};
    Pb__GroupUpdated update = PB__GROUP_UPDATED__INIT;
    gone.inbox_id = (char *)(uintptr_t)xmtp_client_inbox_id(t.bob.client);
    update.initiated_by_inbox_id = (char *)(uintptr_t)xmtp_client_inbox_id(t.alice.client);
    update.n_removed_inboxes = 1;
    update.removed_inboxes = list;
    odd_one odd = sent_as_content(&t, content_of_type("group_updated", encoded(&update.base)), "1");
    assert_int_equal(odd.kind, XMTP_MESSAGE_APPLICATION);
    assert_string_equal(odd.type, "group_updated");
    assert_calm_after(&t, "?|");
    end(&t);
}

static void a_message_repeated_under_its_own_id_is_one_message(void **state)
{
    (void)state;
    trio t;
    begin(&t);
    xmtp_bytes content = content_of_type("text", xmtp_bytes_of_string("same"));
    for (int i = 0; i < 3; i++) { /* three ciphertexts */
        send_raw(&t.mallory, sealed_by(&t.mallory, &t.group, envelope(content, "one key")));
    }
    assert_calm_after(&t, "same|");
    end(&t);
}

/* ---- sizes */

static void a_huge_text_arrives_and_those_after_it(void **state)
{
    (void)state;
    enum { HUGE_LEN = 23 * 1024 * 1024 };
    trio t;
    begin(&t);
    uint8_t *p = bench(HUGE_LEN);
    memset(p, 'x', HUGE_LEN);
    odd_one odd = sent_as_content(&t, content_of_type("text", xmtp_bytes_of(p, HUGE_LEN)), "1");
    assert_int_equal(odd.text_len, HUGE_LEN);
    send_text(&t.alice, &t.group, "after");
    catch_up(&t);
    assert_int_equal(newest_of(&t.bob, &t.group).text_len, 5);
    assert_same_group(&t.alice, &t.bob, &t.group);
    end(&t);
}

/* n bytes of the smallest field there is: it costs a reader many times its size. */
static xmtp_bytes swarm(uint8_t tag, size_t n)
{
    uint8_t *p = bench(n);
    for (size_t i = 0; i + 1 < n; i += 2) {
        p[i] = tag;
        p[i + 1] = 0;
    }
    return xmtp_bytes_of(p, n);
}

static void an_envelope_of_millions_of_fields_blocks_nobody(void **state)
{
    (void)state;
    enum { SWARM_LEN = 20 * 1024 * 1024 };
    trio t;
    begin(&t);
    send_raw(&t.mallory, sealed_by(&t.mallory, &t.group, swarm(0x7a, SWARM_LEN)));
    catch_up(&t);
    assert_calm_after(&t, "");
    end(&t);
}

static void content_of_millions_of_fields_blocks_nobody(void **state)
{
    (void)state;
    enum { SWARM_LEN = 20 * 1024 * 1024 };
    trio t;
    begin(&t);
    odd_one odd = sent_as_content(&t, swarm(0x12, SWARM_LEN), "1"); /* parameters */
    assert_false(odd.has_text);
    assert_calm_after(&t, "?|");
    end(&t);
}

static void a_context_of_many_attributes_does_not_take_for_ever(void **state)
{
    (void)state;
    enum { ATTRIBUTES = 200000 };
    trio t;
    begin(&t);
    Pb__GroupMutableMetadata *metadata = metadata_of(&t.mallory, &t.group);
    Pb__StringEntry *entries = (void *)bench(ATTRIBUTES * sizeof(*entries));
    Pb__StringEntry **list = (void *)bench(ATTRIBUTES * sizeof(*list));
    for (size_t i = 0; i < ATTRIBUTES; i++) {
        pb__string_entry__init(&entries[i]);
        entries[i].key = (char *)bench(16);
        (void)snprintf(entries[i].key, 16, "%zu", i);
        list[i] = &entries[i];
    }
    metadata->attributes = list;
    metadata->n_attributes = ATTRIBUTES;
    const xmtp_mls_commit_options options =
        replacing(&t.mallory, &t.group, XMTP_EXTENSION_MUTABLE_METADATA, encoded(&metadata->base));
    commit_raw(&t.mallory, &t.group, &options);
    assert_calm_after(&t, "");
    end(&t);
}

static void permissions_of_many_entries_do_not_take_for_ever(void **state)
{
    (void)state;
    enum { ENTRIES = 200000 };
    trio t;
    Pb__PolicySet *policies;
    Pb__GroupMutablePermissions permissions = PB__GROUP_MUTABLE_PERMISSIONS__INIT;
    begin(&t);
    xmtp_bytes data = kept(extension_of(&t.mallory, &t.group, XMTP_EXTENSION_PERMISSIONS));
    assert_int_equal(xmtp_permissions_decode(&lab, data, &policies), XMTP_OK);
    Pb__MetadataPolicyEntry *entries = (void *)bench(ENTRIES * sizeof(*entries));
    Pb__MetadataPolicyEntry **list = (void *)bench(ENTRIES * sizeof(*list));
    for (size_t i = 0; i < ENTRIES; i++) {
        entries[i] = *policies->update_metadata_policy[0];
        entries[i].key = (char *)bench(16);
        (void)snprintf(entries[i].key, 16, "%zu", i);
        list[i] = &entries[i];
    }
    policies->update_metadata_policy = list;
    policies->n_update_metadata_policy = ENTRIES;
    permissions.policies = policies;
    const xmtp_mls_commit_options options =
        replacing(&t.mallory, &t.group, XMTP_EXTENSION_PERMISSIONS, encoded(&permissions.base));
    commit_raw(&t.mallory, &t.group, &options);
    assert_calm_after(&t, "");
    end(&t);
}

static void a_membership_of_many_inboxes_does_not_take_for_ever(void **state)
{
    (void)state;
    enum { INBOXES = 100000 };
    trio t;
    begin(&t);
    Pb__GroupMembership *membership = membership_of(&t.mallory, &t.group);
    Pb__SequenceEntry *entries = (void *)bench(INBOXES * sizeof(*entries));
    Pb__SequenceEntry **list = (void *)bench((INBOXES + 3) * sizeof(*list));
    memcpy(list, membership->members, 3 * sizeof(*list));
    for (size_t i = 0; i < INBOXES; i++) {
        pb__sequence_entry__init(&entries[i]);
        entries[i].key = (char *)bench(65);
        (void)snprintf(entries[i].key, 65, "%064zx", i);
        entries[i].has_value = 1;
        entries[i].value = 1;
        list[3 + i] = &entries[i];
    }
    membership->members = list;
    membership->n_members = INBOXES + 3;
    const xmtp_mls_commit_options options =
        replacing(&t.mallory, &t.group, XMTP_EXTENSION_MEMBERSHIP, encoded(&membership->base));
    commit_raw(&t.mallory, &t.group, &options);
    assert_calm_after(&t, "");
    end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_NETWORK(commits_that_nobody_may_make_change_nothing),
        ON_NETWORK(many_forbidden_commits_between_messages_lose_no_message),
        ON_NETWORK(a_rename_that_the_policies_deny_changes_nothing),
        ON_NETWORK(a_revoked_device_can_change_nothing_any_more),
        ON_NETWORK(garbage_in_the_right_shape_is_stepped_over),
        ON_NETWORK(messages_of_other_epochs_are_stepped_over),
        ON_NETWORK(a_message_from_the_future_does_not_stop_a_stream),
        ON_NETWORK(replayed_bytes_are_seen_once),
        ON_NETWORK(a_proposal_on_its_own_is_stepped_over),
        ON_NETWORK(a_public_message_is_not_shown),
        ON_NETWORK(plaintexts_that_are_no_envelope_are_not_stored),
        ON_NETWORK(content_that_does_not_parse_is_kept_as_unknown),
        ON_NETWORK(texts_that_are_no_utf8_have_no_text),
        ON_NETWORK(a_zero_byte_in_a_text_is_a_character_like_others),
        ON_NETWORK(a_told_membership_change_is_not_believed),
        ON_NETWORK(a_message_repeated_under_its_own_id_is_one_message),
        ON_NETWORK(a_huge_text_arrives_and_those_after_it),
        ON_NETWORK(an_envelope_of_millions_of_fields_blocks_nobody),
        ON_NETWORK(content_of_millions_of_fields_blocks_nobody),
        ON_NETWORK(a_context_of_many_attributes_does_not_take_for_ever),
        ON_NETWORK(permissions_of_many_entries_do_not_take_for_ever),
        ON_NETWORK(a_membership_of_many_inboxes_does_not_take_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
