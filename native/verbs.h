/* Every verb is a file; main.c is the table. A verb gets the arguments after its name and returns the exit status. */
#ifndef PERIGEE_VERBS_H
#define PERIGEE_VERBS_H

int verb_run(int argc, char **argv);
int verb_enter(int argc, char **argv);
int verb_attach(int argc, char **argv);
int verb_unpack(int argc, char **argv);
int verb_pack(int argc, char **argv);
int verb_remove(int argc, char **argv);
int verb_probe(int argc, char **argv);
int verb_netns(int argc, char **argv);
int verb_bridge_remove(int argc, char **argv);
int verb_mapped(int argc, char **argv);
int verb_own(int argc, char **argv);

/* Runs the verb of that name; -1: there is none. */
int verb_by_name(const char *name, int argc, char **argv);

#endif
