/* host.c - opening and closing a host, and its poll (host.h draws what it is made of).
 *
 *     poll: news left from before? --yes--> that client
 *             |no
 *             v
 *           whom clients follow now, streams for it, what they brought, what must be queried,
 *           chores, parking  -->  news? trouble?  -->  wait until a stream has something or something
 *           is due  -->  again
 */
#include "client/host.h"
#include "rpc/grpc_transport.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPEN_MAX_DEFAULT = 64, TOPICS_MAX_DEFAULT = 10000, FOLDER_LEN_MAX = PATH_MAX - 256 };

static const uint64_t PARK_AFTER_NS = 10 * XMTP_SECOND_NS;
static const char lock_name[] = "host.lock";
static const char ephemeral_prefix[] = "ephemeral-";

void *host_allocate(const xmtp_host *host, size_t n)
{
    void *p = host->env.alloc.reallocate(host->env.alloc.context, NULL, n);
    if (p != NULL) {
        memset(p, 0, n);
    }
    return p;
}

void host_release(const xmtp_host *host, void *p)
{
    (void)host->env.alloc.reallocate(host->env.alloc.context, p, 0);
}

uint64_t host_back_off(uint64_t before_ns, uint64_t max_ns)
{
    uint64_t next_ns = before_ns == 0 ? XMTP_SECOND_NS : 2 * before_ns;
    return next_ns < max_ns ? next_ns : max_ns;
}

/* What the host tells about its node: that it is away, or not to be trusted. */
static xmtp_status as_away(xmtp_status status, const xmtp_error *why)
{
    if (xmtp_is_unreached(why->status)) {
        return why->status;
    }
    return xmtp_is_node_trouble(status) ? XMTP_E_NETWORK : status;
}

void host_note_trouble(xmtp_host *host, xmtp_client *of, xmtp_status status, const xmtp_error *why)
{
    xmtp_error told;
    (void)xmtp_fail(&told, of == NULL ? as_away(status, why) : status, "%s",
                    why->text[0] != '\0' ? why->text : xmtp_status_text(status));
    host->away = of == NULL ? told : host->away;
    if (host->trouble.status == XMTP_OK) {
        host->trouble = told;
        host->trouble_of = of;
    }
}

/* While the next try is not due yet. */
static xmtp_status still_away(const xmtp_host *host, xmtp_error *error)
{
    xmtp_status status = host->away.status == XMTP_OK ? XMTP_E_NETWORK : host->away.status;
    return xmtp_fail(error, status, "the node is still away%s%s",
                     host->away.text[0] == '\0' ? "" : ": ", host->away.text);
}

/* ---- the folder */

static xmtp_status make_temporary(xmtp_host *host, char *path, xmtp_error *error)
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(path, FOLDER_LEN_MAX, "%s/xmtp-host-XXXXXX",
                   base == NULL || base[0] == '\0' ? "/tmp" : base);
    if (mkdtemp(path) == NULL) {
        return xmtp_fail(error, XMTP_E_IO, "temporary folder cannot be made (errno %d)", errno);
    }
    host->is_temporary = true;
    return XMTP_OK;
}

static xmtp_status make_given(const char *folder, char *path, xmtp_error *error)
{
    if (strlen(folder) >= FOLDER_LEN_MAX || folder[0] == '\0') {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "a folder's name has 1 to %d bytes",
                         FOLDER_LEN_MAX - 1);
    }
    (void)snprintf(path, FOLDER_LEN_MAX, "%s", folder);
    if (mkdir(path, S_IRWXU) != 0 && errno != EEXIST) {
        return xmtp_fail(error, XMTP_E_IO, "folder %.150s cannot be made (errno %d)", path, errno);
    }
    return XMTP_OK;
}

static char *copy_text(const xmtp_host *host, const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = host_allocate(host, n);
    return copy == NULL ? NULL : memcpy(copy, text, n);
}

xmtp_status xmtp_host_folder_lock(const char *folder, bool may_make, int *fd, xmtp_error *error)
{
    char name[PATH_MAX];
    (void)snprintf(name, sizeof(name), "%s/%s", folder, lock_name);
    *fd = open(name, O_RDWR | O_CLOEXEC | (may_make ? O_CREAT : 0), S_IRUSR | S_IWUSR);
    if (*fd < 0 && errno == ENOENT && !may_make) {
        return XMTP_OK;
    }
    if (*fd < 0) {
        return xmtp_fail(error, XMTP_E_IO, "%.150s cannot be opened or made (errno %d)", name,
                         errno);
    }
    if (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
        return xmtp_fail(error, XMTP_E_LOCKED, "another host has the folder %.150s", folder);
    }
    return XMTP_OK;
}

/* Files of identities that ended with their process: nobody has their keys. */
static void delete_ephemeral(const xmtp_host *host)
{
    char name[PATH_MAX + 256];
    DIR *folder = opendir(host->folder);
    struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        if (strncmp(entry->d_name, ephemeral_prefix, sizeof(ephemeral_prefix) - 1) == 0) {
            (void)snprintf(name, sizeof(name), "%s/%s", host->folder, entry->d_name);
            (void)unlink(name);
        }
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
}

