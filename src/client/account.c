/* account.c - see account.h. */
#include "client/account.h"

#include "identity/passkey.h"
#include "identity/verify.h"
#include "proto/identity.pb-c.h"

/* ---- names */

static xmtp_status parse_passkey(const char *text, xmtp_account_name *out, xmtp_error *error)
{
    size_t n = strlen(text) / 2;
    bool is_key = (n == 33 || n == XMTP_PASSKEY_MAX) && strlen(text) == 2 * n &&
                  xmtp_hex_decode(out->passkey, n, text, 2 * n) == XMTP_OK;
    if (!is_key) {
        return xmtp_fail(error, XMTP_E_IDENTIFIER,
                         "a passkey is named by 66 or 130 hex digits, not %zu characters",
                         strlen(text));
    }
    out->identifier =
        (xmtp_identifier){.kind = XMTP_IDENTIFIER_PASSKEY, .value = xmtp_bytes_of(out->passkey, n)};
    return XMTP_OK;
}

xmtp_status xmtp_account_name_parse(xmtp_account_kind kind, const char *text,
                                    xmtp_account_name *out, xmtp_error *error)
{
    if (text == NULL) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "an account without an identifier");
    }
    switch (kind) {
    case XMTP_ACCOUNT_PASSKEY:
        return parse_passkey(text, out, error);
    case XMTP_ACCOUNT_WALLET:
    case XMTP_ACCOUNT_CONTRACT:
        XMTP_TRY(xmtp_address_normalize(text, out->address, error));
        out->identifier = xmtp_identifier_ethereum(out->address);
        return XMTP_OK;
    }
    return xmtp_fail(error, XMTP_E_ARGUMENT, "there is no account kind %d", (int)kind);
}

xmtp_status xmtp_account_of(xmtp_arena *arena, const xmtp_identifier *id, xmtp_account *out)
{
    if (id->kind == XMTP_IDENTIFIER_ETHEREUM) {
        char *text;
        XMTP_TRY(xmtp_arena_string(arena, id->value, &text));
        *out = (xmtp_account){.kind = XMTP_ACCOUNT_WALLET, .identifier = text};
        return XMTP_OK;
    }
    void *hex;
    XMTP_TRY(xmtp_arena_take(arena, 2 * id->value.n + 1, &hex));
    xmtp_hex_encode(hex, id->value);
    *out = (xmtp_account){.kind = XMTP_ACCOUNT_PASSKEY, .identifier = hex};
    return XMTP_OK;
}

/* ---- contracts */

static void fill_question(Pb__VerifySmartContractWalletSignaturesRequest__Request *item,
                          const char *account_id, uint64_t block_number, const uint8_t hash[32],
                          xmtp_bytes signature)
{
    *item = (Pb__VerifySmartContractWalletSignaturesRequest__Request)
        PB__VERIFY_SMART_CONTRACT_WALLET_SIGNATURES_REQUEST__REQUEST__INIT;
    item->account_id = (char *)(uintptr_t)account_id;
    item->has_block_number = block_number != 0;
    item->block_number = block_number;
    item->has_signature = 1;
    item->signature = xmtp_proto_data(signature);
    item->has_hash = 1;
    item->hash = xmtp_proto_data(xmtp_bytes_of(hash, 32));
}

static xmtp_status read_verdict(const Pb__VerifySmartContractWalletSignaturesResponse *answer,
                                xmtp_contract_verdict *out, xmtp_error *error)
{
    if (answer->n_responses != 1) {
        return xmtp_fail(error, XMTP_E_PROTOCOL, "%zu answers about one contract wallet",
                         answer->n_responses);
    }
    const char *why_not = answer->responses[0]->error;
    out->is_valid = answer->responses[0]->is_valid;
    out->block_used = answer->responses[0]->block_number;
    if (!out->is_valid && why_not != NULL) {
        (void)snprintf(out->why_not, sizeof(out->why_not), "%s", why_not);
    }
    return XMTP_OK;
}

xmtp_status xmtp_ask_contract(xmtp_client *client, const char *account_id, uint64_t block_number,
                              const uint8_t hash[32], xmtp_bytes signature,
                              xmtp_contract_verdict *out, xmtp_error *error)
{
    Pb__VerifySmartContractWalletSignaturesRequest__Request item;
    Pb__VerifySmartContractWalletSignaturesRequest__Request *items[] = {&item};
    Pb__VerifySmartContractWalletSignaturesRequest request =
        PB__VERIFY_SMART_CONTRACT_WALLET_SIGNATURES_REQUEST__INIT;
    xmtp_arena arena;
    void *answer;
    *out = (xmtp_contract_verdict){.is_valid = false};
    fill_question(&item, account_id, block_number, hash, signature);
    request.n_signatures = 1;
    request.signatures = items;
    xmtp_scratch(client, &arena);
    xmtp_status status = xmtp_call(
        client, XMTP_IDENTITY_API("VerifySmartContractWalletSignatures"), &request.base,
        &pb__verify_smart_contract_wallet_signatures_response__descriptor, &arena, &answer, error);
    if (status == XMTP_OK) {
        status = read_verdict(answer, out, error);
    }
    xmtp_arena_reset(&arena);
    return status;
}

/* ---- signing */

