/* From here on the order matters: what an app may not see is closed, and what it may not do is given up, before its program runs. */
#include "app.h"

#include "cgroups.h"
#include "die.h"
#include "messages.h"
#include "privileges.h"
#include "rootfs.h"
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { CHANNEL = 3, CANNOT_EXECUTE = 126, NOT_FOUND = 127 };

static void report(const struct failure *failure)
{
    message_send_failure(CHANNEL, failure);
}

/* 0, 1 and 2 are the app's, 3 is the channel; every other descriptor goes now, before anything of the pod runs in this process. */
static void arrange_descriptors(const struct app_plan *app, int *channel, int slave)
{
    for (int i = 0; i < 3; i++) {
        int source = slave >= 0 ? slave : app->standard[i];
        if (source != i && dup2(source, i) < 0)
            die("descriptors", app->name, errno);
    }
    if (*channel != CHANNEL && dup3(*channel, CHANNEL, O_CLOEXEC) < 0)
        die("descriptors", app->name, errno);
    *channel = CHANNEL;
    die_through(report, 125);
    if (close_range(CHANNEL + 1, ~0U, 0) < 0)
        die("descriptors", app->name, errno);
}

/* Handlers are reset by execve, but not what is ignored: Node ignores SIGPIPE, for one. */
static void reset_signals(void)
{
    sigset_t none;
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void fail_to_execute(const char *program, int error)
{
    struct stat status;
    /* ENOENT for a file that is there: its interpreter is not. */
    bool is_there = error != ENOENT && error != ENOTDIR && error != ELOOP && error != ENAMETOOLONG;
    if (error == ENOENT && stat(program, &status) == 0)
        die_with_status(CANNOT_EXECUTE, "exec", program, error, "its interpreter is not in the image");
    die_with_status(is_there ? CANNOT_EXECUTE : NOT_FOUND, "exec", program, error, NULL);
}

static const char *path_of(char *const *environment)
{
    for (; *environment != NULL; environment++)
        if (strncmp(*environment, "PATH=", 5) == 0)
            return *environment + 5;
    return "";
}

/* As execvpe, without its shell: a name without `/` is looked up in PATH; elements that are not absolute are passed over. */
static _Noreturn void execute(const struct app_plan *app)
{
    const char *program = app->arguments[0];
    if (strchr(program, '/') != NULL) {
        execve(program, app->arguments, app->environment);
        fail_to_execute(program, errno);
    }
    int error = ENOENT;
    for (const char *path = path_of(app->environment); *path != '\0'; path += *path == ':') {
        char candidate[PATH_MAX];
        size_t length = strcspn(path, ":");
        int used = snprintf(candidate, sizeof candidate, "%.*s/%s", (int)length, path, program);
        if (*path == '/' && used < (int)sizeof candidate) {
            execve(candidate, app->arguments, app->environment);
            if (errno != ENOENT && errno != ENOTDIR)
                error = errno;
        }
        path += length;
    }
    fail_to_execute(program, error);
}

void app_start(const struct pod_plan *plan, uint32_t index, int channel, bool is_in_v2)
{
    const struct app_plan *app = &plan->apps[index];
    int slave = -1;
    cgroups_join(app->cgroups, app->cgroup_count, is_in_v2);
    /* The root of a cgroup namespace is where its first process is: below init's only if the app has cgroups of its own. */
    bool has_cgroup_namespace = (plan->namespaces & CLONE_NEWCGROUP) != 0 && app->cgroup_count > 0;
    /* The last app takes over the mount namespace that init began in, and with it init, which then needs no root of its own: a second
     * namespace would cost the start of every pod two waits for the kernel's RCU. */
    bool is_last = index + 1 == plan->app_count;
    int kinds = (is_last ? 0 : CLONE_NEWNS) | (has_cgroup_namespace ? CLONE_NEWCGROUP : 0);
    if (kinds != 0 && unshare(kinds) < 0)
        die("namespace", app->name, errno);
    int master = rootfs_enter(plan, app, &slave);
    if (setsid() < 0)
        die("session", app->name, errno);
    if (slave >= 0) {
        terminal_control(slave);
        message_send(channel, MESSAGE_TERMINAL, index, 0, master);
    }
    message_send(channel, MESSAGE_STARTING, index, 0, -1);
    arrange_descriptors(app, &channel, slave);
    privileges_drop(app);
    reset_signals();
    execute(app);
}
