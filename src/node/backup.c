/* backup.c - a copy of the log up to its end, and a data folder from such a copy.
 *
 *     DIR/log/NNNNNNNN.seg     as in the data folder
 *     DIR/backup               up to where they are the backup: "xmtp-node-backup 1 SEGMENT OFFSET"
 *
 * The file "backup" is replaced last, so a backup that is interrupted leaves the one before: its
 * segments may be longer, or rewritten with records dropped, and are right up to the old end.
 * The index is not copied; the restored node makes it again.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "node/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_LEN = XMTP_NODE_FOLDER_PATH_MAX + 64, BLOCK_LEN = 4096 };

typedef struct copy {
    const xmtp_env *env;
    const char *dir; /* to */
    uint32_t salt;
    const xmtp_node_progress *progress;
    xmtp_node_backup_report *report;
    uint64_t done_len;
    uint64_t all_len;
    xmtp_error *error;
} copy;

static xmtp_status fail_errno(xmtp_error *error, const char *doing, const char *path)
{
    char reason[96];
    int code = errno;
    return xmtp_fail(error, code == ENOSPC || code == EDQUOT ? XMTP_E_DISK_FULL : XMTP_E_IO,
                     "cannot %s %.100s: %s", doing, path, strerror_r(code, reason, sizeof reason));
}

/* ---- files */

static xmtp_status sync_path(const char *path, xmtp_error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int result = fd < 0 ? -1 : fsync(fd);
    xmtp_status status = result == 0 ? XMTP_OK : fail_errno(error, "sync", path);
    if (fd >= 0) {
        (void)close(fd);
    }
    return status;
}

static xmtp_status make_dir(const char *path, xmtp_error *error)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST ? XMTP_OK : fail_errno(error, "make", path);
}

static bool is_zero(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Blocks of zeroes stay holes. */
static xmtp_status write_blocks(int fd, const uint8_t *p, size_t n, uint64_t offset)
{
    while (n > 0) {
        size_t piece = BLOCK_LEN - (size_t)(offset % BLOCK_LEN);
        piece = piece < n ? piece : n;
        ssize_t written = is_zero(p, piece) ? (ssize_t)piece : pwrite(fd, p, piece, (off_t)offset);
        if (written <= 0) {
            return XMTP_E_IO;
        }
        p += written;
        n -= (size_t)written;
        offset += (uint64_t)written;
    }
    return XMTP_OK;
}

/* Writes bytes from an offset on, which is the end of the file, and syncs. */
static xmtp_status write_file(copy *c, const char *path, const uint8_t *p, size_t n,
                              uint64_t offset)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (offset == 0 ? O_TRUNC : 0), 0600);
    if (fd < 0) {
        return fail_errno(c->error, "write", path);
    }
    xmtp_status status = write_blocks(fd, p, n, offset);
    if (status != XMTP_OK || ftruncate(fd, (off_t)(offset + n)) != 0 || fsync(fd) != 0) {
        status = fail_errno(c->error, "write", path);
    }
    (void)close(fd);
    c->report->copied_len += status == XMTP_OK ? n : 0;
    return status;
}

/* ---- segments */

static xmtp_status verify(copy *c, uint32_t segment, const uint8_t *data, size_t n)
{
    for (size_t at = XMTP_NODE_SEGMENT_HEADER_LEN; at < n;) {
        xmtp_node_record record;
        size_t span;
        if (xmtp_node_record_next(xmtp_bytes_of(data + at, n - at), c->salt, &record, &span) !=
            XMTP_OK) {
            return xmtp_fail(c->error, XMTP_E_CORRUPT,
                             "log segment %08" PRIx32 ".seg is damaged at offset %zu", segment, at);
        }
        at += span;
    }
    return XMTP_OK;
}

/* How many of these bytes the copy has already: all that it is long, when it begins and ends alike.
 * Records are never changed, and a segment that was rewritten has another header. */
static size_t present_len(const char *path, const uint8_t *data, size_t n)
{
    uint8_t head[XMTP_NODE_SEGMENT_HEADER_LEN];
    uint8_t tail[BLOCK_LEN];
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0 ? (size_t)st.st_size : 0;
    len = len < n ? len : n;
    size_t tail_len = len < sizeof tail ? len : sizeof tail;
    bool is_same = len >= sizeof head && pread(fd, head, sizeof head, 0) == (ssize_t)sizeof head &&
                   memcmp(head, data, sizeof head) == 0 &&
                   pread(fd, tail, tail_len, (off_t)(len - tail_len)) == (ssize_t)tail_len &&
                   memcmp(tail, data + len - tail_len, tail_len) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return is_same ? len : 0;
}

