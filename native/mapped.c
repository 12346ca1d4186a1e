/* mapped: another verb, as root of a user namespace that has the ids of an ordinary user's pods: trees and pod directories of that user hold
 * files of ids that the user is not, and only there may the user make, read and remove them. */
#include "die.h"
#include "id_mapper.h"
#include "namespaces.h"
#include "plan_records.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { USAGE = 2, FAILED = 1, BEFORE_VERB = 4 };

static int usage(void)
{
    static const char text[] = "usage: perigee-shim mapped NEWUIDMAP NEWGIDMAP UIDS GIDS VERB…\n";
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    return USAGE;
}

/* INSIDE:OUTSIDE:COUNT with commas between. */
static struct id_range *ranges_of(char *text, size_t *count)
{
    struct id_range *ranges = NULL;
    for (char *next = text; next != NULL;) {
        char *range = strsep(&next, ","), keyword[] = "mapped";
        char *fields[] = {keyword, strsep(&range, ":"), strsep(&range, ":"), range};
        if (fields[2] == NULL || fields[3] == NULL)
            die_because("id-map", text, 0, "not INSIDE:OUTSIDE:COUNT");
        ADD(ranges, *count) = field_range(fields);
    }
    return ranges;
}

/* In a process of the caller's user namespace, which is where the programs have a right over the new one. */
static _Noreturn void map_parent(const struct pod_plan *plan, pid_t parent, int unshared)
{
    char byte;
    if (read(unshared, &byte, 1) != 1)
        _exit(FAILED);
    id_mapper_run(plan->uid_mapper, parent, plan->uids, plan->uid_count);
    id_mapper_run(plan->gid_mapper, parent, plan->gids, plan->gid_count);
    _exit(0);
}

static void enter_mapped(const struct pod_plan *plan)
{
    int ends[2], status = -1;
    pid_t self = getpid();
    if (pipe2(ends, O_CLOEXEC) < 0)
        die("id-map", "", errno);
    pid_t child = clone_process(0, -1);
    if (child == 0) {
        close(ends[1]);
        map_parent(plan, self, ends[0]);
    }
    close(ends[0]);
    if (child < 0)
        die("id-map", "", -child);
    if (unshare(CLONE_NEWUSER) < 0)
        die("user-namespace", "", errno);
    if (write(ends[1], "", 1) != 1 || close(ends[1]) < 0)
        die("id-map", "", errno);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    /* What went wrong it has said itself. */
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        _exit(FAILED);
}

/* The one id that everybody may map. Where nobody may have a namespace the verb is done without: all files are the caller's, and so they are told. */
static void become_root_alone(const struct pod_plan *plan)
{
    if (unshare(CLONE_NEWUSER) < 0)
        return;
    close(namespaces_map_ids(plan, getpid()));
    namespaces_become_root(plan);
}

int verb_mapped(int argc, char **argv)
{
    if (argc <= BEFORE_VERB || strcmp(argv[BEFORE_VERB], "mapped") == 0)
        return usage();
    struct pod_plan plan = {.is_unprivileged = true, .uid_mapper = argv[0], .gid_mapper = argv[1]};
    die_report_to(STDERR_FILENO, FAILED);
    if (argv[0][0] == '\0')
        plan.uid_mapper = plan.gid_mapper = NULL;
    plan.uids = ranges_of(argv[2], &plan.uid_count);
    plan.gids = ranges_of(argv[3], &plan.gid_count);
    if (plan.uid_mapper == NULL) {
        become_root_alone(&plan);
    } else {
        field_inside_path("mapped", plan.uid_mapper);
        field_inside_path("mapped", plan.gid_mapper);
        enter_mapped(&plan);
        namespaces_become_root(&plan);
    }
    int status = verb_by_name(argv[BEFORE_VERB], argc - BEFORE_VERB - 1, argv + BEFORE_VERB + 1);
    return status >= 0 ? status : usage();
}
