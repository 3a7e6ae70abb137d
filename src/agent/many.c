/* many.c - the loop of all agents of a host: one poll, and a step of whom it names.
 *
 *     poll (host) --client has news--> step of its agent     a step handles what is in the agent's queue
 *       ^                                                    and comes back; a parked agent that nothing
 *       |                                                    is for is not touched
 *       '-- until something comes, a retry is due, or somebody posts
 */
#include "agent/agent.h"
#include "base/status.h"

#include <stdlib.h>

typedef struct place {
    const xmtp_client *client;
    xmtp_agent *agent;
    uint64_t next_ns; /* of a message that waits for its next attempt */
} place;

typedef struct crowd {
    xmtp_host *host;
    const xmtp_env *env;
    place *places; /* by the address of the client */
    size_t count;
    xmtp_agent **failed;
} crowd;

static int compare(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t)((const place *)a)->client;
    uintptr_t y = (uintptr_t)((const place *)b)->client;
    return x < y ? -1 : x > y;
}

static place *find(const crowd *c, const xmtp_client *client)
{
    const place wanted = {.client = client};
    return client == NULL ? NULL : bsearch(&wanted, c->places, c->count, sizeof wanted, compare);
}

static xmtp_status fill(crowd *c, xmtp_agent *const *agents)
{
    for (size_t i = 0; i < c->count; i++) {
        if (xmtp_agent_host(agents[i]) != c->host) {
            *c->failed = agents[i];
            return XMTP_E_ARGUMENT;
        }
        c->places[i] = (place){.client = xmtp_agent_client(agents[i]), .agent = agents[i]};
    }
    qsort(c->places, c->count, sizeof *c->places, compare);
    return XMTP_OK;
}

static xmtp_status step(const crowd *c, place *p)
{
    if (xmtp_agent_is_stopped(p->agent)) {
        xmtp_agent_run_posts(p->agent);
        p->next_ns = UINT64_MAX;
        return XMTP_OK;
    }
    xmtp_status status = xmtp_agent_step(p->agent, &p->next_ns);
    if (status == XMTP_OK || status == XMTP_E_TIMEOUT) {
        return XMTP_OK;
    }
    *c->failed = p->agent;
    return status;
}

/* Whose retry is due, who was posted to, and of whom somebody else ended a message. */
static xmtp_status step_due(const crowd *c)
{
    uint64_t now_ns = c->env->now_ns(c->env->context);
    for (size_t i = 0; i < c->count; i++) {
        place *p = &c->places[i];
        if (p->next_ns <= now_ns || xmtp_agent_is_due(p->agent)) {
            XMTP_TRY(step(c, p));
        }
    }
    return XMTP_OK;
}

static bool is_over(const crowd *c)
{
    for (size_t i = 0; i < c->count; i++) {
        if (!xmtp_agent_is_stopped(c->places[i].agent)) {
            return false;
        }
    }
    return true;
}

static uint64_t until_next(const crowd *c)
{
    uint64_t now_ns = c->env->now_ns(c->env->context);
    uint64_t next_ns = UINT64_MAX;
    for (size_t i = 0; i < c->count; i++) {
        uint64_t own_ns = xmtp_agent_is_due(c->places[i].agent) ? now_ns : c->places[i].next_ns;
        next_ns = own_ns < next_ns ? own_ns : next_ns;
    }
    return next_ns == UINT64_MAX ? UINT64_MAX : next_ns > now_ns ? next_ns - now_ns : 0;
}

static void tell_connection(const crowd *c, xmtp_status status, const xmtp_error *why)
{
    for (size_t i = 0; i < c->count; i++) {
        xmtp_agent_tell_connection(c->places[i].agent, status, why);
    }
}

static xmtp_status poll_once(const crowd *c)
{
    xmtp_client *client;
    xmtp_error why = {0};
    xmtp_status status = xmtp_host_poll(c->host, until_next(c), &client, &why);
    bool is_quiet = status == XMTP_OK || status == XMTP_E_TIMEOUT;
    place *p = find(c, client);
    if (is_quiet ? xmtp_agent_host_has_streams(c->host) : p == NULL) {
        tell_connection(c, status, &why); /* not when a post ended the poll of a host without any */
    }
    if (p == NULL) {
        return XMTP_OK;
    }
    if (status == XMTP_OK) {
        XMTP_TRY(step(c, p));
    } else if (!xmtp_agent_is_passing(status)) {
        xmtp_agent_set_error(p->agent, &why);
        *c->failed = p->agent;
        return status;
    }
    return XMTP_OK;
}

/* As xmtp_agent_run: what was posted before the end is called. */
static void run_last_posts(const crowd *c)
{
    for (size_t i = 0; i < c->count; i++) {
        xmtp_agent_run_posts(c->places[i].agent);
    }
}

static xmtp_status run(const crowd *c)
{
    for (size_t i = 0; i < c->count; i++) {
        XMTP_TRY(step(c, &c->places[i])); /* what was left in the queues */
    }
    while (!is_over(c)) {
        XMTP_TRY(poll_once(c));
        XMTP_TRY(step_due(c));
    }
    return XMTP_OK;
}

xmtp_status xmtp_agent_run_all(xmtp_host *host, xmtp_agent *const *agents, size_t count,
                               xmtp_agent **failed)
{
    const xmtp_env *env = xmtp_agent_env_of(host);
    xmtp_agent *ignored;
    crowd c = {.host = host, .env = env, .count = count};
    c.failed = failed == NULL ? &ignored : failed;
    *c.failed = NULL;
    if (count == 0) {
        return XMTP_OK;
    }
    c.places = env->alloc.reallocate(env->alloc.context, NULL, count * sizeof *c.places);
    XMTP_ENSURE(c.places != NULL, XMTP_E_NOMEM);
    xmtp_status status = fill(&c, agents);
    if (status == XMTP_OK) {
        status = run(&c);
        run_last_posts(&c);
    }
    (void)env->alloc.reallocate(env->alloc.context, c.places, 0);
    return status;
}
