/*
 * Links: haven's jacks. Frames enter and leave a stack here.
 *
 * A link is made for one stack, may be wrapped (capture, fault), and is then handed to
 * haven_stack_attach(), which owns it (a wrapper owns what it wraps). A link that was never
 * attached is ended with haven_link_destroy().
 *
 * File descriptors given to a link belong to it when the call succeeds, and must be
 * non-blocking; the link sets them so.
 */
#ifndef HAVEN_LINK_H
#define HAVEN_LINK_H

#include <haven/stack.h>

/* What a link can do for the stack (struct virtio_net_hdr, VIRTIO 1.2 section 5.1.6). */
enum haven_offload {
	HAVEN_OFFLOAD_CSUM = 1 << 0, /* takes packets without transport checksum */
	HAVEN_OFFLOAD_TSO4 =
		1 << 1, /* takes TCP/IPv4 packets of up to 64 KiB with a segment size */
	HAVEN_OFFLOAD_TSO6 = 1 << 2,
	HAVEN_OFFLOAD_USO = 1 << 3, /* the same for UDP */
};

struct haven_link_config {
	uint8_t mac
		[6]; /* our Ethernet address; all zero: chosen at random (locally administered) */
	uint32_t
		mtu; /* largest IP packet, 68 (576 with IPv4 in use; 1280 with IPv6) to 65535 */
	unsigned
		offloads; /* wanted HAVEN_OFFLOAD_ bits; those that the link lacks are done in software */
};
/* mtu 1500, random address, all offloads. */
HAVEN_API void haven_link_config_init(struct haven_link_config *config);

/*
 * TAP. fd: open /dev/net/tun after TUNSETIFF with IFF_TAP|IFF_NO_PI, with or without
 * IFF_VNET_HDR; offloads are probed by TUNSETOFFLOAD and fall back one by one.
 * Errors: -EINVAL (not a TAP, MTU out of range), -ENOMEM, or what ioctl gave.
 */
HAVEN_API int haven_link_tap(struct haven_stack *stack, int fd,
			     const struct haven_link_config *config, struct haven_link **out);

/*
 * AF_PACKET on one end of a veth pair. fd: socket(AF_PACKET, SOCK_RAW, 0) not yet bound;
 * ifindex: the interface to bind it to, in the socket's network namespace. Uses PACKET_VNET_HDR.
 * Errors: -EINVAL, -ENOMEM, or what setsockopt and bind gave.
 */
HAVEN_API int haven_link_packet(struct haven_stack *stack, int fd, int ifindex,
				const struct haven_link_config *config,
				struct haven_link **out);

/*
 * Two ends of a wire in memory, for two stacks (or one). queue_packets: what each direction
 * holds before it drops (0: 1024). Nothing crosses before the receiving stack's haven_input().
 * config->mac is the first end's; the second's differs from it in the last bit.
 */
HAVEN_API int haven_link_pair(struct haven_stack *stack_a, struct haven_stack *stack_b,
			      const struct haven_link_config *config, unsigned queue_packets,
			      struct haven_link **out_a, struct haven_link **out_b);

/*
 * A link of the caller's own. send: called for each frame (an Ethernet frame, or an IP packet when `ethernet` is false);
 * iov is valid during the call; must return 0 or a negative errno (-EAGAIN: kept and sent again after
 * haven_link_writable(); -ENOBUFS: lost, as on a wire). haven_link_custom_input() hands a received frame to the stack, at the
 * next haven_input(). offload.csum_start counts from the frame's start.
 */
struct haven_frame_offload {
	uint8_t flags; /* 1: checksum is still to be filled in, 2: checked */
	uint8_t gso_type; /* as virtio_net_hdr: 0 none, 1 TCPv4, 3 UDP fragmentation (refused), 4 TCPv6, 5 UDP L4 */
	uint16_t gso_size;
	uint16_t csum_start, csum_offset;
};
struct haven_link_ops {
	int (*send)(void *user, const struct iovec *iov, int count,
		    const struct haven_frame_offload *offload);
	void (*destroy)(void *user); /* may be NULL */
};
HAVEN_API int haven_link_custom(struct haven_stack *stack, const struct haven_link_ops *ops,
				void *user, bool ethernet,
				const struct haven_link_config *config,
				struct haven_link **out);
