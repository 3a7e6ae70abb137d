/* chains_test.c - contract wallets asked over JSON-RPC: answers, failures, and what is remembered.
 *
 * The code that is sent runs on a real EVM in tests/interop; here a function plays the chain. */
#include "node/chains.h"

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "node/wallet_code.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char account[] = "eip155:8453:0x00000000000000000000000000000000000000aa";
static const uint8_t hash[32] = {7};

/* What the chain's nodes say, in turn, and what they were asked. */
typedef struct chain {
    const char *answers[8]; /* NULL: the node is not reached */
    size_t asked;
    char urls[8][64];
    char bodies[8][4096];
    uint64_t now_ns;
    xmtp_env env;
} chain;

static chain world;

static uint64_t now(void *context)
{
    return ((chain *)context)->now_ns;
}

static xmtp_status answer(void *context, const xmtp_http_request *request, uint32_t *http_status,
                          xmtp_error *error)
{
    chain *c = context;
    assert_true(c->asked < 8);
    const char *text = c->answers[c->asked];
    (void)error;
    (void)snprintf(c->urls[c->asked], sizeof(c->urls[0]), "%s", request->url);
    (void)snprintf(c->bodies[c->asked], sizeof(c->bodies[0]), "%.*s", (int)request->body.n,
                   (const char *)request->body.p);
    c->asked++;
    if (text == NULL) {
        return XMTP_E_NETWORK;
    }
    *http_status = 200;
    return request->sink(request->sink_context, xmtp_bytes_of_string(text));
}

static void close_http(void *context)
{
    (void)context;
}

static xmtp_status open_http(void *context, xmtp_http *out)
{
    *out = (xmtp_http){.context = context, .request = answer, .close = close_http};
    return XMTP_OK;
}

static xmtp_node_chains *chains_of(const char *const *urls)
{
    xmtp_node_chains *out;
    xmtp_error error;
    world = (chain){.now_ns = 1000000000};
    world.env = *xmtp_env_system();
    world.env.context = &world;
    world.env.now_ns = now;
    xmtp_node_chains_options options = {
        .env = &world.env, .urls = urls, .context = &world, .open_http = open_http};
    assert_int_equal(xmtp_node_chains_open(&out, &options, &error), XMTP_OK);
    return out;
}

static const char *const one_url[] = {"8453=http://a", NULL};
static const char *const two_urls[] = {"8453=http://a", "8453=http://b", NULL};

typedef struct verdict {
    xmtp_status status;
    bool is_valid;
    uint64_t block;
    xmtp_error error;
} verdict;

static verdict ask_at(xmtp_node_chains *chains, uint64_t block, xmtp_bytes signature)
{
    verdict v = {.is_valid = false};
    v.status = xmtp_node_chains_verify(chains, xmtp_bytes_of_string(account), block, hash,
                                       signature, &v.is_valid, &v.block, &v.error);
    return v;
}

static const xmtp_bytes some_signature = {(const uint8_t *)"sig", 3};

#define BLOCK(number) "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"" number "\"}"
#define YES           BLOCK("0x01")
#define NO            BLOCK("0x00")
#define NO_CONTRACT   BLOCK("0x02")

static void a_wallet_is_asked_at_the_newest_block_and_the_block_is_told(void **state)
{
    (void)state;
    xmtp_node_chains *chains = chains_of(one_url);
    world.answers[0] = BLOCK("0x1f");
    world.answers[1] = YES;
    verdict v = ask_at(chains, 0, some_signature);
    assert_int_equal(v.status, XMTP_OK);
    assert_true(v.is_valid);
    assert_int_equal(v.block, 31);
    assert_non_null(strstr(world.bodies[0], "\"method\":\"eth_blockNumber\""));
    assert_non_null(strstr(world.bodies[1], "\"method\":\"eth_call\""));
    assert_non_null(strstr(world.bodies[1], "\"},\"0x1f\"]}"));
    xmtp_node_chains_free(chains);
}

static void a_given_block_is_asked_for_once_and_for_all(void **state)
{
    (void)state;
    xmtp_node_chains *chains = chains_of(one_url);
    world.answers[0] = NO;
    for (int i = 0; i < 3; i++) {
        verdict v = ask_at(chains, 77, some_signature);
        assert_int_equal(v.status, XMTP_OK);
        assert_false(v.is_valid);
        assert_int_equal(v.block, 77);
        world.now_ns += UINT64_C(1000) * 1000000000;
    }
    assert_int_equal(world.asked, 1);
    xmtp_node_chains_free(chains);
}

