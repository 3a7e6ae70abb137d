/* tls_client_test.c - which certificates and peers a client takes, and what it says about the others:
 * against OpenSSL's server, in one thread and without a socket. */
#include "base/bytes.h"
#include "rpc/test_certificate.h"
#include "rpc/tls_client.h"

#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
// cmocka wants the headers above first
#include <cmocka.h>

enum { PATH_LEN = 96, FLIGHT_MAX = 16384, HOUR_S = 3600 };

static struct {
    char dir[PATH_LEN / 2];
    char trusted[PATH_LEN]; /* the authority's certificate */
    char certificate[PATH_LEN];
    char key[PATH_LEN];
    test_authority authority;
    test_authority stranger;
} world;

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(world.dir, sizeof world.dir, "/tmp/xmtp-tls-client-XXXXXX");
    assert_non_null(mkdtemp(world.dir));
    (void)unsetenv("SSL_CERT_FILE"); /* of who runs the test */
    (void)unsetenv("SSL_CERT_DIR");
    (void)snprintf(world.trusted, sizeof world.trusted, "%s/trusted.pem", world.dir);
    (void)snprintf(world.certificate, sizeof world.certificate, "%s/c.pem", world.dir);
    (void)snprintf(world.key, sizeof world.key, "%s/k.pem", world.dir);
    world.authority = test_authority_make("Known Authority");
    world.stranger = test_authority_make("Strange Authority");
    test_pem_write(world.trusted, world.authority.certificate, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_authority_free(&world.authority);
    test_authority_free(&world.stranger);
    (void)unlink(world.trusted);
    (void)unlink(world.certificate);
    (void)unlink(world.key);
    return rmdir(world.dir);
}

/* ---- the server */

