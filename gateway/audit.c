/*
 * Lines of the audit. See audit.h.
 */
#include "gateway/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <haven/service.h>

#include "gateway/gateway.h"

/* Written before the turn's end when so much has come together. */
#define BUFFER_BYTES 65536

struct hv_audit {
	struct hv_gateway *gateway;
	int fd;
	uint64_t flows; /* ever */
	bool broken;
	char *path;
	size_t used;
	char buffer[BUFFER_BYTES];
};

int hv_audit_open(const char *path, struct hv_gateway *gateway, struct hv_audit **out,
		  struct hv_gateway_error *error)
{
	struct hv_audit *audit = calloc(1, sizeof(*audit));

	if (!audit)
		return -ENOMEM;
	audit->gateway = gateway;
	audit->path = strdup(path);
	audit->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (audit->fd < 0 || !audit->path) {
		int failed = -errno;

		snprintf(error->text, sizeof(error->text), "cannot write '%s': %s", path,
			 strerror(-failed));
		free(audit->path);
		free(audit);
		return failed;
	}
	*out = audit;
	return 0;
}

void hv_audit_flush(struct hv_audit *audit)
{
	size_t done = 0;

	while (audit && !audit->broken && done < audit->used) {
		ssize_t size = write(audit->fd, audit->buffer + done, audit->used - done);

		if (size > 0) {
			done += (size_t)size;
		} else if (errno != EINTR) {
			hv_log_line(audit->gateway->log, HV_LOG_WARNING,
				    "the audit ends here: cannot write '%s': %s", audit->path,
				    strerror(errno));
			audit->broken = true;
		}
	}
	if (audit)
		audit->used = 0;
}

void hv_audit_close(struct hv_audit *audit)
{
	if (!audit)
		return;
	hv_audit_flush(audit);
	close(audit->fd);
	free(audit->path);
	free(audit);
}

static int append(const char *data, size_t size, void *user)
{
	struct hv_audit *audit = user;

	if (size > BUFFER_BYTES - audit->used)
		hv_audit_flush(audit);
	if (size > BUFFER_BYTES)
		return -1;
	memcpy(audit->buffer + audit->used, data, size);
	audit->used += size;
	return 0;
}

/* Takes the row. */
static void put(struct hv_audit *audit, json_t *row)
{
	if (!row)
		return;
	json_dump_callback(row, append, audit, JSON_COMPACT | JSON_REAL_PRECISION(12));
	append("\n", 1, audit);
	json_decref(row);
}

/* RFC 3339, UTC. */
static const char *time_text(char text[40])
{
	struct timespec now;
	struct tm parts;
	size_t size;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	size = strftime(text, 40, "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text + size, 40 - size, ".%03ldZ", now.tv_nsec / 1000000);
	return text;
}

static json_t *endpoint(const struct haven_endpoint *end, enum hv_flow_kind kind)
{
	char text[HV_ENDPOINT_TEXT];

	return json_string(kind == HV_FLOW_ECHO ? hv_address_text(end->address, text)
						: hv_endpoint_text(end, text));
}

static json_t *row_of(const char *event, enum hv_flow_kind kind,
		      const struct haven_endpoint *source,
		      const struct haven_endpoint *destination)
{
	bool tcp = kind == HV_FLOW_TCP_OUT || kind == HV_FLOW_TCP_IN;
	const char *service =
		kind == HV_FLOW_ECHO
			? NULL
			: haven_service_name(NULL, destination->port,
					     tcp ? HAVEN_SERVICE_TCP : HAVEN_SERVICE_UDP);
	char text[40];
	json_t *row =
		json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "time", time_text(text), "event",
			  event, "protocol", hv_flow_protocol_name(kind), "direction",
			  hv_flow_direction_name(kind), "source", endpoint(source, kind),
			  "destination", endpoint(destination, kind));

	if (row && service)
		json_object_set_new(row, "service", json_string(service));
	return row;
}

static void set_rule(const struct hv_audit *audit, json_t *row, uint32_t number)
{
	struct haven_rule_info info;

	json_object_set_new(row, "rule", number ? json_integer(number) : json_null());
	if (number && haven_filter_rule(audit->gateway->policy->filter, number, &info))
		json_object_set_new(row, "rule_text", json_string(info.text));
}

static json_t *flow_row(struct hv_audit *audit, const char *event, const struct hv_flow *flow)
{
	const struct haven_filter *filter = audit->gateway->policy->filter;
	json_t *row = row_of(event, flow->kind, flow->peer ? flow->peer : &flow->source,
			     &flow->destination);

	if (!row)
		return NULL;
	json_object_set_new(row, "flow", json_integer((json_int_t)flow->number));
	json_object_set_new(row, "verdict", json_string("allowed"));
	set_rule(audit, row, haven_filter_rule_number(filter, flow->rule));
	if (flow->by_command)
		json_object_set_new(row, "client", json_string("haven connect"));
	if (flow->name)
		json_object_set_new(row, "name", json_string(flow->name));
	return row;
}

void hv_audit_began(struct hv_audit *audit, struct hv_flow *flow)
{
	if (!audit || audit->broken || flow->many)
		return;
	flow->number = ++audit->flows;
	put(audit, flow_row(audit, "begin", flow));
}

void hv_audit_ended(struct hv_audit *audit, const struct hv_flow *flow, const char *reason)
{
	uint64_t us = 0;
	json_t *row;

	if (!audit || audit->broken || flow->number == 0)
		return;
	row = flow_row(audit, "end", flow);
	if (!row)
		return;
	us = (audit->gateway->loop.now_ns - flow->opened_ns) / 1000;
	json_object_set_new(row, "bytes_out", json_integer((json_int_t)flow->bytes_out));
	json_object_set_new(row, "bytes_in", json_integer((json_int_t)flow->bytes_in));
	json_object_set_new(row, "connected", json_boolean(flow->ready_ns != 0));
	json_object_set_new(row, "lasted_ms", json_real((double)us / 1000));
	json_object_set_new(row, "reason", json_string(reason));
	put(audit, row);
}

void hv_audit_refused(struct hv_audit *audit, const struct hv_refused *refused)
{
	json_t *row;

	if (!audit || audit->broken)
		return;
	row = row_of("refused", refused->kind, &refused->source, &refused->destination);
	if (!row)
		return;
	json_object_set_new(row, "verdict", json_string("refused"));
	set_rule(audit, row, refused->rule);
	json_object_set_new(row, "reason", json_string(refused->reason));
	if (refused->name[0])
		json_object_set_new(row, "name", json_string(refused->name));
	if (refused->pid)
		json_object_set_new(row, "process",
				    json_pack("{s:i, s:s}", "pid", refused->pid, "name",
					      refused->process));
	put(audit, row);
}
