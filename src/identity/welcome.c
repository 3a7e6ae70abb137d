/* welcome.c - HPKE with two seals in one context, and the symmetric form behind pointers. */
#include "identity/welcome.h"

#include "base/bytes.h"
#include "base/reader.h"
#include "base/status.h"
#include "base/together.h"
#include "base/writer.h"
#include "crypto/crypto.h"
#include "identity/key_package.h"
#include "proto/field.h"

#include <assert.h>

enum {
    POINTEE_AEAD_CHACHA20POLY1305 = 3,
    POINTER_PLAINTEXT_MAX = 128,
    METADATA_MAX = 16,
    XWING_ENC_LEN = 1120,
    SEALED_AT_ONCE = 8, /* as many as there are lanes; above 300 us together */
    SEALED_AT_ONCE_US = 300,
    DECAPSULATED_AT_ONCE = 64,
    POINTER_CIPHERTEXT_LEN = XMTP_WELCOME_POINTER_LEN - 2 - XWING_ENC_LEN - 2,
};

/* EncryptContext of RFC 9420 section 5.1.3: label<V> "MLS 1.0 MLS_WELCOME", then an empty context.
 */
static const uint8_t hpke_info[21] = "\x13"
                                     "MLS 1.0 MLS_WELCOME";
static_assert(sizeof hpke_info == 1 + 19 + 1, "the zero at the end is the empty context");

static const xmtp_bytes no_bytes = {.p = NULL, .n = 0};

static const xmtp_suite *suite_of(xmtp_wrapper_algorithm algorithm)
{
    switch (algorithm) {
    case XMTP_WRAPPER_CURVE25519:
        return &xmtp_suite_x25519_chacha;
    case XMTP_WRAPPER_XWING:
        return &xmtp_suite_xwing_chacha;
    case XMTP_WRAPPER_SYMMETRIC:
        break;
    }
    return NULL;
}

/* ---- memory */

static void *take(const xmtp_alloc *alloc, size_t n)
{
    return alloc->reallocate(alloc->context, NULL, n == 0 ? 1 : n);
}

static void give_back(const xmtp_alloc *alloc, uint8_t *p, size_t n)
{
    if (p != NULL) {
        xmtp_wipe(p, n);
        (void)alloc->reallocate(alloc->context, p, 0);
    }
}

void xmtp_welcome_sealed_free(xmtp_welcome_sealed *sealed)
{
    if (sealed->alloc != NULL) {
        give_back(sealed->alloc, sealed->data, sealed->data_len);
        give_back(sealed->alloc, sealed->metadata, sealed->metadata_len);
    }
    *sealed = (xmtp_welcome_sealed){0};
}

void xmtp_welcome_opened_free(xmtp_welcome_opened *opened)
{
    if (opened->alloc != NULL) {
        give_back(opened->alloc, opened->welcome, opened->welcome_len);
    }
    *opened = (xmtp_welcome_opened){0};
}

/* ---- expanded keys */

/* What decapsulating one encapsulated key gave. */
typedef struct known_secret {
    uint8_t enc[XWING_ENC_LEN];
    uint8_t ss[32];
    xmtp_status status;
} known_secret;

struct xmtp_expanded_key {
    const xmtp_alloc *alloc;
    size_t size;
    known_secret *known;
    size_t known_count;
    size_t known_size; /* in bytes */
    uint8_t seed[XMTP_XWING_SEED_LEN];
    _Alignas(max_align_t) uint8_t expanded[];
};

xmtp_status xmtp_expanded_key_new(xmtp_expanded_key **out, const xmtp_alloc *alloc,
                                  const uint8_t xwing_seed[XMTP_XWING_SEED_LEN])
{
    const xmtp_kem *kem = xmtp_suite_xwing_chacha.kem;
    const size_t size = sizeof(xmtp_expanded_key) + kem->expanded_len;
    *out = (void *)take(alloc, size);
    XMTP_ENSURE(*out != NULL, XMTP_E_NOMEM);
    **out = (xmtp_expanded_key){.alloc = alloc, .size = size};
    memcpy((*out)->seed, xwing_seed, sizeof(*out)->seed);
    kem->expand(xwing_seed, (*out)->expanded);
    return XMTP_OK;
}

