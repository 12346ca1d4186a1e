/* The protocol of sd_listen_fds(3). Which socket is whose stage0 has decided. */
#include "sockets.h"

#include "die.h"
#include "namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { FIRST = 3, NUMBER_BYTES = 32 };

static void assign(struct socket_record *socket, int first, size_t count, bool *taken)
{
    struct stat status;
    if (socket->index >= count || taken[socket->index])
        die_because("sockets", socket->name, 0, "not one of the sockets that were handed over, or another port's");
    taken[socket->index] = true;
    socket->fd = first + (int)socket->index;
    if (fstat(socket->fd, &status) < 0 || !S_ISSOCK(status.st_mode))
        die_because("sockets", socket->name, 0, "what was handed over is no socket");
}

void sockets_assign(struct pod_plan *plan, int first, size_t count)
{
    bool taken[MOST_SOCKETS] = {false};
    if (plan->listen_port != 0 && first <= LISTENER && first + (int)count > LISTENER)
        die_because("sockets", "", 0, "so many that one has the number of init's own");
    for (struct app_plan *app = plan->apps; app < plan->apps + plan->app_count; app++)
        for (size_t i = 0; i < app->socket_count; i++)
            assign(&app->sockets[i], first, count, taken);
    for (size_t i = 0; i < count; i++)
        if (!taken[i])
            close(first + (int)i);
}

size_t sockets_count(const struct app_plan *app)
{
    return app->socket_count > 0 && app->sockets[0].fd >= 0 ? app->socket_count : 0;
}

void sockets_take(const struct app_plan *app)
{
    int moved[MOST_SOCKETS];
    size_t count = sockets_count(app);
    /* All away from the numbers that any of them is to have. */
    for (size_t i = 0; i < count; i++) {
        moved[i] = fcntl(app->sockets[i].fd, F_DUPFD_CLOEXEC, FIRST + (int)count + 1);
        if (moved[i] < 0)
            die("sockets", app->sockets[i].name, errno);
    }
    for (size_t i = 0; i < count; i++)
        if (dup2(moved[i], FIRST + (int)i) < 0)
            die("sockets", app->sockets[i].name, errno);
}

static char *text_of(const char *name, long number)
{
    char *text = must_allocate(NUMBER_BYTES);
    snprintf(text, NUMBER_BYTES, "%s=%ld", name, number);
    return text;
}

static char *names_of(const struct app_plan *app)
{
    static const char variable[] = "LISTEN_FDNAMES=";
    size_t size = sizeof variable, used = 0;
    for (size_t i = 0; i < app->socket_count; i++)
        size += strlen(app->sockets[i].name) + 1;
    char *text = must_allocate(size);
    used += (size_t)snprintf(text, size, "%s", variable);
    for (size_t i = 0; i < app->socket_count; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? ":" : "", app->sockets[i].name);
    return text;
}

char **sockets_environment(const struct app_plan *app)
{
    if (sockets_count(app) == 0)
        return app->environment;
    char **environment = must_allocate((app->environment_count + 4) * sizeof *environment);
    memcpy(environment, app->environment, app->environment_count * sizeof *environment);
    environment[app->environment_count] = text_of("LISTEN_PID", getpid());
    environment[app->environment_count + 1] = text_of("LISTEN_FDS", (long)app->socket_count);
    environment[app->environment_count + 2] = names_of(app);
    return environment;
}

void sockets_close(struct app_plan *app)
{
    for (size_t i = 0; i < app->socket_count; i++) {
        close_fd(&app->sockets[i].fd);
        app->sockets[i].fd = -1;
    }
}
