/*
 * Socket options of a connection, by Linux's names and units. Limits, and what a value outside of them becomes,
 * are Linux's: programs are written against it.
 */
#include "tcp/tcp_congestion.h"
#include "tcp/tcp_fastopen.h"
#include "tcp/tcp_listen.h"
#include "tcp/tcp_options.h"
#include "tcp/tcp_receive.h"
#include "tcp/tcp_timer.h"

#include <limits.h>
#include <netinet/tcp.h>

enum {
	/* Of data. Shown by getsockopt they are twice that, as Linux shows what it adds for its own expenses. */
	SEND_BUFFER_MIN = 2304,
	RECEIVE_BUFFER_MIN = 1152,
	WINDOW_CLAMP_MIN = RECEIVE_BUFFER_MIN,
	MSS_MIN_USER = 88, /* as Linux */
	MSS_MAX_USER = 32767,
	KEEPALIVE_MAX_S = 32767,
	KEEPALIVE_MAX_PROBES = 127,
	LINGER_MAX_S = 65535,
	LINGER2_MAX_S = 120,
	SYN_RETRIES_MAX = 127,
	ECN_BITS = 3, /* of IP_TOS: they are the protocol's (RFC 3168), not the owner's */
};

static uint32_t buffer_limit(int value, uint32_t least, uint32_t most)
{
	/* A negative value is a very large one to Linux. */
	uint32_t wanted = (uint32_t)value < least ? least : (uint32_t)value;

	return wanted < most ? wanted : most;
}

static uint32_t send_limit(const struct hv_tcp *tcp, int value)
{
	return buffer_limit(value, SEND_BUFFER_MIN, tcp->config.send_buffer_bytes);
}

static uint32_t receive_limit(const struct hv_tcp *tcp, int value)
{
	return buffer_limit(value, RECEIVE_BUFFER_MIN, tcp->config.receive_buffer_bytes);
}

static int buffer_shown(uint32_t limit)
{
	return limit > INT_MAX / 2 ? INT_MAX : (int)limit * 2;
}

/* A low-water mark above half of the buffer would never be reached. */
static uint32_t low_water(const struct hv_tcp *tcp, int value)
{
	uint32_t most = tcp->config.receive_buffer_bytes / 2;

	if (value == 0)
		return 1;
	return (uint32_t)value < most ? (uint32_t)value : most;
}

static int linger2(int value)
{
	if (value < 0)
		return -1;
	if (value == 0)
		return HV_TCP_FIN_WAIT_2_S;
	return value < LINGER2_MAX_S ? value : LINGER2_MAX_S;
}

static int window_clamp(int value)
{
	return value && value < WINDOW_CLAMP_MIN ? WINDOW_CLAMP_MIN : value;
}

/* Seconds as time-outs of the SYN-ACK: after 1, 3, 7, ... of them; no more than it is sent again. */
static uint8_t defer_timeouts(int seconds)
{
	uint8_t count = 0;

	while (count < HV_TCP_RETRIES_SYN_ACK && (1 << count) - 1 < seconds)
		count++;
	return count;
}

static bool is_hop_limit(int level, int option)
{
	return (level == IPPROTO_IP && option == IP_TTL) ||
	       (level == IPPROTO_IPV6 && option == IPV6_UNICAST_HOPS);
}

static bool is_traffic_class(int level, int option)
{
	return (level == IPPROTO_IP && option == IP_TOS) ||
	       (level == IPPROTO_IPV6 && option == IPV6_TCLASS);
}

int hv_tcp_option_shown(const struct hv_tcp *tcp, int level, int option, int value)
{
	if (is_traffic_class(level, option))
		return value & ~ECN_BITS;
	if (level == SOL_SOCKET) {
		switch (option) {
		case SO_KEEPALIVE:
			return value != 0;
		case SO_RCVBUF:
			return buffer_shown(receive_limit(tcp, value));
		case SO_SNDBUF:
			return buffer_shown(send_limit(tcp, value));
		case SO_RCVLOWAT:
			return (int)low_water(tcp, value);
		default:
			return value;
		}
	}
	if (level != IPPROTO_TCP)
		return value;
	switch (option) {
	case TCP_NODELAY:
	case TCP_CORK:
		return value != 0;
	case TCP_QUICKACK:
		return value & 1;
	case TCP_LINGER2:
		return linger2(value);
	case TCP_WINDOW_CLAMP:
		return window_clamp(value);
	case TCP_DEFER_ACCEPT:
		return (1 << defer_timeouts(value)) - 1; /* seconds that they are */
	default:
		return value;
	}
}

