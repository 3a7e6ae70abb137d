/* archive.h - what the files of archives share: files as sinks and sources, and the conversations that an
 * archive has restored.
 *
 *     archive_stream.c   the container: elements and bytes
 *     archive_file.c     files                     archive_import.c   an archive into the database
 *     archive_export.c   the database as an archive   restored.c      a conversation known from one
 */
#ifndef XMTP_CLIENT_ARCHIVE_H
#define XMTP_CLIENT_ARCHIVE_H

#include "client/state.h"
#include "proto/archive.pb-c.h"

#include <xmtp/archive.h>

enum {
    XMTP_ARCHIVE_PAGE = 100,        /* rows at a time, elements per transaction */
    XMTP_ARCHIVE_MESSAGE_PAGE = 20, /* messages at a time: the arena takes twenty of the longest */
    XMTP_GROUP_SAVE_MAX = 256 * 1024, /* attributes of 12 KiB, 250 members in two lists, and room */
};

/* ---- archive_file.c */

/* A file that appears under its name only when it is finished. */
typedef struct xmtp_archive_file {
    const char *path;
    char *temporary; /* its name until then */
    bool is_new;     /* a file of that name is not replaced: XMTP_E_EXISTS */
    int fd;
    xmtp_error *error;
} xmtp_archive_file;

xmtp_status xmtp_archive_file_create(xmtp_archive_file *file, const char *path, xmtp_error *error);
xmtp_archive_sink xmtp_archive_file_sink(xmtp_archive_file *file);
/* What was written so far is on disk, still under the temporary name. */
xmtp_status xmtp_archive_file_sync(const xmtp_archive_file *file);
/* status XMTP_OK: on disk and under its name; otherwise it is taken away. */
xmtp_status xmtp_archive_file_finish(xmtp_archive_file *file, xmtp_status status);

xmtp_status xmtp_archive_file_open(xmtp_archive_file *file, const char *path, xmtp_error *error);
xmtp_archive_source xmtp_archive_file_source(xmtp_archive_file *file);
void xmtp_archive_file_close(xmtp_archive_file *file);

/* ---- restored.c */

/* What the archive said about a restored conversation; in the arena. */
xmtp_status xmtp_restored_facts(xmtp_client *client, int64_t ref, xmtp_arena *arena,
                                Pb__GroupSave **out, xmtp_error *error);
/* The row of a conversation that an archive describes, and is not here; strings in the arena. *is_wanted
 * false: of no use to this inbox. */
xmtp_status xmtp_restored_row(const xmtp_client *client, xmtp_arena *arena,
                              const Pb__GroupSave *save, xmtp_group_row *row, bool *is_wanted);
/* xmtp_client_conversation_details of a restored one, in client->out. XMTP_E_NOT_FOUND: it is none. */
xmtp_status xmtp_restored_details(xmtp_client *client, int64_t ref, xmtp_conversation_details *out,
                                  xmtp_error *error);
/* Value of an attribute, "" when there is none. */
const char *xmtp_restored_attribute(const Pb__GroupSave *save, const char *key);

#endif
