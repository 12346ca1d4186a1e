/* Attempts to leave a pod or to harm its host. Some would change a host if they were made there, so they are made in a pod only. */
#include "guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/keyctl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LAST_CALL = 469, CALL_MILLISECONDS = 300 };

static long try_mknod(void)
{
    return mknod("/tried-device", S_IFCHR | 0666, makedev(1, 1));
}

static long try_open_device(void)
{
    (void)mknod("/tried-memory", S_IFCHR | 0666, makedev(1, 1));
    return open("/tried-memory", O_RDONLY | O_CLOEXEC);
}

static long try_mknod_allowed(void)
{
    return mknod("/tried-null", S_IFCHR | 0666, makedev(1, 3));
}

static long try_mount(void)
{
    return mount("tmpfs", "/", "tmpfs", 0, NULL);
}

static long try_remount(void)
{
    return mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND, NULL);
}

static long try_umount(void)
{
    return umount2("/proc/sys", MNT_DETACH);
}

static long try_new_mount_api(void)
{
    return syscall(SYS_fsopen, "tmpfs", 0);
}

static long try_ptrace_init(void)
{
    return ptrace(PTRACE_SEIZE, 1, NULL, NULL);
}

static long try_ptrace_self(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static long try_tiocsti(void)
{
    return ioctl(0, TIOCSTI, "x");
}

/* The kernel looks at the low 32 bits only; a filter that compares 64 lets this pass (CVE-2019-10063). */
static long try_tiocsti_high(void)
{
    return syscall(SYS_ioctl, 0, (unsigned long)TIOCSTI | 1UL << 32, "x");
}

static long try_tioclinux(void)
{
    return ioctl(0, TIOCLINUX, "\0");
}

static long try_vsock(void)
{
    return socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static long try_alg(void)
{
    return socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
}

static long try_packet(void)
{
    return socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
}

static long try_raw(void)
{
    return socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, 1);
}

static long try_keyctl(void)
{
    return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
}

static long try_keyring_search(void)
{
    return syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", "perigee-test", 0);
}

static long try_unshare_user(void)
{
    return unshare(CLONE_NEWUSER);
}

static long try_unshare_mount(void)
{
    return unshare(CLONE_NEWNS);
}

static long try_clone3(void)
{
    return syscall(SYS_clone3, NULL, 0);
}

static long try_chroot(void)
{
    return chroot("/");
}

static long try_hostname(void)
{
    return sethostname("tried", 5);
}

static long try_setuid(void)
{
    return setresuid(12345, 12345, 12345);
}

static long try_bpf(void)
{
    return syscall(SYS_bpf, -1, NULL, 0);
}

static long try_userfaultfd(void)
{
    return syscall(SYS_userfaultfd, 0);
}

static long try_io_uring(void)
{
    return syscall(SYS_io_uring_setup, 0, NULL);
}

static long try_perf(void)
{
    return syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0);
}

static long try_kill_host(void)
{
    return kill(1, 0) == 0 && getppid() > 1 ? 0 : -1;
}

static long try_open_init_root(void)
{
    return open("/proc/1/root", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static long try_open_init_program(void)
{
    return open("/proc/1/exe", O_RDONLY | O_CLOEXEC);
}

static const struct {
    const char *name;
    long (*run)(void);
} attempts[] = {
    {"mknod", try_mknod}, {"open-device", try_open_device}, {"mknod-allowed", try_mknod_allowed}, {"mount", try_mount}, {"remount", try_remount}, {"umount", try_umount},
    {"fsopen", try_new_mount_api}, {"ptrace-init", try_ptrace_init}, {"ptrace-self", try_ptrace_self}, {"tiocsti", try_tiocsti},
    {"tiocsti-high", try_tiocsti_high}, {"tioclinux", try_tioclinux}, {"vsock", try_vsock}, {"alg", try_alg}, {"packet", try_packet},
    {"raw", try_raw}, {"keyctl", try_keyctl}, {"keyring-search", try_keyring_search}, {"unshare-user", try_unshare_user},
    {"unshare-mount", try_unshare_mount}, {"clone3", try_clone3}, {"chroot", try_chroot}, {"sethostname", try_hostname},
    {"setuid", try_setuid}, {"bpf", try_bpf}, {"userfaultfd", try_userfaultfd}, {"io-uring", try_io_uring}, {"perf", try_perf},
    {"kill-parent", try_kill_host}, {"init-root", try_open_init_root}, {"init-exe", try_open_init_program},
};

bool is_in_pod(void)
{
    char name[32] = "";
    int fd = open("/proc/1/comm", O_RDONLY | O_CLOEXEC);
    bool is_init = fd >= 0 && read(fd, name, sizeof name - 1) > 0 && strcmp(name, "perigee-init\n") == 0;
    close(fd);
    return is_init;
}

static void print_end(const char *key, int status, int error)
{
    if (WIFSIGNALED(status))
        printf("%s=SIG%s\n", key, sigabbrev_np(WTERMSIG(status)));
    else
        printf("%s=%s\n", key, error == 0 ? "ok" : strerrorname_np(error) != NULL ? strerrorname_np(error) : "?");
}

/* Each in a process of its own, whose exit status is the errno: one may change what the next would find, or be killed for it. */
int try_everything(char **arguments)
{
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
        char key[64];
        int status;
        if (arguments[0] != NULL && strcmp(arguments[0], attempts[i].name) != 0)
            continue;
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0)
            _exit(attempts[i].run() >= 0 ? 0 : errno);
        waitpid(pid, &status, 0);
        snprintf(key, sizeof key, "try.%s", attempts[i].name);
        print_end(key, status, WIFEXITED(status) ? WEXITSTATUS(status) : 0);
    }
    return 0;
}

