/* A client of the metadata service: one request a call, as the specification's validator makes them. */
#include "guest.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 1 << 16 };

/* Of a URL `http://ADDRESS:PORT/TOKEN`. */
struct place {
    char address[64], path[128];
    unsigned short port;
};

static bool parse(const char *url, struct place *place)
{
    return url != NULL && sscanf(url, "http://%63[0-9.]:%hu%127s", place->address, &place->port, place->path) == 3;
}

static int connect_to(const struct place *place)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(place->port)};
    struct timeval limit = {.tv_sec = 20};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || inet_pton(AF_INET, place->address, &address.sin_addr) != 1)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return connect(fd, (const struct sockaddr *)&address, sizeof address) < 0 ? -1 : fd;
}

/* Everything up to the end of the connection, ended by NUL. */
static bool exchange(const struct place *place, const char *request, char *answer)
{
    int fd = connect_to(place);
    if (fd < 0 || write(fd, request, strlen(request)) < 0)
        return false;
    size_t used = 0;
    for (ssize_t length; used < SIZE - 1 && (length = read(fd, answer + used, SIZE - 1 - used)) > 0;)
        used += (size_t)length;
    answer[used] = '\0';
    close(fd);
    return used > 0;
}

static void show(const char *method, const char *path, const char *answer, long milliseconds)
{
    int status = 0;
    char type[128] = "";
    const char *line = strcasestr(answer, "\r\ncontent-type: "), *body = strstr(answer, "\r\n\r\n");
    sscanf(answer, "HTTP/%*s %d", &status);
    if (line != NULL && line < body)
        sscanf(line + 16, "%127[^\r]", type);
    printf("%s.%s.status=%d\n%s.%s.type=%s\n", method, path, status, method, path, type);
    printf("%s.%s.time=%ld\n%s.%s.body=", method, path, milliseconds, method, path);
    for (const char *at = body == NULL ? "" : body + 4; *at != '\0'; at++)
        putchar(*at == '\n' ? '\v' : *at);
    putchar('\n');
}

int ask_metadata(char **arguments)
{
    static char request[SIZE], answer[SIZE];
    struct place place;
    struct timespec before, after;
    const char *method = arguments[0], *path = arguments[1], *body = strcmp(method, "POST") == 0 ? arguments[2] : "";
    if (!parse(getenv("AC_METADATA_URL"), &place))
        return 65;
    snprintf(request, sizeof request, "%s %s/%s HTTP/1.0\r\nMetadata-Flavor: AppContainer\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n\r\n%s", method, place.path, path, strlen(body), body);
    clock_gettime(CLOCK_MONOTONIC, &before);
    if (!exchange(&place, request, answer))
        return 66;
    clock_gettime(CLOCK_MONOTONIC, &after);
    show(method, path, answer, (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000);
    return 0;
}
