/* The log of an app: records of lines, whose form is in spec/shim.md (SHIM-20…29). */
#ifndef PERIGEE_LOG_H
#define PERIGEE_LOG_H

#include "plan.h"

/* The most bytes that are written at once. */
enum { LOG_BATCH_BYTES = 4096 };

/* A bounded file that is rotated. What cannot be written is lost; the app goes on. */
struct log {
    const struct log_record *record;
    /* The directory, and the file or -1. */
    int directory, fd;
    uint64_t size;
    /* Bytes of the app that there was no room for since the last record. */
    uint64_t lost;
    /* The second that `time` tells, as `YYYY-MM-DDThh:mm:ss.`; not ended. */
    int64_t second;
    char time[20];
};

/* Opens a log below the pod directory. */
void log_open(struct log *log, int pod, const struct log_record *record);

/* Writes what the app wrote, LOG_BATCH_BYTES at most, with the time of now. */
void log_write(struct log *log, bool is_error, const char *bytes, size_t length);

#endif
