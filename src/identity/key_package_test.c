/* key_package_test.c - recorded key packages verify, ours have their layout byte for byte, and what
 * a peer, a node and an adder refuse.
 */
#include "identity/key_package.h"

#include "crypto/crypto.h"
#include "identity/test_support.h"
#include "mls/key_package.h"

static const char appendix_a1[] =
    "0001000320526e92c8bbde48017e20af9127e1525f70e18c4389ce63d506a435d08dbd1d36206a8e499b17af"
    "0f1c816e00d18425179f718ffe7a89ec100a24ba5f1cb04fd269201981693349ec22c6c122245d8b219f35c1"
    "36b9bcf26f97612ab4f6862e127911000140420a406632646334623930623637343837363538653666633164"
    "3437353963313438666163373937656132346661646565313863396435313137383765303465613161020001"
    "02000310000a0001ff02ff00ff01ff03ff04f00002000702000101000000006b0326df000000006b71f2ef40"
    "4600014042404066326463346239306236373438373635386536666331643437353963313438666163373937"
    "65613234666164656531386339643531313738376530346561316140400a4612ec01779c6154f7b812c88e05"
    "2741a4d37f3addf8737cec986bd44054eda65aed03c845a6885fba25f3413507644f9056651eb73a7c815b88"
    "910805d40544d2000a00ff04030a0103ff0344c50ac00988472be0d3438f32a498ec0412c8253b52a989ea7c"
    "e714adea788228f26ecbb6081d6c41741b20c5c5793be089d5c7b1d22279b2f231cf8a368843517cbc30cc44"
    "2f3247cffea736b203248019ce60f0b0cb88c7600062feb4043fd7838b93ac3d61c3ebc22c0f6622323cbb3c"
    "39ae5bf995cb994fec82a3f9c23e2d303ac293aaff1038cea0c9e78451866a5fce42cdaad4188f4a8d33eb9d"
    "3af296107a09f56b5a7587c95807a4bedb6fe2d3a2e38c271f6729f1b896bd131364e995d5095da95717d382"
    "87b72a11765829c92754b5bb9b320770319aca38d5430a07b895d3ce67f889a9b44d1171c474864ec8340fa7"
    "f353f36ac30d85150edb80b269ad9b266b5bb765e426524980084ed31a300cb9c2a1937710a50ebbc30b7a2e"
    "58b8c0b6b65132a5ae56ab4c7d1aa691376830b12a67027f21db825d980b0cab1f425068f6039c9b2b8d6f86"
    "b2898007635203a1690b3b599293a33db6881d9172a0479676e5c9336dd121939a8f81067d009b049c64c50b"
    "c70a50121b21e3ad17e4bab5172001b63b609988aec223e75b808656254047a5d0682732762be572cddf5065"
    "16263f48a09b92d374dc03d096f0b440340d48b5752c46243443b2ea3250da498a4629c2bd581062813f98f0"
    "9d6a5c8fbce8c0790b9500cb52bc8980d0b254f545598efcaa2e5c0cd70c6eeef92e9347cba14a08d2c6322d"
    "860558901bffb0655ea570dda545d69832c9b26a92922356d69078c06cd5d86f49d0be6561ab7eeb2b7cab6f"
    "f89aa1d8d7bd0d10964a4536f6730a37f3ad7c94b3a2c00ef6f71da4624accba2722cb8f7f78a34195232458"
    "8e9bb81f7c06cb339bc210eb65fc54463da3044085a9813ab07247ac6764023811a1307515779a6f4d3b446f"
    "8c6a4fd2ceab96ccfe112fc21c6913c948fc21755c526f0b0469908664c8da4717bcb8250494ecf5c2462bc8"
    "f9fa98e932998b350924d54bf16196900a967eacb93d7266b6924d105acc38489392765350c974a5a376c6a3"
    "7d050354c016202ad2459a273ece97636fd83d6c35259113948dd6b35e043e89ca3c7ef60086b187cad42c88"
    "36c614171df872ab6ceab99f18c9cfaa1e42415564907003b05b07bb4116306bed098ee3233e90d69f62a60a"
    "8ee431b88c58c5406222648824e748666736bba6a66233017bf92862a8bf6102ce4557bf38787b9979637ae8"
    "878746ac37b70b1851430e877cfc074e51ca1608d35087c45fc0b543f3877f46f878ed0b6a72db37088c53d8"
    "f0a05805b66b1a37d3ec2af5d905fa99a833c0836d150bf16bc7bd0556120b0907b456af39b3126903ad7493"
    "daf1cb5e8c6fcc304da86c8142569d67992aaaf329042bb01263b7e6e9308c767d9a833869b36addb5976bfc"
    "63f294343fa87c2d34234b61975dc102331a1e427525b8b98ec6b23ca7695e48ea40b98a97eb44899bb6c7d8"
    "042666c379fac003f2e5a63a6c69dcb665000d36e227904a9484b99a14e7fa1150d1b910174847e49b37a557"
    "101009d0db1bfb2a213b5887bef5ac2a0411031478d4948709888850704c63e86537b274e85761ff36a3d10c"
    "9bfc549a7a5706713a7dea134706b2399ae76147471fc84a5a801483a4ea3fcddf1237e71f5267bfa9c99a96"
    "c9b0df21d1a7f319bf18bdd76cde5b7b93188d882137d637193dbbf2e5ff914df1220e020ff24772cf501709"
    "84747e76fad76e10024040a0b6c28f083194839fc7e60d436a0de9b507b31b679987f21f002076216846f8a2"
    "85ff34564d2da6487ec566929fe5f257a8141585f461773781199d206e7308";

