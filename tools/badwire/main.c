/*
 * badwire: a bad network between two TAPs, in place of netem, and without root when it makes the
 * network itself.
 *
 * options -> ends opened (end.c, inside.c) -> frames carried (wire.c) until a signal, the time,
 * the command's end, or a TAP's -> counters.
 */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "end.h"
#include "inside.h"
#include "wire.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
	EXIT_OURS = 125, /* badwire itself failed; others are the command's */
	MODE_WIRE = 1,
};

struct settings {
	const char *run; /* the description of the network: --run */
	const char *in;	 /* the end to enter: --in */
	const char *mtu; /* of both ends */
	double seconds;	 /* to run for; 0: no limit */
	bool realtime, quiet, help, version;
	struct wire_options wire;
};

struct badwire {
	struct settings settings;
	struct end ends[2];
	int netns_fd[2];
	struct hv_loop loop;
	struct wire *wire;
	struct hv_source signals;
	struct hv_loop_timer time_up;
	uint64_t turns, late_turns; /* for a time to send at; over a millisecond after it */
	uint64_t latest_ns;	    /* the worst of them */
	pid_t command;		    /* 0: none */
	int status;		    /* what to exit with */
	bool done;
};

/* --- options ----------------------------------------------------------------------------- */

static bool apply_run(void *settings, const char *value, char error[HV_OPTION_ERROR])
{
	(void)error;
	((struct settings *)settings)->run = value;
	return true;
}

static bool apply_in(void *settings, const char *value, char error[HV_OPTION_ERROR])
{
	(void)error;
	((struct settings *)settings)->in = value;
	return true;
}

static bool apply_mtu(void *settings, const char *value, char error[HV_OPTION_ERROR])
{
	char *rest;
	unsigned long mtu = strtoul(value, &rest, 10);

	((struct settings *)settings)->mtu = value;
	if (*value && !*rest && mtu >= MTU_MIN && mtu <= MTU_MAX)
		return true;
	snprintf(error, HV_OPTION_ERROR, "--mtu %.40s: must be from %d to %d", value, MTU_MIN,
		 MTU_MAX);
	return false;
}

static bool apply_pcap(void *settings, const char *value, char error[HV_OPTION_ERROR])
{
	(void)error;
	((struct settings *)settings)->wire.pcap[0] = value;
	return true;
}

static bool apply_pcap_b(void *settings, const char *value, char error[HV_OPTION_ERROR])
{
	(void)error;
	((struct settings *)settings)->wire.pcap[1] = value;
	return true;
}

static bool apply_seed(void *settings, const char *value, char error[HV_OPTION_ERROR])
{
	struct wire_options *wire = &((struct settings *)settings)->wire;
	char *rest;

	wire->seeded = true;
	wire->seed = strtoull(value, &rest, 0);
	if (*value && !*rest)
		return true;
	snprintf(error, HV_OPTION_ERROR, "--seed %.40s: not a number", value);
	return false;
}

static bool apply_time(void *settings, const char *value, char error[HV_OPTION_ERROR])
{
	double *seconds = &((struct settings *)settings)->seconds;
	char *rest;

	*seconds = strtod(value, &rest);
	if (*value && !*rest && *seconds > 0 && *seconds < 1e9)
		return true;
	snprintf(error, HV_OPTION_ERROR, "--time %.40s: not a number of seconds", value);
	return false;
}

static bool apply_no_offload(void *settings, const char *value, char error[HV_OPTION_ERROR])
{
	(void)value, (void)error;
	return ((struct settings *)settings)->wire.no_offload = true;
}

static bool apply_realtime(void *settings, const char *value, char error[HV_OPTION_ERROR])
{
	(void)value, (void)error;
	return ((struct settings *)settings)->realtime = true;
}

static bool apply_quiet(void *settings, const char *value, char error[HV_OPTION_ERROR])
{
	(void)value, (void)error;
	return ((struct settings *)settings)->quiet = true;
}

static bool apply_help(void *settings, const char *value, char error[HV_OPTION_ERROR])
{
	(void)value, (void)error;
	return ((struct settings *)settings)->help = true;
}

static bool apply_version(void *settings, const char *value, char error[HV_OPTION_ERROR])
{
	(void)value, (void)error;
	return ((struct settings *)settings)->version = true;
}

static const struct hv_option options[] = {
	{'r', "run", "SPEC", "Make two networks with this wire between, run the command in a",
	 MODE_WIRE, apply_run},
	{'i', "in", "a|b", "Run the command in one of the networks of the --run around it",
	 MODE_WIRE, apply_in},
	{'m', "mtu", "N", "MTU of both ends, 68 to 65521 (--run: default 1500)", MODE_WIRE,
	 apply_mtu},
	{0, "pcap", "FILE", "Write what passes at end a, as pcapng", MODE_WIRE, apply_pcap},
	{0, "pcap-b", "FILE", "Write what passes at end b", MODE_WIRE, apply_pcap_b},
	{0, "seed", "N", "Lose, reorder and corrupt by this seed, not by chance", MODE_WIRE,
	 apply_seed},
	{'t', "time", "SECONDS", "End after this time", MODE_WIRE, apply_time},
	{0, "no-offload", NULL, "No packets above the MTU, no checksums left to the other end",
	 MODE_WIRE, apply_no_offload},
	{0, "realtime", NULL,
	 "Run before all other programs (root only): exact on a busy machine", MODE_WIRE,
	 apply_realtime},
	{'q', "quiet", NULL, "No counters at the end", MODE_WIRE, apply_quiet},
	{'h', "help", NULL, "Show this help", MODE_WIRE, apply_help},
	{0, "version", NULL, "Show the version", MODE_WIRE, apply_version},
};

