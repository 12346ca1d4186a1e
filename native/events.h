/* Writing one-line JSON objects: the events of `run` and the result lines of the other verbs (spec/shim.md). */
#ifndef PERIGEE_EVENTS_H
#define PERIGEE_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct failure;

/* One object being written. At most PIPE_BUF bytes, so that a line is written whole or not at all; a long text is cut short. */
struct line {
    size_t used;
    char text[4096];
};

void line_begin(struct line *line);
/* Bytes outside of printable ASCII become \u00XX, byte by byte, so that a line is valid and the reader can have the bytes back. */
void line_text(struct line *line, const char *key, const char *value);
void line_number(struct line *line, const char *key, long long value);
void line_boolean(struct line *line, const char *key, bool value);
/* Ends the object and writes it if the descriptor takes it at once: nobody waits for a reader who does not read. */
void line_send(struct line *line, int fd);

/* The events of `run`. `fd` below 0: nobody listens. */
void event_ready(int fd, int pid);
void event_app_ready(int fd, const char *app);
void event_app_started(int fd, const char *app, int pid);
void event_app_exited(int fd, const char *app, int status);
void event_handler_exited(int fd, const char *app, const char *handler, int status);
void event_failed(int fd, const struct failure *failure);
void event_attached(int fd, const char *app);
void event_exited(int fd, int status);

enum report { REPORT_NONE, REPORT_TEXT, REPORT_JSON };

/* Tells a person, on standard error, in the words and the form that the perigee command has for its own failures. */
void report_failure(enum report report, const struct failure *failure);
void report_enter_failure(enum report report, const struct failure *failure);
void report_lost_output(enum report report, int errnum, bool is_logged);
void report_attach_failure(enum report report, const struct failure *failure);
/* In the form of its warnings: output that came faster than it was taken. */
void report_missed_output(enum report report, uint64_t bytes);
/* In the form of its warnings: a post-stop handler that failed changes nothing. */
void report_post_stop(enum report report, const char *app, int status);

#endif
