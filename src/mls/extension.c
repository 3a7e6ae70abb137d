/* extension.c - Credential, Extension lists, Capabilities (RFC 9420 sections 5.3, 7.2, 11.1, 13).
 *
 * What is decoded here was checked once: a list's content is walked later without a chance to fail.
 */
#include "mls/extension.h"
#include "base/bytes.h"
#include "base/status.h"
#include "mls/limits.h"

#include <assert.h>

/* ---- lists of uint16 ---- */

uint16_t xmtp_u16_list_at(xmtp_u16_list list, size_t i)
{
    assert(i < xmtp_u16_list_count(list));
    return (uint16_t)(list.raw.p[2 * i] << 8 | list.raw.p[2 * i + 1]);
}

bool xmtp_u16_list_has(xmtp_u16_list list, uint16_t value)
{
    for (size_t i = 0; i < xmtp_u16_list_count(list); i++) {
        if (xmtp_u16_list_at(list, i) == value) {
            return true;
        }
    }
    return false;
}

xmtp_status xmtp_u16_list_decode(xmtp_reader *r, xmtp_u16_list *out)
{
    XMTP_TRY(xmtp_reader_vec(r, &out->raw));
    XMTP_ENSURE(out->raw.n % 2 == 0, XMTP_E_MALFORMED);
    XMTP_ENSURE(xmtp_u16_list_count(*out) <= XMTP_MLS_CAPABILITIES_MAX, XMTP_E_LIMIT);
    return XMTP_OK;
}

void xmtp_u16_list_encode(xmtp_writer *w, xmtp_u16_list list)
{
    xmtp_writer_vec(w, list.raw);
}

/* ---- Credential ---- */

xmtp_status xmtp_credential_decode(xmtp_reader *r, xmtp_credential *out)
{
    XMTP_TRY(xmtp_reader_u16(r, &out->type));
    return xmtp_reader_vec(r, &out->content);
}

void xmtp_credential_encode(xmtp_writer *w, const xmtp_credential *credential)
{
    xmtp_writer_u16(w, credential->type);
    xmtp_writer_vec(w, credential->content);
}

bool xmtp_credential_equal(const xmtp_credential *a, const xmtp_credential *b)
{
    return a->type == b->type && xmtp_bytes_equal(a->content, b->content);
}

/* ---- Extension ---- */

static xmtp_status extension_decode(xmtp_reader *r, xmtp_extension *out)
{
    XMTP_TRY(xmtp_reader_u16(r, &out->type));
    return xmtp_reader_vec(r, &out->data);
}

bool xmtp_extensions_next(xmtp_reader *r, xmtp_extension *out)
{
    return r->n > 0 && extension_decode(r, out) == XMTP_OK;
}

bool xmtp_extensions_find(const xmtp_extensions *list, uint16_t type, xmtp_bytes *data)
{
    xmtp_reader r = xmtp_reader_of(list->raw);
    xmtp_extension extension;
    while (xmtp_extensions_next(&r, &extension)) {
        if (extension.type == type) {
            *data = extension.data;
            return true;
        }
    }
    return false;
}

xmtp_status xmtp_extensions_of(xmtp_bytes raw, xmtp_extensions *out)
{
    uint16_t seen[XMTP_MLS_EXTENSIONS_MAX];
    size_t count = 0;
    xmtp_reader r = xmtp_reader_of(raw);
    while (r.n > 0) {
        xmtp_extension extension;
        XMTP_TRY(extension_decode(&r, &extension));
        XMTP_ENSURE(count < XMTP_MLS_EXTENSIONS_MAX, XMTP_E_LIMIT);
        for (size_t i = 0; i < count; i++) { /* section 13.4: at most one of each type */
            XMTP_ENSURE(seen[i] != extension.type, XMTP_E_EXTENSION_TWICE);
        }
        seen[count++] = extension.type;
    }
    *out = (xmtp_extensions){.raw = raw, .count = count};
    return XMTP_OK;
}

xmtp_status xmtp_extensions_decode(xmtp_reader *r, xmtp_extensions *out)
{
    xmtp_bytes raw;
    XMTP_TRY(xmtp_reader_vec(r, &raw));
    return xmtp_extensions_of(raw, out);
}

void xmtp_extensions_encode(xmtp_writer *w, const xmtp_extensions *list)
{
    xmtp_writer_vec(w, list->raw);
}

void xmtp_extension_encode(xmtp_writer *w, uint16_t type, xmtp_bytes data)
{
    xmtp_writer_u16(w, type);
    xmtp_writer_vec(w, data);
}

bool xmtp_extension_is_default(uint16_t type)
{
    return type >= XMTP_EXTENSION_APPLICATION_ID && type <= XMTP_EXTENSION_EXTERNAL_SENDERS;
}

