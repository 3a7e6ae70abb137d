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
    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    return xmtp_tls_set_rules(context);
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

xmtp_status xmtp_tls_conn_new(xmtp_tls_conn **out, xmtp_tls_server *server)
{
    (void)pthread_mutex_lock(&server->lock);
    SSL *ssl = SSL_new(server->context);
    (void)pthread_mutex_unlock(&server->lock);
    if (ssl != NULL) {
        SSL_set_accept_state(ssl);
    }
    return xmtp_tls_conn_wrap(out, server->alloc, ssl);
}
