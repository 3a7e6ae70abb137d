/* service.c - finding the method, decoding, ending; and pages of rows. */
#include "node/service.h"

#include "base/bytes.h"
#include "base/status.h"
#include "node/wire.h"
#include "proto/field.h"
#include "proto/message.h"
#include "proto/mls_api.pb-c.h"
#include "rpc/grpc_frame.h"

#include <string.h>

enum {
    ARENA_LEN_MIN = 4 * 1024 * 1024, /* what a small request may still need for its answer */
    ARENA_FACTOR = 8,                /* decoded structs per byte of the request */
};

void xmtp_node_call_init(xmtp_node_call *call, xmtp_node_services *services)
{
    const xmtp_alloc *alloc = &services->env->alloc;
    *call = (xmtp_node_call){.services = services};
    xmtp_arena_init(&call->arena, alloc, ARENA_LEN_MIN);
    xmtp_writer_init(&call->scratch, alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&call->reply, alloc, XMTP_WRITER_MAX);
}

void xmtp_node_call_free(xmtp_node_call *call)
{
    xmtp_arena_reset(&call->arena);
    xmtp_writer_free(&call->scratch);
    xmtp_writer_free(&call->reply);
}

static xmtp_node_method find_in(const xmtp_node_method_entry *table, const char *path)
{
    for (; table->path != NULL; table++) {
        if (strcmp(table->path, path) == 0) {
            return table->run;
        }
    }
    return NULL;
}

static xmtp_node_method find(const char *path)
{
    static const xmtp_node_method_entry *const tables[] = {
        xmtp_node_mls_methods,         xmtp_node_welcome_methods,   xmtp_node_commit_log_methods,
        xmtp_node_key_package_methods, xmtp_node_identity_methods,  xmtp_node_health_methods,
        xmtp_node_message_api_methods, xmtp_node_validation_methods};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        xmtp_node_method method = find_in(tables[i], path);
        if (method != NULL) {
            return method;
        }
    }
    return NULL;
}

/* Storage trouble is INTERNAL. A full disk is UNAVAILABLE: nothing is wrong with the request, and it
 * works again when an operator has made room. */
static int grpc_status_of(xmtp_status status)
{
    switch ((int)status) {
    case XMTP_E_DISK_FULL:
        return XMTP_GRPC_UNAVAILABLE;
    case XMTP_E_NOMEM:
    case XMTP_E_CORRUPT:
        return XMTP_GRPC_INTERNAL;
    default:
        return xmtp_grpc_status_out(status);
    }
}

void xmtp_node_call_end(xmtp_node_call *call, xmtp_status status)
{
    call->grpc_status = grpc_status_of(status);
    call->error = status == XMTP_OK ? (xmtp_error){0} : call->error;
    if (status != XMTP_OK) {
        xmtp_writer_clear(&call->reply);
        (void)xmtp_fail_default(&call->error, status, "the node failed");
    }
    call->done(call);
}

static void forget(xmtp_node_call *call)
{
    xmtp_arena_reset(&call->arena);
    xmtp_writer_clear(&call->scratch);
    xmtp_writer_clear(&call->reply);
    call->job = (xmtp_node_job){.len = 0};
    call->replies_with_topic = false;
    call->has_read_back = false;
}

bool xmtp_node_call_run(xmtp_node_call *call, const char *path, xmtp_bytes request)
{
    bool is_put_off = false; /* not in the call: after XMTP_E_RETRY it may be gone */
    xmtp_node_method method = find(path);
    if (method == NULL) {
        (void)xmtp_fail(&call->error, XMTP_E_UNSUPPORTED, "unknown method %.120s", path);
        xmtp_node_call_end(call, XMTP_E_UNSUPPORTED);
        return true;
    }
    call->arena.used_max = ARENA_LEN_MIN + ARENA_FACTOR * request.n;
    call->is_put_off = &is_put_off;
    xmtp_status status = method(call, request);
    if (is_put_off) {
        forget(call);
        return false;
    }
    if (status != XMTP_E_RETRY) {
        status = status == XMTP_OK ? xmtp_writer_status(&call->reply) : status;
        xmtp_node_call_end(call, status);
    }
    return true;
}

