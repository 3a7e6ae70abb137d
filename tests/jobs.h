/* jobs.h - numbered jobs, each in a process of its own, some at a time; for sim_test.c, writes_test.c.
 *
 * A job fails when its process ends in any way but exit(0): what it printed before says why, and the
 * others go on. Processes are forked, so there must be no other thread.
 */
#ifndef XMTP_TESTS_JOBS_H
#define XMTP_TESTS_JOBS_H

#include <ftw.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { JOBS_AT_ONCE_MAX = 64, JOBS_FAILED_MAX = 16 };

typedef struct jobs {
    const char *name; /* of one */
    uint64_t first;
    uint64_t count;
    uint64_t every;   /* the numbers are first, first + every, ... */
    uint64_t at_once; /* 0: one for each processor */
    void (*run)(void *context, uint64_t number);
    void *context;
    uint64_t done; /* with those that failed */
    uint64_t failures;
    uint64_t failed[JOBS_FAILED_MAX]; /* the first of them */
    double cpu_s;
    /* of those that run */
    pid_t pids[JOBS_AT_ONCE_MAX];
    uint64_t numbers[JOBS_AT_ONCE_MAX];
    uint64_t started;
    time_t told_at;
} jobs;

static uint64_t jobs_at_once(uint64_t wanted)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t n = wanted != 0 ? wanted : processors < 1 ? 1 : (uint64_t)processors;
    return n < JOBS_AT_ONCE_MAX ? n : JOBS_AT_ONCE_MAX;
}

static void jobs_start(jobs *j, uint64_t place)
{
    uint64_t number = j->first + j->started++ * j->every;
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) {
        perror("fork");
        exit(2);
    }
    if (pid == 0) {
        j->run(j->context, number);
        exit(0);
    }
    j->pids[place] = pid;
    j->numbers[place] = number;
}

static void jobs_note_failure(jobs *j, uint64_t number, int how)
{
    if (WIFSIGNALED(how)) {
        (void)fprintf(stderr, "%s %" PRIu64 " ended by signal %d\n", j->name, number,
                      WTERMSIG(how));
    }
    if (j->failures < JOBS_FAILED_MAX) {
        j->failed[j->failures] = number;
    }
    j->failures++;
}

/* Waits for one. Its place is free then. */
static uint64_t jobs_end(jobs *j)
{
    int how = 0;
    struct rusage used;
    pid_t pid = wait4(-1, &how, 0, &used);
    uint64_t place = 0;
    while (place < JOBS_AT_ONCE_MAX && j->pids[place] != pid) {
        place++;
    }
    if (pid < 0 || place == JOBS_AT_ONCE_MAX) {
        perror("wait4");
        exit(2);
    }
    if (!WIFEXITED(how) || WEXITSTATUS(how) != 0) {
        jobs_note_failure(j, j->numbers[place], how);
    }
    j->pids[place] = 0;
    j->done++;
    j->cpu_s += (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    return place;
}

/* On a terminal one line that changes; elsewhere a line each minute. */
static void jobs_tell(jobs *j)
{
    bool is_terminal = isatty(STDERR_FILENO) != 0;
    time_t now = time(NULL);
    if (now - j->told_at < (is_terminal ? 1 : 60)) {
        return;
    }
    j->told_at = now;
    (void)fprintf(stderr, "%" PRIu64 " of %" PRIu64 " %ss, %" PRIu64 " failed, %.2f CPU s each%s",
                  j->done, j->count, j->name, j->failures, j->cpu_s / (double)j->done,
                  is_terminal ? "    \r" : "\n");
}

/* Runs all; those that failed are in failures and failed. */
static void jobs_run(jobs *j)
{
    uint64_t at_once = jobs_at_once(j->at_once);
    j->told_at = time(NULL);
    while (j->started < j->count && j->started < at_once) {
        jobs_start(j, j->started);
    }
    while (j->done < j->count) {
        uint64_t place = jobs_end(j);
        jobs_tell(j);
        if (j->started < j->count) {
            jobs_start(j, place);
        }
    }
}

static int jobs_remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

/* For a job that fails: the folder of a network, by one of its databases. It lies in memory, 780 MB for
 * 50 devices, and would stay there; the same job makes it again. */
static void jobs_remove_network(const char *database)
{
    char folder[512];
    (void)snprintf(folder, sizeof(folder), "%s", database);
    *strrchr(folder, '/') = '\0';
    (void)nftw(folder, jobs_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* "seed 3, seed 9" to stderr. True: none failed. */
static bool jobs_passed(const jobs *j)
{
    for (uint64_t i = 0; i < j->failures && i < JOBS_FAILED_MAX; i++) {
        (void)fprintf(stderr, "%s%s %" PRIu64, i == 0 ? "failed: " : ", ", j->name, j->failed[i]);
    }
    if (j->failures > 0) {
        (void)fprintf(stderr, "%s\n", j->failures > JOBS_FAILED_MAX ? ", and more" : "");
    }
    return j->failures == 0;
}

#endif
