/* Programs of the host, started by the supervisor with nothing of the pod but their input. */
#include "teardown.h"

#include "die.h"
#include "paths.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* NETWORK: the descriptor of the namespace, in the program. */
enum { LIMIT_MILLISECONDS = 30000, NETWORK = 3 };

/* What the plan says, and where the pod's network namespace is: a descriptor of the program's own, so that programs it starts find it too. */
static char **environment_of(const struct teardown_record *teardown, int network)
{
    static char place[256];
    char **environment = must_allocate((teardown->environment_count + 2) * sizeof *environment);
    size_t count = 0;
    for (; count < teardown->environment_count; count++)
        environment[count] = teardown->environment[count];
    if (teardown->network != NULL && network >= 0) {
        snprintf(place, sizeof place, "%.200s=/proc/%d/fd/%d", teardown->network, getpid(), (int)NETWORK);
        environment[count++] = place;
    }
    environment[count] = NULL;
    return environment;
}

static _Noreturn void execute(const struct teardown_record *teardown, int input, int network)
{
    char *arguments[] = {(char *)(uintptr_t)teardown->program, NULL}, **environment = environment_of(teardown, network);
    /* All above what they become, so that none takes the place of another. */
    int null = fcntl(open("/dev/null", O_WRONLY | O_CLOEXEC), F_DUPFD_CLOEXEC, NETWORK + 1);
    int kept = network < 0 ? -1 : fcntl(network, F_DUPFD_CLOEXEC, NETWORK + 1), given = fcntl(input, F_DUPFD_CLOEXEC, NETWORK + 1);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    setpgid(0, 0);
    if (kept >= 0)
        dup2(kept, NETWORK);
    if (dup2(given, 0) == 0 && dup2(null, 1) == 1 && dup2(null, 2) == 2)
        execve(teardown->program, arguments, environment);
    _exit(127);
}

static void run_one(const struct teardown_record *teardown, int pod, int network)
{
    cleanup_fd int input = open_beneath(pod, teardown->input, O_RDONLY);
    if (input < 0)
        return;
    pid_t pid = fork();
    if (pid == 0)
        execute(teardown, input, network);
    if (pid < 0)
        return;
    struct pollfd ended = {.fd = pidfd_open(pid, 0), .events = POLLIN};
    int status = -1;
    if (ended.fd < 0 || poll(&ended, 1, LIMIT_MILLISECONDS) != 1) {
        kill(-pid, SIGKILL);
        kill(pid, SIGKILL);
    }
    close_fd(&ended.fd);
    /* What is done needs no doing again: gc goes by the files that are left. */
    if (waitpid(pid, &status, 0) == pid && status == 0)
        (void)!unlinkat(pod, teardown->input, 0);
}

void teardown_run(const struct pod_plan *plan, int pod)
{
    for (size_t i = 0; i < plan->teardown_count; i++)
        run_one(&plan->teardowns[i], pod, plan->joined.net);
}
