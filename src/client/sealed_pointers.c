/* sealed_pointers.c - see sealed_pointers.h.
 *
 *     key packages judged --begin--> other processors seal .........................> finish --> sent
 *                              \-- this one: commit, its rules, stored --> node --> applied --^
 *
 * A pointer needs its receiver's key and nothing that the commit or the node says.
 */
#include "client/sealed_pointers.h"

#include "client/round.h"

static sealed_pointers *begin(const xmtp_client *client, const xmtp_bytes *keys, size_t count)
{
    const xmtp_alloc *alloc = &client->env.alloc;
    sealed_pointers *sealed = alloc->reallocate(alloc->context, NULL, sizeof(*sealed));
    XMTP_ENSURE(sealed != NULL, NULL);
    *sealed = (sealed_pointers){.count = count};
    xmtp_status status = xmtp_welcome_pointer_generate(&client->env, &sealed->pointer);
    if (status == XMTP_OK) {
        status = xmtp_welcome_pointers_begin(&client->env, &sealed->pointer, keys, count,
                                             &sealed->sealing);
    }
    if (status != XMTP_OK) {
        xmtp_sealed_pointers_free(client, sealed);
        return NULL;
    }
    return sealed;
}

static size_t keys_of(const xmtp_inbox_key_package *const *invited, size_t count, xmtp_bytes *keys)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (invited[i]->takes_pointers) {
            keys[n++] = invited[i]->wrapper_key;
        }
    }
    return n;
}

sealed_pointers *xmtp_sealed_pointers_begin(const xmtp_client *client,
                                            const xmtp_inbox_key_package *const *invited,
                                            size_t count)
{
    sealed_pointers *sealed = NULL;
    xmtp_arena arena;
    void *keys;
    size_t n = 0;
    xmtp_scratch(client, &arena);
    if (xmtp_arena_take_array(&arena, count, sizeof(xmtp_bytes), &keys) == XMTP_OK) {
        n = keys_of(invited, count, keys);
    }
    if (n > XMTP_WELCOME_POINTERS_ABOVE) {
        sealed = begin(client, keys, n);
    }
    xmtp_arena_reset(&arena);
    return sealed;
}

void xmtp_sealed_pointers_free(const xmtp_client *client, sealed_pointers *sealed)
{
    if (sealed != NULL) {
        xmtp_welcome_pointers_free(sealed->sealing);
        xmtp_welcome_pointer_wipe(&sealed->pointer);
        xmtp_give_back(client, sealed);
    }
}
