/* Shared by the three files of `inject`, which lets a command fail or die at one chosen system call. */
#ifndef INJECT_H
#define INJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum kind {
	KIND_CHANGE = 1,     /* changes what is on the disk, or waits until it is there */
	KIND_DESCRIPTOR = 2, /* makes a file descriptor */
	KIND_READ = 4,       /* reads a file or a directory */
	KIND_STEP = 8        /* makes a process, a namespace or a mount, changes what a process may do, or waits for one */
};

/* Where in the arguments of a call its subjects are; -1: nowhere. */
struct call {
	long number;
	const char *name;
	int kinds;
	int descriptor; /* the open file that is changed or read */
	int path[2];    /* names */
	int at[2];      /* directory descriptors that the names are relative to */
	int flags;      /* of an open: it changes something only with some of them */
};

/* NULL: not one of ours. */
const struct call *call_find(uint64_t number);
/* From now on calls of these kinds stop this process and its descendants for the tracer. Ends the process when that is refused. */
void calls_trap(int kinds);

/* What a stopped call is about, as far as that can be seen from outside. */
struct subject {
	bool counts;   /* false: a pipe, a terminal, an open that changes nothing */
	char file[64]; /* DEVICE:INODE of the open file, or - */
	char path[2][4096];
};
void subject_look(struct subject *subject, pid_t thread, const struct call *call, const uint64_t *arguments, int kinds);
bool subject_is_below(const struct subject *subject, const char *directory);

#endif
