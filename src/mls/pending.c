/* pending.c - own commits: kept, stored, and followed when they come back.
 *
 *     encoded = version, suite, epoch, AuthenticatedContent<V>, commit_secret<V>, private keys<V>,
 *               message<V>, welcome<V>, psk_secret<V>
 *
 * In the short form content, message and welcome are empty: all that is long and none of it a secret.
 *
 * Not the state after the commit is stored but what it takes to compute it again, so that a commit
 * that lost its race costs nothing but these bytes.
 */
#include "mls/pending.h"

#include "base/bytes.h"
#include "base/status.h"
#include "mls/stage.h"

#include <inttypes.h>

enum {
    PENDING_VERSION = 2,
    PENDING_VERSION_WITHOUT_PSK = 1, /* ends before psk_secret, which is zeros */
};

xmtp_status xmtp_pending_new(xmtp_mls_pending **out, const xmtp_mls_group *group)
{
    xmtp_mls_pending *pending =
        group->alloc->reallocate(group->alloc->context, NULL, sizeof *pending);
    XMTP_ENSURE(pending != NULL, XMTP_E_NOMEM);
    *pending = (xmtp_mls_pending){
        .alloc = group->alloc, .suite = group->suite, .epoch = group->context.epoch};
    *out = pending;
    return XMTP_OK;
}

/* The interim hash covers all commits up to here with their tags, hence tree, extensions and
 * members. */
void xmtp_pending_set_fresh(xmtp_mls_pending *pending, const xmtp_mls_group *group)
{
    pending->is_fresh = true;
    pending->made_from = group->interim_transcript_hash;
}

static bool is_fresh_for(const xmtp_mls_pending *pending, const xmtp_mls_group *group)
{
    return pending->is_fresh &&
           xmtp_bytes_equal(xmtp_digest_bytes(&pending->made_from),
                            xmtp_digest_bytes(&group->interim_transcript_hash));
}

void xmtp_mls_pending_free(xmtp_mls_pending *pending)
{
    if (pending == NULL) {
        return;
    }
    const xmtp_alloc *alloc = pending->alloc;
    xmtp_buffer_free(alloc, &pending->authenticated_content);
    xmtp_buffer_free(alloc, &pending->message);
    xmtp_buffer_free(alloc, &pending->welcome);
    xmtp_wipe(pending, sizeof *pending);
    alloc->reallocate(alloc->context, pending, 0);
}

xmtp_bytes xmtp_mls_pending_message(const xmtp_mls_pending *pending)
{
    return xmtp_buffer_bytes(&pending->message);
}

xmtp_bytes xmtp_mls_pending_welcome(const xmtp_mls_pending *pending)
{
    return xmtp_buffer_bytes(&pending->welcome);
}

xmtp_bytes xmtp_mls_pending_content(const xmtp_mls_pending *pending)
{
    return xmtp_buffer_bytes(&pending->authenticated_content);
}

bool xmtp_mls_pending_is(const xmtp_mls_pending *pending, xmtp_bytes message)
{
    return xmtp_bytes_equal(xmtp_buffer_bytes(&pending->message), message);
}

uint64_t xmtp_mls_pending_epoch(const xmtp_mls_pending *pending)
{
    return pending->epoch;
}

/* ---- to and from bytes ---- */

static xmtp_status encode(const xmtp_mls_pending *pending, bool is_short, uint8_t **out,
                          size_t *out_len)
{
    static const xmtp_bytes nothing;
    xmtp_writer w;
    *out = NULL;
    *out_len = 0;
    xmtp_writer_init(&w, pending->alloc, XMTP_WRITER_MAX);
    xmtp_writer_u8(&w, PENDING_VERSION);
    xmtp_writer_u16(&w, pending->suite->id);
    xmtp_writer_u64(&w, pending->epoch);
    xmtp_writer_vec(&w, is_short ? nothing : xmtp_mls_pending_content(pending));
    xmtp_writer_vec(&w, xmtp_secret_bytes(&pending->commit_secret));
    size_t mark = xmtp_writer_vec_open(&w);
    xmtp_tree_private_encode(&pending->private_keys, pending->suite, &w);
    xmtp_writer_vec_close(&w, mark);
    xmtp_writer_vec(&w, is_short ? nothing : xmtp_mls_pending_message(pending));
    xmtp_writer_vec(&w, is_short ? nothing : xmtp_mls_pending_welcome(pending));
    xmtp_writer_vec(&w, xmtp_secret_bytes(&pending->psk_secret));
    xmtp_status status = xmtp_writer_status(&w);
    if (status == XMTP_OK) {
        status = xmtp_writer_detach(&w, out, out_len);
    }
    xmtp_writer_free(&w);
    return status;
}

