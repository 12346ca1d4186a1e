/* The verbs of the guest that are not in guest.c. All get the arguments after their name and return the exit status. */
#ifndef PERIGEE_GUEST_H
#define PERIGEE_GUEST_H

#include <stdbool.h>

/* Whether process 1 is init of a pod. Without that nothing of what follows is done: on a host it would do harm. */
bool is_in_pod(void);

int show_environment(char **arguments);
int show_directory(char **arguments);
int show_ids(char **arguments);
int show_privileges(char **arguments);
int show_mounts(char **arguments);
int show_cgroups(char **arguments);
int show_namespaces(char **arguments);
int show_limits(char **arguments);
int show_descriptors(char **arguments);
int show_terminal(char **arguments);
/* Of the terminal at standard input. */
void show_size(void);
int show_all(char **arguments);

/* `list.DIRECTORY=NAME`, `path.PATH=…`, `open.PATH=…`, `write.PATH=ok`, `unlink.PATH=ok`, or the errno instead; the last copies a file, or standard
 * input, to standard output. */
int list_directory(char **arguments);
int show_paths(char **arguments);
int open_paths(char **arguments);
int write_file(char **arguments);
int unlink_paths(char **arguments);
int print_file(char **arguments);

/* `try.NAME=ok` or the errno, for everything that a pod must not be able to do. */
int try_everything(char **arguments);

/* `writable=PATH` for every file below the arguments that can be opened for writing, `visited=N` at the end. */
int find_writable(char **arguments);

/* `call.NUMBER=…` for system calls 0 to 469, each in a process of its own, with arguments that can do no harm. */
int sweep_calls(char **arguments);

/* `exe.init=` and `exe.app=`: whether the file of each process's program can be opened for writing, directly and by a handle. */
int overwrite_programs(char **arguments);

/* Until SIGTERM: `hunt.exe=`, `hunt.fd=`, `hunt.root=` for whatever of the host another process of the pod lets through, at any instant of its
 * life; then `hunt.met=N`, how often one of our own programs was met before it became an app. */
int hunt(char **arguments);

/* Calls by the other entries of the kernel: `i386.NAME=ok`, the errno, or the signal; `x32.getpid=`. */
int try_abis(char **arguments);

/* DIRECTORY: `mark.WAY=ok` or the errno, for every way to leave a set-user-ID or set-group-ID file there, or one with capabilities. */
int mark_files(char **arguments);

/* On the host: a terminal, and a key, for the program that the arguments name. */
int run_on_terminal(char **arguments);
int run_with_key(char **arguments);

/* Wherever two names are to be swapped under somebody's eyes. */
int swap_names(char **arguments);
/* Whoever executes a file is made to wait. */
int hold_execution(char **arguments);
int send_datagrams(char **arguments);
int receive_datagrams(char **arguments);

/* To NOTIFY_SOCKET (notify.c); `notify=ok` or the errno. */
int notify_say(char **arguments);
int notify_by_child(char **arguments);
int notify_flood(char **arguments);
int notify_descriptors(char **arguments);

/* FD: takes one connection from that listening socket and says hello to it; first whether LISTEN_PID is this process. */
int greet_from_socket(char **arguments);

/* SOCKET WORD…: to a supervisor who lets others be attached: `take`, `end`, `pause`, `deaf` (reads no more), `long:N` and `with:TEXT`, else a datagram, with %XX. */
int be_client(char **arguments);

/* MODE: `MODE OK`, or `MODE FAIL` and on standard error what failed; a stage of an app of the specification's validator. */
int validate(char **arguments);

/* METHOD PATH [FORM]: of AC_METADATA_URL; `METHOD.PATH.status=`, `.type=`, `.time=` in milliseconds, and `.body=` with \v for newlines. */
int ask_metadata(char **arguments);

#endif
