/* scheduling.h - struct sched_attr of sched_setattr(2), which C libraries before glibc 2.41 do not have; private
 * to this room. */
#ifndef XMTP_BASE_SCHEDULING_H
#define XMTP_BASE_SCHEDULING_H

#include <stdint.h>

typedef struct scheduling {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime; /* of the fair policy: the slice, ns */
    uint64_t deadline;
    uint64_t period;
    uint32_t util_min;
    uint32_t util_max;
} scheduling;

#endif
