/* suite.c - which algorithms make a cipher suite (RFC 9420 section 17.1). */
#include "crypto/crypto.h"

enum { KDF_HKDF_SHA256 = 0x0001 };

const xmtp_suite xmtp_suite_x25519_chacha = {
    .id = 0x0003,
    .name = "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519",
    .hash = &xmtp_hash_sha256,
    .aead = &xmtp_aead_chacha20poly1305,
    .kem = &xmtp_kem_x25519,
    .signature = &xmtp_signature_ed25519,
    .kdf_id = KDF_HKDF_SHA256,
};

/* XMTP: only the HPKE of welcomes uses it (identity.md 7.1), so it is not found by its number. */
const xmtp_suite xmtp_suite_xwing_chacha = {
    .id = 0x004d,
    .name = "XWING_CHACHA20POLY1305_SHA256_Ed25519",
    .hash = &xmtp_hash_sha256,
    .aead = &xmtp_aead_chacha20poly1305,
    .kem = &xmtp_kem_xwing_004d,
    .signature = &xmtp_signature_ed25519,
    .kdf_id = KDF_HKDF_SHA256,
};

const xmtp_suite *xmtp_suite_by_id(uint16_t id)
{
    static const xmtp_suite *const suites[] = {&xmtp_suite_x25519_chacha};
    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++) {
        if (suites[i]->id == id) {
            return suites[i];
        }
    }
    return NULL;
}