static const char inbox[] = "f2dc4b90b67487658e6fc1d4759c148fac797ea24fadee18c9d511787e04ea1a";

/* Where the parts that are random or signed lie in a key package of 1659 bytes (identity.md 6.3).
 */
typedef struct span {
    size_t offset;
    size_t len;
} span;

enum { PACKAGE_LEN = 1659, NOT_BEFORE_OFFSET = 203, WRAPPER_KEY_OFFSET = 1593 - 2 - 1216 };
static const span init_key = {5, 32};
static const span encryption_key = {38, 32};
static const span leaf_signature = {293, 64};
static const span wrapper_key = {WRAPPER_KEY_OFFSET, 1216};
static const span package_signature = {1595, 64};

static xmtp_bytes part(xmtp_bytes package, span s)
{
    return xmtp_bytes_of(package.p + s.offset, s.len);
}

static uint64_t u64_at(xmtp_bytes in, size_t offset)
{
    uint64_t value = 0;
    for (size_t i = 0; i < 8; i++) {
        value = value << 8 | in.p[offset + i];
    }
    return value;
}

/* ---- a world with its own clock */

static uint64_t clock_ns;

static uint64_t told_time(void *context)
{
    (void)context;
    return clock_ns;
}

static xmtp_env env_at(uint64_t now_s)
{
    xmtp_env env = *xmtp_env_system();
    env.now_ns = told_time;
    clock_ns = now_s * 1000000000u + 999999999u;
    return env;
}

/* ---- recorded ones */

static xmtp_inbox_key_package verified(xmtp_bytes package, uint64_t now_s,
                                       xmtp_inbox_key_package_rules rules,
                                       const xmtp_inbox_key_package_expected *expected)
{
    xmtp_inbox_key_package out;
    xmtp_error error = {0};
    if (xmtp_inbox_key_package_verify(xmtp_env_system(), package, now_s, rules, expected, &out,
                                      &error) != XMTP_OK) {
        fail_msg("%s", error.text);
    }
    return out;
}

