/* The processes that init makes for the apps of a pod: for an app, for its root, for what is started there. */
#ifndef PERIGEE_STARTING_H
#define PERIGEE_STARTING_H

#include "app.h"
#include "plan.h"

struct starter {
    struct pod_plan *plan;
    /* To the supervisor; init's own score, or -1; the pod's procfs, where nothing of the pod can mount over a part of it. */
    int channel, oom_file, proc;
    int own_score, score;
};

/* Reads what init's own score is; `plan`, `channel` and `oom_file` are set. */
void starter_open(struct starter *starter);

/* An app that nothing else is ever started beside: makes its root and executes it there. -errno if there is no process. */
pid_t starter_start_plain(struct starter *starter, uint32_t index);

/* Makes the root of an app, and waits for it; what could not be made has been reported, and ends the pod. */
void starter_make_root(struct starter *starter, uint32_t index, struct app_root *root);

/* Starts a stage of an app in that root; only a check may not have executed its program yet. -errno if there is no process. */
pid_t starter_start(struct starter *starter, uint32_t index, enum stage stage, const struct app_root *root);

/* Closes what leads into a root, which is gone with its last process then. */
void starter_close_root(struct app_root *root);

#endif
