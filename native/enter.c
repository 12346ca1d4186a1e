/* enter: runs a command beside an app, in all of its confinement. This process stays outside of the pod, between the caller's standard
 * descriptors and the command's: what the caller has open is never in the pod. */
#include "cgroups.h"
#include "die.h"
#include "events.h"
#include "join.h"
#include "messages.h"
#include "self.h"
#include "signals.h"
#include "standard.h"
#include "terminal.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { FAILED = 125, USAGE = 2 };

struct request {
    int plan, events;
    const char *uuid, *app, *start, *terminal;
    pid_t pid;
    enum report report;
    char **command;
    size_t length;
};

struct session {
    const struct request *request;
    int channel, signals;
    /* The process that makes the command's, and the command's; 0: not there. */
    pid_t maker, pid;
    int status;
    bool is_making, has_started, has_failed;
    struct standard standard;
    struct pollfd *watched;
};

/* For the one function that die() calls without an argument. */
static struct session *current;

static int usage(void)
{
    static const char text[] =
        "usage: perigee-shim enter PLAN UUID APP PID STARTTIME [--report text|json | --events EVENTS] [--terminal TERM] [-- COMMAND [ARGUMENT…]]\n";
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    return USAGE;
}

static pid_t pid_of(const char *text)
{
    char *end;
    long number = strtol(text, &end, 10);
    return text[0] >= '1' && text[0] <= '9' && *end == '\0' && number > 1 && number < 1 << 22 ? (pid_t)number : 0;
}

static bool parse_option(struct request *request, const char *name, const char *value)
{
    if (strcmp(name, "--terminal") == 0)
        request->terminal = value;
    else if (strcmp(name, "--events") == 0)
        request->events = self_descriptor(value);
    else if (strcmp(name, "--report") == 0)
        request->report = strcmp(value, "text") == 0 ? REPORT_TEXT : strcmp(value, "json") == 0 ? REPORT_JSON : REPORT_NONE;
    else
        return false;
    return strcmp(name, "--events") == 0 ? request->events >= 0 : strcmp(name, "--report") != 0 || request->report != REPORT_NONE;
}

static bool parse(int argc, char **argv, struct request *request)
{
    int next = 5;
    if (argc < next)
        return false;
    *request = (struct request){.plan = self_descriptor(argv[0]), .events = -1, .uuid = argv[1], .app = argv[2], .pid = pid_of(argv[3]), .start = argv[4]};
    for (; next + 1 < argc && strcmp(argv[next], "--") != 0; next += 2)
        if (!parse_option(request, argv[next], argv[next + 1]))
            return false;
    if (next < argc && strcmp(argv[next++], "--") != 0)
        return false;
    request->command = argv + next;
    request->length = (size_t)(argc - next);
    return request->plan > 0 && request->pid > 0;
}

static void report(struct session *session, const struct failure *failure)
{
    if (session->has_failed)
        return;
    session->has_failed = true;
    session->status = failure->status;
    terminal_restore();
    event_failed(session->request->events, failure);
    report_enter_failure(session->request->report, failure);
}

/* A failure of this process itself; a process of ours that is in the pod already ends with it. */
static void abort_session(const struct failure *failure)
{
    report(current, failure);
}

