/*
 * The request "why": who holds a port of the guest and until when, and what became of flows with an
 * endpoint. One row for each thing that can be said.
 */
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <haven/service.h>

#include "gateway/control_state.h"

/* Linux's default for net.ipv4.ip_unprivileged_port_start; haven run sets its own inside. */
#define LINUX_PRIVILEGED_LIMIT 1024u

/* --- text ------------------------------------------------------------------------------- */

/* "10:03:12", with the date when that is another day. */
static const char *time_text(time_t at, char text[32])
{
	time_t now = time(NULL);
	struct tm then, today;

	localtime_r(&at, &then);
	localtime_r(&now, &today);
	strftime(text, 32,
		 then.tm_year == today.tm_year && then.tm_yday == today.tm_yday
			 ? "%H:%M:%S"
			 : "%Y-%m-%d %H:%M:%S",
		 &then);
	return text;
}

static void process_text(const struct hv_survey *survey, const struct hv_guest_socket *socket,
			 char *text, size_t size)
{
	const struct hv_guest_process *process;
	char when[32];

	if (socket->process == HV_NO_PROCESS) {
		if (socket->inode == 0)
			snprintf(text, size, "the kernel, after its process has ended");
		else
			snprintf(text, size,
				 "a process of user %u that cannot be seen from here",
				 socket->uid);
		return;
	}
	process = &survey->processes[socket->process];
	if (process->started)
		snprintf(text, size, "%s (process %d, which runs since %s)", process->name,
			 (int)process->pid, time_text(process->started, when));
	else
		snprintf(text, size, "%s (process %d)", process->name, (int)process->pid);
}

json_t *hv_why_row(const struct hv_answer *answer, const char *verdict, const char *format, ...)
{
	char text[1024];
	va_list arguments;
	json_t *row;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	row = json_pack("{s:s, s:s, s:o}", "type", "why", "verdict", verdict, "text",
			hv_json_text(text));
	if (row && answer->port) {
		const char *protocol =
			hv_control_protocol_name(answer->protocols[answer->why.protocol]);

		json_object_set_new(row, "protocol", json_string(protocol));
		json_object_set_new(row, "port", json_integer(answer->port));
	}
	return row;
}

/* --- a port ----------------------------------------------------------------------------- */

/*
 * Once for each protocol:
 *	SOCKETS, a row for each that holds the port by itself; the others are counted
 *	REST, a row for all connections, one for all in TIME-WAIT
 *	PUBLICATIONS
 *	VERDICT, when nothing holds it
 */
enum {
	WHY_SOCKETS,
	WHY_CONNECTIONS,
	WHY_TIME_WAIT,
	WHY_PUBLICATIONS,
	WHY_VERDICT,
	WHY_NEXT_PROTOCOL,
	WHY_FLOWS,
	WHY_ENDED_FLOWS,
	WHY_REFUSALS,
	WHY_DESTINATION,
	WHY_RULES_TCP,
	WHY_RULES_UDP,
	WHY_END,
};

static json_t *holder_row(struct hv_answer *answer, const struct hv_guest_socket *socket)
{
	bool listens = socket->protocol == IPPROTO_TCP;
	char holder[160], address[HV_ENDPOINT_TEXT], more[64] = "", shared[64] = "";
	json_t *row;

	process_text(answer->survey, socket, holder, sizeof(holder));
	if (listens)
		snprintf(more, sizeof(more), ", with %u connection%s", socket->connections,
			 socket->connections == 1 ? "" : "s");
	if (socket->holders > 1)
		snprintf(shared, sizeof(shared), "; %u processes share it", socket->holders);
	row = hv_why_row(answer, "bound", "%u/%s is %s by %s at %s%s%s", answer->port,
			 hv_control_protocol_name(socket->protocol),
			 listens ? "listened on" : "bound", holder,
			 hv_address_text(socket->local.address, address), more, shared);
	if (row) {
		json_object_set_new(row, "address", json_string(address));
		json_object_set_new(row, "process", hv_json_process(answer->survey, socket));
	}
	return row;
}

static void see_socket(struct hv_answer *answer, const struct hv_guest_socket *socket,
		       json_t **row)
{
	struct hv_why *why = &answer->why;

	if (socket->protocol != answer->protocols[why->protocol] ||
	    socket->local.port != answer->port)
		return;
	if (socket->state == HV_GUEST_TIME_WAIT) {
		why->time_waits++;
		if (socket->expires_ms > why->expires_ms)
			why->expires_ms = socket->expires_ms;
	} else if (socket->remote.port != 0) {
		if (socket->counted)
			return;
		why->connection = socket;
		why->connections++;
	} else {
		why->holds = true;
		*row = holder_row(answer, socket);
	}
}

