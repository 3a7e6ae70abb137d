/* post_commit.h - the record of those who get a welcome once our commit is in. */
#ifndef XMTP_CLIENT_POST_COMMIT_H
#define XMTP_CLIENT_POST_COMMIT_H

#include "base/writer.h"
#include "identity/key_package.h"

/* Where wrapper keys are looked for in a commit's content: key packages come in the order of the commit, and
 * are mostly as long as each other. Starts as zeros. */
typedef struct xmtp_key_places {
    size_t behind; /* the last one found */
    size_t gap;    /* from the end of the one before to its beginning */
} xmtp_key_places;

/* Appends one installation; the record starts with the welcome as a vector. content: of the commit that adds it
 * (xmtp_mls_pending_content), kept beside the record. XMTP_E_INTERNAL: its key is not there. */
XMTP_MUST_CHECK xmtp_status xmtp_post_commit_add(xmtp_writer *w,
                                                 const xmtp_inbox_key_package *key_package,
                                                 xmtp_bytes content, xmtp_key_places *places);

#endif
