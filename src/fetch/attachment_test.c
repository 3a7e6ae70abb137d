/* attachment_test.c - attachments fetched from a server in this process, honest and hostile. */
#include <xmtp/attachment.h>

#include "base/bytes.h"
#include "fetch/test_server.h"

static const uint64_t ms = 1000000;

/* An encrypted file on a server. */
typedef struct scene {
    xmtp_encrypted_attachment file;
    xmtp_remote_attachment remote;
    server s;
    char url[64];
    char answer[4096];
    xmtp_error error;
    xmtp_content *out;
} scene;

/* Serves head, then the encrypted file up to cut bytes from its end, and extra bytes behind it. */
static void scene_open(scene *t, const char *head)
{
    static const char text[] = "what the file says";
    const xmtp_attachment attachment = {.filename = "a.txt",
                                        .mime_type = "text/plain",
                                        .content = {(const uint8_t *)text, sizeof(text) - 1}};
    memset(t, 0, sizeof(*t));
    assert_int_equal(xmtp_attachment_encrypt(&attachment, NULL, &t->file, &t->error), XMTP_OK);
    server_start_bytes(&t->s, head, xmtp_bytes_of(t->file.payload, t->file.payload_len));
    (void)snprintf(t->url, sizeof(t->url), "http://127.0.0.1:%u/f", t->s.port);
    t->remote = xmtp_encrypted_attachment_content(&t->file, t->url, "a.txt").remote_attachment;
}

static xmtp_status download(scene *t, xmtp_download_options options)
{
    options.timeout_ns = options.timeout_ns == 0 ? 10000 * ms : options.timeout_ns;
    t->error = (xmtp_error){0};
    return xmtp_remote_attachment_download(&t->remote, &options, &t->out, &t->error);
}

static xmtp_status download_here(scene *t)
{
    return download(t, (xmtp_download_options){.is_test = true});
}

static void scene_close(scene *t)
{
    server_stop(&t->s);
    xmtp_content_free(t->out);
    xmtp_encrypted_attachment_wipe(NULL, &t->file);
}

static void assert_nothing_and(scene *t, xmtp_status status, xmtp_status expected, const char *why)
{
    assert_int_equal(status, expected);
    assert_null(t->out);
    assert_string_equal(t->error.text, why);
}

static void a_file_is_fetched_and_opened(void **state)
{
    (void)state;
    scene t;
    scene_open(&t, "HTTP/1.1 200 OK\r\n\r\n");
    assert_int_equal(download_here(&t), XMTP_OK);
    assert_int_equal(t.out->type, XMTP_CONTENT_ATTACHMENT);
    assert_string_equal(t.out->attachment.filename, "a.txt");
    assert_memory_equal(t.out->attachment.content.p, "what the file says", 18);
    scene_close(&t);
    scene_open(&t, "HTTP/1.1 200 OK\r\n\r\n");
    t.remote.content_length = 0; /* not said */
    assert_int_equal(download_here(&t), XMTP_OK);
    scene_close(&t);
}

static void without_the_option_for_tests_only_https_is_spoken_and_only_to_public_hosts(void **state)
{
    (void)state;
    static const char *const private_urls[] = {
        "https://127.0.0.1:%u/f",          "https://localhost:%u/f", "https://[::1]:%u/f",
        "https://[::ffff:127.0.0.1]:%u/f", "https://0.0.0.0:%u/f",   "https://2130706433:%u/f"};
    scene t;
    scene_open(&t, "HTTP/1.1 200 OK\r\n\r\n");
    assert_int_equal(download(&t, (xmtp_download_options){0}), XMTP_E_ARGUMENT);
    for (size_t i = 0; i < sizeof(private_urls) / sizeof(private_urls[0]); i++) {
        (void)snprintf(t.url, sizeof(t.url), private_urls[i], t.s.port);
        assert_int_equal(download(&t, (xmtp_download_options){0}), XMTP_E_ADDRESS);
    }
    assert_int_equal(t.s.seen_len, 0);
    t.remote.url = "file:///etc/passwd";
    assert_int_equal(download_here(&t), XMTP_E_ARGUMENT);
    t.remote.url = NULL;
    assert_int_equal(download_here(&t), XMTP_E_ARGUMENT);
    scene_close(&t);
}

