/* archive_file.c - an archive as a file: written under a temporary name beside it, and renamed when it is
 * on disk. */
#include "client/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char suffix[] = ".part-XXXXXX";

/* errno as a status, with the name of the file. */
static xmtp_status fail(const xmtp_archive_file *file, const char *what)
{
    int why = errno;
    xmtp_status status = why == ENOSPC || why == EDQUOT ? XMTP_E_DISK_FULL : XMTP_E_IO;
    return xmtp_fail(file->error, status, "cannot %s %.120s: %s", what, file->path, strerror(why));
}

/* ---- writing */

xmtp_status xmtp_archive_file_create(xmtp_archive_file *file, const char *path, xmtp_error *error)
{
    *file = (xmtp_archive_file){.path = path, .fd = -1, .error = error};
    size_t n = strlen(path);
    file->temporary = malloc(n + sizeof(suffix));
    XMTP_ENSURE(file->temporary != NULL, XMTP_E_NOMEM);
    memcpy(file->temporary, path, n);
    memcpy(file->temporary + n, suffix, sizeof(suffix));
    file->fd = mkostemp(file->temporary, O_CLOEXEC); /* mode 0600 */
    return file->fd >= 0 ? XMTP_OK : fail(file, "write");
}

static xmtp_status write_bytes(void *context, xmtp_bytes bytes)
{
    const xmtp_archive_file *file = context;
    while (bytes.n > 0) {
        ssize_t n = write(file->fd, bytes.p, bytes.n);
        if (n < 0 && errno != EINTR) {
            return fail(file, "write");
        }
        size_t done = n < 0 ? 0 : (size_t)n;
        bytes = xmtp_bytes_of(bytes.p + done, bytes.n - done);
    }
    return XMTP_OK;
}

xmtp_archive_sink xmtp_archive_file_sink(xmtp_archive_file *file)
{
    return (xmtp_archive_sink){.context = file, .write = write_bytes};
}

/* The name is on disk only when its folder is. */
static xmtp_status sync_folder(const xmtp_archive_file *file)
{
    const char *slash = strrchr(file->path, '/');
    size_t n = slash == NULL ? 1 : (size_t)(slash - file->path) + 1;
    memcpy(file->temporary, slash == NULL ? "." : file->path, n); /* shorter than what is there */
    file->temporary[n] = '\0';
    int fd = open(file->temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return fail(file, "open the folder of");
    }
    xmtp_status status = fsync(fd) == 0 ? XMTP_OK : fail(file, "sync the folder of");
    (void)close(fd);
    return status;
}

xmtp_status xmtp_archive_file_sync(const xmtp_archive_file *file)
{
    return fsync(file->fd) == 0 ? XMTP_OK : fail(file, "sync");
}

/* A link does not replace what has the name; a rename does. */
static xmtp_status put_name(const xmtp_archive_file *file)
{
    if (!file->is_new) {
        return rename(file->temporary, file->path) == 0 ? XMTP_OK : fail(file, "name");
    }
    if (link(file->temporary, file->path) != 0) {
        return errno == EEXIST
                   ? xmtp_fail(file->error, XMTP_E_EXISTS, "%.180s is there already", file->path)
                   : fail(file, "name");
    }
    (void)unlink(file->temporary);
    return XMTP_OK;
}

xmtp_status xmtp_archive_file_finish(xmtp_archive_file *file, xmtp_status status)
{
    if (status == XMTP_OK) {
        status = xmtp_archive_file_sync(file);
    }
    if (status == XMTP_OK) {
        status = put_name(file);
    }
    if (status == XMTP_OK) {
        status = sync_folder(file);
    } else if (file->fd >= 0) {
        (void)unlink(file->temporary);
    }
    xmtp_archive_file_close(file);
    return status;
}

/* ---- reading */

xmtp_status xmtp_archive_file_open(xmtp_archive_file *file, const char *path, xmtp_error *error)
{
    *file = (xmtp_archive_file){.path = path, .error = error};
    file->fd = open(path, O_RDONLY | O_CLOEXEC);
    return file->fd >= 0 ? XMTP_OK : fail(file, "read");
}

static xmtp_status read_bytes(void *context, uint8_t *out, size_t capacity, size_t *n)
{
    const xmtp_archive_file *file = context;
    ssize_t got;
    do {
        got = read(file->fd, out, capacity);
    } while (got < 0 && errno == EINTR);
    *n = got < 0 ? 0 : (size_t)got;
    return got < 0 ? fail(file, "read") : XMTP_OK;
}

xmtp_archive_source xmtp_archive_file_source(xmtp_archive_file *file)
{
    return (xmtp_archive_source){.context = file, .read = read_bytes};
}

void xmtp_archive_file_close(xmtp_archive_file *file)
{
    if (file->fd >= 0) {
        (void)close(file->fd);
    }
    file->fd = -1;
    free(file->temporary);
    file->temporary = NULL;
}
