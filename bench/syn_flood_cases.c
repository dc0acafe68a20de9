/*
 * A listener of a libhaven stack under a flood of SYNs; bench/syn_flood runs this.
 *
 *	syn_flood_cases live QUIET_OR_FLOOD_SECONDS ROUNDS SYNS_PER_SECOND
 *	syn_flood_cases kept|cookie|ack_kept|ack_cookie|data          what one segment costs
 *
 * live: a network namespace with a TAP. Behind the TAP is the stack (one process); before it are the kernel's
 * TCP and the flood.
 *
 *	kernel: bulk sender, bulk reader, honest clients --+
 *	                                                   +-- TAP -- stack: 80 answers, 81 reads, 82 writes
 *	packet socket: SYNs from random addresses ---------+
 *
 * Quiet phases and flooded ones take turns. Prints one line of JSON for each. Needs root, or a
 * user who may open /dev/net/tun.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <haven/link.h>
#include <haven/socket.h>

#include "wire/checksum.h"

enum {
	ANSWER = 80, /* ports of the stack: sends back what it gets */
	READ = 81,
	WRITE = 82,
	BATCH = 64,
	BURST = 50,   /* SYNs in a call */
	QUEUE = 5000, /* packets: a tenth of a second of the flood; TAP's own 500 are 10 ms */
	CONNECTIONS = 256,
	CONNECT_LIMIT_MS = 10000,
	OPERATIONS = 4096,
	SYN_BYTES = 60,
	FRAME_BYTES = 14 + SYN_BYTES,
	SEGMENT_BYTES = 1448,
};

static const uint8_t stack_mac[6] = {2, 0, 0, 0, 9, 2};

/* What the processes tell each other. */
struct shared {
	volatile uint64_t bytes_in, bytes_out;
	volatile uint64_t memory, memory_most, half_open_most, cookies;
	volatile uint64_t flood_rate, flood_sent;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "syn_flood_cases: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct sockaddr_in address(const char *text, uint16_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};

	inet_pton(AF_INET, text, &in.sin_addr);
	return in;
}

/* --- packets ----------------------------------------------------------------------------- */

static uint32_t next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*state >> 32);
}

static void put16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static void put32(uint8_t *p, uint32_t value)
{
	put16(p, (uint16_t)(value >> 16));
	put16(p + 2, (uint16_t)value);
}

/* One end of what the cases send. */
struct peer {
	uint32_t address, seq, ack, ts;
	uint16_t port;
};

/* An IPv4 packet to 10.9.0.2 with Linux's options of a SYN or of a segment. Returns its bytes. */
static uint32_t make_packet(uint8_t *p, const struct peer *peer, uint16_t port, uint8_t flags,
			    uint32_t size)
{
	static const uint8_t syn[20] = {2, 4, 5, 180, 4, 2, 8, 10, [16] = 1, 3, 3, 7};
	static const uint8_t other[12] = {1, 1, 8, 10};
	bool is_syn = flags & 2;
	uint32_t options = is_syn ? sizeof(syn) : sizeof(other);
	uint32_t length = 40 + options + size;
	uint8_t *tcp = p + 20;
	struct hv_addr from, to;
	uint16_t sum;

	memset(p, 0, length);
	p[0] = 0x45;
	put16(p + 2, (uint16_t)length);
	p[8] = 64;
	p[9] = IPPROTO_TCP;
	put32(p + 12, peer->address);
	put32(p + 16, 0x0a090002);
	sum = hv_checksum(p, 20);
	memcpy(p + 10, &sum, 2);
	put16(tcp, peer->port);
	put16(tcp + 2, port);
	put32(tcp + 4, peer->seq);
	put32(tcp + 8, peer->ack);
	tcp[12] = (uint8_t)((20 + options) / 4 << 4);
	tcp[13] = flags;
	put16(tcp + 14, 64240);
	memcpy(tcp + 20, is_syn ? syn : other, options);
	put32(tcp + 20 + (is_syn ? 8 : 4), 1000);
	put32(tcp + 20 + (is_syn ? 12 : 8), peer->ts);
	from = hv_addr_v4(p + 12);
	to = hv_addr_v4(p + 16);
	sum = (uint16_t)~hv_sum_fold(
		hv_sum_add(hv_sum_pseudo(&from, &to, IPPROTO_TCP, length - 20), tcp,
			   length - 20));
	memcpy(tcp + 16, &sum, 2);
	return length;
}