bool xmtp_proposal_is_default(uint16_t type)
{
    return type >= 1 && type <= 7; /* section 17.4: add to group_context_extensions */
}

/* ---- Capabilities ---- */

xmtp_status xmtp_capabilities_decode(xmtp_reader *r, xmtp_capabilities *out)
{
    XMTP_TRY(xmtp_u16_list_decode(r, &out->versions));
    XMTP_TRY(xmtp_u16_list_decode(r, &out->cipher_suites));
    XMTP_TRY(xmtp_u16_list_decode(r, &out->extensions));
    XMTP_TRY(xmtp_u16_list_decode(r, &out->proposals));
    return xmtp_u16_list_decode(r, &out->credentials);
}

void xmtp_capabilities_encode(xmtp_writer *w, const xmtp_capabilities *capabilities)
{
    xmtp_u16_list_encode(w, capabilities->versions);
    xmtp_u16_list_encode(w, capabilities->cipher_suites);
    xmtp_u16_list_encode(w, capabilities->extensions);
    xmtp_u16_list_encode(w, capabilities->proposals);
    xmtp_u16_list_encode(w, capabilities->credentials);
}

bool xmtp_capabilities_has_extension(const xmtp_capabilities *capabilities, uint16_t type)
{
    return xmtp_extension_is_default(type) || xmtp_u16_list_has(capabilities->extensions, type);
}

bool xmtp_capabilities_has_proposal(const xmtp_capabilities *capabilities, uint16_t type)
{
    return xmtp_proposal_is_default(type) || xmtp_u16_list_has(capabilities->proposals, type);
}

bool xmtp_capabilities_has_credential(const xmtp_capabilities *capabilities, uint16_t type)
{
    return xmtp_u16_list_has(capabilities->credentials, type);
}

/* ---- RequiredCapabilities ---- */

xmtp_status xmtp_required_capabilities_decode(xmtp_bytes data, xmtp_required_capabilities *out)
{
    xmtp_reader r = xmtp_reader_of(data);
    XMTP_TRY(xmtp_u16_list_decode(&r, &out->extensions));
    XMTP_TRY(xmtp_u16_list_decode(&r, &out->proposals));
    XMTP_TRY(xmtp_u16_list_decode(&r, &out->credentials));
    return xmtp_reader_end(&r);
}

void xmtp_required_capabilities_encode(xmtp_writer *w, const xmtp_required_capabilities *required)
{
    xmtp_u16_list_encode(w, required->extensions);
    xmtp_u16_list_encode(w, required->proposals);
    xmtp_u16_list_encode(w, required->credentials);
}

xmtp_status xmtp_required_capabilities_of(const xmtp_extensions *group_extensions,
                                          xmtp_required_capabilities *out)
{
    xmtp_bytes data;
    if (!xmtp_extensions_find(group_extensions, XMTP_EXTENSION_REQUIRED_CAPABILITIES, &data)) {
        *out = (xmtp_required_capabilities){0};
        return XMTP_OK;
    }
    return xmtp_required_capabilities_decode(data, out);
}

xmtp_status xmtp_capabilities_meet(const xmtp_capabilities *capabilities,
                                   const xmtp_required_capabilities *required)
{
    for (size_t i = 0; i < xmtp_u16_list_count(required->extensions); i++) {
        uint16_t type = xmtp_u16_list_at(required->extensions, i);
        XMTP_ENSURE(xmtp_capabilities_has_extension(capabilities, type), XMTP_E_CAPABILITIES);
    }
    for (size_t i = 0; i < xmtp_u16_list_count(required->proposals); i++) {
        uint16_t type = xmtp_u16_list_at(required->proposals, i);
        XMTP_ENSURE(xmtp_capabilities_has_proposal(capabilities, type), XMTP_E_CAPABILITIES);
    }
    for (size_t i = 0; i < xmtp_u16_list_count(required->credentials); i++) {
        uint16_t type = xmtp_u16_list_at(required->credentials, i);
        XMTP_ENSURE(xmtp_capabilities_has_credential(capabilities, type), XMTP_E_CAPABILITIES);
    }
    return XMTP_OK;
}

/* ---- ExternalSender ---- */

xmtp_status xmtp_external_sender_at(xmtp_bytes data, uint32_t index, xmtp_external_sender *out)
{
    xmtp_reader outer = xmtp_reader_of(data);
    xmtp_reader r;
    XMTP_TRY(xmtp_reader_vec_open(&outer, &r));
    XMTP_TRY(xmtp_reader_end(&outer));
    for (uint32_t i = 0; r.n > 0; i++) {
        xmtp_external_sender sender;
        XMTP_TRY(xmtp_reader_vec(&r, &sender.signature_key));
        XMTP_TRY(xmtp_credential_decode(&r, &sender.credential));
        if (i == index) {
            *out = sender;
            return XMTP_OK;
        }
    }
    return XMTP_E_NOT_FOUND;
}
