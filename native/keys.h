/* The keys by which somebody leaves an app: one after the other, they are not sent to it. */
#ifndef PERIGEE_KEYS_H
#define PERIGEE_KEYS_H

#include <stdbool.h>
#include <stddef.h>

enum { MOST_KEYS = 16 };

/* `held`: those that were typed, and may be the first of them. */
struct keys {
    size_t count, held_count;
    char keys[MOST_KEYS], held[MOST_KEYS];
};

/* Two hexadecimal digits for each. */
bool keys_parse(struct keys *keys, const char *text);

/* What of `typed` is to be sent, in `sent`, which has room for MOST_KEYS more. True when all keys were typed; nothing counts behind them. */
bool keys_pass(struct keys *keys, const char *typed, size_t length, char *sent, size_t *sent_length);

#endif
