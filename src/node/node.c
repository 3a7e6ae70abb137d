/* node.c - starting and stopping a node: its parts in order, and back. */
#include "base/status.h"
#include "node/config.h"
#include "node/history.h"
#include "node/inboxes.h"
#include "node/listener.h"
#include "node/node_internal.h"
#include "rpc/tls.h"

#include <stdio.h>
#include <string.h>

/* Most of their time they wait for the disk, so more than there are cores. */
enum { WORKERS = 8 };

static void publish(void *context, const xmtp_node_entry *entry)
{
    const xmtp_node *node = context;
    xmtp_node_dispatcher_publish(node->dispatcher, entry);
}

/* Clients are told too, but only an operator can do something about it. */
static void storing_changed(void *context, xmtp_status status, const xmtp_error *error)
{
    xmtp_node *node = context;
    char line[320];
    __atomic_store_n(&node->cannot_store, status != XMTP_OK, __ATOMIC_RELAXED);
    if (node->notice == NULL) {
        return;
    }
    if (status == XMTP_OK) {
        (void)snprintf(line, sizeof line, "storing works again");
    } else {
        (void)snprintf(line, sizeof line, "nothing can be stored (%s): %s",
                       xmtp_status_text(status), error->text);
    }
    node->notice(node->notice_context, line);
}

static xmtp_status open_tls(xmtp_node *node, const xmtp_node_options *options, xmtp_error *error)
{
    if (options->tls_certificate == NULL && options->tls_key == NULL) {
        return XMTP_OK;
    }
    if (options->tls_certificate == NULL || options->tls_key == NULL) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "TLS needs both a certificate and its key");
    }
    return xmtp_tls_server_open(&node->tls, &node->env->alloc, options->tls_certificate,
                                options->tls_key, error);
}

static xmtp_status open_history(xmtp_node *node, const char *dir, xmtp_error *error)
{
    const uint64_t hour_ns = UINT64_C(3600) * 1000000000;
    const xmtp_node_limits *limits = &node->services.limits;
    xmtp_node_history_options options = {.env = node->env,
                                         .dir = dir,
                                         .file_len_max = limits->history_file_len,
                                         .len_max = limits->history_len,
                                         .age_max_ns = limits->history_hours * hour_ns,
                                         .transfers_max = limits->history_transfers};
    return xmtp_node_history_open(&node->history, &options, error);
}

static xmtp_status open_access(xmtp_node *node, const xmtp_node_options *options, xmtp_error *error)
{
    xmtp_node_access_options access_options = {.env = node->env,
                                               .rates = options->rates,
                                               .notice_context = options->notice_context,
                                               .notice = options->notice};
    return xmtp_node_access_new(&node->access, &access_options, error);
}

static uint64_t days_ns(uint64_t days)
{
    return days * 24 * 3600 * 1000000000;
}

static xmtp_node_retention retention_of(const xmtp_node_options *options)
{
    return (xmtp_node_retention){.welcome_ns = days_ns(options->keep_welcomes_days),
                                 .message_ns = days_ns(options->keep_messages_days),
                                 .key_package_ns = days_ns(options->keep_key_packages_days)};
}

static xmtp_status open_retainer(xmtp_node *node, const xmtp_node_retention *retention)
{
    if (xmtp_node_retention_segment_age_ns(retention) == 0) {
        return XMTP_OK;
    }
    xmtp_node_retainer_options options = {.env = node->env,
                                          .archive = node->services.archive,
                                          .retention = *retention,
                                          .notice_context = node->notice_context,
                                          .notice = node->notice};
    return xmtp_node_retainer_new(&node->retainer, &options);
}

