/* key_package.c - making and judging key packages (identity.md 6.2 to 6.4, node.md 3.3). */
#include "identity/key_package.h"

#include "base/bytes.h"
#include "base/status.h"
#include "base/writer.h"
#include "crypto/crypto.h"
#include "mls/key_package.h"
#include "proto/field.h"

#include <inttypes.h>

enum { POINTEE_AEAD_CHACHA20POLY1305 = 3, WRAPPER_EXTENSION_MAX = 1280 };

static const uint16_t versions[] = {0x0001};
static const uint16_t basic_credential[] = {XMTP_MLS_CREDENTIAL_BASIC};
static const uint16_t proposals[] = {XMTP_MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS};
static const uint16_t package_suites[] = {XMTP_MLS_SUITE_X25519_CHACHA};
static const uint16_t package_extensions[] = {
    XMTP_MLS_EXTENSION_LAST_RESORT,   XMTP_MLS_EXTENSION_APPLICATION_ID,
    XMTP_EXTENSION_GROUP_PERMISSIONS, XMTP_EXTENSION_MUTABLE_METADATA,
    XMTP_EXTENSION_GROUP_MEMBERSHIP,  XMTP_EXTENSION_WELCOME_WRAPPER,
    XMTP_EXTENSION_POINTEE_AEAD,      XMTP_EXTENSION_IMMUTABLE_METADATA,
};
/* XMTP: the official creator lists suites that no group of the network uses (groups.md 1.3). */
static const uint16_t creator_suites[] = {0x0001, 0x0002, 0x0003, 0x004d};
/* Also what every group requires of its members, in this order (groups.md 1.4). */
static const uint16_t group_extensions[] = {
    XMTP_EXTENSION_GROUP_MEMBERSHIP,  XMTP_EXTENSION_MUTABLE_METADATA,
    XMTP_EXTENSION_GROUP_PERMISSIONS, XMTP_EXTENSION_IMMUTABLE_METADATA,
    XMTP_MLS_EXTENSION_LAST_RESORT,   XMTP_MLS_EXTENSION_APPLICATION_ID,
};

#define LIST_OF(array)                                                                             \
    {                                                                                              \
        .items = (array), .count = sizeof(array) / sizeof((array)[0])                              \
    }

const xmtp_mls_capabilities *xmtp_inbox_key_package_capabilities(void)
{
    static const xmtp_mls_capabilities capabilities = {
        .versions = LIST_OF(versions),
        .suites = LIST_OF(package_suites),
        .extensions = LIST_OF(package_extensions),
        .proposals = LIST_OF(proposals),
        .credentials = LIST_OF(basic_credential),
    };
    return &capabilities;
}

const xmtp_mls_capabilities *xmtp_inbox_creator_capabilities(void)
{
    static const xmtp_mls_capabilities capabilities = {
        .versions = LIST_OF(versions),
        .suites = LIST_OF(creator_suites),
        .extensions = LIST_OF(group_extensions),
        .proposals = LIST_OF(proposals),
        .credentials = LIST_OF(basic_credential),
    };
    return &capabilities;
}

/* ---- credentials: MlsCredential { inbox_id 1 } */

void xmtp_inbox_credential_encode(const char inbox_id[XMTP_INBOX_ID_LEN + 1],
                                  uint8_t out[XMTP_CREDENTIAL_LEN])
{
    out[0] = 0x0a;
    out[1] = XMTP_INBOX_ID_LEN;
    memcpy(out + 2, inbox_id, XMTP_INBOX_ID_LEN);
}

static xmtp_status read_credential(xmtp_bytes identity, xmtp_bytes *inbox_id)
{
    xmtp_reader r = xmtp_reader_of(identity);
    while (r.n > 0) {
        xmtp_field f;
        XMTP_TRY(xmtp_field_next(&r, &f));
        if (f.number == 1) {
            XMTP_TRY(xmtp_field_string(&f, inbox_id));
        }
    }
    return XMTP_OK;
}

