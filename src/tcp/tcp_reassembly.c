/*
 * Data that is ahead of its time, by sequence number, until the gap before it is filled.
 * A block keeps the packet that brought it, or a copy of the right size when the
 * packet's buffer is much larger than what is in it. The limit counts what is really held.
 */
#include "tcp/tcp_receive.h"

/* Blocks do not overlap; they may touch. */
struct hv_tcp_block {
	struct hv_tcp_block *next;
	struct hv_packet *packet; /* holds data; NULL: the data is behind this struct */
	const uint8_t *data;
	uint32_t seq, size;
	uint32_t true_size; /* of all memory held by it */
	bool fin;	    /* FIN follows the last byte */
};

enum {
	WASTE = 4, /* a buffer more than this many times its contents is not kept */
	LIMIT_MIN = 128 * 1024,
};

static uint32_t limit_of(const struct hv_tcp_conn *conn)
{
	uint32_t limit = conn->receive.limit;

	/* Buffers and structs weigh more than what is in them. */
	return limit < LIMIT_MIN ? 2 * LIMIT_MIN : 2 * limit;
}

static void free_block(struct hv_tcp_conn *conn, struct hv_tcp_block *block)
{
	struct hv_core *core = hv_tcp_core(conn);
	size_t size = sizeof(*block);

	if (block->packet)
		hv_packet_free(core, block->packet);
	else
		size += block->true_size - sizeof(*block);
	conn->blocks_bytes -= block->true_size;
	hv_free(core, block, size);
}

/* Consumes the packet. NULL: no memory. */
static struct hv_tcp_block *new_block(struct hv_tcp_conn *conn, struct hv_packet *packet,
				      const uint8_t *data, uint32_t size)
{
	struct hv_core *core = hv_tcp_core(conn);
	bool keep = packet->capacity <= WASTE * size;
	uint32_t own = (uint32_t)sizeof(struct hv_tcp_block) + (keep ? 0 : size);
	struct hv_tcp_block *block = hv_alloc(core, own);

	if (!block) {
		hv_drop(core, packet, HV_DROP_NO_MEMORY);
		return NULL;
	}
	*block = (struct hv_tcp_block){.size = size, .true_size = own};
	if (keep) {
		block->packet = packet;
		block->data = data;
		block->true_size += (uint32_t)sizeof(*packet) + packet->capacity;
	} else {
		memcpy(block + 1, data, size);
		block->data = (const uint8_t *)(block + 1);
		hv_packet_free(core, packet);
	}
	conn->blocks_bytes += block->true_size;
	return block;
}

static uint32_t end_of(const struct hv_tcp_block *block)
{
	return block->seq + block->size;
}

/* Take out the blocks after *link that end at or before `end`. */
static void remove_covered(struct hv_tcp_conn *conn, struct hv_tcp_block **link, uint32_t end,
			   bool *fin)
{
	while (*link && hv_seq_leq(end_of(*link), end)) {
		struct hv_tcp_block *covered = *link;

		*fin |= covered->fin;
		*link = covered->next;
		free_block(conn, covered);
	}
}

void hv_tcp_reassembly_add(struct hv_tcp_conn *conn, struct hv_packet *packet, uint32_t seq,
			   const uint8_t *data, uint32_t size, bool fin)
{
	struct hv_core *core = hv_tcp_core(conn);
	struct hv_tcp_block **link = &conn->blocks, *block;

	/* What begins at or before it covers some or all of its beginning. */
	while (*link && hv_seq_leq((*link)->seq, seq)) {
		uint32_t end = end_of(*link);

		if (hv_seq_geq(end, seq + size)) { /* also a FIN alone */
			(*link)->fin |= fin && end == seq + size;
			hv_drop(core, packet, HV_DROP_TCP_DUPLICATE);
			return;
		}
		if (hv_seq_gt(end, seq)) {
			data += end - seq;
			size -= end - seq;
			seq = end;
		}
		link = &(*link)->next;
	}
	remove_covered(conn, link, seq + size, &fin);
	if (*link && hv_seq_gt(seq + size, (*link)->seq)) {
		size = (*link)->seq - seq; /* the next one has the rest */
		fin = false;
	}
	if (conn->blocks_bytes >= limit_of(conn)) {
		hv_drop(core, packet, HV_DROP_TCP_OUT_OF_ORDER_LIMIT);
		return;
	}
	block = new_block(conn, packet, data, size);
	if (!block)
		return;
	block->seq = seq;
	block->fin = fin;
	block->next = *link;
	*link = block;
	conn->sack_recent = seq;
}

bool hv_tcp_reassembly_deliver(struct hv_tcp_conn *conn)
{
	bool fin = false;

	while (conn->blocks && hv_seq_leq(conn->blocks->seq, conn->rcv_nxt) && !fin) {
		struct hv_tcp_block *block = conn->blocks;
		uint32_t end = end_of(block), old = conn->rcv_nxt - block->seq;

		if (hv_seq_gt(end, conn->rcv_nxt) &&
		    hv_tcp_deliver(conn, block->data + old, block->size - old) <
			    block->size - old)
			return false; /* the buffer is full: the rest stays for the next time */
		fin = block->fin && end == conn->rcv_nxt;
		conn->blocks = block->next;
		free_block(conn, block);
	}
	return fin;
}

void hv_tcp_reassembly_clear(struct hv_tcp_conn *conn)
{
	while (conn->blocks) {
		struct hv_tcp_block *block = conn->blocks;

		conn->blocks = block->next;
		free_block(conn, block);
	}
}
