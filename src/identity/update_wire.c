/* update_wire.c - IdentityUpdate and everything in it, to and from bytes.
 *
 * Each decode function reads onto a struct that may hold an earlier occurrence of the same field:
 * that is how protobuf merges. Completeness is checked once everything was read, in the order of
 * identity.md 8.4.
 */
#include "identity/update_wire.h"

#include "base/bytes.h"
#include "base/status.h"
#include "proto/field.h"

/* IdentifierKind has no other values; what is unknown reads as unspecified, and that as Ethereum.
 */
enum { KIND_ETHEREUM = 1, KIND_PASSKEY = 2 };

/* ---- signatures */

static xmtp_status decode_ecdsa(xmtp_reader r, xmtp_bytes *bytes)
{
    while (r.n > 0) {
        xmtp_field f;
        XMTP_TRY(xmtp_field_next(&r, &f));
        if (f.number == 1) {
            XMTP_TRY(xmtp_field_bytes(&f, bytes));
        }
    }
    return XMTP_OK;
}

static xmtp_status decode_contract(xmtp_reader r, xmtp_wire_signature *s)
{
    while (r.n > 0) {
        xmtp_field f;
        XMTP_TRY(xmtp_field_next(&r, &f));
        switch (f.number) {
        case 1:
            XMTP_TRY(xmtp_field_string(&f, &s->account_id));
            break;
        case 2:
            XMTP_TRY(xmtp_field_u64(&f, &s->block_number));
            break;
        case 3:
            XMTP_TRY(xmtp_field_bytes(&f, &s->bytes));
            break;
        }
    }
    return XMTP_OK;
}

static xmtp_status decode_installation(xmtp_reader r, xmtp_wire_signature *s)
{
    while (r.n > 0) {
        xmtp_field f;
        XMTP_TRY(xmtp_field_next(&r, &f));
        switch (f.number) {
        case 1:
            XMTP_TRY(xmtp_field_bytes(&f, &s->bytes));
            break;
        case 2:
            XMTP_TRY(xmtp_field_bytes(&f, &s->public_key));
            break;
        }
    }
    return XMTP_OK;
}

static xmtp_status decode_passkey_signature(xmtp_reader r, xmtp_wire_signature *s)
{
    while (r.n > 0) {
        xmtp_field f;
        XMTP_TRY(xmtp_field_next(&r, &f));
        switch (f.number) {
        case 1:
            XMTP_TRY(xmtp_field_bytes(&f, &s->public_key));
            break;
        case 2:
            XMTP_TRY(xmtp_field_bytes(&f, &s->bytes));
            break;
        case 3:
            XMTP_TRY(xmtp_field_bytes(&f, &s->authenticator_data));
            break;
        case 4:
            XMTP_TRY(xmtp_field_bytes(&f, &s->client_data_json));
            break;
        }
    }
    return XMTP_OK;
}

/* {bytes 1, recovery 2} of the legacy wallet signature. */
static xmtp_status decode_compact(xmtp_reader r, xmtp_wire_signature *s)
{
    while (r.n > 0) {
        xmtp_field f;
        uint64_t recovery;
        XMTP_TRY(xmtp_field_next(&r, &f));
        switch (f.number) {
        case 1:
            XMTP_TRY(xmtp_field_bytes(&f, &s->wallet_signature));
            break;
        case 2:
            XMTP_TRY(xmtp_field_u64(&f, &recovery));
            s->wallet_recovery = (uint32_t)recovery;
            break;
        }
    }
    return XMTP_OK;
}

/* oneof {ecdsa_compact 1, wallet_ecdsa_compact 2} */
static xmtp_status decode_legacy_signature(xmtp_reader r, xmtp_wire_signature *s)
{
    while (r.n > 0) {
        xmtp_field f;
        xmtp_reader inner;
        XMTP_TRY(xmtp_field_next(&r, &f));
        if (f.number != 1 && f.number != 2) {
            continue;
        }
        XMTP_TRY(xmtp_field_message(&f, &inner));
        if (s->wallet_form != f.number) {
            s->wallet_form = f.number;
            s->wallet_signature = (xmtp_bytes){0};
            s->wallet_recovery = 0;
        }
        XMTP_TRY(decode_compact(inner, s));
    }
    return XMTP_OK;
}

