/*
 * Connection requests for the forwarder. A SYN that no listener wants becomes a small record, and
 * the client gets no answer at all until the owner of the stack knows what the other side says: then
 * SYN-ACK, RST, an ICMP error, or silence. Repeated SYNs are absorbed; a RST cancels.
 */
#include "tcp/tcp_request.h"

#include "tcp/tcp_ecn.h"
#include "tcp/tcp_isn.h"
#include "tcp/tcp_listen.h"
#include "tcp/tcp_output.h"
#include "tcp/tcp_receive.h"
#include "tcp/tcp_timer.h"
#include "wire/checksum.h"

static struct haven_endpoint endpoint_of(const struct hv_addr *addr, uint16_t port)
{
	struct haven_endpoint endpoint = {.port = port};

	memcpy(endpoint.address, addr->b, sizeof(endpoint.address));
	return endpoint;
}

void hv_tcp_request_free(struct haven_request *request)
{
	struct hv_tcp *tcp = request->tcp;

	hv_port_remove(tcp->ports, &request->tuple);
	hv_timer_cancel(&tcp->core->wheel, &request->timer);
	hv_list_remove(&request->link);
	tcp->request_count--;
	hv_free(tcp->core, request, sizeof(*request));
}

/* The client, or time, ended it: the owner of the stack is told, then it is gone. */
static void cancel(struct haven_request *request)
{
	const struct haven_forwarder *forwarder = request->tcp->forwarder;

	if (forwarder && forwarder->tcp_cancelled)
		forwarder->tcp_cancelled(forwarder->user, request);
	hv_tcp_request_free(request);
}

static void request_fire(struct hv_timer *timer)
{
	cancel(hv_container(timer, struct haven_request, timer));
}

/*
 * At the limit the oldest one makes way if it has waited for a second: what has not answered by then is most likely
 * silent. So a client that asks many silent hosts at once (a port scan, a flood) locks itself out for a second at most, and not
 * for the three minutes that a request may wait; and the other side sees no more than max_requests new
 * attempts a second. Returns whether there is room.
 */
static bool make_room(struct hv_tcp *tcp)
{
	struct haven_request *oldest;

	if (tcp->request_count < tcp->config.max_requests)
		return true;
	if (hv_list_is_empty(&tcp->requests))
		return false;
	oldest = hv_container(tcp->requests.next, struct haven_request, link);
	if (oldest->timer.deadline_ns - HV_TCP_REQUEST_NS + HV_TCP_REQUEST_KEPT_NS >
	    tcp->core->now_ns)
		return false;
	tcp->core->drops[HV_DROP_TCP_REQUEST_LIMIT]++; /* its SYN was in vain */
	cancel(oldest);
	return true;
}

int hv_tcp_request_new(struct hv_tcp *tcp, const struct hv_packet *packet,
		       const struct hv_tcp_options *options, const uint32_t *iss_floor)
{
	const struct hv_desc *d = &packet->d;
	struct haven_endpoint source, destination;
	struct haven_request *request;

	if (!make_room(tcp))
		return HV_DROP_TCP_REQUEST_LIMIT;
	request = hv_zalloc(tcp->core, sizeof(*request));
	if (!request)
		return HV_DROP_NO_MEMORY;
	request->tcp = tcp;
	request->tuple.local = d->dst;
	request->tuple.remote = d->src;
	request->tuple.local_port = d->dst_port;
	request->tuple.remote_port = d->src_port;
	request->tuple.proto = IPPROTO_TCP;
	request->tuple.kind = HV_TCP_KIND_REQUEST;
	request->irs = d->seq;
	request->window = d->window;
	request->hop_limit = d->hop_limit;
	request->options = *options;
	request->options.has_fast_open = false; /* it points into the packet */
	request->has_floor = iss_floor;
	request->ecn = hv_tcp_ecn_accepts(tcp, d);
	request->iss_floor = iss_floor ? *iss_floor : 0;
	if (hv_port_insert(tcp->ports, &request->tuple) < 0) {
		hv_free(tcp->core, request, sizeof(*request));
		return HV_DROP_NO_MEMORY;
	}
	hv_list_append(&tcp->requests, &request->link);
	tcp->request_count++;
	hv_timer_init(&request->timer, request_fire);
	hv_timer_set(&tcp->core->wheel, &request->timer, tcp->core->now_ns + HV_TCP_REQUEST_NS);
	source = endpoint_of(&d->src, d->src_port);
	destination = endpoint_of(&d->dst, d->dst_port);
	/* The callback may answer at once: the request may be gone after it. */
	tcp->forwarder->tcp(tcp->forwarder->user, request, &source, &destination);
	return HV_DROP_COUNT;
}

