/* mls.h - Messaging Layer Security (RFC 9420) as a library: bytes in, bytes out.
 *
 * No socket, no file, no clock, no thread but for the time of a call (large groups: signatures and key agreements are
 * shared among the processors that the process may use). Time and randomness come from the xmtp_env in the
 * configuration, on the caller's thread; what has to be kept leaves as a list of small records that the caller stores
 * together with its own data in one transaction.
 *
 *     member A                                     member B
 *     xmtp_mls_group_create                        xmtp_mls_key_package_create
 *                                <-- network ---     key package (the private keys stay)
 *     xmtp_mls_group_commit(add)
 *       pending: commit, welcome --- network -->
 *     (the own commit comes back)
 *     xmtp_mls_group_stage_pending
 *     xmtp_mls_group_merge                         xmtp_mls_group_join(welcome)
 *     xmtp_mls_group_protect     --- network -->   xmtp_mls_group_process, xmtp_mls_group_merge
 *
 * Rules that hold for every function
 *  - process, commit and stage_pending leave the group as it was. Only merge, protect, propose, create and join
 *    change it.
 *  - A function that changes a group appends to an xmtp_mls_writes exactly what the store must put and delete.
 *    Nothing is valid until that list is stored. When storing fails, free the group and load it from the store.
 *  - A failed call changes nothing and leaves outputs NULL or empty. The reason is in the xmtp_error.
 *  - A group is used by one thread at a time; different groups are independent.
 *  - Views (xmtp_bytes) given out by a group are valid until the next call that changes it; by a staged or pending
 *    object, until it is freed or merged.
 */
#ifndef XMTP_MLS_H
#define XMTP_MLS_H

#include <xmtp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    XMTP_MLS_SUITE_X25519_CHACHA = 0x0003, /* MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519 */

    XMTP_MLS_PROPOSAL_ADD = 1,
    XMTP_MLS_PROPOSAL_UPDATE = 2,
    XMTP_MLS_PROPOSAL_REMOVE = 3,
    XMTP_MLS_PROPOSAL_PSK = 4,
    XMTP_MLS_PROPOSAL_REINIT = 5,
    XMTP_MLS_PROPOSAL_EXTERNAL_INIT = 6,
    XMTP_MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS = 7,
    /* draft-ietf-mls-extensions-10 (numbers suggested there), where all members list them */
    XMTP_MLS_PROPOSAL_APP_DATA_UPDATE = 8,
    XMTP_MLS_PROPOSAL_SELF_REMOVE = 0x000a,

    XMTP_MLS_EXTENSION_APPLICATION_ID = 0x0001,
    XMTP_MLS_EXTENSION_RATCHET_TREE = 0x0002,
    XMTP_MLS_EXTENSION_REQUIRED_CAPABILITIES = 0x0003,
    XMTP_MLS_EXTENSION_EXTERNAL_PUB = 0x0004,
    XMTP_MLS_EXTENSION_EXTERNAL_SENDERS = 0x0005,
    XMTP_MLS_EXTENSION_APP_DATA_DICTIONARY = 0x0006, /* draft-ietf-mls-extensions-10 */
    XMTP_MLS_EXTENSION_LAST_RESORT = 0x000a,

    /* Component ids of the same draft; 0x8000 and above are for private use. */
    XMTP_MLS_COMPONENT_APP_COMPONENTS = 0x0001,
    XMTP_MLS_COMPONENT_SAFE_AAD = 0x0002,
    XMTP_MLS_COMPONENT_CONTENT_MEDIA_TYPES = 0x0003,
    XMTP_MLS_COMPONENT_LAST_RESORT_KEY_PACKAGE = 0x0004,
    XMTP_MLS_COMPONENT_APP_ACK = 0x0005,

    XMTP_MLS_CREDENTIAL_BASIC = 1,
    XMTP_MLS_CREDENTIAL_X509 = 2,

    XMTP_MLS_NO_LEAF = -1,
};

/* ---- records */

/* What the store has to do: for each entry put value under key, or delete key. Keys are short (at
 * most 16 bytes) and belong to one group: the caller prefixes them with the group id or keeps them
 * in a column beside it. Later entries win over earlier ones with the same key. Values may hold
 * secrets: the store must encrypt, deletes must be real. */
typedef struct xmtp_mls_write {
    xmtp_bytes key;
    xmtp_bytes value; /* ignored for a delete */
    bool is_delete;
} xmtp_mls_write;

typedef struct xmtp_mls_writes xmtp_mls_writes;

XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_mls_writes_new(xmtp_mls_writes **out,
                                                         const xmtp_env *env);
XMTP_API void xmtp_mls_writes_free(xmtp_mls_writes *writes); /* wipes; takes NULL */
XMTP_API void xmtp_mls_writes_clear(xmtp_mls_writes *writes);
XMTP_API size_t xmtp_mls_writes_count(const xmtp_mls_writes *writes);
XMTP_API xmtp_mls_write xmtp_mls_writes_at(const xmtp_mls_writes *writes, size_t index);

/* How a group is read back. each: calls visit for every record of the group whose key begins with
 * prefix, in any order, until visit fails, and returns what that visit returned. */
