/* signature_text.c - the lines of identity.md 3.1. */
#include "identity/signature_text.h"

#include "base/bytes.h"
#include "base/status.h"

#include <inttypes.h>
#include <stdio.h>

typedef struct civil_date {
    int64_t year;
    unsigned month; /* 1 to 12 */
    unsigned day;
} civil_date;

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0 ? 1 : 0);
}

/* Days since 1970-01-01 to a date of the Gregorian calendar. Years begin in March here, so that the
 * leap day is the last; an era is the 400 years (146097 days) after which the calendar repeats. */
static civil_date date_of(int64_t days)
{
    days += 719468; /* from 0000-03-01 */
    int64_t era = floor_div(days, 146097);
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153; /* 0 is March */
    int64_t year = era * 400 + year_of_era + (month >= 10 ? 1 : 0);
    return (civil_date){.year = year,
                        .month = (unsigned)(month < 10 ? month + 3 : month - 9),
                        .day = (unsigned)(day_of_year - (153 * month + 2) / 5 + 1)};
}

void xmtp_signature_time(uint64_t timestamp_ns, char out[XMTP_TIME_TEXT_LEN + 1])
{
    int64_t seconds = floor_div((int64_t)timestamp_ns, 1000000000);
    int64_t days = floor_div(seconds, 86400);
    unsigned of_day = (unsigned)(seconds - days * 86400);
    civil_date date = date_of(days);
    char text[64]; /* 64 bits of nanoseconds reach from 1677 to 2262: always four digits */
    (void)snprintf(text, sizeof text, "%04" PRId64 "-%02u-%02uT%02u:%02u:%02uZ", date.year,
                   date.month, date.day, of_day / 3600, of_day / 60 % 60, of_day % 60);
    memcpy(out, text, XMTP_TIME_TEXT_LEN);
    out[XMTP_TIME_TEXT_LEN] = '\0';
}

static void put_text(xmtp_writer *w, const char *text)
{
    xmtp_writer_put(w, xmtp_bytes_of_string(text));
}

static void put_hex(xmtp_writer *w, xmtp_bytes in)
{
    for (size_t i = 0; i < in.n; i++) {
        char digits[3];
        xmtp_hex_encode(digits, xmtp_bytes_of(in.p + i, 1));
        put_text(w, digits);
    }
}

static void put_identifier(xmtp_writer *w, const xmtp_identifier *id)
{
    if (id->kind == XMTP_IDENTIFIER_ETHEREUM) {
        xmtp_writer_put(w, id->value);
    } else {
        put_hex(w, id->value);
    }
}

static const char *what_is_added(const xmtp_identifier *id)
{
    switch (id->kind) {
    case XMTP_IDENTIFIER_ETHEREUM:
        return "- Link address to inbox\n  (Address: ";
    case XMTP_IDENTIFIER_PASSKEY:
        return "- Link passkey to inbox\n  (Passkey: ";
    case XMTP_IDENTIFIER_INSTALLATION:
        return "- Grant messaging access to app\n  (ID: ";
    }
    return "";
}

static const char *what_is_revoked(const xmtp_identifier *id)
{
    switch (id->kind) {
    case XMTP_IDENTIFIER_ETHEREUM:
        return "- Unlink address from inbox\n  (Address: ";
    case XMTP_IDENTIFIER_PASSKEY:
        return "- Unlink passkey from inbox\n  (Passkey: ";
    case XMTP_IDENTIFIER_INSTALLATION:
        return "- Revoke messaging access from app\n  (ID: ";
    }
    return "";
}

static const char *what_is_done(const xmtp_wire_action *action)
{
    switch (action->kind) {
    case XMTP_ACTION_NONE:
        break;
    case XMTP_ACTION_CREATE_INBOX:
        return "- Create inbox\n  (Owner: ";
    case XMTP_ACTION_ADD:
        return what_is_added(&action->subject);
    case XMTP_ACTION_REVOKE:
        return what_is_revoked(&action->subject);
    case XMTP_ACTION_CHANGE_RECOVERY:
        return "- Change inbox recovery address\n  (Address: ";
    }
    return "";
}

xmtp_status xmtp_signature_text(const xmtp_wire_update *update, xmtp_writer *w)
{
    char time[XMTP_TIME_TEXT_LEN + 1];
    xmtp_signature_time(update->client_timestamp_ns, time);
    put_text(w, "XMTP : Authenticate to inbox\n\nInbox ID: ");
    xmtp_writer_put(w, update->inbox_id);
    put_text(w, "\nCurrent time: ");
    put_text(w, time);
    put_text(w, "\n\n");
    for (size_t i = 0; i < update->action_count; i++) {
        put_text(w, i == 0 ? "" : "\n");
        put_text(w, what_is_done(&update->actions[i]));
        put_identifier(w, &update->actions[i].subject);
        put_text(w, ")");
    }
    put_text(w, "\n\nFor more info: https://xmtp.org/signatures");
    return xmtp_writer_status(w);
}
