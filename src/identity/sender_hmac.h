/* sender_hmac.h - how a push server recognises a sender's own messages (groups.md 5.6, 7.4).
 *
 *     key  = HKDF-SHA256(salt "libXMTP HKDF salt!", ikm = root || group id,
 *                        info = group id || epoch as 64-bit little endian), 42 bytes
 *     hmac = HMAC-SHA256(key, MLSMessage as sent)              epoch = 30 days since 1970
 */
#ifndef XMTP_IDENTITY_SENDER_HMAC_H
#define XMTP_IDENTITY_SENDER_HMAC_H

#include <xmtp/base.h>

enum {
    XMTP_HMAC_ROOT_LEN = 42,
    XMTP_HMAC_KEY_LEN = 42,
    XMTP_SENDER_HMAC_LEN = 32,
    XMTP_HMAC_EPOCH_S = 2592000,
    XMTP_HMAC_GROUP_ID_MAX = 255,
};

int64_t xmtp_hmac_epoch(uint64_t now_ns);

/* XMTP_E_LENGTH: group_id longer than XMTP_HMAC_GROUP_ID_MAX. Wipe key after use. */
XMTP_MUST_CHECK xmtp_status xmtp_hmac_key(const uint8_t root[XMTP_HMAC_ROOT_LEN],
                                          xmtp_bytes group_id, int64_t epoch,
                                          uint8_t key[XMTP_HMAC_KEY_LEN]);

/* Both steps for a message sent now. */
XMTP_MUST_CHECK xmtp_status xmtp_sender_hmac(const uint8_t root[XMTP_HMAC_ROOT_LEN],
                                             xmtp_bytes group_id, uint64_t now_ns,
                                             xmtp_bytes message, uint8_t out[XMTP_SENDER_HMAC_LEN]);

#endif
