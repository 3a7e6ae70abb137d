/* group_data.c - encoding, decoding and editing the extensions of a GroupContext that belong to
 * XMTP.
 *
 * Everything decoded lives in an arena and is edited in place there: setting an attribute or a
 * member gives a new array in the same arena. Bytes that are hashed or signed are always the
 * received ones, never these re-encodings.
 */
#include "client/group_data.h"

#include "base/bytes.h"
#include "base/reader.h"
#include "base/status.h"
#include "client/policy_set.h"
#include "proto/message.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- 0xF000: immutable metadata */

xmtp_status xmtp_group_metadata_decode(xmtp_arena *arena, xmtp_bytes data, Pb__GroupMetadata **out)
{
    xmtp_reader r = xmtp_reader_of(data);
    xmtp_bytes inner;
    *out = NULL;
    XMTP_TRY(xmtp_reader_vec(&r, &inner));
    XMTP_TRY(xmtp_reader_end(&r));
    return xmtp_proto_decode(&pb__group_metadata__descriptor, arena, inner, (void **)out);
}

xmtp_status xmtp_group_metadata_encode(xmtp_writer *w, xmtp_group_kind kind,
                                       const char *creator_inbox, const char *dm_peer)
{
    Pb__InboxRef one = PB__INBOX_REF__INIT;
    Pb__InboxRef two = PB__INBOX_REF__INIT;
    Pb__DmMembers members = PB__DM_MEMBERS__INIT;
    Pb__GroupMetadata metadata = PB__GROUP_METADATA__INIT;
    one.inbox_id = (char *)(uintptr_t)creator_inbox;
    two.inbox_id = (char *)(uintptr_t)dm_peer;
    members.dm_member_one = &one;
    members.dm_member_two = &two;
    metadata.has_conversation_type = 1;
    metadata.conversation_type = (int32_t)kind;
    metadata.creator_inbox_id = one.inbox_id;
    metadata.dm_members = dm_peer == NULL ? NULL : &members;
    size_t mark = xmtp_writer_vec_open(w);
    XMTP_TRY(xmtp_proto_encode(&metadata.base, w));
    xmtp_writer_vec_close(w, mark);
    return xmtp_writer_status(w);
}

/* ---- 0xFF00: mutable metadata */

xmtp_status xmtp_mutable_metadata_decode(xmtp_arena *arena, xmtp_bytes data,
                                         Pb__GroupMutableMetadata **out)
{
    XMTP_TRY(xmtp_proto_decode(&pb__group_mutable_metadata__descriptor, arena, data, (void **)out));
    XMTP_ENSURE((*out)->admin_list != NULL && (*out)->super_admin_list != NULL, XMTP_E_MALFORMED);
    return XMTP_OK;
}

xmtp_status xmtp_mutable_metadata_encode(xmtp_writer *w, const Pb__GroupMutableMetadata *metadata)
{
    return xmtp_proto_encode(&metadata->base, w);
}

static const char *entry_key(const Pb__StringEntry *entry)
{
    return entry->key == NULL ? "" : entry->key;
}

static Pb__StringEntry *find_attribute(const Pb__GroupMutableMetadata *metadata, const char *key)
{
    for (size_t i = metadata->n_attributes; i > 0; i--) {
        if (strcmp(entry_key(metadata->attributes[i - 1]), key) == 0) {
            return metadata->attributes[i - 1];
        }
    }
    return NULL;
}

const char *xmtp_attribute(const Pb__GroupMutableMetadata *metadata, const char *key)
{
    const Pb__StringEntry *entry = find_attribute(metadata, key);
    if (entry == NULL) {
        return NULL;
    }
    return entry->value == NULL ? "" : entry->value;
}

/* A copy of an array of pointers with room for one more at its end. */
static xmtp_status grow_pointers(xmtp_arena *arena, void *array, size_t count, void ***out)
{
    void *bigger;
    XMTP_TRY(xmtp_arena_take_array(arena, count + 1, sizeof(void *), &bigger));
    xmtp_copy(bigger, array, count * sizeof(void *));
    *out = bigger;
    return XMTP_OK;
}

static xmtp_status copy_text(xmtp_arena *arena, const char *text, char **out)
{
    return xmtp_arena_string(arena, xmtp_bytes_of_string(text), out);
}

