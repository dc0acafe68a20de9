/*
 * What FTP's helper makes of lines: what goes on, what is put in its place, what is refused, and the ports of the host that it opens.
 * The host's connection is one over 127.0.0.1; the guest's side is told by what stands in its buffer.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/helper_state.h"
#include "support/test.h"

struct world {
	struct hv_log log;
	struct hv_gateway gateway;
	struct hv_relay relay;
	struct hv_helper *helper;
	int peer; /* the other end of the host's connection */
};

static void connect_host(struct world *world)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	world->relay.source.fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(world->relay.source.fd, (struct sockaddr *)&address, size), 0);
	world->peer = accept(listener, NULL, NULL);
	assert_true(world->peer >= 0);
	close(listener);
}

/* kind: HV_FLOW_TCP_OUT has the client inside, HV_FLOW_TCP_IN the server. */
static void begin(struct world *world, enum hv_flow_kind kind)
{
	struct hv_relay *relay = &world->relay;
	bool out = kind == HV_FLOW_TCP_OUT;

	memset(world, 0, sizeof(*world));
	world->log = (struct hv_log){.fd = -1, .level = HV_LOG_ERROR};
	world->gateway.log = &world->log;
	world->gateway.ftp_ports[0] = 21;
	world->gateway.ftp_port_count = 1;
	assert_int_equal(hv_loop_init(&world->gateway.loop), 0);
	relay->gateway = &world->gateway;
	relay->flow.kind = kind;
	hv_address_parse(out ? "10.0.2.100" : "192.0.2.7", relay->flow.source.address);
	hv_address_parse(out ? "192.0.2.7" : "10.0.2.100", relay->flow.destination.address);
	hv_address_parse("192.0.2.7", relay->peer.address);
	relay->flow.destination.port = 21;
	connect_host(world);
	world->helper = hv_helper_begin(relay);
	assert_non_null(world->helper);
}

static void end(struct world *world)
{
	hv_helper_end(world->helper);
	hv_loop_end_turn(&world->gateway.loop);
	hv_loop_finish(&world->gateway.loop);
	assert_int_equal(world->gateway.ftp_waiting_count, 0);
	close(world->relay.source.fd);
	close(world->peer);
}

/* A line of one side, and what the sides are told: NULL is nothing, a text is what it begins with. */
static void expect(struct world *world, struct hv_helper_side *from, const char *line,
		   const char *to_guest, const char *to_host)
{
	struct hv_helper_side *sides[] = {&world->helper->guest, &world->helper->host};
	const char *wanted[] = {to_guest ? to_guest : "", to_host ? to_host : ""};

	hv_ftp_line(world->helper, from, line, strlen(line));
	for (unsigned i = 0; i < 2; i++) {
		size_t size = strlen(wanted[i]);

		if ((size == 0) != (sides[i]->out_size == 0) || sides[i]->out_size < size ||
		    memcmp(sides[i]->out, wanted[i], size) != 0)
			fail_msg("%s: side %u is told '%.*s'", line, i, (int)sides[i]->out_size,
				 (const char *)sides[i]->out);
		sides[i]->out_size = 0;
	}
}

static void only_asked_ports_have_one(void **state)
{
	struct world world;

	(void)state;
	begin(&world, HV_FLOW_TCP_OUT);
	world.relay.flow.destination.port = 2121;
	assert_null(hv_helper_begin(&world.relay));
	world.relay.flow.destination.port = 21;
	world.relay.flow.kind = HV_FLOW_DNS;
	assert_null(hv_helper_begin(&world.relay));
	end(&world);
}

static void client_inside(void **state)
{
	struct world world;
	struct hv_helper_side *guest, *host;

	(void)state;
	begin(&world, HV_FLOW_TCP_OUT);
	guest = &world.helper->guest;
	host = &world.helper->host;
	expect(&world, host, "220 hello\r\n", "220 hello\r\n", NULL);
	expect(&world, guest, "USER x\r\n", NULL, "USER x\r\n");
	expect(&world, host, "331 and?\r\n", "331 and?\r\n", NULL);
	expect(&world, guest, "PORT 10,0,2,101,156,64\r\n", "500 haven: ", NULL);
	expect(&world, guest, "PORT 10,0,2,100,3,255\r\n", "500 haven: ", NULL);
	expect(&world, guest, "PORT 10,0,2,100\r\n", "500 haven: ", NULL);
	expect(&world, guest, "EPRT |2|fd00::100|2000|\r\n", "500 haven: ", NULL);
	assert_int_equal(world.helper->waiting_count, 0);
	expect(&world, guest, "PORT 10,0,2,100,4,0\r\n", NULL, "PORT 127,0,0,1,");
	expect(&world, guest, "EPRT |1|10.0.2.100|1024|\r\n", NULL, "EPRT |1|127.0.0.1|");
	assert_int_equal(world.helper->waiting_count, 2);
	assert_int_equal(TAILQ_FIRST(&world.helper->waiting)->guest_port, 1024);
	end(&world);
}

