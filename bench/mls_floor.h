/* mls_floor.h - what an MLS operation must cost: which primitives RFC 9420 forces, and what they cost here.
 *
 *     counts (from the shape of the tree)  x  prices (measured beside the operation)  =  floor
 *
 * The floor holds cryptography only: no parsing, copying, allocation or storage. Prices are those of
 * the engine that the library uses, so a faster engine lowers both sides.
 */
#ifndef BENCH_MLS_FLOOR_H
#define BENCH_MLS_FLOOR_H

#include "base/bytes.h"
#include "crypto/crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline double now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* The time this thread was given: what a batch of primitives needs, long enough to be interrupted. */
static inline double cpu_us(void)
{
    struct timespec cpu;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    return (double)cpu.tv_sec * 1e6 + (double)cpu.tv_nsec / 1e3;
}

/* ---- samples ---- */

enum { SAMPLES_MAX = 512 };

typedef struct samples {
    double us[SAMPLES_MAX];
    size_t count;
} samples;

static inline void samples_add(samples *s, double us)
{
    if (s->count < SAMPLES_MAX) {
        s->us[s->count++] = us;
    }
}

static inline int samples_order(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The value below which a part of the samples lies: 0.5 is the median. Sorts. */
static inline double samples_at(samples *s, double part)
{
    if (s->count == 0) {
        return 0;
    }
    qsort(s->us, s->count, sizeof *s->us, samples_order);
    return s->us[(size_t)(part * (double)(s->count - 1) + 0.5)];
}

/* ---- prices ---- */

typedef enum price {
    PRICE_SIGN,        /* Ed25519, 256 bytes */
    PRICE_VERIFY,      /* Ed25519, 256 bytes */
    PRICE_CHECK,       /* the same, among as many as come together */
    PRICE_DH,          /* X25519 with any point */
    PRICE_DH_BASE,     /* X25519 with the base point */
    PRICE_ENCAP,       /* both for one HPKE seal, among as many as the operation makes */
    PRICE_DERIVE,      /* base point for a key pair, among as many as the operation makes */
    PRICE_AEAD,        /* ChaCha20-Poly1305, 64 bytes */
    PRICE_AEAD_KIB,    /* each KiB more */
    PRICE_COMPRESSION, /* SHA-256, one block */
    PRICE_SIGN_KIB,    /* each KiB of signed content more */
    PRICE_VERIFY_KIB,  /* each KiB of verified content more */
    PRICE_COUNT,
} price;

/* What each costs now, in microseconds. */
typedef struct prices {
    double us[PRICE_COUNT];
} prices;

/* How many of a kind one operation makes: an engine does some at once, and a loop over one
 * primitive finds its code and tables in the cache. */
typedef struct batches {
    size_t verifies;
    size_t checks;
    size_t encaps;
    size_t derives;
} batches;

static const char *const price_names[PRICE_COUNT] = {
    "Ed25519 sign, 256 B",
    "Ed25519 verify, 256 B",
    "Ed25519 verify, 256 B, among others",
    "X25519, any point",
    "X25519, base point",
    "X25519 twice, for an HPKE seal",
    "X25519 base point, for a key pair",
    "ChaCha20-Poly1305, 64 B",
    "ChaCha20-Poly1305, each KiB more",
    "SHA-256, one 64-byte block",
    "sign, each KiB more",
    "verify, each KiB more",
};

enum { LONG_LEN = 8192, LONG_KIB = LONG_LEN / 1024 };

static inline void price_must(xmtp_status status)
{
    if (status != XMTP_OK) {
        fprintf(stderr, "bench_mls: a primitive failed: %s\n", xmtp_status_name(status));
        exit(1);
    }
}

enum { VERIFIES_MAX = 16, AT_ONCE_MAX = 256 };

/* Keys that exist once: the cost of making them is not what is measured. */
typedef struct price_keys {
    const xmtp_suite *suite;
    uint8_t signature_sk[XMTP_SIGNATURE_SK_MAX];
    uint8_t signature_pk[XMTP_SIGNATURE_PK_MAX];
    uint8_t short_signatures[VERIFIES_MAX][XMTP_SIGNATURE_MAX];
    uint8_t long_signature[XMTP_SIGNATURE_MAX];
    size_t signature_len;
    uint8_t kem_sk[XMTP_KEM_SK_MAX];
    uint8_t kem_pk[XMTP_KEM_PK_MAX];
    uint8_t data[LONG_LEN + XMTP_AEAD_TAG_MAX];
} price_keys;

static inline const price_keys *price_keys_once(void)
{
    static price_keys k;
    if (k.suite == NULL) {
        k.suite = &xmtp_suite_x25519_chacha;
        memset(k.signature_sk, 7, sizeof k.signature_sk);
        memset(k.kem_sk, 9, sizeof k.kem_sk);
        for (size_t i = 0; i < sizeof k.data; i++) {
            k.data[i] = (uint8_t)(i * i >> 3);
        }
        const xmtp_signature *sig = k.suite->signature;
        price_must(sig->public_key(k.signature_sk, k.signature_pk));
        for (size_t i = 0; i < VERIFIES_MAX; i++) { /* the time depends on the signature */
            price_must(sig->sign(k.signature_sk, k.signature_pk, xmtp_bytes_of(k.data + i, 256),
                                 k.short_signatures[i], &k.signature_len));
        }
        price_must(sig->sign(k.signature_sk, k.signature_pk, xmtp_bytes_of(k.data, LONG_LEN),
                             k.long_signature, &k.signature_len));
        price_must(k.suite->kem->public_key(k.kem_sk, k.kem_pk));
    }
    return &k;
}

static inline double price_sign(const price_keys *k, size_t len)
{
    uint8_t signature[XMTP_SIGNATURE_MAX];
    size_t signature_len;
    double start = now_us();
    price_must(k->suite->signature->sign(k->signature_sk, k->signature_pk,
                                         xmtp_bytes_of(k->data, len), signature, &signature_len));
    return now_us() - start;
}

static inline void verify_once(const price_keys *k, xmtp_bytes message, const uint8_t *signature)
{
    price_must(
        k->suite->signature->verify(xmtp_bytes_of(k->signature_pk, k->suite->signature->pk_len),
                                    message, xmtp_bytes_of(signature, k->signature_len)));
}

static inline double price_verify(const price_keys *k, size_t count)
{
    static size_t next;
    count = count == 0 ? 1 : count > AT_ONCE_MAX ? AT_ONCE_MAX : count;
    double (*clock_us)(void) = count > 1 ? cpu_us : now_us;
    double start = clock_us();
    for (size_t i = 0; i < count; i++, next++) {
        const size_t at = next % VERIFIES_MAX;
        verify_once(k, xmtp_bytes_of(k->data + at, 256), k->short_signatures[at]);
    }
    return (clock_us() - start) / (double)count;
}

static inline double price_check(const price_keys *k, size_t count)
{
    static xmtp_signature_check checks[AT_ONCE_MAX];
    count = count == 0 ? 1 : count > AT_ONCE_MAX ? AT_ONCE_MAX : count;
    for (size_t i = 0; i < count; i++) {
        const size_t at = i % VERIFIES_MAX;
        checks[i] = (xmtp_signature_check){
            .pk = xmtp_bytes_of(k->signature_pk, k->suite->signature->pk_len),
            .message = xmtp_bytes_of(k->data + at, 256),
            .signature = xmtp_bytes_of(k->short_signatures[at], k->signature_len)};
    }
    double (*clock_us)(void) = count > 1 ? cpu_us : now_us;
    double start = clock_us();
    xmtp_signature_verify_many(k->suite->signature, checks, count);
    const double end = clock_us();
    for (size_t i = 0; i < count; i++) {
        price_must(checks[i].verdict);
    }
    return (end - start) / (double)count;
}

static inline double price_verify_long(const price_keys *k)
{
    double start = now_us();
    verify_once(k, xmtp_bytes_of(k->data, LONG_LEN), k->long_signature);
    return now_us() - start;
}

static inline double price_dh_base(const price_keys *k)
{
    uint8_t pk[XMTP_KEM_PK_MAX];
    double start = now_us();
    price_must(k->suite->kem->public_key(k->kem_sk, pk));
    return now_us() - start;
}

/* The HKDF steps of the KEM, which the counts have as compressions. */
static inline double price_kem_hkdf(const price_keys *k)
{
    enum { TIMES = 16 };
    uint8_t ss[XMTP_KEM_SS_MAX];
    xmtp_secret prk;
    double start = now_us();
    for (int i = 0; i < TIMES; i++) {
        xmtp_hkdf_extract(k->suite->hash, xmtp_bytes_of(NULL, 0), xmtp_bytes_of(k->data, 51), &prk);
        price_must(xmtp_hkdf_expand(k->suite->hash, xmtp_secret_bytes(&prk),
                                    xmtp_bytes_of(k->data, 91), ss, 32));
    }
    return (now_us() - start) / TIMES;
}

/* The KEM gives no bare X25519: decapsulation less the HKDF steps in it. */
static inline double price_dh(const price_keys *k)
{
    uint8_t ss[XMTP_KEM_SS_MAX];
    double start = now_us();
    price_must(k->suite->kem->decap(k->kem_sk, k->kem_pk, k->kem_pk, ss));
    return now_us() - start - price_kem_hkdf(k);
}

/* An engine may do several at once in the lanes of the processor; the floor may then, too. */
static inline double price_encap(const price_keys *k, size_t count)
{
    static uint8_t enc[AT_ONCE_MAX][XMTP_KEM_SK_MAX];
    static uint8_t ss[AT_ONCE_MAX][XMTP_KEM_SS_MAX];
    static xmtp_kem_encap jobs[AT_ONCE_MAX];
    const xmtp_kem *kem = k->suite->kem;
    count = count == 0 ? 1 : count > AT_ONCE_MAX ? AT_ONCE_MAX : count;
    for (size_t i = 0; i < count; i++) {
        jobs[i] =
            (xmtp_kem_encap){.pk = k->kem_pk, .seed = k->data + i, .enc = enc[i], .ss = ss[i]};
    }
    double (*clock_us)(void) = count > 1 ? cpu_us : now_us;
    double start = clock_us();
    if (kem->encap_many != NULL) {
        price_must(kem->encap_many(jobs, count));
    } else {
        price_must(kem->encap(k->kem_pk, k->data, enc[0], ss[0]));
        count = 1;
    }
    return (clock_us() - start) / (double)count - price_kem_hkdf(k);
}

static inline double price_derive(const price_keys *k, size_t count)
{
    static uint8_t sk[AT_ONCE_MAX][XMTP_KEM_SK_MAX];
    static uint8_t pk[AT_ONCE_MAX][XMTP_KEM_SK_MAX];
    static xmtp_kem_derive jobs[AT_ONCE_MAX];
    count = count == 0 ? 1 : count > AT_ONCE_MAX ? AT_ONCE_MAX : count;
    for (size_t i = 0; i < count; i++) {
        jobs[i] =
            (xmtp_kem_derive){.ikm = xmtp_bytes_of(k->data + i, 32), .sk = sk[i], .pk = pk[i]};
    }
    double (*clock_us)(void) = count > 1 ? cpu_us : now_us;
    double start = clock_us();
    price_must(xmtp_kem_derive_many(k->suite->kem, jobs, count));
    return (clock_us() - start) / (double)count - price_kem_hkdf(k);
}

static inline double price_aead(const price_keys *k, size_t len, int times)
{
    static uint8_t out[LONG_LEN + XMTP_AEAD_TAG_MAX];
    double start = now_us();
    for (int i = 0; i < times; i++) {
        price_must(k->suite->aead->seal(k->data, k->data, xmtp_bytes_of(k->data, 32),
                                        xmtp_bytes_of(k->data, len), out));
    }
    return (now_us() - start) / times;
}

static inline double price_compression(const price_keys *k)
{
    uint8_t out[XMTP_HASH_MAX];
    double start = now_us();
    xmtp_hash_of(k->suite->hash, xmtp_bytes_of(k->data, LONG_LEN), out);
    return (now_us() - start) / (LONG_LEN / 64 + 1);
}

static inline void prices_once(const price_keys *k, const batches *at_once, double us[PRICE_COUNT])
{
    double sign = price_sign(k, 256);
    double aead = price_aead(k, 64, 8);
    us[PRICE_SIGN] = sign;
    us[PRICE_VERIFY] = price_verify(k, at_once->verifies);
    us[PRICE_CHECK] = price_check(k, at_once->checks);
    us[PRICE_DH] = price_dh(k);
    us[PRICE_DH_BASE] = price_dh_base(k);
    us[PRICE_ENCAP] = price_encap(k, at_once->encaps);
    us[PRICE_DERIVE] = price_derive(k, at_once->derives);
    us[PRICE_AEAD] = aead;
    us[PRICE_COMPRESSION] = price_compression(k);
    us[PRICE_AEAD_KIB] = (price_aead(k, LONG_LEN, 1) - aead) / LONG_KIB;
    us[PRICE_SIGN_KIB] = (price_sign(k, LONG_LEN) - sign) / LONG_KIB;
    us[PRICE_VERIFY_KIB] = (price_verify_long(k) - price_verify(k, 1)) / LONG_KIB;
}

/* The medians of an odd number of samples, taken just before an operation, so that both see the
 * same noise of the machine. */
enum { PRICE_TIMES_MAX = 11 };
static inline void prices_sample(prices *out, const batches *at_once, size_t times)
{
    const price_keys *k = price_keys_once();
    double us[PRICE_TIMES_MAX][PRICE_COUNT];
    double one[PRICE_TIMES_MAX];
    for (size_t t = 0; t < times; t++) {
        prices_once(k, at_once, us[t]);
    }
    for (int i = 0; i < PRICE_COUNT; i++) {
        for (size_t t = 0; t < times; t++) {
            one[t] = us[t][i];
        }
        qsort(one, times, sizeof *one, samples_order);
        out->us[i] = one[times / 2];
    }
}

/* ---- counts ---- */

/* How many primitives an operation forces. sign to dh_base are exact; the others are what the wire
 * formats add up to. */
typedef struct counts {
    double sign;
    double verify;
    double checks; /* of verify: come together, as leaves and GroupInfo, or key packages */
    double dh;
    double dh_base;
    double encaps; /* of dh and of dh_base: one each for an HPKE seal */
    double compressions;
    double aead;
    double aead_bytes;
    double signed_bytes;   /* beyond 256 of each signature made */
    double verified_bytes; /* beyond 256 of each signature verified */
} counts;

static inline batches counts_batches(const counts *c)
{
    return (batches){.verifies = (size_t)c->verify,
                     .checks = (size_t)c->checks,
                     .encaps = (size_t)c->encaps,
                     .derives = (size_t)(c->dh_base - c->encaps)};
}

/* has_lanes: HPKE seals, and signatures that come together, at the price of as many at once as the
 * operation makes; otherwise one after the other. */
static inline double counts_price(const counts *c, const prices *p, bool has_lanes)
{
    const double *of = p->us;
    double apart = of[PRICE_DH] + of[PRICE_DH_BASE];
    double base = of[PRICE_DH_BASE];
    double derive = has_lanes && of[PRICE_DERIVE] < base ? of[PRICE_DERIVE] : base;
    double encap = has_lanes && of[PRICE_ENCAP] < apart ? of[PRICE_ENCAP] : apart;
    double verify = of[PRICE_VERIFY];
    double check = has_lanes && of[PRICE_CHECK] < verify ? of[PRICE_CHECK] : verify;
    return c->sign * of[PRICE_SIGN] + (c->verify - c->checks) * verify + c->checks * check +
           (c->dh - c->encaps) * of[PRICE_DH] + (c->dh_base - c->encaps) * derive +
           c->encaps * encap + c->compressions * of[PRICE_COMPRESSION] + c->aead * of[PRICE_AEAD] +
           c->aead_bytes / 1024 * of[PRICE_AEAD_KIB] + c->signed_bytes / 1024 * of[PRICE_SIGN_KIB] +
           c->verified_bytes / 1024 * of[PRICE_VERIFY_KIB];
}

/* What a leaf's signature covers, about; the price of verifying is that of 256 bytes. */
enum { LEAF_SIGNED_LEN = 140 };

/* SHA-256 compressions, counted from the wire formats. */
enum {
    HASH_HPKE = 19,      /* one seal or open; shared parts not repeated */
    HASH_PATH_NODE = 12, /* path secret, node secret, key pair */
    HASH_SCHEDULE = 42,  /* one epoch with its confirmation tag */
    HASH_LEAF = 4,
    HASH_PARENT = 5, /* tree hash and parent hash of a filled node */
    HASH_MESSAGE = 18,
    HASH_KEY_PACKAGE = 30, /* two key pairs and the reference */
};

/* ---- the shape of a tree ---- */

/* Which parents hold a key. No unmerged leaves: every state measured here was made by commits that
 * filled their paths after the last add. */
typedef struct shape {
    uint32_t members;
    uint32_t width; /* leaves of the tree, a power of two */
    bool *filled;   /* 2 * width - 1 nodes, parents at odd places */
} shape;

static inline void shape_init(shape *s, uint32_t members)
{
    *s = (shape){.members = members, .width = 1};
    while (s->width < members) {
        s->width *= 2;
    }
    s->filled = calloc(2 * (size_t)s->width, sizeof *s->filled);
    if (s->filled == NULL) {
        exit(1);
    }
}

/* The parent of height h (1 is above two leaves) over a leaf. */
static inline uint32_t shape_ancestor(uint32_t leaf, uint32_t h)
{
    return ((leaf >> h) << (h + 1)) + (1u << h) - 1;
}

static inline uint32_t shape_depth(const shape *s)
{
    uint32_t d = 0;
    while ((1u << d) < s->width) {
        d++;
    }
    return d;
}

/* How many keys reach everybody below the node of height h over a leaf; gone is a removed leaf. */
static inline uint32_t shape_resolution(const shape *s, uint32_t leaf, uint32_t h, int64_t gone)
{
    uint32_t first = (leaf >> h) << h;
    if (first >= s->members) {
        return 0;
    }
    if (h == 0) {
        return (int64_t)first != gone;
    }
    bool is_blanked = gone >= 0 && ((uint32_t)gone >> h) == (leaf >> h);
    if (s->filled[shape_ancestor(leaf, h)] && !is_blanked) {
        return 1;
    }
    return shape_resolution(s, first, h - 1, gone) +
           shape_resolution(s, first + (1u << (h - 1)), h - 1, gone);
}

/* Recipients of the copath child below the ancestor of height h. */
static inline uint32_t shape_copath(const shape *s, uint32_t leaf, uint32_t h, int64_t gone)
{
    return shape_resolution(s, leaf ^ (1u << (h - 1)), h - 1, gone);
}

/* Nodes of the filtered direct path at height from or above, and how many seals they take. */
static inline uint32_t shape_path(const shape *s, uint32_t leaf, uint32_t from, int64_t gone,
                                  uint32_t *seals)
{
    uint32_t nodes = 0;
    *seals = 0;
    for (uint32_t h = from; h <= shape_depth(s); h++) {
        uint32_t n = shape_copath(s, leaf, h, gone);
        nodes += n > 0;
        *seals += n;
    }
    return nodes;
}

static inline void shape_commit(shape *s, uint32_t leaf)
{
    for (uint32_t h = 1; h <= shape_depth(s); h++) {
        s->filled[shape_ancestor(leaf, h)] = shape_copath(s, leaf, h, -1) > 0;
    }
}

/* The same tree with one more leaf at its right end. */
static inline void shape_grown(const shape *s, shape *out)
{
    shape_init(out, s->members + 1);
    memcpy(out->filled, s->filled, (2 * (size_t)s->width - 1) * sizeof *s->filled);
}

static inline uint32_t shape_filled(const shape *s)
{
    uint32_t n = 0;
    for (uint32_t i = 1; i < 2 * s->width - 1; i += 2) {
        n += s->filled[i];
    }
    return n;
}

static inline uint32_t shape_common_height(uint32_t a, uint32_t b)
{
    uint32_t h = 0;
    while ((a >> h) != (b >> h)) {
        h++;
    }
    return h;
}

/* ---- what each operation forces ---- */

/* A step between two trees: the one before the proposals tells who has to be sent a path secret, the
 * one after them which nodes the path has. gone: a removed leaf or -1. message and welcome are the
 * lengths of what was really sent. */
typedef struct step {
    const shape *before;
    const shape *after;
    uint32_t sender;
    uint32_t added;
    int64_t gone;
    size_t message;
    size_t welcome;
} step;

static inline double welcome_group_info_len(const step *p)
{
    return (double)p->welcome - 170.0 * p->added; /* the rest are the encrypted group secrets */
}

static inline counts counts_commit(const step *p)
{
    uint32_t seals;
    uint32_t unused;
    double length = (double)p->message;
    uint32_t nodes = shape_path(p->after, p->sender, 1, p->gone, &unused);
    (void)shape_path(p->before, p->sender, 1, p->gone, &seals);
    counts c = {.sign = 2,
                .verify = 2.0 * p->added,
                .checks = 2.0 * p->added,
                .dh = seals,
                .dh_base = seals + nodes + 1,
                .encaps = seals};
    c.compressions = HASH_HPKE * seals + HASH_PATH_NODE * (nodes + 1) + HASH_PARENT * nodes +
                     HASH_LEAF * (1.0 + p->added) + HASH_SCHEDULE + HASH_MESSAGE + length / 64;
    c.aead = seals + 2;
    c.aead_bytes = length;
    c.signed_bytes = length;
    if (p->added > 0) {
        c.sign += 1;
        c.dh += p->added;
        c.dh_base += p->added;
        c.encaps += p->added;
        c.compressions += (HASH_HPKE + 6.0) * p->added;
        c.aead += p->added + 1;
        c.aead_bytes += (double)p->welcome;
        c.signed_bytes += welcome_group_info_len(p);
    }
    return c;
}

/* A commit that only adds, and has no path. */
static inline counts counts_add_without_path(const step *p)
{
    double length = (double)p->message;
    counts c = {.sign = 2,
                .verify = 2.0 * p->added,
                .checks = 2.0 * p->added,
                .dh = p->added,
                .dh_base = p->added,
                .encaps = p->added};
    c.compressions =
        (HASH_HPKE + 6.0 + HASH_LEAF) * p->added + HASH_SCHEDULE + HASH_MESSAGE + length / 64;
    c.aead = 3.0 + p->added;
    c.aead_bytes = length + (double)p->welcome;
    c.signed_bytes = length + welcome_group_info_len(p);
    return c;
}

static inline counts counts_process_add_without_path(const step *p)
{
    double length = (double)p->message;
    counts c = {.verify = 1 + 2.0 * p->added, .checks = 2.0 * p->added, .aead = 2};
    c.compressions = HASH_LEAF * (double)p->added + HASH_SCHEDULE + HASH_MESSAGE + length / 64;
    c.aead_bytes = length;
    c.verified_bytes = length;
    return c;
}

static inline counts counts_process(const step *p, uint32_t receiver)
{
    uint32_t seals;
    uint32_t common = shape_common_height(p->sender, receiver);
    uint32_t known = shape_path(p->after, p->sender, common, p->gone, &seals);
    uint32_t nodes = shape_path(p->after, p->sender, 1, p->gone, &seals);
    double length = (double)p->message;
    counts c = {.verify = 2 + 2.0 * p->added,
                .checks = 2.0 * p->added,
                .dh = 1,
                .dh_base = known,
                .aead = 3};
    c.compressions = HASH_HPKE + HASH_PATH_NODE * known + HASH_PARENT * nodes +
                     HASH_LEAF * (1.0 + p->added) + HASH_SCHEDULE + HASH_MESSAGE + length / 64;
    c.aead_bytes = length;
    c.verified_bytes = length;
    return c;
}

static inline counts counts_join(const step *p)
{
    const shape *s = p->after;
    double filled = shape_filled(s);
    counts c = {.verify = s->members + 1.0, .checks = s->members + 1.0, .dh = 1, .aead = 2};
    c.compressions = HASH_HPKE + HASH_SCHEDULE + HASH_LEAF * (double)s->members + 2.0 * s->members +
                     3.0 * filled;
    c.aead_bytes = welcome_group_info_len(p);
    c.verified_bytes = welcome_group_info_len(p) - (256.0 - LEAF_SIGNED_LEN) * s->members;
    return c;
}

static inline counts counts_key_package(void)
{
    return (counts){.sign = 2, .dh_base = 2, .compressions = HASH_KEY_PACKAGE};
}

static inline counts counts_message(bool is_sending, size_t plaintext)
{
    double more = plaintext > 128 ? (double)plaintext - 128 : 0;
    counts c = {.compressions = HASH_MESSAGE, .aead = 2, .aead_bytes = more};
    if (is_sending) {
        c.sign = 1;
        c.signed_bytes = more;
    } else {
        c.verify = 1;
        c.verified_bytes = more;
    }
    return c;
}

#endif
