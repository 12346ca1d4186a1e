/* One-line JSON and the report for people. Knows nothing of who listens. */
#include "events.h"

#include "die.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

/* What every text leaves free for the fields after it, and for the end of the line. */
enum { RESERVED = 512 };

/* How long a report waits for whoever reads standard error: a pod does not hang on it. */
enum { READER_MILLISECONDS = 1000 };

static void append(struct line *line, const char *text)
{
    size_t length = strlen(text), room = sizeof line->text - line->used - 3;
    if (length > room)
        length = room;
    memcpy(line->text + line->used, text, length);
    line->used += length;
}

static void append_key(struct line *line, const char *key)
{
    append(line, line->used == 1 ? "\"" : ",\"");
    append(line, key);
    append(line, "\":");
}

void line_begin(struct line *line)
{
    line->used = 0;
    append(line, "{");
}

void line_text(struct line *line, const char *key, const char *value)
{
    append_key(line, key);
    append(line, "\"");
    size_t limit = line->used < 2048 ? 2560 : sizeof line->text - RESERVED;
    for (; *value != '\0' && line->used + 8 < limit; value++) {
        unsigned char c = (unsigned char)*value;
        char escaped[8] = {(char)c, '\0'};
        if (c == '"' || c == '\\')
            snprintf(escaped, sizeof escaped, "\\%c", c);
        else if (c < 0x20 || c >= 0x7f)
            snprintf(escaped, sizeof escaped, "\\u%04x", c);
        append(line, escaped);
    }
    append(line, "\"");
}

void line_number(struct line *line, const char *key, long long value)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%lld", value);
    append_key(line, key);
    append(line, digits);
}

void line_boolean(struct line *line, const char *key, bool value)
{
    append_key(line, key);
    append(line, value ? "true" : "false");
}

void line_send(struct line *line, int fd)
{
    struct pollfd writable = {.fd = fd, .events = POLLOUT};
    append(line, "}");
    line->text[line->used++] = '\n';
    if (fd < 0 || poll(&writable, 1, 0) != 1)
        return;
    ssize_t ignored = write(fd, line->text, line->used);
    (void)ignored;
}

static void begin_event(struct line *line, const char *event)
{
    line_begin(line);
    line_text(line, "event", event);
}

void event_ready(int fd, int pid)
{
    struct line line;
    begin_event(&line, "ready");
    line_number(&line, "pid", pid);
    line_send(&line, fd);
}

void event_app_started(int fd, const char *app, int pid)
{
    struct line line;
    begin_event(&line, "app-started");
    line_text(&line, "app", app);
    line_number(&line, "pid", pid);
    line_send(&line, fd);
}

void event_app_ready(int fd, const char *app)
{
    struct line line;
    begin_event(&line, "app-ready");
    line_text(&line, "app", app);
    line_send(&line, fd);
}

void event_app_exited(int fd, const char *app, int status)
{
    struct line line;
    begin_event(&line, "app-exited");
    line_text(&line, "app", app);
    line_number(&line, "status", status);
    line_send(&line, fd);
}

void event_handler_exited(int fd, const char *app, const char *handler, int status)
{
    struct line line;
    begin_event(&line, "handler-exited");
    line_text(&line, "app", app);
    line_text(&line, "handler", handler);
    line_number(&line, "status", status);
    line_send(&line, fd);
}

void event_failed(int fd, const struct failure *failure)
{
    struct line line;
    begin_event(&line, "failed");
    line_text(&line, "step", failure->step);
    line_text(&line, "subject", failure->subject);
    line_text(&line, "errno", failure->errnum != 0 ? errno_name(failure->errnum) : "");
    line_text(&line, "message", failure->message);
    line_send(&line, fd);
}

void event_attached(int fd, const char *app)
{
    struct line line;
    begin_event(&line, "attached");
    line_text(&line, "app", app);
    line_send(&line, fd);
}

void event_exited(int fd, int status)
{
    struct line line;
    begin_event(&line, "exited");
    line_number(&line, "status", status);
    line_send(&line, fd);
}

/* Foreign text for a terminal: what is not printable ASCII is shown as \xNN (T-R47). */
static void append_printable(struct line *line, const char *text)
{
    for (; *text != '\0' && line->used + 8 < sizeof line->text - RESERVED; text++) {
        unsigned char c = (unsigned char)*text;
        char shown[8];
        snprintf(shown, sizeof shown, c >= 0x20 && c < 0x7f ? "%c" : "\\x%02x", c);
        append(line, shown);
    }
}

/* The same answers as in src/shim/events.ts; a test holds them together. */
static const char *code_of(int status)
{
    return status == 126 ? "NOT_EXECUTABLE" : status == 127 ? "EXEC_NOT_FOUND" : "SHIM_FAILED";
}

static bool is_directory_of_app(const struct failure *failure)
{
    return strcmp(failure->step, "cwd") == 0;
}

/* A handler that failed, or could not be executed. */
static bool is_pre_start(const struct failure *failure)
{
    return strcmp(failure->step, "pre-start") == 0;
}

