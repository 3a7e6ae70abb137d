/* config_test.c - settings from every source, what is refused and how it is told. */
#include "node/config.h"

#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct test_config {
    xmtp_node_config config;
    xmtp_error error;
} test_config;

static test_config *config_new(void)
{
    test_config *t = calloc(1, sizeof *t);
    xmtp_node_config_init(&t->config, &xmtp_env_system()->alloc);
    return t;
}

static void config_end(test_config *t)
{
    xmtp_node_config_free(&t->config);
    free(t);
}

static xmtp_status read_text(test_config *t, const char *text)
{
    return xmtp_node_config_text(&t->config, "node.conf", xmtp_bytes_of_string(text), &t->error);
}

static xmtp_status set(test_config *t, const char *name, const char *value)
{
    const xmtp_node_setting *s = xmtp_node_config_find(name, strlen(name));
    assert_non_null(s);
    return xmtp_node_config_set(&t->config, s, value, XMTP_NODE_FROM_FLAG, NULL, &t->error);
}

static void the_file_sets_what_it_names(void **state)
{
    (void)state;
    test_config *t = config_new();
    assert_int_equal(read_text(t, "# a node\n\n data = /var/lib/xmtp \r\n"
                                  "group-message-bytes-max=8MiB # enough\n"
                                  "tls-optional = on\nlisten = 127.0.0.1:1, grpc=[::1]:2\n"
                                  "listen = web=0.0.0.0:3"),
                     XMTP_OK);
    assert_string_equal(t->config.data, "/var/lib/xmtp");
    assert_int_equal(t->config.limits.group_message_len, 8 << 20);
    assert_true(t->config.tls_optional);
    assert_int_equal(t->config.listen.count, 3);
    assert_string_equal(t->config.listen.items[1], "grpc=[::1]:2");
    assert_string_equal(t->config.listen.items[2], "web=0.0.0.0:3");
    assert_int_equal(t->config.limits.messages, 10000); /* the others keep their defaults */
    config_end(t);
}

static void mistakes_are_told_with_file_line_and_what_is_allowed(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *sentence;
    } cases[] = {
        {"\n\nfoo = 1\n", "node.conf:3: there is no setting called \"foo\""},
        {"data\n", "node.conf:1: \"data\" is no \"name = value\""},
        {"group-message-bytes-max = 99GiB",
         "node.conf:1: group-message-bytes-max cannot be \"99GiB\": from 1KiB to 48MiB is allowed"},
        {"#\ngroup-message-bytes-max = -1",
         "node.conf:2: group-message-bytes-max cannot be \"-1\": from 1KiB to 48MiB is allowed"},
        {"messages-max = 1KiB",
         "node.conf:1: messages-max cannot be \"1KiB\": from 1 to 100000 is allowed"},
        {"messages-max = 99999999999999999999999",
         "node.conf:1: messages-max cannot be \"99999999999999999999999\": from 1 to 100000 is "
         "allowed"},
        {"group-message-bytes-max = 99999999999999999GiB",
         "node.conf:1: group-message-bytes-max cannot be \"99999999999999999GiB\": from 1KiB to "
         "48MiB is allowed"},
        {"keep-messages-days = 29",
         "node.conf:1: keep-messages-days cannot be \"29\": 0 or from 30 to 36500 is allowed"},
        {"tls-optional = yes", "node.conf:1: tls-optional cannot be \"yes\": on or off is allowed"},
        {"data =", "node.conf:1: data cannot be \"\": it needs a value"},
        {"data = a\ndata = b", "node.conf:2: data is set a second time"},
        {"listen = 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17",
         "node.conf:1: listen cannot be \"1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,1\": there are 16 "
         "already, and more are not allowed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_config *t = config_new();
        assert_int_equal(read_text(t, cases[i].text), XMTP_E_ARGUMENT);
        assert_string_equal(t->error.text, cases[i].sentence);
        config_end(t);
    }
}

static char *fake_environment(const char *name)
{
    static char data[] = "/from/environment";
    static char messages[] = "77";
    static char bad[] = "many";
    return strcmp(name, "XMTP_NODE_DATA") == 0               ? data
           : strcmp(name, "XMTP_NODE_MESSAGES_MAX") == 0     ? messages
           : strcmp(name, "XMTP_NODE_KEY_PACKAGES_MAX") == 0 ? bad
                                                             : NULL;
}

static char *good_environment(const char *name)
{
    return strcmp(name, "XMTP_NODE_KEY_PACKAGES_MAX") == 0 ? NULL : fake_environment(name);
}

static void flags_beat_the_environment_and_that_the_file(void **state)
{
    (void)state;
    char *argv[] = {(char[]){"node"},           (char[]){"--data"},         (char[]){"/from/flag"},
                    (char[]){"--tls-optional"}, (char[]){"--groups-max=5"}, (char[]){"--help"}};
    test_config *t = config_new();
    int rest;
    assert_int_equal(xmtp_node_config_flags(&t->config, 6, argv, &rest, &t->error), XMTP_OK);
    assert_int_equal(rest, 5);
    assert_int_equal(xmtp_node_config_environment(&t->config, good_environment, &t->error),
                     XMTP_OK);
    assert_int_equal(read_text(t, "data = /file\nmessages-max = 5\ninboxes-max = 9"), XMTP_OK);
    assert_string_equal(t->config.data, "/from/flag");
    assert_int_equal(t->config.limits.messages, 77);
    assert_int_equal(t->config.limits.inboxes, 9);
    assert_int_equal(t->config.limits.groups, 5);
    assert_true(t->config.tls_optional);
    assert_int_equal(read_text(t, "messages-max = 0"), XMTP_E_ARGUMENT); /* weaker, wrong, told */
    config_end(t);
}

