/* Those who are attached to apps of a pod: they see what an app writes from then on, and may type. An app never waits for one of them longer
 * than a moment, and the end of one is nothing to it. */
#ifndef PERIGEE_ATTACHED_H
#define PERIGEE_ATTACHED_H

#include "plan.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

struct standard;

enum { MOST_ATTACHED = 16 };

/* One who is connected; `fd` -1: nobody. Times are milliseconds. */
struct client {
    int fd;
    /* Of which app, once that was said; whether a size was. */
    uint32_t app;
    bool is_attached, has_size;
    /* What the kernel may hold for it, and whether it holds that much, since when. */
    int room;
    bool is_full;
    int64_t since;
    /* How long the app has waited for it, and since when that is counted. */
    int64_t waited, counted_from;
    /* Bytes that it misses behind what it has. */
    uint64_t lost;
};

struct attached {
    const struct pod_plan *plan;
    struct standard *standard;
    /* -1: nobody can be. */
    int listener;
    /* A connection could not be taken: once more after the next turn. */
    bool is_deaf;
    size_t count, wanted;
    /* Of each app, -1 until it has ended. */
    int *statuses;
    struct client clients[MOST_ATTACHED];
};

/* How many descriptors are waited for at most. */
size_t attached_most(const struct pod_plan *plan);

/* In the pod directory. A failure ends the start. */
void attached_open(struct attached *attached, const struct pod_plan *plan, struct standard *standard);

/* Fills `wanted` and returns how many; then the same array, polled, is handed back. */
size_t attached_wanted(struct attached *attached, struct pollfd *wanted);
void attached_move(struct attached *attached, const struct pollfd *polled);

/* How long, in milliseconds, may be waited before attached_are_awaited is asked again; `timeout` if that does not matter. -1: for ever. */
int attached_timeout(const struct attached *attached, int timeout);

/* What an app wrote. */
void attached_show(struct attached *attached, uint32_t app, bool is_error, const char *bytes, size_t length);

/* Whether nothing is to be read of the app just now, because somebody who is attached has no room for it. */
bool attached_are_awaited(const struct attached *attached, uint32_t app);

/* The app has ended for good. */
void attached_end(struct attached *attached, uint32_t app, int status);

/* Whoever is left learns that it is over. */
void attached_close(struct attached *attached);

#endif
