/* signature_ed25519ph_test.c - Ed25519ph: RFC 8032 section 7.3, the installation signatures of
 * identity.md 4.1 and 4.2, and the edges of verification. */
#include "crypto/test_hex.h"
#include "crypto/test_lanes.h"

static const char text_a[] =
    "XMTP : Authenticate to inbox\n\n"
    "Inbox ID: f2dc4b90b67487658e6fc1d4759c148fac797ea24fadee18c9d511787e04ea1a\n"
    "Current time: 2023-11-14T22:13:20Z\n\n"
    "- Create inbox\n"
    "  (Owner: 0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266)\n"
    "- Grant messaging access to app\n"
    "  (ID: 8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c)\n\n"
    "For more info: https://xmtp.org/signatures";

static const char text_b[] =
    "XMTP : Authenticate to inbox\n\n"
    "Inbox ID: f2dc4b90b67487658e6fc1d4759c148fac797ea24fadee18c9d511787e04ea1a\n"
    "Current time: 2023-11-14T22:15:00Z\n\n"
    "- Link address to inbox\n"
    "  (Address: 0x70997970c51812dc3a010c7d01b50e0d17dc79c8)\n"
    "- Grant messaging access to app\n"
    "  (ID: 8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394)\n"
    "- Change inbox recovery address\n"
    "  (Address: 0x70997970c51812dc3a010c7d01b50e0d17dc79c8)\n\n"
    "For more info: https://xmtp.org/signatures";

#define SEED_0  "0101010101010101010101010101010101010101010101010101010101010101"
#define SEED_1  "0202020202020202020202020202020202020202020202020202020202020202"
#define PK_0    "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"
#define PK_1    "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394"
#define CONTEXT "IDENTITY UPDATE SIGNATURE"
#define ORDER   "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010"

typedef struct ed25519ph_case {
    const char *sk;
    const char *pk;
    const char *context;
    const char *message;
    const char *signature;
} ed25519ph_case;

static const ed25519ph_case cases[] = {
    {"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
     "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf", "", "abc",
     "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41"
     "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"},
    {SEED_0, PK_0, CONTEXT, text_a,
     "5bd08f4570b080272343ccac40611d89ce32a08b6c5f41d569fc53c99d839d16"
     "ba44fd74fd30be9294aa4b44a7370bf837d9e32d09b488c2be10a92cfc410506"},
    {SEED_0, PK_0, CONTEXT, text_b,
     "9715556ac3db19194ba54608c38dabf7133dc7e123176aca6c831a90be4a7862"
     "4a3cebbc199dbf760f78050ccb29806c878aa62371a53c76281588af43853f09"},
    {SEED_1, PK_1, CONTEXT, text_b,
     "481f26e8ae192723847886aaec8e4ef1b4fd7ed6c0d8acaa2263b57093990072"
     "149ee1676de1a3a98818f57f8c31f63e81e65ec02294b51d68415f21e6b54801"},
};
enum { CASE_COUNT = sizeof cases / sizeof cases[0] };

static xmtp_status verify(const ed25519ph_case *c, const uint8_t *pk, const uint8_t *signature)
{
    return xmtp_ed25519ph_verify(pk, xmtp_bytes_of_string(c->context),
                                 xmtp_bytes_of_string(c->message), signature);
}

static void published_cases_sign_and_verify(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASE_COUNT; i++) {
        const ed25519ph_case *c = &cases[i];
        test_hex sk = hex(c->sk);
        uint8_t pk[32];
        uint8_t signature[64];
        assert_int_equal(xmtp_signature_ed25519.public_key(sk.p, pk), XMTP_OK);
        assert_hex(pk, 32, c->pk);
        assert_int_equal(xmtp_ed25519ph_sign(sk.p, pk, xmtp_bytes_of_string(c->context),
                                             xmtp_bytes_of_string(c->message), signature),
                         XMTP_OK);
        assert_hex(signature, 64, c->signature);
        assert_int_equal(verify(c, pk, signature), XMTP_OK);
    }
}