bool hv_tcp_request_input(struct haven_request *request, const struct hv_packet *packet)
{
	const struct hv_desc *d = &packet->d;

	if (d->tcp_flags & HV_TCP_RST) {
		/* No SYN-ACK went out: the client can only be at its ISS or behind it. */
		if (d->seq - request->irs <= 1)
			cancel(request);
		return false;
	}
	if (d->tcp_flags & HV_TCP_ACK) { /* of what? RFC 9293 section 3.10.7.2 */
		hv_tcp_send_reset_for(request->tcp, packet);
		return false;
	}
	if (!(d->tcp_flags & HV_TCP_SYN) || d->seq == request->irs)
		return false; /* a repetition: the answer is on its way */
	cancel(request);      /* the client began anew */
	return true;
}

static void set_iss(struct hv_tcp_conn *conn, uint32_t iss)
{
	conn->iss = iss;
	conn->snd_una = conn->snd_nxt = conn->snd_max = iss;
	conn->snd_small = conn->recover = conn->rack_round = iss;
}

/* Options of the listener that the SYN-ACK shows. */
static void apply_settings(struct hv_tcp_conn *conn,
			   const struct hv_tcp_listen_options *settings)
{
	conn->user_mss = settings->user_mss;
	if (settings->user_mss && settings->user_mss < conn->rcv_mss)
		conn->rcv_mss = settings->user_mss;
	if (settings->receive_limit) {
		hv_tcp_set_receive_limit(conn, settings->receive_limit);
		conn->receive_fixed = true;
	}
	conn->window_clamp = settings->window_clamp;
	conn->hop_limit = settings->hop_limit;
	conn->traffic_class = settings->traffic_class;
}

int hv_tcp_conn_open_passive(struct hv_tcp_conn *conn, const struct hv_tuple *tuple,
			     const struct hv_tcp_syn *syn)
{
	int error;

	if (syn->replaces) {
		hv_port_replace(conn->tcp->ports, syn->replaces, &conn->tuple);
	} else {
		conn->tuple.local = tuple->local;
		conn->tuple.remote = tuple->remote;
		conn->tuple.local_port = tuple->local_port;
		conn->tuple.remote_port = tuple->remote_port;
		conn->tuple.share = tuple->share;
		conn->tuple.hold = tuple->hold;
		error = hv_port_insert(conn->tcp->ports, &conn->tuple);
		if (error < 0) {
			hv_tcp_conn_free(conn);
			return error;
		}
	}
	conn->in_table = true;
	hv_tcp_conn_prepare(conn);
	if (syn->answered)
		set_iss(conn, syn->iss);
	else if (syn->iss_floor)
		set_iss(conn,
			hv_tcp_isn_beyond(hv_tcp_core(conn), &conn->tuple, *syn->iss_floor));
	if (syn->settings)
		apply_settings(conn, syn->settings);
	conn->state = HV_TCP_SYN_RECEIVED;
	conn->passive = true;
	conn->ecn_ok = syn->ecn;
	conn->ecn_mute = syn->ecn_mute;
	conn->irs = syn->irs;
	conn->rcv_nxt = conn->rcv_edge = conn->ack_sent = syn->irs + 1;
	conn->snd_wnd = conn->snd_wnd_max = syn->window; /* not scaled in a SYN */
	conn->snd_wl1 = syn->irs;
	conn->progress_ns = hv_tcp_now(conn);
	hv_tcp_options_agree(conn, syn->options);
	if (syn->answered) {
		conn->snd_nxt = conn->snd_max = conn->iss + 1;
		hv_tcp_window_field(conn, true); /* what the SYN-ACK offered counts */
		return 0;
	}
	conn->send_syn = true;
	hv_tcp_mark(conn);
	return 0;
}

static void reset_client(struct hv_tcp *tcp, const struct hv_tuple *tuple, uint32_t irs)
{
	struct hv_tcp_bare bare = {
		.src = &tuple->local,
		.dst = &tuple->remote,
		.src_port = tuple->local_port,
		.dst_port = tuple->remote_port,
		.ack = irs + 1,
		.flags = HV_TCP_RST | HV_TCP_ACK,
	};

	hv_tcp_send_bare(tcp, &bare);
}

