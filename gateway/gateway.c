/*
 * The gateway as a whole: what it is made of, and its turn. See gateway.h.
 */
#include "gateway/gateway.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "gateway/audit.h"
#include "gateway/capture.h"
#include "gateway/dns.h"
#include "gateway/echo.h"
#include "gateway/learn.h"
#include "gateway/publish.h"
#include "gateway/relay.h"
#include "gateway/udp_talk.h"

/*
 * Frames of the wire in one turn, before the host's sockets get theirs. As many are asked for as the
 * last turn found: the read that finds the wire empty, which every message would pay for, is
 * left out where messages come one by one.
 */
#define WIRE_BUDGET_MAX	   64
#define WIRE_BUDGET_GROWTH 8
/* Rounds of "stack sends, ready sockets are served" in one turn. */
#define STACK_ROUNDS 8

/*
 * The wire is a queue between two ends of one machine: nothing on it is reordered or outlives
 * its place in the queue, so the two maximum segment lifetimes of TIME-WAIT (RFC 9293 section 3.10.7.5:
 * so long that old duplicates are gone) are what the last ACK's loss and a retransmitted FIN need. Behind
 * --impair, where packets are delayed and reordered, it is the stack's default.
 */
#define TIME_WAIT_NS (2 * HV_NS_PER_S)

/*
 * The wire has next to no delay, and a buffer that fits into the processor's cache is filled and
 * sent faster than a larger one. Behind --impair it is the stack's default, made for
 * distance.
 */
#define SEND_BUFFER_BYTES (1024 * 1024)

/* What the stack may hold: sockets to match what descriptors the host may give. */
#define SOCKETS_MAX 131072

#define TRIM_AFTER_NS HV_NS_PER_S

/* --- for the parts ---------------------------------------------------------------------- */

bool hv_gateway_lacks_resources(struct hv_gateway *gateway, int error)
{
	switch (error) {
	case EMFILE:
		hv_log_limited(gateway->log, &gateway->limit_descriptors, gateway->loop.now_ns,
			       "no more connections: the limit of open files is reached "
			       "(ulimit -Hn tells and sets it)");
		return true;
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case EADDRNOTAVAIL: /* connect: no local port is free (ip(7)) */
		hv_log_limited(gateway->log, &gateway->limit_descriptors, gateway->loop.now_ns,
			       "no more connections: the host says '%s'", strerror(error));
		return true;
	default:
		return false;
	}
}

void hv_gateway_limit_reached(struct hv_gateway *gateway, enum hv_flow_kind kind)
{
	hv_log_limited(gateway->log, &gateway->limit_flows, gateway->loop.now_ns,
		       "no more flows of kind '%s %s': there are %u",
		       hv_flow_protocol_name(kind), hv_flow_direction_name(kind),
		       gateway->flows.count[kind]);
}

void hv_gateway_flow_opened(struct hv_gateway *gateway, struct hv_flow *flow)
{
	hv_flow_open(&gateway->flows, flow, gateway->loop.now_ns);
	hv_audit_began(gateway->policy->audit, flow);
}

void hv_gateway_flow_closed(struct hv_gateway *gateway, struct hv_flow *flow,
			    const char *reason)
{
	hv_audit_ended(gateway->policy->audit, flow, reason);
	hv_learn_ended(gateway->policy->learn, flow);
	hv_flow_close(&gateway->flows, flow, gateway->loop.now_ns, reason);
	hv_policy_leave(gateway, flow);
	if (hv_flow_table_wants_trim(&gateway->flows) && !hv_loop_timer_armed(&gateway->trim))
		hv_loop_timer_set(&gateway->loop, &gateway->trim,
				  gateway->loop.now_ns + TRIM_AFTER_NS);
}

static void trim(struct hv_loop_timer *timer)
{
	struct hv_gateway *gateway = hv_container(timer, struct hv_gateway, trim);

	hv_flow_table_trim(&gateway->flows);
}

void hv_gateway_tell(struct hv_gateway *gateway, const struct haven_icmp_error *error)
{
	haven_icmp_error_send(gateway->stack, error);
	gateway->stack_work = true;
}

/* --- a turn ----------------------------------------------------------------------------- */

static void woken(struct hv_loop *loop)
{
	struct hv_gateway *gateway = hv_container(loop, struct hv_gateway, loop);

	haven_set_time(gateway->stack, loop->now_ns);
}

