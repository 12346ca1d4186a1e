/* A client is only as good as what it says: a datagram that is none of attachment.h ends it. The memory for what it does not take is the
 * kernel's, and bounded: whoever is behind misses output, is told how much, and keeps nobody waiting. */
#include "attached.h"

#include "attachment.h"
#include "clock.h"
#include "die.h"
#include "standard.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* An app waits for a client WAITED of COUNTED milliseconds at most: long enough for one that only had no processor, too short to slow an app. */
enum { ROOM_BYTES = 256 * 1024, WAITED = 200, COUNTED = 10000, MOST_DATAGRAMS = 16, BACKLOG = 8 };

size_t attached_most(const struct pod_plan *plan)
{
    return plan->is_attachable ? 1 + MOST_ATTACHED : 0;
}

/* Whoever is in the pod does not reach it by its path, and by its mode nobody but the pod's owner and root does. */
static int listen_in_pod(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = ATTACHMENT_SOCKET};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)!unlink(ATTACHMENT_SOCKET);
    mode_t mask = umask(0177);
    bool is_open = fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 && listen(fd, BACKLOG) == 0;
    int error = errno;
    umask(mask);
    if (!is_open)
        die("attach", "", error);
    return fd;
}

void attached_open(struct attached *attached, const struct pod_plan *plan, struct standard *standard)
{
    *attached = (struct attached){.plan = plan, .standard = standard, .listener = -1};
    if (!plan->is_attachable)
        return;
    attached->statuses = must_allocate(plan->app_count * sizeof *attached->statuses);
    for (size_t i = 0; i < plan->app_count; i++)
        attached->statuses[i] = -1;
    for (size_t i = 0; i < MOST_ATTACHED; i++)
        attached->clients[i].fd = -1;
    attached->listener = listen_in_pod();
    standard_show_to(standard, attached);
}

static void drop(struct attached *attached, struct client *client)
{
    /* A process of ours that is about to close what it inherited may still have it. */
    shutdown(client->fd, SHUT_RDWR);
    close(client->fd);
    *client = (struct client){.fd = -1};
    attached->count--;
}

/* False if the kernel holds too much for it already. */
static bool send_to(const struct client *client, enum attachment_kind kind, const void *bytes, size_t length)
{
    char first = (char)kind;
    struct iovec parts[] = {{.iov_base = &first, .iov_len = 1}, {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length}};
    struct msghdr datagram = {.msg_iov = parts, .msg_iovlen = 2};
    return sendmsg(client->fd, &datagram, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)length + 1;
}

/* Half of what the kernel would hold is for output: the last words always find room. */
static void look_at_room(struct client *client)
{
    int held = 0;
    if (ioctl(client->fd, SIOCOUTQ, &held) < 0 || held <= client->room / 2)
        return;
    client->is_full = true;
    client->since = clock_milliseconds();
    if (client->since - client->counted_from < COUNTED)
        return;
    client->counted_from = client->since;
    client->waited = 0;
}

static void show(struct client *client, enum attachment_kind kind, const char *bytes, size_t length)
{
    /* What is missing is in one piece, as long as it may be. */
    if (client->lost > 0 || client->is_full || !send_to(client, kind, bytes, length))
        client->lost += length;
    else
        look_at_room(client);
}

void attached_show(struct attached *attached, uint32_t app, bool is_error, const char *bytes, size_t length)
{
    for (size_t i = 0; attached->count > 0 && i < MOST_ATTACHED; i++) {
        struct client *client = &attached->clients[i];
        if (client->fd >= 0 && client->is_attached && client->app == app)
            show(client, is_error ? ATTACHMENT_ERROR : ATTACHMENT_OUTPUT, bytes, length);
    }
}

/* What is left of the app's patience with a client. */
static int64_t patience(const struct client *client, int64_t now)
{
    return client->lost > 0 ? 0 : WAITED - client->waited - (now - client->since);
}

