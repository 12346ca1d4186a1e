/* Which descriptor an app gets, and what is copied instead of being handed on. Moving the bytes is output.c. */
#include "standard.h"

#include "attached.h"
#include "die.h"
#include "namespaces.h"
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Beside 0 to 2 a number of a pipe: the one that an app's checks write to. */
enum { CHECK_OUTPUT = 3 };

size_t standard_most(const struct pod_plan *plan)
{
    size_t most = plan->app_count * 3 + 2;
    for (size_t i = 0; i < plan->app_count; i++)
        most += plan->apps[i].takes_input;
    return most;
}

static int open_null(void)
{
    struct stat status;
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0)
        die("standard", "/dev/null", errno);
    if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(1, 3))
        die_because("standard", "/dev/null", 0, "not the null device");
    return fd;
}

/* A pipe whose supervisor's end does not block, owned by the app's user: many programs open /dev/stdout by its path. */
static void open_pipe(const struct pod_plan *plan, struct app_plan *app, int number, int *ours, int *theirs)
{
    int ends[2];
    bool is_output = number != STDIN_FILENO;
    if (pipe2(ends, O_CLOEXEC) < 0)
        die("standard", app->name, errno);
    *ours = ends[is_output ? 0 : 1];
    *theirs = ends[is_output ? 1 : 0];
    uid_t uid = id_outside(plan->uids, plan->uid_count, app->uid);
    gid_t gid = id_outside(plan->gids, plan->gid_count, app->gid);
    app->own_pipes |= 1U << number;
    if (fcntl(*ours, F_SETFL, O_NONBLOCK) < 0 || (!plan->is_unprivileged && fchown(*theirs, uid, gid) < 0))
        die("standard", app->name, errno);
}

void standard_give(const struct pod_plan *plan)
{
    for (const struct app_plan *app = plan->apps; app < plan->apps + plan->app_count; app++)
        for (int i = 0; i <= CHECK_OUTPUT; i++)
            if ((app->own_pipes >> i & 1) != 0 && fchown(i == CHECK_OUTPUT ? app->check_output : app->standard[i], app->uid, app->gid) < 0)
                die("standard", app->name, errno);
}

static struct stream *add(struct standard *standard)
{
    return &standard->streams[standard->count++];
}

/* From nobody in particular to the app: whoever is attached to it feeds it. */
static void add_input(struct standard *standard, size_t app, int to, enum stream_end at_end)
{
    struct stream *stream = add(standard);
    stream_open(stream, -1, to, NULL, at_end);
    stream->app = (uint32_t)app;
    stream->is_input = true;
}

/* The caller's own pipe or socket can be handed on: the app takes from it exactly what it reads. A terminal is never handed on (TIOCSTI,
 * T-R06), nor a file: root of a pod without a user namespace could open it again for writing. Those are copied. */
static bool can_hand_on(void)
{
    struct stat status;
    if (fstat(STDIN_FILENO, &status) < 0)
        return false;
    return S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) || (S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3));
}

static bool can_copy(void)
{
    struct stat status;
    return fstat(STDIN_FILENO, &status) == 0 && !S_ISDIR(status.st_mode);
}

static int must_duplicate(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0)
        die("standard", "", errno);
    return copy;
}

static void open_input(struct standard *standard, struct app_plan *app, bool is_for_caller)
{
    int ours;
    if (app->takes_input) {
        open_pipe(standard->plan, app, STDIN_FILENO, &ours, &app->standard[0]);
        add_input(standard, (size_t)(app - standard->plan->apps), ours, END_CLOSE);
        return;
    }
    if (is_for_caller && can_hand_on()) {
        app->standard[0] = must_duplicate(STDIN_FILENO);
    } else if (is_for_caller && can_copy()) {
        open_pipe(standard->plan, app, STDIN_FILENO, &ours, &app->standard[0]);
        stream_open(add(standard), must_duplicate(STDIN_FILENO), ours, NULL, END_CLOSE);
    } else {
        app->standard[0] = open_null();
    }
}

static void open_output(struct standard *standard, struct app_plan *app, struct log *log, int number)
{
    int ours;
    if (log == NULL && !standard->plan->is_foreground && !standard->plan->is_attachable) {
        app->standard[number] = open_null();
        return;
    }
    open_pipe(standard->plan, app, number, &ours, &app->standard[number]);
    struct stream *stream = add(standard);
    stream_open(stream, ours, standard->plan->is_foreground ? stream_open_again(number, O_WRONLY) : -1, log, END_LEAVE);
    stream->app = (uint32_t)(app - standard->plan->apps);
    stream->is_error = number == STDERR_FILENO;
}

static void open_tail(struct standard *standard, struct app_plan *app, struct tail *tail)
{
    int ours;
    open_pipe(standard->plan, app, CHECK_OUTPUT, &ours, &app->check_output);
    struct stream *stream = add(standard);
    stream_open(stream, ours, -1, NULL, END_LEAVE);
    stream->tail = tail;
}

struct tail *standard_take_tail(struct standard *standard, uint32_t app)
{
    for (size_t i = 0; i < standard->count; i++)
        if (standard->streams[i].tail == &standard->tails[app])
            stream_take(&standard->streams[i]);
    return &standard->tails[app];
}

