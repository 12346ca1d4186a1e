/* Everything it needs of the host it opens before there is a pod. From then on it only copies bytes, writes small files and waits.
 * It alone holds the pod's lock: when it is gone, the lock is free, and init, whose channel it held, ends the pod. */
#include "supervisor.h"

#include "cgroups.h"
#include "die.h"
#include "heard.h"
#include "init.h"
#include "messages.h"
#include "namespaces.h"
#include "renewal.h"
#include "signals.h"
#include "sockets.h"
#include "sources.h"
#include "state.h"
#include "standard.h"
#include "teardown.h"
#include "terminal.h"
#include "traffic.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>

/* For the one function that die() calls without an argument. */
static struct supervisor *current;

/* An app that is content while its output went nowhere must not look like success. */
static int status_of(const struct supervisor *supervisor)
{
    return supervisor->status == 0 && supervisor->has_lost_output ? PERIGEE_FAILED : supervisor->status;
}

static void finish(struct supervisor *supervisor)
{
    terminal_restore();
    attached_close(&supervisor->attached);
    for (size_t i = 0; i < supervisor->plan->app_count; i++)
        renewal_abandon(&supervisor->apps[i].renewal);
    state_close(&supervisor->state);
    teardown_run(supervisor->plan, supervisor->pod);
    cgroups_remove(supervisor->plan);
    event_exited(supervisor->events, status_of(supervisor));
}

/* In init's process: what is the supervisor's alone, the lock first of all. */
static void close_private(struct supervisor *supervisor)
{
    close(supervisor->pod);
    close(supervisor->events);
    close(supervisor->channel);
    close(supervisor->signals);
    standard_close(&supervisor->standard);
}

/* What maps ids for an ordinary user looks at whose the process is: of one that is not dumpable root's. There is nothing of the pod yet that
 * could reach it, and init sees to itself. */
static void let_map(const struct pod_plan *plan, bool is_let)
{
    if (plan->is_unprivileged && prctl(PR_SET_DUMPABLE, is_let, 0, 0, 0) < 0)
        die("id-map", "dumpable", errno);
}

static void start_init(struct supervisor *supervisor)
{
    struct pod_plan *plan = supervisor->plan;
    int ends[2];
    messages_open(ends);
    supervisor->channel = ends[0];
    let_map(plan, true);
    /* The cgroup namespace must begin where init is once it has joined its cgroups, so init makes it. */
    pid_t pid = clone_joining(&plan->joined, plan->namespaces & ~(uint64_t)CLONE_NEWCGROUP, cgroups_v2(plan->cgroups, plan->cgroup_count));
    if (pid == 0) {
        close_private(supervisor);
        init_run(plan, ends[1]);
    }
    if (pid < 0)
        die("clone", "", -pid);
    supervisor->init = pid;
    close(ends[1]);
    if ((plan->namespaces & CLONE_NEWUSER) != 0) {
        cleanup_fd int user_namespace = plan->joined.user >= 0 ? plan->joined.user : namespaces_map_ids(plan, pid);
        sources_idmap(plan, user_namespace);
        /* Init is soon not to be looked at any more by who has no rights over it. */
        if (plan->is_unprivileged && plan_renews_roots(plan) && (supervisor->user_namespace = fcntl(user_namespace, F_DUPFD_CLOEXEC, 3)) < 0)
            die("restart", "user namespace", errno);
    }
    notify_open(&supervisor->notify, plan, &supervisor->state, pid);
    let_map(plan, false);
    message_send(supervisor->channel, MESSAGE_RELEASE, 0, 0, -1);
}

/* What is not needed before there is a pod is done while init is at work. */
static void finish_start(struct supervisor *supervisor)
{
    struct pod_plan *plan = supervisor->plan;
    state_write_pid(supervisor->pod, supervisor->init);
    state_open(&supervisor->state, supervisor->pod, plan);
    standard_open_logs(&supervisor->standard, supervisor->pod);
    attached_open(&supervisor->attached, plan, &supervisor->standard);
    for (size_t i = 0; i < plan->app_count; i++)
        sources_close(&plan->apps[i]);
    for (size_t i = 0; i < plan->app_count; i++)
        sockets_close(&plan->apps[i]);
    for (size_t i = 0; i < plan->cgroup_count; i++) {
        close_fd(&plan->cgroups[i].directory);
        close_fd(&plan->cgroups[i].file);
    }
}

