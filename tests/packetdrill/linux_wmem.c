/*
 * How Linux counts a send buffer, played by the adapter for scripts that were written to it; the stack's own buffer
 * is made so large that it does not interfere. Data stands in packets of up to half of the peer's largest window; each
 * costs what it holds and a fixed overhead, those that were cut in two when one part was sent cost it twice. Another packet may be
 * begun as long as the sum is below the limit, so the last one goes beyond it. A writer that found no room is
 * woken when an ACK leaves a third of the limit free. A limit that nobody set grows with the congestion window.
 *
 * The sizes are those of a 64-bit kernel of version 5.10 or later.
 */
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "adapter.h"

enum {
	PACKET_OVERHEAD = 1280, /* of a packet with all its data in pages */
	PACKET_MOST = 65215,	/* the largest of a device, without its headers */
	SEGMENT_OVERHEAD = 640, /* what Linux reckons for one when it makes the limit larger: */
	SEGMENT_RECORD = 256,	/* all rounded up to a power of two, and this */
	LIMIT_LEAST = 4608,
	FIRST_WINDOW = 10,  /* segments */
	SMALL_WINDOW = 536, /* is not halved */
};

void wmem_init(const struct adapter *adapter, struct descriptor *descriptor)
{
	const struct settings *settings = &adapter->settings;
	struct wmem *wmem = &descriptor->wmem;
	int most;

	wmem->on = settings->linux_wmem;
	wmem->limit = (uint32_t)settings_number(settings, "tcp_wmem", 1, 16384);
	wmem->limit_most = (uint32_t)settings_number(settings, "tcp_wmem", 2, 4 << 20);
	most = (int)wmem->limit_most;
	if (wmem->on) /* the stack would begin with less, too */
		haven_setsockopt(descriptor->socket, SOL_SOCKET, SO_SNDBUF, &most,
				 sizeof(most));
}

void wmem_inherit(struct wmem *wmem, const struct wmem *listener)
{
	wmem->limit = listener->limit;
	wmem->fixed = listener->fixed;
}

void wmem_end(struct wmem *wmem)
{
	free(wmem->packets);
	wmem->packets = NULL;
}

void wmem_set_limit(struct wmem *wmem, uint32_t bytes)
{
	wmem->fixed = true;
	wmem->limit = bytes > LIMIT_LEAST ? bytes : LIMIT_LEAST;
}

/* --- the packets ---------------------------------------------------------------------------- */

static bool insert_packet(struct wmem *wmem, size_t index, uint32_t size)
{
	if (wmem->count == wmem->room) {
		size_t room = wmem->room + 64;
		struct wmem_packet *grown = realloc(wmem->packets, room * sizeof(*grown));

		if (!grown)
			return false;
		wmem->packets = grown;
		wmem->room = room;
	}
	memmove(wmem->packets + index + 1, wmem->packets + index,
		(wmem->count - index) * sizeof(*wmem->packets));
	wmem->packets[index] = (struct wmem_packet){.size = size};
	wmem->count++;
	wmem->used += PACKET_OVERHEAD;
	return true;
}

/* So many bytes were acknowledged. */
static void remove_bytes(struct wmem *wmem, size_t size)
{
	size_t gone = 0;

	wmem->bytes -= size;
	wmem->used -= (uint32_t)size;
	while (gone < wmem->count && wmem->packets[gone].size <= size)
		size -= wmem->packets[gone++].size;
	wmem->used -= (uint32_t)gone * PACKET_OVERHEAD;
	wmem->count -= gone;
	memmove(wmem->packets, wmem->packets + gone, wmem->count * sizeof(*wmem->packets));
	if (wmem->count)
		wmem->packets[0].size -= (uint32_t)size;
}

