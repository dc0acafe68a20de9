/* nb - small network bench tool: echo server, TCP/UDP request-response,
 * connect/request/response/close, connection holder, UDP blast and sink.
 *
 *   nb srv PORT                              TCP echo + UDP echo on PORT (v4)
 *   nb tcp_rr ADDR PORT SECS [SIZE [CONC]]   ping-pong, latency percentiles
 *   nb udp_rr ADDR PORT SECS [SIZE]          same, 200 ms loss timeout
 *   nb tcp_crr ADDR PORT SECS [CONC]         connect+1B+1B+close rate
 *   nb udp_crr ADDR PORT SECS                request-response, each from a new port
 *   nb conns ADDR PORT N HOLD_SECS           open N, 1B echo each, print, hold
 *   nb udp_sink PORT SECS [IDLE]             count until idle IDLE (1) s
 *   nb udp_blast ADDR PORT SECS SIZE RATE    RATE 0: as fast as possible
 *
 * Results: one line of JSON on stdout.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DIE(...)                                            \
	do {                                                \
		fprintf(stderr, __VA_ARGS__);               \
		fprintf(stderr, ": %s\n", strerror(errno)); \
		exit(1);                                    \
	} while (0)

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static struct sockaddr_in addr(const char *a, const char *p)
{
	struct sockaddr_in s = {.sin_family = AF_INET, .sin_port = htons(atoi(p))};
	if (inet_pton(AF_INET, a, &s.sin_addr) != 1)
		DIE("bad address %s", a);
	return s;
}

/* samples */
static uint32_t *smp;
static size_t nsmp, csmp;
static void sample(uint64_t ns)
{
	if (nsmp == csmp) {
		size_t more = csmp ? csmp * 2 : 1 << 16;
		uint32_t *larger = realloc(smp, more * sizeof(*smp));
		if (!larger)
			DIE("realloc");
		smp = larger;
		csmp = more;
	}
	smp[nsmp++] = ns > UINT32_MAX ? UINT32_MAX : ns;
}
static int cmp32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}
static double pct(double p)
{
	return nsmp ? smp[(size_t)((nsmp - 1) * p)] / 1e3 : 0;
}
static void report(const char *what, double secs, uint64_t err)
{
	qsort(smp, nsmp, sizeof(*smp), cmp32);
	printf("{\"wl\":\"%s\",\"secs\":%.3f,\"n\":%zu,\"rate\":%.1f,"
	       "\"errors\":%lu,\"min_us\":%.2f,\"p50_us\":%.2f,"
	       "\"p90_us\":%.2f,\"p99_us\":%.2f,\"p999_us\":%.2f,"
	       "\"max_us\":%.2f}\n",
	       what, secs, nsmp, nsmp / secs, (unsigned long)err, pct(0), pct(.5), pct(.9),
	       pct(.99), pct(.999), pct(1));
}

