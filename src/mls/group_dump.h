/* group_dump.h - for tests: the whole state of a group as records, and the check that a member's
 * store holds exactly that. Include after group_world.h. */
#ifndef XMTP_MLS_GROUP_DUMP_H
#define XMTP_MLS_GROUP_DUMP_H

#include "mls/group.h"
#include "mls/group_world.h"

static inline void dump_past_epoch(const xmtp_mls_group *group, const xmtp_epoch *epoch,
                                   xmtp_mls_writes *writes)
{
    xmtp_records_put_epoch(epoch, writes);
    xmtp_records_put_secret_tree(epoch, writes);
    for (uint32_t i = 0; i < epoch->secret_tree.ratchet_count; i++) {
        xmtp_records_put_ratchet(group->suite, epoch->number, &epoch->secret_tree.ratchets[i],
                                 writes);
    }
    xmtp_writer *w =
        xmtp_writes_open(writes, xmtp_record_key_epoch(XMTP_RECORD_LEAVES, epoch->number));
    xmtp_writer_put(w, xmtp_buffer_bytes(&epoch->leaves_before));
    xmtp_writes_close(writes);
}

/* Active groups only. */
static inline void group_digest(const xmtp_mls_group *group, uint8_t out[32])
{
    xmtp_mls_writes *writes;
    world_store store = {0};
    assert_int_equal(xmtp_mls_writes_new(&writes, group->env), XMTP_OK);
    xmtp_records_put_all(group, writes);
    for (uint32_t i = 1; i < group->epoch_count; i++) {
        dump_past_epoch(group, &group->epochs[i], writes);
    }
    assert_int_equal(xmtp_writes_status(writes), XMTP_OK);
    world_store_apply(&store, writes);
    world_store_digest(&store, out);
    world_store_free(&store);
    xmtp_mls_writes_free(writes);
}

/* Memory and store say the same. */
static inline void member_check_store(member *m)
{
    uint8_t memory[32], stored[32];
    if (!xmtp_mls_group_is_active(m->group)) {
        return;
    }
    group_digest(m->group, memory);
    world_store_digest(&m->store, stored);
    assert_memory_equal(memory, stored, 32);
}

#endif
