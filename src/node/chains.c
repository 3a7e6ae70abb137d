/* chains.c - see chains.h. */
#include "node/chains.h"

#include "base/bytes.h"
#include "base/status.h"
#include "crypto/crypto.h"
#include "fetch/fetch.h"
#include "node/wallet_code.h"

#include <cJSON.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static const uint64_t second_ns = 1000000000;

enum {
    TIMEOUT_S = 5,
    NEWEST_S = 60, /* how long an answer about the newest block is believed */
    FAILURES_MAX = 3,
    REST_S = 30,
    ANSWER_LEN_MAX = 64 * 1024,
    REQUEST_LEN_MAX = 8 << 20,
    MEMORY_COUNT = 8192,
    ACCOUNT_LEN_MAX = 128,
    SIGNATURE_LEN = 65,
};

typedef struct endpoint {
    uint64_t chain;
    char url[XMTP_NODE_CHAIN_URL_LEN_MAX + 1];
    unsigned failures; /* in a row */
    uint64_t rests_until_ns;
} endpoint;

typedef struct remembered {
    uint8_t key[32];
    uint64_t until_ns; /* 0: nothing is here */
    uint64_t block;
    bool is_valid;
} remembered;

struct xmtp_node_chains {
    const xmtp_env *env;
    uint64_t timeout_ns;
    void *context;
    xmtp_status (*open_http)(void *context, xmtp_http *out);
    endpoint endpoints[XMTP_NODE_CHAIN_URLS_MAX];
    size_t endpoint_count;
    pthread_mutex_t lock; /* of the fields below, and of endpoints' failures */
    remembered *memory;   /* MEMORY_COUNT places, by the first bytes of the key */
};

/* What is asked. */
typedef struct question {
    xmtp_node_chains *chains;
    uint64_t chain;
    uint8_t address[XMTP_NODE_EVM_ADDRESS_LEN];
    uint64_t block; /* 0: newest */
    const uint8_t *hash;
    xmtp_bytes signature;
    xmtp_writer code; /* in hex */
} question;

/* ---- opening */

static xmtp_status open_curl(void *context, xmtp_http *out)
{
    return xmtp_fetch_open(out, &(xmtp_fetch_options){.env = context});
}

static bool read_number(const char **p, const char *end, uint64_t *out)
{
    const char *start = *p;
    *out = 0;
    while (*p < end && **p >= '0' && **p <= '9') {
        if (__builtin_mul_overflow(*out, 10, out) ||
            __builtin_add_overflow(*out, (uint64_t)(**p - '0'), out)) {
            return false;
        }
        (*p)++;
    }
    return *p > start;
}

static xmtp_status add_endpoint(xmtp_node_chains *chains, const char *text, xmtp_error *error)
{
    const char *p = text;
    endpoint *e = &chains->endpoints[chains->endpoint_count];
    if (chains->endpoint_count == XMTP_NODE_CHAIN_URLS_MAX) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "more than %d URLs of chains",
                         XMTP_NODE_CHAIN_URLS_MAX);
    }
    bool is_formed = read_number(&p, text + strlen(text), &e->chain) && *p == '=' &&
                     (strncmp(p + 1, "http://", 7) == 0 || strncmp(p + 1, "https://", 8) == 0) &&
                     strlen(p + 1) <= XMTP_NODE_CHAIN_URL_LEN_MAX;
    if (!is_formed) {
        return xmtp_fail(error, XMTP_E_ARGUMENT,
                         "'%.60s' is not CHAIN=URL, such as 8453=https://rpc.example.org", text);
    }
    memcpy(e->url, p + 1, strlen(p + 1) + 1);
    chains->endpoint_count++;
    return XMTP_OK;
}

static xmtp_status fill(xmtp_node_chains *chains, const xmtp_node_chains_options *options,
                        xmtp_error *error)
{
    const xmtp_alloc *alloc = &options->env->alloc;
    chains->memory = alloc->reallocate(alloc->context, NULL, MEMORY_COUNT * sizeof(remembered));
    XMTP_ENSURE(chains->memory != NULL, XMTP_E_NOMEM);
    memset(chains->memory, 0, MEMORY_COUNT * sizeof(remembered));
    for (size_t i = 0; options->urls != NULL && options->urls[i] != NULL; i++) {
        XMTP_TRY(add_endpoint(chains, options->urls[i], error));
    }
    return XMTP_OK;
}

