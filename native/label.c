#include "label.h"

#include "die.h"
#include "mounts.h"
#include "paths.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LABEL_BYTES = 4096 };

/* A profile is shown with its mode behind it, a context perhaps with its NUL. */
static bool is_label(const char *shown, const char *wanted)
{
    size_t length = strlen(wanted);
    return strncmp(shown, wanted, length) == 0 && (shown[length] == '\0' || shown[length] == '\n' || strcmp(shown + length, " (enforce)\n") == 0);
}

/* Nothing but procfs may be at the end of the way, or a pod would say where this is written to (T-R14, T-R59: CVE-2023-28642, CVE-2025-52881). */
static void write_label(int proc, const char *file, const char *text, const char *wanted)
{
    char shown[LABEL_BYTES] = "";
    size_t length = strlen(text);
    cleanup_fd int attribute = open_same_mount(proc, file, O_RDWR);
    if (attribute < 0)
        die("label", wanted, -attribute);
    if (!is_filesystem(attribute, PROC_SUPER_MAGIC))
        die_because("label", wanted, 0, "not a file of procfs");
    if (write(attribute, text, length) != (ssize_t)length)
        die("label", wanted, errno);
    if (pread(attribute, shown, sizeof shown - 1, 0) < 0)
        die("label", wanted, errno);
    if (!is_label(shown, wanted))
        die_because("label", wanted, 0, "the kernel did not do as asked");
}

bool label_is_asked_for(const struct app_plan *app)
{
    return app->apparmor != NULL || app->selinux != NULL;
}

void label_next_program(int proc, const struct app_plan *app)
{
    char file[64], text[LABEL_BYTES];
    if (app->apparmor != NULL) {
        snprintf(text, sizeof text, "exec %s", app->apparmor);
        snprintf(file, sizeof file, "%d/attr/apparmor/exec", getpid());
        write_label(proc, file, text, app->apparmor);
    }
    if (app->selinux != NULL) {
        snprintf(file, sizeof file, "%d/attr/exec", getpid());
        write_label(proc, file, app->selinux, app->selinux);
    }
}
