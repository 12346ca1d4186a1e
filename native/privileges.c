/* Order: rlimits · session keyring · bounding set · groups, gid, uid · capability sets · ambient set · working directory · no_new_privs and
 * everything read back, then seccomp. An app that may gain privileges has its filter before the last capability sets and the reading back:
 * it takes CAP_SYS_ADMIN, which is kept aside until then. */
#include "privileges.h"

#include "die.h"
#include "paths.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { DEFAULT_NOFILE = 1024, MOST_GROUPS = 65536 };

/* What installing a filter without no_new_privs takes. */
static const uint64_t for_filter = UINT64_C(1) << CAP_SYS_ADMIN;

struct capability_sets {
    uint64_t effective, permitted, inheritable;
};

static void must(bool is_done, const char *step, const char *subject)
{
    if (!is_done)
        die(step, subject, errno);
}

/* What was read back is not what was asked for. */
static void confirm(bool is_so, const char *subject)
{
    if (!is_so)
        die_because("privileges", subject, 0, "the kernel did not do as asked");
}

static void set_limit(int resource, struct rlimit wanted)
{
    struct rlimit current;
    must(getrlimit((__rlimit_resource_t)resource, &current) == 0, "rlimit", "");
    if (setrlimit((__rlimit_resource_t)resource, &wanted) == 0)
        return;
    /* Without CAP_SYS_RESOURCE a hard limit can only go down. */
    if (wanted.rlim_max > current.rlim_max)
        wanted.rlim_max = current.rlim_max;
    if (wanted.rlim_cur > wanted.rlim_max)
        wanted.rlim_cur = wanted.rlim_max;
    must(setrlimit((__rlimit_resource_t)resource, &wanted) == 0, "rlimit", "");
}

static void set_limits(const struct app_plan *app)
{
    /* Node raises the soft limit of open files to the hard one; programs that use select() would break. */
    struct rlimit files;
    must(getrlimit(RLIMIT_NOFILE, &files) == 0, "rlimit", "nofile");
    if (files.rlim_cur > DEFAULT_NOFILE)
        files.rlim_cur = DEFAULT_NOFILE;
    set_limit(RLIMIT_NOFILE, files);
    for (size_t i = 0; i < app->rlimit_count; i++)
        set_limit(app->rlimits[i].resource, app->rlimits[i].limit);
}

void privileges_take_limits(pid_t init)
{
    for (int resource = 0; resource < RLIMIT_NLIMITS; resource++) {
        struct rlimit limit;
        must(prlimit(init, (__rlimit_resource_t)resource, NULL, &limit) == 0, "rlimit", "");
        set_limit(resource, limit);
    }
}

/* A new anonymous session keyring: keys of the caller's session, or of another app, cannot be found (T-R08). */
static void leave_keyring(void)
{
    must(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0 || errno == ENOSYS, "keyring", "");
}

static void drop_bounding(uint64_t keep)
{
    for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
        if ((keep >> capability & 1) == 0)
            must(prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0, "capability", "bounding set");
}

static struct capability_sets read_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    must(syscall(SYS_capget, &header, data) == 0, "capability", "");
    return (struct capability_sets){.effective = data[0].effective | (uint64_t)data[1].effective << 32,
                                    .permitted = data[0].permitted | (uint64_t)data[1].permitted << 32,
                                    .inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32};
}

/* The inheritable and ambient sets are emptied (T-R31). */
static void set_capabilities(uint64_t effective, uint64_t permitted)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{.effective = (uint32_t)effective, .permitted = (uint32_t)permitted},
                                             {.effective = (uint32_t)(effective >> 32), .permitted = (uint32_t)(permitted >> 32)}};
    must(syscall(SYS_capset, &header, data) == 0, "capability", "");
    must(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0, "capability", "ambient set");
}

/* A user other than root has none: without ambient capabilities execve would take them anyway (T-R60). */
static uint64_t capabilities_of(const struct app_plan *app)
{
    return app->uid == 0 ? app->capabilities : 0;
}

static void become_user(const struct app_plan *app)
{
    must(app->keeps_groups || setgroups(app->group_count, app->groups) == 0, "user", "supplementary groups");
    must(setresgid(app->gid, app->gid, app->gid) == 0, "user", "gid");
    must(setresuid(app->uid, app->uid, app->uid) == 0, "user", "uid");
    /* Changing ids makes a process dumpable again if fs.suid_dumpable says so. */
    must(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0, "user", "dumpable");
}

