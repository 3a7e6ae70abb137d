/* ed25519_many_test.c - many verifications of Ed25519 and Ed25519ph give what one at a time gives. */
#include "crypto/ed25519_lanes.h"
#include "crypto/ed25519_many.h"
#include "crypto/sodium_ready.h"
#include "crypto/test_hex.h"
#include "crypto/test_lanes.h"

#include <sodium.h>

#define CONTEXT "some context"

enum { PLAIN, PH, KINDS };

/* One signature with all that it is made of; sk and pk need not belong together. */
typedef struct item {
    uint8_t sk[32];
    uint8_t pk[32];
    uint8_t message[40];
    uint8_t signature[64];
    size_t pk_len, message_len, signature_len;
} item;

/* Numbers of a chain, so that a failure can be repeated. */
typedef struct chance {
    uint8_t state[32];
} chance;

static void next(chance *c)
{
    xmtp_hash_of(&xmtp_hash_sha256, xmtp_bytes_of(c->state, 32), c->state);
}

static size_t below(chance *c, size_t n)
{
    next(c);
    return ((size_t)c->state[0] << 16 | (size_t)c->state[1] << 8 | c->state[2]) % n;
}

static xmtp_signature_check check_of(const item *it)
{
    return (xmtp_signature_check){.pk = xmtp_bytes_of(it->pk, it->pk_len),
                                  .message = xmtp_bytes_of(it->message, it->message_len),
                                  .signature = xmtp_bytes_of(it->signature, it->signature_len),
                                  .verdict = XMTP_E_CRYPTO};
}

static xmtp_status verify_one(int kind, const item *it)
{
    const xmtp_signature_check c = check_of(it);
    if (kind == PLAIN) {
        return xmtp_signature_ed25519.verify(c.pk, c.message, c.signature);
    }
    XMTP_ENSURE(c.pk.n == 32, XMTP_E_KEY);
    XMTP_ENSURE(c.signature.n == 64, XMTP_E_SIGNATURE);
    return xmtp_ed25519ph_verify(it->pk, xmtp_bytes_of_string(CONTEXT), c.message, it->signature);
}

static void verify_many(int kind, xmtp_signature_check *checks, size_t count)
{
    if (kind == PLAIN) {
        xmtp_signature_verify_many(&xmtp_signature_ed25519, checks, count);
    } else {
        xmtp_ed25519ph_verify_many(xmtp_bytes_of_string(CONTEXT), checks, count);
    }
}

static void sign(int kind, item *it)
{
    const xmtp_bytes message = xmtp_bytes_of(it->message, it->message_len);
    size_t len;
    assert_int_equal(kind == PLAIN
                         ? xmtp_signature_ed25519.sign(it->sk, it->pk, message, it->signature, &len)
                         : xmtp_ed25519ph_sign(it->sk, it->pk, xmtp_bytes_of_string(CONTEXT),
                                               message, it->signature),
                     XMTP_OK);
}

static item signed_item(int kind, chance *c)
{
    item it = {.pk_len = 32, .signature_len = 64};
    next(c);
    memcpy(it.sk, c->state, 32);
    assert_int_equal(xmtp_signature_ed25519.public_key(it.sk, it.pk), XMTP_OK);
    next(c);
    memcpy(it.message, c->state, 32);
    it.message_len = below(c, sizeof it.message + 1);
    sign(kind, &it);
    return it;
}

static void assert_many_is_one_by_one(int kind, const item *items, size_t count)
{
    xmtp_signature_check checks[64];
    assert_true(count <= 64);
    for (size_t i = 0; i < count; i++) {
        checks[i] = check_of(&items[i]);
    }
    verify_many(kind, checks, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(checks[i].verdict, verify_one(kind, &items[i]));
    }
}

/* ---- points of small order ---- */

/* Every encoding of a point of small order: the shortest of the eight, and those with p added to y or
 * with the sign of a zero x. */
static const char *const small_orders[] = {
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
};
enum { SMALL_ORDERS = sizeof small_orders / sizeof small_orders[0], SHORTEST = 8 };

static void add_small_order(uint8_t p[32], size_t which)
{
    const test_hex t = hex(small_orders[which % SHORTEST]);
    assert_int_equal(crypto_core_ed25519_add(p, p, t.p), 0);
}

/* S + L satisfies the equation as S does. */
static void add_order(uint8_t s[32])
{
    const test_hex order = hex("edd3f55c1a631258d69cf7a2def9de14"
                               "00000000000000000000000000000010");
    unsigned carry = 0;
    for (size_t i = 0; i < 32; i++) {
        const unsigned sum = s[i] + order.p[i] + carry;
        s[i] = (uint8_t)sum;
        carry = sum >> 8;
    }
}