xmtp_status xmtp_node_chains_open(xmtp_node_chains **out, const xmtp_node_chains_options *options,
                                  xmtp_error *error)
{
    const xmtp_alloc *alloc = &options->env->alloc;
    *out = NULL;
    xmtp_node_chains *chains = alloc->reallocate(alloc->context, NULL, sizeof(*chains));
    XMTP_ENSURE(chains != NULL, XMTP_E_NOMEM);
    memset(chains, 0, sizeof(*chains));
    chains->env = options->env;
    chains->timeout_ns = options->timeout_ns == 0 ? TIMEOUT_S * second_ns : options->timeout_ns;
    chains->open_http = options->open_http == NULL ? open_curl : options->open_http;
    chains->context =
        options->open_http == NULL ? (void *)(uintptr_t)options->env : options->context;
    (void)pthread_mutex_init(&chains->lock, NULL);
    xmtp_status status = fill(chains, options, error);
    if (status != XMTP_OK) {
        xmtp_node_chains_free(chains);
        return status;
    }
    *out = chains;
    return XMTP_OK;
}

void xmtp_node_chains_free(xmtp_node_chains *chains)
{
    if (chains != NULL) {
        const xmtp_alloc alloc = chains->env->alloc;
        (void)pthread_mutex_destroy(&chains->lock);
        if (chains->memory != NULL) {
            alloc.reallocate(alloc.context, chains->memory, 0);
        }
        alloc.reallocate(alloc.context, chains, 0);
    }
}

/* ---- what was answered before */

static void key_of(const question *q, uint8_t key[32])
{
    xmtp_hash_context c;
    const uint64_t numbers[2] = {q->chain, q->block};
    xmtp_hash_sha256.init(&c);
    xmtp_hash_sha256.update(&c, numbers, sizeof(numbers));
    xmtp_hash_sha256.update(&c, q->address, sizeof(q->address));
    xmtp_hash_sha256.update(&c, q->hash, 32);
    xmtp_hash_sha256.update(&c, q->signature.p, q->signature.n);
    xmtp_hash_sha256.final(&c, key);
}

static remembered *place_of(const xmtp_node_chains *chains, const uint8_t key[32])
{
    return &chains->memory[(key[0] | (unsigned)key[1] << 8) % MEMORY_COUNT];
}

static bool recall(xmtp_node_chains *chains, const uint8_t key[32], bool *is_valid, uint64_t *block)
{
    uint64_t now = chains->env->now_ns(chains->env->context);
    (void)pthread_mutex_lock(&chains->lock);
    const remembered *r = place_of(chains, key);
    bool is_there = r->until_ns > now && memcmp(r->key, key, 32) == 0;
    if (is_there) {
        *is_valid = r->is_valid;
        *block = r->block;
    }
    (void)pthread_mutex_unlock(&chains->lock);
    return is_there;
}

static void remember(const question *q, const uint8_t key[32], bool is_valid, uint64_t block)
{
    xmtp_node_chains *chains = q->chains;
    uint64_t now = chains->env->now_ns(chains->env->context);
    (void)pthread_mutex_lock(&chains->lock);
    remembered *r = place_of(chains, key);
    *r = (remembered){.until_ns = q->block != 0 ? UINT64_MAX : now + NEWEST_S * second_ns,
                      .block = block,
                      .is_valid = is_valid};
    memcpy(r->key, key, 32);
    (void)pthread_mutex_unlock(&chains->lock);
}

/* ---- one JSON-RPC call */

enum { RESULT_MAX = 80 }; /* "0x01", or the number of a block */

static void put(xmtp_writer *w, const char *text)
{
    xmtp_writer_put(w, xmtp_bytes_of_string(text));
}

/* The string of "result", else why there is none. */
static xmtp_status read_result(xmtp_bytes answer, char out[RESULT_MAX], xmtp_error *error)
{
    cJSON *json = cJSON_ParseWithLength((const char *)answer.p, answer.n);
    const cJSON *result = cJSON_GetObjectItemCaseSensitive(json, "result");
    const cJSON *problem = cJSON_GetObjectItemCaseSensitive(json, "error");
    const cJSON *why = cJSON_GetObjectItemCaseSensitive(problem, "message");
    xmtp_status status = XMTP_OK;
    if (cJSON_IsString(result) && strlen(result->valuestring) < RESULT_MAX) {
        memcpy(out, result->valuestring, strlen(result->valuestring) + 1);
    } else {
        status = xmtp_fail(error, XMTP_E_PROTOCOL, "%.120s",
                           cJSON_IsString(why) ? why->valuestring : "an answer without a result");
    }
    cJSON_Delete(json);
    return status;
}

