/* An app without handlers costs one process and nothing that stays. For one with handlers init keeps what leads into its root, and the
 * right to start something there, until its last handler has run. */
#include "stages.h"

#include "cgroups.h"
#include "die.h"
#include "label.h"
#include "messages.h"
#include "namespaces.h"
#include "rootfs.h"
#include "sources.h"

#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

/* How long the other apps have to end after one has failed. */
enum { GRACE_SECONDS = 10 };

static time_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec;
}

static int read_oom_score(int file)
{
    char text[16] = "";
    return file >= 0 && pread(file, text, sizeof text - 1, 0) > 0 ? (int)strtol(text, NULL, 10) : 0;
}

/* The score of init is changed around the fork of each app, which inherits it: an app's process could not open its own file once it
 * is not dumpable, and /proc must not be written to by a path of the pod (T-R14). */
static void set_oom_score(struct stages *stages, int score)
{
    char text[16];
    if (score == stages->score)
        return;
    int length = snprintf(text, sizeof text, "%d", score);
    if (stages->oom_file < 0 || pwrite(stages->oom_file, text, (size_t)length, 0) != length)
        die("oom-score", text, errno);
    stages->score = score;
}

/* As fork, and suspended until the new process has executed a program or ended. */
static pid_t fork_for(struct stages *stages, const struct app_plan *app, bool *is_in_v2)
{
    int cgroup = cgroups_v2(app->cgroups, app->cgroup_count);
    set_oom_score(stages, app->has_oom_score && app->oom_score > stages->own_score ? app->oom_score : stages->own_score);
    pid_t pid = clone_process(CLONE_VFORK, cgroup);
    *is_in_v2 = cgroup >= 0 && pid != -EACCES && pid != -EPERM;
    return cgroup >= 0 && !*is_in_v2 ? clone_process(CLONE_VFORK, -1) : pid;
}

static void note_program(struct stages *stages, uint32_t index, pid_t pid)
{
    if (pid < 0)
        die("fork", stages->plan->apps[index].name, -pid);
    stages->lives[index].stage = STAGE_PROGRAM;
    stages->lives[index].pid = pid;
    message_send(stages->channel, MESSAGE_EXECUTED, index, 0, -1);
}

static void start_plain(struct stages *stages, uint32_t index)
{
    bool is_in_v2;
    struct app_plan *app = &stages->plan->apps[index];
    pid_t pid = fork_for(stages, app, &is_in_v2);
    if (pid == 0)
        app_start(stages->plan, index, stages->channel, is_in_v2);
    sources_close(app);
    note_program(stages, index, pid);
}

/* What could not be made has been reported by the process that tried. */
static void receive_root(int channel, struct app_root *root)
{
    struct message message;
    for (int fd; message_receive(channel, &message, NULL, &fd, false) == 1;) {
        if (message.kind == MESSAGE_MOUNT_NAMESPACE)
            root->mount = fd;
        if (message.kind == MESSAGE_CGROUP_NAMESPACE)
            root->cgroup = fd;
        if (message.kind == MESSAGE_TERMINAL)
            root->terminal = fd;
    }
    if (root->mount < 0 || root->cgroup < 0)
        _exit(125);
}

static void make_root(struct stages *stages, uint32_t index)
{
    bool is_in_v2;
    int ends[2];
    const struct app_plan *app = &stages->plan->apps[index];
    messages_open(ends);
    /* Once the root of the last app is made the base is gone from init too. */
    if (label_is_asked_for(app))
        stages->lives[index].root.proc = rootfs_open_proc();
    pid_t pid = fork_for(stages, app, &is_in_v2);
    if (pid == 0)
        app_make_root(stages->plan, index, stages->channel, is_in_v2, ends[1]);
    if (pid < 0)
        die("fork", app->name, -pid);
    receive_root(ends[0], &stages->lives[index].root);
    close(ends[0]);
    close(ends[1]);
    sources_close_mounts(app);
}

