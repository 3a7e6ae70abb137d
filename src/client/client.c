/* client.c - opening and closing, and the few things that every operation needs.
 *
 *     key, path, transport  -->  database (locked for us)  -->  registered  -->  ready
 *
 * An installation that is registered already opens without the network.
 */
#include "client/account.h"
#include "client/device_sync.h"
#include "client/host.h"
#include "client/stream.h"
#include "crypto/crypto.h"
#include "identity/inbox_id.h"
#include "rpc/grpc_transport.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <xmtp/setup.h>

enum { PATH_LEN_MAX = 4096 };

/* ---- shared helpers */

xmtp_status xmtp_stored(const xmtp_client *client, xmtp_status status, xmtp_error *error)
{
    if (status == XMTP_OK) {
        return XMTP_OK;
    }
    const xmtp_error *why = xmtp_database_error(client->db);
    if (why->status == status) {
        if (xmtp_is_our_trouble(status)) {
            xmtp_log_line(client, XMTP_LOG_ERROR, "database: %s", why->text);
        }
        return xmtp_fail(error, status, "%s", why->text);
    }
    return xmtp_fail_default(error, status, "database");
}

xmtp_status xmtp_begin(xmtp_client *client, xmtp_error *error)
{
    return xmtp_stored(client, xmtp_database_begin(client->db), error);
}

xmtp_status xmtp_commit(xmtp_client *client, xmtp_error *error)
{
    return xmtp_stored(client, xmtp_database_commit(client->db), error);
}

xmtp_mls_signer xmtp_client_signer(const xmtp_client *client)
{
    return (xmtp_mls_signer){
        .identity = xmtp_bytes_of(client->credential, sizeof(client->credential)),
        .signature_sk = xmtp_bytes_of(client->installation.sk, sizeof(client->installation.sk)),
        .signature_pk = xmtp_bytes_of(client->installation.pk, sizeof(client->installation.pk)),
    };
}

xmtp_mls_config xmtp_client_mls_config(const xmtp_client *client)
{
    return (xmtp_mls_config){
        .env = &client->env,
        .past_epochs_max = XMTP_PAST_EPOCHS, /* of any age, as in the official client */
        .private_messages_only = true,
        .refuse_psks = true,
        .openmls_verdicts = true, /* commits are judged as the official client judges them */
    };
}

bool xmtp_is_node_trouble(xmtp_status status)
{
    switch ((int)status) {
    case XMTP_E_NETWORK:
    case XMTP_E_UNTRUSTED:
    case XMTP_E_TLS:
    case XMTP_E_TIMEOUT:
    case XMTP_E_PROTOCOL:
    case XMTP_E_RPC:
    case XMTP_E_RPC_UNAVAILABLE:
    case XMTP_E_RPC_EXHAUSTED:
        return true;
    default:
        return false;
    }
}

bool xmtp_is_our_trouble(xmtp_status status)
{
    switch ((int)status) {
    case XMTP_E_NOMEM:
    case XMTP_E_RANDOM:
    case XMTP_E_IO:
    case XMTP_E_CLOSED:
    case XMTP_E_TIMEOUT:
    case XMTP_E_CANCELLED:
    case XMTP_E_INTERNAL:
    case XMTP_E_CRYPTO:
    case XMTP_E_NETWORK:
    case XMTP_E_UNTRUSTED:
    case XMTP_E_TLS:
    case XMTP_E_PROTOCOL:
    case XMTP_E_RPC:
    case XMTP_E_RPC_INVALID:
    case XMTP_E_RPC_UNAVAILABLE:
    case XMTP_E_RPC_UNIMPLEMENTED:
    case XMTP_E_RPC_EXHAUSTED:
    case XMTP_E_DATABASE:
    case XMTP_E_CORRUPT:
    case XMTP_E_DISK_FULL:
    case XMTP_E_LOCKED:
    case XMTP_E_RETRY:
        return true;
    default:
        return false;
    }
}

/* ---- opening */

