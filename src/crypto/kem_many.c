/* kem_many.c - many key pairs and many encapsulations, by whatever a KEM has for it. */
#include "base/status.h"
#include "crypto/crypto.h"

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
