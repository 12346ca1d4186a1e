/* Only the first failure counts, and an app that may trace others could have said anything in their names: what is done outside of the pod
 * for a message is done for init's alone. */
#include "heard.h"

#include "die.h"
#include "messages.h"
#include "renewal.h"
#include "terminal.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void heard_failure(struct supervisor *supervisor, const struct failure *failure)
{
    supervisor->has_failed = true;
    supervisor->status = failure->status;
    terminal_restore();
    event_failed(supervisor->events, failure);
    report_failure(supervisor->report, failure);
}

/* What cannot go on ends the pod; the first to say so is heard. */
static void fail(struct supervisor *supervisor, const struct failure *failure)
{
    if (!supervisor->has_failed)
        heard_failure(supervisor, failure);
    if (supervisor->init > 0)
        kill(supervisor->init, SIGKILL);
}

/* All apps are executed, and those that say so have said in this run that they are ready. Everybody is told of the first time only. */
void heard_readiness(struct supervisor *supervisor)
{
    bool are_ready = supervisor->executed == supervisor->plan->app_count;
    for (uint32_t i = 0; i < supervisor->plan->app_count; i++) {
        struct app_state *app = &supervisor->apps[i];
        bool says_so = supervisor->plan->apps[i].notify != NULL;
        bool is_ready = app->is_executed && (!says_so || !app->is_paused) && notify_is_ready(&supervisor->notify, i);
        if (is_ready && !app->is_ready && says_so)
            event_app_ready(supervisor->events, supervisor->plan->apps[i].name);
        app->is_ready = is_ready;
        are_ready &= is_ready;
    }
    if (are_ready != supervisor->is_ready)
        state_write_pod_ready(&supervisor->state, are_ready);
    supervisor->is_ready = are_ready;
    if (!are_ready || supervisor->was_ready)
        return;
    supervisor->was_ready = true;
    event_ready(supervisor->events, supervisor->init);
    notify_tell_caller(supervisor->plan);
}

/* The last end of an app. */
static void note_last_exit(struct supervisor *supervisor, uint32_t index, int status)
{
    supervisor->apps[index].has_exited = true;
    if (supervisor->status == 0)
        supervisor->status = status;
    state_write_status(&supervisor->state, index, status);
    attached_end(&supervisor->attached, index, status);
}

static void note_exit(struct supervisor *supervisor, uint32_t index, int status, bool is_paused)
{
    struct app_state *app = &supervisor->apps[index];
    /* While it waits for its next run, what ends is a process that never became that. */
    if (!app->is_executed || app->is_paused)
        return;
    notify_hear_last(&supervisor->notify, index);
    heard_readiness(supervisor);
    app->is_paused = is_paused;
    if (is_paused) {
        notify_end_run(&supervisor->notify, index);
        /* Of a check that was killed with the run. */
        standard_take_tail(&supervisor->standard, index)->used = 0;
        heard_readiness(supervisor);
        app->restarts.status = status;
        app->restarts.ended = time(NULL);
        state_write_restarts(&supervisor->state, index, &app->restarts, false);
    } else {
        notify_end_last(&supervisor->notify, index);
        note_last_exit(supervisor, index, status);
    }
    event_app_exited(supervisor->events, supervisor->plan->apps[index].name, status);
}

static void note_check(struct supervisor *supervisor, uint32_t index, int32_t value, pid_t sender)
{
    struct health health = health_unpack(value);
    if (sender != supervisor->init)
        return;
    state_write_health(&supervisor->state, index, &health, standard_take_tail(&supervisor->standard, index));
    if (supervisor->channel >= 0)
        message_send(supervisor->channel, MESSAGE_NOTED, index, 0, -1);
}

static void begin_renewal(struct supervisor *supervisor, uint32_t index, pid_t sender)
{
    pid_t *renewal = &supervisor->apps[index].renewal;
    /* An app that may trace could have said it. */
    if (sender == supervisor->init && *renewal == 0)
        *renewal = renewal_start(supervisor->plan, &supervisor->plan->apps[index], supervisor->user_namespace);
}

