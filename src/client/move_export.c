/* move_export.c - a database becomes the sealed file of a move, and is fenced.
 *
 *     pages to the temporary file --> fence on disk --> end of the file, on disk, under its name
 *
 * Before the fence the file has no end and no name; after it the database does not open. A crash or a
 * full disk between the two leaves a fenced database, of which the same call makes the file again.
 */
#include "client/host.h"
#include "client/move.h"

typedef struct exporting {
    xmtp_client *client;
    const xmtp_move_progress *progress;
    xmtp_fence fence;
    xmtp_archive_file file;
    xmtp_archive_sink sink;
    xmtp_archive_sealer sealer;
    bool is_fenced; /* by this call or one before it */
    int lock;
    xmtp_error *error;
} exporting;

/* ---- what may be exported */

/* A new move, or another copy of the one that fenced it. */
static xmtp_status take_fence(exporting *e)
{
    xmtp_client *client = e->client;
    XMTP_TRY(xmtp_fence_read(client, &e->fence, e->error));
    switch (e->fence.state) {
    case XMTP_FENCE_MOVED:
        e->is_fenced = true;
        return XMTP_OK;
    case XMTP_FENCE_WAITING:
        return xmtp_fail(e->error, XMTP_E_STATE,
                         "this installation has not claimed its place after its last move: open it "
                         "once first");
    case XMTP_FENCE_LOST:
        return xmtp_fence_refuse(&e->fence, e->error);
    case XMTP_FENCE_NONE:
    case XMTP_FENCE_LIVING:
        break;
    }
    e->fence = (xmtp_fence){.state = XMTP_FENCE_MOVED, .since_ns = xmtp_now_ns(client)};
    return client->env.random(client->env.context, e->fence.secret, sizeof(e->fence.secret));
}

/* A host parks clients without a lock on their files: its folder must be nobody's. */
static xmtp_status lock_folder(const char *path, int *fd, xmtp_error *error)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 0 : (size_t)(slash - path);
    if (n >= sizeof(folder)) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "a database path of %zu bytes is too long",
                         strlen(path));
    }
    memcpy(folder, path, n);
    folder[n] = '\0';
    return xmtp_host_folder_lock(slash == NULL ? "." : folder, false, fd, error);
}

/* It is there, nobody has it, and it is a registered installation's. *lock: to be closed unless -1. */
static xmtp_status open_database(xmtp_client *client, int *lock, xmtp_error *error)
{
    bool is_there;
    if (client->database_path == NULL) {
        return xmtp_fail(error, XMTP_E_UNSUPPORTED, "a database in memory is not moved");
    }
    if (access(client->database_path, F_OK) != 0) {
        return xmtp_fail(error, XMTP_E_NOT_FOUND, "there is no database %.180s",
                         client->database_path);
    }
    XMTP_TRY(lock_folder(client->database_path, lock, error));
    XMTP_TRY(xmtp_database_open(&client->db, &client->env, client->database_path,
                                client->database_key, error));
    XMTP_TRY(xmtp_identity_load(client, &is_there, error));
    return is_there && client->is_registered
               ? XMTP_OK
               : xmtp_fail(error, XMTP_E_NOT_REGISTERED,
                           "the database is no registered installation's");
}

/* ---- the file */

static xmtp_status put_facts(exporting *e, uint64_t size)
{
    xmtp_move_facts facts = {.size = size};
    memcpy(facts.fence, e->fence.secret, sizeof(facts.fence));
    memcpy(facts.database_key, xmtp_database_key(e->client->db), sizeof(facts.database_key));
    memcpy(facts.installation, e->client->installation.pk, sizeof(facts.installation));
    xmtp_status status = xmtp_move_facts_put(&e->sealer, &e->client->env, &facts);
    xmtp_wipe(&facts, sizeof(facts));
    return status;
}

static xmtp_status put_pages(exporting *e, uint64_t size, uint8_t block[XMTP_MOVE_BLOCK + 1])
{
    block[0] = XMTP_MOVE_DATA;
    for (uint64_t at = 0; at < size;) {
        size_t n = size - at < XMTP_MOVE_BLOCK ? (size_t)(size - at) : XMTP_MOVE_BLOCK;
        XMTP_TRY(
            xmtp_stored(e->client, xmtp_database_raw(e->client->db, at, block + 1, n), e->error));
        XMTP_TRY(xmtp_archive_sealer_put(&e->sealer, xmtp_bytes_of(block, n + 1)));
        at += n;
        XMTP_TRY(xmtp_move_tell(e->progress, at, size));
    }
    return XMTP_OK;
}

static xmtp_status put_database(exporting *e)
{
    xmtp_client *client = e->client;
    uint64_t size;
    XMTP_TRY(xmtp_stored(client, xmtp_database_settle(client->db), e->error));
    XMTP_TRY(xmtp_stored(client, xmtp_database_raw_size(client->db, &size), e->error));
    XMTP_TRY(put_facts(e, size));
    uint8_t *block =
        client->env.alloc.reallocate(client->env.alloc.context, NULL, XMTP_MOVE_BLOCK + 1);
    XMTP_ENSURE(block != NULL, XMTP_E_NOMEM);
    xmtp_status status = put_pages(e, size, block);
    xmtp_give_back(client, block);
    return status;
}

