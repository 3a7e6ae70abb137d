/* mlkem.c - ML-KEM-768 (FIPS 203: k = 3, eta1 = eta2 = 2, du = 10, dv = 4), one function per
 * algorithm of the standard.
 *
 *     keygen    t = A s + e              ek = t || rho        A from rho, s and e from sigma
 *     encrypt   u = A^T y + e1           v = t y + e2 + m q/2  ct = compress(u) || compress(v)
 *     decrypt   m = round(v - s u)
 *     encaps    (K, r) = G(m || H(ek))   ct = encrypt(m, r)
 *     decaps    encrypts again and compares; K or J(z || ct), chosen without a branch
 *
 * The matrix A is made one entry at a time, so the stack holds a handful of polynomials of 512
 * bytes. Time does not depend on secrets: valgrind checks that (constant_time_test.c).
 */
#include "crypto/mlkem.h"

#include "base/bytes.h"
#include "base/status.h"
#include "crypto/keccak.h"

#include <assert.h>

enum { K = MLKEM768_K, DU = 10, DV = 4, U_LEN = 32 * DU, POLY_LEN = 384 };

static_assert(MLKEM768_EK_LEN == 1184 && MLKEM768_CT_LEN == 1088, "sizes of FIPS 203 table 3");

/* G(a || b), 64 bytes in two halves. */
static void hash_g(xmtp_bytes a, xmtp_bytes b, uint8_t first[32], uint8_t second[32])
{
    xmtp_keccak g;
    xmtp_sha3_512_init(&g);
    xmtp_keccak_absorb(&g, a);
    xmtp_keccak_absorb(&g, b);
    xmtp_keccak_squeeze(&g, first, 32);
    xmtp_keccak_squeeze(&g, second, 32);
    xmtp_keccak_wipe(&g);
}

/* J(z || ct), the secret of a rejected ciphertext. */
static void hash_j(const uint8_t z[32], const uint8_t ct[MLKEM768_CT_LEN], uint8_t out[32])
{
    xmtp_keccak j;
    xmtp_shake256_init(&j);
    xmtp_keccak_absorb(&j, xmtp_bytes_of(z, 32));
    xmtp_keccak_absorb(&j, xmtp_bytes_of(ct, MLKEM768_CT_LEN));
    xmtp_keccak_squeeze(&j, out, 32);
    xmtp_keccak_wipe(&j);
}

/* sum = row of A (or of its transpose) times x, in the NTT domain. */
static void multiply_matrix_row(xmtp_poly *sum, const uint8_t rho[32], size_t row,
                                bool is_transposed, const xmtp_poly x[K])
{
    for (size_t i = 0; i < K; i++) {
        xmtp_poly entry;
        uint8_t r = (uint8_t)(is_transposed ? i : row);
        uint8_t c = (uint8_t)(is_transposed ? row : i);
        xmtp_poly_sample_ntt(&entry, rho, c, r);
        xmtp_poly_multiply_add(sum, &entry, &x[i]);
    }
}

/* K-PKE.KeyGen, algorithm 13. */
static void pke_keygen(const uint8_t d[32], xmtp_poly s[K], uint8_t ek[MLKEM768_EK_LEN])
{
    const uint8_t k = K; /* FIPS 203 added this byte for domain separation */
    uint8_t *rho = ek + K * POLY_LEN;
    uint8_t sigma[32];
    hash_g(xmtp_bytes_of(d, 32), xmtp_bytes_of(&k, 1), rho, sigma);
    for (uint8_t i = 0; i < K; i++) {
        xmtp_poly_sample_cbd(&s[i], sigma, i);
        xmtp_poly_ntt(&s[i]);
    }
    for (uint8_t i = 0; i < K; i++) {
        xmtp_poly t;
        xmtp_poly_sample_cbd(&t, sigma, (uint8_t)(K + i));
        xmtp_poly_ntt(&t);
        multiply_matrix_row(&t, rho, i, false, s);
        xmtp_poly_encode(&t, ek + i * POLY_LEN);
        xmtp_wipe(&t, sizeof t);
    }
    xmtp_wipe(sigma, sizeof sigma);
}

/* c1: the vector u. */
static void encrypt_u(const uint8_t rho[32], const xmtp_poly y[K], const uint8_t r[32], uint8_t *c1)
{
    for (uint8_t i = 0; i < K; i++) {
        xmtp_poly u = {0};
        xmtp_poly e1;
        multiply_matrix_row(&u, rho, i, true, y);
        xmtp_poly_ntt_inverse(&u);
        xmtp_poly_sample_cbd(&e1, r, (uint8_t)(K + i));
        xmtp_poly_add(&u, &e1);
        xmtp_poly_compress(&u, DU, c1 + i * U_LEN);
        xmtp_wipe(&u, sizeof u);
        xmtp_wipe(&e1, sizeof e1);
    }
}

