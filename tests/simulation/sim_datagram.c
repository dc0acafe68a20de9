/*
 * Datagrams there and back. Each says whose it is, which, and how large; the rest follows from that.
 * They may be lost, doubled and overtaken, but what arrives is whole and right.
 */
#include <netinet/in.h>
#include <string.h>

#include "sim.h"

enum { HEADER = 16, SIZE_MAX_V4 = 65507, SIZE_MAX_V6 = 65527 };

static void fill(uint64_t key, uint32_t number, uint8_t *p, uint32_t size)
{
	struct test_random random;

	test_random_init(&random, key + number);
	memcpy(p, &key, 8);
	memcpy(p + 8, &number, 4);
	memcpy(p + 12, &size, 4);
	test_random_fill(&random, p + HEADER, size - HEADER);
}

static struct haven_socket *open_socket(struct sim *sim, unsigned host, bool v6, uint16_t port)
{
	struct sockaddr_storage any = {.ss_family = v6 ? AF_INET6 : AF_INET};
	struct haven_socket *socket;
	int one = 1, error;

	error = haven_socket(sim->host[host].stack, any.ss_family, SOCK_DGRAM, 0, &socket);
	if (!error && v6)
		error = haven_setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (v6)
		((struct sockaddr_in6 *)&any)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)&any)->sin_port = htons(port);
	if (!error)
		error = haven_bind(socket, (struct sockaddr *)&any,
				   v6 ? sizeof(struct sockaddr_in6)
				      : sizeof(struct sockaddr_in));
	if (error)
		sim_fail(sim, "a datagram socket: %s", haven_strerror(error));
	return socket;
}

void sim_echoes_open(struct sim *sim, unsigned host)
{
	for (int v6 = 0; v6 < 2; v6++) {
		if (v6 ? sim->plan.v6 : sim->plan.v4)
			sim->host[host].echo[v6] =
				open_socket(sim, host, v6, SIM_DATAGRAM_PORT);
	}
}

void sim_senders_open(struct sim *sim)
{
	for (unsigned i = 0; i < sim->plan.senders; i++) {
		struct sim_sender *sender = &sim->senders[i];
		unsigned spoke =
			1 + (unsigned)test_random_below(&sim->random, sim->plan.hosts - 1);
		bool v6 =
			sim->plan.v6 && (!sim->plan.v4 || test_random_one_in(&sim->random, 2));
		bool from_hub = test_random_one_in(&sim->random, 2);

		sender->host = from_hub ? 0 : spoke;
		sender->socket = open_socket(sim, sender->host, v6, 0);
		sender->key = test_random64(&sim->random);
		sender->to_send = 1 + (uint32_t)test_random_below(&sim->random, 50);
		sender->next_ns = sim->now_ns;
		sender->to_length = sim_host_address(sim, from_hub ? spoke : 0, sender->host,
						     v6, SIM_DATAGRAM_PORT, &sender->to);
	}
}

void sim_datagrams_close(struct sim *sim)
{
	for (unsigned i = 0; i < sim->plan.hosts; i++) {
		for (int v6 = 0; v6 < 2; v6++) {
			haven_close(sim->host[i].echo[v6]);
			sim->host[i].echo[v6] = NULL;
		}
	}
	for (unsigned i = 0; i < sim->plan.senders; i++) {
		haven_close(sim->senders[i].socket);
		sim->senders[i].socket = NULL;
	}
}

void sim_datagrams_forget(struct sim *sim, unsigned host)
{
	for (unsigned i = 0; i < sim->plan.senders; i++) {
		struct sim_sender *sender = &sim->senders[i];

		if (sender->host != host)
			continue;
		sender->socket = NULL;
		sender->to_send = sender->sent;
	}
}

static bool is_expected(const struct sim *sim, ssize_t error)
{
	if (error == -EAGAIN || error == -EHOSTUNREACH || error == -ECONNREFUSED)
		return true;
	return sim->plan.trouble && (error == -ENOMEM || error == -ENOBUFS);
}

static void send_one(struct sim *sim, struct sim_sender *sender)
{
	static uint8_t buffer[65536];
	uint32_t max = sender->to.ss_family == AF_INET ? SIZE_MAX_V4 : SIZE_MAX_V6;
	uint32_t size = HEADER;
	ssize_t sent;

	switch (test_random_below(&sim->random, 4)) {
	case 0:
		size = max;
		break;
	case 1:
		size += (uint32_t)test_random_below(&sim->random, max - HEADER + 1);
		break;
	default:
		size += (uint32_t)test_random_below(&sim->random, 2000);
		break;
	}
	fill(sender->key, sender->sent++, buffer, size);
	sent = haven_sendto(sender->socket, buffer, size, 0, (struct sockaddr *)&sender->to,
			    sender->to_length);
	if (sent != (ssize_t)size && !is_expected(sim, sent))
		sim_fail(sim, "a datagram of %u bytes to port %d: %zd", size, SIM_DATAGRAM_PORT,
			 sent);
	sent = haven_sendto(sender->socket, buffer, max + 1, 0, (struct sockaddr *)&sender->to,
			    sender->to_length);
	if (sent != -EMSGSIZE && !is_expected(sim, sent))
		sim_fail(sim, "a datagram of %u bytes: %zd", max + 1, sent);
}

