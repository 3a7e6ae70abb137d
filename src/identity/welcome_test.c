/* welcome_test.c - recorded welcomes and pointers open, ours open again, spoiled ones do not. */
#include "identity/welcome.h"

#include "crypto/crypto.h"
#include "identity/test_support.h"

static const char pointer_of_appendix_a2[] =
    "44607b4f97abb6d0f53da4140d3588ee47f17cc3fc1e1133838f9bcd567e277a26751ac81f0b844e03b9288b"
    "f68c336d39bbdeb2b53dbee945c9fe9be0966bf41b00c9ecd8a0ebf772eaada2b7c84b3f8f1b74bb60e45927"
    "4dcf0f19f8b0239ce55c45bf99c6c0fb877010e4a292a394d44d18e6b3b0e7f12f37298d9bc5a935f97c8546"
    "2e247571e655a81e67521477d38b1a16639b7780c9aab2713fc8494ffce93fdb8dd30952c261148b9da1ef04"
    "c0b355b7800a207c2e6616ebf89a0e653a03d88bd6fd00ade411cf999fb52deb83aced041d999fde39255b12"
    "786b4489b8b504e09bebf734e24e9b36878ae816a7fbd8662696c0acf14f9f3929a9aca3e9effb6f52a59968"
    "407105a42b4fb7e15aa6b354918bc8be6b2a20eb0e914d346b946ef0fb5f25cfc50babe46fbce09984bd511c"
    "af1a814cb72db7da9053d83712ccec5aff6a4c1416e10f28ca6ecdba9ae4110476a141c616cf833efadeb419"
    "4c8e5a3bf549849e3aa8a7b7c71f9ba3273e113f1539ef8c4f4ac32d80a7e2a58340eed68aad056be84b4266"
    "17d7ebddd29d90c5d072d840f3ae8c845094e4bcb47a7c43c5d3121cb9f79a05d4f4aadda6fbeb78d1c7ddba"
    "8f6cf3b64390df73509cabb2536eb7974bb21fb4eb6b17ced6ba60219cc50eb0eaac3ffea19b6f4bcea9bbe5"
    "a3080fb297264a9748f17fce1b54a989ca605c60162d845b222ad121b761d3d687611074472266c166b2a061"
    "03f8379dd7a6bdab7e3c844d70e3b87121cbaa39685d109116f376d693136e4d6cef563c7b8befb9f759ca2b"
    "4a103d754b8bb2a65025019dbb27af04c1f33024d3889e991e11995f5e2f803b6659e17216534c34da997acc"
    "aee5b951c5dae1f9ec400ca6ad0606b4d2f1586f244240920d8aa014075da75fd8d0081212f921ba363e2db4"
    "46d2b0e9147ee22ffd625c4a0c651ac1c33cb3d6b1601556d6b3668389166a88959a6485f37ae14c25e51671"
    "fd64ee37aa65b1b088fe3239fa514523e87313208b308021accad95f8a0bb2a1574d5c472d05725f90c55d81"
    "1998ecd12236d15d58796b8c1c55b5b136f84a1109bdb0f2954392fb70f776149c7c1450681860d59ffa6f40"
    "a0f12ec44694fdd7b8f4eea986e5dc7d2f03d5d3676131c37c61be0140e5b6b5846cbbf7258f5b2093006196"
    "69d8cef6156878c57bb4dcd47d4fe4b94fe51ee0b125b3004f9f310f2f89ee2dff86650131495af4d1065420"
    "50eb093f685ba303cd6351c20e03600d998bd6d3e10a4caf07a4e5d7d1e63ef3b2d666643eb774932c523695"
    "29823fc55fd6bd01d879c4ddc1cf84a567bd4ad096d59d35e95f174f76311b03195062fc2b1d4bb319f02c8e"
    "c55a0fa617e346353a048818a1721c419696a40a8da2334d464462971d97d83041d15993005f59496e7b724c"
    "8fb351fb689feed5b66bd9b990e8dca1a5f639052be80fbac6d0a2bf4482add4adf17d2c8c6ecba9f4162c1c"
    "061bbe681e1f197dcacf9dbcbf54cde02befe6b9efba01e719b609e8f80ccddf33dc9941e9e61aadf28d4bb7"
    "6d2dc4443c25d4c776b05112d3ebb1b3554ff3b9c67840743c5f052b6f7bcb7a6559cfebeba7cd3c70479649"
    "dad73a35c2eaf8c04b813cc429f6e55f5a3db4cdbfe854db33bed37d3cb48381543335fd3dae4e850796753e"
    "95542be15c3c2e1d219d2c3b54dcb19b86540fee778790d7497ab72d04bf90b331ea18e2eb11762facee0eb0"
    "c53e2370fb1e0ef0";

