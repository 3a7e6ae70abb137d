/* service_identity.c - identity logs, which inbox an address belongs to (node.md 2.12).
 *
 * GetInboxIds is the most frequent call of all and is answered from memory.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "identity/identifier.h"
#include "node/publish_identity.h"
#include "node/service.h"
#include "node/wire.h"
#include "proto/field.h"
#include "proto/identity.pb-c.h"
#include "proto/message.h"

/* ---- logs */

static xmtp_status write_entry(xmtp_node_call *call, const xmtp_node_place *place, xmtp_writer *out)
{
    xmtp_arena arena;
    xmtp_node_record record;
    xmtp_arena_init(&arena, out->alloc, (size_t)place->len + 64);
    xmtp_status status =
        xmtp_node_archive_read(call->services->archive, place, &arena, &record, &call->error);
    if (status == XMTP_OK) {
        xmtp_field_put_message(out, 2, record.payload);
    }
    xmtp_arena_reset(&arena);
    return status;
}

static xmtp_status write_log(xmtp_node_call *call,
                             const Pb__GetIdentityUpdatesRequest__Request *request,
                             xmtp_writer *out)
{
    uint8_t inbox_id[XMTP_NODE_INBOX_ID_LEN];
    xmtp_node_place places[XMTP_NODE_PAGE_COUNT_MAX];
    size_t count;
    xmtp_node_page page = {
        .is_ascending = true, .cursor = request->sequence_id, .limit = XMTP_NODE_PAGE_COUNT_MAX};
    XMTP_TRY(xmtp_node_inbox_id_read(call, request->inbox_id, inbox_id));
    if (xmtp_node_archive_waits(call->services->archive, XMTP_NODE_IDENTITY_UPDATE,
                                xmtp_bytes_of(inbox_id, sizeof inbox_id), &page)) {
        XMTP_TRY(xmtp_node_call_block(call));
    }
    XMTP_TRY(xmtp_node_archive_page(call->services->archive, XMTP_NODE_IDENTITY_UPDATE,
                                    xmtp_bytes_of(inbox_id, sizeof inbox_id), &page, places,
                                    &count));
    xmtp_field_put_message(out, 1, xmtp_bytes_of_string(request->inbox_id));
    for (size_t i = 0; i < count; i++) {
        XMTP_TRY(write_entry(call, &places[i], out));
    }
    return XMTP_OK;
}

static xmtp_status get_identity_updates(xmtp_node_call *call, xmtp_bytes bytes)
{
    void *p;
    XMTP_TRY(xmtp_node_call_decode(call, &pb__get_identity_updates_request__descriptor, bytes, &p));
    const Pb__GetIdentityUpdatesRequest *request = p;
    XMTP_TRY(xmtp_node_call_count(call, request->n_requests, 0, call->services->limits.inboxes,
                                  "requests"));
    for (size_t i = 0; i < request->n_requests; i++) {
        xmtp_writer_clear(&call->scratch);
        XMTP_TRY(write_log(call, request->requests[i], &call->scratch));
        xmtp_field_put_message(&call->reply, 1, xmtp_writer_bytes(&call->scratch));
        if (call->reply.n > call->services->limits.reply_len) {
            return xmtp_fail(&call->error, XMTP_E_LIMIT,
                             "the answer is too long: ask for fewer inboxes");
        }
    }
    return XMTP_OK;
}

/* ---- addresses */

/* Addresses are stored in lower case and asked for in any. */
static void lower_case(char *text)
{
    for (; *text != '\0'; text++) {
        if (*text >= 'A' && *text <= 'Z') {
            *text = (char)(*text - 'A' + 'a');
        }
    }
}

/* The stored form: an address is its text, a passkey its bytes, asked for as hex. */
static bool read_identifier(const Pb__GetInboxIdsRequest__Request *request, xmtp_arena *arena,
                            uint8_t *kind, xmtp_bytes *out)
{
    char *text;
    void *key;
    xmtp_bytes given = xmtp_bytes_of_string(request->identifier);
    *kind = request->identifier_kind == XMTP_IDENTIFIER_PASSKEY ? XMTP_IDENTIFIER_PASSKEY
                                                                : XMTP_IDENTIFIER_ETHEREUM;
    if (given.n > (size_t)2 * XMTP_NODE_IDENTIFIER_LEN_MAX ||
        xmtp_arena_string(arena, given, &text) != XMTP_OK) {
        return false;
    }
    if (*kind == XMTP_IDENTIFIER_ETHEREUM) {
        lower_case(text);
        *out = xmtp_bytes_of(text, given.n);
        return true;
    }
    if (given.n % 2 != 0 || xmtp_arena_take(arena, given.n / 2, &key) != XMTP_OK ||
        xmtp_hex_decode(key, given.n / 2, text, given.n) != XMTP_OK) {
        return false;
    }
    *out = xmtp_bytes_of(key, given.n / 2);
    return true;
}

