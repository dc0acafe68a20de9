/*
 * A chat room: 50 people, each with a host of their own on a local network, and one more who never reads.
 * Each line that somebody sends goes to all. What is to be learnt:
 *
 *	- haven_socket_set_user() leads from a socket to what the program knows of it.
 *	- TCP carries bytes, not lines: what is received is half a line, or three and a half.
 *	- What goes to many needs a buffer for each (stream.h), and a limit. Who does not read fills the
 *	  stack's buffer, then the room's; then they are put out (haven_abort), and the others go on.
 *	- Whom the next event is about may be put out by this one: first mark, then sweep.
 *
 *	cc chat.c shared/{lan,stream,sockets,network}.c $(pkg-config --cflags --libs libhaven)
 */
#include <stdio.h>
#include <string.h>

#include "shared/lan.h"
#include "shared/stream.h"

enum {
	PEOPLE = 51,
	SLOTH = 50,	     /* never reads */
	LEAVING = 5,	     /* go early */
	SOCKET_BYTES = 4096, /* what a stack keeps for one who is behind */
	LOG_BYTES = 65536,
};

/* --- the room -------------------------------------------------------------------------------- */

struct member {
	struct stream stream; /* without socket: this place is free */
	unsigned number;
	const char *leaving; /* why; NULL: stays */
};

struct room {
	struct host host;
	struct haven_socket *listener;
	struct member members[PEOPLE];
	unsigned guests;     /* so far */
	char log[LOG_BYTES]; /* all that was said */
	size_t log_size;
};

static void room_say(struct room *room, unsigned guest, const char *text, size_t size)
{
	char *line = room->log + room->log_size;

	expect(room->log_size + size + 20 < LOG_BYTES, "the log is large enough");
	size = (size_t)snprintf(line, size + 20, "%u %.*s\n", guest, (int)size, text);
	room->log_size += size;
	for (struct member *m = room->members; m < room->members + PEOPLE; m++)
		if (m->stream.socket && !m->leaving && !stream_put(&m->stream, line, size))
			m->leaving = "does not listen, and is put out";
}

/* Who was marked leaves now. That is said to all, and may be too much for somebody else. */
static void room_sweep(struct room *room)
{
	for (int i = 0; i < PEOPLE; i++) {
		struct member *m = &room->members[i];

		if (!m->stream.socket || !m->leaving)
			continue;
		if (m->stream.out_size)
			haven_abort(m->stream.socket); /* it will never have it all */
		else
			haven_close(m->stream.socket);
		m->stream.socket = NULL;
		host_say(&room->host, "guest %u %s", m->number, m->leaving);
		room_say(room, m->number, m->leaving, strlen(m->leaving));
		i = -1; /* once more from the beginning */
	}
}

static void member_read(struct room *room, struct member *member)
{
	struct stream *stream = &member->stream;
	ssize_t size;
	char *end;

	while (!member->leaving && (size = stream_fill(stream)) != -EAGAIN) {
		if (size == 0 && stream->out_size)
			return; /* it sends no more, but listens: once more when all is out */
		if (size <= 0)
			member->leaving = size ? "is lost" : "goes";
		while ((end = memchr(stream->in, '\n', stream->in_size))) {
			room_say(room, member->number, stream->in, (size_t)(end - stream->in));
			stream_consume(stream, (size_t)(end + 1 - stream->in));
		}
		if (stream->in_size == STREAM_BYTES)
			member->leaving = "says too much at once";
	}
}

/* A guest for each free place. Without one they wait at the door: in the listener's backlog. */
static void room_accept(struct room *room)
{
	for (struct member *m = room->members; m < room->members + PEOPLE; m++) {
		struct haven_socket *socket;

		if (m->stream.socket || haven_accept(room->listener, NULL, NULL, &socket) < 0)
			continue;
		*m = (struct member){.stream.socket = socket, .number = ++room->guests};
		haven_socket_set_user(socket, m);
		room_say(room, m->number, "comes", 5);
	}
}

static void room_event(struct host *host, struct haven_socket *socket, unsigned events)
{
	struct room *room = host->user;
	struct member *member = haven_socket_user(socket);

	(void)events; /* reading and writing tell as much */
	if (member) {
		stream_flush(&member->stream);
		member_read(room, member);
	}
	room_sweep(room);
	room_accept(room);
}

/* --- people ---------------------------------------------------------------------------------- */

struct person {
	struct host host;
	struct haven_socket *socket;
	char heard[LOG_BYTES];
	size_t size;
	ssize_t last; /* what haven_recv() said: -EAGAIN, another error, or 0 at the end */
	bool deaf;
};

static void person_event(struct host *host, struct haven_socket *socket, unsigned events)
{
	struct person *person = host->user;

	if (person->deaf && !(events & HAVEN_EVENT_ERROR))
		return;
	while ((person->last = haven_recv(socket, person->heard + person->size,
					  LOG_BYTES - person->size, 0)) > 0)
		person->size += (size_t)person->last;
	if (person->last == 0)
		haven_close(socket);
}

static void people_say(struct person *people, int first, const char *line, struct network *net)
{
	for (int i = first; i < SLOTH; i++)
		check(haven_send(people[i].socket, line, strlen(line), 0), line);
	network_run(net, SECOND);
}

static void meet(struct network *net, struct lan *lan, struct room *room, struct person *people)
{
	host_init(&room->host, net, "the room", room_event, room);
	lan_plug(lan, &room->host, "delay=2ms");
	room->listener = host_listen(&room->host, ":7000");
	socket_set(room->listener, SOL_SOCKET, SO_SNDBUF, SOCKET_BYTES);
	for (struct person *p = people; p < people + PEOPLE; p++) {
		host_init(&p->host, net, "guest", person_event, p);
		lan_plug(lan, &p->host, NULL);
		p->socket = host_connect(&p->host, "10.0.0.1:7000");
		socket_set(p->socket, SOL_SOCKET, SO_RCVBUF, SOCKET_BYTES);
	}
	people[SLOTH].deaf = true;
	network_run(net, SECOND);
	host_say(&room->host, "%u guests", room->guests);
	expect(room->guests == PEOPLE, "all are there");
}

int main(void)
{
	static struct person people[PEOPLE];
	static struct room room;
	static struct lan lan;
	struct network net;

	network_init(&net, 1);
	meet(&net, &lan, &room, people);
	for (int i = 0; i < 20; i++)
		people_say(people, 0, "hello, all\n", &net);
	expect(people[SLOTH].last == -ECONNRESET, "who does not read is put out");
	/* Some go. They end their own direction, and read on until the room ends the other. */
	for (int i = 0; i < LEAVING; i++)
		haven_shutdown(people[i].socket, SHUT_WR);
	people_say(people, LEAVING, "who is left\n? ", &net);
	people_say(people, LEAVING, "nobody\n", &net);
	for (struct person *p = people; p < people + SLOTH; p++) {
		char *from = strstr(room.log, p->heard);

		expect(from, "everybody heard the same, in the same order");
		expect(p->last == (p < people + LEAVING ? 0 : -EAGAIN), "some have gone");
		expect(p->last == 0 || from + p->size == room.log + room.log_size, "all of it");
	}
	host_say(&room.host, "%zu bytes were said, and heard", room.log_size);
	network_finish(&net);
	return 0;
}
