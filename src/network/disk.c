/* disk.c - a VFS of SQLite between a database and its file.
 *
 * What is not synced yet is remembered as what it replaced, newest first, so that a power cut can take
 * it back:
 *
 *     undo -> { offset, old bytes, size before } -> { ... } -> last sync
 *
 * A transaction becomes visible with the write of a frame header of the log that carries a database
 * size (sqlite.org/fileformat2.html, section 4.1: "for all other records, zero"). Frames come here many
 * at a time (store/log_writes.c).
 */
#include "network/disk.h"

#include "base/status.h"

#include <pthread.h>
#include <sqlcipher/sqlite3.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOG_HEADER_LEN = 32,
    LOG_PAGE_LEN_AT = 8,
    FRAME_HEADER_LEN = 24,
    DATABASE_SIZE_AT = 4,
    PAGE_LEN_MAX = 65536,
    PIECE_LEN = 512
};

typedef struct undo {
    struct undo *next;
    sqlite3_int64 size; /* of the file, before */
    sqlite3_int64 offset;
    int n; /* bytes that were there and changed */
    unsigned char old[];
} undo;

typedef struct disk_file {
    sqlite3_file base; /* first: SQLite knows this */
    xmtp_disk *disk;
    undo *undo;
    bool is_log;
    int page_len;       /* in this log; 0: not known yet */
    sqlite3_file *file; /* the system's, behind this struct */
    struct disk_file *next;
} disk_file;

