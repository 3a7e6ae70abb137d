/* move_file.c - the file of a move: its head, its facts, and the way out of it. */
#include "client/move.h"

static const uint8_t magic[8] = "xmtpmove";

enum {
    FILE_VERSION = 1,
    SEALED_BY_KEY = 1,
    SEALED_BY_PASSPHRASE = 2,
    HEAD_LEN = sizeof(magic) + 2 + XMTP_PASSWORD_SALT_LEN,
    FACTS_LEN = 8 + XMTP_FENCE_SECRET_LEN + XMTP_DATABASE_KEY_LEN + XMTP_INSTALLATION_LEN,
};

static bool has_secret(const xmtp_move_secret *secret, uint8_t how)
{
    return how == SEALED_BY_KEY ? secret->key != NULL : secret->passphrase != NULL;
}

xmtp_status xmtp_move_check_secret(const xmtp_move_secret *secret, xmtp_error *error)
{
    if ((secret->key == NULL) == (secret->passphrase == NULL)) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "a move takes a key or a passphrase, one of them");
    }
    size_t n = secret->passphrase == NULL ? 1 : strlen(secret->passphrase);
    return n > 0 && n <= XMTP_MOVE_PASSPHRASE_MAX
               ? XMTP_OK
               : xmtp_fail(error, XMTP_E_ARGUMENT, "a passphrase of %zu bytes, 1 to %d are taken",
                           n, XMTP_MOVE_PASSPHRASE_MAX);
}

/* The head goes in, so that nothing of it can be altered unseen. */
static xmtp_status key_of(const xmtp_move_secret *secret, const uint8_t head[HEAD_LEN],
                          uint8_t key[XMTP_ARCHIVE_KEY_LEN])
{
    uint8_t material[XMTP_MOVE_KEY_LEN];
    xmtp_secret prk;
    const uint8_t *salt = head + HEAD_LEN - XMTP_PASSWORD_SALT_LEN;
    if (secret->key != NULL) {
        memcpy(material, secret->key, sizeof(material));
    } else {
        XMTP_TRY(xmtp_password_key(xmtp_bytes_of_string(secret->passphrase), salt, material,
                                   sizeof(material)));
    }
    xmtp_hkdf_extract(&xmtp_hash_sha256, xmtp_bytes_of(salt, XMTP_PASSWORD_SALT_LEN),
                      xmtp_bytes_of(material, sizeof(material)), &prk);
    xmtp_wipe(material, sizeof(material));
    xmtp_status status = xmtp_hkdf_expand(&xmtp_hash_sha256, xmtp_secret_bytes(&prk),
                                          xmtp_bytes_of(head, HEAD_LEN), key, XMTP_ARCHIVE_KEY_LEN);
    xmtp_secret_wipe(&prk);
    return status;
}

xmtp_status xmtp_move_head_put(const xmtp_archive_sink *sink, const xmtp_env *env,
                               const xmtp_move_secret *secret, uint8_t key[XMTP_ARCHIVE_KEY_LEN],
                               xmtp_error *error)
{
    uint8_t head[HEAD_LEN];
    memcpy(head, magic, sizeof(magic));
    head[sizeof(magic)] = FILE_VERSION;
    head[sizeof(magic) + 1] = secret->key != NULL ? SEALED_BY_KEY : SEALED_BY_PASSPHRASE;
    XMTP_TRY(env->random(env->context, head + HEAD_LEN - XMTP_PASSWORD_SALT_LEN,
                         XMTP_PASSWORD_SALT_LEN));
    xmtp_status status = key_of(secret, head, key);
    if (status != XMTP_OK) {
        return xmtp_fail_default(error, status, "key of the file");
    }
    return sink->write(sink->context, xmtp_bytes_of(head, sizeof(head)));
}

static xmtp_status read_head(const xmtp_archive_source *source, uint8_t head[HEAD_LEN],
                             xmtp_error *error)
{
    for (size_t n = 0; n < HEAD_LEN;) {
        size_t got = 0;
        XMTP_TRY(source->read(source->context, head + n, HEAD_LEN - n, &got));
        if (got == 0) {
            return xmtp_fail(error, XMTP_E_TRUNCATED, "a file of %zu bytes is no whole move", n);
        }
        n += got;
    }
    return XMTP_OK;
}

xmtp_status xmtp_move_head_read(const xmtp_archive_source *source, const xmtp_move_secret *secret,
                                uint8_t key[XMTP_ARCHIVE_KEY_LEN], xmtp_error *error)
{
    uint8_t head[HEAD_LEN];
    XMTP_TRY(read_head(source, head, error));
    uint8_t version = head[sizeof(magic)];
    uint8_t how = head[sizeof(magic) + 1];
    if (memcmp(head, magic, sizeof(magic)) != 0) {
        return xmtp_fail(error, XMTP_E_MALFORMED, "the file is no installation that was moved");
    }
    if (version != FILE_VERSION || how < SEALED_BY_KEY || how > SEALED_BY_PASSPHRASE) {
        return xmtp_fail(error, XMTP_E_VERSION,
                         "a moved installation of version %d, sealed in way %d; this library reads "
                         "version %d, ways 1 and 2",
                         version, how, FILE_VERSION);
    }
    if (!has_secret(secret, how)) {
        return xmtp_fail(error, XMTP_E_AUTH, "the file is sealed by a %s",
                         how == SEALED_BY_KEY ? "key, not a passphrase" : "passphrase, not a key");
    }
    xmtp_status status = key_of(secret, head, key);
    return status == XMTP_OK ? XMTP_OK : xmtp_fail_default(error, status, "key of the file");
}

/* ---- facts */