void sim_datagrams_run(struct sim *sim)
{
	for (unsigned i = 0; i < sim->plan.senders; i++) {
		struct sim_sender *sender = &sim->senders[i];

		while (sender->socket && sender->sent < sender->to_send &&
		       sender->next_ns <= sim->now_ns) {
			send_one(sim, sender);
			sender->next_ns += test_random_below(&sim->random, SIM_SECOND);
		}
	}
}

uint64_t sim_datagrams_next(const struct sim *sim)
{
	uint64_t next = SIM_NEVER;

	for (unsigned i = 0; i < sim->plan.senders; i++) {
		const struct sim_sender *sender = &sim->senders[i];

		if (sender->socket && sender->sent < sender->to_send && sender->next_ns < next)
			next = sender->next_ns;
	}
	return next;
}

static void echo(struct sim *sim, struct haven_socket *socket)
{
	static uint8_t buffer[65536];
	struct sockaddr_storage from;
	socklen_t length = sizeof(from);
	ssize_t got;

	while ((got = haven_recvfrom(socket, buffer, sizeof(buffer), 0,
				     (struct sockaddr *)&from, &length)) != -EAGAIN) {
		ssize_t sent;

		if (got < 0 && !is_expected(sim, got))
			sim_fail(sim, "an echo service receives: %s", haven_strerror((int)got));
		if (got < 0)
			continue;
		sent = haven_sendto(socket, buffer, (size_t)got, 0, (struct sockaddr *)&from,
				    length);
		if (sent != got && !is_expected(sim, sent))
			sim_fail(sim, "an echo of %zd bytes: %zd", got, sent);
		length = sizeof(from);
	}
}

/* The Internet checksum's sum over a datagram's bytes. */
static uint32_t sum_of(const uint8_t *p, uint32_t size)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < size; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	return (uint32_t)(sum % 0xffff);
}

static bool is_corrupting(const struct sim *sim)
{
	for (unsigned i = 1; i < sim->plan.hosts; i++) {
		const struct sim_wire_plan *w = &sim->plan.wire[i];

		if (w->in_a.corrupt_ppm || w->out_a.corrupt_ppm || w->in_b.corrupt_ppm ||
		    w->out_b.corrupt_ppm)
			return true;
	}
	return false;
}

/*
 * Two fragments of one datagram with a flipped bit each may have the checksum of the original. No
 * receiver can tell; anything else is an error of ours.
 */
static void changed(const struct sim *sim, const uint8_t *got, const uint8_t *expected,
		    uint32_t size)
{
	uint32_t first = 0, last = size, different = 0;

	while (first < size && got[first] == expected[first])
		first++;
	while (last > first && got[last - 1] == expected[last - 1])
		last--;
	for (uint32_t i = first; i < last; i++)
		different += got[i] != expected[i];
	if (is_corrupting(sim) && different >= 2 && sum_of(got, size) == sum_of(expected, size))
		return;
	sim_fail(sim, "an echo of %u bytes came back changed: %u of them, from %u to %u", size,
		 different, first, last);
}

static void check(struct sim *sim, struct sim_sender *sender)
{
	static uint8_t buffer[65536], expected[65536];
	uint32_t number;
	ssize_t got;

	while ((got = haven_recv(sender->socket, buffer, sizeof(buffer), 0)) != -EAGAIN) {
		if (got < 0 && is_expected(sim, got))
			continue;
		if (got < HEADER)
			sim_fail(sim, "an echo came back as %zd", got);
		memcpy(&number, buffer + 8, 4);
		fill(sender->key, number, expected, (uint32_t)got);
		if (memcmp(buffer, expected, (size_t)got) != 0)
			changed(sim, buffer, expected, (uint32_t)got);
		if (number >= sender->sent && !is_corrupting(sim))
			sim_fail(sim, "an echo of what was not sent yet");
		sender->received++;
		sim->bytes += (uint64_t)got;
	}
}

void sim_datagram_ready(struct sim *sim, unsigned host, struct haven_socket *socket)
{
	if (socket == sim->host[host].echo[0] || socket == sim->host[host].echo[1]) {
		echo(sim, socket);
		return;
	}
	for (unsigned i = 0; i < sim->plan.senders; i++) {
		if (sim->senders[i].socket == socket)
			check(sim, &sim->senders[i]);
	}
}
