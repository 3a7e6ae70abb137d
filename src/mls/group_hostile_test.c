/* group_hostile_test.c - bad input is ordinary: flipped, cut and forged messages, damaged stores,
 * and no memory. The answer is always a clean status and an unchanged group. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mls/group_dump.h"
#include "mls/protect.h"

typedef struct trio {
    world_env world;
    member alice;
    member bob;
    member carol; /* not yet a member */
    xmtp_mls_key_package_private carol_keys;
    blob carol_package;
} trio;

static void trio_open(trio *t)
{
    world_env_init(&t->world, 11);
    member_init(&t->alice, &t->world, "alice");
    member_init(&t->bob, &t->world, "bob");
    member_init(&t->carol, &t->world, "carol");
    member_create(&t->alice);
    blob commit = member_invite(&t->alice, &t->bob);
    free(commit.p);
    t->carol_package = member_key_package(&t->carol, &t->carol_keys);
}

static void trio_close(trio *t)
{
    member_free(&t->alice);
    member_free(&t->bob);
    member_free(&t->carol);
    free(t->carol_package.p);
}

/* A commit by alice with everything in it: an Add, extensions, a path. */
static xmtp_mls_pending *full_commit(trio *t)
{
    const xmtp_bytes add = blob_bytes(t->carol_package);
    const xmtp_mls_extension extensions[] = {{.type = XMTP_MLS_EXTENSION_REQUIRED_CAPABILITIES,
                                              .data = {world_required, sizeof world_required}}};
    return member_commit(&t->alice, &(xmtp_mls_commit_options){.add = &add,
                                                               .add_count = 1,
                                                               .context_extensions = extensions,
                                                               .context_extension_count = 1,
                                                               .set_context_extensions = true});
}

/* ---- flipped and cut ---- */

static void is_refused(member *m, xmtp_bytes message)
{
    xmtp_mls_staged *staged;
    m->error = (xmtp_error){0};
    assert_int_not_equal(xmtp_mls_group_process(m->group, message, &staged, &m->error), XMTP_OK);
    assert_null(staged);
    assert_true(m->error.status != XMTP_OK && m->error.text[0] != 0);
}

static void every_flip_and_cut_is_refused(member *m, xmtp_bytes message)
{
    uint8_t before[32], after[32];
    group_digest(m->group, before);
    blob copy = blob_copy(message);
    for (size_t i = 0; i < copy.n; i++) {
        copy.p[i] ^= (uint8_t)(1u << i % 8);
        is_refused(m, blob_bytes(copy));
        copy.p[i] ^= (uint8_t)(1u << i % 8);
        is_refused(m, xmtp_bytes_of(copy.p, i));
    }
    blob longer = {.p = malloc(copy.n + 1), .n = copy.n + 1};
    assert_non_null(longer.p);
    memcpy(longer.p, copy.p, copy.n);
    longer.p[copy.n] = 0;
    is_refused(m, blob_bytes(longer));
    group_digest(m->group, after);
    assert_memory_equal(before, after, 32);
    free(copy.p);
    free(longer.p);
}

static void flipped_messages_are_refused(void **state)
{
    (void)state;
    trio t;
    trio_open(&t);
    blob text = member_send(&t.alice, "a message to break");
    every_flip_and_cut_is_refused(&t.bob, blob_bytes(text));
    xmtp_mls_pending *pending = full_commit(&t);
    every_flip_and_cut_is_refused(&t.bob, xmtp_mls_pending_message(pending));
    member_expect(&t.bob, text, "a message to break");
    assert_ok(&t.bob, member_take(&t.bob, xmtp_mls_pending_message(pending)));
    member_confirm(&t.alice, pending);
    members_agree(&t.alice, &t.bob);
    free(text.p);
    trio_close(&t);
}

static void flipped_welcomes_are_refused(void **state)
{
    (void)state;
    trio t;
    trio_open(&t);
    xmtp_mls_pending *pending = full_commit(&t);
    blob welcome = blob_copy(xmtp_mls_pending_welcome(pending));
    member_confirm(&t.alice, pending);
    for (size_t i = 0; i < welcome.n; i++) {
        welcome.p[i] ^= (uint8_t)(1u << i % 8);
        assert_int_not_equal(
            member_join(&t.carol, blob_bytes(welcome), t.carol_package, &t.carol_keys), XMTP_OK);
        welcome.p[i] ^= (uint8_t)(1u << i % 8);
        assert_int_not_equal(
            member_join(&t.carol, xmtp_bytes_of(welcome.p, i), t.carol_package, &t.carol_keys),
            XMTP_OK);
        assert_int_equal(xmtp_mls_writes_count(t.carol.writes), 0);
    }
    assert_ok(&t.carol, member_join(&t.carol, blob_bytes(welcome), t.carol_package, &t.carol_keys));
    members_agree(&t.alice, &t.carol);
    free(welcome.p);
    trio_close(&t);
}