static xmtp_status fence_and_finish(exporting *e)
{
    static const uint8_t end[] = {XMTP_MOVE_END};
    XMTP_TRY(xmtp_archive_sealer_flush(&e->sealer)); /* a full disk shows before the fence */
    XMTP_TRY(xmtp_archive_file_sync(&e->file));
    if (!e->is_fenced) {
        XMTP_TRY(xmtp_fence_write(e->client, &e->fence, e->error));
        e->is_fenced = true;
    }
    XMTP_TRY(xmtp_archive_sealer_put(&e->sealer, xmtp_bytes_of(end, sizeof(end))));
    return xmtp_archive_sealer_finish(&e->sealer);
}

static xmtp_status seal(exporting *e, const xmtp_move_secret *secret)
{
    const xmtp_env *env = &e->client->env;
    uint8_t key[XMTP_ARCHIVE_KEY_LEN];
    XMTP_TRY(xmtp_move_head_put(&e->sink, env, secret, key, e->error));
    xmtp_status status = xmtp_archive_sealer_open(&e->sealer, env, &e->sink, key);
    xmtp_wipe(key, sizeof(key));
    if (status == XMTP_OK) {
        status = put_database(e);
    }
    if (status == XMTP_OK) {
        status = fence_and_finish(e);
    }
    xmtp_archive_sealer_free(&e->sealer);
    return status;
}

static xmtp_status write_file(exporting *e, const char *path, const xmtp_move_secret *secret)
{
    xmtp_status status = xmtp_archive_file_create(&e->file, path, e->error);
    e->file.is_new = true;
    e->sink = xmtp_archive_file_sink(&e->file);
    if (status == XMTP_OK) {
        status = seal(e, secret);
    }
    return xmtp_archive_file_finish(&e->file, status);
}

/* ---- all of it */

static void close_all(xmtp_client *client, int lock)
{
    xmtp_client_close(client);
    if (lock >= 0) {
        (void)close(lock);
    }
}

static xmtp_status export_database(exporting *e, const char *path, const xmtp_move_secret *secret)
{
    if (access(path, F_OK) == 0) {
        return xmtp_fail(e->error, XMTP_E_EXISTS, "%.180s is there already", path);
    }
    XMTP_TRY(open_database(e->client, &e->lock, e->error));
    XMTP_TRY(take_fence(e));
    return write_file(e, path, secret);
}

/* What failed after the fence needs telling what to do. */
static xmtp_status tell_fenced(const exporting *e, xmtp_status status, xmtp_error *error)
{
    if (status == XMTP_OK || !e->is_fenced || error == NULL) {
        return status;
    }
    xmtp_error why = *error;
    return xmtp_fail(error, status,
                     "%.160s; the database is fenced: export it again, or cancel the move",
                     why.text[0] != '\0' ? why.text : xmtp_status_text(status));
}

xmtp_status xmtp_move_export(const xmtp_client_options *options, const char *path,
                             const xmtp_move_secret *secret, const xmtp_move_progress *progress,
                             xmtp_error *error)
{
    xmtp_error_clear(error);
    exporting e = {.progress = progress, .lock = -1, .error = error};
    XMTP_TRY(xmtp_move_check_secret(secret, error));
    XMTP_TRY(xmtp_client_locate(&e.client, options, error));
    xmtp_status status = export_database(&e, path, secret);
    status = tell_fenced(&e, status, error);
    xmtp_wipe(&e.fence, sizeof(e.fence));
    close_all(e.client, e.lock);
    return status == XMTP_OK ? XMTP_OK : xmtp_fail_default(error, status, "move");
}

static xmtp_status take_back(xmtp_client *client, int *lock, xmtp_error *error)
{
    xmtp_fence fence;
    XMTP_TRY(open_database(client, lock, error));
    XMTP_TRY(xmtp_fence_read(client, &fence, error));
    if (fence.state == XMTP_FENCE_LOST) {
        return xmtp_fence_refuse(&fence, error);
    }
    if (fence.state != XMTP_FENCE_MOVED) {
        return xmtp_fail(error, XMTP_E_STATE, "this installation is not fenced by an export");
    }
    fence.state = XMTP_FENCE_WAITING;
    fence.since_ns = xmtp_now_ns(client);
    xmtp_status status = xmtp_fence_write(client, &fence, error);
    xmtp_wipe(&fence, sizeof(fence));
    return status;
}

xmtp_status xmtp_move_cancel(const xmtp_client_options *options, xmtp_error *error)
{
    xmtp_client *client;
    int lock = -1;
    xmtp_error_clear(error);
    XMTP_TRY(xmtp_client_locate(&client, options, error));
    xmtp_status status = take_back(client, &lock, error);
    close_all(client, lock);
    return status;
}