static int choose(SSL *ssl, const unsigned char **out, unsigned char *out_n,
                  const unsigned char *in, unsigned in_n, void *context)
{
    const char *chosen = context; /* "h2", "": nothing, NULL: ends the handshake */
    (void)ssl;
    (void)in;
    (void)in_n;
    if (chosen == NULL) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *out = (const unsigned char *)chosen;
    *out_n = (unsigned char)strlen(chosen);
    return chosen[0] == '\0' ? SSL_TLSEXT_ERR_NOACK : SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *server_of(const test_authority *issuer, const test_subject *subject)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    test_authority_issue(issuer, world.certificate, world.key, subject);
    assert_int_equal(SSL_CTX_use_certificate_chain_file(context, world.certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(context, world.key, SSL_FILETYPE_PEM), 1);
    SSL_CTX_set_alpn_select_cb(context, choose, (void *)(uintptr_t) "h2");
    return context;
}

static SSL *accept_of(SSL_CTX *context)
{
    SSL *ssl = SSL_new(context);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(ssl);
    return ssl;
}

/* ---- both ends */

typedef struct pair {
    xmtp_tls_client *client;
    xmtp_tls_conn *conn;
    SSL *server;
    xmtp_status status;
    xmtp_error error;
    uint8_t got[64]; /* clear text at the client */
    size_t got_n;
    size_t flight_n; /* bytes of the server that the client was given */
    size_t flip_at;  /* one of those is damaged; SIZE_MAX: none */
    size_t cut_at;   /* after so many none comes any more */
} pair;

static xmtp_tls_client *client_for(const char *host)
{
    xmtp_tls_client *client;
    xmtp_error error = {0};
    if (xmtp_tls_client_open(&client, &xmtp_env_system()->alloc, world.trusted, host, &error) !=
        XMTP_OK) {
        fail_msg("%s", error.text);
    }
    return client;
}

static pair meet(xmtp_tls_client *client, SSL_CTX *server)
{
    pair p = {.client = client,
              .server = accept_of(server),
              .status = XMTP_E_RETRY,
              .flip_at = SIZE_MAX,
              .cut_at = SIZE_MAX};
    assert_int_equal(xmtp_tls_client_connect(&p.conn, client), XMTP_OK);
    return p;
}

static void part(pair *p)
{
    xmtp_tls_conn_free(p->conn);
    SSL_free(p->server);
}

static void give_client(pair *p, const uint8_t *bytes, size_t n)
{
    uint8_t clear[sizeof p->got];
    size_t got;
    assert_int_equal(xmtp_tls_conn_recv(p->conn, xmtp_bytes_of(bytes, n)), XMTP_OK);
    while ((p->status = xmtp_tls_client_read(p->client, p->conn, clear, sizeof clear, &got,
                                             &p->error)) == XMTP_OK) {
        assert_true(p->got_n + got <= sizeof p->got);
        memcpy(p->got + p->got_n, clear, got);
        p->got_n += got;
    }
}

static bool to_client(pair *p, size_t piece)
{
    uint8_t bytes[FLIGHT_MAX];
    int n =
        BIO_read(SSL_get_wbio(p->server), bytes, (int)(piece < FLIGHT_MAX ? piece : FLIGHT_MAX));
    if (n <= 0 || p->status != XMTP_E_RETRY || p->flight_n >= p->cut_at) {
        return false;
    }
    size_t len = (size_t)n < p->cut_at - p->flight_n ? (size_t)n : p->cut_at - p->flight_n;
    if (p->flip_at >= p->flight_n && p->flip_at < p->flight_n + len) {
        bytes[p->flip_at - p->flight_n] ^= 0x10;
    }
    p->flight_n += len;
    give_client(p, bytes, len);
    return true;
}

static bool to_server(pair *p)
{
    uint8_t bytes[FLIGHT_MAX];
    char clear[64];
    size_t n = xmtp_tls_conn_send(p->conn, bytes, sizeof bytes);
    if (n > 0) {
        assert_int_equal(BIO_write(SSL_get_rbio(p->server), bytes, (int)n), n);
    }
    (void)SSL_read(p->server, clear, sizeof clear);
    return n > 0;
}

static void pump(pair *p, size_t piece)
{
    bool has_moved;
    do {
        has_moved = to_server(p);
        has_moved |= to_client(p, piece);
    } while (has_moved);
}

/* What becomes of a connection with such a server, for a client of this host. */
static pair try_server(SSL_CTX *server, const char *host)
{
    xmtp_tls_client *client = client_for(host);
    pair p = meet(client, server);
    pump(&p, FLIGHT_MAX);
    assert_int_equal(xmtp_tls_client_is_ready(p.conn), p.status == XMTP_E_RETRY);
    part(&p);
    xmtp_tls_client_close(client);
    SSL_CTX_free(server);
    return p;
}

static pair try_certificate(const test_authority *issuer, const char *names, long from_s, long to_s,
                            const char *host)
{
    const test_subject subject = {
        .common_name = "a.example", .names = names, .from_s = from_s, .to_s = to_s};
    return try_server(server_of(issuer, &subject), host);
}

static void assert_refused(const pair *p, xmtp_status status, const char *part_of_text)
{
    assert_int_equal(p->status, status);
    assert_int_equal(p->error.status, status);
    if (strstr(p->error.text, part_of_text) == NULL) {
        fail_msg("'%s' does not say '%s'", p->error.text, part_of_text);
    }
}

static const test_subject good = {
    .common_name = "x", .names = "DNS:a.example", .from_s = -60, .to_s = HOUR_S};

/* ---- good ones */

static void assert_speak(pair *p)
{
    assert_int_equal(SSL_write(p->server, "hello", 5), 5);
    assert_int_equal(xmtp_tls_conn_write(p->conn, xmtp_bytes_of_string("answer")), XMTP_OK);
    char heard[16];
    uint8_t bytes[FLIGHT_MAX];
    size_t n = xmtp_tls_conn_send(p->conn, bytes, sizeof bytes);
    assert_int_equal(BIO_write(SSL_get_rbio(p->server), bytes, (int)n), n);
    assert_int_equal(SSL_read(p->server, heard, sizeof heard), 6);
    pump(p, 1);
    assert_memory_equal(p->got, "hello", 5);
}

static void a_trusted_node_is_spoken_with_in_pieces_of_any_length(void **state)
{
    (void)state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    static const size_t pieces[] = {1, 7, FLIGHT_MAX};
    for (size_t i = 0; i < 6; i++) {
        SSL_CTX *server = server_of(&world.authority, &good);
        (void)SSL_CTX_set_max_proto_version(server, versions[i % 2]);
        xmtp_tls_client *client = client_for("a.example");
        pair p = meet(client, server);
        pump(&p, pieces[i / 2]);
        assert_int_equal(p.status, XMTP_E_RETRY);
        assert_true(xmtp_tls_client_is_ready(p.conn));
        assert_int_equal(SSL_version(p.server), versions[i % 2]);
        assert_speak(&p);
        part(&p);
        xmtp_tls_client_close(client);
        SSL_CTX_free(server);
    }
}

static void names_and_addresses_are_compared_with_those_of_the_certificate(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"DNS:a.example", "a.example"},
                                          {"DNS:a.example", "A.Example"},
                                          {"DNS:a.example", "a.example."},
                                          {"DNS:b.example,DNS:a.example", "a.example"},
                                          {"DNS:*.a.example", "b.a.example"},
                                          {"IP:127.0.0.1", "127.0.0.1"},
                                          {"IP:::1", "::1"},
                                          {"IP:2001:db8::7", "2001:DB8:0::7"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        pair p = try_certificate(&world.authority, rows[i][0], -60, HOUR_S, rows[i][1]);
        assert_int_equal(p.status, XMTP_E_RETRY);
    }
}

