/* history_transfer.c - an archive goes to a history server and comes from one (groups.md 7.3).
 *
 *     out   export under a fresh key --> POST {server}/upload --> file id --> {server}/files/{id}
 *     in    GET --> import
 *
 * The server is not trusted with anything but the size. Where it is comes from the configuration, or
 * from another installation of this inbox; the latter may be broken into, so it can make us connect to
 * public hosts only.
 */
#include "client/history.h"

#include "base/bytes.h"

enum { FILE_ID_MAX = 128 };

static bool is_told(const xmtp_client *client, const char *url)
{
    size_t n = strlen(client->device_sync.history_url);
    return n > 0 && strncmp(url, client->device_sync.history_url, n) == 0 &&
           (url[n] == '\0' || url[n] == '/');
}

static xmtp_status request(xmtp_client *client, xmtp_http_request *what, xmtp_writer *answer,
                           xmtp_error *error)
{
    const xmtp_http *http = client->device_sync.http;
    uint32_t code = 0;
    xmtp_error why = {0};
    if (http == NULL) {
        return xmtp_fail(error, XMTP_E_ARGUMENT,
                         "this client was opened without a way to reach a history server");
    }
    what->sink = xmtp_http_to_writer;
    what->sink_context = answer;
    what->timeout_ns = XMTP_HISTORY_TIMEOUT_S * XMTP_SECOND_NS;
    what->public_only = !is_told(client, what->url);
    xmtp_status status = http->request(http->context, what, &code, &why);
    if (status != XMTP_OK) {
        return xmtp_fail(error, status, "history server: %s",
                         why.text[0] == '\0' ? xmtp_status_text(status) : why.text);
    }
    if (code / 100 != 2) {
        return xmtp_fail(error, XMTP_E_NETWORK, "history server answers %u", (unsigned)code);
    }
    return XMTP_OK;
}

/* ---- out */

static xmtp_status export(xmtp_client *client, const xmtp_archive_options *options,
                          const uint8_t key[XMTP_ARCHIVE_KEY_LEN], xmtp_writer *w,
                          xmtp_error *error)
{
    const xmtp_archive_sink sink = {.context = w, .write = xmtp_http_to_writer};
    xmtp_status status =
        xmtp_client_archive_export_to(client, &sink, key, options, NULL, NULL, error);
    return status == XMTP_E_LIMIT && w->status == XMTP_E_LIMIT
               ? xmtp_fail(error, status, "the archive is larger than %d bytes",
                           XMTP_HISTORY_ARCHIVE_MAX)
               : status;
}

static bool is_file_id(xmtp_bytes id)
{
    for (size_t i = 0; i < id.n; i++) {
        bool is_alnum = (id.p[i] >= '0' && id.p[i] <= '9') || (id.p[i] >= 'a' && id.p[i] <= 'z') ||
                        (id.p[i] >= 'A' && id.p[i] <= 'Z');
        if (!is_alnum && id.p[i] != '-' && id.p[i] != '_') {
            return false;
        }
    }
    return id.n > 0 && id.n <= FILE_ID_MAX;
}

static xmtp_status post(xmtp_client *client, const char *server, xmtp_bytes body,
                        char url[XMTP_HISTORY_FILE_URL_LEN], xmtp_error *error)
{
    xmtp_writer answer;
    char upload[XMTP_HISTORY_FILE_URL_LEN];
    (void)snprintf(upload, sizeof(upload), "%s/upload", server);
    xmtp_writer_init(&answer, &client->env.alloc, FILE_ID_MAX);
    xmtp_http_request what = {
        .method = "POST", .url = upload, .body = body, .answer_len_max = FILE_ID_MAX};
    xmtp_status status = request(client, &what, &answer, error);
    xmtp_bytes id = xmtp_writer_bytes(&answer);
    if (status == XMTP_OK && !is_file_id(id)) {
        status = xmtp_fail(error, XMTP_E_PROTOCOL,
                           "history server answers with %zu bytes that are no file id", id.n);
    }
    if (status == XMTP_OK) {
        (void)snprintf(url, XMTP_HISTORY_FILE_URL_LEN, "%s/files/%.*s", server, (int)id.n,
                       (const char *)id.p);
    }
    xmtp_writer_free(&answer);
    return status;
}

xmtp_status xmtp_history_upload(xmtp_client *client, const xmtp_archive_options *options,
                                const char *server, const uint8_t key[XMTP_ARCHIVE_KEY_LEN],
                                char url[XMTP_HISTORY_FILE_URL_LEN], xmtp_error *error)
{
    xmtp_writer archive;
    size_t n = strlen(server);
    if (n == 0 || n > XMTP_HISTORY_URL_MAX) {
        return xmtp_fail(error, XMTP_E_ARGUMENT,
                         "address of a history server of %zu bytes, 1 to %d", n,
                         XMTP_HISTORY_URL_MAX);
    }
    if (client->device_sync.http == NULL) {
        return xmtp_fail(error, XMTP_E_ARGUMENT,
                         "this client was opened without a way to reach a history server");
    }
    xmtp_writer_init(&archive, &client->env.alloc, XMTP_HISTORY_ARCHIVE_MAX);
    xmtp_status status = export(client, options, key, &archive, error);
    if (status == XMTP_OK) {
        status = post(client, server, xmtp_writer_bytes(&archive), url, error);
    }
    xmtp_writer_free(&archive);
    return status;
}

/* ---- in */

static xmtp_status from_reader(void *context, uint8_t *out, size_t capacity, size_t *n)
{
    xmtp_bytes *left = context;
    *n = capacity < left->n ? capacity : left->n;
    xmtp_copy(out, left->p, *n);
    left->p += *n;
    left->n -= *n;
    return XMTP_OK;
}

xmtp_status xmtp_history_download(xmtp_client *client, const char *url,
                                  const uint8_t key[XMTP_ARCHIVE_KEY_LEN],
                                  xmtp_archive_counts *counts, xmtp_error *error)
{
    xmtp_writer archive;
    if (strlen(url) >= XMTP_HISTORY_FILE_URL_LEN) {
        return xmtp_fail(error, XMTP_E_LIMIT, "address of an archive of %zu bytes, at most %d",
                         strlen(url), XMTP_HISTORY_FILE_URL_LEN - 1);
    }
    xmtp_writer_init(&archive, &client->env.alloc, XMTP_HISTORY_ARCHIVE_MAX);
    xmtp_http_request what = {
        .method = "GET", .url = url, .answer_len_max = XMTP_HISTORY_ARCHIVE_MAX};
    xmtp_status status = request(client, &what, &archive, error);
    if (status == XMTP_OK) {
        xmtp_bytes left = xmtp_writer_bytes(&archive);
        const xmtp_archive_source source = {.context = &left, .read = from_reader};
        status = xmtp_client_archive_import_from(client, &source, key, NULL, counts, error);
    }
    xmtp_writer_free(&archive);
    return status;
}
