/*
 * Every case of two sockets that want one port, run against a host: the kernel's own sockets
 * (bind_kernel.c) or haven's (test_bind_matrix.c). What both print is compared with bind_matrix.txt.
 *
 * A line of the matrix is a protocol, the state of the first socket, the address of the first, that
 * of the second, and 16 letters: one for each pair of options, the first socket's options counting
 * fastest. Options: none, SO_REUSEADDR, SO_REUSEPORT, both. Letters:
 *
 *	.  the second may bind (and, TCP, listen)
 *	l  it may bind, but not listen: EADDRINUSE
 *	x  it may not bind: EADDRINUSE
 *	?  anything else, which no host should answer
 */
#ifndef BIND_CASES_H
#define BIND_CASES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

enum { BIND_PEER_PORT = 7000, BIND_FIRST_PORT = 9000 };

/* A host, with the addresses 10.0.0.1, 10.0.0.11, fd00::1 and fd00::11, and a peer at 10.0.0.2 and fd00::2. */
struct bind_host {
	void *ctx;
	/* A socket of the host, or of its peer. 0: it could not be made. */
	intptr_t (*open)(void *ctx, bool peer, bool v6, bool stream);
	/* These return 0 or a negative errno. connect ends when the connection stands. */
	int (*option)(void *ctx, intptr_t socket, int level, int option, int value);
	int (*bind)(void *ctx, intptr_t socket, const struct sockaddr *address,
		    socklen_t length);
	int (*listen)(void *ctx, intptr_t socket);
	int (*connect)(void *ctx, intptr_t socket, const struct sockaddr *address,
		       socklen_t length);
	intptr_t (*accept)(void *ctx, intptr_t socket);
	uint16_t (*port)(void *ctx, intptr_t socket);
	/* Wait until the other side has closed. */
	void (*drain)(void *ctx, intptr_t socket);
	void (*close)(void *ctx, intptr_t socket);
};

/* Run all cases and print the matrix. Returns the number of cases. */
unsigned bind_cases_run(const struct bind_host *host, FILE *out);
/* Compare two matrices line by line; prints what differs. Returns the number of lines that do, -1: not readable. */
int bind_cases_compare(const char *expected, const char *got);

#endif