typedef struct xmtp_mls_records {
    void *context;
    xmtp_status (*each)(void *context, xmtp_bytes prefix, void *visitor,
                        xmtp_status (*visit)(void *visitor, xmtp_bytes key, xmtp_bytes value));
} xmtp_mls_records;

/* ---- configuration and small types */

typedef struct xmtp_mls_u16_list {
    const uint16_t *items;
    size_t count;
} xmtp_mls_u16_list;

/* Which pre-shared key is meant (section 8.4). */
typedef enum xmtp_mls_psk_type {
    XMTP_MLS_PSK_EXTERNAL = 1,
    XMTP_MLS_PSK_RESUMPTION = 2,
} xmtp_mls_psk_type;

typedef enum xmtp_mls_psk_usage {
    XMTP_MLS_PSK_APPLICATION = 1,
    XMTP_MLS_PSK_REINIT = 2,
    XMTP_MLS_PSK_BRANCH = 3,
} xmtp_mls_psk_usage;

typedef struct xmtp_mls_psk {
    uint8_t type;        /* xmtp_mls_psk_type */
    xmtp_bytes id;       /* EXTERNAL */
    uint8_t usage;       /* RESUMPTION: xmtp_mls_psk_usage */
    xmtp_bytes group_id; /* RESUMPTION */
    uint64_t epoch;      /* RESUMPTION */
} xmtp_mls_psk;

enum { XMTP_MLS_PSK_MAX = 256 };

/* One member, as its leaf says. */
typedef struct xmtp_mls_member {
    uint32_t leaf;
    uint16_t credential_type;
    xmtp_bytes identity;
    xmtp_bytes signature_key;
    xmtp_bytes encryption_key;
} xmtp_mls_member;

/* The same for create, join and load. Numbers of 0 mean the default in brackets. */
typedef struct xmtp_mls_config {
    const xmtp_env *env;
    uint32_t past_epochs_max;      /* [0] epochs kept for late application messages */
    uint64_t past_epoch_age_max_s; /* [no limit] and for how many seconds after their end, by env's
                                        clock: see xmtp_mls_group_expire */
    uint32_t out_of_order_tolerance; /* [5] skipped keys kept per sender, in generations behind the
                                        newest */
    uint32_t forward_distance_max;   /* [1000] how many generations a message may be ahead */
    bool check_lifetimes;            /* lifetimes of leaves in adds, welcomes and commits */
    bool private_messages_only;      /* PublicMessage gets XMTP_E_WIRE_FORMAT */
    bool refuse_psks;                /* PSK proposals and welcomes with PSKs get XMTP_E_PSK */
    bool openmls_verdicts; /* judge proposals of a commit as OpenMLS does, also where it is
                                        laxer than RFC 9420: for groups shared with its users */
    bool keep_proposals;   /* proposals sent alone are kept until the epoch ends, and commits may
                              refer to them; otherwise they are opened and dropped, and a commit
                              by reference gets XMTP_E_PROPOSAL_REF */
    uint32_t resumption_psks_max;       /* [0] resumption secrets of past epochs kept */
    xmtp_mls_u16_list custom_proposals; /* types beyond RFC 9420 that the application handles */
    /* Looks up a pre-shared key that the group does not know by itself: writes at most
     * XMTP_MLS_PSK_MAX bytes. XMTP_E_NOT_FOUND: not known. NULL: none is known. */
    xmtp_status (*find_psk)(void *context, const xmtp_mls_psk *psk, uint8_t *out, size_t *out_len);
    void *psk_context;
    /* Judges a credential that comes into the group (section 5.3.1): of every member when we join,
     * then of each Add, Update and path. before: what it replaces, NULL for a new member. Anything
     * but XMTP_OK refuses with XMTP_E_CREDENTIAL. NULL: all are accepted here, and the application
     * judges what staged objects tell. Of an X.509 credential the library has checked
     * that the certificates hold together and are for the leaf's key; whether the last of them is
     * trusted, and the time they are valid, is decided here. */
    xmtp_status (*authenticate)(void *context, const xmtp_mls_member *member,
                                const xmtp_mls_member *before);
    void *authenticate_context;
    /* Works out what the AppDataUpdate proposals of one commit make of a component's data in the
     * group's app_data_dictionary. before: its data, NULL when it has none. updates: in the order of
     * the commit; count 0: the data is removed, after is not looked at. after: the new data, valid
     * until the next call. The same input must give the same answer on every member; anything but
     * XMTP_OK refuses the commit with XMTP_E_APP_DATA. NULL: no component is known, all are refused. */
    xmtp_status (*update_app_data)(void *context, uint16_t component_id, const xmtp_bytes *before,
                                   const xmtp_bytes *updates, size_t count, xmtp_bytes *after);
    void *app_data_context;
    bool public_handshakes; /* proposals and commits go out as PublicMessage */
    bool grease;            /* GroupInfos (and welcomes) carry an extension of a GREASE type */
    uint32_t padding;       /* [1] plaintexts of private messages are padded to multiples of this */
} xmtp_mls_config;

typedef struct xmtp_mls_extension {
    uint16_t type;
    xmtp_bytes data;
} xmtp_mls_extension;

