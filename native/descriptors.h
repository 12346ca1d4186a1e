/* Which descriptors stay open. */
#ifndef PERIGEE_DESCRIPTORS_H
#define PERIGEE_DESCRIPTORS_H

#include <stddef.h>

/* Closes every descriptor from `first` on but those of `kept`, of which some may be -1. */
void descriptors_keep(const int *kept, size_t count, unsigned first);

#endif
