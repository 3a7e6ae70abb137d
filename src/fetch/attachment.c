/* attachment.c - see include/xmtp/attachment.h. One GET into memory, then digest, length and tag are checked. */
#include "base/bytes.h"
#include "base/status.h"
#include "fetch/fetch.h"

#include <xmtp/attachment.h>

enum { URL_LEN_MAX = 8192 };

static const uint64_t DEFAULT_TIMEOUT_NS = UINT64_C(60) * 1000000000;

/* Before anybody is asked: what was announced must be something that we would take. */
static xmtp_status check(const xmtp_remote_attachment *remote, uint64_t len_max, xmtp_error *error)
{
    if (remote->url == NULL || strlen(remote->url) > URL_LEN_MAX) {
        return xmtp_fail(error, XMTP_E_ARGUMENT,
                         "the attachment's URL is missing, or longer than %d", URL_LEN_MAX);
    }
    if (remote->content_length > len_max) {
        return xmtp_fail(error, XMTP_E_LIMIT, "the file has %llu bytes, at most %llu are taken",
                         (unsigned long long)remote->content_length, (unsigned long long)len_max);
    }
    return XMTP_OK;
}

static xmtp_status explain(uint32_t http_status, xmtp_error *error)
{
    if (http_status / 100 == 3) {
        return xmtp_fail(error, XMTP_E_ADDRESS, "the server sends us elsewhere (%u)", http_status);
    }
    if (http_status != 200) {
        return xmtp_fail(error, XMTP_E_NETWORK, "the server answers %u", http_status);
    }
    return XMTP_OK;
}

static xmtp_status fetch_payload(const xmtp_remote_attachment *remote,
                                 const xmtp_download_options *options, uint64_t len_max,
                                 xmtp_writer *payload, xmtp_error *error)
{
    xmtp_http http;
    uint32_t http_status = 0;
    const xmtp_http_request request = {
        .method = "GET",
        .url = remote->url,
        .sink = xmtp_http_to_writer,
        .sink_context = payload,
        .answer_len_max = remote->content_length != 0 ? remote->content_length : len_max,
        .timeout_ns = options->timeout_ns == 0 ? DEFAULT_TIMEOUT_NS : options->timeout_ns,
        .public_only = !options->is_test,
    };
    const xmtp_fetch_options fetch = {.env = options->env, .ca_file = options->ca_file};
    XMTP_TRY(xmtp_fetch_open(&http, &fetch));
    xmtp_status status = http.request(http.context, &request, &http_status, error);
    http.close(http.context);
    return status == XMTP_OK ? explain(http_status, error) : status;
}

xmtp_status xmtp_remote_attachment_download(const xmtp_remote_attachment *remote,
                                            const xmtp_download_options *options,
                                            xmtp_content **out, xmtp_error *error)
{
    xmtp_writer payload;
    xmtp_download_options o = options == NULL ? (xmtp_download_options){0} : *options;
    uint64_t len_max =
        o.len_max == 0 || o.len_max > XMTP_CONTENT_LEN_MAX ? XMTP_CONTENT_LEN_MAX : o.len_max;
    o.env = o.env == NULL ? xmtp_env_system() : o.env;
    *out = NULL;
    XMTP_TRY(check(remote, len_max, error));
    xmtp_writer_init(&payload, &o.env->alloc, (size_t)len_max);
    xmtp_status status = fetch_payload(remote, &o, len_max, &payload, error);
    if (status == XMTP_OK) {
        status = xmtp_attachment_decrypt(remote, xmtp_writer_bytes(&payload), o.env, out, error);
    }
    xmtp_writer_free(&payload);
    return status == XMTP_OK ? XMTP_OK
                             : xmtp_fail_default(error, status, "the file was not fetched");
}
