/* mls_story.c - fuzzes what a group goes through: the input is a program of operations among five
 * members, and after every step all who are in agree and every store says what memory says.
 *
 * Two bytes are one operation: what, and with whom. Between operations application messages are
 * under way and arrive late, out of order or never; members forget everything but their store;
 * memory runs out in the middle of a call, which must leave no trace.
 */
#include "mls_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { CAST = 5, OPERATIONS_MAX = 24, LETTERS = 8, PAST_EPOCHS = 2, TOLERANCE = 5 };

typedef struct letter {
    blob message;
    uint64_t epoch;
    uint32_t generation; /* how many the sender had sent in that epoch */
    size_t from;
    bool is_for[CAST]; /* who has not opened it yet */
    uint8_t text;
} letter;

typedef struct story {
    world_env world;
    member cast[CAST];
    bool is_in[CAST];
    blob packages[CAST]; /* of those outside, once asked for */
    xmtp_mls_key_package_private keys[CAST];
    uint32_t sent[CAST]; /* application messages of this epoch */
    letter letters[LETTERS];
    size_t letter_next;
    xmtp_reader program;
    bool is_over; /* the group was re-initialised */
} story;

/* ---- memory that runs out ---- */

static size_t allocations_left = SIZE_MAX; /* SIZE_MAX: never */
static size_t scarce_call = SIZE_MAX;      /* for the next call that must leave no trace */
static size_t scarce_merge = SIZE_MAX;     /* for the next merge */
static uint8_t digest_before[32];

static void *scarce(void *context, void *p, size_t n)
{
    (void)context;
    if (n == 0) {
        free(p);
        return NULL;
    }
    if (allocations_left == 0) {
        return NULL;
    }
    allocations_left -= allocations_left != SIZE_MAX;
    return realloc(p, n);
}

static bool has_state(const member *m)
{
    return m->group != NULL && xmtp_mls_group_is_active(m->group);
}

static void call_begin(const member *m)
{
    if (scarce_call != SIZE_MAX && has_state(m)) {
        group_digest(m->group, digest_before);
    }
    allocations_left = scarce_call;
}

/* Whether it is to be made again. */
static bool call_end(const member *m, xmtp_status status)
{
    uint8_t after[32];
    const bool was_scarce = scarce_call != SIZE_MAX;
    allocations_left = scarce_call = SIZE_MAX;
    if (!was_scarce || status != XMTP_E_NOMEM) {
        return false;
    }
    assert_int_equal(xmtp_mls_writes_count(m->writes), 0);
    if (has_state(m)) {
        group_digest(m->group, after);
        assert_memory_equal(digest_before, after, 32);
    }
    return true;
}

#define WITH_MEMORY(m, status, call)                                                               \
    do {                                                                                           \
        xmtp_mls_writes_clear((m)->writes);                                                        \
        call_begin(m);                                                                             \
        (status) = (call);                                                                         \
        if (call_end(m, status)) {                                                                 \
            (status) = (call);                                                                     \
        }                                                                                          \
    } while (0)

/* ---- who ---- */

static member *in(story *s, uint8_t which)
{
    size_t i = which % CAST;
    while (!s->is_in[i]) {
        i = (i + 1) % CAST;
    }
    return &s->cast[i];
}

static size_t index_of(const story *s, const member *m)
{
    return (size_t)(m - s->cast);
}

static size_t count(const story *s)
{
    size_t n = 0;
    for (size_t i = 0; i < CAST; i++) {
        n += s->is_in[i];
    }
    return n;
}

/* Somebody who is outside, or NULL. */
static member *outside(story *s, uint8_t which)
{
    for (size_t i = 0; i < CAST; i++) {
        const size_t k = (which + i) % CAST;
        if (!s->is_in[k]) {
            return &s->cast[k];
        }
    }
    return NULL;
}

/* ---- steps of one member ---- */

/* A merge that fails leaves the store as the truth. */
static xmtp_status merge(member *m, xmtp_mls_staged *staged)
{
    xmtp_mls_writes_clear(m->writes);
    allocations_left = scarce_merge;
    const xmtp_status status = xmtp_mls_group_merge(m->group, staged, m->writes, &m->error);
    allocations_left = scarce_merge = SIZE_MAX;
    if (status == XMTP_OK) {
        member_store(m);
    } else {
        assert_int_equal(status, XMTP_E_NOMEM);
        assert_int_equal(xmtp_mls_writes_count(m->writes), 0);
        assert_ok(m, member_load(m));
    }
    return status;
}

