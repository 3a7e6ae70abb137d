/* hkdf.c - HKDF of RFC 5869, and its labelled forms of RFC 9180 section 4.
 *
 *     extract  PRK  = HMAC(salt, IKM)
 *     expand   T(i) = HMAC(PRK, T(i-1) || info || i),   output = T(1) || T(2) || ... cut to length
 *
 * The key schedule of MLS is made of expands that fit in one block, so the cost is two HMACs at
 * most; PRK is padded once however many blocks there are.
 */
#include "crypto/hkdf.h"

#include "base/bytes.h"
#include "base/status.h"

void xmtp_hkdf_extract_parts(const xmtp_hash *hash, xmtp_bytes salt, const xmtp_bytes *parts,
                             size_t count, xmtp_secret *out)
{
    xmtp_hmac m;
    xmtp_hmac_init(&m, hash, salt);
    for (size_t i = 0; i < count; i++) {
        xmtp_hmac_update(&m, parts[i]);
    }
    xmtp_hmac_final(&m, out->p);
    out->n = hash->len;
}

void xmtp_hkdf_extract(const xmtp_hash *hash, xmtp_bytes salt, xmtp_bytes ikm, xmtp_secret *out)
{
    xmtp_hkdf_extract_parts(hash, salt, &ikm, 1, out);
}

xmtp_status xmtp_hkdf_expand_parts(const xmtp_hash *hash, xmtp_bytes prk, const xmtp_bytes *parts,
                                   size_t count, uint8_t *out, size_t out_len)
{
    XMTP_ENSURE(out_len <= 255 * hash->len, XMTP_E_LENGTH);
    xmtp_hmac keyed;
    xmtp_hmac_init(&keyed, hash, prk);
    uint8_t block[XMTP_HASH_MAX];
    size_t block_len = 0; /* T(0) is empty */
    uint8_t counter = 1;
    for (size_t done = 0; done < out_len; counter++) {
        xmtp_hmac m = keyed;
        xmtp_hmac_update(&m, xmtp_bytes_of(block, block_len));
        for (size_t i = 0; i < count; i++) {
            xmtp_hmac_update(&m, parts[i]);
        }
        xmtp_hmac_update(&m, xmtp_bytes_of(&counter, 1));
        xmtp_hmac_final(&m, block);
        block_len = hash->len;
        size_t n = out_len - done < block_len ? out_len - done : block_len;
        memcpy(out + done, block, n);
        done += n;
    }
    xmtp_wipe(block, sizeof block);
    xmtp_wipe(&keyed, sizeof keyed);
    return XMTP_OK;
}

xmtp_status xmtp_hkdf_expand(const xmtp_hash *hash, xmtp_bytes prk, xmtp_bytes info, uint8_t *out,
                             size_t out_len)
{
    return xmtp_hkdf_expand_parts(hash, prk, &info, 1, out, out_len);
}

/* labeled_ikm = "HPKE-v1" || suite_id || label || ikm */
void xmtp_labeled_extract(const xmtp_hash *hash, const xmtp_hpke_suite_id *suite_id,
                          xmtp_bytes salt, const char *label, xmtp_bytes ikm, xmtp_secret *out)
{
    const xmtp_bytes parts[] = {
        xmtp_bytes_of_string("HPKE-v1"),
        xmtp_bytes_of(suite_id->p, suite_id->n),
        xmtp_bytes_of_string(label),
        ikm,
    };
    xmtp_hkdf_extract_parts(hash, salt, parts, sizeof parts / sizeof parts[0], out);
}

/* labeled_info = u16 length || "HPKE-v1" || suite_id || label || info */
xmtp_status xmtp_labeled_expand(const xmtp_hash *hash, const xmtp_hpke_suite_id *suite_id,
                                xmtp_bytes prk, const char *label, xmtp_bytes info, uint8_t *out,
                                size_t out_len)
{
    XMTP_ENSURE(out_len <= UINT16_MAX, XMTP_E_LENGTH);
    const uint8_t length[2] = {(uint8_t)(out_len >> 8), (uint8_t)out_len};
    const xmtp_bytes parts[] = {
        xmtp_bytes_of(length, sizeof length),
        xmtp_bytes_of_string("HPKE-v1"),
        xmtp_bytes_of(suite_id->p, suite_id->n),
        xmtp_bytes_of_string(label),
        info,
    };
    return xmtp_hkdf_expand_parts(hash, prk, parts, sizeof parts / sizeof parts[0], out, out_len);
}
