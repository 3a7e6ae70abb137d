/* welcome.c - being invited: from a sealed welcome to a conversation (groups.md 4.6, W1 to W12).
 *
 *     sealed to a key of ours --> (pointer --> stored body) --> MLS join --> who added us, is the
 *     tree what the members' logs say, is the DM one --> one transaction { row, MLS records,
 *     transcript, cursor of welcomes, key package rotation }
 *
 * Welcomes are taken in order. One that can never be used is stepped over; one that cannot be used
 * now (node away, body of a pointer not there yet) stops the line, at most a few times: a pointer
 * to nothing must not lock everybody else out.
 */
#include "identity/welcome.h"
#include "client/commit_log.h"
#include "client/device_sync.h"
#include "client/group_create.h"
#include "client/round.h"
#include "identity/association.h"
#include "proto/paging.h"
#include "store/archive_store.h"
#include "store/consent_store.h"

enum { STUCK_ATTEMPTS_MAX = 5 };

static const uint64_t PATIENCE_NS = 3600 * XMTP_SECOND_NS;

typedef struct joining {
    xmtp_client *client;
    xmtp_arena arena;
    uint64_t sequence;
    uint64_t created_ns;
    xmtp_bytes key_package;
    xmtp_inbox_key_package_keys keys;
    xmtp_welcome_opened opened;
    xmtp_mls_group *group;
    xmtp_mls_writes *writes;
    xmtp_group_row row;
    xmtp_bytes adder_installation;
    xmtp_group_row replaced;
    bool is_replacing;  /* the row exists: replaced */
    bool is_back;       /* it exists, and we had left */
    bool is_made_by_us; /* by another device of this inbox */
} joining;

uint64_t xmtp_welcome_sequence(const Pb__WelcomeMessage *message)
{
    switch (message->version_case) {
    case PB__WELCOME_MESSAGE__VERSION_V1:
        return message->v1->id;
    case PB__WELCOME_MESSAGE__VERSION_WELCOME_POINTER:
        return message->welcome_pointer->id;
    default:
        return 0;
    }
}

/* ---- W2 to W5: opening */

static xmtp_status find_keys(joining *j, ProtobufCBinaryData public_key, xmtp_error *error)
{
    return xmtp_read_key_package(j->client, xmtp_proto_bytes(public_key), &j->arena,
                                 &j->key_package, &j->keys, error);
}

/* Nearly all welcomes of a batch are for one key package. Without memory the seed is expanded for each. */
static const xmtp_expanded_key *expanded(joining *j)
{
    xmtp_client *client = j->client;
    if (client->welcome_key != NULL &&
        !xmtp_expanded_key_is_of(client->welcome_key, j->keys.xwing_seed)) {
        xmtp_welcomes_end(client);
    }
    if (client->welcome_key == NULL &&
        xmtp_expanded_key_new(&client->welcome_key, &client->env.alloc, j->keys.xwing_seed) !=
            XMTP_OK) {
        return NULL;
    }
    return client->welcome_key;
}

void xmtp_welcomes_end(xmtp_client *client)
{
    xmtp_expanded_key_free(client->welcome_key);
    client->welcome_key = NULL;
}

/* Whether a message is sealed to an X-Wing key of ours, and what is. */
static bool is_to_xwing(const Pb__WelcomeMessage *message, xmtp_bytes *public_key,
                        xmtp_bytes *sealed)
{
    const Pb__WelcomeMessage__V1 *v1 = message->v1;
    const Pb__WelcomeMessage__WelcomePointer *pointer = message->welcome_pointer;
    switch (message->version_case) {
    case PB__WELCOME_MESSAGE__VERSION_V1:
        *public_key = xmtp_proto_bytes(v1->hpke_public_key);
        *sealed = xmtp_proto_bytes(v1->data);
        return v1->wrapper_algorithm == XMTP_WRAPPER_XWING;
    case PB__WELCOME_MESSAGE__VERSION_WELCOME_POINTER:
        *public_key = xmtp_proto_bytes(pointer->hpke_public_key);
        *sealed = xmtp_proto_bytes(pointer->welcome_pointer);
        return pointer->wrapper_algorithm == XMTP_WRAPPER_XWING;
    default:
        return false;
    }
}

