/* agent.c - the loop of an agent: take the next message from the client's durable queue, call the handler, end it.
 *
 *     poll (network) -> queue in the database -> next -> handler -+-> done: acknowledge and answers, one transaction
 *       ^                                                         +-> fail: again later, or set aside
 *       |                                                         +-> deferred: done or fail comes later
 *       +-- waits until something arrives, a retry is due, or somebody posts
 *
 * A delivery is a message between next and its end. All deliveries are in a list; all but the one whose handler is
 * running are deferred.
 */
#include "agent/agent.h"
#include "agent/post_queue.h"
#include "base/bytes.h"
#include "base/status.h"
#include "client/host.h"

#include <stdatomic.h>
#include <stdio.h>
#include <xmtp/agent.h>

enum { ATTEMPTS_MAX = 8, IN_FLIGHT_MAX = 64, ANSWERS_MAX = 1024, REASON_LEN = 200 };

static const uint64_t SECOND_NS = UINT64_C(1000000000);

typedef struct noted_answer {
    struct noted_answer *next;
    xmtp_conversation_id conversation;
    bool is_reply;
    char *text;
} noted_answer;

typedef struct delivery {
    struct delivery *next;
    xmtp_queue_entry entry;
    noted_answer *answers; /* in the order in which they were given */
    noted_answer **answers_end;
    size_t answer_count;
    bool is_deferred;
    bool is_failed;
    char reason[REASON_LEN];
} delivery;

struct xmtp_agent {
    xmtp_agent_options options;
    const xmtp_env *env;
    xmtp_client *client;
    delivery *deliveries;
    size_t delivery_count;
    uint64_t handled;  /* handlers called so far */
    bool has_ended;    /* a delivery, since the queue was looked into last */
    delivery *current; /* whose handler is running */
    xmtp_post_queue posts;
    atomic_bool is_stopped;
    bool is_connected;
    bool is_distrusting; /* not connected because of who answers there */
    xmtp_error error;
};

/* ---- memory */

static void *allocate(const xmtp_agent *agent, size_t n)
{
    void *p = agent->env->alloc.reallocate(agent->env->alloc.context, NULL, n);
    if (p != NULL) {
        memset(p, 0, n);
    }
    return p;
}

static void release(const xmtp_agent *agent, void *p)
{
    (void)agent->env->alloc.reallocate(agent->env->alloc.context, p, 0);
}

static void free_answer(const xmtp_agent *agent, noted_answer *answer)
{
    if (answer->text != NULL) {
        xmtp_wipe(answer->text, strlen(answer->text));
        release(agent, answer->text);
    }
    release(agent, answer);
}

static void free_delivery(xmtp_agent *agent, delivery *d)
{
    for (delivery **link = &agent->deliveries; *link != NULL; link = &(*link)->next) {
        if (*link == d) {
            *link = d->next;
            agent->delivery_count--;
            break;
        }
    }
    while (d->answers != NULL) {
        noted_answer *next = d->answers->next;
        free_answer(agent, d->answers);
        d->answers = next;
    }
    release(agent, d);
}

/* ---- open and close */

static xmtp_status open_client(xmtp_agent *agent)
{
    const xmtp_agent_options *o = &agent->options;
    const xmtp_client_options options = {
        .encryption_key = o->encryption_key,
        .node_url = o->node_url,
        .node_authorities = o->node_authorities,
        .database_path = o->database_path,
        .database_key = o->database_key,
        .transport = o->transport,
        .env = o->host != NULL ? o->env : agent->env,
        .app_version = o->app_version,
        .device_sync = o->device_sync,
        .setup = o->setup,
    };
    XMTP_TRY(o->host != NULL
                 ? xmtp_host_client_open(o->host, &agent->client, &options, &agent->error)
                 : xmtp_client_open(&agent->client, &options, &agent->error));
    return xmtp_client_queue_enable(agent->client, &agent->error);
}

static const xmtp_env *env_of(const xmtp_agent_options *options)
{
    if (options->host != NULL) {
        return xmtp_agent_env_of(options->host);
    }
    return options->env == NULL ? xmtp_env_system() : options->env;
}

