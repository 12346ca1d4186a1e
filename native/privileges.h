/* Giving up privileges: the one way into confinement, for every program that runs in a pod (T-R30). */
#ifndef PERIGEE_PRIVILEGES_H
#define PERIGEE_PRIVILEGES_H

#include "plan.h"

/* Takes everything that the plan does not give to the app, in the order that spec/shim.md explains, and enters the app's working
 * directory; then reads all of it back. Whatever the kernel did not do as asked is a failure: nothing is executed (T-R55). */
void privileges_drop(const struct app_plan *app);

/* In a process that enters a pod: begins with the limits that init began with, so that privileges_drop comes to the same ones. */
void privileges_take_limits(pid_t init);

/* In init, once the apps run: keeps what is needed to signal them. */
void privileges_keep_kill(void);

#endif
