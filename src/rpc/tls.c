/* tls.c - see tls.h. */
#include "rpc/tls.h"

#include "base/bytes.h"
#include "base/status.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sys/stat.h>

struct xmtp_tls_server {
    const xmtp_alloc *alloc;
    char *files[2];       /* certificate, key */
    pthread_mutex_t lock; /* for what follows */
    SSL_CTX *context;
    struct stat seen[2];
};

struct xmtp_tls_conn {
    const xmtp_alloc *alloc;
    SSL *ssl;
    BIO *in;  /* owned by ssl */
    BIO *out; /* owned by ssl */
    bool has_said_goodbye;
};

/* ---- certificates */

/* h2 before http/1.1, whatever order the client likes; nothing in common ends the handshake. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_n,
                           const unsigned char *in, unsigned in_n, void *context)
{
    static const unsigned char ours[] = "\x02h2\x08http/1.1";
    (void)ssl;
    (void)context;
    unsigned char *chosen = NULL;
    int result = SSL_select_next_proto(&chosen, out_n, ours, sizeof ours - 1, in, in_n);
    *out = chosen;
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static bool set_rules(SSL_CTX *context)
{
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1;
}

static xmtp_status fail_with_reason(xmtp_error *error, const char *what, const char *file)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);
    ERR_clear_error();
    return xmtp_fail(error, XMTP_E_ARGUMENT, "%s %.120s: %s", what, file,
                     reason == NULL ? "cannot be used" : reason);
}

static xmtp_status load(SSL_CTX *context, char *const files[2], xmtp_error *error)
{
    ERR_clear_error();
    if (!set_rules(context)) {
        return fail_with_reason(error, "TLS", "settings");
    }
    if (SSL_CTX_use_certificate_chain_file(context, files[0]) != 1) {
        return fail_with_reason(error, "TLS certificate", files[0]);
    }
    if (SSL_CTX_use_PrivateKey_file(context, files[1], SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context) != 1) {
        return fail_with_reason(error, "TLS key", files[1]);
    }
    return XMTP_OK;
}

static xmtp_status look_at(char *const files[2], struct stat seen[2], xmtp_error *error)
{
    for (int i = 0; i < 2; i++) {
        if (stat(files[i], &seen[i]) != 0) {
            return xmtp_fail(error, XMTP_E_IO, "TLS file %.120s cannot be read", files[i]);
        }
    }
    return XMTP_OK;
}

xmtp_status xmtp_tls_server_reload(xmtp_tls_server *server, xmtp_error *error)
{
    struct stat seen[2];
    xmtp_status status = look_at(server->files, seen, error);
    SSL_CTX *context = status == XMTP_OK ? SSL_CTX_new(TLS_server_method()) : NULL;
    if (status == XMTP_OK) {
        status = context == NULL ? XMTP_E_NOMEM : load(context, server->files, error);
    }
    (void)pthread_mutex_lock(&server->lock);
    if (status == XMTP_OK) {
        SSL_CTX *old = server->context;
        server->context = context;
        context = old;
    }
    if (status != XMTP_E_IO) {
        memcpy(server->seen, seen, sizeof seen); /* a bad file is complained about once */
    }
    (void)pthread_mutex_unlock(&server->lock);
    SSL_CTX_free(context);
    return status;
}

bool xmtp_tls_server_has_changed(xmtp_tls_server *server)
{
    struct stat now[2];
    if (look_at(server->files, now, NULL) != XMTP_OK) {
        return false; /* in the middle of being replaced */
    }
    bool has_changed = false;
    (void)pthread_mutex_lock(&server->lock);
    for (int i = 0; i < 2; i++) {
        const struct stat *old = &server->seen[i];
        has_changed |= old->st_mtim.tv_sec != now[i].st_mtim.tv_sec ||
                       old->st_mtim.tv_nsec != now[i].st_mtim.tv_nsec ||
                       old->st_size != now[i].st_size || old->st_ino != now[i].st_ino;
    }
    (void)pthread_mutex_unlock(&server->lock);
    return has_changed;
}

static char *copy_text(const xmtp_alloc *alloc, const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = alloc->reallocate(alloc->context, NULL, n);
    if (copy != NULL) {
        memcpy(copy, text, n);
    }
    return copy;
}

xmtp_status xmtp_tls_server_open(xmtp_tls_server **out, const xmtp_alloc *alloc,
                                 const char *certificate_file, const char *key_file,
                                 xmtp_error *error)
{
    *out = NULL;
    xmtp_tls_server *server = alloc->reallocate(alloc->context, NULL, sizeof *server);
    XMTP_ENSURE(server != NULL, XMTP_E_NOMEM);
    *server = (xmtp_tls_server){.alloc = alloc};
    (void)pthread_mutex_init(&server->lock, NULL);
    server->files[0] = copy_text(alloc, certificate_file);
    server->files[1] = copy_text(alloc, key_file);
    bool has_files = server->files[0] != NULL && server->files[1] != NULL;
    xmtp_status status = has_files ? xmtp_tls_server_reload(server, error) : XMTP_E_NOMEM;
    if (status != XMTP_OK) {
        xmtp_tls_server_close(server);
        return status;
    }
    *out = server;
    return XMTP_OK;
}

