/* What must be undone outside of the pod when it has ended. gc does the same, idempotently, when no supervisor lived to do it. */
#ifndef PERIGEE_TEARDOWN_H
#define PERIGEE_TEARDOWN_H

#include "plan.h"

/* Runs the programs of the plan in order, one after the other, each with its own environment only and for half a minute at most.
 * The input file of one that ends with 0 is removed. */
void teardown_run(const struct pod_plan *plan, int pod);

#endif
