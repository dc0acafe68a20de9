/*
 * "\0haven/UID/NAME". See control_name.h.
 */
#include "gateway/control_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/proc_net.h"

#define PREFIX "haven/"

static bool is_alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool may_be_inside(char c)
{
	return is_alphanumeric(c) || c == '.' || c == '_' || c == '-';
}

bool hv_control_name_valid(const char *name)
{
	size_t size = 0;

	if (!is_alphanumeric(name[0]))
		return false;
	while (size < HV_CONTROL_NAME_SIZE && may_be_inside(name[size]))
		size++;
	return size < HV_CONTROL_NAME_SIZE && name[size] == '\0';
}

void hv_control_name_make(const char *command, pid_t pid, char name[HV_CONTROL_NAME_SIZE])
{
	const char *base = strrchr(command, '/');
	char start[32];
	size_t used = 0;

	base = base ? base + 1 : command;
	for (; *base && used + 1 < sizeof(start); base++) {
		if (used ? may_be_inside(*base) : is_alphanumeric(*base))
			start[used++] = *base;
	}
	start[used] = '\0';
	snprintf(name, HV_CONTROL_NAME_SIZE, "%s-%d", used ? start : "net", (int)pid);
}

socklen_t hv_control_address(uid_t uid, const char *name, struct sockaddr_un *address)
{
	int size;

	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	size = snprintf(address->sun_path + 1, sizeof(address->sun_path) - 1, PREFIX "%u/%s",
			(unsigned)uid, name);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)size);
}

/* Num: RefCount Protocol Flags Type St Inode Path */
enum { COLUMN_FLAGS = 3, COLUMN_PATH = 7 };
/* __SO_ACCEPTCON: it listens. */
#define FLAG_LISTENS 0x10000

bool hv_control_name_parse(const char *line, uid_t *uid, char name[HV_CONTROL_NAME_SIZE])
{
	static const char prefix[] = "@" PREFIX;
	const char *path = hv_proc_net_column(line, COLUMN_PATH);
	size_t size;
	char *end;

	if (strncmp(path, prefix, sizeof(prefix) - 1) != 0 ||
	    !(strtoul(hv_proc_net_column(line, COLUMN_FLAGS), NULL, 16) & FLAG_LISTENS))
		return false;
	path += sizeof(prefix) - 1;
	if (path[0] < '0' || path[0] > '9')
		return false;
	*uid = (uid_t)strtoul(path, &end, 10);
	if (*end != '/')
		return false;
	size = strcspn(end + 1, "\n");
	if (size >= HV_CONTROL_NAME_SIZE)
		return false;
	memcpy(name, end + 1, size);
	name[size] = '\0';
	return hv_control_name_valid(name);
}
