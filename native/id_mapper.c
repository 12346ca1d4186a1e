/* These programs are set-user-ID root: they decide by themselves what the caller may map, and get from us a pid and numbers. */
#include "id_mapper.h"

#include "die.h"
#include "namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum { MOST_RANGES = 64, NUMBER_BYTES = 12, FAILED = 127 };

static _Noreturn void execute(const char *program, char *const *arguments, int errors)
{
    char *environment[] = {NULL};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(null, STDOUT_FILENO) >= 0 && dup2(errors, STDERR_FILENO) >= 0 && close_range(STDERR_FILENO + 1, ~0U, 0) == 0)
        execve(program, arguments, environment);
    dprintf(STDERR_FILENO, "%s", strerror(errno));
    _exit(FAILED);
}

/* The first line, without its end. */
static void read_complaint(int from, char *text, size_t size)
{
    size_t used = 0;
    for (ssize_t length; used + 1 < size && (length = read(from, text + used, size - used - 1)) > 0;)
        used += (size_t)length;
    text[used] = '\0';
    text[strcspn(text, "\n")] = '\0';
}

void id_mapper_run(const char *program, pid_t pid, const struct id_range *ranges, size_t count)
{
    char numbers[MOST_RANGES * 3 + 1][NUMBER_BYTES], complaint[160];
    char *arguments[MOST_RANGES * 3 + 3] = {(char *)program, numbers[0]};
    int ends[2], status = -1;
    if (count > MOST_RANGES)
        die_because("id-map", program, 0, "more than 64 ranges");
    snprintf(numbers[0], NUMBER_BYTES, "%d", pid);
    for (size_t i = 0; i < count * 3; i++) {
        const struct id_range *range = &ranges[i / 3];
        snprintf(numbers[i + 1], NUMBER_BYTES, "%u", i % 3 == 0 ? range->inside : i % 3 == 1 ? range->outside : range->count);
        arguments[i + 2] = numbers[i + 1];
    }
    if (pipe2(ends, O_CLOEXEC) < 0)
        die("id-map", program, errno);
    pid_t child = clone_process(0, -1);
    if (child == 0)
        execute(program, arguments, ends[1]);
    close(ends[1]);
    cleanup_fd int from = ends[0];
    if (child < 0)
        die("id-map", program, -child);
    read_complaint(from, complaint, sizeof complaint);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        die_because("id-map", program, 0, complaint[0] != '\0' ? complaint : "it did not map the ids");
}