xmtp_status xmtp_attribute_set(xmtp_arena *arena, Pb__GroupMutableMetadata *metadata,
                               const char *key, const char *value)
{
    Pb__StringEntry *entry = find_attribute(metadata, key);
    if (entry == NULL) {
        void *fresh;
        void **bigger;
        XMTP_TRY(xmtp_arena_take(arena, sizeof *entry, &fresh));
        entry = fresh;
        pb__string_entry__init(entry);
        XMTP_TRY(copy_text(arena, key, &entry->key));
        XMTP_TRY(grow_pointers(arena, metadata->attributes, metadata->n_attributes, &bigger));
        bigger[metadata->n_attributes++] = entry;
        metadata->attributes = (Pb__StringEntry **)bigger;
    }
    return copy_text(arena, value, &entry->value);
}

bool xmtp_inbox_listed(const Pb__Inboxes *list, const char *inbox_id)
{
    for (size_t i = 0; list != NULL && i < list->n_inbox_ids; i++) {
        if (strcmp(list->inbox_ids[i], inbox_id) == 0) {
            return true;
        }
    }
    return false;
}

xmtp_status xmtp_inboxes_add(xmtp_arena *arena, Pb__Inboxes *list, const char *inbox_id)
{
    char *copy;
    void **bigger;
    if (xmtp_inbox_listed(list, inbox_id)) {
        return XMTP_OK;
    }
    XMTP_TRY(copy_text(arena, inbox_id, &copy));
    XMTP_TRY(grow_pointers(arena, list->inbox_ids, list->n_inbox_ids, &bigger));
    bigger[list->n_inbox_ids++] = copy;
    list->inbox_ids = (char **)bigger;
    return XMTP_OK;
}

void xmtp_inboxes_remove(Pb__Inboxes *list, const char *inbox_id)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->n_inbox_ids; i++) {
        if (strcmp(list->inbox_ids[i], inbox_id) != 0) {
            list->inbox_ids[kept++] = list->inbox_ids[i];
        }
    }
    list->n_inbox_ids = kept;
}

static xmtp_status new_inboxes(xmtp_arena *arena, const char *inbox_or_null, Pb__Inboxes **out)
{
    void *list;
    XMTP_TRY(xmtp_arena_take(arena, sizeof(Pb__Inboxes), &list));
    *out = list;
    pb__inboxes__init(*out);
    if (inbox_or_null != NULL) {
        void *ids;
        XMTP_TRY(xmtp_arena_take(arena, sizeof(char *), &ids));
        (*out)->inbox_ids = ids;
        XMTP_TRY(copy_text(arena, inbox_or_null, &(*out)->inbox_ids[0]));
        (*out)->n_inbox_ids = 1;
    }
    return XMTP_OK;
}

static xmtp_status set_text(xmtp_arena *arena, Pb__GroupMutableMetadata *metadata, const char *key,
                            const char *value)
{
    return xmtp_attribute_set(arena, metadata, key, value == NULL ? "" : value);
}

static xmtp_status set_number(xmtp_arena *arena, Pb__GroupMutableMetadata *metadata,
                              const char *key, uint64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    return xmtp_attribute_set(arena, metadata, key, text);
}

static xmtp_status set_initial_attributes(xmtp_arena *arena, const xmtp_group_initial *what,
                                          Pb__GroupMutableMetadata *metadata)
{
    static const xmtp_group_options nothing;
    const xmtp_group_options *options = what->options == NULL ? &nothing : what->options;
    XMTP_TRY(set_text(arena, metadata, XMTP_ATTRIBUTE_NAME, options->name));
    XMTP_TRY(set_text(arena, metadata, XMTP_ATTRIBUTE_DESCRIPTION, options->description));
    XMTP_TRY(set_text(arena, metadata, XMTP_ATTRIBUTE_IMAGE_URL, options->image_url));
    if (what->kind != XMTP_GROUP_KIND_DM) {
        XMTP_TRY(set_text(arena, metadata, XMTP_ATTRIBUTE_APP_DATA, options->app_data));
    }
    if (options->disappear_in_ns > 0) {
        XMTP_TRY(
            set_number(arena, metadata, XMTP_ATTRIBUTE_DISAPPEAR_FROM, options->disappear_from_ns));
        XMTP_TRY(
            set_number(arena, metadata, XMTP_ATTRIBUTE_DISAPPEAR_IN, options->disappear_in_ns));
    }
    return set_text(arena, metadata, XMTP_ATTRIBUTE_COMMIT_LOG_SIGNER, what->commit_log_signer);
}

