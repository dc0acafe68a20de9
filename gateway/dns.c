/*
 * A question's way through the gateway. See dns.h.
 *
 * Answers of all kinds leave by hv_dns_deliver(): there they get what is the question's own, and the watcher sees them.
 */
#include "gateway/dns.h"

#include <errno.h>
#include <stdlib.h>

#include "gateway/dns_answer.h"
#include "gateway/dns_state.h"

/* --- answers ---------------------------------------------------------------------------- */

/* The guest's identifier, and the question in the guest's spelling. */
static void dress(const struct hv_dns_asker *asker, uint8_t *message, size_t size)
{
	const struct hv_dns_question *question = &asker->question;

	hv_dns_set_id(message, hv_dns_id(question->message));
	if (!asker->own && hv_dns_get16(message + 4) == 1 && size >= question->end)
		memcpy(message + HV_DNS_HEADER_SIZE, question->message + HV_DNS_HEADER_SIZE,
		       question->end - HV_DNS_HEADER_SIZE);
}

static void send_datagram(struct hv_dns_asker *asker, uint8_t *message, size_t size,
			  const char *reason)
{
	struct hv_gateway *gateway = asker->dns->gateway;
	struct iovec iov = {.iov_base = message, .iov_len = size};

	asker->flow.bytes_in += size;
	haven_datagram_send(gateway->stack, &asker->flow.destination, &asker->flow.source, &iov,
			    1, 0, 0);
	gateway->stack_work = true;
	hv_gateway_flow_closed(gateway, &asker->flow, reason);
}

void hv_dns_deliver(struct hv_dns_asker *asker, uint8_t *message, size_t size,
		    const char *reason)
{
	const struct hv_dns_watcher *watcher = &asker->dns->watcher;
	uint8_t small[HV_DNS_QUESTION_MAX];

	/* What was made for another may be more than this one takes. */
	if (!asker->client && !asker->own && size > asker->question.udp_size) {
		size = hv_dns_write_truncated(small, &asker->question, hv_dns_rcode(message));
		message = small;
	}
	dress(asker, message, size);
	if (watcher->bound)
		hv_dns_answer_read(message, size, watcher->bound, watcher->user);
	if (asker->client)
		hv_dns_client_answer(asker, message, size);
	else
		send_datagram(asker, message, size, reason);
	free(asker);
}

/* --- what needs no resolver ------------------------------------------------------------- */

/* --dns-strict: only names that the policy knows are asked for, and nothing that could carry others out. */
static bool is_wanted(const struct hv_dns *dns, const struct hv_dns_question *question)
{
	const struct hv_dns_watcher *watcher = &dns->watcher;
	const char *name = hv_dns_without_port(question->name, question->type);

	if (!watcher->wanted)
		return true;
	if ((question->message[2] & HV_DNS_MASK_OPCODE) || question->class != HV_DNS_CLASS_IN ||
	    !question->name[0])
		return false;
	return watcher->wanted(watcher->user, question->name) ||
	       (name != question->name && watcher->wanted(watcher->user, name));
}

/* An answer in dns->scratch; 0: none. *reason: where it is from. */
static size_t answer_here(struct hv_dns *dns, const struct hv_dns_question *question, bool tcp,
			  const char **reason)
{
	size_t size = hv_dns_static_answer(&dns->names, question, dns->scratch);

	*reason = "answered by haven";
	if (size)
		return size;
	if (!is_wanted(dns, question)) {
		*reason = "refused: the policy has no such name";
		return hv_dns_write_empty(dns->scratch, question, HV_DNS_REFUSED,
					  HV_DNS_ERROR_BLOCKED);
	}
	/* A transfer is more than one message (RFC 5936 section 2.2), and nothing that a resolver gives. */
	if (tcp && (question->type == HV_DNS_AXFR || question->type == HV_DNS_IXFR))
		return hv_dns_write_empty(dns->scratch, question, HV_DNS_NOTIMP,
					  HV_DNS_ERROR_NONE);
	*reason = "answered from the cache";
	if (question->shareable)
		size = hv_dns_cache_get(&dns->cache, question, dns->gateway->loop.now_ns,
					dns->scratch);
	if (size == 0 && tcp && dns->tcp_waiting >= HV_DNS_TCP_WAITING_MAX)
		size = hv_dns_write_empty(dns->scratch, question, HV_DNS_SERVFAIL,
					  HV_DNS_ERROR_NONE);
	return size;
}

/* --- questions -------------------------------------------------------------------------- */

