/*
 * Listeners on the host. See publish.h.
 */
#include "gateway/publish.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/port_holder.h"
#include "gateway/relay.h"

#define BACKLOG		 4096
#define ACCEPTS_PER_WAKE 64
/* Without descriptors the waiting connections stay in the kernel's queue for this long. */
#define PAUSE_NS (100 * HV_NS_PER_MS)

/* --- accepting -------------------------------------------------------------------------- */

static void resume(struct hv_loop_timer *timer)
{
	struct hv_published *published = hv_container(timer, struct hv_published, pause);

	hv_source_change(&published->gateway->loop, &published->source, EPOLLIN);
}

static void pause_accepting(struct hv_published *published)
{
	struct hv_loop *loop = &published->gateway->loop;

	hv_source_change(loop, &published->source, 0);
	hv_loop_timer_set(loop, &published->pause, loop->now_ns + PAUSE_NS);
}

static void accept_ready(struct hv_source *source, uint32_t events)
{
	struct hv_published *published = hv_container(source, struct hv_published, source);
	struct hv_gateway *gateway = published->gateway;

	(void)events;
	for (int i = 0; i < ACCEPTS_PER_WAKE; i++) {
		struct sockaddr_storage address;
		struct haven_endpoint peer;
		socklen_t size = sizeof(address);
		int fd;

		if (!hv_flow_allowed(&gateway->flows, HV_FLOW_TCP_IN)) {
			hv_gateway_limit_reached(gateway, HV_FLOW_TCP_IN);
			pause_accepting(published);
			return;
		}
		fd = accept4(source->fd, (struct sockaddr *)&address, &size,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && (errno == ECONNABORTED || errno == EINTR))
			continue;
		if (fd < 0) {
			if (hv_gateway_lacks_resources(gateway, errno))
				pause_accepting(published);
			return;
		}
		if (haven_endpoint_from_sockaddr((struct sockaddr *)&address, &peer) < 0)
			close(fd);
		else
			hv_tcp_in_accept(gateway, fd, &peer, published->host.port,
					 published->guest_port, published->tls);
	}
}

/* --- binding ---------------------------------------------------------------------------- */