bool xmtp_expanded_key_is_of(const xmtp_expanded_key *key,
                             const uint8_t xwing_seed[XMTP_XWING_SEED_LEN])
{
    return xmtp_ct_equal(key->seed, xwing_seed, sizeof key->seed);
}

void xmtp_expanded_key_free(xmtp_expanded_key *key)
{
    if (key != NULL) {
        give_back(key->alloc, (uint8_t *)key->known, key->known_size);
        give_back(key->alloc, (uint8_t *)key, key->size);
    }
}

/* HPKECiphertext { opaque kem_output<V>; opaque ciphertext<V>; } */
static xmtp_status split(xmtp_bytes sealed, size_t enc_len, xmtp_bytes *enc, xmtp_bytes *ciphertext)
{
    xmtp_reader r = xmtp_reader_of(sealed);
    XMTP_ENSURE(xmtp_reader_vec(&r, enc) == XMTP_OK, XMTP_E_MALFORMED);
    XMTP_ENSURE(xmtp_reader_vec(&r, ciphertext) == XMTP_OK, XMTP_E_MALFORMED);
    XMTP_ENSURE(xmtp_reader_end(&r) == XMTP_OK, XMTP_E_MALFORMED);
    XMTP_ENSURE(enc->n == enc_len, XMTP_E_MALFORMED);
    return XMTP_OK;
}

static void decapsulate_known(xmtp_expanded_key *key)
{
    const xmtp_kem *kem = xmtp_suite_xwing_chacha.kem;
    xmtp_kem_decap jobs[DECAPSULATED_AT_ONCE];
    for (size_t done = 0; done < key->known_count; done += DECAPSULATED_AT_ONCE) {
        known_secret *known = key->known + done;
        const size_t left = key->known_count - done;
        const size_t n = left < DECAPSULATED_AT_ONCE ? left : DECAPSULATED_AT_ONCE;
        for (size_t i = 0; i < n; i++) {
            jobs[i] = (xmtp_kem_decap){.enc = known[i].enc, .ss = known[i].ss};
        }
        kem->decap_many(key->expanded, jobs, n);
        for (size_t i = 0; i < n; i++) {
            known[i].status = jobs[i].status;
        }
    }
}

xmtp_status xmtp_expanded_key_go_ahead(xmtp_expanded_key *key, const xmtp_bytes *sealed,
                                       size_t count)
{
    assert(key->known == NULL);
    size_t size;
    XMTP_ENSURE(xmtp_size_mul(&size, count, sizeof *key->known), XMTP_E_NOMEM);
    key->known = (void *)take(key->alloc, size);
    XMTP_ENSURE(key->known != NULL, XMTP_E_NOMEM);
    key->known_size = size;
    for (size_t i = 0; i < count; i++) {
        xmtp_bytes enc;
        xmtp_bytes ciphertext;
        if (split(sealed[i], XWING_ENC_LEN, &enc, &ciphertext) == XMTP_OK) {
            memcpy(key->known[key->known_count++].enc, enc.p, XWING_ENC_LEN);
        }
    }
    decapsulate_known(key);
    return XMTP_OK;
}

/* NULL: it was not looked at ahead. */
static const known_secret *find_known(const xmtp_expanded_key *key, xmtp_bytes enc)
{
    for (size_t i = 0; i < key->known_count; i++) {
        if (xmtp_bytes_equal(xmtp_bytes_of(key->known[i].enc, XWING_ENC_LEN), enc)) {
            return &key->known[i];
        }
    }
    return NULL;
}

/* ---- WelcomeMetadata { message_cursor 1 } */

static xmtp_status encode_metadata(uint64_t message_cursor, xmtp_writer *w)
{
    xmtp_field_put_u64(w, 1, message_cursor);
    return xmtp_writer_status(w);
}

