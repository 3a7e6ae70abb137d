/* cmd_doctor.c - `xmtp doctor`: what is well, what will go wrong, and what to do about it.
 *
 *     node (asked without an identity)  -->  database opens  -->  its pages  -->  identity, conversations
 *
 * Looks and changes nothing: no sync, no message. But a key that is new here is registered, as by
 * every command.
 */
#include "base/status.h"
#include "cli/cli.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xmtp/identity.h>

static const char help[] =
    "usage: xmtp doctor [options]\n\n"
    "Checks node, clock, database, identity and conversations of the key, and says what to do.\n"
    "Needs a key; one that is new here is registered. Sends no message and syncs nothing. Exit\n"
    "code 0: no problem (there may be warnings), 1: problems.\n\n" CLI_CLIENT_HELP;

enum {
    SEATS_WARN = 8,
    UPDATES_WARN = 200,
    KEY_PACKAGE_WARN_DAYS = 14,
    CLOCK_WARN_S = 60,
    DAY_S = 86400,
    FIGURE_LEN = 400,
};

typedef enum verdict { FINE, WARNING, PROBLEM } verdict;

typedef struct doctor {
    const cli_options *options;
    xmtp_client *client;
    xmtp_error error; /* of the last call */
    bool is_node_there;
    bool has_problem;
} doctor;

/* ---- telling */

typedef struct finding {
    const char *check;
    verdict verdict;
    const char *advice; /* shown unless all is fine */
    char figure[FIGURE_LEN];
} finding;

static const char *const words[] = {"ok", "warning", "problem"};

__attribute__((format(printf, 4, 5))) static finding
found(const char *check, verdict how, const char *advice, const char *format, ...)
{
    finding f = {.check = check, .verdict = how, .advice = advice};
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(f.figure, sizeof f.figure, format, arguments);
    va_end(arguments);
    return f;
}

static cJSON *finding_json(const finding *f)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "check", f->check);
    cJSON_AddStringToObject(object, "result", words[f->verdict]);
    cJSON_AddStringToObject(object, "figure", f->figure);
    if (f->verdict != FINE) {
        cJSON_AddStringToObject(object, "advice", f->advice);
    }
    return object;
}

static void print_row(const finding *f)
{
    printf("%-13s %-8s %s\n", f->check, words[f->verdict], f->figure);
    if (f->verdict != FINE) {
        printf("%-22s -> %s\n", "", f->advice);
    }
}

static void tell(doctor *d, finding f)
{
    d->has_problem = d->has_problem || f.verdict == PROBLEM;
    if (d->options->json) {
        cli_print_json(finding_json(&f));
    } else {
        print_row(&f);
    }
}

static const char *why(const doctor *d, xmtp_status status)
{
    bool is_of_it = d->error.status == status && d->error.text[0] != '\0';
    return is_of_it ? d->error.text : xmtp_status_text(status);
}

/* ---- node */

static uint64_t monotonic_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* A question that any node answers, whoever asks. */
static xmtp_status ask(doctor *d, xmtp_client *observer)
{
    const char *inbox_id;
    xmtp_status status =
        xmtp_client_find_inbox(observer, XMTP_ACCOUNT_WALLET,
                               "0x0000000000000000000000000000000000000000", &inbox_id, &d->error);
    return status == XMTP_E_NO_INBOX ? XMTP_OK : status;
}

/* The first call also connects, so the second one is timed. */
static xmtp_status ask_twice(doctor *d, uint64_t *took_us)
{
    xmtp_client *observer;
    const xmtp_client_options options = cli_client_options(d->options, NULL, 0);
    XMTP_TRY(xmtp_client_open_observer(&observer, &options, &d->error));
    xmtp_status status = ask(d, observer);
    uint64_t start = monotonic_us();
    if (status == XMTP_OK) {
        status = ask(d, observer);
    }
    *took_us = monotonic_us() - start;
    xmtp_client_close(observer);
    return status;
}

static const char *node_advice(xmtp_status status)
{
    switch ((int)status) {
    case XMTP_E_UNTRUSTED:
        return "look at this machine's clock and at --node; a private authority, or the node's own "
               "certificate, is given with --ca FILE; else the operator has to renew it. If it was "
               "well "
               "before, somebody may be in between: do not work around it";
    case XMTP_E_TLS:
        return "look at --node: another port, or an http:// address where clear text is meant; "
               "else "
               "something in between (a proxy) answers in its place";
    default:
        return "start it, or name another with --node";
    }
}

