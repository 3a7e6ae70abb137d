/* content_test.c - every content type there and back, as the official client writes it, and wrong. */
#include "content/codec.h"
#include "content/json.h"

#include "base/bytes.h"

#include <cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include <cmocka.h>

static const char id_hex[] = "bcbb57e640206d424f52f4ec466d481dc6c8f83ad7a87de5281086fc8a34746f";
static const char inbox[] = "c6e491566167c7bfd54868fcef03deb9a4fb2dde288a73ee4660bedac7a4e5c1";

static xmtp_error error;

typedef struct encoded {
    uint8_t *p;
    size_t n;
} encoded;

static encoded encode_ok(const xmtp_content *content)
{
    encoded out;
    xmtp_status status = xmtp_content_encode(content, NULL, &out.p, &out.n, &error);
    if (status != XMTP_OK) {
        fail_msg("encode: %s", error.text);
    }
    return out;
}

static xmtp_content *decode_ok(xmtp_bytes bytes)
{
    xmtp_content *out;
    xmtp_status status = xmtp_content_decode(bytes, NULL, &out, &error);
    if (status != XMTP_OK) {
        fail_msg("decode: %s", error.text);
    }
    return out;
}

static void give_back(encoded e)
{
    xmtp_content_bytes_free(NULL, e.p, e.n);
}

/* Encoded and decoded again. */
static xmtp_content *there_and_back(const xmtp_content *content)
{
    encoded e = encode_ok(content);
    xmtp_content *out = decode_ok(xmtp_bytes_of(e.p, e.n));
    give_back(e);
    assert_int_equal(out->type, content->type);
    return out;
}

static void assert_refused(const xmtp_content *content, xmtp_status status, const char *sentence)
{
    uint8_t *p;
    size_t n;
    error = (xmtp_error){0};
    assert_int_equal(xmtp_content_encode(content, NULL, &p, &n, &error), status);
    assert_null(p);
    assert_string_equal(error.text, sentence);
}

/* ---- as the official client writes it: contents recorded on the wire */

static xmtp_bytes from_hex(const char *hex)
{
    static uint8_t bytes[1024];
    size_t n = strlen(hex) / 2;
    assert_true(n <= sizeof(bytes));
    assert_int_equal(xmtp_hex_decode(bytes, n, hex, 2 * n), XMTP_OK);
    return xmtp_bytes_of(bytes, n);
}

/* For contents without several parameters, whose order is free: the same bytes. */
static void assert_written_as(const xmtp_content *content, const char *hex)
{
    encoded e = encode_ok(content);
    char *text = malloc(2 * e.n + 1);
    xmtp_hex_encode(text, xmtp_bytes_of(e.p, e.n));
    assert_string_equal(text, hex);
    free(text);
    give_back(e);
}

static const char official_markdown[] =
    "0a160a08786d74702e6f726712086d61726b646f776e180112110a08656e636f64696e6712055554462d38220723"
    "207469746c65";
static const char official_read_receipt[] = "0a190a08786d74702e6f7267120b726561645265636569707418"
                                            "01";

static void a_markdown_is_written_as_the_official_client_does(void **state)
{
    (void)state;
    assert_written_as(&(xmtp_content){.type = XMTP_CONTENT_MARKDOWN, .text = "# title"},
                      official_markdown);
}

static void a_read_receipt_is_written_as_the_official_client_does(void **state)
{
    (void)state;
    assert_written_as(&(xmtp_content){.type = XMTP_CONTENT_READ_RECEIPT}, official_read_receipt);
    xmtp_content *out = decode_ok(from_hex(official_read_receipt));
    assert_int_equal(out->type, XMTP_CONTENT_READ_RECEIPT);
    xmtp_content_free(out);
}

/* ---- round trips */

static void a_text_comes_back(void **state)
{
    (void)state;
    xmtp_content *out =
        there_and_back(&(xmtp_content){.type = XMTP_CONTENT_TEXT, .text = "h\xc3\xa9llo"});
    assert_string_equal(out->text, "h\xc3\xa9llo");
    assert_null(out->fallback);
    xmtp_content_free(out);
}

