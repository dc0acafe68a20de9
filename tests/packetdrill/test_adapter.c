/*
 * The adapter, played as packetdrill plays it: loaded with dlopen, driven through its table alone. The test is the
 * peer, in raw IPv4 packets.
 */
#include <setjmp.h> /* before cmocka.h */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "interface.h"

#define FLAGS "local=192.168.0.1/16,remote=192.0.2.1,mtu=1500"

enum { SERVER_PORT = 8080, PEER_PORT = 40000, PEER_ISN = 1000, WINDOW = 32000 };
enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

struct play {
	void *object;
	struct packetdrill_interface api;
	uint32_t ack;  /* what the peer acknowledges next: follows what comes */
	uint16_t port; /* of the stack */
};

struct segment {
	uint32_t seq, ack, size;
	uint8_t flags;
	long long time_us;
};

/* --- packets ------------------------------------------------------------------------------ */

static uint32_t sum(const void *bytes, size_t size)
{
	const uint8_t *p = bytes;
	uint32_t total = 0;

	for (size_t i = 0; i < size; i++)
		total += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	return total;
}

static uint16_t fold(uint32_t total)
{
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return htons((uint16_t)~total);
}

/* A segment of the peer, with `size` bytes of zeros. */
static void inject(struct play *play, uint8_t flags, uint32_t seq, uint32_t size)
{
	struct {
		struct iphdr ip;
		struct tcphdr tcp;
		uint8_t data[1460];
	} packet = {0};
	size_t tcp_size = sizeof(packet.tcp) + size, total = sizeof(packet.ip) + tcp_size;

	packet.ip = (struct iphdr){.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP};
	packet.ip.tot_len = htons((uint16_t)total);
	packet.ip.saddr = inet_addr("192.0.2.1");
	packet.ip.daddr = inet_addr("192.168.0.1");
	packet.ip.check = fold(sum(&packet.ip, sizeof(packet.ip)));
	packet.tcp.source = htons(PEER_PORT);
	packet.tcp.dest = htons(play->port);
	packet.tcp.seq = htonl(seq);
	packet.tcp.ack_seq = htonl(flags & ACK ? play->ack : 0);
	packet.tcp.doff = 5;
	packet.tcp.th_flags = flags;
	packet.tcp.window = htons(WINDOW);
	packet.tcp.check = fold(sum(&packet.tcp, tcp_size) + sum(&packet.ip.saddr, 8) +
				IPPROTO_TCP + (uint32_t)tcp_size);
	assert_int_equal(play->api.netdev_send(play->api.userdata, &packet, total), 0);
}

/* The next segment of the stack; fails when none comes. */
static struct segment expect(struct play *play, uint8_t flags, uint32_t size)
{
	uint8_t bytes[65536];
	size_t count = sizeof(bytes);
	struct segment segment = {0};
	struct iphdr ip;
	struct tcphdr tcp;

	assert_int_equal(play->api.netdev_receive(play->api.userdata, bytes, &count,
						  &segment.time_us),
			 0);
	assert_true(count >= sizeof(ip) + sizeof(tcp));
	memcpy(&ip, bytes, sizeof(ip));
	memcpy(&tcp, bytes + sizeof(ip), sizeof(tcp));
	assert_int_equal(count, ntohs(ip.tot_len));
	assert_int_equal(fold(sum(bytes + sizeof(ip), count - sizeof(ip)) + sum(&ip.saddr, 8) +
			      IPPROTO_TCP + (uint32_t)(count - sizeof(ip))),
			 0);
	segment.seq = ntohl(tcp.seq);
	segment.ack = ntohl(tcp.ack_seq);
	segment.flags = tcp.th_flags;
	segment.size = (uint32_t)(count - sizeof(ip) - tcp.doff * 4u);
	assert_int_equal(segment.flags & ~PSH, flags);
	assert_int_equal(segment.size, size);
	play->ack = segment.seq + size + !!(flags & SYN) + !!(flags & FIN);
	play->port = ntohs(tcp.source);
	return segment;
}

