/* access.c - lists of networks sorted by length of prefix and then address, so that looking one up is
 * a binary search for each length that occurs.
 */
#include "node/access.h"

#include "base/bytes.h"
#include "base/reader.h"
#include "base/status.h"
#include "node/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LINE_LEN_MAX = 128, REREAD_SECONDS = 60, KEY_LEN = 64 };

typedef struct network {
    uint8_t bits; /* of the prefix, 0 to 128 */
    xmtp_node_ip ip;
} network;

typedef struct network_list {
    network *items; /* sorted by finish_list */
    size_t count;
    size_t capacity;
    uint32_t first[130]; /* by length of prefix: its first item, and behind it the next one's */
} network_list;

typedef struct key_list {
    char (*items)[KEY_LEN]; /* filled up with zeroes */
    size_t count;
    size_t capacity;
} key_list;

typedef struct list_file {
    char path[512]; /* "": there is none */
    struct timespec changed;
    uint64_t inode;
} list_file;

struct xmtp_node_access {
    xmtp_node_access_options options;
    xmtp_node_limiter *limiter; /* NULL: no limits; so the next two */
    xmtp_node_tally *connections;
    xmtp_node_tally *streams;
    network_list trusted; /* proxies; does not change */

    pthread_rwlock_t lock; /* for what follows */
    list_file files[3];    /* allowed, denied, keys */
    network_list allowed;
    network_list denied;
    key_list keys;
    uint64_t next_reread_ns; /* atomic */
};

enum { FILE_ALLOWED, FILE_DENIED, FILE_KEYS };

/* ---- networks */

bool xmtp_node_ip_parse(const char *text, xmtp_node_ip *out)
{
    uint8_t v4[4];
    if (inet_pton(AF_INET, text, v4) == 1) {
        *out = (xmtp_node_ip){.p = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}};
        memcpy(out->p + 12, v4, sizeof v4);
        return true;
    }
    return inet_pton(AF_INET6, text, out->p) == 1;
}

static void mask(xmtp_node_ip *ip, unsigned bits)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned kept = bits > 8 * i ? bits - 8 * i : 0;
        unsigned ones = kept >= 8 ? 0xffU : 0xff00U >> kept;
        ip->p[i] = (uint8_t)(ip->p[i] & ones);
    }
}

static bool parse_network(const char *text, network *out)
{
    char address[LINE_LEN_MAX];
    const char *slash = strchr(text, '/');
    size_t n = slash == NULL ? strlen(text) : (size_t)(slash - text);
    if (n >= sizeof address) {
        return false;
    }
    memcpy(address, text, n);
    address[n] = '\0';
    if (!xmtp_node_ip_parse(address, &out->ip)) {
        return false;
    }
    bool is_v4 = strchr(address, ':') == NULL;
    char *end = NULL;
    unsigned long bits = slash == NULL ? (is_v4 ? 32 : 128) : strtoul(slash + 1, &end, 10);
    if ((slash != NULL && (end == slash + 1 || *end != '\0' || slash[1] == '-')) ||
        bits > (is_v4 ? 32U : 128U)) {
        return false;
    }
    out->bits = (uint8_t)(bits + (is_v4 ? 96 : 0));
    mask(&out->ip, out->bits);
    return true;
}

static int compare(const void *a, const void *b)
{
    const network *x = a;
    const network *y = b;
    return x->bits != y->bits ? (x->bits < y->bits ? -1 : 1) : memcmp(x->ip.p, y->ip.p, 16);
}

static void finish_list(network_list *list)
{
    size_t at = 0;
    if (list->count > 0) {
        qsort(list->items, list->count, sizeof(network), compare);
    }
    for (unsigned bits = 0; bits < 130; bits++) {
        while (at < list->count && list->items[at].bits < bits) {
            at++;
        }
        list->first[bits] = (uint32_t)at;
    }
}

static bool holds(const network_list *list, const xmtp_node_ip *ip)
{
    for (unsigned bits = 0; bits <= 128; bits++) {
        size_t count = list->first[bits + 1] - list->first[bits];
        network wanted = {.bits = (uint8_t)bits, .ip = *ip};
        if (count > 0) {
            mask(&wanted.ip, bits);
            if (bsearch(&wanted, list->items + list->first[bits], count, sizeof wanted, compare) !=
                NULL) {
                return true;
            }
        }
    }
    return false;
}

