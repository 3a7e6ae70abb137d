/* identity_vectors_test.c - the identity updates that the official client published: texts,
 * digests, signatures, states, and what happens when any byte of them is changed.
 */
#include "identity/test_support.h"

static uint64_t number(const cJSON *object, const char *name)
{
    return strtoull(text_of(object, name), NULL, 10);
}

static xmtp_wire_update decoded(xmtp_bytes update)
{
    xmtp_wire_update out;
    ok(xmtp_wire_update_decode(update, XMTP_IDENTITY_ACTIONS_MAX, &arena, &out, NULL));
    return out;
}

static void texts_are_the_official_ones_and_encoding_gives_the_same_bytes(void **state)
{
    (void)state;
    size_t count = 0;
    cJSON *json = vectors("identity-updates.json");
    const cJSON *inbox;
    const cJSON *v;
    cJSON_ArrayForEach(inbox, item(json, "inboxes"))
    {
        cJSON_ArrayForEach(v, item(inbox, "updates"))
        {
            xmtp_bytes update = hex_item(v, "identity_update_protobuf");
            xmtp_wire_update wire = decoded(update);
            assert_int_equal(wire.client_timestamp_ns, number(v, "client_timestamp_ns"));
            assert_bytes(update_text(&wire), xmtp_bytes_of_string(text_of(v, "signature_text")));
            assert_bytes(encoded(&wire), update);
            xmtp_bytes inbox_id;
            ok(xmtp_wire_update_inbox_id(update, &inbox_id));
            assert_bytes(inbox_id, xmtp_bytes_of_string(text_of(inbox, "inbox_id")));
            count++;
        }
    }
    assert_int_equal(count, 11);
    cJSON_Delete(json);
}

static const xmtp_wallet *wallet_with(const cJSON *json, const char *address)
{
    char wanted[XMTP_ADDRESS_LEN + 1];
    ok(xmtp_address_normalize(address, wanted, NULL));
    const cJSON *client;
    cJSON_ArrayForEach(client, item(json, "clients"))
    {
        const xmtp_wallet *wallet = wallet_of(text_of(client, "wallet_private_key"));
        if (strcmp(wallet->address, wanted) == 0) {
            return wallet;
        }
    }
    const xmtp_wallet *second = wallet_of(text_of(item(json, "second_wallet"), "private_key"));
    assert_string_equal(second->address, wanted);
    return second;
}

static void wallet_signatures_are_made_again_bit_by_bit(void **state)
{
    (void)state;
    size_t count = 0;
    cJSON *json = vectors("identity-updates.json");
    const cJSON *v;
    cJSON_ArrayForEach(v, item(json, "wallet_signatures"))
    {
        xmtp_bytes text = xmtp_bytes_of_string(text_of(v, "signature_text"));
        uint8_t digest[32];
        xmtp_wallet_digest(text, digest);
        assert_bytes(xmtp_bytes_of(digest, 32), hex_item(v, "eip191_hash"));
        uint8_t signature[XMTP_WALLET_SIGNATURE_LEN];
        ok(xmtp_wallet_sign(wallet_with(json, text_of(v, "address")), text, signature));
        assert_bytes(xmtp_bytes_of(signature, sizeof signature), hex_item(v, "signature"));
        count++;
    }
    assert_int_equal(count, 11);
    cJSON_Delete(json);
}

static void inbox_ids_of_the_clients_are_reproduced(void **state)
{
    (void)state;
    cJSON *json = vectors("identity-updates.json");
    const cJSON *client;
    cJSON_ArrayForEach(client, item(json, "clients"))
    {
        char id[XMTP_INBOX_ID_LEN + 1];
        ok(xmtp_inbox_id_of_address(text_of(client, "address"), 1, id, NULL));
        assert_string_equal(id, text_of(client, "inbox_id"));
    }
    cJSON_Delete(json);
}

/* Folds the log of one inbox, also through encode and decode between any two updates. */
static void fold_log(const cJSON *inbox, unsigned flags)
{
    xmtp_association *direct = new_state();
    xmtp_association *cached = new_state();
    const cJSON *v;
    cJSON_ArrayForEach(v, item(inbox, "updates"))
    {
        xmtp_bytes update = hex_item(v, "identity_update_protobuf");
        xmtp_error error = {0};
        if (xmtp_association_apply(direct, update, NULL, flags, &error) != XMTP_OK) {
            fail_msg("%s", error.text);
        }
        fold(cached, update);
        xmtp_bytes record = record_of(cached);
        xmtp_association_free(cached);
        ok(xmtp_association_decode(&cached, heap(), record));
        assert_bytes(record_of(cached), record_of(direct));
        assert_int_not_equal(xmtp_association_apply(cached, update, NULL, flags, NULL), XMTP_OK);
        assert_bytes(record_of(cached), record_of(direct));
    }
    assert_string_equal(xmtp_association_inbox_id(direct), text_of(inbox, "inbox_id"));
    xmtp_association_free(direct);
    xmtp_association_free(cached);
}

