#include "tar.h"

#include "die.h"
#include "tar_records.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 512, BUFFER = 1 << 20 };

/* One ustar header block. */
struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type;
    char link[100], magic[8], owner[32], group[32], major[8], minor[8], prefix[155], rest[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a ustar header is one block");

void tar_open(struct tar_reader *reader, int fd)
{
    *reader = (struct tar_reader){.fd = fd, .buffer = must_allocate(BUFFER), .records = must_allocate(TAR_MAX_RECORDS + 1)};
    (void)fcntl(fd, F_SETPIPE_SZ, BUFFER);
}

/* Reads until `wanted` bytes (at most a block) are there; false when the input ends before. */
static bool fill(struct tar_reader *reader, size_t wanted)
{
    if (reader->end - reader->start >= wanted)
        return true;
    memmove(reader->buffer, reader->buffer + reader->start, reader->end - reader->start);
    reader->end -= reader->start;
    reader->start = 0;
    while (reader->end < wanted) {
        ssize_t got = read(reader->fd, reader->buffer + reader->end, BUFFER - reader->end);
        if (got < 0 && errno != EINTR)
            die("read", "standard input", errno);
        if (got == 0)
            return false;
        reader->end += got > 0 ? (size_t)got : 0;
    }
    return true;
}

static const char *take(struct tar_reader *reader, size_t size)
{
    if (!fill(reader, size))
        tar_refuse(reader->name, "the archive is cut off");
    reader->start += size;
    return reader->buffer + reader->start - size;
}

/* Every byte is equal to the one before it, and the first is 0: memcmp looks at many at a time. */
static bool is_zero(const char *bytes, size_t size)
{
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

size_t tar_body(struct tar_reader *reader, const char **bytes)
{
    if (reader->body == 0) {
        if (!is_zero(take(reader, (size_t)reader->padding), (size_t)reader->padding))
            tar_refuse(reader->name, "the padding is not zero");
        reader->padding = 0;
        return 0;
    }
    if (!fill(reader, 1))
        tar_refuse(reader->name, "the archive is cut off");
    size_t there = reader->end - reader->start;
    size_t size = reader->body < there ? (size_t)reader->body : there;
    *bytes = reader->buffer + reader->start;
    reader->start += size;
    reader->body -= size;
    return size;
}

static void begin_body(struct tar_reader *reader, uint64_t size)
{
    reader->body = size;
    reader->padding = (BLOCK - size % BLOCK) % BLOCK;
}

/* `width` − 1 octal digits and a NUL. */
static uint64_t octal(const char *field, size_t width, const char *subject, const char *what)
{
    uint64_t value = 0;
    for (size_t i = 0; i < width - 1; i++) {
        if (field[i] < '0' || field[i] > '7')
            tar_refuse(subject, what);
        value = value * 8 + (uint64_t)(field[i] - '0');
    }
    if (field[width - 1] != '\0')
        tar_refuse(subject, what);
    return value;
}

static void check_sum(const struct header *header, const char *subject)
{
    const unsigned char *bytes = (const unsigned char *)header;
    uint32_t sum = 0;
    for (size_t i = 0; i < BLOCK; i++)
        sum += bytes[i];
    for (size_t i = offsetof(struct header, checksum); i < offsetof(struct header, type); i++)
        sum += (uint32_t)' ' - bytes[i];
    if (header->checksum[7] != ' ' || octal(header->checksum, 7, subject, "the checksum is no number") != sum)
        tar_refuse(subject, "the checksum is wrong");
}

/* Everything of a header that is the same in all of them. */
static void check_form(const struct header *header, const char *subject)
{
    check_sum(header, subject);
    if (memcmp(header->magic, "ustar\00000", 8) != 0)
        tar_refuse(subject, "not a ustar header");
    if (!is_zero(header->owner, sizeof header->owner) || !is_zero(header->group, sizeof header->group) ||
        !is_zero(header->prefix, sizeof header->prefix) || !is_zero(header->rest, sizeof header->rest))
        tar_refuse(subject, "a field is set that canonical tar leaves empty");
}

/* A text field: the bytes before the first NUL; after it only NULs. */
static void text(const char field[static 100], char out[static 101], const char *subject)
{
    size_t length = strnlen(field, 100);
    if (!is_zero(field + length, 100 - length))
        tar_refuse(subject, "bytes after the end of a text");
    memcpy(out, field, length);
    out[length] = '\0';
}

static void read_numbers(const struct header *header, struct tar_entry *entry)
{
    const char *path = entry->path;
    entry->attributes.mode = (mode_t)octal(header->mode, sizeof header->mode, path, "the mode is no octal number");
    entry->attributes.uid = (uid_t)octal(header->uid, sizeof header->uid, path, "the owner is no octal number");
    entry->attributes.gid = (gid_t)octal(header->gid, sizeof header->gid, path, "the group is no octal number");
    entry->size = octal(header->size, sizeof header->size, path, "the size is no octal number");
    entry->attributes.mtime = (int64_t)octal(header->mtime, sizeof header->mtime, path, "the time is no octal number");
    entry->major = (unsigned)octal(header->major, sizeof header->major, path, "the device is no octal number");
    entry->minor = (unsigned)octal(header->minor, sizeof header->minor, path, "the device is no octal number");
}

/* The next header, or NULL at the two zero blocks that end the archive. The name is kept at once, for messages. */
static const struct header *read_header(struct tar_reader *reader)
{
    const struct header *header = (const struct header *)(const void *)take(reader, BLOCK);
    if (!is_zero((const char *)header, BLOCK)) {
        text(header->name, reader->name, "");
        check_form(header, reader->name);
        return header;
    }
    reader->name[0] = '\0';
    if (!is_zero(take(reader, BLOCK), BLOCK))
        tar_refuse("", "one zero block, but not two, at the end");
    if (fill(reader, 1))
        tar_refuse("", "there is something after the end of the archive");
    return NULL;
}

/* Takes the body of a PAX header whole. */
static size_t read_records(struct tar_reader *reader, const struct header *header)
{
    uint64_t size = octal(header->size, sizeof header->size, reader->name, "the size is no octal number");
    if (size == 0 || size > TAR_MAX_RECORDS)
        tar_refuse(reader->name, "a PAX header that is empty or too long");
    begin_body(reader, size);
    const char *bytes;
    size_t used = 0, got;
    while ((got = tar_body(reader, &bytes)) > 0) {
        memcpy(reader->records + used, bytes, got);
        used += got;
    }
    return used;
}

bool tar_next(struct tar_reader *reader, struct tar_entry *entry)
{
    const char *ignored;
    while (reader->body > 0 || reader->padding > 0)
        (void)tar_body(reader, &ignored);
    const struct header *header = read_header(reader);
    if (header == NULL)
        return false;
    size_t records = 0;
    if (header->type == 'x') {
        records = read_records(reader, header);
        header = read_header(reader);
        if (header == NULL)
            tar_refuse("", "a PAX header without an entry");
    }
    text(header->link, reader->link, reader->name);
    *entry = (struct tar_entry){.path = reader->name, .link = reader->link, .type = (enum tar_type)header->type};
    entry->attributes.xattrs = reader->xattrs;
    read_numbers(header, entry);
    if (records > 0)
        tar_apply_records(entry, reader->records, records);
    tar_check(entry);
    begin_body(reader, entry->size);
    return true;
}
