/* Ways to leave a file in a directory that gives its owner's power to whoever executes it on the host. */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { MARKED = 06755 };

static int make_plain(const char *path)
{
    return open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0755);
}

static long by_chmod(const char *path)
{
    close(make_plain(path));
    return chmod(path, 04755);
}

static long by_chmod_of_group(const char *path)
{
    close(make_plain(path));
    return chmod(path, 02755);
}

static long by_fchmod(const char *path)
{
    return fchmod(make_plain(path), MARKED);
}

static long by_fchmodat(const char *path)
{
    close(make_plain(path));
    return syscall(SYS_fchmodat, AT_FDCWD, path, MARKED);
}

static long by_fchmodat2(const char *path)
{
    close(make_plain(path));
    return syscall(452, AT_FDCWD, path, MARKED, 0);
}

static long by_openat(const char *path)
{
    return syscall(SYS_openat, AT_FDCWD, path, O_CREAT | O_WRONLY | O_CLOEXEC, MARKED);
}

static long by_openat2(const char *path)
{
    struct open_how how = {.flags = O_CREAT | O_WRONLY | O_CLOEXEC, .mode = MARKED};
    return syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
}

/* An unnamed file that gets its name afterwards. */
static long by_tmpfile(const char *path)
{
    char directory[4096], link[64];
    snprintf(directory, sizeof directory, "%s", path);
    *strrchr(directory, '/') = '\0';
    int fd = open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, MARKED);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return fd < 0 ? -1 : linkat(AT_FDCWD, link, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

static long by_mknod(const char *path)
{
    return syscall(SYS_mknodat, AT_FDCWD, path, S_IFREG | MARKED, 0);
}

#ifdef __x86_64__
static long by_old_open(const char *path)
{
    return syscall(SYS_open, path, O_CREAT | O_WRONLY | O_CLOEXEC, MARKED);
}

static long by_creat(const char *path)
{
    return syscall(SYS_creat, path, MARKED);
}

static long by_old_mknod(const char *path)
{
    return syscall(SYS_mknod, path, S_IFREG | MARKED, 0);
}
#endif

static long by_device(const char *path)
{
    return mknod(path, S_IFCHR | 0666, makedev(1, 1));
}

/* A file that has the mark already, written to; the mark must go. */
static long by_writing(const char *path)
{
    struct stat status;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "x", 1) != 1 || fstat(fd, &status) < 0)
        return -1;
    errno = EPERM;
    return (status.st_mode & (S_ISUID | S_ISGID)) != 0 ? 0 : -1;
}

static long by_capability(const char *path)
{
    struct vfs_cap_data data = {.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE, .data = {{.permitted = UINT32_C(1) << CAP_SYS_ADMIN}}};
    return fsetxattr(make_plain(path), "security.capability", &data, sizeof data, 0);
}

static const struct {
    const char *name;
    long (*run)(const char *path);
} ways[] = {
    {"chmod", by_chmod}, {"chmod-group", by_chmod_of_group}, {"fchmod", by_fchmod}, {"fchmodat", by_fchmodat}, {"fchmodat2", by_fchmodat2},
    {"openat", by_openat}, {"openat2", by_openat2}, {"tmpfile", by_tmpfile}, {"mknodat", by_mknod}, {"written", by_writing}, {"capability", by_capability}, {"device", by_device},
#ifdef __x86_64__
    {"open", by_old_open}, {"creat", by_creat}, {"mknod", by_old_mknod},
#endif
};

/* Each in a process of its own: some kernels lack a call, and a filter may kill for it. */
int mark_files(char **arguments)
{
    umask(0);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        char path[4096];
        int status = 0;
        snprintf(path, sizeof path, "%s/%s", arguments[0], ways[i].name);
        fflush(stdout);
        if (fork() == 0)
            _exit(ways[i].run(path) >= 0 ? 0 : errno);
        wait(&status);
        printf("mark.%s=%s\n", ways[i].name, !WIFEXITED(status) ? "killed" : WEXITSTATUS(status) == 0 ? "ok" : strerrorname_np(WEXITSTATUS(status)));
    }
    return 0;
}
