/*
 * One GET. See fetch.h; http_answer.h reads.
 */
#include "cli/fetch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/session.h"

/* What the server still has to say when its answer is complete, its FIN above all, is waited for as long. */
#define END_NS (1 * HV_NS_PER_S)
/* What is written before the rest of the process has its turn. */
#define TURN_BYTES (1024 * 1024)

struct fetch {
	struct hv_exchange *exchange;
	struct hv_pump pump; /* its error is what failed */
	struct hv_http_answer *answer;
	uint64_t started_ns;
	size_t unwritten; /* bytes of the body that are the first in the socket */
	bool head_told;
	bool ended; /* by the server, orderly */
};

/* --- the request ------------------------------------------------------------------------ */

/* The URL's port where it is not the scheme's (RFC 9110 section 7.2); an IPv6 address in its brackets. */
static void host_of(const struct hv_target *target, char *text, size_t size)
{
	bool brackets = target->family == AF_INET6;
	char port[8] = "";

	if (target->port != (target->tls ? 443 : 80))
		snprintf(port, sizeof(port), ":%u", target->port);
	snprintf(text, size, "%s%s%s%s", brackets ? "[" : "", target->host, brackets ? "]" : "",
		 port);
}

/* NULL: no memory. The fragment stays here (RFC 9110 section 7.1). */
static char *make_request(const struct hv_target *target)
{
	int size = (int)strcspn(target->path, "#");
	char host[HAVEN_URL_HOST + 16];
	char *request;

	host_of(target, host, sizeof(host));
	if (asprintf(&request,
		     "GET %s%.*s HTTP/1.1\r\n"
		     "Host: %s\r\n"
		     "User-Agent: haven/" HAVEN_VERSION "\r\n"
		     "Accept: */*\r\n"
		     "Connection: close\r\n"
		     "\r\n",
		     target->path[0] == '/' ? "" : "/", size, target->path, host) < 0)
		return NULL;
	return request;
}

static int send_request(struct fetch *fetch)
{
	struct hv_exchange *exchange = fetch->exchange;
	char *request = make_request(&exchange->target);
	size_t size = request ? strlen(request) : 0, sent = 0;
	int error = request ? 0 : -ENOMEM;

	if (request)
		hv_explain_step(&exchange->explain, "request",
				json_pack("{s:i}", "bytes", (int)size),
				"%.*s, %zu bytes in all", (int)strcspn(request, "\r"), request,
				size);
	while (error == 0 && sent < size) {
		ssize_t n = haven_send(exchange->socket, request + sent, size - sent, 0);

		if (n > 0)
			sent += (size_t)n;
		else if (n != -EAGAIN)
			error = (int)n;
		else if (!hv_inproc_wait(exchange->inproc, exchange->socket,
					 HAVEN_EVENT_WRITABLE | HAVEN_EVENT_ERROR, UINT64_MAX))
			error = -EIO;
	}
	free(request);
	exchange->inproc->work = true;
	return error;
}

/* --- the answer ------------------------------------------------------------------------- */

static void tell_head(struct fetch *fetch)
{
	const struct hv_http_answer *answer = fetch->answer;
	char length[48] = "to the connection's end";

	if (fetch->head_told || answer->stage < HV_HTTP_BODY_SIZED)
		return;
	fetch->head_told = true;
	if (answer->has_length)
		snprintf(length, sizeof(length), "%" PRIu64 " bytes", answer->length);
	else if (answer->chunked)
		snprintf(length, sizeof(length), "in chunks");
	hv_explain_step(&fetch->exchange->explain, "status",
			json_pack("{s:i}", "status", (int)answer->status), "%u %s%s%s, body %s",
			answer->status, answer->reason, answer->type[0] ? ", " : "",
			answer->type, length);
}

/* The first bytes in the socket are of the body. 0, -EAGAIN: the output has to be waited for, or a negative errno of it. */
static int write_some(struct fetch *fetch, const struct iovec *slice)
{
	struct hv_exchange *exchange = fetch->exchange;
	struct iovec iov = *slice;
	int error = hv_stdio_ready(&exchange->out);
	ssize_t written;

	if (error < 0)
		return error;
	if (iov.iov_len > fetch->unwritten)
		iov.iov_len = fetch->unwritten;
	written = hv_stdio_write(&exchange->out, &iov, 1);
	if (written < 0)
		return (int)written;
	haven_recv_consume(exchange->socket, (size_t)written);
	fetch->unwritten -= (size_t)written;
	return 0;
}

/* The first bytes in the socket are new. */
static void read_some(struct fetch *fetch, const struct iovec *slice)
{
	struct hv_http_span span;
	size_t used =
		hv_http_answer_take(fetch->answer, slice->iov_base, slice->iov_len, &span);

	/* A span of the body is at the end of what was taken: it stays until it is written. */
	haven_recv_consume(fetch->exchange->socket, used - span.size);
	fetch->unwritten = span.size;
	tell_head(fetch);
}

static bool is_over(const struct fetch *fetch)
{
	return fetch->unwritten == 0 &&
	       (fetch->answer->stage == HV_HTTP_DONE || fetch->answer->fault);
}

/* What lies in the socket, as far as it goes. HV_PUMP_DONE: it was taken, or there is nothing now. */
static enum hv_pump_result take_some(struct fetch *fetch)
{
	struct hv_exchange *exchange = fetch->exchange;
	struct iovec slices[2] = {0};
	size_t total = 0;

