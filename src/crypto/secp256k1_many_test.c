/* secp256k1_many_test.c - many wallets recovered together are what they are one at a time. */
#include "base/together.h"
#include "crypto/test_chain.h"
#include "crypto/test_hex.h"
#include "crypto/test_lanes.h"

#include <secp256k1.h>

#define ORDER "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"

typedef struct item {
    uint8_t digest[32];
    uint8_t signature[65];
} item;

enum { ITEMS_MAX = 40 };

static size_t random_total = 20000; /* signatures, in each kind of lanes but the fastest fewer */

/* What comes out, with what was there before where nothing does. */
typedef struct answer {
    xmtp_status status;
    char address[43];
    uint8_t normalized[65];
} answer;

static const answer untouched = {.address = "?", .normalized = {0xee}};

static answer recover_one(const item *it)
{
    answer a = untouched;
    a.status = xmtp_secp256k1_recover(it->digest, it->signature, a.address, a.normalized);
    return a;
}

/* Returns how many of them there are public keys for. In lanes, each of these came from them. */
static size_t assert_many_is_one_by_one(const item *items, size_t count)
{
    xmtp_wallet_recovery jobs[ITEMS_MAX];
    answer answers[ITEMS_MAX];
    size_t good = 0;
    assert_true(count <= ITEMS_MAX);
    for (size_t i = 0; i < count; i++) {
        answers[i] = untouched;
        jobs[i] = (xmtp_wallet_recovery){.digest = items[i].digest,
                                         .signature = items[i].signature,
                                         .address = answers[i].address,
                                         .normalized = answers[i].normalized,
                                         .status = XMTP_E_CRYPTO};
    }
    xmtp_secp256k1_recover_many(jobs, count);
    for (size_t i = 0; i < count; i++) {
        const answer alone = recover_one(&items[i]);
        const bool is_last_alone = i == count - 1 && i % XMTP_LANES == 0;
        assert_int_equal(jobs[i].status, alone.status);
        assert_memory_equal(answers[i].address, alone.address, sizeof alone.address);
        assert_memory_equal(answers[i].normalized, alone.normalized, sizeof alone.normalized);
        assert_int_equal(jobs[i].is_from_lanes,
                         xmtp_has_lanes() && alone.status == XMTP_OK && !is_last_alone);
        good += alone.status == XMTP_OK;
    }
    return good;
}

/* ---- signatures */

static item signed_item(uint8_t chain[32])
{
    item it;
    uint8_t sk[32];
    next(chain);
    memcpy(sk, chain, 32);
    next(chain);
    memcpy(it.digest, chain, 32);
    assert_int_equal(xmtp_secp256k1_sign(sk, it.digest, it.signature), XMTP_OK);
    return it;
}

static void tens_of_thousands_of_random_signatures_agree(void **state)
{
    (void)state;
    uint8_t chain[32] = {1};
    size_t done = 0;
    size_t good = 0;
    for (size_t round = 0; done < random_total; round++) {
        item items[ITEMS_MAX];
        const size_t count = 1 + round % ITEMS_MAX;
        for (size_t i = 0; i < count; i++) {
            next(chain);
            memcpy(items[i].digest, chain, 32);
            next(chain);
            memcpy(items[i].signature, chain, 32); /* of every second number there is a point */
            next(chain);
            memcpy(items[i].signature + 32, chain, 32);
            items[i].signature[64] = (uint8_t)(27 + chain[5] % 2);
        }
        good += assert_many_is_one_by_one(items, count);
        done += count;
    }
    assert_true(good > done * 45 / 100 && good < done * 55 / 100);
}

static void honest_signatures_agree(void **state)
{
    (void)state;
    uint8_t chain[32] = {2};
    for (size_t round = 0; round < 100; round++) {
        item items[ITEMS_MAX];
        for (size_t i = 0; i < ITEMS_MAX; i++) {
            items[i] = signed_item(chain);
        }
        assert_int_equal(assert_many_is_one_by_one(items, ITEMS_MAX), ITEMS_MAX);
    }
}

