/* constant_time_test.c - no branch and no address depends on a secret, as valgrind sees it.
 *
 * The test starts itself again under valgrind's memcheck with the secrets marked as undefined:
 * every jump or index that depends on one is then an error. Skipped without valgrind and under
 * sanitizers. It proves this for this compiler's code, which is what runs: in lanes of AVX2, where
 * the machine has them, and without lanes. valgrind knows no AVX-512.
 *
 * What is public by design is marked as defined again, where the code under test ends. libsodium's
 * own verdicts "the product is the neutral element" (once in 2^252) are suppressed by name.
 */
#include "crypto/ed25519_sign.h"
#include "crypto/keccak.h"
#include "crypto/mlkem.h"
#include "crypto/nist_curve.h"
#include "crypto/test_hex.h"
#include "crypto/test_lanes.h"
#include "crypto/test_secrets.h"
#include "crypto/x25519_base.h"

static void valgrind_sees_a_branch_on_a_secret(void **state)
{
    (void)state;
    unsigned before = errors();
    uint8_t secret = 7;
    hide(&secret, 1);
    volatile int taken = 0;
    if (secret & 1) {
        taken = 1;
    }
    (void)taken;
    assert_int_equal(errors(), before + 1);
}

static void mlkem_decapsulation_is_constant_time(void **state)
{
    (void)state;
    const uint8_t seed[32] = {1};
    for (int is_forged = 0; is_forged < 2; is_forged++) {
        xmtp_mlkem768_key key;
        uint8_t ct[MLKEM768_CT_LEN];
        uint8_t ss[32];
        uint8_t opened[32];
        xmtp_mlkem768_keygen(&key, seed, seed);
        assert_int_equal(xmtp_mlkem768_encaps(key.ek, seed, ct, ss), XMTP_OK);
        ct[5] ^= (uint8_t)is_forged;
        unsigned before = errors();
        hide(key.s, sizeof key.s);
        hide(key.z, sizeof key.z);
        xmtp_mlkem768_decaps(&key, ct, opened);
        assert_int_equal(errors(), before);
        reveal(opened, sizeof opened);
        assert_int_equal(memcmp(ss, opened, 32) != 0, is_forged);
    }
}

static void mlkem_encapsulation_is_constant_time(void **state)
{
    (void)state;
    const uint8_t seed[32] = {2};
    xmtp_mlkem768_key key;
    uint8_t m[32] = {3};
    uint8_t ct[MLKEM768_CT_LEN];
    uint8_t ss[32];
    xmtp_mlkem768_keygen(&key, seed, seed);
    unsigned before = errors();
    hide(m, sizeof m);
    assert_int_equal(xmtp_mlkem768_encaps(key.ek, m, ct, ss), XMTP_OK);
    assert_int_equal(errors(), before);
}

/* Accepted and rejected side by side. */
static void many_of_mlkem_are_constant_time(void **state)
{
    (void)state;
    enum { COUNT = 9 };
    const uint8_t seed[32] = {2};
    static xmtp_mlkem768_key key;
    static uint8_t ct[COUNT][MLKEM768_CT_LEN];
    uint8_t m[COUNT][32];
    uint8_t ss[COUNT][32];
    uint8_t opened[COUNT][32];
    xmtp_mlkem768_encap encaps[COUNT];
    xmtp_mlkem768_decap decaps[COUNT];
    xmtp_mlkem768_keygen(&key, seed, seed);
    for (size_t i = 0; i < COUNT; i++) {
        memset(m[i], (int)i, sizeof m[i]);
        encaps[i] = (xmtp_mlkem768_encap){key.ek, m[i], ct[i], ss[i]};
        decaps[i] = (xmtp_mlkem768_decap){ct[i], opened[i]};
    }
    unsigned before = errors();
    hide(m, sizeof m);
    assert_int_equal(xmtp_mlkem768_encaps_many(encaps, COUNT), XMTP_OK);
    assert_int_equal(errors(), before);
    reveal(ct, sizeof ct); /* they go over the network */
    ct[4][5] ^= 1;
    hide(key.s, sizeof key.s);
    hide(key.z, sizeof key.z);
    xmtp_mlkem768_decaps_many(&key, decaps, COUNT);
    assert_int_equal(errors(), before);
    reveal(ss, sizeof ss);
    reveal(opened, sizeof opened);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(memcmp(ss[i], opened[i], 32) != 0, i == 4);
    }
}

/* Key generation makes the public rho from its secret seed, so its secret half is tested in parts:
 * sampling, transforming, multiplying and encoding. */
static void mlkem_arithmetic_is_constant_time(void **state)
{
    (void)state;
    uint8_t sigma[32] = {4};
    uint8_t packed[384];
    xmtp_poly s;
    xmtp_poly t = {0};
    unsigned before = errors();
    hide(sigma, sizeof sigma);
    xmtp_poly_sample_cbd(&(xmtp_poly_sample){.out = &s, .seed = sigma}, 1);
    xmtp_poly_ntt(&s);
    xmtp_poly_multiply_add(&t, &s, &s);
    xmtp_poly_ntt_inverse(&t);
    xmtp_poly_encode(&t, packed);
    xmtp_poly_compress(&t, 1, packed);
    assert_int_equal(errors(), before);
}