static const xmtp_bytes nothing = {.p = NULL, .n = 0};

static uint64_t recorded_cursor(const cJSON *v)
{
    const cJSON *metadata = item(v, "metadata");
    const cJSON *cursor = metadata == NULL ? NULL : item(metadata, "message_cursor");
    if (cJSON_IsNumber(cursor)) {
        return (uint64_t)cursor->valuedouble;
    }
    return cursor == NULL ? 0 : strtoull(cursor->valuestring, NULL, 10);
}

static void assert_opened(xmtp_welcome_opened *opened, const cJSON *v)
{
    assert_bytes(xmtp_bytes_of(opened->welcome, opened->welcome_len),
                 hex_item(v, "mls_message_welcome"));
    assert_int_equal(opened->message_cursor, recorded_cursor(v));
    xmtp_mls_message_info info;
    ok(xmtp_mls_message_inspect(xmtp_bytes_of(opened->welcome, opened->welcome_len), &info));
    assert_int_equal(info.wire_format, XMTP_MLS_WELCOME);
    xmtp_welcome_opened_free(opened);
}

#define XWING(seed) ((const xmtp_unwrap_key){.algorithm = XMTP_WRAPPER_XWING, .sk = (seed)})

static void opens_directly(const cJSON *v)
{
    xmtp_bytes seed = hex_item(item(v, "private"), "xwing_private_seed");
    const xmtp_unwrap_key key = {.algorithm = XMTP_WRAPPER_XWING, .sk = seed.p};
    xmtp_welcome_opened opened;
    ok(xmtp_welcome_open(heap(), &key, hex_item(v, "data"), hex_item(v, "welcome_metadata"),
                         &opened, NULL));
    assert_opened(&opened, v);
}

static void opens_by_pointer(const cJSON *v)
{
    xmtp_bytes seed = hex_item(item(v, "private"), "xwing_private_seed");
    xmtp_welcome_pointer pointer;
    xmtp_welcome_opened opened;
    ok(xmtp_welcome_pointer_open(heap(), &XWING(seed.p), hex_item(v, "data"), &pointer, NULL));
    const cJSON *told = item(item(v, "pointer"), "welcome_v1_pointer");
    assert_bytes(xmtp_bytes_of(pointer.destination, 32), hex_item(told, "destination"));
    assert_bytes(xmtp_bytes_of(pointer.key, 32), hex_item(told, "encryption_key"));
    const cJSON *pointee = item(v, "pointee");
    ok(xmtp_welcome_pointee_open(heap(), &pointer, hex_item(pointee, "data"),
                                 hex_item(pointee, "welcome_metadata"), &opened, NULL));
    assert_opened(&opened, v);
}

static void recorded_welcomes_open(void **state)
{
    (void)state;
    size_t direct = 0;
    size_t by_pointer = 0;
    cJSON *json = vectors("welcomes.json");
    const cJSON *v;
    cJSON_ArrayForEach(v, item(json, "welcomes"))
    {
        if (strcmp(text_of(v, "kind"), "V1") == 0) {
            opens_directly(v);
            direct++;
        } else if (strcmp(text_of(v, "kind"), "WelcomePointer") == 0) {
            opens_by_pointer(v);
            by_pointer++;
        }
    }
    assert_int_equal(direct, 5);
    assert_int_equal(by_pointer, 3); /* the ninth is what they point at */
    cJSON_Delete(json);
}

