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

struct hv_port_slot;
struct hv_port_set;

/* With whom an end may be shared: bits, in hv_tuple.share. */
enum hv_port_share {
	HV_SHARE_ADDR = 1 << 0, /* SO_REUSEADDR */
	HV_SHARE_PORT = 1 << 1, /* SO_REUSEPORT */
	HV_SHARE_DUAL = 1 << 2, /* of a dual-stack socket that was bound to :: */
};

/* What a 4-tuple's local end counts as, for those who want to bind to it. */
enum hv_port_hold {
	HV_HOLD_NONE,	/* nothing: nobody here ever bound it (a forwarder's) */
	HV_HOLD_CHOSEN, /* chosen by connect, which may choose it again for another destination */
	HV_HOLD_BOUND, /* bound, or accepted by a listener that was */
};

/* 4-tuple of a connection, in the table while it exists. */
struct hv_tuple {
	struct hv_hash_node node;
	struct hv_addr local, remote;
	struct hv_port_slot *slot;	  /* that counts it, NULL: none; the table's */
	uint16_t local_port, remote_port; /* host order */
	uint8_t proto;
	uint8_t kind;  /* of the transport's: what the embedding object is */
	uint8_t share; /* enum hv_port_share */
	uint8_t hold;  /* enum hv_port_hold */
};

/* A bind: one per bound socket; listeners and unconnected datagram sockets are found by it. */
struct hv_bind {
	struct hv_list node;	   /* in its slot; the table's */
	struct hv_port_slot *slot; /* NULL: not bound; the table's */
	struct hv_addr local;	   /* unspecified: any of the family (:: with dual: both) */
	uint16_t port;
	uint8_t proto;
	bool v6; /* an AF_INET6 socket's, whatever the address */
	bool dual; /* IPv6 socket without IPV6_V6ONLY on ::, also after it got an address by connect */
	bool reuse_addr, reuse_port;
	bool charged;	     /* counted for its owner; the table's */
	uint32_t team_index; /* in its slot's team, HV_PORT_NO_TEAM: not in it; the table's */
	bool listening;	     /* TCP: a listener; set by hv_port_listen() */
	bool receiving; /* found by hv_port_find_bind(): listeners, unconnected UDP sockets */
	bool connected; /* its socket has a 4-tuple, which stands for it when ports are shown */
	uint64_t owner; /* 0: nobody */
	uint64_t since_ns;
	void *transport; /* of the transport's: its listener, its socket */
};

#define HV_PORT_NO_TEAM UINT32_MAX

/* What a bind hands on to its connections: enum hv_port_share. */
static inline uint8_t hv_port_share_of(const struct hv_bind *bind)
{
	return (uint8_t)((bind->reuse_addr ? HV_SHARE_ADDR : 0) |
			 (bind->reuse_port ? HV_SHARE_PORT : 0) |
			 (bind->dual ? HV_SHARE_DUAL : 0));
}

struct hv_port_config {
	uint16_t privileged_limit, ephemeral_first, ephemeral_last;
	bool privileged;
	uint32_t max_per_owner; /* binds and connections of one owner; 0: no limit */
};

struct hv_port_table {
	struct hv_core *core;
	struct hv_port_config config;
	struct hv_hash tuples;
	struct hv_hash slots;  /* struct hv_port_slot, by (proto, address, port) */
	struct hv_hash ports;  /* struct hv_port_use, by (proto, port) */
	struct hv_hash groups; /* struct hv_port_group, see ephemeral.c */
	struct hv_hash owners; /* struct hv_port_owner, see port_owner.c */
	/* Of TCP and UDP. Excluded ports are in both. */
	struct hv_port_set *used[2];  /* ports that anything holds: not for bind to port 0 */
	struct hv_port_set *bound[2]; /* ports that were bound: not for connect */
	struct hv_port_set *excluded; /* never chosen; NULL: none is */
	uint32_t bound_in_range[2];   /* of the ephemeral range */
	uint32_t *offsets;	      /* RFC 6056 algorithm 4 table; NULL until first used */
};

/* -EINVAL, -ENOMEM. */
int hv_port_table_init(struct hv_port_table *table, struct hv_core *core,
		       const struct hv_port_config *config);
