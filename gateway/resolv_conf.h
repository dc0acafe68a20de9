/*
 * The host's resolvers, as /etc/resolv.conf names them (resolv.conf(5)).
 */
#ifndef HV_GATEWAY_RESOLV_CONF_H
#define HV_GATEWAY_RESOLV_CONF_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define HV_RESOLVERS_MAX 8

struct hv_resolver {
	struct sockaddr_storage address; /* with port 53 */
	socklen_t size;
};

struct hv_resolv_conf {
	const char *path;
	struct stat seen; /* of the file that was read */
	bool read;	  /* ever */
	struct hv_resolver servers[HV_RESOLVERS_MAX];
	unsigned count;
};

/* Reads nothing yet. path must live on. */
void hv_resolv_conf_init(struct hv_resolv_conf *conf, const char *path);

/*
 * Read it anew when it is another file than the one that was read: renamed over, rewritten, linked
 * elsewhere. One stat() when nothing has changed. Returns whether the servers are others now.
 * Without any server named, it is 127.0.0.1, as resolv.conf(5) has it.
 */
bool hv_resolv_conf_refresh(struct hv_resolv_conf *conf);

/* The servers of a text; returns their number. */
unsigned hv_resolv_conf_parse(const char *text, struct hv_resolver servers[HV_RESOLVERS_MAX]);

#endif
