/* psk.h - the pre-shared keys that a commit or welcome names. RFC 9420 sections 8.4 and 8.6. */
#ifndef XMTP_MLS_PSK_H
#define XMTP_MLS_PSK_H

#include "mls/proposals.h"

/* Where PSKs are found: in these groups, then by config->find_psk. */
typedef struct xmtp_psk_source {
    const xmtp_mls_config *config;
    const xmtp_suite *suite;
    const xmtp_mls_group *group;  /* the one that the commit belongs to; NULL when joining */
    const xmtp_mls_group *parent; /* of a branch or re-initialisation; NULL for none */
} xmtp_psk_source;

/* psk_secret over the ids in their order; zeros for none. XMTP_E_PSK: one is not known, or not
 * accepted. */
xmtp_status xmtp_psk_secret_of(const xmtp_psk_source *source, const xmtp_psk_id *ids, size_t count,
                               xmtp_secret *out, xmtp_error *error) XMTP_MUST_CHECK;

/* The same over the PreSharedKey proposals of a list. */
xmtp_status xmtp_psk_secret_of_list(const xmtp_psk_source *source, const xmtp_applied *applied,
                                    xmtp_arena *arena, xmtp_secret *out,
                                    xmtp_error *error) XMTP_MUST_CHECK;

/* Ids of the PreSharedKey proposals of a list, in the arena. */
xmtp_status xmtp_psk_ids_of_list(const xmtp_applied *applied, xmtp_arena *arena, xmtp_psk_id **ids,
                                 size_t *count) XMTP_MUST_CHECK;

#endif
