/*
 * What haven keeps about its guest; shared by guest.c (life), guest_start.c and guest_attach.c
 * (birth).
 */
#ifndef HV_GATEWAY_GUEST_STATE_H
#define HV_GATEWAY_GUEST_STATE_H

#include <signal.h>

#include "gateway/guest.h"
#include "gateway/guest_explain.h"
#include "gateway/guest_message.h"
#include "gateway/guest_tty.h"
#include "gateway/netns.h"

/*
 *	PREPARED --release--> RELEASED --STARTED--> RUNNING --ENDED, then init gone--> OVER
 *
 * The end may come in each state. An attached guest is RUNNING from the start.
 */
enum hv_guest_phase {
	HV_PHASE_PREPARED, /* init waits for RELEASE */
	HV_PHASE_RELEASED, /* init was told, the command has not said that it runs */
	HV_PHASE_RUNNING,
	HV_PHASE_OVER,
};

struct hv_guest {
	enum hv_guest_phase phase;
	bool attached;
	struct hv_guest_log log;
	struct hv_guest_wire wire;
	struct hv_tty tty;
	struct hv_netns target; /* attached */
	char *command;		/* argv[0], for messages; NULL when attached */
	int channel;		/* to init; -1 when attached */
	int pidfd;		/* of init; -1 when attached */
	pid_t pid;		/* of init, or of the target */
	bool status_known;	/* init has told the command's end */
	int status;		/* exit status for haven */
	int die_by;		/* see hv_guest_die_by */
	int epoll_fd;		/* over channel, pidfd, tty, signal_fd, target.watch_fd */
	int signal_fd;
	sigset_t old_mask;
};

/* A guest with no descriptor open, and `signals` (ended by 0) blocked and readable. Returns NULL
 * with errno set. */
struct hv_guest *hv_guest_new(const struct hv_guest_log *log, const int *signals);

/* Adds one descriptor to those that hv_guest_fd stands for: `events` as EPOLLIN, 0 for its end alone.
 * Returns 0 or a negative errno. */
int hv_guest_watch(struct hv_guest *guest, int fd, uint32_t events);

/* Says one line to the log. */
void hv_guest_say(const struct hv_guest *guest, enum hv_guest_log_level level,
		  const char *format, ...) __attribute__((format(printf, 3, 4)));

/*
 * Waits on `channel` for READY, notes on the way. Returns 0 with guest->wire set, or a negative errno
 * with error->text set.
 */
int hv_guest_await_ready(struct hv_guest *guest, int channel, struct hv_guest_error *error);

#endif
