/* mls.c - `./dev bench mls`: what every MLS operation costs, beside what it must cost.
 *
 *     bench_mls                     the table, for 2 to 10,000 members, or for the sizes in the
 *                                   environment variable XMTP_BENCH_MEMBERS; fails when a row misses
 *                                   its goal, and names it
 *     bench_mls --members 2,10000   for these sizes
 *     bench_mls --json              one JSON object a row
 *     bench_mls --count             primitives and allocations instead of times (needs no quiet machine);
 *                                   fails when a row does more than is forced, or less
 *     bench_mls --loop ROW N S      one operation again and again for S seconds: for a profiler
 *
 * Trees are cold (everybody was added by one commit of leaf 0) or warm (parents filled by commits of
 * members). Up to 100 members every parent is filled. In larger trees it is every parent that the
 * measured members' commits look at: filling all of them takes a join of half of the members.
 *
 * Every change of a group is measured from the same stored state, loaded anew each time; then one
 * discarded call, as a group in use has its hashes cached, and as prices are those of a loop too. "1st call" is the part that makes the
 * bytes (commit) or reads them (process); "floor 1x" has one key agreement and one verification
 * after the other, "floor" as many at once as the engine can. "create" is commit + stage_pending + merge; "process" is process + merge.
 */
#include "base/together.h"
#include "crypto/ed25519_known.h"
#include "mls_row.h"

enum {
    COMMITTER = 1,
    SIZES_MAX = 16,
    FULLY_WARM_MAX = 128,
    FULLY_WARM_COUNTED_MAX = 16,
    MESSAGES_IN_A_ROW = 20,
    SHORT_MAX = 10, /* members; what is as short as to find its code out of the cache otherwise */
    SHORT_IN_A_ROW = 5,
};

/* ---- a scene: a group and who is in it ---- */

typedef struct scene {
    uint32_t n;
    person *people; /* n members and one newcomer */
    bool *joined;
    shape shape;
    uint8_t *welcome; /* of the first commit */
    size_t welcome_len;
    const char *tree;
} scene;

static void scene_free(scene *s)
{
    for (uint32_t i = 0; i <= s->n; i++) {
        person_free(&s->people[i]);
    }
    free(s->people);
    free(s->joined);
    free(s->shape.filled);
    free(s->welcome);
}

static uint32_t receiver_of_commits(const scene *s)
{
    return s->n == 2 ? 0 : s->n - 1;
}

/* Told to the script that starts a profiler. */
static void announce_loop(const scene *s)
{
    fprintf(stderr, "looping: %s\n", s->tree);
}

/* ---- creating and joining ---- */

static void measure_key_package(scene *s)
{
    row *r;
    int attempts = 0;
    person *newcomer = &s->people[s->n];
    do {
        r = row_new("create KeyPackage", "-", s->n);
        r->in_a_row = MESSAGES_IN_A_ROW;
        row_set_floor(r, counts_key_package());
        while (row_wants_more(r)) {
            row_sample_prices(r);
            for (size_t i = 0; i < r->in_a_row; i++) {
                row_begin(r);
                person_key_package(newcomer);
                row_middle(r);
                row_end(r);
            }
            row_end_several(r);
        }
    } while (!rows_settle(r, NULL, &attempts));
    row_done(r);
}

static void create_once(scene *s, row *r, const xmtp_bytes *add)
{
    person *creator = &s->people[0];
    const bool is_first = s->welcome == NULL; /* the one that others join */
    row_begin(r);
    person_create(creator);
    row_middle(r);
    xmtp_mls_pending *pending = person_commit(
        creator,
        &(xmtp_mls_commit_options){.add = add, .add_count = s->n - 1, .without_path = true});
    if (is_first) {
        person_store(creator);
        xmtp_bytes welcome = xmtp_mls_pending_welcome(pending);
        s->welcome = must_have(malloc(welcome.n));
        s->welcome_len = welcome.n;
        memcpy(s->welcome, welcome.p, welcome.n);
    }
    person_confirm(creator, pending);
    row_end(r);
    if (is_first) {
        person_store(creator);
    }
    if (!r->has_floor) {
        counts floor =
            counts_add_without_path(&(step){.added = s->n - 1,
                                            .message = xmtp_mls_pending_message(pending).n,
                                            .welcome = s->welcome_len});
        floor.sign += 1; /* the creator's first leaf */
        floor.dh_base += 1;
        row_set_floor(r, floor);
    }
    xmtp_mls_pending_free(pending);
}

