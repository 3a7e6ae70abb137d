/* schema.c - the tables, and how an older file becomes a present one.
 *
 *   settings          one value per name: HMAC root key, queue switch, welcome cursor
 *   identity          one row: inbox, installation key, an unfinished registration
 *   key_packages      ours, with private keys; found by either public key that a welcome names
 *   identity_updates  the logs of inboxes we met, as received, and some states made from them
 *   identifiers       what the node said about addresses
 *   groups            one row per conversation; everything a list shows without loading MLS state
 *   mls_records       what xmtp_mls_writes says, per group
 *   messages          decrypted; id is that of groups.md 5.5
 *   intents           what we still want the network to have (groups.md 3.3)
 *   commit_parts      what is long of our commits on their way, and no secret
 *   queue             messages that a consumer has not acknowledged
 *   consent           what was decided about conversations and inboxes (groups.md 7.1)
 *   message_deletions who took which message back for everyone (groups.md 5.11)
 *   pending_removals  who has asked to leave (groups.md 3.10)
 *   restored_groups   what an archive said about the groups that it restored
 *   commit_logs, local_commits, remote_commits, readd_requests
 *                     whether we agree with the others on a group's history (groups.md 3.11, 3.12)
 *   sync_tasks, sync_requests
 *                     archives that other installations of ours want, and that we want (groups.md 7.2)
 *
 * PRAGMA user_version counts migrations. A migration once released never changes. A new database gets
 * the present layout at once, out of the same parts: changing tables took half of the time that
 * making a client takes. database_test.c holds the two ways against each other.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "base/writer.h"
#include "store/database_internal.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- layout 1. Tables that got columns later are left open. */

static const char tables_1[] =
    "CREATE TABLE settings(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"

    "CREATE TABLE identity("
    " only_row INTEGER PRIMARY KEY CHECK(only_row = 1), inbox_id TEXT NOT NULL,"
    " address TEXT NOT NULL, installation_seed BLOB NOT NULL, pending_update BLOB,"
    " next_rotation_ns INTEGER NOT NULL);"

    "CREATE TABLE key_packages("
    " id INTEGER PRIMARY KEY, init_key BLOB NOT NULL UNIQUE, wrapper_key BLOB NOT NULL UNIQUE,"
    " key_package BLOB NOT NULL, private_keys BLOB NOT NULL, delete_at_ns INTEGER);"

    "CREATE TABLE identifiers(address TEXT PRIMARY KEY, inbox_id TEXT NOT NULL) WITHOUT ROWID;"

    "CREATE TABLE mls_records("
    " group_ref INTEGER NOT NULL REFERENCES groups(id) ON DELETE CASCADE, key BLOB NOT NULL,"
    " value BLOB NOT NULL, PRIMARY KEY(group_ref, key)) WITHOUT ROWID;"

    /* place: 0 behind another of its conversation, 1 first of it, 2 set aside */
    "CREATE TABLE queue("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, message_id BLOB NOT NULL UNIQUE,"
    " group_ref INTEGER NOT NULL REFERENCES groups(id) ON DELETE CASCADE,"
    " place INTEGER NOT NULL, attempts INTEGER NOT NULL, next_ns INTEGER NOT NULL);"
    "CREATE INDEX queue_heads ON queue(id) WHERE place = 1;"
    "CREATE INDEX queue_by_group ON queue(group_ref, place, id);";

static const char logs_1[] =
    "CREATE TABLE identity_updates("
    " inbox_id TEXT NOT NULL, sequence_id INTEGER NOT NULL, data BLOB NOT NULL,"
    " PRIMARY KEY(inbox_id, sequence_id)) WITHOUT ROWID;"
    "CREATE TABLE association_states("
    " inbox_id TEXT NOT NULL, sequence_id INTEGER NOT NULL, record BLOB NOT NULL,"
    " PRIMARY KEY(inbox_id, sequence_id)) WITHOUT ROWID;"
    "CREATE TABLE inboxes(inbox_id TEXT PRIMARY KEY, address TEXT NOT NULL) WITHOUT ROWID;";

static const char groups_1[] =
    "CREATE TABLE groups("
    " id INTEGER PRIMARY KEY, group_id BLOB NOT NULL UNIQUE, kind INTEGER NOT NULL,"
    " stage INTEGER NOT NULL, created_ns INTEGER NOT NULL, last_message_ns INTEGER NOT NULL,"
    " name TEXT NOT NULL, peer_inbox TEXT NOT NULL, dm_id TEXT, added_by TEXT NOT NULL,"
    " welcome_id INTEGER NOT NULL, epoch INTEGER NOT NULL, member_count INTEGER NOT NULL,"
    " is_active INTEGER NOT NULL, paused_for TEXT NOT NULL, checked_ns INTEGER NOT NULL,"
    " rotated_ns INTEGER NOT NULL, cursor INTEGER NOT NULL, is_forked INTEGER NOT NULL";

