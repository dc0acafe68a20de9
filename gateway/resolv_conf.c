/*
 * resolv.conf: reading it, and noticing that it changed. See resolv_conf.h.
 *
 * A stat() before each use costs a microsecond and sees every way in which the file can change
 * (rename, link, bind mount, network file system), where inotify sees some of them.
 */
#include "gateway/resolv_conf.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX (64 * 1024)

void hv_resolv_conf_init(struct hv_resolv_conf *conf, const char *path)
{
	memset(conf, 0, sizeof(*conf));
	conf->path = path;
}

static bool parse_server(char *text, struct hv_resolver *server)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&server->address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&server->address;
	char *zone = strchr(text, '%');

	memset(server, 0, sizeof(*server));
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(53);
		server->size = sizeof(*in);
		return true;
	}
	if (zone) {
		*zone++ = '\0';
		in6->sin6_scope_id = if_nametoindex(zone);
		if (in6->sin6_scope_id == 0)
			in6->sin6_scope_id = (uint32_t)strtoul(zone, NULL, 10);
	}
	if (inet_pton(AF_INET6, text, &in6->sin6_addr) != 1)
		return false;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(53);
	server->size = sizeof(*in6);
	return true;
}

/* "nameserver" blank address, at the line's start. */
static bool parse_line(const char *line, size_t size, struct hv_resolver *server)
{
	static const char keyword[] = "nameserver";
	char address[80];
	size_t length = 0;

	if (size <= sizeof(keyword) - 1 || memcmp(line, keyword, sizeof(keyword) - 1) != 0)
		return false;
	line += sizeof(keyword) - 1;
	size -= sizeof(keyword) - 1;
	if (*line != ' ' && *line != '\t')
		return false;
	while (size > 0 && (*line == ' ' || *line == '\t')) {
		line++;
		size--;
	}
	while (length < size && length < sizeof(address) - 1 &&
	       !strchr(" \t\r", line[length])) {
		address[length] = line[length];
		length++;
	}
	address[length] = '\0';
	return parse_server(address, server);
}

unsigned hv_resolv_conf_parse(const char *text, struct hv_resolver servers[HV_RESOLVERS_MAX])
{
	unsigned count = 0;

	while (*text && count < HV_RESOLVERS_MAX) {
		size_t size = strcspn(text, "\n");

		if (parse_line(text, size, &servers[count]))
			count++;
		text += size;
		if (*text)
			text++;
	}
	return count;
}

static void read_servers(struct hv_resolv_conf *conf)
{
	char *text = malloc(FILE_MAX);
	int fd = open(conf->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t size = 0;

	conf->count = 0;
	if (text && fd >= 0)
		size = read(fd, text, FILE_MAX - 1);
	if (text && size > 0) {
		text[size] = '\0';
		conf->count = hv_resolv_conf_parse(text, conf->servers);
	}
	if (fd >= 0)
		close(fd);
	free(text);
	if (conf->count == 0) {
		char loopback[] = "127.0.0.1";

		parse_server(loopback, &conf->servers[0]);
		conf->count = 1;
	}
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

bool hv_resolv_conf_refresh(struct hv_resolv_conf *conf)
{
	struct stat now = {0};

	/* While it is being replaced it may be missing: the servers of before still do. */
	if (stat(conf->path, &now) < 0 && conf->read)
		return false;
	if (conf->read && same_file(&now, &conf->seen))
		return false;
	conf->read = true;
	conf->seen = now;
	read_servers(conf);
	return true;
}
