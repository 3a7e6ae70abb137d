/* health.c - is this installation well? What `xmtp doctor` asks, asked by a program about itself.
 *
 *     database   is every page what was written
 *     key package   can others invite this installation, until when
 *     inbox      installations (n of 10), updates (n of 256)
 *     messages   what waits, what failed
 *     conversations   do we agree with the others (forks)
 *
 * None of it changes anything. Here something is made wrong on purpose, seen, and mended.
 */
#include "people.h"

#include <xmtp/identity.h>
#include <xmtp/telemetry.h>

enum { DAY_S = 86400 };

static uint64_t count_unsent(xmtp_client *client)
{
    uint64_t count;
    const xmtp_message_query query = {.delivery = XMTP_DELIVERY_UNPUBLISHED};
    check(xmtp_client_message_count(client, &query, &count, &error), "count");
    return count;
}

static xmtp_key_package_status key_package(xmtp_client *client)
{
    const char *id = xmtp_client_installation_id(client);
    xmtp_key_package_status status;
    check(xmtp_client_key_packages(client, &id, 1, &status, &error), "key package");
    return status;
}

static bool is_well(const people *p, xmtp_client *client, const xmtp_conversation_id *dm)
{
    xmtp_inbox_state inbox;
    xmtp_debug_info info;
    check(xmtp_client_check_database(client, &error), "database");
    xmtp_key_package_status package = key_package(client);
    int64_t days = ((int64_t)package.not_after -
                    (int64_t)(xmtp_network_now_ns(p->net) / XMTP_NETWORK_SECOND_NS)) /
                   DAY_S;
    uint64_t unsent = count_unsent(client);
    check(xmtp_client_inbox_state(client, NULL, true, &inbox, &error), "inbox");
    printf("key package: %s, %lld days left; installations: %zu of %d; updates: %u of %d; ",
           xmtp_status_name(package.status), (long long)days, inbox.installation_count,
           XMTP_INBOX_INSTALLATIONS_MAX, (unsigned)inbox.update_count, XMTP_INBOX_UPDATES_MAX);
    check(xmtp_client_debug_info(client, dm, &info, &error), "conversation");
    bool is_forked = info.is_maybe_forked || info.commit_log_fork == XMTP_FORK_YES;
    printf("unsent: %llu; epoch %llu%s\n", (unsigned long long)unsent,
           (unsigned long long)info.epoch, is_forked ? ", forked" : "");
    return package.status == XMTP_OK && unsent == 0 && !is_forked;
}

int main(void)
{
    people p = ann_and_bob();
    xmtp_conversation_id dm;
    xmtp_api_statistics calls;
    check(xmtp_client_dm(p.ann, xmtp_client_address(p.bob), &dm, &error), "dm");
    check(xmtp_client_send_text(p.ann, &dm, "hello", NULL, &error), "send");
    expect(is_well(&p, p.ann, &dm), "all is well");

    /* The network is away: what is sent waits, in the database, for the next sync or poll. */
    xmtp_network_partition(p.net, p.ann_device);
    expect_refusal(xmtp_client_send_text(p.ann, &dm, "later", NULL, &error), XMTP_E_NETWORK,
                   "send");
    xmtp_network_heal(p.net, p.ann_device);
    expect(!is_well(&p, p.ann, &dm), "one message waits");
    check(xmtp_client_sync(p.ann, &error), "sync");
    expect(is_well(&p, p.ann, &dm), "it is sent");

    /* An installation that sleeps for three months cannot be invited any more, until it wakes. */
    xmtp_network_advance(p.net, UINT64_C(90) * DAY_S * XMTP_NETWORK_SECOND_NS);
    expect(key_package(p.ann).status == XMTP_E_LIFETIME, "the key package has expired");
    check(xmtp_client_sync(p.ann, &error), "sync");
    expect(is_well(&p, p.ann, &dm), "sync has brought a fresh one");

    xmtp_client_api_statistics(p.ann, &calls);
    printf("%llu calls failed since the client was opened\n", (unsigned long long)calls.failed);
    expect(calls.failed > 0, "those of the time without a network");
    xmtp_network_close(p.net);
    return 0;
}
