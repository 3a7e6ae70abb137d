/* transcript.c - what binds an epoch to all commits before it. RFC 9420 section 8.2.
 *
 *     interim[n-1] ---+                        confirmation_tag[n] --+
 *                     v                                              v
 *     commit[n] --> Hash --> confirmed[n] (in GroupContext[n]) --> Hash --> interim[n]
 *
 * The hash runs over the bytes that came; nothing is encoded again.
 */
#include "mls/transcript.h"

#include "base/bytes.h"
#include "base/status.h"

/* One opaque vector into a hash. */
static xmtp_status absorb_vector(const xmtp_hash *hash, xmtp_hash_context *c, xmtp_bytes in)
{
    uint8_t prefix[4];
    size_t n;
    XMTP_ENSURE(in.n < 1u << 30, XMTP_E_LIMIT);
    if (in.n < 1u << 6) {
        prefix[0] = (uint8_t)in.n;
        n = 1;
    } else if (in.n < 1u << 14) {
        prefix[0] = (uint8_t)(0x40 | in.n >> 8);
        prefix[1] = (uint8_t)in.n;
        n = 2;
    } else {
        prefix[0] = (uint8_t)(0x80 | in.n >> 24);
        prefix[1] = (uint8_t)(in.n >> 16);
        prefix[2] = (uint8_t)(in.n >> 8);
        prefix[3] = (uint8_t)in.n;
        n = 4;
    }
    hash->update(c, prefix, n);
    hash->update(c, in.p, in.n);
    return XMTP_OK;
}

xmtp_status xmtp_confirmed_transcript_hash(const xmtp_suite *suite, xmtp_bytes interim_before,
                                           const xmtp_authenticated_content *commit, uint8_t *out)
{
    const xmtp_hash *hash = suite->hash;
    const uint8_t wire_format[2] = {(uint8_t)(commit->wire_format >> 8),
                                    (uint8_t)commit->wire_format};
    xmtp_hash_context c;
    hash->init(&c);
    hash->update(&c, interim_before.p, interim_before.n);
    hash->update(&c, wire_format, sizeof wire_format);
    hash->update(&c, commit->content.raw.p, commit->content.raw.n);
    XMTP_TRY(absorb_vector(hash, &c, commit->auth.signature));
    hash->final(&c, out);
    return XMTP_OK;
}

xmtp_status xmtp_interim_transcript_hash(const xmtp_suite *suite, xmtp_bytes confirmed,
                                         xmtp_bytes confirmation_tag, uint8_t *out)
{
    xmtp_hash_context c;
    suite->hash->init(&c);
    suite->hash->update(&c, confirmed.p, confirmed.n);
    XMTP_TRY(absorb_vector(suite->hash, &c, confirmation_tag));
    suite->hash->final(&c, out);
    return XMTP_OK;
}