/* Wherever a server says that it waits, it is at its own address that the client looks. */
static void server_outside(void **state)
{
	struct world world;
	struct hv_helper_side *guest, *host;

	(void)state;
	begin(&world, HV_FLOW_TCP_OUT);
	guest = &world.helper->guest;
	host = &world.helper->host;
	world.helper->dialogue.greeted = true;
	expect(&world, host, "227 (10,9,9,9,8,0)\r\n", "227 (10,9,9,9,8,0)\r\n", NULL);
	expect(&world, guest, "PASV\r\n", NULL, "PASV\r\n");
	expect(&world, host, "227 (192,0,2,7,8,0)\r\n", "227 (192,0,2,7,8,0)\r\n", NULL);
	expect(&world, guest, "PASV\r\n", NULL, "PASV\r\n");
	expect(&world, host, "227 (10,9,9,9,8,0)\r\n",
	       "227 Entering Passive Mode (192,0,2,7,8,0).\r\n", NULL);
	expect(&world, guest, "PASV\r\n", NULL, "PASV\r\n");
	expect(&world, host, "227 (192,0,2,7,0,22)\r\n", "500 haven: ", NULL);
	expect(&world, guest, "EPSV\r\n", NULL, "EPSV\r\n");
	expect(&world, host, "229 (|||2048|)\r\n", "229 (|||2048|)\r\n", NULL);
	expect(&world, guest, "EPSV\r\n", NULL, "EPSV\r\n");
	expect(&world, host, "229 (|||22|)\r\n", "500 haven: ", NULL);
	assert_int_equal(world.helper->waiting_count, 0);
	end(&world);
}

static void server_inside(void **state)
{
	struct world world;
	struct hv_helper_side *guest, *host;
	char expected[HV_FTP_DATA_LINE];

	(void)state;
	begin(&world, HV_FLOW_TCP_IN);
	guest = &world.helper->guest;
	host = &world.helper->host;
	world.helper->dialogue.greeted = true;
	expect(&world, host, "PASV\r\n", "PASV\r\n", NULL);
	expect(&world, guest, "227 (10,0,2,100,8,0)\r\n", NULL,
	       "227 Entering Passive Mode (127,0,0,1,");
	expect(&world, host, "EPSV\r\n", "EPSV\r\n", NULL);
	expect(&world, guest, "229 (|||30000|)\r\n", NULL,
	       "229 Entering Extended Passive Mode (|||");
	assert_int_equal(world.helper->waiting_count, 2);
	assert_int_equal(TAILQ_FIRST(&world.helper->waiting)->guest_port, 2048);
	expect(&world, host, "EPSV\r\n", "EPSV\r\n", NULL);
	expect(&world, guest, "229 (|||1023|)\r\n", NULL, "500 haven: ");
	/* Words of a file's name that look like an answer. */
	expect(&world, host, "SIZE x\r\n", "SIZE x\r\n", NULL);
	snprintf(expected, sizeof(expected), "227 (10,0,2,100,8,0) not found\r\n");
	expect(&world, guest, expected, NULL, expected);
	assert_int_equal(world.helper->waiting_count, 2);
	end(&world);
}

static void client_outside(void **state)
{
	struct world world;
	struct hv_helper_side *host;

	(void)state;
	begin(&world, HV_FLOW_TCP_IN);
	host = &world.helper->host;
	expect(&world, host, "PORT 192,0,2,7,8,0\r\n", "PORT 192,0,2,7,8,0\r\n", NULL);
	expect(&world, host, "EPRT |1|192.0.2.7|2048|\r\n", "EPRT |1|192.0.2.7|2048|\r\n",
	       NULL);
	expect(&world, host, "PORT 192,0,2,8,8,0\r\n", NULL, "500 haven: ");
	expect(&world, host, "PORT 192,0,2,7,0,25\r\n", NULL, "500 haven: ");
	expect(&world, host, "EPRT |1|10.0.2.100|5432|\r\n", NULL, "500 haven: ");
	expect(&world, host, "LPRT 4,4,192,0,2,7,2,8,0\r\n", NULL, "500 haven: ");
	/* The guest knows this client by the gateway's address, and cannot connect to it. */
	hv_address_parse("10.0.2.2", world.relay.flow.source.address);
	expect(&world, host, "PORT 192,0,2,7,8,0\r\n", NULL, "500 haven: ");
	assert_int_equal(world.helper->waiting_count, 0);
	end(&world);
}

