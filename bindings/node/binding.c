/* binding.c - agent_thread.h as functions for JavaScript, over Node-API 8 alone (no V8, no libuv,
 * so that every Node from 18 and Bun load the same file).
 *
 * index.cjs is the only caller and does everything that JavaScript can do; here is just the
 * crossing:
 *
 *     handle = open(settings, tell)     starts the thread; tell(kind, payload) is called for each
 * event send(handle, request, isNoted, messageId, conversation, receiver, text) done(handle,
 * messageId)  fail(handle, messageId, reason) close(handle)                     the end is told by
 * tell("closed", error or null) wait(handle, ms)                  blocks until the thread has
 * ended: for the end of the process
 *
 * These return null, or {code, message} of what went wrong.
 *
 * Who keeps the agent_thread: the handle, the thread-safe function (wake) and the cleanup hook, one
 * reference each. An environment that goes away (process or worker ends) first deafens the thread,
 * so it never calls into what is gone.
 */
#include "agent_thread.h"

#include "base/bytes.h"
#include "base/status.h"

#include <node_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARGUMENTS_MAX = 7, TEARDOWN_WAIT_MS = 5000 };

static const uint64_t MS_NS = UINT64_C(1000000);

/* What crosses between the agent's thread and JavaScript. */
typedef struct bridge {
    agent_thread *thread;
    napi_threadsafe_function wake;
    size_t holders; /* handle, thread-safe function, cleanup hook; JavaScript's thread only */
    bool is_hooked;
} bridge;

static void drop(bridge *b)
{
    if (--b->holders > 0) {
        return;
    }
    if (b->thread != NULL) {
        agent_thread_release(b->thread);
    }
    free(b);
}

/* ---- values ------------------------------------------------------------------------------- */

static napi_value js_null(napi_env env)
{
    napi_value value = NULL;
    (void)napi_get_null(env, &value);
    return value;
}

static napi_value js_object(napi_env env)
{
    napi_value value = NULL;
    (void)napi_create_object(env, &value);
    return value;
}

/* NULL leaves the property out. */
static void set_text(napi_env env, napi_value object, const char *name, const char *text, size_t n)
{
    napi_value value;
    if (text != NULL && napi_create_string_utf8(env, text, n, &value) == napi_ok) {
        (void)napi_set_named_property(env, object, name, value);
    }
}

static void set_string(napi_env env, napi_value object, const char *name, const char *text)
{
    set_text(env, object, name, text, NAPI_AUTO_LENGTH);
}

static void set_value(napi_env env, napi_value object, const char *name, napi_value value)
{
    (void)napi_set_named_property(env, object, name, value);
}

static napi_value js_error(napi_env env, const xmtp_error *error)
{
    if (error->status == XMTP_OK) {
        return js_null(env);
    }
    napi_value object = js_object(env);
    set_string(env, object, "code", xmtp_status_name(error->status));
    set_string(env, object, "message", error->text);
    return object;
}

static napi_value js_status(napi_env env, xmtp_status status)
{
    xmtp_error error = {.status = status};
    (void)snprintf(error.text, sizeof error.text, "%s", xmtp_status_text(status));
    return js_error(env, &error);
}

static bool is_type(napi_env env, napi_value value, napi_valuetype wanted)
{
    napi_valuetype type;
    return napi_typeof(env, value, &type) == napi_ok && type == wanted;
}

/* A copy that the caller frees; NULL when value is not a string or there is no memory. */
static char *take_string(napi_env env, napi_value value)
{
    size_t n;
    if (!is_type(env, value, napi_string) ||
        napi_get_value_string_utf8(env, value, NULL, 0, &n) != napi_ok) {
        return NULL;
    }
    char *text = malloc(n + 1);
    if (text != NULL && napi_get_value_string_utf8(env, value, text, n + 1, &n) != napi_ok) {
        free(text);
        return NULL;
    }
    return text;
}

static char *take_property(napi_env env, napi_value object, const char *name)
{
    napi_value value;
    return napi_get_named_property(env, object, name, &value) == napi_ok ? take_string(env, value)
                                                                         : NULL;
}

static uint32_t take_number(napi_env env, napi_value object, const char *name)
{
    napi_value value;
    uint32_t number = 0;
    if (napi_get_named_property(env, object, name, &value) == napi_ok) {
        (void)napi_get_value_uint32(env, value, &number);
    }
    return number;
}

/* ---- events to JavaScript ------------------------------------------------------------------ */