static void the_pointer_of_appendix_a2_opens(void **state)
{
    (void)state;
    uint8_t seed[XMTP_XWING_SEED_LEN];
    memset(seed, 0x42, sizeof seed);
    xmtp_welcome_pointer pointer;
    ok(xmtp_welcome_pointer_open(heap(), &XWING(seed), hex(pointer_of_appendix_a2), &pointer,
                                 NULL));
    assert_bytes(xmtp_bytes_of(pointer.destination, 32),
                 hex("81ed5c6f30a988a5fd72968d5a53e4b51da02a6c899baf97a25f0569f0508212"));
    assert_bytes(xmtp_bytes_of(pointer.key, 32),
                 hex("f0adcb2d866ab18524125fafd9f9c036cc6955dcc9b1709e5632fa2bd1c89ed2"));
    assert_bytes(xmtp_bytes_of(pointer.data_nonce, 12), hex("12128bf0bc6732126e63d740"));
    assert_bytes(xmtp_bytes_of(pointer.metadata_nonce, 12), hex("3c8ad8e887e7d6584c1912e2"));
}

/* ---- ours */

typedef struct recipient {
    xmtp_wrapper_algorithm algorithm;
    uint8_t sk[32];
    uint8_t pk[XMTP_XWING_PK_LEN];
    size_t pk_len;
} recipient;

static recipient recipient_of(xmtp_wrapper_algorithm algorithm, uint8_t byte)
{
    recipient r = {.algorithm = algorithm};
    const xmtp_kem *kem = algorithm == XMTP_WRAPPER_XWING ? &xmtp_kem_xwing_004d : &xmtp_kem_x25519;
    memset(r.sk, byte, sizeof r.sk);
    ok(kem->public_key(r.sk, r.pk));
    r.pk_len = kem->pk_len;
    return r;
}

static xmtp_bytes public_of(const recipient *r)
{
    return xmtp_bytes_of(r->pk, r->pk_len);
}

static xmtp_status open_with(const recipient *r, xmtp_bytes data, xmtp_bytes metadata,
                             xmtp_welcome_opened *opened)
{
    const xmtp_unwrap_key key = {.algorithm = r->algorithm, .sk = r->sk};
    return xmtp_welcome_open(heap(), &key, data, metadata, opened, NULL);
}

static xmtp_welcome_sealed sealed_to(const recipient *r, xmtp_bytes welcome, uint64_t cursor)
{
    xmtp_welcome_sealed sealed;
    ok(xmtp_welcome_seal(xmtp_env_system(), r->algorithm, public_of(r), welcome, cursor, &sealed,
                         NULL));
    return sealed;
}

static xmtp_bytes data_of(const xmtp_welcome_sealed *s)
{
    return xmtp_bytes_of(s->data, s->data_len);
}

static xmtp_bytes metadata_of(const xmtp_welcome_sealed *s)
{
    return xmtp_bytes_of(s->metadata, s->metadata_len);
}

static void round_trip(xmtp_wrapper_algorithm algorithm, const char *prefix, size_t kem_len)
{
    const recipient r = recipient_of(algorithm, 5);
    const xmtp_bytes welcome = hex("000100030003");
    const uint64_t cursors[] = {0, 1, 300, UINT64_MAX};
    const size_t metadata_lens[] = {16, 18, 19, 27};
    for (size_t i = 0; i < sizeof cursors / sizeof cursors[0]; i++) {
        xmtp_welcome_sealed sealed = sealed_to(&r, welcome, cursors[i]);
        xmtp_bytes start = hex(prefix);
        assert_bytes(xmtp_bytes_of(sealed.data, start.n), start);
        assert_int_equal(sealed.data_len, start.n + kem_len + 1 + welcome.n + 16);
        assert_int_equal(sealed.metadata_len, metadata_lens[i]);
        xmtp_welcome_opened opened;
        ok(open_with(&r, data_of(&sealed), metadata_of(&sealed), &opened));
        assert_bytes(xmtp_bytes_of(opened.welcome, opened.welcome_len), welcome);
        assert_int_equal(opened.message_cursor, cursors[i]);
        xmtp_welcome_opened_free(&opened);
        ok(open_with(&r, data_of(&sealed), nothing, &opened));
        assert_int_equal(opened.message_cursor, 0);
        xmtp_welcome_opened_free(&opened);
        xmtp_welcome_sealed_free(&sealed);
    }
}

