/* together_test.c - each piece is done once, by as many threads as there may be, and none is left. */
#include "base/together.h"

#include "base/test_threads.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
// cmocka wants the headers above first
#include <cmocka.h>

/* ---- threads that are made, counted */

static atomic_size_t joined;
static atomic_size_t cancellable; /* joins that a cancellation would have ended */

int __real_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_join(pthread_t thread, void **result)
{
    int before;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    atomic_fetch_add(&cancellable, before != PTHREAD_CANCEL_DISABLE);
    (void)pthread_setcancelstate(before, &before);
    atomic_fetch_add(&joined, 1);
    return __real_pthread_join(thread, result);
}

static atomic_size_t called_back; /* threads sent to one processor after they were made */

int __real_pthread_setaffinity_np(pthread_t thread, size_t n, const cpu_set_t *set);
int __wrap_pthread_setaffinity_np(pthread_t thread, size_t n, const cpu_set_t *set);
int __wrap_pthread_setaffinity_np(pthread_t thread, size_t n, const cpu_set_t *set)
{
    atomic_fetch_add(&called_back, CPU_COUNT(set) == 1);
    const int result = __real_pthread_setaffinity_np(thread, n, set);
    if (threads_wait != NULL) {
        (void)sem_post(threads_wait);
    }
    return result;
}

static int set_up(void **state)
{
    (void)state;
    threads_made = joined = cancellable = called_back = 0;
    threads_wait = NULL;
    threads_refused_from = SIZE_MAX;
    xmtp_together_assume(4);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    xmtp_together_assume(0);
    return threads_made == joined && cancellable == 0 ? 0 : -1;
}

/* ---- steps */

enum { ITEMS_MAX = 1000, WORTH = XMTP_TOGETHER_WORTH_US };

typedef struct items {
    size_t count;
    size_t piece;
    atomic_uint done[ITEMS_MAX];
    atomic_size_t elsewhere; /* steps that another thread did than the caller's */
    pthread_t caller;
} items;

static void mark(void *context, size_t first, size_t count)
{
    items *all = context;
    assert_true(first % all->piece == 0 && count >= 1 && count <= all->piece);
    assert_true(count == all->piece || first + count == all->count);
    for (size_t i = first; i < first + count; i++) {
        atomic_fetch_add(&all->done[i], 1);
    }
    atomic_fetch_add(&all->elsewhere, !pthread_equal(pthread_self(), all->caller));
}

/* Marks all, each once; how many threads were made for it. */
static size_t threads_for(size_t count, size_t piece, size_t piece_us)
{
    items all = {.count = count, .piece = piece, .caller = pthread_self()};
    const size_t before = threads_made;
    xmtp_together(&(xmtp_together_work){
        .count = count, .piece = piece, .piece_us = piece_us, .step = mark, .context = &all});
    for (size_t i = 0; i < ITEMS_MAX; i++) {
        assert_int_equal(all.done[i], i < count ? 1 : 0);
    }
    assert_true(threads_made > before || all.elsewhere == 0);
    assert_int_equal(threads_made, joined);
    return threads_made - before;
}

/* ---- tests */

static void each_item_is_done_once_in_pieces(void **state)
{
    (void)state;
    for (size_t processors = 1; processors <= XMTP_TOGETHER_MAX + 1; processors++) {
        xmtp_together_assume(processors);
        for (size_t count = 0; count < 100; count++) {
            (void)threads_for(count, 1 + count % 9, WORTH);
        }
        (void)threads_for(ITEMS_MAX, 1, WORTH);
        (void)threads_for(ITEMS_MAX, ITEMS_MAX, WORTH);
    }
}

