/* folder.c - opening a folder from outside, and finding its end. */
#include "node/folder.h"

#include "base/bytes.h"
#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static xmtp_status take_lock(xmtp_node_folder *f, xmtp_error *error)
{
    char path[XMTP_NODE_FOLDER_PATH_MAX + 16];
    (void)snprintf(path, sizeof path, "%s/lock", f->dir);
    f->lock_fd = open(path, O_RDWR | O_CLOEXEC);
    if (f->lock_fd < 0) {
        char reason[96];
        return xmtp_fail(error, errno == ENOENT ? XMTP_E_NOT_FOUND : XMTP_E_IO,
                         "there is no node's data in %.120s: %s", f->dir,
                         strerror_r(errno, reason, sizeof reason));
    }
    if (flock(f->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        (void)close(f->lock_fd);
        f->lock_fd = -1; /* a node runs */
    }
    return XMTP_OK;
}

/* The end of the last whole batch of the last segment. */
static xmtp_status find_end(xmtp_node_folder *f, xmtp_error *error)
{
    uint8_t *data = NULL;
    size_t n = 0;
    uint32_t count = xmtp_node_log_segment_count(f->log);
    f->end = (xmtp_node_position){.segment = 0, .offset = 0};
    if (count == 0) {
        return XMTP_OK;
    }
    f->end = (xmtp_node_position){.segment = count - 1, .offset = UINT32_MAX};
    XMTP_TRY(xmtp_node_folder_load(f, count - 1, &data, &n, error));
    size_t end = XMTP_NODE_SEGMENT_HEADER_LEN;
    xmtp_node_record record;
    size_t span;
    for (size_t at = end;
         at < n && xmtp_node_record_next(xmtp_bytes_of(data + at, n - at),
                                         xmtp_node_log_salt(f->log), &record, &span) == XMTP_OK;) {
        at += span;
        end = (record.flags & XMTP_NODE_LAST_OF_BATCH) != 0 ? at : end;
    }
    f->end.offset = (uint32_t)end;
    f->torn_len = end < n ? xmtp_node_log_torn_len(xmtp_bytes_of(data + end, n - end)) : 0;
    (void)f->env->alloc.reallocate(f->env->alloc.context, data, 0);
    return XMTP_OK;
}

/* What the index has seen was stored whole: when the log ends before that, it is damaged there. */
static xmtp_status find_end_of_stopped(xmtp_node_folder *f, xmtp_error *error)
{
    XMTP_TRY(find_end(f, error));
    if (f->index != NULL &&
        (f->indexed.segment > f->end.segment ||
         (f->indexed.segment == f->end.segment && f->indexed.offset > f->end.offset))) {
        f->end = f->indexed;
        f->torn_len = 0;
    }
    return XMTP_OK;
}

static xmtp_status open_index(xmtp_node_folder *f, xmtp_error *error)
{
    char path[XMTP_NODE_FOLDER_PATH_MAX + 16];
    xmtp_node_index_state state = {0};
    (void)snprintf(path, sizeof path, "%s/index", f->dir);
    xmtp_status status = xmtp_node_index_open_to_read(&f->index, f->env, path, error);
    if (status == XMTP_E_NOT_FOUND && f->lock_fd >= 0) {
        return XMTP_OK;
    }
    XMTP_TRY(status);
    XMTP_TRY(xmtp_node_index_state_get(f->index, &state));
    f->end = state.position;
    f->indexed = state.position;
    return XMTP_OK;
}

/* The index first: what it calls the end is in the files that are opened afterwards. */
static xmtp_status open_parts(xmtp_node_folder *f, xmtp_error *error)
{
    char path[XMTP_NODE_FOLDER_PATH_MAX + 16];
    (void)snprintf(path, sizeof path, "%s/log", f->dir);
    xmtp_node_log_options options = {.env = f->env, .dir = path};
    XMTP_TRY(take_lock(f, error));
    XMTP_TRY(open_index(f, error));
    XMTP_TRY(xmtp_node_log_open_to_read(&f->log, &options, error));
    XMTP_TRY(f->lock_fd >= 0 ? find_end_of_stopped(f, error) : XMTP_OK);
    if (f->end.offset > 0 && f->end.segment >= xmtp_node_log_segment_count(f->log)) {
        return xmtp_fail(error, XMTP_E_CORRUPT, "log segment %08" PRIx32 ".seg is missing",
                         f->end.segment);
    }
    return XMTP_OK;
}

xmtp_status xmtp_node_folder_open(xmtp_node_folder *f, const xmtp_env *env, const char *dir,
                                  xmtp_error *error)
{
    *f = (xmtp_node_folder){.env = env, .lock_fd = -1};
    XMTP_ENSURE(strlen(dir) < sizeof f->dir, XMTP_E_ARGUMENT);
    memcpy(f->dir, dir, strlen(dir) + 1);
    return open_parts(f, error);
}

void xmtp_node_folder_close(xmtp_node_folder *f)
{
    xmtp_node_log_close(f->log);
    xmtp_node_index_close(f->index);
    if (f->lock_fd >= 0) {
        (void)close(f->lock_fd);
    }
    *f = (xmtp_node_folder){.lock_fd = -1};
}

xmtp_status xmtp_node_folder_segment_len(xmtp_node_folder *f, uint32_t segment, uint64_t *len)
{
    *len = 0;
    if (segment > f->end.segment || f->end.offset == 0) {
        return XMTP_E_NOT_FOUND;
    }
    XMTP_TRY(xmtp_node_log_segment_size(f->log, segment, len));
    *len = segment == f->end.segment && *len > f->end.offset ? f->end.offset : *len;
    return XMTP_OK;
}

uint64_t xmtp_node_folder_len(xmtp_node_folder *f)
{
    uint64_t all = 0;
    uint64_t len;
    for (uint32_t i = 0; xmtp_node_folder_segment_len(f, i, &len) == XMTP_OK; i++) {
        all += len;
    }
    return all;
}

xmtp_status xmtp_node_folder_load(xmtp_node_folder *f, uint32_t segment, uint8_t **out, size_t *n,
                                  xmtp_error *error)
{
    const xmtp_alloc *alloc = &f->env->alloc;
    uint64_t len;
    *out = NULL;
    XMTP_TRY(xmtp_node_folder_segment_len(f, segment, &len));
    uint8_t *p = alloc->reallocate(alloc->context, NULL, (size_t)len + 1);
    XMTP_ENSURE(p != NULL, XMTP_E_NOMEM);
    if (xmtp_node_log_segment_read(f->log, segment, 0, p, (size_t)len) != XMTP_OK) {
        (void)alloc->reallocate(alloc->context, p, 0);
        return xmtp_fail(error, XMTP_E_IO, "cannot read log segment %08" PRIx32 ".seg", segment);
    }
    *out = p;
    *n = (size_t)len;
    return XMTP_OK;
}
