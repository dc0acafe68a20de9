/*
 * AF_PACKET: frames to and from one end of a veth pair, for machines where /dev/net/tun cannot
 * be had. PACKET_VNET_HDR puts the same virtio-net header before each frame as a TAP does, so
 * that packets of up to 64 KiB without checksum cross here too. The frames themselves are
 * frame_fd.c's.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>

#include "link/frame_fd.h"
#include "link/vnet.h"

/* The kernel counts a packet of 64 KiB with all of its memory; its own default holds three. */
enum { SOCKET_BUFFER_BYTES = 8 << 20 };

/*
 * UDP segments are taken by Linux 6.2 and later, and no option tells. So they are tried: when the
 * kernel refuses the first, this link has them cut in software from then on.
 */
static int packet_output(struct haven_link *link, struct hv_packet *packet)
{
	int error;

	if (packet->gso_type != HV_GSO_UDP || link->blocked.count)
		return hv_link_output_queued(link, packet);
	error = hv_frame_fd_transmit(link, packet);
	if (error == -EINVAL) {
		link->offloads &= ~(unsigned)HAVEN_OFFLOAD_USO;
		return hv_link_output(link, packet);
	}
	if (error)
		return hv_link_output_queued(link, packet);
	hv_packet_free(link->core, packet);
	return 0;
}

static const struct hv_link_ops packet_ops = {
	.name = "packet",
	.output = packet_output,
	.receive = hv_frame_fd_receive,
	.writable = hv_link_writable_queued,
	.destroy = hv_frame_fd_destroy,
	.transmit = hv_frame_fd_transmit,
};

/* The kernel unbinds a socket whose interface was removed. */
static bool is_gone(int fd)
{
	struct sockaddr_ll address = {0};
	socklen_t length = sizeof(address);

	return getsockname(fd, (struct sockaddr *)&address, &length) < 0 ||
	       address.sll_ifindex <= 0;
}

/* Beyond the system's limit where that is allowed, else up to it. */
static void set_buffer(int fd, int forced, int usual)
{
	int size = SOCKET_BUFFER_BYTES;

	if (setsockopt(fd, SOL_SOCKET, forced, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, usual, &size, sizeof(size));
}

/* Everything that must be set before frames come in; binding is last. */
static int prepare_socket(int fd, int ifindex)
{
	const struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = ifindex,
	};
	const int on = 1;
	int error;

	error = hv_frame_fd_set_nonblocking(fd);
	if (error)
		return error;
	if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) < 0)
		return -errno;
	/* A veth has no queue of its own to go by; without it (refused) all still works. */
	setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on));
	set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);
	set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return 0;
}

int haven_link_packet(struct haven_stack *stack, int fd, int ifindex,
		      const struct haven_link_config *config, struct haven_link **out)
{
	struct hv_frame_fd *self;
	struct haven_link *link;
	int error;

	if (ifindex <= 0)
		return -EINVAL;
	error = hv_link_new(stack, &packet_ops, sizeof(*self), config, &link);
	if (error)
		return error;
	error = prepare_socket(fd, ifindex);
	if (error) {
		haven_link_destroy(link);
		return error;
	}
	self = (struct hv_frame_fd *)link;
	self->vnet_size = sizeof(struct hv_vnet_header);
	self->is_gone = is_gone;
	link->fd = fd;
	*out = link;
	return 0;
}
