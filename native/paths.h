/* Opening paths of a directory that somebody else may be changing: the kernel resolves (openat2), never this program. */
#ifndef PERIGEE_PATHS_H
#define PERIGEE_PATHS_H

#include <sys/types.h>

/* All return a descriptor (CLOEXEC) or -errno. Paths may be absolute or relative: both begin at `root` and cannot leave it,
 * `..` and absolute links included; magic links are refused. `flags` as for open, e.g. O_PATH | O_NOFOLLOW. */
int open_in_root(int root, const char *path, int flags);

/* As open_in_root, but no symlink anywhere on the way (RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH). */
int open_beneath(int root, const char *path, int flags);

/* As open_beneath, but a mount point on the way, the last component included, is EXDEV. */
int open_same_mount(int root, const char *path, int flags);

/* Makes `path` and its parents as directories where missing (mode for all that are made, owner 0:0 of the current user namespace),
 * following no symlink that leaves root; returns an O_PATH descriptor of the last one, or -errno. */
int make_directories(int root, const char *path, mode_t mode);

/* As make_directories for the parents, then an empty regular file if nothing is there (O_EXCL, never through a link); O_PATH descriptor or -errno. */
int make_file(int root, const char *path, mode_t mode);

/* Whether fd is a directory. */
int is_directory(int fd);

/* Removes the tree `name` below `parent`: by descriptor, never through a link, never across a mount (EXDEV then). 0 or -errno; ENOENT is 0. */
int remove_tree(int parent, const char *name);

#endif
