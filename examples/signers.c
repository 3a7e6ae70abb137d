/* signers.c - accounts whose key the program does not have: a passkey that is asked by a callback, a
 * signature that comes hours later, and the shape of a smart-contract wallet.
 *
 *     xmtp_client_add_account(.., &signer, ..)      callback --> text --> signature     in one call
 *     xmtp_client_request_...                       text ......... hours ......... add, apply
 *
 * The passkey here is a P-256 key of OpenSSL; on a phone or in a browser WebAuthn takes its place.
 */
#include "people.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <xmtp/signature_request.h>

typedef struct passkey {
    EVP_PKEY *key;
    char identifier[2 * 65 + 1]; /* its public key */
    uint8_t authenticator_data[37];
    char client_data[2048];
    uint8_t signature[80];
    int asked;
} passkey;

static void passkey_make(passkey *k)
{
    uint8_t point[65];
    size_t n = 0;
    k->key = EVP_EC_gen("P-256");
    expect(k->key != NULL && EVP_PKEY_get_octet_string_param(k->key, OSSL_PKEY_PARAM_PUB_KEY, point,
                                                             sizeof point, &n) == 1,
           "OpenSSL makes a key");
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(k->identifier + 2 * i, 3, "%02x", point[i]);
    }
}

/* What an authenticator does: signs its own data and the hash of what the browser says. Memory of the
 * signer is fine for the result. challenge is base64url of text, which its holder should be shown. */
static xmtp_status passkey_sign(void *context, const char *text, const char *challenge,
                                xmtp_account_signature *out)
{
    passkey *k = context;
    uint8_t message[37 + SHA256_DIGEST_LENGTH] = {0};
    size_t n = sizeof k->signature;
    (void)text;
    k->asked++;
    k->authenticator_data[32] = 0x05; /* somebody was there, and was recognised */
    (void)snprintf(
        k->client_data, sizeof k->client_data,
        "{\"type\":\"webauthn.get\",\"challenge\":\"%s\",\"origin\":\"https://chat.example\"}",
        challenge);
    memcpy(message, k->authenticator_data, 37);
    (void)SHA256((const uint8_t *)k->client_data, strlen(k->client_data), message + 37);
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    bool is_signed = hash != NULL &&
                     EVP_DigestSignInit(hash, NULL, EVP_sha256(), NULL, k->key) == 1 &&
                     EVP_DigestSign(hash, k->signature, &n, message, sizeof message) == 1;
    EVP_MD_CTX_free(hash);
    *out = (xmtp_account_signature){
        .signature = {k->signature, n},
        .authenticator_data = {k->authenticator_data, 37},
        .client_data_json = {(const uint8_t *)k->client_data, strlen(k->client_data)}};
    return is_signed ? XMTP_OK : XMTP_E_SIGNATURE; /* such as: its holder said no */
}

/* A new installation of the inbox to which the passkey was added. It is asked once, here; opened again
 * on the same database it would not be. */
static xmtp_client *open_by_passkey(const people *p, const xmtp_account_signer *signer)
{
    const xmtp_network_device_options closed = {.is_closed = true};
    xmtp_network_device *device;
    xmtp_client *client;
    check(xmtp_network_client(p->net, &closed, &device, &error), "device");
    const xmtp_client_options options = {.account = signer,
                                         .transport = xmtp_network_transport(device),
                                         .env = xmtp_network_env(p->net)};
    check(xmtp_client_open(&client, &options, &error), "open");
    return client;
}

/* In steps: the text goes somewhere, and what was made of it comes back. */
static void revoke_by_a_late_signature(const people *p, passkey *k, const char *installation_id)
{
    xmtp_signature_request *request;
    xmtp_account_signature made;
    check(xmtp_client_request_revocation(p->ann, NULL, &installation_id, 1, &request, &error),
          "request");
    xmtp_signature_request_info info = xmtp_signature_request_info_of(request);
    printf("---- to be signed by %.20s...\n%s\n----\n", info.account.identifier, info.text);
    expect_refusal(xmtp_signature_request_apply(request, &error), XMTP_E_ARGUMENT, "too early");
    xmtp_network_advance(p->net, 3 * 3600 * XMTP_NETWORK_SECOND_NS);

    const xmtp_account_signer who = {.kind = info.account.kind,
                                     .identifier = info.account.identifier};
    check(passkey_sign(k, info.text, info.challenge, &made), "sign");
    check(xmtp_signature_request_add(request, &who, &made, &error), "add");
    check(xmtp_signature_request_apply(request, &error), "apply");
    xmtp_signature_request_free(request);
}

/* A contract says by itself whether a signature is good, so a node asks its chain. This one has no access
 * to a chain (xmtp node --chain-rpc 8453=https://...), and says so instead of believing it. */
static xmtp_status contract_sign(void *context, const char *text, const char *challenge,
                                 xmtp_account_signature *out)
{
    static const uint8_t by_an_owner[65] = {1};
    (void)context;
    (void)text;
    (void)challenge;
    *out = (xmtp_account_signature){.signature = {by_an_owner, sizeof by_an_owner}};
    return XMTP_OK;
}

int main(void)
{
    people p = ann_and_bob();
    passkey k = {.asked = 0};
    passkey_make(&k);
    const xmtp_account_signer signer = {.kind = XMTP_ACCOUNT_PASSKEY,
                                        .identifier = k.identifier,
                                        .context = &k,
                                        .sign = passkey_sign};
    const xmtp_account_signer wallet = {.kind = XMTP_ACCOUNT_WALLET,
                                        .private_key = xmtp_network_key(p.ann_device)};
    check(xmtp_client_add_account(p.ann, &signer, false, &error), "add the passkey");
    xmtp_client *tablet = open_by_passkey(&p, &signer);
    expect(strcmp(xmtp_client_inbox_id(tablet), xmtp_client_inbox_id(p.ann)) == 0,
           "the passkey opens Ann's inbox");
    expect(k.asked == 2, "it signed twice: to be added, and for the new installation");

    check(xmtp_client_change_recovery(p.ann, &wallet, XMTP_ACCOUNT_PASSKEY, k.identifier, &error),
          "recovery");
    revoke_by_a_late_signature(&p, &k, xmtp_client_installation_id(tablet));
    xmtp_inbox_state state;
    check(xmtp_client_inbox_state(p.ann, NULL, true, &state, &error), "state");
    expect(state.installation_count == 1 && state.account_count == 2, "the tablet is gone");

    const xmtp_account_signer contract = {.kind = XMTP_ACCOUNT_CONTRACT,
                                          .identifier =
                                              "0x00000000000000000000000000000000000000c0",
                                          .chain_id = 8453, /* Base */
                                          .block_number = 0,
                                          .sign = contract_sign};
    expect_refusal(xmtp_client_add_account(p.ann, &contract, false, &error), XMTP_E_UNSUPPORTED,
                   "a contract");
    xmtp_client_close(tablet);
    EVP_PKEY_free(k.key);
    xmtp_network_close(p.net);
    return 0;
}
