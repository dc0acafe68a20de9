/*
 * The life of a guest as haven sees it: release, signals, stops, the end. See guest.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/device.h"
#include "gateway/guest_state.h"

static void network_init(struct hv_guest_network *network)
{
	/* 02: locally administered, unicast; then "hvn" and the address's last part. */
	static const uint8_t mac[6] = {0x02, 'h', 'v', 'n', 0x00, 0x64};

	*network = (struct hv_guest_network){
		.mtu = 65520,
		.ipv4 = {.enabled = true, .prefix = 24},
		.ipv6 = {.enabled = true, .prefix = 64},
		.configure = true,
	};
	memcpy(network->mac, mac, sizeof(mac));
	inet_pton(AF_INET, "10.0.2.100", &network->ipv4.address);
	inet_pton(AF_INET, "10.0.2.2", &network->ipv4.gateway);
	inet_pton(AF_INET6, "fd00::100", &network->ipv6.address);
	inet_pton(AF_INET6, "fd00::2", &network->ipv6.gateway);
}

void hv_guest_options_init(struct hv_guest_options *options)
{
	*options = (struct hv_guest_options){.dns4_count = 1, .dns6_count = 1};
	network_init(&options->network);
	inet_pton(AF_INET, "10.0.2.3", &options->dns4[0]);
	inet_pton(AF_INET6, "fd00::3", &options->dns6[0]);
}

void hv_guest_attach_options_init(struct hv_guest_attach_options *options)
{
	*options = (struct hv_guest_attach_options){0};
	network_init(&options->network);
}

void hv_guest_say(const struct hv_guest *guest, enum hv_guest_log_level level,
		  const char *format, ...)
{
	char text[HV_MESSAGE_TEXT_SIZE];
	va_list arguments;

	if (!guest->log.line)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	guest->log.line(guest->log.context, level, text);
}

