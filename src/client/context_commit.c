/* context_commit.c - commits that change one thing of what a group has agreed on: an attribute, a list
 * of admins, a permission (groups.md 3.5).
 *
 * Built from the group as it is then; everything else, also what we do not know, is carried on. The
 * intents' data are written by group_change.c.
 */
#include "client/policy_set.h"
#include "client/round.h"

typedef struct context_change {
    group_work *work;
    xmtp_arena arena;
    xmtp_reader data;   /* of the intent */
    xmtp_writer out;    /* the new extension */
    uint16_t extension; /* its type */
    bool is_nothing;    /* it is so already */
    xmtp_error *error;
} context_change;

static xmtp_status read_text(context_change *c, char **out)
{
    xmtp_bytes bytes;
    XMTP_TRY(xmtp_reader_vec(&c->data, &bytes));
    return xmtp_arena_string(&c->arena, bytes, out);
}

static xmtp_status read_metadata(context_change *c, Pb__GroupMutableMetadata **out)
{
    xmtp_bytes data;
    c->extension = XMTP_EXTENSION_MUTABLE_METADATA;
    XMTP_ENSURE(xmtp_mls_group_extension(c->work->group, c->extension, &data), XMTP_E_EXTENSION);
    return xmtp_mutable_metadata_decode(&c->arena, data, out);
}

/* ---- attributes */

static xmtp_status check_expected(context_change *c, const Pb__GroupMutableMetadata *metadata,
                                  const char *name)
{
    char *expected;
    XMTP_TRY(read_text(c, &expected));
    const char *present = xmtp_attribute(metadata, name);
    if (strcmp(present == NULL ? "" : present, expected) != 0) {
        return xmtp_fail(c->error, XMTP_E_STATE, "%s is no longer what was expected", name);
    }
    return XMTP_OK;
}

static xmtp_status change_attribute(context_change *c)
{
    char *name;
    char *value;
    Pb__GroupMutableMetadata *metadata;
    XMTP_TRY(read_text(c, &name));
    XMTP_TRY(read_text(c, &value));
    XMTP_TRY(read_metadata(c, &metadata));
    if (xmtp_reader_end(&c->data) != XMTP_OK) {
        XMTP_TRY(check_expected(c, metadata, name));
    }
    XMTP_TRY(xmtp_attribute_set(&c->arena, metadata, name, value));
    return xmtp_mutable_metadata_encode(&c->out, metadata);
}

/* ---- admins */

static xmtp_status change_list(context_change *c)
{
    uint8_t change;
    char *inbox_id;
    Pb__GroupMutableMetadata *metadata;
    XMTP_TRY(xmtp_reader_u8(&c->data, &change));
    XMTP_TRY(read_text(c, &inbox_id));
    XMTP_TRY(read_metadata(c, &metadata));
    bool is_super = change == XMTP_SUPER_ADMIN_ADD || change == XMTP_SUPER_ADMIN_REMOVE;
    Pb__Inboxes *list = is_super ? metadata->super_admin_list : metadata->admin_list;
    bool is_added = change == XMTP_ADMIN_ADD || change == XMTP_SUPER_ADMIN_ADD;
    c->is_nothing = xmtp_inbox_listed(list, inbox_id) == is_added;
    if (is_added) {
        XMTP_TRY(xmtp_inboxes_add(&c->arena, list, inbox_id));
    } else {
        xmtp_inboxes_remove(list, inbox_id);
    }
    return xmtp_mutable_metadata_encode(&c->out, metadata);
}

/* ---- permissions */

static xmtp_status change_permission(context_change *c)
{
    uint8_t what;
    uint8_t policy;
    char *attribute;
    xmtp_bytes data;
    Pb__PolicySet *set;
    XMTP_TRY(xmtp_reader_u8(&c->data, &what));
    XMTP_TRY(xmtp_reader_u8(&c->data, &policy));
    XMTP_TRY(read_text(c, &attribute));
    c->extension = XMTP_EXTENSION_PERMISSIONS;
    XMTP_ENSURE(xmtp_mls_group_extension(c->work->group, c->extension, &data), XMTP_E_EXTENSION);
    XMTP_TRY(xmtp_permissions_decode(&c->arena, data, &set));
    XMTP_TRY(xmtp_policies_change(&c->arena, set, (xmtp_permission)what, attribute,
                                  (xmtp_policy)policy));
    Pb__GroupMutablePermissions permissions = PB__GROUP_MUTABLE_PERMISSIONS__INIT;
    permissions.policies = set;
    return xmtp_proto_encode(&permissions.base, &c->out);
}

/* ---- the commit */

static xmtp_status apply(context_change *c, xmtp_intent_kind kind)
{
    switch ((int)kind) {
    case XMTP_INTENT_METADATA:
        return change_attribute(c);
    case XMTP_INTENT_ADMINS:
        return change_list(c);
    case XMTP_INTENT_PERMISSION:
        return change_permission(c);
    default:
        return XMTP_E_CORRUPT;
    }
}

static xmtp_status build(context_change *c, xmtp_intent_kind kind, commit_plan *plan)
{
    xmtp_mls_extension *extensions;
    size_t count;
    const xmtp_mls_group *group = c->work->group;
    XMTP_TRY(apply(c, kind));
    XMTP_TRY(xmtp_reader_end(&c->data));
    XMTP_TRY(xmtp_writer_status(&c->out));
    if (c->is_nothing) {
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_group_extensions_replace(&c->arena, group, c->extension,
                                           xmtp_writer_bytes(&c->out), &extensions, &count));
    xmtp_mls_commit_options options = {
        .context_extensions = extensions,
        .context_extension_count = count,
        .set_context_extensions = true,
    };
    return xmtp_mls_group_commit(c->work->group, &options, &plan->pending, c->error);
}

xmtp_status xmtp_context_build(group_work *work, const xmtp_intent_row *intent, commit_plan *plan,
                               xmtp_error *error)
{
    context_change c = {.work = work, .data = xmtp_reader_of(intent->data), .error = error};
    xmtp_scratch(work->client, &c.arena);
    xmtp_writer_init(&c.out, &work->client->env.alloc, XMTP_WRITER_MAX);
    xmtp_status status = build(&c, intent->kind, plan);
    xmtp_writer_free(&c.out);
    xmtp_arena_reset(&c.arena);
    return status == XMTP_OK ? XMTP_OK : xmtp_fail_default(error, status, "change of the group");
}
