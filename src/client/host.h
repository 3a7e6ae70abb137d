/* host.h - what a host is, and what its files and client.c share.
 *
 *     host.c         open, close, poll            host_topics.c   who follows what, and the streams for it
 *     host_seat.c    waking, parking, chores      host_items.c    what streams bring, to whom it is for
 *
 *     client -- seat --+-- follower -- topic (an inbox's welcomes, or a conversation) -- lane -- stream
 *                      '-- follower -- topic ------------------------------------------'
 *     client -- seat ----- follower -- the same topic
 *
 * A topic is in one lane, which is one stream, or it is fresh: no stream brings it yet. Fresh topics
 * become a new lane, together with the newest lanes as long as those are at most twice as long: so
 * there are few lanes, and a topic changes its lane seldom (logarithmically many times).
 *
 * A follower is behind when the stream may have brought what it did not take, or may not bring what
 * it needs: its first follower's past, a failure, a new stream of a topic without a cursor. It must
 * query before it takes items again; everyone else only takes items, each above its cursor. Cursors
 * here are copies; those in the databases count.
 */
#ifndef XMTP_CLIENT_HOST_H
#define XMTP_CLIENT_HOST_H

#include "client/state.h"
#include "rpc/list.h"

#include <xmtp/host.h>

typedef enum host_kind { HOST_WELCOMES, HOST_GROUPS, HOST_KINDS } host_kind;

typedef struct host_lane {
    xmtp_list list; /* of its feed, newest last */
    xmtp_list topics;
    size_t count;
    size_t left; /* topics that went away since it was opened */
    xmtp_stream *stream;
} host_lane;

typedef struct host_feed {
    xmtp_list lanes;
    size_t lane_count;
    xmtp_list fresh; /* topics */
    size_t fresh_count;
    void *by_id; /* tree of tsearch(3): topics by their id */
    size_t topic_count;
} host_feed;

typedef struct host_topic {
    xmtp_list list; /* of its lane, or of the fresh ones */
    host_lane *lane;
    struct host_follower *followers;
    xmtp_bytes id;
    uint8_t bytes[];
} host_topic;

typedef struct host_follower {
    struct host_follower *next_of_topic;
    struct host_follower *next_of_seat;
    xmtp_list behind; /* in no list while it is not */
    host_topic *topic;
    struct host_seat *seat;
    int64_t ref; /* of the conversation; 0: welcomes */
    uint64_t cursor;
    uint64_t retry_at_ns;
    uint64_t back_off_ns;
    bool is_listed; /* of follow_listed */
} host_follower;

typedef struct host_seat {
    xmtp_list all;    /* in the order of opening */
    xmtp_list awake;  /* used since it was parked */
    xmtp_list opened; /* with an open database, least recently used first */
    xmtp_list news;   /* to be named by a poll */
    xmtp_host *host;
    xmtp_client *client;
    host_follower *followers;
    uint64_t file_number; /* of an ephemeral identity; 0: its file stays */
    bool has_joined;
    uint64_t uses_seen;     /* of the database, by the last poll */
    uint64_t uses_of_clock; /* by the last look for a database to park */
    uint64_t used_ns;       /* when something was last asked of it or came for it */
    uint64_t due_ns;        /* when chores are to be done */
    uint64_t back_off_ns;   /* of failing chores */
    uint64_t retry_at_ns;   /* of listing its conversations */
    unsigned log_rounds;    /* of its commit log, before it may rest */
} host_seat;

struct xmtp_host {
    xmtp_env env;
    xmtp_transport own_transport;
    const xmtp_transport *transport;
    bool owns_transport;
    char *folder;
    char *node_url;
    bool is_temporary; /* the folder */
    int lock_fd;
    bool has_key;
    uint8_t key[XMTP_DATABASE_KEY_LEN];
    size_t open_max;
    uint64_t park_after_ns;
    size_t topics_max;
    size_t topics_now;   /* of a stream; fewer than topics_max for a while after a refusal */
    uint64_t more_at_ns; /* when topics_now is doubled again */

    xmtp_list seats;
    size_t seat_count;
    xmtp_list awake;
    size_t awake_count;
    xmtp_list opened;
    size_t opened_count;
    xmtp_list news;
    xmtp_list behind;
    void *by_account; /* tree of tsearch(3): seats by the account of their client */
    uint64_t files;   /* of ephemeral identities so far */

