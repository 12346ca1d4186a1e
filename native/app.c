/* From here on the order matters: what an app may not see is closed, and what it may not do is given up, before its program runs. A handler
 * of an app is started in the same way, by the same functions: there is no second path to a program (rkt's CVEs came from one). */
#include "app.h"

#include "cgroups.h"
#include "die.h"
#include "label.h"
#include "messages.h"
#include "notify.h"
#include "privileges.h"
#include "rootfs.h"
#include "sockets.h"
#include "sources.h"
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIRST_FREE = 3, CANNOT_EXECUTE = 126, NOT_FOUND = 127 };

/* Right behind what the app gets. */
static int failure_channel = -1;
static bool ends_the_pod = false;

/* The supervisor kills the pod for it. Should init hear of an end before that, it would ask the other apps to end, which is not what happened
 * to them. A filter that refuses the wait costs no more than that. */
static void report(const struct failure *failure)
{
    if (message_send_failure(failure_channel, failure) && ends_the_pod)
        pause();
}

/* In a process of init's. */
static void report_to(int channel)
{
    failure_channel = channel;
    ends_the_pod = true;
    die_through(report, 125);
}

/* What is wrong with a check, or with the last handler of an app that has ended, ends nothing, and its exit status tells of it. */
static void say_nothing(const struct failure *failure)
{
    (void)failure;
}

static bool is_told_by_status(enum stage stage)
{
    return stage == STAGE_POST_STOP || stage == STAGE_CHECK;
}

/* A handler never takes from the app's standard input. */
static int source_of(const struct app_plan *app, enum stage stage, int slave, int number)
{
    if (stage != STAGE_PROGRAM && number == STDIN_FILENO)
        return app->handler_input;
    if (stage == STAGE_CHECK)
        return app->check_output;
    return slave >= 0 ? slave : app->standard[number];
}

