/* membership.c - commits that change who is in a group, in terms of installations
 * (groups.md 3.1, 3.4).
 *
 *     recorded { inbox: sequence id }  +  what their logs say now  +  inboxes to add, to remove
 *        -->  new record  -->  installations that appear and disappear  -->  Add, Remove, one
 *             GroupContextExtensions with the complete list
 *
 * A new device of a member, a revoked one and a new member are one operation. Everything is
 * computed when the commit is built, from the group as it is then, so that a commit that lost its
 * race is simply built again. An installation without a usable key package goes to
 * failed_installations and stays there.
 */
#include "client/device_sync.h"
#include "client/post_commit.h"
#include "client/round.h"
#include "client/sealed_pointers.h"
#include "identity/association.h"
#include "proto/mls_api.pb-c.h"

/* ---- the intent's data: vector<V> of inboxes to add, vector<V> of inboxes to remove */

static void write_inboxes(xmtp_writer *w, const char *const *inboxes, size_t count)
{
    size_t mark = xmtp_writer_vec_open(w);
    for (size_t i = 0; i < count; i++) {
        xmtp_writer_put(w, xmtp_bytes_of(inboxes[i], XMTP_INBOX_ID_LEN));
    }
    xmtp_writer_vec_close(w, mark);
}

xmtp_status xmtp_membership_data(xmtp_writer *w, const char *const *add, size_t add_count,
                                 const char *const *remove, size_t remove_count)
{
    write_inboxes(w, add, add_count);
    write_inboxes(w, remove, remove_count);
    return xmtp_writer_status(w);
}

static xmtp_status read_inboxes(xmtp_reader *r, xmtp_arena *arena, xmtp_string_list *out)
{
    xmtp_bytes block;
    void *items;
    XMTP_TRY(xmtp_reader_vec(r, &block));
    XMTP_ENSURE(block.n % XMTP_INBOX_ID_LEN == 0, XMTP_E_CORRUPT);
    size_t count = block.n / XMTP_INBOX_ID_LEN;
    XMTP_TRY(xmtp_arena_take_array(arena, count, sizeof(char *), &items));
    out->items = items;
    for (out->count = 0; out->count < count; out->count++) {
        char *text;
        const uint8_t *p = block.p + out->count * XMTP_INBOX_ID_LEN;
        XMTP_TRY(xmtp_arena_string(arena, xmtp_bytes_of(p, XMTP_INBOX_ID_LEN), &text));
        out->items[out->count] = text;
    }
    return XMTP_OK;
}

static bool contains(const xmtp_string_list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], text) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- building */

typedef struct building {
    group_work *work;
    xmtp_arena arena;
    xmtp_string_list add;
    xmtp_string_list remove;
    Pb__GroupMembership *before;
    Pb__GroupMembership *after;
    size_t changed_count; /* inboxes added, removed, or with a higher sequence id */
    size_t new_inbox_count;
    xmtp_installation_diff diff;
    struct changed_inbox *changed;
    size_t changed_inbox_count;
    /* result */
    xmtp_mls_verified_key_package **key_packages;
    size_t key_package_count;
    uint32_t *removed_leaves;
    size_t removed_leaf_count;
    const xmtp_inbox_key_package **invited; /* of key_packages */
} building;

xmtp_status xmtp_member_inboxes(xmtp_arena *arena, const xmtp_mls_group *group,
                                const char ***inboxes, size_t *count)
{
    xmtp_bytes data;
    Pb__GroupMembership *membership;
    void *items;
    XMTP_ENSURE(xmtp_mls_group_extension(group, XMTP_EXTENSION_MEMBERSHIP, &data),
                XMTP_E_MEMBERSHIP);
    XMTP_TRY(xmtp_membership_decode(arena, data, &membership));
    XMTP_TRY(xmtp_arena_take_array(arena, membership->n_members, sizeof(char *), &items));
    *inboxes = items;
    *count = membership->n_members;
    for (size_t i = 0; i < membership->n_members; i++) {
        const char *key = membership->members[i]->key;
        (*inboxes)[i] = key == NULL ? "" : key;
    }
    return XMTP_OK;
}

