/* The kernel's tables of sockets as text, /proc/net/tcp, unix and their like (proc(5)). */
#ifndef HV_GATEWAY_PROC_NET_H
#define HV_GATEWAY_PROC_NET_H

/* Where a column of a line begins, counted from 0; the end of the line when it has fewer. */
const char *hv_proc_net_column(const char *line, unsigned column);

#endif
