/* Names of errors, events, socket options and fields of TCP_INFO. */
#include "names.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <haven/error.h>
#include <haven/socket.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int seg_errno_of(const char *name)
{
	static const struct {
		const char *name;
		int number;
	} errors[] = {
#define X(symbol, text) {#symbol, symbol},
		HAVEN_ERROR_MAP(X)
#undef X
	};

	for (size_t i = 0; i < COUNT(errors); i++)
		if (strcmp(name, errors[i].name) == 0)
			return errors[i].number;
	return -1;
}

static const struct {
	const char *name;
	unsigned bit;
} events[] = {
	{"readable", HAVEN_EVENT_READABLE},
	{"writable", HAVEN_EVENT_WRITABLE},
	{"error", HAVEN_EVENT_ERROR},
	{"hangup", HAVEN_EVENT_HANGUP},
	{"peer-closed", HAVEN_EVENT_PEER_CLOSED},
	{"connected", HAVEN_EVENT_CONNECTED},
	{"sent", HAVEN_EVENT_SENT},
	{"urgent", HAVEN_EVENT_URGENT},
	{"soft-error", HAVEN_EVENT_SOFT_ERROR},
};

unsigned seg_event_of(const char *name)
{
	for (size_t i = 0; i < COUNT(events); i++)
		if (strcmp(name, events[i].name) == 0)
			return events[i].bit;
	return 0;
}

const char *seg_events_text(unsigned bits, char *out, size_t size)
{
	size_t used = 0;

	snprintf(out, size, "nothing");
	for (size_t i = 0; i < COUNT(events) && used < size; i++)
		if (bits & events[i].bit)
			used += (size_t)snprintf(out + used, size - used, "%s%s",
						 used ? " " : "", events[i].name);
	return out;
}

unsigned seg_message_flag_of(const char *name)
{
	static const struct {
		const char *name;
		unsigned bit;
	} flags[] = {
		{"more", MSG_MORE},   {"oob", MSG_OOB},		  {"peek", MSG_PEEK},
		{"trunc", MSG_TRUNC}, {"fastopen", MSG_FASTOPEN}, {"eor", MSG_EOR},
	};

	for (size_t i = 0; i < COUNT(flags); i++)
		if (strcmp(name, flags[i].name) == 0)
			return flags[i].bit;
	return 0;
}

