/* Everything about terminals, and the one place that changes the caller's. */
#include "terminal.h"

#include "die.h"
#include "mounts.h"
#include "paths.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <termios.h>
#include <unistd.h>

/* The one state of this program that must be undone on every way out. */
static struct termios original;
static bool is_raw = false;

int terminal_pair(int dev, uint32_t uid, const struct winsize *size, int *slave)
{
    int unlocked = 0, master = open_beneath(dev, "pts/ptmx", O_RDWR | O_NOCTTY);
    if (master < 0 || !is_filesystem(master, DEVPTS_SUPER_MAGIC))
        die_because("terminal", "/dev/pts/ptmx", master < 0 ? -master : 0, "a terminal needs a devpts mount at /dev/pts");
    if (ioctl(master, TIOCSPTLCK, &unlocked) < 0 || ioctl(master, TIOCSWINSZ, size) < 0)
        die("terminal", "", errno);
    /* By descriptor: a name below /dev/pts could have been made to mean something else (CVE-2025-52565). */
    *slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (*slave < 0 || fchown(*slave, uid, (gid_t)-1) < 0)
        die("terminal", "", errno);
    return master;
}

int terminal_open(int dev, uint32_t uid, const struct winsize *size, int *slave)
{
    int master = terminal_pair(dev, uid, size, slave);
    cleanup_fd int console = make_file(dev, "console", 0600);
    if (console < 0)
        die("terminal", "/dev/console", -console);
    cleanup_fd int same = mount_clone(*slave, "", false, "/dev/console");
    mount_restrict(same, 0, "/dev/console");
    mount_attach(same, console, "/dev/console");
    return master;
}

void terminal_control(int slave)
{
    if (ioctl(slave, TIOCSCTTY, 0) < 0)
        die("terminal", "", errno);
}

void terminal_make_raw(void)
{
    if (tcgetattr(STDIN_FILENO, &original) < 0)
        return;
    struct termios raw = original;
    cfmakeraw(&raw);
    is_raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

void terminal_restore(void)
{
    if (is_raw)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &original);
    is_raw = false;
}

struct winsize terminal_size(void)
{
    struct winsize size;
    if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        return size;
    return (struct winsize){.ws_row = 0};
}
