/* staged_store.c - staged objects as bytes.
 *
 *     encoded = version, interim_transcript_hash<V> of the group, signature<V>, message<V>
 *
 * What a message makes of a group follows from both, so nothing else is kept, and no key. The hash
 * covers all commits up to here: an object that was judged in another state is not taken. The
 * signature (inside the encryption) tells that the message is the one that was judged; the message
 * itself was decrypted in its place, so the caller gives it again.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "mls/group.h"

enum { STAGED_VERSION = 1 };

xmtp_status xmtp_mls_staged_encode(const xmtp_mls_staged *staged, xmtp_bytes message, uint8_t **out,
                                   size_t *out_len)
{
    xmtp_writer w;
    *out = NULL;
    *out_len = 0;
    XMTP_ENSURE(staged->signature.n > 0 && staged->revision == staged->group->revision,
                XMTP_E_STATE);
    xmtp_writer_init(&w, staged->alloc, XMTP_WRITER_MAX);
    xmtp_writer_u8(&w, STAGED_VERSION);
    xmtp_writer_vec(&w, xmtp_digest_bytes(&staged->group->interim_transcript_hash));
    xmtp_writer_vec(&w, staged->signature);
    xmtp_writer_vec(&w, message);
    xmtp_status status = xmtp_writer_status(&w);
    if (status == XMTP_OK) {
        status = xmtp_writer_detach(&w, out, out_len);
    }
    xmtp_writer_free(&w);
    return status;
}

static xmtp_status read(xmtp_bytes encoded, xmtp_bytes *state, xmtp_bytes *signature,
                        xmtp_bytes *message)
{
    xmtp_reader r = xmtp_reader_of(encoded);
    uint8_t version;
    XMTP_TRY(xmtp_reader_u8(&r, &version));
    XMTP_ENSURE(version == STAGED_VERSION, XMTP_E_CORRUPT);
    XMTP_TRY(xmtp_reader_vec(&r, state));
    XMTP_TRY(xmtp_reader_vec(&r, signature));
    XMTP_TRY(xmtp_reader_vec(&r, message));
    return xmtp_reader_end(&r);
}

/* What the application and the clock said when it was staged holds. */
static xmtp_status process_judged(xmtp_mls_group *group, xmtp_bytes message, xmtp_mls_staged **out,
                                  xmtp_error *error)
{
    const xmtp_mls_config config = group->config;
    group->config.authenticate = NULL;
    group->config.check_lifetimes = false;
    group->config.past_epoch_age_max_s = 0;
    xmtp_status status = xmtp_mls_group_process(group, message, out, error);
    group->config = config;
    return status;
}

xmtp_status xmtp_mls_staged_decode(xmtp_mls_staged **out, xmtp_mls_group *group, xmtp_bytes encoded,
                                   xmtp_error *error)
{
    xmtp_bytes state, signature, message;
    *out = NULL;
    if (read(encoded, &state, &signature, &message) != XMTP_OK) {
        return xmtp_fail(error, XMTP_E_CORRUPT, "stored staged object of %zu bytes cannot be read",
                         encoded.n);
    }
    if (!xmtp_bytes_equal(state, xmtp_digest_bytes(&group->interim_transcript_hash))) {
        return xmtp_fail(error, XMTP_E_STATE, "the group has had a commit since this was staged");
    }
    XMTP_TRY(process_judged(group, message, out, error));
    if (!xmtp_bytes_equal((*out)->signature, signature)) {
        xmtp_mls_staged_free(*out);
        *out = NULL;
        return xmtp_fail(error, XMTP_E_CORRUPT, "stored message is not the one that was staged");
    }
    return XMTP_OK;
}