const struct seg_socket_option *seg_socket_option_of(const char *name)
{
#define SOCKET(option)                                \
	{                                             \
		.name = #option, SOL_SOCKET, (option) \
	}
#define TCP(option)                                    \
	{                                              \
		.name = #option, IPPROTO_TCP, (option) \
	}
	static const struct seg_socket_option options[] = {
		SOCKET(SO_REUSEADDR),
		SOCKET(SO_REUSEPORT),
		SOCKET(SO_KEEPALIVE),
		SOCKET(SO_RCVBUF),
		SOCKET(SO_SNDBUF),
		SOCKET(SO_ERROR),
		SOCKET(SO_TYPE),
		SOCKET(SO_DOMAIN),
		SOCKET(SO_PROTOCOL),
		SOCKET(SO_ACCEPTCONN),
		SOCKET(SO_OOBINLINE),
		SOCKET(SO_RCVLOWAT),
		SOCKET(SO_SNDLOWAT),
		SOCKET(SO_PRIORITY),
		SOCKET(SO_MARK),
		SOCKET(SO_MAX_PACING_RATE),
		{.name = "SO_LINGER", SOL_SOCKET, SO_LINGER, .is_linger = true},
		TCP(TCP_NODELAY),
		TCP(TCP_MAXSEG),
		TCP(TCP_CORK),
		TCP(TCP_KEEPIDLE),
		TCP(TCP_KEEPINTVL),
		TCP(TCP_KEEPCNT),
		TCP(TCP_SYNCNT),
		TCP(TCP_LINGER2),
		TCP(TCP_DEFER_ACCEPT),
		TCP(TCP_WINDOW_CLAMP),
		TCP(TCP_QUICKACK),
		TCP(TCP_USER_TIMEOUT),
		TCP(TCP_FASTOPEN),
		TCP(TCP_FASTOPEN_CONNECT),
		TCP(TCP_FASTOPEN_NO_COOKIE),
		TCP(TCP_TIMESTAMP),
		TCP(TCP_NOTSENT_LOWAT),
		TCP(TCP_INQ),
		TCP(TCP_SAVE_SYN),
		TCP(TCP_TX_DELAY),
		{.name = "TCP_CONGESTION", IPPROTO_TCP, TCP_CONGESTION, .is_text = true},
		{.name = "HAVEN_SO_SOFT_ERROR", SOL_HAVEN, HAVEN_SO_SOFT_ERROR},
		{.name = "IP_TTL", IPPROTO_IP, IP_TTL},
		{.name = "IP_TOS", IPPROTO_IP, IP_TOS},
		{.name = "IP_MTU", IPPROTO_IP, IP_MTU},
		{.name = "IP_MTU_DISCOVER", IPPROTO_IP, IP_MTU_DISCOVER},
		{.name = "IPV6_UNICAST_HOPS", IPPROTO_IPV6, IPV6_UNICAST_HOPS},
		{.name = "IPV6_TCLASS", IPPROTO_IPV6, IPV6_TCLASS},
		{.name = "IPV6_V6ONLY", IPPROTO_IPV6, IPV6_V6ONLY},
	};
#undef SOCKET
#undef TCP

	for (size_t i = 0; i < COUNT(options); i++)
		if (strcmp(name, options[i].name) == 0)
			return &options[i];
	return NULL;
}

const struct seg_info_field *seg_info_field_of(const char *name)
{
#define FIELD(field)                                                     \
	{                                                                \
		.name = #field, offsetof(struct tcp_info, tcpi_##field), \
		sizeof(((struct tcp_info *)0)->tcpi_##field)             \
	}
	static const struct seg_info_field fields[] = {
		FIELD(state),
		FIELD(ca_state),
		FIELD(retransmits),
		FIELD(probes),
		FIELD(backoff),
		FIELD(options),
		FIELD(rto),
		FIELD(ato),
		FIELD(snd_mss),
		FIELD(rcv_mss),
		FIELD(unacked),
		FIELD(sacked),
		FIELD(lost),
		FIELD(retrans),
		FIELD(last_data_sent),
		FIELD(last_data_recv),
		FIELD(last_ack_recv),
		FIELD(pmtu),
		FIELD(rcv_ssthresh),
		FIELD(rtt),
		FIELD(rttvar),
		FIELD(snd_ssthresh),
		FIELD(snd_cwnd),
		FIELD(advmss),
		FIELD(reordering),
		FIELD(rcv_rtt),
		FIELD(rcv_space),
		FIELD(total_retrans),
		FIELD(pacing_rate),
		FIELD(bytes_acked),
		FIELD(bytes_received),
		FIELD(segs_out),
		FIELD(segs_in),
		FIELD(notsent_bytes),
		FIELD(min_rtt),
		FIELD(data_segs_in),
		FIELD(data_segs_out),
		FIELD(delivery_rate),
		FIELD(busy_time),
		FIELD(rwnd_limited),
		FIELD(sndbuf_limited),
		FIELD(delivered),
		FIELD(delivered_ce),
		FIELD(bytes_sent),
		FIELD(bytes_retrans),
		FIELD(dsack_dups),
		FIELD(reord_seen),
		FIELD(rcv_ooopack),
		FIELD(snd_wnd),
	};
#undef FIELD

	for (size_t i = 0; i < COUNT(fields); i++)
		if (strcmp(name, fields[i].name) == 0)
			return &fields[i];
	return NULL;
}
