/* mls_count.h - for the MLS benchmark: how many primitives the library really calls.
 *
 *     library --xmtp_suite_by_id--> (linker, --wrap) --> a copy of the suite whose functions count
 *
 * Only one program includes this: the linker sends that program's calls here. Nothing of the library
 * is changed, and without counting the real suite is handed out.
 */
#ifndef BENCH_MLS_COUNT_H
#define BENCH_MLS_COUNT_H

#include "crypto/crypto.h"

typedef struct work {
    size_t sign, verify, dh, dh_base, aead;
} work;

static work worked;
static bool counting; /* from the start, or not at all */

const xmtp_suite *__real_xmtp_suite_by_id(uint16_t id);
const xmtp_suite *__wrap_xmtp_suite_by_id(uint16_t id);

#define REAL xmtp_suite_x25519_chacha

static xmtp_status count_sign(const uint8_t *sk, const uint8_t *pk, xmtp_bytes message,
                              uint8_t *signature, size_t *signature_len)
{
    worked.sign++;
    return REAL.signature->sign(sk, pk, message, signature, signature_len);
}

static xmtp_status count_verify(xmtp_bytes pk, xmtp_bytes message, xmtp_bytes signature)
{
    worked.verify++;
    return REAL.signature->verify(pk, message, signature);
}

static void count_verify_many(xmtp_signature_check *checks, size_t count)
{
    worked.verify += count;
    REAL.signature->verify_many(checks, count);
}

static xmtp_status count_derive(xmtp_bytes ikm, uint8_t *sk, uint8_t *pk)
{
    worked.dh_base++;
    return REAL.kem->derive_key_pair(ikm, sk, pk);
}

static xmtp_status count_public_key(const uint8_t *sk, uint8_t *pk)
{
    worked.dh_base++;
    return REAL.kem->public_key(sk, pk);
}

static xmtp_status count_encap(const uint8_t *pk, const uint8_t *seed, uint8_t *enc, uint8_t *ss)
{
    worked.dh++;
    worked.dh_base++;
    return REAL.kem->encap(pk, seed, enc, ss);
}

static xmtp_status count_encap_many(const xmtp_kem_encap *jobs, size_t count)
{
    worked.dh += count;
    worked.dh_base += count;
    return REAL.kem->encap_many(jobs, count);
}

static xmtp_status count_derive_many(const xmtp_kem_derive *jobs, size_t count)
{
    worked.dh_base += count;
    return REAL.kem->derive_many(jobs, count);
}

static xmtp_status count_decap(const uint8_t *sk, const uint8_t *pk, const uint8_t *enc,
                               uint8_t *ss)
{
    worked.dh++;
    worked.dh_base += pk == NULL;
    return REAL.kem->decap(sk, pk, enc, ss);
}

static xmtp_status count_seal(const uint8_t *key, const uint8_t *nonce, xmtp_bytes aad,
                              xmtp_bytes plaintext, uint8_t *out)
{
    worked.aead++;
    return REAL.aead->seal(key, nonce, aad, plaintext, out);
}

static xmtp_status count_open(const uint8_t *key, const uint8_t *nonce, xmtp_bytes aad,
                              xmtp_bytes ciphertext, uint8_t *out)
{
    worked.aead++;
    return REAL.aead->open(key, nonce, aad, ciphertext, out);
}

const xmtp_suite *__wrap_xmtp_suite_by_id(uint16_t id)
{
    static xmtp_signature signature;
    static xmtp_kem kem;
    static xmtp_aead aead;
    static xmtp_suite suite;
    if (!counting || id != REAL.id) {
        return __real_xmtp_suite_by_id(id);
    }
    if (suite.id == 0) {
        signature = *REAL.signature;
        signature.sign = count_sign;
        signature.verify = count_verify;
        signature.verify_many = REAL.signature->verify_many == NULL ? NULL : count_verify_many;
        kem = *REAL.kem;
        kem.derive_key_pair = count_derive;
        kem.public_key = count_public_key;
        kem.encap = count_encap;
        kem.encap_many = REAL.kem->encap_many == NULL ? NULL : count_encap_many;
        kem.derive_many = REAL.kem->derive_many == NULL ? NULL : count_derive_many;
        kem.decap = count_decap;
        aead = *REAL.aead;
        aead.seal = count_seal;
        aead.open = count_open;
        suite = REAL;
        suite.signature = &signature;
        suite.kem = &kem;
        suite.aead = &aead;
    }
    return &suite;
}

#endif
