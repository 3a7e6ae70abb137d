/* group_create.c - new conversations.
 *
 *     local group of one, epoch 0, stage CREATING  -->  commit that adds the members  -->  read
 * back
 *        -->  READY, welcomes
 *
 * Until the first commit is read back nobody has heard of the group, so a failure before that takes
 * it away again: all or nothing.
 */
#include "client/group_create.h"

#include "client/commit_log.h"
#include "client/device_sync.h"
#include "identity/association.h"
#include "proto/field.h"

enum { GROUP_ID_LEN = 16, SIGNER_SEED_LEN = 32 };

/* ---- people */

static xmtp_status add_person(xmtp_client *client, const char *peer, xmtp_arena *arena,
                              xmtp_string_list *list, xmtp_error *error)
{
    char inbox_id[XMTP_INBOX_ID_LEN + 1];
    char *copy;
    if (peer == NULL) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "a member is NULL");
    }
    XMTP_TRY(xmtp_resolve(client, peer, inbox_id, error));
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], inbox_id) == 0) {
            return XMTP_OK;
        }
    }
    XMTP_TRY(xmtp_arena_string(arena, xmtp_bytes_of(inbox_id, XMTP_INBOX_ID_LEN), &copy));
    list->items[list->count++] = copy;
    return XMTP_OK;
}

xmtp_status xmtp_resolve_all(xmtp_client *client, const char *const *members, size_t count,
                             xmtp_arena *arena, xmtp_string_list *out, xmtp_error *error)
{
    void *items;
    if (count > XMTP_GROUP_MEMBERS_MAX) {
        return xmtp_fail(error, XMTP_E_LIMIT, "%zu members, at most %d", count,
                         XMTP_GROUP_MEMBERS_MAX);
    }
    XMTP_TRY(xmtp_arena_take_array(arena, count, sizeof(char *), &items));
    *out = (xmtp_string_list){.items = items};
    for (size_t i = 0; i < count; i++) {
        XMTP_TRY(add_person(client, members[i], arena, out, error));
    }
    return XMTP_OK;
}

xmtp_status xmtp_check_people(xmtp_client *client, const xmtp_string_list *people,
                              xmtp_error *error)
{
    XMTP_TRY(xmtp_identity_sync(client, people->items, people->count, error));
    for (size_t i = 0; i < people->count; i++) {
        const xmtp_association *state;
        uint64_t newest;
        XMTP_TRY(xmtp_newest_state(client, people->items[i], &state, &newest, error));
    }
    return XMTP_OK;
}

/* ---- the local group */

typedef struct new_group {
    xmtp_group_kind kind;
    const xmtp_group_options *options;
    const char *dm_peer; /* NULL: no DM */
    const char *dm_id;
    uint8_t group_id[GROUP_ID_LEN];
} new_group;

static xmtp_status make_group(xmtp_client *client, const new_group *what, xmtp_arena *arena,
                              xmtp_mls_group **out, xmtp_mls_writes *writes, xmtp_error *error)
{
    uint8_t seed[SIGNER_SEED_LEN];
    char seed_hex[2 * SIGNER_SEED_LEN + 1];
    XMTP_TRY(client->env.random(client->env.context, seed, sizeof(seed)));
    xmtp_hex_encode(seed_hex, xmtp_bytes_of(seed, sizeof(seed)));
    xmtp_mls_extension *extensions;
    size_t extension_count;
    const xmtp_group_initial initial = {
        .kind = what->kind,
        .creator_inbox = client->inbox_id,
        .dm_peer = what->dm_peer,
        .options = what->options,
        .commit_log_signer = seed_hex,
    };
    xmtp_status status =
        xmtp_group_extensions_initial(arena, &initial, &extensions, &extension_count, error);
    xmtp_wipe(seed, sizeof(seed));
    xmtp_wipe(seed_hex, sizeof(seed_hex));
    XMTP_TRY(status);
    xmtp_mls_config config = xmtp_client_mls_config(client);
    xmtp_mls_create_options options = {
        .suite = XMTP_MLS_SUITE_X25519_CHACHA,
        .group_id = xmtp_bytes_of(what->group_id, sizeof(what->group_id)),
        .signer = xmtp_client_signer(client),
        .capabilities = *xmtp_inbox_creator_capabilities(),
        .context_extensions = extensions,
        .context_extension_count = extension_count,
    };
    return xmtp_mls_group_create(out, &config, &options, writes, error);
}

