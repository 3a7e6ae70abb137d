/* post_commit.h - the record of those who get a welcome once our commit is in. */
#ifndef XMTP_CLIENT_POST_COMMIT_H
#define XMTP_CLIENT_POST_COMMIT_H

#include "base/writer.h"
#include "identity/key_package.h"

/* Appends one installation; the record starts with the welcome as a vector. content: of the commit that adds it
 * (xmtp_mls_pending_content), kept beside the record. *at: where its key package may begin there, moved
 * behind it; key packages come in the order of the commit. XMTP_E_INTERNAL: it is not there. */
XMTP_MUST_CHECK xmtp_status xmtp_post_commit_add(xmtp_writer *w,
                                                 const xmtp_inbox_key_package *key_package,
                                                 xmtp_bytes content, size_t *at);

#endif
