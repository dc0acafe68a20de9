/*
 * Questions in flight, and which resolver has them. See dns.h.
 */
#include "gateway/dns.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "gateway/dns_message.h"
#include "gateway/resolv_conf.h"
#include "gateway/udp.h"

/* A resolver has this long before the next is asked; a question has this long in all. */
#define ATTEMPT_NS  (2 * HV_NS_PER_S)
#define QUESTION_NS (10 * HV_NS_PER_S)
/* A resolver that stood in for one before it is asked first for this long. */
#define PREFERRED_NS (60 * HV_NS_PER_S)

/* Questions are small; a larger message is not forwarded (RFC 6891 section 6.2.5 sizes are for answers). */
#define QUESTION_MAX 4096
#define ANSWER_MAX   65535

struct query {
	struct hv_source source;
	struct hv_flow flow; /* source: the guest; destination: the gateway's DNS */
	struct hv_dns *dns;
	LIST_ENTRY(query) entry;
	struct hv_loop_timer timer;
	uint64_t expires_ns;
	unsigned attempt; /* resolvers that were asked */
	unsigned answered_badly;
	unsigned server; /* index of the one that is being asked */
	uint16_t guest_id;
	uint8_t *bad_answer; /* what a resolver said that could not help */
	size_t bad_answer_size;
	size_t question_end;
	size_t size;
	uint8_t message[]; /* with the id of the attempt */
};

LIST_HEAD(query_list, query);

struct hv_dns {
	struct hv_gateway *gateway;
	struct hv_resolv_conf conf;
	unsigned preferred;
	uint64_t preferred_until_ns;
	struct query_list queries;
};

static void query_ready(struct hv_source *source, uint32_t events);
static bool ask_next(struct query *query);

/* --- resolvers -------------------------------------------------------------------------- */

static void refresh(struct hv_dns *dns)
{
	if (hv_resolv_conf_refresh(&dns->conf) ||
	    dns->gateway->loop.now_ns >= dns->preferred_until_ns)
		dns->preferred = 0;
}

socklen_t hv_dns_server(struct hv_dns *dns, unsigned index, struct sockaddr_storage *address)
{
	const struct hv_resolver *server;

	if (index == 0)
		refresh(dns);
	if (index >= dns->conf.count)
		return 0;
	server = &dns->conf.servers[(dns->preferred + index) % dns->conf.count];
	*address = server->address;
	return server->size;
}

/* --- a question's end ------------------------------------------------------------------- */

static void free_query(struct hv_source *source)
{
	struct query *query = hv_container(source, struct query, source);

	free(query->bad_answer);
	free(query);
}

static void end_query(struct query *query, const char *reason)
{
	struct hv_gateway *gateway = query->dns->gateway;

	hv_loop_timer_cancel(&gateway->loop, &query->timer);
	LIST_REMOVE(query, entry);
	hv_gateway_flow_closed(gateway, &query->flow, reason);
	hv_source_close(&gateway->loop, &query->source, free_query);
}

static void answer(struct query *query, uint8_t *message, size_t size)
{
	struct hv_gateway *gateway = query->dns->gateway;
	struct iovec iov = {.iov_base = message, .iov_len = size};

	hv_dns_set_id(message, query->guest_id);
	query->flow.bytes_in += size;
	haven_datagram_send(gateway->stack, &query->flow.destination, &query->flow.source, &iov,
			    1, 0, 0);
	gateway->stack_work = true;
}

/* Nobody could answer: what a resolver said about it, or SERVFAIL in the gateway's own name. */
static void answer_failure(struct query *query)
{
	if (query->bad_answer)
		answer(query, query->bad_answer, query->bad_answer_size);
	else
		answer(query, query->message,
		       hv_dns_make_failure(query->message, query->question_end));
	end_query(query, "no resolver could answer");
}

/* --- asking ----------------------------------------------------------------------------- */

/* The address family of a socket cannot be changed: each attempt has a new one, and a new port. */
static int open_query_socket(struct query *query, const struct hv_resolver *server)
{
	struct hv_loop *loop = &query->dns->gateway->loop;
	int fd =
		socket(server->address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return -errno;
	if (query->source.fd >= 0) {
		hv_source_remove(loop, &query->source);
		close(query->source.fd);
	}
	query->source.fd = fd;
	error = hv_source_add(loop, &query->source, EPOLLIN);
	if (error < 0)
		return error;
	if (connect(fd, (const struct sockaddr *)&server->address, server->size) < 0)
		return -errno;
	return 0;
}

static int ask(struct query *query)
{
	struct hv_dns *dns = query->dns;
	uint16_t id = 0;
	int error;

	query->server = (dns->preferred + query->attempt) % dns->conf.count;
	query->attempt++;
	error = open_query_socket(query, &dns->conf.servers[query->server]);
	if (error < 0) {
		hv_gateway_lacks_resources(dns->gateway, -error);
		return error;
	}
	if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id))
		return -EAGAIN;
	hv_dns_set_id(query->message, id);
	if (send(query->source.fd, query->message, query->size, MSG_DONTWAIT | MSG_NOSIGNAL) <
	    0)
		return -errno;
	return 0;
}

