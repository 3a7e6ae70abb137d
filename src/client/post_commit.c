/* post_commit.c - welcomes for those whom our commit added (groups.md 4.1 to 4.5).
 *
 *     record:  vector<V> welcome, then for each installation
 *              { vector<V> installation, vector<V> key, u8 algorithm, u8 takes_pointers }
 *     key:     where the wrapper key is in the commit's content, { u32 offset, u32 length }; in records of
 *              earlier versions the wrapper key itself, which is longer
 *
 * Sent only after the commit was read back, since only then its place in the order is known. A
 * crash in between leaves the intent, and the next round sends them. No welcome leaves before the disk has what it
 * tells of; that takes as long as the node's call for what pointers point at. Above two capable
 * installations the content is stored once, and each of them gets a pointer. Pointers that follow
 * each other are sealed together, but never across two calls to the node: a receiver whose key is bad
 * stops the call that it would have been in, and none before.
 */
#include "client/post_commit.h"

#include "client/round.h"
#include "client/sealed_pointers.h"

enum {
    WELCOMES_PER_CALL = 50,
    CALLS_MAX = 4, /* under way together */
    CALL_BYTES_MAX = 25 * 1024 * 1024,
};

typedef struct recipient {
    xmtp_bytes installation;
    xmtp_bytes wrapper_key;
    xmtp_wrapper_algorithm algorithm;
    bool takes_pointers;
} recipient;

enum { PLACE_LEN = 8 };

/* By its beginning, which is as random as all of it: preparing a search for 1,216 bytes takes longer than the
 * search. NULL: not there. */
static const uint8_t *find(xmtp_bytes content, xmtp_bytes key)
{
    enum { BEGINNING = 16 };
    const size_t n = key.n < BEGINNING ? key.n : BEGINNING;
    for (;;) {
        const uint8_t *found = memmem(content.p, content.n, key.p, n);
        const size_t skipped = found == NULL ? content.n : (size_t)(found - content.p);
        if (content.n - skipped < key.n || found == NULL) {
            return NULL;
        }
        if (memcmp(found, key.p, key.n) == 0) {
            return found;
        }
        content = xmtp_bytes_of(found + 1, content.n - skipped - 1);
    }
}

static const uint8_t *find_next(xmtp_bytes content, xmtp_bytes key, const xmtp_key_places *places)
{
    const xmtp_bytes rest = xmtp_bytes_of(content.p + places->behind, content.n - places->behind);
    const bool fits = places->gap <= rest.n && key.n <= rest.n - places->gap;
    if (fits && memcmp(rest.p + places->gap, key.p, key.n) == 0) {
        return rest.p + places->gap;
    }
    return find(rest, key);
}

xmtp_status xmtp_post_commit_add(xmtp_writer *w, const xmtp_inbox_key_package *key_package,
                                 xmtp_bytes content, xmtp_key_places *places)
{
    const xmtp_bytes key = key_package->wrapper_key;
    const uint8_t *found = find_next(content, key, places);
    XMTP_ENSURE(found != NULL, XMTP_E_INTERNAL);
    const size_t offset = (size_t)(found - content.p);
    *places = (xmtp_key_places){.behind = offset + key.n, .gap = offset - places->behind};
    xmtp_writer_vec(w, key_package->installation);
    const size_t mark = xmtp_writer_vec_open(w);
    xmtp_writer_u32(w, (uint32_t)offset);
    xmtp_writer_u32(w, (uint32_t)key.n);
    xmtp_writer_vec_close(w, mark);
    xmtp_writer_u8(w, (uint8_t)key_package->wrapper_algorithm);
    xmtp_writer_u8(w, key_package->takes_pointers);
    return xmtp_writer_status(w);
}

/* What is stored of those who are to be welcomed. */
typedef struct record {
    xmtp_reader recipients;
    xmtp_bytes content;
} record;

static xmtp_status read_key(xmtp_bytes key, xmtp_bytes content, xmtp_bytes *out)
{
    uint32_t offset;
    uint32_t n;
    *out = key;
    if (key.n != PLACE_LEN) {
        return XMTP_OK;
    }
    xmtp_reader r = xmtp_reader_of(key);
    XMTP_TRY(xmtp_reader_u32(&r, &offset));
    XMTP_TRY(xmtp_reader_u32(&r, &n));
    XMTP_ENSURE(offset <= content.n && n <= content.n - offset, XMTP_E_CORRUPT);
    *out = xmtp_bytes_of(content.p + offset, n);
    return XMTP_OK;
}

