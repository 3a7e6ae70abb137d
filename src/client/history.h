/* history.h - history from one installation of an inbox to another (groups.md 7.2, 7.3). */
#ifndef XMTP_CLIENT_HISTORY_H
#define XMTP_CLIENT_HISTORY_H

#include "client/device_sync.h"
#include "rpc/http.h"

/* "{server}/files/{id}" and the zero byte */
enum { XMTP_HISTORY_FILE_URL_LEN = XMTP_HISTORY_URL_MAX + 160 };

/* ---- history_transfer.c */
xmtp_status xmtp_history_upload(xmtp_client *client, const xmtp_archive_options *options,
                                const char *server, const uint8_t key[XMTP_ARCHIVE_KEY_LEN],
                                char url[XMTP_HISTORY_FILE_URL_LEN], xmtp_error *error);
xmtp_status xmtp_history_download(xmtp_client *client, const char *url,
                                  const uint8_t key[XMTP_ARCHIVE_KEY_LEN],
                                  xmtp_archive_counts *counts, xmtp_error *error);

/* ---- history.c */
bool xmtp_history_pin_is_valid(const char *pin); /* NULL is none */
/* Answers what the others asked for and fetches what they have told of. What fails is tried again by
 * later chores, a few times; it does not fail here. */
xmtp_status xmtp_history_chore(xmtp_client *client, xmtp_error *error);

#endif
