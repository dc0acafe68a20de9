/*
 * The first packets of a connection, with the kernel's TCP at the other end of a TAP: Fast Open in both
 * roles (RFC 7413), SYN cookies, and records.
 *
 *	kernel 10.9.0.1 ---- TAP ---- 10.9.0.2 stack
 *
 * One thread is both ends: the kernel's sockets do not block, and the stack gets its turns in between. Where a
 * namespace or a TAP is not permitted the exit status is 77, which skips the test.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <haven/link.h>
#include <haven/socket.h>

enum { SKIP = 77, PORT = 80, LIMIT_S = 60, TURN_MS = 5, QUEUE = 16 };

struct test {
	struct haven_stack *stack;
	struct haven_link *link;
	unsigned ifindex;
	int tap;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void failed(const char *what, int line)
{
	fprintf(stderr, "handshake_kernel.c:%d: %s (errno: %s)\n", line, what, strerror(errno));
	exit(1);
}
#define MUST(what) ((what) ? (void)0 : failed(#what, __LINE__))

static struct sockaddr_in address(const char *text, uint16_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};

	inet_pton(AF_INET, text, &in.sin_addr);
	return in;
}

/* --- network ------------------------------------------------------------------------------ */

static bool sysctl_set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);
	bool done = fd >= 0 && write(fd, value, strlen(value)) > 0;

	if (fd >= 0)
		close(fd);
	return done;
}

/* A namespace with one end of a TAP in it. Returns the other end, or -1. */
static int network_make(void)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	struct sockaddr_in own = address("10.9.0.1", 0), mask = address("255.255.255.0", 0);
	int tap, control;

	if (unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWNET : CLONE_NEWNET) < 0)
		return -1;
	tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	if (tap < 0)
		return -1;
	strcpy(request.ifr_name, "hand0");
	control = socket(AF_INET, SOCK_DGRAM, 0);
	if (ioctl(tap, TUNSETIFF, &request) < 0)
		return -1;
	memcpy(&request.ifr_addr, &own, sizeof(own));
	MUST(!ioctl(control, SIOCSIFADDR, &request));
	memcpy(&request.ifr_addr, &mask, sizeof(mask));
	MUST(!ioctl(control, SIOCSIFNETMASK, &request));
	request.ifr_flags = IFF_UP;
	MUST(!ioctl(control, SIOCSIFFLAGS, &request));
	close(control);
	return tap;
}

static void stack_begin(struct test *t, uint32_t max_half_open)
{
	/* The same for all of them: the kernel remembers its neighbour. */
	static const uint8_t mac[6] = {2, 0, 0, 0, 9, 2};
	struct sockaddr_in own = address("10.9.0.2", 0);
	struct haven_stack_config config;
	struct haven_link_config link;

	haven_stack_config_init(&config);
	config.privileged = true;
	config.max_half_open = max_half_open;
	MUST(!haven_stack_create(&config, &t->stack));
	haven_set_time(t->stack, now_ns());
	haven_link_config_init(&link);
	memcpy(link.mac, mac, sizeof(mac));
	MUST(!haven_link_tap(t->stack, dup(t->tap), &link, &t->link));
	MUST(!haven_stack_attach(t->stack, t->link, &t->ifindex));
	MUST(!haven_address_add(t->stack, t->ifindex, (struct sockaddr *)&own, 24));
}

/* The stack works until something holds. */
static void run_until(struct test *t, bool (*done)(void *ctx), void *ctx, int line)
{
	uint64_t begin = now_ns();

	while (!done(ctx)) {
		struct pollfd wait = {.fd = haven_link_fd(t->link), .events = POLLIN};

		poll(&wait, 1, TURN_MS);
		MUST(haven_input(t->stack, t->ifindex, 64, now_ns()) >= 0);
		haven_poll(t->stack, now_ns());
		if (now_ns() - begin > LIMIT_S * UINT64_C(1000000000))
			failed("it did not come true", line);
	}
	haven_poll(t->stack, now_ns());
}
#define RUN_UNTIL(t, done, ctx) run_until(t, done, ctx, __LINE__)

