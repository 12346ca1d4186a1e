#include "xattrs.h"

#include <errno.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

bool xattr_is_carried(const char *name)
{
    static const char user[] = "user.", overlay[] = "user.overlay.";
    return strcmp(name, "security.capability") == 0 || strcmp(name, "system.posix_acl_access") == 0 ||
           strcmp(name, "system.posix_acl_default") == 0 ||
           (strncmp(name, user, sizeof user - 1) == 0 && strncmp(name, overlay, sizeof overlay - 1) != 0);
}

static int compare(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

int xattr_list(int fd, const char *name, const char *const **names, size_t *count)
{
    static char list[XATTR_LIST_MAX];
    static const char *found[XATTR_LIST_MAX / 2];
    ssize_t length = fd >= 0 ? flistxattr(fd, list, sizeof list) : llistxattr(name, list, sizeof list);
    *names = found;
    *count = 0;
    if (length < 0)
        return errno == EOPNOTSUPP ? 0 : -errno;
    for (const char *at = list; at < list + length; at += strlen(at) + 1)
        if (xattr_is_carried(at))
            found[(*count)++] = at;
    qsort(found, *count, sizeof *found, compare);
    return 0;
}

int xattr_read(int fd, const char *name, const char *xattr, const char **value)
{
    static char bytes[XATTR_SIZE_MAX];
    ssize_t length = fd >= 0 ? fgetxattr(fd, xattr, bytes, sizeof bytes) : lgetxattr(name, xattr, bytes, sizeof bytes);
    *value = bytes;
    return length < 0 ? -errno : (int)length;
}
