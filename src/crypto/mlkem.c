/* mlkem.c - ML-KEM-768 (FIPS 203: k = 3, eta1 = eta2 = 2, du = 10, dv = 4), one function per
 * algorithm of the standard.
 *
 *     keygen    t = A s + e              ek = t || rho        A from rho, s and e from sigma
 *     encrypt   u = A^T y + e1           v = t y + e2 + m q/2  ct = compress(u) || compress(v)
 *     decrypt   m = round(v - s u)
 *     encaps    (K, r) = G(m || H(ek))   ct = encrypt(m, r)
 *     decaps    encrypts again and compares; K or J(z || ct), chosen without a branch
 *
 * Up to eight run side by side, so that sponges, which are most of the work, fill the lanes of
 * keccak_many.h; one alone fills them with its nine entries of A and its seven small polynomials. The
 * entries of A for all at once would be large, so the stack holds 24 of them, in all 45 KB.
 *
 * Time does not depend on secrets: valgrind checks that (constant_time_test.c) without lanes and in
 * those of AVX2; those of AVX-512 have neither branches nor addresses that depend on data.
 */
#include "crypto/mlkem.h"

#include "base/bytes.h"
#include "base/status.h"
#include "crypto/keccak_many.h"

#include <assert.h>

enum {
    K = MLKEM768_K,
    DU = 10,
    DV = 4,
    U_LEN = 32 * DU,
    POLY_LEN = 384,
    STEP = XMTP_LANES,
    NOISE = 2 * K + 1,      /* small polynomials of one encryption */
    ENTRIES_MAX = K * STEP, /* of the matrices, at once */
};

static_assert(MLKEM768_EK_LEN == 1184 && MLKEM768_CT_LEN == 1088, "sizes of FIPS 203 table 3");

/* ---- hashes, of each of up to eight inputs ---- */

/* H: 32 bytes of each ek. */
static void hash_h(const uint8_t *const *ek, uint8_t *const *out, size_t count)
{
    xmtp_keccak_many h;
    xmtp_sha3_256_many_init(&h, count);
    xmtp_keccak_many_absorb(&h, ek, MLKEM768_EK_LEN);
    xmtp_keccak_many_squeeze(&h, out, 32);
}

/* G(a || b), 64 bytes in two halves. a is 32 bytes. */
static void hash_g(const uint8_t *const *a, const uint8_t *const *b, size_t b_len,
                   uint8_t *const *first, uint8_t *const *second, size_t count)
{
    xmtp_keccak_many g;
    xmtp_sha3_512_many_init(&g, count);
    xmtp_keccak_many_absorb(&g, a, 32);
    xmtp_keccak_many_absorb(&g, b, b_len);
    xmtp_keccak_many_squeeze(&g, first, 32);
    xmtp_keccak_many_squeeze(&g, second, 32);
    xmtp_keccak_many_wipe(&g);
}

/* J(z || ct), the secret of a rejected ciphertext. */
static void hash_j(const uint8_t *const *z, const uint8_t *const *ct, uint8_t *const *out,
                   size_t count)
{
    xmtp_keccak_many j;
    xmtp_shake256_many_init(&j, count);
    xmtp_keccak_many_absorb(&j, z, 32);
    xmtp_keccak_many_absorb(&j, ct, MLKEM768_CT_LEN);
    xmtp_keccak_many_squeeze(&j, out, 32);
    xmtp_keccak_many_wipe(&j);
}

/* ---- K-PKE ---- */

static xmtp_poly_sample entry_of(xmtp_poly *out, const uint8_t rho[32], size_t row, size_t column)
{
    return (xmtp_poly_sample){.out = out, .seed = rho, .index = {(uint8_t)column, (uint8_t)row}};
}

static void sample_matrix(const uint8_t rho[32], xmtp_poly a[K][K])
{
    xmtp_poly_sample samples[K * K];
    for (size_t i = 0; i < K * K; i++) {
        samples[i] = entry_of(&a[i / K][i % K], rho, i / K, i % K);
    }
    xmtp_poly_sample_ntt(samples, K * K);
}

