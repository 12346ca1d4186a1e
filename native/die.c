#include "die.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int report_fd = STDERR_FILENO;
static int report_status = 1;

void die_report_to(int fd, int status)
{
    report_fd = fd;
    report_status = status;
}

const char *errno_name(int errnum)
{
    const char *name = strerrorname_np(errnum);
    return name != NULL ? name : "E?";
}

/* Bytes of `text` as the inside of a JSON string; what is not plain ASCII becomes \u00XX, so the line is valid whatever the text. */
static size_t append_escaped(char *out, size_t used, size_t size, const char *text)
{
    for (; *text != '\0' && used + 8 < size; text++) {
        unsigned char c = (unsigned char)*text;
        int n = c == '"' || c == '\\' ? snprintf(out + used, size - used, "\\%c", c)
              : c < 0x20 || c >= 0x7f ? snprintf(out + used, size - used, "\\u%04x", c)
                                      : snprintf(out + used, size - used, "%c", c);
        used += (size_t)n;
    }
    return used;
}

static size_t append(char *out, size_t used, size_t size, const char *text)
{
    size_t length = strlen(text);
    if (length >= size - used)
        length = size - used - 1;
    memcpy(out + used, text, length);
    return used + length;
}

static _Noreturn void report(int status, const char *step, const char *subject, int errnum, const char *message)
{
    char line[8192];
    size_t room = sizeof line - 64, used = 0;
    used = append(line, used, room, "{\"event\":\"failed\",\"step\":\"");
    used = append_escaped(line, used, room, step);
    used = append(line, used, room, "\",\"subject\":\"");
    used = append_escaped(line, used, room, subject != NULL ? subject : "");
    used = append(line, used, room, "\",\"errno\":\"");
    used = append(line, used, room, errnum != 0 ? errno_name(errnum) : "");
    used = append(line, used, room, "\",\"message\":\"");
    used = append_escaped(line, used, room, message);
    used = append(line, used, sizeof line, "\"}\n");
    ssize_t ignored = write(report_fd, line, used);
    (void)ignored;
    _exit(status);
}

void die_because(const char *step, const char *subject, int errnum, const char *message)
{
    report(report_status, step, subject, errnum, message);
}

void die(const char *step, const char *subject, int errnum)
{
    report(report_status, step, subject, errnum, errnum != 0 ? strerror(errnum) : "refused");
}

void die_with_status(int status, const char *step, const char *subject, int errnum)
{
    report(status, step, subject, errnum, strerror(errnum));
}

void *must_allocate(size_t size)
{
    void *memory = calloc(1, size);
    if (memory == NULL)
        die("allocate", "", 12);
    return memory;
}
