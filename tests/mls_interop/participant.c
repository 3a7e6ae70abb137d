/* participant.c - see participant.h. */
#include "participant.h"

#include <string.h>

enum {
    /* MLSMessage of a KeyPackage: version 1, wire format 5, then the struct. */
    KEY_PACKAGE_HEADER_LEN = 4,
    LIFETIME_BEFORE_S = 3600,
    LIFETIME_AFTER_S = 28 * 24 * 3600,
    PAST_EPOCHS = 16,
    RESUMPTION_PSKS = 1000,
    OUT_OF_ORDER = 1000,
};

static const uint8_t key_package_header[KEY_PACKAGE_HEADER_LEN] = {0, 1, 0, 5};

/* ---- memory ---- */

static void release(const xmtp_alloc *alloc, void *p, size_t n)
{
    if (p != NULL) {
        xmtp_wipe(p, n);
        (void)alloc->reallocate(alloc->context, p, 0);
    }
}

void participant_free(participant *p)
{
    const xmtp_alloc *alloc = p->alloc;
    while (p->psks != NULL) {
        interop_psk *psk = p->psks;
        p->psks = psk->next;
        release(alloc, psk, sizeof *psk);
    }
    xmtp_mls_pending_free(p->pending);
    xmtp_mls_group_free(p->group);
    release(alloc, p->identity, p->identity_len);
    release(alloc, p->key_package, p->key_package_len);
    release(alloc, p, sizeof *p);
}

xmtp_status put_bytes(interop_call *call, xmtp_bytes bytes, ProtobufCBinaryData *out)
{
    xmtp_bytes copy;
    XMTP_TRY(xmtp_arena_copy(&call->arena, bytes, &copy));
    *out = xmtp_proto_data(copy);
    return XMTP_OK;
}

xmtp_status take_bytes(interop_call *call, uint8_t *p, size_t n, ProtobufCBinaryData *out)
{
    xmtp_status status = put_bytes(call, xmtp_bytes_of(p, n), out);
    release(&call->client->env->alloc, p, n);
    return status;
}

xmtp_mls_writes *fresh_writes(const interop_call *call)
{
    xmtp_mls_writes_clear(call->client->writes);
    return call->client->writes;
}

/* ---- finding ---- */

xmtp_status find_participant(interop_call *call, uint32_t number, participant **out)
{
    for (participant *p = call->client->participants; p != NULL; p = p->next) {
        if (p->number == number) {
            *out = p;
            return XMTP_OK;
        }
    }
    return xmtp_fail(call->error, XMTP_E_NOT_FOUND, "there is no state, transaction or signer %u",
                     (unsigned)number);
}

xmtp_status find_state(interop_call *call, uint32_t number, participant **out)
{
    XMTP_TRY(find_participant(call, number, out));
    return (*out)->group != NULL
               ? XMTP_OK
               : xmtp_fail(call->error, XMTP_E_NOT_FOUND, "%u is in no group", (unsigned)number);
}

xmtp_status find_joiner(interop_call *call, uint32_t number, participant **out)
{
    XMTP_TRY(find_participant(call, number, out));
    return (*out)->key_package != NULL ? XMTP_OK
                                       : xmtp_fail(call->error, XMTP_E_NOT_FOUND,
                                                   "%u has no key package", (unsigned)number);
}

/* ---- making ---- */

static xmtp_status keep_copy(const xmtp_alloc *alloc, ProtobufCBinaryData in, uint8_t **out,
                             size_t *out_len)
{
    *out = alloc->reallocate(alloc->context, NULL, in.len + 1);
    XMTP_ENSURE(*out != NULL, XMTP_E_NOMEM);
    xmtp_copy(*out, in.data, in.len);
    *out_len = in.len;
    return XMTP_OK;
}

static xmtp_status fill_participant(interop_call *call, participant *p, uint32_t suite,
                                    ProtobufCBinaryData identity)
{
    if (suite > UINT16_MAX) {
        return xmtp_fail(call->error, XMTP_E_SUITE, "there is no cipher suite %u", (unsigned)suite);
    }
    p->suite = (uint16_t)suite;
    XMTP_TRY(keep_copy(p->alloc, identity, &p->identity, &p->identity_len));
    return xmtp_mls_signature_keys_create(call->client->env, p->suite, &p->keys, call->error);
}

