/* records.c - a group as small records, and back. The keys are in writes.h.
 *
 *     header = version, suite, is_active, epoch, leaf_count, own signature keys, own leaf, private
 * tree keys, confirmation_tag, interim_transcript_hash, the secrets of the epoch epoch  =
 * GroupContext<V>, sender_data_secret<V>, uint64 started_s
 *
 * A message rewrites one ratchet. A commit writes the header, the new epoch, its secret tree and
 * ratchets, the nodes it changed, and deletes the epoch that falls out.
 */
#include "mls/group.h"

#include "base/bytes.h"
#include "base/status.h"
#include "mls/kept.h"

enum {
    HEADER_VERSION = 2,
    HEADER_VERSION_WITHOUT_EXPORT = 1, /* ends before application_export, which is empty */
};

/* ---- writing ---- */

static void put_secret(xmtp_writer *w, const xmtp_secret *secret)
{
    xmtp_writer_vec(w, xmtp_secret_bytes(secret));
}

/* The secrets that the header keeps, in the order of its encoding. */
enum { HEADER_SECRETS = 8 };
static void header_secrets(xmtp_epoch_secrets *secrets, xmtp_secret *out[HEADER_SECRETS])
{
    out[0] = &secrets->exporter_secret;
    out[1] = &secrets->external_secret;
    out[2] = &secrets->confirmation_key;
    out[3] = &secrets->membership_key;
    out[4] = &secrets->resumption_psk;
    out[5] = &secrets->epoch_authenticator;
    out[6] = &secrets->init_secret;
    out[7] = &secrets->application_export; /* empty once the exporter tree exists */
}

/* Our leaf, and the keys if we still have any. */
static void put_private_keys(xmtp_writer *w, const xmtp_mls_group *group)
{
    xmtp_writer_u32(w, group->private_keys.leaf_index);
    size_t mark = xmtp_writer_vec_open(w);
    if (group->is_active) {
        xmtp_tree_private_encode(&group->private_keys, group->suite, w);
    }
    xmtp_writer_vec_close(w, mark);
}

void xmtp_records_put_header(const xmtp_mls_group *group, xmtp_mls_writes *writes)
{
    const xmtp_suite *suite = group->suite;
    xmtp_epoch_secrets secrets = group->secrets;
    xmtp_secret *kept[HEADER_SECRETS];
    xmtp_writer *w = xmtp_writes_open(writes, xmtp_record_key_header());
    xmtp_writer_u8(w, HEADER_VERSION);
    xmtp_writer_u16(w, suite->id);
    xmtp_writer_u8(w, group->is_active);
    xmtp_writer_u64(w, group->epochs[0].number);
    xmtp_writer_u32(w, group->tree.leaf_count);
    xmtp_writer_vec(w, xmtp_bytes_of(group->signature_sk, suite->signature->sk_len));
    xmtp_writer_vec(w, xmtp_bytes_of(group->signature_pk, suite->signature->pk_len));
    put_private_keys(w, group);
    xmtp_writer_vec(w, xmtp_digest_bytes(&group->confirmation_tag));
    xmtp_writer_vec(w, xmtp_digest_bytes(&group->interim_transcript_hash));
    header_secrets(&secrets, kept);
    for (size_t i = 0; i < HEADER_SECRETS; i++) {
        put_secret(w, kept[i]);
    }
    xmtp_epoch_secrets_wipe(&secrets);
    xmtp_writes_close(writes);
}

void xmtp_records_put_epoch(const xmtp_epoch *epoch, xmtp_mls_writes *writes)
{
    xmtp_writer *w =
        xmtp_writes_open(writes, xmtp_record_key_epoch(XMTP_RECORD_EPOCH, epoch->number));
    xmtp_writer_vec(w, xmtp_buffer_bytes(&epoch->context));
    put_secret(w, &epoch->sender_data_secret);
    xmtp_writer_u64(w, epoch->started_s);
    xmtp_writes_close(writes);
}

