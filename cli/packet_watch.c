/*
 * Packets of one connection. See packet_watch.h.
 */
#include "cli/packet_watch.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "gateway/address.h"

#define ETHERNET_SIZE  14
#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd

#define IPV6_HEADER_SIZE 40
#define TCP_HEADER_SIZE	 20

/* RFC 9293 section 3.2 (kinds 0 to 2), RFC 7323 (3, 8), RFC 2018 (4). */
enum tcp_option {
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_MSS = 2,
	OPTION_WINDOW_SCALE = 3,
	OPTION_SACK_PERMITTED = 4,
	OPTION_TIMESTAMPS = 8,
};

static uint16_t get16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t get32(const uint8_t *bytes)
{
	return (uint32_t)get16(bytes) << 16 | get16(bytes + 2);
}

/* --- reading ---------------------------------------------------------------------------- */

static void read_option(struct hv_segment *segment, const uint8_t *option, size_t size)
{
	switch (option[0]) {
	case OPTION_MSS:
		segment->has_mss = size == 4;
		segment->mss = size == 4 ? get16(option + 2) : 0;
		break;
	case OPTION_WINDOW_SCALE:
		segment->has_window_scale = size == 3;
		segment->window_scale = size == 3 ? option[2] : 0;
		break;
	case OPTION_SACK_PERMITTED:
		segment->sack_permitted = size == 2;
		break;
	case OPTION_TIMESTAMPS:
		segment->has_timestamps = size == 10;
		break;
	default:
		break;
	}
}

static void read_options(struct hv_segment *segment, const uint8_t *options, size_t size)
{
	size_t at = 0;

	while (at < size && options[at] != OPTION_END) {
		size_t length = 1;

		if (options[at] != OPTION_NOP) {
			if (size - at < 2 || options[at + 1] < 2 || options[at + 1] > size - at)
				return;
			length = options[at + 1];
			read_option(segment, options + at, length);
		}
		at += length;
	}
}

static bool read_tcp(const uint8_t *tcp, size_t size, struct hv_segment *segment)
{
	size_t header;

	if (size < TCP_HEADER_SIZE)
		return false;
	header = (size_t)(tcp[12] >> 4) * 4;
	if (header < TCP_HEADER_SIZE || header > size)
		return false;
	segment->source_port = get16(tcp);
	segment->destination_port = get16(tcp + 2);
	segment->seq = get32(tcp + 4);
	segment->ack = get32(tcp + 8);
	segment->fin = tcp[13] & 0x01;
	segment->syn = tcp[13] & 0x02;
	segment->rst = tcp[13] & 0x04;
	segment->is_ack = tcp[13] & 0x10;
	segment->window = get16(tcp + 14);
	segment->payload = size - header;
	read_options(segment, tcp + TCP_HEADER_SIZE, header - TCP_HEADER_SIZE);
	return true;
}

/* The length in the header is 0 in packets that are to be cut up later: then it is the frame's. */
static bool read_ipv4(const uint8_t *ip, size_t size, struct hv_segment *segment)
{
	size_t header, total;

	if (size < 20 || ip[0] >> 4 != 4 || ip[9] != IPPROTO_TCP || (get16(ip + 6) & 0x3fff))
		return false;
	header = (size_t)(ip[0] & 15) * 4;
	total = get16(ip + 2);
	if (total == 0 || total > size)
		total = size;
	if (header < 20 || header > total)
		return false;
	hv_address_from_v4(segment->source, ip + 12);
	hv_address_from_v4(segment->destination, ip + 16);
	return read_tcp(ip + header, total - header, segment);
}

static bool read_ipv6(const uint8_t *ip, size_t size, struct hv_segment *segment)
{
	size_t payload;

	if (size < IPV6_HEADER_SIZE || ip[0] >> 4 != 6 || ip[6] != IPPROTO_TCP)
		return false;
	payload = get16(ip + 4);
	if (payload == 0 || payload > size - IPV6_HEADER_SIZE)
		payload = size - IPV6_HEADER_SIZE;
	memcpy(segment->source, ip + 8, 16);
	memcpy(segment->destination, ip + 24, 16);
	return read_tcp(ip + IPV6_HEADER_SIZE, payload, segment);
}

bool hv_segment_read(const uint8_t *frame, size_t size, struct hv_segment *segment)
{
	*segment = (struct hv_segment){0};
	if (size < ETHERNET_SIZE)
		return false;
	switch (get16(frame + 12)) {
	case ETHERTYPE_IPV4:
		return read_ipv4(frame + ETHERNET_SIZE, size - ETHERNET_SIZE, segment);
	case ETHERTYPE_IPV6:
		return read_ipv6(frame + ETHERNET_SIZE, size - ETHERNET_SIZE, segment);
	default:
		return false;
	}
}

/* --- telling ---------------------------------------------------------------------------- */