xmtp_status add_participant(interop_call *call, uint32_t suite, ProtobufCBinaryData identity,
                            participant **out)
{
    interop_client *client = call->client;
    const xmtp_alloc *alloc = &client->env->alloc;
    participant *p = alloc->reallocate(alloc->context, NULL, sizeof *p);
    XMTP_ENSURE(p != NULL, XMTP_E_NOMEM);
    *p = (participant){.alloc = alloc};
    xmtp_status status = fill_participant(call, p, suite, identity);
    if (status != XMTP_OK) {
        participant_free(p);
        return status;
    }
    p->number = ++client->last_number;
    p->next = client->participants;
    client->participants = p;
    *out = p;
    return XMTP_OK;
}

void drop_participant(interop_client *client, participant *p)
{
    participant **at = &client->participants;
    while (*at != p) {
        at = &(*at)->next;
    }
    *at = p->next;
    participant_free(p);
}

xmtp_status make_key_package(interop_call *call, participant *p, ProtobufCBinaryData *message)
{
    const xmtp_env *env = call->client->env;
    const uint64_t now_s = env->now_ns(env->context) / 1000000000u;
    const xmtp_mls_key_package_options options = {
        .suite = p->suite,
        .signer = signer_of(p),
        .capabilities = capabilities(),
        .not_before = now_s < LIFETIME_BEFORE_S ? 0 : now_s - LIFETIME_BEFORE_S,
        .not_after = now_s + LIFETIME_AFTER_S};
    uint8_t *bytes;
    XMTP_TRY(xmtp_mls_key_package_create(env, &options, &p->key_package, &p->key_package_len,
                                         &p->private_keys, call->error));
    XMTP_TRY(xmtp_arena_take(&call->arena, KEY_PACKAGE_HEADER_LEN + p->key_package_len,
                             (void **)&bytes));
    memcpy(bytes, key_package_header, KEY_PACKAGE_HEADER_LEN);
    memcpy(bytes + KEY_PACKAGE_HEADER_LEN, p->key_package, p->key_package_len);
    *message =
        (ProtobufCBinaryData){.data = bytes, .len = KEY_PACKAGE_HEADER_LEN + p->key_package_len};
    return XMTP_OK;
}

xmtp_status put_private_keys(interop_call *call, const participant *p, ProtobufCBinaryData *init,
                             ProtobufCBinaryData *encryption, ProtobufCBinaryData *signature)
{
    const xmtp_mls_key_package_private *keys = &p->private_keys;
    XMTP_TRY(put_bytes(call, xmtp_bytes_of(keys->init_sk, keys->init_sk_len), init));
    XMTP_TRY(put_bytes(call, xmtp_bytes_of(keys->leaf_sk, keys->leaf_sk_len), encryption));
    return put_bytes(call, xmtp_bytes_of(p->keys.sk, p->keys.sk_len), signature);
}

xmtp_status add_psk(interop_call *call, participant *p, ProtobufCBinaryData id,
                    ProtobufCBinaryData secret)
{
    if (id.len > XMTP_MLS_PSK_MAX || secret.len > XMTP_MLS_PSK_MAX) {
        return xmtp_fail(call->error, XMTP_E_LIMIT, "PSK of %zu bytes under an id of %zu bytes",
                         secret.len, id.len);
    }
    interop_psk *psk = p->alloc->reallocate(p->alloc->context, NULL, sizeof *psk);
    XMTP_ENSURE(psk != NULL, XMTP_E_NOMEM);
    *psk = (interop_psk){.next = p->psks, .id_len = id.len, .secret_len = secret.len};
    xmtp_copy(psk->id, id.data, id.len);
    xmtp_copy(psk->secret, secret.data, secret.len);
    p->psks = psk;
    return XMTP_OK;
}

/* ---- what a group wants to know ---- */

static xmtp_status find_psk(void *context, const xmtp_mls_psk *wanted, uint8_t *out,
                            size_t *out_len)
{
    const participant *p = context;
    for (const interop_psk *psk = p->psks; psk != NULL; psk = psk->next) {
        if (wanted->type == XMTP_MLS_PSK_EXTERNAL &&
            xmtp_bytes_equal(wanted->id, xmtp_bytes_of(psk->id, psk->id_len))) {
            memcpy(out, psk->secret, psk->secret_len);
            *out_len = psk->secret_len;
            return XMTP_OK;
        }
    }
    return XMTP_E_NOT_FOUND;
}