static xmtp_status open_folder(xmtp_host *host, const xmtp_host_options *options, xmtp_error *error)
{
    char path[FOLDER_LEN_MAX];
    XMTP_TRY(options->folder == NULL ? make_temporary(host, path, error)
                                     : make_given(options->folder, path, error));
    host->folder = copy_text(host, path);
    if (host->folder == NULL) {
        if (host->is_temporary) {
            (void)rmdir(path);
        }
        return xmtp_fail(error, XMTP_E_NOMEM, "no memory for a host");
    }
    XMTP_TRY(xmtp_host_folder_lock(host->folder, true, &host->lock_fd, error));
    delete_ephemeral(host);
    return XMTP_OK;
}

static void close_folder(xmtp_host *host)
{
    if (host->is_temporary && host->folder != NULL) {
        char name[PATH_MAX];
        (void)snprintf(name, sizeof(name), "%s/%s", host->folder, lock_name);
        delete_ephemeral(host);
        (void)unlink(name);
        (void)rmdir(host->folder);
    }
    if (host->lock_fd >= 0) {
        (void)close(host->lock_fd);
    }
}

/* ---- opening and closing */

static xmtp_status open_transport(xmtp_host *host, const xmtp_host_options *options,
                                  xmtp_error *error)
{
    if (options->transport != NULL && options->node_authorities != NULL) {
        return xmtp_fail(
            error, XMTP_E_ARGUMENT,
            "node_authorities go with node_url: a transport that is given has its own");
    }
    if (options->transport != NULL) {
        host->transport = options->transport;
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_grpc_transport_open(&host->own_transport, host->node_url, &host->env,
                                      options->app_version, error));
    host->transport = &host->own_transport;
    host->owns_transport = true;
    return options->node_authorities == NULL
               ? XMTP_OK
               : xmtp_grpc_transport_trust(&host->own_transport, options->node_authorities, error);
}

static void configure(xmtp_host *host, const xmtp_env *env, const xmtp_host_options *options)
{
    *host = (xmtp_host){
        .env = *env,
        .lock_fd = -1,
        .has_key = options->key != NULL,
        .open_max = options->open_max == 0 ? OPEN_MAX_DEFAULT : options->open_max,
        .park_after_ns = options->park_after_ns == 0 ? PARK_AFTER_NS : options->park_after_ns,
        .topics_max = options->topics_max == 0 ? TOPICS_MAX_DEFAULT : options->topics_max,
        .next_due_ns = UINT64_MAX,
    };
    host->topics_now = host->topics_max;
    if (host->has_key) {
        memcpy(host->key, options->key, sizeof(host->key));
    }
    xmtp_list_init(&host->seats);
    xmtp_list_init(&host->awake);
    xmtp_list_init(&host->opened);
    xmtp_list_init(&host->news);
    xmtp_list_init(&host->behind);
    host_feeds_init(host);
}

xmtp_status xmtp_host_open(xmtp_host **out, const xmtp_host_options *options, xmtp_error *error)
{
    const xmtp_env *env = options->env == NULL ? xmtp_env_system() : options->env;
    const char *url;
    *out = NULL;
    xmtp_error_clear(error);
    XMTP_TRY(xmtp_node_url(options->node_url, &url, error));
    xmtp_host *host = env->alloc.reallocate(env->alloc.context, NULL, sizeof(*host));
    XMTP_ENSURE(host != NULL, xmtp_fail(error, XMTP_E_NOMEM, "no memory for a host"));
    configure(host, env, options);
    host->node_url = copy_text(host, url);
    xmtp_status status = host->node_url == NULL
                             ? xmtp_fail(error, XMTP_E_NOMEM, "no memory for a host")
                             : open_transport(host, options, error);
    if (status == XMTP_OK) {
        status = open_folder(host, options, error);
    }
    if (status != XMTP_OK) {
        xmtp_host_close(host);
        return status;
    }
    *out = host;
    return XMTP_OK;
}

void xmtp_host_close(xmtp_host *host)
{
    if (host == NULL) {
        return;
    }
    if (host->transport != NULL) {
        host_feeds_close(host);
    }
    while (!xmtp_list_is_empty(&host->seats)) {
        xmtp_client_close(XMTP_LIST_OF(host->seats.next, host_seat, all)->client);
    }
    if (host->owns_transport) {
        host->own_transport.close(host->own_transport.context);
    }
    close_folder(host);
    host_release(host, host->folder);
    host_release(host, host->node_url);
    xmtp_alloc alloc = host->env.alloc;
    xmtp_wipe(host, sizeof(*host));
    (void)alloc.reallocate(alloc.context, host, 0);
}

