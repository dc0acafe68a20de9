/*
 * Datagrams in batches. See udp_socket.h.
 */
#include "gateway/udp_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/udp.h"

#define BATCH_MESSAGES 64
#define BATCH_BYTES    (256 * 1024)
#define DATAGRAM_MAX   65535

/* Linux cuts at most 64 segments out of one message, and makes no packet larger than 64 KiB of it. */
#define SEGMENTS_MAX	  64
#define SEGMENT_BYTES_MAX 62000
/* Larger ones need fragments on most paths, which UDP_SEGMENT does not make. */
#define SEGMENT_SIZE_MAX 1472

#define ARRIVALS 32
/* Room for a burst while the loop is elsewhere; the host's net.core.rmem_max has the last word. */
#define RECEIVE_QUEUE_BYTES (1024 * 1024)

struct message {
	struct hv_udp_departure departure; /* data points into the arena */
	struct sockaddr_storage address;
	struct iovec iov;
	char control[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int)) +
		     CMSG_SPACE(sizeof(uint16_t))] __attribute__((aligned(8)));
};

struct hv_udp_batch {
	struct hv_udp_socket *socket; /* whose messages they are */
	unsigned count;
	size_t used; /* bytes of the arena */
	struct message messages[BATCH_MESSAGES];
	struct mmsghdr headers[BATCH_MESSAGES];
	uint8_t arena[BATCH_BYTES];
};

struct hv_udp_batch *hv_udp_batch_new(void)
{
	return calloc(1, sizeof(struct hv_udp_batch));
}

void hv_udp_batch_free(struct hv_udp_batch *batch)
{
	free(batch);
}

/* --- towards the host ------------------------------------------------------------------- */

static void add_control(struct msghdr *header, int level, int type, const void *data,
			size_t size)
{
	struct cmsghdr *c = (struct cmsghdr *)(void *)((char *)header->msg_control +
						       header->msg_controllen);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(c), data, size);
	header->msg_controllen += CMSG_SPACE(size);
}

