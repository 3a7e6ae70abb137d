/* proposal.h - Proposal and what it holds, RFC 9420 sections 12.1 and 8.4. */
#ifndef XMTP_MLS_PROPOSAL_H
#define XMTP_MLS_PROPOSAL_H

#include "base/arena.h"
#include "mls/key_package.h"

typedef enum xmtp_proposal_type {
    XMTP_PROPOSAL_ADD = 1,
    XMTP_PROPOSAL_UPDATE = 2,
    XMTP_PROPOSAL_REMOVE = 3,
    XMTP_PROPOSAL_PSK = 4,
    XMTP_PROPOSAL_REINIT = 5,
    XMTP_PROPOSAL_EXTERNAL_INIT = 6,
    XMTP_PROPOSAL_GROUP_CONTEXT_EXTENSIONS = 7,
    /* draft-ietf-mls-extensions-10, sections 4.7 and 6.3; numbers as suggested there */
    XMTP_PROPOSAL_APP_DATA_UPDATE = 8,
    XMTP_PROPOSAL_SELF_REMOVE = 10,
} xmtp_proposal_type;

typedef enum xmtp_app_data_operation {
    XMTP_APP_DATA_UPDATE = 1,
    XMTP_APP_DATA_REMOVE = 2,
} xmtp_app_data_operation;

typedef enum xmtp_psk_type {
    XMTP_PSK_EXTERNAL = 1,
    XMTP_PSK_RESUMPTION = 2,
} xmtp_psk_type;

typedef enum xmtp_psk_usage {
    XMTP_PSK_USAGE_APPLICATION = 1,
    XMTP_PSK_USAGE_REINIT = 2,
    XMTP_PSK_USAGE_BRANCH = 3,
} xmtp_psk_usage;

/* PreSharedKeyID, section 8.4. */
typedef struct xmtp_psk_id {
    xmtp_bytes raw;
    uint8_t type;            /* xmtp_psk_type */
    xmtp_bytes psk_id;       /* EXTERNAL */
    uint8_t usage;           /* RESUMPTION: xmtp_psk_usage */
    xmtp_bytes psk_group_id; /* RESUMPTION */
    uint64_t psk_epoch;      /* RESUMPTION */
    xmtp_bytes psk_nonce;
} xmtp_psk_id;

/* XMTP_E_PSK_USAGE for an unknown type or usage. */
xmtp_status xmtp_psk_id_decode(xmtp_reader *r, xmtp_psk_id *out) XMTP_MUST_CHECK;
void xmtp_psk_id_encode(xmtp_writer *w, const xmtp_psk_id *id);

/* One proposal. raw is its whole encoding, type included. A type that we do not know is kept as a
 * type and one vector (the custom for proposals of later documents): it can be carried and
 * re-encoded, and whoever validates refuses it. */
typedef struct xmtp_proposal {
    xmtp_bytes raw;
    uint16_t type;
    union {
        xmtp_key_package add;
        xmtp_leaf_node update;
        uint32_t remove; /* leaf index */
        xmtp_psk_id psk;
        struct {
            xmtp_bytes group_id;
            uint16_t version;
            uint16_t cipher_suite;
            xmtp_extensions extensions;
        } reinit;
        xmtp_bytes external_init; /* kem_output */
        xmtp_extensions group_context_extensions;
        struct {
            uint16_t component_id;
            uint8_t operation; /* xmtp_app_data_operation */
            xmtp_bytes update; /* UPDATE */
        } app_data_update;
        xmtp_bytes unknown;
    } u;
} xmtp_proposal;

/* True for the types above: those of RFC 9420 and of the extensions draft. */
bool xmtp_proposal_type_is_known(uint16_t type);

xmtp_status xmtp_proposal_decode(xmtp_reader *r, xmtp_proposal *out) XMTP_MUST_CHECK;

/* The part behind the type, for the type in out->type; raw is then that part only. */
xmtp_status xmtp_proposal_body_decode(xmtp_reader *r, uint16_t type,
                                      xmtp_proposal *out) XMTP_MUST_CHECK;

/* Writes type and fields; of an add or update only the raw key package or leaf node. */
void xmtp_proposal_encode(xmtp_writer *w, const xmtp_proposal *proposal);
void xmtp_proposal_body_encode(xmtp_writer *w, const xmtp_proposal *proposal);

#endif
