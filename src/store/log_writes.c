/* log_writes.c - see log_writes.h.
 *
 *     log:  | header 32 | 24 | page | 24 | page | 24 | page | ...      (sqlite.org/fileformat2.html, 4.1)
 *                         `- bytes 4 to 7: size of the database after a commit, else zero
 *
 * What is gathered: a frame's header that is written where the frame before has ended, and the page that
 * belongs to it. All else is written at once, what was gathered first: the log's header, a page written
 * anew in its place (a transaction larger than the cache), headers whose checksums are computed again
 * (after that, in its commit). So the last write of every commit goes out before it returns: either it
 * is the page of a commit frame, or it is not gathered at all. SQLite makes no call after it that could
 * be waited for.
 *
 * Writes are delayed, and their order stays. None is left out, except that of a failed one all that was
 * gathered is dropped: SQLite then takes the whole transaction back, in the middle of it (where it has
 * only the rollback left) as well as in its commit, and its next frame is written where the first of
 * these was. What a call other than a write could not get rid of stays: SQLite may go on after that.
 *
 * Gathered bytes are those of the file, pages encrypted.
 */
#include "store/log_writes.h"

#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LOG_HEADER_LEN = 32,
    FRAME_HEADER_LEN = 24,
    DATABASE_SIZE_AT = 4,
    PAGE_LEN_MIN = 512,
    GATHERED_MAX = 64 * 1024, /* the largest page, too */
    UNSYNCED_MAX = 1024 * 1024,
    NOWHERE = -1,
};

typedef struct log_file {
    sqlite3_file base;       /* first: SQLite knows this */
    sqlite3_file *below;     /* behind this struct */
    unsigned char *gathered; /* GATHERED_MAX bytes, or NULL */
    int n;                   /* gathered, and not yet below */
    sqlite3_int64 start;     /* where they belong */
    sqlite3_int64 frame_at;  /* end of the frame written last; or NOWHERE */
    sqlite3_int64 page_at;   /* end of a header written last; or NOWHERE */
    bool is_commit;          /* that header's frame commits */
    const char *name;        /* of the file, SQLite's */
    int unsynced; /* bytes written since the last sync, or since the disk was asked to begin */
} log_file;

static log_file *ours(sqlite3_file *file)
{
    return (log_file *)(void *)file;
}

/* Most commits wait for no disk, so what they wrote would wait in memory for the one that does: an own
 * commit behind 1,000 messages waited 10 ms instead of 1. The disk is asked to begin, and not waited for. */
static void begin_writeback(const log_file *f)
{
#ifdef __linux__
    int fd = open(f->name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd >= 0) {
        (void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
        (void)close(fd); /* SQLite locks the database's file, never this one */
    }
#else
    (void)f;
#endif
}

static int write_below(log_file *f, const void *p, int n, sqlite3_int64 offset)
{
    int code = f->below->pMethods->xWrite(f->below, p, n, offset);
    f->unsynced += n;
    if (code == SQLITE_OK && f->unsynced >= UNSYNCED_MAX) {
        begin_writeback(f);
        f->unsynced = 0;
    }
    return code;
}

static int write_out(log_file *f)
{
    if (f->n == 0) {
        return SQLITE_OK;
    }
    int code = write_below(f, f->gathered, f->n, f->start);
    f->n = code == SQLITE_OK ? 0 : f->n;
    return code;
}

/* A part of a page is none: SQLite splits writes where the sectors of some disks end. */
static bool is_page(const log_file *f, int n, sqlite3_int64 offset)
{
    return offset == f->page_at && n >= PAGE_LEN_MIN && n <= GATHERED_MAX && (n & (n - 1)) == 0;
}

static bool commits(const unsigned char header[FRAME_HEADER_LEN])
{
    static const unsigned char no_size[4];
    return memcmp(header + DATABASE_SIZE_AT, no_size, sizeof(no_size)) != 0;
}

/* What may come next. */
static void follow(log_file *f, const void *p, int n, sqlite3_int64 offset)
{
    bool ends_frame = is_page(f, n, offset) || (offset == 0 && n == LOG_HEADER_LEN);
    bool is_header = n == FRAME_HEADER_LEN;
    f->frame_at = ends_frame ? offset + n : NOWHERE;
    f->page_at = is_header ? offset + n : NOWHERE;
    f->is_commit = is_header && commits(p);
}

static bool may_gather(log_file *f, int n, sqlite3_int64 offset)
{
    if (n != FRAME_HEADER_LEN || offset != f->frame_at) {
        return is_page(f, n, offset) && f->n > 0;
    }
    if (f->gathered == NULL) {
        f->gathered = malloc(GATHERED_MAX);
    }
    return f->gathered != NULL;
}

static int gather(log_file *f, const void *p, int n, sqlite3_int64 offset)
{
    int code = f->n + n > GATHERED_MAX ? write_out(f) : SQLITE_OK;
    if (code != SQLITE_OK) {
        return code;
    }
    f->start = f->n == 0 ? offset : f->start;
    assert(f->start + f->n == offset);
    memcpy(f->gathered + f->n, p, (size_t)n);
    f->n += n;
    return is_page(f, n, offset) && f->is_commit ? write_out(f) : SQLITE_OK;
}

static int write_through(log_file *f, const void *p, int n, sqlite3_int64 offset)
{
    int code = write_out(f);
    return code == SQLITE_OK ? write_below(f, p, n, offset) : code;
}

static int log_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 offset)
{
    log_file *f = ours(file);
    int code = may_gather(f, n, offset) ? gather(f, p, n, offset) : write_through(f, p, n, offset);
    if (code == SQLITE_OK) {
        follow(f, p, n, offset);
        return SQLITE_OK;
    }
    f->n = 0;
    f->frame_at = NOWHERE;
    f->page_at = NOWHERE;
    return code;
}

