/* The TCP header and its options (RFC 9293 section 3.1): the wire side of tcp/. */
#include "wire/tcp.h"

#include <assert.h>
#include <string.h>

#include "wire/checksum.h"

enum {
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_MSS = 2,
	OPTION_WINDOW_SCALE = 3,
	OPTION_SACK_PERMITTED = 4,
	OPTION_SACK = 5,
	OPTION_TIMESTAMPS = 8,
	OPTION_FAST_OPEN = 34,
};
enum { MAX_OPTIONS = 40, MAX_WINDOW_SCALE = 14, MAX_SACK_BLOCKS = 4 };

static bool checksum_is_good(const struct hv_packet *packet)
{
	const struct hv_desc *d = &packet->d;
	uint64_t sum;

	if (packet->csum != HV_CSUM_NONE)
		return true;
	sum = hv_sum_pseudo(&d->src, &d->dst, d->proto, d->payload_len);
	return hv_sum_fold(hv_sum_add(sum, d->l4, d->payload_len)) == UINT16_MAX;
}

int hv_wire_tcp_parse(struct hv_packet *packet)
{
	struct hv_desc *d = &packet->d;
	const uint8_t *p = d->l4;
	uint32_t header;

	assert(p + d->payload_len <= packet->data + packet->len);
	if (d->payload_len < HV_TCP_HEADER)
		return HV_DROP_TCP_HEADER;
	header = (uint32_t)(p[12] >> 4) * 4;
	if (header < HV_TCP_HEADER || header > d->payload_len)
		return HV_DROP_TCP_HEADER;
	if (!checksum_is_good(packet))
		return HV_DROP_TCP_CHECKSUM;
	d->src_port = hv_get16(p);
	d->dst_port = hv_get16(p + 2);
	d->seq = hv_get32(p + 4);
	d->ack = hv_get32(p + 8);
	d->tcp_flags = p[13];
	d->window = hv_get16(p + 14);
	d->urgent = hv_get16(p + 18);
	d->options = d->l4 + HV_TCP_HEADER;
	d->options_len = (uint8_t)(header - HV_TCP_HEADER);
	d->payload = d->l4 + header;
	d->payload_len -= header;
	return HV_DROP_COUNT;
}

static void parse_sack(const uint8_t *p, unsigned length, struct hv_tcp_options *out)
{
	if (length < 10 || (length - 2) % 8 != 0)
		return;
	/* Of two such options, the last one counts. */
	out->sack_count = 0;
	memset(out->sack, 0, sizeof(out->sack));
	for (unsigned at = 2; at < length && out->sack_count < MAX_SACK_BLOCKS; at += 8) {
		out->sack[out->sack_count][0] = hv_get32(p + at);
		out->sack[out->sack_count][1] = hv_get32(p + at + 4);
		out->sack_count++;
	}
}

/* One option of `length` bytes at p, kind and length included. A wrong length: as if unknown. */
static void parse_option(const uint8_t *p, unsigned length, struct hv_tcp_options *out)
{
	switch (p[0]) {
	case OPTION_MSS:
		if (length == 4) {
			out->has_mss = true;
			out->mss = hv_get16(p + 2);
		}
		break;
	case OPTION_WINDOW_SCALE:
		if (length == 3) {
			/* RFC 7323 section 2.3: a larger shift counts as 14. */
			out->has_window_scale = true;
			out->window_scale = p[2] > MAX_WINDOW_SCALE ? MAX_WINDOW_SCALE : p[2];
		}
		break;
	case OPTION_SACK_PERMITTED:
		if (length == 2)
			out->sack_permitted = true;
		break;
	case OPTION_SACK:
		parse_sack(p, length, out);
		break;
	case OPTION_TIMESTAMPS:
		if (length == 10) {
			out->has_timestamps = true;
			out->ts_value = hv_get32(p + 2);
			out->ts_echo = hv_get32(p + 6);
		}
		break;
	case OPTION_FAST_OPEN:
		/* RFC 7413 section 2: nothing, or 4 to 16 bytes, an even number of them. */
		if (length == 2 || (length >= 2 + HV_TCP_FAST_OPEN_MIN &&
				    length <= 2 + HV_TCP_FAST_OPEN_MAX && length % 2 == 0)) {
			out->has_fast_open = true;
			out->fast_open_len = (uint8_t)(length - 2);
			out->fast_open = p + 2;
		}
		break;
	default:
		break;
	}
}