static void ed25519ph_signing_is_constant_time(void **state)
{
    (void)state;
    uint8_t sk[32] = {5};
    uint8_t pk[32];
    uint8_t signature[64];
    xmtp_bytes message = xmtp_bytes_of_string("message");
    assert_int_equal(xmtp_signature_ed25519.public_key(sk, pk), XMTP_OK);
    unsigned before = errors();
    hide(sk, sizeof sk);
    xmtp_status status = xmtp_ed25519ph_sign(sk, pk, message, message, signature);
    reveal(&status, sizeof status);
    assert_int_equal(errors(), before);
    assert_int_equal(status, XMTP_OK);
    reveal(signature, sizeof signature);
    assert_int_equal(xmtp_ed25519ph_verify(pk, message, message, signature), XMTP_OK);
}

static void assert_key_in_constant_time(void (*make)(const uint8_t sk[32], uint8_t pk[32]),
                                        uint8_t first)
{
    uint8_t sk[32] = {first};
    uint8_t pk[32];
    unsigned before = errors();
    hide(sk, sizeof sk);
    make(sk, pk);
    assert_int_equal(errors(), before);
    reveal(pk, sizeof pk);
}

static void ed25519_public_keys_are_made_in_constant_time(void **state)
{
    (void)state;
    assert_key_in_constant_time(xmtp_ed25519_public_key, 8);
}

static void x25519_public_keys_are_made_in_constant_time(void **state)
{
    (void)state;
    assert_key_in_constant_time(xmtp_x25519_base, 7);
}

/* The candidates of RFC 9180 section 7.1.3 and of RFC 6979: only the verdict is public. */
static void scalars_are_judged_in_constant_time(void **state)
{
    (void)state;
    uint8_t sk[66] = {0, 8};
    unsigned before = errors();
    hide(sk, sizeof sk);
    bool is_scalar = xmtp_nist_is_scalar(&xmtp_nist_p521, sk);
    reveal(&is_scalar, sizeof is_scalar);
    assert_int_equal(errors(), before);
    assert_true(is_scalar);
}

static void sponge_hmac_and_comparison_are_constant_time(void **state)
{
    (void)state;
    uint8_t secret[200] = {6};
    uint8_t out[64];
    unsigned before = errors();
    hide(secret, sizeof secret);
    xmtp_shake256(xmtp_bytes_of(secret, sizeof secret), out, sizeof out);
    xmtp_hmac_of(&xmtp_hash_sha256, xmtp_bytes_of(secret, 32), xmtp_bytes_of(secret, 200), out);
    xmtp_hmac_of(&xmtp_hash_sha512, xmtp_bytes_of(secret, 32), xmtp_bytes_of(secret, 200), out);
    bool is_equal = xmtp_ct_equal(secret, out, 64);
    reveal(&is_equal, sizeof is_equal);
    assert_int_equal(errors(), before);
    reveal(secret, sizeof secret);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(valgrind_sees_a_branch_on_a_secret),
    cmocka_unit_test(mlkem_decapsulation_is_constant_time),
    cmocka_unit_test(mlkem_encapsulation_is_constant_time),
    cmocka_unit_test(many_of_mlkem_are_constant_time),
    cmocka_unit_test(mlkem_arithmetic_is_constant_time),
    cmocka_unit_test(ed25519ph_signing_is_constant_time),
    cmocka_unit_test(ed25519_public_keys_are_made_in_constant_time),
    cmocka_unit_test(x25519_public_keys_are_made_in_constant_time),
    cmocka_unit_test(scalars_are_judged_in_constant_time),
    cmocka_unit_test(sponge_hmac_and_comparison_are_constant_time),
};

/* The one public verdict, inside libsodium and in what calls it. */
#define VERDICT(function) "{\n " function "\n Memcheck:Cond\n fun:" function "\n}\n"

static const char verdicts[] =
    "{\n in-x25519\n Memcheck:Cond\n obj:*libsodium*\n fun:multiply_by_libsodium\n}\n"
    "{\n in-ed25519\n Memcheck:Cond\n obj:*libsodium*\n fun:xmtp_ed25519_base\n}\n" VERDICT(
        "crypto_scalarmult_ed25519_base_noclamp") VERDICT("xmtp_ed25519_base")
        VERDICT("xmtp_ed25519_sign");

static void secrets_decide_no_branch_and_no_address(void **state)
{
    (void)state;
    run_watched(verdicts);
}

int main(void)
{
    const struct CMUnitTest outer[] = {
        cmocka_unit_test(secrets_decide_no_branch_and_no_address),
    };
    if (!secrets_are_watched()) {
        return cmocka_run_group_tests(outer, NULL, NULL);
    }
    return cmocka_run_group_tests_name("as valgrind's machine can", tests, NULL, NULL) +
           cmocka_run_group_tests_name("without lanes", tests, forbid_lanes, allow_lanes);
}