/* What is gathered here when a log is closed belongs to no commit: whether it arrives is all the same. */
static int log_close(sqlite3_file *file)
{
    log_file *f = ours(file);
    (void)write_out(f);
    free(f->gathered);
    return f->below->pMethods->xClose(f->below);
}

static int log_read(sqlite3_file *file, void *out, int n, sqlite3_int64 offset)
{
    log_file *f = ours(file);
    bool overlaps = offset < f->start + f->n && f->start < offset + n;
    int code = overlaps ? write_out(f) : SQLITE_OK;
    return code == SQLITE_OK ? f->below->pMethods->xRead(f->below, out, n, offset) : code;
}

static int log_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    log_file *f = ours(file);
    int code = write_out(f);
    return code == SQLITE_OK ? f->below->pMethods->xTruncate(f->below, size) : code;
}

static int log_sync(sqlite3_file *file, int flags)
{
    log_file *f = ours(file);
    int code = write_out(f);
    f->unsynced = 0;
    return code == SQLITE_OK ? f->below->pMethods->xSync(f->below, flags) : code;
}

static int log_size(sqlite3_file *file, sqlite3_int64 *out)
{
    log_file *f = ours(file);
    int code = write_out(f);
    return code == SQLITE_OK ? f->below->pMethods->xFileSize(f->below, out) : code;
}

static int log_lock(sqlite3_file *file, int level)
{
    log_file *f = ours(file);
    return f->below->pMethods->xLock(f->below, level);
}

static int log_unlock(sqlite3_file *file, int level)
{
    log_file *f = ours(file);
    return f->below->pMethods->xUnlock(f->below, level);
}

static int log_check_lock(sqlite3_file *file, int *out)
{
    log_file *f = ours(file);
    return f->below->pMethods->xCheckReservedLock(f->below, out);
}

static int log_control(sqlite3_file *file, int what, void *argument)
{
    log_file *f = ours(file);
    return f->below->pMethods->xFileControl(f->below, what, argument);
}

static int log_sector_len(sqlite3_file *file)
{
    log_file *f = ours(file);
    return f->below->pMethods->xSectorSize(f->below);
}

static int log_characteristics(sqlite3_file *file)
{
    log_file *f = ours(file);
    return f->below->pMethods->xDeviceCharacteristics(f->below);
}

/* Version 1: a log is neither shared memory nor mapped. */
static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = log_close,
    .xRead = log_read,
    .xWrite = log_write,
    .xTruncate = log_truncate,
    .xSync = log_sync,
    .xFileSize = log_size,
    .xLock = log_lock,
    .xUnlock = log_unlock,
    .xCheckReservedLock = log_check_lock,
    .xFileControl = log_control,
    .xSectorSize = log_sector_len,
    .xDeviceCharacteristics = log_characteristics,
};

/* ---- the VFS: one for each that was the default below it, kept for the process's life */