static int open_tcp(const struct sockaddr_storage *address, socklen_t size)
{
	int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;
	int error;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (address->ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	/* Accepted sockets inherit these. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)address, size) < 0 || listen(fd, BACKLOG) < 0) {
		error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

static int start_tcp(struct hv_published *published)
{
	struct sockaddr_storage address;
	socklen_t size = haven_endpoint_to_sockaddr(&published->host, &address);
	int fd = open_tcp(&address, size);
	int error;

	if (fd < 0)
		return fd;
	published->source.fd = fd;
	published->source.ready = accept_ready;
	published->pause.expired = resume;
	error = hv_source_add(&published->gateway->loop, &published->source, EPOLLIN);
	size = sizeof(address);
	if (error == 0 && getsockname(fd, (struct sockaddr *)&address, &size) == 0)
		haven_endpoint_from_sockaddr((struct sockaddr *)&address, &published->host);
	if (error < 0)
		close(fd);
	return error;
}

int hv_publish_open(struct hv_gateway *gateway, uint8_t protocol,
		    const struct haven_endpoint *host, uint16_t guest_port,
		    struct hv_published **out)
{
	struct hv_published *published = calloc(1, sizeof(*published));
	int error;

	if (!published)
		return -ENOMEM;
	published->gateway = gateway;
	published->protocol = protocol;
	published->host = *host;
	published->guest_port = guest_port;
	published->source.fd = -1;
	if (protocol == IPPROTO_TCP) {
		error = start_tcp(published);
	} else {
		error = hv_udp_listener_open(gateway, host, guest_port, &published->udp);
		if (error == 0)
			published->host.port = published->udp->host_port;
	}
	if (error < 0) {
		free(published);
		return error;
	}
	LIST_INSERT_HEAD(&gateway->publish->list, published, entry);
	*out = published;
	return 0;
}

static void free_published(struct hv_source *source)
{
	free(hv_container(source, struct hv_published, source));
}

void hv_publish_close(struct hv_published *published)
{
	struct hv_loop *loop = &published->gateway->loop;

	LIST_REMOVE(published, entry);
	hv_loop_timer_cancel(loop, &published->pause);
	if (published->udp)
		hv_udp_listener_close(published->udp);
	hv_source_close(loop, &published->source, free_published);
}

/* --- what is asked for on the command line ---------------------------------------------- */

static bool family_is_missing(int error)
{
	return error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL || error == -ENETUNREACH;
}

static int open_as(struct hv_gateway *gateway, const struct hv_publication *publication,
		   const struct haven_endpoint *host, uint16_t guest_port,
		   struct hv_published **out)
{
	int error = hv_publish_open(gateway, publication->protocol, host, guest_port, out);

	if (error == 0)
		(*out)->tls = publication->tls;
	return error;
}

/*
 * All addresses of both families, at one port. A port that is chosen is chosen by the first
 * family, and must be free in the second; *taken tells where it was not.
 */
static int open_both(struct hv_gateway *gateway, const struct hv_publication *publication,
		     uint16_t host_port, uint16_t guest_port, struct hv_published **out,
		     struct haven_endpoint *taken)
{
	static const uint8_t any4[4];
	struct haven_endpoint v4 = {.port = host_port}, v6 = {.port = host_port};
	struct hv_published *first = NULL, *second = NULL;
	int error;

	hv_address_from_v4(v4.address, any4);
	*taken = v4;
	error = open_as(gateway, publication, &v4, guest_port, &first);
	if (error < 0 && !family_is_missing(error))
		return error;
	if (first)
		v6.port = first->host.port;
	*taken = v6;
	error = open_as(gateway, publication, &v6, guest_port, &second);
	if (error < 0 && !(first && family_is_missing(error))) {
		if (first)
			hv_publish_close(first);
		return error;
	}
	*out = first ? first : second;
	return 0;
}

static int open_one(struct hv_gateway *gateway, const struct hv_publication *publication,
		    uint16_t host_port, uint16_t guest_port, struct hv_published **out,
		    struct haven_endpoint *taken)
{
	int error = -EADDRINUSE;

	if (!publication->any_address) {
		memcpy(taken->address, publication->address, 16);
		taken->port = host_port;
		return open_as(gateway, publication, taken, guest_port, out);
	}
	for (int tries = 0; tries < 16 && error == -EADDRINUSE; tries++) {
		error = open_both(gateway, publication, host_port, guest_port, out, taken);
		if (host_port != 0)
			break;
	}
	return error;
}

static const char *protocol_name(uint8_t protocol)
{
	return protocol == IPPROTO_TCP ? "tcp" : "udp";
}

/* One port of the guest on the first port of the range that is free. */
static int open_first_free(struct hv_gateway *gateway, const struct hv_publication *publication,
			   struct hv_published **out, struct haven_endpoint *taken)
{
	int error = -EADDRINUSE;

	for (uint32_t port = publication->host_first; port <= publication->host_last; port++) {
		error = open_one(gateway, publication, (uint16_t)port, publication->guest_first,
				 out, taken);
		if (error != -EADDRINUSE)
			break;
	}
	return error;
}

static bool is_published(const struct hv_gateway *gateway, uint8_t protocol, uint16_t host_port)
{
	const struct hv_published *published;

	LIST_FOREACH(published, &gateway->publish->list, entry) {
		if (published->protocol == protocol && published->host.port == host_port)
			return true;
	}
	return false;
}

/* Why a publication failed at `taken`: what the command line itself explains, or the host does. */
static void explain(const struct hv_gateway *gateway, const struct hv_publication *publication,
		    bool first_free, const struct haven_endpoint *taken, int error,
		    struct hv_gateway_error *text)
{
	const char *name = protocol_name(publication->protocol);

	if (error == EADDRINUSE && first_free)
		snprintf(text->text, sizeof(text->text),
			 "cannot publish port %u/%s of the guest: of the host's ports %u to %u "
			 "none is free",
			 publication->guest_first, name, publication->host_first,
			 publication->host_last);
	else if (error == EADDRINUSE &&
		 is_published(gateway, publication->protocol, taken->port))
		snprintf(text->text, sizeof(text->text),
			 "port %u/%s of the host is published twice", taken->port, name);
	else
		hv_publish_explain(publication->protocol, taken, error, text->text,
				   sizeof(text->text));
}

static int open_publication(struct hv_gateway *gateway,
			    const struct hv_publication *publication,
			    struct hv_gateway_error *text)
{
	uint32_t count = (uint32_t)(publication->guest_last - publication->guest_first) + 1;
	bool choose = publication->host_first == 0;
	bool first_free =
		!choose && count == 1 && publication->host_last > publication->host_first;

	if (publication->tls && hv_tls_in_need(gateway, text) < 0)
		return -EINVAL;
	for (uint32_t i = 0; i < count; i++) {
		uint16_t guest_port = (uint16_t)(publication->guest_first + i);
		uint16_t host_port = choose ? 0 : (uint16_t)(publication->host_first + i);
		struct hv_published *published;
		struct haven_endpoint taken = {0};
		int error;

		if (first_free)
			error = open_first_free(gateway, publication, &published, &taken);
		else
			error = open_one(gateway, publication, host_port, guest_port,
					 &published, &taken);
		if (error < 0) {
			explain(gateway, publication, first_free, &taken, -error, text);
			return error;
		}
		if (choose || first_free)
			hv_log_notice(gateway->log,
				      "port %u/%s of the guest is published at %u", guest_port,
				      protocol_name(publication->protocol),
				      published->host.port);
	}
	return 0;
}

/* --- while the guest runs --------------------------------------------------------------- */

int hv_publish_add(struct hv_gateway *gateway, const struct hv_publication *publication,
		   void (*each)(void *user, const struct hv_published *published), void *user,
		   struct hv_gateway_error *error)
{
	struct hv_published_list *list = &gateway->publish->list;
	const struct hv_published *before = LIST_FIRST(list);
	const struct hv_published *published;
	int count = 0;
	int failed = open_publication(gateway, publication, error);

	/* New ones are at the list's head. */
	while (failed < 0 && LIST_FIRST(list) != before)
		hv_publish_close(LIST_FIRST(list));
	if (failed < 0)
		return failed;
	for (published = LIST_FIRST(list); published != before;
	     published = LIST_NEXT(published, entry)) {
		if (each)
			each(user, published);
		count++;
	}
	return count;
}

static bool names(const struct hv_publication *publication,
		  const struct hv_published *published)
{
	uint16_t guest = published->guest_port, host = published->host.port;

	if (published->protocol != publication->protocol || guest < publication->guest_first ||
	    guest > publication->guest_last || (publication->tls && !published->tls))
		return false;
	if (!publication->any_address &&
	    !hv_address_equal(published->host.address, publication->address))
		return false;
	if (publication->host_first == 0)
		return true;
	if (publication->guest_first == publication->guest_last)
		return host >= publication->host_first && host <= publication->host_last;
	return host - publication->host_first == guest - publication->guest_first;
}

int hv_publish_remove(struct hv_gateway *gateway, const struct hv_publication *publication,
		      void (*each)(void *user, const struct hv_published *published),
		      void *user)
{
	struct hv_published *published = LIST_FIRST(&gateway->publish->list);
	int count = 0;

	while (published) {
		struct hv_published *next = LIST_NEXT(published, entry);

		if (names(publication, published)) {
			if (each)
				each(user, published);
			hv_publish_close(published);
			count++;
		}
		published = next;
	}
	return count;
}

/* --- explaining ------------------------------------------------------------------------- */

static int unprivileged_start(void)
{
	FILE *file = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re");
	int start = 1024;

	if (file) {
		char line[32];

		if (fgets(line, sizeof(line), file))
			start = (int)strtol(line, NULL, 10);
		fclose(file);
	}
	return start;
}

void hv_publish_explain(uint8_t protocol, const struct haven_endpoint *host, int error,
			char *text, size_t size)
{
	char address[HV_ENDPOINT_TEXT], holder[128];
	const char *name = protocol_name(protocol);

	hv_address_text(host->address, address);
	switch (error) {
	case EADDRINUSE:
		if (host->port && hv_port_holder(protocol, host->port, holder, sizeof(holder)))
			snprintf(text, size,
				 "cannot publish at %s port %u/%s: it is in use by %s", address,
				 host->port, name, holder);
		else
			snprintf(text, size, "cannot publish at %s port %u/%s: it is in use",
				 address, host->port, name);
		break;
	case EACCES:
		snprintf(
			text, size,
			"cannot publish at %s port %u/%s: ports below %d of the host take root; "
			"publish at a higher one, or allow it with "
			"'sysctl -w net.ipv4.ip_unprivileged_port_start=%u'",
			address, host->port, name, unprivileged_start(), host->port);
		break;
	case EADDRNOTAVAIL:
		snprintf(text, size,
			 "cannot publish at %s port %u/%s: the host has no such address",
			 address, host->port, name);
		break;
	case EMFILE:
		snprintf(text, size,
			 "cannot publish at %s port %u/%s: the limit of open files is reached; "
			 "raise it (ulimit -Hn) or publish fewer ports",
			 address, host->port, name);
		break;
	default:
		snprintf(text, size, "cannot publish at %s port %u/%s: %s", address, host->port,
			 name, strerror(error));
		break;
	}
}

/* --- the whole -------------------------------------------------------------------------- */

int hv_publish_create(struct hv_gateway *gateway, const struct hv_gateway_config *config,
		      struct hv_gateway_error *error)
{
	gateway->publish = calloc(1, sizeof(*gateway->publish));
	if (!gateway->publish)
		return -ENOMEM;
	LIST_INIT(&gateway->publish->list);
	for (size_t i = 0; i < config->publication_count; i++) {
		int failed = open_publication(gateway, &config->publications[i], error);

		if (failed < 0)
			return failed;
	}
	return 0;
}

void hv_publish_destroy(struct hv_gateway *gateway)
{
	if (!gateway->publish)
		return;
	hv_publish_auto_stop(gateway);
	while (!LIST_EMPTY(&gateway->publish->list))
		hv_publish_close(LIST_FIRST(&gateway->publish->list));
	hv_loop_end_turn(&gateway->loop);
	free(gateway->publish);
	gateway->publish = NULL;
}