static const xmtp_content thumb = {.type = XMTP_CONTENT_REACTION,
                                   .reaction = {.reference = id_hex,
                                                .reference_inbox = inbox,
                                                .action = XMTP_REACTION_REMOVED,
                                                .schema = XMTP_REACTION_SHORTCODE,
                                                .content = "thumb"}};

static void a_reaction_comes_back_with_its_sentence(void **state)
{
    (void)state;
    xmtp_content *out = there_and_back(&thumb);
    assert_string_equal(out->reaction.reference, id_hex);
    assert_string_equal(out->reaction.reference_inbox, inbox);
    assert_int_equal(out->reaction.action, XMTP_REACTION_REMOVED);
    assert_int_equal(out->reaction.schema, XMTP_REACTION_SHORTCODE);
    assert_string_equal(out->reaction.content, "thumb");
    assert_string_equal(out->fallback, "Removed \"thumb\" from an earlier message");
    xmtp_content_free(out);
}

/* An EncodedContent of a JSON type, as another client might write it. */
static xmtp_content *decode_json_of(const char *authority, const char *type, const char *json,
                                    xmtp_status expected)
{
    xmtp_content custom = {.type = XMTP_CONTENT_UNKNOWN,
                           .custom = {.authority = authority,
                                      .type = type,
                                      .version_major = 1,
                                      .content = xmtp_bytes_of_string(json)}};
    encoded e = encode_ok(&custom);
    xmtp_content *out;
    error = (xmtp_error){0};
    assert_int_equal(xmtp_content_decode(xmtp_bytes_of(e.p, e.n), NULL, &out, &error), expected);
    give_back(e);
    return out;
}

static void a_reaction_of_an_old_client_is_read(void **state)
{
    (void)state;
    xmtp_content *out = decode_json_of("xmtp.org", "reaction",
                                       "{\"action\":\"added\",\"reference\":\"ab\","
                                       "\"schema\":\"custom\",\"content\":\"x\"}",
                                       XMTP_OK);
    assert_int_equal(out->type, XMTP_CONTENT_REACTION);
    assert_int_equal(out->reaction.action, XMTP_REACTION_ADDED);
    assert_int_equal(out->reaction.schema, XMTP_REACTION_CUSTOM);
    assert_string_equal(out->reaction.reference, "ab");
    assert_null(out->reaction.reference_inbox);
    xmtp_content_free(out);
    assert_null(decode_json_of("xmtp.org", "reaction", "{\"action\":\"added\"}", XMTP_E_CONTENT));
    assert_string_equal(error.text, "reference is missing");
}

static void a_reply_to_a_reply_comes_back(void **state)
{
    (void)state;
    xmtp_content text = {.type = XMTP_CONTENT_TEXT, .text = "yes"};
    xmtp_content inner = {.type = XMTP_CONTENT_REPLY,
                          .reply = {.reference = "01", .content = &text}};
    xmtp_content outer = {
        .type = XMTP_CONTENT_REPLY,
        .reply = {.reference = id_hex, .reference_inbox = inbox, .content = &inner}};
    xmtp_content *out = there_and_back(&outer);
    assert_string_equal(out->reply.reference_inbox, inbox);
    assert_string_equal(out->fallback, "Replied to an earlier message");
    assert_int_equal(out->reply.content->type, XMTP_CONTENT_REPLY);
    assert_string_equal(out->reply.content->fallback, "Replied with \"yes\" to an earlier message");
    assert_string_equal(out->reply.content->reply.content->text, "yes");
    xmtp_content_free(out);
}

static void replies_nest_only_so_deep(void **state)
{
    (void)state;
    xmtp_content levels[XMTP_REPLY_DEPTH_MAX + 2];
    levels[0] = (xmtp_content){.type = XMTP_CONTENT_TEXT, .text = "deep"};
    for (size_t i = 1; i < XMTP_REPLY_DEPTH_MAX + 2; i++) {
        levels[i] = (xmtp_content){.type = XMTP_CONTENT_REPLY,
                                   .reply = {.reference = "01", .content = &levels[i - 1]}};
    }
    xmtp_content_free(there_and_back(&levels[XMTP_REPLY_DEPTH_MAX]));
    assert_refused(&levels[XMTP_REPLY_DEPTH_MAX + 1], XMTP_E_LIMIT, "contents nest deeper than 8");
}