xmtp_status xmtp_inbox_credential_decode(xmtp_bytes identity, xmtp_bytes *inbox_id)
{
    xmtp_bytes found = {0};
    *inbox_id = found;
    XMTP_ENSURE(read_credential(identity, &found) == XMTP_OK, XMTP_E_CREDENTIAL);
    *inbox_id = found;
    return XMTP_OK;
}

/* ---- extension FF03: WelcomeWrapperEncryption { pub_key 1, algorithm 2 } */

static xmtp_status encode_wrapper(const uint8_t public_key[XMTP_XWING_PK_LEN], xmtp_writer *w)
{
    xmtp_field_put_bytes(w, 1, xmtp_bytes_of(public_key, XMTP_XWING_PK_LEN));
    xmtp_field_put_u64(w, 2, XMTP_WRAPPER_XWING);
    return xmtp_writer_status(w);
}

static xmtp_status decode_wrapper(xmtp_bytes data, xmtp_bytes *key, xmtp_wrapper_algorithm *out)
{
    uint64_t algorithm = 0;
    xmtp_reader r = xmtp_reader_of(data);
    *key = (xmtp_bytes){0};
    while (r.n > 0) {
        xmtp_field f;
        XMTP_TRY(xmtp_field_next(&r, &f));
        if (f.number == 1) {
            XMTP_TRY(xmtp_field_bytes(&f, key));
        } else if (f.number == 2) {
            XMTP_TRY(xmtp_field_u64(&f, &algorithm));
        }
    }
    XMTP_ENSURE(algorithm != XMTP_WRAPPER_SYMMETRIC, XMTP_E_MALFORMED);
    /* XMTP: unknown algorithms are read as the first one (identity.md 7.1). */
    *out = algorithm == XMTP_WRAPPER_XWING ? XMTP_WRAPPER_XWING : XMTP_WRAPPER_CURVE25519;
    return XMTP_OK;
}

/* ---- extension FF04: WelcomePointeeEncryptionAeadTypesExtension { repeated enum 1 }, packed or
 * not */

static const uint8_t pointee_aead_data[] = {0x0a, 0x01, POINTEE_AEAD_CHACHA20POLY1305};

static xmtp_status decode_packed_aeads(xmtp_bytes packed, bool *has_chacha)
{
    /* A packed list is a row of varints. Only the value 3 is looked for, and it is one byte. */
    bool is_start = true;
    for (size_t i = 0; i < packed.n; i++) {
        *has_chacha |= is_start && packed.p[i] == POINTEE_AEAD_CHACHA20POLY1305;
        is_start = packed.p[i] < 0x80;
    }
    return is_start ? XMTP_OK : XMTP_E_MALFORMED;
}

static xmtp_status decode_pointee_aeads(xmtp_bytes data, bool *has_chacha)
{
    xmtp_reader r = xmtp_reader_of(data);
    *has_chacha = false;
    while (r.n > 0) {
        xmtp_field f;
        uint64_t value;
        xmtp_bytes packed;
        XMTP_TRY(xmtp_field_next(&r, &f));
        if (f.number != 1) {
            continue;
        }
        if (f.type == 0) {
            XMTP_TRY(xmtp_field_u64(&f, &value));
            *has_chacha |= value == POINTEE_AEAD_CHACHA20POLY1305;
        } else {
            XMTP_TRY(xmtp_field_bytes(&f, &packed));
            XMTP_TRY(decode_packed_aeads(packed, has_chacha));
        }
    }
    return XMTP_OK;
}

/* ---- making one */

void xmtp_inbox_key_package_keys_wipe(xmtp_inbox_key_package_keys *keys)
{
    xmtp_wipe(keys, sizeof *keys);
}

/* The X-Wing private key is 32 random bytes taken as they are (identity.md 7.3). */
static xmtp_status make_wrapper_key(const xmtp_env *env, xmtp_inbox_key_package_keys *keys)
{
    XMTP_TRY(env->random(env->context, keys->xwing_seed, sizeof keys->xwing_seed));
    return xmtp_kem_xwing_004d.public_key(keys->xwing_seed, keys->xwing_pk);
}