void app_take_descriptors(const struct app_plan *app, enum stage stage, int *channel, int slave)
{
    for (int i = 0; i < 3; i++) {
        int source = source_of(app, stage, slave, i);
        if (source != i && dup2(source, i) < 0)
            die("descriptors", app->name, errno);
    }
    size_t sockets = stage == STAGE_PROGRAM ? sockets_count(app) : 0;
    int own = FIRST_FREE + (int)sockets, moved = *channel;
    /* A socket may be where the channel is to be, and the channel where a socket is. */
    if (sockets > 0 && (moved = fcntl(*channel, F_DUPFD_CLOEXEC, own + 1)) < 0)
        die("descriptors", app->name, errno);
    failure_channel = moved;
    if (!is_told_by_status(stage))
        die_through(report, 125);
    if (sockets > 0)
        sockets_take(app);
    if (moved != own && dup3(moved, own, O_CLOEXEC) < 0)
        die("descriptors", app->name, errno);
    *channel = failure_channel = own;
    if (close_range((unsigned)own + 1, ~0U, 0) < 0)
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

static _Noreturn void fail_to_execute(const struct app_plan *app, enum stage stage, const char *program, int error)
{
    static const char no_interpreter[] = "its interpreter is not in the image";
    struct stat status;
    /* ENOENT for a file that is there: its interpreter is not. */
    bool is_there = error != ENOENT && error != ENOTDIR && error != ELOOP && error != ENAMETOOLONG;
    bool lacks_interpreter = error == ENOENT && strchr(program, '/') != NULL && stat(program, &status) == 0;
    if (stage == STAGE_PRE_START) {
        char message[256];
        snprintf(message, sizeof message, "%.160s: %s", program, lacks_interpreter ? no_interpreter : strerror(error));
        die_because("pre-start", app->name, error, message);
    }
    if (lacks_interpreter)
        die_with_status(CANNOT_EXECUTE, "exec", program, error, no_interpreter);
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
static _Noreturn void execute(const struct app_plan *app, enum stage stage, char *const *environment)
{
    char *const *words = app_command(app, stage)->words;
    const char *program = words[0];
    if (strchr(program, '/') != NULL) {
        execve(program, words, environment);
        fail_to_execute(app, stage, program, errno);
    }
    int error = ENOENT;
    for (const char *path = path_of(environment); *path != '\0'; path += *path == ':') {
        char candidate[PATH_MAX];
        size_t length = strcspn(path, ":");
        int used = snprintf(candidate, sizeof candidate, "%.*s/%s", (int)length, path, program);
        if (*path == '/' && used < (int)sizeof candidate) {
            execve(candidate, words, environment);
            if (errno != ENOENT && errno != ENOTDIR)
                error = errno;
        }
        path += length;
    }
    fail_to_execute(app, stage, program, error);
}

const struct command *app_command(const struct app_plan *app, enum stage stage)
{
    switch (stage) {
    case STAGE_PRE_START: return &app->pre_start;
    case STAGE_POST_STOP: return &app->post_stop;
    case STAGE_CHECK: return &app->health.command;
    case STAGE_PROGRAM: break;
    }
    return &app->command;
}

void app_execute(const struct app_plan *app, enum stage stage, int parent_death_signal)
{
    /* Before a filter that may refuse what this takes. */
    char *const *environment = stage == STAGE_PROGRAM ? sockets_environment(app) : app->environment;
    privileges_drop(app);
    /* Afterwards, because a change of ids clears it. An app's filter may refuse it. */
    if (parent_death_signal != 0)
        (void)prctl(PR_SET_PDEATHSIG, parent_death_signal, 0, 0, 0);
    reset_signals();
    execute(app, stage, environment);
}

/* Everything of the app's that this process is not in yet, but for its root. */
static void enter_new_namespaces(const struct pod_plan *plan, uint32_t index, bool is_in_v2)
{
    const struct app_plan *app = &plan->apps[index];
    cgroups_join(app->cgroups, app->cgroup_count, is_in_v2);
    /* The root of a cgroup namespace is where its first process is: below init's only if the app has cgroups of its own. */
    bool has_cgroup_namespace = (plan->namespaces & CLONE_NEWCGROUP) != 0 && app->cgroup_count > 0;
    /* The last app takes over the mount namespace that init began in, and with it init, which then needs no root of its own: a second
     * namespace would cost the start of every pod two waits for the kernel's RCU. Where roots are made again init stays. */
    bool is_last = index + 1 == plan->app_count && !plan_renews_roots(plan);
    int kinds = (is_last ? 0 : CLONE_NEWNS) | (has_cgroup_namespace ? CLONE_NEWCGROUP : 0);
    if (kinds != 0 && unshare(kinds) < 0)
        die("namespace", app->name, errno);
    /* What the roots are made of came along, volumes that are shared with the host too: when it is left behind with the old root, that must not
     * unmount anything there. The volumes that will be mounted are copies, not in this tree yet, and stay as they are. */
    if (plan_renews_roots(plan) && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        die("propagation", app->name, errno);
}

/* The one way to a program of the pod: in the app's root and cgroups already, with nothing given up yet. `master` is one that the supervisor
 * does not have yet, or -1: it is to have it when the terminal is the app's. */
static _Noreturn void confine_and_execute(const struct pod_plan *plan, uint32_t index, enum stage stage, int channel, int slave, int master)
{
    const struct app_plan *app = &plan->apps[index];
    if (setsid() < 0)
        die("session", app->name, errno);
    if (stage == STAGE_PROGRAM) {
        if (slave >= 0)
            terminal_control(slave);
        if (master >= 0)
            message_send(channel, MESSAGE_TERMINAL, index, 0, master);
        message_send(channel, MESSAGE_STARTING, index, 0, -1);
    }
    app_take_descriptors(app, stage, &channel, slave);
    app_execute(app, stage, 0);
}

/* The supervisor has it before the app could say anything. */
static void send_notify_socket(const struct app_plan *app, uint32_t index, int channel)
{
    if (app->notify == NULL)
        return;
    cleanup_fd int fd = notify_make_socket(app);
    message_send(channel, MESSAGE_NOTIFY, index, 0, fd);
}

void app_start(const struct pod_plan *plan, uint32_t index, int channel, bool is_in_v2)
{
    int slave = -1;
    const struct app_plan *app = &plan->apps[index];
    report_to(channel);
    enter_new_namespaces(plan, index, is_in_v2);
    if (label_is_asked_for(app)) {
        cleanup_fd int proc = rootfs_open_proc();
        label_next_program(proc, app);
    }
    int master = rootfs_enter(plan, app, &slave);
    send_notify_socket(app, index, channel);
    confine_and_execute(plan, index, STAGE_PROGRAM, channel, slave, master);
}

void app_make_root(const struct pod_plan *plan, uint32_t index, int channel, bool is_in_v2, int keeper)
{
    report_to(channel);
    if (app_renews_root(&plan->apps[index]))
        sources_copy_kept(&plan->apps[index]);
    enter_new_namespaces(plan, index, is_in_v2);
    /* While the base is the working directory: what is at /proc of the root is the app's to see, and not ours to use. */
    int mount = rootfs_open_namespace("mnt"), cgroup = rootfs_open_namespace("cgroup");
    int slave = -1, master = rootfs_enter(plan, &plan->apps[index], &slave);
    send_notify_socket(&plan->apps[index], index, channel);
    if (master >= 0)
        message_send(channel, MESSAGE_TERMINAL, index, 0, master);
    bool is_told = message_send(keeper, MESSAGE_MOUNT_NAMESPACE, index, 0, mount) && message_send(keeper, MESSAGE_CGROUP_NAMESPACE, index, 0, cgroup) &&
                   (slave < 0 || message_send(keeper, MESSAGE_TERMINAL, index, 0, slave));
    _exit(is_told ? 0 : 125);
}

void app_join(const struct pod_plan *plan, uint32_t index, enum stage stage, const struct app_root *root, int channel, bool is_in_v2)
{
    const struct app_plan *app = &plan->apps[index];
    if (is_told_by_status(stage))
        die_through(say_nothing, 125);
    else
        report_to(channel);
    cgroups_join(app->cgroups, app->cgroup_count, is_in_v2);
    label_next_program(root->proc, app);
    if (setns(root->cgroup, CLONE_NEWCGROUP) < 0 || setns(root->mount, CLONE_NEWNS) < 0)
        die("namespace", app->name, errno);
    confine_and_execute(plan, index, stage, channel, root->terminal, -1);
}