static xmtp_status decode_metadata(xmtp_bytes in, uint64_t *message_cursor)
{
    uint64_t cursor = 0;
    xmtp_reader r = xmtp_reader_of(in);
    while (r.n > 0) {
        xmtp_field f;
        XMTP_TRY(xmtp_field_next(&r, &f));
        if (f.number == 1) {
            XMTP_TRY(xmtp_field_u64(&f, &cursor));
        }
    }
    *message_cursor = cursor;
    return XMTP_OK;
}

/* ---- one AEAD output of its own buffer */

typedef struct aead_context {
    xmtp_hpke *hpke;                     /* or */
    const xmtp_welcome_pointer *pointer; /* with */
    const uint8_t *nonce;
} aead_context;

static xmtp_status aead_seal(const aead_context *c, xmtp_bytes plaintext, uint8_t *out)
{
    if (c->hpke != NULL) {
        return xmtp_hpke_seal(c->hpke, no_bytes, plaintext, out);
    }
    return xmtp_aead_chacha20poly1305.seal(c->pointer->key, c->nonce, no_bytes, plaintext, out);
}

static xmtp_status aead_open(const aead_context *c, xmtp_bytes ciphertext, uint8_t *out)
{
    if (c->hpke != NULL) {
        return xmtp_hpke_open(c->hpke, no_bytes, ciphertext, out);
    }
    return xmtp_aead_chacha20poly1305.open(c->pointer->key, c->nonce, no_bytes, ciphertext, out);
}

static xmtp_status seal_new(const xmtp_alloc *alloc, const aead_context *c, xmtp_bytes plaintext,
                            uint8_t **out, size_t *out_len)
{
    size_t n = plaintext.n + xmtp_aead_chacha20poly1305.tag_len;
    uint8_t *p = take(alloc, n);
    XMTP_ENSURE(p != NULL, XMTP_E_NOMEM);
    xmtp_status status = aead_seal(c, plaintext, p);
    if (status != XMTP_OK) {
        give_back(alloc, p, n);
        return status;
    }
    *out = p;
    *out_len = n;
    return XMTP_OK;
}

static xmtp_status open_new(const xmtp_alloc *alloc, const aead_context *c, xmtp_bytes ciphertext,
                            uint8_t **out, size_t *out_len)
{
    XMTP_ENSURE(ciphertext.n >= xmtp_aead_chacha20poly1305.tag_len, XMTP_E_AUTH);
    size_t n = ciphertext.n - xmtp_aead_chacha20poly1305.tag_len;
    uint8_t *p = take(alloc, n);
    XMTP_ENSURE(p != NULL, XMTP_E_NOMEM);
    xmtp_status status = aead_open(c, ciphertext, p);
    if (status != XMTP_OK) {
        give_back(alloc, p, n);
        return status;
    }
    *out = p;
    *out_len = n;
    return XMTP_OK;
}

static xmtp_status seal_metadata(const xmtp_alloc *alloc, const aead_context *c,
                                 uint64_t message_cursor, xmtp_welcome_sealed *out)
{
    xmtp_writer w;
    xmtp_writer_init(&w, alloc, METADATA_MAX);
    xmtp_status status = encode_metadata(message_cursor, &w);
    if (status == XMTP_OK) {
        status = seal_new(alloc, c, xmtp_writer_bytes(&w), &out->metadata, &out->metadata_len);
    }
    xmtp_writer_free(&w);
    return status;
}

/* is_lenient: what decrypts but does not decode counts as absent. */
static xmtp_status open_metadata(const xmtp_alloc *alloc, const aead_context *c,
                                 xmtp_bytes metadata, bool is_lenient, uint64_t *message_cursor)
{
    if (metadata.n == 0) {
        return XMTP_OK;
    }
    uint8_t *p;
    size_t n;
    XMTP_TRY(open_new(alloc, c, metadata, &p, &n));
    xmtp_status status = decode_metadata(xmtp_bytes_of(p, n), message_cursor);
    give_back(alloc, p, n);
    return is_lenient ? XMTP_OK : status;
}

