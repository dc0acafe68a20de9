/* Connection requests that wait for the forwarder's answer. */
#include "tcp/fixture.h"

#include "tcp/tcp_request.h"
#include "wire/checksum.h"

struct forwarder {
	struct haven_forwarder callbacks;
	struct haven_request *request;
	unsigned asked, cancelled;
	struct haven_endpoint source, destination;
	int refuse_at_once; /* errno; 0: no */
};

static void on_tcp(void *user, struct haven_request *request,
		   const struct haven_endpoint *source,
		   const struct haven_endpoint *destination)
{
	struct forwarder *f = user;

	f->asked++;
	f->request = request;
	f->source = *source;
	f->destination = *destination;
	haven_request_set_user(request, f);
	if (f->refuse_at_once)
		haven_request_refuse(request, f->refuse_at_once, NULL);
}

static void on_cancelled(void *user, struct haven_request *request)
{
	struct forwarder *f = user;

	assert_ptr_equal(haven_request_user(request), f);
	assert_ptr_equal(request, f->request);
	f->request = NULL;
	f->cancelled++;
}

static void begin(struct script *s, struct forwarder *f)
{
	*f = (struct forwarder){.callbacks = {.tcp = on_tcp, .tcp_cancelled = on_cancelled}};
	f->callbacks.user = f;
	s->host.tcp.forwarder = &f->callbacks;
	s->host_iss = 0;
}

static void test_accept(void **state)
{
	struct script *s = *state;
	struct forwarder f;
	char text[8] = "";

	begin(s, &f);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_quiet(s); /* no SYN-ACK before the other side is known */
	assert_int_equal(f.asked, 1);
	assert_int_equal(f.source.port, PEER_PORT);
	assert_int_equal(f.destination.port, HOST_PORT);
	assert_memory_equal(f.destination.address, s->host.addr.b, 16);
	assert_int_equal(s->host.tcp.request_count, 1);
	assert_int_equal(s->host.tcp.connection_count, 0);
	script_in(s, FLAGS_S, 0, 0, NULL, 0); /* repeated: absorbed */
	script_quiet(s);
	assert_int_equal(f.asked, 1);
	assert_ptr_equal(hv_tcp_request_tcp(f.request), &s->host.tcp);
	assert_int_equal(hv_tcp_request_accept(f.request, &s->host, &s->conn), 0);
	assert_int_equal(s->host.tcp.request_count, 0);
	assert_int_equal(host_send(s->conn, "early", 5), 5); /* at once */
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_SA, 0, 1, 0);
	assert_state(s->conn, "SYN-RECEIVED");
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	script_out(s, FLAGS_PA, 1, 1, 5);
	assert_true(s->host.events & HAVEN_EVENT_CONNECTED);
	script_in(s, FLAGS_PA, 1, 6, "data", 4);
	script_out(s, FLAGS_A, 6, 5, 0);
	assert_int_equal(host_read(s->conn, text, sizeof(text)), 4);
}

static void test_close_before_handshake_ends(void **state)
{
	struct script *s = *state;
	struct forwarder f;

	begin(s, &f);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	assert_int_equal(hv_tcp_request_accept(f.request, &s->host, &s->conn), 0);
	host_send(s->conn, "x", 1);
	hv_tcp_close(s->conn);
	hv_tcp_flush(&s->host.tcp);
	script_out(s, FLAGS_SA, 0, 1, 0);
	script_in(s, FLAGS_A, 1, 1, NULL, 0);
	script_out(s, FLAGS_FPA, 1, 1, 1);
}

