/* node_log.c - a line of text, or an object with time, level and message a line. */
#include "cli/node_log.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const names[] = {"info", "warning", "error"};

static void write_json(const char *level, const char *line)
{
    char text[32] = "";
    struct timespec now;
    struct tm tm;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (gmtime_r(&now.tv_sec, &tm) != NULL) {
        (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    }
    cJSON *object = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(object, "time", text);
    (void)cJSON_AddStringToObject(object, "level", level);
    (void)cJSON_AddStringToObject(object, "message", line);
    char *printed = cJSON_PrintUnformatted(object);
    if (printed != NULL) {
        (void)fprintf(stderr, "%s\n", printed);
    }
    free(printed);
    cJSON_Delete(object);
}

void cli_node_log(const char *format, const char *least, cli_node_level level, const char *line)
{
    if (strcmp(names[level], least) != 0 &&
        (strcmp(least, "error") == 0 ||
         (strcmp(least, "warning") == 0 && level == CLI_NODE_INFO))) {
        return;
    }
    if (strcmp(format, "json") == 0) {
        write_json(names[level], line);
    } else {
        (void)fprintf(stderr, "xmtp node: %s\n", line);
    }
}