static json_t *connection_row(struct hv_answer *answer)
{
	const struct hv_why *why = &answer->why;
	char holder[160], remote[HV_ENDPOINT_TEXT], more[64] = "";
	json_t *row;

	process_text(answer->survey, why->connection, holder, sizeof(holder));
	if (why->connections > 1)
		snprintf(more, sizeof(more), ", and by %u others", why->connections - 1);
	row = hv_why_row(answer, "connected", "%u/%s is used by a connection of %s to %s%s",
			 answer->port, hv_control_protocol_name(why->connection->protocol),
			 holder, hv_endpoint_text(&why->connection->remote, remote), more);
	if (row) {
		json_object_set_new(row, "process",
				    hv_json_process(answer->survey, why->connection));
		json_object_set_new(row, "remote", hv_json_endpoint(&why->connection->remote));
	}
	return row;
}

static json_t *time_wait_row(struct hv_answer *answer)
{
	const struct hv_why *why = &answer->why;
	time_t until = answer->survey->taken + why->expires_ms / 1000;
	char when[32];
	json_t *row = hv_why_row(
		answer, "time-wait",
		"%u/%s is in TIME-WAIT until %s (%u s, %u connection%s that ha%s ended); a "
		"program with SO_REUSEADDR can listen on it now",
		answer->port, "tcp", time_text(until, when), why->expires_ms / 1000,
		why->time_waits, why->time_waits == 1 ? "" : "s",
		why->time_waits == 1 ? "s" : "ve");

	if (row)
		json_object_set_new(row, "until", json_integer((json_int_t)until));
	return row;
}

static json_t *published_row(const struct hv_answer *answer,
			     const struct hv_publication_row *publication)
{
	const char *name = hv_control_protocol_name(publication->protocol);
	char host[HV_ENDPOINT_TEXT];

	if (publication->protocol != answer->protocols[answer->why.protocol])
		return NULL;
	hv_endpoint_text(&publication->host, host);
	if (publication->guest_port == answer->port)
		return hv_why_row(answer, "published",
				  "%u/%s is published at %s of the host%s%s", answer->port,
				  name, host, publication->tls ? ", with TLS" : "",
				  publication->automatic ? ", by 'auto'" : "");
	if (publication->host.port == answer->port)
		return hv_why_row(
			answer, "host-port",
			"%s of the host is where port %u/%s of the guest is published%s", host,
			publication->guest_port, name, publication->tls ? ", with TLS" : "");
	return NULL;
}

static json_t *free_row(const struct hv_answer *answer)
{
	const char *name = hv_control_protocol_name(answer->protocols[answer->why.protocol]);
	const struct hv_control *control = answer->control;
	uint32_t limit = control->attached ? LINUX_PRIVILEGED_LIMIT : control->privileged_ports;
	json_t *row;

	if (answer->port >= limit)
		row = hv_why_row(answer, "free", "%u/%s is free", answer->port, name);
	else if (control->attached)
		row = hv_why_row(
			answer, "privileged",
			"%u/%s is free; below %u, a program needs CAP_NET_BIND_SERVICE in "
			"the namespace, or net.ipv4.ip_unprivileged_port_start has to be lower",
			answer->port, name, limit);
	else
		row = hv_why_row(
			answer, "privileged",
			"%u/%s is free, and privileged: binding below %u takes root inside "
			"('haven run --root'), or a lower --privileged-ports; from %u on, "
			"ports are for all",
			answer->port, name, limit, limit);
	if (row)
		hv_json_set_service(row, answer->control,
				    answer->protocols[answer->why.protocol], answer->port);
	return row;
}

static void next_stage(struct hv_answer *answer, unsigned stage)
{
	answer->stage = stage;
	answer->position = 0;
}

