/* An app without handlers that is not restarted costs one process and nothing that stays. For others init keeps what leads into the root,
 * and the right to start something there, until the last of it has run. */
#include "stages.h"

#include "clock.h"
#include "die.h"
#include "messages.h"
#include "restart.h"
#include "sockets.h"
#include "sources.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

/* Milliseconds: how long the other apps have to end after one has failed; how long is waited for what an app left behind, which was killed
 * and runs no more, and how often it is looked for. */
enum { GRACE = 10000, ORPHANS_LIMIT = 1000, ORPHANS_LOOK = 10 };

static struct app_plan *app_of(const struct stages *stages, uint32_t index)
{
    return &stages->starter.plan->apps[index];
}

/* Nothing is started again: the pod was asked to end, or fails. */
static bool is_over(const struct stages *stages)
{
    return stages->is_stopping || stages->deadline != 0;
}

static void note_program(struct stages *stages, uint32_t index, pid_t pid)
{
    if (pid < 0)
        die("fork", app_of(stages, index)->name, -pid);
    stages->lives[index].stage = STAGE_PROGRAM;
    stages->lives[index].pid = pid;
    stages->lives[index].began = clock_milliseconds();
    checks_begin(&stages->lives[index].checks, &app_of(stages, index)->health);
    stages->lives[index].is_given_up = false;
    stages->lives[index].end_by = 0;
    message_send(stages->starter.channel, MESSAGE_EXECUTED, index, 0, -1);
}

static void start_program(struct stages *stages, uint32_t index)
{
    struct app_plan *app = app_of(stages, index);
    note_program(stages, index, starter_start(&stages->starter, index, STAGE_PROGRAM, &stages->lives[index].root));
    /* Whoever writes to an app that reads no more is to hear of it; one that is started again may read on. */
    if (app->restart.policy != RESTART_NO)
        return;
    close_fd(&app->standard[0]);
    app->standard[0] = -1;
    sockets_close(app);
}

static bool start_handler(struct stages *stages, uint32_t index, enum stage stage)
{
    struct life *life = &stages->lives[index];
    pid_t pid = starter_start(&stages->starter, index, stage, &life->root);
    life->stage = stage;
    life->pid = pid > 0 ? pid : 0;
    life->deadline = clock_milliseconds() + (int64_t)app_of(stages, index)->handler_seconds * 1000;
    life->is_late = false;
    return pid > 0;
}

/* A whole run: of the first as of every other. */
static void start_run(struct stages *stages, uint32_t index)
{
    const struct app_plan *app = app_of(stages, index);
    struct life *life = &stages->lives[index];
    if (life->root.mount < 0)
        starter_make_root(&stages->starter, index, &life->root);
    if (app->pre_start.count == 0)
        start_program(stages, index);
    else if (!start_handler(stages, index, STAGE_PRE_START))
        die("fork", app->name, EAGAIN);
}

void stages_start(struct stages *stages)
{
    struct pod_plan *plan = stages->starter.plan;
    starter_open(&stages->starter);
    stages->lives = must_allocate(plan->app_count * sizeof *stages->lives);
    stages->left = plan->app_count;
    for (uint32_t i = 0; i < plan->app_count; i++) {
        stages->lives[i].root = (struct app_root){-1, -1, -1, -1};
        if (app_renews_root(&plan->apps[i]))
            sources_keep(&plan->apps[i], plan->is_unprivileged);
        if (app_is_started_apart(&plan->apps[i]))
            start_run(stages, i);
        else
            note_program(stages, i, starter_start_plain(&stages->starter, i));
    }
}

static void end_life(struct stages *stages, uint32_t index)
{
    struct life *life = &stages->lives[index];
    life->has_ended = true;
    life->pause = NO_PAUSE;
    stages->left--;
    if (!app_is_started_apart(app_of(stages, index)))
        return;
    starter_close_root(&life->root);
    sources_close_standing(app_of(stages, index));
    sockets_close(app_of(stages, index));
}

/* Alone in its pod, an app leaves nothing that is not killed by this, at one instant, however fast it forks. True if something was left. */
static bool kill_orphans(const struct stages *stages)
{
    return stages->starter.plan->app_count == 1 && (kill(-1, SIGKILL) == 0 || errno != ESRCH);
}

/* As far on the way to the next run as it goes now. */
static void go_on_after_pause(struct stages *stages, uint32_t index)
{
    struct life *life = &stages->lives[index];
    const struct app_plan *app = app_of(stages, index);
    /* What is left unread in the socket of an app that says when it is ready is of the run before. */
    bool is_renewed_outside = app_renews_root(app) || stages->starter.plan->app_count > 1 || app->notify != NULL;
    int64_t now = clock_milliseconds();
    if (life->pause == PAUSE_ORPHANS && (!kill_orphans(stages) || now >= life->limit)) {
        life->pause = is_renewed_outside ? PAUSE_RENEWAL : PAUSE_DELAY;
        if (is_renewed_outside)
            message_send(stages->starter.channel, MESSAGE_RENEW, index, 0, -1);
    }
    if (life->pause != PAUSE_DELAY || now < life->next)
        return;
    /* Somebody may have entered meanwhile. */
    kill_orphans(stages);
    life->pause = NO_PAUSE;
    life->restarts++;
    start_run(stages, index);
}

