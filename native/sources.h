/* The host's side of a pod's mounts: everything of the host that an app will see is opened here, by the supervisor, with the caller's
 * rights and in the caller's mount namespace; for a caller without rights by init, in its copy of that. Later steps have descriptors and no
 * way back to the host. */
#ifndef PERIGEE_SOURCES_H
#define PERIGEE_SOURCES_H

#include "plan.h"

/* Opens the cgroups of all apps into the plan. */
void sources_open_cgroups(struct pod_plan *plan);

/* Opens layers, bind sources and devices of all apps into the plan, as detached private mounts with their flags set. */
void sources_open_mounts(struct pod_plan *plan);

/* Idmaps those that ask for it. Their processes have the same mounts open already, by descriptors they inherited. */
void sources_idmap(const struct pod_plan *plan, int user_namespace);

/* Of an app whose root is made more than once, in init, while the base is the working directory: everything that its root is made of, but for
 * the directory of upper and work unless that is asked for, gets a place in the base, because the kernel copies only what is mounted there. */
void sources_keep(struct app_plan *app, bool with_tree);

/* In a process that is still in init's mount namespace: detached copies of what was kept, in place of it. */
void sources_copy_kept(struct app_plan *app);

/* Opens the directory of upper and work anew; a failure ends the pod. And closes it. */
void sources_open_tree(struct app_plan *app);
void sources_close_tree(struct app_plan *app);

/* Closes what was opened for one app: what its root is made of; and what every process of it is started with. */
void sources_close_mounts(const struct app_plan *app);
void sources_close_standing(const struct app_plan *app);

/* Both. */
void sources_close(const struct app_plan *app);

#endif
