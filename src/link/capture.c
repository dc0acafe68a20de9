/*
 * Capture: a wrapper that writes what passes as pcapng (draft-ietf-opsawg-pcapng), readable by
 * Wireshark, and lets it pass unchanged.
 *
 * A packet is written as the stack sees it: one that is not cut to the MTU yet is one record
 * of up to 64 KiB. A checksum that was left to offload is filled in, in the copy only.
 * Every block is put together in one buffer and handed to the writer in one call.
 */
#include <string.h>

#include "link/backend.h"

/* Block types, options and link types of the format. Fields are in the host's byte order. */
enum {
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 6, /* "enhanced" */
	BYTE_ORDER_MAGIC = 0x1a2b3c4d,
	LINKTYPE_ETHERNET = 1,
	LINKTYPE_RAW = 101, /* begins with the IP header */
	OPTION_END = 0,
	OPTION_APPLICATION = 4, /* of a section */
	OPTION_RESOLUTION = 9,	/* of an interface: decimal exponent of the time unit */
	OPTION_FLAGS = 2,	/* of a packet */
	FLAG_INBOUND = 1,
	FLAG_OUTBOUND = 2,
	SNAP_LENGTH = 262144, /* Wireshark's own limit */
	PACKET_BLOCK_HEADER = 28,
	BUFFER_SIZE = HV_PACKET_LARGE + 128,
};

struct capture {
	struct haven_link link;
	void (*write)(void *user, const void *data, size_t size);
	void *user;
	int64_t wall_offset_ns;
	uint8_t *buffer; /* one block */
	uint32_t used;
};

/* --- blocks ------------------------------------------------------------------------------ */

static void put(struct capture *capture, const void *data, uint32_t size)
{
	memcpy(capture->buffer + capture->used, data, size);
	capture->used += size;
}

static void put16(struct capture *capture, uint16_t value)
{
	put(capture, &value, sizeof(value));
}

static void put32(struct capture *capture, uint32_t value)
{
	put(capture, &value, sizeof(value));
}

/* Blocks and options are padded to 32 bits. */
static void pad(struct capture *capture)
{
	while (capture->used & 3)
		capture->buffer[capture->used++] = 0;
}

static void put_option(struct capture *capture, uint16_t code, const void *value, uint16_t size)
{
	put16(capture, code);
	put16(capture, size);
	put(capture, value, size);
	pad(capture);
}

static void begin_block(struct capture *capture, uint32_t type)
{
	capture->used = 0;
	put32(capture, type);
	put32(capture, 0); /* the length, once it is known */
}

static void end_block(struct capture *capture)
{
	uint32_t length;

	put32(capture, OPTION_END); /* code and length */
	length = capture->used + 4;
	put32(capture, length);
	memcpy(capture->buffer + 4, &length, sizeof(length));
	capture->write(capture->user, capture->buffer, length);
}

static void write_file_header(struct capture *capture)
{
	static const char application[] = "haven";
	static const uint8_t nanoseconds = 9;
	const uint64_t unknown_length = UINT64_MAX;

	begin_block(capture, BLOCK_SECTION);
	put32(capture, BYTE_ORDER_MAGIC);
	put16(capture, 1); /* version 1.0 */
	put16(capture, 0);
	put(capture, &unknown_length, sizeof(unknown_length));
	put_option(capture, OPTION_APPLICATION, application, sizeof(application) - 1);
	end_block(capture);

	begin_block(capture, BLOCK_INTERFACE);
	put16(capture, capture->link.ethernet ? LINKTYPE_ETHERNET : LINKTYPE_RAW);
	put16(capture, 0);
	put32(capture, SNAP_LENGTH);
	put_option(capture, OPTION_RESOLUTION, &nanoseconds, sizeof(nanoseconds));
	end_block(capture);
}

/* The bytes of the packet, in the buffer, with their checksum. */
static void put_packet(struct capture *capture, const struct hv_packet *packet)
{
	/* A view of the copy, with which the checksum code can work. */
	struct hv_packet copy = *packet;
	uint8_t *start = capture->buffer + capture->used;

	put(capture, packet->data, packet->len);
	for (unsigned i = 0; i < packet->slice_count; i++)
		put(capture, packet->slices[i].iov_base, (uint32_t)packet->slices[i].iov_len);
	copy.data = start;
	copy.head = start;
	copy.csum_start = (uint16_t)(packet->csum_start - hv_packet_headroom(packet));
	copy.len = hv_packet_size(packet);
	copy.slice_count = 0;
	copy.slices_len = 0;
	hv_offload_checksum(&copy);
	pad(capture);
}

static void capture_packet(struct capture *capture, const struct hv_packet *packet,
			   uint32_t direction)
{
	uint64_t time_ns = capture->link.core->now_ns + (uint64_t)capture->wall_offset_ns;
	uint32_t size = hv_packet_size(packet);

	if (size + PACKET_BLOCK_HEADER + 64 > BUFFER_SIZE)
		return; /* no link lets such a packet pass */
	begin_block(capture, BLOCK_PACKET);
	put32(capture, 0); /* interface */
	put32(capture, (uint32_t)(time_ns >> 32));
	put32(capture, (uint32_t)time_ns);
	put32(capture, size); /* captured, and as it was */
	put32(capture, size);
	put_packet(capture, packet);
	put_option(capture, OPTION_FLAGS, &direction, sizeof(direction));
	end_block(capture);
}

/* --- the link ---------------------------------------------------------------------------- */

static int capture_output(struct haven_link *link, struct hv_packet *packet)
{
	capture_packet((struct capture *)link, packet, FLAG_OUTBOUND);
	return hv_link_output(link->inner, packet);
}

static void capture_deliver(void *ctx, struct haven_link *inner, struct hv_packet *packet)
{
	struct capture *capture = ctx;

	(void)inner;
	capture_packet(capture, packet, FLAG_INBOUND);
	hv_link_deliver(&capture->link, packet);
}

static void capture_destroy(struct haven_link *link)
{
	struct capture *capture = (struct capture *)link;

	hv_free(link->core, capture->buffer, BUFFER_SIZE);
	hv_link_release(link, sizeof(*capture));
}

static const struct hv_link_ops capture_ops = {
	.name = "capture",
	.output = capture_output,
	.receive = hv_link_receive_inner,
	.writable = hv_link_writable_inner,
	.destroy = capture_destroy,
};

int haven_link_capture(struct haven_stack *stack, struct haven_link *inner,
		       void (*write)(void *user, const void *data, size_t size), void *user,
		       int64_t wall_offset_ns, struct haven_link **out)
{
	struct haven_link *link;
	struct capture *capture;

	link = hv_link_wrap(stack, &capture_ops, sizeof(*capture), inner, capture_deliver);
	if (!link)
		return -ENOMEM;
	capture = (struct capture *)link;
	capture->buffer = hv_alloc(link->core, BUFFER_SIZE);
	if (!capture->buffer) {
		haven_link_destroy(link);
		return -ENOMEM;
	}
	capture->write = write;
	capture->user = user;
	capture->wall_offset_ns = wall_offset_ns;
	write_file_header(capture);
	*out = link;
	return 0;
}
