/* Records of the pod, before its first app. */
#include "plan_records.h"

#include "die.h"

#include <string.h>

void read_uuid(struct reader *reader, char **fields)
{
    reader->plan->uuid = field_name(fields[0], fields[1]);
}

void read_hostname(struct reader *reader, char **fields)
{
    reader->plan->hostname = field_name(fields[0], fields[1]);
}

void read_namespace(struct reader *reader, char **fields)
{
    reader->plan->namespaces |= field_namespace(fields[0], fields[1]);
}

void read_uidmap(struct reader *reader, char **fields)
{
    ADD(reader->plan->uids, reader->plan->uid_count) = field_range(fields);
}

void read_gidmap(struct reader *reader, char **fields)
{
    ADD(reader->plan->gids, reader->plan->gid_count) = field_range(fields);
}

/* Two programs, or none: then both fields are empty. */
void read_unprivileged(struct reader *reader, char **fields)
{
    bool has_programs = fields[1][0] != '\0' || fields[2][0] != '\0';
    reader->plan->is_unprivileged = true;
    reader->plan->uid_mapper = has_programs ? field_inside_path(fields[0], fields[1]) : NULL;
    reader->plan->gid_mapper = has_programs ? field_inside_path(fields[0], fields[2]) : NULL;
}

void read_cgroup(struct reader *reader, char **fields)
{
    ADD(reader->plan->cgroups, reader->plan->cgroup_count) = (struct cgroup_record){.path = field_inside_path(fields[0], fields[1]), .directory = -1, .file = -1};
}

void read_device_filter(struct reader *reader, char **fields)
{
    reader->plan->filter_cgroup = field_inside_path(fields[0], fields[1]);
    reader->plan->filter = field_hex(fields[0], fields[2], 8, &reader->plan->filter_bytes);
}

void read_network_limit(struct reader *reader, char **fields)
{
    uint64_t bytes = field_number(fields[0], fields[2], INT64_MAX);
    if (bytes == 0)
        die_because("plan", fields[0], 0, "no rate");
    ADD(reader->plan->traffic, reader->plan->traffic_count) = (struct traffic_record){.cgroup = field_inside_path(fields[0], fields[1]), .bytes = bytes};
}

void read_remove_cgroup(struct reader *reader, char **fields)
{
    ADD(reader->plan->removals, reader->plan->removal_count) = field_inside_path(fields[0], fields[1]);
}

void read_sysctl(struct reader *reader, char **fields)
{
    ADD(reader->plan->sysctls, reader->plan->sysctl_count) = (struct sysctl_record){.key = fields[1], .value = fields[2]};
}

void read_loopback(struct reader *reader, char **fields)
{
    (void)fields;
    reader->plan->has_loopback = true;
}

void read_listen(struct reader *reader, char **fields)
{
    reader->plan->listen_port = (uint16_t)field_number(fields[0], fields[1], UINT16_MAX);
    if (reader->plan->listen_port < 1024)
        die_because("plan", fields[0], 0, "a port below 1024 may be a program's of the pod");
}

void read_foreground(struct reader *reader, char **fields)
{
    (void)fields;
    reader->plan->is_foreground = true;
}

void read_attach(struct reader *reader, char **fields)
{
    (void)fields;
    reader->plan->is_attachable = true;
}

void read_notify_caller(struct reader *reader, char **fields)
{
    reader->plan->notify_caller = field_path(fields[0], fields[1]);
}

void read_teardown(struct reader *reader, char **fields)
{
    ADD(reader->plan->teardowns, reader->plan->teardown_count) =
        (struct teardown_record){.program = field_inside_path(fields[0], fields[1]), .input = field_path(fields[0], fields[2])};
}

static struct teardown_record *last_teardown(struct reader *reader, const char *keyword)
{
    if (reader->plan->teardown_count == 0)
        die_because("plan", keyword, 0, "a record out of its place");
    return &reader->plan->teardowns[reader->plan->teardown_count - 1];
}

void read_teardown_env(struct reader *reader, char **fields)
{
    struct teardown_record *teardown = last_teardown(reader, fields[0]);
    if (fields[1][0] == '=' || strchr(fields[1], '=') == NULL)
        die_because("plan", fields[0], 0, "not NAME=VALUE");
    ADD(teardown->environment, teardown->environment_count) = fields[1];
}

void read_teardown_net(struct reader *reader, char **fields)
{
    last_teardown(reader, fields[0])->network = field_name(fields[0], fields[1]);
}