static xmtp_status open_transport(xmtp_client *client, const xmtp_client_options *options,
                                  xmtp_error *error)
{
    const xmtp_credential_source *credentials =
        options->setup != NULL && options->setup->credentials.get != NULL
            ? &options->setup->credentials
            : NULL;
    if (options->transport != NULL && (credentials != NULL || options->node_authorities != NULL)) {
        return xmtp_fail(error, XMTP_E_ARGUMENT,
                         "%s go with node_url: a transport that is given has its own",
                         credentials != NULL ? "credentials" : "node_authorities");
    }
    if (options->transport != NULL) {
        client->transport = options->transport;
        return XMTP_OK;
    }
    const char *url;
    XMTP_TRY(xmtp_node_url(options->node_url, &url, error));
    XMTP_TRY(xmtp_grpc_transport_open(&client->own_transport, url, &client->env,
                                      options->app_version, error));
    client->transport = &client->own_transport;
    client->owns_transport = true;
    if (options->node_authorities != NULL) {
        XMTP_TRY(
            xmtp_grpc_transport_trust(&client->own_transport, options->node_authorities, error));
    }
    return credentials == NULL ? XMTP_OK
                               : xmtp_grpc_transport_authorize(&client->own_transport, &client->env,
                                                               credentials, error);
}

static xmtp_status make_folder(const char *path, xmtp_error *error)
{
    if (mkdir(path, S_IRWXU) == 0 || errno == EEXIST) {
        return XMTP_OK;
    }
    return xmtp_fail(error, XMTP_E_IO, "folder %.150s cannot be made (errno %d)", path, errno);
}

/* Makes every missing folder of path, which ends with one. */
static xmtp_status make_folders(char *path, xmtp_error *error)
{
    for (char *p = path + 1; *p != '\0'; p++) {
        if (*p == '/') {
            *p = '\0';
            xmtp_status status = make_folder(path, error);
            *p = '/';
            XMTP_TRY(status);
        }
    }
    return make_folder(path, error);
}

static bool data_folder(char *out, size_t capacity)
{
    const char *data = getenv("XMTP_DATA_DIR");
    const char *share = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");
    int n = -1;
    if (data != NULL && data[0] != '\0') {
        n = snprintf(out, capacity, "%s", data);
    } else if (share != NULL && share[0] != '\0') {
        n = snprintf(out, capacity, "%s/xmtp", share);
    } else if (home != NULL && home[0] != '\0') {
        n = snprintf(out, capacity, "%s/.local/share/xmtp", home);
    }
    return n > 0 && (size_t)n < capacity;
}

void xmtp_database_name(const char *account, const char *url, char *out, size_t capacity)
{
    uint8_t hash[32];
    char node[9];
    xmtp_hash_of(&xmtp_hash_sha256, xmtp_bytes_of_string(url), hash);
    xmtp_hex_encode(node, xmtp_bytes_of(hash, 4));
    (void)snprintf(out, capacity, "%s-%s.db", account, node);
}

/* In the data folder. Named after the address and not the inbox id, because that would need the
 * network. */
static xmtp_status default_path(const char *address, const char *url, char *out, size_t capacity,
                                xmtp_error *error)
{
    if (!data_folder(out, capacity - 128)) {
        return xmtp_fail(error, XMTP_E_IO, "no data folder: neither XMTP_DATA_DIR nor HOME is set");
    }
    XMTP_TRY(make_folders(out, error));
    size_t n = strlen(out);
    out[n++] = '/';
    xmtp_database_name(address, url, out + n, capacity - n);
    return XMTP_OK;
}

static xmtp_status derive_database_key(const xmtp_wallet *wallet,
                                       uint8_t key[XMTP_DATABASE_KEY_LEN])
{
    xmtp_secret prk;
    xmtp_hkdf_extract(&xmtp_hash_sha256, xmtp_bytes_of_string("xmtp client database"),
                      xmtp_bytes_of(wallet->sk, sizeof(wallet->sk)), &prk);
    xmtp_status status =
        xmtp_hkdf_expand(&xmtp_hash_sha256, xmtp_secret_bytes(&prk),
                         xmtp_bytes_of_string("encryption key"), key, XMTP_DATABASE_KEY_LEN);
    xmtp_secret_wipe(&prk);
    return status;
}