void xmtp_tls_server_close(xmtp_tls_server *server)
{
    if (server == NULL) {
        return;
    }
    const xmtp_alloc *alloc = server->alloc;
    SSL_CTX_free(server->context);
    (void)pthread_mutex_destroy(&server->lock);
    for (int i = 0; i < 2; i++) {
        if (server->files[i] != NULL) {
            (void)alloc->reallocate(alloc->context, server->files[i], 0);
        }
    }
    (void)alloc->reallocate(alloc->context, server, 0);
}

/* ---- connections */

static bool make_ssl(xmtp_tls_conn *conn, xmtp_tls_server *server)
{
    (void)pthread_mutex_lock(&server->lock);
    conn->ssl = SSL_new(server->context);
    (void)pthread_mutex_unlock(&server->lock);
    conn->in = BIO_new(BIO_s_mem());
    conn->out = BIO_new(BIO_s_mem());
    if (conn->ssl == NULL || conn->in == NULL || conn->out == NULL) {
        (void)BIO_free(conn->in);
        (void)BIO_free(conn->out);
        SSL_free(conn->ssl);
        return false;
    }
    (void)BIO_set_mem_eof_return(conn->in, -1); /* empty means: later */
    (void)BIO_set_mem_eof_return(conn->out, -1);
    SSL_set_bio(conn->ssl, conn->in, conn->out);
    SSL_set_accept_state(conn->ssl);
    return true;
}

xmtp_status xmtp_tls_conn_new(xmtp_tls_conn **out, xmtp_tls_server *server)
{
    const xmtp_alloc *alloc = server->alloc;
    *out = NULL;
    xmtp_tls_conn *conn = alloc->reallocate(alloc->context, NULL, sizeof *conn);
    XMTP_ENSURE(conn != NULL, XMTP_E_NOMEM);
    *conn = (xmtp_tls_conn){.alloc = alloc};
    if (!make_ssl(conn, server)) {
        (void)alloc->reallocate(alloc->context, conn, 0);
        return XMTP_E_NOMEM;
    }
    *out = conn;
    return XMTP_OK;
}

void xmtp_tls_conn_free(xmtp_tls_conn *conn)
{
    if (conn != NULL) {
        SSL_free(conn->ssl);
        (void)conn->alloc->reallocate(conn->alloc->context, conn, 0);
    }
}

xmtp_status xmtp_tls_conn_recv(xmtp_tls_conn *conn, xmtp_bytes in)
{
    size_t n = 0;
    bool is_taken = in.n == 0 || (BIO_write_ex(conn->in, in.p, in.n, &n) == 1 && n == in.n);
    return is_taken ? XMTP_OK : XMTP_E_NOMEM;
}

xmtp_status xmtp_tls_conn_read(xmtp_tls_conn *conn, uint8_t *out, size_t capacity, size_t *n)
{
    *n = 0;
    ERR_clear_error();
    int result = SSL_read_ex(conn->ssl, out, capacity, n);
    if (result == 1) {
        return XMTP_OK;
    }
    switch (SSL_get_error(conn->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return XMTP_E_RETRY;
    case SSL_ERROR_ZERO_RETURN:
        return XMTP_E_CLOSED;
    default:
        ERR_clear_error();
        conn->has_said_goodbye = true; /* an alert is on its way */
        return XMTP_E_PROTOCOL;
    }
}

xmtp_status xmtp_tls_conn_write(xmtp_tls_conn *conn, xmtp_bytes in)
{
    size_t n = 0;
    ERR_clear_error();
    bool is_written = SSL_write_ex(conn->ssl, in.p, in.n, &n) == 1 && n == in.n;
    return is_written ? XMTP_OK : XMTP_E_NETWORK;
}

bool xmtp_tls_conn_has_handshaken(const xmtp_tls_conn *conn)
{
    return SSL_is_init_finished(conn->ssl) != 0;
}

bool xmtp_tls_conn_owes_goodbye(const xmtp_tls_conn *conn)
{
    return !conn->has_said_goodbye && xmtp_tls_conn_has_handshaken(conn);
}

void xmtp_tls_conn_shutdown(xmtp_tls_conn *conn)
{
    if (xmtp_tls_conn_owes_goodbye(conn)) {
        ERR_clear_error();
        (void)SSL_shutdown(conn->ssl);
    }
    conn->has_said_goodbye = true;
}

size_t xmtp_tls_conn_send(xmtp_tls_conn *conn, uint8_t *out, size_t capacity)
{
    size_t n = 0;
    return BIO_read_ex(conn->out, out, capacity, &n) == 1 ? n : 0;
}

bool xmtp_tls_conn_has_output(const xmtp_tls_conn *conn)
{
    return BIO_ctrl_pending(conn->out) > 0;
}
