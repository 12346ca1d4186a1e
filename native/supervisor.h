/* The one process of a running pod that is outside of it: copies output, keeps status files, forwards signals, and clears up. */
#ifndef PERIGEE_SUPERVISOR_H
#define PERIGEE_SUPERVISOR_H

#include "events.h"
#include "plan.h"

/* Runs the pod to its end; the exit status of `run`. `pod` is the locked pod directory and the working directory, `events` where events
 * go. All signals are blocked by the caller. */
int supervise(struct pod_plan *plan, int pod, int events, enum report report);

#endif