/* Errors: -ENOBUFS (1024 frames wait), -EMSGSIZE, -EINVAL (offload makes no sense), -ENOMEM. */
HAVEN_API int haven_link_custom_input(struct haven_link *link, const void *frame, size_t size,
				      const struct haven_frame_offload *offload);

/* --- wrappers --------------------------------------------------------------------------- */

/*
 * Capture: everything that passes is written as pcapng (Ethernet) to a file descriptor through
 * write(void *user, bytes, size); wall_offset_ns is added to the stack's time to give the date.
 * A packet whose checksum was left to offload is written with the checksum filled in.
 * Takes `inner` whatever is returned. Errors: -ENOMEM.
 */
HAVEN_API int haven_link_capture(struct haven_stack *stack, struct haven_link *inner,
				 void (*write)(void *user, const void *data, size_t size),
				 void *user, int64_t wall_offset_ns, struct haven_link **out);

/* Fault: a bad network on purpose. Probabilities in parts per million. All zero: perfect. */
struct haven_fault {
	uint32_t loss_ppm, duplicate_ppm, reorder_ppm, corrupt_ppm;
	/* Loss in bursts (Gilbert 1960, Elliott 1963): this share of packets falls into bursts, in
	 * which all is lost; loss_ppm holds between them. */
	uint32_t burst_ppm, burst_packets; /* mean length; 0: 10 */
	uint32_t
		mark_ppm; /* "congestion experienced" in packets that are capable of ECN (RFC 3168) */
	uint64_t delay_ns, jitter_ns;  /* each packet waits delay +- jitter (uniform) */
	uint64_t rate_bits_per_second; /* 0: unlimited */
	uint32_t queue_bytes;	       /* in front of the rate limit; 0: 1 MiB */
};
struct haven_fault_counters {
	uint64_t packets, lost, duplicated, reordered, corrupted, marked, overflowed;
};
/*
 * in: frames towards the stack; out: frames from it. Large (offload) packets are cut to wire size first,
 * so that loss means loss of single packets. Takes `inner` whatever is returned. Errors: -ENOMEM.
 */
HAVEN_API int haven_link_fault(struct haven_stack *stack, struct haven_link *inner,
			       const struct haven_fault *in,
			       const struct haven_fault *out_fault, struct haven_link **out);
HAVEN_API void haven_link_fault_counters(const struct haven_link *link,
					 struct haven_fault_counters *in,
					 struct haven_fault_counters *out);
/*
 * Parse "loss=2% burst=1% burst-length=20 reorder=5% delay=10ms jitter=1ms rate=10mbit queue=64k duplicate=1% corrupt=0.1% mark=1%".
 * Words are separated by blanks or commas; "in." or "out." before a key sets one direction only,
 * otherwise both. Returns 0, or -EINVAL with *bad (may be NULL) at the word that is wrong.
 */
HAVEN_API int haven_fault_parse(const char *text, struct haven_fault *in,
				struct haven_fault *out, const char **bad);

/* --- all links -------------------------------------------------------------------------- */

/* File descriptor to wait on for reading, or -1 (in-memory). */
HAVEN_API int haven_link_fd(const struct haven_link *link);
/* Whether frames wait because the descriptor is not writable now. */
HAVEN_API bool haven_link_wants_write(const struct haven_link *link);
HAVEN_API unsigned haven_link_offloads(const struct haven_link *link);
HAVEN_API uint32_t haven_link_mtu(const struct haven_link *link);
HAVEN_API void haven_link_mac(const struct haven_link *link, uint8_t mac[6]);
struct haven_link_counters {
	uint64_t frames_in, bytes_in, frames_out, bytes_out, calls_in, calls_out, busy;
};
HAVEN_API void haven_link_counters(const struct haven_link *link,
				   struct haven_link_counters *counters);
HAVEN_API void haven_link_destroy(struct haven_link *link);

#endif
