/* device_sync.h - what the installations of this inbox tell each other (groups.md 7.2).
 *
 *     device_sync.c    sync groups: made, spoken in, read; the chore
 *     preferences.c    consent and the HMAC root, both ways
 *     history.c        archives, see history.h
 */
#ifndef XMTP_CLIENT_DEVICE_SYNC_H
#define XMTP_CLIENT_DEVICE_SYNC_H

#include "client/round.h"
#include "proto/device_sync.pb-c.h"

/* ---- device_sync.c */

/* XMTP_E_ARGUMENT when device sync is off. */
xmtp_status xmtp_sync_check_on(const xmtp_client *client, xmtp_error *error);
/* options NULL: off. XMTP_E_ARGUMENT, XMTP_E_NOMEM. */
xmtp_status xmtp_device_sync_configure(xmtp_client *client, const xmtp_device_sync_options *options,
                                       xmtp_error *error);
/* There is a group to speak in, made now when need be. */
xmtp_status xmtp_sync_ready(xmtp_client *client, xmtp_error *error);
/* What a message of a sync group holds, in the arena. XMTP_E_CONTENT, XMTP_E_MALFORMED. */
xmtp_status xmtp_sync_decode(xmtp_arena *arena, xmtp_bytes content,
                             const Pb__DeviceSyncContent **out);

/* Says something to the other installations, in the newest sync group; with: as in round.h. Members
 * are brought up to date before, whatever the node: what is said holds keys. */
xmtp_status xmtp_sync_say(xmtp_client *client, const Pb__DeviceSyncContent *content,
                          const xmtp_with_message *with, xmtp_error *error);
/* A message of a sync group by an installation of this inbox (is_own: by this one), inside the
 * caller's transaction. What does not parse is ignored. */
xmtp_status xmtp_sync_message(xmtp_client *client, const xmtp_message_row *row, bool is_own,
                              xmtp_error *error);
/* The same for one of ours that came back. */
xmtp_status xmtp_sync_own_message(xmtp_client *client, xmtp_bytes message_id, xmtp_error *error);
/* An installation of this inbox is new: it has made a sync group, or a refresh of ours has found it.
 * The next chore takes it into the conversations. Inside a transaction or not. */
xmtp_status xmtp_sync_newcomer(xmtp_client *client, xmtp_error *error);
/* Does what is due; nothing when device sync is off. */
xmtp_status xmtp_device_sync_chore(xmtp_client *client, xmtp_error *error);

/* ---- group_create.c */
xmtp_status xmtp_sync_group_create(xmtp_client *client, xmtp_error *error);

/* ---- preferences.c */

/* What another installation decided; inside the caller's transaction. */
xmtp_status xmtp_preferences_apply(xmtp_client *client, const Pb__SyncPreferences *updates,
                                   xmtp_error *error);
/* Tells the others what they do not know yet. */
xmtp_status xmtp_preferences_send(xmtp_client *client, xmtp_error *error);
/* A new HMAC root, to be told; inside the caller's transaction. */
xmtp_status xmtp_hmac_cycle(xmtp_client *client, xmtp_error *error);
/* The next chore makes a new HMAC root: an installation is about to be revoked. */
xmtp_status xmtp_hmac_expect_cycle(xmtp_client *client, xmtp_error *error);

#endif
