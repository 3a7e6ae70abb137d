/* association_state.c - members and seen signatures as data: copying, order, look-up, comparing. */
#include "identity/association_state.h"

#include "base/bytes.h"
#include "base/status.h"

#include <stdlib.h>

void xmtp_association_init(xmtp_association *state, const xmtp_alloc *alloc)
{
    *state = (xmtp_association){.alloc = alloc};
    xmtp_arena_init(&state->arena, alloc, XMTP_ASSOCIATION_BYTES_MAX);
}

void xmtp_association_clear(xmtp_association *state)
{
    xmtp_arena_reset(&state->arena);
    xmtp_association_init(state, state->alloc);
}

xmtp_status xmtp_association_new(xmtp_association **out, const xmtp_alloc *alloc)
{
    *out = alloc->reallocate(alloc->context, NULL, sizeof **out);
    XMTP_ENSURE(*out != NULL, XMTP_E_NOMEM);
    xmtp_association_init(*out, alloc);
    return XMTP_OK;
}

void xmtp_association_free(xmtp_association *state)
{
    if (state == NULL) {
        return;
    }
    const xmtp_alloc *alloc = state->alloc;
    xmtp_association_clear(state);
    (void)alloc->reallocate(alloc->context, state, 0);
}

/* ---- making drafts */

xmtp_status xmtp_association_reserve(xmtp_association *state, size_t members, size_t seen)
{
    void *new_members;
    void *new_seen;
    size_t member_capacity = state->member_count + members;
    size_t seen_capacity = state->seen_count + seen;
    XMTP_TRY(xmtp_arena_take_array(&state->arena, member_capacity, sizeof *state->members,
                                   &new_members));
    XMTP_TRY(xmtp_arena_take_array(&state->arena, seen_capacity, sizeof *state->seen, &new_seen));
    xmtp_copy(new_members, state->members, state->member_count * sizeof *state->members);
    xmtp_copy(new_seen, state->seen, state->seen_count * sizeof *state->seen);
    state->members = new_members;
    state->member_capacity = member_capacity;
    state->seen = new_seen;
    state->seen_capacity = seen_capacity;
    return XMTP_OK;
}

xmtp_status xmtp_association_keep(xmtp_association *state, const xmtp_identifier *identifier,
                                  xmtp_identifier *out)
{
    xmtp_identifier copy = *identifier;
    XMTP_TRY(xmtp_arena_copy(&state->arena, identifier->value, &copy.value));
    XMTP_TRY(xmtp_arena_copy(&state->arena, identifier->relying_party, &copy.relying_party));
    *out = copy;
    return XMTP_OK;
}

xmtp_status xmtp_association_draft(xmtp_association *draft, const xmtp_association *state,
                                   size_t members, size_t seen)
{
    draft->exists = state->exists;
    memcpy(draft->inbox_id, state->inbox_id, sizeof draft->inbox_id);
    XMTP_TRY(xmtp_association_keep(draft, &state->recovery, &draft->recovery));
    XMTP_TRY(
        xmtp_association_reserve(draft, state->member_count + members, state->seen_count + seen));
    for (size_t i = 0; i < state->member_count; i++) {
        XMTP_TRY(xmtp_association_put(draft, &state->members[i]));
    }
    for (size_t i = 0; i < state->seen_count; i++) {
        XMTP_TRY(xmtp_association_add_seen(draft, state->seen[i]));
    }
    return XMTP_OK;
}

xmtp_status xmtp_association_copy(const xmtp_association *state, xmtp_association **out)
{
    XMTP_TRY(xmtp_association_new(out, state->alloc));
    xmtp_status status = xmtp_association_draft(*out, state, 0, 0);
    if (status != XMTP_OK) {
        xmtp_association_free(*out);
        *out = NULL;
    }
    return status;
}

/* ---- members */

xmtp_association_member *xmtp_association_member_of(const xmtp_association *state,
                                                    const xmtp_identifier *identifier)
{
    for (size_t i = 0; i < state->member_count; i++) {
        if (xmtp_identifier_equal(&state->members[i].identifier, identifier)) {
            return &state->members[i];
        }
    }
    return NULL;
}

xmtp_status xmtp_association_put(xmtp_association *state, const xmtp_association_member *member)
{
    xmtp_association_member copy = *member;
    XMTP_TRY(xmtp_association_keep(state, &member->identifier, &copy.identifier));
    XMTP_TRY(xmtp_association_keep(state, &member->added_by, &copy.added_by));
    xmtp_association_member *place = xmtp_association_member_of(state, &member->identifier);
    if (place == NULL) {
        XMTP_ENSURE(state->member_count < state->member_capacity, XMTP_E_INTERNAL);
        place = &state->members[state->member_count++];
    }
    *place = copy;
    return XMTP_OK;
}

void xmtp_association_remove(xmtp_association *state, size_t i)
{
    state->members[i] = state->members[--state->member_count];
}

