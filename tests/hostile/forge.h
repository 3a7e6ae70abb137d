/* forge.h - messages that no function of the library makes: from the inside of a member's group;
 * for tests only. Results lie in the arena. */
#ifndef XMTP_TESTS_FORGE_H
#define XMTP_TESTS_FORGE_H

#include "base/arena.h"

#include <xmtp/mls.h>

/* A Remove proposal, sent on its own. */
xmtp_bytes forge_removal(const xmtp_mls_group *group, uint32_t leaf, xmtp_arena *arena);

/* An application message as PublicMessage, signed and tagged as it should be. */
xmtp_bytes forge_public_message(const xmtp_mls_group *group, xmtp_bytes plaintext,
                                xmtp_arena *arena);

#endif
