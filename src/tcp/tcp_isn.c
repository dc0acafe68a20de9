/*
 * Initial sequence numbers (RFC 6528) and timestamp offsets (RFC 7323 section 7.1): keyed hashes of
 * the 4-tuple, so that nobody who does not see the connection can guess them.
 */
#include "tcp/tcp_isn.h"

static uint64_t tuple_hash(struct hv_core *core, const struct hv_tuple *tuple, uint32_t domain)
{
	struct {
		struct hv_addr local, remote;
		uint16_t local_port, remote_port;
		uint32_t domain; /* so that one key gives several functions */
	} input = {
		.local = tuple->local,
		.remote = tuple->remote,
		.local_port = tuple->local_port,
		.remote_port = tuple->remote_port,
		.domain = domain,
	};

	static_assert(sizeof(input) == 40, "no padding may be hashed");
	return hv_siphash(&core->isn_key, &input, sizeof(input));
}

uint32_t hv_tcp_isn(struct hv_core *core, const struct hv_tuple *tuple)
{
	/* M is a clock of about 4 microseconds (RFC 9293 section 3.4.1). */
	return (uint32_t)(core->now_ns >> 12) + (uint32_t)tuple_hash(core, tuple, 0);
}

uint32_t hv_tcp_isn_beyond(struct hv_core *core, const struct hv_tuple *tuple, uint32_t floor)
{
	uint32_t isn = hv_tcp_isn(core, tuple);

	return hv_seq_gt(isn, floor) ? isn : floor + 65536 + hv_random_below(core, 65536);
}

uint32_t hv_tcp_timestamp_offset(struct hv_core *core, const struct hv_tuple *tuple)
{
	return (uint32_t)tuple_hash(core, tuple, 1);
}