typedef struct xmtp_mls_capabilities {
    xmtp_mls_u16_list versions;
    xmtp_mls_u16_list suites;
    xmtp_mls_u16_list extensions;
    xmtp_mls_u16_list proposals;
    xmtp_mls_u16_list credentials;
    /* Adds random GREASE values (section 13.5) to each list but versions, and an extension of such a
     * type to the leaf and the key package, so that peers who cannot ignore what they do not know
     * are found early. */
    bool grease;
} xmtp_mls_capabilities;

/* Who we are in a group: a credential and a signature key pair. */
typedef struct xmtp_mls_signer {
    xmtp_bytes identity;     /* content of the credential */
    xmtp_bytes signature_sk; /* Ed25519: the 32-byte seed */
    xmtp_bytes signature_pk;
    uint16_t credential_type; /* 0: basic. X509: identity is the content of certificates<V> */
} xmtp_mls_signer;

/* A fresh signature key pair for a suite, from env's randomness. Who has keys of his own (Ed25519 of
 * another library, say) does not need it. Wipe it when it is stored. XMTP_E_SUITE. */
typedef struct xmtp_mls_signature_keys {
    uint8_t sk[66];
    size_t sk_len;
    uint8_t pk[133];
    size_t pk_len;
} xmtp_mls_signature_keys;

XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_mls_signature_keys_create(const xmtp_env *env,
                                                                    uint16_t suite,
                                                                    xmtp_mls_signature_keys *out,
                                                                    xmtp_error *error);
XMTP_API void xmtp_mls_signature_keys_wipe(xmtp_mls_signature_keys *keys);

/* ---- key packages (RFC 9420 section 10) */

typedef struct xmtp_mls_key_package_options {
    uint16_t suite;
    xmtp_mls_signer signer;
    xmtp_mls_capabilities capabilities;
    const xmtp_mls_extension *leaf_extensions;
    size_t leaf_extension_count;
    const xmtp_mls_extension *extensions;
    size_t extension_count;
    uint64_t not_before; /* seconds since 1970 */
    uint64_t not_after;
} xmtp_mls_key_package_options;

/* A key package and the private keys that open a welcome for it. */
enum { XMTP_MLS_KEY_CHECK_LEN = 16 };
typedef struct xmtp_mls_key_package_private {
    uint8_t ref[64]; /* KeyPackageRef, ref_len bytes */
    size_t ref_len;
    uint8_t init_sk[66];
    size_t init_sk_len;
    uint8_t leaf_sk[66];
    size_t leaf_sk_len;
    /* A digest of the above: tells at once when they were mixed up or damaged while they were kept.
     * Zeros when it is not known: joining then derives the public key of leaf_sk to compare. */
    uint8_t check[XMTP_MLS_KEY_CHECK_LEN];
} xmtp_mls_key_package_private;

/* Makes and signs one. key_package: the bare KeyPackage struct, freed by the caller with
 * env->alloc. Wipe *private_keys with xmtp_mls_key_package_private_wipe after storing it. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_mls_key_package_create(
    const xmtp_env *env, const xmtp_mls_key_package_options *options, uint8_t **key_package,
    size_t *key_package_len, xmtp_mls_key_package_private *private_keys, xmtp_error *error);
XMTP_API void xmtp_mls_key_package_private_wipe(xmtp_mls_key_package_private *private_keys);

/* What a verified key package says. Views into the bytes it was made from. */
typedef struct xmtp_mls_key_package_info {
    uint16_t suite;
    xmtp_bytes init_key;
    xmtp_mls_member member; /* leaf is 0 */
    uint64_t not_before;
    uint64_t not_after;
    xmtp_bytes extensions; /* content of the extensions vector; see xmtp_mls_extensions_find */
    uint8_t ref[64];
    size_t ref_len;
} xmtp_mls_key_package_info;

/* Decodes and verifies a bare KeyPackage as RFC 9420 section 10.1: version, suite known, leaf
 * source and both signatures, init key differs from encryption key, extensions supported by the
 * leaf, lifetime contains now_seconds (skipped when now_seconds is 0), no duplicate extension,
 * nothing left over. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_mls_key_package_verify(const xmtp_env *env,
                                                                 xmtp_bytes key_package,
                                                                 uint64_t now_seconds,
                                                                 xmtp_mls_key_package_info *info,
                                                                 xmtp_error *error);

/* A key package that xmtp_mls_key_package_verify was satisfied with, in a copy that nobody can
 * alter: what xmtp_mls_group_commit adds without verifying its two signatures once more. All other
 * rules are judged in the commit as they are for bytes, since they depend on group and time.
 * Receivers of the commit verify everything.
 *
 * new: *out is NULL on failure, the errors are those of xmtp_mls_key_package_verify. Views in *info
 * are into the copy. May be used for several commits and from several threads at once; env must
 * outlive it. */
typedef struct xmtp_mls_verified_key_package xmtp_mls_verified_key_package;
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_mls_verified_key_package_new(
    xmtp_mls_verified_key_package **out, const xmtp_env *env, xmtp_bytes key_package,
    uint64_t now_seconds, xmtp_mls_key_package_info *info, xmtp_error *error);
