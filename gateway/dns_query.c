/*
 * Questions in flight, and which resolver has them. See dns_query.h.
 */
#include "gateway/dns_query.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "gateway/udp.h"

/*
 * A resolver has this long before the next is asked; a question has this long in all. TCP repeats by itself what is
 * lost, but takes a second for it, and its handshake comes first.
 */
#define ATTEMPT_UDP_NS (2 * HV_NS_PER_S)
#define ATTEMPT_TCP_NS (4 * HV_NS_PER_S)
#define QUESTION_NS    (10 * HV_NS_PER_S)
/* A resolver that stood in for one before it is asked first for this long. */
#define PREFERRED_NS (60 * HV_NS_PER_S)

static uint8_t *message_of(struct hv_dns_query *query)
{
	return query->bytes + 2;
}

/* --- resolvers -------------------------------------------------------------------------- */

void hv_dns_refresh(struct hv_dns *dns)
{
	if (hv_resolv_conf_refresh(&dns->conf)) {
		dns->preferred = 0;
		dns->generation++;
		hv_dns_cache_clear(&dns->cache);
	} else if (dns->gateway->loop.now_ns >= dns->preferred_until_ns) {
		dns->preferred = 0;
	}
}

/* --- a question's end ------------------------------------------------------------------- */

static void free_query(struct hv_source *source)
{
	struct hv_dns_query *query = hv_container(source, struct hv_dns_query, source);

	free(query->bad_answer);
	free(query);
}

/* Nobody finds it any more, and it asks nobody; in memory until the turn's end. */
static void retire(struct hv_dns_query *query)
{
	struct hv_dns *dns = query->dns;

	query->retired = true;
	hv_loop_timer_cancel(&dns->gateway->loop, &query->timer);
	if (query->streamed.stream)
		hv_dns_stream_leave(&query->streamed, false);
	LIST_REMOVE(query, entry);
	if (query->question.shareable)
		hv_table_remove(&dns->shared, &query->node);
	hv_source_close(&dns->gateway->loop, &query->source, free_query);
}

static struct hv_dns_asker *take_asker(struct hv_dns_query *query)
{
	struct hv_dns_asker *asker = TAILQ_FIRST(&query->askers);

	if (!asker)
		return NULL;
	TAILQ_REMOVE(&query->askers, asker, entry);
	asker->query = NULL;
	if (query->tcp)
		query->dns->tcp_waiting--;
	return asker;
}

/* Whoever asked first gets the answer as it came; it is kept, and given to others, without what was for that one alone. */
static void end_query(struct hv_dns_query *query, uint8_t *message, size_t size,
		      const char *reason)
{
	struct hv_dns *dns = query->dns;
	struct hv_dns_asker *asker;

	retire(query);
	asker = TAILQ_FIRST(&query->askers);
	if (asker && asker->own)
		hv_dns_deliver(take_asker(query), message, size, reason);
	if (!query->question.shareable)
		return;
	size = hv_dns_make_shareable(message, size);
	if (size && query->generation == dns->generation)
		hv_dns_cache_put(&dns->cache, &query->question.key, message, size,
				 dns->gateway->loop.now_ns);
	while ((asker = take_asker(query))) {
		if (size)
			hv_dns_deliver(asker, message, size, reason);
		else
			hv_dns_deliver(asker, dns->scratch,
				       hv_dns_write_empty(dns->scratch, &asker->question,
							  HV_DNS_SERVFAIL, HV_DNS_ERROR_NONE),
				       reason);
	}
}

/* Nobody could answer: what a resolver said about it, or SERVFAIL in the gateway's own name. */
static void answer_failure(struct hv_dns_query *query)
{
	uint8_t *scratch = query->dns->scratch;

	if (query->bad_answer)
		end_query(query, query->bad_answer, query->bad_answer_size,
			  "no resolver could answer");
	else
		end_query(query, scratch,
			  hv_dns_write_empty(scratch, &query->question, HV_DNS_SERVFAIL,
					     HV_DNS_ERROR_NONE),
			  "no resolver could answer");
}