static xmtp_status copy_segment(copy *c, uint32_t segment, const uint8_t *data, size_t n)
{
    char path[PATH_LEN];
    char next[PATH_LEN + 8];
    (void)snprintf(path, sizeof path, "%s/log/%08" PRIx32 ".seg", c->dir, segment);
    (void)snprintf(next, sizeof next, "%s.tmp", path);
    XMTP_TRY(verify(c, segment, data, n));
    size_t present = present_len(path, data, n);
    if (present == n) {
        return XMTP_OK;
    }
    if (present > 0) {
        return write_file(c, path, data + present, n - present, present);
    }
    XMTP_TRY(write_file(c, next, data, n, 0));
    return rename(next, path) == 0 ? XMTP_OK : fail_errno(c->error, "rename", next);
}

static xmtp_status copy_all(copy *c, xmtp_node_folder *from)
{
    const xmtp_alloc *alloc = &c->env->alloc;
    uint64_t len;
    char path[PATH_LEN];
    for (uint32_t i = 0; xmtp_node_folder_segment_len(from, i, &len) == XMTP_OK; i++) {
        uint8_t *data;
        size_t n;
        XMTP_TRY(xmtp_node_folder_load(from, i, &data, &n, c->error));
        xmtp_status status = copy_segment(c, i, data, n);
        (void)alloc->reallocate(alloc->context, data, 0);
        XMTP_TRY(status);
        c->report->segments++;
        c->done_len += n;
        if (c->progress != NULL) {
            c->progress->tell(c->progress->context, c->done_len, c->all_len);
        }
    }
    (void)snprintf(path, sizeof path, "%s/log", c->dir);
    return sync_path(path, c->error);
}

/* ---- the file "backup" */

static xmtp_status write_mark(const char *dir, xmtp_node_position end, xmtp_error *error)
{
    char path[PATH_LEN];
    char next[PATH_LEN];
    (void)snprintf(path, sizeof path, "%s/backup", dir);
    (void)snprintf(next, sizeof next, "%s/backup.tmp", dir);
    FILE *file = fopen(next, "we");
    if (file == NULL) {
        return fail_errno(error, "write", next);
    }
    bool is_written = fprintf(file, "xmtp-node-backup 1 %" PRIu32 " %" PRIu32 "\n", end.segment,
                              end.offset) > 0 &&
                      fflush(file) == 0 && fsync(fileno(file)) == 0;
    is_written = fclose(file) == 0 && is_written;
    if (!is_written || rename(next, path) != 0) {
        return fail_errno(error, "write", path);
    }
    return sync_path(dir, error);
}

static xmtp_status read_mark(const char *dir, xmtp_node_position *end, xmtp_error *error)
{
    char path[PATH_LEN];
    char text[128] = {0};
    (void)snprintf(path, sizeof path, "%s/backup", dir);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return xmtp_fail(error, XMTP_E_NOT_FOUND, "%.120s holds no backup of a node", dir);
    }
    size_t n = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    if (n == 0 ||
        sscanf(text, "xmtp-node-backup 1 %" SCNu32 " %" SCNu32, &end->segment, &end->offset) != 2) {
        return xmtp_fail(error, XMTP_E_CORRUPT, "%.120s/backup cannot be read", dir);
    }
    return XMTP_OK;
}

/* ---- backup and restore */

static bool is_empty(const char *path)
{
    DIR *dir = opendir(path);
    bool is_found = false;
    if (dir == NULL) {
        return errno == ENOENT;
    }
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        is_found = is_found || (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0);
    }
    (void)closedir(dir);
    return !is_found;
}

static xmtp_status make_dirs(const char *dir, xmtp_error *error)
{
    char path[PATH_LEN];
    (void)snprintf(path, sizeof path, "%s/log", dir);
    XMTP_TRY(make_dir(dir, error));
    return make_dir(path, error);
}

