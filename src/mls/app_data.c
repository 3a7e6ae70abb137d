/* app_data.c - see app_data.h.
 *
 * The proposals of a commit are put in order of their component (those of one component stay in the
 * order of the commit) and merged with the dictionary, which has that order already:
 *
 *     dictionary   1    3         7
 *     proposals         3,3  5   (7: remove)
 *     after        1    3'   5
 */
#include "mls/app_data.h"

#include "base/bytes.h"
#include "base/status.h"

#include <stdlib.h>

/* ---- dictionaries ---- */

static xmtp_status component_decode(xmtp_reader *r, xmtp_mls_app_data *out)
{
    XMTP_TRY(xmtp_reader_u16(r, &out->component_id));
    return xmtp_reader_vec(r, &out->data);
}

static void component_encode(xmtp_writer *w, uint16_t component_id, xmtp_bytes data)
{
    xmtp_writer_u16(w, component_id);
    xmtp_writer_vec(w, data);
}

static xmtp_status open_dictionary(xmtp_bytes dictionary, xmtp_reader *r)
{
    xmtp_reader outer = xmtp_reader_of(dictionary);
    XMTP_TRY(xmtp_reader_vec_open(&outer, r));
    return xmtp_reader_end(&outer);
}

static bool is_well_formed(xmtp_bytes dictionary)
{
    xmtp_mls_app_data item;
    xmtp_reader r;
    int32_t last = -1;
    if (open_dictionary(dictionary, &r) != XMTP_OK) {
        return false;
    }
    while (r.n > 0) {
        if (component_decode(&r, &item) != XMTP_OK || item.component_id <= last) {
            return false;
        }
        last = item.component_id;
    }
    return true;
}

xmtp_status xmtp_app_data_check(xmtp_bytes dictionary)
{
    return is_well_formed(dictionary) ? XMTP_OK : XMTP_E_APP_DATA;
}

bool xmtp_mls_app_data_find(xmtp_bytes dictionary, uint16_t component_id, xmtp_bytes *data)
{
    xmtp_mls_app_data item;
    xmtp_reader r;
    if (open_dictionary(dictionary, &r) != XMTP_OK) {
        return false;
    }
    while (r.n > 0 && component_decode(&r, &item) == XMTP_OK) {
        if (item.component_id == component_id) {
            *data = item.data;
            return true;
        }
    }
    return false;
}

xmtp_status xmtp_mls_app_data_encode(const xmtp_env *env, const xmtp_mls_app_data *items,
                                     size_t count, uint8_t **dictionary, size_t *dictionary_len)
{
    xmtp_writer w;
    *dictionary = NULL;
    *dictionary_len = 0;
    for (size_t i = 1; i < count; i++) {
        XMTP_ENSURE(items[i - 1].component_id < items[i].component_id, XMTP_E_APP_DATA);
    }
    xmtp_writer_init(&w, &env->alloc, XMTP_WRITER_MAX);
    size_t mark = xmtp_writer_vec_open(&w);
    for (size_t i = 0; i < count; i++) {
        component_encode(&w, items[i].component_id, items[i].data);
    }
    xmtp_writer_vec_close(&w, mark);
    xmtp_status status = xmtp_writer_status(&w);
    if (status == XMTP_OK) {
        status = xmtp_writer_detach(&w, dictionary, dictionary_len);
    }
    xmtp_writer_free(&w);
    return status;
}

/* ---- who may change it ---- */

xmtp_status xmtp_app_data_check_locked(const xmtp_mls_group *group,
                                       const xmtp_extensions *extensions, xmtp_error *error)
{
    xmtp_required_capabilities required;
    xmtp_bytes before = {0}, after = {0};
    XMTP_TRY(xmtp_required_capabilities_of(&group->context.extensions, &required));
    if (!xmtp_u16_list_has(required.proposals, XMTP_PROPOSAL_APP_DATA_UPDATE)) {
        return XMTP_OK;
    }
    bool was = xmtp_extensions_find(&group->context.extensions, XMTP_EXTENSION_APP_DATA_DICTIONARY,
                                    &before);
    bool is = xmtp_extensions_find(extensions, XMTP_EXTENSION_APP_DATA_DICTIONARY, &after);
    if (was != is || !xmtp_bytes_equal(before, after)) {
        return xmtp_fail(error, XMTP_E_APP_DATA_LOCKED,
                         "GroupContextExtensions changes app_data_dictionary");
    }
    return XMTP_OK;
}

/* ---- updates ---- */

typedef struct listed_update {
    uint16_t component_id;
    bool removes;
    size_t at; /* in the commit */
    xmtp_bytes update;
} listed_update;

typedef struct updating {
    const xmtp_mls_config *config;
    const listed_update *items; /* of one component */
    size_t count;
    xmtp_bytes *views; /* room for count */
    xmtp_writer *out;
    xmtp_error *error;
} updating;

static int by_component(const void *a, const void *b)
{
    const listed_update *x = a;
    const listed_update *y = b;
    if (x->component_id != y->component_id) {
        return x->component_id < y->component_id ? -1 : 1;
    }
    return x->at < y->at ? -1 : 1;
}

/* A removal stands alone, of updates there may be several. */
static xmtp_status check_together(const updating *u)
{
    for (size_t i = 0; u->count > 1 && i < u->count; i++) {
        if (u->items[i].removes) {
            return xmtp_fail(u->error, XMTP_E_PROPOSAL_LIST,
                             "commit removes the data of component %u and changes it again",
                             (unsigned)u->items[i].component_id);
        }
    }
    return XMTP_OK;
}

