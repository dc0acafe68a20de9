/*
 * Who holds a port of the host, as far as /proc lets us see.
 */
#ifndef HV_GATEWAY_PORT_HOLDER_H
#define HV_GATEWAY_PORT_HOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Writes "nginx (process 1234)" when the process can be seen, "another user's process (uid 33)" when only the
 * socket can. Returns false when there is no such socket.
 */
bool hv_port_holder(uint8_t protocol, uint16_t port, char *text, size_t size);

/*
 * One line of /proc/net/{tcp,udp}{,6}: whether it is a listener (TCP) or bound socket (UDP) at
 * `port`; its inode and owner.
 */
bool hv_port_holder_parse(const char *line, uint8_t protocol, uint16_t port,
			  unsigned long *inode, unsigned *uid);

#endif