/* ---- for the methods */

xmtp_status xmtp_node_call_block(xmtp_node_call *call)
{
    if (call->may_block) {
        return XMTP_OK;
    }
    *call->is_put_off = true;
    return XMTP_E_RETRY;
}

xmtp_status xmtp_node_call_decode(xmtp_node_call *call, const ProtobufCMessageDescriptor *type,
                                  xmtp_bytes request, void **out)
{
    if (xmtp_proto_decode(type, &call->arena, request, out) != XMTP_OK) {
        return xmtp_fail(&call->error, XMTP_E_ARGUMENT, "the request is no valid %s",
                         type->short_name);
    }
    return XMTP_OK;
}

xmtp_status xmtp_node_call_count(xmtp_node_call *call, size_t n, size_t min, size_t max,
                                 const char *what)
{
    if (n < min || n > max) {
        return xmtp_fail(&call->error, XMTP_E_ARGUMENT, "%zu %s, but %zu to %zu are allowed", n,
                         what, min, max);
    }
    return XMTP_OK;
}

xmtp_status xmtp_node_call_topic(xmtp_node_call *call, xmtp_bytes topic, const char *what)
{
    if (topic.n == 0) {
        return xmtp_fail(&call->error, XMTP_E_ARGUMENT, "missing %s", what);
    }
    if (topic.n > XMTP_NODE_TOPIC_LEN_MAX) {
        return xmtp_fail(&call->error, XMTP_E_ARGUMENT, "%s of %zu bytes, at most %d are allowed",
                         what, topic.n, XMTP_NODE_TOPIC_LEN_MAX);
    }
    return XMTP_OK;
}

xmtp_status xmtp_node_call_entries(xmtp_node_call *call, size_t count)
{
    void *p;
    XMTP_TRY(xmtp_arena_take_array(&call->arena, count, sizeof(xmtp_node_entry), &p));
    call->job.batch = (xmtp_node_batch){.entries = p, .count = count};
    return XMTP_OK;
}

xmtp_status xmtp_node_call_body(xmtp_node_call *call, xmtp_node_entry *entry)
{
    XMTP_TRY(xmtp_writer_status(&call->scratch));
    XMTP_TRY(xmtp_arena_copy(&call->arena, xmtp_writer_bytes(&call->scratch), &entry->body));
    xmtp_writer_clear(&call->scratch);
    call->job.len += entry->body.n + XMTP_NODE_RECORD_HEADER_LEN + XMTP_NODE_TOPIC_LEN_MAX;
    return XMTP_OK;
}

static void stored(xmtp_node_job *job, xmtp_status status, const xmtp_error *error)
{
    xmtp_node_call *call =
        (xmtp_node_call *)((uint8_t *)job - offsetof(xmtp_node_call, job)); /* its container */
    if (error != NULL) {
        call->error = *error;
    }
    if (status == XMTP_OK && call->replies_with_topic) {
        xmtp_field_put_message(&call->reply, 1, job->batch.entries[0].topic);
        status = xmtp_writer_status(&call->reply);
    }
    xmtp_node_call_end(call, status);
}

static xmtp_status submit(xmtp_node_call *call, bool may_wait)
{
    xmtp_node_sequencer *sequencer = call->services->sequencer;
    xmtp_status status = may_wait ? xmtp_node_sequencer_submit_here(sequencer, &call->job)
                                  : xmtp_node_sequencer_submit(sequencer, &call->job);
    if (status == XMTP_E_LIMIT) {
        return xmtp_fail(&call->error, XMTP_E_RPC_UNAVAILABLE, "too much is waiting to be stored");
    }
    return status == XMTP_OK ? XMTP_E_RETRY : status;
}

