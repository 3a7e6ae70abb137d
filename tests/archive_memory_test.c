/* archive_memory_test.c - how much memory archives take, and that none at all is told and loses nothing. */
#include "archive_craft.h"
#include "client/content.h"
#include "one_network.h"

#include <malloc.h>

enum { MESSAGES = 300, MESSAGE_LEN = 16 * 1024, PEAK_MAX = 1024 * 1024, REFUSALS = 60 };

/* Counts what is taken, and refuses one allocation. */
typedef struct ledger {
    size_t now;
    size_t peak;
    uint64_t allocations;
    uint64_t refuse_at; /* 0: none */
} ledger;

static ledger taken;

static void *counted(void *context, void *p, size_t n)
{
    (void)context;
    taken.allocations += n > 0;
    if (n > 0 && taken.refuse_at != 0 && taken.allocations == taken.refuse_at) {
        return NULL;
    }
    taken.now -= p == NULL ? 0 : malloc_usable_size(p);
    const xmtp_alloc *system = &xmtp_env_system()->alloc;
    p = system->reallocate(system->context, p, n);
    taken.now += p == NULL ? 0 : malloc_usable_size(p);
    taken.peak = taken.now > taken.peak ? taken.now : taken.peak;
    return p;
}

typedef struct reader {
    person p;
    xmtp_env env;
    char path[PATH_LEN + 16];
    xmtp_archive_counts counts;
} reader;

static void reader_open(reader *r)
{
    memset(r, 0, sizeof(*r));
    memset(&taken, 0, sizeof(taken));
    r->env = net.env;
    r->env.alloc = (xmtp_alloc){.reallocate = counted};
    r->p = (person){.net = &net, .has_file = true, .env = &r->env};
    person_new_key(&r->p);
    (void)snprintf(r->p.path, sizeof(r->p.path), "%s/%u.db", net.folder, ++net.people);
    wire_open(&r->p.wire, &net);
    assert_ok(&r->p, person_try_open(&r->p));
    (void)snprintf(r->path, sizeof(r->path), "%s/archive", net.folder);
}

static void reader_close(reader *r)
{
    (void)unlink(r->path);
    person_close(&r->p);
    assert_int_equal(taken.now, 0);
}

/* One group and count messages of some length, all different. */
static void craft_group(const reader *r, int count, size_t len)
{
    crafted c;
    xmtp_writer content;
    static const char group_id[] = "0123456789abcdef";
    Pb__GroupSave group = group_save(group_id, XMTP_CONVERSATION_GROUP);
    char *text = calloc(1, len + 1);
    assert_non_null(text);
    memset(text, 't', len);
    xmtp_writer_init(&content, &net.env.alloc, XMTP_WRITER_MAX);
    assert_int_equal(xmtp_content_text(&content, text), XMTP_OK);
    craft(&c, r->path, true);
    put(&c, PB__BACKUP_ELEMENT__ELEMENT_GROUP, &group);
    for (int i = 0; i < count; i++) {
        char id[33];
        (void)snprintf(id, sizeof(id), "%032d", i);
        Pb__GroupMessageSave message =
            message_save(id, group_id, xmtp_client_inbox_id(r->p.client));
        message.has_decrypted_message_bytes = 1;
        message.decrypted_message_bytes = xmtp_proto_data(xmtp_writer_bytes(&content));
        put(&c, PB__BACKUP_ELEMENT__ELEMENT_GROUP_MESSAGE, &message);
    }
    craft_end(&c);
    xmtp_writer_free(&content);
    free(text);
}

static void memory_does_not_grow_with_the_archive(void **state)
{
    (void)state;
    reader r;
    reader_open(&r);
    craft_group(&r, MESSAGES, MESSAGE_LEN);
    size_t before = taken.now;
    taken.peak = taken.now;
    assert_ok(&r.p,
              xmtp_client_archive_import(r.p.client, r.path, key, NULL, &r.counts, &r.p.error));
    assert_int_equal(r.counts.messages, MESSAGES);
    assert_true(r.counts.bytes > MESSAGES * MESSAGE_LEN);
    assert_in_range(taken.peak - before, 1, PEAK_MAX);
    taken.peak = taken.now;
    assert_ok(&r.p, xmtp_client_archive_export(r.p.client, r.path, key, NULL, NULL, &r.counts,
                                               &r.p.error));
    assert_int_equal(r.counts.messages, MESSAGES);
    assert_in_range(taken.peak - before, 1, PEAK_MAX);
    reader_close(&r);
}

/* Each run refuses another allocation; what was refused is done by the next run. */
static void memory_that_runs_out_is_told_and_loses_nothing(void **state)
{
    (void)state;
    reader r;
    xmtp_status status = XMTP_E_NOMEM;
    reader_open(&r);
    craft_group(&r, 3, 100);
    for (uint64_t i = 1; i <= REFUSALS && status == XMTP_E_NOMEM; i++) {
        taken.allocations = 0;
        taken.refuse_at = i;
        status = xmtp_client_archive_import(r.p.client, r.path, key, NULL, NULL, &r.p.error);
        assert_true(status == XMTP_OK || status == XMTP_E_NOMEM);
    }
    taken.refuse_at = 0;
    assert_ok(&r.p,
              xmtp_client_archive_import(r.p.client, r.path, key, NULL, &r.counts, &r.p.error));
    assert_int_equal(r.counts.known + r.counts.messages + r.counts.conversations, 4);
    status = XMTP_E_NOMEM;
    for (uint64_t i = 1; i <= REFUSALS && status == XMTP_E_NOMEM; i++) {
        taken.allocations = 0;
        taken.refuse_at = i;
        status = xmtp_client_archive_export(r.p.client, r.path, key, NULL, NULL, NULL, &r.p.error);
        assert_true(status == XMTP_OK || status == XMTP_E_NOMEM);
    }
    taken.refuse_at = 0;
    assert_ok(&r.p,
              xmtp_client_archive_import(r.p.client, r.path, key, NULL, &r.counts, &r.p.error));
    assert_int_equal(r.counts.known, 4);
    reader_close(&r);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(memory_does_not_grow_with_the_archive),
        TEST(memory_that_runs_out_is_told_and_loses_nothing),
    };
    return cmocka_run_group_tests_name("archive memory", tests, NULL, NULL);
}