static xmtp_status decode_signed_public_key(xmtp_reader r, xmtp_wire_signature *s)
{
    s->has_delegated_key = true;
    while (r.n > 0) {
        xmtp_field f;
        xmtp_reader inner;
        XMTP_TRY(xmtp_field_next(&r, &f));
        switch (f.number) {
        case 1:
            XMTP_TRY(xmtp_field_bytes(&f, &s->key_bytes));
            break;
        case 2:
            XMTP_TRY(xmtp_field_message(&f, &inner));
            XMTP_TRY(decode_legacy_signature(inner, s));
            break;
        }
    }
    return XMTP_OK;
}

static xmtp_status decode_delegated(xmtp_reader r, xmtp_wire_signature *s)
{
    while (r.n > 0) {
        xmtp_field f;
        xmtp_reader inner;
        XMTP_TRY(xmtp_field_next(&r, &f));
        switch (f.number) {
        case 1:
            XMTP_TRY(xmtp_field_message(&f, &inner));
            XMTP_TRY(decode_signed_public_key(inner, s));
            break;
        case 2:
            XMTP_TRY(xmtp_field_message(&f, &inner));
            s->has_delegated_signature = true;
            XMTP_TRY(decode_ecdsa(inner, &s->bytes));
            break;
        }
    }
    return XMTP_OK;
}

static xmtp_status decode_signature_kind(xmtp_reader r, xmtp_wire_signature *s)
{
    switch (s->kind) {
    case XMTP_SIGNATURE_NONE:
        break;
    case XMTP_SIGNATURE_ERC191:
        return decode_ecdsa(r, &s->bytes);
    case XMTP_SIGNATURE_CONTRACT:
        return decode_contract(r, s);
    case XMTP_SIGNATURE_INSTALLATION:
        return decode_installation(r, s);
    case XMTP_SIGNATURE_DELEGATED:
        return decode_delegated(r, s);
    case XMTP_SIGNATURE_PASSKEY:
        return decode_passkey_signature(r, s);
    }
    return XMTP_E_INTERNAL;
}

static xmtp_status decode_signature(const xmtp_field *outer, xmtp_wire_signature *s)
{
    xmtp_reader r;
    XMTP_TRY(xmtp_field_message(outer, &r));
    while (r.n > 0) {
        xmtp_field f;
        xmtp_reader inner;
        XMTP_TRY(xmtp_field_next(&r, &f));
        if (f.number < XMTP_SIGNATURE_ERC191 || f.number > XMTP_SIGNATURE_PASSKEY) {
            continue;
        }
        XMTP_TRY(xmtp_field_message(&f, &inner));
        if ((uint32_t)s->kind != f.number) {
            *s = (xmtp_wire_signature){.kind = (xmtp_signature_kind)f.number};
        }
        XMTP_TRY(decode_signature_kind(inner, s));
    }
    return XMTP_OK;
}

/* ---- identifiers */

static xmtp_status decode_passkey(xmtp_reader r, xmtp_identifier *id)
{
    while (r.n > 0) {
        xmtp_field f;
        XMTP_TRY(xmtp_field_next(&r, &f));
        switch (f.number) {
        case 1:
            XMTP_TRY(xmtp_field_bytes(&f, &id->value));
            break;
        case 2:
            XMTP_TRY(xmtp_field_string(&f, &id->relying_party));
            id->has_relying_party = true;
            break;
        }
    }
    return XMTP_OK;
}

static void become(xmtp_identifier *id, xmtp_identifier_kind kind)
{
    if (id->kind != kind) {
        *id = (xmtp_identifier){.kind = kind};
    }
}