static void write_inbox(xmtp_node_call *call, const Pb__GetInboxIdsRequest__Request *request)
{
    uint8_t kind;
    xmtp_bytes identifier;
    uint8_t inbox_id[XMTP_NODE_INBOX_ID_LEN];
    char text[2 * XMTP_NODE_INBOX_ID_LEN + 1];
    xmtp_writer_clear(&call->scratch);
    if (request->identifier != NULL && request->identifier[0] != '\0') {
        xmtp_field_put_message(&call->scratch, 1, xmtp_bytes_of_string(request->identifier));
    }
    if (read_identifier(request, &call->arena, &kind, &identifier) &&
        xmtp_node_archive_inbox_of(call->services->archive, kind, identifier, inbox_id)) {
        xmtp_hex_encode(text, xmtp_bytes_of(inbox_id, sizeof inbox_id));
        xmtp_field_put_message(&call->scratch, 2, xmtp_bytes_of_string(text));
    }
    if (request->identifier_kind > 0) {
        xmtp_field_put_u64(&call->scratch, 3, (uint64_t)request->identifier_kind);
    }
    xmtp_field_put_message(&call->reply, 1, xmtp_writer_bytes(&call->scratch));
}

static xmtp_status get_inbox_ids(xmtp_node_call *call, xmtp_bytes bytes)
{
    void *p;
    XMTP_TRY(xmtp_node_call_decode(call, &pb__get_inbox_ids_request__descriptor, bytes, &p));
    const Pb__GetInboxIdsRequest *request = p;
    XMTP_TRY(xmtp_node_call_count(call, request->n_requests, 0, call->services->limits.inboxes,
                                  "requests"));
    for (size_t i = 0; i < request->n_requests; i++) {
        write_inbox(call, request->requests[i]);
    }
    return XMTP_OK;
}

/* ---- contract wallets */

/* VerifySmartContractWalletSignaturesResponse.Response { is_valid 1, block_number 2, error 3 } */
static void write_verdict(xmtp_node_call *call,
                          const Pb__VerifySmartContractWalletSignaturesRequest__Request *request)
{
    bool is_valid = false;
    uint64_t block = 0;
    xmtp_error why = {0};
    xmtp_bytes hash = xmtp_proto_bytes(request->hash);
    xmtp_status status = XMTP_E_ARGUMENT;
    if (hash.n != 32 || request->account_id == NULL) {
        (void)xmtp_fail(&why, status, "an account and a hash of 32 bytes are needed, not %zu",
                        hash.n);
    } else {
        status = xmtp_node_chains_verify(
            call->services->chains, xmtp_bytes_of_string(request->account_id),
            request->block_number, hash.p, xmtp_proto_bytes(request->signature), &is_valid, &block,
            &why);
    }
    xmtp_writer_clear(&call->scratch);
    xmtp_field_put_u64(&call->scratch, 1, is_valid ? 1 : 0);
    xmtp_field_put_u64(&call->scratch, 2, block);
    if (status != XMTP_OK) {
        xmtp_field_put_message(&call->scratch, 3, xmtp_bytes_of_string(why.text));
    }
    xmtp_field_put_message(&call->reply, 1, xmtp_writer_bytes(&call->scratch));
}

xmtp_status xmtp_node_verify_contract_wallets(xmtp_node_call *call, xmtp_bytes bytes)
{
    void *p;
    XMTP_TRY(xmtp_node_call_block(call)); /* chains are asked */
    XMTP_TRY(xmtp_node_call_decode(
        call, &pb__verify_smart_contract_wallet_signatures_request__descriptor, bytes, &p));
    const Pb__VerifySmartContractWalletSignaturesRequest *request = p;
    XMTP_TRY(xmtp_node_call_count(call, request->n_signatures, 0,
                                  call->services->limits.wallet_checks, "signatures"));
    for (size_t i = 0; i < request->n_signatures; i++) {
        write_verdict(call, request->signatures[i]);
    }
    return XMTP_OK;
}

const xmtp_node_method_entry xmtp_node_identity_methods[] = {
    {"/xmtp.identity.api.v1.IdentityApi/PublishIdentityUpdate", xmtp_node_publish_identity_update},
    {"/xmtp.identity.api.v1.IdentityApi/GetIdentityUpdates", get_identity_updates},
    {"/xmtp.identity.api.v1.IdentityApi/GetInboxIds", get_inbox_ids},
    {"/xmtp.identity.api.v1.IdentityApi/VerifySmartContractWalletSignatures",
     xmtp_node_verify_contract_wallets},
    {NULL, NULL},
};
