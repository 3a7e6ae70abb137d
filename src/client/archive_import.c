/* archive_import.c - an archive into this database, a hundred elements in one transaction.
 *
 *     source --> opener (archive_stream.h) --> BackupElement --> consent: the newer counts
 *                                                                conversation: RESTORED, unless it is here
 *                                                                message: unless it is here
 *
 * Everything before a fault is kept: what is taken is true whatever comes behind it, and taking it once
 * more does nothing. Elements of no use are stepped over and counted.
 */
#include "client/archive.h"
#include "client/archive_stream.h"
#include "client/round.h"
#include "store/archive_store.h"

enum { SETTINGS_KEPT = 256 };

/* Whether messages of a conversation disappear; of the conversations seen last. */
typedef struct settings {
    int64_t ref; /* 0: free */
    uint64_t from_ns;
    uint64_t in_ns;
} settings;

typedef struct importing {
    xmtp_client *client;
    const xmtp_archive_progress *progress;
    xmtp_archive_counts counts;    /* committed */
    xmtp_archive_counts uncertain; /* with what the open transaction adds */
    xmtp_archive_opener opener;
    settings kept[SETTINGS_KEPT];
    xmtp_error *error;
} importing;

static xmtp_status stored(const importing *im, xmtp_status status)
{
    return xmtp_stored(im->client, status, im->error);
}

/* ---- consent */

static xmtp_status take_consent(importing *im, const Pb__SyncConsent *save)
{
    bool has_state = save->state > XMTP_CONSENT_UNKNOWN && save->state <= XMTP_CONSENT_DENIED + 1;
    const xmtp_consent record = {
        .entity_type = (xmtp_consent_entity)save->entity_type,
        .entity = save->entity,
        .state = has_state ? (xmtp_consent_state)(save->state - 1) : XMTP_CONSENT_UNKNOWN,
        /* 0 is when nothing was decided */
        .consented_ns = save->consented_at_ns <= 0 ? 1 : (uint64_t)save->consented_at_ns,
    };
    bool is_taken = false;
    if (!has_state || !xmtp_consent_is_valid(&record)) {
        im->uncertain.skipped++;
        return XMTP_OK;
    }
    XMTP_TRY(xmtp_consent_merge(im->client, &record, &is_taken, im->error));
    *(is_taken ? &im->uncertain.consents : &im->uncertain.known) += 1;
    return XMTP_OK;
}

/* ---- conversations */

static xmtp_status restore(importing *im, xmtp_arena *arena, const Pb__GroupSave *save)
{
    xmtp_group_row row;
    bool is_wanted;
    XMTP_TRY(xmtp_restored_row(im->client, arena, save, &row, &is_wanted));
    if (!is_wanted) {
        im->uncertain.skipped++;
        return XMTP_OK;
    }
    /* Written anew it may be too long, which ends the import: before there is a row without it. */
    xmtp_writer w;
    xmtp_writer_init(&w, &im->client->env.alloc, XMTP_GROUP_SAVE_MAX);
    xmtp_status status = xmtp_proto_encode(&save->base, &w);
    if (status == XMTP_OK) {
        status = stored(im, xmtp_group_row_insert(im->client->db, &row));
    }
    if (status == XMTP_OK) {
        status = stored(im, xmtp_restored_put(im->client->db, row.ref, xmtp_writer_bytes(&w)));
    }
    xmtp_writer_free(&w);
    im->uncertain.conversations += status == XMTP_OK;
    return status;
}

static xmtp_status take_group(importing *im, xmtp_arena *arena, const Pb__GroupSave *save)
{
    xmtp_group_row row;
    xmtp_status status =
        xmtp_group_row_find(im->client->db, xmtp_proto_bytes(save->id), arena, &row);
    if (status == XMTP_E_NOT_FOUND) {
        return restore(im, arena, save);
    }
    XMTP_TRY(stored(im, status));
    im->uncertain.known++;
    uint64_t last_ns = save->last_message_ns < 0 ? 0 : (uint64_t)save->last_message_ns;
    return stored(im, xmtp_group_row_set_last_message(im->client->db, row.ref, last_ns));
}

