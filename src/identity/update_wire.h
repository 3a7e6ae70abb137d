/* update_wire.h - the IdentityUpdate of the network as structs of views, to and from bytes.
 *
 *     IdentityUpdate { actions 1 *, client_timestamp_ns 2, inbox_id 3 }
 *       IdentityAction oneof { CreateInbox 1, AddAssociation 2, RevokeAssociation 3,
 *                              ChangeRecoveryAddress 4 }
 *         Signature oneof { erc_191 1, erc_6492 2, installation_key 3, delegated_erc_191 4, passkey
 * 5 }
 *
 * Written by hand on base/reader.h rather than with the generated code, because a verdict on an
 * update must be that of every other client or groups fork: strings keep their length (a zero byte
 * inside does not end them) and must be UTF-8, a message field that comes twice is merged, the last
 * member of a oneof wins, unknown fields and groups are skipped, a known field with a wrong wire
 * type is an error. identity.md 2.1 has the field numbers, 8.4 the failures.
 */
#ifndef XMTP_IDENTITY_UPDATE_WIRE_H
#define XMTP_IDENTITY_UPDATE_WIRE_H

#include "base/arena.h"
#include "base/writer.h"
#include "identity/identifier.h"

enum {
    XMTP_IDENTITY_UPDATE_MAX = 26214400, /* the network's largest message */
    /* More than that message can hold of actions with a signature in each, so nobody folds more. */
    XMTP_IDENTITY_ACTIONS_MAX = 1 << 19,
};

typedef enum xmtp_signature_kind {
    XMTP_SIGNATURE_NONE = 0,
    XMTP_SIGNATURE_ERC191 = 1,
    XMTP_SIGNATURE_CONTRACT = 2,
    XMTP_SIGNATURE_INSTALLATION = 3,
    XMTP_SIGNATURE_DELEGATED = 4,
    XMTP_SIGNATURE_PASSKEY = 5,
} xmtp_signature_kind;

/* One signature; which fields are used depends on the kind. */
typedef struct xmtp_wire_signature {
    xmtp_signature_kind kind;
    xmtp_bytes bytes;              /* the signature itself; DELEGATED: by the legacy key */
    xmtp_bytes public_key;         /* INSTALLATION, PASSKEY */
    xmtp_bytes account_id;         /* CONTRACT: CAIP-10 */
    uint64_t block_number;         /* CONTRACT */
    xmtp_bytes authenticator_data; /* PASSKEY */
    xmtp_bytes client_data_json;   /* PASSKEY */
    bool has_delegated_key;        /* DELEGATED: the rest */
    bool has_delegated_signature;
    xmtp_bytes key_bytes;        /* encoded UnsignedPublicKey */
    uint32_t wallet_form;        /* which member of the oneof: 0, 1 or 2; all read alike */
    xmtp_bytes wallet_signature; /* r || s of the wallet over the legacy text */
    uint32_t wallet_recovery;
} xmtp_wire_signature;

typedef enum xmtp_action_kind {
    XMTP_ACTION_NONE = 0,
    XMTP_ACTION_CREATE_INBOX = 1,
    XMTP_ACTION_ADD = 2,
    XMTP_ACTION_REVOKE = 3,
    XMTP_ACTION_CHANGE_RECOVERY = 4,
} xmtp_action_kind;

/* One action. subject: the initial identifier, the new member, the member to revoke, or the new
 * recovery identifier. signature: by the initial identifier, the existing member, or the recovery
 * identifier. For passkeys in CREATE_INBOX and CHANGE_RECOVERY subject.value is the key's bytes. */
typedef struct xmtp_wire_action {
    xmtp_action_kind kind;
    xmtp_identifier subject;
    uint64_t nonce; /* CREATE_INBOX */
    xmtp_wire_signature signature;
    xmtp_wire_signature new_member_signature; /* ADD */
} xmtp_wire_action;

typedef struct xmtp_wire_update {
    const xmtp_wire_action *actions;
    size_t action_count;
    uint64_t client_timestamp_ns;
    xmtp_bytes inbox_id;
} xmtp_wire_update;

/* Views point into in and into the arena. XMTP_E_MALFORMED: wire format, missing parts (8.4);
 * XMTP_E_LIMIT: more than action_max actions, or the arena is full. */
XMTP_MUST_CHECK xmtp_status xmtp_wire_update_decode(xmtp_bytes in, size_t action_max,
                                                    xmtp_arena *arena, xmtp_wire_update *out,
                                                    xmtp_error *error);

/* Only field 3 of an update: a view into it. XMTP_E_MALFORMED: not even the outermost fields. */
XMTP_MUST_CHECK xmtp_status xmtp_wire_update_inbox_id(xmtp_bytes in, xmtp_bytes *inbox_id);

/* Byte for byte what the official client writes for the same values. */
XMTP_MUST_CHECK xmtp_status xmtp_wire_update_encode(const xmtp_wire_update *update, xmtp_writer *w);

#endif