/* ---- files */

static void *grow(const xmtp_alloc *alloc, void *items, size_t *capacity, size_t item_len)
{
    size_t next = *capacity == 0 ? 16 : 2 * *capacity;
    void *p = alloc->reallocate(alloc->context, items, next * item_len);
    *capacity = p == NULL ? *capacity : next;
    return p;
}

static xmtp_status add_network(const xmtp_alloc *alloc, network_list *list, const char *text)
{
    network item;
    XMTP_ENSURE(list->count < XMTP_NODE_NETWORKS_MAX, XMTP_E_LIMIT);
    XMTP_ENSURE(parse_network(text, &item), XMTP_E_ARGUMENT);
    if (list->count == list->capacity) {
        network *items = grow(alloc, list->items, &list->capacity, sizeof *items);
        XMTP_ENSURE(items != NULL, XMTP_E_NOMEM);
        list->items = items;
    }
    list->items[list->count++] = item;
    return XMTP_OK;
}

static xmtp_status add_key(const xmtp_alloc *alloc, key_list *list, const char *text)
{
    XMTP_ENSURE(list->count < XMTP_NODE_API_KEYS_MAX, XMTP_E_LIMIT);
    XMTP_ENSURE(strlen(text) >= 16 && strlen(text) < KEY_LEN, XMTP_E_ARGUMENT);
    if (list->count == list->capacity) {
        char(*items)[KEY_LEN] = grow(alloc, list->items, &list->capacity, sizeof *items);
        XMTP_ENSURE(items != NULL, XMTP_E_NOMEM);
        list->items = items;
    }
    memset(list->items[list->count], 0, KEY_LEN);
    memcpy(list->items[list->count++], text, strlen(text));
    return XMTP_OK;
}

typedef struct lists {
    network_list networks;
    key_list keys;
} lists;

static xmtp_status add_line(const xmtp_alloc *alloc, lists *out, bool is_keys, char *line)
{
    line[strcspn(line, "#\r\n")] = '\0';
    char *start = line + strspn(line, " \t");
    start[strcspn(start, " \t")] = '\0';
    if (start[0] == '\0') {
        return XMTP_OK;
    }
    return is_keys ? add_key(alloc, &out->keys, start) : add_network(alloc, &out->networks, start);
}

static xmtp_status read_list(const xmtp_alloc *alloc, const char *path, bool is_keys, lists *out,
                             xmtp_error *error)
{
    char line[LINE_LEN_MAX];
    char reason[96];
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return xmtp_fail(error, XMTP_E_IO, "cannot read %.120s: %s", path,
                         strerror_r(errno, reason, sizeof reason));
    }
    xmtp_status status = XMTP_OK;
    unsigned number = 0;
    while (status == XMTP_OK && fgets(line, sizeof line, file) != NULL) {
        number++;
        bool is_whole = strchr(line, '\n') != NULL || feof(file) != 0;
        status = is_whole ? add_line(alloc, out, is_keys, line) : XMTP_E_ARGUMENT;
    }
    (void)fclose(file);
    xmtp_wipe(line, sizeof line);
    if (status == XMTP_E_ARGUMENT) { /* never with the line itself: it may be a key */
        return xmtp_fail(error, status, "%.120s:%u: %s", path, number,
                         is_keys ? "a key has 16 to 63 characters"
                                 : "this is no address or network like 192.0.2.0/24");
    }
    if (status == XMTP_E_LIMIT) {
        return xmtp_fail(error, status, "%.120s:%u: more than %d lines", path, number,
                         is_keys ? XMTP_NODE_API_KEYS_MAX : XMTP_NODE_NETWORKS_MAX);
    }
    finish_list(&out->networks);
    return status;
}

static void free_keys(const xmtp_alloc *alloc, key_list *list)
{
    if (list->items != NULL) {
        xmtp_wipe(list->items, list->capacity * sizeof *list->items);
    }
    (void)alloc->reallocate(alloc->context, list->items, 0);
    *list = (key_list){.count = 0};
}

