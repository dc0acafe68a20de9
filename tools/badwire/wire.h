/*
 * The wire between two TAPs: haven's links, wrapped in capture and fault, and nothing else.
 *
 *	TAP a -> capture -> fault (in)  ----> capture -> TAP b
 *	TAP a <- capture <- fault (out) <---- capture <- TAP b
 *
 * No stack stands between them: a frame that leaves one side's outermost link is output on the
 * other's. The stack that the links belong to has no address, and lends them clock and timers.
 */
#ifndef BADWIRE_WIRE_H
#define BADWIRE_WIRE_H

#include <stdio.h>

#include <haven/link.h>

#include "cli/options.h"
#include "gateway/loop.h"

struct wire_options {
	int fd[2];		   /* of TAP a and b; the wire's from here on */
	const char *pcap[2];	   /* as seen at either end; NULL: no file */
	struct haven_fault way[2]; /* [0] from a to b, [1] from b to a */
	bool seeded; /* chance begins with seed, not with the system's randomness */
	uint64_t seed;
	bool no_offload; /* frames no larger than the MTU, checksums filled in */
};

struct wire;

/* Sources are added to the loop. NULL with a line in error. */
struct wire *wire_new(struct hv_loop *loop, const struct wire_options *options,
		      char error[HV_OPTION_ERROR]);
void wire_free(struct wire *wire);

/* At the end of each turn of the loop: sends what is due. Returns when to be called next. */
uint64_t wire_poll(struct wire *wire);

/* Which end broke (its TAP was removed): 0, 1, or -1. */
int wire_broken(const struct wire *wire);

/* Two lines of counters. */
void wire_report(const struct wire *wire, FILE *out);

#endif
