/* env.c - the operating system as an xmtp_env. Beside together.c the only file of the lower
 * rooms that asks it anything. */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <xmtp/base.h>

static uint64_t system_now_ns(void *context)
{
    (void)context;
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static xmtp_status system_random(void *context, uint8_t *out, size_t n)
{
    (void)context;
    while (n > 0) {
        ssize_t got = getrandom(out, n, 0);
        if (got < 0 && errno != EINTR) {
            return XMTP_E_RANDOM;
        }
        if (got > 0) {
            out += got;
            n -= (size_t)got;
        }
    }
    return XMTP_OK;
}

static void system_sleep_ns(void *context, uint64_t ns)
{
    (void)context;
    struct timespec left = {.tv_sec = (time_t)(ns / 1000000000U),
                            .tv_nsec = (long)(ns % 1000000000U)};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

static void *system_reallocate(void *context, void *p, size_t n)
{
    (void)context;
    if (n == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, n);
}

const xmtp_env *xmtp_env_system(void)
{
    static const xmtp_env env = {
        .now_ns = system_now_ns,
        .random = system_random,
        .sleep_ns = system_sleep_ns,
        .alloc = {.reallocate = system_reallocate},
    };
    return &env;
}