static xmtp_status make_database_key(xmtp_client *client, const xmtp_client_options *options,
                                     const xmtp_account_hand *hand,
                                     uint8_t key[XMTP_DATABASE_KEY_LEN], xmtp_error *error)
{
    bool is_made = false;
    if (options->database_key != NULL) {
        memcpy(key, options->database_key, XMTP_DATABASE_KEY_LEN);
        return XMTP_OK;
    }
    if (client->seat != NULL) {
        XMTP_TRY(xmtp_seat_key(client, hand->has_wallet, key, &is_made, error));
    }
    if (is_made) {
        return XMTP_OK;
    }
    if (hand->has_wallet) {
        return derive_database_key(&hand->wallet, key);
    }
    return client->env.random(client->env.context, key, XMTP_DATABASE_KEY_LEN); /* in memory */
}

static xmtp_status keep_path(xmtp_client *client, const char *path, xmtp_error *error)
{
    size_t n = strlen(path) + 1;
    client->database_path = client->env.alloc.reallocate(client->env.alloc.context, NULL, n);
    XMTP_ENSURE(client->database_path != NULL, xmtp_fail(error, XMTP_E_NOMEM, "no memory"));
    memcpy(client->database_path, path, n);
    return XMTP_OK;
}

/* Path (stays NULL in memory) and key. */
static xmtp_status find_database(xmtp_client *client, const xmtp_client_options *options,
                                 const xmtp_account_hand *hand, xmtp_error *error)
{
    char path[PATH_LEN_MAX];
    const char *file = options->database_path;
    bool is_given = file != NULL;
    if (client->seat != NULL) {
        bool is_ephemeral = options->encryption_key == NULL && options->account == NULL;
        XMTP_TRY(xmtp_seat_path(client, is_ephemeral, path, sizeof(path), error));
        file = path;
    } else if (!is_given && options->encryption_key != NULL) {
        const char *url;
        XMTP_TRY(xmtp_node_url(options->node_url, &url, error));
        XMTP_TRY(default_path(client->address, url, path, sizeof(path), error));
        file = path;
    }
    XMTP_TRY(make_database_key(client, options, hand, client->database_key, error));
    return file == NULL ? XMTP_OK : keep_path(client, file, error);
}

static xmtp_status open_database(xmtp_client *client, const xmtp_client_options *options,
                                 const xmtp_account_hand *hand, xmtp_error *error)
{
    XMTP_TRY(find_database(client, options, hand, error));
    XMTP_TRY(xmtp_database_open(&client->db, &client->env, client->database_path,
                                client->database_key, error));
    return xmtp_fence_pass(client, error);
}

xmtp_status xmtp_settings_load(xmtp_client *client, xmtp_error *error)
{
    uint64_t is_enabled;
    XMTP_TRY(xmtp_hmac_root(client, error));
    XMTP_TRY(
        xmtp_stored(client, xmtp_setting_number(client->db, "queue_enabled", &is_enabled), error));
    client->is_queue_enabled = is_enabled != 0;
    XMTP_TRY(xmtp_messages_classify_old(client, error));
    XMTP_TRY(xmtp_expiry_load(client, error));
    return xmtp_stored(client, xmtp_group_row_delete_unfinished(client->db), error);
}

/* Who the database is, or a new installation; registered unless it is to wait. */
static xmtp_status take_identity(xmtp_client *client, bool without_registration,
                                 const xmtp_account_hand *hand, xmtp_error *error)
{
    bool is_there;
    XMTP_TRY(xmtp_identity_load(client, &is_there, error));
    if (client->is_light && !client->is_registered) {
        return xmtp_fail(error, XMTP_E_NOT_REGISTERED,
                         "a light client opens the database of an installation that is registered");
    }
    XMTP_TRY(xmtp_rows_restore(client, error));
    if (!is_there) {
        XMTP_TRY(xmtp_installation_generate(&client->env, &client->installation));
    }
    xmtp_hex_encode(client->installation_id,
                    xmtp_bytes_of(client->installation.pk, sizeof(client->installation.pk)));
    if (!client->is_registered && !without_registration) {
        return xmtp_register(client, &hand->signer, error);
    }
    return is_there ? XMTP_OK : xmtp_inbox_choose(client, &hand->signer.identifier, NULL, error);
}

static void name_account(xmtp_client *client, const xmtp_identifier *id)
{
    if (id->kind == XMTP_IDENTIFIER_ETHEREUM) {
        memcpy(client->address, id->value.p, XMTP_ADDRESS_LEN);
        memcpy(client->account, id->value.p, XMTP_ADDRESS_LEN);
    } else {
        xmtp_hex_encode(client->account, id->value);
    }
}

