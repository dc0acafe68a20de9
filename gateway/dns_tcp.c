/*
 * DNS over TCP, the guest's side: a stream of questions, each with its length before it (RFC 1035 section 4.2.2), and of answers as they
 * come (RFC 7766). The connection ends here: no resolver sees it.
 *
 *	read_questions --hv_dns_ask--> (cache, resolvers) --hv_dns_client_answer--> stack socket, or unsent
 *
 * A guest that asks faster than it is answered, or does not read, is not read from: what it may have open is bounded. It is ended by its FIN,
 * once all is answered, by 10 s without a question or an answer, or by what is no question.
 */
#include "gateway/dns_state.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>

/* Connections at a time; the next gets no answer to its SYN, as at the limit of flows. */
#define CLIENTS_MAX 256
/* Questions of one connection that wait for an answer. */
#define WAITING_MAX 64
/* Questions in one turn. */
#define TURN_QUESTIONS 64
/* What all of them may leave unread. */
#define UNSENT_MAX (8 * 1024 * 1024)

/* What the stack did not take at once. */
struct unsent {
	STAILQ_ENTRY(unsent) entry;
	size_t size, sent;
	uint8_t bytes[];
};

STAILQ_HEAD(unsent_list, unsent);

struct hv_dns_client {
	struct hv_stack_user user;
	struct hv_source source; /* has no descriptor: frees this at the turn's end */
	struct hv_flow flow;
	struct hv_dns *dns;
	LIST_ENTRY(hv_dns_client) entry;
	struct haven_socket *socket; /* NULL: ended */
	struct hv_idle idle;
	struct hv_loop_timer resume; /* there is more to read */
	struct hv_dns_client_askers askers;
	unsigned waiting;
	struct unsent_list unsent;
	size_t have; /* bytes of: */
	uint8_t input[2 + HV_DNS_QUESTION_MAX];
};

/* --- the end ---------------------------------------------------------------------------- */

static void free_client(struct hv_source *source)
{
	free(hv_container(source, struct hv_dns_client, source));
}

/* The socket is dealt with by the caller. */
static void end(struct hv_dns_client *client, const char *reason)
{
	struct hv_dns *dns = client->dns;
	struct hv_dns_asker *asker;
	struct unsent *unsent;

	client->socket = NULL;
	while ((asker = LIST_FIRST(&client->askers))) {
		LIST_REMOVE(asker, client_entry);
		if (asker->query)
			hv_dns_query_leave(asker);
		free(asker);
	}
	while ((unsent = STAILQ_FIRST(&client->unsent))) {
		STAILQ_REMOVE_HEAD(&client->unsent, entry);
		dns->unsent_bytes -= unsent->size;
		free(unsent);
	}
	hv_loop_timer_cancel(&dns->gateway->loop, &client->resume);
	hv_idle_remove(&dns->idle, &client->idle);
	LIST_REMOVE(client, entry);
	dns->client_count--;
	hv_gateway_flow_closed(dns->gateway, &client->flow, reason);
	hv_source_close(&dns->gateway->loop, &client->source, free_client);
	dns->gateway->stack_work = true;
}

static void close_client(struct hv_dns_client *client, const char *reason)
{
	haven_socket_set_user(client->socket, NULL);
	haven_close(client->socket);
	end(client, reason);
}

static void abort_client(struct hv_dns_client *client, const char *reason)
{
	haven_socket_set_user(client->socket, NULL);
	haven_abort(client->socket);
	end(client, reason);
}

/* Called off the list; an end takes it off. */
static void idle_too_long(struct hv_idle *idle)
{
	struct hv_dns_client *client = hv_container(idle, struct hv_dns_client, idle);

	hv_idle_add(&client->dns->idle, idle);
	if (!STAILQ_EMPTY(&client->unsent))
		abort_client(client, "the guest does not read its answers");
	else if (client->waiting == 0)
		close_client(client, "idle");
}

/* --- answers ---------------------------------------------------------------------------- */

static bool is_paused(const struct hv_dns_client *client)
{
	return client->waiting >= WAITING_MAX || !STAILQ_EMPTY(&client->unsent);
}

/* In the next turn: who is answering questions now is not to be given another. */
static void read_on(struct hv_dns_client *client)
{
	struct hv_loop *loop = &client->dns->gateway->loop;

	if (hv_loop_timer_set(loop, &client->resume, loop->now_ns + 1) < 0)
		abort_client(client, "out of memory");
}