static void free_networks(const xmtp_alloc *alloc, network_list *list)
{
    (void)alloc->reallocate(alloc->context, list->items, 0);
    *list = (network_list){.count = 0};
}

/* Takes the new lists over; the old ones are freed. */
static void swap_in(xmtp_node_access *a, int which, lists *fresh)
{
    const xmtp_alloc *alloc = &a->options.env->alloc;
    (void)pthread_rwlock_wrlock(&a->lock);
    if (which == FILE_KEYS) {
        free_keys(alloc, &a->keys);
        a->keys = fresh->keys;
    } else {
        network_list *list = which == FILE_ALLOWED ? &a->allowed : &a->denied;
        free_networks(alloc, list);
        *list = fresh->networks;
    }
    (void)pthread_rwlock_unlock(&a->lock);
}

static xmtp_status reread(xmtp_node_access *a, int which, xmtp_error *error)
{
    list_file *file = &a->files[which];
    const xmtp_alloc *alloc = &a->options.env->alloc;
    struct stat st = {0};
    lists fresh = {.networks = {.count = 0}};
    if (file->path[0] == '\0') {
        return XMTP_OK;
    }
    (void)stat(file->path, &st); /* opening tells when it is not there */
    if (st.st_mtim.tv_sec == file->changed.tv_sec && st.st_mtim.tv_nsec == file->changed.tv_nsec &&
        st.st_ino == file->inode && file->inode != 0) {
        return XMTP_OK;
    }
    xmtp_status status = read_list(alloc, file->path, which == FILE_KEYS, &fresh, error);
    if (status != XMTP_OK) {
        free_keys(alloc, &fresh.keys);
        free_networks(alloc, &fresh.networks);
        return status;
    }
    file->changed = st.st_mtim;
    file->inode = st.st_ino;
    swap_in(a, which, &fresh);
    return XMTP_OK;
}

xmtp_status xmtp_node_access_reload(xmtp_node_access *a, xmtp_error *error)
{
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
    xmtp_status status = XMTP_OK;
    (void)pthread_mutex_lock(&one_at_a_time);
    for (int which = 0; which < 3 && status == XMTP_OK; which++) {
        status = reread(a, which, error);
    }
    (void)pthread_mutex_unlock(&one_at_a_time);
    return status;
}

/* ---- opening */

static xmtp_status open_limiter(xmtp_node_access *a)
{
    const xmtp_node_rates *rates = &a->options.rates;
    if (rates->reads == 0 && rates->writes == 0 && rates->streams == 0) {
        return XMTP_OK;
    }
    const uint64_t minute_ns = (uint64_t)60 * 1000000000;
    xmtp_node_limiter_options options = {
        .env = a->options.env,
        .limit = {rates->reads, rates->writes, rates->streams},
        .period_ns = {5 * minute_ns, 5 * minute_ns, minute_ns},
        .addresses_max = rates->addresses_max == 0 ? 100000 : (size_t)rates->addresses_max};
    return xmtp_node_limiter_new(&a->limiter, &options);
}

static xmtp_status open_tallies(xmtp_node_access *a)
{
    const xmtp_node_rates *rates = &a->options.rates;
    if (rates->connections_open > 0) {
        XMTP_TRY(xmtp_node_tally_new(&a->connections, a->options.env, rates->connections_open));
    }
    if (rates->streams_open > 0) {
        XMTP_TRY(xmtp_node_tally_new(&a->streams, a->options.env, rates->streams_open));
    }
    return XMTP_OK;
}

static xmtp_status open_trusted(xmtp_node_access *a, xmtp_error *error)
{
    for (size_t i = 0; a->options.rates.trusted_proxies[i] != NULL; i++) {
        const char *text = a->options.rates.trusted_proxies[i];
        if (add_network(&a->options.env->alloc, &a->trusted, text) != XMTP_OK) {
            return xmtp_fail(error, XMTP_E_ARGUMENT,
                             "trusted proxy %.60s is no address or network like 192.0.2.0/24",
                             text);
        }
    }
    finish_list(&a->trusted);
    return XMTP_OK;
}

