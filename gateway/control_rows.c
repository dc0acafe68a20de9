/*
 * Rows of answers, as JSON. doc/control.schema.json describes them.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>

#include <haven/service.h>

#include "gateway/control_state.h"
#include "gateway/relay.h"
#include "gateway/services.h"

#define TEXT_MAX 512

json_t *hv_json_text(const char *text)
{
	json_t *value = json_string(text);
	char plain[TEXT_MAX];
	size_t size = 0;

	if (value)
		return value;
	for (; text[size] && size + 1 < sizeof(plain); size++)
		plain[size] = (unsigned char)text[size] < 0x80 ? text[size] : '?';
	plain[size] = '\0';
	return json_string(plain);
}

json_t *hv_json_ms(uint64_t ns)
{
	uint64_t us = ns / 1000;

	return ns ? json_real((double)us / 1000) : json_null();
}

json_t *hv_json_endpoint(const struct haven_endpoint *endpoint)
{
	char address[HV_ENDPOINT_TEXT];

	return json_pack("{s:s, s:i}", "address", hv_address_text(endpoint->address, address),
			 "port", endpoint->port);
}

json_t *hv_json_process(const struct hv_survey *survey, const struct hv_guest_socket *socket)
{
	const struct hv_guest_process *process;

	if (socket->process == HV_NO_PROCESS)
		return json_null();
	process = &survey->processes[socket->process];
	return json_pack("{s:i, s:o, s:o, s:i}", "pid", (int)process->pid, "name",
			 hv_json_text(process->name), "started",
			 process->started ? json_integer(process->started) : json_null(),
			 "holders", (int)socket->holders);
}

/* --- ports ------------------------------------------------------------------------------ */

const char *hv_control_protocol_name(uint8_t protocol)
{
	return protocol == IPPROTO_TCP ? "tcp" : "udp";
}

bool hv_control_protocol(const char *name, uint8_t *protocol)
{
	if (strcmp(name, "tcp") == 0)
		*protocol = IPPROTO_TCP;
	else if (strcmp(name, "udp") == 0)
		*protocol = IPPROTO_UDP;
	else
		return false;
	return true;
}

void hv_json_set_service(json_t *row, struct hv_control *control, uint8_t protocol,
			 uint16_t port)
{
	unsigned bit = protocol == IPPROTO_TCP ? HAVEN_SERVICE_TCP : HAVEN_SERVICE_UDP;
	const char *name;

	if (!control->services_loaded) {
		control->services_loaded = true;
		control->services = hv_services_load(HV_SERVICES_PATH);
	}
	name = haven_service_name(control->services, port, bit);
	json_object_set_new(row, "service", name ? json_string(name) : json_null());
	json_object_set_new(row, "range",
			    json_string(haven_port_class_name(haven_port_class(port))));
}

const char *hv_guest_socket_state_name(const struct hv_guest_socket *socket)
{
	/* RFC 9293 section 3.3.2, by Linux's numbers */
	static const char *const tcp[] = {
		[1] = "ESTABLISHED", [2] = "SYN-SENT",	 [3] = "SYN-RECEIVED",
		[4] = "FIN-WAIT-1",  [5] = "FIN-WAIT-2", [6] = "TIME-WAIT",
		[7] = "CLOSED",	     [8] = "CLOSE-WAIT", [9] = "LAST-ACK",
		[10] = "LISTEN",     [11] = "CLOSING",	 [12] = "SYN-RECEIVED",
		[13] = "BOUND",
	};

	if (socket->protocol == IPPROTO_UDP)
		return socket->state == HV_GUEST_ESTABLISHED ? "CONNECTED" : "BOUND";
	if (socket->state >= sizeof(tcp) / sizeof(tcp[0]) || !tcp[socket->state])
		return "UNKNOWN";
	return tcp[socket->state];
}

json_t *hv_json_publication(struct hv_control *control, const char *type,
			    const struct hv_publication_row *publication)
{
	char address[HV_ENDPOINT_TEXT];
	json_t *row =
		json_pack("{s:s, s:s, s:s, s:i, s:i, s:b, s:b}", "type", type, "protocol",
			  hv_control_protocol_name(publication->protocol), "address",
			  hv_address_text(publication->host.address, address), "host_port",
			  publication->host.port, "guest_port", publication->guest_port, "tls",
			  publication->tls, "automatic", publication->automatic);

	if (row)
		hv_json_set_service(row, control, publication->protocol,
				    publication->guest_port);
	return row;
}