xmtp_status xmtp_node_call_store(xmtp_node_call *call)
{
    call->job.done = stored;
    if (call->keep != NULL) {
        call->keep(call);
        return XMTP_E_RETRY;
    }
    return submit(call, call->may_block);
}

void xmtp_node_call_store_now(xmtp_node_call *call, bool may_wait)
{
    xmtp_status status = submit(call, may_wait);
    if (status != XMTP_E_RETRY) { /* after that it may be gone */
        xmtp_node_call_end(call, status);
    }
}

/* ---- pages */

void xmtp_node_query_paging(xmtp_node_query *query, const Pb__PagingInfo *paging)
{
    uint32_t limit = paging != NULL ? paging->limit : 0;
    query->is_ascending =
        paging != NULL && paging->direction == PB__SORT_DIRECTION__SORT_DIRECTION_ASCENDING;
    query->cursor = paging != NULL ? paging->id_cursor : 0;
    query->limit = limit == 0 || limit > XMTP_NODE_ROWS_MAX ? XMTP_NODE_ROWS_MAX : limit;
}

static void write_paging(const xmtp_node_query *query, uint64_t cursor, uint32_t field,
                         xmtp_writer *scratch, xmtp_writer *out)
{
    xmtp_writer_clear(scratch);
    xmtp_field_put_u64(scratch, 1, query->is_ascending ? 1 : 2);
    xmtp_field_put_u64(scratch, 2, query->limit);
    xmtp_field_put_u64(scratch, 3, cursor);
    xmtp_field_put_message(out, field, xmtp_writer_bytes(scratch));
    xmtp_writer_clear(scratch);
}

/* One row, through an arena of its own so that a page never holds its rows twice. */
static xmtp_status write_row(xmtp_node_call *call, const xmtp_node_place *place, uint32_t field,
                             xmtp_writer *out)
{
    xmtp_arena arena;
    xmtp_node_record record;
    xmtp_arena_init(&arena, &call->services->env->alloc, XMTP_NODE_RECORD_LEN_MAX + 64);
    xmtp_status status =
        xmtp_node_archive_read(call->services->archive, place, &arena, &record, &call->error);
    if (status == XMTP_OK) {
        xmtp_field_put_message(out, field, record.payload);
    }
    xmtp_arena_reset(&arena);
    return status == XMTP_E_NOT_FOUND ? XMTP_OK : status; /* dropped since the page was read */
}

/* A record is longer than its row. */
static void reserve_rows(const xmtp_node_call *call, const xmtp_node_place *places, size_t count,
                         xmtp_writer *out)
{
    size_t n = 0;
    for (size_t i = 0; i < count && n + places[i].len <= call->services->limits.reply_len; i++) {
        n += places[i].len;
    }
    xmtp_writer_reserve(out, n);
}

static size_t rows_max(const xmtp_node_call *call, const xmtp_node_query *query)
{
    size_t limit = (size_t)call->services->limits.rows;
    return query->limit < limit ? query->limit : limit;
}

xmtp_status xmtp_node_query_run(xmtp_node_call *call, const xmtp_node_query *asked,
                                uint32_t row_field, uint32_t paging_field, xmtp_writer *out)
{
    xmtp_node_place places[XMTP_NODE_ROWS_MAX];
    xmtp_node_query limited = *asked;
    const xmtp_node_query *query = &limited;
    limited.limit = rows_max(call, asked);
    xmtp_node_page page = {
        .is_ascending = query->is_ascending, .cursor = query->cursor, .limit = query->limit};
    size_t count;
    size_t used = 0;
    if (xmtp_node_archive_waits(call->services->archive, query->kind, query->topic, &page)) {
        XMTP_TRY(xmtp_node_call_block(call));
    }
    XMTP_TRY(xmtp_node_archive_page(call->services->archive, query->kind, query->topic, &page,
                                    places, &count));
    reserve_rows(call, places, count, out);
    /* Whole rows as long as they fit, at least one: a longer answer could never be decoded by the
     * client, and one without rows would never let it get on. */
    while (used < count &&
           (used == 0 || out->n + places[used].len <= call->services->limits.reply_len)) {
        XMTP_TRY(write_row(call, &places[used], row_field, out));
        used++;
    }
    bool is_full = used == query->limit || used < count;
    write_paging(query, is_full && used > 0 ? places[used - 1].id : 0, paging_field, &call->scratch,
                 out);
    return xmtp_writer_status(out);
}

