/* test_scene.h - an inbox, the people around it and what they may try to do; for tests only. */
#ifndef XMTP_IDENTITY_TEST_SCENE_H
#define XMTP_IDENTITY_TEST_SCENE_H

#include "identity/test_support.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { T0 = 1000, T1 = 2000, T2 = 3000, SECOND = 1000000000 };

/* An inbox of wallet 0 (nonce 1) with installation 1 in it. */
typedef struct scene {
    const xmtp_wallet *alice; /* creator and recovery */
    const xmtp_wallet *bob;
    const xmtp_installation *phone;
    const xmtp_installation *laptop;
    char inbox[XMTP_INBOX_ID_LEN + 1];
    xmtp_association *s;
} scene;

static inline uint64_t at(unsigned seconds)
{
    return (uint64_t)seconds * SECOND;
}

static inline deed create_by(const xmtp_wallet *wallet, uint64_t nonce)
{
    return (deed){.kind = XMTP_ACTION_CREATE_INBOX,
                  .subject = id_of(wallet),
                  .nonce = nonce,
                  .by = wallet_hand(wallet)};
}

static inline deed add_app(hand by, const xmtp_installation *app)
{
    return (deed){.kind = XMTP_ACTION_ADD,
                  .subject = id_of_installation(app),
                  .by = by,
                  .self = installation_hand(app)};
}

static inline deed add_wallet(hand by, const xmtp_wallet *wallet)
{
    return (deed){
        .kind = XMTP_ACTION_ADD, .subject = id_of(wallet), .by = by, .self = wallet_hand(wallet)};
}

static inline deed revoke(hand by, xmtp_identifier member)
{
    return (deed){.kind = XMTP_ACTION_REVOKE, .subject = member, .by = by};
}

static inline deed change_recovery(hand by, xmtp_identifier recovery)
{
    return (deed){.kind = XMTP_ACTION_CHANGE_RECOVERY, .subject = recovery, .by = by};
}

static inline scene cast_without_inbox(uint64_t nonce)
{
    scene c = {.alice = wallet_of(wallet_0_key),
               .bob = wallet_of(wallet_1_key),
               .phone = installation_of(1),
               .laptop = installation_of(2),
               .s = new_state()};
    ok(xmtp_inbox_id_of_address(c.alice->address, nonce, c.inbox, NULL));
    return c;
}

static inline scene inbox_with_phone(void)
{
    scene c = cast_without_inbox(1);
    const deed deeds[] = {create_by(c.alice, 1), add_app(wallet_hand(c.alice), c.phone)};
    fold(c.s, update_of(c.inbox, at(T0), deeds, 2));
    return c;
}

static inline void end(scene *c)
{
    xmtp_association_free(c->s);
}

static inline xmtp_bytes one(const scene *c, unsigned time, deed d)
{
    return update_of(c->inbox, at(time), &d, 1);
}

static inline bool has(const scene *c, xmtp_identifier id)
{
    return xmtp_association_find(c->s, &id, NULL);
}

/* Sentences of identity.md 8.1 */
static const char missing[] = "Missing existing member";
static const char not_created[] = "XID not yet created";
static const char legacy_reuse[] =
    "Legacy key is only allowed to be associated using a legacy signature with nonce 0";

#endif
