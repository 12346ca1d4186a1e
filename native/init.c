/* The life of a pod hangs on this process: when it ends, the kernel kills every process of the pod. It ends when the apps have, and at
 * once when the supervisor is gone, however that died.
 *
 * Its /proc/1/exe leads to this program, but nobody in the pod can open that: it is not dumpable and its memory belongs to the host's
 * user namespace. run.c covers the rest (T-R01). */
#include "init.h"

#include "app.h"
#include "cgroups.h"
#include "die.h"
#include "messages.h"
#include "mounts.h"
#include "namespaces.h"
#include "privileges.h"
#include "rootfs.h"
#include "sources.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>

/* How long the other apps have to end after one has failed. */
enum { GRACE_SECONDS = 10 };

struct init {
    struct pod_plan *plan;
    int channel, signals;
    /* 0: not running any more. */
    pid_t *pids;
    size_t running;
    /* Seconds of CLOCK_MONOTONIC when everything is killed; 0: never. */
    time_t deadline;
};

/* Where failures go; there is one init in a process. */
static int failure_channel = -1;

static void report(const struct failure *failure)
{
    message_send_failure(failure_channel, failure);
}

/* PDEATHSIG is cleared and the process made dumpable again by a change of ids, so this is called after that as well. */
static void depend_on_supervisor(void)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        die("init", "", errno);
}

static void wait_for_release(int channel)
{
    struct message message;
    if (message_receive(channel, &message, NULL, NULL, true) != 1 || message.kind != MESSAGE_RELEASE)
        _exit(125);
}

/* The score of init is changed around the fork of each app, which inherits it: an app's process could not open its own file once it
 * is not dumpable, and /proc must not be written to by a path of the pod (T-R14). */
static void set_oom_score(int file, int score)
{
    char text[16];
    int length = snprintf(text, sizeof text, "%d", score);
    if (file < 0 || pwrite(file, text, (size_t)length, 0) != length)
        die("oom-score", text, errno);
}

static int read_oom_score(int file)
{
    char text[16] = "";
    return file >= 0 && pread(file, text, sizeof text - 1, 0) > 0 ? (int)strtol(text, NULL, 10) : 0;
}

static void start_app(struct init *init, uint32_t index)
{
    const struct app_plan *app = &init->plan->apps[index];
    int cgroup = cgroups_v2(app->cgroups, app->cgroup_count);
    /* Suspended until the app's process has executed its program or ended. */
    pid_t pid = clone_process(CLONE_VFORK, cgroup);
    bool is_in_v2 = cgroup >= 0 && pid != -EACCES && pid != -EPERM;
    if (cgroup >= 0 && !is_in_v2)
        pid = clone_process(CLONE_VFORK, -1);
    if (pid == 0)
        app_start(init->plan, index, init->channel, is_in_v2);
    if (pid < 0)
        die("fork", app->name, -pid);
    init->pids[index] = pid;
    init->running++;
    sources_close(app);
    message_send(init->channel, MESSAGE_EXECUTED, index, 0, -1);
}

static void start_apps(struct init *init, int oom_file)
{
    int own_score = read_oom_score(oom_file), score = own_score;
    for (uint32_t i = 0; i < init->plan->app_count; i++) {
        const struct app_plan *app = &init->plan->apps[i];
        int wanted = app->has_oom_score && app->oom_score > own_score ? app->oom_score : own_score;
        if (wanted != score)
            set_oom_score(oom_file, wanted);
        score = wanted;
        start_app(init, i);
    }
    if (score != own_score)
        set_oom_score(oom_file, own_score);
}

static void signal_apps(const struct init *init, int number)
{
    for (size_t i = 0; i < init->plan->app_count; i++)
        if (init->pids[i] > 0)
            kill(init->pids[i], number);
}

static time_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec;
}

