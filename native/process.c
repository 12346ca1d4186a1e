/* /proc/PID/stat: its fields are counted after the name, which may hold anything. */
#include "process.h"

#include "die.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARENT = 4, SESSION = 6, START = 22 };

/* How many processes of one check are told from others; how often they are looked for. */
enum { MOST_FOUND = 1024, MOST_LOOKS = 4 };

/* `text` begins at the end of field 2. */
static const char *field_of(const char *text, int wanted)
{
    for (int number = 2; text != NULL && number < wanted; number++)
        text = strchr(text + 1, ' ');
    return text;
}

enum { STAT_BYTES = 1024 };

/* Below `proc`, a procfs of ours. */
static bool read_stat(int proc, const char *pid, char text[static STAT_BYTES])
{
    char path[32];
    if (snprintf(path, sizeof path, "%s/stat", pid) >= (int)sizeof path)
        return false;
    cleanup_fd int fd = openat(proc, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t length = fd < 0 ? -1 : read(fd, text, STAT_BYTES - 1);
    text[length > 0 ? length : 0] = '\0';
    return length > 0;
}

struct process process_look(pid_t pid)
{
    char path[32], text[STAT_BYTES];
    struct process process;
    snprintf(path, sizeof path, "/proc/%d", pid);
    if (!read_stat(AT_FDCWD, path, text))
        return (struct process){.start = 0};
    const char *name_end = strrchr(text, ')');
    const char *parent = field_of(name_end, PARENT), *start = field_of(name_end, START);
    if (parent == NULL || start == NULL || sscanf(parent, " %d", &process.parent) != 1 || sscanf(start, " %llu", &process.start) != 1)
        return (struct process){.start = 0};
    return process;
}

struct found {
    pid_t pids[MOST_FOUND];
    size_t count;
};

static bool is_found(const struct found *found, pid_t pid)
{
    for (size_t i = 0; i < found->count; i++)
        if (found->pids[i] == pid)
            return true;
    return false;
}

/* Kills what is of the session, or a child of what was found before. True if it was not found before. */
static bool note(struct found *found, int proc, const char *name)
{
    char text[STAT_BYTES];
    int parent, session;
    pid_t pid = (pid_t)strtol(name, NULL, 10);
    if (pid <= 1 || !read_stat(proc, name, text))
        return false;
    const char *end = strrchr(text, ')'), *of_parent = field_of(end, PARENT), *of_session = field_of(end, SESSION);
    if (of_parent == NULL || of_session == NULL || sscanf(of_parent, " %d", &parent) != 1 || sscanf(of_session, " %d", &session) != 1)
        return false;
    if (session != found->pids[0] && !is_found(found, parent))
        return false;
    kill(pid, SIGKILL);
    if (is_found(found, pid) || found->count == MOST_FOUND)
        return false;
    found->pids[found->count++] = pid;
    return true;
}

void process_kill_tree(int proc, pid_t root)
{
    struct found *found = must_allocate(sizeof *found);
    found->pids[found->count++] = root;
    bool has_more = true;
    for (int looks = 0; has_more && looks < MOST_LOOKS; looks++) {
        int again = openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *list = again < 0 ? NULL : fdopendir(again);
        if (list == NULL && again >= 0)
            close(again);
        has_more = false;
        for (const struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;)
            has_more |= note(found, proc, entry->d_name);
        if (list != NULL)
            closedir(list);
    }
    free(found);
    /* Last, so that until now its children could be told by it. */
    kill(-root, SIGKILL);
    kill(root, SIGKILL);
}