xmtp_status xmtp_mls_pending_encode(const xmtp_mls_pending *pending, uint8_t **out, size_t *out_len)
{
    return encode(pending, false, out, out_len);
}

xmtp_status xmtp_mls_pending_encode_short(const xmtp_mls_pending *pending, uint8_t **out,
                                          size_t *out_len)
{
    return encode(pending, true, out, out_len);
}

static xmtp_status read_buffer(xmtp_reader *r, const xmtp_alloc *alloc, xmtp_buffer *out)
{
    xmtp_bytes view;
    XMTP_TRY(xmtp_reader_vec(r, &view));
    return xmtp_buffer_copy(alloc, view, out);
}

static xmtp_status check_epoch(const xmtp_mls_group *group, uint64_t epoch, xmtp_error *error)
{
    uint64_t current = group->context.epoch;
    if (epoch != current) {
        return xmtp_fail(error, epoch < current ? XMTP_E_EPOCH_OLD : XMTP_E_EPOCH_FUTURE,
                         "own commit was made in epoch %" PRIu64 ", group is at %" PRIu64, epoch,
                         current);
    }
    return XMTP_OK;
}

static xmtp_status read_body(xmtp_mls_pending *pending, uint8_t version, xmtp_bytes kept_apart,
                             xmtp_reader *r)
{
    xmtp_bytes private_keys;
    xmtp_bytes content;
    XMTP_TRY(xmtp_reader_vec(r, &content));
    XMTP_TRY(xmtp_buffer_copy(pending->alloc, content.n > 0 ? content : kept_apart,
                              &pending->authenticated_content));
    pending->commit_secret.n = pending->suite->hash->len;
    XMTP_TRY(xmtp_reader_vec_exact(r, pending->commit_secret.p, pending->commit_secret.n));
    XMTP_TRY(xmtp_reader_vec(r, &private_keys));
    XMTP_TRY(xmtp_tree_private_decode(private_keys, pending->suite, &pending->private_keys));
    XMTP_TRY(read_buffer(r, pending->alloc, &pending->message));
    XMTP_TRY(read_buffer(r, pending->alloc, &pending->welcome));
    pending->psk_secret = (xmtp_secret){.n = pending->suite->hash->len};
    if (version != PENDING_VERSION_WITHOUT_PSK) {
        XMTP_TRY(xmtp_reader_vec_exact(r, pending->psk_secret.p, pending->psk_secret.n));
    }
    return xmtp_reader_end(r);
}

static xmtp_status decode(xmtp_mls_pending **out, const xmtp_mls_group *group, xmtp_bytes encoded,
                          xmtp_bytes content, xmtp_error *error)
{
    xmtp_reader r = xmtp_reader_of(encoded);
    uint8_t version;
    uint16_t suite_id;
    uint64_t epoch;
    XMTP_TRY(xmtp_reader_u8(&r, &version));
    XMTP_TRY(xmtp_reader_u16(&r, &suite_id));
    XMTP_TRY(xmtp_reader_u64(&r, &epoch));
    XMTP_ENSURE(version >= PENDING_VERSION_WITHOUT_PSK && version <= PENDING_VERSION,
                XMTP_E_CORRUPT);
    XMTP_ENSURE(suite_id == group->suite->id, XMTP_E_CORRUPT);
    XMTP_TRY(check_epoch(group, epoch, error));
    XMTP_TRY(xmtp_pending_new(out, group));
    return read_body(*out, version, content, &r);
}

static xmtp_status as_corrupt(xmtp_status status)
{
    bool is_damage = status == XMTP_E_TRUNCATED || status == XMTP_E_MALFORMED ||
                     status == XMTP_E_TRAILING || status == XMTP_E_LENGTH;
    return is_damage ? XMTP_E_CORRUPT : status;
}