static void a_thread_is_made_for_each_processor_and_so_much_work(void **state)
{
    (void)state;
    assert_int_equal(threads_for(0, 8, WORTH), 0);
    assert_int_equal(threads_for(8, 8, 100 * WORTH), 0); /* one piece cannot be shared */
    assert_int_equal(threads_for(9, 8, WORTH), 1);
    assert_int_equal(threads_for(16, 8, WORTH - 1), 0);
    assert_int_equal(threads_for(24, 8, WORTH - 1), 0); /* two pieces each, and one is left over */
    assert_int_equal(threads_for(32, 8, WORTH - 1), 1);
    assert_int_equal(threads_for(3, 1, WORTH), 2);
    assert_int_equal(threads_for(4, 1, WORTH), 3);
    assert_int_equal(threads_for(100, 1, WORTH), 3);
    assert_int_equal(threads_for(100, 1, 1), 0);
    xmtp_together_assume(1);
    assert_int_equal(threads_for(100, 1, WORTH), 0);
    xmtp_together_assume(1000);
    assert_int_equal(threads_for(100, 1, WORTH), XMTP_TOGETHER_MAX - 1);
}

static void threads_that_cannot_be_made_are_done_without(void **state)
{
    (void)state;
    for (threads_refused_from = 0; threads_refused_from < 4; threads_refused_from++) {
        threads_made = joined = 0;
        assert_int_equal(threads_for(100, 1, WORTH), threads_refused_from);
        assert_int_equal(threads_for(100, 1, WORTH), 0);
    }
}

static void only_processors_that_the_process_may_use_count(void **state)
{
    (void)state;
    cpu_set_t before;
    cpu_set_t one;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++) {
        if (CPU_ISSET(i, &before)) {
            CPU_SET(i, &one);
        }
    }
    xmtp_together_assume(0);
    const size_t all = xmtp_together_processors();
    assert_int_equal(all, CPU_COUNT(&before) < XMTP_TOGETHER_MAX ? CPU_COUNT(&before)
                                                                 : XMTP_TOGETHER_MAX);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(xmtp_together_processors(), 1);
    assert_int_equal(threads_for(100, 1, WORTH), 0);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    assert_int_equal(threads_for(100, 1, WORTH), all - 1);
}

/* ---- what helpers are like */

static size_t processors_of_this_thread(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    return (size_t)CPU_COUNT(&set);
}

typedef struct meeting {
    pthread_barrier_t all_are_here;
    atomic_size_t open_signals; /* of helpers */
    atomic_size_t processors;   /* of helpers, added up */
    pthread_t caller;
} meeting;

/* Ends only when each of the threads has taken one. */
static void meet(void *context, size_t first, size_t count)
{
    meeting *m = context;
    (void)first;
    (void)count;
    sigset_t blocked;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    if (!pthread_equal(pthread_self(), m->caller)) {
        atomic_fetch_add(&m->open_signals, !sigismember(&blocked, SIGUSR1));
        atomic_fetch_add(&m->open_signals, !sigismember(&blocked, SIGALRM));
        atomic_fetch_add(&m->processors, processors_of_this_thread());
    }
    (void)pthread_barrier_wait(&m->all_are_here);
}

static xmtp_together_work meeting_of(meeting *m, unsigned count)
{
    *m = (meeting){.caller = pthread_self()};
    assert_int_equal(pthread_barrier_init(&m->all_are_here, NULL, count), 0);
    return (xmtp_together_work){
        .count = count, .piece = 1, .piece_us = WORTH, .step = meet, .context = m};
}

static void helpers_work_beside_the_caller_and_take_no_signals(void **state)
{
    (void)state;
    meeting m;
    sigset_t before;
    sigset_t after;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &before);
    const xmtp_together_work work = meeting_of(&m, 4);
    xmtp_together(&work);
    assert_int_equal(m.open_signals, 0);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_int_equal(sigismember(&after, SIGUSR1), sigismember(&before, SIGUSR1));
    assert_int_equal(sigismember(&after, SIGALRM), sigismember(&before, SIGALRM));
    (void)pthread_barrier_destroy(&m.all_are_here);
}

static void helpers_begin_on_other_processors_than_the_caller(void **state)
{
    (void)state;
    meeting m;
    const size_t all = processors_of_this_thread();
    const xmtp_together_work work = meeting_of(&m, 4);
    xmtp_together(&work);
    assert_int_equal(m.processors, 3 * (all > 1 ? all - 1 : 1));
    assert_int_equal(processors_of_this_thread(), all);
    (void)pthread_barrier_destroy(&m.all_are_here);
}