/* All stages of a run are through. */
static void end_run(struct stages *stages, uint32_t index)
{
    struct life *life = &stages->lives[index];
    int64_t now = clock_milliseconds();
    if (!life->is_to_restart || is_over(stages)) {
        end_life(stages, index);
        return;
    }
    life->delay = restart_delay(life->delay, now - life->began);
    life->next = now + life->delay;
    life->limit = now + ORPHANS_LIMIT;
    life->pause = PAUSE_ORPHANS;
    if (app_renews_root(app_of(stages, index)))
        starter_close_root(&life->root);
    go_on_after_pause(stages, index);
}

void stages_note_renewed(struct stages *stages, uint32_t index)
{
    if (stages->lives[index].pause != PAUSE_RENEWAL)
        return;
    stages->lives[index].pause = PAUSE_DELAY;
    go_on_after_pause(stages, index);
}

void stages_note_noted(struct stages *stages, uint32_t index)
{
    stages->lives[index].checks.is_noted = true;
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
    const struct app_plan *app = app_of(stages, index);
    bool is_prepared = status == 0 && !stages->lives[index].is_late, has_run = stages->lives[index].restarts > 0;
    message_send(stages->starter.channel, MESSAGE_PRE_STARTED, index, status, -1);
    /* The pod ends already: what it ends with is told by the app that failed, or by this one's end before. */
    if (stages->deadline != 0 || (stages->is_stopping && has_run))
        end_life(stages, index);
    else if (stages->is_stopping)
        die_because("pre-start", app->name, 0, "the pod was stopped before the app had started");
    else if (is_prepared)
        start_program(stages, index);
    else
        refuse_to_start(app, &stages->lives[index], status);
}

/* One app that failed, and is not started again, ends the pod. */
static void note_program_exit(struct stages *stages, uint32_t index, int status)
{
    const struct app_plan *app = app_of(stages, index);
    struct life *life = &stages->lives[index];
    checks_stop(&life->checks, &stages->starter);
    life->is_to_restart = !is_over(stages) && restart_is_due(&app->restart, life->restarts, status, life->is_given_up);
    message_send(stages->starter.channel, life->is_to_restart ? MESSAGE_PAUSED : MESSAGE_EXITED, index, status, -1);
    if (!life->is_to_restart && status != 0 && stages->deadline == 0) {
        stages->deadline = clock_milliseconds() + GRACE;
        stages_signal(stages, SIGTERM);
    }
    if (app->post_stop.count == 0) {
        end_run(stages, index);
    } else if (!start_handler(stages, index, STAGE_POST_STOP)) {
        message_send(stages->starter.channel, MESSAGE_POST_STOPPED, index, W_EXITCODE(125, 0), -1);
        end_run(stages, index);
    }
}

/* Its checks have found it so: the app is asked to end if it is to be started again, and killed if it only is to end. */
static void end_unhealthy(struct stages *stages, uint32_t index)
{
    struct life *life = &stages->lives[index];
    enum health_action action = app_of(stages, index)->health.action;
    bool is_ending = life->pid <= 0 || life->end_by != 0 || is_over(stages);
    if (action == HEALTH_NONE || is_ending)
        return;
    life->is_given_up = action == HEALTH_RESTART;
    life->end_by = clock_milliseconds() + GRACE;
    kill(life->pid, action == HEALTH_RESTART ? SIGTERM : SIGKILL);
}

void stages_note_exit(struct stages *stages, pid_t pid, int status)
{
    uint32_t index = 0, count = (uint32_t)stages->starter.plan->app_count;
    while (index < count && stages->lives[index].pid != pid && stages->lives[index].checks.pid != pid)
        index++;
    if (index == count)
        return;
    struct life *life = &stages->lives[index];
    if (life->checks.pid == pid) {
        if (checks_note_exit(&life->checks, &stages->starter, index, status))
            end_unhealthy(stages, index);
        return;
    }
    life->pid = 0;
    life->deadline = 0;
    switch (life->stage) {
    case STAGE_PRE_START: note_pre_start(stages, index, status); break;
    case STAGE_CHECK:
    case STAGE_PROGRAM: note_program_exit(stages, index, status); break;
    case STAGE_POST_STOP:
        message_send(stages->starter.channel, MESSAGE_POST_STOPPED, index, status, -1);
        end_run(stages, index);
        break;
    }
}

void stages_signal(struct stages *stages, int number)
{
    stages->is_stopping |= number == SIGTERM || number == SIGINT || number == SIGQUIT || number == SIGHUP;
    for (uint32_t i = 0; i < stages->starter.plan->app_count; i++) {
        if (stages->lives[i].pid > 0 && stages->lives[i].stage != STAGE_POST_STOP)
            kill(stages->lives[i].pid, number);
        if (stages->lives[i].pause != NO_PAUSE && is_over(stages))
            end_life(stages, i);
    }
}

