/* attach: connects the caller's standard descriptors with those of an app that a supervisor holds. Whatever ends this process is nothing to
 * the app; of the caller's terminal nothing but its mode is changed. */
#include "attachment.h"
#include "die.h"
#include "events.h"
#include "keys.h"
#include "output.h"
#include "self.h"
#include "signals.h"
#include "terminal.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>

/* MOST_HELD: what waits for a slow terminal is held here, where it costs the supervisor nothing. */
enum { FAILED = 125, USAGE = 2, READER_GONE = 128 + SIGPIPE, MOST_HELD = 4 << 20, MOST_DATAGRAMS = 64 };

struct request {
    int pod, events;
    const char *app;
    enum report report;
    bool sends_input, sends_end;
    struct keys keys;
};

struct session {
    const struct request *request;
    int supervisor, signals, status;
    /* The supervisor has taken us; it is over; standard input is still to be read; the size of our terminal is to be told. */
    bool is_taken, is_over, reads_input, tells_size, has_terminal;
    struct stream output, error;
    struct keys keys;
    /* A datagram that the supervisor did not take yet; 0: none. */
    size_t length;
    char datagram[1 + ATTACHMENT_BYTES];
};

/* For the one function that die() calls without an argument. */
static struct session *current;

static int usage(void)
{
    static const char text[] = "usage: perigee-shim attach POD APP [--report text|json | --events EVENTS] [--keys HEX] [--input none|keep|end]\n";
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    return USAGE;
}

static bool parse_option(struct request *request, const char *name, const char *value)
{
    if (strcmp(name, "--events") == 0)
        return (request->events = self_descriptor(value)) >= 0;
    if (strcmp(name, "--keys") == 0)
        return keys_parse(&request->keys, value);
    if (strcmp(name, "--report") == 0) {
        request->report = strcmp(value, "text") == 0 ? REPORT_TEXT : strcmp(value, "json") == 0 ? REPORT_JSON : REPORT_NONE;
        return request->report != REPORT_NONE;
    }
    request->sends_input = strcmp(value, "none") != 0;
    request->sends_end = strcmp(value, "end") == 0;
    return strcmp(name, "--input") == 0 && (request->sends_end || !request->sends_input || strcmp(value, "keep") == 0);
}

static bool parse(int argc, char **argv, struct request *request)
{
    if (argc < 2 || argc % 2 != 0)
        return false;
    *request = (struct request){.pod = self_descriptor(argv[0]), .events = -1, .app = argv[1], .sends_input = true};
    for (int next = 2; next < argc; next += 2)
        if (!parse_option(request, argv[next], argv[next + 1]))
            return false;
    size_t length = strlen(request->app);
    return request->pod > 0 && length > 0 && length <= ATTACHMENT_BYTES;
}

static void report(const struct failure *failure)
{
    terminal_restore();
    event_failed(current->request->events, failure);
    report_attach_failure(current->request->report, failure);
}

static void connect_to(struct session *session)
{
    const struct request *request = session->request;
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = ATTACHMENT_SOCKET};
    if (fchdir(request->pod) < 0)
        die("attach", "", errno);
    session->supervisor = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (session->supervisor < 0)
        die("attach", "", errno);
    if (connect(session->supervisor, (const struct sockaddr *)&address, sizeof address) < 0)
        die_because("attach", "", errno, errno == ENOENT || errno == ECONNREFUSED ? "the pod takes nobody, or has ended" : strerror(errno));
}

/* True when the supervisor has it; one that does not listen any more is noticed where it is read from. */
static bool send_datagram(const struct session *session, const char *datagram, size_t length)
{
    return send(session->supervisor, datagram, length, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)length || (errno != EAGAIN && errno != EINTR);
}

static void send_app(struct session *session)
{
    size_t length = strlen(session->request->app);
    session->datagram[0] = ATTACHMENT_APP;
    memcpy(session->datagram + 1, session->request->app, length);
    session->length = length + 1;
}

