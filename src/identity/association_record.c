/* association_record.c - a state as bytes, for a cache of states.
 *
 *     record      { u8 format = 1; u8 exists; opaque inbox_id<V>; identifier recovery;
 *                   member members<V>; opaque seen<V> <V>; }
 *     identifier  { u8 kind; opaque value<V>; u8 has_relying_party; opaque relying_party<V>; }
 *     member      { identifier; u8 has_added_by; identifier; u8 has_timestamp; u64; u8 has_chain;
 * u64 }
 *
 * Two states are equal when their records are: members and signatures are written in their order.
 */
#include "base/bytes.h"
#include "base/reader.h"
#include "base/status.h"
#include "base/writer.h"
#include "identity/association_state.h"

enum { RECORD_FORMAT = 1 };

/* ---- flags and identifiers */

static xmtp_status read_bool(xmtp_reader *r, bool *out)
{
    uint8_t value;
    XMTP_TRY(xmtp_reader_u8(r, &value));
    XMTP_ENSURE(value <= 1, XMTP_E_CORRUPT);
    *out = value == 1;
    return XMTP_OK;
}

static void write_identifier(xmtp_writer *w, const xmtp_identifier *id)
{
    xmtp_writer_u8(w, (uint8_t)id->kind);
    xmtp_writer_vec(w, id->value);
    xmtp_writer_u8(w, id->has_relying_party ? 1 : 0);
    xmtp_writer_vec(w, id->relying_party);
}

static xmtp_status read_identifier(xmtp_reader *r, xmtp_identifier *out)
{
    uint8_t kind;
    XMTP_TRY(xmtp_reader_u8(r, &kind));
    XMTP_ENSURE(kind <= XMTP_IDENTIFIER_INSTALLATION, XMTP_E_CORRUPT);
    out->kind = (xmtp_identifier_kind)kind;
    XMTP_TRY(xmtp_reader_vec(r, &out->value));
    XMTP_TRY(read_bool(r, &out->has_relying_party));
    return xmtp_reader_vec(r, &out->relying_party);
}

/* ---- members */

static void write_member(xmtp_writer *w, const xmtp_association_member *m)
{
    write_identifier(w, &m->identifier);
    xmtp_writer_u8(w, m->has_added_by ? 1 : 0);
    write_identifier(w, &m->added_by);
    xmtp_writer_u8(w, m->has_timestamp ? 1 : 0);
    xmtp_writer_u64(w, m->client_timestamp_ns);
    xmtp_writer_u8(w, m->has_chain_id ? 1 : 0);
    xmtp_writer_u64(w, m->chain_id);
}

static xmtp_status read_member(xmtp_reader *r, xmtp_association_member *out)
{
    XMTP_TRY(read_identifier(r, &out->identifier));
    XMTP_TRY(read_bool(r, &out->has_added_by));
    XMTP_TRY(read_identifier(r, &out->added_by));
    XMTP_TRY(read_bool(r, &out->has_timestamp));
    XMTP_TRY(xmtp_reader_u64(r, &out->client_timestamp_ns));
    XMTP_TRY(read_bool(r, &out->has_chain_id));
    return xmtp_reader_u64(r, &out->chain_id);
}

/* ---- the record */

xmtp_status xmtp_association_encode(const xmtp_association *state, uint8_t **out, size_t *out_len)
{
    xmtp_writer w;
    xmtp_writer_init(&w, state->alloc, XMTP_WRITER_MAX);
    xmtp_writer_u8(&w, RECORD_FORMAT);
    xmtp_writer_u8(&w, state->exists ? 1 : 0);
    xmtp_writer_vec(&w, xmtp_bytes_of_string(state->inbox_id));
    write_identifier(&w, &state->recovery);
    size_t members = xmtp_writer_vec_open(&w);
    for (size_t i = 0; i < state->member_count; i++) {
        write_member(&w, &state->members[i]);
    }
    xmtp_writer_vec_close(&w, members);
    size_t seen = xmtp_writer_vec_open(&w);
    for (size_t i = 0; i < state->seen_count; i++) {
        xmtp_writer_vec(&w, state->seen[i]);
    }
    xmtp_writer_vec_close(&w, seen);
    xmtp_status status = xmtp_writer_status(&w);
    if (status == XMTP_OK) {
        status = xmtp_writer_detach(&w, out, out_len);
    }
    xmtp_writer_free(&w);
    return status;
}

static xmtp_status count_members(xmtp_reader r, size_t *count)
{
    *count = 0;
    while (r.n > 0) {
        xmtp_association_member member;
        XMTP_TRY(read_member(&r, &member));
        (*count)++;
    }
    return XMTP_OK;
}

static xmtp_status count_seen(xmtp_reader r, size_t *count)
{
    *count = 0;
    while (r.n > 0) {
        xmtp_bytes signature;
        XMTP_TRY(xmtp_reader_vec(&r, &signature));
        (*count)++;
    }
    return XMTP_OK;
}

static xmtp_status read_lists(xmtp_association *state, xmtp_reader members, xmtp_reader seen)
{
    size_t member_count;
    size_t seen_count;
    XMTP_TRY(count_members(members, &member_count));
    XMTP_TRY(count_seen(seen, &seen_count));
    XMTP_TRY(xmtp_association_reserve(state, member_count, seen_count));
    while (members.n > 0) {
        xmtp_association_member member;
        XMTP_TRY(read_member(&members, &member));
        XMTP_TRY(xmtp_association_put(state, &member));
    }
    while (seen.n > 0) {
        xmtp_bytes signature;
        XMTP_TRY(xmtp_reader_vec(&seen, &signature));
        XMTP_TRY(xmtp_association_add_seen(state, signature));
    }
    return XMTP_OK;
}

static xmtp_status read_record(xmtp_association *state, xmtp_bytes record)
{
    xmtp_reader r = xmtp_reader_of(record);
    uint8_t format;
    xmtp_bytes inbox_id;
    xmtp_identifier recovery;
    xmtp_reader members;
    xmtp_reader seen;
    XMTP_TRY(xmtp_reader_u8(&r, &format));
    XMTP_ENSURE(format == RECORD_FORMAT, XMTP_E_CORRUPT);
    XMTP_TRY(read_bool(&r, &state->exists));
    XMTP_TRY(xmtp_reader_vec(&r, &inbox_id));
    XMTP_ENSURE(state->exists ? xmtp_inbox_id_is_valid(inbox_id) : inbox_id.n == 0, XMTP_E_CORRUPT);
    xmtp_copy(state->inbox_id, inbox_id.p, inbox_id.n);
    XMTP_TRY(read_identifier(&r, &recovery));
    XMTP_TRY(xmtp_association_keep(state, &recovery, &state->recovery));
    XMTP_TRY(xmtp_reader_vec_open(&r, &members));
    XMTP_TRY(xmtp_reader_vec_open(&r, &seen));
    XMTP_TRY(xmtp_reader_end(&r));
    return read_lists(state, members, seen);
}

xmtp_status xmtp_association_decode(xmtp_association **out, const xmtp_alloc *alloc,
                                    xmtp_bytes record)
{
    XMTP_TRY(xmtp_association_new(out, alloc));
    xmtp_status status = read_record(*out, record);
    if (status == XMTP_OK) {
        xmtp_association_sort(*out);
        return XMTP_OK;
    }
    xmtp_association_free(*out);
    *out = NULL;
    return status == XMTP_E_NOMEM || status == XMTP_E_LIMIT ? status : XMTP_E_CORRUPT;
}