/* ---- forged by a member ---- */

/* Encrypts an AuthenticatedContent as its sender would, signing it anew where asked. */
static blob seal_as(member *m, xmtp_authenticated_content *content, bool signs)
{
    uint8_t signature[XMTP_SIGNATURE_MAX];
    const xmtp_mls_group *group = m->group;
    xmtp_message_key key;
    xmtp_secret_tree_change change;
    xmtp_writer w;
    blob out = {0};
    xmtp_writer_init(&w, group->alloc, XMTP_WRITER_MAX);
    if (signs) {
        content->auth.signature.p = signature;
        assert_int_equal(
            xmtp_group_sign(group, &content->content, signature, &content->auth.signature.n),
            XMTP_OK);
    }
    assert_int_equal(xmtp_secret_tree_next_key(&group->epochs[0].secret_tree,
                                               group->private_keys.leaf_index,
                                               XMTP_RATCHET_HANDSHAKE, &key, &change),
                     XMTP_OK);
    assert_int_equal(xmtp_group_seal(group, &content->content, &content->auth, &key, &w), XMTP_OK);
    xmtp_secret_tree_change_free(&change);
    assert_int_equal(xmtp_writer_detach(&w, &out.p, &out.n), XMTP_OK);
    return out;
}

static size_t forged; /* messages that could be made */

/* Flips one byte of a commit before it is encrypted: what a malicious member could send. */
static void forge(trio *t, xmtp_bytes authenticated, size_t at, bool signs)
{
    blob copy = blob_copy(authenticated);
    xmtp_arena arena;
    xmtp_authenticated_content *content;
    copy.p[at] ^= (uint8_t)(1u << at % 8);
    xmtp_arena_init(&arena, t->alice.group->alloc, 1 << 22);
    assert_int_equal(xmtp_arena_take(&arena, sizeof *content, (void **)&content), XMTP_OK);
    xmtp_reader r = xmtp_reader_of(blob_bytes(copy));
    if (xmtp_authenticated_content_decode(&r, &arena, content) == XMTP_OK &&
        xmtp_reader_end(&r) == XMTP_OK && content->content.content.type == XMTP_CONTENT_COMMIT &&
        content->content.sender.type == XMTP_SENDER_MEMBER) {
        blob message = seal_as(&t->alice, content, signs);
        xmtp_mls_message_info info;
        forged++;
        assert_int_equal(xmtp_mls_message_inspect(blob_bytes(message), &info), XMTP_OK);
        is_refused(&t->bob, blob_bytes(message));
        free(message.p);
    }
    xmtp_arena_reset(&arena);
    free(copy.p);
}

static void commits_forged_by_a_member_are_refused(void **state)
{
    (void)state;
    trio t;
    trio_open(&t);
    uint8_t before[32], after[32];
    xmtp_mls_pending *pending = full_commit(&t);
    xmtp_bytes content = xmtp_buffer_bytes(&pending->authenticated_content);
    group_digest(t.bob.group, before);
    /* wire_format, group_id, epoch and sender are not inside of the ciphertext: start behind them
     */
    size_t start = 2 + 1 + 16 + 8 + 1 + 4;
    for (size_t i = start; i < content.n; i++) {
        forge(&t, content, i, false);
    }
    /* Signed again, all but the signature itself must still be caught: by the path, the leaf, the
     * key package, the tree, or in the end by the confirmation tag. */
    size_t signature_at = content.n - (1 + 32) - (2 + 64);
    for (size_t i = start; i < content.n; i++) {
        if (i < signature_at || i >= content.n - 33) {
            forge(&t, content, i, true);
        }
    }
    print_message("%zu forged commits refused\n", forged);
    assert_true(forged > 2 * 500);
    group_digest(t.bob.group, after);
    assert_memory_equal(before, after, 32);
    assert_ok(&t.bob, member_take(&t.bob, xmtp_mls_pending_message(pending)));
    member_confirm(&t.alice, pending);
    members_agree(&t.alice, &t.bob);
    trio_close(&t);
}