static void agrees(const cJSON *v)
{
    xmtp_bytes package = hex_item(v, "key_package_tls");
    const cJSON *fields = item(v, "fields");
    xmtp_bytes id = hex_item(v, "installation_id");
    const char *inbox_id = text_of(item(item(fields, "credential"), "decoded"), "inbox_id");
    const xmtp_inbox_key_package_expected expected = {.installation = id,
                                                      .inbox_id = xmtp_bytes_of_string(inbox_id)};
    const uint64_t now_s = u64_at(package, NOT_BEFORE_OFFSET) + 3600;
    (void)verified(package, now_s, XMTP_KEY_PACKAGE_PEER, NULL);
    (void)verified(package, now_s, XMTP_KEY_PACKAGE_NODE, NULL);
    xmtp_inbox_key_package out = verified(package, now_s, XMTP_KEY_PACKAGE_ADDER, &expected);
    assert_bytes(xmtp_bytes_of(out.mls.ref, out.mls.ref_len), hex_item(v, "key_package_ref"));
    assert_bytes(out.installation, id);
    assert_bytes(out.inbox_id, xmtp_bytes_of_string(inbox_id));
    assert_int_equal(out.wrapper_algorithm, XMTP_WRAPPER_XWING);
    assert_bytes(out.wrapper_key,
                 hex_item(item(fields, "ext_ff03_welcome_wrapper_encryption"), "pub_key"));
    assert_true(out.takes_pointers);
    assert_int_equal(out.mls.not_after - out.mls.not_before,
                     XMTP_KEY_PACKAGE_LIFETIME_S + XMTP_KEY_PACKAGE_BACKDATE_S);
}

static void recorded_key_packages_verify_for_everybody(void **state)
{
    (void)state;
    size_t count = 0;
    cJSON *json = vectors("key-packages.json");
    const cJSON *v;
    cJSON_ArrayForEach(v, item(json, "key_packages"))
    {
        agrees(v);
        count++;
    }
    assert_int_equal(count, 10);
    cJSON_Delete(json);
}

static void the_key_package_of_appendix_a1_verifies(void **state)
{
    (void)state;
    xmtp_bytes package = hex(appendix_a1);
    uint8_t digest[32];
    xmtp_hash_of(&xmtp_hash_sha256, package, digest);
    assert_bytes(xmtp_bytes_of(digest, 32),
                 hex("f7b278ee14733c46c6e59091546476d3f8ab7221797bd2eeb6bfe0210d5500c7"));
    xmtp_inbox_key_package out = verified(package, 1795368671 + 1, XMTP_KEY_PACKAGE_ADDER, NULL);
    assert_bytes(xmtp_bytes_of(out.mls.ref, out.mls.ref_len),
                 hex("ad9a4e06f1b8484c1605cf28f6297ad2cd0c684d0782029c1d4801ecf9120bc8"));
    assert_bytes(out.inbox_id, xmtp_bytes_of_string(inbox));
}

/* ---- ours */

typedef struct made {
    xmtp_bytes package;
    xmtp_inbox_key_package_keys keys;
} made;

static made make(const xmtp_env *env, const char *inbox_id, const xmtp_installation *installation)
{
    made m;
    uint8_t *p;
    size_t n;
    xmtp_error error = {0};
    if (xmtp_inbox_key_package_create(env, inbox_id, installation, &p, &n, &m.keys, &error) !=
        XMTP_OK) {
        fail_msg("%s", error.text);
    }
    m.package = adopt(p, n);
    return m;
}

static void blank(uint8_t *package, span s)
{
    memset(package + s.offset, 0, s.len);
}

/* Without fresh keys, and without the signatures that cover them. */
static xmtp_bytes skeleton(xmtp_bytes package)
{
    assert_int_equal(package.n, PACKAGE_LEN);
    xmtp_bytes copy = copy_of(package);
    uint8_t *p = (uint8_t *)(uintptr_t)copy.p;
    blank(p, init_key);
    blank(p, encryption_key);
    blank(p, leaf_signature);
    blank(p, wrapper_key);
    blank(p, package_signature);
    return copy;
}

