/* The files of the pod directory by which everybody else learns what a pod does (spec/shim.md). */
#ifndef PERIGEE_STATE_H
#define PERIGEE_STATE_H

#include <sys/types.h>

/* `pid`: the host pid of init and its start time. A failure ends the start. */
void state_write_pid(int pod, pid_t pid);

/* `status/APP`. After the start nothing is fatal: a status that cannot be written is unknown, as after a crash. */
void state_write_status(int pod, const char *app, int status);

#endif