static void measure_create(scene *s)
{
    row *r;
    int attempts = 0;
    xmtp_bytes *add = must_have(calloc(s->n, sizeof *add));
    for (uint32_t i = 1; i < s->n; i++) {
        add[i - 1] = xmtp_bytes_of(s->people[i].key_package, s->people[i].key_package_len);
    }
    do {
        r = row_new("create group, add N-1", "new", s->n);
        r->in_a_row = s->n <= SHORT_MAX ? SHORT_IN_A_ROW : 1;
        while (row_wants_more(r)) {
            row_sample_prices(r);
            for (size_t i = 0; i < r->in_a_row; i++) {
                create_once(s, r, add);
            }
            row_end_several(r);
        }
    } while (!rows_settle(r, NULL, &attempts));
    s->joined[0] = true;
    free(add);
    row_done(r);
}

static void join_stored(scene *s, uint32_t leaf)
{
    if (!s->joined[leaf]) {
        person_join(&s->people[leaf], xmtp_bytes_of(s->welcome, s->welcome_len));
        person_store(&s->people[leaf]);
        s->joined[leaf] = true;
    }
}

static void measure_joins(const char *tree, scene *s, person *who, xmtp_bytes welcome,
                          const counts *floor)
{
    row *r;
    int attempts = 0;
    do {
        r = row_new("join from Welcome", tree, s->n);
        row_set_floor(r, *floor);
        if (options.loop != NULL && row_is_wanted(r)) {
            announce_loop(s);
        }
        r->in_a_row = s->n <= SHORT_MAX ? SHORT_IN_A_ROW : 1;
        while (row_wants_more(r)) {
            row_sample_prices(r);
            for (size_t i = 0; i < r->in_a_row; i++) {
                row_begin(r);
                person_join(who, welcome);
                row_middle(r);
                row_end(r);
            }
            row_end_several(r);
        }
    } while (!rows_settle(r, NULL, &attempts));
    row_done(r);
}

static void measure_join_new(scene *s)
{
    const counts floor =
        counts_join(&(step){.after = &s->shape, .added = s->n - 1, .welcome = s->welcome_len});
    measure_joins("new", s, &s->people[COMMITTER], xmtp_bytes_of(s->welcome, s->welcome_len),
                  &floor);
    person_store(&s->people[COMMITTER]);
    s->joined[COMMITTER] = true;
}

/* The newcomer joins by a commit that adds one to the warm group. */
static void measure_join_warm(scene *s)
{
    person *newcomer = &s->people[s->n];
    xmtp_bytes add = xmtp_bytes_of(newcomer->key_package, newcomer->key_package_len);
    person_load(&s->people[COMMITTER]);
    xmtp_mls_pending *pending = person_commit(
        &s->people[COMMITTER],
        &(xmtp_mls_commit_options){.add = &add, .add_count = 1, .without_path = true});
    xmtp_bytes welcome = xmtp_mls_pending_welcome(pending);
    shape grown;
    shape_grown(&s->shape, &grown);
    const counts floor = counts_join(&(step){.after = &grown, .added = 1, .welcome = welcome.n});
    measure_joins("warm", s, newcomer, welcome, &floor);
    xmtp_mls_pending_free(pending);
    free(grown.filled);
}

/* ---- commits ---- */

typedef struct commit_case {
    const char *create_name;
    const char *process_name;
    xmtp_mls_commit_options options;
    uint32_t receiver;
    int64_t gone;
} commit_case;

static void create_commit(scene *s, const commit_case *c, row *r, xmtp_mls_pending **out)
{
    person *committer = &s->people[COMMITTER];
    row_sample_prices(r);
    person_load(committer);
    xmtp_mls_pending_free(person_commit(committer, &c->options));
    row_begin(r);
    xmtp_mls_pending *pending = person_commit(committer, &c->options);
    row_middle(r);
    person_confirm(committer, pending);
    row_end(r);
    *out = pending;
}

static void process_commit(scene *s, const commit_case *c, row *r, xmtp_bytes message)
{
    person *receiver = &s->people[c->receiver];
    row_sample_prices(r);
    person_load(receiver);
    xmtp_mls_staged_free(person_process(receiver, message));
    row_begin(r);
    xmtp_mls_staged *staged = person_process(receiver, message);
    row_middle(r);
    person_merge(receiver, staged);
    row_end(r);
    people_agree(receiver, &s->people[COMMITTER]);
}