xmtp_status xmtp_agent_open(xmtp_agent **out, const xmtp_agent_options *options)
{
    const xmtp_env *env = env_of(options);
    *out = NULL;
    if (options->on_message == NULL) {
        return xmtp_fail(options->error, XMTP_E_ARGUMENT, "an agent needs an on_message handler");
    }
    xmtp_agent *agent = env->alloc.reallocate(env->alloc.context, NULL, sizeof *agent);
    if (agent == NULL) {
        return xmtp_fail(options->error, XMTP_E_NOMEM, "no memory for an agent");
    }
    memset(agent, 0, sizeof *agent);
    agent->env = env;
    agent->options = *options;
    agent->is_connected = true;
    xmtp_status status = xmtp_post_queue_init(&agent->posts, &env->alloc);
    if (status == XMTP_OK) {
        status = open_client(agent);
        agent->options.encryption_key = NULL; /* ours no longer; the caller may wipe it */
        agent->options.database_key = NULL;
        agent->options.setup = NULL;
    }
    if (status != XMTP_OK) {
        (void)xmtp_fail_default(&agent->error, status, "agent not opened");
        if (options->error != NULL) {
            *options->error = agent->error;
        }
        xmtp_agent_close(agent);
        return status;
    }
    *out = agent;
    return XMTP_OK;
}

void xmtp_agent_close(xmtp_agent *agent)
{
    if (agent == NULL) {
        return;
    }
    const xmtp_env *env = agent->env;
    xmtp_post_queue_close(&agent->posts);
    while (agent->deliveries != NULL) {
        free_delivery(agent, agent->deliveries);
    }
    xmtp_client_close(agent->client);
    xmtp_post_queue_free(&agent->posts);
    xmtp_wipe(agent, sizeof *agent);
    (void)env->alloc.reallocate(env->alloc.context, agent, 0);
}

xmtp_client *xmtp_agent_client(xmtp_agent *agent)
{
    return agent->client;
}

const xmtp_error *xmtp_agent_error(const xmtp_agent *agent)
{
    return &agent->error;
}

void xmtp_agent_stop(xmtp_agent *agent)
{
    atomic_store(&agent->is_stopped, true);
    xmtp_client_wake(agent->client);
}

xmtp_status xmtp_agent_post(xmtp_agent *agent, void (*function)(xmtp_agent *, void *),
                            void *argument)
{
    XMTP_TRY(xmtp_post_queue_add(&agent->posts, function, argument));
    xmtp_client_wake(agent->client);
    return XMTP_OK;
}

/* ---- answers */

static delivery *find_delivery(const xmtp_agent *agent, const xmtp_message *message)
{
    for (delivery *d = agent->deliveries; d != NULL; d = d->next) {
        if (memcmp(d->entry.message.id, message->id, sizeof message->id) == 0) {
            return d;
        }
    }
    return NULL;
}

static xmtp_status note_answer(xmtp_agent *agent, delivery *d,
                               const xmtp_conversation_id *conversation, bool is_reply,
                               const char *text)
{
    if (d->answer_count == ANSWERS_MAX) {
        return xmtp_fail(&agent->error, XMTP_E_LIMIT, "a handler may give %d answers to a message",
                         ANSWERS_MAX);
    }
    noted_answer *answer = allocate(agent, sizeof *answer);
    XMTP_ENSURE(answer != NULL, XMTP_E_NOMEM);
    size_t n = strlen(text);
    answer->text = allocate(agent, n + 1);
    if (answer->text == NULL) {
        free_answer(agent, answer);
        return XMTP_E_NOMEM;
    }
    memcpy(answer->text, text, n + 1);
    answer->conversation = *conversation;
    answer->is_reply = is_reply;
    *d->answers_end = answer;
    d->answers_end = &answer->next;
    d->answer_count++;
    return XMTP_OK;
}

static xmtp_status answer_message(xmtp_agent *agent, const xmtp_message *message, bool is_reply,
                                  const char *text)
{
    if (text == NULL) {
        return xmtp_fail(&agent->error, XMTP_E_ARGUMENT, "an answer needs a text");
    }
    delivery *d = find_delivery(agent, message);
    if (d != NULL) {
        return note_answer(agent, d, &message->conversation, is_reply, text);
    }
    return is_reply ? xmtp_client_send_reply(agent->client, &message->conversation, message->id,
                                             text, NULL, &agent->error)
                    : xmtp_client_send_text(agent->client, &message->conversation, text, NULL,
                                            &agent->error);
}

