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

#endif
