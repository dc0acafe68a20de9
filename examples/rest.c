/*
 * A REST service and its client: GET, PUT and DELETE of /notes/0 to /notes/9, as JSON, over HTTP/1.1
 * (RFC 9112). What is to be learnt is how messages stay whole on a stream:
 *
 *	- A message is taken when all of it is there (http.c); how it came must not matter. So the client says
 *	  the same things three times over one connection: one by one, all at once, and byte by byte.
 *	- The next request is looked at when the last answer is out: who asks and does not read, waits.
 *	- After a request that cannot be understood, nothing can. To close with bytes unread would reset the
 *	  connection, and may take the answer with it (RFC 9112 section 9.6): end our direction, then read on.
 *
 *	cc rest.c shared/{http,stream,sockets,network}.c $(pkg-config --cflags --libs libhaven)
 */
#include <stdio.h>
#include <string.h>

#include "shared/http.h"

enum { NOTES = 10, TEXT_BYTES = 100, BODY_BYTES = TEXT_BYTES + 20, CONNECTIONS = 4 };

/* --- the service ----------------------------------------------------------------------------- */

struct connection {
	struct stream stream; /* without socket: this place is free */
	bool last;	      /* nothing is answered any more */
};

struct service {
	struct host host;
	struct haven_socket *listener;
	struct connection connections[CONNECTIONS];
	char notes[NOTES][TEXT_BYTES + 1]; /* "": there is none */
};

/* Do what is asked. Returns the status; body: an empty string, or what is to be shown. */
static const char *service_do(struct service *service, const struct http_message *request,
			      char body[BODY_BYTES])
{
	const char *method = request->words[0], *status = "200 OK";
	char text[TEXT_BYTES + 1] = "", number[2], more, *note;
	int end = 0;

	if (request->wrong)
		return request->wrong;
	if (strncmp(request->words[2], "HTTP/1.", 7) != 0 || !request->host)
		return "400 Bad Request";
	if (sscanf(request->words[1], "/notes/%1[0-9]%c", number, &more) != 1)
		return "404 Not Found";
	note = service->notes[number[0] - '0'];
	if (!strcmp(method, "PUT")) {
		/* All JSON that is understood: one string, without escapes and what would need one. */
		sscanf(request->body, " { \"text\" : \"%100[^\"\\\1-\37]\" } %n", text, &end);
		if (!end || request->body[end])
			return "400 Bad Request";
		status = note[0] ? "200 OK" : "201 Created";
		memcpy(note, text, sizeof(text));
	} else if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0 &&
		   strcmp(method, "DELETE") != 0) {
		return "405 Method Not Allowed\r\nAllow: GET, HEAD, PUT, DELETE";
	}
	if (!note[0])
		return "404 Not Found";
	if (!strcmp(method, "DELETE")) {
		note[0] = '\0';
		return "204 No Content";
	}
	snprintf(body, BODY_BYTES, "{\"text\":\"%s\"}", note);
	return status;
}

static void connection_work(struct service *service, struct connection *connection)
{
	struct stream *stream = &connection->stream;
	struct http_message request;
	ssize_t size = 1;

	while (size > 0 && stream_flush(stream)) {
		char body[BODY_BYTES] = "";

		if (connection->last) {
			haven_shutdown(stream->socket, SHUT_WR);
			stream->in_size = 0; /* not looked at */
		} else if (http_read(stream, &request, false)) {
			const char *status = service_do(service, &request, body);

			http_answer(stream, &request, status, body);
			connection->last = request.close;
			continue;
		}
		size = stream_fill(stream);
	}
	if (size <= 0 && size != -EAGAIN) {
		haven_close(stream->socket);
		stream->socket = NULL;
	}
}

/* Without a free place the next one waits in the backlog. */
static void service_event(struct host *host, struct haven_socket *socket, unsigned events)
{
	struct service *s = host->user;

	(void)events;
	if (haven_socket_user(socket))
		connection_work(s, haven_socket_user(socket));
	for (struct connection *c = s->connections, *end = c + CONNECTIONS; c < end; c++)
		if (!c->stream.socket && !haven_accept(s->listener, NULL, NULL, &socket)) {
			*c = (struct connection){.stream.socket = socket};
			haven_socket_set_user(socket, c);
		}
}

