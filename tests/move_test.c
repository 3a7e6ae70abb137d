/* move_test.c - installations that move: what goes along, and that never two copies live. */
#include "client/move.h"
#include "one_network.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <xmtp/host.h>

static const uint8_t key[XMTP_MOVE_KEY_LEN] = {1, 2, 3};
static const xmtp_move_secret by_key = {.key = key};

typedef struct scene {
    person p[2];  /* p[0] moves */
    person to[3]; /* where it is imported */
    xmtp_conversation_id dm;
    xmtp_conversation_id group;
    char file[PATH_LEN + 16];
} scene;

static xmtp_client_options options_of(person *p)
{
    return (xmtp_client_options){
        .encryption_key = p->key,
        .database_path = p->path,
        .transport = &p->wire.outer,
        .env = &net.env,
    };
}

/* Another place for the same inbox; nothing is there. */
static void place_for(person *place, const person *of)
{
    memset(place, 0, sizeof(*place));
    place->net = &net;
    place->has_file = true;
    memcpy(place->key, of->key, sizeof(place->key));
    (void)snprintf(place->path, sizeof(place->path), "%s/%u.db", net.folder, ++net.people);
    wire_open(&place->wire, &net);
}

static void scene_open(scene *s)
{
    memset(s, 0, sizeof(*s));
    people_open(s->p, 2, &net);
    people_talk(s->p, &s->dm, &s->group);
    (void)snprintf(s->file, sizeof(s->file), "%s/file", net.folder);
    for (size_t i = 0; i < 3; i++) {
        place_for(&s->to[i], &s->p[0]);
    }
}

static size_t entries_in_folder(void)
{
    size_t count = 0;
    DIR *folder = opendir(net.folder);
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        count += entry->d_name[0] != '.';
    }
    (void)closedir(folder);
    return count;
}

static void scene_close(scene *s)
{
    (void)unlink(s->file);
    people_close(s->p, 2);
    people_close(s->to, 3);
    assert_int_equal(entries_in_folder(), 0); /* nothing is left beside anything */
}

static void close_client(person *p)
{
    xmtp_client_close(p->client);
    p->client = NULL;
}

static xmtp_status try_export(scene *s, const xmtp_move_secret *secret,
                              const xmtp_move_progress *progress)
{
    person *p = &s->p[0];
    const xmtp_client_options options = options_of(p);
    close_client(p);
    return xmtp_move_export(&options, s->file, secret, progress, &p->error);
}

static void export_it(scene *s)
{
    assert_ok(&s->p[0], try_export(s, &by_key, NULL));
}

static xmtp_status try_import(scene *s, person *to, const xmtp_move_secret *secret)
{
    const xmtp_client_options options = options_of(to);
    return xmtp_move_import(&options, s->file, secret, NULL, &to->error);
}

static void import_it(scene *s, person *to)
{
    assert_ok(to, try_import(s, to, &by_key));
}

/* Imported at the first place, and not opened there yet. */
static void scene_moved(scene *s)
{
    scene_open(s);
    export_it(s);
    import_it(s, &s->to[0]);
}

static void cancel_it(scene *s)
{
    const xmtp_client_options options = options_of(&s->p[0]);
    assert_ok(&s->p[0], xmtp_move_cancel(&options, &s->p[0].error));
}

/* ---- what goes along */

static void the_same_installation_goes_on_elsewhere(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    char id[2 * XMTP_INSTALLATION_LEN + 1];
    (void)strcpy(id, xmtp_client_installation_id(s.p[0].client));
    export_it(&s);
    import_it(&s, &s.to[0]);
    assert_ok(&s.to[0], person_try_open(&s.to[0]));
    assert_string_equal(xmtp_client_installation_id(s.to[0].client), id);
    assert_texts(&s.to[0], &s.dm, "one|two|");
    assert_texts(&s.to[0], &s.group, "three|");
    send_text(&s.to[0], &s.group, "four");
    send_text(&s.p[1], &s.dm, "five");
    sync_all(&s.p[1]);
    sync_all(&s.to[0]);
    assert_texts(&s.p[1], &s.group, "three|four|");
    assert_texts(&s.to[0], &s.dm, "one|two|five|");
    person_reopen(&s.to[0]); /* claims once */
    assert_int_equal(conversation_of(&s.to[0], &s.dm).consent, XMTP_CONSENT_ALLOWED);
    scene_close(&s);
}

