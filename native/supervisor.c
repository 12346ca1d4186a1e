/* Everything it needs of the host it opens before there is a pod. From then on it only copies bytes, writes small files and waits.
 * It alone holds the pod's lock: when it is gone, the lock is free, and init, whose channel it held, ends the pod. */
#include "supervisor.h"

#include "cgroups.h"
#include "die.h"
#include "init.h"
#include "messages.h"
#include "namespaces.h"
#include "output.h"
#include "renewal.h"
#include "signals.h"
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

enum { PERIGEE_FAILED = 125, KILLED = 128 + SIGKILL };

struct app_state {
    pid_t pid;
    bool is_executed, has_exited;
    /* It has ended and is to be started again; the process that sees to what that needs, or 0. */
    bool is_paused;
    pid_t renewal;
    struct app_restarts restarts;
};

struct supervisor {
    struct pod_plan *plan;
    int pod, events, channel, signals;
    enum report report;
    /* 0 before it is there and after it has ended. */
    pid_t init;
    struct app_state *apps;
    size_t executed;
    /* Of the first app that failed, or of the start. */
    int status;
    bool has_failed, was_killed, has_lost_output;
    struct standard standard;
    struct state state;
    struct pollfd *watched;
};

/* For the one function that die() calls without an argument. */
static struct supervisor *current;

static void report(struct supervisor *supervisor, const struct failure *failure)
{
    supervisor->has_failed = true;
    supervisor->status = failure->status;
    terminal_restore();
    event_failed(supervisor->events, failure);
    report_failure(supervisor->report, failure);
}

/* An app that is content while its output went nowhere must not look like success. */
static int status_of(const struct supervisor *supervisor)
{
    return supervisor->status == 0 && supervisor->has_lost_output ? PERIGEE_FAILED : supervisor->status;
}

static void finish(struct supervisor *supervisor)
{
    terminal_restore();
    for (size_t i = 0; i < supervisor->plan->app_count; i++)
        renewal_abandon(&supervisor->apps[i].renewal);
    state_close(&supervisor->state);
    teardown_run(supervisor->plan, supervisor->pod);
    cgroups_remove(supervisor->plan);
    event_exited(supervisor->events, status_of(supervisor));
}

/* A failure of the supervisor itself, during the start: what was begun is undone. */
static void abort_start(const struct failure *failure)
{
    report(current, failure);
    if (current->init > 0) {
        kill(current->init, SIGKILL);
        waitpid(current->init, NULL, 0);
    }
    finish(current);
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
    }
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
    for (size_t i = 0; i < plan->app_count; i++)
        sources_close(&plan->apps[i]);
    for (size_t i = 0; i < plan->cgroup_count; i++) {
        close_fd(&plan->cgroups[i].directory);
        close_fd(&plan->cgroups[i].file);
    }
}

/* What cannot go on ends the pod; the first to say so is heard. */
static void fail(struct supervisor *supervisor, const struct failure *failure)
{
    if (!supervisor->has_failed)
        report(supervisor, failure);
    if (supervisor->init > 0)
        kill(supervisor->init, SIGKILL);
}

/* The last end of an app. */
static void note_last_exit(struct supervisor *supervisor, uint32_t index, int status)
{
    supervisor->apps[index].has_exited = true;
    if (supervisor->status == 0)
        supervisor->status = status;
    state_write_status(&supervisor->state, index, status);
}

static void note_exit(struct supervisor *supervisor, uint32_t index, int status, bool is_paused)
{
    struct app_state *app = &supervisor->apps[index];
    /* While it waits for its next run, what ends is a process that never became that. */
    if (!app->is_executed || app->is_paused)
        return;
    app->is_paused = is_paused;
    if (is_paused) {
        app->restarts.status = status;
        app->restarts.ended = time(NULL);
        state_write_restarts(&supervisor->state, index, &app->restarts, false);
    } else {
        note_last_exit(supervisor, index, status);
    }
    event_app_exited(supervisor->events, supervisor->plan->apps[index].name, status);
}

