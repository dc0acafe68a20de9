/*
 * TAP and AF_PACKET against the kernel, in a network namespace of this test's own: the kernel must
 * take what the link sends as it is, and hand over what it would not hand to anybody else (packets
 * of many segments without checksum).
 *
 *	this test -- link -- [tap | veth] 10.9.0.1, fd09::1, kernel sockets
 *	10.9.0.2, fd09::2
 *
 * Needs the right to make a namespace, and ip(8); skipped without.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "link/frames.h"
#include "wire/bytes.h"
#include "wire/tcp.h"

enum { WAIT_MS = 20000, SEGMENT = 1000, OUR_PORT = 5000, KERNEL_PORT = 7000 };
enum kind { TAP, TAP_PLAIN, VETH };

struct wire {
	enum kind kind;
	struct test_core test;
	struct haven_link *link;
	uint8_t kernel_mac[6], our_mac[6];
};

static bool has_namespace; /* of this process, made by main() */

/* --- the wire ---------------------------------------------------------------------------- */

static bool run(const char *command)
{
	return system(command) == 0;
}

static int open_tap(const char *name, int flags)
{
	struct ifreq request = {.ifr_flags = (short)flags};
	int fd = open("/dev/net/tun", O_RDWR);

	if (fd < 0)
		return -1;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &request) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool configure(void)
{
	return run(
		"ip link set lo up && ip link set hvt0 up &&"
		" ip addr add 10.9.0.1/24 dev hvt0 && ip addr add fd09::1/64 dev hvt0 nodad &&"
		" ip neigh replace 10.9.0.2 lladdr 02:00:00:00:00:02 dev hvt0 &&"
		" ip neigh replace fd09::2 lladdr 02:00:00:00:00:02 dev hvt0");
}

static void kernel_mac(uint8_t mac[6])
{
	struct ifreq request = {.ifr_name = "hvt0"};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(ioctl(fd, SIOCGIFHWADDR, &request), 0);
	memcpy(mac, request.ifr_hwaddr.sa_data, 6);
	close(fd);
}

static int make_link(struct wire *wire, struct haven_link_config *config)
{
	int fd;

	if (wire->kind != VETH) {
		fd = open_tap("hvt0",
			      IFF_TAP | IFF_NO_PI | (wire->kind == TAP ? IFF_VNET_HDR : 0));
		if (fd < 0)
			return -1;
		return haven_link_tap(test_stack(&wire->test), fd, config, &wire->link);
	}
	if (!run("ip link add hvt0 type veth peer name hvt1 && ip link set hvt1 up"))
		return -1;
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	return haven_link_packet(test_stack(&wire->test), fd, (int)if_nametoindex("hvt1"),
				 config, &wire->link);
}

static void wire_open(struct wire *wire, enum kind kind)
{
	struct haven_link_config config;

	if (!has_namespace)
		skip();
	memset(wire, 0, sizeof(*wire));
	wire->kind = kind;
	test_core_init(&wire->test, 1);
	haven_link_config_init(&config);
	memcpy(wire->our_mac, "\2\0\0\0\0\2", 6);
	memcpy(config.mac, wire->our_mac, 6);
	if (make_link(wire, &config) != 0)
		skip();
	test_receive_from(&wire->test, wire->link);
	assert_true(configure());
	kernel_mac(wire->kernel_mac);
}

static void wire_close(struct wire *wire)
{
	haven_link_destroy(wire->link);
	if (wire->kind == VETH)
		run("ip link del hvt0");
	test_core_finish(&wire->test);
}

static struct hv_packet *frame_for(struct wire *wire, struct frame frame)
{
	memcpy(frame.dst_mac, wire->kernel_mac, 6);
	memcpy(frame.src_mac, wire->our_mac, 6);
	if (!frame.src_port)
		frame.src_port = OUR_PORT;
	if (!frame.dst_port)
		frame.dst_port = KERNEL_PORT;
	return frame_new(&wire->test.core, &frame);
}