static const char messages_1[] =
    "CREATE TABLE messages("
    " id INTEGER PRIMARY KEY, message_id BLOB NOT NULL UNIQUE,"
    " group_ref INTEGER NOT NULL REFERENCES groups(id) ON DELETE CASCADE,"
    " kind INTEGER NOT NULL, delivery INTEGER NOT NULL, sender_inbox TEXT NOT NULL,"
    " sender_installation BLOB NOT NULL, sent_ns INTEGER NOT NULL, sequence INTEGER NOT NULL,"
    " content BLOB NOT NULL";

static const char indexes_1[] =
    "CREATE INDEX groups_by_dm ON groups(dm_id) WHERE dm_id IS NOT NULL;"
    "CREATE INDEX messages_by_group ON messages(group_ref, sent_ns, sequence);"
    "CREATE INDEX messages_by_time ON messages(sent_ns, sequence);"
    "CREATE INDEX messages_changes ON messages(group_ref) WHERE kind = 2;";

static const char intents_1[] = "CREATE TABLE intents(id INTEGER PRIMARY KEY AUTOINCREMENT,";
static const char intents_index_1[] = "CREATE INDEX intents_by_group ON intents(group_ref, id);";
static const char intents_columns[] =
    " group_ref INTEGER NOT NULL REFERENCES groups(id) ON DELETE CASCADE,"
    " kind INTEGER NOT NULL, state INTEGER NOT NULL, data BLOB NOT NULL, message_id BLOB NOT NULL,"
    " should_push INTEGER NOT NULL, payload BLOB NOT NULL, payload_hash BLOB NOT NULL,"
    " staged BLOB NOT NULL,";
static const char intents_post_commit[] = " post_commit BLOB NOT NULL,";
static const char intents_numbers[] =
    " epoch INTEGER NOT NULL, attempts INTEGER NOT NULL, sequence INTEGER NOT NULL);";

/* ---- layout 2 */

static const char *const groups_added_2[] = {
    "state INTEGER NOT NULL DEFAULT 1",
    "fork_details TEXT NOT NULL DEFAULT ''",
    "commit_cursor INTEGER NOT NULL DEFAULT 0",
};

/* expire_ns 0: never; content_type -1: written before types were kept, see client.c */
static const char *const messages_added_2[] = {
    "inserted_ns INTEGER NOT NULL DEFAULT 0",   "expire_ns INTEGER NOT NULL DEFAULT 0",
    "content_type INTEGER NOT NULL DEFAULT -1", "reference BLOB",
    "should_push INTEGER NOT NULL DEFAULT 1",
};

/* Each message that is sent goes through here, and hardly ever are there more than a few at a time:
 * without an index, and without the table behind AUTOINCREMENT, three pages of sixteen are not
 * written. Ids are given by intent_store.c. */
static const char intents_2[] = "CREATE TABLE intents(id INTEGER PRIMARY KEY,";

