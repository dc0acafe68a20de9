/*
 * Descriptors that clients of the control socket hand over (unix(7), SCM_RIGHTS): one at a time, and nothing but
 * connected stream sockets of the Unix domain.
 */
#ifndef HV_GATEWAY_PASSED_H
#define HV_GATEWAY_PASSED_H

#include <sys/types.h>

/*
 * recv() without waiting, which takes a descriptor along. *fd: it, or -1. *fault: NULL, or why what came was closed again: there were
 * several, or there was no room for it.
 */
ssize_t hv_passed_receive(int socket, void *buffer, size_t size, int *fd, const char **fault);

/*
 * NULL: fd is a connected stream socket of the Unix domain, and does not block from now on. Else what is wrong with it.
 */
const char *hv_passed_prepare(int fd);

#endif
