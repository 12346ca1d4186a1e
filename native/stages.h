/* The stages of each app of a pod: its pre-start handler, its program, its post-stop handler, and perhaps all of it again; what begins
 * when another ends. */
#ifndef PERIGEE_STAGES_H
#define PERIGEE_STAGES_H

#include "app.h"
#include "checks.h"
#include "plan.h"
#include "starting.h"

#include <stdint.h>

/* What an app that is to be started again waits for, in order: the end of what it left running; a new root; its time. */
enum pause { NO_PAUSE, PAUSE_ORPHANS, PAUSE_RENEWAL, PAUSE_DELAY };

/* One app. Times are milliseconds of CLOCK_MONOTONIC. */
struct life {
    enum stage stage;
    /* 0: nothing of this stage runs. */
    pid_t pid;
    /* Only of an app that is started apart from its root; else all -1. */
    struct app_root root;
    /* When the handler is killed; 0: none runs. */
    int64_t deadline;
    bool is_late, has_ended;
    /* Another run follows this one, unless the pod ends. */
    bool is_to_restart;
    /* Its checks say so, whatever its policy says. */
    bool is_given_up;
    struct checks checks;
    enum pause pause;
    uint32_t restarts;
    /* When the run began, and the next one may; how long is waited for that; until when for what was left behind. */
    int64_t began, next, delay, limit;
    /* When the program is killed that its checks have given up; 0: they have not. */
    int64_t end_by;
};

struct stages {
    struct starter starter;
    struct life *lives;
    /* Apps that have not been through all of their stages. */
    size_t left;
    /* When the programs are killed, because one has failed; 0: never. */
    int64_t deadline;
    /* Somebody asked the pod to end. */
    bool is_stopping;
};

/* In init, with the base as working directory: begins with every app, in order. `plan`, `channel` and `oom_file` of the starter are set. */
void stages_start(struct stages *stages);

/* A child of init has ended with this wait status. */
void stages_note_exit(struct stages *stages, pid_t pid, int status);

/* For every program, and handler before it. */
void stages_signal(struct stages *stages, int number);

/* The supervisor has taken what the app's last check wrote. */
void stages_note_noted(struct stages *stages, uint32_t index);

/* The supervisor is through with what MESSAGE_RENEW asked for; the descriptors of a new root are in the plan. */
void stages_note_renewed(struct stages *stages, uint32_t index);

/* How long may be waited, for poll; then stages_go_on kills what has had its time and starts what waited for it. */
int stages_timeout(const struct stages *stages);
void stages_go_on(struct stages *stages);

/* Whether something may still be started. */
bool stages_will_start(const struct stages *stages);

/* The descriptors that this takes, written to `kept`, which has room for stages_most_kept; returns how many. */
size_t stages_kept(const struct stages *stages, int *kept);
size_t stages_most_kept(const struct stages *stages);

#endif
