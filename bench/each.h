/* each.h - for benchmarks of primitives: the cost of each of several done together, in a kind of lanes.
 *
 *     bench_NAME                   microseconds of CPU for each one, least and median of many
 *     bench_NAME --avx2            as on a machine with AVX2, but without AVX-512
 *     bench_NAME --without-lanes   as on a machine without either
 */
#ifndef XMTP_BENCH_EACH_H
#define XMTP_BENCH_EACH_H

#include "base/together.h"
#include "crypto/lanes.h"
#include "mls_floor.h"

static inline xmtp_lanes_kind fastest_kind(const char *option)
{
    if (strcmp(option, "--without-lanes") == 0) {
        return XMTP_LANES_NONE;
    }
    return strcmp(option, "--avx2") == 0 ? XMTP_LANES_AVX2 : XMTP_LANES_AVX512;
}

/* The kind of lanes by the arguments of main, and the first line of the table. */
static inline void each_begin(int argc, char **argv, const char *title)
{
    xmtp_lanes_allow(fastest_kind(argc > 1 ? argv[1] : ""));
    xmtp_together_assume(1); /* what others do is not in cpu_us */
    printf("%-36s %10s %10s %10s\n", title, "together", "least", "median");
}

static inline void each_measure(const char *what, void (*run)(size_t count), size_t count)
{
    enum { ROUNDS = 400 };
    samples s = {0};
    for (size_t i = 0; i < ROUNDS; i++) {
        const double start = cpu_us();
        run(count);
        samples_add(&s, (cpu_us() - start) / (double)count);
    }
    printf("%-36s %10zu %10.2f %10.2f\n", what, count, samples_at(&s, 0), samples_at(&s, 0.5));
}

#endif