xmtp_status xmtp_move_facts_put(xmtp_archive_sealer *sealer, const xmtp_env *env,
                                const xmtp_move_facts *facts)
{
    xmtp_writer w;
    xmtp_writer_init(&w, &env->alloc, FACTS_LEN);
    xmtp_writer_u64(&w, facts->size);
    xmtp_writer_put(&w, xmtp_bytes_of(facts->fence, sizeof(facts->fence)));
    xmtp_writer_put(&w, xmtp_bytes_of(facts->database_key, sizeof(facts->database_key)));
    xmtp_writer_put(&w, xmtp_bytes_of(facts->installation, sizeof(facts->installation)));
    xmtp_status status = xmtp_writer_status(&w);
    if (status == XMTP_OK) {
        status = xmtp_archive_sealer_put(sealer, xmtp_writer_bytes(&w));
    }
    xmtp_writer_free(&w);
    return status;
}

static xmtp_status take(xmtp_reader *r, uint8_t *out, size_t n)
{
    xmtp_bytes bytes;
    XMTP_TRY(xmtp_reader_take(r, n, &bytes));
    memcpy(out, bytes.p, n);
    return XMTP_OK;
}

static xmtp_status decode_facts(xmtp_bytes element, xmtp_move_facts *out)
{
    xmtp_reader r = xmtp_reader_of(element);
    XMTP_TRY(xmtp_reader_u64(&r, &out->size));
    XMTP_TRY(take(&r, out->fence, sizeof(out->fence)));
    XMTP_TRY(take(&r, out->database_key, sizeof(out->database_key)));
    XMTP_TRY(take(&r, out->installation, sizeof(out->installation)));
    return xmtp_reader_end(&r);
}

/* The next element; that there is none means that the export was not finished. */
static xmtp_status next(xmtp_archive_opener *opener, xmtp_bytes *element, xmtp_error *error)
{
    bool has_element;
    XMTP_TRY(xmtp_archive_opener_next(opener, element, &has_element, error));
    return has_element
               ? XMTP_OK
               : xmtp_fail(error, XMTP_E_TRUNCATED, "the file ends before the installation does");
}

xmtp_status xmtp_move_facts_next(xmtp_archive_opener *opener, xmtp_move_facts *out,
                                 xmtp_error *error)
{
    xmtp_bytes element;
    XMTP_TRY(next(opener, &element, error));
    return decode_facts(element, out) == XMTP_OK
               ? XMTP_OK
               : xmtp_fail(error, XMTP_E_MALFORMED, "the file's facts of %zu bytes are none",
                           element.n);
}

/* ---- out of the file */

xmtp_status xmtp_move_tell(const xmtp_move_progress *progress, uint64_t done, uint64_t total)
{
    return progress == NULL || progress->tell == NULL
               ? XMTP_OK
               : progress->tell(progress->context, done, total);
}

/* One block of the database; *done stays when it was the end. */
static xmtp_status unpack_one(xmtp_archive_opener *opener, const xmtp_archive_sink *sink,
                              uint64_t total, uint64_t *done, bool *is_end, xmtp_error *error)
{
    xmtp_bytes element;
    XMTP_TRY(next(opener, &element, error));
    *is_end = element.n == 1 && element.p[0] == XMTP_MOVE_END;
    if (*is_end) {
        return *done == total
                   ? XMTP_OK
                   : xmtp_fail(error, XMTP_E_MALFORMED,
                               "a database of %" PRIu64 " bytes ends after %" PRIu64, total, *done);
    }
    bool is_data = element.n > 1 && element.n <= XMTP_MOVE_BLOCK + 1 &&
                   element.p[0] == XMTP_MOVE_DATA && element.n - 1 <= total - *done;
    if (!is_data) {
        return xmtp_fail(error, XMTP_E_MALFORMED,
                         "%zu bytes behind byte %" PRIu64 " of %" PRIu64
                         " are no part of a database",
                         element.n, *done, total);
    }
    *done += element.n - 1;
    return sink->write(sink->context, xmtp_bytes_of(element.p + 1, element.n - 1));
}

static xmtp_status unpack_all(xmtp_archive_opener *opener, const xmtp_archive_sink *sink,
                              const xmtp_move_progress *progress, xmtp_move_facts *facts,
                              xmtp_error *error)
{
    uint64_t done = 0;
    bool is_end = false;
    xmtp_bytes element;
    bool has_more;
    XMTP_TRY(xmtp_move_facts_next(opener, facts, error));
    while (!is_end) {
        XMTP_TRY(unpack_one(opener, sink, facts->size, &done, &is_end, error));
        XMTP_TRY(xmtp_move_tell(progress, done, facts->size));
    }
    XMTP_TRY(xmtp_archive_opener_next(opener, &element, &has_more, error));
    return has_more ? xmtp_fail(error, XMTP_E_TRAILING, "the file goes on behind its end")
                    : XMTP_OK;
}

xmtp_status xmtp_move_unpack(const xmtp_archive_source *source, const xmtp_alloc *alloc,
                             const xmtp_move_secret *secret, const xmtp_archive_sink *sink,
                             const xmtp_move_progress *progress, xmtp_move_facts *facts,
                             xmtp_error *error)
{
    uint8_t key[XMTP_ARCHIVE_KEY_LEN];
    xmtp_archive_opener opener;
    XMTP_TRY(xmtp_move_head_read(source, secret, key, error));
    xmtp_status status = xmtp_archive_opener_open(&opener, alloc, source, key, error);
    xmtp_wipe(key, sizeof(key));
    if (status == XMTP_OK) {
        status = unpack_all(&opener, sink, progress, facts, error);
    }
    xmtp_archive_opener_free(&opener);
    return status;
}