static void an_attachment_comes_back(void **state)
{
    (void)state;
    xmtp_content file = {.type = XMTP_CONTENT_ATTACHMENT,
                         .attachment = {.filename = "a.txt",
                                        .mime_type = "text/plain",
                                        .content = xmtp_bytes_of("bo\0dy", 5)}};
    xmtp_content *out = there_and_back(&file);
    assert_string_equal(out->attachment.filename, "a.txt");
    assert_string_equal(out->attachment.mime_type, "text/plain");
    assert_int_equal(out->attachment.content.n, 5);
    assert_memory_equal(out->attachment.content.p, "bo\0dy", 5);
    assert_string_equal(out->fallback,
                        "Can't display a.txt. This app doesn't support attachments.");
    xmtp_content_free(out);
}

static const uint8_t key_bytes[32] = {1, 2, 3};

static xmtp_remote_attachment remote_of(const char *url)
{
    return (xmtp_remote_attachment){.url = url,
                                    .scheme = "https://",
                                    .content_digest = "d1",
                                    .secret = xmtp_bytes_of(key_bytes, 32),
                                    .salt = xmtp_bytes_of(key_bytes, 32),
                                    .nonce = xmtp_bytes_of(key_bytes, 12),
                                    .content_length = 261};
}

static void assert_remote(const xmtp_remote_attachment *got, const char *url)
{
    assert_string_equal(got->url, url);
    assert_string_equal(got->scheme, "https://");
    assert_string_equal(got->content_digest, "d1");
    assert_int_equal(got->secret.n, 32);
    assert_memory_equal(got->secret.p, key_bytes, 32);
    assert_int_equal(got->nonce.n, 12);
    assert_int_equal(got->content_length, 261);
    assert_null(got->filename);
}

static void remote_attachments_come_back_alone_and_together(void **state)
{
    (void)state;
    xmtp_remote_attachment two[] = {remote_of("https://a/1"), remote_of("https://a/2")};
    xmtp_content one = {.type = XMTP_CONTENT_REMOTE_ATTACHMENT, .remote_attachment = two[0]};
    xmtp_content *out = there_and_back(&one);
    assert_remote(&out->remote_attachment, "https://a/1");
    assert_string_equal(out->fallback, "Can't display this content. This app doesn't support "
                                       "remote attachments.");
    xmtp_content_free(out);
    xmtp_content both = {.type = XMTP_CONTENT_MULTI_REMOTE_ATTACHMENT,
                         .multi_remote_attachment = {.attachments = two, .count = 2}};
    out = there_and_back(&both);
    assert_int_equal(out->multi_remote_attachment.count, 2);
    assert_remote(&out->multi_remote_attachment.attachments[1], "https://a/2");
    xmtp_content_free(out);
}

static void a_transaction_comes_back(void **state)
{
    (void)state;
    xmtp_content in = {.type = XMTP_CONTENT_TRANSACTION_REFERENCE,
                       .transaction_reference = {.network_id = "8453",
                                                 .reference = "0xabc",
                                                 .has_metadata = true,
                                                 .metadata = {.transaction_type = "transfer",
                                                              .currency = "USDC",
                                                              .amount = 0.05,
                                                              .decimals = 6,
                                                              .from_address = "0x1",
                                                              .to_address = "0x2"}}};
    xmtp_content *out = there_and_back(&in);
    const xmtp_transaction_reference *got = &out->transaction_reference;
    assert_null(got->name_space);
    assert_string_equal(got->network_id, "8453");
    assert_true(got->has_metadata);
    assert_true(got->metadata.amount == 0.05);
    assert_int_equal(got->metadata.decimals, 6);
    assert_string_equal(got->metadata.to_address, "0x2");
    xmtp_content_free(out);
}

static void a_network_may_be_a_number(void **state)
{
    (void)state;
    xmtp_content *out = decode_json_of("xmtp.org", "transactionReference",
                                       "{\"networkId\":8453,\"reference\":\"0x1\"}", XMTP_OK);
    assert_string_equal(out->transaction_reference.network_id, "8453");
    xmtp_content_free(out);
}