xmtp_status xmtp_mutable_metadata_initial(xmtp_arena *arena, const xmtp_group_initial *what,
                                          Pb__GroupMutableMetadata **out)
{
    void *fresh;
    bool is_dm = what->kind == XMTP_GROUP_KIND_DM;
    XMTP_TRY(xmtp_arena_take(arena, sizeof(Pb__GroupMutableMetadata), &fresh));
    Pb__GroupMutableMetadata *metadata = fresh;
    pb__group_mutable_metadata__init(metadata);
    XMTP_TRY(set_initial_attributes(arena, what, metadata));
    /* Nobody administers a DM (groups.md 2.6). */
    XMTP_TRY(new_inboxes(arena, NULL, &metadata->admin_list));
    XMTP_TRY(new_inboxes(arena, is_dm ? NULL : what->creator_inbox, &metadata->super_admin_list));
    *out = metadata;
    return XMTP_OK;
}

/* ---- 0xFF01: membership */

xmtp_status xmtp_membership_decode(xmtp_arena *arena, xmtp_bytes data, Pb__GroupMembership **out)
{
    return xmtp_proto_decode(&pb__group_membership__descriptor, arena, data, (void **)out);
}

xmtp_status xmtp_membership_encode(xmtp_writer *w, const Pb__GroupMembership *membership)
{
    return xmtp_proto_encode(&membership->base, w);
}

static Pb__SequenceEntry *find_member(const Pb__GroupMembership *membership, const char *inbox_id)
{
    for (size_t i = membership->n_members; i > 0; i--) {
        const char *key = membership->members[i - 1]->key;
        if (strcmp(key == NULL ? "" : key, inbox_id) == 0) {
            return membership->members[i - 1];
        }
    }
    return NULL;
}

bool xmtp_membership_find(const Pb__GroupMembership *membership, const char *inbox_id,
                          uint64_t *sequence_id)
{
    const Pb__SequenceEntry *entry = find_member(membership, inbox_id);
    if (entry == NULL) {
        return false;
    }
    *sequence_id = entry->value; /* 0 when absent on the wire */
    return true;
}

xmtp_status xmtp_membership_set(xmtp_arena *arena, Pb__GroupMembership *membership,
                                const char *inbox_id, uint64_t sequence_id)
{
    Pb__SequenceEntry *entry = find_member(membership, inbox_id);
    if (entry == NULL) {
        void *fresh;
        void **bigger;
        XMTP_TRY(xmtp_arena_take(arena, sizeof *entry, &fresh));
        entry = fresh;
        pb__sequence_entry__init(entry);
        XMTP_TRY(copy_text(arena, inbox_id, &entry->key));
        XMTP_TRY(grow_pointers(arena, membership->members, membership->n_members, &bigger));
        bigger[membership->n_members++] = entry;
        membership->members = (Pb__SequenceEntry **)bigger;
    }
    entry->has_value = sequence_id != 0;
    entry->value = sequence_id;
    return XMTP_OK;
}

void xmtp_membership_remove(Pb__GroupMembership *membership, const char *inbox_id)
{
    size_t kept = 0;
    for (size_t i = 0; i < membership->n_members; i++) {
        const char *key = membership->members[i]->key;
        if (strcmp(key == NULL ? "" : key, inbox_id) != 0) {
            membership->members[kept++] = membership->members[i];
        }
    }
    membership->n_members = kept;
}

bool xmtp_membership_has_failed(const Pb__GroupMembership *membership, xmtp_bytes installation)
{
    for (size_t i = 0; i < membership->n_failed_installations; i++) {
        if (xmtp_bytes_equal(xmtp_proto_bytes(membership->failed_installations[i]), installation)) {
            return true;
        }
    }
    return false;
}

xmtp_status xmtp_membership_add_failed(xmtp_arena *arena, Pb__GroupMembership *membership,
                                       xmtp_bytes installation)
{
    if (xmtp_membership_has_failed(membership, installation)) {
        return XMTP_OK;
    }
    size_t count = membership->n_failed_installations;
    void *bigger;
    xmtp_bytes copy;
    XMTP_TRY(xmtp_arena_take_array(arena, count + 1, sizeof(ProtobufCBinaryData), &bigger));
    XMTP_TRY(xmtp_arena_copy(arena, installation, &copy));
    xmtp_copy(bigger, membership->failed_installations, count * sizeof(ProtobufCBinaryData));
    membership->failed_installations = bigger;
    membership->failed_installations[count] = xmtp_proto_data(copy);
    membership->n_failed_installations = count + 1;
    return XMTP_OK;
}