static void what_was_not_sent_yet_is_sent_from_the_new_place(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    wire *w = &s.p[0].wire;
    w->how = CUT_BEFORE;
    w->cut_from = w->calls + 1;
    w->cut_count = UINT64_MAX / 2;
    xmtp_status status = xmtp_client_send_text(s.p[0].client, &s.dm, "late", NULL, &s.p[0].error);
    assert_int_equal(status, XMTP_E_NETWORK);
    export_it(&s);
    import_it(&s, &s.to[0]);
    assert_ok(&s.to[0], person_try_open(&s.to[0]));
    sync_all(&s.to[0]);
    sync_all(&s.p[1]);
    assert_texts(&s.p[1], &s.dm, "one|two|late|");
    scene_close(&s);
}

static void the_queue_goes_along_and_nothing_is_handled_twice(void **state)
{
    (void)state;
    scene s;
    xmtp_queue_entry entry;
    uint64_t next_ns;
    scene_open(&s);
    person *p = &s.p[0];
    assert_ok(p, xmtp_client_queue_enable(p->client, &p->error));
    send_text(&s.p[1], &s.dm, "first");
    send_text(&s.p[1], &s.dm, "second");
    sync_all(p);
    assert_ok(p, xmtp_client_queue_next(p->client, &entry, &next_ns, &p->error));
    assert_string_equal(entry.message.text, "first");
    assert_ok(p, xmtp_client_queue_acknowledge(p->client, entry.message.id, NULL, 0, &p->error));
    send_text(&s.p[1], &s.dm, "third"); /* nobody has fetched it when it moves */
    export_it(&s);
    p = &s.to[0];
    import_it(&s, p);
    assert_ok(p, person_try_open(p));
    sync_all(p);
    for (int i = 0; i < 2; i++) {
        assert_ok(p, xmtp_client_queue_next(p->client, &entry, &next_ns, &p->error));
        assert_string_equal(entry.message.text, i == 0 ? "second" : "third");
        assert_ok(p,
                  xmtp_client_queue_acknowledge(p->client, entry.message.id, NULL, 0, &p->error));
    }
    assert_int_equal(xmtp_client_queue_next(p->client, &entry, &next_ns, &p->error),
                     XMTP_E_NOT_FOUND);
    scene_close(&s);
}

static void the_database_gets_the_key_of_its_new_place(void **state)
{
    (void)state;
    scene s;
    static const uint8_t other[XMTP_DATABASE_KEY_LEN] = {7};
    scene_open(&s);
    export_it(&s);
    xmtp_client_options options = options_of(&s.to[0]);
    options.database_key = other;
    assert_ok(&s.to[0], xmtp_move_import(&options, s.file, &by_key, NULL, &s.to[0].error));
    assert_int_equal(person_try_open(&s.to[0]), XMTP_E_DATABASE_KEY);
    assert_ok(&s.to[0], xmtp_client_open(&s.to[0].client, &options, &s.to[0].error));
    assert_texts(&s.to[0], &s.dm, "one|two|");
    assert_ok(&s.to[0], xmtp_client_check_database(s.to[0].client, &s.to[0].error));
    scene_close(&s);
}

static void a_passphrase_seals_as_a_key_does(void **state)
{
    (void)state;
    scene s;
    const xmtp_move_secret words = {.passphrase = "correct horse"};
    const xmtp_move_secret others = {.passphrase = "correct horsf"};
    scene_open(&s);
    assert_ok(&s.p[0], try_export(&s, &words, NULL));
    assert_refused(&s.to[0], try_import(&s, &s.to[0], &others), XMTP_E_AUTH, "wrong key");
    assert_refused(&s.to[0], try_import(&s, &s.to[0], &by_key), XMTP_E_AUTH, "passphrase");
    assert_ok(&s.to[0], try_import(&s, &s.to[0], &words));
    assert_ok(&s.to[0], person_try_open(&s.to[0]));
    scene_close(&s);
}

