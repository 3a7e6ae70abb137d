/* move.h - an installation moves: all that its database holds, MLS keys included, in one sealed file.
 *
 *     database --export--> file (the database is fenced) --import--> new database --open--> claims, lives
 *
 * The inbox keeps its ten seats: what lives afterwards is the same installation. An archive (archive.h)
 * is the other thing: what was said, for a new installation.
 *
 * Two copies of one MLS state would use message keys twice and fork. So of all holders of one move (the
 * files that were imported, however often, and the database it came from after xmtp_move_cancel) exactly
 * one lives: at its first opening a holder publishes a claim on a topic that only the file tells, and the
 * first claim in the node's order wins. The others are refused with XMTP_E_MOVED, for good; nothing in them
 * is changed. A claim has the form of a commit, which nodes keep for ever; to others it is a message of
 * a group that they know nothing of.
 *
 * What a fence cannot do: keep apart copies of a database file made by other means than these functions;
 * see through a node that hides a claim from one holder; keep out whoever has both the file and its secret
 * (who wins the claim is this installation: revoke it then).
 *
 * A call whose process is killed may leave a file NAME.part-XXXXXX beside the one it was to make: delete it.
 * Beside a database that may be a copy that no fence holds yet, under the key that the database had before.
 *
 * No client may be open on the database. options are those of xmtp_client_open: they say which database
 * (database_path, or where the account's is), whose it is and under which key; importing writes the
 * database to where an opening with the same options looks for it, under that key. Only opening needs the
 * node. Memory: some 64 KiB, and 64 MiB while a passphrase becomes a key. Threads: any.
 */
#ifndef XMTP_MOVE_H
#define XMTP_MOVE_H

#include <xmtp/client.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { XMTP_MOVE_KEY_LEN = 32, XMTP_MOVE_PASSPHRASE_MAX = 1024 };

/* What seals the file: exactly one of the two. */
typedef struct xmtp_move_secret {
    const uint8_t *key; /* XMTP_MOVE_KEY_LEN bytes, from a generator of random numbers */
    const char
        *passphrase; /* 1 to XMTP_MOVE_PASSPHRASE_MAX bytes; Argon2id, 3 passes over 64 MiB */
} xmtp_move_secret;

/* Called for each 64 KiB and once at the end, in bytes of the database. Anything but XMTP_OK stops the
 * work, leaves all as it was, and is the result. */
typedef struct xmtp_move_progress {
    void *context;
    xmtp_status (*tell)(void *context, uint64_t done, uint64_t total);
} xmtp_move_progress;

/* Writes the file (mode 0600) and fences the database, which cannot be opened afterwards. The file is
 * complete only after the fence is on disk: ended in between, by a crash or a full disk, there is a fenced
 * database and no file, and the same call again makes it. Of a database that is fenced it makes another
 * copy of the same move. progress may be NULL.
 *
 * XMTP_E_EXISTS           path is there already
 * XMTP_E_NOT_FOUND        there is no database
 * XMTP_E_NOT_REGISTERED   the database is no registered installation's
 * XMTP_E_LOCKED           a client has it open, or a host its folder
 * XMTP_E_STATE            it was imported and not opened since: it has not claimed its place
 * XMTP_E_MOVED            another holder of an earlier move lives
 * XMTP_E_UNSUPPORTED      options name no file
 * XMTP_E_ARGUMENT         not exactly one secret, or one of a wrong length
 * XMTP_E_DATABASE_KEY, XMTP_E_DISK_FULL, XMTP_E_IO, XMTP_E_CORRUPT */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_move_export(const xmtp_client_options *options,
                                                      const char *path,
                                                      const xmtp_move_secret *secret,
                                                      const xmtp_move_progress *progress,
                                                      xmtp_error *error);

/* Makes the database of the file, whole or not at all; the file is only read. XMTP_OK says nothing yet of
 * whether it may live: the first xmtp_client_open does, which needs the node then, and gives XMTP_E_MOVED
 * when another holder was first. progress may be NULL.
 *
 * XMTP_E_EXISTS        a database is there; it is never replaced
 * XMTP_E_AUTH          the secret does not open the file, or its first bytes were altered
 * XMTP_E_CORRUPT       altered further on
 * XMTP_E_TRUNCATED     cut, or an export that was not finished
 * XMTP_E_TRAILING      bytes behind its end
 * XMTP_E_MALFORMED     no such file
 * XMTP_E_VERSION       written by a later version
 * XMTP_E_DATABASE_KEY  of another account than options
 * XMTP_E_DATABASE_VERSION, XMTP_E_LENGTH, XMTP_E_LIMIT, XMTP_E_ARGUMENT, XMTP_E_UNSUPPORTED,
 * XMTP_E_DISK_FULL, XMTP_E_IO */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_move_import(const xmtp_client_options *options,
                                                      const char *path,
                                                      const xmtp_move_secret *secret,
                                                      const xmtp_move_progress *progress,
                                                      xmtp_error *error);

/* Lets a fenced database compete for its place again: its next opening claims like that of an import, and
 * wins unless an import was first. Then no import of the file can live.
 *
 * XMTP_E_STATE   it is not fenced by an export
 * XMTP_E_MOVED   it has lost already
 * others as xmtp_move_export */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_move_cancel(const xmtp_client_options *options,
                                                      xmtp_error *error);

#ifdef __cplusplus
}
#endif
#endif
