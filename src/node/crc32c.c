/* crc32c.c - CRC-32C: by the processor's instruction, eight bytes each, or by eight tables ("slicing
 * by 8").
 *
 * Table k maps a byte to its checksum followed by k zero bytes, so eight lookups advance the
 * checksum by eight bytes at once. The tables are made on first use. Measured over 400 bytes: 1.8 GB/s
 * by tables, 5.6 GB/s by the instruction.
 */
#include "node/crc32c.h"

#include <pthread.h>
#include <string.h>

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

enum { SLICES = 8 };

static const uint32_t polynomial = 0x82f63b78U; /* 0x1edc6f41, bits reversed */
static uint32_t table[SLICES][256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void make_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++) {
            c = (c & 1) != 0 ? (c >> 1) ^ polynomial : c >> 1;
        }
        table[0][i] = c;
    }
    for (int k = 1; k < SLICES; k++) {
        for (int i = 0; i < 256; i++) {
            uint32_t c = table[k - 1][i];
            table[k][i] = (c >> 8) ^ table[0][c & 0xff];
        }
    }
}

static uint32_t load_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t step8(uint32_t c, const uint8_t *p)
{
    uint32_t low = c ^ load_le32(p);
    uint32_t high = load_le32(p + 4);
    return table[7][low & 0xff] ^ table[6][low >> 8 & 0xff] ^ table[5][low >> 16 & 0xff] ^
           table[4][low >> 24] ^ table[3][high & 0xff] ^ table[2][high >> 8 & 0xff] ^
           table[1][high >> 16 & 0xff] ^ table[0][high >> 24];
}

uint32_t xmtp_node_crc32c_by_tables(uint32_t seed, xmtp_bytes in)
{
    (void)pthread_once(&table_once, make_table);
    uint32_t c = ~seed;
    const uint8_t *p = in.p;
    size_t n = in.n;
    for (; n >= SLICES; n -= SLICES, p += SLICES) {
        c = step8(c, p);
    }
    for (; n > 0; n--, p++) {
        c = (c >> 8) ^ table[0][(c ^ *p) & 0xff];
    }
    return ~c;
}

/* ---- the instruction */

#if defined(__x86_64__)

#define HAS_INSTRUCTION __attribute__((target("sse4.2")))

bool xmtp_node_crc32c_is_hardware(void)
{
    return __builtin_cpu_supports("sse4.2") != 0;
}

HAS_INSTRUCTION static inline uint32_t step_word(uint32_t c, uint64_t word)
{
    return (uint32_t)__builtin_ia32_crc32di(c, word);
}

HAS_INSTRUCTION static inline uint32_t step_byte(uint32_t c, uint8_t byte)
{
    return __builtin_ia32_crc32qi(c, byte);
}

#elif defined(__aarch64__)

#define HAS_INSTRUCTION

bool xmtp_node_crc32c_is_hardware(void)
{
    enum { HWCAP_CRC32_BIT = 1 << 7 };
    return (getauxval(AT_HWCAP) & HWCAP_CRC32_BIT) != 0;
}

/* In assembler, since compilers differ in how they offer it without being told of it by a flag. */
static inline uint32_t step_word(uint32_t c, uint64_t word)
{
    __asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(c) : "r"(word));
    return c;
}

static inline uint32_t step_byte(uint32_t c, uint8_t byte)
{
    __asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(c) : "r"((uint32_t)byte));
    return c;
}

#else

bool xmtp_node_crc32c_is_hardware(void)
{
    return false;
}

#endif

#ifdef HAS_INSTRUCTION

/* Both kinds of processor are little-endian, as the checksum is. */
HAS_INSTRUCTION static uint32_t by_instruction(uint32_t seed, xmtp_bytes in)
{
    uint32_t c = ~seed;
    const uint8_t *p = in.p;
    size_t n = in.n;
    for (; n >= sizeof(uint64_t); n -= sizeof(uint64_t), p += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, p, sizeof word);
        c = step_word(c, word);
    }
    for (; n > 0; n--, p++) {
        c = step_byte(c, *p);
    }
    return ~c;
}

uint32_t xmtp_node_crc32c(uint32_t seed, xmtp_bytes in)
{
    return xmtp_node_crc32c_is_hardware() ? by_instruction(seed, in)
                                          : xmtp_node_crc32c_by_tables(seed, in);
}

#else

uint32_t xmtp_node_crc32c(uint32_t seed, xmtp_bytes in)
{
    return xmtp_node_crc32c_by_tables(seed, in);
}

#endif
