/* Reading canonical tar (spec/shim.md): exactly what src/tar/write.ts writes. Anything else ends the program with one failure that
 * names the entry. Knows nothing of files: names are checked as text, who resolves them is another matter. */
#ifndef PERIGEE_TAR_H
#define PERIGEE_TAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The limits of security-and-reliability 2.2 that can be told from one entry. */
enum {
    TAR_MAX_PATH = 4095,
    TAR_MAX_NAME = 255,
    TAR_MAX_DEPTH = 1024,
    TAR_MAX_RECORDS = 1 << 20, /* bytes of one PAX header */
    TAR_MAX_XATTRS = 256,      /* of one entry */
};

enum tar_type {
    TAR_FILE = '0',
    TAR_HARDLINK = '1',
    TAR_SYMLINK = '2',
    TAR_CHARACTER = '3',
    TAR_BLOCK = '4',
    TAR_DIRECTORY = '5',
    TAR_FIFO = '6',
};

struct xattr {
    const char *name;
    const char *value;
    size_t size;
};

/* What an entry is like, apart from what it is. */
struct attributes {
    mode_t mode;
    uid_t uid;
    gid_t gid;
    int64_t mtime;
    long nanoseconds;
    struct xattr *xattrs;
    size_t xattr_count;
};

/* Strings and attributes point into the reader and are valid until the next entry. */
struct tar_entry {
    const char *path; /* "." alone is the root */
    const char *link; /* "" unless a link */
    enum tar_type type;
    struct attributes attributes;
    uint64_t size; /* of the body */
    const char *map; /* of a file with holes where its data lies, else NULL; tar_extent() */
    uint64_t whole;  /* its size with the holes */
    unsigned major, minor;
};

struct tar_reader {
    int fd;
    char *buffer; /* read but not yet taken: [start, end) */
    size_t start, end;
    uint64_t body, padding; /* of the current entry, still to come */
    char *records;          /* the PAX header of the current entry, cut into strings */
    struct xattr xattrs[TAR_MAX_XATTRS];
    char name[101], link[101];
};

/* Reads from `fd`, which is made to carry as much at once as it can. */
void tar_open(struct tar_reader *reader, int fd);

/* The next entry; false at the end marker, after which nothing may follow. What is left of the body before is skipped. */
bool tar_next(struct tar_reader *reader, struct tar_entry *entry);

/* The next extent of a map, which `*at` is moved along; false at its end. The map was checked when the entry was read. */
bool tar_extent(const struct tar_entry *entry, const char **at, uint64_t *offset, uint64_t *size);

/* The next bytes of the current entry's body, 0 at its end. */
size_t tar_body(struct tar_reader *reader, const char **bytes);

#endif
