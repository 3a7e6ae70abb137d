/* sender_hmac.c - the key of one group and one 30-day epoch, and the tag under it. */
#include "identity/sender_hmac.h"

#include "base/bytes.h"
#include "base/status.h"
#include "crypto/crypto.h"

int64_t xmtp_hmac_epoch(uint64_t now_ns)
{
    return (int64_t)(now_ns / 1000000000u / XMTP_HMAC_EPOCH_S);
}

xmtp_status xmtp_hmac_key(const uint8_t root[XMTP_HMAC_ROOT_LEN], xmtp_bytes group_id,
                          int64_t epoch, uint8_t key[XMTP_HMAC_KEY_LEN])
{
    XMTP_ENSURE(group_id.n <= XMTP_HMAC_GROUP_ID_MAX, XMTP_E_LENGTH);
    uint8_t ikm[XMTP_HMAC_ROOT_LEN + XMTP_HMAC_GROUP_ID_MAX];
    memcpy(ikm, root, XMTP_HMAC_ROOT_LEN);
    xmtp_copy(ikm + XMTP_HMAC_ROOT_LEN, group_id.p, group_id.n);
    uint8_t info[XMTP_HMAC_GROUP_ID_MAX + 8];
    xmtp_copy(info, group_id.p, group_id.n);
    for (size_t i = 0; i < 8; i++) {
        info[group_id.n + i] = (uint8_t)((uint64_t)epoch >> (8 * i));
    }
    xmtp_secret prk;
    xmtp_hkdf_extract(&xmtp_hash_sha256, xmtp_bytes_of_string("libXMTP HKDF salt!"),
                      xmtp_bytes_of(ikm, XMTP_HMAC_ROOT_LEN + group_id.n), &prk);
    xmtp_status status =
        xmtp_hkdf_expand(&xmtp_hash_sha256, xmtp_secret_bytes(&prk),
                         xmtp_bytes_of(info, group_id.n + 8), key, XMTP_HMAC_KEY_LEN);
    xmtp_secret_wipe(&prk);
    xmtp_wipe(ikm, sizeof ikm);
    return status;
}

xmtp_status xmtp_sender_hmac(const uint8_t root[XMTP_HMAC_ROOT_LEN], xmtp_bytes group_id,
                             uint64_t now_ns, xmtp_bytes message, uint8_t out[XMTP_SENDER_HMAC_LEN])
{
    uint8_t key[XMTP_HMAC_KEY_LEN];
    XMTP_TRY(xmtp_hmac_key(root, group_id, xmtp_hmac_epoch(now_ns), key));
    xmtp_hmac_of(&xmtp_hash_sha256, xmtp_bytes_of(key, sizeof key), message, out);
    xmtp_wipe(key, sizeof key);
    return XMTP_OK;
}
