/*
 * A policy on a stack, with libhaven alone: two hosts on a wire in memory, each with rules of its own. The client
 * tries this and that and prints what came of it; at the end each rule tells what it decided.
 *
 *	cc filter.c $(pkg-config --cflags --libs libhaven)
 *
 * A rule is a line of text; the first that matches a flow decides about it. Where none matches, a direction that has
 * an `allow` rule refuses, any other allows. Answers to what was allowed need no rule.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <haven/filter.h>
#include <haven/link.h>
#include <haven/socket.h>

/* Who may come to the server. Ports are numbers, ranges, services, or lists of those. */
static const char server_policy[] =
	"allow in tcp :http from 10.0.0.0/24 max 2  # two at a time\n"
	"deny in tcp :telnet drop                   # not a word\n"
	"allow in udp :echo\n";

/* Where the client may go. ssh is nowhere in it: refused. */
static const char client_policy[] = "allow out tcp 10.0.0.1:http,telnet,8080\n"
				    "allow out udp :echo\n";

struct host {
	const char *name;
	struct haven_stack *stack;
	struct haven_filter *filter;
	unsigned ifindex; /* of its one link */
};

static struct host server = {.name = "server"}, client = {.name = "client"};
static struct host *const hosts[] = {&server, &client};
static uint64_t now_ns; /* time is ours, and leaps from one deadline to the next */

static void check(int error, const char *what)
{
	if (error < 0) {
		fprintf(stderr, "%s: %s\n", what, haven_strerror(error));
		exit(1);
	}
}

static socklen_t address(const char *text, struct sockaddr_storage *out)
{
	socklen_t length = 0; /* of "10.0.0.1:http", ":echo" */

	check(haven_sockaddr_parse(NULL, text, HAVEN_SERVICE_TCP, out, &length), text);
	return length;
}

/* These rules stand from now on. One that stood before keeps its counters. */
static void set_policy(struct host *host, const char *text)
{
	struct haven_rule_error error;
	struct haven_rules *rules;
	struct haven_env env;

	haven_env_default(&env);
	check(haven_rules_create(&env, NULL, &rules), "haven_rules_create");
	check(haven_rules_add_text(rules, "", text, strlen(text), NULL, &error), error.text);
	check(haven_filter_replace(host->filter, rules), "haven_filter_replace");
}

static void print_rules(const struct host *host)
{
	struct haven_rule_info rule;

	for (unsigned i = 1; haven_filter_rule(host->filter, i, &rule); i++)
		printf("%s: %u flows, %u refused, %u open: %s\n", host->name,
		       (unsigned)rule.flows, (unsigned)rule.refused, rule.open, rule.text);
}

static void host_init(struct host *host, const char *policy)
{
	struct haven_stack_config stack;
	struct haven_filter_config filter;

	haven_stack_config_init(&stack);
	stack.privileged_port_limit = 0; /* any port may be bound: this network is ours */
	check(haven_stack_create(&stack, &host->stack), "haven_stack_create");
	haven_filter_config_init(&filter);
	check(haven_filter_create(&filter, &host->filter), "haven_filter_create");
	set_policy(host, policy);
	check(haven_stack_set_filter(host->stack, host->filter), "haven_stack_set_filter");
}

static void host_plug(struct host *host, struct haven_link *link, const char *ip)
{
	struct sockaddr_storage own;

	address(ip, &own);
	check(haven_stack_attach(host->stack, link, &host->ifindex), "link");
	check(haven_address_add(host->stack, host->ifindex, (void *)&own, 24), "address");
}

/* Let both do what they have to, for so many seconds of their time. */
static void run(unsigned seconds)
{
	uint64_t end_ns = now_ns + seconds * UINT64_C(1000000000), next_ns;

	for (; now_ns < end_ns; now_ns = next_ns) {
		for (int i = 0; i < 2; i++) {
			haven_input(hosts[i]->stack, hosts[i]->ifindex, 64, now_ns);
			haven_poll(hosts[i]->stack, now_ns);
		}
		next_ns = end_ns;
		for (int i = 0; i < 2; i++)
			if (haven_next_deadline(hosts[i]->stack) < next_ns)
				next_ns = haven_next_deadline(hosts[i]->stack);
	}
}

static struct haven_socket *open_socket(struct host *host, int type, const char *at)
{
	struct haven_socket *socket;
	struct sockaddr_storage own;
	socklen_t length = address(at, &own);

	check(haven_socket(host->stack, AF_INET, type, 0, &socket), "haven_socket");
	check(haven_bind(socket, (void *)&own, length), "haven_bind");
	if (type == SOCK_STREAM && host == &server)
		check(haven_listen(socket, 8), "haven_listen");
	return socket;
}

static struct haven_socket *try_stream(const char *to)
{
	struct haven_socket *socket = open_socket(&client, SOCK_STREAM, ":0");
	struct sockaddr_storage peer;
	socklen_t length = address(to, &peer), size = sizeof(int);
	/* What the client's own rules refuse is known at once; what the server's do, later. */
	int error = haven_connect(socket, (void *)&peer, length);

	if (error == -EINPROGRESS) {
		run(300);
		haven_getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size);
	}
	printf("tcp to %s: %s\n", to, error ? haven_strerror(error) : "connected");
	return socket;
}

static void try_datagram(struct haven_socket *echo, const char *to)
{
	struct haven_socket *socket = open_socket(&client, SOCK_DGRAM, ":0");
	struct sockaddr_storage peer;
	socklen_t length = address(to, &peer);
	char data[8];
	ssize_t size = haven_sendto(socket, "hello", 5, 0, (void *)&peer, length);

	if (size > 0) {
		run(1);
		haven_recvfrom(echo, data, sizeof(data), 0, (void *)&peer, &length);
		haven_sendto(echo, data, 5, 0, (void *)&peer, length);
		run(1);
		size = haven_recv(socket, data, sizeof(data), 0);
	}
	printf("udp to %s: %s\n", to, size < 0 ? haven_strerror((int)size) : "answered");
}

int main(void)
{
	const char *const ports[] = {":http", ":telnet", ":8080"};
	const char *const streams[] = {"10.0.0.1:http", "10.0.0.1:http", "10.0.0.1:ssh",
				       "10.0.0.1:8080", "10.0.0.1:telnet"};
	struct haven_socket *first, *echo;
	struct haven_link *left, *right;
	struct haven_link_config config;
	char byte;

	host_init(&server, server_policy);
	host_init(&client, client_policy);
	haven_link_config_init(&config);
	check(haven_link_pair(server.stack, client.stack, &config, 0, &left, &right), "pair");
	host_plug(&server, left, "10.0.0.1:0");
	host_plug(&client, right, "10.0.0.2:0");
	for (int i = 0; i < 3; i++)
		open_socket(&server, SOCK_STREAM, ports[i]);
	echo = open_socket(&server, SOCK_DGRAM, ":echo");

	first = try_stream("10.0.0.1:http");
	for (int i = 0; i < 5; i++)
		try_stream(streams[i]);
	try_datagram(echo, "10.0.0.1:echo");
	try_datagram(echo, "10.0.0.1:domain");
	print_rules(&server);
	print_rules(&client);

	/* Rules may change at any time. What is open meets them when we say so: */
	set_policy(&client, "allow out udp :echo");
	printf("%u connections ended\n", haven_stack_filter_again(client.stack));
	printf("the first: %s\n", haven_strerror((int)haven_recv(first, &byte, 1, 0)));
	for (int i = 0; i < 2; i++) {
		haven_stack_destroy(hosts[i]->stack);
		haven_filter_destroy(hosts[i]->filter);
	}
	return 0;
}
