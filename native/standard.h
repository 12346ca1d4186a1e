/* What the apps have as standard input, output and error, and which of the caller's descriptors is copied to and from which app. */
#ifndef PERIGEE_STANDARD_H
#define PERIGEE_STANDARD_H

#include "events.h"
#include "output.h"

#include <sys/ioctl.h>

struct standard {
    const struct pod_plan *plan;
    struct stream *streams;
    struct log *logs;
    /* What the checks of each app wrote. */
    struct tail *tails;
    size_t count;
    /* The master of the one terminal, or -1. */
    int master;
    /* Whoever looks on, or NULL. */
    struct attached *attached;
    bool has_lost;
};

/* How many there can be. */
size_t standard_most(const struct pod_plan *plan);

/* Opens pipes; the apps' ends go into the plan. */
void standard_open(struct standard *standard, struct pod_plan *plan);

/* Gives the apps' pipes to their users, where only root of the pod's user namespace may: in a process that is. */
void standard_give(const struct pod_plan *plan);

/* Before anything is copied. */
void standard_open_logs(struct standard *standard, int pod);

/* What the checks of an app wrote since this was called last; for the caller to read and to forget by `used`. */
struct tail *standard_take_tail(struct standard *standard, uint32_t app);

/* Connects the terminal of an app; in the foreground the caller's becomes raw. */
void standard_add_terminal(struct standard *standard, uint32_t app, int master);
void standard_resize(const struct standard *standard);

/* The size that somebody who is attached has; `is_new`: who has not said one before. */
void standard_set_size(const struct standard *standard, const struct winsize *size, bool is_new);

/* From now on what the apps write is shown to those who are attached. */
void standard_show_to(struct standard *standard, struct attached *attached);

/* What of an app they can type to; NULL: it takes nothing, or nothing any more. */
struct stream *standard_input(const struct standard *standard, uint32_t app);

/* There is no more: a pipe is closed, a terminal gets ^D. Nothing may be held for it. */
void standard_end_input(struct stream *input);

/* Reads at once what an app that has ended left. */
void standard_take_output(struct standard *standard, uint32_t app);

/* Fills `wanted` and returns how many; then the same array, polled, is handed back. */
size_t standard_wanted(const struct standard *standard, struct pollfd *wanted);
void standard_move(struct standard *standard, const struct pollfd *polled);

/* After the end of every app: nothing is read from the caller any more, and what the apps left is in the logs and held for the caller. */
void standard_gather(struct standard *standard);

/* Whether some output waits for the caller to take it. */
bool standard_are_held(const struct standard *standard);

/* Tells once that output was lost, for another reason than a reader who is gone. True if any was, now or before. */
bool standard_has_lost(struct standard *standard, enum report report);

/* In a process that has no business with them: closes the supervisor's ends. */
void standard_close(const struct standard *standard);

#endif