static void wallet_digest_of_the_same_text_is_that_of_the_example(void **state)
{
    (void)state;
    char text[1024];
    assert_int_equal(sizeof text_a - 1, 358);
    assert_int_equal(sizeof text_b - 1, 457);
    int n = snprintf(text, sizeof text,
                     "\x19"
                     "Ethereum Signed Message:\n%zu%s",
                     sizeof text_a - 1, text_a);
    uint8_t digest[32];
    xmtp_keccak256(xmtp_bytes_of(text, (size_t)n), digest);
    assert_hex(digest, 32, "2dec8e8de9f240be509412effc1ad8ee65724c5f6747fc635d97ec91fba48a6a");
}

static void every_flipped_byte_is_refused(void **state)
{
    (void)state;
    const ed25519ph_case *c = &cases[1];
    test_hex pk = hex(c->pk);
    test_hex signature = hex(c->signature);
    for (size_t i = 0; i < 64; i++) {
        signature.p[i] ^= 4;
        assert_int_equal(verify(c, pk.p, signature.p), XMTP_E_SIGNATURE);
        signature.p[i] ^= 4;
    }
    for (size_t i = 0; i < 32; i++) {
        pk.p[i] ^= 4;
        assert_int_not_equal(verify(c, pk.p, signature.p), XMTP_OK);
        pk.p[i] ^= 4;
    }
}

static void another_context_and_plain_ed25519_are_refused(void **state)
{
    (void)state;
    test_hex pk = hex(cases[1].pk);
    test_hex signature = hex(cases[1].signature);
    ed25519ph_case other = cases[1];
    other.context = "PUBLIC SIGNATURE CONTEXT";
    assert_int_equal(verify(&other, pk.p, signature.p), XMTP_E_SIGNATURE);
    other.context = "";
    assert_int_equal(verify(&other, pk.p, signature.p), XMTP_E_SIGNATURE);
    assert_int_equal(
        xmtp_signature_ed25519.verify(view(&pk), xmtp_bytes_of_string(text_a), view(&signature)),
        XMTP_E_SIGNATURE);
}

static void a_context_of_256_bytes_is_refused(void **state)
{
    (void)state;
    static const uint8_t context[256];
    test_hex sk = hex(SEED_0);
    test_hex pk = hex(PK_0);
    uint8_t signature[64];
    xmtp_bytes message = xmtp_bytes_of_string("message");
    xmtp_bytes long_context = xmtp_bytes_of(context, 255);
    assert_int_equal(xmtp_ed25519ph_sign(sk.p, pk.p, long_context, message, signature), XMTP_OK);
    assert_int_equal(xmtp_ed25519ph_verify(pk.p, long_context, message, signature), XMTP_OK);
    long_context.n = 256;
    assert_int_equal(xmtp_ed25519ph_sign(sk.p, pk.p, long_context, message, signature),
                     XMTP_E_LENGTH);
    assert_int_equal(xmtp_ed25519ph_verify(pk.p, long_context, message, signature), XMTP_E_LENGTH);
}

/* S + L satisfies the equation as S does, but is not canonical. */
static void s_not_below_the_group_order_is_refused(void **state)
{
    (void)state;
    const ed25519ph_case *c = &cases[1];
    test_hex pk = hex(c->pk);
    test_hex signature = hex(c->signature);
    test_hex order = hex(ORDER);
    unsigned carry = 0;
    for (size_t i = 0; i < 32; i++) {
        unsigned sum = signature.p[32 + i] + order.p[i] + carry;
        signature.p[32 + i] = (uint8_t)sum;
        carry = sum >> 8;
    }
    assert_int_equal(verify(c, pk.p, signature.p), XMTP_E_SIGNATURE);
}

static void bytes_that_are_no_point_are_no_key(void **state)
{
    (void)state;
    test_hex pk = hex("0200000000000000000000000000000000000000000000000000000000000000");
    test_hex signature = hex(cases[1].signature);
    assert_int_equal(verify(&cases[1], pk.p, signature.p), XMTP_E_KEY);
}

/* With the neutral element as key, R = SB for every message: libsodium refuses such keys, the
 * network does not (identity.md 3.5). S = 0 gives R = neutral. */
static void keys_of_small_order_are_judged_by_the_equation_alone(void **state)
{
    (void)state;
    uint8_t pk[32] = {1};
    uint8_t signature[64] = {1};
    assert_int_equal(verify(&cases[1], pk, signature), XMTP_OK);
    signature[32] = 1; /* S = 1: R must be B */
    assert_int_equal(verify(&cases[1], pk, signature), XMTP_E_SIGNATURE);
    memset(signature, 0x66, 32);
    signature[0] = 0x58;
    assert_int_equal(verify(&cases[1], pk, signature), XMTP_OK);
}

