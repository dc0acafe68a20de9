/*
 * The commands' side of the control socket: finds the networks that are up, and asks them.
 * doc/control.md describes what is said.
 */
#ifndef HV_CLI_CONTROL_CLIENT_H
#define HV_CLI_CONTROL_CLIENT_H

#include <jansson.h>

#include "gateway/control_name.h"

#define HV_CLIENT_ERROR 512

/* A network that is up. */
struct hv_client_network {
	uid_t uid;
	char name[HV_CONTROL_NAME_SIZE];
};

/*
 * The networks of this user, of all users for root, by name. *list is to be freed. Returns 0, or a
 * negative errno with a line in error.
 */
int hv_client_list(struct hv_client_network **list, size_t *count, char error[HV_CLIENT_ERROR]);

/*
 * The network called `name`, which may also be UID/NAME. Own ones come first. Returns 0, or a
 * negative errno with a line in error: -ENOENT, -EEXIST (root, and several users have one).
 */
int hv_client_find(const char *name, struct hv_client_network *network,
		   char error[HV_CLIENT_ERROR]);

/*
 * Ask one request, or an array of them one after the other, on one connection, until one fails. With "follow" in it, the answer may
 * take for ever. Hand each row of the answer, but its end, to `row`, which keeps it by json_incref. `note`, of HV_CLIENT_ERROR bytes
 * or NULL: what the answer says that it lacks, or "". Returns 0, or a negative errno with a line in error:
 * -ECONNREFUSED, it has ended; -ETIMEDOUT, it does not answer, as when it is stopped; -EREMOTEIO, the
 * gateway says no, in `error`, or -EBUSY, not now.
 */
int hv_client_ask(const struct hv_client_network *network, json_t *request,
		  void (*row)(void *user, json_t *row), void *user, char *note,
		  char error[HV_CLIENT_ERROR]);

/* --- one question at a time, with what belongs to it -------------------------------------- */

/* A connection to a network's control socket. */
struct hv_client_talk {
	int fd;
	int patience_ms; /* for the next row; -1: any */
	const char *name;
	char *buffer;
	size_t size, begin, end; /* what was read and not yet used: begin..end */
};

/* network must live as long as talk. 0, or a negative errno with a line in error; hv_client_close() is for both. */
int hv_client_open(const struct hv_client_network *network, struct hv_client_talk *talk,
		   char error[HV_CLIENT_ERROR]);
void hv_client_close(struct hv_client_talk *talk);

/* A request, and a descriptor with it, which stays the caller's (-1: none). */
int hv_client_say(const struct hv_client_talk *talk, const json_t *request, int passed_fd,
		  char error[HV_CLIENT_ERROR]);
/*
 * The next row of the answer: 1, and *row is the caller's; 0 at its end; or as hv_client_ask(), and -EBUSY: it may be asked again
 * in a moment.
 */
int hv_client_row(struct hv_client_talk *talk, json_t **row, char *note,
		  char error[HV_CLIENT_ERROR]);

#endif
