/* One app, from a fork of init to its own program. */
#ifndef PERIGEE_APP_H
#define PERIGEE_APP_H

#include "plan.h"

/* Never returns: executes the app, or reports to the supervisor over `channel` and exits. `is_in_v2`: was cloned into its v2 cgroup. */
_Noreturn void app_start(const struct pod_plan *plan, uint32_t index, int channel, bool is_in_v2);

#endif