static void what_we_seal_to_a_curve25519_key_opens(void **state)
{
    (void)state;
    round_trip(XMTP_WRAPPER_CURVE25519, "20", 32);
}

static void what_we_seal_to_an_xwing_key_opens(void **state)
{
    (void)state;
    round_trip(XMTP_WRAPPER_XWING, "4460", 1120);
}

static void refuses_to_open(const recipient *r, xmtp_bytes data, xmtp_bytes metadata)
{
    xmtp_welcome_opened opened;
    xmtp_status status = open_with(r, data, metadata, &opened);
    assert_true(status == XMTP_E_AUTH || status == XMTP_E_MALFORMED || status == XMTP_E_KEY);
    assert_null(opened.welcome);
}

static void flip_and_cut(const recipient *r, const xmtp_welcome_sealed *sealed, size_t step)
{
    uint8_t *copy = room(sealed->data_len);
    for (size_t i = 0; i < sealed->data_len; i += step) {
        memcpy(copy, sealed->data, sealed->data_len);
        copy[i] ^= (uint8_t)(1u << (i % 8));
        refuses_to_open(r, xmtp_bytes_of(copy, sealed->data_len), metadata_of(sealed));
        refuses_to_open(r, xmtp_bytes_of(sealed->data, i), metadata_of(sealed));
    }
    for (size_t i = 0; i < sealed->metadata_len; i++) {
        memcpy(copy, sealed->metadata, sealed->metadata_len);
        copy[i] ^= 1;
        refuses_to_open(r, data_of(sealed), xmtp_bytes_of(copy, sealed->metadata_len));
        if (i > 0) {
            refuses_to_open(r, data_of(sealed), xmtp_bytes_of(sealed->metadata, i));
        }
    }
}

static void altered_welcomes_do_not_open(void **state)
{
    (void)state;
    const recipient curve = recipient_of(XMTP_WRAPPER_CURVE25519, 5);
    xmtp_welcome_sealed sealed = sealed_to(&curve, hex("000100030003"), 7);
    flip_and_cut(&curve, &sealed, 1);
    xmtp_welcome_sealed_free(&sealed);
    const recipient xwing = recipient_of(XMTP_WRAPPER_XWING, 5);
    sealed = sealed_to(&xwing, hex("000100030003"), 7);
    flip_and_cut(&xwing, &sealed, 13);
    xmtp_welcome_sealed_free(&sealed);
}

static void another_recipient_does_not_open(void **state)
{
    (void)state;
    const xmtp_wrapper_algorithm algorithms[] = {XMTP_WRAPPER_CURVE25519, XMTP_WRAPPER_XWING};
    for (size_t i = 0; i < 2; i++) {
        const recipient right = recipient_of(algorithms[i], 5);
        const recipient wrong = recipient_of(algorithms[i], 6);
        xmtp_welcome_sealed sealed = sealed_to(&right, hex("0001"), 7);
        refuses_to_open(&wrong, data_of(&sealed), metadata_of(&sealed));
        xmtp_welcome_sealed_free(&sealed);
    }
}

