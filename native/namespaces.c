/* Namespaces are made by clone3, set up from inside by init, and from outside only by the id maps. */
#include "namespaces.h"

#include "die.h"
#include "id_mapper.h"
#include "mounts.h"
#include "paths.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t clone_process(uint64_t flags, int cgroup)
{
    struct clone_args arguments = {.flags = flags, .exit_signal = (flags & CLONE_PARENT) != 0 ? 0 : SIGCHLD};
    if (cgroup >= 0) {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = (unsigned)cgroup;
    }
    long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    return pid < 0 ? -errno : (pid_t)pid;
}

/* In a process of its own, because who has joined a user namespace does not come back. The new one is its sibling. */
static bool clone_inside(const struct joined *joined, uint64_t flags, int answer)
{
    int32_t pid = 0;
    if ((joined->user >= 0 && setns(joined->user, CLONE_NEWUSER) < 0) || setns(joined->net, CLONE_NEWNET) < 0)
        pid = -errno;
    else
        pid = clone_process(flags | CLONE_PARENT, -1);
    if (pid == 0)
        return true;
    (void)!write(answer, &pid, sizeof pid);
    _exit(0);
}

pid_t clone_joining(const struct joined *joined, uint64_t flags, int cgroup)
{
    int ends[2];
    int32_t pid = -ECHILD;
    if (joined->net < 0)
        return clone_process(flags, cgroup);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    pid_t maker = clone_process(0, cgroup);
    if (maker == 0 && clone_inside(joined, flags & ~(uint64_t)(CLONE_NEWUSER | CLONE_NEWNET), ends[1])) {
        close(ends[0]);
        close(ends[1]);
        return 0;
    }
    close(ends[1]);
    if (maker > 0 && read(ends[0], &pid, sizeof pid) != (ssize_t)sizeof pid)
        pid = -ECHILD;
    close(ends[0]);
    if (maker > 0)
        waitpid(maker, NULL, 0);
    return maker < 0 ? maker : pid;
}

/* The kernel takes a map in one write. */
static void write_map(int process, const char *name, const struct id_range *ranges, size_t count)
{
    char text[4096];
    size_t used = 0;
    for (size_t i = 0; i < count && used + 40 < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%u %u %u\n", ranges[i].inside, ranges[i].outside, ranges[i].count);
    cleanup_fd int fd = openat(process, name, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, used) != (ssize_t)used)
        die("id-map", name, errno);
}

/* The kernel asks this of whoever maps a group without a right over it. */
static void forbid_setgroups(int process)
{
    cleanup_fd int fd = openat(process, "setgroups", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "deny", 4) != 4)
        die("id-map", "setgroups", errno);
}

int namespaces_map_ids(const struct pod_plan *plan, pid_t pid)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d", pid);
    cleanup_fd int process = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (process < 0 || !is_filesystem(process, PROC_SUPER_MAGIC))
        die("id-map", path, process < 0 ? errno : 0);
    if (plan->uid_mapper != NULL) {
        id_mapper_run(plan->uid_mapper, pid, plan->uids, plan->uid_count);
        id_mapper_run(plan->gid_mapper, pid, plan->gids, plan->gid_count);
    } else {
        if (plan->is_unprivileged)
            forbid_setgroups(process);
        write_map(process, "uid_map", plan->uids, plan->uid_count);
        write_map(process, "gid_map", plan->gids, plan->gid_count);
    }
    int user_namespace = openat(process, "ns/user", O_RDONLY | O_CLOEXEC);
    if (user_namespace < 0)
        die("id-map", "ns/user", errno);
    return user_namespace;
}

void namespaces_become_root(const struct pod_plan *plan)
{
    bool keeps_groups = plan->is_unprivileged && plan->gid_mapper == NULL;
    if ((!keeps_groups && setgroups(0, NULL) < 0) || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
        die("become-root", "", errno);
}

uint32_t id_outside(const struct id_range *ranges, size_t count, uint32_t id)
{
    for (size_t i = 0; i < count; i++)
        if (id >= ranges[i].inside && id - ranges[i].inside < ranges[i].count)
            return ranges[i].outside + (id - ranges[i].inside);
    return count == 0 ? id : UINT32_MAX;
}

void namespaces_loopback_up(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        die("loopback", "lo", errno);
}

/* Nobody of the pod has run yet, so the port is free. Whoever answers takes the descriptor from us later; until then callers queue. */
static void listen_at(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    cleanup_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 || listen(fd, SOMAXCONN) < 0 || dup3(fd, LISTENER, O_CLOEXEC) < 0)
        die("listen", "127.0.0.1", errno);
}

void namespaces_configure(const struct pod_plan *plan)
{
    if (plan->hostname != NULL && sethostname(plan->hostname, strlen(plan->hostname)) < 0)
        die("hostname", plan->hostname, errno);
    if (plan->has_loopback)
        namespaces_loopback_up();
    if (plan->listen_port != 0)
        listen_at(plan->listen_port);
}

static void write_sysctl(int root, const struct sysctl_record *sysctl)
{
    char path[256];
    if (snprintf(path, sizeof path, "sys/%s", sysctl->key) >= (int)sizeof path)
        die("sysctl", sysctl->key, ENAMETOOLONG);
    for (char *dot = strchr(path, '.'); dot != NULL; dot = strchr(dot, '.'))
        *dot = '/';
    cleanup_fd int fd = open_same_mount(root, path, O_WRONLY);
    if (fd < 0)
        die("sysctl", sysctl->key, -fd);
    size_t length = strlen(sysctl->value);
    if (!is_filesystem(fd, PROC_SUPER_MAGIC) || write(fd, sysctl->value, length) != (ssize_t)length)
        die("sysctl", sysctl->key, errno);
}

void namespaces_write_sysctls(const struct pod_plan *plan, int proc)
{
    for (size_t i = 0; i < plan->sysctl_count; i++)
        write_sysctl(proc, &plan->sysctls[i]);
}
