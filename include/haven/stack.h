/*
 * A stack: one complete TCP/UDP/IPv4/IPv6 host, as an object.
 *
 * A program may have any number of stacks. A stack has no thread, no clock and no global
 * state: the caller hands in time and calls
 *
 *	haven_input()  when a link has frames to read,
 *	haven_poll()   after any batch of calls, and when haven_next_deadline() is reached,
 *
 * and drains haven_next_ready() after each haven_poll(). A stack and everything that belongs
 * to it (links, sockets, requests) must be used by one thread at a time.
 *
 * Time is monotonic, in nanoseconds, from any origin. It must never go backwards.
 */
#ifndef HAVEN_STACK_H
#define HAVEN_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <haven/error.h>

struct haven_stack;
struct haven_link;
struct haven_socket;

enum haven_log_level {
	HAVEN_LOG_ERROR,
	HAVEN_LOG_WARNING,
	HAVEN_LOG_INFO,
	HAVEN_LOG_DEBUG,
};

/*
 * What a stack needs from its surroundings. Copied at creation; `user` is handed to each call.
 * alloc may return NULL (the stack reports ENOMEM or drops, and goes on); memory need not be
 * zeroed and must be aligned as malloc aligns. free gets the size that was asked for.
 * random must fill with unpredictable bytes (ISNs, ports and hash keys come from it).
 * log may be NULL.
 */
struct haven_env {
	void *user;
	void *(*alloc)(void *user, size_t size);
	void (*free)(void *user, void *memory, size_t size);
	void (*random)(void *user, void *buffer, size_t size);
	void (*log)(void *user, enum haven_log_level level, const char *message);
};

/* An environment of malloc, free and the system's getrandom; no log. */
HAVEN_API void haven_env_default(struct haven_env *env);

/* Ports in host byte order, both ends included. */
struct haven_port_range {
	uint16_t first, last;
};

/*
 * Creation parameters. Fill with haven_stack_config_init(), then change what you need.
 * Every limit is a hard one: what happens there is counted in haven_drop_count() or returned
 * as an error by the call that met it.
 */
struct haven_stack_config {
	struct haven_env env;

	/* Limits. */
	uint32_t max_sockets; /* sockets and connections; EMFILE / listener drop */
	/*
	 * Connections of listeners whose handshake is not complete; each has a record of 136 bytes. Three quarters
	 * of them are for clients that did not answer yet; beyond that, and beyond a listener's backlog, SYNs are
	 * answered with SYN cookies (RFC 4987), which keep nothing. 0: cookies always.
	 */
	uint32_t max_half_open;
	uint32_t max_time_wait; /* connections in TIME-WAIT; oldest is ended early */
	uint32_t
		max_requests; /* forwarder requests waiting for an answer; one that is a second old makes way */
	uint32_t max_neighbours;       /* ARP and NDP entries */
	uint32_t max_reassembly_bytes; /* fragments waiting for the rest */
	uint32_t max_links;	       /* at most 16 */
	/*
	 * Datagram and echo flows that the filter of haven_stack_set_filter() remembers, about 130 bytes each; default 65,536.
	 * At the limit one makes way: the one unused for longest of those that only one side has spoken in, else of echo, else of all.
	 */
	uint32_t max_filter_flows;

	/* Ports (host byte order, both ends included). */
	uint16_t
		privileged_port_limit; /* bind below needs HAVEN_RIGHT_PRIVILEGED; default 1024 */
	uint16_t ephemeral_first;      /* default 32768 */
	uint16_t ephemeral_last;       /* default 60999 */
	bool privileged;	       /* sockets of this stack may bind below the limit */
	/* Ports of that range that are never chosen; see haven_ephemeral_exclude(). Read at creation. */
	const struct haven_port_range *ephemeral_excluded;
	unsigned ephemeral_excluded_count;
	/* Sockets of one owner (haven_socket_set_owner) that may hold a port; 0: no limit. */
	uint32_t max_sockets_per_owner;

