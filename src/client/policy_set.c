/* policy_set.c - presets, custom sets, reading and changing of a group's policies (groups.md 2.7).
 *
 *                   all members   admins only   DM          where
 *   add members     allow         admin         deny        field 1
 *   remove members  admin         admin         deny        field 2
 *   name .. data    allow         admin         allow       map of field 3
 *   disappearing    admin         admin         allow       two entries of the map
 *   minimum version super admin   super admin   allow       one entry
 *   admin lists     super admin   super admin   deny        fields 4, 5; permissions: field 6
 */
#include "client/policy_set.h"

#include "base/bytes.h"
#include "base/status.h"
#include "proto/message.h"

typedef struct attribute_policy {
    const char *attribute;
    int32_t presets[2]; /* XMTP_POLICIES_DEFAULT, XMTP_POLICIES_ADMIN_ONLY */
} attribute_policy;

static const attribute_policy attributes[] = {
    {XMTP_ATTRIBUTE_NAME, {BASE_ALLOW, BASE_ADMIN}},
    {XMTP_ATTRIBUTE_DESCRIPTION, {BASE_ALLOW, BASE_ADMIN}},
    {XMTP_ATTRIBUTE_IMAGE_URL, {BASE_ALLOW, BASE_ADMIN}},
    {XMTP_ATTRIBUTE_APP_DATA, {BASE_ALLOW, BASE_ADMIN}},
    {XMTP_ATTRIBUTE_DISAPPEAR_FROM, {BASE_ADMIN, BASE_ADMIN}},
    {XMTP_ATTRIBUTE_DISAPPEAR_IN, {BASE_ADMIN, BASE_ADMIN}},
    {XMTP_ATTRIBUTE_MINIMUM_VERSION, {BASE_SUPER_ADMIN, BASE_SUPER_ADMIN}},
};

enum { ATTRIBUTE_COUNT = sizeof attributes / sizeof attributes[0] };

/* ---- numbers of the wire: xmtp_policy has those of membership and metadata policies */

static int32_t admin_base(xmtp_policy policy)
{
    switch (policy) {
    case XMTP_POLICY_DENY:
        return UPDATE_DENY;
    case XMTP_POLICY_ADMIN:
        return UPDATE_ADMIN;
    default:
        return UPDATE_SUPER_ADMIN; /* "allow" is not on the wire: official clients send this then */
    }
}

static bool is_settable(xmtp_policy policy)
{
    return policy >= XMTP_POLICY_ALLOW && policy <= XMTP_POLICY_SUPER_ADMIN;
}

/* ---- encoding */

/* Base values of everything, in the order of the fields. */
typedef struct base_values {
    int32_t add_member;
    int32_t remove_member;
    int32_t attributes[ATTRIBUTE_COUNT];
    int32_t add_admin;
    int32_t remove_admin;
    int32_t permissions;
} base_values;

static base_values of_preset(xmtp_policy_preset preset)
{
    bool is_strict = preset == XMTP_POLICIES_ADMIN_ONLY;
    base_values v = {.add_member = is_strict ? BASE_ADMIN : BASE_ALLOW,
                     .remove_member = BASE_ADMIN,
                     .add_admin = UPDATE_SUPER_ADMIN,
                     .remove_admin = UPDATE_SUPER_ADMIN,
                     .permissions = UPDATE_SUPER_ADMIN};
    for (size_t i = 0; i < ATTRIBUTE_COUNT; i++) {
        v.attributes[i] = attributes[i].presets[is_strict];
    }
    return v;
}

static base_values of_dm(void)
{
    base_values v = {.add_member = BASE_DENY,
                     .remove_member = BASE_DENY,
                     .add_admin = UPDATE_DENY,
                     .remove_admin = UPDATE_DENY,
                     .permissions = UPDATE_DENY};
    for (size_t i = 0; i < ATTRIBUTE_COUNT; i++) {
        v.attributes[i] = BASE_ALLOW;
    }
    return v;
}

/* XMTP: the official binding writes no entry for the start of disappearing, which leaves that to
 * admins whatever is said about its length. Both belong together here. */