XMTP_API void
xmtp_mls_verified_key_package_free(xmtp_mls_verified_key_package *verified); /* takes NULL */

/* Several at once, which costs less: where the machine can, their signatures are verified eight at a time.
 * Each is judged as by new; one that is refused has no verified, and says in status why. */
typedef struct xmtp_mls_key_package_candidate {
    xmtp_bytes key_package;
    /* set by admit */
    xmtp_mls_verified_key_package *verified; /* the caller's to free */
    xmtp_mls_key_package_info info;          /* views into verified */
    xmtp_status status;
} xmtp_mls_key_package_candidate;
XMTP_API void xmtp_mls_key_packages_admit(const xmtp_env *env,
                                          xmtp_mls_key_package_candidate *candidates, size_t count,
                                          uint64_t now_seconds);

/* First extension of that type in the content of an extensions vector; false when there is none. */
XMTP_API bool xmtp_mls_extensions_find(xmtp_bytes extensions, uint16_t type, xmtp_bytes *data);

/* Walks the content of an extensions vector: takes the first extension off *rest. False at the end,
 * and where the rest is no extension. */
XMTP_API bool xmtp_mls_extensions_next(xmtp_bytes *rest, xmtp_mls_extension *out);

/* ---- messages without a group */

typedef enum xmtp_mls_wire_format {
    XMTP_MLS_PUBLIC_MESSAGE = 1,
    XMTP_MLS_PRIVATE_MESSAGE = 2,
    XMTP_MLS_WELCOME = 3,
    XMTP_MLS_GROUP_INFO = 4,
    XMTP_MLS_KEY_PACKAGE = 5,
} xmtp_mls_wire_format;

typedef enum xmtp_mls_content_type {
    XMTP_MLS_CONTENT_APPLICATION = 1,
    XMTP_MLS_CONTENT_PROPOSAL = 2,
    XMTP_MLS_CONTENT_COMMIT = 3,
} xmtp_mls_content_type;

/* What anybody can see of an MLSMessage. group_id, epoch and content_type are set for public and
 * private messages. */
typedef struct xmtp_mls_message_info {
    xmtp_mls_wire_format wire_format;
    xmtp_mls_content_type content_type;
    uint64_t epoch;
    xmtp_bytes group_id;
} xmtp_mls_message_info;

/* Walks every length prefix of the message (RFC 9420 section 6), so that OK means: complete,
 * nothing left over. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_mls_message_inspect(xmtp_bytes message,
                                                              xmtp_mls_message_info *info);

/* What a GroupInfo says of its group, to whoever is no member: to make a proposal from outside, or
 * to find one's former leaf. Nothing is verified: xmtp_mls_group_join_external does that. Views into
 * the message. */
typedef struct xmtp_mls_group_info_view {
    uint16_t suite;
    xmtp_bytes group_id;
    uint64_t epoch;
    xmtp_bytes extensions;   /* of the GroupContext: content of the vector */
    xmtp_bytes ratchet_tree; /* empty when the tree travels apart */
    uint32_t signer_leaf;
} xmtp_mls_group_info_view;

/* message: an MLSMessage holding a GroupInfo, whole. XMTP_E_WIRE_FORMAT when it holds another. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_mls_group_info_inspect(xmtp_bytes message,
                                                                 xmtp_mls_group_info_view *out,
                                                                 xmtp_error *error);

/* Visits the members of a ratchet tree from left to right, until visit fails, and returns what that
 * visit returned. Nothing is verified. Views into ratchet_tree. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_mls_ratchet_tree_each(
    xmtp_bytes ratchet_tree, void *context,
    xmtp_status (*visit)(void *context, const xmtp_mls_member *member), xmtp_error *error);

/* ---- groups */

typedef struct xmtp_mls_group xmtp_mls_group;
typedef struct xmtp_mls_staged xmtp_mls_staged;
typedef struct xmtp_mls_pending xmtp_mls_pending;

typedef struct xmtp_mls_create_options {
    uint16_t suite;
    xmtp_bytes group_id;
    xmtp_mls_signer signer;
    xmtp_mls_capabilities capabilities;
    const xmtp_mls_extension *leaf_extensions;
    size_t leaf_extension_count;
    const xmtp_mls_extension *context_extensions; /* of the GroupContext, in this order */
    size_t context_extension_count;
} xmtp_mls_create_options;

/* A group of one at epoch 0 (section 11). */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_mls_group_create(xmtp_mls_group **out,
                                                           const xmtp_mls_config *config,
                                                           const xmtp_mls_create_options *options,
                                                           xmtp_mls_writes *writes,
                                                           xmtp_error *error);

typedef struct xmtp_mls_join_options {
    xmtp_bytes welcome;     /* MLSMessage holding a Welcome */
    xmtp_bytes key_package; /* our bare KeyPackage */
    const xmtp_mls_key_package_private *private_keys;
    xmtp_mls_signer signer;
    xmtp_bytes ratchet_tree;      /* when the GroupInfo has no ratchet_tree extension; else empty */
    const xmtp_mls_group *parent; /* of a branch or re-initialised group; NULL for none */
} xmtp_mls_join_options;

