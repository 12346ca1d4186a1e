/* The program executes itself once more through a read-only mount of its own file. Whoever in the pod gets at /proc/PID/exe of one of our
 * processes, by ptrace rights or by making us execute `#!/proc/self/exe`, then has a file that no privilege can write to (CVE-2019-5736,
 * T-R01). It takes 0.3 ms; a sealed copy in memory would cost every pod 0.9 MB as well. An ordinary user has no right to such a mount, and may
 * own the file: there it is that copy. */
#include "self.h"

#include "descriptors.h"
#include "die.h"
#include "mounts.h"
#include "plan.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

int self_descriptor(const char *text)
{
    char *end;
    long number = strtol(text, &end, 10);
    return text[0] >= '1' && text[0] <= '9' && *end == '\0' && number > STDERR_FILENO && number < 1 << 20 && fcntl((int)number, F_GETFD) >= 0 ? (int)number : -1;
}

void self_arrange(const int *descriptors)
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

static bool is_readonly(int self)
{
    struct statvfs status;
    if (fstatvfs(self, &status) < 0)
        die("read-only", "/proc/self/exe", errno);
    int seals = fcntl(self, F_GET_SEALS);
    return (status.f_flag & ST_RDONLY) != 0 || (seals >= 0 && (seals & F_SEAL_WRITE) != 0);
}

static int readonly_mount(int self)
{
    int mount = mount_clone(self, "", false, "/proc/self/exe");
    mount_restrict(mount, FLAG_RO | FLAG_NOSUID | FLAG_NODEV, "/proc/self/exe");
    return mount;
}

static int sealed_copy(int self)
{
    struct stat status;
    off_t offset = 0;
    int copy = memfd_create("perigee-shim", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
    /* Linux 6.3 has the flag. */
    if (copy < 0 && errno == EINVAL)
        copy = memfd_create("perigee-shim", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (copy < 0 || fstat(self, &status) < 0)
        die("read-only", "/proc/self/exe", errno);
    while (offset < status.st_size)
        if (sendfile(copy, self, &offset, (size_t)(status.st_size - offset)) <= 0)
            die("read-only", "/proc/self/exe", errno);
    if (fcntl(copy, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
        die("read-only", "/proc/self/exe", errno);
    return copy;
}

static void execute_readonly(const char *verb, int argc, char **argv)
{
    char *environment[] = {NULL};
    cleanup_fd int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (self < 0)
        die("read-only", "/proc/self/exe", errno);
    if (is_readonly(self))
        return;
    const char **arguments = must_allocate(((size_t)argc + 3) * sizeof *arguments);
    arguments[0] = "perigee-shim";
    arguments[1] = verb;
    for (int i = 0; i < argc; i++)
        arguments[i + 2] = argv[i];
    cleanup_fd int program = geteuid() == 0 ? readonly_mount(self) : sealed_copy(self);
    execveat(program, "", (char *const *)arguments, environment, AT_EMPTY_PATH);
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
    self_arrange(kept);
    execute_readonly(verb, argc, argv);
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NAME, "perigee-shim") < 0)
        die("supervisor", "", errno);
    for (const int *fd = kept; *fd >= 0; fd++)
        if (fcntl(*fd, F_SETFD, FD_CLOEXEC) < 0)
            die("descriptors", "", errno);
    hold_signals();
}
