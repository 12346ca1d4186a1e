/* What no single record of a plan can show to be wrong. Policy is stage0's; refused here is what could not work, or what would give
 * a pod something of the host through a mistake of stage0 (T-R42, T-R54). */
#include "die.h"
#include "plan.h"
#include "sockets.h"

#include <errno.h>
#include <linux/sched.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LOWERS = 400, MOST_ADDRESS = 107 };

static bool has(const struct pod_plan *plan, uint64_t kind)
{
    return (plan->namespaces & kind) != 0;
}

static void require(bool is_right, const char *subject, const char *message)
{
    if (!is_right)
        die_because("plan", subject, 0, message);
}

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Only what belongs to a namespace of the pod's own; everything else is the host's. */
static void check_sysctl(const struct pod_plan *plan, const struct sysctl_record *sysctl)
{
    static const struct {
        const char *prefix;
        uint64_t kind;
    } owned[] = {
        {"net.", CLONE_NEWNET},       {"kernel.shm", CLONE_NEWIPC}, {"kernel.msg", CLONE_NEWIPC},
        {"kernel.sem", CLONE_NEWIPC}, {"fs.mqueue.", CLONE_NEWIPC}, {"kernel.domainname", CLONE_NEWUTS},
    };
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    bool is_owned = false;
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        is_owned |= begins_with(sysctl->key, owned[i].prefix) && has(plan, owned[i].kind);
    require(is_owned, sysctl->key, "not a setting of the pod's own namespaces");
    require(strspn(sysctl->key, allowed) == strlen(sysctl->key) && strstr(sysctl->key, "..") == NULL, sysctl->key, "not the name of a setting");
    require(strpbrk(sysctl->value, "\n\r") == NULL, sysctl->key, "a value of more than one line");
}

static void check_ranges(const struct pod_plan *plan)
{
    bool has_user = has(plan, CLONE_NEWUSER);
    require(has_user == (plan->uid_count > 0) && has_user == (plan->gid_count > 0), "uidmap", "there with a user namespace, and only then");
    for (size_t i = 0; i < plan->uid_count; i++)
        require(plan->uids[i].outside != 0, "uidmap", "the host's root is never mapped");
    for (size_t i = 0; i < plan->gid_count; i++)
        require(plan->gids[i].outside != 0, "gidmap", "the host's root is never mapped");
}

static void check_unprivileged(const struct pod_plan *plan)
{
    if (!plan->is_unprivileged)
        return;
    require(has(plan, CLONE_NEWUSER), "unprivileged", "needs a user namespace");
    require(plan->uid_mapper != NULL || (plan->uid_count == 1 && plan->uids[0].count == 1 && plan->gid_count == 1 && plan->gids[0].count == 1), "unprivileged",
            "without programs that map ids there is one id");
    require(plan->filter_cgroup == NULL, "unprivileged", "a device program takes root");
}

static void check_pod(const struct pod_plan *plan)
{
    require(plan->uuid != NULL, "uuid", "missing");
    require(plan->notify_caller == NULL || (strchr("/@", plan->notify_caller[0]) != NULL && strlen(plan->notify_caller) <= MOST_ADDRESS), "notify-caller", "an absolute path, or a name behind @");
    require(has(plan, CLONE_NEWNS) && has(plan, CLONE_NEWPID), "namespace", "mount and pid are needed");
    require(plan->hostname == NULL || has(plan, CLONE_NEWUTS), "hostname", "needs a uts namespace");
    require(!plan->has_loopback || has(plan, CLONE_NEWNET), "loopback", "needs a net namespace");
    require(!plan->is_attachable || !plan->is_foreground, "attach", "the output of a pod in the foreground is its caller's");
    require(plan->listen_port == 0 || has(plan, CLONE_NEWNET), "listen", "needs a net namespace");
    check_ranges(plan);
    check_unprivileged(plan);
    for (size_t i = 0; i < plan->sysctl_count; i++)
        check_sysctl(plan, &plan->sysctls[i]);
}

/* The directory part of both must be the same, because the kernel wants them on one mount and one mount is made for it. */
static bool are_siblings(const char *upper, const char *work)
{
    const char *a = strrchr(upper, '/'), *b = strrchr(work, '/');
    if (a == NULL || b == NULL)
        return a == b;
    return a[1] != '\0' && b[1] != '\0' && a - upper == b - work && strncmp(upper, work, (size_t)(a - upper)) == 0;
}

static void check_root(const struct pod_plan *plan, const struct app_plan *app)
{
    bool is_overlay = app->upper != NULL;
    require(is_overlay != (app->root != NULL), app->name, "needs one of overlay and root");
    require(is_overlay == (app->lower_count > 0) && app->lower_count <= MOST_LOWERS, app->name, "lower directories are for an overlay, 1 to 400");
    require(!is_overlay || are_siblings(app->upper, app->work), app->name, "upper and work must be in the same directory");
    require((app->root_flags & FLAG_IDMAP) == 0 || (has(plan, CLONE_NEWUSER) && !plan->is_unprivileged), app->name, "idmap needs a user namespace, and root");
}