/* ---- one HPKECiphertext */

/* Sets up a context to public_key and seals plaintext as its first message. */
static xmtp_status hpke_seal_first(const xmtp_env *env, const xmtp_suite *suite,
                                   xmtp_bytes public_key, xmtp_bytes plaintext, xmtp_hpke *context,
                                   xmtp_writer *w)
{
    const xmtp_kem *kem = suite->kem;
    XMTP_ENSURE(public_key.n == kem->pk_len, XMTP_E_KEY);
    uint8_t seed[XMTP_KEM_SEED_MAX];
    uint8_t enc[XMTP_KEM_ENC_MAX];
    XMTP_TRY(env->random(env->context, seed, kem->seed_len));
    xmtp_status status = xmtp_hpke_setup_sender(
        context, suite, public_key.p, xmtp_bytes_of(hpke_info, sizeof hpke_info), seed, enc);
    xmtp_wipe(seed, sizeof seed);
    XMTP_TRY(status);
    xmtp_writer_vec(w, xmtp_bytes_of(enc, kem->enc_len));
    xmtp_writer_varint(w, plaintext.n + suite->aead->tag_len);
    uint8_t *out = xmtp_writer_extend(w, plaintext.n + suite->aead->tag_len);
    XMTP_ENSURE(out != NULL, xmtp_writer_status(w));
    return xmtp_hpke_seal(context, no_bytes, plaintext, out);
}

static xmtp_status set_up_expanded(xmtp_hpke *context, const xmtp_suite *suite,
                                   const xmtp_expanded_key *key, xmtp_bytes enc, xmtp_bytes info)
{
    const known_secret *known = find_known(key, enc);
    if (known == NULL) {
        return xmtp_hpke_setup_receiver_expanded(context, suite, key->expanded, enc, info);
    }
    XMTP_TRY(known->status);
    return xmtp_hpke_setup_receiver_shared(context, suite, known->ss, info);
}

static xmtp_status set_up(xmtp_hpke *context, const xmtp_suite *suite, const xmtp_unwrap_key *key,
                          xmtp_bytes enc)
{
    const xmtp_bytes info = xmtp_bytes_of(hpke_info, sizeof hpke_info);
    const bool is_expanded = key->algorithm == XMTP_WRAPPER_XWING && key->expanded != NULL &&
                             xmtp_expanded_key_is_of(key->expanded, key->sk);
    return is_expanded ? set_up_expanded(context, suite, key->expanded, enc, info)
                       : xmtp_hpke_setup_receiver(context, suite, key->sk, NULL, enc, info);
}

static xmtp_status hpke_open_first(const xmtp_alloc *alloc, const xmtp_unwrap_key *key,
                                   xmtp_bytes data, xmtp_hpke *context, uint8_t **out,
                                   size_t *out_len)
{
    const xmtp_suite *suite = suite_of(key->algorithm);
    XMTP_ENSURE(suite != NULL, XMTP_E_UNSUPPORTED);
    xmtp_bytes enc;
    xmtp_bytes ciphertext;
    XMTP_TRY(split(data, suite->kem->enc_len, &enc, &ciphertext));
    XMTP_TRY(set_up(context, suite, key, enc));
    const aead_context aead = {.hpke = context};
    return open_new(alloc, &aead, ciphertext, out, out_len);
}

/* ---- welcomes to one recipient */

static xmtp_status seal_both(const xmtp_env *env, const xmtp_suite *suite, xmtp_bytes public_key,
                             xmtp_bytes welcome, uint64_t message_cursor, xmtp_hpke *context,
                             xmtp_welcome_sealed *out)
{
    xmtp_writer w;
    xmtp_writer_init(&w, &env->alloc, XMTP_WRITER_MAX);
    const aead_context aead = {.hpke = context};
    xmtp_status status = hpke_seal_first(env, suite, public_key, welcome, context, &w);
    if (status == XMTP_OK) {
        status = seal_metadata(&env->alloc, &aead, message_cursor, out);
    }
    if (status == XMTP_OK) {
        status = xmtp_writer_detach(&w, &out->data, &out->data_len);
    }
    xmtp_writer_free(&w);
    return status;
}