/* One app that failed ends the pod. */
static void note_exit(struct init *init, uint32_t index, int status)
{
    init->pids[index] = 0;
    init->running--;
    message_send(init->channel, MESSAGE_EXITED, index, status, -1);
    if (status != 0 && init->deadline == 0) {
        init->deadline = now() + GRACE_SECONDS;
        signal_apps(init, SIGTERM);
    }
}

/* Orphans of the pod are ours, too. */
static void reap(struct init *init)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        for (uint32_t i = 0; i < init->plan->app_count; i++)
            if (init->pids[i] == pid)
                note_exit(init, i, status);
}

/* What the host sends to init (perigee stop) is for the apps. The pod's own processes have other ways to say it. */
static void read_signals(struct init *init)
{
    struct signalfd_siginfo info;
    while (read(init->signals, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_signo != SIGCHLD && info.ssi_pid == 0)
            signal_apps(init, (int)info.ssi_signo);
    reap(init);
}

static void read_channel(struct init *init)
{
    struct message message;
    int result = message_receive(init->channel, &message, NULL, NULL, false);
    if (result == 0)
        _exit(125);
    if (result == 1 && message.kind == MESSAGE_SIGNAL)
        signal_apps(init, message.value);
}

static _Noreturn void serve(struct init *init)
{
    struct pollfd watched[2] = {{.fd = init->channel, .events = POLLIN}, {.fd = init->signals, .events = POLLIN}};
    reap(init);
    while (init->running > 0) {
        int ready = poll(watched, 2, init->deadline == 0 ? -1 : 1000);
        if (ready > 0 && watched[1].revents != 0)
            read_signals(init);
        if (ready > 0 && watched[0].revents != 0)
            read_channel(init);
        if (init->deadline != 0 && now() >= init->deadline)
            break;
    }
    _exit(0);
}

static int open_signals(void)
{
    static const int watched[] = {SIGCHLD, SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof watched / sizeof *watched; i++)
        sigaddset(&set, watched[i]);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        die("init", "signalfd", errno);
    return fd;
}

/* Only what is polled stays open: nothing of the host, and not the caller's standard descriptors, which would never seem closed. */
static void close_others(const struct init *init)
{
    unsigned low = (unsigned)init->channel, high = (unsigned)init->signals;
    if (low > high) {
        low = high;
        high = (unsigned)init->channel;
    }
    bool is_done = close_range(0, low - 1, 0) == 0 && (high == low + 1 || close_range(low + 1, high - 1, 0) == 0) && close_range(high + 1, ~0U, 0) == 0;
    if (!is_done)
        die("init", "descriptors", errno);
}

void init_run(struct pod_plan *plan, int channel)
{
    bool has_user = (plan->namespaces & CLONE_NEWUSER) != 0;
    struct init init = {.plan = plan, .channel = channel, .pids = must_allocate(plan->app_count * sizeof *init.pids)};
    failure_channel = channel;
    die_through(report, 125);
    depend_on_supervisor();
    prctl(PR_SET_NAME, "perigee-init");
    cgroups_join(plan->cgroups, plan->cgroup_count, true);
    if ((plan->namespaces & CLONE_NEWCGROUP) != 0 && unshare(CLONE_NEWCGROUP) < 0)
        die("namespace", "cgroup", errno);
    if (setsid() < 0)
        die("session", "", errno);
    /* Both can only be opened by the one who owns them outside: as soon as ids are mapped that is somebody else. */
    int oom_file = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC), pod_directory = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (pod_directory < 0)
        die("init", "the pod directory", errno);
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        die("propagation", "/", errno);
    namespaces_configure(plan);
    wait_for_release(channel);
    if (has_user) {
        namespaces_become_root();
        depend_on_supervisor();
    }
    int proc = rootfs_prepare(plan, pod_directory);
    namespaces_write_sysctls(plan, proc);
    close(proc);
    init.signals = open_signals();
    start_apps(&init, oom_file);
    /* The root is the last app's now; the working directory was the base, which is gone. */
    if (chdir("/") < 0)
        die("init", "/", errno);
    close_others(&init);
    privileges_keep_kill();
    serve(&init);
}