/* The least patience with those of an app that have no room, or of every app; -1: there is none that is waited for. */
static int64_t awaited(const struct attached *attached, uint32_t app, bool is_any)
{
    int64_t least = -1, now = -1;
    for (size_t i = 0; attached->count > 0 && i < MOST_ATTACHED; i++) {
        const struct client *client = &attached->clients[i];
        if (client->fd < 0 || !client->is_full || (!is_any && client->app != app))
            continue;
        now = now < 0 ? clock_milliseconds() : now;
        int64_t left = patience(client, now);
        if (left > 0 && (least < 0 || left < least))
            least = left;
    }
    return least;
}

bool attached_are_awaited(const struct attached *attached, uint32_t app)
{
    return awaited(attached, app, false) > 0;
}

int attached_timeout(const struct attached *attached, int timeout)
{
    int64_t left = awaited(attached, 0, true);
    return left > 0 && (timeout < 0 || left < timeout) ? (int)left : timeout;
}

/* It has taken much of what it had. */
/* False if nothing can be sent any more: one who has shut its end down for reading only would never seem closed. */
static bool go_on(struct client *client)
{
    if (client->is_full)
        client->waited += clock_milliseconds() - client->since;
    client->is_full = false;
    if (client->lost == 0)
        return true;
    if (!send_to(client, ATTACHMENT_LOST, &client->lost, sizeof client->lost))
        return errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM;
    client->lost = 0;
    return true;
}

static void end(struct attached *attached, struct client *client)
{
    int32_t status = attached->statuses[client->app];
    if (client->lost > 0)
        (void)send_to(client, ATTACHMENT_LOST, &client->lost, sizeof client->lost);
    (void)send_to(client, ATTACHMENT_EXITED, &status, sizeof status);
    drop(attached, client);
}

void attached_end(struct attached *attached, uint32_t app, int status)
{
    if (attached->listener < 0)
        return;
    attached->statuses[app] = status;
    if (attached->count > 0)
        standard_take_output(attached->standard, app);
    for (size_t i = 0; i < MOST_ATTACHED; i++)
        if (attached->clients[i].fd >= 0 && attached->clients[i].is_attached && attached->clients[i].app == app)
            end(attached, &attached->clients[i]);
}

static bool attach(struct attached *attached, struct client *client, const char *name, size_t length)
{
    static const char unknown[] = "unknown";
    const struct pod_plan *plan = attached->plan;
    uint32_t app = 0;
    while (app < plan->app_count && (strlen(plan->apps[app].name) != length || memcmp(plan->apps[app].name, name, length) != 0))
        app++;
    if (app == plan->app_count) {
        (void)send_to(client, ATTACHMENT_REFUSED, unknown, sizeof unknown - 1);
        return false;
    }
    bool takes_input = standard_input(attached->standard, app) != NULL;
    char flags = (char)((plan->apps[app].has_terminal ? ATTACHMENT_HAS_TERMINAL : 0) | (takes_input ? ATTACHMENT_TAKES_INPUT : 0));
    client->app = app;
    client->is_attached = true;
    (void)send_to(client, ATTACHMENT_TAKEN, &flags, 1);
    if (attached->statuses[app] >= 0)
        end(attached, client);
    return true;
}

static bool resize(struct attached *attached, struct client *client, const char *bytes)
{
    struct attachment_size size;
    memcpy(&size, bytes, sizeof size);
    if (attached->plan->apps[client->app].has_terminal)
        standard_set_size(attached->standard, &(struct winsize){.ws_row = size.rows, .ws_col = size.columns}, !client->has_size);
    client->has_size = true;
    return true;
}

/* False for a datagram that nobody who is to be listened to sends. The client may be gone afterwards. */
static bool obey(struct attached *attached, struct client *client, const char *datagram, size_t length)
{
    const char *bytes = datagram + 1;
    size_t size = length - 1;
    if (!client->is_attached)
        return datagram[0] == ATTACHMENT_APP && size > 0 && attach(attached, client, bytes, size);
    struct stream *input = standard_input(attached->standard, client->app);
    if (datagram[0] == ATTACHMENT_INPUT && size > 0) {
        if (input != NULL)
            stream_feed(input, bytes, size);
        return true;
    }
    if (datagram[0] == ATTACHMENT_INPUT_END && size == 0) {
        if (input != NULL)
            standard_end_input(input);
        return true;
    }
    return datagram[0] == ATTACHMENT_SIZE && size == sizeof(struct attachment_size) && resize(attached, client, bytes);
}