static bool is_checked(const struct stages *stages, uint32_t index)
{
    const struct life *life = &stages->lives[index];
    bool is_ending = life->end_by != 0 || is_over(stages);
    return app_of(stages, index)->health.interval > 0 && life->stage == STAGE_PROGRAM && life->pid > 0 && !is_ending;
}

/* When something is to be looked at because of this app; INT64_MAX: never. */
static int64_t next_look(const struct life *life, bool is_checked, int64_t now)
{
    if (life->pause == PAUSE_ORPHANS)
        return now + ORPHANS_LOOK;
    if (life->pause == PAUSE_DELAY)
        return life->next;
    if (life->end_by != 0 && life->stage == STAGE_PROGRAM && life->pid > 0)
        return life->end_by;
    if (is_checked)
        return checks_next_look(&life->checks);
    return life->deadline != 0 ? life->deadline : INT64_MAX;
}

int stages_timeout(const struct stages *stages)
{
    int64_t now = clock_milliseconds(), first = stages->deadline != 0 ? stages->deadline : INT64_MAX;
    for (uint32_t i = 0; i < stages->starter.plan->app_count; i++) {
        int64_t look = next_look(&stages->lives[i], is_checked(stages, i), now);
        first = look < first ? look : first;
    }
    if (first == INT64_MAX)
        return -1;
    /* What was killed and has not ended is killed again, now and then. */
    return first <= now ? 100 : first - now > 1000 ? 1000 : (int)(first - now);
}

static void end_late(struct stages *stages, struct life *life, int64_t now)
{
    bool is_program_late = stages->deadline != 0 && life->stage != STAGE_POST_STOP && now >= stages->deadline;
    bool is_handler_late = life->deadline != 0 && now >= life->deadline;
    bool is_given_up = life->end_by != 0 && life->stage == STAGE_PROGRAM && now >= life->end_by;
    if (life->pid <= 0 || (!is_program_late && !is_handler_late && !is_given_up))
        return;
    life->is_late = true;
    kill(life->pid, SIGKILL);
}

void stages_go_on(struct stages *stages)
{
    for (uint32_t i = 0; i < stages->starter.plan->app_count; i++) {
        end_late(stages, &stages->lives[i], clock_milliseconds());
        if (stages->lives[i].pause != NO_PAUSE)
            go_on_after_pause(stages, i);
        if (is_checked(stages, i) && checks_go_on(&stages->lives[i].checks, &stages->starter, i, &stages->lives[i].root))
            end_unhealthy(stages, i);
    }
}

bool stages_will_start(const struct stages *stages)
{
    for (uint32_t i = 0; i < stages->starter.plan->app_count; i++) {
        const struct life *life = &stages->lives[i];
        const struct app_plan *app = app_of(stages, i);
        bool may_restart = (app->restart.policy != RESTART_NO || app->health.interval > 0) && !is_over(stages);
        bool has_more = may_restart || life->stage == STAGE_PRE_START || (life->stage == STAGE_PROGRAM && app->post_stop.count > 0);
        if (!life->has_ended && has_more)
            return true;
    }
    return false;
}

size_t stages_most_kept(const struct stages *stages)
{
    size_t most = 2;
    for (uint32_t i = 0; i < stages->starter.plan->app_count; i++) {
        const struct app_plan *app = app_of(stages, i);
        most += 11 + 2 * app->cgroup_count + app->lower_count + app->mount_count + app->device_count + app->socket_count;
    }
    return most;
}

/* What the root is made of, for one that is made again. */
static size_t add_sources(const struct app_plan *app, int *kept)
{
    size_t count = 0;
    kept[count++] = app->kept_tree;
    for (size_t i = 0; i < app->lower_count; i++)
        kept[count++] = app->lowers[i].fd;
    for (size_t i = 0; i < app->mount_count; i++)
        kept[count++] = app->mounts[i].fd;
    for (size_t i = 0; i < app->device_count; i++)
        kept[count++] = app->devices[i].fd;
    return count;
}

size_t stages_kept(const struct stages *stages, int *kept)
{
    size_t count = 0;
    for (uint32_t i = 0; i < stages->starter.plan->app_count; i++) {
        const struct app_plan *app = app_of(stages, i);
        const struct app_root *root = &stages->lives[i].root;
        if (!app_is_started_apart(app))
            continue;
        kept[count++] = root->mount;
        kept[count++] = root->cgroup;
        kept[count++] = root->terminal;
        kept[count++] = root->proc;
        kept[count++] = app->handler_input;
        kept[count++] = app->check_output;
        for (size_t j = 0; j < 3; j++)
            kept[count++] = app->standard[j];
        for (size_t j = 0; j < app->socket_count; j++)
            kept[count++] = app->sockets[j].fd;
        for (size_t j = 0; j < app->cgroup_count; j++) {
            kept[count++] = app->cgroups[j].directory;
            kept[count++] = app->cgroups[j].file;
        }
        count += app_renews_root(app) ? add_sources(app, kept + count) : 0;
    }
    if (count > 0)
        kept[count++] = stages->starter.oom_file;
    if (count > 0)
        kept[count++] = stages->starter.proc;
    return count;
}
