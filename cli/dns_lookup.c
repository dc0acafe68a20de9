/*
 * Asking the gateway's DNS. See dns_lookup.h.
 */
#include "cli/dns_lookup.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "gateway/dns_answer.h"
#include "gateway/resolv_conf.h"

/* What an answer may have over UDP: the gateway's wire is as wide as any. */
#define UDP_BYTES 4096
#define AGAIN_NS  (3 * HV_NS_PER_S)

struct question {
	struct hv_dns_lookup *lookup;
	uint16_t type;
	struct haven_socket *socket;
	unsigned char *message; /* of c-ares */
	int size;
	uint16_t port; /* that it leaves from */
	uint64_t again_ns;
	bool done;
	uint8_t *answer; /* HV_DNS_MESSAGE_MAX bytes, with two of length in front */
	size_t answer_size;
	char name[HV_DNS_NAME_SIZE]; /* without the final dot */
};

static const char *type_name(uint16_t type)
{
	return type == HV_DNS_A ? "A" : "AAAA";
}

static const char *rcode_name(enum hv_dns_rcode rcode)
{
	switch (rcode) {
	case HV_DNS_NOERROR:
		return "NOERROR";
	case HV_DNS_SERVFAIL:
		return "SERVFAIL";
	case HV_DNS_NXDOMAIN:
		return "NXDOMAIN";
	case HV_DNS_NOTIMP:
		return "NOTIMP";
	case HV_DNS_REFUSED:
		return "REFUSED";
	default:
		return "an error of its own";
	}
}

/* --- telling ---------------------------------------------------------------------------- */

/* As the gateway has them. */
static void list_resolvers(char *text, size_t size)
{
	struct hv_resolv_conf conf;
	size_t used = 0;

	hv_resolv_conf_init(&conf, "/etc/resolv.conf");
	hv_resolv_conf_refresh(&conf);
	text[0] = '\0';
	for (unsigned i = 0; i < conf.count && used < size; i++) {
		char address[HV_ENDPOINT_TEXT];
		struct haven_endpoint endpoint = {0};

		haven_endpoint_from_sockaddr((const void *)&conf.servers[i].address, &endpoint);
		used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "",
					 hv_endpoint_text(&endpoint, address));
	}
}

static void tell_question(const struct question *question, const char *protocol)
{
	const struct hv_dns_lookup *lookup = question->lookup;
	char resolvers[HV_RESOLVERS_MAX * HV_ENDPOINT_TEXT], dns[HV_ENDPOINT_TEXT];

	if (!lookup->explain->on)
		return;
	list_resolvers(resolvers, sizeof(resolvers));
	hv_address_text(hv_inproc_family(lookup->inproc, true)->dns, dns);
	hv_explain_step(
		lookup->explain, "dns-question",
		json_pack("{s:s, s:s, s:s, s:i, s:i, s:s}", "name", question->name, "type",
			  type_name(question->type), "transport", protocol, "port",
			  (int)question->port, "id", (int)hv_dns_id(question->message),
			  "server", dns),
		"%s of '%s', from port %u over %s to the gateway's DNS %s:53, which asks the "
		"host's resolvers (%s) when it does not know",
		type_name(question->type), question->name, question->port, protocol, dns,
		resolvers);
}

/* "'a.test' is an alias of 'b.test'", "192.0.2.1 for 300 s" */
static void tell_record(const struct question *question, const struct hv_dns_record *record,
			char *line, size_t size)
{
	const uint8_t *data = question->answer + record->data_at;
	char text[HV_ENDPOINT_TEXT], target[HV_DNS_NAME_SIZE];
	uint8_t address[16];
	size_t end;

	if (record->type == HV_DNS_A && record->data_size == 4)
		hv_address_from_v4(address, data);
	else if (record->type == HV_DNS_AAAA && record->data_size == 16)
		memcpy(address, data, 16);
	else if (record->type == HV_DNS_CNAME &&
		 hv_dns_read_name(question->answer, question->answer_size, record->data_at,
				  target, &end)) {
		snprintf(line, size, "'%s' is an alias of '%s'", record->name, target);
		return;
	} else {
		return;
	}
	snprintf(line, size, "%s for %u s", hv_address_text(address, text), record->ttl_s);
}

