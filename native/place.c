#include "place.h"

#include "die.h"
#include "paths.h"
#include "tar_records.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { SPARE = 32 };

void place_begin(struct place *place)
{
    *place = (struct place){.root = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (place->root < 0)
        die("open", ".", errno);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < TAR_MAX_DEPTH + SPARE) {
        limit.rlim_cur = limit.rlim_max < TAR_MAX_DEPTH + SPARE ? limit.rlim_max : TAR_MAX_DEPTH + SPARE;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int deepest(const struct place *place)
{
    return place->depth > 0 ? place->open[place->depth - 1].fd : place->root;
}

/* Closes what is open and not on the way to the directory whose path is the first `length` bytes of `path`. */
static void keep_common(struct place *place, const char *path, size_t length)
{
    while (place->depth > 0) {
        size_t known = place->open[place->depth - 1].length;
        if (known <= length && memcmp(place->path, path, known) == 0 && (known == length || path[known] == '/'))
            return;
        close(place->open[--place->depth].fd);
    }
}

/* Directories that no entry described are as an archive without them means it: root's, open to read, of no particular time. */
static void make_between(struct place *place, int parent, const char *name, const char *path)
{
    struct attributes plain = {.mode = 0755};
    if (mkdirat(parent, name, 0700) < 0)
        die("mkdir", path, errno);
    place_end_with(place, path, &plain);
}

static int open_one(struct place *place, const char *name, bool make)
{
    int fd = open_same_mount(deepest(place), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (fd == -ENOENT && make) {
        make_between(place, deepest(place), name, place->path);
        fd = open_same_mount(deepest(place), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    }
    if (fd == -ENOTDIR || fd == -ELOOP)
        tar_refuse(place->path, "what lies above an entry is not a directory");
    if (fd < 0)
        die("open", place->path, -fd);
    return fd;
}

/* The directory whose path is the first `length` bytes of `path`. */
static int open_all(struct place *place, const char *path, size_t length, bool make)
{
    keep_common(place, path, length);
    size_t at = place->depth > 0 ? place->open[place->depth - 1].length : 0;
    while (at < length) {
        size_t start = at == 0 ? 0 : at + 1;
        size_t end = start + strcspn(path + start, "/");
        if (end > length)
            end = length;
        memcpy(place->path + at, path + at, end - at);
        place->path[end] = '\0';
        int fd = open_one(place, place->path + start, make);
        place->open[place->depth].fd = fd;
        place->open[place->depth++].length = end;
        at = end;
    }
    return deepest(place);
}

int place_above(struct place *place, const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');
    *name = slash == NULL ? path : slash + 1;
    return open_all(place, path, slash == NULL ? 0 : (size_t)(slash - path), true);
}

int place_at(struct place *place, const char *path)
{
    return open_all(place, path, strcmp(path, ".") == 0 ? 0 : strlen(path), false);
}

static void *copy(const void *bytes, size_t size)
{
    return memcpy(must_allocate(size + 1), bytes, size);
}

void place_end_with(struct place *place, const char *path, const struct attributes *attributes)
{
    if (place->count == place->room) {
        place->room = place->room * 2 + 64;
        place->endings = realloc(place->endings, place->room * sizeof *place->endings);
        if (place->endings == NULL)
            die("allocate", "", ENOMEM);
    }
    struct xattr *xattrs = must_allocate((attributes->xattr_count + 1) * sizeof *xattrs);
    for (size_t i = 0; i < attributes->xattr_count; i++) {
        const struct xattr *from = &attributes->xattrs[i];
        xattrs[i] = (struct xattr){copy(from->name, strlen(from->name)), copy(from->value, from->size), from->size};
    }
    struct ending *ending = &place->endings[place->count];
    *ending = (struct ending){.path = copy(path, strlen(path)), .order = place->count++, .attributes = *attributes};
    ending->attributes.xattrs = xattrs;
}

void place_forget(struct place *place, const char *path)
{
    size_t length = strlen(path);
    for (size_t i = 0; i < place->count; i++) {
        char *known = place->endings[i].path;
        if (strncmp(known, path, length) == 0 && (known[length] == '\0' || known[length] == '/'))
            known[0] = '\0';
    }
}

/* Descending, so that "a/b" comes before "a"; the root, ".", is put last by hand. */
static int compare(const void *left, const void *right)
{
    const struct ending *a = left, *b = right;
    bool a_root = strcmp(a->path, ".") == 0, b_root = strcmp(b->path, ".") == 0;
    int order = a_root || b_root ? (int)a_root - (int)b_root : strcmp(b->path, a->path);
    return order != 0 ? order : a->order < b->order ? -1 : 1;
}

void place_sort_endings(struct place *place)
{
    size_t kept = 0;
    if (place->count > 0)
        qsort(place->endings, place->count, sizeof *place->endings, compare);
    for (size_t i = 0; i < place->count; i++) {
        bool again = i + 1 < place->count && strcmp(place->endings[i].path, place->endings[i + 1].path) == 0;
        if (!again && place->endings[i].path[0] != '\0')
            place->endings[kept++] = place->endings[i];
    }
    place->count = kept;
}