static void it_moves_on_and_back_again(void **state)
{
    (void)state;
    scene s;
    scene_moved(&s);
    assert_ok(&s.to[0], person_try_open(&s.to[0]));
    close_client(&s.to[0]);
    assert_int_equal(unlink(s.file), 0);
    const xmtp_client_options from = options_of(&s.to[0]);
    assert_ok(&s.to[0], xmtp_move_export(&from, s.file, &by_key, NULL, &s.to[0].error));
    assert_refused(&s.p[0], try_import(&s, &s.p[0], &by_key), XMTP_E_EXISTS, "there already");
    assert_int_equal(unlink(s.p[0].path), 0);
    import_it(&s, &s.p[0]);
    assert_ok(&s.p[0], person_try_open(&s.p[0]));
    assert_int_equal(person_try_open(&s.to[0]), XMTP_E_MOVED);
    send_text(&s.p[0], &s.dm, "back");
    scene_close(&s);
}

/* ---- never two */

static void who_was_exported_does_not_open(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    export_it(&s);
    assert_refused(&s.p[0], person_try_open(&s.p[0]), XMTP_E_MOVED, "was exported at 20");
    assert_refused(&s.p[0], person_try_open(&s.p[0]), XMTP_E_MOVED, "cancel the move");
    scene_close(&s);
}

static void a_host_keeps_its_folder_to_itself(void **state)
{
    (void)state;
    scene s;
    xmtp_host *host;
    char lock[PATH_LEN + 16];
    scene_open(&s);
    person *p = &s.p[0];
    close_client(p);
    const xmtp_host_options in_folder = {
        .folder = net.folder, .transport = &p->wire.outer, .env = &net.env};
    assert_ok(p, xmtp_host_open(&host, &in_folder, &p->error));
    assert_refused(p, try_export(&s, &by_key, NULL), XMTP_E_LOCKED, "another host");
    xmtp_host_close(host);
    export_it(&s);
    (void)snprintf(lock, sizeof(lock), "%s/host.lock", net.folder);
    assert_int_equal(unlink(lock), 0);
    scene_close(&s);
}

static void a_client_that_let_go_does_not_take_a_moved_database_again(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    person *p = &s.p[0];
    const xmtp_client_options options = options_of(p);
    assert_refused(p, xmtp_move_export(&options, s.file, &by_key, NULL, &p->error), XMTP_E_LOCKED,
                   "in use");
    assert_ok(p, xmtp_client_release_database(p->client, &p->error));
    assert_ok(p, xmtp_move_export(&options, s.file, &by_key, NULL, &p->error));
    assert_refused(p, xmtp_client_take_database(p->client, &p->error), XMTP_E_MOVED, "exported");
    assert_int_equal(xmtp_client_sync(p->client, &p->error), XMTP_E_CLOSED);
    scene_close(&s);
}

static void the_second_import_never_lives(void **state)
{
    (void)state;
    scene s;
    scene_moved(&s);
    import_it(&s, &s.to[1]);
    assert_ok(&s.to[1], person_try_open(&s.to[1])); /* first opened, not first imported */
    assert_refused(&s.to[0], person_try_open(&s.to[0]), XMTP_E_MOVED, "lives elsewhere");
    s.to[0].wire.cut_from = 1; /* it remembers: no node is asked */
    s.to[0].wire.cut_count = UINT64_MAX / 2;
    assert_refused(&s.to[0], person_try_open(&s.to[0]), XMTP_E_MOVED, "lives elsewhere");
    network_advance(&net, 400 * 86400);
    import_it(&s, &s.to[2]);
    assert_refused(&s.to[2], person_try_open(&s.to[2]), XMTP_E_MOVED, "lives elsewhere");
    send_text(&s.to[1], &s.dm, "still here");
    scene_close(&s);
}

/* The first answer to a query of claims is as if it came before anybody's. */
static int queries_to_hide;

static void hide_claims(xmtp_writer *response)
{
    if (queries_to_hide-- > 0) {
        xmtp_writer_clear(response);
    }
}

