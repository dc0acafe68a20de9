/*
 * Data that is ahead of its time, by sequence number, until the gap before it is filled.
 * A block keeps the packet that brought it, or a copy of the right size when the
 * packet's buffer is much larger than what is in it. The limit counts what is really held.
 *
 * Blocks that touch form a run; the first block of a run knows its end, its last block and the next run. Looking for
 * a place, and telling the peer what is here (SACK), walks over gaps and not over blocks.
 */
#include "tcp/tcp_receive.h"

struct hv_tcp_block {
	struct hv_tcp_block *next; /* in its run */
	struct hv_packet *packet;  /* holds data; NULL: the data is behind this struct */
	const uint8_t *data;
	uint32_t seq, size;
	uint32_t true_size; /* of all memory held by it */
	bool fin;	    /* FIN follows the last byte */
	/* Of the first block of a run only. */
	uint32_t run_end;
	uint32_t turn; /* of conn->sack_turn when a segment of it came last */
	struct hv_tcp_block *run_last, *next_run;
};

enum {
	SACK_BLOCKS = 4, /* what the options have room for */
	WASTE = 4,	 /* a buffer more than this many times its contents is not kept */
	LIMIT_MIN = 128 * 1024,
	RUNS_MAX =
		4096, /* every other segment of 4 MiB is less; looking for a place stays short */
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
		size += block->size;
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

/* Take the first block off the first run. */
static void pop_block(struct hv_tcp_conn *conn)
{
	struct hv_tcp_block *head = conn->blocks, *next = head->next;

	if (next) {
		next->run_end = head->run_end;
		next->turn = head->turn;
		next->run_last = head->run_last;
		next->next_run = head->next_run;
	} else {
		next = head->next_run;
		conn->blocks_runs--;
	}
	conn->blocks = next;
	free_block(conn, head);
}

/* Take out the runs from *link on that end at or before `end`. */
static void remove_covered(struct hv_tcp_conn *conn, struct hv_tcp_block **link, uint32_t end,
			   bool *fin)
{
	while (*link && hv_seq_leq((*link)->run_end, end)) {
		struct hv_tcp_block *block = *link;

		*fin |= block->run_last->fin && block->run_end == end;
		*link = block->next_run;
		conn->blocks_runs--;
		while (block) {
			struct hv_tcp_block *next = block->next;

			free_block(conn, block);
			block = next;
		}
	}
}

/* The run may touch the next one now: then they are one. */
static void join_next(struct hv_tcp_conn *conn, struct hv_tcp_block *run)
{
	struct hv_tcp_block *next = run->next_run;

	if (!next || next->seq != run->run_end)
		return;
	run->run_last->next = next;
	run->run_last = next->run_last;
	run->run_end = next->run_end;
	run->next_run = next->next_run;
	conn->blocks_runs--;
}

void hv_tcp_reassembly_add(struct hv_tcp_conn *conn, struct hv_packet *packet, uint32_t seq,
			   const uint8_t *data, uint32_t size, bool fin)
{
	struct hv_core *core = hv_tcp_core(conn);
	struct hv_tcp_block **link = &conn->blocks, *run, *block;
	uint32_t end = seq + size;

	while (*link && hv_seq_lt((*link)->run_end, seq))
		link = &(*link)->next_run;
	run = *link;
	if (run && hv_seq_leq(run->seq, seq)) { /* it begins in a run, or right behind it */
		if (hv_seq_geq(run->run_end, end)) {
			run->run_last->fin |= fin && end == run->run_end;
			run->turn = ++conn->sack_turn;
			hv_tcp_note_duplicate(conn, seq, end);
			hv_drop(core, packet, HV_DROP_TCP_DUPLICATE);
			return;
		}
		data += run->run_end - seq;
		seq = run->run_end;
		link = &run->next_run;
	} else {
		run = NULL;
	}
	remove_covered(conn, link, end, &fin);
	if (*link && hv_seq_gt(end, (*link)->seq)) {
		end = (*link)->seq; /* the next run has the rest */
		fin = false;
	}
	if (conn->blocks_bytes >= limit_of(conn) || (!run && conn->blocks_runs >= RUNS_MAX)) {
		hv_drop(core, packet, HV_DROP_TCP_OUT_OF_ORDER_LIMIT);
		return;
	}
	block = new_block(conn, packet, data, end - seq);
	if (!block)
		return;
	block->seq = seq;
	block->fin = fin;
	if (run) {
		run->run_last->next = block;
		run->run_last = block;
		run->run_end = end;
	} else {
		run = block;
		conn->blocks_runs++;
		run->run_last = block;
		run->run_end = end;
		run->next_run = *link;
		*link = run;
	}
	run->turn = ++conn->sack_turn;
	join_next(conn, run);
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
		pop_block(conn);
	}
	return fin;
}

void hv_tcp_reassembly_clear(struct hv_tcp_conn *conn)
{
	while (conn->blocks)
		pop_block(conn);
}

unsigned hv_tcp_reassembly_sack(const struct hv_tcp_conn *conn, uint32_t blocks[][2],
				unsigned most)
{
	const struct hv_tcp_block *latest[SACK_BLOCKS];
	unsigned count = 0;

	most = most < SACK_BLOCKS ? most : SACK_BLOCKS;
	/*
	 * RFC 2018 section 4: the first one is what came last, and then those before it, so that each block is told
	 * several times, and ACKs may get lost.
	 */
	for (const struct hv_tcp_block *run = conn->blocks; run && most; run = run->next_run) {
		unsigned at = count;

		if (count == most) {
			if (!hv_seq_gt(run->turn, latest[--at]->turn))
				continue;
		} else {
			count++;
		}
		for (; at > 0 && hv_seq_gt(run->turn, latest[at - 1]->turn); at--)
			latest[at] = latest[at - 1];
		latest[at] = run;
	}
	for (unsigned i = 0; i < count; i++) {
		blocks[i][0] = latest[i]->seq;
		blocks[i][1] = latest[i]->run_end;
	}
	return count;
}