static void ours_have_the_official_layout_byte_for_byte(void **state)
{
    (void)state;
    cJSON *json = vectors("key-packages.json");
    const cJSON *v;
    cJSON_ArrayForEach(v, item(json, "key_packages"))
    {
        if (item(v, "private") == NULL) {
            continue; /* rotated away before it was read */
        }
        xmtp_bytes official = hex_item(v, "key_package_tls");
        xmtp_bytes seed = hex_item(item(v, "private"), "signature_private_seed");
        xmtp_installation installation;
        ok(xmtp_installation_from_seed(seed.p, &installation));
        const cJSON *credential = item(item(v, "fields"), "credential");
        const xmtp_env env =
            env_at(u64_at(official, NOT_BEFORE_OFFSET) + XMTP_KEY_PACKAGE_BACKDATE_S);
        made m = make(&env, text_of(item(credential, "decoded"), "inbox_id"), &installation);
        assert_bytes(skeleton(m.package), skeleton(official));
    }
    cJSON_Delete(json);
}

/* Given the official private keys, the same bytes come out, signatures included. */
static void the_official_keys_give_the_official_bytes(void **state)
{
    (void)state;
    cJSON *json = vectors("key-packages.json");
    const cJSON *v = cJSON_GetArrayItem(item(json, "key_packages"), 0);
    xmtp_bytes official = hex_item(v, "key_package_tls");
    xmtp_bytes seed = hex_item(item(v, "private"), "signature_private_seed");
    xmtp_installation installation;
    ok(xmtp_installation_from_seed(seed.p, &installation));
    const cJSON *credential = item(item(v, "fields"), "credential");
    const xmtp_env env = env_at(u64_at(official, NOT_BEFORE_OFFSET) + XMTP_KEY_PACKAGE_BACKDATE_S);
    made m = make(&env, text_of(item(credential, "decoded"), "inbox_id"), &installation);
    const span fresh[] = {init_key, encryption_key, wrapper_key};
    for (size_t i = 0; i < 3; i++) {
        memcpy((uint8_t *)(uintptr_t)m.package.p + fresh[i].offset, official.p + fresh[i].offset,
               fresh[i].len);
    }
    xmtp_key_package decoded;
    ok(xmtp_key_package_of(m.package, &decoded));
    xmtp_writer leaf;
    xmtp_writer scratch;
    xmtp_writer whole;
    xmtp_writer_init(&leaf, heap(), XMTP_WRITER_MAX);
    xmtp_writer_init(&scratch, heap(), XMTP_WRITER_MAX);
    xmtp_writer_init(&whole, heap(), XMTP_WRITER_MAX);
    ok(xmtp_leaf_node_sign(&xmtp_suite_x25519_chacha, installation.sk, &decoded.leaf_node,
                           (xmtp_bytes){0}, 0, &scratch, &leaf));
    ok(xmtp_leaf_node_of(xmtp_writer_bytes(&leaf), &decoded.leaf_node));
    ok(xmtp_key_package_sign(&xmtp_suite_x25519_chacha, installation.sk, &decoded, &scratch,
                             &whole));
    assert_bytes(finish(&whole), official);
    xmtp_writer_free(&leaf);
    xmtp_writer_free(&scratch);
    cJSON_Delete(json);
}