/* -errno if there is no process. */
static pid_t start_in_root(struct stages *stages, uint32_t index, enum stage stage)
{
    bool is_in_v2;
    pid_t pid = fork_for(stages, &stages->plan->apps[index], &is_in_v2);
    if (pid == 0)
        app_join(stages->plan, index, stage, &stages->lives[index].root, stages->channel, is_in_v2);
    set_oom_score(stages, stages->own_score);
    return pid;
}

static void start_program(struct stages *stages, uint32_t index)
{
    struct app_plan *app = &stages->plan->apps[index];
    note_program(stages, index, start_in_root(stages, index, STAGE_PROGRAM));
    /* Whoever writes to an app that reads no more is to hear of it. */
    close_fd(&app->standard[0]);
    app->standard[0] = -1;
}

static bool start_handler(struct stages *stages, uint32_t index, enum stage stage)
{
    struct life *life = &stages->lives[index];
    pid_t pid = start_in_root(stages, index, stage);
    life->stage = stage;
    life->pid = pid > 0 ? pid : 0;
    life->deadline = now() + stages->plan->apps[index].handler_seconds;
    life->is_late = false;
    return pid > 0;
}

static void start_with_handlers(struct stages *stages, uint32_t index)
{
    const struct app_plan *app = &stages->plan->apps[index];
    make_root(stages, index);
    if (app->pre_start.count == 0)
        start_program(stages, index);
    else if (!start_handler(stages, index, STAGE_PRE_START))
        die("fork", app->name, EAGAIN);
}

void stages_start(struct stages *stages)
{
    struct pod_plan *plan = stages->plan;
    stages->own_score = stages->score = read_oom_score(stages->oom_file);
    stages->lives = must_allocate(plan->app_count * sizeof *stages->lives);
    stages->left = plan->app_count;
    for (uint32_t i = 0; i < plan->app_count; i++) {
        stages->lives[i].root = (struct app_root){-1, -1, -1, -1};
        if (app_has_handlers(&plan->apps[i]))
            start_with_handlers(stages, i);
        else
            start_plain(stages, i);
    }
    set_oom_score(stages, stages->own_score);
}

static void end_life(struct stages *stages, uint32_t index)
{
    struct life *life = &stages->lives[index];
    life->has_ended = true;
    stages->left--;
    if (life->root.mount < 0)
        return;
    close_fd(&life->root.mount);
    close_fd(&life->root.cgroup);
    close_fd(&life->root.terminal);
    close_fd(&life->root.proc);
    sources_close_standing(&stages->plan->apps[index]);
    life->root = (struct app_root){-1, -1, -1, -1};
}

/* The first word of a pre-start handler, and how it ended. */
static _Noreturn void refuse_to_start(const struct app_plan *app, const struct life *life, int status)
{
    char message[256];
    const char *program = app->pre_start.words[0];
    if (life->is_late)
        snprintf(message, sizeof message, "%.160s took longer than %u seconds", program, app->handler_seconds);
    else if (WIFSIGNALED(status))
        snprintf(message, sizeof message, "%.160s was ended by signal %d", program, WTERMSIG(status));
    else
        snprintf(message, sizeof message, "%.160s ended with status %d", program, WEXITSTATUS(status));
    die_because("pre-start", app->name, 0, message);
}

static void note_pre_start(struct stages *stages, uint32_t index, int status)
{
    const struct app_plan *app = &stages->plan->apps[index];
    bool is_prepared = status == 0 && !stages->lives[index].is_late;
    message_send(stages->channel, MESSAGE_PRE_STARTED, index, status, -1);
    /* The pod ends already: what it ends with is told by the app that failed. */
    if (stages->deadline != 0)
        end_life(stages, index);
    else if (stages->is_stopping)
        die_because("pre-start", app->name, 0, "the pod was stopped before the app had started");
    else if (is_prepared)
        start_program(stages, index);
    else
        refuse_to_start(app, &stages->lives[index], status);
}