static xmtp_status go_ahead(joining *j, xmtp_bytes public_key, const xmtp_bytes *sealed,
                            size_t count)
{
    xmtp_error why;
    XMTP_TRY(
        xmtp_read_key_package(j->client, public_key, &j->arena, &j->key_package, &j->keys, &why));
    XMTP_ENSURE(expanded(j) != NULL, XMTP_E_NOMEM);
    return xmtp_expanded_key_go_ahead(j->client->welcome_key, sealed, count);
}

/* For the key of the first; others, and whatever fails here, are left to the opening of each. */
void xmtp_welcomes_begin(xmtp_client *client, Pb__WelcomeMessage *const *messages, size_t count)
{
    joining j = {.client = client};
    xmtp_bytes first = {0};
    xmtp_bytes sealed[XMTP_PAGE_MAX];
    size_t n = 0;
    for (size_t i = 0; i < count && n < XMTP_PAGE_MAX; i++) {
        xmtp_bytes public_key;
        if (is_to_xwing(messages[i], &public_key, &sealed[n]) &&
            (n == 0 || xmtp_bytes_equal(public_key, first))) {
            first = public_key;
            n++;
        }
    }
    xmtp_welcomes_end(client);
    if (n > 1) {
        xmtp_scratch(client, &j.arena);
        if (go_ahead(&j, first, sealed, n) != XMTP_OK) {
            xmtp_welcomes_end(client);
        }
        xmtp_inbox_key_package_keys_wipe(&j.keys);
        xmtp_arena_reset(&j.arena);
    }
}

static xmtp_status open_whole(joining *j, const Pb__WelcomeMessage__V1 *v1, xmtp_error *error)
{
    XMTP_TRY(find_keys(j, v1->hpke_public_key, error));
    if (v1->wrapper_algorithm == XMTP_WRAPPER_SYMMETRIC) {
        return xmtp_fail(error, XMTP_E_WELCOME, "body of a pointer sent as a welcome");
    }
    bool is_xwing = v1->wrapper_algorithm == XMTP_WRAPPER_XWING;
    xmtp_unwrap_key key = {
        .algorithm = is_xwing ? XMTP_WRAPPER_XWING : XMTP_WRAPPER_CURVE25519,
        .sk = is_xwing ? j->keys.xwing_seed : j->keys.mls.init_sk,
        .expanded = is_xwing ? expanded(j) : NULL,
    };
    return xmtp_welcome_open(&j->client->env.alloc, &key, xmtp_proto_bytes(v1->data),
                             xmtp_proto_bytes(v1->welcome_metadata), &j->opened, error);
}

static xmtp_status query_body(joining *j, const xmtp_welcome_pointer *pointer,
                              const Pb__WelcomeMessage__V1 **out, xmtp_error *error)
{
    Pb__PagingInfo paging;
    xmtp_paging_after(&paging, 0, XMTP_PAGE_MAX);
    Pb__QueryWelcomeMessagesRequest request = PB__QUERY_WELCOME_MESSAGES_REQUEST__INIT;
    request.has_installation_key = 1;
    request.installation_key =
        xmtp_proto_data(xmtp_bytes_of(pointer->destination, sizeof(pointer->destination)));
    request.paging_info = &paging;
    void *answer;
    XMTP_TRY(xmtp_call(j->client, XMTP_MLS_API("QueryWelcomeMessages"), &request.base,
                       &pb__query_welcome_messages_response__descriptor, &j->arena, &answer,
                       error));
    const Pb__QueryWelcomeMessagesResponse *page = answer;
    for (size_t i = 0; i < page->n_messages; i++) {
        const Pb__WelcomeMessage *message = page->messages[i];
        if (message->version_case == PB__WELCOME_MESSAGE__VERSION_V1 &&
            message->v1->wrapper_algorithm == XMTP_WRAPPER_SYMMETRIC) {
            *out = message->v1;
            return XMTP_OK;
        }
    }
    return xmtp_fail(error, XMTP_E_RETRY, "the body that a welcome points at is not there");
}

