/* history.c - see history.h.
 *
 *     upload     <id>.part, grown as bytes come --> renamed to <id>; gone when the peer leaves
 *     download   read piece by piece, as the peer takes them
 *
 * The bytes on the disk are counted, those of uploads under way included, so that many at once
 * cannot pass the limit together.
 */
#include "node/history.h"

#include "base/bytes.h"
#include "base/status.h"
#include "rpc/cors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ID_LEN = 36, PIECE_LEN = 64 * 1024, QUEUE_LEN_HIGH = 4 * XMTP_HTTP_QUEUE_LOW_WATER };

static const char part_suffix[] = ".part";

struct xmtp_node_history {
    const xmtp_env *env;
    xmtp_node_history_options options;
    int dir; /* descriptor of the folder; -1: nothing is stored */
    atomic_uint_fast64_t len;
    atomic_size_t transfers;
};

typedef struct transfer {
    xmtp_node_history *history;
    int file;
    uint64_t len;      /* written, or sent */
    uint64_t file_len; /* of a download */
    char name[ID_LEN + sizeof part_suffix];
} transfer;

/* ---- names: 8-4-4-4-12 hexadecimal digits */

static bool is_id(const char *text)
{
    for (size_t i = 0; i < ID_LEN; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool is_hex = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
        if (is_dash ? text[i] != '-' : !is_hex) {
            return false;
        }
    }
    return text[ID_LEN] == '\0';
}

/* A random UUID, version 4. */
static xmtp_status make_id(const xmtp_env *env, char out[ID_LEN + 1])
{
    uint8_t bytes[16];
    char hex[33];
    XMTP_TRY(env->random(env->context, bytes, sizeof bytes));
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    xmtp_hex_encode(hex, xmtp_bytes_of(bytes, sizeof bytes));
    (void)snprintf(out, ID_LEN + 1, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
                   hex + 20);
    return XMTP_OK;
}

/* ---- the folder */

static bool is_too_old(const xmtp_node_history *history, const struct stat *st)
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
        bool is_file = is_id(entry->d_name);
        bool is_part = !is_file && strlen(entry->d_name) == ID_LEN + sizeof part_suffix - 1;
        if ((!is_file && !(is_part && is_first)) ||
            fstatat(history->dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
            continue;
        }
        bool is_gone =
            (is_part || is_too_old(history, &st)) && unlinkat(history->dir, entry->d_name, 0) == 0;
        if (is_first && !is_gone) {
            atomic_fetch_add(&history->len, (uint64_t)st.st_size);
        } else if (!is_first && is_gone) {
            atomic_fetch_sub(&history->len, (uint64_t)st.st_size);
        }
    }
    (void)closedir(dir);
}

void xmtp_node_history_sweep(xmtp_node_history *history)
{
    visit_files(history, false);
}