/* From an address outside of 10.0.0.0/8. */
static struct peer random_peer(uint64_t *random)
{
	return (struct peer){
		.address = 0xb0000000 | next_random(random) >> 4,
		.port = (uint16_t)(1024 + next_random(random) % 60000),
		.seq = next_random(random),
	};
}

/* --- the stack behind the TAP ------------------------------------------------------------- */

struct server {
	struct haven_stack *stack;
	struct haven_link *link;
	unsigned ifindex;
	struct haven_socket *listeners[3];
	struct shared *shared;
	uint8_t buffer[1 << 16];
};

static struct haven_socket *listen_on(struct haven_stack *stack, uint16_t port)
{
	struct sockaddr_in any = address("0.0.0.0", port);
	struct haven_socket *socket;

	must(!haven_socket(stack, AF_INET, SOCK_STREAM, 0, &socket), "socket");
	must(!haven_bind(socket, (struct sockaddr *)&any, sizeof(any)), "bind");
	must(!haven_listen(socket, 128), "listen");
	return socket;
}

static struct haven_stack *stack_new(void)
{
	struct haven_stack_config config;
	struct haven_stack *stack;

	haven_stack_config_init(&config);
	config.privileged = true;
	must(!haven_stack_create(&config, &stack), "stack");
	haven_set_time(stack, now_ns());
	return stack;
}

static void stack_address(struct haven_stack *stack, unsigned ifindex)
{
	struct sockaddr_in own = address("10.9.0.2", 0), all = address("0.0.0.0", 0);
	struct sockaddr_in gateway = address("10.9.0.1", 0);

	must(!haven_address_add(stack, ifindex, (struct sockaddr *)&own, 24), "address");
	must(!haven_route_add(stack, ifindex, (struct sockaddr *)&all, 0,
			      (struct sockaddr *)&gateway),
	     "route");
}

/* A connection's port says what it does; it is its socket's user pointer. */
static void serve_connection(struct server *s, struct haven_socket *socket, unsigned events)
{
	intptr_t port = (intptr_t)haven_socket_user(socket);
	ssize_t size;

	while ((size = haven_recv(socket, s->buffer, sizeof(s->buffer), 0)) > 0) {
		if (port == READ)
			s->shared->bytes_in += (uint64_t)size;
		else if (port == ANSWER)
			haven_send(socket, s->buffer, (size_t)size, 0);
	}
	if (port == WRITE)
		while ((size = haven_send(socket, s->buffer, sizeof(s->buffer), 0)) > 0)
			s->shared->bytes_out += (uint64_t)size;
	if (events & (HAVEN_EVENT_ERROR | HAVEN_EVENT_HANGUP | HAVEN_EVENT_PEER_CLOSED))
		haven_close(socket);
}

static void serve(struct server *s, struct haven_socket *socket, unsigned events)
{
	static const intptr_t ports[3] = {ANSWER, READ, WRITE};
	struct haven_socket *accepted;

	for (int i = 0; i < 3; i++) {
		if (socket != s->listeners[i])
			continue;
		while (!haven_accept(socket, NULL, NULL, &accepted)) {
			haven_socket_set_user(accepted, (void *)ports[i]);
			serve_connection(s, accepted, 0);
		}
		return;
	}
	serve_connection(s, socket, events);
}

static void note_stats(struct server *s)
{
	struct haven_stats stats;

	haven_stack_stats(s->stack, &stats);
	s->shared->memory = stats.memory_bytes;
	if (stats.memory_bytes > s->shared->memory_most)
		s->shared->memory_most = stats.memory_bytes;
	if (stats.half_open > s->shared->half_open_most)
		s->shared->half_open_most = stats.half_open;
	s->shared->cookies = stats.syn_cookies_sent;
}

static void server_run(int tap, struct shared *shared)
{
	static struct server s;
	struct haven_link_config config;
	struct pollfd wait = {.events = POLLIN};

	s.shared = shared;
	s.stack = stack_new();
	haven_link_config_init(&config);
	memcpy(config.mac, stack_mac, sizeof(stack_mac));
	must(!haven_link_tap(s.stack, tap, &config, &s.link), "TAP link");
	must(!haven_stack_attach(s.stack, s.link, &s.ifindex), "attach");
	stack_address(s.stack, s.ifindex);
	for (int i = 0; i < 3; i++)
		s.listeners[i] = listen_on(s.stack, (uint16_t)(ANSWER + i));
	wait.fd = haven_link_fd(s.link);
	for (;;) {
		uint64_t now = now_ns(), next = haven_next_deadline(s.stack);
		struct haven_socket *socket;
		struct timespec limit;
		unsigned events;

		next = next <= now ? 0 : next - now > 10000000 ? 10000000 : next - now;
		limit = (struct timespec){.tv_nsec = (long)next};
		wait.events = (short)(POLLIN | (haven_link_wants_write(s.link) ? POLLOUT : 0));
		ppoll(&wait, 1, &limit, NULL);
		if (wait.revents & POLLOUT)
			haven_link_writable(s.stack, s.ifindex);
		must(haven_input(s.stack, s.ifindex, BATCH, now_ns()) >= 0, "input");
		haven_poll(s.stack, now_ns());
		while ((socket = haven_next_ready(s.stack, &events)))
			serve(&s, socket, events);
		haven_poll(s.stack, now_ns());
		note_stats(&s);
	}
}