static xmtp_status exchange(const question *q, xmtp_http *http, const endpoint *e,
                            const xmtp_writer *body, char out[RESULT_MAX], xmtp_error *error)
{
    xmtp_writer answer;
    uint32_t http_status;
    xmtp_writer_init(&answer, &q->chains->env->alloc, ANSWER_LEN_MAX);
    xmtp_http_request request = {.method = "POST",
                                 .url = e->url,
                                 .content_type = "application/json",
                                 .body = xmtp_writer_bytes(body),
                                 .sink = xmtp_http_to_writer,
                                 .sink_context = &answer,
                                 .answer_len_max = ANSWER_LEN_MAX,
                                 .timeout_ns = q->chains->timeout_ns};
    xmtp_status status = http->request(http->context, &request, &http_status, error);
    if (status == XMTP_OK && http_status != 200) {
        status = xmtp_fail(error, XMTP_E_NETWORK, "HTTP status %u", http_status);
    }
    if (status == XMTP_OK) {
        status = read_result(xmtp_writer_bytes(&answer), out, error);
    }
    xmtp_writer_free(&answer);
    return status;
}

static bool is_hex_number(const char *text, uint64_t *out)
{
    size_t n = strlen(text);
    bool is_formed = strncmp(text, "0x", 2) == 0 && n > 2 && n <= 18 &&
                     strspn(text + 2, "0123456789abcdefABCDEF") == n - 2;
    *out = is_formed ? strtoull(text + 2, NULL, 16) : 0;
    return is_formed;
}

static xmtp_status newest_block(const question *q, xmtp_http *http, const endpoint *e,
                                uint64_t *out, xmtp_error *error)
{
    xmtp_writer body;
    char result[RESULT_MAX] = "";
    xmtp_writer_init(&body, &q->chains->env->alloc, REQUEST_LEN_MAX);
    put(&body, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_blockNumber\",\"params\":[]}");
    xmtp_status status = xmtp_writer_status(&body);
    if (status == XMTP_OK) {
        status = exchange(q, http, e, &body, result, error);
    }
    xmtp_writer_free(&body);
    XMTP_TRY(status);
    return is_hex_number(result, out)
               ? XMTP_OK
               : xmtp_fail(error, XMTP_E_PROTOCOL, "eth_blockNumber answered '%.20s'", result);
}

static xmtp_status call_code(const question *q, xmtp_http *http, const endpoint *e, uint64_t block,
                             xmtp_node_wallet_answer *out, xmtp_error *error)
{
    xmtp_writer body;
    uint64_t byte;
    char number[24];
    char result[RESULT_MAX] = "";
    (void)snprintf(number, sizeof(number), "0x%" PRIx64, block);
    xmtp_writer_init(&body, &q->chains->env->alloc, REQUEST_LEN_MAX);
    put(&body, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_call\",\"params\":[{\"data\":\"0x");
    xmtp_writer_put(&body, xmtp_writer_bytes(&q->code));
    put(&body, "\"},\"");
    put(&body, number);
    put(&body, "\"]}");
    xmtp_status status = xmtp_writer_status(&body);
    if (status == XMTP_OK) {
        status = exchange(q, http, e, &body, result, error);
    }
    xmtp_writer_free(&body);
    XMTP_TRY(status);
    if (strlen(result) != 4 || !is_hex_number(result, &byte) ||
        byte > XMTP_NODE_WALLET_NO_CONTRACT) {
        return xmtp_fail(error, XMTP_E_PROTOCOL, "eth_call answered '%.20s'", result);
    }
    *out = (xmtp_node_wallet_answer)byte;
    return XMTP_OK;
}

/* ---- asking */

/* Without a contract the address may be a key's, and the signature that of the key. */
static bool is_signed_by_key(const question *q)
{
    char signer[43];
    char address[43] = "0x";
    uint8_t normalized[SIGNATURE_LEN];
    xmtp_hex_encode(address + 2, xmtp_bytes_of(q->address, sizeof(q->address)));
    return q->signature.n == SIGNATURE_LEN &&
           xmtp_secp256k1_recover(q->hash, q->signature.p, signer, normalized) == XMTP_OK &&
           strcmp(signer, address) == 0;
}

static xmtp_status ask_with(const question *q, xmtp_http *http, const endpoint *e, bool *is_valid,
                            uint64_t *block, xmtp_error *error)
{
    xmtp_node_wallet_answer answer = XMTP_NODE_WALLET_NO;
    *block = q->block;
    if (q->block == 0) {
        XMTP_TRY(newest_block(q, http, e, block, error));
    }
    XMTP_TRY(call_code(q, http, e, *block, &answer, error));
    *is_valid = answer == XMTP_NODE_WALLET_YES ||
                (answer == XMTP_NODE_WALLET_NO_CONTRACT && is_signed_by_key(q));
    return XMTP_OK;
}

static xmtp_status ask(const question *q, const endpoint *e, bool *is_valid, uint64_t *block,
                       xmtp_error *error)
{
    xmtp_http http;
    XMTP_TRY(q->chains->open_http(q->chains->context, &http));
    xmtp_status status = ask_with(q, &http, e, is_valid, block, error);
    http.close(http.context);
    return status;
}

