/*
 * Requests that list: info, ports, flows, drops. And those that change: publish, unpublish.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/control_state.h"

/* --- info ------------------------------------------------------------------------------- */

#define COMMAND_WORDS 64

static json_t *command_of(const struct hv_control *control)
{
	json_t *words = json_array();

	for (size_t i = 0; control->command && control->command[i] && i < COMMAND_WORDS; i++)
		json_array_append_new(words, hv_json_text(control->command[i]));
	return words;
}

static json_t *addresses_of(const struct hv_network *network)
{
	json_t *addresses = json_array();
	char text[HV_ENDPOINT_TEXT];

	if (network->v4.enabled)
		json_array_append_new(addresses,
				      json_string(hv_address_text(network->v4.guest, text)));
	if (network->v6.enabled)
		json_array_append_new(addresses,
				      json_string(hv_address_text(network->v6.guest, text)));
	return addresses;
}

static json_t *link_of(const struct hv_control *control)
{
	const struct hv_guest_wire *wire = hv_guest_wire(control->guest);

	return json_pack("{s:s, s:s, s:I, s:b}", "kind",
			 wire->kind == HV_WIRE_TAP ? "tap" : "veth", "interface", wire->ifname,
			 "mtu", (json_int_t)control->gateway->mtu, "impaired",
			 control->gateway->fault != NULL);
}

static json_int_t publication_count(const struct hv_gateway *gateway)
{
	const struct hv_published *published;
	json_int_t count = 0;

	LIST_FOREACH(published, &gateway->publish->list, entry)
		count++;
	return count;
}

static json_t *info_row(const struct hv_control *control)
{
	const struct hv_gateway *gateway = control->gateway;
	struct haven_link_counters link = {0};

	if (gateway->link)
		haven_link_counters(gateway->link, &link);
	return json_pack(
		"{s:s, s:s, s:i, s:I, s:i, s:I, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:b}",
		"type", "info", "name", control->name, "pid", (int)getpid(), "uid",
		(json_int_t)geteuid(), "guest_pid", (int)hv_guest_pid(control->guest),
		"started", (json_int_t)control->started, "command", command_of(control),
		"addresses", addresses_of(&gateway->network), "link", link_of(control), "flows",
		(json_int_t)gateway->flows.total, "bytes_out", (json_int_t)link.bytes_in,
		"bytes_in", (json_int_t)link.bytes_out, "publications",
		publication_count(gateway), "publish_auto",
		gateway->publish->automatic != NULL);
}

static bool info_step(struct hv_answer *answer, json_t **row)
{
	if (answer->stage++ > 0)
		return false;
	*row = info_row(answer->control);
	return *row != NULL;
}

const struct hv_answer_kind hv_answer_info = {.name = "info", .step = info_step};

/* --- publications ----------------------------------------------------------------------- */

static void take_publication(void *user, const struct hv_published *published)
{
	struct hv_answer *answer = user;
	size_t size = answer->publication_size ? answer->publication_size * 2 : 64;

	if (answer->publication_count == answer->publication_size) {
		void *grown =
			realloc(answer->publications, size * sizeof(*answer->publications));

		if (!grown) {
			answer->out_of_memory = true;
			return;
		}
		answer->publications = grown;
		answer->publication_size = size;
	}
	answer->publications[answer->publication_count++] = (struct hv_publication_row){
		.host = published->host,
		.guest_port = published->guest_port,
		.protocol = published->protocol,
		.tls = published->tls,
		.automatic = published->automatic,
	};
}

int hv_answer_take_publications(struct hv_answer *answer)
{
	const struct hv_published *published;

	LIST_FOREACH(published, &answer->control->gateway->publish->list, entry)
		take_publication(answer, published);
	return answer->out_of_memory ? hv_answer_fail(answer, -ENOMEM, "out of memory") : 0;
}

/* The rows of answer->publications. */
static bool publication_step(struct hv_answer *answer, const char *type, json_t **row)
{
	if (answer->position >= answer->publication_count)
		return false;
	*row = hv_json_publication(answer->control, type,
				   &answer->publications[answer->position++]);
	return true;
}

/* --- ports ------------------------------------------------------------------------------ */

enum { PORTS_PUBLICATIONS, PORTS_SOCKETS };

static json_t *socket_row(const struct hv_answer *answer, const struct hv_guest_socket *socket)
{
	bool connected = socket->remote.port != 0;
	char address[HV_ENDPOINT_TEXT];
	json_t *row =
		json_pack("{s:s, s:s, s:s, s:i, s:s, s:o, s:I, s:o}", "type", "port",
			  "protocol", hv_control_protocol_name(socket->protocol), "address",
			  hv_address_text(socket->local.address, address), "port",
			  socket->local.port, "state", hv_guest_socket_state_name(socket),
			  "remote", connected ? hv_json_endpoint(&socket->remote) : json_null(),
			  "uid", (json_int_t)socket->uid, "process",
			  hv_json_process(answer->survey, socket));

	if (!row)
		return NULL;
	if (socket->protocol == IPPROTO_TCP && socket->state == HV_GUEST_LISTEN)
		json_object_set_new(row, "connections",
				    json_integer((json_int_t)socket->connections));
	if (socket->state == HV_GUEST_TIME_WAIT)
		json_object_set_new(row, "expires_ms",
				    json_integer((json_int_t)socket->expires_ms));
	if (socket->ipv6 && hv_address_is_unspecified(socket->local.address))
		json_object_set_new(row, "ipv6_only", json_boolean(socket->only6));
	hv_json_set_service(row, answer->control, socket->protocol, socket->local.port);
	return row;
}

