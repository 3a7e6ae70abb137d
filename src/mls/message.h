/* message.h - what travels: MLSMessage and the framing and welcome structs inside it.
 * RFC 9420 sections 6, 12.4.3. Bytes to structs and back; keys and checks are elsewhere.
 *
 *   MLSMessage = version, wire_format, one of
 *     PublicMessage   = FramedContent, FramedContentAuthData, membership_tag when from a member
 *     PrivateMessage  = header in the clear, encrypted_sender_data, ciphertext
 *     Welcome         = cipher_suite, EncryptedGroupSecrets per new member, encrypted_group_info
 *     GroupInfo, KeyPackage
 */
#ifndef XMTP_MLS_MESSAGE_H
#define XMTP_MLS_MESSAGE_H

#include "mls/commit.h"
#include "mls/group_info.h"

typedef enum xmtp_wire_format {
    XMTP_WIRE_PUBLIC_MESSAGE = 1,
    XMTP_WIRE_PRIVATE_MESSAGE = 2,
    XMTP_WIRE_WELCOME = 3,
    XMTP_WIRE_GROUP_INFO = 4,
    XMTP_WIRE_KEY_PACKAGE = 5,
} xmtp_wire_format;

typedef enum xmtp_framed_content_type {
    XMTP_CONTENT_APPLICATION = 1,
    XMTP_CONTENT_PROPOSAL = 2,
    XMTP_CONTENT_COMMIT = 3,
} xmtp_framed_content_type;

typedef enum xmtp_sender_type {
    XMTP_SENDER_MEMBER = 1,
    XMTP_SENDER_EXTERNAL = 2,
    XMTP_SENDER_NEW_MEMBER_PROPOSAL = 3,
    XMTP_SENDER_NEW_MEMBER_COMMIT = 4,
} xmtp_sender_type;

/* Sender, section 6: index is the leaf index of a MEMBER, the position in external_senders of an
 * EXTERNAL one, 0 for the others. */
typedef struct xmtp_sender {
    uint8_t type; /* xmtp_sender_type */
    uint32_t index;
} xmtp_sender;

/* XMTP_E_SENDER_TYPE for an unknown type. */
xmtp_status xmtp_sender_decode(xmtp_reader *r, xmtp_sender *out) XMTP_MUST_CHECK;
void xmtp_sender_encode(xmtp_writer *w, const xmtp_sender *sender);

/* What a FramedContent or a decrypted PrivateMessage carries. raw is the encoding: for application
 * data with its length prefix, as FramedContent has it. */
typedef struct xmtp_mls_content {
    uint8_t type; /* xmtp_framed_content_type */
    xmtp_bytes raw;
    xmtp_bytes application_data;
    xmtp_proposal proposal;
    xmtp_commit commit;
} xmtp_mls_content;

xmtp_status xmtp_mls_content_decode(xmtp_reader *r, uint8_t type, xmtp_arena *arena,
                                    xmtp_mls_content *out) XMTP_MUST_CHECK;
/* Copies raw. */
void xmtp_mls_content_encode(xmtp_writer *w, const xmtp_mls_content *content);

/* FramedContent, section 6. */
typedef struct xmtp_framed_content {
    xmtp_bytes raw;
    xmtp_bytes group_id;
    uint64_t epoch;
    xmtp_sender sender;
    xmtp_bytes authenticated_data;
    xmtp_mls_content content;
} xmtp_framed_content;

xmtp_status xmtp_framed_content_decode(xmtp_reader *r, xmtp_arena *arena,
                                       xmtp_framed_content *out) XMTP_MUST_CHECK;
/* Writes the fields; of content type and raw. */
void xmtp_framed_content_encode(xmtp_writer *w, const xmtp_framed_content *content);

/* FramedContentAuthData, section 6.1; confirmation_tag only with a commit. */
typedef struct xmtp_content_auth {
    xmtp_bytes signature;
    xmtp_bytes confirmation_tag;
} xmtp_content_auth;

xmtp_status xmtp_content_auth_decode(xmtp_reader *r, uint8_t content_type,
                                     xmtp_content_auth *out) XMTP_MUST_CHECK;
void xmtp_content_auth_encode(xmtp_writer *w, uint8_t content_type, const xmtp_content_auth *auth);

/* AuthenticatedContent, section 6: what ProposalRef and the transcript are made of. */
typedef struct xmtp_authenticated_content {
    uint16_t wire_format;
    xmtp_framed_content content;
    xmtp_content_auth auth;
} xmtp_authenticated_content;

xmtp_status xmtp_authenticated_content_decode(xmtp_reader *r, xmtp_arena *arena,
                                              xmtp_authenticated_content *out) XMTP_MUST_CHECK;
void xmtp_authenticated_content_encode(xmtp_writer *w, const xmtp_authenticated_content *content);

/* PublicMessage, section 6.2; membership_tag only from a MEMBER. */
typedef struct xmtp_public_message {
    xmtp_framed_content content;
    xmtp_content_auth auth;
    xmtp_bytes membership_tag;
} xmtp_public_message;

xmtp_status xmtp_public_message_decode(xmtp_reader *r, xmtp_arena *arena,
                                       xmtp_public_message *out) XMTP_MUST_CHECK;
void xmtp_public_message_encode(xmtp_writer *w, const xmtp_public_message *message);

