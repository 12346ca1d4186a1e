#include "tar_records.h"

#include "die.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define XATTR_KEY "SCHILY.xattr."

void tar_refuse(const char *subject, const char *sentence)
{
    die_because("tar", subject, 0, sentence);
}

/* A decimal number without sign or leading zeros, at most `limit`; moves `*at` behind it. */
static uint64_t decimal(const char **at, uint64_t limit, const char *subject, const char *what)
{
    const char *digit = *at;
    uint64_t value = 0;
    if (*digit < '0' || *digit > '9' || (digit[0] == '0' && digit[1] >= '0' && digit[1] <= '9'))
        tar_refuse(subject, what);
    for (; *digit >= '0' && *digit <= '9'; digit++) {
        uint64_t next = (uint64_t)(*digit - '0');
        if (next > limit || value > (limit - next) / 10)
            tar_refuse(subject, what);
        value = value * 10 + next;
    }
    *at = digit;
    return value;
}

static uint64_t whole(const char *text, uint64_t limit, const char *subject, const char *what)
{
    uint64_t value = decimal(&text, limit, subject, what);
    if (*text != '\0')
        tar_refuse(subject, what);
    return value;
}

/* `[-]S[.N…]` with at most nine digits of a fraction; -1.5 is kept as the kernel wants it, −2 s and 500 000 000 ns. */
static void apply_mtime(struct tar_entry *entry, const char *text)
{
    static const char what[] = "the time is no decimal number";
    bool negative = *text == '-';
    text += negative ? 1 : 0;
    uint64_t seconds = decimal(&text, INT64_MAX, entry->path, what);
    long scale = 1000000000, nanoseconds = 0;
    if (*text == '.') {
        for (text++; *text >= '0' && *text <= '9' && scale > 1; text++) {
            scale /= 10;
            nanoseconds += (*text - '0') * scale;
        }
        if (scale == 1000000000)
            tar_refuse(entry->path, what);
    }
    if (*text != '\0')
        tar_refuse(entry->path, what);
    bool borrow = negative && nanoseconds > 0;
    entry->attributes.mtime = negative ? -(int64_t)seconds - (borrow ? 1 : 0) : (int64_t)seconds;
    entry->attributes.nanoseconds = borrow ? 1000000000 - nanoseconds : nanoseconds;
}

static void apply_xattr(struct tar_entry *entry, const char *name, const char *value, size_t size)
{
    if (name[0] == '\0' || strlen(name) > TAR_MAX_NAME)
        tar_refuse(entry->path, "the name of an extended attribute is empty or too long");
    struct attributes *to = &entry->attributes;
    for (size_t i = 0; i < to->xattr_count; i++)
        if (strcmp(to->xattrs[i].name, name) == 0)
            tar_refuse(entry->path, "an extended attribute is given twice");
    if (to->xattr_count == TAR_MAX_XATTRS)
        tar_refuse(entry->path, "too many extended attributes");
    to->xattrs[to->xattr_count++] = (struct xattr){.name = name, .value = value, .size = size};
}

/* The keys other than attributes; the ustar field of a number given here is zero, so that no reader can see another size. */
enum key { KEY_PATH, KEY_LINKPATH, KEY_UID, KEY_GID, KEY_SIZE, KEY_MTIME, KEY_WHOLE, KEY_MAP, KEYS };

static void apply_key(struct tar_entry *entry, enum key key, const char *value)
{
    static const char twice[] = "a number is given in the header and in PAX";
    struct attributes *to = &entry->attributes;
    uint64_t was = key == KEY_UID ? to->uid : key == KEY_GID ? to->gid : key == KEY_SIZE ? entry->size : 0;
    if (was != 0)
        tar_refuse(entry->path, twice);
    switch (key) {
    case KEY_PATH:
        entry->path = value;
        break;
    case KEY_LINKPATH:
        entry->link = value;
        break;
    case KEY_UID: /* 4294967295 means "leave it" to chown */
        to->uid = (uid_t)whole(value, UINT32_MAX - 1, entry->path, "the owner is no valid number");
        break;
    case KEY_GID:
        to->gid = (gid_t)whole(value, UINT32_MAX - 1, entry->path, "the group is no valid number");
        break;
    case KEY_SIZE:
        entry->size = whole(value, INT64_MAX, entry->path, "the size is no valid number");
        break;
    case KEY_MTIME:
        apply_mtime(entry, value);
        break;
    case KEY_WHOLE:
        entry->whole = whole(value, INT64_MAX, entry->path, "the size is no valid number");
        break;
    case KEY_MAP:
        entry->map = value;
        break;
    case KEYS:
        break;
    }
}

static enum key key_named(const char *name)
{
    static const char *const names[KEYS] = {"path", "linkpath", "uid", "gid", "size", "mtime", "GNU.sparse.size", "GNU.sparse.map"};
    enum key key = 0;
    while (key < KEYS && strcmp(names[key], name) != 0)
        key++;
    return key;
}

