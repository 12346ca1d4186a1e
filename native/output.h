/* Copying between the caller, the apps and their logs, without ever waiting for one of them. */
#ifndef PERIGEE_OUTPUT_H
#define PERIGEE_OUTPUT_H

#include "log.h"

#include <poll.h>
#include <stdint.h>

struct attached;

/* What happens to the receiver at the end of the source. The caller's is left alone; an app's is closed, a terminal's after ^D. */
enum stream_end { END_LEAVE, END_CLOSE, END_SEND_EOF };

enum { STREAM_BYTES = LOG_BATCH_BYTES, CONTROL_D = 4 };

/* The last of what was written. */
struct tail {
    size_t used;
    char bytes[STREAM_BYTES];
};

/* One direction: at most STREAM_BYTES are held, and nothing is read while they wait (back-pressure), until it is gathered. */
struct stream {
    /* -1: ended, or none. */
    int from, to;
    struct log *log;
    struct tail *tail;
    /* Whoever looks on: of which app, and which of its two streams, which the log tells too. */
    struct attached *attached;
    uint32_t app;
    bool is_error;
    /* Without a source: those who are attached feed it. */
    bool is_input;
    enum stream_end at_end;
    bool is_to_socket, is_to_terminal;
    /* Why what was read did not get to a receiver who still wants it; 0: it did. */
    int error;
    size_t used, sent, room;
    /* `own`, or memory that holds all that was gathered. */
    char *bytes;
    char own[STREAM_BYTES];
};

void stream_open(struct stream *stream, int from, int to, struct log *log, enum stream_end at_end);

/* A pipe or terminal of the caller's under a descriptor of our own, which never waits; another one as it is. */
int stream_open_again(int fd, int flags);

/* Of a stream without a source: holds these bytes, STREAM_BYTES at most, for the receiver, and hands on what it takes. */
void stream_feed(struct stream *stream, const char *bytes, size_t length);

/* How many bytes wait for the receiver. */
static inline size_t stream_held(const struct stream *stream)
{
    return stream->used - stream->sent;
}

/* What to wait for; `fd` is -1 when there is nothing to do. */
struct pollfd stream_wanted(const struct stream *stream);

/* Moves what can be moved, once that came true. */
void stream_move(struct stream *stream);

/* Takes at once what is there for a tail; a writer who does not stop is left at some point. */
void stream_take(struct stream *stream);

/* All writers are dead: what they left is read and logged at once, and held for as long as the receiver needs. Closes the source. */
void stream_gather(struct stream *stream);

/* Ends it without its last words. */
void stream_abandon(struct stream *stream);

#endif
