/* ed25519_many.c - many verifications of Ed25519, each with the verdict of the single one.
 *
 * The lanes answer for the plain case alone: key and R as honest signers have them, and the equation
 * holds. There both kinds of Ed25519 accept. Whatever the lanes do not accept goes to the single
 * verification, which alone refuses, and alone knows what to do with keys of small order and with
 * longer encodings. So a batch with forgeries in it costs a tenth more than one by one.
 *
 * Eights are shared among processors.
 */
#include "crypto/ed25519_many.h"

#include "base/together.h"
#include "crypto/ed25519_lanes.h"

enum {
    PK_LEN = 32,
    SIGNATURE_LEN = 64,
    POINT_LEN = 32,
    LANES_MIN = 2, /* a round of lanes costs less than this many one by one */
    LANES_US = 100,
    SINGLE_US = 60,
};

bool xmtp_ed25519_is_scalar(const uint8_t s[32])
{
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                      0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    for (size_t i = 32; i-- > 0;) {
        if (s[i] != order[i]) {
            return s[i] < order[i];
        }
    }
    return false;
}

static bool fits_lanes(const xmtp_signature_check *check)
{
    return check->pk.n == PK_LEN && check->signature.n == SIGNATURE_LEN &&
           xmtp_ed25519_is_scalar(check->signature.p + POINT_LEN);
}

/* At most eight. */
static void verify_in_lanes(const xmtp_ed25519_kind *kind, xmtp_signature_check *checks,
                            size_t count)
{
    static const uint8_t nothing[32]; /* as a key it is of small order: its lane stays unset */
    xmtp_ed25519_equation equations[XMTP_LANES];
    uint8_t k[XMTP_LANES][32];
    for (size_t i = 0; i < XMTP_LANES; i++) {
        equations[i] = (xmtp_ed25519_equation){nothing, nothing, nothing, nothing};
        if (i < count && fits_lanes(&checks[i]) && kind->scalar(kind->context, &checks[i], k[i])) {
            const uint8_t *r = checks[i].signature.p;
            equations[i] = (xmtp_ed25519_equation){checks[i].pk.p, r, r + POINT_LEN, k[i]};
        }
    }
    const unsigned good = xmtp_ed25519_lanes(equations, count);
    for (size_t i = 0; i < count; i++) {
        const bool is_good = (good >> i) & 1;
        checks[i].verdict = is_good ? XMTP_OK : kind->verify(kind->context, &checks[i]);
    }
}

typedef struct many {
    const xmtp_ed25519_kind *kind;
    xmtp_signature_check *checks;
    bool use_lanes;
} many;

static void verify_some(void *context, size_t first, size_t count)
{
    const many *m = context;
    xmtp_signature_check *checks = m->checks + first;
    if (m->use_lanes && count >= LANES_MIN) {
        verify_in_lanes(m->kind, checks, count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        checks[i].verdict = m->kind->verify(m->kind->context, &checks[i]);
    }
}

void xmtp_ed25519_many(const xmtp_ed25519_kind *kind, xmtp_signature_check *checks, size_t count)
{
    many m = {.kind = kind, .checks = checks, .use_lanes = xmtp_has_lanes()};
    xmtp_together(&(xmtp_together_work){.count = count,
                                        .piece = m.use_lanes ? XMTP_LANES : 1,
                                        .piece_us = m.use_lanes ? LANES_US : SINGLE_US,
                                        .step = verify_some,
                                        .context = &m});
}

void xmtp_signature_verify_many(const xmtp_signature *signature, xmtp_signature_check *checks,
                                size_t count)
{
    if (signature->verify_many != NULL) {
        signature->verify_many(checks, count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        xmtp_signature_check *c = &checks[i];
        c->verdict = signature->verify(c->pk, c->message, c->signature);
    }
}
