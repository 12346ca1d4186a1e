/* Shuts the program in with the directory it works on, before it reads a byte that came from elsewhere. Second line of defence: the
 * first is that every name is resolved below a descriptor. Knows nothing of what the work is. */
#ifndef PERIGEE_SANDBOX_H
#define PERIGEE_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

struct sandbox {
    bool writes;   /* else the directory is only read */
    bool owners;   /* the owners of files are seen or set as they are, so no user namespace may be in between */
    uint64_t keep; /* bit N: capability N is kept if it is there */
};

/* From here on the working directory is the root of all that can be named, where the kernel lets us: a mount namespace of our own with
 * nothing else in it; as an ordinary user one inside of a user namespace, or Landlock. No new privileges, and no capability but `keep`. */
void sandbox_enter(const struct sandbox *sandbox);

#endif