static xmtp_status of_custom(const xmtp_policy_set *set, base_values *out, xmtp_error *error)
{
    const xmtp_policy given[] = {set->add_member,   set->remove_member, set->add_admin,
                                 set->remove_admin, set->name,          set->description,
                                 set->image_url,    set->app_data,      set->disappearing};
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        if (!is_settable(given[i])) {
            return xmtp_fail(error, XMTP_E_ARGUMENT, "policy %zu of a custom set is %d", i,
                             (int)given[i]);
        }
    }
    *out = (base_values){
        .add_member = (int32_t)set->add_member,
        .remove_member = (int32_t)set->remove_member,
        .attributes = {(int32_t)set->name, (int32_t)set->description, (int32_t)set->image_url,
                       (int32_t)set->app_data, (int32_t)set->disappearing,
                       (int32_t)set->disappearing, BASE_SUPER_ADMIN},
        .add_admin = admin_base(set->add_admin),
        .remove_admin = admin_base(set->remove_admin),
        .permissions = UPDATE_SUPER_ADMIN,
    };
    return XMTP_OK;
}

static Pb__MembershipPolicy member_policy(int32_t base_value)
{
    Pb__MembershipPolicy policy = PB__MEMBERSHIP_POLICY__INIT;
    policy.kind_case = PB__MEMBERSHIP_POLICY__KIND_BASE_POLICY;
    policy.base_policy = base_value;
    return policy;
}

static Pb__MetadataPolicy metadata_policy(int32_t base_value)
{
    Pb__MetadataPolicy policy = PB__METADATA_POLICY__INIT;
    policy.kind_case = PB__METADATA_POLICY__KIND_BASE_POLICY;
    policy.base_policy = base_value;
    return policy;
}

static Pb__PermissionsUpdatePolicy admin_policy(int32_t base_value)
{
    Pb__PermissionsUpdatePolicy policy = PB__PERMISSIONS_UPDATE_POLICY__INIT;
    policy.kind_case = PB__PERMISSIONS_UPDATE_POLICY__KIND_BASE_POLICY;
    policy.base_policy = base_value;
    return policy;
}

static xmtp_status encode(xmtp_writer *w, const base_values *v)
{
    Pb__MembershipPolicy add = member_policy(v->add_member);
    Pb__MembershipPolicy remove = member_policy(v->remove_member);
    Pb__PermissionsUpdatePolicy add_admin = admin_policy(v->add_admin);
    Pb__PermissionsUpdatePolicy remove_admin = admin_policy(v->remove_admin);
    Pb__PermissionsUpdatePolicy update = admin_policy(v->permissions);
    Pb__MetadataPolicy policies[ATTRIBUTE_COUNT];
    Pb__MetadataPolicyEntry entries[ATTRIBUTE_COUNT];
    Pb__MetadataPolicyEntry *list[ATTRIBUTE_COUNT];
    for (size_t i = 0; i < ATTRIBUTE_COUNT; i++) {
        policies[i] = metadata_policy(v->attributes[i]);
        pb__metadata_policy_entry__init(&entries[i]);
        entries[i].key = (char *)(uintptr_t)attributes[i].attribute;
        entries[i].value = &policies[i];
        list[i] = &entries[i];
    }
    Pb__PolicySet set = PB__POLICY_SET__INIT;
    set.add_member_policy = &add;
    set.remove_member_policy = &remove;
    set.n_update_metadata_policy = ATTRIBUTE_COUNT;
    set.update_metadata_policy = list;
    set.add_admin_policy = &add_admin;
    set.remove_admin_policy = &remove_admin;
    set.update_permissions_policy = &update;
    Pb__GroupMutablePermissions permissions = PB__GROUP_MUTABLE_PERMISSIONS__INIT;
    permissions.policies = &set;
    return xmtp_proto_encode(&permissions.base, w);
}

xmtp_status xmtp_policies_encode(xmtp_writer *w, xmtp_group_kind kind, xmtp_policy_preset preset,
                                 const xmtp_policy_set *custom, xmtp_error *error)
{
    base_values values;
    if (kind == XMTP_GROUP_KIND_DM) {
        values = of_dm();
    } else if (preset == XMTP_POLICIES_DEFAULT || preset == XMTP_POLICIES_ADMIN_ONLY) {
        values = of_preset(preset);
    } else if (preset == XMTP_POLICIES_CUSTOM && custom != NULL) {
        XMTP_TRY(of_custom(custom, &values, error));
    } else {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "custom policies need a set of policies");
    }
    return encode(w, &values);
}