/* Stages of one protocol. */
static void port_step(struct hv_answer *answer, json_t **row)
{
	struct hv_why *why = &answer->why;

	switch (answer->stage) {
	case WHY_SOCKETS:
		if (answer->position < answer->survey->count)
			see_socket(answer, &answer->survey->sockets[answer->position++], row);
		else
			next_stage(answer, WHY_CONNECTIONS);
		break;
	case WHY_CONNECTIONS:
		if (why->connections > 0 && !why->holds)
			*row = connection_row(answer);
		next_stage(answer, WHY_TIME_WAIT);
		break;
	case WHY_TIME_WAIT:
		if (why->time_waits > 0 && !why->holds)
			*row = time_wait_row(answer);
		next_stage(answer, WHY_PUBLICATIONS);
		break;
	case WHY_PUBLICATIONS:
		if (answer->position < answer->publication_count)
			*row = published_row(answer, &answer->publications[answer->position++]);
		else
			next_stage(answer, WHY_VERDICT);
		break;
	case WHY_VERDICT:
		if (!why->holds && why->connections == 0 && why->time_waits == 0)
			*row = free_row(answer);
		next_stage(answer, WHY_NEXT_PROTOCOL);
		break;
	default: /* WHY_NEXT_PROTOCOL */
		*why = (struct hv_why){.protocol = why->protocol + 1};
		next_stage(answer, why->protocol < 2 && answer->protocols[why->protocol]
					   ? WHY_SOCKETS
					   : WHY_END);
		break;
	}
}

/* --- an endpoint ------------------------------------------------------------------------ */

static bool has_end(const struct hv_answer *answer, const struct haven_endpoint *source,
		    const struct haven_endpoint *destination)
{
	return hv_endpoint_equal(source, &answer->endpoint) ||
	       hv_endpoint_equal(destination, &answer->endpoint);
}

static bool has_name(const struct hv_answer *answer, const char *name, uint16_t port)
{
	return answer->name[0] && name && port == answer->endpoint.port &&
	       strcmp(answer->name, name) == 0;
}

/* What would become of a packet there. NULL: it goes to the host's network, if rules let it. */
static json_t *destination_row(const struct hv_answer *answer)
{
	const struct hv_network *network = &answer->control->gateway->network;
	const struct hv_network_family *family =
		hv_network_family_of(network, answer->endpoint.address);
	struct haven_endpoint host;
	char text[HV_ENDPOINT_TEXT];

	hv_endpoint_text(&answer->endpoint, text);
	if (!family->enabled)
		return hv_why_row(answer, "unreachable",
				  "%s is of a family that the guest has not", text);
	if (hv_address_equal(answer->endpoint.address, family->guest))
		return hv_why_row(answer, "guest", "%s is the guest itself", text);
	switch (hv_policy_destination(network, &answer->endpoint, &host)) {
	case HV_DESTINATION_HOST:
		return NULL; /* it is for the rules to say */
	case HV_DESTINATION_DNS:
		return hv_why_row(answer, "dns", "%s is the gateway's DNS", text);
	case HV_DESTINATION_REFUSED:
		return hv_why_row(answer, "refused",
				  "%s is the gateway's own, and refused: nothing listens there",
				  text);
	case HV_DESTINATION_UNREACHABLE:
		return hv_why_row(answer, "unreachable",
				  "%s is out of reach for the guest: no such destination is "
				  "forwarded",
				  text);
	case HV_DESTINATION_IGNORED:
		break;
	}
	return hv_why_row(answer, "ignored",
			  "%s is multicast or broadcast, which is not forwarded", text);
}

/* position: the number of the last that was seen. */
static void refusal_step(struct hv_answer *answer, json_t **row)
{
	const struct hv_refused *next =
		hv_refusal_after(answer->control->gateway->policy, answer->position);

	if (!next) {
		next_stage(answer, WHY_DESTINATION);
		return;
	}
	answer->position = next->number;
	if (answer->name[0] ? strcmp(answer->name, next->name) == 0 &&
				      answer->endpoint.port == next->destination.port
			    : has_end(answer, &next->source, &next->destination))
		*row = hv_json_refused(answer->control, next);
}