static void keys_of_a_wrong_length_or_algorithm_are_refused(void **state)
{
    (void)state;
    const recipient r = recipient_of(XMTP_WRAPPER_XWING, 5);
    xmtp_welcome_sealed sealed;
    xmtp_error error = {0};
    xmtp_bytes short_key = xmtp_bytes_of(r.pk, 32);
    assert_int_equal(xmtp_welcome_seal(xmtp_env_system(), XMTP_WRAPPER_XWING, short_key, nothing, 0,
                                       &sealed, &error),
                     XMTP_E_KEY);
    assert_null(sealed.data);
    assert_int_equal(xmtp_welcome_seal(xmtp_env_system(), XMTP_WRAPPER_CURVE25519, public_of(&r),
                                       nothing, 0, &sealed, &error),
                     XMTP_E_KEY);
    assert_int_equal(xmtp_welcome_seal(xmtp_env_system(), XMTP_WRAPPER_SYMMETRIC, public_of(&r),
                                       nothing, 0, &sealed, &error),
                     XMTP_E_UNSUPPORTED);
    const uint8_t zero[32] = {0}; /* a point that would make the secret known to everybody */
    assert_int_equal(xmtp_welcome_seal(xmtp_env_system(), XMTP_WRAPPER_CURVE25519,
                                       xmtp_bytes_of(zero, 32), nothing, 0, &sealed, &error),
                     XMTP_E_KEY);
    const xmtp_unwrap_key key = {.algorithm = XMTP_WRAPPER_SYMMETRIC, .sk = r.sk};
    xmtp_welcome_opened opened;
    assert_int_equal(xmtp_welcome_open(heap(), &key, nothing, nothing, &opened, &error),
                     XMTP_E_UNSUPPORTED);
}

/* Sealed by hand, with metadata that is no WelcomeMetadata. */
static void metadata_that_does_not_decode_is_ignored_but_not_in_a_pointee(void **state)
{
    (void)state;
    const recipient r = recipient_of(XMTP_WRAPPER_CURVE25519, 5);
    const xmtp_bytes info = hex("134d4c5320312e30204d4c535f57454c434f4d4500");
    const xmtp_bytes bad = hex("ffff");
    uint8_t seed[XMTP_KEM_SEED_MAX] = {1};
    uint8_t data[1 + 32 + 1 + 18] = {32};
    uint8_t metadata[18];
    xmtp_hpke c;
    ok(xmtp_hpke_setup_sender(&c, &xmtp_suite_x25519_chacha, r.pk, info, seed, data + 1));
    data[33] = 18;
    ok(xmtp_hpke_seal(&c, nothing, hex("0001"), data + 34));
    ok(xmtp_hpke_seal(&c, nothing, bad, metadata));
    xmtp_hpke_wipe(&c);
    xmtp_welcome_opened opened;
    ok(open_with(&r, xmtp_bytes_of(data, sizeof data), xmtp_bytes_of(metadata, sizeof metadata),
                 &opened));
    assert_int_equal(opened.message_cursor, 0);
    xmtp_welcome_opened_free(&opened);

    xmtp_welcome_pointer p;
    ok(xmtp_welcome_pointer_generate(xmtp_env_system(), &p));
    ok(xmtp_aead_chacha20poly1305.seal(p.key, p.data_nonce, nothing, hex("0001"), data));
    ok(xmtp_aead_chacha20poly1305.seal(p.key, p.metadata_nonce, nothing, bad, metadata));
    assert_int_equal(xmtp_welcome_pointee_open(heap(), &p, xmtp_bytes_of(data, 18),
                                               xmtp_bytes_of(metadata, 18), &opened, NULL),
                     XMTP_E_MALFORMED);
    assert_null(opened.welcome);
}

/* ---- pointers of ours */

/* One after the other as they come out; out holds as many as there are. */
static xmtp_status seal(const xmtp_welcome_pointer *pointer, const xmtp_bytes *public_keys,
                        size_t count, uint8_t (*out)[XMTP_WELCOME_POINTER_LEN], xmtp_error *error)
{
    xmtp_pointers_sealing *sealing;
    xmtp_status status =
        xmtp_welcome_pointers_begin(xmtp_env_system(), pointer, public_keys, count, &sealing);
    if (status == XMTP_OK) {
        status = xmtp_welcome_pointers_finish(sealing, error);
    }
    for (size_t i = 0; status == XMTP_OK && i < count; i++) {
        memcpy(out[i], xmtp_welcome_pointer_at(sealing, i).p, sizeof out[i]);
    }
    xmtp_welcome_pointers_free(sealing);
    return status;
}

