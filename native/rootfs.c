/* The image decides what is at every path of an app's root, so no path is ever used to reach a mount target: the kernel resolves below
 * a descriptor of the root and mounts go onto descriptors (T-R10 to T-R17).
 *
 * What is ours is built in the base: a tmpfs on top of the pod directory, and the working directory of init and of every process that
 * builds a tree, so that plain names lead to it. pivot_root leaves it and the host's tree behind together. */
#include "rootfs.h"

#include "die.h"
#include "mounts.h"
#include "paths.h"
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* Places of the base. Lower directories are at 0, 1 …, so that 400 of them fit the one page of mount options. */
#define BASE_PROC "proc"
#define BASE_SYS "sys"
#define BASE_ROOT "root"
#define BASE_TREE "tree"
#define BASE_VOLUME "volume"
#define BASE_EMPTY_DIRECTORY "empty"
#define BASE_EMPTY_FILE "masked"

enum { KERNEL_FLAGS = FLAG_NOSUID | FLAG_NODEV | FLAG_NOEXEC };

static bool is_same(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static void attach_at(int mount, const char *place, const char *subject)
{
    cleanup_fd int target = open(place, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (target < 0)
        die("base", place, errno);
    mount_attach(mount, target, subject);
}

/* Makes a directory of the base and attaches a mount to it, unless that is -1. */
static void make_place(const char *place, int mount)
{
    if (mkdir(place, 0555) < 0)
        die("base", place, errno);
    if (mount < 0)
        return;
    attach_at(mount, place, place);
    close(mount);
}

/* New instances of proc and sysfs are only given while the host's, without anything mounted over them, are still in sight. */
static void make_kernel_filesystems(struct pod_plan *plan)
{
    bool has_sysfs = false;
    make_place(BASE_PROC, mount_new("proc", "proc", "", KERNEL_FLAGS, BASE_PROC));
    for (struct app_plan *app = plan->apps; app < plan->apps + plan->app_count; app++)
        for (struct mount_record *mount = app->mounts; mount < app->mounts + app->mount_count; mount++) {
            has_sysfs |= mount->type == MOUNT_SYSFS;
            if (mount->type == MOUNT_PROC && mount->data[0] != '\0')
                mount->fd = mount_new("proc", mount->source, mount->data, mount->flags | KERNEL_FLAGS, mount->target);
        }
    if (has_sysfs)
        make_place(BASE_SYS, mount_new("sysfs", "sysfs", "", KERNEL_FLAGS, BASE_SYS));
}

/* Each mount of a file system that several apps see, or one app at several places, is a copy of the one that stays in the base. */
static void make_shared_memory(struct pod_plan *plan, const struct mount_record *first, size_t number)
{
    char place[24];
    snprintf(place, sizeof place, BASE_VOLUME "%zu", number);
    make_place(place, mount_new("tmpfs", first->source, first->data, FLAG_NOSUID | FLAG_NODEV, first->target));
    for (struct app_plan *app = plan->apps; app < plan->apps + plan->app_count; app++)
        for (struct mount_record *mount = app->mounts; mount < app->mounts + app->mount_count; mount++) {
            if ((mount->flags & FLAG_ONE) == 0 || !is_same(mount->source, first->source))
                continue;
            mount->fd = mount_clone(AT_FDCWD, place, false, mount->target);
            mount_restrict(mount->fd, mount->flags, mount->target);
        }
}

static void make_volumes(struct pod_plan *plan)
{
    size_t number = 0;
    for (struct app_plan *app = plan->apps; app < plan->apps + plan->app_count; app++)
        for (struct mount_record *mount = app->mounts; mount < app->mounts + app->mount_count; mount++)
            if ((mount->flags & FLAG_ONE) != 0 && mount->fd < 0)
                make_shared_memory(plan, mount, number++);
}

static void make_base(int pod_directory)
{
    cleanup_fd int base = mount_new("tmpfs", "pod", "mode=755,size=64k", KERNEL_FLAGS, "base");
    mount_attach(base, pod_directory, "base");
    if (fchdir(base) < 0)
        die("base", "", errno);
}

int rootfs_open_proc(void)
{
    int proc = open(BASE_PROC, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (proc < 0)
        die("base", BASE_PROC, errno);
    return proc;
}

static uint64_t mount_id_of(int directory, const char *path)
{
    struct statx status;
    if (statx(directory, path, AT_EMPTY_PATH, STATX_MNT_ID, &status) < 0)
        die("mount-id", path, errno);
    return status.stx_mnt_id;
}

/* The old root ends up on top of the new one, where it is taken away: no directory for it is needed in an image. */
static void pivot_to(int root, const char *subject)
{
    if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        die("pivot-root", subject, errno);
    /* `..` of the root leads to whatever lies on top of it: that must be the root, and nothing of the host. */
    if (mount_id_of(AT_FDCWD, "/..") != mount_id_of(root, ""))
        die_because("pivot-root", subject, 0, "the old root is still there");
}

static void leave_host(void)
{
    cleanup_fd int base = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (base < 0)
        die("base", ".", errno);
    pivot_to(base, "base");
}

int rootfs_prepare(struct pod_plan *plan, int pod_directory)
{
    size_t most_lowers = 0;
    for (size_t i = 0; i < plan->app_count; i++)
        most_lowers = plan->apps[i].lower_count > most_lowers ? plan->apps[i].lower_count : most_lowers;
    make_base(pod_directory);
    make_kernel_filesystems(plan);
    make_volumes(plan);
    make_place(BASE_ROOT, -1);
    make_place(BASE_TREE, -1);
    make_place(BASE_EMPTY_DIRECTORY, -1);
    if (mknod(BASE_EMPTY_FILE, S_IFREG | 0444, 0) < 0)
        die("base", BASE_EMPTY_FILE, errno);
    for (size_t i = 0; i < most_lowers; i++) {
        char place[24];
        snprintf(place, sizeof place, "%zu", i);
        make_place(place, -1);
    }
    int proc = rootfs_open_proc();
    /* Roots are made here as long as the pod lives; nothing of the host is needed for it any more. */
    if (plan_renews_roots(plan))
        leave_host();
    return proc;
}

int rootfs_open_namespace(const char *kind)
{
    char path[48];
    snprintf(path, sizeof path, BASE_PROC "/self/ns/%s", kind);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        die("namespace", kind, errno);
    return fd;
}

static void mount_overlay(const struct pod_plan *plan, const struct app_plan *app)
{
    char options[4096] = "lowerdir=";
    size_t used = strlen(options);
    for (size_t i = 0; i < app->lower_count; i++) {
        char place[24];
        snprintf(place, sizeof place, "%zu", i);
        attach_at(app->lowers[i].fd, place, app->lowers[i].path);
        used += (size_t)snprintf(options + used, sizeof options - used, "%s%s", i > 0 ? ":" : "", place);
    }
    attach_at(app->tree_fd, BASE_TREE, app->upper);
    /* In a user namespace only user.* attributes can be written, and redirects are then off; without one they are turned off, so that
     * no attribute of an image can point anywhere. */
    bool has_user = (plan->namespaces & CLONE_NEWUSER) != 0;
    used += (size_t)snprintf(options + used, sizeof options - used, ",upperdir=/proc/self/fd/%d,workdir=/proc/self/fd/%d%s%s", app->upper_fd, app->work_fd,
                             has_user ? ",userxattr" : ",redirect_dir=nofollow,metacopy=off", (app->root_flags & FLAG_VOLATILE) != 0 ? ",volatile" : "");
    if (used >= sizeof options)
        die("overlay", app->name, E2BIG);
    if (mount("overlay", BASE_ROOT, "overlay", MS_NODEV | (app->no_new_privileges ? MS_NOSUID : 0UL), options) < 0)
        die("overlay", app->name, errno);
}

static int mount_root(const struct pod_plan *plan, const struct app_plan *app)
{
    if (app->root == NULL) {
        mount_overlay(plan, app);
    } else {
        mount_restrict(app->tree_fd, FLAG_NODEV | (app->no_new_privileges ? FLAG_NOSUID : 0U), app->root);
        attach_at(app->tree_fd, BASE_ROOT, app->root);
    }
    int root = open(BASE_ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        die("root", app->name, errno);
    return root;
}

/* /proc, /sys and /dev are directories of the root itself: a link or a file that an image has there is replaced, never followed. */
static int open_real_directory(int root, const char *name)
{
    int fd = open_same_mount(root, name, O_PATH | O_DIRECTORY);
    if (fd >= 0)
        return fd;
    if ((fd == -ELOOP || fd == -ENOTDIR) && unlinkat(root, name, 0) < 0)
        die("mount-target", name, errno);
    if (mkdirat(root, name, 0755) < 0)
        die("mount-target", name, errno);
    fd = open_same_mount(root, name, O_PATH | O_DIRECTORY);
    if (fd < 0)
        die("mount-target", name, -fd);
    return fd;
}

/* Below /sys/fs/cgroup, where hierarchies of the pod's own are mounted. */
static bool is_for_cgroups(const struct mount_record *mount)
{
    static const char place[] = "/sys/fs/cgroup";
    size_t length = sizeof place - 1;
    return mount->type != MOUNT_BIND && strncmp(mount->target, place, length) == 0 && (mount->target[length] == '\0' || mount->target[length] == '/');
}

/* The mounts of the executor in one app's root, by their ids: nothing else may be mounted over a part of them. */
struct own_mounts {
    uint64_t *ids;
    size_t count;
};

/* By components: where volumes and files of the pod never are (T-R11). The path is the plan's, not the image's. */
static bool is_kernel_place(const char *path)
{
    static const char *const places[] = {"/proc", "/sys", "/dev"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        size_t length = strlen(places[i]);
        if (strncmp(path, places[i], length) == 0 && (path[length] == '\0' || path[length] == '/'))
            return true;
    }
    return false;
}

static void add_own(struct own_mounts *own, int mount)
{
    own->ids[own->count++] = mount_id_of(mount, "");
}

static bool is_own(const struct own_mounts *own, int target)
{
    uint64_t id = mount_id_of(target, "");
    for (size_t i = 0; i < own->count; i++)
        if (own->ids[i] == id)
            return true;
    return false;
}

static int open_target(int root, const struct mount_record *mount, const struct own_mounts *own)
{
    const char *path = mount->target;
    if (is_same(path, "/proc") || is_same(path, "/sys"))
        return open_real_directory(root, path + 1);
    int fd = (mount->flags & FLAG_FILE) != 0 ? make_file(root, path, 0644) : make_directories(root, path, 0755);
    if (fd < 0)
        die("mount-target", path, -fd);
    /* What is mounted over a part of /proc would stand in for what programs, and we, read and write there (T-R11, T-R14). Links of the
     * image lead a volume anywhere in its root: also to /dev, or to the limits below /sys/fs/cgroup. */
    if ((is_kernel_filesystem(fd) && !is_for_cgroups(mount)) || (!is_kernel_place(path) && is_own(own, fd)))
        die_because("mount-target", path, 0, "nothing may be mounted over a part of /proc, /sys or /dev, and there it leads");
    return fd;
}

static int open_mount(const struct mount_record *mount)
{
    static const char *const types[] = {[MOUNT_TMPFS] = "tmpfs", [MOUNT_DEVPTS] = "devpts", [MOUNT_MQUEUE] = "mqueue", [MOUNT_CGROUP] = "cgroup", [MOUNT_CGROUP2] = "cgroup2"};
    if (mount->fd >= 0)
        return mount->fd;
    if (mount->type == MOUNT_PROC || mount->type == MOUNT_SYSFS) {
        int fd = mount_clone(AT_FDCWD, mount->type == MOUNT_PROC ? BASE_PROC : BASE_SYS, false, mount->target);
        mount_restrict(fd, mount->flags, mount->target);
        return fd;
    }
    return mount_new(types[mount->type], mount->source, mount->data, mount->flags, mount->target);
}

static void make_mount(int root, const struct mount_record *mount, struct own_mounts *own)
{
    cleanup_fd int target = open_target(root, mount, own);
    cleanup_fd int source = open_mount(mount);
    mount_attach(source, target, mount->target);
    if (is_kernel_place(mount->target))
        add_own(own, source);
}

/* Always a tmpfs of our own, before anything below /dev is touched (T-R15). */
static int make_dev(int root)
{
    cleanup_fd int target = open_real_directory(root, "dev");
    int dev = mount_new("tmpfs", "dev", "mode=755,size=1m", KERNEL_FLAGS, "/dev");
    mount_attach(dev, target, "/dev");
    return dev;
}

static void fill_dev(int dev, const struct app_plan *app)
{
    for (size_t i = 0; i < app->device_count; i++) {
        cleanup_fd int target = make_file(dev, app->devices[i].name, 0666);
        if (target < 0)
            die("device", app->devices[i].name, -target);
        mount_attach(app->devices[i].fd, target, app->devices[i].name);
    }
    for (size_t i = 0; i < app->symlink_count; i++) {
        const char *path = app->symlinks[i].path + strlen("/dev/"), *slash = strrchr(path, '/');
        char *parent = strndup(path, slash == NULL ? 0 : (size_t)(slash - path));
        cleanup_fd int directory = parent == NULL ? -ENOMEM : open_beneath(dev, parent, O_PATH | O_DIRECTORY);
        free(parent);
        if (directory < 0 || symlinkat(app->symlinks[i].target, directory, slash == NULL ? path : slash + 1) < 0)
            die("symlink", path, directory < 0 ? -directory : errno);
    }
}

/* An image's own link is followed, below its root, so that what it leads to is hidden. The cover is ours, never the image's /dev/null
 * (CVE-2025-31133). */
static void mask(int root, const char *path)
{
    cleanup_fd int target = open_in_root(root, path, O_PATH);
    if (target == -ENOENT || target == -ENOTDIR)
        return;
    if (target < 0)
        die("mask", path, -target);
    cleanup_fd int cover = mount_clone(AT_FDCWD, is_directory(target) ? BASE_EMPTY_DIRECTORY : BASE_EMPTY_FILE, false, path);
    mount_restrict(cover, FLAG_RO | KERNEL_FLAGS, path);
    mount_attach(cover, target, path);
}

static void make_readonly(int root, const char *path)
{
    cleanup_fd int target = open_in_root(root, path, O_PATH);
    if (target == -ENOENT || target == -ENOTDIR)
        return;
    if (target < 0)
        die("readonly", path, -target);
    cleanup_fd int same = mount_clone(target, "", true, path);
    mount_restrict(same, FLAG_RO | FLAG_REC, path);
    mount_attach(same, target, path);
}

int rootfs_enter(const struct pod_plan *plan, const struct app_plan *app, int *slave)
{
    cleanup_fd int root = mount_root(plan, app);
    cleanup_fd int dev = make_dev(root);
    struct own_mounts own = {.ids = must_allocate((app->mount_count + 1) * sizeof *own.ids)};
    add_own(&own, dev);
    for (size_t i = 0; i < app->mount_count; i++)
        make_mount(root, &app->mounts[i], &own);
    free(own.ids);
    fill_dev(dev, app);
    int master = app->has_terminal ? terminal_open(dev, app->uid, &plan->terminal_size, slave) : -1;
    for (size_t i = 0; i < app->mask_count; i++)
        mask(root, app->masks[i]);
    for (size_t i = 0; i < app->readonly_count; i++)
        make_readonly(root, app->readonlys[i]);
    if (app->is_root_readonly)
        mount_restrict(root, FLAG_RO, "/");
    pivot_to(root, app->name);
    return master;
}
