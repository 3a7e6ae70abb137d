/* index.c - the LMDB environment: opening, transactions, puts. Reading is in index_read.c.
 *
 * LMDB is safe against a killed process with MDB_NOSYNC, because each commit writes the meta page
 * last and the kernel keeps the pages. A machine that crashes may lose or mix pages, so a file
 * "boot" beside the data tells in which boot it was written ("clean" after an orderly close, when
 * all was synced); an index that is neither is removed.
 */
#include "node/index.h"

#include "base/bytes.h"
#include "base/reader.h"
#include "base/status.h"
#include "node/index_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { READERS_MAX = 1022, BOOT_LEN = 36 };

/* Address space only; the file grows as needed. */
static const size_t map_len_max = (size_t)1 << 38;
static const size_t map_len_min = (size_t)1 << 20;
static const char clean_mark[BOOT_LEN + 1] = "clean-------------------------------";

xmtp_status xmtp_node_index_status(int code)
{
    switch (code) {
    case MDB_SUCCESS:
        return XMTP_OK;
    case MDB_NOTFOUND:
        return XMTP_E_NOT_FOUND;
    case ENOMEM:
        return XMTP_E_NOMEM;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case MDB_MAP_FULL:
        return XMTP_E_DISK_FULL;
    default:
        return XMTP_E_DATABASE;
    }
}

xmtp_status xmtp_node_index_fail(xmtp_error *error, int code, const char *doing)
{
    if (code == MDB_MAP_FULL) {
        return xmtp_fail(error, XMTP_E_DISK_FULL,
                         "%s the index: it has reached its largest size; start the node with a "
                         "larger index-bytes-max",
                         doing);
    }
    return xmtp_fail(error, xmtp_node_index_status(code), "%s the index: %s", doing,
                     mdb_strerror(code));
}

/* ---- which boot wrote it */

static bool read_file(const char *path, char out[BOOT_LEN + 1])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, BOOT_LEN);
    if (fd >= 0) {
        (void)close(fd);
    }
    out[n < 0 ? 0 : n] = '\0';
    return n == BOOT_LEN;
}