void xmtp_records_put_secret_tree(const xmtp_epoch *epoch, xmtp_mls_writes *writes)
{
    xmtp_writer *w =
        xmtp_writes_open(writes, xmtp_record_key_epoch(XMTP_RECORD_SECRET_TREE, epoch->number));
    xmtp_secret_tree_encode(&epoch->secret_tree, w);
    xmtp_writes_close(writes);
}

void xmtp_records_put_ratchet(const xmtp_suite *suite, uint64_t epoch, const xmtp_ratchet *ratchet,
                              xmtp_mls_writes *writes)
{
    xmtp_writer *w = xmtp_writes_open(
        writes, xmtp_record_key_ratchet(epoch, ratchet->leaf_index, ratchet->kind));
    xmtp_ratchet_encode(ratchet, suite, w);
    xmtp_writes_close(writes);
}

void xmtp_records_put_node(const xmtp_suite *suite, uint32_t index, const xmtp_node *node,
                           xmtp_mls_writes *writes)
{
    if (node->kind == XMTP_NODE_BLANK) {
        xmtp_writes_delete(writes, xmtp_record_key_node(index));
        return;
    }
    xmtp_writer *w = xmtp_writes_open(writes, xmtp_record_key_node(index));
    xmtp_tree_record_encode(node, suite, w);
    xmtp_writes_close(writes);
}

void xmtp_records_put_proposal(const xmtp_kept_proposal *kept, xmtp_mls_writes *writes)
{
    xmtp_writer *w = xmtp_writes_open(writes, xmtp_record_key_proposal(kept->number));
    xmtp_writer_vec(w, xmtp_buffer_bytes(&kept->content));
    xmtp_writer_vec(w, xmtp_buffer_bytes(&kept->update_sk));
    xmtp_writes_close(writes);
}

void xmtp_records_put_resumption(const xmtp_resumption *resumption, xmtp_mls_writes *writes)
{
    xmtp_writer *w =
        xmtp_writes_open(writes, xmtp_record_key_epoch(XMTP_RECORD_RESUMPTION, resumption->epoch));
    put_secret(w, &resumption->secret);
    xmtp_writes_close(writes);
}

void xmtp_records_put_reinit(const xmtp_mls_group *group, xmtp_mls_writes *writes)
{
    xmtp_writer *w = xmtp_writes_open(writes, xmtp_record_key_reinit());
    xmtp_writer_put(w, xmtp_buffer_bytes(&group->reinit));
    xmtp_writes_close(writes);
}

void xmtp_records_put_exporter_tree(const xmtp_secret_tree *tree, xmtp_mls_writes *writes)
{
    xmtp_writer *w = xmtp_writes_open(writes, xmtp_record_key_exporter());
    xmtp_secret_tree_encode(tree, w);
    xmtp_writes_close(writes);
}

static void put_extras(const xmtp_mls_group *group, xmtp_mls_writes *writes)
{
    for (uint32_t i = 0; i < group->kept_count; i++) {
        xmtp_records_put_proposal(&group->kept[i], writes);
    }
    for (uint32_t i = 0; i < group->resumption_count; i++) {
        xmtp_records_put_resumption(&group->resumption[i], writes);
    }
    if (group->reinit.n > 0) {
        xmtp_records_put_reinit(group, writes);
    }
    if (group->exporter_tree.suite != NULL) {
        xmtp_records_put_exporter_tree(&group->exporter_tree, writes);
    }
}

