/* test_secrets.h - for tests of constant time: secrets are undefined for valgrind's memcheck, so that
 * every jump and every address that depends on one is an error. Include after <cmocka.h>.
 *
 * The test program starts itself again under valgrind; its main is
 *
 *     return secrets_are_watched() ? cmocka_run_group_tests(tests, NULL, NULL)
 *                                  : cmocka_run_group_tests(outer, NULL, NULL);
 *
 * where outer holds one test that calls run_watched. It proves something for this compiler's code
 * only, so it must run in an optimised build too. Skipped without valgrind and under sanitizers.
 */
#ifndef XMTP_CRYPTO_TEST_SECRETS_H
#define XMTP_CRYPTO_TEST_SECRETS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xmtp/base.h>

#if __has_include(<valgrind/memcheck.h>)
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <valgrind/memcheck.h>
#else
#define VALGRIND_COUNT_ERRORS             0
#define VALGRIND_MAKE_MEM_UNDEFINED(p, n) ((void)(p), (void)(n))
#define VALGRIND_MAKE_MEM_DEFINED(p, n)   ((void)(p), (void)(n))
#endif

static const char secrets_variable[] = "XMTP_SECRETS_ARE_WATCHED";

static inline bool secrets_are_watched(void)
{
    return getenv(secrets_variable) != NULL;
}

static inline void hide(const void *secret, size_t n)
{
    (void)VALGRIND_MAKE_MEM_UNDEFINED(secret, n);
}

/* For what is public by design: say why, each time. */
static inline void reveal(const void *result, size_t n)
{
    (void)VALGRIND_MAKE_MEM_DEFINED(result, n);
}

static inline unsigned errors(void)
{
    return (unsigned)VALGRIND_COUNT_ERRORS;
}

#if defined(__SANITIZE_ADDRESS__) || !__has_include(<valgrind/memcheck.h>)
static inline void run_watched(const char *suppressions)
{
    (void)suppressions;
    skip();
}
#else
extern char **environ;

static inline void write_suppressions(const char *text, char path[], size_t n)
{
    assert_true((size_t)snprintf(path, n, "/tmp/xmtp-constant-time-XXXXXX") < n);
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    (void)close(file);
}

/* This program again, watched; fails when one of its tests does. suppressions: verdicts that are
 * public, in valgrind's form, each for one function by name. */
static inline void run_watched(const char *suppressions)
{
    char path[64];
    char option[128];
    char self[4096] = {0};
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    write_suppressions(suppressions, path, sizeof path);
    (void)snprintf(option, sizeof option, "--suppressions=%s", path);
    char *arguments[] = {"valgrind", "--quiet", option, self, NULL};
    pid_t child = 0;
    int status = 0;
    assert_int_equal(setenv(secrets_variable, "1", 1), 0);
    int failed = posix_spawnp(&child, "valgrind", NULL, NULL, arguments, environ);
    if (failed == 0) {
        assert_int_equal(waitpid(child, &status, 0), child);
    }
    (void)unlink(path);
    if (failed != 0) {
        skip();
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}
#endif

#endif