xmtp_status xmtp_queue_members(xmtp_client *client, int64_t ref, const xmtp_string_list *add,
                               const xmtp_string_list *remove, int64_t *intent_id,
                               xmtp_error *error)
{
    xmtp_writer w;
    xmtp_writer_init(&w, &client->env.alloc, XMTP_WRITER_MAX);
    xmtp_status status =
        xmtp_membership_data(&w, add->items, add->count, remove->items, remove->count);
    xmtp_intent_row intent = {
        .group_ref = ref, .kind = XMTP_INTENT_MEMBERSHIP, .data = xmtp_writer_bytes(&w)};
    if (status == XMTP_OK) {
        status = xmtp_stored(client, xmtp_intent_insert(client->db, &intent), error);
    }
    *intent_id = intent.id;
    xmtp_writer_free(&w);
    return status;
}

static xmtp_status store_group(xmtp_client *client, const new_group *what,
                               const xmtp_mls_writes *writes, const xmtp_string_list *members,
                               int64_t *ref, int64_t *intent_id, xmtp_error *error)
{
    uint64_t now_ns = xmtp_now_ns(client);
    static const xmtp_string_list nobody;
    xmtp_group_row row = {
        .group_id = xmtp_bytes_of(what->group_id, sizeof(what->group_id)),
        .kind = what->kind,
        .stage = what->options->is_optimistic ? XMTP_GROUP_READY : XMTP_GROUP_CREATING,
        .created_ns = now_ns,
        .name = what->options->name,
        .peer_inbox = what->dm_peer,
        .dm_id = what->dm_id,
        .added_by = client->inbox_id,
        .member_count = 1,
        .is_active = true,
        .state = XMTP_MEMBERSHIP_ALLOWED,
        .checked_ns = now_ns,
        .rotated_ns = now_ns,
    };
    XMTP_TRY(xmtp_stored(client, xmtp_group_row_insert(client->db, &row), error));
    *ref = row.ref;
    XMTP_TRY(xmtp_consent_decide(client, &row, XMTP_CONSENT_ALLOWED, error));
    XMTP_TRY(xmtp_writes_store(client, row.ref, writes, error));
    return xmtp_queue_members(client, row.ref, members, &nobody, intent_id, error);
}

static xmtp_status make_local(xmtp_client *client, const new_group *what,
                              const xmtp_string_list *members, int64_t *ref, int64_t *intent_id,
                              xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_mls_writes *writes;
    xmtp_mls_group *group = NULL;
    XMTP_TRY(xmtp_mls_writes_new(&writes, &client->env));
    xmtp_scratch(client, &arena);
    xmtp_status status = make_group(client, what, &arena, &group, writes, error);
    if (status == XMTP_OK) {
        status = xmtp_begin(client, error);
    }
    if (status == XMTP_OK) {
        status = store_group(client, what, writes, members, ref, intent_id, error);
    }
    if (status == XMTP_OK) {
        status = xmtp_commit_log_note(client, *ref, group, 0, XMTP_COMMIT_APPLIED, (xmtp_bytes){0},
                                      "creation", error);
    }
    if (status == XMTP_OK) {
        status = xmtp_commit(client, error);
    }
    if (status == XMTP_OK) {
        xmtp_cache_keep(client, *ref, group);
    } else {
        xmtp_database_rollback(client->db);
        xmtp_mls_group_free(group);
    }
    xmtp_mls_writes_free(writes);
    xmtp_arena_reset(&arena);
    return status == XMTP_OK ? XMTP_OK : xmtp_fail_default(error, status, "new conversation");
}

/* A group that nobody has heard of is taken away. */
static void undo(group_work *work)
{
    xmtp_error ignored;
    if (xmtp_work_reload(work, &ignored) == XMTP_OK && work->row.stage == XMTP_GROUP_CREATING) {
        xmtp_work_forget_staged(work);
        xmtp_cache_forget(work->client, work->row.ref);
        work->group = NULL;
        (void)xmtp_group_row_delete(work->client->db, work->row.ref);
    }
}

