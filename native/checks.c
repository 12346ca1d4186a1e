/* A check is started as a handler is, in the app's root; it is a session of its own. */
#include "checks.h"

#include "clock.h"
#include "messages.h"
#include "process.h"

#include <signal.h>
#include <sys/wait.h>

void checks_begin(struct checks *checks, const struct health_record *record)
{
    int64_t now = clock_milliseconds();
    *checks = (struct checks){.began = now, .next = now + record->interval, .health = {.status = CHECK_NONE}};
}

int64_t checks_next_look(const struct checks *checks)
{
    return checks->pid > 0 ? checks->deadline : checks->next;
}

static void kill_all(const struct checks *checks, const struct starter *starter)
{
    process_kill_tree(starter->proc, checks->pid);
}

void checks_go_on(struct checks *checks, struct starter *starter, uint32_t index, const struct app_root *root)
{
    const struct health_record *record = &starter->plan->apps[index].health;
    int64_t now = clock_milliseconds();
    if (checks->pid > 0 && now >= checks->deadline) {
        checks->is_late = true;
        kill_all(checks, starter);
    }
    if (checks->pid > 0 || now < checks->next)
        return;
    pid_t pid = starter_start(starter, index, STAGE_CHECK, root);
    checks->pid = pid > 0 ? pid : 0;
    checks->is_late = false;
    checks->deadline = now + record->timeout;
    /* Without a process there is nothing to be told; it is tried again. */
    checks->next = now + record->interval;
}

static int status_of(const struct checks *checks, int status)
{
    if (checks->is_late)
        return CHECK_LATE;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool checks_note_exit(struct checks *checks, struct starter *starter, uint32_t index, int status)
{
    const struct health_record *record = &starter->plan->apps[index].health;
    int64_t now = clock_milliseconds();
    bool is_unhealthy = health_note(&checks->health, record, status_of(checks, status), now - checks->began);
    checks->pid = 0;
    checks->next = now + record->interval;
    message_send(starter->channel, MESSAGE_CHECKED, index, health_pack(&checks->health), -1);
    return is_unhealthy;
}

void checks_stop(struct checks *checks, const struct starter *starter)
{
    if (checks->pid > 0)
        kill_all(checks, starter);
    checks->pid = 0;
}
