/*
 * UDP: what a datagram is, and what becomes of one that nobody wants.
 *
 *	- One send is one datagram is one receive, whatever its size, 0 included; two never melt into one.
 *	- A buffer that is too small gets the beginning, and the rest is gone. MSG_TRUNC tells the size.
 *	- One that is larger than the path's MTU travels in fragments, and arrives as one.
 *	- One socket of IPv6 serves IPv4 as well: such peers are ::ffff:10.0.0.2.
 *	- To a closed port, the other host says so by ICMP. A socket that is connected to that peer hears
 *	  it as ECONNREFUSED; one that is not cannot, for it speaks with everybody.
 *
 * The client here is written straight on: it waits for each answer by network_wait(), which runs the network
 * meanwhile, server and all. No thread is blocked, as there is only one.
 *
 *	cc datagram_echo.c shared/{sockets,network}.c $(pkg-config --cflags --libs libhaven)
 */
#include <netinet/in.h>
#include <string.h>

#include "shared/sockets.h"

enum { DATAGRAM_MAX = 65507 }; /* 65535 less the headers of IPv4 and UDP */

/* --- the server ------------------------------------------------------------------------------ */

/* Events tell what holds now: all that waits is to be read before the next one comes. */
static void server_event(struct host *host, struct haven_socket *socket, unsigned events)
{
	static char data[DATAGRAM_MAX];
	char text[ADDRESS_TEXT];

	(void)events;
	for (;;) {
		struct address peer = {.length = sizeof(peer.storage)};
		ssize_t size = haven_recvfrom(socket, data, sizeof(data), 0,
					      (struct sockaddr *)&peer.storage, &peer.length);

		if (size == -EAGAIN)
			return;
		check(size, "haven_recvfrom");
		host_say(host, "%zd bytes from %s", size, address_text(&peer.storage, text));
		check(haven_sendto(socket, data, (size_t)size, 0, address_pointer(&peer),
				   peer.length),
		      "haven_sendto");
	}
}

/* --- the client ------------------------------------------------------------------------------ */

static void send_to(struct haven_socket *socket, const char *to, const void *data, size_t size)
{
	struct address address = address_of(to);

	check(haven_sendto(socket, data, size, 0, address_pointer(&address), address.length),
	      "haven_sendto");
}

/* The next datagram; fails when none comes. Returns what haven_recv() does. */
static ssize_t receive(struct host *host, struct haven_socket *socket, void *data, size_t size,
		       int flags)
{
	expect(network_wait(host->net, socket, HAVEN_EVENT_READABLE), "an answer comes");
	return haven_recv(socket, data, size, flags);
}

/* Several are under way at once, and each comes back by itself. */
static void show_boundaries(struct host *host, const char *server)
{
	static const char *const words[] = {"one", "", "three, which is the longest"};
	struct haven_socket *socket = host_datagram(host, server[0] == '[' ? "[::]:0" : ":0");
	char buffer[100];

	for (size_t i = 0; i < 3; i++)
		send_to(socket, server, words[i], strlen(words[i]));
	for (size_t i = 0; i < 3; i++) {
		ssize_t size = receive(host, socket, buffer, sizeof(buffer), 0);

		expect(size == (ssize_t)strlen(words[i]) &&
			       !memcmp(buffer, words[i], (size_t)size),
		       "a datagram comes back as it went");
		host_say(host, "\"%.*s\" came back from %s", (int)size, buffer, server);
	}
	expect(haven_recv(socket, buffer, sizeof(buffer), 0) == -EAGAIN, "that was all");
	haven_close(socket);
}

static void show_truncation(struct host *host)
{
	struct haven_socket *socket = host_datagram(host, ":0");
	char buffer[4];
	ssize_t size;

	send_to(socket, "10.0.0.1:echo", "too long", 8);
	send_to(socket, "10.0.0.1:echo", "next", 4);
	/* With MSG_PEEK it stays for the next call. */
	size = receive(host, socket, buffer, sizeof(buffer), MSG_PEEK | MSG_TRUNC);
	host_say(host, "a datagram of %zd bytes waits for a buffer of 4", size);
	expect(size == 8, "MSG_TRUNC tells the real size");
	expect(receive(host, socket, buffer, sizeof(buffer), 0) == 4 &&
		       !memcmp(buffer, "too ", 4),
	       "the buffer gets the beginning");
	expect(receive(host, socket, buffer, sizeof(buffer), 0) == 4 &&
		       !memcmp(buffer, "next", 4),
	       "the rest is gone");
	haven_close(socket);
}

static void show_sizes(struct host *host)
{
	static char data[DATAGRAM_MAX + 1], back[DATAGRAM_MAX + 1];
	struct haven_socket *socket = host_datagram(host, ":0");
	struct address server = address_of("10.0.0.1:echo");
	struct haven_stats before, after;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)random_next(&host->random);
	haven_stack_stats(host->stack, &before);
	send_to(socket, "10.0.0.1:echo", data, DATAGRAM_MAX);
	expect(receive(host, socket, back, sizeof(back), 0) == DATAGRAM_MAX &&
		       !memcmp(data, back, DATAGRAM_MAX),
	       "the largest datagram comes back");
	haven_stack_stats(host->stack, &after);
	host_say(host, "%d bytes came back as one datagram, in %d packets", DATAGRAM_MAX,
		 (int)(after.ip_packets_in - before.ip_packets_in));
	expect(haven_sendto(socket, data, DATAGRAM_MAX + 1, 0, address_pointer(&server),
			    server.length) == -EMSGSIZE,
	       "a larger one does not exist");
	haven_close(socket);
}

/* Nobody has port 9 ("discard"). The answer is ICMP's "port unreachable" (RFC 1122 section 4.1.3.1). */
static void show_closed_port(struct host *host, const char *closed)
{
	struct address address = address_of(closed);
	struct haven_socket *socket = host_datagram(host, closed[0] == '[' ? "[::]:0" : ":0");
	char buffer[1];
	ssize_t error;

	send_to(socket, closed, "?", 1);
	network_run(host->net, SECOND);
	expect(haven_recv(socket, buffer, 1, 0) == -EAGAIN, "an unconnected socket hears none");

	check(haven_connect(socket, address_pointer(&address), address.length), closed);
	check(haven_send(socket, "?", 1, 0), "haven_send");
	expect(network_wait(host->net, socket, HAVEN_EVENT_ERROR), "an error comes");
	error = haven_recv(socket, buffer, 1, 0);
	host_say(host, "from %s: %s", closed, haven_strerror((int)error));
	expect(error == -ECONNREFUSED, "a connected socket hears of it");
	/* The error was told; the socket goes on. */
	expect(haven_recv(socket, buffer, 1, 0) == -EAGAIN, "an error is told once");
	haven_close(socket);
}

int main(void)
{
	struct network net;
	struct host server, client;
	struct haven_socket *echo;
	struct address any = address_of("[::]:echo");

	network_init(&net, 1);
	host_init(&server, &net, "server", server_event, NULL);
	host_init(&client, &net, "client", NULL, NULL);
	host_wire(&server, &client, "delay=5ms");

	check(haven_socket(server.stack, AF_INET6, SOCK_DGRAM, 0, &echo), "haven_socket");
	socket_set(echo, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	check(haven_bind(echo, address_pointer(&any), any.length), "haven_bind");

	show_boundaries(&client, "10.0.0.1:echo");
	show_boundaries(&client, "[fd00::1]:echo");
	show_truncation(&client);
	show_sizes(&client);
	show_closed_port(&client, "10.0.0.1:9");
	show_closed_port(&client, "[fd00::1]:9");
	network_finish(&net);
	return 0;
}
