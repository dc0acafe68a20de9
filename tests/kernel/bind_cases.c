/* The cases of the bind matrix: see bind_cases.h. */
#include "bind_cases.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

enum { OPTION_SETS = 4, BIND_PEER_FIRST = 2000 }; /* bit 0: SO_REUSEADDR, bit 1: SO_REUSEPORT */

/* Kinds of addresses, each with the peer that it can speak to. */
static const struct kind {
	const char *name;
	bool v6;	   /* the socket's family */
	bool only;	   /* IPV6_V6ONLY */
	const char *local; /* as the socket binds it */
	const char *own;   /* where a peer reaches it */
	const char *peer;
	const char *other_peer; /* dual-stack: the peer of the other family */
	bool chosen;		/* stands for its family when nothing is bound */
} kinds[] = {
	{"any4", false, false, "0.0.0.0", "10.0.0.1", "10.0.0.2", NULL, true},
	{"one4", false, false, "10.0.0.1", "10.0.0.1", "10.0.0.2", NULL, false},
	{"two4", false, false, "10.0.0.11", "10.0.0.11", "10.0.0.2", NULL, false},
	{"dual", true, false, "::", "fd00::1", "fd00::2", "::ffff:10.0.0.2", true},
	{"only6", true, true, "::", "fd00::1", "fd00::2", NULL, true},
	{"one6", true, false, "fd00::1", "fd00::1", "fd00::2", NULL, false},
	{"two6", true, false, "fd00::11", "fd00::11", "fd00::2", NULL, false},
	{"mapany", true, false, "::ffff:0.0.0.0", "10.0.0.1", "::ffff:10.0.0.2", NULL, true},
	{"map1", true, false, "::ffff:10.0.0.1", "10.0.0.1", "::ffff:10.0.0.2", NULL, false},
	{"map2", true, false, "::ffff:10.0.0.11", "10.0.0.11", "::ffff:10.0.0.2", NULL, false},
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* What the first socket has become before the second binds. */
enum state {
	BOUND,
	LISTENING,
	CONNECTED,
	CONNECTED_OTHER,    /* dual-stack, to the other family */
	TIME_WAIT,	    /* it connected, and closed first */
	ACCEPTED,	    /* a connection of a listener that is gone */
	ACCEPTED_TIME_WAIT, /* the same, closed first */
	CHOSEN,		    /* connected without bind: the port was chosen */
	CHOSEN_TIME_WAIT,
	STATES
};

static const struct {
	const char *name;
	bool udp; /* has a meaning there too */
} states[STATES] = {
	[BOUND] = {"bound", true},
	[LISTENING] = {"listening", false},
	[CONNECTED] = {"connected", true},
	[CONNECTED_OTHER] = {"connected4", true},
	[TIME_WAIT] = {"time-wait", false},
	[ACCEPTED] = {"accepted", false},
	[ACCEPTED_TIME_WAIT] = {"accepted-time-wait", false},
	[CHOSEN] = {"chosen", true},
	[CHOSEN_TIME_WAIT] = {"chosen-time-wait", false},
};

/* The run of one case. */
struct run {
	const struct bind_host *host;
	bool stream;
	uint16_t port;
	intptr_t peers[2];	/* listeners of the peer, v4 and v6 */
	intptr_t first, remote; /* remote: the peer's end of the first one's connection */
	unsigned count;
	bool chosen[65536]; /* ports of cases before, which may still be in TIME-WAIT */
};

static socklen_t address_in(const char *text, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in *four = (struct sockaddr_in *)out;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
		return sizeof(*four);
	}
	inet_pton(AF_INET6, text, &six->sin6_addr);
	six->sin6_family = AF_INET6;
	six->sin6_port = htons(port);
	return sizeof(*six);
}

static int bind_to(const struct run *run, intptr_t socket, const char *text, uint16_t port)
{
	struct sockaddr_storage address;
	socklen_t length = address_in(text, port, &address);

	return run->host->bind(run->host->ctx, socket, (struct sockaddr *)&address, length);
}

static int connect_to(const struct run *run, intptr_t socket, const char *text, uint16_t port)
{
	struct sockaddr_storage address;
	socklen_t length = address_in(text, port, &address);

	return run->host->connect(run->host->ctx, socket, (struct sockaddr *)&address, length);
}

static intptr_t socket_of(const struct run *run, const struct kind *kind, unsigned options)
{
	const struct bind_host *h = run->host;
	intptr_t socket = h->open(h->ctx, false, kind->v6, run->stream);

	if (kind->v6)
		h->option(h->ctx, socket, IPPROTO_IPV6, IPV6_V6ONLY, kind->only);
	if (options & 1)
		h->option(h->ctx, socket, SOL_SOCKET, SO_REUSEADDR, 1);
	if (options & 2)
		h->option(h->ctx, socket, SOL_SOCKET, SO_REUSEPORT, 1);
	return socket;
}

static bool state_applies(const struct run *run, enum state state, const struct kind *kind)
{
	if (!run->stream && !states[state].udp)
		return false;
	if (state == CONNECTED_OTHER)
		return kind->other_peer;
	return (state != CHOSEN && state != CHOSEN_TIME_WAIT) || kind->chosen;
}

static int first_connects(struct run *run, const struct kind *kind, enum state state)
{
	const struct bind_host *h = run->host;
	const char *peer = state == CONNECTED_OTHER ? kind->other_peer : kind->peer;
	bool v4_peer = strchr(peer, '.');
	int error = connect_to(run, run->first, peer, BIND_PEER_PORT);

	if (error < 0 || !run->stream)
		return error;
	run->remote = h->accept(h->ctx, run->peers[!v4_peer]);
	return run->remote ? 0 : -EIO;
}

