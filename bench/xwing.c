/* xwing.c - `./dev bench xwing`: what X-Wing costs a welcome, for one alone and for sixteen together,
 * and what of it are ML-KEM, its NTT and a block of eight sponges. Arguments and output: each.h.
 */
#include "each.h"

#include "crypto/keccak_many.h"
#include "crypto/mlkem.h"
#include "crypto/mlkem_poly.h"

enum { TOGETHER = 16, MANY = 100 /* of what takes less than a clock sees */ };

static const xmtp_kem *const kem = &xmtp_kem_xwing_004d;

static uint8_t sk[XMTP_KEM_SK_MAX] = {1};
static uint8_t pk[XMTP_KEM_PK_MAX];
static uint8_t seeds[TOGETHER][XMTP_KEM_SEED_MAX];
static uint8_t encs[TOGETHER][XMTP_KEM_ENC_MAX];
static uint8_t secrets[TOGETHER][XMTP_KEM_SS_MAX];
static void *expanded;

static void expand(size_t count)
{
    (void)count;
    kem->expand(sk, expanded);
}

static void encapsulate(size_t count)
{
    xmtp_kem_encap jobs[TOGETHER];
    for (size_t i = 0; i < count; i++) {
        jobs[i] = (xmtp_kem_encap){.pk = pk, .seed = seeds[i], .enc = encs[i], .ss = secrets[i]};
    }
    price_must(kem->encap_many(jobs, count));
}

static void decapsulate(size_t count)
{
    xmtp_kem_decap jobs[TOGETHER];
    for (size_t i = 0; i < count; i++) {
        jobs[i] = (xmtp_kem_decap){.enc = encs[i], .ss = secrets[i]};
    }
    kem->decap_many(expanded, jobs, count);
    for (size_t i = 0; i < count; i++) {
        price_must(jobs[i].status);
    }
}

static xmtp_mlkem768_key mlkem_key;

static void mlkem_encapsulate(size_t count)
{
    xmtp_mlkem768_encap jobs[TOGETHER];
    for (size_t i = 0; i < count; i++) {
        jobs[i] = (xmtp_mlkem768_encap){
            .ek = mlkem_key.ek, .m = seeds[i], .ct = encs[i], .ss = secrets[i]};
    }
    price_must(xmtp_mlkem768_encaps_many(jobs, count));
}

static void mlkem_decapsulate(size_t count)
{
    xmtp_mlkem768_decap jobs[TOGETHER];
    for (size_t i = 0; i < count; i++) {
        jobs[i] = (xmtp_mlkem768_decap){.ct = encs[i], .ss = secrets[i]};
    }
    xmtp_mlkem768_decaps_many(&mlkem_key, jobs, count);
}

static void transform(size_t count)
{
    static xmtp_poly a;
    for (size_t i = 0; i < count; i++) {
        xmtp_poly_ntt(&a);
    }
}

static void squeeze(size_t count)
{
    enum { RATE = 168 };
    static uint8_t blocks[XMTP_LANES][RATE];
    uint8_t *out[XMTP_LANES];
    for (size_t i = 0; i < XMTP_LANES; i++) {
        out[i] = blocks[i];
    }
    xmtp_keccak_many sponges;
    xmtp_shake128_many_init(&sponges, XMTP_LANES);
    for (size_t i = 0; i < count; i++) {
        xmtp_keccak_many_squeeze(&sponges, out, RATE);
    }
}

int main(int argc, char **argv)
{
    each_begin(argc, argv, "X-Wing, us of CPU for each");
    expanded = malloc(kem->expanded_len);
    if (expanded == NULL) {
        return 1;
    }
    price_must(kem->public_key(sk, pk));
    for (size_t i = 0; i < TOGETHER; i++) {
        memset(seeds[i], (int)i, sizeof seeds[i]);
    }
    each_measure("expanding a private key", expand, 1);
    each_measure("encapsulation", encapsulate, 1);
    each_measure("encapsulation", encapsulate, TOGETHER);
    each_measure("decapsulation, expanded", decapsulate, 1);
    each_measure("decapsulation, expanded", decapsulate, TOGETHER);
    xmtp_mlkem768_keygen(&mlkem_key, sk, sk);
    each_measure("encapsulation of ML-KEM", mlkem_encapsulate, 1);
    each_measure("encapsulation of ML-KEM", mlkem_encapsulate, TOGETHER);
    each_measure("decapsulation of ML-KEM", mlkem_decapsulate, 1);
    each_measure("decapsulation of ML-KEM", mlkem_decapsulate, TOGETHER);
    each_measure("NTT", transform, MANY);
    each_measure("block of eight sponges", squeeze, MANY);
    free(expanded);
    return 0;
}
