/* An app that fails at once must not spin, and one that failed after a good while should be back soon. */
#include "restart.h"

enum { FIRST_DELAY = 100, MOST_DELAY = 60000, STEADY = 10000 };

bool restart_is_due(const struct restart_record *record, uint32_t count, int status, bool is_given_up)
{
    bool is_left = record->most == 0 || count < record->most;
    switch (record->policy) {
    case RESTART_NO: return false;
    case RESTART_UNHEALTHY: return is_left && is_given_up;
    case RESTART_ON_FAILURE: return is_left && (status != 0 || is_given_up);
    case RESTART_ALWAYS: return is_left;
    }
    return false;
}

int64_t restart_delay(int64_t last, int64_t ran)
{
    if (last == 0 || ran >= STEADY)
        return FIRST_DELAY;
    return last * 2 < MOST_DELAY ? last * 2 : MOST_DELAY;
}