static xmtp_status open_pointer(joining *j, const Pb__WelcomeMessage__WelcomePointer *message,
                                xmtp_error *error)
{
    XMTP_TRY(find_keys(j, message->hpke_public_key, error));
    if (message->wrapper_algorithm != XMTP_WRAPPER_XWING) {
        return xmtp_fail(error, XMTP_E_UNSUPPORTED, "welcome pointer under another algorithm");
    }
    xmtp_welcome_pointer pointer;
    const Pb__WelcomeMessage__V1 *body = NULL;
    const xmtp_unwrap_key key = {
        .algorithm = XMTP_WRAPPER_XWING, .sk = j->keys.xwing_seed, .expanded = expanded(j)};
    XMTP_TRY(xmtp_welcome_pointer_open(
        &j->client->env.alloc, &key, xmtp_proto_bytes(message->welcome_pointer), &pointer, error));
    xmtp_status status = query_body(j, &pointer, &body, error);
    if (status == XMTP_OK) {
        status =
            xmtp_welcome_pointee_open(&j->client->env.alloc, &pointer, xmtp_proto_bytes(body->data),
                                      xmtp_proto_bytes(body->welcome_metadata), &j->opened, error);
    }
    xmtp_welcome_pointer_wipe(&pointer);
    return status;
}

static xmtp_status open_welcome(joining *j, const Pb__WelcomeMessage *message, xmtp_error *error)
{
    switch (message->version_case) {
    case PB__WELCOME_MESSAGE__VERSION_V1:
        j->created_ns = message->v1->created_ns;
        return open_whole(j, message->v1, error);
    case PB__WELCOME_MESSAGE__VERSION_WELCOME_POINTER:
        j->created_ns = message->welcome_pointer->created_ns;
        return open_pointer(j, message->welcome_pointer, error);
    default:
        return xmtp_fail(error, XMTP_E_WELCOME, "welcome of unknown kind");
    }
}

/* ---- W6 to W8: joining, and whether the tree is what it claims */

static xmtp_status join(joining *j, xmtp_error *error)
{
    uint32_t signer_leaf;
    xmtp_mls_member adder;
    xmtp_mls_config config = xmtp_client_mls_config(j->client);
    xmtp_mls_join_options options = {
        .welcome = xmtp_bytes_of(j->opened.welcome, j->opened.welcome_len),
        .key_package = j->key_package,
        .private_keys = &j->keys.mls,
        .signer = xmtp_client_signer(j->client),
    };
    XMTP_TRY(xmtp_mls_writes_new(&j->writes, &j->client->env));
    XMTP_TRY(xmtp_mls_group_join(&j->group, &config, &options, &signer_leaf, j->writes, error));
    if (!xmtp_mls_group_member(j->group, signer_leaf, &adder)) {
        return xmtp_fail(error, XMTP_E_WELCOME, "welcome signed by nobody");
    }
    XMTP_TRY(xmtp_member_inbox(&j->arena, &adder, &j->row.added_by));
    return xmtp_arena_copy(&j->arena, adder.signature_key, &j->adder_installation);
}

/* Keeps those whose logs do not reach as far as the group names them. Who invites us often is known. */
static xmtp_status keep_unknown(joining *j, const char **inboxes, size_t *count, xmtp_error *error)
{
    xmtp_bytes data;
    Pb__GroupMembership *membership;
    size_t n = 0;
    XMTP_ENSURE(xmtp_mls_group_extension(j->group, XMTP_EXTENSION_MEMBERSHIP, &data),
                xmtp_fail(error, XMTP_E_MEMBERSHIP, "group has no membership extension"));
    XMTP_TRY(xmtp_membership_decode(&j->arena, data, &membership));
    for (size_t i = 0; i < *count; i++) {
        uint64_t named = UINT64_MAX; /* of who is not named the check of the tree will tell */
        uint64_t known;
        (void)xmtp_membership_find(membership, inboxes[i], &named);
        XMTP_TRY(xmtp_newest_update(j->client, inboxes[i], &known, error));
        if (known < named) {
            inboxes[n++] = inboxes[i];
        }
    }
    *count = n;
    return XMTP_OK;
}

static xmtp_status check_members(joining *j, xmtp_error *error)
{
    const char **inboxes;
    size_t count;
    XMTP_TRY(xmtp_member_inboxes(&j->arena, j->group, &inboxes, &count));
    XMTP_TRY(keep_unknown(j, inboxes, &count, error));
    XMTP_TRY(xmtp_identity_sync(j->client, inboxes, count, error));
    xmtp_state_lookup lookup = xmtp_client_states(j->client);
    return xmtp_membership_check_tree(j->group, &lookup, &j->arena, error);
}

/* ---- W11: DMs */