static void ours_verify_and_their_private_keys_belong_to_them(void **state)
{
    (void)state;
    const uint64_t now_s = 1800000000;
    const xmtp_env env = env_at(now_s);
    made a = make(&env, inbox, installation_of(1));
    made b = make(&env, inbox, installation_of(1));
    const xmtp_inbox_key_package_expected expected = {.installation =
                                                          xmtp_bytes_of(installation_of(1)->pk, 32),
                                                      .inbox_id = xmtp_bytes_of_string(inbox)};
    (void)verified(a.package, now_s, XMTP_KEY_PACKAGE_NODE, NULL);
    xmtp_inbox_key_package out = verified(a.package, now_s, XMTP_KEY_PACKAGE_ADDER, &expected);
    assert_int_equal(out.mls.not_before, now_s - XMTP_KEY_PACKAGE_BACKDATE_S);
    assert_int_equal(out.mls.not_after, now_s + XMTP_KEY_PACKAGE_LIFETIME_S);
    assert_memory_equal(out.mls.ref, a.keys.mls.ref, 32);
    assert_bytes(out.mls.init_key, xmtp_bytes_of(a.keys.init_pk, 32));
    assert_bytes(out.wrapper_key, xmtp_bytes_of(a.keys.xwing_pk, XMTP_XWING_PK_LEN));
    uint8_t pk[XMTP_XWING_PK_LEN];
    ok(xmtp_kem_x25519.public_key(a.keys.mls.init_sk, pk));
    assert_memory_equal(pk, a.keys.init_pk, 32);
    ok(xmtp_kem_x25519.public_key(a.keys.mls.leaf_sk, pk));
    assert_bytes(part(a.package, encryption_key), xmtp_bytes_of(pk, 32));
    ok(xmtp_kem_xwing_004d.public_key(a.keys.xwing_seed, pk));
    assert_memory_equal(pk, a.keys.xwing_pk, sizeof pk);
    assert_memory_not_equal(a.keys.init_pk, b.keys.init_pk, 32);
    assert_memory_not_equal(a.keys.xwing_seed, b.keys.xwing_seed, 32);
    xmtp_inbox_key_package_keys_wipe(&a.keys);
    const xmtp_inbox_key_package_keys empty = {0};
    assert_memory_equal(&a.keys, &empty, sizeof empty);
}

static void a_malformed_inbox_id_makes_no_key_package(void **state)
{
    (void)state;
    uint8_t *p;
    size_t n;
    xmtp_inbox_key_package_keys keys;
    xmtp_error error = {0};
    assert_int_equal(xmtp_inbox_key_package_create(xmtp_env_system(), "f2", installation_of(1), &p,
                                                   &n, &keys, &error),
                     XMTP_E_INBOX_ID);
    assert_null(p);
}

/* ---- refusals */

static xmtp_status verdict(xmtp_bytes package, uint64_t now_s, xmtp_inbox_key_package_rules rules,
                           const xmtp_inbox_key_package_expected *expected)
{
    xmtp_inbox_key_package out;
    xmtp_error error = {0};
    xmtp_status status = xmtp_inbox_key_package_verify(xmtp_env_system(), package, now_s, rules,
                                                       expected, &out, &error);
    assert_int_equal(error.status, status);
    if (status != XMTP_OK) {
        assert_true(strlen(error.text) > 0);
        assert_int_equal(out.inbox_id.n, 0);
    }
    return status;
}

static void assert_verdict(xmtp_status actual, xmtp_status expected)
{
    assert_string_equal(xmtp_status_name(actual), xmtp_status_name(expected));
}

static void a_lifetime_must_contain_the_present(void **state)
{
    (void)state;
    xmtp_bytes package = hex(appendix_a1);
    assert_verdict(verdict(package, 1795368671, XMTP_KEY_PACKAGE_PEER, NULL), XMTP_E_LIFETIME);
    assert_verdict(verdict(package, 1795368672, XMTP_KEY_PACKAGE_PEER, NULL), XMTP_OK);
    assert_verdict(verdict(package, 1802629870, XMTP_KEY_PACKAGE_PEER, NULL), XMTP_OK);
    assert_verdict(verdict(package, 1802629871, XMTP_KEY_PACKAGE_PEER, NULL), XMTP_E_LIFETIME);
    assert_verdict(verdict(package, 0, XMTP_KEY_PACKAGE_PEER, NULL), XMTP_OK);
}

static void every_flipped_bit_and_every_cut_is_refused(void **state)
{
    (void)state;
    xmtp_bytes package = hex(appendix_a1);
    uint8_t *copy = room(package.n + 1);
    for (size_t i = 0; i < package.n; i++) {
        memcpy(copy, package.p, package.n);
        copy[i] ^= (uint8_t)(1u << (i % 8));
        assert_int_not_equal(
            verdict(xmtp_bytes_of(copy, package.n), 0, XMTP_KEY_PACKAGE_PEER, NULL), XMTP_OK);
        assert_int_not_equal(verdict(xmtp_bytes_of(package.p, i), 0, XMTP_KEY_PACKAGE_PEER, NULL),
                             XMTP_OK);
    }
    memcpy(copy, package.p, package.n);
    copy[package.n] = 0;
    assert_verdict(verdict(xmtp_bytes_of(copy, package.n + 1), 0, XMTP_KEY_PACKAGE_PEER, NULL),
                   XMTP_E_TRAILING);
}

