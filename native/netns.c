/* netns: makes the user and network namespace of a pod that is yet to start, so that its networks are there before its first process.
 * bridge-remove: takes away a bridge that has no ports left. */
#include "die.h"
#include "messages.h"
#include "namespaces.h"
#include "verbs.h"

#include <errno.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { USAGE = 2 };

static int usage(const char *text)
{
    (void)!write(STDERR_FILENO, text, strlen(text));
    return USAGE;
}

/* In the new namespaces: lives until it is killed, so that they have a name below /proc. */
static _Noreturn void keep_namespaces(int channel)
{
    struct message message;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || prctl(PR_SET_NAME, "perigee-netns") < 0)
        _exit(1);
    namespaces_loopback_up();
    message_send(channel, MESSAGE_STARTING, 0, 0, -1);
    /* The other end is closed by the end of the process that has it. */
    while (message_receive(channel, &message, NULL, NULL, true) == 1)
        ;
    _exit(0);
}

/* Whoever started us has opened what it wants, or is gone. */
static void wait_for_end_of_input(void)
{
    char byte;
    ssize_t length;
    do
        length = read(STDIN_FILENO, &byte, 1);
    while (length > 0 || (length < 0 && errno == EINTR));
}

int verb_netns(int argc, char **argv)
{
    struct pod_plan plan = {0};
    struct id_range range = {0};
    int ends[2];
    if (argc != 0 && argc != 2)
        return usage("usage: perigee-shim netns [BASE COUNT]\n");
    if (argc == 2) {
        range = (struct id_range){.outside = (uint32_t)field_number("netns", argv[0], UINT32_MAX), .count = (uint32_t)field_number("netns", argv[1], UINT32_MAX)};
        plan = (struct pod_plan){.uids = &range, .gids = &range, .uid_count = 1, .gid_count = 1};
        if (range.outside == 0 || range.count == 0)
            die_because("netns", argv[0], 0, "the host's root is never mapped");
    }
    messages_open(ends);
    pid_t pid = clone_process(CLONE_NEWNET | (argc == 2 ? CLONE_NEWUSER : 0U), -1);
    if (pid == 0) {
        close(ends[0]);
        keep_namespaces(ends[1]);
    }
    if (pid < 0)
        die("netns", "clone", -pid);
    close(ends[1]);
    if (argc == 2)
        close(namespaces_map_ids(&plan, pid));
    struct pollfd answered = {.fd = ends[0], .events = POLLIN};
    struct message message;
    if (poll(&answered, 1, -1) != 1 || message_receive(ends[0], &message, NULL, NULL, false) != 1)
        die_because("netns", "", 0, "the process that keeps the namespaces has ended");
    printf("{\"pid\":%d}\n", pid);
    fflush(stdout);
    wait_for_end_of_input();
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return 0;
}

int verb_bridge_remove(int argc, char **argv)
{
    struct ifreq request = {0};
    if (argc != 1 || argv[0][0] == '\0' || strlen(argv[0]) >= IFNAMSIZ)
        return usage("usage: perigee-shim bridge-remove NAME\n");
    memcpy(request.ifr_name, argv[0], strlen(argv[0]));
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("bridge-remove", argv[0], errno);
    /* Flags 0: down, which the kernel wants first. Missing is what was wanted. */
    if (ioctl(fd, SIOCSIFFLAGS, &request) < 0 && errno != ENODEV)
        die("bridge-remove", argv[0], errno);
    if (ioctl(fd, SIOCBRDELBR, request.ifr_name) < 0 && errno != ENXIO)
        die("bridge-remove", argv[0], errno);
    puts("{\"removed\":1}");
    return 0;
}