static void nodelay(int fd)
{
	int one = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* --- server ------------------------------------------------------------- */
static int srv(const char *port)
{
	struct sockaddr_in sa = addr("0.0.0.0", port);
	struct epoll_event ev, evs[256];
	static char buf[65536];
	int one = 1, e, l, u;

	l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	u = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(l, (void *)&sa, sizeof(sa)) || listen(l, 65535) ||
	    bind(u, (void *)&sa, sizeof(sa)))
		DIE("bind %s", port);
	e = epoll_create1(0);
	ev.events = EPOLLIN;
	ev.data.fd = l;
	epoll_ctl(e, EPOLL_CTL_ADD, l, &ev);
	ev.data.fd = u;
	epoll_ctl(e, EPOLL_CTL_ADD, u, &ev);
	for (;;) {
		int n = epoll_wait(e, evs, 256, -1);
		for (int i = 0; i < n; i++) {
			int fd = evs[i].data.fd;
			if (fd == l) {
				int c;
				while ((c = accept4(l, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
					nodelay(c);
					ev.events = EPOLLIN;
					ev.data.fd = c;
					epoll_ctl(e, EPOLL_CTL_ADD, c, &ev);
				}
			} else if (fd == u) {
				struct sockaddr_in p;
				socklen_t pl = sizeof(p);
				ssize_t r = recvfrom(u, buf, sizeof(buf), 0, (void *)&p, &pl);
				if (r >= 0)
					sendto(u, buf, r, 0, (void *)&p, pl);
			} else {
				ssize_t r = recv(fd, buf, sizeof(buf), 0);
				if (r > 0) {
					if (send(fd, buf, r, MSG_NOSIGNAL) < 0)
						close(fd);
				} else if (!r || errno != EAGAIN) {
					close(fd);
				}
			}
		}
	}
}

/* --- TCP RR ------------------------------------------------------------- */
static int tcp_rr(char **a, int n)
{
	struct sockaddr_in sa = addr(a[0], a[1]);
	int size = n > 3 ? atoi(a[3]) : 1, conc = n > 4 ? atoi(a[4]) : 1;
	struct {
		int fd, got;
		uint64_t t;
	} *c = calloc(conc, sizeof(*c));
	static char buf[65536];
	struct epoll_event ev, evs[256];
	uint64_t start, end, t;
	int e = epoll_create1(0);

	for (int i = 0; i < conc; i++) {
		c[i].fd = socket(AF_INET, SOCK_STREAM, 0);
		nodelay(c[i].fd);
		if (connect(c[i].fd, (void *)&sa, sizeof(sa)))
			DIE("connect");
		ev.events = EPOLLIN;
		ev.data.u32 = i;
		epoll_ctl(e, EPOLL_CTL_ADD, c[i].fd, &ev);
	}
	start = now();
	end = start + atof(a[2]) * 1e9;
	for (int i = 0; i < conc; i++) {
		c[i].t = now();
		if (send(c[i].fd, buf, size, 0) != size)
			DIE("send");
	}
	if (conc == 1) { /* plain blocking ping-pong */
		for (;;) {
			int got = 0;
			while (got < size) {
				ssize_t r = recv(c[0].fd, buf, size - got, 0);
				if (r <= 0)
					DIE("recv");
				got += r;
			}
			t = now();
			sample(t - c[0].t);
			if (t >= end)
				break;
			c[0].t = now();
			if (send(c[0].fd, buf, size, 0) != size)
				DIE("send");
		}
	} else
		for (t = start; t < end;) {
			int k = epoll_wait(e, evs, 256, 1000);
			for (int j = 0; j < k; j++) {
				int i = evs[j].data.u32;
				ssize_t r = recv(c[i].fd, buf, size - c[i].got, 0);
				if (r <= 0)
					DIE("recv");
				if ((c[i].got += r) < size)
					continue;
				t = now();
				sample(t - c[i].t);
				c[i].got = 0;
				c[i].t = t;
				if (send(c[i].fd, buf, size, 0) != size)
					DIE("send");
			}
			if (!k)
				t = now();
		}
	report("tcp_rr", (now() - start) / 1e9, 0);
	return 0;
}

/* --- UDP RR ------------------------------------------------------------- */
static int udp_rr(char **a, int n)
{
	struct sockaddr_in sa = addr(a[0], a[1]);
	int size = n > 3 ? atoi(a[3]) : 8, fd;
	uint64_t start, end, t, lost = 0;
	struct timeval tv = {0, 200000};
	static char buf[65536];
	uint32_t seq = 0;

	if (size < 4)
		size = 4;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (connect(fd, (void *)&sa, sizeof(sa)))
		DIE("connect");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	start = now();
	end = start + atof(a[2]) * 1e9;
	do {
		ssize_t r;
		seq++;
		memcpy(buf, &seq, 4);
		t = now();
		if (send(fd, buf, size, 0) != size) {
			lost++;
			continue;
		}
again:
		r = recv(fd, buf, sizeof(buf), 0);
		if (r < 0) {
			lost++;
		} else if (memcmp(buf, &seq, 4)) {
			goto again;
		} else {
			sample(now() - t);
		}
	} while (now() < end);
	report("udp_rr", (now() - start) / 1e9, lost);
	return 0;
}

/* --- TCP CRR ------------------------------------------------------------ */
static int tcp_crr(char **a, int n)
{
	struct sockaddr_in sa = addr(a[0], a[1]);
	int conc = n > 3 ? atoi(a[3]) : 1, e = epoll_create1(0);
	struct {
		int fd, sent;
		uint64_t t;
	} *c = calloc(conc, sizeof(*c));
	uint64_t start = now(), end = start + atof(a[2]) * 1e9, t, err = 0;
	struct epoll_event ev, evs[256];
	char b;

	for (int i = 0; i < conc; i++)
		c[i].fd = -1;
	for (t = start; t < end; t = now()) {
		int k;
		for (int i = 0; i < conc; i++) {
			if (c[i].fd >= 0)
				continue;
			c[i].fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
			if (c[i].fd < 0)
				DIE("socket");
			nodelay(c[i].fd);
			c[i].t = now();
			c[i].sent = 0;
			if (connect(c[i].fd, (void *)&sa, sizeof(sa)) && errno != EINPROGRESS) {
				err++;
				close(c[i].fd);
				c[i].fd = -1;
				continue;
			}
			ev.events = EPOLLOUT;
			ev.data.u32 = i;
			epoll_ctl(e, EPOLL_CTL_ADD, c[i].fd, &ev);
		}
		k = epoll_wait(e, evs, 256, 100);
		for (int j = 0; j < k; j++) {
			int i = evs[j].data.u32;
			ssize_t r;
			if (!c[i].sent) {
				if (send(c[i].fd, "x", 1, MSG_NOSIGNAL) != 1)
					goto bad;
				c[i].sent = 1;
				ev.events = EPOLLIN;
				ev.data.u32 = i;
				epoll_ctl(e, EPOLL_CTL_MOD, c[i].fd, &ev);
				continue;
			}
			r = recv(c[i].fd, &b, 1, 0);
			if (r != 1)
				goto bad;
			close(c[i].fd);
			c[i].fd = -1;
			sample(now() - c[i].t);
			continue;
bad:
			err++;
			close(c[i].fd);
			c[i].fd = -1;
		}
		/* time out stuck connections after 3 s (lost SYN etc.) */
		for (int i = 0; i < conc; i++)
			if (c[i].fd >= 0 && t - c[i].t > 3000000000ull && t > c[i].t) {
				err++;
				close(c[i].fd);
				c[i].fd = -1;
			}
	}
	report("tcp_crr", (now() - start) / 1e9, err);
	return 0;
}

/* --- UDP CRR ------------------------------------------------------------ */
static int udp_crr(char **a)
{
	struct sockaddr_in sa = addr(a[0], a[1]);
	struct timeval tv = {0, 200000};
	uint64_t start = now(), end = start + atof(a[2]) * 1e9, t, lost = 0;
	char b;

	for (t = start; t < end; t = now()) {
		int fd = socket(AF_INET, SOCK_DGRAM, 0);

		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
		if (fd < 0 || connect(fd, (void *)&sa, sizeof(sa)))
			DIE("socket");
		if (send(fd, "x", 1, 0) == 1 && recv(fd, &b, 1, 0) == 1) {
			sample(now() - t);
		} else {
			lost++;
		}
		close(fd);
	}
	report("udp_crr", (now() - start) / 1e9, lost);
	return 0;
}

/* --- connection holder --------------------------------------------------- */
static int conns(char **a)
{
	struct sockaddr_in sa = addr(a[0], a[1]);
	int want = atoi(a[2]), ok = 0, bad = 0;
	uint64_t start = now();
	char b;

	for (int i = 0; i < want; i++) {
		struct timeval tv = {5, 0};
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		if (fd < 0)
			DIE("socket %d", i);
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
		nodelay(fd);
		if (!connect(fd, (void *)&sa, sizeof(sa)) &&
		    send(fd, "x", 1, MSG_NOSIGNAL) == 1 && recv(fd, &b, 1, 0) == 1) {
			ok++;
		} else if (++bad > 20) {
			break;
		}
	}
	printf("{\"wl\":\"conns\",\"want\":%d,\"ok\":%d,\"bad\":%d,"
	       "\"secs\":%.3f}\n",
	       want, ok, bad, (now() - start) / 1e9);
	fflush(stdout);
	sleep(atoi(a[3]));
	return 0;
}

/* --- UDP one way --------------------------------------------------------- */
#define BATCH 32
static struct mmsghdr mm[BATCH];
static struct iovec io[BATCH];
static char bufs[BATCH][65536];

static int udp_sink(char **a, int argn)
{
	int idle = argn > 2 ? atof(a[2]) * 1000 : 1000;
	struct sockaddr_in sa = addr("0.0.0.0", a[0]);
	struct pollfd p = {.fd = socket(AF_INET, SOCK_DGRAM, 0), .events = POLLIN};
	uint64_t n = 0, bytes = 0, first = 0, last = 0, start = now();
	double max = atof(a[1]);
	int rb = 4 << 20;

	setsockopt(p.fd, SOL_SOCKET, SO_RCVBUF, &rb, sizeof(rb));
	if (bind(p.fd, (void *)&sa, sizeof(sa)))
		DIE("bind");
	for (int i = 0; i < BATCH; i++) {
		io[i] = (struct iovec){bufs[i], sizeof(bufs[i])};
		mm[i].msg_hdr.msg_iov = &io[i];
		mm[i].msg_hdr.msg_iovlen = 1;
	}
	while (now() - start < max * 1e9) {
		int r = poll(&p, 1, first ? idle : 200);
		if (!r && first)
			break;
		if (r <= 0)
			continue;
		r = recvmmsg(p.fd, mm, BATCH, MSG_DONTWAIT, NULL);
		if (r <= 0)
			continue;
		last = now();
		if (!first)
			first = last;
		n += r;
		for (int i = 0; i < r; i++)
			bytes += mm[i].msg_len;
	}
	printf("{\"wl\":\"udp_sink\",\"rx\":%lu,\"rx_bytes\":%lu,"
	       "\"rx_secs\":%.3f}\n",
	       (unsigned long)n, (unsigned long)bytes, (last - first) / 1e9);
	return 0;
}

static int udp_blast(char **a)
{
	struct sockaddr_in sa = addr(a[0], a[1]);
	int size = atoi(a[3]), fd = socket(AF_INET, SOCK_DGRAM, 0);
	double rate = atof(a[4]);
	uint64_t start, end, t, n = 0, err = 0;

	if (connect(fd, (void *)&sa, sizeof(sa)))
		DIE("connect");
	for (int i = 0; i < BATCH; i++) {
		io[i] = (struct iovec){bufs[i], size};
		mm[i].msg_hdr.msg_iov = &io[i];
		mm[i].msg_hdr.msg_iovlen = 1;
	}
	start = now();
	end = start + atof(a[2]) * 1e9;
	while ((t = now()) < end) {
		uint64_t due = rate ? (t - start) / 1e9 * rate : n + err + BATCH;
		uint64_t k = due > n + err ? due - n - err : 0;
		int r;
		if (!k) { /* pace in ~200 us slices */
			struct timespec ts = {0, 200000};
			nanosleep(&ts, NULL);
			continue;
		}
		r = sendmmsg(fd, mm, k > BATCH ? BATCH : k, 0);
		if (r > 0)
			n += r;
		else
			err++;
	}
	printf("{\"wl\":\"udp_blast\",\"tx\":%lu,\"tx_err\":%lu,"
	       "\"tx_secs\":%.3f}\n",
	       (unsigned long)n, (unsigned long)err, (now() - start) / 1e9);
	return 0;
}

int main(int argc, char **argv)
{
	struct rlimit rl;
	int n = argc - 2;

	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &rl);
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
	if (argc < 3)
		goto usage;
	if (!strcmp(argv[1], "srv"))
		return srv(argv[2]);
	if (!strcmp(argv[1], "tcp_rr") && n >= 3)
		return tcp_rr(argv + 2, n);
	if (!strcmp(argv[1], "udp_rr") && n >= 3)
		return udp_rr(argv + 2, n);
	if (!strcmp(argv[1], "tcp_crr") && n >= 3)
		return tcp_crr(argv + 2, n);
	if (!strcmp(argv[1], "udp_crr") && n >= 3)
		return udp_crr(argv + 2);
	if (!strcmp(argv[1], "conns") && n >= 4)
		return conns(argv + 2);
	if (!strcmp(argv[1], "udp_sink") && n >= 2)
		return udp_sink(argv + 2, n);
	if (!strcmp(argv[1], "udp_blast") && n >= 5)
		return udp_blast(argv + 2);
usage:
	fprintf(stderr, "usage: nb MODE ... (see top of nb.c)\n");
	return 2;
}