xmtp_status xmtp_welcome_seal(const xmtp_env *env, xmtp_wrapper_algorithm algorithm,
                              xmtp_bytes public_key, xmtp_bytes welcome, uint64_t message_cursor,
                              xmtp_welcome_sealed *out, xmtp_error *error)
{
    *out = (xmtp_welcome_sealed){0};
    const xmtp_suite *suite = suite_of(algorithm);
    if (suite == NULL) {
        return xmtp_fail(error, XMTP_E_UNSUPPORTED, "welcome wrapper algorithm %d", (int)algorithm);
    }
    xmtp_hpke context = {0};
    xmtp_welcome_sealed sealed = {.alloc = &env->alloc};
    xmtp_status status =
        seal_both(env, suite, public_key, welcome, message_cursor, &context, &sealed);
    xmtp_hpke_wipe(&context);
    if (status != XMTP_OK) {
        xmtp_welcome_sealed_free(&sealed);
        return xmtp_fail_default(error, status, "sealing a welcome");
    }
    *out = sealed;
    return XMTP_OK;
}

xmtp_status xmtp_welcome_open(const xmtp_alloc *alloc, const xmtp_unwrap_key *key, xmtp_bytes data,
                              xmtp_bytes metadata, xmtp_welcome_opened *out, xmtp_error *error)
{
    *out = (xmtp_welcome_opened){0};
    xmtp_hpke context = {0};
    xmtp_welcome_opened opened = {.alloc = alloc};
    const aead_context aead = {.hpke = &context};
    xmtp_status status =
        hpke_open_first(alloc, key, data, &context, &opened.welcome, &opened.welcome_len);
    if (status == XMTP_OK) {
        status = open_metadata(alloc, &aead, metadata, true, &opened.message_cursor);
    }
    xmtp_hpke_wipe(&context);
    if (status != XMTP_OK) {
        xmtp_welcome_opened_free(&opened);
        return xmtp_fail(error, status, "opening a welcome: %s", xmtp_status_text(status));
    }
    *out = opened;
    return XMTP_OK;
}

/* ---- pointers: WelcomePointer { 1 { destination 1, aead_type 2, encryption_key 3, data_nonce 4,
 * welcome_metadata_nonce 5 } } */

xmtp_status xmtp_welcome_pointer_generate(const xmtp_env *env, xmtp_welcome_pointer *out)
{
    uint8_t random[sizeof *out];
    XMTP_TRY(env->random(env->context, random, sizeof random));
    memcpy(out, random, sizeof *out);
    xmtp_wipe(random, sizeof random);
    /* Under one key the same nonce twice would give the plaintexts away. */
    return memcmp(out->data_nonce, out->metadata_nonce, sizeof out->data_nonce) != 0
               ? XMTP_OK
               : XMTP_E_RANDOM;
}

void xmtp_welcome_pointer_wipe(xmtp_welcome_pointer *pointer)
{
    xmtp_wipe(pointer, sizeof *pointer);
}

static xmtp_status encode_pointer(const xmtp_welcome_pointer *p, xmtp_writer *w)
{
    size_t v1 = xmtp_field_open(w, 1);
    xmtp_field_put_bytes(w, 1, xmtp_bytes_of(p->destination, sizeof p->destination));
    xmtp_field_put_u64(w, 2, POINTEE_AEAD_CHACHA20POLY1305);
    xmtp_field_put_bytes(w, 3, xmtp_bytes_of(p->key, sizeof p->key));
    xmtp_field_put_bytes(w, 4, xmtp_bytes_of(p->data_nonce, sizeof p->data_nonce));
    xmtp_field_put_bytes(w, 5, xmtp_bytes_of(p->metadata_nonce, sizeof p->metadata_nonce));
    xmtp_field_close(w, v1);
    return xmtp_writer_status(w);
}

