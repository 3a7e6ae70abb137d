/* kem_xwing_test.c - X-Wing: 100 cases against an independent implementation, and the welcome
 * pointer of identity.md A.2, which the official binding wrapped.
 *
 * The inputs of case i are SHA-256 of the two bytes (kind, i), with kinds 3 = private seed and 4, 5
 * = the halves of the encapsulation seed. The expected digest over all outputs was computed with
 * @noble/post-quantum 0.7.1 (JavaScript).
 */
#include "crypto/test_hex.h"
#include "crypto/test_lanes.h"

enum { CASE_COUNT = 100, PK_LEN = 1216, ENC_LEN = 1120 };

static const xmtp_kem *const kem = &xmtp_kem_xwing_004d;

static const char welcome_pointer[] =
    "44607b4f97abb6d0f53da4140d3588ee47f17cc3fc1e1133838f9bcd567e277a26751ac81f0b844e03b9288b"
    "f68c336d39bbdeb2b53dbee945c9fe9be0966bf41b00c9ecd8a0ebf772eaada2b7c84b3f8f1b74bb60e45927"
    "4dcf0f19f8b0239ce55c45bf99c6c0fb877010e4a292a394d44d18e6b3b0e7f12f37298d9bc5a935f97c8546"
    "2e247571e655a81e67521477d38b1a16639b7780c9aab2713fc8494ffce93fdb8dd30952c261148b9da1ef04"
    "c0b355b7800a207c2e6616ebf89a0e653a03d88bd6fd00ade411cf999fb52deb83aced041d999fde39255b12"
    "786b4489b8b504e09bebf734e24e9b36878ae816a7fbd8662696c0acf14f9f3929a9aca3e9effb6f52a59968"
    "407105a42b4fb7e15aa6b354918bc8be6b2a20eb0e914d346b946ef0fb5f25cfc50babe46fbce09984bd511c"
    "af1a814cb72db7da9053d83712ccec5aff6a4c1416e10f28ca6ecdba9ae4110476a141c616cf833efadeb419"
    "4c8e5a3bf549849e3aa8a7b7c71f9ba3273e113f1539ef8c4f4ac32d80a7e2a58340eed68aad056be84b4266"
    "17d7ebddd29d90c5d072d840f3ae8c845094e4bcb47a7c43c5d3121cb9f79a05d4f4aadda6fbeb78d1c7ddba"
    "8f6cf3b64390df73509cabb2536eb7974bb21fb4eb6b17ced6ba60219cc50eb0eaac3ffea19b6f4bcea9bbe5"
    "a3080fb297264a9748f17fce1b54a989ca605c60162d845b222ad121b761d3d687611074472266c166b2a061"
    "03f8379dd7a6bdab7e3c844d70e3b87121cbaa39685d109116f376d693136e4d6cef563c7b8befb9f759ca2b"
    "4a103d754b8bb2a65025019dbb27af04c1f33024d3889e991e11995f5e2f803b6659e17216534c34da997acc"
    "aee5b951c5dae1f9ec400ca6ad0606b4d2f1586f244240920d8aa014075da75fd8d0081212f921ba363e2db4"
    "46d2b0e9147ee22ffd625c4a0c651ac1c33cb3d6b1601556d6b3668389166a88959a6485f37ae14c25e51671"
    "fd64ee37aa65b1b088fe3239fa514523e87313208b308021accad95f8a0bb2a1574d5c472d05725f90c55d81"
    "1998ecd12236d15d58796b8c1c55b5b136f84a1109bdb0f2954392fb70f776149c7c1450681860d59ffa6f40"
    "a0f12ec44694fdd7b8f4eea986e5dc7d2f03d5d3676131c37c61be0140e5b6b5846cbbf7258f5b2093006196"
    "69d8cef6156878c57bb4dcd47d4fe4b94fe51ee0b125b3004f9f310f2f89ee2dff86650131495af4d1065420"
    "50eb093f685ba303cd6351c20e03600d998bd6d3e10a4caf07a4e5d7d1e63ef3b2d666643eb774932c523695"
    "29823fc55fd6bd01d879c4ddc1cf84a567bd4ad096d59d35e95f174f76311b03195062fc2b1d4bb319f02c8e"
    "c55a0fa617e346353a048818a1721c419696a40a8da2334d464462971d97d83041d15993005f59496e7b724c"
    "8fb351fb689feed5b66bd9b990e8dca1a5f639052be80fbac6d0a2bf4482add4adf17d2c8c6ecba9f4162c1c"
    "061bbe681e1f197dcacf9dbcbf54cde02befe6b9efba01e719b609e8f80ccddf33dc9941e9e61aadf28d4bb7"
    "6d2dc4443c25d4c776b05112d3ebb1b3554ff3b9c67840743c5f052b6f7bcb7a6559cfebeba7cd3c70479649"
    "dad73a35c2eaf8c04b813cc429f6e55f5a3db4cdbfe854db33bed37d3cb48381543335fd3dae4e850796753e"
    "95542be15c3c2e1d219d2c3b54dcb19b86540fee778790d7497ab72d04bf90b331ea18e2eb11762facee0eb0"
    "c53e2370fb1e0ef0";

