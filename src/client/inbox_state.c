/* inbox_state.c - who is behind inboxes, for applications (identity.md 5.4). */
#include "client/account.h"
#include "identity/association.h"
#include "identity/inbox_id.h"
#include "proto/identity.pb-c.h"
#include "proto/mls_api.pb-c.h"

/* ---- states */

static xmtp_status count_one(void *context, uint64_t sequence_id, xmtp_bytes data)
{
    uint32_t *count = context;
    (void)sequence_id;
    (void)data;
    (*count)++;
    return XMTP_OK;
}

static xmtp_status fill_members(const xmtp_association *state, xmtp_arena *arena,
                                xmtp_inbox_state *out)
{
    size_t count = xmtp_association_member_count(state);
    void *memory;
    XMTP_TRY(xmtp_arena_take_array(arena, count, sizeof(xmtp_account), &memory));
    xmtp_account *accounts = memory;
    XMTP_TRY(xmtp_arena_take_array(arena, count, sizeof(xmtp_inbox_installation), &memory));
    xmtp_inbox_installation *installations = memory;
    for (size_t i = 0; i < count; i++) {
        xmtp_association_member member = xmtp_association_member_at(state, i);
        if (member.identifier.kind != XMTP_IDENTIFIER_INSTALLATION) {
            XMTP_TRY(xmtp_account_of(arena, &member.identifier, &accounts[out->account_count]));
            out->account_count++;
            continue;
        }
        XMTP_TRY(xmtp_arena_take(arena, 2 * member.identifier.value.n + 1, &memory));
        xmtp_hex_encode(memory, member.identifier.value);
        installations[out->installation_count++] =
            (xmtp_inbox_installation){.id = memory, .added_ns = member.client_timestamp_ns};
    }
    out->accounts = accounts;
    out->installations = installations;
    return XMTP_OK;
}

static xmtp_status own_or(const xmtp_client *client, const char **inbox_id, xmtp_error *error)
{
    if (*inbox_id == NULL) {
        *inbox_id = client->inbox_id;
    }
    if (!xmtp_inbox_id_is_valid(xmtp_bytes_of_string(*inbox_id))) {
        return xmtp_fail(error, XMTP_E_INBOX_ID, "an inbox id has 64 lower-case hex digits");
    }
    return XMTP_OK;
}

static xmtp_status find_state(xmtp_client *client, const char *inbox_id, bool refresh,
                              const xmtp_association **out, uint64_t *sequence_id,
                              xmtp_error *error)
{
    if (refresh) {
        XMTP_TRY(xmtp_identity_sync(client, &inbox_id, 1, error));
    }
    return xmtp_newest_state(client, inbox_id, out, sequence_id, error);
}

xmtp_status xmtp_client_inbox_state(xmtp_client *client, const char *inbox_id, bool refresh,
                                    xmtp_inbox_state *out, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_DATABASE, error));
    const xmtp_association *state;
    uint64_t sequence_id;
    char *id;
    *out = (xmtp_inbox_state){0};
    xmtp_states_trim(client, XMTP_STATE_CACHE_MAX);
    XMTP_TRY(own_or(client, &inbox_id, error));
    XMTP_TRY(find_state(client, inbox_id, refresh, &state, &sequence_id, error));
    XMTP_TRY(xmtp_stored(client,
                         xmtp_identity_update_each(client->db, inbox_id, 0, sequence_id,
                                                   &out->update_count, count_one),
                         error));
    XMTP_TRY(xmtp_arena_string(&client->out, xmtp_bytes_of_string(inbox_id), &id));
    out->inbox_id = id;
    xmtp_identifier recovery = xmtp_association_recovery(state);
    XMTP_TRY(xmtp_account_of(&client->out, &recovery, &out->recovery));
    return fill_members(state, &client->out, out);
}

const xmtp_account *xmtp_inbox_shown_account(const xmtp_inbox_state *state)
{
    for (size_t i = 0; i < state->account_count; i++) {
        const xmtp_account *account = &state->accounts[i];
        if (account->kind != state->recovery.kind ||
            strcmp(account->identifier, state->recovery.identifier) != 0) {
            return account;
        }
    }
    return state->account_count > 0 ? &state->accounts[0] : NULL;
}

xmtp_status xmtp_client_has_account(xmtp_client *client, const char *inbox_id,
                                    xmtp_account_kind kind, const char *identifier, bool *out,
                                    xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_DATABASE, error));
    const xmtp_association *state;
    uint64_t sequence_id;
    xmtp_account_name name;
    *out = false;
    xmtp_states_trim(client, XMTP_STATE_CACHE_MAX);
    XMTP_TRY(own_or(client, &inbox_id, error));
    XMTP_TRY(xmtp_account_name_parse(kind, identifier, &name, error));
    XMTP_TRY(find_state(client, inbox_id, true, &state, &sequence_id, error));
    *out = xmtp_association_find(state, &name.identifier, NULL);
    return XMTP_OK;
}