static const char *member_of(const Pb__InboxRef *ref)
{
    return ref == NULL || ref->inbox_id == NULL ? "" : ref->inbox_id;
}

static xmtp_status check_dm_lists(joining *j, xmtp_error *error)
{
    xmtp_bytes data;
    Pb__GroupMutableMetadata *metadata;
    XMTP_ENSURE(xmtp_mls_group_extension(j->group, XMTP_EXTENSION_MUTABLE_METADATA, &data),
                XMTP_E_EXTENSION);
    XMTP_TRY(xmtp_mutable_metadata_decode(&j->arena, data, &metadata));
    bool has_admins =
        metadata->admin_list->n_inbox_ids > 0 || metadata->super_admin_list->n_inbox_ids > 0;
    return has_admins ? xmtp_fail(error, XMTP_E_WELCOME, "a DM with admins") : XMTP_OK;
}

static xmtp_status check_dm(joining *j, const Pb__GroupMetadata *metadata, xmtp_error *error)
{
    const char *self = j->client->inbox_id;
    if (metadata->dm_members == NULL) {
        return xmtp_fail(error, XMTP_E_WELCOME, "a DM without its two members");
    }
    const char *one = member_of(metadata->dm_members->dm_member_one);
    const char *two = member_of(metadata->dm_members->dm_member_two);
    bool is_one = strcmp(one, self) == 0;
    if (!is_one && strcmp(two, self) != 0) {
        return xmtp_fail(error, XMTP_E_WELCOME, "a DM of two others");
    }
    const char *peer = is_one ? two : one;
    bool is_from_self = strcmp(j->row.added_by, self) == 0;
    if (!is_from_self && strcmp(j->row.added_by, peer) != 0) {
        return xmtp_fail(error, XMTP_E_WELCOME, "added to a DM by a third person");
    }
    if (!xmtp_inbox_id_is_valid(xmtp_bytes_of_string(peer))) {
        return xmtp_fail(error, XMTP_E_WELCOME, "a DM with nobody");
    }
    void *dm_id;
    XMTP_TRY(xmtp_arena_take(&j->arena, XMTP_DM_ID_LEN + 1, &dm_id));
    xmtp_dm_id(self, peer, dm_id);
    j->row.dm_id = dm_id;
    j->row.peer_inbox = peer;
    return check_dm_lists(j, error);
}

/* What the context says about the conversation. *is_wanted false: a kind that we do not keep. */
static xmtp_status read_context(joining *j, bool *is_wanted, xmtp_error *error)
{
    xmtp_bytes data;
    Pb__GroupMetadata *metadata;
    const char *minimum;
    XMTP_ENSURE(xmtp_mls_group_extension(j->group, XMTP_EXTENSION_IMMUTABLE_METADATA, &data),
                XMTP_E_EXTENSION);
    XMTP_TRY(xmtp_group_metadata_decode(&j->arena, data, &metadata));
    j->row.kind = (uint32_t)metadata->conversation_type;
    j->is_made_by_us = metadata->creator_inbox_id != NULL &&
                       strcmp(metadata->creator_inbox_id, j->client->inbox_id) == 0;
    bool is_sync = j->row.kind == XMTP_GROUP_KIND_SYNC;
    *is_wanted = j->row.kind == XMTP_GROUP_KIND_GROUP || j->row.kind == XMTP_GROUP_KIND_DM ||
                 (is_sync && j->client->device_sync.is_on);
    if (!*is_wanted) {
        return XMTP_OK;
    }
    if (is_sync && (!j->is_made_by_us || strcmp(j->row.added_by, j->client->inbox_id) != 0)) {
        return xmtp_fail(error, XMTP_E_WELCOME, "somebody else's sync group");
    }
    if (j->row.kind == XMTP_GROUP_KIND_DM) {
        XMTP_TRY(check_dm(j, metadata, error));
    }
    XMTP_TRY(xmtp_group_attribute(&j->arena, j->group, XMTP_ATTRIBUTE_MINIMUM_VERSION, &minimum));
    bool is_too_new = minimum != NULL && j->row.kind == XMTP_GROUP_KIND_GROUP &&
                      xmtp_version_compare(minimum, XMTP_EQUIVALENT_VERSION) > 0;
    j->row.paused_for = is_too_new ? minimum : "";
    XMTP_TRY(xmtp_row_refresh(&j->arena, j->group, &j->row, error));
    return is_sync && j->row.member_count != 1
               ? xmtp_fail(error, XMTP_E_WELCOME, "sync group of %u inboxes, must be ours alone",
                           (unsigned)j->row.member_count)
               : XMTP_OK;
}

