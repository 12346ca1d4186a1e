/* The plan of one pod (spec/shim.md): what stage0 decided, read into one buffer that the structs point into. Nothing is ever freed. */
#ifndef PERIGEE_PLAN_H
#define PERIGEE_PLAN_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/types.h>

struct id_range {
    uint32_t inside, outside, count;
};

/* A cgroup to join. Once opened: its directory (v2 only, else -1), and the file to write to (`tasks`, or `cgroup.procs` on v2). */
struct cgroup_record {
    const char *path;
    int directory, file;
};

struct sysctl_record {
    const char *key, *value;
};

/* What a cgroup of v2 may send, and receive, in bytes a second. */
struct traffic_record {
    const char *cgroup;
    uint64_t bytes;
};

/* `network`: the name of the variable that says where the pod's network namespace is, or NULL. */
struct teardown_record {
    const char *program, *input, *network;
    /* Ends with NULL, which the count leaves out, as long as there is one. */
    char **environment;
    size_t environment_count;
};

/* Descriptors of namespaces that were made before the pod; -1: none. `user` only with `net`. */
struct joined {
    int user, net;
};

enum mount_type { MOUNT_BIND, MOUNT_PROC, MOUNT_SYSFS, MOUNT_TMPFS, MOUNT_DEVPTS, MOUNT_MQUEUE, MOUNT_CGROUP, MOUNT_CGROUP2 };
enum mount_flag { FLAG_RO = 1, FLAG_NOSUID = 2, FLAG_NODEV = 4, FLAG_NOEXEC = 8, FLAG_REC = 16, FLAG_IDMAP = 32, FLAG_FILE = 64, FLAG_VOLATILE = 128,
    FLAG_SLAVE = 256, FLAG_SHARED = 512, FLAG_ONE = 1024 };

/* `fd`: the detached mount, once somebody made it. */
struct mount_record {
    const char *source, *target, *data;
    enum mount_type type;
    unsigned flags;
    int fd;
};

struct device_record {
    const char *name;
    unsigned major, minor;
    int fd;
};

struct symlink_record {
    const char *target, *path;
};

struct rlimit_record {
    int resource;
    struct rlimit limit;
};

struct layer_record {
    const char *path;
    int fd;
};

/* A listening socket of the caller's: which of them, and what the app finds it by. `fd` -1: it was not handed over, or is the app's already. */
struct socket_record {
    const char *name;
    size_t index;
    int fd;
};

struct log_record {
    const char *path;
    uint64_t bytes;
    uint32_t files;
};

enum restart_policy { RESTART_NO, RESTART_ON_FAILURE, RESTART_ALWAYS, RESTART_UNHEALTHY };

/* What becomes of an app whose checks have failed too often. */
enum health_action { HEALTH_NONE, HEALTH_KILL, HEALTH_RESTART };

/* When an app that has ended is started again: how often at most (0: without end), and whether in the root that it had. */
struct restart_record {
    enum restart_policy policy;
    uint32_t most;
    bool keeps_root;
};

/* A program and its arguments; ended by NULL, which the count leaves out. Empty: none. */
struct command {
    char **words;
    size_t count;
};

/* How an app is asked whether it is well; times are milliseconds. `interval` 0: it is not. */
struct health_record {
    struct command command;
    uint32_t interval, timeout, start_period, retries;
    enum health_action action;
};

struct app_plan {
    const char *name;
    struct layer_record *lowers;
    size_t lower_count;
    const char *upper, *work;
    const char *root;
    /* FLAG_IDMAP, FLAG_VOLATILE */
    unsigned root_flags;
    /* Detached: the directory that holds upper and work, or the root; then the two in it. */
    int tree_fd, upper_fd, work_fd;
    /* That directory again, of an app whose supervisor has no rights to open it for another run; else -1. */
    int kept_tree;
    bool is_root_readonly;
    struct mount_record *mounts;
    size_t mount_count;
    struct device_record *devices;
    size_t device_count;
    struct symlink_record *symlinks;
    size_t symlink_count;
    const char **masks;
    size_t mask_count;
    const char **readonlys;
    size_t readonly_count;
    struct cgroup_record *cgroups;
    size_t cgroup_count;
    const char *cwd;
    uint32_t uid, gid;
    gid_t *groups;
    size_t group_count;
    /* The caller's groups stay: where one id is mapped the kernel lets nobody give them up, since that could open what is shut to a group. */
    bool keeps_groups;
    /* Ends with NULL, which the count leaves out. */
    char **environment;
    size_t environment_count;
    struct command command, pre_start, post_stop;
    /* How long each handler may take. */
    uint32_t handler_seconds;
    struct restart_record restart;
    struct health_record health;
    /* Bit N: capability N. */
    uint64_t capabilities;
    struct rlimit_record *rlimits;
    size_t rlimit_count;
    mode_t umask;
    bool no_new_privileges;
    struct sock_filter *seccomp;
    size_t seccomp_bytes;
    bool has_oom_score;
    int oom_score;
    /* NULL: none. */
    const char *apparmor, *selinux;
    bool has_terminal;
    /* Standard input is a pipe that those who are attached write to. */
    bool takes_input;
    /* Where the app says what it does, below /dev; NULL: it says nothing. */
    const char *notify;
    struct socket_record *sockets;
    size_t socket_count;
    /* path NULL: no log. */
    struct log_record log;
    /* What the app gets as 0, 1, 2, unless it has a terminal. */
    int standard[3];
    /* Bit N: descriptor N (3: check_output) is a pipe of ours, which is to belong to the app's user. */
    unsigned own_pipes;
    /* The null device, for an app with handlers or checks; what its checks write to. */
    int handler_input, check_output;
};

