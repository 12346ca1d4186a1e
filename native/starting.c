/* Every process that is made here but a check's is waited for until it has executed a program or ended. */
#include "starting.h"

#include "cgroups.h"
#include "die.h"
#include "label.h"
#include "messages.h"
#include "namespaces.h"
#include "rootfs.h"
#include "sockets.h"
#include "sources.h"

#include <errno.h>
#include <linux/sched.h>
#include <stdio.h>
#include <stdlib.h>

static int read_oom_score(int file)
{
    char text[16] = "";
    return file >= 0 && pread(file, text, sizeof text - 1, 0) > 0 ? (int)strtol(text, NULL, 10) : 0;
}

/* The score of init is changed around the fork of each app, which inherits it: an app's process could not open its own file once it
 * is not dumpable, and /proc must not be written to by a path of the pod (T-R14). */
static void set_oom_score(struct starter *starter, int score)
{
    char text[16];
    if (score == starter->score)
        return;
    int length = snprintf(text, sizeof text, "%d", score);
    if (starter->oom_file < 0 || pwrite(starter->oom_file, text, (size_t)length, 0) != length)
        die("oom-score", text, errno);
    starter->score = score;
}

void starter_open(struct starter *starter)
{
    starter->own_score = starter->score = read_oom_score(starter->oom_file);
}

/* As fork; with CLONE_VFORK suspended until the new process has executed a program or ended. The score is copied by the fork itself. */
static pid_t fork_for(struct starter *starter, const struct app_plan *app, uint64_t flags, bool *is_in_v2)
{
    int cgroup = cgroups_v2(app->cgroups, app->cgroup_count);
    set_oom_score(starter, app->has_oom_score && app->oom_score > starter->own_score ? app->oom_score : starter->own_score);
    pid_t pid = clone_process(flags, cgroup);
    *is_in_v2 = cgroup >= 0 && pid != -EACCES && pid != -EPERM;
    return cgroup >= 0 && !*is_in_v2 ? clone_process(flags, -1) : pid;
}

pid_t starter_start_plain(struct starter *starter, uint32_t index)
{
    bool is_in_v2;
    struct app_plan *app = &starter->plan->apps[index];
    pid_t pid = fork_for(starter, app, CLONE_VFORK, &is_in_v2);
    if (pid == 0)
        app_start(starter->plan, index, starter->channel, is_in_v2);
    set_oom_score(starter, starter->own_score);
    sources_close(app);
    sockets_close(app);
    return pid;
}

/* Who could not make it says so, and waits to be killed as init is. */
static void receive_root(const struct app_plan *app, int channel, struct app_root *root)
{
    struct message message;
    for (int fd; message_receive(channel, &message, NULL, &fd, false) == 1;) {
        if (message.kind == MESSAGE_MOUNT_NAMESPACE)
            root->mount = fd;
        if (message.kind == MESSAGE_CGROUP_NAMESPACE)
            root->cgroup = fd;
        if (message.kind == MESSAGE_TERMINAL)
            root->terminal = fd;
    }
    if (root->mount < 0 || root->cgroup < 0)
        die_because("root", app->name, 0, "killed while it was made, as by a limit of memory that is too small");
}

void starter_make_root(struct starter *starter, uint32_t index, struct app_root *root)
{
    bool is_in_v2;
    int ends[2];
    struct app_plan *app = &starter->plan->apps[index];
    messages_open(ends);
    /* Once the root of the last app is made the base may be gone from init too. */
    if (label_is_asked_for(app))
        root->proc = rootfs_open_proc();
    pid_t pid = fork_for(starter, app, CLONE_VFORK, &is_in_v2);
    if (pid == 0)
        app_make_root(starter->plan, index, starter->channel, is_in_v2, ends[1]);
    if (pid < 0)
        die("fork", app->name, -pid);
    receive_root(app, ends[0], root);
    close(ends[0]);
    close(ends[1]);
    if (app_renews_root(app))
        sources_close_tree(app);
    else
        sources_close_mounts(app);
}

pid_t starter_start(struct starter *starter, uint32_t index, enum stage stage, const struct app_root *root)
{
    bool is_in_v2;
    /* A program that is slow to execute, as on a file system that nobody answers for, must not keep init from noticing how apps end. */
    pid_t pid = fork_for(starter, &starter->plan->apps[index], stage == STAGE_CHECK ? 0 : CLONE_VFORK, &is_in_v2);
    if (pid == 0)
        app_join(starter->plan, index, stage, root, starter->channel, is_in_v2);
    set_oom_score(starter, starter->own_score);
    return pid;
}

void starter_close_root(struct app_root *root)
{
    close_fd(&root->mount);
    close_fd(&root->cgroup);
    close_fd(&root->terminal);
    close_fd(&root->proc);
    *root = (struct app_root){-1, -1, -1, -1};
}