void hv_port_table_finish(struct hv_port_table *table);

/*
 * Bind; port 0 chooses. Fills bind->port. -EACCES, -EADDRINUSE, -EADDRNOTAVAIL (none free), -EMFILE (the owner has
 * as many as it may), -ENOMEM.
 */
int hv_port_bind(struct hv_port_table *table, struct hv_bind *bind);
void hv_port_unbind(struct hv_port_table *table,
		    struct hv_bind *bind); /* not bound is allowed */
/* Turn a bind into a listener: -EADDRINUSE when another listens there. */
int hv_port_listen(struct hv_port_table *table, struct hv_bind *bind);
/*
 * Give a bind another local address, as connect does for one that was bound to any. It conflicts with nobody more
 * than before. -ENOMEM: nothing changed.
 */
int hv_port_move(struct hv_port_table *table, struct hv_bind *bind,
		 const struct hv_addr *local);
/*
 * Count a socket that has no bind, but a connection, for bind->owner; hv_port_unbind() takes it back. Nothing happens
 * when it is counted already. -EMFILE, -ENOMEM.
 */
int hv_port_charge(struct hv_port_table *table, struct hv_bind *bind);
/* Another owner from here on; the limit is not asked. */
void hv_port_set_owner(struct hv_port_table *table, struct hv_bind *bind, uint64_t owner);
/* Never choose these ports, or (exclude false) choose them again. They may be bound by number. -EINVAL, -ENOMEM. */
int hv_port_exclude(struct hv_port_table *table, uint16_t first, uint16_t last, bool exclude);
/* Whether hv_port_find_bind() may find it: not while a datagram socket is connected. */
void hv_port_set_receiving(struct hv_port_table *table, struct hv_bind *bind, bool receiving);
/*
 * Best bind for a destination: address first, then any. Listeners of TCP, receiving sockets of UDP; of several
 * (SO_REUSEADDR) the latest. With listening_only false, binds of TCP that do not listen are found too. NULL: none.
 */
struct hv_bind *hv_port_find_bind(const struct hv_port_table *table, uint8_t proto,
				  const struct hv_addr *local, uint16_t port,
				  bool listening_only);
/*
 * The receiver of a packet from `remote` that belongs to no connection: as hv_port_find_bind() with listening_only,
 * and of several with SO_REUSEPORT always the same one for the same two ends.
 */
struct hv_bind *hv_port_find_receiver(const struct hv_port_table *table, uint8_t proto,
				      const struct hv_addr *local, uint16_t port,
				      const struct hv_addr *remote, uint16_t remote_port);
/* Visit all binds, in no order; visit changes nothing; returns false to stop. */
void hv_port_each_bind(const struct hv_port_table *table,
		       bool (*visit)(const struct hv_bind *bind, void *ctx), void *ctx);
/* The same for 4-tuples. */
void hv_port_each_tuple(const struct hv_port_table *table,
			bool (*visit)(const struct hv_tuple *tuple, void *ctx), void *ctx);

/* Insert a complete 4-tuple, with its share and hold: -EADDRINUSE when it exists, -ENOMEM. */
int hv_port_insert(struct hv_port_table *table, struct hv_tuple *tuple);
/*
 * Choose tuple->local_port from the ephemeral range so that the 4-tuple is unique and the port is not bound, and insert;
 * hold becomes HV_HOLD_CHOSEN. -EADDRNOTAVAIL, -ENOMEM.
 */
int hv_port_insert_ephemeral(struct hv_port_table *table, struct hv_tuple *tuple);
void hv_port_remove(struct hv_port_table *table, struct hv_tuple *tuple);
/*
 * Put `tuple` in the place of `old`, with its ends, share and hold, and take `old` out; kind is the new one's own.
 * It needs no memory and cannot fail.
 */
void hv_port_replace(struct hv_port_table *table, struct hv_tuple *old, struct hv_tuple *tuple);
struct hv_tuple *hv_port_find(const struct hv_port_table *table, uint8_t proto,
			      const struct hv_addr *local, uint16_t local_port,
			      const struct hv_addr *remote, uint16_t remote_port);

#endif
