/* The process is the host's root in the pod directory, or an ordinary user's: paths are the plan's, and what an app wrote is removed by descriptor. Its exit status
 * is 0 or the errno of what failed. */
#include "renewal.h"

#include "cgroups.h"
#include "die.h"
#include "messages.h"
#include "namespaces.h"
#include "paths.h"
#include "sources.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <limits.h>
#include <linux/sched.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static _Noreturn void fail(int error)
{
    _exit(error > 0 && error < 125 ? error : EIO);
}

/* What is wrong here the supervisor tells. */
static void note_failure(const struct failure *failure)
{
    fail(failure->errnum);
}

static const char *last_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static void must_remove(int parent, const char *name)
{
    int error = remove_tree(parent, name);
    if (error < 0)
        fail(-error);
}

static void must_make(int parent, const char *name, const struct stat *like)
{
    if (mkdirat(parent, name, 0700) < 0 || fchownat(parent, name, like->st_uid, like->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        fchmodat(parent, name, like->st_mode & 07777, 0) < 0)
        fail(errno);
}

/* The upper directory is the app's `/`, which it may have given any mode and owner; what both had at first, the work directory still has. */
static void renew_directories(const struct app_plan *app)
{
    char place[PATH_MAX];
    struct stat like;
    const char *upper = last_name(app->upper), *work = last_name(app->work);
    int length = (int)(upper - app->upper);
    if (snprintf(place, sizeof place, "%.*s", length > 1 ? length - 1 : length, app->upper) >= (int)sizeof place)
        fail(ENAMETOOLONG);
    cleanup_fd int parent = open(length == 0 ? "." : place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0 || fstatat(parent, work, &like, AT_SYMLINK_NOFOLLOW) < 0)
        fail(errno);
    must_remove(parent, upper);
    must_make(parent, upper, &like);
    must_remove(parent, work);
    must_make(parent, work, &like);
}

static _Noreturn void renew(const struct pod_plan *plan, const struct app_plan *app, int user_namespace, pid_t supervisor)
{
    die_through(note_failure, EIO);
    /* What an ordinary user's pod wrote belongs to ids that only the root of its namespace has rights over. */
    if (user_namespace >= 0 && setns(user_namespace, CLONE_NEWUSER) < 0)
        fail(errno);
    /* The lock first of all: it is the supervisor's alone. */
    if (close_range(STDERR_FILENO + 1, ~0U, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        fail(errno);
    if (getppid() != supervisor)
        fail(ESRCH);
    if (plan->app_count > 1 && !cgroups_empty(app->cgroups, app->cgroup_count))
        fail(EBUSY);
    if (app_renews_root(app))
        renew_directories(app);
    _exit(0);
}

pid_t renewal_start(const struct pod_plan *plan, const struct app_plan *app, int user_namespace)
{
    pid_t supervisor = getpid(), pid = clone_process(0, -1);
    if (pid == 0)
        renew(plan, app, user_namespace, supervisor);
    if (pid < 0)
        die("restart", app->name, -pid);
    return pid;
}

int renewal_result(pid_t *process)
{
    int status;
    if (*process <= 0 || waitpid(*process, &status, WNOHANG) != *process)
        return -1;
    *process = 0;
    return WIFSIGNALED(status) ? EINTR : WEXITSTATUS(status);
}

void renewal_hand_over(const struct pod_plan *plan, uint32_t index, int channel)
{
    struct app_plan *app = &plan->apps[index];
    if (app_renews_root(app) && !plan->is_unprivileged) {
        sources_open_tree(app);
        message_send(channel, MESSAGE_TREE, index, 0, app->tree_fd);
        message_send(channel, MESSAGE_UPPER, index, 0, app->upper_fd);
        message_send(channel, MESSAGE_WORK, index, 0, app->work_fd);
        sources_close_tree(app);
    }
    message_send(channel, MESSAGE_RENEWED, index, 0, -1);
}

void renewal_abandon(pid_t *process)
{
    if (*process <= 0)
        return;
    kill(*process, SIGKILL);
    waitpid(*process, NULL, 0);
    *process = 0;
}
