/* signer.c - private keys of wallets and installations: reading, making, signing. */
#include "identity/signer.h"

#include "base/bytes.h"
#include "base/status.h"
#include "crypto/crypto.h"
#include "crypto/keccak.h"

#include <stdio.h>

/* A random number is no valid secp256k1 key once in 2^128 draws; a broken generator always. */
enum { GENERATE_TRIES_MAX = 8 };

static const char update_context[] = "IDENTITY UPDATE SIGNATURE";
static const char public_context[] = "PUBLIC SIGNATURE CONTEXT";

/* ---- wallets */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *trim(const char *text, size_t *n)
{
    while (is_space(*text)) {
        text++;
    }
    *n = strlen(text);
    while (*n > 0 && is_space(text[*n - 1])) {
        (*n)--;
    }
    return text;
}

xmtp_status xmtp_wallet_parse(const char *text, xmtp_wallet *out, xmtp_error *error)
{
    size_t n;
    const char *digits = trim(text == NULL ? "" : text, &n);
    if (n >= 2 && digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X')) {
        digits += 2;
        n -= 2;
    }
    xmtp_status status = XMTP_OK;
    if (n != 2 * sizeof out->sk) {
        status = xmtp_fail(error, XMTP_E_KEY,
                           "a wallet's private key has 64 hex digits, this has %zu characters", n);
    } else if (xmtp_hex_decode(out->sk, sizeof out->sk, digits, n) != XMTP_OK) {
        status = xmtp_fail(error, XMTP_E_KEY,
                           "a wallet's private key has 64 hex digits, this has other characters");
    } else if (xmtp_secp256k1_address(out->sk, out->address) != XMTP_OK) {
        status = xmtp_fail(error, XMTP_E_KEY, "not a private key of secp256k1: out of range");
    }
    if (status != XMTP_OK) {
        xmtp_wallet_wipe(out);
    }
    return status;
}

xmtp_status xmtp_wallet_generate(const xmtp_env *env, xmtp_wallet *out)
{
    xmtp_status status = XMTP_E_RANDOM;
    for (int i = 0; i < GENERATE_TRIES_MAX; i++) {
        status = env->random(env->context, out->sk, sizeof out->sk);
        if (status == XMTP_OK) {
            status = xmtp_secp256k1_address(out->sk, out->address);
        }
        if (status != XMTP_E_KEY) {
            break;
        }
    }
    if (status != XMTP_OK) {
        xmtp_wallet_wipe(out);
    }
    return status;
}

void xmtp_wallet_wipe(xmtp_wallet *wallet)
{
    xmtp_wipe(wallet, sizeof *wallet);
}

void xmtp_wallet_digest(xmtp_bytes text, uint8_t digest[32])
{
    char prefix[64];
    int n = snprintf(prefix, sizeof prefix,
                     "\x19"
                     "Ethereum Signed Message:\n%zu",
                     text.n);
    xmtp_keccak c = {.rate = 136, .suffix = 0x01}; /* Keccak-256, in two parts */
    xmtp_keccak_absorb(&c, xmtp_bytes_of(prefix, (size_t)n));
    xmtp_keccak_absorb(&c, text);
    xmtp_keccak_squeeze(&c, digest, 32);
}

xmtp_status xmtp_wallet_sign(const xmtp_wallet *wallet, xmtp_bytes text,
                             uint8_t signature[XMTP_WALLET_SIGNATURE_LEN])
{
    uint8_t digest[32];
    xmtp_wallet_digest(text, digest);
    return xmtp_secp256k1_sign(wallet->sk, digest, signature);
}

/* ---- installations */

xmtp_status xmtp_installation_generate(const xmtp_env *env, xmtp_installation *out)
{
    uint8_t seed[32];
    xmtp_status status = env->random(env->context, seed, sizeof seed);
    if (status == XMTP_OK) {
        status = xmtp_installation_from_seed(seed, out);
    }
    xmtp_wipe(seed, sizeof seed);
    return status;
}