static xmtp_status sign_contract(const xmtp_account_hand *hand, xmtp_bytes text, xmtp_arena *arena,
                                 xmtp_wire_signature *out)
{
    char account_id[96];
    uint8_t digest[32];
    xmtp_contract_verdict verdict;
    uint64_t block = hand->account->block_number;
    (void)snprintf(account_id, sizeof(account_id), "eip155:%" PRIu64 ":%s", hand->account->chain_id,
                   hand->name.address);
    if (block == 0) {
        xmtp_wallet_digest(text, digest);
        XMTP_TRY(xmtp_ask_contract(hand->client, account_id, 0, digest, out->bytes, &verdict,
                                   hand->error));
        if (verdict.why_not[0] != '\0') {
            return xmtp_fail(hand->error, XMTP_E_UNSUPPORTED,
                             "the node cannot ask the contract %s: %s", account_id,
                             verdict.why_not);
        }
        if (!verdict.is_valid) {
            return xmtp_fail(hand->error, XMTP_E_SIGNATURE,
                             "the contract %s does not accept the signature", account_id);
        }
        block = verdict.block_used;
        if (block == 0) {
            return xmtp_fail(hand->error, XMTP_E_PROTOCOL,
                             "the node does not say at which block the contract was asked");
        }
    }
    char *kept;
    XMTP_TRY(xmtp_arena_string(arena, xmtp_bytes_of_string(account_id), &kept));
    out->kind = XMTP_SIGNATURE_CONTRACT;
    out->account_id = xmtp_bytes_of_string(kept);
    out->block_number = block;
    return XMTP_OK;
}

static xmtp_status sign_passkey(const xmtp_account_hand *hand, xmtp_arena *arena,
                                const xmtp_account_signature *made, xmtp_wire_signature *out)
{
    out->kind = XMTP_SIGNATURE_PASSKEY;
    out->public_key = hand->name.identifier.value;
    XMTP_TRY(xmtp_arena_copy(arena, made->authenticator_data, &out->authenticator_data));
    return xmtp_arena_copy(arena, made->client_data_json, &out->client_data_json);
}

static xmtp_status challenge_of(xmtp_bytes text, xmtp_arena *arena, char **out)
{
    xmtp_writer w;
    xmtp_writer_init(&w, arena->alloc, XMTP_WRITER_MAX);
    xmtp_passkey_challenge(text, &w);
    xmtp_status status = xmtp_writer_status(&w);
    if (status == XMTP_OK) {
        status = xmtp_arena_string(arena, xmtp_writer_bytes(&w), out);
    }
    xmtp_writer_free(&w);
    return status;
}

static xmtp_status sign_elsewhere(const void *context, xmtp_bytes text, xmtp_arena *arena,
                                  xmtp_wire_signature *out)
{
    const xmtp_account_hand *hand = context;
    xmtp_account_signature made = {.signature = {0}};
    char *shown;
    char *challenge;
    if (hand->account->sign == NULL) {
        return xmtp_fail(hand->error, XMTP_E_ARGUMENT,
                         "a signer with neither private_key nor sign");
    }
    XMTP_TRY(xmtp_arena_string(arena, text, &shown));
    XMTP_TRY(challenge_of(text, arena, &challenge));
    XMTP_TRY(hand->account->sign(hand->account->context, shown, challenge, &made));
    *out = (xmtp_wire_signature){.kind = XMTP_SIGNATURE_ERC191};
    XMTP_TRY(xmtp_arena_copy(arena, made.signature, &out->bytes));
    switch (hand->account->kind) {
    case XMTP_ACCOUNT_WALLET:
        break;
    case XMTP_ACCOUNT_CONTRACT:
        return sign_contract(hand, text, arena, out);
    case XMTP_ACCOUNT_PASSKEY:
        return sign_passkey(hand, arena, &made, out);
    }
    return XMTP_OK;
}

/* ---- hands */

static xmtp_status take_wallet(xmtp_account_hand *hand, xmtp_error *error)
{
    const xmtp_account_signer *account = hand->account;
    if (account->kind != XMTP_ACCOUNT_WALLET) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "only a wallet has a private key here");
    }
    XMTP_TRY(xmtp_wallet_parse(account->private_key, &hand->wallet, error));
    hand->has_wallet = true;
    if (account->identifier != NULL) {
        XMTP_TRY(xmtp_account_name_parse(account->kind, account->identifier, &hand->name, error));
        if (strcmp(hand->name.address, hand->wallet.address) != 0) {
            return xmtp_fail(error, XMTP_E_KEY, "the private key is that of %s, not of %s",
                             hand->wallet.address, hand->name.address);
        }
    }
    hand->signer = xmtp_signer_of_wallet(&hand->wallet);
    return XMTP_OK;
}

static xmtp_status take_callback(xmtp_account_hand *hand, xmtp_error *error)
{
    const xmtp_account_signer *account = hand->account;
    if (account->sign == NULL && account->identifier == NULL) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "a signer with neither private_key nor sign");
    }
    XMTP_TRY(xmtp_account_name_parse(account->kind, account->identifier, &hand->name, error));
    if (account->kind == XMTP_ACCOUNT_CONTRACT && account->chain_id == 0) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "a contract wallet without a chain id");
    }
    hand->signer =
        (xmtp_signer){.identifier = hand->name.identifier, .context = hand, .sign = sign_elsewhere};
    return XMTP_OK;
}

xmtp_status xmtp_account_hand_take(xmtp_account_hand *hand, xmtp_client *client,
                                   const xmtp_account_signer *account, xmtp_error *error)
{
    *hand = (xmtp_account_hand){.client = client, .account = account, .error = error};
    if (account == NULL) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "a signer is missing");
    }
    return account->private_key != NULL ? take_wallet(hand, error) : take_callback(hand, error);
}

void xmtp_account_hand_wipe(xmtp_account_hand *hand)
{
    xmtp_wipe(hand, sizeof(*hand));
}
