/* sealed_pointers.c - see sealed_pointers.h.
 *
 *     key packages judged --begin--> other processors seal .........................> finish --> sent
 *                              \-- this one: commit, its rules, stored --> node --> applied --^
 *
 * A pointer needs its receiver's key and nothing that the commit or the node says.
 */
#include "client/sealed_pointers.h"

#include "client/round.h"

static xmtp_status begin(const xmtp_client *client, const xmtp_bytes *keys, size_t count,
                         sealed_pointers *sealed)
{
    sealed->count = count;
    XMTP_TRY(xmtp_welcome_pointer_generate(&client->env, &sealed->pointer));
    return xmtp_welcome_pointers_begin(&client->env, &sealed->pointer, keys, count,
                                       &sealed->sealing);
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

void xmtp_sealed_pointers_begin(const xmtp_client *client,
                                const xmtp_inbox_key_package *const *invited, size_t count,
                                sealed_pointers **out)
{
    const xmtp_alloc *alloc = &client->env.alloc;
    xmtp_arena arena;
    void *keys;
    *out = NULL;
    xmtp_scratch(client, &arena);
    if (xmtp_arena_take_array(&arena, count, sizeof(xmtp_bytes), &keys) == XMTP_OK) {
        const size_t n = keys_of(invited, count, keys);
        if (n > XMTP_WELCOME_POINTERS_ABOVE) {
            *out = alloc->reallocate(alloc->context, NULL, sizeof(**out));
        }
        if (*out != NULL) {
            **out = (sealed_pointers){0};
            if (begin(client, keys, n, *out) != XMTP_OK) {
                xmtp_sealed_pointers_free(client, *out);
                *out = NULL;
            }
        }
    }
    xmtp_arena_reset(&arena);
}

void xmtp_sealed_pointers_free(const xmtp_client *client, sealed_pointers *sealed)
{
    if (sealed != NULL) {
        xmtp_welcome_pointers_free(sealed->sealing);
        xmtp_welcome_pointer_wipe(&sealed->pointer);
        xmtp_give_back(client, sealed);
    }
}
