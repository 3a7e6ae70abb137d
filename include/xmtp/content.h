/* content.h - what a message says: every content type of the network, encoded and decoded.
 *
 *     xmtp_content reaction = {.type = XMTP_CONTENT_REACTION,
 *                              .reaction = {.reference = message_id_hex,
 *                                           .action = XMTP_REACTION_ADDED,
 *                                           .content = "+1",
 *                                           .schema = XMTP_REACTION_SHORTCODE}};
 *     uint8_t *encoded; size_t n;
 *     status = xmtp_content_encode(&reaction, env, &encoded, &n, &error);
 *     ...
 *     xmtp_content *content;
 *     status = xmtp_content_decode(xmtp_bytes, env, &content, &error);
 *     if (content->type == XMTP_CONTENT_REACTION) puts(content->reaction.content);
 *     xmtp_content_free(content);
 *
 * The encoded form is the network's EncodedContent. What a stranger sent is only as trustworthy as
 * the stranger: a group update counts only in a message of kind XMTP_MESSAGE_MEMBERSHIP_CHANGE,
 * names of files are not paths, and URLs lead where they want. Shown by examples/contents.c.
 */
#ifndef XMTP_CONTENT_H
#define XMTP_CONTENT_H

#include <xmtp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The numbers are those that databases of the network use for the same types. */
typedef enum xmtp_content_type {
    XMTP_CONTENT_UNKNOWN = 0, /* a type of the application's own: see xmtp_custom */
    XMTP_CONTENT_TEXT = 1,
    XMTP_CONTENT_MEMBERSHIP_CHANGE = 2, /* of clients before 2025: read, never written */
    XMTP_CONTENT_GROUP_UPDATED = 3,
    XMTP_CONTENT_REACTION = 4,
    XMTP_CONTENT_READ_RECEIPT = 5,
    XMTP_CONTENT_REPLY = 6,
    XMTP_CONTENT_ATTACHMENT = 7,
    XMTP_CONTENT_REMOTE_ATTACHMENT = 8,
    XMTP_CONTENT_TRANSACTION_REFERENCE = 9,
    XMTP_CONTENT_WALLET_SEND_CALLS = 10,
    XMTP_CONTENT_LEAVE_REQUEST = 11,
    XMTP_CONTENT_MARKDOWN = 12,
    XMTP_CONTENT_ACTIONS = 13,
    XMTP_CONTENT_INTENT = 14,
    XMTP_CONTENT_MULTI_REMOTE_ATTACHMENT = 15,
    XMTP_CONTENT_DELETE_MESSAGE = 16,
    XMTP_CONTENT_EDIT_MESSAGE = 17, /* of versions after 1.10 */
    XMTP_CONTENT_TYPE_COUNT
} xmtp_content_type;

/* Limits. Everything else is bounded by the length of a message. */
enum {
    XMTP_CONTENT_LEN_MAX = 25 * 1024 * 1024, /* bytes of an encoded content, also inflated */
    XMTP_REPLY_DEPTH_MAX = 8,                /* replies that hold replies */
    XMTP_ACTIONS_MAX = 10,
    XMTP_INTENT_METADATA_MAX = 10240, /* bytes of JSON */
};

typedef struct xmtp_pair {
    const char *key;
    const char *value;
} xmtp_pair;

/* Text and markdown: UTF-8 without a zero byte. */
typedef enum xmtp_reaction_action {
    XMTP_REACTION_ADDED = 1,
    XMTP_REACTION_REMOVED = 2,
} xmtp_reaction_action;

typedef enum xmtp_reaction_schema {
    XMTP_REACTION_UNICODE = 1,
    XMTP_REACTION_SHORTCODE = 2,
    XMTP_REACTION_CUSTOM = 3,
} xmtp_reaction_schema;

/* Version 2.0 is written, 1.0 (JSON) is read too. */
typedef struct xmtp_reaction {
    const char *reference;       /* hex id of the message */
    const char *reference_inbox; /* its sender; NULL when not said */
    xmtp_reaction_action action;
    xmtp_reaction_schema schema;
    const char *content;
} xmtp_reaction;

typedef struct xmtp_reply {
    const char *reference;
    const char *reference_inbox; /* NULL when not said */
    const struct xmtp_content *content;
} xmtp_reply;

typedef struct xmtp_attachment {
    const char *filename; /* NULL when it has none; never a path to be trusted */
    const char *mime_type;
    xmtp_bytes content;
} xmtp_attachment;

