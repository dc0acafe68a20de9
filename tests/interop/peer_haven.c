/*
 * One end in haven's TCP, behind a TAP: a program on the public API, with an event loop of one
 * descriptor. See peer.h.
 *
 * The stack is 10.0.1.2 and fd01::2; the kernel on the other side of the TAP is its gateway, .1 and ::1.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <haven/link.h>
#include <haven/socket.h>

#include "peer.h"

enum { BUDGET = 64, BLOCK = 1 << 18 };

struct end {
	const struct peer_options *options;
	struct stream *stream;
	struct peer_result *result;
	struct haven_stack *stack;
	struct haven_link *link;
	unsigned ifindex;
	struct haven_socket *listener, *socket;
	bool sending, shut, failed;
	FILE *pcap;
};

static bool fail(struct end *end, const char *what, int error)
{
	snprintf(end->result->error, sizeof(end->result->error), "%s: %s", what,
		 haven_strerror(error));
	end->failed = true;
	return false;
}

/* --- the stack --------------------------------------------------------------------------- */

static int open_tap(const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (fd >= 0 && ioctl(fd, TUNSETIFF, &request) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static struct sockaddr_storage address_of(const char *text)
{
	struct sockaddr_storage address = {0};
	struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;

	address.ss_family = strchr(text, ':') ? AF_INET6 : AF_INET;
	if (address.ss_family == AF_INET6)
		inet_pton(AF_INET6, text, &v6->sin6_addr);
	else
		inet_pton(AF_INET, text, &v4->sin_addr);
	return address;
}

static int add_addresses(struct end *end)
{
	static const struct {
		const char *own, *all, *gateway;
		unsigned bits;
	} families[] = {{"10.0.1.2", "0.0.0.0", "10.0.1.1", 24},
			{"fd01::2", "::", "fd01::1", 64}};
	int error = 0;

	for (int i = 0; i < 2 && !error; i++) {
		struct sockaddr_storage own = address_of(families[i].own);
		struct sockaddr_storage all = address_of(families[i].all);
		struct sockaddr_storage gateway = address_of(families[i].gateway);

		error = haven_address_add(end->stack, end->ifindex, (struct sockaddr *)&own,
					  families[i].bits);
		if (!error)
			error = haven_route_add(end->stack, end->ifindex,
						(struct sockaddr *)&all, 0,
						(struct sockaddr *)&gateway);
	}
	return error;
}

static void write_pcap(void *user, const void *data, size_t size)
{
	fwrite(data, 1, size, user);
}

static bool make_stack(struct end *end)
{
	struct haven_stack_config config;
	struct haven_link_config link;
	int fd = open_tap(end->options->tap), error;

	if (fd < 0)
		return fail(end, "TAP", -errno);
	haven_stack_config_init(&config);
	config.privileged_port_limit = 0;
	config.tcp_no_quick_acks = end->options->no_quick_acks;
	config.no_pacing = end->options->no_pacing;
	if (end->options->ecn >= 0)
		config.ecn = (uint8_t)end->options->ecn;
	if (end->options->mtu_probing >= 0)
		config.mtu_probing = (uint8_t)end->options->mtu_probing;
	if (end->options->send_buffer)
		config.send_buffer_bytes = (uint32_t)end->options->send_buffer;
	if (end->options->receive_buffer)
		config.receive_buffer_bytes = (uint32_t)end->options->receive_buffer;
	error = haven_stack_create(&config, &end->stack);
	if (error < 0)
		return fail(end, "stack", error);
	haven_set_time(end->stack, peer_now_ns());
	haven_link_config_init(&link);
	link.mtu = end->options->mtu;
	error = haven_link_tap(end->stack, fd, &link, &end->link);
	if (error < 0)
		return fail(end, "link", error);
	if (end->options->pcap) {
		end->pcap = fopen(end->options->pcap, "we");
		error = end->pcap ? haven_link_capture(end->stack, end->link, write_pcap,
						       end->pcap, 0, &end->link)
				  : -errno;
	}
	if (!error)
		error = haven_stack_attach(end->stack, end->link, &end->ifindex);
	if (!error)
		error = add_addresses(end);
	return !error || fail(end, "link", error);
}

static bool open_socket(struct end *end)
{
	const struct peer_options *options = end->options;
	const struct sockaddr *address = (const struct sockaddr *)&options->address;
	struct haven_socket *socket = NULL;
	int error = haven_socket(end->stack, address->sa_family, SOCK_STREAM, 0, &socket);

	if (!error && options->congestion)
		error = haven_setsockopt(socket, IPPROTO_TCP, TCP_CONGESTION,
					 options->congestion,
					 (socklen_t)strlen(options->congestion));
	if (error)
		return fail(end, "socket", error);
	if (options->listens) {
		end->listener = socket;
		error = haven_bind(socket, address, options->address_size);
		if (!error)
			error = haven_listen(socket, 16);
	} else {
		end->socket = socket;
		error = haven_connect(socket, address, options->address_size);
		error = error == -EINPROGRESS ? 0 : error;
	}
	return !error || fail(end, options->listens ? "listen" : "connect", error);
}

/* --- the connection ---------------------------------------------------------------------- */

static void note_info(struct end *end)
{
	struct peer_result *result = end->result;
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);

	if (haven_getsockopt(end->socket, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
		return;
	peer_note_info(result, &info);
}

static void send_some(struct end *end, uint64_t now_ns)
{
	while (end->sending) {
		size_t size;
		const uint8_t *data = stream_next(end->stream, &size, now_ns);
		ssize_t n = size ? haven_send(end->socket, data, size, 0) : 0;

		if (n == -EAGAIN)
			return;
		if (n < 0) {
			fail(end, "send", (int)n);
			return;
		}
		end->stream->sent += (uint64_t)n;
		if (size == 0) {
			int error = haven_shutdown(end->socket, SHUT_WR);

			end->sending = false;
			note_info(end);
			if (error < 0)
				fail(end, "shutdown", error);
		}
	}
}

static void receive_some(struct end *end, uint64_t now_ns)
{
	static uint8_t block[BLOCK];
	ssize_t n = 0;

	while (!end->stream->finished &&
	       (n = haven_recv(end->socket, block, sizeof(block), 0)) > 0)
		stream_take(end->stream, block, (size_t)n, now_ns);
	if (n == 0)
		end->stream->finished = true;
	else if (n < 0 && n != -EAGAIN)
		fail(end, "recv", (int)n);
}

static void connected(struct end *end, uint64_t now_ns)
{
	end->result->connected = end->sending = true;
	if (end->options->seconds > 0)
		end->stream->stop_ns = now_ns + (uint64_t)(end->options->seconds * 1e9);
}

static void work(struct end *end, uint64_t now_ns)
{
	unsigned events;

	if (end->listener && !end->socket &&
	    haven_accept(end->listener, NULL, NULL, &end->socket) < 0)
		return;
	events = haven_socket_events(end->socket);
	if (!end->result->connected && events & HAVEN_EVENT_CONNECTED)
		connected(end, now_ns);
	if (events & HAVEN_EVENT_ERROR) {
		int error = 0;
		socklen_t size = sizeof(error);

		haven_getsockopt(end->socket, SOL_SOCKET, SO_ERROR, &error, &size);
		fail(end, "the connection", -error);
	}
	if (!end->result->connected || end->failed)
		return;
	receive_some(end, now_ns);
	send_some(end, now_ns);
	if (end->stream->finished && !end->sending && events & HAVEN_EVENT_SENT && !end->shut) {
		note_info(end);
		haven_close(end->socket);
		end->socket = NULL;
		end->shut = true;
	}
}

/* --- the loop ---------------------------------------------------------------------------- */

/* One turn. False: standard input has ended. */
static bool turn(struct end *end)
{
	struct pollfd wait[2] = {{.fd = haven_link_fd(end->link), .events = POLLIN},
				 {.fd = STDIN_FILENO, .events = POLLIN}};
	uint64_t next_ns = haven_next_deadline(end->stack), now_ns = peer_now_ns();
	uint64_t wait_ns = next_ns > now_ns ? next_ns - now_ns : 0;
	struct timespec timeout = {(time_t)(wait_ns / 1000000000),
				   (long)(wait_ns % 1000000000)};

	if (haven_link_wants_write(end->link))
		wait[0].events |= POLLOUT;
	ppoll(wait, 2, next_ns == UINT64_MAX ? NULL : &timeout, NULL);
	now_ns = peer_now_ns();
	if (wait[0].revents & ~POLLOUT &&
	    haven_input(end->stack, end->ifindex, BUDGET, now_ns) < 0)
		fail(end, "the TAP", -ENETDOWN);
	if (wait[0].revents & POLLOUT)
		haven_link_writable(end->stack, end->ifindex);
	haven_poll(end->stack, now_ns);
	while (haven_next_ready(end->stack, NULL))
		;
	if (!end->shut)
		work(end, now_ns);
	haven_poll(end->stack, now_ns);
	return !(wait[1].revents & (POLLIN | POLLHUP));
}

static bool all_closed(const struct end *end)
{
	struct haven_stats stats;

	haven_stack_stats(end->stack, &stats);
	return end->shut && stats.connections == 0;
}

void peer_haven(const struct peer_options *options, struct stream *stream,
		struct peer_result *result)
{
	struct end end = {.options = options, .stream = stream, .result = result};
	bool told = false;

	if (make_stack(&end) && open_socket(&end)) {
		peer_is_ready();
		do {
			/* A listener is a connection no more once it has what it was for. */
			if (end.socket && end.listener) {
				haven_close(end.listener);
				end.listener = NULL;
			}
			if (!told && (end.failed || all_closed(&end))) {
				result->closed = !end.failed;
				told = true;
				peer_tell(stream, result);
			}
		} while (turn(&end));
	}
	if (!told)
		peer_tell(stream, result);
	haven_stack_destroy(end.stack);
	if (end.pcap)
		fclose(end.pcap);
}
