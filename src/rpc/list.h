/* list.h - a ring of links that live inside the things they chain.
 *
 *     head <-> link of A <-> link of B <-> head        an unlinked link points at itself
 */
#ifndef XMTP_RPC_LIST_H
#define XMTP_RPC_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct xmtp_list {
    struct xmtp_list *next;
    struct xmtp_list *prev;
} xmtp_list;

/* The struct of type whose member field is at link. */
#define XMTP_LIST_OF(link, type, field) ((type *)(void *)((char *)(link)-offsetof(type, field)))

/* For heads and for links alike. */
static inline void xmtp_list_init(xmtp_list *link)
{
    link->next = link;
    link->prev = link;
}

static inline bool xmtp_list_is_empty(const xmtp_list *head)
{
    return head->next == head;
}

static inline void xmtp_list_append(xmtp_list *head, xmtp_list *link)
{
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

/* Also for links that are in no list. */
static inline void xmtp_list_remove(xmtp_list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    xmtp_list_init(link);
}

#endif
