/* What the guest finds around itself, as `key=value` lines. */
#include "guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <termios.h>
#include <unistd.h>

extern char **environ;

int show_environment(char **arguments)
{
    (void)arguments;
    for (char **entry = environ; *entry != NULL; entry++)
        printf("env.%s\n", *entry);
    return 0;
}

int show_directory(char **arguments)
{
    char path[4096];
    (void)arguments;
    printf("cwd=%s\n", getcwd(path, sizeof path) != NULL ? path : strerrorname_np(errno));
    return 0;
}

int show_ids(char **arguments)
{
    uid_t r, e, s;
    gid_t rg, eg, sg, groups[128];
    (void)arguments;
    getresuid(&r, &e, &s);
    getresgid(&rg, &eg, &sg);
    printf("uid=%u,%u,%u\ngid=%u,%u,%u\ngroups=", r, e, s, rg, eg, sg);
    int count = getgroups(128, groups);
    for (int i = 0; i < count; i++)
        printf("%s%u", i > 0 ? "," : "", groups[i]);
    mode_t mask = umask(0);
    umask(mask);
    printf("\npid=%d\nppid=%d\nsid=%d\numask=%04o\ndumpable=%d\n", getpid(), getppid(), getsid(0), mask, prctl(PR_GET_DUMPABLE));
    return 0;
}

/* Lines of a file, with `key.` before each; only those that begin with one of `wanted`, if there are any. */
static void show_file(const char *key, const char *path, const char *const *wanted)
{
    char line[4096];
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        printf("%s.error=%s\n", key, strerrorname_np(errno));
        return;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        bool is_wanted = wanted == NULL;
        for (size_t i = 0; wanted != NULL && wanted[i] != NULL; i++)
            is_wanted |= strncmp(line, wanted[i], strlen(wanted[i])) == 0;
        if (is_wanted)
            printf("%s.%s", key, line);
    }
    fclose(file);
}

/* All five capability sets, no_new_privs, the seccomp mode, ignored and blocked signals. */
int show_privileges(char **arguments)
{
    static const char *const wanted[] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "SigIgn", "SigBlk", "NSpid", NULL};
    (void)arguments;
    show_file("status", "/proc/self/status", wanted);
    show_file("oom", "/proc/self/oom_score_adj", NULL);
    return 0;
}

int show_mounts(char **arguments)
{
    (void)arguments;
    show_file("mount", "/proc/self/mountinfo", NULL);
    return 0;
}

int show_cgroups(char **arguments)
{
    (void)arguments;
    show_file("cgroup", "/proc/self/cgroup", NULL);
    return 0;
}

int show_namespaces(char **arguments)
{
    static const char *const kinds[] = {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"};
    struct utsname name;
    (void)arguments;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char path[64], target[64] = "";
        snprintf(path, sizeof path, "/proc/self/ns/%s", kinds[i]);
        printf("ns.%s=%s\n", kinds[i], readlink(path, target, sizeof target - 1) > 0 ? target : strerrorname_np(errno));
    }
    if (uname(&name) == 0)
        printf("hostname=%s\n", name.nodename);
    show_file("uidmap", "/proc/self/uid_map", NULL);
    return 0;
}

int show_limits(char **arguments)
{
    (void)arguments;
    for (int resource = 0; resource < RLIM_NLIMITS; resource++) {
        struct rlimit limit;
        if (getrlimit((__rlimit_resource_t)resource, &limit) == 0)
            printf("limit.%d=%lld,%lld\n", resource, (long long)limit.rlim_cur, (long long)limit.rlim_max);
    }
    return 0;
}

static void show_descriptors_of(const char *key, const char *directory)
{
    DIR *list = opendir(directory);
    if (list == NULL) {
        printf("%s.error=%s\n", key, strerrorname_np(errno));
        return;
    }
    for (const struct dirent *entry; (entry = readdir(list)) != NULL;) {
        char target[256] = "";
        if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(list))
            continue;
        if (readlinkat(dirfd(list), entry->d_name, target, sizeof target - 1) < 0)
            snprintf(target, sizeof target, "%s", strerrorname_np(errno));
        printf("%s.%s=%s\n", key, entry->d_name, target);
    }
    closedir(list);
}

int show_descriptors(char **arguments)
{
    (void)arguments;
    show_descriptors_of("fd", "/proc/self/fd");
    show_descriptors_of("init-fd", "/proc/1/fd");
    return 0;
}

void show_size(void)
{
    struct winsize size = {0};
    ioctl(0, TIOCGWINSZ, &size);
    printf("size=%ux%u\n", size.ws_col, size.ws_row);
}

int show_terminal(char **arguments)
{
    struct stat console;
    (void)arguments;
    for (int i = 0; i < 3; i++)
        printf("tty.%d=%s\n", i, isatty(i) ? ttyname(i) : "no");
    show_size();
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
    printf("controlling=%d\n", tty >= 0);
    if (stat("/dev/console", &console) == 0)
        printf("console=%o:%llu\n", console.st_mode & S_IFMT, (unsigned long long)console.st_rdev >> 8);
    return 0;
}

int show_all(char **arguments)
{
    show_environment(arguments);
    show_directory(arguments);
    show_ids(arguments);
    show_privileges(arguments);
    show_mounts(arguments);
    show_cgroups(arguments);
    show_namespaces(arguments);
    show_limits(arguments);
    show_descriptors(arguments);
    return show_terminal(arguments);
}