static void a_nodes_own_certificate_may_be_its_authority(void **state)
{
    (void)state;
    SSL_CTX *server = server_of(NULL, &good);
    xmtp_tls_client *client;
    assert_int_equal(xmtp_tls_client_open(&client, &xmtp_env_system()->alloc, world.certificate,
                                          "a.example", NULL),
                     XMTP_OK);
    pair p = meet(client, server);
    pump(&p, FLIGHT_MAX);
    assert_true(xmtp_tls_client_is_ready(p.conn));
    part(&p);
    xmtp_tls_client_close(client);
    SSL_CTX_free(server);
}

static char told_name[64];

static int note_name(SSL *ssl, int *alert, void *context)
{
    (void)alert;
    (void)context;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    (void)snprintf(told_name, sizeof told_name, "%s", name == NULL ? "" : name);
    return SSL_TLSEXT_ERR_OK;
}

static void the_node_is_told_the_name_that_is_wanted_but_no_address(void **state)
{
    (void)state;
    const test_subject both = {
        .common_name = "x", .names = "DNS:a.example,IP:127.0.0.1", .from_s = -60, .to_s = HOUR_S};
    static const char *const rows[][2] = {
        {"a.example", "a.example"}, {"a.example.", "a.example"}, {"127.0.0.1", ""}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        SSL_CTX *server = server_of(&world.authority, &both);
        SSL_CTX_set_tlsext_servername_callback(server, note_name);
        (void)snprintf(told_name, sizeof told_name, "never asked");
        pair p = try_server(server, rows[i][0]);
        assert_int_equal(p.status, XMTP_E_RETRY);
        assert_string_equal(told_name, rows[i][1]);
    }
}

static void a_session_of_tls_1_3_is_resumed_by_the_next_connection(void **state)
{
    (void)state;
    SSL_CTX *server = server_of(&world.authority, &good);
    xmtp_tls_client *client = client_for("a.example");
    for (int i = 0; i < 3; i++) {
        pair p = meet(client, server);
        pump(&p, FLIGHT_MAX);
        assert_true(xmtp_tls_client_is_ready(p.conn));
        assert_int_equal(SSL_session_reused(p.server), i > 0);
        assert_speak(&p);
        part(&p);
    }
    xmtp_tls_client_close(client);
    SSL_CTX_free(server);
}

