/* Addresses and sockets from text: see sockets.h. */
#include "sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include <haven/service.h>

struct address address_of(const char *text)
{
	struct address address;

	check(haven_sockaddr_parse(NULL, text, 0, &address.storage, &address.length), text);
	return address;
}

const struct sockaddr *address_pointer(const struct address *address)
{
	return (const struct sockaddr *)&address->storage;
}

const char *address_text(const struct sockaddr_storage *address, char text[ADDRESS_TEXT])
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
	char ip[INET6_ADDRSTRLEN];

	if (address->ss_family == AF_INET6)
		snprintf(text, ADDRESS_TEXT, "[%s]:%u",
			 inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof(ip)),
			 ntohs(in6->sin6_port));
	else
		snprintf(text, ADDRESS_TEXT, "%s:%u",
			 inet_ntop(AF_INET, &in->sin_addr, ip, sizeof(ip)),
			 ntohs(in->sin_port));
	return text;
}

/* A socket of that type and of the address's family, bound to it or connected to it. */
static struct haven_socket *host_socket(struct host *host, int type, const char *text,
					int (*call)(struct haven_socket *socket,
						    const struct sockaddr *address,
						    socklen_t length))
{
	struct address address = address_of(text);
	struct haven_socket *socket;

	check(haven_socket(host->stack, address.storage.ss_family, type, 0, &socket),
	      "haven_socket");
	check(call(socket, address_pointer(&address), address.length), text);
	return socket;
}

struct haven_socket *host_listen(struct host *host, const char *at)
{
	struct haven_socket *socket = host_socket(host, SOCK_STREAM, at, haven_bind);

	check(haven_listen(socket, 64), at);
	return socket;
}

struct haven_socket *host_connect(struct host *host, const char *to)
{
	return host_socket(host, SOCK_STREAM, to, haven_connect);
}

struct haven_socket *host_datagram(struct host *host, const char *at)
{
	return host_socket(host, SOCK_DGRAM, at, haven_bind);
}

struct haven_socket *host_datagram_to(struct host *host, const char *to)
{
	return host_socket(host, SOCK_DGRAM, to, haven_connect);
}

void socket_set(struct haven_socket *socket, int level, int option, int value)
{
	check(haven_setsockopt(socket, level, option, &value, sizeof(value)),
	      "haven_setsockopt");
}

void socket_send_to(struct haven_socket *socket, const void *data, size_t size,
		    const struct address *to)
{
	check(haven_sendto(socket, data, size, 0, address_pointer(to), to->length),
	      "haven_sendto");
}

ssize_t socket_receive_from(struct haven_socket *socket, void *data, size_t size,
			    struct address *from)
{
	from->length = sizeof(from->storage);
	return haven_recvfrom(socket, data, size, 0, (struct sockaddr *)&from->storage,
			      &from->length);
}
