/* Reading the plan: NUL-terminated records of a fixed number of fields, in the order of their sections. The table is the grammar;
 * an unknown keyword, a field too many, a record twice or out of its section is a failure before anything is done. */
#include "plan.h"

#include "die.h"
#include "plan_records.h"
#include "sockets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PLAN_LIMIT = 4 * 1024 * 1024 };

enum section { FIRST, POD, APP, LAST };

/* The plan lives as long as the process: an array that the analyzer thinks lost is held by its struct. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

void *plan_add(void *array, size_t *count, size_t size)
{
    char *elements;
    memcpy(&elements, array, sizeof elements);
    /* Room is doubled whenever the count is a power of two. */
    if ((*count & (*count - 1)) == 0) {
        elements = reallocarray(elements, *count == 0 ? 1 : *count * 2, size);
        if (elements == NULL)
            die("allocate", "", ENOMEM);
        memcpy(array, &elements, sizeof elements);
    }
    return memset(elements + size * (*count)++, 0, size);
}

static void read_shim(struct reader *reader, char **fields)
{
    (void)reader;
    if (strcmp(fields[1], "1") != 0)
        die_because("plan", fields[1], 0, "another version of the protocol");
}

static void read_app(struct reader *reader, char **fields)
{
    reader->app = &ADD(reader->plan->apps, reader->plan->app_count);
    *reader->app = (struct app_plan){.name = field_name(fields[0], fields[1]), .cwd = "/", .umask = 022, .tree_fd = -1, .upper_fd = -1, .work_fd = -1, .kept_tree = -1, .standard = {-1, -1, -1}, .handler_input = -1, .check_output = -1};
}

static void read_lower(struct reader *reader, char **fields)
{
    ADD(reader->app->lowers, reader->app->lower_count) = (struct layer_record){.path = field_path(fields[0], fields[1]), .fd = -1};
}

static void read_overlay(struct reader *reader, char **fields)
{
    reader->app->upper = field_path(fields[0], fields[1]);
    reader->app->work = field_path(fields[0], fields[2]);
    reader->app->root_flags = field_flags(fields[0], fields[3], FLAG_IDMAP | FLAG_VOLATILE);
}

static void read_root(struct reader *reader, char **fields)
{
    reader->app->root = field_path(fields[0], fields[1]);
    reader->app->root_flags |= field_flags(fields[0], fields[2], FLAG_IDMAP);
}

static void read_readonly_root(struct reader *reader, char **fields)
{
    (void)fields;
    reader->app->is_root_readonly = true;
}

static void read_mount(struct reader *reader, char **fields)
{
    enum mount_type type = field_mount_type(fields[0], fields[3]);
    unsigned of_type = type == MOUNT_BIND ? FLAG_REC | FLAG_IDMAP | FLAG_FILE | FLAG_SLAVE | FLAG_SHARED : type == MOUNT_TMPFS ? FLAG_ONE : 0U;
    unsigned allowed = FLAG_RO | FLAG_NOSUID | FLAG_NODEV | FLAG_NOEXEC | of_type;
    ADD(reader->app->mounts, reader->app->mount_count) = (struct mount_record){
        .source = field_path(fields[0], fields[1]), .target = field_inside_path(fields[0], fields[2]), .type = type,
        .flags = field_flags(fields[0], fields[4], allowed), .data = fields[5], .fd = -1};
}

static void read_device(struct reader *reader, char **fields)
{
    ADD(reader->app->devices, reader->app->device_count) = (struct device_record){
        .name = fields[1], .major = (unsigned)field_number(fields[0], fields[2], 4095), .minor = (unsigned)field_number(fields[0], fields[3], 1048575), .fd = -1};
}

static void read_symlink(struct reader *reader, char **fields)
{
    ADD(reader->app->symlinks, reader->app->symlink_count) =
        (struct symlink_record){.target = field_path(fields[0], fields[1]), .path = field_inside_path(fields[0], fields[2])};
}

