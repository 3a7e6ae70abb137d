/* check.c - reading everything that a node has stored and saying what is wrong with it; and how much
 * there is.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "identity/association.h"
#include "node/folder.h"
#include "node/wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

typedef struct check {
    xmtp_node_folder *folder;
    void *context;
    void (*problem)(void *context, const char *line);
    const xmtp_node_progress *progress;
    xmtp_node_check_report *report;
    uint64_t done_len;
    uint64_t all_len;
    uint64_t last_id[XMTP_NODE_KIND_COUNT];
    uint64_t last_time_ns;
    uint64_t in_index;
} check;

static void tell(check *c, const char *line)
{
    c->report->problems++;
    c->problem(c->context, line);
}

static void tell_at(check *c, uint32_t segment, size_t offset, const char *what)
{
    char line[200];
    (void)snprintf(line, sizeof line, "segment %08" PRIx32 ", offset %zu: %s", segment, offset,
                   what);
    tell(c, line);
}

static void tell_progress(const xmtp_node_progress *progress, uint64_t done, uint64_t all)
{
    if (progress != NULL) {
        progress->tell(progress->context, done, all);
    }
}

/* ---- records */

static void check_gap(check *c, const xmtp_node_record *gap)
{
    uint64_t last_id[XMTP_NODE_KIND_COUNT];
    uint32_t hole_len;
    if (xmtp_node_gap_decode(gap, &hole_len, last_id) == XMTP_OK) {
        for (int i = 1; i < XMTP_NODE_KIND_COUNT; i++) {
            c->last_id[i] = last_id[i] > 0 ? last_id[i] : c->last_id[i];
        }
    }
}

static void check_order(check *c, const xmtp_node_record *record, uint32_t segment, size_t at)
{
    char what[120];
    uint64_t expected = c->last_id[record->kind] + 1;
    if (record->id != expected) {
        (void)snprintf(what, sizeof what, "id %" PRIu64 " of kind %d, but %" PRIu64 " is next",
                       record->id, (int)record->kind, expected);
        tell_at(c, segment, at, what);
    }
    if (record->time_ns <= c->last_time_ns) {
        tell_at(c, segment, at, "its time is not after that of the record before it");
    }
    c->last_id[record->kind] = record->id;
    c->last_time_ns = record->time_ns;
}

static bool is_before(xmtp_node_position a, xmtp_node_position b)
{
    return a.segment < b.segment || (a.segment == b.segment && a.offset < b.offset);
}

static void check_index(check *c, const xmtp_node_record *record, xmtp_node_position at, size_t len)
{
    if (c->folder->index == NULL) {
        return;
    }
    xmtp_status status = xmtp_node_index_check(c->folder->index, record, at, (uint32_t)len);
    c->in_index += status == XMTP_OK ? 1 : 0;
    if (status == XMTP_E_NOT_FOUND) {
        /* A running node may be about to drop it; one that was killed between log and index tells the
         * index at its next start. */
        if (c->folder->lock_fd >= 0 && is_before(at, c->folder->indexed)) {
            tell_at(c, at.segment, at.offset, "the index does not know it");
        }
    } else if (status != XMTP_OK) {
        tell_at(c, at.segment, at.offset, "the index says something else of it");
    }
}

static void check_record(check *c, const xmtp_node_record *record, uint32_t segment, size_t at,
                         size_t len)
{
    if (record->kind == XMTP_NODE_GAP) {
        check_gap(c, record);
        return;
    }
    c->report->records++;
    check_order(c, record, segment, at);
    check_index(c, record, (xmtp_node_position){.segment = segment, .offset = (uint32_t)at}, len);
}

static void check_data(check *c, uint32_t segment, const uint8_t *data, size_t n)
{
    bool is_in_batch = false;
    for (size_t at = XMTP_NODE_SEGMENT_HEADER_LEN; at < n;) {
        xmtp_node_record record;
        size_t span;
        if (xmtp_node_record_next(xmtp_bytes_of(data + at, n - at),
                                  xmtp_node_log_salt(c->folder->log), &record, &span) != XMTP_OK) {
            tell_at(c, segment, at, "no whole record; the rest of the segment cannot be checked");
            return;
        }
        check_record(c, &record, segment, at, span);
        is_in_batch = (record.flags & XMTP_NODE_LAST_OF_BATCH) == 0;
        at += span;
    }
    if (is_in_batch) {
        tell_at(c, segment, n, "the last batch is not complete");
    }
}