static void check_node(doctor *d)
{
    uint64_t us = 0;
    xmtp_status status = ask_twice(d, &us);
    d->is_node_there = status == XMTP_OK;
    tell(d, d->is_node_there ? found("node", FINE, "", "answers in %" PRIu64 ".%" PRIu64 " ms",
                                     us / 1000, us / 100 % 10)
                             : found("node", PROBLEM, node_advice(status), "%s", why(d, status)));
}

/* ---- database */

static finding not_opened(const doctor *d, xmtp_status status)
{
    const char *text = why(d, status);
    switch ((int)status) {
    case XMTP_E_KEY:
        return found("key", PROBLEM, "it is 64 hex digits, with or without 0x", "%s", text);
    case XMTP_E_INSTALLATIONS:
        return found("seats", PROBLEM,
                     "revoke installations that are no longer used, with the wallet that is the "
                     "recovery identifier: xmtp revoke ADDRESS INSTALLATION",
                     "no seat for this database: %s", text);
    case XMTP_E_DATABASE_KEY:
        return found("database", PROBLEM, "give the key that it was made with; keep the file", "%s",
                     text);
    case XMTP_E_LOCKED:
        return found("database", PROBLEM, "end the other process that uses it first", "%s", text);
    case XMTP_E_DATABASE_VERSION:
        return found("database", PROBLEM, "use the newer version that wrote it", "%s", text);
    case XMTP_E_CORRUPT:
        return found("database", PROBLEM, "restore a copy of it from before the damage", "%s",
                     text);
    case XMTP_E_DISK_FULL:
        return found("database", PROBLEM, "make room on the disk", "%s", text);
    case XMTP_E_NETWORK:
    case XMTP_E_UNTRUSTED:
    case XMTP_E_TLS:
        return found("registration", PROBLEM, "run this again when the node answers",
                     "this database is not registered yet, which needs the node: %s", text);
    default:
        return found("database", PROBLEM, "the sentence says what is in the way", "%s", text);
    }
}

static bool open_client(doctor *d)
{
    char path[4096];
    const xmtp_client_options options = cli_client_options(d->options, path, sizeof path);
    xmtp_status status = xmtp_client_open(&d->client, &options, &d->error);
    if (status != XMTP_OK) {
        tell(d, not_opened(d, status));
    }
    return status == XMTP_OK;
}

static void check_database(doctor *d)
{
    xmtp_status status = xmtp_client_check_database(d->client, &d->error);
    tell(d, status == XMTP_OK
                ? found("database", FINE, "", "opens, and is whole")
                : found("database", PROBLEM, "restore a copy of it from before the damage", "%s",
                        why(d, status)));
}

/* ---- identity */

static void day_of(uint64_t ns, char out[32])
{
    time_t seconds = (time_t)(ns / 1000000000U);
    struct tm utc;
    out[0] = '\0';
    if (gmtime_r(&seconds, &utc) != NULL) {
        (void)strftime(out, 32, "%Y-%m-%d %H:%M", &utc);
    }
}

static bool is_this(const doctor *d, const xmtp_inbox_installation *installation)
{
    return strcmp(installation->id, xmtp_client_installation_id(d->client)) == 0;
}

static finding judge_seats(const doctor *d, const xmtp_inbox_state *state)
{
    size_t n = state->installation_count;
    size_t ours = 0;
    while (ours < n && !is_this(d, &state->installations[ours])) {
        ours++;
    }
    if (ours == n) {
        return found("seats", PROBLEM,
                     "this installation was revoked: start over with another --data folder",
                     "%zu of %d installations, this one is not among them", n,
                     XMTP_INBOX_INSTALLATIONS_MAX);
    }
    return found("seats", n >= SEATS_WARN ? WARNING : FINE,
                 "revoke those that are no longer used; each new database takes a seat, so keep "
                 "databases",
                 "%zu of %d installations", n, XMTP_INBOX_INSTALLATIONS_MAX);
}

static void print_installation(const doctor *d, const xmtp_inbox_installation *installation)
{
    char day[32];
    day_of(installation->added_ns, day);
    printf("%-22s %s added %s%s\n", "", installation->id, day,
           is_this(d, installation) ? " (this one)" : "");
}

static void add_installation(const doctor *d, const xmtp_inbox_installation *installation,
                             cJSON *list)
{
    cJSON *item = cJSON_CreateObject();
    cJSON_AddStringToObject(item, "id", installation->id);
    cli_add_u64(item, "added_ns", installation->added_ns);
    cJSON_AddBoolToObject(item, "this", is_this(d, installation));
    cJSON_AddItemToArray(list, item);
}