static void of_two_that_open_at_once_exactly_one_lives(void **state)
{
    (void)state;
    scene s;
    scene_moved(&s);
    import_it(&s, &s.to[1]);
    /* to[0] has seen no claim and published its own, and has not read it back */
    s.to[0].wire.how = CUT_AFTER;
    s.to[0].wire.cut_from = 3; /* log of the inbox, claims, publishing */
    s.to[0].wire.cut_count = UINT64_MAX / 2;
    assert_int_equal(person_try_open(&s.to[0]), XMTP_E_NETWORK);
    assert_true(s.to[0].wire.sends > 0);
    /* to[1] had looked before that was there */
    queries_to_hide = 1;
    s.to[1].wire.mangle = hide_claims;
    assert_refused(&s.to[1], person_try_open(&s.to[1]), XMTP_E_MOVED, "lives elsewhere");
    assert_true(s.to[1].wire.sends > 0);
    s.to[0].wire.cut_from = 0;
    assert_ok(&s.to[0], person_try_open(&s.to[0]));
    assert_int_equal(person_try_open(&s.to[1]), XMTP_E_MOVED);
    send_text(&s.to[0], &s.dm, "alone");
    scene_close(&s);
}

static void an_import_that_ends_between_claiming_and_knowing_goes_on(void **state)
{
    (void)state;
    scene s;
    scene_moved(&s);
    import_it(&s, &s.to[1]);
    for (uint64_t call = 1; call <= 3; call++) {
        wire *w = &s.to[0].wire;
        w->how = CUT_AFTER;
        w->calls = 0;
        w->cut_from = call;
        w->cut_count = UINT64_MAX / 2;
        assert_int_equal(person_try_open(&s.to[0]), XMTP_E_NETWORK);
        w->cut_from = 0;
    }
    assert_int_equal(person_try_open(&s.to[1]), XMTP_E_MOVED);
    assert_ok(&s.to[0], person_try_open(&s.to[0]));
    scene_close(&s);
}

/* Whatever is published stands behind a copy of it whose MAC is wrong. */
static xmtp_status unary_behind_a_forgery(void *context, const char *path, xmtp_bytes request,
                                          xmtp_writer *response, xmtp_error *error)
{
    wire *w = context;
    if (strstr(path, "SendGroupMessages") != NULL) {
        uint8_t forged[512];
        assert_true(request.n <= sizeof(forged));
        memcpy(forged, request.p, request.n);
        forged[request.n - 1] ^= 1;
        assert_int_equal(wire_unary(w, path, xmtp_bytes_of(forged, request.n), response, error),
                         XMTP_OK);
    }
    return wire_unary(w, path, request, response, error);
}

static void what_others_say_on_the_topic_is_no_claim(void **state)
{
    (void)state;
    scene s;
    scene_moved(&s);
    s.to[0].wire.outer.unary = unary_behind_a_forgery;
    assert_ok(&s.to[0], person_try_open(&s.to[0]));
    assert_int_equal(s.to[0].wire.sends, 2);
    import_it(&s, &s.to[1]);
    assert_int_equal(person_try_open(&s.to[1]), XMTP_E_MOVED);
    scene_close(&s);
}

static void another_network_is_no_place_to_live(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    xmtp_node *here = net.node;
    const xmtp_node_options in_memory = {0};
    export_it(&s);
    import_it(&s, &s.to[0]);
    assert_int_equal(xmtp_node_open(&net.node, &in_memory, &s.to[0].error), XMTP_OK);
    person stranger = s.to[0];
    wire_open(&stranger.wire, &net);
    assert_refused(&stranger, person_try_open(&stranger), XMTP_E_NOT_REGISTERED, "another network");
    stranger.wire.inner.close(stranger.wire.inner.context);
    xmtp_node_close(net.node);
    net.node = here;
    assert_ok(&s.to[0], person_try_open(&s.to[0]));
    scene_close(&s);
}

/* ---- taken back */

static void a_cancelled_move_lives_on_and_its_file_is_dead(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    export_it(&s);
    cancel_it(&s);
    assert_ok(&s.p[0], person_try_open(&s.p[0]));
    send_text(&s.p[0], &s.dm, "stayed");
    import_it(&s, &s.to[0]);
    assert_refused(&s.to[0], person_try_open(&s.to[0]), XMTP_E_MOVED, "lives elsewhere");
    scene_close(&s);
}

