/* An app that looks, as often as it can, at everything that every other process of its pod has (T-R01, T-R03, T-R04). */
#include "guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static volatile sig_atomic_t is_over;

static void end(int number)
{
    (void)number;
    is_over = 1;
}

static void look_at_program(int pid)
{
    static const int modes[] = {O_WRONLY, O_RDWR, O_WRONLY | O_APPEND};
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        int fd = open(path, modes[i] | O_CLOEXEC);
        if (fd >= 0)
            printf("hunt.exe=%d\n", pid);
        close(fd);
    }
}

static int is_harmless(const char *target)
{
    static const char *const known[] = {"pipe:", "socket:", "/dev/null", "/dev/pts/"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strncmp(target, known[i], strlen(known[i])) == 0)
            return 1;
    return 0;
}

/* The working directory, while it is looked up: below our own root. */
static int is_of_pod(int directory, const char *name)
{
    struct stat own, found;
    return stat("/", &own) == 0 && fstatat(directory, name, &found, 0) == 0 && own.st_dev == found.st_dev;
}

static void look_at_descriptors(int pid)
{
    char path[64], target[4096];
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    DIR *directory = opendir(path);
    if (directory == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        ssize_t length = entry->d_name[0] == '.' ? -1 : readlinkat(dirfd(directory), entry->d_name, target, sizeof target - 1);
        if (length < 0)
            continue;
        target[length] = '\0';
        if (!is_harmless(target) && !is_of_pod(dirfd(directory), entry->d_name))
            printf("hunt.fd=%s is %s\n", entry->d_name, target);
    }
    closedir(directory);
}

static void look_at_root(int pid)
{
    static const char *const names[] = {"root", "cwd"};
    struct stat own, others;
    char path[64];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "/proc/%d/%s", pid, names[i]);
        if (stat("/", &own) == 0 && stat(path, &others) == 0 && (own.st_dev != others.st_dev || own.st_ino != others.st_ino))
            printf("hunt.root=%s of %d\n", names[i], pid);
    }
}

static int is_ours(int pid)
{
    char path[64], name[32] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int found = read(fd, name, sizeof name - 1) > 0 && strncmp(name, "perigee-shim", 12) == 0;
    close(fd);
    return found;
}

int hunt(char **arguments)
{
    unsigned met = 0;
    (void)arguments;
    signal(SIGTERM, end);
    printf("waiting\n");
    fflush(stdout);
    while (!is_over) {
        DIR *processes = opendir("/proc");
        for (struct dirent *entry; processes != NULL && (entry = readdir(processes)) != NULL;) {
            int pid = atoi(entry->d_name);
            if (pid <= 1 || pid == getpid())
                continue;
            met += (unsigned)is_ours(pid);
            look_at_program(pid);
            look_at_descriptors(pid);
            look_at_root(pid);
        }
        closedir(processes);
        fflush(stdout);
    }
    printf("hunt.met=%u\n", met);
    return 0;
}
