/* psk.c - finding pre-shared keys and chaining them into psk_secret. RFC 9420 sections 8.4, 8.6.
 *
 *     external     config->find_psk
 *     resumption   secret of an epoch of this group: the current one, or one kept; of its parent
 *                  group; config->find_psk for any other
 */
#include "mls/psk.h"

#include "base/bytes.h"
#include "base/status.h"

#include <inttypes.h>

typedef struct psk_value {
    size_t n;
    uint8_t p[XMTP_MLS_PSK_MAX];
} psk_value;

static bool take_secret(const xmtp_secret *secret, psk_value *out)
{
    out->n = secret->n;
    memcpy(out->p, secret->p, secret->n);
    return secret->n > 0;
}

static bool find_resumption(const xmtp_mls_group *group, const xmtp_psk_id *id, psk_value *out)
{
    if (group == NULL || id->type != XMTP_PSK_RESUMPTION ||
        !xmtp_bytes_equal(group->context.group_id, id->psk_group_id)) {
        return false;
    }
    if (id->psk_epoch == group->context.epoch) {
        return take_secret(&group->secrets.resumption_psk, out);
    }
    for (uint32_t i = 0; i < group->resumption_count; i++) {
        if (group->resumption[i].epoch == id->psk_epoch) {
            return take_secret(&group->resumption[i].secret, out);
        }
    }
    return false;
}

static xmtp_status ask(const xmtp_mls_config *config, const xmtp_psk_id *id, psk_value *out,
                       xmtp_error *error)
{
    const xmtp_mls_psk psk = {.type = id->type,
                              .id = id->psk_id,
                              .usage = id->usage,
                              .group_id = id->psk_group_id,
                              .epoch = id->psk_epoch};
    xmtp_status status = XMTP_E_NOT_FOUND;
    if (config->find_psk != NULL) {
        status = config->find_psk(config->psk_context, &psk, out->p, &out->n);
    }
    if (status == XMTP_E_NOT_FOUND) {
        return xmtp_fail(error, XMTP_E_PSK, "pre-shared key is not known");
    }
    XMTP_ENSURE(status != XMTP_OK || out->n <= sizeof out->p, XMTP_E_LIMIT);
    return status;
}

static xmtp_status find(const xmtp_psk_source *source, const xmtp_psk_id *id, psk_value *out,
                        xmtp_error *error)
{
    if (source->config->refuse_psks) {
        return xmtp_fail(error, XMTP_E_PSK, "pre-shared keys are not accepted");
    }
    if (id->psk_nonce.n != source->suite->hash->len) { /* section 8.4 */
        return xmtp_fail(error, XMTP_E_PSK_NONCE, "nonce of a pre-shared key has %zu bytes",
                         id->psk_nonce.n);
    }
    if (find_resumption(source->group, id, out) || find_resumption(source->parent, id, out)) {
        return XMTP_OK;
    }
    return ask(source->config, id, out, error);
}

static xmtp_status chain(const xmtp_psk_source *source, const xmtp_psk_id *ids, size_t count,
                         psk_value *values, xmtp_psk *psks, xmtp_secret *out, xmtp_error *error)
{
    for (size_t i = 0; i < count; i++) {
        XMTP_TRY(find(source, &ids[i], &values[i], error));
        psks[i] = (xmtp_psk){.id = ids[i], .psk = xmtp_bytes_of(values[i].p, values[i].n)};
    }
    return xmtp_psk_secret(source->suite, &source->config->env->alloc, psks, count, out);
}

xmtp_status xmtp_psk_secret_of(const xmtp_psk_source *source, const xmtp_psk_id *ids, size_t count,
                               xmtp_secret *out, xmtp_error *error)
{
    const xmtp_alloc *alloc = &source->config->env->alloc;
    *out = (xmtp_secret){.n = source->suite->hash->len};
    if (count == 0) {
        return XMTP_OK;
    }
    XMTP_ENSURE(count <= XMTP_MLS_PSKS_MAX, XMTP_E_LIMIT);
    psk_value *values = alloc->reallocate(alloc->context, NULL, count * sizeof *values);
    xmtp_psk *psks = alloc->reallocate(alloc->context, NULL, count * sizeof *psks);
    xmtp_status status = XMTP_E_NOMEM;
    if (values != NULL && psks != NULL) {
        status = chain(source, ids, count, values, psks, out, error);
    }
    if (values != NULL) {
        xmtp_wipe(values, count * sizeof *values);
    }
    alloc->reallocate(alloc->context, values, 0);
    alloc->reallocate(alloc->context, psks, 0);
    return status;
}

xmtp_status xmtp_psk_ids_of_list(const xmtp_applied *applied, xmtp_arena *arena, xmtp_psk_id **ids,
                                 size_t *count)
{
    *count = 0;
    *ids = NULL;
    if (applied->psk_count == 0) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_arena_take_array(arena, applied->psk_count, sizeof **ids, (void **)ids));
    for (size_t i = 0; i < applied->count; i++) {
        if (applied->proposals[i].proposal.type == XMTP_PROPOSAL_PSK) {
            (*ids)[(*count)++] = applied->proposals[i].proposal.u.psk;
        }
    }
    return XMTP_OK;
}

xmtp_status xmtp_psk_secret_of_list(const xmtp_psk_source *source, const xmtp_applied *applied,
                                    xmtp_arena *arena, xmtp_secret *out, xmtp_error *error)
{
    xmtp_psk_id *ids;
    size_t count;
    XMTP_TRY(xmtp_psk_ids_of_list(applied, arena, &ids, &count));
    return xmtp_psk_secret_of(source, ids, count, out, error);
}
