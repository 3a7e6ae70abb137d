/* metrics.c - one list of figures, and three ways to write it. */
#include "node/metrics.h"

#include "base/bytes.h"
#include "node/config.h"
#include "node/node_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

const uint64_t xmtp_node_append_bounds_ns[XMTP_NODE_APPEND_BUCKETS - 1] = {
    100000, 300000, 1000000, 3000000, 10000000, 30000000, 100000000, 300000000, 1000000000,
};

void xmtp_node_count_append(xmtp_node_metrics *metrics, size_t jobs, bool has_failed,
                            uint64_t took_ns)
{
    size_t bucket = 0;
    while (bucket < XMTP_NODE_APPEND_BUCKETS - 1 && took_ns > xmtp_node_append_bounds_ns[bucket]) {
        bucket++;
    }
    xmtp_node_count(&metrics->appends, 1);
    xmtp_node_count(&metrics->append_jobs, jobs);
    xmtp_node_count(&metrics->append_failures, has_failed ? 1 : 0);
    xmtp_node_count(&metrics->append_ns, took_ns);
    xmtp_node_count(&metrics->append_buckets[bucket], 1);
}

static uint64_t value_of(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* ---- the list */

typedef enum figure_type { FIGURE_COUNTER, FIGURE_GAUGE, FIGURE_HISTOGRAM } figure_type;

/* One sample. The first of a name has help; others with its name follow it. */
typedef struct figure {
    const char *name;  /* without xmtp_node_ */
    const char *label; /* NULL: none */
    const char *label_value;
    figure_type type;
    const char *help; /* NULL: another sample of the same */
    double value;
} figure;

typedef void (*figure_visit)(xmtp_writer *out, const figure *f);

static void put(xmtp_writer *out, const char *text)
{
    xmtp_writer_put(out, xmtp_bytes_of_string(text));
}

typedef struct list {
    xmtp_writer *out;
    figure_visit visit;
} list;

static void add(const list *l, figure_type type, const char *name, const char *help, double value)
{
    figure f = {.name = name, .type = type, .help = help, .value = value};
    l->visit(l->out, &f);
}

static void add_labelled(const list *l, figure_type type, const char *name, const char *help,
                         const char *label, const char *label_value, double value)
{
    figure f = {.name = name,
                .label = label,
                .label_value = label_value,
                .type = type,
                .help = help,
                .value = value};
    l->visit(l->out, &f);
}

static void list_archive(xmtp_node *node, const list *l)
{
    static const struct {
        const char *name;
        xmtp_node_kind kind;
    } kinds[] = {{"group_message", XMTP_NODE_GROUP_MESSAGE},
                 {"welcome", XMTP_NODE_WELCOME},
                 {"key_package", XMTP_NODE_KEY_PACKAGE},
                 {"identity_update", XMTP_NODE_IDENTITY_UPDATE},
                 {"commit_log", XMTP_NODE_COMMIT_LOG}};
    xmtp_node_archive_figures figures;
    struct statvfs st;
    xmtp_node_archive *archive = node->services.archive;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        add_labelled(l, FIGURE_COUNTER, "stored_total",
                     i == 0 ? "records stored, by kind: the newest id of each" : NULL, "kind",
                     kinds[i].name, (double)xmtp_node_archive_last_id(archive, kinds[i].kind));
    }
    xmtp_node_archive_measure(archive, &figures);
    add(l, FIGURE_GAUGE, "log_segments", "files of the log", (double)figures.segments);
    add(l, FIGURE_GAUGE, "log_bytes", "length of the log's files", (double)figures.log_len);
    add(l, FIGURE_GAUGE, "topics", "groups and installations with something stored",
        (double)figures.topics);
    add(l, FIGURE_GAUGE, "identifiers", "addresses and keys that are or were in an inbox",
        (double)figures.identifiers);
    if (node->data_dir != NULL && statvfs(node->data_dir, &st) == 0) {
        add(l, FIGURE_GAUGE, "disk_free_bytes", "room on the data folder's disk",
            (double)st.f_bavail * (double)st.f_frsize);
    }
}

static void list_calls(const xmtp_node_metrics *m, const list *l)
{
    static const char *const rates[] = {"read", "write", "stream"};
    double ended = (double)value_of(&m->connections_ended);
    double streams_ended = (double)value_of(&m->streams_ended);
    add(l, FIGURE_COUNTER, "connections_total", "connections accepted",
        (double)value_of(&m->connections));
    add(l, FIGURE_GAUGE, "connections", "connections that are open",
        (double)value_of(&m->connections) - ended);
    add(l, FIGURE_GAUGE, "streams", "streams that are open",
        (double)value_of(&m->streams) - streams_ended);
    for (size_t i = 0; i < 3; i++) {
        add_labelled(l, FIGURE_COUNTER, "calls_total", i == 0 ? "calls that came, by class" : NULL,
                     "class", rates[i], (double)value_of(&m->calls[i]));
    }
    add_labelled(l, FIGURE_COUNTER, "calls_refused_total",
                 "calls refused before they were looked at", "reason", "rate",
                 (double)value_of(&m->rate_refused));
    add_labelled(l, FIGURE_COUNTER, "calls_refused_total", NULL, "reason", "denied",
                 (double)value_of(&m->denied));
    add(l, FIGURE_COUNTER, "connections_refused_total",
        "connections of addresses that had as many as they may",
        (double)value_of(&m->connections_refused));
    for (int i = 0; i < XMTP_NODE_GRPC_CODES; i++) {
        char code[8];
        (void)snprintf(code, sizeof code, "%d", i);
        add_labelled(l, FIGURE_COUNTER, "calls_ended_total",
                     i == 0 ? "unary calls answered, by gRPC status" : NULL, "code", code,
                     (double)value_of(&m->ended[i]));
    }
}