static void a_session_does_not_outlast_its_nodes_key(void **state)
{
    (void)state;
    xmtp_tls_client *client = client_for("a.example");
    SSL_CTX *before = server_of(&world.authority, &good);
    pair p = meet(client, before);
    pump(&p, FLIGHT_MAX);
    assert_true(xmtp_tls_client_is_ready(p.conn));
    part(&p);
    SSL_CTX *impostor = server_of(&world.stranger, &good);
    p = meet(client, impostor);
    pump(&p, FLIGHT_MAX);
    assert_refused(&p, XMTP_E_UNTRUSTED, "Strange Authority");
    part(&p);
    xmtp_tls_client_close(client);
    SSL_CTX_free(before);
    SSL_CTX_free(impostor);
}

/* ---- certificates that are not trusted */

static void an_unknown_authority_is_named(void **state)
{
    (void)state;
    pair p = try_certificate(&world.stranger, "DNS:a.example", -60, HOUR_S, "a.example");
    assert_refused(&p, XMTP_E_UNTRUSTED,
                   "certificate of a.example is by Strange Authority, an authority that is not "
                   "trusted here");
    p = try_certificate(NULL, "DNS:a.example", -60, HOUR_S, "a.example");
    assert_refused(&p, XMTP_E_UNTRUSTED, "certificate of a.example is signed by itself");
}

static void a_certificate_out_of_its_time_is_told_with_the_date(void **state)
{
    (void)state;
    pair p = try_certificate(&world.authority, "DNS:a.example", -2 * HOUR_S, -HOUR_S, "a.example");
    assert_refused(&p, XMTP_E_UNTRUSTED, "certificate of a.example expired at 20");
    assert_non_null(strstr(p.error.text, " UTC"));
    p = try_certificate(&world.authority, "DNS:a.example", HOUR_S, 2 * HOUR_S, "a.example");
    assert_refused(&p, XMTP_E_UNTRUSTED, "certificate of a.example is not valid before 20");
}

static void a_certificate_for_others_is_told_with_their_names(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"DNS:b.example,IP:10.0.0.1", "a.example",
         "certificate is for b.example,10.0.0.1, not for a.example"},
        {NULL, "a.example", "certificate is for no name, not for a.example"}, /* its common name */
        {"DNS:*.a.example", "c.b.a.example", "for *.a.example, not for c.b.a.example"},
        {"DNS:*.example", "a.example", "for *.example, not for a.example"},
        {"DNS:a*.a.example", "ab.a.example", "for a*.a.example"},
        {"DNS:*", "a", "for *, not for a"},
        {"DNS:127.0.0.1", "127.0.0.1", "certificate is for 127.0.0.1, not for 127.0.0.1"},
        {"IP:127.0.0.1", "127.0.0.2", "for 127.0.0.1, not for 127.0.0.2"},
        {"IP:::2", "::1", "for ::2, not for ::1"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        pair p = try_certificate(&world.authority, rows[i][0], -60, HOUR_S, rows[i][1]);
        assert_refused(&p, XMTP_E_UNTRUSTED, rows[i][2]);
    }
}

static void what_a_certificate_says_is_shown_without_control_characters(void **state)
{
    (void)state;
    char names[2000] = "DNS:\033[2Jx";
    for (int i = 0; i < 60; i++) {
        (void)strcat(names, ",DNS:many-names.example");
    }
    pair p = try_certificate(&world.authority, names, -60, HOUR_S, "a.example");
    assert_refused(&p, XMTP_E_UNTRUSTED, "certificate is for ?[2Jx,many-names.example");
    assert_non_null(strstr(p.error.text, "not for a.example"));
}

/* ---- peers that do not speak as they have to */

static void a_node_without_http_2_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char *const chosen[] = {(char[]){""}, (char[]){"http/1.1"}, NULL};
        SSL_CTX *server = server_of(&world.authority, &good);
        SSL_CTX_set_alpn_select_cb(server, choose, chosen[i]);
        pair p = try_server(server, "a.example");
        assert_refused(&p, XMTP_E_TLS, i == 1 ? "a.example" : "not HTTP/2 over it (ALPN h2)");
    }
}