static void note(xmtp_node_chains *chains, endpoint *e, bool is_good)
{
    (void)pthread_mutex_lock(&chains->lock);
    e->failures = is_good ? 0 : e->failures + 1;
    if (e->failures >= FAILURES_MAX) {
        e->rests_until_ns = chains->env->now_ns(chains->env->context) + REST_S * second_ns;
        e->failures = 0;
    }
    (void)pthread_mutex_unlock(&chains->lock);
}

static bool is_resting(xmtp_node_chains *chains, const endpoint *e)
{
    (void)pthread_mutex_lock(&chains->lock);
    bool rests = e->rests_until_ns > chains->env->now_ns(chains->env->context);
    (void)pthread_mutex_unlock(&chains->lock);
    return rests;
}

/* Those that rest are asked only when nobody else could tell. */
static xmtp_status ask_all(const question *q, bool *is_valid, uint64_t *block, xmtp_error *error)
{
    xmtp_node_chains *chains = q->chains;
    xmtp_error why = {0};
    bool is_known = false;
    for (int resting = 0; resting < 2; resting++) {
        for (size_t i = 0; i < chains->endpoint_count; i++) {
            endpoint *e = &chains->endpoints[i];
            if (e->chain != q->chain || is_resting(chains, e) != (resting == 1)) {
                continue;
            }
            is_known = true;
            xmtp_status status = ask(q, e, is_valid, block, &why);
            note(chains, e, status == XMTP_OK);
            if (status == XMTP_OK) {
                return XMTP_OK;
            }
        }
    }
    if (!is_known) {
        return xmtp_fail(error, XMTP_E_UNSUPPORTED, "no RPC node is set for chain %" PRIu64,
                         q->chain);
    }
    return xmtp_fail(error, XMTP_E_RPC_UNAVAILABLE, "chain %" PRIu64 " cannot be asked: %.160s",
                     q->chain, why.text);
}

/* "eip155:<chain>:<0x and 40 hex digits>" */
static xmtp_status read_account(question *q, xmtp_bytes account_id, xmtp_error *error)
{
    char text[ACCOUNT_LEN_MAX + 1];
    const char *p = text + 7;
    bool is_formed = account_id.n > 7 && account_id.n <= ACCOUNT_LEN_MAX;
    if (is_formed) {
        memcpy(text, account_id.p, account_id.n);
        text[account_id.n] = '\0';
        is_formed =
            strncmp(text, "eip155:", 7) == 0 && read_number(&p, text + account_id.n, &q->chain) &&
            strncmp(p, ":0x", 3) == 0 &&
            xmtp_hex_decode(q->address, sizeof(q->address), p + 3, strlen(p + 3)) == XMTP_OK;
    }
    return is_formed ? XMTP_OK
                     : xmtp_fail(error, XMTP_E_ARGUMENT,
                                 "an account is named eip155:CHAIN:0x and 40 hex digits");
}

/* The code in hex, as it is sent. */
static xmtp_status write_code(question *q, xmtp_error *error)
{
    xmtp_writer code;
    xmtp_writer_init(&code, &q->chains->env->alloc, REQUEST_LEN_MAX / 2);
    xmtp_status status = xmtp_node_wallet_code(q->address, q->hash, q->signature, &code);
    if (status == XMTP_OK) {
        /* One byte more for the zero of a string, which is taken off again. */
        uint8_t *hex = xmtp_writer_extend(&q->code, 2 * code.n + 1);
        if (hex != NULL) {
            xmtp_hex_encode((char *)hex, xmtp_writer_bytes(&code));
            q->code.n--;
        }
        status = xmtp_writer_status(&q->code);
    }
    xmtp_writer_free(&code);
    return status == XMTP_E_LIMIT
               ? xmtp_fail(error, XMTP_E_ARGUMENT, "a signature of %zu bytes", q->signature.n)
               : status;
}

xmtp_status xmtp_node_chains_verify(xmtp_node_chains *chains, xmtp_bytes account_id,
                                    uint64_t block_number, const uint8_t hash[32],
                                    xmtp_bytes signature, bool *is_valid, uint64_t *block_used,
                                    xmtp_error *error)
{
    question q = {.chains = chains, .block = block_number, .hash = hash, .signature = signature};
    uint8_t key[32];
    *is_valid = false;
    *block_used = 0;
    XMTP_TRY(read_account(&q, account_id, error));
    key_of(&q, key);
    if (recall(chains, key, is_valid, block_used)) {
        return XMTP_OK;
    }
    xmtp_writer_init(&q.code, &chains->env->alloc, REQUEST_LEN_MAX);
    xmtp_status status = write_code(&q, error);
    if (status == XMTP_OK) {
        status = ask_all(&q, is_valid, block_used, error);
    }
    xmtp_writer_free(&q.code);
    if (status == XMTP_OK) {
        remember(&q, key, *is_valid, *block_used);
    } else {
        *is_valid = false;
    }
    return status;
}
