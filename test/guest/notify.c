/* What an app says by sd_notify, well and badly. */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { DESCRIPTORS = 250 };

static int connect_notify(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path == NULL) {
        printf("notify=unset\n");
        return -1;
    }
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    printf("notify=%s\n", strerrorname_np(errno));
    close(fd);
    return -1;
}

/* Each TEXT is a datagram. */
int notify_say(char **arguments)
{
    int fd = connect_notify();
    for (; fd >= 0 && *arguments != NULL; arguments++)
        printf("notify=%s\n", send(fd, *arguments, strlen(*arguments), 0) < 0 ? strerrorname_np(errno) : "ok");
    close(fd);
    return 0;
}

/* By a process of its own, which has ended by the time it is heard. */
int notify_by_child(char **arguments)
{
    fflush(stdout);
    if (vfork() == 0) {
        notify_say(arguments);
        _exit(0);
    }
    return 0;
}

/* COUNT BYTES: so many datagrams of so many zero bytes. */
int notify_flood(char **arguments)
{
    long count = atol(arguments[0]), sent = 0;
    size_t bytes = strtoul(arguments[1], NULL, 10);
    char *text = calloc(bytes + 1, 1);
    int fd = connect_notify(), error = 0;
    for (long i = 0; i < count && fd >= 0 && text != NULL; i++) {
        if (send(fd, text, bytes, 0) >= 0)
            sent++;
        else
            error = errno;
    }
    printf("flood=%ld,%s\n", sent, error == 0 ? "ok" : strerrorname_np(error));
    free(text);
    close(fd);
    return 0;
}

/* COUNT: so many datagrams with 250 descriptors each, and READY=1. */
int notify_descriptors(char **arguments)
{
    union {
        char bytes[CMSG_SPACE(DESCRIPTORS * sizeof(int))];
        struct cmsghdr header;
    } control = {.bytes = {0}};
    char text[] = "READY=1";
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC), fd = connect_notify();
    long sent = 0;
    struct iovec part = {.iov_base = text, .iov_len = strlen(text)};
    struct msghdr datagram = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.bytes};
    control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(DESCRIPTORS * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    for (size_t i = 0; i < DESCRIPTORS; i++)
        memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &null, sizeof(int));
    for (long i = atol(arguments[0]); i > 0 && fd >= 0; i--)
        sent += sendmsg(fd, &datagram, 0) >= 0;
    printf("descriptors=%ld\n", sent);
    close(fd);
    close(null);
    return 0;
}

int greet_from_socket(char **arguments)
{
    static const char hello[] = "hello";
    const char *pid = getenv("LISTEN_PID");
    printf("listen.own=%d\n", pid != NULL && atoi(pid) == getpid());
    struct pollfd listening = {.fd = atoi(arguments[0]), .events = POLLIN};
    poll(&listening, 1, 60000);
    int connection = accept(listening.fd, NULL, NULL);
    printf("greet=%s\n", connection >= 0 && write(connection, hello, strlen(hello)) > 0 ? "ok" : strerrorname_np(errno));
    close(connection);
    return 0;
}
