/* config.c - values from flags, environment and file into the struct, and back out as text. */
#include "node/config.h"

#include "base/bytes.h"
#include "base/status.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TEXTS_LEN_MAX = 1 << 20, FILE_LEN_MAX = 1 << 20, NAME_LEN_MAX = 64, HELP_COLUMN = 34 };

static bool is_section(const xmtp_node_setting *s)
{
    return s->help == NULL;
}

static uint64_t *number_of(xmtp_node_config *config, const xmtp_node_setting *s)
{
    return (uint64_t *)(void *)((uint8_t *)config + s->offset);
}

static const char **text_of(xmtp_node_config *config, const xmtp_node_setting *s)
{
    return (const char **)(void *)((uint8_t *)config + s->offset);
}

static bool *switch_of(xmtp_node_config *config, const xmtp_node_setting *s)
{
    return (bool *)((uint8_t *)config + s->offset);
}

static xmtp_node_config_list *list_of(xmtp_node_config *config, const xmtp_node_setting *s)
{
    return (xmtp_node_config_list *)(void *)((uint8_t *)config + s->offset);
}

static xmtp_node_config_source *source_of(xmtp_node_config *config, const xmtp_node_setting *s)
{
    return &config->sources[s - xmtp_node_settings];
}

static void set_default(xmtp_node_config *config, const xmtp_node_setting *s)
{
    switch (s->type) {
    case XMTP_NODE_SETTING_TEXT:
        *text_of(config, s) = s->text;
        break;
    case XMTP_NODE_SETTING_LIST:
        break;
    case XMTP_NODE_SETTING_SWITCH:
        *switch_of(config, s) = s->value != 0;
        break;
    case XMTP_NODE_SETTING_COUNT:
    case XMTP_NODE_SETTING_BYTES:
        *number_of(config, s) = s->value;
        break;
    }
}

void xmtp_node_config_init(xmtp_node_config *config, const xmtp_alloc *alloc)
{
    memset(config, 0, sizeof *config);
    xmtp_arena_init(&config->texts, alloc, TEXTS_LEN_MAX);
    for (const xmtp_node_setting *s = xmtp_node_settings; s->name != NULL; s++) {
        if (!is_section(s)) {
            set_default(config, s);
        }
    }
}

void xmtp_node_config_free(xmtp_node_config *config)
{
    xmtp_arena_reset(&config->texts);
}

void xmtp_node_limits_fill(xmtp_node_limits *limits)
{
    size_t base = offsetof(xmtp_node_config, limits);
    for (const xmtp_node_setting *s = xmtp_node_settings; s->name != NULL; s++) {
        if (!is_section(s) && s->offset >= base && s->offset < base + sizeof *limits) {
            uint64_t *value = (uint64_t *)(void *)((uint8_t *)limits + (s->offset - base));
            *value = *value == 0 ? s->value : *value;
        }
    }
}

const xmtp_node_setting *xmtp_node_config_find(const char *name, size_t n)
{
    for (const xmtp_node_setting *s = xmtp_node_settings; s->name != NULL; s++) {
        if (!is_section(s) && strlen(s->name) == n && memcmp(s->name, name, n) == 0) {
            return s;
        }
    }
    return NULL;
}

/* ---- texts of values */

typedef struct unit {
    const char *name;
    uint64_t factor;
} unit;

static const unit units[] = {
    {"GiB", (uint64_t)1 << 30}, {"MiB", (uint64_t)1 << 20}, {"KiB", (uint64_t)1 << 10}, {"", 1}};

static void write_number(const xmtp_node_setting *s, uint64_t value, char out[32])
{
    const unit *u = units;
    while (u->factor > 1 &&
           (s->type != XMTP_NODE_SETTING_BYTES || value == 0 || value % u->factor != 0)) {
        u++;
    }
    (void)snprintf(out, 32, "%" PRIu64 "%s", value / u->factor, u->name);
}

static bool read_number(const xmtp_node_setting *s, const char *text, uint64_t *out)
{
    uint64_t value = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (value > (UINT64_MAX - 9) / 10) {
            return false;
        }
        value = 10 * value + (uint64_t)(*p - '0');
    }
    for (const unit *u = units; p > text && u < units + sizeof units / sizeof units[0]; u++) {
        bool is_this = strcmp(p, u->name) == 0;
        if (is_this && (u->factor == 1 || s->type == XMTP_NODE_SETTING_BYTES)) {
            *out = value * u->factor;
            return value <= UINT64_MAX / u->factor;
        }
    }
    return false;
}

