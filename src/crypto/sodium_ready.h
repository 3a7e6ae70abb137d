/* sodium_ready.h - libsodium, initialised exactly once by whoever needs it first. */
#ifndef XMTP_CRYPTO_SODIUM_READY_H
#define XMTP_CRYPTO_SODIUM_READY_H

/* Lets libsodium choose the implementations for this CPU. Threads: any; cheap when done before. */
void xmtp_sodium_ready(void);

#endif
