/* preferences.c - consent and the HMAC root, as the installations of an inbox tell each other
 * (groups.md 7.1, 7.2, 7.4).
 *
 *     decided here --> marked in the transaction that records it --> one message, at the next chore
 *     heard --> newer than what is known? --> recorded, never told on
 *
 * For consent the later decision wins, for the root the later one or, of the same moment, the one that
 * stands later in the sync group. What is decided here is later than what it replaces, so installations
 * agree although their clocks differ.
 */
#include "client/device_sync.h"

#include "base/bytes.h"
#include "store/consent_store.h"
#include "store/device_sync_store.h"

enum { CONSENTS_PER_MESSAGE = 100 };

/* ---- the HMAC root */

static xmtp_status make_root(xmtp_client *client)
{
    XMTP_TRY(client->env.random(client->env.context, client->hmac_root, XMTP_HMAC_ROOT_LEN));
    return xmtp_setting_write(client->db, "hmac_root",
                              xmtp_bytes_of(client->hmac_root, XMTP_HMAC_ROOT_LEN));
}

xmtp_status xmtp_hmac_root(xmtp_client *client, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_bytes root;
    if (client->has_hmac_root) {
        return XMTP_OK;
    }
    xmtp_scratch(client, &arena);
    xmtp_status status = xmtp_setting_read(client->db, "hmac_root", &arena, &root);
    if (status == XMTP_OK && root.n == XMTP_HMAC_ROOT_LEN) {
        memcpy(client->hmac_root, root.p, root.n);
    } else if (status == XMTP_OK) {
        status = XMTP_E_CORRUPT;
    } else if (status == XMTP_E_NOT_FOUND) {
        status = make_root(client);
    }
    xmtp_arena_reset(&arena);
    /* What an open transaction says may still be taken back. */
    client->has_hmac_root = status == XMTP_OK && !xmtp_database_in_transaction(client->db);
    return xmtp_stored(client, status, error);
}

static xmtp_status store_root(xmtp_client *client, const uint8_t root[XMTP_HMAC_ROOT_LEN],
                              uint64_t cycled_ns, bool is_unsent, xmtp_error *error)
{
    XMTP_TRY(xmtp_hmac_root(client, error));
    bool is_same = xmtp_ct_equal(client->hmac_root, root, XMTP_HMAC_ROOT_LEN);
    xmtp_status status =
        xmtp_setting_write(client->db, "hmac_root", xmtp_bytes_of(root, XMTP_HMAC_ROOT_LEN));
    if (status == XMTP_OK) {
        status = xmtp_setting_set(client->db, "hmac_cycled_ns", cycled_ns);
    }
    if (status == XMTP_OK) {
        status = xmtp_setting_set(client->db, "hmac_unsent", is_unsent);
    }
    client->has_hmac_root = false;
    if (status == XMTP_OK && !is_same && client->events.hmac_keys != NULL) {
        client->events.hmac_keys(client->events.context);
    }
    return xmtp_stored(client, status, error);
}

xmtp_status xmtp_hmac_cycle(xmtp_client *client, xmtp_error *error)
{
    uint8_t root[XMTP_HMAC_ROOT_LEN];
    uint64_t before_ns;
    XMTP_TRY(
        xmtp_stored(client, xmtp_setting_number(client->db, "hmac_cycled_ns", &before_ns), error));
    XMTP_TRY(client->env.random(client->env.context, root, sizeof(root)));
    client->device_sync.is_due = true;
    xmtp_status status = store_root(client, root, xmtp_later_than(client, before_ns), true, error);
    xmtp_wipe(root, sizeof(root));
    return status;
}

xmtp_status xmtp_hmac_expect_cycle(xmtp_client *client, xmtp_error *error)
{
    if (!client->device_sync.is_on) {
        return XMTP_OK;
    }
    client->device_sync.is_due = true;
    return xmtp_stored(client, xmtp_setting_set(client->db, "hmac_cycle_due", 1), error);
}

static xmtp_status apply_root(xmtp_client *client, const Pb__SyncHmacKey *update, xmtp_error *error)
{
    uint64_t stored_ns;
    if (update->key.len != XMTP_HMAC_ROOT_LEN || update->cycled_at_ns < 0) {
        return XMTP_OK;
    }
    XMTP_TRY(
        xmtp_stored(client, xmtp_setting_number(client->db, "hmac_cycled_ns", &stored_ns), error));
    if (stored_ns > (uint64_t)update->cycled_at_ns) {
        return XMTP_OK;
    }
    return store_root(client, update->key.data, (uint64_t)update->cycled_at_ns, false, error);
}

/* ---- consent */

static xmtp_status apply_consent(xmtp_client *client, const Pb__SyncConsent *update,
                                 xmtp_error *error)
{
    if (update->state < 1 || update->state > 3) {
        return XMTP_OK;
    }
    const xmtp_consent record = {
        .entity_type = (xmtp_consent_entity)update->entity_type,
        .entity = update->entity,
        .state = (xmtp_consent_state)(update->state - 1),
        .consented_ns = update->consented_at_ns < 1 ? 1 : (uint64_t)update->consented_at_ns,
    };
    bool is_taken;
    return xmtp_consent_is_valid(&record) ? xmtp_consent_merge(client, &record, &is_taken, error)
                                          : XMTP_OK;
}

