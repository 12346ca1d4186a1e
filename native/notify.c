/* Whoever is in the app's root may send anything here, as much and as fast as it likes: a datagram that is not text of a few lines counts
 * for nothing, descriptors that come along are dropped by the kernel, and after a few datagrams the sender waits, so that a flood costs
 * the host next to nothing. */
#include "notify.h"

#include "die.h"
#include "namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>

/* As service managers have it, a datagram is a page at most; and a text of STATUS is a line to be shown. */
enum { DATAGRAM_BYTES = 4096, TEXT_BYTES = 512, MOST_IN_TIME = 32, MOST_AT_END = 1024, REST_MILLISECONDS = 100, DEEPEST_NAMESPACE = 32 };

struct notify_app {
    int socket;
    /* Datagrams since the timer ran out: after so many it is not listened to before that is so again. */
    unsigned heard;
    bool is_ready;
    /* Its run is over and the next has not begun: what comes now is of what the run left behind, and counts for nothing. */
    bool is_between;
    /* `text` is not written yet. */
    bool has_news;
    char text[TEXT_BYTES];
};

int notify_make_socket(const struct app_plan *app)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int on = 1;
    strncpy(address.sun_path, app->notify, sizeof address.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* Who sent it is asked for before anybody can send. */
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) < 0)
        die("notify", app->notify, errno);
    /* All users of the app, which may drop privileges before it is ready; nobody else sees this /dev. */
    if (chmod(app->notify, 0666) < 0)
        die("notify", app->notify, errno);
    return fd;
}

static int open_pid_namespace(pid_t pid)
{
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/ns/pid", pid);
    return open(path, O_RDONLY | O_CLOEXEC);
}

void notify_open(struct notify *notify, const struct pod_plan *plan, struct state *state, pid_t init)
{
    bool is_needed = false;
    *notify = (struct notify){.plan = plan, .state = state, .timer = -1, .namespace = -1};
    for (size_t i = 0; i < plan->app_count; i++)
        is_needed |= plan->apps[i].notify != NULL;
    if (!is_needed)
        return;
    notify->apps = must_allocate(plan->app_count * sizeof *notify->apps);
    for (size_t i = 0; i < plan->app_count; i++)
        notify->apps[i].socket = -1;
    notify->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (notify->timer < 0)
        die("notify", "timer", errno);
    notify->namespace = open_pid_namespace(init);
    if (notify->namespace < 0)
        die("notify", "pid namespace", errno);
}

void notify_add(struct notify *notify, uint32_t app, int socket)
{
    if (socket < 0 || notify->apps == NULL)
        return;
    close_fd(&notify->apps[app].socket);
    notify->apps[app].socket = socket;
}

void notify_end_run(struct notify *notify, uint32_t app)
{
    if (notify->plan->apps[app].notify == NULL)
        return;
    notify->apps[app].is_between = true;
    notify->apps[app].is_ready = false;
    state_write_ready(notify->state, app, false);
}

void notify_end_last(struct notify *notify, uint32_t app)
{
    if (notify->plan->apps[app].notify != NULL)
        notify->apps[app].is_between = true;
}

bool notify_is_ready(const struct notify *notify, uint32_t app)
{
    return notify->plan->apps[app].notify == NULL || notify->apps[app].is_ready;
}