int hv_tcp_request_accept(struct haven_request *request, void *owner, struct hv_tcp_conn **out)
{
	struct haven_request held = *request; /* its tuple must leave the table first */
	struct hv_tcp_syn syn = {
		.irs = held.irs,
		.window = held.window,
		.options = &held.options,
		.iss_floor = held.has_floor ? &held.iss_floor : NULL,
		.ecn = held.ecn,
	};
	struct hv_tcp_conn *conn;
	int error = 0;

	*out = NULL;
	hv_tcp_request_free(request);
	conn = hv_tcp_conn_new(held.tcp, &error);
	if (conn)
		error = hv_tcp_conn_open_passive(conn, &held.tuple, &syn);
	if (!conn || error < 0) {
		reset_client(held.tcp, &held.tuple, held.irs);
		return error;
	}
	conn->owner = owner;
	*out = conn;
	return 0;
}

/* What the refused SYN looked like, for the ICMP error to quote. Returns bytes. */
static uint32_t quote_syn(const struct haven_request *request, uint8_t quote[60])
{
	const struct hv_tuple *tuple = &request->tuple;
	bool v4 = hv_addr_is_v4(&tuple->remote);
	uint32_t ip_len = v4 ? 20 : 40;
	struct hv_tcp_header tcp = {
		.src_port = tuple->remote_port,
		.dst_port = tuple->local_port,
		.seq = request->irs,
		.flags = HV_TCP_SYN,
		.window = request->window,
	};

	memset(quote, 0, 60);
	if (v4) { /* RFC 791 section 3.1 */
		uint16_t sum;

		quote[0] = 0x45;
		hv_put16(quote + 2, 20 + HV_TCP_HEADER);
		hv_put16(quote + 6, 0x4000); /* DF */
		quote[8] = request->hop_limit;
		quote[9] = IPPROTO_TCP;
		memcpy(quote + 12, tuple->remote.b + 12, 4);
		memcpy(quote + 16, tuple->local.b + 12, 4);
		sum = hv_checksum(quote, 20);
		memcpy(quote + 10, &sum, sizeof(sum));
	} else { /* RFC 8200 section 3 */
		quote[0] = 0x60;
		hv_put16(quote + 4, HV_TCP_HEADER);
		quote[6] = IPPROTO_TCP;
		quote[7] = request->hop_limit;
		memcpy(quote + 8, tuple->remote.b, 16);
		memcpy(quote + 24, tuple->local.b, 16);
	}
	hv_wire_tcp_write(quote + ip_len, &tcp);
	return ip_len + HV_TCP_HEADER;
}

/* The ICMP error that tells the client; -1: a reset does, -2: nothing does. */
static int refusal_kind(int error)
{
	switch (error) {
	case ENETUNREACH:
	case ENETDOWN:
		return HAVEN_ICMP_NET_UNREACHABLE;
	case EHOSTUNREACH:
	case EHOSTDOWN:
		return HAVEN_ICMP_HOST_UNREACHABLE;
	case EACCES:
	case EPERM:
		return HAVEN_ICMP_PROHIBITED;
	case ETIMEDOUT:
		return -2;
	default:
		return -1;
	}
}

void haven_request_refuse(struct haven_request *request, int error,
			  const struct haven_endpoint *offender)
{
	struct hv_tcp *tcp = request->tcp;
	int kind = refusal_kind(error < 0 ? -error : error);

	if (kind == -1) {
		reset_client(tcp, &request->tuple, request->irs);
	} else if (kind >= 0) {
		uint8_t quote[60];
		uint32_t quote_len = quote_syn(request, quote);
		struct hv_addr from;

		if (offender)
			memcpy(from.b, offender->address, sizeof(from.b));
		hv_ip_icmp_error_output(tcp->ip, kind, 0, offender ? &from : NULL,
					&request->tuple.remote, quote, quote_len);
	}
	hv_tcp_request_free(request);
}

void haven_request_set_user(struct haven_request *request, void *user)
{
	request->user = user;
}

void *haven_request_user(const struct haven_request *request)
{
	return request->user;
}

struct hv_tcp *hv_tcp_request_tcp(const struct haven_request *request)
{
	return request->tcp;
}
