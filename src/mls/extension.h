/* extension.h - Credential, Extension lists and Capabilities: the small structs that key packages,
 * leaves and group contexts share. RFC 9420 sections 5.3, 7.2, 11.1 and 13.
 *
 * A list is a view of its encoded content that was checked once when it was decoded; it is walked,
 * not copied. Unknown types are kept as they came.
 */
#ifndef XMTP_MLS_EXTENSION_H
#define XMTP_MLS_EXTENSION_H

#include "base/reader.h"
#include "base/writer.h"

enum {
    XMTP_PROTOCOL_MLS10 = 1,

    XMTP_CREDENTIAL_BASIC = 1,
    XMTP_CREDENTIAL_X509 = 2,

    XMTP_EXTENSION_APPLICATION_ID = 1,
    XMTP_EXTENSION_RATCHET_TREE = 2,
    XMTP_EXTENSION_REQUIRED_CAPABILITIES = 3,
    XMTP_EXTENSION_EXTERNAL_PUB = 4,
    XMTP_EXTENSION_EXTERNAL_SENDERS = 5,
    XMTP_EXTENSION_APP_DATA_DICTIONARY = 6, /* draft-ietf-mls-extensions-10, see app_data.h */
    XMTP_EXTENSION_LAST_RESORT = 10,
};

/* A vector of uint16 as its encoded content; an even number of bytes. */
typedef struct xmtp_u16_list {
    xmtp_bytes raw;
} xmtp_u16_list;

static inline size_t xmtp_u16_list_count(xmtp_u16_list list)
{
    return list.raw.n / 2;
}
/* i below count */
uint16_t xmtp_u16_list_at(xmtp_u16_list list, size_t i);
bool xmtp_u16_list_has(xmtp_u16_list list, uint16_t value);

/* XMTP_E_MALFORMED odd number of bytes, XMTP_E_LIMIT above XMTP_MLS_CAPABILITIES_MAX values. */
xmtp_status xmtp_u16_list_decode(xmtp_reader *r, xmtp_u16_list *out) XMTP_MUST_CHECK;
void xmtp_u16_list_encode(xmtp_writer *w, xmtp_u16_list list);

/* Credential, section 5.3. content is what the vector behind the type holds: the identity of a
 * basic credential, the list of certificates of an X.509 one, and by the custom of implementations
 * the whole of an unknown one. */
typedef struct xmtp_credential {
    uint16_t type;
    xmtp_bytes content;
} xmtp_credential;

xmtp_status xmtp_credential_decode(xmtp_reader *r, xmtp_credential *out) XMTP_MUST_CHECK;
void xmtp_credential_encode(xmtp_writer *w, const xmtp_credential *credential);
bool xmtp_credential_equal(const xmtp_credential *a, const xmtp_credential *b);

typedef struct xmtp_extension {
    uint16_t type;
    xmtp_bytes data;
} xmtp_extension;

/* Extension extensions<V>: raw is the content of the vector, without its length. */
typedef struct xmtp_extensions {
    xmtp_bytes raw;
    size_t count;
} xmtp_extensions;

/* XMTP_E_EXTENSION_TWICE when a type appears twice, XMTP_E_LIMIT above XMTP_MLS_EXTENSIONS_MAX. */
xmtp_status xmtp_extensions_decode(xmtp_reader *r, xmtp_extensions *out) XMTP_MUST_CHECK;
void xmtp_extensions_encode(xmtp_writer *w, const xmtp_extensions *list);

/* The same over the bare content of such a vector (stored lists, lists built by a caller). */
xmtp_status xmtp_extensions_of(xmtp_bytes raw, xmtp_extensions *out) XMTP_MUST_CHECK;

/* Walks a list: for (xmtp_reader r = xmtp_reader_of(list->raw); xmtp_extensions_next(&r, &e);) */
bool xmtp_extensions_next(xmtp_reader *r, xmtp_extension *out);
bool xmtp_extensions_find(const xmtp_extensions *list, uint16_t type, xmtp_bytes *data);

/* Appends one Extension to w, for building the content of a list. */
void xmtp_extension_encode(xmtp_writer *w, uint16_t type, xmtp_bytes data);

/* Types that every implementation supports and Capabilities never list (section 7.2). */
bool xmtp_extension_is_default(uint16_t type);
bool xmtp_proposal_is_default(uint16_t type);

/* Capabilities, section 7.2. */
typedef struct xmtp_capabilities {
    xmtp_u16_list versions;
    xmtp_u16_list cipher_suites;
    xmtp_u16_list extensions;
    xmtp_u16_list proposals;
    xmtp_u16_list credentials;
} xmtp_capabilities;

xmtp_status xmtp_capabilities_decode(xmtp_reader *r, xmtp_capabilities *out) XMTP_MUST_CHECK;
void xmtp_capabilities_encode(xmtp_writer *w, const xmtp_capabilities *capabilities);
/* True for default types and for listed ones. */
bool xmtp_capabilities_has_extension(const xmtp_capabilities *capabilities, uint16_t type);
bool xmtp_capabilities_has_proposal(const xmtp_capabilities *capabilities, uint16_t type);
bool xmtp_capabilities_has_credential(const xmtp_capabilities *capabilities, uint16_t type);

/* RequiredCapabilities, section 11.1: the data of extension 3. */
typedef struct xmtp_required_capabilities {
    xmtp_u16_list extensions;
    xmtp_u16_list proposals;
    xmtp_u16_list credentials;
} xmtp_required_capabilities;

/* data: whole extension data. */
xmtp_status xmtp_required_capabilities_decode(xmtp_bytes data,
                                              xmtp_required_capabilities *out) XMTP_MUST_CHECK;
void xmtp_required_capabilities_encode(xmtp_writer *w, const xmtp_required_capabilities *required);

/* Finds and decodes it in a group's extensions; all lists empty where the extension is absent. */
xmtp_status xmtp_required_capabilities_of(const xmtp_extensions *group_extensions,
                                          xmtp_required_capabilities *out) XMTP_MUST_CHECK;

/* XMTP_E_CAPABILITIES when something required is not listed (default types count as listed). */
xmtp_status xmtp_capabilities_meet(const xmtp_capabilities *capabilities,
                                   const xmtp_required_capabilities *required) XMTP_MUST_CHECK;

/* ExternalSender, section 12.1.8.1: one entry of extension 5. */
typedef struct xmtp_external_sender {
    xmtp_bytes signature_key;
    xmtp_credential credential;
} xmtp_external_sender;

/* The entry at index of the extension's data. XMTP_E_NOT_FOUND beyond the last. */
xmtp_status xmtp_external_sender_at(xmtp_bytes data, uint32_t index,
                                    xmtp_external_sender *out) XMTP_MUST_CHECK;

#endif
