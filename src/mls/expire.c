/* expire.c - deleting past epochs by their age, and what earlier configurations left behind.
 *
 *     epochs[0]  started ---------------------------------->
 *     epochs[1]  started ----> ended with the start of epochs[0]; kept until ended + age_max
 *     epochs[2]  ...
 *
 * The oldest is at the end of the array, so expiring cuts the array short.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "mls/group.h"

uint64_t xmtp_group_now_s(const xmtp_mls_group *group)
{
    return group->env->now_ns(group->env->context) / 1000000000u;
}

bool xmtp_epoch_is_expired(const xmtp_mls_group *group, const xmtp_epoch *epoch)
{
    const uint64_t age_max_s = group->config.past_epoch_age_max_s;
    const uint64_t now_s = xmtp_group_now_s(group);
    const uint64_t ended_s = epoch[-1].started_s;
    return age_max_s > 0 && now_s > ended_s && now_s - ended_s > age_max_s;
}

xmtp_status xmtp_group_note_stale(xmtp_mls_group *group, xmtp_bytes key)
{
    const xmtp_alloc *alloc = group->alloc;
    XMTP_ENSURE(key.n <= XMTP_RECORD_KEY_MAX, XMTP_E_CORRUPT);
    if (group->stale_count == group->stale_capacity) {
        const uint32_t capacity = group->stale_capacity == 0 ? 16 : 2 * group->stale_capacity;
        void *p = alloc->reallocate(alloc->context, group->stale, capacity * sizeof *group->stale);
        XMTP_ENSURE(p != NULL, XMTP_E_NOMEM);
        group->stale = p;
        group->stale_capacity = capacity;
    }
    xmtp_record_key *note = &group->stale[group->stale_count++];
    *note = (xmtp_record_key){.n = (uint8_t)key.n};
    xmtp_copy(note->p, key.p, key.n);
    return XMTP_OK;
}

static uint32_t count_fresh(const xmtp_mls_group *group)
{
    uint32_t count = group->epoch_count;
    while (count > 1 && xmtp_epoch_is_expired(group, &group->epochs[count - 1])) {
        count--;
    }
    return count;
}

xmtp_status xmtp_group_expire(xmtp_mls_group *group, xmtp_mls_writes *writes)
{
    const uint32_t fresh = count_fresh(group);
    for (uint32_t i = fresh; i < group->epoch_count; i++) {
        xmtp_records_delete_epoch(&group->epochs[i], writes);
    }
    for (uint32_t i = 0; i < group->stale_count; i++) {
        xmtp_writes_delete(writes, group->stale[i]);
    }
    XMTP_TRY(xmtp_writes_status(writes));
    while (group->epoch_count > fresh) {
        xmtp_epoch_free(group->alloc, &group->epochs[--group->epoch_count]);
    }
    group->stale_count = 0;
    return XMTP_OK;
}

xmtp_status xmtp_mls_group_expire(xmtp_mls_group *group, xmtp_mls_writes *writes, xmtp_error *error)
{
    size_t mark = xmtp_writes_mark(writes);
    xmtp_status status = xmtp_group_expire(group, writes);
    if (status != XMTP_OK) {
        xmtp_writes_rollback(writes, mark);
        return xmtp_fail_default(error, status, "expiring past epochs");
    }
    return XMTP_OK;
}
