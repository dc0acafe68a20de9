/*
 * What a survey holds: sockets by inode, connections counted at their listeners. See owner.h.
 */
#include "gateway/owner.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <linux/inet_diag.h>

#define PORTS 65536

struct hv_survey *hv_survey_new(void)
{
	struct hv_survey *survey = calloc(1, sizeof(*survey));

	if (!survey)
		return NULL;
	survey->references = 1;
	survey->taken = time(NULL);
	survey->listeners = malloc(PORTS * sizeof(*survey->listeners));
	if (!survey->listeners) {
		free(survey);
		return NULL;
	}
	memset(survey->listeners, 0xff, PORTS * sizeof(*survey->listeners)); /* HV_NO_SOCKET */
	return survey;
}

void hv_survey_release(struct hv_survey *survey)
{
	if (!survey || --survey->references > 0)
		return;
	free(survey->sockets);
	free(survey->processes);
	free(survey->by_inode);
	free(survey->listeners);
	free(survey);
}

/* --- sockets by inode ------------------------------------------------------------------- */

/* Inodes are numbers that the kernel counts up: they spread by themselves. */
static size_t slot_of(const struct hv_survey *survey, uint32_t inode)
{
	size_t slot = inode & (survey->by_inode_size - 1);

	while (survey->by_inode[slot] &&
	       survey->sockets[survey->by_inode[slot] - 1].inode != inode)
		slot = (slot + 1) & (survey->by_inode_size - 1);
	return slot;
}

static bool grow_index(struct hv_survey *survey)
{
	uint32_t *old = survey->by_inode;
	size_t old_size = survey->by_inode_size;
	size_t size = old_size ? old_size * 2 : 256;
	uint32_t *index = calloc(size, sizeof(*index));

	if (!index)
		return false;
	survey->by_inode = index;
	survey->by_inode_size = size;
	for (size_t i = 0; i < old_size; i++) {
		if (old[i])
			index[slot_of(survey, survey->sockets[old[i] - 1].inode)] = old[i];
	}
	free(old);
	return true;
}

static bool index_socket(struct hv_survey *survey, uint32_t number)
{
	size_t slot;

	if (survey->sockets[number].inode == 0)
		return true;
	if (survey->by_inode_used * 2 >= survey->by_inode_size && !grow_index(survey))
		return false;
	slot = slot_of(survey, survey->sockets[number].inode);
	if (!survey->by_inode[slot])
		survey->by_inode_used++;
	survey->by_inode[slot] = number + 1;
	return true;
}

struct hv_guest_socket *hv_survey_find(const struct hv_survey *survey, uint32_t inode)
{
	size_t slot;

	if (inode == 0 || survey->by_inode_size == 0)
		return NULL;
	slot = slot_of(survey, inode);
	return survey->by_inode[slot] ? &survey->sockets[survey->by_inode[slot] - 1] : NULL;
}

/* --- adding ----------------------------------------------------------------------------- */

/* array, count, size: room for one more of `each` bytes. */
static bool make_room(void **array, size_t count, size_t *size, size_t each)
{
	size_t wanted = *size ? *size * 2 : 64;
	void *grown;

	if (count < *size)
		return true;
	grown = realloc(*array, wanted * each);
	if (!grown)
		return false;
	*array = grown;
	*size = wanted;
	return true;
}

static void endpoint_of(uint8_t family, const void *address, uint16_t port,
			struct haven_endpoint *endpoint)
{
	if (family == AF_INET)
		hv_address_from_v4(endpoint->address, address);
	else
		memcpy(endpoint->address, address, 16);
	endpoint->port = ntohs(port);
}

/* The listener that took a connection: bound to its address, else to all. Listeners are listed first. */
static void count_connection(struct hv_survey *survey, struct hv_guest_socket *socket)
{
	uint32_t number = survey->listeners[socket->local.port];
	struct hv_guest_socket *wildcard = NULL;

	for (; number != HV_NO_SOCKET; number = survey->sockets[number].same_port) {
		struct hv_guest_socket *listener = &survey->sockets[number];

		if (hv_endpoint_equal(&listener->local, &socket->local)) {
			wildcard = listener;
			break;
		}
		if (hv_address_is_unspecified(listener->local.address) &&
		    listener->ipv6 == socket->ipv6)
			wildcard = listener;
	}
	if (wildcard) {
		wildcard->connections += socket->state != HV_GUEST_TIME_WAIT;
		socket->counted = true;
	}
}

bool hv_survey_add(struct hv_survey *survey, uint8_t protocol,
		   const struct inet_diag_msg *message, bool only6)
{
	uint32_t number = (uint32_t)survey->count;
	struct hv_guest_socket *socket;
	void *sockets = survey->sockets;

	if (!make_room(&sockets, survey->count, &survey->size, sizeof(*socket)))
		return false;
	survey->sockets = sockets;
	socket = &survey->sockets[number];
	*socket = (struct hv_guest_socket){
		.protocol = protocol,
		.state = message->idiag_state,
		.ipv6 = message->idiag_family == AF_INET6,
		.only6 = only6,
		.uid = message->idiag_uid,
		.inode = message->idiag_inode,
		.process = HV_NO_PROCESS,
		.same_port = HV_NO_SOCKET,
		.expires_ms = message->idiag_expires,
		.receive_queue = message->idiag_rqueue,
		.send_queue = message->idiag_wqueue,
	};
	endpoint_of(message->idiag_family, message->id.idiag_src, message->id.idiag_sport,
		    &socket->local);
	endpoint_of(message->idiag_family, message->id.idiag_dst, message->id.idiag_dport,
		    &socket->remote);
	survey->count++;
	if (protocol == IPPROTO_TCP && socket->state == HV_GUEST_LISTEN) {
		socket->same_port = survey->listeners[socket->local.port];
		survey->listeners[socket->local.port] = number;
	} else if (protocol == IPPROTO_TCP) {
		count_connection(survey, socket);
	}
	return index_socket(survey, number);
}

uint32_t hv_survey_add_process(struct hv_survey *survey, pid_t pid)
{
	void *processes = survey->processes;
	uint32_t number = (uint32_t)survey->process_count;

	if (!make_room(&processes, survey->process_count, &survey->process_size,
		       sizeof(*survey->processes)))
		return HV_NO_PROCESS;
	survey->processes = processes;
	survey->processes[number] = (struct hv_guest_process){.pid = pid};
	survey->process_count++;
	return number;
}
