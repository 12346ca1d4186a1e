/* Every file is whole or not there for its readers: written under another name, then renamed. Not synced: after a crash of the machine
 * nothing of the pod runs, and what is missing or empty is unknown. */
#include "state.h"

#include "die.h"
#include "paths.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { NAME_BYTES = 272, STATUS_BYTES = 16 };

static void name_temporary(char temporary[static NAME_BYTES], const char *name)
{
    if (snprintf(temporary, NAME_BYTES, ".%s.tmp", name) >= NAME_BYTES)
        die("state", name, ENAMETOOLONG);
}

static int open_temporary(int directory, const char *name)
{
    char temporary[NAME_BYTES];
    name_temporary(temporary, name);
    int fd = openat(directory, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
    if (fd < 0)
        die("state", name, errno);
    return fd;
}

static bool give_name(int directory, int fd, const char *name, const char *text, size_t length)
{
    char temporary[NAME_BYTES];
    name_temporary(temporary, name);
    return pwrite(fd, text, length, 0) == (ssize_t)length && ftruncate(fd, (off_t)length) == 0 && renameat(directory, temporary, directory, name) == 0;
}

void state_write_pid(int pod, pid_t pid)
{
    char text[128];
    snprintf(text, sizeof text, "%d %llu %d %llu\n", pid, process_look(pid).start, getpid(), process_look(getpid()).start);
    cleanup_fd int fd = open_temporary(pod, "pid");
    if (!give_name(pod, fd, "pid", text, strlen(text)))
        die("state", "pid", errno);
}

/* Those before RECORDS have their room from the start. */
enum record { RECORD_STATUS, RECORD_POST_STOP, RECORDS, RECORD_RESTARTS = RECORDS, RECORD_HEALTH, RECORD_READY, RECORD_TEXT };

static void name_record(char name[static NAME_BYTES], const struct app_plan *app, enum record record)
{
    static const char *const ends[] = {[RECORD_STATUS] = "",         [RECORD_POST_STOP] = ".post-stop", [RECORD_RESTARTS] = ".restarts",
                                       [RECORD_HEALTH] = ".health", [RECORD_READY] = ".ready",         [RECORD_TEXT] = ".text"};
    if (snprintf(name, NAME_BYTES, "%s%s", app->name, ends[record]) >= NAME_BYTES)
        die("state", app->name, ENAMETOOLONG);
}

/* Room that the disk has given cannot run out when the app ends. */
static int make_room_for(int directory, const struct app_plan *app, enum record record)
{
    static const char room[STATUS_BYTES] = "";
    char name[NAME_BYTES];
    name_record(name, app, record);
    int fd = open_temporary(directory, name);
    if (write(fd, room, sizeof room) != (ssize_t)sizeof room)
        die("state", name, errno);
    return fd;
}

static int open_directory(int pod, const char *name)
{
    int directory = open_beneath(pod, name, O_RDONLY | O_DIRECTORY);
    if (directory == -ENOENT && mkdirat(pod, name, 0750) == 0)
        directory = open_beneath(pod, name, O_RDONLY | O_DIRECTORY);
    if (directory < 0)
        die("state", name, -directory);
    return directory;
}

void state_open(struct state *state, int pod, const struct pod_plan *plan)
{
    *state = (struct state){.pod = pod, .plan = plan, .files = must_allocate(plan->app_count * RECORDS * sizeof *state->files)};
    state->directory = open_directory(pod, "status");
    state->pids = open_directory(pod, "pids");
    for (size_t i = 0; i < plan->app_count; i++) {
        const struct app_plan *app = &plan->apps[i];
        state->files[i * RECORDS + RECORD_STATUS] = make_room_for(state->directory, app, RECORD_STATUS);
        if (app->notify != NULL)
            state_write_ready(state, (uint32_t)i, false);
        state->files[i * RECORDS + RECORD_POST_STOP] = app->post_stop.count == 0 ? -1 : make_room_for(state->directory, app, RECORD_POST_STOP);
    }
}

/* What cannot be written is not told; the app itself goes on. */
static void write_now(int directory, const char *name, const char *text, size_t length)
{
    char temporary[NAME_BYTES];
    name_temporary(temporary, name);
    cleanup_fd int fd = openat(directory, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
    if (fd >= 0)
        (void)!give_name(directory, fd, name, text, length);
}

static void write_record(struct state *state, uint32_t app, enum record record, int status)
{
    char name[NAME_BYTES], text[STATUS_BYTES];
    int *file = &state->files[app * RECORDS + record];
    name_record(name, &state->plan->apps[app], record);
    snprintf(text, sizeof text, "%d\n", status);
    /* Of an app that is started again there may be one already. */
    if (*file < 0)
        write_now(state->directory, name, text, strlen(text));
    if (*file >= 0 && give_name(state->directory, *file, name, text, strlen(text))) {
        close(*file);
        *file = -1;
    }
}

void state_write_app(const struct state *state, uint32_t app, pid_t pid)
{
    char text[64];
    snprintf(text, sizeof text, "%d %llu\n", pid, process_look(pid).start);
    write_now(state->pids, state->plan->apps[app].name, text, strlen(text));
}

void state_write_restarts(const struct state *state, uint32_t app, const struct app_restarts *restarts, bool is_running)
{
    char name[NAME_BYTES], text[96];
    name_record(name, &state->plan->apps[app], RECORD_RESTARTS);
    snprintf(text, sizeof text, "%u %d %lld %s\n", restarts->count, restarts->status, (long long)restarts->ended, is_running ? "running" : "waiting");
    write_now(state->directory, name, text, strlen(text));
}

void state_write_health(const struct state *state, uint32_t app, const struct health *health, struct tail *output)
{
    static const char *const states[] = {[HEALTH_STARTING] = "starting", [HEALTH_HEALTHY] = "healthy", [HEALTH_UNHEALTHY] = "unhealthy"};
    char name[NAME_BYTES], text[64 + sizeof output->bytes], status[16] = "none";
    name_record(name, &state->plan->apps[app], RECORD_HEALTH);
    if (health->status == CHECK_LATE)
        snprintf(status, sizeof status, "timeout");
    else if (health->status != CHECK_NONE)
        snprintf(status, sizeof status, "%d", health->status);
    int used = snprintf(text, 64, "%s %u %s\n", states[health->state], health->streak, status);
    memcpy(text + used, output->bytes, output->used);
    write_now(state->directory, name, text, (size_t)used + output->used);
    output->used = 0;
}

void state_write_ready(const struct state *state, uint32_t app, bool is_ready)
{
    char name[NAME_BYTES];
    name_record(name, &state->plan->apps[app], RECORD_READY);
    write_now(state->directory, name, is_ready ? "1\n" : "0\n", 2);
}

void state_write_text(const struct state *state, uint32_t app, const char *text)
{
    char name[NAME_BYTES];
    name_record(name, &state->plan->apps[app], RECORD_TEXT);
    write_now(state->directory, name, text, strlen(text));
}

void state_write_pod_ready(const struct state *state, bool is_ready)
{
    if (!is_ready) {
        (void)!unlinkat(state->pod, "ready", 0);
        return;
    }
    cleanup_fd int fd = openat(state->pod, "ready", O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
}

void state_write_status(struct state *state, uint32_t app, int status)
{
    write_record(state, app, RECORD_STATUS, status);
}

void state_write_post_stop(struct state *state, uint32_t app, int status)
{
    write_record(state, app, RECORD_POST_STOP, status);
}

void state_close(struct state *state)
{
    char name[NAME_BYTES], temporary[NAME_BYTES];
    for (size_t i = 0; state->files != NULL && i < state->plan->app_count * RECORDS; i++) {
        if (state->files[i] < 0)
            continue;
        name_record(name, &state->plan->apps[i / RECORDS], (enum record)(i % RECORDS));
        name_temporary(temporary, name);
        (void)!unlinkat(state->directory, temporary, 0);
    }
}