static xmtp_status publish_first(xmtp_client *client, int64_t ref, int64_t intent_id,
                                 xmtp_error *error)
{
    group_work work;
    xmtp_status status = xmtp_work_start(&work, client, ref, error);
    if (status == XMTP_OK) {
        work.awaited = intent_id;
        status = xmtp_work_rounds(&work, true, error);
        status = xmtp_work_result(&work, status, error);
    }
    if (status != XMTP_OK) {
        undo(&work);
    }
    xmtp_work_end(&work);
    return status;
}

/* The group being made, while its members' key packages are on their way. */
typedef struct making {
    xmtp_client *client;
    const new_group *what;
    const xmtp_string_list *members;
    int64_t ref;
    int64_t intent_id;
    bool has_run;
    xmtp_status status;
    xmtp_error *error;
} making;

static void make_meanwhile(void *context)
{
    making *m = context;
    m->has_run = true;
    m->status = make_local(m->client, m->what, m->members, &m->ref, &m->intent_id, m->error);
}

/* The creator's log, too, which the first commit is built from: one way to the node for all of them. */
static xmtp_status check_and_make(making *m, const xmtp_string_list *all)
{
    const xmtp_meanwhile making_it = {.run = make_meanwhile, .context = m};
    if (m->what->options->is_optimistic) {
        XMTP_TRY(xmtp_check_people(m->client, all, m->error));
    } else {
        XMTP_TRY(xmtp_identity_sync(m->client, all->items, all->count, m->error));
        XMTP_TRY(xmtp_key_packages_ahead(m->client, all, &making_it, m->error));
    }
    if (!m->has_run) {
        make_meanwhile(m);
    }
    return m->status;
}

static xmtp_status make(making *m)
{
    xmtp_arena arena;
    void *items;
    const size_t count = m->members->count;
    xmtp_scratch(m->client, &arena);
    xmtp_status status = xmtp_arena_take_array(&arena, count + 1, sizeof(char *), &items);
    if (status == XMTP_OK) {
        xmtp_string_list all = {.items = items, .count = count + 1};
        xmtp_copy(all.items, m->members->items, count * sizeof(char *));
        all.items[count] = m->client->inbox_id;
        status = check_and_make(m, &all);
    }
    xmtp_arena_reset(&arena);
    return status;
}

static xmtp_status make_and_publish(xmtp_client *client, new_group *what,
                                    const xmtp_string_list *members, xmtp_conversation_id *out,
                                    xmtp_error *error)
{
    making m = {.client = client, .what = what, .members = members, .error = error};
    XMTP_TRY(client->env.random(client->env.context, what->group_id, sizeof(what->group_id)));
    XMTP_TRY(make(&m));
    client->stream.is_stale = true;
    *out = (xmtp_conversation_id){.n = sizeof(what->group_id)};
    memcpy(out->p, what->group_id, sizeof(what->group_id));
    if (what->options->is_optimistic) {
        return XMTP_OK;
    }
    xmtp_status status = publish_first(client, m.ref, m.intent_id, error);
    if (status != XMTP_OK) {
        xmtp_arena arena;
        xmtp_group_row row;
        xmtp_scratch(client, &arena);
        bool is_gone = xmtp_group_row_read(client->db, m.ref, &arena, &row) != XMTP_OK;
        xmtp_arena_reset(&arena);
        *out = is_gone ? (xmtp_conversation_id){0} : *out;
    }
    xmtp_states_trim(client, XMTP_STATE_CACHE_MAX);
    return status;
}

/* The logs by which people are judged are those that the commit is built from. */
static xmtp_status create(xmtp_client *client, new_group *what, const xmtp_string_list *members,
                          xmtp_conversation_id *out, xmtp_error *error)
{
    bool is_alone = client->recent_logs == NULL; /* not inside of a sync */
    if (is_alone) {
        xmtp_recent_logs_begin(client);
    }
    xmtp_status status = make_and_publish(client, what, members, out, error);
    xmtp_key_packages_forget(client);
    if (is_alone) {
        xmtp_recent_logs_end(client);
    }
    return status;
}

