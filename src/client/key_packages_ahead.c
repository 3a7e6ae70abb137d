/* key_packages_ahead.c - the key packages of a new group's members are asked for while the group is made.
 *
 *     logs here --> installations known --request--> node ..........> answer kept
 *                                       '-- meanwhile: the local group --> commit: the same request? take it
 *
 * What the commit would ask for is known as soon as the logs are; the answer is used only for just that
 * request, once.
 */
#include "client/key_set.h"
#include "client/round.h"

struct key_packages_ahead {
    xmtp_writer request;
    xmtp_writer response;
};

void xmtp_key_packages_forget(xmtp_client *client)
{
    struct key_packages_ahead *ahead = client->key_packages_ahead;
    if (ahead != NULL) {
        xmtp_writer_free(&ahead->request);
        xmtp_writer_free(&ahead->response);
        xmtp_give_back(client, ahead);
        client->key_packages_ahead = NULL;
    }
}

/* Their installations now, in the order in which a commit asks for them, without ours. */
static xmtp_status collect(xmtp_client *client, const xmtp_string_list *inboxes, xmtp_arena *arena,
                           xmtp_key_set *out, xmtp_error *error)
{
    xmtp_key_set own;
    xmtp_key_set_init(out, arena);
    xmtp_key_set_init(&own, arena);
    for (size_t i = 0; i < inboxes->count; i++) {
        const xmtp_association *state;
        uint64_t newest;
        XMTP_TRY(xmtp_newest_state(client, inboxes->items[i], &state, &newest, error));
        XMTP_TRY(xmtp_installations_of(state, out));
    }
    XMTP_TRY(xmtp_key_set_add(
        &own, xmtp_bytes_of(client->installation.pk, sizeof(client->installation.pk))));
    xmtp_key_set_seal(out);
    xmtp_key_set_seal(&own);
    xmtp_key_set_subtract(out, &own);
    return XMTP_OK;
}

xmtp_status xmtp_key_packages_request(xmtp_arena *arena, const xmtp_bytes *installations,
                                      size_t count, Pb__FetchKeyPackagesRequest *out)
{
    void *keys;
    XMTP_TRY(xmtp_arena_take_array(arena, count, sizeof(ProtobufCBinaryData), &keys));
    for (size_t i = 0; i < count; i++) {
        ((ProtobufCBinaryData *)keys)[i] = xmtp_proto_data(installations[i]);
    }
    *out = (Pb__FetchKeyPackagesRequest)PB__FETCH_KEY_PACKAGES_REQUEST__INIT;
    out->n_installation_keys = count;
    out->installation_keys = keys;
    return XMTP_OK;
}

static struct key_packages_ahead *new_ahead(const xmtp_client *client)
{
    const xmtp_alloc *alloc = &client->env.alloc;
    struct key_packages_ahead *ahead = alloc->reallocate(alloc->context, NULL, sizeof(*ahead));
    if (ahead != NULL) {
        xmtp_writer_init(&ahead->request, alloc, XMTP_WRITER_MAX);
        xmtp_writer_init(&ahead->response, alloc, XMTP_WRITER_MAX);
    }
    return ahead;
}

static void ask(xmtp_client *client, const Pb__FetchKeyPackagesRequest *request,
                const xmtp_meanwhile *meanwhile)
{
    struct key_packages_ahead *ahead = new_ahead(client);
    client->key_packages_ahead = ahead;
    if (ahead == NULL || xmtp_proto_encode(&request->base, &ahead->request) != XMTP_OK ||
        xmtp_call_while(client, XMTP_MLS_API("FetchKeyPackages"), &request->base, meanwhile,
                        NULL) != XMTP_OK) {
        xmtp_key_packages_forget(client);
        return;
    }
    xmtp_writer_put(&ahead->response, xmtp_writer_bytes(&client->response));
}

xmtp_status xmtp_key_packages_ahead(xmtp_client *client, const xmtp_string_list *inboxes,
                                    const xmtp_meanwhile *meanwhile, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_key_set set;
    Pb__FetchKeyPackagesRequest request;
    xmtp_key_packages_forget(client);
    xmtp_scratch(client, &arena);
    xmtp_status status = collect(client, inboxes, &arena, &set, error);
    if (status == XMTP_OK && set.count > 0 &&
        xmtp_key_packages_request(&arena, set.items, set.count, &request) == XMTP_OK) {
        ask(client, &request, meanwhile);
    }
    xmtp_arena_reset(&arena);
    return status;
}

static bool is_same(const xmtp_client *client, const Pb__FetchKeyPackagesRequest *request)
{
    xmtp_writer w;
    xmtp_writer_init(&w, &client->env.alloc, XMTP_WRITER_MAX);
    bool same = xmtp_proto_encode(&request->base, &w) == XMTP_OK &&
                xmtp_bytes_equal(xmtp_writer_bytes(&w),
                                 xmtp_writer_bytes(&client->key_packages_ahead->request));
    xmtp_writer_free(&w);
    return same;
}

bool xmtp_key_packages_take(xmtp_client *client, const Pb__FetchKeyPackagesRequest *request,
                            xmtp_arena *arena, void **answer)
{
    struct key_packages_ahead *ahead = client->key_packages_ahead;
    bool is_here = ahead != NULL && is_same(client, request) &&
                   xmtp_writer_status(&ahead->response) == XMTP_OK &&
                   xmtp_proto_decode(&pb__fetch_key_packages_response__descriptor, arena,
                                     xmtp_writer_bytes(&ahead->response), answer) == XMTP_OK;
    xmtp_key_packages_forget(client);
    return is_here;
}