const char *hv_segment_options(const struct hv_segment *segment,
			       char text[HV_SEGMENT_OPTIONS_TEXT])
{
	char mss[24] = "no MSS", scale[24] = "no window scale";

	if (segment->has_mss)
		snprintf(mss, sizeof(mss), "MSS %u", segment->mss);
	if (segment->has_window_scale)
		snprintf(scale, sizeof(scale), "window scale %u", segment->window_scale);
	snprintf(text, HV_SEGMENT_OPTIONS_TEXT, "%s, %s, %s, %s", mss, scale,
		 segment->sack_permitted ? "SACK permitted" : "no SACK",
		 segment->has_timestamps ? "timestamps" : "no timestamps");
	return text;
}

static json_t *fields_of(const struct hv_segment *segment)
{
	char source[HV_ENDPOINT_TEXT], destination[HV_ENDPOINT_TEXT];
	struct haven_endpoint end = {.port = segment->source_port};

	memcpy(end.address, segment->source, 16);
	hv_endpoint_text(&end, source);
	memcpy(end.address, segment->destination, 16);
	end.port = segment->destination_port;
	hv_endpoint_text(&end, destination);
	return json_pack("{s:s, s:s, s:I, s:I, s:i}", "source", source, "destination",
			 destination, "seq", (json_int_t)segment->seq, "ack",
			 (json_int_t)segment->ack, "window", (int)segment->window);
}

static void tell_handshake(const struct hv_packet_watch *watch, const char *step,
			   const struct hv_segment *segment)
{
	char options[HV_SEGMENT_OPTIONS_TEXT];
	json_t *fields = fields_of(segment);

	if (segment->has_mss)
		json_object_set_new(fields, "mss", json_integer(segment->mss));
	if (segment->has_window_scale)
		json_object_set_new(fields, "window_scale",
				    json_integer(segment->window_scale));
	json_object_set_new(fields, "sack", json_boolean(segment->sack_permitted));
	json_object_set_new(fields, "timestamps", json_boolean(segment->has_timestamps));
	hv_explain_step(watch->explain, step, fields, "seq %u, window %u, %s", segment->seq,
			segment->window, hv_segment_options(segment, options));
}

static void see_syn(struct hv_packet_watch *watch, const struct hv_segment *segment)
{
	if (segment->is_ack) {
		if (!watch->syn_ack_seen && watch->answered)
			watch->answered(watch->user);
		watch->syn_ack_seen = true;
		tell_handshake(watch, "syn-ack", segment);
		return;
	}
	tell_handshake(watch, watch->syn_seen ? "syn-again" : "syn", segment);
	watch->syn_seen = true;
}

static void see_end(struct hv_packet_watch *watch, bool outbound,
		    const struct hv_segment *segment)
{
	const char *who = outbound ? "haven's own end" : "the peer's side, through the gateway";

	if (segment->rst && !watch->rst_seen) {
		watch->rst_seen = true;
		hv_explain_step(watch->explain, "rst", fields_of(segment), "reset by %s", who);
	}
	if (segment->fin && !watch->fin_seen[outbound]) {
		watch->fin_seen[outbound] = true;
		hv_explain_step(watch->explain, "fin", fields_of(segment), "%s FIN by %s",
				watch->any_fin ? "second" : "first", who);
		watch->any_fin = true;
	}
}

void hv_packet_watch_begin(struct hv_packet_watch *watch, uint16_t port,
			   const struct haven_endpoint *far)
{
	*watch = (struct hv_packet_watch){
		.explain = watch->explain,
		.answered = watch->answered,
		.user = watch->user,
		.port = port,
	};
	if (far)
		watch->far = *far;
}

static bool is_of(struct hv_packet_watch *watch, bool outbound,
		  const struct hv_segment *segment)
{
	struct haven_endpoint far = {
		.port = outbound ? segment->destination_port : segment->source_port,
	};

	memcpy(far.address, outbound ? segment->destination : segment->source, 16);
	if (watch->port != (outbound ? segment->source_port : segment->destination_port))
		return false;
	if (watch->far.port == 0 && segment->syn && !segment->is_ack)
		watch->far = far;
	return hv_endpoint_equal(&far, &watch->far);
}

void hv_packet_watch_see(void *user, bool outbound, const uint8_t *frame, size_t size)
{
	struct hv_packet_watch *watch = user;
	struct hv_segment segment;

	if (watch->port == 0 || !hv_segment_read(frame, size, &segment) ||
	    !is_of(watch, outbound, &segment))
		return;
	if (segment.syn) {
		see_syn(watch, &segment);
	} else if (watch->syn_ack_seen && !watch->ack_seen && segment.is_ack && !segment.rst) {
		watch->ack_seen = true;
		hv_explain_step(watch->explain, "ack", fields_of(&segment),
				"ack %u: connected%s", segment.ack,
				segment.payload ? ", with the first data" : "");
	}
	if (segment.rst || segment.fin)
		see_end(watch, outbound, &segment);
}
