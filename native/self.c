/* The program executes itself once more through a read-only mount of its own file. Whoever in the pod gets at /proc/PID/exe of one of our
 * processes, by ptrace rights or by making us execute `#!/proc/self/exe`, then has a file that no privilege can write to (CVE-2019-5736,
 * T-R01). It takes 0.3 ms; a sealed copy in memory would cost every pod 0.9 MB as well. */
#include "self.h"

#include "descriptors.h"
#include "die.h"
#include "mounts.h"
#include "plan.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>

int self_descriptor(const char *text)
{
    char *end;
    long number = strtol(text, &end, 10);
    return text[0] >= '1' && text[0] <= '9' && *end == '\0' && number > STDERR_FILENO && number < 1 << 20 && fcntl((int)number, F_GETFD) >= 0 ? (int)number : -1;
}

/* Nothing that the caller has open besides what it names comes along (T-R03); what is missing of 0 to 2 must not become something else. */
static void arrange_descriptors(const int *descriptors)
{
    size_t count = 0;
    int missing;
    do
        missing = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (missing >= 0 && missing <= STDERR_FILENO && fcntl(missing, F_SETFD, 0) == 0);
    while (descriptors[count] >= 0)
        count++;
    descriptors_keep(descriptors, count, STDERR_FILENO + 1);
}

static void execute_readonly(const char *verb, int argc, char **argv)
{
    char *environment[] = {NULL};
    struct statvfs status;
    cleanup_fd int self = open("/proc/self/exe", O_PATH | O_CLOEXEC);
    if (self < 0 || fstatvfs(self, &status) < 0)
        die("read-only", "/proc/self/exe", errno);
    if ((status.f_flag & ST_RDONLY) != 0)
        return;
    const char **arguments = must_allocate(((size_t)argc + 3) * sizeof *arguments);
    arguments[0] = "perigee-shim";
    arguments[1] = verb;
    for (int i = 0; i < argc; i++)
        arguments[i + 2] = argv[i];
    cleanup_fd int mount = mount_clone(self, "", false, "/proc/self/exe");
    mount_restrict(mount, FLAG_RO | FLAG_NOSUID | FLAG_NODEV, "/proc/self/exe");
    execveat(mount, "", (char *const *)arguments, environment, AT_EMPTY_PATH);
    die("read-only", "/proc/self/exe", errno);
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

void self_secure(const char *verb, int argc, char **argv, const int *kept)
{
    arrange_descriptors(kept);
    execute_readonly(verb, argc, argv);
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NAME, "perigee-shim") < 0)
        die("supervisor", "", errno);
    for (const int *fd = kept; *fd >= 0; fd++)
        if (fcntl(*fd, F_SETFD, FD_CLOEXEC) < 0)
            die("descriptors", "", errno);
    hold_signals();
}