/* oneof {ethereum_address 1, installation_public_key 2, passkey 3} */
static xmtp_status decode_member(const xmtp_field *outer, xmtp_identifier *id)
{
    xmtp_reader r;
    XMTP_TRY(xmtp_field_message(outer, &r));
    while (r.n > 0) {
        xmtp_field f;
        xmtp_reader inner;
        XMTP_TRY(xmtp_field_next(&r, &f));
        switch (f.number) {
        case 1:
            become(id, XMTP_IDENTIFIER_ETHEREUM);
            XMTP_TRY(xmtp_field_string(&f, &id->value));
            break;
        case 2:
            become(id, XMTP_IDENTIFIER_INSTALLATION);
            XMTP_TRY(xmtp_field_bytes(&f, &id->value));
            break;
        case 3:
            become(id, XMTP_IDENTIFIER_PASSKEY);
            XMTP_TRY(xmtp_field_message(&f, &inner));
            XMTP_TRY(decode_passkey(inner, id));
            break;
        }
    }
    return XMTP_OK;
}

/* ---- actions: first as they are on the wire, then with their identifier understood */

typedef struct raw_action {
    xmtp_wire_action action;
    xmtp_bytes identifier; /* text; CREATE_INBOX and CHANGE_RECOVERY */
    uint64_t identifier_kind;
    bool has_relying_party;
    xmtp_bytes relying_party;
} raw_action;

static xmtp_status decode_create_field(const xmtp_field *f, raw_action *raw)
{
    switch (f->number) {
    case 1:
        return xmtp_field_string(f, &raw->identifier);
    case 2:
        return xmtp_field_u64(f, &raw->action.nonce);
    case 3:
        return decode_signature(f, &raw->action.signature);
    case 4:
        return xmtp_field_u64(f, &raw->identifier_kind);
    case 5:
        raw->has_relying_party = true;
        return xmtp_field_string(f, &raw->relying_party);
    }
    return XMTP_OK;
}

static xmtp_status decode_add_field(const xmtp_field *f, raw_action *raw)
{
    switch (f->number) {
    case 1:
        return decode_member(f, &raw->action.subject);
    case 2:
        return decode_signature(f, &raw->action.signature);
    case 3:
        return decode_signature(f, &raw->action.new_member_signature);
    case 4:
        return xmtp_field_string(f, &raw->relying_party); /* the one inside Passkey counts */
    }
    return XMTP_OK;
}

static xmtp_status decode_revoke_field(const xmtp_field *f, raw_action *raw)
{
    switch (f->number) {
    case 1:
        return decode_member(f, &raw->action.subject);
    case 2:
        return decode_signature(f, &raw->action.signature);
    }
    return XMTP_OK;
}

static xmtp_status decode_change_field(const xmtp_field *f, raw_action *raw)
{
    switch (f->number) {
    case 1:
        return xmtp_field_string(f, &raw->identifier);
    case 2:
        return decode_signature(f, &raw->action.signature);
    case 3:
        return xmtp_field_u64(f, &raw->identifier_kind);
    case 4:
        raw->has_relying_party = true;
        return xmtp_field_string(f, &raw->relying_party);
    }
    return XMTP_OK;
}

static xmtp_status decode_action_field(const xmtp_field *f, raw_action *raw)
{
    switch (raw->action.kind) {
    case XMTP_ACTION_NONE:
        break;
    case XMTP_ACTION_CREATE_INBOX:
        return decode_create_field(f, raw);
    case XMTP_ACTION_ADD:
        return decode_add_field(f, raw);
    case XMTP_ACTION_REVOKE:
        return decode_revoke_field(f, raw);
    case XMTP_ACTION_CHANGE_RECOVERY:
        return decode_change_field(f, raw);
    }
    return XMTP_E_INTERNAL;
}

/* oneof kind: the field's number is the action's kind. */
static xmtp_status decode_raw_action(xmtp_bytes in, raw_action *raw)
{
    xmtp_reader r = xmtp_reader_of(in);
    while (r.n > 0) {
        xmtp_field f;
        xmtp_reader inner;
        XMTP_TRY(xmtp_field_next(&r, &f));
        if (f.number < XMTP_ACTION_CREATE_INBOX || f.number > XMTP_ACTION_CHANGE_RECOVERY) {
            continue;
        }
        XMTP_TRY(xmtp_field_message(&f, &inner));
        if ((uint32_t)raw->action.kind != f.number) {
            *raw = (raw_action){.action.kind = (xmtp_action_kind)f.number};
        }
        while (inner.n > 0) {
            XMTP_TRY(xmtp_field_next(&inner, &f));
            XMTP_TRY(decode_action_field(&f, raw));
        }
    }
    return XMTP_OK;
}

