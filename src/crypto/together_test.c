/* together_test.c - what several processors do together is what one does alone, and one by one. */
#include "base/test_threads.h"
#include "base/together.h"
#include "crypto/test_hex.h"
#include "crypto/test_lanes.h"

enum { ITEMS = 133 };

static const size_t counts[] = {1, 7, 8, 9, 16, 17, 31, 32, 33, 64, 65, ITEMS};

/* ---- helpers, which are counted */

static int have_four(void **state)
{
    (void)state;
    threads_made = 0;
    xmtp_together_assume(4);
    return 0;
}

/* Each test had help at its largest counts. */
static int were_helped(void **state)
{
    (void)state;
    xmtp_together_assume(0);
    return threads_made >= 3 ? 0 : -1;
}

/* ---- bytes that follow from a number */

static void fill(uint8_t *out, size_t n, size_t number)
{
    uint8_t block[32];
    for (size_t i = 0; i < n; i++) {
        if (i % sizeof block == 0) {
            const size_t seed[2] = {number, i};
            xmtp_hash_of(&xmtp_hash_sha256, xmtp_bytes_of(seed, sizeof seed), block);
        }
        out[i] = block[i % sizeof block];
    }
}

/* ---- signatures */

typedef struct signed_text {
    uint8_t pk[32];
    uint8_t text[50];
    uint8_t signature[64];
} signed_text;

#define CONTEXT "some context"

/* Every fifth is wrong, each in another byte. */
static signed_text sign(bool is_ph, size_t number)
{
    signed_text s;
    uint8_t sk[32];
    size_t n;
    fill(sk, sizeof sk, number);
    fill(s.text, sizeof s.text, number + 1000);
    const xmtp_bytes text = xmtp_bytes_of(s.text, sizeof s.text);
    assert_int_equal(xmtp_signature_ed25519.public_key(sk, s.pk), XMTP_OK);
    assert_int_equal(
        is_ph ? xmtp_ed25519ph_sign(sk, s.pk, xmtp_bytes_of_string(CONTEXT), text, s.signature)
              : xmtp_signature_ed25519.sign(sk, s.pk, text, s.signature, &n),
        XMTP_OK);
    if (number % 5 == 4) {
        s.signature[number % 64] ^= 1;
    }
    return s;
}

static void assert_verdicts(bool is_ph)
{
    static signed_text all[ITEMS];
    static xmtp_signature_check checks[ITEMS];
    for (size_t i = 0; i < ITEMS; i++) {
        all[i] = sign(is_ph, i);
    }
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        for (size_t i = 0; i < ITEMS; i++) {
            checks[i] = (xmtp_signature_check){.pk = xmtp_bytes_of(all[i].pk, 32),
                                               .message = xmtp_bytes_of(all[i].text, 50),
                                               .signature = xmtp_bytes_of(all[i].signature, 64),
                                               .verdict = XMTP_E_STATE};
        }
        if (is_ph) {
            xmtp_ed25519ph_verify_many(xmtp_bytes_of_string(CONTEXT), checks, counts[c]);
        } else {
            xmtp_signature_verify_many(&xmtp_signature_ed25519, checks, counts[c]);
        }
        for (size_t i = 0; i < ITEMS; i++) {
            const xmtp_status good = i % 5 == 4 ? checks[i].verdict : XMTP_OK;
            assert_int_equal(checks[i].verdict, i < counts[c] ? good : XMTP_E_STATE);
            assert_int_equal(checks[i].verdict == XMTP_OK, i < counts[c] && i % 5 != 4);
        }
    }
}

static void signatures_have_the_same_verdicts(void **state)
{
    (void)state;
    assert_verdicts(false);
}

static void prehashed_signatures_have_the_same_verdicts(void **state)
{
    (void)state;
    assert_verdicts(true);
}

/* ---- encapsulations */

typedef struct letter {
    uint8_t pk[XMTP_KEM_PK_MAX];
    uint8_t seed[XMTP_KEM_SEED_MAX];
    uint8_t enc[XMTP_KEM_ENC_MAX];
    uint8_t ss[XMTP_KEM_SS_MAX];
} letter;

static letter letters[ITEMS];
static letter alone[ITEMS];

static void make_letters(const xmtp_kem *kem)
{
    memset(letters, 0, sizeof letters);
    for (size_t i = 0; i < ITEMS; i++) {
        uint8_t sk[XMTP_KEM_SK_MAX];
        uint8_t ikm[32];
        fill(ikm, sizeof ikm, i % 7);
        fill(letters[i].seed, sizeof letters[i].seed, 100 + i);
        assert_int_equal(kem->derive_key_pair(xmtp_bytes_of(ikm, 32), sk, letters[i].pk), XMTP_OK);
        alone[i] = letters[i];
        assert_int_equal(kem->encap(alone[i].pk, alone[i].seed, alone[i].enc, alone[i].ss),
                         XMTP_OK);
    }
}

