/* What the supervisor, init and an app's process say to each other before and while a pod runs: datagrams on one socket pair,
 * between processes of this program only. Once an app is executed it has no end of it. */
#ifndef PERIGEE_MESSAGES_H
#define PERIGEE_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct failure;

enum message_kind {
    /* supervisor → init: the id maps are written and the mounts idmapped; `value` is a signal for all apps */
    MESSAGE_RELEASE,
    MESSAGE_SIGNAL,
    /* app → supervisor: about to execute (sent for its credentials); its terminal, and the socket of what it says, as descriptors */
    MESSAGE_STARTING,
    MESSAGE_TERMINAL,
    MESSAGE_NOTIFY,
    /* init → supervisor: executed, or ended before; ended with wait status `value` */
    MESSAGE_EXECUTED,
    MESSAGE_EXITED,
    /* init → supervisor: as MESSAGE_EXITED, but the app will be started again; its cgroup is to be emptied and its root to be made anew */
    MESSAGE_PAUSED,
    MESSAGE_RENEW,
    /* supervisor → init: descriptors of the new root of an app; it is all done */
    MESSAGE_TREE,
    MESSAGE_UPPER,
    MESSAGE_WORK,
    MESSAGE_RENEWED,
    /* init → supervisor: a handler ended with wait status `value` */
    MESSAGE_PRE_STARTED,
    MESSAGE_POST_STOPPED,
    /* init → supervisor: a check has ended, and what that means, packed by health.h; supervisor → init: what it wrote has been taken */
    MESSAGE_CHECKED,
    MESSAGE_NOTED,
    /* process that makes an app's root → init: a descriptor of what leads into it (and MESSAGE_TERMINAL) */
    MESSAGE_MOUNT_NAMESPACE,
    MESSAGE_CGROUP_NAMESPACE,
    /* init or app → supervisor */
    MESSAGE_FAILED,
};

struct message {
    enum message_kind kind;
    /* Index of the app in the plan. */
    uint32_t app;
    int32_t value;
    /* Only in MESSAGE_FAILED; `value` is the exit status. Texts are cut short. */
    int32_t errnum;
    char step[32], subject[1024], text[256];
};

/* A pair of ends, CLOEXEC; `ends[0]`, the supervisor's, learns the host pid of every sender and never blocks. */
void messages_open(int ends[2]);

/* Sends without texts; `fd` -1 for none. False if nobody is there any more. */
bool message_send(int channel, enum message_kind kind, uint32_t app, int32_t value, int fd);
bool message_send_failure(int channel, const struct failure *failure);

/* Receives one message. 1; 0 when every other end is closed; -1 when there is none and the channel does not block.
 * `pid` (may be NULL) is the sender's, `fd` (may be NULL) a descriptor that came along or -1. */
int message_receive(int channel, struct message *message, pid_t *pid, int *fd, bool is_waiting);

#endif