static void read_mask(struct reader *reader, char **fields)
{
    ADD(reader->app->masks, reader->app->mask_count) = field_inside_path(fields[0], fields[1]);
}

static void read_readonly(struct reader *reader, char **fields)
{
    ADD(reader->app->readonlys, reader->app->readonly_count) = field_inside_path(fields[0], fields[1]);
}

static void read_app_cgroup(struct reader *reader, char **fields)
{
    ADD(reader->app->cgroups, reader->app->cgroup_count) = (struct cgroup_record){.path = field_inside_path(fields[0], fields[1]), .directory = -1, .file = -1};
}

static void read_cwd(struct reader *reader, char **fields)
{
    reader->app->cwd = fields[1];
}

static void read_user(struct reader *reader, char **fields)
{
    /* 2^32-1 means "leave as it is" to setresuid (T-R40). */
    reader->app->uid = (uint32_t)field_number(fields[0], fields[1], UINT32_MAX - 1);
    reader->app->gid = (uint32_t)field_number(fields[0], fields[2], UINT32_MAX - 1);
}

static void read_group(struct reader *reader, char **fields)
{
    ADD(reader->app->groups, reader->app->group_count) = (gid_t)field_number(fields[0], fields[1], UINT32_MAX - 1);
}

static void read_env(struct reader *reader, char **fields)
{
    if (fields[1][0] == '=' || strchr(fields[1], '=') == NULL)
        die_because("plan", fields[0], 0, "not NAME=VALUE");
    ADD(reader->app->environment, reader->app->environment_count) = fields[1];
}

static void read_arg(struct reader *reader, char **fields)
{
    ADD(reader->app->command.words, reader->app->command.count) = fields[1];
}

static void read_capability(struct reader *reader, char **fields)
{
    reader->app->capabilities |= UINT64_C(1) << field_capability(fields[0], fields[1]);
}

static void read_rlimit(struct reader *reader, char **fields)
{
    ADD(reader->app->rlimits, reader->app->rlimit_count) = field_rlimit(fields[0], fields + 1);
}

static void read_pre_start(struct reader *reader, char **fields)
{
    ADD(reader->app->pre_start.words, reader->app->pre_start.count) = fields[1];
}

static void read_post_stop(struct reader *reader, char **fields)
{
    ADD(reader->app->post_stop.words, reader->app->post_stop.count) = fields[1];
}

static void read_handler_limit(struct reader *reader, char **fields)
{
    reader->app->handler_seconds = (uint32_t)field_number(fields[0], fields[1], INT32_MAX);
}

static void read_restart(struct reader *reader, char **fields)
{
    reader->app->restart = (struct restart_record){
        .policy = field_restart_policy(fields[0], fields[1]), .most = (uint32_t)field_number(fields[0], fields[2], INT32_MAX), .keeps_root = field_restart_root(fields[0], fields[3])};
}

static void read_check(struct reader *reader, char **fields)
{
    ADD(reader->app->health.command.words, reader->app->health.command.count) = fields[1];
}

static void read_health(struct reader *reader, char **fields)
{
    struct health_record *health = &reader->app->health;
    uint32_t *times[] = {&health->interval, &health->timeout, &health->start_period, &health->retries};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        *times[i] = (uint32_t)field_number(fields[0], fields[i + 1], INT32_MAX);
    health->action = field_health_action(fields[0], fields[5]);
}

static void read_umask(struct reader *reader, char **fields)
{
    reader->app->umask = field_octal(fields[0], fields[1]);
}

static void read_no_new_privileges(struct reader *reader, char **fields)
{
    (void)fields;
    reader->app->no_new_privileges = true;
}

static void read_seccomp(struct reader *reader, char **fields)
{
    reader->app->seccomp = field_hex(fields[0], fields[1], sizeof(struct sock_filter), &reader->app->seccomp_bytes);
}