static void a_move_is_not_cancelled_behind_an_import(void **state)
{
    (void)state;
    scene s;
    scene_moved(&s);
    assert_ok(&s.to[0], person_try_open(&s.to[0]));
    cancel_it(&s);
    assert_refused(&s.p[0], person_try_open(&s.p[0]), XMTP_E_MOVED, "lives elsewhere");
    const xmtp_client_options options = options_of(&s.p[0]);
    assert_refused(&s.p[0], xmtp_move_cancel(&options, &s.p[0].error), XMTP_E_MOVED, "elsewhere");
    assert_refused(&s.p[0], xmtp_move_export(&options, "/nowhere/x", &by_key, NULL, &s.p[0].error),
                   XMTP_E_MOVED, "elsewhere");
    scene_close(&s);
}

static void a_second_file_of_a_fenced_database_is_the_same_move(void **state)
{
    (void)state;
    scene s;
    scene_moved(&s);
    assert_int_equal(unlink(s.file), 0);
    export_it(&s);
    import_it(&s, &s.to[1]);
    assert_ok(&s.to[0], person_try_open(&s.to[0]));
    assert_int_equal(person_try_open(&s.to[1]), XMTP_E_MOVED);
    scene_close(&s);
}

/* ---- what is refused changes nothing */

static void what_cannot_be_moved_is_told(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    person *p = &s.p[0];
    close_client(p);
    xmtp_client_options options = options_of(p);
    xmtp_move_secret none = {0};
    xmtp_move_secret both = {.key = key, .passphrase = "x"};
    xmtp_move_secret empty = {.passphrase = ""};
    assert_int_equal(xmtp_move_export(&options, s.file, &none, NULL, &p->error), XMTP_E_ARGUMENT);
    assert_int_equal(xmtp_move_export(&options, s.file, &both, NULL, &p->error), XMTP_E_ARGUMENT);
    assert_int_equal(xmtp_move_export(&options, s.file, &empty, NULL, &p->error), XMTP_E_ARGUMENT);
    assert_refused(p, xmtp_move_export(&options, p->path, &by_key, NULL, &p->error), XMTP_E_EXISTS,
                   "there already");
    assert_refused(p, xmtp_move_export(&options, "/nowhere/x", &by_key, NULL, &p->error), XMTP_E_IO,
                   "No such file");
    assert_refused(p, xmtp_move_cancel(&options, &p->error), XMTP_E_STATE, "not fenced");
    options.database_path = s.to[0].path;
    assert_refused(p, xmtp_move_export(&options, s.file, &by_key, NULL, &p->error),
                   XMTP_E_NOT_FOUND, "no database");
    options = (xmtp_client_options){.transport = &p->wire.outer, .env = &net.env};
    assert_refused(p, xmtp_move_export(&options, s.file, &by_key, NULL, &p->error),
                   XMTP_E_UNSUPPORTED, "memory");
    assert_ok(p, person_try_open(p)); /* it lives */
    scene_close(&s);
}

static void an_import_of_somebody_else_is_refused(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    export_it(&s);
    person_new_key(&s.to[0]);
    assert_refused(&s.to[0], try_import(&s, &s.to[0], &by_key), XMTP_E_DATABASE_KEY, "belongs to");
    scene_close(&s);
}

static void an_import_is_not_exported_before_it_lives(void **state)
{
    (void)state;
    scene s;
    scene_moved(&s);
    assert_int_equal(unlink(s.file), 0);
    const xmtp_client_options options = options_of(&s.to[0]);
    assert_refused(&s.to[0], xmtp_move_export(&options, s.file, &by_key, NULL, &s.to[0].error),
                   XMTP_E_STATE, "open it once");
    scene_close(&s);
}

static xmtp_status stop_half_way(void *context, uint64_t done, uint64_t total)
{
    (void)context;
    return done >= total / 2 ? XMTP_E_CANCELLED : XMTP_OK;
}

static void an_export_that_is_stopped_leaves_a_living_database(void **state)
{
    (void)state;
    scene s;
    const xmtp_move_progress stop = {.tell = stop_half_way};
    scene_open(&s);
    assert_int_equal(try_export(&s, &by_key, &stop), XMTP_E_CANCELLED);
    assert_int_not_equal(access(s.file, F_OK), 0);
    assert_ok(&s.p[0], person_try_open(&s.p[0]));
    send_text(&s.p[0], &s.dm, "here");
    export_it(&s);
    const xmtp_client_options options = options_of(&s.to[0]);
    assert_int_equal(xmtp_move_import(&options, s.file, &by_key, &stop, &s.to[0].error),
                     XMTP_E_CANCELLED);
    import_it(&s, &s.to[0]);
    scene_close(&s);
}

