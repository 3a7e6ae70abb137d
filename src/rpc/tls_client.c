/* tls_client.c - see tls_client.h.
 *
 *     read --> OpenSSL --certificate is wrong--> judge: the sentence, while the certificate is at hand
 *        \--handshake failed--> explain: the certificate's sentence, or what else it was
 *
 * What a certificate says about itself is foreign text: only its printable ASCII gets into sentences.
 */
#include "rpc/tls_client.h"

#include "base/bytes.h"
#include "base/status.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { HOST_LEN_MAX = 256, NAMES_LEN_MAX = 100, DATE_LEN_MAX = 32, ALERT_OFFSET = 1000 };

struct xmtp_tls_client {
    const xmtp_alloc *alloc;
    SSL_CTX *context;
    SSL_SESSION *session; /* of the last connection, to be resumed once; NULL: none */
    bool is_address;
    xmtp_error verdict; /* about the certificate that OpenSSL looks at now */
    char host[HOST_LEN_MAX];
};

/* ---- who is trusted */

/* Where systems keep their authorities; OpenSSL knows only one of them, that of the system that it was
 * built for. */
static const char *const bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Arch */
    "/etc/pki/tls/certs/ca-bundle.crt",                  /* Fedora, RHEL */
    "/etc/ssl/ca-bundle.pem",                            /* openSUSE */
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* CentOS */
    "/etc/ssl/cert.pem",                                 /* Alpine */
};

static bool is_there(const char *variable, const char *usual)
{
    const char *path = secure_getenv(variable);
    return access(path != NULL ? path : usual, R_OK) == 0;
}

/* A folder where each authority lies under the hash of its name: what is needed is read when it is
 * needed, while a bundle costs some 40 ms and 770 KB whole (Debian 12, OpenSSL 3.0). */
static bool is_hashed(const char *folder)
{
    bool is_found = false;
    DIR *entries = opendir(folder);
    for (struct dirent *e; entries != NULL && !is_found && (e = readdir(entries)) != NULL;) {
        is_found = strspn(e->d_name, "0123456789abcdef") == 8 && strcmp(e->d_name + 8, ".0") == 0;
    }
    if (entries != NULL) {
        (void)closedir(entries);
    }
    return is_found;
}

static xmtp_status trust_system(SSL_CTX *context, xmtp_error *error)
{
    const char *folder = secure_getenv(X509_get_default_cert_dir_env());
    folder = folder == NULL ? X509_get_default_cert_dir() : folder;
    if (secure_getenv(X509_get_default_cert_file_env()) == NULL && is_hashed(folder)) {
        return SSL_CTX_load_verify_dir(context, folder) == 1 ? XMTP_OK : XMTP_E_NOMEM;
    }
    if (is_there(X509_get_default_cert_file_env(), X509_get_default_cert_file()) ||
        is_there(X509_get_default_cert_dir_env(), X509_get_default_cert_dir())) {
        return SSL_CTX_set_default_verify_paths(context) == 1 ? XMTP_OK : XMTP_E_NOMEM;
    }
    for (size_t i = 0; i < sizeof bundles / sizeof bundles[0]; i++) {
        if (access(bundles[i], R_OK) == 0 && SSL_CTX_load_verify_file(context, bundles[i]) == 1) {
            return XMTP_OK;
        }
    }
    return xmtp_fail(error, XMTP_E_IO,
                     "this system has no certificate authorities: install its package "
                     "ca-certificates, or give a file of them");
}

static xmtp_status trust_file(SSL_CTX *context, const char *file, xmtp_error *error)
{
    if (access(file, R_OK) != 0) {
        return xmtp_fail(error, XMTP_E_IO, "certificate authorities %.120s cannot be read", file);
    }
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
    return SSL_CTX_load_verify_file(context, file) == 1
               ? XMTP_OK
               : xmtp_fail(error, XMTP_E_ARGUMENT, "%.120s holds no PEM certificate", file);
}

/* ---- what is wrong with a certificate */

