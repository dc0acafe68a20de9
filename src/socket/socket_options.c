/*
 * Options. What concerns the socket is kept here; what concerns a connection is kept by tcp/, and before there is
 * a connection remembered in a list and given to it later: to the socket's own, or for a listener to
 * those it accepts.
 */
#include "socket/socket_state.h"

#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

enum {
	OPTION_STREAM = 1,   /* of a connection: handed to tcp/ */
	OPTION_DATAGRAM = 2, /* has a meaning for datagram sockets */
};

/* Options whose value is an int, with Linux's limits. */
struct option {
	int level, option;
	int min, max;
	int initial; /* -1: the stack's */
	uint8_t kinds;
};

static const struct option options[] = {
	{SOL_SOCKET, SO_KEEPALIVE, INT_MIN, INT_MAX, 0, OPTION_STREAM | OPTION_DATAGRAM},
	{SOL_SOCKET, SO_RCVBUF, 0, INT_MAX, -1, OPTION_STREAM | OPTION_DATAGRAM},
	{SOL_SOCKET, SO_SNDBUF, 0, INT_MAX, -1, OPTION_STREAM | OPTION_DATAGRAM},
	{SOL_SOCKET, SO_RCVLOWAT, INT_MIN, INT_MAX, 1, OPTION_STREAM},
	{IPPROTO_TCP, TCP_NODELAY, INT_MIN, INT_MAX, 0, OPTION_STREAM},
	{IPPROTO_TCP, TCP_MAXSEG, 0, 32767, 536, OPTION_STREAM},
	{IPPROTO_TCP, TCP_CORK, INT_MIN, INT_MAX, 0, OPTION_STREAM},
	{IPPROTO_TCP, TCP_KEEPIDLE, 1, 32767, 7200, OPTION_STREAM},
	{IPPROTO_TCP, TCP_KEEPINTVL, 1, 32767, 75, OPTION_STREAM},
	{IPPROTO_TCP, TCP_KEEPCNT, 1, 127, 9, OPTION_STREAM},
	{IPPROTO_TCP, TCP_USER_TIMEOUT, 0, INT_MAX, 0, OPTION_STREAM},
	/* In and out by name: congestion_set(), congestion_get(). */
	{IPPROTO_TCP, TCP_CONGESTION, 0, 0, -1, OPTION_STREAM},
	{IPPROTO_TCP, TCP_FASTOPEN, 0, INT_MAX, 0, OPTION_STREAM},
	{IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 0, 1, 0, OPTION_STREAM},
	{IPPROTO_TCP, TCP_QUICKACK, INT_MIN, INT_MAX, 1, OPTION_STREAM},
	{IPPROTO_TCP, TCP_SYNCNT, 1, 127, HV_TCP_RETRIES_SYN, OPTION_STREAM},
	{IPPROTO_TCP, TCP_DEFER_ACCEPT, INT_MIN, INT_MAX, 0, OPTION_STREAM},
	{IPPROTO_TCP, TCP_LINGER2, INT_MIN, INT_MAX, 60, OPTION_STREAM},
	{IPPROTO_TCP, TCP_WINDOW_CLAMP, INT_MIN, INT_MAX, 0, OPTION_STREAM},
	{IPPROTO_TCP, TCP_NOTSENT_LOWAT, INT_MIN, INT_MAX, 0, OPTION_STREAM},
	{IPPROTO_IP, IP_TTL, 1, 255, -1, OPTION_STREAM | OPTION_DATAGRAM},
	{IPPROTO_IP, IP_TOS, 0, 255, 0, OPTION_STREAM | OPTION_DATAGRAM},
	{IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT, IP_PMTUDISC_OMIT, IP_PMTUDISC_WANT,
	 OPTION_STREAM},
};

/* IPv6's names for the same. */
static void same_option(int *level, int *option)
{
	if (*level != IPPROTO_IPV6)
		return;
	if (*option == IPV6_UNICAST_HOPS) {
		*level = IPPROTO_IP;
		*option = IP_TTL;
	} else if (*option == IPV6_TCLASS) {
		*level = IPPROTO_IP;
		*option = IP_TOS;
	} else if (*option == IPV6_MTU_DISCOVER) {
		*level = IPPROTO_IP;
		*option = IP_MTU_DISCOVER;
	}
}

static const struct option *option_find(const struct haven_socket *socket, int level,
					int option)
{
	unsigned kind = socket->stream ? OPTION_STREAM : OPTION_DATAGRAM;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (options[i].level == level && options[i].option == option)
			return options[i].kinds & kind ? &options[i] : NULL;
	}
	return NULL;
}