/* ---- W9: is there one already? */

/* A group that we are in can be replaced only after everything that was said in it is read (then we
 * know whether we were removed), and, if we still are in it, only by one of its members: whoever
 * knows a group's id could otherwise put another group in its place. */
static xmtp_status may_replace(joining *j, int64_t ref, bool *is_news, xmtp_error *error)
{
    group_work work;
    xmtp_status status = xmtp_work_start(&work, j->client, ref, error);
    if (status == XMTP_OK) {
        status = xmtp_receive(&work, error);
    }
    if (status == XMTP_OK) {
        status = xmtp_work_reload(&work, error);
    }
    if (status == XMTP_OK) {
        status = xmtp_work_group(&work, error);
    }
    if (status == XMTP_OK && work.row.is_active) {
        *is_news = xmtp_mls_group_epoch(j->group) > work.row.epoch;
        bool is_member = xmtp_mls_group_find(work.group, j->adder_installation) != XMTP_MLS_NO_LEAF;
        status = !*is_news || is_member
                     ? XMTP_OK
                     : xmtp_fail(error, XMTP_E_WELCOME, "group of ours offered by a stranger");
    }
    j->row.cursor = work.row.cursor;
    xmtp_work_end(&work);
    return status;
}

static xmtp_status compare_existing(joining *j, bool *is_news, xmtp_error *error)
{
    xmtp_group_row existing;
    xmtp_status status =
        xmtp_group_row_find(j->client->db, xmtp_mls_group_id(j->group), &j->arena, &existing);
    *is_news = true;
    j->row.state = XMTP_MEMBERSHIP_PENDING;
    if (status == XMTP_E_NOT_FOUND) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_stored(j->client, status, error));
    j->is_replacing = true;
    j->replaced = existing;
    j->row.ref = existing.ref;
    j->row.cursor = existing.cursor;
    j->row.created_ns = existing.created_ns;
    /* Who had asked to leave and is invited again has come back. */
    bool has_left = existing.state == XMTP_MEMBERSHIP_PENDING_REMOVE ||
                    existing.state == XMTP_MEMBERSHIP_RESTORED;
    j->row.state = has_left ? XMTP_MEMBERSHIP_ALLOWED : existing.state;
    j->is_back = existing.state == XMTP_MEMBERSHIP_PENDING_REMOVE;
    *is_news = !existing.is_active || xmtp_mls_group_epoch(j->group) > existing.epoch;
    return *is_news && existing.is_active ? may_replace(j, existing.ref, is_news, error) : XMTP_OK;
}

/* What was said in a DM must not come to stand in a group, or in a DM with somebody else. */
static xmtp_status check_same(const joining *j, xmtp_error *error)
{
    const char *dm_id = j->row.dm_id == NULL ? "" : j->row.dm_id;
    bool is_same = j->replaced.kind == j->row.kind && strcmp(j->replaced.dm_id, dm_id) == 0;
    return is_same ? XMTP_OK
                   : xmtp_fail(error, XMTP_E_WELCOME,
                               "another conversation under the id of one that is here");
}

/* ---- W12: storing */

static xmtp_status store_row(joining *j, xmtp_error *error)
{
    xmtp_database *db = j->client->db;
    j->row.stage = XMTP_GROUP_READY;
    j->row.welcome_id = j->sequence;
    j->row.commit_cursor = j->opened.message_cursor;
    j->row.cursor =
        j->opened.message_cursor > j->row.cursor ? j->opened.message_cursor : j->row.cursor;
    if (!j->is_replacing) {
        j->row.created_ns = xmtp_now_ns(j->client);
        j->row.last_message_ns = j->row.kind == XMTP_GROUP_KIND_DM ? j->created_ns : 0;
        return xmtp_stored(j->client, xmtp_group_row_insert(db, &j->row), error);
    }
    xmtp_status status = xmtp_record_delete_all(db, j->row.ref);
    if (status == XMTP_OK) {
        status = xmtp_restored_delete(db, j->row.ref);
    }
    if (status == XMTP_OK) {
        status = xmtp_intent_reset_group(db, j->row.ref);
    }
    if (status == XMTP_OK) {
        status = xmtp_group_row_update(db, &j->row);
    }
    return xmtp_stored(j->client, status, error);
}

