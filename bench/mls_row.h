/* mls_row.h - for the MLS benchmark: one row of the table, from repetitions to a verdict.
 *
 *     prices | operation      prices | operation      prices | operation      ...
 *        floor[0]  us[0]         floor[1]  us[1]         floor[2]  us[2]
 *
 * The machine is shared: its speed changes within seconds. So each repetition has a floor of its
 * own, from prices taken just before it, and the ratio of a row is the median of us[i] / floor[i].
 * Where an operation is short, a repetition is the median of several that follow each other.
 * The first repetition only warms up.
 *
 * Other programs disturb some repetitions, and one side of a pair only. "quiet" is the ratio of the
 * tenth percentiles, which are of moments when they did not. A goal is missed when both ratios miss it.
 *
 * A row meets its goals when its ratio is below the limit of its kind, not below 1, and does not
 * rise with the number of members (see rows_judge).
 */
#ifndef BENCH_MLS_ROW_H
#define BENCH_MLS_ROW_H

#include "mls_count.h"
#include "mls_floor.h"
#include "mls_people.h"

#include <math.h>

static struct {
    bool is_json;
    double row_us;    /* time for one row */
    const char *loop; /* the only row to measure, without end */
    double loop_us;
} options = {.row_us = 4e5};

/* ---- time ---- */

/* Operations of more than a millisecond are timed by the CPU time of this thread: on a shared
 * machine the clock on the wall counts other programs too. For shorter ones reading the CPU time
 * would cost more than it mends. Beside peers (--json) all is wall time. */
enum { WALL_ONLY_US = 1000 };

typedef struct moment {
    double wall_us;
    double cpu_us;
} moment;

static moment moment_now(void)
{
    return (moment){.cpu_us = cpu_us(), .wall_us = now_us()};
}

static double moment_since(const moment *start, const moment *end)
{
    double wall_us = end->wall_us - start->wall_us;
    bool is_wall = wall_us < WALL_ONLY_US || options.is_json;
    return is_wall ? wall_us : end->cpu_us - start->cpu_us;
}

/* Every two seconds of something long. */
static void progress(const char *what, const char *tree, uint32_t members, size_t done)
{
    static double told_us;
    if (told_us == 0 || now_us() - told_us > 2e6) {
        if (told_us != 0) {
            fprintf(stderr, "    ... %s, %s, N = %u: %zu\n", what, tree, members, done);
        }
        told_us = now_us();
    }
}

/* ---- a row ---- */

typedef struct row {
    const char *name;
    const char *tree;
    uint32_t members;
    counts floor;
    bool has_floor;
    bool is_warmed_up;
    samples us;
    samples part_us; /* the call that makes bytes or reads them, without making it true */
    size_t in_a_row; /* above 0: see row_end_several */
    samples several;
    prices now;
    prices beside[SAMPLES_MAX]; /* each repetition */
    work work;
    size_t allocations;
    double started_us;
    moment start;
    moment middle;
} row;

static samples all_prices[PRICE_COUNT];

static row *row_new(const char *name, const char *tree, uint32_t members)
{
    row *r = must_have(calloc(1, sizeof *r));
    r->name = name;
    r->tree = tree;
    r->members = members;
    r->started_us = now_us();
    return r;
}

static void row_set_floor(row *r, counts floor)
{
    r->floor = floor;
    r->has_floor = true;
}

static bool row_is_wanted(const row *r)
{
    return options.loop == NULL || strcmp(options.loop, r->name) == 0;
}

static bool row_wants_more(const row *r)
{
    double elapsed = now_us() - r->started_us;
    progress(r->name, r->tree, r->members, r->us.count);
    if (counting) {
        return r->us.count == 0;
    }
    if (options.loop != NULL) {
        return row_is_wanted(r) ? elapsed < options.loop_us : r->us.count == 0;
    }
    size_t least = r->members > 1000 ? 5 : 9;
    return r->us.count < least || (elapsed < options.row_us && r->us.count < SAMPLES_MAX);
}

