/* metadata_commit.c - a commit that sets one attribute of a group (groups.md 3.5).
 *
 * The intent holds two vectors: the attribute's name and its new value. Everything else of the
 * metadata, also what we do not know, is carried on.
 */
#include "client/round.h"

static xmtp_status encode_changed(xmtp_arena *arena, const xmtp_mls_group *group,
                                  const xmtp_intent_row *intent, xmtp_writer *w)
{
    xmtp_reader r = xmtp_reader_of(intent->data);
    xmtp_bytes name;
    xmtp_bytes value;
    xmtp_bytes data;
    char *name_text;
    char *value_text;
    Pb__GroupMutableMetadata *metadata;
    XMTP_TRY(xmtp_reader_vec(&r, &name));
    XMTP_TRY(xmtp_reader_vec(&r, &value));
    XMTP_TRY(xmtp_reader_end(&r));
    XMTP_TRY(xmtp_arena_string(arena, name, &name_text));
    XMTP_TRY(xmtp_arena_string(arena, value, &value_text));
    XMTP_ENSURE(xmtp_mls_group_extension(group, XMTP_EXTENSION_MUTABLE_METADATA, &data),
                XMTP_E_EXTENSION);
    XMTP_TRY(xmtp_mutable_metadata_decode(arena, data, &metadata));
    XMTP_TRY(xmtp_attribute_set(arena, metadata, name_text, value_text));
    return xmtp_mutable_metadata_encode(w, metadata);
}

static xmtp_status build(group_work *work, const xmtp_intent_row *intent, xmtp_arena *arena,
                         xmtp_writer *w, commit_plan *plan, xmtp_error *error)
{
    xmtp_mls_extension *extensions;
    size_t count;
    XMTP_TRY(encode_changed(arena, work->group, intent, w));
    XMTP_TRY(xmtp_group_extensions_replace(arena, work->group, XMTP_EXTENSION_MUTABLE_METADATA,
                                           xmtp_writer_bytes(w), &extensions, &count));
    xmtp_mls_commit_options options = {
        .context_extensions = extensions,
        .context_extension_count = count,
        .set_context_extensions = true,
    };
    return xmtp_mls_group_commit(work->group, &options, &plan->pending, error);
}

xmtp_status xmtp_metadata_build(group_work *work, const xmtp_intent_row *intent, commit_plan *plan,
                                xmtp_error *error)
{
    xmtp_arena arena;
    xmtp_writer w;
    xmtp_scratch(work->client, &arena);
    xmtp_writer_init(&w, &work->client->env.alloc, XMTP_WRITER_MAX);
    xmtp_status status = build(work, intent, &arena, &w, plan, error);
    xmtp_writer_free(&w);
    xmtp_arena_reset(&arena);
    return status == XMTP_OK ? XMTP_OK : xmtp_fail_default(error, status, "metadata commit");
}