static void add_source(struct msghdr *header, int family, const uint8_t local[16])
{
	if (family == AF_INET) {
		struct in_pktinfo info = {0};

		memcpy(&info.ipi_spec_dst, local + 12, 4);
		add_control(header, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	} else {
		struct in6_pktinfo info = {0};

		memcpy(&info.ipi6_addr, local, 16);
		add_control(header, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
	}
}

static void prepare(const struct hv_udp_socket *socket, struct message *message,
		    struct msghdr *header)
{
	const struct hv_udp_departure *departure = &message->departure;
	int hops = departure->hop_limit;

	memset(header, 0, sizeof(*header));
	message->iov.iov_base = (void *)(uintptr_t)departure->data;
	message->iov.iov_len = departure->size;
	header->msg_name = &message->address;
	header->msg_namelen =
		haven_endpoint_to_sockaddr(&departure->destination, &message->address);
	header->msg_iov = &message->iov;
	header->msg_iovlen = 1;
	header->msg_control = message->control;
	if (departure->local)
		add_source(header, socket->family, departure->local);
	if (hops > 0 && socket->family == AF_INET)
		add_control(header, IPPROTO_IP, IP_TTL, &hops, sizeof(hops));
	else if (hops > 0)
		add_control(header, IPPROTO_IPV6, IPV6_HOPLIMIT, &hops, sizeof(hops));
	if (departure->gso_size && departure->size > departure->gso_size)
		add_control(header, SOL_UDP, UDP_SEGMENT, &departure->gso_size,
			    sizeof(departure->gso_size));
	if (header->msg_controllen == 0)
		header->msg_control = NULL;
}

static void set_discover(struct hv_udp_socket *socket, int value)
{
	if (socket->discover == value)
		return;
	socket->discover = value;
	/* IPV6_PMTUDISC_ has the values of IP_PMTUDISC_. */
	if (socket->family == AF_INET)
		setsockopt(socket->source.fd, IPPROTO_IP, IP_MTU_DISCOVER, &value,
			   sizeof(value));
	else
		setsockopt(socket->source.fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &value,
			   sizeof(value));
}

/*
 * Errors that came for earlier datagrams. Returns the MTU of the path for which the host itself found one
 * too big, or 0: that entry does not know the port (inet_dport of a socket that is not connected),
 * so who sent it has to tell the guest.
 */
static uint32_t read_errors(struct hv_udp_socket *socket)
{
	struct hv_net_error error;
	uint32_t mtu = 0;

	while (hv_errqueue_read(socket->source.fd, &error)) {
		if (error.local && error.error == EMSGSIZE) {
			mtu = error.mtu;
			continue;
		}
		/* What the host may fragment is nothing for the guest to make smaller. */
		if (error.kind == HAVEN_ICMP_TOO_BIG && socket->discover != IP_PMTUDISC_DO)
			continue;
		if (error.told)
			socket->failed(socket, &error);
	}
	return mtu;
}

static int send_one(struct hv_udp_socket *socket, struct message *message)
{
	struct msghdr header;

	prepare(socket, message, &header);
	if (sendmsg(socket->source.fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return errno;
	return 0;
}

/*
 * An error may be about an earlier datagram (ICMP that came meanwhile): the queue is read, and this
 * one tried again. One that is too big for the path and must not be fragmented is lost, as on
 * a router, and the guest is told the size that fits.
 */
static void send_again(struct hv_udp_socket *socket, struct message *message)
{
	struct hv_net_error failure = {.local = true};
	int error;

	read_errors(socket);
	error = send_one(socket, message);
	if (error == 0 || error == EAGAIN || error == ENOBUFS)
		return;
	if (error == EMSGSIZE)
		failure.mtu = read_errors(socket);
	failure.error = error;
	failure.told = hv_errqueue_kind(error, &failure.kind);
	failure.destination = message->departure.destination;
	failure.size = message->departure.gso_size ? message->departure.gso_size
						   : message->departure.size;
	if (failure.told)
		socket->failed(socket, &failure);
}

/* One message with many datagrams, one by one. */
static void send_apart(struct hv_udp_socket *socket, const struct message *whole)
{
	size_t left = whole->departure.size;
	struct message part = *whole;

	part.departure.gso_size = 0;
	while (left > 0) {
		size_t size =
			left < whole->departure.gso_size ? left : whole->departure.gso_size;
		int error;

		part.departure.data = whole->departure.data + (whole->departure.size - left);
		part.departure.size = size;
		error = send_one(socket, &part);
		if (error && error != EAGAIN && error != ENOBUFS)
			send_again(socket, &part);
		left -= size;
	}
}

static void send_failed(struct hv_udp_socket *socket, struct message *message, int error)
{
	const struct hv_udp_departure *departure = &message->departure;

	if (error == EAGAIN || error == ENOBUFS)
		return; /* the host's queue is full: as a router drops */
	if (departure->gso_size && departure->size > departure->gso_size &&
	    (error == EMSGSIZE || error == EINVAL || error == EIO || error == EOPNOTSUPP)) {
		socket->no_segments = true;
		send_apart(socket, message);
		return;
	}
	send_again(socket, message);
}

void hv_udp_flush(struct hv_gateway *gateway)
{
	struct hv_udp_batch *batch = gateway->udp->batch;
	struct hv_udp_socket *socket = batch->socket;
	unsigned done = 0;

	if (batch->count == 0)
		return;
	for (unsigned i = 0; i < batch->count; i++)
		prepare(socket, &batch->messages[i], &batch->headers[i].msg_hdr);
	while (done < batch->count) {
		int sent = sendmmsg(socket->source.fd, batch->headers + done,
				    batch->count - done, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent > 0) {
			done += (unsigned)sent;
		} else if (errno != EINTR) {
			send_failed(socket, &batch->messages[done], errno);
			done++;
		}
	}
	batch->count = 0;
	batch->used = 0;
	batch->socket = NULL;
}

/* Same destination, same everything, and the last one was not a short end. */
static bool can_join(const struct hv_udp_socket *socket, const struct hv_udp_departure *last,
		     const struct hv_udp_departure *departure)
{
	size_t segment = last->gso_size ? last->gso_size : last->size;

	return !socket->no_segments && departure->gso_size == 0 && segment > 0 &&
	       segment <= SEGMENT_SIZE_MAX && departure->size <= segment &&
	       departure->size > 0 && last->size % segment == 0 &&
	       last->size / segment < SEGMENTS_MAX &&
	       last->size + departure->size <= SEGMENT_BYTES_MAX &&
	       last->hop_limit == departure->hop_limit && last->local == departure->local &&
	       hv_endpoint_equal(&last->destination, &departure->destination);
}

void hv_udp_socket_send(struct hv_udp_socket *socket, const struct hv_udp_departure *departure)
{
	struct hv_udp_batch *batch = socket->gateway->udp->batch;
	int discover = departure->dont_fragment	   ? IP_PMTUDISC_DO
		       : socket->family == AF_INET ? IP_PMTUDISC_DONT
						   : IP_PMTUDISC_WANT;
	struct message *last;

	if (departure->size > DATAGRAM_MAX)
		return;
	if (batch->socket != socket || batch->count == BATCH_MESSAGES ||
	    batch->used + departure->size > BATCH_BYTES || socket->discover != discover)
		hv_udp_flush(socket->gateway);
	set_discover(socket, discover);
	batch->socket = socket;
	memcpy(batch->arena + batch->used, departure->data, departure->size);
	last = batch->count > 0 ? &batch->messages[batch->count - 1] : NULL;
	if (last && can_join(socket, &last->departure, departure)) {
		if (last->departure.gso_size == 0)
			last->departure.gso_size = (uint16_t)last->departure.size;
		last->departure.size += departure->size;
	} else {
		last = &batch->messages[batch->count++];
		last->departure = *departure;
		last->departure.data = batch->arena + batch->used;
	}
	batch->used += departure->size;
}

/* --- from the host ---------------------------------------------------------------------- */

static void read_control(struct msghdr *header, struct hv_udp_arrival *arrival)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
			int size;

			memcpy(&size, CMSG_DATA(c), sizeof(size));
			arrival->gso_size = (uint16_t)size;
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			hv_address_from_v4(arrival->local, &info.ipi_spec_dst);
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			memcpy(arrival->local, &info.ipi6_addr, 16);
		}
	}
}

/* What recvmmsg() fills, and what is made of it. */
struct arrivals {
	struct mmsghdr headers[ARRIVALS];
	struct iovec iov[ARRIVALS];
	struct sockaddr_storage addresses[ARRIVALS];
	struct hv_udp_arrival parsed[ARRIVALS];
	char control[ARRIVALS][128] __attribute__((aligned(8)));
};

/* Returns how many there are. */
static int receive_batch(struct hv_udp_socket *socket, struct arrivals *a)
{
	uint8_t *buffer = socket->gateway->udp->receive_buffer;
	int count;

	for (unsigned i = 0; i < ARRIVALS; i++) {
		a->iov[i] =
			(struct iovec){buffer + (size_t)i * (DATAGRAM_MAX + 1), DATAGRAM_MAX};
		a->headers[i].msg_hdr =
			(struct msghdr){.msg_name = &a->addresses[i],
					.msg_namelen = sizeof(a->addresses[i]),
					.msg_iov = &a->iov[i],
					.msg_iovlen = 1,
					.msg_control = a->control[i],
					.msg_controllen = sizeof(a->control[i])};
	}
	count = recvmmsg(socket->source.fd, a->headers, ARRIVALS, MSG_DONTWAIT, NULL);
	for (int i = 0; i < count; i++) {
		struct hv_udp_arrival *arrival = &a->parsed[i];

		a->iov[i].iov_len = a->headers[i].msg_len;
		memset(arrival, 0, sizeof(*arrival));
		arrival->iov = &a->iov[i];
		arrival->iov_count = 1;
		arrival->size = a->iov[i].iov_len;
		haven_endpoint_from_sockaddr((struct sockaddr *)&a->addresses[i],
					     &arrival->peer);
		read_control(&a->headers[i].msg_hdr, arrival);
		if (arrival->gso_size >= arrival->size)
			arrival->gso_size = 0;
	}
	return count;
}

/* A run's datagrams are of one size, the last may be shorter; each fits into a packet of the wire. */
static bool continues(const struct hv_udp_arrival *run, const struct hv_udp_arrival *next)
{
	size_t segment = run->iov[0].iov_len;

	return run->gso_size == 0 && next->gso_size == 0 && segment > 0 &&
	       segment <= SEGMENT_SIZE_MAX && next->size > 0 && next->size <= segment &&
	       run->size % segment == 0 && run->size + next->size <= SEGMENT_BYTES_MAX &&
	       hv_endpoint_equal(&run->peer, &next->peer) &&
	       hv_address_equal(run->local, next->local);
}

static int receive(struct hv_udp_socket *socket)
{
	struct arrivals arrivals;
	int count = receive_batch(socket, &arrivals);

	for (int i = 0; i < count && socket->source.fd >= 0;) {
		struct hv_udp_arrival run = arrivals.parsed[i++];

		while (i < count && continues(&run, &arrivals.parsed[i])) {
			run.size += arrivals.parsed[i++].size;
			run.iov_count++;
		}
		if (run.iov_count > 1)
			run.gso_size = (uint16_t)run.iov[0].iov_len;
		socket->arrived(socket, &run);
	}
	return count;
}

static void ready(struct hv_source *source, uint32_t events)
{
	struct hv_udp_socket *socket = hv_container(source, struct hv_udp_socket, source);

	if (events & EPOLLERR)
		read_errors(socket);
	if (!(events & EPOLLIN))
		return;
	/* A full batch is a sign of more; what is left after two makes another turn. */
	if (receive(socket) == ARRIVALS && source->fd >= 0)
		receive(socket);
	socket->gateway->stack_work = true;
}

/* --- life ------------------------------------------------------------------------------- */

static int configure(struct hv_udp_socket *socket, const struct sockaddr *bind_to,
		     socklen_t bind_size)
{
	int fd = socket->source.fd;
	int on = 1, queue = RECEIVE_QUEUE_BYTES;

	hv_errqueue_enable(fd, socket->family);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &queue, sizeof(queue));
	setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof(on));
	if (bind_to) {
		if (socket->family == AF_INET) {
			setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
		} else {
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
			setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
		}
		if (bind(fd, bind_to, bind_size) < 0)
			return -errno;
	}
	return hv_source_add(&socket->gateway->loop, &socket->source, EPOLLIN);
}

int hv_udp_socket_open(struct hv_udp_socket *socket_, struct hv_gateway *gateway, int family,
		       const struct sockaddr *bind_to, socklen_t bind_size)
{
	int error;

	socket_->gateway = gateway;
	socket_->family = family;
	socket_->discover = -1;
	socket_->source.ready = ready;
	socket_->source.fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (socket_->source.fd < 0)
		return -errno;
	error = configure(socket_, bind_to, bind_size);
	if (error < 0) {
		close(socket_->source.fd);
		socket_->source.fd = -1;
	}
	return error;
}

void hv_udp_socket_close(struct hv_udp_socket *socket,
			 void (*release)(struct hv_source *source))
{
	if (socket->gateway->udp->batch->socket == socket)
		hv_udp_flush(socket->gateway);
	hv_source_close(&socket->gateway->loop, &socket->source, release);
}