static xmtp_status open_folder(xmtp_node_history *history, xmtp_error *error)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/history", history->options.dir);
    if (n < 0 || (size_t)n >= sizeof path) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "the name of the data folder is too long");
    }
    if (mkdir(path, 0700) == 0 || errno == EEXIST) {
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

static transfer *start_transfer(xmtp_node_history *history, xmtp_http_exchange *x)
{
    if (atomic_fetch_add(&history->transfers, 1) < history->options.transfers_max) {
        transfer *t = x->alloc->reallocate(x->alloc->context, NULL, sizeof *t);
        if (t != NULL) {
            *t = (transfer){.history = history, .file = -1};
            return t;
        }
    }
    atomic_fetch_sub(&history->transfers, 1);
    return NULL;
}

static void end_transfer(transfer *t, xmtp_http_exchange *x)
{
    if (t->file >= 0) {
        (void)close(t->file);
    }
    atomic_fetch_sub(&t->history->transfers, 1);
    x->sink = NULL;
    (void)x->alloc->reallocate(x->alloc->context, t, 0);
}

/* ---- uploads */

static void drop_upload(transfer *t, xmtp_http_exchange *x)
{
    (void)unlinkat(t->history->dir, t->name, 0);
    atomic_fetch_sub(&t->history->len, t->len);
    end_transfer(t, x);
}

static void refuse_upload(xmtp_http_exchange *x, int status, const char *text)
{
    drop_upload(x->data, x);
    xmtp_cors_answer(x, status, text);
}

/* Counts n more bytes; false where they are too many. */
static bool take_room(xmtp_node_history *history, uint64_t n)
{
    if (atomic_fetch_add(&history->len, n) + n <= history->options.len_max) {
        return true;
    }
    atomic_fetch_sub(&history->len, n);
    return false;
}

static bool write_all(int file, xmtp_bytes in)
{
    while (in.n > 0) {
        ssize_t n = write(file, in.p, in.n);
        if (n <= 0 && errno != EINTR) {
            return false;
        }
        in.p += n > 0 ? n : 0;
        in.n -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

static void on_upload_body(xmtp_http_exchange *x, xmtp_bytes in)
{
    transfer *t = x->data;
    if (in.n > t->history->options.file_len_max - t->len) {
        refuse_upload(x, 413, "the file is too large\n");
    } else if (!take_room(t->history, in.n)) {
        refuse_upload(x, 507, "no room for more files\n");
    } else {
        t->len += in.n;
        if (!write_all(t->file, in)) {
            refuse_upload(x, 507, "the file cannot be stored\n");
        }
    }
}

static void on_upload_complete(xmtp_http_exchange *x)
{
    transfer *t = x->data;
    char id[ID_LEN + 1];
    memcpy(id, t->name, ID_LEN);
    id[ID_LEN] = '\0';
    if (renameat(t->history->dir, t->name, t->history->dir, id) != 0) {
        refuse_upload(x, 507, "the file cannot be stored\n");
        return;
    }
    end_transfer(t, x);
    xmtp_cors_answer(x, 200, id);
}

static void on_upload_cancelled(xmtp_http_exchange *x)
{
    drop_upload(x->data, x);
}

static void on_upload_stop(xmtp_http_exchange *x)
{
    refuse_upload(x, 503, "node is shutting down\n");
}

static const xmtp_http_sink upload_sink = {.body = on_upload_body,
                                           .complete = on_upload_complete,
                                           .cancelled = on_upload_cancelled,
                                           .stop = on_upload_stop};

static void begin_upload(xmtp_node_history *history, xmtp_http_exchange *x)
{
    char id[ID_LEN + 1];
    if (x->body_len != XMTP_HTTP_LEN_UNKNOWN && x->body_len > history->options.file_len_max) {
        xmtp_cors_answer(x, 413, "the file is too large\n");
        return;
    }
    transfer *t = start_transfer(history, x);
    if (t == NULL || make_id(history->env, id) != XMTP_OK) {
        if (t != NULL) {
            end_transfer(t, x);
        }
        xmtp_cors_answer(x, 503, "too many files at once\n");
        return;
    }
    (void)snprintf(t->name, sizeof t->name, "%s%s", id, part_suffix);
    t->file = openat(history->dir, t->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (t->file < 0) {
        end_transfer(t, x);
        xmtp_cors_answer(x, 507, "the file cannot be stored\n");
        return;
    }
    x->data = t;
    x->sink = &upload_sink;
}

/* ---- downloads */

static void send_some(xmtp_http_exchange *x)
{
    transfer *t = x->data;
    uint8_t piece[PIECE_LEN];
    while (t->len < t->file_len && xmtp_http_queued(x) < QUEUE_LEN_HIGH) {
        ssize_t n = pread(t->file, piece, sizeof piece, (off_t)t->len);
        if (n <= 0 || xmtp_http_write(x, xmtp_bytes_of(piece, (size_t)n)) != XMTP_OK) {
            end_transfer(t, x);
            xmtp_http_abort(x); /* the announced length cannot be kept */
            return;
        }
        t->len += (uint64_t)n;
    }
    if (t->len == t->file_len) {
        end_transfer(t, x);
        xmtp_http_end(x);
    }
}

static void on_download_cancelled(xmtp_http_exchange *x)
{
    end_transfer(x->data, x);
}

/* A cut file would be taken for whole by nobody: its length was announced. */
static const xmtp_http_sink download_sink = {
    .complete = send_some, .writable = send_some, .cancelled = on_download_cancelled};

static xmtp_status open_file(transfer *t, const char *id)
{
    struct stat st;
    t->file = openat(t->history->dir, id, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    XMTP_ENSURE(t->file >= 0 && fstat(t->file, &st) == 0, XMTP_E_NOT_FOUND);
    XMTP_ENSURE(!is_too_old(t->history, &st), XMTP_E_NOT_FOUND);
    t->file_len = (uint64_t)st.st_size;
    return XMTP_OK;
}

static void begin_download(xmtp_node_history *history, xmtp_http_exchange *x, const char *id)
{
    const xmtp_http_field fields[] = {
        {"content-type", "application/octet-stream"}, xmtp_cors_fields[0], xmtp_cors_fields[1]};
    transfer *t = start_transfer(history, x);
    if (t == NULL) {
        xmtp_cors_answer(x, 503, "too many files at once\n");
        return;
    }
    if (!is_id(id) || open_file(t, id) != XMTP_OK) {
        end_transfer(t, x);
        xmtp_cors_answer(x, 404, "no such file\n");
        return;
    }
    if (xmtp_http_respond(x, 200, fields, 1 + XMTP_CORS_FIELDS, t->file_len) != XMTP_OK) {
        end_transfer(t, x);
        xmtp_http_abort(x);
        return;
    }
    x->data = t;
    x->sink = &download_sink;
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
        begin_upload(history, x);
    } else {
        begin_download(history, x, path + sizeof files_prefix - 1);
    }
}