/* The worked examples of identity.md section 4. */
static void a_known_wallet_is_found_in_every_place(void **state)
{
    (void)state;
    const test_hex digest = hex("2dec8e8de9f240be509412effc1ad8ee65724c5f6747fc635d97ec91fba48a6a");
    const test_hex signature =
        hex("29f91f56db309b4240f02ca418568ebfe7edebd19bf93e43e3fd079ffa483c18"
            "426b289cbc459108994522bf23cdf8b9d6cceadaa872195f63826fed93f3a3a91c");
    char addresses[19][43];
    uint8_t normalized[19][65];
    xmtp_wallet_recovery jobs[19];
    for (size_t i = 0; i < 19; i++) {
        jobs[i] = (xmtp_wallet_recovery){.digest = digest.p,
                                         .signature = signature.p,
                                         .address = addresses[i],
                                         .normalized = normalized[i]};
    }
    xmtp_secp256k1_recover_many(jobs, 19);
    for (size_t i = 0; i < 19; i++) {
        assert_int_equal(jobs[i].status, XMTP_OK);
        assert_string_equal(addresses[i], "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266");
        assert_memory_equal(normalized[i], signature.p, 65);
    }
}

/* ---- edges of what is sent */

static const char *const numbers[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000001",
    "0000000000000000000000000000000000000000000000000000000000000002",
    "0000000000000000000000000000000000000000000000000000000000000003",
    "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b209f",
    "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0", /* (n - 1) / 2 */
    "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a1",
    "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd036413e",
    "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd036413f",
    "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140",
    ORDER,
    "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364142",
    "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2e",
    "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f", /* p */
    "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc30",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798", /* x of G */
};
enum { NUMBERS = sizeof numbers / sizeof numbers[0] };

static void every_edge_of_r_s_and_digest_agrees(void **state)
{
    (void)state;
    item items[NUMBERS];
    size_t good = 0;
    for (size_t r = 0; r < NUMBERS; r++) {
        for (size_t s = 0; s < NUMBERS; s++) {
            for (size_t digest = 0; digest < NUMBERS; digest++) {
                memcpy(items[digest].digest, hex(numbers[digest]).p, 32);
                memcpy(items[digest].signature, hex(numbers[r]).p, 32);
                memcpy(items[digest].signature + 32, hex(numbers[s]).p, 32);
                items[digest].signature[64] = (uint8_t)(27 + (r + s + digest) % 2);
            }
            good += assert_many_is_one_by_one(items, NUMBERS);
        }
    }
    assert_true(good > 500);
}

static void v_is_read_as_alone(void **state)
{
    (void)state;
    uint8_t chain[32] = {3};
    const item it = signed_item(chain);
    for (unsigned v = 0; v < 256; v += 32) {
        item items[32];
        size_t valid = 0;
        for (unsigned i = 0; i < 32; i++) {
            const unsigned here = v + i;
            items[i] = it;
            items[i].signature[64] = (uint8_t)here;
            valid += here < 2 || here == 27 || here == 28 || here >= 35;
        }
        assert_int_equal(assert_many_is_one_by_one(items, 32), valid);
    }
}

/* ---- scalars and points of every kind */

static const secp256k1_context *context;

/* a = a b modulo n, both below it. */
static void multiply(uint8_t a[32], const uint8_t b[32])
{
    if (is_zero(a, 32) || is_zero(b, 32)) {
        memset(a, 0, 32);
    } else {
        assert_int_equal(secp256k1_ec_seckey_tweak_mul(context, a, b), 1);
    }
}

/* A signature from which [by_r]R + [by_g]G is recovered, with R = [k]G. */
static item item_of(const uint8_t k[32], const uint8_t by_r[32], const uint8_t by_g[32])
{
    item it;
    secp256k1_pubkey key;
    uint8_t point[65];
    size_t n = sizeof point;
    assert_int_equal(secp256k1_ec_pubkey_create(context, &key, k), 1);
    (void)secp256k1_ec_pubkey_serialize(context, point, &n, &key, SECP256K1_EC_UNCOMPRESSED);
    memcpy(it.signature, point + 1, 32); /* all of them are below n */
    memcpy(it.signature + 32, by_r, 32);
    multiply(it.signature + 32, it.signature);
    it.signature[64] = (uint8_t)(27 + (point[64] & 1));
    memcpy(it.digest, by_g, 32);
    multiply(it.digest, it.signature);
    if (!is_zero(it.digest, 32)) {
        assert_int_equal(secp256k1_ec_seckey_negate(context, it.digest), 1);
    }
    return it;
}

