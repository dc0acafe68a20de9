/*
 * What the examples share: hosts, a wire between two of them, and virtual time. (lan.h puts more
 * than two on one network, sockets.h makes sockets.) two_stacks.c shows bare how it is done.
 *
 *	struct network net;
 *	struct host a, b;
 *
 *	network_init(&net, 1);			the seed: the same one gives the same packets
 *	host_init(&a, &net, "a", on_event, NULL);
 *	host_init(&b, &net, "b", NULL, NULL);
 *	host_wire(&a, &b, "delay=10ms");
 *	... socket calls ...
 *	while (!done && network_step(&net))	on_event() is called as things happen
 *		;
 *	network_finish(&net);
 *
 * A failed call has no way on in an example: it says what failed and exits with 1.
 */
#ifndef EXAMPLES_NETWORK_H
#define EXAMPLES_NETWORK_H

#include <haven/link.h>
#include <haven/socket.h>
#include <haven/stack.h>

#define MILLISECOND UINT64_C(1000000)
#define SECOND	    UINT64_C(1000000000)

struct host;

struct network {
	uint64_t now_ns;
	uint64_t seed;
	struct host *first, **last;
};

/* Something happened on a socket; events is what holds now (HAVEN_EVENT_ bits). */
typedef void host_event_fn(struct host *host, struct haven_socket *socket, unsigned events);

struct host {
	struct network *net;
	struct host *next;
	const char *name;
	struct haven_stack *stack;
	struct haven_link *link; /* its one link, and that one's number */
	unsigned ifindex;
	uint64_t random;
	host_event_fn *on_event; /* may be NULL */
	void *user;		 /* the example's */
};

/* --- a network and its time ------------------------------------------------------------------ */

void network_init(struct network *net, uint64_t seed);
/* End all stacks, and with them their sockets and links. */
void network_finish(struct network *net);

/*
 * Let time leap to when there is something to do (now, mostly), and let each host do it. False: nothing
 * is left to be done, ever, or an hour has gone by.
 */
bool network_step(struct network *net);
/* The same until that much time has gone by. */
void network_run(struct network *net, uint64_t duration_ns);
/* Until the socket has one of these events, or an error. False: that will never be. */
bool network_wait(struct network *net, const struct haven_socket *socket, unsigned events);

/* --- hosts ----------------------------------------------------------------------------------- */

void host_init(struct host *host, struct network *net, const char *name,
	       host_event_fn *on_event, void *user);
/* Give the host its link. fault: words of haven_fault_parse(), NULL: none. */
void host_attach(struct host *host, struct haven_link *link, const char *fault);
/* A wire in memory between 10.0.0.1, fd00::1 and 10.0.0.2, fd00::2; fault as b sees it. */
void host_wire(struct host *a, struct host *b, const char *fault);
/* "10.0.0.1/24", "fd00::1/64" */
void host_address(struct host *host, const char *address);

/* --- words ----------------------------------------------------------------------------------- */

/* A line of output, with the time and the host's name before it. */
void host_say(const struct host *host, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Exit unless the call went well; -EINPROGRESS is well. Returns what it was given. */
ssize_t check(ssize_t result, const char *what);
/* Exit unless what the example shows is so. */
void expect(bool holds, const char *what);
/* The next of a sequence of random numbers that depends on *state alone. */
uint64_t random_next(uint64_t *state);

#endif