static void tell_answer(const struct question *question)
{
	const struct hv_dns_lookup *lookup = question->lookup;
	char text[1024] = "";
	struct hv_dns_reader reader;
	struct hv_dns_record record;
	size_t used = 0;

	if (!lookup->explain->on ||
	    !hv_dns_read_begin(&reader, question->answer, question->answer_size))
		return;
	while (hv_dns_read_next(&reader, &record) && used < sizeof(text)) {
		char line[2 * HV_DNS_NAME_SIZE + 40] = "";

		if (record.section == HV_DNS_ANSWER)
			tell_record(question, &record, line, sizeof(line));
		if (line[0])
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s",
						 used ? ", " : "", line);
	}
	hv_explain_step(lookup->explain, "dns-answer",
			json_pack("{s:s, s:s, s:i, s:s}", "name", question->name, "type",
				  type_name(question->type), "bytes",
				  (int)question->answer_size, "rcode",
				  rcode_name(hv_dns_rcode(question->answer))),
			"%s of '%s': %s, %zu bytes: %s", type_name(question->type),
			question->name, rcode_name(hv_dns_rcode(question->answer)),
			question->answer_size, text[0] ? text : "no address");
}

/* --- UDP -------------------------------------------------------------------------------- */

static uint16_t port_of(struct haven_socket *socket)
{
	struct sockaddr_storage address;
	struct haven_endpoint endpoint = {0};
	socklen_t size = sizeof(address);

	if (haven_getsockname(socket, (struct sockaddr *)&address, &size) == 0)
		haven_endpoint_from_sockaddr((struct sockaddr *)&address, &endpoint);
	return endpoint.port;
}

/* A socket of the client's stack, connected (or connecting) to the gateway's DNS. */
static int open_socket(struct question *question, int type)
{
	struct hv_inproc *inproc = question->lookup->inproc;
	struct haven_endpoint dns = {.port = HV_PORT_DNS};
	struct sockaddr_storage address;
	socklen_t size;
	int error;

	memcpy(dns.address, hv_inproc_family(inproc, true)->dns, 16);
	size = haven_endpoint_to_sockaddr(&dns, &address);
	error = hv_inproc_socket(inproc, dns.address, type, &question->socket);
	if (error == 0)
		error = haven_connect(question->socket, (struct sockaddr *)&address, size);
	if (error == -EINPROGRESS)
		error = 0;
	if (error == 0)
		question->port = port_of(question->socket);
	return error;
}

static int begin(struct question *question, struct hv_dns_lookup *lookup, uint16_t type)
{
	uint16_t id;

	*question = (struct question){.lookup = lookup, .type = type};
	snprintf(question->name, sizeof(question->name), "%s", lookup->name);
	if (question->name[0] && question->name[strlen(question->name) - 1] == '.')
		question->name[strlen(question->name) - 1] = '\0';
	question->answer = malloc(HV_DNS_MESSAGE_MAX + 2);
	if (!question->answer || getrandom(&id, sizeof(id), 0) != sizeof(id))
		return -ENOMEM;
	if (ares_create_query(question->name, ns_c_in, type, id, 1, &question->message,
			      &question->size, UDP_BYTES) != ARES_SUCCESS)
		return -EINVAL;
	return open_socket(question, SOCK_DGRAM);
}

static void finish(struct question *question)
{
	haven_close(question->socket);
	if (question->message)
		ares_free_string(question->message);
	free(question->answer);
}

/* Whether what lies in `answer` is the answer. */
static bool is_answer(const struct question *question)
{
	size_t end;

	return hv_dns_is_query(question->message, (size_t)question->size, &end) &&
	       hv_dns_answers(question->answer, question->answer_size, question->message, end);
}

static void send_question(struct question *question)
{
	struct hv_inproc *inproc = question->lookup->inproc;

	if (question->again_ns == 0)
		tell_question(question, "UDP");
	question->again_ns = hv_inproc_now(inproc) + AGAIN_NS;
	haven_send(question->socket, question->message, (size_t)question->size, 0);
	inproc->work = true;
}

/* --- TCP -------------------------------------------------------------------------------- */

static int send_by_tcp(struct question *question)
{
	uint8_t length[2];
	ssize_t sent;

	hv_dns_put16(length, (uint16_t)question->size);
	sent = haven_send(question->socket, length, sizeof(length), MSG_MORE);
	if (sent == (ssize_t)sizeof(length))
		sent = haven_send(question->socket, question->message, (size_t)question->size,
				  0);
	return sent < 0 ? (int)sent : 0;
}

/* Until the message that its first two bytes announce is there. */
static int receive_by_tcp(struct question *question)
{
	struct hv_dns_lookup *lookup = question->lookup;
	uint8_t *buffer = question->answer;
	size_t used = 0;

	while (used < 2 || used < 2 + (size_t)hv_dns_get16(buffer)) {
		ssize_t size = haven_recv(question->socket, buffer + used,
					  HV_DNS_MESSAGE_MAX + 2 - used, 0);

		if (size == 0)
			return -ECONNRESET;
		if (size < 0 && size != -EAGAIN)
			return (int)size;
		if (size > 0)
			used += (size_t)size;
		else if (!hv_inproc_wait(lookup->inproc, question->socket,
					 HAVEN_EVENT_READABLE | HAVEN_EVENT_ERROR,
					 lookup->deadline_ns))
			return -ETIMEDOUT;
	}
	question->answer_size = hv_dns_get16(buffer);
	memmove(buffer, buffer + 2, question->answer_size);
	return is_answer(question) ? 0 : -EPROTO;
}

