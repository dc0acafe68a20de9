/*
 * Options that are read only and larger than an int: what a socket tells about itself, in Linux's
 * layout. A caller that knows fewer fields gives a shorter buffer and gets what fits.
 */
#include "socket/socket_state.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#ifndef SO_MEMINFO
#define SO_MEMINFO 55
#endif
#ifndef TCP_CC_INFO
#define TCP_CC_INFO 26
#endif

static void stream_info(const struct hv_stream *stream, void *value, socklen_t *length)
{
	*length = (socklen_t)(stream->conn
				      ? hv_tcp_info(stream->conn, value, *length)
				      : hv_tcp_listener_info(stream->listener, value, *length));
}

static void memory_info(const struct haven_socket *socket, void *value, socklen_t *length)
{
	uint32_t values[HV_TCP_MEMORY_VALUES] = {0};

	if (!socket->stream) {
		const struct hv_udp_socket *udp = &hv_datagram_of(socket)->udp;

		values[0] = (uint32_t)udp->receive_bytes;
		values[1] = values[3] = udp->receive_limit;
	} else if (hv_stream_of(socket)->conn) {
		hv_tcp_memory(hv_stream_of(socket)->conn, values);
	} else {
		values[1] = socket->sockets->tcp->config.receive_buffer_bytes;
		values[3] = socket->sockets->tcp->config.send_buffer_bytes;
	}
	if (*length > sizeof(values))
		*length = sizeof(values);
	memcpy(value, values, *length);
}

bool hv_info_option_get(const struct haven_socket *socket, int level, int option, void *value,
			socklen_t *length)
{
	if (level == SOL_SOCKET && option == SO_MEMINFO) {
		memory_info(socket, value, length);
		return true;
	}
	if (level != IPPROTO_TCP || !socket->stream)
		return false;
	switch (option) {
	case TCP_INFO:
		stream_info(hv_stream_of(socket), value, length);
		return true;
	case TCP_CC_INFO:
		*length = 0; /* as Linux: the algorithms here have nothing more to tell */
		return true;
	default:
		return false;
	}
}
