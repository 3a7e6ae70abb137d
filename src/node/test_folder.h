/* test_folder.h - a temporary folder for tests, and the node's data files in it. */
#ifndef XMTP_NODE_TEST_FOLDER_H
#define XMTP_NODE_TEST_FOLDER_H

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct test_folder {
    char path[256];
} test_folder;

static inline test_folder test_folder_make(void)
{
    test_folder folder = {.path = "/tmp/xmtp-node-test-XXXXXX"};
    if (mkdtemp(folder.path) == NULL) {
        abort();
    }
    return folder;
}

/* In memory where there is such a place, for tests with thousands of syncs. */
static inline test_folder test_folder_make_fast(void)
{
    test_folder folder = {.path = "/dev/shm/xmtp-node-test-XXXXXX"};
    return mkdtemp(folder.path) == NULL ? test_folder_make() : folder;
}

static inline int test_folder_unlink(const char *path, const struct stat *st, int type,
                                     struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

/* Removes everything below a path, and the path. */
static inline void test_folder_remove(const char *path)
{
    (void)nftw(path, test_folder_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

/* How many files a folder in it holds. */
static inline size_t test_folder_count(const test_folder *folder, const char *name)
{
    char path[sizeof folder->path + 64];
    size_t count = 0;
    (void)snprintf(path, sizeof path, "%s/%s", folder->path, name);
    DIR *files = opendir(path);
    if (files == NULL) {
        abort();
    }
    for (const struct dirent *file = readdir(files); file != NULL; file = readdir(files)) {
        count += file->d_name[0] != '.';
    }
    (void)closedir(files);
    return count;
}

/* A file as bytes; freed by the caller. */
static inline unsigned char *test_file_read(const char *path, size_t *n)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        abort();
    }
    (void)fseek(file, 0, SEEK_END);
    long len = ftell(file);
    (void)fseek(file, 0, SEEK_SET);
    unsigned char *p = malloc((size_t)len + 1);
    *n = fread(p, 1, (size_t)len, file);
    (void)fclose(file);
    return p;
}

static inline void test_file_write(const char *path, const unsigned char *p, size_t n)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(p, 1, n, file) != n || fclose(file) != 0) {
        abort();
    }
}

#endif