void heard_renewals(struct supervisor *supervisor)
{
    for (uint32_t i = 0; i < supervisor->plan->app_count; i++) {
        struct app_plan *app = &supervisor->plan->apps[i];
        int result = renewal_result(&supervisor->apps[i].renewal);
        if (result > 0)
            fail(supervisor, &(struct failure){.step = "restart", .subject = app->name, .errnum = result, .status = PERIGEE_FAILED,
                                               .message = result == EBUSY ? "processes that the app left behind do not end" : strerror(result)});
        if (result == 0)
            notify_begin_run(&supervisor->notify, i);
        if (result == 0 && supervisor->channel >= 0)
            renewal_hand_over(supervisor->plan, i, supervisor->channel);
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
    /* What the first check wrote may be there already, and is not forgotten. */
    if (supervisor->plan->apps[index].health.interval > 0)
        state_write_health(&supervisor->state, index, &(struct health){.status = CHECK_NONE}, &(struct tail){.used = 0});
    event_app_started(supervisor->events, supervisor->plan->apps[index].name, app->pid);
    heard_readiness(supervisor);
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

static bool is_asked_for(const struct supervisor *supervisor, const struct message *message)
{
    const struct app_plan *app = &supervisor->plan->apps[message->app];
    if (message->kind == MESSAGE_TERMINAL)
        return app->has_terminal && supervisor->standard.master < 0;
    return message->kind == MESSAGE_NOTIFY && app->notify != NULL;
}

static void handle(struct supervisor *supervisor, const struct message *message, pid_t sender, int descriptor)
{
    bool is_known = message->app < supervisor->plan->app_count;
    /* An app that may trace could say the same as the processes that become apps: it brings nothing that is not asked for. */
    if (descriptor >= 0 && !(is_known && is_asked_for(supervisor, message))) {
        close(descriptor);
        descriptor = -1;
    }
    if (!is_known)
        return;
    switch (message->kind) {
    case MESSAGE_STARTING: supervisor->apps[message->app].pid = sender; break;
    case MESSAGE_TERMINAL: standard_add_terminal(&supervisor->standard, message->app, descriptor); break;
    case MESSAGE_NOTIFY: notify_add(&supervisor->notify, message->app, descriptor); break;
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
    case MESSAGE_NOTED:
    case MESSAGE_RELEASE:
    case MESSAGE_SIGNAL: break;
    }
}

void heard_channel(struct supervisor *supervisor)
{
    struct message message;
    pid_t sender = 0;
    int descriptor = -1, result;
    while ((result = message_receive(supervisor->channel, &message, &sender, &descriptor, false)) == 1)
        handle(supervisor, &message, sender, descriptor);
    /* Closed by its end: init is about to be reaped, and must not be waited for by polling what is always ready. */
    if (result == 0) {
        close(supervisor->channel);
        supervisor->channel = -1;
    }
}

/* The kernel killed every app that init did not see end. One that waited for its next run has the status of its last. */
void heard_end_of_init(struct supervisor *supervisor)
{
    supervisor->init = 0;
    if (supervisor->channel >= 0)
        heard_channel(supervisor);
    if (supervisor->executed == 0 && !supervisor->has_failed)
        heard_failure(supervisor, &(struct failure){.step = "init", .subject = "", .message = "killed before any app had started, as by a limit of memory that is too small", .status = PERIGEE_FAILED});
    for (uint32_t i = 0; i < supervisor->plan->app_count; i++)
        if (supervisor->apps[i].is_paused && !supervisor->apps[i].has_exited)
            note_last_exit(supervisor, i, supervisor->apps[i].restarts.status);
        else if (supervisor->apps[i].is_executed && !supervisor->apps[i].has_exited)
            note_exit(supervisor, i, KILLED, false);
}