static void show_help(void)
{
	puts("badwire: a bad network on purpose, between two TAPs\n"
	     "\n"
	     "  badwire [options] END_A END_B [SPEC]\n"
	     "  badwire [options] --run SPEC [--] COMMAND [ARGUMENT...]\n"
	     "  badwire --in a|b [--] COMMAND [ARGUMENT...]\n"
	     "\n"
	     "SPEC  'loss=1% delay=10ms jitter=1ms rate=200mbit queue=64k reorder=1%\n"
	     "      duplicate=1% corrupt=0.1% mark=1%'; \"out.\" before a key: from a to b only,\n"
	     "      \"in.\": from b to a only\n"
	     "END   [NETNS:]TAP[,mtu=N][,ADDRESS/BITS]... or fd:N; NETNS is a process id,\n"
	     "      a path, or a name of `ip netns`\n"
	     "\n"
	     "--run needs no root. a is 10.0.0.1 and fd00::1, b is 10.0.0.2 and fd00::2:\n"
	     "  badwire --run 'delay=20ms loss=1%' sh -c \\\n"
	     "      'badwire --in b iperf3 -s -1 & sleep 1; iperf3 -c 10.0.0.2'\n"
	     "\n"
	     "Options:");
	hv_options_help(options, COUNT(options), MODE_WIRE, stdout);
}

/* --- the ends and the network between ----------------------------------------------------- */

static bool parse_ends(struct badwire *self, const char *const texts[2],
		       char error[HV_OPTION_ERROR])
{
	const char *mtu = self->settings.mtu;

	for (int i = 0; i < 2; i++) {
		if (!end_parse(&self->ends[i], texts[i], error))
			return false;
		if (mtu && !self->ends[i].mtu)
			self->ends[i].mtu = (uint32_t)strtoul(mtu, NULL, 10);
	}
	return true;
}

static bool parse_spec(struct badwire *self, const char *spec, char error[HV_OPTION_ERROR])
{
	struct haven_fault *way = self->settings.wire.way;
	const char *bad;

	/* "out" is away from whoever writes it, and that is end a. */
	if (haven_fault_parse(spec, &way[1], &way[0], &bad) == 0)
		return true;
	snprintf(error, HV_OPTION_ERROR, "the network's description is wrong at \"%.80s\"",
		 bad);
	return false;
}

static bool open_given(struct badwire *self, int count, char **words,
		       char error[HV_OPTION_ERROR])
{
	const char *const texts[2] = {words[0], count > 1 ? words[1] : ""};

	if (count < 2 || count > 3) {
		snprintf(error, HV_OPTION_ERROR,
			 "two ends and a description, or --run; "
			 "see badwire --help");
		return false;
	}
	if (!parse_ends(self, texts, error) ||
	    !parse_spec(self, count == 3 ? words[2] : "", error))
		return false;
	return end_open(&self->ends[0], error) && end_open(&self->ends[1], error);
}

static bool open_run(struct badwire *self, int count, char error[HV_OPTION_ERROR])
{
	static const char *const both[2] = {"badwire0,10.0.0.1/24,fd00::1/64",
					    "badwire0,10.0.0.2/24,fd00::2/64"};
	static const char *const ipv4[2] = {"badwire0,10.0.0.1/24", "badwire0,10.0.0.2/24"};
	const char *mtu = self->settings.mtu;
	bool small = mtu && strtoul(mtu, NULL, 10) < MTU_MIN_IPV6;

	if (count < 1) {
		snprintf(error, HV_OPTION_ERROR, "--run needs a command; see badwire --help");
		return false;
	}
	if (!parse_ends(self, small ? ipv4 : both, error) ||
	    !parse_spec(self, self->settings.run, error))
		return false;
	return inside_make(self->ends, self->netns_fd, error);
}

/* --- signals, time, and the command's end ------------------------------------------------- */

static void report(const struct badwire *self)
{
	wire_report(self->wire, stderr);
	if (self->late_turns)
		fprintf(stderr,
			"badwire: the machine is busy: %" PRIu64 " of %" PRIu64
			" times to send were missed by over 1 ms, the worst by %.1f ms\n",
			self->late_turns, self->turns,
			(double)self->latest_ns / (double)HV_NS_PER_MS);
}

