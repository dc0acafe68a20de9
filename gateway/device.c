/*
 * The wire and the guest's end of it: see device.h.
 */
#include "gateway/device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/guest_file.h"
#include "gateway/guest_message.h"
#include "gateway/netlink.h"

/* Smallest MTU of IPv4 (RFC 791, 3.2) and of IPv6 (RFC 8200, 5); largest that a TAP takes. */
#define MTU_MIN_IPV4 68
#define MTU_MIN_IPV6 1280
#define MTU_MAX	     65521

/*
 * Packets that wait in the TAP for haven to read them. The TAP takes packets off the account of
 * the socket that sent them, so nothing else bounds what a guest can queue: a full queue drops.
 * 1000 packets of 64 KiB are several windows of the fastest connections, and 64 MiB at worst.
 */
#define TAP_QUEUE_PACKETS 1000

#define WIRE_IFNAME "hv0"

const char *hv_device_check(const struct hv_guest_network *network)
{
	if (network->mtu < MTU_MIN_IPV4 || network->mtu > MTU_MAX)
		return "the MTU must be from 68 to 65521";
	if (network->ipv6.enabled && network->mtu < MTU_MIN_IPV6)
		return "an MTU under 1280 carries no IPv6; use IPv4 alone (-4)";
	if (!network->ipv4.enabled && !network->ipv6.enabled)
		return "neither IPv4 nor IPv6 is left";
	if (network->ipv4.prefix > 32 || network->ipv6.prefix > 128)
		return "the prefix is longer than the address";
	if (network->mac[0] & 1)
		return "the MAC is a multicast address";
	if (strchr(network->ifname, '/') || strcmp(network->ifname, ".") == 0 ||
	    strcmp(network->ifname, "..") == 0)
		return "no interface can have this name";
	return NULL;
}

bool hv_device_same_prefix(const void *a, const void *b, size_t bytes, uint8_t prefix)
{
	const uint8_t *left = a, *right = b;
	size_t whole = prefix / 8;
	uint8_t mask = (uint8_t)(0xff00 >> (prefix % 8));

	if (memcmp(left, right, whole < bytes ? whole : bytes) != 0)
		return false;
	return whole >= bytes || ((left[whole] ^ right[whole]) & mask) == 0;
}

struct in6_addr hv_device_link_local(const uint8_t mac[6])
{
	return (struct in6_addr){.s6_addr = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, mac[0] ^ 0x02,
					     mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4],
					     mac[5]}};
}

/* One of the interface's own IPv6 settings; where /proc/sys is read-only, it stays as it is. */
static void set_ipv6(int channel, const char *ifname, const char *setting, const char *value)
{
	char path[128];
	int result;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s", ifname, setting);
	result = hv_file_write(path, value);
	if (result < 0)
		hv_message_note(channel, HV_GUEST_LOG_DEBUG, "%s is not set to %s: %s", path,
				value, strerror(-result));
}

/* Not in a kernel without IPv6, and not on a link whose MTU it does not fit. */
static bool has_ipv6(const char *ifname)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s", ifname);
	return access(path, F_OK) == 0;
}

/* Opens the TAP. `fatal` tells failures as such; otherwise only the result does. */
static int open_tap(int channel, const struct hv_guest_network *network,
		    struct hv_guest_wire *wire, bool fatal)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	enum hv_stage stage = HV_STAGE_TUN_OPEN;
	int error;

	snprintf(wire->ifname, sizeof(wire->ifname), "%s",
		 *network->ifname ? network->ifname : "tap0");
	wire->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (wire->fd < 0)
		goto failed;
	stage = HV_STAGE_TUN_CREATE;
	/* Without this a persistent TAP of that name would be taken over. */
	if (network->configure && if_nametoindex(wire->ifname) != 0) {
		errno = EEXIST;
		goto failed;
	}
	memcpy(request.ifr_name, wire->ifname, sizeof(request.ifr_name));
	if (ioctl(wire->fd, TUNSETIFF, &request) < 0)
		goto failed;
	wire->ifindex = (int)if_nametoindex(wire->ifname);
	wire->kind = HV_WIRE_TAP;
	return 0;