static void check_mount(const struct pod_plan *plan, const struct mount_record *mount)
{
    bool has_user = has(plan, CLONE_NEWUSER);
    require((mount->flags & FLAG_IDMAP) == 0 || (has_user && !plan->is_unprivileged), mount->target, "idmap needs a user namespace, and root");
    require((mount->flags & FLAG_SHARED) == 0 || ((mount->flags & FLAG_SLAVE) == 0 && !has_user), mount->target, "shared with the host needs the host's user namespace, and is not slave");
    require(mount->target[1] != '\0' && strcmp(mount->target, "/dev") != 0, mount->target, "is mounted by the shim itself");
    /* The kernel would say EPERM much later. */
    require(mount->type != MOUNT_SYSFS || !has_user || has(plan, CLONE_NEWNET), mount->target, "sysfs in a user namespace needs a net namespace: bind the host's read-only");
    require(mount->type != MOUNT_MQUEUE || !has_user || has(plan, CLONE_NEWIPC), mount->target, "mqueue in a user namespace needs an ipc namespace");
}

static void finish_command(const struct app_plan *app, struct command *command)
{
    require(command->count == 0 || command->words[0][0] != '\0', app->name, "a command that begins with an empty word");
    plan_add(&command->words, &command->count, sizeof *command->words);
    command->count--;
}

static void check_restart(const struct pod_plan *plan, const struct app_plan *app)
{
    bool is_restarted = app->restart.policy != RESTART_NO;
    require(!app_renews_root(app) || app->root == NULL, app->name, "a root that is made again needs an overlay");
    require(!is_restarted || !app->has_terminal, app->name, "an app with a terminal is not started again");
    /* By what its processes are told from those of other apps. */
    require(!is_restarted || plan->app_count == 1 || app->cgroup_count > 0, app->name, "one of several apps is started again in a cgroup of its own only");
}

static void check_health(const struct app_plan *app)
{
    const struct health_record *health = &app->health;
    bool is_asked = health->command.count > 0;
    require(is_asked == (health->interval > 0) && is_asked == (health->timeout > 0) && is_asked == (health->retries > 0), app->name,
            "a check has an interval, a limit of time and retries, and nothing else has");
    require(health->action != HEALTH_RESTART || app->restart.policy != RESTART_NO, app->name, "an app is started again by its checks only where it says how");
    require(app->restart.policy != RESTART_UNHEALTHY || health->action == HEALTH_RESTART, app->name, "nothing says when the app is unhealthy");
}

/* The kernel takes 107 bytes; /dev is ours alone until the app runs. */
static bool is_socket_of_dev(const char *path)
{
    return begins_with(path, "/dev/") && strchr(path + strlen("/dev/"), '/') == NULL && strlen(path) <= MOST_ADDRESS;
}

static void check_app(struct pod_plan *plan, struct app_plan *app)
{
    check_root(plan, app);
    app->keeps_groups = plan->is_unprivileged && plan->gid_mapper == NULL;
    require(!app->keeps_groups || app->group_count == 0, app->name, "where one id is mapped there are no other groups");
    for (size_t i = 0; i < app->mount_count; i++)
        check_mount(plan, &app->mounts[i]);
    for (size_t i = 0; i < app->device_count; i++)
        require(app->devices[i].name[0] != '/' && strstr(app->devices[i].name, "..") == NULL, app->devices[i].name, "not a name below /dev");
    for (size_t i = 0; i < app->symlink_count; i++)
        require(begins_with(app->symlinks[i].path, "/dev/"), app->symlinks[i].path, "symlinks are made below /dev only");
    require(app->command.count > 0 && app->command.words[0][0] != '\0', app->name, "has no command");
    finish_command(app, &app->command);
    finish_command(app, &app->pre_start);
    finish_command(app, &app->post_stop);
    finish_command(app, &app->health.command);
    check_health(app);
    check_restart(plan, app);
    require(!app->takes_input || (plan->is_attachable && !app->has_terminal), "stdin", "is for an app without a terminal that one can be attached to");
    require((app->handler_seconds > 0) == app_has_handlers(app), app->name, "handlers have a limit of time, and nothing else has");
    require(app->socket_count <= MOST_SOCKETS, app->name, "too many sockets");
    for (size_t i = 0; i < app->socket_count; i++)
        require(strchr(app->sockets[i].name, ':') == NULL, app->sockets[i].name, "not a name of a socket");
    require(app->notify == NULL || is_socket_of_dev(app->notify), app->name, "what an app says goes to a socket right below /dev");
    require(app->cwd[0] == '/', app->cwd, "not an absolute working directory");
    require(app->log.path == NULL || (app->log.path[0] != '/' && app->log.files >= 1 && app->log.bytes >= 16384), app->name, "a log needs a path in the pod directory, 16384 bytes and one file");
    plan_add(&app->environment, &app->environment_count, sizeof *app->environment);
    app->environment_count--;
}

void plan_check(struct pod_plan *plan)
{
    size_t terminals = 0;
    check_pod(plan);
    require(plan->app_count > 0, "app", "missing");
    for (size_t i = 0; i < plan->app_count; i++) {
        check_app(plan, &plan->apps[i]);
        terminals += plan->apps[i].has_terminal;
        for (size_t j = 0; j < i; j++)
            require(strcmp(plan->apps[i].name, plan->apps[j].name) != 0, plan->apps[i].name, "two apps of one name");
    }
    require(terminals <= 1, "terminal", "one app at most can have the terminal");
}