static xmtp_status create(const xmtp_env *env, const char *inbox_id,
                          const xmtp_installation *installation, xmtp_bytes wrapper,
                          xmtp_bytes *made, xmtp_inbox_key_package_keys *keys, xmtp_error *error)
{
    uint8_t credential[XMTP_CREDENTIAL_LEN];
    xmtp_inbox_credential_encode(inbox_id, credential);
    /* The data of application_id is a vector of its own inside the extension's data (RFC 9420
     * section 5.3.3): length 64 in two bytes, then the inbox id. */
    uint8_t application_id[2 + XMTP_INBOX_ID_LEN] = {0x40, XMTP_INBOX_ID_LEN};
    memcpy(application_id + 2, inbox_id, XMTP_INBOX_ID_LEN);
    const xmtp_mls_extension leaf_extensions[] = {
        {.type = XMTP_MLS_EXTENSION_APPLICATION_ID,
         .data = xmtp_bytes_of(application_id, sizeof application_id)},
    };
    const xmtp_mls_extension extensions[] = {
        {.type = XMTP_MLS_EXTENSION_LAST_RESORT},
        {.type = XMTP_EXTENSION_POINTEE_AEAD,
         .data = xmtp_bytes_of(pointee_aead_data, sizeof pointee_aead_data)},
        {.type = XMTP_EXTENSION_WELCOME_WRAPPER, .data = wrapper},
    };
    const uint64_t now_s = env->now_ns(env->context) / 1000000000u;
    const xmtp_mls_key_package_options options = {
        .suite = XMTP_MLS_SUITE_X25519_CHACHA,
        .signer = {.identity = xmtp_bytes_of(credential, sizeof credential),
                   .signature_sk = xmtp_bytes_of(installation->sk, sizeof installation->sk),
                   .signature_pk = xmtp_bytes_of(installation->pk, sizeof installation->pk)},
        .capabilities = *xmtp_inbox_key_package_capabilities(),
        .leaf_extensions = leaf_extensions,
        .leaf_extension_count = 1,
        .extensions = extensions,
        .extension_count = 3,
        .not_before = now_s < XMTP_KEY_PACKAGE_BACKDATE_S ? 0 : now_s - XMTP_KEY_PACKAGE_BACKDATE_S,
        .not_after = now_s + XMTP_KEY_PACKAGE_LIFETIME_S,
    };
    uint8_t *p;
    size_t n;
    XMTP_TRY(xmtp_mls_key_package_create(env, &options, &p, &n, &keys->mls, error));
    *made = xmtp_bytes_of(p, n);
    return XMTP_OK;
}

/* Reads the public init key back, which also proves that what was made is well formed. */
static xmtp_status keep_init_key(xmtp_bytes made, xmtp_inbox_key_package_keys *keys)
{
    xmtp_key_package decoded;
    XMTP_TRY(xmtp_key_package_of(made, &decoded));
    XMTP_ENSURE(decoded.init_key.n == XMTP_INIT_KEY_LEN, XMTP_E_INTERNAL);
    memcpy(keys->init_pk, decoded.init_key.p, XMTP_INIT_KEY_LEN);
    return XMTP_OK;
}

