/* exec.c - one thread and one child process for each message that --exec handles, at most
 * EXEC_AT_A_TIME.
 *
 *   agent's thread:  start --> defer            finish: answers, done or fail, free the job
 *                      |                            ^
 *   job's thread:      +--> child: in, out, exit ---+ post
 *
 * A job belongs to its thread until it is posted, then to the agent's thread. The list of jobs is
 * locked, because ending the agent looks at it.
 */
#include "cli/exec.h"

#include "cli/cli.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

typedef struct job {
    struct job *next;
    exec_runner *runner;
    xmtp_agent *agent;
    const xmtp_message *message; /* valid until done or fail */
    pthread_t thread;
    pid_t child; /* 0: none; under the runner's lock */
    char *input;
    char *output;
    size_t output_len;
    char failure[120]; /* empty: it went well */
} job;

struct exec_runner {
    const char *command;
    long timeout_s;
    pthread_mutex_t lock;
    job *jobs;
    bool is_ending;
};

exec_runner *exec_runner_new(const char *command, long timeout_s)
{
    exec_runner *runner = calloc(1, sizeof *runner);
    if (runner != NULL) {
        runner->command = command;
        runner->timeout_s = timeout_s;
        pthread_mutex_init(&runner->lock, NULL);
    }
    return runner;
}

/* ---- the child */

static void fail_job(job *j, const char *what, int number)
{
    (void)snprintf(j->failure, sizeof j->failure, "%s %d", what, number);
}

static bool make_pipes(int in[2], int out[2])
{
    if (pipe(in) != 0) {
        return false;
    }
    if (pipe(out) != 0) {
        close(in[0]);
        close(in[1]);
        return false;
    }
    return true;
}