static void send_frame(struct wire *wire, struct frame frame)
{
	assert_int_equal(hv_link_output(wire->link, frame_for(wire, frame)), 0);
}

/* The next frame from the kernel of this transport, other traffic (NDP, MLD) passed over. */
static struct hv_packet *next_frame(struct wire *wire, uint8_t proto)
{
	struct pollfd ready = {.fd = haven_link_fd(wire->link), .events = POLLIN};
	struct hv_packet *packet;

	for (;;) {
		while ((packet = hv_packet_queue_pop(&wire->test.received))) {
			const uint8_t *ip = packet->data + 14;

			if ((ip[0] >> 4 == 4 && ip[9] == proto) ||
			    (ip[0] >> 4 == 6 && ip[6] == proto))
				return packet;
			hv_packet_free(&wire->test.core, packet);
		}
		if (poll(&ready, 1, WAIT_MS) != 1)
			fail_msg("the kernel sent nothing");
		assert_true(hv_link_receive(wire->link, 64) >= 0);
	}
}

/* --- the kernel's sockets ---------------------------------------------------------------- */

static socklen_t endpoint(bool v6, bool ours, struct sockaddr_storage *address)
{
	struct sockaddr_in *in = (struct sockaddr_in *)address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;

	memset(address, 0, sizeof(*address));
	if (v6) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(ours ? OUR_PORT : KERNEL_PORT);
		inet_pton(AF_INET6, ours ? "fd09::2" : "fd09::1", &in6->sin6_addr);
		return sizeof(*in6);
	}
	in->sin_family = AF_INET;
	in->sin_port = htons(ours ? OUR_PORT : KERNEL_PORT);
	inet_pton(AF_INET, ours ? "10.9.0.2" : "10.9.0.1", &in->sin_addr);
	return sizeof(*in);
}

static int kernel_socket(bool v6, int type)
{
	const struct timeval limit = {.tv_sec = WAIT_MS / 1000};
	struct sockaddr_storage address;
	socklen_t length = endpoint(v6, false, &address);
	int fd = socket(v6 ? AF_INET6 : AF_INET, type, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
	return fd;
}

/* --- UDP --------------------------------------------------------------------------------- */

/* One packet of many datagrams from us: the kernel's socket reads them one by one. */
static void check_udp_towards_kernel(struct wire *wire, bool v6)
{
	const struct frame frame = {.v6 = v6,
				    .proto = IPPROTO_UDP,
				    .payload = 7 * SEGMENT + 300,
				    .gso_size = SEGMENT,
				    .in_slices = 5000};
	int fd = kernel_socket(v6, SOCK_DGRAM);
	uint8_t buffer[65536];

	send_frame(wire, frame);
	for (uint32_t done = 0; done < frame.payload; done += SEGMENT) {
		uint32_t left = frame.payload - done;
		uint32_t size = left < SEGMENT ? left : SEGMENT;

		assert_int_equal(recv(fd, buffer, sizeof(buffer), 0), size);
		assert_memory_equal(buffer, frame_bytes() + done, size);
	}
	close(fd);
}

/* The kernel's socket sends many datagrams at once: they come as one packet where that is taken. */
static void check_udp_from_kernel(struct wire *wire, bool v6)
{
	int fd = kernel_socket(v6, SOCK_DGRAM), segment = SEGMENT;
	struct sockaddr_storage address;
	socklen_t length = endpoint(v6, true, &address);
	uint32_t done = 0, size = 5 * SEGMENT;
	struct frame frame = {.v6 = v6, .proto = IPPROTO_UDP};
	uint32_t headers = frame_headers(&frame);

	if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment)) < 0)
		skip();
	assert_int_equal(sendto(fd, frame_bytes(), size, 0, (struct sockaddr *)&address,
				length),
			 size);
	while (done < size) {
		struct hv_packet *packet = next_frame(wire, IPPROTO_UDP);

		if (packet->gso_type) {
			assert_int_equal(packet->gso_type, HV_GSO_UDP);
			assert_int_equal(packet->gso_size, SEGMENT);
		} else {
			hv_offload_checksum(packet);
			assert_true(frame_is_right(packet->data, packet->len));
		}
		assert_memory_equal(packet->data + headers, frame_bytes() + done,
				    packet->len - headers);
		if (haven_link_offloads(wire->link) & HAVEN_OFFLOAD_USO)
			assert_int_equal(packet->len - headers, size);
		done += packet->len - headers;
		hv_packet_free(&wire->test.core, packet);
	}
	close(fd);
}