xmtp_status xmtp_inbox_key_package_create(const xmtp_env *env, const char *inbox_id,
                                          const xmtp_installation *installation,
                                          uint8_t **key_package, size_t *key_package_len,
                                          xmtp_inbox_key_package_keys *keys, xmtp_error *error)
{
    *key_package = NULL;
    *key_package_len = 0;
    *keys = (xmtp_inbox_key_package_keys){0};
    if (!xmtp_inbox_id_is_valid(xmtp_bytes_of_string(inbox_id))) {
        return xmtp_fail(error, XMTP_E_INBOX_ID, "an inbox id has 64 lower-case hex digits");
    }
    xmtp_bytes made = {0};
    xmtp_writer wrapper;
    xmtp_writer_init(&wrapper, &env->alloc, WRAPPER_EXTENSION_MAX);
    xmtp_status status = make_wrapper_key(env, keys);
    if (status == XMTP_OK) {
        status = encode_wrapper(keys->xwing_pk, &wrapper);
    }
    if (status == XMTP_OK) {
        status =
            create(env, inbox_id, installation, xmtp_writer_bytes(&wrapper), &made, keys, error);
    }
    if (status == XMTP_OK) {
        status = keep_init_key(made, keys);
    }
    xmtp_writer_free(&wrapper);
    if (status != XMTP_OK) {
        (void)env->alloc.reallocate(env->alloc.context, (void *)(uintptr_t)made.p, 0);
        xmtp_inbox_key_package_keys_wipe(keys);
        return xmtp_fail_default(error, status, "key package");
    }
    *key_package = (uint8_t *)(uintptr_t)made.p;
    *key_package_len = made.n;
    return XMTP_OK;
}

/* ---- judging one */

/* FF03 and FF04, as far as they can be used; XMTP_E_EXTENSION when they do not decode. */
static xmtp_status read_wrapper(xmtp_inbox_key_package *out, xmtp_error *error)
{
    xmtp_bytes data;
    bool has_chacha = false;
    out->wrapper_algorithm = XMTP_WRAPPER_CURVE25519;
    out->wrapper_key = out->mls.init_key;
    if (xmtp_mls_extensions_find(out->mls.extensions, XMTP_EXTENSION_WELCOME_WRAPPER, &data) &&
        decode_wrapper(data, &out->wrapper_key, &out->wrapper_algorithm) != XMTP_OK) {
        return xmtp_fail(error, XMTP_E_EXTENSION, "key package: extension FF03 does not decode");
    }
    if (xmtp_mls_extensions_find(out->mls.extensions, XMTP_EXTENSION_POINTEE_AEAD, &data) &&
        decode_pointee_aeads(data, &has_chacha) != XMTP_OK) {
        return xmtp_fail(error, XMTP_E_EXTENSION, "key package: extension FF04 does not decode");
    }
    const size_t key_len =
        out->wrapper_algorithm == XMTP_WRAPPER_XWING ? XMTP_XWING_PK_LEN : XMTP_INIT_KEY_LEN;
    if (out->wrapper_key.n != key_len) {
        return xmtp_fail(error, XMTP_E_KEY_PACKAGE,
                         "key package: wrapper key of %zu bytes, algorithm %d takes %zu",
                         out->wrapper_key.n, (int)out->wrapper_algorithm, key_len);
    }
    out->takes_pointers = has_chacha && out->wrapper_algorithm == XMTP_WRAPPER_XWING;
    return XMTP_OK;
}

static void forget_wrapper(xmtp_inbox_key_package *out)
{
    out->wrapper_algorithm = (xmtp_wrapper_algorithm)0;
    out->wrapper_key = (xmtp_bytes){0};
    out->takes_pointers = false;
}

/* XMTP: both ends are excluded (identity.md 6.4), where RFC 9420 section 7.2 includes them. */
static xmtp_status check_lifetime(const xmtp_inbox_key_package *p, uint64_t now_s,
                                  xmtp_error *error)
{
    if (now_s != 0 && (p->mls.not_before >= now_s || now_s >= p->mls.not_after)) {
        return xmtp_fail(error, XMTP_E_LIFETIME,
                         "lifetime from %" PRIu64 " to %" PRIu64 ", now is %" PRIu64,
                         p->mls.not_before, p->mls.not_after, now_s);
    }
    return XMTP_OK;
}

/* XMTP: groups of the network use suite 0x0003 only (identity.md 6.4); we know others, and refuse
 * them here before any of their signatures costs time. What does not even begin like a key package
 * is left to the decoder. */
