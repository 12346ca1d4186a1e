/* Signals as something to poll. */
#ifndef PERIGEE_SIGNALS_H
#define PERIGEE_SIGNALS_H

#include <stddef.h>

/* A descriptor, which never blocks, for signals that are blocked already. */
int signals_open(const int *numbers, size_t count);

#endif
