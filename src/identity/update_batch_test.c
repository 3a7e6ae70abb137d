/* update_batch_test.c - what is verified together gets the verdicts, states and sentences of what is
 * verified one by one, and costs as few rounds of lanes as there can be. */
#include "identity/update_batch.h"

#include "base/together.h"
#include "crypto/lanes.h"
#include "crypto/test_counted.h"
#include "identity/test_scene.h"

#include <sodium.h>

static xmtp_update_batch batch;

static int set_up_batch(void **state)
{
    memset(&counted, 0, sizeof counted);
    xmtp_lanes_allow(XMTP_LANES_AVX512);
    xmtp_together_assume(4);
    xmtp_update_batch_init(&batch, heap());
    return set_up(state);
}

static int tear_down_batch(void **state)
{
    xmtp_update_batch_clear(&batch);
    xmtp_lanes_allow(XMTP_LANES_AVX512);
    xmtp_together_assume(0);
    return tear_down(state);
}

#define BATCH_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_batch, tear_down_batch)

/* Machines of all kinds: with lanes of each kind and without, and with one processor and with several. */
enum { KINDS = XMTP_LANES_AVX512 + 1, MACHINES = 2 * KINDS };

static void be_machine(size_t i)
{
    xmtp_lanes_allow((xmtp_lanes_kind)(XMTP_LANES_AVX512 - i % KINDS));
    xmtp_together_assume(i / KINDS == 0 ? 4 : 1);
}

/* One of those that collect, as far as this machine can be one: lanes it may not have. */
static void be_collecting_machine(size_t i)
{
    be_machine(i % (MACHINES - 1));
    if (!xmtp_has_lanes()) {
        xmtp_together_assume(4);
    }
}

/* ---- chance that can be repeated */

static uint64_t dice;

