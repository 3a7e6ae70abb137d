/* faults.h - for tests: whatever can fail, fails once. Include after <cmocka.h>.
 *
 * Memory and randomness come from an environment, primitives from a cipher suite; those of a test
 * count their calls here and the one that is chosen fails. The linker gives the library our
 * xmtp_suite_by_id (see CMakeLists.txt), so that groups made through the public interface use the
 * faulty suite, and likewise our versions of the derivations, which fail for lengths that nobody
 * asks for.
 */
#ifndef XMTP_MLS_FAULTS_H
#define XMTP_MLS_FAULTS_H

#include "mls/group_dump.h"
#include "mls/kept.h"
#include "mls/key_package_rules.h"
#include "mls/protect.h"
#include "mls/psk.h"
#include "mls/transcript.h"
#include "mls/tree_store.h"

/* ---- the call that fails ---- */

static size_t faults_left = SIZE_MAX; /* calls until the one that fails; SIZE_MAX: none does */
static bool faults_fired;
static const char *faults_name; /* of the function that failed, where it has one */

static inline bool fault(void)
{
    if (faults_left == SIZE_MAX) {
        return false;
    }
    if (faults_left > 0) {
        faults_left--;
        return false;
    }
    faults_left = SIZE_MAX;
    faults_fired = true;
    return true;
}

static inline void faults_begin(size_t n)
{
    faults_left = n;
    faults_fired = false;
    faults_name = NULL;
}

/* Whether one fired. */
static inline bool faults_end(void)
{
    faults_left = SIZE_MAX;
    return faults_fired;
}

/* ---- environment ---- */

static inline void *faulty_reallocate(void *context, void *p, size_t n)
{
    (void)context;
    if (n == 0) {
        free(p);
        return NULL;
    }
    return fault() ? NULL : realloc(p, n);
}

static inline xmtp_status faulty_random(void *context, uint8_t *out, size_t n)
{
    return fault() ? XMTP_E_RANDOM : world_random(context, out, n);
}

static inline void faulty_env_init(world_env *w, uint64_t seed)
{
    world_env_init(w, seed);
    w->env.random = faulty_random;
    w->env.alloc.reallocate = faulty_reallocate;
}

/* ---- suite 3, whose primitives fail ---- */

#define REAL xmtp_suite_x25519_chacha

static inline xmtp_status faulty_aead_seal(const uint8_t *key, const uint8_t *nonce, xmtp_bytes aad,
                                           xmtp_bytes plaintext, uint8_t *out)
{
    return fault() ? XMTP_E_CRYPTO : REAL.aead->seal(key, nonce, aad, plaintext, out);
}

static inline xmtp_status faulty_aead_open(const uint8_t *key, const uint8_t *nonce, xmtp_bytes aad,
                                           xmtp_bytes ciphertext, uint8_t *out)
{
    return fault() ? XMTP_E_AUTH : REAL.aead->open(key, nonce, aad, ciphertext, out);
}

static inline xmtp_status faulty_derive(xmtp_bytes ikm, uint8_t *sk, uint8_t *pk)
{
    return fault() ? XMTP_E_CRYPTO : REAL.kem->derive_key_pair(ikm, sk, pk);
}

static inline xmtp_status faulty_kem_public(const uint8_t *sk, uint8_t *pk)
{
    return fault() ? XMTP_E_KEY : REAL.kem->public_key(sk, pk);
}

static inline xmtp_status faulty_encap(const uint8_t *pk, const uint8_t *seed, uint8_t *enc,
                                       uint8_t *ss)
{
    return fault() ? XMTP_E_KEY : REAL.kem->encap(pk, seed, enc, ss);
}

static inline xmtp_status faulty_decap(const uint8_t *sk, const uint8_t *pk, const uint8_t *enc,
                                       uint8_t *ss)
{
    return fault() ? XMTP_E_KEY : REAL.kem->decap(sk, pk, enc, ss);
}

static inline xmtp_status faulty_encap_many(const xmtp_kem_encap *jobs, size_t count)
{
    return fault() ? XMTP_E_KEY : REAL.kem->encap_many(jobs, count);
}

static inline xmtp_status faulty_derive_many(const xmtp_kem_derive *jobs, size_t count)
{
    return fault() ? XMTP_E_CRYPTO : REAL.kem->derive_many(jobs, count);
}

static inline xmtp_status faulty_signature_public(const uint8_t *sk, uint8_t *pk)
{
    return fault() ? XMTP_E_KEY : REAL.signature->public_key(sk, pk);
}