static long long now_us(struct play *play)
{
	struct timeval time;

	play->api.gettimeofday(play->api.userdata, &time, NULL);
	return time.tv_sec * 1000000LL + time.tv_usec;
}

/* --- set up ------------------------------------------------------------------------------- */

static int set_up_with(void **state, const char *flags)
{
	struct play *play = calloc(1, sizeof(*play));
	void (*init)(const char *, struct packetdrill_interface *);

	assert_non_null(play);
	play->object = dlopen(getenv("HAVEN_ADAPTER"), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!play->object)
		fail_msg("%s", dlerror());
	init = dlsym(play->object, "packetdrill_interface_init");
	assert_non_null(init);
	init(flags, &play->api);
	play->port = SERVER_PORT;
	*state = play;
	return 0;
}

static int set_up(void **state)
{
	return set_up_with(state, FLAGS);
}

static int set_up_wmem(void **state)
{
	return set_up_with(state, FLAGS ",wmem=linux");
}

static int tear_down(void **state)
{
	struct play *play = *state;

	play->api.free(play->api.userdata);
	dlclose(play->object);
	free(play);
	return 0;
}

static int make_listener(struct play *play)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(SERVER_PORT)};
	int fd = play->api.socket(play->api.userdata, AF_INET, SOCK_STREAM, IPPROTO_TCP);

	assert_true(fd >= 0);
	address.sin_addr.s_addr = inet_addr("192.168.0.1");
	assert_int_equal(play->api.bind(play->api.userdata, fd, (struct sockaddr *)&address,
					sizeof(address)),
			 0);
	assert_int_equal(play->api.listen(play->api.userdata, fd, 1), 0);
	return fd;
}

static void shake_hands(struct play *play)
{
	inject(play, SYN, PEER_ISN, 0);
	assert_int_equal(expect(play, SYN | ACK, 0).ack, PEER_ISN + 1);
	inject(play, ACK, PEER_ISN + 1, 0);
}

static int make_connection(struct play *play, int listener)
{
	int fd;

	shake_hands(play);
	fd = play->api.accept(play->api.userdata, listener, NULL, NULL);
	assert_true(fd >= 0);
	return fd;
}

/* --- a call on a thread of its own ---------------------------------------------------------- */

struct blocked_call {
	struct play *play;
	pthread_t thread;
	pthread_mutex_t lock;
	int (*call)(struct blocked_call *call);
	int fd, result, tid;
	long long end_us;
};

static void *run_blocked_call(void *user)
{
	struct blocked_call *call = user;

	pthread_mutex_lock(&call->lock);
	call->tid = (int)syscall(SYS_gettid);
	pthread_mutex_unlock(&call->lock);
	call->result = call->call(call);
	call->end_us = now_us(call->play);
	return NULL;
}

static bool is_asleep(struct blocked_call *call)
{
	char path[64], text[256] = "", *state;
	FILE *file;
	int tid;

	pthread_mutex_lock(&call->lock);
	tid = call->tid;
	pthread_mutex_unlock(&call->lock);
	if (!tid)
		return false;
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	state = strrchr(text, ')');
	return state && state[2] == 'S';
}

/* As packetdrill does: start it, and go on when it sleeps in the kernel. */
static void start_call(struct blocked_call *call)
{
	pthread_mutex_init(&call->lock, NULL);
	assert_int_equal(pthread_create(&call->thread, NULL, run_blocked_call, call), 0);
	while (!is_asleep(call))
		sched_yield();
}

static void end_call(struct blocked_call *call)
{
	pthread_join(call->thread, NULL);
	pthread_mutex_destroy(&call->lock);
}

static int do_accept(struct blocked_call *call)
{
	struct play *play = call->play;

	return play->api.accept(play->api.userdata, call->fd, NULL, NULL);
}

static int do_connect(struct blocked_call *call)
{
	struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(PEER_PORT)};
	struct play *play = call->play;

	peer.sin_addr.s_addr = inet_addr("192.0.2.1");
	return play->api.connect(play->api.userdata, call->fd, (struct sockaddr *)&peer,
				 sizeof(peer));
}