static void calls_come_back_with_what_else_their_metadata_says(void **state)
{
    (void)state;
    xmtp_pair extra[] = {{"hostname", "x.org"}};
    xmtp_wallet_call call = {.to = "0x2",
                             .value = "0x5",
                             .has_metadata = true,
                             .description = "pay",
                             .transaction_type = "transfer",
                             .extra = extra,
                             .extra_count = 1};
    xmtp_pair capability = {"paymaster", "https://p"};
    xmtp_content in = {.type = XMTP_CONTENT_WALLET_SEND_CALLS,
                       .wallet_send_calls = {.version = "1.0",
                                             .chain_id = "0x2105",
                                             .from = "0x1",
                                             .calls = &call,
                                             .call_count = 1,
                                             .capabilities = &capability,
                                             .capability_count = 1}};
    xmtp_content *out = there_and_back(&in);
    const xmtp_wallet_send_calls *got = &out->wallet_send_calls;
    assert_int_equal(got->call_count, 1);
    assert_string_equal(got->calls[0].value, "0x5");
    assert_null(got->calls[0].gas);
    assert_int_equal(got->calls[0].extra_count, 1);
    assert_string_equal(got->calls[0].extra[0].value, "x.org");
    assert_string_equal(got->capabilities[0].key, "paymaster");
    assert_memory_equal(out->fallback, "[Transaction request generated]: {\"version\"", 43);
    xmtp_content_free(out);
}

static const uint64_t christmas_ns = 1766707199123000000; /* 2025-12-25T23:59:59.123Z */

static void actions_come_back_with_times_in_milliseconds(void **state)
{
    (void)state;
    xmtp_action two[] = {{.id = "a",
                          .label = "Turkey",
                          .style = XMTP_ACTION_DANGER,
                          .expires_at_ns = christmas_ns + 999},
                         {.id = "b", .label = "Pork", .image_url = "https://i"}};
    xmtp_content in = {.type = XMTP_CONTENT_ACTIONS,
                       .actions = {.id = "m", .description = "Choose", .actions = two, .count = 2}};
    xmtp_content *out = there_and_back(&in);
    assert_int_equal(out->actions.count, 2);
    assert_int_equal(out->actions.actions[0].style, XMTP_ACTION_DANGER);
    assert_true(out->actions.actions[0].expires_at_ns == christmas_ns);
    assert_int_equal(out->actions.actions[1].style, XMTP_ACTION_PLAIN);
    assert_string_equal(out->actions.actions[1].image_url, "https://i");
    assert_string_equal(out->fallback, "Choose\n\n[1] Turkey\n[2] Pork\n\n"
                                       "Reply with the number to select");
    xmtp_content_free(out);
}

static void actions_in_snake_case_are_read(void **state)
{
    (void)state;
    xmtp_content *out = decode_json_of(
        "coinbase.com", "actions",
        "{\"id\":\"m\",\"description\":\"d\",\"expires_at\":\"2025-12-26T00:59:59.123+01:00\","
        "\"actions\":[{\"id\":\"a\",\"label\":\"l\",\"image_url\":\"u\",\"style\":null}]}",
        XMTP_OK);
    assert_true(out->actions.expires_at_ns == christmas_ns);
    assert_string_equal(out->actions.actions[0].image_url, "u");
    xmtp_content_free(out);
}

static void an_intent_comes_back_with_any_metadata(void **state)
{
    (void)state;
    xmtp_content in = {
        .type = XMTP_CONTENT_INTENT,
        .intent = {.id = "m", .action_id = "a", .metadata = "{ \"n\" : [1, {\"x\":true}] }"}};
    xmtp_content *out = there_and_back(&in);
    assert_string_equal(out->intent.action_id, "a");
    assert_string_equal(out->intent.metadata, "{\"n\":[1,{\"x\":true}]}");
    assert_string_equal(out->fallback, "User selected action: a");
    xmtp_content_free(out);
}