/* --- options that wait for a connection ---------------------------------------------------- */

static int remember(struct haven_socket *socket, int level, int option, int value)
{
	struct hv_socket_option *known = socket->options;

	while (known && (known->level != level || known->option != option))
		known = known->next;
	if (!known) {
		known = hv_alloc(socket->sockets->core, sizeof(*known));
		if (!known)
			return -ENOMEM;
		known->level = level;
		known->option = option;
		known->next = socket->options;
		socket->options = known;
	}
	known->value = value;
	return 0;
}

void hv_socket_options_apply(const struct haven_socket *socket, struct hv_tcp_conn *conn)
{
	/* They were checked when they were set. */
	for (const struct hv_socket_option *o = socket->options; o; o = o->next)
		hv_tcp_set_option(conn, o->level, o->option, o->value);
}

void hv_socket_options_free(struct haven_socket *socket)
{
	struct hv_socket_option *option;

	while ((option = socket->options)) {
		socket->options = option->next;
		hv_free(socket->sockets->core, option, sizeof(*option));
	}
}

/* --- values of either kind of socket -------------------------------------------------------- */

static int stream_set(struct haven_socket *socket, int level, int option, int value)
{
	struct hv_tcp_conn *conn = hv_stream_of(socket)->conn;
	int error;

	if (conn)
		return hv_tcp_set_option(conn, level, option, value);
	error = remember(socket, level, option, value);
	if (!error)
		hv_stream_option_listener(socket);
	return error;
}

void hv_stream_option_listener(struct haven_socket *socket)
{
	struct hv_tcp_listener *listener = hv_stream_of(socket)->listener;

	for (const struct hv_socket_option *o = socket->options; listener && o; o = o->next)
		hv_tcp_listener_set_option(listener, o->level, o->option, o->value);
}

static int stream_get(const struct haven_socket *socket, const struct option *o, int *value)
{
	const struct hv_sockets *sockets = socket->sockets;

	/* Of the time before there was a connection. */
	bool early = o->level == IPPROTO_TCP &&
		     (o->option == TCP_FASTOPEN || o->option == TCP_FASTOPEN_CONNECT ||
		      o->option == TCP_DEFER_ACCEPT);

	if (hv_stream_of(socket)->conn && !early) {
		int error = hv_tcp_get_option(hv_stream_of(socket)->conn, o->level, o->option,
					      value);

		if (o->level == IPPROTO_IP && o->option == IP_TTL && *value < 0)
			*value = sockets->hop_limit;
		return error;
	}
	for (const struct hv_socket_option *k = socket->options; k; k = k->next) {
		if (k->level != o->level || k->option != o->option)
			continue;
		*value = hv_tcp_option_shown(sockets->tcp, o->level, o->option, k->value);
		/* 0 takes it back. */
		if (o->level == IPPROTO_TCP && o->option == TCP_MAXSEG && !*value)
			*value = o->initial;
		return 0;
	}
	*value = o->initial;
	if (o->level == IPPROTO_IP && o->option == IP_TTL)
		*value = sockets->hop_limit;
	else if (o->level == SOL_SOCKET && (o->option == SO_RCVBUF || o->option == SO_SNDBUF))
		*value = hv_tcp_option_shown(sockets->tcp, o->level, o->option, INT_MAX);
	else if (o->option == TCP_CONGESTION && o->level == IPPROTO_TCP)
		*value = sockets->tcp->config.congestion;
	return 0;
}

enum { BUFFER_MIN = 2304, BUFFER_MAX = 1 << 26 }; /* of datagram sockets, bytes */

static int datagram_set(struct haven_socket *socket, int level, int option, int value)
{
	struct hv_udp_socket *udp = &hv_datagram_of(socket)->udp;

	if (level == SOL_SOCKET && option == SO_RCVBUF) {
		/* Linux doubles the value, for its own expenses, and shows the double. */
		if (value > BUFFER_MAX / 2)
			value = BUFFER_MAX / 2;
		udp->receive_limit = value < BUFFER_MIN / 2 ? BUFFER_MIN : (uint32_t)value * 2;
	} else if (level == IPPROTO_IP && option == IP_TTL) {
		udp->hop_limit = (uint8_t)value;
	} else if (level == IPPROTO_IP && option == IP_TOS) {
		udp->traffic_class = (uint8_t)value;
	}
	/* SO_SNDBUF: nothing is held back on the way out. SO_KEEPALIVE: nothing to keep alive. */
	return 0;
}

