/*
 * The filter of a stack, and what it remembers of the flows that it let through: so that their answers pass without
 * being asked about, and that their rules know how many there are. Stands between the transports and
 * the rules; asked by tcp/tcp_filter.c, udp/udp_filter.c and stack_filter.c.
 *
 * Streams: the port table's connections and half-open records are the state. Here stands only which rule a stream counts
 *          for, and the name that it was allowed by; one without either has no entry. TCP says when it ends.
 * Datagrams, echo: an entry for each pair of ends, until nothing came or went for a while; a bounded number of them.
 */
#ifndef HV_FILTER_FILTER_TRACK_H
#define HV_FILTER_FILTER_TRACK_H

#include <haven/filter.h>

#include "base/addr.h"
#include "base/core.h"
#include "base/hash.h"
#include "base/list.h"

/* How long an entry lives without use. */
#define HV_FILTER_ONE_WAY_NS   (30 * UINT64_C(1000000000))
#define HV_FILTER_BOTH_WAYS_NS (120 * UINT64_C(1000000000)) /* RFC 4787 section 4.3 */
#define HV_FILTER_ECHO_NS      (60 * UINT64_C(1000000000))  /* RFC 5508 section 3.2 */

/* Both ends as the stack sees them, in whichever direction the flow began. Echo: the identifier is both ports. */
struct hv_filter_ends {
	struct hv_addr local, remote;
	uint16_t local_port, remote_port;
	uint32_t
		protocol; /* an IPPROTO_; as wide as it makes a struct without padding, which is hashed */
};

/* What an entry is. All but streams are in the list of their kind. */
enum hv_filter_kind {
	HV_FILTER_ONE_WAY,   /* datagrams from the side that began */
	HV_FILTER_ECHO,	     /* requests, which the stack answers */
	HV_FILTER_BOTH_WAYS, /* datagrams from both sides */
	HV_FILTER_KINDS,
	HV_FILTER_STREAM = HV_FILTER_KINDS
};

/* What becomes of what was asked about. */
enum hv_filter_answer {
	HV_FILTER_PASS,
	HV_FILTER_REFUSE,    /* and whoever it came from is told */
	HV_FILTER_SWALLOW,   /* and nobody is told */
	HV_FILTER_NO_MEMORY, /* it would be allowed, but could not be remembered */
};

struct hv_filter_track {
	struct hv_core *core;
	struct haven_filter *filter; /* NULL: none, and nothing is remembered */
	struct hv_hash flows;
	struct hv_list lists[HV_FILTER_KINDS]; /* each: the longest unused first */
	struct hv_timer timer; /* at the first deadline of the lists, or before it */
	uint32_t count, limit; /* of what is in the lists */
	uint64_t displaced;    /* entries that made way at the limit */
};

void hv_filter_track_init(struct hv_filter_track *track, struct hv_core *core, uint32_t limit);
/* Another filter, or none (NULL): all that is remembered is given up, and counts no more for the rules of the old one. */
void hv_filter_track_set(struct hv_filter_track *track, struct haven_filter *filter);

/* Ask without remembering anything: about what nobody waits for. */
enum hv_filter_answer hv_filter_ask(struct hv_filter_track *track,
				    const struct hv_filter_ends *ends,
				    enum haven_direction direction);

/* A stream begins. When it may, hv_filter_stream_end() must follow. */
enum hv_filter_answer hv_filter_stream_begin(struct hv_filter_track *track,
					     const struct hv_filter_ends *ends,
					     enum haven_direction direction);
/* The same for one that was asked about before, of which nothing was kept (SYN cookies): it is not counted again. */
enum hv_filter_answer hv_filter_stream_resume(struct hv_filter_track *track,
					      const struct hv_filter_ends *ends,
					      enum haven_direction direction);
/* bytes: of data, both ways. Nothing happens when the stream has no entry. */
void hv_filter_stream_end(struct hv_filter_track *track, const struct hv_filter_ends *ends,
			  uint64_t bytes);
/*
 * Rules have changed: what they say of this stream now. One that passes counts for the rule that lets it through now, also when it was
 * there before the filter; without memory it does not count.
 */
enum hv_filter_answer hv_filter_stream_again(struct hv_filter_track *track,
					     const struct hv_filter_ends *ends,
					     enum haven_direction direction);

/*
 * A datagram or echo request of so many bytes, in either direction: passes when it belongs to a flow that is remembered, is asked about when
 * not. At the limit the flow that was unused for longest makes way: one-way ones first, then echo, so that a flood of first datagrams cannot
 * end conversations.
 */
enum hv_filter_answer hv_filter_datagram(struct hv_filter_track *track,
					 const struct hv_filter_ends *ends,
					 enum haven_direction direction, uint64_t bytes);
/* All flows but streams are forgotten: what comes next is asked about. */
void hv_filter_forget_datagrams(struct hv_filter_track *track);

#endif