xmtp_status xmtp_client_has_installation(xmtp_client *client, const char *inbox_id,
                                         const char *installation_id, bool *out, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_DATABASE, error));
    const xmtp_association *state;
    uint64_t sequence_id;
    uint8_t key[XMTP_INSTALLATION_LEN];
    *out = false;
    xmtp_states_trim(client, XMTP_STATE_CACHE_MAX);
    XMTP_TRY(own_or(client, &inbox_id, error));
    if (xmtp_hex_decode(key, sizeof(key), installation_id, strlen(installation_id)) != XMTP_OK) {
        return xmtp_fail(error, XMTP_E_IDENTIFIER, "an installation id has 64 hex digits");
    }
    XMTP_TRY(find_state(client, inbox_id, true, &state, &sequence_id, error));
    *out = xmtp_association_has_installation(state, key);
    return XMTP_OK;
}

/* ---- by account */

/* One GetInboxIds for all; *answer has one response for each. */
static xmtp_status get_inbox_ids(xmtp_client *client, const char *const *identifiers, size_t count,
                                 xmtp_identifier_kind kind, xmtp_arena *arena,
                                 const Pb__GetInboxIdsResponse **answer, xmtp_error *error)
{
    Pb__GetInboxIdsRequest request = PB__GET_INBOX_IDS_REQUEST__INIT;
    void *memory;
    XMTP_TRY(xmtp_arena_take_array(arena, count, sizeof(void *), &memory));
    request.requests = memory;
    request.n_requests = count;
    XMTP_TRY(xmtp_arena_take_array(arena, count, sizeof(Pb__GetInboxIdsRequest__Request), &memory));
    Pb__GetInboxIdsRequest__Request *items = memory;
    for (size_t i = 0; i < count; i++) {
        items[i] = (Pb__GetInboxIdsRequest__Request)PB__GET_INBOX_IDS_REQUEST__REQUEST__INIT;
        items[i].identifier = (char *)(uintptr_t)identifiers[i];
        items[i].has_identifier_kind = 1;
        items[i].identifier_kind = (int32_t)kind;
        request.requests[i] = &items[i];
    }
    XMTP_TRY(xmtp_call(client, XMTP_IDENTITY_API("GetInboxIds"), &request.base,
                       &pb__get_inbox_ids_response__descriptor, arena, &memory, error));
    *answer = memory;
    return (*answer)->n_responses == count
               ? XMTP_OK
               : xmtp_fail(error, XMTP_E_PROTOCOL, "%zu answers to %zu questions for inboxes",
                           (*answer)->n_responses, count);
}

xmtp_status xmtp_client_find_inbox(xmtp_client *client, xmtp_account_kind kind,
                                   const char *identifier, const char **inbox_id, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_DATABASE, error));
    xmtp_account_name name;
    xmtp_account account;
    const Pb__GetInboxIdsResponse *answer;
    *inbox_id = NULL;
    XMTP_TRY(xmtp_account_name_parse(kind, identifier, &name, error));
    XMTP_TRY(xmtp_account_of(&client->out, &name.identifier, &account));
    XMTP_TRY(get_inbox_ids(client, &account.identifier, 1, name.identifier.kind, &client->out,
                           &answer, error));
    const char *found = answer->responses[0]->inbox_id;
    if (found == NULL || !xmtp_inbox_id_is_valid(xmtp_bytes_of_string(found))) {
        return xmtp_fail(error, XMTP_E_NO_INBOX, "%.130s has no inbox on this network",
                         account.identifier);
    }
    *inbox_id = found;
    return XMTP_OK;
}

static xmtp_status ask_whom(xmtp_client *client, const char *const *addresses, size_t count,
                            bool *out, xmtp_arena *arena, xmtp_error *error)
{
    const Pb__GetInboxIdsResponse *answer;
    void *memory;
    XMTP_TRY(xmtp_arena_take_array(arena, count, sizeof(const char *), &memory));
    const char **normal = memory;
    for (size_t i = 0; i < count; i++) {
        XMTP_TRY(xmtp_arena_take(arena, XMTP_ADDRESS_LEN + 1, &memory));
        XMTP_TRY(xmtp_address_normalize(addresses[i], memory, error));
        normal[i] = memory;
    }
    XMTP_TRY(get_inbox_ids(client, normal, count, XMTP_IDENTIFIER_ETHEREUM, arena, &answer, error));
    for (size_t i = 0; i < count; i++) {
        out[i] = answer->responses[i]->inbox_id != NULL;
    }
    return XMTP_OK;
}

xmtp_status xmtp_client_can_message(xmtp_client *client, const char *const *addresses, size_t count,
                                    bool *out, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_DATABASE, error));
    xmtp_arena arena;
    memset(out, 0, count * sizeof(*out));
    if (count == 0) {
        return XMTP_OK;
    }
    xmtp_scratch(client, &arena);
    xmtp_status status = ask_whom(client, addresses, count, out, &arena, error);
    xmtp_arena_reset(&arena);
    return status;
}