/* --- TCP --------------------------------------------------------------------------------- */

/* Handshake from us; returns the kernel's accepted socket and what comes next in both directions. */
static int tcp_connect(struct wire *wire, bool v6, struct frame *next)
{
	int listener = kernel_socket(v6, SOCK_STREAM), fd;
	struct hv_packet *answer;
	const uint8_t *tcp;

	assert_int_equal(listen(listener, 1), 0);
	*next = (struct frame){.v6 = v6,
			       .proto = IPPROTO_TCP,
			       .tcp_flags = HV_TCP_SYN,
			       .seq = 1000};
	send_frame(wire, *next);
	answer = next_frame(wire, IPPROTO_TCP);
	tcp = answer->data + 14 + (v6 ? 40 : 20);
	assert_int_equal(tcp[13], HV_TCP_SYN | HV_TCP_ACK);
	next->tcp_flags = HV_TCP_ACK;
	next->seq++;
	next->ack = hv_get32(tcp + 4) + 1;
	hv_packet_free(&wire->test.core, answer);
	send_frame(wire, *next);
	fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	close(listener);
	return fd;
}

/* One packet of 40 segments from us, partly in slices: the kernel's socket reads a stream. */
static void tcp_towards_kernel(struct wire *wire, int fd, struct frame *next)
{
	struct frame frame = *next;
	static uint8_t buffer[40000];

	frame.payload = sizeof(buffer);
	frame.gso_size = 1000;
	frame.in_slices = 39000;
	frame.tcp_flags |= HV_TCP_PSH;
	send_frame(wire, frame);
	assert_int_equal(recv(fd, buffer, sizeof(buffer), MSG_WAITALL), sizeof(buffer));
	assert_memory_equal(buffer, frame_bytes(), sizeof(buffer));
	next->seq += frame.payload;
}

/* The kernel sends more than one segment: one packet, of segments of our MSS, no checksum. */
static void tcp_from_kernel(struct wire *wire, int fd, struct frame *next)
{
	uint32_t headers = frame_headers(next), size = 5000, done = 0;
	unsigned large = 0;

	assert_int_equal(send(fd, frame_bytes(), size, 0), size);
	while (done < size) {
		struct hv_packet *packet = next_frame(wire, IPPROTO_TCP);
		uint32_t payload = packet->len - headers;

		if (packet->gso_type) {
			large++;
			assert_int_equal(packet->gso_type,
					 next->v6 ? HV_GSO_TCP6 : HV_GSO_TCP4);
			assert_int_equal(packet->gso_size, next->v6 ? 1220 : 536);
		}
		assert_memory_equal(packet->data + headers, frame_bytes() + done, payload);
		hv_offload_checksum(packet);
		assert_true(frame_is_right(packet->data, packet->len));
		done += payload;
		next->ack += payload;
		hv_packet_free(&wire->test.core, packet);
		if (payload)
			send_frame(wire, *next);
	}
	assert_int_equal(large > 0, haven_link_offloads(wire->link) != 0);
}

static void check_tcp(struct wire *wire, bool v6)
{
	struct frame next;
	int fd = tcp_connect(wire, v6, &next);

	tcp_towards_kernel(wire, fd, &next);
	tcp_from_kernel(wire, fd, &next);
	next.tcp_flags = HV_TCP_RST;
	send_frame(wire, next);
	close(fd);
}

