/*
 * Why packets are discarded: one name for each place that does so. X(symbol, text)
 */
#ifndef HV_BASE_DROP_H
#define HV_BASE_DROP_H

#define HV_DROP_MAP(X)                                                  \
	X(NO_MEMORY, "no memory")                                       \
	X(LINK_SHORT, "link: frame too short")                          \
	X(LINK_OFFLOAD, "link: bad offload header")                     \
	X(LINK_BUSY, "link: queue full")                                \
	X(LINK_ERROR, "link: send failed")                              \
	X(LINK_OTHER_HOST, "link: for another host")                    \
	X(LINK_ETHERTYPE, "link: unknown ethertype")                    \
	X(FAULT_LOSS, "impairment: loss")                               \
	X(FAULT_QUEUE, "impairment: queue full")                        \
	X(ARP_INVALID, "arp: invalid")                                  \
	X(ND_INVALID, "ndp: invalid")                                   \
	X(NEIGHBOUR_QUEUE, "neighbour: queue full")                     \
	X(NEIGHBOUR_UNREACHABLE, "neighbour: no answer")                \
	X(IP_HEADER, "ip: bad header")                                  \
	X(IP_CHECKSUM, "ip: bad header checksum")                       \
	X(IP_SOURCE, "ip: impossible source address")                   \
	X(IP_NOT_LOCAL, "ip: not for this stack")                       \
	X(IP_PROTOCOL, "ip: unknown protocol")                          \
	X(IP_HOP_LIMIT, "ip: hop limit reached")                        \
	X(IP_OPTIONS, "ip: refused option or extension header")         \
	X(IP_NO_ROUTE, "ip: no route")                                  \
	X(IP_TOO_BIG, "ip: larger than the MTU, may not be fragmented") \
	X(FRAGMENT_INVALID, "fragment: invalid")                        \
	X(FRAGMENT_OVERLAP, "fragment: overlap")                        \
	X(FRAGMENT_LIMIT, "fragment: memory limit")                     \
	X(FRAGMENT_TIMEOUT, "fragment: time-out")                       \
	X(ICMP_INVALID, "icmp: invalid")                                \
	X(ICMP_RATE, "icmp: rate limit")                                \
	X(ICMP_IGNORED, "icmp: nothing to do")                          \
	X(FILTER, "filter: refused by a rule")                          \
	X(UDP_HEADER, "udp: bad header")                                \
	X(UDP_CHECKSUM, "udp: bad checksum")                            \
	X(UDP_NO_SOCKET, "udp: no socket")                              \
	X(UDP_BUFFER, "udp: receive buffer full")                       \
	X(TCP_HEADER, "tcp: bad header")                                \
	X(TCP_CHECKSUM, "tcp: bad checksum")                            \
	X(TCP_NO_SOCKET, "tcp: no socket")                              \
	X(TCP_LISTEN_OVERFLOW, "tcp: backlog full")                     \
	X(TCP_COOKIE, "tcp: wrong SYN cookie")                          \
	X(TCP_REQUEST_LIMIT, "tcp: too many waiting requests")          \
	X(TCP_CONNECTION_LIMIT, "tcp: too many connections")            \
	X(TCP_PAWS, "tcp: old timestamp")                               \
	X(TCP_WINDOW, "tcp: outside of the window")                     \
	X(TCP_ACK, "tcp: unacceptable acknowledgement")                 \
	X(TCP_FLAGS, "tcp: flags make no sense in this state")          \
	X(TCP_DUPLICATE, "tcp: duplicate data")                         \
	X(TCP_OUT_OF_ORDER_LIMIT, "tcp: out-of-order queue full")       \
	X(TCP_RECEIVE_BUFFER, "tcp: receive buffer full")               \
	X(TCP_CLOSED, "tcp: data after close")

enum hv_drop {
#define X(symbol, text) HV_DROP_##symbol,
	HV_DROP_MAP(X)
#undef X
		HV_DROP_COUNT
};

const char *hv_drop_text(enum hv_drop reason);

#endif
