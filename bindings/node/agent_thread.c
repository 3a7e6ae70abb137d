/* agent_thread.c - see agent_thread.h.
 *
 * Two lists under one lock. Commands are taken by drain(), which is posted to the agent when the
 * list was empty before; events are taken by whoever wake() wakes. What must not fail for want of
 * memory at the end (the result of a command, the opening, the closing) is allocated at the
 * beginning.
 *
 * Life of the thread: open --> run --> close --> EVENT_CLOSED. t->agent is set between open and
 * close only, under the lock, so that another thread that sees it may post and stop.
 */
#include "agent_thread.h"

#include "base/bytes.h"
#include "base/status.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TYPE_LEN_MAX = 512 };

typedef enum command_kind { COMMAND_SEND, COMMAND_DONE, COMMAND_FAIL } command_kind;

typedef struct command {
    struct command *next;
    command_kind kind;
    bool is_noted;
    bool has_message;
    xmtp_message message; /* id and conversation only: what the agent knows a message by */
    char *receiver;
    char *text;    /* of COMMAND_FAIL: the reason */
    event *answer; /* becomes EVENT_SENT, or EVENT_TROUBLE for the others */
} command;

struct agent_thread {
    atomic_int references;
    agent_settings settings; /* with strings of its own until the agent is open */
    pthread_t thread;

    pthread_mutex_t lock;
    pthread_cond_t has_ended;
    bool is_ended;
    bool is_joined;
    atomic_bool is_closing;
    bool is_drain_posted;
    bool is_waking;
    bool is_deaf;
    xmtp_agent *agent;
    command *commands;
    command **commands_end;
    event *events;
    event **events_end;
    event *opened;
    event *closed;
};

/* ---- memory ------------------------------------------------------------------------------- */

static char *copy_string(const char *text)
{
    return text == NULL ? NULL : strdup(text);
}

static void free_secret(char *text)
{
    if (text != NULL) {
        xmtp_wipe(text, strlen(text));
        free(text);
    }
}

static void free_message(message_copy *m)
{
    free(m->sender_address);
    free(m->sender_inbox);
    free(m->content_type);
    free(m->text);
    free(m->fallback);
    free(m->reference);
}

void event_free(event *e)
{
    if (e == NULL) {
        return;
    }
    free_message(&e->message);
    free(e->address);
    free(e->inbox_id);
    free(e->installation_id);
    free(e->reason);
    free(e);
}

static event *new_event(event_kind kind)
{
    event *e = calloc(1, sizeof *e);
    if (e != NULL) {
        e->kind = kind;
    }
    return e;
}

static void free_command(command *c)
{
    if (c == NULL) {
        return;
    }
    free(c->receiver);
    free(c->text);
    event_free(c->answer);
    free(c);
}

static void free_settings(agent_settings *s)
{
    free_secret((char *)s->encryption_key);
    free((char *)s->node_url);
    free((char *)s->node_authorities);
    free((char *)s->database_path);
    free((char *)s->app_version);
    s->encryption_key = s->node_url = s->node_authorities = NULL;
    s->database_path = s->app_version = NULL;
}

static xmtp_status copy_settings(agent_settings *to, const agent_settings *from)
{
    *to = *from;
    to->encryption_key = copy_string(from->encryption_key);
    to->node_url = copy_string(from->node_url);
    to->node_authorities = copy_string(from->node_authorities);
    to->database_path = copy_string(from->database_path);
    to->app_version = copy_string(from->app_version);
    bool is_whole = (from->encryption_key == NULL || to->encryption_key != NULL) &&
                    (from->node_url == NULL || to->node_url != NULL) &&
                    (from->node_authorities == NULL || to->node_authorities != NULL) &&
                    (from->database_path == NULL || to->database_path != NULL) &&
                    (from->app_version == NULL || to->app_version != NULL);
    return is_whole ? XMTP_OK : XMTP_E_NOMEM;
}

void agent_thread_retain(agent_thread *t)
{
    atomic_fetch_add(&t->references, 1);
}