static xmtp_status check_suite(xmtp_bytes key_package, xmtp_error *error)
{
    xmtp_reader r = xmtp_reader_of(key_package);
    uint16_t version;
    uint16_t suite;
    if (xmtp_reader_u16(&r, &version) == XMTP_OK && version == XMTP_PROTOCOL_MLS10 &&
        xmtp_reader_u16(&r, &suite) == XMTP_OK && suite != XMTP_MLS_SUITE_X25519_CHACHA) {
        return xmtp_fail(error, XMTP_E_SUITE, "key package for suite 0x%04x, groups use 0x0003",
                         (unsigned)suite);
    }
    return XMTP_OK;
}

static xmtp_status check_node(const xmtp_inbox_key_package *p, xmtp_error *error)
{
    if (!xmtp_inbox_id_is_valid(p->inbox_id)) {
        return xmtp_fail(error, XMTP_E_CREDENTIAL,
                         "credential's inbox id is not 64 lower-case hex digits");
    }
    if (p->mls.not_after - p->mls.not_before > XMTP_KEY_PACKAGE_RANGE_MAX_S) {
        return xmtp_fail(error, XMTP_E_LIFETIME, "lifetime of %" PRIu64 " days, at most 400",
                         (p->mls.not_after - p->mls.not_before) / 86400);
    }
    return XMTP_OK;
}

static bool lists_all(const xmtp_capabilities *c)
{
    for (size_t i = 0; i < sizeof group_extensions / sizeof group_extensions[0]; i++) {
        if (!xmtp_capabilities_has_extension(c, group_extensions[i])) {
            return false;
        }
    }
    return xmtp_u16_list_has(c->versions, XMTP_PROTOCOL_MLS10) &&
           xmtp_u16_list_has(c->cipher_suites, XMTP_MLS_SUITE_X25519_CHACHA) &&
           xmtp_capabilities_has_proposal(c, proposals[0]) &&
           xmtp_capabilities_has_credential(c, XMTP_MLS_CREDENTIAL_BASIC);
}

static xmtp_status check_leaf(xmtp_bytes key_package, xmtp_error *error)
{
    xmtp_key_package decoded;
    xmtp_extension extension;
    XMTP_TRY(xmtp_key_package_of(key_package, &decoded));
    const xmtp_capabilities *capabilities = &decoded.leaf_node.capabilities;
    if (!lists_all(capabilities)) {
        return xmtp_fail(error, XMTP_E_CAPABILITIES,
                         "key package lacks a capability that every group requires");
    }
    xmtp_reader r = xmtp_reader_of(decoded.leaf_node.extensions.raw);
    while (xmtp_extensions_next(&r, &extension)) {
        if (!xmtp_capabilities_has_extension(capabilities, extension.type)) {
            return xmtp_fail(error, XMTP_E_CAPABILITIES,
                             "leaf extension 0x%04x is not in the leaf's capabilities",
                             (unsigned)extension.type);
        }
    }
    return XMTP_OK;
}

static bool is_expected(xmtp_bytes expected, xmtp_bytes found)
{
    return expected.n == 0 || xmtp_bytes_equal(expected, found);
}

static xmtp_status check_adder(const xmtp_inbox_key_package *p, xmtp_bytes key_package,
                               const xmtp_inbox_key_package_expected *expected, xmtp_error *error)
{
    XMTP_TRY(check_leaf(key_package, error));
    if (expected != NULL && !is_expected(expected->installation, p->installation)) {
        return xmtp_fail(error, XMTP_E_KEY_PACKAGE,
                         "key package is of another installation than was asked for");
    }
    if (expected != NULL && !is_expected(expected->inbox_id, p->inbox_id)) {
        return xmtp_fail(error, XMTP_E_CREDENTIAL,
                         "key package is of another inbox than was asked for");
    }
    return XMTP_OK;
}

static xmtp_status read_member(const xmtp_mls_member *member, xmtp_inbox_key_package *out,
                               xmtp_error *error)
{
    if (member->credential_type != XMTP_MLS_CREDENTIAL_BASIC) {
        return xmtp_fail(error, XMTP_E_CREDENTIAL, "wrong credential type");
    }
    if (xmtp_inbox_credential_decode(member->identity, &out->inbox_id) != XMTP_OK) {
        return xmtp_fail(error, XMTP_E_CREDENTIAL, "credential is not an MlsCredential");
    }
    out->installation = member->signature_key;
    return XMTP_OK;
}