static int ports_begin(struct hv_answer *answer)
{
	const json_t *all = json_object_get(answer->request, "all");

	if (all && !json_is_boolean(all))
		return hv_answer_fail(answer, -EINVAL, "\"all\" is neither true nor false");
	answer->needs_survey = true;
	return 0;
}

static bool ports_step(struct hv_answer *answer, json_t **row)
{
	const struct hv_survey *survey = answer->survey;
	bool all = json_is_true(json_object_get(answer->request, "all"));
	const struct hv_guest_socket *socket;

	if (answer->stage == PORTS_PUBLICATIONS) {
		if (answer->position == 0 && hv_answer_take_publications(answer) < 0)
			return false;
		if (publication_step(answer, "publication", row))
			return true;
		answer->stage = PORTS_SOCKETS;
		answer->position = 0;
	}
	if (answer->position >= survey->count)
		return false;
	socket = &survey->sockets[answer->position++];
	if (socket->local.port != 0 && (all || !socket->counted))
		*row = socket_row(answer, socket);
	return true;
}

const struct hv_answer_kind hv_answer_ports = {
	.name = "ports",
	.begin = ports_begin,
	.step = ports_step,
};

/* --- flows ------------------------------------------------------------------------------ */

static int flows_begin(struct hv_answer *answer)
{
	hv_flow_cursor_begin(&answer->control->gateway->flows, &answer->cursor);
	answer->has_cursor = true;
	return 0;
}

static bool flows_step(struct hv_answer *answer, json_t **row)
{
	const struct hv_flow *flow = hv_flow_cursor_next(&answer->cursor);

	if (!flow)
		return false;
	*row = hv_json_flow(answer->control, flow);
	return true;
}

const struct hv_answer_kind hv_answer_flows = {
	.name = "flows",
	.begin = flows_begin,
	.step = flows_step,
};

/* --- drops ------------------------------------------------------------------------------ */

static bool drops_step(struct hv_answer *answer, json_t **row)
{
	unsigned reason = (unsigned)answer->position++;
	uint64_t count;

	if (reason >= haven_drop_reasons())
		return false;
	count = haven_drop_count(answer->control->gateway->stack, reason);
	if (count > 0)
		*row = json_pack("{s:s, s:s, s:I}", "type", "drop", "reason",
				 haven_drop_name(reason), "count", (json_int_t)count);
	return true;
}

const struct hv_answer_kind hv_answer_drops = {.name = "drops", .step = drops_step};

/* --- publish, unpublish ----------------------------------------------------------------- */

/* One request may not keep the guest's traffic waiting for longer than this takes. */
#define PORTS_AT_ONCE 1024

static int publication_of(struct hv_answer *answer, struct hv_publication *publication,
			  bool *automatic)
{
	const char *spec = json_string_value(json_object_get(answer->request, "spec"));
	struct hv_gateway_error *error = &answer->error;

	if (!spec)
		return hv_answer_fail(answer, -EINVAL, "the member \"spec\" is missing");
	*automatic = strcmp(spec, "auto") == 0;
	if (*automatic)
		return 0;
	if (!hv_publication_parse(spec, publication, error->text, sizeof(error->text)))
		return -EINVAL;
	if (publication->guest_last - publication->guest_first >= PORTS_AT_ONCE ||
	    publication->host_last - publication->host_first >= PORTS_AT_ONCE)
		return hv_answer_fail(answer, -EINVAL, "'%.60s': at most %d ports at a time",
				      spec, PORTS_AT_ONCE);
	return 0;
}

static int publish_begin(struct hv_answer *answer)
{
	struct hv_gateway *gateway = answer->control->gateway;
	struct hv_publication publication;
	bool automatic = false;
	int failed = publication_of(answer, &publication, &automatic);

	if (failed < 0)
		return failed;
	if (automatic)
		return gateway->publish->automatic
			       ? 0
			       : hv_publish_auto_start(
					 gateway,
					 hv_guest_wire(answer->control->guest)->diag_fd);
	return hv_publish_add(gateway, &publication, take_publication, answer, &answer->error);
}

static bool publish_step(struct hv_answer *answer, json_t **row)
{
	return publication_step(answer, "published", row);
}

const struct hv_answer_kind hv_answer_publish = {
	.name = "publish",
	.begin = publish_begin,
	.step = publish_step,
};

/* Ends -p auto, and what came of it. */
static void end_automatic(struct hv_answer *answer)
{
	struct hv_gateway *gateway = answer->control->gateway;
	struct hv_published *published = LIST_FIRST(&gateway->publish->list);

	hv_publish_auto_stop(gateway);
	while (published) {
		struct hv_published *next = LIST_NEXT(published, entry);

		if (published->automatic) {
			take_publication(answer, published);
			hv_publish_close(published);
		}
		published = next;
	}
}

static int unpublish_begin(struct hv_answer *answer)
{
	struct hv_gateway *gateway = answer->control->gateway;
	struct hv_publication publication;
	bool automatic = false;
	int failed = publication_of(answer, &publication, &automatic);

	if (failed < 0)
		return failed;
	if (automatic && !gateway->publish->automatic)
		return hv_answer_fail(answer, -ENOENT, "'auto' is not published");
	if (automatic)
		end_automatic(answer);
	else if (hv_publish_remove(gateway, &publication, take_publication, answer) == 0)
		return hv_answer_fail(answer, -ENOENT,
				      "'%.60s' is not published; 'haven ports' shows what is",
				      json_string_value(
					      json_object_get(answer->request, "spec")));
	return 0;
}

static bool unpublish_step(struct hv_answer *answer, json_t **row)
{
	return publication_step(answer, "unpublished", row);
}

const struct hv_answer_kind hv_answer_unpublish = {
	.name = "unpublish",
	.begin = unpublish_begin,
	.step = unpublish_step,
};