static void put_text(char *out, size_t capacity, const unsigned char *text, size_t n)
{
    size_t used = strlen(out);
    for (size_t i = 0; i < n && used + 1 < capacity; i++) {
        out[used++] = (char)(text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?');
    }
    out[used] = '\0';
}

static void put_string(char *out, size_t capacity, const ASN1_STRING *text)
{
    put_text(out, capacity, ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
}

static void put_address(char *out, size_t capacity, const ASN1_OCTET_STRING *address)
{
    char text[INET6_ADDRSTRLEN] = "?";
    int n = ASN1_STRING_length(address);
    if (n == 4 || n == 16) {
        (void)inet_ntop(n == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(address), text,
                        sizeof text);
    }
    put_text(out, capacity, (const unsigned char *)text, strlen(text));
}

/* The names and addresses that a certificate is for, as many as there is room for. */
static void list_names(char out[NAMES_LEN_MAX], const X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    out[0] = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS && name->type != GEN_IPADD) {
            continue;
        }
        put_text(out, NAMES_LEN_MAX, (const unsigned char *)",", out[0] == '\0' ? 0 : 1);
        if (name->type == GEN_DNS) {
            put_string(out, NAMES_LEN_MAX, name->d.dNSName);
        } else {
            put_address(out, NAMES_LEN_MAX, name->d.iPAddress);
        }
    }
    GENERAL_NAMES_free(names);
    if (out[0] == '\0') {
        (void)snprintf(out, NAMES_LEN_MAX, "no name");
    }
}

/* Common name of the issuer, else its organisation. */
static void issuer_name(char out[NAMES_LEN_MAX], const X509 *certificate)
{
    static const int parts[] = {NID_commonName, NID_organizationName};
    const X509_NAME *issuer = X509_get_issuer_name(certificate);
    out[0] = '\0';
    for (size_t i = 0; out[0] == '\0' && i < sizeof parts / sizeof parts[0]; i++) {
        int at = X509_NAME_get_index_by_NID(issuer, parts[i], -1);
        if (at >= 0) {
            put_string(out, NAMES_LEN_MAX,
                       X509_NAME_ENTRY_get_data(X509_NAME_get_entry(issuer, at)));
        }
    }
}

static const char *date_of(char out[DATE_LEN_MAX], const ASN1_TIME *time)
{
    struct tm date;
    if (ASN1_TIME_to_tm(time, &date) != 1 ||
        strftime(out, DATE_LEN_MAX, "%Y-%m-%d %H:%M UTC", &date) == 0) {
        (void)snprintf(out, DATE_LEN_MAX, "an unknown date");
    }
    return out;
}

static xmtp_status unknown_issuer(const char *host, const X509 *certificate, xmtp_error *error)
{
    char issuer[NAMES_LEN_MAX];
    issuer_name(issuer, certificate);
    return xmtp_fail(error, XMTP_E_UNTRUSTED,
                     "certificate of %.80s is by %s, an authority that is not trusted here", host,
                     issuer);
}

static xmtp_status other_names(const char *host, const X509 *certificate, xmtp_error *error)
{
    char names[NAMES_LEN_MAX];
    list_names(names, certificate);
    return xmtp_fail(error, XMTP_E_UNTRUSTED, "certificate is for %s, not for %.80s", names, host);
}

static xmtp_status wrong_certificate(const char *host, int code, const X509 *certificate, int depth,
                                     xmtp_error *error)
{
    char date[DATE_LEN_MAX];
    const char *whose = depth == 0 ? "certificate" : "an authority's certificate";
    switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return xmtp_fail(error, XMTP_E_UNTRUSTED, "%s of %.80s expired at %s", whose, host,
                         date_of(date, X509_get0_notAfter(certificate)));
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return xmtp_fail(error, XMTP_E_UNTRUSTED, "%s of %.80s is not valid before %s", whose, host,
                         date_of(date, X509_get0_notBefore(certificate)));
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return other_names(host, certificate, error);
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return xmtp_fail(error, XMTP_E_UNTRUSTED,
                         "certificate of %.80s is signed by itself and not trusted here", host);
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return unknown_issuer(host, certificate, error);
    default:
        return xmtp_fail(error, XMTP_E_UNTRUSTED, "%s of %.80s: %s", whose, host,
                         X509_verify_cert_error_string(code));
    }
}