static void check_all(enum kind kind, unsigned offloads)
{
	struct haven_link_counters counters;
	struct wire wire;

	wire_open(&wire, kind);
	assert_int_equal(haven_link_offloads(wire.link), offloads);
	for (int v6 = 0; v6 < 2; v6++) {
		check_udp_towards_kernel(&wire, v6);
		check_udp_from_kernel(&wire, v6);
		check_tcp(&wire, v6);
	}
	haven_link_counters(wire.link, &counters);
	assert_true(counters.calls_out >= counters.frames_out);
	assert_int_equal(wire.test.core.drops[HV_DROP_LINK_ERROR], 0);
	assert_int_equal(wire.test.core.drops[HV_DROP_LINK_OFFLOAD], 0);
	wire_close(&wire);
}

enum { ALL = HAVEN_OFFLOAD_CSUM | HAVEN_OFFLOAD_TSO4 | HAVEN_OFFLOAD_TSO6 | HAVEN_OFFLOAD_USO };

static void tap_with_offloads(void **state)
{
	(void)state;
	check_all(TAP, ALL);
}

static void tap_without_vnet_header(void **state)
{
	(void)state;
	check_all(TAP_PLAIN, 0);
}

static void packet_socket(void **state)
{
	(void)state;
	check_all(VETH, ALL);
}

/* --- errors ------------------------------------------------------------------------------ */

static void not_a_tap_is_refused(void **state)
{
	struct haven_link_config config;
	struct haven_link *link;
	struct test_core test;
	int fds[2], fd;

	(void)state;
	test_core_init(&test, 1);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(haven_link_tap(test_stack(&test), fds[0], NULL, &link), -EINVAL);
	assert_int_equal(haven_link_tap(test_stack(&test), -1, NULL, &link), -EBADF);
	assert_int_equal(haven_link_packet(test_stack(&test), fds[0], 1, NULL, &link),
			 -ENOTSOCK);
	assert_int_equal(haven_link_packet(test_stack(&test), fds[0], 0, NULL, &link), -EINVAL);
	close(fds[0]);
	close(fds[1]);
	fd = has_namespace ? open_tap("hvt1", IFF_TUN | IFF_NO_PI) : -1;
	if (fd >= 0) {
		assert_int_equal(haven_link_tap(test_stack(&test), fd, NULL, &link), -EINVAL);
		close(fd);
	}
	fd = has_namespace ? open_tap("hvt1", IFF_TAP | IFF_NO_PI) : -1;
	if (fd >= 0) {
		haven_link_config_init(&config);
		config.mtu = 67;
		assert_int_equal(haven_link_tap(test_stack(&test), fd, &config, &link),
				 -EINVAL);
		close(fd);
	}
	test_core_finish(&test);
}

/* Only what is wanted is switched on. */
static void offloads_can_be_declined(void **state)
{
	static const unsigned wanted[] = {0, HAVEN_OFFLOAD_CSUM,
					  HAVEN_OFFLOAD_CSUM | HAVEN_OFFLOAD_TSO4,
					  HAVEN_OFFLOAD_TSO4};
	struct haven_link_config config;
	struct haven_link *link;
	struct test_core test;

	(void)state;
	if (!has_namespace)
		skip();
	test_core_init(&test, 1);
	haven_link_config_init(&config);
	for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		int fd = open_tap("hvt0", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR);

		if (fd < 0)
			skip();
		config.offloads = wanted[i];
		assert_int_equal(haven_link_tap(test_stack(&test), fd, &config, &link), 0);
		assert_int_equal(haven_link_offloads(link),
				 wanted[i] & HAVEN_OFFLOAD_CSUM ? wanted[i] : 0);
		haven_link_destroy(link);
	}
	test_core_finish(&test);
}

