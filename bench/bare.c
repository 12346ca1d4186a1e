/* The physical limit of starting a pod: one process cloned into new namespaces, an overlay with /proc and /dev, pivot_root, execve, and
 * nothing else: no plan, no supervisor, no limits, no filter, no cgroup. What perigee-shim takes is compared with this.
 * usage: bare [--user] [--time] LOWER UPPER WORK PROGRAM [ARGUMENT…]; LOWER has directories proc and dev; UPPER and WORK belong to id 900000000. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(bool is_done, const char *step)
{
    if (is_done)
        return;
    perror(step);
    _exit(1);
}

static void write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), path);
    close(fd);
}

static void map_ids(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/uid_map", pid);
    write_text(path, "0 900000000 65536");
    snprintf(path, sizeof path, "/proc/%d/gid_map", pid);
    write_text(path, "0 900000000 65536");
}

static _Noreturn void become_app(char **arguments, bool has_user)
{
    char options[4096], **program = arguments + 3, *environment[] = {NULL};
    snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s,workdir=%s,volatile%s", arguments[0], arguments[1], arguments[2], has_user ? ",userxattr" : "");
    if (has_user)
        must(setgroups(0, NULL) == 0 && setresgid(0, 0, 0) == 0 && setresuid(0, 0, 0) == 0, "setresuid");
    must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "private");
    must(mount("overlay", "/mnt", "overlay", MS_NODEV | MS_NOSUID, options) == 0, "overlay");
    must(mount("proc", "/mnt/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0, "proc");
    must(mount("tmpfs", "/mnt/dev", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0, "dev");
    must(chdir("/mnt") == 0 && syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0 && chdir("/") == 0, "pivot_root");
    execve(program[0], program, environment);
    must(false, "execve");
    _exit(1);
}

int main(int argc, char **argv)
{
    struct clone_args clone = {.exit_signal = SIGCHLD};
    int option = 1, status, gate[2];
    clone.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
    for (; option < argc && strncmp(argv[option], "--", 2) == 0; option++)
        clone.flags |= strcmp(argv[option], "--user") == 0 ? CLONE_NEWUSER : CLONE_NEWTIME;
    must(argc - option >= 4 && pipe2(gate, O_CLOEXEC) == 0, "usage");
    bool has_user = (clone.flags & CLONE_NEWUSER) != 0;
    long pid = syscall(SYS_clone3, &clone, sizeof clone);
    must(pid >= 0, "clone3");
    if (pid == 0) {
        char byte;
        must(read(gate[0], &byte, 1) == 1, "gate");
        become_app(argv + option, has_user);
    }
    if (has_user)
        map_ids((pid_t)pid);
    must(write(gate[1], "", 1) == 1 && waitpid((pid_t)pid, &status, 0) == pid, "wait");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
