/* group_create.h - names of DMs. */
#ifndef XMTP_CLIENT_GROUP_CREATE_H
#define XMTP_CLIENT_GROUP_CREATE_H

#include <xmtp/names.h>

enum { XMTP_DM_ID_LEN = 3 + XMTP_INBOX_ID_LEN + 1 + XMTP_INBOX_ID_LEN };

/* "dm:" and both inbox ids in ascending order (groups.md 2.8): the same for both sides. */
void xmtp_dm_id(const char *one, const char *two, char out[XMTP_DM_ID_LEN + 1]);

#endif