/* ---- setting one */

static xmtp_status refuse(const xmtp_node_setting *s, const char *value, const char *where,
                          xmtp_error *error, const char *allowed)
{
    return xmtp_fail(error, XMTP_E_ARGUMENT, "%.80s%s%s cannot be \"%.40s\": %s",
                     where == NULL ? "" : where, where == NULL ? "" : ": ", s->name, value,
                     allowed);
}

static xmtp_status set_number(xmtp_node_config *config, const xmtp_node_setting *s,
                              const char *value, const char *where, xmtp_error *error)
{
    uint64_t number;
    char min[32];
    char max[32];
    char allowed[96];
    if (read_number(s, value, &number) && number <= s->max &&
        (number >= s->min || (number == 0 && s->may_be_zero))) {
        *number_of(config, s) = number;
        return XMTP_OK;
    }
    write_number(s, s->min, min);
    write_number(s, s->max, max);
    (void)snprintf(allowed, sizeof allowed, "%sfrom %s to %s is allowed",
                   s->may_be_zero ? "0 or " : "", min, max);
    return refuse(s, value, where, error, allowed);
}

static xmtp_status set_switch(xmtp_node_config *config, const xmtp_node_setting *s,
                              const char *value, const char *where, xmtp_error *error)
{
    if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0) {
        return refuse(s, value, where, error, "on or off is allowed");
    }
    *switch_of(config, s) = strcmp(value, "on") == 0;
    return XMTP_OK;
}

/* choices: "text|json". */
static bool is_one_of(const char *choices, const char *value)
{
    size_t n = strlen(value);
    for (const char *p = choices; *p != '\0';) {
        size_t len = strcspn(p, "|");
        if (len == n && memcmp(p, value, n) == 0) {
            return true;
        }
        p += len + (p[len] == '|' ? 1 : 0);
    }
    return false;
}

static bool is_choice(const xmtp_node_setting *s)
{
    return s->type == XMTP_NODE_SETTING_TEXT && strchr(s->argument, '|') != NULL;
}

static xmtp_status copy_text(xmtp_node_config *config, const char *p, size_t n, const char **out)
{
    char *copy;
    XMTP_TRY(xmtp_arena_string(&config->texts, xmtp_bytes_of(p, n), &copy));
    *out = copy;
    return XMTP_OK;
}

static xmtp_status set_text(xmtp_node_config *config, const xmtp_node_setting *s, const char *value,
                            const char *where, xmtp_error *error)
{
    if (value[0] == '\0') {
        return refuse(s, value, where, error, "it needs a value");
    }
    if (is_choice(s) && !is_one_of(s->argument, value)) {
        char allowed[96];
        (void)snprintf(allowed, sizeof allowed, "%s is allowed", s->argument);
        return refuse(s, value, where, error, allowed);
    }
    return copy_text(config, value, strlen(value), text_of(config, s));
}

static xmtp_status add_items(xmtp_node_config *config, const xmtp_node_setting *s,
                             const char *value, const char *where, xmtp_error *error)
{
    xmtp_node_config_list *list = list_of(config, s);
    for (const char *p = value + strspn(value, ", "); *p != '\0'; p += strspn(p, ", ")) {
        size_t n = strcspn(p, ", ");
        if (list->count == XMTP_NODE_CONFIG_LIST_MAX) {
            return refuse(s, value, where, error, "there are 16 already, and more are not allowed");
        }
        XMTP_TRY(copy_text(config, p, n, &list->items[list->count]));
        list->count++;
        p += n;
    }
    return XMTP_OK;
}