/* ---- reading */

static xmtp_policy member_view(const Pb__MembershipPolicy *policy)
{
    return policy->kind_case == PB__MEMBERSHIP_POLICY__KIND_BASE_POLICY
               ? (xmtp_policy)policy->base_policy
               : XMTP_POLICY_OTHER;
}

static xmtp_policy metadata_view(const Pb__PolicySet *set, const char *attribute)
{
    const Pb__MetadataPolicy *policy = xmtp_metadata_policy(set, attribute);
    if (policy == NULL) {
        return XMTP_POLICY_NONE;
    }
    return policy->kind_case == PB__METADATA_POLICY__KIND_BASE_POLICY
               ? (xmtp_policy)policy->base_policy
               : XMTP_POLICY_OTHER;
}

static xmtp_policy admin_view(const Pb__PermissionsUpdatePolicy *policy)
{
    static const xmtp_policy of_base[] = {[UPDATE_DENY] = XMTP_POLICY_DENY,
                                          [UPDATE_ADMIN] = XMTP_POLICY_ADMIN,
                                          [UPDATE_SUPER_ADMIN] = XMTP_POLICY_SUPER_ADMIN};
    return policy->kind_case == PB__PERMISSIONS_UPDATE_POLICY__KIND_BASE_POLICY
               ? of_base[policy->base_policy]
               : XMTP_POLICY_OTHER;
}

void xmtp_policies_view(const Pb__PolicySet *set, xmtp_policy_set *out)
{
    *out = (xmtp_policy_set){
        .add_member = member_view(set->add_member_policy),
        .remove_member = member_view(set->remove_member_policy),
        .add_admin = admin_view(set->add_admin_policy),
        .remove_admin = admin_view(set->remove_admin_policy),
        .name = metadata_view(set, XMTP_ATTRIBUTE_NAME),
        .description = metadata_view(set, XMTP_ATTRIBUTE_DESCRIPTION),
        .image_url = metadata_view(set, XMTP_ATTRIBUTE_IMAGE_URL),
        .app_data = metadata_view(set, XMTP_ATTRIBUTE_APP_DATA),
        .disappearing = metadata_view(set, XMTP_ATTRIBUTE_DISAPPEAR_IN),
        .minimum_version = metadata_view(set, XMTP_ATTRIBUTE_MINIMUM_VERSION),
        .update_permissions = admin_view(set->update_permissions_policy),
    };
}

/* The value that a preset gives a key; unknown keys: allow, or admin. */
static int32_t preset_of_key(const char *key, bool is_strict)
{
    for (size_t i = 0; i < ATTRIBUTE_COUNT; i++) {
        if (key != NULL && strcmp(key, attributes[i].attribute) == 0) {
            return attributes[i].presets[is_strict];
        }
    }
    return is_strict ? BASE_ADMIN : BASE_ALLOW;
}

/* What is present must be as in the preset; what is missing does not hinder (groups.md 2.7). */
static bool is_preset(const Pb__PolicySet *set, xmtp_policy_preset preset)
{
    bool is_strict = preset == XMTP_POLICIES_ADMIN_ONLY;
    xmtp_policy_set seen;
    xmtp_policies_view(set, &seen);
    bool is_alike = seen.add_member == (is_strict ? XMTP_POLICY_ADMIN : XMTP_POLICY_ALLOW) &&
                    seen.remove_member == XMTP_POLICY_ADMIN &&
                    seen.add_admin == XMTP_POLICY_SUPER_ADMIN &&
                    seen.remove_admin == XMTP_POLICY_SUPER_ADMIN &&
                    seen.update_permissions == XMTP_POLICY_SUPER_ADMIN;
    for (size_t i = 0; is_alike && i < set->n_update_metadata_policy; i++) {
        const char *key = set->update_metadata_policy[i]->key;
        is_alike =
            (int32_t)metadata_view(set, key == NULL ? "" : key) == preset_of_key(key, is_strict);
    }
    return is_alike;
}

