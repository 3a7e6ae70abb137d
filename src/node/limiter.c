/* limiter.c - a table of addresses, and a list of them by when they were last heard of. */
#include "node/limiter.h"

#include "base/bytes.h"
#include "base/status.h"
#include "node/table.h"
#include "rpc/list.h"

#include <pthread.h>
#include <string.h>

typedef struct address {
    uint8_t key[16];
    uint64_t full_at_ns[XMTP_NODE_RATE_COUNT]; /* in the past: it is full */
    xmtp_list link;
} address;

struct xmtp_node_limiter {
    xmtp_node_limiter_options options;
    pthread_mutex_t lock;
    xmtp_node_table table; /* of addresses, which stay where they are */
    xmtp_list quiet;       /* first: longest */
};

xmtp_status xmtp_node_limiter_new(xmtp_node_limiter **out, const xmtp_node_limiter_options *options)
{
    const xmtp_alloc *alloc = &options->env->alloc;
    *out = NULL;
    xmtp_node_limiter *l = alloc->reallocate(alloc->context, NULL, sizeof *l);
    XMTP_ENSURE(l != NULL, XMTP_E_NOMEM);
    *l = (xmtp_node_limiter){.options = *options};
    xmtp_status status = xmtp_node_table_init(&l->table, options->env, sizeof(address));
    if (status != XMTP_OK) {
        (void)alloc->reallocate(alloc->context, l, 0);
        return status;
    }
    (void)pthread_mutex_init(&l->lock, NULL);
    xmtp_list_init(&l->quiet);
    *out = l;
    return XMTP_OK;
}

void xmtp_node_limiter_free(xmtp_node_limiter *l)
{
    if (l == NULL) {
        return;
    }
    const xmtp_alloc *alloc = &l->options.env->alloc;
    xmtp_node_table_free(&l->table);
    (void)pthread_mutex_destroy(&l->lock);
    (void)alloc->reallocate(alloc->context, l, 0);
}

xmtp_node_ip xmtp_node_ip_customer(const xmtp_node_ip *ip)
{
    static const uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    xmtp_node_ip out = *ip;
    if (memcmp(ip->p, v4_prefix, sizeof v4_prefix) != 0) {
        memset(out.p + 8, 0, 8);
    }
    return out;
}

/* NULL: no memory, which is no reason to refuse. */
static address *find(xmtp_node_limiter *l, const xmtp_node_ip *ip)
{
    xmtp_node_ip customer = xmtp_node_ip_customer(ip);
    xmtp_bytes key = xmtp_bytes_of(customer.p, sizeof customer.p);
    address *a = xmtp_node_table_find(&l->table, key);
    if (a != NULL) {
        xmtp_list_remove(&a->link);
        xmtp_list_append(&l->quiet, &a->link);
        return a;
    }
    if (l->table.count >= l->options.addresses_max) {
        address *oldest = XMTP_LIST_OF(l->quiet.next, address, link);
        uint8_t old_key[16];
        memcpy(old_key, oldest->key, sizeof old_key);
        xmtp_list_remove(&oldest->link);
        xmtp_node_table_remove(&l->table, xmtp_bytes_of(old_key, sizeof old_key));
    }
    a = xmtp_node_table_put(&l->table, key);
    if (a != NULL) {
        memcpy(a->key, key.p, sizeof a->key);
        xmtp_list_append(&l->quiet, &a->link);
    }
    return a;
}

static xmtp_node_verdict take(uint64_t *full_at_ns, uint64_t limit, uint64_t period_ns,
                              uint64_t cost, uint64_t now_ns)
{
    uint64_t full_at = *full_at_ns > now_ns ? *full_at_ns : now_ns;
    uint64_t missing_ns = full_at - now_ns;
    uint64_t each_ns = period_ns / limit > 0 ? period_ns / limit : 1;
    uint64_t needed_ns = cost < limit ? cost * each_ns : period_ns;
    if (missing_ns > 0 && missing_ns + needed_ns > period_ns) {
        uint64_t wait_ns = missing_ns + needed_ns - period_ns;
        return (xmtp_node_verdict){
            .limit = limit,
            .remaining = missing_ns < period_ns ? (period_ns - missing_ns) / each_ns : 0,
            .retry_after_ms = (wait_ns + 999999) / 1000000};
    }
    *full_at_ns = full_at + cost * each_ns;
    missing_ns = *full_at_ns - now_ns;
    return (xmtp_node_verdict){.is_allowed = true,
                               .limit = limit,
                               .remaining =
                                   missing_ns < period_ns ? (period_ns - missing_ns) / each_ns : 0};
}

xmtp_node_verdict xmtp_node_limiter_take(xmtp_node_limiter *l, const xmtp_node_ip *ip,
                                         xmtp_node_rate rate, uint64_t cost, uint64_t now_ns)
{
    xmtp_node_verdict verdict = {.is_allowed = true};
    uint64_t limit = l->options.limit[rate];
    if (limit == 0) {
        return verdict;
    }
    (void)pthread_mutex_lock(&l->lock);
    address *a = find(l, ip);
    if (a != NULL) {
        verdict = take(&a->full_at_ns[rate], limit, l->options.period_ns[rate], cost, now_ns);
    }
    (void)pthread_mutex_unlock(&l->lock);
    return verdict;
}

size_t xmtp_node_limiter_count(xmtp_node_limiter *l)
{
    (void)pthread_mutex_lock(&l->lock);
    size_t count = l->table.count;
    (void)pthread_mutex_unlock(&l->lock);
    return count;
}