static bool send_size(const struct session *session)
{
    char datagram[1 + sizeof(struct attachment_size)] = {ATTACHMENT_SIZE};
    struct winsize size = terminal_size();
    memcpy(datagram + 1, &(struct attachment_size){.rows = size.ws_row, .columns = size.ws_col}, sizeof(struct attachment_size));
    return send_datagram(session, datagram, sizeof datagram);
}

static void send_waiting(struct session *session)
{
    if (session->length > 0 && send_datagram(session, session->datagram, session->length))
        session->length = 0;
    if (session->length == 0 && session->tells_size && send_size(session))
        session->tells_size = false;
}

static void end_with(struct session *session, int status)
{
    session->status = status;
    session->is_over = true;
}

static void be_taken(struct session *session, unsigned char flags)
{
    bool sends_input = session->request->sends_input && (flags & ATTACHMENT_TAKES_INPUT) != 0;
    session->is_taken = true;
    session->has_terminal = (flags & ATTACHMENT_HAS_TERMINAL) != 0;
    session->reads_input = sends_input;
    session->tells_size = session->has_terminal && sends_input && isatty(STDIN_FILENO);
    if (session->tells_size)
        terminal_make_raw();
    event_attached(session->request->events, session->request->app);
}

static _Noreturn void be_refused(const char *word, size_t length)
{
    bool is_busy = length == 4 && memcmp(word, "busy", 4) == 0;
    die_because("attach", "", 0, is_busy ? "too many are attached already" : "the supervisor does not know the app");
}

/* The app's end is told before this, but by a supervisor that was killed. */
static _Noreturn void be_left(const struct session *session)
{
    if (session->is_taken)
        die_because("attach", "", 0, "the pod has ended, and how the app did is not known");
    die_because("attach", "", 0, "the pod has ended, or its supervisor takes nobody of this user");
}

static void obey(struct session *session, const char *datagram, size_t length)
{
    const char *bytes = datagram + 1;
    uint64_t lost;
    int32_t status;
    switch ((enum attachment_kind)datagram[0]) {
    case ATTACHMENT_TAKEN: be_taken(session, length == 2 ? (unsigned char)bytes[0] : 0); return;
    case ATTACHMENT_OUTPUT: stream_feed(&session->output, bytes, length - 1); return;
    case ATTACHMENT_ERROR: stream_feed(&session->error, bytes, length - 1); return;
    case ATTACHMENT_REFUSED: be_refused(bytes, length - 1);
    case ATTACHMENT_LOST:
        if (length != 1 + sizeof lost)
            break;
        memcpy(&lost, bytes, sizeof lost);
        report_missed_output(session->request->report, lost);
        return;
    case ATTACHMENT_EXITED:
        if (length != 1 + sizeof status)
            break;
        memcpy(&status, bytes, sizeof status);
        end_with(session, status);
        return;
    case ATTACHMENT_APP:
    case ATTACHMENT_INPUT:
    case ATTACHMENT_INPUT_END:
    case ATTACHMENT_SIZE: break;
    }
    die_because("attach", "", 0, "the supervisor is of another version");
}

static bool has_room(const struct session *session)
{
    return stream_held(&session->output) + stream_held(&session->error) < MOST_HELD;
}