static void old_tls_is_refused(void **state)
{
    (void)state;
    SSL_CTX *server = server_of(&world.authority, &good);
    SSL_CTX_set_security_level(server, 0);
    (void)SSL_CTX_set_min_proto_version(server, TLS1_VERSION);
    (void)SSL_CTX_set_max_proto_version(server, TLS1_1_VERSION);
    pair p = try_server(server, "a.example");
    assert_refused(&p, XMTP_E_TLS, "TLS handshake with a.example failed");
}

static void a_peer_that_speaks_clear_text_is_told_as_that(void **state)
{
    (void)state;
    static const char *const said[] = {"HTTP/1.1 400 Bad Request\r\n\r\n",
                                       "\0\0\x12\4\0\0\0\0\0\0\3\0\0\0\x64\0\4\0\x10\0\0",
                                       "SSH-2.0-x\r\n"};
    static const size_t lens[] = {28, 21, 11};
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        xmtp_tls_client *client = client_for("a.example");
        xmtp_tls_conn *conn;
        assert_int_equal(xmtp_tls_client_connect(&conn, client), XMTP_OK);
        pair p = {.client = client, .conn = conn};
        give_client(&p, (const uint8_t *)said[i], lens[i]);
        assert_refused(&p, XMTP_E_TLS, "a.example does not speak TLS on this port");
        xmtp_tls_conn_free(conn);
        xmtp_tls_client_close(client);
    }
}

static void a_handshake_that_is_cut_or_damaged_is_never_ready(void **state)
{
    (void)state;
    SSL_CTX *server = server_of(&world.authority, &good);
    xmtp_tls_client *client = client_for("a.example");
    for (size_t at = 0; at < 600; at += 13) {
        pair p = meet(client, server);
        p.cut_at = at;
        pump(&p, FLIGHT_MAX);
        assert_int_equal(p.status, XMTP_E_RETRY);
        assert_false(xmtp_tls_client_is_ready(p.conn));
        part(&p);
        p = meet(client, server);
        p.flip_at = at + 1;
        pump(&p, FLIGHT_MAX);
        assert_true(p.status == XMTP_E_TLS || p.status == XMTP_E_UNTRUSTED ||
                    p.status == XMTP_E_RETRY /* a length: waits for more */);
        assert_false(xmtp_tls_client_is_ready(p.conn));
        part(&p);
    }
    xmtp_tls_client_close(client);
    SSL_CTX_free(server);
}

static void a_damaged_record_ends_the_connection(void **state)
{
    (void)state;
    SSL_CTX *server = server_of(&world.authority, &good);
    xmtp_tls_client *client = client_for("a.example");
    pair p = meet(client, server);
    pump(&p, FLIGHT_MAX);
    p.flip_at = p.flight_n + 8;
    assert_int_equal(SSL_write(p.server, "hello", 5), 5);
    pump(&p, FLIGHT_MAX);
    assert_refused(&p, XMTP_E_NETWORK, "TLS with a.example broke");
    assert_int_equal(p.got_n, 0);
    part(&p);
    xmtp_tls_client_close(client);
    SSL_CTX_free(server);
}

static void an_orderly_end_is_told(void **state)
{
    (void)state;
    SSL_CTX *server = server_of(&world.authority, &good);
    xmtp_tls_client *client = client_for("a.example");
    pair p = meet(client, server);
    pump(&p, FLIGHT_MAX);
    (void)SSL_shutdown(p.server);
    pump(&p, FLIGHT_MAX);
    assert_int_equal(p.status, XMTP_E_CLOSED);
    part(&p);
    xmtp_tls_client_close(client);
    SSL_CTX_free(server);
}

/* ---- files of authorities */

static void a_file_of_authorities_that_is_none_is_refused_by_name(void **state)
{
    (void)state;
    const xmtp_alloc *alloc = &xmtp_env_system()->alloc;
    xmtp_tls_client *client;
    xmtp_error error = {0};
    assert_int_equal(xmtp_tls_client_open(&client, alloc, "/nowhere/ca.pem", "a", &error),
                     XMTP_E_IO);
    assert_non_null(strstr(error.text, "/nowhere/ca.pem"));
    assert_null(client);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    test_pem_write(world.key, NULL, key);
    EVP_PKEY_free(key);
    assert_int_equal(xmtp_tls_client_open(&client, alloc, world.key, "a", &error), XMTP_E_ARGUMENT);
    assert_non_null(strstr(error.text, "holds no PEM certificate"));
    assert_int_equal(xmtp_tls_client_open(&client, alloc, world.dir, "a", &error), XMTP_E_ARGUMENT);
}