typedef struct wire_pointer {
    bool is_v1;
    uint64_t aead;
    xmtp_bytes destination;
    xmtp_bytes key;
    xmtp_bytes data_nonce;
    xmtp_bytes metadata_nonce;
} wire_pointer;

static xmtp_status decode_pointer_v1(xmtp_reader r, wire_pointer *p)
{
    while (r.n > 0) {
        xmtp_field f;
        XMTP_TRY(xmtp_field_next(&r, &f));
        switch (f.number) {
        case 1:
            XMTP_TRY(xmtp_field_bytes(&f, &p->destination));
            break;
        case 2:
            XMTP_TRY(xmtp_field_u64(&f, &p->aead));
            break;
        case 3:
            XMTP_TRY(xmtp_field_bytes(&f, &p->key));
            break;
        case 4:
            XMTP_TRY(xmtp_field_bytes(&f, &p->data_nonce));
            break;
        case 5:
            XMTP_TRY(xmtp_field_bytes(&f, &p->metadata_nonce));
            break;
        }
    }
    return XMTP_OK;
}

static xmtp_status decode_pointer(xmtp_bytes in, xmtp_welcome_pointer *out)
{
    wire_pointer p = {0};
    xmtp_reader r = xmtp_reader_of(in);
    while (r.n > 0) {
        xmtp_field f;
        xmtp_reader inner;
        XMTP_TRY(xmtp_field_next(&r, &f));
        if (f.number == 1) {
            XMTP_TRY(xmtp_field_message(&f, &inner));
            XMTP_TRY(decode_pointer_v1(inner, &p));
            p.is_v1 = true;
        }
    }
    XMTP_ENSURE(p.is_v1 && p.aead == POINTEE_AEAD_CHACHA20POLY1305, XMTP_E_UNSUPPORTED);
    XMTP_ENSURE(p.destination.n == sizeof out->destination && p.key.n == sizeof out->key &&
                    p.data_nonce.n == sizeof out->data_nonce &&
                    p.metadata_nonce.n == sizeof out->metadata_nonce,
                XMTP_E_MALFORMED);
    memcpy(out->destination, p.destination.p, sizeof out->destination);
    memcpy(out->key, p.key.p, sizeof out->key);
    memcpy(out->data_nonce, p.data_nonce.p, sizeof out->data_nonce);
    memcpy(out->metadata_nonce, p.metadata_nonce.p, sizeof out->metadata_nonce);
    return XMTP_OK;
}

/* A length below 2^14 as RFC 9420 section 2.1.2 writes it. */
static void put_length(uint8_t out[2], size_t n)
{
    out[0] = (uint8_t)(0x40 | n >> 8);
    out[1] = (uint8_t)n;
}

/* kem_output<V> || ciphertext<V> around where HPKE will put them. */
static xmtp_hpke_letter letter_at(uint8_t out[XMTP_WELCOME_POINTER_LEN], const uint8_t *public_key,
                                  const uint8_t *seed, xmtp_bytes plaintext)
{
    put_length(out, XWING_ENC_LEN);
    put_length(out + 2 + XWING_ENC_LEN, POINTER_CIPHERTEXT_LEN);
    return (xmtp_hpke_letter){
        .pk = public_key,
        .seed = seed,
        .plaintext = plaintext,
        .enc = out + 2,
        .ciphertext = out + 2 + XWING_ENC_LEN + 2,
    };
}

typedef struct sealing_item {
    uint8_t public_key[XMTP_XWING_PK_LEN];
    uint8_t seed[XMTP_KEM_SEED_MAX];
    uint8_t wrapped[XMTP_WELCOME_POINTER_LEN];
} sealing_item;

struct xmtp_pointers_sealing {
    const xmtp_alloc *alloc;
    xmtp_together_job job;
    bool is_begun; /* and not finished */
    atomic_bool has_failed;
    uint8_t plaintext[POINTER_PLAINTEXT_MAX];
    size_t plaintext_len;
    size_t count;
    sealing_item items[];
};

