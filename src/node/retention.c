/* retention.c - one pass over all finished segments, then a wait. Most segments cost two small reads
 * of a pass: its own header and the time at the head of the next one.
 */
#include "node/retention.h"

#include "base/status.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

struct xmtp_node_retainer {
    xmtp_node_retainer_options options;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_closing; /* under the lock */
};

uint64_t xmtp_node_retention_segment_age_ns(const xmtp_node_retention *retention)
{
    enum { SEGMENTS_OF_AN_AGE = 16 };
    const uint64_t ages[] = {retention->welcome_ns, retention->message_ns,
                             retention->key_package_ns};
    uint64_t least = 0;
    for (size_t i = 0; i < sizeof ages / sizeof ages[0]; i++) {
        least = ages[i] > 0 && (least == 0 || ages[i] < least) ? ages[i] : least;
    }
    return least / SEGMENTS_OF_AN_AGE;
}

static bool is_closing(xmtp_node_retainer *r)
{
    (void)pthread_mutex_lock(&r->lock);
    bool closing = r->is_closing;
    (void)pthread_mutex_unlock(&r->lock);
    return closing;
}

static void tell(const xmtp_node_retainer *r, const xmtp_node_expired *expired, xmtp_status status,
                 const xmtp_error *error)
{
    char line[320];
    if (r->options.notice == NULL) {
        return;
    }
    if (expired->count > 0) {
        (void)snprintf(line, sizeof line,
                       "dropped %" PRIu64 " old records of together %" PRIu64 " bytes",
                       expired->count, expired->len);
        r->options.notice(r->options.notice_context, line);
    }
    if (status != XMTP_E_NOT_FOUND) {
        (void)snprintf(line, sizeof line, "cannot drop old records now (%s): %s",
                       xmtp_status_text(status), error->text);
        r->options.notice(r->options.notice_context, line);
    }
}

static void pass(xmtp_node_retainer *r)
{
    xmtp_node_expired expired = {0};
    xmtp_error error = {0};
    xmtp_status status = XMTP_OK;
    for (uint32_t segment = 0; status == XMTP_OK; segment++) {
        if (is_closing(r)) {
            return;
        }
        status = xmtp_node_archive_expire(r->options.archive, &r->options.retention, segment,
                                          &expired, &error);
    }
    tell(r, &expired, status, &error);
}

/* false: the thread is to end. */
static bool wait_for_next(xmtp_node_retainer *r)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += XMTP_NODE_RETENTION_PASS_SECONDS;
    (void)pthread_mutex_lock(&r->lock);
    int code = 0;
    while (!r->is_closing && code == 0) {
        code = pthread_cond_timedwait(&r->changed, &r->lock, &until);
    }
    bool goes_on = !r->is_closing;
    (void)pthread_mutex_unlock(&r->lock);
    return goes_on;
}

static void *run(void *context)
{
    xmtp_node_retainer *r = context;
    do {
        pass(r);
    } while (wait_for_next(r));
    return NULL;
}

xmtp_status xmtp_node_retainer_new(xmtp_node_retainer **out,
                                   const xmtp_node_retainer_options *options)
{
    const xmtp_alloc *alloc = &options->env->alloc;
    *out = NULL;
    xmtp_node_retainer *r = alloc->reallocate(alloc->context, NULL, sizeof *r);
    XMTP_ENSURE(r != NULL, XMTP_E_NOMEM);
    *r = (xmtp_node_retainer){.options = *options};
    (void)pthread_mutex_init(&r->lock, NULL);
    (void)pthread_cond_init(&r->changed, NULL);
    if (pthread_create(&r->thread, NULL, run, r) != 0) {
        (void)alloc->reallocate(alloc->context, r, 0);
        return XMTP_E_INTERNAL;
    }
    *out = r;
    return XMTP_OK;
}

void xmtp_node_retainer_free(xmtp_node_retainer *r)
{
    if (r == NULL) {
        return;
    }
    const xmtp_alloc *alloc = &r->options.env->alloc;
    (void)pthread_mutex_lock(&r->lock);
    r->is_closing = true;
    (void)pthread_cond_signal(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
    (void)pthread_join(r->thread, NULL);
    (void)pthread_cond_destroy(&r->changed);
    (void)pthread_mutex_destroy(&r->lock);
    (void)alloc->reallocate(alloc->context, r, 0);
}
