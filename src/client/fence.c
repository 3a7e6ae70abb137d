/* fence.c - of all copies of one installation that its moves have made, one lives.
 *
 *     NONE, LIVING --export--> MOVED --cancel--> WAITING <--import-- file
 *                                                   |
 *                          claim published, the first claim on the topic is ours?  LIVING : LOST
 *
 * A claim is a random number under a MAC by the move's secret, in the form of a commit of a group whose
 * id is made from that secret. Nobody else knows the id before the first claim; what others may send to it
 * then is no claim. Nodes put the messages of a group in one order and keep commits for ever, so every
 * holder sees the same first claim, however late it asks.
 *
 * The number is drawn just before it is published, and stored durably: copies of an unopened import have
 * different ones, and a crash on the way claims again with the same, not against itself.
 */
#include "client/move.h"
#include "identity/association.h"
#include "proto/paging.h"

#include <time.h>

static const char setting[] = "fence";

enum {
    RECORD_VERSION = 1,
    TOPIC_LEN = 16,
    MAC_LEN = 32,
    CLAIM_MAX = 256, /* of a whole claim; it has some 110 bytes */
    WIRE_PRIVATE_MESSAGE = 2,
    CONTENT_COMMIT = 3,
};

/* ---- the record */

static xmtp_status decode_record(xmtp_bytes bytes, xmtp_fence *out)
{
    xmtp_reader r = xmtp_reader_of(bytes);
    xmtp_bytes secret;
    xmtp_bytes claim;
    uint8_t version;
    uint8_t state;
    XMTP_TRY(xmtp_reader_u8(&r, &version));
    XMTP_TRY(xmtp_reader_u8(&r, &state));
    XMTP_ENSURE(version == RECORD_VERSION && state >= XMTP_FENCE_LIVING && state <= XMTP_FENCE_LOST,
                XMTP_E_CORRUPT);
    out->state = (xmtp_fence_state)state;
    XMTP_TRY(xmtp_reader_u64(&r, &out->since_ns));
    XMTP_TRY(xmtp_reader_take(&r, sizeof(out->secret), &secret));
    XMTP_TRY(xmtp_reader_take(&r, sizeof(out->claim), &claim));
    memcpy(out->secret, secret.p, secret.n);
    memcpy(out->claim, claim.p, claim.n);
    return xmtp_reader_end(&r);
}

xmtp_status xmtp_fence_read(xmtp_client *client, xmtp_fence *out, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_bytes record;
    *out = (xmtp_fence){.state = XMTP_FENCE_NONE};
    xmtp_scratch(client, &arena);
    xmtp_status status = xmtp_setting_read(client->db, setting, &arena, &record);
    if (status != XMTP_E_NOT_FOUND) {
        status = xmtp_stored(client, status, error);
        if (status == XMTP_OK && decode_record(record, out) != XMTP_OK) {
            status = xmtp_fail(error, XMTP_E_CORRUPT, "the record of a move is none");
        }
    }
    xmtp_arena_reset(&arena);
    return status == XMTP_E_NOT_FOUND ? XMTP_OK : status;
}

xmtp_status xmtp_fence_write(xmtp_client *client, const xmtp_fence *fence, xmtp_error *error)
{
    xmtp_writer w;
    xmtp_writer_init(&w, &client->env.alloc, CLAIM_MAX);
    xmtp_writer_u8(&w, RECORD_VERSION);
    xmtp_writer_u8(&w, (uint8_t)fence->state);
    xmtp_writer_u64(&w, fence->since_ns);
    xmtp_writer_put(&w, xmtp_bytes_of(fence->secret, sizeof(fence->secret)));
    xmtp_writer_put(&w, xmtp_bytes_of(fence->claim, sizeof(fence->claim)));
    xmtp_status status = xmtp_writer_status(&w);
    if (status == XMTP_OK) {
        status = xmtp_database_durable_begin(client->db);
        if (status == XMTP_OK) {
            status = xmtp_setting_write(client->db, setting, xmtp_writer_bytes(&w));
        }
        status = xmtp_stored(client, xmtp_database_durable_end(client->db, status), error);
    }
    xmtp_writer_free(&w);
    return status;
}