xmtp_status xmtp_host_client_open(xmtp_host *host, xmtp_client **out,
                                  const xmtp_client_options *options, xmtp_error *error)
{
    *out = NULL;
    xmtp_error_clear(error);
    if (options->setup != NULL &&
        (options->setup->without_registration || options->setup->is_light)) {
        return xmtp_fail(error, XMTP_E_ARGUMENT,
                         "clients of a host are registered and may publish");
    }
    if (options->node_url != NULL || options->node_authorities != NULL ||
        options->transport != NULL || options->database_path != NULL || options->env != NULL ||
        options->app_version != NULL) {
        return xmtp_fail(error, XMTP_E_ARGUMENT,
                         "node, database file, environment and app version are the host's");
    }
    xmtp_client_options own = *options;
    xmtp_client *client;
    own.transport = host->transport;
    own.env = &host->env;
    XMTP_TRY(xmtp_client_open_in(&client, &own, host, error));
    xmtp_status status = host_seat_join(client->seat, error);
    if (status != XMTP_OK) {
        xmtp_client_close(client);
        return status;
    }
    *out = client;
    return XMTP_OK;
}

/* ---- poll */

static bool take_news(xmtp_host *host, xmtp_client **out)
{
    if (xmtp_list_is_empty(&host->news)) {
        return false;
    }
    host_seat *seat = XMTP_LIST_OF(host->news.next, host_seat, news);
    xmtp_list_remove(&seat->news);
    *out = seat->client;
    return true;
}

static xmtp_status take_trouble(xmtp_host *host, xmtp_client **out, xmtp_error *error)
{
    xmtp_error trouble = host->trouble;
    *out = host->trouble_of;
    host->trouble = (xmtp_error){0};
    host->trouble_of = NULL;
    return xmtp_fail(error, trouble.status, "%s", trouble.text);
}

static void look(xmtp_host *host)
{
    host_seats_work(host);
    host_open_streams(host);
    host_take_items(host);
    host_catch_up(host);
}

static uint64_t min_ns(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static bool has_fresh(const xmtp_host *host)
{
    return host->feeds[HOST_WELCOMES].fresh_count + host->feeds[HOST_GROUPS].fresh_count > 0;
}

/* When something is to be done without the node's telling. */
static uint64_t next_ns(const xmtp_host *host)
{
    uint64_t at_ns = min_ns(host_seats_next_ns(host), host_behind_next_ns(host));
    return has_fresh(host) ? min_ns(at_ns, host->retry_at_ns) : at_ns;
}

/* *left_ns is reduced by what was waited. */
static bool wait_some(xmtp_host *host, uint64_t *left_ns)
{
    const xmtp_transport *t = host->transport;
    uint64_t now_ns = host_now_ns(host);
    uint64_t at_ns = next_ns(host);
    uint64_t most_ns = at_ns > now_ns ? at_ns - now_ns : 1;
    uint64_t wait_ns = min_ns(most_ns, *left_ns);
    xmtp_status status = t->wait(t->context, wait_ns);
    if (*left_ns != UINT64_MAX && status == XMTP_E_TIMEOUT) {
        *left_ns -= wait_ns;
    }
    return status == XMTP_OK;
}

xmtp_status xmtp_host_poll(xmtp_host *host, uint64_t timeout_ns, xmtp_client **out,
                           xmtp_error *error)
{
    uint64_t left_ns = timeout_ns;
    uint64_t began_ns = host_now_ns(host);
    bool was_woken = false;
    *out = NULL;
    xmtp_error_clear(error);
    if (take_news(host, out)) {
        return XMTP_OK;
    }
    for (;;) {
        look(host);
        if (take_news(host, out)) {
            return XMTP_OK;
        }
        if (host->trouble.status != XMTP_OK) {
            return take_trouble(host, out, error);
        }
        if (was_woken) {
            return XMTP_OK;
        }
        /* Work counts as waiting: chores of thousands do not hold up who wants to come back. */
        if (left_ns == 0 ||
            (host_now_ns(host) > began_ns && host_now_ns(host) - began_ns >= timeout_ns)) {
            return has_fresh(host) ? still_away(host, error) : XMTP_E_TIMEOUT;
        }
        was_woken = wait_some(host, &left_ns);
    }
}

void xmtp_host_wake(xmtp_host *host)
{
    host->transport->wake(host->transport->context);
}

void xmtp_host_park_all(xmtp_host *host)
{
    host_seats_look(host);
    for (xmtp_list *l = host->awake.next, *next; l != &host->awake; l = next) {
        host_seat *seat = XMTP_LIST_OF(l, host_seat, awake);
        next = l->next;
        host_seat_park(seat);
    }
}

void xmtp_host_count(const xmtp_host *host, xmtp_host_counts *out)
{
    const host_feed *welcomes = &host->feeds[HOST_WELCOMES];
    const host_feed *groups = &host->feeds[HOST_GROUPS];
    *out = (xmtp_host_counts){
        .clients = host->seat_count,
        .awake = host->awake_count,
        .databases = host->opened_count,
        .topics = welcomes->topic_count + groups->topic_count,
        .streams = welcomes->lane_count + groups->lane_count,
        .wakes = host->wakes,
        .received = host->received,
    };
}