static void read_wire(struct hv_gateway *gateway)
{
	unsigned budget = gateway->wire_budget;
	int count = haven_input(gateway->stack, gateway->ifindex, budget, gateway->loop.now_ns);

	if (count >= (int)budget)
		budget *= WIRE_BUDGET_GROWTH;
	else
		budget = count > 0 ? (unsigned)count : 1;
	gateway->wire_budget = budget < WIRE_BUDGET_MAX ? budget : WIRE_BUDGET_MAX;
	hv_udp_flush(gateway);
	gateway->stack_work = true;
	if (count < 0 && gateway->wire.fd >= 0) {
		hv_log_line(gateway->log, HV_LOG_DEBUG, "the wire is broken: %s",
			    haven_strerror(count));
		hv_source_remove(&gateway->loop, &gateway->wire);
		gateway->wire.fd = -1;
	}
}

static void wire_ready(struct hv_source *source, uint32_t events)
{
	struct hv_gateway *gateway = hv_container(source, struct hv_gateway, wire);

	if (events & EPOLLOUT)
		haven_link_writable(gateway->stack, gateway->ifindex);
	read_wire(gateway);
}

static void run_relays(struct hv_gateway *gateway)
{
	struct hv_relay *last = TAILQ_LAST(&gateway->runnable, hv_relay_list);
	struct hv_relay *relay;

	while (last && (relay = TAILQ_FIRST(&gateway->runnable))) {
		bool was_last = relay == last;

		hv_relay_run(relay);
		if (was_last)
			break;
	}
}

static void serve_stack(struct hv_gateway *gateway)
{
	for (int round = 0; round < STACK_ROUNDS; round++) {
		struct haven_socket *socket;
		unsigned events;

		gateway->stack_work = false;
		haven_poll(gateway->stack, gateway->loop.now_ns);
		/* Packets that --impair delays come out of the link here, not at the wire. */
		hv_udp_flush(gateway);
		while ((socket = haven_next_ready(gateway->stack, &events))) {
			struct hv_stack_user *user = haven_socket_user(socket);

			if (user)
				user->event(user, events);
		}
		if (!gateway->stack_work)
			break;
	}
}