static void every_log_folds_and_a_cached_state_equals_a_folded_one(void **state)
{
    (void)state;
    cJSON *json = vectors("identity-updates.json");
    const cJSON *inbox;
    cJSON_ArrayForEach(inbox, item(json, "inboxes"))
    {
        fold_log(inbox, 0);
        fold_log(inbox, XMTP_ASSOCIATION_PUBLISH);
        fold_log(inbox, XMTP_ASSOCIATION_ACCEPTED);
    }
    cJSON_Delete(json);
}

/* The first inbox: create and A's installation, A2's installation, a second wallet, that wallet
 * revoked, the recovery changed there and back, A2's installation revoked. */
static void the_long_log_ends_in_the_state_that_its_updates_tell(void **state)
{
    (void)state;
    cJSON *json = vectors("identity-updates.json");
    const cJSON *clients = item(json, "clients");
    const cJSON *a = item(clients, "A");
    xmtp_association *s = new_state();
    const cJSON *v;
    cJSON_ArrayForEach(v, item(cJSON_GetArrayItem(item(json, "inboxes"), 0), "updates"))
    {
        fold(s, hex_item(v, "identity_update_protobuf"));
    }
    assert_true(xmtp_association_has_installation(s, hex_item(a, "installation_id").p));
    assert_false(
        xmtp_association_has_installation(s, hex_item(item(clients, "A2"), "installation_id").p));
    xmtp_identifier wallet = id_of(wallet_of(text_of(a, "wallet_private_key")));
    xmtp_identifier recovery = xmtp_association_recovery(s);
    assert_true(xmtp_identifier_equal(&wallet, &recovery));
    assert_int_equal(xmtp_association_member_count(s), 2);
    xmtp_association_free(s);
    cJSON_Delete(json);
}

/* ---- negative space */

typedef struct tally {
    size_t refused;
    size_t accepted;
} tally;

/* A changed update is refused, or what was changed is not signed: then the state has the same
 * shape, with another fraction of a second or another form of v in it. */
static void try_changed(const xmtp_association *before, xmtp_bytes changed, xmtp_bytes record,
                        tally *t)
{
    xmtp_association *s;
    ok(xmtp_association_copy(before, &s));
    xmtp_error error = {0};
    xmtp_status status = xmtp_association_apply(s, changed, NULL, 0, &error);
    uint8_t *p;
    size_t n;
    ok(xmtp_association_encode(s, &p, &n));
    if (status == XMTP_OK) {
        t->accepted++;
        assert_int_equal(n, record.n);
    } else {
        t->refused++;
        assert_int_equal(error.status, status);
        assert_true(strlen(error.text) > 0);
        assert_int_not_equal(status, XMTP_E_INTERNAL);
    }
    (void)heap()->reallocate(heap()->context, p, 0);
    xmtp_association_free(s);
}

static void flip_everything(const xmtp_association *before, xmtp_bytes update, xmtp_bytes after,
                            tally *t)
{
    uint8_t *copy = room(update.n);
    for (size_t i = 0; i < update.n; i++) {
        memcpy(copy, update.p, update.n);
        copy[i] ^= (uint8_t)(1u << (i % 8));
        try_changed(before, xmtp_bytes_of(copy, update.n), after, t);
    }
}

static void cut_everywhere(const xmtp_association *before, xmtp_bytes update, xmtp_bytes after,
                           tally *t)
{
    for (size_t n = 0; n < update.n; n++) {
        try_changed(before, xmtp_bytes_of(update.p, n), after, t);
    }
}

static void changed_updates_are_refused(void **state)
{
    (void)state;
    cJSON *json = vectors("identity-updates.json");
    const cJSON *updates = item(cJSON_GetArrayItem(item(json, "inboxes"), 0), "updates");
    xmtp_association *s = new_state();
    const cJSON *v;
    tally cuts = {0};
    tally flips = {0};
    cJSON_ArrayForEach(v, updates)
    {
        xmtp_bytes update = hex_item(v, "identity_update_protobuf");
        xmtp_association *after;
        ok(xmtp_association_copy(s, &after));
        fold(after, update);
        xmtp_bytes record = record_of(after);
        xmtp_association_free(after);
        cut_everywhere(s, update, record, &cuts);
        flip_everything(s, update, record, &flips);
        fold(s, update);
    }
    /* Nothing of a signed update can be missing. */
    assert_int_equal(cuts.accepted, 0);
    /* What a flipped bit may change unnoticed is not signed: the nonce's and kinds' field numbers
     * and the nanoseconds below a second. */
    assert_true(flips.refused > 50 * flips.accepted); /* 1758 and 32 */
    xmtp_association_free(s);
    cJSON_Delete(json);
}

/* ---- records */

