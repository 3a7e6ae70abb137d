/* identity_store.c - settings, this installation, key packages, identity logs and their caches. */
#include "store/identity_store.h"

#include "base/bytes.h"
#include "base/status.h"
#include "store/query.h"

#include <stdio.h>

/* ---- settings */

xmtp_status xmtp_setting_read(xmtp_database *db, const char *name, xmtp_arena *arena,
                              xmtp_bytes *out)
{
    xmtp_query q = xmtp_query_start(db, "SELECT value FROM settings WHERE name = ?");
    xmtp_query_bind_text(&q, name);
    xmtp_status status = xmtp_query_one(&q);
    if (status == XMTP_OK) {
        status = xmtp_query_bytes(&q, 0, arena, out);
    }
    xmtp_query_end(&q);
    return status;
}

xmtp_status xmtp_setting_write(xmtp_database *db, const char *name, xmtp_bytes value)
{
    xmtp_query q = xmtp_query_start(db, "INSERT INTO settings(name, value) VALUES(?, ?)"
                                        " ON CONFLICT(name) DO UPDATE SET value = excluded.value");
    xmtp_query_bind_text(&q, name);
    xmtp_query_bind_bytes(&q, value);
    return xmtp_query_run(&q);
}

xmtp_status xmtp_setting_number(xmtp_database *db, const char *name, uint64_t *out)
{
    xmtp_query q = xmtp_query_start(db, "SELECT value FROM settings WHERE name = ?");
    xmtp_query_bind_text(&q, name);
    xmtp_status status = xmtp_query_one(&q);
    *out = status == XMTP_OK ? xmtp_query_u64(&q, 0) : 0;
    xmtp_query_end(&q);
    return status == XMTP_E_NOT_FOUND ? XMTP_OK : status;
}

xmtp_status xmtp_setting_raise(xmtp_database *db, const char *name, uint64_t value)
{
    xmtp_query q = xmtp_query_start(
        db, "INSERT INTO settings(name, value) VALUES(?, ?) ON CONFLICT(name)"
            " DO UPDATE SET value = excluded.value WHERE excluded.value > settings.value");
    xmtp_query_bind_text(&q, name);
    xmtp_query_bind_u64(&q, value);
    return xmtp_query_run(&q);
}

xmtp_status xmtp_setting_set(xmtp_database *db, const char *name, uint64_t value)
{
    xmtp_query q =
        xmtp_query_start(db, "INSERT OR REPLACE INTO settings(name, value) VALUES(?, ?)");
    xmtp_query_bind_text(&q, name);
    xmtp_query_bind_u64(&q, value);
    return xmtp_query_run(&q);
}

/* ---- this installation */

xmtp_status xmtp_identity_read(xmtp_database *db, xmtp_arena *arena, xmtp_identity_row *out)
{
    *out = (xmtp_identity_row){0};
    xmtp_query q = xmtp_query_start(db, "SELECT inbox_id, address, installation_seed,"
                                        " pending_update, next_rotation_ns FROM identity");
    xmtp_status status = xmtp_query_one(&q);
    if (status == XMTP_OK) {
        status = xmtp_query_string(&q, 0, arena, &out->inbox_id);
    }
    if (status == XMTP_OK) {
        status = xmtp_query_string(&q, 1, arena, &out->address);
    }
    if (status == XMTP_OK) {
        status = xmtp_query_bytes(&q, 2, arena, &out->installation_seed);
    }
    if (status == XMTP_OK) {
        status = xmtp_query_bytes(&q, 3, arena, &out->pending_update);
    }
    if (status == XMTP_OK) {
        out->next_rotation_ns = xmtp_query_u64(&q, 4);
    }
    xmtp_query_end(&q);
    return status;
}

xmtp_status xmtp_identity_write(xmtp_database *db, const xmtp_identity_row *row)
{
    xmtp_query q = xmtp_query_start(
        db, "INSERT OR REPLACE INTO identity(only_row, inbox_id, address, installation_seed,"
            " pending_update, next_rotation_ns) VALUES(1, ?, ?, ?, ?, ?)");
    xmtp_query_bind_text(&q, row->inbox_id);
    xmtp_query_bind_text(&q, row->address);
    xmtp_query_bind_bytes(&q, row->installation_seed);
    xmtp_query_bind_bytes(&q, row->pending_update);
    xmtp_query_bind_u64(&q, row->next_rotation_ns);
    return xmtp_query_run(&q);
}

xmtp_status xmtp_identity_set_registered(xmtp_database *db)
{
    xmtp_query q = xmtp_query_start(db, "UPDATE identity SET pending_update = NULL");
    return xmtp_query_run(&q);
}

