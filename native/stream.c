#include "stream.h"

#include "die.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>

enum { BUFFER = 256 * 1024, SMALL = 64 * 1024, PIPE = 1 << 20 };

static _Noreturn void changed(const char *path)
{
    die_because("pack", path, 0, "the file changed while it was read");
}

void stream_begin(struct stream *stream)
{
    *stream = (struct stream){.buffer = must_allocate(BUFFER)};
    (void)fcntl(STDOUT_FILENO, F_SETPIPE_SZ, PIPE);
}

static void flush(struct stream *stream)
{
    for (size_t done = 0; done < stream->used;) {
        ssize_t written = write(STDOUT_FILENO, stream->buffer + done, stream->used - done);
        if (written < 0 && errno != EINTR)
            die("write", "standard output", errno);
        done += written > 0 ? (size_t)written : 0;
    }
    stream->used = 0;
}

static void put(struct stream *stream, const char *bytes, size_t size)
{
    while (size > 0) {
        size_t part = size < BUFFER - stream->used ? size : BUFFER - stream->used;
        memcpy(stream->buffer + stream->used, bytes, part);
        stream->used += part;
        bytes += part;
        size -= part;
        if (stream->used == BUFFER)
            flush(stream);
    }
}

static void add(struct stream *stream, const void *bytes, size_t size)
{
    if (stream->header_room - stream->header_used < size) {
        stream->header_room = (stream->header_used + size) * 2;
        stream->header = realloc(stream->header, stream->header_room);
        if (stream->header == NULL)
            die("allocate", "", ENOMEM);
    }
    memcpy(stream->header + stream->header_used, bytes, size);
    stream->header_used += size;
}

void stream_field(struct stream *stream, const char *text)
{
    add(stream, text, strlen(text) + 1);
}

void stream_bytes(struct stream *stream, const char *bytes, size_t size)
{
    uint32_t length = htole32((uint32_t)size);
    add(stream, &length, sizeof length);
    add(stream, bytes, size);
}

void stream_header(struct stream *stream)
{
    uint32_t length = htole32((uint32_t)stream->header_used);
    put(stream, (const char *)&length, sizeof length);
    put(stream, stream->header, stream->header_used);
    stream->header_used = 0;
}

static ssize_t read_again(int fd, char *bytes, size_t size, const char *path)
{
    for (;;) {
        ssize_t got = read(fd, bytes, size);
        if (got >= 0)
            return got;
        if (errno != EINTR)
            die("read", path, errno);
    }
}

/* One more byte than there should be is asked for, so that a file that grew is noticed without another call. */
static void small_file(struct stream *stream, int fd, size_t size, const char *path)
{
    if (BUFFER - stream->used <= size)
        flush(stream);
    size_t got = 0, part;
    do {
        part = (size_t)read_again(fd, stream->buffer + stream->used + got, size + 1 - got, path);
        got += part;
    } while (part > 0 && got < size);
    if (got != size)
        changed(path);
    stream->used += size;
}

/* The kernel moves the pages itself where it can; where it cannot (output in append mode, odd file systems) we copy. */
static void large_file(struct stream *stream, int fd, uint64_t size, const char *path)
{
    bool send = true;
    flush(stream);
    while (size > 0) {
        ssize_t part = send ? sendfile(STDOUT_FILENO, fd, NULL, size < PIPE ? (size_t)size : PIPE) : 0;
        if (send && part < 0 && (errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)) {
            send = false;
            continue;
        }
        if (part < 0 && errno != EINTR)
            die("send", path, errno);
        if (!send) {
            part = read_again(fd, stream->buffer, size < BUFFER ? (size_t)size : BUFFER, path);
            stream->used = (size_t)part;
            flush(stream);
        }
        if (part == 0)
            changed(path);
        size -= part > 0 ? (uint64_t)part : 0;
    }
    char more;
    if (read_again(fd, &more, 1, path) != 0)
        changed(path);
}

void stream_file(struct stream *stream, int fd, uint64_t size, const char *path)
{
    if (size < SMALL)
        small_file(stream, fd, (size_t)size, path);
    else
        large_file(stream, fd, size, path);
}

void stream_end(struct stream *stream)
{
    stream->header_used = 0;
    stream_header(stream);
    flush(stream);
}