static step step_of(const scene *s, const commit_case *c, const shape *grown,
                    const xmtp_mls_pending *pending)
{
    bool is_add = c->options.add_count > 0;
    return (step){.before = &s->shape,
                  .after = is_add ? grown : &s->shape,
                  .sender = COMMITTER,
                  .added = is_add,
                  .gone = c->gone,
                  .message = xmtp_mls_pending_message(pending).n,
                  .welcome = xmtp_mls_pending_welcome(pending).n};
}

/* For a profiler: the calls that change nothing, so that no loading is between them. */
static void loop_commit(scene *s, const commit_case *c)
{
    xmtp_error error = {0};
    person *committer = &s->people[COMMITTER];
    person *receiver = &s->people[c->receiver];
    bool creates = strcmp(options.loop, c->create_name) == 0;
    person_load(committer);
    person_load(receiver);
    xmtp_mls_pending *first = person_commit(committer, &c->options);
    announce_loop(s);
    for (double end = now_us() + options.loop_us; now_us() < end;) {
        xmtp_mls_staged *staged;
        if (creates) {
            xmtp_mls_pending *pending = person_commit(committer, &c->options);
            must(xmtp_mls_group_stage_pending(committer->group, pending, &staged, &error), &error,
                 "staging");
            xmtp_mls_pending_free(pending);
        } else {
            staged = person_process(receiver, xmtp_mls_pending_message(first));
        }
        xmtp_mls_staged_free(staged);
    }
    xmtp_mls_pending_free(first);
}

static void measure_commit(scene *s, const commit_case *c)
{
    if (options.loop != NULL) {
        if (strcmp(options.loop, c->create_name) == 0 ||
            strcmp(options.loop, c->process_name) == 0) {
            loop_commit(s, c);
        }
        return;
    }
    row *create;
    row *process;
    int attempts = 0;
    shape grown;
    shape_grown(&s->shape, &grown);
    do {
        create = row_new(c->create_name, s->tree, s->n);
        process = row_new(c->process_name, s->tree, s->n);
        while (row_wants_more(create)) {
            xmtp_mls_pending *pending;
            create_commit(s, c, create, &pending);
            if (!create->has_floor) {
                step p = step_of(s, c, &grown, pending);
                bool has_path = !c->options.without_path;
                row_set_floor(create, has_path ? counts_commit(&p) : counts_add_without_path(&p));
                row_set_floor(process, has_path ? counts_process(&p, c->receiver)
                                                : counts_process_add_without_path(&p));
            }
            process_commit(s, c, process, xmtp_mls_pending_message(pending));
            xmtp_mls_pending_free(pending);
        }
    } while (!rows_settle(create, process, &attempts));
    row_done(create);
    row_done(process);
    free(grown.filled);
}

static void measure_commits(scene *s)
{
    const person *newcomer = &s->people[s->n];
    const xmtp_bytes add = xmtp_bytes_of(newcomer->key_package, newcomer->key_package_len);
    const uint32_t gone = s->n - 1;
    const commit_case update = {.create_name = "full commit, create",
                                .process_name = "full commit, process",
                                .receiver = receiver_of_commits(s),
                                .gone = -1};
    const commit_case adding = {.create_name = "add one, create",
                                .process_name = "add one, process",
                                .options = {.add = &add, .add_count = 1, .without_path = true},
                                .receiver = receiver_of_commits(s),
                                .gone = -1};
    const commit_case adding_with_path = {.create_name = "add one with a path, create",
                                          .process_name = "add one with a path, process",
                                          .options = {.add = &add, .add_count = 1},
                                          .receiver = receiver_of_commits(s),
                                          .gone = -1};
    const commit_case removing = {.create_name = "remove one, create",
                                  .process_name = "remove one, process",
                                  .options = {.remove = &gone, .remove_count = 1},
                                  .receiver = s->n / 2,
                                  .gone = gone};
    measure_commit(s, &update);
    measure_commit(s, &adding);
    measure_commit(s, &adding_with_path);
    if (s->n >= 10) {
        measure_commit(s, &removing);
    }
}

/* ---- a warm tree ---- */

static void everybody_takes(scene *s, uint32_t sender, xmtp_bytes message)
{
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->joined[i] && i != sender) {
            person_merge(&s->people[i], person_process(&s->people[i], message));
            person_store(&s->people[i]);
        }
    }
}

