/*
 * Random calls of a capricious program: any option with any value, and any call in any state. Most of them are
 * nonsense and must be refused with an error that says so; none of them may harm a byte of the stream
 * but those that are meant to (shutdown, close, abort).
 */
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "sim.h"

enum { OPTIONS_PER_LEVEL = 80, VALUE_BYTES_MAX = 300, CALLS_MAX = 4 };

static const int levels[] = {SOL_SOCKET, IPPROTO_TCP, IPPROTO_IP, IPPROTO_IPV6, SOL_HAVEN};

static uint64_t below(struct sim *sim, uint64_t bound)
{
	return test_random_below(&sim->random, bound);
}

static bool one_in(struct sim *sim, uint64_t n)
{
	return test_random_one_in(&sim->random, n);
}

static int draw_value(struct sim *sim)
{
	static const int special[] = {0, 1, 1, 2, -1, INT_MAX, INT_MIN, 255, 256, 65535, 65536};

	switch (below(sim, 4)) {
	case 0:
		return special[below(sim, sizeof(special) / sizeof(special[0]))];
	case 1:
		return (int)below(sim, 300);
	case 2:
		return 1 << below(sim, 31);
	default:
		return (int)(uint32_t)test_random64(&sim->random);
	}
}

/* What would make the stream legitimately slower than any bound. */
static bool is_a_brake(int level, int option)
{
	return level == SOL_SOCKET && option == SO_MAX_PACING_RATE;
}

static void draw_option(struct sim *sim, int *level, int *option)
{
	static const int common[][2] = {
		{SOL_SOCKET, SO_SNDBUF},	{SOL_SOCKET, SO_RCVBUF},
		{SOL_SOCKET, SO_LINGER},	{SOL_SOCKET, SO_KEEPALIVE},
		{IPPROTO_TCP, TCP_NODELAY},	{IPPROTO_TCP, TCP_CORK},
		{IPPROTO_TCP, TCP_MAXSEG},	{IPPROTO_TCP, TCP_QUICKACK},
		{IPPROTO_TCP, TCP_CONGESTION},	{IPPROTO_TCP, TCP_WINDOW_CLAMP},
		{IPPROTO_TCP, TCP_FASTOPEN},	{IPPROTO_TCP, TCP_NOTSENT_LOWAT},
		{IPPROTO_TCP, TCP_DEFER_ACCEPT}};
	size_t pick = below(sim, 2 * sizeof(common) / sizeof(common[0]));

	if (pick < sizeof(common) / sizeof(common[0])) {
		*level = common[pick][0];
		*option = common[pick][1];
		return;
	}
	do {
		*level = levels[below(sim, sizeof(levels) / sizeof(levels[0]))];
		*option = (int)below(sim, OPTIONS_PER_LEVEL);
	} while (is_a_brake(*level, *option));
}

/* A refusal that tells a program what it did. */
static void must_be_plain(const struct sim *sim, const char *call, ssize_t result)
{
	static const int plain[] = {EINVAL,	ENOPROTOOPT, EISCONN,	   ENOTCONN,
				    EALREADY,	EOPNOTSUPP,  ENOENT,	   EPERM,
				    EDOM,	EAGAIN,	     EINPROGRESS,  EADDRINUSE,
				    ECONNRESET, ETIMEDOUT,   ECONNREFUSED, EPIPE,
				    EMFILE,	EFAULT,	     EADDRNOTAVAIL};

	if (result >= 0)
		return;
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		if (result == -plain[i])
			return;
	}
	if (sim->plan.trouble && (result == -ENOMEM || result == -ENOBUFS))
		return;
	if (!haven_errname((int)-result) || result == -ENOMEM || result == -ENOBUFS)
		sim_fail(sim, "%s gives %zd", call, result);
}

static void set_option(struct sim *sim, struct haven_socket *socket)
{
	static const char *const names[] = {"reno", "cubic", "newreno", "none", "bbr", ""};
	struct linger linger = {(int)below(sim, 2), draw_value(sim)};
	uint8_t value[VALUE_BYTES_MAX];
	socklen_t length = sizeof(int);
	int level, option, number = draw_value(sim);

	draw_option(sim, &level, &option);
	memset(value, 0, sizeof(value));
	memcpy(value, &number, sizeof(number));
	if (level == SOL_SOCKET && option == SO_LINGER) {
		memcpy(value, &linger, sizeof(linger));
		length = sizeof(linger);
	} else if (level == IPPROTO_TCP && option == TCP_CONGESTION) {
		const char *name = names[below(sim, sizeof(names) / sizeof(names[0]))];

		length = (socklen_t)strlen(name);
		memcpy(value, name, length);
	}
	if (one_in(sim, 16))
		length = (socklen_t)below(sim, sizeof(value));
	must_be_plain(sim, "haven_setsockopt",
		      haven_setsockopt(socket, level, option, value, length));
}

static void get_option(struct sim *sim, struct haven_socket *socket)
{
	uint8_t value[VALUE_BYTES_MAX + 1];
	socklen_t length =
		one_in(sim, 2) ? sizeof(int) : (socklen_t)below(sim, VALUE_BYTES_MAX);
	socklen_t room = length;
	int level, option;

	draw_option(sim, &level, &option);
	if (level == SOL_SOCKET && option == SO_ERROR)
		return; /* it would take what sim_end.c has to see */
	value[length] = 0xa5;
	must_be_plain(sim, "haven_getsockopt",
		      haven_getsockopt(socket, level, option, value, &length));
	if (length > room || value[room] != 0xa5)
		sim_fail(sim, "haven_getsockopt %d/%d gives %u bytes into %u", level, option,
			 length, room);
}