static xmtp_status read_intent(building *b, const xmtp_intent_row *intent)
{
    xmtp_reader r = xmtp_reader_of(intent->data);
    xmtp_bytes data;
    XMTP_TRY(read_inboxes(&r, &b->arena, &b->add));
    XMTP_TRY(read_inboxes(&r, &b->arena, &b->remove));
    XMTP_ENSURE(xmtp_mls_group_extension(b->work->group, XMTP_EXTENSION_MEMBERSHIP, &data),
                XMTP_E_MEMBERSHIP);
    XMTP_TRY(xmtp_membership_decode(&b->arena, data, &b->before));
    return xmtp_membership_decode(&b->arena, data, &b->after);
}

static xmtp_status sync_logs(building *b, xmtp_error *error)
{
    size_t member_count;
    const char **members;
    void *all;
    XMTP_TRY(xmtp_member_inboxes(&b->arena, b->work->group, &members, &member_count));
    XMTP_TRY(xmtp_arena_take_array(&b->arena, member_count + b->add.count, sizeof(char *), &all));
    xmtp_copy(all, members, member_count * sizeof(char *));
    xmtp_copy((const char **)all + member_count, b->add.items, b->add.count * sizeof(char *));
    uint64_t asked_ns;
    return xmtp_identity_sync_recent(b->work->client, all, member_count + b->add.count, &asked_ns,
                                     error);
}

static xmtp_status raise_members(building *b, xmtp_error *error)
{
    xmtp_client *client = b->work->client;
    for (size_t i = 0; i < b->before->n_members; i++) {
        const char *inbox_id = b->before->members[i]->key;
        uint64_t newest;
        if (inbox_id == NULL || contains(&b->remove, inbox_id)) {
            continue;
        }
        XMTP_TRY(xmtp_newest_update(client, inbox_id, &newest, error));
        if (newest > b->before->members[i]->value) {
            XMTP_TRY(xmtp_membership_set(&b->arena, b->after, inbox_id, newest));
            b->changed_count++;
        }
    }
    return XMTP_OK;
}

static xmtp_status add_inboxes(building *b, xmtp_error *error)
{
    xmtp_client *client = b->work->client;
    for (size_t i = 0; i < b->add.count; i++) {
        uint64_t known;
        if (xmtp_membership_find(b->before, b->add.items[i], &known)) {
            continue; /* a member already */
        }
        const xmtp_association *state;
        XMTP_TRY(xmtp_newest_state(client, b->add.items[i], &state, &known, error));
        XMTP_TRY(xmtp_membership_set(&b->arena, b->after, b->add.items[i], known));
        b->changed_count++;
        b->new_inbox_count++;
    }
    if (b->after->n_members > XMTP_GROUP_MEMBERS_MAX && b->new_inbox_count > 0) {
        return xmtp_fail(error, XMTP_E_LIMIT, "%zu members, at most %d", b->after->n_members,
                         XMTP_GROUP_MEMBERS_MAX);
    }
    return XMTP_OK;
}

static void remove_inboxes(building *b)
{
    for (size_t i = 0; i < b->remove.count; i++) {
        uint64_t known;
        if (xmtp_membership_find(b->before, b->remove.items[i], &known)) {
            xmtp_membership_remove(b->after, b->remove.items[i]);
            b->changed_count++;
        }
    }
}

/* ---- key packages of those who are added */

static bool is_own(const building *b, xmtp_bytes installation)
{
    const uint8_t *own = b->work->client->installation.pk;
    return xmtp_bytes_equal(installation, xmtp_bytes_of(own, XMTP_INSTALLATION_LEN));
}

/* The ones to be invited: expected by the logs, not in the tree yet. In place. */
static void drop_present(building *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->diff.added_count; i++) {
        xmtp_bytes installation = b->diff.added[i];
        bool is_present = xmtp_mls_group_find(b->work->group, installation) != XMTP_MLS_NO_LEAF;
        if (!is_present && !is_own(b, installation)) {
            b->diff.added[n++] = installation;
        }
    }
    b->diff.added_count = n;
}

/* An inbox whose record changes, and what its log says of it. */
typedef struct changed_inbox {
    const char *inbox_id;
    const xmtp_association *state;
} changed_inbox;

