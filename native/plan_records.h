/* Reading single records of the plan: what plan.c's table calls. A defect is a failure of step `plan`. */
#ifndef PERIGEE_PLAN_RECORDS_H
#define PERIGEE_PLAN_RECORDS_H

#include "plan.h"

struct reader {
    struct pod_plan *plan;
    /* NULL before the first record `app`. */
    struct app_plan *app;
};

/* The new last element of an array of a struct: an lvalue. */
#define ADD(array, count) (*(__typeof__(array))plan_add(&(array), &(count), sizeof *(array)))

/* Records of the pod. `fields[0]` is the keyword, the fields follow. */
void read_uuid(struct reader *reader, char **fields);
void read_hostname(struct reader *reader, char **fields);
void read_namespace(struct reader *reader, char **fields);
void read_uidmap(struct reader *reader, char **fields);
void read_gidmap(struct reader *reader, char **fields);
void read_unprivileged(struct reader *reader, char **fields);
void read_cgroup(struct reader *reader, char **fields);
void read_device_filter(struct reader *reader, char **fields);
void read_network_limit(struct reader *reader, char **fields);
void read_remove_cgroup(struct reader *reader, char **fields);
void read_sysctl(struct reader *reader, char **fields);
void read_loopback(struct reader *reader, char **fields);
void read_listen(struct reader *reader, char **fields);
void read_foreground(struct reader *reader, char **fields);
void read_attach(struct reader *reader, char **fields);
void read_notify_caller(struct reader *reader, char **fields);
void read_teardown(struct reader *reader, char **fields);
void read_teardown_env(struct reader *reader, char **fields);
void read_teardown_net(struct reader *reader, char **fields);

#endif
