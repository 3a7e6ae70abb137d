/* output.c - messages for people and for programs. */
#include "base/bytes.h"
#include "cli/content.h"

#include <xmtp/identity.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void cli_hex(char *out, const uint8_t *p, size_t n)
{
    xmtp_hex_encode(out, xmtp_bytes_of(p, n));
}

void cli_print_json(cJSON *object)
{
    char *text = cJSON_PrintUnformatted(object);
    if (text != NULL) {
        printf("%s\n", text);
        (void)fflush(stdout);
        cJSON_free(text);
    }
    cJSON_Delete(object);
}

void cli_print_field(const cli_options *options, const char *name, const char *value)
{
    if (!options->json) {
        printf("%s\n", value);
        return;
    }
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, name, value);
    cli_print_json(object);
}

/* 64-bit numbers do not fit a JSON number: decimal strings, as in proto3 JSON. */
void cli_add_u64(cJSON *object, const char *name, uint64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    cJSON_AddStringToObject(object, name, text);
}

cJSON *cli_message_json(const xmtp_message *message)
{
    char id[2 * XMTP_MESSAGE_ID_LEN + 1];
    char conversation[2 * XMTP_GROUP_ID_MAX + 1];
    char type[300];
    cJSON *object = cJSON_CreateObject();
    cli_hex(id, message->id, XMTP_MESSAGE_ID_LEN);
    cli_hex(conversation, message->conversation.p, message->conversation.n);
    (void)snprintf(type, sizeof type, "%.100s/%.100s:%" PRIu32 ".%" PRIu32, message->authority,
                   message->type, message->version_major, message->version_minor);
    cJSON_AddStringToObject(object, "id", id);
    cJSON_AddStringToObject(object, "conversation", conversation);
    cJSON_AddStringToObject(object, "conversation_kind",
                            message->conversation_kind == XMTP_CONVERSATION_DM ? "dm" : "group");
    cJSON_AddStringToObject(object, "kind",
                            message->kind == XMTP_MESSAGE_APPLICATION ? "application"
                                                                      : "membership_change");
    cJSON_AddStringToObject(object, "sender_inbox", message->sender_inbox);
    cJSON_AddStringToObject(object, "sender_address", message->sender_address);
    cJSON_AddBoolToObject(object, "own", message->is_own);
    cJSON_AddStringToObject(object, "type", type);
    if (message->text != NULL) {
        cJSON_AddStringToObject(object, "text", message->text);
    }
    if (message->text == NULL && message->fallback != NULL) {
        cJSON_AddStringToObject(object, "fallback", message->fallback);
    }
    if (message->reference != NULL) {
        cJSON_AddStringToObject(object, "reference", message->reference);
    }
    cli_content_json(object, message);
    cli_add_u64(object, "sent_ns", message->sent_ns);
    cli_add_u64(object, "sequence", message->sequence);
    return object;
}

void cli_print_inbox(const cli_options *options, const xmtp_inbox_state *state)
{
    if (!options->json) {
        printf("inbox         %s\nrecovery      %s\n", state->inbox_id, state->recovery.identifier);
        for (size_t i = 0; i < state->account_count; i++) {
            printf("account       %s\n", state->accounts[i].identifier);
        }
        for (size_t i = 0; i < state->installation_count; i++) {
            printf("installation  %s\n", state->installations[i].id);
        }
        return;
    }
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "inbox", state->inbox_id);
    cJSON_AddStringToObject(object, "recovery", state->recovery.identifier);
    cJSON *accounts = cJSON_AddArrayToObject(object, "accounts");
    for (size_t i = 0; i < state->account_count; i++) {
        cJSON_AddItemToArray(accounts, cJSON_CreateString(state->accounts[i].identifier));
    }
    cJSON *list = cJSON_AddArrayToObject(object, "installations");
    for (size_t i = 0; i < state->installation_count; i++) {
        cJSON_AddItemToArray(list, cJSON_CreateString(state->installations[i].id));
    }
    cJSON_AddNumberToObject(object, "updates", state->update_count);
    cli_print_json(object);
}

static const char *sender_name(const xmtp_message *message)
{
    return message->is_own                      ? "me"
           : message->sender_address[0] != '\0' ? message->sender_address
                                                : message->sender_inbox;
}

void cli_print_message(const cli_options *options, const xmtp_message *message)
{
    if (options->json) {
        cli_print_json(cli_message_json(message));
        return;
    }
    char conversation[2 * XMTP_GROUP_ID_MAX + 1];
    char when[32] = "";
    time_t seconds = (time_t)(message->sent_ns / 1000000000U);
    struct tm utc;
    if (gmtime_r(&seconds, &utc) != NULL) {
        (void)strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &utc);
    }
    cli_hex(conversation, message->conversation.p, message->conversation.n);
    const char *text = message->text != NULL ? message->text : message->fallback;
    if (text != NULL) {
        printf("%s  %.8s  %s: %s\n", when, conversation, sender_name(message), text);
    } else if (message->kind == XMTP_MESSAGE_MEMBERSHIP_CHANGE) {
        printf("%s  %.8s  (%s changed the members or the name)\n", when, conversation,
               sender_name(message));
    } else {
        printf("%s  %.8s  %s (%s)\n", when, conversation, sender_name(message), message->type);
    }
    (void)fflush(stdout);
}
