/*
 * A simulated network: several stacks, bad wires between them, programs that talk over them, and
 * a clock that jumps to whatever is due next. Everything that happens follows from one seed.
 *
 *	simulation.c	seeds, replay, the report of a failure
 *	sim_plan.c	what a seed stands for: hosts, wires, limits, programs
 *	sim_path.c	a wire with a router in its middle, and a path MTU that changes
 *	sim_make.c	makes it; hosts that vanish and come back
 *	sim_world.c	turns it step by step
 *	sim_end.c	one end of a stream: sends, receives, checks every byte
 *	sim_calls.c	random calls: any option with any value, any call at any time
 *	sim_flow.c	who connects to whom; listeners and forwarder
 *	sim_datagram.c	datagrams there and back
 *	sim_check.c	what must hold, during the run and when all is over
 *
 * Only the public API of haven is used.
 */
#ifndef SIM_H
#define SIM_H

#include <haven/forward.h>
#include <haven/link.h>

#include "support/env.h"

#define SIM_MS	   UINT64_C(1000000)
#define SIM_SECOND UINT64_C(1000000000)
#define SIM_MINUTE (60 * SIM_SECOND)
#define SIM_NEVER  UINT64_MAX

enum {
	SIM_HOSTS_MAX = 4,
	SIM_ENDS_MAX = 1024,
	SIM_FLOWS_MAX = 200,
	SIM_FLOWS_FEW = 24,
	SIM_REQUESTS_MAX = 64,
	SIM_SENDERS_MAX = 4,
	SIM_STREAM_PORT = 80,	/* the listeners' */
	SIM_CLOSED_PORT = 81,	/* where nobody listens */
	SIM_DATAGRAM_PORT = 7,	/* echo */
	SIM_REFUSED_PORT = 500, /* from here on the forwarder refuses */
};

/* How bad the wires are. */
enum sim_weather { SIM_PERFECT, SIM_FAIR, SIM_BAD, SIM_TERRIBLE };

struct sim_wire_plan {
	uint32_t mtu;
	unsigned offloads;
	unsigned queue_packets;
	bool path;	       /* with a router in its middle */
	bool narrow;	       /* whose other side has another MTU, which changes */
	bool black_hole;       /* and who says nothing about what is too large */
	uint32_t mark_one_in;  /* ECN-capable packets get CE; 0: none. Needs a path */
	unsigned outages;      /* down and up again that often; needs a path */
	bool fault_a, fault_b; /* a wrapper at the hub's end, at the other */
	struct haven_fault in_a, out_a, in_b, out_b;
};

struct sim_host_plan {
	uint32_t send_buffer, receive_buffer, max_sockets, max_time_wait, max_neighbours,
		max_requests;
	uint64_t time_wait_ns;
	int backlog;
	const char *congestion_control;
	uint8_t mtu_probing, ecn;
	bool fast_open; /* its listeners and clients */
	bool forwarder;
	uint32_t fail_ppm;	 /* allocations that fail, until calm_ns */
	uint64_t limit_headroom; /* bytes beyond the first use, until calm_ns; 0: no limit */
	uint64_t fail_nth, fail_span; /* this allocation fails, and some after it; 0: none */
	uint64_t vanish_ns,
		return_ns; /* gone without a word, back with no memory; SIM_NEVER: not */
};

struct sim_plan {
	enum sim_weather weather;
	unsigned hosts, flows, senders;
	bool v4, v6;
	bool rude;	   /* programs abort, close early, stall for long */
	bool trouble;	   /* memory fails, limits are met, hosts freeze, time jumps */
	bool bursts;	   /* losses come in bursts: a connection may die of one */
	bool unprobed;	   /* a black hole, and somebody who does not look for one */
	bool caprice;	   /* programs make random calls */
	bool strict;	   /* nothing of all that: every stream has to arrive in whole */
	uint64_t start_ns; /* where the clock begins */
	uint64_t calm_ns;  /* trouble ends here */
	uint64_t stream_bytes_max;
	struct sim_host_plan host[SIM_HOSTS_MAX];
	struct sim_wire_plan wire[SIM_HOSTS_MAX]; /* wire n: host 0 to host n */
};

