/*
 * `-p auto`: what listens in the guest is published at the same port of the host.
 *
 * Once a second the guest's listening TCP and bound UDP sockets are listed (sock_diag(7), inside its
 * namespace). What is bound to the guest's loopback, and UDP ports of the ephemeral range (mostly
 * clients'), are left alone. A port that cannot be bound on the host is reported once and
 * tried again as long as it is listened on.
 */
#include "gateway/publish.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>

#define PERIOD_NS HV_NS_PER_S
/* While the descriptor is in use by another listing (owner.c). */
#define RETRY_NS (20 * HV_NS_PER_MS)

#define STATE_LISTEN 10 /* Linux's TCP_LISTEN */
#define STATE_CLOSE  7	/* unconnected UDP */

/* Where Linux begins to choose ports of its own (net.ipv4.ip_local_port_range). */
#define EPHEMERAL_FIRST 32768

#define FAMILIES 2

struct hv_publish_auto {
	struct hv_gateway *gateway;
	struct hv_loop_timer timer;
	int diag_fd;
	uint8_t said_tcp[65536 / 8], said_udp[65536 / 8]; /* failures that were reported */
};

static bool test_and_set(uint8_t *bits, uint16_t port)
{
	bool was = bits[port / 8] & (1 << port % 8);

	bits[port / 8] |= (uint8_t)(1 << port % 8);
	return was;
}

static struct hv_published *find(struct hv_gateway *gateway, uint8_t protocol,
				 const struct haven_endpoint *host)
{
	struct hv_published *published;

	LIST_FOREACH(published, &gateway->publish->list, entry) {
		if (published->protocol == protocol && published->host.port == host->port &&
		    haven_endpoint_is_v4(&published->host) == haven_endpoint_is_v4(host))
			return published;
	}
	return NULL;
}

static void want(struct hv_publish_auto *automatic, uint8_t protocol,
		 const struct haven_endpoint *host)
{
	struct hv_gateway *gateway = automatic->gateway;
	uint8_t *said = protocol == IPPROTO_TCP ? automatic->said_tcp : automatic->said_udp;
	struct hv_published *published = find(gateway, protocol, host);
	char text[400];
	int error;

	if (published) {
		published->wanted = true;
		return;
	}
	error = hv_publish_open(gateway, protocol, host, host->port, &published);
	if (error < 0) {
		if (!test_and_set(said, host->port)) {
			hv_publish_explain(protocol, host, -error, text, sizeof(text));
			hv_log_line(gateway->log, HV_LOG_WARNING, "%s", text);
		}
		return;
	}
	published->automatic = true;
	published->wanted = true;
	hv_log_line(gateway->log, HV_LOG_INFO, "port %u/%s of the guest is published",
		    host->port, protocol == IPPROTO_TCP ? "tcp" : "udp");
}

/* A socket of the guest; `any` on IPv6 stands for IPv4 too, unless it says that it does not. */
static void seen(struct hv_publish_auto *automatic, uint8_t protocol,
		 const struct inet_diag_msg *message)
{
	const struct hv_network *network = &automatic->gateway->network;
	static const uint8_t any4[4], any6[16];
	struct haven_endpoint host = {.port = ntohs(message->id.idiag_sport)};
	uint8_t bound[16];

	if (message->idiag_family == AF_INET)
		hv_address_from_v4(bound, message->id.idiag_src);
	else
		memcpy(bound, message->id.idiag_src, 16);
	if (host.port == 0 || hv_address_is_loopback(bound) ||
	    (protocol == IPPROTO_UDP && host.port >= EPHEMERAL_FIRST))
		return;
	if (hv_address_is_v4(bound) || hv_address_equal(bound, any6)) {
		hv_address_from_v4(host.address, any4);
		if (network->v4.enabled)
			want(automatic, protocol, &host);
	}
	if (!hv_address_is_v4(bound) && network->v6.enabled) {
		memset(host.address, 0, 16);
		want(automatic, protocol, &host);
	}
}