/* What the network asks of a key package beyond MLS, which was satisfied: fills p from p->mls. */
static xmtp_status judge(xmtp_inbox_key_package *p, xmtp_bytes key_package, uint64_t now_seconds,
                         xmtp_inbox_key_package_rules rules,
                         const xmtp_inbox_key_package_expected *expected, xmtp_error *error)
{
    XMTP_TRY(check_lifetime(p, now_seconds, error));
    XMTP_TRY(read_member(&p->mls.member, p, error));
    if (rules == XMTP_KEY_PACKAGE_ADDER) {
        XMTP_TRY(read_wrapper(p, error));
        XMTP_TRY(check_adder(p, key_package, expected, error));
    } else if (read_wrapper(p, NULL) != XMTP_OK) {
        forget_wrapper(p);
    }
    return rules == XMTP_KEY_PACKAGE_NODE ? check_node(p, error) : XMTP_OK;
}

xmtp_status xmtp_inbox_key_package_verify(const xmtp_env *env, xmtp_bytes key_package,
                                          uint64_t now_seconds, xmtp_inbox_key_package_rules rules,
                                          const xmtp_inbox_key_package_expected *expected,
                                          xmtp_inbox_key_package *out, xmtp_error *error)
{
    *out = (xmtp_inbox_key_package){0};
    xmtp_inbox_key_package p = {0};
    XMTP_TRY(check_suite(key_package, error));
    XMTP_TRY(xmtp_mls_key_package_verify(env, key_package, now_seconds, &p.mls, error));
    XMTP_TRY(judge(&p, key_package, now_seconds, rules, expected, error));
    *out = p;
    return XMTP_OK;
}

/* What the network asks, after MLS. */
static xmtp_status take_admitted(const xmtp_mls_key_package_candidate *by_mls, uint64_t now_seconds,
                                 xmtp_inbox_key_package_candidate *c)
{
    XMTP_TRY(by_mls->status);
    c->what = (xmtp_inbox_key_package){.mls = by_mls->info};
    return judge(&c->what, c->key_package, now_seconds, XMTP_KEY_PACKAGE_ADDER, &c->expected, NULL);
}

xmtp_status xmtp_inbox_key_packages_admit(const xmtp_env *env,
                                          xmtp_inbox_key_package_candidate *candidates,
                                          size_t count, uint64_t now_seconds)
{
    xmtp_mls_key_package_candidate *by_mls;
    XMTP_ENSURE(count < SIZE_MAX / sizeof *by_mls, XMTP_E_LIMIT);
    by_mls = env->alloc.reallocate(env->alloc.context, NULL, count * sizeof *by_mls + 1);
    XMTP_ENSURE(by_mls != NULL, XMTP_E_NOMEM);
    for (size_t i = 0; i < count; i++) {
        xmtp_inbox_key_package_candidate *c = &candidates[i];
        c->status = check_suite(c->key_package, NULL);
        by_mls[i] = (xmtp_mls_key_package_candidate){0};
        if (c->status == XMTP_OK) { /* signatures of other suites are not worth verifying */
            by_mls[i].key_package = c->key_package;
        }
    }
    xmtp_mls_key_packages_admit(env, by_mls, count, now_seconds);
    for (size_t i = 0; i < count; i++) {
        xmtp_inbox_key_package_candidate *c = &candidates[i];
        if (c->status == XMTP_OK) {
            c->status = take_admitted(&by_mls[i], now_seconds, c);
        }
        c->verified = by_mls[i].verified;
        if (c->status != XMTP_OK) {
            xmtp_mls_verified_key_package_free(c->verified);
            c->verified = NULL;
            c->what = (xmtp_inbox_key_package){0};
        }
    }
    (void)env->alloc.reallocate(env->alloc.context, by_mls, 0);
    return XMTP_OK;
}