xmtp_status xmtp_sync_group_create(xmtp_client *client, xmtp_error *error)
{
    static const xmtp_group_options nothing;
    static const xmtp_string_list nobody; /* the first commit adds our other installations */
    xmtp_conversation_id id;
    new_group what = {.kind = XMTP_GROUP_KIND_SYNC, .options = &nothing};
    return create(client, &what, &nobody, &id, error);
}

/* ---- public */

void xmtp_dm_id(const char *one, const char *two, char out[XMTP_DM_ID_LEN + 1])
{
    bool is_ordered = strcmp(one, two) < 0;
    (void)snprintf(out, XMTP_DM_ID_LEN + 1, "dm:%s:%s", is_ordered ? one : two,
                   is_ordered ? two : one);
}

/* Restored ones can be read only, and stand last (groups.md 2.8). */
static xmtp_status find_dm(xmtp_client *client, const char *dm_id, bool with_restored,
                           xmtp_conversation_id *out)
{
    xmtp_arena arena;
    xmtp_group_row row;
    xmtp_scratch(client, &arena);
    xmtp_status status = xmtp_group_row_find_dm(client->db, dm_id, &arena, &row);
    if (status == XMTP_OK && row.state == XMTP_MEMBERSHIP_RESTORED && !with_restored) {
        status = XMTP_E_NOT_FOUND;
    }
    if (status == XMTP_OK) {
        *out = (xmtp_conversation_id){.n = row.group_id.n};
        status = row.group_id.n <= sizeof(out->p) ? XMTP_OK : XMTP_E_CORRUPT;
    }
    if (status == XMTP_OK) {
        xmtp_copy(out->p, row.group_id.p, row.group_id.n);
    }
    xmtp_arena_reset(&arena);
    return status;
}

static xmtp_status dm_id_of(xmtp_client *client, const char *peer,
                            char inbox_id[XMTP_INBOX_ID_LEN + 1], char dm_id[XMTP_DM_ID_LEN + 1],
                            xmtp_error *error)
{
    XMTP_TRY(xmtp_resolve(client, peer, inbox_id, error));
    if (strcmp(inbox_id, client->inbox_id) == 0) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "a DM needs somebody else");
    }
    xmtp_dm_id(client->inbox_id, inbox_id, dm_id);
    return XMTP_OK;
}

xmtp_status xmtp_client_dm_find(xmtp_client *client, const char *peer, xmtp_conversation_id *out,
                                xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    char inbox_id[XMTP_INBOX_ID_LEN + 1];
    char dm_id[XMTP_DM_ID_LEN + 1];
    *out = (xmtp_conversation_id){0};
    XMTP_TRY(dm_id_of(client, peer, inbox_id, dm_id, error));
    xmtp_status status = find_dm(client, dm_id, true, out);
    return status == XMTP_E_NOT_FOUND ? xmtp_fail(error, status, "no DM with %s", inbox_id)
                                      : xmtp_stored(client, status, error);
}

static xmtp_status check_text(const char *what, const char *text, size_t max, xmtp_error *error)
{
    size_t n = text == NULL ? 0 : strlen(text);
    if (n > max) {
        return xmtp_fail(error, XMTP_E_LIMIT, "%s of %zu bytes, at most %zu", what, n, max);
    }
    if (n > 0 && !xmtp_utf8_is_valid(xmtp_bytes_of(text, n))) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "%s is not UTF-8", what);
    }
    return XMTP_OK;
}

static const struct {
    const char *what;
    size_t max;
} text_limits[] = {
    [XMTP_FIELD_NAME] = {"name", XMTP_GROUP_NAME_MAX},
    [XMTP_FIELD_DESCRIPTION] = {"description", XMTP_GROUP_DESCRIPTION_MAX},
    [XMTP_FIELD_IMAGE_URL] = {"image URL", XMTP_GROUP_IMAGE_URL_MAX},
    [XMTP_FIELD_APP_DATA] = {"app data", XMTP_GROUP_APP_DATA_MAX},
};

xmtp_status xmtp_check_field(xmtp_group_field field, const char *text, xmtp_error *error)
{
    return check_text(text_limits[field].what, text, text_limits[field].max, error);
}

