/* A path of the host is used once, here; what it led to is held by descriptor from then on. Knows nothing of what an image contains. */
#include "sources.h"

#include "cgroups.h"
#include "die.h"
#include "mounts.h"
#include "paths.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* A directory of the store or of the pod, which are ours. */
static int clone_own(const char *path)
{
    int mount = mount_clone(AT_FDCWD, path, false, path);
    if (!is_directory(mount))
        die("mount-source", path, ENOTDIR);
    mount_restrict(mount, 0, path);
    return mount;
}

static int open_child(int directory, const char *path)
{
    const char *slash = strrchr(path, '/');
    int fd = open_beneath(directory, slash != NULL ? slash + 1 : path, O_PATH | O_DIRECTORY);
    if (fd < 0)
        die("mount-source", path, -fd);
    return fd;
}

static void open_upper_and_work(struct app_plan *app)
{
    app->upper_fd = open_child(app->tree_fd, app->upper);
    app->work_fd = open_child(app->tree_fd, app->work);
}

void sources_open_tree(struct app_plan *app)
{
    char parent[PATH_MAX];
    const char *slash = strrchr(app->upper, '/');
    int length = slash == NULL ? 0 : (int)(slash - app->upper);
    if (snprintf(parent, sizeof parent, "%.*s", length, app->upper) >= (int)sizeof parent)
        die("mount-source", app->upper, ENAMETOOLONG);
    app->tree_fd = clone_own(slash == NULL ? "." : slash == app->upper ? "/" : parent);
    open_upper_and_work(app);
}

static void open_root(struct app_plan *app)
{
    if (app->root != NULL) {
        app->tree_fd = clone_own(app->root);
        return;
    }
    for (size_t i = 0; i < app->lower_count; i++)
        app->lowers[i].fd = clone_own(app->lowers[i].path);
    sources_open_tree(app);
}

/* No symlink on the way: stage0 resolved what the user wrote, and what it found is what is mounted (T-R10, T-R21). */
static void open_bind(struct mount_record *mount)
{
    cleanup_fd int root = open(mount->source[0] == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    cleanup_fd int source = open_beneath(root, mount->source, O_PATH);
    if (source < 0)
        die("mount-source", mount->source, -source);
    if (is_directory(source) == ((mount->flags & FLAG_FILE) != 0))
        die("mount-source", mount->source, is_directory(source) ? EISDIR : ENOTDIR);
    mount->fd = mount_clone(source, "", (mount->flags & FLAG_REC) != 0, mount->source);
    mount_restrict(mount->fd, mount->flags, mount->source);
}

static void open_device(struct device_record *device)
{
    cleanup_fd int root = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
    cleanup_fd int source = open_beneath(root, device->name, O_PATH);
    struct stat status;
    if (source < 0 || fstat(source, &status) < 0)
        die("device", device->name, source < 0 ? -source : errno);
    if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(device->major, device->minor))
        die_because("device", device->name, 0, "not the device that it should be");
    device->fd = mount_clone(source, "", false, device->name);
    mount_restrict(device->fd, FLAG_NOSUID | FLAG_NOEXEC, device->name);
}

void sources_open_cgroups(struct pod_plan *plan)
{
    cgroups_open(plan->cgroups, plan->cgroup_count);
    for (struct app_plan *app = plan->apps; app < plan->apps + plan->app_count; app++)
        cgroups_open(app->cgroups, app->cgroup_count);
}

void sources_open_mounts(struct pod_plan *plan)
{
    for (struct app_plan *app = plan->apps; app < plan->apps + plan->app_count; app++) {
        open_root(app);
        for (size_t i = 0; i < app->mount_count; i++)
            if (app->mounts[i].type == MOUNT_BIND)
                open_bind(&app->mounts[i]);
        for (size_t i = 0; i < app->device_count; i++)
            open_device(&app->devices[i]);
    }
}

