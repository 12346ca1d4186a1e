/* Every file is whole or not there for its readers: written under another name, then renamed. Not synced: after a crash of the machine
 * nothing of the pod runs, and what is missing or empty is unknown. */
#include "state.h"

#include "die.h"
#include "paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { NAME_BYTES = 272, STATUS_BYTES = 16 };

static void name_temporary(char temporary[static NAME_BYTES], const char *name)
{
    if (snprintf(temporary, NAME_BYTES, ".%s.tmp", name) >= NAME_BYTES)
        die("state", name, ENAMETOOLONG);
}

static int open_temporary(int directory, const char *name)
{
    char temporary[NAME_BYTES];
    name_temporary(temporary, name);
    int fd = openat(directory, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
    if (fd < 0)
        die("state", name, errno);
    return fd;
}

static bool give_name(int directory, int fd, const char *name, const char *text)
{
    char temporary[NAME_BYTES];
    size_t length = strlen(text);
    name_temporary(temporary, name);
    return pwrite(fd, text, length, 0) == (ssize_t)length && ftruncate(fd, (off_t)length) == 0 && renameat(directory, temporary, directory, name) == 0;
}

/* Field 22 of /proc/PID/stat; counted after the name, which may hold anything. */
static unsigned long long start_time_of(pid_t pid)
{
    char path[32], text[1024];
    unsigned long long start = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (length < 0)
        return 0;
    text[length] = '\0';
    const char *field = strrchr(text, ')');
    for (int number = 2; field != NULL && number < 22; number++)
        field = strchr(field + 1, ' ');
    if (field == NULL || sscanf(field, " %llu", &start) != 1)
        return 0;
    return start;
}

void state_write_pid(int pod, pid_t pid)
{
    char text[128];
    snprintf(text, sizeof text, "%d %llu %d %llu\n", pid, start_time_of(pid), getpid(), start_time_of(getpid()));
    cleanup_fd int fd = open_temporary(pod, "pid");
    if (!give_name(pod, fd, "pid", text))
        die("state", "pid", errno);
}

void state_open(struct state *state, int pod, const struct pod_plan *plan)
{
    static const char room[STATUS_BYTES] = "";
    *state = (struct state){.pod = pod, .plan = plan, .files = must_allocate(plan->app_count * sizeof *state->files)};
    state->directory = open_beneath(pod, "status", O_RDONLY | O_DIRECTORY);
    if (state->directory == -ENOENT && mkdirat(pod, "status", 0750) == 0)
        state->directory = open_beneath(pod, "status", O_RDONLY | O_DIRECTORY);
    if (state->directory < 0)
        die("state", "status", -state->directory);
    for (size_t i = 0; i < plan->app_count; i++) {
        state->files[i] = open_temporary(state->directory, plan->apps[i].name);
        /* Room that the disk has given cannot run out when the app ends. */
        if (write(state->files[i], room, sizeof room) != (ssize_t)sizeof room)
            die("state", plan->apps[i].name, errno);
    }
}

void state_write_status(struct state *state, uint32_t app, int status)
{
    char text[STATUS_BYTES];
    snprintf(text, sizeof text, "%d\n", status);
    if (give_name(state->directory, state->files[app], state->plan->apps[app].name, text)) {
        close(state->files[app]);
        state->files[app] = -1;
    }
}

void state_close(struct state *state)
{
    char temporary[NAME_BYTES];
    for (size_t i = 0; state->files != NULL && i < state->plan->app_count; i++) {
        if (state->files[i] < 0)
            continue;
        name_temporary(temporary, state->plan->apps[i].name);
        (void)!unlinkat(state->directory, temporary, 0);
    }
}
