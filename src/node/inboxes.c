/* inboxes.c - a table of inboxes in use or remembered, with an age list of the idle ones.
 *
 *     table: inbox id -> inbox { state, update_count, is_busy, waiting visits }
 *     idle list: oldest ... newest, only inboxes that are not busy
 *
 * An inbox is dropped from the old end of the idle list when there are more than states_max of
 * them.
 */
#include "node/inboxes.h"

#include "base/bytes.h"
#include "base/status.h"
#include "node/table.h"
#include "node/wire.h"

#include <pthread.h>
#include <string.h>

typedef struct xmtp_node_inbox {
    uint8_t inbox_id[XMTP_NODE_INBOX_ID_LEN];
    xmtp_association *state; /* NULL: not loaded */
    size_t update_count;
    bool is_busy;
    xmtp_node_inbox_visit *first; /* waiting */
    xmtp_node_inbox_visit **last;
    struct xmtp_node_inbox *older; /* in the idle list */
    struct xmtp_node_inbox *newer;
} inbox;

struct xmtp_node_inboxes {
    const xmtp_env *env;
    xmtp_node_archive *archive;
    size_t states_max;
    pthread_mutex_t lock;  /* for all below; a busy inbox's state belongs to its visit */
    xmtp_node_table table; /* of inbox pointers */
    size_t idle_count;
    inbox *oldest;
    inbox *newest;
};

xmtp_status xmtp_node_inboxes_new(xmtp_node_inboxes **out, const xmtp_env *env,
                                  xmtp_node_archive *archive, size_t states_max)
{
    *out = NULL;
    xmtp_node_inboxes *s = env->alloc.reallocate(env->alloc.context, NULL, sizeof *s);
    XMTP_ENSURE(s != NULL, XMTP_E_NOMEM);
    *s = (xmtp_node_inboxes){.env = env, .archive = archive, .states_max = states_max};
    xmtp_status status = xmtp_node_table_init(&s->table, env, sizeof(inbox *));
    if (status != XMTP_OK) {
        (void)env->alloc.reallocate(env->alloc.context, s, 0);
        return status;
    }
    (void)pthread_mutex_init(&s->lock, NULL);
    *out = s;
    return XMTP_OK;
}

/* ---- the idle list */

static void idle_add(xmtp_node_inboxes *s, inbox *i)
{
    i->older = s->newest;
    i->newer = NULL;
    *(s->newest == NULL ? &s->oldest : &s->newest->newer) = i;
    s->newest = i;
    s->idle_count++;
}

static void idle_remove(xmtp_node_inboxes *s, inbox *i)
{
    *(i->older == NULL ? &s->oldest : &i->older->newer) = i->newer;
    *(i->newer == NULL ? &s->newest : &i->newer->older) = i->older;
    s->idle_count--;
}

static void drop(xmtp_node_inboxes *s, inbox *i)
{
    idle_remove(s, i);
    xmtp_node_table_remove(&s->table, xmtp_bytes_of(i->inbox_id, sizeof i->inbox_id));
    xmtp_association_free(i->state);
    (void)s->env->alloc.reallocate(s->env->alloc.context, i, 0);
}

void xmtp_node_inboxes_free(xmtp_node_inboxes *s)
{
    if (s == NULL) {
        return;
    }
    while (s->oldest != NULL) {
        drop(s, s->oldest);
    }
    xmtp_node_table_free(&s->table);
    (void)pthread_mutex_destroy(&s->lock);
    (void)s->env->alloc.reallocate(s->env->alloc.context, s, 0);
}

/* ---- visits */

static inbox *add_inbox(xmtp_node_inboxes *s, const uint8_t *inbox_id)
{
    inbox *i = s->env->alloc.reallocate(s->env->alloc.context, NULL, sizeof *i);
    if (i == NULL) {
        return NULL;
    }
    *i = (inbox){.update_count = 0};
    memcpy(i->inbox_id, inbox_id, sizeof i->inbox_id);
    i->last = &i->first;
    inbox **slot = xmtp_node_table_put(&s->table, xmtp_bytes_of(inbox_id, sizeof i->inbox_id));
    if (slot == NULL) {
        (void)s->env->alloc.reallocate(s->env->alloc.context, i, 0);
        return NULL;
    }
    *slot = i;
    idle_add(s, i);
    return i;
}

static xmtp_status enter(xmtp_node_inboxes *s, xmtp_node_inbox_visit *visit)
{
    inbox **found =
        xmtp_node_table_find(&s->table, xmtp_bytes_of(visit->inbox_id, sizeof visit->inbox_id));
    inbox *i = found == NULL ? add_inbox(s, visit->inbox_id) : *found;
    XMTP_ENSURE(i != NULL, XMTP_E_NOMEM);
    visit->inbox = i;
    visit->next = NULL;
    if (i->is_busy) {
        *i->last = visit;
        i->last = &visit->next;
        return XMTP_E_RETRY;
    }
    i->is_busy = true;
    idle_remove(s, i);
    return XMTP_OK;
}