static xmtp_status read_recipient(record *r, recipient *out)
{
    uint8_t algorithm;
    uint8_t takes_pointers;
    xmtp_bytes key;
    XMTP_TRY(xmtp_reader_vec(&r->recipients, &out->installation));
    XMTP_TRY(xmtp_reader_vec(&r->recipients, &key));
    XMTP_TRY(read_key(key, r->content, &out->wrapper_key));
    XMTP_TRY(xmtp_reader_u8(&r->recipients, &algorithm));
    XMTP_TRY(xmtp_reader_u8(&r->recipients, &takes_pointers));
    out->algorithm = (xmtp_wrapper_algorithm)algorithm;
    out->takes_pointers = takes_pointers != 0;
    return XMTP_OK;
}

/* Messages of one operation, in chunks: one call each, some of which go out together. */
typedef struct outbox {
    xmtp_client *client;
    xmtp_arena arena;
    xmtp_bytes welcome;
    uint64_t cursor; /* of the adding commit */
    Pb__WelcomeMessageInput *items[CALLS_MAX * WELCOMES_PER_CALL];
    size_t count;
    size_t count_max; /* per call; 0: not known yet */
    size_t call_max;
    size_t closed; /* of items, those of whole chunks */
    Pb__SendWelcomeMessagesRequest chunks[CALLS_MAX];
    size_t chunk_count;
    bool *is_unsynced;       /* what a welcome tells of could still be lost in a power cut */
    sealed_pointers *sealed; /* begun before; NULL: sealed when each call is made */
    size_t sealed_at;
} outbox;

static void sync_meanwhile(void *context)
{
    const outbox *o = context;
    *o->is_unsynced = xmtp_database_sync(o->client->db) != XMTP_OK;
}

/* Before anybody can hear of the group. With the group's first commit in it, the disk has also what makes of it more
 * than an attempt (group_create.c). */
static xmtp_status wait_for_disk(const outbox *o, xmtp_error *error)
{
    if (!*o->is_unsynced) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_stored(o->client, xmtp_database_sync(o->client->db), error));
    *o->is_unsynced = false;
    return XMTP_OK;
}

static xmtp_status call_for_chunks(outbox *o, xmtp_error *error)
{
    static const char *const path = XMTP_MLS_API("SendWelcomeMessages");
    const ProtobufCMessage *requests[CALLS_MAX];
    for (size_t i = 0; i < o->chunk_count; i++) {
        requests[i] = &o->chunks[i].base;
    }
    if (*o->is_unsynced && o->chunk_count == 1) { /* what pointers point at, before there are any */
        const xmtp_meanwhile sync = {.run = sync_meanwhile, .context = o};
        return xmtp_call_while(o->client, path, requests[0], &sync, error);
    }
    return xmtp_call_many(o->client, path, requests, o->chunk_count, NULL, NULL, NULL, error);
}

/* Whole chunks; what is open is dropped with the arena. */
static xmtp_status send_chunks(outbox *o, xmtp_error *error)
{
    xmtp_status status = call_for_chunks(o, error);
    o->count = o->closed = o->chunk_count = 0;
    xmtp_arena_reset(&o->arena);
    return status;
}

static xmtp_status close_chunk(outbox *o, xmtp_error *error)
{
    if (o->count == o->closed) {
        return XMTP_OK;
    }
    Pb__SendWelcomeMessagesRequest *chunk = &o->chunks[o->chunk_count++];
    *chunk = (Pb__SendWelcomeMessagesRequest)PB__SEND_WELCOME_MESSAGES_REQUEST__INIT;
    chunk->n_messages = o->count - o->closed;
    chunk->messages = o->items + o->closed;
    o->closed = o->count;
    return o->chunk_count >= o->call_max ? send_chunks(o, error) : XMTP_OK;
}

static xmtp_status send_rest(outbox *o, xmtp_error *error)
{
    XMTP_TRY(close_chunk(o, error));
    return o->chunk_count > 0 ? send_chunks(o, error) : XMTP_OK;
}

static size_t at_most(size_t n, size_t max)
{
    return n < 1 ? 1 : n > max ? max : n;
}

static xmtp_status put(outbox *o, Pb__WelcomeMessageInput *item, size_t size, xmtp_error *error)
{
    if (o->count_max == 0) {
        const size_t fitting = CALL_BYTES_MAX / (size + 1);
        o->count_max = at_most(fitting, WELCOMES_PER_CALL);
        o->call_max = at_most(fitting / WELCOMES_PER_CALL, CALLS_MAX);
    }
    o->items[o->count++] = item;
    return o->count - o->closed >= o->count_max ? close_chunk(o, error) : XMTP_OK;
}