xmtp_mls_config config_of(const interop_call *call, participant *p)
{
    return (xmtp_mls_config){.env = call->client->env,
                             .past_epochs_max = PAST_EPOCHS,
                             .out_of_order_tolerance = OUT_OF_ORDER,
                             .check_lifetimes = true,
                             .keep_proposals = true,
                             .resumption_psks_max = RESUMPTION_PSKS,
                             .find_psk = find_psk,
                             .psk_context = p,
                             .public_handshakes = !p->is_encrypted};
}

xmtp_mls_signer signer_of(const participant *p)
{
    return (xmtp_mls_signer){.identity = xmtp_bytes_of(p->identity, p->identity_len),
                             .signature_sk = xmtp_bytes_of(p->keys.sk, p->keys.sk_len),
                             .signature_pk = xmtp_bytes_of(p->keys.pk, p->keys.pk_len)};
}

xmtp_mls_capabilities capabilities(void)
{
    static const uint16_t versions[] = {1};
    static const uint16_t suites[] = {1, 2, 3, 4, 5, 6, 7};
    static const uint16_t credentials[] = {XMTP_MLS_CREDENTIAL_BASIC};
    return (xmtp_mls_capabilities){
        .versions = {versions, 1}, .suites = {suites, 7}, .credentials = {credentials, 1}};
}

xmtp_status own_identity(interop_call *call, const participant *p, ProtobufCBinaryData *out)
{
    xmtp_mls_member member;
    if (!xmtp_mls_group_member(p->group, xmtp_mls_group_own_leaf(p->group), &member)) {
        return xmtp_fail(call->error, XMTP_E_REMOVED, "%u was removed", (unsigned)p->number);
    }
    return put_bytes(call, member.identity, out);
}

xmtp_status put_authenticator(interop_call *call, const participant *p, ProtobufCBinaryData *out)
{
    return put_bytes(call, xmtp_mls_group_epoch_authenticator(p->group), out);
}

/* ---- from the wire ---- */

xmtp_status key_package_in(interop_call *call, ProtobufCBinaryData message, xmtp_bytes *out)
{
    if (message.len < KEY_PACKAGE_HEADER_LEN ||
        memcmp(message.data, key_package_header, KEY_PACKAGE_HEADER_LEN) != 0) {
        return xmtp_fail(call->error, XMTP_E_WIRE_FORMAT,
                         "%zu bytes are no MLSMessage with a key package", message.len);
    }
    *out =
        xmtp_bytes_of(message.data + KEY_PACKAGE_HEADER_LEN, message.len - KEY_PACKAGE_HEADER_LEN);
    return XMTP_OK;
}

xmtp_status extensions_in(interop_call *call, MlsClient__Extension *const *in, size_t count,
                          const xmtp_mls_extension **out)
{
    xmtp_mls_extension *list;
    XMTP_TRY(xmtp_arena_take_array(&call->arena, count, sizeof *list, (void **)&list));
    for (size_t i = 0; i < count; i++) {
        if (in[i]->extension_type > UINT16_MAX) {
            return xmtp_fail(call->error, XMTP_E_EXTENSION, "there is no extension type %u",
                             (unsigned)in[i]->extension_type);
        }
        list[i] = (xmtp_mls_extension){.type = (uint16_t)in[i]->extension_type,
                                       .data = xmtp_proto_bytes(in[i]->extension_data)};
    }
    *out = list;
    return XMTP_OK;
}

xmtp_status extensions_of(interop_call *call, xmtp_bytes content, const xmtp_mls_extension **out,
                          size_t *count)
{
    xmtp_bytes rest = content;
    xmtp_mls_extension extension;
    xmtp_mls_extension *list;
    for (*count = 0; xmtp_mls_extensions_next(&rest, &extension);) {
        (*count)++;
    }
    XMTP_TRY(xmtp_arena_take_array(&call->arena, *count, sizeof *list, (void **)&list));
    rest = content;
    for (size_t i = 0; i < *count; i++) {
        (void)xmtp_mls_extensions_next(&rest, &list[i]);
    }
    *out = list;
    return XMTP_OK;
}