xmtp_status xmtp_identity_forget(xmtp_database *db)
{
    xmtp_query q = xmtp_query_start(db, "DELETE FROM identity");
    return xmtp_query_run(&q);
}

xmtp_status xmtp_identity_set_rotation(xmtp_database *db, uint64_t next_rotation_ns)
{
    xmtp_query q = xmtp_query_start(db, "UPDATE identity SET next_rotation_ns = ?");
    xmtp_query_bind_u64(&q, next_rotation_ns);
    return xmtp_query_run(&q);
}

/* ---- our key packages */

xmtp_status xmtp_own_key_package_insert(xmtp_database *db, const xmtp_own_key_package_row *row)
{
    xmtp_query q = xmtp_query_start(db, "INSERT INTO key_packages(init_key, wrapper_key,"
                                        " key_package, private_keys) VALUES(?, ?, ?, ?)");
    xmtp_query_bind_bytes(&q, row->init_key);
    xmtp_query_bind_bytes(&q, row->wrapper_key);
    xmtp_query_bind_bytes(&q, row->key_package);
    xmtp_query_bind_bytes(&q, row->private_keys);
    return xmtp_query_run(&q);
}

static xmtp_status read_key_package(xmtp_query *q, xmtp_arena *arena, xmtp_own_key_package_row *out)
{
    XMTP_TRY(xmtp_query_one(q));
    XMTP_TRY(xmtp_query_bytes(q, 0, arena, &out->init_key));
    XMTP_TRY(xmtp_query_bytes(q, 1, arena, &out->wrapper_key));
    XMTP_TRY(xmtp_query_bytes(q, 2, arena, &out->key_package));
    return xmtp_query_bytes(q, 3, arena, &out->private_keys);
}

xmtp_status xmtp_own_key_package_find(xmtp_database *db, xmtp_bytes public_key, xmtp_arena *arena,
                                      xmtp_own_key_package_row *out)
{
    xmtp_query q =
        xmtp_query_start(db, "SELECT init_key, wrapper_key, key_package, private_keys"
                             " FROM key_packages WHERE init_key = ?1 OR wrapper_key = ?1");
    xmtp_query_bind_bytes(&q, public_key);
    xmtp_status status = read_key_package(&q, arena, out);
    xmtp_query_end(&q);
    return status;
}

xmtp_status xmtp_own_key_package_newest(xmtp_database *db, xmtp_arena *arena,
                                        xmtp_own_key_package_row *out)
{
    xmtp_query q = xmtp_query_start(db, "SELECT init_key, wrapper_key, key_package, private_keys"
                                        " FROM key_packages ORDER BY id DESC LIMIT 1");
    xmtp_status status = read_key_package(&q, arena, out);
    xmtp_query_end(&q);
    return status;
}

xmtp_status xmtp_own_key_package_retire(xmtp_database *db, uint64_t delete_at_ns)
{
    xmtp_query q =
        xmtp_query_start(db, "UPDATE key_packages SET delete_at_ns = ? WHERE delete_at_ns IS NULL"
                             " AND id <> (SELECT max(id) FROM key_packages)");
    xmtp_query_bind_u64(&q, delete_at_ns);
    return xmtp_query_run(&q);
}

xmtp_status xmtp_own_key_package_delete_expired(xmtp_database *db, uint64_t now_ns)
{
    xmtp_query q = xmtp_query_start(db, "DELETE FROM key_packages WHERE delete_at_ns <= ?");
    xmtp_query_bind_u64(&q, now_ns);
    return xmtp_query_run(&q);
}

/* ---- identity logs */

xmtp_status xmtp_identity_update_insert(xmtp_database *db, const char *inbox_id,
                                        uint64_t sequence_id, xmtp_bytes data)
{
    xmtp_query q = xmtp_query_start(db, "INSERT OR IGNORE INTO identity_updates(inbox_id,"
                                        " sequence_id, data) VALUES(?, ?, ?)");
    xmtp_query_bind_text(&q, inbox_id);
    xmtp_query_bind_u64(&q, sequence_id);
    xmtp_query_bind_bytes(&q, data);
    return xmtp_query_run(&q);
}

xmtp_status xmtp_identity_update_newest(xmtp_database *db, const char *inbox_id,
                                        uint64_t *sequence_id)
{
    *sequence_id = 0;
    xmtp_query q =
        xmtp_query_start(db, "SELECT max(sequence_id) FROM identity_updates WHERE inbox_id = ?");
    xmtp_query_bind_text(&q, inbox_id);
    xmtp_status status = xmtp_query_one(&q);
    if (status == XMTP_OK) {
        *sequence_id = xmtp_query_u64(&q, 0);
    }
    xmtp_query_end(&q);
    return status;
}

