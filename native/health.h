/* Whether an app is well, as its checks tell (SHIM-16). Pure. */
#ifndef PERIGEE_HEALTH_H
#define PERIGEE_HEALTH_H

#include "plan.h"

enum health_state { HEALTH_STARTING, HEALTH_HEALTHY, HEALTH_UNHEALTHY };

/* The exit status of a check that was killed at its limit, and of one that has not been made. */
enum { CHECK_LATE = 256, CHECK_NONE = 257 };

struct health {
    enum health_state state;
    /* How many checks have failed since the last that did not; 65535 at most. */
    uint32_t streak;
    /* 0 to 255, or one of the above. */
    int status;
};

/* After a check with this status, `age` milliseconds after the app was started. True if that made the app unhealthy. */
bool health_note(struct health *health, const struct health_record *record, int status, int64_t age);

/* The same in the value of one message. */
int32_t health_pack(const struct health *health);
struct health health_unpack(int32_t value);

#endif
