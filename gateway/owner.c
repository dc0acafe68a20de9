/*
 * Making a survey, step by step: the guest's sockets by sock_diag(7), then their processes. See owner.h.
 */
#include "gateway/owner.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>

/* One recv() of a dump: some 150 sockets. */
#define DUMP_BYTES 16384

static const struct {
	uint8_t family, protocol;
	const char *name;
} dumps[] = {
	{AF_INET, IPPROTO_TCP, "TCP"},
	{AF_INET6, IPPROTO_TCP, "TCP over IPv6"},
	{AF_INET, IPPROTO_UDP, "UDP"},
	{AF_INET6, IPPROTO_UDP, "UDP over IPv6"},
};
#define DUMPS (sizeof(dumps) / sizeof(dumps[0]))

TAILQ_HEAD(hv_survey_waits, hv_survey_wait);

struct hv_surveyor {
	struct hv_gateway *gateway;
	int diag_fd, netns_fd;
	struct hv_loop_timer timer;	/* the next step */
	struct hv_survey_waits next;	/* wait for the survey that has not begun */
	struct hv_survey_waits waiting; /* for the one under way */
	struct hv_survey *survey;	/* under way */
	unsigned dump;			/* which of dumps[] */
	bool dumping;			/* it was asked for, and has not ended */
	uint32_t sequence;
	struct hv_process_scan *scan; /* after the dumps */
};

/* --- the dumps -------------------------------------------------------------------------- */

static int ask(struct hv_surveyor *surveyor)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 request;
	} message = {
		.header = {.nlmsg_len = sizeof(message),
			   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			   .nlmsg_seq = ++surveyor->sequence},
		.request = {.sdiag_family = dumps[surveyor->dump].family,
			    .sdiag_protocol = dumps[surveyor->dump].protocol,
			    .idiag_states = UINT32_MAX},
	};
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	if (sendto(surveyor->diag_fd, &message, sizeof(message), 0, (struct sockaddr *)&kernel,
		   sizeof(kernel)) < 0)
		return -errno;
	surveyor->dumping = true;
	return 0;
}

/* INET_DIAG_SKV6ONLY: a listener that does not take IPv4. */
static bool says_only6(const struct nlmsghdr *header)
{
	const struct inet_diag_msg *message = NLMSG_DATA(header);
	int left = (int)(header->nlmsg_len - NLMSG_LENGTH(sizeof(*message)));
	const struct rtattr *attribute = (const void *)(message + 1);

	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
		if (attribute->rta_type == INET_DIAG_SKV6ONLY)
			return *(const uint8_t *)RTA_DATA(attribute) != 0;
	}
	return false;
}

/* 1: there is more; 0: the dump has ended; a negative errno. */
static int take(struct hv_surveyor *surveyor, const struct nlmsghdr *header)
{
	if (header->nlmsg_seq != surveyor->sequence)
		return 1; /* of a listing that somebody gave up */
	switch (header->nlmsg_type) {
	case NLMSG_DONE:
		return 0;
	case NLMSG_ERROR:
		return ((const struct nlmsgerr *)NLMSG_DATA(header))->error;
	case SOCK_DIAG_BY_FAMILY:
		if (!hv_survey_add(surveyor->survey, dumps[surveyor->dump].protocol,
				   NLMSG_DATA(header), says_only6(header)))
			return -ENOMEM;
		return 1;
	default:
		return 1;
	}
}

/* As take(). The kernel makes a part of its answer whenever one is read. */
static int read_dump(struct hv_surveyor *surveyor)
{
	char buffer[DUMP_BYTES] __attribute__((aligned(8)));
	ssize_t size = recv(surveyor->diag_fd, buffer, sizeof(buffer), 0);
	const struct nlmsghdr *header = (const void *)buffer;

	if (size < 0)
		return errno == EINTR ? 1 : -errno;
	for (unsigned left = (unsigned)size; NLMSG_OK(header, left);
	     header = NLMSG_NEXT(header, left)) {
		int result = take(surveyor, header);

		if (result <= 0)
			return result;
	}
	return 1;
}

/* The note of a survey says what it lacks. A kernel without UDP's listing (udp_diag) still has TCP's. */
static void note_failure(struct hv_surveyor *surveyor, int error)
{
	snprintf(surveyor->survey->note, sizeof(surveyor->survey->note),
		 "the guest's sockets of %s cannot be listed: %s", dumps[surveyor->dump].name,
		 strerror(error));
}

/* One message to or from the kernel. */
static void dump_step(struct hv_surveyor *surveyor)
{
	int result;

	if (!surveyor->dumping) {
		result = ask(surveyor);
		if (result == 0)
			return;
	} else {
		result = read_dump(surveyor);
		if (result > 0)
			return;
	}
	if (result < 0)
		note_failure(surveyor, -result);
	surveyor->dumping = false;
	surveyor->dump++;
}

