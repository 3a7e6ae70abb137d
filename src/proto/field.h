/* field.h - protobuf fields read from and written to bytes one by one, as the official client's codec judges them.
 *
 * Used where protobuf-c is too lenient (identity updates), too late (the check before it decodes) or needless work (the
 * node's answers, put together from what is stored).
 *
 *     key = number << 3 | type       type 0 varint, 1 eight bytes, 2 length and bytes,
 *                                    3 and 4 begin and end of a group, 5 four bytes
 *
 * A decoder is a loop over xmtp_field_next with a switch over the number; an unknown number is
 * skipped. Groups are skipped whole, to XMTP_FIELD_GROUPS_MAX deep, without recursion.
 */
#ifndef XMTP_PROTO_FIELD_H
#define XMTP_PROTO_FIELD_H

#include "base/reader.h"
#include "base/writer.h"

enum { XMTP_FIELD_GROUPS_MAX = 100 };

typedef struct xmtp_field {
    uint32_t number;
    uint8_t type;
    uint64_t value;   /* type 0 */
    xmtp_bytes bytes; /* type 2 */
} xmtp_field;

/* XMTP_E_MALFORMED: no key, number 0, a length beyond the end, a varint of more than 64 bits. */
XMTP_MUST_CHECK xmtp_status xmtp_field_next(xmtp_reader *r, xmtp_field *f);

/* The value of a field whose type must be the right one, else XMTP_E_MALFORMED. */
XMTP_MUST_CHECK xmtp_status xmtp_field_u64(const xmtp_field *f, uint64_t *out);
XMTP_MUST_CHECK xmtp_status xmtp_field_bytes(const xmtp_field *f, xmtp_bytes *out);
XMTP_MUST_CHECK xmtp_status xmtp_field_string(const xmtp_field *f, xmtp_bytes *out); /* UTF-8 */
XMTP_MUST_CHECK xmtp_status xmtp_field_message(const xmtp_field *f, xmtp_reader *out);

/* Well-formed UTF-8 (RFC 3629): shortest forms, no surrogates, up to U+10FFFF. */
bool xmtp_utf8_is_valid(xmtp_bytes text);

/* Writing. Values of zero and empty bytes are left out. Between open and close everything written
 * is the content of one message; pairs nest. */
void xmtp_field_put_u64(xmtp_writer *w, uint32_t number, uint64_t value);
void xmtp_field_put_bytes(xmtp_writer *w, uint32_t number, xmtp_bytes bytes);
/* An encoded message, also when it is empty. */
void xmtp_field_put_message(xmtp_writer *w, uint32_t number, xmtp_bytes message);
/* Key and length of a message whose content follows; how long a field is. */
void xmtp_field_begin(xmtp_writer *w, uint32_t number, size_t content_len);
size_t xmtp_field_len_u64(uint32_t number, uint64_t value);
size_t xmtp_field_len_message(uint32_t number, size_t content_len);
size_t xmtp_field_open(xmtp_writer *w, uint32_t number);
void xmtp_field_close(xmtp_writer *w, size_t mark);

#endif
