#include "health.h"

enum { MOST_STREAK = 65535 };

bool health_note(struct health *health, const struct health_record *record, int status, int64_t age)
{
    health->status = status;
    if (status == 0) {
        health->state = HEALTH_HEALTHY;
        health->streak = 0;
        return false;
    }
    /* What is still starting may fail without that being counted. */
    if (health->state == HEALTH_STARTING && age < record->start_period)
        return false;
    health->streak += health->streak < MOST_STREAK;
    bool is_new = health->state != HEALTH_UNHEALTHY && health->streak >= record->retries;
    if (is_new)
        health->state = HEALTH_UNHEALTHY;
    return is_new;
}

int32_t health_pack(const struct health *health)
{
    return (int32_t)((uint32_t)health->state << 26 | health->streak << 10 | (uint32_t)health->status);
}

struct health health_unpack(int32_t value)
{
    uint32_t bits = (uint32_t)value;
    return (struct health){.state = (enum health_state)(bits >> 26 & 3), .streak = bits >> 10 & MOST_STREAK, .status = (int)(bits & 1023)};
}