static napi_value js_message(napi_env env, const message_copy *m)
{
    napi_value object = js_object(env);
    napi_value sent_ns;
    set_string(env, object, "id", m->id);
    set_string(env, object, "conversation", m->conversation);
    set_string(env, object, "kind", m->is_dm ? "dm" : "group");
    set_string(env, object, "address", m->sender_address);
    set_string(env, object, "inboxId", m->sender_inbox);
    set_string(env, object, "contentType", m->content_type);
    set_text(env, object, "text", m->text, m->text_len);
    set_string(env, object, "fallback", m->fallback);
    set_string(env, object, "reference", m->reference);
    if (napi_create_bigint_uint64(env, m->sent_ns, &sent_ns) == napi_ok) {
        set_value(env, object, "sentNs", sent_ns);
    }
    return object;
}

static napi_value js_opened(napi_env env, const event *e)
{
    napi_value object = js_object(env);
    set_string(env, object, "address", e->address);
    set_string(env, object, "inboxId", e->inbox_id);
    set_string(env, object, "installationId", e->installation_id);
    return object;
}

static napi_value js_sent(napi_env env, const event *e)
{
    napi_value object = js_object(env);
    napi_value request;
    napi_value is_kept;
    (void)napi_create_uint32(env, e->request, &request);
    (void)napi_get_boolean(env, e->is_kept, &is_kept);
    set_value(env, object, "request", request);
    set_value(env, object, "kept", is_kept);
    set_value(env, object, "error", js_error(env, &e->error));
    set_string(env, object, "id", e->id[0] == '\0' ? NULL : e->id);
    set_string(env, object, "conversation", e->conversation[0] == '\0' ? NULL : e->conversation);
    return object;
}

static napi_value js_set_aside(napi_env env, const event *e)
{
    napi_value object = js_message(env, &e->message);
    set_string(env, object, "reason", e->reason == NULL ? "" : e->reason);
    return object;
}

static const char *event_name(event_kind kind)
{
    switch (kind) {
    case EVENT_OPEN:
        return "open";
    case EVENT_MESSAGE:
        return "message";
    case EVENT_SET_ASIDE:
        return "setAside";
    case EVENT_CONNECTION:
        return "connection";
    case EVENT_SENT:
        return "sent";
    case EVENT_TROUBLE:
        return "trouble";
    case EVENT_CLOSED:
        return "closed";
    }
    return "";
}

static napi_value js_payload(napi_env env, const event *e)
{
    switch (e->kind) {
    case EVENT_OPEN:
        return js_opened(env, e);
    case EVENT_MESSAGE:
        return js_message(env, &e->message);
    case EVENT_SET_ASIDE:
        return js_set_aside(env, e);
    case EVENT_SENT:
        return js_sent(env, e);
    case EVENT_CONNECTION:
    case EVENT_TROUBLE:
    case EVENT_CLOSED:
        return js_error(env, &e->error);
    }
    return js_null(env);
}

/* What is thrown out of tell ends the program as any uncaught exception does. */
static void raise_uncaught(napi_env env)
{
    bool is_pending = false;
    napi_value thrown;
    if (napi_is_exception_pending(env, &is_pending) == napi_ok && is_pending &&
        napi_get_and_clear_last_exception(env, &thrown) == napi_ok) {
        (void)napi_fatal_exception(env, thrown);
    }
}

static void deliver(napi_env env, napi_value tell, const event *e)
{
    napi_handle_scope scope;
    napi_value nothing;
    napi_value arguments[2];
    if (napi_open_handle_scope(env, &scope) != napi_ok) {
        return;
    }
    (void)napi_get_undefined(env, &nothing);
    (void)napi_create_string_utf8(env, event_name(e->kind), NAPI_AUTO_LENGTH, &arguments[0]);
    arguments[1] = js_payload(env, e);
    if (napi_call_function(env, nothing, tell, 2, arguments, NULL) != napi_ok) {
        raise_uncaught(env);
    }
    (void)napi_close_handle_scope(env, scope);
}

/* ---- the end ------------------------------------------------------------------------------- */

static void on_environment_gone(void *argument)
{
    bridge *b = argument;
    b->is_hooked = false;
    agent_thread_deafen(b->thread);
    agent_thread_close(b->thread);
    /* One that hangs longer goes on alone: it owns what it uses. */
    (void)agent_thread_join(b->thread, TEARDOWN_WAIT_MS);
    drop(b);
}

