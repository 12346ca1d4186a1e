#include "walk.h"

#include "die.h"
#include "paths.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Levels that stay open. Those above are closed and found again through `..`, compared by device and inode. */
enum { OPEN_LEVELS = 64, READ_SIZE = 65536 };

static struct level *top(const struct walk *walk)
{
    return &walk->levels[walk->depth - 1];
}

static void *must_grow(void *memory, size_t size)
{
    void *grown = realloc(memory, size);
    if (grown == NULL)
        die("allocate", "", ENOMEM);
    return grown;
}

/* Appends what one getdents64 returned to the level's bytes: for each name its type, the name, a NUL. */
static size_t append_names(struct level *level, size_t used, const char *buffer, size_t length)
{
    level->bytes = must_grow(level->bytes, used + length);
    for (size_t at = 0; at < length;) {
        const struct dirent64 *entry = (const struct dirent64 *)(const void *)(buffer + at);
        at += entry->d_reclen;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        size_t size = strlen(entry->d_name) + 1;
        level->bytes[used] = (char)entry->d_type;
        memcpy(level->bytes + used + 1, entry->d_name, size);
        used += 1 + size;
        level->count++;
    }
    return used;
}

static int read_names(struct level *level)
{
    _Alignas(struct dirent64) char buffer[READ_SIZE];
    size_t used = 0;
    ssize_t length;
    while ((length = getdents64(level->fd, buffer, sizeof buffer)) > 0)
        used = append_names(level, used, buffer, (size_t)length);
    if (length < 0)
        return -errno;
    level->names = must_allocate((level->count + 1) * sizeof *level->names);
    char *at = level->bytes;
    for (size_t i = 0; i < level->count; i++) {
        level->names[i] = at;
        at += 1 + strlen(at + 1) + 1;
    }
    return 0;
}

static void free_level(struct level *level)
{
    close_fd(&level->fd);
    free(level->names);
    free(level->bytes);
}

int walk_enter(struct walk *walk, int parent, const char *name)
{
    struct level level = {.fd = open_same_mount(walk->depth > 0 ? walk_fd(walk) : parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)};
    if (level.fd < 0)
        return level.fd;
    struct stat st;
    int error = fstat(level.fd, &st) < 0 ? -errno : read_names(&level);
    if (error < 0) {
        free_level(&level);
        return error;
    }
    level.dev = st.st_dev;
    level.ino = st.st_ino;
    level.mode = st.st_mode;
    if (walk->depth == walk->room) {
        walk->room = walk->room * 2 + 16;
        walk->levels = must_grow(walk->levels, walk->room * sizeof *walk->levels);
    }
    walk->levels[walk->depth++] = level;
    if (walk->depth > OPEN_LEVELS) {
        struct level *far = &walk->levels[walk->depth - 1 - OPEN_LEVELS];
        close_fd(&far->fd);
        far->fd = -1;
    }
    return 0;
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(char *const *)left + 1, *(char *const *)right + 1);
}

void walk_sort(struct walk *walk)
{
    qsort(top(walk)->names, top(walk)->count, sizeof *top(walk)->names, compare_names);
}

const char *walk_next(struct walk *walk, unsigned char *type)
{
    struct level *level = top(walk);
    if (level->next == level->count)
        return NULL;
    const char *entry = level->names[level->next++];
    *type = (unsigned char)entry[0];
    return entry + 1;
}

const char *walk_current(const struct walk *walk)
{
    return top(walk)->names[top(walk)->next - 1] + 1;
}

int walk_fd(const struct walk *walk)
{
    return top(walk)->fd;
}

/* Somebody may have moved the directory below us elsewhere meanwhile: then its `..` is not where we came from, and we stop. */
static int reopen(struct level *level, int child)
{
    int fd = openat(child, "..", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0 || st.st_dev != level->dev || st.st_ino != level->ino) {
        close(fd);
        return -ESTALE;
    }
    level->fd = fd;
    return 0;
}

int walk_leave(struct walk *walk)
{
    struct level left = *top(walk);
    walk->depth--;
    int error = walk->depth > 0 && top(walk)->fd < 0 ? reopen(top(walk), left.fd) : 0;
    free_level(&left);
    return error;
}

void walk_end(struct walk *walk)
{
    for (size_t i = 0; i < walk->depth; i++)
        free_level(&walk->levels[i]);
    free(walk->levels);
}
