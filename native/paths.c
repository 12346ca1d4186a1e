/* Opening and making paths below a root. Every look-up of more than one component is one openat2; what is made is made by
 * descriptor and single name, so a link swapped in between is refused or stays inside of root. Knows nothing of pods or archives. */
#include "paths.h"

#include "die.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* How many dangling links one path may lead through, as the kernel's own bound. */
enum { MAX_LINKS = 40 };

static int open_resolved(int root, const char *path, int flags, unsigned long long resolve)
{
    struct open_how how = {.flags = (unsigned long long)(unsigned)(flags | O_CLOEXEC), .resolve = resolve | RESOLVE_NO_MAGICLINKS};
    for (;;) {
        long fd = syscall(SYS_openat2, root, path, &how, sizeof how);
        if (fd >= 0)
            return (int)fd;
        /* EAGAIN: something was renamed while `..` was resolved, and the kernel could not prove that we stayed inside. */
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
    }
}

int open_in_root(int root, const char *path, int flags)
{
    return open_resolved(root, path[0] == '\0' ? "." : path, flags, RESOLVE_IN_ROOT);
}

int open_beneath(int root, const char *path, int flags)
{
    path += strspn(path, "/");
    return open_resolved(root, path[0] == '\0' ? "." : path, flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

int open_same_mount(int root, const char *path, int flags)
{
    return open_resolved(root, path, flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
}

int is_directory(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Makes `name` in `parent`, a directory or an empty file, and opens it. -EEXIST when something has the name. */
static int make_one(int parent, const char *name, mode_t mode, bool directory)
{
    mode_t before = umask(0);
    int made = directory ? mkdirat(parent, name, mode) : mknodat(parent, name, S_IFREG | mode, 0);
    int error = errno;
    umask(before);
    if (made < 0)
        return -error;
    /* A set-group-ID parent would otherwise give its group. */
    if (geteuid() == 0 && fchownat(parent, name, 0, 0, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    return open_beneath(parent, name, O_PATH | O_NOFOLLOW | (directory ? O_DIRECTORY : 0));
}

/* `instead`: the path from the root with the dangling link `name` (at path[before…]) replaced by its target, then `rest`.
 * The same path if it is no link: somebody else made it just now. */
static int replace_link(int parent, const char *path, size_t before, const char *name, const char *rest, char instead[static PATH_MAX])
{
    char target[PATH_MAX];
    ssize_t length = readlinkat(parent, name, target, sizeof target - 1);
    if (length < 0 && errno != EINVAL)
        return -errno;
    if (length < 0)
        length = snprintf(target, sizeof target, "%s", name);
    target[length] = '\0';
    int used = snprintf(instead, PATH_MAX, "%.*s%s/%s", target[0] == '/' ? 0 : (int)before, path, target, rest);
    return used >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* The kernel walks what exists; what it reports missing is made, one name at a time. A descriptor of the last, or -errno;
 * -EEXIST when a link that dangles is in the way: then `instead` is what to try. */
static int make_missing(int root, char path[static PATH_MAX], mode_t mode, bool file, char instead[static PATH_MAX])
{
    int parent = open_in_root(root, "/", O_PATH | O_DIRECTORY);
    char *next;
    for (char *name = path + strspn(path, "/"); parent >= 0 && *name != '\0'; name = next) {
        char *end = name + strcspn(name, "/");
        next = end + strspn(end, "/");
        bool directory = !file || *next != '\0';
        char separator = *end;
        *end = '\0';
        int child = open_in_root(root, path, O_PATH | (directory ? O_DIRECTORY : 0));
        if (child == -ENOENT)
            child = make_one(parent, name, directory && file ? 0755 : mode, directory);
        if (child == -EEXIST) {
            int error = replace_link(parent, path, (size_t)(name - path), name, next, instead);
            child = error < 0 ? error : -EEXIST;
        }
        *end = separator;
        close(parent);
        parent = child;
    }
    return parent;
}

/* A link that dangles inside of root (an image's /var/run → /run) is followed by asking again for the path it stands for. */
static int make_path(int root, const char *path, mode_t mode, bool file)
{
    char wanted[PATH_MAX], instead[PATH_MAX];
    if (snprintf(wanted, sizeof wanted, "%s", path) >= PATH_MAX)
        return -ENAMETOOLONG;
    for (int links = 0; links <= MAX_LINKS; links++) {
        int made = make_missing(root, wanted, mode, file, instead);
        if (made != -EEXIST)
            return made;
        memcpy(wanted, instead, sizeof wanted);
    }
    return -ELOOP;
}

int make_directories(int root, const char *path, mode_t mode)
{
    return make_path(root, path, mode, false);
}

int make_file(int root, const char *path, mode_t mode)
{
    return make_path(root, path, mode, true);
}
