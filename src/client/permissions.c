/* permissions.c - policies: decoding with shape checks, evaluation, comparison.
 *
 * A policy is a base value or a non-empty all-of / any-of list of policies. The three kinds of
 * policy have the same shape and differ in what their base values mean, so they are walked as one:
 * struct policy_view. Recursion is bounded because the decoder refuses nesting deeper than
 * XMTP_PROTO_DEPTH_MAX.
 */
#include "client/permissions.h"

#include "base/bytes.h"
#include "base/status.h"
#include "client/map_view.h"
#include "proto/message.h"

typedef enum policy_type { POLICY_MEMBER, POLICY_METADATA, POLICY_ADMIN } policy_type;

/* The generated structs of the three kinds are laid out alike but are different types to C. */
typedef struct policy_view {
    int kind; /* 1 base, 2 all of, 3 any of, 0 absent */
    int32_t base_value;
    size_t count;
    const void *const *items;
} policy_view;

static_assert((int)PB__MEMBERSHIP_POLICY__KIND_BASE_POLICY == 1 &&
                  (int)PB__METADATA_POLICY__KIND_BASE_POLICY == 1 &&
                  (int)PB__PERMISSIONS_UPDATE_POLICY__KIND_BASE_POLICY == 1 &&
                  (int)PB__MEMBERSHIP_POLICY__KIND_AND_CONDITION == 2 &&
                  (int)PB__METADATA_POLICY__KIND_AND_CONDITION == 2 &&
                  (int)PB__PERMISSIONS_UPDATE_POLICY__KIND_AND_CONDITION == 2 &&
                  (int)PB__MEMBERSHIP_POLICY__KIND_ANY_CONDITION == 3 &&
                  (int)PB__METADATA_POLICY__KIND_ANY_CONDITION == 3 &&
                  (int)PB__PERMISSIONS_UPDATE_POLICY__KIND_ANY_CONDITION == 3,
              "the case of a oneof is its field number");

#define POLICY_VIEW(policy, list)                                                                  \
    (policy_view)                                                                                  \
    {                                                                                              \
        .kind = (int)(policy)->kind_case, .base_value = (policy)->base_policy,                     \
        .count = (list) == NULL ? 0 : (list)->n_policies,                                          \
        .items = (list) == NULL ? NULL : (const void *const *)(list)->policies,                    \
    }

static policy_view view_policy(policy_type type, const void *policy)
{
    switch (type) {
    case POLICY_MEMBER: {
        const Pb__MembershipPolicy *p = policy;
        return p->kind_case == 1 ? POLICY_VIEW(p, (Pb__MembershipPolicy__List *)NULL)
                                 : POLICY_VIEW(p, p->kind_case == 0 ? NULL : p->and_condition);
    }
    case POLICY_METADATA: {
        const Pb__MetadataPolicy *p = policy;
        return p->kind_case == 1 ? POLICY_VIEW(p, (Pb__MetadataPolicy__List *)NULL)
                                 : POLICY_VIEW(p, p->kind_case == 0 ? NULL : p->and_condition);
    }
    case POLICY_ADMIN: {
        const Pb__PermissionsUpdatePolicy *p = policy;
        return p->kind_case == 1 ? POLICY_VIEW(p, (Pb__PermissionsUpdatePolicy__List *)NULL)
                                 : POLICY_VIEW(p, p->kind_case == 0 ? NULL : p->and_condition);
    }
    }
    return (policy_view){0};
}

const Pb__MetadataPolicy *xmtp_metadata_policy(const Pb__PolicySet *set, const char *attribute)
{
    for (size_t i = set->n_update_metadata_policy; i > 0; i--) {
        const Pb__MetadataPolicyEntry *entry = set->update_metadata_policy[i - 1];
        if (strcmp(entry->key == NULL ? "" : entry->key, attribute) == 0) {
            return entry->value;
        }
    }
    return NULL;
}

static const char *metadata_key(const void *set, size_t index)
{
    return ((const Pb__PolicySet *)set)->update_metadata_policy[index]->key;
}

static xmtp_status metadata_view(xmtp_arena *arena, const Pb__PolicySet *set, xmtp_map_view *out)
{
    return xmtp_map_view_of(arena, set, set->n_update_metadata_policy, metadata_key, out);
}

/* ---- shape */

static xmtp_status check_policy(policy_type type, const void *policy)
{
    XMTP_ENSURE(policy != NULL, XMTP_E_MALFORMED);
    policy_view view = view_policy(type, policy);
    if (view.kind == 1) {
        int32_t base_max = type == POLICY_ADMIN ? UPDATE_SUPER_ADMIN : BASE_SUPER_ADMIN;
        XMTP_ENSURE(view.base_value >= 1 && view.base_value <= base_max, XMTP_E_MALFORMED);
        return XMTP_OK;
    }
    XMTP_ENSURE(view.kind != 0 && view.count > 0, XMTP_E_MALFORMED);
    for (size_t i = 0; i < view.count; i++) {
        XMTP_TRY(check_policy(type, view.items[i]));
    }
    return XMTP_OK;
}

