/* archive_export.c - this database as an archive: metadata, consent, conversations, messages.
 *
 *     page of 100 rows --> BackupElement --> sealer (archive_stream.h) --> sink
 *
 * Conversations stand before messages, since a reader needs them first. Of an MLS group only what its
 * members see goes along: attributes, creator, admins.
 */
#include "client/archive.h"
#include "client/archive_stream.h"
#include "client/content.h"
#include "client/round.h"
#include "proto/archive.pb-c.h"
#include "store/archive_store.h"
#include "store/consent_store.h"

enum { ORIGINATOR_APPLICATION = 10 };

typedef struct exporting {
    xmtp_client *client;
    xmtp_archive_options options;
    const xmtp_archive_progress *progress;
    xmtp_archive_counts counts;
    xmtp_archive_sealer sealer;
    xmtp_writer element; /* encoded */
    xmtp_arena page;
    xmtp_error *error;
} exporting;

static xmtp_status put(exporting *e, Pb__BackupElement__ElementCase which, ProtobufCMessage *what)
{
    Pb__BackupElement element = PB__BACKUP_ELEMENT__INIT;
    element.element_case = which;
    element.metadata = (Pb__SyncArchiveMetadata *)what; /* any member of the union */
    xmtp_writer_clear(&e->element);
    XMTP_TRY(xmtp_proto_encode(&element.base, &e->element));
    return xmtp_archive_sealer_put(&e->sealer, xmtp_writer_bytes(&e->element));
}

static xmtp_status tell(exporting *e)
{
    e->counts.bytes = e->sealer.bytes;
    return e->progress == NULL || e->progress->tell == NULL
               ? XMTP_OK
               : e->progress->tell(e->progress->context, &e->counts);
}

/* ---- metadata */

static xmtp_status put_metadata(exporting *e)
{
    int32_t elements[2];
    Pb__SyncArchiveMetadata save = PB__SYNC_ARCHIVE_METADATA__INIT;
    save.elements = elements;
    for (int32_t i = XMTP_ARCHIVE_MESSAGES; i <= XMTP_ARCHIVE_CONSENT; i++) {
        if ((e->options.elements & (uint32_t)i) != 0) {
            elements[save.n_elements++] = i; /* the bits are the network's numbers */
        }
    }
    save.has_exported_at_ns = 1;
    save.exported_at_ns = (int64_t)xmtp_now_ns(e->client);
    save.has_start_ns = e->options.start_ns != 0;
    save.start_ns = (int64_t)e->options.start_ns;
    save.has_end_ns = e->options.end_ns != 0;
    save.end_ns = (int64_t)e->options.end_ns;
    return put(e, PB__BACKUP_ELEMENT__ELEMENT_METADATA, &save.base);
}

/* ---- consent */

static xmtp_status put_consent(exporting *e, const xmtp_consent_row *row)
{
    Pb__SyncConsent save = PB__SYNC_CONSENT__INIT;
    save.has_entity_type = 1;
    save.entity_type = (int32_t)row->entity_type;
    save.has_state = 1;
    save.state = (int32_t)row->state + 1;
    save.entity = (char *)(uintptr_t)row->entity;
    save.has_consented_at_ns = row->consented_ns != 0;
    save.consented_at_ns = (int64_t)row->consented_ns;
    e->counts.consents++;
    return put(e, PB__BACKUP_ELEMENT__ELEMENT_CONSENT, &save.base);
}

static xmtp_status put_consent_page(exporting *e, xmtp_consent_row *last, char *last_entity,
                                    size_t last_entity_size, size_t *count)
{
    xmtp_consent_row *rows;
    XMTP_TRY(xmtp_stored(e->client,
                         xmtp_consent_page(e->client->db, last->entity == NULL ? NULL : last,
                                           XMTP_ARCHIVE_PAGE, &e->page, &rows, count),
                         e->error));
    for (size_t i = 0; i < *count; i++) {
        XMTP_TRY(put_consent(e, &rows[i]));
    }
    if (*count > 0) {
        const xmtp_consent_row *row = &rows[*count - 1];
        XMTP_ENSURE(strlen(row->entity) < last_entity_size, XMTP_E_CORRUPT);
        memcpy(last_entity, row->entity, strlen(row->entity) + 1);
        *last = (xmtp_consent_row){.entity_type = row->entity_type, .entity = last_entity};
    }
    return tell(e);
}

