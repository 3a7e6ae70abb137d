/* wallets.c - `./dev bench wallets`: what recovering a wallet from its signature costs, alone and together.
 *
 *     bench_wallets                   microseconds of CPU for each one, least and median of many
 *     bench_wallets --without-lanes   as on a machine without AVX2 and AVX-512
 */
#include "base/together.h"
#include "crypto/lanes.h"
#include "mls_floor.h"

enum { TOGETHER = 64, ROUNDS = 400 };

static uint8_t digests[TOGETHER][32];
static uint8_t signatures[TOGETHER][65];

static void sign_all(void)
{
    uint8_t sk[32] = {1};
    for (size_t i = 0; i < TOGETHER; i++) {
        sk[31] = (uint8_t)i;
        memset(digests[i], (int)i, sizeof digests[i]);
        price_must(xmtp_secp256k1_sign(sk, digests[i], signatures[i]));
    }
}

static void recover(size_t count)
{
    char addresses[TOGETHER][43];
    uint8_t normalized[TOGETHER][65];
    xmtp_wallet_recovery jobs[TOGETHER];
    for (size_t i = 0; i < count; i++) {
        jobs[i] = (xmtp_wallet_recovery){.digest = digests[i],
                                         .signature = signatures[i],
                                         .address = addresses[i],
                                         .normalized = normalized[i]};
    }
    xmtp_secp256k1_recover_many(jobs, count);
    for (size_t i = 0; i < count; i++) {
        price_must(jobs[i].status);
    }
}

static void measure(size_t count)
{
    samples s = {0};
    for (size_t i = 0; i < ROUNDS; i++) {
        const double start = cpu_us();
        recover(count);
        samples_add(&s, (cpu_us() - start) / (double)count);
    }
    printf("%-28s %10zu %10.1f %10.1f\n", "recovering a wallet", count, samples_at(&s, 0),
           samples_at(&s, 0.5));
}

int main(int argc, char **argv)
{
    const bool is_without = argc > 1 && strcmp(argv[1], "--without-lanes") == 0;
    xmtp_lanes_allow(is_without ? XMTP_LANES_NONE : XMTP_LANES_AVX512);
    xmtp_together_assume(1); /* what others do is not in cpu_us */
    sign_all();
    printf("%-28s %10s %10s %10s\n", "Wallets, us of CPU for each", "together", "least", "median");
    measure(1);
    measure(2);
    measure(8);
    measure(TOGETHER);
    return 0;
}
