/*
 * The gateway's state as text. See status.h.
 */
#include "gateway/status.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/dns.h"
#include "gateway/publish.h"

static const char *protocol_name(uint8_t protocol)
{
	return protocol == IPPROTO_TCP ? "tcp" : protocol == IPPROTO_UDP ? "udp" : "?";
}

static const char *sockaddr_text(const struct sockaddr_storage *address,
				 char text[HV_ENDPOINT_TEXT])
{
	struct haven_endpoint endpoint;

	if (haven_endpoint_from_sockaddr((const struct sockaddr *)address, &endpoint) < 0)
		return "*";
	return hv_endpoint_text(&endpoint, text);
}

static bool port_row(void *user, const struct haven_port_info *info)
{
	char local[HV_ENDPOINT_TEXT], remote[HV_ENDPOINT_TEXT];

	fprintf(user, "  %-5s %-12s %-40s %s\n", protocol_name(info->protocol), info->state,
		sockaddr_text(&info->local, local),
		info->remote.ss_family ? sockaddr_text(&info->remote, remote) : "*");
	return true;
}

static void write_published(struct hv_gateway *gateway, FILE *out)
{
	const struct hv_published *published;
	char host[HV_ENDPOINT_TEXT];

	fprintf(out, "published ports\n  %-5s %-40s %s\n", "PROTO", "HOST", "GUEST PORT");
	LIST_FOREACH(published, &gateway->publish->list, entry)
		fprintf(out, "  %-5s %-40s %u%s\n", protocol_name(published->protocol),
			hv_endpoint_text(&published->host, host), published->guest_port,
			published->tls ? ", TLS outside" : "");
}

static void write_flows(struct hv_gateway *gateway, FILE *out)
{
	const struct hv_flow *flow;
	char source[HV_ENDPOINT_TEXT], destination[HV_ENDPOINT_TEXT];

	fprintf(out, "flows: %u\n  %-5s %-4s %-11s %-32s %-32s %12s %12s %10s\n",
		gateway->flows.total, "PROTO", "DIR", "STATE", "FROM", "TO", "BYTES OUT",
		"BYTES IN", "AGE S");
	TAILQ_FOREACH(flow, &gateway->flows.list, entry)
		fprintf(out, "  %-5s %-4s %-11s %-32s %-32s %12llu %12llu %10.1f\n",
			hv_flow_protocol_name(flow->kind), hv_flow_direction_name(flow->kind),
			hv_flow_state_name(flow->state),
			hv_endpoint_text(&flow->source, source),
			hv_endpoint_text(&flow->destination, destination),
			(unsigned long long)flow->bytes_out, (unsigned long long)flow->bytes_in,
			(double)(gateway->loop.now_ns - flow->opened_ns) / 1e9);
}

static void write_fault(const char *direction, const struct haven_fault_counters *c, FILE *out)
{
	fprintf(out,
		"  %-10s %llu packets, %llu lost, %llu duplicated, %llu reordered, "
		"%llu corrupted, %llu overflowed, %llu marked\n",
		direction, (unsigned long long)c->packets, (unsigned long long)c->lost,
		(unsigned long long)c->duplicated, (unsigned long long)c->reordered,
		(unsigned long long)c->corrupted, (unsigned long long)c->overflowed,
		(unsigned long long)c->marked);
}

static void write_counters(struct hv_gateway *gateway, FILE *out)
{
	struct haven_stats stats;

	haven_stack_stats(gateway->stack, &stats);
	fprintf(out,
		"stack: %llu sockets, %llu connections, %llu in time-wait, %llu KiB; "
		"tcp %llu segments in, %llu out, %llu retransmitted; "
		"udp %llu in, %llu out; ip %llu in, %llu out\n",
		(unsigned long long)stats.sockets, (unsigned long long)stats.connections,
		(unsigned long long)stats.time_wait,
		(unsigned long long)(stats.memory_bytes / 1024),
		(unsigned long long)stats.tcp_segments_in,
		(unsigned long long)stats.tcp_segments_out,
		(unsigned long long)stats.tcp_retransmits,
		(unsigned long long)stats.udp_datagrams_in,
		(unsigned long long)stats.udp_datagrams_out,
		(unsigned long long)stats.ip_packets_in,
		(unsigned long long)stats.ip_packets_out);
	for (unsigned reason = 0; reason < haven_drop_reasons(); reason++) {
		uint64_t count = haven_drop_count(gateway->stack, reason);

		if (count > 0)
			fprintf(out, "  dropped    %llu: %s\n", (unsigned long long)count,
				haven_drop_name(reason));
	}
}

static void write_dns(struct hv_gateway *gateway, FILE *out)
{
	struct hv_dns_stats dns;

	hv_dns_stats(gateway->dns, &dns);
	fprintf(out,
		"dns: %zu answers kept (%zu KiB), %llu hits, %llu misses, %u connections\n",
		dns.kept, dns.kept_bytes / 1024, (unsigned long long)dns.hits,
		(unsigned long long)dns.misses, dns.connections);
}

static void write_wire(struct hv_gateway *gateway, FILE *out)
{
	struct haven_link_counters link;

	if (!gateway->link)
		return;
	haven_link_counters(gateway->link, &link);
	fprintf(out,
		"wire: %llu frames in (%llu bytes, %llu calls), %llu out (%llu bytes, %llu "
		"calls), busy %llu times\n",
		(unsigned long long)link.frames_in, (unsigned long long)link.bytes_in,
		(unsigned long long)link.calls_in, (unsigned long long)link.frames_out,
		(unsigned long long)link.bytes_out, (unsigned long long)link.calls_out,
		(unsigned long long)link.busy);
	if (gateway->fault) {
		struct haven_fault_counters from_guest, to_guest;

		haven_link_fault_counters(gateway->fault, &from_guest, &to_guest);
		write_fault("in", &to_guest, out);
		write_fault("out", &from_guest, out);
	}
}

void hv_status_write(struct hv_gateway *gateway, int fd)
{
	char *text = NULL;
	size_t size = 0, done = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	write_published(gateway, out);
	fprintf(out, "port table of the gateway\n  %-5s %-12s %-40s %s\n", "PROTO", "STATE",
		"LOCAL", "REMOTE");
	haven_ports_each(gateway->stack, port_row, out);
	write_flows(gateway, out);
	write_dns(gateway, out);
	write_wire(gateway, out);
	write_counters(gateway, out);
	if (fclose(out) != 0) {
		free(text);
		return;
	}
	while (done < size) {
		ssize_t n = write(fd, text + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	free(text);
}
