/* identity_store.h - what the database keeps about ourselves and about the inboxes we met. */
#ifndef XMTP_STORE_IDENTITY_STORE_H
#define XMTP_STORE_IDENTITY_STORE_H

#include "base/arena.h"
#include "store/database.h"

/* ---- settings: one value per name. Read: XMTP_E_NOT_FOUND. */
xmtp_status xmtp_setting_read(xmtp_database *db, const char *name, xmtp_arena *arena,
                              xmtp_bytes *out);
xmtp_status xmtp_setting_write(xmtp_database *db, const char *name, xmtp_bytes value);
/* Numbers; 0 when there is none. raise never lowers. */
xmtp_status xmtp_setting_number(xmtp_database *db, const char *name, uint64_t *out);
xmtp_status xmtp_setting_set(xmtp_database *db, const char *name, uint64_t value);
xmtp_status xmtp_setting_raise(xmtp_database *db, const char *name, uint64_t value);

/* ---- this installation */
typedef struct xmtp_identity_row {
    const char *inbox_id;
    const char *address;
    xmtp_bytes installation_seed;
    xmtp_bytes pending_update; /* identity update not yet seen in the log; empty once registered */
    uint64_t next_rotation_ns; /* of the key package */
} xmtp_identity_row;

xmtp_status xmtp_identity_read(xmtp_database *db, xmtp_arena *arena, xmtp_identity_row *out);
xmtp_status xmtp_identity_write(xmtp_database *db, const xmtp_identity_row *row);
xmtp_status xmtp_identity_set_registered(xmtp_database *db);
xmtp_status xmtp_identity_forget(xmtp_database *db);
xmtp_status xmtp_identity_set_rotation(xmtp_database *db, uint64_t next_rotation_ns);

/* ---- our key packages */
typedef struct xmtp_own_key_package_row {
    xmtp_bytes init_key;
    xmtp_bytes wrapper_key;
    xmtp_bytes key_package;
    xmtp_bytes private_keys; /* as the client encodes them */
} xmtp_own_key_package_row;

xmtp_status xmtp_own_key_package_insert(xmtp_database *db, const xmtp_own_key_package_row *row);
/* By either public key. */
xmtp_status xmtp_own_key_package_find(xmtp_database *db, xmtp_bytes public_key, xmtp_arena *arena,
                                      xmtp_own_key_package_row *out);
xmtp_status xmtp_own_key_package_newest(xmtp_database *db, xmtp_arena *arena,
                                        xmtp_own_key_package_row *out);
/* All but the newest are deleted at that time, unless an earlier one is set. */
xmtp_status xmtp_own_key_package_retire(xmtp_database *db, uint64_t delete_at_ns);
xmtp_status xmtp_own_key_package_delete_expired(xmtp_database *db, uint64_t now_ns);

/* ---- identity logs */
xmtp_status xmtp_identity_update_insert(xmtp_database *db, const char *inbox_id,
                                        uint64_t sequence_id, xmtp_bytes data); /* or ignore */
/* Newest sequence id known; 0 when none. */
xmtp_status xmtp_identity_update_newest(xmtp_database *db, const char *inbox_id,
                                        uint64_t *sequence_id);
/* In ascending order, after < sequence id <= up_to. */
xmtp_status xmtp_identity_update_each(xmtp_database *db, const char *inbox_id, uint64_t after,
                                      uint64_t up_to, void *context,
                                      xmtp_status (*visit)(void *context, uint64_t sequence_id,
                                                           xmtp_bytes data));

/* ---- states and addresses */
/* Of the log up to this update, which is stored; else nothing is. address: the inbox's first wallet at that
 * time, for display; "": none. */
xmtp_status xmtp_association_state_write(xmtp_database *db, const char *inbox_id,
                                         uint64_t sequence_id, xmtp_bytes record,
                                         const char *address);
/* The newest kept state at or before sequence_id. */
xmtp_status xmtp_association_state_read(xmtp_database *db, const char *inbox_id,
                                        uint64_t sequence_id, uint64_t *found_id, xmtp_arena *arena,
                                        xmtp_bytes *record);
/* In the newest kept state. out receives at most capacity - 1 characters; "" when unknown. */
xmtp_status xmtp_inbox_address_read(xmtp_database *db, const char *inbox_id, char *out,
                                    size_t capacity);
xmtp_status xmtp_identifier_write(xmtp_database *db, const char *address, const char *inbox_id);
/* What the node last said about an address. XMTP_E_NOT_FOUND. */
xmtp_status xmtp_identifier_read(xmtp_database *db, const char *address, char *out,
                                 size_t capacity);

#endif