failed:
	error = errno;
	if (wire->fd >= 0)
		close(wire->fd);
	wire->fd = -1;
	if (fatal || error == EEXIST || error == EBUSY)
		return hv_message_failed(channel, stage, error,
					 stage == HV_STAGE_TUN_CREATE ? wire->ifname : "");
	hv_message_note(channel, HV_GUEST_LOG_DEBUG,
			"no TAP (%s: %s), the guest gets a veth pair instead",
			stage == HV_STAGE_TUN_OPEN ? "/dev/net/tun" : "TUNSETIFF",
			strerror(error));
	return -error;
}

/* In the wire's namespace: the pair, with haven's end silent and up. */
static int make_pair(int channel, struct hv_guest_wire *wire, uint32_t mtu)
{
	struct hv_netlink_link near = {.no_arp = true};
	struct hv_netlink netlink;
	const char *failed = "netlink socket";
	int result = hv_netlink_open(&netlink);

	if (result < 0)
		return hv_message_failed(channel, HV_STAGE_VETH, -result, failed);
	hv_netlink_add_veth(&netlink, wire->ifname, WIRE_IFNAME, wire->ifname, wire->netns_fd,
			    mtu);
	result = hv_netlink_commit(&netlink, &failed);
	if (result < 0)
		goto out;
	wire->ifindex = (int)if_nametoindex(WIRE_IFNAME);
	near.ifindex = wire->ifindex;
	near.no_link_local = has_ipv6(WIRE_IFNAME);
	if (near.no_link_local)
		set_ipv6(channel, WIRE_IFNAME, "disable_ipv6", "1");
	hv_netlink_set_link(&netlink, "haven's end of the veth pair", &near);
	hv_netlink_set_up(&netlink, "haven's end of the veth pair", near.ifindex);
	result = hv_netlink_commit(&netlink, &failed);
out:
	hv_netlink_close(&netlink);
	return result < 0 ? hv_message_failed(channel, HV_STAGE_VETH, -result, failed) : 0;
}

/* Goes into a namespace for the wire, makes pair and socket there, and comes back. */
static int open_veth(int channel, const struct hv_guest_network *network,
		     struct hv_guest_wire *wire)
{
	int result;

	snprintf(wire->ifname, sizeof(wire->ifname), "%s",
		 *network->ifname ? network->ifname : "eth0");
	if (unshare(CLONE_NEWNET) < 0)
		return hv_message_failed(channel, HV_STAGE_NAMESPACES, errno,
					 "a second one for the wire");
	result = make_pair(channel, wire, network->mtu);
	if (result == 0) {
		/* Protocol 0: it receives nothing before the link binds it. */
		wire->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (wire->fd < 0)
			result = hv_message_failed(channel, HV_STAGE_PACKET, errno, "");
	}
	if (setns(wire->netns_fd, CLONE_NEWNET) < 0 && result == 0)
		result = hv_message_failed(channel, HV_STAGE_NAMESPACES, errno, "going back");
	wire->kind = HV_WIRE_VETH;
	return result;
}

static void add_ipv4(struct hv_netlink *netlink, const struct hv_guest_ipv4 *ipv4, int ifindex)
{
	bool onlink = !hv_device_same_prefix(&ipv4->address, &ipv4->gateway, 4, ipv4->prefix);

	hv_netlink_add_address(netlink, "set the IPv4 address", ifindex, AF_INET,
			       &ipv4->address, ipv4->prefix);
	hv_netlink_add_default_route(netlink, "set the IPv4 default route", ifindex, AF_INET,
				     &ipv4->gateway, onlink);
}

static void add_ipv6(struct hv_netlink *netlink, const struct hv_guest_ipv6 *ipv6, int ifindex,
		     const uint8_t mac[6])
{
	const struct in6_addr link_local = hv_device_link_local(mac);
	bool onlink =
		!hv_device_same_prefix(&ipv6->address, &ipv6->gateway, 16, ipv6->prefix) &&
		!IN6_IS_ADDR_LINKLOCAL(&ipv6->gateway);

	hv_netlink_add_address(netlink, "set the link-local address", ifindex, AF_INET6,
			       &link_local, 64);
	hv_netlink_add_address(netlink, "set the IPv6 address", ifindex, AF_INET6,
			       &ipv6->address, ipv6->prefix);
	hv_netlink_add_default_route(netlink, "set the IPv6 default route", ifindex, AF_INET6,
				     &ipv6->gateway, onlink);
}