/* --- asking ----------------------------------------------------------------------------- */

/* The address family of a socket cannot be changed: each attempt has a new one, and a new port. */
static int open_query_socket(struct hv_dns_query *query, const struct hv_resolver *server)
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

static int ask_by_udp(struct hv_dns_query *query, const struct hv_resolver *server)
{
	uint16_t id = 0;
	int error = open_query_socket(query, server);

	if (error < 0)
		return error;
	if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id))
		return -EAGAIN;
	hv_dns_set_id(message_of(query), id);
	if (send(query->source.fd, message_of(query), query->question.size,
		 MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -errno;
	return 0;
}

static int ask(struct hv_dns_query *query)
{
	struct hv_dns *dns = query->dns;
	const struct hv_resolver *server;
	int error;

	query->server = (dns->preferred + query->attempt) % dns->conf.count;
	query->attempt++;
	server = &dns->conf.servers[query->server];
	error = query->tcp ? hv_dns_stream_ask(dns, server, &query->streamed)
			   : ask_by_udp(query, server);
	if (error < 0)
		hv_gateway_lacks_resources(dns->gateway, -error);
	return error;
}

/* Asks resolvers, each at most twice, until one takes the question; false: none did. */
static bool ask_next(struct hv_dns_query *query)
{
	struct hv_dns *dns = query->dns;
	struct hv_loop *loop = &dns->gateway->loop;

	while (query->attempt < 2 * dns->conf.count) {
		if (ask(query) == 0) {
			uint64_t next_ns =
				loop->now_ns + (query->tcp ? ATTEMPT_TCP_NS : ATTEMPT_UDP_NS);

			if (next_ns > query->expires_ns)
				next_ns = query->expires_ns;
			/* What never times out may never end. */
			return hv_loop_timer_set(loop, &query->timer, next_ns) == 0;
		}
	}
	return false;
}

static void query_timed_out(struct hv_loop_timer *timer)
{
	struct hv_dns_query *query = hv_container(timer, struct hv_dns_query, timer);

	if (query->streamed.stream)
		hv_dns_stream_leave(&query->streamed, true);
	if (query->dns->gateway->loop.now_ns >= query->expires_ns || !ask_next(query))
		answer_failure(query);
}

void hv_dns_query_failed(struct hv_dns_query *query, bool same)
{
	if (same)
		query->attempt--;
	if (!ask_next(query))
		answer_failure(query);
}

/* --- answers ---------------------------------------------------------------------------- */

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

static void keep_bad_answer(struct hv_dns_query *query, const uint8_t *message, size_t size)
{
	free(query->bad_answer);
	query->bad_answer = malloc(size);
	if (query->bad_answer)
		memcpy(query->bad_answer, message, size);
	query->bad_answer_size = size;
	query->answered_badly++;
}

void hv_dns_query_answered(struct hv_dns_query *query, uint8_t *message, size_t size)
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
	end_query(query, message, size, "answered");
}

static void query_ready(struct hv_source *source, uint32_t events)
{
	struct hv_dns_query *query = hv_container(source, struct hv_dns_query, source);
	uint8_t *message = query->dns->gateway->udp->receive_buffer;
	ssize_t size;

	(void)events;
	size = recv(source->fd, message, HV_DNS_MESSAGE_MAX, MSG_DONTWAIT);
	if (size >= 0) {
		if (hv_dns_answers(message, (size_t)size, message_of(query),
				   query->question.end))
			hv_dns_query_answered(query, message, (size_t)size);
	} else if (errno != EAGAIN && errno != EINTR) {
		/* Refused or unreachable. */
		hv_dns_query_failed(query, false);
	}
}

/* --- who waits -------------------------------------------------------------------------- */