/* ---- a damaged file */

static uint8_t *read_whole(const char *path, size_t *n)
{
    struct stat info;
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    assert_int_equal(fstat(fileno(in), &info), 0);
    uint8_t *p = malloc((size_t)info.st_size);
    assert_non_null(p);
    *n = fread(p, 1, (size_t)info.st_size, in);
    assert_int_equal(*n, info.st_size);
    (void)fclose(in);
    return p;
}

static void write_whole(const char *path, const uint8_t *p, size_t n)
{
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(p, 1, n, out), n);
    assert_int_equal(fclose(out), 0);
}

static void assert_nothing_came(person *to)
{
    assert_int_not_equal(access(to->path, F_OK), 0);
    assert_true(to->error.text[0] != '\0');
}

static void every_cut_is_refused(void **state)
{
    (void)state;
    scene s;
    size_t n;
    scene_open(&s);
    export_it(&s);
    uint8_t *whole = read_whole(s.file, &n);
    for (size_t at = 0; at < n; at += at < 64 || at + 64 > n ? 1 : (n - 128) / 24 + 1) {
        write_whole(s.file, whole, at);
        assert_int_equal(try_import(&s, &s.to[0], &by_key), XMTP_E_TRUNCATED);
        assert_nothing_came(&s.to[0]);
    }
    uint8_t *longer = realloc(whole, n + 1);
    assert_non_null(longer);
    longer[n] = 0;
    write_whole(s.file, longer, n + 1);
    assert_int_equal(try_import(&s, &s.to[0], &by_key), XMTP_E_TRAILING);
    assert_nothing_came(&s.to[0]);
    free(longer);
    scene_close(&s);
}

static void no_altered_byte_is_imported(void **state)
{
    (void)state;
    enum { HEAD = 26, NONCE_END = HEAD + 14, FRAME_END = NONCE_END + 8 };
    scene s;
    size_t n;
    scene_open(&s);
    export_it(&s);
    uint8_t *whole = read_whole(s.file, &n);
    for (size_t at = 0; at < n; at += at < 64 || at + 16 > n ? 1 : (n - 80) / 24 + 1) {
        whole[at] ^= 0x40;
        write_whole(s.file, whole, n);
        xmtp_status status = try_import(&s, &s.to[0], &by_key);
        whole[at] ^= 0x40;
        bool means_nothing = at >= NONCE_END && at < FRAME_END; /* window size of the compression */
        if (status == XMTP_OK && means_nothing) {
            assert_int_equal(unlink(s.to[0].path), 0);
            continue;
        }
        assert_int_not_equal(status, XMTP_OK);
        assert_nothing_came(&s.to[0]);
    }
    write_whole(s.file, whole, n);
    import_it(&s, &s.to[0]);
    assert_ok(&s.to[0], person_try_open(&s.to[0]));
    free(whole);
    scene_close(&s);
}

static void a_wrong_key_and_a_foreign_file_are_told_apart(void **state)
{
    (void)state;
    scene s;
    static const uint8_t wrong[XMTP_MOVE_KEY_LEN] = {9};
    const xmtp_move_secret by_wrong = {.key = wrong};
    scene_open(&s);
    export_it(&s);
    assert_refused(&s.to[0], try_import(&s, &s.to[0], &by_wrong), XMTP_E_AUTH, "wrong key");
    size_t n;
    uint8_t *whole = read_whole(s.file, &n);
    whole[8] = 2;
    write_whole(s.file, whole, n);
    assert_refused(&s.to[0], try_import(&s, &s.to[0], &by_key), XMTP_E_VERSION, "version 2");
    whole[0] = 'X';
    write_whole(s.file, whole, n);
    assert_refused(&s.to[0], try_import(&s, &s.to[0], &by_key), XMTP_E_MALFORMED,
                   "no installation");
    free(whole);
    assert_nothing_came(&s.to[0]);
    scene_close(&s);
}

/* ---- crashes */

static void remove_parts(void)
{
    char path[2 * PATH_LEN + 256];
    DIR *folder = opendir(net.folder);
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (strstr(entry->d_name, ".part-") != NULL) {
            (void)snprintf(path, sizeof(path), "%s/%s", net.folder, entry->d_name);
            assert_int_equal(unlink(path), 0);
        }
    }
    (void)closedir(folder);
}

