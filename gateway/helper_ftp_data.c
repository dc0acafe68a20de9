/*
 * Ports of the host that wait for one data connection of FTP each. See helper.h.
 *
 * It goes on like a connection to a published port, and its port is closed: by the one connection, after 30 s, or with the
 * control connection.
 */
#include "gateway/helper_state.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#define BACKLOG		 4
#define ACCEPTS_PER_WAKE 8

static void release(struct hv_source *source)
{
	free(hv_container(source, struct hv_ftp_waiting, source));
}

void hv_ftp_wait_no_more(struct hv_ftp_waiting *waiting)
{
	struct hv_helper *helper = waiting->helper;
	struct hv_gateway *gateway = helper->relay->gateway;

	TAILQ_REMOVE(&helper->waiting, waiting, entry);
	helper->waiting_count--;
	gateway->ftp_waiting_count--;
	hv_loop_timer_cancel(&gateway->loop, &waiting->timer);
	hv_source_close(&gateway->loop, &waiting->source, release);
}

static void expired(struct hv_loop_timer *timer)
{
	hv_ftp_wait_no_more(hv_container(timer, struct hv_ftp_waiting, timer));
}

/* The right one ends the wait; others are closed, and it goes on. */
static void accept_ready(struct hv_source *source, uint32_t events)
{
	struct hv_ftp_waiting *waiting = hv_container(source, struct hv_ftp_waiting, source);
	struct hv_gateway *gateway = waiting->helper->relay->gateway;

	(void)events;
	for (unsigned i = 0; i < ACCEPTS_PER_WAKE; i++) {
		struct sockaddr_storage address;
		socklen_t size = sizeof(address);
		struct haven_endpoint peer;
		int fd = accept4(source->fd, (struct sockaddr *)&address, &size,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		if (haven_endpoint_from_sockaddr((struct sockaddr *)&address, &peer) < 0 ||
		    !hv_address_equal(peer.address, waiting->peer) ||
		    !hv_flow_allowed(&gateway->flows, HV_FLOW_TCP_IN)) {
			close(fd);
			continue;
		}
		hv_tcp_in_accept(gateway, fd, &peer, waiting->host_port, waiting->guest_port,
				 false);
		hv_ftp_wait_no_more(waiting);
		return;
	}
}

/* A listening socket at a port that is chosen; fills it in. Or a negative errno. */
static int listen_at(struct haven_endpoint *local)
{
	struct sockaddr_storage address;
	socklen_t size;
	int on = 1, fd, error;

	local->port = 0;
	size = haven_endpoint_to_sockaddr(local, &address);
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* What is accepted inherits these. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, BACKLOG) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
		error = -errno;
		close(fd);
		return error;
	}
	haven_endpoint_from_sockaddr((struct sockaddr *)&address, local);
	return fd;
}

static int watch(struct hv_ftp_waiting *waiting)
{
	struct hv_loop *loop = &waiting->helper->relay->gateway->loop;
	int error = hv_loop_timer_set(loop, &waiting->timer, loop->now_ns + HV_FTP_WAITING_NS);

	if (error == 0)
		error = hv_source_add(loop, &waiting->source, EPOLLIN);
	if (error < 0) {
		hv_loop_timer_cancel(loop, &waiting->timer);
		close(waiting->source.fd);
		free(waiting);
	}
	return error;
}

int hv_ftp_wait(struct hv_helper *helper, struct haven_endpoint *local, const uint8_t peer[16],
		uint16_t guest_port)
{
	struct hv_gateway *gateway = helper->relay->gateway;
	struct hv_ftp_waiting *waiting;
	int error;

	if (helper->waiting_count == HV_FTP_WAITING_MAX)
		hv_ftp_wait_no_more(TAILQ_FIRST(&helper->waiting));
	if (gateway->ftp_waiting_count == HV_FTP_WAITING_ALL_MAX)
		return -ENOBUFS;
	waiting = calloc(1, sizeof(*waiting));
	if (!waiting)
		return -ENOMEM;
	waiting->helper = helper;
	waiting->guest_port = guest_port;
	memcpy(waiting->peer, peer, 16);
	waiting->source.ready = accept_ready;
	waiting->timer.expired = expired;
	waiting->source.fd = listen_at(local);
	if (waiting->source.fd < 0) {
		error = waiting->source.fd;
		hv_gateway_lacks_resources(gateway, -error);
		free(waiting);
		return error;
	}
	waiting->host_port = local->port;
	error = watch(waiting);
	if (error < 0)
		return error;
	TAILQ_INSERT_TAIL(&helper->waiting, waiting, entry);
	helper->waiting_count++;
	gateway->ftp_waiting_count++;
	hv_log_line(gateway->log, HV_LOG_DEBUG,
		    "ftp: port %u of the host waits for data to port %u of the guest",
		    waiting->host_port, guest_port);
	return 0;
}
