/* /proc/PID/stat: its fields are counted after the name, which may hold anything. */
#include "process.h"

#include "die.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { PARENT = 4, START = 22 };

/* `text` begins at the end of field 2. */
static const char *field_of(const char *text, int wanted)
{
    for (int number = 2; text != NULL && number < wanted; number++)
        text = strchr(text + 1, ' ');
    return text;
}

struct process process_look(pid_t pid)
{
    char path[32], text[1024];
    struct process process;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (length < 0)
        return (struct process){.start = 0};
    text[length] = '\0';
    const char *name_end = strrchr(text, ')');
    const char *parent = field_of(name_end, PARENT), *start = field_of(name_end, START);
    if (parent == NULL || start == NULL || sscanf(parent, " %d", &process.parent) != 1 || sscanf(start, " %llu", &process.start) != 1)
        return (struct process){.start = 0};
    return process;
}