xmtp_status xmtp_node_config_set(xmtp_node_config *config, const xmtp_node_setting *s,
                                 const char *value, xmtp_node_config_source source,
                                 const char *where, xmtp_error *error)
{
    xmtp_node_config_source *set_by = source_of(config, s);
    if (source < *set_by) {
        xmtp_node_config ignored; /* what is weaker must be right all the same */
        xmtp_node_config_init(&ignored, config->texts.alloc);
        xmtp_status status = xmtp_node_config_set(&ignored, s, value, source, where, error);
        xmtp_node_config_free(&ignored);
        return status;
    }
    if (source > *set_by && s->type == XMTP_NODE_SETTING_LIST) {
        list_of(config, s)->count = 0;
    }
    *set_by = source;
    switch (s->type) {
    case XMTP_NODE_SETTING_TEXT:
        return set_text(config, s, value, where, error);
    case XMTP_NODE_SETTING_LIST:
        return add_items(config, s, value, where, error);
    case XMTP_NODE_SETTING_SWITCH:
        return set_switch(config, s, value, where, error);
    case XMTP_NODE_SETTING_COUNT:
    case XMTP_NODE_SETTING_BYTES:
        return set_number(config, s, value, where, error);
    }
    return XMTP_E_INTERNAL;
}

/* ---- the file */

typedef struct line_reader {
    xmtp_node_config *config;
    char where[96]; /* "FILE:LINE" */
    bool seen[XMTP_NODE_CONFIG_SETTINGS_MAX];
    xmtp_error *error;
} line_reader;

static size_t trim(const char **p, size_t n)
{
    while (n > 0 && (**p == ' ' || **p == '\t')) {
        (*p)++;
        n--;
    }
    while (n > 0 && ((*p)[n - 1] == ' ' || (*p)[n - 1] == '\t' || (*p)[n - 1] == '\r')) {
        n--;
    }
    return n;
}

static xmtp_status read_pair(line_reader *r, const char *name, size_t name_len, const char *value,
                             size_t value_len)
{
    char text[XMTP_NODE_CONFIG_VALUE_LEN_MAX + 1];
    const xmtp_node_setting *s = xmtp_node_config_find(name, name_len);
    if (s == NULL) {
        return xmtp_fail(r->error, XMTP_E_ARGUMENT, "%s: there is no setting called \"%.*s\"",
                         r->where, (int)(name_len < NAME_LEN_MAX ? name_len : NAME_LEN_MAX), name);
    }
    bool *seen = &r->seen[s - xmtp_node_settings];
    if (*seen && s->type != XMTP_NODE_SETTING_LIST) {
        return xmtp_fail(r->error, XMTP_E_ARGUMENT, "%s: %s is set a second time", r->where,
                         s->name);
    }
    *seen = true;
    if (value_len > XMTP_NODE_CONFIG_VALUE_LEN_MAX || memchr(value, '\0', value_len) != NULL) {
        return xmtp_fail(r->error, XMTP_E_ARGUMENT,
                         "%s: the value of %s is no text of up to %d bytes", r->where, s->name,
                         XMTP_NODE_CONFIG_VALUE_LEN_MAX);
    }
    xmtp_copy(text, value, value_len);
    text[value_len] = '\0';
    return xmtp_node_config_set(r->config, s, text, XMTP_NODE_FROM_FILE, r->where, r->error);
}

static xmtp_status read_line(line_reader *r, const char *line, size_t n)
{
    const char *hash = memchr(line, '#', n);
    n = trim(&line, hash == NULL ? n : (size_t)(hash - line));
    if (n == 0) {
        return XMTP_OK;
    }
    const char *equals = memchr(line, '=', n);
    if (equals == NULL) {
        return xmtp_fail(r->error, XMTP_E_ARGUMENT, "%s: \"%.*s\" is no \"name = value\"", r->where,
                         (int)(n < NAME_LEN_MAX ? n : NAME_LEN_MAX), line);
    }
    const char *value = equals + 1;
    size_t value_len = trim(&value, n - (size_t)(value - line));
    return read_pair(r, line, trim(&line, (size_t)(equals - line)), value, value_len);
}

xmtp_status xmtp_node_config_text(xmtp_node_config *config, const char *name, xmtp_bytes text,
                                  xmtp_error *error)
{
    line_reader r = {.config = config, .error = error};
    const char *p = (const char *)text.p;
    const char *end = p + text.n;
    for (unsigned line = 1; p < end; line++) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        const char *stop = newline == NULL ? end : newline;
        (void)snprintf(r.where, sizeof r.where, "%.80s:%u", name, line);
        XMTP_TRY(read_line(&r, p, (size_t)(stop - p)));
        p = newline == NULL ? end : newline + 1;
    }
    return XMTP_OK;
}