/* Asks resolvers, each at most twice, until one takes the question; false: none did. */
static bool ask_next(struct query *query)
{
	struct hv_dns *dns = query->dns;
	struct hv_loop *loop = &dns->gateway->loop;

	while (query->attempt < 2 * dns->conf.count) {
		if (ask(query) == 0) {
			uint64_t next_ns = loop->now_ns + ATTEMPT_NS;

			hv_loop_timer_set(loop, &query->timer,
					  next_ns < query->expires_ns ? next_ns
								      : query->expires_ns);
			return true;
		}
	}
	return false;
}

static void query_timed_out(struct hv_loop_timer *timer)
{
	struct query *query = hv_container(timer, struct query, timer);

	if (query->dns->gateway->loop.now_ns >= query->expires_ns || !ask_next(query))
		answer_failure(query);
}

static bool could_not_help(const uint8_t *message)
{
	switch (hv_dns_rcode(message)) {
	case HV_DNS_SERVFAIL:
	case HV_DNS_NOTIMP:
	case HV_DNS_REFUSED:
		return true;
	default:
		return false;
	}
}

static void keep_bad_answer(struct query *query, const uint8_t *message, size_t size)
{
	free(query->bad_answer);
	query->bad_answer = malloc(size);
	if (query->bad_answer)
		memcpy(query->bad_answer, message, size);
	query->bad_answer_size = size;
	query->answered_badly++;
}

static void got_answer(struct query *query, uint8_t *message, size_t size)
{
	struct hv_dns *dns = query->dns;

	if (could_not_help(message)) {
		keep_bad_answer(query, message, size);
		/* When all have said so, it is the answer. */
		if (query->answered_badly >= dns->conf.count || !ask_next(query))
			answer_failure(query);
		return;
	}
	if (query->server != dns->preferred && query->server < dns->conf.count) {
		dns->preferred = query->server;
		dns->preferred_until_ns = dns->gateway->loop.now_ns + PREFERRED_NS;
	}
	answer(query, message, size);
	end_query(query, "answered");
}

static void query_ready(struct hv_source *source, uint32_t events)
{
	struct query *query = hv_container(source, struct query, source);
	uint8_t *message = query->dns->gateway->udp->receive_buffer;
	ssize_t size;

	(void)events;
	size = recv(source->fd, message, ANSWER_MAX, MSG_DONTWAIT);
	if (size >= 0) {
		if (hv_dns_answers(message, (size_t)size, query->message, query->question_end))
			got_answer(query, message, (size_t)size);
	} else if (errno != EAGAIN && errno != EINTR) {
		/* Refused or unreachable. */
		if (!ask_next(query))
			answer_failure(query);
	}
}

/* --- questions -------------------------------------------------------------------------- */

static void new_query(struct hv_dns *dns, const struct haven_datagram *datagram,
		      const uint8_t *message, size_t size)
{
	struct hv_gateway *gateway = dns->gateway;
	size_t question_end;
	struct query *query;

	if (size > QUESTION_MAX || !hv_dns_is_query(message, size, &question_end))
		return;
	if (!hv_flow_allowed(&gateway->flows, HV_FLOW_DNS)) {
		hv_gateway_limit_reached(gateway, HV_FLOW_DNS);
		return;
	}
	query = calloc(1, sizeof(*query) + size);
	if (!query)
		return;
	query->dns = dns;
	query->source.fd = -1;
	query->source.ready = query_ready;
	query->timer.expired = query_timed_out;
	query->expires_ns = gateway->loop.now_ns + QUESTION_NS;
	query->guest_id = hv_dns_id(message);
	query->question_end = question_end;
	query->size = size;
	memcpy(query->message, message, size);
	query->flow.kind = HV_FLOW_DNS;
	query->flow.source = datagram->source;
	query->flow.destination = datagram->destination;
	query->flow.bytes_out = size;
	LIST_INSERT_HEAD(&dns->queries, query, entry);
	hv_gateway_flow_opened(gateway, &query->flow);
	if (!ask_next(query))
		answer_failure(query);
}

void hv_dns_query(struct hv_dns *dns, const struct haven_datagram *datagram)
{
	size_t each = datagram->gso_size ? datagram->gso_size : datagram->size;

	refresh(dns);
	for (size_t at = 0; at < datagram->size; at += each) {
		size_t left = datagram->size - at;

		new_query(dns, datagram, datagram->data + at, left < each ? left : each);
	}
}

int hv_dns_create(struct hv_gateway *gateway)
{
	struct hv_dns *dns = calloc(1, sizeof(*dns));

	if (!dns)
		return -ENOMEM;
	dns->gateway = gateway;
	LIST_INIT(&dns->queries);
	hv_resolv_conf_init(&dns->conf, "/etc/resolv.conf");
	hv_resolv_conf_refresh(&dns->conf);
	gateway->dns = dns;
	return 0;
}

void hv_dns_destroy(struct hv_gateway *gateway)
{
	struct hv_dns *dns = gateway->dns;

	if (!dns)
		return;
	while (!LIST_EMPTY(&dns->queries))
		end_query(LIST_FIRST(&dns->queries), "haven ends");
	hv_loop_end_turn(&gateway->loop);
	free(dns);
	gateway->dns = NULL;
}
