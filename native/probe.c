/* probe: what this kernel offers, and the file system of the working directory, found by trying and not by a version, as one JSON object
 * (src/shim/probe.ts has the same fields). */
#include "die.h"
#include "events.h"
#include "namespaces.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>

/* Any host id but root's; nothing is ever owned by it. */
enum { TRIED_ID = 65534 };

static bool has_call(long number)
{
    /* Arguments that every call refuses with another error than ENOSYS. */
    return syscall(number, -1, NULL, NULL, 0) >= 0 || errno != ENOSYS;
}

/* A child in new namespaces, waiting to be killed; -errno. */
static pid_t hold_namespaces(uint64_t flags)
{
    pid_t pid = clone_process(flags, -1);
    if (pid == 0) {
        pause();
        _exit(0);
    }
    return pid;
}

static void end_child(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static bool has_namespace(uint64_t flags)
{
    pid_t pid = hold_namespaces(flags);
    end_child(pid);
    return pid > 0;
}

static bool has_overlay(void)
{
    char line[128];
    bool is_found = false;
    FILE *list = fopen("/proc/filesystems", "re");
    while (list != NULL && !is_found && fgets(line, sizeof line, list) != NULL)
        is_found = strcmp(line, "nodev\toverlay\n") == 0;
    if (list != NULL)
        fclose(list);
    return is_found;
}

/* A user namespace in which one id is mapped, which is what idmapping a mount needs; -1 if there can be none. */
static int open_user_namespace(void)
{
    struct id_range range = {.outside = TRIED_ID, .count = 1};
    struct pod_plan plan = {.uids = &range, .gids = &range, .uid_count = 1, .gid_count = 1};
    pid_t pid = hold_namespaces(CLONE_NEWUSER);
    int user_namespace = pid > 0 && geteuid() == 0 ? namespaces_map_ids(&plan, pid) : -1;
    end_child(pid);
    return user_namespace;
}

/* A detached copy of `path` with its owners mapped; -1 if the kernel or the file system cannot. */
static int clone_idmapped(const char *path, int user_namespace)
{
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (unsigned)user_namespace};
    int tree = user_namespace < 0 ? -1 : open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes) == 0)
        return tree;
    close(tree);
    return -1;
}

static bool can_idmap(const char *path, int user_namespace)
{
    cleanup_fd int tree = clone_idmapped(path, user_namespace);
    return tree >= 0;
}

/* In a mount namespace of its own: an overlay on the idmapped working directory (Linux 5.19). */
static bool try_overlay(int user_namespace)
{
    static const char *const places[] = {"mapped", "upper", "work", "root"};
    cleanup_fd int tree = clone_idmapped(".", user_namespace);
    bool is_ready = mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && mount("probe", "/proc", "tmpfs", 0, NULL) == 0 && chdir("/proc") == 0;
    for (size_t i = 0; is_ready && i < sizeof places / sizeof *places; i++)
        is_ready = mkdir(places[i], 0755) == 0;
    return is_ready && tree >= 0 && move_mount(tree, "", AT_FDCWD, "mapped", MOVE_MOUNT_F_EMPTY_PATH) == 0
        && mount("overlay", "root", "overlay", 0, "lowerdir=mapped,upperdir=upper,workdir=work") == 0;
}

static bool can_overlay_idmapped(int user_namespace)
{
    int status = 1;
    pid_t pid = user_namespace < 0 ? -1 : clone_process(CLONE_NEWNS, -1);
    if (pid == 0)
        _exit(try_overlay(user_namespace) ? 0 : 1);
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* A kernel that knows CLONE_INTO_CGROUP complains of the descriptor, which is no cgroup; an older one of the flag. */
static bool can_clone_into_cgroup(void)
{
    cleanup_fd int directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    pid_t pid = clone_process(0, directory);
    if (pid == 0)
        _exit(0);
    end_child(pid);
    return pid == -EBADF;
}

static bool has_seccomp(void)
{
    uint32_t action = SECCOMP_RET_ERRNO;
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

int verb_probe(int argc, char **argv)
{
    struct utsname system;
    struct line line;
    (void)argv;
    die_report_to(STDERR_FILENO, 1);
    if (argc != 0)
        return 2;
    if (uname(&system) < 0)
        die("probe", "uname", errno);
    cleanup_fd int user_namespace = open_user_namespace();
    line_begin(&line);
    line_text(&line, "release", system.release);
    line_boolean(&line, "openat2", has_call(SYS_openat2));
    line_boolean(&line, "mountSetattr", has_call(SYS_mount_setattr));
    line_boolean(&line, "userNamespace", has_namespace(CLONE_NEWUSER));
    line_boolean(&line, "timeNamespace", has_namespace(CLONE_NEWTIME));
    line_boolean(&line, "cgroupNamespace", has_namespace(CLONE_NEWCGROUP));
    line_boolean(&line, "overlay", has_overlay());
    line_boolean(&line, "idmap", can_idmap(".", user_namespace));
    line_boolean(&line, "idmapOverlay", can_overlay_idmapped(user_namespace));
    line_boolean(&line, "cloneIntoCgroup", can_clone_into_cgroup());
    line_boolean(&line, "seccomp", has_seccomp());
    line_send(&line, STDOUT_FILENO);
    return 0;
}
