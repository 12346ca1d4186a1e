/* Into the cgroups first, so that from the first instant whatever happens counts against the pod's limits (CVE-2019-10147); then into all
 * namespaces at once; then everything of the host is closed, and only after that there is a process that the pod can see (CVE-2016-8649,
 * T-R04). That one goes on as an app does: app.c and privileges.c, nothing else, decide what it may do (CVE-2019-10144, CVE-2019-10145). */
#include "join.h"

#include "app.h"
#include "cgroups.h"
#include "die.h"
#include "label.h"
#include "messages.h"
#include "namespaces.h"
#include "paths.h"
#include "privileges.h"
#include "process.h"
#include "standard.h"
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { FAILED = 125 };

static const struct {
    uint64_t kind;
    const char *name;
} namespaces[] = {
    {CLONE_NEWUSER, "user"}, {CLONE_NEWNS, "mnt"},   {CLONE_NEWPID, "pid"},       {CLONE_NEWNET, "net"},
    {CLONE_NEWIPC, "ipc"},   {CLONE_NEWUTS, "uts"}, {CLONE_NEWCGROUP, "cgroup"}, {CLONE_NEWTIME, "time"},
};

/* Where failures go; there is one such process in a process. */
static int failure_channel = -1;

static void report(const struct failure *failure)
{
    (void)message_send_failure(failure_channel, failure);
}

static _Noreturn void die_ended(void)
{
    die_because("enter", "", ESRCH, "the app has ended");
}

static ino_t namespace_of(const char *process, const char *name)
{
    struct stat status;
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/ns/%s", process, name);
    return stat(path, &status) == 0 ? status.st_ino : 0;
}

static void require_own_namespaces(const struct pod_plan *plan, pid_t pid)
{
    char number[16];
    snprintf(number, sizeof number, "%d", pid);
    for (size_t i = 0; i < sizeof namespaces / sizeof *namespaces; i++) {
        if ((plan->namespaces & namespaces[i].kind) == 0)
            continue;
        ino_t of_app = namespace_of(number, namespaces[i].name);
        if (of_app == 0)
            die_ended();
        if (of_app == namespace_of("self", namespaces[i].name))
            die_because("enter", namespaces[i].name, 0, "the process that the pod directory names is none of the pod");
    }
}

struct target target_open(const struct pod_plan *plan, pid_t pid, const char *start)
{
    struct target target = {.process = (int)syscall(SYS_pidfd_open, pid, 0), .pid = pid};
    if (target.process < 0 && errno != ESRCH)
        die("enter", "pidfd", errno);
    struct process process = process_look(pid);
    if (target.process < 0 || process.start == 0 || process.start != strtoull(start, NULL, 10))
        die_ended();
    require_own_namespaces(plan, pid);
    target.init = process.parent;
    /* Had it ended before this, what was read could have been another's. */
    struct pollfd ended = {.fd = target.process, .events = POLLIN};
    if (poll(&ended, 1, 0) != 0)
        die_ended();
    return target;
}

