/* xwing.c - `./dev bench xwing`: what X-Wing costs a welcome, for one alone and for sixteen together.
 *
 *     bench_xwing                   microseconds of CPU for each one, least and median of many
 *     bench_xwing --without-lanes   as on a machine without AVX-512
 */
#include "base/together.h"
#include "crypto/lanes.h"
#include "mls_floor.h"

enum { TOGETHER = 16, ROUNDS = 400 };

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

static void measure(const char *what, void (*run)(size_t count), size_t count)
{
    samples s = {0};
    for (size_t i = 0; i < ROUNDS; i++) {
        const double start = cpu_us();
        run(count);
        samples_add(&s, (cpu_us() - start) / (double)count);
    }
    printf("%-28s %10zu %10.1f %10.1f\n", what, count, samples_at(&s, 0), samples_at(&s, 0.5));
}

int main(int argc, char **argv)
{
    const bool is_without = argc > 1 && strcmp(argv[1], "--without-lanes") == 0;
    xmtp_lanes_allow(is_without ? XMTP_LANES_NONE : XMTP_LANES_AVX512);
    xmtp_together_assume(1); /* what others do is not in cpu_us */
    expanded = malloc(kem->expanded_len);
    if (expanded == NULL) {
        return 1;
    }
    price_must(kem->public_key(sk, pk));
    for (size_t i = 0; i < TOGETHER; i++) {
        memset(seeds[i], (int)i, sizeof seeds[i]);
    }
    printf("%-28s %10s %10s %10s\n", "X-Wing, us of CPU for each", "together", "least", "median");
    measure("expanding a private key", expand, 1);
    measure("encapsulation", encapsulate, 1);
    measure("encapsulation", encapsulate, TOGETHER);
    measure("decapsulation, expanded", decapsulate, 1);
    measure("decapsulation, expanded", decapsulate, TOGETHER);
    free(expanded);
    return 0;
}
