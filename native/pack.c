/* pack: the tree of the working directory as a record stream on standard output, in one order whatever the file system's.
 * What cannot be part of an archive, or is not one tree (sockets, other mounts, files that change), is an error that names the path. */
#include "die.h"
#include "paths.h"
#include "sandbox.h"
#include "stream.h"
#include "tar.h"
#include "verbs.h"
#include "walk.h"
#include "xattrs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

struct pack {
    struct stream stream;
    struct walk walk;
    char path[TAR_MAX_PATH + 1]; /* of the entry at hand */
    size_t length;               /* of the part of it that is the directory on top of the walk */
    uint64_t mount;
    void *links; /* files with several names: tree of struct first */
};

/* The first name of a file that has several. */
struct first {
    uint64_t ino;
    unsigned major, minor;
    char path[];
};

static int compare(const void *left, const void *right)
{
    const struct first *a = left, *b = right;
    if (a->ino != b->ino)
        return a->ino < b->ino ? -1 : 1;
    return a->major != b->major ? (a->major < b->major ? -1 : 1) : a->minor < b->minor ? -1 : a->minor > b->minor;
}

/* The path under which the file went into the stream before, or NULL: then this path is remembered. */
static const char *earlier_name(struct pack *pack, const struct statx *st)
{
    size_t size = strlen(pack->path) + 1;
    struct first *first = must_allocate(sizeof *first + size);
    *first = (struct first){.ino = st->stx_ino, .major = st->stx_dev_major, .minor = st->stx_dev_minor};
    memcpy(first->path, pack->path, size);
    struct first **known = tsearch(first, &pack->links, compare);
    if (known == NULL)
        die("allocate", "", ENOMEM);
    if (*known == first)
        return NULL;
    free(first);
    return (*known)->path;
}

/* Of `fd`, or when `name` is given of that entry below it, not followed. Another mount is refused here for all kinds of entries. */
static void stat_entry(struct pack *pack, int fd, const char *name, struct statx *st)
{
    int flags = name == NULL ? AT_EMPTY_PATH : AT_SYMLINK_NOFOLLOW;
    if (statx(fd, name == NULL ? "" : name, flags, STATX_BASIC_STATS | STATX_MNT_ID, st) < 0)
        die("stat", pack->path, errno);
    if (pack->mount == 0)
        pack->mount = st->stx_mnt_id;
    if (st->stx_mnt_id != pack->mount)
        die_because("pack", pack->path, EXDEV, "another file system is mounted here");
}

static void add_number(struct pack *pack, unsigned long long number)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", number);
    stream_field(&pack->stream, text);
}

static void add_mode(struct pack *pack, unsigned mode)
{
    char text[16];
    snprintf(text, sizeof text, "%o", mode & 07777);
    stream_field(&pack->stream, text);
}

/* As a decimal number: −2 s and 500 000 000 ns is -1.5. */
static void add_time(struct pack *pack, const struct statx_timestamp *time)
{
    char text[48];
    bool borrow = time->tv_sec < 0 && time->tv_nsec > 0;
    long long whole = time->tv_sec + (borrow ? 1 : 0);
    unsigned nanoseconds = borrow ? 1000000000 - time->tv_nsec : time->tv_nsec;
    unsigned long long magnitude = whole < 0 ? 0ULL - (unsigned long long)whole : (unsigned long long)whole;
    int used = snprintf(text, sizeof text, "%s%llu", time->tv_sec < 0 ? "-" : "", magnitude);
    if (nanoseconds != 0)
        snprintf(text + used, sizeof text - (size_t)used, ".%09u", nanoseconds);
    stream_field(&pack->stream, text);
}

static void add_xattrs(struct pack *pack, int fd, const char *name)
{
    const char *const *names;
    size_t count;
    int error = xattr_list(fd, name, &names, &count);
    if (error < 0)
        die("listxattr", pack->path, -error);
    for (size_t i = 0; i < count; i++) {
        const char *value;
        int size = xattr_read(fd, name, names[i], &value);
        if (size < 0)
            die("getxattr", pack->path, -size);
        stream_field(&pack->stream, names[i]);
        stream_bytes(&pack->stream, value, (size_t)size);
    }
}

/* The header. `fd` is the entry, or with `name` the directory it is in. */
static void add_header(struct pack *pack, enum tar_type type, const struct statx *st, const char *link, int fd, const char *name)
{
    bool device = type == TAR_CHARACTER || type == TAR_BLOCK;
    const char kind[2] = {(char)type, '\0'};
    stream_field(&pack->stream, pack->path);
    stream_field(&pack->stream, kind);
    add_mode(pack, st->stx_mode);
    add_number(pack, st->stx_uid);
    add_number(pack, st->stx_gid);
    add_time(pack, &st->stx_mtime);
    add_number(pack, type == TAR_FILE ? st->stx_size : 0);
    stream_field(&pack->stream, link);
    add_number(pack, device ? st->stx_rdev_major : 0);
    add_number(pack, device ? st->stx_rdev_minor : 0);
    /* There is no call that takes a descriptor and a name; nothing else here uses the working directory. */
    if (name != NULL && fchdir(fd) < 0)
        die("chdir", pack->path, errno);
    if (type != TAR_HARDLINK)
        add_xattrs(pack, name == NULL ? fd : -1, name);
    stream_header(&pack->stream);
}