/* One app that failed ends the pod. */
static void note_program_exit(struct stages *stages, uint32_t index, int status)
{
    const struct app_plan *app = &stages->plan->apps[index];
    message_send(stages->channel, MESSAGE_EXITED, index, status, -1);
    if (status != 0 && stages->deadline == 0) {
        stages->deadline = now() + GRACE_SECONDS;
        stages_signal(stages, SIGTERM);
    }
    if (app->post_stop.count == 0) {
        end_life(stages, index);
    } else if (!start_handler(stages, index, STAGE_POST_STOP)) {
        message_send(stages->channel, MESSAGE_POST_STOPPED, index, W_EXITCODE(125, 0), -1);
        end_life(stages, index);
    }
}

void stages_note_exit(struct stages *stages, pid_t pid, int status)
{
    uint32_t index = 0, count = (uint32_t)stages->plan->app_count;
    while (index < count && stages->lives[index].pid != pid)
        index++;
    if (index == count)
        return;
    struct life *life = &stages->lives[index];
    life->pid = 0;
    life->deadline = 0;
    switch (life->stage) {
    case STAGE_PRE_START: note_pre_start(stages, index, status); break;
    case STAGE_PROGRAM: note_program_exit(stages, index, status); break;
    case STAGE_POST_STOP:
        message_send(stages->channel, MESSAGE_POST_STOPPED, index, status, -1);
        end_life(stages, index);
        break;
    }
}

void stages_signal(struct stages *stages, int number)
{
    stages->is_stopping |= number == SIGTERM || number == SIGINT || number == SIGQUIT || number == SIGHUP;
    for (size_t i = 0; i < stages->plan->app_count; i++)
        if (stages->lives[i].pid > 0 && stages->lives[i].stage != STAGE_POST_STOP)
            kill(stages->lives[i].pid, number);
}

int stages_timeout(const struct stages *stages)
{
    bool has_deadline = stages->deadline != 0;
    for (size_t i = 0; i < stages->plan->app_count; i++)
        has_deadline |= stages->lives[i].deadline != 0;
    return has_deadline ? 1000 : -1;
}

void stages_end_late(struct stages *stages)
{
    for (size_t i = 0; i < stages->plan->app_count; i++) {
        struct life *life = &stages->lives[i];
        bool is_program_late = stages->deadline != 0 && life->stage != STAGE_POST_STOP && now() >= stages->deadline;
        bool is_handler_late = life->deadline != 0 && now() >= life->deadline;
        if (life->pid <= 0 || (!is_program_late && !is_handler_late))
            continue;
        life->is_late = true;
        kill(life->pid, SIGKILL);
    }
}

bool stages_will_start(const struct stages *stages)
{
    for (size_t i = 0; i < stages->plan->app_count; i++) {
        const struct life *life = &stages->lives[i];
        bool has_more = life->stage == STAGE_PRE_START || (life->stage == STAGE_PROGRAM && stages->plan->apps[i].post_stop.count > 0);
        if (!life->has_ended && has_more)
            return true;
    }
    return false;
}

size_t stages_most_kept(const struct stages *stages)
{
    size_t most = 1;
    for (size_t i = 0; i < stages->plan->app_count; i++)
        most += 8 + 2 * stages->plan->apps[i].cgroup_count;
    return most;
}

size_t stages_kept(const struct stages *stages, int *kept)
{
    size_t count = 0;
    for (size_t i = 0; i < stages->plan->app_count; i++) {
        const struct app_plan *app = &stages->plan->apps[i];
        const struct app_root *root = &stages->lives[i].root;
        if (root->mount < 0)
            continue;
        kept[count++] = root->mount;
        kept[count++] = root->cgroup;
        kept[count++] = root->terminal;
        kept[count++] = root->proc;
        kept[count++] = app->handler_input;
        for (size_t j = 0; j < 3; j++)
            kept[count++] = app->standard[j];
        for (size_t j = 0; j < app->cgroup_count; j++) {
            kept[count++] = app->cgroups[j].directory;
            kept[count++] = app->cgroups[j].file;
        }
    }
    if (count > 0)
        kept[count++] = stages->oom_file;
    return count;
}
