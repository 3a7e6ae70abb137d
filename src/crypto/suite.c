/* suite.c - which algorithms make a cipher suite (RFC 9420 section 17.1).
 *
 *     id      KEM     AEAD                hash     signature
 *     0x0001  X25519  AES-128-GCM         SHA-256  Ed25519
 *     0x0002  P-256   AES-128-GCM         SHA-256  ECDSA P-256
 *     0x0003  X25519  ChaCha20-Poly1305   SHA-256  Ed25519
 *     0x0004  X448    AES-256-GCM         SHA-512  Ed448
 *     0x0005  P-521   AES-256-GCM         SHA-512  ECDSA P-521
 *     0x0006  X448    ChaCha20-Poly1305   SHA-512  Ed448
 *     0x0007  P-384   AES-256-GCM         SHA-384  ECDSA P-384
 *     0xf004  X-Wing  ChaCha20-Poly1305   SHA-256  Ed25519      ours, in the range for private use
 */
#include "crypto/crypto.h"

enum { KDF_HKDF_SHA256 = 0x0001, KDF_HKDF_SHA384 = 0x0002, KDF_HKDF_SHA512 = 0x0003 };

static const xmtp_suite x25519_aes128 = {
    .id = 0x0001,
    .name = "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519",
    .hash = &xmtp_hash_sha256,
    .aead = &xmtp_aead_aes128gcm,
    .kem = &xmtp_kem_x25519,
    .signature = &xmtp_signature_ed25519,
    .kdf_id = KDF_HKDF_SHA256,
};

static const xmtp_suite p256_aes128 = {
    .id = 0x0002,
    .name = "MLS_128_DHKEMP256_AES128GCM_SHA256_P256",
    .hash = &xmtp_hash_sha256,
    .aead = &xmtp_aead_aes128gcm,
    .kem = &xmtp_kem_p256,
    .signature = &xmtp_signature_ecdsa_p256,
    .kdf_id = KDF_HKDF_SHA256,
};

const xmtp_suite xmtp_suite_x25519_chacha = {
    .id = 0x0003,
    .name = "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519",
    .hash = &xmtp_hash_sha256,
    .aead = &xmtp_aead_chacha20poly1305,
    .kem = &xmtp_kem_x25519,
    .signature = &xmtp_signature_ed25519,
    .kdf_id = KDF_HKDF_SHA256,
};

static const xmtp_suite x448_aes256 = {
    .id = 0x0004,
    .name = "MLS_256_DHKEMX448_AES256GCM_SHA512_Ed448",
    .hash = &xmtp_hash_sha512,
    .aead = &xmtp_aead_aes256gcm,
    .kem = &xmtp_kem_x448,
    .signature = &xmtp_signature_ed448,
    .kdf_id = KDF_HKDF_SHA512,
};

static const xmtp_suite p521_aes256 = {
    .id = 0x0005,
    .name = "MLS_256_DHKEMP521_AES256GCM_SHA512_P521",
    .hash = &xmtp_hash_sha512,
    .aead = &xmtp_aead_aes256gcm,
    .kem = &xmtp_kem_p521,
    .signature = &xmtp_signature_ecdsa_p521,
    .kdf_id = KDF_HKDF_SHA512,
};

static const xmtp_suite x448_chacha = {
    .id = 0x0006,
    .name = "MLS_256_DHKEMX448_CHACHA20POLY1305_SHA512_Ed448",
    .hash = &xmtp_hash_sha512,
    .aead = &xmtp_aead_chacha20poly1305,
    .kem = &xmtp_kem_x448,
    .signature = &xmtp_signature_ed448,
    .kdf_id = KDF_HKDF_SHA512,
};

static const xmtp_suite p384_aes256 = {
    .id = 0x0007,
    .name = "MLS_256_DHKEMP384_AES256GCM_SHA384_P384",
    .hash = &xmtp_hash_sha384,
    .aead = &xmtp_aead_aes256gcm,
    .kem = &xmtp_kem_p384,
    .signature = &xmtp_signature_ecdsa_p384,
    .kdf_id = KDF_HKDF_SHA384,
};

const xmtp_suite xmtp_suite_xwing_group = {
    .id = 0xf004,
    .name = "XWING_CHACHA20POLY1305_SHA256_Ed25519",
    .hash = &xmtp_hash_sha256,
    .aead = &xmtp_aead_chacha20poly1305,
    .kem = &xmtp_kem_xwing,
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

static const xmtp_suite *const group_suites[] = {
    &x25519_aes128, &p256_aes128, &xmtp_suite_x25519_chacha, &x448_aes256, &p521_aes256,
    &x448_chacha,   &p384_aes256, &xmtp_suite_xwing_group,
};

const xmtp_suite *xmtp_suite_by_id(uint16_t id)
{
    for (size_t i = 0; i < sizeof group_suites / sizeof group_suites[0]; i++) {
        if (group_suites[i]->id == id) {
            return group_suites[i];
        }
    }
    return NULL;
}