static void a_pointer_of_ours_leads_to_its_welcome(void **state)
{
    (void)state;
    const recipient r = recipient_of(XMTP_WRAPPER_XWING, 9);
    const xmtp_bytes welcome = hex("000100030003");
    xmtp_welcome_pointer made;
    xmtp_welcome_pointer read;
    xmtp_welcome_sealed pointee;
    xmtp_welcome_opened opened;
    uint8_t wrapped[1][XMTP_WELCOME_POINTER_LEN];
    const xmtp_bytes public_key = public_of(&r);
    ok(xmtp_welcome_pointer_generate(xmtp_env_system(), &made));
    ok(xmtp_welcome_pointee_seal(xmtp_env_system(), &made, welcome, 28, &pointee));
    ok(seal(&made, &public_key, 1, wrapped, NULL));
    ok(xmtp_welcome_pointer_open(heap(), &XWING(r.sk), xmtp_bytes_of(wrapped[0], 1240), &read,
                                 NULL));
    assert_memory_equal(&read, &made, sizeof made);
    ok(xmtp_welcome_pointee_open(heap(), &read, data_of(&pointee), metadata_of(&pointee), &opened,
                                 NULL));
    assert_bytes(xmtp_bytes_of(opened.welcome, opened.welcome_len), welcome);
    assert_int_equal(opened.message_cursor, 28);
    xmtp_welcome_opened_free(&opened);
    pointee.data[0] ^= 1;
    assert_int_equal(xmtp_welcome_pointee_open(heap(), &read, data_of(&pointee),
                                               metadata_of(&pointee), &opened, NULL),
                     XMTP_E_AUTH);
    xmtp_welcome_sealed_free(&pointee);
}

enum { RECEIVERS = 21 };

static void a_pointer_to_many_opens_at_each_of_them(void **state)
{
    (void)state;
    static recipient to[RECEIVERS];
    xmtp_bytes public_keys[RECEIVERS];
    uint8_t wrapped[RECEIVERS][XMTP_WELCOME_POINTER_LEN];
    xmtp_welcome_pointer made;
    ok(xmtp_welcome_pointer_generate(xmtp_env_system(), &made));
    for (size_t i = 0; i < RECEIVERS; i++) {
        to[i] = recipient_of(XMTP_WRAPPER_XWING, (uint8_t)(i + 1));
        public_keys[i] = public_of(&to[i]);
    }
    for (size_t count = 0; count <= RECEIVERS; count += 1 + count / 4) {
        memset(wrapped, 0, sizeof wrapped);
        ok(seal(&made, public_keys, count, wrapped, NULL));
        for (size_t i = 0; i < RECEIVERS; i++) {
            const xmtp_bytes sealed = xmtp_bytes_of(wrapped[i], sizeof wrapped[i]);
            xmtp_welcome_pointer read;
            xmtp_status status =
                xmtp_welcome_pointer_open(heap(), &XWING(to[i].sk), sealed, &read, NULL);
            assert_int_equal(status == XMTP_OK, i < count);
            assert_int_equal(memcmp(&read, &made, sizeof made) == 0, i < count);
            assert_true(i == 0 || i >= count || memcmp(wrapped[0], wrapped[i], 1240) != 0);
        }
    }
}