static int ask(int fd, uint8_t family, uint8_t protocol)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 request;
	} message = {
		.header = {.nlmsg_len = sizeof(message),
			   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.request = {.sdiag_family = family,
			    .sdiag_protocol = protocol,
			    .idiag_states = 1U << (protocol == IPPROTO_TCP ? STATE_LISTEN
									   : STATE_CLOSE)},
	};
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	return sendto(fd, &message, sizeof(message), 0, (struct sockaddr *)&kernel,
		      sizeof(kernel)) < 0
		       ? -errno
		       : 0;
}

/* The kernel answers a dump as fast as it is read. Returns false when it failed. */
static bool list(struct hv_publish_auto *automatic, uint8_t family, uint8_t protocol)
{
	char buffer[16384] __attribute__((aligned(8)));

	if (ask(automatic->diag_fd, family, protocol) < 0)
		return false;
	for (;;) {
		ssize_t size = recv(automatic->diag_fd, buffer, sizeof(buffer), 0);
		const struct nlmsghdr *header = (const void *)buffer;

		if (size < 0 && errno == EINTR)
			continue;
		if (size <= 0)
			return false;
		for (unsigned left = (unsigned)size; NLMSG_OK(header, left);
		     header = NLMSG_NEXT(header, left)) {
			if (header->nlmsg_type == NLMSG_DONE)
				return true;
			if (header->nlmsg_type == NLMSG_ERROR)
				return false;
			if (header->nlmsg_type == SOCK_DIAG_BY_FAMILY)
				seen(automatic, protocol, NLMSG_DATA(header));
		}
	}
}

static void close_unwanted(struct hv_publish_auto *automatic)
{
	struct hv_published *published = LIST_FIRST(&automatic->gateway->publish->list);

	while (published) {
		struct hv_published *next = LIST_NEXT(published, entry);

		if (published->automatic && !published->wanted) {
			hv_log_line(automatic->gateway->log, HV_LOG_INFO,
				    "port %u/%s of the guest is no longer published",
				    published->guest_port,
				    published->protocol == IPPROTO_TCP ? "tcp" : "udp");
			hv_publish_close(published);
		}
		published = next;
	}
}

static void look(struct hv_loop_timer *timer)
{
	struct hv_publish_auto *automatic = hv_container(timer, struct hv_publish_auto, timer);
	struct hv_loop *loop = &automatic->gateway->loop;
	static const uint8_t families[FAMILIES] = {AF_INET, AF_INET6};
	struct hv_published *published;
	bool complete = true;

	if (automatic->gateway->diag_busy) {
		hv_loop_timer_set(loop, timer, loop->now_ns + RETRY_NS);
		return;
	}
	LIST_FOREACH(published, &automatic->gateway->publish->list, entry)
		published->wanted = !published->automatic;
	for (unsigned i = 0; i < FAMILIES; i++) {
		complete &= list(automatic, families[i], IPPROTO_TCP);
		complete &= list(automatic, families[i], IPPROTO_UDP);
	}
	if (complete)
		close_unwanted(automatic);
	hv_loop_timer_set(loop, timer, loop->now_ns + PERIOD_NS);
}

int hv_publish_auto_start(struct hv_gateway *gateway, int diag_fd)
{
	struct hv_publish_auto *automatic = calloc(1, sizeof(*automatic));

	if (!automatic)
		return -ENOMEM;
	automatic->gateway = gateway;
	automatic->diag_fd = diag_fd;
	automatic->timer.expired = look;
	gateway->publish->automatic = automatic;
	return hv_loop_timer_set(&gateway->loop, &automatic->timer, gateway->loop.now_ns);
}

void hv_publish_auto_stop(struct hv_gateway *gateway)
{
	struct hv_publish_auto *automatic = gateway->publish->automatic;

	if (!automatic)
		return;
	hv_loop_timer_cancel(&gateway->loop, &automatic->timer);
	free(automatic);
	gateway->publish->automatic = NULL;
}