/* Calls of another state or kind of socket. */
static void misplaced_call(struct sim_end *end)
{
	struct sockaddr_storage address = {
		.ss_family = (sa_family_t[]){AF_INET, AF_INET6, AF_UNIX}[below(end->sim, 3)]};
	socklen_t length = (socklen_t)below(end->sim, sizeof(address) + 1);
	struct haven_socket *other = NULL;
	uint8_t bytes[8];

	switch (below(end->sim, 9)) {
	case 0: /* a second connection of a socket that has one */
		must_be_plain(end->sim, "haven_connect",
			      end->flow ? haven_connect(end->socket,
							(struct sockaddr *)&address, 3)
					: haven_accept(end->socket, NULL, NULL, &other));
		break;
	case 1:
		must_be_plain(end->sim, "haven_accept",
			      haven_accept(end->socket, NULL, NULL, &other));
		break;
	case 2:
		must_be_plain(end->sim, "haven_getsockname",
			      haven_getsockname(end->socket, (struct sockaddr *)&address,
						&length));
		break;
	case 3:
		must_be_plain(end->sim, "haven_getpeername",
			      haven_getpeername(end->socket, (struct sockaddr *)&address,
						&length));
		break;
	case 4:
		must_be_plain(end->sim, "haven_send",
			      haven_send(end->socket, bytes, 0, MSG_MORE));
		break;
	case 5:
		must_be_plain(end->sim, "haven_recv", haven_recv(end->socket, bytes, 0, 0));
		break;
	case 6:
		must_be_plain(end->sim, "haven_shutdown",
			      haven_shutdown(end->socket, 3 + (int)below(end->sim, 10)));
		break;
	case 7:
		must_be_plain(end->sim, "haven_listen",
			      end->connected ? haven_listen(end->socket, 1) : 0);
		break;
	default:
		haven_send_queued(end->socket);
		haven_socket_rtt_ns(end->socket);
		break;
	}
	if (other)
		sim_fail(end->sim, "a connection came out of a connection");
}

/* It sends no more than it has sent. */
static void stop_sending(struct sim_end *end)
{
	int error = haven_shutdown(end->socket, SHUT_WR);

	must_be_plain(end->sim, "haven_shutdown", error);
	if (error)
		return;
	end->to_send = end->sent;
	end->shut = true;
}

static void stop_receiving(struct sim_end *end)
{
	int error = haven_shutdown(end->socket, SHUT_RD);

	must_be_plain(end->sim, "haven_shutdown", error);
	end->deaf |= error == 0;
}

void sim_calls_begin(struct sim_end *end)
{
	if (!end->sim->plan.caprice)
		return;
	for (uint64_t n = below(end->sim, CALLS_MAX); n > 0; n--)
		set_option(end->sim, end->socket);
}

bool sim_calls_run(struct sim_end *end)
{
	if (!end->sim->plan.caprice || !one_in(end->sim, 4))
		return true;
	switch (below(end->sim, 32)) {
	case 0:
		if (!one_in(end->sim, 16))
			break;
		sim_end_give_up(end, one_in(end->sim, 2) ? SIM_ABORTED : SIM_LEFT);
		return false;
	case 1:
		if (end->connected && end->sent >= 16 && !end->shut && one_in(end->sim, 8))
			stop_sending(end);
		break;
	case 2:
		if (end->connected && one_in(end->sim, 8))
			stop_receiving(end);
		break;
	case 3:
	case 4:
	case 5:
	case 6:
		misplaced_call(end);
		break;
	default:
		if (one_in(end->sim, 3))
			get_option(end->sim, end->socket);
		else
			set_option(end->sim, end->socket);
		break;
	}
	return true;
}

int sim_calls_send_flags(struct sim_end *end)
{
	static const int flags[] = {MSG_DONTWAIT, MSG_NOSIGNAL, MSG_EOR, MSG_CONFIRM};

	if (!end->sim->plan.caprice || !one_in(end->sim, 4))
		return 0;
	return flags[below(end->sim, sizeof(flags) / sizeof(flags[0]))];
}

/* --- listeners ------------------------------------------------------------------------------ */

static void on_listener(struct sim *sim, unsigned index, bool v6)
{
	struct sim_host *host = &sim->host[index];
	int error;

	if (!host->listener[v6]) { /* closed before, or there was no memory */
		error = sim_listener_open(sim, index, v6);
		must_be_plain(sim, "a listener again", error);
		return;
	}
	switch (below(sim, 8)) {
	case 0: /* who waits in its queue is reset */
		haven_close(host->listener[v6]);
		host->listener[v6] = NULL;
		break;
	case 1:
	case 2:
		must_be_plain(sim, "haven_listen",
			      haven_listen(host->listener[v6], draw_value(sim)));
		break;
	case 3:
		get_option(sim, host->listener[v6]);
		break;
	default:
		set_option(sim, host->listener[v6]);
		break;
	}
}

void sim_calls_on_listeners(struct sim *sim)
{
	unsigned index;
	bool v6;

	if (!sim->plan.caprice || !one_in(sim, 500) || sim->closing)
		return;
	index = (unsigned)below(sim, sim->plan.hosts);
	v6 = sim->plan.v6 && (!sim->plan.v4 || one_in(sim, 2));
	if (sim->host[index].stack)
		on_listener(sim, index, v6);
}
