/* unpack: canonical tar from standard input becomes files below the working directory, exactly as described, and nowhere else.
 * Nothing is trusted to be in place: parents are opened without following, entries made exclusively, devices and fifos never opened.
 * Durability is the caller's order: unpack into a staging directory, `--sync` (one syncfs at the end), rename, sync the parent. A crash
 * or a failure before that leaves files below the staging directory only, with modes that keep everybody else out. */
#include "apply.h"
#include "die.h"
#include "paths.h"
#include "place.h"
#include "sandbox.h"
#include "tar.h"
#include "tar_records.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Devices that were left out, remembered because hard links to them are left out as well. */
enum { MAX_LEFT_OUT = 4096 };

struct unpack {
    bool owner, devices, whiteouts, sync;
    struct tar_reader reader;
    struct place place;
    struct applier applier;
    char *left_out[MAX_LEFT_OUT];
    size_t left_out_count;
    unsigned long long entries, bytes;
};

/* Takes away what has the name of the next entry. */
static void make_room(struct unpack *unpack, int parent, const char *name, const char *path)
{
    int error = unlinkat(parent, name, 0) == 0 ? 0 : -errno;
    if (error == -EISDIR) {
        error = remove_tree(parent, name);
        place_forget(&unpack->place, path);
    }
    if (error < 0)
        die("replace", path, -error);
}

/* Makes the entry, and once more if something has its name; what `maker` returned. */
static int make(struct unpack *unpack, int parent, const char *name, const struct tar_entry *entry,
                int (*maker)(int parent, const char *name, const struct tar_entry *entry))
{
    int made = maker(parent, name, entry);
    if (made < 0 && errno == EEXIST) {
        make_room(unpack, parent, name, entry->path);
        made = maker(parent, name, entry);
    }
    if (made < 0)
        die("make", entry->path, errno);
    return made;
}

