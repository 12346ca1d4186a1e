/* What only the supervisor can do before an app is started again: outside of the pod, in a process of its own that nobody waits for. */
#ifndef PERIGEE_RENEWAL_H
#define PERIGEE_RENEWAL_H

#include "plan.h"

/* Begins, in the pod directory: kills what is left in the app's own cgroup, and makes its upper and work directories anew, empty, if its root
 * is renewed, as root of `user_namespace` unless that is -1. Returns its process. */
pid_t renewal_start(const struct pod_plan *plan, const struct app_plan *app, int user_namespace);

/* -1 while it runs, or none does; then once, with `process` 0, what came of it: 0, or the errno of what failed, which is EBUSY for processes
 * that do not end. */
int renewal_result(pid_t *process);

/* Sends init the new directories (MESSAGE_TREE …), unless it keeps where they are, and MESSAGE_RENEWED. */
void renewal_hand_over(const struct pod_plan *plan, uint32_t index, int channel);

/* Ends one that runs. */
void renewal_abandon(pid_t *process);

#endif
