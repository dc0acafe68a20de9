/*
 * libhaven in one file: two complete TCP/IP hosts in one process, joined by a wire in memory. One
 * listens, the other connects, they exchange a line each, and every step is printed.
 *
 *	cc two_stacks.c $(pkg-config --cflags --libs libhaven)
 *
 * A stack has no thread and no clock. The program hands in time, asks each stack to read what came
 * in (haven_input), to send and to fire what is due (haven_poll), and takes from haven_next_ready() the sockets
 * on which something happened. A program with real links does the same from its event loop:
 * haven_input() when the link's descriptor is readable, haven_poll() at haven_next_deadline().
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haven/link.h>
#include <haven/service.h>
#include <haven/socket.h>
#include <haven/stack.h>

struct host {
	const char *name;
	struct haven_stack *stack;
	unsigned ifindex; /* of its one link */
	struct haven_socket *listener, *connection;
};

struct network {
	struct host server, client;
	uint64_t now_ns;
	bool asked, done;
};

static void check(int error, const char *what)
{
	if (error < 0 && error != -EINPROGRESS) {
		fprintf(stderr, "%s: %s\n", what, haven_strerror(error));
		exit(1);
	}
}

/* "10.0.0.1:http", "10.0.0.1:0", ":8080": ports may be names of services. */
static socklen_t address(const char *text, struct sockaddr_storage *out)
{
	socklen_t length = 0;

	check(haven_sockaddr_parse(NULL, text, HAVEN_SERVICE_TCP, out, &length), text);
	return length;
}

/* --- setting up --------------------------------------------------------------------------- */

static void host_init(struct host *host, const char *name)
{
	struct haven_stack_config config;

	haven_stack_config_init(&config);
	config.privileged_port_limit = 0; /* any port may be bound: this network is ours */
	host->name = name;
	check(haven_stack_create(&config, &host->stack), "haven_stack_create");
}

static void host_plug(struct host *host, struct haven_link *link, const char *ip)
{
	struct sockaddr_storage own;
	char text[INET_ADDRSTRLEN];

	address(ip, &own);
	/* The stack owns the link from here on. */
	check(haven_stack_attach(host->stack, link, &host->ifindex), "haven_stack_attach");
	check(haven_address_add(host->stack, host->ifindex, (struct sockaddr *)&own, 24),
	      "haven_address_add");
	printf("%s: up, address %s/24\n", host->name,
	       inet_ntop(AF_INET, &((struct sockaddr_in *)&own)->sin_addr, text, sizeof(text)));
}

static void server_listen(struct host *host, const char *at)
{
	struct sockaddr_storage any;
	socklen_t length = address(at, &any);

	check(haven_socket(host->stack, AF_INET, SOCK_STREAM, 0, &host->listener),
	      "haven_socket");
	check(haven_bind(host->listener, (struct sockaddr *)&any, length), "haven_bind");
	check(haven_listen(host->listener, 8), "haven_listen");
	printf("%s: listens at %s\n", host->name, at);
}

static void client_connect(struct host *host, const char *to)
{
	struct sockaddr_storage peer;
	struct sockaddr_in own;
	socklen_t peer_length = address(to, &peer), length = sizeof(own);

	check(haven_socket(host->stack, AF_INET, SOCK_STREAM, 0, &host->connection),
	      "haven_socket");
	/* Nothing blocks: this says -EINPROGRESS, and readiness tells the rest. */
	check(haven_connect(host->connection, (struct sockaddr *)&peer, peer_length),
	      "haven_connect");
	haven_getsockname(host->connection, (struct sockaddr *)&own, &length);
	printf("%s: connects to %s, from ephemeral port %u\n", host->name, to,
	       ntohs(own.sin_port));
}

/* --- what happens on sockets ---------------------------------------------------------------- */

/* Returns whether a line came. */
static bool read_line(struct host *host)
{
	char line[128];
	ssize_t size = haven_recv(host->connection, line, sizeof(line) - 1, 0);

	if (size <= 0)
		return false;
	line[size] = '\0';
	printf("%s: received \"%s\"\n", host->name, line);
	return true;
}