static void a_wrong_environment_and_a_flag_without_value_are_told_by_name(void **state)
{
    (void)state;
    char *argv[] = {(char[]){"node"}, (char[]){"--data"}};
    test_config *t = config_new();
    int rest;
    assert_int_equal(xmtp_node_config_environment(&t->config, fake_environment, &t->error),
                     XMTP_E_ARGUMENT);
    assert_string_equal(t->error.text, "XMTP_NODE_KEY_PACKAGES_MAX: key-packages-max cannot be "
                                       "\"many\": from 1 to 100000 is allowed");
    assert_int_equal(xmtp_node_config_flags(&t->config, 2, argv, &rest, &t->error),
                     XMTP_E_ARGUMENT);
    assert_string_equal(t->error.text, "--data needs a value: DIR");
    config_end(t);
}

static void what_is_printed_gives_the_same_configuration(void **state)
{
    (void)state;
    test_config *t = config_new();
    assert_int_equal(set(t, "data", "/a b"), XMTP_OK);
    assert_int_equal(set(t, "reply-bytes-max", "65537"), XMTP_OK);
    assert_int_equal(set(t, "listen", "a,b"), XMTP_OK);
    assert_int_equal(set(t, "proxy-header", "on"), XMTP_OK);
    xmtp_writer first;
    xmtp_writer second;
    xmtp_writer_init(&first, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&second, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    xmtp_node_config_print(&t->config, &first);
    test_config *again = config_new();
    assert_int_equal(
        xmtp_node_config_text(&again->config, "x", xmtp_writer_bytes(&first), &again->error),
        XMTP_OK);
    assert_string_equal(again->config.data, "/a b");
    assert_int_equal(again->config.limits.reply_len, 65537);
    assert_int_equal(again->config.listen.count, 2);
    assert_memory_equal(&again->config.limits, &t->config.limits, sizeof t->config.limits);
    xmtp_node_config_print(&again->config, &second);
    assert_non_null(
        memmem(second.p, second.n, "reply-bytes-max = 65537  # file, from 64KiB to 24MiB", 52));
    xmtp_writer_free(&first);
    xmtp_writer_free(&second);
    config_end(again);
    config_end(t);
}

/* ---- the table itself */

static void every_number_is_taken_at_its_ends_and_refused_one_past_them(void **state)
{
    (void)state;
    char text[32];
    size_t count = 0;
    for (const xmtp_node_setting *s = xmtp_node_settings; s->name != NULL; s++) {
        if (s->help == NULL ||
            (s->type != XMTP_NODE_SETTING_COUNT && s->type != XMTP_NODE_SETTING_BYTES)) {
            continue;
        }
        test_config *t = config_new();
        (void)snprintf(text, sizeof text, "%llu", (unsigned long long)s->min);
        assert_int_equal(set(t, s->name, text), XMTP_OK);
        (void)snprintf(text, sizeof text, "%llu", (unsigned long long)s->max);
        assert_int_equal(set(t, s->name, text), XMTP_OK);
        (void)snprintf(text, sizeof text, "%llu", (unsigned long long)s->max + 1);
        assert_int_equal(set(t, s->name, text), XMTP_E_ARGUMENT);
        (void)snprintf(text, sizeof text, "%llu", (unsigned long long)s->min - 1);
        assert_int_equal(set(t, s->name, text), XMTP_E_ARGUMENT);
        assert_true((s->value == 0 && s->may_be_zero) ||
                    (s->value >= s->min && s->value <= s->max));
        count++;
        config_end(t);
    }
    assert_true(count > 15);
}

static void names_are_unique_and_help_knows_all(void **state)
{
    (void)state;
    xmtp_writer help;
    size_t count = 0;
    xmtp_writer_init(&help, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    xmtp_node_config_help(&help);
    xmtp_writer_u8(&help, 0);
    for (const xmtp_node_setting *s = xmtp_node_settings; s->name != NULL; s++, count++) {
        if (s->help != NULL) {
            char flag[80];
            assert_ptr_equal(xmtp_node_config_find(s->name, strlen(s->name)), s);
            (void)snprintf(flag, sizeof flag, "  --%s ", s->name);
            assert_non_null(strstr((const char *)help.p, flag));
        }
    }
    assert_true(count < XMTP_NODE_CONFIG_SETTINGS_MAX);
    for (const char *line = (const char *)help.p; *line != '\0'; line += strcspn(line, "\n") + 1) {
        assert_true(strcspn(line, "\n") <= 100);
    }
    xmtp_writer_free(&help);
}

static void limits_of_zero_become_the_defaults(void **state)
{
    (void)state;
    xmtp_node_limits limits = {.messages = 3};
    test_config *t = config_new();
    xmtp_node_limits_fill(&limits);
    assert_int_equal(limits.messages, 3);
    limits.messages = t->config.limits.messages;
    assert_memory_equal(&limits, &t->config.limits, sizeof limits);
    config_end(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_sets_what_it_names),
        cmocka_unit_test(mistakes_are_told_with_file_line_and_what_is_allowed),
        cmocka_unit_test(flags_beat_the_environment_and_that_the_file),
        cmocka_unit_test(a_wrong_environment_and_a_flag_without_value_are_told_by_name),
        cmocka_unit_test(what_is_printed_gives_the_same_configuration),
        cmocka_unit_test(every_number_is_taken_at_its_ends_and_refused_one_past_them),
        cmocka_unit_test(names_are_unique_and_help_knows_all),
        cmocka_unit_test(limits_of_zero_become_the_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
