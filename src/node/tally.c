/* tally.c - see tally.h. */
#include "node/tally.h"

#include "base/bytes.h"
#include "base/status.h"
#include "node/table.h"

#include <pthread.h>
#include <string.h>

struct xmtp_node_tally {
    const xmtp_env *env;
    uint64_t max;
    pthread_mutex_t lock;
    xmtp_node_table counts; /* of uint64_t */
};

xmtp_status xmtp_node_tally_new(xmtp_node_tally **out, const xmtp_env *env, uint64_t max)
{
    *out = NULL;
    xmtp_node_tally *t = env->alloc.reallocate(env->alloc.context, NULL, sizeof *t);
    XMTP_ENSURE(t != NULL, XMTP_E_NOMEM);
    *t = (xmtp_node_tally){.env = env, .max = max};
    xmtp_status status = xmtp_node_table_init(&t->counts, env, sizeof(uint64_t));
    if (status != XMTP_OK) {
        (void)env->alloc.reallocate(env->alloc.context, t, 0);
        return status;
    }
    (void)pthread_mutex_init(&t->lock, NULL);
    *out = t;
    return XMTP_OK;
}

void xmtp_node_tally_free(xmtp_node_tally *t)
{
    if (t != NULL) {
        xmtp_node_table_free(&t->counts);
        (void)pthread_mutex_destroy(&t->lock);
        (void)t->env->alloc.reallocate(t->env->alloc.context, t, 0);
    }
}

static xmtp_bytes key_of(const xmtp_node_ip *ip)
{
    return xmtp_bytes_of(ip->p, sizeof ip->p);
}

bool xmtp_node_seat_take(xmtp_node_seat *seat, xmtp_node_tally *t, const xmtp_node_ip *ip)
{
    *seat = (xmtp_node_seat){.ip = xmtp_node_ip_customer(ip)};
    (void)pthread_mutex_lock(&t->lock);
    uint64_t *count = xmtp_node_table_put(&t->counts, key_of(&seat->ip));
    if (count != NULL && *count < t->max) {
        (*count)++;
        seat->tally = t;
    }
    (void)pthread_mutex_unlock(&t->lock);
    return seat->tally != NULL;
}

void xmtp_node_seat_leave(xmtp_node_seat *seat)
{
    xmtp_node_tally *t = seat->tally;
    if (t == NULL) {
        return;
    }
    seat->tally = NULL;
    (void)pthread_mutex_lock(&t->lock);
    uint64_t *count = xmtp_node_table_find(&t->counts, key_of(&seat->ip));
    if (--*count == 0) {
        xmtp_node_table_remove(&t->counts, key_of(&seat->ip));
    }
    (void)pthread_mutex_unlock(&t->lock);
}

uint64_t xmtp_node_tally_max(const xmtp_node_tally *t)
{
    return t->max;
}
