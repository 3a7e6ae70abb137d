/* attachment.h - fetching the file that a remote attachment names, from where a stranger put it.
 *
 *     xmtp_content *file;
 *     status = xmtp_remote_attachment_download(&content->remote_attachment, NULL, &file, &error);
 *     if (status == XMTP_OK) save(file->attachment.content);
 *     xmtp_content_free(file);
 *
 * Whoever wrote the message chose the address. So only https is spoken, only public hosts are reached
 * (whatever their name leads to), nobody is followed elsewhere, and no more is read than was announced.
 * Not in libxmtp.so, which asks for no HTTP library: this needs libcurl.
 */
#ifndef XMTP_ATTACHMENT_H
#define XMTP_ATTACHMENT_H

#include <xmtp/content.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All zero: what is said behind each. */
typedef struct xmtp_download_options {
    const xmtp_env *env; /* NULL: the system's */
    uint64_t
        len_max; /* bytes of the encrypted file; 0: XMTP_CONTENT_LEN_MAX, which is also the most */
    uint64_t timeout_ns; /* for everything from name look-up to the last byte; 0: 60 s */
    const char *ca_file; /* PEM file of the roots to trust; NULL: those of the system */
    /* For tests against a server of their own: http, and hosts that are not public. */
    bool is_test;
} xmtp_download_options;

/* *out is of type XMTP_CONTENT_ATTACHMENT; freed with xmtp_content_free. options may be NULL.
 * XMTP_E_ARGUMENT  not an https URL
 * XMTP_E_ADDRESS   the host is not public, or sends us elsewhere
 * XMTP_E_LIMIT     announced as longer than allowed, or longer than announced
 * XMTP_E_NETWORK   not reached, cut off, its certificate does not hold, or it has no such file
 * XMTP_E_TIMEOUT; XMTP_E_AUTH, XMTP_E_CONTENT, XMTP_E_LENGTH as xmtp_attachment_decrypt
 * Threads: any. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_remote_attachment_download(
    const xmtp_remote_attachment *remote, const xmtp_download_options *options, xmtp_content **out,
    xmtp_error *error);

#ifdef __cplusplus
}
#endif
#endif