static void check_seats(doctor *d, const xmtp_inbox_state *state)
{
    finding f = judge_seats(d, state);
    if (!d->options->json) {
        tell(d, f);
        for (size_t i = 0; i < state->installation_count; i++) {
            print_installation(d, &state->installations[i]);
        }
        return;
    }
    cJSON *object = finding_json(&f);
    cJSON *list = cJSON_AddArrayToObject(object, "installations");
    for (size_t i = 0; i < state->installation_count; i++) {
        add_installation(d, &state->installations[i], list);
    }
    d->has_problem = d->has_problem || f.verdict == PROBLEM;
    cli_print_json(object);
}

static void check_updates(doctor *d, const xmtp_inbox_state *state)
{
    uint32_t n = state->update_count;
    verdict how = n >= XMTP_INBOX_UPDATES_MAX ? PROBLEM : n >= UPDATES_WARN ? WARNING : FINE;
    tell(d, found("updates", how, "save them, none comes back: a full log takes revocations only",
                  "%" PRIu32 " of %d identity updates", n, XMTP_INBOX_UPDATES_MAX));
}

static void check_recovery(doctor *d, const xmtp_inbox_state *state)
{
    bool is_ours = strcmp(state->recovery.identifier, xmtp_client_address(d->client)) == 0;
    tell(d, is_ours ? found("recovery", FINE, "", "this wallet is the recovery identifier")
                    : found("recovery", WARNING,
                            "only that one can revoke installations and remove accounts; keep it",
                            "the recovery identifier is %s", state->recovery.identifier));
}

static void check_identity(doctor *d)
{
    xmtp_inbox_state state;
    xmtp_status status =
        xmtp_client_inbox_state(d->client, NULL, d->is_node_there, &state, &d->error);
    if (status != XMTP_OK) {
        tell(d, found("identity", PROBLEM, "run this again when the node answers", "%s",
                      why(d, status)));
        return;
    }
    check_seats(d, &state);
    check_updates(d, &state);
    check_recovery(d, &state);
}

/* ---- key package */

static finding judge_key_package(const xmtp_key_package_status *package)
{
    const char *advice = "start a client of this database: it uploads a fresh one when one is due";
    int64_t now = (int64_t)time(NULL);
    if (package->status != XMTP_OK && package->status != XMTP_E_LIFETIME) {
        return found("key package", PROBLEM, advice, "nobody can add this installation: %s",
                     xmtp_status_text(package->status));
    }
    int64_t age = (now - (int64_t)package->not_before) / DAY_S;
    int64_t left = ((int64_t)package->not_after - now) / DAY_S;
    verdict how = package->status != XMTP_OK     ? PROBLEM
                  : left < KEY_PACKAGE_WARN_DAYS ? WARNING
                                                 : FINE;
    return found("key package", how,
                 how == PROBLEM ? "check the clock; then as for an old one: start "
                                  "a client of this database"
                                : advice,
                 "%" PRId64 " days old, expires in %" PRId64 " days", age, left);
}

static void check_key_package(doctor *d)
{
    const char *id = xmtp_client_installation_id(d->client);
    xmtp_key_package_status package;
    xmtp_status status = xmtp_client_key_packages(d->client, &id, 1, &package, &d->error);
    tell(d, status == XMTP_OK
                ? judge_key_package(&package)
                : found("key package", PROBLEM, "run this again when the node answers", "%s",
                        why(d, status)));
}

/* ---- messages and clock */

static xmtp_status count_of(doctor *d, xmtp_delivery_status delivery, uint64_t *count)
{
    const xmtp_message_query query = {.delivery = delivery};
    return xmtp_client_message_count(d->client, &query, count, &d->error);
}

static void check_unsent(doctor *d)
{
    uint64_t waiting = 0;
    uint64_t failed = 0;
    xmtp_status status = count_of(d, XMTP_DELIVERY_UNPUBLISHED, &waiting);
    if (status == XMTP_OK) {
        status = count_of(d, XMTP_DELIVERY_FAILED, &failed);
    }
    if (status != XMTP_OK) {
        tell(d, found("messages", PROBLEM, "see the database", "%s", why(d, status)));
        return;
    }
    tell(d, found("messages", waiting + failed > 0 ? WARNING : FINE,
                  "what waits goes out with the next sync (xmtp inbox); what failed: xmtp group "
                  "publish CONVERSATION",
                  "%" PRIu64 " unsent, %" PRIu64 " failed", waiting, failed));
}

static xmtp_status take_time(void *context, const xmtp_message *message)
{
    *(uint64_t *)context = message->sent_ns;
    return XMTP_OK;
}

