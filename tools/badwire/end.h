/*
 * One end of the wire: a TAP of some network namespace, opened and set up.
 */
#ifndef BADWIRE_END_H
#define BADWIRE_END_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/options.h"

enum { END_ADDRESSES_MAX = 4, MTU_MIN = 68, MTU_MIN_IPV6 = 1280, MTU_MAX = 65521 };

struct end_address {
	int family;
	uint8_t bytes[16]; /* 4 of them when AF_INET */
	uint8_t prefix_bits;
};

struct end {
	const char *text; /* as the user wrote it */
	int fd;		  /* of the TAP; -1: not open yet */
	bool given;	  /* the descriptor was handed over: nothing is set up */
	char netns[256];  /* path of a namespace file; "": the one that badwire is in */
	char tap[IFNAMSIZ];
	uint32_t mtu; /* 0: left as it is */
	unsigned address_count;
	struct end_address addresses[END_ADDRESSES_MAX];
};

/*
 * "[NETNS:]TAP[,mtu=N][,ADDRESS/BITS]..." or "fd:N". NETNS is a process id, a path, or a name that
 * `ip netns` knows. False with a line in error.
 */
bool end_parse(struct end *end, const char *text, char error[HV_OPTION_ERROR]);

/* Opens the TAP in the namespace that this process is in, gives it MTU and addresses, brings it up. */
bool end_open_here(struct end *end, char error[HV_OPTION_ERROR]);

/* The same in the end's own namespace, which a process of its own joins. */
bool end_open(struct end *end, char error[HV_OPTION_ERROR]);

#endif