/* Joins by a Welcome (section 12.4.3.1), verifying every leaf signature, parent hash and the
 * confirmation tag. signer_leaf receives the leaf of the GroupInfo's signer: who added us.
 * XMTP_E_NOT_FOR_US: no entry for this key package. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_mls_group_join(
    xmtp_mls_group **out, const xmtp_mls_config *config, const xmtp_mls_join_options *options,
    uint32_t *signer_leaf, xmtp_mls_writes *writes, xmtp_error *error);

/* The group as its records say. XMTP_E_NOT_FOUND: no header record; XMTP_E_CORRUPT: records do not
 * fit together. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_mls_group_load(xmtp_mls_group **out,
                                                         const xmtp_mls_config *config,
                                                         const xmtp_mls_records *records,
                                                         xmtp_error *error);
XMTP_API void xmtp_mls_group_free(xmtp_mls_group *group); /* wipes; takes NULL */

/* Deletes what is kept longer than the configuration says: past epochs by their age, and whatever an
 * earlier configuration with higher limits left in the store. Every merge does this as well; call it
 * now and then for groups in which nothing happens. Messages of an epoch that is too old get
 * XMTP_E_EPOCH_OLD, whether or not its keys are deleted yet. A clock that went back deletes
 * nothing. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_mls_group_expire(xmtp_mls_group *group,
                                                           xmtp_mls_writes *writes,
                                                           xmtp_error *error);

/* Joining without a Welcome (section 12.4.3.2). */
typedef struct xmtp_mls_external_options {
    xmtp_bytes group_info;   /* MLSMessage holding a GroupInfo with external_pub */
    xmtp_bytes ratchet_tree; /* when the GroupInfo has no ratchet_tree extension; else empty */
    xmtp_mls_signer signer;
    xmtp_mls_capabilities capabilities;
    const xmtp_mls_extension *leaf_extensions;
    size_t leaf_extension_count;
    int64_t remove; /* our former leaf; XMTP_MLS_NO_LEAF: we were not there */
    const xmtp_mls_psk *psks;
    size_t psk_count;
    xmtp_bytes authenticated_data;
    /* Messages with SelfRemove proposals of the group's epoch, as the network gave them with the
     * group info: their senders are removed by this commit. Signatures are checked; membership tags
     * cannot be, by somebody who is not a member. */
    const xmtp_bytes *self_removes;
    size_t self_remove_count;
} xmtp_mls_external_options;

/* Makes the commit (an MLSMessage with a PublicMessage) and the group as it is once the commit has
 * been accepted. Store the writes when the network has ordered it first; free the group when
 * another commit won. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_mls_group_join_external(
    xmtp_mls_group **out, const xmtp_mls_config *config, const xmtp_mls_external_options *options,
    uint8_t **message, size_t *message_len, xmtp_mls_writes *writes, xmtp_error *error);

/* A signed GroupInfo of the current epoch (section 12.4.3) as MLSMessage, with external_pub, by
 * which others can join; with_tree: and ratchet_tree. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_mls_group_info(const xmtp_mls_group *group,
                                                         bool with_tree, uint8_t **message,
                                                         size_t *message_len, xmtp_error *error);

/* The ratchet tree of the current epoch, for welcomes and GroupInfos that go without one (section
 * 12.4.3.3). *tree is freed by the caller with env->alloc. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_mls_group_ratchet_tree(const xmtp_mls_group *group,
                                                                 uint8_t **tree, size_t *tree_len,
                                                                 xmtp_error *error);

/* Whether a ReInit ended this group: nothing can be sent in it any more. */
XMTP_API bool xmtp_mls_group_is_reinitialised(const xmtp_mls_group *group);

/* The group that the ReInit announced (section 12.1.5): one of its members creates it with exactly
 * this suite, group_id and these extensions, and adds the others by a commit with options->parent.
 * False when the group goes on. */
typedef struct xmtp_mls_reinit {
    uint16_t suite;
    xmtp_bytes group_id;
    xmtp_bytes extensions; /* content of the vector */
} xmtp_mls_reinit;

XMTP_API bool xmtp_mls_group_reinit(const xmtp_mls_group *group, xmtp_mls_reinit *out);

/* Reading a group. */
XMTP_API xmtp_bytes xmtp_mls_group_id(const xmtp_mls_group *group);
XMTP_API uint64_t xmtp_mls_group_epoch(const xmtp_mls_group *group);
XMTP_API bool
xmtp_mls_group_is_active(const xmtp_mls_group *group); /* false once we were removed */
XMTP_API uint32_t xmtp_mls_group_own_leaf(const xmtp_mls_group *group);
XMTP_API uint32_t xmtp_mls_group_member_count(const xmtp_mls_group *group);
XMTP_API uint32_t
xmtp_mls_group_leaf_count(const xmtp_mls_group *group); /* width of the tree, blanks included */
XMTP_API bool xmtp_mls_group_member(const xmtp_mls_group *group, uint32_t leaf,
                                    xmtp_mls_member *out); /* false: blank */
