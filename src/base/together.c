/* together.c - see together.h.
 *
 * Pieces are taken from a counter rather than cut into equal shares beforehand: a helper begins 20 to 90 us
 * after the caller, and on a busy machine much later or when nothing is left to do.
 *
 * Where a thread begins is the kernel's choice, and some kernels of virtual machines choose the processor of
 * its maker while another is idle: it then waits until the maker rests. So helpers are sent to the other
 * processors. One that has not begun when everything is done waits behind somebody else there, and is called
 * back to where the caller now rests.
 */
#include "base/together.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

enum { HELPERS_MAX = XMTP_TOGETHER_MAX - 1 };

/* Of the whole process. After a fork in the middle of a call the child counts helpers that it does not
 * have: its calls have fewer. */
static atomic_size_t helper_count;
static atomic_size_t assumed;

typedef struct together {
    const xmtp_together_work *work;
    atomic_size_t next;  /* the first item that nobody has taken */
    atomic_size_t begun; /* helpers */
} together;

void xmtp_together_assume(size_t processors)
{
    atomic_store_explicit(&assumed, processors, memory_order_relaxed);
}

/* Those that are running and that the process is not kept from. */
static size_t usable_processors(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    const long count =
        sched_getaffinity(0, sizeof set, &set) == 0
            ? CPU_COUNT(&set)
            : sysconf(_SC_NPROCESSORS_ONLN); /* more of them than the set has room for */
    return count < 1 ? 1 : (size_t)count;
}

size_t xmtp_together_processors(void)
{
    size_t count = atomic_load_explicit(&assumed, memory_order_relaxed);
    if (count == 0) {
        count = usable_processors();
    }
    return count < XMTP_TOGETHER_MAX ? count : XMTP_TOGETHER_MAX;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* For how many threads there is work. */
static size_t worthwhile(const xmtp_together_work *work, size_t pieces)
{
    const size_t pieces_each = (XMTP_TOGETHER_WORTH_US + work->piece_us - 1) / work->piece_us;
    return pieces / pieces_each;
}

/* How many more helpers there may be, of those wanted; they count from now on. */
static size_t take_helpers(size_t wanted, size_t most)
{
    size_t taken = atomic_load(&helper_count);
    size_t n;
    do {
        n = taken < most ? least(wanted, most - taken) : 0;
    } while (n > 0 && !atomic_compare_exchange_weak(&helper_count, &taken, taken + n));
    return n;
}

static void give_helpers(size_t n)
{
    (void)atomic_fetch_sub(&helper_count, n);
}

static void take_pieces(together *t)
{
    const xmtp_together_work *work = t->work;
    size_t first;
    while ((first = atomic_fetch_add(&t->next, work->piece)) < work->count) {
        work->step(work->context, first, least(work->piece, work->count - first));
    }
}

static void *help(void *argument)
{
    together *t = argument;
    (void)atomic_fetch_add(&t->begun, 1);
    take_pieces(t);
    return NULL;
}

/* For a thread that shall begin on another processor than this one, where there is another. */
static void choose_others(pthread_attr_t *attributes)
{
    cpu_set_t others;
    const int here = sched_getcpu();
    CPU_ZERO(&others);
    if (here >= 0 && sched_getaffinity(0, sizeof others, &others) == 0) {
        CPU_CLR((size_t)here, &others);
    }
    if (CPU_COUNT(&others) > 0) {
        (void)pthread_attr_setaffinity_np(attributes, sizeof others, &others);
    }
}

static void call_back(const pthread_t *threads, size_t n)
{
    cpu_set_t one;
    const int here = sched_getcpu();
    if (here < 0) {
        return;
    }
    CPU_ZERO(&one);
    CPU_SET((size_t)here, &one);
    for (size_t i = 0; i < n; i++) {
        (void)pthread_setaffinity_np(threads[i], sizeof one, &one);
    }
}

/* How many of the wanted threads came to be. They begin with the signal mask of their maker. */
static size_t start_helpers(together *t, pthread_t *threads, size_t wanted)
{
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;
    size_t n = 0;
    if (pthread_attr_init(&attributes) != 0) {
        return 0;
    }
    (void)pthread_attr_setstacksize(&attributes, XMTP_TOGETHER_STACK);
    choose_others(&attributes);
    (void)sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) == 0) {
        while (n < wanted && pthread_create(&threads[n], &attributes, help, t) == 0) {
            n++;
        }
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    (void)pthread_attr_destroy(&attributes);
    return n;
}

/* The helpers work in this frame: the caller cannot be cancelled out of it while it waits for them. */
static void work_with(together *t, size_t helpers)
{
    pthread_t threads[HELPERS_MAX];
    int cancelling;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelling);
    const size_t n = start_helpers(t, threads, helpers);
    take_pieces(t);
    if (atomic_load(&t->begun) < n) {
        call_back(threads, n);
    }
    for (size_t i = 0; i < n; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    (void)pthread_setcancelstate(cancelling, &cancelling);
}

void xmtp_together(const xmtp_together_work *work)
{
    assert(work->piece > 0 && work->piece_us > 0);
    together t = {.work = work};
    const size_t pieces = work->count / work->piece + (work->count % work->piece != 0);
    size_t wanted = worthwhile(work, pieces);
    size_t helpers = 0;
    if (wanted > 1) {
        const size_t processors = xmtp_together_processors();
        helpers = take_helpers(least(wanted, processors) - 1, processors - 1);
    }
    if (helpers == 0) {
        take_pieces(&t);
        return;
    }
    work_with(&t, helpers);
    give_helpers(helpers);
}