/* Few repetitions of something long: the prices need more samples than it has. */
static void row_sample_prices(row *r)
{
    if (options.loop != NULL || counting) {
        return;
    }
    const batches at_once = counts_batches(&r->floor);
    prices_sample(&r->now, &at_once, r->members > 1000 ? 11 : 3);
    for (int i = 0; i < PRICE_COUNT; i++) {
        samples_add(&all_prices[i], r->now.us[i]);
    }
}

static void row_begin(row *r)
{
    r->allocations = bench_tally()->allocations;
    worked = (work){0};
    r->start = moment_now();
}

static void row_middle(row *r)
{
    r->middle = moment_now();
}

static void row_add(row *r, double us, double part_us)
{
    if (!r->is_warmed_up && !counting && options.loop == NULL) {
        r->is_warmed_up = true;
        r->started_us = now_us();
        return;
    }
    if (r->us.count < SAMPLES_MAX) {
        r->beside[r->us.count] = r->now;
    }
    samples_add(&r->us, us);
    samples_add(&r->part_us, part_us);
}

static void row_end(row *r)
{
    moment end = moment_now();
    r->work = worked;
    r->allocations = bench_tally()->allocations - r->allocations;
    double us = moment_since(&r->start, &end);
    double part_us = moment_since(&r->start, &r->middle);
    if (r->in_a_row > 0) {
        samples_add(&r->several, us);
    } else {
        row_add(r, us, part_us);
    }
}

/* After in_a_row operations that followed each other: their median is one repetition. */
static void row_end_several(row *r)
{
    double us = samples_at(&r->several, 0.5);
    r->several.count = 0;
    row_add(r, us, us);
}

/* ---- what a row says ---- */

typedef struct verdict {
    const char *name;
    const char *tree;
    uint32_t members;
    double floor_us;
    double apart_us;
    double ratio;
    double quiet;
} verdict;

enum { VERDICTS_MAX = 1024 };
static verdict verdicts[VERDICTS_MAX];
static size_t verdict_count;
static size_t goals_missed;

static double quiet_ratio(samples *us, samples *floors)
{
    double floor_us = samples_at(floors, 0.1);
    return floor_us > 0 ? samples_at(us, 0.1) / floor_us : 0;
}

static verdict row_verdict(const row *r)
{
    static samples us, floors, aparts, ratios;
    us = r->us;
    floors.count = aparts.count = ratios.count = 0;
    for (size_t i = 0; i < r->us.count; i++) {
        double floor_us = counts_price(&r->floor, &r->beside[i], true);
        samples_add(&floors, floor_us);
        samples_add(&aparts, counts_price(&r->floor, &r->beside[i], false));
        samples_add(&ratios, floor_us > 0 ? r->us.us[i] / floor_us : 0);
    }
    return (verdict){.name = r->name,
                     .tree = r->tree,
                     .members = r->members,
                     .floor_us = samples_at(&floors, 0.5),
                     .apart_us = samples_at(&aparts, 0.5),
                     .ratio = samples_at(&ratios, 0.5),
                     .quiet = quiet_ratio(&us, &floors)};
}

static const char *in_units(double us, char out[16])
{
    if (us < 1000) {
        (void)snprintf(out, 16, us < 100 ? "%.1f us" : "%.0f us", us);
    } else if (us < 1e6) {
        (void)snprintf(out, 16, us < 1e5 ? "%.2f ms" : "%.0f ms", us / 1e3);
    } else {
        (void)snprintf(out, 16, "%.2f s", us / 1e6);
    }
    return out;
}

static void row_print_json(row *r, const verdict *v)
{
    printf("{\"row\":\"%s\",\"tree\":\"%s\",\"members\":%u,\"us\":%.2f,\"min_us\":%.2f,"
           "\"p90_us\":%.2f,\"part_us\":%.2f,\"floor_us\":%.2f}\n",
           r->name, r->tree, r->members, samples_at(&r->us, 0.5), samples_at(&r->us, 0),
           samples_at(&r->us, 0.9), samples_at(&r->part_us, 0.5), v->floor_us);
}