/* While the app does not take what it was sent, nobody's further input is read: it waits with whoever sends it. */
static bool is_heard(const struct attached *attached, const struct client *client)
{
    const struct stream *input = client->is_attached ? standard_input(attached->standard, client->app) : NULL;
    return input == NULL || input->used == 0;
}

static void hear(struct attached *attached, struct client *client)
{
    char datagram[1 + ATTACHMENT_BYTES];
    for (int heard = 0; heard < MOST_DATAGRAMS && client->fd >= 0 && is_heard(attached, client); heard++) {
        ssize_t length = recv(client->fd, datagram, sizeof datagram, MSG_DONTWAIT | MSG_TRUNC);
        if (length < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        /* Descriptors that come along the kernel has closed. */
        bool is_good = length > 0 && length <= (ssize_t)sizeof datagram && obey(attached, client, datagram, (size_t)length);
        if (!is_good && client->fd >= 0)
            drop(attached, client);
    }
}

static bool is_allowed(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == 0 || peer.uid == geteuid());
}

/* Room for one more: whoever is not attached yet, or is behind, goes for it. */
static struct client *find_place(struct attached *attached)
{
    struct client *place = NULL;
    for (struct client *client = attached->clients; client < attached->clients + MOST_ATTACHED; client++) {
        if (client->fd < 0)
            return client;
        if (place == NULL && (!client->is_attached || client->lost > 0))
            place = client;
    }
    if (place != NULL)
        drop(attached, place);
    return place;
}

static void take_connection(struct attached *attached)
{
    static const char busy[] = "busy";
    int fd = accept4(attached->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), room = ROOM_BYTES;
    socklen_t size = sizeof room;
    attached->is_deaf = fd < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED;
    if (fd < 0)
        return;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    if (!is_allowed(fd) || getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, &size) < 0) {
        close(fd);
        return;
    }
    struct client *place = find_place(attached);
    if (place == NULL) {
        (void)send_to(&(struct client){.fd = fd}, ATTACHMENT_REFUSED, busy, sizeof busy - 1);
        close(fd);
        return;
    }
    *place = (struct client){.fd = fd, .room = room, .counted_from = -COUNTED};
    attached->count++;
}

size_t attached_wanted(struct attached *attached, struct pollfd *wanted)
{
    attached->wanted = attached->listener < 0 ? 0 : attached->count == 0 ? 1 : 1 + MOST_ATTACHED;
    if (attached->wanted == 0)
        return 0;
    wanted[0] = (struct pollfd){.fd = attached->is_deaf ? -1 : attached->listener, .events = POLLIN};
    attached->is_deaf = false;
    for (size_t i = 0; i + 1 < attached->wanted; i++) {
        const struct client *client = &attached->clients[i];
        bool is_behind = client->is_full || client->lost > 0;
        wanted[i + 1] = (struct pollfd){.fd = client->fd, .events = (short)((client->fd >= 0 && is_heard(attached, client) ? POLLIN : 0) | (is_behind ? POLLOUT : 0))};
    }
    return attached->wanted;
}

void attached_move(struct attached *attached, const struct pollfd *polled)
{
    for (size_t i = 0; i + 1 < attached->wanted; i++) {
        struct client *client = &attached->clients[i];
        short events = polled[i + 1].revents;
        /* The end of its app may have been its own meanwhile. */
        if (events == 0 || client->fd != polled[i + 1].fd)
            continue;
        bool is_open = (events & POLLOUT) == 0 || go_on(client);
        if (!is_open)
            drop(attached, client);
        else if ((events & POLLIN) != 0)
            hear(attached, client);
        else if ((events & (POLLHUP | POLLERR)) != 0)
            drop(attached, client);
    }
    if (attached->wanted > 0 && polled[0].revents != 0)
        take_connection(attached);
}

void attached_close(struct attached *attached)
{
    if (attached->plan == NULL || attached->listener < 0)
        return;
    for (size_t i = 0; i < MOST_ATTACHED; i++)
        if (attached->clients[i].fd >= 0)
            drop(attached, &attached->clients[i]);
    close(attached->listener);
    attached->listener = -1;
    (void)!unlink(ATTACHMENT_SOCKET);
}