	while (!is_over(fetch) && total < TURN_BYTES &&
	       haven_recv_peek(exchange->socket, slices) > 0) {
		int error = 0;

		if (fetch->unwritten > 0)
			error = write_some(fetch, &slices[0]);
		else
			read_some(fetch, &slices[0]);
		if (error == -EAGAIN)
			break;
		if (error < 0) {
			fetch->pump.error = error;
			return HV_PUMP_OUTPUT;
		}
		total += slices[0].iov_len;
		exchange->inproc->work = true;
	}
	return HV_PUMP_DONE;
}

/* Nothing more can be read: 1: the end, 0: not yet, or a negative errno. */
static int look_at_end(struct hv_exchange *exchange)
{
	uint8_t byte;
	ssize_t size = haven_recv(exchange->socket, &byte, 1, MSG_PEEK);

	if (size == 0)
		return 1;
	return size == -EAGAIN || size > 0 ? 0 : (int)size;
}

/* Until the answer is complete, or will never be. */
static enum hv_pump_result receive(struct fetch *fetch)
{
	struct hv_exchange *exchange = fetch->exchange;

	for (;;) {
		enum hv_pump_result result = take_some(fetch);
		int end = 0;

		if (result != HV_PUMP_DONE || is_over(fetch))
			return result;
		if (fetch->unwritten == 0)
			end = look_at_end(exchange);
		if (end == 1) {
			fetch->ended = true;
			hv_http_answer_end(fetch->answer);
			return HV_PUMP_DONE;
		}
		if (end < 0) {
			fetch->pump.error = end;
			return HV_PUMP_NETWORK;
		}
		fetch->pump.error = hv_inproc_turn(exchange->inproc, UINT64_MAX);
		if (fetch->pump.error < 0)
			return HV_PUMP_LOOP;
	}
}

/* --- the end ---------------------------------------------------------------------------- */

/* "Connection: close" was asked for, so the server's FIN comes by itself, and first. */
static void end_connection(struct fetch *fetch)
{
	struct hv_exchange *exchange = fetch->exchange;
	uint64_t end_ns = hv_inproc_now(exchange->inproc) + END_NS;

	while (!fetch->ended && hv_inproc_now(exchange->inproc) < end_ns) {
		struct iovec slices[2];
		size_t size = haven_recv_peek(exchange->socket, slices);

		haven_recv_consume(exchange->socket, size);
		fetch->ended = look_at_end(exchange) != 0;
		if (!fetch->ended && hv_inproc_turn(exchange->inproc, end_ns) < 0)
			break;
	}
	hv_exchange_close(exchange, false);
}

static void tell_body(const struct fetch *fetch)
{
	uint64_t took_ns = hv_session_clock_ns() - fetch->started_ns;

	hv_explain_step(&fetch->exchange->explain, "body",
			json_pack("{s:I, s:f}", "bytes", (json_int_t)fetch->answer->body_bytes,
				  "took_ms", (double)took_ns / 1e6),
			"%" PRIu64 " bytes, %.3f ms after the request",
			fetch->answer->body_bytes, (double)took_ns / 1e6);
}

static int cut_short(struct fetch *fetch, const char *how)
{
	const struct hv_http_answer *answer = fetch->answer;
	char of[40] = "";

	if (answer->has_length)
		snprintf(of, sizeof(of), " of %" PRIu64, answer->length);
	if (answer->stage < HV_HTTP_BODY_SIZED)
		return hv_exchange_refused(fetch->exchange, "%s: the answer: %s",
					   fetch->exchange->name, how);
	return hv_exchange_refused(fetch->exchange,
				   "%s: the answer, of which %" PRIu64 "%s bytes have come: %s",
				   fetch->exchange->name, answer->body_bytes, of, how);
}

static int judge(struct fetch *fetch)
{
	const struct hv_exchange *exchange = fetch->exchange;
	const struct hv_http_answer *answer = fetch->answer;

	if (answer->location[0] && answer->status >= 300 && answer->status < 400)
		hv_log_line(exchange->log, HV_LOG_WARNING,
			    "%s: %u %s: it is at '%s', which is not gone to", exchange->name,
			    answer->status, answer->reason, answer->location);
	if (answer->status < 400)
		return 0;
	hv_log_line(exchange->log, HV_LOG_ERROR, "%s: the server says %u %s", exchange->name,
		    answer->status, answer->reason);
	return HV_EXIT_HTTP_STATUS;
}

static int run(struct fetch *fetch)
{
	struct hv_exchange *exchange = fetch->exchange;
	char text[HV_EXCHANGE_TEXT];
	enum hv_pump_result result;
	int error;

	error = send_request(fetch);
	fetch->started_ns = hv_session_clock_ns();
	if (error < 0)
		return hv_exchange_refused(exchange, "%s: %s", exchange->name,
					   hv_exchange_error(exchange, error, text));
	result = receive(fetch);
	tell_body(fetch);
	if (result == HV_PUMP_NETWORK)
		return cut_short(fetch, hv_exchange_error(exchange, fetch->pump.error, text));
	if (result != HV_PUMP_DONE)
		return hv_exchange_pump_failed(exchange, &fetch->pump, result);
	if (fetch->answer->fault)
		return cut_short(fetch, fetch->answer->fault);
	end_connection(fetch);
	return judge(fetch);
}

int hv_fetch(struct hv_exchange *exchange)
{
	struct fetch fetch = {
		.exchange = exchange,
		.answer = calloc(1, sizeof(*fetch.answer)),
	};
	int status = HV_EXIT_FAILED;

	if (fetch.answer)
		status = run(&fetch);
	else
		hv_exchange_fail(exchange, "out of memory");
	free(fetch.answer);
	return status;
}