/* --- both ends ----------------------------------------------------------------------------- */

static struct haven_socket *stack_socket(struct test *t)
{
	struct haven_socket *socket;

	MUST(!haven_socket(t->stack, AF_INET, SOCK_STREAM, 0, &socket));
	return socket;
}

static void stack_option(struct haven_socket *socket, int option, int value)
{
	MUST(!haven_setsockopt(socket, IPPROTO_TCP, option, &value, sizeof(value)));
}

static struct haven_socket *stack_listen(struct test *t, int fast_open)
{
	struct sockaddr_in any = address("0.0.0.0", PORT);
	struct haven_socket *socket = stack_socket(t);

	MUST(!haven_bind(socket, (struct sockaddr *)&any, sizeof(any)));
	MUST(!haven_listen(socket, 8));
	stack_option(socket, TCP_FASTOPEN, fast_open);
	return socket;
}

static int kernel_socket(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
}

/* What TCP_INFO says: did the data of the SYN arrive with it? */
static bool kernel_syn_data(int fd)
{
	struct tcp_info info = {0};
	socklen_t length = sizeof(info);

	MUST(!getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length));
	return info.tcpi_options & TCPI_OPT_SYN_DATA;
}

/* One request and its answer between a kernel's socket and a stack's. */
struct exchange {
	int kernel, kernel_listener;
	struct haven_socket *stack, *listener;
	bool asked, answered; /* the request goes to the listener's side */
};

static bool kernel_asks(void *ctx)
{
	struct exchange *e = ctx;
	char byte;

	if (!e->asked)
		e->asked = send(e->kernel, "?", 1, MSG_NOSIGNAL) == 1;
	if (!e->stack)
		haven_accept(e->listener, NULL, NULL, &e->stack);
	if (e->stack && haven_recv(e->stack, &byte, 1, 0) == 1)
		MUST(byte == '?' && haven_send(e->stack, "!", 1, 0) == 1);
	e->answered = recv(e->kernel, &byte, 1, 0) == 1;
	return e->answered;
}

static bool stack_asks(void *ctx)
{
	struct exchange *e = ctx;
	char byte;

	if (!e->asked)
		e->asked = haven_send(e->stack, "?", 1, 0) == 1;
	if (e->kernel < 0)
		e->kernel = accept4(e->kernel_listener, NULL, NULL, SOCK_NONBLOCK);
	if (e->kernel >= 0 && recv(e->kernel, &byte, 1, 0) == 1)
		MUST(byte == '?' && send(e->kernel, "!", 1, MSG_NOSIGNAL) == 1);
	e->answered = haven_recv(e->stack, &byte, 1, 0) == 1;
	return e->answered;
}

static bool ended(void *ctx)
{
	struct haven_stats stats;

	haven_stack_stats(ctx, &stats);
	return stats.connections == 0;
}

static void exchange_end(struct test *t, struct exchange *e)
{
	haven_close(e->stack);
	close(e->kernel);
	RUN_UNTIL(t, ended, t->stack);
}

/* --- cases --------------------------------------------------------------------------------- */

/* The kernel asks for a cookie, then sends its request with the SYN. */
static void fast_open_server(struct test *t)
{
	struct sockaddr_in to = address("10.9.0.2", PORT);
	struct haven_socket *listener;

	stack_begin(t, 100);
	listener = stack_listen(t, QUEUE);
	for (int round = 0; round < 3; round++) {
		struct exchange e = {.kernel = kernel_socket(), .listener = listener};
		ssize_t sent = sendto(e.kernel, "?", 1, MSG_FASTOPEN | MSG_NOSIGNAL,
				      (struct sockaddr *)&to, sizeof(to));

		MUST(round ? sent == 1 : sent < 0 && errno == EINPROGRESS);
		e.asked = round > 0;
		RUN_UNTIL(t, kernel_asks, &e);
		MUST(kernel_syn_data(e.kernel) == (round > 0));
		exchange_end(t, &e);
	}
	haven_stack_destroy(t->stack);
}

