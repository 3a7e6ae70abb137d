/* credential.c - see credential.h. Nothing of the value gets into an error. */
#include "rpc/credential.h"

#include "base/bytes.h"
#include "base/status.h"

#include <inttypes.h>
#include <string.h>

static const uint64_t SECOND_NS = UINT64_C(1000000000);
static const uint64_t AHEAD_NS = UINT64_C(10) * 1000000000;

/* Fields that make the call what it is, and those of a connection, which HTTP/2 forbids (RFC 9113
 * section 8.2.2). */
static bool is_ours(const char *name)
{
    static const char *const ours[] = {
        "te",         "content-type",     "content-length",    "connection",
        "keep-alive", "proxy-connection", "transfer-encoding", "upgrade",
        "host",       "user-agent",       "x-app-version",     "x-libxmtp-version"};
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (strcmp(name, ours[i]) == 0) {
            return true;
        }
    }
    return strncmp(name, "grpc-", 5) == 0;
}

static bool keep_header(xmtp_kept_credential *kept, const char *name)
{
    size_t n = strlen(name);
    if (n == 0 || n > XMTP_CREDENTIAL_HEADER_MAX) {
        return false;
    }
    for (size_t i = 0; i <= n; i++) {
        char c = name[i];
        bool is_upper = c >= 'A' && c <= 'Z';
        bool is_good = is_upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '_' || c == '.' || i == n;
        if (!is_good) {
            return false;
        }
        kept->header[i] = (char)(is_upper ? c + ('a' - 'A') : c);
    }
    return !is_ours(kept->header);
}

static bool keep_value(xmtp_kept_credential *kept, const char *value)
{
    size_t n = value == NULL ? 0 : strlen(value);
    if (n == 0 || n > XMTP_CREDENTIAL_VALUE_MAX || value[0] == ' ' || value[n - 1] == ' ') {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (value[i] < 0x20 || value[i] > 0x7e) {
            return false;
        }
    }
    memcpy(kept->value, value, n + 1);
    return true;
}

static xmtp_status keep(xmtp_kept_credential *kept, const xmtp_credential *given, uint64_t now_ns,
                        xmtp_error *error)
{
    bool never = given->expires_at_s == 0 || given->expires_at_s > UINT64_MAX / SECOND_NS;
    kept->expires_at_ns = never ? UINT64_MAX : given->expires_at_s * SECOND_NS;
    if (kept->expires_at_ns <= now_ns) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "a credential that expired %" PRIu64 " s ago",
                         (now_ns - kept->expires_at_ns) / SECOND_NS);
    }
    if (!keep_header(kept, given->header == NULL ? "authorization" : given->header)) {
        return xmtp_fail(
            error, XMTP_E_ARGUMENT,
            "a credential's header has 1 to %d letters, digits or \"-_.\", and is none "
            "that calls have anyway",
            XMTP_CREDENTIAL_HEADER_MAX);
    }
    if (!keep_value(kept, given->value)) {
        return xmtp_fail(
            error, XMTP_E_ARGUMENT,
            "a credential has 1 to %d visible ASCII characters, with spaces inside only",
            XMTP_CREDENTIAL_VALUE_MAX);
    }
    kept->is_there = true;
    return XMTP_OK;
}

xmtp_status xmtp_credential_refresh(xmtp_kept_credential *kept, xmtp_error *error)
{
    xmtp_credential given = {.header = NULL};
    uint64_t now_ns = kept->env->now_ns(kept->env->context);
    bool is_fresh = kept->is_there &&
                    (kept->expires_at_ns == UINT64_MAX || now_ns + AHEAD_NS < kept->expires_at_ns);
    if (is_fresh) {
        return XMTP_OK;
    }
    xmtp_wipe(kept->value, sizeof(kept->value));
    kept->is_there = false;
    xmtp_status status = kept->source.get(kept->source.context, &given);
    if (status != XMTP_OK) {
        return xmtp_fail(error, status, "no credential for the gateway: %s",
                         xmtp_status_text(status));
    }
    return keep(kept, &given, now_ns, error);
}
