/* The stages of each app of a pod: its pre-start handler, its program, its post-stop handler; what begins when another ends. */
#ifndef PERIGEE_STAGES_H
#define PERIGEE_STAGES_H

#include "app.h"
#include "plan.h"

#include <time.h>

/* One app. */
struct life {
    enum stage stage;
    /* 0: nothing of this stage runs. */
    pid_t pid;
    /* Only of an app with handlers; else all -1. */
    struct app_root root;
    /* Seconds of CLOCK_MONOTONIC when the handler is killed; 0: none runs. */
    time_t deadline;
    bool is_late, has_ended;
};

struct stages {
    struct pod_plan *plan;
    /* To the supervisor; init's own score, or -1. */
    int channel, oom_file;
    int own_score, score;
    struct life *lives;
    /* Apps that have not been through all of their stages. */
    size_t left;
    /* When the programs are killed, because one has failed; 0: never. */
    time_t deadline;
    /* Somebody asked the pod to end. */
    bool is_stopping;
};

/* In init, with the base as working directory: begins with every app, in order. `plan`, `channel` and `oom_file` are set. */
void stages_start(struct stages *stages);

/* A child of init has ended with this wait status. */
void stages_note_exit(struct stages *stages, pid_t pid, int status);

/* For every program, and handler before it. */
void stages_signal(struct stages *stages, int number);

/* How long may be waited, for poll; then stages_end_late kills what has had its time. */
int stages_timeout(const struct stages *stages);
void stages_end_late(struct stages *stages);

/* Whether something may still be started. */
bool stages_will_start(const struct stages *stages);

/* The descriptors that this takes, written to `kept`, which has room for stages_most_kept; returns how many. */
size_t stages_kept(const struct stages *stages, int *kept);
size_t stages_most_kept(const struct stages *stages);

#endif