static bool keep_unsent(struct hv_dns_client *client, const uint8_t prefix[2],
			const uint8_t *message, size_t size, size_t sent)
{
	struct hv_dns *dns = client->dns;
	struct unsent *unsent;

	if (dns->unsent_bytes + 2 + size > UNSENT_MAX)
		return false;
	unsent = malloc(sizeof(*unsent) + 2 + size);
	if (!unsent)
		return false;
	unsent->size = 2 + size;
	unsent->sent = sent;
	memcpy(unsent->bytes, prefix, 2);
	memcpy(unsent->bytes + 2, message, size);
	STAILQ_INSERT_TAIL(&client->unsent, unsent, entry);
	dns->unsent_bytes += unsent->size;
	return true;
}

static void write_answer(struct hv_dns_client *client, const uint8_t *message, size_t size)
{
	uint8_t prefix[2];
	struct iovec iov[2] = {
		{.iov_base = prefix, .iov_len = 2},
		{.iov_base = (void *)(uintptr_t)message, .iov_len = size},
	};
	ssize_t sent = 0;

	hv_dns_put16(prefix, (uint16_t)size);
	if (STAILQ_EMPTY(&client->unsent))
		sent = haven_writev(client->socket, iov, 2);
	if (sent == -EAGAIN)
		sent = 0;
	if (sent < 0) {
		abort_client(client, haven_strerror((int)sent));
		return;
	}
	client->flow.bytes_in += 2 + size;
	client->dns->gateway->stack_work = true;
	hv_idle_touch(&client->dns->idle, &client->idle, 0);
	if ((size_t)sent < 2 + size &&
	    !keep_unsent(client, prefix, message, size, (size_t)sent))
		abort_client(client, "the guest does not read its answers");
}

void hv_dns_client_answer(struct hv_dns_asker *asker, const uint8_t *message, size_t size)
{
	struct hv_dns_client *client = asker->client;
	bool was_paused = is_paused(client);

	LIST_REMOVE(asker, client_entry);
	client->waiting--;
	if (client->socket)
		write_answer(client, message, size);
	/* Its end is acted upon where it is read. */
	if (client->socket && (was_paused || client->flow.state == HV_FLOW_CLOSING))
		read_on(client);
}

/* Returns false when the client has ended. */
static bool send_unsent(struct hv_dns_client *client)
{
	struct unsent *unsent;

	while ((unsent = STAILQ_FIRST(&client->unsent))) {
		ssize_t sent = haven_send(client->socket, unsent->bytes + unsent->sent,
					  unsent->size - unsent->sent, 0);

		if (sent == -EAGAIN)
			break;
		if (sent < 0) {
			abort_client(client, haven_strerror((int)sent));
			return false;
		}
		client->dns->gateway->stack_work = true;
		hv_idle_touch(&client->dns->idle, &client->idle, 0);
		unsent->sent += (size_t)sent;
		if (unsent->sent < unsent->size)
			break;
		STAILQ_REMOVE_HEAD(&client->unsent, entry);
		client->dns->unsent_bytes -= unsent->size;
		free(unsent);
	}
	return true;
}

/* --- questions -------------------------------------------------------------------------- */

void hv_dns_client_add(struct hv_dns_client *client, struct hv_dns_asker *asker)
{
	asker->client = client;
	LIST_INSERT_HEAD(&client->askers, asker, client_entry);
	client->waiting++;
}

/* How many bytes the input wants next: those of a length, or of the message that it says; 0: that is there. */
static size_t wanted(const struct hv_dns_client *client)
{
	if (client->have < 2)
		return 2 - client->have;
	return 2 + (size_t)hv_dns_get16(client->input) - client->have;
}

/* Reads on in the question that is coming in. Returns whether it is whole; a negative errno. */
static int read_question(struct hv_dns_client *client)
{
	size_t want;

	while ((want = wanted(client)) > 0) {
		ssize_t got;

		if (client->have + want > sizeof(client->input))
			return -EMSGSIZE;
		got = haven_recv(client->socket, client->input + client->have, want, 0);
		if (got == -EAGAIN || got == 0)
			return 0;
		if (got < 0)
			return (int)got;
		client->have += (size_t)got;
		client->flow.bytes_out += (uint64_t)got;
		client->dns->gateway->stack_work = true;
		hv_idle_touch(&client->dns->idle, &client->idle, 0);
	}
	return 1;
}