/* ---- messages */

static xmtp_status settings_of_group(importing *im, xmtp_arena *arena, int64_t ref, settings *out)
{
    xmtp_mls_group *group;
    xmtp_bytes data;
    Pb__GroupMutableMetadata *metadata;
    xmtp_status status = xmtp_cache_open(im->client, ref, &group, im->error);
    if (status == XMTP_OK &&
        xmtp_mls_group_extension(group, XMTP_EXTENSION_MUTABLE_METADATA, &data)) {
        status = xmtp_mutable_metadata_decode(arena, data, &metadata);
        if (status == XMTP_OK) {
            (void)xmtp_disappearing_of(metadata, &out->from_ns, &out->in_ns);
        }
    }
    return xmtp_is_our_trouble(status) ? status : XMTP_OK; /* a broken group has no settings */
}

static xmtp_status settings_of(importing *im, xmtp_arena *arena, const xmtp_group_row *row,
                               settings **out)
{
    settings *s = &im->kept[(uint64_t)row->ref % SETTINGS_KEPT];
    Pb__GroupSave *save;
    *out = s;
    if (s->ref == row->ref) {
        return XMTP_OK;
    }
    *s = (settings){0};
    if (row->state == XMTP_MEMBERSHIP_RESTORED) {
        XMTP_TRY(xmtp_restored_facts(im->client, row->ref, arena, &save, im->error));
        s->from_ns =
            save->message_disappear_from_ns < 0 ? 0 : (uint64_t)save->message_disappear_from_ns;
        s->in_ns = save->message_disappear_in_ns < 0 ? 0 : (uint64_t)save->message_disappear_in_ns;
    } else {
        XMTP_TRY(settings_of_group(im, arena, row->ref, s));
    }
    s->ref = row->ref;
    return XMTP_OK;
}

/* An archive does not say when a message disappears: what its conversation says now is taken to have held
 * when it was sent. */
static uint64_t expiry_of(const settings *s, uint64_t sent_ns)
{
    if (s->from_ns == 0 || s->in_ns == 0 || sent_ns < s->from_ns) {
        return 0;
    }
    return s->in_ns > (uint64_t)INT64_MAX - sent_ns ? INT64_MAX : sent_ns + s->in_ns;
}

static bool is_message(const Pb__GroupMessageSave *save)
{
    return save->id.len == XMTP_MESSAGE_ID_LEN && save->sent_at_ns >= 0 && save->sequence_id >= 0 &&
           (save->kind == XMTP_MESSAGE_APPLICATION ||
            save->kind == XMTP_MESSAGE_MEMBERSHIP_CHANGE) &&
           save->delivery_status >= XMTP_DELIVERY_UNPUBLISHED &&
           save->delivery_status <= XMTP_DELIVERY_FAILED &&
           save->sender_installation_id.len <= XMTP_INSTALLATION_LEN &&
           save->decrypted_message_bytes.len <= XMTP_CONTENT_MAX && save->sender_inbox_id != NULL &&
           xmtp_inbox_id_is_valid(xmtp_bytes_of_string(save->sender_inbox_id));
}

/* Whether a super admin took something back is told by who is super admin when the archive was made; in
 * a conversation that is not restored only what a sender took back counts. */
static xmtp_status note_deletion(importing *im, const xmtp_group_row *group,
                                 const Pb__GroupMessageSave *save)
{
    xmtp_arena arena;
    Pb__GroupSave *facts = NULL;
    bool is_super_admin = false;
    xmtp_status status = XMTP_OK;
    xmtp_scratch(im->client, &arena);
    if (group->state == XMTP_MEMBERSHIP_RESTORED) {
        status = xmtp_restored_facts(im->client, group->ref, &arena, &facts, im->error);
    }
    const Pb__GroupSave__MutableMetadata *m =
        status == XMTP_OK && facts != NULL ? facts->mutable_metadata : NULL;
    for (size_t i = 0; m != NULL && i < m->n_super_admin_list; i++) {
        is_super_admin =
            is_super_admin || strcmp(m->super_admin_list[i], save->sender_inbox_id) == 0;
    }
    if (status == XMTP_OK) {
        status = xmtp_deletion_restore(im->client, group->ref, save->sender_inbox_id,
                                       xmtp_proto_bytes(save->decrypted_message_bytes),
                                       is_super_admin, im->error);
    }
    xmtp_arena_reset(&arena);
    return status;
}

