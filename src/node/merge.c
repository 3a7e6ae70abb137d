/* merge.c - a binary heap of topics, by the id of the next place of each.
 *
 * heap[i] is a source whose next id is not above those of heap[2i+1] and heap[2i+2]. A source whose
 * places are used up reads its next page before it sinks to where it belongs. Cost of a message:
 * log of the number of topics, and a page read every rows_max messages of a topic.
 */
#include "node/merge.h"

#include "base/bytes.h"
#include "base/status.h"

enum { ROWS_MAX = 32, ROWS_TOTAL = 65536, SOURCES_MIN = 16 };

typedef struct source {
    uint8_t topic_len;
    uint8_t topic[XMTP_NODE_TOPIC_LEN_MAX];
    void *owner;
    uint64_t cursor;
    size_t at; /* of count places at rows */
    size_t count;
    xmtp_node_place *rows;
} source;

struct xmtp_node_merge {
    const xmtp_env *env;
    xmtp_node_archive *archive;
    xmtp_node_kind kind;
    uint64_t id_limit;
    source *sources; /* a heap once it has started */
    size_t count;
    size_t capacity;
    bool has_started;
    size_t rows_max;
    xmtp_node_place *rows;
};

static void *allocate(const xmtp_node_merge *m, void *p, size_t n)
{
    return m->env->alloc.reallocate(m->env->alloc.context, p, n);
}

xmtp_status xmtp_node_merge_new(xmtp_node_merge **out, const xmtp_env *env,
                                xmtp_node_archive *archive, xmtp_node_kind kind, uint64_t id_limit)
{
    xmtp_node_merge *m = env->alloc.reallocate(env->alloc.context, NULL, sizeof *m);
    *out = m;
    XMTP_ENSURE(m != NULL, XMTP_E_NOMEM);
    *m = (xmtp_node_merge){.env = env, .archive = archive, .kind = kind, .id_limit = id_limit};
    return XMTP_OK;
}

void xmtp_node_merge_free(xmtp_node_merge *m)
{
    if (m != NULL) {
        (void)allocate(m, m->rows, 0);
        (void)allocate(m, m->sources, 0);
        (void)allocate(m, m, 0);
    }
}

xmtp_status xmtp_node_merge_add(xmtp_node_merge *m, xmtp_bytes topic, uint64_t cursor, void *owner)
{
    uint64_t newest = xmtp_node_archive_newest(m->archive, m->kind, topic, NULL);
    return newest <= cursor ? XMTP_OK : xmtp_node_merge_add_newer(m, topic, cursor, owner);
}

xmtp_status xmtp_node_merge_add_newer(xmtp_node_merge *m, xmtp_bytes topic, uint64_t cursor,
                                      void *owner)
{
    if (cursor >= m->id_limit) {
        return XMTP_OK;
    }
    if (m->count == m->capacity) {
        size_t capacity = m->capacity == 0 ? SOURCES_MIN : 2 * m->capacity;
        source *sources = allocate(m, m->sources, capacity * sizeof *sources);
        XMTP_ENSURE(sources != NULL, XMTP_E_NOMEM);
        m->sources = sources;
        m->capacity = capacity;
    }
    source *s = &m->sources[m->count++];
    *s = (source){.topic_len = (uint8_t)topic.n, .owner = owner, .cursor = cursor};
    xmtp_copy(s->topic, topic.p, topic.n);
    return XMTP_OK;
}

/* ---- the heap */

static uint64_t next_id(const source *s)
{
    return s->rows[s->at].id;
}

static void sink(xmtp_node_merge *m, size_t i)
{
    for (;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < m->count; child++) {
            if (next_id(&m->sources[child]) < next_id(&m->sources[least])) {
                least = child;
            }
        }
        if (least == i) {
            return;
        }
        source swapped = m->sources[i];
        m->sources[i] = m->sources[least];
        m->sources[least] = swapped;
        i = least;
    }
}

/* The next places of a source; count is 0 when it has none. */
static xmtp_status refill(xmtp_node_merge *m, source *s)
{
    xmtp_node_page page = {
        .is_ascending = true, .cursor = s->cursor, .id_limit = m->id_limit, .limit = m->rows_max};
    s->at = 0;
    XMTP_TRY(xmtp_node_archive_page(m->archive, m->kind, xmtp_bytes_of(s->topic, s->topic_len),
                                    &page, s->rows, &s->count));
    if (s->count > 0) {
        s->cursor = s->rows[s->count - 1].id;
    }
    return XMTP_OK;
}

static xmtp_status start(xmtp_node_merge *m)
{
    size_t kept = 0;
    m->rows_max = m->count == 0 ? 1 : ROWS_TOTAL / m->count;
    m->rows_max = m->rows_max < 1 ? 1 : m->rows_max > ROWS_MAX ? ROWS_MAX : m->rows_max;
    m->rows = allocate(m, NULL, (m->count + 1) * m->rows_max * sizeof *m->rows);
    XMTP_ENSURE(m->rows != NULL, XMTP_E_NOMEM);
    for (size_t i = 0; i < m->count; i++) {
        source s = m->sources[i];
        s.rows = m->rows + i * m->rows_max;
        XMTP_TRY(refill(m, &s));
        if (s.count > 0) {
            m->sources[kept++] = s;
        }
    }
    m->count = kept;
    for (size_t i = kept / 2; i-- > 0;) {
        sink(m, i);
    }
    m->has_started = true;
    return XMTP_OK;
}

static void remove_first(xmtp_node_merge *m)
{
    m->sources[0] = m->sources[--m->count];
    sink(m, 0);
}

/* ---- taking */

xmtp_status xmtp_node_merge_peek(xmtp_node_merge *m, xmtp_node_place *place, void **owner)
{
    if (!m->has_started) {
        XMTP_TRY(start(m));
    }
    while (m->count > 0 && m->sources[0].at == m->sources[0].count) {
        XMTP_TRY(refill(m, &m->sources[0]));
        if (m->sources[0].count == 0) {
            remove_first(m);
        } else {
            sink(m, 0);
        }
    }
    XMTP_ENSURE(m->count > 0, XMTP_E_NOT_FOUND);
    *place = m->sources[0].rows[m->sources[0].at];
    *owner = m->sources[0].owner;
    return XMTP_OK;
}

void xmtp_node_merge_pop(xmtp_node_merge *m)
{
    source *first = &m->sources[0];
    if (++first->at < first->count) {
        sink(m, 0); /* else the next peek refills it first: its next id is not known yet */
    }
}

void xmtp_node_merge_pop_topic(xmtp_node_merge *m)
{
    remove_first(m);
}
