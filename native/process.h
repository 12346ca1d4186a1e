/* What the kernel says about a process of the host. */
#ifndef PERIGEE_PROCESS_H
#define PERIGEE_PROCESS_H

#include <sys/types.h>

struct process {
    pid_t parent;
    /* Clock ticks since boot; 0: there is no such process. */
    unsigned long long start;
};

struct process process_look(pid_t pid);

/* Kills a process of the pid namespace that `proc` is the procfs of, with its session and all that descends from it. Somebody who forks out of
 * both meanwhile is not found. */
void process_kill_tree(int proc, pid_t root);

#endif