xmtp_status xmtp_check_disappearing(uint64_t from_ns, uint64_t in_ns, xmtp_error *error)
{
    bool is_off = from_ns == 0 && in_ns == 0;
    bool is_on = from_ns > 0 && in_ns > 0 && from_ns <= INT64_MAX && in_ns <= INT64_MAX;
    return is_off || is_on ? XMTP_OK
                           : xmtp_fail(error, XMTP_E_ARGUMENT,
                                       "messages disappear from %" PRIu64 " ns, in %" PRIu64
                                       " ns: both from 1 to 2^63 - 1, or both 0",
                                       from_ns, in_ns);
}

static xmtp_status check_dm_options(const xmtp_group_options *options, xmtp_error *error)
{
    bool is_group_only = options->name != NULL || options->description != NULL ||
                         options->image_url != NULL || options->app_data != NULL ||
                         options->policies != NULL || options->preset != XMTP_POLICIES_DEFAULT;
    if (is_group_only) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "a DM has no name and no policies of its own");
    }
    return xmtp_check_disappearing(options->disappear_from_ns, options->disappear_in_ns, error);
}

xmtp_status xmtp_client_dm_with(xmtp_client *client, const char *peer,
                                const xmtp_group_options *options, xmtp_conversation_id *out,
                                xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
    char inbox_id[XMTP_INBOX_ID_LEN + 1];
    char dm_id[XMTP_DM_ID_LEN + 1];
    *out = (xmtp_conversation_id){0};
    XMTP_TRY(check_dm_options(options, error));
    XMTP_TRY(dm_id_of(client, peer, inbox_id, dm_id, error));
    xmtp_status status = find_dm(client, dm_id, false, out);
    if (status == XMTP_E_NOT_FOUND && !options->is_optimistic) {
        /* Perhaps the other one has made it already. */
        XMTP_TRY(xmtp_sync_welcomes(client, error));
        status = find_dm(client, dm_id, false, out);
    }
    if (status != XMTP_E_NOT_FOUND) {
        return xmtp_stored(client, status, error);
    }
    const char *people[] = {inbox_id};
    xmtp_string_list members = {.items = people, .count = 1};
    new_group what = {
        .kind = XMTP_GROUP_KIND_DM, .options = options, .dm_peer = inbox_id, .dm_id = dm_id};
    return create(client, &what, &members, out, error);
}

xmtp_status xmtp_client_dm(xmtp_client *client, const char *peer, xmtp_conversation_id *out,
                           xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
    static const xmtp_group_options nothing;
    return xmtp_client_dm_with(client, peer, &nothing, out, error);
}

static xmtp_status check_group_options(const xmtp_group_options *options, xmtp_error *error)
{
    XMTP_TRY(xmtp_check_field(XMTP_FIELD_NAME, options->name, error));
    XMTP_TRY(xmtp_check_field(XMTP_FIELD_DESCRIPTION, options->description, error));
    XMTP_TRY(xmtp_check_field(XMTP_FIELD_IMAGE_URL, options->image_url, error));
    XMTP_TRY(xmtp_check_field(XMTP_FIELD_APP_DATA, options->app_data, error));
    return xmtp_check_disappearing(options->disappear_from_ns, options->disappear_in_ns, error);
}

xmtp_status xmtp_client_group_create_with(xmtp_client *client, const xmtp_group_options *options,
                                          const char *const *members, size_t member_count,
                                          xmtp_conversation_id *out, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
    xmtp_arena arena;
    xmtp_string_list people;
    *out = (xmtp_conversation_id){0};
    XMTP_TRY(check_group_options(options, error));
    xmtp_scratch(client, &arena);
    xmtp_status status = xmtp_resolve_all(client, members, member_count, &arena, &people, error);
    if (status == XMTP_OK) {
        new_group what = {.kind = XMTP_GROUP_KIND_GROUP, .options = options};
        status = create(client, &what, &people, out, error);
    }
    xmtp_arena_reset(&arena);
    return status;
}

xmtp_status xmtp_client_group_create(xmtp_client *client, const char *name,
                                     const char *const *members, size_t member_count,
                                     xmtp_conversation_id *out, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION | XMTP_NEEDS_PUBLISHING, error));
    const xmtp_group_options options = {.name = name};
    return xmtp_client_group_create_with(client, &options, members, member_count, out, error);
}