static xmtp_status open_parts(xmtp_node *node, const xmtp_node_options *options, xmtp_error *error)
{
    const xmtp_env *env = node->env;
    xmtp_node_services *services = &node->services;
    xmtp_node_retention retention = retention_of(options);
    xmtp_node_archive_options archive_options = {
        .env = env,
        .dir = options->data_dir,
        .index_len_max = (size_t)services->limits.index_len,
        .segment_age_ns = xmtp_node_retention_segment_age_ns(&retention),
        .notice_context = options->notice_context,
        .notice = options->notice};
    XMTP_TRY(xmtp_node_listener_check(options->listen, error));
    XMTP_ENSURE(!options->one_thread || options->listen[0] == NULL,
                xmtp_fail(error, XMTP_E_ARGUMENT, "a node of one thread listens nowhere"));
    XMTP_TRY(open_tls(node, options, error));
    XMTP_TRY(open_access(node, options, error));
    XMTP_TRY(xmtp_node_archive_open(&services->archive, &archive_options, error));
    XMTP_TRY(xmtp_node_dispatcher_new(&node->dispatcher, env, services->archive));
    XMTP_TRY(xmtp_node_inboxes_new(&services->inboxes, env, services->archive,
                                   (size_t)services->limits.inbox_states));
    xmtp_node_sequencer_options sequencer_options = {.env = env,
                                                     .archive = services->archive,
                                                     .context = node,
                                                     .publish = publish,
                                                     .changed = storing_changed,
                                                     .metrics = &node->metrics,
                                                     .has_no_thread = options->one_thread};
    XMTP_TRY(xmtp_node_sequencer_new(&services->sequencer, &sequencer_options));
    XMTP_TRY(xmtp_node_workers_new(&services->workers, env, WORKERS));
    XMTP_TRY(xmtp_node_chains_open(
        &services->chains, &(xmtp_node_chains_options){.env = env, .urls = options->chain_rpc},
        error));
    XMTP_TRY(open_history(node, options->data_dir, error));
    XMTP_TRY(open_retainer(node, &retention));
    if (options->listen[0] == NULL) {
        return XMTP_OK;
    }
    return xmtp_node_listener_open(&node->listener, node, options->listen, options->loops, error);
}

static xmtp_status keep_data_dir(xmtp_node *node, const char *dir)
{
    const xmtp_alloc *alloc = &node->env->alloc;
    size_t n = dir == NULL ? 0 : strlen(dir) + 1;
    XMTP_ENSURE(n > 0, XMTP_OK);
    node->data_dir = alloc->reallocate(alloc->context, NULL, n);
    XMTP_ENSURE(node->data_dir != NULL, XMTP_E_NOMEM);
    memcpy(node->data_dir, dir, n);
    return XMTP_OK;
}

xmtp_status xmtp_node_open(xmtp_node **out, const xmtp_node_options *options, xmtp_error *error)
{
    const xmtp_env *env = options->env == NULL ? xmtp_env_system() : options->env;
    *out = NULL;
    xmtp_node *node = env->alloc.reallocate(env->alloc.context, NULL, sizeof *node);
    XMTP_ENSURE(node != NULL, XMTP_E_NOMEM);
    *node = (xmtp_node){.env = env,
                        .services = {.env = env, .limits = options->limits},
                        .no_bidi = options->no_bidi,
                        .reflection = options->reflection,
                        .notice_context = options->notice_context,
                        .notice = options->notice};
    xmtp_node_limits_fill(&node->services.limits);
    node->rates = options->rates;
    node->started_ns = env->now_ns(env->context);
    xmtp_status status = keep_data_dir(node, options->data_dir);
    status = status == XMTP_OK ? open_parts(node, options, error) : status;
    if (status != XMTP_OK) {
        xmtp_node_close(node);
        return xmtp_fail_default(error, status, "starting the node");
    }
    *out = node;
    return XMTP_OK;
}

void xmtp_node_close(xmtp_node *node)
{
    if (node == NULL) {
        return;
    }
    xmtp_node_listener_close(node->listener); /* no call is left after this */
    xmtp_node_retainer_free(node->retainer);
    xmtp_node_workers_free(node->services.workers);
    xmtp_node_chains_free(node->services.chains);
    xmtp_node_sequencer_free(node->services.sequencer);
    xmtp_node_inboxes_free(node->services.inboxes);
    xmtp_node_dispatcher_free(node->dispatcher);
    xmtp_node_archive_close(node->services.archive);
    xmtp_node_history_close(node->history);
    xmtp_tls_server_close(node->tls);
    xmtp_node_access_free(node->access);
    (void)node->env->alloc.reallocate(node->env->alloc.context, node->data_dir, 0);
    (void)node->env->alloc.reallocate(node->env->alloc.context, node, 0);
}

uint16_t xmtp_node_port(const xmtp_node *node, size_t index)
{
    return xmtp_node_listener_port(node->listener, index);
}

xmtp_status xmtp_node_reload(xmtp_node *node, xmtp_error *error)
{
    XMTP_TRY(xmtp_node_access_reload(node->access, error));
    return node->tls == NULL ? XMTP_OK : xmtp_tls_server_reload(node->tls, error);
}
