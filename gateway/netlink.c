/*
 * rtnetlink requests in batches: see netlink.h.
 */
#include "gateway/netlink.h"

#include <assert.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

/* No request of this file is longer than this. */
#define REQUEST_SIZE_MAX 256
_Static_assert(HV_NETLINK_REQUESTS_MAX *REQUEST_SIZE_MAX <= HV_NETLINK_BUFFER_SIZE,
	       "a full batch fits");

int hv_netlink_open(struct hv_netlink *netlink)
{
	int error;

	memset(netlink, 0, sizeof(*netlink));
	netlink->first_sequence = 1;
	netlink->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!netlink->socket)
		return -errno;
	if (mnl_socket_bind(netlink->socket, 0, MNL_SOCKET_AUTOPID) == 0)
		return 0;
	error = errno;
	hv_netlink_close(netlink);
	return -error;
}

void hv_netlink_close(struct hv_netlink *netlink)
{
	if (netlink->socket)
		mnl_socket_close(netlink->socket);
	netlink->socket = NULL;
}

void hv_netlink_reset(struct hv_netlink *netlink)
{
	netlink->first_sequence += netlink->count;
	netlink->count = 0;
	netlink->used = 0;
}

static struct nlmsghdr *begin(struct hv_netlink *netlink, const char *name, uint16_t type,
			      uint16_t flags)
{
	struct nlmsghdr *request;

	assert(netlink->count < HV_NETLINK_REQUESTS_MAX);
	request = mnl_nlmsg_put_header(netlink->buffer + netlink->used);
	request->nlmsg_type = type;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	request->nlmsg_seq = netlink->first_sequence + netlink->count;
	netlink->names[netlink->count] = name;
	return request;
}

static void end(struct hv_netlink *netlink, const struct nlmsghdr *request)
{
	assert(request->nlmsg_len <= REQUEST_SIZE_MAX);
	netlink->used += MNL_ALIGN(request->nlmsg_len);
	netlink->count++;
}

static size_t address_size(int family)
{
	return family == AF_INET ? 4 : 16;
}

void hv_netlink_set_link(struct hv_netlink *netlink, const char *name,
			 const struct hv_netlink_link *link)
{
	struct nlmsghdr *request = begin(netlink, name, RTM_NEWLINK, 0);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));

	info->ifi_family = AF_UNSPEC;
	info->ifi_index = link->ifindex;
	if (link->no_arp) {
		info->ifi_flags |= IFF_NOARP;
		info->ifi_change |= IFF_NOARP;
	}
	if (link->mtu)
		mnl_attr_put_u32(request, IFLA_MTU, link->mtu);
	if (link->queue_packets)
		mnl_attr_put_u32(request, IFLA_TXQLEN, link->queue_packets);
	if (link->mac)
		mnl_attr_put(request, IFLA_ADDRESS, 6, link->mac);
	if (link->no_link_local) {
		struct nlattr *all = mnl_attr_nest_start(request, IFLA_AF_SPEC);
		struct nlattr *ipv6 = mnl_attr_nest_start(request, AF_INET6);

		mnl_attr_put_u8(request, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
		mnl_attr_nest_end(request, ipv6);
		mnl_attr_nest_end(request, all);
	}
	end(netlink, request);
}

void hv_netlink_set_up(struct hv_netlink *netlink, const char *name, int ifindex)
{
	struct nlmsghdr *request = begin(netlink, name, RTM_NEWLINK, 0);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));

	info->ifi_family = AF_UNSPEC;
	info->ifi_index = ifindex;
	info->ifi_flags = IFF_UP;
	info->ifi_change = IFF_UP;
	end(netlink, request);
}