static inline bool app_has_handlers(const struct app_plan *app)
{
    return app->pre_start.count > 0 || app->post_stop.count > 0;
}

/* Whether more than one process is ever started in a root that was made for the app. */
static inline bool app_is_started_apart(const struct app_plan *app)
{
    return app_has_handlers(app) || app->restart.policy != RESTART_NO || app->health.interval > 0;
}

/* Whether the app's root is made more than once. */
static inline bool app_renews_root(const struct app_plan *app)
{
    return app->restart.policy != RESTART_NO && !app->restart.keeps_root;
}

struct pod_plan {
    const char *uuid, *hostname;
    /* CLONE_NEW… bits */
    uint64_t namespaces;
    struct id_range *uids, *gids;
    size_t uid_count, gid_count;
    /* The caller is not root of the host: what is the host's is opened by init, once it is root of the user namespace, which has the rights. */
    bool is_unprivileged;
    /* Programs of the host that map ranges for such a caller; NULL: one id, which the caller may map itself. */
    const char *uid_mapper, *gid_mapper;
    struct cgroup_record *cgroups;
    size_t cgroup_count;
    const char *filter_cgroup;
    void *filter;
    size_t filter_bytes;
    struct traffic_record *traffic;
    size_t traffic_count;
    const char **removals;
    size_t removal_count;
    struct sysctl_record *sysctls;
    size_t sysctl_count;
    bool has_loopback, is_foreground;
    /* Whether one can be attached to an app. */
    bool is_attachable;
    /* On 127.0.0.1 of the pod's network namespace; 0: none. */
    uint16_t listen_port;
    struct joined joined;
    /* The socket of the caller's service manager, `@` for the first byte of an abstract name; NULL: there is none. */
    const char *notify_caller;
    struct teardown_record *teardowns;
    size_t teardown_count;
    struct app_plan *apps;
    size_t app_count;
    /* Of a new terminal: the caller's, found out before there is a pod. */
    struct winsize terminal_size;
};

static inline bool plan_renews_roots(const struct pod_plan *plan)
{
    for (size_t i = 0; i < plan->app_count; i++)
        if (app_renews_root(&plan->apps[i]))
            return true;
    return false;
}

/* Reads and checks the whole plan; every defect is a failure of step `plan` naming the record. */
struct pod_plan *plan_read(int fd);

/* What no single record can show to be wrong; plan_read calls it at the end. */
void plan_check(struct pod_plan *plan);

/* One more element, zeroed, at the end of the array whose address (of its pointer) is given. */
void *plan_add(void *array, size_t *count, size_t size);

/* Fields of records. A defect is a failure of step `plan` with `keyword` as subject. */
uint64_t field_number(const char *keyword, const char *text, uint64_t limit);
int field_oom_score(const char *keyword, const char *text);
mode_t field_octal(const char *keyword, const char *text);
unsigned field_flags(const char *keyword, char *text, unsigned allowed);
enum mount_type field_mount_type(const char *keyword, const char *text);
uint64_t field_namespace(const char *keyword, const char *text);
enum restart_policy field_restart_policy(const char *keyword, const char *text);
enum health_action field_health_action(const char *keyword, const char *text);
/* Whether an app that is started again keeps its root. */
bool field_restart_root(const char *keyword, const char *text);
int field_capability(const char *keyword, const char *text);
struct rlimit_record field_rlimit(const char *keyword, char **fields);
/* Decodes in place; the bytes are as aligned as an allocation. */
void *field_hex(const char *keyword, const char *text, size_t unit, size_t *bytes);
/* Absolute, without empty, `.` or `..` components, or `/` itself. */
const char *field_inside_path(const char *keyword, const char *text);
/* All fields of a record: inside, outside, count. */
struct id_range field_range(char **fields);
/* A profile or context of a security module: not empty, no control characters. */
const char *field_label(const char *keyword, const char *text);
/* A path of the host: not empty. */
const char *field_path(const char *keyword, const char *text);
/* One component of a path. */
const char *field_name(const char *keyword, const char *text);

#endif
