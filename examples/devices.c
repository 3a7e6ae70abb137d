/* devices.c - two installations of one inbox: what is decided on one arrives on the other, and the new
 * one gets what was said before it came.
 *
 *     laptop --consent, HMAC keys--> a group of the inbox's own --> phone
 *     laptop --archive, encrypted--> history server --------------> phone, which asked for it
 *
 * Device sync is off unless asked for. Nothing runs by itself: sync and poll do what is due.
 */
#include "people.h"

#include <xmtp/http.h>

/* ---- the history server, in an application `xmtp node` and its HTTP library */

#define SERVER "http://history.example:5558"

static uint8_t file[1 << 16];
static size_t file_len;

static xmtp_status serve(void *context, const xmtp_http_request *request, uint32_t *http_status,
                         xmtp_error *why)
{
    (void)context;
    (void)why;
    *http_status = 200;
    if (strcmp(request->method, "POST") == 0) { /* SERVER/upload: the answer is the file's name */
        expect(request->body.n <= sizeof file, "the archive fits");
        memcpy(file, request->body.p, request->body.n);
        file_len = request->body.n;
        return request->sink(request->sink_context, (xmtp_bytes){(const uint8_t *)"file-1", 6});
    }
    expect(strcmp(request->url, SERVER "/files/file-1") == 0, "the file that was uploaded");
    return request->sink(request->sink_context, (xmtp_bytes){file, file_len});
}

static const xmtp_http http = {.request = serve};
static const xmtp_device_sync_options device_sync = {
    .is_on = true, .history_url = SERVER, .http = &http};

/* ---- Ann */

static void told_of_history(void *context, const char *pin, bool is_taken, xmtp_status status)
{
    printf("archive %s: %s (%s)\n", pin, is_taken ? "taken" : "made", xmtp_status_name(status));
    *(int *)context += status == XMTP_OK;
}

static xmtp_client *device_of_ann(const people *p, xmtp_network_device *person,
                                  xmtp_network_device **out)
{
    const xmtp_network_device_options options = {.person_of = person, .device_sync = &device_sync};
    check(xmtp_network_client(p->net, &options, out, &error), "device");
    return xmtp_network_client_of(*out);
}

/* What one has told, and what the other has to say to it. */
static void sync_both(xmtp_client *a, xmtp_client *b)
{
    for (int i = 0; i < 2; i++) {
        check(xmtp_client_sync(a, &error), "sync");
        check(xmtp_client_sync(b, &error), "sync");
    }
}

int main(void)
{
    people p = ann_and_bob(); /* Bob has no device sync: it is each inbox's own affair */
    xmtp_network_device *laptop_device;
    xmtp_network_device *phone_device;
    xmtp_conversation_id dm;
    xmtp_consent_state consent;
    char pin[XMTP_SYNC_PIN_LEN + 1];
    int archives = 0;
    const xmtp_client_events events = {.context = &archives, .history = told_of_history};

    xmtp_client *laptop = device_of_ann(&p, NULL, &laptop_device);
    check(xmtp_client_dm(laptop, xmtp_client_address(p.bob), &dm, &error), "dm");
    check(xmtp_client_send_text(laptop, &dm, "before the phone", NULL, &error), "send");

    xmtp_client *phone = device_of_ann(&p, laptop_device, &phone_device);
    sync_both(phone, laptop);
    check(xmtp_client_sync(p.bob, &error), "sync");
    check(xmtp_client_send_text(p.bob, &dm, "after it came", NULL, &error), "send");
    sync_both(phone, laptop);
    expect(times_read(phone, &dm, "after it came") == 1, "the phone is in the conversation");
    expect(times_read(phone, &dm, "before the phone") == 0, "and knows nothing of before");

    /* Preferences go to and fro by themselves. */
    check(xmtp_client_consent(phone, XMTP_CONSENT_INBOX, xmtp_client_inbox_id(p.bob), &consent,
                              &error),
          "consent");
    expect(consent == XMTP_CONSENT_UNKNOWN, "nothing was decided about Bob yet");
    const xmtp_consent bob = {.entity_type = XMTP_CONSENT_INBOX,
                              .entity = xmtp_client_inbox_id(p.bob),
                              .state = XMTP_CONSENT_ALLOWED};
    check(xmtp_client_set_consent(laptop, &bob, 1, &error), "allow");
    sync_both(laptop, phone);
    check(xmtp_client_consent(phone, XMTP_CONSENT_INBOX, bob.entity, &consent, &error), "consent");
    expect(consent == XMTP_CONSENT_ALLOWED, "the phone knows what the laptop decided");

    /* History is asked for: the laptop reads that, makes an archive, and says where it is. */
    xmtp_client_listen(phone, &events);
    xmtp_client_listen(laptop, &events);
    check(xmtp_client_sync_request(phone, NULL, NULL, pin, &error), "request");
    printf("the phone asks under the PIN %s\n", pin);
    sync_both(laptop, phone);
    expect(archives == 2, "an archive was made there and taken here");
    expect(times_read(phone, &dm, "before the phone") == 1, "the phone knows what was said before");
    xmtp_network_close(p.net);
    return 0;
}