/* Leaf with this signature key, or XMTP_MLS_NO_LEAF. */
XMTP_API int64_t xmtp_mls_group_find(const xmtp_mls_group *group, xmtp_bytes signature_key);
/* Extensions of the GroupContext, in order. */
XMTP_API size_t xmtp_mls_group_extension_count(const xmtp_mls_group *group);
XMTP_API xmtp_mls_extension xmtp_mls_group_extension_at(const xmtp_mls_group *group, size_t index);
XMTP_API bool xmtp_mls_group_extension(const xmtp_mls_group *group, uint16_t type,
                                       xmtp_bytes *data);
XMTP_API xmtp_bytes xmtp_mls_group_epoch_authenticator(const xmtp_mls_group *group);
XMTP_API xmtp_bytes xmtp_mls_group_context(const xmtp_mls_group *group); /* encoded GroupContext */
/* MLS-Exporter of section 8.5. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_mls_group_export(const xmtp_mls_group *group,
                                                           const char *label, xmtp_bytes context,
                                                           uint8_t *out, size_t out_len);

/* SafeExportSecret of the extensions draft: the exported secret of one component in this epoch, as
 * long as the hash of the suite (out_len must be that: XMTP_E_LENGTH). It can be had once: what it
 * was derived from is deleted, here and by the writes, which must be stored before it is used.
 * XMTP_E_KEY_CONSUMED: had before in this epoch. XMTP_E_STATE: the group was stored by a version
 * without this exporter; from the next epoch on it has one. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_mls_group_export_once(xmtp_mls_group *group,
                                                                uint16_t component_id, uint8_t *out,
                                                                size_t out_len,
                                                                xmtp_mls_writes *writes,
                                                                xmtp_error *error);

/* The data of a component in an encoded AppDataDictionary: the data of an extension
 * APP_DATA_DICTIONARY of a group, leaf, key package or group info. False: has none. */
XMTP_API bool xmtp_mls_app_data_find(xmtp_bytes dictionary, uint16_t component_id,
                                     xmtp_bytes *data);

typedef struct xmtp_mls_app_data {
    uint16_t component_id;
    xmtp_bytes data;
} xmtp_mls_app_data;

/* Encodes an AppDataDictionary, for the extensions of a new group, leaf or key package. items: by
 * rising component_id (XMTP_E_APP_DATA). dictionary is freed by the caller with env->alloc. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_mls_app_data_encode(const xmtp_env *env,
                                                              const xmtp_mls_app_data *items,
                                                              size_t count, uint8_t **dictionary,
                                                              size_t *dictionary_len);

/* Encrypts an application message as PrivateMessage. message (an MLSMessage) is a view into a
 * buffer of the group: valid until its next xmtp_mls_group_protect or its end. The writes must be
 * stored before the message leaves: they burn the key. Plaintexts up to 16 KiB allocate nothing,
 * from the second on. */
XMTP_API XMTP_MUST_CHECK xmtp_status
xmtp_mls_group_protect(xmtp_mls_group *group, xmtp_bytes authenticated_data, xmtp_bytes plaintext,
                       xmtp_bytes *message, xmtp_mls_writes *writes, xmtp_error *error);

/* ---- making proposals */

/* One proposal to make (section 12.1). Only the fields of its type are looked at. */
typedef struct xmtp_mls_proposal {
    uint16_t type;          /* XMTP_MLS_PROPOSAL_..., or one of config->custom_proposals */
    xmtp_bytes key_package; /* ADD: bare KeyPackage */
    uint32_t leaf;          /* REMOVE */
    xmtp_mls_psk psk;       /* PSK; its nonce is drawn here */
    xmtp_bytes group_id;    /* REINIT: of the new group */
    uint16_t suite;         /* REINIT */
    const xmtp_mls_extension *extensions; /* GROUP_CONTEXT_EXTENSIONS, REINIT: the complete list */
    size_t extension_count;
    xmtp_bytes data;       /* custom types; APP_DATA_UPDATE: the update */
    uint16_t component_id; /* APP_DATA_UPDATE */
    bool removes_data;     /* APP_DATA_UPDATE: the component's data goes */
} xmtp_mls_proposal;

/* Makes a proposal that is sent alone and keeps it, so that own and others' commits can refer to
 * it. config->keep_proposals must be set (XMTP_E_STATE). UPDATE: fresh keys for our leaf, whose
 * private part waits with the proposal. SELF_REMOVE: asks the next committer to remove
 * us, at most once in an epoch, and goes out as PublicMessage. ref receives the ProposalRef. The writes must be stored
 * before the message leaves. */
typedef struct xmtp_mls_ref {
    uint8_t p[64];
    size_t n;
} xmtp_mls_ref;

XMTP_API XMTP_MUST_CHECK xmtp_status
xmtp_mls_group_propose(xmtp_mls_group *group, const xmtp_mls_proposal *proposal,
                       xmtp_bytes authenticated_data, uint8_t **message, size_t *message_len,
                       xmtp_mls_ref *ref, xmtp_mls_writes *writes, xmtp_error *error);

/* The proposals kept in this epoch, in the order in which they came. */
XMTP_API size_t xmtp_mls_group_kept_count(const xmtp_mls_group *group);
XMTP_API xmtp_mls_ref xmtp_mls_group_kept_ref(const xmtp_mls_group *group, size_t index);

/* A proposal from outside of a group (section 12.1.8), as PublicMessage: by the external sender at
 * sender_index of the group's external_senders, or the Add of a new member's own key package. */