static xmtp_status keep_message(importing *im, const xmtp_group_row *group, uint64_t expire_ns,
                                const Pb__GroupMessageSave *save)
{
    bool is_new = false;
    /* What was unsent elsewhere cannot be sent from here: its key of repetition is not in an archive. */
    bool is_unsent = save->delivery_status == XMTP_DELIVERY_UNPUBLISHED;
    xmtp_message_row row = {
        .message_id = xmtp_proto_bytes(save->id),
        .group_ref = group->ref,
        .kind = (uint32_t)save->kind,
        .delivery = is_unsent ? XMTP_DELIVERY_FAILED : (uint32_t)save->delivery_status,
        .sender_inbox = save->sender_inbox_id,
        .sender_installation = xmtp_proto_bytes(save->sender_installation_id),
        .sent_ns = (uint64_t)save->sent_at_ns,
        .sequence = (uint64_t)save->sequence_id,
        .content = xmtp_proto_bytes(save->decrypted_message_bytes),
        .expire_ns = expire_ns,
    };
    XMTP_TRY(xmtp_message_keep(im->client, &row, &is_new, im->error));
    *(is_new ? &im->uncertain.messages : &im->uncertain.known) += 1;
    if (is_new && expire_ns != 0 && expire_ns < im->client->next_expiry_ns) {
        im->client->next_expiry_ns = expire_ns;
    }
    return is_new && row.content_type == XMTP_CONTENT_DELETE_MESSAGE
               ? note_deletion(im, group, save)
               : XMTP_OK;
}

static xmtp_status take_message(importing *im, xmtp_arena *arena, const Pb__GroupMessageSave *save)
{
    xmtp_group_row row;
    settings *s;
    xmtp_status status =
        is_message(save)
            ? xmtp_group_row_find(im->client->db, xmtp_proto_bytes(save->group_id), arena, &row)
            : XMTP_E_NOT_FOUND;
    if (status == XMTP_E_NOT_FOUND) {
        im->uncertain.skipped++;
        return XMTP_OK;
    }
    XMTP_TRY(stored(im, status));
    XMTP_TRY(settings_of(im, arena, &row, &s));
    uint64_t expire_ns = expiry_of(s, (uint64_t)save->sent_at_ns);
    if (expire_ns != 0 && expire_ns <= xmtp_now_ns(im->client)) {
        im->uncertain.skipped++;
        return XMTP_OK;
    }
    return keep_message(im, &row, expire_ns, save);
}

/* ---- elements */

static xmtp_status decode(const xmtp_archive_opener *o, xmtp_arena *arena, xmtp_bytes element,
                          Pb__BackupElement **out, xmtp_error *error)
{
    void *decoded = NULL;
    xmtp_status status =
        xmtp_proto_decode(&pb__backup_element__descriptor, arena, element, &decoded);
    *out = decoded;
    return status == XMTP_E_MALFORMED
               ? xmtp_fail(error, status, "element %" PRIu64 " of %zu bytes cannot be read",
                           o->count - 1, element.n)
               : status;
}

static xmtp_status take(importing *im, xmtp_arena *arena, xmtp_bytes bytes)
{
    Pb__BackupElement *element;
    XMTP_TRY(decode(&im->opener, arena, bytes, &element, im->error));
    switch (element->element_case) {
    case PB__BACKUP_ELEMENT__ELEMENT_CONSENT:
        return take_consent(im, element->consent);
    case PB__BACKUP_ELEMENT__ELEMENT_GROUP:
        if (bytes.n > XMTP_GROUP_SAVE_MAX) {
            return xmtp_fail(im->error, XMTP_E_LIMIT,
                             "element %" PRIu64 ": a conversation of %zu bytes, at most %d",
                             im->opener.count - 1, bytes.n, XMTP_GROUP_SAVE_MAX);
        }
        return take_group(im, arena, element->group);
    case PB__BACKUP_ELEMENT__ELEMENT_GROUP_MESSAGE:
        return take_message(im, arena, element->group_message);
    default: /* of a later version, or metadata once more */
        im->uncertain.skipped++;
        return XMTP_OK;
    }
}