xmtp_status xmtp_preferences_apply(xmtp_client *client, const Pb__SyncPreferences *updates,
                                   xmtp_error *error)
{
    for (size_t i = 0; i < updates->n_updates; i++) {
        const Pb__SyncPreference *update = updates->updates[i];
        if (update->update_case == PB__SYNC_PREFERENCE__UPDATE_CONSENT) {
            XMTP_TRY(apply_consent(client, update->consent, error));
        } else if (update->update_case == PB__SYNC_PREFERENCE__UPDATE_HMAC) {
            XMTP_TRY(apply_root(client, update->hmac, error));
        }
    }
    return XMTP_OK;
}

/* ---- telling */

typedef struct telling {
    xmtp_arena arena;
    xmtp_consent_row *rows;
    size_t count;
    uint64_t has_root;
    uint64_t cycled_ns;
    Pb__SyncHmacKey root;
    Pb__SyncPreference *updates[CONSENTS_PER_MESSAGE + 1];
    Pb__SyncPreference bodies[CONSENTS_PER_MESSAGE + 1];
    Pb__SyncConsent consents[CONSENTS_PER_MESSAGE];
} telling;

static xmtp_status collect(xmtp_client *client, telling *t, xmtp_error *error)
{
    xmtp_status status =
        xmtp_consent_list_unsent(client->db, CONSENTS_PER_MESSAGE, &t->arena, &t->rows, &t->count);
    if (status == XMTP_OK) {
        status = xmtp_setting_number(client->db, "hmac_unsent", &t->has_root);
    }
    if (status == XMTP_OK) {
        status = xmtp_setting_number(client->db, "hmac_cycled_ns", &t->cycled_ns);
    }
    XMTP_TRY(xmtp_stored(client, status, error));
    return xmtp_hmac_root(client, error);
}

static void write_consent(telling *t, size_t i)
{
    const xmtp_consent_row *row = &t->rows[i];
    Pb__SyncConsent *body = &t->consents[i];
    *body = (Pb__SyncConsent)PB__SYNC_CONSENT__INIT;
    body->has_entity_type = 1;
    body->entity_type = (int32_t)row->entity_type;
    body->has_state = 1;
    body->state = (int32_t)row->state + 1;
    body->entity = (char *)(uintptr_t)row->entity;
    body->has_consented_at_ns = 1;
    body->consented_at_ns = (int64_t)row->consented_ns;
    t->bodies[i] = (Pb__SyncPreference)PB__SYNC_PREFERENCE__INIT;
    t->bodies[i].update_case = PB__SYNC_PREFERENCE__UPDATE_CONSENT;
    t->bodies[i].consent = body;
    t->updates[i] = &t->bodies[i];
}

static void write_root(telling *t, xmtp_client *client, size_t i)
{
    t->root = (Pb__SyncHmacKey)PB__SYNC_HMAC_KEY__INIT;
    t->root.has_key = 1;
    t->root.key = (ProtobufCBinaryData){.len = XMTP_HMAC_ROOT_LEN, .data = client->hmac_root};
    t->root.has_cycled_at_ns = 1;
    t->root.cycled_at_ns = (int64_t)t->cycled_ns;
    t->bodies[i] = (Pb__SyncPreference)PB__SYNC_PREFERENCE__INIT;
    t->bodies[i].update_case = PB__SYNC_PREFERENCE__UPDATE_HMAC;
    t->bodies[i].hmac = &t->root;
    t->updates[i] = &t->bodies[i];
}

/* In the transaction that queues the message. */
static xmtp_status mark_sent(xmtp_client *client, void *context, xmtp_error *error)
{
    const telling *t = context;
    xmtp_status status = XMTP_OK;
    for (size_t i = 0; status == XMTP_OK && i < t->count; i++) {
        status =
            xmtp_consent_set_unsent(client->db, t->rows[i].entity_type, t->rows[i].entity, false);
    }
    if (status == XMTP_OK && t->has_root != 0) {
        status = xmtp_setting_set(client->db, "hmac_unsent", 0);
    }
    return xmtp_stored(client, status, error);
}

static xmtp_status tell(xmtp_client *client, telling *t, xmtp_error *error)
{
    Pb__SyncPreferences preferences = PB__SYNC_PREFERENCES__INIT;
    for (size_t i = 0; i < t->count; i++) {
        write_consent(t, i);
    }
    if (t->has_root != 0) {
        write_root(t, client, t->count);
    }
    preferences.n_updates = t->count + (t->has_root != 0);
    preferences.updates = t->updates;
    Pb__DeviceSyncContent content = PB__DEVICE_SYNC_CONTENT__INIT;
    content.content_case = PB__DEVICE_SYNC_CONTENT__CONTENT_PREFERENCE_UPDATES;
    content.preference_updates = &preferences;
    const xmtp_with_message with = {.run = mark_sent, .context = t};
    return xmtp_sync_say(client, &content, &with, error);
}

/* *is_done: nothing was left to tell. */
static xmtp_status tell_some(xmtp_client *client, bool *is_done, xmtp_error *error)
{
    telling t = {0};
    xmtp_scratch(client, &t.arena);
    xmtp_status status = collect(client, &t, error);
    *is_done = t.count == 0 && t.has_root == 0;
    if (status == XMTP_OK && !*is_done) {
        status = tell(client, &t, error);
    }
    xmtp_arena_reset(&t.arena);
    return status;
}

xmtp_status xmtp_preferences_send(xmtp_client *client, xmtp_error *error)
{
    bool is_done = false;
    while (!is_done) {
        XMTP_TRY(tell_some(client, &is_done, error));
    }
    return XMTP_OK;
}