static void an_adder_wants_the_installation_and_inbox_that_it_asked_for(void **state)
{
    (void)state;
    xmtp_bytes package = hex(appendix_a1);
    xmtp_inbox_key_package_expected expected = {.installation =
                                                    xmtp_bytes_of(installation_of(1)->pk, 32)};
    assert_verdict(verdict(package, 0, XMTP_KEY_PACKAGE_ADDER, &expected), XMTP_E_KEY_PACKAGE);
    assert_verdict(verdict(package, 0, XMTP_KEY_PACKAGE_PEER, &expected), XMTP_OK);
    expected = (xmtp_inbox_key_package_expected){
        .inbox_id = xmtp_bytes_of_string(
            "a2dc4b90b67487658e6fc1d4759c148fac797ea24fadee18c9d511787e04ea1a")};
    assert_verdict(verdict(package, 0, XMTP_KEY_PACKAGE_ADDER, &expected), XMTP_E_CREDENTIAL);
}

/* Ours with something changed before it is signed. */
typedef struct change {
    uint16_t suite;       /* 0: that of the network */
    const char *identity; /* hex of the credential's identity */
    const char *wrapper;  /* hex of FF03; "none": without */
    const char *aeads;    /* hex of FF04 */
    uint16_t drop;        /* capability left out */
    uint64_t lifetime_s;
} change;

static xmtp_bytes changed(change c)
{
    const xmtp_installation *installation = installation_of(1);
    const xmtp_mls_capabilities *full = xmtp_inbox_key_package_capabilities();
    uint16_t *extensions = room(full->extensions.count * sizeof *extensions);
    size_t count = 0;
    for (size_t i = 0; i < full->extensions.count; i++) {
        if (full->extensions.items[i] != c.drop) {
            extensions[count++] = full->extensions.items[i];
        }
    }
    uint8_t credential[XMTP_CREDENTIAL_LEN];
    xmtp_inbox_credential_encode(inbox, credential);
    const bool has_wrapper = c.wrapper != NULL && strcmp(c.wrapper, "none") != 0;
    xmtp_mls_extension list[3] = {{.type = XMTP_MLS_EXTENSION_LAST_RESORT}};
    size_t list_count = 1;
    if (c.aeads != NULL) {
        list[list_count++] = (xmtp_mls_extension){XMTP_EXTENSION_POINTEE_AEAD, hex(c.aeads)};
    }
    if (has_wrapper) {
        list[list_count++] = (xmtp_mls_extension){XMTP_EXTENSION_WELCOME_WRAPPER, hex(c.wrapper)};
    }
    xmtp_mls_key_package_options options = {
        .suite = c.suite == 0 ? XMTP_MLS_SUITE_X25519_CHACHA : c.suite,
        .signer = {.identity = c.identity != NULL ? hex(c.identity)
                                                  : xmtp_bytes_of(credential, sizeof credential),
                   .signature_sk = xmtp_bytes_of(installation->sk, 32),
                   .signature_pk = xmtp_bytes_of(installation->pk, 32)},
        .capabilities = *full,
        .extensions = list,
        .extension_count = list_count,
        .not_before = 1800000000,
        .not_after = 1800000000 + (c.lifetime_s == 0 ? 7257600 : c.lifetime_s)};
    options.capabilities.extensions = (xmtp_mls_u16_list){.items = extensions, .count = count};
    uint8_t *p;
    size_t n;
    xmtp_mls_key_package_private keys;
    ok(xmtp_mls_key_package_create(xmtp_env_system(), &options, &p, &n, &keys, NULL));
    return adopt(p, n);
}