xmtp_status xmtp_identity_update_each(xmtp_database *db, const char *inbox_id, uint64_t after,
                                      uint64_t up_to, void *context,
                                      xmtp_status (*visit)(void *context, uint64_t sequence_id,
                                                           xmtp_bytes data))
{
    xmtp_query q =
        xmtp_query_start(db, "SELECT sequence_id, data FROM identity_updates WHERE inbox_id = ?"
                             " AND sequence_id > ? AND sequence_id <= ? ORDER BY sequence_id");
    xmtp_query_bind_text(&q, inbox_id);
    xmtp_query_bind_u64(&q, after);
    xmtp_query_bind_u64(&q, up_to);
    bool has_row = false;
    xmtp_status status = xmtp_query_step(&q, &has_row);
    while (status == XMTP_OK && has_row) {
        status = visit(context, xmtp_query_u64(&q, 0), xmtp_query_view(&q, 1));
        if (status == XMTP_OK) {
            status = xmtp_query_step(&q, &has_row);
        }
    }
    xmtp_query_end(&q);
    return status;
}

/* ---- states and addresses */

xmtp_status xmtp_association_state_write(xmtp_database *db, const char *inbox_id,
                                         uint64_t sequence_id, xmtp_bytes record,
                                         const char *address)
{
    xmtp_query q = xmtp_query_start(db, "UPDATE identity_updates SET state = ?, address = ?"
                                        " WHERE inbox_id = ? AND sequence_id = ?");
    xmtp_query_bind_bytes(&q, record);
    xmtp_query_bind_text(&q, address);
    xmtp_query_bind_text(&q, inbox_id);
    xmtp_query_bind_u64(&q, sequence_id);
    return xmtp_query_run(&q);
}

xmtp_status xmtp_association_state_read(xmtp_database *db, const char *inbox_id,
                                        uint64_t sequence_id, uint64_t *found_id, xmtp_arena *arena,
                                        xmtp_bytes *record)
{
    xmtp_query q = xmtp_query_start(db, "SELECT sequence_id, state FROM identity_updates"
                                        " WHERE inbox_id = ? AND sequence_id <= ?"
                                        " AND state IS NOT NULL ORDER BY sequence_id DESC LIMIT 1");
    xmtp_query_bind_text(&q, inbox_id);
    xmtp_query_bind_u64(&q, sequence_id);
    xmtp_status status = xmtp_query_one(&q);
    if (status == XMTP_OK) {
        *found_id = xmtp_query_u64(&q, 0);
        status = xmtp_query_bytes(&q, 1, arena, record);
    }
    xmtp_query_end(&q);
    return status;
}

xmtp_status xmtp_inbox_address_read(xmtp_database *db, const char *inbox_id, char *out,
                                    size_t capacity)
{
    out[0] = '\0';
    xmtp_query q =
        xmtp_query_start(db, "SELECT address FROM identity_updates WHERE inbox_id = ?"
                             " AND address IS NOT NULL ORDER BY sequence_id DESC LIMIT 1");
    xmtp_query_bind_text(&q, inbox_id);
    xmtp_status status = xmtp_query_one(&q);
    if (status == XMTP_OK) {
        xmtp_bytes text = xmtp_query_view(&q, 0);
        (void)snprintf(out, capacity, "%.*s", (int)text.n, (const char *)text.p);
    }
    xmtp_query_end(&q);
    return status == XMTP_E_NOT_FOUND ? XMTP_OK : status;
}

xmtp_status xmtp_identifier_write(xmtp_database *db, const char *address, const char *inbox_id)
{
    xmtp_query q =
        xmtp_query_start(db, "INSERT OR REPLACE INTO identifiers(address, inbox_id) VALUES(?, ?)");
    xmtp_query_bind_text(&q, address);
    xmtp_query_bind_text(&q, inbox_id);
    return xmtp_query_run(&q);
}

xmtp_status xmtp_identifier_read(xmtp_database *db, const char *address, char *out, size_t capacity)
{
    xmtp_query q = xmtp_query_start(db, "SELECT inbox_id FROM identifiers WHERE address = ?");
    xmtp_query_bind_text(&q, address);
    xmtp_status status = xmtp_query_one(&q);
    if (status == XMTP_OK) {
        xmtp_bytes text = xmtp_query_view(&q, 0);
        (void)snprintf(out, capacity, "%.*s", (int)text.n, (const char *)text.p);
    }
    xmtp_query_end(&q);
    return status;
}
