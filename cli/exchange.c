/*
 * What connect and listen have in common. See exchange.h.
 */
#include "cli/exchange.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/connect_tls.h"
#include "gateway/relay.h"
#include "gateway/services.h"

/* How long the last segments of a connection that was closed may take to get out. */
#define CLOSE_NS (2 * HV_NS_PER_S)

/* --- errors ----------------------------------------------------------------------------- */

static void say(const struct hv_exchange *exchange, const char *format, va_list arguments)
{
	char line[HV_EXCHANGE_TEXT * 2];

	vsnprintf(line, sizeof(line), format, arguments);
	hv_log_line(exchange->log, HV_LOG_ERROR, "%s", line);
}

int hv_exchange_fail(const struct hv_exchange *exchange, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(exchange, format, arguments);
	va_end(arguments);
	return HV_EXIT_FAILED;
}

int hv_exchange_refused(const struct hv_exchange *exchange, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(exchange, format, arguments);
	va_end(arguments);
	return HV_EXIT_NETWORK;
}

const char *hv_exchange_error(const struct hv_exchange *exchange, int error,
			      char text[HV_EXCHANGE_TEXT])
{
	const char *wrong = exchange->socket ? hv_tls_failure(exchange->socket) : NULL;

	if (wrong)
		snprintf(text, HV_EXCHANGE_TEXT, "TLS: %s", wrong);
	else if (error == -EACCES || error == -EPERM)
		snprintf(text, HV_EXCHANGE_TEXT, "prohibited by a firewall or a route");
	else
		snprintf(text, HV_EXCHANGE_TEXT, "%s", haven_strerror(error));
	return text;
}

/* --- beginning and end ------------------------------------------------------------------ */

static int make_tls(struct hv_exchange *exchange)
{
	const struct hv_connect_settings *settings = exchange->settings;
	const char *alpn = exchange->target.http ? "http/1.1" : NULL;
	char error[HV_TLS_TEXT];

	if (settings->insecure && exchange->role == HAVEN_TLS_CLIENT)
		hv_log_line(
			exchange->log, HV_LOG_WARNING,
			"--insecure: whoever is on the path can read and change everything");
	if (!hv_tls_make_context(settings, exchange->role, alpn, &exchange->tls, error))
		return hv_exchange_fail(exchange, "%s", error);
	return 0;
}

int hv_exchange_begin(struct hv_exchange *exchange)
{
	struct hv_inproc_config config = {.log = &exchange->gateway_log};
	struct hv_gateway_error error;
	int status = exchange->target.tls ? make_tls(exchange) : 0;

	if (status != 0)
		return status;
	/* A closed pipe or socket: an errno where it is met. */
	signal(SIGPIPE, SIG_IGN);
	if (exchange->explain.on) {
		exchange->watch.explain = &exchange->explain;
		config.packet = hv_packet_watch_see;
		config.packet_user = &exchange->watch;
	}
	if (hv_inproc_create(&config, &exchange->inproc, &error) < 0)
		return hv_exchange_fail(exchange, "%s", error.text);
	hv_stdio_open_input(&exchange->in, &exchange->inproc->gateway->loop, STDIN_FILENO);
	hv_stdio_open_output(&exchange->out, &exchange->inproc->gateway->loop, STDOUT_FILENO);
	hv_exchange_set_deadline(exchange);
	return 0;
}

void hv_exchange_set_deadline(struct hv_exchange *exchange)
{
	uint64_t timeout_ns = exchange->settings->timeout_ns;

	exchange->deadline_ns =
		timeout_ns ? hv_inproc_now(exchange->inproc) + timeout_ns : UINT64_MAX;
}

void hv_exchange_end(struct hv_exchange *exchange)
{
	if (exchange->inproc) {
		hv_stdio_close(&exchange->in);
		hv_stdio_close(&exchange->out);
		haven_abort(exchange->socket);
	}
	hv_inproc_destroy(exchange->inproc);
	hv_tls_destroy_context(exchange->tls);
	haven_services_destroy(exchange->services);
}

/* --- TLS -------------------------------------------------------------------------------- */

int hv_exchange_tls(struct hv_exchange *exchange)
{
	const char *name = exchange->role == HAVEN_TLS_CLIENT ? exchange->target.host : NULL;
	const uint64_t deadline_ns = exchange->deadline_ns;
	char text[HV_EXCHANGE_TEXT];
	unsigned events;

	if (!exchange->tls)
		return 0;
	if (!hv_tls_attach(exchange->socket, exchange->tls, name, text))
		return hv_exchange_fail(exchange, "%s", text);
	if (name)
		hv_explain_step(&exchange->explain, "tls-begin", NULL,
				"TLS handshake, for the name '%s'", name);
	events = hv_inproc_wait(exchange->inproc, exchange->socket,
				HAVEN_EVENT_CONNECTED | HAVEN_EVENT_ERROR, deadline_ns);
	if (events & HAVEN_EVENT_ERROR) {
		socklen_t size = sizeof(int);
		int error = 0;

		haven_getsockopt(exchange->socket, SOL_SOCKET, SO_ERROR, &error, &size);
		return hv_exchange_refused(exchange, "%s: %s", exchange->name,
					   hv_exchange_error(exchange, -error, text));
	}
	if (!events)
		return hv_exchange_refused(exchange, "%s: TLS: no answer in time",
					   exchange->name);
	hv_tls_explain(&exchange->explain, exchange->socket, exchange->role,
		       exchange->target.host);
	return 0;
}