/* --- flows ------------------------------------------------------------------------------ */

static bool is_tcp(enum hv_flow_kind kind)
{
	return kind == HV_FLOW_TCP_OUT || kind == HV_FLOW_TCP_IN;
}

/* As the host's kernel has measured it; 0: it has not. */
static uint64_t host_rtt_ns(const struct hv_relay *relay)
{
	struct tcp_info info;
	socklen_t size = sizeof(info);

	if (relay->phase != HV_RELAY_OPEN ||
	    getsockopt(relay->source.fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
		return 0;
	return (uint64_t)info.tcpi_rtt * 1000;
}

/* "udp" for flows of DNS: their port is one of UDP. */
static uint8_t transport_of(enum hv_flow_kind kind)
{
	return is_tcp(kind) ? IPPROTO_TCP : IPPROTO_UDP;
}

static json_t *flow_row(struct hv_control *control, const char *type, enum hv_flow_kind kind,
			const struct haven_endpoint *source,
			const struct haven_endpoint *destination, uint16_t host_port)
{
	json_t *row =
		json_pack("{s:s, s:s, s:s, s:o, s:o, s:i}", "type", type, "protocol",
			  hv_flow_protocol_name(kind), "direction",
			  hv_flow_direction_name(kind), "source", hv_json_endpoint(source),
			  "destination", hv_json_endpoint(destination), "host_port", host_port);

	if (row && kind != HV_FLOW_ECHO)
		hv_json_set_service(row, control, transport_of(kind), destination->port);
	return row;
}

static double seconds(uint64_t ns)
{
	uint64_t ms = ns / 1000000;

	return (double)ms / 1000;
}

json_t *hv_json_flow(struct hv_control *control, const struct hv_flow *flow)
{
	uint64_t now_ns = control->gateway->loop.now_ns;
	json_t *row = flow_row(control, "flow", flow->kind, &flow->source, &flow->destination,
			       flow->host_port);
	uint64_t guest_ns = 0, host_ns = 0;

	if (!row)
		return NULL;
	if (flow->relayed) {
		const struct hv_relay *relay = hv_container(flow, const struct hv_relay, flow);

		host_ns = host_rtt_ns(relay);
		if (relay->socket)
			guest_ns = haven_socket_rtt_ns(relay->socket);
	}
	if (flow->by_command)
		json_object_set_new(row, "client", json_string("haven connect"));
	if (flow->name)
		json_object_set_new(row, "name", hv_json_text(flow->name));
	if (flow->rule)
		json_object_set_new(row, "rule",
				    json_integer(haven_filter_rule_number(
					    control->gateway->policy->filter, flow->rule)));
	json_object_set_new(row, "state", json_string(hv_flow_state_name(flow->state)));
	json_object_set_new(row, "bytes_out", json_integer((json_int_t)flow->bytes_out));
	json_object_set_new(row, "bytes_in", json_integer((json_int_t)flow->bytes_in));
	json_object_set_new(row, "age_s", json_real(seconds(now_ns - flow->opened_ns)));
	json_object_set_new(row, "rtt_ms", hv_json_ms(host_ns));
	json_object_set_new(row, "guest_rtt_ms", hv_json_ms(guest_ns));
	return row;
}

json_t *hv_json_ended_flow(struct hv_control *control, const struct hv_flow_ended *ended)
{
	uint64_t now_ns = control->gateway->loop.now_ns;
	json_t *row = flow_row(control, "ended-flow", ended->kind, &ended->source,
			       &ended->destination, ended->host_port);

	if (!row)
		return NULL;
	if (ended->by_command)
		json_object_set_new(row, "client", json_string("haven connect"));
	if (ended->name[0])
		json_object_set_new(row, "name", hv_json_text(ended->name));
	json_object_set_new(row, "was_open", json_boolean(ended->was_open));
	json_object_set_new(row, "reason", hv_json_text(ended->reason));
	json_object_set_new(row, "bytes_out", json_integer((json_int_t)ended->bytes_out));
	json_object_set_new(row, "bytes_in", json_integer((json_int_t)ended->bytes_in));
	json_object_set_new(row, "lasted_s",
			    json_real(seconds(ended->closed_ns - ended->opened_ns)));
	json_object_set_new(row, "ended_s_ago", json_real(seconds(now_ns - ended->closed_ns)));
	return row;
}