static uint64_t hash_of(const struct hv_dns *dns, const struct hv_dns_question *question)
{
	return hv_table_hash(&dns->shared, 0, question->key.bytes, question->key.size);
}

/* One under way that will answer this question too. Over UDP an answer may be truncated, so TCP does not wait for it. */
static struct hv_dns_query *find_query(struct hv_dns *dns,
				       const struct hv_dns_question *question, bool tcp)
{
	const struct hv_dns_key *key = &question->key;
	struct hv_node *node = hv_table_first(&dns->shared, hash_of(dns, question));

	for (; node; node = hv_table_next(node)) {
		struct hv_dns_query *query = hv_container(node, struct hv_dns_query, node);

		if (query->tcp == tcp && query->generation == dns->generation &&
		    query->asker_count < HV_DNS_ASKERS_MAX &&
		    query->question.key.size == key->size &&
		    memcmp(query->question.key.bytes, key->bytes, key->size) == 0)
			return query;
	}
	return NULL;
}

static struct hv_dns_query *new_query(struct hv_dns *dns,
				      const struct hv_dns_question *question, bool tcp)
{
	struct hv_dns_query *query = calloc(1, sizeof(*query) + 2 + question->size);

	if (!query)
		return NULL;
	query->dns = dns;
	query->tcp = tcp;
	query->source.fd = -1;
	query->source.ready = query_ready;
	query->timer.expired = query_timed_out;
	query->expires_ns = dns->gateway->loop.now_ns + QUESTION_NS;
	query->generation = dns->generation;
	TAILQ_INIT(&query->askers);
	query->question = *question;
	query->question.message = message_of(query);
	hv_dns_put16(query->bytes, (uint16_t)question->size);
	memcpy(message_of(query), question->message, question->size);
	query->streamed = (struct hv_dns_streamed){
		.query = query,
		.bytes = query->bytes,
		.size = 2 + question->size,
		.question_end = question->end,
	};
	if (question->shareable &&
	    hv_table_add(&dns->shared, &query->node, hash_of(dns, question)) < 0) {
		free(query);
		return NULL;
	}
	LIST_INSERT_HEAD(&dns->queries, query, entry);
	return query;
}

static void add_asker(struct hv_dns_query *query, struct hv_dns_asker *asker)
{
	TAILQ_INSERT_TAIL(&query->askers, asker, entry);
	query->asker_count++;
	asker->query = query;
	if (query->tcp)
		query->dns->tcp_waiting++;
}

int hv_dns_query_join(struct hv_dns *dns, struct hv_dns_asker *asker)
{
	const struct hv_dns_question *question = &asker->question;
	struct hv_dns_query *query = NULL;

	if (question->shareable)
		query = find_query(dns, question, asker->client);
	if (query) {
		add_asker(query, asker);
		return 0;
	}
	query = new_query(dns, question, asker->client);
	if (!query)
		return -ENOMEM;
	asker->own = true;
	add_asker(query, asker);
	if (!ask_next(query))
		answer_failure(query);
	return 0;
}

void hv_dns_query_leave(struct hv_dns_asker *asker)
{
	struct hv_dns_query *query = asker->query;

	TAILQ_REMOVE(&query->askers, asker, entry);
	query->asker_count--;
	asker->query = NULL;
	query->dns->tcp_waiting--;
	if (TAILQ_EMPTY(&query->askers) && !query->retired)
		retire(query);
}

void hv_dns_query_end_all(struct hv_dns *dns)
{
	while (!LIST_EMPTY(&dns->queries)) {
		struct hv_dns_query *query = LIST_FIRST(&dns->queries);
		struct hv_dns_asker *asker;

		retire(query);
		/* Clients have gone, with what they asked; who is left has a flow. */
		while ((asker = take_asker(query))) {
			hv_gateway_flow_closed(dns->gateway, &asker->flow, "haven ends");
			free(asker);
		}
	}
}
