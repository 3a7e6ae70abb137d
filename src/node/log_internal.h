/* log_internal.h - what log.c and log_open.c share: the struct and the handling of segment files.
 */
#ifndef XMTP_NODE_LOG_INTERNAL_H
#define XMTP_NODE_LOG_INTERNAL_H

#include "node/log.h"

#include <pthread.h>

enum { XMTP_NODE_LOG_PATH_MAX = 4096 };

struct xmtp_node_log {
    const xmtp_env *env;
    const xmtp_node_disk *disk;
    char *dir; /* NULL: in memory */
    uint32_t segment_len;
    uint32_t salt;
    bool is_broken;         /* the disk failed in a way that makes appending unsafe */
    xmtp_node_position end; /* everything before is durable */
    uint64_t segment_age_ns;
    uint64_t started_ns; /* time of the last segment's first record; 0: it has none */
    uint64_t reserved;   /* space of the last segment that is set aside, from 0 on */
    uint64_t ahead;      /* its file may go on with zeros up to here; before end: it does not */
    bool cannot_reserve;

    pthread_rwlock_t fds_lock;
    int *fds; /* by segment number */
    size_t fd_count;
    size_t fd_capacity;
};

/* XMTP_E_DISK_FULL, XMTP_E_NOMEM or XMTP_E_IO with the sentence of an errno. */
xmtp_status xmtp_node_log_errno(xmtp_error *error, int code, const char *doing, uint32_t segment);

void xmtp_node_log_segment_path(const xmtp_node_log *log, uint32_t segment, char *out, size_t n);

/* "XMTPLOG1", salt, segment number. */
void xmtp_node_log_segment_header(const xmtp_node_log *log, uint32_t segment,
                                  uint8_t out[XMTP_NODE_SEGMENT_HEADER_LEN]);

xmtp_status xmtp_node_log_add_fd(xmtp_node_log *log, int fd);

/* -1: there is no such segment. */
int xmtp_node_log_fd(xmtp_node_log *log, uint32_t segment);

uint8_t xmtp_node_log_header_mask(const uint8_t header[XMTP_NODE_SEGMENT_HEADER_LEN]);

/* Creates the segment after the last one and makes it the end. */
xmtp_status xmtp_node_log_add_segment(xmtp_node_log *log, xmtp_error *error);

/* Exactly n bytes, or XMTP_E_IO with *code. */
xmtp_status xmtp_node_log_read_at(const xmtp_node_log *log, int fd, uint8_t *out, size_t n,
                                  uint64_t offset, int *code);
xmtp_status xmtp_node_log_write_at(const xmtp_node_log *log, int fd, xmtp_bytes bytes,
                                   uint64_t offset, int *code);

#endif