static void tls_is_not_read(void **state)
{
	struct world world;
	struct hv_helper_side *guest, *host;

	(void)state;
	begin(&world, HV_FLOW_TCP_OUT);
	guest = &world.helper->guest;
	host = &world.helper->host;
	expect(&world, host, "220 hello\r\n", "220 hello\r\n", NULL);
	expect(&world, guest, "AUTH TLS\r\n", NULL, "AUTH TLS\r\n");
	expect(&world, host, "534 no\r\n", "534 no\r\n", NULL);
	assert_false(world.helper->aside);
	expect(&world, guest, "NOOP\r\n", NULL, "NOOP\r\n");
	expect(&world, host, "234 unasked\r\n", "234 unasked\r\n", NULL);
	assert_false(world.helper->aside);
	expect(&world, guest, "AUTH TLS\r\n", NULL, "AUTH TLS\r\n");
	expect(&world, host, "234 go on\r\n", "234 go on\r\n", NULL);
	assert_true(world.helper->aside);
	end(&world);
}

/* What is refused does not go on in the pieces that follow, what is not refused does. */
static void rest_of_a_long_line(void **state)
{
	struct world world;
	char line[HV_HELPER_LINE + 1];

	(void)state;
	begin(&world, HV_FLOW_TCP_IN);
	snprintf(line, sizeof(line), "PORT%*s", HV_HELPER_LINE - 4, "");
	assert_int_equal(hv_ftp_line(world.helper, &world.helper->host, line, HV_HELPER_LINE),
			 HV_HELPER_REST_DROP);
	assert_int_equal(world.helper->guest.out_size, 0);
	world.helper->host.out_size = 0;
	snprintf(line, sizeof(line), "STOR%*s", HV_HELPER_LINE - 4, "");
	assert_int_equal(hv_ftp_line(world.helper, &world.helper->host, line, HV_HELPER_LINE),
			 HV_HELPER_REST_PASS);
	assert_int_equal(world.helper->guest.out_size, HV_HELPER_LINE);
	end(&world);
}

static void oldest_gives_way(void **state)
{
	struct world world;
	char line[64];

	(void)state;
	begin(&world, HV_FLOW_TCP_OUT);
	for (unsigned i = 0; i < HV_FTP_WAITING_MAX + 2; i++) {
		snprintf(line, sizeof(line), "PORT 10,0,2,100,8,%u\r\n", i);
		expect(&world, &world.helper->guest, line, NULL, "PORT 127,0,0,1,");
	}
	assert_int_equal(world.helper->waiting_count, HV_FTP_WAITING_MAX);
	assert_int_equal(world.gateway.ftp_waiting_count, HV_FTP_WAITING_MAX);
	assert_int_equal(TAILQ_FIRST(&world.helper->waiting)->guest_port, 2048 + 2);
	/* Its time is over. */
	world.helper->waiting.tqh_first->timer.expired(
		&TAILQ_FIRST(&world.helper->waiting)->timer);
	assert_int_equal(world.helper->waiting_count, HV_FTP_WAITING_MAX - 1);
	world.gateway.ftp_waiting_count = HV_FTP_WAITING_ALL_MAX;
	expect(&world, &world.helper->guest, "PORT 10,0,2,100,9,0\r\n", "500 haven: ", NULL);
	world.gateway.ftp_waiting_count = HV_FTP_WAITING_MAX - 1;
	end(&world);
}

/* Whoever else comes is closed, and the one that is meant is still waited for. */
static void others_are_not_let_in(void **state)
{
	struct world world;
	struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
	struct hv_ftp_waiting *waiting;
	int stranger = socket(AF_INET, SOCK_STREAM, 0);
	char byte;

	(void)state;
	begin(&world, HV_FLOW_TCP_OUT);
	expect(&world, &world.helper->guest, "PORT 10,0,2,100,8,0\r\n", NULL,
	       "PORT 127,0,0,1,");
	waiting = TAILQ_FIRST(&world.helper->waiting);
	inet_pton(AF_INET, "127.0.0.2", &from.sin_addr);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons(waiting->host_port);
	assert_int_equal(bind(stranger, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(connect(stranger, (struct sockaddr *)&to, sizeof(to)), 0);
	waiting->source.ready(&waiting->source, EPOLLIN);
	assert_int_equal(recv(stranger, &byte, 1, 0), 0);
	assert_int_equal(world.helper->waiting_count, 1);
	close(stranger);
	end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_asked_ports_have_one),
		cmocka_unit_test(client_inside),
		cmocka_unit_test(server_outside),
		cmocka_unit_test(server_inside),
		cmocka_unit_test(client_outside),
		cmocka_unit_test(tls_is_not_read),
		cmocka_unit_test(rest_of_a_long_line),
		cmocka_unit_test(oldest_gives_way),
		cmocka_unit_test(others_are_not_let_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