static xmtp_status check_target(const char *dir, xmtp_error *error)
{
    xmtp_node_position end;
    char path[PATH_LEN];
    (void)snprintf(path, sizeof path, "%s/log", dir);
    if (is_empty(dir) || read_mark(dir, &end, NULL) == XMTP_OK) {
        return XMTP_OK;
    }
    /* A first backup that was interrupted has only a log, and no node's lock. */
    (void)snprintf(path, sizeof path, "%s/lock", dir);
    bool is_begun = access(path, F_OK) != 0;
    (void)snprintf(path, sizeof path, "%s/log", dir);
    is_begun = is_begun && access(path, F_OK) == 0;
    return is_begun ? XMTP_OK
                    : xmtp_fail(error, XMTP_E_ARGUMENT,
                                "%.120s is neither empty nor a backup of a node", dir);
}

xmtp_status xmtp_node_backup(xmtp_node_folder *folder, const char *dir,
                             const xmtp_node_progress *progress, xmtp_node_backup_report *report,
                             xmtp_error *error)
{
    *report = (xmtp_node_backup_report){0};
    copy c = {.env = folder->env,
              .dir = dir,
              .salt = xmtp_node_log_salt(folder->log),
              .progress = progress,
              .report = report,
              .all_len = xmtp_node_folder_len(folder),
              .error = error};
    XMTP_ENSURE(strlen(dir) < XMTP_NODE_FOLDER_PATH_MAX, XMTP_E_ARGUMENT);
    XMTP_TRY(check_target(dir, error));
    XMTP_TRY(make_dirs(dir, error));
    XMTP_TRY(copy_all(&c, folder));
    return write_mark(dir, folder->end, error);
}

/* A backup looked at like a folder: its log up to its mark. */
static xmtp_status open_backup(xmtp_node_folder *f, const xmtp_env *env, const char *dir,
                               xmtp_error *error)
{
    char path[PATH_LEN];
    xmtp_node_log_options options = {.env = env, .dir = path};
    *f = (xmtp_node_folder){.env = env, .lock_fd = -1};
    (void)snprintf(path, sizeof path, "%s/log", dir);
    XMTP_TRY(read_mark(dir, &f->end, error));
    XMTP_TRY(xmtp_node_log_open_to_read(&f->log, &options, error));
    uint64_t size;
    if (f->end.offset > 0 &&
        (xmtp_node_log_segment_size(f->log, f->end.segment, &size) != XMTP_OK ||
         size < f->end.offset)) {
        return xmtp_fail(error, XMTP_E_CORRUPT,
                         "log segment %08" PRIx32 ".seg of the backup is missing or too short",
                         f->end.segment);
    }
    return XMTP_OK;
}

static xmtp_status restore_from(xmtp_node_folder *from, const char *data_dir,
                                const xmtp_node_progress *progress, xmtp_node_backup_report *report,
                                xmtp_error *error)
{
    char path[PATH_LEN];
    copy c = {.env = from->env,
              .dir = data_dir,
              .salt = xmtp_node_log_salt(from->log),
              .progress = progress,
              .report = report,
              .all_len = xmtp_node_folder_len(from),
              .error = error};
    if (!is_empty(data_dir)) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "%.120s is not empty", data_dir);
    }
    XMTP_TRY(make_dirs(data_dir, error));
    XMTP_TRY(copy_all(&c, from));
    (void)snprintf(path, sizeof path, "%s/lock", data_dir);
    XMTP_TRY(write_file(&c, path, NULL, 0, 0)); /* a node's folder from now on */
    return sync_path(data_dir, error);
}

xmtp_status xmtp_node_restore(const xmtp_env *env, const char *dir, const char *data_dir,
                              const xmtp_node_progress *progress, xmtp_node_backup_report *report,
                              xmtp_error *error)
{
    xmtp_node_folder from;
    *report = (xmtp_node_backup_report){0};
    XMTP_ENSURE(strlen(dir) < XMTP_NODE_FOLDER_PATH_MAX, XMTP_E_ARGUMENT);
    XMTP_ENSURE(strlen(data_dir) < XMTP_NODE_FOLDER_PATH_MAX, XMTP_E_ARGUMENT);
    xmtp_status status = open_backup(&from, env, dir, error);
    if (status == XMTP_OK) {
        status = restore_from(&from, data_dir, progress, report, error);
    }
    xmtp_node_folder_close(&from);
    return status;
}
