/* history.c - the folder and the requests; transfers are in history_upload.c and history_download.c.
 *
 *     upload     <id>.part, grown as bytes come --> synced --> renamed to <id>; gone when it fails
 *     download   read piece by piece, as the peer takes them
 *
 * The bytes on the disk are counted, those of uploads under way included, so that many at once
 * cannot pass the limit together.
 */
#include "node/history_internal.h"

#include "base/bytes.h"
#include "base/status.h"
#include "rpc/cors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- names: 8-4-4-4-12 hexadecimal digits */

bool xmtp_history_is_id(const char *text)
{
    for (size_t i = 0; i < XMTP_HISTORY_ID_LEN; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool is_hex = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
        if (is_dash ? text[i] != '-' : !is_hex) {
            return false;
        }
    }
    return text[XMTP_HISTORY_ID_LEN] == '\0';
}

xmtp_status xmtp_history_make_id(const xmtp_env *env, char out[XMTP_HISTORY_ID_LEN + 1])
{
    uint8_t bytes[16];
    char hex[33];
    XMTP_TRY(env->random(env->context, bytes, sizeof bytes));
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    xmtp_hex_encode(hex, xmtp_bytes_of(bytes, sizeof bytes));
    (void)snprintf(out, XMTP_HISTORY_ID_LEN + 1, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8,
                   hex + 12, hex + 16, hex + 20);
    return XMTP_OK;
}

/* ---- the folder */

bool xmtp_history_is_too_old(const xmtp_node_history *history, const struct stat *st)
{
    uint64_t now_ns = history->env->now_ns(history->env->context);
    uint64_t made_ns = (uint64_t)st->st_mtim.tv_sec * 1000000000 + (uint64_t)st->st_mtim.tv_nsec;
    return now_ns > made_ns && now_ns - made_ns > history->options.age_max_ns;
}

/* Goes through the folder. is_first: at the start, when no upload can be under way. */
static void visit_files(xmtp_node_history *history, bool is_first)
{
    int fd = history->dir < 0 ? -1 : openat(history->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return;
    }
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        struct stat st;
        bool is_file = xmtp_history_is_id(entry->d_name);
        bool is_part = !is_file && strlen(entry->d_name) ==
                                       XMTP_HISTORY_ID_LEN + sizeof XMTP_HISTORY_PART_SUFFIX - 1;
        if ((!is_file && !(is_part && is_first)) ||
            fstatat(history->dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
            continue;
        }
        bool is_gone = (is_part || xmtp_history_is_too_old(history, &st)) &&
                       unlinkat(history->dir, entry->d_name, 0) == 0;
        if (is_first && !is_gone) {
            atomic_fetch_add(&history->len, (uint64_t)st.st_size);
        } else if (!is_first && is_gone) {
            atomic_fetch_sub(&history->len, (uint64_t)st.st_size);
        }
    }
    (void)closedir(dir);
}

static void sweep(xmtp_node_work *work)
{
    xmtp_node_history *history =
        (xmtp_node_history *)((uint8_t *)work - offsetof(xmtp_node_history, sweep));
    visit_files(history, false);
    atomic_store(&history->is_sweeping, false);
}

void xmtp_node_history_sweep(xmtp_node_history *history, xmtp_node_workers *workers)
{
    if (!atomic_exchange(&history->is_sweeping, true)) {
        history->sweep.run = sweep;
        xmtp_node_workers_submit(workers, &history->sweep);
    }
}

/* A folder that was made is there after a crash too. */
static bool sync_parent(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return is_synced;
}

static xmtp_status open_folder(xmtp_node_history *history, xmtp_error *error)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/history", history->options.dir);
    if (n < 0 || (size_t)n >= sizeof path) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "the name of the data folder is too long");
    }
    bool is_new = mkdir(path, 0700) == 0;
    if (is_new ? sync_parent(history->options.dir) : errno == EEXIST) {
        history->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (history->dir < 0) {
        return xmtp_fail(error, XMTP_E_IO, "folder %.200s: error %d", path, errno);
    }
    return XMTP_OK;
}

xmtp_status xmtp_node_history_open(xmtp_node_history **out,
                                   const xmtp_node_history_options *options, xmtp_error *error)
{
    const xmtp_alloc *alloc = &options->env->alloc;
    *out = NULL;
    xmtp_node_history *history = alloc->reallocate(alloc->context, NULL, sizeof *history);
    XMTP_ENSURE(history != NULL, XMTP_E_NOMEM);
    *history = (xmtp_node_history){.env = options->env, .options = *options, .dir = -1};
    atomic_init(&history->len, 0);
    atomic_init(&history->transfers, 0);
    atomic_init(&history->is_sweeping, false);
    xmtp_status status = options->dir == NULL ? XMTP_OK : open_folder(history, error);
    history->options.dir = NULL; /* the caller's */
    if (status != XMTP_OK) {
        xmtp_node_history_close(history);
        return status;
    }
    visit_files(history, true);
    *out = history;
    return XMTP_OK;
}

void xmtp_node_history_close(xmtp_node_history *history)
{
    if (history == NULL) {
        return;
    }
    const xmtp_alloc *alloc = &history->env->alloc;
    if (history->dir >= 0) {
        (void)close(history->dir);
    }
    (void)alloc->reallocate(alloc->context, history, 0);
}

/* ---- transfers */

bool xmtp_history_begin_transfer(xmtp_node_history *history)
{
    if (atomic_fetch_add(&history->transfers, 1) < history->options.transfers_max) {
        return true;
    }
    atomic_fetch_sub(&history->transfers, 1);
    return false;
}

void xmtp_history_end_transfer(xmtp_node_history *history)
{
    atomic_fetch_sub(&history->transfers, 1);
}

bool xmtp_history_take_room(xmtp_node_history *history, uint64_t n)
{
    if (atomic_fetch_add(&history->len, n) + n <= history->options.len_max) {
        return true;
    }
    atomic_fetch_sub(&history->len, n);
    return false;
}

void xmtp_history_give_room(xmtp_node_history *history, uint64_t n)
{
    atomic_fetch_sub(&history->len, n);
}

/* ---- requests */

/* Clients put "/upload" behind an address that may end in a slash. */
static const char *path_of(const xmtp_http_exchange *x)
{
    const char *path = xmtp_http_head_target(&x->head);
    while (path[0] == '/' && path[1] == '/') {
        path++;
    }
    return path;
}

static const char files_prefix[] = "/files/";

bool xmtp_node_history_is_for(const xmtp_http_exchange *x)
{
    const char *path = path_of(x);
    return strcmp(path, "/upload") == 0 ||
           strncmp(path, files_prefix, sizeof files_prefix - 1) == 0;
}

void xmtp_node_history_begin(xmtp_node_history *history, xmtp_http_exchange *x)
{
    const char *path = path_of(x);
    bool is_upload = strcmp(path, "/upload") == 0;
    if (strcmp(xmtp_http_head_method(&x->head), is_upload ? "POST" : "GET") != 0) {
        xmtp_cors_answer(x, 405, is_upload ? "files are sent with POST\n" : "GET, please\n");
    } else if (history->dir < 0) {
        xmtp_cors_answer(x, 507, "this node has no folder to keep files in\n");
    } else if (is_upload) {
        xmtp_history_begin_upload(history, x);
    } else {
        xmtp_history_begin_download(history, x, path + sizeof files_prefix - 1);
    }
}
