/* agent_thread.h - an xmtp_agent on a thread of its own: commands go in, events come out.
 *
 *     JavaScript's thread                         agent's thread
 *       agent_thread_send/done/fail  --commands-->  xmtp_agent_post, one at a time
 *       agent_thread_take_events     <--events----  handler, results, connection, the end
 *
 * Nothing here knows JavaScript. wake is called on the agent's thread when there are events to
 * take, once until they are taken; after agent_thread_deafen it is never called again.
 *
 * The object is counted: whoever keeps a pointer holds a reference, the thread too.
 */
#ifndef XMTP_NODE_AGENT_THREAD_H
#define XMTP_NODE_AGENT_THREAD_H

#include <xmtp/agent.h>

enum { ID_HEX_LEN = 2 * XMTP_MESSAGE_ID_LEN + 1, GROUP_HEX_LEN = 2 * XMTP_GROUP_ID_MAX + 1 };

typedef struct agent_thread agent_thread;

/* Strings belong to the caller and may go after agent_thread_start. */
typedef struct agent_settings {
    const char *encryption_key; /* NULL: an identity in memory */
    const char *node_url;
    const char *node_authorities;
    const char *database_path;
    const char *app_version;
    uint32_t attempts_max;
    uint64_t retry_first_ns;
    uint64_t retry_max_ns;
    uint32_t in_flight_max;
    void (*wake)(void *context);
    void *context;
} agent_settings;

typedef enum event_kind {
    EVENT_OPEN,       /* address, inbox_id, installation_id */
    EVENT_MESSAGE,    /* message: its handling ends by agent_thread_done or agent_thread_fail */
    EVENT_SET_ASIDE,  /* message, reason */
    EVENT_CONNECTION, /* error: XMTP_OK when it is there again */
    EVENT_SENT,       /* request, error, is_kept, id, conversation */
    EVENT_TROUBLE,    /* error: an end of handling was not written */
    EVENT_CLOSED,     /* error: why; the last event. Opening failed when there was no EVENT_OPEN */
} event_kind;

typedef struct message_copy {
    char id[ID_HEX_LEN];
    char conversation[GROUP_HEX_LEN];
    bool is_dm;
    uint64_t sent_ns;
    char *sender_address;
    char *sender_inbox;
    char *content_type;
    char *text; /* NULL: no text */
    size_t text_len;
    char *fallback;  /* NULL: none */
    char *reference; /* NULL: not a reply */
} message_copy;

typedef struct event {
    struct event *next;
    event_kind kind;
    xmtp_error error;
    uint32_t request;
    bool is_kept; /* not on the network yet, but sent by itself when the node is back */
    char id[ID_HEX_LEN];
    char conversation[GROUP_HEX_LEN];
    char *address;
    char *inbox_id;
    char *installation_id;
    char *reason;
    message_copy message;
} event;

void event_free(event *e);

/* One text to one place. */
typedef struct send_order {
    uint32_t request;       /* comes back in EVENT_SENT */
    bool is_noted;          /* an answer of the message that is being handled, sent with its end */
    const char *message_id; /* hex; of the message answered; NULL when none */
    const char *conversation; /* hex; its conversation */
    const char *receiver;     /* NULL: into that conversation; otherwise a DM to this one */
    const char *text;
} send_order;

xmtp_status agent_thread_start(agent_thread **out, const agent_settings *settings);
void agent_thread_retain(agent_thread *t);
void agent_thread_release(agent_thread *t);

/* XMTP_E_CLOSED: the agent has ended; XMTP_E_MALFORMED, XMTP_E_LENGTH: not hexadecimal ids. */
xmtp_status agent_thread_send(agent_thread *t, const send_order *order);
xmtp_status agent_thread_done(agent_thread *t, const char *message_id);
xmtp_status agent_thread_fail(agent_thread *t, const char *message_id, const char *reason);

/* Asks for the end, which EVENT_CLOSED tells. Texts that wait to be sent are dropped then. */
void agent_thread_close(agent_thread *t);
/* False when the thread has not ended within this time. Afterwards it is gone. */
bool agent_thread_join(agent_thread *t, uint64_t timeout_ms);

/* A list, oldest first; the caller frees each. */
event *agent_thread_take_events(agent_thread *t);
void agent_thread_deafen(agent_thread *t);

#endif