static void server_event(struct host *host, struct haven_socket *socket)
{
	static const char answer[] = "hello, client";
	struct sockaddr_in peer;
	socklen_t length = sizeof(peer);
	char text[INET_ADDRSTRLEN];

	if (socket == host->listener) {
		if (haven_accept(socket, (struct sockaddr *)&peer, &length,
				 &host->connection) == 0)
			printf("%s: accepted a connection from %s port %u\n", host->name,
			       inet_ntop(AF_INET, &peer.sin_addr, text, sizeof(text)),
			       ntohs(peer.sin_port));
		return;
	}
	if (!read_line(host))
		return;
	check((int)haven_send(socket, answer, strlen(answer), 0), "haven_send");
	printf("%s: answers, and closes\n", host->name);
	/* What was sent is still delivered, then FIN. */
	haven_close(socket);
	host->connection = NULL;
}

static void client_event(struct network *net, struct haven_socket *socket, unsigned events)
{
	static const char question[] = "hello, server";
	struct host *host = &net->client;

	if (events & HAVEN_EVENT_ERROR) {
		printf("%s: the connection failed\n", host->name);
		net->done = true;
		return;
	}
	if (read_line(host))
		printf("%s: round trip time %.1f ms, smoothed; ARP was part of the first\n",
		       host->name, (double)haven_socket_rtt_ns(socket) / 1e6);
	else if (events & HAVEN_EVENT_PEER_CLOSED)
		net->done = true;
	else if ((events & HAVEN_EVENT_CONNECTED) && !net->asked) {
		net->asked = true; /* events are what holds now, not what is new */
		printf("%s: connected, says \"%s\"\n", host->name, question);
		check((int)haven_send(socket, question, strlen(question), 0), "haven_send");
	}
	if (haven_socket_events(socket) & HAVEN_EVENT_PEER_CLOSED)
		net->done = true;
}

/* --- the loop ------------------------------------------------------------------------------- */

static void turn(struct network *net, struct host *host)
{
	struct haven_socket *socket;
	unsigned events;

	haven_input(host->stack, host->ifindex, 64, net->now_ns);
	haven_poll(host->stack, net->now_ns);
	while ((socket = haven_next_ready(host->stack, &events))) {
		if (host == &net->server)
			server_event(host, socket);
		else
			client_event(net, socket, events);
	}
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool print_port(void *user, const struct haven_port_info *info)
{
	const struct sockaddr_in *local = (const struct sockaddr_in *)&info->local;

	printf("%s:   port %-5u %s\n", ((struct host *)user)->name, ntohs(local->sin_port),
	       info->state);
	return true;
}

int main(void)
{
	struct network net = {0};
	struct haven_link *left, *right;
	struct haven_link_config config;
	struct haven_fault slow = {.delay_ns = 10000000}; /* 10 ms each way */

	host_init(&net.server, "server");
	host_init(&net.client, "client");
	haven_link_config_init(&config);
	check(haven_link_pair(net.server.stack, net.client.stack, &config, 0, &left, &right),
	      "haven_link_pair");
	check(haven_link_fault(net.server.stack, left, &slow, &slow, &left),
	      "haven_link_fault");
	host_plug(&net.server, left, "10.0.0.1:0");
	host_plug(&net.client, right, "10.0.0.2:0");
	server_listen(&net.server, ":http");
	client_connect(&net.client, "10.0.0.1:http");

	while (!net.done) {
		uint64_t next;

		turn(&net, &net.server);
		turn(&net, &net.client);
		/* Time is ours: as long as anything is to be done it is now; then it leaps. */
		next = earlier(haven_next_deadline(net.server.stack),
			       haven_next_deadline(net.client.stack));
		if (next == UINT64_MAX)
			break;
		if (next > net.now_ns)
			net.now_ns = next;
	}
	printf("it took %.1f ms of the stacks' time\n", (double)net.now_ns / 1e6);

	printf("the port tables at the end:\n");
	haven_ports_each(net.server.stack, print_port, &net.server);
	haven_ports_each(net.client.stack, print_port, &net.client);
	haven_stack_destroy(net.server.stack);
	haven_stack_destroy(net.client.stack);
	return 0;
}
