/* json_time.c - times of RFC 3339, as actions carry them. */
#include "content/json.h"

#include <string.h>

static const uint64_t ns_per_s = 1000000000;

enum {
    YEAR_MAX = 2500, /* so that nanoseconds fit 64 bits */
    SECONDS_PER_DAY = 86400,
};

/* Days from 1970-01-01 to a day of the Gregorian calendar, years from 1970 on. */
static int64_t days_before(int64_t year, int64_t month, int64_t day)
{
    static const int16_t before_month[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    int64_t past = year - 1;
    int64_t leap_days = past / 4 - past / 100 + past / 400 - 477; /* 477 before 1970 */
    return (year - 1970) * 365 + leap_days + before_month[month - 1] +
           (is_leap && month > 2 ? 1 : 0) + day - 1;
}

static int64_t days_of_month(int64_t year, int64_t month)
{
    return month == 12 ? 31 : days_before(year, month + 1, 1) - days_before(year, month, 1);
}

/* Exactly count digits. */
static bool digits(const char **p, size_t count, int64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < count; i++, (*p)++) {
        if (**p < '0' || **p > '9') {
            return false;
        }
        *out = *out * 10 + (**p - '0');
    }
    return true;
}

static bool sign(const char **p, const char *allowed)
{
    if (**p == 0 || strchr(allowed, **p) == NULL) {
        return false;
    }
    (*p)++;
    return true;
}

/* Digits beyond nanoseconds are read and forgotten. */
static bool fraction(const char **p, uint64_t *out_ns)
{
    uint64_t weight = ns_per_s / 10;
    *out_ns = 0;
    if (**p != '.') {
        return true;
    }
    (*p)++;
    const char *start = *p;
    for (; **p >= '0' && **p <= '9'; (*p)++) {
        *out_ns += (uint64_t)(**p - '0') * weight;
        weight /= 10;
    }
    return *p > start;
}

static bool offset(const char **p, int64_t *out_seconds)
{
    int64_t hours;
    int64_t minutes;
    *out_seconds = 0;
    if (sign(p, "Zz")) {
        return true;
    }
    bool is_west = **p == '-';
    if (!sign(p, "+-") || !digits(p, 2, &hours) || !sign(p, ":") || !digits(p, 2, &minutes) ||
        hours > 23 || minutes > 59) {
        return false;
    }
    *out_seconds = (hours * 60 + minutes) * 60 * (is_west ? -1 : 1);
    return true;
}

bool xmtp_json_time_parse(const char *text, uint64_t *out_ns)
{
    const char *p = text;
    int64_t year;
    int64_t month;
    int64_t day;
    int64_t hour;
    int64_t minute;
    int64_t second;
    int64_t east;
    uint64_t ns;
    bool is_formed = digits(&p, 4, &year) && sign(&p, "-") && digits(&p, 2, &month) &&
                     sign(&p, "-") && digits(&p, 2, &day) && sign(&p, "Tt ") &&
                     digits(&p, 2, &hour) && sign(&p, ":") && digits(&p, 2, &minute) &&
                     sign(&p, ":") && digits(&p, 2, &second) && fraction(&p, &ns) &&
                     offset(&p, &east) && *p == 0;
    if (!is_formed || year < 1970 || year > YEAR_MAX || month < 1 || month > 12 || day < 1 ||
        day > days_of_month(year, month) || hour > 23 || minute > 59 || second > 60) {
        return false;
    }
    int64_t seconds =
        days_before(year, month, day) * SECONDS_PER_DAY + (hour * 60 + minute) * 60 + second - east;
    if (seconds < 0) {
        return false;
    }
    *out_ns = (uint64_t)seconds * ns_per_s + ns;
    return true;
}

static void put_digits(char *out, size_t count, int64_t value)
{
    for (size_t i = count; i > 0; i--) {
        out[i - 1] = (char)('0' + value % 10);
        value /= 10;
    }
}

void xmtp_json_time_print(uint64_t ns, char out[XMTP_JSON_TIME_LEN])
{
    int64_t seconds = (int64_t)(ns / ns_per_s);
    int64_t days = seconds / SECONDS_PER_DAY;
    int64_t rest = seconds % SECONDS_PER_DAY;
    int64_t year = 1970 + days / 366;
    while (days_before(year + 1, 1, 1) <= days) {
        year++;
    }
    int64_t month = 1;
    while (month < 12 && days_before(year, month + 1, 1) <= days) {
        month++;
    }
    int64_t day = days - days_before(year, month, 1) + 1;
    memcpy(out, "0000-00-00T00:00:00.000Z", XMTP_JSON_TIME_LEN);
    put_digits(out, 4, year);
    put_digits(out + 5, 2, month);
    put_digits(out + 8, 2, day);
    put_digits(out + 11, 2, rest / 3600);
    put_digits(out + 14, 2, rest / 60 % 60);
    put_digits(out + 17, 2, rest % 60);
    put_digits(out + 20, 3, (int64_t)(ns % ns_per_s / 1000000));
}