static void a_group_update_comes_back(void **state)
{
    (void)state;
    const char *const added[] = {"aa", "bb"};
    const char *const left[] = {"cc"};
    xmtp_metadata_change change = {.field = "group_name", .new_value = "new"};
    xmtp_content in = {.type = XMTP_CONTENT_GROUP_UPDATED,
                       .group_updated = {.initiated_by = inbox,
                                         .added = {added, 2},
                                         .left = {left, 1},
                                         .changes = &change,
                                         .change_count = 1}};
    xmtp_content *out = there_and_back(&in);
    assert_int_equal(out->group_updated.added.count, 2);
    assert_string_equal(out->group_updated.added.p[1], "bb");
    assert_string_equal(out->group_updated.left.p[0], "cc");
    assert_int_equal(out->group_updated.removed.count, 0);
    assert_null(out->group_updated.changes[0].old_value);
    assert_string_equal(out->group_updated.changes[0].new_value, "new");
    xmtp_content_free(out);
}

static void deletions_edits_and_leave_requests_come_back(void **state)
{
    (void)state;
    xmtp_content text = {.type = XMTP_CONTENT_TEXT, .text = "better"};
    xmtp_content *out = there_and_back(&(xmtp_content){.type = XMTP_CONTENT_DELETE_MESSAGE,
                                                       .delete_message = {.message_id = id_hex}});
    assert_string_equal(out->delete_message.message_id, id_hex);
    xmtp_content_free(out);
    out = there_and_back(&(xmtp_content){.type = XMTP_CONTENT_EDIT_MESSAGE,
                                         .edit_message = {.message_id = id_hex, .content = &text}});
    assert_string_equal(out->edit_message.message_id, id_hex);
    assert_string_equal(out->edit_message.content->text, "better");
    xmtp_content_free(out);
    out = there_and_back(&(xmtp_content){.type = XMTP_CONTENT_LEAVE_REQUEST});
    assert_int_equal(out->leave_request.authenticated_note.n, 0);
    xmtp_content_free(out);
}

static void a_custom_type_keeps_parameters_and_fallback(void **state)
{
    (void)state;
    xmtp_pair parameter = {"k", "v"};
    xmtp_content in = {.type = XMTP_CONTENT_UNKNOWN,
                       .fallback = "a poll",
                       .custom = {.authority = "example.org",
                                  .type = "poll",
                                  .version_major = 2,
                                  .version_minor = 7,
                                  .parameters = &parameter,
                                  .parameter_count = 1,
                                  .content = xmtp_bytes_of("\0x", 2)}};
    xmtp_content *out = there_and_back(&in);
    assert_string_equal(out->fallback, "a poll");
    assert_string_equal(out->custom.type, "poll");
    assert_int_equal(out->custom.version_minor, 7);
    assert_string_equal(out->custom.parameters[0].value, "v");
    assert_int_equal(out->custom.content.n, 2);
    xmtp_content_free(out);
}

static void a_newer_major_version_is_a_custom_type(void **state)
{
    (void)state;
    xmtp_content in = {.type = XMTP_CONTENT_UNKNOWN,
                       .custom = {.authority = "xmtp.org", .type = "text", .version_major = 2}};
    xmtp_content *out = there_and_back(&in);
    assert_int_equal(out->type, XMTP_CONTENT_UNKNOWN);
    xmtp_content_free(out);
}

static void only_what_calls_for_attention_notifies(void **state)
{
    (void)state;
    assert_true(xmtp_content_should_push(XMTP_CONTENT_TEXT));
    assert_true(xmtp_content_should_push(XMTP_CONTENT_INTENT));
    assert_false(xmtp_content_should_push(XMTP_CONTENT_REACTION));
    assert_false(xmtp_content_should_push(XMTP_CONTENT_READ_RECEIPT));
    assert_false(xmtp_content_should_push(XMTP_CONTENT_DELETE_MESSAGE));
    assert_false(xmtp_content_should_push(XMTP_CONTENT_UNKNOWN));
}

/* ---- refusals */