enum {
    XMTP_ATTACHMENT_SECRET_LEN = 32,
    XMTP_ATTACHMENT_SALT_LEN = 32,
    XMTP_ATTACHMENT_NONCE_LEN = 12,
    XMTP_ATTACHMENT_DIGEST_HEX = 64,
};

/* An encrypted file somewhere, and what opens it; see xmtp_attachment_encrypt. */
typedef struct xmtp_remote_attachment {
    const char *url;
    const char *scheme; /* "https://" */
    const char *content_digest;
    xmtp_bytes secret;
    xmtp_bytes salt;
    xmtp_bytes nonce;
    uint64_t content_length; /* bytes of the ciphertext; 0 when not said */
    const char *filename;    /* NULL when not said */
} xmtp_remote_attachment;

typedef struct xmtp_multi_remote_attachment {
    const xmtp_remote_attachment *attachments;
    size_t count;
} xmtp_multi_remote_attachment;

typedef struct xmtp_transaction_metadata {
    const char *transaction_type;
    const char *currency;
    double amount;
    uint32_t decimals;
    const char *from_address;
    const char *to_address;
} xmtp_transaction_metadata;

typedef struct xmtp_transaction_reference {
    const char *name_space; /* "eip155"; NULL when not said */
    const char *network_id;
    const char *reference; /* the transaction's hash */
    bool has_metadata;
    xmtp_transaction_metadata metadata;
} xmtp_transaction_reference;

typedef struct xmtp_wallet_call {
    const char *to, *data, *value, *gas; /* each NULL when absent */
    bool has_metadata;
    const char *description;
    const char *transaction_type;
    const xmtp_pair *extra; /* further strings of the metadata */
    size_t extra_count;
} xmtp_wallet_call;

typedef struct xmtp_wallet_send_calls {
    const char *version;
    const char *chain_id; /* "0x2105" */
    const char *from;
    const xmtp_wallet_call *calls;
    size_t call_count;
    const xmtp_pair *capabilities;
    size_t capability_count;
} xmtp_wallet_send_calls;

typedef enum xmtp_action_style {
    XMTP_ACTION_PLAIN = 0, /* not said */
    XMTP_ACTION_PRIMARY = 1,
    XMTP_ACTION_SECONDARY = 2,
    XMTP_ACTION_DANGER = 3,
} xmtp_action_style;

typedef struct xmtp_action {
    const char *id;
    const char *label;
    const char *image_url; /* NULL: none */
    xmtp_action_style style;
    uint64_t expires_at_ns; /* 0: never; whole milliseconds travel */
} xmtp_action;

/* 1 to XMTP_ACTIONS_MAX actions with different ids. */
typedef struct xmtp_actions {
    const char *id;
    const char *description;
    const xmtp_action *actions;
    size_t count;
    uint64_t expires_at_ns;
} xmtp_actions;

typedef struct xmtp_intent {
    const char *id;
    const char *action_id;
    const char *metadata; /* a JSON object as text; NULL: none */
} xmtp_intent;

typedef struct xmtp_metadata_change {
    const char *field;
    const char *old_value; /* NULL: there was none */
    const char *new_value; /* NULL: there is none */
} xmtp_metadata_change;

typedef struct xmtp_strings {
    const char *const *p;
    size_t count;
} xmtp_strings;

/* What a commit changed, by inbox id. */
typedef struct xmtp_group_updated {
    const char *initiated_by;
    xmtp_strings added, removed, left;
    xmtp_strings admins_added, admins_removed, super_admins_added, super_admins_removed;
    const xmtp_metadata_change *changes;
    size_t change_count;
} xmtp_group_updated;

/* Whom a commit brought in or sent away, as told before 2025: by account, not by inbox. */
typedef struct xmtp_account_change {
    const char *account;
    const char *initiated_by; /* an account; "" when not said */
    const xmtp_bytes *installations;
    size_t installation_count;
} xmtp_account_change;

typedef struct xmtp_account_changes {
    const xmtp_account_change *p;
    size_t count;
} xmtp_account_changes;

typedef struct xmtp_membership_change {
    xmtp_account_changes members_added, members_removed;
    xmtp_account_changes installations_added, installations_removed;
} xmtp_membership_change;

typedef struct xmtp_leave_request {
    xmtp_bytes authenticated_note; /* empty on this network */
} xmtp_leave_request;

typedef struct xmtp_delete_message {
    const char *message_id; /* hex */
} xmtp_delete_message;

typedef struct xmtp_edit_message {
    const char *message_id; /* hex */
    const struct xmtp_content *content;
} xmtp_edit_message;