void agent_thread_release(agent_thread *t)
{
    if (atomic_fetch_sub(&t->references, 1) != 1) {
        return;
    }
    while (t->commands != NULL) {
        command *next = t->commands->next;
        free_command(t->commands);
        t->commands = next;
    }
    while (t->events != NULL) {
        event *next = t->events->next;
        event_free(t->events);
        t->events = next;
    }
    free_settings(&t->settings);
    event_free(t->opened);
    event_free(t->closed);
    pthread_cond_destroy(&t->has_ended);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

/* ---- events ------------------------------------------------------------------------------- */

static void push(agent_thread *t, event *e)
{
    pthread_mutex_lock(&t->lock);
    *t->events_end = e;
    t->events_end = &e->next;
    if (!t->is_waking && !t->is_deaf) {
        t->is_waking = true;
        t->settings.wake(t->settings.context); /* under the lock: not after agent_thread_deafen */
    }
    pthread_mutex_unlock(&t->lock);
}

event *agent_thread_take_events(agent_thread *t)
{
    pthread_mutex_lock(&t->lock);
    event *first = t->events;
    t->events = NULL;
    t->events_end = &t->events;
    t->is_waking = false;
    pthread_mutex_unlock(&t->lock);
    return first;
}

void agent_thread_deafen(agent_thread *t)
{
    pthread_mutex_lock(&t->lock);
    t->is_deaf = true;
    pthread_mutex_unlock(&t->lock);
}

/* The sentence of the object that failed, if it is about this failure. */
static xmtp_error explain(xmtp_status status, const xmtp_error *error)
{
    xmtp_error why = {.status = status};
    if (error != NULL && error->status == status && error->text[0] != '\0') {
        return *error;
    }
    (void)snprintf(why.text, sizeof why.text, "%s", xmtp_status_text(status));
    return why;
}

static bool copy_message(message_copy *to, const xmtp_message *from)
{
    char type[TYPE_LEN_MAX];
    (void)snprintf(type, sizeof type, "%.200s/%.200s:%" PRIu32 ".%" PRIu32,
                   from->authority == NULL ? "" : from->authority,
                   from->type == NULL ? "" : from->type, from->version_major, from->version_minor);
    xmtp_hex_encode(to->id, xmtp_bytes_of(from->id, sizeof from->id));
    xmtp_hex_encode(to->conversation, xmtp_bytes_of(from->conversation.p, from->conversation.n));
    to->is_dm = from->conversation_kind == XMTP_CONVERSATION_DM;
    to->sent_ns = from->sent_ns;
    to->sender_address = strdup(from->sender_address == NULL ? "" : from->sender_address);
    to->sender_inbox = strdup(from->sender_inbox == NULL ? "" : from->sender_inbox);
    to->content_type = strdup(type);
    to->fallback = copy_string(from->fallback);
    to->reference = copy_string(from->reference);
    if (from->text != NULL) {
        to->text = malloc(from->text_len + 1);
        to->text_len = from->text_len;
    }
    if (to->text != NULL) {
        xmtp_copy(to->text, from->text, from->text_len);
        to->text[from->text_len] = '\0';
    }
    return to->sender_address != NULL && to->sender_inbox != NULL && to->content_type != NULL &&
           (from->text == NULL || to->text != NULL) &&
           (from->fallback == NULL || to->fallback != NULL) &&
           (from->reference == NULL || to->reference != NULL);
}

static event *new_message_event(event_kind kind, const xmtp_message *message)
{
    event *e = new_event(kind);
    if (e != NULL && !copy_message(&e->message, message)) {
        event_free(e);
        return NULL;
    }
    return e;
}

/* ---- what the agent calls ------------------------------------------------------------------ */

static void on_message(xmtp_agent *agent, const xmtp_message *message, const xmtp_user *user,
                       void *context)
{
    (void)user; /* the message knows its sender */
    event *e = new_message_event(EVENT_MESSAGE, message);
    if (e == NULL) {
        xmtp_agent_fail(agent, message, "no memory for the message");
        return;
    }
    xmtp_agent_defer(agent, message);
    push(context, e);
}

static void on_set_aside(xmtp_agent *agent, const xmtp_message *message, const char *reason,
                         void *context)
{
    (void)agent;
    event *e = new_message_event(EVENT_SET_ASIDE, message);
    if (e != NULL) {
        e->reason = copy_string(reason);
        push(context, e);
    }
}

static void on_connection(xmtp_agent *agent, const xmtp_error *error, void *context)
{
    (void)agent;
    event *e = new_event(EVENT_CONNECTION);
    if (e != NULL) {
        e->error = explain(error->status, error);
        push(context, e);
    }
}

/* ---- commands, on the agent's thread ------------------------------------------------------- */

/* At once, with the id of what was sent. */
static xmtp_status send_now(xmtp_agent *agent, const command *c, xmtp_error *error)
{
    xmtp_client *client = xmtp_agent_client(agent);
    xmtp_conversation_id to = c->message.conversation;
    uint8_t id[XMTP_MESSAGE_ID_LEN] = {0};
    if (c->receiver != NULL) {
        XMTP_TRY(xmtp_client_dm(client, c->receiver, &to, error));
    }
    xmtp_status status = xmtp_client_send_text(client, &to, c->text, id, error);
    c->answer->is_kept =
        status == XMTP_E_NETWORK || status == XMTP_E_UNTRUSTED || status == XMTP_E_TLS;
    if (status == XMTP_OK) {
        xmtp_hex_encode(c->answer->id, xmtp_bytes_of(id, sizeof id));
    }
    xmtp_hex_encode(c->answer->conversation, xmtp_bytes_of(to.p, to.n));
    return status;
}

static xmtp_status note(xmtp_agent *agent, const command *c, xmtp_error *error)
{
    xmtp_status status = c->receiver == NULL
                             ? xmtp_agent_reply(agent, &c->message, c->text)
                             : xmtp_agent_send_for(agent, &c->message, c->receiver, c->text);
    *error = *xmtp_agent_error(agent);
    if (status == XMTP_OK && c->receiver == NULL) {
        xmtp_hex_encode(c->answer->conversation,
                        xmtp_bytes_of(c->message.conversation.p, c->message.conversation.n));
    }
    return status;
}

/* True when the answer of the command is to be told. */
static bool run_command(agent_thread *t, xmtp_agent *agent, command *c)
{
    xmtp_error error = {0};
    xmtp_status status = XMTP_OK;
    switch (c->kind) {
    case COMMAND_SEND:
        /* t->is_closing may be a moment old: then the text is sent, which is as good. */
        status = c->is_noted     ? note(agent, c, &error)
                 : t->is_closing ? XMTP_E_CLOSED
                                 : send_now(agent, c, &error);
        break;
    case COMMAND_DONE:
        status = xmtp_agent_done(agent, &c->message);
        error = *xmtp_agent_error(agent);
        break;
    case COMMAND_FAIL:
        xmtp_agent_fail(agent, &c->message, c->text);
        break;
    }
    c->answer->error = explain(status, &error);
    return c->kind == COMMAND_SEND || status != XMTP_OK;
}

static command *take_commands(agent_thread *t)
{
    pthread_mutex_lock(&t->lock);
    command *first = t->commands;
    t->commands = NULL;
    t->commands_end = &t->commands;
    t->is_drain_posted = false;
    pthread_mutex_unlock(&t->lock);
    return first;
}

static void drain(xmtp_agent *agent, void *argument)
{
    agent_thread *t = argument;
    command *c = take_commands(t);
    while (c != NULL) {
        command *next = c->next;
        if (run_command(t, agent, c)) {
            push(t, c->answer);
            c->answer = NULL;
        }
        free_command(c);
        c = next;
    }
}

/* ---- commands, on any thread --------------------------------------------------------------- */

static command *new_command(command_kind kind)
{
    command *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return NULL;
    }
    c->kind = kind;
    c->answer = new_event(kind == COMMAND_SEND ? EVENT_SENT : EVENT_TROUBLE);
    if (c->answer == NULL) {
        free(c);
        return NULL;
    }
    return c;
}