static char **words_of(char *const *words, size_t count, size_t room)
{
    char **copy = must_allocate((count + room + 1) * sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = words[i];
    return copy;
}

/* The app's own environment; with a terminal TERM is what that terminal is. */
static void set_terminal(struct app_plan *app, const char *name)
{
    size_t size = strlen(name) + sizeof "TERM=", index = 0;
    char *variable = must_allocate(size);
    snprintf(variable, size, "TERM=%s", name);
    app->has_terminal = true;
    app->environment = words_of(app->environment, app->environment_count, 1);
    while (index < app->environment_count && strncmp(app->environment[index], "TERM=", 5) != 0)
        index++;
    app->environment[index] = variable;
    app->environment_count += index == app->environment_count;
}

/* Of the plan by which the pod was started, that app alone, with the command in place of its own. */
static void choose_app(struct pod_plan *plan, const struct request *request)
{
    struct app_plan *app = plan->apps;
    if (strcmp(plan->uuid, request->uuid) != 0)
        die_because("plan", plan->uuid, 0, "the plan of another pod");
    while (app < plan->apps + plan->app_count && strcmp(app->name, request->app) != 0)
        app++;
    if (app == plan->apps + plan->app_count)
        die_because("plan", request->app, 0, "not an app of the pod");
    plan->apps = app;
    plan->app_count = 1;
    plan->is_foreground = true;
    plan->is_attachable = false;
    app->log.path = NULL;
    app->has_terminal = app->takes_input = false;
    app->command = (struct command){.words = words_of(request->command, request->length, 1), .count = request->length};
    app->pre_start = app->post_stop = (struct command){0};
    app->health = (struct health_record){0};
    app->restart = (struct restart_record){0};
    if (request->terminal != NULL)
        set_terminal(app, request->terminal);
}

static void start(struct session *session, struct pod_plan *plan)
{
    const struct request *request = session->request;
    struct app_plan *app = plan->apps;
    int ends[2];
    struct target target = target_open(plan, request->pid, request->start);
    cgroups_open(plan->cgroups, plan->cgroup_count);
    cgroups_open(app->cgroups, app->cgroup_count);
    standard_open(&session->standard, plan);
    messages_open(ends);
    session->channel = ends[0];
    session->maker = join_start(plan, app, &target, ends[1]);
    session->is_making = true;
    close(ends[1]);
    for (size_t i = 0; i < 3; i++)
        close_fd(&app->standard[i]);
}

/* An app that may trace could take the channel from the command's process before it executes: which process is signalled, and what the
 * caller's terminal is connected with, says only the one that no app ever sees (T-R04). */
static void handle(struct session *session, const struct message *message, pid_t sender, int terminal)
{
    struct failure failure = {.step = message->step, .subject = message->subject, .errnum = message->errnum, .message = message->text, .status = message->value};
    bool is_maker = sender == session->maker;
    if (message->kind == MESSAGE_TERMINAL && is_maker)
        standard_add_terminal(&session->standard, 0, terminal);
    else if (terminal >= 0)
        close(terminal);
    if (message->kind == MESSAGE_STARTING && is_maker)
        session->pid = message->value;
    if (message->kind == MESSAGE_FAILED)
        report(session, &failure);
}

/* Closed by every process that had the other end: by the command when it was executed. */
static void read_channel(struct session *session)
{
    struct message message;
    pid_t sender = 0;
    int terminal = -1, result;
    while (session->channel >= 0 && (result = message_receive(session->channel, &message, &sender, &terminal, false)) >= 0) {
        if (result == 1) {
            handle(session, &message, sender, terminal);
            continue;
        }
        close(session->channel);
        session->channel = -1;
        session->has_started = session->pid > 0 && !session->has_failed;
        if (session->has_started)
            event_app_started(session->request->events, session->request->app, session->pid);
    }
}

static void note_end(struct session *session, pid_t pid, int status)
{
    if (pid == session->maker) {
        session->is_making = false;
        if (status != 0 && !session->has_failed)
            report(session, &(struct failure){.step = "enter", .subject = "", .message = "killed before the command had started, as by a limit of memory that is too small", .status = FAILED});
        return;
    }
    session->pid = 0;
    if (!session->has_failed)
        session->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void reap(struct session *session)
{
    int status;
    /* What a process had to say was sent before it ended. */
    read_channel(session);
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0; read_channel(session))
        note_end(session, pid, status);
}

/* True when the caller wants an end and there is no command that could be told. */
static bool read_signals(struct session *session)
{
    struct signalfd_siginfo info;
    bool is_ending = false;
    while (read(session->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        int number = (int)info.ssi_signo;
        if (number == SIGWINCH)
            standard_resize(&session->standard);
        if (number == SIGCHLD || (number == SIGWINCH && session->standard.master >= 0))
            continue;
        if (session->pid > 0)
            kill(session->pid, number);
        else if (number == SIGTERM || number == SIGINT || number == SIGQUIT || number == SIGHUP)
            is_ending = true;
        if (is_ending && !session->has_started)
            session->status = 128 + number;
    }
    reap(session);
    return is_ending;
}

/* Waits until something can be moved or has happened. False if nothing came in time. */
static bool turn(struct session *session, int timeout, bool *is_ending)
{
    size_t count = standard_wanted(&session->standard, session->watched + 2);
    session->watched[0] = (struct pollfd){.fd = session->signals, .events = POLLIN};
    session->watched[1] = (struct pollfd){.fd = session->channel, .events = POLLIN};
    if (poll(session->watched, (nfds_t)(count + 2), timeout) <= 0)
        return false;
    standard_move(&session->standard, session->watched + 2);
    standard_has_lost(&session->standard, session->request->report);
    if (session->watched[1].revents != 0)
        read_channel(session);
    if (session->watched[0].revents != 0)
        *is_ending |= read_signals(session);
    return true;
}

/* The end of the command is the end: what it left in its pipes is taken at once, and what it left running in the pod is not waited for. */
static int serve(struct session *session)
{
    bool is_ending = false;
    while ((session->is_making || session->pid > 0) && !is_ending)
        turn(session, -1, &is_ending);
    if (session->is_making)
        kill(session->maker, SIGKILL);
    standard_gather(&session->standard);
    terminal_restore();
    while (standard_are_held(&session->standard) && !is_ending)
        turn(session, -1, &is_ending);
    bool has_lost = standard_has_lost(&session->standard, session->request->report);
    if (session->status == 0 && has_lost)
        session->status = FAILED;
    event_exited(session->request->events, session->status);
    return session->status;
}

int verb_enter(int argc, char **argv)
{
    static const int watched[] = {SIGCHLD, SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH};
    struct request request;
    if (!parse(argc, argv, &request))
        return usage();
    struct session session = {.request = &request, .channel = -1};
    current = &session;
    die_through(abort_session, FAILED);
    self_secure("enter", argc, argv, (const int[]){request.plan, request.events >= 0 ? request.events : request.plan, -1});
    umask(022);
    struct pod_plan *plan = plan_read(request.plan);
    choose_app(plan, &request);
    session.watched = must_allocate((standard_most(plan) + 2) * sizeof *session.watched);
    session.signals = signals_open(watched, sizeof watched / sizeof *watched);
    start(&session, plan);
    return serve(&session);
}
