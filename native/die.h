/* Failing: one function, one line of JSON, one exit status. The shim is a one-shot program: what it opened is closed by its end. */
#ifndef PERIGEE_DIE_H
#define PERIGEE_DIE_H

#include <stddef.h>
#include <unistd.h>

/* Where failures are reported and with which status `die` exits. Set once by the verb before its work. */
void die_report_to(int fd, int status);

/* Reports {"event":"failed",…} and exits. `errnum` 0 means no system error. `subject` is foreign text and printed escaped. */
_Noreturn void die(const char *step, const char *subject, int errnum);

/* As die, with a sentence that says more than strerror. */
_Noreturn void die_because(const char *step, const char *subject, int errnum, const char *message);

/* As die, with an exit status of its own: 126 and 127 of a program that cannot be executed or found. */
_Noreturn void die_with_status(int status, const char *step, const char *subject, int errnum);

/* "ENOENT" for 2; "E?" for a number without a name here. */
const char *errno_name(int errnum);

/* Memory or the end. */
void *must_allocate(size_t size);

static inline void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
/* For a descriptor that is closed when its scope ends. */
#define cleanup_fd __attribute__((cleanup(close_fd)))

#endif
