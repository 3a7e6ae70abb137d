/* disk.c - the operating system as a disk, and one in memory. */
#include "node/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int os_open(void *context, const char *path, bool is_new)
{
    (void)context;
    return open(path, O_RDWR | O_CLOEXEC | (is_new ? O_CREAT | O_TRUNC : 0), 0600);
}

static int os_close(void *context, int file)
{
    (void)context;
    return close(file);
}

static ssize_t os_pread(void *context, int file, void *out, size_t n, uint64_t offset)
{
    (void)context;
    return pread(file, out, n, (off_t)offset);
}

static ssize_t os_pwrite(void *context, int file, const void *p, size_t n, uint64_t offset)
{
    (void)context;
    return pwrite(file, p, n, (off_t)offset);
}

static int os_truncate(void *context, int file, uint64_t len)
{
    (void)context;
    return ftruncate(file, (off_t)len);
}

static int os_size(void *context, int file, uint64_t *len)
{
    struct stat st;
    (void)context;
    int result = fstat(file, &st);
    *len = result == 0 ? (uint64_t)st.st_size : 0;
    return result;
}

static int os_reserve(void *context, int file, uint64_t len)
{
    (void)context;
    return fallocate(file, FALLOC_FL_KEEP_SIZE, 0, (off_t)len);
}

static int os_sync(void *context, int file)
{
    (void)context;
    return fdatasync(file);
}

static int os_sync_dir(void *context, const char *dir)
{
    (void)context;
    int file = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = file < 0 ? -1 : fsync(file);
    int code = errno;
    if (file >= 0) {
        (void)close(file);
    }
    errno = code;
    return result;
}

static int os_rename(void *context, const char *from, const char *to)
{
    (void)context;
    return rename(from, to);
}

static int os_unlink(void *context, const char *path)
{
    (void)context;
    return unlink(path);
}

static int os_replace(void *context, int file, int by)
{
    (void)context;
    int result = dup3(by, file, O_CLOEXEC);
    (void)close(by);
    return result < 0 ? -1 : 0;
}

static int os_list(void *context, const char *dir, void *visitor,
                   void (*visit)(void *visitor, const char *name))
{
    (void)context;
    DIR *d = opendir(dir);
    if (d == NULL) {
        return -1;
    }
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        visit(visitor, e->d_name);
    }
    return closedir(d);
}

const xmtp_node_disk *xmtp_node_disk_system(void)
{
    static const xmtp_node_disk disk = {.open = os_open,
                                        .close = os_close,
                                        .pread = os_pread,
                                        .pwrite = os_pwrite,
                                        .truncate = os_truncate,
                                        .size = os_size,
                                        .reserve = os_reserve,
                                        .sync = os_sync,
                                        .sync_dir = os_sync_dir,
                                        .rename = os_rename,
                                        .unlink = os_unlink,
                                        .replace = os_replace,
                                        .list = os_list};
    return &disk;
}

/* ---- in memory */

static int memory_open(void *context, const char *path, bool is_new)
{
    (void)context;
    (void)path;
    if (!is_new) {
        errno = ENOENT;
        return -1;
    }
    return memfd_create("xmtp-node-log", MFD_CLOEXEC);
}

static int memory_reserve(void *context, int file, uint64_t len)
{
    (void)context;
    (void)file;
    (void)len;
    errno = EOPNOTSUPP;
    return -1;
}

static int memory_sync(void *context, int file)
{
    (void)context;
    (void)file;
    return 0;
}

static int memory_sync_dir(void *context, const char *dir)
{
    (void)context;
    (void)dir;
    return 0;
}

static int memory_rename(void *context, const char *from, const char *to)
{
    (void)context;
    (void)from;
    (void)to;
    return 0;
}

static int memory_unlink(void *context, const char *path)
{
    (void)context;
    (void)path;
    return 0;
}

static int memory_list(void *context, const char *dir, void *visitor,
                       void (*visit)(void *visitor, const char *name))
{
    (void)context;
    (void)dir;
    (void)visitor;
    (void)visit;
    return 0;
}

const xmtp_node_disk *xmtp_node_disk_memory(void)
{
    static const xmtp_node_disk disk = {.open = memory_open,
                                        .close = os_close,
                                        .pread = os_pread,
                                        .pwrite = os_pwrite,
                                        .truncate = os_truncate,
                                        .size = os_size,
                                        .reserve = memory_reserve,
                                        .sync = memory_sync,
                                        .sync_dir = memory_sync_dir,
                                        .rename = memory_rename,
                                        .unlink = memory_unlink,
                                        .replace = os_replace,
                                        .list = memory_list};
    return &disk;
}