/* One record `LENGTH KEY=VALUE\n`, LENGTH counting all of it; returns LENGTH. */
static size_t apply_record(struct tar_entry *entry, char *record, size_t room, unsigned *seen)
{
    static const char what[] = "a PAX record is malformed";
    const char *at = record;
    size_t length = (size_t)decimal(&at, room, entry->path, what);
    char *key = record + (at - record) + 1;
    if (*at != ' ' || record + length <= key || record[length - 1] != '\n')
        tar_refuse(entry->path, what);
    record[length - 1] = '\0';
    char *value = memchr(key, '=', (size_t)(record + length - key));
    if (value == NULL)
        tar_refuse(entry->path, what);
    *value++ = '\0';
    size_t size = (size_t)(record + length - 1 - value);
    if (strlen(key) != (size_t)(value - 1 - key))
        tar_refuse(entry->path, "a NUL byte in a PAX key");
    if (strncmp(key, XATTR_KEY, sizeof XATTR_KEY - 1) == 0) {
        apply_xattr(entry, key + sizeof XATTR_KEY - 1, value, size);
        return length;
    }
    enum key known = key_named(key);
    if (known == KEYS)
        tar_refuse(entry->path, "a PAX key that canonical tar does not have");
    if ((*seen & 1U << known) != 0)
        tar_refuse(entry->path, "a PAX key is given twice");
    if (strlen(value) != size)
        tar_refuse(entry->path, "a NUL byte in a PAX value");
    *seen |= 1U << known;
    apply_key(entry, known, value);
    return length;
}

bool tar_extent(const struct tar_entry *entry, const char **at, uint64_t *offset, uint64_t *size)
{
    static const char what[] = "the map of a sparse file is malformed";
    if (**at == '\0')
        return false;
    if (*at != entry->map && *(*at)++ != ',')
        tar_refuse(entry->path, what);
    *offset = decimal(at, INT64_MAX, entry->path, what);
    if (*(*at)++ != ',')
        tar_refuse(entry->path, what);
    *size = decimal(at, INT64_MAX, entry->path, what);
    return true;
}

/* Extents that are not empty, ascend, lie within the file, and are together what the body has. */
static void check_map(const struct tar_entry *entry, bool has_whole)
{
    uint64_t offset, size, end = 0, total = 0;
    if ((entry->map != NULL) != has_whole || (entry->map != NULL && entry->type != TAR_FILE))
        tar_refuse(entry->path, "a size without a map of a sparse file, a map without a size, or either without a file");
    if (entry->map == NULL)
        return;
    for (const char *at = entry->map; tar_extent(entry, &at, &offset, &size); total += size) {
        if (size == 0 || offset < end || offset > entry->whole || size > entry->whole - offset)
            tar_refuse(entry->path, "the extents of a sparse file are empty, overlap, or lie behind its end");
        end = offset + size;
    }
    if (total != entry->size)
        tar_refuse(entry->path, "the content of a sparse file is not of the size of its map");
}

void tar_apply_records(struct tar_entry *entry, char *records, size_t size)
{
    unsigned seen = 0;
    records[size] = '\0';
    for (size_t at = 0; at < size;)
        at += apply_record(entry, records + at, size - at, &seen);
    check_map(entry, (seen & 1U << KEY_WHOLE) != 0);
}

/* Relative; no empty, `.` or `..` component; within the limits. */
static void check_path(const char *path, const char *subject)
{
    size_t depth = 0;
    if (strlen(path) > TAR_MAX_PATH)
        tar_refuse(subject, "the path is too long");
    for (const char *name = path;; depth++) {
        size_t length = strcspn(name, "/");
        if (length == 0 || (length == 1 && name[0] == '.') || (length == 2 && name[0] == '.' && name[1] == '.'))
            tar_refuse(subject, "the path is not relative, or has an empty, `.` or `..` component");
        if (length > TAR_MAX_NAME || depth >= TAR_MAX_DEPTH)
            tar_refuse(subject, "a component of the path is too long, or there are too many");
        if (name[length] == '\0')
            return;
        name += length + 1;
    }
}

static void check_type(const struct tar_entry *entry)
{
    switch (entry->type) {
    case TAR_FILE:
    case TAR_HARDLINK:
    case TAR_SYMLINK:
    case TAR_CHARACTER:
    case TAR_BLOCK:
    case TAR_DIRECTORY:
    case TAR_FIFO:
        return;
    }
    tar_refuse(entry->path, "a type that canonical tar does not have");
}

void tar_check(const struct tar_entry *entry)
{
    bool device = entry->type == TAR_CHARACTER || entry->type == TAR_BLOCK;
    check_type(entry);
    if (strcmp(entry->path, ".") != 0)
        check_path(entry->path, entry->path);
    else if (entry->type != TAR_DIRECTORY)
        tar_refuse(entry->path, "the root is a directory");
    if (entry->type == TAR_HARDLINK)
        check_path(entry->link, entry->path);
    if (entry->type == TAR_HARDLINK && strcmp(entry->path, entry->link) == 0)
        tar_refuse(entry->path, "a hard link to itself");
    if (entry->type == TAR_SYMLINK && (entry->link[0] == '\0' || strlen(entry->link) > TAR_MAX_PATH))
        tar_refuse(entry->path, "the target of the link is empty or too long");
    if (entry->type != TAR_HARDLINK && entry->type != TAR_SYMLINK && entry->link[0] != '\0')
        tar_refuse(entry->path, "a link target, but no link");
    if (entry->type != TAR_FILE && entry->size != 0)
        tar_refuse(entry->path, "content, but no file");
    if (!device && (entry->major != 0 || entry->minor != 0))
        tar_refuse(entry->path, "a device number, but no device");
    if (entry->attributes.mode > 07777)
        tar_refuse(entry->path, "the mode has more than permission bits");
}