/* The guest's end. IPv6 settings come before "up", which would act on them. */
static int configure(int channel, const struct hv_guest_network *network,
		     struct hv_guest_wire *wire)
{
	bool possible = has_ipv6(wire->ifname);
	bool ipv6 = network->ipv6.enabled && possible;
	struct hv_netlink netlink;
	const char *failed = "netlink socket";
	int ifindex = (int)if_nametoindex(wire->ifname);
	int result = hv_netlink_open(&netlink);

	if (result < 0)
		return hv_message_failed(channel, HV_STAGE_CONFIGURE, -result, failed);
	if (network->ipv6.enabled && !ipv6)
		hv_message_note(channel, HV_GUEST_LOG_WARNING, "this kernel has no IPv6");
	if (possible) {
		set_ipv6(channel, wire->ifname, "disable_ipv6", ipv6 ? "0" : "1");
		set_ipv6(channel, wire->ifname, "accept_ra", "0");
		set_ipv6(channel, wire->ifname, "accept_dad", "0");
	}
	hv_netlink_set_up(&netlink, "bring loopback up", (int)if_nametoindex("lo"));
	hv_netlink_set_link(&netlink, "set MTU and MAC of the interface",
			    &(struct hv_netlink_link){.ifindex = ifindex,
						      .mtu = network->mtu,
						      .queue_packets =
							      wire->kind == HV_WIRE_TAP
								      ? TAP_QUEUE_PACKETS
								      : 0,
						      .mac = network->mac,
						      .no_link_local = ipv6});
	hv_netlink_set_up(&netlink, "bring the interface up", ifindex);
	if (network->ipv4.enabled)
		add_ipv4(&netlink, &network->ipv4, ifindex);
	if (ipv6)
		add_ipv6(&netlink, &network->ipv6, ifindex, network->mac);
	result = hv_netlink_commit(&netlink, &failed);
	hv_netlink_close(&netlink);
	return result < 0 ? hv_message_failed(channel, HV_STAGE_CONFIGURE, -result, failed) : 0;
}

/* What haven's own tools look into the guest's namespace with. */
static int open_views(int channel, struct hv_guest_wire *wire)
{
	wire->netns_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (wire->netns_fd < 0)
		return hv_message_failed(channel, HV_STAGE_PREPARE, errno, "/proc/self/ns/net");
	wire->diag_fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
	if (wire->diag_fd < 0)
		return hv_message_failed(channel, HV_STAGE_PREPARE, errno, "NETLINK_SOCK_DIAG");
	return 0;
}

static void read_mac(struct hv_guest_wire *wire, const struct hv_guest_network *network)
{
	struct ifreq request = {0};

	memcpy(wire->guest_mac, network->mac, sizeof(wire->guest_mac));
	if (network->configure)
		return;
	memcpy(request.ifr_name, wire->ifname, sizeof(request.ifr_name));
	if (ioctl(wire->diag_fd, SIOCGIFHWADDR, &request) == 0)
		memcpy(wire->guest_mac, request.ifr_hwaddr.sa_data, sizeof(wire->guest_mac));
}

int hv_device_open(int channel, const struct hv_guest_network *network,
		   struct hv_guest_wire *wire)
{
	int result;

	*wire = HV_WIRE_NONE;
	result = open_views(channel, wire);
	if (result < 0)
		goto failed;
	result = -ENOTSUP;
	if (network->wire != HV_WIRE_VETH) {
		result = open_tap(channel, network, wire, network->wire == HV_WIRE_TAP);
		if (result < 0 &&
		    (network->wire == HV_WIRE_TAP || result == -EEXIST || result == -EBUSY))
			goto failed;
	}
	if (result < 0)
		result = open_veth(channel, network, wire);
	if (result == 0 && network->configure)
		result = configure(channel, network, wire);
	if (result == 0) {
		read_mac(wire, network);
		return 0;
	}
failed:
	hv_device_close(wire);
	return result;
}

void hv_device_close(struct hv_guest_wire *wire)
{
	if (wire->fd >= 0)
		close(wire->fd);
	if (wire->netns_fd >= 0)
		close(wire->netns_fd);
	if (wire->diag_fd >= 0)
		close(wire->diag_fd);
	*wire = HV_WIRE_NONE;
}
