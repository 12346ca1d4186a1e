/* One who is attached to an app, in the words of the protocol and in wrong ones. Runs on the host. */
#include "guest.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MOST = 1 << 20 };

static char datagram[MOST];

/* %XX is a byte. */
static size_t decode(const char *text)
{
    size_t length = 0;
    for (; *text != '\0'; text++) {
        char digits[3] = {text[0] == '%' ? text[1] : '\0', text[0] == '%' ? text[2] : '\0', '\0'};
        datagram[length++] = digits[0] != '\0' ? (char)strtol(digits, NULL, 16) : *text;
        text += digits[0] != '\0' ? 2 : 0;
    }
    return length;
}

static int open_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    printf("client.error=%s\n", strerrorname_np(errno));
    return -1;
}

static void send_one(int fd, size_t length)
{
    ssize_t sent = send(fd, datagram, length, MSG_NOSIGNAL);
    if (sent != (ssize_t)length)
        printf("send=%s\n", strerrorname_np(errno));
}

/* A descriptor comes along. */
static void send_with_descriptor(int fd, size_t length)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr header;
    } control = {.bytes = {0}};
    struct iovec part = {.iov_base = datagram, .iov_len = length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.bytes};
    control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    (void)!sendmsg(fd, &message, MSG_NOSIGNAL);
}

/* That it left something of ours unread is told once, before the last that it said. */
static ssize_t receive(int fd)
{
    ssize_t length = recv(fd, datagram, sizeof datagram, 0);
    return length < 0 && errno == ECONNRESET ? recv(fd, datagram, sizeof datagram, 0) : length;
}

static void take_one(int fd)
{
    ssize_t length = receive(fd);
    if (length <= 0) {
        printf("got=end\n");
        return;
    }
    printf("got=%c,", datagram[0]);
    for (ssize_t i = 1; i < length; i++)
        printf(isprint((unsigned char)datagram[i]) ? "%c" : "%%%02x", (unsigned char)datagram[i]);
    printf("\n");
}

static void take_all(int fd)
{
    uint64_t output = 0, error = 0, lost = 0, number;
    int32_t status = -1;
    ssize_t length;
    while ((length = receive(fd)) > 0) {
        memcpy(&number, datagram + 1, sizeof number);
        output += datagram[0] == 'o' ? (uint64_t)length - 1 : 0;
        error += datagram[0] == 'e' ? (uint64_t)length - 1 : 0;
        lost += datagram[0] == 'l' ? number : 0;
        if (datagram[0] == 'x')
            memcpy(&status, datagram + 1, sizeof status);
    }
    printf("output=%" PRIu64 "\nerror=%" PRIu64 "\nlost=%" PRIu64 "\nexited=%d\n", output, error, lost, status);
}

/* Until somebody says so. */
static void pause_here(void)
{
    char byte;
    printf("pausing\n");
    fflush(stdout);
    (void)!read(STDIN_FILENO, &byte, 1);
}

int be_client(char **arguments)
{
    int fd = open_socket(arguments[0]);
    while (fd >= 0 && *++arguments != NULL) {
        const char *word = *arguments;
        if (strcmp(word, "take") == 0)
            take_one(fd);
        else if (strcmp(word, "end") == 0)
            take_all(fd);
        else if (strcmp(word, "pause") == 0)
            pause_here();
        else if (strcmp(word, "deaf") == 0)
            shutdown(fd, SHUT_RD);
        else if (strncmp(word, "long:", 5) == 0)
            send_one(fd, (size_t)strtol(word + 5, NULL, 10));
        else if (strncmp(word, "with:", 5) == 0)
            send_with_descriptor(fd, decode(word + 5));
        else
            send_one(fd, decode(word));
        fflush(stdout);
    }
    return fd < 0;
}
