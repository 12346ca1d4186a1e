/* What a stopped call is about: read from the stopped thread's memory and its entries in /proc. */
#include "inject.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static size_t peek(pid_t thread, uint64_t address, void *into, size_t size)
{
	struct iovec local = {into, size};
	struct iovec remote = {(void *)(uintptr_t)address, size};
	ssize_t got = process_vm_readv(thread, &local, 1, &remote, 1, 0);
	return got < 0 ? 0 : (size_t)got;
}

/* A string may end just before a page that is not there, so it is read up to each page's end. */
static void peek_string(pid_t thread, uint64_t address, char *into, size_t size)
{
	size_t length = 0;
	while (address != 0 && length + 1 < size) {
		size_t room = 4096 - (size_t)((address + length) % 4096);
		if (room > size - 1 - length) room = size - 1 - length;
		size_t got = peek(thread, address + length, into + length, room);
		if (got == 0 || memchr(into + length, 0, got) != NULL) {
			into[got == 0 ? length : size - 1] = 0;
			return;
		}
		length += got;
	}
	into[length] = 0;
}

/* A path that begins with a descriptor of the thread's process is that of what is open there. */
static void resolve(pid_t thread, const char *text, char out[4096])
{
	static const char open_files[] = "/proc/self/fd/";
	char link[64], base[4096];
	char *rest = NULL;
	memcpy(out, text, 4096);
	if (strncmp(text, open_files, sizeof open_files - 1) != 0) return;
	long descriptor = strtol(text + sizeof open_files - 1, &rest, 10);
	snprintf(link, sizeof link, "/proc/%d/fd/%ld", thread, descriptor);
	ssize_t length = readlink(link, base, sizeof base - 1);
	if (length < 0 || (size_t)length + strlen(rest) + 1 > 4096) return;
	memcpy(out, base, (size_t)length);
	memcpy(out + length, rest, strlen(rest) + 1);
}

static void name(pid_t thread, const uint64_t *arguments, int path, int at, char out[4096])
{
	char text[4096] = "";
	char link[64];
	out[0] = 0;
	if (path < 0) return;
	peek_string(thread, arguments[path], text, sizeof text);
	if (text[0] == '/') {
		resolve(thread, text, out);
		return;
	}
	int directory = at < 0 ? AT_FDCWD : (int)arguments[at];
	if (directory == AT_FDCWD) snprintf(link, sizeof link, "/proc/%d/cwd", thread);
	else snprintf(link, sizeof link, "/proc/%d/fd/%d", thread, directory);
	char base[4096];
	ssize_t length = readlink(link, base, sizeof base - 1);
	base[length < 0 ? 0 : length] = 0;
	size_t begin = strlen(base);
	if (begin + strlen(text) + 2 > 4096) return;
	memcpy(out, base, begin);
	out[begin] = '/';
	memcpy(out + begin + 1, text, strlen(text) + 1);
}

static bool opens_for_change(pid_t thread, const struct call *call, const uint64_t *arguments)
{
	uint64_t flags = arguments[call->flags];
	struct open_how how;
	if (call->number == SYS_openat2) {
		if (peek(thread, flags, &how, sizeof how) != sizeof how) return false;
		flags = how.flags;
	}
	return (flags & O_PATH) == 0 && (flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) != 0;
}

/* Files and directories on a disk: not pipes, sockets, terminals and what the kernel makes up. */
static bool look_at_file(struct subject *subject, pid_t thread, int descriptor)
{
	char link[64];
	struct stat status;
	snprintf(link, sizeof link, "/proc/%d/fd/%d", thread, descriptor);
	if (stat(link, &status) != 0 || !(S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))) return false;
	snprintf(subject->file, sizeof subject->file, "%u:%u:%lu", major(status.st_dev), minor(status.st_dev),
	         (unsigned long)status.st_ino);
	ssize_t length = readlink(link, subject->path[0], sizeof subject->path[0] - 1);
	subject->path[0][length < 0 ? 0 : length] = 0;
	return strncmp(subject->path[0], "/proc/", 6) != 0;
}

void subject_look(struct subject *subject, pid_t thread, const struct call *call, const uint64_t *arguments, int kinds)
{
	memcpy(subject->file, "-", 2);
	subject->path[0][0] = subject->path[1][0] = 0;
	subject->counts = true;
	if (call->descriptor >= 0) {
		subject->counts = look_at_file(subject, thread, (int)arguments[call->descriptor]);
		return;
	}
	for (int index = 0; index < 2; index++)
		name(thread, arguments, call->path[index], call->at[index], subject->path[index]);
	if (call->flags >= 0 && (kinds & KIND_DESCRIPTOR) == 0)
		subject->counts = opens_for_change(thread, call, arguments);
}

bool subject_is_below(const struct subject *subject, const char *directory)
{
	size_t length = strlen(directory);
	const char *path = subject->path[0];
	return strncmp(path, directory, length) == 0 && (path[length] == '/' || path[length] == 0);
}