static void commit_stored(scene *s, uint32_t leaf)
{
    person *p = &s->people[leaf];
    xmtp_mls_pending *pending = person_commit(p, &(xmtp_mls_commit_options){0});
    person_confirm(p, pending);
    person_store(p);
    everybody_takes(s, leaf, xmtp_mls_pending_message(pending));
    xmtp_mls_pending_free(pending);
    shape_commit(&s->shape, leaf);
}

/* One leaf below each copath child of this leaf: their commits fill what a commit of it looks at. */
static void mark_cover(const scene *s, uint32_t leaf, bool *marks)
{
    marks[leaf] = true;
    for (uint32_t h = 1; h <= shape_depth(&s->shape); h++) {
        uint32_t first = ((leaf ^ (1u << (h - 1))) >> (h - 1)) << (h - 1);
        if (first < s->n) {
            marks[first] = true;
        }
    }
}

static void warm_up(scene *s)
{
    bool *marks = must_have(calloc(s->n, sizeof *marks));
    mark_cover(s, COMMITTER, marks);
    mark_cover(s, s->n - 1, marks);
    const uint32_t fully_max = counting ? FULLY_WARM_COUNTED_MAX : FULLY_WARM_MAX;
    for (uint32_t i = 0; i < s->n && s->n <= fully_max; i++) {
        marks[i] = true;
    }
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->joined[i] || marks[i]) {
            progress("warming up", "joins up to leaf", s->n, i);
            join_stored(s, i);
            person_load(&s->people[i]);
        }
    }
    for (uint32_t i = 0; i < s->n; i++) {
        if (marks[i]) {
            progress("warming up", "commits up to leaf", s->n, i);
            commit_stored(s, i);
        }
    }
    free(marks);
    s->tree = "warm";
}

/* ---- messages ---- */

static void one_message(scene *s, xmtp_bytes text, row *sending, row *receiving)
{
    xmtp_error error = {0};
    person *a = &s->people[COMMITTER];
    person *b = &s->people[receiver_of_commits(s)];
    xmtp_bytes message;
    xmtp_mls_writes_clear(a->writes);
    row_begin(sending);
    must(xmtp_mls_group_protect(a->group, (xmtp_bytes){0}, text, &message, a->writes, &error),
         &error, "protecting");
    row_middle(sending);
    row_end(sending);
    xmtp_mls_writes_clear(b->writes);
    row_begin(receiving);
    xmtp_mls_staged *staged = person_process(b, message);
    row_middle(receiving);
    person_merge(b, staged);
    row_end(receiving);
}

static void measure_messages(scene *s, size_t length, const char *sending, const char *receiving)
{
    static const uint8_t text[1024] = {'m'};
    row *send;
    row *receive;
    int attempts = 0;
    do {
        send = row_new(sending, s->tree, s->n);
        receive = row_new(receiving, s->tree, s->n);
        send->in_a_row = receive->in_a_row = MESSAGES_IN_A_ROW;
        row_set_floor(send, counts_message(true, length));
        row_set_floor(receive, counts_message(false, length));
        person_load(&s->people[COMMITTER]);
        person_load(&s->people[receiver_of_commits(s)]);
        /* The first message of an epoch walks down the secret tree, and makes the buffers. */
        row *first = row_new(sending, s->tree, s->n);
        one_message(s, xmtp_bytes_of(text, length), first, first);
        free(first);
        if (options.loop != NULL && row_is_wanted(send)) {
            announce_loop(s);
        }
        while (row_wants_more(send)) {
            row_sample_prices(send);
            receive->now = send->now;
            for (int i = 0; i < MESSAGES_IN_A_ROW; i++) {
                one_message(s, xmtp_bytes_of(text, length), send, receive);
            }
            row_end_several(send);
            row_end_several(receive);
        }
    } while (!rows_settle(send, receive, &attempts));
    row_done(send);
    row_done(receive);
}

/* ---- sizes ---- */

static size_t writes_bytes(const xmtp_mls_writes *writes)
{
    size_t n = 0;
    for (size_t i = 0; i < xmtp_mls_writes_count(writes); i++) {
        xmtp_mls_write w = xmtp_mls_writes_at(writes, i);
        n += w.key.n + (w.is_delete ? 0 : w.value.n);
    }
    return n;
}

