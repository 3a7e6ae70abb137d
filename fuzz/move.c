/* move.c - fuzz target: the file of a move. The input is taken twice: as a whole file, and as elements
 * (u16 length, bytes) behind a head and facts that are right. */
#include "client/move.h"
#include "sealed_file.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key[XMTP_MOVE_KEY_LEN];
static const xmtp_move_secret secret = {.key = key};

static xmtp_status drop(void *context, xmtp_bytes bytes)
{
    *(uint64_t *)context += bytes.n;
    return XMTP_OK;
}

static void unpack(xmtp_bytes file)
{
    uint64_t written = 0;
    xmtp_move_facts facts;
    const xmtp_archive_source source = {.context = &file, .read = read_view};
    const xmtp_archive_sink sink = {.context = &written, .write = drop};
    if (xmtp_move_unpack(&source, &xmtp_env_system()->alloc, &secret, &sink, NULL, &facts, NULL) ==
            XMTP_OK &&
        written != facts.size) {
        abort();
    }
}

static xmtp_status put_elements(xmtp_archive_sealer *s, xmtp_bytes bytes)
{
    const xmtp_move_facts facts = {.size = bytes.n};
    XMTP_TRY(xmtp_move_facts_put(s, xmtp_env_system(), &facts));
    while (bytes.n >= 2) {
        size_t n = (size_t)bytes.p[0] << 8 | bytes.p[1];
        n = n < bytes.n - 2 ? n : bytes.n - 2;
        XMTP_TRY(xmtp_archive_sealer_put(s, xmtp_bytes_of(bytes.p + 2, n)));
        bytes = xmtp_bytes_of(bytes.p + 2 + n, bytes.n - 2 - n);
    }
    return xmtp_archive_sealer_finish(s);
}

static void as_elements(xmtp_bytes bytes)
{
    uint8_t inner[XMTP_ARCHIVE_KEY_LEN];
    xmtp_archive_sealer s;
    const xmtp_archive_sink sink = {.write = keep};
    sealed_n = 0;
    if (xmtp_move_head_put(&sink, xmtp_env_system(), &secret, inner, NULL) != XMTP_OK) {
        return;
    }
    xmtp_status status = xmtp_archive_sealer_open(&s, xmtp_env_system(), &sink, inner);
    if (status == XMTP_OK) {
        status = put_elements(&s, bytes);
    }
    xmtp_archive_sealer_free(&s);
    if (status == XMTP_OK) {
        unpack(xmtp_bytes_of(sealed, sealed_n));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unpack(xmtp_bytes_of(data, size));
    as_elements(xmtp_bytes_of(data, size));
    return 0;
}
