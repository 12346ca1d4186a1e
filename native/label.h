/* The profile or context of a security module that an app's program is to run with (ACE-36, ACE-37). */
#ifndef PERIGEE_LABEL_H
#define PERIGEE_LABEL_H

#include "plan.h"

bool label_is_asked_for(const struct app_plan *app);

/* Hands the app's profile or context, if it has one, to the kernel for the next execve of this process. What cannot be had as asked is a
 * failure of step `label`. `proc` is the base's (rootfs.h): /proc of the app's root is not for us to write to. */
void label_next_program(int proc, const struct app_plan *app);

#endif
