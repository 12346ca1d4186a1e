/* The program that tests run inside of pods: it reports what it finds there (reports.c, files.c), does what it is told, and tries to break out
 * (attempts.c, abis.c). It checks what the specification's validator checks (validator.c), and talks to service managers (notify.c). On the host it stands around a pod (around.c). Static, libc only; `guest VERB [ARGUMENT…]`; a `,` begins another. */
#include "guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int print_words(char **arguments)
{
    for (; *arguments != NULL; arguments++)
        printf("%s%s", *arguments, arguments[1] != NULL ? " " : "\n");
    return 0;
}

static int print_error(char **arguments)
{
    fprintf(stderr, "%s\n", arguments[0]);
    return 0;
}

/* BYTES of output, of all byte values. */
static int print_many(char **arguments)
{
    unsigned char bytes[4096];
    unsigned long long left = strtoull(arguments[0], NULL, 10);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)i;
    while (left > 0) {
        size_t length = left < sizeof bytes ? (size_t)left : sizeof bytes;
        ssize_t written = write(STDOUT_FILENO, bytes, length);
        if (written <= 0)
            return 1;
        left -= (unsigned long long)written;
    }
    return 0;
}

static int exit_with(char **arguments)
{
    return atoi(arguments[0]);
}

static int signal_self(char **arguments)
{
    raise(atoi(arguments[0]));
    return 0;
}

/* SIGTERM waits from now on for a `wait` that comes later. */
static int block_termination(char **arguments)
{
    sigset_t set;
    (void)arguments;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    return sigprocmask(SIG_BLOCK, &set, NULL);
}

/* Ends with 1 if there is a file of this name. */
static int is_there(char **arguments)
{
    return access(arguments[0], F_OK) == 0;
}

