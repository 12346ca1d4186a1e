/* Making namespaces and setting what belongs to them. */
#ifndef PERIGEE_NAMESPACES_H
#define PERIGEE_NAMESPACES_H

#include "plan.h"

/* As fork, with CLONE_… flags and into a v2 cgroup unless `cgroup` is -1. -errno on failure. */
pid_t clone_process(uint64_t flags, int cgroup);

/* As clone_process, but where `joined` has a network namespace in it, and its user namespace, in place of new ones. */
pid_t clone_joining(const struct joined *joined, uint64_t flags, int cgroup);

/* Writes the id maps of a process that was cloned into a new user namespace; returns a descriptor of that namespace. */
int namespaces_map_ids(const struct pod_plan *plan, pid_t pid);

/* Becomes root of the user namespace, once its ids are mapped, with no supplementary group if those can be given up. */
void namespaces_become_root(const struct pod_plan *plan);

/* The id outside of the pod that `id` inside of it stands for. */
uint32_t id_outside(const struct id_range *ranges, size_t count, uint32_t id);

/* Brings `lo` up in the network namespace of the caller. */
void namespaces_loopback_up(void);

/* The descriptor of `listen`, for whoever takes it from init by number. */
enum { LISTENER = 200 };

/* Host name, loopback and listener, in the namespaces of the caller. */
void namespaces_configure(const struct pod_plan *plan);

/* `proc`: the root of a proc mount of the pod's own, that nobody else can mount on. */
void namespaces_write_sysctls(const struct pod_plan *plan, int proc);

#endif