/* before: NULL where the component has no data. */
static xmtp_status update_one(const updating *u, const xmtp_bytes *before)
{
    const uint16_t id = u->items[0].component_id;
    const bool removes = u->items[0].removes;
    xmtp_bytes after = {0};
    XMTP_TRY(check_together(u));
    if (removes && before == NULL) {
        return xmtp_fail(u->error, XMTP_E_APP_DATA, "component %u has no data to remove",
                         (unsigned)id);
    }
    for (size_t i = 0; i < u->count; i++) {
        u->views[i] = u->items[i].update;
    }
    if (u->config->update_app_data == NULL ||
        u->config->update_app_data(u->config->app_data_context, id, before, u->views,
                                   removes ? 0 : u->count, &after) != XMTP_OK) {
        return xmtp_fail(u->error, XMTP_E_APP_DATA, "the application refuses data of component %u",
                         (unsigned)id);
    }
    if (!removes) {
        component_encode(u->out, id, after);
    }
    return XMTP_OK;
}

/* How many entries from the first on are of the same component. */
static size_t run_of(const listed_update *items, size_t count)
{
    size_t n = 1;
    while (n < count && items[n].component_id == items[0].component_id) {
        n++;
    }
    return n;
}

static xmtp_status merge(updating *u, xmtp_bytes dictionary, const listed_update *items,
                         size_t count)
{
    xmtp_mls_app_data old = {0};
    xmtp_reader r = {0};
    bool has_old = dictionary.n > 0 && open_dictionary(dictionary, &r) == XMTP_OK && r.n > 0 &&
                   component_decode(&r, &old) == XMTP_OK;
    size_t mark = xmtp_writer_vec_open(u->out);
    while (has_old || count > 0) {
        const bool is_old = has_old && (count == 0 || old.component_id <= items[0].component_id);
        const bool is_new = count > 0 && (!is_old || old.component_id == items[0].component_id);
        if (is_new) {
            u->items = items;
            u->count = run_of(items, count);
            XMTP_TRY(update_one(u, is_old ? &old.data : NULL));
            items += u->count;
            count -= u->count;
        } else {
            component_encode(u->out, old.component_id, old.data);
        }
        if (is_old) {
            has_old = r.n > 0 && component_decode(&r, &old) == XMTP_OK;
        }
    }
    xmtp_writer_vec_close(u->out, mark);
    return xmtp_writer_status(u->out);
}

static xmtp_status list_updates(const xmtp_applied *applied, xmtp_arena *arena,
                                listed_update **items, size_t *count)
{
    *count = 0;
    XMTP_TRY(xmtp_arena_take_array(arena, applied->count, sizeof **items, (void **)items));
    for (size_t i = 0; i < applied->count; i++) {
        const xmtp_proposal *p = &applied->proposals[i].proposal;
        if (p->type == XMTP_PROPOSAL_APP_DATA_UPDATE) {
            (*items)[(*count)++] = (listed_update){
                .component_id = p->u.app_data_update.component_id,
                .removes = p->u.app_data_update.operation == XMTP_APP_DATA_REMOVE,
                .at = i,
                .update = p->u.app_data_update.update,
            };
        }
    }
    qsort(*items, *count, sizeof **items, by_component);
    return XMTP_OK;
}

/* The list with another dictionary in its place, or at the end where there was none. */
static void replace_dictionary(const xmtp_extensions *extensions, xmtp_bytes dictionary,
                               xmtp_writer *w)
{
    xmtp_reader r = xmtp_reader_of(extensions->raw);
    xmtp_extension extension;
    bool is_there = false;
    while (xmtp_extensions_next(&r, &extension)) {
        bool is_it = extension.type == XMTP_EXTENSION_APP_DATA_DICTIONARY;
        is_there |= is_it;
        xmtp_extension_encode(w, extension.type, is_it ? dictionary : extension.data);
    }
    if (!is_there) {
        xmtp_extension_encode(w, XMTP_EXTENSION_APP_DATA_DICTIONARY, dictionary);
    }
}

static xmtp_status apply(updating *u, const xmtp_applied *applied, xmtp_arena *arena,
                         xmtp_writer *list, xmtp_extensions *extensions)
{
    listed_update *items;
    size_t count;
    xmtp_bytes dictionary = {0}, raw;
    (void)xmtp_extensions_find(extensions, XMTP_EXTENSION_APP_DATA_DICTIONARY, &dictionary);
    if (dictionary.n > 0 && !is_well_formed(dictionary)) {
        return xmtp_fail(u->error, XMTP_E_APP_DATA, "app_data_dictionary cannot be read");
    }
    XMTP_TRY(list_updates(applied, arena, &items, &count));
    XMTP_TRY(xmtp_arena_take_array(arena, count, sizeof *u->views, (void **)&u->views));
    XMTP_TRY(merge(u, dictionary, items, count));
    replace_dictionary(extensions, xmtp_writer_bytes(u->out), list);
    XMTP_TRY(xmtp_writer_status(list));
    XMTP_TRY(xmtp_arena_copy(arena, xmtp_writer_bytes(list), &raw));
    return xmtp_extensions_of(raw, extensions);
}

xmtp_status xmtp_app_data_apply(const xmtp_mls_group *group, const xmtp_applied *applied,
                                xmtp_arena *arena, xmtp_extensions *extensions, xmtp_error *error)
{
    xmtp_writer dictionary, list;
    updating u = {.config = &group->config, .out = &dictionary, .error = error};
    xmtp_writer_init(&dictionary, group->alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&list, group->alloc, XMTP_WRITER_MAX);
    xmtp_status status = apply(&u, applied, arena, &list, extensions);
    xmtp_writer_free(&dictionary);
    xmtp_writer_free(&list);
    return status;
}