static xmtp_status take(member *m, xmtp_bytes message)
{
    xmtp_mls_staged *staged;
    xmtp_status status;
    WITH_MEMORY(m, status, xmtp_mls_group_process(m->group, message, &staged, &m->error));
    if (status != XMTP_OK) {
        assert_null(staged);
        return status;
    }
    status = merge(m, staged);
    return status == XMTP_E_NOMEM ? take(m, message) : status;
}

static void leave(story *s, member *m)
{
    if (!xmtp_mls_group_is_active(m->group)) {
        s->is_in[index_of(s, m)] = false;
        xmtp_mls_group_free(m->group);
        m->group = NULL;
        world_store_free(&m->store);
    }
}

static void everybody_takes(story *s, const member *from, xmtp_bytes message)
{
    for (size_t i = 0; i < CAST; i++) {
        member *m = &s->cast[i];
        if (s->is_in[i] && m != from) {
            assert_ok(m, take(m, message));
            leave(s, m);
        }
    }
}

static void everybody_agrees(story *s)
{
    const member *first = NULL;
    for (size_t i = 0; i < CAST; i++) {
        if (!s->is_in[i]) {
            continue;
        }
        member_check_store(&s->cast[i]);
        if (first != NULL) {
            members_agree(first, &s->cast[i]);
            assert_int_equal(xmtp_mls_group_kept_count(first->group),
                             xmtp_mls_group_kept_count(s->cast[i].group));
        } else {
            first = &s->cast[i];
        }
    }
    assert_int_equal(xmtp_mls_group_member_count(first->group), count(s));
}

/* ---- application messages ---- */

static void send(story *s, member *m, uint8_t text)
{
    letter *l = &s->letters[s->letter_next++ % LETTERS];
    xmtp_status status;
    xmtp_bytes message;
    free(l->message.p);
    *l = (letter){.epoch = xmtp_mls_group_epoch(m->group), .from = index_of(s, m), .text = text};
    WITH_MEMORY(m, status,
                xmtp_mls_group_protect(m->group, xmtp_bytes_of(&text, text % 2),
                                       xmtp_bytes_of(&text, 1), &message, m->writes, &m->error));
    assert_ok(m, status);
    l->message = blob_copy(message);
    member_store(m);
    l->generation = s->sent[l->from]++;
    for (size_t i = 0; i < CAST; i++) {
        l->is_for[i] = s->is_in[i] && i != l->from;
    }
}

/* Whether a member must be able to open it: of this epoch, and not too far behind what was sent. */
static bool must_open(const story *s, const letter *l, const member *m)
{
    return l->epoch == xmtp_mls_group_epoch(m->group) &&
           s->sent[l->from] - l->generation <= TOLERANCE;
}

static void deliver(story *s, uint8_t which, member *m)
{
    letter *l = &s->letters[which % LETTERS];
    xmtp_mls_staged *staged;
    xmtp_status status;
    if (l->message.p == NULL) {
        return;
    }
    const bool is_new = l->is_for[index_of(s, m)];
    WITH_MEMORY(m, status,
                xmtp_mls_group_process(m->group, blob_bytes(l->message), &staged, &m->error));
    if (status == XMTP_OK) {
        const xmtp_bytes said = xmtp_mls_staged_application_data(staged);
        assert_true(is_new && said.n == 1 && said.p[0] == l->text);
        assert_int_equal(xmtp_mls_staged_message_epoch(staged), l->epoch);
        if (merge(m, staged) == XMTP_OK) {
            l->is_for[index_of(s, m)] = false;
        }
    } else {
        assert_true(!is_new || !must_open(s, l, m));
    }
}

/* ---- commits ---- */

static void forget_sent(story *s)
{
    memset(s->sent, 0, sizeof s->sent);
}

