/* How this program ends when something fails. Knows nothing of verbs; they say once where a report goes. */
#include "die.h"

#include "events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void write_line(const struct failure *failure);

static int report_fd = STDERR_FILENO;
static int report_status = 1;
static void (*report)(const struct failure *failure) = write_line;

static void write_line(const struct failure *failure)
{
    event_failed(report_fd, failure);
}

void die_report_to(int fd, int status)
{
    report_fd = fd;
    report_status = status;
    report = write_line;
}

void die_through(void (*reporter)(const struct failure *failure), int status)
{
    report_status = status;
    report = reporter;
}

const char *errno_name(int errnum)
{
    const char *name = strerrorname_np(errnum);
    return name != NULL ? name : "E?";
}

static _Noreturn void fail(int status, const char *step, const char *subject, int errnum, const char *message)
{
    struct failure failure = {.step = step, .subject = subject != NULL ? subject : "", .errnum = errnum, .message = message, .status = status};
    report(&failure);
    _exit(status);
}

void die_because(const char *step, const char *subject, int errnum, const char *message)
{
    fail(report_status, step, subject, errnum, message);
}

void die(const char *step, const char *subject, int errnum)
{
    fail(report_status, step, subject, errnum, errnum != 0 ? strerror(errnum) : "refused");
}

void die_with_status(int status, const char *step, const char *subject, int errnum, const char *message)
{
    fail(status, step, subject, errnum, message != NULL ? message : strerror(errnum));
}

void *must_allocate(size_t size)
{
    void *memory = calloc(1, size);
    if (memory == NULL)
        die("allocate", "", ENOMEM);
    return memory;
}