#define HPKE_INFO "134d4c5320312e30204d4c535f57454c434f4d4500"

static void number(uint8_t kind, size_t i, uint8_t out[32])
{
    const uint8_t name[2] = {kind, (uint8_t)i};
    xmtp_hash_of(&xmtp_hash_sha256, xmtp_bytes_of(name, sizeof name), out);
}

static void a_hundred_cases_agree_with_an_independent_implementation(void **state)
{
    (void)state;
    xmtp_hash_context all;
    xmtp_hash_sha256.init(&all);
    for (size_t i = 0; i < CASE_COUNT; i++) {
        uint8_t sk[32];
        uint8_t seed[64];
        uint8_t pk[PK_LEN];
        uint8_t enc[ENC_LEN];
        uint8_t ss[32];
        uint8_t opened[32];
        number(3, i, sk);
        number(4, i, seed);
        number(5, i, seed + 32);
        assert_int_equal(kem->public_key(sk, pk), XMTP_OK);
        assert_int_equal(kem->encap(pk, seed, enc, ss), XMTP_OK);
        assert_int_equal(kem->decap(sk, pk, enc, opened), XMTP_OK);
        assert_memory_equal(ss, opened, 32);
        xmtp_hash_sha256.update(&all, pk, sizeof pk);
        xmtp_hash_sha256.update(&all, enc, sizeof enc);
        xmtp_hash_sha256.update(&all, ss, sizeof ss);
        enc[(i * 37) % sizeof enc] ^= 1;
        assert_int_equal(kem->decap(sk, NULL, enc, opened), XMTP_OK);
        assert_memory_not_equal(ss, opened, 32);
        xmtp_hash_sha256.update(&all, opened, sizeof opened);
    }
    uint8_t digest[32];
    xmtp_hash_sha256.final(&all, digest);
    assert_hex(digest, 32, "c5c3c61eae970f6287684f8b15e06e8975ecb6b324a2de36e949e3af511d6c6b");
}

static void public_key_of_the_official_recipient_follows_from_its_seed(void **state)
{
    (void)state;
    uint8_t sk[32];
    uint8_t pk[PK_LEN];
    uint8_t digest[32];
    memset(sk, 0x42, sizeof sk);
    assert_int_equal(kem->public_key(sk, pk), XMTP_OK);
    assert_hex(pk, 32, "60bace5f448d7598320e15a4875a82ac788c61886595d20438a1818d52149de5");
    assert_hex(pk + PK_LEN - 32, 32,
               "393af45f850ebe5b319e3001e3b65ada92bebe28ebfc5980cce5a3c5a77e6946");
    xmtp_hash_of(&xmtp_hash_sha256, xmtp_bytes_of(pk, sizeof pk), digest);
    assert_hex(digest, 32, "7d710330a772125b75ce0175d359fb345afef6fa87a47596ccd75116ffb61056");
}

/* kem_output<V> || ciphertext<V>, as RFC 9420 writes an HPKECiphertext. */
static void split(const test_hex *pointer, xmtp_bytes *enc, xmtp_bytes *ciphertext)
{
    assert_int_equal(pointer->p[0] << 8 | pointer->p[1], 0x4000 | ENC_LEN);
    *enc = xmtp_bytes_of(pointer->p + 2, ENC_LEN);
    assert_int_equal(pointer->p[ENC_LEN + 2] << 8 | pointer->p[ENC_LEN + 3], 0x4000 | 116);
    *ciphertext = xmtp_bytes_of(pointer->p + ENC_LEN + 4, 116);
    assert_int_equal(pointer->n, 2 + ENC_LEN + 2 + 116);
}

