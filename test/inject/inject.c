/*
 * inject [--calls KIND] [--at N] [--errno NUMBER | --kill all | --kill one] [--record FILE] --below DIR -- COMMAND…
 * Runs the command and counts, over all of its processes and threads, the calls of one kind (change, descriptor, read, step: changes too) from the first
 * that is about something below DIR. The N-th does not happen: it fails with the error, or is where everybody (all), or the process
 * that makes it (one), is killed. The record has one line for each counted call: number, name, file, path, second path, by tabs.
 * Ends with the command's status, 128+N for a signal, 125 for a mistake of its own.
 */
#include "inject.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum fault { FAULT_NONE, FAULT_ERROR, FAULT_KILL_ALL, FAULT_KILL_ONE };

struct injection {
	int kinds;
	unsigned long at;
	enum fault fault;
	int error;
	const char *below;
	FILE *record;
	char **command;
	unsigned long count;
	bool begun;
};

enum { PROCESSES = 4096 };
static pid_t known[PROCESSES];
static size_t known_count;

static void fail(const char *what)
{
	fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
	exit(125);
}

static void know(pid_t thread)
{
	for (size_t index = 0; index < known_count; index++)
		if (known[index] == thread) return;
	if (known_count == PROCESSES) {
		errno = ENOSPC;
		fail("threads");
	}
	known[known_count++] = thread;
}

static void forget(pid_t thread)
{
	for (size_t index = 0; index < known_count; index++)
		if (known[index] == thread) known[index] = known[--known_count];
}

/* The call is left out and seems to have failed with `error`. */
static void skip_call(pid_t thread, int error)
{
#if defined(__x86_64__)
	struct user_regs_struct registers;
	if (ptrace(PTRACE_GETREGS, thread, NULL, &registers) != 0) return;
	registers.orig_rax = (unsigned long long)-1;
	registers.rax = (unsigned long long)-(long long)error;
	ptrace(PTRACE_SETREGS, thread, NULL, &registers);
#elif defined(__aarch64__)
	int none = -1;
	struct iovec number = {&none, sizeof none};
	ptrace(PTRACE_SETREGSET, thread, NT_ARM_SYSTEM_CALL, &number);
	struct user_regs_struct registers;
	struct iovec all = {&registers, sizeof registers};
	if (ptrace(PTRACE_GETREGSET, thread, NT_PRSTATUS, &all) != 0) return;
	registers.regs[0] = (unsigned long long)-(long long)error;
	ptrace(PTRACE_SETREGSET, thread, NT_PRSTATUS, &all);
#else
#error "this processor is not known"
#endif
}

static void inject(const struct injection *injection, pid_t thread)
{
	switch (injection->fault) {
	case FAULT_ERROR: skip_call(thread, injection->error); return;
	case FAULT_KILL_ALL:
		for (size_t index = 0; index < known_count; index++) kill(known[index], SIGKILL);
		return;
	case FAULT_KILL_ONE: kill(thread, SIGKILL); return;
	case FAULT_NONE: return;
	}
}

static void at_call(struct injection *injection, pid_t thread)
{
	struct __ptrace_syscall_info info;
	if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) <= 0) return;
	const struct call *call = call_find(info.seccomp.nr);
	if (call == NULL) return;
	struct subject subject;
	uint64_t arguments[6];
	for (int index = 0; index < 6; index++) arguments[index] = info.seccomp.args[index];
	subject_look(&subject, thread, call, arguments, injection->kinds);
	if (subject_is_below(&subject, injection->below)) injection->begun = true;
	if (!injection->begun || !subject.counts) return;
	injection->count++;
	if (injection->record != NULL) {
		fprintf(injection->record, "%lu\t%s\t%s\t%s\t%s\n", injection->count, call->name, subject.file,
		        subject.path[0], subject.path[1]);
		fflush(injection->record);
	}
	if (injection->count == injection->at) inject(injection, thread);
}

/* Lets a stopped thread go on; a signal that was on its way to it reaches it. */
static void resume(struct injection *injection, pid_t thread, int status)
{
	int event = status >> 16;
	int signal_number = WSTOPSIG(status);
	if (event == PTRACE_EVENT_SECCOMP) at_call(injection, thread);
	if (event == PTRACE_EVENT_STOP && (signal_number == SIGSTOP || signal_number == SIGTSTP ||
	                                   signal_number == SIGTTIN || signal_number == SIGTTOU)) {
		ptrace(PTRACE_LISTEN, thread, NULL, NULL);
		return;
	}
	ptrace(PTRACE_CONT, thread, NULL, (void *)(long)(event == 0 ? signal_number : 0));
}

static pid_t start(const struct injection *injection)
{
	int gate[2];
	if (pipe(gate) != 0) fail("pipe");
	pid_t child = fork();
	if (child < 0) fail("fork");
	if (child == 0) {
		char byte;
		close(gate[1]);
		if (read(gate[0], &byte, 1) != 1) _exit(125);
		close(gate[0]);
		calls_trap(injection->kinds);
		execvp(injection->command[0], injection->command);
		_exit(127);
	}
	close(gate[0]);
	long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
	               PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
	if (ptrace(PTRACE_SEIZE, child, NULL, (void *)options) != 0) fail("ptrace");
	if (write(gate[1], "", 1) != 1) fail("write");
	close(gate[1]);
	return child;
}

static int run(struct injection *injection)
{
	pid_t child = start(injection);
	know(child);
	int result = 125;
	for (;;) {
		int status;
		pid_t thread = waitpid(-1, &status, __WALL);
		if (thread < 0 && errno == EINTR) continue;
		if (thread < 0) return result;
		if (WIFSTOPPED(status)) {
			know(thread);
			resume(injection, thread, status);
			continue;
		}
		forget(thread);
		if (thread == child) result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
}

static int kinds_of(const char *word)
{
	if (strcmp(word, "change") == 0) return KIND_CHANGE;
	if (strcmp(word, "descriptor") == 0) return KIND_DESCRIPTOR;
	if (strcmp(word, "read") == 0) return KIND_READ;
	if (strcmp(word, "step") == 0) return KIND_STEP | KIND_CHANGE;
	errno = EINVAL;
	fail(word);
	return 0;
}

static void read_option(struct injection *injection, const char *option, const char *value)
{
	if (strcmp(option, "--calls") == 0) injection->kinds = kinds_of(value);
	else if (strcmp(option, "--at") == 0) injection->at = strtoul(value, NULL, 10);
	else if (strcmp(option, "--below") == 0) injection->below = value;
	else if (strcmp(option, "--record") == 0) {
		injection->record = fopen(value, "we");
		if (injection->record == NULL) fail(value);
	} else if (strcmp(option, "--errno") == 0) {
		injection->fault = FAULT_ERROR;
		injection->error = (int)strtol(value, NULL, 10);
	} else if (strcmp(option, "--kill") == 0)
		injection->fault = strcmp(value, "one") == 0 ? FAULT_KILL_ONE : FAULT_KILL_ALL;
	else {
		errno = EINVAL;
		fail(option);
	}
}

int main(int count, char **arguments)
{
	struct injection injection = {.kinds = KIND_CHANGE, .below = ""};
	int index = 1;
	while (index + 1 < count && strcmp(arguments[index], "--") != 0) {
		read_option(&injection, arguments[index], arguments[index + 1]);
		index += 2;
	}
	if (index + 1 >= count) {
		errno = EINVAL;
		fail("no command");
	}
	injection.command = arguments + index + 1;
	return run(&injection);
}
