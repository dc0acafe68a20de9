/*
 * Reading a descriptor to its end, or as far as there is room.
 */
#ifndef HV_GATEWAY_READ_FD_H
#define HV_GATEWAY_READ_FD_H

#include <sys/types.h>

/* Up to `size` bytes; fewer at the file's end. Negative errno. */
ssize_t hv_read_fd(int fd, char *text, size_t size);

#endif