void standard_open(struct standard *standard, struct pod_plan *plan)
{
    bool has_terminal = false, has_input = plan->is_foreground;
    *standard = (struct standard){.plan = plan, .master = -1};
    standard->streams = must_allocate(standard_most(plan) * sizeof *standard->streams);
    standard->logs = must_allocate(plan->app_count * sizeof *standard->logs);
    standard->tails = must_allocate(plan->app_count * sizeof *standard->tails);
    for (size_t i = 0; i < plan->app_count; i++)
        has_terminal |= plan->apps[i].has_terminal;
    if (has_terminal && plan->is_foreground)
        plan->terminal_size = terminal_size();
    for (size_t i = 0; i < plan->app_count; i++) {
        struct app_plan *app = &plan->apps[i];
        if (app_has_handlers(app) || app->health.interval > 0)
            app->handler_input = open_null();
        if (app->health.interval > 0)
            open_tail(standard, app, &standard->tails[i]);
        if (app->has_terminal)
            continue;
        /* The caller's input goes to the app with the terminal, else to the first. */
        open_input(standard, app, has_input && !has_terminal && i == 0);
        struct log *log = app->log.path != NULL ? &standard->logs[i] : NULL;
        open_output(standard, app, log, STDOUT_FILENO);
        open_output(standard, app, log, STDERR_FILENO);
    }
}

void standard_open_logs(struct standard *standard, int pod)
{
    for (size_t i = 0; i < standard->plan->app_count; i++) {
        const struct app_plan *app = &standard->plan->apps[i];
        if (app->log.path != NULL && !app->has_terminal)
            log_open(&standard->logs[i], pod, &app->log);
    }
}

void standard_add_terminal(struct standard *standard, uint32_t app, int master)
{
    bool is_foreground = standard->plan->is_foreground;
    if (master < 0 || standard->master >= 0)
        return;
    standard->master = master;
    (void)!fcntl(master, F_SETFL, O_NONBLOCK);
    struct stream *output = add(standard);
    stream_open(output, must_duplicate(master), is_foreground ? stream_open_again(STDOUT_FILENO, O_WRONLY) : -1, NULL, END_LEAVE);
    output->app = app;
    output->attached = standard->attached;
    if (!is_foreground) {
        add_input(standard, app, must_duplicate(master), END_SEND_EOF);
        return;
    }
    terminal_make_raw();
    /* A descriptor of its own, which is closed with the stream: the terminal's modes are restored through the first. */
    stream_open(add(standard), must_duplicate(STDIN_FILENO), must_duplicate(master), NULL, END_SEND_EOF);
}

void standard_resize(const struct standard *standard)
{
    struct winsize size = terminal_size();
    if (standard->master >= 0 && standard->plan->is_foreground)
        ioctl(standard->master, TIOCSWINSZ, &size);
}

void standard_set_size(const struct standard *standard, const struct winsize *size, bool is_new)
{
    struct winsize now;
    if (standard->master < 0)
        return;
    /* The kernel tells the app of changes only, and whoever is new has not seen what is on the screen: it is to be drawn again. */
    if (is_new && ioctl(standard->master, TIOCGWINSZ, &now) == 0 && now.ws_row == size->ws_row && now.ws_col == size->ws_col) {
        now.ws_row++;
        ioctl(standard->master, TIOCSWINSZ, &now);
    }
    ioctl(standard->master, TIOCSWINSZ, size);
}

void standard_show_to(struct standard *standard, struct attached *attached)
{
    standard->attached = attached;
    for (size_t i = 0; i < standard->count; i++)
        if (!standard->streams[i].is_input && standard->streams[i].tail == NULL)
            standard->streams[i].attached = attached;
}

struct stream *standard_input(const struct standard *standard, uint32_t app)
{
    for (size_t i = 0; i < standard->count; i++)
        if (standard->streams[i].is_input && standard->streams[i].app == app && standard->streams[i].to >= 0)
            return &standard->streams[i];
    return NULL;
}

void standard_end_input(struct stream *input)
{
    static const char eof = CONTROL_D;
    if (input->at_end == END_SEND_EOF) {
        stream_feed(input, &eof, sizeof eof);
        return;
    }
    close(input->to);
    input->to = -1;
}

void standard_take_output(struct standard *standard, uint32_t app)
{
    for (size_t i = 0; i < standard->count; i++)
        if (standard->streams[i].attached != NULL && standard->streams[i].app == app)
            stream_take(&standard->streams[i]);
}

size_t standard_wanted(const struct standard *standard, struct pollfd *wanted)
{
    for (size_t i = 0; i < standard->count; i++)
        wanted[i] = stream_wanted(&standard->streams[i]);
    return standard->count;
}

void standard_move(struct standard *standard, const struct pollfd *polled)
{
    for (size_t i = 0; i < standard->count; i++)
        if (polled[i].revents != 0)
            stream_move(&standard->streams[i]);
}

void standard_gather(struct standard *standard)
{
    for (size_t i = 0; i < standard->count; i++)
        if (standard->streams[i].at_end == END_LEAVE)
            stream_gather(&standard->streams[i]);
        else
            stream_abandon(&standard->streams[i]);
}

bool standard_are_held(const struct standard *standard)
{
    for (size_t i = 0; i < standard->count; i++)
        if (standard->streams[i].used > 0)
            return true;
    return false;
}

bool standard_has_lost(struct standard *standard, enum report report)
{
    for (size_t i = 0; i < standard->count; i++) {
        int error = standard->streams[i].error;
        standard->streams[i].error = 0;
        if (error != 0 && !standard->has_lost)
            report_lost_output(report, error, standard->streams[i].log != NULL);
        standard->has_lost |= error != 0;
    }
    return standard->has_lost;
}

void standard_close(const struct standard *standard)
{
    for (size_t i = 0; i < standard->count; i++) {
        const struct stream *stream = &standard->streams[i];
        close(stream->from);
        if (stream->at_end != END_LEAVE)
            close(stream->to);
    }
}
