/*
 * Frames over a descriptor: one system call each, up to 64 KiB at any MTU.
 *
 * In:  one readv() into three places: the virtio-net header, the room of a small packet, and what
 *      lies behind that room in a large one. A frame that fits goes up in the small packet, so that
 *      queues of small frames cost small memory; of a larger one the first 1.9 KiB are copied
 *      in front of the rest. Nothing is zeroed, nothing else is copied.
 * Out: one writev() of the header, the linear bytes and the borrowed slices.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "link/frame_fd.h"
#include "link/vnet.h"
#include "wire/ethernet.h"

enum { SMALL_ROOM = HV_PACKET_SMALL - HV_LINK_HEADROOM };

int hv_frame_fd_set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}

/* --- out --------------------------------------------------------------------------------- */

int hv_frame_fd_transmit(struct haven_link *link, struct hv_packet *packet)
{
	struct hv_frame_fd *self = (struct hv_frame_fd *)link;
	/* A header longer than the base one ends in fields that are zero for us. */
	union {
		struct hv_vnet_header header;
		uint8_t bytes[HV_VNET_HEADER_MAX];
	} vnet = {.bytes = {0}};
	struct iovec iov[2 + HV_PACKET_SLICES];
	int count = 0;

	if (self->vnet_size) {
		if (!hv_vnet_write(packet, &vnet.header))
			return -EINVAL;
		iov[count++] = (struct iovec){&vnet, self->vnet_size};
	}
	iov[count++] = (struct iovec){packet->data, packet->len};
	for (unsigned i = 0; i < packet->slice_count; i++)
		iov[count++] = packet->slices[i];
	for (;;) {
		link->counters.calls_out++;
		if (writev(link->fd, iov, count) >= 0)
			return 0;
		if (errno != EINTR)
			return -errno;
	}
}

/* --- in ---------------------------------------------------------------------------------- */

/* Two packets to read into. False: no memory. */
static bool make_room(struct hv_frame_fd *self)
{
	struct hv_core *core = self->link.core;

	if (!self->small)
		self->small = hv_packet_new(core, HV_LINK_HEADROOM, SMALL_ROOM);
	if (!self->large)
		self->large = hv_packet_new(core, HV_LINK_HEADROOM, HV_LINK_FRAME_MAX);
	return self->small && self->large;
}

/* Without memory frames are still read, or the descriptor would stay readable for ever. */
static ssize_t read_discard(struct hv_frame_fd *self)
{
	uint8_t bytes[HV_VNET_HEADER_MAX + HV_ETH_HEADER];
	ssize_t size = read(self->link.fd, bytes, sizeof(bytes));

	if (size >= 0)
		self->link.core->drops[HV_DROP_NO_MEMORY]++;
	return size;
}

/* The packet that holds a frame of `size` bytes which was just read. */
static struct hv_packet *take_frame(struct hv_frame_fd *self, uint32_t size)
{
	struct hv_packet *packet;

	if (size <= SMALL_ROOM) {
		packet = self->small;
		self->small = NULL;
	} else {
		packet = self->large;
		self->large = NULL;
		memcpy(packet->data, self->small->data, SMALL_ROOM);
	}
	packet->len = size;
	return packet;
}

/*
 * Read one frame. Returns the bytes that the descriptor gave, or a negative errno; *out is the
 * packet, or NULL when the frame was dropped.
 */
static ssize_t read_frame(struct hv_frame_fd *self, struct hv_packet **out)
{
	struct hv_core *core = self->link.core;
	struct hv_packet *packet;
	union {
		struct hv_vnet_header header;
		uint8_t bytes[HV_VNET_HEADER_MAX];
	} vnet;
	struct iovec iov[3];
	size_t vnet_size = self->vnet_size;
	ssize_t size;

	*out = NULL;
	self->link.counters.calls_in++;
	if (__builtin_expect((!self->small || !self->large) && !make_room(self), 0)) {
		size = read_discard(self);
		return size < 0 ? -errno : size;
	}
	iov[0] = (struct iovec){&vnet, vnet_size};
	iov[1] = (struct iovec){self->small->data, SMALL_ROOM};
	iov[2] = (struct iovec){self->large->data + SMALL_ROOM, HV_LINK_FRAME_MAX - SMALL_ROOM};
	size = readv(self->link.fd, iov, 3);
	if (size < 0)
		return -errno;
	/* As long as the room is: cut off by it. */
	if ((size_t)size < vnet_size + HV_ETH_HEADER ||
	    (size_t)size >= vnet_size + HV_LINK_FRAME_MAX) {
		core->drops[HV_DROP_LINK_SHORT]++;
		return size;
	}
	packet = take_frame(self, (uint32_t)((size_t)size - vnet_size));
	if (vnet_size && !hv_vnet_parse(packet, &vnet.header))
		hv_drop(core, packet, HV_DROP_LINK_OFFLOAD);
	else
		*out = packet;
	return size;
}

/*
 * What a failed read means: true when the link is broken for good. EBADFD: the TAP is not (or no
 * longer) attached. ENETDOWN: the interface was set down, which may pass, or was removed.
 */
static bool is_fatal(const struct hv_frame_fd *self, ssize_t error)
{
	if (error == -EAGAIN || error == -EINTR || error == -ENOMEM || error == -ENOBUFS)
		return false;
	if (error == -ENETDOWN && self->is_gone)
		return self->is_gone(self->link.fd);
	return true;
}

int hv_frame_fd_receive(struct haven_link *link, unsigned budget)
{
	struct hv_frame_fd *self = (struct hv_frame_fd *)link;
	struct hv_packet *packet;
	unsigned count = 0;
	ssize_t size;

	while (count < budget && !self->broken) {
		size = read_frame(self, &packet);
		if (size == -EINTR)
			continue;
		if (size < 0) {
			self->broken = is_fatal(self, size);
			break;
		}
		count++;
		if (packet)
			hv_link_deliver(link, packet);
	}
	return count == 0 && self->broken ? -ENETDOWN : (int)count;
}

void hv_frame_fd_destroy(struct haven_link *link)
{
	struct hv_frame_fd *self = (struct hv_frame_fd *)link;

	hv_packet_free(link->core, self->small);
	hv_packet_free(link->core, self->large);
	hv_link_release(link, sizeof(*self));
}