xmtp_status xmtp_permissions_decode(xmtp_arena *arena, xmtp_bytes data, Pb__PolicySet **out)
{
    void *message;
    *out = NULL;
    XMTP_TRY(xmtp_proto_decode(&pb__group_mutable_permissions__descriptor, arena, data, &message));
    Pb__PolicySet *set = ((Pb__GroupMutablePermissions *)message)->policies;
    XMTP_ENSURE(set != NULL, XMTP_E_MALFORMED);
    XMTP_TRY(check_policy(POLICY_MEMBER, set->add_member_policy));
    XMTP_TRY(check_policy(POLICY_MEMBER, set->remove_member_policy));
    XMTP_TRY(check_policy(POLICY_ADMIN, set->add_admin_policy));
    XMTP_TRY(check_policy(POLICY_ADMIN, set->remove_admin_policy));
    XMTP_TRY(check_policy(POLICY_ADMIN, set->update_permissions_policy));
    xmtp_map_view view;
    XMTP_TRY(metadata_view(arena, set, &view));
    for (size_t i = 0; i < view.count; i++) {
        XMTP_TRY(
            check_policy(POLICY_METADATA, set->update_metadata_policy[view.items[i].index]->value));
    }
    *out = set;
    return XMTP_OK;
}

/* ---- evaluation */

static bool base_allows(policy_type type, int32_t base_value, const xmtp_actor *actor)
{
    bool is_any_admin = actor->is_admin || actor->is_super_admin;
    if (type == POLICY_ADMIN) {
        return (base_value == UPDATE_ADMIN && is_any_admin) ||
               (base_value == UPDATE_SUPER_ADMIN && actor->is_super_admin);
    }
    return base_value == BASE_ALLOW || (base_value == BASE_ADMIN && is_any_admin) ||
           (base_value == BASE_SUPER_ADMIN && actor->is_super_admin);
}

static bool policy_allows(policy_type type, const void *policy, const xmtp_actor *actor)
{
    policy_view view = view_policy(type, policy);
    if (view.kind == 1) {
        return base_allows(type, view.base_value, actor);
    }
    bool is_all_of = view.kind == 2;
    for (size_t i = 0; i < view.count; i++) {
        if (policy_allows(type, view.items[i], actor) != is_all_of) {
            return !is_all_of;
        }
    }
    return is_all_of;
}

bool xmtp_policy_allows_member_change(const Pb__MembershipPolicy *policy, const xmtp_actor *actor)
{
    return policy_allows(POLICY_MEMBER, policy, actor);
}

bool xmtp_policy_allows_admin_change(const Pb__PermissionsUpdatePolicy *policy,
                                     const xmtp_actor *actor)
{
    return policy_allows(POLICY_ADMIN, policy, actor);
}

bool xmtp_policy_allows_attribute(const Pb__PolicySet *policies, const char *attribute,
                                  const xmtp_actor *actor)
{
    const Pb__MetadataPolicy *policy = xmtp_metadata_policy(policies, attribute);
    if (policy != NULL) {
        return policy_allows(POLICY_METADATA, policy, actor);
    }
    return actor->is_super_admin || (attribute[0] != '_' && actor->is_admin);
}

/* ---- comparison */

static bool policy_equal(policy_type type, const void *a, const void *b)
{
    policy_view x = view_policy(type, a);
    policy_view y = view_policy(type, b);
    if (x.kind != y.kind || x.count != y.count) {
        return false;
    }
    if (x.kind == 1) {
        return x.base_value == y.base_value;
    }
    for (size_t i = 0; i < x.count; i++) {
        if (!policy_equal(type, x.items[i], y.items[i])) {
            return false;
        }
    }
    return true;
}

/* Both hold each key once, in the same order. */
static bool metadata_policies_equal(const Pb__PolicySet *a, const xmtp_map_view *of_a,
                                    const Pb__PolicySet *b, const xmtp_map_view *of_b)
{
    if (of_a->count != of_b->count) {
        return false;
    }
    for (size_t i = 0; i < of_a->count; i++) {
        const xmtp_map_item *x = &of_a->items[i];
        const xmtp_map_item *y = &of_b->items[i];
        if (strcmp(x->key, y->key) != 0 ||
            !policy_equal(POLICY_METADATA, a->update_metadata_policy[x->index]->value,
                          b->update_metadata_policy[y->index]->value)) {
            return false;
        }
    }
    return true;
}

xmtp_status xmtp_permissions_equal(xmtp_arena *arena, const Pb__PolicySet *a,
                                   const Pb__PolicySet *b, bool *out)
{
    xmtp_map_view of_a;
    xmtp_map_view of_b;
    XMTP_TRY(metadata_view(arena, a, &of_a));
    XMTP_TRY(metadata_view(arena, b, &of_b));
    *out = policy_equal(POLICY_MEMBER, a->add_member_policy, b->add_member_policy) &&
           policy_equal(POLICY_MEMBER, a->remove_member_policy, b->remove_member_policy) &&
           policy_equal(POLICY_ADMIN, a->add_admin_policy, b->add_admin_policy) &&
           policy_equal(POLICY_ADMIN, a->remove_admin_policy, b->remove_admin_policy) &&
           policy_equal(POLICY_ADMIN, a->update_permissions_policy, b->update_permissions_policy) &&
           metadata_policies_equal(a, &of_a, b, &of_b);
    return XMTP_OK;
}