static xmtp_status encap(const xmtp_kem *kem, size_t count)
{
    xmtp_kem_encap jobs[ITEMS];
    for (size_t i = 0; i < count; i++) {
        letter *l = &letters[i];
        memset(l->enc, 0, sizeof l->enc);
        memset(l->ss, 0, sizeof l->ss);
        jobs[i] = (xmtp_kem_encap){.pk = l->pk, .seed = l->seed, .enc = l->enc, .ss = l->ss};
    }
    return xmtp_kem_encap_many(kem, jobs, count);
}

static void assert_encapsulations(const xmtp_kem *kem)
{
    make_letters(kem);
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        assert_int_equal(encap(kem, counts[c]), XMTP_OK);
        assert_memory_equal(letters, alone, counts[c] * sizeof letters[0]);
    }
    for (size_t i = 0; i < ITEMS; i += 11) { /* a point of small order, wherever it is */
        memset(letters[i].pk + kem->pk_len - 32, 0, 32);
        assert_int_equal(encap(kem, ITEMS), XMTP_E_KEY);
        memcpy(letters[i].pk, alone[i].pk, sizeof letters[i].pk);
    }
    assert_int_equal(encap(kem, ITEMS), XMTP_OK);
    assert_memory_equal(letters, alone, sizeof letters);
}

static void x25519_encapsulates_the_same(void **state)
{
    (void)state;
    assert_encapsulations(&xmtp_kem_x25519);
}

static void xwing_encapsulates_the_same(void **state)
{
    (void)state;
    assert_encapsulations(&xmtp_kem_xwing);
}

/* One in three was forged, one in five has a point of small order. */
static void xwing_decapsulates_the_same(void **state)
{
    (void)state;
    const xmtp_kem *kem = &xmtp_kem_xwing;
    void *expanded = malloc(kem->expanded_len);
    const uint8_t sk[32] = {5};
    uint8_t pk[XMTP_KEM_PK_MAX];
    assert_int_equal(kem->public_key(sk, pk), XMTP_OK);
    kem->expand(sk, expanded);
    for (size_t i = 0; i < ITEMS; i++) {
        fill(letters[i].seed, sizeof letters[i].seed, i);
        assert_int_equal(kem->encap(pk, letters[i].seed, letters[i].enc, letters[i].ss), XMTP_OK);
        letters[i].enc[i] ^= (uint8_t)(i % 3 == 0);
        memset(letters[i].enc + kem->enc_len - 32, 0, i % 5 == 0 ? 32 : 0);
    }
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        xmtp_kem_decap jobs[ITEMS];
        for (size_t i = 0; i < counts[c]; i++) {
            jobs[i] = (xmtp_kem_decap){.enc = letters[i].enc, .ss = letters[i].ss};
        }
        kem->decap_many(expanded, jobs, counts[c]);
        for (size_t i = 0; i < counts[c]; i++) {
            uint8_t ss[32];
            assert_int_equal(jobs[i].status, kem->decap_expanded(expanded, letters[i].enc, ss));
            assert_int_equal(jobs[i].status, i % 5 == 0 ? XMTP_E_KEY : XMTP_OK);
            assert_memory_equal(letters[i].ss, ss, sizeof ss);
        }
    }
    free(expanded);
}

/* ---- HPKE */

static void letters_are_sealed_the_same(void **state)
{
    (void)state;
    const xmtp_suite *suite = &xmtp_suite_x25519_chacha;
    const xmtp_bytes info = xmtp_bytes_of_string("what it is about");
    static uint8_t out[2][ITEMS][20 + XMTP_AEAD_TAG_MAX];
    make_letters(suite->kem);
    xmtp_hpke_letter all[ITEMS];
    for (size_t i = 0; i < ITEMS; i++) {
        all[i] = (xmtp_hpke_letter){.pk = letters[i].pk,
                                    .seed = letters[i].seed,
                                    .plaintext = xmtp_bytes_of(letters[i].seed, i % 20),
                                    .enc = letters[i].enc,
                                    .ciphertext = out[0][i]};
        xmtp_hpke_letter one = all[i];
        one.enc = alone[i].enc;
        one.ciphertext = out[1][i];
        assert_int_equal(xmtp_hpke_seal_many(suite, info, &one, 1), XMTP_OK);
    }
    assert_int_equal(xmtp_hpke_seal_many(suite, info, all, ITEMS), XMTP_OK);
    assert_memory_equal(out[0], out[1], sizeof out[0]);
    for (size_t i = 0; i < ITEMS; i++) {
        assert_memory_equal(letters[i].enc, alone[i].enc, suite->kem->enc_len);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, have_four, were_helped)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(signatures_have_the_same_verdicts), TEST(prehashed_signatures_have_the_same_verdicts),
        TEST(x25519_encapsulates_the_same),      TEST(xwing_encapsulates_the_same),
        TEST(xwing_decapsulates_the_same),       TEST(letters_are_sealed_the_same),
    };
    return cmocka_run_group_tests_name("in lanes", tests, NULL, NULL) + RUN_IN_SLOWER_LANES(tests) +
           cmocka_run_group_tests_name("without lanes", tests, forbid_lanes, allow_lanes);
}