static struct hv_dns_asker *new_asker(struct hv_dns *dns, struct hv_dns_client *client,
				      const struct haven_datagram *datagram,
				      const struct hv_dns_question *question)
{
	struct hv_dns_asker *asker = calloc(1, sizeof(*asker) + question->size);

	if (!asker)
		return NULL;
	asker->dns = dns;
	asker->question = *question;
	memcpy(asker->message, question->message, question->size);
	asker->question.message = asker->message;
	if (client) {
		hv_dns_client_add(client, asker);
		return asker;
	}
	asker->flow.kind = HV_FLOW_DNS;
	asker->flow.source = datagram->source;
	asker->flow.destination = datagram->destination;
	asker->flow.bytes_out = question->size;
	hv_gateway_flow_opened(dns->gateway, &asker->flow);
	return asker;
}

static int wait_for_resolver(struct hv_dns *dns, struct hv_dns_client *client,
			     const struct haven_datagram *datagram,
			     const struct hv_dns_question *question)
{
	struct hv_gateway *gateway = dns->gateway;
	struct hv_dns_asker *asker;

	if (!client && !hv_flow_allowed(&gateway->flows, HV_FLOW_DNS)) {
		hv_gateway_limit_reached(gateway, HV_FLOW_DNS);
		return -EMFILE;
	}
	asker = new_asker(dns, client, datagram, question);
	if (!asker)
		return -ENOMEM;
	if (hv_dns_query_join(dns, asker) < 0)
		hv_dns_deliver(asker, dns->scratch,
			       hv_dns_write_empty(dns->scratch, question, HV_DNS_SERVFAIL,
						  HV_DNS_ERROR_NONE),
			       "out of memory");
	return 0;
}

int hv_dns_ask(struct hv_dns *dns, struct hv_dns_client *client,
	       const struct haven_datagram *datagram, const uint8_t *message, size_t size)
{
	struct hv_dns_question question;
	struct hv_dns_asker *asker;
	const char *reason;

	if (size > HV_DNS_QUESTION_MAX || !hv_dns_question_parse(&question, message, size))
		return -EINVAL;
	hv_dns_refresh(dns);
	size = answer_here(dns, &question, client, &reason);
	if (size == 0)
		return wait_for_resolver(dns, client, datagram, &question);
	asker = new_asker(dns, client, datagram, &question);
	if (!asker)
		return -ENOMEM;
	hv_dns_deliver(asker, dns->scratch, size, reason);
	return 0;
}

void hv_dns_query(struct hv_dns *dns, const struct haven_datagram *datagram)
{
	size_t each = datagram->gso_size ? datagram->gso_size : datagram->size;

	for (size_t at = 0; at < datagram->size; at += each) {
		size_t left = datagram->size - at;

		hv_dns_ask(dns, NULL, datagram, datagram->data + at, left < each ? left : each);
	}
}

/* --- the whole -------------------------------------------------------------------------- */

void hv_dns_watch(struct hv_dns *dns, const struct hv_dns_watcher *watcher)
{
	dns->watcher = *watcher;
}

void hv_dns_stats(const struct hv_dns *dns, struct hv_dns_stats *stats)
{
	*stats = (struct hv_dns_stats){
		.kept = dns->cache.table.count,
		.kept_bytes = dns->cache.bytes,
		.hits = dns->cache.hits,
		.misses = dns->cache.misses,
		.connections = dns->client_count,
	};
}

/* RFC 7766 section 6.2.3: of the order of seconds. */
#define CLIENT_IDLE_NS (10 * HV_NS_PER_S)

int hv_dns_create(struct hv_gateway *gateway, const struct hv_gateway_config *config)
{
	struct hv_dns *dns = calloc(1, sizeof(*dns));

	if (!dns)
		return -ENOMEM;
	gateway->dns = dns;
	dns->gateway = gateway;
	dns->names = (struct hv_dns_static){
		.names = config->static_names,
		.count = config->static_name_count,
		.network = &gateway->network,
		.host_address = hv_dns_static_host_address,
	};
	hv_dns_cache_init(&dns->cache);
	hv_table_init(&dns->shared);
	hv_idle_init(&dns->idle, &gateway->loop, CLIENT_IDLE_NS, CLIENT_IDLE_NS);
	LIST_INIT(&dns->queries);
	LIST_INIT(&dns->streams);
	LIST_INIT(&dns->clients);
	hv_resolv_conf_init(&dns->conf, "/etc/resolv.conf");
	hv_resolv_conf_refresh(&dns->conf);
	dns->scratch = malloc(HV_DNS_MESSAGE_MAX);
	return dns->scratch ? 0 : -ENOMEM;
}

void hv_dns_destroy(struct hv_gateway *gateway)
{
	struct hv_dns *dns = gateway->dns;

	if (!dns)
		return;
	hv_dns_client_end_all(dns);
	hv_dns_query_end_all(dns);
	hv_dns_stream_end_all(dns);
	hv_idle_finish(&dns->idle);
	hv_loop_end_turn(&gateway->loop);
	hv_dns_cache_finish(&dns->cache);
	hv_table_finish(&dns->shared);
	free(dns->scratch);
	free(dns);
	gateway->dns = NULL;
}