static xmtp_status put_consents(exporting *e)
{
    char entity[2 * XMTP_INBOX_ID_LEN];
    xmtp_consent_row last = {0};
    size_t count = XMTP_ARCHIVE_PAGE;
    xmtp_status status = XMTP_OK;
    while (status == XMTP_OK && count == XMTP_ARCHIVE_PAGE) {
        status = put_consent_page(e, &last, entity, sizeof(entity), &count);
        xmtp_arena_reset(&e->page);
    }
    return status;
}

/* ---- conversations */

typedef struct group_facts {
    Pb__GroupSave__Metadata metadata;
    Pb__GroupSave__MutableMetadata mutable_metadata;
} group_facts;

/* What the members have agreed on, from the MLS group. */
static xmtp_status facts_of_group(exporting *e, const xmtp_group_row *row, xmtp_arena *arena,
                                  group_facts *facts, Pb__GroupSave *save)
{
    xmtp_mls_group *group;
    xmtp_bytes data;
    Pb__GroupMetadata *metadata;
    Pb__GroupMutableMetadata *attributes;
    uint64_t from_ns;
    uint64_t in_ns;
    XMTP_TRY(xmtp_cache_open(e->client, row->ref, &group, e->error));
    XMTP_ENSURE(xmtp_mls_group_extension(group, XMTP_EXTENSION_IMMUTABLE_METADATA, &data),
                XMTP_E_EXTENSION);
    XMTP_TRY(xmtp_group_metadata_decode(arena, data, &metadata));
    XMTP_ENSURE(xmtp_mls_group_extension(group, XMTP_EXTENSION_MUTABLE_METADATA, &data),
                XMTP_E_EXTENSION);
    XMTP_TRY(xmtp_mutable_metadata_decode(arena, data, &attributes));
    facts->metadata.creator_inbox_id = metadata->creator_inbox_id;
    facts->mutable_metadata.n_attributes = attributes->n_attributes;
    facts->mutable_metadata.attributes = attributes->attributes;
    facts->mutable_metadata.n_admin_list = attributes->admin_list->n_inbox_ids;
    facts->mutable_metadata.admin_list = attributes->admin_list->inbox_ids;
    facts->mutable_metadata.n_super_admin_list = attributes->super_admin_list->n_inbox_ids;
    facts->mutable_metadata.super_admin_list = attributes->super_admin_list->inbox_ids;
    if (xmtp_disappearing_of(attributes, &from_ns, &in_ns)) {
        save->has_message_disappear_from_ns = save->has_message_disappear_in_ns = 1;
        save->message_disappear_from_ns = (int64_t)from_ns;
        save->message_disappear_in_ns = (int64_t)in_ns;
    }
    return XMTP_OK;
}

static void fill_from_row(const xmtp_group_row *row, Pb__GroupSave *save)
{
    save->has_id = 1;
    save->id = xmtp_proto_data(row->group_id);
    save->has_created_at_ns = 1;
    save->created_at_ns = (int64_t)row->created_ns;
    save->has_membership_state = 1;
    save->membership_state = (int32_t)row->state;
    save->has_installations_last_checked = row->checked_ns != 0;
    save->installations_last_checked = (int64_t)row->checked_ns;
    save->added_by_inbox_id = (char *)(uintptr_t)row->added_by;
    save->has_welcome_id = row->welcome_id != 0;
    save->welcome_id = (int64_t)row->welcome_id;
    save->has_rotated_at_ns = row->rotated_ns != 0;
    save->rotated_at_ns = (int64_t)row->rotated_ns;
    save->has_conversation_type = 1;
    save->conversation_type = (int32_t)row->kind;
    save->dm_id = row->dm_id[0] == '\0' ? NULL : (char *)(uintptr_t)row->dm_id;
    save->has_last_message_ns = row->last_message_ns != 0;
    save->last_message_ns = (int64_t)row->last_message_ns;
    save->paused_for_version =
        row->paused_for[0] == '\0' ? NULL : (char *)(uintptr_t)row->paused_for;
}

static xmtp_status put_joined(exporting *e, const xmtp_group_row *row, xmtp_arena *arena)
{
    Pb__GroupSave save = PB__GROUP_SAVE__INIT;
    group_facts facts = {.metadata = PB__GROUP_SAVE__METADATA__INIT,
                         .mutable_metadata = PB__GROUP_SAVE__MUTABLE_METADATA__INIT};
    fill_from_row(row, &save);
    xmtp_status status = facts_of_group(e, row, arena, &facts, &save);
    if (status == XMTP_OK) {
        save.metadata = &facts.metadata;
        save.mutable_metadata = &facts.mutable_metadata;
    } else if (xmtp_is_our_trouble(status)) {
        return status;
    } /* else a group that is broken: its messages are worth keeping all the same */
    return put(e, PB__BACKUP_ELEMENT__ELEMENT_GROUP, &save.base);
}