/* What follows by itself is no decision of now: it yields to any that somebody took, here or on another
 * installation, before or after. */
static xmtp_status follow(joining *j, xmtp_consent_state state, uint64_t consented_ns,
                          xmtp_error *error)
{
    char hex[2 * XMTP_GROUP_ID_MAX + 1];
    xmtp_hex_encode(hex, j->row.group_id);
    const xmtp_consent record = {.entity_type = XMTP_CONSENT_CONVERSATION,
                                 .entity = hex,
                                 .state = state,
                                 .consented_ns = consented_ns};
    bool is_taken;
    return xmtp_consent_merge(j->client, &record, &is_taken, error);
}

static xmtp_status follow_dm(joining *j, const xmtp_group_row *other, xmtp_error *error)
{
    char hex[2 * XMTP_GROUP_ID_MAX + 1];
    xmtp_consent_row row;
    XMTP_ENSURE(other->group_id.n <= XMTP_GROUP_ID_MAX, XMTP_E_CORRUPT);
    xmtp_hex_encode(hex, other->group_id);
    XMTP_TRY(xmtp_stored(
        j->client,
        xmtp_consent_read(j->client->db, XMTP_CONSENT_OF_CONVERSATION, hex, &j->arena, &row),
        error));
    return follow(j, (xmtp_consent_state)other->consent, row.consented_ns, error);
}

/* Ours is allowed; one that we come back to is unknown again; another group of a DM is what the DM is;
 * else nothing is decided (groups.md 4.6). */
static xmtp_status decide_consent(joining *j, xmtp_error *error)
{
    xmtp_client *client = j->client;
    if (j->row.kind == XMTP_GROUP_KIND_SYNC) {
        return XMTP_OK;
    }
    if (j->is_back && !j->is_made_by_us) {
        return xmtp_consent_decide(client, &j->row, XMTP_CONSENT_UNKNOWN, error);
    }
    if (j->is_made_by_us) {
        return follow(j, XMTP_CONSENT_ALLOWED, 1, error);
    }
    if (j->row.kind != XMTP_GROUP_KIND_DM || j->is_replacing) {
        return XMTP_OK;
    }
    xmtp_group_rows rows;
    XMTP_TRY(xmtp_stored(client, xmtp_group_row_list_dm(client->db, j->row.dm_id, &j->arena, &rows),
                         error));
    for (size_t i = 0; i < rows.count; i++) {
        if (rows.items[i].ref != j->row.ref && rows.items[i].consent != XMTP_CONSENT_UNKNOWN) {
            return follow_dm(j, &rows.items[i], error);
        }
    }
    return XMTP_OK;
}

static xmtp_status store_in_transaction(joining *j, xmtp_error *error)
{
    xmtp_client *client = j->client;
    XMTP_TRY(store_row(j, error));
    XMTP_TRY(decide_consent(j, error));
    XMTP_TRY(xmtp_writes_store(client, j->row.ref, j->writes, error));
    XMTP_TRY(xmtp_commit_log_note(client, j->row.ref, j->group, 0, XMTP_COMMIT_APPLIED,
                                  (xmtp_bytes){0}, "welcome", error));
    XMTP_TRY(xmtp_transcript_welcome(client, &j->row, j->adder_installation,
                                     j->opened.message_cursor, j->created_ns, error));
    XMTP_TRY(xmtp_queue_rotation(client, error));
    if (j->row.kind == XMTP_GROUP_KIND_SYNC) {
        XMTP_TRY(xmtp_sync_newcomer(client, error));
    }
    return xmtp_stored(client, xmtp_setting_raise(client->db, "welcome_cursor", j->sequence),
                       error);
}

static xmtp_status store(joining *j, xmtp_error *error)
{
    xmtp_client *client = j->client;
    j->row.group_id = xmtp_mls_group_id(j->group);
    XMTP_TRY(xmtp_begin(client, error));
    xmtp_status status = store_in_transaction(j, error);
    if (status != XMTP_OK) {
        xmtp_database_rollback(client->db);
        return status;
    }
    XMTP_TRY(xmtp_commit(client, error));
    xmtp_cache_keep(client, j->row.ref, j->group);
    j->group = NULL;
    client->stream.is_stale = true;
    return XMTP_OK;
}