static void credentials_are_judged_by_who_asks(void **state)
{
    (void)state;
    xmtp_bytes empty = changed((change){.identity = ""});
    xmtp_bytes other = changed((change){.identity = "0a03616263"});
    xmtp_bytes broken = changed((change){.identity = "0a05ff"});
    assert_verdict(verdict(empty, 0, XMTP_KEY_PACKAGE_PEER, NULL), XMTP_OK);
    assert_verdict(verdict(empty, 0, XMTP_KEY_PACKAGE_NODE, NULL), XMTP_E_CREDENTIAL);
    assert_verdict(verdict(other, 0, XMTP_KEY_PACKAGE_PEER, NULL), XMTP_OK);
    assert_verdict(verdict(other, 0, XMTP_KEY_PACKAGE_NODE, NULL), XMTP_E_CREDENTIAL);
    assert_verdict(verdict(broken, 0, XMTP_KEY_PACKAGE_PEER, NULL), XMTP_E_CREDENTIAL);
}

/* Each would be a good key package in MLS. */
static void suites_that_the_network_does_not_use_are_refused_by_everybody(void **state)
{
    (void)state;
    static const uint16_t suites[] = {0x0001, 0xf004};
    for (size_t i = 0; i < 2; i++) {
        xmtp_bytes package = changed((change){.suite = suites[i]});
        xmtp_mls_key_package_info info;
        ok(xmtp_mls_key_package_verify(xmtp_env_system(), package, 0, &info, NULL));
        assert_int_equal(info.suite, suites[i]);
        assert_verdict(verdict(package, 0, XMTP_KEY_PACKAGE_PEER, NULL), XMTP_E_SUITE);
        assert_verdict(verdict(package, 0, XMTP_KEY_PACKAGE_NODE, NULL), XMTP_E_SUITE);
        assert_verdict(verdict(package, 0, XMTP_KEY_PACKAGE_ADDER, NULL), XMTP_E_SUITE);
    }
}

static void a_node_stores_at_most_400_days(void **state)
{
    (void)state;
    xmtp_bytes most = changed((change){.lifetime_s = XMTP_KEY_PACKAGE_RANGE_MAX_S});
    xmtp_bytes more = changed((change){.lifetime_s = XMTP_KEY_PACKAGE_RANGE_MAX_S + 1});
    assert_verdict(verdict(most, 1800000001, XMTP_KEY_PACKAGE_NODE, NULL), XMTP_OK);
    assert_verdict(verdict(more, 1800000001, XMTP_KEY_PACKAGE_NODE, NULL), XMTP_E_LIFETIME);
    assert_verdict(verdict(more, 1800000001, XMTP_KEY_PACKAGE_PEER, NULL), XMTP_OK);
}

static void without_ff03_the_init_key_wraps_and_pointers_are_not_taken(void **state)
{
    (void)state;
    xmtp_bytes package = changed((change){.aeads = "0a0103"});
    xmtp_inbox_key_package out = verified(package, 0, XMTP_KEY_PACKAGE_ADDER, NULL);
    assert_int_equal(out.wrapper_algorithm, XMTP_WRAPPER_CURVE25519);
    assert_bytes(out.wrapper_key, out.mls.init_key);
    assert_false(out.takes_pointers);
}

static const char *wrapper_of(size_t key_len, const char *tail)
{
    xmtp_writer w;
    xmtp_writer_init(&w, heap(), XMTP_WRITER_MAX);
    xmtp_writer_u8(&w, 0x0a);
    if (key_len >= 128) {
        xmtp_writer_u8(&w, (uint8_t)(key_len | 0x80));
        xmtp_writer_u8(&w, (uint8_t)(key_len >> 7));
    } else {
        xmtp_writer_u8(&w, (uint8_t)key_len);
    }
    memset(xmtp_writer_extend(&w, key_len), 9, key_len);
    xmtp_writer_put(&w, hex(tail));
    return hex_of(finish(&w));
}