void hv_tcp_listener_set_option(struct hv_tcp_listener *listener, int level, int option,
				int value)
{
	struct hv_tcp_listen_options *o = &listener->options;

	if (is_hop_limit(level, option))
		o->hop_limit = (uint8_t)value;
	else if (is_traffic_class(level, option))
		o->traffic_class = (uint8_t)(value & ~ECN_BITS);
	else if (level == SOL_SOCKET && option == SO_RCVBUF)
		o->receive_limit = receive_limit(listener->tcp, value);
	else if (level == IPPROTO_TCP && option == TCP_MAXSEG)
		o->user_mss = (uint16_t)value;
	else if (level == IPPROTO_TCP && option == TCP_WINDOW_CLAMP)
		o->window_clamp = (uint32_t)window_clamp(value);
	else if (level == IPPROTO_TCP && option == TCP_DEFER_ACCEPT)
		o->defer = defer_timeouts(value);
	else if (level == IPPROTO_TCP && option == TCP_FASTOPEN)
		hv_tcp_listener_set_fast_open(listener, (uint32_t)value);
}

static int set_socket_level(struct hv_tcp_conn *conn, int option, int value)
{
	switch (option) {
	case SO_KEEPALIVE:
		conn->keepalive = value != 0;
		hv_tcp_arm_keepalive(conn);
		return 0;
	case SO_LINGER:
		conn->linger = value >= 0;
		conn->linger_s = (uint16_t)(value < 0		   ? 0
					    : value > LINGER_MAX_S ? LINGER_MAX_S
								   : value);
		return 0;
	case SO_RCVBUF:
		hv_tcp_set_receive_limit(conn, receive_limit(conn->tcp, value));
		conn->receive_fixed = true;
		return 0;
	case SO_SNDBUF:
		conn->send.limit = send_limit(conn->tcp, value);
		conn->send_fixed = true;
		return 0;
	case SO_RCVLOWAT:
		conn->receive_lowat = low_water(conn->tcp, value);
		if (hv_tcp_is_enough_to_read(conn))
			hv_tcp_notify(conn, HAVEN_EVENT_READABLE);
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int set_keepalive(struct hv_tcp_conn *conn, int option, int value)
{
	int most = option == TCP_KEEPCNT ? KEEPALIVE_MAX_PROBES : KEEPALIVE_MAX_S;

	if (value < 1 || value > most)
		return -EINVAL;
	if (option == TCP_KEEPCNT)
		conn->keepalive_count = (uint8_t)value;
	else if (option == TCP_KEEPINTVL)
		conn->keepalive_interval_s = (uint16_t)value;
	else
		conn->keepalive_idle_s = (uint16_t)value;
	hv_tcp_arm_keepalive(conn);
	return 0;
}

/* Before the SYN left, it also is what the peer is told not to exceed (RFC 9293 section 3.7.1). */
static int set_mss(struct hv_tcp_conn *conn, int value)
{
	if (value && (value < MSS_MIN_USER || value > MSS_MAX_USER))
		return -EINVAL;
	if (conn->state == HV_TCP_SYN_SENT && conn->snd_max == conn->iss) {
		hv_tcp_mss_limit(conn, (uint16_t)value);
		return 0;
	}
	conn->user_mss = (uint16_t)value;
	hv_tcp_mss_update(conn);
	return 0;
}

/* An ACK that waits goes at once; 1 keeps it so for a while, any even number does not (as Linux). */
static void set_quick_ack(struct hv_tcp_conn *conn, int value)
{
	conn->quick_acks = value & 1 ? HV_TCP_QUICK_ACKS : 0;
	if (value && hv_tcp_is_synchronized(conn) && conn->ack_sent != conn->rcv_nxt) {
		conn->ack_now = true;
		hv_tcp_mark(conn);
	}
}

static int set_tcp_level(struct hv_tcp_conn *conn, int option, int value)
{
	switch (option) {
	case TCP_NODELAY:
		conn->no_delay = value != 0;
		/* As in Linux it lets go, once, what MSG_MORE and TCP_CORK hold back. */
		conn->more &= !conn->no_delay;
		conn->force_send |= conn->no_delay && conn->cork;
		break;
	case TCP_CORK:
		conn->cork = value != 0;
		break;
	case TCP_QUICKACK:
		set_quick_ack(conn, value);
		break;
	case TCP_MAXSEG:
		return set_mss(conn, value);
	case TCP_SYNCNT:
		if (value < 1 || value > SYN_RETRIES_MAX)
			return -EINVAL;
		conn->syn_retries = (uint8_t)value;
		break;
	case TCP_LINGER2:
		conn->linger2_s = (int16_t)linger2(value);
		break;
	case TCP_WINDOW_CLAMP:
		if (!value && conn->state != HV_TCP_CLOSED)
			return -EINVAL;
		conn->window_clamp = (uint32_t)window_clamp(value);
		break;
	case TCP_DEFER_ACCEPT:
		break; /* of listeners */
	case TCP_NOTSENT_LOWAT:
		conn->notsent_lowat = (uint32_t)value;
		hv_tcp_tell_writable(conn);
		break;
	case TCP_USER_TIMEOUT:
		if (value < 0)
			return -EINVAL;
		conn->user_timeout_ms = (uint32_t)value;
		if (hv_tcp_is_armed(conn, HV_TCP_DEADLINE_RETRANSMIT) && !conn->probing)
			hv_tcp_arm_retransmit(conn);
		break;
	case TCP_CONGESTION:
		if (!hv_tcp_congestion_at(value))
			return -ENOENT;
		hv_tcp_congestion_set(conn, hv_tcp_congestion_at(value));
		break;
	case TCP_FASTOPEN_CONNECT:
		return value ? hv_tcp_fast_open_connect(conn) : -EINVAL;
	case TCP_FASTOPEN: /* of listeners */
		return -EINVAL;
	case TCP_KEEPIDLE:
	case TCP_KEEPINTVL:
	case TCP_KEEPCNT:
		return set_keepalive(conn, option, value);
	default:
		return -ENOPROTOOPT;
	}
	if (hv_tcp_is_synchronized(conn))
		hv_tcp_mark(conn); /* what NODELAY or CORK held back may go now */
	return 0;
}

int hv_tcp_set_option(struct hv_tcp_conn *conn, int level, int option, int value)
{
	int error;

	if (level == SOL_SOCKET || level == IPPROTO_TCP) {
		hv_tcp_hold(conn); /* an event may have become true */
		error = level == SOL_SOCKET ? set_socket_level(conn, option, value)
					    : set_tcp_level(conn, option, value);
		hv_tcp_release(conn);
		return error;
	}
	if (is_hop_limit(level, option)) {
		if (value != -1 && (value < 1 || value > 255))
			return -EINVAL;
		conn->hop_limit = value == -1 ? 0 : (uint8_t)value; /* -1: the stack's */
		return 0;
	}
	if (level == IPPROTO_IP && option == IP_MTU_DISCOVER) {
		if (value < IP_PMTUDISC_DONT || value > IP_PMTUDISC_OMIT)
			return -EINVAL;
		conn->mtu_discover = (uint8_t)value;
		return 0;
	}
	if (is_traffic_class(level, option)) {
		if (value < -1 || value > 255)
			return -EINVAL;
		conn->traffic_class = value == -1 ? 0 : (uint8_t)(value & ~ECN_BITS);
		return 0;
	}
	return -ENOPROTOOPT;
}

static int get_tcp_level(const struct hv_tcp_conn *conn, int option, int *value)
{
	switch (option) {
	case TCP_NODELAY:
		*value = conn->no_delay;
		return 0;
	case TCP_CORK:
		*value = conn->cork;
		return 0;
	case TCP_QUICKACK:
		*value = conn->quick_acks > 0;
		return 0;
	case TCP_MAXSEG:
		*value = conn->mss;
		return 0;
	case TCP_CONGESTION:
		*value = hv_tcp_congestion_number(conn->congestion->name);
		return 0;
	case TCP_SYNCNT:
		*value = conn->syn_retries ? conn->syn_retries : HV_TCP_RETRIES_SYN;
		return 0;
	case TCP_LINGER2:
		*value = conn->linger2_s;
		return 0;
	case TCP_WINDOW_CLAMP:
		*value = (int)hv_tcp_receive_most(conn);
		return 0;
	case TCP_NOTSENT_LOWAT:
		*value = (int)conn->notsent_lowat;
		return 0;
	case TCP_USER_TIMEOUT:
		*value = (int)conn->user_timeout_ms;
		return 0;
	case TCP_KEEPIDLE:
		*value = conn->keepalive_idle_s;
		return 0;
	case TCP_KEEPINTVL:
		*value = conn->keepalive_interval_s;
		return 0;
	case TCP_KEEPCNT:
		*value = conn->keepalive_count;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int get_socket_level(const struct hv_tcp_conn *conn, int option, int *value)
{
	switch (option) {
	case SO_KEEPALIVE:
		*value = conn->keepalive;
		return 0;
	case SO_LINGER:
		*value = conn->linger ? conn->linger_s : -1;
		return 0;
	case SO_RCVBUF:
		*value = buffer_shown(conn->receive_limit);
		return 0;
	case SO_SNDBUF:
		*value = buffer_shown(conn->send.limit);
		return 0;
	case SO_RCVLOWAT:
		*value = (int)conn->receive_lowat;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

int hv_tcp_get_option(const struct hv_tcp_conn *conn, int level, int option, int *value)
{
	if (level == SOL_SOCKET)
		return get_socket_level(conn, option, value);
	if (level == IPPROTO_TCP)
		return get_tcp_level(conn, option, value);
	if (is_hop_limit(level, option)) {
		*value = conn->hop_limit ? conn->hop_limit : -1;
		return 0;
	}
	if (level == IPPROTO_IP && option == IP_MTU_DISCOVER) {
		*value = conn->mtu_discover;
		return 0;
	}
	if (is_traffic_class(level, option)) {
		*value = conn->traffic_class;
		return 0;
	}
	return -ENOPROTOOPT;
}