xmtp_status xmtp_node_config_file(xmtp_node_config *config, const char *path, xmtp_error *error)
{
    char reason[96];
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return xmtp_fail(error, XMTP_E_IO, "cannot read %.120s: %s", path,
                         strerror_r(errno, reason, sizeof reason));
    }
    const xmtp_alloc *alloc = config->texts.alloc;
    uint8_t *text = alloc->reallocate(alloc->context, NULL, FILE_LEN_MAX);
    size_t n = text == NULL ? 0 : fread(text, 1, FILE_LEN_MAX, file);
    xmtp_status status = text == NULL ? XMTP_E_NOMEM : XMTP_OK;
    if (status == XMTP_OK && (ferror(file) != 0 || n == FILE_LEN_MAX)) {
        status = xmtp_fail(error, XMTP_E_IO, "%.120s is no file of less than %d bytes", path,
                           FILE_LEN_MAX);
    }
    (void)fclose(file);
    if (status == XMTP_OK) {
        status = xmtp_node_config_text(config, path, xmtp_bytes_of(text, n), error);
    }
    (void)alloc->reallocate(alloc->context, text, 0);
    return status;
}

/* ---- environment and flags */

static void environment_name(const xmtp_node_setting *s, char out[NAME_LEN_MAX])
{
    size_t n = (size_t)snprintf(out, NAME_LEN_MAX, "XMTP_NODE_%s", s->name);
    for (size_t i = 0; i < n && i < NAME_LEN_MAX; i++) {
        out[i] = out[i] == '-' ? '_' : out[i];
        out[i] = out[i] >= 'a' && out[i] <= 'z' ? (char)(out[i] - 'a' + 'A') : out[i];
    }
}

xmtp_status xmtp_node_config_environment(xmtp_node_config *config, char *(*get)(const char *name),
                                         xmtp_error *error)
{
    for (const xmtp_node_setting *s = xmtp_node_settings; s->name != NULL; s++) {
        char name[NAME_LEN_MAX];
        environment_name(s, name);
        const char *value = is_section(s) ? NULL : get(name);
        if (value != NULL) {
            XMTP_TRY(
                xmtp_node_config_set(config, s, value, XMTP_NODE_FROM_ENVIRONMENT, name, error));
        }
    }
    return XMTP_OK;
}

xmtp_status xmtp_node_config_flags(xmtp_node_config *config, int argc, char **argv, int *rest,
                                   xmtp_error *error)
{
    for (*rest = 1; *rest < argc; (*rest)++) {
        const char *argument = argv[*rest];
        bool is_flag = argument[0] == '-' && argument[1] == '-';
        size_t n = is_flag ? strcspn(argument + 2, "=") : 0;
        const xmtp_node_setting *s = is_flag ? xmtp_node_config_find(argument + 2, n) : NULL;
        if (s == NULL) {
            return XMTP_OK;
        }
        char where[NAME_LEN_MAX];
        (void)snprintf(where, sizeof where, "--%s", s->name);
        const char *value = argument[2 + n] == '=' ? argument + 3 + n : NULL;
        if (value == NULL && s->type == XMTP_NODE_SETTING_SWITCH) {
            value = "on";
        } else if (value == NULL && ++(*rest) < argc) {
            value = argv[*rest];
        }
        if (value == NULL) {
            return xmtp_fail(error, XMTP_E_ARGUMENT, "--%s needs a value: %s", s->name,
                             s->argument);
        }
        XMTP_TRY(xmtp_node_config_set(config, s, value, XMTP_NODE_FROM_FLAG, NULL, error));
    }
    return XMTP_OK;
}

/* ---- out */

static void put(xmtp_writer *out, const char *text)
{
    xmtp_writer_put(out, xmtp_bytes_of_string(text));
}

static void put_range(const xmtp_node_setting *s, xmtp_writer *out)
{
    char min[32];
    char max[32];
    if (s->type == XMTP_NODE_SETTING_COUNT || s->type == XMTP_NODE_SETTING_BYTES) {
        write_number(s, s->min, min);
        write_number(s, s->max, max);
        put(out, s->may_be_zero ? ", 0 or from " : ", from ");
        put(out, min);
        put(out, " to ");
        put(out, max);
    }
}