static size_t below(size_t n)
{
    uint64_t z = (dice += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (size_t)((z ^ (z >> 31)) % n);
}

/* ---- updates, each the first of an inbox of its own */

static const xmtp_installation *any_installation(void)
{
    return installation_of((uint8_t)(1 + below(255)));
}

static void inbox_of_nonce(uint64_t nonce, char inbox[XMTP_INBOX_ID_LEN + 1])
{
    ok(xmtp_inbox_id_of_address(wallet_of(wallet_0_key)->address, nonce, inbox, NULL));
}

static xmtp_bytes registration(uint64_t nonce)
{
    char inbox[XMTP_INBOX_ID_LEN + 1];
    const xmtp_wallet *alice = wallet_of(wallet_0_key);
    const deed deeds[] = {create_by(alice, nonce), add_app(wallet_hand(alice), any_installation())};
    inbox_of_nonce(nonce, inbox);
    return update_of(inbox, at(T0), deeds, 2);
}

/* Signatures of every kind, and by installations in both places. */
static xmtp_bytes mixture(uint64_t nonce)
{
    char inbox[XMTP_INBOX_ID_LEN + 1];
    const xmtp_wallet *alice = wallet_of(wallet_0_key);
    const xmtp_installation *phone = any_installation();
    const deed deeds[] = {
        create_by(alice, nonce),
        add_app(wallet_hand(alice), phone),
        add_wallet(installation_hand(phone), wallet_of(wallet_1_key)),
        add_app(wallet_hand(wallet_of(wallet_1_key)), any_installation()),
        add_app(
            (hand){.kind = XMTP_SIGNATURE_CONTRACT, .account_id = "eip155:1:0x1", .bytes = "aa"},
            any_installation()),
    };
    inbox_of_nonce(nonce, inbox);
    return update_of(inbox, at(T0), deeds, 3 + below(3));
}

/* ---- what can be wrong with one */

typedef struct opened {
    xmtp_wire_update update;
    xmtp_wire_action *actions;
} opened;

static opened open_update(xmtp_bytes in)
{
    opened o;
    ok(xmtp_wire_update_decode(in, XMTP_IDENTITY_ACTIONS_MAX, &arena, &o.update, NULL));
    o.actions = room(o.update.action_count * sizeof *o.actions);
    memcpy(o.actions, o.update.actions, o.update.action_count * sizeof *o.actions);
    o.update.actions = o.actions;
    return o;
}

/* A signature of an installation, writable. */
static xmtp_wire_signature *writable_signature(opened *o)
{
    for (;;) {
        xmtp_wire_action *a = &o->actions[below(o->update.action_count)];
        xmtp_wire_signature *s = below(2) == 0 ? &a->signature : &a->new_member_signature;
        if (s->kind == XMTP_SIGNATURE_INSTALLATION) {
            s->bytes = copy_of(s->bytes);
            s->public_key = copy_of(s->public_key);
            return s;
        }
    }
}

static uint8_t *writable(xmtp_bytes bytes)
{
    return (uint8_t *)(uintptr_t)bytes.p;
}

static void flip(uint8_t *p, size_t n)
{
    p[below(n)] ^= (uint8_t)(1 << below(8));
}

static void damage_nothing(opened *o)
{
    (void)o;
}

static void damage_key(opened *o)
{
    flip(writable(writable_signature(o)->public_key), 32);
}

static void damage_r(opened *o)
{
    flip(writable(writable_signature(o)->bytes), 32);
}

static void damage_s(opened *o)
{
    flip(writable(writable_signature(o)->bytes) + 32, 32);
}

static void damage_text(opened *o)
{
    o->update.client_timestamp_ns += SECOND;
}

static void damage_length(opened *o)
{
    writable_signature(o)->bytes.n -= 1 + below(64);
}

/* A signature of a wallet, writable. */
static uint8_t *writable_wallet(opened *o)
{
    xmtp_wire_action *a = &o->actions[below(2)];
    a->signature.bytes = copy_of(a->signature.bytes);
    return writable(a->signature.bytes);
}

static void damage_wallet(opened *o)
{
    flip(writable_wallet(o), 65);
}

/* r = 0, or s above the group order: of no key at all. */
static void damage_wallet_range(opened *o)
{
    memset(writable_wallet(o) + 32 * below(2), (int)(0xff * below(2)), 32);
}

static void damage_wallet_parity(opened *o)
{
    static const uint8_t values[] = {0, 1, 2, 26, 27, 28, 29, 34, 35, 36, 255};
    writable_wallet(o)[64] = values[below(COUNT(values))];
}

static void damage_wallet_length(opened *o)
{
    xmtp_wire_action *a = &o->actions[below(2)];
    a->signature.bytes.n -= 1 + below(2);
}

/* S + L: right by the equation, and refused. */
static void damage_order(opened *o)
{
    const xmtp_bytes order = hex("edd3f55c1a631258d69cf7a2def9de14"
                                 "00000000000000000000000000000010");
    uint8_t *s = writable(writable_signature(o)->bytes) + 32;
    unsigned carry = 0;
    for (size_t i = 0; i < 32; i++) {
        const unsigned sum = s[i] + order.p[i] + carry;
        s[i] = (uint8_t)sum;
        carry = sum >> 8;
    }
}

/* y of points of small order, in their shortest encodings. */
static const char *const small_orders[] = {
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
};

/* Key and R of small order, S = 0: right for some texts. The member is that key, so that nothing else is
 * in its way. */
static void damage_small(opened *o)
{
    xmtp_wire_action *a = &o->actions[1];
    const xmtp_bytes key = hex(small_orders[below(COUNT(small_orders))]);
    uint8_t *signature = room(64);
    memcpy(signature, hex(small_orders[below(2)]).p, 32);
    a->subject = xmtp_identifier_installation(key.p);
    a->new_member_signature = (xmtp_wire_signature){.kind = XMTP_SIGNATURE_INSTALLATION,
                                                    .bytes = xmtp_bytes_of(signature, 64),
                                                    .public_key = key};
    /* The text has changed: the wallet signs it as well. */
    const hand alice = wallet_hand(wallet_of(wallet_0_key));
    o->actions[0].signature = sign_with(&alice, update_text(&o->update));
    a->signature = o->actions[0].signature;
}

/* A + T of mixed order, under which the owner of A has not signed. */
static void damage_mixed(opened *o)
{
    uint8_t *key = writable(writable_signature(o)->public_key);
    (void)crypto_core_ed25519_add(key, key, hex(small_orders[4]).p);
}

static void (*const damages[])(opened *o) = {
    damage_nothing,
    damage_key,
    damage_r,
    damage_s,
    damage_text,
    damage_length,
    damage_order,
    damage_small,
    damage_nothing,
    damage_mixed,
    damage_nothing,
    damage_wallet,
    damage_wallet_range,
    damage_wallet_parity,
    damage_wallet_length,
};

static xmtp_bytes damaged(xmtp_bytes update, void (*damage)(opened *o))
{
    opened o = open_update(update);
    damage(&o);
    return encoded(&o.update);
}

/* ---- the same verdict */

/* In the batch and without it: the same status, sentence and state. */
static xmtp_status assert_folds_alike(xmtp_bytes update)
{
    const xmtp_verifier verifier = {.batch = &batch};
    xmtp_association *alone = new_state();
    xmtp_association *together = new_state();
    xmtp_error why = {0};
    xmtp_error why_together = {0};
    const xmtp_status status = xmtp_association_apply(alone, update, NULL, 0, &why);
    assert_string_equal(
        xmtp_status_name(xmtp_association_apply(together, update, &verifier, 0, &why_together)),
        xmtp_status_name(status));
    assert_string_equal(why_together.text, why.text);
    assert_bytes(record_of(together), record_of(alone));
    xmtp_association_free(alone);
    xmtp_association_free(together);
    return status;
}

static void assert_all_fold_alike(const xmtp_bytes *updates, size_t count, size_t *good)
{
    xmtp_update_batch_clear(&batch);
    for (size_t i = 0; i < count; i++) {
        assert_true(xmtp_update_batch_put(&batch, updates[i]));
    }
    xmtp_update_batch_verify(&batch);
    for (size_t i = 0; i < count; i++) {
        *good += assert_folds_alike(updates[i]) == XMTP_OK;
    }
}

static void good_and_damaged_updates_fold_as_without_a_batch(void **state)
{
    (void)state;
    enum { ROUNDS = 48, UPDATES = 8 };
    size_t good = 0;
    dice = 1;
    for (size_t round = 0; round < ROUNDS; round++) {
        be_machine(round % MACHINES);
        xmtp_bytes updates[UPDATES];
        const size_t count = 1 + below(UPDATES);
        for (size_t i = 0; i < count; i++) {
            const uint64_t nonce = 1 + below(1000);
            updates[i] = below(2) == 0 ? registration(nonce) : mixture(nonce);
            updates[i] = damaged(updates[i], damages[below(COUNT(damages))]);
        }
        assert_all_fold_alike(updates, count, &good);
    }
    assert_true(good > ROUNDS / 2);
}

static void keys_of_small_order_fold_as_without_a_batch(void **state)
{
    (void)state;
    enum { UPDATES = 128 };
    size_t good = 0;
    dice = 2;
    for (size_t done = 0; done < UPDATES; done += 8) {
        xmtp_bytes updates[8];
        for (size_t i = 0; i < 8; i++) {
            updates[i] = damaged(registration(done + i), damage_small);
        }
        assert_all_fold_alike(updates, 8, &good);
    }
    assert_true(good > UPDATES / 20 && good < UPDATES); /* both verdicts came up */
}

static void each_verdict_of_a_batch_is_that_of_one_signature(void **state)
{
    (void)state;
    size_t refused = 0;
    dice = 3;
    for (size_t round = 0; round < 9; round++) {
        be_collecting_machine(round);
        xmtp_update_batch_clear(&batch);
        while (xmtp_update_batch_put(
            &batch, damaged(registration(below(1000)), damages[below(COUNT(damages))]))) {
        }
        assert_true(batch.count == XMTP_UPDATE_BATCH_MAX ||
                    batch.wallet_count >= XMTP_UPDATE_BATCH_MAX - 1);
        xmtp_update_batch_verify(&batch);
        for (size_t i = 0; i < batch.count; i++) {
            const xmtp_signature_check *c = &batch.checks[i];
            xmtp_status verdict = XMTP_E_CRYPTO;
            assert_true(xmtp_update_batch_find(&batch, c->pk, c->message, c->signature, &verdict));
            assert_int_equal(verdict,
                             xmtp_installation_verify_update(c->pk.p, c->message, c->signature.p));
            refused += verdict != XMTP_OK;
        }
    }
    assert_true(refused > 100 && refused < 400);
}

/* Recovered by itself. */
static xmtp_wallet_check recovered(xmtp_bytes text, xmtp_bytes signature)
{
    xmtp_wallet_check w = {.text = text, .signature = signature};
    uint8_t digest[32];
    xmtp_wallet_digest(text, digest);
    w.verdict = xmtp_secp256k1_recover(digest, signature.p, w.address, w.normalized);
    return w;
}

static void each_wallet_of_a_batch_is_that_of_one_signature(void **state)
{
    (void)state;
    static void (*const kinds[])(opened * o) = {damage_nothing, damage_wallet, damage_wallet_range,
                                                damage_wallet_parity, damage_text};
    size_t refused = 0;
    dice = 13;
    for (size_t round = 0; round < 6; round++) {
        be_collecting_machine(round);
        xmtp_update_batch_clear(&batch);
        while (xmtp_update_batch_put(
            &batch, damaged(registration(below(1000)), kinds[below(COUNT(kinds))]))) {
        }
        assert_true(batch.wallet_count >= XMTP_UPDATE_BATCH_MAX - 1);
        xmtp_update_batch_verify(&batch);
        for (size_t i = 0; i < batch.wallet_count; i++) {
            const xmtp_bytes text = batch.wallets[i].text;
            const xmtp_bytes signature = batch.wallets[i].signature;
            const xmtp_wallet_check *w = xmtp_update_batch_wallet(&batch, text, signature);
            const xmtp_wallet_check alone = recovered(text, signature);
            assert_ptr_equal(w, &batch.wallets[i]);
            assert_int_equal(w->verdict, alone.verdict);
            assert_memory_equal(w->address, alone.address, sizeof alone.address);
            assert_memory_equal(w->normalized, alone.normalized, sizeof alone.normalized);
            refused += w->verdict != XMTP_OK;
        }
    }
    assert_true(refused > 40 && refused < 300);
}

/* ---- lanes refuse nothing */

static void fault_of_a_bit(uint8_t points[8][64])
{
    for (size_t i = 0; i < 8; i++) {
        points[i][i] ^= 1;
    }
}

/* Each lane has the key of the next but one: of another log, where each has two updates. */
static void fault_of_places(uint8_t points[8][64])
{
    uint8_t first[2][64];
    memcpy(first, points[0], sizeof first);
    memmove(points[0], points[2], 6 * sizeof points[0]);
    memcpy(points[6], first, sizeof first);
}

/* The first update of an inbox of another wallet each, and one more by the same wallet, which the text does
 * not name. */
static void two_updates(xmtp_bytes updates[2], size_t i)
{
    char inbox[XMTP_INBOX_ID_LEN + 1];
    char key[65];
    (void)snprintf(key, sizeof key, "%064zx", 2000 + i);
    const xmtp_wallet *owner = wallet_of(key);
    const deed first[] = {create_by(owner, 1), add_app(wallet_hand(owner), any_installation())};
    const deed second[] = {add_app(wallet_hand(owner), any_installation())};
    ok(xmtp_inbox_id_of_address(owner->address, 1, inbox, NULL));
    updates[0] = update_of(inbox, at(T0), first, 2);
    updates[1] = update_of(inbox, at(T0), second, 1);
}

/* Eight logs of two updates, folded with what the batch says. Returns how many wallets were asked for singly. */
static size_t folding_good_logs_costs(void)
{
    enum { LOGS = 8 };
    xmtp_bytes updates[LOGS][2];
    const xmtp_verifier verifier = {.batch = &batch};
    xmtp_update_batch_clear(&batch);
    for (size_t i = 0; i < LOGS; i++) {
        two_updates(updates[i], i);
        assert_true(xmtp_update_batch_put(&batch, updates[i][0]));
        assert_true(xmtp_update_batch_put(&batch, updates[i][1]));
    }
    counted.recovered = 0;
    xmtp_update_batch_verify(&batch);
    for (size_t i = 0; i < LOGS; i++) {
        xmtp_association *s = new_state();
        ok(xmtp_association_apply(s, updates[i][0], &verifier, 0, NULL));
        ok(xmtp_association_apply(s, updates[i][1], &verifier, 0, NULL));
        xmtp_association_free(s);
    }
    return counted.recovered;
}

static void a_fault_in_lanes_costs_time_and_refuses_nobody(void **state)
{
    (void)state;
    if (!xmtp_has_lanes()) {
        print_message("skipped: this machine has neither AVX2 nor AVX-512 IFMA\n");
        skip();
    }
    dice = 16;
    assert_int_equal(folding_good_logs_costs(), 0);
    counted.fault = fault_of_a_bit;
    assert_int_equal(folding_good_logs_costs(), 16);
    counted.fault = fault_of_places;
    assert_int_equal(folding_good_logs_costs(), 16);
}

/* ---- nothing else is taken for verified */

static void another_key_text_or_signature_is_verified_by_the_fold(void **state)
{
    (void)state;
    static void (*const changes[])(opened * o) = {damage_key, damage_r, damage_s, damage_text};
    dice = 4;
    const xmtp_bytes update = registration(7);
    assert_true(xmtp_update_batch_put(&batch, update));
    assert_true(xmtp_update_batch_put(&batch, registration(8)));
    xmtp_update_batch_verify(&batch);
    counted.singly = 0;
    for (size_t i = 0; i < 200; i++) {
        const xmtp_bytes other = damaged(update, changes[i % COUNT(changes)]);
        assert_int_not_equal(assert_folds_alike(other), XMTP_OK);
    }
    assert_int_equal(counted.singly, 2 * 200);
    assert_int_equal(assert_folds_alike(update), XMTP_OK);
}

static void another_text_or_signature_of_a_wallet_is_recovered_by_the_fold(void **state)
{
    (void)state;
    dice = 14;
    const xmtp_bytes update = registration(7);
    assert_true(xmtp_update_batch_put(&batch, update));
    assert_true(xmtp_update_batch_put(&batch, registration(8)));
    xmtp_update_batch_verify(&batch);
    assert_int_equal(counted.recovered, xmtp_has_lanes() ? 0 : 2);
    assert_int_equal(counted.wallet_lanes, xmtp_has_lanes() ? 1 : 0);
    for (size_t i = 0; i < 100; i++) {
        opened o = open_update(update);
        o.actions[0].signature.bytes = copy_of(o.actions[0].signature.bytes);
        o.actions[1].signature = o.actions[0].signature;
        if (i % 2 == 0) {
            flip(writable(o.actions[0].signature.bytes), 64);
        } else {
            o.update.client_timestamp_ns += i * SECOND;
        }
        counted.recovered = 0;
        assert_int_not_equal(assert_folds_alike(encoded(&o.update)), XMTP_OK);
        assert_int_equal(counted.recovered, 2); /* one fold without the batch, and one with it */
    }
    counted.recovered = 0;
    assert_int_equal(assert_folds_alike(update), XMTP_OK);
    assert_int_equal(counted.recovered, 1);
}

static bool is_found(const xmtp_update_batch *in, const xmtp_signature_check *c)
{
    xmtp_status verdict = XMTP_E_CRYPTO;
    const bool is_there = xmtp_update_batch_find(in, c->pk, c->message, c->signature, &verdict);
    assert_int_equal(verdict, is_there ? XMTP_OK : XMTP_E_CRYPTO);
    return is_there;
}

static void there_are_no_verdicts_before_verify_and_after_clear(void **state)
{
    (void)state;
    dice = 5;
    assert_true(xmtp_update_batch_put(&batch, registration(1)));
    assert_true(xmtp_update_batch_put(&batch, registration(2)));
    const xmtp_signature_check first = batch.checks[0];
    const xmtp_bytes text = copy_of(first.message); /* the batch's own ends with it */
    const xmtp_signature_check kept = {
        .pk = first.pk, .message = text, .signature = first.signature};
    const xmtp_bytes signature = batch.wallets[0].signature;
    assert_false(is_found(&batch, &kept));
    assert_false(is_found(NULL, &kept));
    assert_null(xmtp_update_batch_wallet(&batch, text, signature));
    assert_null(xmtp_update_batch_wallet(NULL, text, signature));
    xmtp_update_batch_verify(&batch);
    assert_non_null(xmtp_update_batch_wallet(&batch, text, signature));
    assert_true(is_found(&batch, &kept));
    assert_true(xmtp_update_batch_put(&batch, registration(3)));
    assert_true(is_found(&batch, &kept));
    assert_false(is_found(&batch, &batch.checks[2]));
    assert_null(
        xmtp_update_batch_wallet(&batch, batch.wallets[2].text, batch.wallets[2].signature));
    xmtp_update_batch_clear(&batch);
    assert_false(is_found(&batch, &kept));
    assert_null(xmtp_update_batch_wallet(&batch, text, signature));
}

/* ---- what goes in */

static xmtp_bytes update_of_installations(size_t actions)
{
    deed *deeds = room(actions * sizeof *deeds);
    char inbox[XMTP_INBOX_ID_LEN + 1];
    for (size_t i = 0; i < actions; i++) {
        deeds[i] = add_app(installation_hand(installation_of((uint8_t)(2 * i))),
                           installation_of((uint8_t)(2 * i + 1)));
    }
    inbox_of_nonce(1, inbox);
    return update_of(inbox, at(T0), deeds, actions);
}

/* A wallet adds so many others, each signing for itself. */
static xmtp_bytes update_of_wallets(size_t actions)
{
    deed *deeds = room(actions * sizeof *deeds);
    char inbox[XMTP_INBOX_ID_LEN + 1];
    for (size_t i = 0; i < actions; i++) {
        char key[65];
        (void)snprintf(key, sizeof key, "%064zx", 1000 + i);
        deeds[i] = add_wallet(wallet_hand(wallet_of(wallet_0_key)), wallet_of(key));
    }
    inbox_of_nonce(1, inbox);
    return update_of(inbox, at(T0), deeds, actions);
}

static void an_update_goes_in_as_a_whole_or_waits(void **state)
{
    (void)state;
    dice = 6;
    assert_true(xmtp_update_batch_put(&batch, registration(1)));
    assert_false(
        xmtp_update_batch_put(&batch, update_of_installations(XMTP_UPDATE_BATCH_ACTIONS_MAX)));
    assert_int_equal(batch.count, 1);
    xmtp_update_batch_clear(&batch);
    assert_true(
        xmtp_update_batch_put(&batch, update_of_installations(XMTP_UPDATE_BATCH_ACTIONS_MAX)));
    assert_int_equal(batch.count, XMTP_UPDATE_BATCH_MAX);
}

static void wallets_go_in_as_a_whole_or_wait(void **state)
{
    (void)state;
    dice = 15;
    const xmtp_bytes many = update_of_wallets(XMTP_UPDATE_BATCH_ACTIONS_MAX);
    assert_true(xmtp_update_batch_put(&batch, registration(1)));
    assert_int_equal(batch.wallet_count, 1); /* it signed twice, in the same way */
    assert_false(xmtp_update_batch_put(&batch, many));
    assert_int_equal(batch.wallet_count, 1);
    assert_int_equal(batch.count, 1);
    xmtp_update_batch_clear(&batch);
    assert_true(xmtp_update_batch_put(&batch, many));
    assert_int_equal(batch.wallet_count, XMTP_UPDATE_BATCH_ACTIONS_MAX + 1);
    assert_int_equal(batch.count, 0);
}

static void a_signature_in_several_places_goes_in_once(void **state)
{
    (void)state;
    char inbox[XMTP_INBOX_ID_LEN + 1];
    deed deeds[5];
    for (uint8_t i = 0; i < 5; i++) {
        deeds[i] = add_app(installation_hand(installation_of(9)), installation_of(i));
    }
    inbox_of_nonce(1, inbox);
    assert_true(xmtp_update_batch_put(&batch, update_of(inbox, at(T0), deeds, 5)));
    assert_int_equal(batch.count, 6);
}

static void what_is_unusual_is_left_to_the_fold(void **state)
{
    (void)state;
    dice = 7;
    const xmtp_bytes good = registration(1);
    const xmtp_bytes many = update_of_installations(XMTP_UPDATE_BATCH_ACTIONS_MAX + 1);
    uint8_t *padded = room(XMTP_UPDATE_BATCH_BYTES_MAX + 1); /* by an unknown field */
    memcpy(padded, good.p, good.n);
    const size_t rest = XMTP_UPDATE_BATCH_BYTES_MAX + 1 - good.n - 4;
    const uint8_t head[] = {0x7a, (uint8_t)(rest | 0x80), (uint8_t)((rest >> 7) | 0x80),
                            (uint8_t)(rest >> 14)};
    memcpy(padded + good.n, head, sizeof head);
    const xmtp_bytes large = xmtp_bytes_of(padded, XMTP_UPDATE_BATCH_BYTES_MAX + 1);
    const xmtp_bytes torn = xmtp_bytes_of(good.p, good.n - 1);
    const xmtp_bytes left_out[] = {many, large, torn, xmtp_bytes_of(NULL, 0)};
    for (size_t i = 0; i < COUNT(left_out); i++) {
        assert_true(xmtp_update_batch_put(&batch, left_out[i]));
        assert_int_equal(batch.count, 0);
    }
    xmtp_update_batch_verify(&batch);
    assert_int_equal(assert_folds_alike(large), XMTP_OK);
    assert_int_not_equal(assert_folds_alike(torn), XMTP_OK);
}

static void *no_memory(void *context, void *p, size_t n)
{
    size_t *left = context;
    if (n > 0 && (*left)-- == 0) {
        return NULL;
    }
    return heap()->reallocate(heap()->context, p, n);
}

static void without_memory_for_it_an_update_is_left_out(void **state)
{
    (void)state;
    dice = 8;
    const xmtp_bytes update = registration(1);
    size_t tries = 0;
    for (size_t count = 0; count == 0; tries++) {
        size_t left = tries;
        const xmtp_alloc alloc = {.context = &left, .reallocate = no_memory};
        xmtp_update_batch poor;
        xmtp_update_batch_init(&poor, &alloc);
        assert_true(xmtp_update_batch_put(&poor, update));
        count = poor.count;
        left = SIZE_MAX;
        xmtp_update_batch_clear(&poor);
    }
    assert_true(tries > 1);
}

static void a_machine_without_lanes_and_a_second_processor_collects_nothing(void **state)
{
    (void)state;
    dice = 9;
    xmtp_lanes_allow(XMTP_LANES_NONE);
    xmtp_together_assume(1);
    const xmtp_bytes update = registration(1);
    assert_true(xmtp_update_batch_put(&batch, update));
    assert_int_equal(batch.count, 0);
    assert_int_equal(batch.wallet_count, 0);
    assert_null(batch.arena.blocks);
    xmtp_update_batch_verify(&batch);
    assert_int_equal(assert_folds_alike(update), XMTP_OK);
    assert_int_equal(counted.lanes, 0);
}

/* ---- what it costs */

static void assert_costs(size_t rounds)
{
    enum { UPDATES = 50 };
    xmtp_bytes updates[UPDATES];
    const xmtp_verifier verifier = {.batch = &batch};
    dice = 10;
    memset(&counted, 0, sizeof counted);
    xmtp_update_batch_clear(&batch);
    for (size_t i = 0; i < UPDATES; i++) {
        updates[i] = registration(i);
        assert_true(xmtp_update_batch_put(&batch, updates[i]));
    }
    xmtp_update_batch_verify(&batch);
    const size_t recovered = xmtp_has_lanes() ? 0 : UPDATES;
    assert_int_equal(counted.recovered, recovered);
    for (size_t i = 0; i < UPDATES; i++) {
        xmtp_association *s = new_state();
        ok(xmtp_association_apply(s, updates[i], &verifier, 0, NULL));
        xmtp_association_free(s);
    }
    assert_int_equal(counted.recovered, recovered); /* not again by the fold */
    assert_int_equal(counted.lanes, rounds);
    assert_int_equal(counted.wallet_lanes, rounds);
    assert_int_equal(counted.singly, 0); /* by the fold */
}

static void eight_signatures_cost_one_round_of_lanes(void **state)
{
    (void)state;
    for (size_t i = 0; i < MACHINES - 1; i++) {
        be_collecting_machine(i);
        assert_costs(xmtp_has_lanes() ? (50 + 7) / 8 : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BATCH_TEST(good_and_damaged_updates_fold_as_without_a_batch),
        BATCH_TEST(keys_of_small_order_fold_as_without_a_batch),
        BATCH_TEST(each_verdict_of_a_batch_is_that_of_one_signature),
        BATCH_TEST(each_wallet_of_a_batch_is_that_of_one_signature),
        BATCH_TEST(a_fault_in_lanes_costs_time_and_refuses_nobody),
        BATCH_TEST(another_text_or_signature_of_a_wallet_is_recovered_by_the_fold),
        BATCH_TEST(another_key_text_or_signature_is_verified_by_the_fold),
        BATCH_TEST(there_are_no_verdicts_before_verify_and_after_clear),
        BATCH_TEST(an_update_goes_in_as_a_whole_or_waits),
        BATCH_TEST(wallets_go_in_as_a_whole_or_wait),
        BATCH_TEST(a_signature_in_several_places_goes_in_once),
        BATCH_TEST(what_is_unusual_is_left_to_the_fold),
        BATCH_TEST(without_memory_for_it_an_update_is_left_out),
        BATCH_TEST(a_machine_without_lanes_and_a_second_processor_collects_nothing),
        BATCH_TEST(eight_signatures_cost_one_round_of_lanes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