static int datagram_get(const struct haven_socket *socket, int level, int option)
{
	const struct hv_udp_socket *udp = &hv_datagram_of(socket)->udp;

	if (level == SOL_SOCKET && (option == SO_RCVBUF || option == SO_SNDBUF))
		return (int)udp->receive_limit;
	if (level == IPPROTO_IP && option == IP_TTL)
		return udp->hop_limit ? udp->hop_limit : socket->sockets->hop_limit;
	if (level == IPPROTO_IP && option == IP_TOS)
		return udp->traffic_class;
	return 0;
}

/* --- options of the socket itself ------------------------------------------------------------ */

static int take_error(struct haven_socket *socket)
{
	int error;

	if (socket->layer)
		return socket->layer->ops->error(socket->layer);
	if (socket->stream)
		return hv_stream_of(socket)->conn
			       ? hv_tcp_take_error(hv_stream_of(socket)->conn)
			       : 0;
	error = hv_datagram_of(socket)->udp.error;
	hv_datagram_of(socket)->udp.error = 0;
	return error;
}

static int soft_error_of(const struct haven_socket *socket)
{
	const struct hv_tcp_conn *conn = socket->stream ? hv_stream_of(socket)->conn : NULL;

	return conn ? hv_tcp_soft_error_of(conn) : 0;
}

/* Returns whether it is such an option. */
static bool own_get(struct haven_socket *socket, int level, int option, int *value)
{
	if (level == SOL_HAVEN && option == HAVEN_SO_TRANSPARENT) {
		*value = socket->transparent;
		return true;
	}
	if (level == SOL_HAVEN && option == HAVEN_SO_SOFT_ERROR) {
		*value = soft_error_of(socket);
		return true;
	}
	if (level == IPPROTO_IPV6 && option == IPV6_V6ONLY && socket->v6) {
		*value = socket->v6_only;
		return true;
	}
	if (level == IPPROTO_IP && option == IP_BIND_ADDRESS_NO_PORT) {
		*value = socket->no_port;
		return true;
	}
	if (level != SOL_SOCKET)
		return false;
	switch (option) {
	case SO_REUSEADDR:
		*value = socket->reuse_addr;
		return true;
	case SO_REUSEPORT:
		*value = socket->reuse_port;
		return true;
	case SO_ERROR:
		*value = take_error(socket);
		return true;
	case SO_TYPE:
		*value = socket->stream ? SOCK_STREAM : SOCK_DGRAM;
		return true;
	case SO_DOMAIN:
		*value = socket->v6 ? AF_INET6 : AF_INET;
		return true;
	case SO_PROTOCOL:
		*value = socket->stream ? IPPROTO_TCP : IPPROTO_UDP;
		return true;
	case SO_ACCEPTCONN:
		*value = socket->stream && hv_stream_of(socket)->listener;
		return true;
	case SO_OOBINLINE:
		*value =
			1; /* urgent data stays where it is in the stream (RFC 6093 section 6) */
		return socket->stream;
	default:
		return false;
	}
}

/* 0, an error, or 1: not such an option. */
static int own_set(struct haven_socket *socket, int level, int option, int value)
{
	if (level == SOL_HAVEN) {
		if (option != HAVEN_SO_TRANSPARENT)
			return -ENOPROTOOPT;
		socket->transparent = value;
		return 0;
	}
	if (level == IPPROTO_IPV6 && option == IPV6_V6ONLY && socket->v6) {
		if (hv_socket_bind(socket)->slot || socket->address_only)
			return -EINVAL;
		socket->v6_only = value;
		return 0;
	}
	if (level == IPPROTO_IP && option == IP_BIND_ADDRESS_NO_PORT) {
		socket->no_port = value;
		return 0;
	}
	if (level != SOL_SOCKET)
		return 1;
	switch (option) {
	case SO_REUSEADDR:
		/* What is bound already keeps what it was bound with. */
		socket->reuse_addr = value;
		return 0;
	case SO_REUSEPORT:
		socket->reuse_port = value;
		return 0;
	case SO_OOBINLINE:
		if (!socket->stream)
			return 1;
		return value ? 0 : -EINVAL;
	case SO_ERROR:
	case SO_TYPE:
	case SO_DOMAIN:
	case SO_PROTOCOL:
	case SO_ACCEPTCONN:
		return -ENOPROTOOPT; /* read only */
	default:
		return 1;
	}
}

