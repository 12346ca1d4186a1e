/* The checks of one app that runs: when each is made, and when it has had its time. */
#ifndef PERIGEE_CHECKS_H
#define PERIGEE_CHECKS_H

#include "health.h"
#include "starting.h"

#include <stdint.h>

/* Times are milliseconds of CLOCK_MONOTONIC. */
struct checks {
    /* 0: none is made now. */
    pid_t pid;
    /* `is_noted`: what the check before wrote has been taken, so that it is not mixed with what the next one writes. */
    bool is_late, is_noted;
    /* When the app was started; when the next check is made; when the one that is made is killed. */
    int64_t began, next, deadline;
    struct health health;
};

/* The app has been started: nothing is known of it. */
void checks_begin(struct checks *checks, const struct health_record *record);

/* When to look again. */
int64_t checks_next_look(const struct checks *checks);

/* Makes a check when it is time, and kills one that has had its time, with all that it started. True as below: a check that cannot be made has
 * failed. */
bool checks_go_on(struct checks *checks, struct starter *starter, uint32_t index, const struct app_root *root);

/* The check has ended with this wait status: the supervisor is told. True if the app is unhealthy by that, and was not before. */
bool checks_note_exit(struct checks *checks, const struct starter *starter, uint32_t index, int status);

/* Kills the check that is made, if there is one: the app has ended. */
void checks_stop(struct checks *checks, const struct starter *starter);

#endif