static void official_welcome_pointer_opens(void **state)
{
    (void)state;
    test_hex pointer = hex(welcome_pointer);
    test_hex info = hex(HPKE_INFO);
    xmtp_bytes enc;
    xmtp_bytes ciphertext;
    split(&pointer, &enc, &ciphertext);
    uint8_t sk[32];
    uint8_t ss[32];
    memset(sk, 0x42, sizeof sk);
    assert_int_equal(kem->decap(sk, NULL, enc.p, ss), XMTP_OK);
    assert_hex(ss, 32, "9a331c62de98246df6f25c5d0980a69e35b65b1d58077e7a7b938147b33ed5ae");

    xmtp_hpke c;
    assert_int_equal(
        xmtp_hpke_setup_receiver(&c, &xmtp_suite_xwing_chacha, sk, NULL, enc, view(&info)),
        XMTP_OK);
    assert_hex(c.key, 32, "fec7d12ae8c9ebe551d334f365aa6466cdad04a03e9f2e57a906561f28631bc7");
    assert_hex(c.base_nonce, 12, "8bb81cec479cff6590894a7c");
    uint8_t plaintext[100];
    assert_int_equal(xmtp_hpke_open(&c, xmtp_bytes_of(NULL, 0), ciphertext, plaintext), XMTP_OK);
    assert_hex(plaintext, sizeof plaintext,
               "0a620a2081ed5c6f30a988a5fd72968d5a53e4b51da02a6c899baf97a25f0569"
               "f050821210031a20f0adcb2d866ab18524125fafd9f9c036cc6955dcc9b1709e"
               "5632fa2bd1c89ed2220c12128bf0bc6732126e63d7402a0c3c8ad8e887e7d658"
               "4c1912e2");
}

static void a_wrong_byte_in_the_pointer_fails_in_the_aead(void **state)
{
    (void)state;
    test_hex pointer = hex(welcome_pointer);
    test_hex info = hex(HPKE_INFO);
    xmtp_bytes enc;
    xmtp_bytes ciphertext;
    split(&pointer, &enc, &ciphertext);
    uint8_t sk[32];
    memset(sk, 0x42, sizeof sk);
    for (size_t i = 0; i < ENC_LEN; i += 16) {
        xmtp_hpke c;
        uint8_t plaintext[100];
        pointer.p[2 + i] ^= 2;
        assert_int_equal(
            xmtp_hpke_setup_receiver(&c, &xmtp_suite_xwing_chacha, sk, NULL, enc, view(&info)),
            XMTP_OK);
        assert_int_equal(xmtp_hpke_open(&c, xmtp_bytes_of(NULL, 0), ciphertext, plaintext),
                         XMTP_E_AUTH);
        assert_true(is_zero(plaintext, sizeof plaintext));
        pointer.p[2 + i] ^= 2;
    }
}

static void bad_halves_of_a_public_key_are_refused(void **state)
{
    (void)state;
    const uint8_t sk[32] = {7};
    const uint8_t seed[64] = {9};
    uint8_t good[PK_LEN];
    uint8_t enc[ENC_LEN] = {0};
    uint8_t ss[32] = {0};
    assert_int_equal(kem->public_key(sk, good), XMTP_OK);
    uint8_t pk[PK_LEN];
    memcpy(pk, good, sizeof pk);
    memset(pk, 0xff, 3); /* coefficients of 4095 */
    assert_int_equal(kem->encap(pk, seed, enc, ss), XMTP_E_KEY);
    memcpy(pk, good, sizeof pk);
    memset(pk + PK_LEN - 32, 0, 32); /* a point of small order */
    assert_int_equal(kem->encap(pk, seed, enc, ss), XMTP_E_KEY);
    assert_true(is_zero(enc, sizeof enc) && is_zero(ss, sizeof ss));
    assert_int_equal(kem->encap(good, seed, enc, ss), XMTP_OK);
    memset(enc + ENC_LEN - 32, 0, 32);
    assert_int_equal(kem->decap(sk, good, enc, ss), XMTP_E_KEY);
}

