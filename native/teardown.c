/* Programs of the host, started by the supervisor with nothing of the pod but their input. */
#include "teardown.h"

#include "die.h"
#include "paths.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIMIT_MILLISECONDS = 30000 };

static _Noreturn void execute(const struct teardown_record *teardown, int input)
{
    char *arguments[] = {(char *)(uintptr_t)teardown->program, NULL}, *environment[] = {NULL};
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (dup2(input, 0) == 0 && dup2(null, 1) == 1 && dup2(null, 2) == 2)
        execve(teardown->program, arguments, environment);
    _exit(127);
}

static void run_one(const struct teardown_record *teardown, int pod)
{
    cleanup_fd int input = open_beneath(pod, teardown->input, O_RDONLY);
    if (input < 0)
        return;
    pid_t pid = fork();
    if (pid == 0)
        execute(teardown, input);
    if (pid < 0)
        return;
    struct pollfd ended = {.fd = pidfd_open(pid, 0), .events = POLLIN};
    if (ended.fd < 0 || poll(&ended, 1, LIMIT_MILLISECONDS) != 1)
        kill(pid, SIGKILL);
    close_fd(&ended.fd);
    waitpid(pid, NULL, 0);
}

void teardown_run(const struct pod_plan *plan, int pod)
{
    for (size_t i = 0; i < plan->teardown_count; i++)
        run_one(&plan->teardowns[i], pod);
}