static void without_a_file_the_systems_authorities_count(void **state)
{
    (void)state;
    const xmtp_alloc *alloc = &xmtp_env_system()->alloc;
    SSL_CTX *server = server_of(&world.authority, &good);
    for (int i = 0; i < 2; i++) {
        xmtp_tls_client *client;
        assert_int_equal(setenv("SSL_CERT_FILE", i == 0 ? world.trusted : world.key, 1), 0);
        assert_int_equal(xmtp_tls_client_open(&client, alloc, NULL, "a.example", NULL), XMTP_OK);
        pair p = meet(client, server);
        pump(&p, FLIGHT_MAX);
        assert_int_equal(p.status, i == 0 ? XMTP_E_RETRY : XMTP_E_UNTRUSTED);
        part(&p);
        xmtp_tls_client_close(client);
    }
    assert_int_equal(unsetenv("SSL_CERT_FILE"), 0);
    SSL_CTX_free(server);
}

static void a_folder_of_hashed_authorities_counts_for_those_that_are_in_it(void **state)
{
    (void)state;
    char link[2 * PATH_LEN];
    SSL_CTX *server = server_of(&world.authority, &good);
    assert_int_equal(setenv("SSL_CERT_DIR", world.dir, 1), 0);
    for (int i = 0; i < 2; i++) {
        const test_authority *in_it = i == 0 ? &world.authority : &world.stranger;
        xmtp_tls_client *client;
        (void)snprintf(link, sizeof link, "%s/%08lx.0", world.dir,
                       X509_subject_name_hash(in_it->certificate));
        test_pem_write(link, in_it->certificate, NULL);
        assert_int_equal(
            xmtp_tls_client_open(&client, &xmtp_env_system()->alloc, NULL, "a.example", NULL),
            XMTP_OK);
        pair p = meet(client, server);
        pump(&p, FLIGHT_MAX);
        assert_int_equal(p.status, i == 0 ? XMTP_E_RETRY : XMTP_E_UNTRUSTED);
        part(&p);
        xmtp_tls_client_close(client);
        (void)unlink(link);
    }
    assert_int_equal(unsetenv("SSL_CERT_DIR"), 0);
    SSL_CTX_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trusted_node_is_spoken_with_in_pieces_of_any_length),
        cmocka_unit_test(names_and_addresses_are_compared_with_those_of_the_certificate),
        cmocka_unit_test(a_nodes_own_certificate_may_be_its_authority),
        cmocka_unit_test(the_node_is_told_the_name_that_is_wanted_but_no_address),
        cmocka_unit_test(a_session_of_tls_1_3_is_resumed_by_the_next_connection),
        cmocka_unit_test(a_session_does_not_outlast_its_nodes_key),
        cmocka_unit_test(an_unknown_authority_is_named),
        cmocka_unit_test(a_certificate_out_of_its_time_is_told_with_the_date),
        cmocka_unit_test(a_certificate_for_others_is_told_with_their_names),
        cmocka_unit_test(what_a_certificate_says_is_shown_without_control_characters),
        cmocka_unit_test(a_node_without_http_2_is_refused),
        cmocka_unit_test(old_tls_is_refused),
        cmocka_unit_test(a_peer_that_speaks_clear_text_is_told_as_that),
        cmocka_unit_test(a_handshake_that_is_cut_or_damaged_is_never_ready),
        cmocka_unit_test(a_damaged_record_ends_the_connection),
        cmocka_unit_test(an_orderly_end_is_told),
        cmocka_unit_test(a_file_of_authorities_that_is_none_is_refused_by_name),
        cmocka_unit_test(without_a_file_the_systems_authorities_count),
        cmocka_unit_test(a_folder_of_hashed_authorities_counts_for_those_that_are_in_it),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