xmtp_status xmtp_agent_reply(xmtp_agent *agent, const xmtp_message *message, const char *text)
{
    return answer_message(agent, message, false, text);
}

xmtp_status xmtp_agent_reply_to(xmtp_agent *agent, const xmtp_message *message, const char *text)
{
    return answer_message(agent, message, true, text);
}

static xmtp_status send_text(xmtp_agent *agent, delivery *d, const char *receiver, const char *text)
{
    xmtp_conversation_id dm;
    if (receiver == NULL || text == NULL) {
        return xmtp_fail(&agent->error, XMTP_E_ARGUMENT, "a message needs a receiver and a text");
    }
    XMTP_TRY(xmtp_client_dm(agent->client, receiver, &dm, &agent->error));
    if (d != NULL) {
        return note_answer(agent, d, &dm, false, text);
    }
    return xmtp_client_send_text(agent->client, &dm, text, NULL, &agent->error);
}

xmtp_status xmtp_agent_send(xmtp_agent *agent, const char *receiver, const char *text)
{
    return send_text(agent, agent->current, receiver, text);
}

xmtp_status xmtp_agent_send_for(xmtp_agent *agent, const xmtp_message *message,
                                const char *receiver, const char *text)
{
    return send_text(agent, find_delivery(agent, message), receiver, text);
}

/* ---- how a handling ends */

static xmtp_status acknowledge(xmtp_agent *agent, delivery *d)
{
    xmtp_answer *answers = NULL;
    if (d->answer_count > 0) {
        answers = allocate(agent, d->answer_count * sizeof *answers);
        XMTP_ENSURE(answers != NULL, XMTP_E_NOMEM);
    }
    size_t n = 0;
    for (const noted_answer *answer = d->answers; answer != NULL; answer = answer->next) {
        answers[n++] = (xmtp_answer){.conversation = &answer->conversation,
                                     .reference = answer->is_reply ? d->entry.message.id : NULL,
                                     .text = answer->text};
    }
    xmtp_status status = xmtp_client_queue_acknowledge(agent->client, d->entry.message.id, answers,
                                                       n, &agent->error);
    if (answers != NULL) {
        release(agent, answers);
    }
    return status;
}

/* 1 s, 2 s, 4 s ... for attempts 0, 1, 2 ... */
static uint64_t retry_delay_ns(const xmtp_agent *agent, uint32_t attempts)
{
    uint64_t first = agent->options.retry_first_ns == 0 ? SECOND_NS : agent->options.retry_first_ns;
    uint64_t max = agent->options.retry_max_ns == 0 ? 300 * SECOND_NS : agent->options.retry_max_ns;
    uint64_t delay = first;
    for (uint32_t i = 0; i < attempts && delay < max; i++) {
        delay *= 2;
    }
    return delay < max ? delay : max;
}

static xmtp_status put_back(xmtp_agent *agent, const delivery *d)
{
    uint32_t attempts_max =
        agent->options.attempts_max == 0 ? ATTEMPTS_MAX : agent->options.attempts_max;
    bool set_aside = d->entry.attempts + 1 >= attempts_max;
    uint64_t retry_at_ns =
        agent->env->now_ns(agent->env->context) + retry_delay_ns(agent, d->entry.attempts);
    if (set_aside && agent->options.on_set_aside != NULL) {
        agent->options.on_set_aside(agent, &d->entry.message, d->reason, agent->options.context);
    }
    return xmtp_client_queue_fail(agent->client, d->entry.message.id, retry_at_ns, set_aside,
                                  &agent->error);
}

/* The answers cannot be sent as they are: that is the handler's failure, not the database's. */
static bool is_answers_fault(xmtp_status status)
{
    switch (status) {
    case XMTP_E_ARGUMENT:
    case XMTP_E_LIMIT:
    case XMTP_E_LENGTH:
    case XMTP_E_NOT_FOUND:
    case XMTP_E_CONTENT:
    case XMTP_E_INACTIVE:
    case XMTP_E_PAUSED:
    case XMTP_E_PERMISSION:
        return true;
    default:
        return false;
    }
}

static xmtp_status end_delivery(xmtp_agent *agent, delivery *d)
{
    xmtp_status status = d->is_failed ? put_back(agent, d) : acknowledge(agent, d);
    if (!d->is_failed && is_answers_fault(status)) {
        (void)snprintf(d->reason, sizeof d->reason, "%.*s", REASON_LEN - 1, agent->error.text);
        status = put_back(agent, d);
    }
    free_delivery(agent, d);
    agent->has_ended = true;
    return status;
}

