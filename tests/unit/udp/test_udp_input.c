/* Datagrams in: who gets them, what is refused, and where ICMP errors go. */
#include "udp_fixture.h"

static struct {
	struct haven_datagram last;
	uint8_t data[2048];
	int datagrams, errors, error;
} forwarded;

static void on_udp(void *user, const struct haven_datagram *datagram)
{
	(void)user;
	forwarded.datagrams++;
	forwarded.last = *datagram;
	memcpy(forwarded.data, datagram->data, datagram->size);
}

static void on_udp_error(void *user, const struct haven_endpoint *source,
			 const struct haven_endpoint *destination, int error)
{
	(void)user;
	assert_int_equal(source->port, 5000);
	assert_int_equal(destination->port, 53);
	forwarded.errors++;
	forwarded.error = error;
}

static void forward(void)
{
	memset(&forwarded, 0, sizeof(forwarded));
	f.forwarder.udp = on_udp;
	f.forwarder.udp_error = on_udp_error;
}

/* Connected before bound before forwarder before nobody. */
static void test_order(void **state)
{
	struct hv_udp_socket connected, plain;
	struct hv_addr us = host(false, 1), peer = host(false, 2);

	(void)state;
	bound(&connected, false, 7);
	assert_int_equal(hv_udp_connect(&f.udp, &connected, &us, &peer, 1000), 0);
	hv_udp_socket_init(&plain, 10000, &plain);
	plain.bind.local = us;
	plain.bind.port = 8;
	assert_int_equal(hv_udp_bind(&f.udp, &plain), 0);
	forward();

	hv_udp_input(&f.udp, datagram(false, 1000, 7, "a", 1));
	assert_ptr_equal(f.last_owner, &connected);
	hv_udp_input(&f.udp, datagram(false, 1001, 8, "b", 1));
	assert_ptr_equal(f.last_owner, &plain);
	/* From a stranger to the connected one's port: nobody's. */
	hv_udp_input(&f.udp, datagram(false, 1001, 7, "cd", 2));
	assert_int_equal(f.events, 2);
	assert_int_equal(forwarded.datagrams, 1);
	assert_int_equal(forwarded.last.source.port, 1001);
	assert_int_equal(forwarded.last.destination.port, 7);
	assert_int_equal(forwarded.last.hop_limit, 64);
	assert_int_equal(forwarded.last.size, 2);
	assert_memory_equal(forwarded.data, "cd", 2);
	assert_int_equal(f.sent_count, 0);
	f.forwarder.udp = NULL;
	hv_udp_input(&f.udp, datagram(false, 1001, 7, "e", 1));
	assert_int_equal(f.core.drops[HV_DROP_UDP_NO_SOCKET], 1);
	assert_int_equal(f.sent_count, 1);
	assert_int_equal(sent[0].bytes[20], 3); /* unreachable */
	assert_int_equal(sent[0].bytes[21], 3); /* port */
	assert_int_equal(f.udp.datagrams_in, 4);
	hv_udp_close(&f.udp, &connected);
	hv_udp_close(&f.udp, &plain);
}

/* What came to all is not forwarded and not answered. */
static void test_broadcast(void **state)
{
	struct hv_packet *packet = datagram(false, 68, 67, "x", 1);

	(void)state;
	forward();
	packet->d.link_broadcast = true;
	hv_udp_input(&f.udp, packet);
	assert_int_equal(forwarded.datagrams, 0);
	assert_int_equal(f.sent_count, 0);
	assert_int_equal(f.core.drops[HV_DROP_UDP_NO_SOCKET], 1);
}

static void test_bad_datagrams(void **state)
{
	struct hv_packet *packet;

	(void)state;
	forward();
	packet = datagram(false, 1, 2, "abc", 3);
	packet->d.l4[9] ^= 1;
	hv_udp_input(&f.udp, packet);
	assert_int_equal(f.core.drops[HV_DROP_UDP_CHECKSUM], 1);
	packet = datagram(true, 1, 2, "abc", 3);
	packet->d.payload_len = 7;
	hv_udp_input(&f.udp, packet);
	packet = datagram(false, 1, 2, "abc", 3);
	hv_put16(packet->d.l4 + 4, 12); /* more than there is */
	hv_udp_input(&f.udp, packet);
	assert_int_equal(f.core.drops[HV_DROP_UDP_HEADER], 2);
	/* No checksum: good over IPv4, not over IPv6 (RFC 8200 section 8.1). */
	packet = datagram(false, 1, 2, "abc", 3);
	hv_put16(packet->d.l4 + 6, 0);
	hv_udp_input(&f.udp, packet);
	assert_int_equal(forwarded.datagrams, 1);
	packet = datagram(true, 1, 2, "abc", 3);
	hv_put16(packet->d.l4 + 6, 0);
	hv_udp_input(&f.udp, packet);
	assert_int_equal(forwarded.datagrams, 1);
}

/* A batch goes to the forwarder whole. */
static void test_batch_forwarded(void **state)
{
	static const uint8_t data[2000];
	struct hv_packet *packet = datagram(true, 1, 2, data, sizeof(data));

	(void)state;
	forward();
	packet->gso_type = HV_GSO_UDP;
	packet->gso_size = 700;
	hv_udp_input(&f.udp, packet);
	assert_int_equal(forwarded.datagrams, 1);
	assert_int_equal(forwarded.last.size, sizeof(data));
	assert_int_equal(forwarded.last.gso_size, 700);
}

static void report(bool v6, uint16_t from, uint16_t to, int error, bool hard)
{
	uint8_t header[8];
	struct hv_icmp_report icmp = {
		.src = host(v6, 1),
		.dst = host(v6, 2),
		.offender = host(v6, 3),
		.proto = IPPROTO_UDP,
		.error = error,
		.hard = hard,
		.transport = header,
		.transport_len = sizeof(header),
	};

	hv_wire_udp_write(header, from, to, 100);
	hv_udp_icmp_error(&f.udp, &icmp);
	icmp.transport_len = 7;
	hv_udp_icmp_error(&f.udp, &icmp);
}

static void test_errors(void **state)
{
	struct hv_udp_socket connected, plain;
	struct hv_addr us = host(true, 1), peer = host(true, 2);

	(void)state;
	bound(&connected, true, 7);
	assert_int_equal(hv_udp_connect(&f.udp, &connected, &us, &peer, 53), 0);
	bound(&plain, true, 8);
	forward();
	report(true, 7, 53, EHOSTUNREACH, false);
	assert_int_equal(connected.error, 0);
	report(true, 7, 53, EMSGSIZE, false);
	assert_int_equal(connected.error, 0);
	report(true, 7, 53, ECONNREFUSED, true);
	assert_int_equal(connected.error, ECONNREFUSED);
	assert_ptr_equal(f.last_owner, &connected);
	report(true, 7, 53, EACCES, false);
	assert_int_equal(connected.error, EACCES);
	report(true, 8, 53, ECONNREFUSED, true);
	assert_int_equal(plain.error, 0);
	assert_int_equal(forwarded.errors, 0);
	report(true, 5000, 53, ENETUNREACH, false);
	assert_int_equal(forwarded.errors, 1);
	assert_int_equal(forwarded.error, ENETUNREACH);
	hv_udp_close(&f.udp, &connected);
	hv_udp_close(&f.udp, &plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_order),	  FIXTURE_TEST(test_broadcast),
		FIXTURE_TEST(test_bad_datagrams), FIXTURE_TEST(test_batch_forwarded),
		FIXTURE_TEST(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
