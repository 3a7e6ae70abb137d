/* prompt_test.c - a prompt thread has a shorter slice, and nothing else of it changes. */
#include "base/prompt.h"

#include "base/scheduling.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
// cmocka wants the headers above first
#include <cmocka.h>

static scheduling now(void)
{
    scheduling s = {0};
    assert_int_equal(syscall(SYS_sched_getattr, 0, &s, sizeof s, 0), 0);
    return s;
}

typedef struct change {
    int policy;
    scheduling before;
    scheduling after;
} change;

static void *become_prompt(void *context)
{
    change *c = context;
    const struct sched_param none = {0};
    (void)sched_setscheduler(0, c->policy, &none);
    c->before = now();
    xmtp_thread_be_prompt();
    c->after = now();
    return NULL;
}

static change change_of(int policy)
{
    change c = {.policy = policy};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, become_prompt, &c), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    return c;
}

static void a_slice_is_shorter_where_the_kernel_has_slices(void **state)
{
    (void)state;
    const change c = change_of(SCHED_OTHER);
    assert_int_equal(c.after.policy, SCHED_OTHER);
    assert_int_equal(c.after.nice, c.before.nice);
    if (c.before.runtime == 0) { /* before Linux 6.12 */
        skip();
    }
    assert_int_equal(c.after.runtime, 200000);
}

static void another_policy_is_left_alone(void **state)
{
    (void)state;
    const change c = change_of(SCHED_BATCH);
    assert_int_equal(c.before.policy, SCHED_BATCH);
    assert_memory_equal(&c.after, &c.before, sizeof c.before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slice_is_shorter_where_the_kernel_has_slices),
        cmocka_unit_test(another_policy_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
