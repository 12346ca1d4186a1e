/* Fields of plan records: numbers, names and paths in exactly the form that src/shim/plan.ts writes, and no other. */
#include "die.h"
#include "plan.h"

#include <linux/capability.h>
#include <linux/sched.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void refuse(const char *keyword, const char *message)
{
    die_because("plan", keyword, 0, message);
}

uint64_t field_number(const char *keyword, const char *text, uint64_t limit)
{
    uint64_t value = 0;
    if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
        refuse(keyword, "not a decimal number");
    for (; *text != '\0'; text++) {
        unsigned digit = (unsigned)(unsigned char)*text - '0';
        if (digit > 9)
            refuse(keyword, "not a decimal number");
        if (digit > limit || value > (limit - digit) / 10)
            refuse(keyword, "the number is too large");
        value = value * 10 + digit;
    }
    return value;
}

int field_oom_score(const char *keyword, const char *text)
{
    bool is_negative = text[0] == '-';
    int value = (int)field_number(keyword, text + is_negative, 1000);
    return is_negative ? -value : value;
}

mode_t field_octal(const char *keyword, const char *text)
{
    mode_t value = 0;
    if (strlen(text) != 4 || strspn(text, "01234567") != 4)
        refuse(keyword, "not four octal digits");
    for (; *text != '\0'; text++)
        value = value * 8 + (mode_t)(*text - '0');
    return value;
}

unsigned field_flags(const char *keyword, char *text, unsigned allowed)
{
    static const struct {
        const char *name;
        unsigned bit;
    } flags[] = {{"ro", FLAG_RO},       {"nosuid", FLAG_NOSUID}, {"nodev", FLAG_NODEV}, {"noexec", FLAG_NOEXEC},
                 {"rec", FLAG_REC},     {"idmap", FLAG_IDMAP},   {"file", FLAG_FILE},   {"volatile", FLAG_VOLATILE},
                 {"slave", FLAG_SLAVE}, {"shared", FLAG_SHARED}, {"one", FLAG_ONE}};
    unsigned bits = 0;
    for (char *next = text[0] != '\0' ? text : NULL; next != NULL;) {
        const char *name = strsep(&next, ",");
        unsigned bit = 0;
        for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
            bit |= strcmp(name, flags[i].name) == 0 ? flags[i].bit : 0;
        if ((bit & allowed) == 0 || (bits & bit) != 0)
            refuse(keyword, "a flag that is unknown here, or there twice");
        bits |= bit;
    }
    return bits;
}

static size_t index_of(const char *keyword, const char *text, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (names[i] != NULL && strcmp(text, names[i]) == 0)
            return i;
    refuse(keyword, "not a word of this record");
}

enum mount_type field_mount_type(const char *keyword, const char *text)
{
    static const char *const names[] = {
        [MOUNT_BIND] = "bind",     [MOUNT_PROC] = "proc",     [MOUNT_SYSFS] = "sysfs",   [MOUNT_TMPFS] = "tmpfs",
        [MOUNT_DEVPTS] = "devpts", [MOUNT_MQUEUE] = "mqueue", [MOUNT_CGROUP] = "cgroup", [MOUNT_CGROUP2] = "cgroup2",
    };
    return (enum mount_type)index_of(keyword, text, names, sizeof names / sizeof *names);
}

uint64_t field_namespace(const char *keyword, const char *text)
{
    static const char *const names[] = {"user", "mount", "pid", "net", "ipc", "uts", "cgroup", "time"};
    static const uint64_t bits[] = {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP, CLONE_NEWTIME};
    return bits[index_of(keyword, text, names, sizeof names / sizeof *names)];
}

enum restart_policy field_restart_policy(const char *keyword, const char *text)
{
    /* That an app is not started again is said by no record at all. */
    static const char *const names[] = {[RESTART_NO] = NULL, [RESTART_ON_FAILURE] = "on-failure", [RESTART_ALWAYS] = "always", [RESTART_UNHEALTHY] = "unhealthy"};
    return (enum restart_policy)index_of(keyword, text, names, sizeof names / sizeof *names);
}

enum health_action field_health_action(const char *keyword, const char *text)
{
    static const char *const names[] = {[HEALTH_NONE] = "none", [HEALTH_KILL] = "kill", [HEALTH_RESTART] = "restart"};
    return (enum health_action)index_of(keyword, text, names, sizeof names / sizeof *names);
}

bool field_restart_root(const char *keyword, const char *text)
{
    static const char *const names[] = {"fresh", "keep"};
    return index_of(keyword, text, names, sizeof names / sizeof *names) == 1;
}

