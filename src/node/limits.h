/* limits.h - how much one request may ask for unless told otherwise (config_table.c), with the
 * reasons (node.md section 8).
 *
 * Official clients read at most 25 MiB in one message, so no answer may be longer. Sizes of single
 * things leave room above the largest seen: a commit of a 250-member group has about 4 MB, a batch
 * of welcomes 9 MB.
 */
#ifndef XMTP_NODE_LIMITS_H
#define XMTP_NODE_LIMITS_H

enum {
    XMTP_NODE_REPLY_LEN_MAX = 24 * 1024 * 1024,

    XMTP_NODE_GROUP_MESSAGE_LEN_MAX = 25 * 1024 * 1024, /* attachments: as much as clients send */
    XMTP_NODE_WELCOME_LEN_MAX = 16 * 1024 * 1024,
    XMTP_NODE_KEY_PACKAGE_LEN_MAX = 64 * 1024,
    XMTP_NODE_IDENTITY_UPDATE_LEN_MAX = 256 * 1024, /* as XMTP_PUBLISH_UPDATE_MAX */
    XMTP_NODE_COMMIT_LOG_ENTRY_LEN_MAX = 16 * 1024,
    XMTP_NODE_HMAC_LEN_MAX = 64,

    XMTP_NODE_MESSAGES_MAX = 10000,         /* in one SendGroupMessages or SendWelcomeMessages */
    XMTP_NODE_ROWS_MAX = 100,               /* in one page */
    XMTP_NODE_KEYS_MAX = 10000,             /* FetchKeyPackages */
    XMTP_NODE_GROUPS_MAX = 10000,           /* GetNewestGroupMessage */
    XMTP_NODE_INBOXES_MAX = 10000,          /* GetIdentityUpdates, GetInboxIds */
    XMTP_NODE_COMMIT_LOG_PUBLISH_MAX = 100, /* clients send at most 10 */
    XMTP_NODE_COMMIT_LOG_QUERY_MAX = 100,   /* clients send at most 20 */
    XMTP_NODE_WALLET_CHECKS_MAX = 1000,
    XMTP_NODE_FILTERS_MAX = 100000, /* topics of one stream */
    XMTP_NODE_SESSION_TOPICS_MAX = 1000000,

    XMTP_NODE_INBOX_LOG_MAX = 256,        /* identity updates of any kind for one inbox */
    XMTP_NODE_INBOX_LOG_REVOKE_MAX = 320, /* and up to here those that only take away */
    XMTP_NODE_INBOX_STATES_MAX = 4096,    /* association states kept in memory */

    /* Connections of one loop that have not said anything of use yet. The oldest goes when there is
     * one more, so that a flood of them cannot take the place of those who talk. */
    XMTP_NODE_SILENT_MAX = 1024,
    XMTP_NODE_CALL_SECONDS_MAX = 60,
    XMTP_NODE_DRAIN_SECONDS = 10,
    XMTP_NODE_PING_SECONDS = 30, /* proxies forget what is silent for a minute */
};

/* Files of device sync. The official server takes 15 MB; ours also an archive with attachments. */
#define XMTP_NODE_HISTORY_FILE_LEN_MAX (UINT64_C(256) * 1024 * 1024)
#define XMTP_NODE_HISTORY_LEN_MAX      (UINT64_C(8) * 1024 * 1024 * 1024)
#define XMTP_NODE_HISTORY_LEN_TOP      (UINT64_C(1) << 50)
enum {
    XMTP_NODE_HISTORY_HOURS_MAX = 24 * 7,
    XMTP_NODE_HISTORY_TRANSFERS_MAX = 256, /* each holds a file descriptor */
};

#endif