void xmtp_records_put_all(const xmtp_mls_group *group, xmtp_mls_writes *writes)
{
    const xmtp_epoch *epoch = &group->epochs[0];
    xmtp_records_put_header(group, writes);
    xmtp_records_put_epoch(epoch, writes);
    xmtp_records_put_secret_tree(epoch, writes);
    for (uint32_t i = 0; i < epoch->secret_tree.ratchet_count; i++) {
        xmtp_records_put_ratchet(group->suite, epoch->number, &epoch->secret_tree.ratchets[i],
                                 writes);
    }
    for (uint32_t i = 0; i < xmtp_node_count(group->tree.leaf_count); i++) {
        const xmtp_node *node = xmtp_tree_node(&group->tree, i);
        if (node->kind != XMTP_NODE_BLANK) {
            xmtp_records_put_node(group->suite, i, node, writes);
        }
    }
    put_extras(group, writes);
}

void xmtp_records_delete_epoch(const xmtp_epoch *epoch, xmtp_mls_writes *writes)
{
    for (uint32_t i = 0; i < epoch->secret_tree.ratchet_count; i++) {
        const xmtp_ratchet *ratchet = &epoch->secret_tree.ratchets[i];
        xmtp_writes_delete(
            writes, xmtp_record_key_ratchet(epoch->number, ratchet->leaf_index, ratchet->kind));
    }
    xmtp_writes_delete(writes, xmtp_record_key_epoch(XMTP_RECORD_SECRET_TREE, epoch->number));
    xmtp_writes_delete(writes, xmtp_record_key_epoch(XMTP_RECORD_LEAVES, epoch->number));
    xmtp_writes_delete(writes, xmtp_record_key_epoch(XMTP_RECORD_EPOCH, epoch->number));
}

/* ---- loading ----
 *
 * In five rounds over the records: header, nodes, epochs, secret trees, then what belongs to them.
 */

typedef struct loader {
    const xmtp_mls_config *config;
    xmtp_error *error;
    xmtp_mls_group *group;
    uint64_t epoch; /* of the header */
} loader;

/* The epochs of a group sit newest first. Those that an earlier configuration with a larger
 * past_epochs_max left behind are not loaded, and deleted by the next xmtp_group_expire. */
static xmtp_status epoch_place(loader *l, uint64_t number, xmtp_epoch **out)
{
    *out = NULL;
    XMTP_ENSURE(number <= l->epoch, XMTP_E_CORRUPT);
    uint64_t back = l->epoch - number;
    if (back <= l->group->config.past_epochs_max) {
        *out = &l->group->epochs[back];
    }
    return XMTP_OK;
}

static xmtp_status read_digest(xmtp_reader *r, xmtp_digest *out)
{
    xmtp_bytes view;
    XMTP_TRY(xmtp_reader_vec(r, &view));
    XMTP_ENSURE(view.n <= sizeof out->p, XMTP_E_CORRUPT);
    out->n = view.n;
    xmtp_copy(out->p, view.p, view.n);
    return XMTP_OK;
}

static xmtp_status read_secret(xmtp_reader *r, xmtp_secret *out)
{
    xmtp_bytes view;
    XMTP_TRY(xmtp_reader_vec(r, &view));
    XMTP_ENSURE(view.n <= sizeof out->p, XMTP_E_CORRUPT);
    out->n = view.n;
    xmtp_copy(out->p, view.p, view.n);
    return XMTP_OK;
}

static xmtp_status read_private_keys(xmtp_reader *r, xmtp_mls_group *group)
{
    uint32_t own_leaf;
    xmtp_bytes keys;
    XMTP_TRY(xmtp_reader_u32(r, &own_leaf));
    XMTP_TRY(xmtp_reader_vec(r, &keys));
    if (!group->is_active) {
        XMTP_ENSURE(keys.n == 0, XMTP_E_CORRUPT);
        group->private_keys.leaf_index = own_leaf;
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_tree_private_decode(keys, group->suite, &group->private_keys));
    XMTP_ENSURE(group->private_keys.leaf_index == own_leaf, XMTP_E_CORRUPT);
    return XMTP_OK;
}