/* A member cannot speak for another: bob's leaf in alice's sender data. */
static void a_member_cannot_speak_for_another(void **state)
{
    (void)state;
    trio t;
    trio_open(&t);
    xmtp_mls_pending *pending = full_commit(&t);
    blob welcome = blob_copy(xmtp_mls_pending_welcome(pending));
    assert_ok(&t.bob, member_take(&t.bob, xmtp_mls_pending_message(pending)));
    member_confirm(&t.alice, pending);
    assert_ok(&t.carol, member_join(&t.carol, blob_bytes(welcome), t.carol_package, &t.carol_keys));
    free(welcome.p);

    t.alice.group->private_keys.leaf_index = 1; /* as a malicious build could */
    xmtp_framed_content content = xmtp_group_frame(t.alice.group, (xmtp_bytes){0});
    t.alice.group->private_keys.leaf_index = 0;
    static const uint8_t raw[] = {2, 'h', 'i'};
    uint8_t signature[XMTP_SIGNATURE_MAX];
    xmtp_content_auth auth = {.signature = {.p = signature}};
    content.content.type = XMTP_CONTENT_APPLICATION;
    content.content.raw = xmtp_bytes_of(raw, sizeof raw);
    assert_int_equal(xmtp_group_sign(t.alice.group, &content, signature, &auth.signature.n),
                     XMTP_OK);
    static const xmtp_ratchet_limits limits = {.tolerance = 5, .forward = 1000};
    xmtp_message_key key;
    xmtp_secret_tree_change change;
    assert_int_equal(xmtp_secret_tree_key(&t.alice.group->epochs[0].secret_tree, 1,
                                          XMTP_RATCHET_APPLICATION, 0, &limits, &key, &change),
                     XMTP_OK);
    xmtp_secret_tree_change_free(&change);
    xmtp_writer w;
    xmtp_writer_init(&w, t.alice.group->alloc, XMTP_WRITER_MAX);
    assert_int_equal(xmtp_group_seal(t.alice.group, &content, &auth, &key, &w), XMTP_OK);
    xmtp_mls_staged *staged;
    assert_int_equal(
        xmtp_mls_group_process(t.carol.group, xmtp_writer_bytes(&w), &staged, &t.carol.error),
        XMTP_E_SIGNATURE);
    xmtp_writer_free(&w);
    trio_close(&t);
}

/* ---- damaged stores ---- */

static void loads_or_is_corrupt(member *m)
{
    xmtp_mls_group *group;
    const xmtp_mls_records records = {.context = &m->store, .each = world_store_each};
    xmtp_status status = xmtp_mls_group_load(&group, &m->config, &records, &m->error);
    assert_true(status == XMTP_OK || status == XMTP_E_CORRUPT);
    xmtp_mls_group_free(group);
}

static void damaged_stores_are_told(void **state)
{
    (void)state;
    trio t;
    trio_open(&t);
    blob text = member_send(&t.alice, "one");
    member_expect(&t.bob, text, "one");
    xmtp_mls_pending *pending = full_commit(&t);
    assert_ok(&t.bob, member_take(&t.bob, xmtp_mls_pending_message(pending)));
    xmtp_mls_pending_free(pending);
    for (size_t i = 0; i < t.bob.store.count; i++) {
        world_record *r = &t.bob.store.records[i];
        size_t whole = r->value_len;
        for (size_t n = 0; n < whole; n++) {
            r->value_len = n;
            loads_or_is_corrupt(&t.bob);
            r->value_len = whole;
            r->value[n] ^= (uint8_t)(1u << n % 8);
            loads_or_is_corrupt(&t.bob);
            r->value[n] ^= (uint8_t)(1u << n % 8);
        }
    }
    assert_ok(&t.bob, member_load(&t.bob));
    world_store_free(&t.bob.store);
    assert_int_equal(member_load(&t.bob), XMTP_E_NOT_FOUND);
    free(text.p);
    trio_close(&t);
}

/* ---- no memory ---- */

typedef struct scarce {
    size_t left; /* allocations until the first failure */
    const xmtp_alloc *system;
} scarce;

static void *scarce_reallocate(void *context, void *p, size_t n)
{
    scarce *s = context;
    if (n > 0) {
        if (s->left == 0) {
            return NULL;
        }
        s->left--;
    }
    return s->system->reallocate(s->system->context, p, n);
}