static const char *sentence_of(const struct failure *failure, bool is_entering)
{
    if (is_pre_start(failure))
        return "the pre-start handler failed, so the app was not started: ";
    if (failure->status == 126)
        return is_entering ? "the command cannot be executed: " : "the app's program cannot be executed: ";
    if (failure->status == 127)
        return is_entering ? "the command is not in the app: " : "the app's program is not in the image: ";
    if (is_directory_of_app(failure))
        return "the app's working directory cannot be entered: ";
    return is_entering ? "the app could not be entered: " : "the pod could not be run: ";
}

static const char *hint_of(const struct failure *failure, bool is_entering)
{
    if (is_pre_start(failure))
        return "the handler's own output says why; the app starts when it ends with 0";
    if (failure->errnum == EMFILE)
        return "ulimit -n 1024, and run it again";
    if (is_entering)
        return failure->status == 125 ? "perigee status shows what of the pod runs" : "name a program that the app has";
    if (failure->status == 126)
        return "make it executable in the image, or name another program with --exec";
    if (failure->status == 127)
        return "name a program that is in the image with --exec";
    return is_directory_of_app(failure) ? "name a directory of the image that the app's user may enter with --working-dir"
                                        : "perigee plan shows every step that is attempted";
}

/* What people are told, with the code of src/base/failure.ts. */
struct report_words {
    const char *code, *message, *cause, *hint;
};

static void report_json(const struct report_words *words)
{
    struct line line;
    line_begin(&line);
    append(&line, "\"error\":{");
    size_t before = line.used;
    line_text(&line, "code", words->code);
    line.text[before] = ' ';
    line_text(&line, "message", words->message);
    line_text(&line, "cause", words->cause);
    line_text(&line, "hint", words->hint);
    append(&line, "}");
    line_send(&line, STDERR_FILENO);
}

static void say(const struct line *line)
{
    struct pollfd writable = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&writable, 1, READER_MILLISECONDS) == 1)
        (void)!write(STDERR_FILENO, line->text, line->used);
}

static void report_text(const struct report_words *words)
{
    struct line line = {.used = 0};
    append(&line, "error[");
    append(&line, words->code);
    append(&line, "]: ");
    append_printable(&line, words->message);
    append(&line, "\n  cause: ");
    append_printable(&line, words->cause);
    append(&line, "\n  try: ");
    append(&line, words->hint);
    append(&line, "\n");
    say(&line);
}

static void report_words(enum report report, const struct report_words *words)
{
    if (report == REPORT_JSON)
        report_json(words);
    if (report == REPORT_TEXT)
        report_text(words);
}

static void report_as(enum report report, const struct failure *failure, bool is_entering)
{
    char message[2048], cause[1024];
    bool has_errno = failure->errnum != 0, is_app = failure->status != 125 || is_directory_of_app(failure) || is_pre_start(failure);
    snprintf(message, sizeof message, "%s%s%s%s", sentence_of(failure, is_entering), is_app ? "" : failure->step,
             is_app || failure->subject[0] == '\0' ? "" : " ", failure->subject);
    snprintf(cause, sizeof cause, "%s%s%s", has_errno ? errno_name(failure->errnum) : "", has_errno ? ": " : "", failure->message);
    report_words(report, &(struct report_words){code_of(failure->status), message, cause, hint_of(failure, is_entering)});
}

void report_failure(enum report report, const struct failure *failure)
{
    report_as(report, failure, false);
}

void report_enter_failure(enum report report, const struct failure *failure)
{
    report_as(report, failure, true);
}

void report_lost_output(enum report report, int errnum, bool is_logged)
{
    char cause[256];
    snprintf(cause, sizeof cause, "%s: %s", errno_name(errnum), strerror(errnum));
    report_words(report, &(struct report_words){"IO_FAILED", "not all of the pod's output could be written", cause,
                                                is_logged ? "perigee logs shows what the bounds of the log allow"
                                                          : "send the output to a place that takes it"});
}

static void report_warning(enum report report, const char *message)
{
    struct line line = {.used = 0};
    if (report == REPORT_TEXT) {
        append(&line, "warning: ");
        append_printable(&line, message);
        append(&line, "\n");
        say(&line);
    }
    if (report != REPORT_JSON)
        return;
    line_begin(&line);
    append(&line, "\"log\":{");
    size_t before = line.used;
    line_text(&line, "level", "warn");
    line.text[before] = ' ';
    line_text(&line, "message", message);
    append(&line, "}");
    line_send(&line, STDERR_FILENO);
}

void report_post_stop(enum report report, const char *app, int status)
{
    char message[512];
    snprintf(message, sizeof message, "%s: the post-stop handler ended with status %d", app, status);
    report_warning(report, message);
}

void report_missed_output(enum report report, uint64_t bytes)
{
    char message[160];
    snprintf(message, sizeof message, "%" PRIu64 " bytes of the output are missing here: they came faster than they were taken", bytes);
    report_warning(report, message);
}

void report_attach_failure(enum report report, const struct failure *failure)
{
    char cause[1024];
    bool has_errno = failure->errnum != 0;
    snprintf(cause, sizeof cause, "%s%s%s", has_errno ? errno_name(failure->errnum) : "", has_errno ? ": " : "", failure->message);
    report_words(report, &(struct report_words){"SHIM_FAILED", "one cannot be attached to the app, or not any more", cause, "perigee status shows what of the pod runs"});
}