static xmtp_status read_header_body(loader *l, uint8_t version, xmtp_reader *r)
{
    const size_t secret_count =
        version == HEADER_VERSION_WITHOUT_EXPORT ? HEADER_SECRETS - 1 : HEADER_SECRETS;
    xmtp_mls_group *group = l->group;
    const xmtp_suite *suite = group->suite;
    uint32_t leaf_count;
    xmtp_secret *kept[HEADER_SECRETS];
    XMTP_TRY(xmtp_reader_u64(r, &l->epoch));
    XMTP_TRY(xmtp_reader_u32(r, &leaf_count));
    XMTP_TRY(xmtp_tree_load_begin(&group->tree, leaf_count));
    XMTP_TRY(xmtp_reader_vec_exact(r, group->signature_sk, suite->signature->sk_len));
    XMTP_TRY(xmtp_reader_vec_exact(r, group->signature_pk, suite->signature->pk_len));
    XMTP_TRY(read_private_keys(r, group));
    XMTP_TRY(read_digest(r, &group->confirmation_tag));
    XMTP_TRY(read_digest(r, &group->interim_transcript_hash));
    header_secrets(&group->secrets, kept);
    for (size_t i = 0; i < secret_count; i++) {
        XMTP_TRY(read_secret(r, kept[i]));
    }
    return xmtp_reader_end(r);
}

static xmtp_status visit_header(void *visitor, xmtp_bytes key, xmtp_bytes value)
{
    loader *l = visitor;
    xmtp_reader r = xmtp_reader_of(value);
    uint8_t version, is_active;
    uint16_t suite_id;
    XMTP_ENSURE(key.n == 1 && l->group == NULL, XMTP_E_CORRUPT);
    XMTP_TRY(xmtp_reader_u8(&r, &version));
    XMTP_ENSURE(version >= HEADER_VERSION_WITHOUT_EXPORT && version <= HEADER_VERSION,
                XMTP_E_CORRUPT);
    XMTP_TRY(xmtp_reader_u16(&r, &suite_id));
    XMTP_TRY(xmtp_reader_u8(&r, &is_active));
    const xmtp_suite *suite = xmtp_suite_by_id(suite_id);
    XMTP_ENSURE(suite != NULL && is_active <= 1, XMTP_E_CORRUPT);
    XMTP_TRY(xmtp_group_new(&l->group, l->config, suite, l->error));
    l->group->is_active = is_active == 1;
    return read_header_body(l, version, &r);
}

static xmtp_status visit_node(void *visitor, xmtp_bytes key, xmtp_bytes value)
{
    loader *l = visitor;
    xmtp_reader r = xmtp_reader_of(key);
    uint8_t type;
    uint32_t node;
    XMTP_TRY(xmtp_reader_u8(&r, &type));
    XMTP_TRY(xmtp_reader_u32(&r, &node));
    XMTP_TRY(xmtp_reader_end(&r));
    return xmtp_tree_load_node(&l->group->tree, node, value);
}

static xmtp_status key_epoch(loader *l, xmtp_reader *r, xmtp_epoch **out, uint64_t *number)
{
    uint8_t type;
    XMTP_TRY(xmtp_reader_u8(r, &type));
    XMTP_TRY(xmtp_reader_u64(r, number));
    return epoch_place(l, *number, out);
}

static xmtp_status visit_epoch(void *visitor, xmtp_bytes key, xmtp_bytes value)
{
    loader *l = visitor;
    xmtp_reader k = xmtp_reader_of(key);
    xmtp_reader r = xmtp_reader_of(value);
    xmtp_epoch *epoch;
    uint64_t number;
    xmtp_bytes context;
    XMTP_TRY(key_epoch(l, &k, &epoch, &number));
    XMTP_TRY(xmtp_reader_end(&k));
    if (epoch == NULL) {
        return xmtp_group_note_stale(l->group, key);
    }
    XMTP_ENSURE(epoch->context.p == NULL, XMTP_E_CORRUPT);
    XMTP_TRY(xmtp_reader_vec(&r, &context));
    XMTP_ENSURE(context.n > 0, XMTP_E_CORRUPT);
    XMTP_TRY(read_secret(&r, &epoch->sender_data_secret));
    if (r.n > 0) { /* the first version ends here */
        XMTP_TRY(xmtp_reader_u64(&r, &epoch->started_s));
    }
    XMTP_TRY(xmtp_reader_end(&r));
    epoch->number = number;
    return xmtp_buffer_copy(l->group->alloc, context, &epoch->context);
}