static xmtp_status check_segments(check *c, xmtp_error *error)
{
    const xmtp_alloc *alloc = &c->folder->env->alloc;
    uint64_t len;
    for (uint32_t i = 0; xmtp_node_folder_segment_len(c->folder, i, &len) == XMTP_OK; i++) {
        uint8_t *data;
        size_t n;
        XMTP_TRY(xmtp_node_folder_load(c->folder, i, &data, &n, error));
        check_data(c, i, data, n);
        if (i == c->folder->end.segment && n < c->folder->end.offset) {
            tell_at(c, i, n, "the file ends here, but more was stored");
        }
        (void)alloc->reallocate(alloc->context, data, 0);
        c->done_len += n;
        tell_progress(c->progress, c->done_len, c->all_len);
    }
    return XMTP_OK;
}

/* What the index has more than the log. */
static xmtp_status check_count(check *c)
{
    char line[160];
    uint64_t count;
    if (c->folder->index == NULL || c->folder->lock_fd < 0) {
        return XMTP_OK; /* a running node may drop records meanwhile */
    }
    XMTP_TRY(xmtp_node_index_count(c->folder->index, c->folder->end, &count));
    if (count != c->in_index) {
        (void)snprintf(line, sizeof line,
                       "the index has %" PRIu64 " records, %" PRIu64 " of them are in the log",
                       count, c->in_index);
        tell(c, line);
    }
    return XMTP_OK;
}

/* ---- identity logs */

typedef struct inbox_list {
    const xmtp_alloc *alloc;
    uint8_t *ids;
    size_t count;
    size_t capacity;
} inbox_list;

static xmtp_status add_inbox(void *context, xmtp_node_kind kind, xmtp_bytes topic,
                             const xmtp_node_place *newest)
{
    inbox_list *list = context;
    (void)newest;
    if (kind != XMTP_NODE_IDENTITY_UPDATE || topic.n != XMTP_NODE_INBOX_ID_LEN) {
        return XMTP_OK;
    }
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 64 : 2 * list->capacity;
        uint8_t *ids = list->alloc->reallocate(list->alloc->context, list->ids,
                                               capacity * XMTP_NODE_INBOX_ID_LEN);
        XMTP_ENSURE(ids != NULL, XMTP_E_NOMEM);
        list->ids = ids;
        list->capacity = capacity;
    }
    memcpy(list->ids + list->count++ * XMTP_NODE_INBOX_ID_LEN, topic.p, topic.n);
    return XMTP_OK;
}

static xmtp_status apply_record(check *c, const xmtp_node_place *place, xmtp_association *state)
{
    xmtp_arena arena;
    xmtp_node_record record;
    xmtp_bytes update;
    xmtp_arena_init(&arena, &c->folder->env->alloc, (size_t)place->len + 64);
    xmtp_status status =
        xmtp_node_log_read(c->folder->log, place->position, place->len, &arena, &record, NULL);
    status = status == XMTP_OK ? xmtp_node_wire_update(record.payload, &update) : status;
    if (status == XMTP_OK) {
        status = xmtp_association_apply(state, update, NULL, XMTP_ASSOCIATION_ACCEPTED, NULL);
    }
    xmtp_arena_reset(&arena);
    return status;
}

static xmtp_status replay(check *c, const uint8_t *inbox_id)
{
    xmtp_node_place places[XMTP_NODE_PAGE_COUNT_MAX];
    size_t count;
    xmtp_association *state;
    xmtp_node_page page = {.is_ascending = true, .limit = XMTP_NODE_PAGE_COUNT_MAX};
    XMTP_TRY(xmtp_node_index_page(c->folder->index, XMTP_NODE_IDENTITY_UPDATE,
                                  xmtp_bytes_of(inbox_id, XMTP_NODE_INBOX_ID_LEN), &page, places,
                                  &count));
    XMTP_TRY(xmtp_association_new(&state, &c->folder->env->alloc));
    xmtp_status status = XMTP_OK;
    for (size_t i = 0; i < count && status == XMTP_OK; i++) {
        if (is_before(places[i].position, c->folder->end)) {
            status = apply_record(c, &places[i], state);
        }
    }
    xmtp_association_free(state);
    return status;
}