static void endpoint_step(struct hv_answer *answer, json_t **row)
{
	struct hv_flow_table *flows = &answer->control->gateway->flows;
	const struct hv_flow *flow;
	const struct hv_flow_ended *ended;

	switch (answer->stage) {
	case WHY_FLOWS:
		flow = hv_flow_cursor_next(&answer->cursor);
		if (!flow)
			next_stage(answer, WHY_ENDED_FLOWS);
		else if (has_end(answer, &flow->source, &flow->destination) ||
			 has_name(answer, flow->name, flow->destination.port))
			*row = hv_json_flow(answer->control, flow);
		break;
	case WHY_ENDED_FLOWS: /* newest first */
		if (answer->position == HV_FLOWS_ENDED ||
		    answer->position >= flows->ended_count) {
			next_stage(answer, WHY_REFUSALS);
			break;
		}
		ended = &flows->ended[(flows->ended_count - ++answer->position) %
				      HV_FLOWS_ENDED];
		if (has_end(answer, &ended->source, &ended->destination) ||
		    has_name(answer, ended->name, ended->destination.port))
			*row = hv_json_ended_flow(answer->control, ended);
		break;
	case WHY_REFUSALS:
		refusal_step(answer, row);
		break;
	case WHY_DESTINATION:
		*row = answer->name[0] ? NULL : destination_row(answer);
		next_stage(answer, *row ? WHY_END : WHY_RULES_TCP);
		break;
	case WHY_RULES_TCP:
		*row = hv_why_policy_row(answer, IPPROTO_TCP);
		next_stage(answer, WHY_RULES_UDP);
		break;
	default: /* WHY_RULES_UDP */
		*row = hv_why_policy_row(answer, IPPROTO_UDP);
		next_stage(answer, WHY_END);
		break;
	}
}

/* --- the request ------------------------------------------------------------------------ */

static int port_begin(struct hv_answer *answer, const json_t *port, const json_t *protocol)
{
	json_int_t number = json_integer_value(port);

	if (!json_is_integer(port) || number < 1 || number > 65535)
		return hv_answer_fail(answer, -EINVAL, "\"port\" is no number from 1 to 65535");
	answer->port = (uint16_t)number;
	answer->protocols[0] = IPPROTO_TCP;
	answer->protocols[1] = IPPROTO_UDP;
	if (protocol) {
		answer->protocols[1] = 0;
		if (!json_is_string(protocol) ||
		    !hv_control_protocol(json_string_value(protocol), &answer->protocols[0]))
			return hv_answer_fail(answer, -EINVAL,
					      "\"protocol\" is neither \"tcp\" nor \"udp\"");
	}
	answer->stage = WHY_SOCKETS;
	answer->needs_survey = true;
	return hv_answer_take_publications(answer);
}

/* "example.org:443": a name in place of the address. */
static bool name_parse(struct hv_answer *answer, const char *text)
{
	const char *colon = strrchr(text, ':');
	size_t size = colon ? (size_t)(colon - text) : 0;
	struct haven_ports ports;

	if (size == 0 || size >= sizeof(answer->name) || memchr(text, ':', size) ||
	    haven_ports_parse(NULL, colon + 1, strlen(colon + 1), 0, &ports) < 0 ||
	    ports.first == 0 || ports.first != ports.last)
		return false;
	for (size_t i = 0; i < size; i++) {
		if (!isalnum((unsigned char)text[i]) && !strchr(".-_", text[i]))
			return false;
		answer->name[i] = (char)tolower((unsigned char)text[i]);
	}
	answer->name[size] = '\0';
	hv_address_from_v4(answer->endpoint.address, "\0\0\0\0");
	answer->endpoint.port = ports.first;
	return true;
}

static int why_begin(struct hv_answer *answer)
{
	const json_t *port = json_object_get(answer->request, "port");
	const char *endpoint = json_string_value(json_object_get(answer->request, "endpoint"));

	if (port)
		return port_begin(answer, port, json_object_get(answer->request, "protocol"));
	if (!endpoint)
		return hv_answer_fail(answer, -EINVAL,
				      "one of the members \"port\" and \"endpoint\" is needed");
	if (!hv_endpoint_parse(endpoint, &answer->endpoint) && !name_parse(answer, endpoint))
		return hv_answer_fail(
			answer, -EINVAL,
			"'%.80s' is none of ADDRESS:PORT, [ADDRESS]:PORT, NAME:PORT with a "
			"port from 1 to 65535 or the name of a service",
			endpoint);
	answer->stage = WHY_FLOWS;
	hv_flow_cursor_begin(&answer->control->gateway->flows, &answer->cursor);
	answer->has_cursor = true;
	return 0;
}

static bool why_step(struct hv_answer *answer, json_t **row)
{
	if (answer->stage == WHY_END)
		return false;
	if (answer->port)
		port_step(answer, row);
	else
		endpoint_step(answer, row);
	return true;
}

const struct hv_answer_kind hv_answer_why = {
	.name = "why",
	.begin = why_begin,
	.step = why_step,
};
