/* Calls one function of native/paths.h: paths FUNCTION ROOT PATH prints where the descriptor leads, or the name of the error. */
#include "paths.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int call(const char *function, int root, const char *path)
{
    if (strcmp(function, "open_in_root") == 0)
        return open_in_root(root, path, O_PATH);
    if (strcmp(function, "open_beneath") == 0)
        return open_beneath(root, path, O_PATH);
    if (strcmp(function, "open_same_mount") == 0)
        return open_same_mount(root, path, O_PATH);
    if (strcmp(function, "make_directories") == 0)
        return make_directories(root, path, 0750);
    if (strcmp(function, "make_file") == 0)
        return make_file(root, path, 0640);
    return -1000;
}

int main(int argc, char **argv)
{
    int root = argc == 4 ? open(argv[2], O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    if (root < 0)
        return 2;
    int fd = call(argv[1], root, argv[3]);
    if (fd < 0)
        return puts(strerrorname_np(-fd)) < 0;
    char link[64], target[PATH_MAX + 1] = {0};
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (readlink(link, target, PATH_MAX) < 0 || (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0)
        return 3;
    printf("%s %s\n", is_directory(fd) ? "directory" : "other", target);
    return 0;
}