/* After EVENT_CLOSED: the thread is at its last instructions. */
static void end_bridge(napi_env env, bridge *b)
{
    agent_thread_deafen(b->thread);
    (void)agent_thread_join(b->thread, TEARDOWN_WAIT_MS);
    if (b->is_hooked) {
        b->is_hooked = false;
        (void)napi_remove_env_cleanup_hook(env, on_environment_gone, b);
        drop(b);
    }
    (void)napi_release_threadsafe_function(b->wake, napi_tsfn_release);
}

static void tell_javascript(napi_env env, napi_value tell, void *context, void *data)
{
    bridge *b = context;
    (void)data;
    if (env == NULL || b->thread == NULL) {
        return;
    }
    bool is_closed = false;
    event *e = agent_thread_take_events(b->thread);
    while (e != NULL) {
        event *next = e->next;
        is_closed = is_closed || e->kind == EVENT_CLOSED;
        deliver(env, tell, e);
        event_free(e);
        e = next;
    }
    if (is_closed) {
        end_bridge(env, b);
    }
}

static void wake(void *context)
{
    bridge *b = context;
    /* napi_closing: the environment is going away, and nobody listens any more. */
    (void)napi_call_threadsafe_function(b->wake, NULL, napi_tsfn_nonblocking);
}

static void on_wake_gone(napi_env env, void *data, void *hint)
{
    bridge *b = data;
    (void)env;
    (void)hint;
    if (b->thread != NULL) {
        agent_thread_deafen(b->thread);
    }
    drop(b);
}

static void on_handle_gone(napi_env env, void *data, void *hint)
{
    (void)env;
    (void)hint;
    drop(data);
}

/* ---- functions ----------------------------------------------------------------------------- */

static bool take_arguments(napi_env env, napi_callback_info info, size_t wanted, napi_value *out)
{
    size_t count = wanted;
    if (napi_get_cb_info(env, info, &count, out, NULL, NULL) == napi_ok && count == wanted) {
        return true;
    }
    (void)napi_throw_type_error(env, "E_ARGUMENT", "wrong number of arguments");
    return false;
}

static bridge *take_bridge(napi_env env, napi_value value)
{
    void *b = NULL;
    if (!is_type(env, value, napi_external) || napi_get_value_external(env, value, &b) != napi_ok) {
        (void)napi_throw_type_error(env, "E_ARGUMENT", "not a handle");
        return NULL;
    }
    return b;
}

static agent_settings take_settings(napi_env env, napi_value object, bridge *b)
{
    return (agent_settings){
        .encryption_key = take_property(env, object, "encryptionKey"),
        .node_url = take_property(env, object, "node"),
        .node_authorities = take_property(env, object, "caFile"),
        .database_path = take_property(env, object, "dbPath"),
        .app_version = take_property(env, object, "appVersion"),
        .attempts_max = take_number(env, object, "attempts"),
        .retry_first_ns = take_number(env, object, "retryMs") * MS_NS,
        .retry_max_ns = take_number(env, object, "retryMaxMs") * MS_NS,
        .in_flight_max = take_number(env, object, "concurrency"),
        .wake = wake,
        .context = b,
    };
}

static void free_settings(agent_settings *s)
{
    if (s->encryption_key != NULL) {
        xmtp_wipe((char *)s->encryption_key, strlen(s->encryption_key));
    }
    free((char *)s->encryption_key);
    free((char *)s->node_url);
    free((char *)s->node_authorities);
    free((char *)s->database_path);
    free((char *)s->app_version);
}

static bool make_wake(napi_env env, napi_value tell, bridge *b)
{
    napi_value name;
    if (napi_create_string_utf8(env, "xmtp", NAPI_AUTO_LENGTH, &name) != napi_ok ||
        napi_create_threadsafe_function(env, tell, NULL, name, 0, 1, b, on_wake_gone, b,
                                        tell_javascript, &b->wake) != napi_ok) {
        return false;
    }
    b->holders++;
    return true;
}

static bool start(napi_env env, napi_value settings_object, bridge *b)
{
    agent_settings settings = take_settings(env, settings_object, b);
    xmtp_status status = agent_thread_start(&b->thread, &settings);
    free_settings(&settings);
    if (status != XMTP_OK) {
        (void)napi_release_threadsafe_function(b->wake, napi_tsfn_abort);
        return false;
    }
    b->is_hooked = napi_add_env_cleanup_hook(env, on_environment_gone, b) == napi_ok;
    b->holders += b->is_hooked ? 1 : 0;
    return true;
}