static xmtp_status open_with_account(xmtp_client *client, const xmtp_client_options *options,
                                     const xmtp_account_hand *hand, xmtp_error *error)
{
    name_account(client, &hand->signer.identifier);
    XMTP_TRY(xmtp_device_sync_configure(client, options->device_sync, error));
    XMTP_TRY(open_transport(client, options, error));
    XMTP_TRY(open_database(client, options, hand, error));
    XMTP_TRY(xmtp_settings_load(client, error));
    bool without_registration = options->setup != NULL && options->setup->without_registration;
    XMTP_TRY(take_identity(client, without_registration, hand, error));
    xmtp_log_line(client, XMTP_LOG_INFO, "open: inbox %s, installation %s, %s", client->inbox_id,
                  client->installation_id, client->is_registered ? "registered" : "not registered");
    return XMTP_OK;
}

static xmtp_status take_wallet(xmtp_account_hand *hand, xmtp_client *client,
                               const xmtp_client_options *options, xmtp_error *error)
{
    *hand = (xmtp_account_hand){.client = client, .has_wallet = true, .error = error};
    if (options->encryption_key != NULL) {
        XMTP_TRY(xmtp_wallet_parse(options->encryption_key, &hand->wallet, error));
    } else if (options->database_path != NULL) {
        return xmtp_fail(error, XMTP_E_ARGUMENT,
                         "a database file needs an encryption key: without one nothing is kept");
    } else {
        XMTP_TRY(xmtp_wallet_generate(&client->env, &hand->wallet));
    }
    hand->signer = xmtp_signer_of_wallet(&hand->wallet);
    return XMTP_OK;
}

/* Whose inbox it is to be: the wallet of encryption_key, a new one, or an account elsewhere. */
static xmtp_status take_account(xmtp_account_hand *hand, xmtp_client *client,
                                const xmtp_client_options *options, xmtp_error *error)
{
    if (options->account == NULL) {
        return take_wallet(hand, client, options, error);
    }
    if (options->encryption_key != NULL) {
        return xmtp_fail(error, XMTP_E_ARGUMENT, "account and encryption_key are both given");
    }
    if (options->database_path != NULL && options->database_key == NULL) {
        return xmtp_fail(error, XMTP_E_ARGUMENT,
                         "the database of an account that signs elsewhere needs a database_key");
    }
    return xmtp_account_hand_take(hand, client, options->account, error);
}

static uint64_t or_default(uint64_t value, uint64_t usual)
{
    return value == 0 ? usual : value;
}

static void take_setup(xmtp_client *client, const xmtp_setup *given)
{
    static const xmtp_setup usual = {0};
    const xmtp_setup *setup = given == NULL ? &usual : given;
    client->nonce = or_default(setup->nonce, XMTP_NONCE_DEFAULT);
    client->is_light = setup->is_light;
    client->log = setup->log;
    client->chores = setup->chores;
    client->chores.interval_ns = or_default(setup->chores.interval_ns, 5 * XMTP_SECOND_NS);
    client->chores.commit_log_interval_ns =
        or_default(setup->chores.commit_log_interval_ns, 300 * XMTP_SECOND_NS);
}

static xmtp_status client_new(xmtp_client **out, const xmtp_client_options *options,
                              xmtp_error *error)
{
    const xmtp_env *env = options->env == NULL ? xmtp_env_system() : options->env;
    xmtp_client *client = env->alloc.reallocate(env->alloc.context, NULL, sizeof(*client));
    XMTP_ENSURE(client != NULL, xmtp_fail(error, XMTP_E_NOMEM, "no memory for a client"));
    memset(client, 0, sizeof(*client));
    client->env = *env;
    take_setup(client, options->setup);
    xmtp_scratch(client, &client->out);
    xmtp_writer_init(&client->request, &client->env.alloc, XMTP_WRITER_MAX);
    xmtp_writer_init(&client->response, &client->env.alloc, XMTP_WRITER_MAX);
    *out = client;
    return XMTP_OK;
}

