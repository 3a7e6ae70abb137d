/* key.c - a key of 32 bytes from a file, from the environment, or a new one. */
#include "base/bytes.h"
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_DIGITS = 2 * CLI_KEY_LEN };

static bool parse_key(const char *text, uint8_t key[CLI_KEY_LEN])
{
    size_t n = strspn(text, "0123456789abcdefABCDEF");
    return n == KEY_DIGITS && text[n + strspn(text + n, " \t\r\n")] == '\0' &&
           xmtp_hex_decode(key, CLI_KEY_LEN, text, n) == XMTP_OK;
}

static int key_of_file(const cli_options *options, const char *path, uint8_t key[CLI_KEY_LEN])
{
    char text[KEY_DIGITS + 16] = {0};
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fprintf(stderr, "xmtp %s: key file %s: %s\n", options->command, path, strerror(errno));
        return CLI_FAILED;
    }
    (void)!fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    bool is_key = parse_key(text, key);
    xmtp_wipe(text, sizeof text);
    return is_key ? -1 : cli_usage(options, "the key file has to hold 64 hex digits");
}

int cli_find_key(const cli_options *options, const cli_key_source *source, uint8_t key[CLI_KEY_LEN],
                 bool *is_new)
{
    char what[120];
    const char *text = getenv(source->variable);
    *is_new = false;
    if (source->file != NULL) {
        return key_of_file(options, source->file, key);
    }
    if (text != NULL) {
        (void)snprintf(what, sizeof what, "%s has to be 64 hex digits", source->variable);
        return parse_key(text, key) ? -1 : cli_usage(options, what);
    }
    if (!source->may_make) {
        (void)snprintf(what, sizeof what, "needs the file's key: %s or %s", source->option,
                       source->variable);
        return cli_usage(options, what);
    }
    const xmtp_env *env = xmtp_env_system();
    *is_new = env->random(env->context, key, CLI_KEY_LEN) == XMTP_OK;
    return *is_new ? -1 : CLI_FAILED;
}