/* As the app's user. No magic link on the way, and the kernel must find it below the root afterwards: a descriptor that leaked, or
 * /proc/1/cwd, would be a way out (T-R02). */
static void enter_directory(const char *path)
{
    char where[PATH_MAX];
    cleanup_fd int directory = open_in_root(AT_FDCWD, path, O_PATH | O_DIRECTORY);
    if (directory < 0)
        die("cwd", path, -directory);
    must(fchdir(directory) == 0, "cwd", path);
    if (syscall(SYS_getcwd, where, sizeof where) < 0 || where[0] != '/')
        die_because("cwd", path, 0, "not below the root of the app");
}

static void confirm_user(const struct app_plan *app)
{
    uid_t uids[3];
    gid_t gids[3];
    must(getresuid(&uids[0], &uids[1], &uids[2]) == 0 && getresgid(&gids[0], &gids[1], &gids[2]) == 0, "privileges", "user");
    for (size_t i = 0; i < 3; i++)
        confirm(uids[i] == app->uid && gids[i] == app->gid, "user");
    if (app->keeps_groups)
        return;
    int count = getgroups(0, NULL);
    confirm(count >= 0 && (size_t)count == app->group_count && count <= MOST_GROUPS, "supplementary groups");
    gid_t *groups = must_allocate(((size_t)count + 1) * sizeof *groups);
    confirm(getgroups(count, groups) == count, "supplementary groups");
    for (int i = 0; i < count; i++) {
        bool is_wanted = false;
        for (size_t j = 0; j < app->group_count; j++)
            is_wanted |= groups[i] == app->groups[j];
        confirm(is_wanted, "supplementary groups");
    }
    free(groups);
}

static void confirm_capabilities(const struct app_plan *app)
{
    struct capability_sets sets = read_capabilities();
    uint64_t wanted = capabilities_of(app);
    confirm(sets.effective == wanted && sets.permitted == wanted && sets.inheritable == 0, "capabilities");
    for (int capability = 0;; capability++) {
        int is_bounding = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
        if (is_bounding < 0)
            break;
        confirm((unsigned)is_bounding == (app->capabilities >> capability & 1), "bounding set");
        confirm(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, capability, 0, 0) == 0, "ambient set");
    }
}

static void confirm_all(const struct app_plan *app)
{
    confirm_user(app);
    confirm_capabilities(app);
}

static void install_filter(const struct app_plan *app)
{
    if (app->seccomp == NULL)
        return;
    struct sock_fprog program = {.len = (unsigned short)(app->seccomp_bytes / sizeof *app->seccomp), .filter = app->seccomp};
    must(app->seccomp_bytes / sizeof *app->seccomp <= BPF_MAXINSNS, "seccomp", "too long");
    must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0, "seccomp", "");
}

/* With no_new_privs anybody may install a filter, and it is the last thing before execve. */
static void forbid_new_privileges(const struct app_plan *app)
{
    confirm_all(app);
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no-new-privileges", "");
    confirm(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1, "no_new_privs");
    install_filter(app);
}

static void filter_with_privilege(const struct app_plan *app)
{
    uint64_t wanted = capabilities_of(app);
    set_capabilities(wanted | for_filter, wanted | for_filter);
    install_filter(app);
    must(prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) == 0, "capability", "");
    set_capabilities(wanted, wanted);
    confirm_all(app);
}

void privileges_drop(const struct app_plan *app)
{
    set_limits(app);
    leave_keyring();
    umask(app->umask);
    drop_bounding(app->capabilities);
    bool keeps = !app->no_new_privileges && app->seccomp != NULL;
    if (keeps)
        must(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0, "capability", "");
    become_user(app);
    set_capabilities(capabilities_of(app), capabilities_of(app) | (keeps ? for_filter : 0));
    enter_directory(app->cwd);
    if (app->no_new_privileges)
        forbid_new_privileges(app);
    else if (keeps)
        filter_with_privilege(app);
    else
        confirm_all(app);
    /* A filter that does not let prctl through shows by that that it is there. */
    int mode = prctl(PR_GET_SECCOMP, 0, 0, 0, 0);
    confirm(app->seccomp == NULL || mode == SECCOMP_MODE_FILTER || mode < 0, "seccomp");
}

void privileges_keep_kill(void)
{
    /* The bounding set matters to execve only, and init executes nothing. */
    set_capabilities(UINT64_C(1) << CAP_KILL, UINT64_C(1) << CAP_KILL);
}
