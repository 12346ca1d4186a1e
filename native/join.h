/* The way into a running pod, up to where it is the way that its apps went. */
#ifndef PERIGEE_JOIN_H
#define PERIGEE_JOIN_H

#include "plan.h"

/* An app that runs: a descriptor that keeps its process from being taken for a later one, and the pod's init. */
struct target {
    int process;
    pid_t pid, init;
};

/* The app's process as the pod directory names it. A failure if that process has ended, or shares a namespace with the caller that the plan
 * says is the pod's own: whatever a damaged file names, nothing is executed in the host's namespaces. */
struct target target_open(const struct pod_plan *plan, pid_t pid, const char *start);

/* Starts what `app` describes, an app of the plan with another command, beside that process. It becomes a child of the caller; the process
 * that is returned is its maker, which sends MESSAGE_STARTING with its pid over `channel`, or a failure, and ends. */
pid_t join_start(const struct pod_plan *plan, const struct app_plan *app, const struct target *target, int channel);

#endif
