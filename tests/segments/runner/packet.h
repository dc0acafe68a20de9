/* Packets: from the script's notation to bytes, from bytes to what can be compared and shown. */
#ifndef SEGMENTS_PACKET_H
#define SEGMENTS_PACKET_H

#include "world.h"

/* A segment or an ICMP error that came out, in the script's numbers. */
struct seg_seen {
	const char *fault; /* why it is not a good packet; NULL: it is one */
	bool is_tcp, is_icmp;
	const struct seg_flow *flow; /* NULL: of no flow of this script */
	unsigned flow_number;
	uint16_t src_port, dst_port;
	uint8_t flags, ttl, tos, ecn;
	int64_t seq, ack, window, urgent; /* seq, ack relative */
	uint32_t raw_seq;
	size_t size;
	const uint8_t *payload;
	unsigned option_count;
	struct seg_option options[SEG_BYTES];
	int icmp_kind; /* -1: another */
	uint8_t icmp_type, icmp_code;
	int64_t icmp_mtu;
};

/* --- write.c: towards the stack ---------------------------------------------------------- */

void seg_send_segment(struct seg_world *world, const struct seg_segment *segment);
void seg_send_icmp(struct seg_world *world, const struct seg_icmp *icmp);

/* --- parse.c: what came out --------------------------------------------------------------- */

void seg_parse(struct seg_world *world, const uint8_t *bytes, size_t size,
	       struct seg_seen *seen);
/* Learn ports, sequence numbers and timestamps from a packet at the moment it comes out. */
void seg_observe(struct seg_world *world, const uint8_t *bytes, size_t size);
uint16_t seg_checksum(const void *data, size_t size, uint32_t sum);
/* Sum of the pseudo-header of a packet with these addresses (RFC 9293 section 3.1, RFC 8200 section 8.1). */
uint32_t seg_pseudo_sum(const uint8_t *src, const uint8_t *dst, size_t address_size,
			uint8_t protocol, size_t size);

/* --- show.c, compare.c -------------------------------------------------------------------- */

/* `> A 1(1000) ack 1 win 512 <ts 0 100>` into a buffer, which is returned. */
const char *seg_show(const struct seg_seen *seen, char *out, size_t size);
/* Whether this is what the script expects; if not, `why` names the field. */
bool seg_matches_segment(const struct seg_world *world, const struct seg_segment *expected,
			 const struct seg_seen *seen, const char **why);
bool seg_matches_icmp(const struct seg_icmp *expected, const struct seg_seen *seen,
		      const char **why);
bool seg_in_range(const struct seg_value *value, int64_t number);

/* --- calls.c ------------------------------------------------------------------------------ */

bool seg_do_call(struct seg_world *world, const struct seg_call *call);
/* State of the flow's connection as haven_ports_each() tells it; "CLOSED" when there is none. */
const char *seg_state(struct seg_world *world);
void seg_close_all(struct seg_world *world);

/* --- forward.c ---------------------------------------------------------------------------- */

/* Hold what no socket claims until the script takes or refuses it. */
void seg_forward_start(struct seg_world *world);
/* Take the oldest request: a socket in SYN-RECEIVED. Returns 0 or a negative errno; -EAGAIN: none is held. */
int seg_forward_take(struct seg_world *world, struct haven_socket **out);
bool seg_forward_refuse(struct seg_world *world, const char *error);

/* --- run.c -------------------------------------------------------------------------------- */

/* Run a script over one family. Returns whether all came as expected; else world.error. */
bool seg_run(const struct seg_script *script, bool v6, char *error, size_t size);

#endif