static struct {
    pthread_mutex_t lock;
    xmtp_disk *disks;
    disk_file *files; /* open ones of disks */
    sqlite3_vfs vfs;
    sqlite3_vfs *system;
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The disk of a file; names of logs are the database's and "-wal" or "-journal". */
static xmtp_disk *disk_of(const char *name)
{
    xmtp_disk *found = NULL;
    if (name == NULL) {
        return NULL;
    }
    (void)pthread_mutex_lock(&all.lock);
    for (xmtp_disk *d = all.disks; d != NULL && found == NULL; d = d->next) {
        size_t n = strlen(d->path);
        bool is_its = strncmp(name, d->path, n) == 0 && (name[n] == '\0' || name[n] == '-');
        found = is_its ? d : NULL;
    }
    (void)pthread_mutex_unlock(&all.lock);
    return found;
}

/* ---- death */

static void forget_undo(disk_file *f)
{
    while (f->undo != NULL) {
        undo *next = f->undo->next;
        free(f->undo);
        f->undo = next;
    }
}

static void take_back(disk_file *f)
{
    for (const undo *u = f->undo; u != NULL; u = u->next) {
        if (u->n > 0) {
            (void)f->file->pMethods->xWrite(f->file, u->old, u->n, u->offset);
        }
        (void)f->file->pMethods->xTruncate(f->file, u->size);
    }
    forget_undo(f);
}

static void cut_power(const xmtp_disk *disk)
{
    (void)pthread_mutex_lock(&all.lock);
    for (disk_file *f = all.files; f != NULL; f = f->next) {
        if (f->disk == disk) {
            take_back(f);
        }
    }
    (void)pthread_mutex_unlock(&all.lock);
}

static void die(xmtp_disk *disk)
{
    disk->whole_pieces = disk->death_in - 1;
    disk->death_in = 0;
    disk->is_dead = true;
    disk->deaths++;
    if (disk->how == XMTP_NETWORK_POWER_CUT) {
        cut_power(disk);
    }
}

/* False: the process is dead, and the caller fails. */
static bool lives(xmtp_disk *disk, uint64_t pieces, bool is_commit)
{
    if (disk->is_dead) {
        return false;
    }
    disk->writes++;
    disk->pieces += pieces;
    disk->commits += is_commit;
    uint64_t points = disk->how == XMTP_NETWORK_AT_TORN_WRITE ? pieces
                      : disk->how == XMTP_NETWORK_AT_COMMIT   ? is_commit
                                                              : 1;
    if (disk->death_in == 0 || disk->death_in > points) {
        disk->death_in -= disk->death_in == 0 ? 0 : points;
        return true;
    }
    die(disk);
    return false;
}

/* ---- files */

static disk_file *ours(sqlite3_file *file)
{
    return (disk_file *)(void *)file;
}

/* What a change of n bytes at offset replaces, for a power cut; no memory is a failed write. */
static bool remember(disk_file *f, sqlite3_int64 offset, sqlite3_int64 end)
{
    sqlite3_int64 size = 0;
    if (f->file->pMethods->xFileSize(f->file, &size) != SQLITE_OK) {
        return false;
    }
    sqlite3_int64 until = end < size ? end : size;
    int n = until > offset ? (int)(until - offset) : 0;
    undo *u = malloc(sizeof *u + (size_t)n);
    if (u == NULL) {
        return false;
    }
    *u = (undo){.next = f->undo, .size = size, .offset = n > 0 ? offset : 0, .n = n};
    if (n > 0 && f->file->pMethods->xRead(f->file, u->old, n, offset) != SQLITE_OK) {
        free(u);
        return false;
    }
    f->undo = u;
    return true;
}

static bool may_lose_power(const xmtp_disk *disk)
{
    return disk->how == XMTP_NETWORK_POWER_CUT && disk->death_in != 0;
}

static int file_close(sqlite3_file *file)
{
    disk_file *f = ours(file);
    (void)pthread_mutex_lock(&all.lock);
    disk_file **link = &all.files;
    while (*link != f) {
        link = &(*link)->next;
    }
    *link = f->next;
    (void)pthread_mutex_unlock(&all.lock);
    forget_undo(f);
    return f->file->pMethods->xClose(f->file);
}

static int file_read(sqlite3_file *file, void *out, int n, sqlite3_int64 offset)
{
    disk_file *f = ours(file);
    return f->disk->is_dead ? SQLITE_IOERR_READ : f->file->pMethods->xRead(f->file, out, n, offset);
}

static int big_endian(const unsigned char p[4])
{
    return (int)((unsigned)p[0] << 24 | (unsigned)p[1] << 16 | (unsigned)p[2] << 8 | p[3]);
}

/* Of a log that has frames: its header is written before them. */
static int page_len(disk_file *f)
{
    unsigned char header[LOG_HEADER_LEN];
    if (f->page_len == 0 &&
        f->file->pMethods->xRead(f->file, header, LOG_HEADER_LEN, 0) == SQLITE_OK) {
        int len = big_endian(header + LOG_PAGE_LEN_AT);
        f->page_len = len > 0 && len <= PAGE_LEN_MAX ? len : 0;
    }
    return f->page_len;
}

/* Whether one of the frames that begin in this write is a commit. */
static bool has_commit(disk_file *f, const unsigned char *p, int n, sqlite3_int64 offset)
{
    if (!f->is_log || offset < LOG_HEADER_LEN || page_len(f) == 0) {
        return false;
    }
    int frame_len = FRAME_HEADER_LEN + page_len(f);
    int into = (int)((offset - LOG_HEADER_LEN) % frame_len);
    for (int at = into == 0 ? 0 : frame_len - into; at <= n - FRAME_HEADER_LEN; at += frame_len) {
        if (big_endian(p + at + DATABASE_SIZE_AT) != 0) {
            return true;
        }
    }
    return false;
}

/* Of a write in which somebody dies: the pieces before, and half of the one that it is. */
static int torn_len(const xmtp_disk *disk, int n)
{
    int whole = (int)disk->whole_pieces * PIECE_LEN;
    int rest = n - whole;
    return whole + (rest < PIECE_LEN ? rest : PIECE_LEN) / 2;
}

static int file_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 offset)
{
    disk_file *f = ours(file);
    bool was_alive = !f->disk->is_dead;
    uint64_t pieces = ((uint64_t)n + PIECE_LEN - 1) / PIECE_LEN;
    if (!lives(f->disk, pieces, was_alive && has_commit(f, p, n, offset))) {
        if (was_alive && f->disk->how == XMTP_NETWORK_AT_TORN_WRITE) {
            (void)f->file->pMethods->xWrite(f->file, p, torn_len(f->disk, n), offset);
        }
        return SQLITE_IOERR_WRITE;
    }
    if (may_lose_power(f->disk) && !remember(f, offset, offset + n)) {
        return SQLITE_IOERR_WRITE;
    }
    return f->file->pMethods->xWrite(f->file, p, n, offset);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    disk_file *f = ours(file);
    if (!lives(f->disk, 1, false)) {
        return SQLITE_IOERR_TRUNCATE;
    }
    if (may_lose_power(f->disk) && !remember(f, size, INT32_MAX)) {
        return SQLITE_IOERR_TRUNCATE;
    }
    return f->file->pMethods->xTruncate(f->file, size);
}