enum sim_fate {
	SIM_OPEN,
	SIM_CLOSED,   /* by haven_close(), all done */
	SIM_LEFT,     /* by haven_close() in the middle, or shutdown of the receiving side */
	SIM_ABORTED,  /* by haven_abort() */
	SIM_FAILED,   /* haven said so */
	SIM_VANISHED, /* with its host */
	SIM_ORPHAN,   /* its peer was gone without a trace; given up */
};

enum sim_manner {
	SIM_POLITE,
	SIM_ABORTS,	   /* when `trigger` bytes have passed */
	SIM_CLOSES,	   /* the same, by close */
	SIM_LINGERS_ZERO,  /* the same, by close with SO_LINGER 0 */
	SIM_STOPS_READING, /* the same, by shutdown of the receiving side */
};

/* One end of a stream. */
struct sim_end {
	struct sim *sim;
	unsigned host;
	struct haven_socket *socket; /* NULL: given up */
	struct sim_flow *flow;	     /* of a client; NULL: accepted */
	uint64_t id;		     /* sent first, and key of what is sent */
	enum sim_fate fate;
	enum sim_manner manner;
	int error; /* with SIM_FAILED: positive errno */
	bool connected, eof, shut, acknowledged;
	bool zero_copy, sink, sleeper;
	bool fast; /* the SYN goes with what it sends first (RFC 7413) */
	bool deaf; /* it has shut down its receiving side, and goes on */

	uint64_t to_send, sent;
	uint8_t header[16]; /* received */
	uint64_t received;
	struct sim_end *peer; /* NULL: not known before its header is there */
	uint64_t trigger;
	uint32_t read_max, write_max;
	uint32_t stall_one_in, stalls;
	uint64_t stall_max_ns;
	uint64_t wake_ns;     /* SIM_NEVER: not stalled */
	uint64_t progress_ns; /* when bytes or states moved last */
};

enum sim_flow_kind {
	SIM_FLOW_LISTENER,
	SIM_FLOW_CLOSED_PORT,
	SIM_FLOW_NO_HOST,
	SIM_FLOW_FORWARDED, /* to an address behind host 0's forwarder */
	SIM_FLOW_CROSSING,  /* two clients connect to each other: simultaneous open */
};

struct sim_flow {
	enum sim_flow_kind kind;
	unsigned client, server;
	bool v6;
	uint16_t port;
	uint16_t own_port; /* of a crossing one */
	uint64_t start_ns;
	bool started;
	struct sim_end *end;
};

/* A connection request that the forwarder has not answered yet. */
struct sim_request {
	struct haven_request *request; /* NULL: free */
	unsigned host;
	uint16_t port;
	uint64_t answer_ns;
};

/* One who sends datagrams to an echo service and looks at what comes back. */
struct sim_sender {
	unsigned host;
	struct haven_socket *socket;
	uint64_t key;
	uint32_t sent, to_send, received;
	uint64_t next_ns;
	struct sockaddr_storage to;
	socklen_t to_length;
};

/* A wire with a router in its middle. */
struct sim_path {
	struct sim *sim;
	unsigned wire;
	uint32_t mtu;	   /* of the other side */
	uint64_t until_ns; /* it changes until then */
	bool down;
	unsigned outages_left;
	uint64_t turn_ns; /* next down or up */
	struct sim_path_end {
		struct sim_path *path;
		bool far;
		struct haven_link *link;
	} ends[2];
};

struct sim_host {
	struct test_env env;
	struct haven_stack *stack;
	struct haven_link *links[SIM_HOSTS_MAX];
	unsigned link_count;
	struct haven_socket *listener[2], *echo[2]; /* v4, v6 */
	uint64_t frozen_until_ns;
	uint64_t accept_after_ns; /* its program is slow to accept */
	uint64_t memory_at_start;
};

struct sim {
	uint64_t seed;
	bool verbose;
	const char *capture; /* NULL: no files */
	struct test_random random;
	struct sim_plan plan;
	uint64_t now_ns;
	struct sim_host host[SIM_HOSTS_MAX];
	struct sim_end ends[SIM_ENDS_MAX];
	unsigned end_count;
	struct sim_flow flows[SIM_FLOWS_MAX];
	struct sim_request requests[SIM_REQUESTS_MAX];
	struct sim_sender senders[SIM_SENDERS_MAX];
	struct sim_path paths[SIM_HOSTS_MAX]; /* by wire */
	bool anybody_vanished;
	bool closing; /* all flows are over */
	uint64_t steps;
	uint64_t second_ns, steps_of_second, packets_before; /* since the last count of steps */
	uint64_t steps_here, bytes_here; /* since time or a byte moved; bytes then */
	uint64_t progress_ns;
	uint64_t bytes;	 /* that arrived and were right */
	uint64_t frames; /* that crossed */
};