/* Published messages bear the node's time: one from the future means that one of the clocks is
 * wrong. A clock that is ahead is not seen this way. */
static void check_clock(doctor *d)
{
    uint64_t newest_ns = 0;
    const xmtp_message_query query = {
        .limit = 1, .newest_first = true, .delivery = XMTP_DELIVERY_PUBLISHED};
    xmtp_status status = xmtp_client_messages(d->client, &query, take_time, &newest_ns, &d->error);
    int64_t ahead_s = (int64_t)(newest_ns / 1000000000U) - (int64_t)time(NULL);
    if (status != XMTP_OK || newest_ns == 0) {
        return; /* nothing to compare with */
    }
    tell(d, found("clock", ahead_s > CLOCK_WARN_S ? WARNING : FINE,
                  "set this machine's clock (NTP), or tell the node's operator",
                  "the node's newest message is of %" PRId64 " s %s",
                  ahead_s > 0 ? ahead_s : -ahead_s, ahead_s > 0 ? "ahead of this clock" : "ago"));
}

/* ---- conversations */

typedef struct ids {
    xmtp_conversation_id *items;
    size_t count;
    size_t paused;
} ids;

static xmtp_status collect(void *context, const xmtp_conversation *conversation)
{
    ids *all = context;
    if (!conversation->is_active) {
        return XMTP_OK;
    }
    xmtp_conversation_id *items = reallocarray(all->items, all->count + 1, sizeof all->items[0]);
    XMTP_ENSURE(items != NULL, XMTP_E_NOMEM);
    all->items = items;
    all->items[all->count++] = conversation->id;
    all->paused += conversation->is_paused;
    return XMTP_OK;
}

/* *first: of those that look forked. */
static xmtp_status count_forked(doctor *d, const ids *all, size_t *forked,
                                const xmtp_conversation_id **first)
{
    for (size_t i = 0; i < all->count; i++) {
        xmtp_debug_info info;
        XMTP_TRY(xmtp_client_debug_info(d->client, &all->items[i], &info, &d->error));
        if (info.is_maybe_forked || info.commit_log_fork == XMTP_FORK_YES) {
            *first = (*forked)++ == 0 ? &all->items[i] : *first;
        }
    }
    return XMTP_OK;
}

static void tell_conversations(doctor *d, const ids *all, size_t forked,
                               const xmtp_conversation_id *first)
{
    char hex[2 * XMTP_GROUP_ID_MAX + 1] = "";
    tell(d, found("paused", all->paused > 0 ? WARNING : FINE,
                  "update this program: they need a newer version", "%zu of %zu conversations",
                  all->paused, all->count));
    if (first != NULL) {
        cli_hex(hex, first->p, first->n);
    }
    tell(d, found("forks", forked > 0 ? PROBLEM : FINE,
                  "xmtp group debug CONVERSATION tells more; an admin has to remove and add you",
                  "%zu of %zu conversations%s%s", forked, all->count,
                  first == NULL ? "" : " look forked, the first is ", hex));
}

static void check_conversations(doctor *d)
{
    ids all = {0};
    size_t forked = 0;
    const xmtp_conversation_id *first = NULL;
    xmtp_status status = xmtp_client_conversations(d->client, collect, &all, &d->error);
    if (status == XMTP_OK) {
        status = count_forked(d, &all, &forked, &first);
    }
    if (status == XMTP_OK) {
        tell_conversations(d, &all, forked, first);
    } else {
        tell(d, found("conversations", PROBLEM, "see the database", "%s", why(d, status)));
    }
    free(all.items);
}

static void check_all(doctor *d)
{
    check_node(d);
    if (!open_client(d)) {
        return;
    }
    check_database(d);
    check_clock(d);
    check_identity(d);
    if (d->is_node_there) {
        check_key_package(d);
    }
    check_unsent(d);
    check_conversations(d);
    xmtp_client_close(d->client);
}

int cmd_doctor(int argc, char **argv)
{
    cli_options options;
    int end = cli_parse(&options, argc, argv, help);
    if (end != -1) {
        return end;
    }
    doctor d = {.options = &options};
    if (options.key == NULL) {
        end = cli_usage(&options, "whose inbox? Give --key-file or WALLET_PRIVATE_KEY");
    } else if (options.rest_count > 0) {
        end = cli_usage(&options, "takes no arguments");
    } else {
        check_all(&d);
        end = d.has_problem ? CLI_FAILED : CLI_OK;
    }
    cli_options_free(&options);
    return end;
}