static void row_print_time(row *r)
{
    char median[16], least[16], high[16], part[16], floor_time[16], apart[16];
    const verdict v = row_verdict(r); /* before the samples are sorted */
    if (verdict_count < VERDICTS_MAX) {
        verdicts[verdict_count++] = v;
    }
    if (options.is_json) {
        row_print_json(r, &v);
        return;
    }
    printf("%-36s %-5s %6u %10s %10s %10s %10s %10s %10s %7.2f %7.2f\n", r->name, r->tree,
           r->members, in_units(samples_at(&r->us, 0.5), median),
           in_units(samples_at(&r->us, 0), least), in_units(samples_at(&r->us, 0.9), high),
           in_units(samples_at(&r->part_us, 0.5), part), in_units(v.apart_us, apart),
           in_units(v.floor_us, floor_time), v.ratio, v.quiet);
}

static bool is_message(const char *name)
{
    return strstr(name, "protect") != NULL;
}

/* Messages may not allocate; what the others allocate is only told. */
static void row_print_count(const row *r)
{
    const work *w = &r->work;
    const counts *f = &r->floor;
    bool is_equal = (double)w->sign == f->sign && (double)w->verify == f->verify &&
                    (double)w->dh == f->dh && (double)w->dh_base == f->dh_base &&
                    (double)w->aead == f->aead && !(is_message(r->name) && r->allocations > 0);
    goals_missed += !is_equal;
    printf("%-36s %-5s %6u %5zu/%-5.0f %6zu/%-6.0f %6zu/%-6.0f %6zu/%-6.0f %6zu/%-6.0f %8zu%s\n",
           r->name, r->tree, r->members, w->sign, f->sign, w->verify, f->verify, w->dh, f->dh,
           w->dh_base, f->dh_base, w->aead, f->aead, r->allocations, is_equal ? "" : "  DIFFERS");
}

/* Prints and frees. */
static void row_done(row *r)
{
    if (counting) {
        row_print_count(r);
    } else if (row_is_wanted(r) && options.loop == NULL) {
        row_print_time(r);
    }
    (void)fflush(stdout);
    free(r);
}

/* ---- the goal of a row ---- */

/* How far above its floor a row may be. Times cannot be told apart better than to 3 %. */
static const double RATIO_LIGHT = 1.3, RATIO_SMALL = 1.5, RATIO_LARGE = 2.0, RATIO_LEAST = 0.97;
/* How much the ratio may rise for each ten times as many members: log10. 0.05 is 12 %. */
static const double RISE_MAX = 0.05, RISE_DECADES_MIN = 2.5;
enum { SMALL_MAX = 100, MEMORY_MEMBERS_MIN = 1000, MEMORY_MAX = 700 /* bytes a member */ };

static double ratio_max(const verdict *v)
{
    bool is_light = is_message(v->name) || strstr(v->name, "KeyPackage") != NULL;
    return is_light ? RATIO_LIGHT : v->members <= SMALL_MAX ? RATIO_SMALL : RATIO_LARGE;
}

static double lesser(const verdict *v)
{
    return v->ratio < v->quiet ? v->ratio : v->quiet;
}

static double greater(const verdict *v)
{
    return v->ratio > v->quiet ? v->ratio : v->quiet;
}

static bool is_within(const verdict *v)
{
    return lesser(v) <= ratio_max(v) && greater(v) >= RATIO_LEAST;
}

static bool row_is_within(const row *r)
{
    const verdict v = row_verdict(r);
    return is_within(&v);
}

/* A row that misses its goal is measured again, up to three times: what is slow stays slow, while
 * what other programs do to a busy machine does not. Frees the rows that do not count. second may be
 * NULL. */