/* c2: the polynomial v, which hides m. */
static void encrypt_v(const xmtp_poly t[K], const xmtp_poly y[K], const uint8_t r[32],
                      const uint8_t m[32], uint8_t *c2)
{
    xmtp_poly v = {0};
    xmtp_poly term;
    for (size_t i = 0; i < K; i++) {
        xmtp_poly_multiply_add(&v, &t[i], &y[i]);
    }
    xmtp_poly_ntt_inverse(&v);
    xmtp_poly_sample_cbd(&term, r, 2 * K);
    xmtp_poly_add(&v, &term);
    xmtp_poly_decompress(&term, 1, m);
    xmtp_poly_add(&v, &term);
    xmtp_poly_compress(&v, DV, c2);
    xmtp_wipe(&v, sizeof v);
    xmtp_wipe(&term, sizeof term);
}

/* K-PKE.Encrypt, algorithm 14, with t already decoded from the key. */
static void pke_encrypt(const xmtp_poly t[K], const uint8_t rho[32], const uint8_t m[32],
                        const uint8_t r[32], uint8_t ct[MLKEM768_CT_LEN])
{
    xmtp_poly y[K];
    for (uint8_t i = 0; i < K; i++) {
        xmtp_poly_sample_cbd(&y[i], r, i);
        xmtp_poly_ntt(&y[i]);
    }
    encrypt_u(rho, y, r, ct);
    encrypt_v(t, y, r, m, ct + K * U_LEN);
    xmtp_wipe(y, sizeof y);
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

static bool decode_ek(const uint8_t ek[MLKEM768_EK_LEN], xmtp_poly t[K])
{
    bool is_reduced = true;
    for (size_t i = 0; i < K; i++) {
        is_reduced &= xmtp_poly_decode(&t[i], ek + i * POLY_LEN);
    }
    return is_reduced;
}

void xmtp_mlkem768_keygen(xmtp_mlkem768_key *key, const uint8_t d[32], const uint8_t z[32])
{
    pke_keygen(d, key->s, key->ek);
    xmtp_sha3_256(xmtp_bytes_of(key->ek, MLKEM768_EK_LEN), key->ek_hash);
    memcpy(key->z, z, 32);
}

xmtp_status xmtp_mlkem768_encaps(const uint8_t ek[MLKEM768_EK_LEN], const uint8_t m[32],
                                 uint8_t ct[MLKEM768_CT_LEN], uint8_t ss[32])
{
    xmtp_poly t[K];
    XMTP_ENSURE(decode_ek(ek, t), XMTP_E_KEY);
    uint8_t ek_hash[32];
    uint8_t r[32];
    xmtp_sha3_256(xmtp_bytes_of(ek, MLKEM768_EK_LEN), ek_hash);
    hash_g(xmtp_bytes_of(m, 32), xmtp_bytes_of(ek_hash, 32), ss, r);
    pke_encrypt(t, ek + K * POLY_LEN, m, r, ct);
    xmtp_wipe(r, sizeof r);
    return XMTP_OK;
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

void xmtp_mlkem768_decaps(const xmtp_mlkem768_key *key, const uint8_t ct[MLKEM768_CT_LEN],
                          uint8_t ss[32])
{
    uint8_t m[32];
    uint8_t r[32];
    uint8_t rejected[32];
    uint8_t again[MLKEM768_CT_LEN];
    xmtp_poly t[K];
    pke_decrypt(key->s, ct, m);
    hash_g(xmtp_bytes_of(m, 32), xmtp_bytes_of(key->ek_hash, 32), ss, r);
    hash_j(key->z, ct, rejected);
    (void)decode_ek(key->ek, t); /* our own encoding, so it is reduced */
    pke_encrypt(t, key->ek + K * POLY_LEN, m, r, again);
    uint8_t mask = difference_mask(ct, again, sizeof again);
    for (size_t i = 0; i < 32; i++) {
        ss[i] = (uint8_t)(ss[i] ^ (mask & (ss[i] ^ rejected[i])));
    }
    xmtp_wipe(m, sizeof m);
    xmtp_wipe(r, sizeof r);
    xmtp_wipe(rejected, sizeof rejected);
    xmtp_wipe(again, sizeof again);
}
