/* crc32c.h - the Castagnoli checksum (RFC 3720 appendix B.4): what the log stores with each record.
 */
#ifndef XMTP_NODE_CRC32C_H
#define XMTP_NODE_CRC32C_H

#include <xmtp/base.h>

/* seed 0 gives the standard checksum; another seed, one that only its holder can predict.
 * Threads: any. */
uint32_t xmtp_node_crc32c(uint32_t seed, xmtp_bytes in);

#endif
