/*
 * Socket options of a connection, by Linux's names and units.
 */
#include "tcp/tcp_congestion.h"
#include "tcp/tcp_options.h"
#include "tcp/tcp_receive.h"
#include "tcp/tcp_timer.h"

#include <netinet/tcp.h>

enum {
	BUFFER_MIN = 4096,
	MSS_MIN_USER = 88, /* as Linux */
	MSS_MAX_USER = 32767,
	KEEPALIVE_MAX_S = 32767,
	KEEPALIVE_MAX_PROBES = 127,
	LINGER_MAX_S = 65535,
};

static uint32_t buffer_limit(int value, uint32_t most)
{
	uint32_t wanted = value < BUFFER_MIN ? BUFFER_MIN : (uint32_t)value;

	return wanted < most ? wanted : most;
}

static int set_socket_level(struct hv_tcp_conn *conn, int option, int value)
{
	const struct hv_tcp_config *config = &conn->tcp->config;

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
		hv_tcp_set_receive_limit(conn,
					 buffer_limit(value, config->receive_buffer_bytes));
		conn->receive_fixed = true;
		return 0;
	case SO_SNDBUF:
		conn->send.limit = buffer_limit(value, config->send_buffer_bytes);
		conn->send_fixed = true;
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

static int set_tcp_level(struct hv_tcp_conn *conn, int option, int value)
{
	switch (option) {
	case TCP_NODELAY:
		conn->no_delay = value != 0;
		conn->force_send |= conn->no_delay; /* once, and corked data too */
		break;
	case TCP_CORK:
		conn->cork = value != 0;
		break;
	case TCP_QUICKACK:
		conn->quick_acks = value ? HV_TCP_QUICK_ACKS : 0;
		break;
	case TCP_MAXSEG:
		if (value && (value < MSS_MIN_USER || value > MSS_MAX_USER))
			return -EINVAL;
		conn->user_mss = (uint16_t)value;
		hv_tcp_mss_update(conn);
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
	bool ttl = (level == IPPROTO_IP && option == IP_TTL) ||
		   (level == IPPROTO_IPV6 && option == IPV6_UNICAST_HOPS);
	bool tos = (level == IPPROTO_IP && option == IP_TOS) ||
		   (level == IPPROTO_IPV6 && option == IPV6_TCLASS);

	if (level == SOL_SOCKET)
		return set_socket_level(conn, option, value);
	if (level == IPPROTO_TCP)
		return set_tcp_level(conn, option, value);
	if (ttl) {
		if (value != -1 && (value < 1 || value > 255))
			return -EINVAL;
		conn->hop_limit = value == -1 ? 0 : (uint8_t)value; /* -1: the stack's */
		return 0;
	}
	if (tos) {
		if (value < -1 || value > 255)
			return -EINVAL;
		conn->traffic_class = value == -1 ? 0 : (uint8_t)value;
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
		*value = (int)conn->receive_limit;
		return 0;
	case SO_SNDBUF:
		*value = (int)conn->send.limit;
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
	if ((level == IPPROTO_IP && option == IP_TTL) ||
	    (level == IPPROTO_IPV6 && option == IPV6_UNICAST_HOPS)) {
		*value = conn->hop_limit ? conn->hop_limit : -1;
		return 0;
	}
	if ((level == IPPROTO_IP && option == IP_TOS) ||
	    (level == IPPROTO_IPV6 && option == IPV6_TCLASS)) {
		*value = conn->traffic_class;
		return 0;
	}
	return -ENOPROTOOPT;
}
