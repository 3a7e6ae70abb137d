/* status.h - every code that a function of these libraries can return.
 *
 * 0 is success, negative is failure. One code has one meaning; xmtp_status_text gives its sentence.
 * Codes are grouped by the room that raises them, so that a number in a log tells where to look.
 * Codes are only ever added: numbers never change.
 */
#ifndef XMTP_STATUS_H
#define XMTP_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* How a public function is marked: its result must be looked at, its arguments are those of printf, the
 * shared library shows it. */
#if defined(__GNUC__)
#define XMTP_MUST_CHECK          __attribute__((warn_unused_result))
#define XMTP_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define XMTP_API                 __attribute__((visibility("default")))
#else
#define XMTP_MUST_CHECK
#define XMTP_PRINTF(text, first)
#define XMTP_API
#endif

#define XMTP_STATUS_LIST(X)                                                                        \
    X(OK, 0, "ok")                                                                                 \
    /* base */                                                                                     \
    X(E_NOMEM, -1, "out of memory")                                                                \
    X(E_ARGUMENT, -2, "invalid argument")                                                          \
    X(E_STATE, -3, "not possible in this state")                                                   \
    X(E_LIMIT, -4, "a limit was exceeded")                                                         \
    X(E_TRUNCATED, -5, "input ends too early")                                                     \
    X(E_MALFORMED, -6, "malformed input")                                                          \
    X(E_TRAILING, -7, "bytes left over after the input")                                           \
    X(E_LENGTH, -8, "wrong length")                                                                \
    X(E_NOT_FOUND, -9, "not found")                                                                \
    X(E_EXISTS, -10, "exists already")                                                             \
    X(E_UNSUPPORTED, -11, "not supported")                                                         \
    X(E_RANDOM, -12, "no randomness available")                                                    \
    X(E_IO, -13, "input or output failed")                                                         \
    X(E_CLOSED, -14, "closed")                                                                     \
    X(E_TIMEOUT, -15, "timed out")                                                                 \
    X(E_CANCELLED, -16, "cancelled")                                                               \
    X(E_INTERNAL, -17, "internal error")                                                           \
    X(E_ABORTED, -18, "aborted")                                                                   \
    /* crypto */                                                                                   \
    X(E_AUTH, -100, "authentication failed: wrong key, nonce or data")                             \
    X(E_SIGNATURE, -101, "signature does not verify")                                              \
    X(E_KEY, -102, "not a valid key")                                                              \
    X(E_CRYPTO, -103, "cryptographic operation failed")                                            \
    /* mls */                                                                                      \
    X(E_VERSION, -200, "protocol version not supported")                                           \
    X(E_SUITE, -201, "cipher suite not supported or not that of the group")                        \
    X(E_WIRE_FORMAT, -202, "wire format not accepted here")                                        \
    X(E_GROUP_ID, -203, "message is for another group")                                            \
    X(E_EPOCH_OLD, -204, "message is for an epoch that has passed")                                \
    X(E_EPOCH_FUTURE, -205, "message is for an epoch that has not come")                           \
    X(E_KEY_CONSUMED, -206, "the key of this message was used or deleted already")                 \
    X(E_GENERATION, -207, "generation too far ahead")                                              \
    X(E_SENDER, -208, "sender is not a member or may not send this")                               \
    X(E_LEAF_NODE, -209, "leaf node invalid")                                                      \
    X(E_LIFETIME, -210, "lifetime does not contain the present")                                   \
    X(E_KEY_PACKAGE, -211, "key package invalid")                                                  \
    X(E_CAPABILITIES, -212, "a required capability is missing")                                    \
    X(E_EXTENSION, -213, "extension invalid or not allowed here")                                  \
    X(E_CREDENTIAL, -214, "credential not accepted")                                               \
    X(E_PROPOSAL, -215, "proposal invalid or not allowed here")                                    \
    X(E_PROPOSAL_LIST, -216, "the proposals of a commit do not go together")                       \
    X(E_PROPOSAL_REF, -217, "commit refers to a proposal that is not known")                       \
    X(E_UPDATE_PATH, -218, "update path invalid")                                                  \
    X(E_PATH_REQUIRED, -219, "commit lacks the path that its proposals require")                   \
    X(E_CONFIRMATION_TAG, -220, "confirmation tag does not match")                                 \
    X(E_MEMBERSHIP_TAG, -221, "membership tag does not match")                                     \
    X(E_PARENT_HASH, -222, "parent hash does not match")                                           \
    X(E_TREE_HASH, -223, "tree hash does not match")                                               \
    X(E_TREE, -224, "ratchet tree invalid")                                                        \
    X(E_WELCOME, -225, "welcome invalid")                                                          \
    X(E_NOT_FOR_US, -226, "welcome holds no secrets for this key package")                         \
    X(E_PSK, -227, "pre-shared key not known or not accepted")                                     \
    X(E_DUPLICATE_KEY, -228, "a key appears twice in the tree")                                    \
    X(E_OWN_MESSAGE, -229, "own message: the sender cannot open it")                               \
    X(E_REMOVED, -230, "this member was removed from the group")                                   \
    X(E_REMOVES_COMMITTER, -231, "commit removes its committer")                                   \
    X(E_UPDATES_COMMITTER, -232, "commit holds an Update by its committer")                        \
    X(E_NO_MEMBER, -233, "a proposal is for a leaf that holds no member")                          \
    X(E_CHANGED_TWICE, -234, "commit updates or removes a leaf twice")                             \
    X(E_EXTENSIONS_TWICE, -235, "commit sets the extensions of the group twice")                   \
    X(E_REINIT_NOT_ALONE, -236, "ReInit does not stand alone")                                     \
    X(E_PSK_TWICE, -237, "commit names a pre-shared key twice")                                    \
    X(E_PSK_NONCE, -238, "nonce of a pre-shared key has a wrong length")                           \
    X(E_PSK_USAGE, -239, "pre-shared key of a type or usage that may not stand here")              \
    X(E_EXTERNAL_INIT, -240, "external commit does not hold exactly one ExternalInit")             \
    X(E_EXTERNAL_PROPOSAL, -241, "external commit holds a proposal that it may not hold")          \
    X(E_EXTERNAL_REMOVE, -242, "external commit removes more than one member")                     \
    X(E_EXTERNAL_REFERENCE, -243, "external commit refers to a proposal that is no SelfRemove")    \
    X(E_SELF_REMOVE, -244, "SelfRemove does not come by reference to a public message")            \
    X(E_APP_DATA, -245, "application data of a component is missing, unordered or refused")        \
    X(E_APP_DATA_LOCKED, -246, "extensions change app_data_dictionary where AppDataUpdate has to") \
    X(E_PROPOSAL_UNSUPPORTED, -247, "a member does not support proposals of this type")            \
    X(E_CERTIFICATE, -248, "certificates of a credential do not hold together")                    \
    X(E_CERTIFICATE_KEY, -249, "certificate is not for the signature key of its leaf")             \
    X(E_LEAF_SIGNATURE, -250, "signature of a leaf node does not verify")                          \
    X(E_KEY_PACKAGE_SIGNATURE, -251, "signature of a key package does not verify")                 \
    X(E_GROUP_INFO_SIGNATURE, -252, "signature of a group info does not verify")                   \
    X(E_DUPLICATE_SIGNATURE_KEY, -253, "a signature key appears twice in the tree")                \
    X(E_DUPLICATE_INIT_KEY, -254, "init key of an added key package is in use")                    \
    X(E_KEY_KEPT, -255, "a new leaf keeps the encryption key of the one before")                   \
    X(E_LEAF_SOURCE, -256, "leaf node was made for another place")                                 \
    X(E_EXTENSION_TWICE, -257, "an extension type stands twice in a list")                         \
    X(E_EXTENSION_PLACE, -258, "extension does not belong into a leaf node")                       \
    X(E_EXTENSION_UNLISTED, -259, "extension is not in the capabilities of its leaf node")         \
    X(E_VERSION_UNSUPPORTED, -260, "leaf node does not list the version or suite of its group")    \
    X(E_EXTENSION_UNSUPPORTED, -261, "a member does not support an extension of the group")        \
    X(E_CREDENTIAL_UNLISTED, -262, "credential type is not in the capabilities of its leaf node")  \
    X(E_CREDENTIAL_UNSUPPORTED, -263, "a member does not support the credential type of another")  \
    X(E_PATH_LENGTH, -264, "update path does not have the nodes of its direct path")               \
    X(E_PATH_SECRET, -265, "update path holds no secret for this member, or a wrong one")          \
    X(E_SENDER_TYPE, -266, "this type of sender may not send this")                                \
    X(E_EXTERNAL_SENDER, -267, "the group has no such external sender")                            \
    X(E_PUBLIC_APPLICATION, -268, "application data in a public message")                          \
    X(E_NO_TREE, -269, "group info comes without its ratchet tree")                                \
    X(E_OWN_LEAF, -270, "leaf of the key package is not in the tree of the welcome")               \
    X(E_LINEAGE, -271, "group does not continue the one that it names")                            \
    X(E_EXTERNAL_PUB, -272, "group info lacks a usable external_pub")                              \
    /* identity */                                                                                 \
    X(E_ASSOCIATION, -300, "identity update breaks an association rule")                           \
    X(E_REPLAY, -301, "signature was used in an earlier identity update")                          \
    X(E_IDENTIFIER, -302, "identifier is not an address or key of its kind")                       \
    X(E_INBOX_ID, -303, "inbox id does not match")                                                 \
    /* rpc */                                                                                      \
    X(E_NETWORK, -400, "node cannot be reached")                                                   \
    X(E_PROTOCOL, -401, "peer breaks HTTP/2 or gRPC framing")                                      \
    X(E_RPC, -402, "node answered with an error")                                                  \
    X(E_RPC_INVALID, -403, "node refused the request as invalid")                                  \
    X(E_RPC_UNAVAILABLE, -404, "node is unavailable")                                              \
    X(E_RPC_UNIMPLEMENTED, -405, "node does not know this method")                                 \
    X(E_RPC_EXHAUSTED, -406, "node refused the request: limit reached")                            \
    X(E_ADDRESS, -407, "address is not of the public internet")                                    \
    X(E_UNTRUSTED, -408, "node's certificate is not trusted")                                      \
    X(E_TLS, -409, "TLS with the node failed")                                                     \
    /* store and log */                                                                            \
    X(E_DATABASE, -500, "database failed")                                                         \
    X(E_DATABASE_KEY, -501, "wrong key or not a database")                                         \
    X(E_DATABASE_VERSION, -502, "database was written by a newer version")                         \
    X(E_CORRUPT, -503, "stored data is corrupt")                                                   \
    X(E_DISK_FULL, -504, "disk full")                                                              \
    X(E_LOCKED, -505, "in use by another process")                                                 \
    X(E_MOVED, -506, "installation was moved and lives elsewhere")                                 \
    /* client */                                                                                   \
    X(E_COMMIT_INVALID, -600, "commit breaks the rules of the group")                              \
    X(E_PERMISSION, -601, "not permitted by the group's policies")                                 \
    X(E_INACTIVE, -602, "no longer a member of this conversation")                                 \
    X(E_PAUSED, -603, "conversation needs a newer version of this library")                        \
    X(E_NO_INBOX, -604, "address has no inbox on this network")                                    \
    X(E_NOT_REGISTERED, -605, "installation is not registered or was revoked")                     \
    X(E_INSTALLATIONS, -606, "inbox has too many installations")                                   \
    X(E_MEMBERSHIP, -607, "members of the group do not match its membership list")                 \
    X(E_RETRY, -608, "not finished, will be tried again")                                          \
    X(E_CONTENT, -609, "message content cannot be decoded")

typedef enum xmtp_status {
#define XMTP_STATUS_ENUM(name, value, text) XMTP_##name = value,
    XMTP_STATUS_LIST(XMTP_STATUS_ENUM)
#undef XMTP_STATUS_ENUM
} xmtp_status;

/* The sentence that belongs to a code, in English, without a final stop; for a number that is no
 * code "unknown status". Never NULL; static memory. */
XMTP_API const char *xmtp_status_text(xmtp_status status);

/* The code's name as written above without the XMTP_ prefix, such as "E_AUTH"; "E_UNKNOWN" for
 * others. */
XMTP_API const char *xmtp_status_name(xmtp_status status);

#ifdef __cplusplus
}
#endif
#endif
