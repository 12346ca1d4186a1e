/* The mount system calls with our habits: everything by descriptor, private, close-on-exec, and a failure names the step. */
#ifndef PERIGEE_MOUNTS_H
#define PERIGEE_MOUNTS_H

#include <stdbool.h>
#include <stdint.h>

/* A detached copy of the mount at `path` (of `directory`; "" is the descriptor itself), with everything mounted below if `is_recursive`. */
int mount_clone(int directory, const char *path, bool is_recursive, const char *subject);

/* A detached new file system, shown as `source`; `data` is a comma list of `key=value` and flags; `flags` are FLAG_… of plan.h. */
int mount_new(const char *type, const char *source, const char *data, unsigned flags, const char *subject);

/* Sets FLAG_RO, FLAG_NOSUID, FLAG_NODEV and FLAG_NOEXEC of a mount (never clears one) and makes it private, unless FLAG_SLAVE or FLAG_SHARED
 * say otherwise; with FLAG_REC of the whole tree. */
void mount_restrict(int mount, unsigned flags, const char *subject);

/* Maps the owners of a detached mount by a user namespace; with FLAG_REC of the whole tree. */
void mount_idmap(int mount, unsigned flags, int user_namespace, const char *subject);

/* Attaches a detached mount on what `target` is open on. */
void mount_attach(int mount, int target, const char *subject);

/* Whether the file system that `fd` is on is the kernel's: proc or sysfs. */
bool is_kernel_filesystem(int fd);
bool is_filesystem(int fd, unsigned long magic);

#endif
