/* sodium_ready.c - libsodium, initialised exactly once by whoever needs it first. */
#include "crypto/sodium_ready.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

static void initialise(void)
{
    if (sodium_init() < 0) {
        abort(); /* no source of randomness on this machine: nothing here would be safe */
    }
}

void xmtp_sodium_ready(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, initialise);
}