static xmtp_status add_locked(agent_thread *t, command *c)
{
    XMTP_ENSURE(t->agent != NULL, XMTP_E_CLOSED);
    if (!t->is_drain_posted) {
        XMTP_TRY(xmtp_agent_post(t->agent, drain, t));
        t->is_drain_posted = true;
    }
    *t->commands_end = c;
    t->commands_end = &c->next;
    return XMTP_OK;
}

/* Takes the command, also when it fails. */
static xmtp_status add(agent_thread *t, command *c)
{
    pthread_mutex_lock(&t->lock);
    xmtp_status status = add_locked(t, c);
    pthread_mutex_unlock(&t->lock);
    if (status != XMTP_OK) {
        free_command(c);
    }
    return status;
}

static xmtp_status set_message_id(command *c, const char *hex)
{
    return xmtp_hex_decode(c->message.id, sizeof c->message.id, hex, strlen(hex));
}

static xmtp_status set_conversation(command *c, const char *hex)
{
    size_t n = strlen(hex) / 2;
    XMTP_ENSURE(n > 0 && n <= XMTP_GROUP_ID_MAX, XMTP_E_LENGTH);
    c->message.conversation.n = n;
    return xmtp_hex_decode(c->message.conversation.p, n, hex, strlen(hex));
}