static unsigned long visited;

static int visit(const char *path, const struct stat *status, int type, struct FTW *at)
{
    (void)at;
    if (type != FTW_F || !S_ISREG(status->st_mode))
        return 0;
    visited++;
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0)
        printf("writable=%s\n", path);
    close(fd);
    return 0;
}

int find_writable(char **arguments)
{
    for (; *arguments != NULL; arguments++)
        if (nftw(*arguments, visit, 32, FTW_PHYS) < 0)
            printf("walk.%s=%s\n", *arguments, strerrorname_np(errno));
    printf("visited=%lu\n", visited);
    return 0;
}

/* Writes the errno of a call, 0 for success, to the pipe; a call that does not come back writes nothing. */
static int call_apart(long number, int *status)
{
    int ends[2], error = -1;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        pid_t self = getpid();
        int result = syscall(number, -1L, -1L, -1L, -1L, -1L, -1L) < 0 ? errno : 0;
        if (getpid() == self)
            (void)!write(ends[1], &result, sizeof result);
        _exit(0);
    }
    close(ends[1]);
    struct pollfd answer = {.fd = ends[0], .events = POLLIN};
    if (poll(&answer, 1, CALL_MILLISECONDS) == 1 && read(ends[0], &error, sizeof error) != (ssize_t)sizeof error)
        error = -1;
    kill(pid, SIGKILL);
    waitpid(pid, status, 0);
    close(ends[0]);
    return error;
}

int sweep_calls(char **arguments)
{
    (void)arguments;
    for (long number = 0; number <= LAST_CALL; number++) {
        int status = 0, error = call_apart(number, &status);
        bool is_killed = error < 0 && WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL;
        const char *name = error < 0 ? "none" : error == 0 ? "ok" : strerrorname_np(error);
        if (is_killed)
            printf("call.%ld=SIG%s\n", number, sigabbrev_np(WTERMSIG(status)));
        else
            printf("call.%ld=%s\n", number, name != NULL ? name : "?");
        fflush(stdout);
    }
    return 0;
}

/* Every way to the file of a program that runs: none may be opened for writing, and what belongs to somebody else not at all (T-R01). */
int overwrite_programs(char **arguments)
{
    (void)arguments;
    DIR *list = opendir("/proc");
    for (const struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
        char path[300];
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
            continue;
        snprintf(path, sizeof path, "/proc/%s/exe", entry->d_name);
        int direct = open(path, O_WRONLY | O_CLOEXEC);
        const char *error = strerrorname_np(errno);
        printf("exe.%s=%s", strcmp(entry->d_name, "1") == 0 ? "init" : "app", direct >= 0 ? "writable" : error);
        int handle = open(path, O_PATH | O_CLOEXEC);
        snprintf(path, sizeof path, "/proc/self/fd/%d", handle);
        int again = handle < 0 ? -1 : open(path, O_WRONLY | O_CLOEXEC);
        printf(",%s\n", again >= 0 ? "writable" : strerrorname_np(errno));
        close(direct);
        close(handle);
        close(again);
    }
    if (list != NULL)
        closedir(list);
    return 0;
}