/* Handed on as the archive had it that restored it, but for what has happened since. */
static xmtp_status put_restored(exporting *e, const xmtp_group_row *row, xmtp_arena *arena)
{
    Pb__GroupSave *save;
    XMTP_TRY(xmtp_restored_facts(e->client, row->ref, arena, &save, e->error));
    save->has_membership_state = 1;
    save->membership_state = XMTP_MEMBERSHIP_RESTORED;
    save->has_last_message_ns = row->last_message_ns != 0;
    save->last_message_ns = (int64_t)row->last_message_ns;
    return put(e, PB__BACKUP_ELEMENT__ELEMENT_GROUP, &save->base);
}

static xmtp_status put_group(exporting *e, const xmtp_group_row *row)
{
    xmtp_arena arena;
    if (e->options.end_ns != 0 && row->created_ns >= e->options.end_ns) {
        return XMTP_OK;
    }
    xmtp_scratch(e->client, &arena);
    xmtp_status status = row->state == XMTP_MEMBERSHIP_RESTORED ? put_restored(e, row, &arena)
                                                                : put_joined(e, row, &arena);
    xmtp_arena_reset(&arena);
    e->counts.conversations += status == XMTP_OK;
    return status;
}

static xmtp_status put_groups(exporting *e)
{
    int64_t last = 0;
    size_t count = XMTP_ARCHIVE_PAGE;
    while (count == XMTP_ARCHIVE_PAGE) {
        xmtp_group_rows rows;
        xmtp_status status =
            xmtp_group_row_page(e->client->db, last, XMTP_ARCHIVE_PAGE, &e->page, &rows);
        XMTP_TRY(xmtp_stored(e->client, status, e->error));
        for (size_t i = 0; i < rows.count; i++) {
            last = rows.items[i].ref;
            XMTP_TRY(put_group(e, &rows.items[i]));
        }
        count = rows.count;
        xmtp_arena_reset(&e->page);
        XMTP_TRY(tell(e));
    }
    return XMTP_OK;
}

/* ---- messages */

static xmtp_status put_message(exporting *e, const xmtp_message_row *row, xmtp_arena *arena)
{
    xmtp_message view;
    Pb__GroupMessageSave save = PB__GROUP_MESSAGE_SAVE__INIT;
    XMTP_TRY(xmtp_content_view(arena, row->content, &view));
    save.has_id = save.has_group_id = save.has_decrypted_message_bytes = 1;
    save.id = xmtp_proto_data(row->message_id);
    save.group_id = xmtp_proto_data(row->group_id);
    save.decrypted_message_bytes = xmtp_proto_data(row->content);
    save.has_sent_at_ns = save.has_kind = save.has_delivery_status = 1;
    save.sent_at_ns = (int64_t)row->sent_ns;
    save.kind = (int32_t)row->kind;
    save.delivery_status = (int32_t)row->delivery;
    save.has_sender_installation_id = 1;
    save.sender_installation_id = xmtp_proto_data(row->sender_installation);
    save.sender_inbox_id = (char *)(uintptr_t)row->sender_inbox;
    save.has_version_major = view.version_major != 0;
    save.version_major = (int32_t)view.version_major;
    save.has_version_minor = view.version_minor != 0;
    save.version_minor = (int32_t)view.version_minor;
    save.authority_id = (char *)(uintptr_t)view.authority;
    save.content_type = (char *)(uintptr_t)view.type;
    save.has_reference_id = row->reference.n > 0;
    save.reference_id = xmtp_proto_data(row->reference);
    save.has_sequence_id = save.has_originator_id = row->sequence != 0;
    save.sequence_id = (int64_t)row->sequence;
    save.originator_id = ORIGINATOR_APPLICATION;
    e->counts.messages++;
    return put(e, PB__BACKUP_ELEMENT__ELEMENT_GROUP_MESSAGE, &save.base);
}

static xmtp_status put_message_page(exporting *e, xmtp_message_page *page, size_t *count)
{
    xmtp_arena arena; /* of one message */
    xmtp_message_row rows[XMTP_MESSAGE_PAGE_MAX];
    XMTP_TRY(xmtp_stored(
        e->client, xmtp_message_page_next(e->client->db, page, &e->page, rows, count), e->error));
    for (size_t i = 0; i < *count; i++) {
        if (e->options.exclude_disappearing && rows[i].expire_ns != 0) {
            continue;
        }
        xmtp_scratch(e->client, &arena);
        xmtp_status status = put_message(e, &rows[i], &arena);
        xmtp_arena_reset(&arena);
        XMTP_TRY(status);
    }
    return tell(e);
}