xmtp_status xmtp_node_inboxes_enter(xmtp_node_inboxes *s, xmtp_node_inbox_visit *visit)
{
    (void)pthread_mutex_lock(&s->lock);
    xmtp_status status = enter(s, visit);
    (void)pthread_mutex_unlock(&s->lock);
    return status;
}

/* Hands the inbox to who waits longest, or makes it idle. */
static xmtp_node_inbox_visit *pass_on(xmtp_node_inboxes *s, inbox *i)
{
    xmtp_node_inbox_visit *next = i->first;
    if (next != NULL) {
        i->first = next->next;
        i->last = i->first == NULL ? &i->first : i->last;
        return next;
    }
    i->is_busy = false;
    idle_add(s, i);
    while (s->idle_count > s->states_max) {
        drop(s, s->oldest);
    }
    return NULL;
}

xmtp_node_inbox_visit *xmtp_node_inboxes_leave(xmtp_node_inboxes *s, xmtp_node_inbox_visit *visit,
                                               xmtp_association *changed)
{
    (void)pthread_mutex_lock(&s->lock);
    inbox *i = visit->inbox;
    if (changed != NULL) {
        xmtp_association_free(i->state);
        i->state = changed;
        i->update_count++;
    }
    xmtp_node_inbox_visit *next = pass_on(s, i);
    (void)pthread_mutex_unlock(&s->lock);
    return next;
}

/* ---- states */

static xmtp_status visit_record(xmtp_node_inboxes *s, const xmtp_node_place *place, void *context,
                                xmtp_status (*visit)(void *context, xmtp_bytes update),
                                xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_node_record record;
    xmtp_bytes update;
    xmtp_arena_init(&arena, &s->env->alloc, (size_t)place->len + 64);
    xmtp_status status = xmtp_node_archive_read(s->archive, place, &arena, &record, error);
    status = status == XMTP_OK ? xmtp_node_wire_update(record.payload, &update) : status;
    status = status == XMTP_OK ? visit(context, update) : status;
    xmtp_arena_reset(&arena);
    return status;
}

xmtp_status xmtp_node_inboxes_each_update(xmtp_node_inboxes *s,
                                          const uint8_t inbox_id[XMTP_NODE_INBOX_ID_LEN],
                                          void *context,
                                          xmtp_status (*visit)(void *context, xmtp_bytes update),
                                          xmtp_error *error)
{
    xmtp_node_place places[XMTP_NODE_PAGE_COUNT_MAX];
    size_t count;
    xmtp_node_page page = {.is_ascending = true, .limit = XMTP_NODE_PAGE_COUNT_MAX};
    XMTP_TRY(xmtp_node_archive_page(s->archive, XMTP_NODE_IDENTITY_UPDATE,
                                    xmtp_bytes_of(inbox_id, XMTP_NODE_INBOX_ID_LEN), &page, places,
                                    &count));
    for (size_t i = 0; i < count; i++) {
        XMTP_TRY(visit_record(s, &places[i], context, visit, error));
    }
    return XMTP_OK;
}

typedef struct fold {
    xmtp_association *state;
    size_t count;
    xmtp_error *error;
} fold;

static xmtp_status fold_update(void *context, xmtp_bytes update)
{
    fold *f = context;
    f->count++;
    return xmtp_association_apply(f->state, update, NULL, XMTP_ASSOCIATION_ACCEPTED, f->error);
}

static xmtp_status load(xmtp_node_inboxes *s, inbox *i, xmtp_error *error)
{
    fold f = {.error = error};
    XMTP_TRY(xmtp_association_new(&f.state, &s->env->alloc));
    xmtp_status status = xmtp_node_inboxes_each_update(s, i->inbox_id, &f, fold_update, error);
    if (status != XMTP_OK) {
        xmtp_association_free(f.state);
        /* Accepted once and not acceptable now: not the fault of whoever asks. */
        return xmtp_fail(error, XMTP_E_CORRUPT, "the stored log of this inbox cannot be replayed");
    }
    i->state = f.state;
    i->update_count = f.count;
    return XMTP_OK;
}

xmtp_status xmtp_node_inboxes_state(xmtp_node_inboxes *s, xmtp_node_inbox_visit *visit,
                                    const xmtp_association **state, size_t *update_count,
                                    xmtp_error *error)
{
    inbox *i = visit->inbox;
    if (i->state == NULL) {
        XMTP_TRY(load(s, i, error));
    }
    *state = i->state;
    *update_count = i->update_count;
    return XMTP_OK;
}
