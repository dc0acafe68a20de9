/*
 * The port table: who owns each (protocol, local address, port), and which connection each
 * 4-tuple belongs to. Transports embed the nodes; the table allocates only its buckets and bitmaps. Knows
 * nothing of packets or sockets.
 *
 * Look-up order of a packet (RFC 9293 section 3.10.7.2, and as BSD sockets have it):
 *   1. connection with this 4-tuple   2. bound to the local address and port   3. bound to any address and the port
 */
#ifndef HV_PORT_PORT_H
#define HV_PORT_PORT_H

#include "base/addr.h"
#include "base/core.h"
#include "base/hash.h"
#include "base/list.h"

/* 4-tuple of a connection, in the table while it exists. */
struct hv_tuple {
	struct hv_hash_node node;
	struct hv_addr local, remote;
	uint16_t local_port, remote_port; /* host order */
	uint8_t proto;
	uint8_t kind; /* of the transport's: what the embedding object is */
};

struct hv_port_slot;
struct hv_port_set;

/* A bind: one per bound socket; listeners and unconnected datagram sockets are found by it. */
struct hv_bind {
	struct hv_list node;	   /* in its slot; the table's */
	struct hv_port_slot *slot; /* NULL: not bound; the table's */
	struct hv_addr local;	   /* unspecified: any of the family (:: with dual: both) */
	uint16_t port;
	uint8_t proto;
	bool dual; /* IPv6 socket without IPV6_V6ONLY on :: */
	bool reuse_addr;
	bool listening; /* TCP: a listener; set by hv_port_listen() */
	bool receiving; /* found by hv_port_find_bind(): listeners, unconnected UDP sockets */
	bool connected; /* its socket has a 4-tuple, which stands for it when ports are shown */
	uint64_t owner;
	uint64_t since_ns;
	void *transport; /* of the transport's: its listener, its socket */
};

struct hv_port_config {
	uint16_t privileged_limit, ephemeral_first, ephemeral_last;
	bool privileged;
};

struct hv_port_table {
	struct hv_core *core;
	struct hv_port_config config;
	struct hv_hash tuples;
	struct hv_hash slots;	      /* struct hv_port_slot, by (proto, address, port) */
	struct hv_hash ports;	      /* struct hv_port_use, by (proto, port) */
	struct hv_hash groups;	      /* struct hv_port_group, see ephemeral.c */
	struct hv_port_set *bound[2]; /* ports with a bind: TCP, UDP */
	uint32_t *offsets;	      /* RFC 6056 algorithm 4 table; NULL until first used */
};

/* -EINVAL, -ENOMEM. */
int hv_port_table_init(struct hv_port_table *table, struct hv_core *core,
		       const struct hv_port_config *config);
void hv_port_table_finish(struct hv_port_table *table);

/* Bind; port 0 chooses. Fills bind->port. -EACCES, -EADDRINUSE, -EADDRNOTAVAIL (none free), -ENOMEM. */
int hv_port_bind(struct hv_port_table *table, struct hv_bind *bind);
void hv_port_unbind(struct hv_port_table *table,
		    struct hv_bind *bind); /* not bound is allowed */
/* Turn a bind into a listener: -EADDRINUSE when another listens there. */
int hv_port_listen(struct hv_port_table *table, struct hv_bind *bind);
/* Whether hv_port_find_bind() may find it: not while a datagram socket is connected. */
void hv_port_set_receiving(struct hv_port_table *table, struct hv_bind *bind, bool receiving);
/*
 * Best bind for a destination: address first, then any. Listeners of TCP, receiving sockets of UDP; of several
 * (SO_REUSEADDR) the latest. With listening_only false, binds of TCP that do not listen are found too. NULL: none.
 */
struct hv_bind *hv_port_find_bind(const struct hv_port_table *table, uint8_t proto,
				  const struct hv_addr *local, uint16_t port,
				  bool listening_only);
/* Visit all binds, in no order; visit changes nothing; returns false to stop. */
void hv_port_each_bind(const struct hv_port_table *table,
		       bool (*visit)(const struct hv_bind *bind, void *ctx), void *ctx);
/* The same for 4-tuples. */
void hv_port_each_tuple(const struct hv_port_table *table,
			bool (*visit)(const struct hv_tuple *tuple, void *ctx), void *ctx);

/* Insert a complete 4-tuple: -EADDRINUSE when it exists, -ENOMEM. */
int hv_port_insert(struct hv_port_table *table, struct hv_tuple *tuple);
/* Choose tuple->local_port from the ephemeral range so that the 4-tuple is unique and no bind holds the port, and insert. -EADDRNOTAVAIL, -ENOMEM. */
int hv_port_insert_ephemeral(struct hv_port_table *table, struct hv_tuple *tuple);
void hv_port_remove(struct hv_port_table *table, struct hv_tuple *tuple);
struct hv_tuple *hv_port_find(const struct hv_port_table *table, uint8_t proto,
			      const struct hv_addr *local, uint16_t local_port,
			      const struct hv_addr *remote, uint16_t remote_port);

#endif