/* Types that this library has no struct for. */
typedef struct xmtp_custom {
    const char *authority;
    const char *type;
    uint32_t version_major, version_minor;
    const xmtp_pair *parameters;
    size_t parameter_count;
    xmtp_bytes content;
} xmtp_custom;

typedef struct xmtp_content {
    xmtp_content_type type;
    /* What applications show that do not know the type. Encoding: NULL takes the type's own
     * sentence, if it has one. Decoding: as carried, NULL when none. */
    const char *fallback;
    union {
        const char *text; /* also markdown */
        xmtp_reaction reaction;
        xmtp_reply reply;
        xmtp_attachment attachment;
        xmtp_remote_attachment remote_attachment;
        xmtp_multi_remote_attachment multi_remote_attachment;
        xmtp_transaction_reference transaction_reference;
        xmtp_wallet_send_calls wallet_send_calls;
        xmtp_actions actions;
        xmtp_intent intent;
        xmtp_group_updated group_updated;
        xmtp_membership_change membership_change;
        xmtp_leave_request leave_request;
        xmtp_delete_message delete_message;
        xmtp_edit_message edit_message;
        xmtp_custom custom;
    };
} xmtp_content;

/* Encodes content; *out is freed with xmtp_content_bytes_free. env may be NULL for the system's.
 * XMTP_E_CONTENT a field is missing, not UTF-8, or against the type's rules: error names it
 * XMTP_E_LIMIT   too long, too deep, too many
 * Threads: any. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_content_encode(const xmtp_content *content,
                                                         const xmtp_env *env, uint8_t **out,
                                                         size_t *out_len, xmtp_error *error);
XMTP_API void xmtp_content_bytes_free(const xmtp_env *env, uint8_t *p, size_t n); /* wipes */

/* Decodes what xmtp_message.content holds. Compressed content (deflate, gzip) is inflated. A type
 * that is not known, or whose version is newer than this library, is XMTP_CONTENT_UNKNOWN.
 * XMTP_E_CONTENT not an EncodedContent, or its body does not fit its type: error says what
 * XMTP_E_LIMIT   inflates to more than XMTP_CONTENT_LEN_MAX, nests too deep, is made of so many
 *                parts that it would take many times its length in memory */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_content_decode(xmtp_bytes encoded, const xmtp_env *env,
                                                         xmtp_content **out, xmtp_error *error);
XMTP_API void xmtp_content_free(xmtp_content *content); /* wipes; takes NULL */

/* Whether messages of this type are meant to notify their receivers (groups.md 5.2). */
XMTP_API bool xmtp_content_should_push(xmtp_content_type type);

/* ---- files that do not travel in the message */

/* An attachment encrypted for upload, with what the remote attachment needs to name. */
typedef struct xmtp_encrypted_attachment {
    uint8_t *payload; /* to be uploaded */
    size_t payload_len;
    char content_digest[XMTP_ATTACHMENT_DIGEST_HEX + 1];
    uint8_t secret[XMTP_ATTACHMENT_SECRET_LEN];
    uint8_t salt[XMTP_ATTACHMENT_SALT_LEN];
    uint8_t nonce[XMTP_ATTACHMENT_NONCE_LEN];
} xmtp_encrypted_attachment;

/* AES-256-GCM under HKDF-SHA256(secret, salt) with fresh secret, salt and nonce.
 * XMTP_E_CONTENT, XMTP_E_LIMIT as xmtp_content_encode; XMTP_E_RANDOM. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_attachment_encrypt(const xmtp_attachment *attachment,
                                                             const xmtp_env *env,
                                                             xmtp_encrypted_attachment *out,
                                                             xmtp_error *error);
XMTP_API void xmtp_encrypted_attachment_wipe(const xmtp_env *env, xmtp_encrypted_attachment *e);

/* What to send once payload is at url; views into e and the arguments. */
XMTP_API xmtp_content xmtp_encrypted_attachment_content(const xmtp_encrypted_attachment *e,
                                                        const char *url, const char *filename);

/* Opens a downloaded payload: *out is of type XMTP_CONTENT_ATTACHMENT.
 * XMTP_E_AUTH    the payload is not what remote describes (digest, length or tag)
 * XMTP_E_CONTENT it is, but holds no attachment; XMTP_E_LENGTH secret, salt or nonce have not their
 *                lengths */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_attachment_decrypt(const xmtp_remote_attachment *remote,
                                                             xmtp_bytes payload,
                                                             const xmtp_env *env,
                                                             xmtp_content **out, xmtp_error *error);

#ifdef __cplusplus
}
#endif
#endif
