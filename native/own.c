/* own: gives a directory of a pod to the user that the pod's manifest says. */
#include "die.h"
#include "paths.h"
#include "plan.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum { USAGE = 2, FAILED = 1 };

int verb_own(int argc, char **argv)
{
    if (argc != 4) {
        static const char text[] = "usage: perigee-shim own PATH UID GID MODE\n";
        (void)!write(STDERR_FILENO, text, sizeof text - 1);
        return USAGE;
    }
    die_report_to(STDERR_FILENO, FAILED);
    uid_t uid = (uid_t)field_number("own", argv[1], UINT32_MAX - 1);
    gid_t gid = (gid_t)field_number("own", argv[2], UINT32_MAX - 1);
    mode_t mode = field_octal("own", argv[3]);
    cleanup_fd int directory = open_beneath(AT_FDCWD, argv[0], O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (directory < 0)
        die("own", argv[0], -directory);
    if (fchown(directory, uid, gid) < 0)
        die("chown", argv[0], errno);
    if (fchmod(directory, mode) < 0)
        die("chmod", argv[0], errno);
    puts("{\"owned\":1}");
    return 0;
}