xmtp_status xmtp_fence_refuse(const xmtp_fence *fence, xmtp_error *error)
{
    char when[32] = "?";
    struct tm parts;
    time_t seconds = (time_t)(fence->since_ns / XMTP_SECOND_NS);
    if (gmtime_r(&seconds, &parts) != NULL) {
        (void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &parts);
    }
    if (fence->state == XMTP_FENCE_MOVED) {
        return xmtp_fail(error, XMTP_E_MOVED,
                         "this installation was exported at %s to be moved: import the file, or "
                         "cancel the move",
                         when);
    }
    if (fence->state == XMTP_FENCE_LOST) {
        return xmtp_fail(error, XMTP_E_MOVED,
                         "this installation lives elsewhere: another copy of its move was opened "
                         "first (seen at %s)",
                         when);
    }
    return XMTP_OK;
}

/* ---- a claim */

static void keyed(const xmtp_fence *fence, const char *label, xmtp_bytes data, uint8_t out[MAC_LEN])
{
    xmtp_hmac m;
    xmtp_hmac_init(&m, &xmtp_hash_sha256, xmtp_bytes_of(fence->secret, sizeof(fence->secret)));
    xmtp_hmac_update(&m, xmtp_bytes_of_string(label));
    xmtp_hmac_update(&m, data);
    xmtp_hmac_final(&m, out);
}

static void topic_of(const xmtp_fence *fence, uint8_t out[MAC_LEN])
{
    keyed(fence, "xmtp move topic", (xmtp_bytes){0}, out); /* its first TOPIC_LEN bytes */
}

/* MLSMessage { mls10, PrivateMessage { group_id, epoch, commit, authenticated_data,
 * encrypted_sender_data, ciphertext } } of RFC 9420 sections 6 and 6.3; the last two hold no ciphertext. */
static void encode_claim(const xmtp_fence *fence, const uint8_t claim[XMTP_FENCE_CLAIM_LEN],
                         xmtp_writer *w)
{
    uint8_t topic[MAC_LEN];
    uint8_t mac[MAC_LEN];
    xmtp_bytes number = xmtp_bytes_of(claim, XMTP_FENCE_CLAIM_LEN);
    topic_of(fence, topic);
    keyed(fence, "xmtp move claim", number, mac);
    xmtp_writer_clear(w);
    xmtp_writer_u16(w, 1);
    xmtp_writer_u16(w, WIRE_PRIVATE_MESSAGE);
    xmtp_writer_vec(w, xmtp_bytes_of(topic, TOPIC_LEN));
    xmtp_writer_u64(w, 0);
    xmtp_writer_u8(w, CONTENT_COMMIT);
    xmtp_writer_vec(w, (xmtp_bytes){0});
    xmtp_writer_vec(w, number);
    xmtp_writer_vec(w, xmtp_bytes_of(mac, sizeof(mac)));
}

/* The number stands before the MAC and its length, at the end: what encodes to the same bytes with it is
 * a claim. */
static bool is_claim(const xmtp_fence *fence, xmtp_bytes message, xmtp_writer *w,
                     uint8_t claim[XMTP_FENCE_CLAIM_LEN])
{
    enum { FROM_END = XMTP_FENCE_CLAIM_LEN + 1 + MAC_LEN };
    if (message.n < FROM_END) {
        return false;
    }
    memcpy(claim, message.p + message.n - FROM_END, XMTP_FENCE_CLAIM_LEN);
    encode_claim(fence, claim, w);
    return w->status == XMTP_OK && w->n == message.n && xmtp_ct_equal(w->p, message.p, w->n);
}

/* ---- on the node */

