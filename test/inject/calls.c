/* The table of system calls, and the filter that stops at them. Only the kernel sees them all: Node's and koffi's go round a preload. */
#include "inject.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALL(name, kinds, descriptor, path, at, path2, at2, flags)                                                     \
	{ SYS_##name, #name, kinds, descriptor, {path, path2}, {at, at2}, flags }
#define ON_FILE(name, kinds, descriptor) CALL(name, kinds, descriptor, -1, -1, -1, -1, -1)
#define ON_PATH(name, path, at) CALL(name, KIND_CHANGE, -1, path, at, -1, -1, -1)
#define STEP(name) CALL(name, KIND_STEP, -1, -1, -1, -1, -1, -1)

static const struct call calls[] = {
	CALL(openat, KIND_CHANGE | KIND_DESCRIPTOR, -1, 1, 0, -1, -1, 2),
	CALL(openat2, KIND_CHANGE | KIND_DESCRIPTOR, -1, 1, 0, -1, -1, 2),
	ON_PATH(mkdirat, 1, 0),
	ON_PATH(mknodat, 1, 0),
	ON_PATH(unlinkat, 1, 0),
	ON_PATH(fchmodat, 1, 0),
	ON_PATH(fchownat, 1, 0),
	ON_PATH(utimensat, 1, 0),
	ON_PATH(truncate, 0, -1),
	ON_PATH(setxattr, 0, -1),
	ON_PATH(lsetxattr, 0, -1),
	ON_PATH(symlinkat, 2, 1),
	CALL(linkat, KIND_CHANGE, -1, 1, 0, 3, 2, -1),
	CALL(renameat2, KIND_CHANGE, -1, 1, 0, 3, 2, -1),
	ON_FILE(write, KIND_CHANGE, 0),
	ON_FILE(pwrite64, KIND_CHANGE, 0),
	ON_FILE(writev, KIND_CHANGE, 0),
	ON_FILE(pwritev, KIND_CHANGE, 0),
	ON_FILE(pwritev2, KIND_CHANGE, 0),
	ON_FILE(ftruncate, KIND_CHANGE, 0),
	ON_FILE(fallocate, KIND_CHANGE, 0),
	ON_FILE(fchmod, KIND_CHANGE, 0),
	ON_FILE(fchown, KIND_CHANGE, 0),
	ON_FILE(fsetxattr, KIND_CHANGE, 0),
	ON_FILE(copy_file_range, KIND_CHANGE, 2),
	ON_FILE(sendfile, KIND_CHANGE, 0),
	ON_FILE(splice, KIND_CHANGE, 2),
	ON_FILE(fsync, KIND_CHANGE, 0),
	ON_FILE(fdatasync, KIND_CHANGE, 0),
	ON_FILE(syncfs, KIND_CHANGE, 0),
	ON_FILE(flock, KIND_CHANGE, 0),
	ON_FILE(read, KIND_READ, 0),
	ON_FILE(pread64, KIND_READ, 0),
	ON_FILE(readv, KIND_READ, 0),
	ON_FILE(preadv, KIND_READ, 0),
	ON_FILE(getdents64, KIND_READ, 0),
	ON_FILE(pipe2, KIND_DESCRIPTOR, -1),
	ON_FILE(socket, KIND_DESCRIPTOR, -1),
	ON_FILE(socketpair, KIND_DESCRIPTOR, -1),
	ON_FILE(memfd_create, KIND_DESCRIPTOR, -1),
	ON_FILE(dup3, KIND_DESCRIPTOR, -1),
	STEP(clone),
	STEP(clone3),
	STEP(unshare),
	STEP(setns),
	STEP(execve),
	STEP(execveat),
	STEP(mount),
	STEP(umount2),
	STEP(fsopen),
	STEP(fsconfig),
	STEP(fsmount),
	STEP(fspick),
	STEP(move_mount),
	STEP(open_tree),
	STEP(mount_setattr),
	STEP(pivot_root),
	STEP(chroot),
	STEP(chdir),
	STEP(fchdir),
	STEP(sethostname),
	STEP(setsid),
	STEP(setresuid),
	STEP(setresgid),
	STEP(setgroups),
	STEP(capset),
	STEP(prctl),
	STEP(seccomp),
	STEP(prlimit64),
	STEP(keyctl),
	STEP(bpf),
	STEP(kill),
	STEP(pidfd_send_signal),
	STEP(wait4),
	STEP(waitid),
	STEP(exit_group),
#ifdef SYS_open
	CALL(open, KIND_CHANGE | KIND_DESCRIPTOR, -1, 0, -1, -1, -1, 1),
	ON_PATH(creat, 0, -1),
	ON_PATH(mkdir, 0, -1),
	ON_PATH(rmdir, 0, -1),
	ON_PATH(mknod, 0, -1),
	ON_PATH(unlink, 0, -1),
	ON_PATH(chmod, 0, -1),
	ON_PATH(chown, 0, -1),
	ON_PATH(lchown, 0, -1),
	ON_PATH(symlink, 1, -1),
	CALL(link, KIND_CHANGE, -1, 0, -1, 1, -1, -1),
	CALL(rename, KIND_CHANGE, -1, 0, -1, 1, -1, -1),
	CALL(renameat, KIND_CHANGE, -1, 1, 0, 3, 2, -1),
	ON_FILE(pipe, KIND_DESCRIPTOR, -1),
	STEP(fork),
	STEP(vfork),
#endif
};
enum { COUNT = sizeof calls / sizeof *calls };

const struct call *call_find(uint64_t number)
{
	for (size_t index = 0; index < COUNT; index++)
		if ((uint64_t)calls[index].number == number) return &calls[index];
	return NULL;
}

void calls_trap(int kinds)
{
	struct sock_filter filter[2 * COUNT + 2];
	unsigned short length = 0;
	filter[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t index = 0; index < COUNT; index++) {
		if ((calls[index].kinds & kinds) == 0) continue;
		filter[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[index].number, 0, 1);
		filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	}
	filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = {length, filter};
	/* Without root it needs no_new_privs, which would be inherited: then programs with capabilities of their own would not have them. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0) return;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0)
		return;
	perror("inject: seccomp");
	_exit(125);
}