static void note_check(struct supervisor *supervisor, uint32_t index, int32_t value, pid_t sender)
{
    struct health health = health_unpack(value);
    if (sender == supervisor->init)
        state_write_health(&supervisor->state, index, &health, standard_take_tail(&supervisor->standard, index));
}

static void begin_renewal(struct supervisor *supervisor, uint32_t index, pid_t sender)
{
    pid_t *renewal = &supervisor->apps[index].renewal;
    /* An app that may trace could have said it. */
    if (sender == supervisor->init && *renewal == 0)
        *renewal = renewal_start(supervisor->plan, &supervisor->plan->apps[index]);
}

static void reap_renewals(struct supervisor *supervisor)
{
    for (uint32_t i = 0; i < supervisor->plan->app_count; i++) {
        struct app_plan *app = &supervisor->plan->apps[i];
        int result = renewal_result(&supervisor->apps[i].renewal);
        if (result > 0)
            fail(supervisor, &(struct failure){.step = "restart", .subject = app->name, .errnum = result, .status = PERIGEE_FAILED,
                                               .message = result == EBUSY ? "processes that the app left behind do not end" : strerror(result)});
        if (result == 0 && supervisor->channel >= 0)
            renewal_hand_over(app, i, supervisor->channel);
    }
}

static void note_executed(struct supervisor *supervisor, uint32_t index)
{
    struct app_state *app = &supervisor->apps[index];
    /* What failed in the app's own process has been heard before this. */
    if (supervisor->has_failed)
        return;
    bool is_first = !app->is_executed;
    app->is_executed = true;
    app->is_paused = false;
    supervisor->executed += is_first;
    state_write_app(&supervisor->state, index, app->pid);
    if (!is_first) {
        app->restarts.count++;
        state_write_restarts(&supervisor->state, index, &app->restarts, true);
    }
    if (supervisor->plan->apps[index].health.interval > 0)
        state_write_health(&supervisor->state, index, &(struct health){.status = CHECK_NONE}, standard_take_tail(&supervisor->standard, index));
    event_app_started(supervisor->events, supervisor->plan->apps[index].name, app->pid);
    if (is_first && supervisor->executed == supervisor->plan->app_count)
        event_ready(supervisor->events, supervisor->init);
}

static void note_failure(struct supervisor *supervisor, const struct message *message)
{
    struct failure failure = {.step = message->step, .subject = message->subject, .errnum = message->errnum, .message = message->text, .status = message->value};
    fail(supervisor, &failure);
}