static xmtp_status check_inboxes(check *c)
{
    inbox_list list = {.alloc = &c->folder->env->alloc};
    if (c->folder->index == NULL) {
        return XMTP_OK;
    }
    xmtp_status status = xmtp_node_index_each_topic(c->folder->index, add_inbox, &list);
    for (size_t i = 0; i < list.count && status == XMTP_OK; i++) {
        const uint8_t *id = list.ids + i * XMTP_NODE_INBOX_ID_LEN;
        c->report->inboxes++;
        if (replay(c, id) != XMTP_OK) {
            char line[160] = "the identity log of this inbox leads to no state: ";
            size_t n = strlen(line);
            xmtp_hex_encode(line + n, xmtp_bytes_of(id, XMTP_NODE_INBOX_ID_LEN));
            line[n + 2 * XMTP_NODE_INBOX_ID_LEN] = '\0';
            tell(c, line);
        }
    }
    (void)list.alloc->reallocate(list.alloc->context, list.ids, 0);
    return status;
}

xmtp_status xmtp_node_folder_check(xmtp_node_folder *folder, void *context,
                                   void (*problem)(void *context, const char *line),
                                   const xmtp_node_progress *progress,
                                   xmtp_node_check_report *report, xmtp_error *error)
{
    *report = (xmtp_node_check_report){.has_index = folder->index != NULL};
    check c = {.folder = folder,
               .context = context,
               .problem = problem,
               .progress = progress,
               .report = report,
               .all_len = xmtp_node_folder_len(folder)};
    XMTP_TRY(check_segments(&c, error));
    XMTP_TRY(check_count(&c));
    XMTP_TRY(check_inboxes(&c));
    return report->problems == 0
               ? XMTP_OK
               : xmtp_fail(error, XMTP_E_CORRUPT, "%" PRIu64 " problems", report->problems);
}

/* ---- how much there is */

static void count_record(xmtp_node_stats *stats, const xmtp_node_record *record, size_t len)
{
    stats->count[record->kind]++;
    stats->len[record->kind] += len;
    stats->last_id[record->kind] = record->id;
    stats->commits += (record->flags & XMTP_NODE_IS_COMMIT) != 0 ? 1 : 0;
    stats->oldest_ns = stats->oldest_ns == 0 ? record->time_ns : stats->oldest_ns;
    stats->newest_ns = record->time_ns;
}

static void count_data(xmtp_node_folder *folder, const uint8_t *data, size_t n,
                       xmtp_node_stats *stats)
{
    for (size_t at = XMTP_NODE_SEGMENT_HEADER_LEN; at < n;) {
        xmtp_node_record record;
        size_t span;
        if (xmtp_node_record_next(xmtp_bytes_of(data + at, n - at), xmtp_node_log_salt(folder->log),
                                  &record, &span) != XMTP_OK) {
            return; /* the check tells */
        }
        if (record.kind != XMTP_NODE_GAP) {
            count_record(stats, &record, span);
        }
        at += span;
    }
}

static uint64_t disk_len_of(const xmtp_node_folder *folder, uint32_t segment)
{
    char path[XMTP_NODE_FOLDER_PATH_MAX + 32];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/log/%08" PRIx32 ".seg", folder->dir, segment);
    return stat(path, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

xmtp_status xmtp_node_folder_stats(xmtp_node_folder *folder, const xmtp_node_progress *progress,
                                   xmtp_node_stats *stats, xmtp_error *error)
{
    const xmtp_alloc *alloc = &folder->env->alloc;
    uint64_t all = xmtp_node_folder_len(folder);
    uint64_t len;
    *stats = (xmtp_node_stats){0};
    for (uint32_t i = 0; xmtp_node_folder_segment_len(folder, i, &len) == XMTP_OK; i++) {
        uint8_t *data;
        size_t n;
        XMTP_TRY(xmtp_node_folder_load(folder, i, &data, &n, error));
        count_data(folder, data, n, stats);
        (void)alloc->reallocate(alloc->context, data, 0);
        stats->segments++;
        stats->file_len += n;
        stats->disk_len += disk_len_of(folder, i);
        tell_progress(progress, stats->file_len, all);
    }
    return XMTP_OK;
}