void hv_wire_tcp_options_parse(const uint8_t *options, unsigned size,
			       struct hv_tcp_options *out)
{
	const uint8_t *p = options, *end = options + size;

	memset(out, 0, sizeof(*out));
	while (p < end && *p != OPTION_END) {
		if (*p == OPTION_NOP) {
			p++;
			continue;
		}
		if (end - p < 2 || p[1] < 2 || p[1] > end - p)
			return;
		parse_option(p, p[1], out);
		p += p[1];
	}
}

static uint8_t *write_timestamps(uint8_t *p, const struct hv_tcp_options *options)
{
	/* Two bytes keep the timestamps aligned: SACK permitted when it is wanted, else NOPs. */
	*p++ = options->sack_permitted ? OPTION_SACK_PERMITTED : OPTION_NOP;
	*p++ = options->sack_permitted ? 2 : OPTION_NOP;
	*p++ = OPTION_TIMESTAMPS;
	*p++ = 10;
	hv_put32(p, options->ts_value);
	hv_put32(p + 4, options->ts_echo);
	return p + 8;
}

/* As many blocks as there is room for. */
static uint8_t *write_sack(uint8_t *p, unsigned room, const struct hv_tcp_options *options)
{
	unsigned count = options->sack_count;

	while (count > 0 && 4 + 8 * count > room)
		count--;
	if (count == 0)
		return p;
	*p++ = OPTION_NOP;
	*p++ = OPTION_NOP;
	*p++ = OPTION_SACK;
	*p++ = (uint8_t)(2 + 8 * count);
	for (unsigned i = 0; i < count; i++, p += 8) {
		hv_put32(p, options->sack[i][0]);
		hv_put32(p + 4, options->sack[i][1]);
	}
	return p;
}

static uint8_t *write_fast_open(uint8_t *p, const struct hv_tcp_options *options)
{
	unsigned size = 2u + options->fast_open_len;

	*p++ = OPTION_FAST_OPEN;
	*p++ = (uint8_t)size;
	if (options->fast_open_len)
		memcpy(p, options->fast_open, options->fast_open_len);
	p += options->fast_open_len;
	for (unsigned padding = -size % 4; padding > 0; padding--)
		*p++ = OPTION_NOP;
	return p;
}

unsigned hv_wire_tcp_options_write(uint8_t *out, const struct hv_tcp_options *options)
{
	uint8_t *p = out;

	if (options->has_mss) {
		*p++ = OPTION_MSS;
		*p++ = 4;
		hv_put16(p, options->mss);
		p += 2;
	}
	if (options->has_timestamps) {
		p = write_timestamps(p, options);
	} else if (options->sack_permitted) {
		*p++ = OPTION_NOP;
		*p++ = OPTION_NOP;
		*p++ = OPTION_SACK_PERMITTED;
		*p++ = 2;
	}
	if (options->has_window_scale) {
		*p++ = OPTION_NOP;
		*p++ = OPTION_WINDOW_SCALE;
		*p++ = 3;
		*p++ = options->window_scale;
	}
	if (options->has_fast_open)
		p = write_fast_open(p, options);
	p = write_sack(p, MAX_OPTIONS - (unsigned)(p - out), options);
	return (unsigned)(p - out);
}

void hv_wire_tcp_write(uint8_t *p, const struct hv_tcp_header *header)
{
	hv_put16(p, header->src_port);
	hv_put16(p + 2, header->dst_port);
	hv_put32(p + 4, header->seq);
	hv_put32(p + 8, header->ack);
	p[12] = (uint8_t)((HV_TCP_HEADER + header->options_len) / 4 << 4);
	p[13] = header->flags;
	hv_put16(p + 14, header->window);
	hv_put16(p + 16, 0);
	hv_put16(p + 18, header->urgent);
}
