/* run: becomes the supervisor of a pod. */
#include "die.h"
#include "events.h"
#include "plan.h"
#include "self.h"
#include "supervisor.h"
#include "verbs.h"

#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
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
};

static int usage(void)
{
    static const char text[] = "usage: perigee-shim run PLAN EVENTS POD [--namespaces USER|- NET] [--report text|json | --with-caller]\n";
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    return USAGE;
}

/* What follows the three descriptors. */
static bool parse_options(int argc, char **argv, struct descriptors *descriptors, enum report *report)
{
    if (argc >= 3 && strcmp(argv[0], "--namespaces") == 0) {
        bool has_user = strcmp(argv[1], "-") != 0;
        descriptors->joined = (struct joined){.user = has_user ? self_descriptor(argv[1]) : -1, .net = self_descriptor(argv[2])};
        if ((has_user && descriptors->joined.user < 0) || descriptors->joined.net < 0)
            return false;
        argc -= 3;
        argv += 3;
    }
    bool has_report = argc == 2 && strcmp(argv[0], "--report") == 0 && (strcmp(argv[1], "text") == 0 || strcmp(argv[1], "json") == 0);
    descriptors->with_caller = argc == 1 && strcmp(argv[0], "--with-caller") == 0;
    *report = !has_report ? REPORT_NONE : argv[1][0] == 't' ? REPORT_TEXT : REPORT_JSON;
    return argc == 0 || has_report || descriptors->with_caller;
}

static bool parse(int argc, char **argv, struct descriptors *descriptors, enum report *report)
{
    if (argc < 3)
        return false;
    *descriptors = (struct descriptors){.plan = self_descriptor(argv[0]), .events = self_descriptor(argv[1]), .pod = self_descriptor(argv[2]), .joined = {-1, -1}};
    return descriptors->plan > 0 && descriptors->events > 0 && descriptors->pod > 0 && parse_options(argc - 3, argv + 3, descriptors, report);
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

int verb_run(int argc, char **argv)
{
    struct descriptors descriptors;
    if (!parse(argc, argv, &descriptors, &report_as))
        return usage();
    report_to = descriptors.events;
    die_through(report, FAILED);
    int kept[6] = {descriptors.plan, descriptors.events, descriptors.pod};
    size_t count = 3;
    if (descriptors.joined.net >= 0)
        kept[count++] = descriptors.joined.net;
    if (descriptors.joined.user >= 0)
        kept[count++] = descriptors.joined.user;
    kept[count] = -1;
    self_secure("run", argc, argv, kept);
    if (descriptors.with_caller)
        end_with_caller();
    umask(022);
    if (fchdir(descriptors.pod) < 0 || flock(descriptors.pod, LOCK_EX | LOCK_NB) < 0)
        die("lock", "", errno);
    struct pod_plan *plan = plan_read(descriptors.plan);
    close(descriptors.plan);
    take_namespaces(plan, &descriptors.joined);
    if (!plan->is_foreground)
        setsid();
    return supervise(plan, descriptors.pod, descriptors.events, report_as);
}