static void what_a_type_forbids_is_not_encoded(void **state)
{
    (void)state;
    xmtp_action twice[] = {{.id = "a", .label = "1"}, {.id = "a", .label = "2"}};
    xmtp_action many[XMTP_ACTIONS_MAX + 1] = {{.id = "a", .label = "1"}};
    xmtp_content actions = {
        .type = XMTP_CONTENT_ACTIONS,
        .actions = {.id = "m", .description = "d", .actions = twice, .count = 2}};
    assert_refused(&actions, XMTP_E_CONTENT, "actions 1 and 2 have the same id");
    actions.actions.count = 0;
    assert_refused(&actions, XMTP_E_CONTENT, "0 actions, not 1 to 10");
    actions.actions.actions = many;
    actions.actions.count = XMTP_ACTIONS_MAX + 1;
    assert_refused(&actions, XMTP_E_CONTENT, "11 actions, not 1 to 10");

    xmtp_content text = {.type = XMTP_CONTENT_TEXT, .text = "\xff"};
    assert_refused(&text, XMTP_E_CONTENT, "text is not UTF-8");
    text.text = NULL;
    assert_refused(&text, XMTP_E_CONTENT, "text is missing");

    xmtp_content reaction = thumb;
    reaction.reaction.action = (xmtp_reaction_action)3;
    assert_refused(&reaction, XMTP_E_CONTENT, "a reaction's action is 3");

    xmtp_content remote = {.type = XMTP_CONTENT_REMOTE_ATTACHMENT,
                           .remote_attachment = remote_of("https://a")};
    remote.remote_attachment.nonce.n = 11;
    assert_refused(&remote, XMTP_E_CONTENT, "nonce has 11 bytes, not 12");
}

static void metadata_of_an_intent_has_a_limit(void **state)
{
    (void)state;
    char json[XMTP_INTENT_METADATA_MAX + 2];
    memset(json, 'x', sizeof(json));
    memcpy(json, "{\"k\":\"", 6);
    memcpy(json + XMTP_INTENT_METADATA_MAX - 2, "\"}", 3);
    xmtp_content in = {.type = XMTP_CONTENT_INTENT,
                       .intent = {.id = "m", .action_id = "a", .metadata = json}};
    xmtp_content_free(there_and_back(&in));
    memcpy(json + XMTP_INTENT_METADATA_MAX - 2, "x\"}", 4);
    assert_refused(&in, XMTP_E_LIMIT, "metadata has 10241 bytes, at most 10240 fit");
    in.intent.metadata = "[1]";
    assert_refused(&in, XMTP_E_CONTENT, "metadata is not a JSON object");
}

static void bodies_that_do_not_fit_their_type_are_told(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "[]",
        "{",
        "{\"id\":1,\"description\":\"d\",\"actions\":[]}",
        "{\"id\":\"m\",\"description\":\"d\"}",
        "{\"id\":\"m\",\"description\":\"d\",\"actions\":{}}",
        "{\"id\":\"m\",\"description\":\"d\",\"actions\":[7]}",
        "{\"id\":\"m\",\"description\":\"d\",\"actions\":[{\"id\":\"a\"}]}",
        "{\"id\":\"m\",\"description\":\"d\",\"actions\":[{\"id\":\"a\",\"label\":\"l\","
        "\"style\":\"loud\"}]}",
        "{\"id\":\"m\",\"description\":\"d\",\"actions\":[],\"expiresAt\":\"tomorrow\"}",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_null(decode_json_of("coinbase.com", "actions", wrong[i], XMTP_E_CONTENT));
        assert_true(error.text[0] != 0);
    }
}

static void cut_and_flipped_content_never_does_harm(void **state)
{
    (void)state;
    xmtp_content text = {.type = XMTP_CONTENT_TEXT, .text = "yes"};
    xmtp_content reply = {.type = XMTP_CONTENT_REPLY,
                          .reply = {.reference = id_hex, .content = &text}};
    encoded e = encode_ok(&reply);
    for (size_t i = 0; i < e.n; i++) {
        xmtp_content *out = NULL;
        (void)!xmtp_content_decode(xmtp_bytes_of(e.p, i), NULL, &out, &error);
        xmtp_content_free(out);
        e.p[i] ^= 0x55;
        (void)!xmtp_content_decode(xmtp_bytes_of(e.p, e.n), NULL, &out, &error);
        xmtp_content_free(out);
        e.p[i] ^= 0x55;
    }
    give_back(e);
}