static void an_answer_about_the_newest_block_holds_for_a_minute(void **state)
{
    (void)state;
    xmtp_node_chains *chains = chains_of(one_url);
    world.answers[0] = world.answers[2] = BLOCK("0x1");
    world.answers[1] = NO;
    world.answers[3] = YES;
    assert_false(ask_at(chains, 0, some_signature).is_valid);
    world.now_ns += UINT64_C(59) * 1000000000;
    assert_false(ask_at(chains, 0, some_signature).is_valid);
    assert_int_equal(world.asked, 2);
    world.now_ns += UINT64_C(2) * 1000000000;
    assert_true(ask_at(chains, 0, some_signature).is_valid);
    xmtp_node_chains_free(chains);
}

static void failures_are_never_remembered(void **state)
{
    (void)state;
    xmtp_node_chains *chains = chains_of(one_url);
    world.answers[2] = "{\"error\":{\"message\":\"out of luck\"}}"; /* 0 and 1: not reached */
    world.answers[4] = YES;
    verdict v = ask_at(chains, 5, some_signature);
    assert_int_equal(v.status, XMTP_E_RPC_UNAVAILABLE);
    world.asked = 2;
    v = ask_at(chains, 5, some_signature);
    assert_int_equal(v.status, XMTP_E_RPC_UNAVAILABLE);
    assert_string_equal(v.error.text, "chain 8453 cannot be asked: out of luck");
    world.asked = 4;
    v = ask_at(chains, 5, some_signature);
    assert_int_equal(v.status, XMTP_OK);
    assert_true(v.is_valid);
    xmtp_node_chains_free(chains);
}

static void the_second_node_answers_when_the_first_does_not(void **state)
{
    (void)state;
    xmtp_node_chains *chains = chains_of(two_urls);
    world.answers[1] = YES;
    verdict v = ask_at(chains, 5, some_signature);
    assert_int_equal(v.status, XMTP_OK);
    assert_true(v.is_valid);
    assert_string_equal(world.urls[0], "http://a");
    assert_string_equal(world.urls[1], "http://b");
    xmtp_node_chains_free(chains);
}

static void a_node_that_fails_three_times_rests_for_half_a_minute(void **state)
{
    (void)state;
    xmtp_node_chains *chains = chains_of(two_urls);
    for (size_t i = 1; i < 6; i += 2) {
        world.answers[i] = YES;
        assert_true(ask_at(chains, i, some_signature).is_valid);
    }
    world.asked = 0;
    world.answers[0] = YES;
    assert_true(ask_at(chains, 100, some_signature).is_valid);
    assert_string_equal(world.urls[0], "http://b"); /* a is left alone */
    world.now_ns += UINT64_C(31) * 1000000000;
    world.asked = 0;
    assert_true(ask_at(chains, 101, some_signature).is_valid);
    assert_string_equal(world.urls[0], "http://a");
    xmtp_node_chains_free(chains);
}

static void odd_answers_are_no_answers(void **state)
{
    (void)state;
    static const char *const odd[] = {"",
                                      "{}",
                                      "[]",
                                      "{\"result\":1}",
                                      BLOCK("0x"),
                                      BLOCK("0x03"),
                                      BLOCK("0x0001"),
                                      BLOCK("1"),
                                      "{\"result\":\"0x01\""};
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        xmtp_node_chains *chains = chains_of(one_url);
        world.answers[0] = odd[i];
        assert_int_equal(ask_at(chains, 5, some_signature).status, XMTP_E_RPC_UNAVAILABLE);
        xmtp_node_chains_free(chains);
    }
}

static void without_a_contract_the_key_of_the_address_counts(void **state)
{
    (void)state;
    uint8_t sk[32] = {[31] = 9};
    uint8_t signature[65];
    char address[43];
    char id[64];
    verdict v = {.is_valid = false};
    xmtp_node_chains *chains = chains_of(one_url);
    assert_int_equal(xmtp_secp256k1_address(sk, address), XMTP_OK);
    assert_int_equal(xmtp_secp256k1_sign(sk, hash, signature), XMTP_OK);
    (void)snprintf(id, sizeof(id), "eip155:8453:%s", address);
    world.answers[0] = world.answers[1] = NO_CONTRACT;
    assert_int_equal(xmtp_node_chains_verify(chains, xmtp_bytes_of_string(id), 5, hash,
                                             xmtp_bytes_of(signature, 65), &v.is_valid, &v.block,
                                             &v.error),
                     XMTP_OK);
    assert_true(v.is_valid);
    assert_false(ask_at(chains, 5, xmtp_bytes_of(signature, 65)).is_valid);
    xmtp_node_chains_free(chains);
}

