/* What an app writes never decides where a record begins: each of its line ends is followed by a mark of ours (SHIM-21). A record is made
 * here, and nowhere else; it is read by src/pod/log-records.ts. */
#include "log.h"

#include "die.h"
#include "paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* `TIME KIND ` at the beginning; every byte of the app may be a line end, which brings a mark along; the last one may be ours. */
enum { TIME_BYTES = 30, HEAD_BYTES = TIME_BYTES + 3, MOST_BYTES = HEAD_BYTES + 2 * LOG_BATCH_BYTES + 1, LOST_BYTES = TIME_BYTES + 32, SECONDS_OF_DAY = 86400, SHORT_LINE = 16 };

static const char *name_of(const struct log *log)
{
    const char *slash = strrchr(log->record->path, '/');
    return slash != NULL ? slash + 1 : log->record->path;
}

static void reopen(struct log *log)
{
    struct stat status;
    log->fd = openat(log->directory, name_of(log), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0640);
    log->size = log->fd >= 0 && fstat(log->fd, &status) == 0 ? (uint64_t)status.st_size : 0;
}

void log_open(struct log *log, int pod, const struct log_record *record)
{
    const char *slash = strrchr(record->path, '/');
    char *parent = strndup(record->path, slash != NULL ? (size_t)(slash - record->path) : 0);
    *log = (struct log){.record = record, .directory = -ENOMEM, .fd = -1, .second = -1};
    if (parent != NULL)
        log->directory = make_directories(pod, parent, 0750);
    free(parent);
    if (log->directory < 0)
        die("log", record->path, -log->directory);
    reopen(log);
    if (log->fd < 0)
        die("log", record->path, errno);
}

/* PATH becomes PATH.1, that PATH.2 …; the last one goes. */
static void rotate(struct log *log)
{
    char older[512], newer[512];
    close(log->fd);
    for (uint32_t number = log->record->files - 1; number > 0; number--) {
        snprintf(older, sizeof older, "%s.%u", name_of(log), number);
        snprintf(newer, sizeof newer, number > 1 ? "%s.%u" : "%s", name_of(log), number - 1);
        (void)!renameat(log->directory, newer, log->directory, older);
    }
    if (log->record->files == 1)
        (void)!unlinkat(log->directory, name_of(log), 0);
    reopen(log);
    /* Where a name cannot be changed the bound still holds. */
    if (log->fd >= 0 && log->size > 0 && ftruncate(log->fd, 0) == 0)
        log->size = 0;
}

static void put_digits(char *text, int count, uint64_t value)
{
    for (; count > 0; value /= 10)
        text[--count] = (char)('0' + value % 10);
}

static bool is_leap(uint32_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* gmtime would read the host's time zones first. */
static void put_date(char *text, uint64_t days)
{
    static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint32_t year = 1970, month = 0;
    for (; days >= 365U + is_leap(year); year++)
        days -= 365U + is_leap(year);
    for (; days >= lengths[month] + (month == 1 && is_leap(year) ? 1U : 0U); month++)
        days -= lengths[month] + (month == 1 && is_leap(year) ? 1U : 0U);
    put_digits(text, 4, year);
    put_digits(text + 5, 2, month + 1);
    put_digits(text + 8, 2, days + 1);
    text[4] = text[7] = '-';
}

/* RFC 3339 in UTC, TIME_BYTES with nanoseconds. A log of many lines a second tells most of it once. */
static void put_time(struct log *log, char *text)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec != log->second) {
        uint64_t seconds = now.tv_sec > 0 ? (uint64_t)now.tv_sec : 0, left = seconds % SECONDS_OF_DAY;
        put_date(log->time, seconds / SECONDS_OF_DAY);
        put_digits(log->time + 11, 2, left / 3600);
        put_digits(log->time + 14, 2, left / 60 % 60);
        put_digits(log->time + 17, 2, left % 60);
        log->time[10] = 'T';
        log->time[13] = log->time[16] = ':';
        log->time[19] = '.';
        log->second = now.tv_sec;
    }
    memcpy(text, log->time, sizeof log->time);
    put_digits(text + sizeof log->time, 9, (uint64_t)now.tv_nsec);
    text[TIME_BYTES - 1] = 'Z';
}

/* Copies up to the end of the line, or of all. Most lines are short: calls for each cost more than they do. Returns the bytes copied. */
static size_t copy_line(char *to, const char *bytes, size_t length)
{
    size_t size = 0, most = length < SHORT_LINE ? length : SHORT_LINE;
    for (; size < most; size++)
        if ((to[size] = bytes[size]) == '\n')
            return size + 1;
    const char *end = memchr(bytes + size, '\n', length - size);
    size_t left = (end != NULL ? (size_t)(end - bytes) + 1 : length) - size;
    memcpy(to + size, bytes + size, left);
    return size + left;
}

/* The bytes as records behind a head that is there already, but for its kind. Returns the end. */
static char *put_lines(char *to, char *kind, bool is_error, const char *bytes, size_t length)
{
    size_t size = copy_line(to, bytes, length);
    bool is_whole = bytes[size - 1] == '\n';
    *kind = is_error ? (is_whole ? 'e' : 'E') : (is_whole ? 'o' : 'O');
    while (size < length) {
        to += size;
        bytes += size;
        length -= size;
        char *mark = to++;
        size = copy_line(to, bytes, length);
        is_whole = bytes[size - 1] == '\n';
        *mark = is_whole ? '+' : '-';
    }
    to += size;
    if (!is_whole)
        *to++ = '\n';
    return to;
}

/* All of it or nothing: the next record must not be appended to half of one. */
static bool append(struct log *log, const char *records, size_t size)
{
    ssize_t written = write(log->fd, records, size);
    if (written == (ssize_t)size) {
        log->size += size;
        return true;
    }
    if (written > 0 && ftruncate(log->fd, (off_t)log->size) < 0)
        log->size += (uint64_t)written;
    return false;
}

/* `TIME ! BYTES`: what is missing before the next record. */
static size_t put_lost(struct log *log, char *text)
{
    put_time(log, text);
    return TIME_BYTES + (size_t)snprintf(text + TIME_BYTES, LOST_BYTES - TIME_BYTES, " ! %llu\n", (unsigned long long)log->lost);
}

void log_write(struct log *log, bool is_error, const char *bytes, size_t length)
{
    char records[LOST_BYTES + MOST_BYTES];
    if (length == 0 || length > LOG_BATCH_BYTES)
        return;
    char *head = records + (log->lost > 0 ? put_lost(log, records) : 0);
    put_time(log, head);
    head[TIME_BYTES] = head[TIME_BYTES + 2] = ' ';
    size_t size = (size_t)(put_lines(head + HEAD_BYTES, head + TIME_BYTES + 1, is_error, bytes, length) - records);
    /* It could not be made anew; there may be room by now. */
    if (log->fd < 0)
        reopen(log);
    if (log->fd >= 0 && log->size > 0 && log->size + size > log->record->bytes)
        rotate(log);
    bool is_kept = log->fd >= 0 && append(log, records, size);
    log->lost = is_kept ? 0 : log->lost + length;
}
