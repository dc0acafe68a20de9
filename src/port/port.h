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

/* A bind: one per bound socket; listeners and unconnected datagram sockets are found by it. */
struct hv_bind {
	struct hv_hash_node node;
	struct hv_addr local; /* unspecified: any of the family (:: with dual: both) */
	uint16_t port;
	uint8_t proto;
	bool dual; /* IPv6 socket without IPV6_V6ONLY on :: */
	bool reuse_addr;
	bool listening; /* TCP: a listener */
	bool has_port;	/* counted in the bitmap of ports in use */
	uint64_t owner;
	uint64_t since_ns;
};

struct hv_port_config {
	uint16_t privileged_limit, ephemeral_first, ephemeral_last;
	bool privileged;
};

struct hv_port_table {
	struct hv_core *core;
	struct hv_port_config config;
	struct hv_hash tuples;
	struct hv_hash binds;	  /* by (proto, port) */
	uint64_t *in_use[2];	  /* 65,536-bit maps of bound ports: TCP, UDP */
	uint32_t *bind_counts[2]; /* see port_table.c; may be NULL until first used */
	uint32_t *offsets;	  /* RFC 6056 algorithm 4 table */
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
/* Best bind for a destination: address first, then any. listening_only for TCP. NULL: none. */
struct hv_bind *hv_port_find_bind(const struct hv_port_table *table, uint8_t proto,
				  const struct hv_addr *local, uint16_t port,
				  bool listening_only);

/* Insert a complete 4-tuple: -EADDRINUSE when it exists, -ENOMEM. */
int hv_port_insert(struct hv_port_table *table, struct hv_tuple *tuple);
/* Choose tuple->local_port from the ephemeral range so that the 4-tuple is unique and no bind holds the port, and insert. -EADDRNOTAVAIL, -ENOMEM. */
int hv_port_insert_ephemeral(struct hv_port_table *table, struct hv_tuple *tuple);
void hv_port_remove(struct hv_port_table *table, struct hv_tuple *tuple);
struct hv_tuple *hv_port_find(const struct hv_port_table *table, uint8_t proto,
			      const struct hv_addr *local, uint16_t local_port,
			      const struct hv_addr *remote, uint16_t remote_port);

#endif