static void hear(struct session *session)
{
    char datagram[1 + ATTACHMENT_BYTES];
    for (int heard = 0; heard < MOST_DATAGRAMS && !session->is_over && has_room(session); heard++) {
        ssize_t length = recv(session->supervisor, datagram, sizeof datagram, MSG_DONTWAIT | MSG_TRUNC);
        if (length < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        /* It left something of ours unread, which the kernel tells once, before the last that it said. */
        if (length < 0 && errno == ECONNRESET)
            continue;
        if (length <= 0)
            be_left(session);
        obey(session, datagram, length <= (ssize_t)sizeof datagram ? (size_t)length : 1);
    }
}

/* True when the caller wants to leave. Keys are looked for on a terminal only: other input is bytes, and all of them are the app's. */
static bool read_input(struct session *session)
{
    struct keys none = {.count = 0};
    char typed[ATTACHMENT_BYTES - MOST_KEYS];
    ssize_t length = read(STDIN_FILENO, typed, sizeof typed);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    session->datagram[0] = ATTACHMENT_INPUT;
    if (length > 0) {
        size_t sent;
        bool is_leaving = keys_pass(isatty(STDIN_FILENO) ? &session->keys : &none, typed, (size_t)length, session->datagram + 1, &sent);
        session->length = sent > 0 ? sent + 1 : 0;
        send_waiting(session);
        return is_leaving;
    }
    session->reads_input = false;
    if (session->request->sends_end) {
        session->datagram[0] = ATTACHMENT_INPUT_END;
        session->length = 1;
    }
    return false;
}

/* True when the caller wants to leave: never is that a signal for the app. */
static bool read_signals(struct session *session)
{
    struct signalfd_siginfo info;
    while (read(session->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGWINCH) {
            session->tells_size = session->has_terminal && session->request->sends_input && isatty(STDIN_FILENO);
            continue;
        }
        end_with(session, 128 + (int)info.ssi_signo);
        return true;
    }
    return false;
}

enum { SIGNALS, SUPERVISOR, INPUT, OUTPUT, ERRORS, WATCHED };

/* True when the caller leaves. */
static bool turn(struct session *session)
{
    /* The end of the supervisor, which poll always tells of, waits as well while nothing more can be held. */
    bool is_sending = session->length > 0 || session->tells_size, hears = has_room(session);
    struct pollfd watched[WATCHED] = {
        [SIGNALS] = {.fd = session->signals, .events = POLLIN},
        [SUPERVISOR] = {.fd = session->is_over || (!hears && !is_sending) ? -1 : session->supervisor, .events = (short)((hears ? POLLIN : 0) | (is_sending ? POLLOUT : 0))},
        [INPUT] = {.fd = session->reads_input && session->length == 0 && !session->is_over ? STDIN_FILENO : -1, .events = POLLIN},
        [OUTPUT] = stream_wanted(&session->output),
        [ERRORS] = stream_wanted(&session->error),
    };
    if (poll(watched, WATCHED, -1) <= 0)
        return false;
    if (watched[OUTPUT].revents != 0)
        stream_move(&session->output);
    if (watched[ERRORS].revents != 0)
        stream_move(&session->error);
    if ((watched[SUPERVISOR].revents & POLLOUT) != 0)
        send_waiting(session);
    if ((watched[SUPERVISOR].revents & ~POLLOUT) != 0)
        hear(session);
    if (watched[INPUT].revents != 0 && read_input(session))
        return true;
    return watched[SIGNALS].revents != 0 && read_signals(session);
}

/* Nobody takes the output any more, for one reason or another. */
static void look_at_output(struct session *session)
{
    int error = session->output.error;
    session->output.error = 0;
    if (error != 0)
        report_lost_output(session->request->report, error, false);
    if (session->output.to < 0 && !session->is_over)
        end_with(session, error != 0 ? FAILED : READER_GONE);
}

static int serve(struct session *session)
{
    bool is_leaving = false;
    while (!is_leaving && !(session->is_over && stream_held(&session->output) + stream_held(&session->error) == 0)) {
        is_leaving = turn(session);
        look_at_output(session);
    }
    terminal_restore();
    event_exited(session->request->events, session->status);
    return session->status;
}

int verb_attach(int argc, char **argv)
{
    static const int watched[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGWINCH};
    struct request request;
    sigset_t set;
    if (!parse(argc, argv, &request))
        return usage();
    struct session session = {.request = &request, .keys = request.keys, .supervisor = -1, .signals = -1};
    current = &session;
    die_through(report, FAILED);
    self_arrange((const int[]){request.pod, request.events >= 0 ? request.events : request.pod, -1});
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof watched / sizeof *watched; i++)
        sigaddset(&set, watched[i]);
    sigprocmask(SIG_SETMASK, &set, NULL);
    session.signals = signals_open(watched, sizeof watched / sizeof *watched);
    stream_open(&session.output, -1, stream_open_again(STDOUT_FILENO, O_WRONLY), NULL, END_LEAVE);
    stream_open(&session.error, -1, stream_open_again(STDERR_FILENO, O_WRONLY), NULL, END_LEAVE);
    connect_to(&session);
    send_app(&session);
    return serve(&session);
}
