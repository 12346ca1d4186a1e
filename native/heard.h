/* What the supervisor of a pod knows of it, and hears: from init and the processes that become apps, and by their ends. */
#ifndef PERIGEE_HEARD_H
#define PERIGEE_HEARD_H

#include "attached.h"
#include "events.h"
#include "notify.h"
#include "plan.h"
#include "standard.h"
#include "state.h"

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct failure;

enum { PERIGEE_FAILED = 125, KILLED = 128 + SIGKILL };

struct app_state {
    pid_t pid;
    bool is_executed, is_ready, has_exited;
    /* It has ended and is to be started again; the process that sees to what that needs, or 0. */
    bool is_paused;
    pid_t renewal;
    struct app_restarts restarts;
};

struct supervisor {
    struct pod_plan *plan;
    int pod, events, channel, signals;
    /* The pod's, of an ordinary user whose apps get new roots; else -1. */
    int user_namespace;
    enum report report;
    /* 0 before it is there and after it has ended. */
    pid_t init;
    struct app_state *apps;
    size_t executed;
    /* Of the first app that failed, or of the start. */
    int status;
    /* The start is through: there are files for what is heard. */
    bool has_started;
    bool has_failed, was_killed, has_lost_output;
    /* Now; and ever. */
    bool is_ready, was_ready;
    struct standard standard;
    struct state state;
    struct notify notify;
    struct attached attached;
    struct pollfd *watched;
};

/* The pod has failed: the caller, and the reader of events, hear why. */
void heard_failure(struct supervisor *supervisor, const struct failure *failure);

/* Everything that waits in the channel. */
void heard_channel(struct supervisor *supervisor);

/* Init has ended. */
void heard_end_of_init(struct supervisor *supervisor);

/* What was to be seen to before apps are started again, and is done. */
void heard_renewals(struct supervisor *supervisor);

/* Whether the pod is ready; whoever waits for it is told. */
void heard_readiness(struct supervisor *supervisor);

#endif