static void a_helper_that_never_began_is_called_to_the_callers_processor(void **state)
{
    (void)state;
    sem_t wait;
    assert_int_equal(sem_init(&wait, 0, 0), 0);
    threads_wait = &wait; /* until it is called */
    assert_int_equal(threads_for(100, 1, WORTH), 3);
    assert_int_equal(called_back, 3);
    assert_int_equal(sem_destroy(&wait), 0);
}

/* ---- jobs */

static xmtp_together_work marking(items *all)
{
    return (xmtp_together_work){
        .count = all->count, .piece = all->piece, .piece_us = WORTH, .step = mark, .context = all};
}

static void assert_done_once(const items *all)
{
    for (size_t i = 0; i < ITEMS_MAX; i++) {
        assert_int_equal(all->done[i], i < all->count ? 1 : 0);
    }
}

static void a_job_is_begun_by_helpers_and_finished_by_all(void **state)
{
    (void)state;
    for (size_t processors = 1; processors <= XMTP_TOGETHER_MAX + 1; processors++) {
        xmtp_together_assume(processors);
        for (size_t count = 0; count < 40; count++) {
            items all = {.count = count, .piece = 1 + count % 5, .caller = pthread_self()};
            const xmtp_together_work work = marking(&all);
            const size_t pieces = (count + all.piece - 1) / all.piece;
            const size_t others =
                (processors < XMTP_TOGETHER_MAX ? processors : XMTP_TOGETHER_MAX) - 1;
            const size_t before = threads_made;
            xmtp_together_job job;
            xmtp_together_begin(&job, &work);
            assert_int_equal(threads_made - before, pieces < others ? pieces : others);
            if (count % 2 == 0) {
                xmtp_together_help(&job);
            }
            xmtp_together_finish(&job);
            assert_done_once(&all);
        }
    }
}

static void a_job_of_little_work_has_no_helper(void **state)
{
    (void)state;
    items all = {.count = 9, .piece = 1, .caller = pthread_self()};
    xmtp_together_work work = marking(&all);
    xmtp_together_job job;
    work.piece_us = WORTH / 10;
    xmtp_together_begin(&job, &work);
    assert_int_equal(threads_made, 0);
    assert_int_equal(all.done[0], 0);
    xmtp_together_finish(&job);
    assert_done_once(&all);
}

static void of_a_job_that_is_dropped_nobody_begins_anything_more(void **state)
{
    (void)state;
    items all = {.count = 9, .piece = 1, .caller = pthread_self()};
    const xmtp_together_work work = marking(&all);
    xmtp_together_job job;
    threads_refused_from = 0;
    xmtp_together_begin(&job, &work);
    xmtp_together_drop(&job);
    assert_int_equal(all.done[0], 0);
    threads_refused_from = SIZE_MAX;
    items many = {.count = ITEMS_MAX, .piece = 1, .caller = pthread_self()};
    const xmtp_together_work begun = marking(&many);
    xmtp_together_begin(&job, &begun);
    xmtp_together_drop(&job);
    assert_int_equal(threads_made, joined);
    for (size_t i = 0; i < ITEMS_MAX; i++) {
        assert_true(many.done[i] <= 1);
    }
}

/* One job more than there are processors for begins with the caller; calls have helpers of their own. */
static void jobs_share_their_helpers_and_calls_theirs(void **state)
{
    (void)state;
    items first = {.count = 50, .piece = 1, .caller = pthread_self()};
    items second = first;
    const xmtp_together_work one = marking(&first);
    const xmtp_together_work other = marking(&second);
    xmtp_together_job jobs[2];
    xmtp_together_begin(&jobs[0], &one);
    assert_int_equal(threads_made, 3);
    xmtp_together_begin(&jobs[1], &other);
    assert_int_equal(threads_made, 3);
    items during = {.count = 50, .piece = 1, .caller = pthread_self()};
    const xmtp_together_work call = marking(&during);
    xmtp_together(&call);
    assert_int_equal(threads_made, 6);
    xmtp_together_finish(&jobs[1]);
    xmtp_together_finish(&jobs[0]);
    assert_done_once(&first);
    assert_done_once(&second);
    assert_done_once(&during);
    items later = {.count = 50, .piece = 1, .caller = pthread_self()};
    const xmtp_together_work again = marking(&later);
    xmtp_together_begin(&jobs[0], &again);
    assert_int_equal(threads_made, 9); /* they are given back */
    xmtp_together_finish(&jobs[0]);
}

