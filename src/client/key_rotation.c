/* key_rotation.c - our key packages: made, uploaded, replaced, deleted (groups.md 4.7).
 *
 * A key package is reused until it is replaced: every 30 days, and soon after a welcome used it.
 * Its private keys live another day for welcomes that are on their way.
 */
#include "client/state.h"
#include "proto/mls_api.pb-c.h"

static const uint64_t ROTATION_NS = 30 * XMTP_DAY_NS;
static const uint64_t AFTER_WELCOME_NS = 5 * XMTP_SECOND_NS;

/* The private record: vectors in this order. Old ones end before the check. */
static void encode_keys(xmtp_writer *w, const xmtp_inbox_key_package_keys *keys)
{
    xmtp_writer_vec(w, xmtp_bytes_of(keys->mls.ref, keys->mls.ref_len));
    xmtp_writer_vec(w, xmtp_bytes_of(keys->mls.init_sk, keys->mls.init_sk_len));
    xmtp_writer_vec(w, xmtp_bytes_of(keys->mls.leaf_sk, keys->mls.leaf_sk_len));
    xmtp_writer_vec(w, xmtp_bytes_of(keys->xwing_seed, sizeof(keys->xwing_seed)));
    xmtp_writer_vec(w, xmtp_bytes_of(keys->mls.check, sizeof(keys->mls.check)));
}

static xmtp_status read_part(xmtp_reader *r, uint8_t *out, size_t capacity, size_t *n)
{
    xmtp_bytes part;
    XMTP_TRY(xmtp_reader_vec(r, &part));
    XMTP_ENSURE(part.n <= capacity, XMTP_E_CORRUPT);
    xmtp_copy(out, part.p, part.n);
    *n = part.n;
    return XMTP_OK;
}

static xmtp_status decode_keys(xmtp_bytes in, xmtp_inbox_key_package_keys *keys)
{
    xmtp_reader r = xmtp_reader_of(in);
    xmtp_mls_key_package_private *mls = &keys->mls;
    memset(keys, 0, sizeof(*keys));
    XMTP_TRY(read_part(&r, mls->ref, sizeof(mls->ref), &mls->ref_len));
    XMTP_TRY(read_part(&r, mls->init_sk, sizeof(mls->init_sk), &mls->init_sk_len));
    XMTP_TRY(read_part(&r, mls->leaf_sk, sizeof(mls->leaf_sk), &mls->leaf_sk_len));
    XMTP_TRY(xmtp_reader_vec_exact(&r, keys->xwing_seed, sizeof(keys->xwing_seed)));
    if (r.n > 0) {
        XMTP_TRY(xmtp_reader_vec_exact(&r, mls->check, sizeof(mls->check)));
    }
    return xmtp_reader_end(&r);
}

/* Others seal to it once they have it: not even a power cut may take the private keys, or the
 * installation that they belong to, which was stored before them. */
static xmtp_status insert_for_good(xmtp_client *client, const xmtp_own_key_package_row *row)
{
    xmtp_status status = xmtp_database_durable_begin(client->db);
    if (status == XMTP_OK) {
        status = xmtp_own_key_package_insert(client->db, row);
    }
    return xmtp_database_durable_end(client->db, status);
}

static xmtp_status store_key_package(xmtp_client *client, xmtp_bytes key_package,
                                     const xmtp_inbox_key_package_keys *keys, xmtp_error *error)
{
    xmtp_writer w;
    xmtp_writer_init(&w, &client->env.alloc, 1024);
    encode_keys(&w, keys);
    xmtp_own_key_package_row row = {
        .init_key = xmtp_bytes_of(keys->init_pk, sizeof(keys->init_pk)),
        .wrapper_key = xmtp_bytes_of(keys->xwing_pk, sizeof(keys->xwing_pk)),
        .key_package = key_package,
        .private_keys = xmtp_writer_bytes(&w),
    };
    xmtp_status status = xmtp_writer_status(&w);
    if (status == XMTP_OK) {
        status = insert_for_good(client, &row);
    }
    xmtp_writer_free(&w);
    return xmtp_stored(client, status, error);
}

