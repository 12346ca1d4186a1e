/* The life of a pod hangs on this process: when it ends, the kernel kills every process of the pod. It ends when the apps have, and at
 * once when the supervisor is gone, however that died.
 *
 * Its /proc/1/exe leads to this program, but nobody in the pod can open that: it is not dumpable and its memory belongs to the host's
 * user namespace. run.c covers the rest (T-R01). */
#include "init.h"

#include "cgroups.h"
#include "descriptors.h"
#include "die.h"
#include "messages.h"
#include "mounts.h"
#include "namespaces.h"
#include "privileges.h"
#include "rootfs.h"
#include "signals.h"
#include "sources.h"
#include "stages.h"
#include "standard.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

struct init {
    struct stages stages;
    int signals;
    /* Nothing is started any more, and what that takes was given up. */
    bool is_reduced;
};

/* Where failures go; there is one init in a process. */
static int failure_channel = -1;

static void report(const struct failure *failure)
{
    (void)message_send_failure(failure_channel, failure);
}

/* PDEATHSIG is cleared and the process made dumpable again by a change of ids, so this is called after that as well. */
static void depend_on_supervisor(bool is_dumpable)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, is_dumpable, 0, 0, 0) < 0)
        die("init", "", errno);
}

static void set_propagation(unsigned long kind)
{
    if (mount(NULL, "/", NULL, MS_REC | kind, NULL) < 0)
        die("propagation", "/", errno);
}

static void wait_for_release(int channel)
{
    struct message message;
    if (message_receive(channel, &message, NULL, NULL, true) != 1 || message.kind != MESSAGE_RELEASE)
        _exit(125);
}

static void give_up_starting(struct init *init)
{
    if (init->is_reduced || stages_will_start(&init->stages))
        return;
    init->is_reduced = true;
    privileges_keep_kill();
}

/* Orphans of the pod are ours, too. */
static void reap(struct init *init)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        stages_note_exit(&init->stages, pid, status);
    give_up_starting(init);
}

/* What the host sends to init (perigee stop) is for the apps. The pod's own processes have other ways to say it. */
static void read_signals(struct init *init)
{
    struct signalfd_siginfo info;
    while (read(init->signals, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_signo != SIGCHLD && info.ssi_pid == 0)
            stages_signal(&init->stages, (int)info.ssi_signo);
    reap(init);
}

static void read_channel(struct init *init)
{
    struct message message;
    int fd = -1, result = message_receive(init->stages.starter.channel, &message, NULL, &fd, false);
    if (result == 0)
        _exit(125);
    if (result != 1 || message.app >= init->stages.starter.plan->app_count)
        return;
    struct app_plan *app = &init->stages.starter.plan->apps[message.app];
    if (message.kind == MESSAGE_SIGNAL)
        stages_signal(&init->stages, message.value);
    else if (message.kind == MESSAGE_TREE)
        app->tree_fd = fd;
    else if (message.kind == MESSAGE_UPPER)
        app->upper_fd = fd;
    else if (message.kind == MESSAGE_WORK)
        app->work_fd = fd;
    else if (message.kind == MESSAGE_NOTED)
        stages_note_noted(&init->stages, message.app);
    else if (message.kind == MESSAGE_RENEWED)
        stages_note_renewed(&init->stages, message.app);
}

static _Noreturn void serve(struct init *init)
{
    struct pollfd watched[2] = {{.fd = init->stages.starter.channel, .events = POLLIN}, {.fd = init->signals, .events = POLLIN}};
    reap(init);
    while (init->stages.left > 0) {
        int ready = poll(watched, 2, stages_timeout(&init->stages));
        if (ready > 0 && watched[1].revents != 0)
            read_signals(init);
        if (ready > 0 && watched[0].revents != 0)
            read_channel(init);
        stages_go_on(&init->stages);
    }
    _exit(0);
}

/* Only what is polled, and what handlers are started with, stays open: nothing of the host, and not the caller's standard descriptors,
 * which would never seem closed. */
static void close_others(const struct init *init)
{
    int *kept = must_allocate((stages_most_kept(&init->stages) + 3) * sizeof *kept);
    size_t count = stages_kept(&init->stages, kept);
    kept[count++] = init->stages.starter.channel;
    kept[count++] = init->signals;
    if (init->stages.starter.plan->listen_port != 0)
        kept[count++] = LISTENER;
    descriptors_keep(kept, count, 0);
    free(kept);
}

void init_run(struct pod_plan *plan, int channel)
{
    static const int watched[] = {SIGCHLD, SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2};
    bool has_user = (plan->namespaces & CLONE_NEWUSER) != 0;
    struct init init = {.stages = {.starter = {.plan = plan, .channel = channel}}};
    failure_channel = channel;
    die_through(report, 125);
    depend_on_supervisor(plan->is_unprivileged);
    prctl(PR_SET_NAME, "perigee-init");
    cgroups_join(plan->cgroups, plan->cgroup_count, true);
    if ((plan->namespaces & CLONE_NEWCGROUP) != 0 && unshare(CLONE_NEWCGROUP) < 0)
        die("namespace", "cgroup", errno);
    if (setsid() < 0)
        die("session", "", errno);
    /* Both can only be opened by the one who owns them outside: as soon as ids are mapped that is somebody else. */
    init.stages.starter.oom_file = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
    int pod_directory = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (pod_directory < 0)
        die("init", "the pod directory", errno);
    /* Nothing leaves this namespace any more. What an ordinary user's volumes are copied from below still hears of the host. */
    set_propagation(plan->is_unprivileged ? MS_SLAVE : MS_PRIVATE);
    namespaces_configure(plan);
    wait_for_release(channel);
    if (has_user) {
        namespaces_become_root(plan);
        depend_on_supervisor(false);
    }
    if (plan->is_unprivileged) {
        sources_open_mounts(plan);
        set_propagation(MS_PRIVATE);
        standard_give(plan);
    }
    int proc = rootfs_prepare(plan, pod_directory);
    namespaces_write_sysctls(plan, proc);
    init.stages.starter.proc = proc;
    init.signals = signals_open(watched, sizeof watched / sizeof *watched);
    stages_start(&init.stages);
    /* The root is the last app's now, and the working directory was the base, which is gone; where roots are made again both are the base. */
    if (chdir("/") < 0)
        die("init", "/", errno);
    close_others(&init);
    give_up_starting(&init);
    serve(&init);
}