/* --- the client ------------------------------------------------------------------------------ */

#define TO_US "HTTP/1.1\r\nHost: notes\r\n"
#define MILK  "{\"text\":\"milk\"}"
#define BREAD "{\"text\":\"bread\"}"
/* What is asked, and the status and the body of the answer. */
static const char *const talk[][3] = {
	{"GET /notes/1 " TO_US "\r\n", "404", ""},
	{"PUT /notes/1 " TO_US "Content-Length: 15\r\n\r\n" MILK, "201", MILK},
	{"PUT /notes/1 " TO_US "Content-Length: 16\r\n\r\n" BREAD, "200", BREAD},
	{"PUT /notes/1 " TO_US "Content-Length: 10\r\n\r\n{\"text\":7}", "400", ""},
	{"GET /notes/1 " TO_US "\r\n", "200", BREAD},
	{"HEAD /notes/1 " TO_US "\r\n", "200", ""},
	{"POST /notes/1 " TO_US "\r\n", "405", ""},
	{"GET /notes/1 HTTP/1.1\r\n\r\n", "400", ""}, /* for which host? Section 3.2 */
	{"DELETE /notes/1 " TO_US "\r\n", "204", ""},
	{"DELETE /notes/1 " TO_US "\r\n", "404", ""},
};
static const char *const nonsense[][3] = {
	{"hello\r\n\r\n", "400", ""},
	{"PUT /notes/1 " TO_US "Content-Length: x\r\n\r\n", "400", ""},
	{"PUT /notes/1 " TO_US "Content-Length: 1000000\r\n\r\n{", "413", ""},
	{"PUT /notes/1 " TO_US "Transfer-Encoding: chunked\r\n\r\n", "501", ""},
};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void connect_to_service(struct host *host, struct stream *stream)
{
	*stream = (struct stream){.socket = host_connect(host, "10.0.0.1:http")};
	expect(network_wait(host->net, stream->socket, HAVEN_EVENT_CONNECTED), "it is there");
}

static void ask(struct host *host, struct stream *stream, const char *request, bool slowly)
{
	size_t size = strlen(request), step = slowly ? 1 : size;

	for (size_t at = 0; at < size; at += step) {
		expect(stream_put(stream, request + at, step), "a request fits");
		network_run(host->net, slowly ? MILLISECOND : 0);
	}
}

static void hear(struct host *host, struct stream *stream, const char *const e[3], bool aloud)
{
	struct http_message answer;

	while (!http_read(stream, &answer, !strncmp(e[0], "HEAD", 4)))
		expect(stream_wait(stream, host->net) > 0, e[0]);
	expect(!strcmp(answer.words[1], e[1]) && !strcmp(answer.body, e[2]), e[0]);
	if (aloud)
		host_say(host, "%.*s: %s %s", (int)strcspn(e[0], "\r"), e[0], e[1], e[2]);
}

int main(void)
{
	static struct service service;
	static struct stream stream;
	struct network net;
	struct host client;

	network_init(&net, 1);
	host_init(&service.host, &net, "service", service_event, &service);
	host_init(&client, &net, "client", NULL, NULL);
	host_wire(&service.host, &client, "delay=5ms");
	service.listener = host_listen(&service.host, ":http");

	connect_to_service(&client, &stream);
	for (unsigned i = 0; i < COUNT(talk); i++) {
		ask(&client, &stream, talk[i][0], false);
		hear(&client, &stream, talk[i], true);
	}
	for (unsigned i = 0; i < 2 * COUNT(talk); i++)
		ask(&client, &stream, talk[i % COUNT(talk)][0], i >= COUNT(talk));
	for (unsigned i = 0; i < 2 * COUNT(talk); i++)
		hear(&client, &stream, talk[i % COUNT(talk)], false);
	host_say(&client, "the same, all at once and then byte by byte");
	for (unsigned i = 0; i < COUNT(nonsense); i++) {
		haven_close(stream.socket);
		connect_to_service(&client, &stream);
		ask(&client, &stream, nonsense[i][0], false);
		hear(&client, &stream, nonsense[i], true);
		expect(stream_wait(&stream, &net) == 0, "that was the last");
	}
	network_finish(&net);
	return 0;
}