static void read_oom_score(struct reader *reader, char **fields)
{
    reader->app->has_oom_score = true;
    reader->app->oom_score = field_oom_score(fields[0], fields[1]);
}

/* The keyword is the security module. */
static void read_label(struct reader *reader, char **fields)
{
    *(strcmp(fields[0], "apparmor") == 0 ? &reader->app->apparmor : &reader->app->selinux) = field_label(fields[0], fields[1]);
}

static void read_terminal(struct reader *reader, char **fields)
{
    (void)fields;
    reader->app->has_terminal = true;
}

static void read_stdin(struct reader *reader, char **fields)
{
    (void)fields;
    reader->app->takes_input = true;
}

static void read_notify(struct reader *reader, char **fields)
{
    reader->app->notify = field_inside_path(fields[0], fields[1]);
}

static void read_socket(struct reader *reader, char **fields)
{
    ADD(reader->app->sockets, reader->app->socket_count) =
        (struct socket_record){.name = field_name(fields[0], fields[1]), .index = (size_t)field_number(fields[0], fields[2], MOST_SOCKETS - 1), .fd = -1};
}

static void read_log(struct reader *reader, char **fields)
{
    reader->app->log = (struct log_record){
        .path = field_path(fields[0], fields[1]), .bytes = field_number(fields[0], fields[2], INT64_MAX), .files = (uint32_t)field_number(fields[0], fields[3], 1000)};
}

static void read_end(struct reader *reader, char **fields)
{
    (void)fields;
    plan_check(reader->plan);
}

/* The grammar of spec/shim.md; a test compares the two, and both with src/shim/plan.ts. */
static const struct rule {
    const char *keyword;
    enum section section;
    size_t fields;
    bool is_repeatable;
    void (*read)(struct reader *reader, char **fields);
} rules[] = {
    {"shim", FIRST, 1, false, read_shim},
    {"uuid", POD, 1, false, read_uuid},
    {"hostname", POD, 1, false, read_hostname},
    {"namespace", POD, 1, true, read_namespace},
    {"uidmap", POD, 3, true, read_uidmap},
    {"gidmap", POD, 3, true, read_gidmap},
    {"unprivileged", POD, 2, false, read_unprivileged},
    {"cgroup", POD, 1, true, read_cgroup},
    {"device-filter", POD, 2, false, read_device_filter},
    {"network-limit", POD, 2, true, read_network_limit},
    {"remove-cgroup", POD, 1, true, read_remove_cgroup},
    {"sysctl", POD, 2, true, read_sysctl},
    {"loopback", POD, 0, false, read_loopback},
    {"listen", POD, 1, false, read_listen},
    {"foreground", POD, 0, false, read_foreground},
    {"attach", POD, 0, false, read_attach},
    {"notify-caller", POD, 1, false, read_notify_caller},
    {"teardown", POD, 2, true, read_teardown},
    {"teardown-env", POD, 1, true, read_teardown_env},
    {"teardown-net", POD, 1, true, read_teardown_net},
    {"app", APP, 1, true, read_app},
    {"lower", APP, 1, true, read_lower},
    {"overlay", APP, 3, false, read_overlay},
    {"root", APP, 2, false, read_root},
    {"readonly-root", APP, 0, false, read_readonly_root},
    {"mount", APP, 5, true, read_mount},
    {"device", APP, 3, true, read_device},
    {"symlink", APP, 2, true, read_symlink},
    {"mask", APP, 1, true, read_mask},
    {"readonly", APP, 1, true, read_readonly},
    {"app-cgroup", APP, 1, true, read_app_cgroup},
    {"cwd", APP, 1, false, read_cwd},
    {"user", APP, 2, false, read_user},
    {"group", APP, 1, true, read_group},
    {"env", APP, 1, true, read_env},
    {"arg", APP, 1, true, read_arg},
    {"pre-start", APP, 1, true, read_pre_start},
    {"post-stop", APP, 1, true, read_post_stop},
    {"handler-limit", APP, 1, false, read_handler_limit},
    {"restart", APP, 3, false, read_restart},
    {"check", APP, 1, true, read_check},
    {"health", APP, 5, false, read_health},
    {"capability", APP, 1, true, read_capability},
    {"rlimit", APP, 3, true, read_rlimit},
    {"umask", APP, 1, false, read_umask},
    {"no-new-privileges", APP, 0, false, read_no_new_privileges},
    {"seccomp", APP, 1, false, read_seccomp},
    {"oom-score", APP, 1, false, read_oom_score},
    {"apparmor", APP, 1, false, read_label},
    {"selinux", APP, 1, false, read_label},
    {"terminal", APP, 0, false, read_terminal},
    {"stdin", APP, 0, false, read_stdin},
    {"notify", APP, 1, false, read_notify},
    {"socket", APP, 2, true, read_socket},
    {"log", APP, 3, false, read_log},
    {"end", LAST, 0, false, read_end},
};