static const char *const factors[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000001",
    "0000000000000000000000000000000000000000000000000000000000000002",
    "0000000000000000000000000000000000000000000000000000000000000003",
    "000000000000000000000000000000000000000000000000000000000000000f",
    "0000000000000000000000000000000000000000000000000000000000000010",
    "0000000000000000000000000000000000000000000000000000000000000011",
    "000000000000000000000000000000000000000000000000000000000000007f",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0000000000000000000000000000000000000000000000000000000000000081",
    "0000000000000000000000000000000000000000000000000000000000000100",
    "000000000000000000000000000000003086d221a7d46bcde86c90e49284eb15", /* vectors of the halves */
    "00000000000000000000000000000000e4437ed6010e88286f547fa90abfe4c3",
    "0000000000000000000000000000000114ca50f7a8e2f3f657c1108d9d44cfd8",
    "000000000000000000000000000000007fffffffffffffffffffffffffffffff",
    "0000000000000000000000000000000080000000000000000000000000000000",
    "00000000000000000000000000000000ffffffffffffffffffffffffffffffff",
    "0000000000000000000000000000000100000000000000000000000000000000",
    "5363ad4cc05c30e0a5261c028812645a122e22ea20816678df02967c1b23bd71", /* lambda, and around it */
    "5363ad4cc05c30e0a5261c028812645a122e22ea20816678df02967c1b23bd72",
    "5363ad4cc05c30e0a5261c028812645a122e22ea20816678df02967c1b23bd73",
    "ac9c52b33fa3cf1f5ad9e3fd77ed9ba4a880b9fc8ec739c2e0cfc810b51283ce", /* its square */
    "ac9c52b33fa3cf1f5ad9e3fd77ed9ba4a880b9fc8ec739c2e0cfc810b51283cf", /* n - lambda */
    "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0",
    "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a1",
    "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd036413e",
    "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd036413f",
    "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140",
};
enum { FACTORS = sizeof factors / sizeof factors[0] };

static void assert_factors_agree(const uint8_t k[32], size_t *good, size_t *bad)
{
    for (size_t r = 0; r < FACTORS; r++) {
        item items[FACTORS];
        const test_hex by_r = hex(factors[r]);
        for (size_t g = 0; g < FACTORS; g++) {
            items[g] = item_of(k, by_r.p, hex(factors[g]).p);
        }
        const size_t there = assert_many_is_one_by_one(items, FACTORS);
        *good += there;
        *bad += r == 0 ? 0 : FACTORS - there;
    }
}

/* R is a small multiple of G, or the negative of one: additions meet equal points, opposite ones and the neutral
 * one; and so does the end, where z = s k. */
static void small_multiples_of_the_base_agree(void **state)
{
    (void)state;
    static const uint8_t multiples[] = {1, 2, 3, 16, 17, 20};
    size_t good = 0;
    size_t bad = 0;
    for (size_t i = 0; i < sizeof multiples; i++) {
        uint8_t k[32] = {[31] = multiples[i]};
        assert_factors_agree(k, &good, &bad);
        assert_int_equal(secp256k1_ec_seckey_negate(context, k), 1);
        assert_factors_agree(k, &good, &bad);
    }
    assert_int_equal(good + bad, 2 * sizeof multiples * FACTORS * (FACTORS - 1));
    assert_true(bad >= 2 * sizeof multiples);
}

static void other_points_agree(void **state)
{
    (void)state;
    uint8_t chain[32] = {4};
    size_t good = 0;
    size_t bad = 0;
    next(chain);
    assert_factors_agree(chain, &good, &bad);
    for (size_t i = 11; i < FACTORS; i += 4) { /* 19 is lambda */
        assert_factors_agree(hex(factors[i]).p, &good, &bad);
    }
    assert_true(good > 4000 && bad > 0);
}

