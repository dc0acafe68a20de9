/*
 * What a script's command line and its shell commands set.
 *
 * Flags (--so_flags) are words "key=value" with commas between them:
 *	local=ADDRESS[/BITS]	an address of the stack; may stand there more than once
 *	remote=ADDRESS		whom the script plays (only the family matters: everything is routed to it)
 *	mtu=N			of the link; default 1500
 *	sysctl=FILE		lines "name=value", read again at each socket(); a later line wins
 *	quickack=0|1		acknowledge the first segments of a connection at once; default 1
 *	wmem=linux	count send buffers as Linux does (linux_wmem.c)
 *	segment=N		frames that are larger come as several segments put together (GRO): of N bytes each
 *
 * A sysctl is known by its last part: net.ipv4.tcp_sack and tcp_sack are the same.
 */
#ifndef HAVEN_PACKETDRILL_SETTINGS_H
#define HAVEN_PACKETDRILL_SETTINGS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	SETTINGS_ADDRESSES = 4,
	SETTINGS_SYSCTLS = 64,
	SETTINGS_NAME = 40,
	SETTINGS_VALUE = 120,
};

struct setting {
	char name[SETTINGS_NAME], value[SETTINGS_VALUE];
};

struct local_address {
	struct sockaddr_storage address;
	unsigned prefix_bits;
};

struct settings {
	struct local_address locals[SETTINGS_ADDRESSES];
	unsigned local_count;
	unsigned mtu;
	unsigned segment; /* 0: frames are single segments */
	bool no_quick_acks;
	bool linux_wmem;
	char file[256];
	struct setting sysctls[SETTINGS_SYSCTLS];
	unsigned sysctl_count;
};

/* Read the flags; false with a message on stderr: a word is wrong. */
bool settings_init(struct settings *settings, const char *flags);
/* Read the file of sysctls, when there is one. */
void settings_reload(struct settings *settings);
/* Number `index` (from 0) of a sysctl's value; `otherwise` when it was not set. */
long settings_number(const struct settings *settings, const char *name, unsigned index,
		     long otherwise);
/* The value, or NULL. */
const char *settings_text(const struct settings *settings, const char *name);

#endif
