/* Streams. Knows nothing of pods: whose bytes they are is standard.c's business. */
#include "output.h"

#include "attached.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* A pipe holds 1 MiB at most unless the machine's administrator or a process with rights on the host said otherwise. */
enum { MOST_GATHERED = 16 << 20, MOST_TURNS = 256, MOST_READS = 16 };

void stream_open(struct stream *stream, int from, int to, struct log *log, enum stream_end at_end)
{
    struct stat status;
    *stream = (struct stream){.from = from, .to = to, .log = log, .at_end = at_end, .room = STREAM_BYTES};
    stream->bytes = stream->own;
    stream->is_to_socket = to >= 0 && fstat(to, &status) == 0 && S_ISSOCK(status.st_mode);
    stream->is_to_terminal = to >= 0 && isatty(to);
}

/* Whoever shares the caller's may fill it between a look and a write, and a terminal that is stopped (^S) takes part of a write only.
 * O_NONBLOCK on the caller's would be its, too. */
int stream_open_again(int fd, int flags)
{
    struct stat status;
    char path[32];
    if (fstat(fd, &status) < 0 || (!S_ISFIFO(status.st_mode) && !isatty(fd)))
        return fd;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int again = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return again >= 0 ? again : fd;
}

static bool may_read(const struct stream *stream)
{
    return stream->from >= 0 && (stream->attached == NULL || !attached_are_awaited(stream->attached, stream->app));
}

struct pollfd stream_wanted(const struct stream *stream)
{
    if (stream->used > 0)
        return (struct pollfd){.fd = stream->to, .events = POLLOUT};
    return (struct pollfd){.fd = may_read(stream) ? stream->from : -1, .events = POLLIN};
}

static void close_source(struct stream *stream)
{
    if (stream->from >= 0)
        close(stream->from);
    stream->from = -1;
}

/* Nobody receives any more. What an app writes is still read, and logged: it must not be killed by that (nor wait for ever). A reader
 * that went away wanted no more; a full disk is a loss that the caller is to hear of. */
static void lose_receiver(struct stream *stream, int error)
{
    bool is_gone = error == EPIPE || error == ECONNRESET || (error == EIO && stream->is_to_terminal);
    if (!is_gone && stream->at_end == END_LEAVE)
        stream->error = error;
    stream->used = 0;
    if (stream->at_end != END_LEAVE) {
        close(stream->to);
        close_source(stream);
    }
    stream->to = -1;
}

/* Called when the receiver can take something. A pipe that says so takes PIPE_BUF bytes, which is STREAM_BYTES, without waiting; a
 * socket might take less. O_NONBLOCK is not ours to set: the caller's descriptors are shared with others. */
static void send_held(struct stream *stream)
{
    const char *bytes = stream->bytes + stream->sent;
    size_t held = stream->used - stream->sent, length = held < STREAM_BYTES ? held : STREAM_BYTES;
    ssize_t sent = stream->is_to_socket ? send(stream->to, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL) : write(stream->to, bytes, length);
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
        lose_receiver(stream, errno);
    if (sent > 0)
        stream->sent += (size_t)sent;
    if (stream->sent == stream->used)
        stream->used = stream->sent = 0;
}

static void end_source(struct stream *stream)
{
    static const char eof = CONTROL_D;
    close_source(stream);
    if (stream->at_end == END_LEAVE || stream->to < 0)
        return;
    if (stream->at_end == END_SEND_EOF)
        (void)!write(stream->to, &eof, 1);
    close(stream->to);
    stream->to = -1;
}

static void keep_tail(struct tail *tail, const char *bytes, size_t length)
{
    size_t kept = length + tail->used > sizeof tail->bytes ? sizeof tail->bytes - length : tail->used;
    memmove(tail->bytes, tail->bytes + tail->used - kept, kept);
    memcpy(tail->bytes + kept, bytes, length);
    tail->used = kept + length;
}

/* What goes everywhere but to the receiver. */
static void tell(struct stream *stream, const char *bytes, size_t length)
{
    if (stream->log != NULL)
        log_write(stream->log, stream->is_error, bytes, length);
    if (stream->tail != NULL)
        keep_tail(stream->tail, bytes, length);
    if (stream->attached != NULL)
        attached_show(stream->attached, stream->app, stream->is_error, bytes, length);
}

/* False if there was nothing. */
static bool read_source(struct stream *stream)
{
    ssize_t length = read(stream->from, stream->bytes, STREAM_BYTES);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (length <= 0) {
        end_source(stream);
        return false;
    }
    tell(stream, stream->bytes, (size_t)length);
    stream->used = stream->to >= 0 ? (size_t)length : 0;
    stream->sent = 0;
    return true;
}

void stream_take(struct stream *stream)
{
    struct pollfd source = {.fd = stream->from, .events = POLLIN};
    for (int turns = 0; turns < MOST_TURNS && stream->from >= 0 && poll(&source, 1, 0) == 1; turns++)
        read_source(stream);
}

void stream_move(struct stream *stream)
{
    struct pollfd receiver;
    bool has_more = true;
    /* What only goes to the log is taken without a poll for each part of it, and not for so long that others would wait. */
    for (int reads = 0; reads < MOST_READS && has_more && stream->used == 0 && may_read(stream); reads++)
        has_more = read_source(stream);
    receiver = stream_wanted(stream);
    if (stream->used > 0 && poll(&receiver, 1, 0) == 1)
        send_held(stream);
}

/* Room for STREAM_BYTES more. */
static bool make_room(struct stream *stream)
{
    if (stream->room - stream->used >= STREAM_BYTES)
        return true;
    size_t room = stream->room * 2 + STREAM_BYTES;
    char *bytes = malloc(room);
    if (bytes == NULL)
        return false;
    memcpy(bytes, stream->bytes, stream->used);
    if (stream->bytes != stream->own)
        free(stream->bytes);
    stream->bytes = bytes;
    stream->room = room;
    return true;
}

void stream_feed(struct stream *stream, const char *bytes, size_t length)
{
    if (stream->sent > stream->used / 2) {
        stream->used -= stream->sent;
        memmove(stream->bytes, stream->bytes + stream->sent, stream->used);
        stream->sent = 0;
    }
    if (stream->to < 0 || !make_room(stream))
        return;
    memcpy(stream->bytes + stream->used, bytes, length);
    stream->used += length;
    stream_move(stream);
}

void stream_gather(struct stream *stream)
{
    size_t gathered = 0;
    while (stream->from >= 0) {
        bool has_room = gathered < MOST_GATHERED && make_room(stream);
        ssize_t length = has_room ? read(stream->from, stream->bytes + stream->used, STREAM_BYTES) : -1;
        if (length < 0 && has_room && errno == EINTR)
            continue;
        if (!has_room)
            stream->error = ENOBUFS;
        if (length <= 0) {
            close_source(stream);
            return;
        }
        tell(stream, stream->bytes + stream->used, (size_t)length);
        stream->used += stream->to >= 0 ? (size_t)length : 0;
        gathered += (size_t)length;
    }
}

void stream_abandon(struct stream *stream)
{
    stream->used = 0;
    close_source(stream);
}
