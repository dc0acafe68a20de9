/*
 * TCP connections to resolvers, as RFC 7766 has them: one for all questions to a resolver, which go out without
 * waiting for answers (section 6.2.1.1); answers come in any order (section 7) and are known by identifier and question.
 *
 * A resolver may close a connection at any time (section 6.2.4). What it did not answer is asked again on a new one, when it had
 * answered anything on this one; else it has failed.
 */
#include "gateway/dns_state.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

/* On one connection at a time. */
#define QUESTIONS_MAX 64
/* Without a question it stays open for this long (RFC 7766 section 6.2.3: a client should not keep it). */
#define IDLE_NS (2 * HV_NS_PER_S)
/* Reads in one turn. */
#define READS_MAX 8

TAILQ_HEAD(streamed_list, hv_dns_streamed);

struct hv_dns_stream {
	struct hv_source source;
	struct hv_dns *dns;
	LIST_ENTRY(hv_dns_stream) entry;
	struct hv_resolver server;
	struct streamed_list questions; /* in the order in which they go out */
	struct hv_dns_streamed *unsent; /* the first that has not gone out as a whole */
	unsigned count;
	bool connected, answered;
	bool stale;  /* takes no more questions */
	bool broken; /* and nothing may follow what was sent */
	struct hv_loop_timer close;
	size_t have; /* bytes of: */
	uint8_t input[2 + HV_DNS_MESSAGE_MAX];
};

/* --- life ------------------------------------------------------------------------------- */

static void free_stream(struct hv_source *source)
{
	free(hv_container(source, struct hv_dns_stream, source));
}

static void take_off(struct hv_dns_stream *stream, struct hv_dns_streamed *streamed)
{
	if (stream->unsent == streamed)
		stream->unsent = TAILQ_NEXT(streamed, entry);
	TAILQ_REMOVE(&stream->questions, streamed, entry);
	stream->count--;
	streamed->stream = NULL;
}

/* Its questions go elsewhere. */
static void close_stream(struct hv_dns_stream *stream)
{
	struct hv_loop *loop = &stream->dns->gateway->loop;
	struct hv_dns_streamed *streamed;

	stream->stale = true;
	LIST_REMOVE(stream, entry);
	hv_loop_timer_cancel(loop, &stream->close);
	hv_source_close(loop, &stream->source, free_stream);
	while ((streamed = TAILQ_FIRST(&stream->questions))) {
		take_off(stream, streamed);
		hv_dns_query_failed(streamed->query, stream->answered);
	}
}

static void close_now(struct hv_loop_timer *timer)
{
	close_stream(hv_container(timer, struct hv_dns_stream, close));
}

static void close_later(struct hv_dns_stream *stream, uint64_t ns)
{
	struct hv_loop *loop = &stream->dns->gateway->loop;

	if (hv_loop_timer_set(loop, &stream->close, loop->now_ns + ns) < 0)
		close_stream(stream);
}

/* The last question has gone. */
static void rest(struct hv_dns_stream *stream)
{
	if (stream->stale)
		close_stream(stream);
	else
		close_later(stream, IDLE_NS);
}

void hv_dns_stream_leave(struct hv_dns_streamed *streamed, bool slow)
{
	struct hv_dns_stream *stream = streamed->stream;
	bool cut = streamed->sent > 0 && streamed->sent < streamed->size;

	take_off(streamed->stream, streamed);
	if (stream->source.fd < 0)
		return; /* it is being closed */
	if (slow)
		stream->stale = true;
	if (cut)
		stream->stale = stream->broken =
			true; /* what would follow half a message is none */
	if (stream->count == 0)
		rest(stream);
	else if (cut)
		close_later(stream,
			    1); /* who leaves is not to be handed the others' failures */
}

void hv_dns_stream_end_all(struct hv_dns *dns)
{
	while (!LIST_EMPTY(&dns->streams))
		close_stream(LIST_FIRST(&dns->streams));
}

/* --- questions out ---------------------------------------------------------------------- */

