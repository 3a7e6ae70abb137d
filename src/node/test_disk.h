/* test_disk.h - a disk for tests that knows what was synced, fails on demand, and can crash.
 *
 *     file:    durable bytes | what was written since, in order, in pieces of 64 bytes
 *     folder:  durable names | names made, renamed, removed since
 *
 * While it runs everything is readable, as from the page cache. test_disk_crash keeps what was
 * synced and of the rest what the seed says: some pieces of some writes, a prefix of the changes of
 * names. A sync that fails drops what it should have written: the cache still shows it, no later
 * sync writes it, only writing it again does.
 */
#ifndef XMTP_NODE_TEST_DISK_H
#define XMTP_NODE_TEST_DISK_H

#include "node/disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TEST_DISK_FILES = 512,
    TEST_DISK_NAME_LEN = 64,
    TEST_DISK_PIECE_LEN = 64,
    TEST_DISK_CHANGES = 64
};

typedef struct test_disk_write {
    struct test_disk_write *next;
    bool is_truncate; /* offset is the new length */
    uint64_t offset;
    size_t n;
    uint8_t bytes[];
} test_disk_write;

typedef struct test_disk_bytes {
    uint8_t *p;
    uint64_t n;
} test_disk_bytes;

typedef struct test_disk_inode {
    test_disk_bytes seen;    /* by who reads */
    test_disk_bytes durable; /* by who comes after a crash */
    test_disk_write *first;  /* the way from durable to seen, unless a sync failed */
    test_disk_write **last;
} test_disk_inode;

typedef struct test_disk_name {
    char text[TEST_DISK_NAME_LEN]; /* "": free */
    int inode;
} test_disk_name;

typedef struct test_disk_change {
    char name[TEST_DISK_NAME_LEN];
    int inode;                        /* -1: the name is removed */
    char removed[TEST_DISK_NAME_LEN]; /* by a rename, at once */
} test_disk_change;

typedef struct test_disk {
    xmtp_node_disk disk; /* for the log */
    uint64_t state;      /* of the random numbers */

    /* Faults: 1 of so many operations, 0 none. */
    unsigned fail_sync;
    unsigned fail_write; /* ENOSPC after some of the bytes */
    unsigned short_write;
    uint64_t crash_at; /* all operations fail from this one on; 0: none */
    uint64_t operations;
    uint64_t faults;   /* injected so far */
    uint64_t capacity; /* of all files together; 0: no limit */

    test_disk_inode inodes[TEST_DISK_FILES];
    int inode_count;
    int files[TEST_DISK_FILES]; /* file -> inode, -1: closed */
    int file_count;
    test_disk_name seen[TEST_DISK_FILES];
    test_disk_name durable[TEST_DISK_FILES];
    test_disk_change changes[TEST_DISK_CHANGES]; /* since the last sync_dir */
    int change_count;
} test_disk;

static inline uint64_t test_disk_random(test_disk *d, uint64_t below)
{
    d->state ^= d->state << 13; /* xorshift64 */
    d->state ^= d->state >> 7;
    d->state ^= d->state << 17;
    return (d->state >> 11) % below;
}

static inline bool test_disk_one_of(test_disk *d, unsigned n)
{
    bool is_hit = n > 0 && test_disk_random(d, n) == 0;
    d->faults += is_hit ? 1 : 0;
    return is_hit;
}

/* Counts an operation. true: the machine is dead. */
static inline bool test_disk_is_dead(test_disk *d)
{
    d->operations++;
    errno = EIO;
    return d->crash_at > 0 && d->operations >= d->crash_at;
}

static inline void test_disk_resize(test_disk_bytes *b, uint64_t n)
{
    b->p = realloc(b->p, n + 1);
    if (b->p == NULL) {
        abort();
    }
    if (n > b->n) {
        memset(b->p + b->n, 0, n - b->n);
    }
    b->n = n;
}

static inline void test_disk_put(test_disk_bytes *b, const uint8_t *p, size_t n, uint64_t offset)
{
    if (n > 0) {
        test_disk_resize(b, b->n < offset + n ? offset + n : b->n);
        memcpy(b->p + offset, p, n);
    }
}