static xmtp_status collect_changed(building *b, xmtp_error *error)
{
    void *items;
    uint64_t newest;
    xmtp_state_lookup lookup = xmtp_client_states(b->work->client);
    XMTP_TRY(xmtp_arena_take_array(&b->arena, b->after->n_members, sizeof(changed_inbox), &items));
    b->changed = items;
    for (size_t i = 0; i < b->after->n_members; i++) {
        const Pb__SequenceEntry *member = b->after->members[i];
        uint64_t before = 0;
        bool is_old = xmtp_membership_find(b->before, member->key, &before);
        if (is_old && before == member->value) {
            continue;
        }
        changed_inbox *inbox = &b->changed[b->changed_inbox_count++];
        inbox->inbox_id = member->key;
        XMTP_TRY(lookup.state_at(lookup.context, member->key, member->value, &inbox->state, &newest,
                                 error));
    }
    return XMTP_OK;
}

static xmtp_status owner_of(const building *b, xmtp_bytes installation, const char **inbox_id,
                            xmtp_error *error)
{
    for (size_t i = 0; i < b->changed_inbox_count; i++) {
        if (installation.n == XMTP_INSTALLATION_LEN &&
            xmtp_association_has_installation(b->changed[i].state, installation.p)) {
            *inbox_id = b->changed[i].inbox_id;
            return XMTP_OK;
        }
    }
    return xmtp_fail(error, XMTP_E_INTERNAL, "installation of nobody");
}

static xmtp_status fetch_key_packages(building *b, Pb__FetchKeyPackagesResponse **out,
                                      xmtp_error *error)
{
    Pb__FetchKeyPackagesRequest request;
    void *answer;
    XMTP_TRY(xmtp_key_packages_request(&b->arena, b->diff.added, b->diff.added_count, &request));
    if (!xmtp_key_packages_take(b->work->client, &request, &b->arena, &answer)) {
        XMTP_TRY(xmtp_call(b->work->client, XMTP_MLS_API("FetchKeyPackages"), &request.base,
                           &pb__fetch_key_packages_response__descriptor, &b->arena, &answer,
                           error));
    }
    *out = answer;
    if ((*out)->n_key_packages != b->diff.added_count) {
        return xmtp_fail(error, XMTP_E_PROTOCOL, "asked for %zu key packages, got %zu",
                         b->diff.added_count, (*out)->n_key_packages);
    }
    return XMTP_OK;
}

/* Judges them together. Those without an answer stay empty and are refused. */
static xmtp_status judge_key_packages(building *b, const Pb__FetchKeyPackagesResponse *fetched,
                                      xmtp_inbox_key_package_candidate *candidates,
                                      xmtp_error *error)
{
    xmtp_client *client = b->work->client;
    for (size_t i = 0; i < b->diff.added_count; i++) {
        const char *inbox_id = NULL;
        xmtp_bytes installation = b->diff.added[i];
        XMTP_TRY(owner_of(b, installation, &inbox_id, error));
        candidates[i] = (xmtp_inbox_key_package_candidate){
            .key_package = xmtp_proto_bytes(fetched->key_packages[i]->key_package_tls_serialized),
            .expected = {.installation = installation, .inbox_id = xmtp_bytes_of_string(inbox_id)}};
    }
    xmtp_status status = xmtp_inbox_key_packages_admit(
        &client->env, candidates, b->diff.added_count, xmtp_now_ns(client) / XMTP_SECOND_NS);
    return status == XMTP_OK ? XMTP_OK
                             : xmtp_fail(error, status, "no memory to judge %zu key packages",
                                         b->diff.added_count);
}

/* Each to where it belongs: all that were admitted first, so that none is left over by a failure. */
static xmtp_status sort_key_packages(building *b,
                                     const xmtp_inbox_key_package_candidate *candidates,
                                     xmtp_error *error)
{
    for (size_t i = 0; i < b->diff.added_count; i++) {
        if (candidates[i].status == XMTP_OK) {
            b->invited[b->key_package_count] = &candidates[i].what;
            b->key_packages[b->key_package_count++] = candidates[i].verified;
        }
    }
    for (size_t i = 0; i < b->diff.added_count; i++) {
        xmtp_status status = candidates[i].status;
        if (xmtp_is_our_trouble(status)) {
            return xmtp_fail(error, status, "judging a key package: %s", xmtp_status_text(status));
        }
        if (status != XMTP_OK) {
            XMTP_TRY(xmtp_membership_add_failed(&b->arena, b->after, b->diff.added[i]));
        }
    }
    return XMTP_OK;
}

