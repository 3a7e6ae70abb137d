/* archive.h - what this inbox knows, in one encrypted file: messages, conversations, consent.
 *
 *     client --export--> file, or any place that takes bytes --import--> the same or another device
 *
 * The format is the official client's (groups.md 7.3), both ways. Whoever has the file and its key of
 * 32 bytes reads everything in it; without the key only its size is told.
 *
 * An archive holds no MLS keys and is no way to move an installation. A conversation that is not here
 * when it is imported becomes XMTP_MEMBERSHIP_RESTORED: it is listed and can be read, and nothing can
 * be sent to it (XMTP_E_INACTIVE) until another member's client adds this installation, which happens
 * by itself the next time that one writes; then it is an ordinary conversation that keeps what was
 * read from the archive. A restored DM can also be made anew with xmtp_client_dm: old and new messages
 * are shown as one.
 *
 * Importing only adds. A conversation or message that is here is left alone, the newer of two decisions
 * of consent counts, and importing once more changes nothing. Messages that have expired since are
 * left out. What was imported does not enter the queue of a consumer.
 *
 * Both directions need memory for a page of messages, whatever the size of the archive. Threads: as
 * the client's other calls. Shown by examples/archive.c.
 */
#ifndef XMTP_ARCHIVE_H
#define XMTP_ARCHIVE_H

#include <xmtp/conversation.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { XMTP_ARCHIVE_KEY_LEN = 32 };

/* Bits of what an archive holds. */
enum {
    XMTP_ARCHIVE_MESSAGES = 1, /* conversations and application messages */
    XMTP_ARCHIVE_CONSENT = 2,
};

/* What has been done so far. Exporting: written. Importing: what was new here. */
typedef struct xmtp_archive_counts {
    uint64_t consents;
    uint64_t conversations;
    uint64_t messages;
    uint64_t known; /* importing: was here already, or an older decision */
    uint64_t
        skipped;    /* importing: of no use here: a kind that this library does not know, a message
                         of a conversation that is neither here nor in the archive, a DM of others, a
                         message that has expired */
    uint64_t bytes; /* of the archive */
} xmtp_archive_counts;

/* Called now and then, and once at the end. Anything but XMTP_OK stops the work and is its result. Must
 * not call the client. */
typedef struct xmtp_archive_progress {
    void *context;
    xmtp_status (*tell)(void *context, const xmtp_archive_counts *so_far);
} xmtp_archive_progress;

/* Which part. All zero: everything. Conversations are left out only when they were made after end_ns. */
typedef struct xmtp_archive_options {
    uint32_t elements;         /* XMTP_ARCHIVE_MESSAGES | XMTP_ARCHIVE_CONSENT; 0: both */
    uint64_t start_ns;         /* only messages sent later than this; 0: all */
    uint64_t end_ns;           /* only messages sent earlier than this; 0: all */
    bool exclude_disappearing; /* leave out messages that will be deleted some time */
} xmtp_archive_options;

/* Where an archive goes and comes from, when that is no file. A status other than XMTP_OK ends the work
 * and is its result. read: at most capacity bytes into out; *n 0 is the end. */
typedef struct xmtp_archive_sink {
    void *context;
    xmtp_status (*write)(void *context, xmtp_bytes bytes);
} xmtp_archive_sink;
typedef struct xmtp_archive_source {
    void *context;
    xmtp_status (*read)(void *context, uint8_t *out, size_t capacity, size_t *n);
} xmtp_archive_source;

/* Writes an archive. key: 32 bytes of the caller's, best from a generator of random numbers.
 * The file (mode 0600) appears under its name when it is whole and on disk, and then takes the place of
 * one that was there; after a failure nothing has changed. options, progress and counts may be NULL.
 *
 * XMTP_E_ARGUMENT   no element, or end_ns not above start_ns
 * XMTP_E_DISK_FULL, XMTP_E_IO   with the name and the system's reason
 * XMTP_E_NOT_REGISTERED   a client without an inbox */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_archive_export(
    xmtp_client *client, const char *path, const uint8_t key[XMTP_ARCHIVE_KEY_LEN],
    const xmtp_archive_options *options, const xmtp_archive_progress *progress,
    xmtp_archive_counts *counts, xmtp_error *error);
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_archive_export_to(
    xmtp_client *client, const xmtp_archive_sink *sink, const uint8_t key[XMTP_ARCHIVE_KEY_LEN],
    const xmtp_archive_options *options, const xmtp_archive_progress *progress,
    xmtp_archive_counts *counts, xmtp_error *error);

/* Takes what an archive holds. Everything before a fault is taken and stays, a hundred elements in one
 * transaction; counts (filled on failure too) and the error say how far it came. Importing a whole copy
 * later completes it. progress and counts may be NULL.
 *
 * XMTP_E_AUTH         the key does not open the first element: wrong key, or no archive
 * XMTP_E_CORRUPT      a later element does not open, or the compression is broken
 * XMTP_E_TRUNCATED    ends inside an element or before the end of its compression
 * XMTP_E_TRAILING     bytes behind its end
 * XMTP_E_VERSION      written in a later version of the format
 * XMTP_E_LENGTH, XMTP_E_LIMIT   an element too short or too long to be one
 * XMTP_E_MALFORMED    no metadata at its beginning, or an element that cannot be read
 * XMTP_E_IO           the file cannot be read */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_archive_import(
    xmtp_client *client, const char *path, const uint8_t key[XMTP_ARCHIVE_KEY_LEN],
    const xmtp_archive_progress *progress, xmtp_archive_counts *counts, xmtp_error *error);
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_archive_import_from(
    xmtp_client *client, const xmtp_archive_source *source, const uint8_t key[XMTP_ARCHIVE_KEY_LEN],
    const xmtp_archive_progress *progress, xmtp_archive_counts *counts, xmtp_error *error);

/* What an archive says about itself in its first element; the rest is not read. */
typedef struct xmtp_archive_metadata {
    uint16_t version;     /* of the format */
    uint32_t elements;    /* bits as above */
    uint64_t exported_ns; /* when it was made, by its maker's clock */
    uint64_t start_ns;    /* 0: not set */
    uint64_t end_ns;
} xmtp_archive_metadata;

/* Needs no client. Errors as xmtp_client_archive_import. Threads: any. */
XMTP_API XMTP_MUST_CHECK xmtp_status
xmtp_archive_metadata_read(const char *path, const uint8_t key[XMTP_ARCHIVE_KEY_LEN],
                           xmtp_archive_metadata *out, xmtp_error *error);
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_archive_metadata_read_from(
    const xmtp_archive_source *source, const uint8_t key[XMTP_ARCHIVE_KEY_LEN],
    xmtp_archive_metadata *out, xmtp_error *error);

#ifdef __cplusplus
}
#endif
#endif