/* --- the kernel's side --------------------------------------------------------------------- */

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fprintf(stderr, "syn_flood_cases: %s stays as it is\n", path);
	if (fd >= 0)
		close(fd);
}

static int make_network(void)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	struct sockaddr_in own = address("10.9.0.1", 0), mask = address("255.255.255.0", 0);
	int tap, control;

	must(!unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWNET : CLONE_NEWNET), "unshare");
	tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	must(tap >= 0, "/dev/net/tun");
	strcpy(request.ifr_name, "flood0");
	must(!ioctl(tap, TUNSETIFF, &request), "TUNSETIFF");
	control = socket(AF_INET, SOCK_DGRAM, 0);
	memcpy(&request.ifr_addr, &own, sizeof(own));
	must(!ioctl(control, SIOCSIFADDR, &request), "SIOCSIFADDR");
	memcpy(&request.ifr_addr, &mask, sizeof(mask));
	must(!ioctl(control, SIOCSIFNETMASK, &request), "SIOCSIFNETMASK");
	request.ifr_flags = IFF_UP;
	must(!ioctl(control, SIOCSIFFLAGS, &request), "SIOCSIFFLAGS");
	request.ifr_qlen = QUEUE;
	must(!ioctl(control, SIOCSIFTXQLEN, &request), "SIOCSIFTXQLEN");
	close(control);
	write_file("/proc/sys/net/ipv4/tcp_congestion_control", "cubic");
	return tap;
}

static void flood_burst(int fd, const struct sockaddr_ll *to, uint64_t *random)
{
	static uint8_t frames[BURST][FRAME_BYTES];
	static struct iovec iov[BURST];
	struct mmsghdr messages[BURST] = {0};

	for (int i = 0; i < BURST; i++) {
		struct peer peer = random_peer(random);

		memcpy(frames[i], stack_mac, 6);
		memset(frames[i] + 6, 2, 6);
		put16(frames[i] + 12, 0x0800);
		make_packet(frames[i] + 14, &peer, ANSWER, 2, 0);
		iov[i] = (struct iovec){frames[i], FRAME_BYTES};
		messages[i].msg_hdr.msg_iov = &iov[i];
		messages[i].msg_hdr.msg_iovlen = 1;
		messages[i].msg_hdr.msg_name = (void *)(uintptr_t)to;
		messages[i].msg_hdr.msg_namelen = sizeof(*to);
	}
	sendmmsg(fd, messages, BURST, 0);
}

static void flood_run(struct shared *shared)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(0x0800),
		.sll_ifindex = (int)if_nametoindex("flood0"),
	};
	uint64_t random = 1, next = now_ns();
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	must(fd >= 0, "packet socket");
	for (;;) {
		uint64_t rate = shared->flood_rate, now = now_ns();

		if (!rate) {
			usleep(1000);
			next = now_ns();
			continue;
		}
		if (now < next) {
			struct timespec pause = {.tv_nsec = (long)(next - now)};

			nanosleep(&pause, NULL);
			continue;
		}
		flood_burst(fd, &to, &random);
		shared->flood_sent += BURST;
		next += UINT64_C(1000000000) * BURST / rate;
		if (now > next + 100000000)
			next = now; /* never make up for more than a tenth of a second */
	}
}

