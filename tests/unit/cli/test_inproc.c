/* A client's stack and the gateway in one process: its sockets reach those of the host, and the other way round. */
#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

#include "cli/inproc.h"
#include "gateway/publish.h"
#include "gateway/relay.h"
#include "support/test.h"

#define LIMIT_NS (10 * HV_NS_PER_S)

static struct hv_log quiet = {.fd = -1, .level = HV_LOG_ERROR};

static struct hv_inproc *create(hv_inproc_packet_fn *packet, void *user)
{
	struct hv_inproc_config config = {.log = &quiet, .packet = packet, .packet_user = user};
	struct hv_gateway_error error;
	struct hv_inproc *inproc;

	if (hv_inproc_create(&config, &inproc, &error) < 0)
		fail_msg("%s", error.text);
	return inproc;
}

/* A socket of the host that listens at this loopback address. */
static int listen_on_host(const char *text, uint16_t *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(inet_pton(AF_INET, text, &address.sin_addr), 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

static struct haven_socket *connect_to(struct hv_inproc *inproc, const char *text,
				       uint16_t port)
{
	struct haven_endpoint host = {.port = port}, destination;
	struct sockaddr_storage address;
	struct haven_socket *socket;
	socklen_t size;

	assert_true(hv_address_parse(text, host.address));
	hv_inproc_destination(inproc, &host, &destination);
	size = haven_endpoint_to_sockaddr(&destination, &address);
	assert_int_equal(hv_inproc_socket(inproc, host.address, SOCK_STREAM, &socket), 0);
	assert_int_equal(haven_connect(socket, (struct sockaddr *)&address, size),
			 -EINPROGRESS);
	return socket;
}

static unsigned wait_for(struct hv_inproc *inproc, struct haven_socket *socket, unsigned events)
{
	return hv_inproc_wait(inproc, socket, events, hv_inproc_now(inproc) + LIMIT_NS);
}

static void ends_of(struct haven_socket *socket, uint16_t *port, struct haven_endpoint *far)
{
	struct sockaddr_storage address;
	struct haven_endpoint own;
	socklen_t size = sizeof(address);

	assert_int_equal(haven_getsockname(socket, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(haven_endpoint_from_sockaddr((struct sockaddr *)&address, &own), 0);
	*port = own.port;
	size = sizeof(address);
	assert_int_equal(haven_getpeername(socket, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(haven_endpoint_from_sockaddr((struct sockaddr *)&address, far), 0);
}

static void out_to_a_loopback_address_and_back(void **state)
{
	struct hv_inproc *inproc = create(NULL, NULL);
	struct haven_socket *socket;
	struct sockaddr_in peer;
	socklen_t size = sizeof(peer);
	char text[8] = "";
	struct haven_endpoint far = {0};
	uint16_t port, own;
	int listener = listen_on_host("127.0.0.53", &port), fd;

	(void)state;
	socket = connect_to(inproc, "127.0.0.53", port);
	assert_true(wait_for(inproc, socket, HAVEN_EVENT_CONNECTED | HAVEN_EVENT_ERROR) &
		    HAVEN_EVENT_CONNECTED);
	fd = accept(listener, (struct sockaddr *)&peer, &size);
	assert_true(fd >= 0);
	ends_of(socket, &own, &far);
	assert_non_null(hv_inproc_relay(inproc, own, &far));
	assert_int_equal(send(fd, "hello", 5, 0), 5);
	assert_true(wait_for(inproc, socket, HAVEN_EVENT_READABLE));
	assert_int_equal(haven_recv(socket, text, sizeof(text), 0), 5);
	assert_string_equal(text, "hello");
	close(fd);
	assert_true(wait_for(inproc, socket, HAVEN_EVENT_PEER_CLOSED));
	haven_close(socket);
	hv_inproc_drain(inproc, own, &far, LIMIT_NS);
	assert_true(TAILQ_EMPTY(&inproc->gateway->relays));
	close(listener);
	hv_inproc_destroy(inproc);
}

static void refused_is_refused(void **state)
{
	struct hv_inproc *inproc = create(NULL, NULL);
	struct haven_socket *socket;
	socklen_t size = sizeof(int);
	int error = 0;
	uint16_t port;

	(void)state;
	close(listen_on_host("127.0.0.1", &port));
	socket = connect_to(inproc, "127.0.0.1", port);
	assert_true(wait_for(inproc, socket, HAVEN_EVENT_CONNECTED | HAVEN_EVENT_ERROR) &
		    HAVEN_EVENT_ERROR);
	haven_getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size);
	assert_int_equal(error, ECONNREFUSED);
	haven_close(socket);
	hv_inproc_destroy(inproc);
}

static void no_answer_ends_with_the_deadline(void **state)
{
	struct hv_inproc *inproc = create(NULL, NULL);
	struct haven_socket *socket;

	(void)state;
	assert_int_equal(haven_socket(inproc->stack, AF_INET, SOCK_DGRAM, 0, &socket), 0);
	assert_int_equal(hv_inproc_wait(inproc, socket, HAVEN_EVENT_READABLE,
					hv_inproc_now(inproc) + HV_NS_PER_MS),
			 0);
	haven_close(socket);
	hv_inproc_destroy(inproc);
}

struct seen {
	unsigned outbound, inbound;
};

static void see(void *user, bool outbound, const uint8_t *frame, size_t size)
{
	struct seen *seen = user;

	assert_true(size >= 14 && frame[12] == 0x08);
	seen->outbound += outbound;
	seen->inbound += !outbound;
}

static struct haven_socket *listen_inside(struct hv_inproc *inproc, uint16_t port)
{
	struct haven_endpoint own = {.port = port};
	struct sockaddr_storage address;
	struct haven_socket *socket;
	socklen_t size;

	memcpy(own.address, hv_inproc_family(inproc, true)->guest, 16);
	size = haven_endpoint_to_sockaddr(&own, &address);
	assert_int_equal(hv_inproc_socket(inproc, own.address, SOCK_STREAM, &socket), 0);
	assert_int_equal(haven_bind(socket, (struct sockaddr *)&address, size), 0);
	assert_int_equal(haven_listen(socket, 4), 0);
	return socket;
}

/* And all that passes the wire is seen, with the way it goes. */
static void in_by_a_published_port(void **state)
{
	struct seen seen = {0};
	struct hv_inproc *inproc = create(see, &seen);
	struct haven_socket *listener = listen_inside(inproc, 80), *accepted;
	struct sockaddr_in address = {.sin_family = AF_INET};
	struct haven_endpoint host = {0};
	struct hv_published *published;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct haven_endpoint far;
	struct hv_relay *relay;
	uint16_t own;

	(void)state;
	assert_true(hv_address_parse("127.0.0.1", host.address));
	assert_int_equal(hv_publish_open(inproc->gateway, IPPROTO_TCP, &host, 80, &published),
			 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = htons(published->host.port);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_true(wait_for(inproc, listener, HAVEN_EVENT_READABLE));
	assert_int_equal(haven_accept(listener, NULL, NULL, &accepted), 0);
	ends_of(accepted, &own, &far);
	assert_int_equal(own, 80);
	relay = hv_inproc_relay(inproc, own, &far);
	assert_non_null(relay);
	assert_int_equal(relay->flow.kind, HV_FLOW_TCP_IN);
	assert_true(seen.outbound >= 2 && seen.inbound >= 2);
	close(fd);
	assert_true(wait_for(inproc, accepted, HAVEN_EVENT_PEER_CLOSED));
	haven_close(accepted);
	haven_close(listener);
	hv_inproc_destroy(inproc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(out_to_a_loopback_address_and_back),
		cmocka_unit_test(refused_is_refused),
		cmocka_unit_test(no_answer_ends_with_the_deadline),
		cmocka_unit_test(in_by_a_published_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
