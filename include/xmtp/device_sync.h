/* device_sync.h - the installations of one inbox keep each other up to date.
 *
 *     consent, HMAC root   --sync group, at every sync and poll-->   the other installations
 *     history              asked for under a PIN --> archive under a fresh key, on a history server
 *                              --> address and key in the sync group --> fetched and imported
 *
 * They talk in groups that hold this inbox and nobody else, and that no listing, stream or queue shows.
 * Nothing runs by itself: sync and poll do what is due. What was asked of this installation may keep
 * them busy with the history server, at most XMTP_HISTORY_TIMEOUT_S a transfer.
 *
 * Off unless asked for. The official client has it on; here an inbox is often one that lives as long
 * as a process, or an agent with one installation, which would pay a group, a commit and a
 * subscription for nobody to talk to. Somebody whose inbox is also on a phone turns it on. Shown by
 * examples/devices.c.
 */
#ifndef XMTP_DEVICE_SYNC_H
#define XMTP_DEVICE_SYNC_H

#include <xmtp/archive.h>
#include <xmtp/base.h>
#include <xmtp/http.h>
#include <xmtp/names.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct xmtp_client xmtp_client;

enum {
    XMTP_SYNC_PIN_LEN = 5,  /* letters and digits of one that is made here */
    XMTP_SYNC_PIN_MAX = 64, /* bytes of any */
    XMTP_HISTORY_URL_MAX = 2048,
    XMTP_HISTORY_ARCHIVE_MAX = 256 * 1024 * 1024, /* bytes, both ways: what a node of ours takes */
    XMTP_HISTORY_TIMEOUT_S = 60,                  /* for one upload or download */
};

/* In xmtp_client_options. Copied but for http, which must outlive the client; the first sync or poll
 * makes this installation's sync group. */
typedef struct xmtp_device_sync_options {
    bool is_on;
    /* Where archives go through, such as the `history` address of a node, http://localhost:5558: POST
     * to <it>/upload is answered with the name of a file, which GET of <it>/files/<name> brings.
     * NULL: nowhere but where another installation says.
     * This one may be any address. An archive at any other address, or one to be brought to another
     * (both come from installations of this inbox), is moved only over https and to a public host. */
    const char *history_url;
    /* How that server is reached: the application's, see http.h. NULL: archives are neither made nor
     * fetched */
    const xmtp_http *http;
} xmtp_device_sync_options;

/* Only what device sync needs: welcomes, sync groups, and what is due. xmtp_client_sync does it too.
 *
 * Of this and all calls below: XMTP_E_ARGUMENT, device sync is off. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_sync_devices(xmtp_client *client,
                                                              xmtp_error *error);

/* Asks the other installations for what they know. Each that reads it makes an archive of the part that
 * options name (NULL: everything), brings it to history_url (NULL: the client's) and tells where it is;
 * a later sync or poll of this client fetches and imports it and tells the listener (event `history`).
 * pin names what was asked.
 *
 * XMTP_E_ARGUMENT   no history_url here and in the client, or longer than XMTP_HISTORY_URL_MAX; no http */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_sync_request(xmtp_client *client,
                                                              const xmtp_archive_options *options,
                                                              const char *history_url,
                                                              char pin[XMTP_SYNC_PIN_LEN + 1],
                                                              xmtp_error *error);

/* Makes an archive and tells the others where it is, unasked. pin: 1 to XMTP_SYNC_PIN_MAX printable
 * ASCII characters of the caller's, by which somebody there chooses it. Done when the call returns.
 *
 * XMTP_E_ARGUMENT as above; XMTP_E_LIMIT larger than XMTP_HISTORY_ARCHIVE_MAX; XMTP_E_NETWORK,
 * XMTP_E_TIMEOUT, XMTP_E_ADDRESS from the history server, whose answer is in the error */
XMTP_API XMTP_MUST_CHECK xmtp_status
xmtp_client_sync_archive_send(xmtp_client *client, const xmtp_archive_options *options,
                              const char *history_url, const char *pin, xmtp_error *error);

/* An archive that another installation has told of, asked for or not. */
typedef struct xmtp_sync_archive {
    const char *pin;
    uint64_t sent_ns;
    uint8_t installation[XMTP_INSTALLATION_LEN]; /* that made it */
    xmtp_archive_metadata metadata;              /* as it told */
} xmtp_sync_archive;

/* Those told of in the last days (at most 3650), newest first; strings valid during the visit. */
typedef xmtp_status (*xmtp_sync_archive_visit)(void *context, const xmtp_sync_archive *archive);
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_sync_archives(xmtp_client *client, uint32_t days,
                                                               xmtp_sync_archive_visit visit,
                                                               void *context, xmtp_error *error);
/* Fetches and imports the newest of them with this pin, or the newest at all (pin NULL). counts may be
 * NULL. XMTP_E_NOT_FOUND: none; the errors of fetching as above, of importing as in archive.h. */
XMTP_API XMTP_MUST_CHECK xmtp_status xmtp_client_sync_archive_take(xmtp_client *client,
                                                                   const char *pin,
                                                                   xmtp_archive_counts *counts,
                                                                   xmtp_error *error);

#ifdef __cplusplus
}
#endif
#endif
