/*
 * The directory of the local authority and its files, as authority.c reads and writes them: under a lock, each file whole or not
 * at all, and nothing that another user could have read or changed.
 */
#ifndef HV_GATEWAY_AUTHORITY_STORE_H
#define HV_GATEWAY_AUTHORITY_STORE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define HV_STORE_TEXT_MAX 32768 /* of a file, with the final NUL */

struct hv_store {
	char folder[PATH_MAX];
	int fd; /* of the folder; -1: not open */
	int lock; /* held while this is open; -1: on a read-only file system, where nobody writes */
	char *error;
	size_t error_size;
};

/* Write the line of what is wrong, and return `code`. */
int hv_store_fail(struct hv_store *store, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Make the folder when there is none (0700), and wait for the lock. What fails here says why in error, and is closed. */
int hv_store_open(struct hv_store *store, char *error, size_t size);
void hv_store_close(struct hv_store *store);

/*
 * A whole file as text. secret: others must not be able to read it either. Returns -ENOENT without a line when there is none. The text may be a
 * key: wipe it.
 */
int hv_store_read(struct hv_store *store, const char *name, bool secret,
		  char text[HV_STORE_TEXT_MAX]);
/* Mode 0600, on the disk when this returns; a file that is there is replaced. */
int hv_store_write(struct hv_store *store, const char *name, const char *text);
/* Call it NAME.old, if it is there. */
int hv_store_set_aside(struct hv_store *store, const char *name);

#endif
