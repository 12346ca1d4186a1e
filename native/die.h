/* Failing: one function, one report, one exit status. The shim is a one-shot program: what it opened is closed by its end. */
#ifndef PERIGEE_DIE_H
#define PERIGEE_DIE_H

#include <stddef.h>
#include <unistd.h>

/* What went wrong. `step` is a word of ours; `subject` is foreign text and always shown escaped; `errnum` 0: no system error. */
struct failure {
    const char *step;
    const char *subject;
    int errnum;
    const char *message;
    int status;
};

/* Where failures are reported, as {"event":"failed",…}, and with which status `die` exits. Set once by the verb before its work. */
void die_report_to(int fd, int status);

/* For processes that have more to do before they end than to write a line: `reporter` is called instead, then _exit(failure->status). */
void die_through(void (*reporter)(const struct failure *failure), int status);

/* Reports and exits. */
_Noreturn void die(const char *step, const char *subject, int errnum);

/* As die, with a sentence that says more than strerror. */
_Noreturn void die_because(const char *step, const char *subject, int errnum, const char *message);

/* As die, with an exit status of its own: 126 and 127 of a program that cannot be executed or found. `message` NULL: strerror's. */
_Noreturn void die_with_status(int status, const char *step, const char *subject, int errnum, const char *message);

/* "ENOENT" for 2; "E?" for a number without a name here. */
const char *errno_name(int errnum);

/* Memory, zeroed, or the end. */
void *must_allocate(size_t size);

static inline void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
/* For a descriptor that is closed when its scope ends. */
#define cleanup_fd __attribute__((cleanup(close_fd)))

#endif