/* The first so many bytes were sent: a packet whose end was not is two. Notes when, and how much of the last one. */
static void split_at(struct wmem *wmem, size_t sent, uint64_t now_us)
{
	struct wmem_packet *packets = wmem->packets;
	size_t index = 0;

	wmem->cut = 0;
	for (; index < wmem->count && packets[index].size <= sent; index++) {
		sent -= packets[index].size;
		if (!packets[index].sent_us)
			packets[index].sent_us = now_us;
	}
	if (sent && index < wmem->count &&
	    insert_packet(wmem, index + 1, packets[index].size - (uint32_t)sent)) {
		wmem->packets[index] = (struct wmem_packet){(uint32_t)sent, now_us};
		wmem->cut = ++index + 1 == wmem->count ? (uint32_t)sent : 0;
	}
	wmem->sent = index;
}

static void append_bytes(struct wmem *wmem, uint32_t size, bool begin)
{
	if (begin && !insert_packet(wmem, wmem->count, 0))
		abort(); /* a test's memory is not short */
	wmem->packets[wmem->count - 1].size += size;
	wmem->bytes += size;
	wmem->used += size;
}

/* Follow what the stack did. False: there is nothing to follow, as this is no connection. */
static bool follow(const struct adapter *adapter, struct descriptor *descriptor,
		   struct tcp_info *info)
{
	struct wmem *wmem = &descriptor->wmem;
	size_t queued, unsent;
	socklen_t length = sizeof(*info);

	memset(info, 0, sizeof(*info));
	if (!wmem->on || !descriptor->socket ||
	    haven_getsockopt(descriptor->socket, IPPROTO_TCP, TCP_INFO, info, &length) < 0 ||
	    !info->tcpi_snd_mss)
		return false;
	if (info->tcpi_snd_wnd > wmem->window_most)
		wmem->window_most = info->tcpi_snd_wnd;
	queued = haven_send_queued(descriptor->socket);
	if (queued < wmem->bytes)
		remove_bytes(wmem, wmem->bytes - queued);
	else if (queued > wmem->bytes) /* written when the connection was not there yet */
		append_bytes(wmem, (uint32_t)(queued - wmem->bytes), true);
	unsent = info->tcpi_notsent_bytes;
	split_at(wmem, unsent < queued ? queued - unsent : 0, adapter->now_us);
	return true;
}

/* --- the limit ------------------------------------------------------------------------------ */

static void grow_limit(struct wmem *wmem, const struct tcp_info *info)
{
	uint32_t segments = info->tcpi_snd_cwnd, size = 1, limit;

	if (wmem->fixed)
		return;
	if (segments < FIRST_WINDOW)
		segments = FIRST_WINDOW;
	if (segments < info->tcpi_reordering + 1)
		segments = info->tcpi_reordering + 1;
	while (size < info->tcpi_snd_mss + SEGMENT_OVERHEAD)
		size *= 2;
	limit = 2 * segments * (size + SEGMENT_RECORD);
	if (limit > wmem->limit_most)
		limit = wmem->limit_most;
	if (limit > wmem->limit)
		wmem->limit = limit;
}

/* TCP_NOTSENT_LOWAT, of the socket or of all; 0: none. */
static uint32_t lowat_of(const struct adapter *adapter, struct haven_socket *socket)
{
	const struct settings *settings = &adapter->settings;
	uint32_t lowat = 0;
	socklen_t length = sizeof(lowat);

	haven_getsockopt(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, &length);
	return lowat ? lowat : (uint32_t)settings_number(settings, "tcp_notsent_lowat", 0, 0);
}

/* A third of the limit is free, and less than half of the low-water mark waits. */
static bool has_room(const struct adapter *adapter, const struct descriptor *descriptor,
		     const struct tcp_info *info)
{
	const struct wmem *wmem = &descriptor->wmem;
	uint32_t lowat = lowat_of(adapter, descriptor->socket);

	if (lowat && 2 * (uint64_t)info->tcpi_notsent_bytes >= lowat)
		return false;
	return wmem->used < wmem->limit && wmem->limit - wmem->used >= wmem->used / 2;
}