/* Up to a hundred elements. *read: what ended it, if that was the archive; the return value is the
 * database's. */
static xmtp_status take_batch(importing *im, bool *is_at_end, xmtp_status *read)
{
    xmtp_arena arena;
    xmtp_bytes element;
    bool has_element = true;
    xmtp_status status = XMTP_OK;
    xmtp_scratch(im->client, &arena);
    for (int i = 0; i < XMTP_ARCHIVE_PAGE && status == XMTP_OK && has_element; i++) {
        *read = xmtp_archive_opener_next(&im->opener, &element, &has_element, im->error);
        if (*read != XMTP_OK || !has_element) {
            break;
        }
        status = take(im, &arena, element);
        xmtp_arena_rewind(&arena, XMTP_ARCHIVE_CHUNK);
    }
    *is_at_end = !has_element;
    xmtp_arena_reset(&arena);
    return status;
}

/* A verdict on the archive, after which what was taken before is kept. */
static bool is_of_the_archive(xmtp_status status)
{
    return status == XMTP_E_MALFORMED || status == XMTP_E_LIMIT;
}

static xmtp_status commit_batch(importing *im, bool *is_at_end)
{
    xmtp_status read = XMTP_OK;
    im->uncertain = im->counts;
    XMTP_TRY(xmtp_begin(im->client, im->error));
    xmtp_status status = take_batch(im, is_at_end, &read);
    if (is_of_the_archive(status)) {
        read = status;
        status = XMTP_OK;
    }
    if (status != XMTP_OK) {
        xmtp_database_rollback(im->client->db);
        return status;
    }
    XMTP_TRY(xmtp_commit(im->client, read == XMTP_OK ? im->error : NULL));
    im->counts = im->uncertain;
    im->counts.bytes = im->opener.bytes;
    return read;
}

static xmtp_status tell(const importing *im)
{
    return im->progress == NULL || im->progress->tell == NULL
               ? XMTP_OK
               : im->progress->tell(im->progress->context, &im->counts);
}

/* ---- metadata */

static uint64_t number(int64_t value)
{
    return value < 0 ? 0 : (uint64_t)value;
}

static xmtp_status read_metadata(xmtp_archive_opener *o, const xmtp_alloc *alloc,
                                 xmtp_archive_metadata *out, xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_bytes bytes;
    bool has_element;
    Pb__BackupElement *element;
    XMTP_TRY(xmtp_archive_opener_next(o, &bytes, &has_element, error));
    if (!has_element) {
        return xmtp_fail(error, XMTP_E_MALFORMED, "an archive without an element");
    }
    xmtp_arena_init(&arena, alloc, XMTP_CLIENT_ARENA_MAX);
    xmtp_status status = decode(o, &arena, bytes, &element, error);
    if (status == XMTP_OK && element->element_case != PB__BACKUP_ELEMENT__ELEMENT_METADATA) {
        status = xmtp_fail(error, XMTP_E_MALFORMED, "its first element is no metadata");
    }
    if (status == XMTP_OK) {
        const Pb__SyncArchiveMetadata *save = element->metadata;
        *out = (xmtp_archive_metadata){.version = o->version,
                                       .exported_ns = number(save->exported_at_ns),
                                       .start_ns = number(save->start_ns),
                                       .end_ns = number(save->end_ns)};
        for (size_t i = 0; i < save->n_elements; i++) {
            bool is_known = save->elements[i] == XMTP_ARCHIVE_MESSAGES ||
                            save->elements[i] == XMTP_ARCHIVE_CONSENT;
            out->elements |= is_known ? (uint32_t)save->elements[i] : 0;
        }
    }
    xmtp_arena_reset(&arena);
    return status;
}