static void end_of_questions(struct hv_dns_client *client)
{
	client->flow.state = HV_FLOW_CLOSING;
	if (client->waiting == 0 && STAILQ_EMPTY(&client->unsent))
		close_client(client, "closed");
}

static void read_questions(struct hv_dns_client *client)
{
	unsigned count = 0;
	int got = 0;

	while (client->socket && !is_paused(client)) {
		if (count++ == TURN_QUESTIONS) {
			read_on(client);
			return;
		}
		got = read_question(client);
		if (got <= 0)
			break;
		got = hv_dns_ask(client->dns, client, NULL, client->input + 2,
				 client->have - 2);
		client->have = 0;
		if (got < 0)
			break;
	}
	if (!client->socket)
		return;
	if (got < 0)
		abort_client(client, got == -EINVAL || got == -EMSGSIZE
					     ? "what the guest sent is no question"
					     : haven_strerror(got));
	else if (!is_paused(client) &&
		 (haven_socket_events(client->socket) & HAVEN_EVENT_PEER_CLOSED))
		end_of_questions(client);
}

static void resume(struct hv_loop_timer *timer)
{
	read_questions(hv_container(timer, struct hv_dns_client, resume));
}

/* --- the connection --------------------------------------------------------------------- */

static void client_event(struct hv_stack_user *user, unsigned events)
{
	struct hv_dns_client *client = hv_container(user, struct hv_dns_client, user);

	if (events & HAVEN_EVENT_ERROR) {
		abort_client(client, "reset by the guest's side");
		return;
	}
	if ((events & HAVEN_EVENT_CONNECTED) && client->flow.ready_ns == 0)
		hv_flow_ready(&client->dns->gateway->flows, &client->flow,
			      client->dns->gateway->loop.now_ns);
	if (send_unsent(client))
		read_questions(client);
}

/* One that has nothing to wait for makes room (RFC 7766 section 6.2.3). */
static void end_oldest(struct hv_dns *dns)
{
	struct hv_idle *idle = hv_idle_oldest(&dns->idle);
	struct hv_dns_client *client = hv_container(idle, struct hv_dns_client, idle);

	if (client->waiting == 0 && STAILQ_EMPTY(&client->unsent))
		close_client(client, "made way for a new one");
}

static struct hv_dns_client *new_client(struct hv_dns *dns)
{
	struct hv_gateway *gateway = dns->gateway;
	struct hv_dns_client *client;

	if (dns->client_count >= CLIENTS_MAX)
		end_oldest(dns);
	if (dns->client_count >= CLIENTS_MAX) {
		hv_log_limited(gateway->log, &gateway->limit_flows, gateway->loop.now_ns,
			       "no more DNS connections: there are %u", dns->client_count);
		return NULL;
	}
	client = calloc(1, sizeof(*client));
	if (!client)
		return NULL;
	client->dns = dns;
	client->user.event = client_event;
	client->source.fd = -1;
	client->idle.expired = idle_too_long;
	client->resume.expired = resume;
	client->flow.kind = HV_FLOW_TCP_OUT;
	STAILQ_INIT(&client->unsent);
	return client;
}

void hv_dns_tcp_request(struct hv_dns *dns, struct haven_request *request,
			const struct haven_endpoint *source,
			const struct haven_endpoint *destination)
{
	struct hv_gateway *gateway = dns->gateway;
	struct hv_dns_client *client = new_client(dns);
	int on = 1;

	gateway->stack_work = true;
	if (!client) {
		haven_request_refuse(request, ETIMEDOUT, NULL);
		return;
	}
	if (haven_request_accept(request, &client->socket) < 0) {
		free(client);
		return;
	}
	haven_socket_set_user(client->socket, &client->user);
	/* An answer is whole: nothing follows that it could wait for. */
	haven_setsockopt(client->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	LIST_INSERT_HEAD(&dns->clients, client, entry);
	dns->client_count++;
	hv_idle_add(&dns->idle, &client->idle);
	client->flow.source = *source;
	client->flow.destination = *destination;
	hv_gateway_flow_opened(gateway, &client->flow);
}

void hv_dns_client_end_all(struct hv_dns *dns)
{
	while (!LIST_EMPTY(&dns->clients))
		close_client(LIST_FIRST(&dns->clients), "haven ends");
}
