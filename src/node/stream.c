/* stream.c - which feed belongs to which method; and the feeds of SubscribeGroupMessages,
 * SubscribeWelcomeMessages and Health/Watch (node.md 2.7). A list of filters may be empty: agents
 * start that way, and the stream must stay open.
 */
#include "node/stream.h"

#include "base/bytes.h"
#include "base/status.h"
#include "node/behind.h"
#include "node/envelopes.h"
#include "node/reflection.h"
#include "node/session.h"
#include "node/subscription.h"
#include "proto/message.h"
#include "proto/mls_api.pb-c.h"

#include <inttypes.h>
#include <string.h>

enum { ARENA_LEN_MIN = 65536, ARENA_FACTOR = 16 };

typedef struct request {
    xmtp_arena arena;
    xmtp_node_kind kind;
    xmtp_node_filter *filters;
    size_t count;
    uint64_t filters_max;
    xmtp_error *error;
} request;

static const char path_groups[] = "/xmtp.mls.api.v1.MlsApi/SubscribeGroupMessages";
static const char path_welcomes[] = "/xmtp.mls.api.v1.MlsApi/SubscribeWelcomeMessages";
static const char path_health[] = "/grpc.health.v1.Health/Watch";
static const char path_session[] = "/xmtp.mls.api.v1.MlsApi/Subscribe";
static const char envelope_service[] = "/xmtp.message_api.v1.MessageApi/";
static const char path_list[] = "/xmtp.message_api.v1.MessageApi/Subscribe";
static const char path_list2[] = "/xmtp.message_api.v1.MessageApi/Subscribe2";
static const char path_all[] = "/xmtp.message_api.v1.MessageApi/SubscribeAll";