static xmtp_status upload(xmtp_client *client, xmtp_bytes key_package, xmtp_error *error)
{
    Pb__KeyPackageUpload body = PB__KEY_PACKAGE_UPLOAD__INIT;
    body.has_key_package_tls_serialized = 1;
    body.key_package_tls_serialized = xmtp_proto_data(key_package);
    Pb__UploadKeyPackageRequest request = PB__UPLOAD_KEY_PACKAGE_REQUEST__INIT;
    request.key_package = &body;
    request.has_is_inbox_id_credential = 1;
    request.is_inbox_id_credential = 1;
    return xmtp_call(client, XMTP_MLS_API("UploadKeyPackage"), &request.base, NULL, NULL, NULL,
                     error);
}

/* The private keys are stored before the public ones leave. Only what is the newest upload counts
 * for others, so older ones are retired only after it succeeded. */
xmtp_status xmtp_rotate_key_package(xmtp_client *client, xmtp_error *error)
{
    uint8_t *key_package = NULL;
    size_t key_package_len = 0;
    xmtp_inbox_key_package_keys keys;
    XMTP_TRY(xmtp_inbox_key_package_create(&client->env, client->inbox_id, &client->installation,
                                           &key_package, &key_package_len, &keys, error));
    xmtp_bytes bytes = xmtp_bytes_of(key_package, key_package_len);
    xmtp_status status = store_key_package(client, bytes, &keys, error);
    xmtp_inbox_key_package_keys_wipe(&keys);
    if (status == XMTP_OK) {
        status = upload(client, bytes, error);
    }
    xmtp_give_back(client, key_package);
    XMTP_TRY(status);
    uint64_t now_ns = xmtp_now_ns(client);
    XMTP_TRY(xmtp_begin(client, error));
    status = xmtp_own_key_package_retire(client->db, now_ns + XMTP_DAY_NS);
    if (status == XMTP_OK) {
        status = xmtp_identity_set_rotation(client->db, now_ns + ROTATION_NS);
    }
    if (status != XMTP_OK) {
        xmtp_database_rollback(client->db);
        return xmtp_stored(client, status, error);
    }
    return xmtp_commit(client, error);
}

static xmtp_status next_rotation(xmtp_client *client, uint64_t *at_ns, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_scratch(client, &arena);
    xmtp_identity_row row;
    xmtp_status status = xmtp_identity_read(client->db, &arena, &row);
    *at_ns = row.next_rotation_ns;
    xmtp_arena_reset(&arena);
    return xmtp_stored(client, status, error);
}

xmtp_status xmtp_key_package_chores(xmtp_client *client, xmtp_error *error)
{
    uint64_t at_ns;
    uint64_t now_ns = xmtp_now_ns(client);
    XMTP_TRY(next_rotation(client, &at_ns, error));
    if (at_ns <= now_ns) {
        XMTP_TRY(xmtp_rotate_key_package(client, error));
    }
    return xmtp_stored(client, xmtp_own_key_package_delete_expired(client->db, now_ns), error);
}

xmtp_status xmtp_queue_rotation(xmtp_client *client, xmtp_error *error)
{
    uint64_t at_ns;
    uint64_t soon_ns = xmtp_now_ns(client) + AFTER_WELCOME_NS;
    XMTP_TRY(next_rotation(client, &at_ns, error));
    if (at_ns <= soon_ns) {
        return XMTP_OK;
    }
    return xmtp_stored(client, xmtp_identity_set_rotation(client->db, soon_ns), error);
}

xmtp_status xmtp_read_key_package(xmtp_client *client, xmtp_bytes public_key, xmtp_arena *arena,
                                  xmtp_bytes *key_package, xmtp_inbox_key_package_keys *keys,
                                  xmtp_error *error)
{
    xmtp_own_key_package_row row;
    xmtp_status status = xmtp_own_key_package_find(client->db, public_key, arena, &row);
    if (status == XMTP_E_NOT_FOUND) {
        return xmtp_fail(error, status, "welcome for a key package that is not ours any more");
    }
    XMTP_TRY(xmtp_stored(client, status, error));
    *key_package = row.key_package;
    status = decode_keys(row.private_keys, keys);
    return status == XMTP_OK ? XMTP_OK : xmtp_fail(error, XMTP_E_CORRUPT, "stored key package");
}