/* ---- several calls at once */

typedef struct nest {
    meeting inner;
    size_t made_inside;
} nest;

static void call_again(void *context, size_t first, size_t count)
{
    nest *n = context;
    (void)count;
    if (first == 0) {
        const size_t before = threads_made;
        items all = {.count = 50, .piece = 1, .caller = pthread_self()};
        xmtp_together(&(xmtp_together_work){
            .count = 50, .piece = 1, .piece_us = WORTH, .step = mark, .context = &all});
        n->made_inside = threads_made - before;
    }
    (void)pthread_barrier_wait(&n->inner.all_are_here);
}

static void all_calls_share_the_helpers_of_a_process(void **state)
{
    (void)state;
    nest n;
    xmtp_together_assume(3);
    xmtp_together_work work = meeting_of(&n.inner, 3); /* takes both helpers, until all met */
    work.step = call_again;
    work.context = &n;
    xmtp_together(&work);
    assert_int_equal(n.made_inside, 0);
    assert_int_equal(threads_for(50, 1, WORTH), 2); /* they are given back */
    (void)pthread_barrier_destroy(&n.inner.all_are_here);
}

static void *call_often(void *context)
{
    items *all = context;
    for (size_t i = 0; i < 200; i++) {
        xmtp_together(&(xmtp_together_work){.count = all->count,
                                            .piece = all->piece,
                                            .piece_us = WORTH,
                                            .step = mark,
                                            .context = all});
    }
    return NULL;
}

static void many_threads_may_call_at_once(void **state)
{
    (void)state;
    enum { CALLERS = 6 };
    static items all[CALLERS];
    pthread_t callers[CALLERS];
    for (size_t i = 0; i < CALLERS; i++) {
        all[i].count = 20 + i;
        all[i].piece = 1 + i;
        assert_int_equal(__real_pthread_create(&callers[i], NULL, call_often, &all[i]), 0);
    }
    for (size_t i = 0; i < CALLERS; i++) {
        assert_int_equal(__real_pthread_join(callers[i], NULL), 0);
        for (size_t k = 0; k < all[i].count; k++) {
            assert_int_equal(all[i].done[k], 200);
        }
    }
    assert_int_equal(threads_made, joined);
    assert_int_equal(threads_for(50, 1, WORTH), 3);
}

static void a_caller_can_be_cancelled_before_and_after_but_not_while_it_waits(void **state)
{
    (void)state;
    int before;
    assert_int_equal(threads_for(50, 1, WORTH), 3);
    assert_int_equal(cancellable, 0);
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    assert_int_equal(before, PTHREAD_CANCEL_ENABLE);
    assert_int_equal(threads_for(50, 1, WORTH), 3);
    (void)pthread_setcancelstate(before, &before);
    assert_int_equal(before, PTHREAD_CANCEL_DISABLE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_item_is_done_once_in_pieces),
        TEST(a_thread_is_made_for_each_processor_and_so_much_work),
        TEST(threads_that_cannot_be_made_are_done_without),
        TEST(only_processors_that_the_process_may_use_count),
        TEST(helpers_work_beside_the_caller_and_take_no_signals),
        TEST(helpers_begin_on_other_processors_than_the_caller),
        TEST(a_helper_that_never_began_is_called_to_the_callers_processor),
        TEST(a_job_is_begun_by_helpers_and_finished_by_all),
        TEST(a_job_of_little_work_has_no_helper),
        TEST(of_a_job_that_is_dropped_nobody_begins_anything_more),
        TEST(jobs_share_their_helpers_and_calls_theirs),
        TEST(all_calls_share_the_helpers_of_a_process),
        TEST(many_threads_may_call_at_once),
        TEST(a_caller_can_be_cancelled_before_and_after_but_not_while_it_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