static void collect(struct badwire *self)
{
	int status;
	pid_t child;

	while ((child = waitpid(-1, &status, WNOHANG)) > 0) {
		if (child != self->command)
			continue;
		self->command = 0;
		self->done = true;
		self->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
}

static void take_signals(struct hv_source *source, uint32_t events)
{
	struct badwire *self = hv_container(source, struct badwire, signals);
	struct signalfd_siginfo info;

	(void)events;
	while (read(source->fd, &info, sizeof(info)) == sizeof(info)) {
		int number = (int)info.ssi_signo;

		if (number == SIGUSR1)
			report(self);
		else if (number == SIGCHLD)
			collect(self);
		else if (!self->command)
			self->done = true;
		else if (number != SIGINT) /* the terminal sends that to the command too */
			kill(self->command, number);
	}
}

static void time_up(struct hv_loop_timer *timer)
{
	struct badwire *self = hv_container(timer, struct badwire, time_up);

	self->done = true;
}

static bool prepare_loop(struct badwire *self, char error[HV_OPTION_ERROR])
{
	int result = hv_loop_init(&self->loop);
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	prctl(PR_SET_TIMERSLACK, 1); /* ns; the default of 50 us would add to every delay */
	self->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	self->signals.ready = take_signals;
	if (result == 0 && self->signals.fd < 0)
		result = -errno;
	if (result == 0)
		result = hv_source_add(&self->loop, &self->signals, EPOLLIN);
	if (result == 0 && self->settings.seconds > 0) {
		self->time_up.expired = time_up;
		result = hv_loop_timer_set(&self->loop, &self->time_up,
					   self->loop.now_ns +
						   (uint64_t)(self->settings.seconds * 1e9));
	}
	if (result < 0)
		snprintf(error, HV_OPTION_ERROR, "the event loop: %s", strerror(-result));
	return result == 0;
}

/* The other programs of the machine must not stretch what is to be measured. */
static bool run_first(char error[HV_OPTION_ERROR])
{
	const struct sched_param priority = {.sched_priority = 1};

	/* What is started from here on is ordinary again. */
	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &priority) == 0)
		return true;
	snprintf(error, HV_OPTION_ERROR, "--realtime: %s", strerror(errno));
	return false;
}

static void note_lateness(struct badwire *self, uint64_t due_ns)
{
	uint64_t now_ns = self->loop.now_ns;

	if (due_ns > now_ns)
		return;
	self->turns++;
	self->late_turns += now_ns - due_ns > HV_NS_PER_MS;
	if (now_ns - due_ns > self->latest_ns)
		self->latest_ns = now_ns - due_ns;
}

/* Carries frames until something ends it. */
static bool carry(struct badwire *self, char error[HV_OPTION_ERROR])
{
	uint64_t next_ns = wire_poll(self->wire);
	int result;

	while (!self->done) {
		result = hv_loop_wait(&self->loop, next_ns);
		if (result < 0) {
			snprintf(error, HV_OPTION_ERROR, "epoll: %s", strerror(-result));
			return false;
		}
		note_lateness(self, next_ns);
		next_ns = wire_poll(self->wire);
		hv_loop_end_turn(&self->loop);
		if (wire_broken(self->wire) >= 0) {
			snprintf(error, HV_OPTION_ERROR, "the TAP of end %c was removed",
				 "ab"[wire_broken(self->wire)]);
			return false;
		}
	}
	return true;
}

/* --- all of it ---------------------------------------------------------------------------- */

static int complain(const char *error)
{
	fprintf(stderr, "badwire: %s\n", error);
	return EXIT_OURS;
}

static bool work(struct badwire *self, int count, char **words, char error[HV_OPTION_ERROR])
{
	struct wire_options *wire = &self->settings.wire;
	bool opened = self->settings.run ? open_run(self, count, error)
					 : open_given(self, count, words, error);
	bool carried;

	if (!opened || !prepare_loop(self, error) ||
	    (self->settings.realtime && !run_first(error)))
		return false;
	wire->fd[0] = self->ends[0].fd;
	wire->fd[1] = self->ends[1].fd;
	self->wire = wire_new(&self->loop, wire, error);
	if (!self->wire)
		return false;
	if (self->settings.run) {
		self->command = inside_start(words, self->netns_fd, error);
		if (self->command < 0)
			return false;
	} else if (!self->settings.quiet) {
		fprintf(stderr, "badwire: carrying between %s and %s\n", self->ends[0].text,
			self->ends[1].text);
	}
	carried = carry(self, error);
	if (self->settings.run)
		inside_end();
	if (!self->settings.quiet)
		report(self);
	return carried;
}

int main(int argc, char **argv)
{
	struct badwire self = {.netns_fd = {-1, -1}, .signals = {.fd = -1}};
	char error[HV_OPTION_ERROR] = "";
	bool worked;
	int first = hv_options_parse(options, COUNT(options), MODE_WIRE, argc, argv,
				     &self.settings, error);

	if (first < 0)
		return complain(error);
	if (self.settings.help) {
		show_help();
		return 0;
	}
	if (self.settings.version) {
		puts("badwire " HAVEN_VERSION);
		return 0;
	}
	if (self.settings.in) {
		if (first == argc)
			return complain("--in needs a command");
		inside_exec(self.settings.in, argv + first, error);
		return complain(error);
	}
	worked = work(&self, argc - first, argv + first, error);
	wire_free(self.wire);
	return worked ? self.status : complain(error);
}
