/*
 * A wire for one command, without root: --run makes two network namespaces for it, and --in
 * starts programs in either of them.
 */
#ifndef BADWIRE_INSIDE_H
#define BADWIRE_INSIDE_H

#include <sys/types.h>

#include "end.h"

/* Where --in finds the namespaces: paths in the environment of the command. */
#define INSIDE_VARIABLE_A "BADWIRE_A"
#define INSIDE_VARIABLE_B "BADWIRE_B"

/*
 * Makes a user namespace (unless this process may make network namespaces as it is) and a network
 * namespace for each end, and opens the ends in them. This process stays in none of the two.
 */
bool inside_make(struct end ends[2], int netns_fd[2], char error[HV_OPTION_ERROR]);

/* Starts the command in the namespace of end a. Its process id, or -1 with a line in error. */
pid_t inside_start(char *const argv[], const int netns_fd[2], char error[HV_OPTION_ERROR]);

/* Ends what the command left running, in the background too. */
void inside_end(void);

/* --in: becomes the command in the namespace of end "a" or "b". Returns only when it cannot. */
void inside_exec(const char *which, char *const argv[], char error[HV_OPTION_ERROR]);

#endif
