/* Which extended attributes are part of an image, and reading them. One rule for packing and unpacking. */
#ifndef PERIGEE_XATTRS_H
#define PERIGEE_XATTRS_H

#include <stdbool.h>
#include <stddef.h>

/* File capabilities, ACLs and what users set. Everything else is the host's own business (labels, checksums), and the attributes of
 * overlays would let an image forge whiteouts and redirects of the overlay that it will be a layer of. */
bool xattr_is_carried(const char *name);

/* Names of the attributes that are carried, in byte order: `names` points to `count` strings, valid until the next call. Of `fd`, or
 * when that is negative of `name` in the working directory, not followed. 0 or -errno. */
int xattr_list(int fd, const char *name, const char *const **names, size_t *count);

/* The value, valid until the next call; its length or -errno. */
int xattr_read(int fd, const char *name, const char *xattr, const char **value);

#endif
