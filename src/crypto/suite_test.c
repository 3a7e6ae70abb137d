/* suite_test.c - every suite that may carry groups: its table entry, and what all of them do alike. */
#include "crypto/test_hex.h"

typedef struct suite_row {
    uint16_t id;
    const char *name;
    uint16_t kem_id;
    uint16_t kdf_id;
    uint16_t aead_id;
    uint16_t scheme;
} suite_row;

/* RFC 9420 section 17.1 table 7, RFC 9180 tables 2, 3 and 5. */
static const suite_row rows[] = {
    {0x0001, "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519", 0x0020, 1, 1, 0x0807},
    {0x0002, "MLS_128_DHKEMP256_AES128GCM_SHA256_P256", 0x0010, 1, 1, 0x0403},
    {0x0003, "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519", 0x0020, 1, 3, 0x0807},
    {0x0004, "MLS_256_DHKEMX448_AES256GCM_SHA512_Ed448", 0x0021, 3, 2, 0x0808},
    {0x0005, "MLS_256_DHKEMP521_AES256GCM_SHA512_P521", 0x0012, 3, 2, 0x0603},
    {0x0006, "MLS_256_DHKEMX448_CHACHA20POLY1305_SHA512_Ed448", 0x0021, 3, 3, 0x0808},
    {0x0007, "MLS_256_DHKEMP384_AES256GCM_SHA384_P384", 0x0011, 2, 2, 0x0503},
    {0xf004, "XWING_CHACHA20POLY1305_SHA256_Ed25519", 0x647a, 1, 3, 0x0807},
};
enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

static void the_table_is_that_of_the_rfc(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const xmtp_suite *s = xmtp_suite_by_id(rows[i].id);
        assert_non_null(s);
        assert_int_equal(s->id, rows[i].id);
        assert_string_equal(s->name, rows[i].name);
        assert_int_equal(s->kem->id, rows[i].kem_id);
        assert_int_equal(s->kdf_id, rows[i].kdf_id);
        assert_int_equal(s->aead->id, rows[i].aead_id);
        assert_int_equal(s->signature->scheme, rows[i].scheme);
        assert_int_equal(s->hash->len, 16 * (1 + s->kdf_id));
    }
}

static void only_these_numbers_name_a_suite(void **state)
{
    (void)state;
    size_t found = 0;
    for (unsigned id = 0; id <= UINT16_MAX; id++) {
        found += xmtp_suite_by_id((uint16_t)id) != NULL;
    }
    assert_int_equal(found, ROW_COUNT);
    assert_null(xmtp_suite_by_id(0x004d)); /* wraps welcomes only */
}

static void every_size_is_within_the_maxima(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const xmtp_suite *s = xmtp_suite_by_id(rows[i].id);
        assert_true(s->hash->len <= XMTP_HASH_MAX && s->hash->block_len <= XMTP_HASH_BLOCK_MAX);
        assert_true(s->aead->key_len <= XMTP_AEAD_KEY_MAX);
        assert_true(s->aead->nonce_len <= XMTP_AEAD_NONCE_MAX);
        assert_true(s->aead->tag_len <= XMTP_AEAD_TAG_MAX);
        assert_true(s->kem->sk_len <= XMTP_KEM_SK_MAX && s->kem->pk_len <= XMTP_KEM_PK_MAX);
        assert_true(s->kem->enc_len <= XMTP_KEM_ENC_MAX && s->kem->ss_len <= XMTP_KEM_SS_MAX);
        assert_true(s->kem->seed_len <= XMTP_KEM_SEED_MAX);
        assert_true(s->signature->sk_len <= XMTP_SIGNATURE_SK_MAX);
        assert_true(s->signature->pk_len <= XMTP_SIGNATURE_PK_MAX);
        assert_true(s->signature->signature_max <= XMTP_SIGNATURE_MAX);
    }
}

typedef struct sealed_once {
    const xmtp_suite *suite;
    uint8_t sk[XMTP_KEM_SK_MAX];
    uint8_t pk[XMTP_KEM_PK_MAX];
    uint8_t enc[XMTP_KEM_ENC_MAX];
    uint8_t ciphertext[7 + XMTP_AEAD_TAG_MAX];
} sealed_once;

static const xmtp_bytes info = {.p = (const uint8_t *)"info", .n = 4};
static const xmtp_bytes aad = {.p = (const uint8_t *)"aad", .n = 3};
static const xmtp_bytes plaintext = {.p = (const uint8_t *)"message", .n = 7};

static sealed_once seal_once(const xmtp_suite *suite)
{
    sealed_once s = {.suite = suite};
    uint8_t ikm[64];
    uint8_t seed[XMTP_KEM_SEED_MAX];
    memset(ikm, 0x17, sizeof ikm);
    memset(seed, 0x2a, sizeof seed);
    xmtp_hpke c;
    assert_int_equal(suite->kem->derive_key_pair(xmtp_bytes_of(ikm, suite->hash->len), s.sk, s.pk),
                     XMTP_OK);
    assert_int_equal(xmtp_hpke_setup_sender(&c, suite, s.pk, info, seed, s.enc), XMTP_OK);
    assert_int_equal(xmtp_hpke_seal(&c, aad, plaintext, s.ciphertext), XMTP_OK);
    return s;
}