static void nobody_is_followed_elsewhere(void **state)
{
    (void)state;
    scene t;
    server target;
    char head[128];
    server_start(&target, "HTTP/1.1 200 OK\r\n\r\n");
    (void)snprintf(head, sizeof(head),
                   "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%u/\r\n\r\n", target.port);
    scene_open(&t, head);
    assert_nothing_and(&t, download_here(&t), XMTP_E_ADDRESS,
                       "the server sends us elsewhere (302)");
    assert_int_equal(target.seen_len, 0);
    server_stop(&target);
    scene_close(&t);
}

static void a_file_longer_than_announced_is_cut_off(void **state)
{
    (void)state;
    scene t;
    char why[64];
    scene_open(&t, "HTTP/1.1 200 OK\r\n\r\nx"); /* one byte before the file */
    (void)snprintf(why, sizeof(why), "the answer is longer than %zu bytes", t.file.payload_len);
    assert_nothing_and(&t, download_here(&t), XMTP_E_LIMIT, why);
    t.remote.content_length = 0;
    assert_nothing_and(&t, download_here(&t), XMTP_E_AUTH,
                       "the file's digest is not the announced one");
    scene_close(&t);
}

static void a_file_longer_than_allowed_is_not_asked_for(void **state)
{
    (void)state;
    scene t;
    scene_open(&t, "HTTP/1.1 200 OK\r\n\r\n");
    const xmtp_download_options small = {.is_test = true, .len_max = 10};
    t.remote.content_length = 11;
    assert_nothing_and(&t, download(&t, small), XMTP_E_LIMIT,
                       "the file has 11 bytes, at most 10 are taken");
    assert_int_equal(t.s.seen_len, 0);
    t.remote.content_length = 0; /* not announced: cut off */
    assert_nothing_and(&t, download(&t, small), XMTP_E_LIMIT, "the answer is longer than 10 bytes");
    t.remote.content_length = UINT64_C(1) << 40;
    assert_int_equal(download_here(&t), XMTP_E_LIMIT);
    scene_close(&t);
}

static void a_file_shorter_than_announced_or_another_one_is_refused(void **state)
{
    (void)state;
    scene t;
    char digest[] = "0000000000000000000000000000000000000000000000000000000000000000";
    scene_open(&t, "HTTP/1.1 200 OK\r\n\r\n");
    t.remote.content_length++;
    assert_int_equal(download_here(&t), XMTP_E_AUTH);
    t.remote.content_length--;
    t.remote.content_digest = digest;
    assert_nothing_and(&t, download_here(&t), XMTP_E_AUTH,
                       "the file's digest is not the announced one");
    t.remote.content_digest = t.file.content_digest;
    t.file.secret[0] ^= 1;
    assert_int_equal(download_here(&t), XMTP_E_AUTH);
    assert_null(t.out);
    scene_close(&t);
}

static void a_server_that_stops_in_the_middle_is_given_up(void **state)
{
    (void)state;
    scene t;
    scene_open(&t, NULL); /* takes the request and says nothing */
    assert_nothing_and(
        &t, download(&t, (xmtp_download_options){.is_test = true, .timeout_ns = 50 * ms}),
        XMTP_E_TIMEOUT, "no complete answer within 50 ms");
    scene_close(&t);
    scene_open(&t, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    t.remote.content_length = 0;
    assert_int_equal(download_here(&t), XMTP_E_NETWORK); /* cut off */
    assert_null(t.out);
    scene_close(&t);
}

static void a_file_that_is_not_there_is_told_with_the_answer(void **state)
{
    (void)state;
    scene t;
    scene_open(&t, "HTTP/1.1 404 Not Found\r\n\r\n");
    assert_nothing_and(&t, download_here(&t), XMTP_E_NETWORK, "the server answers 404");
    scene_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_fetched_and_opened),
        cmocka_unit_test(
            without_the_option_for_tests_only_https_is_spoken_and_only_to_public_hosts),
        cmocka_unit_test(nobody_is_followed_elsewhere),
        cmocka_unit_test(a_file_longer_than_announced_is_cut_off),
        cmocka_unit_test(a_file_longer_than_allowed_is_not_asked_for),
        cmocka_unit_test(a_file_shorter_than_announced_or_another_one_is_refused),
        cmocka_unit_test(a_server_that_stops_in_the_middle_is_given_up),
        cmocka_unit_test(a_file_that_is_not_there_is_told_with_the_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
