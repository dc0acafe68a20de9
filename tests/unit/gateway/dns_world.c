/* See dns_world.h. */
#include "dns_world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SETTLE_TURNS 50
#define LIMIT_NS     (10 * HV_NS_PER_S)

/* --- the world -------------------------------------------------------------------------------- */

static struct sockaddr_in address4(const char *text, uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};

	assert_int_equal(inet_pton(AF_INET, text, &address.sin_addr), 1);
	return address;
}

static void set_network(struct hv_network *network)
{
	network->v4.enabled = network->v4.has_dns = true;
	network->v4.prefix = 24;
	assert_true(hv_address_parse("10.0.2.100", network->v4.guest));
	assert_true(hv_address_parse("10.0.2.2", network->v4.gateway));
	assert_true(hv_address_parse("10.0.2.3", network->v4.dns));
	network->v4.has_host_loopback = true;
	assert_true(hv_address_parse("10.0.2.4", network->v4.host_loopback));
}

static void add_address(struct haven_stack *stack, unsigned ifindex, const char *text)
{
	struct sockaddr_in address = address4(text, 0);

	assert_int_equal(haven_address_add(stack, ifindex, (struct sockaddr *)&address, 24), 0);
}

static void plug_in(struct dns_world *w)
{
	struct haven_link_config config;
	struct haven_link *inner, *outer;

	haven_link_config_init(&config);
	config.mtu = 65520;
	assert_int_equal(haven_link_pair(w->gateway->stack, w->guest, &config, 0, &inner,
					 &outer),
			 0);
	assert_int_equal(haven_stack_attach(w->gateway->stack, inner, &w->gateway->ifindex), 0);
	w->gateway->link = inner;
	assert_int_equal(haven_stack_attach(w->guest, outer, &w->ifindex), 0);
	add_address(w->gateway->stack, w->gateway->ifindex, "10.0.2.2");
	add_address(w->gateway->stack, w->gateway->ifindex, "10.0.2.3");
	add_address(w->guest, w->ifindex, "10.0.2.100");
}

/* Both at one port of 127.0.0.1; the port that UDP got may be taken for TCP. */
static void open_resolver(struct dns_world *w)
{
	for (unsigned i = 0; i < 100; i++) {
		struct sockaddr_in address = address4("127.0.0.1", 0);
		socklen_t size = sizeof(address);

		w->resolver_udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		w->resolver_listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		assert_int_equal(bind(w->resolver_udp, (struct sockaddr *)&address, size), 0);
		getsockname(w->resolver_udp, (struct sockaddr *)&address, &size);
		if (bind(w->resolver_listener, (struct sockaddr *)&address, size) == 0) {
			assert_int_equal(listen(w->resolver_listener, 16), 0);
			return;
		}
		close(w->resolver_udp);
		close(w->resolver_listener);
	}
	fail_msg("no port is free for both UDP and TCP");
}

uint16_t dns_world_port(const struct dns_world *w)
{
	struct sockaddr_in address = {0};
	socklen_t size = sizeof(address);

	getsockname(w->resolver_udp, (struct sockaddr *)&address, &size);
	return ntohs(address.sin_port);
}

void dns_world_resolver(struct dns_world *w, uint16_t port)
{
	struct hv_resolv_conf *conf = &w->gateway->dns->conf;
	struct sockaddr_in address = address4("127.0.0.1", port);

	memcpy(&conf->servers[0].address, &address, sizeof(address));
	conf->servers[0].size = sizeof(address);
	conf->count = 1;
	conf->path = "/nonexistent/resolv.conf"; /* the servers of before still do */
}

static void bound(void *user, const char *name, const uint8_t address[16], uint32_t ttl_s)
{
	struct dns_world *w = user;
	size_t length = strlen(w->told);
	char text[HV_ENDPOINT_TEXT];

	snprintf(w->told + length, sizeof(w->told) - length, "%s %s %u\n", name,
		 hv_address_text(address, text), ttl_s);
}

static bool wanted(void *user, const char *name)
{
	const struct dns_world *w = user;

	return !w->wanted || strcmp(w->wanted, name) == 0;
}

static void open_udp(struct dns_world *w)
{
	struct sockaddr_in dns = address4("10.0.2.3", 53);

	assert_int_equal(haven_socket(w->guest, AF_INET, SOCK_DGRAM, 0, &w->udp), 0);
	assert_int_equal(haven_connect(w->udp, (struct sockaddr *)&dns, sizeof(dns)), 0);
}