/* At most SEALED_AT_ONCE, on any thread. */
static void seal_some(void *context, size_t first, size_t count)
{
    xmtp_pointers_sealing *s = context;
    xmtp_hpke_letter letters[SEALED_AT_ONCE];
    for (size_t i = 0; i < count; i++) {
        sealing_item *item = &s->items[first + i];
        letters[i] = letter_at(item->wrapped, item->public_key, item->seed,
                               xmtp_bytes_of(s->plaintext, s->plaintext_len));
    }
    if (xmtp_hpke_seal_many(&xmtp_suite_xwing_chacha, xmtp_bytes_of(hpke_info, sizeof hpke_info),
                            letters, count) != XMTP_OK) {
        atomic_store(&s->has_failed, true);
    }
}

static xmtp_status fill_plaintext(xmtp_pointers_sealing *s, const xmtp_welcome_pointer *pointer)
{
    xmtp_writer w;
    xmtp_writer_init(&w, s->alloc, POINTER_PLAINTEXT_MAX);
    xmtp_status status = encode_pointer(pointer, &w);
    if (status == XMTP_OK) {
        const xmtp_bytes bytes = xmtp_writer_bytes(&w);
        assert(bytes.n + xmtp_suite_xwing_chacha.aead->tag_len == POINTER_CIPHERTEXT_LEN);
        memcpy(s->plaintext, bytes.p, bytes.n);
        s->plaintext_len = bytes.n;
    }
    xmtp_writer_free(&w);
    return status;
}

static xmtp_status fill_items(const xmtp_env *env, xmtp_pointers_sealing *s,
                              const xmtp_bytes *public_keys)
{
    const xmtp_kem *kem = xmtp_suite_xwing_chacha.kem;
    assert(kem->enc_len == XWING_ENC_LEN && kem->pk_len == XMTP_XWING_PK_LEN);
    for (size_t i = 0; i < s->count; i++) {
        XMTP_ENSURE(public_keys[i].n == kem->pk_len, XMTP_E_KEY);
        memcpy(s->items[i].public_key, public_keys[i].p, kem->pk_len);
        XMTP_TRY(env->random(env->context, s->items[i].seed, kem->seed_len));
    }
    return XMTP_OK;
}

static size_t sealing_len(size_t count)
{
    return sizeof(xmtp_pointers_sealing) + count * sizeof(sealing_item);
}

xmtp_status xmtp_welcome_pointers_begin(const xmtp_env *env, const xmtp_welcome_pointer *pointer,
                                        const xmtp_bytes *public_keys, size_t count,
                                        xmtp_pointers_sealing **out)
{
    *out = NULL;
    XMTP_ENSURE(count <= (SIZE_MAX - sizeof(**out)) / sizeof((*out)->items[0]), XMTP_E_LIMIT);
    xmtp_pointers_sealing *s = take(&env->alloc, sealing_len(count));
    XMTP_ENSURE(s != NULL, XMTP_E_NOMEM);
    s->alloc = &env->alloc;
    s->is_begun = false;
    s->count = count;
    atomic_init(&s->has_failed, false);
    xmtp_status status = fill_plaintext(s, pointer);
    if (status == XMTP_OK) {
        status = fill_items(env, s, public_keys);
    }
    if (status != XMTP_OK) {
        xmtp_welcome_pointers_free(s);
        return status;
    }
    s->is_begun = true;
    xmtp_together_begin(&s->job, &(xmtp_together_work){.count = count,
                                                       .piece = SEALED_AT_ONCE,
                                                       .piece_us = SEALED_AT_ONCE_US,
                                                       .step = seal_some,
                                                       .context = s});
    *out = s;
    return XMTP_OK;
}

void xmtp_welcome_pointers_help(xmtp_pointers_sealing *s)
{
    xmtp_together_help(&s->job);
}

