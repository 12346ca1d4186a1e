/* What stands around a pod while it is tested, so it is done on the host: a terminal for its caller, a key in the caller's keyring. */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { NOT_STARTED = 99 };

static volatile sig_atomic_t asked_size, asked_end;

static void ask_size(int number)
{
    (void)number;
    asked_size = 1;
}

static void ask_end(int number)
{
    (void)number;
    asked_end = 1;
}

static int open_terminal(unsigned short columns, unsigned short rows, int *master)
{
    struct winsize size = {.ws_col = columns, .ws_row = rows};
    int unlocked = 0;
    *master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (*master < 0 || ioctl(*master, TIOCSPTLCK, &unlocked) < 0 || ioctl(*master, TIOCSWINSZ, &size) < 0)
        return -1;
    return ioctl(*master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
}

static pid_t start_on(int terminal, char **arguments)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    setsid();
    ioctl(terminal, TIOCSCTTY, 0);
    for (int i = 0; i < 3; i++)
        dup2(terminal, i);
    execv(arguments[0], arguments);
    _exit(NOT_STARTED);
}

/* Copies what is there; false at the end. */
static bool copy(int from, int to)
{
    char bytes[4096];
    ssize_t length = read(from, bytes, sizeof bytes);
    if (length < 0)
        return errno == EINTR;
    return length > 0 && write(to, bytes, (size_t)length) == length;
}

/* COLUMNS ROWS PROGRAM …: runs it on a new terminal, whose other side is our standard input and output. SIGUSR1 makes the terminal 20 columns
 * and 10 rows larger, SIGTERM goes to the program. The exit status is the program's; `modes=` tells whether it left the terminal as it was. */
int run_on_terminal(char **arguments)
{
    int master, status, terminal = open_terminal((unsigned short)atoi(arguments[0]), (unsigned short)atoi(arguments[1]), &master);
    struct termios before, after;
    struct sigaction on_size = {.sa_handler = ask_size}, on_end = {.sa_handler = ask_end};
    if (terminal < 0 || tcgetattr(terminal, &before) < 0)
        return NOT_STARTED;
    sigaction(SIGUSR1, &on_size, NULL);
    sigaction(SIGTERM, &on_end, NULL);
    pid_t pid = start_on(terminal, arguments + 2);
    struct pollfd watched[2] = {{.fd = master, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
    while (waitpid(pid, &status, WNOHANG) == 0) {
        int ready = poll(watched, 2, 100);
        if (asked_size) {
            struct winsize size;
            asked_size = 0;
            ioctl(master, TIOCGWINSZ, &size);
            size.ws_col = (unsigned short)(size.ws_col + 20);
            size.ws_row = (unsigned short)(size.ws_row + 10);
            ioctl(master, TIOCSWINSZ, &size);
        }
        if (asked_end)
            kill(pid, SIGTERM);
        asked_end = 0;
        if (ready <= 0)
            continue;
        if (watched[0].revents != 0)
            copy(master, STDOUT_FILENO);
        if (watched[1].revents != 0 && !copy(STDIN_FILENO, master))
            watched[1].fd = -1;
    }
    while (poll(watched, 1, 0) > 0 && copy(master, STDOUT_FILENO))
        ;
    bool is_same = tcgetattr(terminal, &after) == 0 && after.c_lflag == before.c_lflag && after.c_iflag == before.c_iflag && after.c_oflag == before.c_oflag;
    printf("modes=%s\n", is_same ? "same" : "changed");
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* A B: swaps the names of both, as fast as it can, until SIGTERM. */
int swap_names(char **arguments)
{
    struct sigaction on_end = {.sa_handler = ask_end};
    unsigned long long swaps = 0;
    sigaction(SIGTERM, &on_end, NULL);
    puts("swapping");
    while (!asked_end)
        if (renameat2(AT_FDCWD, arguments[0], AT_FDCWD, arguments[1], RENAME_EXCHANGE) == 0)
            swaps++;
    printf("swaps=%llu\n", swaps);
    return 0;
}

/* FILE: holds up whoever executes it, and says `asked` then, for as long as it lives. */
int hold_execution(char **arguments)
{
    char events[4096];
    int group = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY | O_CLOEXEC);
    if (group < 0 || fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN_EXEC_PERM, AT_FDCWD, arguments[0]) < 0) {
        printf("hold=%s\n", strerrorname_np(errno));
        return NOT_STARTED;
    }
    puts("holding");
    while (read(group, events, sizeof events) > 0)
        puts("asked");
    return NOT_STARTED;
}

/* PROGRAM …: runs it with a new session keyring that holds a key. */
int run_with_key(char **arguments)
{
    static const char name[] = "perigee-test";
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 || syscall(SYS_add_key, "user", name, "secret", 6, KEY_SPEC_SESSION_KEYRING) < 0)
        return NOT_STARTED;
    execv(arguments[0], arguments);
    return NOT_STARTED;
}