/* Says `waiting`, then each signal it is sent, and ends with the status 40 at SIGTERM, or after SECONDS. */
static int wait_for_signals(char **arguments)
{
    static const int watched[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH};
    struct timespec limit = {.tv_sec = arguments[0] != NULL ? atoi(arguments[0]) : 60};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof watched / sizeof *watched; i++)
        sigaddset(&set, watched[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    printf("waiting\n");
    for (int number; (number = sigtimedwait(&set, NULL, &limit)) > 0;) {
        printf("signal=%s\n", sigabbrev_np(number));
        if (number == SIGWINCH)
            show_size();
        if (number == SIGTERM)
            return 40;
    }
    return 0;
}

/* Shows its namespaces while it is in them: the numbers of those that are gone are used again. */
static int show_and_wait(char **arguments)
{
    show_namespaces(arguments);
    return wait_for_signals(arguments);
}

static int ignore_termination(char **arguments)
{
    signal(SIGTERM, SIG_IGN);
    printf("waiting\n");
    sleep((unsigned)atoi(arguments[0]));
    return 0;
}

static int sleep_for(char **arguments)
{
    sleep((unsigned)atoi(arguments[0]));
    return 0;
}

/* Works for so many SECONDS of processor time. */
static int work(char **arguments)
{
    while (clock() < atol(arguments[0]) * CLOCKS_PER_SEC)
        continue;
    return 0;
}

/* Leaves COUNT orphans that end at once, for init to reap, and one that sleeps. */
static int leave_orphans(char **arguments)
{
    int count = atoi(arguments[0]);
    for (int i = 0; i <= count; i++) {
        pid_t pid = fork();
        if (pid == 0 && fork() == 0) {
            sleep(i == count ? 600 : 0);
            _exit(0);
        }
        if (pid == 0)
            _exit(0);
        waitpid(pid, NULL, 0);
    }
    return 0;
}

static int count_processes(char **arguments)
{
    int count = 0, zombies = 0;
    (void)arguments;
    DIR *list = opendir("/proc");
    for (const struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
        char path[300], text[512] = "";
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
            continue;
        snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
        FILE *file = fopen(path, "re");
        if (file != NULL && fgets(text, sizeof text, file) != NULL) {
            const char *end = strrchr(text, ')');
            zombies += end != NULL && end[2] == 'Z';
        }
        if (file != NULL)
            fclose(file);
        count++;
    }
    printf("processes=%d\nzombies=%d\n", count, zombies);
    return 0;
}

static int allocate(char **arguments)
{
    size_t bytes = strtoull(arguments[0], NULL, 10);
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return 1;
    memset(memory, 1, bytes);
    printf("allocated=%zu\n", bytes);
    return 0;
}

static int fork_many(char **arguments)
{
    int limit = atoi(arguments[0]), count = 0;
    while (count < limit) {
        pid_t pid = fork();
        if (pid == 0) {
            pause();
            _exit(0);
        }
        if (pid < 0)
            break;
        count++;
    }
    printf("forked=%d,%s\n", count, count < limit ? strerrorname_np(errno) : "ok");
    return 0;
}

/* FILE KIBIBYTES: writes so much, past the page cache, in pieces of 64 KiB: the time that it took. */
static int write_direct(char **arguments)
{
    enum { PIECE = 65536 };
    struct timespec begun, ended;
    int file = open(arguments[0], O_WRONLY | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
    void *piece = aligned_alloc(4096, PIECE);
    if (file < 0 || piece == NULL) {
        printf("direct.error=%s\n", strerrorname_np(errno));
        return 1;
    }
    memset(piece, 1, PIECE);
    clock_gettime(CLOCK_MONOTONIC, &begun);
    for (long left = atol(arguments[1]) * 1024; left > 0; left -= PIECE)
        if (write(file, piece, PIECE) != PIECE)
            return 1;
    clock_gettime(CLOCK_MONOTONIC, &ended);
    free(piece);
    close(file);
    printf("direct.milliseconds=%ld\n", (ended.tv_sec - begun.tv_sec) * 1000 + (ended.tv_nsec - begun.tv_nsec) / 1000000);
    return 0;
}

/* FILE: works until the processor's time that the kernel keeps from us is counted there (cpu.stat), at most for ten seconds of it. */
static int work_until_throttled(char **arguments)
{
    while (clock() < 10 * CLOCKS_PER_SEC) {
        char line[128];
        FILE *file = fopen(arguments[0], "re");
        unsigned long count = 0;
        while (file != NULL && fgets(line, sizeof line, file) != NULL)
            sscanf(line, "nr_throttled %lu", &count);
        if (file != NULL)
            fclose(file);
        if (count > 0) {
            printf("throttled\n");
            return 0;
        }
    }
    return 1;
}

static const struct {
    const char *name;
    int least;
    int (*run)(char **arguments);
    bool is_for_pods_only;
} verbs[] = {
    {"env", 0, show_environment, false},
    {"cwd", 0, show_directory, false},
    {"ids", 0, show_ids, false},
    {"privileges", 0, show_privileges, false},
    {"mounts", 0, show_mounts, false},
    {"cgroups", 0, show_cgroups, false},
    {"namespaces", 0, show_namespaces, false},
    {"limits", 0, show_limits, false},
    {"fds", 0, show_descriptors, false},
    {"tty", 0, show_terminal, false},
    {"all", 0, show_all, false},
    {"list", 1, list_directory, false},
    {"stat", 1, show_paths, false},
    {"open", 1, open_paths, true},
    {"write", 2, write_file, true},
    {"unlink", 1, unlink_paths, true},
    {"cat", 0, print_file, false},
    {"echo", 0, print_words, false},
    {"error", 1, print_error, false},
    {"print", 1, print_many, false},
    {"exit", 1, exit_with, false},
    {"signal", 1, signal_self, false},
    {"block", 0, block_termination, false},
    {"absent", 1, is_there, false},
    {"wait", 0, wait_for_signals, false},
    {"stay", 0, show_and_wait, false},
    {"stubborn", 1, ignore_termination, false},
    {"sleep", 1, sleep_for, false},
    {"busy", 1, work, false},
    {"orphans", 1, leave_orphans, true},
    {"processes", 0, count_processes, false},
    {"alloc", 1, allocate, false},
    {"fork", 1, fork_many, true},
    {"try", 0, try_everything, true},
    {"walk", 1, find_writable, true},
    {"sweep", 0, sweep_calls, true},
    {"abis", 0, try_abis, true},
    {"mark", 1, mark_files, true},
    {"hunt", 0, hunt, true},
    {"overwrite", 0, overwrite_programs, true},
    {"validate", 1, validate, true},
    {"ask", 2, ask_metadata, true},
    {"greet", 1, greet_from_socket, false},
    {"notify", 1, notify_say, false},
    {"notify-child", 1, notify_by_child, false},
    {"notify-flood", 2, notify_flood, true},
    {"notify-descriptors", 1, notify_descriptors, true},
    {"throttled", 1, work_until_throttled, false},
    {"direct", 2, write_direct, true},
    {"client", 1, be_client, false},
    {"pty", 3, run_on_terminal, false},
    {"with-key", 1, run_with_key, false},
    {"swap", 2, swap_names, false},
    {"hold", 1, hold_execution, false},
    {"send", 4, send_datagrams, false},
    {"receive", 3, receive_datagrams, false},
};

static int run_verb(int count, char **words)
{
    for (size_t i = 0; count > 0 && i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(words[0], verbs[i].name) != 0 || count - 1 < verbs[i].least)
            continue;
        if (!verbs[i].is_for_pods_only || is_in_pod())
            return verbs[i].run(words + 1);
        fprintf(stderr, "guest: %s is done in a pod only\n", words[0]);
        return 2;
    }
    fprintf(stderr, "usage: guest VERB [ARGUMENT…] [, VERB [ARGUMENT…]]…\n");
    return 2;
}

int main(int argc, char **argv)
{
    int status = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int first = 1; status == 0 && first <= argc;) {
        int end = first;
        bool is_for_another = strcmp(argv[first], "pty") == 0 || strcmp(argv[first], "with-key") == 0;
        while (end < argc && (is_for_another || strcmp(argv[end], ",") != 0))
            end++;
        argv[end] = NULL;
        status = run_verb(end - first, argv + first);
        first = end + 1;
    }
    return status;
}