static void test_refuse(void **state)
{
	static const struct {
		int error, icmp_kind;
	} answers[] = {
		{ECONNREFUSED, -1},
		{EIO, -1},
		{ENETUNREACH, HAVEN_ICMP_NET_UNREACHABLE},
		{EHOSTUNREACH, HAVEN_ICMP_HOST_UNREACHABLE},
		{EHOSTDOWN, HAVEN_ICMP_HOST_UNREACHABLE},
		{EACCES, HAVEN_ICMP_PROHIBITED},
		{EPERM, HAVEN_ICMP_PROHIBITED},
		{ETIMEDOUT, -2},
	};
	struct script *s = *state;
	struct forwarder f;

	begin(s, &f);
	for (unsigned i = 0; i < TEST_COUNT(answers); i++) {
		s->host.ip.icmp_kind = -1;
		s->host_iss = 0;
		script_in(s, FLAGS_S, 0, 0, NULL, 0);
		haven_request_refuse(f.request, answers[i].error, NULL);
		if (answers[i].icmp_kind == -1)
			script_out(s, FLAGS_RA, 0, 1, 0);
		else if (answers[i].icmp_kind >= 0)
			assert_int_equal(s->host.ip.icmp_kind, answers[i].icmp_kind);
		script_quiet(s);
		assert_int_equal(s->host.tcp.request_count, 0);
	}
	/* The quotation is the SYN as it came. */
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	haven_request_refuse(f.request, EHOSTUNREACH, NULL);
	assert_int_equal(s->host.ip.quote_len, 40);
	assert_int_equal(s->host.ip.quote[0], 0x45);
	assert_memory_equal(s->host.ip.quote + 12, s->peer.b + 12, 4);
	assert_memory_equal(s->host.ip.quote + 16, s->host.addr.b + 12, 4);
	assert_int_equal(hv_get16(s->host.ip.quote + 20), PEER_PORT);
	assert_int_equal(hv_get16(s->host.ip.quote + 22), HOST_PORT);
	assert_int_equal(hv_get32(s->host.ip.quote + 24), s->peer_iss);
	assert_int_equal(hv_checksum(s->host.ip.quote, 20), 0);
}

static void test_refuse_at_once(void **state)
{
	struct script *s = *state;
	struct forwarder f;

	begin(s, &f);
	f.refuse_at_once = ECONNREFUSED;
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_out(s, FLAGS_RA, 0, 1, 0);
	assert_int_equal(s->host.tcp.request_count, 0);
}

static void test_cancelled_by_reset(void **state)
{
	struct script *s = *state;
	struct forwarder f;

	begin(s, &f);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_in(s, FLAGS_R, 5000, 0, NULL, 0); /* somebody else's */
	assert_int_equal(f.cancelled, 0);
	script_in(s, FLAGS_R, 1, 0, NULL, 0);
	assert_int_equal(f.cancelled, 1);
	assert_int_equal(s->host.tcp.request_count, 0);
	script_quiet(s);
}

static void test_time_out(void **state)
{
	struct script *s = *state;
	struct forwarder f;

	begin(s, &f);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_wait_ms(s, 179000);
	assert_int_equal(f.cancelled, 0);
	script_wait_ms(s, 2000);
	assert_int_equal(f.cancelled, 1);
	assert_int_equal(s->host.tcp.request_count, 0);
}

static void test_new_syn(void **state)
{
	struct script *s = *state;
	struct forwarder f;

	begin(s, &f);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	s->peer_iss += 1000;
	script_in(s, FLAGS_S, 0, 0, NULL, 0); /* the client began anew */
	assert_int_equal(f.cancelled, 1);
	assert_int_equal(f.asked, 2);
	assert_int_equal(f.request->irs, s->peer_iss);
}

static void test_stray_ack(void **state)
{
	struct script *s = *state;
	struct forwarder f;

	begin(s, &f);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	script_in(s, FLAGS_A, 1, 99, NULL, 0);
	script_out(s, FLAGS_R, 99, 0, 0);
	assert_int_equal(s->host.tcp.request_count, 1);
	assert_int_equal(f.cancelled, 0);
}

static void on_any_cancelled(void *user, struct haven_request *request)
{
	struct forwarder *f = user;

	f->cancelled++;
	if (f->request == request)
		f->request = NULL;
}

