/* chains.h - asking Ethereum chains about contract wallets, over JSON-RPC (node.md 3.5).
 *
 *     account_id eip155:<chain>:<address> --> the chain's nodes, one after the other, until one
 *     answers --> eth_call of wallet_code.h --> yes or no
 *
 * Only answers are remembered, never failures: a wallet that could not be asked is asked again. An
 * answer about a given block holds for ever, one about the newest block for a minute. A node that
 * failed three times in a row is left alone for half a minute while another one answers.
 *
 * Threads: verify is called by any number of them, and blocks.
 */
#ifndef XMTP_NODE_CHAINS_H
#define XMTP_NODE_CHAINS_H

#include "rpc/http.h"

#include <xmtp/node.h>

typedef struct xmtp_node_chains xmtp_node_chains;

enum {
    XMTP_NODE_CHAIN_URLS_MAX = XMTP_NODE_CHAIN_RPC_MAX, /* of all chains together */
    XMTP_NODE_CHAIN_URL_LEN_MAX = 512,
};

typedef struct xmtp_node_chains_options {
    const xmtp_env *env;
    /* "8453=https://..."; the same chain several times: in this order. Ended by NULL. */
    const char *const *urls;
    uint64_t timeout_ns; /* of one question to one node; 0: 5 s */
    /* How nodes are asked; NULL: by libcurl. A client is used by one thread at a time. */
    void *context;
    xmtp_status (*open_http)(void *context, xmtp_http *out);
} xmtp_node_chains_options;

/* XMTP_E_ARGUMENT: a url is not of that form; XMTP_E_NOMEM. */
xmtp_status xmtp_node_chains_open(xmtp_node_chains **out, const xmtp_node_chains_options *options,
                                  xmtp_error *error);
void xmtp_node_chains_free(xmtp_node_chains *chains); /* takes NULL */

/* Whether the wallet accepts signature over hash at a block; block_number 0: at the newest one.
 * *block_used is the block that was asked about.
 *
 * XMTP_OK                 *is_valid is the answer
 * XMTP_E_UNSUPPORTED      no node is known for this chain
 * XMTP_E_ARGUMENT         not an account id of a chain that this is about
 * XMTP_E_RPC_UNAVAILABLE  no node could tell: another time perhaps */
xmtp_status xmtp_node_chains_verify(xmtp_node_chains *chains, xmtp_bytes account_id,
                                    uint64_t block_number, const uint8_t hash[32],
                                    xmtp_bytes signature, bool *is_valid, uint64_t *block_used,
                                    xmtp_error *error);

#endif