static void list_appends(const xmtp_node_metrics *m, const list *l)
{
    uint64_t count = 0;
    add(l, FIGURE_COUNTER, "append_jobs_total", "requests that were stored",
        (double)value_of(&m->append_jobs));
    add(l, FIGURE_COUNTER, "append_failures_total", "appends that failed",
        (double)value_of(&m->append_failures));
    for (int i = 0; i < XMTP_NODE_APPEND_BUCKETS; i++) {
        char bound[24] = "+Inf";
        if (i < XMTP_NODE_APPEND_BUCKETS - 1) {
            (void)snprintf(bound, sizeof bound, "%g", (double)xmtp_node_append_bounds_ns[i] / 1e9);
        }
        count += value_of(&m->append_buckets[i]);
        add_labelled(l, FIGURE_HISTOGRAM, "append_seconds_bucket",
                     i == 0 ? "time of one append with its sync" : NULL, "le", bound,
                     (double)count);
    }
    add(l, FIGURE_HISTOGRAM, "append_seconds_sum", NULL, (double)value_of(&m->append_ns) / 1e9);
    add(l, FIGURE_HISTOGRAM, "append_seconds_count", NULL, (double)count);
}

static double resident_bytes(void)
{
    unsigned long size;
    unsigned long resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file != NULL && fscanf(file, "%lu %lu", &size, &resident) != 2) {
        resident = 0;
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static void list_process(const xmtp_node *node, const list *l)
{
    struct rusage usage;
    uint64_t now_ns = node->env->now_ns(node->env->context);
    uint64_t up_ns = now_ns > node->started_ns ? now_ns - node->started_ns : 0;
    (void)getrusage(RUSAGE_SELF, &usage);
    add(l, FIGURE_GAUGE, "up_seconds", "time since the start", (double)(up_ns / 1000000000));
    add(l, FIGURE_GAUGE, "resident_bytes", "memory in use", resident_bytes());
    add(l, FIGURE_COUNTER, "cpu_seconds_total", "processor time used",
        (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
            (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
}

static void list_all(xmtp_node *node, xmtp_writer *out, figure_visit visit)
{
    list l = {.out = out, .visit = visit};
    add(&l, FIGURE_GAUGE, "storing", "1: what clients send is stored; 0: the disk fails or is full",
        __atomic_load_n(&node->cannot_store, __ATOMIC_RELAXED) ? 0 : 1);
    list_process(node, &l);
    list_archive(node, &l);
    list_calls(&node->metrics, &l);
    list_appends(&node->metrics, &l);
}

/* ---- as text for Prometheus */

static void put_number(xmtp_writer *out, double value)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%.15g", value);
    put(out, text);
}

static void put_labelled(xmtp_writer *out, const figure *f, const char *quote)
{
    put(out, f->name);
    if (f->label != NULL) {
        put(out, "{");
        put(out, f->label);
        put(out, "=");
        put(out, quote);
        put(out, f->label_value);
        put(out, quote);
        put(out, "}");
    }
}

static void put_metric(xmtp_writer *out, const figure *f)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    char line[256];
    if (f->help != NULL) {
        int n = (int)strlen(f->name);
        n -= f->type == FIGURE_HISTOGRAM ? (int)strlen("_bucket") : 0;
        (void)snprintf(line, sizeof line, "# HELP xmtp_node_%.*s %s\n# TYPE xmtp_node_%.*s %s\n", n,
                       f->name, f->help, n, f->name, types[f->type]);
        put(out, line);
    }
    put(out, "xmtp_node_");
    put_labelled(out, f, "\"");
    put(out, " ");
    put_number(out, f->value);
    put(out, "\n");
}

void xmtp_node_metrics_text(xmtp_node *node, xmtp_writer *out)
{
    list_all(node, out, put_metric);
}

/* ---- as JSON */

static void put_json(xmtp_writer *out, const figure *f)
{
    put(out, out->n > 1 ? ",\n\"" : "\n\"");
    put_labelled(out, f, "'");
    put(out, "\": ");
    put_number(out, f->value);
}

void xmtp_node_status_json(xmtp_node *node, xmtp_writer *out)
{
    put(out, "{");
    list_all(node, out, put_json);
    put(out, "\n}\n");
}

/* ---- as a page */

static void put_row(xmtp_writer *out, const figure *f)
{
    put(out, "<tr><td>");
    put_labelled(out, f, "");
    put(out, "</td><td class=n>");
    put_number(out, f->value);
    put(out, "</td><td>");
    put(out, f->help == NULL ? "" : f->help);
    put(out, "</td></tr>\n");
}

static void put_setting(xmtp_writer *out, const char *name, uint64_t value, const char *help)
{
    char number[24];
    (void)snprintf(number, sizeof number, "%" PRIu64, value);
    put(out, "<tr><td>");
    put(out, name);
    put(out, "</td><td class=n>");
    put(out, number);
    put(out, "</td><td>");
    put(out, help);
    put(out, "</td></tr>\n");
}

/* The limits as they are, so that whoever is refused can see by what. */
static void put_limits(const xmtp_node *node, xmtp_writer *out)
{
    size_t base = offsetof(xmtp_node_config, limits);
    const xmtp_node_limits *limits = &node->services.limits;
    put_setting(out, "rate-reads", node->rates.reads, "in 5 minutes; 0: no limit");
    put_setting(out, "rate-writes", node->rates.writes, "in 5 minutes; 0: no limit");
    put_setting(out, "open-connections", node->rates.connections_open, "at once; 0: no limit");
    put_setting(out, "open-streams", node->rates.streams_open, "at once; 0: no limit");
    put_setting(out, "rate-streams", node->rates.streams, "in 1 minute; 0: no limit");
    for (const xmtp_node_setting *s = xmtp_node_settings; s->name != NULL; s++) {
        if (s->help != NULL && s->offset >= base && s->offset < base + sizeof *limits) {
            const uint8_t *at = (const uint8_t *)limits + (s->offset - base);
            uint64_t value;
            memcpy(&value, at, sizeof value);
            put_setting(out, s->name, value, s->help);
        }
    }
}

void xmtp_node_status_html(xmtp_node *node, xmtp_writer *out)
{
    put(out, "<!doctype html>\n<html lang=en><meta charset=utf-8><title>xmtp node</title>\n"
             "<style>body{font:14px/1.4 sans-serif;margin:2em}td{padding:0 1em 0 0}"
             ".n{text-align:right;font-family:monospace}</style>\n<h1>xmtp node " XMTP_VERSION
             "</h1>\n<p>The same as <a href=/status.json>JSON</a> and for <a href=/metrics>"
             "Prometheus</a>.</p>\n<h2>Now</h2>\n<table>\n");
    list_all(node, out, put_row);
    put(out, "</table>\n<h2>Limits</h2>\n<table>\n");
    put_limits(node, out);
    put(out, "</table>\n");
}

/* ---- serving */

static void answer(xmtp_node *node, xmtp_http_exchange *x, const char *type,
                   void (*write)(xmtp_node *node, xmtp_writer *out))
{
    const xmtp_http_field fields[] = {{"content-type", type}, {"cache-control", "no-store"}};
    xmtp_writer out;
    xmtp_writer_init(&out, x->alloc, XMTP_WRITER_MAX);
    write(node, &out);
    xmtp_status status = xmtp_writer_status(&out);
    status = status == XMTP_OK ? xmtp_http_respond(x, 200, fields, 2, out.n) : status;
    status = status == XMTP_OK ? xmtp_http_write(x, xmtp_writer_bytes(&out)) : status;
    xmtp_writer_free(&out);
    if (status == XMTP_OK) {
        xmtp_http_end(x);
    } else {
        xmtp_http_abort(x);
    }
}

void xmtp_node_admin_begin(xmtp_node *node, xmtp_http_exchange *x)
{
    const char *target = xmtp_http_head_target(&x->head);
    if (strcmp(xmtp_http_head_method(&x->head), "GET") != 0) {
        xmtp_http_answer(x, 405, NULL, 0, "only GET is served here\n");
    } else if (strcmp(target, "/metrics") == 0) {
        answer(node, x, "text/plain; version=0.0.4", xmtp_node_metrics_text);
    } else if (strcmp(target, "/status.json") == 0) {
        answer(node, x, "application/json", xmtp_node_status_json);
    } else if (strcmp(target, "/status") == 0 || strcmp(target, "/") == 0) {
        answer(node, x, "text/html; charset=utf-8", xmtp_node_status_html);
    } else if (strcmp(target, "/healthz") == 0) {
        bool is_storing = !__atomic_load_n(&node->cannot_store, __ATOMIC_RELAXED);
        xmtp_http_answer(x, is_storing ? 200 : 503, NULL, 0,
                         is_storing ? "storing\n" : "nothing can be stored\n");
    } else {
        xmtp_http_answer(x, 404, NULL, 0, "there are /status, /status.json, /metrics, /healthz\n");
    }
}