void xmtp_agent_defer(xmtp_agent *agent, const xmtp_message *message)
{
    delivery *d = find_delivery(agent, message);
    if (d != NULL) {
        d->is_deferred = true;
    }
}

xmtp_status xmtp_agent_done(xmtp_agent *agent, const xmtp_message *message)
{
    delivery *d = find_delivery(agent, message);
    if (d == NULL) {
        return xmtp_fail(&agent->error, XMTP_E_NOT_FOUND, "no such message is being handled");
    }
    if (d == agent->current) {
        d->is_deferred = false; /* ended when the handler returns */
        return XMTP_OK;
    }
    return end_delivery(agent, d);
}

void xmtp_agent_fail(xmtp_agent *agent, const xmtp_message *message, const char *reason)
{
    delivery *d = find_delivery(agent, message);
    if (d == NULL) {
        return;
    }
    d->is_failed = true;
    (void)snprintf(d->reason, sizeof d->reason, "%s", reason == NULL ? "" : reason);
    if (d == agent->current) {
        d->is_deferred = false;
        return;
    }
    xmtp_status status = end_delivery(agent, d);
    if (status != XMTP_OK) {
        (void)xmtp_fail_default(&agent->error, status, "failed message not put back");
    }
}

/* ---- the loop */

static xmtp_status handle(xmtp_agent *agent, delivery *d)
{
    const xmtp_message *message = &d->entry.message;
    const xmtp_user user = {.address = message->sender_address, .inbox_id = message->sender_inbox};
    agent->current = d;
    agent->handled++;
    agent->options.on_message(agent, message, &user, agent->options.context);
    agent->current = NULL;
    return d->is_deferred ? XMTP_OK : end_delivery(agent, d);
}

static xmtp_status take_delivery(xmtp_agent *agent, delivery **out, uint64_t *next_ns)
{
    delivery *d = allocate(agent, sizeof *d);
    *out = NULL;
    XMTP_ENSURE(d != NULL, XMTP_E_NOMEM);
    d->answers_end = &d->answers;
    xmtp_status status = xmtp_client_queue_next(agent->client, &d->entry, next_ns, &agent->error);
    if (status != XMTP_OK) {
        release(agent, d);
        return status;
    }
    d->next = agent->deliveries;
    agent->deliveries = d;
    agent->delivery_count++;
    *out = d;
    return XMTP_OK;
}

static xmtp_status handle_all(xmtp_agent *agent, uint64_t *next_ns)
{
    size_t in_flight_max =
        agent->options.in_flight_max == 0 ? IN_FLIGHT_MAX : agent->options.in_flight_max;
    *next_ns = UINT64_MAX;
    while (!atomic_load(&agent->is_stopped) && agent->delivery_count < in_flight_max) {
        delivery *d;
        xmtp_status status = take_delivery(agent, &d, next_ns);
        if (status == XMTP_E_NOT_FOUND) {
            return XMTP_OK;
        }
        XMTP_TRY(status);
        XMTP_TRY(handle(agent, d));
        xmtp_post_queue_run(&agent->posts, agent);
    }
    return XMTP_OK;
}

/* Handles what can be handled now. *next_ns: when there will be more without the network. */
static xmtp_status handle_ready(xmtp_agent *agent, uint64_t *next_ns)
{
    xmtp_status status = handle_all(agent, next_ns);
    agent->has_ended = false;
    return status;
}

void xmtp_agent_set_error(xmtp_agent *agent, const xmtp_error *why)
{
    agent->error = *why;
}

void xmtp_agent_tell_connection(xmtp_agent *agent, xmtp_status status, const xmtp_error *why)
{
    bool is_connected = status == XMTP_OK || status == XMTP_E_TIMEOUT;
    bool is_distrusting = status == XMTP_E_UNTRUSTED || status == XMTP_E_TLS;
    if (is_connected == agent->is_connected && is_distrusting == agent->is_distrusting) {
        return;
    }
    agent->is_connected = is_connected;
    agent->is_distrusting = is_distrusting;
    if (agent->options.on_connection != NULL) {
        const xmtp_error connected = {.status = XMTP_OK};
        agent->options.on_connection(agent, is_connected ? &connected : why,
                                     agent->options.context);
    }
}