static xmtp_tls_client *client_of(const SSL *ssl)
{
    return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

/* OpenSSL's verify callback: agrees with OpenSSL always, and keeps the reason. */
static int judge(int is_good, X509_STORE_CTX *store)
{
    if (is_good == 0) {
        const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
        xmtp_tls_client *client = client_of(ssl);
        const X509 *certificate = X509_STORE_CTX_get_current_cert(store);
        int code = X509_STORE_CTX_get_error(store);
        if (certificate == NULL) {
            certificate = X509_STORE_CTX_get0_cert(store);
        }
        (void)wrong_certificate(client->host, code, certificate,
                                X509_STORE_CTX_get_error_depth(store), &client->verdict);
    }
    return is_good;
}

/* ---- what is wrong with a handshake */

static bool speaks_tls(const xmtp_tls_conn *conn)
{
    enum { ALERT = 0x15, HANDSHAKE = 0x16 };
    return !conn->has_heard || conn->first_byte == HANDSHAKE || conn->first_byte == ALERT;
}

static xmtp_status no_http2(const xmtp_tls_client *client, xmtp_error *error)
{
    return xmtp_fail(error, XMTP_E_TLS, "%.80s speaks TLS, but not HTTP/2 over it (ALPN h2)",
                     client->host);
}

static xmtp_status explain(const xmtp_tls_client *client, const xmtp_tls_conn *conn, bool was_ready,
                           xmtp_error *error)
{
    int reason = ERR_GET_REASON(conn->failure);
    const char *text = ERR_reason_error_string(conn->failure);
    if (was_ready) {
        return xmtp_fail(error, XMTP_E_NETWORK, "TLS with %.80s broke: %s", client->host,
                         text == NULL ? "unknown reason" : text);
    }
    if (client->verdict.status != XMTP_OK) {
        return xmtp_fail(error, client->verdict.status, "%s", client->verdict.text);
    }
    if (!speaks_tls(conn)) {
        return xmtp_fail(error, XMTP_E_TLS, "%.80s does not speak TLS on this port", client->host);
    }
    if (reason == ALERT_OFFSET + SSL_AD_NO_APPLICATION_PROTOCOL) {
        return no_http2(client, error);
    }
    return xmtp_fail(error, XMTP_E_TLS, "TLS handshake with %.80s failed: %s", client->host,
                     text == NULL ? "unknown reason" : text);
}

/* ---- sessions: a connection after the first costs no certificates */

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    xmtp_tls_client *client = client_of(ssl);
    SSL_SESSION_free(client->session);
    client->session =
        SSL_SESSION_dup(session); /* OpenSSL spoils its own when a connection is lost */
    return 0;
}

/* Once (RFC 8446 appendix C.4), and not beyond the life of the certificate, which is not shown again. */
static void resume(xmtp_tls_client *client, SSL *ssl)
{
    const X509 *certificate =
        client->session == NULL ? NULL : SSL_SESSION_get0_peer(client->session);
    if (certificate != NULL && X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0) {
        (void)SSL_set_session(ssl, client->session); /* failed: a whole handshake */
    }
    SSL_SESSION_free(client->session);
    client->session = NULL;
}

/* ---- making and freeing */

/* Names are looked for in subjectAltName alone (RFC 9525), wildcards stand for a whole label. */
static bool expect_host(xmtp_tls_client *client)
{
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(client->context);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                               X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    client->is_address = X509_VERIFY_PARAM_set1_ip_asc(param, client->host) == 1;
    ERR_clear_error();
    return client->is_address || X509_VERIFY_PARAM_set1_host(param, client->host, 0) == 1;
}