static xmtp_status passkey_of_text(xmtp_bytes text, xmtp_arena *arena, xmtp_bytes *key,
                                   xmtp_error *error)
{
    if (text.n >= 2 && text.p[0] == '0' && text.p[1] == 'x') {
        text.p += 2;
        text.n -= 2;
    }
    void *bytes;
    XMTP_TRY(xmtp_arena_take(arena, text.n / 2, &bytes));
    if (xmtp_hex_decode(bytes, text.n / 2, (const char *)text.p, text.n) != XMTP_OK) {
        return xmtp_fail(error, XMTP_E_MALFORMED, "passkey identifier is not hex");
    }
    *key = xmtp_bytes_of(bytes, text.n / 2);
    return XMTP_OK;
}

static xmtp_status resolve_identifier(const raw_action *raw, xmtp_arena *arena, xmtp_identifier *id,
                                      xmtp_error *error)
{
    if ((uint32_t)raw->identifier_kind != KIND_PASSKEY) {
        *id = (xmtp_identifier){.kind = XMTP_IDENTIFIER_ETHEREUM, .value = raw->identifier};
        return XMTP_OK;
    }
    *id = (xmtp_identifier){.kind = XMTP_IDENTIFIER_PASSKEY,
                            .has_relying_party = raw->has_relying_party,
                            .relying_party = raw->relying_party};
    return passkey_of_text(raw->identifier, arena, &id->value, error);
}

static xmtp_status check_signature(const xmtp_wire_signature *s, const char *which,
                                   xmtp_error *error)
{
    if (s->kind == XMTP_SIGNATURE_NONE) {
        return xmtp_fail(error, XMTP_E_MALFORMED, "missing field signature (%s)", which);
    }
    if (s->kind == XMTP_SIGNATURE_INSTALLATION && s->public_key.n != XMTP_INSTALLATION_LEN) {
        return xmtp_fail(error, XMTP_E_MALFORMED,
                         "signature error: VerifyingKey must be 32 bytes in length");
    }
    if (s->kind == XMTP_SIGNATURE_DELEGATED && !s->has_delegated_key) {
        return xmtp_fail(error, XMTP_E_MALFORMED, "missing field delegated_key");
    }
    if (s->kind == XMTP_SIGNATURE_DELEGATED && !s->has_delegated_signature) {
        return xmtp_fail(error, XMTP_E_MALFORMED, "missing field signature (delegated)");
    }
    return XMTP_OK;
}

static xmtp_status finish_action(const raw_action *raw, xmtp_arena *arena, xmtp_wire_action *out,
                                 xmtp_error *error)
{
    *out = raw->action;
    switch (raw->action.kind) {
    case XMTP_ACTION_NONE:
        return xmtp_fail(error, XMTP_E_MALFORMED, "missing field action");
    case XMTP_ACTION_CREATE_INBOX:
    case XMTP_ACTION_CHANGE_RECOVERY:
        XMTP_TRY(resolve_identifier(raw, arena, &out->subject, error));
        break;
    case XMTP_ACTION_ADD:
        XMTP_TRY(check_signature(&out->new_member_signature, "new member", error));
        if (out->subject.kind == 0) {
            return xmtp_fail(error, XMTP_E_MALFORMED, "missing field member_identifier");
        }
        break;
    case XMTP_ACTION_REVOKE:
        if (out->subject.kind == 0) {
            return xmtp_fail(error, XMTP_E_MALFORMED, "missing field member_to_revoke");
        }
        break;
    }
    return check_signature(&out->signature, "signer", error);
}

/* ---- the update */

/* Fields 2 and 3, and how many actions there are. */
static xmtp_status scan_update(xmtp_bytes in, xmtp_wire_update *out)
{
    xmtp_reader r = xmtp_reader_of(in);
    while (r.n > 0) {
        xmtp_field f;
        xmtp_reader inner;
        XMTP_TRY(xmtp_field_next(&r, &f));
        switch (f.number) {
        case 1:
            XMTP_TRY(xmtp_field_message(&f, &inner));
            out->action_count++;
            break;
        case 2:
            XMTP_TRY(xmtp_field_u64(&f, &out->client_timestamp_ns));
            break;
        case 3:
            XMTP_TRY(xmtp_field_string(&f, &out->inbox_id));
            break;
        }
    }
    return XMTP_OK;
}