/* ---- the whole context */

/* Content of required_capabilities (groups.md 1.4): extension types, proposal types, credential
 * types. */
static const uint8_t required_capabilities[] = {0x0c, 0xff, 0x01, 0xff, 0x00, 0xff, 0x02,
                                                0xf0, 0x00, 0x00, 0x0a, 0x00, 0x01, 0x02,
                                                0x00, 0x07, 0x02, 0x00, 0x01};

static xmtp_status keep_extension(xmtp_arena *arena, xmtp_writer *w, uint16_t type,
                                  xmtp_mls_extension *out)
{
    XMTP_TRY(xmtp_writer_status(w));
    out->type = type;
    XMTP_TRY(xmtp_arena_copy(arena, xmtp_writer_bytes(w), &out->data));
    xmtp_writer_clear(w);
    return XMTP_OK;
}

static xmtp_status write_initial(xmtp_arena *arena, xmtp_writer *w, const xmtp_group_initial *what,
                                 xmtp_mls_extension *list, xmtp_error *error)
{
    static const xmtp_group_options nothing;
    const xmtp_group_options *options = what->options == NULL ? &nothing : what->options;
    Pb__GroupMutableMetadata *metadata;
    Pb__GroupMembership membership = PB__GROUP_MEMBERSHIP__INIT;
    XMTP_TRY(xmtp_group_metadata_encode(w, what->kind, what->creator_inbox, what->dm_peer));
    XMTP_TRY(keep_extension(arena, w, XMTP_EXTENSION_IMMUTABLE_METADATA, &list[0]));
    XMTP_TRY(xmtp_mutable_metadata_initial(arena, what, &metadata));
    XMTP_TRY(xmtp_mutable_metadata_encode(w, metadata));
    XMTP_TRY(keep_extension(arena, w, XMTP_EXTENSION_MUTABLE_METADATA, &list[1]));
    /* The creator alone, at 0; the first membership commit raises it (groups.md 2.3). */
    XMTP_TRY(xmtp_membership_set(arena, &membership, what->creator_inbox, 0));
    XMTP_TRY(xmtp_membership_encode(w, &membership));
    XMTP_TRY(keep_extension(arena, w, XMTP_EXTENSION_MEMBERSHIP, &list[2]));
    XMTP_TRY(xmtp_policies_encode(w, what->kind, options->preset, options->policies, error));
    XMTP_TRY(keep_extension(arena, w, XMTP_EXTENSION_PERMISSIONS, &list[3]));
    xmtp_writer_put(w, xmtp_bytes_of(required_capabilities, sizeof required_capabilities));
    return keep_extension(arena, w, XMTP_MLS_EXTENSION_REQUIRED_CAPABILITIES, &list[4]);
}

xmtp_status xmtp_group_extensions_initial(xmtp_arena *arena, const xmtp_group_initial *what,
                                          xmtp_mls_extension **out, size_t *count,
                                          xmtp_error *error)
{
    enum { INITIAL_COUNT = 5 };
    void *list;
    XMTP_TRY(xmtp_arena_take_array(arena, INITIAL_COUNT, sizeof(xmtp_mls_extension), &list));
    xmtp_writer w;
    xmtp_writer_init(&w, arena->alloc, XMTP_WRITER_MAX);
    xmtp_status status = write_initial(arena, &w, what, list, error);
    xmtp_writer_free(&w);
    XMTP_TRY(status);
    *out = list;
    *count = INITIAL_COUNT;
    return XMTP_OK;
}

xmtp_status xmtp_group_extensions_replace(xmtp_arena *arena, const xmtp_mls_group *group,
                                          uint16_t type, xmtp_bytes data, xmtp_mls_extension **out,
                                          size_t *count)
{
    size_t old_count = xmtp_mls_group_extension_count(group);
    void *array;
    XMTP_TRY(xmtp_arena_take_array(arena, old_count + 1, sizeof(xmtp_mls_extension), &array));
    xmtp_mls_extension *list = array;
    size_t n = 0;
    for (size_t i = 0; i < old_count; i++) {
        xmtp_mls_extension extension = xmtp_mls_group_extension_at(group, i);
        if (extension.type != type) {
            list[n++] = extension;
        }
    }
    list[n++] = (xmtp_mls_extension){.type = type, .data = data};
    *out = list;
    *count = n;
    return XMTP_OK;
}
