/* details.c - what the members of a conversation have agreed on, read from its group. */
#include "client/archive.h"
#include "client/policy_set.h"
#include "client/round.h"

static xmtp_status decimal(const char *text, uint64_t *out)
{
    uint64_t value = 0;
    *out = 0;
    for (const char *p = text; p != NULL && *p != '\0'; p++) {
        unsigned digit = (unsigned)(*p - '0');
        if (digit > 9 || value > ((uint64_t)INT64_MAX - digit) / 10) {
            return XMTP_E_MALFORMED;
        }
        value = 10 * value + digit;
    }
    *out = value;
    return XMTP_OK;
}

bool xmtp_disappearing_of(const Pb__GroupMutableMetadata *metadata, uint64_t *from_ns,
                          uint64_t *in_ns)
{
    bool is_number =
        decimal(xmtp_attribute(metadata, XMTP_ATTRIBUTE_DISAPPEAR_FROM), from_ns) == XMTP_OK;
    is_number = decimal(xmtp_attribute(metadata, XMTP_ATTRIBUTE_DISAPPEAR_IN), in_ns) == XMTP_OK &&
                is_number;
    return is_number && *from_ns > 0 && *in_ns > 0;
}

static const char *text_of(const Pb__GroupMutableMetadata *metadata, const char *key)
{
    const char *value = xmtp_attribute(metadata, key);
    return value == NULL ? "" : value;
}

static xmtp_status extension(const xmtp_mls_group *group, uint16_t type, xmtp_bytes *out)
{
    XMTP_ENSURE(xmtp_mls_group_extension(group, type, out), XMTP_E_EXTENSION);
    return XMTP_OK;
}

static xmtp_status fill(xmtp_client *client, const xmtp_mls_group *group, xmtp_arena *arena,
                        xmtp_conversation_details *out)
{
    xmtp_bytes data;
    Pb__GroupMetadata *immutable;
    Pb__GroupMutableMetadata *metadata;
    Pb__PolicySet *policies;
    XMTP_TRY(extension(group, XMTP_EXTENSION_IMMUTABLE_METADATA, &data));
    XMTP_TRY(xmtp_group_metadata_decode(arena, data, &immutable));
    XMTP_TRY(extension(group, XMTP_EXTENSION_MUTABLE_METADATA, &data));
    XMTP_TRY(xmtp_mutable_metadata_decode(arena, data, &metadata));
    XMTP_TRY(extension(group, XMTP_EXTENSION_PERMISSIONS, &data));
    XMTP_TRY(xmtp_permissions_decode(arena, data, &policies));
    *out = (xmtp_conversation_details){
        .creator_inbox = immutable->creator_inbox_id == NULL ? "" : immutable->creator_inbox_id,
        .name = text_of(metadata, XMTP_ATTRIBUTE_NAME),
        .description = text_of(metadata, XMTP_ATTRIBUTE_DESCRIPTION),
        .image_url = text_of(metadata, XMTP_ATTRIBUTE_IMAGE_URL),
        .app_data = text_of(metadata, XMTP_ATTRIBUTE_APP_DATA),
        .minimum_version = text_of(metadata, XMTP_ATTRIBUTE_MINIMUM_VERSION),
        .admins = (const char *const *)metadata->admin_list->inbox_ids,
        .admin_count = metadata->admin_list->n_inbox_ids,
        .super_admins = (const char *const *)metadata->super_admin_list->inbox_ids,
        .super_admin_count = metadata->super_admin_list->n_inbox_ids,
        .is_admin = xmtp_inbox_listed(metadata->admin_list, client->inbox_id),
        .is_super_admin = xmtp_inbox_listed(metadata->super_admin_list, client->inbox_id),
        .preset = xmtp_policies_recognise(policies),
    };
    out->is_disappearing =
        xmtp_disappearing_of(metadata, &out->disappear_from_ns, &out->disappear_in_ns);
    xmtp_policies_view(policies, &out->policies);
    return XMTP_OK;
}

xmtp_status xmtp_client_conversation_details(xmtp_client *client, const xmtp_conversation_id *id,
                                             xmtp_conversation_details *out, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    int64_t ref = 0;
    xmtp_mls_group *group;
    *out = (xmtp_conversation_details){0};
    XMTP_TRY(xmtp_conversation_find(client, id, &ref, error));
    xmtp_arena_reset(&client->out);
    xmtp_status status = xmtp_restored_details(client, ref, out, error);
    if (status != XMTP_E_NOT_FOUND) {
        return status;
    }
    XMTP_TRY(xmtp_cache_open(client, ref, &group, error));
    status = fill(client, group, &client->out, out);
    return status == XMTP_OK ? XMTP_OK : xmtp_fail_default(error, status, "conversation");
}