static inline void test_disk_copy(test_disk_bytes *to, const test_disk_bytes *from)
{
    test_disk_resize(to, from->n);
    if (from->n > 0) {
        memcpy(to->p, from->p, from->n);
    }
}

static inline void test_disk_forget(test_disk_inode *inode)
{
    for (test_disk_write *w = inode->first; w != NULL;) {
        test_disk_write *next = w->next;
        free(w);
        w = next;
    }
    inode->first = NULL;
    inode->last = &inode->first;
}

static inline void test_disk_note(test_disk_inode *inode, const void *p, size_t n, uint64_t offset)
{
    test_disk_write *w = malloc(sizeof *w + n);
    *w = (test_disk_write){.is_truncate = p == NULL, .offset = offset, .n = n};
    if (n > 0) {
        memcpy(w->bytes, p, n);
    }
    *inode->last = w;
    inode->last = &w->next;
}

static inline test_disk_inode *test_disk_of(test_disk *d, int file)
{
    if (file < 0 || file >= d->file_count || d->files[file] < 0) {
        abort(); /* used after it was closed */
    }
    return &d->inodes[d->files[file]];
}

/* ---- names */

static inline test_disk_name *test_disk_find(test_disk_name *names, const char *text)
{
    for (int i = 0; i < TEST_DISK_FILES; i++) {
        if (strcmp(names[i].text, text) == 0) {
            return &names[i];
        }
    }
    return NULL;
}

static inline void test_disk_apply(test_disk_name *names, const test_disk_change *change)
{
    test_disk_name *removed =
        change->removed[0] == '\0' ? NULL : test_disk_find(names, change->removed);
    if (removed != NULL) {
        removed->text[0] = '\0';
    }
    test_disk_name *name = test_disk_find(names, change->name);
    if (change->inode < 0) {
        if (name != NULL) {
            name->text[0] = '\0';
        }
        return;
    }
    name = name == NULL ? test_disk_find(names, "") : name;
    if (name == NULL) {
        abort();
    }
    (void)snprintf(name->text, sizeof name->text, "%s", change->name);
    name->inode = change->inode;
}

static inline void test_disk_change_name(test_disk *d, const char *name, int inode,
                                         const char *removed)
{
    test_disk_change *change = &d->changes[d->change_count++];
    if (d->change_count > TEST_DISK_CHANGES) {
        abort(); /* the log forgets to sync its folder */
    }
    *change = (test_disk_change){.inode = inode};
    (void)snprintf(change->name, sizeof change->name, "%s", name);
    (void)snprintf(change->removed, sizeof change->removed, "%s", removed);
    test_disk_apply(d->seen, change);
}

/* ---- the operations */

static inline int test_disk_open(void *context, const char *path, bool is_new)
{
    test_disk *d = context;
    if (test_disk_is_dead(d)) {
        return -1;
    }
    test_disk_name *name = test_disk_find(d->seen, path);
    if (name == NULL && !is_new) {
        errno = ENOENT;
        return -1;
    }
    int inode = name == NULL ? d->inode_count : name->inode;
    if (name == NULL) {
        if (++d->inode_count == TEST_DISK_FILES) {
            abort();
        }
        d->inodes[inode].last = &d->inodes[inode].first;
        test_disk_change_name(d, path, inode, "");
    } else if (is_new) {
        test_disk_resize(&d->inodes[inode].seen, 0);
        test_disk_note(&d->inodes[inode], NULL, 0, 0);
    }
    int file = 0;
    while (file < d->file_count && d->files[file] >= 0) {
        file++;
    }
    d->file_count = file == d->file_count ? file + 1 : d->file_count;
    if (d->file_count == TEST_DISK_FILES) {
        abort(); /* files are not closed */
    }
    d->files[file] = inode;
    return file;
}

static inline int test_disk_close(void *context, int file)
{
    test_disk *d = context;
    (void)test_disk_of(d, file);
    d->files[file] = -1;
    return 0;
}

