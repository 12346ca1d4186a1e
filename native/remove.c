/* remove: takes trees away by descriptor. Also remove_tree of paths.h, for the verbs that replace or clean up. */
#include "die.h"
#include "paths.h"
#include "verbs.h"
#include "walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* How often a directory may turn out not to be empty after all, because somebody still writes there. */
enum { MAX_RETRIES = 64 };

/* A directory that its own mode keeps us out of. Opened as a path, so that a link put there instead is not followed. */
static int open_up(int parent, const char *name)
{
    cleanup_fd int fd = open_same_mount(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (fd < 0)
        return fd;
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return chmod(path, 0700) < 0 ? -errno : 0;
}

/* Enters `name`; that it is gone is what was wanted. */
static int enter(struct walk *walk, int parent, const char *name)
{
    int error = walk_enter(walk, parent, name);
    if (error == -EACCES && open_up(walk->depth > 0 ? walk_fd(walk) : parent, name) == 0)
        error = walk_enter(walk, parent, name);
    /* Without w and x its entries could not be removed; that this fails for a stranger's directory shows when they are. */
    if (error == 0 && (walk->levels[walk->depth - 1].mode & 0700) != 0700)
        (void)!fchmod(walk_fd(walk), 0700);
    return error == -ENOENT ? 0 : error;
}

/* 0, -errno, or -EISDIR: a directory, to be emptied first. A mount point is EBUSY for the kernel. */
static int unlink_name(int parent, const char *name)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return 0;
    return errno == EBUSY ? -EXDEV : -errno;
}

static int remove_child(struct walk *walk, const char *name, unsigned char type)
{
    int error = type == DT_DIR ? -EISDIR : unlink_name(walk_fd(walk), name);
    return error == -EISDIR ? enter(walk, -1, name) : error;
}

/* The directory that was just left; entered again when it is not empty after all. */
static int remove_left(struct walk *walk, int parent, const char *name, int *retries)
{
    if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return 0;
    if (errno == ENOTEMPTY && ++*retries <= MAX_RETRIES)
        return enter(walk, parent, name);
    return errno == EBUSY ? -EXDEV : -errno;
}

int remove_tree(int parent, const char *name)
{
    if (name[0] == '\0' || strchr(name, '/') != NULL || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return -EINVAL;
    int error = unlink_name(parent, name), retries = 0;
    if (error != -EISDIR)
        return error;
    struct walk walk = {0};
    error = enter(&walk, parent, name);
    while (error == 0 && walk.depth > 0) {
        unsigned char type;
        const char *child = walk_next(&walk, &type);
        if (child != NULL) {
            error = remove_child(&walk, child, type);
            continue;
        }
        error = walk_leave(&walk);
        if (error == 0 && walk.depth > 0)
            error = remove_left(&walk, walk_fd(&walk), walk_current(&walk), &retries);
        else if (error == 0)
            error = remove_left(&walk, parent, name, &retries);
    }
    walk_end(&walk);
    return error;
}

/* Every name is tried, so that one that cannot go does not keep the others; the first failure is the one reported. */
int verb_remove(int argc, char **argv)
{
    const char *failed = NULL;
    int first = 0;
    for (int i = 0; i < argc; i++) {
        int error = remove_tree(AT_FDCWD, argv[i]);
        if (error < 0 && failed == NULL) {
            failed = argv[i];
            first = error;
        }
    }
    if (failed != NULL)
        die("remove", failed, -first);
    printf("{\"removed\":%d}\n", argc);
    return 0;
}
