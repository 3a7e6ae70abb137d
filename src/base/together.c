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

/* Helpers of the whole process, of calls and of jobs. After a fork in the middle of a call the child counts some
 * that it does not have: its calls have fewer. */
static atomic_size_t helping_calls;
static atomic_size_t helping_jobs;
static atomic_size_t assumed;

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
static size_t take_helpers(atomic_size_t *of, size_t wanted, size_t most)
{
    size_t taken = atomic_load(of);
    size_t n;
    do {
        n = taken < most ? least(wanted, most - taken) : 0;
    } while (n > 0 && !atomic_compare_exchange_weak(of, &taken, taken + n));
    return n;
}

static void take_pieces(xmtp_together_job *job)
{
    const xmtp_together_work *work = &job->work;
    size_t first;
    while ((first = atomic_fetch_add(&job->next, work->piece)) < work->count) {
        work->step(work->context, first, least(work->piece, work->count - first));
    }
}

static void *help(void *argument)
{
    xmtp_together_job *job = argument;
    (void)atomic_fetch_add(&job->begun, 1);
    take_pieces(job);
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

/* Fewer where threads cannot be made. They begin with the signal mask of their maker. */
static void start_helpers(xmtp_together_job *job, size_t wanted)
{
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;
    if (pthread_attr_init(&attributes) != 0) {
        return;
    }
    (void)pthread_attr_setstacksize(&attributes, XMTP_TOGETHER_STACK);
    choose_others(&attributes);
    (void)sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) == 0) {
        while (job->helpers < wanted &&
               pthread_create(&job->threads[job->helpers], &attributes, help, job) == 0) {
            job->helpers++;
        }
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    (void)pthread_attr_destroy(&attributes);
}

/* callers: threads that take part from the beginning, and are not made: 1 or 0. */
static void begin(xmtp_together_job *job, const xmtp_together_work *work, size_t callers,
                  atomic_size_t *helping)
{
    assert(work->piece > 0 && work->piece_us > 0);
    job->work = *work;
    atomic_init(&job->next, 0);
    atomic_init(&job->begun, 0);
    job->helpers = 0;
    const size_t pieces = work->count / work->piece + (work->count % work->piece != 0);
    const size_t threads = worthwhile(work, pieces);
    if (threads > callers) {
        const size_t others = xmtp_together_processors() - 1;
        const size_t taken = take_helpers(helping, least(threads - callers, others), others);
        start_helpers(job, taken);
        (void)atomic_fetch_sub(helping, taken - job->helpers);
    }
}

/* Helpers work in memory of the caller, who cannot be cancelled while it waits for them. */
static void finish(xmtp_together_job *job, atomic_size_t *helping)
{
    int cancelling;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelling);
    take_pieces(job);
    if (atomic_load(&job->begun) < job->helpers) {
        call_back(job->threads, job->helpers);
    }
    for (size_t i = 0; i < job->helpers; i++) {
        (void)pthread_join(job->threads[i], NULL);
    }
    (void)atomic_fetch_sub(helping, job->helpers);
    job->helpers = 0;
    (void)pthread_setcancelstate(cancelling, &cancelling);
}

void xmtp_together(const xmtp_together_work *work)
{
    xmtp_together_job job;
    begin(&job, work, 1, &helping_calls);
    finish(&job, &helping_calls);
}

void xmtp_together_begin(xmtp_together_job *job, const xmtp_together_work *work)
{
    begin(job, work, 0, &helping_jobs);
}

void xmtp_together_help(xmtp_together_job *job)
{
    take_pieces(job);
}

void xmtp_together_finish(xmtp_together_job *job)
{
    finish(job, &helping_jobs);
}

void xmtp_together_drop(xmtp_together_job *job)
{
    (void)atomic_fetch_add(&job->next, job->work.count);
    xmtp_together_finish(job);
}
