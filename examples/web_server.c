/*
 * A small static web server (HTTP/1.1, RFC 9112) on ordinary POSIX sockets. It knows nothing of
 * haven; run it in a network of its own with
 *
 *	haven run -p 8080:80 -- web_server 80
 *
 * It answers GET and HEAD of "/" with one page that says who asked, keeps connections open as
 * the client wishes, and serves any number of them from one thread by epoll.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	REQUEST_MAX = 8192, /* bytes of a request with its header fields */
	ANSWER_MAX = 2048,
	EVENTS = 64,
};

struct client {
	struct client *next, **prev; /* in server.clients */
	int fd;
	bool close_after; /* when the answer is out */
	char who[INET6_ADDRSTRLEN + 16];
	size_t request_size;
	size_t answer_size, answer_sent;
	char request[REQUEST_MAX + 1];
	char answer[ANSWER_MAX];
};

struct server {
	int epoll, listener;
	struct client *clients;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* --- answers ------------------------------------------------------------------------------ */

static void answer(struct client *client, const char *status, const char *type,
		   const char *body, bool head)
{
	client->answer_sent = 0;
	client->answer_size = (size_t)snprintf(client->answer, sizeof(client->answer),
					       "HTTP/1.1 %s\r\n"
					       "Content-Type: %s; charset=utf-8\r\n"
					       "Content-Length: %zu\r\n"
					       "Connection: %s\r\n"
					       "\r\n"
					       "%s",
					       status, type, strlen(body),
					       client->close_after ? "close" : "keep-alive",
					       head ? "" : body);
}

static void answer_page(struct client *client, bool head)
{
	char body[1024];

	snprintf(body, sizeof(body),
		 "<!doctype html>\n"
		 "<title>A network of its own</title>\n"
		 "<h1>It works</h1>\n"
		 "<p>This page comes from a server in a network of its own,\n"
		 "through a TCP of its own. You asked from %s.</p>\n",
		 client->who);
	answer(client, "200 OK", "text/html", body, head);
}

/* The value of a header field, or NULL. Ends where the line ends. */
static const char *field(const char *request, const char *name)
{
	size_t size = strlen(name);

	for (const char *line = strchr(request, '\n'); line; line = strchr(line, '\n')) {
		line++;
		if (!strncasecmp(line, name, size) && line[size] == ':')
			return line + size + 1 + strspn(line + size + 1, " \t");
	}
	return NULL;
}

/* A whole request, ended with '\0'. */
static void answer_request(struct client *client, const char *request)
{
	char method[16], path[1024], minor[2]; /* of HTTP/1.1 or 1.0 */
	const char *connection;
	bool head;

	if (sscanf(request, "%15s %1023s HTTP/1.%1[0-9]", method, path, minor) != 3) {
		client->close_after = true;
		answer(client, "400 Bad Request", "text/plain", "What is that?\n", false);
		return;
	}
	connection = field(request, "Connection");
	client->close_after = minor[0] == '0';
	if (connection && !strncasecmp(connection, "close", 5))
		client->close_after = true;
	else if (connection && !strncasecmp(connection, "keep-alive", 10))
		client->close_after = false;
	/* A body would be taken for the next request. */
	if (field(request, "Content-Length") || field(request, "Transfer-Encoding"))
		client->close_after = true;
	head = !strcmp(method, "HEAD");
	if (!head && strcmp(method, "GET") != 0)
		answer(client, "405 Method Not Allowed", "text/plain", "GET and HEAD only.\n",
		       false);
	else if (strcmp(path, "/") != 0)
		answer(client, "404 Not Found", "text/plain", "There is one page: /\n", head);
	else
		answer_page(client, head);
}

/* Take the first whole request out of the buffer and answer it. Returns whether there was one. */
static bool next_request(struct client *client)
{
	char *end;
	size_t size;

	client->request[client->request_size] = '\0';
	end = strstr(client->request, "\r\n\r\n");
	if (!end) {
		if (client->request_size < REQUEST_MAX)
			return false;
		client->close_after = true;
		answer(client, "431 Request Header Fields Too Large", "text/plain",
		       "Too long.\n", false);
		return true;
	}
	size = (size_t)(end - client->request) + 4;
	end[2] = '\0';
	answer_request(client, client->request);
	memmove(client->request, client->request + size, client->request_size - size);
	client->request_size -= size;
	return true;
}

/* --- connections -------------------------------------------------------------------------- */

static void client_end(struct client *client)
{
	*client->prev = client->next;
	if (client->next)
		client->next->prev = client->prev;
	close(client->fd);
	free(client);
}

static void client_new(struct server *server, int fd, const struct sockaddr *peer,
		       socklen_t length)
{
	struct client *client = calloc(1, sizeof(*client));
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
	char host[INET6_ADDRSTRLEN], port[8];

	if (!client) {
		close(fd);
		return;
	}
	client->fd = fd;
	client->prev = &server->clients;
	client->next = server->clients;
	if (client->next)
		client->next->prev = &client->next;
	server->clients = client;
	if (getnameinfo(peer, length, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		snprintf(client->who, sizeof(client->who), "%s port %s",
			 strncmp(host, "::ffff:", 7) ? host : host + 7, port);
	if (epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		client_end(client);
}

/* Send what is left of the answer. Returns 1 when all is out, 0 later, -1 never. */
static int client_flush(struct client *client)
{
	while (client->answer_sent < client->answer_size) {
		ssize_t sent = send(client->fd, client->answer + client->answer_sent,
				    client->answer_size - client->answer_sent, MSG_NOSIGNAL);

		if (sent < 0 && errno == EAGAIN)
			return 0;
		if (sent < 0)
			return -1;
		client->answer_sent += (size_t)sent;
	}
	return 1;
}

/* Read, answer, write, as far as it goes now. Returns whether the connection goes on. */
static bool client_work(const struct server *server, struct client *client)
{
	struct epoll_event event = {.data.ptr = client};
	ssize_t size;
	int flushed = client_flush(client);

	while (flushed > 0 && !client->close_after) {
		if (next_request(client)) {
			flushed = client_flush(client);
			continue;
		}
		size = recv(client->fd, client->request + client->request_size,
			    REQUEST_MAX - client->request_size, 0);
		if (size < 0 && errno == EAGAIN)
			break;
		if (size <= 0)
			return false;
		client->request_size += (size_t)size;
	}
	if (flushed < 0 || (flushed > 0 && client->close_after))
		return false;
	event.events = flushed ? EPOLLIN : EPOLLOUT;
	return epoll_ctl(server->epoll, EPOLL_CTL_MOD, client->fd, &event) == 0;
}

/* --- the listener ------------------------------------------------------------------------- */

static int listen_on(uint16_t port)
{
	struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	int on = 1, off = 0, family = AF_INET6;
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		/* A host without IPv6. */
		family = AF_INET;
		fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	}
	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, family == AF_INET6 ? (struct sockaddr *)&any6 : (struct sockaddr *)&any4,
		 family == AF_INET6 ? sizeof(any6) : sizeof(any4)) < 0)
		die("bind");
	if (listen(fd, SOMAXCONN) < 0)
		die("listen");
	return fd;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in6 name = {0};
	socklen_t length = sizeof(name);

	if (getsockname(fd, (struct sockaddr *)&name, &length) < 0)
		die("getsockname");
	return ntohs(name.sin6_port); /* at the same place in a sockaddr_in */
}

static void accept_all(struct server *server)
{
	for (;;) {
		struct sockaddr_storage peer;
		socklen_t length = sizeof(peer);
		int fd = accept4(server->listener, (struct sockaddr *)&peer, &length,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		client_new(server, fd, (struct sockaddr *)&peer, length);
	}
}

int main(int argc, char **argv)
{
	long port = argc > 1 ? strtol(argv[1], NULL, 10) : 8000;
	struct epoll_event events[EVENTS], event = {.events = EPOLLIN, .data.ptr = NULL};
	struct server server = {0};

	if (argc > 2 || port < 0 || port > 65535) {
		fprintf(stderr, "usage: web_server [PORT]\n");
		return 2;
	}
	server.listener = listen_on((uint16_t)port);
	server.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (server.epoll < 0 ||
	    epoll_ctl(server.epoll, EPOLL_CTL_ADD, server.listener, &event) < 0)
		die("epoll");
	printf("listening on port %u\n", port_of(server.listener));
	fflush(stdout);
	for (;;) {
		int count = epoll_wait(server.epoll, events, EVENTS, -1);

		if (count < 0 && errno != EINTR)
			die("epoll_wait");
		for (int i = 0; i < count; i++) {
			struct client *client = events[i].data.ptr;

			if (!client)
				accept_all(&server);
			else if (!client_work(&server, client))
				client_end(client);
		}
	}
}