static inline xmtp_status faulty_sign(const uint8_t *sk, const uint8_t *pk, xmtp_bytes message,
                                      uint8_t *signature, size_t *signature_len)
{
    return fault() ? XMTP_E_CRYPTO
                   : REAL.signature->sign(sk, pk, message, signature, signature_len);
}

static inline xmtp_status faulty_verify(xmtp_bytes pk, xmtp_bytes message, xmtp_bytes signature)
{
    return fault() ? XMTP_E_SIGNATURE : REAL.signature->verify(pk, message, signature);
}

static inline void faulty_verify_many(xmtp_signature_check *checks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        checks[i].verdict = faulty_verify(checks[i].pk, checks[i].message, checks[i].signature);
    }
}

static inline const xmtp_suite *faulty_suite(void)
{
    static xmtp_aead aead;
    static xmtp_kem kem;
    static xmtp_signature signature;
    static xmtp_suite suite;
    if (suite.aead == NULL) {
        aead = *REAL.aead;
        aead.seal = faulty_aead_seal;
        aead.open = faulty_aead_open;
        kem = *REAL.kem;
        kem.derive_key_pair = faulty_derive;
        kem.public_key = faulty_kem_public;
        kem.encap = faulty_encap;
        kem.decap = faulty_decap;
        kem.encap_many = REAL.kem->encap_many == NULL ? NULL : faulty_encap_many;
        kem.derive_many = REAL.kem->derive_many == NULL ? NULL : faulty_derive_many;
        signature = *REAL.signature;
        signature.public_key = faulty_signature_public;
        signature.sign = faulty_sign;
        signature.verify = faulty_verify;
        signature.verify_many = faulty_verify_many;
        suite = REAL;
        suite.aead = &aead;
        suite.kem = &kem;
        suite.signature = &signature;
    }
    return &suite;
}

/* ---- what the linker puts in the place of the library's ---- */

const xmtp_suite *__real_xmtp_suite_by_id(uint16_t id);
const xmtp_suite *__wrap_xmtp_suite_by_id(uint16_t id);

const xmtp_suite *__wrap_xmtp_suite_by_id(uint16_t id)
{
    return id == 3 ? faulty_suite() : __real_xmtp_suite_by_id(id);
}

#define FAULTY(name, parameters, arguments)                                                        \
    xmtp_status __real_##name parameters;                                                          \
    xmtp_status __wrap_##name parameters;                                                          \
    xmtp_status __wrap_##name parameters                                                           \
    {                                                                                              \
        if (fault()) {                                                                             \
            faults_name = #name;                                                                   \
            return XMTP_E_LENGTH;                                                                  \
        }                                                                                          \
        return __real_##name arguments;                                                            \
    }

FAULTY(xmtp_expand_with_label,
       (const xmtp_suite *suite, xmtp_bytes secret, const char *label, xmtp_bytes context,
        uint8_t *out, size_t out_len),
       (suite, secret, label, context, out, out_len))
FAULTY(xmtp_expand_keyed,
       (const xmtp_hmac *keyed, const char *label, xmtp_bytes context, uint8_t *out,
        size_t out_len),
       (keyed, label, context, out, out_len))
FAULTY(xmtp_derive_secret,
       (const xmtp_suite *suite, const xmtp_secret *secret, const char *label, xmtp_secret *out),
       (suite, secret, label, out))
FAULTY(xmtp_derive_tree_secret,
       (const xmtp_suite *suite, xmtp_bytes secret, const char *label, uint32_t generation,
        uint8_t *out, size_t out_len),
       (suite, secret, label, generation, out, out_len))
FAULTY(xmtp_confirmed_transcript_hash,
       (const xmtp_suite *suite, xmtp_bytes interim, const xmtp_authenticated_content *commit,
        uint8_t *out),
       (suite, interim, commit, out))
FAULTY(xmtp_interim_transcript_hash,
       (const xmtp_suite *suite, xmtp_bytes confirmed, xmtp_bytes confirmation_tag, uint8_t *out),
       (suite, confirmed, confirmation_tag, out))

/* Functions that fail for a shortage of memory, which their caller's arena or writer mostly spares
 * them, or for input that was judged before: their callers pass it on all the same. */
FAULTY(xmtp_arena_take, (xmtp_arena * arena, size_t n, void **out), (arena, n, out))
FAULTY(xmtp_arena_take_array, (xmtp_arena * arena, size_t count, size_t size, void **out),
       (arena, count, size, out))