static xmtp_status collect_key_packages(building *b, xmtp_error *error)
{
    drop_present(b);
    if (b->diff.added_count == 0) {
        return XMTP_OK;
    }
    Pb__FetchKeyPackagesResponse *fetched;
    void *items;
    void *candidates;
    size_t count = b->diff.added_count;
    XMTP_TRY(collect_changed(b, error));
    XMTP_TRY(fetch_key_packages(b, &fetched, error));
    XMTP_TRY(xmtp_arena_take_array(&b->arena, count, sizeof(*b->key_packages), &items));
    b->key_packages = items;
    XMTP_TRY(xmtp_arena_take_array(&b->arena, count, sizeof(*b->invited), &items));
    b->invited = items;
    XMTP_TRY(xmtp_arena_take_array(&b->arena, count, sizeof(xmtp_inbox_key_package_candidate),
                                   &candidates));
    XMTP_TRY(judge_key_packages(b, fetched, candidates, error));
    XMTP_TRY(sort_key_packages(b, candidates, error));
    if (xmtp_work_is_attempt(b->work)) {
        b->work->made.pointers =
            xmtp_sealed_pointers_begin(b->work->client, b->invited, b->key_package_count);
    }
    if (b->key_package_count == 0 && b->new_inbox_count > 0) {
        return xmtp_fail(error, XMTP_E_KEY_PACKAGE,
                         "none of the %zu installations to be added has a usable key package",
                         b->diff.added_count);
    }
    return XMTP_OK;
}

/* ---- leaves that go. *removes_us: the commit cannot be ours. */
static xmtp_status collect_removed(building *b, bool *removes_us)
{
    void *items;
    *removes_us = false;
    XMTP_TRY(xmtp_arena_take_array(&b->arena, b->diff.removed_count, sizeof(uint32_t), &items));
    b->removed_leaves = items;
    for (size_t i = 0; i < b->diff.removed_count; i++) {
        int64_t leaf = xmtp_mls_group_find(b->work->group, b->diff.removed[i]);
        if (leaf == XMTP_MLS_NO_LEAF || xmtp_membership_has_failed(b->after, b->diff.removed[i])) {
            continue;
        }
        *removes_us = *removes_us || (uint32_t)leaf == xmtp_mls_group_own_leaf(b->work->group);
        b->removed_leaves[b->removed_leaf_count++] = (uint32_t)leaf;
    }
    return XMTP_OK;
}

static xmtp_status make_commit(building *b, commit_plan *plan, xmtp_error *error)
{
    xmtp_writer w;
    xmtp_mls_extension *extensions;
    size_t extension_count;
    xmtp_writer_init(&w, &b->work->client->env.alloc, XMTP_WRITER_MAX);
    xmtp_status status = xmtp_membership_encode(&w, b->after);
    if (status == XMTP_OK) {
        status =
            xmtp_group_extensions_replace(&b->arena, b->work->group, XMTP_EXTENSION_MEMBERSHIP,
                                          xmtp_writer_bytes(&w), &extensions, &extension_count);
    }
    if (status == XMTP_OK) {
        xmtp_mls_commit_options options = {
            .add_verified = (const xmtp_mls_verified_key_package *const *)b->key_packages,
            .add_verified_count = b->key_package_count,
            .remove = b->removed_leaves,
            .remove_count = b->removed_leaf_count,
            .context_extensions = extensions,
            .context_extension_count = extension_count,
            .set_context_extensions = true,
        };
        status = xmtp_mls_group_commit(b->work->group, &options, &plan->pending, error);
    }
    xmtp_writer_free(&w);
    return status;
}

/* Those who are added get a welcome once the commit is in. */
static xmtp_status note_invited(const building *b, commit_plan *plan)
{
    xmtp_key_places places = {0};
    if (b->key_package_count > 0) {
        xmtp_writer_vec(&plan->post_commit, xmtp_mls_pending_welcome(plan->pending));
    }
    for (size_t i = 0; i < b->key_package_count; i++) {
        XMTP_TRY(xmtp_post_commit_add(&plan->post_commit, b->invited[i],
                                      xmtp_mls_pending_content(plan->pending), &places));
    }
    return xmtp_writer_status(&plan->post_commit);
}

