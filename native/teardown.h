/* What must be undone outside of the pod when it has ended. gc does the same, idempotently, when no supervisor lived to do it. */
#ifndef PERIGEE_TEARDOWN_H
#define PERIGEE_TEARDOWN_H

#include "plan.h"

/* Runs the programs of the plan in order, one after the other, each with an empty environment and for half a minute at most. */
void teardown_run(const struct pod_plan *plan, int pod);

#endif