void dns_world_init(struct dns_world *w, const struct hv_dns_static_name *names, size_t count)
{
	struct hv_gateway_config config = {.log = &w->log,
					   .mtu = 65520,
					   .static_names = names,
					   .static_name_count = count};
	struct hv_dns_watcher watcher = {.user = w, .bound = bound, .wanted = wanted};
	struct haven_stack_config stack;
	struct hv_gateway_error error;

	memset(w, 0, sizeof(*w));
	hv_log_init(&w->log, STDERR_FILENO, HV_LOG_ERROR);
	set_network(&config.network);
	assert_int_equal(hv_gateway_create(&config, &w->gateway, &error), 0);
	haven_stack_config_init(&stack);
	assert_int_equal(haven_stack_create(&stack, &w->guest), 0);
	plug_in(w);
	open_resolver(w);
	dns_world_resolver(w, dns_world_port(w));
	hv_dns_watch(w->gateway->dns, &watcher);
	dns_world_turn(w);
	open_udp(w);
}

void dns_world_finish(struct dns_world *w)
{
	hv_gateway_destroy(w->gateway);
	haven_stack_destroy(w->guest);
	close(w->resolver_udp);
	close(w->resolver_listener);
}

void dns_world_turn(struct dns_world *w)
{
	struct hv_gateway *gateway = w->gateway;

	while (haven_input(gateway->stack, gateway->ifindex, 64, gateway->loop.now_ns) > 0)
		gateway->stack_work = true;
	assert_int_equal(hv_gateway_turn(gateway, gateway->loop.now_ns), 0);
	haven_set_time(w->guest, gateway->loop.now_ns);
	while (haven_input(w->guest, w->ifindex, 64, gateway->loop.now_ns) > 0)
		;
	haven_poll(w->guest, gateway->loop.now_ns);
	while (haven_next_ready(w->guest, NULL))
		;
}

void dns_world_settle(struct dns_world *w)
{
	for (unsigned i = 0; i < SETTLE_TURNS; i++)
		dns_world_turn(w);
}

void dns_world_run(struct dns_world *w, bool (*done)(void *ctx), void *ctx)
{
	uint64_t end_ns = w->gateway->loop.now_ns + LIMIT_NS;

	while (!done(ctx)) {
		dns_world_turn(w);
		if (w->gateway->loop.now_ns > end_ns)
			fail_msg("what was waited for never came");
	}
}

/* --- the guest -------------------------------------------------------------------------------- */

struct wait {
	struct dns_world *w;
	struct haven_socket *socket;
	int fd;
	unsigned events;
};

static bool has_events(void *ctx)
{
	const struct wait *wait = ctx;

	return haven_socket_events(wait->socket) & wait->events;
}

static void wait_events(struct dns_world *w, struct haven_socket *socket, unsigned events)
{
	struct wait wait = {.w = w, .socket = socket, .events = events};

	dns_world_run(w, has_events, &wait);
}

void guest_ask(struct dns_world *w, const struct build *question)
{
	assert_int_equal(haven_send(w->udp, question->bytes, question->size, 0),
			 question->size);
	dns_world_turn(w);
}

bool guest_has_answer(struct dns_world *w)
{
	return haven_socket_events(w->udp) & HAVEN_EVENT_READABLE;
}

void guest_answer(struct dns_world *w, struct build *answer)
{
	ssize_t size;

	wait_events(w, w->udp, HAVEN_EVENT_READABLE);
	size = haven_recv(w->udp, answer->bytes, sizeof(answer->bytes), 0);
	assert_true(size > 0);
	answer->size = (size_t)size;
}

struct haven_socket *guest_connect(struct dns_world *w)
{
	struct sockaddr_in dns = address4("10.0.2.3", 53);
	struct haven_socket *socket;

	assert_int_equal(haven_socket(w->guest, AF_INET, SOCK_STREAM, 0, &socket), 0);
	assert_int_equal(haven_connect(socket, (struct sockaddr *)&dns, sizeof(dns)),
			 -EINPROGRESS);
	wait_events(w, socket, HAVEN_EVENT_WRITABLE);
	return socket;
}

void guest_send(struct dns_world *w, struct haven_socket *socket, const void *data, size_t size)
{
	assert_int_equal(haven_send(socket, data, size, 0), size);
	dns_world_turn(w);
}

