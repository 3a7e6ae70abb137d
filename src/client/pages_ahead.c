/* pages_ahead.c - the first pages of many conversations, asked for together.
 *
 *     sync of everything --32 queries at once--> node --> 32 pages, each taken when its turn comes
 *
 * One query after the other costs a way to the node and back for each conversation, in which neither
 * side has anything to do. A page that is not here, or behind another cursor, is asked for by who
 * needs it, with all retries: what fails here is only not ahead.
 */
#include "client/round.h"

enum { PAGES_MAX = 32, PAGE_LEN_MAX = 1024 * 1024 };

typedef struct page_ahead {
    int64_t ref;
    uint64_t cursor; /* behind which it is */
    xmtp_writer request;
    xmtp_writer response; /* empty: not here */
} page_ahead;

struct pages_ahead {
    size_t count;
    page_ahead items[PAGES_MAX];
};

static void forget(struct pages_ahead *pages)
{
    for (size_t i = 0; i < pages->count; i++) {
        xmtp_writer_free(&pages->items[i].request);
        xmtp_writer_free(&pages->items[i].response);
    }
    pages->count = 0;
}

void xmtp_pages_ahead_end(xmtp_client *client)
{
    if (client->pages_ahead != NULL) {
        forget(client->pages_ahead);
        xmtp_give_back(client, client->pages_ahead);
        client->pages_ahead = NULL;
    }
}

/* Empty; NULL without memory, and then each page is asked for alone. */
static struct pages_ahead *start(xmtp_client *client)
{
    if (client->pages_ahead == NULL) {
        client->pages_ahead = client->env.alloc.reallocate(client->env.alloc.context, NULL,
                                                           sizeof(*client->pages_ahead));
    } else {
        forget(client->pages_ahead);
    }
    if (client->pages_ahead != NULL) {
        client->pages_ahead->count = 0;
    }
    return client->pages_ahead;
}

static void add(const xmtp_client *client, struct pages_ahead *pages, const xmtp_group_position *at)
{
    group_query query;
    page_ahead *page = &pages->items[pages->count];
    *page = (page_ahead){.ref = at->ref, .cursor = at->cursor};
    xmtp_writer_init(&page->request, &client->env.alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&page->response, &client->env.alloc, PAGE_LEN_MAX);
    xmtp_status status = xmtp_proto_encode(
        &xmtp_group_query(at->group_id, at->cursor, &query)->base, &page->request);
    if (status == XMTP_OK) {
        pages->count++;
    } else {
        xmtp_writer_free(&page->request);
    }
}

static void ask(xmtp_client *client, struct pages_ahead *pages)
{
    static const char path[] = XMTP_MLS_API("QueryGroupMessages");
    xmtp_unary calls[PAGES_MAX];
    for (size_t i = 0; i < pages->count; i++) {
        calls[i] = (xmtp_unary){.path = path,
                                .request = xmtp_writer_bytes(&pages->items[i].request),
                                .response = &pages->items[i].response};
    }
    xmtp_call_together(client, calls, pages->count);
}

static bool has_news(const group_due *due)
{
    return due->newest > due->at.cursor && xmtp_group_is_read(&due->at);
}

size_t xmtp_pages_ahead_ask(xmtp_client *client, const group_due *due, size_t count, size_t first)
{
    struct pages_ahead *pages = client->is_node_away ? NULL : start(client);
    size_t i = first;
    if (pages == NULL) {
        return count;
    }
    for (; i < count && pages->count < PAGES_MAX; i++) {
        if (has_news(&due[i])) {
            add(client, pages, &due[i].at);
        }
    }
    if (pages->count > 1) {
        ask(client, pages);
    }
    return i;
}

/* What may have been published since the page was asked for must be looked for in a newer one. */
void xmtp_pages_ahead_take(group_work *work)
{
    struct pages_ahead *pages = xmtp_work_has_published(work) ? NULL : work->client->pages_ahead;
    for (size_t i = 0; pages != NULL && i < pages->count; i++) {
        page_ahead *page = &pages->items[i];
        if (page->ref == work->row.ref && page->cursor == work->row.cursor) {
            xmtp_writer empty = work->ahead;
            work->ahead = page->response;
            work->ahead_type = &pb__query_group_messages_response__descriptor;
            page->response = empty;
            return;
        }
    }
}