/* ---- one welcome */

static xmtp_status accept(joining *j, const Pb__WelcomeMessage *message, bool *is_stored,
                          xmtp_error *error)
{
    bool is_wanted = true;
    bool is_news = true;
    *is_stored = false;
    XMTP_TRY(open_welcome(j, message, error));
    XMTP_TRY(join(j, error));
    if (xmtp_mls_group_id(j->group).n > XMTP_GROUP_ID_MAX) {
        return xmtp_fail(error, XMTP_E_WELCOME, "group id of %zu bytes",
                         xmtp_mls_group_id(j->group).n);
    }
    XMTP_TRY(compare_existing(j, &is_news, error));
    if (!is_news) {
        return XMTP_OK;
    }
    XMTP_TRY(read_context(j, &is_wanted, error));
    if (!is_wanted) {
        return XMTP_OK;
    }
    if (j->is_replacing) {
        XMTP_TRY(check_same(j, error));
    }
    XMTP_TRY(check_members(j, error));
    XMTP_TRY(store(j, error));
    *is_stored = true;
    return XMTP_OK;
}

/* True once the same welcome has stopped the line often enough. The node being away does not count.
 * Waiting for the bodies of pointers counts for all of them together, an hour long: who sends a
 * hundred pointers to nothing buys no more time than with one. */
static bool is_given_up(xmtp_client *client, uint64_t sequence, xmtp_status why)
{
    bool is_waiting = why == XMTP_E_RETRY;
    const char *what_key = is_waiting ? "welcome_waited_in" : "welcome_stuck_at";
    const char *attempts_key = is_waiting ? "welcome_waits" : "welcome_attempts";
    uint64_t what = is_waiting ? xmtp_now_ns(client) / PATIENCE_NS : sequence;
    uint64_t before = 0;
    uint64_t attempts = 0;
    if (xmtp_is_unreached(why) || !xmtp_is_our_trouble(why)) {
        return !xmtp_is_our_trouble(why);
    }
    (void)xmtp_setting_number(client->db, what_key, &before);
    (void)xmtp_setting_number(client->db, attempts_key, &attempts);
    attempts = before == what ? attempts + 1 : 1;
    (void)xmtp_setting_set(client->db, what_key, what);
    (void)xmtp_setting_set(client->db, attempts_key, attempts);
    return attempts >= STUCK_ATTEMPTS_MAX;
}

static xmtp_status step_over(xmtp_client *client, uint64_t sequence, xmtp_error *error)
{
    XMTP_TRY(xmtp_begin(client, error));
    xmtp_status status = xmtp_setting_raise(client->db, "welcome_cursor", sequence);
    if (status == XMTP_OK) {
        status = xmtp_queue_rotation(client, error);
    }
    if (status != XMTP_OK) {
        xmtp_database_rollback(client->db);
        return xmtp_stored(client, status, error);
    }
    return xmtp_commit(client, error);
}

xmtp_status xmtp_welcome_process(xmtp_client *client, const Pb__WelcomeMessage *message,
                                 xmtp_error *error)
{
    uint64_t cursor;
    joining j = {.client = client, .sequence = xmtp_welcome_sequence(message)};
    XMTP_TRY(
        xmtp_stored(client, xmtp_setting_number(client->db, "welcome_cursor", &cursor), error));
    if (j.sequence <= cursor || j.sequence > INT64_MAX) {
        return XMTP_OK;
    }
    bool is_stored = false;
    xmtp_error why = {0};
    xmtp_scratch(client, &j.arena);
    xmtp_status status = accept(&j, message, &is_stored, &why);
    xmtp_mls_group_free(j.group);
    xmtp_mls_writes_free(j.writes);
    xmtp_welcome_opened_free(&j.opened);
    xmtp_inbox_key_package_keys_wipe(&j.keys);
    xmtp_arena_reset(&j.arena);
    xmtp_states_trim(client, XMTP_STATE_CACHE_MAX);
    if (is_stored) {
        return status;
    }
    if (status != XMTP_OK && !is_given_up(client, j.sequence, status)) {
        return xmtp_fail(error, status, "%s",
                         why.text[0] == '\0' ? xmtp_status_text(status) : why.text);
    }
    return step_over(client, j.sequence, error);
}