/* The commit comes back, by way of the store when asked for. */
static void confirm(member *m, xmtp_mls_pending *pending, bool by_store)
{
    xmtp_mls_staged *staged;
    xmtp_status status;
    if (by_store) {
        blob b;
        assert_int_equal(xmtp_mls_pending_encode(pending, &b.p, &b.n), XMTP_OK);
        xmtp_mls_pending_free(pending);
        assert_ok(m, xmtp_mls_pending_decode(&pending, m->group, blob_bytes(b), &m->error));
        free(b.p);
    }
    WITH_MEMORY(m, status, xmtp_mls_group_stage_pending(m->group, pending, &staged, &m->error));
    assert_ok(m, status);
    if (merge(m, staged) != XMTP_OK) {
        assert_ok(m, xmtp_mls_group_stage_pending(m->group, pending, &staged, &m->error));
        assert_ok(m, merge(m, staged));
    }
    xmtp_mls_pending_free(pending);
}

/* ---- who comes in ---- */

static void forget_package(story *s, size_t i)
{
    free(s->packages[i].p);
    s->packages[i] = (blob){0};
}

static xmtp_bytes package_of(story *s, member *guest)
{
    const size_t i = index_of(s, guest);
    if (s->packages[i].p == NULL) {
        s->packages[i] = member_key_package(guest, &s->keys[i]);
    }
    return blob_bytes(s->packages[i]);
}

static xmtp_status join(story *s, member *guest, xmtp_bytes welcome)
{
    const size_t i = index_of(s, guest);
    const xmtp_mls_join_options options = {.welcome = welcome,
                                           .key_package = blob_bytes(s->packages[i]),
                                           .private_keys = &s->keys[i],
                                           .signer = member_signer(guest)};
    xmtp_status status;
    WITH_MEMORY(guest, status,
                xmtp_mls_group_join(&guest->group, &guest->config, &options, NULL, guest->writes,
                                    &guest->error));
    if (status == XMTP_OK) {
        s->is_in[i] = true;
        member_store(guest);
        forget_package(s, i);
    }
    return status;
}

static bool commit(story *s, member *m, const xmtp_mls_commit_options *options);

/* Whoever the welcome is for joins. A guest who lacks a PSK of the commit is in the tree and cannot
 * join: removed again. */
static void everybody_joins(story *s, member *by, xmtp_bytes welcome)
{
    for (size_t i = 0; i < CAST; i++) {
        if (s->is_in[i] || s->packages[i].p == NULL) {
            continue;
        }
        const xmtp_status status = join(s, &s->cast[i], welcome);
        if (status == XMTP_E_PSK) {
            const int64_t leaf = xmtp_mls_group_find(by->group, xmtp_bytes_of(s->cast[i].pk, 32));
            const uint32_t ghost = (uint32_t)leaf;
            assert_true(leaf >= 0);
            assert_true(
                commit(s, by, &(xmtp_mls_commit_options){.remove = &ghost, .remove_count = 1}));
        } else if (status != XMTP_E_NOT_FOR_US) {
            assert_ok(&s->cast[i], status);
        }
    }
}

/* m commits and all follow; false: the rules refuse it, and nothing has changed. */
static bool commit(story *s, member *m, const xmtp_mls_commit_options *options)
{
    xmtp_mls_pending *pending;
    xmtp_status status;
    const uint8_t how = take_u8(&s->program);
    WITH_MEMORY(m, status, xmtp_mls_group_commit(m->group, options, &pending, &m->error));
    if (status != XMTP_OK) {
        assert_null(pending);
        return false;
    }
    blob welcome = blob_copy(xmtp_mls_pending_welcome(pending));
    blob message = blob_copy(xmtp_mls_pending_message(pending));
    if ((how & 1) != 0) {
        confirm(m, pending, (how & 2) != 0);
        everybody_takes(s, m, blob_bytes(message));
    } else {
        everybody_takes(s, m, blob_bytes(message));
        confirm(m, pending, (how & 2) != 0);
    }
    forget_sent(s);
    if (welcome.n > 0) {
        everybody_joins(s, m, blob_bytes(welcome));
    }
    free(welcome.p);
    free(message.p);
    return true;
}