	/* TCP. */
	uint32_t send_buffer_bytes;    /* largest send buffer of a connection; default 4 MiB */
	uint32_t receive_buffer_bytes; /* largest receive buffer; default 4 MiB */
	uint64_t time_wait_ns;	       /* 2 MSL; default 60 s */
	/*
	 * Congestion control of new connections, which TCP_CONGESTION changes for one: "cubic" (default), "reno", or
	 * "none": only the peer's window and the buffers hold back, which is for private paths. Read at creation.
	 */
	const char *congestion_control;
	bool no_pacing; /* what the windows allow goes at once: for exact tests, or where something below paces */
	/*
	 * Explicit congestion notification (RFC 3168), numbered as Linux does. 0: never. 1: asked for by connect, and agreed to.
	 * 2 (default): agreed to when a client asks. 3: as 1, and retransmissions, FIN, SYN-ACK and window probes are ECN-capable,
	 * too (RFC 8311): where routers mark rather than drop.
	 */
	uint8_t ecn;
	/* TCP_NOTSENT_LOWAT of sockets that do not set it; 0 (default): none. */
	uint32_t notsent_lowat_bytes;
	/*
	 * Bound the packets that a link has to cut into segments: by what the rate of a connection gives in a
	 * millisecond or so, and half of its window, but not below this many segments (as Linux's tcp_min_tso_segs).
	 * 0 (default): they are as large as the windows let them be.
	 */
	uint16_t tcp_packet_segments;
	/* Delay ACKs from the first segment on. Else the first 16 of a connection are acknowledged at once, so that the
	 * peer's slow start is not held up (as Linux; TCP_QUICKACK asks for it again). */
	bool tcp_no_quick_acks;
	/*
	 * Search for the segment size that a path carries, by segments themselves (RFC 4821): 0 never, 1 on connections that
	 * met a path which swallows large packets and says nothing (default), 2 on all. As Linux's tcp_mtu_probing.
	 */
	uint8_t mtu_probing;
	/* Neither offer these in a SYN nor agree to them: RFC 7323 timestamps and windows above 64 KiB, RFC 2018. */
	bool tcp_no_timestamps, tcp_no_window_scaling, tcp_no_sack;

	/* Behaviour. */
	bool accept_any_address; /* packets to every address are for this stack (forwarder) */
	bool router;		 /* decrement TTL and answer time exceeded, for a gateway */
	bool send_router_advertisements; /* answer router solicitations with this stack as router */
	uint8_t hop_limit;		 /* TTL and hop limit of what is sent; default 64 */
};

HAVEN_API void haven_stack_config_init(struct haven_stack_config *config);

/*
 * Make a stack. On success *out is the stack, to be ended with haven_stack_destroy().
 * Errors: -EINVAL (a parameter is out of range), -ENOMEM.
 */
HAVEN_API int haven_stack_create(const struct haven_stack_config *config,
				 struct haven_stack **out);

/* End a stack with all its sockets (no packet is sent), links and memory. NULL is allowed. */
HAVEN_API void haven_stack_destroy(struct haven_stack *stack);

/*
 * Plug a link (see <haven/link.h>) into a stack. The stack owns the link from here on, whatever
 * is returned. *ifindex (may be NULL) is its number, from 1.
 * Errors: -ENOSPC (max_links), -EINVAL (made for another stack).
 */
HAVEN_API int haven_stack_attach(struct haven_stack *stack, struct haven_link *link,
				 unsigned *ifindex);

/*
 * Give the stack an address on a link. address is a sockaddr_in or sockaddr_in6 (port ignored);
 * prefix_bits its network's length. The network's route is added with it.
 * Errors: -EINVAL, -EAFNOSUPPORT, -ENOENT (no such ifindex), -EADDRINUSE, -ENOSPC, -ENOMEM.
 */
HAVEN_API int haven_address_add(struct haven_stack *stack, unsigned ifindex,
				const struct sockaddr *address, unsigned prefix_bits);

/*
 * Add a route to destination/prefix_bits through gateway (NULL: on the link itself).
 * Longest prefix wins. Errors: as haven_address_add().
 */