/* Absent timestamps last; the rest only makes the order total. */
static int compare_members(const void *left, const void *right)
{
    const xmtp_association_member *a = left;
    const xmtp_association_member *b = right;
    if (a->has_timestamp != b->has_timestamp) {
        return a->has_timestamp ? -1 : 1;
    }
    if (a->client_timestamp_ns != b->client_timestamp_ns) {
        return a->client_timestamp_ns < b->client_timestamp_ns ? -1 : 1;
    }
    if (a->identifier.kind != b->identifier.kind) {
        return a->identifier.kind < b->identifier.kind ? -1 : 1;
    }
    return xmtp_bytes_compare(a->identifier.value, b->identifier.value);
}

/* ---- seen signatures */

static int compare_seen(const void *left, const void *right)
{
    return xmtp_bytes_compare(*(const xmtp_bytes *)left, *(const xmtp_bytes *)right);
}

/* The first seen signature that is not before key. */
static size_t lower_bound(const xmtp_association *state, xmtp_bytes key)
{
    size_t low = 0;
    size_t high = state->seen_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (xmtp_bytes_compare(state->seen[middle], key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool xmtp_association_has_seen(const xmtp_association *state, xmtp_bytes signature)
{
    size_t i = lower_bound(state, signature);
    return i < state->seen_count && xmtp_bytes_equal(state->seen[i], signature);
}

bool xmtp_association_has_seen_prefix(const xmtp_association *state, xmtp_bytes prefix)
{
    size_t i = lower_bound(state, prefix);
    return i < state->seen_count && state->seen[i].n >= prefix.n &&
           xmtp_bytes_equal(xmtp_bytes_of(state->seen[i].p, prefix.n), prefix);
}

xmtp_status xmtp_association_add_seen(xmtp_association *state, xmtp_bytes signature)
{
    XMTP_ENSURE(state->seen_count < state->seen_capacity, XMTP_E_INTERNAL);
    XMTP_TRY(xmtp_arena_copy(&state->arena, signature, &state->seen[state->seen_count]));
    state->seen_count++;
    return XMTP_OK;
}

void xmtp_association_sort(xmtp_association *state)
{
    if (state->member_count > 0) {
        qsort(state->members, state->member_count, sizeof *state->members, compare_members);
    }
    if (state->seen_count == 0) {
        return;
    }
    qsort(state->seen, state->seen_count, sizeof *state->seen, compare_seen);
    size_t kept = 1;
    for (size_t i = 1; i < state->seen_count; i++) {
        if (!xmtp_bytes_equal(state->seen[i], state->seen[kept - 1])) {
            state->seen[kept++] = state->seen[i];
        }
    }
    state->seen_count = kept;
}

/* ---- reading */

bool xmtp_association_exists(const xmtp_association *state)
{
    return state->exists;
}

const char *xmtp_association_inbox_id(const xmtp_association *state)
{
    return state->inbox_id;
}

xmtp_identifier xmtp_association_recovery(const xmtp_association *state)
{
    return state->recovery;
}

size_t xmtp_association_member_count(const xmtp_association *state)
{
    return state->member_count;
}

xmtp_association_member xmtp_association_member_at(const xmtp_association *state, size_t index)
{
    return state->members[index];
}

size_t xmtp_association_seen_count(const xmtp_association *state)
{
    return state->seen_count;
}

xmtp_bytes xmtp_association_seen_at(const xmtp_association *state, size_t index)
{
    return state->seen[index];
}

bool xmtp_association_find(const xmtp_association *state, const xmtp_identifier *identifier,
                           xmtp_association_member *out)
{
    const xmtp_association_member *member = xmtp_association_member_of(state, identifier);
    if (member != NULL && out != NULL) {
        *out = *member;
    }
    return member != NULL;
}

bool xmtp_association_has_installation(const xmtp_association *state,
                                       const uint8_t public_key[XMTP_INSTALLATION_LEN])
{
    xmtp_identifier id = xmtp_identifier_installation(public_key);
    return xmtp_association_member_of(state, &id) != NULL;
}

size_t xmtp_association_installation_count(const xmtp_association *state)
{
    size_t count = 0;
    for (size_t i = 0; i < state->member_count; i++) {
        count += state->members[i].identifier.kind == XMTP_IDENTIFIER_INSTALLATION ? 1 : 0;
    }
    return count;
}

xmtp_status
xmtp_association_minus(const xmtp_association *state, const xmtp_association *other, void *context,
                       xmtp_status (*visit)(void *context, const xmtp_association_member *member))
{
    for (size_t i = 0; i < state->member_count; i++) {
        if (xmtp_association_member_of(other, &state->members[i].identifier) == NULL) {
            XMTP_TRY(visit(context, &state->members[i]));
        }
    }
    return XMTP_OK;
}
