/* post_commit.h - the record of those who get a welcome once our commit is in. */
#ifndef XMTP_CLIENT_POST_COMMIT_H
#define XMTP_CLIENT_POST_COMMIT_H

#include "base/writer.h"
#include "identity/key_package.h"

/* Appends one installation; the record starts with the welcome as a vector. */
void xmtp_post_commit_add(xmtp_writer *w, const xmtp_inbox_key_package *key_package);

#endif
