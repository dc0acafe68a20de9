/*
 * Fragments on the way out: datagrams of UDP and ICMP that are larger than the path's MTU
 * (RFC 791 section 3.2, RFC 8200 section 4.5). Stands between ip_output.c and the neighbours.
 */
#include "ip/ip_state.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

/*
 * RFC 7739 section 5.3 (and RFC 6864 for IPv4): a counter that others share only by chance, from
 * an origin that only who has the key knows.
 */
uint32_t hv_ip_fragment_id(struct hv_ip *ip, const struct hv_ip_tx *tx)
{
	struct hv_addr pair[2] = {tx->src, tx->dst};
	uint64_t hash = hv_siphash(&ip->core->hash_key, pair, sizeof(pair));
	uint32_t *counter = &ip->id_counters[hash % HV_IP_ID_COUNTERS];

	return (*counter)++ + (uint32_t)(hash >> 32);
}

/* Copy bytes [offset, offset + size) of a packet with its slices. */
static void gather(const struct hv_packet *packet, uint32_t offset, uint32_t size, uint8_t *out)
{
	struct iovec pieces[1 + HV_PACKET_SLICES];
	unsigned count = 1;

	pieces[0] = (struct iovec){.iov_base = packet->data, .iov_len = packet->len};
	for (unsigned i = 0; i < packet->slice_count; i++)
		pieces[count++] = packet->slices[i];
	for (unsigned i = 0; i < count && size > 0; i++) {
		size_t there = pieces[i].iov_len;
		size_t take;

		if (offset >= there) {
			offset -= (uint32_t)there;
			continue;
		}
		take = there - offset < size ? there - offset : size;
		memcpy(out, (const uint8_t *)pieces[i].iov_base + offset, take);
		out += take;
		size -= (uint32_t)take;
		offset = 0;
	}
}

struct cut {
	uint32_t id, offset, size;
	bool more;
};

static struct hv_packet *make(struct hv_ip *ip, const struct hv_ip_tx *tx,
			      const struct hv_packet *whole, const struct cut *cut)
{
	bool is_v4 = hv_addr_is_v4(&tx->dst);
	struct hv_ip_tx header = *tx;
	struct hv_packet *packet = hv_packet_new(ip->core, HV_PACKET_HEADROOM, cut->size);
	uint8_t *l3;

	if (!packet)
		return NULL;
	gather(whole, cut->offset, cut->size, hv_packet_append(packet, cut->size));
	if (!is_v4) {
		hv_wire_ipv6_fragment_write(hv_packet_push(packet, HV_IPV6_FRAGMENT_HEADER),
					    tx->proto, (uint16_t)cut->offset, cut->more,
					    cut->id);
		header.proto = HV_IPV6_FRAGMENT;
		hv_ip_push_header(ip, &header, packet);
		return packet;
	}
	l3 = hv_packet_push(packet, HV_IPV4_HEADER);
	hv_wire_ipv4_write(l3,
			   &(struct hv_ipv4_header){
				   .src = tx->src,
				   .dst = tx->dst,
				   .total_length = (uint16_t)(cut->size + HV_IPV4_HEADER),
				   .id = (uint16_t)cut->id,
				   .fragment_offset = (uint16_t)cut->offset,
				   .more_fragments = cut->more,
				   .ttl = tx->hop_limit ? tx->hop_limit : ip->config.hop_limit,
				   .protocol = tx->proto,
				   .traffic_class = tx->traffic_class,
			   });
	return packet;
}

int hv_ip_fragment_output(struct hv_ip *ip, struct hv_ip_path *path, const struct hv_ip_tx *tx,
			  struct hv_packet *packet)
{
	uint32_t header = hv_addr_is_v4(&tx->dst) ? HV_IPV4_HEADER
						  : HV_IPV6_HEADER + HV_IPV6_FRAGMENT_HEADER;
	uint32_t room = (path->mtu - header) & ~7U;
	uint32_t size = hv_packet_size(packet);
	struct cut cut = {.id = hv_ip_fragment_id(ip, tx)};
	int error = 0;

	/* The transport's checksum covers all of them: no link can fill it in any more. */
	if (packet->csum == HV_CSUM_PARTIAL)
		hv_offload_checksum(packet);
	for (cut.offset = 0; cut.offset < size && !error; cut.offset += cut.size) {
		struct hv_packet *fragment;

		cut.more = size - cut.offset > room;
		cut.size = cut.more ? room : size - cut.offset;
		fragment = make(ip, tx, packet, &cut);
		if (!fragment) {
			ip->core->drops[HV_DROP_NO_MEMORY]++;
			error = -ENOMEM;
			break;
		}
		error = hv_ip_transmit(ip, path, fragment);
	}
	hv_packet_free(ip->core, packet);
	return error;
}
