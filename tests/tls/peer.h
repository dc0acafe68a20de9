/*
 * The other end: the openssl command as a process, on the host's loopback; and our end, TLS without a socket of a stack on a socket
 * of the host. All waiting has an end: peer_begin() sets an alarm that ends the program.
 */
#ifndef TLS_PEER_H
#define TLS_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <haven/tls.h>

/* A process whose standard output and error are read here. */
struct process {
	pid_t pid;
	int input, output; /* descriptors: to its standard input, from its output */
	char said[1 << 16];
	size_t said_size;
	int status; /* of waitpid(), once ended */
};

/* The program's time is up after so many seconds. */
void peer_begin(unsigned seconds);
/* arguments: ended by NULL, "openssl" first. */
void process_start(struct process *process, const char *const *arguments);
/* Read on until it says this. False: it ended before. */
bool process_says(struct process *process, const char *text);
/* Read on until it has said all, and wait for it. */
void process_end(struct process *process);
void process_kill(struct process *process);

/* A listener on loopback, and a connection; both non-blocking where it matters. */
int listen_anywhere(unsigned *port);
int accept_one(int listener);
int connect_port(unsigned port);

/* Carry bytes between the descriptor and TLS, and read what is inside, until it ends or fails. */
struct carrier {
	int fd;
	struct haven_tls *tls;
	char got[1 << 16];
	size_t size;
	ssize_t result; /* of the last read: 0, or a negative errno */
};
/* Until connected, or failed. */
void carry_handshake(struct carrier *c);
/* Until this many bytes were read at least, or the end. */
void carry_read(struct carrier *c, size_t size);
void carry_write(struct carrier *c, const char *text);
/* Send what waits. */
void carry_flush(struct carrier *c);

#endif
