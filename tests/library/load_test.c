/* load_test.c - libxmtp.so as a foreign function interface takes it: dlopen, dlsym, dlclose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
// cmocka wants the headers above first
#include <cmocka.h>

#include <dlfcn.h>
#include <xmtp/client.h>
#include <xmtp/node.h>

/* What a test calls, under the names of the headers. */
typedef struct library {
    void *handle;
    const char *(*status_name)(xmtp_status);
    xmtp_status (*open)(xmtp_client **, const xmtp_client_options *, xmtp_error *);
    void (*close)(xmtp_client *);
    const char *(*address)(const xmtp_client *);
    xmtp_status (*dm)(xmtp_client *, const char *, xmtp_conversation_id *, xmtp_error *);
    xmtp_status (*send_text)(xmtp_client *, const xmtp_conversation_id *, const char *,
                             uint8_t[XMTP_MESSAGE_ID_LEN], xmtp_error *);
    xmtp_status (*sync)(xmtp_client *, xmtp_error *);
    xmtp_status (*messages)(xmtp_client *, const xmtp_message_query *, xmtp_message_visit, void *,
                            xmtp_error *);
} library;

static void find(library *l, const char *name, void *function)
{
    void *found = dlsym(l->handle, name);
    if (found == NULL) {
        fail_msg("%s: %s", name, dlerror());
    }
    /* C has no conversion of an object pointer to a function pointer; POSIX has */
    memcpy(function, &found, sizeof(found));
}

static void load(library *l)
{
    memset(l, 0, sizeof(*l));
    l->handle = dlopen(XMTP_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (l->handle == NULL) {
        fail_msg("%s", dlerror());
    }
    find(l, "xmtp_status_name", &l->status_name);
    find(l, "xmtp_client_open", &l->open);
    find(l, "xmtp_client_close", &l->close);
    find(l, "xmtp_client_address", &l->address);
    find(l, "xmtp_client_dm", &l->dm);
    find(l, "xmtp_client_send_text", &l->send_text);
    find(l, "xmtp_client_sync", &l->sync);
    find(l, "xmtp_client_messages", &l->messages);
}

static void unload(library *l)
{
    assert_int_equal(dlclose(l->handle), 0);
}

static void it_is_loaded_and_unloaded_again_and_again(void **state)
{
    (void)state;
    library l;
    for (int i = 0; i < 3; i++) {
        load(&l);
        assert_string_equal(l.status_name(XMTP_E_KEY), "E_KEY");
        unload(&l);
    }
}

static void a_malformed_key_is_refused_with_a_reason(void **state)
{
    (void)state;
    library l;
    xmtp_client *client = NULL;
    xmtp_error error = {0};
    const xmtp_client_options options = {.encryption_key = "12345"};
    load(&l);
    assert_int_equal(l.open(&client, &options, &error), XMTP_E_KEY);
    assert_non_null(strchr(error.text, '5'));
    assert_null(client);
    unload(&l);
}

static void inner_functions_are_not_found(void **state)
{
    (void)state;
    library l;
    load(&l);
    assert_null(dlsym(l.handle, "xmtp_wipe"));
    assert_null(dlsym(l.handle, "xmtp_node_open"));
    unload(&l);
}

static xmtp_status keep_text(void *context, const xmtp_message *message)
{
    char *text = context;
    if (message->text != NULL) {
        (void)snprintf(text, 16, "%s", message->text);
    }
    return XMTP_OK;
}

static xmtp_client *client_of(const library *l, const char *node_url)
{
    xmtp_client *client = NULL;
    xmtp_error error = {0};
    const xmtp_client_options options = {.node_url = node_url};
    if (l->open(&client, &options, &error) != XMTP_OK) {
        fail_msg("open: %s", error.text);
    }
    return client;
}

static void two_clients_talk_over_a_socket(void **state)
{
    (void)state;
    library l;
    xmtp_node *node;
    xmtp_error error = {0};
    char url[40];
    char text[16] = "";
    xmtp_conversation_id dm;
    const xmtp_node_options options = {.listen = {"127.0.0.1:0"}, .loops = 1};
    const xmtp_message_query all = {0};
    assert_int_equal(xmtp_node_open(&node, &options, &error), XMTP_OK);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", xmtp_node_port(node, 0));
    load(&l);
    xmtp_client *a = client_of(&l, url);
    xmtp_client *b = client_of(&l, url);
    assert_int_equal(l.dm(a, l.address(b), &dm, &error), XMTP_OK);
    assert_int_equal(l.send_text(a, &dm, "hello", NULL, &error), XMTP_OK);
    assert_int_equal(l.sync(b, &error), XMTP_OK);
    assert_int_equal(l.messages(b, &all, keep_text, text, &error), XMTP_OK);
    assert_string_equal(text, "hello");
    l.close(a);
    l.close(b);
    unload(&l);
    xmtp_node_close(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_loaded_and_unloaded_again_and_again),
        cmocka_unit_test(a_malformed_key_is_refused_with_a_reason),
        cmocka_unit_test(inner_functions_are_not_found),
        cmocka_unit_test(two_clients_talk_over_a_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