static xmtp_status visit_secret_tree(void *visitor, xmtp_bytes key, xmtp_bytes value)
{
    loader *l = visitor;
    xmtp_reader k = xmtp_reader_of(key);
    xmtp_epoch *epoch;
    uint64_t number;
    XMTP_TRY(key_epoch(l, &k, &epoch, &number));
    XMTP_TRY(xmtp_reader_end(&k));
    if (epoch == NULL) {
        return xmtp_group_note_stale(l->group, key);
    }
    XMTP_ENSURE(epoch->context.p != NULL && epoch->secret_tree.suite == NULL, XMTP_E_CORRUPT);
    return xmtp_secret_tree_decode(&epoch->secret_tree, l->group->suite, l->group->alloc, value);
}

static xmtp_status visit_ratchet(void *visitor, xmtp_bytes key, xmtp_bytes value)
{
    loader *l = visitor;
    xmtp_reader k = xmtp_reader_of(key);
    xmtp_epoch *epoch;
    uint64_t number;
    uint32_t leaf_index;
    uint8_t kind;
    XMTP_TRY(key_epoch(l, &k, &epoch, &number));
    XMTP_TRY(xmtp_reader_u32(&k, &leaf_index));
    XMTP_TRY(xmtp_reader_u8(&k, &kind));
    XMTP_TRY(xmtp_reader_end(&k));
    if (epoch == NULL) {
        return xmtp_group_note_stale(l->group, key);
    }
    XMTP_ENSURE(epoch->secret_tree.suite != NULL && kind <= XMTP_RATCHET_APPLICATION,
                XMTP_E_CORRUPT);
    return xmtp_secret_tree_load_ratchet(&epoch->secret_tree, leaf_index, (xmtp_ratchet_kind)kind,
                                         value);
}

/* Each entry is read once here, so that reading them later cannot fail. */
static xmtp_status check_leaves(xmtp_bytes value)
{
    xmtp_reader r = xmtp_reader_of(value);
    while (r.n > 0) {
        uint32_t leaf_index;
        xmtp_bytes raw;
        xmtp_leaf_node leaf;
        XMTP_TRY(xmtp_reader_u32(&r, &leaf_index));
        XMTP_TRY(xmtp_reader_vec(&r, &raw));
        if (raw.n > 0) {
            XMTP_TRY(xmtp_leaf_node_of(raw, &leaf));
        }
    }
    return XMTP_OK;
}

static xmtp_status visit_leaves(void *visitor, xmtp_bytes key, xmtp_bytes value)
{
    loader *l = visitor;
    xmtp_reader k = xmtp_reader_of(key);
    xmtp_epoch *epoch;
    uint64_t number;
    XMTP_TRY(key_epoch(l, &k, &epoch, &number));
    XMTP_TRY(xmtp_reader_end(&k));
    if (epoch == NULL) {
        return xmtp_group_note_stale(l->group, key);
    }
    XMTP_ENSURE(epoch->context.p != NULL && epoch->leaves_before.p == NULL, XMTP_E_CORRUPT);
    XMTP_TRY(check_leaves(value));
    return xmtp_buffer_copy(l->group->alloc, value, &epoch->leaves_before);
}

