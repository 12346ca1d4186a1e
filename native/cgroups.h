/* Joining, filtering and removing cgroups that stage0 made and limited. Which controllers are where is not known here. */
#ifndef PERIGEE_CGROUPS_H
#define PERIGEE_CGROUPS_H

#include "plan.h"

/* Opens what joining needs, for processes that will not see the host's cgroups any more. At most one may be v2. */
void cgroups_open(struct cgroup_record *cgroups, size_t count);

/* The directory of the v2 cgroup, for CLONE_INTO_CGROUP, or -1. */
int cgroups_v2(const struct cgroup_record *cgroups, size_t count);

/* Moves the calling process, which must have one thread only, into the v1 cgroups, and into the v2 one unless it was cloned into it. */
void cgroups_join(const struct cgroup_record *cgroups, size_t count, bool is_in_v2);

/* Attaches the plan's device program, if there is one, to its v2 cgroup. It goes away with the cgroup. */
void cgroups_filter_devices(const struct pod_plan *plan);

/* Removes the cgroups in order, killing what is left in them first; gives up after a while, since gc comes later. */
void cgroups_remove(const struct pod_plan *plan);

/* Kills what is in each of these cgroups and in those below it, by its path, and waits about a second for it to be gone. False if something is left. Nothing may be
 * forked there meanwhile, where its processes can be counted; the caller may not be among them. */
bool cgroups_empty(const struct cgroup_record *cgroups, size_t count);

#endif