FAULTY(xmtp_arena_copy, (xmtp_arena * arena, xmtp_bytes in, xmtp_bytes *out), (arena, in, out))
FAULTY(xmtp_leaf_node_validate,
       (const xmtp_leaf_node *leaf, const xmtp_leaf_node_rules *rules, xmtp_error *error),
       (leaf, rules, error))
FAULTY(xmtp_key_package_of, (xmtp_bytes raw, xmtp_key_package *out), (raw, out))
FAULTY(xmtp_key_package_validate,
       (const xmtp_key_package *package, const xmtp_leaf_node_rules *rules, xmtp_error *error),
       (package, rules, error))
FAULTY(xmtp_key_package_check_extensions, (const xmtp_key_package *package, xmtp_error *error),
       (package, error))
FAULTY(xmtp_context_extensions_check,
       (const xmtp_mls_config *config, const xmtp_extensions *extensions, xmtp_error *error),
       (config, extensions, error))
FAULTY(xmtp_required_capabilities_of,
       (const xmtp_extensions *extensions, xmtp_required_capabilities *out), (extensions, out))
FAULTY(xmtp_group_context_of, (xmtp_bytes raw, xmtp_group_context *out), (raw, out))
FAULTY(xmtp_authenticated_content_decode,
       (xmtp_reader * r, xmtp_arena *arena, xmtp_authenticated_content *out), (r, arena, out))
FAULTY(xmtp_tree_hash, (xmtp_tree * tree, uint8_t *out), (tree, out))
FAULTY(xmtp_tree_set_node, (xmtp_tree * tree, uint32_t index, xmtp_node_kind kind, xmtp_bytes raw),
       (tree, index, kind, raw))
FAULTY(xmtp_tree_merge, (xmtp_tree * base, xmtp_tree *overlay), (base, overlay))
FAULTY(xmtp_tree_resolution,
       (const xmtp_tree *tree, uint32_t node, xmtp_arena *arena, uint32_t **out, size_t *count),
       (tree, node, arena, out, count))
FAULTY(xmtp_tree_check_keys, (const xmtp_tree *tree, xmtp_error *error), (tree, error))
FAULTY(xmtp_tree_check_credentials, (const xmtp_tree *tree, xmtp_error *error), (tree, error))
FAULTY(xmtp_tree_private_check, (const xmtp_tree_private *keys, const xmtp_tree *tree),
       (keys, tree))
FAULTY(xmtp_tree_load_end, (xmtp_tree * tree), (tree))
FAULTY(xmtp_group_set_context, (xmtp_mls_group * group), (group))
FAULTY(xmtp_membership_tag,
       (const xmtp_suite *suite, const xmtp_secret *key, const xmtp_authenticated_content *content,
        xmtp_bytes group_context, xmtp_framing_scratch *scratch, uint8_t *out),
       (suite, key, content, group_context, scratch, out))
FAULTY(xmtp_letters_init,
       (xmtp_letters * out, const xmtp_suite *suite, size_t capacity, xmtp_arena *arena),
       (out, suite, capacity, arena))
FAULTY(xmtp_psk_ids_of_list,
       (const xmtp_applied *applied, xmtp_arena *arena, xmtp_psk_id **ids, size_t *count),
       (applied, arena, ids, count))
FAULTY(xmtp_kept_open,
       (const xmtp_kept_proposal *kept, xmtp_arena *arena, xmtp_authenticated_content **out),
       (kept, arena, out))
FAULTY(xmtp_proposal_check_sender,
       (const xmtp_sender *sender, const xmtp_proposal *proposal, xmtp_error *error),
       (sender, proposal, error))
FAULTY(xmtp_group_authenticate,
       (const xmtp_mls_group *group, uint32_t leaf_index, const xmtp_leaf_node *leaf,
        const xmtp_leaf_node *before, xmtp_error *error),
       (group, leaf_index, leaf, before, error))
FAULTY(xmtp_group_check_active, (const xmtp_mls_group *group, xmtp_error *error), (group, error))
FAULTY(xmtp_tree_writable, (xmtp_tree * tree, uint32_t index, xmtp_node **out), (tree, index, out))
FAULTY(xmtp_tree_unmerged_of, (const xmtp_tree *tree, uint32_t node, xmtp_parent_node *out),
       (tree, node, out))
FAULTY(xmtp_tree_parent_hash_of,
       (xmtp_tree * tree, const xmtp_parent_node *parent, uint32_t sibling, uint8_t *out),
       (tree, parent, sibling, out))
FAULTY(xmtp_proposal_decode, (xmtp_reader * r, xmtp_proposal *out), (r, out))

#endif
