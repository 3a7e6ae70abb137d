/* mls_welcome.c - fuzzes joining: what a Welcome holds once its encryption is off, and the Welcome
 * itself.
 *
 * The first byte chooses. Even: the rest is an MLSMessage given to xmtp_mls_group_join. Odd: the
 * rest is a GroupInfo, sealed here into a Welcome for our key package, so that the fuzzer reaches
 * the tree, the context and the signature behind the AEAD.
 */
#include "base/bytes.h"
#include "mls/key_schedule.h"
#include "mls/label.h"
#include "mls/message.h"

#include <stdlib.h>
#include <xmtp/mls.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

typedef struct joiner {
    uint8_t sk[32];
    uint8_t pk[32];
    uint8_t *key_package;
    size_t key_package_len;
    xmtp_mls_key_package_private private_keys;
    xmtp_bytes init_key;
} joiner;

static void must(xmtp_status status)
{
    if (status != XMTP_OK) {
        abort();
    }
}

static joiner *joiner_get(void)
{
    static joiner j;
    static const uint16_t versions[] = {1}, suites[] = {3}, credentials[] = {1};
    if (j.key_package != NULL) {
        return &j;
    }
    memset(j.sk, 7, sizeof j.sk);
    must(xmtp_signature_ed25519.public_key(j.sk, j.pk));
    const xmtp_mls_key_package_options options = {
        .suite = 3,
        .signer = {.identity = xmtp_bytes_of("j", 1),
                   .signature_sk = xmtp_bytes_of(j.sk, 32),
                   .signature_pk = xmtp_bytes_of(j.pk, 32)},
        .capabilities = {.versions = {versions, 1},
                         .suites = {suites, 1},
                         .credentials = {credentials, 1}},
        .not_after = UINT64_MAX};
    xmtp_error error;
    xmtp_mls_key_package_info info;
    must(xmtp_mls_key_package_create(xmtp_env_system(), &options, &j.key_package,
                                     &j.key_package_len, &j.private_keys, &error));
    must(xmtp_mls_key_package_verify(
        xmtp_env_system(), xmtp_bytes_of(j.key_package, j.key_package_len), 0, &info, &error));
    j.init_key = info.init_key;
    return &j;
}

/* A Welcome for us around the bytes of a GroupInfo. */
static void seal(const joiner *j, xmtp_bytes group_info, xmtp_writer *out)
{
    static const uint8_t group_secrets[] = {32, 1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,
                                            12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
                                            24, 25, 26, 27, 28, 29, 30, 31, 32, /* joiner_secret */
                                            0,                                  /* no path_secret */
                                            0};                                 /* no psks */
    const xmtp_suite *suite = &xmtp_suite_x25519_chacha;
    const xmtp_secret no_psk = {.n = 32};
    xmtp_secret joiner_secret = {.n = 32}, welcome_secret;
    uint8_t key[XMTP_AEAD_KEY_MAX], nonce[XMTP_AEAD_NONCE_MAX], seed[32] = {9}, enc[32];
    uint8_t ciphertext[sizeof group_secrets + 16];
    xmtp_writer sealed, entries, scratch;
    const xmtp_alloc *alloc = &xmtp_env_system()->alloc;
    memcpy(joiner_secret.p, group_secrets + 1, 32);
    xmtp_writer_init(&sealed, alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&entries, alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&scratch, alloc, XMTP_WRITER_MAX);
    must(xmtp_welcome_secret(suite, &joiner_secret, &no_psk, &welcome_secret));
    must(xmtp_welcome_key(suite, &welcome_secret, key, nonce));
    uint8_t *p = xmtp_writer_extend(&sealed, group_info.n + 16);
    must(suite->aead->seal(key, nonce, (xmtp_bytes){0}, group_info, p));
    must(xmtp_encrypt_with_label(suite, j->init_key.p, "Welcome", xmtp_writer_bytes(&sealed),
                                 xmtp_bytes_of(group_secrets, sizeof group_secrets), seed, &scratch,
                                 enc, ciphertext));
    const xmtp_encrypted_group_secrets entry = {
        .new_member = xmtp_bytes_of(j->private_keys.ref, j->private_keys.ref_len),
        .encrypted_group_secrets = {.kem_output = xmtp_bytes_of(enc, 32),
                                    .ciphertext = xmtp_bytes_of(ciphertext, sizeof ciphertext)}};
    xmtp_encrypted_group_secrets_encode(&entries, &entry);
    const xmtp_welcome welcome = {.cipher_suite = 3,
                                  .secrets = xmtp_writer_bytes(&entries),
                                  .secret_count = 1,
                                  .encrypted_group_info = xmtp_writer_bytes(&sealed)};
    xmtp_mls_message_header_encode(out, XMTP_WIRE_WELCOME);
    xmtp_welcome_encode(out, &welcome);
    xmtp_writer_free(&sealed);
    xmtp_writer_free(&entries);
    xmtp_writer_free(&scratch);
}

static void join(const joiner *j, xmtp_bytes welcome)
{
    const xmtp_mls_config config = {.env = xmtp_env_system()};
    const xmtp_mls_join_options options = {.welcome = welcome,
                                           .key_package =
                                               xmtp_bytes_of(j->key_package, j->key_package_len),
                                           .private_keys = &j->private_keys,
                                           .signer = {.signature_sk = xmtp_bytes_of(j->sk, 32),
                                                      .signature_pk = xmtp_bytes_of(j->pk, 32)}};
    xmtp_mls_group *group;
    xmtp_mls_writes *writes;
    xmtp_error error;
    uint32_t signer_leaf;
    must(xmtp_mls_writes_new(&writes, xmtp_env_system()));
    if (xmtp_mls_group_join(&group, &config, &options, &signer_leaf, writes, &error) == XMTP_OK) {
        abort(); /* nobody can sign a group that has us in it */
    }
    if (xmtp_mls_writes_count(writes) != 0) {
        abort();
    }
    xmtp_mls_writes_free(writes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const joiner *j = joiner_get();
    if (n == 0) {
        return 0;
    }
    const xmtp_bytes rest = xmtp_bytes_of(data + 1, n - 1);
    if (data[0] % 2 == 0) {
        join(j, rest);
        return 0;
    }
    xmtp_writer welcome;
    xmtp_writer_init(&welcome, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    seal(j, rest, &welcome);
    must(xmtp_writer_status(&welcome));
    join(j, xmtp_writer_bytes(&welcome));
    xmtp_writer_free(&welcome);
    return 0;
}
