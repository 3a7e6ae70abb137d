/* grease.h - values that mean nothing, so that nobody forgets to ignore what it does not know.
 * RFC 9420 section 13.5. */
#ifndef XMTP_MLS_GREASE_H
#define XMTP_MLS_GREASE_H

#include "base/arena.h"
#include "mls/leaf_node.h"

#include <xmtp/mls.h>

/* 0x0A0A, 0x1A1A, ... 0xEAEA */
bool xmtp_is_grease(uint16_t value);

/* Puts one into each list of a leaf's capabilities but versions, at a random place, and gives it an
 * extension of such a type with random data. New lists are in the arena. */
xmtp_status xmtp_grease_leaf(const xmtp_env *env, xmtp_arena *arena,
                             xmtp_leaf_node *leaf) XMTP_MUST_CHECK;

/* An extension more, of the first such type that supported lists and that list has not; none without
 * one. */
xmtp_status xmtp_grease_extensions(const xmtp_env *env, xmtp_arena *arena, xmtp_u16_list supported,
                                   xmtp_extensions *list) XMTP_MUST_CHECK;

/* Appends an Extension of such a type and random data. */
xmtp_status xmtp_grease_extension_encode(const xmtp_env *env, uint16_t type,
                                         xmtp_writer *w) XMTP_MUST_CHECK;
xmtp_status xmtp_grease_value(const xmtp_env *env, uint16_t *out) XMTP_MUST_CHECK;

#endif
