/* hmac.c - HMAC of RFC 2104 over any hash, and one-shot hashing.
 *
 * The state is two hash contexts that have already taken the padded key, so a copied state computes
 * another MAC under the same key without touching the key again:
 *
 *     inner = H(key ^ ipad || ...      outer = H(key ^ opad || ...
 */
#include "base/bytes.h"
#include "crypto/crypto.h"

void xmtp_secret_wipe(xmtp_secret *s)
{
    xmtp_wipe(s, sizeof *s);
}

void xmtp_hash_of(const xmtp_hash *hash, xmtp_bytes in, uint8_t *out)
{
    xmtp_hash_context c;
    hash->init(&c);
    hash->update(&c, in.p, in.n);
    hash->final(&c, out);
}

static void absorb_padded_key(xmtp_hash_context *c, const xmtp_hash *hash, const uint8_t *key,
                              uint8_t pad)
{
    uint8_t block[XMTP_HASH_BLOCK_MAX];
    for (size_t i = 0; i < hash->block_len; i++) {
        block[i] = (uint8_t)(key[i] ^ pad);
    }
    hash->init(c);
    hash->update(c, block, hash->block_len);
    xmtp_wipe(block, sizeof block);
}

void xmtp_hmac_init(xmtp_hmac *m, const xmtp_hash *hash, xmtp_bytes key)
{
    uint8_t block[XMTP_HASH_BLOCK_MAX] = {0};
    if (key.n > hash->block_len) {
        xmtp_hash_of(hash, key, block);
    } else {
        xmtp_copy(block, key.p, key.n);
    }
    m->hash = hash;
    absorb_padded_key(&m->inner, hash, block, 0x36);
    absorb_padded_key(&m->outer, hash, block, 0x5c);
    xmtp_wipe(block, sizeof block);
}

void xmtp_hmac_update(xmtp_hmac *m, xmtp_bytes in)
{
    m->hash->update(&m->inner, in.p, in.n);
}

void xmtp_hmac_final(xmtp_hmac *m, uint8_t *out)
{
    const xmtp_hash *hash = m->hash;
    uint8_t digest[XMTP_HASH_MAX];
    hash->final(&m->inner, digest);
    hash->update(&m->outer, digest, hash->len);
    hash->final(&m->outer, out);
    xmtp_wipe(digest, sizeof digest);
    xmtp_wipe(m, sizeof *m);
}

void xmtp_hmac_of(const xmtp_hash *hash, xmtp_bytes key, xmtp_bytes in, uint8_t *out)
{
    xmtp_hmac m;
    xmtp_hmac_init(&m, hash, key);
    xmtp_hmac_update(&m, in);
    xmtp_hmac_final(&m, out);
}
