/*
 * A TCP echo server and its client. The client sends 100,000 bytes and says that there are no
 * more; the server sends all of it back and closes. Three things are to be learnt here:
 *
 *	- A call takes or gives what goes now. haven_send() may take 300 bytes of 1000, or say -EAGAIN:
 *	  the rest is sent when the socket is WRITABLE. Buffers are small here, so it happens often.
 *	- The server reads no more than it can pass on. Then its receive buffer fills, TCP's window
 *	  closes, and the client has to wait: a slow reader slows the sender, and nobody's memory grows.
 *	- A stream has two directions, and each ends by itself. haven_shutdown(SHUT_WR) ends ours; we go
 *	  on reading until the other one ends. Who closes with bytes unread resets the connection
 *	  (RFC 2525 section 2.17), and loses them.
 *
 *	cc stream_echo.c shared/{sockets,network}.c $(pkg-config --cflags --libs libhaven)
 */
#include <stdio.h>
#include <string.h>

#include "shared/sockets.h"

enum {
	TEXT_BYTES = 100000,
	BLOCK_BYTES = 1000, /* what the server holds of a connection */
	SOCKET_BYTES = 4000 /* what the stack holds, in each direction */
};

/* Set on a listener, it holds for the connections that come of it. */
static void small_buffers(struct haven_socket *socket)
{
	socket_set(socket, SOL_SOCKET, SO_SNDBUF, SOCKET_BYTES);
	socket_set(socket, SOL_SOCKET, SO_RCVBUF, SOCKET_BYTES);
}

/* --- the server ------------------------------------------------------------------------------ */

struct server {
	struct host host;
	struct haven_socket *listener, *connection;
	char block[BLOCK_BYTES];
	size_t size, sent; /* of the block: received, and of that sent back */
	bool peer_ended;
};

/* Send what is left of the block. False: the rest has to wait for WRITABLE. */
static bool server_flush(struct server *server)
{
	while (server->sent < server->size) {
		ssize_t sent = haven_send(server->connection, server->block + server->sent,
					  server->size - server->sent, 0);

		if (sent == -EAGAIN)
			return false;
		server->sent += (size_t)check(sent, "the server's haven_send");
	}
	return true;
}

/* A block out, a block in, until one of them has to wait. */
static void server_work(struct server *server)
{
	while (server_flush(server)) {
		ssize_t size;

		if (server->peer_ended) {
			/* All is sent, if not arrived yet: the stack sees to that, then to the FIN. */
			host_say(&server->host, "has sent all, and closes");
			haven_close(server->connection);
			server->connection = NULL;
			return;
		}
		size = haven_recv(server->connection, server->block, BLOCK_BYTES, 0);
		if (size == -EAGAIN)
			return; /* READABLE comes */
		server->size = (size_t)check(size, "the server's haven_recv");
		server->sent = 0;
		server->peer_ended = size == 0;
		if (server->peer_ended)
			host_say(&server->host, "the client sends no more");
	}
}

static void server_event(struct host *host, struct haven_socket *socket, unsigned events)
{
	struct server *server = host->user;
	struct sockaddr_storage peer;
	socklen_t length = sizeof(peer);
	char text[ADDRESS_TEXT];

	expect(!(events & HAVEN_EVENT_ERROR), "the server's connection goes well");
	if (socket == server->connection) {
		server_work(server);
	} else if (!server->connection) {
		check(haven_accept(socket, (struct sockaddr *)&peer, &length,
				   &server->connection),
		      "haven_accept");
		host_say(host, "accepts %s", address_text(&peer, text));
	}
}

/* --- the client ------------------------------------------------------------------------------ */

struct client {
	struct host host;
	struct haven_socket *connection;
	size_t sent, received;
	char text[TEXT_BYTES], echo[TEXT_BYTES + 1];
	unsigned parts, waits; /* sends that took a part, and none */
	bool ended, done;      /* our direction, both */
};

static void client_send(struct client *client)
{
	while (client->sent < TEXT_BYTES) {
		size_t left = TEXT_BYTES - client->sent;
		ssize_t sent =
			haven_send(client->connection, client->text + client->sent, left, 0);

		client->waits += sent == -EAGAIN;
		if (sent == -EAGAIN)
			return;
		client->parts += (size_t)check(sent, "the client's haven_send") < left;
		client->sent += (size_t)sent;
	}
	if (client->ended)
		return;
	client->ended = true;
	check(haven_shutdown(client->connection, SHUT_WR), "haven_shutdown");
	host_say(&client->host, "has sent all, and got %zu bytes back", client->received);
}

static void client_receive(struct client *client)
{
	while (!client->done) {
		ssize_t size = haven_recv(client->connection, client->echo + client->received,
					  sizeof(client->echo) - client->received, 0);

		if (size == -EAGAIN)
			return;
		client->done = check(size, "the client's haven_recv") == 0;
		client->received += (size_t)size;
	}
}

/* Both directions at each event: who only sends, to one who sends back, waits for ever. */
static void client_event(struct host *host, struct haven_socket *socket, unsigned events)
{
	struct client *client = host->user;

	expect(socket == client->connection && !(events & HAVEN_EVENT_ERROR),
	       "the client's connection goes well");
	client_send(client);
	client_receive(client);
}

int main(void)
{
	static struct server server;
	static struct client client;
	struct network net;
	struct haven_stats stats;

	network_init(&net, 1);
	host_init(&server.host, &net, "server", server_event, &server);
	host_init(&client.host, &net, "client", client_event, &client);
	host_wire(&server.host, &client.host, "delay=5ms");
	for (size_t i = 0; i < TEXT_BYTES; i++)
		client.text[i] = (char)random_next(&net.seed);

	server.listener = host_listen(&server.host, ":echo");
	client.connection = host_connect(&client.host, "10.0.0.1:echo");
	small_buffers(server.listener);
	small_buffers(client.connection);
	while (!client.done && network_step(&net))
		;
	expect(client.done && client.received == TEXT_BYTES &&
		       !memcmp(client.text, client.echo, TEXT_BYTES),
	       "every byte comes back as it was");
	host_say(&client.host, "has all %zu bytes back, and closes", client.received);
	haven_close(client.connection);
	network_run(&net, SECOND);

	host_say(&client.host, "%u sends took a part, %u had to wait", client.parts,
		 client.waits);
	expect(client.parts > 0 && client.waits > 0, "buffers were full");
	/* Who closes first keeps the name of the connection for a while: nothing old is taken for new. */
	haven_stack_stats(client.host.stack, &stats);
	host_say(&client.host, "%d connection in TIME-WAIT", (int)stats.time_wait);
	expect(stats.time_wait == 1 && stats.connections == 0, "the client closed first");
	haven_stack_stats(server.host.stack, &stats);
	expect(stats.time_wait == 0 && stats.connections == 0, "the server keeps nothing");
	network_finish(&net);
	return 0;
}