/* A process that ends at the write with which a file would pass this size. */
static void export_and_die_at(scene *s, size_t size)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit no_core = {0};
        const struct rlimit limit = {.rlim_cur = size, .rlim_max = size};
        const xmtp_client_options options = options_of(&s->p[0]);
        (void)signal(SIGXFSZ, SIG_DFL);
        (void)setrlimit(RLIMIT_CORE, &no_core);
        (void)setrlimit(RLIMIT_FSIZE, &limit);
        (void)!xmtp_move_export(&options, s->file, &by_key, NULL, NULL);
        _exit(0);
    }
    int ended;
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_true(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGXFSZ);
    assert_int_not_equal(access(s->file, F_OK), 0);
}

static size_t size_of_an_export(scene *s)
{
    size_t n;
    scene trial = *s;
    uint8_t *database = read_whole(s->p[0].path, &n);
    trial.p[0].client = NULL;
    (void)strcpy(trial.p[0].path, s->to[2].path);
    write_whole(trial.p[0].path, database, n);
    free(database);
    export_it(&trial);
    free(read_whole(s->file, &n));
    assert_int_equal(unlink(s->file), 0);
    assert_int_equal(unlink(trial.p[0].path), 0);
    return n;
}

static void killed_before_the_fence_the_database_lives(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    close_client(&s.p[0]);
    size_t n = size_of_an_export(&s);
    const size_t sizes[] = {n / 4, n / 2, n * 3 / 4, n - 100}; /* the end has some 30 bytes */
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        export_and_die_at(&s, sizes[i]);
        remove_parts();
        assert_ok(&s.p[0], person_try_open(&s.p[0]));
        close_client(&s.p[0]);
    }
    scene_close(&s);
}

static void killed_behind_the_fence_the_export_is_made_again(void **state)
{
    (void)state;
    scene s;
    scene_open(&s);
    close_client(&s.p[0]);
    export_and_die_at(&s, size_of_an_export(&s) - 1);
    assert_refused(&s.p[0], person_try_open(&s.p[0]), XMTP_E_MOVED, "exported");
    /* what was written has no end */
    remove_parts();
    export_it(&s);
    import_it(&s, &s.to[0]);
    assert_ok(&s.to[0], person_try_open(&s.to[0]));
    send_text(&s.to[0], &s.dm, "moved");
    sync_all(&s.p[1]);
    assert_texts(&s.p[1], &s.dm, "one|two|moved|");
    scene_close(&s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_same_installation_goes_on_elsewhere),
        TEST(what_was_not_sent_yet_is_sent_from_the_new_place),
        TEST(the_queue_goes_along_and_nothing_is_handled_twice),
        TEST(the_database_gets_the_key_of_its_new_place),
        TEST(a_passphrase_seals_as_a_key_does),
        TEST(it_moves_on_and_back_again),
        TEST(who_was_exported_does_not_open),
        TEST(a_host_keeps_its_folder_to_itself),
        TEST(a_client_that_let_go_does_not_take_a_moved_database_again),
        TEST(the_second_import_never_lives),
        TEST(of_two_that_open_at_once_exactly_one_lives),
        TEST(an_import_that_ends_between_claiming_and_knowing_goes_on),
        TEST(what_others_say_on_the_topic_is_no_claim),
        TEST(another_network_is_no_place_to_live),
        TEST(a_cancelled_move_lives_on_and_its_file_is_dead),
        TEST(a_move_is_not_cancelled_behind_an_import),
        TEST(a_second_file_of_a_fenced_database_is_the_same_move),
        TEST(what_cannot_be_moved_is_told),
        TEST(an_import_of_somebody_else_is_refused),
        TEST(an_import_is_not_exported_before_it_lives),
        TEST(an_export_that_is_stopped_leaves_a_living_database),
        TEST(every_cut_is_refused),
        TEST(no_altered_byte_is_imported),
        TEST(a_wrong_key_and_a_foreign_file_are_told_apart),
        TEST(killed_before_the_fence_the_database_lives),
        TEST(killed_behind_the_fence_the_export_is_made_again),
    };
    return cmocka_run_group_tests_name("move", tests, NULL, NULL);
}