/* A second after a flood of SYNs to silent hosts the limit is free for others: the oldest makes way. */
static void test_oldest_makes_way(void **state)
{
	struct script *s = *state;
	struct forwarder f;
	struct haven_request *newest;

	begin(s, &f);
	f.callbacks.tcp_cancelled = on_any_cancelled;
	s->host.tcp.config.max_requests = 3;
	for (unsigned i = 0; i < 100; i++) {
		s->peer_port++;
		script_in(s, FLAGS_S, 0, 0, NULL, 0);
	}
	assert_int_equal(f.asked, 3);
	script_wait_ms(s, 1000);
	s->peer_port++;
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	assert_int_equal(f.asked, 4);
	assert_int_equal(f.cancelled, 1);
	assert_int_equal(s->host.tcp.request_count, 3);
	newest = f.request;
	for (unsigned i = 0; i < 100; i++) { /* two more make way, and this one does not */
		s->peer_port++;
		script_in(s, FLAGS_S, 0, 0, NULL, 0);
	}
	assert_int_equal(f.asked, 6);
	assert_int_equal(f.cancelled, 3);
	assert_int_equal(hv_tcp_request_accept(newest, &s->host, &s->conn), 0);
	hv_tcp_flush(&s->host.tcp);
	script_skip(s);
}

static void test_limits(void **state)
{
	struct script *s = *state;
	struct forwarder f;

	begin(s, &f);
	s->host.tcp.config.max_requests = 2;
	for (unsigned i = 0; i < 4; i++) {
		s->peer_port++;
		script_in(s, FLAGS_S, 0, 0, NULL, 0);
	}
	assert_int_equal(f.asked, 2);
	assert_int_equal(script_drops(s, HV_DROP_TCP_REQUEST_LIMIT), 2);
	script_wait_ms(s, 900);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	assert_int_equal(f.asked, 2);
	assert_int_equal(script_drops(s, HV_DROP_TCP_REQUEST_LIMIT), 3);
	s->host.tcp.config.max_connections = 0;
	s->host_iss = 0;
	assert_int_equal(hv_tcp_request_accept(f.request, NULL, &s->conn), -EMFILE);
	s->host_port = HOST_PORT;
	script_out(s, FLAGS_RA, 0, 1, 0); /* the client is told */
	assert_int_equal(s->host.tcp.request_count, 1);
}

/* A port that somebody listens on is not the forwarder's. */
static void test_listener_first(void **state)
{
	struct script *s = *state;
	struct forwarder f;

	begin(s, &f);
	script_accept(s);
	assert_int_equal(f.asked, 0);
}

static void test_tuple_state(void **state)
{
	struct script *s = *state;
	struct forwarder f;
	void *owner = s;

	begin(s, &f);
	script_in(s, FLAGS_S, 0, 0, NULL, 0);
	assert_string_equal(hv_tcp_tuple_state(&f.request->tuple, &owner), "SYN-RECEIVED");
	assert_null(owner);
	hv_tcp_request_accept(f.request, &s->host, &s->conn);
	assert_string_equal(hv_tcp_tuple_state(hv_tcp_tuple(s->conn), &owner), "SYN-RECEIVED");
	assert_ptr_equal(owner, &s->host);
	assert_string_equal(hv_tcp_tuple_state(hv_tcp_tuple(s->conn), NULL), "SYN-RECEIVED");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRIPT_TEST(test_accept),
		SCRIPT_TEST(test_close_before_handshake_ends),
		SCRIPT_TEST(test_refuse),
		SCRIPT_TEST(test_refuse_at_once),
		SCRIPT_TEST(test_cancelled_by_reset),
		SCRIPT_TEST(test_time_out),
		SCRIPT_TEST(test_new_syn),
		SCRIPT_TEST(test_stray_ack),
		SCRIPT_TEST(test_limits),
		SCRIPT_TEST(test_oldest_makes_way),
		SCRIPT_TEST(test_listener_first),
		SCRIPT_TEST(test_tuple_state),
	};

	return cmocka_run_group_tests_name("tcp request", tests, NULL, NULL);
}
