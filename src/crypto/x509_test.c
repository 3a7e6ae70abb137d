/* x509_test.c - chains of certificates: what holds together and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/test_certificates.h"

/* leaf <- middle <- root, all Ed25519 unless a test says otherwise */
typedef struct chain {
    EVP_PKEY *leaf_key, *middle_key, *root_key;
    certificate_options leaf, middle, root;
    test_certificate certificates[3];
    uint8_t sk[32], pk[32];
} chain;

static void chain_open(chain *c)
{
    static const uint8_t seed[32] = {7};
    *c = (chain){.leaf = {.subject = "member", .issuer = "middle", .usage = "digitalSignature"},
                 .middle = {.subject = "middle",
                            .issuer = "root",
                            .constraints = "critical,CA:TRUE,pathlen:0",
                            .usage = "critical,keyCertSign"},
                 .root = {.subject = "root", .issuer = "root", .constraints = "critical,CA:TRUE"}};
    memcpy(c->sk, seed, 32);
    assert_int_equal(xmtp_signature_ed25519.public_key(c->sk, c->pk), XMTP_OK);
    c->leaf_key = certificate_raw_key(EVP_PKEY_ED25519, c->sk, 32);
    c->middle_key = certificate_new_key(0, "ED25519");
    c->root_key = certificate_new_key(0, "ED25519");
}

static void chain_close(chain *c)
{
    for (size_t i = 0; i < 3; i++) {
        OPENSSL_free(c->certificates[i].der);
    }
    EVP_PKEY_free(c->leaf_key);
    EVP_PKEY_free(c->middle_key);
    EVP_PKEY_free(c->root_key);
}

static xmtp_status check(chain *c, size_t count)
{
    xmtp_bytes views[3];
    c->certificates[0] = certificate_make(c->leaf_key, c->middle_key, &c->leaf);
    c->certificates[1] = certificate_make(c->middle_key, c->root_key, &c->middle);
    c->certificates[2] = certificate_make(c->root_key, c->root_key, &c->root);
    for (size_t i = 0; i < 3; i++) {
        views[i] = xmtp_bytes_of(c->certificates[i].der, c->certificates[i].n);
    }
    return xmtp_x509_check_chain(views, count, &xmtp_signature_ed25519, xmtp_bytes_of(c->pk, 32));
}

static void chains_hold_at_any_length(void **state)
{
    (void)state;
    for (size_t count = 1; count <= 3; count++) {
        chain c;
        chain_open(&c);
        assert_int_equal(check(&c, count), XMTP_OK);
        chain_close(&c);
    }
}

static void breaks_leaf_signature(chain *c)
{
    c->leaf.breaks_signature = true;
}

static void breaks_middle_signature(chain *c)
{
    c->middle.breaks_signature = true;
}

static void middle_is_no_authority(chain *c)
{
    c->middle.constraints = "CA:FALSE";
}

static void middle_says_nothing(chain *c)
{
    c->middle.constraints = NULL;
}

static void middle_may_not_sign(chain *c)
{
    c->middle.usage = "digitalSignature";
}

static void root_allows_no_middle(chain *c)
{
    c->root.constraints = "critical,CA:TRUE,pathlen:0";
}

static void leaf_names_another_issuer(chain *c)
{
    c->leaf.issuer = "somebody";
}

static void leaf_may_not_sign(chain *c)
{
    c->leaf.usage = "keyEncipherment";
}

static void leaf_has_an_unknown_critical_extension(chain *c)
{
    c->leaf.critical = "1.2.3.4.5";
}

static void middle_has_an_unknown_critical_extension(chain *c)
{
    c->middle.critical = "1.2.3.4.5";
}

static void root_is_weak(chain *c)
{
    EVP_PKEY_free(c->root_key);
    c->root_key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
    assert_non_null(c->root_key);
    c->middle.digest = c->root.digest = EVP_sha256();
}

static void digest_is_weak(chain *c)
{
    EVP_PKEY_free(c->root_key);
    c->root_key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    assert_non_null(c->root_key);
    c->middle.digest = c->root.digest = EVP_sha1();
}

static void key_is_of_another(chain *c)
{
    c->pk[0] ^= 1;
}