typedef struct xmtp_mls_outside_proposal_options {
    uint16_t suite;
    xmtp_bytes group_id;
    uint64_t epoch;
    bool is_new_member;
    uint32_t sender_index;
    xmtp_mls_signer signer; /* identity is not looked at */
    xmtp_mls_proposal proposal;
    xmtp_bytes authenticated_data;
} xmtp_mls_outside_proposal_options;

XMTP_API XMTP_MUST_CHECK xmtp_status
xmtp_mls_propose_from_outside(const xmtp_env *env, const xmtp_mls_outside_proposal_options *options,
                              uint8_t **message, size_t *message_len, xmtp_error *error);

/* ---- making commits */

/* What one commit holds. Empty: an update of our own keys. */
typedef struct xmtp_mls_commit_options {
    const xmtp_bytes *add; /* bare KeyPackages */
    size_t add_count;
    /* More key packages, behind those above; read during the call only. */
    const xmtp_mls_verified_key_package *const *add_verified;
    size_t add_verified_count;
    const uint32_t *remove; /* leaves */
    size_t remove_count;
    const xmtp_mls_extension *context_extensions; /* the complete new list; NULL: unchanged */
    size_t context_extension_count;
    bool set_context_extensions;
    xmtp_bytes authenticated_data;
    const xmtp_mls_proposal *proposals; /* further ones by value, behind those above */
    size_t proposal_count;
    const xmtp_mls_ref *references; /* of kept proposals, behind those by value */
    size_t reference_count;
    bool without_path; /* XMTP_E_PATH_REQUIRED where section 12.4 asks for one */
    bool without_tree; /* the welcome's GroupInfo lacks the ratchet tree: joiners get it apart */
    /* To start a group that continues another one (sections 11.2, 11.3): in the commit that adds
     * its members to a new group at epoch 0. The resumption secret of parent is mixed in and named
     * in the welcome; after a ReInit that announced the group with usage REINIT, otherwise with
     * BRANCH. */
    const xmtp_mls_group *parent;
} xmtp_mls_commit_options;

/* Makes a commit without changing the group: nothing is decided until the network has ordered it.
 */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_mls_group_commit(const xmtp_mls_group *group,
                                                           const xmtp_mls_commit_options *options,
                                                           xmtp_mls_pending **out,
                                                           xmtp_error *error);
XMTP_API void xmtp_mls_pending_free(xmtp_mls_pending *pending); /* wipes; takes NULL */
XMTP_API xmtp_bytes
xmtp_mls_pending_message(const xmtp_mls_pending *pending); /* MLSMessage to send */
XMTP_API xmtp_bytes
xmtp_mls_pending_welcome(const xmtp_mls_pending *pending); /* MLSMessage; empty without an Add */
/* Whether a message from the network is this commit: an own echo, for stage_pending. */
XMTP_API bool xmtp_mls_pending_is(const xmtp_mls_pending *pending, xmtp_bytes message);
XMTP_API uint64_t
xmtp_mls_pending_epoch(const xmtp_mls_pending *pending); /* in which it was made */

/* To and from bytes, for the store: holds private keys. Decoding needs the group at the epoch in
 * which it was made: XMTP_E_EPOCH_OLD otherwise (the commit lost its race). */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_mls_pending_encode(const xmtp_mls_pending *pending,
                                                             uint8_t **out, size_t *out_len);
/* The short form, without content, message and welcome, for who keeps these elsewhere: some hundred bytes,
 * with everything that is secret. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_mls_pending_encode_short(const xmtp_mls_pending *pending,
                                                                   uint8_t **out, size_t *out_len);
/* The signed content that the message carries (RFC 9420, AuthenticatedContent, 6.1); long when many are added. A
 * view, as those above. */
XMTP_API xmtp_bytes xmtp_mls_pending_content(const xmtp_mls_pending *pending);
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_mls_pending_decode(xmtp_mls_pending **out,
                                                             const xmtp_mls_group *group,
                                                             xmtp_bytes encoded, xmtp_error *error);
/* The same from the short form and the content, which is copied; message and welcome are empty then, which
 * changes nothing for stage_pending. Of an encoding that has a content of its own that one is taken. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_mls_pending_decode_short(xmtp_mls_pending **out,
                                                                   const xmtp_mls_group *group,
                                                                   xmtp_bytes encoded,
                                                                   xmtp_bytes content,
                                                                   xmtp_error *error);

/* ---- receiving */

/* Opens and checks one message completely, and changes nothing. Merge makes it so, free forgets it.
 *
 * XMTP_E_GROUP_ID, XMTP_E_EPOCH_OLD, XMTP_E_EPOCH_FUTURE   not for this group, or not for now
 * XMTP_E_OWN_MESSAGE     sent by this member; own commits go through xmtp_mls_group_stage_pending
 * XMTP_E_KEY_CONSUMED    opened before, or too old
 * others                 the rule that the message breaks */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_mls_group_process(const xmtp_mls_group *group,
                                                            xmtp_bytes message,
                                                            xmtp_mls_staged **out,
                                                            xmtp_error *error);
