/* Whether an app that has ended is started again, and when (SHIM-10, SHIM-11). Pure. */
#ifndef PERIGEE_RESTART_H
#define PERIGEE_RESTART_H

#include "plan.h"

/* Whether the policy asks for it after an end with this wait status; `count` starts came after the first one already.
 * `is_given_up`: its checks ask for it. */
bool restart_is_due(const struct restart_record *record, uint32_t count, int status, bool is_given_up);

/* How long to wait before the next start, in milliseconds, after a run of `ran` milliseconds. `last` is the answer of the time before, 0 at
 * the first. */
int64_t restart_delay(int64_t last, int64_t ran);

#endif