/* Down: sending fails and is counted, and works again after. Removed: the link is broken. */
static void check_down(enum kind kind)
{
	const struct frame frame = {.proto = IPPROTO_UDP, .payload = 100};
	struct wire wire;

	wire_open(&wire, kind);
	assert_true(run(kind == VETH ? "ip link set hvt1 down" : "ip link set hvt0 down"));
	assert_true(hv_link_output(wire.link, frame_for(&wire, frame)) < 0);
	assert_int_equal(wire.test.core.drops[HV_DROP_LINK_ERROR], 1);
	assert_true(hv_link_receive(wire.link, 64) >= 0);
	assert_true(run(kind == VETH ? "ip link set hvt1 up" : "ip link set hvt0 up"));
	send_frame(&wire, frame);
	assert_true(run("ip link del hvt0"));
	while (hv_link_receive(wire.link, 64) > 0)
		continue;
	assert_int_equal(hv_link_receive(wire.link, 64), -ENETDOWN);
	wire.kind = TAP;
	wire_close(&wire);
}

static void tap_goes_down(void **state)
{
	(void)state;
	check_down(TAP);
}

static void veth_goes_down(void **state)
{
	(void)state;
	check_down(VETH);
}

/* Without memory frames are read and counted, so that the descriptor does not stay readable. */
static void reading_without_memory(void **state)
{
	struct wire wire;
	struct sockaddr_storage address;
	socklen_t length = endpoint(false, true, &address);
	int fd, count;

	(void)state;
	wire_open(&wire, TAP);
	hv_link_receive(wire.link, 64);
	hv_packet_queue_clear(&wire.test.core, &wire.test.received);
	hv_packet_pool_clear(&wire.test.core);
	fd = kernel_socket(false, SOCK_DGRAM);
	/* The first of these takes the packet that the link holds ready. */
	for (int i = 0; i < 5; i++)
		sendto(fd, "hello", 5, 0, (struct sockaddr *)&address, length);
	wire.test.env.fail_ppm = 1000000;
	count = hv_link_receive(wire.link, 64);
	wire.test.env.fail_ppm = 0;
	assert_true(count >= 5);
	assert_true(wire.test.core.drops[HV_DROP_NO_MEMORY] >= 4);
	assert_int_equal(hv_link_receive(wire.link, 64), 0);
	sendto(fd, "hello", 5, 0, (struct sockaddr *)&address, length);
	for (int i = 0; i < 2 && wire.test.received.first; i++)
		hv_packet_free(&wire.test.core, hv_packet_queue_pop(&wire.test.received));
	hv_packet_free(&wire.test.core, next_frame(&wire, IPPROTO_UDP));
	close(fd);
	wire_close(&wire);
}

/* A flipped bit is found by the kernel, also when the checksum was left to offload. */
static void corruption_is_found(void **state)
{
	const struct haven_fault none = {0}, all = {.corrupt_ppm = 1000000};
	struct frame frame = {.proto = IPPROTO_UDP, .payload = 1000};
	struct haven_link *inner;
	struct wire wire;
	uint8_t buffer[2000];
	int fd;

	(void)state;
	wire_open(&wire, TAP);
	inner = wire.link;
	assert_int_equal(haven_link_fault(test_stack(&wire.test), inner, &none, &all,
					  &wire.link),
			 0);
	fd = kernel_socket(false, SOCK_DGRAM);
	/* Few enough to wait in the socket's buffer: the kernel looks when they are read. */
	for (int i = 0; i < 50; i++)
		send_frame(&wire, frame);
	frame.payload = 7;
	assert_int_equal(hv_link_output(inner, frame_for(&wire, frame)), 0);
	assert_int_equal(recv(fd, buffer, sizeof(buffer), 0), 7);
	close(fd);
	wire_close(&wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tap_with_offloads),
		cmocka_unit_test(tap_without_vnet_header),
		cmocka_unit_test(packet_socket),
		cmocka_unit_test(not_a_tap_is_refused),
		cmocka_unit_test(offloads_can_be_declined),
		cmocka_unit_test(tap_goes_down),
		cmocka_unit_test(veth_goes_down),
		cmocka_unit_test(reading_without_memory),
		cmocka_unit_test(corruption_is_found),
	};

	has_namespace = unshare(CLONE_NEWNET) == 0 && run("ip link >/dev/null 2>&1");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