    host_feed feeds[HOST_KINDS];
    uint64_t retry_at_ns; /* of opening streams */
    uint64_t back_off_ns; /* 0 while all are open */
    bool is_node_away;
    uint64_t next_due_ns; /* of any seat */

    /* what a poll has to tell, once */
    xmtp_error away; /* why the node could not be reached when it was tried last */
    xmtp_error trouble;
    xmtp_client *trouble_of;
    uint64_t wakes;
    uint64_t received;
};

static inline uint64_t host_now_ns(const xmtp_host *host)
{
    return host->env.now_ns(host->env.context);
}

void *host_allocate(const xmtp_host *host, size_t n); /* zeroed; NULL: no memory */
void host_release(const xmtp_host *host, void *p);
/* Kept for the next poll unless there is something already. of NULL: the node's. */
void host_note_trouble(xmtp_host *host, xmtp_client *of, xmtp_status status, const xmtp_error *why);
uint64_t host_back_off(uint64_t before_ns, uint64_t max_ns);

/* ---- client.c */
/* host NULL: a client of its own. */
xmtp_status xmtp_client_open_in(xmtp_client **out, const xmtp_client_options *options,
                                xmtp_host *host, xmtp_error *error);
/* "<account>-<first digits of the hash of the node's url>.db" */
void xmtp_database_name(const char *account, const char *url, char *out, size_t capacity);

/* One host at a time has a folder, and nobody else opens what lies there: parked clients do not lock their
 * files. *fd, to be closed by the caller also after a failure when it is not -1, holds the lock; -1: there
 * is no lock to be taken, and none was to be made. XMTP_E_LOCKED: a host has it. host.c */
xmtp_status xmtp_host_folder_lock(const char *folder, bool may_make, int *fd, xmtp_error *error);

/* ---- host_seat.c, called by client.c */
xmtp_status xmtp_seat_take(xmtp_client *client, xmtp_host *host, xmtp_error *error);
/* Where the client's database is. XMTP_E_LOCKED: this account is open in this host. */
xmtp_status xmtp_seat_path(const xmtp_client *client, bool is_ephemeral, char *out, size_t capacity,
                           xmtp_error *error);
/* *is_made false: the key is that of any client. */
xmtp_status xmtp_seat_key(const xmtp_client *client, bool has_wallet,
                          uint8_t key[XMTP_DATABASE_KEY_LEN], bool *is_made, xmtp_error *error);
/* Before anything of the client is freed, and after all of it was. */
void xmtp_seat_leave(host_seat *seat);
void xmtp_seat_free(host_seat *seat);

/* ---- host_seat.c */
xmtp_status host_seat_join(host_seat *seat, xmtp_error *error);
void host_seat_news(host_seat *seat);
/* Whatever its client can do without. Nothing while it is in the middle of something. */
void host_seat_park(host_seat *seat);
/* Clients that were used since the last look: what they follow now, and when their chores are due. */
void host_seats_look(xmtp_host *host);
/* The same, then chores that are due, for some; parks who is idle. */
void host_seats_work(xmtp_host *host);
/* When host_seats_work has something to do. */
uint64_t host_seats_next_ns(const xmtp_host *host);

/* ---- host_topics.c */
void host_feeds_init(xmtp_host *host);
void host_feeds_close(xmtp_host *host); /* all streams; nobody follows anything any more */
host_topic *host_topic_find(const xmtp_host *host, host_kind kind, xmtp_bytes id);
xmtp_status host_follow(host_seat *seat, host_kind kind, int64_t ref, xmtp_bytes id,
                        uint64_t cursor, xmtp_error *error);
/* Follows the conversations that the database lists, and no others. */
xmtp_status host_follow_listed(host_seat *seat, xmtp_error *error);
void host_unfollow_all(host_seat *seat);
/* Streams for fresh topics. Failures are noted. */
void host_open_streams(xmtp_host *host);
/* The stream ended: its topics are fresh again. */
void host_lane_lost(xmtp_host *host, host_kind kind, host_lane *lane, xmtp_status status,
                    const xmtp_error *why);

/* ---- host_items.c */
/* Takes what the streams have, some of each. */
void host_take_items(xmtp_host *host);
/* Queries for followers that are behind, some of them. */
void host_catch_up(xmtp_host *host);
uint64_t host_behind_next_ns(const xmtp_host *host);

#endif
