/* writes.c - xmtp_mls_writes: an array of entries over one buffer of values.
 *
 *     entries  { key, value_at, value_len, is_delete } ...
 *     values   |value 0|value 1|...                        wiped when cleared: values hold secrets
 */
#include "mls/writes.h"

#include "base/bytes.h"
#include "base/status.h"

typedef struct entry {
    xmtp_record_key key;
    bool is_delete;
    size_t value_at;
    size_t value_len;
} entry;

struct xmtp_mls_writes {
    const xmtp_alloc *alloc;
    entry *entries;
    size_t count;
    size_t capacity;
    xmtp_writer values;
    xmtp_status status;
};

xmtp_status xmtp_mls_writes_new(xmtp_mls_writes **out, const xmtp_env *env)
{
    *out = NULL;
    xmtp_mls_writes *writes = env->alloc.reallocate(env->alloc.context, NULL, sizeof *writes);
    XMTP_ENSURE(writes != NULL, XMTP_E_NOMEM);
    *writes = (xmtp_mls_writes){.alloc = &env->alloc};
    xmtp_writer_init(&writes->values, writes->alloc, XMTP_WRITER_MAX);
    *out = writes;
    return XMTP_OK;
}

void xmtp_mls_writes_free(xmtp_mls_writes *writes)
{
    if (writes == NULL) {
        return;
    }
    xmtp_writer_free(&writes->values);
    writes->alloc->reallocate(writes->alloc->context, writes->entries, 0);
    writes->alloc->reallocate(writes->alloc->context, writes, 0);
}

void xmtp_mls_writes_clear(xmtp_mls_writes *writes)
{
    xmtp_writer_clear(&writes->values);
    writes->count = 0;
    writes->status = XMTP_OK;
}

size_t xmtp_mls_writes_count(const xmtp_mls_writes *writes)
{
    return writes->count;
}

xmtp_mls_write xmtp_mls_writes_at(const xmtp_mls_writes *writes, size_t index)
{
    const entry *e = &writes->entries[index];
    return (xmtp_mls_write){
        .key = xmtp_record_key_bytes(&e->key),
        .value = e->is_delete ? (xmtp_bytes){0}
                              : xmtp_bytes_of(writes->values.p + e->value_at, e->value_len),
        .is_delete = e->is_delete};
}

/* ---- keys ---- */

static void key_number(xmtp_record_key *key, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        key->p[key->n++] = (uint8_t)(value >> (8 * (size - 1 - i)));
    }
}

static xmtp_record_key key_of(char type)
{
    return (xmtp_record_key){.n = 1, .p = {(uint8_t)type}};
}

xmtp_record_key xmtp_record_key_header(void)
{
    return key_of(XMTP_RECORD_HEADER);
}

xmtp_record_key xmtp_record_key_reinit(void)
{
    return key_of(XMTP_RECORD_REINIT);
}

xmtp_record_key xmtp_record_key_exporter(void)
{
    return key_of(XMTP_RECORD_EXPORTER);
}

xmtp_record_key xmtp_record_key_proposal(uint32_t number)
{
    xmtp_record_key key = key_of(XMTP_RECORD_PROPOSAL);
    key_number(&key, number, 4);
    return key;
}

xmtp_record_key xmtp_record_key_node(uint32_t node)
{
    xmtp_record_key key = key_of(XMTP_RECORD_NODE);
    key_number(&key, node, 4);
    return key;
}

xmtp_record_key xmtp_record_key_epoch(char type, uint64_t epoch)
{
    xmtp_record_key key = key_of(type);
    key_number(&key, epoch, 8);
    return key;
}

xmtp_record_key xmtp_record_key_ratchet(uint64_t epoch, uint32_t leaf_index, uint8_t kind)
{
    xmtp_record_key key = xmtp_record_key_epoch(XMTP_RECORD_RATCHET, epoch);
    key_number(&key, leaf_index, 4);
    key_number(&key, kind, 1);
    return key;
}

/* ---- appending ---- */

static xmtp_status grow(xmtp_mls_writes *writes)
{
    if (writes->count < writes->capacity) {
        return XMTP_OK;
    }
    size_t capacity = writes->capacity == 0 ? 16 : 2 * writes->capacity;
    entry *entries = writes->alloc->reallocate(writes->alloc->context, writes->entries,
                                               capacity * sizeof *entries);
    XMTP_ENSURE(entries != NULL, XMTP_E_NOMEM);
    writes->entries = entries;
    writes->capacity = capacity;
    return XMTP_OK;
}

static void append(xmtp_mls_writes *writes, xmtp_record_key key, bool is_delete)
{
    if (writes->status == XMTP_OK) {
        writes->status = grow(writes);
    }
    if (writes->status == XMTP_OK) {
        writes->entries[writes->count++] = (entry){
            .key = key, .is_delete = is_delete, .value_at = xmtp_writer_bytes(&writes->values).n};
    }
}

xmtp_writer *xmtp_writes_open(xmtp_mls_writes *writes, xmtp_record_key key)
{
    append(writes, key, false);
    return &writes->values;
}

void xmtp_writes_close(xmtp_mls_writes *writes)
{
    if (writes->status == XMTP_OK) {
        writes->status = xmtp_writer_status(&writes->values);
    }
    if (writes->status == XMTP_OK) {
        entry *e = &writes->entries[writes->count - 1];
        e->value_len = xmtp_writer_bytes(&writes->values).n - e->value_at;
    }
}

void xmtp_writes_delete(xmtp_mls_writes *writes, xmtp_record_key key)
{
    append(writes, key, true);
}

xmtp_status xmtp_writes_status(const xmtp_mls_writes *writes)
{
    return writes->status;
}

size_t xmtp_writes_mark(const xmtp_mls_writes *writes)
{
    return writes->count;
}

void xmtp_writes_rollback(xmtp_mls_writes *writes, size_t mark)
{
    /* Bytes of the values that were cut stay in the buffer, unreachable, until it is cleared. */
    writes->count = mark;
    writes->status = XMTP_OK;
    if (xmtp_writer_status(&writes->values) != XMTP_OK) {
        writes->values.status = XMTP_OK;
    }
}
