/* One function for each thing that is done with mounts. Knows flags of the plan, not its records. */
#include "mounts.h"

#include "die.h"
#include "plan.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>

int mount_clone(int directory, const char *path, bool is_recursive, const char *subject)
{
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | (is_recursive ? (unsigned)AT_RECURSIVE : 0U);
    int mount = open_tree(directory, path, flags);
    if (mount < 0)
        die("mount-source", subject, errno);
    return mount;
}

static unsigned attributes_of(unsigned flags)
{
    return ((flags & FLAG_RO) != 0 ? (unsigned)MOUNT_ATTR_RDONLY : 0U) | ((flags & FLAG_NOSUID) != 0 ? (unsigned)MOUNT_ATTR_NOSUID : 0U)
         | ((flags & FLAG_NODEV) != 0 ? (unsigned)MOUNT_ATTR_NODEV : 0U) | ((flags & FLAG_NOEXEC) != 0 ? (unsigned)MOUNT_ATTR_NOEXEC : 0U);
}

static void configure(int context, const char *data, const char *subject)
{
    char *copy = strdup(data);
    if (copy == NULL)
        die("allocate", "", ENOMEM);
    for (char *next = copy[0] != '\0' ? copy : NULL; next != NULL;) {
        char *value = strsep(&next, ",");
        const char *key = strsep(&value, "=");
        if (fsconfig(context, value != NULL ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value, 0) < 0)
            die("mount-options", subject, errno);
    }
    free(copy);
}

int mount_new(const char *type, const char *source, const char *data, unsigned flags, const char *subject)
{
    cleanup_fd int context = fsopen(type, FSOPEN_CLOEXEC);
    if (context < 0)
        die_because("mount", subject, errno, "the kernel does not have this file system");
    if (fsconfig(context, FSCONFIG_SET_STRING, "source", source, 0) < 0)
        die("mount-options", subject, errno);
    configure(context, data, subject);
    if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        die("mount", subject, errno);
    int mount = fsmount(context, FSMOUNT_CLOEXEC, attributes_of(flags));
    if (mount < 0)
        die("mount", subject, errno);
    return mount;
}

static void set_attributes(int mount, unsigned flags, struct mount_attr *attributes, const char *step, const char *subject)
{
    if (mount_setattr(mount, "", AT_EMPTY_PATH | ((flags & FLAG_REC) != 0 ? (unsigned)AT_RECURSIVE : 0U), attributes, sizeof *attributes) < 0)
        die(step, subject, errno);
}

void mount_restrict(int mount, unsigned flags, const char *subject)
{
    /* A copy of a mount that is shared is so, too, until it is made something else. */
    uint64_t propagation = (flags & FLAG_SHARED) != 0 ? 0 : (flags & FLAG_SLAVE) != 0 ? MS_SLAVE : MS_PRIVATE;
    struct mount_attr attributes = {.attr_set = attributes_of(flags), .propagation = propagation};
    if (attributes.attr_set != 0 || propagation != 0)
        set_attributes(mount, flags, &attributes, "mount-attributes", subject);
}

void mount_idmap(int mount, unsigned flags, int user_namespace, const char *subject)
{
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (unsigned)user_namespace};
    set_attributes(mount, flags, &attributes, "mount-idmap", subject);
}

void mount_attach(int mount, int target, const char *subject)
{
    if (move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
        die("mount", subject, errno);
}

bool is_filesystem(int fd, unsigned long magic)
{
    struct statfs status;
    return fstatfs(fd, &status) == 0 && (unsigned long)status.f_type == magic;
}

bool is_kernel_filesystem(int fd)
{
    return is_filesystem(fd, PROC_SUPER_MAGIC) || is_filesystem(fd, SYSFS_MAGIC);
}
