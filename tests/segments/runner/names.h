/* Names that a script may use, and what they stand for. */
#ifndef SEGMENTS_NAMES_H
#define SEGMENTS_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* errno of a name ("EAGAIN"), or -1. */
int seg_errno_of(const char *name);
/* HAVEN_EVENT_ bit of a name ("readable"), or 0. */
unsigned seg_event_of(const char *name);
/* "readable writable": into a buffer, which is returned. */
const char *seg_events_text(unsigned events, char *out, size_t size);
/* MSG_ bit of a name ("more"), or 0. */
unsigned seg_message_flag_of(const char *name);

struct seg_socket_option {
	const char *name;
	int level, option;
	bool is_text, is_linger;
};
const struct seg_socket_option *seg_socket_option_of(const char *name);

/* Where a field of TCP_INFO is, or NULL. */
struct seg_info_field {
	const char *name;
	size_t offset, size;
};
const struct seg_info_field *seg_info_field_of(const char *name);

#endif