HAVEN_API int haven_route_add(struct haven_stack *stack, unsigned ifindex,
			      const struct sockaddr *destination, unsigned prefix_bits,
			      const struct sockaddr *gateway);

/*
 * Read up to `budget` frames from a link and process them at time now_ns. Answers are held back
 * where one can stand for many (acknowledgements) until haven_poll().
 * Returns the number of frames read (budget: call again), or a negative errno when the link is
 * broken: -ENETDOWN, -ENOENT (no such ifindex).
 */
HAVEN_API int haven_input(struct haven_stack *stack, unsigned ifindex, unsigned budget,
			  uint64_t now_ns);

/*
 * Run timers that are due at now_ns and send what is waiting. Call after any batch of
 * haven_input() and socket calls, and at haven_next_deadline().
 */
HAVEN_API void haven_poll(struct haven_stack *stack, uint64_t now_ns);

/*
 * Never choose these ports for bind to port 0 or for connect; with exclude false, choose them again.
 * They can be bound by number, and connections that have one keep it.
 * Errors: -EINVAL (first above last), -ENOMEM.
 */
HAVEN_API int haven_ephemeral_exclude(struct haven_stack *stack, struct haven_port_range range,
				      bool exclude);

/* Set the time that socket calls between polls see; haven_input and haven_poll do it too. */
HAVEN_API void haven_set_time(struct haven_stack *stack, uint64_t now_ns);

/* When haven_poll() must be called next, or UINT64_MAX when nothing is waiting. */
HAVEN_API uint64_t haven_next_deadline(const struct haven_stack *stack);

/* Send on a link again what waited because its queue was full; call when its fd is writable. */
HAVEN_API void haven_link_writable(struct haven_stack *stack, unsigned ifindex);

/* --- what a stack tells about itself ---------------------------------------------------- */

/* Names and counters of dropped packets, 0 <= reason < haven_drop_reasons(). */
HAVEN_API unsigned haven_drop_reasons(void);
HAVEN_API const char *haven_drop_name(unsigned reason);
HAVEN_API uint64_t haven_drop_count(const struct haven_stack *stack, unsigned reason);

struct haven_stats {
	uint64_t memory_bytes; /* held through env.alloc now */
	uint64_t sockets;      /* open now, all kinds */
	uint64_t connections;  /* TCP, any state but TIME-WAIT, without half_open */
	uint64_t half_open;    /* TCP of listeners, in SYN-RECEIVED */
	uint64_t time_wait;    /* TCP in TIME-WAIT */
	uint64_t requests;     /* forwarder requests waiting */
	uint64_t tcp_segments_in, tcp_segments_out, tcp_retransmits;
	uint64_t syn_cookies_sent; /* SYN-ACKs that kept nothing */
	uint64_t syn_cookies_good; /* connections that came of them */
	uint64_t syn_cookies_bad;  /* ACKs that no cookie explains */
	uint64_t udp_datagrams_in, udp_datagrams_out;
	uint64_t ip_packets_in, ip_packets_out;
	/* Datagram and echo flows that the filter let through: those that are not over, and those that made way for others. */
	uint64_t filter_flows, filter_flows_displaced;
};
HAVEN_API void haven_stack_stats(const struct haven_stack *stack, struct haven_stats *stats);

/* One row of the port table. */
struct haven_port_info {
	uint8_t protocol;		/* IPPROTO_TCP or IPPROTO_UDP */
	struct sockaddr_storage local;	/* address (unspecified: any) and port */
	struct sockaddr_storage remote; /* ss_family 0 when not connected */
	const char *state;		/* "LISTEN", "ESTABLISHED", "TIME-WAIT", "BOUND", ... */
	uint64_t owner;			/* the tag set by haven_socket_set_owner() */
};
/* Call visit for every row; it must not call back into the stack. Stops when it returns false. */
HAVEN_API void haven_ports_each(const struct haven_stack *stack,
				bool (*visit)(void *user, const struct haven_port_info *info),
				void *user);

#endif