/* Runs a step with every allocation failing in turn; it must fail with NOMEM until it succeeds. */
static void fails_cleanly(member *m, scarce *s, xmtp_status (*step)(member *m, void *data),
                          void *data)
{
    for (size_t n = 0; n < 2000; n++) {
        s->left = n;
        xmtp_status status = step(m, data);
        s->left = SIZE_MAX;
        if (status == XMTP_OK) {
            assert_true(n > 0);
            return;
        }
        assert_int_equal(status, XMTP_E_NOMEM);
    }
    fail_msg("still no memory");
}

static xmtp_status step_process(member *m, void *data)
{
    xmtp_mls_staged *staged;
    xmtp_status status = xmtp_mls_group_process(m->group, *(xmtp_bytes *)data, &staged, &m->error);
    xmtp_mls_staged_free(staged);
    return status;
}

static xmtp_status step_commit(member *m, void *data)
{
    xmtp_mls_pending *pending;
    xmtp_status status = xmtp_mls_group_commit(m->group, data, &pending, &m->error);
    xmtp_mls_pending_free(pending);
    return status;
}

static xmtp_status step_load(member *m, void *data)
{
    (void)data;
    return member_load(m);
}

static xmtp_status step_send(member *m, void *data)
{
    xmtp_bytes out;
    xmtp_mls_writes_clear(m->writes);
    xmtp_status status = xmtp_mls_group_protect(m->group, (xmtp_bytes){0}, *(xmtp_bytes *)data,
                                                &out, m->writes, &m->error);
    if (status != XMTP_OK) {
        assert_int_equal(xmtp_mls_writes_count(m->writes), 0);
        return status;
    }
    world_store_apply(&m->store, m->writes);
    return XMTP_OK;
}

/* Merging may fail half-way: the group is loaded again then, as the contract says. */
static xmtp_status step_merge(member *m, void *data)
{
    xmtp_mls_staged *staged;
    scarce *s = m->config.env->alloc.context;
    size_t left = s->left;
    s->left = SIZE_MAX;
    assert_ok(m, xmtp_mls_group_process(m->group, *(xmtp_bytes *)data, &staged, &m->error));
    xmtp_mls_writes_clear(m->writes);
    s->left = left;
    xmtp_status status = xmtp_mls_group_merge(m->group, staged, m->writes, &m->error);
    s->left = SIZE_MAX;
    if (status != XMTP_OK) {
        assert_int_equal(xmtp_mls_writes_count(m->writes), 0);
        assert_ok(m, member_load(m));
        return status;
    }
    member_store(m);
    return XMTP_OK;
}

typedef struct joining_step {
    trio *t;
    xmtp_bytes welcome;
} joining_step;

static xmtp_status step_join(member *m, void *data)
{
    const joining_step *j = data;
    return member_join(m, j->welcome, j->t->carol_package, &j->t->carol_keys);
}

static void without_memory_every_step_fails_cleanly(void **state)
{
    (void)state;
    trio t;
    trio_open(&t);
    world_env poor = t.world;
    scarce s = {.left = SIZE_MAX, .system = &xmtp_env_system()->alloc};
    poor.env.context = &poor;
    poor.env.alloc = (xmtp_alloc){.context = &s, .reallocate = scarce_reallocate};
    t.bob.config.env = &poor.env;
    t.carol.config.env = &poor.env;
    xmtp_mls_writes_free(t.bob.writes);
    xmtp_mls_writes_free(t.carol.writes);
    assert_int_equal(xmtp_mls_writes_new(&t.bob.writes, &poor.env), XMTP_OK);
    assert_int_equal(xmtp_mls_writes_new(&t.carol.writes, &poor.env), XMTP_OK);
    fails_cleanly(&t.bob, &s, step_load, NULL);

    uint8_t before[32], after[32];
    xmtp_mls_pending *pending = full_commit(&t);
    xmtp_bytes commit = xmtp_mls_pending_message(pending);
    xmtp_bytes text = xmtp_bytes_of_string("text");
    const xmtp_bytes add = blob_bytes(t.carol_package);
    xmtp_mls_commit_options options = {.add = &add, .add_count = 1};
    group_digest(t.bob.group, before);
    fails_cleanly(&t.bob, &s, step_process, &commit);
    fails_cleanly(&t.bob, &s, step_commit, &options);
    group_digest(t.bob.group, after);
    assert_memory_equal(before, after, 32);
    fails_cleanly(&t.bob, &s, step_send, &text);
    member_check_store(&t.bob);
    fails_cleanly(&t.bob, &s, step_merge, &commit);

    joining_step j = {.t = &t, .welcome = xmtp_mls_pending_welcome(pending)};
    t.carol.reloads = false;
    fails_cleanly(&t.carol, &s, step_join, &j);
    member_confirm(&t.alice, pending);
    members_agree(&t.alice, &t.bob);
    members_agree(&t.alice, &t.carol);
    member_check_store(&t.bob);
    trio_close(&t);
}