xmtp_status xmtp_welcome_pointers_finish(xmtp_pointers_sealing *s, xmtp_error *error)
{
    xmtp_together_finish(&s->job);
    s->is_begun = false;
    return atomic_load(&s->has_failed)
               ? xmtp_fail(error, XMTP_E_KEY, "sealing a welcome pointer: %s",
                           xmtp_status_text(XMTP_E_KEY))
               : XMTP_OK;
}

xmtp_bytes xmtp_welcome_pointer_at(const xmtp_pointers_sealing *s, size_t index)
{
    assert(index < s->count);
    return xmtp_bytes_of(s->items[index].wrapped, XMTP_WELCOME_POINTER_LEN);
}

void xmtp_welcome_pointers_free(xmtp_pointers_sealing *s)
{
    if (s == NULL) {
        return;
    }
    if (s->is_begun) {
        xmtp_together_drop(&s->job);
    }
    give_back(s->alloc, (uint8_t *)s, sealing_len(s->count));
}

xmtp_status xmtp_welcome_pointer_open(const xmtp_alloc *alloc, const xmtp_unwrap_key *key,
                                      xmtp_bytes wrapped, xmtp_welcome_pointer *out,
                                      xmtp_error *error)
{
    *out = (xmtp_welcome_pointer){0};
    xmtp_hpke context = {0};
    uint8_t *plaintext = NULL;
    size_t n = 0;
    xmtp_status status = key->algorithm == XMTP_WRAPPER_XWING
                             ? hpke_open_first(alloc, key, wrapped, &context, &plaintext, &n)
                             : XMTP_E_UNSUPPORTED;
    if (status == XMTP_OK) {
        status = decode_pointer(xmtp_bytes_of(plaintext, n), out);
    }
    give_back(alloc, plaintext, n);
    xmtp_hpke_wipe(&context);
    if (status != XMTP_OK) {
        return xmtp_fail(error, status, "opening a welcome pointer: %s", xmtp_status_text(status));
    }
    return XMTP_OK;
}

/* ---- what pointers point at */

xmtp_status xmtp_welcome_pointee_seal(const xmtp_env *env, const xmtp_welcome_pointer *pointer,
                                      xmtp_bytes welcome, uint64_t message_cursor,
                                      xmtp_welcome_sealed *out)
{
    *out = (xmtp_welcome_sealed){0};
    const aead_context data = {.pointer = pointer, .nonce = pointer->data_nonce};
    const aead_context metadata = {.pointer = pointer, .nonce = pointer->metadata_nonce};
    xmtp_welcome_sealed sealed = {.alloc = &env->alloc};
    xmtp_status status = seal_new(&env->alloc, &data, welcome, &sealed.data, &sealed.data_len);
    if (status == XMTP_OK) {
        status = seal_metadata(&env->alloc, &metadata, message_cursor, &sealed);
    }
    if (status != XMTP_OK) {
        xmtp_welcome_sealed_free(&sealed);
        return status;
    }
    *out = sealed;
    return XMTP_OK;
}

xmtp_status xmtp_welcome_pointee_open(const xmtp_alloc *alloc, const xmtp_welcome_pointer *pointer,
                                      xmtp_bytes data, xmtp_bytes metadata,
                                      xmtp_welcome_opened *out, xmtp_error *error)
{
    *out = (xmtp_welcome_opened){0};
    const aead_context data_aead = {.pointer = pointer, .nonce = pointer->data_nonce};
    const aead_context metadata_aead = {.pointer = pointer, .nonce = pointer->metadata_nonce};
    xmtp_welcome_opened opened = {.alloc = alloc};
    xmtp_status status = open_new(alloc, &data_aead, data, &opened.welcome, &opened.welcome_len);
    if (status == XMTP_OK) {
        status = open_metadata(alloc, &metadata_aead, metadata, false, &opened.message_cursor);
    }
    if (status != XMTP_OK) {
        xmtp_welcome_opened_free(&opened);
        return xmtp_fail(error, status, "opening what a welcome pointer points at: %s",
                         xmtp_status_text(status));
    }
    *out = opened;
    return XMTP_OK;
}