/* ---- what can be wrong ---- */

typedef void damage(int kind, item *it, chance *c);

static void damage_nothing(int kind, item *it, chance *c)
{
    (void)kind;
    (void)it;
    (void)c;
}

static void damage_key(int kind, item *it, chance *c)
{
    (void)kind;
    it->pk[below(c, 32)] ^= (uint8_t)(1 << below(c, 8));
}

static void damage_signature(int kind, item *it, chance *c)
{
    (void)kind;
    it->signature[below(c, 64)] ^= (uint8_t)(1 << below(c, 8));
}

static void damage_message(int kind, item *it, chance *c)
{
    (void)kind;
    it->message_len = it->message_len == 0 ? 1 : it->message_len - 1;
    (void)c;
}

static void damage_order(int kind, item *it, chance *c)
{
    (void)kind;
    (void)c;
    add_order(it->signature + 32);
}

static void damage_small_key(int kind, item *it, chance *c)
{
    memcpy(it->pk, hex(small_orders[below(c, SMALL_ORDERS)]).p, 32);
    if (below(c, 2) == 0) {
        sign(kind, it);
    } else { /* R = [S]B, and S = 1 or 0: right for the neutral key */
        memset(it->signature, 0, 64);
        it->signature[0] = 1;
    }
}

static void damage_small_r(int kind, item *it, chance *c)
{
    (void)kind;
    memcpy(it->signature, hex(small_orders[below(c, SMALL_ORDERS)]).p, 32);
}

/* The owner of A signs under A + T: right when k is a multiple of the order of T. */
static void damage_mixed_key(int kind, item *it, chance *c)
{
    add_small_order(it->pk, below(c, SHORTEST));
    sign(kind, it);
}

static void damage_mixed_r(int kind, item *it, chance *c)
{
    (void)kind;
    add_small_order(it->signature, below(c, SHORTEST));
}

static void damage_lengths(int kind, item *it, chance *c)
{
    (void)kind;
    it->pk_len -= below(c, 2);
    it->signature_len -= below(c, 2);
}

static void damage_key_encoding(int kind, item *it, chance *c)
{
    (void)kind;
    memset(it->pk, 0xff, 32); /* y = p to p + 18 and either sign */
    it->pk[0] = (uint8_t)(0xed + below(c, 19));
    it->pk[31] = below(c, 2) == 0 ? 0x7f : 0xff;
}

static void damage_scalar_edges(int kind, item *it, chance *c)
{
    (void)kind;
    const size_t which = below(c, 4);
    memset(it->signature + 32, which == 3 ? 0xff : 0, 32);
    if (which == 1) {
        add_order(it->signature + 32); /* L */
    } else if (which == 2) {
        add_order(it->signature + 32);
        it->signature[32]--; /* L - 1 */
    }
}

static damage *const damages[] = {
    damage_nothing,   damage_key,          damage_signature, damage_message,      damage_order,
    damage_small_key, damage_small_r,      damage_mixed_key, damage_mixed_r,      damage_lengths,
    damage_nothing,   damage_key_encoding, damage_nothing,   damage_scalar_edges,
};
enum { DAMAGES = sizeof damages / sizeof damages[0] };

static void thousands_of_good_and_damaged_signatures_agree(void **state)
{
    (void)state;
    chance c = {{1}};
    for (size_t done = 0; done < 2000;) {
        item items[20];
        const size_t count = below(&c, 21);
        const int kind = (int)below(&c, KINDS);
        for (size_t i = 0; i < count; i++) {
            items[i] = signed_item(kind, &c);
            damages[below(&c, DAMAGES)](kind, &items[i], &c);
        }
        assert_many_is_one_by_one(kind, items, count);
        done += count == 0 ? 1 : count;
    }
}

/* ---- one by one ---- */

static const struct {
    const char *pk, *message, *signature;
} published[] = {
    /* RFC 8032 section 7.1, tests 1 to 3 */
    {"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b"
     "4"
     "6bd25bf5f0595bbe24655141438e7a100b"},
    {"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11"
     "d"
     "8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc"
     "6"
     "594a7c15e9716ed28dc027beceea1ec40a"},
};