/* s and e, in the NTT domain. */
static void sample_key(const uint8_t sigma[32], xmtp_poly s[K], xmtp_poly e[K])
{
    xmtp_poly_sample samples[2 * K];
    for (uint8_t i = 0; i < 2 * K; i++) {
        samples[i] =
            (xmtp_poly_sample){.out = i < K ? &s[i] : &e[i - K], .seed = sigma, .index = {i}};
    }
    xmtp_poly_sample_cbd(samples, 2 * K);
    for (size_t i = 0; i < K; i++) {
        xmtp_poly_ntt(&s[i]);
        xmtp_poly_ntt(&e[i]);
    }
}

/* K-PKE.KeyGen, algorithm 13. */
static void pke_keygen(const uint8_t d[32], xmtp_mlkem768_key *key)
{
    static const uint8_t k = K; /* FIPS 203 added this byte for domain separation */
    static const uint8_t *const domain = &k;
    uint8_t *rho = key->ek + K * POLY_LEN;
    uint8_t sigma[32];
    uint8_t *const second = sigma;
    xmtp_poly t[K];
    hash_g(&d, &domain, 1, &rho, &second, 1);
    sample_key(sigma, key->s, t);
    sample_matrix(rho, key->a);
    for (size_t i = 0; i < K; i++) {
        for (size_t j = 0; j < K; j++) {
            xmtp_poly_multiply_add(&t[i], &key->a[i][j], &key->s[j]);
        }
        xmtp_poly_encode(&t[i], key->ek + i * POLY_LEN);
    }
    xmtp_wipe(t, sizeof t);
    xmtp_wipe(sigma, sizeof sigma);
}

/* One of those that run side by side. */
typedef struct encryption {
    const uint8_t *ek;
    const uint8_t *m;
    uint8_t *ct;
    uint8_t r[32];
    xmtp_poly noise[NOISE]; /* y, in the NTT domain; e1; e2 */
} encryption;

static void sample_noise(encryption *e, size_t count)
{
    xmtp_poly_sample samples[STEP * NOISE] = {0};
    for (size_t i = 0; i < count * NOISE; i++) {
        encryption *of = &e[i / NOISE];
        const uint8_t counter = (uint8_t)(i % NOISE);
        samples[i] =
            (xmtp_poly_sample){.out = &of->noise[counter], .seed = of->r, .index = {counter}};
    }
    xmtp_poly_sample_cbd(samples, count * NOISE);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < K; j++) {
            xmtp_poly_ntt(&e[i].noise[j]);
        }
    }
}

/* c1: the polynomial of this row of the vector u. */
static void encrypt_u(const encryption *e, size_t row, const xmtp_poly *const entries[K])
{
    xmtp_poly u = {0};
    for (size_t j = 0; j < K; j++) {
        xmtp_poly_multiply_add(&u, entries[j], &e->noise[j]);
    }
    xmtp_poly_ntt_inverse(&u);
    xmtp_poly_add(&u, &e->noise[K + row]);
    xmtp_poly_compress(&u, DU, e->ct + row * U_LEN);
    xmtp_wipe(&u, sizeof u);
}

/* c2: the polynomial v, which hides m. */
static void encrypt_v(const encryption *e)
{
    xmtp_poly v = {0};
    xmtp_poly term;
    for (size_t i = 0; i < K; i++) {
        (void)xmtp_poly_decode(&term, e->ek + i * POLY_LEN); /* checked, or our own */
        xmtp_poly_multiply_add(&v, &term, &e->noise[i]);
    }
    xmtp_poly_ntt_inverse(&v);
    xmtp_poly_add(&v, &e->noise[2 * K]);
    xmtp_poly_decompress(&term, 1, e->m);
    xmtp_poly_add(&v, &term);
    xmtp_poly_compress(&v, DV, e->ct + K * U_LEN);
    xmtp_wipe(&v, sizeof v);
    xmtp_wipe(&term, sizeof term);
}