/* PrivateMessage, section 6.3. XMTP_E_MALFORMED for an unknown content type. */
typedef struct xmtp_private_message {
    xmtp_bytes group_id;
    uint64_t epoch;
    uint8_t content_type;
    xmtp_bytes authenticated_data;
    xmtp_bytes encrypted_sender_data;
    xmtp_bytes ciphertext;
} xmtp_private_message;

xmtp_status xmtp_private_message_decode(xmtp_reader *r, xmtp_private_message *out) XMTP_MUST_CHECK;
void xmtp_private_message_encode(xmtp_writer *w, const xmtp_private_message *message);
/* PrivateContentAAD, section 6.3.1: the AAD of the ciphertext. */
void xmtp_private_content_aad_encode(xmtp_writer *w, const xmtp_private_message *message);
/* SenderDataAAD, section 6.3.2. */
void xmtp_sender_data_aad_encode(xmtp_writer *w, const xmtp_private_message *message);

/* SenderData, section 6.3.2. */
typedef struct xmtp_sender_data {
    uint32_t leaf_index;
    uint32_t generation;
    uint8_t reuse_guard[4];
} xmtp_sender_data;

enum { XMTP_SENDER_DATA_LEN = 12 };
xmtp_status xmtp_sender_data_decode(xmtp_bytes in, xmtp_sender_data *out) XMTP_MUST_CHECK;
void xmtp_sender_data_encode(xmtp_writer *w, const xmtp_sender_data *data);

/* PrivateMessageContent, section 6.3.1: what the ciphertext holds. All padding bytes must be zero
 * (XMTP_E_MALFORMED). plaintext must stay as long as the result is used. */
xmtp_status xmtp_private_content_decode(xmtp_bytes plaintext, uint8_t content_type,
                                        xmtp_arena *arena, xmtp_mls_content *content,
                                        xmtp_content_auth *auth) XMTP_MUST_CHECK;
void xmtp_private_content_encode(xmtp_writer *w, const xmtp_mls_content *content,
                                 const xmtp_content_auth *auth, size_t padding_len);

/* EncryptedGroupSecrets, section 12.4.3.1. */
typedef struct xmtp_encrypted_group_secrets {
    xmtp_bytes new_member; /* KeyPackageRef */
    xmtp_hpke_ciphertext encrypted_group_secrets;
} xmtp_encrypted_group_secrets;

xmtp_status xmtp_encrypted_group_secrets_decode(xmtp_reader *r,
                                                xmtp_encrypted_group_secrets *out) XMTP_MUST_CHECK;
void xmtp_encrypted_group_secrets_encode(xmtp_writer *w,
                                         const xmtp_encrypted_group_secrets *secrets);

/* Welcome, section 12.4.3.1. secrets is the checked content of secrets<V>; walk it with
 * xmtp_encrypted_group_secrets_decode or look ours up. */
typedef struct xmtp_welcome {
    uint16_t cipher_suite;
    xmtp_bytes secrets;
    size_t secret_count;
    xmtp_bytes encrypted_group_info;
} xmtp_welcome;

xmtp_status xmtp_welcome_decode(xmtp_reader *r, xmtp_welcome *out) XMTP_MUST_CHECK;
void xmtp_welcome_encode(xmtp_writer *w, const xmtp_welcome *welcome);
/* XMTP_E_NOT_FOR_US when there is no entry for this KeyPackageRef. */
xmtp_status xmtp_welcome_find(const xmtp_welcome *welcome, xmtp_bytes key_package_ref,
                              xmtp_encrypted_group_secrets *out) XMTP_MUST_CHECK;

/* GroupSecrets, section 12.4.3.1. */
typedef struct xmtp_group_secrets {
    xmtp_bytes joiner_secret;
    bool has_path_secret;
    xmtp_bytes path_secret;
    xmtp_psk_id *psks; /* in the arena */
    size_t psk_count;
} xmtp_group_secrets;

xmtp_status xmtp_group_secrets_decode(xmtp_reader *r, xmtp_arena *arena,
                                      xmtp_group_secrets *out) XMTP_MUST_CHECK;
void xmtp_group_secrets_encode(xmtp_writer *w, const xmtp_group_secrets *secrets);

/* MLSMessage, section 6. */
typedef struct xmtp_mls_message {
    uint16_t version;
    uint16_t wire_format;
    union {
        xmtp_public_message public_message;
        xmtp_private_message private_message;
        xmtp_welcome welcome;
        xmtp_group_info group_info;
        xmtp_key_package key_package;
    } u;
} xmtp_mls_message;

/* Decodes exactly one message. XMTP_E_VERSION, XMTP_E_WIRE_FORMAT, XMTP_E_TRAILING and those of the
 * parts. in must stay as long as the result is used; arena holds lists of proposals. */
xmtp_status xmtp_mls_message_decode(xmtp_bytes in, xmtp_arena *arena,
                                    xmtp_mls_message *out) XMTP_MUST_CHECK;
void xmtp_mls_message_encode(xmtp_writer *w, const xmtp_mls_message *message);

/* Appends version and wire_format, for encoders that write the body themselves. */
void xmtp_mls_message_header_encode(xmtp_writer *w, xmtp_wire_format wire_format);

#endif