static xmtp_status publish(xmtp_client *client, const xmtp_fence *fence, xmtp_writer *w,
                           xmtp_error *error)
{
    Pb__GroupMessageInput__V1 body = PB__GROUP_MESSAGE_INPUT__V1__INIT;
    Pb__GroupMessageInput input = PB__GROUP_MESSAGE_INPUT__INIT;
    Pb__GroupMessageInput *inputs[] = {&input};
    Pb__SendGroupMessagesRequest request = PB__SEND_GROUP_MESSAGES_REQUEST__INIT;
    encode_claim(fence, fence->claim, w);
    XMTP_TRY(xmtp_writer_status(w));
    body.has_data = 1;
    body.data = xmtp_proto_data(xmtp_writer_bytes(w));
    input.version_case = PB__GROUP_MESSAGE_INPUT__VERSION_V1;
    input.v1 = &body;
    request.n_messages = 1;
    request.messages = inputs;
    return xmtp_call(client, XMTP_MLS_API("SendGroupMessages"), &request.base, NULL, NULL, NULL,
                     error);
}

static xmtp_status query(xmtp_client *client, const xmtp_fence *fence, uint64_t cursor,
                         xmtp_arena *arena, const Pb__QueryGroupMessagesResponse **out,
                         xmtp_error *error)
{
    uint8_t topic[MAC_LEN];
    void *answer;
    Pb__PagingInfo paging;
    Pb__QueryGroupMessagesRequest request = PB__QUERY_GROUP_MESSAGES_REQUEST__INIT;
    topic_of(fence, topic);
    xmtp_paging_after(&paging, cursor, XMTP_PAGE_MAX);
    request.has_group_id = 1;
    request.group_id = xmtp_proto_data(xmtp_bytes_of(topic, TOPIC_LEN));
    request.paging_info = &paging;
    XMTP_TRY(xmtp_call(client, XMTP_MLS_API("QueryGroupMessages"), &request.base,
                       &pb__query_group_messages_response__descriptor, arena, &answer, error));
    *out = answer;
    return XMTP_OK;
}

typedef struct first_claim {
    bool is_there;
    uint64_t id; /* of the node */
    uint8_t claim[XMTP_FENCE_CLAIM_LEN];
} first_claim;

/* The claim of the lowest id in a page, whatever order the node put it in. *cursor: the highest id. */
static void look_through(const xmtp_fence *fence, const Pb__QueryGroupMessagesResponse *page,
                         xmtp_writer *w, uint64_t *cursor, first_claim *first)
{
    uint8_t claim[XMTP_FENCE_CLAIM_LEN];
    for (size_t i = 0; i < page->n_messages; i++) {
        const Pb__GroupMessage__V1 *message = page->messages[i]->v1;
        if (page->messages[i]->version_case != PB__GROUP_MESSAGE__VERSION_V1) {
            continue;
        }
        *cursor = message->id > *cursor ? message->id : *cursor;
        if (is_claim(fence, xmtp_proto_bytes(message->data), w, claim) &&
            (!first->is_there || message->id < first->id)) {
            *first = (first_claim){.is_there = true, .id = message->id};
            memcpy(first->claim, claim, sizeof(claim));
        }
    }
}

static xmtp_status find_first(xmtp_client *client, const xmtp_fence *fence, xmtp_writer *w,
                              first_claim *first, xmtp_error *error)
{
    uint64_t cursor = 0;
    uint64_t before;
    *first = (first_claim){.is_there = false};
    do {
        xmtp_arena arena;
        const Pb__QueryGroupMessagesResponse *page = NULL;
        before = cursor;
        xmtp_scratch(client, &arena);
        xmtp_status status = query(client, fence, cursor, &arena, &page, error);
        if (status == XMTP_OK) {
            look_through(fence, page, w, &cursor, first);
        }
        xmtp_arena_reset(&arena);
        XMTP_TRY(status);
    } while (!first->is_there && cursor > before);
    return XMTP_OK;
}

