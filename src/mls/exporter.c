/* exporter.c - secrets that leave the key schedule: MLS-Exporter of RFC 9420 section 8.5, and the
 * forward-secure exporter of draft-ietf-mls-extensions-10, section 4.4.
 *
 *     application_export_secret --> tree of 2^16 leaves, a component id each
 *
 * The root waits among the secrets of the header. With the first export it moves into a tree of the
 * kind of section 9, of which only those secrets stay that nobody has had.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "mls/group.h"

xmtp_status xmtp_mls_group_export(const xmtp_mls_group *group, const char *label,
                                  xmtp_bytes context, uint8_t *out, size_t out_len)
{
    XMTP_ENSURE(group->is_active, XMTP_E_REMOVED);
    return xmtp_exporter(group->suite, &group->secrets.exporter_secret, label, context, out,
                         out_len);
}

void xmtp_exporter_drop(xmtp_mls_group *group, xmtp_mls_writes *writes)
{
    if (group->exporter_tree.suite != NULL && writes != NULL) {
        xmtp_writes_delete(writes, xmtp_record_key_exporter());
    }
    xmtp_secret_tree_free(&group->exporter_tree);
}

/* A copy of the tree, so that a failure changes nothing. */
static xmtp_status copy_tree(const xmtp_mls_group *group, xmtp_secret_tree *out, xmtp_error *error)
{
    if (group->exporter_tree.suite == NULL) {
        xmtp_secret root = group->secrets.application_export;
        if (root.n == 0) {
            return xmtp_fail(error, XMTP_E_STATE, "this epoch was stored without an exporter tree");
        }
        xmtp_status status =
            xmtp_secret_tree_init(out, group->suite, group->alloc, XMTP_MLS_EXPORTER_LEAVES, &root);
        xmtp_secret_wipe(&root);
        return status;
    }
    xmtp_writer w;
    xmtp_writer_init(&w, group->alloc, XMTP_WRITER_MAX);
    xmtp_secret_tree_encode(&group->exporter_tree, &w);
    xmtp_status status = xmtp_writer_status(&w);
    if (status == XMTP_OK) {
        status = xmtp_secret_tree_decode(out, group->suite, group->alloc, xmtp_writer_bytes(&w));
    }
    xmtp_writer_free(&w);
    return status;
}

static void swap_secrets(xmtp_secret *a, xmtp_secret *b)
{
    xmtp_secret c = *a;
    *a = *b;
    *b = c;
    xmtp_secret_wipe(&c);
}

/* Records of the group as it will be: with next, and without the root. */
static xmtp_status put_records(xmtp_mls_group *group, const xmtp_secret_tree *next,
                               xmtp_mls_writes *writes)
{
    xmtp_secret root = {0};
    xmtp_records_put_exporter_tree(next, writes);
    if (group->exporter_tree.suite == NULL) {
        swap_secrets(&root, &group->secrets.application_export);
        xmtp_records_put_header(group, writes);
        swap_secrets(&root, &group->secrets.application_export);
    }
    return xmtp_writes_status(writes);
}

static xmtp_status export_once(xmtp_mls_group *group, uint16_t component_id, xmtp_secret *secret,
                               xmtp_mls_writes *writes, xmtp_error *error)
{
    xmtp_secret_tree next = {0};
    xmtp_status status = copy_tree(group, &next, error);
    if (status == XMTP_OK) {
        status = xmtp_secret_tree_take_leaf(&next, component_id, secret);
    }
    if (status == XMTP_OK) {
        status = put_records(group, &next, writes);
    }
    if (status != XMTP_OK) {
        xmtp_secret_tree_free(&next);
        return status;
    }
    xmtp_secret_wipe(&group->secrets.application_export);
    xmtp_secret_tree_free(&group->exporter_tree);
    group->exporter_tree = next;
    group->revision++;
    return XMTP_OK;
}

xmtp_status xmtp_mls_group_export_once(xmtp_mls_group *group, uint16_t component_id, uint8_t *out,
                                       size_t out_len, xmtp_mls_writes *writes, xmtp_error *error)
{
    xmtp_secret secret = {0};
    size_t mark = xmtp_writes_mark(writes);
    XMTP_ENSURE(group->is_active, XMTP_E_REMOVED);
    XMTP_ENSURE(out_len == group->suite->hash->len, XMTP_E_LENGTH);
    xmtp_status status = export_once(group, component_id, &secret, writes, error);
    if (status == XMTP_OK) {
        memcpy(out, secret.p, out_len);
    } else {
        memset(out, 0, out_len);
        xmtp_writes_rollback(writes, mark);
        status = xmtp_fail_default(error, status, "exporting a secret");
    }
    xmtp_secret_wipe(&secret);
    return status;
}
