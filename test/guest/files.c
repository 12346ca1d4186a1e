/* Verbs about files: what there is, and what can be done with it. */
#include "guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int list_directory(char **arguments)
{
    for (; *arguments != NULL; arguments++) {
        DIR *list = opendir(*arguments);
        if (list == NULL)
            printf("list.%s=%s\n", *arguments, strerrorname_np(errno));
        for (const struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;)
            if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                printf("list.%s=%s\n", *arguments, entry->d_name);
        if (list != NULL)
            closedir(list);
    }
    return 0;
}

/* type, mode, owner, device of each path, without following a last link; `link=` where it leads. */
int show_paths(char **arguments)
{
    for (; *arguments != NULL; arguments++) {
        struct stat status;
        char target[4096] = "";
        if (lstat(*arguments, &status) < 0) {
            printf("path.%s=%s\n", *arguments, strerrorname_np(errno));
            continue;
        }
        if (S_ISLNK(status.st_mode))
            (void)!readlink(*arguments, target, sizeof target - 1);
        printf("path.%s=%06o,%u,%u,%llu,%s\n", *arguments, status.st_mode, status.st_uid, status.st_gid, (unsigned long long)status.st_rdev, target);
    }
    return 0;
}

/* Whether each path can be opened for reading, how many bytes it gives, and whether it can be opened for writing. */
int open_paths(char **arguments)
{
    for (; *arguments != NULL; arguments++) {
        char bytes[4096];
        int reading = open(*arguments, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        ssize_t length = reading < 0 ? -1 : read(reading, bytes, sizeof bytes);
        int error = errno;
        int writing = open(*arguments, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
        printf("open.%s=%s,%s\n", *arguments, length < 0 ? strerrorname_np(error) : length == 0 ? "empty" : "content", writing < 0 ? strerrorname_np(errno) : "writable");
        close(reading);
        close(writing);
    }
    return 0;
}

int write_file(char **arguments)
{
    int fd = open(arguments[0], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    bool is_done = fd >= 0 && write(fd, arguments[1], strlen(arguments[1])) == (ssize_t)strlen(arguments[1]);
    printf("write.%s=%s\n", arguments[0], is_done ? "ok" : strerrorname_np(errno));
    return 0;
}

int unlink_paths(char **arguments)
{
    for (; *arguments != NULL; arguments++)
        printf("unlink.%s=%s\n", *arguments, unlink(*arguments) == 0 ? "ok" : strerrorname_np(errno));
    return 0;
}

int print_file(char **arguments)
{
    char bytes[65536];
    int fd = arguments[0] != NULL ? open(arguments[0], O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    ssize_t length;
    while ((length = read(fd, bytes, sizeof bytes)) > 0)
        if (write(STDOUT_FILENO, bytes, (size_t)length) != length)
            return 1;
    return length < 0;
}