/* Also for what was made for another key, and for a point of small order. */
static void an_expanded_key_opens_as_its_seed_does(void **state)
{
    (void)state;
    const uint8_t sk[32] = {7};
    const uint8_t other_sk[32] = {8};
    uint8_t seed[64] = {9};
    uint8_t pk[PK_LEN];
    uint8_t enc[ENC_LEN];
    uint8_t ss[32];
    uint8_t opened[32];
    uint8_t again[32];
    void *expanded = malloc(kem->expanded_len);
    assert_non_null(expanded);
    kem->expand(sk, expanded);
    for (uint8_t i = 0; i < 20; i++) {
        seed[0] = i;
        assert_int_equal(kem->public_key(i % 2 == 0 ? sk : other_sk, pk), XMTP_OK);
        assert_int_equal(kem->encap(pk, seed, enc, ss), XMTP_OK);
        assert_int_equal(kem->decap(sk, NULL, enc, opened), XMTP_OK);
        assert_int_equal(kem->decap_expanded(expanded, enc, again), XMTP_OK);
        assert_memory_equal(opened, again, 32);
        assert_int_equal(memcmp(opened, ss, 32) == 0, i % 2 == 0);
    }
    memset(enc + ENC_LEN - 32, 0, 32);
    assert_int_equal(kem->decap_expanded(expanded, enc, again), XMTP_E_KEY);
    xmtp_hpke c;
    assert_int_equal(xmtp_hpke_setup_receiver_expanded(&c, &xmtp_suite_xwing_chacha, expanded,
                                                       xmtp_bytes_of(enc, ENC_LEN - 1),
                                                       xmtp_bytes_of(NULL, 0)),
                     XMTP_E_LENGTH);
    assert_int_equal(xmtp_hpke_setup_receiver_expanded(&c, &xmtp_suite_x25519_chacha, expanded,
                                                       xmtp_bytes_of(enc, 32),
                                                       xmtp_bytes_of(NULL, 0)),
                     XMTP_E_UNSUPPORTED);
    free(expanded);
}

enum { MANY = 19 };

static uint8_t pks[MANY][PK_LEN];
static uint8_t seeds[MANY][64];
static uint8_t encs[MANY][ENC_LEN];
static uint8_t secrets[MANY][32];
static xmtp_kem_encap encaps[MANY];

static void start_many(void)
{
    memset(encs, 0, sizeof encs);
    memset(secrets, 0, sizeof secrets);
    for (size_t i = 0; i < MANY; i++) {
        uint8_t sk[32];
        number(3, i, sk);
        number(4, i, seeds[i]);
        number(5, i, seeds[i] + 32);
        assert_int_equal(kem->public_key(sk, pks[i]), XMTP_OK);
        encaps[i] = (xmtp_kem_encap){pks[i], seeds[i], encs[i], secrets[i]};
    }
}

static void many_encapsulations_are_those_of_one_by_one(void **state)
{
    (void)state;
    for (size_t count = 0; count <= MANY; count++) {
        start_many();
        assert_int_equal(kem->encap_many(encaps, count), XMTP_OK);
        for (size_t i = 0; i < MANY; i++) {
            uint8_t enc[ENC_LEN] = {0};
            uint8_t ss[32] = {0};
            if (i < count) {
                assert_int_equal(kem->encap(pks[i], seeds[i], enc, ss), XMTP_OK);
            }
            assert_memory_equal(encs[i], enc, sizeof enc);
            assert_memory_equal(secrets[i], ss, sizeof ss);
        }
    }
}

static void one_bad_key_among_many_is_refused(void **state)
{
    (void)state;
    for (size_t bad = 0; bad < MANY; bad++) {
        start_many();
        if (bad % 2 == 0) {
            memset(pks[bad], 0xff, 3);
        } else {
            memset(pks[bad] + PK_LEN - 32, 0, 32);
        }
        assert_int_equal(kem->encap_many(encaps, MANY), XMTP_E_KEY);
    }
}

/* Good ones, one for another key, one with a point of small order and altered ones, as neighbours. */
static void many_decapsulations_are_those_of_one_by_one(void **state)
{
    (void)state;
    uint8_t sk[32];
    void *expanded = malloc(kem->expanded_len);
    assert_non_null(expanded);
    start_many();
    number(3, 0, sk);
    kem->expand(sk, expanded);
    for (size_t i = 0; i < MANY; i++) {
        encaps[i].pk = i == 5 ? pks[5] : pks[0];
    }
    assert_int_equal(kem->encap_many(encaps, MANY), XMTP_OK);
    memset(encs[3] + ENC_LEN - 32, 0, 32);
    encs[8][100] ^= 1;
    encs[9][ENC_LEN - 1] ^= 1;
    for (size_t count = 0; count <= MANY; count++) {
        xmtp_kem_decap jobs[MANY];
        uint8_t opened[MANY][32];
        memset(opened, 0xaa, sizeof opened);
        for (size_t i = 0; i < MANY; i++) {
            jobs[i] = (xmtp_kem_decap){encs[i], opened[i], XMTP_E_STATE};
        }
        kem->decap_many(expanded, jobs, count);
        for (size_t i = 0; i < MANY; i++) {
            uint8_t expected[32];
            memset(expected, 0xaa, sizeof expected);
            xmtp_status status = XMTP_E_STATE;
            if (i < count) {
                status = kem->decap(sk, NULL, encs[i], expected);
                const bool is_good = i != 3 && i != 5 && i != 8 && i != 9;
                assert_int_equal(memcmp(expected, secrets[i], 32) == 0, is_good);
                assert_int_equal(status, i == 3 ? XMTP_E_KEY : XMTP_OK);
            }
            assert_int_equal(jobs[i].status, status);
            assert_memory_equal(opened[i], expected, 32);
        }
    }
    free(expanded);
}