static xmtp_status open_once(const sealed_once *s, const uint8_t *pk)
{
    xmtp_hpke c;
    uint8_t out[7];
    XMTP_TRY(xmtp_hpke_setup_receiver(&c, s->suite, s->sk, pk,
                                      xmtp_bytes_of(s->enc, s->suite->kem->enc_len), info));
    XMTP_TRY(xmtp_hpke_open(&c, aad, xmtp_bytes_of(s->ciphertext, sizeof s->ciphertext), out));
    assert_memory_equal(out, plaintext.p, 7);
    return XMTP_OK;
}

static void what_is_sealed_opens_with_and_without_the_public_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        sealed_once s = seal_once(xmtp_suite_by_id(rows[i].id));
        uint8_t pk[XMTP_KEM_PK_MAX];
        assert_int_equal(open_once(&s, s.pk), XMTP_OK);
        assert_int_equal(open_once(&s, NULL), XMTP_OK);
        assert_int_equal(s.suite->kem->public_key(s.sk, pk), XMTP_OK);
        assert_memory_equal(pk, s.pk, s.suite->kem->pk_len);
    }
}

static void every_flipped_byte_of_a_sealed_message_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        sealed_once s = seal_once(xmtp_suite_by_id(rows[i].id));
        size_t step = s.suite->kem->enc_len > 200 ? 61 : 1; /* ML-KEM has its own test */
        for (size_t at = 0; at < s.suite->kem->enc_len; at += step) {
            s.enc[at] ^= (uint8_t)(1 << (at % 8));
            xmtp_status status = open_once(&s, s.pk);
            assert_true(status == XMTP_E_AUTH || status == XMTP_E_KEY);
            s.enc[at] ^= (uint8_t)(1 << (at % 8));
        }
        for (size_t at = 0; at < sizeof s.ciphertext; at++) {
            s.ciphertext[at] ^= (uint8_t)(1 << (at % 8));
            assert_int_equal(open_once(&s, s.pk), XMTP_E_AUTH);
            s.ciphertext[at] ^= (uint8_t)(1 << (at % 8));
        }
        assert_int_equal(open_once(&s, s.pk), XMTP_OK);
    }
}

static void different_seeds_give_different_keys_and_secrets(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const xmtp_kem *kem = xmtp_suite_by_id(rows[i].id)->kem;
        uint8_t sk[2][XMTP_KEM_SK_MAX];
        uint8_t pk[2][XMTP_KEM_PK_MAX];
        uint8_t enc[2][XMTP_KEM_ENC_MAX];
        uint8_t ss[2][XMTP_KEM_SS_MAX];
        uint8_t seed[XMTP_KEM_SEED_MAX] = {1};
        for (size_t j = 0; j < 2; j++) {
            seed[kem->seed_len - 2] = (uint8_t)(4 * j);
            assert_int_equal(kem->derive_key_pair(xmtp_bytes_of(seed, kem->seed_len), sk[j], pk[j]),
                             XMTP_OK);
            assert_int_equal(kem->encap(pk[0], seed, enc[j], ss[j]), XMTP_OK);
        }
        assert_memory_not_equal(sk[0], sk[1], kem->sk_len);
        assert_memory_not_equal(pk[0], pk[1], kem->pk_len);
        assert_memory_not_equal(enc[0], enc[1], kem->enc_len);
        assert_memory_not_equal(ss[0], ss[1], kem->ss_len);
    }
}

static void signatures_are_repeatable_and_bound_to_message_and_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const xmtp_signature *s = xmtp_suite_by_id(rows[i].id)->signature;
        uint8_t sk[XMTP_SIGNATURE_SK_MAX] = {0};
        uint8_t pk[2][XMTP_SIGNATURE_PK_MAX];
        uint8_t made[2][XMTP_SIGNATURE_MAX];
        size_t n[2];
        memset(sk + 1, 0x33, s->sk_len - 1);
        assert_int_equal(s->public_key(sk, pk[0]), XMTP_OK);
        assert_int_equal(s->sign(sk, pk[0], plaintext, made[0], &n[0]), XMTP_OK);
        assert_int_equal(s->sign(sk, pk[0], plaintext, made[1], &n[1]), XMTP_OK);
        assert_int_equal(n[0], n[1]);
        assert_memory_equal(made[0], made[1], n[0]);
        sk[1] ^= 1;
        assert_int_equal(s->public_key(sk, pk[1]), XMTP_OK);
        xmtp_bytes signature = xmtp_bytes_of(made[0], n[0]);
        assert_int_equal(s->verify(xmtp_bytes_of(pk[0], s->pk_len), plaintext, signature), XMTP_OK);
        assert_int_equal(s->verify(xmtp_bytes_of(pk[0], s->pk_len), info, signature),
                         XMTP_E_SIGNATURE);
        assert_int_equal(s->verify(xmtp_bytes_of(pk[1], s->pk_len), plaintext, signature),
                         XMTP_E_SIGNATURE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_that_of_the_rfc),
        cmocka_unit_test(only_these_numbers_name_a_suite),
        cmocka_unit_test(every_size_is_within_the_maxima),
        cmocka_unit_test(what_is_sealed_opens_with_and_without_the_public_key),
        cmocka_unit_test(every_flipped_byte_of_a_sealed_message_is_refused),
        cmocka_unit_test(different_seeds_give_different_keys_and_secrets),
        cmocka_unit_test(signatures_are_repeatable_and_bound_to_message_and_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
