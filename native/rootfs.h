/* The mount tree of an app, built below a root that the image decides the content of. */
#ifndef PERIGEE_ROOTFS_H
#define PERIGEE_ROOTFS_H

#include "plan.h"

/* In init, in the pod's namespaces: makes, on top of the pod directory, what the apps' trees are built with, and makes it the working directory,
 * which it must be when rootfs_enter is called. Returns a descriptor of the pod's /proc. */
int rootfs_prepare(struct pod_plan *plan, int pod_directory);

/* Before rootfs_enter: a descriptor of a namespace of this process, by its name below /proc/self/ns, through the pod's own /proc. */
int rootfs_open_namespace(const char *kind);

/* While the base is the working directory: the pod's /proc in it, where nothing of the pod can mount over a part of it. */
int rootfs_open_proc(void);

/* In the process of an app, in the mount namespace that is to be the app's: builds its tree, makes it the root and leaves everything
 * else behind. Returns the master of its terminal, or -1; `slave` is the other side. */
int rootfs_enter(const struct pod_plan *plan, const struct app_plan *app, int *slave);

#endif