static xmtp_status new_v1(outbox *o, Pb__WelcomeMessageInput **out)
{
    void *item;
    void *body;
    XMTP_TRY(xmtp_arena_take(&o->arena, sizeof(Pb__WelcomeMessageInput), &item));
    XMTP_TRY(xmtp_arena_take(&o->arena, sizeof(Pb__WelcomeMessageInput__V1), &body));
    *out = item;
    **out = (Pb__WelcomeMessageInput)PB__WELCOME_MESSAGE_INPUT__INIT;
    (*out)->version_case = PB__WELCOME_MESSAGE_INPUT__VERSION_V1;
    (*out)->v1 = body;
    *(*out)->v1 = (Pb__WelcomeMessageInput__V1)PB__WELCOME_MESSAGE_INPUT__V1__INIT;
    return XMTP_OK;
}

/* Copies what a message needs into the arena, which lives until its chunk is sent. */
static xmtp_status fill(outbox *o, xmtp_bytes in, protobuf_c_boolean *has, ProtobufCBinaryData *out)
{
    xmtp_bytes copy;
    XMTP_TRY(xmtp_arena_copy(&o->arena, in, &copy));
    *has = in.n > 0;
    *out = xmtp_proto_data(copy);
    return XMTP_OK;
}

static xmtp_status put_sealed(outbox *o, xmtp_bytes destination, xmtp_bytes wrapper_key,
                              int32_t algorithm, const xmtp_welcome_sealed *sealed,
                              xmtp_error *error)
{
    Pb__WelcomeMessageInput *item;
    XMTP_TRY(new_v1(o, &item));
    Pb__WelcomeMessageInput__V1 *v1 = item->v1;
    XMTP_TRY(fill(o, destination, &v1->has_installation_key, &v1->installation_key));
    XMTP_TRY(fill(o, xmtp_bytes_of(sealed->data, sealed->data_len), &v1->has_data, &v1->data));
    XMTP_TRY(fill(o, wrapper_key, &v1->has_hpke_public_key, &v1->hpke_public_key));
    XMTP_TRY(fill(o, xmtp_bytes_of(sealed->metadata, sealed->metadata_len),
                  &v1->has_welcome_metadata, &v1->welcome_metadata));
    v1->has_wrapper_algorithm = 1;
    v1->wrapper_algorithm = algorithm;
    return put(o, item, sealed->data_len, error);
}

static xmtp_status send_whole(outbox *o, const recipient *to, xmtp_error *error)
{
    xmtp_welcome_sealed sealed = {0};
    XMTP_TRY(xmtp_welcome_seal(&o->client->env, to->algorithm, to->wrapper_key, o->welcome,
                               o->cursor, &sealed, error));
    xmtp_status status =
        put_sealed(o, to->installation, to->wrapper_key, (int32_t)to->algorithm, &sealed, error);
    xmtp_welcome_sealed_free(&sealed);
    return status;
}

static xmtp_status send_pointee(outbox *o, const xmtp_welcome_pointer *pointer, xmtp_error *error)
{
    xmtp_welcome_sealed sealed = {0};
    XMTP_TRY(xmtp_welcome_pointee_seal(&o->client->env, pointer, o->welcome, o->cursor, &sealed));
    xmtp_status status =
        put_sealed(o, xmtp_bytes_of(pointer->destination, sizeof(pointer->destination)),
                   (xmtp_bytes){0}, XMTP_WRAPPER_SYMMETRIC, &sealed, error);
    xmtp_welcome_sealed_free(&sealed);
    XMTP_TRY(status);
    return send_rest(o, error); /* before any pointer to it */
}

static xmtp_status put_pointer(outbox *o, const recipient *to, xmtp_bytes wrapped,
                               xmtp_error *error)
{
    void *item_memory;
    void *body_memory;
    XMTP_TRY(xmtp_arena_take(&o->arena, sizeof(Pb__WelcomeMessageInput), &item_memory));
    XMTP_TRY(
        xmtp_arena_take(&o->arena, sizeof(Pb__WelcomeMessageInput__WelcomePointer), &body_memory));
    Pb__WelcomeMessageInput *item = item_memory;
    Pb__WelcomeMessageInput__WelcomePointer *body = body_memory;
    *item = (Pb__WelcomeMessageInput)PB__WELCOME_MESSAGE_INPUT__INIT;
    *body =
        (Pb__WelcomeMessageInput__WelcomePointer)PB__WELCOME_MESSAGE_INPUT__WELCOME_POINTER__INIT;
    item->version_case = PB__WELCOME_MESSAGE_INPUT__VERSION_WELCOME_POINTER;
    item->welcome_pointer = body;
    XMTP_TRY(fill(o, to->installation, &body->has_installation_key, &body->installation_key));
    XMTP_TRY(fill(o, wrapped, &body->has_welcome_pointer, &body->welcome_pointer));
    XMTP_TRY(fill(o, to->wrapper_key, &body->has_hpke_public_key, &body->hpke_public_key));
    body->has_wrapper_algorithm = 1;
    body->wrapper_algorithm = (int32_t)to->algorithm;
    return put(o, item, wrapped.n, error);
}