static void one_bad_key_among_many_receivers_is_refused(void **state)
{
    (void)state;
    const recipient good = recipient_of(XMTP_WRAPPER_XWING, 1);
    const xmtp_welcome_pointer pointer = {.key = {1}, .metadata_nonce = {2}};
    for (size_t bad = 0; bad < RECEIVERS; bad++) {
        recipient changed = good;
        xmtp_bytes public_keys[RECEIVERS];
        uint8_t wrapped[RECEIVERS][XMTP_WELCOME_POINTER_LEN];
        xmtp_error error = {0};
        for (size_t i = 0; i < RECEIVERS; i++) {
            public_keys[i] = public_of(i == bad ? &changed : &good);
        }
        switch (bad % 3) {
        case 0: /* too short */
            public_keys[bad].n--;
            break;
        case 1: /* a coefficient of 4095 */
            memset(changed.pk, 0xff, 3);
            break;
        default: /* a point of small order */
            memset(changed.pk + XMTP_XWING_PK_LEN - 32, 0, 32);
        }
        assert_int_equal(seal(&pointer, public_keys, RECEIVERS, wrapped, &error), XMTP_E_KEY);
        assert_int_equal(error.status, bad % 3 == 0 ? XMTP_OK : XMTP_E_KEY);
    }
}

/* For another seed, or another algorithm, it is left alone. */
static void an_expanded_key_serves_its_own_seed_only(void **state)
{
    (void)state;
    const recipient mine = recipient_of(XMTP_WRAPPER_XWING, 9);
    const recipient other = recipient_of(XMTP_WRAPPER_XWING, 8);
    const recipient curve = recipient_of(XMTP_WRAPPER_CURVE25519, 9);
    const recipient *const all[] = {&mine, &other, &curve};
    xmtp_expanded_key *expanded;
    ok(xmtp_expanded_key_new(&expanded, heap(), mine.sk));
    assert_true(xmtp_expanded_key_is_of(expanded, mine.sk));
    assert_false(xmtp_expanded_key_is_of(expanded, other.sk));
    for (size_t i = 0; i < 6; i++) {
        const recipient *to = all[i % 3];
        const xmtp_unwrap_key key = {
            .algorithm = to->algorithm, .sk = to->sk, .expanded = expanded};
        xmtp_welcome_sealed sealed = sealed_to(to, hex("000100030003"), 5);
        xmtp_welcome_opened opened;
        ok(xmtp_welcome_open(heap(), &key, data_of(&sealed), metadata_of(&sealed), &opened, NULL));
        assert_int_equal(opened.message_cursor, 5);
        xmtp_welcome_opened_free(&opened);
        sealed.data[sealed.data_len - 1] ^= 1;
        assert_int_equal(xmtp_welcome_open(heap(), &key, data_of(&sealed), nothing, &opened, NULL),
                         XMTP_E_AUTH);
        xmtp_welcome_sealed_free(&sealed);
    }
    xmtp_expanded_key_free(expanded);
    xmtp_expanded_key_free(NULL);
}

enum { WELCOMES = 19 };

/* Whole, altered in each part, and for somebody else, as neighbours. */
static void damage(size_t i, uint8_t *data, size_t n)
{
    const size_t enc = 2;
    switch (i) {
    case 2: /* the ciphertext of ML-KEM */
        data[enc + 7] ^= 1;
        break;
    case 5: /* a point of small order */
        memset(data + enc + 1120 - 32, 0, 32);
        break;
    case 6:
        data[enc + 1119] ^= 1;
        break;
    case 9: /* no HPKECiphertext */
        data[0] ^= 0x20;
        break;
    case 11: /* the plaintext */
        data[n - 1] ^= 1;
        break;
    }
}