int field_capability(const char *keyword, const char *text)
{
#define CAPABILITY(name) [name] = #name
    static const char *const names[] = {
        CAPABILITY(CAP_CHOWN), CAPABILITY(CAP_DAC_OVERRIDE), CAPABILITY(CAP_DAC_READ_SEARCH), CAPABILITY(CAP_FOWNER), CAPABILITY(CAP_FSETID),
        CAPABILITY(CAP_KILL), CAPABILITY(CAP_SETGID), CAPABILITY(CAP_SETUID), CAPABILITY(CAP_SETPCAP), CAPABILITY(CAP_LINUX_IMMUTABLE),
        CAPABILITY(CAP_NET_BIND_SERVICE), CAPABILITY(CAP_NET_BROADCAST), CAPABILITY(CAP_NET_ADMIN), CAPABILITY(CAP_NET_RAW),
        CAPABILITY(CAP_IPC_LOCK), CAPABILITY(CAP_IPC_OWNER), CAPABILITY(CAP_SYS_MODULE), CAPABILITY(CAP_SYS_RAWIO), CAPABILITY(CAP_SYS_CHROOT),
        CAPABILITY(CAP_SYS_PTRACE), CAPABILITY(CAP_SYS_PACCT), CAPABILITY(CAP_SYS_ADMIN), CAPABILITY(CAP_SYS_BOOT), CAPABILITY(CAP_SYS_NICE),
        CAPABILITY(CAP_SYS_RESOURCE), CAPABILITY(CAP_SYS_TIME), CAPABILITY(CAP_SYS_TTY_CONFIG), CAPABILITY(CAP_MKNOD), CAPABILITY(CAP_LEASE),
        CAPABILITY(CAP_AUDIT_WRITE), CAPABILITY(CAP_AUDIT_CONTROL), CAPABILITY(CAP_SETFCAP), CAPABILITY(CAP_MAC_OVERRIDE), CAPABILITY(CAP_MAC_ADMIN),
        CAPABILITY(CAP_SYSLOG), CAPABILITY(CAP_WAKE_ALARM), CAPABILITY(CAP_BLOCK_SUSPEND), CAPABILITY(CAP_AUDIT_READ), CAPABILITY(CAP_PERFMON),
        CAPABILITY(CAP_BPF), CAPABILITY(CAP_CHECKPOINT_RESTORE),
    };
#undef CAPABILITY
    return (int)index_of(keyword, text, names, sizeof names / sizeof *names);
}

static rlim_t limit_of(const char *keyword, const char *text)
{
    return strcmp(text, "unlimited") == 0 ? RLIM_INFINITY : (rlim_t)field_number(keyword, text, INT64_MAX);
}

struct rlimit_record field_rlimit(const char *keyword, char **fields)
{
    static const char *const names[] = {
        [RLIMIT_AS] = "as",           [RLIMIT_CORE] = "core",         [RLIMIT_CPU] = "cpu",   [RLIMIT_DATA] = "data",
        [RLIMIT_FSIZE] = "fsize",     [RLIMIT_LOCKS] = "locks",       [RLIMIT_NICE] = "nice", [RLIMIT_MEMLOCK] = "memlock",
        [RLIMIT_MSGQUEUE] = "msgqueue", [RLIMIT_NOFILE] = "nofile",   [RLIMIT_NPROC] = "nproc", [RLIMIT_RSS] = "rss",
        [RLIMIT_RTPRIO] = "rtprio",   [RLIMIT_RTTIME] = "rttime",     [RLIMIT_SIGPENDING] = "sigpending", [RLIMIT_STACK] = "stack",
    };
    size_t resource = index_of(keyword, fields[0], names, sizeof names / sizeof *names);
    struct rlimit limit = {.rlim_cur = limit_of(keyword, fields[1]), .rlim_max = limit_of(keyword, fields[2])};
    if (limit.rlim_cur > limit.rlim_max)
        refuse(keyword, "the soft limit is above the hard one");
    return (struct rlimit_record){.resource = (int)resource, .limit = limit};
}

void *field_hex(const char *keyword, const char *text, size_t unit, size_t *bytes)
{
    static const char digits[] = "0123456789abcdef";
    size_t length = strlen(text);
    if (length == 0 || length % (unit * 2) != 0 || strspn(text, digits) != length)
        refuse(keyword, "not whole instructions in hexadecimal");
    unsigned char *decoded = must_allocate(length / 2);
    for (size_t i = 0; i < length; i++) {
        unsigned digit = (unsigned)(strchr(digits, text[i]) - digits);
        decoded[i / 2] = (unsigned char)((unsigned)decoded[i / 2] << 4 | digit);
    }
    *bytes = length / 2;
    return decoded;
}

const char *field_inside_path(const char *keyword, const char *text)
{
    if (text[0] != '/')
        refuse(keyword, "not an absolute path");
    for (const char *component = text; text[1] != '\0' && component != NULL; component = strchr(component + 1, '/')) {
        size_t length = strcspn(component + 1, "/");
        if (length == 0 || (component[1] == '.' && (length == 1 || (length == 2 && component[2] == '.'))))
            refuse(keyword, "a path with an empty, `.` or `..` component");
    }
    return text;
}

const char *field_path(const char *keyword, const char *text)
{
    if (text[0] == '\0')
        refuse(keyword, "an empty path");
    return text;
}

const char *field_name(const char *keyword, const char *text)
{
    if (text[0] == '\0' || strchr(text, '/') != NULL || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
        refuse(keyword, "not a name");
    return text;
}

struct id_range field_range(char **fields)
{
    uint32_t inside = (uint32_t)field_number(fields[0], fields[1], UINT32_MAX - 1);
    uint32_t outside = (uint32_t)field_number(fields[0], fields[2], UINT32_MAX - 1);
    uint32_t count = (uint32_t)field_number(fields[0], fields[3], UINT32_MAX - 1);
    if (count == 0 || count > UINT32_MAX - inside || count > UINT32_MAX - outside)
        die_because("plan", fields[0], 0, "a range that is empty or has no end");
    return (struct id_range){.inside = inside, .outside = outside, .count = count};
}

const char *field_label(const char *keyword, const char *text)
{
    size_t length = strlen(text);
    if (length == 0 || length > 2048)
        refuse(keyword, "a name of 1 to 2048 bytes");
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < ' ')
            refuse(keyword, "a name with control characters");
    return text;
}
