/* fetch.c - see fetch.h. One easy handle, reset for each request, so that connections are kept. */
#include "fetch/fetch.h"

#include "base/bytes.h"
#include "base/status.h"

#include <curl/curl.h>
#include <pthread.h>
#include <unistd.h>

enum { NS_PER_MS = 1000000 };

typedef struct fetch {
    const xmtp_env *env;
    CURL *curl;
    char *ca_file;
} fetch;

/* One request on its way. */
typedef struct call {
    const fetch *owner;
    const xmtp_http_request *request;
    uint64_t received;
    xmtp_status status; /* why we ended it ourselves */
} call;

static void *take(const xmtp_env *env, size_t n)
{
    return env->alloc.reallocate(env->alloc.context, NULL, n);
}

static void give_back(const xmtp_env *env, void *p)
{
    if (p != NULL) {
        env->alloc.reallocate(env->alloc.context, p, 0);
    }
}

static size_t on_body(char *p, size_t size, size_t count, void *context)
{
    call *c = context;
    size_t n = size * count;
    long http_status = 0;
    curl_easy_getinfo(c->owner->curl, CURLINFO_RESPONSE_CODE, &http_status);
    c->received += n;
    if (c->received > c->request->answer_len_max) {
        c->status = XMTP_E_LIMIT;
        return CURL_WRITEFUNC_ERROR;
    }
    if (http_status / 100 == 2 && c->request->sink != NULL) {
        c->status = c->request->sink(c->request->sink_context, xmtp_bytes_of(p, n));
    }
    return c->status == XMTP_OK ? n : CURL_WRITEFUNC_ERROR;
}

/* Called with the address that a name led to, for each connection: the last point before it. */
static curl_socket_t on_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    call *c = context;
    (void)purpose;
    if (c->request->public_only && !xmtp_address_is_public(&address->addr)) {
        c->status = XMTP_E_ADDRESS;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static xmtp_status set_options(const fetch *f, call *c, struct curl_slist *headers)
{
    const xmtp_http_request *request = c->request;
    CURL *curl = f->curl;
    const char *schemes = request->public_only ? "https" : "http,https";
    uint64_t timeout_ms = request->timeout_ns / NS_PER_MS;
    bool ok = curl_easy_setopt(curl, CURLOPT_URL, request->url) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, schemes) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, schemes) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, (long)(request->redirect_count_max > 0)) ==
          CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)request->redirect_count_max) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(timeout_ms < 1 ? 1 : timeout_ms)) ==
          CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_WRITEDATA, c) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, on_socket) == CURLE_OK;
    ok &= curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, c) == CURLE_OK;
    if (strcmp(request->method, "GET") == 0) {
        ok &= curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L) == CURLE_OK;
    } else {
        ok &= curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.n) ==
              CURLE_OK;
        ok &=
            curl_easy_setopt(curl, CURLOPT_POSTFIELDS,
                             request->body.n == 0 ? "" : (const char *)request->body.p) == CURLE_OK;
    }
    if (request->public_only) {
        /* Behind a proxy the address could not be checked, and a kept connection was not checked
         * for this request. */
        ok &= curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK;
        ok &= curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK;
    }
    if (f->ca_file != NULL) {
        ok &= curl_easy_setopt(curl, CURLOPT_CAINFO, f->ca_file) == CURLE_OK;
    }
    return ok ? XMTP_OK : XMTP_E_NOMEM;
}

static xmtp_status status_of(CURLcode code, const call *c)
{
    if (c->status != XMTP_OK) {
        return c->status;
    }
    switch ((int)code) {
    case CURLE_OK:
        return XMTP_OK;
    case CURLE_OUT_OF_MEMORY:
        return XMTP_E_NOMEM;
    case CURLE_OPERATION_TIMEDOUT:
        return XMTP_E_TIMEOUT;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return XMTP_E_ARGUMENT;
    default:
        return XMTP_E_NETWORK;
    }
}

static xmtp_status explain(xmtp_status status, CURLcode code, const call *c, const char *detail,
                           xmtp_error *error)
{
    switch ((int)status) {
    case XMTP_OK:
        return XMTP_OK;
    case XMTP_E_ADDRESS:
        return xmtp_fail(error, status, "the address leads into a private network");
    case XMTP_E_LIMIT:
        return xmtp_fail(error, status, "the answer is longer than %llu bytes",
                         (unsigned long long)c->request->answer_len_max);
    case XMTP_E_TIMEOUT:
        return xmtp_fail(error, status, "no complete answer within %llu ms",
                         (unsigned long long)(c->request->timeout_ns / NS_PER_MS));
    default:
        return xmtp_fail_default(error, status, detail[0] != 0 ? detail : curl_easy_strerror(code));
    }
}

static xmtp_status perform(const fetch *f, call *c, struct curl_slist *headers,
                           uint32_t *http_status, xmtp_error *error)
{
    char detail[CURL_ERROR_SIZE] = "";
    CURLcode code = CURLE_OUT_OF_MEMORY;
    curl_easy_reset(f->curl);
    if (curl_easy_setopt(f->curl, CURLOPT_ERRORBUFFER, detail) == CURLE_OK &&
        set_options(f, c, headers) == XMTP_OK) {
        code = curl_easy_perform(f->curl);
    }
    long seen = 0;
    if (curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &seen) == CURLE_OK) {
        *http_status = (uint32_t)seen;
    }
    curl_easy_reset(f->curl); /* detail and headers end here */
    return explain(status_of(code, c), code, c, detail, error);
}

static xmtp_status request(void *context, const xmtp_http_request *request, uint32_t *http_status,
                           xmtp_error *error)
{
    const fetch *f = context;
    call c = {.owner = f, .request = request};
    *http_status = 0;
    struct curl_slist *headers = NULL;
    if (request->content_type != NULL) {
        char line[256];
        int n = snprintf(line, sizeof(line), "Content-Type: %s", request->content_type);
        XMTP_ENSURE(n > 0 && (size_t)n < sizeof(line), XMTP_E_ARGUMENT);
        headers = curl_slist_append(NULL, line);
        XMTP_ENSURE(headers != NULL, XMTP_E_NOMEM);
    }
    xmtp_status status = perform(f, &c, headers, http_status, error);
    curl_slist_free_all(headers);
    return status;
}

static void close_fetch(void *context)
{
    fetch *f = context;
    if (f != NULL) {
        const xmtp_env *env = f->env;
        curl_easy_cleanup(f->curl);
        give_back(env, f->ca_file);
        give_back(env, f);
    }
}

static void start_curl(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

static xmtp_status copy_string(const xmtp_env *env, const char *text, char **out)
{
    if (text != NULL) {
        size_t n = strlen(text) + 1;
        *out = take(env, n);
        XMTP_ENSURE(*out != NULL, XMTP_E_NOMEM);
        memcpy(*out, text, n);
    }
    return XMTP_OK;
}

xmtp_status xmtp_fetch_open(xmtp_http *out, const xmtp_fetch_options *options)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, start_curl);
    fetch *f = take(options->env, sizeof(*f));
    XMTP_ENSURE(f != NULL, XMTP_E_NOMEM);
    *f = (fetch){.env = options->env, .curl = curl_easy_init()};
    if (f->curl == NULL || copy_string(f->env, options->ca_file, &f->ca_file) != XMTP_OK) {
        close_fetch(f);
        return XMTP_E_NOMEM;
    }
    *out = (xmtp_http){.context = f, .request = request, .close = close_fetch};
    return XMTP_OK;
}