/* Its own process group, so that ending it ends what it started. */
static int spawn_shell(pid_t *child, const char *command, const int in[2], const int out[2])
{
    char *arguments[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
                         (char *)(uintptr_t)command, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    sigaddset(&defaults, SIGINT);
    sigaddset(&defaults, SIGTERM);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    int error = posix_spawn(child, "/bin/sh", &actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* One write of input and one read of output, as far as they are ready. false: the output has ended
 * or is too long. */
static bool exchange(job *j, struct pollfd fds[2], size_t *written, size_t input_len)
{
    if (fds[0].fd >= 0 && fds[0].revents != 0) {
        ssize_t n = write(fds[0].fd, j->input + *written, input_len - *written);
        *written += n > 0 ? (size_t)n : 0;
        if ((n < 0 && errno != EINTR) || *written == input_len) {
            close(fds[0].fd); /* a command that does not read its input is no failure */
            fds[0].fd = -1;
        }
    }
    if (fds[1].revents == 0) {
        return true;
    }
    ssize_t n = read(fds[1].fd, j->output + j->output_len, EXEC_OUTPUT_MAX - j->output_len);
    j->output_len += n > 0 ? (size_t)n : 0;
    if (j->output_len == EXEC_OUTPUT_MAX) {
        fail_job(j, "command printed more bytes than", EXEC_OUTPUT_MAX - 1);
        return false;
    }
    return n > 0 || (n < 0 && errno == EINTR);
}

static void talk(job *j, int to_child, int from_child)
{
    struct pollfd fds[2] = {{.fd = to_child, .events = POLLOUT},
                            {.fd = from_child, .events = POLLIN}};
    size_t input_len = strlen(j->input);
    size_t written = 0;
    int64_t end_ms = now_ms() + j->runner->timeout_s * 1000;
    for (;;) {
        int64_t left_ms = end_ms - now_ms();
        if (left_ms <= 0) {
            fail_job(j, "command took longer than seconds:", (int)j->runner->timeout_s);
            break;
        }
        (void)poll(fds, 2, left_ms > 1000 ? 1000 : (int)left_ms);
        if (!exchange(j, fds, &written, input_len)) {
            break;
        }
        fds[0].revents = 0;
        fds[1].revents = 0;
    }
    if (fds[0].fd >= 0) {
        close(fds[0].fd);
    }
}

static void set_child(job *j, pid_t child)
{
    pthread_mutex_lock(&j->runner->lock);
    j->child = child;
    if (child != 0 && j->runner->is_ending) {
        (void)kill(-child, SIGTERM);
    }
    pthread_mutex_unlock(&j->runner->lock);
}

static void run_child(job *j)
{
    int in[2];
    int out[2];
    pid_t child;
    int status = 0;
    if (!make_pipes(in, out)) {
        fail_job(j, "no pipe: error", errno);
        return;
    }
    int error = spawn_shell(&child, j->runner->command, in, out);
    close(in[0]);
    close(out[1]);
    if (error != 0) {
        fail_job(j, "command not started: error", error);
        close(in[1]);
        close(out[0]);
        return;
    }
    set_child(j, child);
    talk(j, in[1], out[0]);
    close(out[0]);
    if (j->failure[0] != '\0') {
        (void)kill(-child, SIGKILL);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    set_child(j, 0);
    if (j->failure[0] == '\0' && WIFSIGNALED(status)) {
        fail_job(j, "command was ended by signal", WTERMSIG(status));
    } else if (j->failure[0] == '\0' && WEXITSTATUS(status) != 0) {
        fail_job(j, "command ended with code", WEXITSTATUS(status));
    }
}

/* ---- the end of a job, on the agent's thread */

static xmtp_status give_answer(const job *j, const cJSON *answer)
{
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(answer, "text");
    const cJSON *to = cJSON_GetObjectItemCaseSensitive(answer, "to");
    const cJSON *reply = cJSON_GetObjectItemCaseSensitive(answer, "reply");
    if (!cJSON_IsString(text) || (to != NULL && !cJSON_IsString(to))) {
        return XMTP_E_MALFORMED;
    }
    if (to != NULL) {
        return xmtp_agent_send_for(j->agent, j->message, to->valuestring, text->valuestring);
    }
    return cJSON_IsTrue(reply) ? xmtp_agent_reply_to(j->agent, j->message, text->valuestring)
                               : xmtp_agent_reply(j->agent, j->message, text->valuestring);
}

static void give_answers(job *j)
{
    char *line = j->output;
    int number = 1;
    j->output[j->output_len] = '\0';
    for (; line != NULL && *line != '\0' && j->failure[0] == '\0'; number++) {
        char *end = strchr(line, '\n');
        if (end != NULL) {
            *end = '\0';
        }
        cJSON *answer = line[strspn(line, " \t\r")] == '\0' ? NULL : cJSON_Parse(line);
        if (answer == NULL && line[strspn(line, " \t\r")] != '\0') {
            fail_job(j, "command printed something that is no JSON in line", number);
        } else if (answer != NULL && give_answer(j, answer) != XMTP_OK) {
            fail_job(j, "command's answer cannot be sent: line", number);
        }
        cJSON_Delete(answer);
        line = end == NULL ? NULL : end + 1;
    }
}

static void forget_job(job *j)
{
    pthread_mutex_lock(&j->runner->lock);
    for (job **link = &j->runner->jobs; *link != NULL; link = &(*link)->next) {
        if (*link == j) {
            *link = j->next;
            break;
        }
    }
    pthread_mutex_unlock(&j->runner->lock);
    cJSON_free(j->input);
    free(j->output);
    free(j);
}

static void finish_job(xmtp_agent *agent, void *argument)
{
    job *j = argument;
    (void)pthread_join(j->thread, NULL);
    if (j->failure[0] == '\0') {
        give_answers(j);
    }
    if (j->failure[0] != '\0') {
        fprintf(stderr, "xmtp agent: %s\n", j->failure);
        xmtp_agent_fail(agent, j->message, j->failure);
    } else if (xmtp_agent_done(agent, j->message) != XMTP_OK) {
        fprintf(stderr, "xmtp agent: %s\n", xmtp_agent_error(agent)->text);
        xmtp_agent_stop(agent);
    }
    forget_job(j);
}

static void *run_job(void *argument)
{
    job *j = argument;
    run_child(j);
    /* When the agent is closing the job stays in the list, and exec_runner_free ends it. */
    (void)!xmtp_agent_post(j->agent, finish_job, j);
    return NULL;
}

/* ---- start and end */

static job *new_job(exec_runner *runner, xmtp_agent *agent, const xmtp_message *message)
{
    job *j = calloc(1, sizeof *j);
    if (j == NULL) {
        return NULL;
    }
    cJSON *object = cli_message_json(message);
    char *text = cJSON_PrintUnformatted(object);
    cJSON_Delete(object);
    *j = (job){.runner = runner, .agent = agent, .message = message};
    j->output = malloc(EXEC_OUTPUT_MAX + 1);
    if (text != NULL) {
        size_t n = strlen(text);
        j->input = cJSON_malloc(n + 2);
        if (j->input != NULL) {
            memcpy(j->input, text, n);
            memcpy(j->input + n, "\n", 2);
        }
        cJSON_free(text);
    }
    return j;
}

void exec_runner_start(exec_runner *runner, xmtp_agent *agent, const xmtp_message *message)
{
    job *j = new_job(runner, agent, message);
    if (j == NULL) {
        xmtp_agent_fail(agent, message, "no memory");
        return;
    }
    pthread_mutex_lock(&runner->lock);
    j->next = runner->jobs;
    runner->jobs = j;
    bool is_started =
        j->input != NULL && j->output != NULL && pthread_create(&j->thread, NULL, run_job, j) == 0;
    pthread_mutex_unlock(&runner->lock);
    if (!is_started) {
        forget_job(j);
        xmtp_agent_fail(agent, message, "no memory or thread for the command");
        return;
    }
    xmtp_agent_defer(agent, message);
}

void exec_runner_free(exec_runner *runner)
{
    if (runner == NULL) {
        return;
    }
    pthread_mutex_lock(&runner->lock);
    runner->is_ending = true;
    for (job *j = runner->jobs; j != NULL; j = j->next) {
        if (j->child != 0) {
            (void)kill(-j->child, SIGTERM);
        }
    }
    pthread_mutex_unlock(&runner->lock);
    while (runner->jobs != NULL) {
        job *j = runner->jobs;
        (void)pthread_join(j->thread, NULL);
        forget_job(j);
    }
    pthread_mutex_destroy(&runner->lock);
    free(runner);
}