xmtp_status xmtp_archive_metadata_read_from(const xmtp_archive_source *source,
                                            const uint8_t key[XMTP_ARCHIVE_KEY_LEN],
                                            xmtp_archive_metadata *out, xmtp_error *error)
{
    xmtp_error_clear(error);
    const xmtp_alloc *alloc = &xmtp_env_system()->alloc;
    xmtp_archive_opener opener;
    *out = (xmtp_archive_metadata){0};
    xmtp_status status = xmtp_archive_opener_open(&opener, alloc, source, key, error);
    if (status == XMTP_OK) {
        status = read_metadata(&opener, alloc, out, error);
    }
    xmtp_archive_opener_free(&opener);
    return status == XMTP_OK ? XMTP_OK : xmtp_fail_default(error, status, "archive");
}

xmtp_status xmtp_archive_metadata_read(const char *path, const uint8_t key[XMTP_ARCHIVE_KEY_LEN],
                                       xmtp_archive_metadata *out, xmtp_error *error)
{
    xmtp_error_clear(error);
    xmtp_archive_file file;
    *out = (xmtp_archive_metadata){0};
    XMTP_TRY(xmtp_archive_file_open(&file, path, error));
    const xmtp_archive_source source = xmtp_archive_file_source(&file);
    xmtp_status status = xmtp_archive_metadata_read_from(&source, key, out, error);
    xmtp_archive_file_close(&file);
    return status;
}

/* ---- importing */

static xmtp_status import_all(importing *im, const xmtp_archive_source *source,
                              const uint8_t key[XMTP_ARCHIVE_KEY_LEN])
{
    xmtp_archive_metadata metadata;
    bool is_at_end = false;
    const xmtp_alloc *alloc = &im->client->env.alloc;
    XMTP_TRY(xmtp_archive_opener_open(&im->opener, alloc, source, key, im->error));
    XMTP_TRY(read_metadata(&im->opener, alloc, &metadata, im->error));
    while (!is_at_end) {
        XMTP_TRY(commit_batch(im, &is_at_end));
        XMTP_TRY(tell(im));
    }
    return XMTP_OK;
}

/* The sentence of a failure, and how much was taken before it. */
static xmtp_status say_how_far(const importing *im, xmtp_status status)
{
    (void)xmtp_fail_default(im->error, status, "archive");
    const xmtp_archive_counts *c = &im->counts;
    if (im->error == NULL || c->consents + c->conversations + c->messages + c->known == 0) {
        return status;
    }
    xmtp_error why = *im->error;
    return xmtp_fail(im->error, status,
                     "%.130s; before it %" PRIu64 " decisions, %" PRIu64
                     " conversations and %" PRIu64 " messages were taken and are kept",
                     why.text, c->consents, c->conversations, c->messages);
}

xmtp_status xmtp_client_archive_import_from(xmtp_client *client, const xmtp_archive_source *source,
                                            const uint8_t key[XMTP_ARCHIVE_KEY_LEN],
                                            const xmtp_archive_progress *progress,
                                            xmtp_archive_counts *counts, xmtp_error *error)
{
    importing im = {.client = client, .progress = progress, .error = error};
    if (counts != NULL) {
        *counts = im.counts;
    }
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    xmtp_status status = import_all(&im, source, key);
    im.counts.bytes = im.opener.bytes;
    xmtp_archive_opener_free(&im.opener);
    if (counts != NULL) {
        *counts = im.counts;
    }
    return status == XMTP_OK ? XMTP_OK : say_how_far(&im, status);
}

xmtp_status xmtp_client_archive_import(xmtp_client *client, const char *path,
                                       const uint8_t key[XMTP_ARCHIVE_KEY_LEN],
                                       const xmtp_archive_progress *progress,
                                       xmtp_archive_counts *counts, xmtp_error *error)
{
    xmtp_archive_file file;
    if (counts != NULL) {
        *counts = (xmtp_archive_counts){0};
    }
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_REGISTRATION, error));
    XMTP_TRY(xmtp_archive_file_open(&file, path, error));
    const xmtp_archive_source source = xmtp_archive_file_source(&file);
    xmtp_status status =
        xmtp_client_archive_import_from(client, &source, key, progress, counts, error);
    xmtp_archive_file_close(&file);
    return status;
}
