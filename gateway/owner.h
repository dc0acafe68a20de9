/*
 * Who holds the guest's ports: a survey of its sockets, and of the processes whose they are.
 *
 *	sock_diag(7), inside of the guest: address, port, state, uid, inode of each socket
 *	/proc/PID/fd of the processes whose network namespace is the guest's: inode -> process
 *
 * A survey is made in small steps, one in a turn of the loop, so that the guest's traffic does not
 * wait for it, whatever the number of sockets and processes. There is one at a time; who asks while one is
 * under way gets the next, which is then newer than the question.
 */
#ifndef HV_GATEWAY_OWNER_H
#define HV_GATEWAY_OWNER_H

#include <sys/queue.h>
#include <sys/types.h>
#include <time.h>

#include "gateway/gateway.h"

struct inet_diag_msg;

/* States as Linux numbers them (include/net/tcp_states.h); UDP has two of them. */
enum hv_guest_socket_state {
	HV_GUEST_ESTABLISHED = 1,
	HV_GUEST_TIME_WAIT = 6,
	HV_GUEST_CLOSE = 7, /* UDP: bound, without a peer */
	HV_GUEST_LISTEN = 10,
	HV_GUEST_NEW_SYN_RECV = 12,
	HV_GUEST_STATES
};

#define HV_NO_PROCESS UINT32_MAX
#define HV_NO_SOCKET  UINT32_MAX

struct hv_guest_process {
	pid_t pid;	/* as the host sees it */
	time_t started; /* 0: not known */
	char name[16];	/* /proc/PID/comm: any bytes but NUL */
};

/* A socket of the guest. */
struct hv_guest_socket {
	struct haven_endpoint local, remote;
	uint8_t protocol;
	uint8_t state;
	bool ipv6; /* AF_INET6: unspecified means both families, unless only6 */
	bool only6;
	bool counted; /* in the connections of a listener */
	uint32_t uid;
	uint32_t inode;		/* 0: no process has it (TIME-WAIT) */
	uint32_t process;	/* index, or HV_NO_PROCESS */
	uint32_t holders;	/* processes that have it */
	uint32_t connections;	/* listeners: those at this port, without TIME-WAIT */
	uint32_t same_port;	/* listeners: another one at this port, or HV_NO_SOCKET */
	uint32_t expires_ms;	/* TIME-WAIT: what is left of it */
	uint32_t receive_queue; /* bytes; listeners: connections to be accepted */
	uint32_t send_queue;	/* bytes; listeners: the most that can wait */
};

/* What was found. Shared by all who wait for it. */
struct hv_survey {
	unsigned references;
	time_t taken;
	struct hv_guest_socket *sockets;
	size_t count, size;
	struct hv_guest_process *processes;
	size_t process_count, process_size;
	uint32_t *by_inode; /* open addressing over sockets, index + 1 */
	size_t by_inode_size, by_inode_used;
	uint32_t *listeners; /* of TCP, by port: the last found, or HV_NO_SOCKET */
	char note[128];	     /* what could not be seen; empty: nothing */
};

void hv_survey_release(struct hv_survey *survey);

/* Somebody who waits. Embedded. */
struct hv_survey_wait {
	TAILQ_ENTRY(hv_survey_wait) entry;
	bool waiting;
	/* survey: NULL without memory. The callee has one reference of it. */
	void (*done)(struct hv_survey_wait *wait, struct hv_survey *survey);
};

struct hv_surveyor;

/* Neither descriptor is taken. NULL without memory. */
struct hv_surveyor *hv_surveyor_new(struct hv_gateway *gateway, int diag_fd, int netns_fd);
/* Nobody may wait any more. */
void hv_surveyor_free(struct hv_surveyor *surveyor);

void hv_survey_ask(struct hv_surveyor *surveyor, struct hv_survey_wait *wait);
void hv_survey_cancel(struct hv_surveyor *surveyor, struct hv_survey_wait *wait);

/* --- owner_survey.c: what a survey holds ------------------------------------------------ */

struct hv_survey *hv_survey_new(void);
/* False without memory. */
bool hv_survey_add(struct hv_survey *survey, uint8_t protocol,
		   const struct inet_diag_msg *message, bool only6);
/* The socket of an inode, or NULL. */
struct hv_guest_socket *hv_survey_find(const struct hv_survey *survey, uint32_t inode);
/* The index of a new process, or HV_NO_PROCESS without memory. */
uint32_t hv_survey_add_process(struct hv_survey *survey, pid_t pid);

/* --- owner_process.c: /proc in steps ---------------------------------------------------- */

struct hv_process_scan;

/* netns_fd: whose processes. NULL with errno set. */
struct hv_process_scan *hv_process_scan_new(struct hv_survey *survey, int netns_fd);
void hv_process_scan_free(struct hv_process_scan *scan);
/* A bounded share of the work. True: there is more. */
bool hv_process_scan_step(struct hv_process_scan *scan);

/* From a line of /proc/PID/stat: field 22, when the process started, in clock ticks after boot; 0: malformed. */
unsigned long long hv_process_start_ticks(const char *line);

#endif