static xmtp_status fill_send(command *c, const send_order *order)
{
    c->is_noted = order->is_noted;
    c->answer->request = order->request;
    c->receiver = copy_string(order->receiver);
    c->text = strdup(order->text);
    XMTP_ENSURE(c->text != NULL, XMTP_E_NOMEM);
    XMTP_ENSURE(order->receiver == NULL || c->receiver != NULL, XMTP_E_NOMEM);
    if (order->message_id != NULL) {
        XMTP_TRY(set_message_id(c, order->message_id));
    }
    return order->conversation == NULL ? XMTP_OK : set_conversation(c, order->conversation);
}

xmtp_status agent_thread_send(agent_thread *t, const send_order *order)
{
    command *c = new_command(COMMAND_SEND);
    XMTP_ENSURE(c != NULL, XMTP_E_NOMEM);
    xmtp_status status = fill_send(c, order);
    if (status != XMTP_OK) {
        free_command(c);
        return status;
    }
    return add(t, c);
}

static xmtp_status end_handling(agent_thread *t, command_kind kind, const char *message_id,
                                const char *reason)
{
    command *c = new_command(kind);
    XMTP_ENSURE(c != NULL, XMTP_E_NOMEM);
    c->text = copy_string(reason);
    xmtp_status status = set_message_id(c, message_id);
    if (status != XMTP_OK) {
        free_command(c);
        return status;
    }
    return add(t, c);
}

xmtp_status agent_thread_done(agent_thread *t, const char *message_id)
{
    return end_handling(t, COMMAND_DONE, message_id, NULL);
}

xmtp_status agent_thread_fail(agent_thread *t, const char *message_id, const char *reason)
{
    return end_handling(t, COMMAND_FAIL, message_id, reason);
}

/* ---- the thread ---------------------------------------------------------------------------- */

static xmtp_status open_agent(agent_thread *t, xmtp_agent **out, xmtp_error *error)
{
    const xmtp_agent_options options = {
        .encryption_key = t->settings.encryption_key,
        .node_url = t->settings.node_url,
        .node_authorities = t->settings.node_authorities,
        .database_path = t->settings.database_path,
        .app_version = t->settings.app_version,
        .on_message = on_message,
        .on_set_aside = on_set_aside,
        .on_connection = on_connection,
        .context = t,
        .attempts_max = t->settings.attempts_max,
        .retry_first_ns = t->settings.retry_first_ns,
        .retry_max_ns = t->settings.retry_max_ns,
        .in_flight_max = t->settings.in_flight_max,
        .error = error,
    };
    return xmtp_agent_open(out, &options);
}