/* ---- reading back */

static bool has_read_back(const xmtp_node_call *call)
{
    return call->has_read_back && call->grpc_status == XMTP_GRPC_OK;
}

/* When nothing lay between the cursor and what was stored, that is the page, as it is at the moment
 * of storing: the usual case, and the one in which a sender waits for each of its messages. */
static bool is_page_at_hand(const xmtp_node_call *call)
{
    const xmtp_node_query *query = &call->read_back;
    const xmtp_node_batch *batch = &call->job.batch;
    const xmtp_node_entry *first = &batch->entries[0];
    size_t len = 0;
    bool is_at_hand = query->is_ascending && query->cursor >= first->before_id &&
                      query->cursor < first->place.id && batch->count < rows_max(call, query);
    for (size_t i = 0; i < batch->count && is_at_hand; i++) {
        const xmtp_node_entry *entry = &batch->entries[i];
        len += entry->place.len;
        is_at_hand = !entry->is_duplicate && xmtp_bytes_equal(entry->topic, query->topic);
    }
    return is_at_hand && len <= call->services->limits.reply_len;
}

bool xmtp_node_call_will_read(const xmtp_node_call *call)
{
    return has_read_back(call) && !is_page_at_hand(call);
}

/* As xmtp_node_query_run would. */
static xmtp_status write_page_at_hand(xmtp_node_call *call, xmtp_writer *out)
{
    xmtp_node_query query = call->read_back;
    query.limit = rows_max(call, &query);
    for (size_t i = 0; i < call->job.batch.count; i++) {
        const xmtp_node_entry *entry = &call->job.batch.entries[i];
        xmtp_writer_clear(&call->scratch);
        xmtp_node_wire_payload(&call->scratch, entry->kind, entry->flags, entry->place.id,
                               entry->place.time_ns, entry->body);
        xmtp_field_put_message(out, 1, xmtp_writer_bytes(&call->scratch));
    }
    XMTP_TRY(xmtp_writer_status(&call->scratch));
    write_paging(&query, 0, 2, &call->scratch, out);
    return xmtp_writer_status(out);
}

static xmtp_status write_read_back(xmtp_node_call *call, xmtp_writer *out)
{
    if (is_page_at_hand(call)) {
        return write_page_at_hand(call, out);
    }
    call->may_block = true;
    return xmtp_node_query_run(call, &call->read_back, 1, 2, out);
}

/* The messages are stored whatever happens here: when they cannot be read back now, the sender will
 * ask again. */
void xmtp_node_call_complete(xmtp_node_call *call)
{
    enum { FIELD_READ_BACK = 15001 };
    if (!has_read_back(call)) {
        return;
    }
    xmtp_writer page;
    xmtp_writer_init(&page, call->scratch.alloc, XMTP_WRITER_MAX);
    if (write_read_back(call, &page) == XMTP_OK) {
        xmtp_field_put_message(&call->reply, FIELD_READ_BACK, xmtp_writer_bytes(&page));
    }
    if (xmtp_writer_status(&page) != XMTP_OK || xmtp_writer_status(&call->reply) != XMTP_OK) {
        xmtp_writer_clear(&call->reply);
    }
    xmtp_writer_free(&page);
    call->has_read_back = false;
}