static void a_secret_that_is_known_opens_as_its_key_does(void **state)
{
    (void)state;
    const uint8_t sk[32] = {7};
    const uint8_t seed[64] = {9};
    const xmtp_bytes text = xmtp_bytes_of_string("text");
    uint8_t pk[PK_LEN];
    uint8_t enc[ENC_LEN];
    uint8_t ss[32];
    uint8_t sealed[4 + 16];
    uint8_t opened[4];
    xmtp_hpke c;
    assert_int_equal(kem->public_key(sk, pk), XMTP_OK);
    assert_int_equal(xmtp_hpke_setup_sender(&c, &xmtp_suite_xwing_chacha, pk, text, seed, enc),
                     XMTP_OK);
    assert_int_equal(xmtp_hpke_seal(&c, text, text, sealed), XMTP_OK);
    assert_int_equal(kem->decap(sk, NULL, enc, ss), XMTP_OK);
    assert_int_equal(xmtp_hpke_setup_receiver_shared(&c, &xmtp_suite_xwing_chacha, ss, text),
                     XMTP_OK);
    assert_int_equal(xmtp_hpke_open(&c, text, xmtp_bytes_of(sealed, sizeof sealed), opened),
                     XMTP_OK);
    assert_memory_equal(opened, text.p, 4);
    ss[0] ^= 1;
    assert_int_equal(xmtp_hpke_setup_receiver_shared(&c, &xmtp_suite_xwing_chacha, ss, text),
                     XMTP_OK);
    assert_int_equal(xmtp_hpke_open(&c, text, xmtp_bytes_of(sealed, sizeof sealed), opened),
                     XMTP_E_AUTH);
}

static void derived_key_pairs_depend_on_every_byte_of_their_source(void **state)
{
    (void)state;
    uint8_t sk[32];
    uint8_t other_sk[32];
    uint8_t pk[PK_LEN];
    uint8_t again[PK_LEN];
    xmtp_bytes ikm = xmtp_bytes_of_string("some input keying material");
    assert_int_equal(kem->derive_key_pair(ikm, sk, pk), XMTP_OK);
    assert_int_equal(kem->public_key(sk, again), XMTP_OK);
    assert_memory_equal(pk, again, PK_LEN);
    ikm.n--;
    assert_int_equal(kem->derive_key_pair(ikm, other_sk, pk), XMTP_OK);
    assert_memory_not_equal(sk, other_sk, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hundred_cases_agree_with_an_independent_implementation),
        cmocka_unit_test(public_key_of_the_official_recipient_follows_from_its_seed),
        cmocka_unit_test(official_welcome_pointer_opens),
        cmocka_unit_test(a_wrong_byte_in_the_pointer_fails_in_the_aead),
        cmocka_unit_test(bad_halves_of_a_public_key_are_refused),
        cmocka_unit_test(an_expanded_key_opens_as_its_seed_does),
        cmocka_unit_test(derived_key_pairs_depend_on_every_byte_of_their_source),
        cmocka_unit_test(many_encapsulations_are_those_of_one_by_one),
        cmocka_unit_test(one_bad_key_among_many_is_refused),
        cmocka_unit_test(many_decapsulations_are_those_of_one_by_one),
        cmocka_unit_test(a_secret_that_is_known_opens_as_its_key_does),
    };
    const int failed =
        cmocka_run_group_tests_name("in lanes", tests, NULL, NULL) +
        cmocka_run_group_tests_name("without lanes", tests, forbid_lanes, allow_lanes);
    return failed + RUN_IN_SLOWER_LANES(tests);
}
