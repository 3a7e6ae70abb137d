/* status.h - how our functions report failure: return the code, leave, write the sentence once. */
#ifndef XMTP_BASE_STATUS_H
#define XMTP_BASE_STATUS_H

#include <xmtp/base.h>

/* The only two macros with a hidden return. They make a parser read as a list of facts. */
#define XMTP_TRY(call)                                                                             \
    do {                                                                                           \
        xmtp_status try_status_ = (call);                                                          \
        if (try_status_ != XMTP_OK) {                                                              \
            return try_status_;                                                                    \
        }                                                                                          \
    } while (0)

#define XMTP_ENSURE(condition, status)                                                             \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            return (status);                                                                       \
        }                                                                                          \
    } while (0)

/* Writes code and sentence into error (which may be NULL) and returns the code, so that a failing
 * function can end with: return xmtp_fail(error, XMTP_E_EPOCH_OLD, "commit for epoch %" PRIu64 ",
 * group is at ..."). */
xmtp_status xmtp_fail(xmtp_error *error, xmtp_status status, const char *format, ...)
    XMTP_PRINTF(3, 4);

/* Like xmtp_fail, but keeps a sentence that a function below has already written for the same code.
 * Used where a lower room returns a code and may or may not have explained it. */
xmtp_status xmtp_fail_default(xmtp_error *error, xmtp_status status, const char *what);

#endif
