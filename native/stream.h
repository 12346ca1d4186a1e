/* The record stream of `pack` (spec/shim.md) on its way to standard output. Knows nothing of files but their descriptors. */
#ifndef PERIGEE_STREAM_H
#define PERIGEE_STREAM_H

#include <stddef.h>
#include <stdint.h>

struct stream {
    char *buffer; /* what is not written yet */
    size_t used;
    char *header; /* of the record being made */
    size_t header_used, header_room;
};

void stream_begin(struct stream *stream);

/* Appends a NUL-terminated field, or bytes behind their length, to the header being made. */
void stream_field(struct stream *stream, const char *text);
void stream_bytes(struct stream *stream, const char *bytes, size_t size);

/* Puts the header, its length in front, into the stream and begins a new one. */
void stream_header(struct stream *stream);

/* The content of `fd`, which must have exactly `size` bytes; `path` is for the message when it does not. */
void stream_file(struct stream *stream, int fd, uint64_t size, const char *path);

/* The record of length 0, and everything out. */
void stream_end(struct stream *stream);

#endif
