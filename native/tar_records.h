/* The second half of tar.c: PAX records, and what must hold of an entry once they are applied. */
#ifndef PERIGEE_TAR_RECORDS_H
#define PERIGEE_TAR_RECORDS_H

#include "tar.h"

/* Reports that the archive is not canonical and ends the program. `subject` is the path of the entry as far as it is known. */
_Noreturn void tar_refuse(const char *subject, const char *sentence);

/* Sets the fields of `entry` that `records` give; cuts `records` into strings (one byte after `size` must be there too). */
void tar_apply_records(struct tar_entry *entry, char *records, size_t size);

/* Refuses an entry that no writer of ours makes: paths that leave the root, sizes of what has no body, and so on. */
void tar_check(const struct tar_entry *entry);

#endif