int hv_guest_watch(struct hv_guest *guest, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events};

	return epoll_ctl(guest->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

struct hv_guest *hv_guest_new(const struct hv_guest_log *log, const int *signals)
{
	struct hv_guest *guest = calloc(1, sizeof(*guest));
	sigset_t set;
	int error;

	if (!guest)
		return NULL;
	guest->log = *log;
	guest->wire = HV_WIRE_NONE;
	guest->tty.fd = guest->channel = guest->pidfd = guest->epoll_fd = -1;
	guest->target = (struct hv_netns){.netns_fd = -1, .userns_fd = -1, .watch_fd = -1};
	sigemptyset(&set);
	for (const int *one = signals; *one; one++)
		sigaddset(&set, *one);
	sigprocmask(SIG_BLOCK, &set, &guest->old_mask);
	guest->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	guest->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (guest->signal_fd >= 0 && guest->epoll_fd >= 0 &&
	    hv_guest_watch(guest, guest->signal_fd, EPOLLIN) == 0)
		return guest;
	error = errno;
	hv_guest_destroy(guest);
	errno = error;
	return NULL;
}

int hv_guest_await_ready(struct hv_guest *guest, int channel, struct hv_guest_error *error)
{
	struct hv_message message;

	while (hv_message_receive(channel, &message, true) > 0) {
		switch (message.kind) {
		case HV_MESSAGE_NOTE:
			hv_guest_say(guest, (enum hv_guest_log_level)message.value, "%s",
				     message.text);
			break;
		case HV_MESSAGE_READY:
			guest->wire = message.wire;
			return 0;
		case HV_MESSAGE_FAILED:
			return hv_guest_fail(error, (enum hv_stage)message.value, message.error,
					     message.text);
		default:
			return hv_guest_fail(error, HV_STAGE_PREPARE, EPROTO, "");
		}
	}
	return hv_guest_fail(error, HV_STAGE_PREPARE, EPIPE, "its first process ended");
}

const struct hv_guest_wire *hv_guest_wire(const struct hv_guest *guest)
{
	return &guest->wire;
}

int hv_guest_wire_take(struct hv_guest *guest)
{
	int fd = guest->wire.fd;

	guest->wire.fd = -1;
	return fd;
}

int hv_guest_fd(const struct hv_guest *guest)
{
	return guest->epoll_fd;
}

pid_t hv_guest_pid(const struct hv_guest *guest)
{
	return guest->pid;
}

int hv_guest_status(const struct hv_guest *guest)
{
	return guest->status;
}

int hv_guest_die_by(const struct hv_guest *guest)
{
	return guest->die_by;
}

/* Says one word to init. Returns 0 or a negative errno. */
static int tell(const struct hv_guest *guest, enum hv_message_kind kind, int value)
{
	if (guest->channel < 0)
		return -EPIPE;
	return hv_message_send(guest->channel,
			       &(struct hv_message){.kind = kind, .value = value});
}

int hv_guest_release(struct hv_guest *guest)
{
	int result;

	if (guest->attached || guest->phase != HV_PHASE_PREPARED)
		return 0;
	result = tell(guest, HV_MESSAGE_RELEASE, hv_tty_is_ours(&guest->tty));
	if (result == 0)
		guest->phase = HV_PHASE_RELEASED;
	return result;
}

int hv_guest_signal(const struct hv_guest *guest, int signal_number)
{
	if (guest->attached)
		return -EOPNOTSUPP;
	if (guest->phase == HV_PHASE_PREPARED || guest->phase == HV_PHASE_OVER)
		return -ESRCH;
	return tell(guest, HV_MESSAGE_SIGNAL, signal_number) < 0 ? -ESRCH : 0;
}

/* haven is in the foreground again, or was continued in the background: so is the command. */
static void resume_command(const struct hv_guest *guest)
{
	if (guest->tty.fd < 0)
		return;
	hv_tty_give(&guest->tty);
	tell(guest, HV_MESSAGE_CONTINUE, 0);
}

static void follow_stop(const struct hv_guest *guest, int signal_number)
{
	if (guest->tty.fd < 0)
		return;
	hv_guest_say(guest, HV_GUEST_LOG_DEBUG, "the command was stopped: %s",
		     strsignal(signal_number));
	/* Continued, SIGCONT waits in signal_fd, and read_signals goes on with it. */
	if (hv_tty_stop(&guest->tty, signal_number))
		return;
	/* Nobody can continue haven, so ^Z has no effect; but SIGSTOP was meant for the command. */
	if (signal_number != SIGSTOP)
		resume_command(guest);
}

static void note_end(struct hv_guest *guest, int wait_status)
{
	guest->status_known = true;
	guest->status = WEXITSTATUS(wait_status);
	if (!WIFSIGNALED(wait_status))
		return;
	guest->status = 128 + WTERMSIG(wait_status);
	/*
	 * A ^C that ended the command reached its process group only. What else is in haven's, as
	 * the script that started it, would have got it too if haven were not in between.
	 */
	if (WTERMSIG(wait_status) == SIGINT && hv_tty_is_commands(&guest->tty)) {
		guest->die_by = SIGINT;
		kill(0, SIGINT);
	}
}

static void note_not_executed(const struct hv_guest *guest, int error)
{
	bool searched = !strchr(guest->command, '/');

	hv_guest_say(guest, HV_GUEST_LOG_ERROR, "%s: %s", guest->command,
		     searched && error == ENOENT ? "command not found" : strerror(error));
}

static void handle_message(struct hv_guest *guest, const struct hv_message *message)
{
	struct hv_guest_error error;

	switch (message->kind) {
	case HV_MESSAGE_NOTE:
		hv_guest_say(guest, (enum hv_guest_log_level)message->value, "%s",
			     message->text);
		break;
	case HV_MESSAGE_STARTED:
		guest->phase = HV_PHASE_RUNNING;
		if (guest->tty.separate)
			guest->tty.command_group = message->sender;
		break;
	case HV_MESSAGE_NOT_EXECUTED:
		note_not_executed(guest, message->error);
		break;
	case HV_MESSAGE_STOPPED:
		follow_stop(guest, message->value);
		break;
	case HV_MESSAGE_ENDED:
		note_end(guest, message->value);
		break;
	case HV_MESSAGE_FAILED:
		hv_guest_fail(&error, (enum hv_stage)message->value, message->error,
			      message->text);
		hv_guest_say(guest, HV_GUEST_LOG_ERROR, "%s", error.text);
		break;
	default: /* init says nothing else after READY */
		hv_guest_say(guest, HV_GUEST_LOG_DEBUG, "unexpected message %d of init",
			     (int)message->kind);
		break;
	}
}

static void read_channel(struct hv_guest *guest)
{
	struct hv_message message;
	int result;

	while (guest->channel >= 0) {
		result = hv_message_receive(guest->channel, &message, false);
		if (result == -EAGAIN)
			return;
		if (result > 0) {
			handle_message(guest, &message);
			continue;
		}
		close(guest->channel);
		guest->channel = -1;
	}
}

static void handle_signal(struct hv_guest *guest, const struct signalfd_siginfo *info)
{
	int number = (int)info->ssi_signo;

	if (guest->attached) {
		guest->status = 128 + number;
		guest->phase = HV_PHASE_OVER;
	} else if (number == SIGCONT) {
		resume_command(guest);
	} else if (info->ssi_code == SI_KERNEL && !guest->tty.separate) {
		/* From the terminal to the process group, which the command is in: it has it. */
	} else {
		tell(guest, HV_MESSAGE_SIGNAL, number);
	}
}

static void read_signals(struct hv_guest *guest)
{
	struct signalfd_siginfo info;

	while (read(guest->signal_fd, &info, sizeof(info)) == sizeof(info))
		handle_signal(guest, &info);
}

/*
 * The kernel tells only those of a closed terminal who were in its foreground, and wakes up what was
 * stopped only in process groups without a parent in the session. The command has one: init.
 */
static void follow_hangup(struct hv_guest *guest)
{
	if (!hv_tty_hung_up(&guest->tty))
		return;
	tell(guest, HV_MESSAGE_SIGNAL, SIGHUP);
	tell(guest, HV_MESSAGE_CONTINUE, 0);
	epoll_ctl(guest->epoll_fd, EPOLL_CTL_DEL, guest->tty.fd, NULL);
	hv_tty_close(&guest->tty);
}

/* Whether init is gone, and with it all that ran inside; it is reaped then. */
static bool init_gone(struct hv_guest *guest)
{
	siginfo_t info = {0};

	if (waitid(P_PIDFD, (id_t)guest->pidfd, &info, WEXITED | WNOHANG) < 0)
		return errno == ECHILD; /* SIGCHLD is ignored: the kernel has reaped it */
	if (info.si_pid == 0)
		return false;
	if (!guest->status_known)
		guest->status =
			info.si_code == CLD_EXITED ? HV_EXIT_FAILED : 128 + info.si_status;
	return true;
}

static bool guest_gone(struct hv_guest *guest)
{
	if (guest->attached)
		return hv_netns_gone(&guest->target);
	return init_gone(guest);
}

enum hv_guest_state hv_guest_turn(struct hv_guest *guest)
{
	bool gone;

	if (guest->phase == HV_PHASE_OVER)
		return HV_GUEST_ENDED;
	/* What init said before it ended is read after its end is known, so that nothing is missed. */
	gone = guest_gone(guest);
	read_channel(guest);
	read_signals(guest);
	follow_hangup(guest);
	if (gone) {
		hv_tty_take_back(&guest->tty);
		guest->phase = HV_PHASE_OVER;
	}
	return guest->phase == HV_PHASE_OVER ? HV_GUEST_ENDED : HV_GUEST_RUNNING;
}

static void end_init(struct hv_guest *guest)
{
	siginfo_t info;

	if (guest->pidfd < 0)
		return;
	if (guest->phase != HV_PHASE_OVER) {
		syscall(SYS_pidfd_send_signal, guest->pidfd, SIGKILL, NULL, 0);
		while (waitid(P_PIDFD, (id_t)guest->pidfd, &info, WEXITED) < 0 &&
		       errno == EINTR)
			;
		hv_tty_take_back(&guest->tty);
	}
	close(guest->pidfd);
}

void hv_guest_destroy(struct hv_guest *guest)
{
	struct signalfd_siginfo info;

	if (!guest)
		return;
	end_init(guest);
	if (guest->channel >= 0)
		close(guest->channel);
	hv_device_close(&guest->wire);
	hv_netns_close(&guest->target);
	hv_tty_close(&guest->tty);
	if (guest->epoll_fd >= 0)
		close(guest->epoll_fd);
	if (guest->signal_fd >= 0) {
		/* What came too late for the command must not hit haven once it is not blocked. */
		while (read(guest->signal_fd, &info, sizeof(info)) > 0)
			;
		close(guest->signal_fd);
	}
	sigprocmask(SIG_SETMASK, &guest->old_mask, NULL);
	free(guest->command);
	free(guest);
}