void hv_netlink_add_veth(struct hv_netlink *netlink, const char *name, const char *near,
			 const char *far, int far_netns_fd, uint32_t mtu)
{
	struct nlmsghdr *request = begin(netlink, name, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));
	struct nlattr *linkinfo, *data, *peer;

	info->ifi_family = AF_UNSPEC;
	mnl_attr_put_strz(request, IFLA_IFNAME, near);
	mnl_attr_put_u32(request, IFLA_MTU, mtu);
	linkinfo = mnl_attr_nest_start(request, IFLA_LINKINFO);
	mnl_attr_put_strz(request, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(request, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(request, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(request, IFLA_IFNAME, far);
	mnl_attr_put_u32(request, IFLA_MTU, mtu);
	mnl_attr_put_u32(request, IFLA_NET_NS_FD, (uint32_t)far_netns_fd);
	mnl_attr_nest_end(request, peer);
	mnl_attr_nest_end(request, data);
	mnl_attr_nest_end(request, linkinfo);
	end(netlink, request);
}

void hv_netlink_add_address(struct hv_netlink *netlink, const char *name, int ifindex,
			    int family, const void *address, uint8_t prefix)
{
	struct nlmsghdr *request = begin(netlink, name, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
	struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));

	info->ifa_family = (uint8_t)family;
	info->ifa_prefixlen = prefix;
	info->ifa_index = (uint32_t)ifindex;
	/* RFC 4862, 5.4: nobody else is on this wire, so waiting to find out is time lost. */
	info->ifa_flags = family == AF_INET6 ? IFA_F_NODAD : 0;
	mnl_attr_put(request, IFA_LOCAL, address_size(family), address);
	mnl_attr_put(request, IFA_ADDRESS, address_size(family), address);
	end(netlink, request);
}

void hv_netlink_add_default_route(struct hv_netlink *netlink, const char *name, int ifindex,
				  int family, const void *gateway, bool onlink)
{
	struct nlmsghdr *request =
		begin(netlink, name, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
	struct rtmsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));

	info->rtm_family = (uint8_t)family;
	info->rtm_table = RT_TABLE_MAIN;
	info->rtm_protocol = RTPROT_STATIC;
	info->rtm_scope = RT_SCOPE_UNIVERSE;
	info->rtm_type = RTN_UNICAST;
	info->rtm_flags = onlink ? RTNH_F_ONLINK : 0;
	mnl_attr_put(request, RTA_GATEWAY, address_size(family), gateway);
	mnl_attr_put_u32(request, RTA_OIF, (uint32_t)ifindex);
	end(netlink, request);
}

/* Looks at one datagram of answers. Returns how many were in it, and the first error. */
static unsigned int count_answers(const struct hv_netlink *netlink, const char *answers,
				  ssize_t length, int *error, const char **failed)
{
	unsigned int count = 0;
	int rest = (int)length;

	for (const struct nlmsghdr *answer = (const struct nlmsghdr *)answers;
	     mnl_nlmsg_ok(answer, rest); answer = mnl_nlmsg_next(answer, &rest)) {
		const struct nlmsgerr *result = mnl_nlmsg_get_payload(answer);
		uint32_t index = answer->nlmsg_seq - netlink->first_sequence;

		if (answer->nlmsg_type != NLMSG_ERROR || index >= netlink->count)
			continue;
		count++;
		if (result->error && !*error) {
			*error = result->error;
			*failed = netlink->names[index];
		}
	}
	return count;
}

int hv_netlink_commit(struct hv_netlink *netlink, const char **failed)
{
	_Alignas(8) char answers[8192];
	unsigned int answered = 0;
	int error = 0;

	*failed = "send";
	if (mnl_socket_sendto(netlink->socket, netlink->buffer, netlink->used) < 0)
		return -errno;
	while (answered < netlink->count) {
		ssize_t length = mnl_socket_recvfrom(netlink->socket, answers, sizeof(answers));

		if (length < 0 && errno == EINTR)
			continue;
		if (length <= 0)
			return length < 0 ? -errno : -EPIPE;
		answered += count_answers(netlink, answers, length, &error, failed);
	}
	hv_netlink_reset(netlink);
	return error;
}
