/*
 * From the wire to the guest's end. See session.h.
 */
#include "gateway/session.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "gateway/control.h"
#include "gateway/publish.h"
#include "gateway/status.h"

struct session {
	struct hv_gateway *gateway;
	struct hv_guest *guest;
	struct hv_source guest_source; /* the descriptor is the guest's */
	struct hv_source signals;
	struct hv_control *control;
	bool ended;
};

uint64_t hv_session_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * HV_NS_PER_S + (uint64_t)now.tv_nsec;
}

void hv_session_raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void guest_ready(struct hv_source *source, uint32_t events)
{
	struct session *session = hv_container(source, struct session, guest_source);

	(void)events;
	if (hv_guest_turn(session->guest) != HV_GUEST_ENDED)
		return;
	session->ended = true;
	/* It stays readable from now on, and there may still be something to drain. */
	hv_source_remove(&session->gateway->loop, source);
	source->fd = -1;
}

static void signal_ready(struct hv_source *source, uint32_t events)
{
	struct session *session = hv_container(source, struct session, signals);
	struct signalfd_siginfo info;

	(void)events;
	while (read(source->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		hv_status_write(session->gateway, STDERR_FILENO);
}

static int watch_signals(struct session *session)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	session->signals.ready = signal_ready;
	session->signals.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (session->signals.fd < 0)
		return -errno;
	return hv_source_add(&session->gateway->loop, &session->signals, EPOLLIN);
}

static int start(struct session *session, const struct hv_gateway_config *config,
		 struct hv_gateway_error *error)
{
	struct hv_gateway *gateway = session->gateway;
	const struct hv_guest_wire *wire = hv_guest_wire(session->guest);
	int failed;

	/* A closed socket or pipe, a file that may not grow (ulimit -f): an errno here, not a signal. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	failed = hv_gateway_attach(gateway, wire, hv_guest_wire_take(session->guest), config,
				   error);
	if (failed < 0)
		return failed;
	session->guest_source.ready = guest_ready;
	session->guest_source.fd = hv_guest_fd(session->guest);
	failed = hv_source_add(&gateway->loop, &session->guest_source, EPOLLIN);
	if (failed == 0)
		failed = watch_signals(session);
	if (failed == 0)
		failed = hv_control_create(gateway, session->guest, config, &session->control,
					   error);
	if (failed == 0 && config->publish_auto)
		failed = hv_publish_auto_start(gateway, wire->diag_fd);
	if (failed < 0)
		return failed;
	hv_log_line(config->log, HV_LOG_DEBUG, "network ready in %.1f ms",
		    (double)(hv_session_clock_ns() - config->started_ns) / HV_NS_PER_MS);
	hv_guest_release(session->guest);
	return 0;
}

static void tell_impaired(const struct hv_gateway *gateway, const char *direction,
			  const struct haven_fault_counters *counters)
{
	if (counters->packets == 0)
		return; /* a direction that is left alone is not counted */
	hv_log_notice(gateway->log,
		      "impaired %s: %llu packets, %llu lost, %llu duplicated, "
		      "%llu reordered, %llu corrupted, %llu overflowed, %llu marked",
		      direction, (unsigned long long)counters->packets,
		      (unsigned long long)counters->lost,
		      (unsigned long long)counters->duplicated,
		      (unsigned long long)counters->reordered,
		      (unsigned long long)counters->corrupted,
		      (unsigned long long)counters->overflowed,
		      (unsigned long long)counters->marked);
}

/* How bad the network was. "in" is towards the guest here; for the link it is towards the stack. */
static void tell_impairment(const struct hv_gateway *gateway)
{
	struct haven_fault_counters from_guest, to_guest;

	if (!gateway->fault)
		return;
	haven_link_fault_counters(gateway->fault, &from_guest, &to_guest);
	tell_impaired(gateway, "in", &to_guest);
	tell_impaired(gateway, "out", &from_guest);
}

static int run(struct session *session, uint64_t drain_ns, struct hv_gateway_error *error)
{
	while (!session->ended) {
		int failed = hv_gateway_turn(session->gateway, UINT64_MAX);

		if (failed < 0) {
			snprintf(error->text, sizeof(error->text), "cannot wait for events: %s",
				 strerror(-failed));
			return HV_EXIT_FAILED;
		}
	}
	hv_gateway_drain(session->gateway, drain_ns);
	tell_impairment(session->gateway);
	return hv_guest_status(session->guest);
}

int hv_session_run(struct hv_gateway *gateway, struct hv_guest *guest,
		   const struct hv_gateway_config *config, uint64_t drain_ns,
		   struct hv_gateway_error *error)
{
	struct session session = {
		.gateway = gateway,
		.guest = guest,
		.guest_source = {.fd = -1},
		.signals = {.fd = -1},
	};
	int status = HV_EXIT_FAILED;
	int failed = start(&session, config, error);

	if (failed == 0)
		status = run(&session, drain_ns, error);
	else if (!error->text[0])
		snprintf(error->text, sizeof(error->text), "cannot start: %s",
			 strerror(-failed));
	hv_control_destroy(session.control);
	if (session.guest_source.fd >= 0)
		hv_source_remove(&gateway->loop, &session.guest_source);
	if (session.signals.fd >= 0) {
		hv_source_remove(&gateway->loop, &session.signals);
		close(session.signals.fd);
	}
	return status;
}