static void add(story *s, member *m, member *guest)
{
    if (guest != NULL) {
        const xmtp_bytes package = package_of(s, guest);
        const uint8_t how = take_u8(&s->program);
        assert_true(commit(s, m,
                           &(xmtp_mls_commit_options){
                               .add = &package, .add_count = 1, .without_path = (how & 1) != 0}));
    }
}

static void remove_one(story *s, member *m, const member *whom)
{
    const uint32_t leaf = xmtp_mls_group_own_leaf(whom->group);
    assert_true(commit(s, m, &(xmtp_mls_commit_options){.remove = &leaf, .remove_count = 1}) ==
                (m != whom));
}

/* An external commit: by somebody outside, or by a member that lost its state. */
static void enter(story *s, member *m, member *by, uint8_t how)
{
    const bool returns = s->is_in[index_of(s, m)];
    const xmtp_mls_psk psk = {.type = XMTP_MLS_PSK_EXTERNAL, .id = xmtp_bytes_of("psk-1", 5)};
    blob info, message;
    xmtp_status status;
    xmtp_mls_group *group;
    if (m == by) {
        return;
    }
    WITH_MEMORY(by, status, xmtp_mls_group_info(by->group, true, &info.p, &info.n, &by->error));
    assert_ok(by, status);
    const xmtp_mls_external_options options = {
        .group_info = blob_bytes(info),
        .signer = member_signer(m),
        .capabilities = world_capabilities(),
        .remove = returns ? (int64_t)xmtp_mls_group_own_leaf(m->group) : XMTP_MLS_NO_LEAF,
        .psks = &psk,
        .psk_count = how % 2};
    WITH_MEMORY(m, status,
                xmtp_mls_group_join_external(&group, &m->config, &options, &message.p, &message.n,
                                             m->writes, &m->error));
    assert_ok(m, status);
    free(info.p);
    xmtp_mls_group_free(m->group);
    m->group = group;
    world_store_free(&m->store);
    member_store(m);
    everybody_takes(s, m, blob_bytes(message));
    free(message.p);
    s->is_in[index_of(s, m)] = true;
    forget_package(s, index_of(s, m));
    forget_sent(s);
}

/* Two commit, one of them is first. */
static void race(story *s, member *m, member *loser)
{
    xmtp_mls_pending *late;
    uint8_t *encoded;
    size_t encoded_len;
    if (m == loser) {
        return;
    }
    late = member_commit(loser, NULL);
    assert_int_equal(xmtp_mls_pending_encode(late, &encoded, &encoded_len), XMTP_OK);
    xmtp_mls_staged *staged;
    blob message = blob_copy(xmtp_mls_pending_message(late));
    if (commit(s, m, &(xmtp_mls_commit_options){0})) {
        assert_true(xmtp_mls_group_stage_pending(loser->group, late, &staged, &loser->error) !=
                    XMTP_OK);
        xmtp_mls_pending_free(late);
        assert_int_equal(xmtp_mls_pending_decode(&late, loser->group,
                                                 xmtp_bytes_of(encoded, encoded_len),
                                                 &loser->error),
                         XMTP_E_EPOCH_OLD);
        assert_int_equal(take(m, blob_bytes(message)), XMTP_E_EPOCH_OLD);
    }
    xmtp_mls_pending_free(late);
    free(message.p);
    free(encoded);
}

/* ---- proposals ---- */

static xmtp_mls_psk some_psk(const member *m, uint8_t which)
{
    static const char *const names[] = {"psk-1", "psk-2"};
    if (which % 3 < 2) {
        return (xmtp_mls_psk){.type = XMTP_MLS_PSK_EXTERNAL,
                              .id = xmtp_bytes_of_string(names[which % 3])};
    }
    const uint64_t epoch = xmtp_mls_group_epoch(m->group);
    return (xmtp_mls_psk){.type = XMTP_MLS_PSK_RESUMPTION,
                          .usage = XMTP_MLS_PSK_APPLICATION,
                          .group_id = xmtp_mls_group_id(m->group),
                          .epoch = epoch};
}

static const xmtp_mls_extension some_extensions[] = {
    {.type = 0xff00, .data = {(const uint8_t *)"xyz", 3}},
    {.type = XMTP_MLS_EXTENSION_REQUIRED_CAPABILITIES,
     .data = {world_required, sizeof world_required}}};

