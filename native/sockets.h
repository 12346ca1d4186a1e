/* Listening sockets that a service manager handed to the caller, on their way to the apps whose ports they are. */
#ifndef PERIGEE_SOCKETS_H
#define PERIGEE_SOCKETS_H

#include "plan.h"

enum { MOST_SOCKETS = 256 };

/* In the supervisor, before there is a pod: the caller's descriptors are `first` and the `count` - 1 behind it; each belongs to one app. */
void sockets_assign(struct pod_plan *plan, int first, size_t count);

/* How many the app's program gets: none of whoever enters the app. */
size_t sockets_count(const struct app_plan *app);

/* They become 3 and what follows. Whatever the caller still needs is behind them. */
void sockets_take(const struct app_plan *app);

/* The app's environment, with LISTEN_PID, which is the calling process as the pod sees it, LISTEN_FDS and LISTEN_FDNAMES. */
char **sockets_environment(const struct app_plan *app);

void sockets_close(struct app_plan *app);

#endif