/* Nothing is synced for real: files here outlive the process, and that is all that is asked of them. */
static int file_sync(sqlite3_file *file, int flags)
{
    disk_file *f = ours(file);
    (void)flags;
    if (!lives(f->disk, 1, false)) {
        return SQLITE_IOERR_FSYNC;
    }
    forget_undo(f);
    return SQLITE_OK;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *out)
{
    disk_file *f = ours(file);
    return f->disk->is_dead ? SQLITE_IOERR_FSTAT : f->file->pMethods->xFileSize(f->file, out);
}

static int file_lock(sqlite3_file *file, int level)
{
    disk_file *f = ours(file);
    return f->disk->is_dead ? SQLITE_IOERR_LOCK : f->file->pMethods->xLock(f->file, level);
}

static int file_unlock(sqlite3_file *file, int level)
{
    disk_file *f = ours(file);
    return f->file->pMethods->xUnlock(f->file, level);
}

static int file_check_lock(sqlite3_file *file, int *out)
{
    disk_file *f = ours(file);
    return f->file->pMethods->xCheckReservedLock(f->file, out);
}

static int file_control(sqlite3_file *file, int what, void *argument)
{
    disk_file *f = ours(file);
    return f->file->pMethods->xFileControl(f->file, what, argument);
}

static int file_sector_len(sqlite3_file *file)
{
    disk_file *f = ours(file);
    return f->file->pMethods->xSectorSize(f->file);
}

static int file_characteristics(sqlite3_file *file)
{
    disk_file *f = ours(file);
    return f->file->pMethods->xDeviceCharacteristics(f->file);
}

/* Version 1: no shared memory, which a database locked for good does not need, and no mapping. */
static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_lock,
    .xFileControl = file_control,
    .xSectorSize = file_sector_len,
    .xDeviceCharacteristics = file_characteristics,
};

/* ---- the VFS */

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    xmtp_disk *disk = disk_of(name);
    (void)vfs;
    if (disk == NULL) {
        return all.system->xOpen(all.system, name, file, flags, out);
    }
    disk_file *f = ours(file);
    *f = (disk_file){.disk = disk, .is_log = (flags & SQLITE_OPEN_WAL) != 0};
    f->file = (sqlite3_file *)(void *)(f + 1);
    int code =
        disk->is_dead ? SQLITE_CANTOPEN : all.system->xOpen(all.system, name, f->file, flags, out);
    if (code != SQLITE_OK) {
        return code; /* base.pMethods is NULL: nothing to close */
    }
    f->base.pMethods = &methods;
    (void)pthread_mutex_lock(&all.lock);
    f->next = all.files;
    all.files = f;
    (void)pthread_mutex_unlock(&all.lock);
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int should_sync)
{
    xmtp_disk *disk = disk_of(name);
    (void)vfs;
    if (disk != NULL && !lives(disk, 1, false)) {
        return SQLITE_IOERR_DELETE;
    }
    return all.system->xDelete(all.system, name, disk == NULL ? should_sync : 0);
}

static xmtp_status install(void)
{
    all.system = sqlite3_vfs_find(NULL);
    if (all.system == NULL) {
        return XMTP_E_INTERNAL;
    }
    all.vfs = *all.system;
    all.vfs.zName = "xmtp-network";
    all.vfs.pNext = NULL;
    all.vfs.szOsFile = all.system->szOsFile + (int)sizeof(disk_file);
    all.vfs.xOpen = vfs_open;
    all.vfs.xDelete = vfs_delete;
    return sqlite3_vfs_register(&all.vfs, 1) == SQLITE_OK ? XMTP_OK : XMTP_E_INTERNAL;
}

xmtp_status xmtp_disk_add(xmtp_disk *disk, const char *path)
{
    xmtp_status status = XMTP_OK;
    *disk = (xmtp_disk){.path = path};
    (void)pthread_mutex_lock(&all.lock);
    if (all.disks == NULL) {
        status = install();
    }
    if (status == XMTP_OK) {
        disk->next = all.disks;
        all.disks = disk;
    }
    (void)pthread_mutex_unlock(&all.lock);
    return status;
}

void xmtp_disk_remove(xmtp_disk *disk)
{
    (void)pthread_mutex_lock(&all.lock);
    xmtp_disk **link = &all.disks;
    while (*link != NULL && *link != disk) {
        link = &(*link)->next;
    }
    if (*link == disk) {
        *link = disk->next;
        if (all.disks == NULL) {
            (void)sqlite3_vfs_register(all.system, 1);
            (void)sqlite3_vfs_unregister(&all.vfs);
        }
    }
    (void)pthread_mutex_unlock(&all.lock);
}
