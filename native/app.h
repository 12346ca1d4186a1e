/* One app, from a fork of init to its own program; its event handlers, which are started as it is; and the last steps of that way, which
 * whoever enters the app goes as well (T-R30). */
#ifndef PERIGEE_APP_H
#define PERIGEE_APP_H

#include "plan.h"

/* In order; checks are made beside the program. A handler has everything of the app but its standard input and its terminal's control, and
 * so has a check, whose output is apart, too. */
enum stage { STAGE_PRE_START, STAGE_PROGRAM, STAGE_POST_STOP, STAGE_CHECK };

/* The root that was made for an app, by what leads into it: namespaces, and its side of its terminal or -1; `proc` is the base's for an
 * app with a profile or a context, else -1. */
struct app_root {
    int mount, cgroup, terminal, proc;
};

const struct command *app_command(const struct app_plan *app, enum stage stage);

/* Never returns: makes the app's root and executes the app in it, or reports to the supervisor over `channel` and exits. `is_in_v2`: was
 * cloned into its v2 cgroup. */
_Noreturn void app_start(const struct pod_plan *plan, uint32_t index, int channel, bool is_in_v2);

/* Never returns: makes the app's root, sends what leads there over `keeper` (MESSAGE_MOUNT_NAMESPACE and so on), and exits. */
_Noreturn void app_make_root(const struct pod_plan *plan, uint32_t index, int channel, bool is_in_v2, int keeper);

/* Never returns: executes a stage of the app in the root that was made for it, confined as ever. What fails is reported, but for
 * STAGE_POST_STOP and STAGE_CHECK, whose exit status says it. */
_Noreturn void app_join(const struct pod_plan *plan, uint32_t index, enum stage stage, const struct app_root *root, int channel, bool is_in_v2);

/* 0, 1 and 2 become the app's own or, if it is one, `slave`; from 3 on are the program's own sockets, and right behind them the channel, for
 * failures from now on. Everything else is closed, before anything of the pod runs in this process. */
void app_take_descriptors(const struct app_plan *app, enum stage stage, int *channel, int slave);

/* Gives up what the app may not have, and executes the program of the stage or reports why not. `parent_death_signal` 0: none. */
_Noreturn void app_execute(const struct app_plan *app, enum stage stage, int parent_death_signal);

#endif