static xmtp_status configure(xmtp_tls_client *client, const char *authorities_file,
                             xmtp_error *error)
{
    static const unsigned char h2[] = "\x02h2";
    SSL_CTX *context = client->context;
    XMTP_ENSURE(context != NULL && xmtp_tls_set_rules(context) && expect_host(client) &&
                    SSL_CTX_set_alpn_protos(context, h2, sizeof h2 - 1) == 0,
                XMTP_E_NOMEM);
    (void)SSL_CTX_set_app_data(context, client);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, judge);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, keep_session);
    return authorities_file == NULL ? trust_system(context, error)
                                    : trust_file(context, authorities_file, error);
}

xmtp_status xmtp_tls_client_open(xmtp_tls_client **out, const xmtp_alloc *alloc,
                                 const char *authorities_file, const char *host, xmtp_error *error)
{
    *out = NULL;
    xmtp_tls_client *client = alloc->reallocate(alloc->context, NULL, sizeof *client);
    if (client == NULL) {
        return xmtp_fail_default(error, XMTP_E_NOMEM, "TLS");
    }
    ERR_clear_error();
    *client = (xmtp_tls_client){.alloc = alloc, .context = SSL_CTX_new(TLS_client_method())};
    (void)snprintf(client->host, sizeof client->host, "%s", host);
    size_t n = strlen(client->host);
    if (n > 1 && client->host[n - 1] == '.') {
        client->host[n - 1] = '\0'; /* certificates have names without the root's dot */
    }
    xmtp_status status = configure(client, authorities_file, error);
    ERR_clear_error();
    if (status != XMTP_OK) {
        xmtp_tls_client_close(client);
        return xmtp_fail_default(error, status, "TLS");
    }
    *out = client;
    return XMTP_OK;
}

void xmtp_tls_client_close(xmtp_tls_client *client)
{
    if (client != NULL) {
        SSL_SESSION_free(client->session);
        SSL_CTX_free(client->context);
        (void)client->alloc->reallocate(client->alloc->context, client, 0);
    }
}

xmtp_status xmtp_tls_client_connect(xmtp_tls_conn **out, xmtp_tls_client *client)
{
    ERR_clear_error();
    SSL *ssl = SSL_new(client->context);
    if (ssl != NULL) {
        SSL_set_connect_state(ssl);
        resume(client, ssl);
    }
    if (ssl != NULL && !client->is_address && SSL_set_tlsext_host_name(ssl, client->host) != 1) {
        SSL_free(ssl);
        ssl = NULL;
    }
    XMTP_TRY(xmtp_tls_conn_wrap(out, client->alloc, ssl));
    (void)SSL_do_handshake(ssl); /* writes the hello; what may have failed, read tells */
    ERR_clear_error();
    return XMTP_OK;
}

/* ---- use */

bool xmtp_tls_client_is_ready(const xmtp_tls_conn *conn)
{
    const unsigned char *protocol = NULL;
    unsigned n = 0;
    if (!xmtp_tls_conn_has_handshaken(conn)) {
        return false;
    }
    SSL_get0_alpn_selected(conn->ssl, &protocol, &n);
    return xmtp_bytes_equal(xmtp_bytes_of(protocol, n), xmtp_bytes_of_string("h2"));
}

xmtp_status xmtp_tls_client_read(xmtp_tls_client *client, xmtp_tls_conn *conn, uint8_t *out,
                                 size_t capacity, size_t *n, xmtp_error *error)
{
    bool was_ready = xmtp_tls_client_is_ready(conn);
    client->verdict = (xmtp_error){0};
    xmtp_status status = xmtp_tls_conn_read(conn, out, capacity, n);
    if (status == XMTP_E_PROTOCOL) {
        return explain(client, conn, was_ready, error);
    }
    if (xmtp_tls_conn_has_handshaken(conn) && !xmtp_tls_client_is_ready(conn)) {
        *n = 0;
        return no_http2(client, error);
    }
    return status;
}
