/*
 * From a port to the socket's inode (/proc/net/tcp and its like, proc(5)), from the inode to the process whose
 * descriptor it is (/proc/PID/fd). See port_holder.h.
 */
#include "gateway/port_holder.h"

#include <ctype.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/proc_net.h"

/* States of the table's "st" column (Linux's include/net/tcp_states.h). */
#define STATE_LISTEN 0x0a
#define STATE_CLOSE  0x07 /* what an unconnected UDP socket has */

/* sl: local:port remote:port st tx:rx tr:when retrnsmt uid timeout inode */
enum { COLUMN_LOCAL = 1, COLUMN_STATE = 3, COLUMN_UID = 7, COLUMN_INODE = 9 };

static bool number_at(const char *text, int base, unsigned long *number)
{
	char *end;

	if (!isxdigit((unsigned char)*text))
		return false;
	*number = strtoul(text, &end, base);
	return end != text;
}

bool hv_port_holder_parse(const char *line, uint8_t protocol, uint16_t port,
			  unsigned long *inode, unsigned *uid)
{
	const char *local = hv_proc_net_column(line, COLUMN_LOCAL);
	unsigned long local_port, state, owner;

	local += strcspn(local, ": ");
	if (*local != ':' || !number_at(local + 1, 16, &local_port) ||
	    !number_at(hv_proc_net_column(line, COLUMN_STATE), 16, &state) ||
	    !number_at(hv_proc_net_column(line, COLUMN_UID), 10, &owner) ||
	    !number_at(hv_proc_net_column(line, COLUMN_INODE), 10, inode))
		return false;
	*uid = (unsigned)owner;
	return local_port == port &&
	       state == (protocol == IPPROTO_TCP ? STATE_LISTEN : STATE_CLOSE);
}

static bool find_socket(const char *path, uint8_t protocol, uint16_t port, unsigned long *inode,
			unsigned *uid)
{
	FILE *file = fopen(path, "re");
	char line[512];
	bool found = false;

	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file))
		found = hv_port_holder_parse(line, protocol, port, inode, uid);
	fclose(file);
	return found;
}

static bool has_descriptor(const char *pid, const char *link_wanted)
{
	char path[300], link[64];
	DIR *directory;
	struct dirent *entry;
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	directory = opendir(path);
	if (!directory)
		return false;
	while (!found && (entry = readdir(directory))) {
		ssize_t size =
			readlinkat(dirfd(directory), entry->d_name, link, sizeof(link) - 1);

		if (size <= 0)
			continue;
		link[size] = '\0';
		found = strcmp(link, link_wanted) == 0;
	}
	closedir(directory);
	return found;
}

static void name_of(const char *pid, char *name, size_t size)
{
	char path[300];
	FILE *file;

	snprintf(name, size, "a process");
	snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
	file = fopen(path, "re");
	if (!file)
		return;
	if (fgets(name, (int)size, file))
		name[strcspn(name, "\n")] = '\0';
	fclose(file);
}

static bool find_process(unsigned long inode, char *text, size_t size)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	char link[64], name[64];
	bool found = false;

	if (!proc)
		return false;
	snprintf(link, sizeof(link), "socket:[%lu]", inode);
	while (!found && (entry = readdir(proc))) {
		if (entry->d_name[0] < '0' || entry->d_name[0] > '9' ||
		    !has_descriptor(entry->d_name, link))
			continue;
		name_of(entry->d_name, name, sizeof(name));
		snprintf(text, size, "%s (process %.20s)", name, entry->d_name);
		found = true;
	}
	closedir(proc);
	return found;
}

bool hv_port_holder(uint8_t protocol, uint16_t port, char *text, size_t size)
{
	bool tcp = protocol == IPPROTO_TCP;
	unsigned long inode = 0;
	unsigned uid = 0;

	if (!find_socket(tcp ? "/proc/net/tcp" : "/proc/net/udp", protocol, port, &inode,
			 &uid) &&
	    !find_socket(tcp ? "/proc/net/tcp6" : "/proc/net/udp6", protocol, port, &inode,
			 &uid))
		return false;
	if (!find_process(inode, text, size))
		snprintf(text, size, "a process of user %u that cannot be seen from here", uid);
	return true;
}
