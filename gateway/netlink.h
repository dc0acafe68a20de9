/*
 * The few rtnetlink requests that set up a guest's network, sent in one go.
 *
 * Requests gather in a buffer; hv_netlink_commit sends all of them with one system call, and the
 * kernel works through them in order. Everything concerns the network namespace in which the
 * socket was opened.
 */
#ifndef HV_GATEWAY_NETLINK_H
#define HV_GATEWAY_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mnl_socket;
struct nlmsghdr;

#define HV_NETLINK_REQUESTS_MAX 16
#define HV_NETLINK_BUFFER_SIZE	4096

struct hv_netlink {
	struct mnl_socket *socket;
	uint32_t first_sequence; /* of requests[0]; those after it count up */
	size_t used;		 /* bytes of buffer */
	unsigned int count;
	const char *names[HV_NETLINK_REQUESTS_MAX]; /* for messages: "set the IPv4 address" */
	_Alignas(8) char buffer[HV_NETLINK_BUFFER_SIZE];
};

/* What is set on a link that exists. Zero values are left as they are. */
struct hv_netlink_link {
	int ifindex;
	uint32_t mtu;		/* bytes */
	uint32_t queue_packets; /* txqueuelen */
	const uint8_t *mac;	/* 6 bytes, or NULL */
	bool no_link_local;	/* the kernel makes no fe80:: address by itself */
	bool no_arp;
};

/* Opens a socket in the current network namespace. Returns 0 or a negative errno. */
int hv_netlink_open(struct hv_netlink *netlink);
void hv_netlink_close(struct hv_netlink *netlink);

/* Forgets the requests that were gathered; hv_netlink_commit does it as well. */
void hv_netlink_reset(struct hv_netlink *netlink);

/* Requests. `name` is kept by reference. */
void hv_netlink_set_link(struct hv_netlink *netlink, const char *name,
			 const struct hv_netlink_link *link);
/* A request of its own: in one with the link's settings the kernel would bring it up first. */
void hv_netlink_set_up(struct hv_netlink *netlink, const char *name, int ifindex);
/* A veth pair: `near` here, `far` in the namespace far_netns_fd. */
void hv_netlink_add_veth(struct hv_netlink *netlink, const char *name, const char *near,
			 const char *far, int far_netns_fd, uint32_t mtu);
/* `address` points to 4 or 16 bytes by family (AF_INET, AF_INET6). No duplicate detection. */
void hv_netlink_add_address(struct hv_netlink *netlink, const char *name, int ifindex,
			    int family, const void *address, uint8_t prefix);
/* The default route; onlink: the gateway is a neighbour although no prefix covers it. */
void hv_netlink_add_default_route(struct hv_netlink *netlink, const char *name, int ifindex,
				  int family, const void *gateway, bool onlink);

/*
 * Sends the requests and waits for all answers. Returns 0, or the negative errno of the first that
 * failed with its name in *failed (the later ones were still tried).
 */
int hv_netlink_commit(struct hv_netlink *netlink, const char **failed);

#endif