/* --- bytes ------------------------------------------------------------------------------ */

/* Who reads our output has gone: end as every program does of which nobody wants more. */
static int die_by_pipe(void)
{
	signal(SIGPIPE, SIG_DFL);
	raise(SIGPIPE);
	return HV_EXIT_FAILED;
}

int hv_exchange_pump_failed(struct hv_exchange *exchange, const struct hv_pump *pump,
			    enum hv_pump_result result)
{
	char text[HV_EXCHANGE_TEXT];

	switch (result) {
	case HV_PUMP_DONE:
		return 0;
	case HV_PUMP_NETWORK:
		return hv_exchange_refused(exchange, "%s: %s", exchange->name,
					   hv_exchange_error(exchange, pump->error, text));
	case HV_PUMP_INPUT:
		return hv_exchange_fail(exchange, "cannot read standard input: %s",
					strerror(-pump->error));
	case HV_PUMP_OUTPUT:
		hv_exchange_close(exchange, true);
		if (pump->error == -EPIPE)
			return die_by_pipe();
		return hv_exchange_fail(exchange, "cannot write to standard output: %s",
					strerror(-pump->error));
	case HV_PUMP_LOOP:
		break;
	}
	return hv_exchange_fail(exchange, "cannot wait for events: %s", strerror(-pump->error));
}

static struct hv_pump pump_of(struct hv_exchange *exchange)
{
	return (struct hv_pump){
		.inproc = exchange->inproc,
		.socket = exchange->socket,
		.in = &exchange->in,
		.out = &exchange->out,
		.explain = &exchange->explain,
		.keep_output = exchange->settings->keep,
	};
}

static void tell_bytes(const struct hv_exchange *exchange, const struct hv_pump *pump)
{
	hv_explain_step(&exchange->explain, "bytes",
			json_pack("{s:I, s:I}", "sent", (json_int_t)pump->bytes_sent,
				  "received", (json_int_t)pump->bytes_received),
			"%llu bytes sent, %llu received", (unsigned long long)pump->bytes_sent,
			(unsigned long long)pump->bytes_received);
}

int hv_exchange_stream(struct hv_exchange *exchange)
{
	struct hv_pump pump = pump_of(exchange);
	enum hv_pump_result result = hv_pump_stream(&pump);

	tell_bytes(exchange, &pump);
	if (result != HV_PUMP_DONE)
		return hv_exchange_pump_failed(exchange, &pump, result);
	hv_exchange_close(exchange, false);
	return 0;
}

int hv_exchange_datagrams(struct hv_exchange *exchange)
{
	struct hv_pump pump = pump_of(exchange);
	enum hv_pump_result result = hv_pump_datagrams(&pump, exchange->settings->wait_ns);

	tell_bytes(exchange, &pump);
	return hv_exchange_pump_failed(exchange, &pump, result);
}

/* --- the end ---------------------------------------------------------------------------- */

struct connection_state {
	const struct hv_exchange *exchange;
	const char *state;
};

static bool find_state(void *user, const struct haven_port_info *info)
{
	struct connection_state *wanted = user;
	struct haven_endpoint local, remote;

	if (info->protocol != IPPROTO_TCP || info->remote.ss_family == 0 ||
	    haven_endpoint_from_sockaddr((const struct sockaddr *)&info->local, &local) < 0 ||
	    haven_endpoint_from_sockaddr((const struct sockaddr *)&info->remote, &remote) < 0 ||
	    local.port != wanted->exchange->port ||
	    !hv_endpoint_equal(&remote, &wanted->exchange->far))
		return true;
	wanted->state = info->state;
	return false;
}

static void tell_end(struct hv_exchange *exchange)
{
	struct connection_state own = {.exchange = exchange};
	const struct hv_explain *explain = &exchange->explain;

	if (!explain->on)
		return;
	haven_ports_each(exchange->inproc->stack, find_state, &own);
	if (own.state && strcmp(own.state, "TIME-WAIT") == 0)
		hv_explain_step(
			explain, "client-end",
			json_pack("{s:s, s:i}", "state", own.state, "time_wait_ms",
				  (int)(HV_INPROC_TIME_WAIT_NS / HV_NS_PER_MS)),
			"haven's own end is in TIME-WAIT for %d s, or until this process ends, "
			"which is now",
			(int)(HV_INPROC_TIME_WAIT_NS / HV_NS_PER_S));
	else
		hv_explain_step(explain, "client-end",
				json_pack("{s:s}", "state", own.state ? own.state : "CLOSED"),
				"haven's own end is in %s", own.state ? own.state : "CLOSED");
	hv_host_side_ended(&exchange->host_side, explain);
}

void hv_exchange_close(struct hv_exchange *exchange, bool abort)
{
	if (!exchange->socket)
		return;
	if (abort)
		haven_abort(exchange->socket);
	else
		haven_close(exchange->socket);
	exchange->socket = NULL;
	if (exchange->target.udp)
		return;
	hv_inproc_drain(exchange->inproc, exchange->port, &exchange->far, CLOSE_NS);
	tell_end(exchange);
}