static xmtp_status decode_actions(xmtp_bytes in, xmtp_arena *arena, xmtp_wire_action *actions,
                                  xmtp_error *error)
{
    xmtp_reader r = xmtp_reader_of(in);
    size_t count = 0;
    while (r.n > 0) {
        xmtp_field f;
        XMTP_TRY(xmtp_field_next(&r, &f));
        if (f.number == 1) {
            raw_action raw = {0};
            xmtp_status status = decode_raw_action(f.bytes, &raw);
            if (status != XMTP_OK) {
                return xmtp_fail(error, status, "action %zu cannot be decoded", count);
            }
            XMTP_TRY(finish_action(&raw, arena, &actions[count], error));
            count++;
        }
    }
    return XMTP_OK;
}

xmtp_status xmtp_wire_update_decode(xmtp_bytes in, size_t action_max, xmtp_arena *arena,
                                    xmtp_wire_update *out, xmtp_error *error)
{
    *out = (xmtp_wire_update){0};
    xmtp_wire_update update = {0};
    if (scan_update(in, &update) != XMTP_OK) {
        return xmtp_fail(error, XMTP_E_MALFORMED, "not an IdentityUpdate");
    }
    if (update.action_count > action_max) {
        return xmtp_fail(error, XMTP_E_LIMIT, "%zu actions in one update, at most %zu are accepted",
                         update.action_count, action_max);
    }
    void *actions;
    XMTP_TRY(xmtp_arena_take_array(arena, update.action_count, sizeof *update.actions, &actions));
    XMTP_TRY(decode_actions(in, arena, actions, error));
    update.actions = actions;
    *out = update;
    return XMTP_OK;
}

xmtp_status xmtp_wire_update_inbox_id(xmtp_bytes in, xmtp_bytes *inbox_id)
{
    xmtp_wire_update update = {0};
    *inbox_id = (xmtp_bytes){0};
    XMTP_TRY(scan_update(in, &update));
    *inbox_id = update.inbox_id;
    return XMTP_OK;
}

/* ---- writing: fields in ascending order, as every protobuf writer does */

static void encode_delegated(const xmtp_wire_signature *s, xmtp_writer *w)
{
    size_t key = xmtp_field_open(w, 1);
    xmtp_field_put_bytes(w, 1, s->key_bytes);
    size_t union_mark = xmtp_field_open(w, 2);
    size_t compact = xmtp_field_open(w, s->wallet_form);
    xmtp_field_put_bytes(w, 1, s->wallet_signature);
    xmtp_field_put_u64(w, 2, s->wallet_recovery);
    xmtp_field_close(w, compact);
    xmtp_field_close(w, union_mark);
    xmtp_field_close(w, key);
    size_t signature = xmtp_field_open(w, 2);
    xmtp_field_put_bytes(w, 1, s->bytes);
    xmtp_field_close(w, signature);
}

static void encode_signature(const xmtp_wire_signature *s, uint32_t number, xmtp_writer *w)
{
    size_t outer = xmtp_field_open(w, number);
    size_t inner = xmtp_field_open(w, (uint32_t)s->kind);
    switch (s->kind) {
    case XMTP_SIGNATURE_NONE:
        break;
    case XMTP_SIGNATURE_ERC191:
        xmtp_field_put_bytes(w, 1, s->bytes);
        break;
    case XMTP_SIGNATURE_CONTRACT:
        xmtp_field_put_bytes(w, 1, s->account_id);
        xmtp_field_put_u64(w, 2, s->block_number);
        xmtp_field_put_bytes(w, 3, s->bytes);
        break;
    case XMTP_SIGNATURE_INSTALLATION:
        xmtp_field_put_bytes(w, 1, s->bytes);
        xmtp_field_put_bytes(w, 2, s->public_key);
        break;
    case XMTP_SIGNATURE_DELEGATED:
        encode_delegated(s, w);
        break;
    case XMTP_SIGNATURE_PASSKEY:
        xmtp_field_put_bytes(w, 1, s->public_key);
        xmtp_field_put_bytes(w, 2, s->bytes);
        xmtp_field_put_bytes(w, 3, s->authenticator_data);
        xmtp_field_put_bytes(w, 4, s->client_data_json);
        break;
    }
    xmtp_field_close(w, inner);
    xmtp_field_close(w, outer);
}

