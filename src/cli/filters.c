/* filters.c - see filters.h. */
#include "cli/filters.h"

#include "base/status.h"

#include <string.h>

typedef struct word {
    const char *text;
    int value;
} word;

static const word content_types[] = {
    {"custom", XMTP_CONTENT_UNKNOWN},
    {"text", XMTP_CONTENT_TEXT},
    {"markdown", XMTP_CONTENT_MARKDOWN},
    {"reply", XMTP_CONTENT_REPLY},
    {"reaction", XMTP_CONTENT_REACTION},
    {"read-receipt", XMTP_CONTENT_READ_RECEIPT},
    {"attachment", XMTP_CONTENT_ATTACHMENT},
    {"remote-attachment", XMTP_CONTENT_REMOTE_ATTACHMENT},
    {"multi-remote-attachment", XMTP_CONTENT_MULTI_REMOTE_ATTACHMENT},
    {"transaction-reference", XMTP_CONTENT_TRANSACTION_REFERENCE},
    {"wallet-send-calls", XMTP_CONTENT_WALLET_SEND_CALLS},
    {"actions", XMTP_CONTENT_ACTIONS},
    {"intent", XMTP_CONTENT_INTENT},
    {"group-updated", XMTP_CONTENT_GROUP_UPDATED},
    {"membership-change", XMTP_CONTENT_MEMBERSHIP_CHANGE},
    {"leave-request", XMTP_CONTENT_LEAVE_REQUEST},
    {"delete", XMTP_CONTENT_DELETE_MESSAGE},
    {"edit", XMTP_CONTENT_EDIT_MESSAGE},
};
static const word message_kinds[] = {
    {"application", XMTP_MESSAGE_APPLICATION},
    {"membership-change", XMTP_MESSAGE_MEMBERSHIP_CHANGE},
};
static const word deliveries[] = {
    {"unpublished", XMTP_DELIVERY_UNPUBLISHED},
    {"published", XMTP_DELIVERY_PUBLISHED},
    {"failed", XMTP_DELIVERY_FAILED},
};
static const word conversation_kinds[] = {
    {"group", XMTP_CONVERSATION_GROUP},
    {"dm", XMTP_CONVERSATION_DM},
};
static const word consents[] = {
    {"allowed", XMTP_CONSENT_ALLOWED},
    {"denied", XMTP_CONSENT_DENIED},
    {"unknown", XMTP_CONSENT_UNKNOWN},
};

#define COUNT(words) (sizeof(words) / sizeof((words)[0]))

static const word *find(const word *words, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i].text, text) == 0) {
            return &words[i];
        }
    }
    return NULL;
}

/* *out stays as it is without a text. */
static xmtp_status value_of(const word *words, size_t count, const char *option, const char *text,
                            int *out, xmtp_error *error)
{
    const word *found = text == NULL ? NULL : find(words, count, text);
    if (text != NULL && found == NULL) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "--%s does not take '%.40s'; see --help", option,
                         text);
    }
    *out = found == NULL ? *out : found->value;
    return XMTP_OK;
}

static xmtp_status types_of(const cli_list *list, const char *option, xmtp_content_type *out,
                            xmtp_error *error)
{
    for (size_t i = 0; i < list->count; i++) {
        int value = 0;
        XMTP_TRY(
            value_of(content_types, COUNT(content_types), option, list->items[i], &value, error));
        out[i] = (xmtp_content_type)value;
    }
    return XMTP_OK;
}

xmtp_status cli_message_query_of(const cli_filters *f, const xmtp_conversation_id *conversation,
                                 cli_message_query *out, xmtp_error *error)
{
    int kind = 0;
    int delivery = 0;
    XMTP_TRY(value_of(message_kinds, COUNT(message_kinds), "kind", f->kind, &kind, error));
    XMTP_TRY(value_of(deliveries, COUNT(deliveries), "delivery", f->delivery, &delivery, error));
    XMTP_TRY(types_of(&f->content_types, "content-type", out->types, error));
    XMTP_TRY(
        types_of(&f->content_types_left_out, "without-content-type", out->types_left_out, error));
    out->query = (xmtp_message_query){
        .conversation = conversation,
        .after_ns = f->after_ns,
        .before_ns = f->before_ns,
        .inserted_after_ns = f->arrived_after_ns,
        .inserted_before_ns = f->arrived_before_ns,
        .limit = (size_t)f->limit,
        .newest_first = f->newest_first,
        .by_arrival = f->by_arrival,
        .kind = (xmtp_message_kind)kind,
        .delivery = (xmtp_delivery_status)delivery,
        .content_types = out->types,
        .content_type_count = f->content_types.count,
        .content_types_left_out = out->types_left_out,
        .content_type_left_out_count = f->content_types_left_out.count,
        .senders = f->senders.items,
        .sender_count = f->senders.count,
        .senders_left_out = f->senders_left_out.items,
        .sender_left_out_count = f->senders_left_out.count,
    };
    return XMTP_OK;
}

xmtp_status cli_conversation_query_of(const cli_filters *f, xmtp_conversation_query *out,
                                      xmtp_error *error)
{
    int kind = 0;
    XMTP_TRY(
        value_of(conversation_kinds, COUNT(conversation_kinds), "kind", f->kind, &kind, error));
    *out = (xmtp_conversation_query){
        .kind = (xmtp_conversation_kind)kind,
        .created_after_ns = f->after_ns,
        .created_before_ns = f->before_ns,
        .limit = (size_t)f->limit,
        .newest_made_first = f->by_creation,
    };
    for (size_t i = 0; i < f->consents.count; i++) {
        int consent = 0;
        XMTP_TRY(
            value_of(consents, COUNT(consents), "consent", f->consents.items[i], &consent, error));
        out->consent_states |= XMTP_CONSENT_BIT((unsigned)consent);
    }
    return XMTP_OK;
}

xmtp_status cli_take_consent(const char *text, xmtp_consent_state *out, xmtp_error *error)
{
    const word *found = find(consents, COUNT(consents), text);
    *out = found == NULL ? XMTP_CONSENT_UNKNOWN : (xmtp_consent_state)found->value;
    return found != NULL ? XMTP_OK
                         : xmtp_fail(error, XMTP_E_ARGUMENT,
                                     "consent is allowed, denied or unknown, not '%.40s'", text);
}

const char *cli_consent_word(xmtp_consent_state consent)
{
    for (size_t i = 0; i < COUNT(consents); i++) {
        if (consents[i].value == (int)consent) {
            return consents[i].text;
        }
    }
    return "?";
}