bool xmtp_node_is_stream(const char *path)
{
    static const char *const paths[] = {path_groups, path_welcomes, path_health, path_list,
                                        path_all};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (strcmp(path, paths[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool xmtp_node_is_bidi(const char *path)
{
    return strcmp(path, path_session) == 0 || strcmp(path, path_list2) == 0 ||
           xmtp_node_is_reflection(path);
}

static xmtp_status begin(request *r, size_t count)
{
    void *p;
    if (count > r->filters_max) {
        return xmtp_fail(r->error, XMTP_E_ARGUMENT, "%zu filters, at most %" PRIu64 " are allowed",
                         count, r->filters_max);
    }
    XMTP_TRY(xmtp_arena_take_array(&r->arena, count, sizeof *r->filters, &p));
    r->filters = p;
    return XMTP_OK;
}

static xmtp_status add(request *r, ProtobufCBinaryData topic, uint64_t cursor)
{
    if (topic.len == 0 || topic.len > XMTP_NODE_TOPIC_LEN_MAX) {
        return xmtp_fail(r->error, XMTP_E_ARGUMENT,
                         "filter %zu has an id of %zu bytes, 1 to %d are allowed", r->count,
                         topic.len, XMTP_NODE_TOPIC_LEN_MAX);
    }
    r->filters[r->count++] = (xmtp_node_filter){.topic = xmtp_proto_bytes(topic), .cursor = cursor};
    return XMTP_OK;
}

static xmtp_status decode(request *r, const ProtobufCMessageDescriptor *type, xmtp_bytes bytes,
                          void **out)
{
    if (xmtp_proto_decode(type, &r->arena, bytes, out) != XMTP_OK) {
        return xmtp_fail(r->error, XMTP_E_ARGUMENT, "the request is no valid %s", type->short_name);
    }
    return XMTP_OK;
}

static xmtp_status read_groups(request *r, xmtp_bytes bytes)
{
    void *p;
    XMTP_TRY(decode(r, &pb__subscribe_group_messages_request__descriptor, bytes, &p));
    const Pb__SubscribeGroupMessagesRequest *message = p;
    r->kind = XMTP_NODE_GROUP_MESSAGE;
    XMTP_TRY(begin(r, message->n_filters));
    for (size_t i = 0; i < message->n_filters; i++) {
        XMTP_TRY(add(r, message->filters[i]->group_id, message->filters[i]->id_cursor));
    }
    return XMTP_OK;
}

static xmtp_status read_welcomes(request *r, xmtp_bytes bytes)
{
    void *p;
    XMTP_TRY(decode(r, &pb__subscribe_welcome_messages_request__descriptor, bytes, &p));
    const Pb__SubscribeWelcomeMessagesRequest *message = p;
    r->kind = XMTP_NODE_WELCOME;
    XMTP_TRY(begin(r, message->n_filters));
    for (size_t i = 0; i < message->n_filters; i++) {
        XMTP_TRY(add(r, message->filters[i]->installation_key, message->filters[i]->id_cursor));
    }
    return XMTP_OK;
}

/* Serving as long as anybody can ask; the stream then has nothing more to say. */
static xmtp_status read_watch(request *r, xmtp_bytes bytes, xmtp_bytes *first)
{
    static const uint8_t serving[] = {0x08, 0x01};
    void *p;
    XMTP_TRY(decode(r, &pb__health_check_request__descriptor, bytes, &p));
    r->kind = XMTP_NODE_GROUP_MESSAGE;
    *first = xmtp_bytes_of(serving, sizeof serving);
    return XMTP_OK;
}

static xmtp_status read_request(request *r, const char *path, xmtp_bytes bytes, xmtp_bytes *first)
{
    if (strcmp(path, path_groups) == 0) {
        return read_groups(r, bytes);
    }
    if (strcmp(path, path_welcomes) == 0) {
        return read_welcomes(r, bytes);
    }
    if (strcmp(path, path_health) == 0) {
        return read_watch(r, bytes, first);
    }
    return xmtp_fail(r->error, XMTP_E_UNSUPPORTED, "unknown method %.120s", path);
}

/* ---- the feed: a subscription, and perhaps one message before it */

typedef struct plain_feed {
    xmtp_node_feed base;
    const xmtp_env *env;
    xmtp_node_subscription *subscription;
    xmtp_bytes first; /* static memory */
    xmtp_node_behind behind;
} plain_feed;

static xmtp_status feed_next(xmtp_node_feed *base, xmtp_writer *out, xmtp_error *error)
{
    plain_feed *feed = (plain_feed *)base;
    if (feed->first.n > 0) {
        xmtp_writer_put(out, feed->first);
        feed->first = (xmtp_bytes){0};
        return xmtp_writer_status(out);
    }
    XMTP_TRY(xmtp_node_subscription_next(feed->subscription, out, error));
    xmtp_node_behind_progress(&feed->behind);
    return XMTP_OK;
}

static bool feed_is_quick(xmtp_node_feed *base)
{
    return xmtp_node_subscription_is_live(((plain_feed *)base)->subscription);
}

static xmtp_status feed_tick(xmtp_node_feed *base, uint64_t now_ns, xmtp_error *error)
{
    plain_feed *feed = (plain_feed *)base;
    bool is_behind = xmtp_node_subscription_is_behind(feed->subscription);
    return xmtp_node_behind_tick(&feed->behind, is_behind, now_ns, error);
}

static void feed_free(xmtp_node_feed *base)
{
    plain_feed *feed = (plain_feed *)base;
    xmtp_node_subscription_free(feed->subscription);
    (void)feed->env->alloc.reallocate(feed->env->alloc.context, feed, 0);
}

static const xmtp_node_feed_ops plain_ops = {
    .next = feed_next, .is_quick = feed_is_quick, .tick = feed_tick, .free = feed_free};

static xmtp_status make_feed(xmtp_node *node, const request *r, xmtp_bytes first, void *context,
                             void (*ready)(void *context), xmtp_node_feed **out)
{
    xmtp_node_subscription_options options = {.kind = r->kind,
                                              .filters = r->filters,
                                              .filter_count = r->count,
                                              .context = context,
                                              .ready = ready};
    const xmtp_alloc *alloc = &node->env->alloc;
    plain_feed *feed = alloc->reallocate(alloc->context, NULL, sizeof *feed);
    XMTP_ENSURE(feed != NULL, XMTP_E_NOMEM);
    *feed = (plain_feed){.base.ops = &plain_ops, .env = node->env, .first = first};
    xmtp_status status = xmtp_node_subscribe(node->dispatcher, &options, &feed->subscription);
    if (status != XMTP_OK) {
        feed_free(&feed->base);
        return status;
    }
    *out = &feed->base;
    return XMTP_OK;
}

static xmtp_status open_plain(xmtp_node *node, const xmtp_node_stream_request *asked,
                              xmtp_node_feed **out, xmtp_error *error)
{
    request r = {.filters_max = node->services.limits.filters, .error = error};
    xmtp_bytes first = {0};
    xmtp_arena_init(&r.arena, &node->env->alloc, ARENA_LEN_MIN + ARENA_FACTOR * asked->request.n);
    xmtp_status status = read_request(&r, asked->path, asked->request, &first);
    if (status == XMTP_OK) {
        status = make_feed(node, &r, first, asked->context, asked->ready, out);
    }
    xmtp_arena_reset(&r.arena);
    return status;
}

static xmtp_status open_envelopes(xmtp_node *node, const xmtp_node_stream_request *asked,
                                  xmtp_node_feed **out, xmtp_error *error)
{
    xmtp_node_envelopes_options options = {.wants_all = strcmp(asked->path, path_all) == 0,
                                           .topics_max = node->services.limits.filters,
                                           .takes_requests = strcmp(asked->path, path_list2) == 0,
                                           .request = asked->request,
                                           .start_after = asked->start_after,
                                           .context = asked->context,
                                           .ready = asked->ready};
    return xmtp_node_envelopes_open(out, node->dispatcher, &options, error);
}

xmtp_status xmtp_node_stream_open(xmtp_node *node, const xmtp_node_stream_request *asked,
                                  xmtp_node_feed **out, xmtp_error *error)
{
    *out = NULL;
    if (strcmp(asked->path, path_session) == 0) {
        return node->no_bidi ? xmtp_fail(error, XMTP_E_UNSUPPORTED,
                                         "bidirectional Subscribe is switched off on this node")
                             : xmtp_node_session_open(out, node->dispatcher,
                                                      node->services.limits.session_topics,
                                                      asked->context, asked->ready);
    }
    if (strncmp(asked->path, envelope_service, sizeof envelope_service - 1) == 0) {
        return open_envelopes(node, asked, out, error);
    }
    if (xmtp_node_is_reflection(asked->path)) {
        return xmtp_node_reflection_open(out, node->env, asked->protocols);
    }
    return open_plain(node, asked, out, error);
}