static int make_file_at(int parent, const char *name, const struct tar_entry *entry)
{
    (void)entry;
    return openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static int make_symlink_at(int parent, const char *name, const struct tar_entry *entry)
{
    return symlinkat(entry->link, parent, name);
}

/* The mode is given at once: to set it later would mean to open a device or to trust a name (apply_to_name, for two bits). */
static int make_special_at(int parent, const char *name, const struct tar_entry *entry)
{
    mode_t kind = entry->type == TAR_FIFO ? S_IFIFO : entry->type == TAR_BLOCK ? S_IFBLK : S_IFCHR;
    mode_t before = umask(0);
    int made = mknodat(parent, name, kind | entry->attributes.mode, makedev(entry->major, entry->minor));
    int error = errno;
    umask(before);
    errno = error;
    return made;
}

static void write_all(int fd, const char *bytes, size_t size, uint64_t offset, const char *path)
{
    for (ssize_t written; size > 0; bytes += written, size -= (size_t)written, offset += (uint64_t)written) {
        written = pwrite(fd, bytes, size, (off_t)offset);
        if (written < 0 && errno != EINTR)
            die("write", path, errno);
        written = written < 0 ? 0 : written;
    }
}

/* The body is what the extents hold; what lies between them is never written, and so stays a hole. */
static void write_extents(struct unpack *unpack, int fd, const struct tar_entry *entry)
{
    const char *at = entry->map, *bytes;
    uint64_t offset, size;
    size_t held = 0;
    while (tar_extent(entry, &at, &offset, &size)) {
        for (size_t piece; size > 0; bytes += piece, held -= piece, offset += piece, size -= piece) {
            if (held == 0 && (held = tar_body(&unpack->reader, &bytes)) == 0)
                return; /* not of a map that was checked */
            piece = held < size ? held : (size_t)size;
            write_all(fd, bytes, piece, offset, entry->path);
        }
    }
    if (ftruncate(fd, (off_t)entry->whole) < 0)
        die("truncate", entry->path, errno);
}

static void unpack_file(struct unpack *unpack, int parent, const char *name, const struct tar_entry *entry)
{
    cleanup_fd int fd = make(unpack, parent, name, entry, make_file_at);
    const char *bytes;
    size_t size;
    uint64_t at = 0;
    unpack->bytes += entry->size;
    if (entry->map != NULL)
        write_extents(unpack, fd, entry);
    for (; (size = tar_body(&unpack->reader, &bytes)) > 0; at += size)
        write_all(fd, bytes, size, at, entry->path);
    apply_to(&unpack->applier, fd, entry->path, &entry->attributes);
}

static bool is_directory_at(int parent, const char *name)
{
    struct stat st;
    return fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int make_directory_at(int parent, const char *name, const struct tar_entry *entry)
{
    (void)entry;
    if (mkdirat(parent, name, 0700) == 0)
        return 0;
    int error = errno;
    bool there = error == EEXIST && is_directory_at(parent, name);
    errno = error;
    return there ? 1 : -1;
}

/* A directory that is there stays, and what is in it; its attributes become those of the entry. */
static void unpack_directory(struct unpack *unpack, int parent, const char *name, const struct tar_entry *entry)
{
    if (strcmp(entry->path, ".") != 0 && make(unpack, parent, name, entry, make_directory_at) == 1)
        unpack->applier.always_own = true; /* it may hand its group down */
    place_end_with(&unpack->place, entry->path, &entry->attributes);
}

static bool was_left_out(const struct unpack *unpack, const char *path)
{
    for (size_t i = 0; i < unpack->left_out_count; i++)
        if (strcmp(unpack->left_out[i], path) == 0)
            return true;
    return false;
}

static void leave_out(struct unpack *unpack, const struct tar_entry *entry, const char *reason)
{
    if (unpack->left_out_count == MAX_LEFT_OUT)
        tar_refuse(entry->path, "too many devices");
    char *path = strdup(entry->path);
    if (path == NULL)
        die("allocate", "", ENOMEM);
    unpack->left_out[unpack->left_out_count++] = path;
    apply_skip(&unpack->applier, entry->path, reason);
}

/* The target is looked up like every path: beneath, through no link, and itself not followed, so a link to a link is a second name of
 * that link. Its attributes are those of the file it names and are not touched. */
static void unpack_hardlink(struct unpack *unpack, int parent, const char *name, const struct tar_entry *entry)
{
    char above[TAR_MAX_PATH + 1];
    snprintf(above, sizeof above, "%s", entry->link);
    char *slash = strrchr(above, '/');
    const char *target = slash == NULL ? above : slash + 1;
    if (slash != NULL)
        *slash = '\0';
    cleanup_fd int from = open_same_mount(unpack->place.root, slash == NULL ? "." : above, O_PATH | O_DIRECTORY);
    if (from < 0)
        die("link", entry->path, -from);
    int linked = linkat(from, target, parent, name, 0);
    if (linked < 0 && errno == EEXIST) {
        make_room(unpack, parent, name, entry->path);
        linked = linkat(from, target, parent, name, 0);
    }
    if (linked == 0)
        return;
    if (errno == ENOENT && was_left_out(unpack, entry->link))
        leave_out(unpack, entry, "hard link to a device");
    else
        die("link", entry->path, errno);
}

/* In an image it would hide files of whatever overlay the tree becomes part of (D06); a layer of a build says so what is gone. */
static bool is_whiteout(const struct unpack *unpack, const struct tar_entry *entry)
{
    if (entry->type != TAR_CHARACTER || entry->major != 0 || entry->minor != 0)
        return false;
    if (!unpack->whiteouts)
        tar_refuse(entry->path, "character device 0:0 hides files of an overlay");
    return true;
}

static void unpack_special(struct unpack *unpack, int parent, const char *name, const struct tar_entry *entry)
{
    if (entry->type != TAR_FIFO && !is_whiteout(unpack, entry) && !unpack->devices) {
        leave_out(unpack, entry, entry->type == TAR_BLOCK ? "block device" : "character device");
        return;
    }
    (void)make(unpack, parent, name, entry, make_special_at);
    apply_to_name(&unpack->applier, parent, name, entry);
}

static void unpack_entry(struct unpack *unpack, const struct tar_entry *entry)
{
    const char *name;
    int parent = place_above(&unpack->place, entry->path, &name);
    switch (entry->type) {
    case TAR_FILE:
        unpack_file(unpack, parent, name, entry);
        break;
    case TAR_DIRECTORY:
        unpack_directory(unpack, parent, name, entry);
        break;
    case TAR_SYMLINK:
        (void)make(unpack, parent, name, entry, make_symlink_at);
        apply_to_name(&unpack->applier, parent, name, entry);
        break;
    case TAR_HARDLINK:
        unpack_hardlink(unpack, parent, name, entry);
        break;
    case TAR_CHARACTER:
    case TAR_BLOCK:
    case TAR_FIFO:
        unpack_special(unpack, parent, name, entry);
        break;
    }
}

static void finish(struct unpack *unpack)
{
    place_sort_endings(&unpack->place);
    for (size_t i = 0; i < unpack->place.count; i++) {
        const struct ending *ending = &unpack->place.endings[i];
        apply_to(&unpack->applier, place_at(&unpack->place, ending->path), ending->path, &ending->attributes);
    }
    if (unpack->sync && syncfs(unpack->place.root) < 0)
        die("sync", ".", errno);
    printf("{\"entries\":%llu,\"bytes\":%llu,\"skipped\":[%s]}\n", unpack->entries, unpack->bytes, apply_skipped(&unpack->applier));
}

static bool read_arguments(struct unpack *unpack, int argc, char **argv)
{
    *unpack = (struct unpack){.owner = true};
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--no-owner") == 0)
            unpack->owner = false;
        else if (strcmp(argv[i], "--devices") == 0)
            unpack->devices = true;
        else if (strcmp(argv[i], "--whiteouts") == 0)
            unpack->whiteouts = true;
        else if (strcmp(argv[i], "--sync") == 0)
            unpack->sync = true;
        else
            return false;
    }
    return true;
}

static void confine(const struct unpack *unpack)
{
    const uint64_t needed = 1ULL << CAP_CHOWN | 1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_FOWNER | 1ULL << CAP_FSETID | 1ULL << CAP_SETFCAP;
    const struct sandbox sandbox = {
        .writes = true, .owners = unpack->owner, .keep = needed | (unpack->devices ? 1ULL << CAP_MKNOD : 0)};
    sandbox_enter(&sandbox);
}

int verb_unpack(int argc, char **argv)
{
    struct unpack *unpack = must_allocate(sizeof *unpack);
    struct tar_entry entry;
    if (!read_arguments(unpack, argc, argv)) {
        fputs("usage: perigee-shim unpack [--no-owner] [--devices] [--whiteouts] [--sync] < TAR\n", stderr);
        return 2;
    }
    confine(unpack);
    umask(077);
    place_begin(&unpack->place);
    apply_begin(&unpack->applier, unpack->place.root, unpack->owner);
    tar_open(&unpack->reader, STDIN_FILENO);
    while (tar_next(&unpack->reader, &entry)) {
        unpack_entry(unpack, &entry);
        unpack->entries++;
    }
    finish(unpack);
    return 0;
}