/* All but the last three of them were looked at ahead. */
static void what_was_decapsulated_ahead_opens_as_without(void **state)
{
    (void)state;
    const recipient mine = recipient_of(XMTP_WRAPPER_XWING, 9);
    const recipient other = recipient_of(XMTP_WRAPPER_XWING, 8);
    xmtp_welcome_sealed sealed[WELCOMES];
    xmtp_bytes data[WELCOMES];
    xmtp_expanded_key *expanded;
    size_t good = 0;
    for (size_t i = 0; i < WELCOMES; i++) {
        sealed[i] = sealed_to(i == 3 ? &other : &mine, hex("000100030003"), i);
        data[i] = data_of(&sealed[i]);
        damage(i, sealed[i].data, sealed[i].data_len);
    }
    ok(xmtp_expanded_key_new(&expanded, heap(), mine.sk));
    ok(xmtp_expanded_key_go_ahead(expanded, data, WELCOMES - 3));
    for (size_t i = WELCOMES; i-- > 0;) {
        const xmtp_unwrap_key ahead = {
            .algorithm = XMTP_WRAPPER_XWING, .sk = mine.sk, .expanded = expanded};
        xmtp_welcome_opened one;
        xmtp_welcome_opened two;
        xmtp_error errors[2] = {0};
        const xmtp_status status = xmtp_welcome_open(heap(), &XWING(mine.sk), data[i],
                                                     metadata_of(&sealed[i]), &one, &errors[0]);
        assert_int_equal(
            xmtp_welcome_open(heap(), &ahead, data[i], metadata_of(&sealed[i]), &two, &errors[1]),
            status);
        assert_memory_equal(&errors[0], &errors[1], sizeof errors[0]);
        if (status == XMTP_OK) {
            assert_bytes(xmtp_bytes_of(one.welcome, one.welcome_len),
                         xmtp_bytes_of(two.welcome, two.welcome_len));
            assert_int_equal(two.message_cursor, i);
            good++;
        }
        assert_int_equal(status == XMTP_E_KEY, i == 5);
        assert_int_equal(status == XMTP_E_MALFORMED, i == 9);
        xmtp_welcome_opened_free(&one);
        xmtp_welcome_opened_free(&two);
        xmtp_welcome_sealed_free(&sealed[i]);
    }
    assert_int_equal(good, WELCOMES - 6);
    xmtp_expanded_key_free(expanded);
}

/* Seals any plaintext as a pointer. */
static xmtp_status opens_pointer_with(const char *plaintext)
{
    const recipient r = recipient_of(XMTP_WRAPPER_XWING, 9);
    xmtp_welcome_sealed sealed = sealed_to(&r, hex(plaintext), 0);
    xmtp_welcome_pointer out;
    xmtp_status status =
        xmtp_welcome_pointer_open(heap(), &XWING(r.sk), data_of(&sealed), &out, NULL);
    const xmtp_welcome_pointer empty = {0};
    assert_memory_equal(&out, &empty, sizeof out);
    xmtp_welcome_sealed_free(&sealed);
    return status;
}

static void pointers_that_we_do_not_know_are_refused(void **state)
{
    (void)state;
    assert_int_equal(opens_pointer_with(""), XMTP_E_UNSUPPORTED);
    assert_int_equal(opens_pointer_with("0a00"), XMTP_E_UNSUPPORTED);
    assert_int_equal(opens_pointer_with("0a021001"), XMTP_E_UNSUPPORTED);
    assert_int_equal(opens_pointer_with("0a021003"), XMTP_E_MALFORMED);
    assert_int_equal(opens_pointer_with("12021003"), XMTP_E_UNSUPPORTED);
    assert_int_equal(opens_pointer_with("0aff"), XMTP_E_MALFORMED);
    assert_int_equal(opens_pointer_with("0a050a01ff1003"), XMTP_E_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(recorded_welcomes_open),
        TEST(the_pointer_of_appendix_a2_opens),
        TEST(what_we_seal_to_a_curve25519_key_opens),
        TEST(what_we_seal_to_an_xwing_key_opens),
        TEST(altered_welcomes_do_not_open),
        TEST(another_recipient_does_not_open),
        TEST(keys_of_a_wrong_length_or_algorithm_are_refused),
        TEST(metadata_that_does_not_decode_is_ignored_but_not_in_a_pointee),
        TEST(a_pointer_of_ours_leads_to_its_welcome),
        TEST(a_pointer_to_many_opens_at_each_of_them),
        TEST(one_bad_key_among_many_receivers_is_refused),
        TEST(what_was_decapsulated_ahead_opens_as_without),
        TEST(an_expanded_key_serves_its_own_seed_only),
        TEST(pointers_that_we_do_not_know_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
