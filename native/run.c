/* run: becomes the supervisor of a pod.
 *
 * First it executes itself once more through a read-only mount of its own file. Whoever in the pod gets at /proc/PID/exe of one of our
 * processes, by ptrace rights or by making us execute `#!/proc/self/exe`, then has a file that no privilege can write to (CVE-2019-5736,
 * T-R01). It takes 0.3 ms; a sealed copy in memory would cost every pod 0.9 MB as well. */
#include "descriptors.h"
#include "die.h"
#include "events.h"
#include "mounts.h"
#include "plan.h"
#include "supervisor.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

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

/* -1 if it is not the number of an open descriptor above the standard ones. */
static int descriptor_of(const char *text)
{
    char *end;
    long number = strtol(text, &end, 10);
    return text[0] >= '1' && text[0] <= '9' && *end == '\0' && number > STDERR_FILENO && number < 1 << 20 && fcntl((int)number, F_GETFD) >= 0 ? (int)number : -1;
}

static bool parse(int argc, char **argv, struct descriptors *descriptors, enum report *report)
{
    bool has_report = argc == 5 && strcmp(argv[3], "--report") == 0 && (strcmp(argv[4], "text") == 0 || strcmp(argv[4], "json") == 0);
    bool with_caller = argc == 4 && strcmp(argv[3], "--with-caller") == 0;
    if (argc != 3 && !has_report && !with_caller)
        return false;
    *descriptors = (struct descriptors){.plan = descriptor_of(argv[0]), .events = descriptor_of(argv[1]), .pod = descriptor_of(argv[2]), .with_caller = with_caller};
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

/* Nothing that the caller has open besides what it names comes along (T-R03); what is missing of 0 to 2 must not become something else. */
static void arrange_descriptors(const struct descriptors *descriptors)
{
    int missing;
    do
        missing = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (missing >= 0 && missing <= STDERR_FILENO && fcntl(missing, F_SETFD, 0) == 0);
    descriptors_keep((const int[]){descriptors->plan, descriptors->events, descriptors->pod}, 3, STDERR_FILENO + 1);
}

static void execute_readonly(int argc, char **argv)
{
    char *arguments[8] = {(char[]){"perigee-shim"}, (char[]){"run"}}, *environment[] = {NULL};
    struct statvfs status;
    cleanup_fd int self = open("/proc/self/exe", O_PATH | O_CLOEXEC);
    if (self < 0 || fstatvfs(self, &status) < 0)
        die("read-only", "/proc/self/exe", errno);
    if ((status.f_flag & ST_RDONLY) != 0)
        return;
    for (int i = 0; i < argc && i < 5; i++)
        arguments[i + 2] = argv[i];
    cleanup_fd int mount = mount_clone(self, "", false, "/proc/self/exe");
    mount_restrict(mount, FLAG_RO | FLAG_NOSUID | FLAG_NODEV, "/proc/self/exe");
    execveat(mount, "", arguments, environment, AT_EMPTY_PATH);
    die("read-only", "/proc/self/exe", errno);
}

static void close_on_execute(const struct descriptors *descriptors)
{
    for (const int *fd = (const int[]){descriptors->plan, descriptors->events, descriptors->pod, -1}; *fd >= 0; fd++)
        if (fcntl(*fd, F_SETFD, FD_CLOEXEC) < 0)
            die("descriptors", "", errno);
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

/* Everything is taken by signalfd. SIGPIPE and the like, which stage0 may have ignored, are set back by each app for itself. */
static void hold_signals(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
}

int verb_run(int argc, char **argv)
{
    struct descriptors descriptors;
    if (!parse(argc, argv, &descriptors, &report_as))
        return usage();
    report_to = descriptors.events;
    die_through(report, FAILED);
    arrange_descriptors(&descriptors);
    execute_readonly(argc, argv);
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NAME, "perigee-shim") < 0)
        die("supervisor", "", errno);
    close_on_execute(&descriptors);
    hold_signals();
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