xmtp_status xmtp_inbox_id_of(xmtp_account_kind kind, const char *identifier, uint64_t nonce,
                             char out[65], xmtp_error *error)
{
    xmtp_account_name name;
    xmtp_error_clear(error);
    XMTP_TRY(xmtp_account_name_parse(kind, identifier, &name, error));
    return xmtp_inbox_id(&name.identifier, nonce, out, error);
}

/* ---- key packages */

static void judge_key_package(const xmtp_client *client, xmtp_bytes bytes, xmtp_bytes installation,
                              xmtp_key_package_status *out)
{
    xmtp_inbox_key_package found;
    xmtp_inbox_key_package_expected expected = {.installation = installation};
    uint64_t now = xmtp_now_ns(client) / XMTP_SECOND_NS;
    if (bytes.n == 0) {
        out->status = XMTP_E_NOT_FOUND;
        return;
    }
    out->status = xmtp_inbox_key_package_verify(&client->env, bytes, 0, XMTP_KEY_PACKAGE_ADDER,
                                                &expected, &found, NULL);
    if (out->status == XMTP_OK) {
        out->not_before = found.mls.not_before;
        out->not_after = found.mls.not_after;
        bool is_alive = out->not_before <= now && now <= out->not_after;
        out->status = is_alive ? XMTP_OK : XMTP_E_LIFETIME;
    }
}

static xmtp_status fetch_statuses(xmtp_client *client, size_t count, xmtp_key_package_status *out,
                                  xmtp_arena *arena, xmtp_error *error)
{
    Pb__FetchKeyPackagesRequest request = PB__FETCH_KEY_PACKAGES_REQUEST__INIT;
    void *memory;
    XMTP_TRY(xmtp_arena_take_array(arena, count, sizeof(ProtobufCBinaryData), &memory));
    request.installation_keys = memory;
    request.n_installation_keys = count;
    for (size_t i = 0; i < count; i++) {
        XMTP_TRY(xmtp_arena_take(arena, XMTP_INSTALLATION_LEN, &memory));
        if (xmtp_hex_decode(memory, XMTP_INSTALLATION_LEN, out[i].installation_id,
                            strlen(out[i].installation_id)) != XMTP_OK) {
            return xmtp_fail(error, XMTP_E_IDENTIFIER, "an installation id has 64 hex digits");
        }
        request.installation_keys[i] =
            xmtp_proto_data(xmtp_bytes_of(memory, XMTP_INSTALLATION_LEN));
    }
    XMTP_TRY(xmtp_call(client, XMTP_MLS_API("FetchKeyPackages"), &request.base,
                       &pb__fetch_key_packages_response__descriptor, arena, &memory, error));
    const Pb__FetchKeyPackagesResponse *answer = memory;
    if (answer->n_key_packages != count) {
        return xmtp_fail(error, XMTP_E_PROTOCOL, "%zu key packages for %zu installations",
                         answer->n_key_packages, count);
    }
    for (size_t i = 0; i < count; i++) {
        judge_key_package(client,
                          xmtp_proto_bytes(answer->key_packages[i]->key_package_tls_serialized),
                          xmtp_proto_bytes(request.installation_keys[i]), &out[i]);
    }
    return XMTP_OK;
}

xmtp_status xmtp_client_key_packages(xmtp_client *client, const char *const *installation_ids,
                                     size_t count, xmtp_key_package_status *out, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_DATABASE, error));
    xmtp_arena arena;
    for (size_t i = 0; i < count; i++) {
        out[i] = (xmtp_key_package_status){.installation_id = installation_ids[i],
                                           .status = XMTP_E_NOT_FOUND};
    }
    if (count == 0) {
        return XMTP_OK;
    }
    xmtp_scratch(client, &arena);
    xmtp_status status = fetch_statuses(client, count, out, &arena, error);
    xmtp_arena_reset(&arena);
    return status;
}

xmtp_status xmtp_client_rotate_key_package(xmtp_client *client, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
    return xmtp_rotate_key_package(client, error);
}

/* ---- signatures outside the network */

xmtp_status xmtp_client_sign(xmtp_client *client, const char *text,
                             uint8_t signature[XMTP_SIGNATURE_BYTES], xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_INBOX, error));
    return xmtp_installation_sign_public(&client->installation, xmtp_bytes_of_string(text),
                                         signature);
}

xmtp_status xmtp_verify_signed(const uint8_t public_key[XMTP_PUBLIC_KEY_BYTES], const char *text,
                               const uint8_t signature[XMTP_SIGNATURE_BYTES])
{
    return xmtp_installation_verify_public(public_key, xmtp_bytes_of_string(text), signature);
}
