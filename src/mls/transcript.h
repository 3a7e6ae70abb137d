/* transcript.h - the two transcript hashes of a group, RFC 9420 section 8.2. */
#ifndef XMTP_MLS_TRANSCRIPT_H
#define XMTP_MLS_TRANSCRIPT_H

#include "crypto/crypto.h"
#include "mls/message.h"

/* confirmed_transcript_hash[n] = Hash(interim_transcript_hash[n-1] || wire format, FramedContent
 * and signature of the commit). commit: content.raw and auth.signature must be set. interim_before
 * is empty for the first commit of a group. out receives hash->len bytes. XMTP_E_LIMIT when the
 * signature is longer than a vector can be. */
xmtp_status xmtp_confirmed_transcript_hash(const xmtp_suite *suite, xmtp_bytes interim_before,
                                           const xmtp_authenticated_content *commit,
                                           uint8_t *out) XMTP_MUST_CHECK;

/* interim_transcript_hash[n] = Hash(confirmed_transcript_hash[n] || confirmation_tag). */
xmtp_status xmtp_interim_transcript_hash(const xmtp_suite *suite, xmtp_bytes confirmed,
                                         xmtp_bytes confirmation_tag, uint8_t *out) XMTP_MUST_CHECK;

#endif