/* ---- compression */

static encoded deflated(const uint8_t *p, size_t n, int window_bits)
{
    encoded out = {.p = malloc(n + 100), .n = 0};
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)p,
                       .avail_in = (uInt)n,
                       .next_out = out.p,
                       .avail_out = (uInt)(n + 100)};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY),
                     Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out.n = stream.total_out;
    deflateEnd(&stream);
    return out;
}

/* A text whose body is compressed: the encoding of a text with this body, and field 5. */
static xmtp_status decode_compressed(encoded body, uint8_t compression, xmtp_content **out)
{
    xmtp_pair encoding = {"encoding", "UTF-8"};
    xmtp_content custom = {.type = XMTP_CONTENT_UNKNOWN,
                           .custom = {.authority = "xmtp.org",
                                      .type = "text",
                                      .version_major = 1,
                                      .parameters = &encoding,
                                      .parameter_count = 1,
                                      .content = xmtp_bytes_of(body.p, body.n)}};
    encoded e = encode_ok(&custom);
    uint8_t *p = malloc(e.n + 2);
    memcpy(p, e.p, e.n);
    p[e.n] = 5 << 3;
    p[e.n + 1] = compression;
    xmtp_status status = xmtp_content_decode(xmtp_bytes_of(p, e.n + 2), NULL, out, &error);
    free(p);
    give_back(e);
    return status;
}

static void compressed_texts_of_old_clients_are_read(void **state)
{
    (void)state;
    static const int window_bits[] = {MAX_WBITS, 16 + MAX_WBITS};
    for (uint8_t compression = 0; compression < 2; compression++) {
        encoded body = deflated((const uint8_t *)"hello hello hello", 17, window_bits[compression]);
        xmtp_content *out;
        assert_int_equal(decode_compressed(body, compression, &out), XMTP_OK);
        assert_string_equal(out->text, "hello hello hello");
        xmtp_content_free(out);
        assert_int_equal(decode_compressed(body, 1 - compression, &out), XMTP_E_CONTENT);
        body.n--;
        assert_int_equal(decode_compressed(body, compression, &out), XMTP_E_CONTENT);
        free(body.p);
    }
}

static void a_compressed_bomb_stops_at_the_limit(void **state)
{
    (void)state;
    size_t n = XMTP_CONTENT_LEN_MAX + 1;
    uint8_t *zeros = calloc(1, n);
    memset(zeros, 'a', n);
    encoded body = deflated(zeros, n, MAX_WBITS);
    xmtp_content *out;
    assert_true(body.n < 64 * 1024);
    assert_int_equal(decode_compressed(body, 0, &out), XMTP_E_LIMIT);
    assert_null(out);
    free(body.p);
    body = deflated(zeros, n - 1, MAX_WBITS);
    assert_int_equal(decode_compressed(body, 0, &out), XMTP_OK);
    assert_int_equal(strlen(out->text), n - 1);
    xmtp_content_free(out);
    free(body.p);
    free(zeros);
}

/* ---- times */

static void times_of_any_offset_and_fraction_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ns;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2025-12-25T23:59:59.123Z", 1766707199123000000},
        {"2025-12-25t23:59:59.1234567891z", 1766707199123456789},
        {"2025-12-26T05:29:59.123+05:30", 1766707199123000000},
        {"2024-02-29T00:00:00-00:00", 1709164800000000000},
        {"2000-03-01T00:00:00Z", 951868800000000000},
        {"2100-03-01T00:00:00Z", 4107542400000000000},
    };
    static const char *const bad[] = {
        "",
        "2025-12-25",
        "2025-13-01T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2025-12-25T24:00:00Z",
        "2025-12-25T00:00:00",
        "2025-12-25T00:00:00.Z",
        "2025-12-25T00:00:00Zz",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
        "2501-01-01T00:00:00Z",
    };
    uint64_t ns;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(xmtp_json_time_parse(good[i].text, &ns));
        assert_true(ns == good[i].ns);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(xmtp_json_time_parse(bad[i], &ns));
    }
}