/* A proposal as the byte has it; false: not now. */
static bool some_proposal(story *s, const member *m, uint8_t which, xmtp_mls_proposal *out)
{
    static const uint16_t types[] = {XMTP_MLS_PROPOSAL_UPDATE,
                                     XMTP_MLS_PROPOSAL_REMOVE,
                                     XMTP_MLS_PROPOSAL_PSK,
                                     XMTP_MLS_PROPOSAL_GROUP_CONTEXT_EXTENSIONS,
                                     0xf001,
                                     XMTP_MLS_PROPOSAL_ADD};
    *out = (xmtp_mls_proposal){.type = types[which % 6],
                               .leaf = which / 6 % CAST,
                               .psk = some_psk(m, which / 6),
                               .extensions = some_extensions,
                               .extension_count = which / 6 % 3,
                               .data = xmtp_bytes_of("own", 3)};
    if (out->type == XMTP_MLS_PROPOSAL_ADD) {
        member *guest = outside(s, which / 6);
        if (guest == NULL) {
            return false;
        }
        out->key_package = package_of(s, guest);
    }
    return true;
}

static void propose(story *s, member *m, uint8_t which)
{
    xmtp_mls_proposal proposal;
    xmtp_mls_ref ref;
    xmtp_status status;
    blob message;
    if (!some_proposal(s, m, which, &proposal)) {
        return;
    }
    WITH_MEMORY(m, status,
                xmtp_mls_group_propose(m->group, &proposal, (xmtp_bytes){0}, &message.p, &message.n,
                                       &ref, m->writes, &m->error));
    if (status != XMTP_OK) {
        return;
    }
    member_store(m);
    everybody_takes(s, m, blob_bytes(message));
    free(message.p);
}

/* A commit of some kept proposals and perhaps one by value. */
static void commit_list(story *s, member *m, uint8_t mask)
{
    xmtp_mls_ref refs[8];
    xmtp_mls_proposal value;
    size_t n = 0;
    const uint8_t which = take_u8(&s->program);
    for (size_t i = 0; i < 8 && i < xmtp_mls_group_kept_count(m->group); i++) {
        if ((mask >> i & 1) != 0) {
            refs[n++] = xmtp_mls_group_kept_ref(m->group, i);
        }
    }
    const bool has_value = (which & 0x80) != 0 && some_proposal(s, m, which & 0x3f, &value);
    (void)commit(s, m,
                 &(xmtp_mls_commit_options){.references = refs,
                                            .reference_count = n,
                                            .proposals = &value,
                                            .proposal_count = has_value ? 1 : 0,
                                            .without_path = (which & 0x40) != 0});
}

/* ---- groups that continue this one ---- */

static const xmtp_mls_extension required_extension = {
    .type = XMTP_MLS_EXTENSION_REQUIRED_CAPABILITIES,
    .data = {world_required, sizeof world_required}};

/* m starts a group that continues this one, with other. */
static void continue_group(story *s, member *m, member *other)
{
    member next, guest;
    xmtp_mls_key_package_private keys;
    if (m == other) {
        return;
    }
    full_member(&next, &s->world, "next");
    full_member(&guest, &s->world, "guest");
    const xmtp_mls_create_options create = {.suite = 3,
                                            .group_id = xmtp_bytes_of("next", 4),
                                            .signer = member_signer(&next),
                                            .capabilities = world_capabilities(),
                                            .context_extensions = &required_extension,
                                            .context_extension_count = 1};
    assert_ok(&next,
              xmtp_mls_group_create(&next.group, &next.config, &create, next.writes, &next.error));
    member_store(&next);
    blob package = member_key_package(&guest, &keys);
    const xmtp_bytes bytes = blob_bytes(package);
    xmtp_mls_pending *pending = member_commit(
        &next, &(xmtp_mls_commit_options){.add = &bytes, .add_count = 1, .parent = m->group});
    const xmtp_mls_join_options options = {.welcome = xmtp_mls_pending_welcome(pending),
                                           .key_package = bytes,
                                           .private_keys = &keys,
                                           .signer = member_signer(&guest),
                                           .parent = other->group};
    xmtp_mls_writes_clear(guest.writes);
    assert_ok(&guest, xmtp_mls_group_join(&guest.group, &guest.config, &options, NULL, guest.writes,
                                          &guest.error));
    member_store(&guest);
    member_confirm(&next, pending);
    members_agree(&next, &guest);
    free(package.p);
    member_free(&next);
    member_free(&guest);
}

