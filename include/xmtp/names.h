/* names.h - how long the names of people and devices are. */
#ifndef XMTP_NAMES_H
#define XMTP_NAMES_H

enum {
    XMTP_INBOX_ID_LEN = 64,      /* lower-case hex digits, without the zero byte */
    XMTP_ADDRESS_LEN = 42,       /* "0x" and 40 hex digits */
    XMTP_INSTALLATION_LEN = 32,  /* bytes of an Ed25519 public key */
    XMTP_INSTALLATIONS_MAX = 10, /* per inbox; only the client that registers looks at it */
};

#endif
