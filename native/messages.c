/* Datagrams with an optional descriptor. Knows nothing of what they are for; the kernel says who sent them. */
#include "messages.h"

#include "die.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* The part before the texts. */
enum { SHORT_MESSAGE = offsetof(struct message, errnum) };

void messages_open(int ends[2])
{
    int on = 1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 || setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0)
        die("channel", "", errno);
}

bool message_send(int channel, enum message_kind kind, uint32_t app, int32_t value, int fd)
{
    struct message message = {.kind = kind, .app = app, .value = value};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr header;
    } control = {.bytes = {0}};
    struct iovec part = {.iov_base = &message, .iov_len = SHORT_MESSAGE};
    struct msghdr datagram = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
        datagram.msg_control = &control;
        datagram.msg_controllen = sizeof control.bytes;
    }
    return sendmsg(channel, &datagram, MSG_NOSIGNAL) == SHORT_MESSAGE;
}

bool message_send_failure(int channel, const struct failure *failure)
{
    struct message message = {.kind = MESSAGE_FAILED, .value = failure->status, .errnum = failure->errnum};
    snprintf(message.step, sizeof message.step, "%s", failure->step);
    snprintf(message.subject, sizeof message.subject, "%s", failure->subject);
    snprintf(message.text, sizeof message.text, "%s", failure->message);
    /* write, because an app's seccomp filter may be in force already. */
    return write(channel, &message, sizeof message) == (ssize_t)sizeof message;
}

static void read_control(struct msghdr *datagram, pid_t *pid, int *fd)
{
    for (struct cmsghdr *header = CMSG_FIRSTHDR(datagram); header != NULL; header = CMSG_NXTHDR(datagram, header)) {
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS && fd != NULL)
            memcpy(fd, CMSG_DATA(header), sizeof *fd);
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_CREDENTIALS && pid != NULL) {
            struct ucred sender;
            memcpy(&sender, CMSG_DATA(header), sizeof sender);
            *pid = sender.pid;
        }
    }
}

int message_receive(int channel, struct message *message, pid_t *pid, int *fd, bool is_waiting)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
        struct cmsghdr header;
    } control;
    struct iovec part = {.iov_base = message, .iov_len = sizeof *message};
    struct msghdr datagram = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.bytes};
    ssize_t length;
    do
        length = recvmsg(channel, &datagram, MSG_CMSG_CLOEXEC | (is_waiting ? 0 : MSG_DONTWAIT));
    /* ECONNRESET: something of ours was left unread. It is told once, before what the other end had said last. */
    while (length < 0 && (errno == EINTR || errno == ECONNRESET));
    if (length < 0 && errno == EAGAIN)
        return -1;
    if (length != SHORT_MESSAGE && length != sizeof *message)
        return 0;
    if (fd != NULL)
        *fd = -1;
    read_control(&datagram, pid, fd);
    message->step[sizeof message->step - 1] = message->subject[sizeof message->subject - 1] = message->text[sizeof message->text - 1] = '\0';
    return 1;
}
