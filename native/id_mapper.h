/* The programs of the host by which an ordinary user maps the ids that root of the host granted in /etc/subuid and /etc/subgid. */
#ifndef PERIGEE_ID_MAPPER_H
#define PERIGEE_ID_MAPPER_H

#include "plan.h"

/* Runs `program` (newuidmap, newgidmap) for the user namespace of `pid` to its end, with an empty environment and nothing open. What it
 * complains of is the message of the failure. */
void id_mapper_run(const char *program, pid_t pid, const struct id_range *ranges, size_t count);

#endif