/* Members of a oneof and present optional fields are written even when they are empty. */
static void put_present(xmtp_writer *w, uint32_t number, xmtp_bytes bytes)
{
    size_t mark = xmtp_field_open(w, number);
    xmtp_writer_put(w, bytes);
    xmtp_field_close(w, mark);
}

static void put_relying_party(xmtp_writer *w, uint32_t number, const xmtp_identifier *id)
{
    if (id->kind == XMTP_IDENTIFIER_PASSKEY && id->has_relying_party) {
        put_present(w, number, id->relying_party);
    }
}

static void encode_member(const xmtp_identifier *id, xmtp_writer *w)
{
    size_t outer = xmtp_field_open(w, 1);
    switch (id->kind) {
    case XMTP_IDENTIFIER_ETHEREUM:
        put_present(w, 1, id->value);
        break;
    case XMTP_IDENTIFIER_INSTALLATION:
        put_present(w, 2, id->value);
        break;
    case XMTP_IDENTIFIER_PASSKEY: {
        size_t passkey = xmtp_field_open(w, 3);
        xmtp_field_put_bytes(w, 1, id->value);
        put_relying_party(w, 2, id);
        xmtp_field_close(w, passkey);
        break;
    }
    }
    xmtp_field_close(w, outer);
}

/* The identifier as text in field 1. */
static void encode_public_identifier(const xmtp_identifier *id, xmtp_writer *w)
{
    if (id->kind == XMTP_IDENTIFIER_ETHEREUM || id->value.n == 0) {
        xmtp_field_put_bytes(w, 1, id->value);
        return;
    }
    size_t mark = xmtp_field_open(w, 1);
    for (size_t i = 0; i < id->value.n; i++) {
        char digits[3];
        xmtp_hex_encode(digits, xmtp_bytes_of(id->value.p + i, 1));
        xmtp_writer_put(w, xmtp_bytes_of(digits, 2));
    }
    xmtp_field_close(w, mark);
}

static void encode_action(const xmtp_wire_action *a, xmtp_writer *w)
{
    switch (a->kind) {
    case XMTP_ACTION_NONE:
        break;
    case XMTP_ACTION_CREATE_INBOX:
        encode_public_identifier(&a->subject, w);
        xmtp_field_put_u64(w, 2, a->nonce);
        encode_signature(&a->signature, 3, w);
        xmtp_field_put_u64(w, 4, (uint64_t)a->subject.kind);
        put_relying_party(w, 5, &a->subject);
        break;
    case XMTP_ACTION_ADD:
        encode_member(&a->subject, w);
        encode_signature(&a->signature, 2, w);
        encode_signature(&a->new_member_signature, 3, w);
        put_relying_party(w, 4, &a->subject);
        break;
    case XMTP_ACTION_REVOKE:
        encode_member(&a->subject, w);
        encode_signature(&a->signature, 2, w);
        break;
    case XMTP_ACTION_CHANGE_RECOVERY:
        encode_public_identifier(&a->subject, w);
        encode_signature(&a->signature, 2, w);
        xmtp_field_put_u64(w, 3, (uint64_t)a->subject.kind);
        put_relying_party(w, 4, &a->subject);
        break;
    }
}

xmtp_status xmtp_wire_update_encode(const xmtp_wire_update *update, xmtp_writer *w)
{
    for (size_t i = 0; i < update->action_count; i++) {
        const xmtp_wire_action *action = &update->actions[i];
        size_t outer = xmtp_field_open(w, 1);
        size_t inner = xmtp_field_open(w, (uint32_t)action->kind);
        encode_action(action, w);
        xmtp_field_close(w, inner);
        xmtp_field_close(w, outer);
    }
    xmtp_field_put_u64(w, 2, update->client_timestamp_ns);
    xmtp_field_put_bytes(w, 3, update->inbox_id);
    return xmtp_writer_status(w);
}