/* Rows of the transposed matrices from rho, for each. */
static void sample_rows(const encryption *e, size_t count, size_t first, size_t rows,
                        xmtp_poly entries[ENTRIES_MAX])
{
    xmtp_poly_sample samples[ENTRIES_MAX] = {0};
    const size_t n = rows * count * K;
    for (size_t i = 0; i < n; i++) {
        const size_t row = first + i / (count * K);
        const uint8_t *rho = e[i / K % count].ek + K * POLY_LEN;
        samples[i] = entry_of(&entries[i], rho, i % K, row);
    }
    xmtp_poly_sample_ntt(samples, n);
}

static void encrypt_u_of_all(const encryption *e, size_t count)
{
    xmtp_poly entries[ENTRIES_MAX];
    const size_t fitting = ENTRIES_MAX / (K * count);
    for (size_t first = 0; first < K; first += fitting) {
        const size_t rows = fitting < K - first ? fitting : K - first;
        sample_rows(e, count, first, rows, entries);
        for (size_t i = 0; i < rows * count; i++) {
            const xmtp_poly *row = entries + i * K;
            const xmtp_poly *const pointers[K] = {row, row + 1, row + 2};
            encrypt_u(&e[i % count], first + i / count, pointers);
        }
    }
}

/* The same where all are to one key, whose matrix is known. */
static void encrypt_u_to_one(const encryption *e, size_t count, const xmtp_poly a[K][K])
{
    for (size_t row = 0; row < K; row++) {
        const xmtp_poly *const column[K] = {&a[0][row], &a[1][row], &a[2][row]};
        for (size_t i = 0; i < count; i++) {
            encrypt_u(&e[i], row, column);
        }
    }
}

/* K-PKE.Encrypt, algorithm 14. key: whose all are; NULL: each has its own. */
static void pke_encrypt(encryption *e, size_t count, const xmtp_mlkem768_key *key)
{
    sample_noise(e, count);
    if (key != NULL) {
        encrypt_u_to_one(e, count, key->a);
    } else {
        encrypt_u_of_all(e, count);
    }
    for (size_t i = 0; i < count; i++) {
        encrypt_v(&e[i]);
    }
}

/* K-PKE.Decrypt, algorithm 15. */
static void pke_decrypt(const xmtp_poly s[K], const uint8_t ct[MLKEM768_CT_LEN], uint8_t m[32])
{
    xmtp_poly product = {0};
    xmtp_poly w;
    for (size_t i = 0; i < K; i++) {
        xmtp_poly u;
        xmtp_poly_decompress(&u, DU, ct + i * U_LEN);
        xmtp_poly_ntt(&u);
        xmtp_poly_multiply_add(&product, &s[i], &u);
    }
    xmtp_poly_ntt_inverse(&product);
    xmtp_poly_decompress(&w, DV, ct + K * U_LEN);
    xmtp_poly_sub(&w, &product);
    xmtp_poly_compress(&w, 1, m);
    xmtp_wipe(&product, sizeof product);
    xmtp_wipe(&w, sizeof w);
}

/* ---- ML-KEM ---- */

void xmtp_mlkem768_keygen(xmtp_mlkem768_key *key, const uint8_t d[32], const uint8_t z[32])
{
    const uint8_t *const ek = key->ek;
    uint8_t *const ek_hash = key->ek_hash;
    pke_keygen(d, key);
    hash_h(&ek, &ek_hash, 1);
    memcpy(key->z, z, 32);
}

/* The modulus check of section 7.2. */
static bool is_reduced(const uint8_t ek[MLKEM768_EK_LEN])
{
    bool is_below_q = true;
    for (size_t i = 0; i < K; i++) {
        xmtp_poly t;
        is_below_q &= xmtp_poly_decode(&t, ek + i * POLY_LEN);
    }
    return is_below_q;
}

/* At most eight, of keys that are checked. */
static void encaps_step(const xmtp_mlkem768_encap *jobs, size_t count)
{
    encryption e[STEP];
    uint8_t ek_hashes[STEP][32];
    const uint8_t *ek[STEP];
    const uint8_t *m[STEP];
    uint8_t *ek_hash[STEP];
    uint8_t *ss[STEP];
    uint8_t *r[STEP];
    for (size_t i = 0; i < count; i++) {
        e[i].ek = ek[i] = jobs[i].ek;
        e[i].m = m[i] = jobs[i].m;
        e[i].ct = jobs[i].ct;
        ek_hash[i] = ek_hashes[i];
        ss[i] = jobs[i].ss;
        r[i] = e[i].r;
    }
    hash_h(ek, ek_hash, count);
    hash_g(m, (const uint8_t *const *)ek_hash, 32, ss, r, count);
    pke_encrypt(e, count, NULL);
    xmtp_wipe(e, count * sizeof e[0]);
}

