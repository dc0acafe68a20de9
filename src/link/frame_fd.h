/*
 * Frames over a file descriptor that keeps their boundaries, with or without a virtio-net
 * header: what TAP and AF_PACKET have in common.
 */
#ifndef HV_LINK_FRAME_FD_H
#define HV_LINK_FRAME_FD_H

#include "link/backend.h"

enum { HV_VNET_HEADER_MAX = 24 }; /* largest that a TAP can be set to */

struct hv_frame_fd {
	struct haven_link link;
	unsigned vnet_size;	 /* bytes of virtio-net header before each frame; 0: none */
	struct hv_packet *small; /* the next frame is read into these two */
	struct hv_packet *large;
	bool (*is_gone)(int fd); /* after ENETDOWN: whether the interface is away for good */
	bool broken;		 /* nothing will ever come in again */
};

/* The operations of a struct haven_link in front of a struct hv_frame_fd. */
int hv_frame_fd_transmit(struct haven_link *link, struct hv_packet *packet);
int hv_frame_fd_receive(struct haven_link *link, unsigned budget);
void hv_frame_fd_destroy(struct haven_link *link);

/* O_NONBLOCK and FD_CLOEXEC. 0, or what fcntl gave. */
int hv_frame_fd_set_nonblocking(int fd);

#endif
