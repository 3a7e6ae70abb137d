/* session_internal.h - a session's structs: session.c has what the client asks for and what it is
 * told, session_wave.c the replay.
 *
 *     session --> topics (table by wire form)   a topic is in a wave, or live
 *             --> waves, each with its topics
 *             --> control: frames that are not messages, in order
 */
#ifndef XMTP_NODE_SESSION_INTERNAL_H
#define XMTP_NODE_SESSION_INTERNAL_H

#include "node/merge.h"
#include "node/session.h"
#include "node/table.h"
#include "rpc/list.h"

/* Fields of SubscribeResponse.V1 and of its Messages. */
enum {
    XMTP_SESSION_MESSAGES = 1,
    XMTP_SESSION_STARTED = 2,
    XMTP_SESSION_PING = 3,
    XMTP_SESSION_PONG = 4,
    XMTP_SESSION_TOPICS_LIVE = 5,
    XMTP_SESSION_CATCHUP_COMPLETE = 6,
};

/* The two kinds of topics, in the order in which a wave replays them. */
enum { XMTP_SESSION_KINDS = 2 };

typedef struct session_wave {
    xmtp_list link;
    uint64_t mutate_id; /* 0: catching up again after the tap was full, without markers */
    xmtp_list topics;
    xmtp_list dropped; /* removed by the client; in memory until the present merge is done */
    bool is_dirty;     /* something newer than up_to was published for its topics */
    unsigned pass;
    size_t kind_at; /* of XMTP_SESSION_KINDS */
    uint64_t up_to[XMTP_SESSION_KINDS];
    xmtp_node_merge *merge; /* of the present kind; NULL: not begun */
} session_wave;

typedef struct session_topic {
    xmtp_node_watch watch; /* first */
    xmtp_list link;        /* in the wave, or nowhere */
    session_wave *wave;    /* NULL: live */
    uint64_t cursor;       /* the last id that was sent, or what the client has */
    bool is_history;       /* no watch is linked, and it ends with its wave */
    bool is_dropped;
} session_topic;

typedef struct session {
    xmtp_node_feed base; /* first */
    xmtp_node_dispatcher *dispatcher;
    const xmtp_env *env;
    xmtp_node_tap *tap;
    uint64_t topics_max;
    xmtp_node_table topics; /* wire form -> session_topic * */
    xmtp_list waves;        /* the first has the next turn */
    size_t wave_count;
    xmtp_writer control; /* length and frame, again and again */
    size_t control_at;
    xmtp_writer payload; /* one message */
    session_topic *held; /* of a live place that did not fit into a frame; NULL: none */
    xmtp_node_place held_place;
    bool is_half_closed;
    bool is_live_turn;

    /* liveness */
    bool has_sent;     /* a frame since the last tick */
    bool was_asked;    /* next was called since the last tick */
    bool gave_nothing; /* the last next */
    uint64_t sent_ns;
    uint64_t asked_ns;
    uint64_t ping_ns; /* 0: no Ping is out */
    uint64_t ping_nonce;
} session;

xmtp_node_kind xmtp_session_kind(size_t kind_at);
size_t xmtp_session_kind_at(xmtp_node_kind kind);

/* Appends a message to an open Messages field, and its id becomes the topic's cursor. */
xmtp_status xmtp_session_put_message(session *s, session_topic *t, const xmtp_node_place *place,
                                     xmtp_writer *out, xmtp_error *error);

/* Where a frame of messages begins and ends; a frame without messages is taken back. */
typedef struct session_frame {
    size_t start;
    size_t v1;
    size_t messages;
    size_t count;
} session_frame;
session_frame xmtp_session_frame_open(xmtp_writer *out);
void xmtp_session_frame_close(session_frame *frame, uint64_t mutate_id, xmtp_writer *out);

/* A frame with one field that has one number, to be sent before any message. */
xmtp_status xmtp_session_control(session *s, uint32_t field, uint64_t value);
xmtp_status xmtp_session_topics_live(session *s, const session_wave *wave);

/* Out of the table, out of the dispatcher; freed at once, or with the merge that still knows it. */
void xmtp_session_drop_topic(session *s, session_topic *t);

/* ---- session_wave.c */

session_wave *xmtp_session_wave_new(session *s, uint64_t mutate_id);
void xmtp_session_wave_add(session_wave *wave, session_topic *t);
/* After all topics were added and linked. */
void xmtp_session_wave_begin(session *s, session_wave *wave);
void xmtp_session_wave_free(session *s, session_wave *wave);
/* All live topics catch up again, because the tap was full. */
xmtp_status xmtp_session_catch_up_again(session *s);
/* The next frame of the first wave; or none (nothing is appended), and the wave is complete. */
xmtp_status xmtp_session_wave_turn(session *s, xmtp_writer *out, xmtp_error *error);
/* Its last topic is gone. */
xmtp_status xmtp_session_wave_complete(session *s, session_wave *wave);
/* A wave that has to come to an end takes nothing new. */
bool xmtp_session_waves_hold_live(const session *s);

#endif