static void chains_keep_the_rules(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        void (*change)(chain *c);
        xmtp_status status;
    } rules[] = {
        {"the first is signed by the second", breaks_leaf_signature, XMTP_E_CERTIFICATE},
        {"the second by the third", breaks_middle_signature, XMTP_E_CERTIFICATE},
        {"a signer is an authority", middle_is_no_authority, XMTP_E_CERTIFICATE},
        {"and says so", middle_says_nothing, XMTP_E_CERTIFICATE},
        {"and may sign certificates", middle_may_not_sign, XMTP_E_CERTIFICATE},
        {"an authority limits the chain", root_allows_no_middle, XMTP_E_CERTIFICATE},
        {"names match", leaf_names_another_issuer, XMTP_E_CERTIFICATE},
        {"a member's key may sign", leaf_may_not_sign, XMTP_E_CERTIFICATE},
        {"critical extensions are known", leaf_has_an_unknown_critical_extension,
         XMTP_E_CERTIFICATE},
        {"of signers too", middle_has_an_unknown_critical_extension, XMTP_E_CERTIFICATE},
        {"keys are strong", root_is_weak, XMTP_E_CERTIFICATE},
        {"digests are strong", digest_is_weak, XMTP_E_CERTIFICATE},
        {"the first has the member's key", key_is_of_another, XMTP_E_CERTIFICATE_KEY},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        chain c;
        chain_open(&c);
        rules[i].change(&c);
        xmtp_status status = check(&c, 3);
        if (status != rules[i].status) {
            fail_msg("%s: %s", rules[i].rule, xmtp_status_name(status));
        }
        chain_close(&c);
    }
}

static void damaged_certificates_are_refused(void **state)
{
    (void)state;
    chain c;
    chain_open(&c);
    assert_int_equal(check(&c, 1), XMTP_OK);
    const xmtp_bytes pk = xmtp_bytes_of(c.pk, 32);
    xmtp_bytes view = xmtp_bytes_of(c.certificates[0].der, c.certificates[0].n);
    for (size_t n = 0; n < c.certificates[0].n; n++) {
        const xmtp_bytes cut = xmtp_bytes_of(view.p, n);
        assert_int_equal(xmtp_x509_check_chain(&cut, 1, &xmtp_signature_ed25519, pk),
                         XMTP_E_CERTIFICATE);
    }
    uint8_t longer[4096] = {0};
    memcpy(longer, view.p, view.n);
    const xmtp_bytes more = xmtp_bytes_of(longer, view.n + 1);
    assert_int_equal(xmtp_x509_check_chain(&more, 1, &xmtp_signature_ed25519, pk),
                     XMTP_E_CERTIFICATE);
    xmtp_bytes many[XMTP_X509_CHAIN_MAX + 1];
    for (size_t i = 0; i <= XMTP_X509_CHAIN_MAX; i++) {
        many[i] = view;
    }
    assert_int_equal(
        xmtp_x509_check_chain(many, XMTP_X509_CHAIN_MAX + 1, &xmtp_signature_ed25519, pk),
        XMTP_E_LIMIT);
    assert_int_equal(xmtp_x509_check_chain(many, 0, &xmtp_signature_ed25519, pk),
                     XMTP_E_CERTIFICATE);
    chain_close(&c);
}

/* One certificate, self-signed, for each algorithm; and not for another one. */
static void each_signature_algorithm_has_its_keys(void **state)
{
    (void)state;
    static const struct {
        const xmtp_signature *signature;
        int type;
        const char *name;
    } kinds[] = {
        {&xmtp_signature_ed25519, 0, "ED25519"},
        {&xmtp_signature_ed448, 0, "ED448"},
        {&xmtp_signature_ecdsa_p256, EVP_PKEY_EC, "P-256"},
        {&xmtp_signature_ecdsa_p384, EVP_PKEY_EC, "P-384"},
        {&xmtp_signature_ecdsa_p521, EVP_PKEY_EC, "P-521"},
    };
    for (size_t i = 0; i < 5; i++) {
        EVP_PKEY *key = certificate_new_key(kinds[i].type, kinds[i].name);
        const certificate_options options = {
            .subject = "m", .issuer = "m", .digest = kinds[i].type == 0 ? NULL : EVP_sha256()};
        test_certificate c = certificate_make(key, key, &options);
        uint8_t pk[XMTP_SIGNATURE_PK_MAX];
        size_t n = sizeof pk;
        if (kinds[i].type == 0) {
            assert_int_equal(EVP_PKEY_get_raw_public_key(key, pk, &n), 1);
        } else {
            unsigned char *encoded = NULL;
            n = EVP_PKEY_get1_encoded_public_key(key, &encoded);
            memcpy(pk, encoded, n);
            OPENSSL_free(encoded);
        }
        assert_int_equal(n, kinds[i].signature->pk_len);
        const xmtp_bytes view = xmtp_bytes_of(c.der, c.n);
        for (size_t k = 0; k < 5; k++) {
            xmtp_status status =
                xmtp_x509_check_chain(&view, 1, kinds[k].signature, xmtp_bytes_of(pk, n));
            assert_int_equal(status, i == k ? XMTP_OK : XMTP_E_CERTIFICATE_KEY);
        }
        OPENSSL_free(c.der);
        EVP_PKEY_free(key);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_hold_at_any_length),
        cmocka_unit_test(chains_keep_the_rules),
        cmocka_unit_test(damaged_certificates_are_refused),
        cmocka_unit_test(each_signature_algorithm_has_its_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
