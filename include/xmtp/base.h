/* base.h - the few types that every public header shares: bytes, errors, memory, time and
 * randomness.
 *
 * Nothing here does I/O. Libraries take time, randomness and memory from a struct xmtp_env that the
 * caller passes in, so that a whole network can run on a simulated clock from one seed.
 */
#ifndef XMTP_BASE_H
#define XMTP_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xmtp/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A view of bytes that somebody else owns. Passed by value. p may be NULL only when n is 0. */
typedef struct xmtp_bytes {
    const uint8_t *p;
    size_t n;
} xmtp_bytes;

/* Why a call failed: the code, and one sentence with the numbers. Never holds secrets or message
 * text. Filled by the function that found the failure; untouched on success. */
typedef struct xmtp_error {
    xmtp_status status;
    char text[248];
} xmtp_error;

/* Memory. reallocate(context, NULL, n) allocates, reallocate(context, p, 0) frees and returns NULL.
 * Returns NULL when there is no memory. Contents are not cleared. */
typedef struct xmtp_alloc {
    void *context;
    void *(*reallocate)(void *context, void *p, size_t n);
} xmtp_alloc;

/* The outside world, as far as the libraries need it.
 *
 * now_ns   nanoseconds since 1970-01-01 UTC; may jump, also backwards
 * random   fills out with n unpredictable bytes, or fails and leaves out undefined
 * sleep_ns waits; a simulation advances its clock instead. Used only for back-off between tries.
 *
 * A env is read-only once passed and must outlive every object made with it. Threads: the functions
 * must be callable from every thread that uses an object made with this env. */
typedef struct xmtp_env {
    void *context;
    uint64_t (*now_ns)(void *context);
    xmtp_status (*random)(void *context, uint8_t *out, size_t n);
    void (*sleep_ns)(void *context, uint64_t ns);
    xmtp_alloc alloc;
} xmtp_env;

/* The operating system's clock, getrandom(2) and malloc. Never NULL, static memory. Threads: any.
 */
XMTP_API const xmtp_env *xmtp_env_system(void);

#ifdef __cplusplus
}
#endif
#endif