xmtp_status xmtp_mls_pending_decode_short(xmtp_mls_pending **out, const xmtp_mls_group *group,
                                          xmtp_bytes encoded, xmtp_bytes content, xmtp_error *error)
{
    xmtp_mls_pending *pending = NULL;
    *out = NULL;
    xmtp_status status = as_corrupt(decode(&pending, group, encoded, content, error));
    if (status != XMTP_OK) {
        xmtp_mls_pending_free(pending);
        return xmtp_fail_default(error, status, "reading a pending commit");
    }
    *out = pending;
    return XMTP_OK;
}

xmtp_status xmtp_mls_pending_decode(xmtp_mls_pending **out, const xmtp_mls_group *group,
                                    xmtp_bytes encoded, xmtp_error *error)
{
    return xmtp_mls_pending_decode_short(out, group, encoded, (xmtp_bytes){0}, error);
}

/* ---- coming back ---- */

static xmtp_status check_content(const xmtp_mls_group *group,
                                 const xmtp_authenticated_content *content, bool is_fresh,
                                 xmtp_error *error)
{
    const xmtp_framed_content *framed = &content->content;
    if (!xmtp_bytes_equal(framed->group_id, group->context.group_id)) {
        return xmtp_fail(error, XMTP_E_GROUP_ID, "own commit is for another group");
    }
    XMTP_TRY(check_epoch(group, framed->epoch, error));
    XMTP_ENSURE(framed->content.type == XMTP_CONTENT_COMMIT, XMTP_E_CORRUPT);
    XMTP_ENSURE(framed->sender.type == XMTP_SENDER_MEMBER, XMTP_E_CORRUPT);
    XMTP_ENSURE(framed->sender.index == group->private_keys.leaf_index, XMTP_E_CORRUPT);
    if (is_fresh) {
        return XMTP_OK;
    }
    return xmtp_framing_verify(group->suite,
                               xmtp_bytes_of(group->signature_pk, group->suite->signature->pk_len),
                               content, group->context.raw, group->scratch);
}

static xmtp_status stage(xmtp_mls_staged *staged, const xmtp_mls_pending *pending,
                         xmtp_error *error)
{
    const xmtp_mls_group *group = staged->group;
    xmtp_authenticated_content *content;
    xmtp_bytes bytes;
    XMTP_TRY(check_epoch(group, pending->epoch, error));
    XMTP_TRY(xmtp_arena_copy(&staged->arena, xmtp_buffer_bytes(&pending->authenticated_content),
                             &bytes));
    XMTP_TRY(xmtp_arena_take(&staged->arena, sizeof *content, (void **)&content));
    xmtp_reader r = xmtp_reader_of(bytes);
    XMTP_TRY(xmtp_authenticated_content_decode(&r, &staged->arena, content));
    XMTP_TRY(xmtp_reader_end(&r));
    const bool is_fresh = is_fresh_for(pending, group);
    XMTP_TRY(check_content(group, content, is_fresh, error));

    staged->content_type = XMTP_MLS_CONTENT_COMMIT;
    staged->message_epoch = content->content.epoch;
    staged->authenticated_data = content->content.authenticated_data;
    (void)xmtp_member_at(&group->tree, group->private_keys.leaf_index, &staged->sender);
    const xmtp_own_path own = {.is_fresh = is_fresh,
                               .commit_secret = &pending->commit_secret,
                               .psk_secret = &pending->psk_secret,
                               .private_keys = &pending->private_keys};
    return xmtp_stage_commit(staged, content, &own, error);
}

xmtp_status xmtp_mls_group_stage_pending(const xmtp_mls_group *group,
                                         const xmtp_mls_pending *pending, xmtp_mls_staged **out,
                                         xmtp_error *error)
{
    xmtp_mls_staged *staged;
    *out = NULL;
    if (!group->is_active) {
        return xmtp_fail(error, XMTP_E_REMOVED, "this member was removed from the group");
    }
    XMTP_TRY(xmtp_staged_new(&staged, group));
    xmtp_status status = stage(staged, pending, error);
    if (status != XMTP_OK) {
        xmtp_mls_staged_free(staged);
        return xmtp_fail_default(error, status, "following an own commit");
    }
    *out = staged;
    return XMTP_OK;
}