/* --- the survey ------------------------------------------------------------------------- */

static void deliver(struct hv_survey_waits *waits, struct hv_survey *survey)
{
	struct hv_survey_wait *wait;

	while ((wait = TAILQ_FIRST(waits))) {
		TAILQ_REMOVE(waits, wait, entry);
		wait->waiting = false;
		if (survey)
			survey->references++;
		wait->done(wait, survey);
	}
}

static void finish(struct hv_surveyor *surveyor)
{
	struct hv_survey *survey = surveyor->survey;

	hv_process_scan_free(surveyor->scan);
	surveyor->scan = NULL;
	surveyor->survey = NULL;
	deliver(&surveyor->waiting, survey);
	hv_survey_release(survey);
}

static void begin(struct hv_surveyor *surveyor)
{
	TAILQ_CONCAT(&surveyor->waiting, &surveyor->next, entry);
	surveyor->survey = hv_survey_new();
	if (!surveyor->survey) {
		deliver(&surveyor->waiting, NULL);
		return;
	}
	surveyor->dump = 0;
	surveyor->dumping = false;
	surveyor->gateway->diag_busy = true;
}

/* Returns false when the survey is complete. */
static bool step_survey(struct hv_surveyor *surveyor)
{
	if (surveyor->dump < DUMPS) {
		dump_step(surveyor);
		return true;
	}
	surveyor->gateway->diag_busy = false;
	if (!surveyor->scan) {
		surveyor->scan = hv_process_scan_new(surveyor->survey, surveyor->netns_fd);
		if (!surveyor->scan)
			snprintf(surveyor->survey->note, sizeof(surveyor->survey->note),
				 "the guest's processes cannot be listed: %s", strerror(errno));
		return surveyor->scan != NULL;
	}
	return hv_process_scan_step(surveyor->scan);
}

static void step(struct hv_loop_timer *timer)
{
	struct hv_surveyor *surveyor = hv_container(timer, struct hv_surveyor, timer);
	struct hv_loop *loop = &surveyor->gateway->loop;

	if (!surveyor->survey)
		begin(surveyor);
	else if (!step_survey(surveyor))
		finish(surveyor);
	/* Due in the next turn: what is due now would run in this one. */
	if (surveyor->survey || !TAILQ_EMPTY(&surveyor->next))
		hv_loop_timer_set(loop, timer, loop->now_ns + 1);
}

void hv_survey_ask(struct hv_surveyor *surveyor, struct hv_survey_wait *wait)
{
	struct hv_loop *loop = &surveyor->gateway->loop;

	TAILQ_INSERT_TAIL(&surveyor->next, wait, entry);
	wait->waiting = true;
	if (!hv_loop_timer_armed(&surveyor->timer) &&
	    hv_loop_timer_set(loop, &surveyor->timer, loop->now_ns + 1) < 0) {
		TAILQ_REMOVE(&surveyor->next, wait, entry);
		wait->waiting = false;
		wait->done(wait, NULL);
	}
}

/* Which of the two queues it is in does not matter to its neighbours; to the ends it does. */
static bool is_in(const struct hv_survey_waits *waits, const struct hv_survey_wait *wait)
{
	const struct hv_survey_wait *other;

	TAILQ_FOREACH(other, waits, entry) {
		if (other == wait)
			return true;
	}
	return false;
}

void hv_survey_cancel(struct hv_surveyor *surveyor, struct hv_survey_wait *wait)
{
	if (!wait->waiting)
		return;
	if (is_in(&surveyor->next, wait))
		TAILQ_REMOVE(&surveyor->next, wait, entry);
	else
		TAILQ_REMOVE(&surveyor->waiting, wait, entry);
	wait->waiting = false;
}

struct hv_surveyor *hv_surveyor_new(struct hv_gateway *gateway, int diag_fd, int netns_fd)
{
	struct hv_surveyor *surveyor = calloc(1, sizeof(*surveyor));

	if (!surveyor)
		return NULL;
	surveyor->gateway = gateway;
	surveyor->diag_fd = diag_fd;
	surveyor->netns_fd = netns_fd;
	surveyor->timer.expired = step;
	TAILQ_INIT(&surveyor->next);
	TAILQ_INIT(&surveyor->waiting);
	return surveyor;
}

void hv_surveyor_free(struct hv_surveyor *surveyor)
{
	if (!surveyor)
		return;
	hv_loop_timer_cancel(&surveyor->gateway->loop, &surveyor->timer);
	surveyor->gateway->diag_busy = false;
	hv_process_scan_free(surveyor->scan);
	hv_survey_release(surveyor->survey);
	free(surveyor);
}
