/* ed25519_known.c - see ed25519_known.h.
 *
 *     asked about, not known --> seen: counts --16th time--> known: has multiples
 *
 * Both lists are short, and what was used last stays. A key is known only when it is of the order of B: then
 * [S]B - [k]A is, too, and being equal to R bit for bit it needs no other check than not to be neutral.
 *
 * Everything here is public.
 */
#include "crypto/ed25519_known.h"

#include "base/bytes.h"
#include "crypto/ed25519_base.h"
#include "crypto/ed25519_many.h"
#include "crypto/ed25519_sign.h"
#include "crypto/sodium_ready.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>

enum {
    KEY_LEN = 32,
    SEEN_COUNT = 16,
    KNOWN_COUNT = 8,  /* 48 KiB each */
    USES_BEFORE = 16, /* multiples cost as much as three verifications, or four */
};

typedef struct seen_key {
    uint8_t pk[KEY_LEN];
    uint64_t used; /* 0: never */
    unsigned uses;
} seen_key;

typedef struct known_key {
    uint8_t pk[KEY_LEN];
    uint64_t used;         /* 0: there is none */
    unsigned users;        /* while there are some it stays, and nobody writes it */
    xmtp_lanes_kind lanes; /* that made the multiples */
    xmtp_ed25519_multiples of_minus_a;
} known_key;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* for all of it */
static seen_key seen[SEEN_COUNT];
static known_key known[KNOWN_COUNT];
static uint64_t last_use;
static atomic_bool knows_none;

static known_key *find_known(const uint8_t pk[KEY_LEN])
{
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        known_key *k = &known[i];
        if (k->used > 0 && k->lanes == xmtp_lanes_here() && memcmp(k->pk, pk, KEY_LEN) == 0) {
            return k;
        }
    }
    return NULL;
}

/* Whether it is time to know the key. */
static bool note_seen(const uint8_t pk[KEY_LEN])
{
    seen_key *oldest = &seen[0];
    for (size_t i = 0; i < SEEN_COUNT; i++) {
        seen_key *s = &seen[i];
        if (s->used > 0 && memcmp(s->pk, pk, KEY_LEN) == 0) {
            const bool is_time = ++s->uses == USES_BEFORE;
            s->used = is_time ? 0 : ++last_use; /* one that is forgotten later begins anew */
            return is_time;
        }
        oldest = s->used < oldest->used ? s : oldest;
    }
    *oldest = (seen_key){.used = ++last_use, .uses = 1};
    memcpy(oldest->pk, pk, KEY_LEN);
    return false;
}

/* The place for one more, which is nobody's until it is put_back; NULL: all are in use. */
static known_key *take_place(void)
{
    known_key *oldest = NULL;
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        known_key *k = &known[i];
        if (k->users == 0 && (oldest == NULL || k->used < oldest->used)) {
            oldest = k;
        }
    }
    if (oldest != NULL) {
        oldest->users = 1;
        oldest->used = 0;
    }
    return oldest;
}

static void put_back(known_key *k, bool is_good)
{
    (void)pthread_mutex_lock(&lock);
    k->users--;
    k->used = is_good ? ++last_use : k->used;
    (void)pthread_mutex_unlock(&lock);
}

static void make_known(known_key *place, const uint8_t pk[KEY_LEN])
{
    xmtp_sodium_ready();
    memcpy(place->pk, pk, KEY_LEN);
    place->lanes = xmtp_lanes_here();
    const bool is_good = crypto_core_ed25519_is_valid_point(pk) == 1 &&
                         xmtp_ed25519_multiples_lanes(&place->of_minus_a, pk);
    put_back(place, is_good);
}

/* The key, in use; NULL: it is not known. */
static known_key *take(const uint8_t pk[KEY_LEN])
{
    known_key *place = NULL;
    (void)pthread_mutex_lock(&lock);
    known_key *k = find_known(pk);
    if (k != NULL) {
        k->users++;
    } else if (note_seen(pk)) {
        place = take_place();
    }
    (void)pthread_mutex_unlock(&lock);
    if (place != NULL) {
        make_known(place, pk);
    }
    return k;
}

static bool holds(const known_key *k, xmtp_bytes message, const uint8_t signature[64])
{
    const uint8_t *r = signature;
    const uint8_t *s = signature + KEY_LEN;
    uint8_t scalar[32];
    uint8_t point[32];
    xmtp_ed25519_product difference;
    xmtp_ed25519_scalar((xmtp_bytes){0}, xmtp_bytes_of(r, KEY_LEN), xmtp_bytes_of(k->pk, KEY_LEN),
                        message, scalar);
    xmtp_ed25519_difference_lanes(&difference, s, scalar, &k->of_minus_a);
    return xmtp_ed25519_encode(&difference, point) && memcmp(point, r, KEY_LEN) == 0;
}

bool xmtp_ed25519_known_verify(const uint8_t pk[KEY_LEN], xmtp_bytes message,
                               const uint8_t signature[64])
{
    if (!xmtp_has_lanes() || !xmtp_ed25519_is_scalar(signature + KEY_LEN) ||
        atomic_load_explicit(&knows_none, memory_order_relaxed)) {
        return false;
    }
    known_key *k = take(pk);
    if (k == NULL) {
        return false;
    }
    const bool is_good = holds(k, message, signature);
    put_back(k, true);
    return is_good;
}

void xmtp_ed25519_know_none(bool none)
{
    atomic_store_explicit(&knows_none, none, memory_order_relaxed);
}

bool xmtp_ed25519_is_known(const uint8_t pk[KEY_LEN])
{
    (void)pthread_mutex_lock(&lock);
    const bool is_known = find_known(pk) != NULL;
    (void)pthread_mutex_unlock(&lock);
    return is_known;
}