static napi_value js_open(napi_env env, napi_callback_info info)
{
    napi_value arguments[2];
    napi_value handle;
    if (!take_arguments(env, info, 2, arguments)) {
        return NULL;
    }
    bridge *b = calloc(1, sizeof *b);
    if (b == NULL) {
        (void)napi_throw_error(env, "E_NOMEM", "out of memory");
        return NULL;
    }
    b->holders = 1;
    if (napi_create_external(env, b, on_handle_gone, NULL, &handle) != napi_ok) {
        free(b);
        (void)napi_throw_error(env, "E_NOMEM", "no handle for a new agent");
        return NULL;
    }
    if (!make_wake(env, arguments[1], b) || !start(env, arguments[0], b)) {
        (void)napi_throw_error(env, "E_NOMEM", "no thread for a new agent");
        return NULL;
    }
    return handle;
}

static napi_value js_send(napi_env env, napi_callback_info info)
{
    napi_value a[ARGUMENTS_MAX];
    bridge *b = take_arguments(env, info, 7, a) ? take_bridge(env, a[0]) : NULL;
    if (b == NULL) {
        return NULL;
    }
    send_order order = {0};
    char *message_id = take_string(env, a[3]);
    char *conversation = take_string(env, a[4]);
    char *receiver = take_string(env, a[5]);
    char *text = take_string(env, a[6]);
    order.message_id = message_id;
    order.conversation = conversation;
    order.receiver = receiver;
    order.text = text;
    (void)napi_get_value_uint32(env, a[1], &order.request);
    (void)napi_get_value_bool(env, a[2], &order.is_noted);
    bool has_place = receiver != NULL || conversation != NULL;
    xmtp_status status = text != NULL && has_place && (!order.is_noted || message_id != NULL)
                             ? agent_thread_send(b->thread, &order)
                             : XMTP_E_ARGUMENT;
    free(message_id);
    free(conversation);
    free(receiver);
    free(text);
    return js_status(env, status);
}

static napi_value js_done(napi_env env, napi_callback_info info)
{
    napi_value a[2];
    bridge *b = take_arguments(env, info, 2, a) ? take_bridge(env, a[0]) : NULL;
    if (b == NULL) {
        return NULL;
    }
    char *id = take_string(env, a[1]);
    xmtp_status status = id == NULL ? XMTP_E_ARGUMENT : agent_thread_done(b->thread, id);
    free(id);
    return js_status(env, status);
}

static napi_value js_fail(napi_env env, napi_callback_info info)
{
    napi_value a[3];
    bridge *b = take_arguments(env, info, 3, a) ? take_bridge(env, a[0]) : NULL;
    if (b == NULL) {
        return NULL;
    }
    char *id = take_string(env, a[1]);
    char *reason = take_string(env, a[2]);
    xmtp_status status = id == NULL ? XMTP_E_ARGUMENT : agent_thread_fail(b->thread, id, reason);
    free(id);
    free(reason);
    return js_status(env, status);
}

static napi_value js_close(napi_env env, napi_callback_info info)
{
    napi_value a[1];
    bridge *b = take_arguments(env, info, 1, a) ? take_bridge(env, a[0]) : NULL;
    if (b == NULL) {
        return NULL;
    }
    agent_thread_close(b->thread);
    return js_null(env);
}

static napi_value js_wait(napi_env env, napi_callback_info info)
{
    napi_value a[2];
    uint32_t ms = 0;
    bridge *b = take_arguments(env, info, 2, a) ? take_bridge(env, a[0]) : NULL;
    if (b == NULL) {
        return NULL;
    }
    (void)napi_get_value_uint32(env, a[1], &ms);
    return js_status(env, agent_thread_join(b->thread, ms) ? XMTP_OK : XMTP_E_TIMEOUT);
}

static const struct {
    const char *name;
    napi_callback function;
} functions[] = {
    {"open", js_open}, {"send", js_send},   {"done", js_done},
    {"fail", js_fail}, {"close", js_close}, {"wait", js_wait},
};

NAPI_MODULE_INIT()
{
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        napi_value function;
        if (napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].function,
                                 NULL, &function) != napi_ok ||
            napi_set_named_property(env, exports, functions[i].name, function) != napi_ok) {
            (void)napi_throw_error(env, "E_INTERNAL", "cannot export the functions");
            return NULL;
        }
    }
    set_string(env, exports, "version", XMTP_VERSION);
    return exports;
}