/* Reads the whole log with the eyes of a stranger: what this database remembers of it proves nothing. */
static xmtp_status is_listed(xmtp_client *observer, const xmtp_client *client, bool *out,
                             xmtp_error *error)
{
    const char *inbox_id = client->inbox_id;
    const xmtp_association *state;
    uint64_t sequence_id;
    *out = false;
    XMTP_TRY(xmtp_identity_sync(observer, &inbox_id, 1, error));
    xmtp_status status = xmtp_newest_state(observer, inbox_id, &state, &sequence_id, error);
    if (status == XMTP_E_NO_INBOX) {
        return XMTP_OK;
    }
    XMTP_TRY(status);
    *out = xmtp_association_has_installation(state, client->installation.pk);
    return XMTP_OK;
}

/* Another network would give every copy its own first claim; a seat that was revoked is nobody's. */
static xmtp_status check_seat(xmtp_client *client, xmtp_error *error)
{
    xmtp_client *observer;
    bool has_seat;
    const xmtp_client_options options = {.transport = client->transport, .env = &client->env};
    XMTP_TRY(xmtp_client_open_observer(&observer, &options, error));
    xmtp_status status = is_listed(observer, client, &has_seat, error);
    xmtp_client_close(observer);
    XMTP_TRY(status);
    return has_seat ? XMTP_OK
                    : xmtp_fail(error, XMTP_E_NOT_REGISTERED,
                                "the inbox does not list the installation that was moved: it was "
                                "revoked, or this node is of another network");
}

static bool is_drawn(const xmtp_fence *fence)
{
    static const uint8_t zeros[XMTP_FENCE_CLAIM_LEN];
    return memcmp(fence->claim, zeros, sizeof(zeros)) != 0;
}

static xmtp_status find_or_claim(xmtp_client *client, xmtp_fence *fence, xmtp_writer *w,
                                 first_claim *first, xmtp_error *error)
{
    XMTP_TRY(find_first(client, fence, w, first, error));
    if (first->is_there) {
        return XMTP_OK;
    }
    if (!is_drawn(fence)) {
        XMTP_TRY(client->env.random(client->env.context, fence->claim, sizeof(fence->claim)));
        XMTP_TRY(xmtp_fence_write(client, fence, error));
    }
    XMTP_TRY(publish(client, fence, w, error));
    XMTP_TRY(find_first(client, fence, w, first, error));
    return first->is_there ? XMTP_OK
                           : xmtp_fail(error, XMTP_E_PROTOCOL,
                                       "the node does not show the claim that it has taken");
}

static xmtp_status claim(xmtp_client *client, xmtp_fence *fence, xmtp_error *error)
{
    xmtp_writer w;
    first_claim first;
    xmtp_writer_init(&w, &client->env.alloc, CLAIM_MAX);
    xmtp_status status = find_or_claim(client, fence, &w, &first, error);
    xmtp_writer_free(&w);
    XMTP_TRY(status);
    bool is_ours =
        is_drawn(fence) && xmtp_ct_equal(first.claim, fence->claim, sizeof(fence->claim));
    fence->state = is_ours ? XMTP_FENCE_LIVING : XMTP_FENCE_LOST;
    fence->since_ns = xmtp_now_ns(client);
    XMTP_TRY(xmtp_fence_write(client, fence, error));
    return xmtp_fence_refuse(fence, error);
}

static xmtp_status pass_waiting(xmtp_client *client, xmtp_fence *fence, xmtp_error *error)
{
    bool is_there;
    if (client->is_light) {
        return xmtp_fail(error, XMTP_E_STATE,
                         "an installation that was moved is opened by the application first, not "
                         "light");
    }
    XMTP_TRY(xmtp_identity_load(client, &is_there, error));
    XMTP_TRY(check_seat(client, error));
    return claim(client, fence, error);
}

xmtp_status xmtp_fence_pass(xmtp_client *client, xmtp_error *error)
{
    xmtp_fence fence;
    xmtp_status status = xmtp_fence_read(client, &fence, error);
    if (status == XMTP_OK) {
        status = fence.state == XMTP_FENCE_WAITING ? pass_waiting(client, &fence, error)
                                                   : xmtp_fence_refuse(&fence, error);
    }
    xmtp_wipe(&fence, sizeof(fence));
    return status;
}