bool wmem_is_writable(const struct adapter *adapter, struct descriptor *descriptor)
{
	struct tcp_info info;

	if (!follow(adapter, descriptor, &info) || has_room(adapter, descriptor, &info))
		return true;
	descriptor->wmem.waits = true;
	return false;
}

/*
 * Linux would keep back a small part of the last packet, below a third of the window, when the next ACK is near; what it
 * keeps back decides whether its window is full. In segments.
 */
static uint32_t held_back(const struct adapter *adapter, const struct wmem *wmem,
			  const struct tcp_info *info)
{
	uint32_t window = info->tcpi_snd_cwnd * info->tcpi_snd_mss;

	if (window > info->tcpi_snd_wnd)
		window = info->tcpi_snd_wnd;
	if (!wmem->cut || wmem->cut >= window / 3 ||
	    adapter->now_us - wmem->packets[0].sent_us < info->tcpi_rtt / 2)
		return 0;
	return wmem->cut / info->tcpi_snd_mss;
}

bool wmem_take_ack(const struct adapter *adapter, struct descriptor *descriptor)
{
	struct wmem *wmem = &descriptor->wmem;
	struct tcp_info info;
	uint32_t out, arrived;

	if (!wmem->waits || !follow(adapter, descriptor, &info))
		return false;
	out = info.tcpi_unacked + info.tcpi_retrans - held_back(adapter, wmem, &info);
	arrived = info.tcpi_sacked + info.tcpi_lost;
	if (out < info.tcpi_snd_cwnd + arrived)
		grow_limit(wmem, &info);
	if (!has_room(adapter, descriptor, &info) ||
	    !(haven_socket_events(descriptor->socket) & HAVEN_EVENT_WRITABLE))
		return false;
	wmem->waits = false;
	return true;
}

/* --- writing -------------------------------------------------------------------------------- */

/* How much goes into one packet. */
static uint32_t packet_size(const struct wmem *wmem, const struct tcp_info *info)
{
	uint32_t most = wmem->window_most;

	if (most > SMALL_WINDOW)
		most /= 2;
	if (most > PACKET_MOST)
		most = PACKET_MOST;
	return most > info->tcpi_snd_mss ? most - most % info->tcpi_snd_mss
					 : info->tcpi_snd_mss;
}

/* Can the packet at the end take more? It was not sent, and no record ends there. */
static bool is_open(const struct wmem *wmem, uint32_t size)
{
	return wmem->count > wmem->sent && !wmem->ended &&
	       wmem->packets[wmem->count - 1].size < size;
}

/* Whole segments that the two windows let out now. */
static uint32_t goes_at_once(const struct wmem *wmem, const struct tcp_info *info)
{
	uint32_t under_way = (uint32_t)wmem->bytes - info->tcpi_notsent_bytes;
	uint32_t most = info->tcpi_snd_wnd > under_way ? info->tcpi_snd_wnd - under_way : 0;
	uint32_t room = info->tcpi_snd_cwnd + info->tcpi_sacked + info->tcpi_lost;
	uint32_t flight = info->tcpi_unacked + info->tcpi_retrans;

	room = room > flight ? room - flight : 0;
	most /= info->tcpi_snd_mss;
	return (most < room ? most : room) * info->tcpi_snd_mss;
}

/* A write on its way into packets. */
struct filling {
	uint32_t most;	  /* data of a packet */
	uint32_t at_once; /* what may still leave */
	uint32_t lowat;	  /* TCP_NOTSENT_LOWAT; 0: none */
	size_t sent;	  /* of the bytes queued */
	bool full;	  /* the last packet is */
	uint64_t now_us;
};

/*
 * Put so much of `size` bytes into a packet as Linux would, and return it; 0: there is no room. A packet that is full leaves,
 * as far as it may, before the next one is begun.
 */
