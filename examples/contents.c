/* contents.c - what a message may be besides a text: replies, reactions, files inside and outside of the
 * message, and a type of the application's own.
 *
 *     xmtp_content (a struct a type) --encode--> EncodedContent in the message --decode--> xmtp_content
 *
 * Whoever does not know a type shows its fallback, a sentence that travels along.
 */
#include "people.h"

static xmtp_bytes bytes_of(const char *text)
{
    return (xmtp_bytes){(const uint8_t *)text, strlen(text)};
}

/* ---- Ann sends one of each */

/* A place for files that anybody may read; what is put there is encrypted. In an application: an HTTPS
 * upload, and xmtp_remote_attachment_download (attachment.h) on the other side. */
typedef struct storage {
    uint8_t file[4096];
    size_t len;
} storage;

static xmtp_status upload(void *context, xmtp_bytes payload, const char *digest, char *url,
                          xmtp_error *why)
{
    storage *s = context;
    (void)why;
    if (payload.n > sizeof s->file) {
        return XMTP_E_LIMIT;
    }
    memcpy(s->file, payload.p, payload.n);
    s->len = payload.n;
    (void)snprintf(url, XMTP_UPLOAD_URL_MAX + 1, "https://files.example/%s", digest);
    return XMTP_OK;
}

static void send_one_of_each(xmtp_client *ann, const xmtp_conversation_id *dm, storage *files)
{
    uint8_t id[XMTP_MESSAGE_ID_LEN];
    check(xmtp_client_send_text(ann, dm, "shall we play?", id, &error), "text");
    const message_hex first = hex_of(id);

    check(xmtp_client_send_reply(ann, dm, id, "I begin", NULL, &error), "reply");

    const xmtp_content reaction = {.type = XMTP_CONTENT_REACTION,
                                   .reaction = {.reference = first.text,
                                                .action = XMTP_REACTION_ADDED,
                                                .schema = XMTP_REACTION_SHORTCODE,
                                                .content = ":chess_pawn:"}};
    check(xmtp_client_send(ann, dm, &reaction, NULL, &error), "reaction");

    const xmtp_attachment rules = {.filename = "rules.txt",
                                   .mime_type = "text/plain",
                                   .content = bytes_of("white moves first")};
    const xmtp_content small = {.type = XMTP_CONTENT_ATTACHMENT, .attachment = rules};
    check(xmtp_client_send(ann, dm, &small, NULL, &error), "attachment");
    check(xmtp_client_send_attachment(ann, dm, &rules, upload, files, NULL, &error), "remote");

    const xmtp_content move = {.type = XMTP_CONTENT_UNKNOWN, /* not one of the library's */
                               .fallback = "Ann moves e2 to e4",
                               .custom = {.authority = "chess.example",
                                          .type = "move",
                                          .version_major = 1,
                                          .content = bytes_of("e2e4")}};
    check(xmtp_client_send(ann, dm, &move, NULL, &error), "custom");
}

/* ---- Bob reads them */

typedef struct reader {
    storage *files;
    int understood;
} reader;

static void open_remote(reader *r, const xmtp_remote_attachment *remote)
{
    xmtp_content *inside;
    const xmtp_bytes payload = {r->files->file, r->files->len};
    check(xmtp_attachment_decrypt(remote, payload, NULL, &inside, &error), "decrypt");
    printf("remote: %s, %zu bytes at %.30s...\n", inside->attachment.filename,
           inside->attachment.content.n, remote->url);
    r->understood += inside->attachment.content.n == strlen("white moves first");
    xmtp_content_free(inside);

    r->files->file[0] ^= 1; /* whoever has the file can break it, and not change it */
    expect_refusal(xmtp_attachment_decrypt(remote, payload, NULL, &inside, &error), XMTP_E_AUTH,
                   "a file that was tampered with");
    r->files->file[0] ^= 1;
}

static void read_content(reader *r, const xmtp_content *c, const xmtp_message *message)
{
    switch ((int)c->type) {
    case XMTP_CONTENT_TEXT:
        printf("text: %s\n", c->text);
        r->understood++;
        break;
    case XMTP_CONTENT_REPLY:
        printf("reply to %.8s...: %s\n", c->reply.reference, c->reply.content->text);
        r->understood++;
        break;
    case XMTP_CONTENT_REACTION:
        printf("reaction to %.8s...: %s\n", c->reaction.reference, c->reaction.content);
        r->understood++;
        break;
    case XMTP_CONTENT_ATTACHMENT:
        printf("attachment: %s (never a path to be trusted)\n", c->attachment.filename);
        r->understood++;
        break;
    case XMTP_CONTENT_REMOTE_ATTACHMENT:
        open_remote(r, &c->remote_attachment);
        break;
    case XMTP_CONTENT_UNKNOWN: /* known to this application: see custom. To others: the fallback */
        printf("%s/%s: %.*s; others show: %s\n", c->custom.authority, c->custom.type,
               (int)c->custom.content.n, (const char *)c->custom.content.p, message->fallback);
        r->understood += strcmp(message->fallback, "Ann moves e2 to e4") == 0;
        break;
    default: /* a type that this application does not show */
        break;
    }
}

static xmtp_status read_message(void *context, const xmtp_message *message)
{
    xmtp_content *content;
    if (message->kind == XMTP_MESSAGE_APPLICATION) {
        /* From a stranger: what does not decode is an error here, and no reason to end */
        check(xmtp_content_decode(message->content, NULL, &content, &error), "decode");
        read_content(context, content, message);
        xmtp_content_free(content);
    }
    return XMTP_OK;
}

int main(void)
{
    people p = ann_and_bob();
    static storage files;
    reader bob = {.files = &files};
    xmtp_conversation_id dm;
    check(xmtp_client_dm(p.ann, xmtp_client_address(p.bob), &dm, &error), "dm");
    send_one_of_each(p.ann, &dm, &files);
    check(xmtp_client_sync(p.bob, &error), "sync");
    const xmtp_message_query all = {.conversation = &dm};
    check(xmtp_client_messages(p.bob, &all, read_message, &bob, &error), "read");
    expect(bob.understood == 6, "Bob understood all six");
    xmtp_network_close(p.net);
    return 0;
}