static int linger_set(struct haven_socket *socket, const void *value, socklen_t length)
{
	struct linger linger;

	if (length < (socklen_t)sizeof(linger))
		return -EINVAL;
	memcpy(&linger, value, sizeof(linger));
	if (linger.l_onoff && linger.l_linger < 0)
		return -EINVAL;
	socket->linger_seconds = linger.l_onoff ? linger.l_linger : HV_LINGER_OFF;
	return 0;
}

static void value_out(const void *from, socklen_t size, void *value, socklen_t *length)
{
	if (*length > size)
		*length = size;
	memcpy(value, from, *length);
}

enum { CONGESTION_NAME_SIZE = 16 }; /* Linux's TCP_CA_NAME_MAX: 15 characters and the end */

/* A name, with or without an end: what is beyond 15 characters is cut, as Linux does. */
static int congestion_set(struct haven_socket *socket, const void *value, socklen_t length)
{
	char name[CONGESTION_NAME_SIZE] = {0};
	int number;

	if (!value || (int)length < 1)
		return -EINVAL;
	memcpy(name, value, length < sizeof(name) ? length : sizeof(name) - 1);
	number = hv_tcp_congestion_number(name);
	return number < 0 ? number : stream_set(socket, IPPROTO_TCP, TCP_CONGESTION, number);
}

/* Always 16 bytes long, unless the caller has room for less. */
static int congestion_get(const struct haven_socket *socket, void *value, socklen_t *length)
{
	const struct option *o = option_find(socket, IPPROTO_TCP, TCP_CONGESTION);
	char name[CONGESTION_NAME_SIZE] = {0};
	int number, error = stream_get(socket, o, &number);
	const char *from;

	if (error < 0)
		return error;
	from = hv_tcp_congestion_name(number);
	memcpy(name, from, strlen(from) + 1); /* at most 15 characters */
	value_out(name, sizeof(name), value, length);
	return 0;
}

static bool is_congestion(const struct haven_socket *socket, int level, int option)
{
	return socket->stream && level == IPPROTO_TCP && option == TCP_CONGESTION;
}

/* --- calls ------------------------------------------------------------------------------------ */

int haven_setsockopt(struct haven_socket *socket, int level, int option, const void *value,
		     socklen_t length)
{
	const struct option *o;
	int number, error;

	if (level == SOL_SOCKET && option == SO_LINGER)
		return linger_set(socket, value, length);
	if (is_congestion(socket, level, option))
		return congestion_set(socket, value, length);
	error = hv_group_option_set(socket, level, option, value, length);
	if (error <= 0)
		return error;
	if (!value || length < (socklen_t)sizeof(number))
		return -EINVAL;
	memcpy(&number, value, sizeof(number));
	error = own_set(socket, level, option, number);
	if (error <= 0)
		return error;
	same_option(&level, &option);
	o = option_find(socket, level, option);
	if (!o)
		return -ENOPROTOOPT;
	/* -1 is "the stack's own" for a hop limit (RFC 3493 section 5.1). */
	if (level == IPPROTO_IP && option == IP_TTL && number == -1)
		number = socket->sockets->hop_limit;
	if (number < o->min || number > o->max)
		return -EINVAL;
	return socket->stream ? stream_set(socket, level, option, number)
			      : datagram_set(socket, level, option, number);
}

int haven_getsockopt(struct haven_socket *socket, int level, int option, void *value,
		     socklen_t *length)
{
	const struct option *o;
	int number = 0, error = 0;

	if (!value || !length || (int)*length < 0)
		return -EINVAL;
	if (level == SOL_SOCKET && option == SO_LINGER) {
		bool on = socket->linger_seconds != HV_LINGER_OFF;
		struct linger linger = {on, on ? socket->linger_seconds : 0};

		value_out(&linger, sizeof(linger), value, length);
		return 0;
	}
	if (is_congestion(socket, level, option))
		return congestion_get(socket, value, length);
	if (hv_info_option_get(socket, level, option, value, length))
		return 0;
	if (!own_get(socket, level, option, &number) &&
	    !hv_group_option_get(socket, level, option, &number)) {
		same_option(&level, &option);
		o = option_find(socket, level, option);
		if (!o)
			return -ENOPROTOOPT;
		if (socket->stream)
			error = stream_get(socket, o, &number);
		else
			number = datagram_get(socket, level, option);
	}
	if (!error)
		value_out(&number, sizeof(number), value, length);
	return error;
}