static void pack_file(struct pack *pack, const char *name)
{
    cleanup_fd int fd = open_same_mount(walk_fd(&pack->walk), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    struct statx st;
    if (fd < 0)
        die("open", pack->path, -fd);
    stat_entry(pack, fd, NULL, &st);
    if (!S_ISREG(st.stx_mode))
        die_because("pack", pack->path, 0, "the file changed while it was read");
    const char *first = st.stx_nlink > 1 ? earlier_name(pack, &st) : NULL;
    add_header(pack, first == NULL ? TAR_FILE : TAR_HARDLINK, &st, first == NULL ? "" : first, fd, NULL);
    if (first == NULL)
        stream_file(&pack->stream, fd, st.stx_size, pack->path);
}

static void pack_symlink(struct pack *pack, const char *name, const struct statx *st)
{
    char target[TAR_MAX_PATH + 1];
    ssize_t length = readlinkat(walk_fd(&pack->walk), name, target, sizeof target);
    if (length < 0 || (size_t)length >= sizeof target)
        die("readlink", pack->path, length < 0 ? errno : ENAMETOOLONG);
    target[length] = '\0';
    add_header(pack, TAR_SYMLINK, st, target, walk_fd(&pack->walk), name);
}

/* Everything that is never opened. */
static void pack_special(struct pack *pack, const char *name, const struct statx *st)
{
    const char *first = st->stx_nlink > 1 ? earlier_name(pack, st) : NULL;
    if (S_ISSOCK(st->stx_mode))
        die_because("pack", pack->path, 0, "a socket cannot be part of an image");
    if (first != NULL)
        add_header(pack, TAR_HARDLINK, st, first, walk_fd(&pack->walk), name);
    else if (S_ISLNK(st->stx_mode))
        pack_symlink(pack, name, st);
    else
        add_header(pack, S_ISFIFO(st->stx_mode) ? TAR_FIFO : S_ISBLK(st->stx_mode) ? TAR_BLOCK : TAR_CHARACTER, st, "",
                   walk_fd(&pack->walk), name);
}

static void pack_directory(struct pack *pack, int parent, const char *name)
{
    struct statx st;
    int error = walk_enter(&pack->walk, parent, name);
    if (error == -EXDEV)
        die_because("pack", pack->path, EXDEV, "another file system is mounted here");
    if (error < 0)
        die("open", pack->path, -error);
    if (pack->walk.depth > TAR_MAX_DEPTH + 1)
        die_because("pack", pack->path, ENAMETOOLONG, "directories are nested too deeply");
    walk_sort(&pack->walk);
    stat_entry(pack, walk_fd(&pack->walk), NULL, &st);
    add_header(pack, TAR_DIRECTORY, &st, "", walk_fd(&pack->walk), NULL);
}

static unsigned char type_of(mode_t mode)
{
    return S_ISDIR(mode) ? DT_DIR : S_ISREG(mode) ? DT_REG : DT_UNKNOWN;
}

static void pack_child(struct pack *pack, const char *name, unsigned char type)
{
    struct statx st;
    int used = snprintf(pack->path + pack->length, sizeof pack->path - pack->length, "%s%s", pack->length > 0 ? "/" : "", name);
    if ((size_t)used >= sizeof pack->path - pack->length)
        die_because("pack", pack->path, ENAMETOOLONG, "the path is too long");
    if (type != DT_REG && type != DT_DIR) {
        stat_entry(pack, walk_fd(&pack->walk), name, &st);
        type = type_of(st.stx_mode);
    }
    if (type == DT_DIR) {
        pack_directory(pack, -1, name);
        pack->length = strlen(pack->path);
    } else if (type == DT_REG) {
        pack_file(pack, name);
    } else {
        pack_special(pack, name, &st);
    }
}

static void pack_tree(struct pack *pack)
{
    memcpy(pack->path, ".", sizeof ".");
    pack_directory(pack, AT_FDCWD, ".");
    while (pack->walk.depth > 0) {
        unsigned char type;
        const char *name = walk_next(&pack->walk, &type);
        if (name != NULL) {
            pack_child(pack, name, type);
            continue;
        }
        pack->path[pack->length] = '\0';
        int error = walk_leave(&pack->walk);
        if (error < 0)
            die("leave", pack->path, -error);
        char *slash = strrchr(pack->path, '/');
        pack->length = slash == NULL ? 0 : (size_t)(slash - pack->path);
    }
}

int verb_pack(int argc, char **argv)
{
    (void)argv;
    if (argc != 0) {
        fputs("usage: perigee-shim pack\n", stderr);
        return 2;
    }
    const struct sandbox sandbox = {.writes = false, .owners = true, .keep = 1ULL << CAP_DAC_READ_SEARCH};
    struct pack *pack = must_allocate(sizeof *pack);
    sandbox_enter(&sandbox);
    stream_begin(&pack->stream);
    pack_tree(pack);
    stream_end(&pack->stream);
    return 0;
}
