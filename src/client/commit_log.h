/* commit_log.h - noting what became of commits, and comparing with the network's log. */
#ifndef XMTP_CLIENT_COMMIT_LOG_H
#define XMTP_CLIENT_COMMIT_LOG_H

#include "client/round.h"

/* Inside the caller's transaction; group is as it is afterwards. last_authenticator empty: nothing was
 * before, or it did not change. */
xmtp_status xmtp_commit_log_note(xmtp_client *client, int64_t ref, const xmtp_mls_group *group,
                                 uint64_t sequence, xmtp_commit_result result,
                                 xmtp_bytes last_authenticator, const char *kind,
                                 xmtp_error *error);
/* A commit that was stepped over. */
xmtp_status xmtp_commit_log_note_failure(group_work *work, uint64_t sequence, uint64_t commit_epoch,
                                         xmtp_commit_result result, xmtp_error *error);
/* Every five minutes, the first time five minutes after the database was made. */
xmtp_status xmtp_commit_log_chore(xmtp_client *client, xmtp_error *error);

#endif