static void every_cut_or_flipped_record_is_refused_or_whole(void **state)
{
    (void)state;
    cJSON *json = vectors("identity-updates.json");
    const cJSON *updates = item(cJSON_GetArrayItem(item(json, "inboxes"), 0), "updates");
    xmtp_association *s = new_state();
    const cJSON *v;
    cJSON_ArrayForEach(v, updates)
    {
        fold(s, hex_item(v, "identity_update_protobuf"));
    }
    xmtp_bytes record = record_of(s);
    xmtp_association_free(s);
    for (size_t n = 0; n < record.n; n++) {
        assert_int_equal(xmtp_association_decode(&s, heap(), xmtp_bytes_of(record.p, n)),
                         XMTP_E_CORRUPT);
        assert_null(s);
    }
    uint8_t *copy = room(record.n);
    for (size_t i = 0; i < record.n; i++) {
        memcpy(copy, record.p, record.n);
        copy[i] ^= (uint8_t)(1u << (i % 8));
        xmtp_status status = xmtp_association_decode(&s, heap(), xmtp_bytes_of(copy, record.n));
        assert_true(status == XMTP_OK || status == XMTP_E_CORRUPT);
        xmtp_association_free(s);
    }
    cJSON_Delete(json);
}

/* ---- memory */

typedef struct meagre {
    size_t allocations;
    size_t fail_at;
} meagre;

static void *meagre_reallocate(void *context, void *p, size_t n)
{
    meagre *m = context;
    if (n > 0 && m->allocations++ == m->fail_at) {
        return NULL;
    }
    return heap()->reallocate(heap()->context, p, n);
}

static void every_failing_allocation_leaves_the_state_as_it_was(void **state)
{
    (void)state;
    cJSON *json = vectors("identity-updates.json");
    const cJSON *updates = item(cJSON_GetArrayItem(item(json, "inboxes"), 0), "updates");
    xmtp_bytes first = hex_item(cJSON_GetArrayItem(updates, 0), "identity_update_protobuf");
    xmtp_bytes second = hex_item(cJSON_GetArrayItem(updates, 1), "identity_update_protobuf");
    xmtp_status status = XMTP_E_NOMEM;
    size_t n = 0;
    for (; status != XMTP_OK; n++) {
        assert_true(n < 1000);
        meagre m = {.fail_at = SIZE_MAX};
        const xmtp_alloc alloc = {.context = &m, .reallocate = meagre_reallocate};
        xmtp_association *s;
        ok(xmtp_association_new(&s, &alloc));
        fold(s, first);
        xmtp_bytes before = record_of(s);
        m = (meagre){.fail_at = n};
        status = xmtp_association_apply(s, second, NULL, 0, NULL);
        m.fail_at = SIZE_MAX;
        if (status != XMTP_OK) {
            assert_int_equal(status, XMTP_E_NOMEM);
            assert_bytes(record_of(s), before);
        }
        xmtp_association_free(s);
    }
    assert_true(n > 3);
    cJSON_Delete(json);
}

/* ---- differences */

static xmtp_status count_one(void *context, const xmtp_association_member *member)
{
    assert_non_null(member);
    ++*(size_t *)context;
    return XMTP_OK;
}

static xmtp_status stop(void *context, const xmtp_association_member *member)
{
    (void)context;
    (void)member;
    return XMTP_E_CANCELLED;
}

static size_t minus(const xmtp_association *a, const xmtp_association *b)
{
    size_t count = 0;
    ok(xmtp_association_minus(a, b, &count, count_one));
    return count;
}

static void the_difference_of_two_states_is_told_in_both_directions(void **state)
{
    (void)state;
    cJSON *json = vectors("identity-updates.json");
    const cJSON *updates = item(cJSON_GetArrayItem(item(json, "inboxes"), 0), "updates");
    xmtp_association *before = new_state();
    xmtp_association *after;
    fold(before, hex_item(cJSON_GetArrayItem(updates, 0), "identity_update_protobuf"));
    ok(xmtp_association_copy(before, &after));
    assert_int_equal(minus(after, before), 0);
    fold(after, hex_item(cJSON_GetArrayItem(updates, 1), "identity_update_protobuf"));
    assert_int_equal(minus(after, before), 1);
    assert_int_equal(minus(before, after), 0);
    assert_int_equal(xmtp_association_minus(after, before, NULL, stop), XMTP_E_CANCELLED);
    xmtp_association_free(before);
    xmtp_association_free(after);
    cJSON_Delete(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(texts_are_the_official_ones_and_encoding_gives_the_same_bytes),
        TEST(wallet_signatures_are_made_again_bit_by_bit),
        TEST(inbox_ids_of_the_clients_are_reproduced),
        TEST(every_log_folds_and_a_cached_state_equals_a_folded_one),
        TEST(the_long_log_ends_in_the_state_that_its_updates_tell),
        TEST(changed_updates_are_refused),
        TEST(every_cut_or_flipped_record_is_refused_or_whole),
        TEST(every_failing_allocation_leaves_the_state_as_it_was),
        TEST(the_difference_of_two_states_is_told_in_both_directions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