/* The file of a process that is not dumpable belongs to root of the host, which the caller need not be. */
static int open_own_score(void)
{
    if (geteuid() != 0)
        (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    int own = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    return own;
}

/* As the apps had it when they were started: what init has, or more where the plan says so. Less than the caller's own takes CAP_SYS_RESOURCE;
 * without it the command is killed the earlier. */
static void take_oom_score(const struct app_plan *app, pid_t init)
{
    char path[40], text[16] = "";
    snprintf(path, sizeof path, "/proc/%d/oom_score_adj", init);
    cleanup_fd int from = open(path, O_RDONLY | O_CLOEXEC);
    cleanup_fd int own = open_own_score();
    if (from < 0 || own < 0 || read(from, text, sizeof text - 1) <= 0)
        die("oom-score", "", errno);
    int score = (int)strtol(text, NULL, 10);
    if (app->has_oom_score && app->oom_score > score)
        score = app->oom_score;
    int length = snprintf(text, sizeof text, "%d", score);
    if (write(own, text, (size_t)length) != length && errno != EACCES && errno != EPERM)
        die("oom-score", text, errno);
}

/* The host's /proc is what is at hand, and not the pod's to change; the process made by this one is handed it on. */
static void take_label(const struct app_plan *app)
{
    if (!label_is_asked_for(app))
        return;
    cleanup_fd int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (proc < 0)
        die("label", "/proc", errno);
    label_next_program(proc, app);
}

/* One call, and the kernel looks at the process only once: no path of the pod's /proc, no descriptor of a namespace. */
static void join_namespaces(const struct pod_plan *plan, const struct target *target)
{
    if (setns(target->process, (int)plan->namespaces) < 0) {
        if (errno == ESRCH)
            die_ended();
        die("namespace", "join", errno);
    }
    if ((plan->namespaces & CLONE_NEWUSER) != 0)
        namespaces_become_root(plan);
    /* Both are cleared by a change of ids. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        die("enter", "", errno);
}

/* The working directory is the root of the app now. */
static int open_terminal(const struct pod_plan *plan, const struct app_plan *app, int channel)
{
    int slave;
    cleanup_fd int dev = open_beneath(AT_FDCWD, "dev", O_PATH | O_DIRECTORY);
    if (dev < 0)
        die("terminal", "/dev", -dev);
    cleanup_fd int master = terminal_pair(dev, app->uid, &plan->terminal_size, &slave);
    message_send(channel, MESSAGE_TERMINAL, 0, 0, master);
    return slave;
}

/* Without a command: the first of these that is there. Only looked for: what it is, execve finds out as the app's user. */
static void choose_shell(const struct app_plan *app)
{
    static char bash[] = "/bin/bash", sh[] = "/bin/sh";
    if (app->command.words[0] != NULL)
        return;
    cleanup_fd int found = open_in_root(AT_FDCWD, bash, O_PATH);
    app->command.words[0] = found >= 0 ? bash : sh;
}

static _Noreturn void become_command(const struct app_plan *app)
{
    if (setsid() < 0)
        die("session", app->name, errno);
    if (app->has_terminal)
        terminal_control(STDIN_FILENO);
    app_execute(app, STAGE_PROGRAM, SIGKILL);
}

static _Noreturn void join(const struct pod_plan *plan, const struct app_plan *app, const struct target *target, int channel, bool is_in_v2)
{
    failure_channel = channel;
    die_through(report, FAILED);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        die("enter", "", errno);
    cgroups_join(plan->cgroups, plan->cgroup_count, is_in_v2);
    cgroups_join(app->cgroups, app->cgroup_count, is_in_v2);
    privileges_take_limits(target->init);
    take_oom_score(app, target->init);
    take_label(app);
    join_namespaces(plan, target);
    if (plan->is_unprivileged)
        standard_give(plan);
    choose_shell(app);
    int slave = app->has_terminal ? open_terminal(plan, app, channel) : -1;
    app_take_descriptors(app, STAGE_PROGRAM, &channel, slave);
    /* Not our child but our parent's, which waits for it; only children are in the pod's pid namespace. */
    pid_t pid = clone_process(CLONE_PARENT, -1);
    if (pid == 0)
        become_command(app);
    if (pid < 0)
        die_because("fork", app->name, -pid, pid == -ENOMEM ? "the pod has ended, or its memory is used up" : strerror(-pid));
    message_send(channel, MESSAGE_STARTING, 0, pid, -1);
    _exit(0);
}

pid_t join_start(const struct pod_plan *plan, const struct app_plan *app, const struct target *target, int channel)
{
    int cgroup = cgroups_v2(app->cgroups, app->cgroup_count);
    if (cgroup < 0)
        cgroup = cgroups_v2(plan->cgroups, plan->cgroup_count);
    pid_t pid = clone_process(0, cgroup);
    bool is_in_v2 = cgroup >= 0 && pid != -EACCES && pid != -EPERM;
    if (cgroup >= 0 && !is_in_v2)
        pid = clone_process(0, -1);
    if (pid == 0)
        join(plan, app, target, channel, is_in_v2);
    if (pid < 0)
        die("clone", "", -pid);
    return pid;
}
