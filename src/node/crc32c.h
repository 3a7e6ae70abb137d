/* crc32c.h - the Castagnoli checksum (RFC 3720 appendix B.4): what the log stores with each record.
 */
#ifndef XMTP_NODE_CRC32C_H
#define XMTP_NODE_CRC32C_H

#include <xmtp/base.h>

/* seed 0 gives the standard checksum; another seed, one that only its holder can predict. By the
 * processor's own instruction where it has one. Threads: any. */
uint32_t xmtp_node_crc32c(uint32_t seed, xmtp_bytes in);

/* The same, always by tables. */
uint32_t xmtp_node_crc32c_by_tables(uint32_t seed, xmtp_bytes in);

/* Whether the processor has the instruction: SSE 4.2, or the CRC extension of ARMv8. */
bool xmtp_node_crc32c_is_hardware(void);

#endif
