/* Where an entry goes: the directory above it, opened once and kept while the entries that follow are below it too.
 * Also remembers what directories shall look like in the end. Knows nothing of tar. */
#ifndef PERIGEE_PLACE_H
#define PERIGEE_PLACE_H

#include "tar.h"

#include <stdbool.h>

/* How a directory shall be left. Applied last, children first: until then a directory is 0700 and ours, so that neither a mode without
 * write permission stops us nor a wide one lets others in, and no default ACL or group is handed down. */
struct ending {
    char *path;
    size_t order; /* the later of two for one path counts */
    struct attributes attributes;
};

struct place {
    int root;
    char path[TAR_MAX_PATH + 1]; /* of the deepest directory that is open */
    size_t depth;
    struct {
        int fd;
        size_t length; /* of its path */
    } open[TAR_MAX_DEPTH];
    struct ending *endings;
    size_t count, room;
};

/* Begins below the working directory. */
void place_begin(struct place *place);

/* Descriptor of the directory above `path`, made (and ended 0755 0:0) where missing; `*name` becomes the last component.
 * Ends the program when something that is no directory is on the way, or a link, or another mount. */
int place_above(struct place *place, const char *path, const char **name);

/* Descriptor of the directory `path`, which exists. */
int place_at(struct place *place, const char *path);

/* Remembers how the directory `path` shall be left; everything is copied. */
void place_end_with(struct place *place, const char *path, const struct attributes *attributes);

/* Forgets what was remembered of `path` and below: it is gone. */
void place_forget(struct place *place, const char *path);

/* Leaves in `endings` what is to be applied, in order: children first, one for each path, the root last. */
void place_sort_endings(struct place *place);

#endif
