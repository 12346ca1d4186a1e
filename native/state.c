#include "state.h"

#include "die.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Whole or not at all for every reader. Not synced: after a crash of the machine nothing of the pod runs, and what is not there or
 * empty is unknown. */
static bool replace_file(int directory, const char *name, const char *text)
{
    char temporary[272];
    size_t length = strlen(text);
    if (snprintf(temporary, sizeof temporary, ".%s.tmp", name) >= (int)sizeof temporary)
        return false;
    cleanup_fd int fd = openat(directory, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
    return fd >= 0 && write(fd, text, length) == (ssize_t)length && renameat(directory, temporary, directory, name) == 0;
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
    char text[64];
    snprintf(text, sizeof text, "%d %llu\n", pid, start_time_of(pid));
    if (!replace_file(pod, "pid", text))
        die("state", "pid", errno);
}

void state_write_status(int pod, const char *app, int status)
{
    char text[16];
    snprintf(text, sizeof text, "%d\n", status);
    (void)!mkdirat(pod, "status", 0750);
    cleanup_fd int directory = openat(pod, "status", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory >= 0)
        (void)replace_file(directory, app, text);
}