static int do_read(struct blocked_call *call)
{
	struct play *play = call->play;
	uint8_t data[500];

	return (int)play->api.read(play->api.userdata, call->fd, data, sizeof(data));
}

static int do_poll(struct blocked_call *call)
{
	struct pollfd fd = {.fd = call->fd, .events = POLLIN};
	struct play *play = call->play;

	return play->api.poll(play->api.userdata, &fd, 1, 250);
}

/* --- tests -------------------------------------------------------------------------------- */

static void test_carries_data_both_ways(void **state)
{
	struct play *play = *state;
	int fd = make_connection(play, make_listener(play)), queued = -1;
	uint8_t data[1000] = {0};
	struct segment segment;

	assert_int_equal(play->api.write(play->api.userdata, fd, data, 500), 500);
	segment = expect(play, ACK, 500);
	assert_int_equal(segment.ack, PEER_ISN + 1);
	inject(play, ACK | PSH, PEER_ISN + 1, 300);
	assert_int_equal(expect(play, ACK, 0).ack, PEER_ISN + 301);
	assert_int_equal(play->api.ioctl(play->api.userdata, fd, FIONREAD, &queued), 0);
	assert_int_equal(queued, 300);
	assert_int_equal(play->api.read(play->api.userdata, fd, data, sizeof(data)), 300);
	assert_int_equal(play->api.fcntl(play->api.userdata, fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(play->api.read(play->api.userdata, fd, data, sizeof(data)), -1);
	assert_int_equal(errno, EAGAIN);
}

static void test_closes(void **state)
{
	struct play *play = *state;
	int fd = make_connection(play, make_listener(play));

	assert_int_equal(play->api.close(play->api.userdata, fd), 0);
	expect(play, FIN | ACK, 0);
	inject(play, FIN | ACK, PEER_ISN + 1, 0);
	assert_int_equal(expect(play, ACK, 0).ack, PEER_ISN + 2);
	assert_int_equal(play->api.shutdown(play->api.userdata, fd, SHUT_WR), -1);
	assert_int_equal(errno, EBADF);
}

static void test_accept_blocks(void **state)
{
	struct play *play = *state;
	struct blocked_call call = {.play = play, .call = do_accept};
	long long start_us;

	call.fd = make_listener(play);
	start_us = now_us(play);
	start_call(&call);
	play->api.usleep(play->api.userdata, 50000);
	shake_hands(play);
	end_call(&call);
	assert_true(call.result >= 0);
	assert_in_range(call.end_us - start_us, 50000, 50100);
}

static void test_connect_and_read_block(void **state)
{
	struct play *play = *state;
	struct blocked_call call = {.play = play, .call = do_connect};

	call.fd = play->api.socket(play->api.userdata, AF_INET, SOCK_STREAM, 0);
	start_call(&call);
	expect(play, SYN, 0);
	inject(play, SYN | ACK, PEER_ISN, 0);
	end_call(&call);
	assert_int_equal(call.result, 0);
	expect(play, ACK, 0);
	call.call = do_read;
	call.tid = 0;
	start_call(&call);
	inject(play, ACK, PEER_ISN + 1, 200);
	end_call(&call);
	assert_int_equal(call.result, 200);
}

static void test_poll_times_out_in_virtual_time(void **state)
{
	struct play *play = *state;
	struct blocked_call call = {.play = play, .call = do_poll};
	long long start_us;

	call.fd = make_listener(play);
	start_us = now_us(play);
	start_call(&call);
	play->api.usleep(play->api.userdata, 1000000);
	end_call(&call);
	assert_int_equal(call.result, 0);
	assert_in_range(call.end_us - start_us, 250000, 250100);
}

static void test_time_jumps_to_what_comes_next(void **state)
{
	struct play *play = *state;
	int fd = make_connection(play, make_listener(play));
	long long first_us;
	size_t size = 100;
	uint8_t data[100] = {0};

	assert_int_equal(play->api.write(play->api.userdata, fd, data, sizeof(data)), 100);
	first_us = expect(play, ACK, 100).time_us;
	assert_true(expect(play, ACK, 100).time_us > first_us); /* again, nothing answered */
	play->ack = 0;
	inject(play, RST, PEER_ISN + 1, 0);
	assert_int_equal(play->api.netdev_receive(play->api.userdata, data, &size, &first_us),
			 0);
	assert_int_equal(size, 0); /* and nothing more, without end */
}

static void test_epoll_reports_an_edge_once(void **state)
{
	struct play *play = *state;
	void *data = play->api.userdata;
	int fd = make_connection(play, make_listener(play));
	int epoll_fd = play->api.epoll_create(data, 1);
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = fd}, got;

	assert_int_equal(play->api.epoll_ctl(data, epoll_fd, EPOLL_CTL_ADD, fd, &event), 0);
	assert_int_equal(play->api.epoll_wait(data, epoll_fd, &got, 1, 0), 0);
	for (uint32_t i = 0; i < 2; i++) {
		inject(play, ACK | PSH, PEER_ISN + 1 + i * 10, 10);
		assert_int_equal(play->api.epoll_wait(data, epoll_fd, &got, 1, 0), 1);
		assert_int_equal(got.data.fd, fd);
		assert_int_equal(got.events, EPOLLIN);
		assert_int_equal(play->api.epoll_wait(data, epoll_fd, &got, 1, 0), 0);
	}
}

/* Packets of 29 segments of 536 bytes, half of the peer's window; the first was cut when 10 segments of it left. */
static void test_counts_a_send_buffer_as_linux(void **state)
{
	enum { MSS = 536, PACKET = 29 * MSS, QUEUED = 10 * MSS + 3 * PACKET };
	static const uint8_t data[100000];
	struct play *play = *state;
	void *user = play->api.userdata;
	int fd = make_connection(play, make_listener(play)), bytes = 21000;
	struct pollfd wanted = {.fd = fd, .events = POLLOUT};
	socklen_t length = sizeof(bytes);
	uint32_t ack = play->ack;

	assert_int_equal(play->api.setsockopt(user, fd, SOL_SOCKET, SO_SNDBUF, &bytes, length),
			 0);
	assert_int_equal(play->api.getsockopt(user, fd, SOL_SOCKET, SO_SNDBUF, &bytes, &length),
			 0);
	assert_int_equal(bytes, 42000);
	assert_int_equal(play->api.fcntl(user, fd, F_SETFL, O_RDWR | O_NONBLOCK), 0);
	assert_int_equal(play->api.poll(user, &wanted, 1, 0), 1);
	assert_int_equal(play->api.write(user, fd, data, sizeof(data)), QUEUED);
	assert_int_equal(play->api.poll(user, &wanted, 1, 0), 0);
	play->ack = ack + 10 * MSS;
	inject(play, ACK, PEER_ISN + 1, 0);
	assert_int_equal(play->api.poll(user, &wanted, 1, 0), 0);
	play->ack = ack + 30 * MSS;
	inject(play, ACK, PEER_ISN + 1, 0);
	play->ack = ack + 60 * MSS;
	inject(play, ACK, PEER_ISN + 1, 0);
	assert_int_equal(play->api.poll(user, &wanted, 1, 0), 1);
}

static void test_refuses_what_the_kernel_would(void **state)
{
	struct play *play = *state;
	int fd = make_connection(play, make_listener(play));

	assert_int_equal(play->api.write(play->api.userdata, fd, NULL, 10), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(play->api.read(play->api.userdata, fd, NULL, 10), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(play->api.listen(play->api.userdata, 10000, 1), -1);
	assert_int_equal(errno, EBADF);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_carries_data_both_ways, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_closes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_accept_blocks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_connect_and_read_block, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_poll_times_out_in_virtual_time, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_time_jumps_to_what_comes_next, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_epoll_reports_an_edge_once, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_counts_a_send_buffer_as_linux, set_up_wmem,
						tear_down),
		cmocka_unit_test_setup_teardown(test_refuses_what_the_kernel_would, set_up,
						tear_down),
	};

	if (argc != 2)
		return 2;
	setenv("HAVEN_ADAPTER", argv[1], 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