static const char tables_2[] =
    "CREATE INDEX messages_by_arrival ON messages(group_ref);"
    "CREATE INDEX messages_expiring ON messages(expire_ns) WHERE expire_ns > 0;"
    "CREATE INDEX messages_by_reference ON messages(reference) WHERE reference IS NOT NULL;"
    "CREATE INDEX messages_unclassified ON messages(id) WHERE content_type < 0;"

    "CREATE TABLE consent("
    " entity_type INTEGER NOT NULL, entity TEXT NOT NULL, state INTEGER NOT NULL,"
    " consented_ns INTEGER NOT NULL, is_unsent INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY(entity_type, entity)) WITHOUT ROWID;"
    "CREATE INDEX consent_unsent ON consent(entity_type, entity) WHERE is_unsent = 1;"
    "CREATE TABLE restored_groups("
    " group_ref INTEGER PRIMARY KEY REFERENCES groups(id) ON DELETE CASCADE,"
    " save BLOB NOT NULL);"

    "CREATE TABLE pending_removals("
    " group_ref INTEGER NOT NULL REFERENCES groups(id) ON DELETE CASCADE, inbox_id TEXT NOT NULL,"
    " message_id BLOB NOT NULL, PRIMARY KEY(group_ref, inbox_id)) WITHOUT ROWID;"

    /* A message may be named before it arrives. */
    "CREATE TABLE message_deletions("
    " group_ref INTEGER NOT NULL REFERENCES groups(id) ON DELETE CASCADE,"
    " message_id BLOB NOT NULL, inbox_id TEXT NOT NULL, is_super_admin INTEGER NOT NULL,"
    " PRIMARY KEY(group_ref, message_id, inbox_id)) WITHOUT ROWID;"

    /* uploaded: id of local_commits; downloaded: sequence of the log */
    "CREATE TABLE commit_logs("
    " group_ref INTEGER PRIMARY KEY REFERENCES groups(id) ON DELETE CASCADE,"
    " signing_seed BLOB, public_key BLOB, uploaded INTEGER NOT NULL, downloaded INTEGER NOT NULL,"
    " fork_state INTEGER NOT NULL);"
    "CREATE TABLE local_commits("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " group_ref INTEGER NOT NULL REFERENCES groups(id) ON DELETE CASCADE,"
    " commit_sequence INTEGER NOT NULL, result INTEGER NOT NULL, epoch INTEGER NOT NULL,"
    " authenticator BLOB NOT NULL, last_authenticator BLOB NOT NULL, kind TEXT NOT NULL,"
    " sender_inbox TEXT NOT NULL, sender_installation BLOB NOT NULL, error TEXT NOT NULL);"
    "CREATE INDEX local_commits_by_group ON local_commits(group_ref, id);"
    "CREATE TABLE remote_commits("
    " group_ref INTEGER NOT NULL REFERENCES groups(id) ON DELETE CASCADE,"
    " log_sequence INTEGER NOT NULL, commit_sequence INTEGER NOT NULL, result INTEGER NOT NULL,"
    " epoch INTEGER NOT NULL, authenticator BLOB NOT NULL,"
    " PRIMARY KEY(group_ref, log_sequence)) WITHOUT ROWID;"
    "CREATE TABLE readd_requests("
    " group_ref INTEGER NOT NULL REFERENCES groups(id) ON DELETE CASCADE,"
    " installation BLOB NOT NULL, inbox_id TEXT NOT NULL, requested_at INTEGER NOT NULL,"
    " answered_at INTEGER NOT NULL, PRIMARY KEY(group_ref, installation)) WITHOUT ROWID;"

    "CREATE TABLE sync_tasks("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " message_ref INTEGER NOT NULL UNIQUE REFERENCES messages(id) ON DELETE CASCADE,"
    " attempts INTEGER NOT NULL, next_ns INTEGER NOT NULL);"
    "CREATE TABLE sync_requests(pin TEXT PRIMARY KEY, asked_ns INTEGER NOT NULL) WITHOUT ROWID;";

/* Consent was not recorded before: whoever made a conversation or spoke in it has allowed it. */
static const char data_2[] =
    "UPDATE messages SET inserted_ns = sent_ns;"
    "INSERT INTO intents SELECT * FROM old_intents; DROP TABLE old_intents;"
    "INSERT INTO consent SELECT 1, lower(hex(group_id)), 1, created_ns, 0 FROM groups AS g"
    " WHERE added_by = (SELECT inbox_id FROM identity) OR EXISTS(SELECT 1 FROM messages AS m"
    " WHERE m.group_ref = g.id AND m.kind = 1"
    " AND m.sender_inbox = (SELECT inbox_id FROM identity));";

/* ---- layout 3 */

/* state: that after this update, with the first wallet's address; NULL: not kept. An inbox is mostly one row,
 * which fills a page; its three rows in three tables had two pages of their own, and shared the third. */
static const char logs_3[] =
    "CREATE TABLE identity_updates("
    " id INTEGER PRIMARY KEY, address TEXT, inbox_id TEXT NOT NULL, sequence_id INTEGER NOT NULL,"
    " state BLOB, data BLOB NOT NULL, UNIQUE(inbox_id, sequence_id));";

/* A commit that adds many is long, and overwriting what is long takes as long as writing it: these rows go
 * without being overwritten (intent_store.c). */
static const char tables_3[] =
    "CREATE TABLE commit_parts("
    " intent INTEGER NOT NULL REFERENCES intents(id) ON DELETE CASCADE, part INTEGER NOT NULL,"
    " bytes BLOB NOT NULL, PRIMARY KEY(intent, part)) WITHOUT ROWID;";

/* Parts: see intent_store.h. The content is in staged, as it was. */
static const char data_3[] =
    "INSERT INTO identity_updates(address, inbox_id, sequence_id, state, data)"
    " SELECT CASE WHEN s.record IS NULL THEN NULL ELSE coalesce(i.address, '') END, inbox_id,"
    " sequence_id, s.record, u.data FROM old_updates AS u"
    " LEFT JOIN association_states AS s USING(inbox_id, sequence_id)"
    " LEFT JOIN inboxes AS i USING(inbox_id) ORDER BY inbox_id, sequence_id;"
    "DROP TABLE old_updates; DROP TABLE association_states; DROP TABLE inboxes;"
    "INSERT INTO commit_parts SELECT id, 1, payload FROM intents"
    " WHERE kind <> 1 AND length(payload) > 0;"
    "INSERT INTO commit_parts SELECT id, 3, post_commit FROM intents"
    " WHERE length(post_commit) > 0;"
    "UPDATE intents SET payload = x'' WHERE kind <> 1;"
    "ALTER TABLE intents DROP COLUMN post_commit;";