static void watch(struct hv_dns_stream *stream)
{
	bool wants_write = !stream->connected || (stream->unsent && !stream->broken);

	hv_source_change(&stream->dns->gateway->loop, &stream->source,
			 wants_write ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* 0 or a negative errno. */
static int send_questions(struct hv_dns_stream *stream)
{
	while (stream->unsent && !stream->broken) {
		struct hv_dns_streamed *streamed = stream->unsent;
		ssize_t sent =
			send(stream->source.fd, streamed->bytes + streamed->sent,
			     streamed->size - streamed->sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return errno == EAGAIN ? 0 : -errno;
		streamed->sent += (size_t)sent;
		if (streamed->sent < streamed->size)
			return 0;
		stream->unsent = TAILQ_NEXT(streamed, entry);
	}
	return 0;
}

static bool is_used(const struct hv_dns_stream *stream, uint16_t id)
{
	const struct hv_dns_streamed *streamed;

	TAILQ_FOREACH(streamed, &stream->questions, entry) {
		if (hv_dns_id(streamed->bytes + 2) == id)
			return true;
	}
	return false;
}

static int choose_id(const struct hv_dns_stream *stream, struct hv_dns_streamed *streamed)
{
	uint16_t id = 0;

	do {
		if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id))
			return -EAGAIN;
	} while (is_used(stream, id));
	hv_dns_set_id(streamed->bytes + 2, id);
	return 0;
}

/* --- answers in ------------------------------------------------------------------------- */

static void got_answer(struct hv_dns_stream *stream, uint8_t *message, size_t size)
{
	struct hv_dns_streamed *streamed;

	TAILQ_FOREACH(streamed, &stream->questions, entry) {
		if (hv_dns_answers(message, size, streamed->bytes + 2, streamed->question_end))
			break;
	}
	if (!streamed)
		return; /* too late, or for nobody */
	stream->answered = true;
	/* The last one may be followed by another at once. */
	take_off(streamed->stream, streamed);
	hv_dns_query_answered(streamed->query, message, size);
}

/* The whole messages of the input. */
static void read_messages(struct hv_dns_stream *stream)
{
	size_t at = 0;

	while (stream->have - at >= 2) {
		size_t size = hv_dns_get16(stream->input + at);

		if (stream->have - at - 2 < size)
			break;
		at += 2 + size;
		got_answer(stream, stream->input + at - size, size);
		if (stream->source.fd < 0)
			return;
	}
	stream->have -= at;
	memmove(stream->input, stream->input + at, stream->have);
}

/* 0 or a negative errno; -EPIPE: the resolver has closed. */
static int receive(struct hv_dns_stream *stream)
{
	for (unsigned i = 0; i < READS_MAX; i++) {
		ssize_t got = recv(stream->source.fd, stream->input + stream->have,
				   sizeof(stream->input) - stream->have, MSG_DONTWAIT);

		if (got < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		if (got == 0)
			return -EPIPE;
		stream->have += (size_t)got;
		read_messages(stream);
		if (stream->source.fd < 0)
			return 0;
	}
	return 0;
}

static void stream_ready(struct hv_source *source, uint32_t events)
{
	struct hv_dns_stream *stream = hv_container(source, struct hv_dns_stream, source);
	int error = 0;

	if (events & EPOLLOUT) {
		stream->connected = true;
		error = send_questions(stream);
	}
	if (error == 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		error = receive(stream);
	if (source->fd < 0)
		return;
	if (error < 0)
		close_stream(stream);
	else if (stream->count == 0 && !hv_loop_timer_armed(&stream->close))
		rest(stream);
	else
		watch(stream);
}

/* --- asking ----------------------------------------------------------------------------- */

static struct hv_dns_stream *find_stream(struct hv_dns *dns, const struct hv_resolver *server)
{
	struct hv_dns_stream *stream;

	LIST_FOREACH(stream, &dns->streams, entry) {
		if (!stream->stale && stream->count < QUESTIONS_MAX &&
		    stream->server.size == server->size &&
		    memcmp(&stream->server.address, &server->address, server->size) == 0)
			return stream;
	}
	return NULL;
}

static int connect_stream(struct hv_dns_stream *stream)
{
	const struct sockaddr_storage *address = &stream->server.address;
	int on = 1;

	stream->source.fd =
		socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (stream->source.fd < 0)
		return -errno;
	setsockopt(stream->source.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(stream->source.fd, (const struct sockaddr *)address, stream->server.size) <
		    0 &&
	    errno != EINPROGRESS)
		return -errno;
	return hv_source_add(&stream->dns->gateway->loop, &stream->source, EPOLLIN | EPOLLOUT);
}

static int open_stream(struct hv_dns *dns, const struct hv_resolver *server,
		       struct hv_dns_stream **out)
{
	struct hv_dns_stream *stream = malloc(sizeof(*stream));
	int error;

	if (!stream)
		return -ENOMEM;
	memset(stream, 0, offsetof(struct hv_dns_stream, input));
	stream->dns = dns;
	stream->server = *server;
	stream->source.ready = stream_ready;
	stream->close.expired = close_now;
	TAILQ_INIT(&stream->questions);
	error = connect_stream(stream);
	if (error < 0) {
		if (stream->source.fd >= 0)
			close(stream->source.fd);
		free(stream);
		return error;
	}
	LIST_INSERT_HEAD(&dns->streams, stream, entry);
	*out = stream;
	return 0;
}

int hv_dns_stream_ask(struct hv_dns *dns, const struct hv_resolver *server,
		      struct hv_dns_streamed *streamed)
{
	struct hv_dns_stream *stream = find_stream(dns, server);
	int error = stream ? 0 : open_stream(dns, server, &stream);

	if (error == 0)
		error = choose_id(stream, streamed);
	if (error < 0)
		return error;
	hv_loop_timer_cancel(&dns->gateway->loop, &stream->close);
	streamed->stream = stream;
	streamed->sent = 0;
	TAILQ_INSERT_TAIL(&stream->questions, streamed, entry);
	stream->count++;
	if (!stream->unsent)
		stream->unsent = streamed;
	/* When it has broken meanwhile, reading says so: what was asked before may have an answer yet. */
	if (stream->connected)
		send_questions(stream);
	watch(stream);
	return 0;
}
