/* A walk through a tree by descriptor: deeper than the descriptor limit, the stack or PATH_MAX would let recursion go, never through a
 * link and never into another mount. Knows nothing of what is done to the entries. */
#ifndef PERIGEE_WALK_H
#define PERIGEE_WALK_H

#include <stddef.h>
#include <sys/types.h>

/* One directory on the way from the top to here. Its names were all read when it was entered. */
struct level {
    int fd;      /* -1 while so many levels are below it that it was closed */
    dev_t dev;   /* with `ino` what `..` must lead back to */
    ino_t ino;
    mode_t mode;
    char **names; /* each a d_type byte and a NUL-terminated name; the array and the bytes are one allocation each */
    char *bytes;
    size_t count, next;
};

struct walk {
    struct level *levels;
    size_t depth, room;
};

/* Opens directory `name` of the level on top (of `parent` at the beginning), reads its names and makes it the level on top.
 * 0 or -errno: EXDEV for a mount point, ENOTDIR or ELOOP for what is no directory. */
int walk_enter(struct walk *walk, int parent, const char *name);

/* Puts the names of the level on top in byte order. */
void walk_sort(struct walk *walk);

/* The next name of the level on top and its d_type, or NULL after the last. Valid until the level is left. */
const char *walk_next(struct walk *walk, unsigned char *type);

/* The name that walk_next gave last on the level on top. */
const char *walk_current(const struct walk *walk);

/* Descriptor of the level on top. */
int walk_fd(const struct walk *walk);

/* Closes the level on top and returns to the one above. 0 or -errno: ESTALE when that is no longer where it was. */
int walk_leave(struct walk *walk);

/* Closes and frees what is left. */
void walk_end(struct walk *walk);

#endif