/* ---- scripts out of the parts */

static void put(xmtp_writer *w, const char *text)
{
    xmtp_writer_put(w, xmtp_bytes_of_string(text));
}

/* A table that was left open, with what was added to it. */
static void put_table(xmtp_writer *w, const char *open, const char *const *added, size_t count)
{
    put(w, open);
    for (size_t i = 0; i < count; i++) {
        put(w, ", ");
        put(w, added[i]);
    }
    put(w, ");");
}

static void put_columns(xmtp_writer *w, const char *table, const char *const *added, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put(w, "ALTER TABLE ");
        put(w, table);
        put(w, " ADD COLUMN ");
        put(w, added[i]);
        put(w, ";");
    }
}

enum {
    GROUPS_ADDED_2 = sizeof(groups_added_2) / sizeof(groups_added_2[0]),
    MESSAGES_ADDED_2 = sizeof(messages_added_2) / sizeof(messages_added_2[0]),
};

static void put_first(xmtp_writer *w)
{
    put(w, tables_1);
    put(w, logs_1);
    put_table(w, groups_1, NULL, 0);
    put_table(w, messages_1, NULL, 0);
    put(w, indexes_1);
    put(w, intents_1);
    put(w, intents_columns);
    put(w, intents_post_commit);
    put(w, intents_numbers);
    put(w, intents_index_1);
}

static void put_second(xmtp_writer *w)
{
    put_columns(w, "groups", groups_added_2, GROUPS_ADDED_2);
    put_columns(w, "messages", messages_added_2, MESSAGES_ADDED_2);
    put(w, "DROP INDEX intents_by_group; ALTER TABLE intents RENAME TO old_intents;");
    put(w, intents_2);
    put(w, intents_columns);
    put(w, intents_post_commit);
    put(w, intents_numbers);
    put(w, tables_2);
    put(w, data_2);
}

static void put_third(xmtp_writer *w)
{
    put(w, "ALTER TABLE identity_updates RENAME TO old_updates;");
    put(w, logs_3);
    put(w, tables_3);
    put(w, data_3);
}

static void put_newest(xmtp_writer *w)
{
    put(w, tables_1);
    put_table(w, groups_1, groups_added_2, GROUPS_ADDED_2);
    put_table(w, messages_1, messages_added_2, MESSAGES_ADDED_2);
    put(w, indexes_1);
    put(w, intents_2);
    put(w, intents_columns);
    put(w, intents_numbers);
    put(w, tables_2);
    put(w, logs_3);
    put(w, tables_3);
}

static void (*const migrations[XMTP_DATABASE_VERSION])(xmtp_writer *w) = {put_first, put_second,
                                                                          put_third};

static xmtp_status run(xmtp_database *db, void (*put_script)(xmtp_writer *w))
{
    xmtp_writer w;
    xmtp_writer_init(&w, &db->alloc, XMTP_WRITER_MAX);
    put_script(&w);
    xmtp_writer_u8(&w, 0);
    xmtp_status status = xmtp_writer_status(&w);
    if (status == XMTP_OK) {
        status = xmtp_database_exec(db, (const char *)xmtp_writer_bytes(&w).p);
    }
    xmtp_writer_free(&w);
    return status;
}

static xmtp_status read_version(xmtp_database *db, uint64_t *version)
{
    xmtp_query q = xmtp_query_start(db, "PRAGMA user_version");
    xmtp_status status = xmtp_query_one(&q);
    if (status == XMTP_OK) {
        *version = xmtp_query_u64(&q, 0);
    }
    xmtp_query_end(&q);
    return status;
}

static xmtp_status write_version(xmtp_database *db, unsigned version)
{
    char sql[48];
    (void)snprintf(sql, sizeof(sql), "PRAGMA user_version = %u", version);
    return xmtp_database_exec(db, sql);
}

xmtp_status xmtp_schema_go_on(xmtp_database *db, uint64_t version)
{
    for (; version < XMTP_DATABASE_VERSION; version++) {
        XMTP_TRY(run(db, migrations[version]));
        XMTP_TRY(write_version(db, (unsigned)version + 1));
    }
    return XMTP_OK;
}

xmtp_status xmtp_schema_migrate(xmtp_database *db)
{
    uint64_t version = 0;
    XMTP_TRY(read_version(db, &version));
    if (version > XMTP_DATABASE_VERSION) {
        return xmtp_fail(&db->error, XMTP_E_DATABASE_VERSION,
                         "database has version %" PRIu64 ", this library knows %d", version,
                         XMTP_DATABASE_VERSION);
    }
    if (version == 0) {
        XMTP_TRY(run(db, put_newest));
        return write_version(db, XMTP_DATABASE_VERSION);
    }
    return xmtp_schema_go_on(db, version);
}
