/* A check is started as a handler is, in the app's root; it is a session of its own. */
#include "checks.h"

#include "clock.h"
#include "messages.h"
#include "process.h"

#include <signal.h>
#include <sys/wait.h>

/* Of a check that no process could be made for, as of one that failed before its program. */
enum { NOT_STARTED = 125 };

/* Milliseconds: a supervisor that was stopped does not keep an app from being looked after. */
enum { PATIENCE = 10000 };

void checks_begin(struct checks *checks, const struct health_record *record)
{
    int64_t now = clock_milliseconds();
    *checks = (struct checks){.began = now, .next = now + record->interval, .is_noted = true, .health = {.status = CHECK_NONE}};
}

static int64_t next_of(const struct checks *checks)
{
    return checks->is_noted ? checks->next : checks->next + PATIENCE;
}

int64_t checks_next_look(const struct checks *checks)
{
    return checks->pid > 0 ? checks->deadline : next_of(checks);
}

static void kill_all(const struct checks *checks, const struct starter *starter)
{
    process_kill_tree(starter->proc, checks->pid);
}

/* What a check came to: the supervisor is told. */
static bool note(struct checks *checks, const struct starter *starter, uint32_t index, int status)
{
    const struct health_record *record = &starter->plan->apps[index].health;
    int64_t now = clock_milliseconds();
    bool is_unhealthy = health_note(&checks->health, record, status, now - checks->began);
    checks->pid = 0;
    checks->next = now + record->interval;
    checks->is_noted = false;
    message_send(starter->channel, MESSAGE_CHECKED, index, health_pack(&checks->health), -1);
    return is_unhealthy;
}

bool checks_go_on(struct checks *checks, struct starter *starter, uint32_t index, const struct app_root *root)
{
    int64_t now = clock_milliseconds();
    if (checks->pid > 0 && now >= checks->deadline) {
        checks->is_late = true;
        kill_all(checks, starter);
    }
    if (checks->pid > 0 || now < next_of(checks))
        return false;
    pid_t pid = starter_start(starter, index, STAGE_CHECK, root);
    /* An app in which nothing can be forked any more is not well. */
    if (pid < 0)
        return note(checks, starter, index, NOT_STARTED);
    checks->pid = pid;
    checks->is_late = false;
    checks->deadline = now + starter->plan->apps[index].health.timeout;
    return false;
}

static int status_of(const struct checks *checks, int status)
{
    if (checks->is_late)
        return CHECK_LATE;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool checks_note_exit(struct checks *checks, const struct starter *starter, uint32_t index, int status)
{
    return note(checks, starter, index, status_of(checks, status));
}

void checks_stop(struct checks *checks, const struct starter *starter)
{
    if (checks->pid > 0)
        kill_all(checks, starter);
    checks->pid = 0;
}
