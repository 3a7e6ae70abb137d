/* wallet_code.h - EVM code that asks a contract wallet whether it accepts a signature (ERC-1271),
 * deploying it first when the signature says how (ERC-6492).
 *
 * The code runs in one eth_call without a recipient, as if it created a contract: nothing is
 * deployed for good, and what it "returns as the new contract's code" is the answer, one byte:
 *
 *     00 no     01 yes     02 there is no contract at this address (only without ERC-6492)
 *
 *     the signer has code?  yes --> ask --> yes: 01
 *            |                        \-> no, and ERC-6492: call the factory, ask again
 *            no --> ERC-6492: call the factory (fails: 00), ask        else 02
 */
#ifndef XMTP_NODE_WALLET_CODE_H
#define XMTP_NODE_WALLET_CODE_H

#include "base/writer.h"

enum { XMTP_NODE_EVM_ADDRESS_LEN = 20 };

typedef enum xmtp_node_wallet_answer {
    XMTP_NODE_WALLET_NO = 0,
    XMTP_NODE_WALLET_YES = 1,
    XMTP_NODE_WALLET_NO_CONTRACT = 2,
} xmtp_node_wallet_answer;

/* A signature as ERC-6492 wraps it: inner, and the call that deploys the wallet. */
typedef struct xmtp_node_wrapped {
    bool is_wrapped;
    uint8_t factory[XMTP_NODE_EVM_ADDRESS_LEN];
    xmtp_bytes factory_call;
    xmtp_bytes inner;
} xmtp_node_wrapped;

/* Views into signature. One that ends in the marker and is not well formed counts as not wrapped:
 * the contract may judge it. */
void xmtp_node_unwrap(xmtp_bytes signature, xmtp_node_wrapped *out);

/* Appends the code. */
xmtp_status xmtp_node_wallet_code(const uint8_t signer[XMTP_NODE_EVM_ADDRESS_LEN],
                                  const uint8_t hash[32], xmtp_bytes signature, xmtp_writer *w);

#endif