/* In the order of their arrival, which is also the fastest to read. */
static xmtp_status put_messages(exporting *e)
{
    xmtp_message_page page = {.filter = xmtp_message_filter_all(xmtp_now_ns(e->client)),
                              .by_arrival = true,
                              .limit = XMTP_ARCHIVE_MESSAGE_PAGE};
    page.filter.kind = XMTP_MESSAGE_APPLICATION;
    page.filter.sent_after_ns = e->options.start_ns;
    page.filter.sent_before_ns = e->options.end_ns == 0 ? INT64_MAX : e->options.end_ns;
    xmtp_message_page_start(&page);
    size_t count = page.limit;
    xmtp_status status = XMTP_OK;
    while (status == XMTP_OK && count == page.limit) {
        status = put_message_page(e, &page, &count);
        xmtp_arena_reset(&e->page);
    }
    return status;
}

/* ---- all of it */

static xmtp_status put_all(exporting *e)
{
    XMTP_TRY(put_metadata(e));
    if ((e->options.elements & XMTP_ARCHIVE_CONSENT) != 0) {
        XMTP_TRY(put_consents(e));
    }
    if ((e->options.elements & XMTP_ARCHIVE_MESSAGES) != 0) {
        XMTP_TRY(put_groups(e));
        XMTP_TRY(put_messages(e));
    }
    XMTP_TRY(xmtp_archive_sealer_finish(&e->sealer));
    return tell(e);
}

static xmtp_status check_options(xmtp_archive_options *options, xmtp_error *error)
{
    const uint32_t all = XMTP_ARCHIVE_MESSAGES | XMTP_ARCHIVE_CONSENT;
    options->elements = options->elements == 0 ? all : options->elements;
    if ((options->elements & ~all) != 0) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "elements %#x of an archive, known are %#x",
                         (unsigned)options->elements, (unsigned)all);
    }
    bool is_ordered = options->end_ns == 0 || options->end_ns > options->start_ns;
    if (!is_ordered || options->start_ns > INT64_MAX || options->end_ns > INT64_MAX) {
        return xmtp_fail(error, XMTP_E_ARGUMENT,
                         "an archive from %" PRIu64 " to %" PRIu64 " ns holds nothing",
                         options->start_ns, options->end_ns);
    }
    return XMTP_OK;
}

xmtp_status xmtp_client_archive_export_to(xmtp_client *client, const xmtp_archive_sink *sink,
                                          const uint8_t key[XMTP_ARCHIVE_KEY_LEN],
                                          const xmtp_archive_options *options,
                                          const xmtp_archive_progress *progress,
                                          xmtp_archive_counts *counts, xmtp_error *error)
{
    exporting e = {.client = client, .progress = progress, .error = error};
    e.options = options == NULL ? (xmtp_archive_options){0} : *options;
    if (counts != NULL) {
        *counts = e.counts;
    }
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    XMTP_TRY(check_options(&e.options, error));
    xmtp_scratch(client, &e.page);
    xmtp_writer_init(&e.element, &client->env.alloc, XMTP_ARCHIVE_ELEMENT_MAX);
    xmtp_status status = xmtp_archive_sealer_open(&e.sealer, &client->env, sink, key);
    if (status == XMTP_OK) {
        status = put_all(&e);
    }
    e.counts.bytes = e.sealer.bytes;
    xmtp_archive_sealer_free(&e.sealer);
    xmtp_writer_free(&e.element);
    xmtp_arena_reset(&e.page);
    if (counts != NULL) {
        *counts = e.counts;
    }
    return status == XMTP_OK ? XMTP_OK : xmtp_fail_default(error, status, "archive");
}

xmtp_status xmtp_client_archive_export(xmtp_client *client, const char *path,
                                       const uint8_t key[XMTP_ARCHIVE_KEY_LEN],
                                       const xmtp_archive_options *options,
                                       const xmtp_archive_progress *progress,
                                       xmtp_archive_counts *counts, xmtp_error *error)
{
    xmtp_archive_file file;
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    xmtp_status status = xmtp_archive_file_create(&file, path, error);
    if (status == XMTP_OK) {
        const xmtp_archive_sink sink = xmtp_archive_file_sink(&file);
        status =
            xmtp_client_archive_export_to(client, &sink, key, options, progress, counts, error);
    }
    return xmtp_archive_file_finish(&file, status);
}