/* Those who wait for their pointer. */
typedef struct queue {
    const xmtp_welcome_pointer *pointer;
    recipient to[WELCOMES_PER_CALL];
    size_t count;
} queue;

static xmtp_status seal_queue(const outbox *o, const queue *q, size_t count,
                              xmtp_pointers_sealing **out, xmtp_error *error)
{
    xmtp_bytes keys[WELCOMES_PER_CALL];
    for (size_t i = 0; i < count; i++) {
        keys[i] = q->to[i].wrapper_key;
    }
    XMTP_TRY(xmtp_welcome_pointers_begin(&o->client->env, q->pointer, keys, count, out));
    return xmtp_welcome_pointers_finish(*out, error);
}

static xmtp_status put_pointers(outbox *o, const queue *q, size_t count,
                                const xmtp_pointers_sealing *sealing, size_t first,
                                xmtp_error *error)
{
    for (size_t i = 0; i < count; i++) { /* the last one may send them and free the arena */
        XMTP_TRY(put_pointer(o, &q->to[i], xmtp_welcome_pointer_at(sealing, first + i), error));
    }
    return XMTP_OK;
}

static xmtp_status send_pointers(outbox *o, queue *q, xmtp_error *error)
{
    const size_t count = q->count;
    xmtp_pointers_sealing *sealing = NULL;
    q->count = 0;
    if (count == 0) {
        return XMTP_OK;
    }
    if (o->sealed != NULL) {
        const size_t first = o->sealed_at;
        XMTP_ENSURE(count <= o->sealed->count - first, XMTP_E_INTERNAL);
        o->sealed_at += count;
        return put_pointers(o, q, count, o->sealed->sealing, first, error);
    }
    xmtp_status status = seal_queue(o, q, count, &sealing, error);
    if (status == XMTP_OK) {
        status = put_pointers(o, q, count, sealing, 0, error);
    }
    xmtp_welcome_pointers_free(sealing);
    return status;
}

static xmtp_status queue_pointer(outbox *o, queue *q, const recipient *to, xmtp_error *error)
{
    const size_t open = o->count - o->closed;
    const size_t room = (o->count_max == 0 ? WELCOMES_PER_CALL : o->count_max) - open;
    q->to[q->count++] = *to;
    return q->count == room ? send_pointers(o, q, error) : XMTP_OK;
}

static xmtp_status count_capable(record r, size_t *count)
{
    *count = 0;
    while (r.recipients.n > 0) {
        recipient to;
        XMTP_TRY(read_recipient(&r, &to));
        *count += to.takes_pointers;
    }
    return XMTP_OK;
}

/* pointer: what those who can get; NULL: nobody does. */
static xmtp_status put_each(outbox *o, record r, const xmtp_welcome_pointer *pointer,
                            xmtp_error *error)
{
    queue q = {.pointer = pointer};
    while (r.recipients.n > 0) {
        recipient to;
        XMTP_TRY(read_recipient(&r, &to));
        if (pointer != NULL && to.takes_pointers) {
            XMTP_TRY(queue_pointer(o, &q, &to, error));
        } else {
            XMTP_TRY(send_pointers(o, &q, error));
            XMTP_TRY(send_whole(o, &to, error));
        }
    }
    XMTP_TRY(send_pointers(o, &q, error));
    return send_rest(o, error);
}

/* What stands before somebody who cannot be written to goes out all the same. */
static xmtp_status send_to_each(outbox *o, record r, const xmtp_welcome_pointer *pointer,
                                xmtp_error *error)
{
    xmtp_status status = put_each(o, r, pointer, error);
    if (status != XMTP_OK && o->chunk_count > 0) {
        (void)send_chunks(o, NULL);
    }
    return status;
}

/* Those that were begun before. Who has a bad key is found when each call's are sealed anew. */
static void take_sealed(outbox *o)
{
    if (o->sealed != NULL && xmtp_welcome_pointers_finish(o->sealed->sealing, NULL) != XMTP_OK) {
        o->sealed = NULL;
    }
}

