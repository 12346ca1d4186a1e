/* Process 1 of a pod. */
#ifndef PERIGEE_INIT_H
#define PERIGEE_INIT_H

#include "plan.h"

/* In the pod's new namespaces: prepares them, starts the apps, reaps everything, and ends when the pod has ended. Never returns.
 * Everything that could outlive the supervisor depends on this process, and it on the other end of `channel`. */
_Noreturn void init_run(struct pod_plan *plan, int channel);

#endif
