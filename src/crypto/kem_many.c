/* kem_many.c - many key pairs and many encapsulations, by whatever a KEM has for it. */
#include "base/status.h"
#include "base/together.h"
#include "crypto/encap_together.h"

#include <stdatomic.h>

xmtp_status xmtp_kem_encap_many(const xmtp_kem *kem, const xmtp_kem_encap *jobs, size_t count)
{
    if (kem->encap_many != NULL) {
        return kem->encap_many(jobs, count);
    }
    for (size_t i = 0; i < count; i++) {
        XMTP_TRY(kem->encap(jobs[i].pk, jobs[i].seed, jobs[i].enc, jobs[i].ss));
    }
    return XMTP_OK;
}

xmtp_status xmtp_kem_derive_many(const xmtp_kem *kem, const xmtp_kem_derive *jobs, size_t count)
{
    if (kem->derive_many != NULL) {
        return kem->derive_many(jobs, count);
    }
    for (size_t i = 0; i < count; i++) {
        XMTP_TRY(kem->derive_key_pair(jobs[i].ikm, jobs[i].sk, jobs[i].pk));
    }
    return XMTP_OK;
}

typedef struct encaps {
    const xmtp_kem_encap *jobs;
    xmtp_encap_step step;
    atomic_bool has_failed;
} encaps;

static void encap_some(void *context, size_t first, size_t count)
{
    encaps *e = context;
    if (e->step(e->jobs + first, count) != XMTP_OK) {
        atomic_store(&e->has_failed, true);
    }
}

xmtp_status xmtp_encap_together(const xmtp_kem_encap *jobs, size_t count, xmtp_encap_step step,
                                size_t piece, size_t piece_us)
{
    encaps e = {.jobs = jobs, .step = step};
    xmtp_together(&(xmtp_together_work){
        .count = count, .piece = piece, .piece_us = piece_us, .step = encap_some, .context = &e});
    return atomic_load(&e.has_failed) ? XMTP_E_KEY : XMTP_OK;
}