static void watch_wire(struct hv_gateway *gateway)
{
	if (gateway->wire.fd < 0)
		return;
	hv_source_change(&gateway->loop, &gateway->wire,
			 haven_link_wants_write(gateway->link) ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

int hv_gateway_watch_wire(struct hv_gateway *gateway)
{
	gateway->wire.ready = wire_ready;
	gateway->wire_budget = WIRE_BUDGET_MAX;
	gateway->wire.fd = haven_link_fd(gateway->link);
	gateway->wire_in_memory = gateway->wire.fd < 0;
	if (gateway->wire_in_memory)
		return 0;
	return hv_source_add(&gateway->loop, &gateway->wire, EPOLLIN);
}

int hv_gateway_turn(struct hv_gateway *gateway, uint64_t deadline_ns)
{
	uint64_t stack_ns = haven_next_deadline(gateway->stack);
	int error;

	if (stack_ns < deadline_ns)
		deadline_ns = stack_ns;
	if (gateway->stack_work || !TAILQ_EMPTY(&gateway->runnable))
		deadline_ns = 0;
	error = hv_loop_wait(&gateway->loop, deadline_ns);
	if (error < 0)
		return error;
	if (gateway->wire_in_memory)
		read_wire(gateway);
	run_relays(gateway);
	serve_stack(gateway);
	watch_wire(gateway);
	hv_capture_flush(gateway->capture);
	hv_audit_flush(gateway->policy->audit);
	hv_loop_end_turn(&gateway->loop);
	return 0;
}

/* Whether all that relays got from the guest has gone on to the host. */
static bool drained(const struct hv_gateway *gateway)
{
	const struct hv_relay *relay;

	TAILQ_FOREACH(relay, &gateway->relays, entry) {
		if (!hv_relay_drained(relay))
			return false;
	}
	return true;
}

void hv_gateway_drain(struct hv_gateway *gateway, uint64_t limit_ns)
{
	uint64_t end_ns = gateway->loop.now_ns + limit_ns;

	/* One turn reads what waits on the wire; then until the last FIN, or until it is enough. */
	do {
		if (hv_gateway_turn(gateway, gateway->loop.now_ns) < 0)
			return;
	} while (gateway->stack_work);
	while (!drained(gateway) && gateway->loop.now_ns < end_ns) {
		if (hv_gateway_turn(gateway, end_ns) < 0)
			return;
	}
}

/* --- making ----------------------------------------------------------------------------- */

static int create_stack(struct hv_gateway *gateway, bool impaired)
{
	struct haven_stack_config config;
	struct haven_forwarder forwarder = {
		.user = gateway,
		.tcp = hv_tcp_out_request,
		.tcp_cancelled = hv_tcp_out_cancelled,
		.udp = hv_udp_out_datagram,
		.echo = hv_echo_request,
	};
	int error;

	haven_stack_config_init(&config);
	config.accept_any_address = true;
	config.router = true;
	config.privileged = true; /* published connections come from any port */
	config.max_sockets = SOCKETS_MAX;
	if (!impaired) {
		config.time_wait_ns = TIME_WAIT_NS;
		config.send_buffer_bytes = SEND_BUFFER_BYTES;
	}
	error = haven_stack_create(&config, &gateway->stack);
	if (error == 0)
		haven_stack_set_forwarder(gateway->stack, &forwarder);
	return error;
}

static int create_parts(struct hv_gateway *gateway, const struct hv_gateway_config *config,
			struct hv_gateway_error *error)
{
	int failed = hv_loop_init(&gateway->loop);

	if (failed < 0)
		return failed;
	failed = hv_policy_create(gateway, config, error);
	if (failed == 0)
		failed = create_stack(gateway, config->impaired);
	if (failed == 0)
		failed = hv_udp_create(gateway);
	if (failed == 0)
		failed = hv_udp_talks_create(gateway);
	if (failed == 0)
		failed = hv_echo_create(gateway);
	if (failed == 0)
		failed = hv_dns_create(gateway, config);
	if (failed == 0)
		hv_policy_watch_dns(gateway);
	if (failed == 0 && config->capture_path) {
		failed = hv_capture_open(config->capture_path, gateway->log, &gateway->capture);
		if (failed < 0)
			snprintf(error->text, sizeof(error->text), "cannot write '%s': %s",
				 config->capture_path, strerror(-failed));
	}
	if (failed == 0)
		failed = hv_tls_in_create(gateway, config, error);
	if (failed == 0)
		failed = hv_tls_out_create(gateway, config, error);
	if (failed == 0)
		failed = hv_publish_create(gateway, config, error);
	return failed;
}

/*
 * Flows that a guest makes without an answer from anybody (a datagram is enough) may not take all the
 * descriptors: connections keep the larger part.
 */
static void share_descriptors(struct hv_flow_table *flows)
{
	static const enum hv_flow_kind kinds[] = {HV_FLOW_UDP_OUT, HV_FLOW_ECHO, HV_FLOW_DNS};
	static const unsigned parts[] = {4, 16, 8}; /* one in ... */
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return;
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		uint64_t share = limit.rlim_cur / parts[i] + 1;

		if (share < flows->limit[kinds[i]])
			flows->limit[kinds[i]] = (uint32_t)share;
	}
}

int hv_gateway_create(const struct hv_gateway_config *config, struct hv_gateway **out,
		      struct hv_gateway_error *error)
{
	struct hv_gateway *gateway = calloc(1, sizeof(*gateway));
	int failed = -ENOMEM;

	error->text[0] = '\0';
	if (gateway) {
		gateway->log = config->log;
		gateway->network = config->network;
		gateway->mtu = config->mtu;
		gateway->ftp_port_count = config->ftp_port_count;
		for (unsigned i = 0; i < config->ftp_port_count; i++)
			gateway->ftp_ports[i] = config->ftp_ports[i];
		gateway->wire.fd = -1;
		gateway->loop.epoll_fd = -1;
		gateway->trim.expired = trim;
		TAILQ_INIT(&gateway->relays);
		TAILQ_INIT(&gateway->runnable);
		hv_flow_table_init(&gateway->flows, gateway->log);
		share_descriptors(&gateway->flows);
		failed = create_parts(gateway, config, error);
	}
	if (failed < 0) {
		if (!error->text[0])
			snprintf(error->text, sizeof(error->text), "cannot start: %s",
				 strerror(-failed));
		hv_gateway_destroy(gateway);
		return failed;
	}
	gateway->loop.woken = woken;
	*out = gateway;
	return 0;
}

void hv_gateway_destroy(struct hv_gateway *gateway)
{
	if (!gateway)
		return;
	while (!TAILQ_EMPTY(&gateway->relays)) {
		struct hv_relay *relay = TAILQ_FIRST(&gateway->relays);

		/* The stack goes as a whole, with the requests that wait in it. */
		relay->request = NULL;
		hv_relay_close(relay, "haven ends");
	}
	hv_publish_destroy(gateway);
	hv_tls_in_destroy(gateway);
	hv_tls_out_destroy(gateway);
	free(gateway->tls_buffer);
	hv_dns_destroy(gateway);
	hv_echo_destroy(gateway);
	hv_udp_destroy(gateway);
	hv_udp_talks_destroy(gateway);
	hv_policy_destroy(gateway);
	hv_loop_timer_cancel(&gateway->loop, &gateway->trim);
	haven_stack_destroy(gateway->stack);
	hv_capture_close(gateway->capture);
	hv_loop_finish(&gateway->loop);
	free(gateway);
}