/* True when the caller wants an end. */
static bool read_signals(struct supervisor *supervisor)
{
    struct signalfd_siginfo info;
    bool is_ending = false;
    while (read(supervisor->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        int number = (int)info.ssi_signo;
        is_ending |= number == SIGTERM || number == SIGINT || number == SIGQUIT || number == SIGHUP;
        if (number == SIGWINCH)
            standard_resize(&supervisor->standard);
        /* A caller that went away takes a pod in the foreground along, as a shell does; others have nothing to do with it. */
        bool is_for_apps = number != SIGCHLD && (number != SIGHUP || supervisor->plan->is_foreground);
        if (is_for_apps)
            message_send(supervisor->channel, MESSAGE_SIGNAL, 0, number, -1);
    }
    int status;
    if (supervisor->init > 0 && waitpid(supervisor->init, &status, WNOHANG) == supervisor->init) {
        supervisor->was_killed = WIFSIGNALED(status);
        heard_end_of_init(supervisor);
    }
    heard_renewals(supervisor);
    return is_ending;
}

/* One turn: waits until something can be moved or has happened. False if nothing came in time. */
static bool turn(struct supervisor *supervisor, int timeout, bool *is_ending)
{
    size_t streams = standard_wanted(&supervisor->standard, supervisor->watched + 2);
    struct pollfd *notified = supervisor->watched + 2 + streams;
    size_t count = streams + notify_wanted(&supervisor->notify, notified);
    struct pollfd *attached = supervisor->watched + 2 + count;
    count += attached_wanted(&supervisor->attached, attached);
    supervisor->watched[0] = (struct pollfd){.fd = supervisor->signals, .events = POLLIN};
    supervisor->watched[1] = (struct pollfd){.fd = supervisor->channel, .events = POLLIN};
    if (poll(supervisor->watched, (nfds_t)(count + 2), attached_timeout(&supervisor->attached, timeout)) <= 0)
        return false;
    standard_move(&supervisor->standard, supervisor->watched + 2);
    supervisor->has_lost_output = standard_has_lost(&supervisor->standard, supervisor->report);
    if (supervisor->watched[1].revents != 0)
        heard_channel(supervisor);
    notify_move(&supervisor->notify, notified);
    heard_readiness(supervisor);
    attached_move(&supervisor->attached, attached);
    if (supervisor->watched[0].revents != 0)
        *is_ending |= read_signals(supervisor);
    return true;
}

/* What the apps left is taken at once, so that nothing of the pod hangs on its reader: the pod is over, its lock is free, and only the
 * caller's own process goes on, for as long as the reader takes to take it. Whoever killed the pod, or asks this process to end, waits
 * for no reader. */
static void hand_over(struct supervisor *supervisor)
{
    bool is_ending = supervisor->was_killed;
    standard_gather(&supervisor->standard);
    while (standard_are_held(&supervisor->standard) && turn(supervisor, 0, &is_ending))
        ;
    finish(supervisor);
    close(supervisor->pod);
    close(supervisor->events);
    (void)!chdir("/");
    while (standard_are_held(&supervisor->standard) && !is_ending)
        turn(supervisor, -1, &is_ending);
    supervisor->has_lost_output = standard_has_lost(&supervisor->standard, supervisor->report);
}

/* What fails while the pod is given up: gc does what is left. */
static void leave(const struct failure *failure)
{
    (void)failure;
}

/* A failure of the supervisor itself ends the pod. What was begun by a start is undone; of apps that ran everything is heard and kept, as at
 * every other end. */
static void give_up(const struct failure *failure)
{
    die_through(leave, PERIGEE_FAILED);
    if (!current->has_failed)
        heard_failure(current, failure);
    if (current->init > 0) {
        kill(current->init, SIGKILL);
        waitpid(current->init, NULL, 0);
    }
    if (!current->has_started) {
        finish(current);
        return;
    }
    current->was_killed = true;
    if (current->init > 0)
        heard_end_of_init(current);
    hand_over(current);
}

int supervise(struct pod_plan *plan, int pod, int events, enum report report_to)
{
    struct supervisor supervisor = {.plan = plan, .pod = pod, .events = events, .channel = -1, .user_namespace = -1, .signals = -1, .report = report_to};
    static const int watched[] = {SIGCHLD, SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH};
    bool is_ending = false;
    current = &supervisor;
    die_through(give_up, PERIGEE_FAILED);
    supervisor.apps = must_allocate(plan->app_count * sizeof *supervisor.apps);
    supervisor.watched = must_allocate((standard_most(plan) + notify_most(plan) + attached_most(plan) + 2) * sizeof *supervisor.watched);
    supervisor.signals = signals_open(watched, sizeof watched / sizeof *watched);
    sources_open_cgroups(plan);
    if (!plan->is_unprivileged)
        sources_open_mounts(plan);
    cgroups_filter_devices(plan);
    traffic_limit(plan);
    standard_open(&supervisor.standard, plan);
    start_init(&supervisor);
    finish_start(&supervisor);
    supervisor.has_started = true;
    while (supervisor.init > 0)
        turn(&supervisor, -1, &is_ending);
    hand_over(&supervisor);
    return status_of(&supervisor);
}