static xmtp_status open_parts(xmtp_node_access *a, xmtp_error *error)
{
    const char *const paths[3] = {a->options.rates.allow_file, a->options.rates.deny_file,
                                  a->options.rates.api_key_file};
    for (size_t i = 0; i < 3; i++) {
        XMTP_ENSURE(paths[i] == NULL || strlen(paths[i]) < sizeof a->files[i].path,
                    XMTP_E_ARGUMENT);
        (void)snprintf(a->files[i].path, sizeof a->files[i].path, "%s",
                       paths[i] == NULL ? "" : paths[i]);
    }
    XMTP_TRY(open_limiter(a));
    XMTP_TRY(open_tallies(a));
    XMTP_TRY(open_trusted(a, error));
    return xmtp_node_access_reload(a, error);
}

xmtp_status xmtp_node_access_new(xmtp_node_access **out, const xmtp_node_access_options *options,
                                 xmtp_error *error)
{
    const xmtp_alloc *alloc = &options->env->alloc;
    *out = NULL;
    xmtp_node_access *a = alloc->reallocate(alloc->context, NULL, sizeof *a);
    XMTP_ENSURE(a != NULL, XMTP_E_NOMEM);
    *a = (xmtp_node_access){.options = *options};
    (void)pthread_rwlock_init(&a->lock, NULL);
    xmtp_status status = open_parts(a, error);
    if (status != XMTP_OK) {
        xmtp_node_access_free(a);
        return status;
    }
    *out = a;
    return XMTP_OK;
}

void xmtp_node_access_free(xmtp_node_access *a)
{
    if (a == NULL) {
        return;
    }
    const xmtp_alloc *alloc = &a->options.env->alloc;
    xmtp_node_limiter_free(a->limiter);
    xmtp_node_tally_free(a->connections);
    xmtp_node_tally_free(a->streams);
    free_networks(alloc, &a->trusted);
    free_networks(alloc, &a->allowed);
    free_networks(alloc, &a->denied);
    free_keys(alloc, &a->keys);
    (void)pthread_rwlock_destroy(&a->lock);
    (void)alloc->reallocate(alloc->context, a, 0);
}

/* ---- admitting */

/* Every key is compared whole, so that time tells nothing. */
static bool is_key(const key_list *list, const char *key)
{
    uint8_t padded[KEY_LEN] = {0};
    size_t n = strlen(key);
    bool is_found = false;
    XMTP_ENSURE(n > 0 && n < KEY_LEN, false);
    memcpy(padded, key, n);
    for (size_t i = 0; i < list->count; i++) {
        is_found = xmtp_ct_equal(list->items[i], padded, KEY_LEN) | is_found;
    }
    xmtp_wipe(padded, sizeof padded);
    return is_found;
}

static xmtp_node_rate rate_of(const char *path)
{
    static const char *const writes[] = {
        "/xmtp.mls.api.v1.MlsApi/SendGroupMessages",
        "/xmtp.mls.api.v1.MlsApi/SendWelcomeMessages",
        "/xmtp.mls.api.v1.MlsApi/UploadKeyPackage",
        "/xmtp.mls.api.v1.MlsApi/RegisterInstallation",
        "/xmtp.mls.api.v1.MlsApi/BatchPublishCommitLog",
        "/xmtp.identity.api.v1.IdentityApi/PublishIdentityUpdate",
    };
    for (size_t i = 0; i < sizeof writes / sizeof writes[0]; i++) {
        if (strcmp(path, writes[i]) == 0) {
            return XMTP_NODE_RATE_WRITE;
        }
    }
    return xmtp_node_is_stream(path) || xmtp_node_is_bidi(path) ? XMTP_NODE_RATE_STREAM
                                                                : XMTP_NODE_RATE_READ;
}

static xmtp_status read_varint(xmtp_reader *r, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte;
        XMTP_TRY(xmtp_reader_u8(r, &byte));
        *out |= (uint64_t)(byte & 0x7f) << shift;
        XMTP_ENSURE((byte & 0x80) != 0, XMTP_OK);
    }
    return XMTP_E_MALFORMED;
}