static xmtp_status send_all(outbox *o, record r, xmtp_error *error)
{
    size_t capable;
    XMTP_TRY(count_capable(r, &capable));
    if (capable <= XMTP_WELCOME_POINTERS_ABOVE) {
        XMTP_TRY(wait_for_disk(o, error));
        return send_to_each(o, r, NULL, error);
    }
    xmtp_welcome_pointer pointer = {0};
    xmtp_status status = XMTP_OK;
    if (o->sealed != NULL) {
        pointer = o->sealed->pointer;
    } else {
        status = xmtp_welcome_pointer_generate(&o->client->env, &pointer);
    }
    if (status == XMTP_OK) {
        status = send_pointee(o, &pointer, error);
    }
    if (status == XMTP_OK) {
        status = wait_for_disk(o, error);
    }
    if (status == XMTP_OK) {
        take_sealed(o);
        o->count_max = 0; /* pointers are small: counted anew */
        status = send_to_each(o, r, &pointer, error);
    }
    xmtp_welcome_pointer_wipe(&pointer);
    return status;
}

static xmtp_status read_record(record *r, xmtp_bytes welcomes, xmtp_bytes content,
                               xmtp_bytes *welcome)
{
    *r = (record){.recipients = xmtp_reader_of(welcomes), .content = content};
    return xmtp_reader_vec(&r->recipients, welcome);
}

static xmtp_status send_welcomes(outbox *o, xmtp_bytes welcomes, xmtp_bytes content,
                                 xmtp_error *error)
{
    record r;
    XMTP_TRY(read_record(&r, welcomes, content, &o->welcome));
    xmtp_scratch(o->client, &o->arena);
    xmtp_status status = send_all(o, r, error);
    xmtp_arena_reset(&o->arena);
    return status;
}

/* ---- after the commit */

static xmtp_status read_parts(xmtp_client *client, int64_t id, xmtp_arena *arena,
                              xmtp_bytes *welcomes, xmtp_bytes *content, xmtp_error *error)
{
    *content = (xmtp_bytes){0};
    xmtp_status status =
        xmtp_commit_part_read(client->db, id, XMTP_COMMIT_WELCOMES, arena, welcomes);
    XMTP_TRY(xmtp_stored(client, status, error));
    status = xmtp_commit_part_read(client->db, id, XMTP_COMMIT_CONTENT, arena, content);
    return status == XMTP_E_NOT_FOUND ? XMTP_OK : xmtp_stored(client, status, error);
}

static xmtp_status forget_commit(xmtp_client *client, int64_t id, xmtp_error *error)
{
    XMTP_TRY(xmtp_begin(client, error));
    xmtp_status status = xmtp_stored(client, xmtp_commit_delete(client->db, id), error);
    if (status == XMTP_OK) {
        return xmtp_commit(client, error);
    }
    xmtp_database_rollback(client->db);
    return status;
}

static xmtp_status finish_commit(group_work *work, const xmtp_intent_row *intent, xmtp_error *error)
{
    xmtp_client *client = work->client;
    made_commit *made = &work->made;
    bool is_made = made->pending != NULL && made->intent == intent->id;
    bool is_unsynced = true; /* perhaps: of a commit that an earlier process made */
    outbox o = {.client = client,
                .cursor = intent->sequence,
                .is_unsynced = is_made ? &made->is_unsynced : &is_unsynced,
                .sealed = is_made ? made->pointers : NULL};
    xmtp_arena arena;
    xmtp_bytes welcomes;
    xmtp_bytes content;
    xmtp_status status = XMTP_OK;
    xmtp_scratch(client, &arena);
    if (is_made) {
        welcomes = xmtp_writer_bytes(&made->welcomes);
        content = xmtp_mls_pending_content(made->pending);
    } else {
        status = read_parts(client, intent->id, &arena, &welcomes, &content, error);
    }
    if (status == XMTP_OK) {
        status = send_welcomes(&o, welcomes, content, error);
    }
    xmtp_arena_reset(&arena);
    return status == XMTP_OK ? forget_commit(client, intent->id, error) : status;
}

xmtp_status xmtp_post_commit(group_work *work, xmtp_error *error)
{
    for (size_t i = 0; i < work->intents.count; i++) {
        const xmtp_intent_row *intent = &work->intents.items[i];
        if (intent->state == XMTP_INTENT_COMMITTED) {
            XMTP_TRY(finish_commit(work, intent, error));
        }
    }
    return XMTP_OK;
}