bool xmtp_agent_is_passing(xmtp_status status)
{
    switch (status) {
    case XMTP_OK:
    case XMTP_E_TIMEOUT:
    case XMTP_E_NETWORK:
    case XMTP_E_UNTRUSTED:
    case XMTP_E_TLS:
    case XMTP_E_PROTOCOL:
    case XMTP_E_RPC:
    case XMTP_E_RPC_INVALID:
    case XMTP_E_RPC_UNAVAILABLE:
    case XMTP_E_RPC_EXHAUSTED:
    case XMTP_E_RETRY:
    case XMTP_E_CLOSED:
    case XMTP_E_DISK_FULL:
        return true;
    default:
        return false;
    }
}

static xmtp_status wait_for_more(xmtp_agent *agent, uint64_t next_ns)
{
    uint64_t now_ns = agent->env->now_ns(agent->env->context);
    uint64_t timeout_ns = next_ns == UINT64_MAX ? UINT64_MAX
                          : next_ns > now_ns    ? next_ns - now_ns
                                                : 0;
    if (atomic_load(&agent->is_stopped)) {
        return XMTP_OK;
    }
    xmtp_status status = xmtp_client_poll(agent->client, timeout_ns, &agent->error);
    xmtp_agent_tell_connection(agent, status, &agent->error);
    if (status != XMTP_OK && status != XMTP_E_TIMEOUT && xmtp_agent_is_passing(status) &&
        agent->env->now_ns(agent->env->context) - now_ns < SECOND_NS / 100) {
        agent->env->sleep_ns(agent->env->context,
                             SECOND_NS / 20); /* never a busy loop on a failing node */
    }
    return xmtp_agent_is_passing(status) ? XMTP_OK : status;
}

xmtp_status xmtp_agent_run(xmtp_agent *agent)
{
    xmtp_status status = XMTP_OK;
    if (agent->options.host != NULL) {
        return xmtp_fail(&agent->error, XMTP_E_STATE,
                         "an agent of a host runs with all of them: xmtp_agent_run_all");
    }
    while (status == XMTP_OK && !atomic_load(&agent->is_stopped)) {
        uint64_t next_ns;
        xmtp_post_queue_run(&agent->posts, agent);
        status = handle_ready(agent, &next_ns);
        if (status == XMTP_OK) {
            status = wait_for_more(agent, next_ns);
        }
    }
    xmtp_post_queue_run(&agent->posts, agent);
    return status;
}

xmtp_status xmtp_agent_step(xmtp_agent *agent, uint64_t *next_ns)
{
    uint64_t ignored;
    next_ns = next_ns == NULL ? &ignored : next_ns;
    xmtp_post_queue_run(&agent->posts, agent);
    uint64_t handled = agent->handled;
    XMTP_TRY(handle_ready(agent, next_ns));
    if (agent->options.host != NULL) {
        return agent->handled != handled ? XMTP_OK : XMTP_E_TIMEOUT;
    }
    xmtp_status seen = xmtp_client_poll(agent->client, 0, &agent->error);
    xmtp_agent_tell_connection(agent, seen, &agent->error);
    XMTP_TRY(xmtp_agent_is_passing(seen) ? XMTP_OK : seen);
    XMTP_TRY(handle_ready(agent, next_ns));
    return agent->handled != handled ? XMTP_OK : seen;
}

/* ---- for the loop of many */

xmtp_host *xmtp_agent_host(const xmtp_agent *agent)
{
    return agent->options.host;
}

const xmtp_env *xmtp_agent_env_of(const xmtp_host *host)
{
    return &host->env;
}

bool xmtp_agent_host_has_streams(const xmtp_host *host)
{
    return host->back_off_ns == 0;
}

bool xmtp_agent_is_stopped(const xmtp_agent *agent)
{
    return atomic_load(&agent->is_stopped);
}

bool xmtp_agent_is_due(const xmtp_agent *agent)
{
    bool may_go_on = agent->has_ended && !xmtp_agent_is_stopped(agent);
    return may_go_on || atomic_load(&agent->posts.count) > 0;
}

void xmtp_agent_run_posts(xmtp_agent *agent)
{
    xmtp_post_queue_run(&agent->posts, agent);
}
