/* The other ways into the kernel that a processor of x86-64 has: the calls of i386, and x32. A filter that forgets them is none (T-R58). */
#include "guest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __x86_64__
static long call_i386(long number, long first, long second, long third)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(first), "c"(second), "d"(third) : "memory", "r8", "r9", "r10", "r11");
    return (int)result;
}

static const struct {
    const char *name;
    long number, first, second, third;
} calls[] = {
    {"getpid", 20, 0, 0, 0}, {"mount", 21, 0, 0, 0}, {"ptrace", 26, 0, 0, 0}, {"umount2", 52, 0, 0, 0}, {"tiocsti", 54, 0, TIOCSTI, 0},
    {"socketcall", 102, 1, 0, 0}, {"init-module", 128, 0, 0, 0}, {"vm86", 166, 0, 0, 0}, {"pivot-root", 217, 0, 0, 0}, {"add-key", 286, 0, 0, 0},
    {"keyctl", 288, 0, 0, 0}, {"unshare", 310, 0x10000000, 0, 0}, {"perf", 336, 0, 0, 0}, {"open-handle", 342, 0, 0, 0}, {"setns", 346, -1, 0, 0},
    {"bpf", 357, 0, 0, 0}, {"vsock", 359, AF_VSOCK, SOCK_STREAM, 0}, {"alg", 359, AF_ALG, SOCK_SEQPACKET, 0}, {"packet", 359, AF_PACKET, SOCK_RAW, 0},
    {"userfaultfd", 374, 0, 0, 0}, {"io-uring", 425, 1, 0, 0}, {"fsopen", 430, 0, 0, 0}, {"clone3", 435, 0, 0, 0}, {"unknown", 600, 0, 0, 0},
};

static void print_end(const char *abi, const char *name, int status)
{
    if (WIFSIGNALED(status))
        printf("%s.%s=SIG%s\n", abi, name, sigabbrev_np(WTERMSIG(status)));
    else
        printf("%s.%s=%s\n", abi, name, WEXITSTATUS(status) == 0 ? "ok" : strerrorname_np(WEXITSTATUS(status)));
}
#endif

/* Each in a process of its own, which may be killed for it. */
int try_abis(char **arguments)
{
    (void)arguments;
#ifdef __x86_64__
    int status;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            long result = call_i386(calls[i].number, calls[i].first, calls[i].second, calls[i].third);
            _exit(result < 0 ? (int)-result : 0);
        }
        waitpid(pid, &status, 0);
        print_end("i386", calls[i].name, status);
    }
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(syscall(0x40000000L | SYS_getpid) >= 0 ? 0 : errno);
    waitpid(pid, &status, 0);
    print_end("x32", "getpid", status);
#endif
    return 0;
}