static inline ssize_t test_disk_pread(void *context, int file, void *out, size_t n, uint64_t offset)
{
    test_disk *d = context;
    const test_disk_inode *inode = test_disk_of(d, file);
    uint64_t left = offset < inode->seen.n ? inode->seen.n - offset : 0;
    n = n < left ? n : (size_t)left;
    if (n > 0) {
        memcpy(out, inode->seen.p + offset, n);
    }
    return (ssize_t)n;
}

static inline uint64_t test_disk_used(const test_disk *d)
{
    uint64_t used = 0;
    for (int i = 0; i < d->inode_count; i++) {
        used += d->inodes[i].seen.n;
    }
    return used;
}

static inline ssize_t test_disk_pwrite(void *context, int file, const void *p, size_t n,
                                       uint64_t offset)
{
    test_disk *d = context;
    test_disk_inode *inode = test_disk_of(d, file);
    if (n > 1 && test_disk_one_of(d, d->short_write)) {
        n = 1 + test_disk_random(d, n - 1);
    }
    uint64_t growth = offset + n > inode->seen.n ? offset + n - inode->seen.n : 0;
    bool is_full = d->capacity > 0 && test_disk_used(d) + growth > d->capacity;
    if (test_disk_is_dead(d)) { /* some of it may have got there */
        n = test_disk_random(d, n + 1);
        test_disk_put(&inode->seen, p, n, offset);
        test_disk_note(inode, p, n, offset);
        errno = EIO;
        return -1;
    }
    if (is_full || test_disk_one_of(d, d->fail_write)) {
        errno = ENOSPC;
        return -1;
    }
    test_disk_put(&inode->seen, p, n, offset);
    test_disk_note(inode, p, n, offset);
    return (ssize_t)n;
}

static inline int test_disk_truncate(void *context, int file, uint64_t len)
{
    test_disk *d = context;
    if (test_disk_is_dead(d)) {
        return -1;
    }
    test_disk_inode *inode = test_disk_of(d, file);
    test_disk_resize(&inode->seen, len);
    test_disk_note(inode, NULL, 0, len);
    return 0;
}

static inline int test_disk_size(void *context, int file, uint64_t *len)
{
    *len = test_disk_of(context, file)->seen.n;
    return 0;
}

static inline int test_disk_reserve(void *context, int file, uint64_t len)
{
    (void)test_disk_of(context, file);
    (void)len;
    return 0; /* a promise that it may break: pwrite fails at random anyway */
}

static inline void test_disk_apply_write(test_disk_bytes *b, const test_disk_write *w)
{
    if (w->is_truncate) {
        test_disk_resize(b, w->offset);
    } else {
        test_disk_put(b, w->bytes, w->n, w->offset);
    }
}

static inline int test_disk_sync(void *context, int file)
{
    test_disk *d = context;
    test_disk_inode *inode = test_disk_of(d, file);
    if (test_disk_is_dead(d)) {
        return -1;
    }
    if (test_disk_one_of(d, d->fail_sync)) {
        test_disk_forget(inode); /* the pages count as clean from now on */
        errno = EIO;
        return -1;
    }
    for (const test_disk_write *w = inode->first; w != NULL; w = w->next) {
        test_disk_apply_write(&inode->durable, w);
    }
    test_disk_forget(inode);
    return 0;
}

static inline int test_disk_sync_dir(void *context, const char *dir)
{
    test_disk *d = context;
    (void)dir;
    if (test_disk_is_dead(d)) {
        return -1;
    }
    if (test_disk_one_of(d, d->fail_sync)) {
        errno = EIO;
        return -1;
    }
    memcpy(d->durable, d->seen, sizeof d->durable);
    d->change_count = 0;
    return 0;
}

static inline int test_disk_rename(void *context, const char *from, const char *to)
{
    test_disk *d = context;
    if (test_disk_is_dead(d)) {
        return -1;
    }
    const test_disk_name *name = test_disk_find(d->seen, from);
    if (name == NULL) {
        errno = ENOENT;
        return -1;
    }
    test_disk_change_name(d, to, name->inode, from);
    return 0;
}

