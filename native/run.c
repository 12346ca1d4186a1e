/* run: becomes the supervisor of a pod. */
#include "die.h"
#include "events.h"
#include "namespaces.h"
#include "plan.h"
#include "self.h"
#include "sockets.h"
#include "supervisor.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>

enum { FAILED = 125, USAGE = 2 };

struct descriptors {
    int plan, events, pod;
    struct joined joined;
    /* A pod that nobody would miss its end of: it is killed when the process that started it ends, however that ends. */
    bool with_caller;
    /* Listening sockets, one behind the other. */
    int first_socket;
    size_t socket_count;
};

static int usage(void)
{
    static const char text[] = "usage: perigee-shim run PLAN EVENTS POD [--namespaces USER|- NET] [--report text|json | --with-caller] [--sockets FIRST COUNT]\n";
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    return USAGE;
}

/* Descriptors that are one behind the other; each must be open. */
static bool parse_sockets(char **argv, struct descriptors *descriptors)
{
    char *end;
    long count = strtol(argv[1], &end, 10);
    descriptors->first_socket = self_descriptor(argv[0]);
    if (descriptors->first_socket < 0 || argv[1][0] < '1' || argv[1][0] > '9' || *end != '\0' || count > MOST_SOCKETS)
        return false;
    descriptors->socket_count = (size_t)count;
    for (int i = 0; i < (int)count; i++)
        if (fcntl(descriptors->first_socket + i, F_GETFD) < 0)
            return false;
    return true;
}

/* Those made before the pod. */
static bool parse_namespaces(char **argv, struct descriptors *descriptors)
{
    bool has_user = strcmp(argv[0], "-") != 0;
    descriptors->joined = (struct joined){.user = has_user ? self_descriptor(argv[0]) : -1, .net = self_descriptor(argv[1])};
    return (!has_user || descriptors->joined.user >= 0) && descriptors->joined.net >= 0;
}

static bool parse(int argc, char **argv, struct descriptors *descriptors, enum report *report)
{
    *descriptors = (struct descriptors){.joined = {-1, -1}, .first_socket = -1};
    *report = REPORT_NONE;
    if (argc < 3)
        return false;
    descriptors->plan = self_descriptor(argv[0]);
    descriptors->events = self_descriptor(argv[1]);
    descriptors->pod = self_descriptor(argv[2]);
    int at = 3;
    if (at + 2 < argc && strcmp(argv[at], "--namespaces") == 0) {
        if (!parse_namespaces(argv + at + 1, descriptors))
            return false;
        at += 3;
    }
    if (at + 1 < argc && strcmp(argv[at], "--report") == 0 && (strcmp(argv[at + 1], "text") == 0 || strcmp(argv[at + 1], "json") == 0)) {
        *report = argv[at + 1][0] == 't' ? REPORT_TEXT : REPORT_JSON;
        at += 2;
    } else if (at < argc && strcmp(argv[at], "--with-caller") == 0) {
        descriptors->with_caller = true;
        at++;
    }
    if (at + 2 < argc && strcmp(argv[at], "--sockets") == 0) {
        if (!parse_sockets(argv + at + 1, descriptors))
            return false;
        at += 3;
    }
    return at == argc && descriptors->plan > 0 && descriptors->events > 0 && descriptors->pod > 0;
}

/* The descriptors that the caller named, ended by -1. */
static const int *kept_of(const struct descriptors *descriptors)
{
    static int kept[MOST_SOCKETS + 6];
    size_t count = 0;
    kept[count++] = descriptors->plan;
    kept[count++] = descriptors->events;
    kept[count++] = descriptors->pod;
    if (descriptors->joined.net >= 0)
        kept[count++] = descriptors->joined.net;
    if (descriptors->joined.user >= 0)
        kept[count++] = descriptors->joined.user;
    for (size_t i = 0; i < descriptors->socket_count; i++)
        kept[count++] = descriptors->first_socket + (int)i;
    kept[count] = -1;
    return kept;
}

static enum report report_as = REPORT_NONE;
static int report_to = -1;

static void report(const struct failure *failure)
{
    event_failed(report_to, failure);
    report_failure(report_as, failure);
}

static void end_with_caller(void)
{
    /* Asked after the request: a caller that ended before it is noticed by its closed end of the events. */
    struct pollfd events = {.fd = report_to, .events = POLLOUT};
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        die("supervisor", "", errno);
    if (poll(&events, 1, 0) == 1 && (events.revents & POLLERR) != 0)
        die_because("supervisor", "", 0, "the process that started the pod has ended");
}

/* Those of the plan that are there already: the rest of the plan says of them what it says of new ones. */
static void take_namespaces(struct pod_plan *plan, const struct joined *joined)
{
    bool has_user = (plan->namespaces & CLONE_NEWUSER) != 0, has_net = (plan->namespaces & CLONE_NEWNET) != 0;
    if (joined->net >= 0 && (!has_net || has_user != (joined->user >= 0)))
        die_because("plan", "namespace", 0, "not those that were made before the pod");
    plan->joined = *joined;
}

/* Before anything else is opened: what had this number by chance would be replaced in init, an app's output for example. */
static void reserve_listener(const struct pod_plan *plan)
{
    if (plan->listen_port == 0)
        return;
    cleanup_fd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0 || fcntl(LISTENER, F_GETFD) >= 0 || dup3(null, LISTENER, O_CLOEXEC) < 0)
        die_because("listen", "", errno, "the descriptor of init's socket is in use");
}

int verb_run(int argc, char **argv)
{
    struct descriptors descriptors;
    if (!parse(argc, argv, &descriptors, &report_as))
        return usage();
    report_to = descriptors.events;
    die_through(report, FAILED);
    self_secure("run", argc, argv, kept_of(&descriptors));
    if (descriptors.with_caller)
        end_with_caller();
    umask(022);
    if (fchdir(descriptors.pod) < 0 || flock(descriptors.pod, LOCK_EX | LOCK_NB) < 0)
        die("lock", "", errno);
    struct pod_plan *plan = plan_read(descriptors.plan);
    close(descriptors.plan);
    take_namespaces(plan, &descriptors.joined);
    sockets_assign(plan, descriptors.first_socket, descriptors.socket_count);
    reserve_listener(plan);
    if (!plan->is_foreground)
        setsid();
    return supervise(plan, descriptors.pod, descriptors.events, report_as);
}
