#include "apply.h"

#include "die.h"
#include "xattrs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

/* The list is read by people: so much of it helps, and an archive made of nothing else must not fill memory. */
enum { MAX_LISTED = 1000 };

void apply_begin(struct applier *applier, int root, bool owner)
{
    struct stat st;
    if (fstat(root, &st) < 0)
        die("stat", ".", errno);
    *applier = (struct applier){.owner = owner, .uid = geteuid(), .gid = getegid()};
    /* With a set-group-ID root, or BSD groups, new files get the group of their directory. */
    applier->always_own = st.st_gid != applier->gid;
    applier->skipped = open_memstream(&applier->text, &applier->text_size);
    if (applier->skipped == NULL)
        die("allocate", "", ENOMEM);
}

/* Bytes outside of printable ASCII become \u00XX, so the reader gets every byte back. */
static void put_escaped(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
            fprintf(out, "\\u%04x", c);
        else
            putc(c, out);
    }
}

void apply_skip(struct applier *applier, const char *path, const char *reason)
{
    if (applier->skipped_count++ >= MAX_LISTED)
        return;
    fputs(applier->skipped_count == 1 ? "\"" : ",\"", applier->skipped);
    put_escaped(applier->skipped, path);
    fputs(": ", applier->skipped);
    put_escaped(applier->skipped, reason);
    putc('"', applier->skipped);
}

const char *apply_skipped(struct applier *applier)
{
    if (applier->skipped_count > MAX_LISTED)
        fprintf(applier->skipped, ",\"and %zu more\"", applier->skipped_count - MAX_LISTED);
    if (fclose(applier->skipped) != 0)
        die("allocate", "", errno);
    return applier->text;
}

/* Whether `error` of setxattr means that this file system, this kind of entry or this user cannot have it. */
static bool is_impossible(const struct applier *applier, int fd, int error)
{
    if (error == EOPNOTSUPP || (error == EPERM && fd < 0))
        return true;
    return !applier->owner && (error == EPERM || error == EINVAL);
}

/* Most file systems hold a few KiB of attributes for a file and say ENOSPC to more, as they do when they are full: which one it is decides
 * what helps. */
static _Noreturn void refuse_xattr(int fd, const char *path, const struct xattr *xattr, int error)
{
    struct statvfs status;
    char sentence[TAR_MAX_NAME + 128];
    bool full = error == ENOSPC && (fd >= 0 ? fstatvfs(fd, &status) : statvfs(".", &status)) == 0 && status.f_bfree == 0;
    if (full)
        die("write", path, error);
    if (error == ENOSPC || error == E2BIG || error == ERANGE)
        snprintf(sentence, sizeof sentence, "the file system has no room for the %zu bytes of the extended attribute %s", xattr->size, xattr->name);
    else
        snprintf(sentence, sizeof sentence, "the extended attribute %s is invalid", xattr->name);
    die_because("setxattr", path, error, sentence);
}

/* To `fd`, or when that is negative to `name` in the working directory. */
static void set_xattrs(struct applier *applier, int fd, const char *name, const char *path, const struct attributes *wanted)
{
    for (size_t i = 0; i < wanted->xattr_count; i++) {
        const struct xattr *xattr = &wanted->xattrs[i];
        int done = 0;
        if (xattr_is_carried(xattr->name))
            done = fd >= 0 ? fsetxattr(fd, xattr->name, xattr->value, xattr->size, 0)
                           : lsetxattr(name, xattr->name, xattr->value, xattr->size, 0);
        else
            errno = EOPNOTSUPP;
        if (xattr_is_carried(xattr->name) && done == 0)
            continue;
        if (!is_impossible(applier, fd, errno))
            refuse_xattr(fd, path, xattr, errno);
        apply_skip(applier, path, xattr->name);
    }
}

static bool must_own(const struct applier *applier, const struct attributes *wanted)
{
    return applier->owner && (applier->always_own || wanted->uid != applier->uid || wanted->gid != applier->gid);
}

static void times(const struct attributes *wanted, struct timespec out[2])
{
    out[0] = (struct timespec){.tv_nsec = UTIME_OMIT};
    out[1] = (struct timespec){.tv_sec = wanted->mtime, .tv_nsec = wanted->nanoseconds};
}

/* A new owner clears set-id bits and capabilities, a new mode rewrites an ACL: so owner, mode, attributes. */
void apply_to(struct applier *applier, int fd, const char *path, const struct attributes *wanted)
{
    struct timespec when[2];
    times(wanted, when);
    if (must_own(applier, wanted) && fchown(fd, wanted->uid, wanted->gid) < 0)
        die("chown", path, errno);
    if (fchmod(fd, wanted->mode) < 0)
        die("chmod", path, errno);
    set_xattrs(applier, fd, NULL, path, wanted);
    if (futimens(fd, when) < 0)
        die("utimens", path, errno);
}

void apply_to_name(struct applier *applier, int parent, const char *name, const struct tar_entry *entry)
{
    const struct attributes *wanted = &entry->attributes;
    struct timespec when[2];
    times(wanted, when);
    if (must_own(applier, wanted)) {
        if (fchownat(parent, name, wanted->uid, wanted->gid, AT_SYMLINK_NOFOLLOW) < 0)
            die("chown", entry->path, errno);
        /* The new owner cleared these bits. The name was made a moment ago and is no link, and the root is the tree's own. */
        if (entry->type != TAR_SYMLINK && (wanted->mode & 06000) != 0 && fchmodat(parent, name, wanted->mode, 0) < 0)
            die("chmod", entry->path, errno);
    }
    if (wanted->xattr_count > 0) {
        /* There is no call that takes a descriptor and a name; nothing else here uses the working directory. */
        if (fchdir(parent) < 0)
            die("chdir", entry->path, errno);
        set_xattrs(applier, -1, name, entry->path, wanted);
    }
    if (utimensat(parent, name, when, AT_SYMLINK_NOFOLLOW) < 0)
        die("utimens", entry->path, errno);
}