static void put_value(const xmtp_node_config *config, const xmtp_node_setting *s, xmtp_writer *out)
{
    xmtp_node_config *c = (xmtp_node_config *)(uintptr_t)config; /* only read here */
    char number[32];
    switch (s->type) {
    case XMTP_NODE_SETTING_TEXT:
        put(out, *text_of(c, s));
        break;
    case XMTP_NODE_SETTING_LIST:
        for (size_t i = 0; i < list_of(c, s)->count; i++) {
            put(out, i == 0 ? "" : ", ");
            put(out, list_of(c, s)->items[i]);
        }
        break;
    case XMTP_NODE_SETTING_SWITCH:
        put(out, *switch_of(c, s) ? "on" : "off");
        break;
    case XMTP_NODE_SETTING_COUNT:
    case XMTP_NODE_SETTING_BYTES:
        write_number(s, *number_of(c, s), number);
        put(out, number);
        break;
    }
}

static bool has_value(const xmtp_node_config *config, const xmtp_node_setting *s)
{
    xmtp_node_config *c = (xmtp_node_config *)(uintptr_t)config; /* only read here */
    return (s->type != XMTP_NODE_SETTING_TEXT || *text_of(c, s) != NULL) &&
           (s->type != XMTP_NODE_SETTING_LIST || list_of(c, s)->count > 0);
}

void xmtp_node_config_print(const xmtp_node_config *config, xmtp_writer *out)
{
    static const char *const sources[] = {"default", "file", "environment", "flag"};
    for (const xmtp_node_setting *s = xmtp_node_settings; s->name != NULL; s++) {
        if (is_section(s)) {
            put(out, s == xmtp_node_settings ? "# " : "\n# ");
            put(out, s->name);
            put(out, "\n");
            continue;
        }
        put(out, has_value(config, s) ? "" : "# ");
        put(out, s->name);
        put(out, " =");
        if (has_value(config, s)) {
            put(out, " ");
            put_value(config, s, out);
        }
        put(out, "  # ");
        put(out, sources[config->sources[s - xmtp_node_settings]]);
        put_range(s, out);
        put(out, "\n");
    }
}

static void put_default(const xmtp_node_setting *s, xmtp_writer *out)
{
    char number[32];
    put(out, " (default ");
    if (s->type == XMTP_NODE_SETTING_TEXT) {
        put(out, s->text);
    } else if (s->type == XMTP_NODE_SETTING_SWITCH) {
        put(out, s->value != 0 ? "on" : "off");
    } else {
        write_number(s, s->value, number);
        put(out, number);
    }
    put_range(s, out);
    put(out, ")");
}

/* Words of a text from a column on, broken before the 100th. */
static void put_wrapped(const char *text, size_t n, xmtp_writer *out)
{
    size_t column = HELP_COLUMN;
    for (size_t at = 0; at < n;) {
        size_t word = at;
        while (word < n && text[word] != ' ') {
            word++;
        }
        if (column + (word - at) > 98 && column > HELP_COLUMN) {
            char line[HELP_COLUMN + 2];
            (void)snprintf(line, sizeof line, "\n%*s", HELP_COLUMN, "");
            put(out, line);
            column = HELP_COLUMN;
        }
        put(out, column == HELP_COLUMN ? "" : " ");
        xmtp_writer_put(out, xmtp_bytes_of(text + at, word - at));
        column += word - at + 1;
        at = word + 1;
    }
    put(out, "\n");
}

void xmtp_node_config_help(xmtp_writer *out)
{
    for (const xmtp_node_setting *s = xmtp_node_settings; s->name != NULL; s++) {
        char line[128];
        if (is_section(s)) {
            (void)snprintf(line, sizeof line, "\n%s:\n", s->name);
            put(out, line);
            continue;
        }
        int n = snprintf(line, sizeof line, "  --%s %s", s->name,
                         s->type == XMTP_NODE_SETTING_SWITCH ? "" : s->argument);
        put(out, line);
        (void)snprintf(line, sizeof line, n < HELP_COLUMN - 1 ? "%*s" : "\n%*s",
                       n < HELP_COLUMN - 1 ? HELP_COLUMN - n : HELP_COLUMN, "");
        put(out, line);
        xmtp_writer help;
        xmtp_writer_init(&help, out->alloc, XMTP_WRITER_MAX);
        put(&help, s->help);
        if (s->type != XMTP_NODE_SETTING_LIST &&
            (s->type != XMTP_NODE_SETTING_TEXT || s->text != NULL)) {
            put_default(s, &help);
        }
        put_wrapped((const char *)help.p, help.n, out);
        xmtp_writer_free(&help);
    }
}