static int exit_status_of(int wait_status)
{
    return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

/* A pre-start handler that failed ends the start, and is told by that; a post-stop handler comes after everything and changes nothing. */
static void note_handler(struct supervisor *supervisor, uint32_t index, bool is_post_stop, int status)
{
    const char *name = supervisor->plan->apps[index].name;
    event_handler_exited(supervisor->events, name, is_post_stop ? "post-stop" : "pre-start", status);
    if (!is_post_stop)
        return;
    state_write_post_stop(&supervisor->state, index, status);
    if (status != 0)
        report_post_stop(supervisor->report, name, status);
}

static void handle(struct supervisor *supervisor, const struct message *message, pid_t sender, int terminal)
{
    if (message->app >= supervisor->plan->app_count)
        return;
    switch (message->kind) {
    case MESSAGE_STARTING: supervisor->apps[message->app].pid = sender; break;
    case MESSAGE_TERMINAL: standard_add_terminal(&supervisor->standard, terminal); break;
    case MESSAGE_EXECUTED: note_executed(supervisor, message->app); break;
    case MESSAGE_EXITED: note_exit(supervisor, message->app, exit_status_of(message->value), false); break;
    case MESSAGE_PAUSED: note_exit(supervisor, message->app, exit_status_of(message->value), true); break;
    case MESSAGE_CHECKED: note_check(supervisor, message->app, message->value, sender); break;
    case MESSAGE_RENEW: begin_renewal(supervisor, message->app, sender); break;
    case MESSAGE_PRE_STARTED: note_handler(supervisor, message->app, false, exit_status_of(message->value)); break;
    case MESSAGE_POST_STOPPED: note_handler(supervisor, message->app, true, exit_status_of(message->value)); break;
    case MESSAGE_FAILED: note_failure(supervisor, message); break;
    case MESSAGE_MOUNT_NAMESPACE:
    case MESSAGE_CGROUP_NAMESPACE:
    case MESSAGE_TREE:
    case MESSAGE_UPPER:
    case MESSAGE_WORK:
    case MESSAGE_RENEWED:
    case MESSAGE_RELEASE:
    case MESSAGE_SIGNAL: break;
    }
}

static void read_channel(struct supervisor *supervisor)
{
    struct message message;
    pid_t sender = 0;
    int terminal = -1, result;
    while ((result = message_receive(supervisor->channel, &message, &sender, &terminal, false)) == 1)
        handle(supervisor, &message, sender, terminal);
    /* Closed by its end: init is about to be reaped, and must not be waited for by polling what is always ready. */
    if (result == 0) {
        close(supervisor->channel);
        supervisor->channel = -1;
    }
}

/* The kernel killed every app that init did not see end. One that waited for its next run has the status of its last. */
static void note_init_exit(struct supervisor *supervisor)
{
    supervisor->init = 0;
    if (supervisor->channel >= 0)
        read_channel(supervisor);
    if (supervisor->executed == 0 && !supervisor->has_failed)
        report(supervisor, &(struct failure){.step = "init", .subject = "", .message = "killed before any app had started, as by a limit of memory that is too small", .status = PERIGEE_FAILED});
    for (uint32_t i = 0; i < supervisor->plan->app_count; i++)
        if (supervisor->apps[i].is_paused && !supervisor->apps[i].has_exited)
            note_last_exit(supervisor, i, supervisor->apps[i].restarts.status);
        else if (supervisor->apps[i].is_executed && !supervisor->apps[i].has_exited)
            note_exit(supervisor, i, KILLED, false);
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
        note_init_exit(supervisor);
    }
    reap_renewals(supervisor);
    return is_ending;
}

/* One turn: waits until something can be moved or has happened. False if nothing came in time. */
static bool turn(struct supervisor *supervisor, int timeout, bool *is_ending)
{
    size_t count = standard_wanted(&supervisor->standard, supervisor->watched + 2);
    supervisor->watched[0] = (struct pollfd){.fd = supervisor->signals, .events = POLLIN};
    supervisor->watched[1] = (struct pollfd){.fd = supervisor->channel, .events = POLLIN};
    if (poll(supervisor->watched, (nfds_t)(count + 2), timeout) <= 0)
        return false;
    standard_move(&supervisor->standard, supervisor->watched + 2);
    supervisor->has_lost_output = standard_has_lost(&supervisor->standard, supervisor->report);
    if (supervisor->watched[1].revents != 0)
        read_channel(supervisor);
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

int supervise(struct pod_plan *plan, int pod, int events, enum report report_to)
{
    struct supervisor supervisor = {.plan = plan, .pod = pod, .events = events, .channel = -1, .signals = -1, .report = report_to};
    static const int watched[] = {SIGCHLD, SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH};
    bool is_ending = false;
    current = &supervisor;
    die_through(abort_start, PERIGEE_FAILED);
    supervisor.apps = must_allocate(plan->app_count * sizeof *supervisor.apps);
    supervisor.watched = must_allocate((standard_most(plan) + 2) * sizeof *supervisor.watched);
    supervisor.signals = signals_open(watched, sizeof watched / sizeof *watched);
    sources_open_cgroups(plan);
    if (!plan->is_unprivileged)
        sources_open_mounts(plan);
    cgroups_filter_devices(plan);
    traffic_limit(plan);
    standard_open(&supervisor.standard, plan);
    start_init(&supervisor);
    finish_start(&supervisor);
    while (supervisor.init > 0)
        turn(&supervisor, -1, &is_ending);
    hand_over(&supervisor);
    return status_of(&supervisor);
}
