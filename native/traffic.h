/* Limits of what a cgroup sends and receives, over whatever network its processes have. */
#ifndef PERIGEE_TRAFFIC_H
#define PERIGEE_TRAFFIC_H

#include "plan.h"

/* Attaches the programs of all limits of the plan. They are gone with their cgroups. */
void traffic_limit(const struct pod_plan *plan);

#endif