static xmtp_status visit_proposal(void *visitor, xmtp_bytes key, xmtp_bytes value)
{
    loader *l = visitor;
    xmtp_reader k = xmtp_reader_of(key);
    xmtp_reader r = xmtp_reader_of(value);
    uint8_t type;
    uint32_t number;
    xmtp_bytes content, update_sk;
    XMTP_TRY(xmtp_reader_u8(&k, &type));
    XMTP_TRY(xmtp_reader_u32(&k, &number));
    XMTP_TRY(xmtp_reader_end(&k));
    XMTP_TRY(xmtp_reader_vec(&r, &content));
    XMTP_TRY(xmtp_reader_vec(&r, &update_sk));
    XMTP_TRY(xmtp_reader_end(&r));
    XMTP_ENSURE(update_sk.n == 0 || update_sk.n == l->group->suite->kem->sk_len, XMTP_E_CORRUPT);
    return xmtp_kept_load(l->group, number, content, update_sk);
}

/* With fewer places than records the newest stay. */
static xmtp_status visit_resumption(void *visitor, xmtp_bytes key, xmtp_bytes value)
{
    loader *l = visitor;
    xmtp_reader k = xmtp_reader_of(key);
    xmtp_reader r = xmtp_reader_of(value);
    xmtp_mls_group *group = l->group;
    uint8_t type;
    xmtp_resumption item = {0};
    uint64_t dropped;
    bool has_dropped;
    XMTP_TRY(xmtp_reader_u8(&k, &type));
    XMTP_TRY(xmtp_reader_u64(&k, &item.epoch));
    XMTP_TRY(xmtp_reader_end(&k));
    XMTP_TRY(read_secret(&r, &item.secret));
    XMTP_TRY(xmtp_reader_end(&r));
    XMTP_ENSURE(item.epoch < l->epoch, XMTP_E_CORRUPT);
    const uint32_t places = group->config.resumption_psks_max;
    bool is_full = group->resumption_count == places;
    if (places == 0 || (is_full && group->resumption[0].epoch > item.epoch)) {
        xmtp_secret_wipe(&item.secret);
        return xmtp_group_note_stale(group, key);
    }
    xmtp_status status =
        xmtp_resumption_add(group, item.epoch, &item.secret, &dropped, &has_dropped);
    xmtp_secret_wipe(&item.secret);
    if (status == XMTP_OK && has_dropped) {
        const xmtp_record_key gone = xmtp_record_key_epoch(XMTP_RECORD_RESUMPTION, dropped);
        status = xmtp_group_note_stale(group, xmtp_record_key_bytes(&gone));
    }
    return status;
}

static xmtp_status visit_reinit(void *visitor, xmtp_bytes key, xmtp_bytes value)
{
    loader *l = visitor;
    XMTP_ENSURE(key.n == 1 && l->group->reinit.n == 0 && value.n > 0, XMTP_E_CORRUPT);
    return xmtp_buffer_copy(l->group->alloc, value, &l->group->reinit);
}

static xmtp_status visit_exporter(void *visitor, xmtp_bytes key, xmtp_bytes value)
{
    loader *l = visitor;
    xmtp_mls_group *group = l->group;
    XMTP_ENSURE(key.n == 1 && group->exporter_tree.suite == NULL, XMTP_E_CORRUPT);
    XMTP_TRY(xmtp_secret_tree_decode(&group->exporter_tree, group->suite, group->alloc, value));
    XMTP_ENSURE(group->exporter_tree.leaf_count == XMTP_MLS_EXPORTER_LEAVES, XMTP_E_CORRUPT);
    return XMTP_OK;
}

/* Epochs are there without a gap, from the current one back. */
static xmtp_status count_epochs(xmtp_mls_group *group)
{
    uint32_t places = group->config.past_epochs_max + 1;
    while (group->epoch_count < places && group->epochs[group->epoch_count].context.p != NULL) {
        const xmtp_epoch *epoch = &group->epochs[group->epoch_count++];
        bool has_keys = epoch->secret_tree.suite != NULL;
        XMTP_ENSURE(has_keys == group->is_active, XMTP_E_CORRUPT);
    }
    XMTP_ENSURE(group->epoch_count > 0, XMTP_E_CORRUPT);
    for (uint32_t i = group->epoch_count; i < places; i++) {
        XMTP_ENSURE(group->epochs[i].context.p == NULL, XMTP_E_CORRUPT);
    }
    return XMTP_OK;
}

