/* wallet_secp256k1.h - what one signature of a wallet and many at once have in common; private to this room. */
#ifndef XMTP_CRYPTO_WALLET_SECP256K1_H
#define XMTP_CRYPTO_WALLET_SECP256K1_H

#include "crypto/crypto.h"

/* identity.md 3.3: 0 and 1 are the parity, 27 and 28 that of Ethereum, from 35 that of EIP-155.
 * XMTP_E_SIGNATURE for others. */
xmtp_status xmtp_secp256k1_parity(uint8_t v, int *parity);

/* The address of a public key, from Keccak-256(X || Y). */
void xmtp_secp256k1_hash_address(const uint8_t hash[32], char address[43]);

#endif