/* The stack asks the kernel for a cookie, and uses it. */
static void fast_open_client(struct test *t)
{
	struct sockaddr_in own = address("10.9.0.1", PORT);
	int queue = QUEUE, one = 1, listener = kernel_socket();

	stack_begin(t, 100);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	MUST(!bind(listener, (struct sockaddr *)&own, sizeof(own)));
	MUST(!setsockopt(listener, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof(queue)));
	MUST(!listen(listener, 8));
	for (int round = 0; round < 3; round++) {
		struct exchange e = {.kernel = -1, .kernel_listener = listener};
		int status;

		e.stack = stack_socket(t);
		stack_option(e.stack, TCP_FASTOPEN_CONNECT, 1);
		status = haven_connect(e.stack, (struct sockaddr *)&own, sizeof(own));
		MUST(status == (round ? 0 : -EINPROGRESS));
		RUN_UNTIL(t, stack_asks, &e);
		MUST(kernel_syn_data(e.kernel) == (round > 0));
		exchange_end(t, &e);
	}
	close(listener);
	haven_stack_destroy(t->stack);
}

/* Connections that come of a cookie agree on what they would have agreed on by a record. */
static void cookies(struct test *t, uint32_t max_half_open, const char *timestamps)
{
	struct sockaddr_in to = address("10.9.0.2", PORT);
	bool on = *timestamps != '0', cookie = !max_half_open;
	struct haven_socket *listener;
	struct haven_stats stats;

	stack_begin(t, max_half_open);
	listener = stack_listen(t, 0);
	MUST(sysctl_set("/proc/sys/net/ipv4/tcp_timestamps", timestamps));
	for (int round = 0; round < 3; round++) {
		struct exchange e = {.kernel = kernel_socket(), .listener = listener};
		struct tcp_info info = {0};
		socklen_t length = sizeof(info);
		bool all = on || !cookie;

		MUST(connect(e.kernel, (struct sockaddr *)&to, sizeof(to)) < 0 &&
		     errno == EINPROGRESS);
		RUN_UNTIL(t, kernel_asks, &e);
		MUST(!getsockopt(e.kernel, IPPROTO_TCP, TCP_INFO, &info, &length));
		MUST(!(info.tcpi_options & TCPI_OPT_TIMESTAMPS) == !on);
		MUST(!(info.tcpi_options & TCPI_OPT_SACK) == !all);
		MUST(!(info.tcpi_options & TCPI_OPT_WSCALE) == !all);
		length = sizeof(info);
		memset(&info, 0, sizeof(info));
		MUST(!haven_getsockopt(e.stack, IPPROTO_TCP, TCP_INFO, &info, &length));
		MUST(!(info.tcpi_options & TCPI_OPT_TIMESTAMPS) == !on);
		MUST(!(info.tcpi_options & TCPI_OPT_SACK) == !all);
		MUST(!(info.tcpi_options & TCPI_OPT_WSCALE) == !all);
		exchange_end(t, &e);
	}
	haven_stack_stats(t->stack, &stats);
	MUST(stats.syn_cookies_good == (cookie ? 3 : 0));
	haven_stack_destroy(t->stack);
	MUST(sysctl_set("/proc/sys/net/ipv4/tcp_timestamps", "1"));
}

int main(void)
{
	struct test t = {.tap = network_make()};

	if (t.tap < 0 || !sysctl_set("/proc/sys/net/ipv4/tcp_fastopen", "3")) {
		fprintf(stderr, "no network namespace with a TAP: %s\n", strerror(errno));
		return SKIP;
	}
	fast_open_server(&t);
	fast_open_client(&t);
	cookies(&t, 100, "1");
	cookies(&t, 0, "1");
	cookies(&t, 0, "0");
	puts("5 cases passed");
	return 0;
}