/* --- sim_plan.c --- */
void sim_plan_draw(struct sim *sim);
void sim_plan_print(const struct sim *sim);

/* --- sim_path.c --- */
int sim_path_make(struct sim *sim, unsigned wire, const struct haven_link_config *config,
		  struct haven_link **out_a, struct haven_link **out_b);
/* The far host is gone; another one is there in its place. */
void sim_path_unplug(struct sim *sim, unsigned wire);
int sim_path_plug(struct sim *sim, unsigned wire, const struct haven_link_config *config,
		  struct haven_link **out);
void sim_paths_run(struct sim *sim);
uint64_t sim_paths_next(const struct sim *sim);

/* --- sim_world.c --- */
/* One step; false when nothing is due before limit_ns (the clock then stands there). */
bool sim_world_step(struct sim *sim, uint64_t limit_ns);

/* --- sim_make.c --- */
void sim_world_make(struct sim *sim);
void sim_world_destroy(struct sim *sim);
void sim_hosts_run(struct sim *sim);
uint64_t sim_hosts_next(const struct sim *sim);
/* Addresses: host n on wire n has .2, host 0 has .1. */
socklen_t sim_address(unsigned wire, bool hub, bool v6, uint16_t port,
		      struct sockaddr_storage *address);
/* Of a host, as another one sees it. */
socklen_t sim_host_address(const struct sim *sim, unsigned host, unsigned seen_from, bool v6,
			   uint16_t port, struct sockaddr_storage *address);

/* --- sim_end.c --- */
struct sim_end *sim_end_new(struct sim *sim, unsigned host, struct haven_socket *socket,
			    struct sim_flow *flow);
/* Do what can be done now. */
void sim_end_run(struct sim_end *end);
void sim_end_give_up(struct sim_end *end, enum sim_fate fate);
const char *sim_fate_name(enum sim_fate fate);

/* --- sim_calls.c --- */
/* Before it connects, or after it was accepted. */
void sim_calls_begin(struct sim_end *end);
/* At any time. False: the end is over. */
bool sim_calls_run(struct sim_end *end);
/* Now and then, on the listeners. */
void sim_calls_on_listeners(struct sim *sim);
/* Flags that change nothing about the bytes. */
int sim_calls_send_flags(struct sim_end *end);

/* --- sim_flow.c --- */
void sim_flows_draw(struct sim *sim);
int sim_listener_open(struct sim *sim, unsigned host, bool v6);
void sim_listeners_open(struct sim *sim, unsigned host);
void sim_listeners_close(struct sim *sim);
void sim_host_accept(struct sim *sim, unsigned host);
void sim_flows_run(struct sim *sim);
uint64_t sim_flows_next(const struct sim *sim);
void sim_forwarder_set(struct sim *sim, unsigned host);

/* --- sim_datagram.c --- */
void sim_echoes_open(struct sim *sim, unsigned host);
void sim_senders_open(struct sim *sim);
/* The host is gone, with all its sockets. */
void sim_datagrams_forget(struct sim *sim, unsigned host);
void sim_datagrams_close(struct sim *sim);
void sim_datagrams_run(struct sim *sim);
uint64_t sim_datagrams_next(const struct sim *sim);
/* The socket is ready: an echo service's, or a sender's. */
void sim_datagram_ready(struct sim *sim, unsigned host, struct haven_socket *socket);

/* --- sim_check.c --- */
/* Plan, ends and hosts, as they are now. */
void sim_report(const struct sim *sim);
/* Report and end the process. */
void sim_fail(const struct sim *sim, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));
void sim_trace(const struct sim *sim, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* An end saw the end of the stream, or an error: is there a reason for it? */
void sim_check_eof(const struct sim_end *end);
void sim_check_error(const struct sim_end *end);
/* What the stack says the peer has, the peer has. */
void sim_check_acknowledged(const struct sim_end *end);
/* Whether every flow is over. Ends whose peer is gone are given up after long silence. */
bool sim_check_done(struct sim *sim);
void sim_check_flows(const struct sim *sim);
/* After everything is closed: tables must become empty, and stay silent. */
void sim_check_quiet(struct sim *sim);

#endif