static void tell_opened(agent_thread *t, xmtp_agent *agent)
{
    const xmtp_client *client = xmtp_agent_client(agent);
    event *e = t->opened;
    t->opened = NULL;
    e->address = copy_string(xmtp_client_address(client));
    e->inbox_id = copy_string(xmtp_client_inbox_id(client));
    e->installation_id = copy_string(xmtp_client_installation_id(client));
    push(t, e);
}

static void set_agent(agent_thread *t, xmtp_agent *agent)
{
    pthread_mutex_lock(&t->lock);
    t->agent = agent;
    if (agent != NULL && t->is_closing) {
        xmtp_agent_stop(agent);
    }
    pthread_mutex_unlock(&t->lock);
}

static xmtp_status open_and_run(agent_thread *t, xmtp_error *error)
{
    xmtp_agent *agent = NULL;
    xmtp_status status = open_agent(t, &agent, error);
    free_settings(&t->settings);
    if (status != XMTP_OK) {
        return status;
    }
    set_agent(t, agent);
    tell_opened(t, agent);
    status = xmtp_agent_run(agent);
    *error = *xmtp_agent_error(agent);
    set_agent(t, NULL);
    xmtp_agent_close(agent);
    return status;
}

static void *thread_main(void *argument)
{
    agent_thread *t = argument;
    xmtp_error error = {0};
    xmtp_status status = open_and_run(t, &error);
    event *last = t->closed;
    t->closed = NULL;
    last->error = explain(status, &error);
    push(t, last);
    pthread_mutex_lock(&t->lock);
    t->is_ended = true;
    pthread_cond_broadcast(&t->has_ended);
    pthread_mutex_unlock(&t->lock);
    agent_thread_release(t);
    return NULL;
}

/* Signals belong to the program's own threads: none is delivered to the new one. */
static xmtp_status start_thread(agent_thread *t)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    agent_thread_retain(t);
    int failure = pthread_create(&t->thread, NULL, thread_main, t);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0) {
        agent_thread_release(t);
        return XMTP_E_NOMEM;
    }
    return XMTP_OK;
}

xmtp_status agent_thread_start(agent_thread **out, const agent_settings *settings)
{
    *out = NULL;
    agent_thread *t = calloc(1, sizeof *t);
    XMTP_ENSURE(t != NULL, XMTP_E_NOMEM);
    t->commands_end = &t->commands;
    t->events_end = &t->events;
    atomic_init(&t->references, 1);
    (void)pthread_mutex_init(&t->lock, NULL); /* cannot fail with the default attributes of glibc */
    (void)pthread_cond_init(&t->has_ended, NULL);
    t->opened = new_event(EVENT_OPEN);
    t->closed = new_event(EVENT_CLOSED);
    xmtp_status status = copy_settings(&t->settings, settings);
    if (status == XMTP_OK && (t->opened == NULL || t->closed == NULL)) {
        status = XMTP_E_NOMEM;
    }
    if (status == XMTP_OK) {
        status = start_thread(t);
    }
    if (status != XMTP_OK) {
        agent_thread_release(t);
        return status;
    }
    *out = t;
    return XMTP_OK;
}

void agent_thread_close(agent_thread *t)
{
    pthread_mutex_lock(&t->lock);
    t->is_closing = true;
    if (t->agent != NULL) {
        xmtp_agent_stop(t->agent);
    }
    pthread_mutex_unlock(&t->lock);
}

static struct timespec deadline_in(uint64_t ms)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)(ms / 1000);
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

bool agent_thread_join(agent_thread *t, uint64_t timeout_ms)
{
    const struct timespec deadline = deadline_in(timeout_ms);
    int failure = 0;
    pthread_mutex_lock(&t->lock);
    while (!t->is_ended && failure == 0) {
        failure = pthread_cond_clockwait(&t->has_ended, &t->lock, CLOCK_MONOTONIC, &deadline);
    }
    bool is_ended = t->is_ended;
    bool must_join = is_ended && !t->is_joined;
    t->is_joined = is_ended;
    pthread_mutex_unlock(&t->lock);
    if (must_join) {
        (void)pthread_join(t->thread, NULL);
    }
    return is_ended;
}
