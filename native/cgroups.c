/* v1 and v2 are told apart by the file system that a path is on, never by the path. */
#include "cgroups.h"

#include "die.h"
#include "mounts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

/* Waits of 0.5, 1, 2 … ms: about a second together. */
enum { MOST_TRIES = 11 };

/* How many levels of cgroups below an app's own are looked into; in what is deeper something may be. */
enum { DEEPEST = 32 };

void cgroups_open(struct cgroup_record *cgroups, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int directory = open(cgroups[i].path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0)
            die("cgroup", cgroups[i].path, errno);
        bool is_v2 = is_filesystem(directory, CGROUP2_SUPER_MAGIC);
        if (!is_v2 && !is_filesystem(directory, CGROUP_SUPER_MAGIC))
            die_because("cgroup", cgroups[i].path, 0, "not a cgroup");
        if (is_v2 && cgroups_v2(cgroups, i) >= 0)
            die_because("cgroup", cgroups[i].path, 0, "a second v2 cgroup");
        cgroups[i].file = openat(directory, is_v2 ? "cgroup.procs" : "tasks", O_WRONLY | O_CLOEXEC);
        if (cgroups[i].file < 0)
            die("cgroup", cgroups[i].path, errno);
        if (is_v2)
            cgroups[i].directory = directory;
        else
            close(directory);
    }
}

int cgroups_v2(const struct cgroup_record *cgroups, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (cgroups[i].directory >= 0)
            return cgroups[i].directory;
    return -1;
}

void cgroups_join(const struct cgroup_record *cgroups, size_t count, bool is_in_v2)
{
    /* `tasks` of v1 takes one thread without waiting; `cgroup.procs` waits for an RCU grace period, 5 to 17 ms on an idle machine. */
    for (size_t i = 0; i < count; i++)
        if (!(cgroups[i].directory >= 0 && is_in_v2) && write(cgroups[i].file, "0", 1) != 1)
            die("cgroup", cgroups[i].path, errno);
}

void cgroups_filter_devices(const struct pod_plan *plan)
{
    if (plan->filter_cgroup == NULL)
        return;
    cleanup_fd int cgroup = open(plan->filter_cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (cgroup < 0)
        die("device-filter", plan->filter_cgroup, errno);
    union bpf_attr load = {.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
                           .insns = (uint64_t)(uintptr_t)plan->filter,
                           .insn_cnt = (uint32_t)(plan->filter_bytes / sizeof(struct bpf_insn)),
                           .license = (uint64_t)(uintptr_t) "Apache-2.0"};
    cleanup_fd int program = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load);
    if (program < 0)
        die("device-filter", plan->filter_cgroup, errno);
    union bpf_attr attach = {.target_fd = (uint32_t)cgroup, .attach_bpf_fd = (uint32_t)program, .attach_type = BPF_CGROUP_DEVICE, .attach_flags = BPF_F_ALLOW_MULTI};
    if (syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach) < 0)
        die("device-filter", plan->filter_cgroup, errno);
}

static bool kill_listed(int cgroup)
{
    cleanup_fd int fd = openat(cgroup, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    char text[4096];
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (length <= 0)
        return true;
    text[length] = '\0';
    char *end;
    for (char *next = text; *next != '\0'; next = *end == '\n' ? end + 1 : end) {
        long pid = strtol(next, &end, 10);
        if (end == next)
            return true;
        /* 0: a process outside of our pid namespace; 1: never ours. */
        if (pid > 1 && *end == '\n')
            kill((pid_t)pid, SIGKILL);
    }
    return true;
}

/* Does something with a cgroup and with all below it, which the pod may have made; false if one of them says so, or one is too deep. */
static bool for_each(int cgroup, int depth, bool (*visit)(int cgroup))
{
    bool is_content = visit(cgroup);
    int again = depth == 0 ? -1 : openat(cgroup, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = again < 0 ? NULL : fdopendir(again);
    if (list == NULL) {
        close_fd(&again);
        return false;
    }
    for (const struct dirent *entry; (entry = readdir(list)) != NULL;) {
        if (entry->d_type != DT_DIR || strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        cleanup_fd int child = openat(cgroup, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        /* One that is gone has nobody in it. */
        is_content &= child < 0 ? errno == ENOENT : for_each(child, depth - 1, visit);
    }
    closedir(list);
    return is_content;
}

/* v2 kills a whole subtree at once; on v1, and before Linux 5.14, what is listed is killed, again at every try. */
static void kill_members(const char *path)
{
    cleanup_fd int cgroup = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (cgroup < 0 || (!is_filesystem(cgroup, CGROUP2_SUPER_MAGIC) && !is_filesystem(cgroup, CGROUP_SUPER_MAGIC)))
        return;
    cleanup_fd int all = openat(cgroup, "cgroup.kill", O_WRONLY | O_CLOEXEC);
    if (all < 0 || write(all, "1", 1) != 1)
        (void)for_each(cgroup, DEEPEST, kill_listed);
}

/* What `pids.max` says, before it says that nothing may be forked any more; empty where there is none. */
static void stop_forks(int cgroup, char before[static 32])
{
    cleanup_fd int fd = openat(cgroup, "pids.max", O_RDWR | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, before, 31);
    before[length > 0 ? length : 0] = '\0';
    if (length > 0)
        (void)!pwrite(fd, "0", 1, 0);
}

static void let_fork(int cgroup, const char *before)
{
    cleanup_fd int fd = openat(cgroup, "pids.max", O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && before[0] != '\0')
        (void)!write(fd, before, strlen(before));
}

static bool has_no_member(int cgroup)
{
    char first;
    cleanup_fd int fd = openat(cgroup, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, &first, 1) == 0;
}

/* v2 counts what is below as well; there not every cgroup lists its processes (threaded ones do not). */
static bool is_without_members(int cgroup)
{
    char text[256];
    cleanup_fd int fd = openat(cgroup, "cgroup.events", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return for_each(cgroup, DEEPEST, has_no_member);
    ssize_t length = read(fd, text, sizeof text - 1);
    text[length > 0 ? length : 0] = '\0';
    return strstr(text, "populated 0") != NULL;
}

static bool empty_one(const char *path)
{
    char before[32];
    bool is_empty = false;
    cleanup_fd int cgroup = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (cgroup < 0)
        return false;
    stop_forks(cgroup, before);
    for (int tries = 0; !is_empty && tries < MOST_TRIES; tries++) {
        kill_members(path);
        is_empty = is_without_members(cgroup);
        if (!is_empty)
            nanosleep(&(struct timespec){.tv_nsec = 500000L << (tries < 10 ? tries : 10)}, NULL);
    }
    let_fork(cgroup, before);
    return is_empty;
}

bool cgroups_empty(const struct cgroup_record *cgroups, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!empty_one(cgroups[i].path))
            return false;
    return true;
}

void cgroups_remove(const struct pod_plan *plan)
{
    int tries = 0;
    for (size_t i = 0; i < plan->removal_count; i++) {
        while (rmdir(plan->removals[i]) < 0 && errno == EBUSY && tries < MOST_TRIES) {
            kill_members(plan->removals[i]);
            nanosleep(&(struct timespec){.tv_nsec = 500000L << tries++}, NULL);
        }
    }
}
