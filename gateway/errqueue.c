/*
 * The error queue of host sockets. See errqueue.h.
 */
#include "gateway/errqueue.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <time.h>
#include <linux/errqueue.h>

void hv_errqueue_enable(int fd, int family)
{
	int on = 1;

	if (family == AF_INET)
		setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
	else
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
}

bool hv_errqueue_kind(int error, enum haven_icmp_kind *kind)
{
	switch (error) {
	case ECONNREFUSED:
		*kind = HAVEN_ICMP_PORT_UNREACHABLE;
		return true;
	case ENETUNREACH:
	case ENETDOWN:
	case EADDRNOTAVAIL: /* no address of this family to send from */
		*kind = HAVEN_ICMP_NET_UNREACHABLE;
		return true;
	case EHOSTUNREACH:
	case EHOSTDOWN:
		*kind = HAVEN_ICMP_HOST_UNREACHABLE;
		return true;
	case EACCES:
	case EPERM:
		*kind = HAVEN_ICMP_PROHIBITED;
		return true;
	case EMSGSIZE:
		*kind = HAVEN_ICMP_TOO_BIG;
		return true;
	default:
		return false;
	}
}

/* RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1 */
static bool kind_of_icmp4(uint8_t type, uint8_t code, enum haven_icmp_kind *kind)
{
	if (type == ICMP_TIME_EXCEEDED) {
		*kind = HAVEN_ICMP_TIME_EXCEEDED;
		return code == ICMP_EXC_TTL;
	}
	if (type != ICMP_DEST_UNREACH)
		return false;
	switch (code) {
	case ICMP_PORT_UNREACH:
	case ICMP_PROT_UNREACH:
		*kind = HAVEN_ICMP_PORT_UNREACHABLE;
		return true;
	case ICMP_FRAG_NEEDED:
		*kind = HAVEN_ICMP_TOO_BIG;
		return true;
	case ICMP_NET_UNREACH:
	case ICMP_NET_UNKNOWN:
	case ICMP_NET_UNR_TOS:
		*kind = HAVEN_ICMP_NET_UNREACHABLE;
		return true;
	case ICMP_NET_ANO:
	case ICMP_HOST_ANO:
	case ICMP_PKT_FILTERED:
		*kind = HAVEN_ICMP_PROHIBITED;
		return true;
	default:
		*kind = HAVEN_ICMP_HOST_UNREACHABLE;
		return true;
	}
}

/* RFC 4443 section 3 */
static bool kind_of_icmp6(uint8_t type, uint8_t code, enum haven_icmp_kind *kind)
{
	switch (type) {
	case ICMP6_TIME_EXCEEDED:
		*kind = HAVEN_ICMP_TIME_EXCEEDED;
		return code == ICMP6_TIME_EXCEED_TRANSIT;
	case ICMP6_PACKET_TOO_BIG:
		*kind = HAVEN_ICMP_TOO_BIG;
		return true;
	case ICMP6_DST_UNREACH:
		break;
	default:
		return false;
	}
	switch (code) {
	case ICMP6_DST_UNREACH_NOPORT:
		*kind = HAVEN_ICMP_PORT_UNREACHABLE;
		break;
	case ICMP6_DST_UNREACH_NOROUTE:
		*kind = HAVEN_ICMP_NET_UNREACHABLE;
		break;
	case ICMP6_DST_UNREACH_ADMIN:
		*kind = HAVEN_ICMP_PROHIBITED;
		break;
	default:
		*kind = HAVEN_ICMP_HOST_UNREACHABLE;
		break;
	}
	return true;
}

static void read_extended(const struct sock_extended_err *extended, struct hv_net_error *error)
{
	error->error = (int)extended->ee_errno;
	error->mtu = extended->ee_info;
	switch (extended->ee_origin) {
	case SO_EE_ORIGIN_ICMP:
		error->told = kind_of_icmp4(extended->ee_type, extended->ee_code, &error->kind);
		break;
	case SO_EE_ORIGIN_ICMP6:
		error->told = kind_of_icmp6(extended->ee_type, extended->ee_code, &error->kind);
		break;
	default:
		error->local = true;
		error->told = hv_errqueue_kind(error->error, &error->kind);
		return;
	}
	haven_endpoint_from_sockaddr(SO_EE_OFFENDER(extended), &error->offender);
	error->offender.port = 0;
}

int hv_errqueue_read(int fd, struct hv_net_error *error)
{
	struct sockaddr_storage destination = {0};
	char control[512];
	struct iovec iov = {.iov_base = error->data, .iov_len = sizeof(error->data)};
	struct msghdr message = {
		.msg_name = &destination,
		.msg_namelen = sizeof(destination),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t size;

	memset(error, 0, sizeof(*error));
	size = recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT | MSG_TRUNC);
	if (size < 0)
		return 0;
	error->size = (size_t)size;
	if (message.msg_namelen > 0)
		haven_endpoint_from_sockaddr((struct sockaddr *)&destination,
					     &error->destination);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
		    (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR))
			read_extended((const void *)CMSG_DATA(c), error);
	}
	return 1;
}
