/* wallets.c - `./dev bench wallets`: what recovering a wallet from its signature costs, alone and together.
 * Arguments and output: each.h.
 */
#include "each.h"

enum { TOGETHER = 64 };

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

int main(int argc, char **argv)
{
    static const char what[] = "recovering a wallet";
    each_begin(argc, argv, "Wallets, us of CPU for each");
    sign_all();
    each_measure(what, recover, 1);
    each_measure(what, recover, 2);
    each_measure(what, recover, 8);
    each_measure(what, recover, TOGETHER);
    return 0;
}