static xmtp_status build(building *b, const xmtp_intent_row *intent, commit_plan *plan,
                         xmtp_error *error)
{
    bool removes_us;
    XMTP_TRY(read_intent(b, intent));
    XMTP_TRY(sync_logs(b, error));
    XMTP_TRY(raise_members(b, error));
    XMTP_TRY(add_inboxes(b, error));
    remove_inboxes(b);
    if (b->changed_count == 0) {
        return XMTP_OK;
    }
    xmtp_state_lookup lookup = xmtp_client_states(b->work->client);
    XMTP_TRY(xmtp_membership_diff(b->before, b->after, &lookup, &b->arena, &b->diff, error));
    XMTP_TRY(collect_key_packages(b, error));
    XMTP_TRY(collect_removed(b, &removes_us));
    if (removes_us) {
        return XMTP_OK;
    }
    XMTP_TRY(make_commit(b, plan, error));
    return note_invited(b, plan);
}

xmtp_status xmtp_membership_build(group_work *work, const xmtp_intent_row *intent,
                                  commit_plan *plan, xmtp_error *error)
{
    building b = {.work = work};
    xmtp_scratch(work->client, &b.arena);
    xmtp_status status = build(&b, intent, plan, error);
    for (size_t i = 0; i < b.key_package_count; i++) {
        xmtp_mls_verified_key_package_free(b.key_packages[i]);
    }
    xmtp_arena_reset(&b.arena);
    return status == XMTP_OK ? XMTP_OK : xmtp_fail_default(error, status, "membership commit");
}

/* ---- installations of members (groups.md 3.3) */

static xmtp_status is_behind(group_work *work, xmtp_arena *arena, bool *out, xmtp_error *error)
{
    xmtp_bytes data;
    Pb__GroupMembership *membership;
    *out = false;
    XMTP_ENSURE(xmtp_mls_group_extension(work->group, XMTP_EXTENSION_MEMBERSHIP, &data),
                XMTP_E_MEMBERSHIP);
    XMTP_TRY(xmtp_membership_decode(arena, data, &membership));
    for (size_t i = 0; i < membership->n_members; i++) {
        uint64_t newest;
        const Pb__SequenceEntry *member = membership->members[i];
        const char *inbox_id = member->key == NULL ? "" : member->key;
        XMTP_TRY(xmtp_newest_update(work->client, inbox_id, &newest, error));
        *out = *out || newest > member->value;
    }
    return XMTP_OK;
}

static xmtp_status refresh(group_work *work, xmtp_arena *arena, xmtp_error *error)
{
    xmtp_client *client = work->client;
    const char **inboxes;
    size_t count;
    bool is_needed;
    XMTP_TRY(xmtp_work_group(work, error));
    XMTP_TRY(xmtp_member_inboxes(arena, work->group, &inboxes, &count));
    uint64_t asked_ns;
    XMTP_TRY(xmtp_identity_sync_recent(client, inboxes, count, &asked_ns, error));
    XMTP_TRY(is_behind(work, arena, &is_needed, error));
    XMTP_TRY(xmtp_stored(client, xmtp_group_row_set_checked(client->db, work->row.ref, asked_ns),
                         error));
    work->row.checked_ns = asked_ns;
    if (!is_needed) {
        return XMTP_OK;
    }
    if (work->row.kind == XMTP_GROUP_KIND_SYNC) {
        /* Who is found here knows of a sync group before making one, and then makes none. */
        XMTP_TRY(xmtp_sync_newcomer(client, error));
    }
    uint8_t nothing[] = {0, 0}; /* two empty vectors */
    xmtp_intent_row intent = {.group_ref = work->row.ref,
                              .kind = XMTP_INTENT_MEMBERSHIP,
                              .data = xmtp_bytes_of(nothing, sizeof(nothing))};
    XMTP_TRY(xmtp_stored(client, xmtp_intent_insert(client->db, &intent), error));
    return xmtp_work_reload(work, error);
}

xmtp_status xmtp_installations_refresh(group_work *work, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_scratch(work->client, &arena);
    xmtp_status status = refresh(work, &arena, error);
    xmtp_arena_reset(&arena);
    return status;
}