/* The first socket listens, takes one connection, and is replaced by it. */
static int first_accepts(struct run *run, const struct kind *kind)
{
	const struct bind_host *h = run->host;
	intptr_t child;
	int error = h->listen(h->ctx, run->first);

	if (error < 0)
		return error;
	run->remote = h->open(h->ctx, true, strchr(kind->own, ':'), true);
	error = bind_to(run, run->remote, strchr(kind->own, ':') ? "fd00::2" : "10.0.0.2",
			(uint16_t)(BIND_PEER_FIRST + run->count % 4000));
	if (!error)
		error = connect_to(run, run->remote, kind->own, run->port);
	if (error < 0)
		return error;
	child = h->accept(h->ctx, run->first);
	h->close(h->ctx, run->first);
	run->first = child;
	return child ? 0 : -EIO;
}

static void first_closes(struct run *run)
{
	const struct bind_host *h = run->host;

	h->close(h->ctx, run->first);
	run->first = 0;
	h->drain(h->ctx, run->remote);
	h->close(h->ctx, run->remote);
	run->remote = 0;
}

static int prepare(struct run *run, const struct kind *kind, enum state state)
{
	const struct bind_host *h = run->host;
	int error = 0;

	if (state != CHOSEN && state != CHOSEN_TIME_WAIT)
		error = bind_to(run, run->first, kind->local, run->port);
	if (error < 0)
		return error;
	switch (state) {
	case BOUND:
		return 0;
	case LISTENING:
		return h->listen(h->ctx, run->first);
	case ACCEPTED:
	case ACCEPTED_TIME_WAIT:
		error = first_accepts(run, kind);
		break;
	default:
		error = first_connects(run, kind, state);
		break;
	}
	if (error < 0)
		return error;
	run->port = h->port(h->ctx, run->first);
	if (state == TIME_WAIT || state == ACCEPTED_TIME_WAIT || state == CHOSEN_TIME_WAIT)
		first_closes(run);
	return 0;
}

static char try_second(const struct run *run, const struct kind *kind, unsigned options)
{
	const struct bind_host *h = run->host;
	intptr_t second = socket_of(run, kind, options);
	int error = bind_to(run, second, kind->local, run->port);
	char letter = error == -EADDRINUSE ? 'x' : error ? '?' : '.';

	if (!error && run->stream) {
		error = h->listen(h->ctx, second);
		letter = error == -EADDRINUSE ? 'l' : error ? '?' : '.';
	}
	h->close(h->ctx, second);
	return letter;
}

static void close_both(const struct run *run)
{
	const struct bind_host *h = run->host;

	if (run->first)
		h->close(h->ctx, run->first);
	if (run->remote)
		h->close(h->ctx, run->remote);
}

static char run_case(struct run *run, enum state state, const struct kind *first,
		     const struct kind *second, unsigned options)
{
	char letter = '?';
	bool known;

	do {
		run->port = (uint16_t)(BIND_FIRST_PORT + run->count % 20000);
		run->remote = 0;
		run->first = socket_of(run, first, options % OPTION_SETS);
		if (prepare(run, first, state) < 0)
			break;
		known = state >= CHOSEN && run->chosen[run->port];
		run->chosen[run->port] = true;
		if (!known)
			letter = try_second(run, second, options / OPTION_SETS);
		close_both(run);
	} while (known);
	run->count++;
	return letter;
}

static void run_pair(struct run *run, enum state state, const struct kind *first,
		     const struct kind *second, FILE *out)
{
	char letters[OPTION_SETS * OPTION_SETS + 1] = {0};

	for (unsigned i = 0; i < OPTION_SETS * OPTION_SETS; i++)
		letters[i] = run_case(run, state, first, second, i);
	fprintf(out, "%s %-18s %-6s %-6s %s\n", run->stream ? "tcp" : "udp", states[state].name,
		first->name, second->name, letters);
}

unsigned bind_cases_run(const struct bind_host *host, FILE *out)
{
	struct run run = {.host = host};

	for (int v6 = 0; v6 < 2; v6++) {
		run.peers[v6] = host->open(host->ctx, true, v6, true);
		bind_to(&run, run.peers[v6], v6 ? "fd00::2" : "10.0.0.2", BIND_PEER_PORT);
		host->listen(host->ctx, run.peers[v6]);
	}
	for (int udp = 0; udp < 2; udp++) {
		run.stream = !udp;
		for (enum state state = 0; state < STATES; state++) {
			for (int first = 0; first < KINDS; first++) {
				if (!state_applies(&run, state, &kinds[first]))
					continue;
				for (int second = 0; second < KINDS; second++)
					run_pair(&run, state, &kinds[first], &kinds[second],
						 out);
			}
		}
	}
	for (int v6 = 0; v6 < 2; v6++)
		host->close(host->ctx, run.peers[v6]);
	return run.count;
}

int bind_cases_compare(const char *expected, const char *got)
{
	FILE *a = fopen(expected, "r"), *b = fopen(got, "r");
	char left[128], right[128];
	int differ = a && b ? 0 : -1;

	while (differ >= 0) {
		char *from_a, *from_b;

		do /* lines that begin with # say what the file is */
			from_a = fgets(left, sizeof(left), a);
		while (from_a && left[0] == '#');
		from_b = fgets(right, sizeof(right), b);
		if (!from_a && !from_b)
			break;
		if (from_a && from_b && !strcmp(left, right))
			continue;
		if (differ++ < 20)
			fprintf(stderr, "expected %sgot      %s", from_a ? left : "nothing\n",
				from_b ? right : "nothing\n");
		if (!from_a || !from_b)
			break;
	}
	if (a)
		fclose(a);
	if (b)
		fclose(b);
	return differ;
}