/* How many times field 1 is there, which in what is sent are the messages; at least 1. */
static uint64_t count_messages(xmtp_bytes request)
{
    xmtp_reader r = xmtp_reader_of(request);
    uint64_t count = 0;
    uint64_t key;
    uint64_t n;
    xmtp_bytes skipped;
    while (r.n > 0 && read_varint(&r, &key) == XMTP_OK && (key & 7) == 2 &&
           read_varint(&r, &n) == XMTP_OK && n <= r.n &&
           xmtp_reader_take(&r, (size_t)n, &skipped) == XMTP_OK) {
        count += key >> 3 == 1 ? 1 : 0;
    }
    return count == 0 ? 1 : count;
}

static uint64_t cost_of(const char *path, xmtp_bytes request)
{
    bool is_batch = strcmp(path, "/xmtp.mls.api.v1.MlsApi/SendGroupMessages") == 0 ||
                    strcmp(path, "/xmtp.mls.api.v1.MlsApi/SendWelcomeMessages") == 0;
    return is_batch ? count_messages(request) : 1;
}

static void reread_in_time(xmtp_node_access *a, uint64_t now_ns)
{
    uint64_t next = __atomic_load_n(&a->next_reread_ns, __ATOMIC_RELAXED);
    uint64_t after = now_ns + (uint64_t)REREAD_SECONDS * 1000000000;
    xmtp_error error = {0};
    if (now_ns < next || !__atomic_compare_exchange_n(&a->next_reread_ns, &next, after, false,
                                                      __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        return;
    }
    if (next != 0 && xmtp_node_access_reload(a, &error) != XMTP_OK && a->options.notice != NULL) {
        a->options.notice(a->options.notice_context, error.text);
    }
}

xmtp_node_admission xmtp_node_access_admit(xmtp_node_access *a,
                                           const xmtp_node_request_origin *origin, const char *path,
                                           xmtp_bytes request, uint64_t now_ns)
{
    xmtp_node_ip ip = origin->ip;
    xmtp_node_ip forwarded;
    xmtp_node_rate rate = rate_of(path);
    reread_in_time(a, now_ns);
    if (origin->forwarded[0] != '\0' && holds(&a->trusted, &ip) &&
        xmtp_node_ip_parse(origin->forwarded, &forwarded)) {
        ip = forwarded;
    }
    (void)pthread_rwlock_rdlock(&a->lock);
    bool is_denied = holds(&a->denied, &ip);
    bool is_free = holds(&a->allowed, &ip) || is_key(&a->keys, origin->api_key);
    (void)pthread_rwlock_unlock(&a->lock);
    xmtp_node_admission admission = {
        .is_denied = is_denied, .rate = rate, .verdict = {.is_allowed = !is_denied}};
    if (is_denied || is_free) {
        return admission;
    }
    if (rate == XMTP_NODE_RATE_STREAM && a->streams != NULL &&
        !xmtp_node_seat_take(&admission.seat, a->streams, &ip)) {
        admission.is_full = true;
        admission.verdict.is_allowed = false;
        return admission;
    }
    if (a->limiter != NULL) {
        admission.verdict =
            xmtp_node_limiter_take(a->limiter, &ip, rate, cost_of(path, request), now_ns);
    }
    if (!admission.verdict.is_allowed) {
        xmtp_node_seat_leave(&admission.seat);
    }
    return admission;
}

bool xmtp_node_access_connect(xmtp_node_access *a, const xmtp_node_ip *ip, xmtp_node_seat *seat)
{
    *seat = (xmtp_node_seat){.tally = NULL};
    if (a->connections == NULL || holds(&a->trusted, ip)) {
        return true;
    }
    (void)pthread_rwlock_rdlock(&a->lock);
    bool is_free = holds(&a->allowed, ip);
    (void)pthread_rwlock_unlock(&a->lock);
    return is_free || xmtp_node_seat_take(seat, a->connections, ip);
}

uint64_t xmtp_node_access_connections_max(const xmtp_node_access *a)
{
    return a->connections == NULL ? 0 : xmtp_node_tally_max(a->connections);
}

uint64_t xmtp_node_access_streams_max(const xmtp_node_access *a)
{
    return a->streams == NULL ? 0 : xmtp_node_tally_max(a->streams);
}