static void assert_talk_allocates(member *from, member *to, scarce *s, size_t length, size_t left)
{
    static uint8_t text[16 * 1024];
    xmtp_mls_staged *staged;
    xmtp_bytes message;
    s->left = left;
    xmtp_mls_writes_clear(from->writes);
    assert_ok(from,
              xmtp_mls_group_protect(from->group, (xmtp_bytes){0}, xmtp_bytes_of(text, length),
                                     &message, from->writes, &from->error));
    assert_ok(to, xmtp_mls_group_process(to->group, message, &staged, &to->error));
    assert_int_equal(xmtp_mls_staged_application_data(staged).n, length);
    xmtp_mls_writes_clear(to->writes);
    assert_ok(to, xmtp_mls_group_merge(to->group, staged, to->writes, &to->error));
    s->left = SIZE_MAX;
}

/* The first message makes the buffers; the allocator then has nothing left to give. */
static void messages_allocate_nothing_after_the_first(void **state)
{
    (void)state;
    trio t;
    trio_open(&t);
    world_env poor = t.world;
    scarce s = {.left = SIZE_MAX, .system = &xmtp_env_system()->alloc};
    poor.env.context = &poor;
    poor.env.alloc = (xmtp_alloc){.context = &s, .reallocate = scarce_reallocate};
    member *members[] = {&t.alice, &t.bob};
    for (size_t i = 0; i < 2; i++) {
        members[i]->config.env = &poor.env;
        xmtp_mls_writes_free(members[i]->writes);
        assert_int_equal(xmtp_mls_writes_new(&members[i]->writes, &poor.env), XMTP_OK);
        assert_ok(members[i], member_load(members[i]));
    }
    assert_talk_allocates(&t.alice, &t.bob, &s, 16 * 1024, SIZE_MAX);
    for (size_t length = 0; length <= 16 * 1024; length += 1024) {
        assert_talk_allocates(&t.alice, &t.bob, &s, length, 0);
    }
    trio_close(&t);
}

/* Two staged objects at a time, and one that is freed after its group. */
static void staged_objects_may_be_many_and_outlive_their_group(void **state)
{
    (void)state;
    trio t;
    trio_open(&t);
    blob first = member_send(&t.alice, "first");
    blob second = member_send(&t.alice, "second");
    xmtp_mls_staged *staged[3];
    for (size_t i = 0; i < 3; i++) {
        assert_ok(&t.bob, xmtp_mls_group_process(t.bob.group, blob_bytes(i == 1 ? second : first),
                                                 &staged[i], &t.bob.error));
    }
    assert_true(xmtp_bytes_equal(xmtp_mls_staged_application_data(staged[0]),
                                 xmtp_bytes_of_string("first")));
    assert_true(xmtp_bytes_equal(xmtp_mls_staged_application_data(staged[1]),
                                 xmtp_bytes_of_string("second")));
    xmtp_mls_staged_free(staged[0]);
    assert_ok(&t.bob,
              xmtp_mls_group_process(t.bob.group, blob_bytes(second), &staged[0], &t.bob.error));
    assert_true(xmtp_bytes_equal(xmtp_mls_staged_application_data(staged[2]),
                                 xmtp_bytes_of_string("first")));
    xmtp_mls_staged_free(staged[1]);
    xmtp_mls_group_free(t.bob.group);
    t.bob.group = NULL;
    xmtp_mls_staged_free(staged[2]);
    xmtp_mls_staged_free(staged[0]);
    free(first.p);
    free(second.p);
    trio_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flipped_messages_are_refused),
        cmocka_unit_test(flipped_welcomes_are_refused),
        cmocka_unit_test(commits_forged_by_a_member_are_refused),
        cmocka_unit_test(a_member_cannot_speak_for_another),
        cmocka_unit_test(damaged_stores_are_told),
        cmocka_unit_test(without_memory_every_step_fails_cleanly),
        cmocka_unit_test(messages_allocate_nothing_after_the_first),
        cmocka_unit_test(staged_objects_may_be_many_and_outlive_their_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
