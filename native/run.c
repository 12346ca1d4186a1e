/* run: becomes the supervisor of a pod. */
#include "die.h"
#include "events.h"
#include "plan.h"
#include "self.h"
#include "supervisor.h"
#include "verbs.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>

enum { FAILED = 125, USAGE = 2 };

struct descriptors {
    int plan, events, pod;
    /* A pod that nobody would miss its end of: it is killed when the process that started it ends, however that ends. */
    bool with_caller;
};

static int usage(void)
{
    static const char text[] = "usage: perigee-shim run PLAN EVENTS POD [--report text|json | --with-caller]\n";
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    return USAGE;
}

static bool parse(int argc, char **argv, struct descriptors *descriptors, enum report *report)
{
    bool has_report = argc == 5 && strcmp(argv[3], "--report") == 0 && (strcmp(argv[4], "text") == 0 || strcmp(argv[4], "json") == 0);
    bool with_caller = argc == 4 && strcmp(argv[3], "--with-caller") == 0;
    if (argc != 3 && !has_report && !with_caller)
        return false;
    *descriptors = (struct descriptors){.plan = self_descriptor(argv[0]), .events = self_descriptor(argv[1]), .pod = self_descriptor(argv[2]), .with_caller = with_caller};
    *report = !has_report ? REPORT_NONE : argv[4][0] == 't' ? REPORT_TEXT : REPORT_JSON;
    return descriptors->plan > 0 && descriptors->events > 0 && descriptors->pod > 0;
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

int verb_run(int argc, char **argv)
{
    struct descriptors descriptors;
    if (!parse(argc, argv, &descriptors, &report_as))
        return usage();
    report_to = descriptors.events;
    die_through(report, FAILED);
    self_secure("run", argc, argv, (const int[]){descriptors.plan, descriptors.events, descriptors.pod, -1});
    if (descriptors.with_caller)
        end_with_caller();
    umask(022);
    if (fchdir(descriptors.pod) < 0 || flock(descriptors.pod, LOCK_EX | LOCK_NB) < 0)
        die("lock", "", errno);
    struct pod_plan *plan = plan_read(descriptors.plan);
    close(descriptors.plan);
    if (!plan->is_foreground)
        setsid();
    return supervise(plan, descriptors.pod, descriptors.events, report_as);
}