typedef struct log_vfs {
    sqlite3_vfs vfs; /* first: SQLite knows this */
    sqlite3_vfs *below;
    char name[64];
    struct log_vfs *next;
} log_vfs;

static struct {
    pthread_mutex_t lock;
    log_vfs *first;
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

static sqlite3_vfs *below_of(sqlite3_vfs *vfs)
{
    return ((log_vfs *)(void *)vfs)->below;
}

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    sqlite3_vfs *below = below_of(vfs);
    if ((flags & SQLITE_OPEN_WAL) == 0) {
        return below->xOpen(below, name, file, flags, out);
    }
    log_file *f = ours(file);
    *f = (log_file){.frame_at = NOWHERE, .page_at = NOWHERE, .name = name};
    f->below = (sqlite3_file *)(void *)(f + 1);
    f->below->pMethods = NULL;
    int code = below->xOpen(below, name, f->below, flags, out);
    if (code == SQLITE_OK) {
        f->base.pMethods = &methods;
    } else if (f->below->pMethods != NULL) {
        (void)f->below->pMethods->xClose(f->below);
    }
    return code;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int should_sync)
{
    return below_of(vfs)->xDelete(below_of(vfs), name, should_sync);
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    return below_of(vfs)->xAccess(below_of(vfs), name, flags, out);
}

static int vfs_full_name(sqlite3_vfs *vfs, const char *name, int n, char *out)
{
    return below_of(vfs)->xFullPathname(below_of(vfs), name, n, out);
}

static int vfs_random(sqlite3_vfs *vfs, int n, char *out)
{
    return below_of(vfs)->xRandomness(below_of(vfs), n, out);
}

static int vfs_sleep(sqlite3_vfs *vfs, int microseconds)
{
    return below_of(vfs)->xSleep(below_of(vfs), microseconds);
}

static int vfs_time(sqlite3_vfs *vfs, double *out)
{
    return below_of(vfs)->xCurrentTime(below_of(vfs), out);
}

static int vfs_last_error(sqlite3_vfs *vfs, int n, char *out)
{
    return below_of(vfs)->xGetLastError(below_of(vfs), n, out);
}

/* Version 1 has all that a database asks for; extensions are not loaded. */
static void fill(log_vfs *v, sqlite3_vfs *below)
{
    (void)snprintf(v->name, sizeof(v->name), "xmtp-log-%p", (void *)below);
    v->below = below;
    v->vfs = (sqlite3_vfs){
        .iVersion = 1,
        .szOsFile = below->szOsFile + (int)sizeof(log_file),
        .mxPathname = below->mxPathname,
        .zName = v->name,
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_name,
        .xRandomness = vfs_random,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_time,
        .xGetLastError = vfs_last_error,
    };
}

/* Under the lock. */
static const char *name_above(sqlite3_vfs *below)
{
    for (const log_vfs *v = all.first; v != NULL; v = v->next) {
        if (v->below == below) {
            return v->name;
        }
    }
    log_vfs *v = malloc(sizeof(*v));
    if (v == NULL) {
        return NULL;
    }
    fill(v, below);
    if (sqlite3_vfs_register(&v->vfs, 0) != SQLITE_OK) {
        free(v);
        return NULL;
    }
    v->next = all.first;
    all.first = v;
    return v->name;
}

const char *xmtp_log_writes_vfs(void)
{
    sqlite3_vfs *below = sqlite3_vfs_find(NULL);
    if (below == NULL) {
        return NULL;
    }
    (void)pthread_mutex_lock(&all.lock);
    const char *name = name_above(below);
    (void)pthread_mutex_unlock(&all.lock);
    return name;
}

/* NULL: no log is open, or not by us. */
static log_file *log_of(sqlite3 *handle)
{
    sqlite3_file *file = NULL;
    int code = sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file);
    bool is_ours = code == SQLITE_OK && file != NULL && file->pMethods == &methods;
    return is_ours ? ours(file) : NULL;
}

void xmtp_log_writes_begin(sqlite3 *handle)
{
    log_file *f = log_of(handle);
    if (f != NULL && f->unsynced > 0) {
        begin_writeback(f);
        f->unsynced = 0;
    }
}

void xmtp_log_writes_rest(sqlite3 *handle)
{
    log_file *f = log_of(handle);
    if (f != NULL && f->n == 0) {
        free(f->gathered);
        f->gathered = NULL;
    }
}