enum { RULES = sizeof rules / sizeof *rules, MOST_FIELDS = 5 };
_Static_assert((int)RULES <= 64, "read_record has a bit for each");

static size_t rule_of(const char *keyword)
{
    for (size_t i = 0; i < RULES; i++)
        if (strcmp(rules[i].keyword, keyword) == 0)
            return i;
    die_because("plan", keyword, 0, "an unknown record");
}

/* One record at `text`; returns where the next begins. `seen` has a bit for each rule met in this section; `section` is where we are. */
static char *read_record(struct reader *reader, char *text, const char *end, uint64_t *seen, enum section *section)
{
    char *fields[MOST_FIELDS + 1] = {text};
    size_t index = rule_of(text);
    const struct rule *rule = &rules[index];
    uint64_t bit = UINT64_C(1) << index;
    bool begins_app = rule->read == read_app;
    if (rule->section < *section || (rule->section == APP && *section != APP && !begins_app) || (*seen == 0) != (rule->section == FIRST && *section == FIRST))
        die_because("plan", text, 0, "a record out of its place");
    if (begins_app)
        *seen = 1; /* every app has its records anew; of what came before only `shim` still matters */
    if ((*seen & bit) != 0 && !rule->is_repeatable)
        die_because("plan", text, 0, "a record that may be there once only");
    for (size_t i = 0; i <= rule->fields; i++) {
        if (text == end)
            die_because("plan", fields[0], 0, "the plan ends within a record");
        fields[i] = text;
        text += strlen(text) + 1;
    }
    *seen |= bit;
    *section = rule->section;
    rule->read(reader, fields);
    return text;
}

static char *read_all(int fd, size_t *size)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        die("plan", "", errno);
    if (!S_ISREG(status.st_mode) || status.st_size < 1 || status.st_size > PLAN_LIMIT)
        die_because("plan", "", 0, "not a file of 1 to 4194304 bytes");
    *size = (size_t)status.st_size;
    char *text = must_allocate(*size);
    for (size_t used = 0; used < *size;) {
        ssize_t length = pread(fd, text + used, *size - used, (off_t)used);
        if (length <= 0)
            die("plan", "", length < 0 ? errno : 0);
        used += (size_t)length;
    }
    if (text[*size - 1] != '\0')
        die_because("plan", "", 0, "the plan ends within a field");
    return text;
}

struct pod_plan *plan_read(int fd)
{
    size_t size;
    char *text = read_all(fd, &size), *end = text + size;
    struct reader reader = {.plan = must_allocate(sizeof *reader.plan)};
    reader.plan->joined = (struct joined){.user = -1, .net = -1};
    uint64_t seen = 0;
    enum section section = FIRST;
    while (text != end && section != LAST)
        text = read_record(&reader, text, end, &seen, &section);
    if (section != LAST || text != end)
        die_because("plan", "end", 0, "not the last record");
    return reader.plan;
}