void sources_idmap(const struct pod_plan *plan, int user_namespace)
{
    for (const struct app_plan *app = plan->apps; app < plan->apps + plan->app_count; app++) {
        bool is_mapped = (app->root_flags & FLAG_IDMAP) != 0;
        for (size_t i = 0; is_mapped && i < app->lower_count; i++)
            mount_idmap(app->lowers[i].fd, 0, user_namespace, app->lowers[i].path);
        if (is_mapped && app->root != NULL)
            mount_idmap(app->tree_fd, 0, user_namespace, app->root);
        for (size_t i = 0; i < app->mount_count; i++)
            if ((app->mounts[i].flags & FLAG_IDMAP) != 0)
                mount_idmap(app->mounts[i].fd, app->mounts[i].flags, user_namespace, app->mounts[i].source);
    }
}

static void drop(int fd)
{
    if (fd >= 0)
        close(fd);
}

void sources_close_tree(struct app_plan *app)
{
    drop(app->tree_fd);
    drop(app->upper_fd);
    drop(app->work_fd);
    app->tree_fd = app->upper_fd = app->work_fd = -1;
}

/* A place of its own for each: what is mounted on top of another mount would be copied with it. */
static void keep(int mount, const char *subject)
{
    static unsigned kept = 0;
    char place[24];
    snprintf(place, sizeof place, "kept%u", kept++);
    if ((is_directory(mount) ? mkdir(place, 0555) : mknod(place, S_IFREG | 0444, 0)) < 0)
        die("base", place, errno);
    cleanup_fd int target = open(place, O_PATH | O_CLOEXEC);
    if (target < 0)
        die("base", place, errno);
    mount_attach(mount, target, subject);
}

void sources_keep(struct app_plan *app, bool with_tree)
{
    if (with_tree) {
        keep(app->tree_fd, app->upper);
        app->kept_tree = app->tree_fd;
        app->tree_fd = -1;
        sources_close_tree(app);
    }
    for (size_t i = 0; i < app->lower_count; i++)
        keep(app->lowers[i].fd, app->lowers[i].path);
    for (size_t i = 0; i < app->mount_count; i++)
        if (app->mounts[i].fd >= 0)
            keep(app->mounts[i].fd, app->mounts[i].source);
    for (size_t i = 0; i < app->device_count; i++)
        keep(app->devices[i].fd, app->devices[i].name);
}

void sources_copy_kept(struct app_plan *app)
{
    if (app->kept_tree >= 0) {
        app->tree_fd = mount_clone(app->kept_tree, "", false, app->upper);
        open_upper_and_work(app);
    }
    for (size_t i = 0; i < app->lower_count; i++)
        app->lowers[i].fd = mount_clone(app->lowers[i].fd, "", false, app->lowers[i].path);
    for (size_t i = 0; i < app->mount_count; i++)
        if (app->mounts[i].fd >= 0)
            app->mounts[i].fd = mount_clone(app->mounts[i].fd, "", (app->mounts[i].flags & FLAG_REC) != 0, app->mounts[i].source);
    for (size_t i = 0; i < app->device_count; i++)
        app->devices[i].fd = mount_clone(app->devices[i].fd, "", false, app->devices[i].name);
}

void sources_close_mounts(const struct app_plan *app)
{
    for (size_t i = 0; i < app->lower_count; i++)
        drop(app->lowers[i].fd);
    for (size_t i = 0; i < app->mount_count; i++)
        drop(app->mounts[i].fd);
    for (size_t i = 0; i < app->device_count; i++)
        drop(app->devices[i].fd);
    drop(app->tree_fd);
    drop(app->upper_fd);
    drop(app->work_fd);
}

void sources_close_standing(const struct app_plan *app)
{
    for (size_t i = 0; i < app->cgroup_count; i++) {
        drop(app->cgroups[i].directory);
        drop(app->cgroups[i].file);
    }
    for (size_t i = 0; i < 3; i++)
        drop(app->standard[i]);
    drop(app->handler_input);
    drop(app->check_output);
}

void sources_close(const struct app_plan *app)
{
    sources_close_mounts(app);
    sources_close_standing(app);
}
