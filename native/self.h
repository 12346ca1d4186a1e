/* What the verbs that meet a pod do with their own process first: nothing of it or of its caller may serve the pod as a way out. */
#ifndef PERIGEE_SELF_H
#define PERIGEE_SELF_H

/* The number of an open descriptor above the standard ones that `text` is, or -1. */
int self_descriptor(const char *text);

/* Closes everything but 0 to 2 and `kept`, which ends with -1 (T-R03); what is missing of 0 to 2 becomes the null device, and nothing else. */
void self_arrange(const int *kept);

/* Closes everything but 0 to 2 and `kept`, which ends with -1 and is closed on execute; executes this program again through a read-only mount
 * of its own file, as `verb` with these arguments; makes the process undumpable and blocks every signal. May begin the program anew: what
 * comes before it happens twice. */
void self_secure(const char *verb, int argc, char **argv, const int *kept);

#endif
