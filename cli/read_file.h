/*
 * A whole file in memory.
 */
#ifndef HV_CLI_READ_FILE_H
#define HV_CLI_READ_FILE_H

#include <stddef.h>

/*
 * The first `max` bytes of a file, with a zero byte behind them that *size does not count. NULL: it cannot be read; errno says why.
 * To be ended with hv_read_file_free().
 */
char *hv_read_file(const char *path, size_t max, size_t *size);
/* Overwrites it first, as it may be a key. NULL is allowed. */
void hv_read_file_free(char *text);

#endif
