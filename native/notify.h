/* sd_notify: the socket that an app says to what it does, and what the supervisor makes of it. */
#ifndef PERIGEE_NOTIFY_H
#define PERIGEE_NOTIFY_H

#include "plan.h"
#include "state.h"

#include <poll.h>
#include <stdbool.h>

struct notify_app;

struct notify {
    const struct pod_plan *plan;
    struct state *state;
    /* The pod's pid namespace. */
    int namespace;
    /* Runs while something was heard: then texts are written, and whoever had said too much is listened to again. -1: no app says anything. */
    int timer;
    bool is_armed;
    struct notify_app *apps;
};

/* In the app's own process, in its root, before anything of the pod runs there: makes the socket that the plan names, which everybody in
 * that root may send to, and returns the end that is read. */
int notify_make_socket(const struct app_plan *app);

/* In the supervisor, while an ordinary user may still look at `init`, the pod's. Costs a pod without such apps nothing. */
void notify_open(struct notify *notify, const struct pod_plan *plan, struct state *state, pid_t init);
void notify_add(struct notify *notify, uint32_t app, int socket);

/* The app has ended: what it said before that is heard, and written. */
void notify_hear_last(struct notify *notify, uint32_t app);

/* The app's run is over, and another is to follow, of which it has to say anew that it is ready; nothing counts in between. */
void notify_end_run(struct notify *notify, uint32_t app);

/* Nothing of the run before is left. */
void notify_begin_run(struct notify *notify, uint32_t app);

/* The last run of the app is over: what its post-stop handler says counts for nothing, and what the app has said stays. */
void notify_end_last(struct notify *notify, uint32_t app);

/* Whether the app is as ready as it ever says; one that says nothing is. */
bool notify_is_ready(const struct notify *notify, uint32_t app);

/* What to poll for, and how many; then what came is heard. `wanted` has room for notify_most. */
size_t notify_most(const struct pod_plan *plan);
size_t notify_wanted(const struct notify *notify, struct pollfd *wanted);
void notify_move(struct notify *notify, const struct pollfd *polled);

/* Tells the caller's service manager, if the plan names its socket, that the pod is ready and that this process is it. */
void notify_tell_caller(const struct pod_plan *plan);

#endif