static int connected(uint16_t port)
{
	struct sockaddr_in to = address("10.9.0.2", port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	must(!connect(fd, (struct sockaddr *)&to, sizeof(to)), "connect");
	return fd;
}

static void bulk_run(uint16_t port)
{
	static uint8_t buffer[1 << 16];
	int fd = connected(port);

	if (port == READ)
		while (write(fd, buffer, sizeof(buffer)) > 0)
			;
	else
		while (read(fd, buffer, sizeof(buffer)) > 0)
			;
	exit(0);
}

/* --- phases --------------------------------------------------------------------------------- */

struct phase {
	unsigned clients, failed;
	uint64_t sum_us, most_us;
};

/* Connect, send a byte, have it back. */
static void honest_client(struct phase *phase)
{
	struct sockaddr_in to = address("10.9.0.2", ANSWER);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct pollfd wait = {.fd = fd, .events = POLLOUT};
	uint64_t begin = now_ns(), took_us;
	bool good;
	char byte = 'x';

	(void)connect(fd, (struct sockaddr *)&to, sizeof(to)); /* poll says what came of it */
	good = poll(&wait, 1, CONNECT_LIMIT_MS) == 1 && wait.revents == POLLOUT;
	took_us = (now_ns() - begin) / 1000;
	wait.events = POLLIN;
	good = good && write(fd, &byte, 1) == 1 && poll(&wait, 1, CONNECT_LIMIT_MS) == 1 &&
	       read(fd, &byte, 1) == 1;
	close(fd);
	phase->clients++;
	phase->failed += !good;
	phase->sum_us += took_us;
	if (took_us > phase->most_us)
		phase->most_us = took_us;
}

static void run_phase(struct shared *shared, uint64_t rate, unsigned seconds)
{
	struct phase phase = {0};
	uint64_t begin, in, out, sent, cookies;
	double took;

	shared->flood_rate = rate;
	shared->memory_most = shared->half_open_most = 0;
	in = shared->bytes_in;
	out = shared->bytes_out;
	sent = shared->flood_sent;
	cookies = shared->cookies;
	begin = now_ns();
	while (now_ns() - begin < seconds * UINT64_C(1000000000)) {
		honest_client(&phase);
		usleep(20000);
	}
	took = (double)(now_ns() - begin) / 1e9;
	printf("{\"rate\": %" PRIu64 ", \"seconds\": %.2f, \"in\": %" PRIu64
	       ", \"out\": %" PRIu64 ", \"flood\": %" PRIu64 ", \"cookies\": %" PRIu64
	       ", \"clients\": %u, \"failed\": %u, \"mean_us\": %" PRIu64
	       ", \"most_us\": %" PRIu64 ", \"memory\": %" PRIu64 ", \"half_open\": %" PRIu64
	       "}\n",
	       rate, took, shared->bytes_in - in, shared->bytes_out - out,
	       shared->flood_sent - sent, shared->cookies - cookies, phase.clients,
	       phase.failed, phase.clients ? phase.sum_us / phase.clients : 0, phase.most_us,
	       shared->memory_most, shared->half_open_most);
	fflush(stdout);
}

static pid_t start(void)
{
	pid_t pid = fork();

	must(pid >= 0, "fork");
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static void live(unsigned seconds, unsigned rounds, uint64_t rate)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t children[4];
	int tap;

	must(shared != MAP_FAILED, "mmap");
	tap = make_network();
	if (!(children[0] = start()))
		server_run(tap, shared);
	close(tap);
	usleep(200000);
	if (!(children[1] = start()))
		flood_run(shared);
	if (!(children[2] = start()))
		bulk_run(READ);
	if (!(children[3] = start()))
		bulk_run(WRITE);
	sleep(1);
	for (unsigned i = 0; i < rounds; i++) {
		run_phase(shared, 0, seconds);
		run_phase(shared, rate, seconds);
	}
	for (int i = 0; i < 4; i++)
		kill(children[i], SIGKILL);
	while (wait(NULL) > 0)
		;
}

/* --- what one segment costs ------------------------------------------------------------------- */

struct cost {
	struct haven_stack *stack;
	struct haven_link *link;
	unsigned ifindex;
	struct haven_socket *listener, *accepted[CONNECTIONS];
	struct peer peers[BATCH];
	unsigned answered;
	uint8_t packets[BATCH][60 + SEGMENT_BYTES];
	uint32_t sizes[BATCH];
	uint64_t random;
	const char *measured;
};

/* What a SYN-ACK said, for the ACK of it. */
static int cost_sent(void *user, const struct iovec *iov, int count,
		     const struct haven_frame_offload *offload)
{
	struct cost *c = user;
	const uint8_t *p = iov[0].iov_base;

	(void)count;
	(void)offload;
	if (iov[0].iov_len >= 60 && (p[33] & 18) == 18 && c->answered < BATCH) {
		struct peer *peer = &c->peers[c->answered++];

		peer->ack = ((uint32_t)p[24] << 24 | (uint32_t)p[25] << 16 |
			     (uint32_t)p[26] << 8 | p[27]) +
			    1;
		peer->seq++;
		/* MSS 4, SACK permitted 2, timestamps 2 + 4 */
		peer->ts = (uint32_t)p[48] << 24 | (uint32_t)p[49] << 16 |
			   (uint32_t)p[50] << 8 | p[51];
	}
	return 0;
}

static void cost_init(struct cost *c, uint32_t max_half_open)
{
	static const struct haven_link_ops ops = {.send = cost_sent};
	struct haven_stack_config config;
	struct haven_link_config link;

	c->random = 1;
	haven_stack_config_init(&config);
	config.privileged = true;
	config.max_half_open = max_half_open;
	must(!haven_stack_create(&config, &c->stack), "stack");
	haven_set_time(c->stack, UINT64_C(1000000000000));
	haven_link_config_init(&link);
	must(!haven_link_custom(c->stack, &ops, c, false, &link, &c->link), "link");
	must(!haven_stack_attach(c->stack, c->link, &c->ifindex), "attach");
	stack_address(c->stack, c->ifindex);
	c->listener = listen_on(c->stack, ANSWER);
	haven_close(c->listener);
	c->listener = listen_on(c->stack, ANSWER);
}

static void cost_make(struct cost *c, uint8_t flags, uint32_t size, bool fresh)
{
	for (int i = 0; i < BATCH; i++) {
		if (fresh)
			c->peers[i] = random_peer(&c->random);
		c->sizes[i] = make_packet(c->packets[i], &c->peers[i], ANSWER, flags, size);
	}
	c->answered = 0;
}

/* Counted by callgrind: a batch of segments comes in. The name says of which kind they are. */
#define MEASURED(name)                                                                      \
	__attribute__((noinline)) static void measured_##name(struct cost *c)               \
	{                                                                                   \
		c->measured = #name; /* or the compiler makes one function of all */        \
		for (int i = 0; i < BATCH; i++)                                             \
			haven_link_custom_input(c->link, c->packets[i], c->sizes[i], NULL); \
		haven_input(c->stack, c->ifindex, BATCH, UINT64_C(1000000000000));          \
		haven_poll(c->stack, UINT64_C(1000000000000));                              \
	}
MEASURED(kept)
MEASURED(cookie)
MEASURED(ack_kept)
MEASURED(ack_cookie)
MEASURED(data)
MEASURED(uncounted)

static void accept_all(struct cost *c, bool close)
{
	for (int i = 0; i < BATCH; i++) {
		must(!haven_accept(c->listener, NULL, NULL, &c->accepted[i]), "accept");
		if (close)
			haven_abort(c->accepted[i]);
	}
	while (haven_next_ready(c->stack, NULL))
		;
	haven_poll(c->stack, UINT64_C(1000000000000));
}

/* Each client's segment number `at` of a stream. */
static void send_data(struct cost *c, uint8_t *sink)
{
	cost_make(c, 16, SEGMENT_BYTES, false);
	measured_data(c);
	for (int i = 0; i < BATCH; i++) {
		c->peers[i].seq += SEGMENT_BYTES;
		while (haven_recv(c->accepted[i], sink, 1 << 16, 0) > 0)
			;
	}
	while (haven_next_ready(c->stack, NULL))
		;
	haven_poll(c->stack, UINT64_C(1000000000000));
}

static void cost_run(const char *what)
{
	static struct cost c;
	static uint8_t sink[1 << 16];
	bool cookie = strstr(what, "cookie"), ack = !strncmp(what, "ack", 3);
	bool data = !strcmp(what, "data");

	cost_init(&c, cookie ? 0 : 1 << 20);
	for (int done = 0; done < OPERATIONS; done += BATCH) {
		cost_make(&c, 2, 0, true);
		if (ack || data)
			measured_uncounted(&c);
		else if (cookie)
			measured_cookie(&c);
		else
			measured_kept(&c);
		must(c.answered == BATCH, "not all were answered");
		cost_make(&c, 16, 0, false);
		if (!ack)
			measured_uncounted(&c);
		else if (cookie)
			measured_ack_cookie(&c);
		else
			measured_ack_kept(&c);
		accept_all(&c, !data);
		if (data)
			break;
	}
	for (int done = 0; data && done < OPERATIONS; done += BATCH)
		send_data(&c, sink);
	printf("{\"operation\": \"%s\", \"operations\": %d}\n", what, OPERATIONS);
	haven_stack_destroy(c.stack);
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "live"))
		live((unsigned)strtoul(argv[2], NULL, 10), (unsigned)strtoul(argv[3], NULL, 10),
		     strtoull(argv[4], NULL, 10));
	else if (argc == 2)
		cost_run(argv[1]);
	else
		return 2;
	return 0;
}