void guest_ask_tcp(struct dns_world *w, struct haven_socket *socket,
		   const struct build *question)
{
	uint8_t prefix[2];

	hv_dns_put16(prefix, (uint16_t)question->size);
	assert_int_equal(haven_send(socket, prefix, 2, MSG_MORE), 2);
	guest_send(w, socket, question->bytes, question->size);
}

static void receive_all(struct dns_world *w, struct haven_socket *socket, uint8_t *data,
			size_t size)
{
	while (size > 0) {
		ssize_t got;

		wait_events(w, socket, HAVEN_EVENT_READABLE | HAVEN_EVENT_ERROR);
		got = haven_recv(socket, data, size, 0);
		assert_true(got > 0);
		data += got;
		size -= (size_t)got;
	}
}

void guest_answer_tcp(struct dns_world *w, struct haven_socket *socket, struct build *answer)
{
	uint8_t prefix[2];

	receive_all(w, socket, prefix, 2);
	answer->size = hv_dns_get16(prefix);
	receive_all(w, socket, answer->bytes, answer->size);
}

int guest_end(struct dns_world *w, struct haven_socket *socket)
{
	uint8_t byte;
	ssize_t got;

	wait_events(w, socket, HAVEN_EVENT_READABLE | HAVEN_EVENT_ERROR);
	got = haven_recv(socket, &byte, 1, 0);
	assert_true(got <= 0);
	return (int)got;
}

/* --- the resolver ----------------------------------------------------------------------------- */

static bool is_readable(void *ctx)
{
	const struct wait *wait = ctx;
	uint8_t byte;

	return recv(wait->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

static void wait_readable(struct dns_world *w, int fd)
{
	struct wait wait = {.w = w, .fd = fd};

	dns_world_run(w, is_readable, &wait);
}

bool resolver_is_asked(struct dns_world *w)
{
	struct wait wait = {.w = w, .fd = w->resolver_udp};

	dns_world_settle(w);
	return is_readable(&wait);
}

void resolver_question(struct dns_world *w, struct build *question)
{
	socklen_t size = sizeof(w->asked_from);
	ssize_t got;

	wait_readable(w, w->resolver_udp);
	got = recvfrom(w->resolver_udp, question->bytes, sizeof(question->bytes), 0,
		       (struct sockaddr *)&w->asked_from, &size);
	assert_true(got > 0);
	question->size = (size_t)got;
}

void resolver_answer(struct dns_world *w, const struct build *question, struct build *answer)
{
	hv_dns_set_id(answer->bytes, hv_dns_id(question->bytes));
	assert_int_equal(sendto(w->resolver_udp, answer->bytes, answer->size, 0,
				(struct sockaddr *)&w->asked_from, sizeof(w->asked_from)),
			 answer->size);
}

static bool has_connection(void *ctx)
{
	struct wait *wait = ctx;

	wait->fd = accept4(wait->w->resolver_listener, NULL, NULL, SOCK_NONBLOCK);
	return wait->fd >= 0;
}

int resolver_accept(struct dns_world *w)
{
	struct wait wait = {.w = w};

	dns_world_run(w, has_connection, &wait);
	return wait.fd;
}

static void read_all(struct dns_world *w, int fd, uint8_t *data, size_t size)
{
	while (size > 0) {
		ssize_t got;

		wait_readable(w, fd);
		got = recv(fd, data, size, 0);
		assert_true(got > 0);
		data += got;
		size -= (size_t)got;
	}
}

void resolver_question_tcp(struct dns_world *w, int fd, struct build *question)
{
	uint8_t prefix[2];

	read_all(w, fd, prefix, 2);
	question->size = hv_dns_get16(prefix);
	read_all(w, fd, question->bytes, question->size);
}

void resolver_answer_tcp(struct dns_world *w, int fd, const struct build *question,
			 struct build *answer)
{
	static uint8_t framed[2 + HV_DNS_MESSAGE_MAX];
	size_t done = 0;

	hv_dns_set_id(answer->bytes, hv_dns_id(question->bytes));
	hv_dns_put16(framed, (uint16_t)answer->size);
	memcpy(framed + 2, answer->bytes, answer->size);
	while (done < 2 + answer->size) {
		ssize_t sent = send(fd, framed + done, 2 + answer->size - done, MSG_NOSIGNAL);

		if (sent < 0)
			assert_int_equal(errno, EAGAIN);
		else
			done += (size_t)sent;
		dns_world_turn(w);
	}
}