static void published_signatures_hold_in_every_place(void **state)
{
    (void)state;
    xmtp_signature_check checks[19];
    test_hex pk[3], message[3], signature[3];
    for (size_t i = 0; i < 3; i++) {
        pk[i] = hex(published[i].pk);
        message[i] = hex(published[i].message);
        signature[i] = hex(published[i].signature);
    }
    for (size_t i = 0; i < 19; i++) {
        checks[i] = (xmtp_signature_check){view(&pk[i % 3]), view(&message[i % 3]),
                                           view(&signature[i % 3]), XMTP_E_CRYPTO};
    }
    xmtp_signature_verify_many(&xmtp_signature_ed25519, checks, 19);
    for (size_t i = 0; i < 19; i++) {
        assert_int_equal(checks[i].verdict, XMTP_OK);
    }
}

static void each_count_finds_the_bad_one_wherever_it_is(void **state)
{
    (void)state;
    chance c = {{2}};
    for (int kind = 0; kind < KINDS; kind++) {
        item items[20];
        xmtp_signature_check checks[21];
        for (size_t i = 0; i < 20; i++) {
            items[i] = signed_item(kind, &c);
            checks[i] = check_of(&items[i]);
        }
        for (size_t count = 0; count <= 20; count++) {
            const size_t bad = count == 0 ? 0 : below(&c, count);
            items[bad].signature[33] ^= 1;
            checks[count].verdict = XMTP_E_CRYPTO;
            verify_many(kind, checks, count);
            for (size_t i = 0; i < count; i++) {
                assert_int_equal(checks[i].verdict, i == bad ? XMTP_E_SIGNATURE : XMTP_OK);
            }
            assert_int_equal(checks[count].verdict, XMTP_E_CRYPTO);
            items[bad].signature[33] ^= 1;
        }
    }
}

static void the_verdict_is_the_same_in_every_lane(void **state)
{
    (void)state;
    chance c = {{3}};
    for (int kind = 0; kind < KINDS; kind++) {
        item items[XMTP_LANES], turned[XMTP_LANES];
        for (size_t i = 0; i < XMTP_LANES; i++) {
            items[i] = signed_item(kind, &c);
            damages[i < 4 ? 0 : i + 1](kind, &items[i], &c);
        }
        for (size_t turn = 0; turn < XMTP_LANES; turn++) {
            for (size_t i = 0; i < XMTP_LANES; i++) {
                turned[(i + turn) % XMTP_LANES] = items[i];
            }
            assert_many_is_one_by_one(kind, turned, XMTP_LANES);
        }
    }
}

static void keys_and_r_of_small_order_get_the_single_verdict(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        size_t accepted = 0;
        item items[64];
        for (size_t a = 0; a < SMALL_ORDERS; a++) {
            for (size_t i = 0; i < 64; i++) { /* S = 0, all R of small order */
                items[i] = (item){.pk_len = 32, .signature_len = 64, .message_len = 1};
                items[i].message[0] = (uint8_t)i;
                memcpy(items[i].pk, hex(small_orders[a]).p, 32);
                memcpy(items[i].signature, hex(small_orders[i % SMALL_ORDERS]).p, 32);
                accepted += verify_one(kind, &items[i]) == XMTP_OK;
            }
            assert_many_is_one_by_one(kind, items, 64);
        }
        /* Ed25519ph accepts some, so that the comparison above is of both verdicts. */
        assert_true(kind == PLAIN ? accepted == 0 : accepted > 20);
    }
}

/* ---- what the lanes themselves say ---- */

/* k of plain Ed25519 */
static void scalar_of(const item *it, uint8_t k[32])
{
    uint8_t all[64 + sizeof it->message];
    uint8_t wide[64];
    memcpy(all, it->signature, 32);
    memcpy(all + 32, it->pk, 32);
    memcpy(all + 64, it->message, it->message_len);
    xmtp_hash_of(&xmtp_hash_sha512, xmtp_bytes_of(all, 64 + it->message_len), wide);
    crypto_core_ed25519_scalar_reduce(k, wide);
}

static unsigned lanes_say(const item items[XMTP_LANES])
{
    xmtp_ed25519_equation equations[XMTP_LANES];
    uint8_t k[XMTP_LANES][32];
    for (size_t i = 0; i < XMTP_LANES; i++) {
        scalar_of(&items[i], k[i]);
        equations[i] =
            (xmtp_ed25519_equation){items[i].pk, items[i].signature, items[i].signature + 32, k[i]};
    }
    return xmtp_ed25519_lanes(equations, XMTP_LANES);
}