static bool is_same_file(int a, int b)
{
    struct stat one, other;
    return fstat(a, &one) == 0 && fstat(b, &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

/* In the pod's pid namespace, or in one below it. A process that has ended meanwhile counts: whoever could send was in the app's root, and
 * a shell script's helper ends at once. Processes of the pod an ordinary user may look at, whose namespace it is, too. */
static bool is_in_pod(const struct notify *notify, pid_t pid)
{
    int at = open_pid_namespace(pid);
    if (at < 0)
        return errno == ENOENT || errno == ESRCH;
    bool is_found = is_same_file(at, notify->namespace);
    for (int depth = 0; !is_found && depth < DEEPEST_NAMESPACE; depth++) {
        int above = ioctl(at, NS_GET_PARENT);
        close(at);
        at = above;
        if (at < 0)
            return false;
        is_found = is_same_file(at, notify->namespace);
    }
    close(at);
    return is_found;
}

/* The kernel says who sent it, in the ids of the host. */
static bool is_from_pod(const struct notify *notify, const struct ucred *sender)
{
    const struct pod_plan *plan = notify->plan;
    bool is_mapped = (plan->namespaces & CLONE_NEWUSER) == 0;
    for (size_t i = 0; i < plan->uid_count; i++)
        is_mapped |= sender->uid >= plan->uids[i].outside && sender->uid - plan->uids[i].outside < plan->uids[i].count;
    return sender->pid > 0 && is_mapped && is_in_pod(notify, sender->pid);
}

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static void arm(struct notify *notify)
{
    struct itimerspec rest = {.it_value = {.tv_nsec = REST_MILLISECONDS * 1000000L}};
    if (!notify->is_armed)
        notify->is_armed = timerfd_settime(notify->timer, 0, &rest, NULL) == 0;
}

/* Lines of NAME=VALUE; of all that there are two count. MAINPID does not: the app's process is the one that we started. */
static void hear_lines(struct notify *notify, uint32_t index, char *lines)
{
    struct notify_app *app = &notify->apps[index];
    for (const char *line; (line = strsep(&lines, "\n")) != NULL;) {
        if (strcmp(line, "READY=1") == 0 && !app->is_ready) {
            app->is_ready = true;
            state_write_ready(notify->state, index, true);
        }
        if (begins_with(line, "STATUS=")) {
            snprintf(app->text, sizeof app->text, "%s", line + strlen("STATUS="));
            app->has_news = true;
        }
    }
}

/* False when there is nothing to be heard. The room for what comes along is that of the credentials: descriptors find none, and are closed
 * by the kernel. */
static bool hear_one(struct notify *notify, uint32_t index)
{
    char bytes[DATAGRAM_BYTES + 1];
    union {
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
        struct cmsghdr header;
    } control = {.bytes = {0}};
    struct iovec part = {.iov_base = bytes, .iov_len = DATAGRAM_BYTES};
    struct msghdr datagram = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.bytes};
    ssize_t length = recvmsg(notify->apps[index].socket, &datagram, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (length < 0 && errno != EINTR && errno != EAGAIN) {
        /* No socket at all, or broken: it would be readable for ever. */
        close(notify->apps[index].socket);
        notify->apps[index].socket = -1;
        return false;
    }
    if (length < 0)
        return errno == EINTR;
    const struct cmsghdr *header = CMSG_FIRSTHDR(&datagram);
    struct ucred sender = {.pid = 0};
    if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_CREDENTIALS && header->cmsg_len == CMSG_LEN(sizeof sender))
        memcpy(&sender, CMSG_DATA(header), sizeof sender);
    bytes[length] = '\0';
    bool is_text = (datagram.msg_flags & MSG_TRUNC) == 0 && memchr(bytes, '\0', (size_t)length) == NULL;
    if (is_text && !notify->apps[index].is_between && is_from_pod(notify, &sender))
        hear_lines(notify, index, bytes);
    return true;
}

static void hear(struct notify *notify, uint32_t index)
{
    arm(notify);
    while (notify->apps[index].heard < MOST_IN_TIME && hear_one(notify, index))
        notify->apps[index].heard++;
}

static void write_news(struct notify *notify, uint32_t index)
{
    struct notify_app *app = &notify->apps[index];
    if (app->has_news)
        state_write_text(notify->state, index, app->text);
    app->has_news = false;
}

void notify_hear_last(struct notify *notify, uint32_t app)
{
    if (notify->apps == NULL || notify->apps[app].socket < 0)
        return;
    for (int count = 0; count < MOST_AT_END && hear_one(notify, app);)
        count++;
    write_news(notify, app);
}

/* Nothing of the run before is alive any more; but another app of the pod may still send, as fast as it is heard. */
void notify_begin_run(struct notify *notify, uint32_t app)
{
    if (notify->plan->apps[app].notify == NULL)
        return;
    for (int count = 0; count < MOST_AT_END && notify->apps[app].socket >= 0 && hear_one(notify, app);)
        count++;
    notify->apps[app].is_between = false;
}

size_t notify_most(const struct pod_plan *plan)
{
    return plan->app_count + 1;
}

size_t notify_wanted(const struct notify *notify, struct pollfd *wanted)
{
    size_t count = notify->apps == NULL ? 0 : notify->plan->app_count;
    for (size_t i = 0; i < count; i++)
        wanted[i] = (struct pollfd){.fd = notify->apps[i].heard >= MOST_IN_TIME ? -1 : notify->apps[i].socket, .events = POLLIN};
    if (count > 0)
        wanted[count] = (struct pollfd){.fd = notify->timer, .events = POLLIN};
    return count == 0 ? 0 : count + 1;
}

static void end_rest(struct notify *notify)
{
    uint64_t times;
    (void)!read(notify->timer, &times, sizeof times);
    notify->is_armed = false;
    for (uint32_t i = 0; i < notify->plan->app_count; i++) {
        notify->apps[i].heard = 0;
        write_news(notify, i);
    }
}

void notify_move(struct notify *notify, const struct pollfd *polled)
{
    uint32_t count = notify->apps == NULL ? 0 : (uint32_t)notify->plan->app_count;
    if (count > 0 && polled[count].revents != 0)
        end_rest(notify);
    for (uint32_t i = 0; i < count; i++)
        if (polled[i].revents != 0)
            hear(notify, i);
}

/* A manager that does not read holds up nobody for longer than a second. */
void notify_tell_caller(const struct pod_plan *plan)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval limit = {.tv_sec = 1};
    char text[64];
    if (plan->notify_caller == NULL)
        return;
    size_t length = strlen(plan->notify_caller);
    memcpy(address.sun_path, plan->notify_caller, length);
    /* An abstract name is written with @ for its first byte. */
    if (address.sun_path[0] == '@')
        address.sun_path[0] = '\0';
    cleanup_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0)
        return;
    int used = snprintf(text, sizeof text, "READY=1\nMAINPID=%d\n", getpid());
    (void)!sendto(fd, text, (size_t)used, MSG_NOSIGNAL, (const struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
}
