/*
 * Addresses and sockets from text: "10.0.0.1:http", ":53" (all of IPv4), "[fd00::1]:7", "[::]:0".
 */
#ifndef EXAMPLES_SOCKETS_H
#define EXAMPLES_SOCKETS_H

#include "network.h"

struct address {
	struct sockaddr_storage storage;
	socklen_t length;
};
struct address address_of(const char *text);
const struct sockaddr *address_pointer(const struct address *address);
#define ADDRESS_TEXT 64
const char *address_text(const struct sockaddr_storage *address, char text[ADDRESS_TEXT]);

struct haven_socket *host_listen(struct host *host, const char *at);
struct haven_socket *host_connect(struct host *host, const char *to);
/* A datagram socket, bound to an address (":0": any port), or to any and connected to one. */
struct haven_socket *host_datagram(struct host *host, const char *at);
struct haven_socket *host_datagram_to(struct host *host, const char *to);
/* Set an option that is an int. */
void socket_set(struct haven_socket *socket, int level, int option, int value);
/* A datagram with its other end, as haven_sendto() and haven_recvfrom(); sending must go well. */
void socket_send_to(struct haven_socket *socket, const void *data, size_t size,
		    const struct address *to);
ssize_t socket_receive_from(struct haven_socket *socket, void *data, size_t size,
			    struct address *from);

#endif