static void lanes_accept_good_signatures_without_asking(void **state)
{
    (void)state;
    need_lanes();
    chance c = {{4}};
    for (size_t round = 0; round < 20; round++) {
        item items[XMTP_LANES];
        for (size_t i = 0; i < XMTP_LANES; i++) {
            items[i] = signed_item(PLAIN, &c);
        }
        assert_int_equal(lanes_say(items), 0xff);
        const size_t bad = below(&c, XMTP_LANES);
        items[bad].signature[below(&c, 64)] ^= 1;
        assert_int_equal(lanes_say(items), 0xff & ~(1u << bad));
    }
}

/* A + T and R + U, with T and U of small order: right when U = -[k]T. Both answers come up, and the
 * lanes alone give them. */
static void lanes_judge_keys_of_mixed_order_by_the_equation(void **state)
{
    (void)state;
    need_lanes();
    chance c = {{5}};
    size_t accepted = 0, refused = 0;
    for (size_t round = 0; round < 64; round++) {
        item items[XMTP_LANES];
        for (size_t i = 0; i < XMTP_LANES; i++) {
            item *it = &items[i];
            *it = signed_item(PLAIN, &c);
            /* S stays right for the new R and key: S = r + k a, made by hand */
            uint8_t h[64], wide[64] = {0}, a[32], r[32], k[32];
            xmtp_hash_of(&xmtp_hash_sha512, xmtp_bytes_of(it->sk, 32), h);
            h[0] &= 248;
            h[31] = (uint8_t)((h[31] & 63) | 64);
            memcpy(wide, h, 32);
            crypto_core_ed25519_scalar_reduce(a, wide);
            next(&c);
            memcpy(wide, c.state, 32);
            crypto_core_ed25519_scalar_reduce(r, wide);
            assert_int_equal(crypto_scalarmult_ed25519_base_noclamp(it->signature, r), 0);
            add_small_order(it->signature, below(&c, SHORTEST));
            add_small_order(it->pk, below(&c, SHORTEST));
            scalar_of(it, k);
            crypto_core_ed25519_scalar_mul(k, k, a);
            crypto_core_ed25519_scalar_add(it->signature + 32, k, r);
        }
        const unsigned good = lanes_say(items);
        for (size_t i = 0; i < XMTP_LANES; i++) {
            const bool alone = verify_one(PLAIN, &items[i]) == XMTP_OK;
            assert_int_equal((good >> i) & 1, alone);
            accepted += alone;
            refused += !alone;
        }
    }
    assert_true(accepted > 40 && refused > 200);
}

static const uint8_t base_point[32] = {
    0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
    0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66};

/* With k = 0 and S = 1 the equation is R = B, whatever the key. */
static bool lanes_accept_key(const uint8_t key[32])
{
    static const uint8_t zero[32];
    static const uint8_t one[32] = {1};
    xmtp_ed25519_equation equations[XMTP_LANES];
    for (size_t i = 0; i < XMTP_LANES; i++) {
        equations[i] = (xmtp_ed25519_equation){i == 5 ? key : base_point, base_point, one, zero};
    }
    const unsigned good = xmtp_ed25519_lanes(equations, XMTP_LANES);
    assert_int_equal(good | 1 << 5, 0xff);
    return good == 0xff;
}

static void lanes_leave_keys_of_small_order_to_others(void **state)
{
    (void)state;
    need_lanes();
    for (size_t i = 0; i < SMALL_ORDERS; i++) {
        assert_false(lanes_accept_key(hex(small_orders[i]).p));
    }
}

/* y from 2 to 18, of which some make points, as they are and with p added. */
static void lanes_take_points_in_their_shortest_encoding_only(void **state)
{
    (void)state;
    need_lanes();
    static const uint8_t neutral[32] = {1};
    size_t accepted = 0;
    for (unsigned i = 0; i < 34; i++) {
        uint8_t sum[32];
        uint8_t key[32] = {(uint8_t)(2 + i / 2), [31] = (uint8_t)(i % 2 << 7)};
        const bool is_point = crypto_core_ed25519_add(sum, key, neutral) == 0;
        assert_int_equal(lanes_accept_key(key), is_point);
        accepted += is_point;
        memset(key, 0xff, 32);
        key[0] = (uint8_t)(0xed + 2 + i / 2);
        key[31] = i % 2 == 0 ? 0x7f : 0xff;
        assert_false(lanes_accept_key(key));
    }
    assert_true(accepted > 10 && accepted < 30);
}