static xmtp_status write_boot(const xmtp_node_index *index, const char *text)
{
    char path[XMTP_NODE_INDEX_PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/boot", index->dir);
    /* Over what is there, so that it works on a full disk; half of each would not be trusted. */
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    bool is_written = fd >= 0 && write(fd, text, BOOT_LEN) == BOOT_LEN && fsync(fd) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return is_written ? XMTP_OK : XMTP_E_IO;
}

static bool is_trusted(const xmtp_node_index *index, const char *boot)
{
    char path[XMTP_NODE_INDEX_PATH_MAX];
    char written[BOOT_LEN + 1];
    (void)snprintf(path, sizeof path, "%s/boot", index->dir);
    if (!read_file(path, written)) {
        return false;
    }
    return strcmp(written, clean_mark) == 0 || (boot[0] != '\0' && strcmp(written, boot) == 0);
}

static void remove_data(const xmtp_node_index *index)
{
    static const char *const names[] = {"data.mdb", "lock.mdb", "boot"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[XMTP_NODE_INDEX_PATH_MAX];
        (void)snprintf(path, sizeof path, "%s/%s", index->dir, names[i]);
        (void)unlink(path);
    }
}

/* ---- opening */

static int open_dbi(xmtp_node_index *index)
{
    MDB_txn *txn;
    int code = mdb_txn_begin(index->mdb, NULL, 0, &txn);
    if (code != 0) {
        return code;
    }
    code = mdb_dbi_open(txn, NULL, 0, &index->dbi);
    if (code != 0) {
        mdb_txn_abort(txn);
        return code;
    }
    return mdb_txn_commit(txn);
}

static int try_open_env(xmtp_node_index *index, size_t map_len)
{
    int code = mdb_env_create(&index->mdb);
    if (code == 0) {
        code = mdb_env_set_mapsize(index->mdb, map_len);
    }
    if (code == 0) {
        code = mdb_env_set_maxreaders(index->mdb, READERS_MAX);
    }
    if (code == 0) {
        code = mdb_env_open(index->mdb, index->dir, MDB_NOSYNC | MDB_NOTLS | MDB_NORDAHEAD, 0600);
    }
    if (code == 0) {
        code = open_dbi(index);
    }
    if (code != 0 && index->mdb != NULL) {
        mdb_env_close(index->mdb);
        index->mdb = NULL;
    }
    return code;
}

/* Where address space is limited (ulimit -v), a smaller map does. */
static int open_env(xmtp_node_index *index)
{
    int code = ENOMEM;
    size_t wanted = index->len_max == 0 ? map_len_max : index->len_max;
    for (size_t n = wanted; code == ENOMEM && n >= map_len_min; n /= 4) {
        code = try_open_env(index, n);
    }
    return code;
}

static xmtp_status opened(int code, xmtp_error *error)
{
    return code == 0 ? XMTP_OK : xmtp_node_index_fail(error, code, "cannot open");
}

/* LMDB needs a name for its file; once it is open the name can go. */
static xmtp_status open_in_memory(xmtp_node_index *index, xmtp_error *error)
{
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    (void)snprintf(index->dir, sizeof index->dir, "%s/xmtp-node-XXXXXX", base);
    if (mkdtemp(index->dir) == NULL) {
        return xmtp_fail(error, XMTP_E_IO, "cannot make a folder in %s", base);
    }
    int code = open_env(index);
    remove_data(index);
    (void)rmdir(index->dir);
    return opened(code, error);
}

/* Trusted, and yet no file of LMDB: the disk filled up while its first pages were written. */
static bool is_no_index(int code)
{
    return code == MDB_INVALID || code == MDB_CORRUPTED || code == MDB_VERSION_MISMATCH;
}

static xmtp_status note_boot(const xmtp_node_index *index, const char *boot, xmtp_error *error)
{
    const char *text = boot[0] == '\0' ? "unknown-----------------------------" : boot;
    return write_boot(index, text) == XMTP_OK
               ? XMTP_OK
               : xmtp_fail(error, XMTP_E_IO, "cannot write %s/boot", index->dir);
}

static xmtp_status open_on_disk(xmtp_node_index *index, xmtp_error *error)
{
    char boot[BOOT_LEN + 1];
    (void)read_file("/proc/sys/kernel/random/boot_id", boot);
    if (!is_trusted(index, boot)) {
        remove_data(index);
    }
    XMTP_TRY(note_boot(index, boot, error));
    int code = open_env(index);
    if (is_no_index(code)) {
        remove_data(index);
        XMTP_TRY(note_boot(index, boot, error));
        code = open_env(index);
    }
    return opened(code, error);
}

xmtp_status xmtp_node_index_open(xmtp_node_index **out, const xmtp_env *env, const char *dir,
                                 size_t len_max, xmtp_error *error)
{
    *out = NULL;
    xmtp_node_index *index = env->alloc.reallocate(env->alloc.context, NULL, sizeof *index);
    XMTP_ENSURE(index != NULL, XMTP_E_NOMEM);
    *index = (xmtp_node_index){.env = env, .len_max = len_max, .is_in_memory = dir == NULL};
    xmtp_status status;
    if (dir == NULL) {
        status = open_in_memory(index, error);
    } else if (strlen(dir) > sizeof index->dir - 32) {
        status = xmtp_fail(error, XMTP_E_ARGUMENT, "the path of the data folder is too long");
    } else {
        (void)snprintf(index->dir, sizeof index->dir, "%s", dir);
        status = open_on_disk(index, error);
    }
    if (status != XMTP_OK) {
        index->is_in_memory = true; /* nothing to mark as clean */
        xmtp_node_index_close(index);
        return status;
    }
    *out = index;
    return XMTP_OK;
}

static int open_to_read(xmtp_node_index *index)
{
    MDB_txn *txn;
    int code = mdb_env_create(&index->mdb);
    code = code == 0 ? mdb_env_set_maxreaders(index->mdb, READERS_MAX) : code;
    code = code == 0
               ? mdb_env_open(index->mdb, index->dir, MDB_RDONLY | MDB_NOTLS | MDB_NORDAHEAD, 0600)
               : code;
    code = code == 0 ? mdb_txn_begin(index->mdb, NULL, MDB_RDONLY, &txn) : code;
    if (code == 0) {
        code = mdb_dbi_open(txn, NULL, 0, &index->dbi);
        mdb_txn_abort(txn);
    }
    return code;
}

xmtp_status xmtp_node_index_open_to_read(xmtp_node_index **out, const xmtp_env *env,
                                         const char *dir, xmtp_error *error)
{
    char boot[BOOT_LEN + 1];
    *out = NULL;
    xmtp_node_index *index = env->alloc.reallocate(env->alloc.context, NULL, sizeof *index);
    XMTP_ENSURE(index != NULL, XMTP_E_NOMEM);
    *index = (xmtp_node_index){.env = env, .is_in_memory = true /* not to be marked as clean */};
    (void)snprintf(index->dir, sizeof index->dir, "%.*s", XMTP_NODE_INDEX_DIR_MAX - 32, dir);
    (void)read_file("/proc/sys/kernel/random/boot_id", boot);
    xmtp_status status = is_trusted(index, boot) ? XMTP_OK : XMTP_E_NOT_FOUND;
    int code = status == XMTP_OK ? open_to_read(index) : 0;
    if (code != 0) {
        status = xmtp_node_index_fail(error, code, "cannot open");
    }
    if (status != XMTP_OK) {
        xmtp_node_index_close(index);
        return status;
    }
    *out = index;
    return XMTP_OK;
}

void xmtp_node_index_close(xmtp_node_index *index)
{
    if (index == NULL) {
        return;
    }
    const xmtp_alloc *alloc = &index->env->alloc;
    if (index->mdb != NULL) {
        bool is_synced = !index->is_in_memory && mdb_env_sync(index->mdb, 1) == 0;
        mdb_env_close(index->mdb);
        if (is_synced) {
            (void)write_boot(index, clean_mark); /* if this fails it is made again, no more */
        }
    }
    (void)alloc->reallocate(alloc->context, index, 0);
}

/* ---- state */

enum { STATE_LEN = 8 + 8 * (XMTP_NODE_KIND_COUNT - 1) + 8 + 1 };

static void store(uint8_t *p, uint64_t value, int n)
{
    for (int i = 0; i < n; i++) {
        p[i] = (uint8_t)(value >> (8 * (n - 1 - i)));
    }
}

static void state_encode(const xmtp_node_index_state *state, uint8_t out[STATE_LEN])
{
    store(out, state->position.segment, 4);
    store(out + 4, state->position.offset, 4);
    for (int i = 1; i < XMTP_NODE_KIND_COUNT; i++) {
        store(out + 8 * i, state->last_id[i], 8);
    }
    store(out + STATE_LEN - 9, state->last_time_ns, 8);
    out[STATE_LEN - 1] = state->is_whole ? 1 : 0;
}

static xmtp_status state_decode(xmtp_bytes in, xmtp_node_index_state *state)
{
    xmtp_reader r = xmtp_reader_of(in);
    XMTP_TRY(xmtp_reader_u32(&r, &state->position.segment));
    XMTP_TRY(xmtp_reader_u32(&r, &state->position.offset));
    for (int i = 1; i < XMTP_NODE_KIND_COUNT; i++) {
        XMTP_TRY(xmtp_reader_u64(&r, &state->last_id[i]));
    }
    XMTP_TRY(xmtp_reader_u64(&r, &state->last_time_ns));
    if (r.n == 0) { /* of a version that did not write it */
        return XMTP_OK;
    }
    uint8_t is_whole;
    XMTP_TRY(xmtp_reader_u8(&r, &is_whole));
    state->is_whole = is_whole == 1;
    return xmtp_reader_end(&r);
}

static MDB_val val_of(const void *p, size_t n)
{
    return (MDB_val){.mv_size = n, .mv_data = (void *)(uintptr_t)p};
}

xmtp_status xmtp_node_index_state_get(xmtp_node_index *index, xmtp_node_index_state *out)
{
    MDB_txn *txn;
    MDB_val key = val_of("S", 1);
    MDB_val value;
    *out = (xmtp_node_index_state){0};
    XMTP_TRY(xmtp_node_index_status(mdb_txn_begin(index->mdb, NULL, MDB_RDONLY, &txn)));
    xmtp_status status = xmtp_node_index_status(mdb_get(txn, index->dbi, &key, &value));
    if (status == XMTP_OK) {
        status = state_decode(xmtp_bytes_of(value.mv_data, value.mv_size), out);
    } else if (status == XMTP_E_NOT_FOUND) {
        status = XMTP_OK;
    }
    mdb_txn_abort(txn);
    return status;
}

/* ---- writing */

struct xmtp_node_index_txn {
    xmtp_node_index *index;
    MDB_txn *txn;
};

xmtp_status xmtp_node_index_begin(xmtp_node_index *index, xmtp_node_index_txn **out)
{
    const xmtp_alloc *alloc = &index->env->alloc;
    *out = NULL;
    xmtp_node_index_txn *t = alloc->reallocate(alloc->context, NULL, sizeof *t);
    XMTP_ENSURE(t != NULL, XMTP_E_NOMEM);
    t->index = index;
    xmtp_status status = xmtp_node_index_status(mdb_txn_begin(index->mdb, NULL, 0, &t->txn));
    if (status != XMTP_OK) {
        (void)alloc->reallocate(alloc->context, t, 0);
        return status;
    }
    *out = t;
    return XMTP_OK;
}

static xmtp_status put(xmtp_node_index_txn *t, const xmtp_node_index_key *key, const void *value,
                       size_t n)
{
    MDB_val k = val_of(key->p, key->n);
    MDB_val v = val_of(value, n);
    return xmtp_node_index_status(mdb_put(t->txn, t->index->dbi, &k, &v, 0));
}

static xmtp_status get(xmtp_node_index_txn *t, const xmtp_node_index_key *key, xmtp_bytes *value)
{
    MDB_val k = val_of(key->p, key->n);
    MDB_val v;
    XMTP_TRY(xmtp_node_index_status(mdb_get(t->txn, t->index->dbi, &k, &v)));
    *value = xmtp_bytes_of(v.mv_data, v.mv_size);
    return XMTP_OK;
}

static void hash_key(xmtp_node_index_key *key, xmtp_node_kind kind, const uint8_t *hash)
{
    key->n = 0;
    xmtp_node_index_key_add(key, &(uint8_t){'D'}, 1);
    xmtp_node_index_key_add(key, &(uint8_t){(uint8_t)kind}, 1);
    xmtp_node_index_key_add(key, hash, XMTP_NODE_HASH_LEN);
}

xmtp_status xmtp_node_index_find_hash(xmtp_node_index_txn *t, xmtp_node_kind kind,
                                      const uint8_t hash[XMTP_NODE_HASH_LEN], uint64_t *id)
{
    xmtp_node_index_key key;
    xmtp_bytes value;
    hash_key(&key, kind, hash);
    XMTP_TRY(get(t, &key, &value));
    xmtp_reader r = xmtp_reader_of(value);
    return xmtp_reader_u64(&r, id);
}

static xmtp_status put_hash(xmtp_node_index_txn *t, const xmtp_node_record *record)
{
    xmtp_node_index_key key;
    uint8_t id[8];
    XMTP_ENSURE(record->extra.n == XMTP_NODE_HASH_LEN, XMTP_E_CORRUPT);
    hash_key(&key, record->kind, record->extra.p);
    store(id, record->id, sizeof id);
    return put(t, &key, id, sizeof id);
}

static xmtp_status put_place(xmtp_node_index_txn *t, const xmtp_node_record *record,
                             xmtp_node_position at, uint32_t len)
{
    xmtp_node_index_key key;
    uint8_t value[XMTP_NODE_PLACE_LEN];
    xmtp_node_index_topic_key(&key, record->kind, record->topic, record->id);
    store(value, record->time_ns, 8);
    store(value + 8, at.segment, 4);
    store(value + 12, at.offset, 4);
    store(value + 16, len, 4);
    value[20] = record->flags;
    return put(t, &key, value, sizeof value);
}

/* One address change; see xmtp_node_address_change. */
static xmtp_status put_address(xmtp_node_index_txn *t, const xmtp_node_record *record,
                               const xmtp_node_address_change *change)
{
    xmtp_node_index_key key = {0};
    xmtp_bytes old = {0};
    uint8_t value[16] = {0};
    XMTP_ENSURE(record->topic.n == XMTP_NODE_INBOX_ID_LEN, XMTP_E_CORRUPT);
    XMTP_ENSURE(change->identifier.n <= XMTP_NODE_IDENTIFIER_LEN_MAX, XMTP_E_CORRUPT);
    xmtp_node_index_key_add(&key, &(uint8_t){'A'}, 1);
    xmtp_node_index_key_add(&key, &change->identifier_kind, 1);
    xmtp_node_index_key_add(&key, change->identifier.p, change->identifier.n);
    xmtp_node_index_key_add(&key, record->topic.p, record->topic.n);
    if (!change->is_removed) {
        store(value, record->id, 8);
        return put(t, &key, value, sizeof value);
    }
    XMTP_TRY(get(t, &key, &old));
    XMTP_ENSURE(old.n == sizeof value, XMTP_E_DATABASE);
    memcpy(value, old.p, 8);
    store(value + 8, record->id, 8);
    return put(t, &key, value, sizeof value);
}

static xmtp_status put_addresses(xmtp_node_index_txn *t, const xmtp_node_record *record)
{
    xmtp_reader r = xmtp_reader_of(record->extra);
    while (r.n > 0) {
        xmtp_node_address_change change;
        XMTP_TRY(xmtp_node_address_change_decode(&r, &change));
        XMTP_TRY(put_address(t, record, &change));
    }
    return XMTP_OK;
}

xmtp_status xmtp_node_index_put(xmtp_node_index_txn *t, const xmtp_node_record *record,
                                xmtp_node_position at, uint32_t len)
{
    XMTP_TRY(put_place(t, record, at, len));
    switch (record->kind) {
    case XMTP_NODE_GROUP_MESSAGE:
    case XMTP_NODE_WELCOME:
        return put_hash(t, record);
    case XMTP_NODE_IDENTITY_UPDATE:
        return put_addresses(t, record);
    case XMTP_NODE_COMMIT_LOG:
    case XMTP_NODE_KEY_PACKAGE:
        return XMTP_OK;
    case XMTP_NODE_GAP:
        break;
    }
    return XMTP_E_CORRUPT;
}

enum { ROOM_MIN = 4 * 1024 * 1024 };

static bool has_little_room(const xmtp_node_index *index)
{
    struct statvfs st;
    return statvfs(index->dir, &st) == 0 && (uint64_t)st.f_bavail * st.f_frsize < ROOM_MIN;
}

/* By a limit on the length of files (ulimit -f), which is a full disk for us. */
static bool is_near_limit(const xmtp_node_index *index)
{
    char path[XMTP_NODE_INDEX_PATH_MAX];
    struct rlimit limit;
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/data.mdb", index->dir);
    return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
           stat(path, &st) == 0 && (uint64_t)st.st_size + ROOM_MIN > limit.rlim_cur;
}

/* A write that the disk had only half the room for is EIO in LMDB. Nothing of the transaction is in
 * then, as after ENOSPC. */
static int commit_code(const xmtp_node_index *index, int code)
{
    bool is_full = code == EIO && (has_little_room(index) || is_near_limit(index));
    return is_full ? ENOSPC : code;
}

static void end_txn(xmtp_node_index_txn *t)
{
    const xmtp_alloc *alloc = &t->index->env->alloc;
    (void)alloc->reallocate(alloc->context, t, 0);
}

xmtp_status xmtp_node_index_commit(xmtp_node_index_txn *t, const xmtp_node_index_state *state,
                                   xmtp_error *error)
{
    uint8_t value[STATE_LEN];
    xmtp_node_index_key key = {.p = {'S'}, .n = 1};
    state_encode(state, value);
    if (put(t, &key, value, sizeof value) != XMTP_OK) {
        xmtp_node_index_abort(t);
        return xmtp_fail(error, XMTP_E_DATABASE, "cannot write to the index");
    }
    int code = commit_code(t->index, mdb_txn_commit(t->txn));
    end_txn(t);
    return code == 0 ? XMTP_OK : xmtp_node_index_fail(error, code, "cannot write to");
}

/* ---- taking out */

static xmtp_status take_out(xmtp_node_index_txn *t, const xmtp_node_index_key *key)
{
    MDB_val k = val_of(key->p, key->n);
    xmtp_status status = xmtp_node_index_status(mdb_del(t->txn, t->index->dbi, &k, NULL));
    return status == XMTP_E_NOT_FOUND ? XMTP_OK : status;
}

static xmtp_status remove_hash(xmtp_node_index_txn *t, const xmtp_node_record *record)
{
    xmtp_node_index_key key;
    uint64_t id;
    XMTP_ENSURE(record->extra.n == XMTP_NODE_HASH_LEN, XMTP_E_CORRUPT);
    xmtp_status status = xmtp_node_index_find_hash(t, record->kind, record->extra.p, &id);
    if (status != XMTP_OK || id != record->id) {
        return status == XMTP_E_NOT_FOUND ? XMTP_OK : status;
    }
    hash_key(&key, record->kind, record->extra.p);
    return take_out(t, &key);
}

xmtp_status xmtp_node_index_remove(xmtp_node_index_txn *t, const xmtp_node_record *record)
{
    xmtp_node_index_key key;
    XMTP_ENSURE(record->topic.n <= XMTP_NODE_TOPIC_LEN_MAX, XMTP_E_CORRUPT);
    xmtp_node_index_topic_key(&key, record->kind, record->topic, record->id);
    XMTP_TRY(take_out(t, &key));
    bool has_hash = record->kind == XMTP_NODE_GROUP_MESSAGE || record->kind == XMTP_NODE_WELCOME;
    return has_hash ? remove_hash(t, record) : XMTP_OK;
}

xmtp_status xmtp_node_index_commit_removed(xmtp_node_index_txn *t, xmtp_error *error)
{
    int code = commit_code(t->index, mdb_txn_commit(t->txn));
    end_txn(t);
    return code == 0 ? XMTP_OK : xmtp_node_index_fail(error, code, "cannot write to");
}

void xmtp_node_index_abort(xmtp_node_index_txn *t)
{
    if (t != NULL) {
        mdb_txn_abort(t->txn);
        end_txn(t);
    }
}