xmtp_policy_preset xmtp_policies_recognise(const Pb__PolicySet *set)
{
    return is_preset(set, XMTP_POLICIES_DEFAULT)      ? XMTP_POLICIES_DEFAULT
           : is_preset(set, XMTP_POLICIES_ADMIN_ONLY) ? XMTP_POLICIES_ADMIN_ONLY
                                                      : XMTP_POLICIES_CUSTOM;
}

/* ---- changing one */

static xmtp_status change_member(xmtp_arena *arena, Pb__MembershipPolicy **slot, xmtp_policy policy)
{
    void *fresh;
    XMTP_TRY(xmtp_arena_take(arena, sizeof(**slot), &fresh));
    *slot = fresh;
    **slot = member_policy((int32_t)policy);
    return XMTP_OK;
}

static xmtp_status change_admin(xmtp_arena *arena, Pb__PermissionsUpdatePolicy **slot,
                                xmtp_policy policy)
{
    void *fresh;
    XMTP_TRY(xmtp_arena_take(arena, sizeof(**slot), &fresh));
    *slot = fresh;
    **slot = admin_policy(admin_base(policy));
    return XMTP_OK;
}

static xmtp_status add_entry(xmtp_arena *arena, Pb__PolicySet *set, const char *attribute,
                             Pb__MetadataPolicyEntry **out)
{
    void *bigger;
    void *entry;
    char *key;
    size_t count = set->n_update_metadata_policy;
    XMTP_TRY(xmtp_arena_take_array(arena, count + 1, sizeof(void *), &bigger));
    XMTP_TRY(xmtp_arena_take(arena, sizeof(**out), &entry));
    XMTP_TRY(xmtp_arena_string(arena, xmtp_bytes_of_string(attribute), &key));
    for (size_t i = 0; i < count; i++) {
        ((Pb__MetadataPolicyEntry **)bigger)[i] = set->update_metadata_policy[i];
    }
    *out = entry;
    pb__metadata_policy_entry__init(*out);
    (*out)->key = key;
    ((Pb__MetadataPolicyEntry **)bigger)[count] = *out;
    set->update_metadata_policy = bigger;
    set->n_update_metadata_policy = count + 1;
    return XMTP_OK;
}

static xmtp_status change_attribute(xmtp_arena *arena, Pb__PolicySet *set, const char *attribute,
                                    xmtp_policy policy)
{
    Pb__MetadataPolicyEntry *entry = NULL;
    void *fresh;
    for (size_t i = 0; i < set->n_update_metadata_policy; i++) {
        Pb__MetadataPolicyEntry *candidate = set->update_metadata_policy[i];
        if (candidate->key != NULL && strcmp(candidate->key, attribute) == 0) {
            entry = candidate; /* the last one counts */
        }
    }
    if (entry == NULL) {
        XMTP_TRY(add_entry(arena, set, attribute, &entry));
    }
    XMTP_TRY(xmtp_arena_take(arena, sizeof(Pb__MetadataPolicy), &fresh));
    entry->value = fresh;
    *entry->value = metadata_policy((int32_t)policy);
    return XMTP_OK;
}

xmtp_status xmtp_policies_change(xmtp_arena *arena, Pb__PolicySet *set, xmtp_permission what,
                                 const char *attribute, xmtp_policy policy)
{
    XMTP_ENSURE(is_settable(policy), XMTP_E_ARGUMENT);
    switch (what) {
    case XMTP_PERMISSION_ADD_MEMBER:
        return change_member(arena, &set->add_member_policy, policy);
    case XMTP_PERMISSION_REMOVE_MEMBER:
        return change_member(arena, &set->remove_member_policy, policy);
    case XMTP_PERMISSION_ADD_ADMIN:
        return change_admin(arena, &set->add_admin_policy, policy);
    case XMTP_PERMISSION_REMOVE_ADMIN:
        return change_admin(arena, &set->remove_admin_policy, policy);
    case XMTP_PERMISSION_UPDATE_METADATA:
        return change_attribute(arena, set, attribute, policy);
    }
    return XMTP_E_ARGUMENT;
}
