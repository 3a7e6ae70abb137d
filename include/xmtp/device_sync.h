/* device_sync.h - the installations of one inbox keep each other up to date.
 *
 *     consent, HMAC root   --sync group, at every sync and poll-->   the other installations
 *     history              asked for with a PIN --> archive under a fresh key, on a history server
 *                              --> address and key in the sync group --> fetched and imported
 *
 * They talk in groups that hold this inbox and nobody else, and that no listing, stream or queue shows.
 * Nothing runs by itself: sync and poll do what is due.
 *
 * Off unless asked for. The official client has it on; here an inbox is often one that lives as long
 * as a process, or an agent with one installation, which would pay a group, a commit and a
 * subscription for nobody to talk to. Somebody whose inbox is also on a phone turns it on.
 */
#ifndef XMTP_DEVICE_SYNC_H
#define XMTP_DEVICE_SYNC_H

#include <xmtp/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct xmtp_client xmtp_client;

/* In xmtp_client_options. Copied; the first sync or poll makes this installation's sync group. */
typedef struct xmtp_device_sync_options {
    bool is_on;
} xmtp_device_sync_options;

/* Only what device sync needs: welcomes, sync groups, and what is due. xmtp_client_sync does it too.
 * XMTP_E_ARGUMENT: device sync is off. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_sync_devices(xmtp_client *client,
                                                              xmtp_error *error);

#ifdef __cplusplus
}
#endif
#endif