static xmtp_status adder_says(change c)
{
    xmtp_bytes package = changed(c);
    /* Peers and nodes do not look into these extensions. */
    assert_verdict(verdict(package, 0, XMTP_KEY_PACKAGE_PEER, NULL), XMTP_OK);
    assert_verdict(verdict(package, 0, XMTP_KEY_PACKAGE_NODE, NULL), XMTP_OK);
    return verdict(package, 0, XMTP_KEY_PACKAGE_ADDER, NULL);
}

static void wrapper_keys_of_a_wrong_length_are_refused_by_an_adder(void **state)
{
    (void)state;
    assert_verdict(adder_says((change){.wrapper = wrapper_of(1216, "1002")}), XMTP_OK);
    assert_verdict(adder_says((change){.wrapper = wrapper_of(1215, "1002")}), XMTP_E_KEY_PACKAGE);
    assert_verdict(adder_says((change){.wrapper = wrapper_of(1217, "1002")}), XMTP_E_KEY_PACKAGE);
    assert_verdict(adder_says((change){.wrapper = ""}), XMTP_E_KEY_PACKAGE);
    assert_verdict(adder_says((change){.wrapper = wrapper_of(32, "1001")}), XMTP_OK);
    assert_verdict(adder_says((change){.wrapper = wrapper_of(32, "1063")}), XMTP_OK);
    assert_verdict(adder_says((change){.wrapper = wrapper_of(32, "1003")}), XMTP_E_EXTENSION);
    assert_verdict(adder_says((change){.wrapper = "0aff"}), XMTP_E_EXTENSION);
    assert_verdict(adder_says((change){.aeads = "0a"}), XMTP_E_EXTENSION);
    assert_verdict(adder_says((change){.aeads = "0a0180"}), XMTP_E_EXTENSION);
}

static bool takes(const char *aeads)
{
    xmtp_bytes package =
        changed((change){.aeads = aeads, .wrapper = wrapper_of(XMTP_XWING_PK_LEN, "1002")});
    return verified(package, 0, XMTP_KEY_PACKAGE_ADDER, NULL).takes_pointers;
}

static void pointers_are_taken_by_who_lists_chacha20poly1305(void **state)
{
    (void)state;
    assert_true(takes("0a0103"));
    assert_true(takes("0803"));
    assert_true(takes("0a03010203"));
    assert_false(takes(""));
    assert_false(takes("0a0101"));
    assert_false(takes("0a028303")); /* one number that ends in 3: 387 */
}

static void what_every_group_requires_must_be_in_the_capabilities(void **state)
{
    (void)state;
    const uint16_t required[] = {XMTP_EXTENSION_GROUP_MEMBERSHIP, XMTP_EXTENSION_MUTABLE_METADATA,
                                 XMTP_EXTENSION_GROUP_PERMISSIONS,
                                 XMTP_EXTENSION_IMMUTABLE_METADATA};
    for (size_t i = 0; i < 4; i++) {
        assert_verdict(adder_says((change){.drop = required[i]}), XMTP_E_CAPABILITIES);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(recorded_key_packages_verify_for_everybody),
        TEST(the_key_package_of_appendix_a1_verifies),
        TEST(ours_have_the_official_layout_byte_for_byte),
        TEST(the_official_keys_give_the_official_bytes),
        TEST(ours_verify_and_their_private_keys_belong_to_them),
        TEST(a_malformed_inbox_id_makes_no_key_package),
        TEST(a_lifetime_must_contain_the_present),
        TEST(every_flipped_bit_and_every_cut_is_refused),
        TEST(an_adder_wants_the_installation_and_inbox_that_it_asked_for),
        TEST(credentials_are_judged_by_who_asks),
        TEST(suites_that_the_network_does_not_use_are_refused_by_everybody),
        TEST(a_node_stores_at_most_400_days),
        TEST(without_ff03_the_init_key_wraps_and_pointers_are_not_taken),
        TEST(wrapper_keys_of_a_wrong_length_are_refused_by_an_adder),
        TEST(pointers_are_taken_by_who_lists_chacha20poly1305),
        TEST(what_every_group_requires_must_be_in_the_capabilities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
