/* Owner, mode, extended attributes and times of an entry, in the order in which none undoes another; always of the entry itself, by
 * descriptor or by single name without following. Also keeps the list of what was left out. Knows nothing of content. */
#ifndef PERIGEE_APPLY_H
#define PERIGEE_APPLY_H

#include "tar.h"

#include <stdbool.h>
#include <stdio.h>

struct applier {
    bool owner;      /* false: everything belongs to the caller */
    bool always_own; /* something new may get another owner than ours by itself: chown even when the wanted one is ours */
    uid_t uid;       /* ours */
    gid_t gid;
    FILE *skipped; /* JSON strings with commas between */
    char *text;
    size_t text_size, skipped_count;
};

/* Begins for entries below `root`, a directory. */
void apply_begin(struct applier *applier, int root, bool owner);

/* To a file or directory that is open; `path` is for messages. */
void apply_to(struct applier *applier, int fd, const char *path, const struct attributes *wanted);

/* To what is never opened: links, devices, fifos. A mode can be given them only when they are made. */
void apply_to_name(struct applier *applier, int parent, const char *name, const struct tar_entry *entry);

/* Puts `path` and the reason in the list of what was left out. */
void apply_skip(struct applier *applier, const char *path, const char *reason);

/* The list, as JSON. */
const char *apply_skipped(struct applier *applier);

#endif