/* ---- one beside others */

static item bad_item(size_t kind, uint8_t chain[32])
{
    static const uint8_t one[32] = {[31] = 1};
    item it = signed_item(chain);
    switch (kind) {
    case 0: /* r = 0 */
        memset(it.signature, 0, 32);
        break;
    case 1: /* s = 0 */
        memset(it.signature + 32, 0, 32);
        break;
    case 2: /* a v that is none */
        it.signature[64] = 2;
        break;
    case 3: /* r = n */
        memcpy(it.signature, hex(ORDER).p, 32);
        break;
    case 4: /* no point has this x */
        memcpy(it.signature, (const uint8_t[32]){[31] = 5}, 32);
        break;
    default: /* the neutral point comes out */
        it = item_of(one, one, hex(factors[FACTORS - 1]).p);
        break;
    }
    return it;
}
enum { BAD_KINDS = 6 };

static void a_bad_one_is_found_wherever_it_is(void **state)
{
    (void)state;
    uint8_t chain[32] = {5};
    for (size_t count = 1; count <= 17; count++) {
        item good[17];
        for (size_t i = 0; i < count; i++) {
            good[i] = signed_item(chain);
        }
        for (size_t at = 0; at < count; at++) {
            const item kept = good[at];
            good[at] = bad_item((count + at) % BAD_KINDS, chain);
            assert_int_equal(assert_many_is_one_by_one(good, count), count - 1);
            good[at] = kept;
        }
    }
    assert_int_equal(assert_many_is_one_by_one(NULL, 0), 0);
}

static void only_bad_ones_are_all_refused(void **state)
{
    (void)state;
    uint8_t chain[32] = {6};
    item items[16];
    for (size_t i = 0; i < 16; i++) {
        items[i] = bad_item(i % BAD_KINDS, chain);
    }
    assert_int_equal(assert_many_is_one_by_one(items, 16), 0);
    for (size_t i = 0; i < 16; i++) {
        items[i] = bad_item(2, chain);
    }
    assert_int_equal(assert_many_is_one_by_one(items, 16), 0);
}

static void results_do_not_depend_on_processors(void **state)
{
    (void)state;
    uint8_t chain[32] = {7};
    item items[ITEMS_MAX];
    for (size_t i = 0; i < ITEMS_MAX; i++) {
        items[i] = signed_item(chain);
    }
    for (size_t processors = 1; processors <= 4; processors++) {
        xmtp_together_assume(processors);
        assert_int_equal(assert_many_is_one_by_one(items, ITEMS_MAX), ITEMS_MAX);
    }
    xmtp_together_assume(0);
}

int main(void)
{
    secp256k1_context *own = secp256k1_context_create(SECP256K1_CONTEXT_SIGN);
    context = own;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tens_of_thousands_of_random_signatures_agree),
        cmocka_unit_test(honest_signatures_agree),
        cmocka_unit_test(a_known_wallet_is_found_in_every_place),
        cmocka_unit_test(every_edge_of_r_s_and_digest_agrees),
        cmocka_unit_test(v_is_read_as_alone),
        cmocka_unit_test(small_multiples_of_the_base_agree),
        cmocka_unit_test(other_points_agree),
        cmocka_unit_test(a_bad_one_is_found_wherever_it_is),
        cmocka_unit_test(only_bad_ones_are_all_refused),
        cmocka_unit_test(results_do_not_depend_on_processors),
    };
    const struct CMUnitTest without[] = {
        cmocka_unit_test(honest_signatures_agree),
        cmocka_unit_test(every_edge_of_r_s_and_digest_agrees),
        cmocka_unit_test(v_is_read_as_alone),
        cmocka_unit_test(a_bad_one_is_found_wherever_it_is),
        cmocka_unit_test(only_bad_ones_are_all_refused),
        cmocka_unit_test(results_do_not_depend_on_processors),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    random_total /= 5; /* a minute under sanitizers */
    failed += RUN_IN_SLOWER_LANES(tests);
    failed += cmocka_run_group_tests(without, forbid_lanes, allow_lanes);
    secp256k1_context_destroy(own);
    return failed;
}
