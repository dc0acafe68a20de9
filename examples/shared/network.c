/* Hosts, a wire, and virtual time: see network.h. */
#include "network.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sockets.h"

enum { INPUT_BUDGET = 64 };
#define LONGEST_NS (3600 * SECOND)

/* --- words ----------------------------------------------------------------------------------- */

ssize_t check(ssize_t result, const char *what)
{
	if (result < 0 && result != -EINPROGRESS) {
		fprintf(stderr, "%s: %s\n", what, haven_strerror((int)result));
		exit(1);
	}
	return result;
}

void expect(bool holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "this should hold, and does not: %s\n", what);
		exit(1);
	}
}

void host_say(const struct host *host, const char *format, ...)
{
	va_list arguments;

	printf("%9.1f ms  %s: ", (double)host->net->now_ns / 1e6, host->name);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

/* SplitMix64 (Steele, Lea and Flood 2014). */
uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* --- hosts ----------------------------------------------------------------------------------- */

/*
 * What a stack draws its ports, sequence numbers and keys from. A seed makes all of it repeatable, which is right
 * here, and wrong on a network with strangers: the default asks the system.
 */
static void host_random(void *user, void *buffer, size_t size)
{
	uint8_t *bytes = buffer;

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(random_next(user) >> 56);
}

void host_init(struct host *host, struct network *net, const char *name,
	       host_event_fn *on_event, void *user)
{
	struct haven_stack_config config;

	*host = (struct host){.net = net, .name = name, .on_event = on_event, .user = user};
	host->random = random_next(&net->seed);
	haven_stack_config_init(&config);
	config.privileged_port_limit = 0; /* any port may be bound: this network is ours */
	config.env.random = host_random;
	config.env.user = &host->random;
	check(haven_stack_create(&config, &host->stack), "haven_stack_create");
	haven_set_time(host->stack, net->now_ns);
	*net->last = host;
	net->last = &host->next;
}

void host_attach(struct host *host, struct haven_link *link, const char *fault)
{
	struct haven_fault in, out;

	if (fault) {
		check(haven_fault_parse(fault, &in, &out, NULL), fault);
		check(haven_link_fault(host->stack, link, &in, &out, &link),
		      "haven_link_fault");
	}
	host->link = link; /* the stack owns it from here on */
	check(haven_stack_attach(host->stack, link, &host->ifindex), "haven_stack_attach");
}

void host_address(struct host *host, const char *text)
{
	char ip[ADDRESS_TEXT], with_port[ADDRESS_TEXT + 4];
	struct address address;
	char prefix_bits[4];

	expect(sscanf(text, "%63[^/]/%3s", ip, prefix_bits) == 2, text);
	snprintf(with_port, sizeof(with_port), strchr(ip, ':') ? "[%s]:0" : "%s:0", ip);
	address = address_of(with_port);
	check(haven_address_add(host->stack, host->ifindex, address_pointer(&address),
				(unsigned)strtoul(prefix_bits, NULL, 10)),
	      text);
}

void host_wire(struct host *a, struct host *b, const char *fault)
{
	struct haven_link *left, *right;
	struct haven_link_config config;

	haven_link_config_init(&config);
	check(haven_link_pair(a->stack, b->stack, &config, 0, &left, &right),
	      "haven_link_pair");
	host_attach(a, left, NULL);
	host_attach(b, right, fault);
	host_address(a, "10.0.0.1/24");
	host_address(a, "fd00::1/64");
	host_address(b, "10.0.0.2/24");
	host_address(b, "fd00::2/64");
}

/* --- time ------------------------------------------------------------------------------------ */

void network_init(struct network *net, uint64_t seed)
{
	*net = (struct network){.seed = seed};
	net->last = &net->first;
}

void network_finish(struct network *net)
{
	for (struct host *host = net->first; host; host = host->next)
		haven_stack_destroy(host->stack);
	network_init(net, net->seed);
}

static void host_turn(struct host *host)
{
	uint64_t now_ns = host->net->now_ns;
	struct haven_socket *socket;
	unsigned events;

	if (haven_next_deadline(host->stack) <= now_ns) {
		check(haven_input(host->stack, host->ifindex, INPUT_BUDGET, now_ns),
		      "haven_input");
		haven_poll(host->stack, now_ns);
	}
	while ((socket = haven_next_ready(host->stack, &events)))
		if (host->on_event)
			host->on_event(host, socket, events);
}

/* Stacks that have slept learn the time, too: socket calls set timers. */
static void set_time(struct network *net, uint64_t now_ns)
{
	net->now_ns = now_ns;
	for (struct host *host = net->first; host; host = host->next)
		haven_set_time(host->stack, now_ns);
}

static uint64_t next_deadline(const struct network *net)
{
	uint64_t next_ns = UINT64_MAX;

	for (const struct host *host = net->first; host; host = host->next) {
		uint64_t deadline_ns = haven_next_deadline(host->stack);

		if (deadline_ns < next_ns)
			next_ns = deadline_ns;
	}
	return next_ns;
}

/* Time goes on to the first deadline, and each host has its turn. False: that is after the end. */
static bool step(struct network *net, uint64_t end_ns)
{
	uint64_t next_ns = next_deadline(net);

	if (next_ns > end_ns)
		return false;
	if (next_ns > net->now_ns)
		set_time(net, next_ns);
	for (struct host *host = net->first; host; host = host->next)
		host_turn(host);
	return true;
}

bool network_step(struct network *net)
{
	return step(net, LONGEST_NS);
}

void network_run(struct network *net, uint64_t duration_ns)
{
	uint64_t end_ns = net->now_ns + duration_ns;

	while (step(net, end_ns))
		;
	set_time(net, end_ns);
}

bool network_wait(struct network *net, const struct haven_socket *socket, unsigned events)
{
	while (!(haven_socket_events(socket) & (events | HAVEN_EVENT_ERROR)))
		if (!network_step(net))
			return false;
	return true;
}