/* Keys A + T, with A that of SEED_0 and T of order 8, 4 or 2: a signature by A's owner verifies
 * when k is a multiple of that order. Which of the one-byte messages 0 to 63 do was computed with
 * an independent implementation in plain integers; bit i stands for message i. */
static void keys_of_mixed_order_get_the_verdict_of_the_equation(void **state)
{
    (void)state;
    static const struct {
        const char *pk;
        uint64_t accepted;
    } mixed[] = {
        {"9ea3f11f5bd34f0cd7147fd0a436c088f624c6100c1df6a53c0a29e05d60cea0", 0x0808000426401022},
        {"56b408aa732d2b51460ece91d25893af2340474699b8b8a4572b83df35545d3d", 0x0000028482010911},
        {"63771c228bf60e6a02ad24d2c345a28d3598f640e26bede40c8b77fe4bf090a3", 0x589cfc47e0505d84},
    };
    test_hex sk = hex(SEED_0);
    xmtp_bytes context = xmtp_bytes_of_string("ctx");
    for (size_t i = 0; i < 3; i++) {
        test_hex pk = hex(mixed[i].pk);
        for (uint8_t message = 0; message < 64; message++) {
            uint8_t signature[64];
            xmtp_bytes view_of_message = xmtp_bytes_of(&message, 1);
            assert_int_equal(xmtp_ed25519ph_sign(sk.p, pk.p, context, view_of_message, signature),
                             XMTP_OK);
            assert_int_equal(xmtp_ed25519ph_verify(pk.p, context, view_of_message, signature),
                             (mixed[i].accepted >> message) & 1 ? XMTP_OK : XMTP_E_SIGNATURE);
        }
    }
}

/* Contexts and texts of all lengths from 0 to 255. */
static void signatures_are_the_same_in_all_kinds_of_lanes(void **state)
{
    (void)state;
    uint8_t text[256] = {0};
    uint8_t sk[32] = {1};
    for (size_t i = 0; i < 1024; i++) {
        const xmtp_bytes context = xmtp_bytes_of(text, i % 256);
        const xmtp_bytes message = xmtp_bytes_of(text, (i * 7) % 256);
        uint8_t pk[32];
        uint8_t signature[XMTP_LANES_AVX512 + 1][64];
        xmtp_hash_of(&xmtp_hash_sha256, xmtp_bytes_of(sk, 32), sk);
        memcpy(text + i % 225, sk, 32);
        assert_int_equal(xmtp_signature_ed25519.public_key(sk, pk), XMTP_OK);
        for (int kind = XMTP_LANES_NONE; kind <= XMTP_LANES_AVX512; kind++) {
            xmtp_lanes_allow((xmtp_lanes_kind)kind);
            assert_int_equal(xmtp_ed25519ph_sign(sk, pk, context, message, signature[kind]),
                             XMTP_OK);
            assert_memory_equal(signature[kind], signature[XMTP_LANES_NONE], 64);
        }
        assert_int_equal(xmtp_ed25519ph_verify(pk, context, message, signature[0]), XMTP_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_cases_sign_and_verify),
        cmocka_unit_test(wallet_digest_of_the_same_text_is_that_of_the_example),
        cmocka_unit_test(every_flipped_byte_is_refused),
        cmocka_unit_test(another_context_and_plain_ed25519_are_refused),
        cmocka_unit_test(a_context_of_256_bytes_is_refused),
        cmocka_unit_test(s_not_below_the_group_order_is_refused),
        cmocka_unit_test(bytes_that_are_no_point_are_no_key),
        cmocka_unit_test(keys_of_small_order_are_judged_by_the_equation_alone),
        cmocka_unit_test(keys_of_mixed_order_get_the_verdict_of_the_equation),
    };
    const struct CMUnitTest both[] = {
        cmocka_unit_test(signatures_are_the_same_in_all_kinds_of_lanes),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    failed += RUN_IN_SLOWER_LANES(tests);
    failed += cmocka_run_group_tests(tests, forbid_lanes, allow_lanes);
    return failed + cmocka_run_group_tests(both, NULL, allow_lanes);
}