static size_t fill_packet(struct wmem *wmem, struct filling *filling, size_t size)
{
	bool open = is_open(wmem, filling->most);
	size_t part =
		open ? filling->most - wmem->packets[wmem->count - 1].size : filling->most;
	size_t unsent = wmem->bytes - filling->sent;

	if (!open &&
	    (wmem->used >= wmem->limit || (filling->lowat && unsent >= filling->lowat)))
		return 0;
	part = part < size ? part : size;
	append_bytes(wmem, (uint32_t)part, !open);
	wmem->ended = false;
	filling->full = wmem->packets[wmem->count - 1].size >= filling->most;
	if (filling->full) {
		unsent = wmem->bytes - filling->sent;
		unsent = unsent < filling->at_once ? unsent : filling->at_once;
		filling->at_once -= (uint32_t)unsent;
		filling->sent += unsent;
		split_at(wmem, filling->sent, filling->now_us);
	}
	return part;
}

/* The stack did not take so many of the last bytes. */
static void take_back(struct wmem *wmem, size_t size)
{
	wmem->bytes -= size;
	wmem->used -= (uint32_t)size;
	while (size && wmem->count) {
		uint32_t *last = &wmem->packets[wmem->count - 1].size;
		uint32_t part = *last < size ? *last : (uint32_t)size;

		*last -= part;
		size -= part;
		if (!*last) {
			wmem->count--;
			wmem->used -= PACKET_OVERHEAD;
		}
	}
}

/*
 * Packet by packet, with its end as that of a record: the stack, too, then makes none that reaches from one into the next.
 * But not behind the low-water mark, where the stack would take no further record.
 */
static ssize_t send_packets(struct descriptor *descriptor, struct filling *filling,
			    const uint8_t *data, size_t size, int flags)
{
	uint64_t cut_before = (uint64_t)filling->at_once + filling->lowat;
	size_t unsent = descriptor->wmem.bytes - filling->sent, done = 0, held = 0, part;
	ssize_t status = -EAGAIN;

	for (;;) {
		part = fill_packet(&descriptor->wmem, filling, size - done - held);
		held += part;
		if (part && done + held < size &&
		    (!filling->full || (filling->lowat && unsent + done + held >= cut_before)))
			continue;
		if (!held)
			break;
		status = haven_send(descriptor->socket, data + done, held,
				    done + held == size ? flags
				    : filling->full	? (flags & ~MSG_OOB) | MSG_EOR
							: flags & ~(MSG_OOB | MSG_EOR));
		if (status > 0)
			done += (size_t)status;
		held -= status > 0 ? (size_t)status : 0;
		take_back(&descriptor->wmem, held);
		if (!part || held || done == size)
			break;
	}
	return done ? (ssize_t)done : status;
}

ssize_t wmem_send(const struct adapter *adapter, struct descriptor *descriptor,
		  const uint8_t *data, size_t size, int flags)
{
	struct wmem *wmem = &descriptor->wmem;
	struct filling filling;
	struct tcp_info info;
	ssize_t status;

	if (!follow(adapter, descriptor, &info))
		return -EAGAIN;
	if (!wmem->begun) /* Linux does it when the connection is made */
		grow_limit(wmem, &info);
	wmem->begun = true;
	filling = (struct filling){.most = packet_size(wmem, &info),
				   .at_once = goes_at_once(wmem, &info),
				   .lowat = lowat_of(adapter, descriptor->socket),
				   .sent = wmem->bytes - info.tcpi_notsent_bytes,
				   .now_us = adapter->now_us};
	status = send_packets(descriptor, &filling, data, size, flags);
	wmem->ended = status == (ssize_t)size && flags & MSG_EOR;
	wmem->waits = status < (ssize_t)size;
	return status;
}

bool wmem_applies(const struct adapter *adapter, struct descriptor *descriptor)
{
	struct tcp_info info;

	return follow(adapter, descriptor, &info);
}