static xmtp_status check_loaded(const loader *l)
{
    const xmtp_mls_group *group = l->group;
    XMTP_ENSURE(group->context.epoch == l->epoch, XMTP_E_CORRUPT);
    XMTP_ENSURE(group->context.cipher_suite == group->suite->id, XMTP_E_CORRUPT);
    if (!group->is_active) {
        return XMTP_OK;
    }
    uint32_t own = group->private_keys.leaf_index;
    XMTP_ENSURE(group->epochs[0].secret_tree.leaf_count == group->tree.leaf_count, XMTP_E_CORRUPT);
    XMTP_ENSURE(
        xmtp_bytes_equal(xmtp_tree_signature_key(&group->tree, own),
                         xmtp_bytes_of(group->signature_pk, group->suite->signature->pk_len)),
        XMTP_E_CORRUPT);
    return XMTP_OK;
}

static xmtp_status load(loader *l, const xmtp_mls_records *records)
{
    static const struct {
        char type;
        xmtp_status (*visit)(void *visitor, xmtp_bytes key, xmtp_bytes value);
    } rounds[] = {
        {XMTP_RECORD_HEADER, visit_header},     {XMTP_RECORD_NODE, visit_node},
        {XMTP_RECORD_EPOCH, visit_epoch},       {XMTP_RECORD_SECRET_TREE, visit_secret_tree},
        {XMTP_RECORD_RATCHET, visit_ratchet},   {XMTP_RECORD_LEAVES, visit_leaves},
        {XMTP_RECORD_PROPOSAL, visit_proposal}, {XMTP_RECORD_RESUMPTION, visit_resumption},
        {XMTP_RECORD_REINIT, visit_reinit},     {XMTP_RECORD_EXPORTER, visit_exporter},
    };
    for (size_t i = 0; i < sizeof rounds / sizeof rounds[0]; i++) {
        xmtp_bytes prefix = xmtp_bytes_of(&rounds[i].type, 1);
        XMTP_TRY(records->each(records->context, prefix, l, rounds[i].visit));
        if (l->group == NULL) {
            return xmtp_fail(l->error, XMTP_E_NOT_FOUND, "no header record");
        }
    }
    XMTP_TRY(xmtp_tree_load_end(&l->group->tree));
    XMTP_TRY(count_epochs(l->group));
    XMTP_ENSURE(xmtp_group_set_context(l->group) == XMTP_OK, XMTP_E_CORRUPT);
    return check_loaded(l);
}

/* What a damaged value looks like to the parsers becomes one answer for the caller. */
static xmtp_status as_corrupt(xmtp_status status)
{
    switch ((int)status) {
    case XMTP_OK:
    case XMTP_E_NOMEM:
    case XMTP_E_NOT_FOUND:
    case XMTP_E_ARGUMENT:
    case XMTP_E_DATABASE:
    case XMTP_E_IO:
        return status;
    default:
        return XMTP_E_CORRUPT;
    }
}

xmtp_status xmtp_mls_group_load(xmtp_mls_group **out, const xmtp_mls_config *config,
                                const xmtp_mls_records *records, xmtp_error *error)
{
    loader l = {.config = config, .error = error};
    *out = NULL;
    xmtp_status status = as_corrupt(load(&l, records));
    if (status != XMTP_OK) {
        if (l.group != NULL) { /* epochs that were read are not counted yet */
            l.group->epoch_count = l.group->config.past_epochs_max + 1;
        }
        xmtp_mls_group_free(l.group);
        return xmtp_fail_default(error, status, "loading a group from its records");
    }
    *out = l.group;
    return XMTP_OK;
}
