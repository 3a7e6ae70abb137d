/* move_import.c - the sealed file of a move becomes a database, whole or not at all.
 *
 *     file --> temporary database --> fence WAITING, new key, log taken in --> under its name
 *
 * It may live only after its first opening has claimed its place (fence.c).
 */
#include "client/move.h"

typedef struct importing {
    xmtp_client *client;
    xmtp_archive_file from;
    xmtp_archive_file to; /* the database */
    xmtp_move_facts facts;
    xmtp_error *error;
} importing;

/* A log or journal beside a missing database would be taken for that of the new one. */
static xmtp_status check_free(const char *path, xmtp_error *error)
{
    static const char *const ends[] = {"", "-wal", "-journal"};
    char name[4096 + 16];
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        int n = snprintf(name, sizeof(name), "%s%s", path, ends[i]);
        if (n < 0 || (size_t)n >= sizeof(name)) {
            return xmtp_fail(error, XMTP_E_ARGUMENT, "a database path of %zu bytes is too long",
                             strlen(path));
        }
        if (access(name, F_OK) == 0) {
            return xmtp_fail(error, XMTP_E_EXISTS, "%.180s is there already", name);
        }
    }
    return XMTP_OK;
}

static xmtp_status check_owner(importing *im)
{
    bool is_there;
    xmtp_client *client = im->client;
    XMTP_TRY(xmtp_identity_load(client, &is_there, im->error));
    bool is_right =
        is_there && client->is_registered &&
        xmtp_ct_equal(client->installation.pk, im->facts.installation, XMTP_INSTALLATION_LEN);
    return is_right ? XMTP_OK
                    : xmtp_fail(im->error, XMTP_E_CORRUPT,
                                "the database in the file is not the installation it says");
}

static xmtp_status settle_in(importing *im)
{
    xmtp_client *client = im->client;
    xmtp_fence fence = {.state = XMTP_FENCE_WAITING, .since_ns = xmtp_now_ns(client)};
    memcpy(fence.secret, im->facts.fence, sizeof(fence.secret));
    XMTP_TRY(check_owner(im));
    xmtp_status status = xmtp_fence_write(client, &fence, im->error);
    xmtp_wipe(&fence, sizeof(fence));
    XMTP_TRY(status);
    if (!xmtp_ct_equal(im->facts.database_key, client->database_key, XMTP_DATABASE_KEY_LEN)) {
        XMTP_TRY(
            xmtp_stored(client, xmtp_database_rekey(client->db, client->database_key), im->error));
    }
    return xmtp_stored(client, xmtp_database_settle(client->db), im->error);
}

/* The temporary file is a whole database; nothing stays beside it. */
static xmtp_status make_ours(importing *im)
{
    xmtp_client *client = im->client;
    XMTP_TRY(xmtp_database_open(&client->db, &client->env, im->to.temporary, im->facts.database_key,
                                im->error));
    xmtp_status status = settle_in(im);
    xmtp_database_close(client->db);
    client->db = NULL;
    return status;
}

static xmtp_status unpack(importing *im, const xmtp_move_secret *secret,
                          const xmtp_move_progress *progress)
{
    const xmtp_archive_source source = xmtp_archive_file_source(&im->from);
    const xmtp_archive_sink sink = xmtp_archive_file_sink(&im->to);
    XMTP_TRY(xmtp_move_unpack(&source, &im->client->env.alloc, secret, &sink, progress, &im->facts,
                              im->error));
    return make_ours(im);
}

static xmtp_status import_file(importing *im, const char *path, const xmtp_move_secret *secret,
                               const xmtp_move_progress *progress)
{
    const char *database = im->client->database_path;
    if (database == NULL) {
        return xmtp_fail(im->error, XMTP_E_UNSUPPORTED, "a database in memory is not moved to");
    }
    XMTP_TRY(check_free(database, im->error));
    XMTP_TRY(xmtp_archive_file_open(&im->from, path, im->error));
    xmtp_status status = xmtp_archive_file_create(&im->to, database, im->error);
    im->to.is_new = true;
    if (status == XMTP_OK) {
        status = unpack(im, secret, progress);
    }
    if (status != XMTP_OK && im->to.temporary != NULL) {
        xmtp_database_delete(im->to.temporary); /* with a log beside it */
    }
    xmtp_archive_file_close(&im->from);
    return xmtp_archive_file_finish(&im->to, status);
}

xmtp_status xmtp_move_import(const xmtp_client_options *options, const char *path,
                             const xmtp_move_secret *secret, const xmtp_move_progress *progress,
                             xmtp_error *error)
{
    xmtp_error_clear(error);
    importing im = {.error = error};
    XMTP_TRY(xmtp_move_check_secret(secret, error));
    XMTP_TRY(xmtp_client_locate(&im.client, options, error));
    xmtp_status status = import_file(&im, path, secret, progress);
    xmtp_wipe(&im.facts, sizeof(im.facts));
    xmtp_client_close(im.client);
    return status == XMTP_OK ? XMTP_OK : xmtp_fail_default(error, status, "move");
}
