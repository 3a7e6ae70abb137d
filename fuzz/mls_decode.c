/* mls_decode.c - fuzzes every struct of RFC 9420: what decodes must encode to the same bytes. The
 * first byte selects the struct, the rest is its encoding and whatever follows it.
 *
 * Key packages, leaves and trees that decode are judged by their rules too, and trees are changed.
 */
#include "base/bytes.h"
#include "base/status.h"
#include "mls/group.h"
#include "mls/message.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

typedef struct input {
    xmtp_reader r;
    xmtp_arena arena;
    xmtp_writer w;
    xmtp_writer scratch;
} input;

static const xmtp_suite *const suite = &xmtp_suite_x25519_chacha;

#define CODEC(name, type)                                                                          \
    static xmtp_status name(input *in)                                                             \
    {                                                                                              \
        static type x;                                                                             \
        XMTP_TRY(xmtp_##name##_decode(&in->r, &x));                                                \
        xmtp_##name##_encode(&in->w, &x);                                                          \
        return XMTP_OK;                                                                            \
    }
#define ARENA_CODEC(name, type)                                                                    \
    static xmtp_status name(input *in)                                                             \
    {                                                                                              \
        static type x;                                                                             \
        XMTP_TRY(xmtp_##name##_decode(&in->r, &in->arena, &x));                                    \
        xmtp_##name##_encode(&in->w, &x);                                                          \
        return XMTP_OK;                                                                            \
    }

CODEC(capabilities, xmtp_capabilities)
CODEC(credential, xmtp_credential)
CODEC(encrypted_group_secrets, xmtp_encrypted_group_secrets)
CODEC(extensions, xmtp_extensions)
CODEC(group_context, xmtp_group_context)
CODEC(hpke_ciphertext, xmtp_hpke_ciphertext)
CODEC(parent_node, xmtp_parent_node)
CODEC(private_message, xmtp_private_message)
CODEC(proposal, xmtp_proposal)
CODEC(psk_id, xmtp_psk_id)
CODEC(sender, xmtp_sender)
CODEC(update_path, xmtp_update_path)
CODEC(welcome, xmtp_welcome)
ARENA_CODEC(authenticated_content, xmtp_authenticated_content)
ARENA_CODEC(commit, xmtp_commit)
ARENA_CODEC(framed_content, xmtp_framed_content)
ARENA_CODEC(group_secrets, xmtp_group_secrets)
ARENA_CODEC(public_message, xmtp_public_message)

/* ---- structs whose decoder takes the whole, or more than the bytes ---- */

static xmtp_bytes rest(input *in)
{
    const xmtp_bytes bytes = xmtp_bytes_of(in->r.p, in->r.n);
    in->r.p += in->r.n;
    in->r.n = 0;
    return bytes;
}

static xmtp_status u16_list(input *in)
{
    xmtp_u16_list list;
    XMTP_TRY(xmtp_u16_list_decode(&in->r, &list));
    xmtp_u16_list_encode(&in->w, list);
    return XMTP_OK;
}

static xmtp_status required_capabilities(input *in)
{
    xmtp_required_capabilities x;
    XMTP_TRY(xmtp_required_capabilities_decode(rest(in), &x));
    xmtp_required_capabilities_encode(&in->w, &x);
    return XMTP_OK;
}

static xmtp_status external_senders(input *in)
{
    xmtp_external_sender sender;
    const xmtp_bytes data = rest(in);
    size_t mark = xmtp_writer_vec_open(&in->w);
    uint32_t count = 0;
    while (xmtp_external_sender_at(data, count, &sender) == XMTP_OK) {
        xmtp_writer_vec(&in->w, sender.signature_key);
        xmtp_credential_encode(&in->w, &sender.credential);
        count++;
    }
    xmtp_writer_vec_close(&in->w, mark);
    /* XMTP_E_NOT_FOUND behind the last; anything else: the list is broken from there on */
    return xmtp_external_sender_at(data, count, &sender) == XMTP_E_NOT_FOUND && count > 0
               ? XMTP_OK
               : XMTP_E_MALFORMED;
}

static xmtp_status sender_data(input *in)
{
    xmtp_sender_data x;
    XMTP_TRY(xmtp_sender_data_decode(rest(in), &x));
    xmtp_sender_data_encode(&in->w, &x);
    return XMTP_OK;
}

/* One byte of content type, then the plaintext with its padding. */
static xmtp_status private_content(input *in)
{
    static xmtp_mls_content content;
    xmtp_content_auth auth;
    uint8_t type;
    XMTP_TRY(xmtp_reader_u8(&in->r, &type));
    const xmtp_bytes plaintext = rest(in);
    XMTP_TRY(xmtp_private_content_decode(plaintext, type, &in->arena, &content, &auth));
    xmtp_writer_u8(&in->w, type);
    xmtp_private_content_encode(&in->w, &content, &auth, 0);
    size_t written = xmtp_writer_bytes(&in->w).n - 1;
    uint8_t *padding = xmtp_writer_extend(&in->w, plaintext.n - written);
    if (padding != NULL) {
        memset(padding, 0, plaintext.n - written);
    }
    return XMTP_OK;
}

static xmtp_status mls_message(input *in)
{
    static xmtp_mls_message message;
    xmtp_mls_message_info info;
    const xmtp_bytes bytes = rest(in);
    xmtp_status status = xmtp_mls_message_decode(bytes, &in->arena, &message);
    if ((xmtp_mls_message_inspect(bytes, &info) == XMTP_OK) != (status == XMTP_OK)) {
        abort(); /* both walk everything */
    }
    XMTP_TRY(status);
    xmtp_mls_message_encode(&in->w, &message);
    return XMTP_OK;
}

/* ---- structs with rules ---- */

static xmtp_status key_package(input *in)
{
    static xmtp_key_package x;
    const xmtp_leaf_node_rules rules = {.suite = suite, .check_lifetime = true};
    xmtp_error error;
    XMTP_TRY(xmtp_key_package_decode(&in->r, &x));
    xmtp_key_package_encode(&in->w, &x);
    if (xmtp_key_package_validate(&x, &rules, &error) == XMTP_OK) {
        (void)!xmtp_key_package_verify(suite, &x, &in->scratch);
    }
    return XMTP_OK;
}

/* What strangers read of it says the same as the decoder. */
static xmtp_status group_info(input *in)
{
    static xmtp_group_info x;
    const xmtp_reader start = in->r;
    xmtp_mls_group_info_view view;
    xmtp_error error;
    XMTP_TRY(xmtp_group_info_decode(&in->r, &x));
    xmtp_group_info_encode(&in->w, &x);
    xmtp_mls_message_header_encode(&in->scratch, XMTP_WIRE_GROUP_INFO);
    xmtp_writer_put(&in->scratch, xmtp_reader_since(&in->r, &start));
    if (xmtp_mls_group_info_inspect(xmtp_writer_bytes(&in->scratch), &view, &error) != XMTP_OK ||
        view.epoch != x.group_context.epoch || view.signer_leaf != x.signer) {
        abort();
    }
    return XMTP_OK;
}

static xmtp_status leaf_node(input *in)
{
    static xmtp_leaf_node x;
    const xmtp_leaf_node_rules rules = {.suite = suite};
    xmtp_error error;
    XMTP_TRY(xmtp_leaf_node_decode(&in->r, &x));
    xmtp_leaf_node_encode(&in->w, &x);
    if (xmtp_leaf_node_validate(&x, &rules, &error) == XMTP_OK) {
        (void)!xmtp_leaf_node_verify(suite, &x, (xmtp_bytes){0}, 1, &in->scratch);
    }
    return XMTP_OK;
}

static void change_tree(xmtp_tree *tree, uint32_t leaf)
{
    xmtp_tree overlay;
    uint8_t hash[XMTP_HASH_MAX];
    xmtp_tree_overlay(&overlay, tree);
    if (xmtp_tree_remove_leaf(&overlay, leaf) == XMTP_OK &&
        xmtp_tree_hash(&overlay, hash) == XMTP_OK && xmtp_tree_merge(tree, &overlay) == XMTP_OK) {
        (void)!xmtp_tree_hash(tree, hash);
    }
    xmtp_tree_free(&overlay);
}

static xmtp_status count_member(void *context, const xmtp_mls_member *member)
{
    (void)member;
    (*(uint32_t *)context)++;
    return XMTP_OK;
}

static xmtp_status tree(input *in)
{
    xmtp_tree x;
    uint32_t members = 0;
    xmtp_error error;
    const xmtp_bytes bytes = rest(in);
    xmtp_tree_init(&x, suite, &xmtp_env_system()->alloc);
    xmtp_status status = xmtp_tree_decode(&x, bytes);
    if (status != XMTP_OK) {
        (void)!xmtp_mls_ratchet_tree_each(bytes, &members, count_member, &error);
    } else {
        xmtp_tree_encode(&x, &in->w);
        if (xmtp_mls_ratchet_tree_each(bytes, &members, count_member, &error) != XMTP_OK ||
            members != x.member_count) {
            abort();
        }
        (void)!xmtp_tree_check_parent_hashes(&x, &error);
        (void)!xmtp_tree_validate(&x, xmtp_bytes_of("g", 1), NULL, &error);
        change_tree(&x, bytes.p[bytes.n - 1] % x.leaf_count);
    }
    xmtp_tree_free(&x);
    return status;
}

/* ---- what a store gives back ---- */

static xmtp_status tree_private(input *in)
{
    static xmtp_tree_private x;
    XMTP_TRY(xmtp_tree_private_decode(rest(in), suite, &x));
    xmtp_tree_private_encode(&x, suite, &in->w);
    return XMTP_OK;
}

static xmtp_status secret_tree(input *in)
{
    xmtp_secret_tree x = {0};
    xmtp_status status = xmtp_secret_tree_decode(&x, suite, &xmtp_env_system()->alloc, rest(in));
    if (status == XMTP_OK) {
        xmtp_secret_tree_encode(&x, &in->w);
    }
    xmtp_secret_tree_free(&x);
    return status;
}

static xmtp_status ratchet(input *in)
{
    xmtp_secret_tree x = {0};
    xmtp_secret secret = {.n = 32};
    const xmtp_bytes record = rest(in);
    XMTP_TRY(xmtp_secret_tree_init(&x, suite, &xmtp_env_system()->alloc, 4, &secret));
    xmtp_status status = xmtp_secret_tree_load_ratchet(&x, 2, XMTP_RATCHET_APPLICATION, record);
    if (status == XMTP_OK) {
        xmtp_ratchet_encode(xmtp_secret_tree_ratchet(&x, 2, XMTP_RATCHET_APPLICATION), suite,
                            &in->w);
    }
    xmtp_secret_tree_free(&x);
    return status;
}

/* The order is that of the corpus: new ones go to the end. */
static xmtp_status (*const codecs[])(input *in) = {
    mls_message,
    key_package,
    leaf_node,
    tree,
    capabilities,
    credential,
    extensions,
    u16_list,
    group_context,
    group_info,
    hpke_ciphertext,
    encrypted_group_secrets,
    parent_node,
    proposal,
    psk_id,
    sender,
    update_path,
    welcome,
    private_message,
    authenticated_content,
    commit,
    group_secrets,
    framed_content,
    public_message,
    private_content,
    sender_data,
    required_capabilities,
    external_senders,
    tree_private,
    secret_tree,
    ratchet,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const xmtp_alloc *alloc = &xmtp_env_system()->alloc;
    if (n == 0) {
        return 0;
    }
    input in = {.r = xmtp_reader_of(xmtp_bytes_of(data + 1, n - 1))};
    const xmtp_reader start = in.r;
    xmtp_arena_init(&in.arena, alloc, 1 << 24);
    xmtp_writer_init(&in.w, alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&in.scratch, alloc, XMTP_WRITER_MAX);
    xmtp_status status = codecs[data[0] % (sizeof codecs / sizeof *codecs)](&in);
    if (status == XMTP_OK &&
        (xmtp_writer_status(&in.w) != XMTP_OK ||
         !xmtp_bytes_equal(xmtp_writer_bytes(&in.w), xmtp_reader_since(&in.r, &start)))) {
        abort();
    }
    xmtp_writer_free(&in.w);
    xmtp_writer_free(&in.scratch);
    xmtp_arena_reset(&in.arena);
    return 0;
}