xmtp_status xmtp_installation_from_seed(const uint8_t seed[32], xmtp_installation *out)
{
    memcpy(out->sk, seed, sizeof out->sk);
    xmtp_status status = xmtp_signature_ed25519.public_key(out->sk, out->pk);
    if (status != XMTP_OK) {
        xmtp_installation_wipe(out);
    }
    return status;
}

void xmtp_installation_wipe(xmtp_installation *installation)
{
    xmtp_wipe(installation, sizeof *installation);
}

xmtp_status xmtp_installation_sign_update(const xmtp_installation *installation, xmtp_bytes text,
                                          uint8_t signature[XMTP_INSTALLATION_SIGNATURE_LEN])
{
    return xmtp_ed25519ph_sign(installation->sk, installation->pk,
                               xmtp_bytes_of_string(update_context), text, signature);
}

xmtp_status
xmtp_installation_verify_update(const uint8_t public_key[XMTP_INSTALLATION_LEN], xmtp_bytes text,
                                const uint8_t signature[XMTP_INSTALLATION_SIGNATURE_LEN])
{
    return xmtp_ed25519ph_verify(public_key, xmtp_bytes_of_string(update_context), text, signature);
}

void xmtp_installation_verify_updates(xmtp_signature_check *checks, size_t count)
{
    xmtp_ed25519ph_verify_many(xmtp_bytes_of_string(update_context), checks, count);
}

xmtp_status xmtp_installation_sign_public(const xmtp_installation *installation, xmtp_bytes text,
                                          uint8_t signature[XMTP_INSTALLATION_SIGNATURE_LEN])
{
    return xmtp_ed25519ph_sign(installation->sk, installation->pk,
                               xmtp_bytes_of_string(public_context), text, signature);
}

xmtp_status
xmtp_installation_verify_public(const uint8_t public_key[XMTP_INSTALLATION_LEN], xmtp_bytes text,
                                const uint8_t signature[XMTP_INSTALLATION_SIGNATURE_LEN])
{
    return xmtp_ed25519ph_verify(public_key, xmtp_bytes_of_string(public_context), text, signature);
}

/* ---- what signs an identity update ---- */

static xmtp_status sign_with_wallet(const void *context, xmtp_bytes text, xmtp_arena *arena,
                                    xmtp_wire_signature *out)
{
    void *signature;
    XMTP_TRY(xmtp_arena_take(arena, XMTP_WALLET_SIGNATURE_LEN, &signature));
    *out = (xmtp_wire_signature){.kind = XMTP_SIGNATURE_ERC191,
                                 .bytes = xmtp_bytes_of(signature, XMTP_WALLET_SIGNATURE_LEN)};
    return xmtp_wallet_sign(context, text, signature);
}

static xmtp_status sign_with_installation(const void *context, xmtp_bytes text, xmtp_arena *arena,
                                          xmtp_wire_signature *out)
{
    const xmtp_installation *installation = context;
    void *signature;
    XMTP_TRY(xmtp_arena_take(arena, XMTP_INSTALLATION_SIGNATURE_LEN, &signature));
    *out =
        (xmtp_wire_signature){.kind = XMTP_SIGNATURE_INSTALLATION,
                              .bytes = xmtp_bytes_of(signature, XMTP_INSTALLATION_SIGNATURE_LEN),
                              .public_key = xmtp_bytes_of(installation->pk, XMTP_INSTALLATION_LEN)};
    return xmtp_installation_sign_update(installation, text, signature);
}

xmtp_signer xmtp_signer_of_wallet(const xmtp_wallet *wallet)
{
    return (xmtp_signer){.identifier = xmtp_identifier_ethereum(wallet->address),
                         .context = wallet,
                         .sign = sign_with_wallet};
}

xmtp_signer xmtp_signer_of_installation(const xmtp_installation *installation)
{
    return (xmtp_signer){.identifier = xmtp_identifier_installation(installation->pk),
                         .context = installation,
                         .sign = sign_with_installation};
}
