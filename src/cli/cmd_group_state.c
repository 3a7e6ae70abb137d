/* cmd_group_state.c - `xmtp group debug|sync|publish|hmac-keys|topics|duplicates|messages`: the state of
 * conversations, and what push servers need. */
#include "base/status.h"
#include "cli/filters.h"
#include "cli/group.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const results[] = {"?", "applied", "wrong-epoch", "undecryptable", "invalid"};
static const char *const forks[] = {"unknown", "no", "yes"};

static const char *result_word(xmtp_commit_result result)
{
    return result >= XMTP_COMMIT_APPLIED && result <= XMTP_COMMIT_INVALID ? results[result]
                                                                          : results[0];
}

static void add_log(cJSON *object, const char *name, const xmtp_commit_entry *entries, size_t count)
{
    cJSON *list = cJSON_AddArrayToObject(object, name);
    for (size_t i = 0; i < count; i++) {
        char hex[129] = "";
        cJSON *entry = cJSON_CreateObject();
        if (entries[i].authenticator.n <= 64) {
            cli_hex(hex, entries[i].authenticator.p, entries[i].authenticator.n);
        }
        cli_add_u64(entry, "sequence", entries[i].sequence);
        cJSON_AddStringToObject(entry, "result", result_word(entries[i].result));
        cli_add_u64(entry, "epoch", entries[i].epoch);
        cJSON_AddStringToObject(entry, "authenticator", hex);
        cJSON_AddItemToArray(list, entry);
    }
}

/* Compares with the network's log first. */
xmtp_status group_debug(group_command *c)
{
    xmtp_debug_info info;
    XMTP_TRY(xmtp_client_sync_commit_logs(c->client, c->error));
    XMTP_TRY(xmtp_client_debug_info(c->client, &c->group, &info, c->error));
    if (!c->options->json) {
        printf("epoch %" PRIu64 ", cursor %" PRIu64 " (commits %" PRIu64 ")\n", info.epoch,
               info.cursor, info.commit_cursor);
        printf("forked by the log of commits: %s%s%s\n", forks[info.commit_log_fork],
               info.is_maybe_forked ? "; " : "", info.fork_details);
        printf("commits: %zu here, %zu in the log\n", info.local_count, info.remote_count);
        return XMTP_OK;
    }
    cJSON *object = cJSON_CreateObject();
    cli_add_u64(object, "epoch", info.epoch);
    cJSON_AddBoolToObject(object, "maybe_forked", info.is_maybe_forked);
    cJSON_AddStringToObject(object, "fork_details", info.fork_details);
    cJSON_AddStringToObject(object, "commit_log_forked", forks[info.commit_log_fork]);
    cli_add_u64(object, "commit_cursor", info.commit_cursor);
    cli_add_u64(object, "cursor", info.cursor);
    add_log(object, "local_commit_log", info.local, info.local_count);
    add_log(object, "remote_commit_log", info.remote, info.remote_count);
    cli_print_json(object);
    return XMTP_OK;
}

xmtp_status group_sync(group_command *c)
{
    XMTP_TRY(xmtp_client_sync_conversation(c->client, &c->group, c->error));
    group_print_id(c, &c->group);
    return XMTP_OK;
}

xmtp_status group_publish(group_command *c)
{
    XMTP_TRY(xmtp_client_publish_messages(c->client, &c->group, c->error));
    group_print_id(c, &c->group);
    return XMTP_OK;
}

/* ---- push */

static xmtp_status print_key(void *context, const xmtp_hmac_key_entry *entry)
{
    const group_command *c = context;
    char id[2 * XMTP_GROUP_ID_MAX + 1];
    char key[2 * XMTP_PUSH_KEY_LEN + 1];
    group_id_hex(&entry->conversation, id);
    cli_hex(key, entry->key, XMTP_PUSH_KEY_LEN);
    if (!c->options->json) {
        printf("%s  %" PRId64 "  %s\n", id, entry->epoch, key);
        return XMTP_OK;
    }
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "id", id);
    cJSON_AddNumberToObject(object, "epoch", (double)entry->epoch);
    cJSON_AddStringToObject(object, "key", key);
    cli_print_json(object);
    return XMTP_OK;
}

xmtp_status group_hmac_keys(group_command *c)
{
    return xmtp_client_hmac_keys(c->client, &c->group, print_key, c, c->error);
}

static xmtp_status print_topic(void *context, const char *topic)
{
    const group_command *c = context;
    if (!c->options->json) {
        printf("%s\n", topic);
        return XMTP_OK;
    }
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "topic", topic);
    cli_print_json(object);
    return XMTP_OK;
}

xmtp_status group_topics(group_command *c)
{
    return xmtp_client_push_topics(c->client, print_topic, c, c->error);
}

/* ---- messages of one conversation */

static xmtp_status print_message(void *context, const xmtp_message *message)
{
    cli_print_message(((const group_command *)context)->options, message);
    return XMTP_OK;
}

static cJSON *reactions_json(const xmtp_enriched_message *message)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < message->reaction_count; i++) {
        cJSON_AddItemToArray(list, cli_message_json(&message->reactions[i]));
    }
    return list;
}

static xmtp_status print_enriched(void *context, const xmtp_enriched_message *message)
{
    const group_command *c = context;
    const char *edited = message->edited == NULL || message->edited->type == XMTP_CONTENT_REPLY
                             ? NULL
                             : message->edited->text;
    if (!c->options->json) {
        cli_print_message(c->options, &message->message);
        if (edited != NULL) {
            printf("    changed to: %s\n", edited);
        }
        return XMTP_OK;
    }
    cJSON *object = cli_message_json(&message->message);
    cJSON_AddItemToObject(object, "reactions", reactions_json(message));
    cJSON_AddNumberToObject(object, "replies", (double)message->reply_count);
    if (message->deleted_by != NULL) {
        cJSON_AddStringToObject(object, "deleted_by", message->deleted_by);
    }
    if (edited != NULL) {
        cJSON_AddStringToObject(object, "edited", edited);
    }
    if (message->in_reply_to != NULL) {
        cJSON_AddItemToObject(object, "in_reply_to", cli_message_json(message->in_reply_to));
    }
    cli_print_json(object);
    return XMTP_OK;
}

xmtp_status group_messages(group_command *c)
{
    cli_message_query q;
    XMTP_TRY(cli_message_query_of(&c->options->filters, &c->group, &q, c->error));
    return c->options->filters.enriched
               ? xmtp_client_messages_enriched(c->client, &q.query, print_enriched, c, c->error)
               : xmtp_client_messages(c->client, &q.query, print_message, c, c->error);
}

xmtp_status group_count_messages(group_command *c)
{
    cli_message_query q;
    uint64_t count;
    XMTP_TRY(cli_message_query_of(&c->options->filters, &c->group, &q, c->error));
    XMTP_TRY(xmtp_client_message_count(c->client, &q.query, &count, c->error));
    if (c->options->json) {
        cJSON *object = cJSON_CreateObject();
        cli_add_u64(object, "count", count);
        cli_print_json(object);
    } else {
        printf("%" PRIu64 "\n", count);
    }
    return XMTP_OK;
}

static xmtp_status print_duplicate(void *context, const xmtp_conversation *conversation)
{
    group_print_id(context, &conversation->id);
    return XMTP_OK;
}

xmtp_status group_duplicates(group_command *c)
{
    return xmtp_client_dm_duplicates(c->client, &c->group, print_duplicate, c, c->error);
}