static void printed_times_are_read_back(void **state)
{
    (void)state;
    char text[XMTP_JSON_TIME_LEN];
    for (uint64_t day = 0; day < 60000; day++) {
        uint64_t ns = (day * 86400 + day % 86400) * 1000000000 + day % 1000 * 1000000;
        uint64_t back;
        xmtp_json_time_print(ns, text);
        assert_true(xmtp_json_time_parse(text, &back));
        assert_true(back == ns);
    }
}

/* ---- memory */

typedef struct failing {
    size_t left;
} failing;

static void *fail_later(void *context, void *p, size_t n)
{
    failing *f = context;
    if (n == 0) {
        free(p);
        return NULL;
    }
    if (f->left == 0) {
        return NULL;
    }
    f->left--;
    return realloc(p, n);
}

static void no_memory_at_any_point_is_told_and_leaks_nothing(void **state)
{
    (void)state;
    xmtp_action action = {.id = "a", .label = "l"};
    xmtp_content actions = {
        .type = XMTP_CONTENT_ACTIONS,
        .actions = {.id = "m", .description = "d", .actions = &action, .count = 1}};
    xmtp_content reply = {.type = XMTP_CONTENT_REPLY,
                          .reply = {.reference = "01", .content = &actions}};
    encoded good = encode_ok(&reply);
    for (size_t count = 0;; count++) {
        failing f = {.left = count};
        xmtp_env env = *xmtp_env_system();
        env.alloc = (xmtp_alloc){.context = &f, .reallocate = fail_later};
        encoded e;
        xmtp_content *out = NULL;
        xmtp_status encoding = xmtp_content_encode(&reply, &env, &e.p, &e.n, &error);
        xmtp_content_bytes_free(&env, e.p, e.n);
        f.left = count;
        xmtp_status decoding =
            xmtp_content_decode(xmtp_bytes_of(good.p, good.n), &env, &out, &error);
        xmtp_content_free(out);
        assert_true(encoding == XMTP_OK || encoding == XMTP_E_NOMEM);
        assert_true(decoding == XMTP_OK || decoding == XMTP_E_NOMEM);
        if (encoding == XMTP_OK && decoding == XMTP_OK) {
            break;
        }
    }
    give_back(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_markdown_is_written_as_the_official_client_does),
        cmocka_unit_test(a_read_receipt_is_written_as_the_official_client_does),
        cmocka_unit_test(a_text_comes_back),
        cmocka_unit_test(a_reaction_comes_back_with_its_sentence),
        cmocka_unit_test(a_reaction_of_an_old_client_is_read),
        cmocka_unit_test(a_reply_to_a_reply_comes_back),
        cmocka_unit_test(replies_nest_only_so_deep),
        cmocka_unit_test(an_attachment_comes_back),
        cmocka_unit_test(remote_attachments_come_back_alone_and_together),
        cmocka_unit_test(a_transaction_comes_back),
        cmocka_unit_test(a_network_may_be_a_number),
        cmocka_unit_test(calls_come_back_with_what_else_their_metadata_says),
        cmocka_unit_test(actions_come_back_with_times_in_milliseconds),
        cmocka_unit_test(actions_in_snake_case_are_read),
        cmocka_unit_test(an_intent_comes_back_with_any_metadata),
        cmocka_unit_test(a_group_update_comes_back),
        cmocka_unit_test(deletions_edits_and_leave_requests_come_back),
        cmocka_unit_test(a_custom_type_keeps_parameters_and_fallback),
        cmocka_unit_test(a_newer_major_version_is_a_custom_type),
        cmocka_unit_test(only_what_calls_for_attention_notifies),
        cmocka_unit_test(what_a_type_forbids_is_not_encoded),
        cmocka_unit_test(metadata_of_an_intent_has_a_limit),
        cmocka_unit_test(bodies_that_do_not_fit_their_type_are_told),
        cmocka_unit_test(cut_and_flipped_content_never_does_harm),
        cmocka_unit_test(compressed_texts_of_old_clients_are_read),
        cmocka_unit_test(a_compressed_bomb_stops_at_the_limit),
        cmocka_unit_test(times_of_any_offset_and_fraction_are_read),
        cmocka_unit_test(printed_times_are_read_back),
        cmocka_unit_test(no_memory_at_any_point_is_told_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