/* The answer that came is truncated: the whole one takes its place. */
static int ask_by_tcp(struct question *question)
{
	struct hv_dns_lookup *lookup = question->lookup;
	int error;

	haven_close(question->socket);
	question->socket = NULL;
	error = open_socket(question, SOCK_STREAM);
	if (error < 0)
		return error;
	tell_question(question, "TCP, as the answer over UDP is truncated,");
	if (!hv_inproc_wait(lookup->inproc, question->socket,
			    HAVEN_EVENT_CONNECTED | HAVEN_EVENT_ERROR, lookup->deadline_ns))
		return -ETIMEDOUT;
	error = send_by_tcp(question);
	lookup->inproc->work = true;
	return error < 0 ? error : receive_by_tcp(question);
}

/* --- both ------------------------------------------------------------------------------- */

/* 1: it has its answer; 0: not yet; a negative errno. */
static int take_answer(struct question *question)
{
	ssize_t size = haven_recv(question->socket, question->answer, HV_DNS_MESSAGE_MAX, 0);
	int error = 0;

	if (size <= 0)
		return 0;
	question->answer_size = (size_t)size;
	if (!is_answer(question))
		return 0;
	if (question->answer[2] & HV_DNS_FLAG_TC)
		error = ask_by_tcp(question);
	if (error < 0)
		return error;
	tell_answer(question);
	return 1;
}

/* 0: all have their answers; -ETIMEDOUT, or what went wrong. */
static int wait_for_answers(const struct hv_dns_lookup *lookup, struct question *questions,
			    unsigned count)
{
	struct hv_inproc *inproc = lookup->inproc;
	unsigned waiting = count;

	while (waiting > 0) {
		uint64_t next_ns = lookup->deadline_ns;

		for (unsigned i = 0; i < count; i++) {
			struct question *question = &questions[i];
			int result = question->done ? 0 : take_answer(question);

			if (result < 0)
				return result;
			question->done |= result == 1;
			waiting -= (unsigned)result;
			if (!question->done && hv_inproc_now(inproc) >= question->again_ns)
				send_question(question);
			if (!question->done && question->again_ns < next_ns)
				next_ns = question->again_ns;
		}
		if (waiting > 0 && hv_inproc_now(inproc) >= lookup->deadline_ns)
			return -ETIMEDOUT;
		if (waiting > 0 && hv_inproc_turn(inproc, next_ns) < 0)
			return -EIO;
	}
	return 0;
}

static void take_address(void *user, const char *name, const uint8_t address[16],
			 uint32_t ttl_s)
{
	const struct question *question = user;

	(void)ttl_s;
	if (strcmp(name, question->name) == 0)
		question->lookup->address(question->lookup->user, address);
}

static enum hv_dns_lookup_result judge(struct hv_dns_lookup *lookup, struct question *questions,
				       unsigned count)
{
	enum hv_dns_lookup_result result = HV_DNS_LOOKUP_NO_ANSWER;

	for (unsigned i = 0; i < count; i++) {
		enum hv_dns_rcode rcode;

		if (!questions[i].done)
			continue;
		rcode = hv_dns_rcode(questions[i].answer);
		if (rcode == HV_DNS_NOERROR) {
			hv_dns_answer_read(questions[i].answer, questions[i].answer_size,
					   take_address, &questions[i]);
			result = HV_DNS_LOOKUP_ANSWERED;
		} else if (result != HV_DNS_LOOKUP_ANSWERED) {
			lookup->rcode_name = rcode_name(rcode);
			result = rcode == HV_DNS_NXDOMAIN ? HV_DNS_LOOKUP_NO_SUCH_NAME
							  : HV_DNS_LOOKUP_FAILED;
		}
	}
	return result;
}

enum hv_dns_lookup_result hv_dns_lookup(struct hv_dns_lookup *lookup)
{
	struct question questions[2];
	enum hv_dns_lookup_result result = HV_DNS_LOOKUP_BROKEN;
	unsigned count = 0;

	lookup->error = 0;
	if (lookup->v6)
		lookup->error = begin(&questions[count++], lookup, HV_DNS_AAAA);
	if (lookup->v4 && lookup->error == 0)
		lookup->error = begin(&questions[count++], lookup, HV_DNS_A);
	if (lookup->error == 0)
		lookup->error = wait_for_answers(lookup, questions, count);
	if (lookup->error == 0 || lookup->error == -ETIMEDOUT)
		result = judge(lookup, questions, count);
	for (unsigned i = 0; i < count; i++)
		finish(&questions[i]);
	lookup->inproc->work = true;
	return result;
}
