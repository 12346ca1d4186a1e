/* Times programs side by side: each in turn, from idle, with something untimed before it; prints the median, the least and the spread
 * of each in microseconds. usage: stopwatch ROUNDS BEFORE -- PROGRAM… [-- PROGRAM…]…; BEFORE is run by /bin/sh. */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_PROGRAMS = 8, MOST_ROUNDS = 1000, IDLE_MILLISECONDS = 50 };

static double microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double time_of(char **arguments, const char *before)
{
    char *environment[] = {NULL};
    pid_t pid;
    int status;
    if (system(before) != 0)
        exit(1);
    nanosleep(&(struct timespec){.tv_nsec = IDLE_MILLISECONDS * 1000000L}, NULL);
    double start = microseconds();
    if (posix_spawn(&pid, arguments[0], NULL, NULL, arguments, environment) != 0 || waitpid(pid, &status, 0) != pid || status != 0) {
        fprintf(stderr, "stopwatch: %s failed\n", arguments[0]);
        exit(1);
    }
    return microseconds() - start;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    static double times[MOST_PROGRAMS][MOST_ROUNDS];
    char **programs[MOST_PROGRAMS];
    int count = 0, rounds = argc > 4 ? atoi(argv[1]) : 0;
    if (rounds < 1 || rounds > MOST_ROUNDS)
        return 2;
    for (int i = 3; i < argc && count < MOST_PROGRAMS; i++) {
        if (strcmp(argv[i], "--") != 0)
            continue;
        argv[i] = NULL;
        programs[count++] = &argv[i + 1];
    }
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < count; i++)
            times[i][round] = time_of(programs[i], argv[2]);
    for (int i = 0; i < count; i++) {
        qsort(times[i], (size_t)rounds, sizeof times[i][0], compare);
        printf("%-60.60s median %7.0f least %7.0f p90 %7.0f\n", programs[i][0], times[i][rounds / 2], times[i][0], times[i][rounds * 9 / 10]);
    }
    return 0;
}