/* Hands the client over, or closes it. */
static xmtp_status opened(xmtp_client **out, xmtp_client *client, xmtp_status status,
                          xmtp_error *error)
{
    if (status != XMTP_OK) {
        xmtp_client_close(client);
        return xmtp_fail_default(error, status, "client cannot be opened");
    }
    *out = client;
    return XMTP_OK;
}

xmtp_status xmtp_client_open_in(xmtp_client **out, const xmtp_client_options *options,
                                xmtp_host *host, xmtp_error *error)
{
    xmtp_client *client;
    xmtp_account_hand hand = {0};
    *out = NULL;
    xmtp_error_clear(error);
    XMTP_TRY(client_new(&client, options, error));
    xmtp_status status = host == NULL ? XMTP_OK : xmtp_seat_take(client, host, error);
    if (status == XMTP_OK) {
        status = take_account(&hand, client, options, error);
    }
    if (status == XMTP_OK) {
        status = open_with_account(client, options, &hand, error);
    }
    xmtp_account_hand_wipe(&hand);
    return opened(out, client, status, error);
}

xmtp_status xmtp_client_open(xmtp_client **out, const xmtp_client_options *options,
                             xmtp_error *error)
{
    return xmtp_client_open_in(out, options, NULL, error);
}

xmtp_status xmtp_client_locate(xmtp_client **out, const xmtp_client_options *options,
                               xmtp_error *error)
{
    xmtp_client *client;
    xmtp_account_hand hand = {0};
    *out = NULL;
    XMTP_TRY(client_new(&client, options, error));
    xmtp_status status = take_account(&hand, client, options, error);
    if (status == XMTP_OK) {
        name_account(client, &hand.signer.identifier);
        status = find_database(client, options, &hand, error);
    }
    xmtp_account_hand_wipe(&hand);
    return opened(out, client, status, error);
}

/* The logs that it reads are kept in memory, under a key that nobody knows. */
static xmtp_status open_observing(xmtp_client *client, const xmtp_client_options *options,
                                  xmtp_error *error)
{
    uint8_t key[XMTP_DATABASE_KEY_LEN];
    XMTP_TRY(open_transport(client, options, error));
    XMTP_TRY(client->env.random(client->env.context, key, sizeof(key)));
    xmtp_status status = xmtp_database_open(&client->db, &client->env, NULL, key, error);
    xmtp_wipe(key, sizeof(key));
    return status;
}

xmtp_status xmtp_client_open_observer(xmtp_client **out, const xmtp_client_options *options,
                                      xmtp_error *error)
{
    xmtp_client *client;
    *out = NULL;
    xmtp_error_clear(error);
    XMTP_TRY(client_new(&client, options, error));
    return opened(out, client, open_observing(client, options, error), error);
}

void xmtp_client_close(xmtp_client *client)
{
    if (client == NULL) {
        return;
    }
    host_seat *seat = client->seat;
    if (seat != NULL) {
        xmtp_seat_leave(seat);
    }
    xmtp_database_leave(client);
    xmtp_give_back(client, client->states);
    if (client->database_path != NULL) {
        xmtp_give_back(client, client->database_path);
    }
    if (client->device_sync.history_url != NULL) {
        xmtp_give_back(client, client->device_sync.history_url);
    }
    if (client->owns_transport) {
        client->own_transport.close(client->own_transport.context);
    }
    xmtp_arena_reset(&client->out);
    xmtp_writer_free(&client->request);
    xmtp_writer_free(&client->response);
    xmtp_alloc alloc = client->env.alloc;
    xmtp_wipe(client, sizeof(*client));
    (void)alloc.reallocate(alloc.context, client, 0);
    if (seat != NULL) {
        xmtp_seat_free(seat);
    }
}

xmtp_status xmtp_client_check_database(xmtp_client *client, xmtp_error *error)
{
    XMTP_TRY(xmtp_enter(client, XMTP_NEEDS_DATABASE, error));
    return xmtp_stored(client, xmtp_database_check(client->db), error);
}

const char *xmtp_client_inbox_id(const xmtp_client *client)
{
    return client->inbox_id;
}

const char *xmtp_client_address(const xmtp_client *client)
{
    return client->address;
}

const char *xmtp_client_installation_id(const xmtp_client *client)
{
    return client->installation_id;
}