static inline int test_disk_unlink(void *context, const char *path)
{
    test_disk *d = context;
    if (test_disk_is_dead(d)) {
        return -1;
    }
    if (test_disk_find(d->seen, path) == NULL) {
        errno = ENOENT;
        return -1;
    }
    test_disk_change_name(d, path, -1, "");
    return 0;
}

static inline int test_disk_replace(void *context, int file, int by)
{
    test_disk *d = context;
    (void)test_disk_of(d, by);
    d->files[file] = d->files[by];
    d->files[by] = -1;
    return 0;
}

static inline int test_disk_list(void *context, const char *dir, void *visitor,
                                 void (*visit)(void *visitor, const char *name))
{
    test_disk *d = context;
    size_t skip = strlen(dir) + 1;
    if (test_disk_is_dead(d)) {
        return -1;
    }
    for (int i = 0; i < TEST_DISK_FILES; i++) {
        if (d->seen[i].text[0] != '\0') {
            visit(visitor, d->seen[i].text + skip);
        }
    }
    return 0;
}

/* ---- for the tests */

static inline test_disk *test_disk_new(uint64_t seed)
{
    test_disk *d = calloc(1, sizeof *d);
    d->state = seed * 0x9e3779b97f4a7c15U + 1;
    d->disk = (xmtp_node_disk){.context = d,
                               .open = test_disk_open,
                               .close = test_disk_close,
                               .pread = test_disk_pread,
                               .pwrite = test_disk_pwrite,
                               .truncate = test_disk_truncate,
                               .size = test_disk_size,
                               .reserve = test_disk_reserve,
                               .sync = test_disk_sync,
                               .sync_dir = test_disk_sync_dir,
                               .rename = test_disk_rename,
                               .unlink = test_disk_unlink,
                               .replace = test_disk_replace,
                               .list = test_disk_list};
    return d;
}

static inline void test_disk_free(test_disk *d)
{
    for (int i = 0; i < d->inode_count; i++) {
        test_disk_forget(&d->inodes[i]);
        free(d->inodes[i].seen.p);
        free(d->inodes[i].durable.p);
    }
    free(d);
}

/* Some pieces of a write get to the disk. chance: of a piece, in 16. */
static inline void test_disk_tear(test_disk *d, test_disk_inode *inode, const test_disk_write *w,
                                  uint64_t chance)
{
    if (w->is_truncate) {
        if (test_disk_random(d, 16) < chance) {
            test_disk_resize(&inode->durable, w->offset);
        }
        return;
    }
    for (size_t at = 0; at < w->n;) {
        size_t n = TEST_DISK_PIECE_LEN - (size_t)((w->offset + at) % TEST_DISK_PIECE_LEN);
        n = n < w->n - at ? n : w->n - at;
        if (test_disk_random(d, 16) < chance) {
            test_disk_put(&inode->durable, w->bytes + at, n, w->offset + at);
        }
        at += n;
    }
}

/* The process ends, the machine does not: everything written can still be read. */
static inline void test_disk_kill(test_disk *d)
{
    d->file_count = 0;
    d->crash_at = 0;
}

/* The power goes: what was not synced is torn or lost. */
static inline void test_disk_crash(test_disk *d)
{
    static const uint64_t chances[] = {0, 4, 8, 14, 16};
    test_disk_kill(d);
    int kept = (int)test_disk_random(d, (uint64_t)d->change_count + 1);
    for (int i = 0; i < kept; i++) {
        test_disk_apply(d->durable, &d->changes[i]);
    }
    d->change_count = 0;
    memcpy(d->seen, d->durable, sizeof d->seen);
    for (int i = 0; i < d->inode_count; i++) {
        test_disk_inode *inode = &d->inodes[i];
        uint64_t chance = chances[test_disk_random(d, 5)];
        for (const test_disk_write *w = inode->first; w != NULL; w = w->next) {
            test_disk_tear(d, inode, w, chance);
        }
        test_disk_forget(inode);
        test_disk_copy(&inode->seen, &inode->durable);
    }
}

#endif
