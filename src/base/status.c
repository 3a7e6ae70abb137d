/* status.c - the texts of all status codes, and the one function that fills an xmtp_error. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

const char *xmtp_status_text(xmtp_status status)
{
    switch (status) {
#define STATUS_TEXT(name, value, text)                                                             \
    case XMTP_##name:                                                                              \
        return text;
        XMTP_STATUS_LIST(STATUS_TEXT)
#undef STATUS_TEXT
    }
    return "unknown status";
}

const char *xmtp_status_name(xmtp_status status)
{
    switch (status) {
#define STATUS_NAME(name, value, text)                                                             \
    case XMTP_##name:                                                                              \
        return #name;
        XMTP_STATUS_LIST(STATUS_NAME)
#undef STATUS_NAME
    }
    return "E_UNKNOWN";
}

xmtp_status xmtp_fail(xmtp_error *error, xmtp_status status, const char *format, ...)
{
    if (error != NULL) {
        error->status = status;
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(error->text, sizeof error->text, format, arguments);
        va_end(arguments);
    }
    return status;
}

xmtp_status xmtp_fail_default(xmtp_error *error, xmtp_status status, const char *what)
{
    if (error != NULL && (error->status != status || error->text[0] == '\0')) {
        return xmtp_fail(error, status, "%s: %s", what, xmtp_status_text(status));
    }
    return status;
}
