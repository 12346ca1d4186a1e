#include "sandbox.h"

#include "die.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* Since this version a link or a rename into another directory can be allowed at all. */
enum { LANDLOCK_WITH_REFER = 2 };

static void write_proc(const char *path, const char *text, int length)
{
    cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, (size_t)length) != length)
        die("sandbox", path, errno);
}

/* Maps the caller to itself: a set-group-ID or owner of somebody else cannot be made by accident. */
static void map_self(uid_t uid, gid_t gid)
{
    char line[64];
    write_proc("/proc/self/setgroups", "deny", 4);
    write_proc("/proc/self/uid_map", line, snprintf(line, sizeof line, "%u %u 1\n", uid, uid));
    write_proc("/proc/self/gid_map", line, snprintf(line, sizeof line, "%u %u 1\n", gid, gid));
}

/* Own mount namespace: alone, or with a user namespace that gives the right to it. */
static bool unshare_mounts(bool owners)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (unshare(CLONE_NEWNS) == 0)
        return true;
    if (owners || unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        return false;
    map_self(uid, gid);
    return true;
}

/* Makes the working directory, with the mounts below it, the only thing there is. */
static void pivot(void)
{
    if (mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        die("sandbox", "/", errno);
    cleanup_fd int tree = open_tree(AT_FDCWD, ".", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (tree < 0 || move_mount(tree, "", AT_FDCWD, ".", MOVE_MOUNT_F_EMPTY_PATH) < 0)
        die("sandbox", "bind", errno);
    if (fchdir(tree) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        die("sandbox", "pivot", errno);
}

/* Where no namespace is to be had. A kernel without it leaves us with descriptors alone, which is what the rest relies on. */
static void landlock(bool writes)
{
    if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < LANDLOCK_WITH_REFER)
        return;
    struct landlock_ruleset_attr attr = {.handled_access_fs = LANDLOCK_ACCESS_FS_REFER * 2 - 1};
    struct landlock_path_beneath_attr here = {
        .allowed_access = writes ? attr.handled_access_fs & ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE
                                 : LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
        .parent_fd = open(".", O_PATH | O_CLOEXEC),
    };
    cleanup_fd int rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    if (rules < 0 || here.parent_fd < 0 || syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &here, 0) < 0 ||
        syscall(SYS_landlock_restrict_self, rules, 0) < 0)
        die("sandbox", "landlock", errno);
    close(here.parent_fd);
}

static void drop_capabilities(uint64_t keep)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) < 0)
        die("sandbox", "capget", errno);
    for (unsigned i = 0; i < 2; i++) {
        data[i].permitted &= (uint32_t)(keep >> (32 * i));
        data[i].effective = data[i].permitted;
        data[i].inheritable = 0;
    }
    if (syscall(SYS_capset, &header, data) < 0)
        die("sandbox", "capset", errno);
}

void sandbox_enter(const struct sandbox *sandbox)
{
    struct rlimit none = {0, 0};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
        die("sandbox", "no new privileges", errno);
    if (unshare_mounts(sandbox->owners))
        pivot();
    else
        landlock(sandbox->writes);
    drop_capabilities(sandbox->keep);
}

#ifdef __SANITIZE_ADDRESS__
/* What a program that does one job has not freed is no fault; and the search for it needs a /proc, which is gone here. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif
