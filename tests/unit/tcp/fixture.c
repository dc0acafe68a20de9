/* The stand-in for ip/, hosts and the scripted peer. */
#include "tcp/fixture.h"

#include <stdlib.h>

#include "wire/checksum.h"

/* --- the stand-in for ip/ -------------------------------------------------------------- */

int hv_ip_output(struct hv_ip *ip, const struct hv_ip_tx *tx, struct hv_packet *packet)
{
	assert_true(hv_packet_headroom(packet) >= HV_PACKET_HEADROOM);
	assert_true(tx->dont_fragment);
	if (ip->status < 0) {
		hv_packet_free(ip->core, packet);
		return ip->status;
	}
	if (hv_packet_size(packet) > ip->mtu - 20 && !packet->gso_size) {
		hv_packet_free(ip->core, packet);
		return -EMSGSIZE;
	}
	packet = hv_packet_own(ip->core, packet);
	if (!packet)
		return -ENOMEM;
	packet->d.src = tx->src;
	packet->d.dst = tx->dst;
	packet->d.proto = IPPROTO_TCP;
	packet->d.traffic_class = tx->traffic_class;
	hv_packet_queue_push(&ip->sent, packet);
	return 0;
}

uint32_t hv_ip_mtu(const struct hv_ip *ip, const struct hv_addr *dst)
{
	(void)dst;
	return ip->mtu;
}

void hv_ip_mtu_note(struct hv_ip *ip, const struct hv_addr *dst, uint32_t mtu)
{
	(void)dst;
	ip->mtu = mtu;
}

void hv_ip_suspect(struct hv_ip *ip, const struct hv_addr *dst)
{
	(void)dst;
	ip->suspected++;
}

bool hv_ip_is_busy(const struct hv_ip *ip, const struct hv_addr *dst)
{
	(void)dst;
	return ip->busy;
}

int hv_ip_source(const struct hv_ip *ip, const struct hv_addr *dst, struct hv_addr *src)
{
	struct host *host = hv_container(ip, struct host, ip);

	(void)dst;
	*src = host->addr;
	return ip->mtu ? 0 : -ENETUNREACH;
}

int hv_ip_icmp_error_output(struct hv_ip *ip, int kind, uint32_t mtu,
			    const struct hv_addr *offender, const struct hv_addr *to,
			    const uint8_t *quote, uint32_t quote_len)
{
	(void)mtu;
	(void)offender;
	(void)to;
	ip->icmp_kind = kind;
	ip->quote_len = quote_len;
	memcpy(ip->quote, quote, quote_len);
	return 0;
}

/* --- hosts ----------------------------------------------------------------------------- */

static void on_event(void *ctx, void *owner, unsigned events)
{
	struct host *host = ctx;

	(void)owner;
	host->events |= events;
}

static void on_incoming(void *ctx, void *owner)
{
	struct host *host = ctx;

	(void)owner;
	host->incoming++;
}

void host_init(struct host *host, struct test_env *env, unsigned number, bool v6)
{
	static const struct hv_port_config ports = {
		.privileged = true,
		.ephemeral_first = 32768,
		.ephemeral_last = 60999,
	};
	static const struct hv_tcp_config config = {
		.max_connections = 1000,
		.max_half_open = 100,
		.max_time_wait = 100,
		.max_requests = 100,
		.send_buffer_bytes = 4 << 20,
		.receive_buffer_bytes = 4 << 20,
		.time_wait_ns = 60 * HV_TCP_SECOND,
		.mtu_probing = 1,
		.congestion = 1, /* NewReno: windows that can be told in one's head */
		.no_pacing = true,
	};
	struct haven_env haven = test_env_haven(env);

	memset(host, 0, sizeof(*host));
	host->env = env;
	assert_int_equal(hv_core_init(&host->core, &haven), 0);
	host->core.now_ns = 1000 * HV_TCP_SECOND;
	hv_timer_advance(&host->core.wheel, host->core.now_ns);
	host->ip = (struct hv_ip){.core = &host->core, .mtu = 1500, .icmp_kind = -1};
	assert_int_equal(hv_port_table_init(&host->ports, &host->core, &ports), 0);
	assert_int_equal(hv_tcp_init(&host->tcp, &host->core, &host->ip, &host->ports, &config),
			 0);
	host->tcp.up =
		(struct hv_tcp_events){.ctx = host, .event = on_event, .incoming = on_incoming};
	if (v6)
		host->addr = hv_addr_v6((const uint8_t[16]){0xfd, [15] = (uint8_t)number});
	else
		host->addr = hv_addr_v4((const uint8_t[4]){10, 0, 0, (uint8_t)number});
}

void host_finish(struct host *host)
{
	hv_tcp_finish(&host->tcp);
	assert_int_equal(host->tcp.connection_count, 0);
	assert_int_equal(host->tcp.half_open_count, 0);
	assert_int_equal(host->tcp.time_wait_count, 0);
	assert_int_equal(host->tcp.request_count, 0);
	hv_port_table_finish(&host->ports);
	hv_packet_queue_clear(&host->core, &host->ip.sent);
	hv_core_finish(&host->core);
	assert_int_equal(host->core.memory_bytes, 0);
}

void host_run(struct host *host, uint64_t now_ns)
{
	host->core.now_ns = now_ns;
	hv_timer_advance(&host->core.wheel, now_ns);
	hv_tcp_flush(&host->tcp);
}

/* The checksum that the link would fill in, over what the transport left. */
static void finish_checksum(struct hv_packet *packet)
{
	uint16_t sum, field;
	uint64_t pseudo =
		hv_sum_pseudo(&packet->d.src, &packet->d.dst, IPPROTO_TCP, packet->len);

	assert_int_equal(packet->csum, HV_CSUM_PARTIAL);
	assert_ptr_equal(packet->head + packet->csum_start, packet->data);
	assert_int_equal(packet->csum_offset, 16);
	memcpy(&field, packet->data + 16, sizeof(field));
	assert_int_equal(field, hv_sum_fold(pseudo));
	sum = hv_checksum(packet->data, packet->len);
	memcpy(packet->data + 16, &sum, sizeof(sum));
	packet->csum = HV_CSUM_NONE;
}

struct hv_packet *host_take(struct host *host)
{
	struct hv_packet *packet = hv_packet_queue_pop(&host->ip.sent);

	if (!packet)
		return NULL;
	finish_checksum(packet);
	packet->d.l4 = packet->data;
	packet->d.payload_len = packet->len;
	assert_int_equal(hv_wire_tcp_parse(packet), HV_DROP_COUNT);
	return packet;
}

struct hv_tcp_listener *host_listen(struct host *host, struct hv_bind *bind, uint16_t port,
				    int backlog)
{
	struct hv_tcp_listener *listener = NULL;

	*bind = (struct hv_bind){.local = host->addr, .port = port, .proto = IPPROTO_TCP};
	if (hv_port_bind(&host->ports, bind) < 0)
		return NULL;
	if (hv_tcp_listen(&host->tcp, bind, backlog, host, &listener) < 0)
		hv_port_unbind(&host->ports, bind);
	return listener;
}

struct hv_tcp_conn *host_connect(struct host *host, const struct hv_addr *to, uint16_t port)
{
	struct hv_tcp_conn *conn = NULL;

	hv_tcp_connect(&host->tcp, &host->addr, 0, 0, to, port, host, &conn);
	return conn;
}

size_t host_send(struct hv_tcp_conn *conn, const void *data, size_t size)
{
	size_t sent = 0;

	while (sent < size) {
		struct iovec slices[2];
		int count;
		ssize_t room = hv_tcp_send_reserve(conn, size - sent, slices, &count);
		size_t at = sent;

		if (room <= 0)
			break;
		for (int i = 0; i < count; i++) {
			memcpy(slices[i].iov_base, (const uint8_t *)data + at,
			       slices[i].iov_len);
			at += slices[i].iov_len;
		}
		assert_int_equal(at - sent, room);
		hv_tcp_send_commit(conn, (size_t)room, false);
		sent = at;
	}
	return sent;
}

size_t host_read(struct hv_tcp_conn *conn, void *data, size_t size)
{
	struct iovec slices[2];
	size_t read = 0;
	int count;

	hv_tcp_receive_peek(conn, slices, &count);
	for (int i = 0; i < count && read < size; i++) {
		size_t part = slices[i].iov_len;

		if (part > size - read)
			part = size - read;
		memcpy((uint8_t *)data + read, slices[i].iov_base, part);
		read += part;
	}
	if (read)
		hv_tcp_receive_consume(conn, read);
	return read;
}

/* --- the scripted peer ----------------------------------------------------------------- */

int script_setup(void **state)
{
	struct script *s = calloc(1, sizeof(*s));

	if (!s)
		return -1;
	test_env_init(&s->env, 7);
	host_init(&s->host, &s->env, 1, false);
	s->peer = hv_addr_v4((const uint8_t[4]){10, 0, 0, 2});
	s->peer_port = PEER_PORT;
	s->host_port = HOST_PORT;
	s->peer_iss = 0xfffffff0; /* so that every test crosses zero */
	s->peer_window = 65535;
	s->ts_value = 100;
	s->syn = (struct hv_tcp_options){.has_mss = true, .mss = 1000};
	*state = s;
	return 0;
}

int script_teardown(void **state)
{
	struct script *s = *state;

	if (s->listener)
		hv_tcp_listener_close(s->listener);
	hv_port_unbind(&s->host.ports, &s->bind);
	host_finish(&s->host);
	test_env_finish(&s->env);
	free(s);
	return 0;
}

void script_wait_ms(struct script *s, uint64_t ms)
{
	uint64_t until = s->host.core.now_ns + ms * HV_TCP_MS;
	uint64_t next;

	/* As a caller of haven_next_deadline() would. */
	while ((next = hv_timer_next(&s->host.core.wheel)) <= until)
		host_run(&s->host, next);
	host_run(&s->host, until);
	s->ts_value += (uint32_t)ms;
}

void script_in(struct script *s, uint8_t flags, uint32_t seq, uint32_t ack, const void *payload,
	       uint32_t size)
{
	struct hv_core *core = &s->host.core;
	struct hv_packet *packet = hv_packet_new(core, HV_PACKET_HEADROOM, 60 + size);
	struct hv_tcp_options options = flags & HV_TCP_SYN ? s->syn : s->extra;
	struct hv_tcp_header header = {
		.src_port = s->peer_port,
		.dst_port = s->host_port,
		.seq = s->peer_iss + seq,
		.ack = flags & HV_TCP_ACK ? s->host_iss + ack : 0,
		.flags = flags,
		.window = s->peer_window,
		.urgent = s->urgent,
	};
	uint8_t bytes[40], *p;

	if (!packet)
		return; /* tests of failing allocations: lost on the way */
	if (s->timestamps) {
		options.has_timestamps = true;
		options.ts_value = s->ts_value;
		options.ts_echo = flags & HV_TCP_ACK ? s->ts_echo : 0;
	}
	header.options_len = (uint8_t)hv_wire_tcp_options_write(bytes, &options);
	p = hv_packet_append(packet, HV_TCP_HEADER + header.options_len + size);
	hv_wire_tcp_write(p, &header);
	memcpy(p + HV_TCP_HEADER, bytes, header.options_len);
	p += HV_TCP_HEADER + header.options_len;
	for (uint32_t i = 0; i < size; i++)
		p[i] = payload ? ((const uint8_t *)payload)[i] : (uint8_t)(seq + i);
	packet->d.src = s->peer;
	packet->d.dst = s->host.addr;
	packet->d.proto = IPPROTO_TCP;
	packet->d.l4 = packet->data;
	packet->d.payload_len = packet->len;
	packet->d.hop_limit = 64;
	packet->d.traffic_class = s->traffic_class;
	packet->csum = HV_CSUM_VALID;
	hv_tcp_input(&s->host.tcp, packet);
	if (!s->no_flush)
		hv_tcp_flush(&s->host.tcp);
}

void script_send(struct script *s, const void *data, size_t size)
{
	assert_int_equal(host_send(s->conn, data, size), size);
	hv_tcp_flush(&s->host.tcp);
}

void script_ack(struct script *s, uint32_t ack, const uint32_t *pairs)
{
	s->extra = (struct hv_tcp_options){0};
	while (pairs && pairs[0]) {
		s->extra.sack[s->extra.sack_count][0] = s->host_iss + pairs[0];
		s->extra.sack[s->extra.sack_count][1] = s->host_iss + pairs[1];
		s->extra.sack_count++;
		pairs += 2;
	}
	script_in(s, FLAGS_A, 1, ack, NULL, 0);
	s->extra = (struct hv_tcp_options){0};
}

void script_icmp(struct script *s, int error, bool hard, uint32_t mtu, uint32_t seq)
{
	uint8_t quoted[8];
	struct hv_icmp_report report = {
		.src = s->host.addr,
		.dst = s->peer,
		.proto = IPPROTO_TCP,
		.error = error,
		.mtu = mtu,
		.hard = hard,
		.transport = quoted,
		.transport_len = sizeof(quoted),
	};

	hv_put16(quoted, s->host_port);
	hv_put16(quoted + 2, s->peer_port);
	hv_put32(quoted + 4, s->host_iss + seq);
	hv_tcp_icmp_error(&s->host.tcp, &report);
	hv_tcp_flush(&s->host.tcp);
}

void script_expect(struct script *s, const char *file, int line, uint8_t flags, uint32_t seq,
		   uint32_t ack, uint32_t size)
{
	struct hv_packet *packet = host_take(&s->host);
	const struct hv_desc *d;

	if (!packet)
		fail_msg("%s:%d: no segment came out", file, line);
	d = &packet->d;
	if ((d->tcp_flags & HV_TCP_SYN) && !(d->tcp_flags & HV_TCP_RST))
		s->host_iss = d->seq;
	s->host_port = d->src_port;
	memset(&s->got, 0, sizeof(s->got));
	hv_wire_tcp_options_parse(d->options, d->options_len, &s->got);
	if (s->got.fast_open_len)
		memcpy(s->got_fast_open, s->got.fast_open, s->got.fast_open_len);
	s->got.fast_open = NULL; /* it goes with the packet */
	if (s->got.has_timestamps)
		s->ts_echo = s->got.ts_value;
	s->got_window = d->window;
	s->got_urgent = d->urgent;
	s->got_traffic_class = d->traffic_class;
	s->got_size = d->payload_len;
	memcpy(s->got_payload, d->payload, d->payload_len);
	s->got_pushed = d->tcp_flags & HV_TCP_PSH;
	if ((d->tcp_flags & ~HV_TCP_PSH) != (flags & ~HV_TCP_PSH) ||
	    d->seq - s->host_iss != seq ||
	    ((d->tcp_flags & HV_TCP_ACK) && d->ack - s->peer_iss != ack) ||
	    d->payload_len != size)
		fail_msg(
			"%s:%d: came flags %02x seq %u ack %u size %u, expected flags %02x seq %u ack %u size %u",
			file, line, d->tcp_flags, d->seq - s->host_iss, d->ack - s->peer_iss,
			d->payload_len, flags, seq, ack, size);
	hv_packet_free(&s->host.core, packet);
}

void script_expect_quiet(struct script *s, const char *file, int line)
{
	struct hv_packet *packet = host_take(&s->host);

	if (packet)
		fail_msg("%s:%d: came flags %02x seq %u ack %u size %u, expected nothing", file,
			 line, packet->d.tcp_flags, packet->d.seq - s->host_iss,
			 packet->d.ack - s->peer_iss, packet->d.payload_len);
}

unsigned script_skip(struct script *s)
{
	unsigned count = s->host.ip.sent.count;

	hv_packet_queue_clear(&s->host.core, &s->host.ip.sent);
	return count;
}

uint64_t script_drops(const struct script *s, enum hv_drop reason)
{
	return s->host.core.drops[reason];
}

void script_accept(struct script *s)
{
	s->listener = host_listen(&s->host, &s->bind, HOST_PORT, 4);
	assert_non_null(s->listener);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_SA, 0, 1, 0);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	script_quiet(s);
	s->conn = hv_tcp_accept(s->listener);
	assert_non_null(s->conn);
	hv_tcp_set_owner(s->conn, &s->host);
	assert_state(s->conn, "ESTABLISHED");
}

void script_connect(struct script *s)
{
	s->conn = host_connect(&s->host, &s->peer, PEER_PORT);
	assert_non_null(s->conn);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_S, 0, 0, 0);
	script_in(s, FLAGS_SA, 0, 1, NULL, 0);
	script_out(s, FLAGS_A, 1, 1, 0);
	script_quiet(s);
	assert_state(s->conn, "ESTABLISHED");
}
