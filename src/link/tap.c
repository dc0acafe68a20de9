/*
 * TAP: frames to and from a network interface of the kernel, through /dev/net/tun.
 *
 * With IFF_VNET_HDR a frame carries a virtio-net header, and the kernel hands over and takes TCP
 * and UDP packets of up to 64 KiB that were never cut to the MTU and have no checksum yet.
 * What the kernel may hand over is set by TUNSETOFFLOAD; this file finds out how much of it
 * this kernel knows. The frames themselves are frame_fd.c's.
 */
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include "link/frame_fd.h"
#include "link/vnet.h"

/* Linux 6.2; not in older headers. The kernel takes both or none. */
enum { TUN_UDP_SEGMENTATION = 0x20 | 0x40 };

static const struct hv_link_ops tap_ops = {
	.name = "tap",
	.output = hv_link_output_queued,
	.receive = hv_frame_fd_receive,
	.writable = hv_link_writable_queued,
	.destroy = hv_frame_fd_destroy,
	.transmit = hv_frame_fd_transmit,
};

/* The bits of TUNSETOFFLOAD for the offloads that are wanted. All others rest on CSUM. */
static unsigned tun_flags(unsigned offloads)
{
	unsigned flags = 0;

	if (!(offloads & HAVEN_OFFLOAD_CSUM))
		return 0;
	flags |= TUN_F_CSUM;
	if (offloads & HAVEN_OFFLOAD_TSO4)
		flags |= TUN_F_TSO4;
	if (offloads & HAVEN_OFFLOAD_TSO6)
		flags |= TUN_F_TSO6;
	if (flags & (TUN_F_TSO4 | TUN_F_TSO6))
		flags |= TUN_F_TSO_ECN;
	if (offloads & HAVEN_OFFLOAD_USO)
		flags |= TUN_UDP_SEGMENTATION;
	return flags;
}

/*
 * Tell the kernel what it may hand over; what it does not know is left out, the newest first.
 * The kernel takes from us what it can hand to us, so the result is what output may use.
 */
static unsigned probe_offloads(int fd, unsigned wanted)
{
	static const unsigned newest_first[] = {HAVEN_OFFLOAD_USO, HAVEN_OFFLOAD_TSO6,
						HAVEN_OFFLOAD_TSO4, HAVEN_OFFLOAD_CSUM};

	for (unsigned i = 0; i < sizeof(newest_first) / sizeof(newest_first[0]); i++) {
		unsigned flags = tun_flags(wanted);

		if (ioctl(fd, TUNSETOFFLOAD, (unsigned long)flags) == 0)
			return wanted;
		if (ioctl(fd, TUNSETOFFLOAD, (unsigned long)(flags & ~TUN_F_TSO_ECN)) == 0)
			return wanted;
		wanted &= ~newest_first[i];
	}
	ioctl(fd, TUNSETOFFLOAD, 0UL);
	return 0;
}

/* The short header: 10 bytes, so that a frame's IP header is not pushed off its alignment. */
static int set_vnet_size(int fd, unsigned *vnet_size)
{
	int size = sizeof(struct hv_vnet_header);

	if (ioctl(fd, TUNSETVNETHDRSZ, &size) < 0 && ioctl(fd, TUNGETVNETHDRSZ, &size) < 0)
		return -errno;
	if (size < (int)sizeof(struct hv_vnet_header) || size > HV_VNET_HEADER_MAX)
		return -EINVAL;
	*vnet_size = (unsigned)size;
	return 0;
}

int haven_link_tap(struct haven_stack *stack, int fd, const struct haven_link_config *config,
		   struct haven_link **out)
{
	struct ifreq request = {0};
	struct haven_link *link;
	unsigned vnet_size = 0;
	int error;

	if (ioctl(fd, TUNGETIFF, &request) < 0)
		return errno == ENOTTY || errno == EBADFD ? -EINVAL : -errno;
	if (!(request.ifr_flags & IFF_TAP) || !(request.ifr_flags & IFF_NO_PI))
		return -EINVAL;
	if (request.ifr_flags & IFF_VNET_HDR) {
		error = set_vnet_size(fd, &vnet_size);
		if (error)
			return error;
	}
	error = hv_frame_fd_set_nonblocking(fd);
	if (error)
		return error;
	error = hv_link_new(stack, &tap_ops, sizeof(struct hv_frame_fd), config, &link);
	if (error)
		return error;
	link->offloads = vnet_size ? probe_offloads(fd, link->offloads) : 0;
	((struct hv_frame_fd *)link)->vnet_size = vnet_size;
	link->fd = fd;
	*out = link;
	return 0;
}