static void print_sizes(scene *s)
{
    xmtp_error error = {0};
    person *p = &s->people[COMMITTER];
    xmtp_bytes message;
    xmtp_mls_group_free(p->group);
    p->group = NULL;
    size_t before = bench_tally()->bytes;
    double start = now_us();
    person_load(p);
    double load_us = now_us() - start;
    size_t loaded = bench_tally()->bytes - before;
    must(xmtp_mls_group_protect(p->group, (xmtp_bytes){0}, xmtp_bytes_of("m", 1), &message,
                                p->writes, &error),
         &error, "protecting");
    size_t message_writes = writes_bytes(p->writes);
    xmtp_mls_pending *pending = person_commit(p, &(xmtp_mls_commit_options){0});
    person_confirm(p, pending);
    size_t message_len = xmtp_mls_pending_message(pending).n;
    xmtp_mls_pending_free(pending);
    size_t used = bench_tally()->bytes - before;
    printf(
        "# N = %u: %zu bytes of memory a group (%zu a member), %zu (%zu) after a message and a "
        "commit, loaded in %.2f ms; stored for a message %zu bytes, for a warm commit %zu in %zu "
        "records; warm commit %zu bytes\n",
        s->n, loaded, loaded / s->n, used, used / s->n, load_us / 1e3, message_writes,
        writes_bytes(p->writes), xmtp_mls_writes_count(p->writes), message_len);
    memory_judge(s->n, used > loaded ? used : loaded);
}

/* ---- all of it ---- */

static void run_size(uint32_t n)
{
    scene s = {.n = n, .tree = "cold"};
    s.people = must_have(calloc((size_t)n + 1, sizeof *s.people));
    s.joined = must_have(calloc((size_t)n + 1, sizeof *s.joined));
    shape_init(&s.shape, n);
    for (uint32_t i = 0; i <= n; i++) {
        progress("making key packages", "new", n, i);
        person_init(&s.people[i], i);
    }
    measure_key_package(&s);
    measure_create(&s);
    measure_join_new(&s);
    join_stored(&s, receiver_of_commits(&s));
    join_stored(&s, n / 2);
    measure_commits(&s);
    warm_up(&s);
    measure_join_warm(&s);
    measure_commits(&s);
    measure_messages(&s, 64, "protect 64 B", "unprotect 64 B");
    measure_messages(&s, 1024, "protect 1 KiB", "unprotect 1 KiB");
    if (!options.is_json && options.loop == NULL) {
        print_sizes(&s);
    }
    scene_free(&s);
}

static size_t parse_sizes(const char *text, uint32_t sizes[SIZES_MAX])
{
    size_t count = 0;
    char *end = NULL;
    while (count < SIZES_MAX) {
        unsigned long n = strtoul(text, &end, 10);
        if (n < 2 || n > 100000 || end == text) {
            return 0;
        }
        sizes[count++] = (uint32_t)n;
        if (*end == 0) {
            return count;
        }
        text = end + 1;
    }
    return 0;
}

static int usage(void)
{
    fprintf(stderr, "usage: bench_mls [--members N,N...] [--json] [--count] [--seconds-per-row S]\n"
                    "       bench_mls --loop ROW N SECONDS\n");
    return 2;
}

int main(int argc, char **argv)
{
    xmtp_together_assume(1);      /* as the floor: what others do is not in cpu_us */
    xmtp_ed25519_know_none(true); /* likewise: prices are of a key that is new */
    const char *wanted = getenv("XMTP_BENCH_MEMBERS");
    uint32_t sizes[SIZES_MAX];
    size_t count = parse_sizes(wanted == NULL ? "2,10,100,1000,10000" : wanted, sizes);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            options.is_json = true;
        } else if (strcmp(argv[i], "--count") == 0) {
            counting = true;
        } else if (strcmp(argv[i], "--members") == 0 && i + 1 < argc) {
            count = parse_sizes(argv[++i], sizes);
        } else if (strcmp(argv[i], "--seconds-per-row") == 0 && i + 1 < argc) {
            options.row_us = strtod(argv[++i], NULL) * 1e6;
        } else if (strcmp(argv[i], "--loop") == 0 && i + 3 < argc) {
            options.loop = argv[++i];
            count = parse_sizes(argv[++i], sizes);
            options.loop_us = strtod(argv[++i], NULL) * 1e6;
        } else {
            return usage();
        }
    }
    if (count == 0) {
        return usage();
    }
    print_heading();
    for (size_t i = 0; i < count; i++) {
        run_size(sizes[i]);
    }
    if (!options.is_json && !counting && options.loop == NULL) {
        rows_judge();
        print_prices();
    }
    if (goals_missed > 0) {
        fprintf(stderr, "bench_mls: %zu %s\n", goals_missed,
                counting ? "rows differ from what is forced" : "goals missed");
    }
    return goals_missed > 0;
}