/* The group ends, and another one begins. */
static void reinit(story *s, member *m, member *other)
{
    const xmtp_mls_proposal proposal = {.type = XMTP_MLS_PROPOSAL_REINIT,
                                        .group_id = xmtp_bytes_of("next", 4),
                                        .suite = 3,
                                        .extensions = &required_extension,
                                        .extension_count = 1};
    xmtp_bytes none;
    assert_true(
        commit(s, m, &(xmtp_mls_commit_options){.proposals = &proposal, .proposal_count = 1}));
    assert_true(xmtp_mls_group_is_reinitialised(other->group));
    assert_int_equal(xmtp_mls_group_protect(other->group, (xmtp_bytes){0}, (xmtp_bytes){0}, &none,
                                            other->writes, &other->error),
                     XMTP_E_STATE);
    continue_group(s, m, other);
    s->is_over = true;
}

/* ---- the program ---- */

static void reload(member *m, uint8_t how)
{
    xmtp_status status;
    m->reloads = how % 2 == 0;
    WITH_MEMORY(m, status, member_load(m));
    assert_ok(m, status);
}

static void step(story *s)
{
    const uint8_t what = take_u8(&s->program);
    const uint8_t who = take_u8(&s->program);
    member *m = in(s, who % CAST);
    member *other = in(s, who / CAST % CAST);
    const uint8_t more = who / CAST / CAST;
    switch (what % 14) {
    case 0:
        (void)commit(s, m, &(xmtp_mls_commit_options){0});
        break;
    case 1:
        add(s, m, outside(s, more));
        break;
    case 2:
        remove_one(s, m, other);
        break;
    case 3:
    case 4:
        send(s, m, (uint8_t)(what / 14));
        break;
    case 5:
    case 6:
        deliver(s, (uint8_t)(what / 14), m);
        break;
    case 7:
        propose(s, m, (uint8_t)(what / 14 + 19 * more));
        break;
    case 8:
        commit_list(s, m, take_u8(&s->program));
        break;
    case 9:
        enter(s, what / 14 % 2 == 0 || outside(s, 0) == NULL ? other : outside(s, more), m, more);
        break;
    case 10:
        race(s, m, other);
        break;
    case 11:
        scarce_call = what / 14 % 2 == 0 ? who : SIZE_MAX;
        scarce_merge = what / 14 % 2 == 0 ? SIZE_MAX : who;
        break;
    case 12:
        reload(m, more);
        break;
    default:
        what / 14 == 0 ? reinit(s, m, other) : continue_group(s, m, other);
        break;
    }
}

static void begin(story *s)
{
    static const char *const names[CAST] = {"alice", "bob", "carol", "dave", "eve"};
    const uint8_t how = take_u8(&s->program);
    world_env_init(&s->world, 7);
    s->world.env.alloc.reallocate = scarce;
    for (size_t i = 0; i < CAST; i++) {
        full_member(&s->cast[i], &s->world, names[i]);
        s->cast[i].config.past_epochs_max = PAST_EPOCHS;
        s->cast[i].config.public_handshakes = (how >> i & 1) != 0;
        s->cast[i].config.out_of_order_tolerance = TOLERANCE;
    }
    member_create(&s->cast[0]);
    s->is_in[0] = true;
}

static void end(story *s)
{
    allocations_left = scarce_call = scarce_merge = SIZE_MAX;
    for (size_t i = 0; i < CAST; i++) {
        member_free(&s->cast[i]);
        forget_package(s, i);
    }
    for (size_t i = 0; i < LETTERS; i++) {
        free(s->letters[i].message.p);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static story s;
    s = (story){.program = xmtp_reader_of(xmtp_bytes_of(data, n))};
    begin(&s);
    for (size_t i = 0; i < OPERATIONS_MAX && s.program.n > 0 && !s.is_over; i++) {
        step(&s);
        everybody_agrees(&s);
    }
    end(&s);
    return 0;
}
