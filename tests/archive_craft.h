/* archive_craft.h - archives made by hand, element by element; all under one key. */
#ifndef XMTP_TESTS_ARCHIVE_CRAFT_H
#define XMTP_TESTS_ARCHIVE_CRAFT_H

#include "client/archive.h"
#include "client/archive_stream.h"
#include "test_network.h"

static const uint8_t key[XMTP_ARCHIVE_KEY_LEN] = {7, 7, 7};

typedef struct crafted {
    FILE *file;
    xmtp_archive_sink sink;
    xmtp_archive_sealer sealer;
    xmtp_writer element;
} crafted;

static inline xmtp_status write_file(void *context, xmtp_bytes bytes)
{
    return fwrite(bytes.p, 1, bytes.n, context) == bytes.n ? XMTP_OK : XMTP_E_IO;
}

static inline void put_raw(crafted *c, xmtp_bytes element)
{
    assert_int_equal(xmtp_archive_sealer_put(&c->sealer, element), XMTP_OK);
}

static inline void put(crafted *c, Pb__BackupElement__ElementCase which, void *what)
{
    Pb__BackupElement element = PB__BACKUP_ELEMENT__INIT;
    element.element_case = which;
    element.metadata = what;
    xmtp_writer_clear(&c->element);
    assert_int_equal(xmtp_proto_encode(&element.base, &c->element), XMTP_OK);
    put_raw(c, xmtp_writer_bytes(&c->element));
}

static inline void craft(crafted *c, const char *path, bool with_metadata)
{
    Pb__SyncArchiveMetadata metadata = PB__SYNC_ARCHIVE_METADATA__INIT;
    c->file = fopen(path, "wb");
    assert_non_null(c->file);
    c->sink = (xmtp_archive_sink){.context = c->file, .write = write_file};
    xmtp_writer_init(&c->element, &xmtp_env_system()->alloc, XMTP_WRITER_MAX);
    assert_int_equal(xmtp_archive_sealer_open(&c->sealer, xmtp_env_system(), &c->sink, key),
                     XMTP_OK);
    if (with_metadata) {
        put(c, PB__BACKUP_ELEMENT__ELEMENT_METADATA, &metadata);
    }
}

static inline void craft_end(crafted *c)
{
    assert_int_equal(xmtp_archive_sealer_finish(&c->sealer), XMTP_OK);
    xmtp_archive_sealer_free(&c->sealer);
    xmtp_writer_free(&c->element);
    assert_int_equal(fclose(c->file), 0);
}

static inline Pb__SyncConsent consent_save(const char *inbox, int32_t state, int64_t at_ns)
{
    Pb__SyncConsent save = PB__SYNC_CONSENT__INIT;
    save.has_entity_type = save.has_state = save.has_consented_at_ns = 1;
    save.entity_type = XMTP_CONSENT_INBOX;
    save.state = state;
    save.entity = (char *)(uintptr_t)inbox;
    save.consented_at_ns = at_ns;
    return save;
}

static inline Pb__GroupSave group_save(const char id[16], int32_t kind)
{
    Pb__GroupSave save = PB__GROUP_SAVE__INIT;
    save.has_id = save.has_conversation_type = 1;
    save.id = xmtp_proto_data(xmtp_bytes_of(id, 16));
    save.conversation_type = kind;
    return save;
}

static inline Pb__GroupMessageSave message_save(const char id[32], const char group[16],
                                                const char *inbox)
{
    Pb__GroupMessageSave save = PB__GROUP_MESSAGE_SAVE__INIT;
    save.has_id = save.has_group_id = save.has_sent_at_ns = 1;
    save.has_kind = save.has_delivery_status = 1;
    save.id = xmtp_proto_data(xmtp_bytes_of(id, 32));
    save.group_id = xmtp_proto_data(xmtp_bytes_of(group, 16));
    save.sent_at_ns = 5;
    save.kind = XMTP_MESSAGE_APPLICATION;
    save.delivery_status = XMTP_DELIVERY_PUBLISHED;
    save.sender_inbox_id = (char *)(uintptr_t)inbox;
    return save;
}

#endif
