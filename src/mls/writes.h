/* writes.h - the list of puts and deletes that an operation leaves behind, and the keys of records.
 *
 * Errors are sticky, as in a writer. A function that may still fail takes a mark first and rolls
 * back to it, so that a failed call appends nothing.
 */
#ifndef XMTP_MLS_WRITES_H
#define XMTP_MLS_WRITES_H

#include "base/writer.h"

#include <xmtp/mls.h>

/* Records of one group: first byte of the key, then the numbers, big-endian.
 *
 *   'h'                          header: who we are, where the group is, its secrets
 *   'n' node(4)                  one node of the ratchet tree
 *   'e' epoch(8)                 GroupContext and sender_data_secret of a kept epoch
 *   't' epoch(8)                 secret tree of a kept epoch
 *   'r' epoch(8) leaf(4) kind(1) one ratchet of a kept epoch
 *   'd' epoch(8)                 leaves that the commit which ended that epoch changed, as they
 * were
 *   'p' number(4)                one proposal kept during the current epoch
 *   's' epoch(8)                 resumption secret of a past epoch
 *   'i'                          the ReInit that ended this group
 *   'x'                          exporter tree of the current epoch, once something was exported
 */
enum {
    XMTP_RECORD_HEADER = 'h',
    XMTP_RECORD_NODE = 'n',
    XMTP_RECORD_EPOCH = 'e',
    XMTP_RECORD_SECRET_TREE = 't',
    XMTP_RECORD_RATCHET = 'r',
    XMTP_RECORD_LEAVES = 'd',
    XMTP_RECORD_PROPOSAL = 'p',
    XMTP_RECORD_RESUMPTION = 's',
    XMTP_RECORD_REINIT = 'i',
    XMTP_RECORD_EXPORTER = 'x',
    XMTP_RECORD_KEY_MAX = 16,
};

typedef struct xmtp_record_key {
    uint8_t n;
    uint8_t p[XMTP_RECORD_KEY_MAX];
} xmtp_record_key;

static inline xmtp_bytes xmtp_record_key_bytes(const xmtp_record_key *key)
{
    return (xmtp_bytes){.p = key->p, .n = key->n};
}

xmtp_record_key xmtp_record_key_header(void);
xmtp_record_key xmtp_record_key_reinit(void);
xmtp_record_key xmtp_record_key_exporter(void);
xmtp_record_key xmtp_record_key_node(uint32_t node);
xmtp_record_key xmtp_record_key_proposal(uint32_t number);
/* type: EPOCH, SECRET_TREE, LEAVES or RESUMPTION */
xmtp_record_key xmtp_record_key_epoch(char type, uint64_t epoch);
xmtp_record_key xmtp_record_key_ratchet(uint64_t epoch, uint32_t leaf_index, uint8_t kind);

/* A put whose value is written to the returned writer until close. Never NULL. */
xmtp_writer *xmtp_writes_open(xmtp_mls_writes *writes, xmtp_record_key key);
void xmtp_writes_close(xmtp_mls_writes *writes);
void xmtp_writes_delete(xmtp_mls_writes *writes, xmtp_record_key key);

/* The first error of the list. */
xmtp_status xmtp_writes_status(const xmtp_mls_writes *writes) XMTP_MUST_CHECK;

/* How long the list is; rollback cuts it to that and clears the error. */
size_t xmtp_writes_mark(const xmtp_mls_writes *writes);
void xmtp_writes_rollback(xmtp_mls_writes *writes, size_t mark);

#endif