/* The same for an own commit that came back: no decryption, same checks, same result. Leaves
 * pending as it is. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_mls_group_stage_pending(const xmtp_mls_group *group,
                                                                  const xmtp_mls_pending *pending,
                                                                  xmtp_mls_staged **out,
                                                                  xmtp_error *error);
/* Takes NULL. A group lends the memory of one staged object and takes it back here or in merge, so
 * that a message allocates nothing: both belong to the group's thread. */
XMTP_API void xmtp_mls_staged_free(xmtp_mls_staged *staged);

/* To and from bytes, for a decision that outlives the process: the message (the one that was
 * processed, given again) and the state of the group it was judged in, no keys. Decoding opens and
 * checks it again, except for what was decided once: config->authenticate is not asked again and
 * lifetimes are not held against the present. Own commits are stored as pending ones (XMTP_E_STATE). XMTP_E_STATE when decoding: the group has had
 * a commit since. XMTP_E_CORRUPT: damaged, or another message was given. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_mls_staged_encode(const xmtp_mls_staged *staged,
                                                            xmtp_bytes message, uint8_t **out,
                                                            size_t *out_len);
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_mls_staged_decode(xmtp_mls_staged **out,
                                                            xmtp_mls_group *group,
                                                            xmtp_bytes encoded, xmtp_error *error);

/* Makes the staged object true and consumes it (also on failure: reload the group then). */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_mls_group_merge(xmtp_mls_group *group,
                                                          xmtp_mls_staged *staged,
                                                          xmtp_mls_writes *writes,
                                                          xmtp_error *error);

/* What a staged object says. */
XMTP_API xmtp_mls_content_type xmtp_mls_staged_content_type(const xmtp_mls_staged *staged);
XMTP_API xmtp_mls_member
xmtp_mls_staged_sender(const xmtp_mls_staged *staged); /* as in the epoch it was sent in; leaf is
                                                           UINT32_MAX when it is no member */
XMTP_API uint64_t xmtp_mls_staged_message_epoch(const xmtp_mls_staged *staged);
XMTP_API xmtp_bytes xmtp_mls_staged_authenticated_data(const xmtp_mls_staged *staged);
XMTP_API xmtp_bytes xmtp_mls_staged_application_data(const xmtp_mls_staged *staged);

/* One proposal: of a staged commit, or the one that was sent alone (with keep_proposals). */
typedef struct xmtp_mls_proposal_info {
    uint16_t type;
    uint32_t sender_leaf; /* the member that proposed it; UINT32_MAX for other senders */
    xmtp_mls_member
        member;            /* Add: of the key package (leaf: where it goes); Remove, SelfRemove: who
                               is removed; Update: new leaf */
    xmtp_bytes extensions; /* GroupContextExtensions: content of the extensions vector */
    xmtp_bytes data;       /* custom types: what the proposal holds; AppDataUpdate: the update */
    uint16_t component_id; /* AppDataUpdate */
    bool removes_data;     /* AppDataUpdate */
    uint8_t sender_type;   /* 1 member, 2 external sender, 3 new member, 4 external committer */
} xmtp_mls_proposal_info;

/* ProposalRef of a staged proposal, by which a commit can refer to it; empty for other contents. */
XMTP_API xmtp_bytes xmtp_mls_staged_proposal_ref(const xmtp_mls_staged *staged);

XMTP_API size_t xmtp_mls_staged_proposal_count(const xmtp_mls_staged *staged);
XMTP_API xmtp_mls_proposal_info xmtp_mls_staged_proposal_at(const xmtp_mls_staged *staged,
                                                            size_t index);
/* The leaf that the commit's path puts in place of the committer's; false when it has no path. */
XMTP_API bool xmtp_mls_staged_path_leaf(const xmtp_mls_staged *staged, xmtp_mls_member *out);
/* GroupContext extensions after the commit: content of the vector. */
XMTP_API xmtp_bytes xmtp_mls_staged_extensions(const xmtp_mls_staged *staged);
XMTP_API uint64_t xmtp_mls_staged_epoch(const xmtp_mls_staged *staged); /* after the commit */
XMTP_API xmtp_bytes xmtp_mls_staged_epoch_authenticator(const xmtp_mls_staged *staged);
/* Whether merge would take it: it was staged from the state in which this group is. */
XMTP_API bool xmtp_mls_staged_is_current(const xmtp_mls_staged *staged,
                                         const xmtp_mls_group *group);
XMTP_API bool xmtp_mls_staged_removes_us(const xmtp_mls_staged *staged);
/* The ratchet tree after the commit, as xmtp_mls_group_ratchet_tree would give it then. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_mls_staged_ratchet_tree(const xmtp_mls_staged *staged,
                                                                  uint8_t **tree, size_t *tree_len,
                                                                  xmtp_error *error);
/* Membership after the commit, leaf by leaf, as xmtp_mls_group_member would tell it. */
XMTP_API uint32_t xmtp_mls_staged_leaf_count(const xmtp_mls_staged *staged);
XMTP_API bool xmtp_mls_staged_member(const xmtp_mls_staged *staged, uint32_t leaf,
                                     xmtp_mls_member *out);

#ifdef __cplusplus
}
#endif
#endif
