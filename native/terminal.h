/* Terminals: the app's side, made within its own devpts, and the caller's, which is raw while the two are connected. */
#ifndef PERIGEE_TERMINAL_H
#define PERIGEE_TERMINAL_H

#include <stdint.h>
#include <sys/ioctl.h>

/* A new terminal of the devpts below `dev`, owned by `uid`. Returns the master. */
int terminal_pair(int dev, uint32_t uid, const struct winsize *size, int *slave);

/* In the process of an app: such a terminal, also bound to `dev`/console. */
int terminal_open(int dev, uint32_t uid, const struct winsize *size, int *slave);

/* In the process of an app, leader of a new session: makes `slave` its controlling terminal. */
void terminal_control(int slave);

/* In the supervisor. Makes the caller's terminal, if standard input is one, raw until terminal_restore, which may always be called. */
void terminal_make_raw(void);
void terminal_restore(void);

/* The size of the caller's terminal, zeros if there is none. */
struct winsize terminal_size(void);

#endif