enum { ATTEMPTS_MAX = 3 };
static bool rows_settle(row *first, row *second, int *attempts)
{
    bool is_table = !counting && !options.is_json && options.loop == NULL;
    *attempts += 1;
    if (!is_table || *attempts == ATTEMPTS_MAX ||
        (row_is_within(first) && (second == NULL || row_is_within(second)))) {
        return true;
    }
    free(first);
    free(second);
    return false;
}

static void print_heading(void)
{
    if (counting) {
        printf("counted/forced%-24s %-5s %6s %11s %13s %13s %13s %13s %8s\n", "", "tree", "N",
               "sign", "verify", "X25519", "X25519 base", "AEAD", "allocs");
    } else if (!options.is_json) {
        printf("%-36s %-5s %6s %10s %10s %10s %10s %10s %10s %7s %7s\n", "operation", "tree", "N",
               "median", "min", "p90", "1st call", "floor 1x", "floor", "ratio", "quiet");
    }
}

/* ---- goals ---- */

static void missed(const verdict *v, const char *what, double is, double goal)
{
    printf("MISSED  %s, %s, N = %u: %s %.2f, goal %.2f\n", v->name, v->tree, v->members, what, is,
           goal);
    goals_missed++;
}

static bool same_row(const verdict *a, const verdict *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->tree, b->tree) == 0;
}

/* Slope of log(ratio) over log(members) through all sizes of one row, by least squares. Through
 * sizes that are near each other it says nothing: 0. */
static double rise_of(const verdict *of)
{
    double least = 1e9, most = 0;
    double n = 0, x_sum = 0, y_sum = 0, xx_sum = 0, xy_sum = 0;
    for (size_t i = 0; i < verdict_count; i++) {
        const verdict *v = &verdicts[i];
        if (same_row(v, of)) {
            double x = log10(v->members);
            least = x < least ? x : least;
            most = x > most ? x : most;
            double y = log10(lesser(v) < 1 ? 1 : lesser(v));
            n += 1;
            x_sum += x;
            y_sum += y;
            xx_sum += x * x;
            xy_sum += x * y;
        }
    }
    double width = n * xx_sum - x_sum * x_sum;
    return most - least >= RISE_DECADES_MIN ? (n * xy_sum - x_sum * y_sum) / width : 0;
}

static void judge_rise(size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (same_row(&verdicts[k], &verdicts[i])) {
            return; /* told with the first of its sizes */
        }
    }
    double rise = rise_of(&verdicts[i]);
    if (rise > RISE_MAX) {
        missed(&verdicts[i], "and larger: rise of the ratio with N (log10 a decade)", rise,
               RISE_MAX);
    }
}

static void rows_judge(void)
{
    printf("\n");
    for (size_t i = 0; i < verdict_count; i++) {
        const verdict *v = &verdicts[i];
        if (lesser(v) > ratio_max(v)) {
            missed(v, "ratio", lesser(v), ratio_max(v));
        }
        if (greater(v) < RATIO_LEAST) {
            missed(v, "BELOW THE FLOOR (a lost check, or a wrong price): ratio", greater(v),
                   RATIO_LEAST);
        }
        judge_rise(i);
    }
    printf("# %zu rows, %zu goals missed\n", verdict_count, goals_missed);
}

static void memory_judge(uint32_t members, size_t bytes)
{
    if (members >= MEMORY_MEMBERS_MIN && bytes / members > MEMORY_MAX) {
        printf("MISSED  memory, N = %u: %zu bytes a member, goal %d\n", members, bytes / members,
               MEMORY_MAX);
        goals_missed++;
    }
}

static void print_prices(void)
{
    printf("\n%-36s %10s %10s %10s\n", "primitive, as this library calls it", "median us", "p10",
           "p90");
    for (int i = 0; i < PRICE_COUNT; i++) {
        samples *p = &all_prices[i];
        printf("%-36s %10.3f %10.3f %10.3f\n", price_names[i], samples_at(p, 0.5),
               samples_at(p, 0.1), samples_at(p, 0.9));
    }
}

#endif
