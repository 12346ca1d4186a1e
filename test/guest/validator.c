/* What the validator of the App Container specification checks from inside of a pod, re-created: its checks V1 to V9 and V18 to V21 (the others
 * are asked by metadata.c). Each mode is a stage of one of two apps that share a volume at /db. */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bool has_failed;

static void check(bool is_so, const char *what)
{
    if (!is_so)
        fprintf(stderr, "==> %s (%s)\n", what, strerrorname_np(errno));
    has_failed |= !is_so;
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* Made anew: false if it was there. */
static bool is_made(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    return fd >= 0 && close(fd) == 0;
}

static bool comes(const char *path)
{
    for (int tries = 0; tries < 500 && !is_there(path); tries++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    return is_there(path);
}

static bool has_variable(const char *name, const char *wanted)
{
    const char *value = getenv(name);
    return value != NULL && strcmp(value, wanted) == 0;
}

/* The fifth field of mountinfo is where, the sixth how. */
static bool is_writable_mount(const char *path)
{
    char line[4096];
    FILE *file = fopen("/proc/self/mountinfo", "re");
    bool is_writable = false;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char point[1024] = "", options[1024] = "";
        if (sscanf(line, "%*s %*s %*s %*s %1023s %1023s", point, options) == 2 && strcmp(point, path) == 0)
            is_writable = strncmp(options, "rw", 2) == 0;
    }
    if (file != NULL)
        fclose(file);
    return is_writable;
}

static void check_before(void)
{
    check(is_made("/prestart"), "V1: /prestart");
    check(!is_there("/main") && !is_there("/poststop"), "V1: a clean root");
}

static void check_main(void)
{
    char directory[1024];
    check(is_there("/prestart"), "V2: /prestart");
    check(is_made("/main"), "V3: /main");
    check(!is_there("/poststop"), "V4: /poststop");
    check(has_variable("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), "V5: PATH");
    check(getcwd(directory, sizeof directory) != NULL && strcmp(directory, "/opt/acvalidator") == 0, "V6: working directory");
    check(has_variable("IN_ACE_VALIDATOR", "correct"), "V7: IN_ACE_VALIDATOR");
    check(is_writable_mount("/db"), "V8: /db");
    check(has_variable("AC_APP_NAME", "ace-validator-main"), "V9: AC_APP_NAME");
    check(comes("/db/sidekick"), "V18: /db/sidekick");
    check(is_made("/db/main"), "V19: /db/main");
}

static void check_sidekick(void)
{
    check(is_made("/db/sidekick"), "V20: /db/sidekick");
    check(comes("/db/main"), "V20: /db/main");
}

static void check_after(void)
{
    check(is_there("/prestart") && is_there("/main"), "V21: /prestart and /main");
    check(is_made("/poststop"), "V21: /poststop");
}

int validate(char **arguments)
{
    static const struct {
        const char *mode;
        void (*check)(void);
    } modes[] = {{"prestart", check_before}, {"main", check_main}, {"sidekick", check_sidekick}, {"poststop", check_after}};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        if (strcmp(arguments[0], modes[i].mode) != 0)
            continue;
        modes[i].check();
        printf("%s %s\n", arguments[0], has_failed ? "FAIL" : "OK");
        return has_failed;
    }
    return 64;
}