/* For A = B + T, k = 1 and S = 1 the equation is R = -T. */
static void lanes_leave_r_of_small_order_to_others(void **state)
{
    (void)state;
    need_lanes();
    static const uint8_t one[32] = {1};
    for (size_t t = 0; t < SHORTEST; t++) {
        xmtp_ed25519_equation equations[XMTP_LANES];
        uint8_t key[32], twice[32] = {2}, r[32];
        memcpy(key, base_point, 32);
        add_small_order(key, t);
        const test_hex small = hex(small_orders[t]);
        assert_int_equal(crypto_core_ed25519_sub(r, hex(small_orders[0]).p, small.p), 0);
        for (size_t i = 0; i < XMTP_LANES; i += 2) {
            equations[i] = (xmtp_ed25519_equation){key, r, one, one};
        }
        uint8_t r_and_base[32];
        assert_int_equal(crypto_core_ed25519_add(r_and_base, r, base_point), 0);
        for (size_t i = 1; i < XMTP_LANES; i += 2) { /* the same, and B more: an accepted one */
            equations[i] = (xmtp_ed25519_equation){key, r_and_base, twice, one};
        }
        assert_int_equal(xmtp_ed25519_lanes(equations, XMTP_LANES), 0xaa);
    }
}

/* ---- edges of the call ---- */

static void scalars_are_below_the_order(void **state)
{
    (void)state;
    uint8_t s[32] = {0};
    assert_true(xmtp_ed25519_is_scalar(s));
    add_order(s);
    assert_false(xmtp_ed25519_is_scalar(s));
    s[0]--;
    assert_true(xmtp_ed25519_is_scalar(s));
    s[0] += 2;
    assert_false(xmtp_ed25519_is_scalar(s));
    memset(s, 0xff, 32);
    assert_false(xmtp_ed25519_is_scalar(s));
}

static void a_context_of_256_bytes_is_refused(void **state)
{
    (void)state;
    static const uint8_t context[256];
    chance c = {{7}};
    item items[9];
    xmtp_signature_check checks[9];
    for (size_t i = 0; i < 9; i++) {
        items[i] = signed_item(PH, &c);
        checks[i] = check_of(&items[i]);
    }
    xmtp_ed25519ph_verify_many(xmtp_bytes_of(context, 256), checks, 9);
    for (size_t i = 0; i < 9; i++) {
        assert_int_equal(checks[i].verdict, XMTP_E_LENGTH);
    }
}

static void signatures_without_a_fast_way_go_one_by_one(void **state)
{
    (void)state;
    const xmtp_signature *ecdsa = &xmtp_signature_ecdsa_p256;
    const uint8_t sk[32] = {[31] = 9};
    uint8_t pk[65], signature[3][XMTP_SIGNATURE_MAX];
    xmtp_signature_check checks[3];
    assert_null(ecdsa->verify_many);
    assert_int_equal(ecdsa->public_key(sk, pk), XMTP_OK);
    for (size_t i = 0; i < 3; i++) {
        size_t len;
        const xmtp_bytes message = xmtp_bytes_of(pk, i);
        assert_int_equal(ecdsa->sign(sk, pk, message, signature[i], &len), XMTP_OK);
        checks[i] = (xmtp_signature_check){xmtp_bytes_of(pk, i == 1 ? 64 : 65), message,
                                           xmtp_bytes_of(signature[i], len - (i == 2)), XMTP_OK};
    }
    xmtp_signature_verify_many(ecdsa, checks, 3);
    assert_int_equal(checks[0].verdict, XMTP_OK);
    assert_int_equal(checks[1].verdict, XMTP_E_KEY);
    assert_int_equal(checks[2].verdict, XMTP_E_SIGNATURE);
}

int main(void)
{
    xmtp_sodium_ready();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_signatures_hold_in_every_place),
        cmocka_unit_test(each_count_finds_the_bad_one_wherever_it_is),
        cmocka_unit_test(the_verdict_is_the_same_in_every_lane),
        cmocka_unit_test(keys_and_r_of_small_order_get_the_single_verdict),
        cmocka_unit_test(lanes_accept_good_signatures_without_asking),
        cmocka_unit_test(lanes_judge_keys_of_mixed_order_by_the_equation),
        cmocka_unit_test(lanes_leave_keys_of_small_order_to_others),
        cmocka_unit_test(lanes_take_points_in_their_shortest_encoding_only),
        cmocka_unit_test(lanes_leave_r_of_small_order_to_others),
        cmocka_unit_test(scalars_are_below_the_order),
        cmocka_unit_test(a_context_of_256_bytes_is_refused),
        cmocka_unit_test(signatures_without_a_fast_way_go_one_by_one),
        cmocka_unit_test(thousands_of_good_and_damaged_signatures_agree),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed + RUN_IN_SLOWER_LANES(tests);
}
