/* The files of the pod directory by which everybody else learns what a pod does (spec/shim.md). */
#ifndef PERIGEE_STATE_H
#define PERIGEE_STATE_H

#include "health.h"
#include "output.h"
#include "plan.h"

#include <time.h>

struct state {
    /* The directory of the pod, `status` and `pids` in it. */
    int pod, directory, pids;
    const struct pod_plan *plan;
    /* Two for each app, open and without their names yet: its status, and its post-stop handler's. -1: it has its name, or is not needed. */
    int *files;
};

/* `pid`: the host pids and start times of init, which is `pid`, and of this process. A failure ends the start. */
void state_write_pid(int pod, pid_t pid);

/* Makes all files that will be needed, while there is time: on a busy disk each may take a millisecond. A failure ends the start. */
void state_open(struct state *state, int pod, const struct pod_plan *plan);

/* `pids/APP`: the host pid and start time of an app that has been executed, by which it is entered. Not fatal. */
void state_write_app(const struct state *state, uint32_t app, pid_t pid);

/* `status/APP`. Not fatal: a status that cannot be written is unknown, as after a crash. */
void state_write_status(struct state *state, uint32_t app, int status);

/* `status/APP.post-stop`; no name of an app has a dot. */
void state_write_post_stop(struct state *state, uint32_t app, int status);

/* `status/APP.restarts`, of an app that is started again: how often it was, and how and when (seconds of the epoch) its last run ended. */
struct app_restarts {
    uint32_t count;
    int status;
    time_t ended;
};

/* Not fatal. `is_running`: else it waits for its next run. */
void state_write_restarts(const struct state *state, uint32_t app, const struct app_restarts *restarts, bool is_running);

/* `status/APP.health`, with what the check wrote, which is forgotten then. Not fatal. */
void state_write_health(const struct state *state, uint32_t app, const struct health *health, struct tail *output);

/* `status/APP.ready`: 1 once the app has said in this run that it is ready, 0 before; of apps that say so. Not fatal. */
void state_write_ready(const struct state *state, uint32_t app, bool is_ready);

/* `status/APP.text`: what the app last said of itself. Not fatal. */
void state_write_text(const struct state *state, uint32_t app, const char *text);

/* `ready`, empty: the pod is, since then; gone while it is not. Not fatal. */
void state_write_pod_ready(const struct state *state, bool is_ready);

/* Removes the files of apps that never ended. */
void state_close(struct state *state);

#endif