xmtp_status xmtp_mlkem768_encaps_many(const xmtp_mlkem768_encap *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        XMTP_ENSURE(is_reduced(jobs[i].ek), XMTP_E_KEY);
    }
    for (size_t done = 0; done < count; done += STEP) {
        encaps_step(jobs + done, count - done < STEP ? count - done : STEP);
    }
    return XMTP_OK;
}

xmtp_status xmtp_mlkem768_encaps(const uint8_t ek[MLKEM768_EK_LEN], const uint8_t m[32],
                                 uint8_t ct[MLKEM768_CT_LEN], uint8_t ss[32])
{
    const xmtp_mlkem768_encap job = {.ek = ek, .m = m, .ct = ct, .ss = ss};
    return xmtp_mlkem768_encaps_many(&job, 1);
}

/* 0xff when the n bytes differ, 0x00 when they are equal. */
static uint8_t difference_mask(const uint8_t *a, const uint8_t *b, size_t n)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < n; i++) {
        bits |= (uint32_t)(a[i] ^ b[i]);
    }
    return (uint8_t)((0U - bits) >> 24);
}

static void choose(const uint8_t *ct, const uint8_t *again, const uint8_t rejected[32],
                   uint8_t ss[32])
{
    const uint8_t mask = difference_mask(ct, again, MLKEM768_CT_LEN);
    for (size_t i = 0; i < 32; i++) {
        ss[i] = (uint8_t)(ss[i] ^ (mask & (ss[i] ^ rejected[i])));
    }
}

/* What stands between the pieces of a decapsulation. */
typedef struct decapsulation {
    uint8_t m[32];
    uint8_t rejected[32];
    uint8_t again[MLKEM768_CT_LEN];
} decapsulation;

/* At most eight. */
static void decaps_step(const xmtp_mlkem768_key *key, const xmtp_mlkem768_decap *jobs, size_t count)
{
    encryption e[STEP];
    decapsulation d[STEP];
    const uint8_t *ct[STEP];
    const uint8_t *m[STEP];
    const uint8_t *z[STEP];
    const uint8_t *ek_hash[STEP];
    uint8_t *rejected[STEP];
    uint8_t *ss[STEP];
    uint8_t *r[STEP];
    for (size_t i = 0; i < count; i++) {
        ct[i] = jobs[i].ct;
        ss[i] = jobs[i].ss;
        z[i] = key->z;
        ek_hash[i] = key->ek_hash;
        rejected[i] = d[i].rejected;
        e[i].ek = key->ek;
        e[i].m = m[i] = d[i].m;
        e[i].ct = d[i].again;
        r[i] = e[i].r;
        pke_decrypt(key->s, ct[i], d[i].m);
    }
    hash_j(z, ct, rejected, count);
    hash_g(m, ek_hash, 32, ss, r, count);
    pke_encrypt(e, count, key);
    for (size_t i = 0; i < count; i++) {
        choose(ct[i], d[i].again, d[i].rejected, ss[i]);
    }
    xmtp_wipe(e, count * sizeof e[0]);
    xmtp_wipe(d, count * sizeof d[0]);
}

void xmtp_mlkem768_decaps_many(const xmtp_mlkem768_key *key, const xmtp_mlkem768_decap *jobs,
                               size_t count)
{
    for (size_t done = 0; done < count; done += STEP) {
        decaps_step(key, jobs + done, count - done < STEP ? count - done : STEP);
    }
}

void xmtp_mlkem768_decaps(const xmtp_mlkem768_key *key, const uint8_t ct[MLKEM768_CT_LEN],
                          uint8_t ss[32])
{
    const xmtp_mlkem768_decap job = {.ct = ct, .ss = ss};
    xmtp_mlkem768_decaps_many(key, &job, 1);
}