static void accounts_and_urls_must_be_well_formed(void **state)
{
    (void)state;
    static const char *const ids[] = {"",
                                      "eip155:",
                                      "eip155:1:",
                                      "eip155:1:0x12",
                                      "solana:1:0x00000000000000000000000000000000000000aa",
                                      "eip155:x:0x00000000000000000000000000000000000000aa",
                                      "eip155:99999999999999999999:0x"
                                      "00000000000000000000000000000000000000aa"};
    xmtp_node_chains *chains = chains_of(one_url);
    verdict v = {.is_valid = false};
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        assert_int_equal(xmtp_node_chains_verify(chains, xmtp_bytes_of_string(ids[i]), 5, hash,
                                                 some_signature, &v.is_valid, &v.block, &v.error),
                         XMTP_E_ARGUMENT);
    }
    assert_int_equal(
        xmtp_node_chains_verify(
            chains, xmtp_bytes_of_string("eip155:1:0x00000000000000000000000000000000000000aa"), 5,
            hash, some_signature, &v.is_valid, &v.block, &v.error),
        XMTP_E_UNSUPPORTED);
    xmtp_node_chains_free(chains);
    static const char *const urls[] = {"", "http://a", "1", "1=", "1=ftp://a", "x=http://a"};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        const char *const list[] = {urls[i], NULL};
        xmtp_node_chains_options options = {.env = xmtp_env_system(), .urls = list};
        assert_int_equal(xmtp_node_chains_open(&chains, &options, &v.error), XMTP_E_ARGUMENT);
        assert_null(chains);
    }
}

/* ---- ERC-6492 */

static size_t wrap(uint8_t *out, size_t call_len, size_t inner_len)
{
    memset(out, 0, 1024);
    out[31] = 0xfa; /* factory */
    out[63] = 96;   /* offset of the call */
    out[95] = (uint8_t)(96 + 32 + 32);
    out[127] = (uint8_t)call_len;
    memset(out + 128, 0xca, call_len);
    out[191] = (uint8_t)inner_len;
    memset(out + 192, 0x51, inner_len);
    size_t n = 192 + 32;
    for (size_t i = 0; i < 32; i += 2) {
        out[n + i] = 0x64;
        out[n + i + 1] = 0x92;
    }
    return n + 32;
}

static void a_wrapped_signature_is_taken_apart(void **state)
{
    (void)state;
    uint8_t bytes[1024];
    xmtp_node_wrapped w;
    size_t n = wrap(bytes, 5, 7);
    xmtp_node_unwrap(xmtp_bytes_of(bytes, n), &w);
    assert_true(w.is_wrapped);
    assert_int_equal(w.factory[19], 0xfa);
    assert_int_equal(w.factory_call.n, 5);
    assert_int_equal(w.inner.n, 7);
    assert_int_equal(w.inner.p[0], 0x51);
    /* Without the marker, or with places outside, it is a signature like another. */
    xmtp_node_unwrap(xmtp_bytes_of(bytes, n - 1), &w);
    assert_false(w.is_wrapped);
    static const size_t places[] = {60, 63, 92, 95, 124, 188};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        n = wrap(bytes, 5, 7);
        bytes[places[i]] = 0xff;
        xmtp_node_unwrap(xmtp_bytes_of(bytes, n), &w);
        assert_false(w.is_wrapped);
        assert_int_equal(w.inner.n, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wallet_is_asked_at_the_newest_block_and_the_block_is_told),
        cmocka_unit_test(a_given_block_is_asked_for_once_and_for_all),
        cmocka_unit_test(an_answer_about_the_newest_block_holds_for_a_minute),
        cmocka_unit_test(failures_are_never_remembered),
        cmocka_unit_test(the_second_node_answers_when_the_first_does_not),
        cmocka_unit_test(a_node_that_fails_three_times_rests_for_half_a_minute),
        cmocka_unit_test(odd_answers_are_no_answers),
        cmocka_unit_test(without_a_contract_the_key_of_the_address_counts),
        cmocka_unit_test(accounts_and_urls_must_be_well_formed),
        cmocka_unit_test(a_wrapped_signature_is_taken_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
