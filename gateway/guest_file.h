/*
 * Whole small files, as /proc has them, read and written with one call.
 */
#ifndef HV_GATEWAY_GUEST_FILE_H
#define HV_GATEWAY_GUEST_FILE_H

#include <stddef.h>
#include <sys/types.h>

/* Writes `text` to a file that exists. Returns 0 or a negative errno. */
int hv_file_write(const char *path, const char *text);

/* Reads up to size - 1 bytes and a final NUL. Returns the length or a negative errno. */
ssize_t hv_file_read(const char *path, char *text, size_t size);

#endif
