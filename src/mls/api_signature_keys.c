/* api_signature_keys.c - fresh signature key pairs of xmtp/mls.h.
 *
 * Ed25519 and Ed448 take any seed. An ECDSA key is a scalar below the order of its curve: random
 * bytes are drawn until they are one (FIPS 186-5, A.2.2, rejection sampling). The chance that one
 * draw fails is below 2^-31 (P-256), once the seven bits that P-521 has no use for are cleared.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "crypto/crypto.h"

#include <assert.h>
#include <xmtp/mls.h>

static_assert(sizeof((xmtp_mls_signature_keys *)0)->sk >= XMTP_SIGNATURE_SK_MAX, "sk");
static_assert(sizeof((xmtp_mls_signature_keys *)0)->pk >= XMTP_SIGNATURE_PK_MAX, "pk");

enum { DRAWS_MAX = 16, P521_SK_LEN = 66, P521_TOP_BITS = 0x01 };

static xmtp_status draw(const xmtp_env *env, const xmtp_signature *signature,
                        xmtp_mls_signature_keys *out)
{
    XMTP_TRY(env->random(env->context, out->sk, signature->sk_len));
    if (signature->sk_len == P521_SK_LEN) {
        out->sk[0] &= P521_TOP_BITS;
    }
    return signature->public_key(out->sk, out->pk);
}

xmtp_status xmtp_mls_signature_keys_create(const xmtp_env *env, uint16_t suite,
                                           xmtp_mls_signature_keys *out, xmtp_error *error)
{
    const xmtp_suite *found = xmtp_suite_by_id(suite);
    *out = (xmtp_mls_signature_keys){0};
    if (found == NULL) {
        return xmtp_fail(error, XMTP_E_SUITE, "cipher suite 0x%04x is not supported",
                         (unsigned)suite);
    }
    xmtp_status status = XMTP_E_KEY;
    for (int i = 0; i < DRAWS_MAX && status == XMTP_E_KEY; i++) {
        status = draw(env, found->signature, out);
    }
    if (status != XMTP_OK) {
        xmtp_mls_signature_keys_wipe(out);
        return xmtp_fail(error, status, "making a signature key pair: %s",
                         xmtp_status_text(status));
    }
    out->sk_len = found->signature->sk_len;
    out->pk_len = found->signature->pk_len;
    return XMTP_OK;
}

void xmtp_mls_signature_keys_wipe(xmtp_mls_signature_keys *keys)
{
    xmtp_wipe(keys, sizeof *keys);
}
