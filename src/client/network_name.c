/* network_name.c - the names that networks have in the official SDK, as addresses of their nodes. */
#include "client/state.h"

typedef struct network_name {
    const char *name;
    const char *url; /* NULL: of the decentralised network */
} network_name;

static const network_name networks[] = {
    {"local", "http://localhost:5556"},
    {"dev", "https://grpc.dev.xmtp.network:443"},
    {"production", "https://grpc.production.xmtp.network:443"},
    {"mainnet", NULL},
    {"testnet", NULL},
    {"testnet-dev", NULL},
    {"testnet-staging", NULL},
};

xmtp_status xmtp_network_url(const char *name, const char **url, xmtp_error *error)
{
    xmtp_error_clear(error);
    *url = NULL;
    for (size_t i = 0; i < sizeof(networks) / sizeof(networks[0]); i++) {
        if (strcmp(networks[i].name, name) == 0) {
            *url = networks[i].url;
            return *url != NULL ? XMTP_OK
                                : xmtp_fail(error, XMTP_E_UNSUPPORTED,
                                            "%s is of the decentralised network, whose protocol "
                                            "this does not speak",
                                            name);
        }
    }
    return xmtp_fail(error, XMTP_E_NOT_FOUND, "there is no network \"%.40s\"", name);
}

xmtp_status xmtp_node_url(const char *given, const char **url, xmtp_error *error)
{
    *url = given;
    if (given != NULL && strpbrk(given, ":/.") != NULL) {
        return XMTP_OK; /* not a name; its form is judged by who connects */
    }
    return xmtp_network_url(given == NULL ? "local" : given, url, error);
}
