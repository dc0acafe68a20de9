/*
 * haven connect NAME HOST:PORT: standard input and output on a connection into the network of a running guest.
 *
 *	input  --> end of a socket pair === other end, passed to the running haven --> its TCP --> guest
 *	output <--
 *
 * How it goes is said on the control socket (doc/control.md, "connect"), the bytes go by the pair. Each direction has a thread, so that
 * neither waits for the other; reads and writes that wait leave the modes of standard input and output alone.
 */
#include "cli/connect.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cli/control_client.h"
#include "cli/show.h"

#define BUFFER_BYTES (128 * 1024)
/* So often and so far apart is asked again when too many ask at the same time. */
#define TRIES_MAX 250
#define PAUSE_NS  20000000L

struct into {
	const struct hv_client_network *network;
	const struct hv_connect_settings *settings;
	const char *target;
	struct hv_client_talk talk;
	int fd;			/* our end of the pair */
	atomic_int input_error; /* errno */
	char to[64];		/* where the guest is connected to, or the target */
	char error[HV_CLIENT_ERROR];
};

/* --- asking ----------------------------------------------------------------------------- */

/* Returns 1 with a row, 0 at the answer's end, or a negative errno with into->error set. */
static int next_row(struct into *into, json_t **row)
{
	int more = hv_client_row(&into->talk, row, NULL, into->error);

	if (more > 0 && json_object_get(*row, "destination"))
		hv_row_endpoint(json_object_get(*row, "destination"), into->to);
	return more;
}

/* The request, with the other end of the pair, and the first row of the answer. */
static int ask_once(struct into *into, json_t **row)
{
	json_t *request = json_pack("{s:s, s:s}", "request", "connect", "to", into->target);
	int ends[2];
	int failed;

	if (!request) {
		snprintf(into->error, sizeof(into->error), "'%.100s' is no text", into->target);
		return -EINVAL;
	}
	failed = hv_client_open(into->network, &into->talk, into->error);
	if (failed == 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
		failed = -errno;
		snprintf(into->error, sizeof(into->error), "cannot make a pair of sockets: %s",
			 strerror(errno));
	} else if (failed == 0) {
		into->fd = ends[0];
		failed = hv_client_say(&into->talk, request, ends[1], into->error);
		close(ends[1]);
	}
	json_decref(request);
	return failed < 0 ? failed : next_row(into, row);
}

static int ask(struct into *into, json_t **row)
{
	static const struct timespec pause = {.tv_nsec = PAUSE_NS};
	int more = ask_once(into, row);

	for (int i = 0; more == -EBUSY && i < TRIES_MAX; i++) {
		hv_client_close(&into->talk);
		if (into->fd >= 0)
			close(into->fd);
		into->fd = -1;
		nanosleep(&pause, NULL);
		more = ask_once(into, row);
	}
	return more;
}

/* --- how it ended ----------------------------------------------------------------------- */

static int standard_failed(const char *what, int error)
{
	char text[128];

	snprintf(text, sizeof(text), "cannot %s: %s", what, strerror(error));
	return hv_show_fail(text);
}

/* An input that could not be read is why the network was left. */
static int network_failed(const struct into *into, const char *reason)
{
	char text[HV_CLIENT_ERROR + 80];
	int error = atomic_load(&into->input_error);

	if (error)
		return standard_failed("read standard input", error);
	snprintf(text, sizeof(text), "%.63s: %.500s", into->to, reason);
	hv_show_fail(text);
	return HV_EXIT_NETWORK;
}

/* Of a row "closed". */
static int closed(const struct into *into, const json_t *row)
{
	if (into->settings->explain)
		fprintf(stderr, "haven: %s: %s, %lld bytes to the guest, %lld from it\n",
			into->to, hv_row_text(row, "reason"), hv_row_number(row, "bytes_in"),
			hv_row_number(row, "bytes_out"));
	if (json_is_true(json_object_get(row, "orderly")))
		return 0;
	return network_failed(into, hv_row_text(row, "reason"));
}

/* Until the connection has ended. */
static int wait_closed(struct into *into)
{
	json_t *row;
	int status;

	into->talk.patience_ms = -1;
	while (next_row(into, &row) > 0) {
		bool last = hv_row_is(row, "closed");

		status = last ? closed(into, row) : 0;
		json_decref(row);
		if (last)
			return status;
	}
	return network_failed(into, into->error[0] ? into->error : "the network has ended");
}

/* --- bytes ------------------------------------------------------------------------------ */

/* Input or output that somebody else has made one that does not block. */
static bool wait_again(int fd, short events)
{
	struct pollfd wait = {.fd = fd, .events = events};

	if (errno == EAGAIN)
		poll(&wait, 1, -1);
	return errno == EAGAIN || errno == EINTR;
}

static ssize_t read_some(int fd, void *buffer, size_t size)
{
	ssize_t got;

	do
		got = read(fd, buffer, size);
	while (got < 0 && wait_again(fd, POLLIN));
	return got;
}

static bool write_all(int fd, const uint8_t *data, size_t size)
{
	while (size > 0) {
		ssize_t sent = write(fd, data, size);

		if (sent < 0 && !wait_again(fd, POLLOUT))
			return false;
		if (sent > 0) {
			data += sent;
			size -= (size_t)sent;
		}
	}
	return true;
}

static bool send_all(int fd, const uint8_t *data, size_t size)
{
	while (size > 0) {
		ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);

		if (sent < 0 && errno != EINTR)
			return false;
		if (sent > 0) {
			data += sent;
			size -= (size_t)sent;
		}
	}
	return true;
}

/* The input's end is the stream's end; an input that fails is none: the guest is reset. A failure of the socket is told by the control socket, to the other thread. */
static void *carry_input(void *user)
{
	uint8_t buffer[BUFFER_BYTES];
	struct into *into = user;
	ssize_t got;

	while ((got = read_some(STDIN_FILENO, buffer, sizeof(buffer))) > 0) {
		if (!send_all(into->fd, buffer, (size_t)got))
			return NULL;
	}
	if (got < 0)
		atomic_store(&into->input_error, errno);
	shutdown(into->fd, got < 0 ? SHUT_RDWR : SHUT_WR);
	return NULL;
}

/* Who reads our output shall see that it has ended, while the input may go on. */
static void end_output(void)
{
	shutdown(STDOUT_FILENO, SHUT_WR);
	if (!freopen("/dev/null", "w", stdout))
		close(STDOUT_FILENO);
}

static int carry_output(struct into *into)
{
	uint8_t buffer[BUFFER_BYTES];
	ssize_t got;

	while ((got = read_some(into->fd, buffer, sizeof(buffer))) > 0) {
		if (!write_all(STDOUT_FILENO, buffer, (size_t)got))
			return standard_failed("write to standard output", errno);
	}
	end_output();
	/* At a terminal the guest's end is the end: nobody would know what to type it for. */
	if (isatty(STDIN_FILENO))
		shutdown(into->fd, SHUT_WR);
	return 0;
}

static int carry(struct into *into)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, carry_input, into);
	int status;

	if (error)
		return standard_failed("start a thread", error);
	status = carry_output(into);
	return status == 0 ? wait_closed(into) : status;
}

/* --- the whole -------------------------------------------------------------------------- */

static int connected(struct into *into, double ms)
{
	if (into->settings->explain)
		fprintf(stderr, "haven: %s: connected in %.1f ms\n", into->to, ms);
	return carry(into);
}

static double milliseconds_since(const struct timespec *then)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - then->tv_sec) * 1e3 +
	       (double)(now.tv_nsec - then->tv_nsec) / 1e6;
}

/* What is left of --timeout, for the next row; -1: for ever. */
static int patience_ms(const struct into *into, const struct timespec *begun)
{
	double left = (double)into->settings->timeout_ns / 1e6 - milliseconds_since(begun);

	if (into->settings->timeout_ns == 0)
		return -1;
	return left < 0 ? 0 : (int)left;
}

/* Rows until it is connected, or is not. */
static int run(struct into *into)
{
	struct timespec begun;
	json_t *row;
	int more;

	clock_gettime(CLOCK_MONOTONIC, &begun);
	more = ask(into, &row);
	if (more < 0)
		return hv_show_fail(into->error);
	while (more > 0 && hv_row_is(row, "connecting")) {
		if (into->settings->explain)
			fprintf(stderr, "haven: %s: connecting\n", into->to);
		json_decref(row);
		into->talk.patience_ms = patience_ms(into, &begun);
		more = next_row(into, &row);
	}
	if (more > 0) {
		int status = hv_row_is(row, "connected")
				     ? connected(into, milliseconds_since(&begun))
				     : closed(into, row);

		json_decref(row);
		return status;
	}
	if (more == -ETIMEDOUT)
		snprintf(into->error, sizeof(into->error), "no answer in %g s",
			 (double)into->settings->timeout_ns / 1e9);
	return network_failed(into, into->error);
}

/* An option that says nothing of a connection into a network; NULL: none. */
static const char *needless_option(const struct hv_connect_settings *settings)
{
	const struct {
		bool given;
		const char *option;
	} options[] = {
		{settings->udp, "--udp"},
		{settings->v4_only, "-4: say 127.0.0.1:PORT; it"},
		{settings->v6_only, "-6: say [::1]:PORT; it"},
		{settings->ca_path, "--ca"},
		{settings->cert_path, "--cert"},
		{settings->alpn_count > 0, "--alpn"},
		{settings->insecure, "--insecure"},
		{settings->key_log_path, "--key-log"},
		{settings->json, "--json"},
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (options[i].given)
			return options[i].option;
	}
	return NULL;
}

int hv_connect_into(const char *name, const char *target,
		    const struct hv_connect_settings *settings)
{
	struct hv_client_network network;
	struct into into = {.network = &network,
			    .settings = settings,
			    .target = target,
			    .fd = -1};
	const char *needless = needless_option(settings);
	int status;

	if (needless) {
		snprintf(into.error, sizeof(into.error), "%s is for 'haven connect -'",
			 needless);
		return hv_show_fail(into.error);
	}
	into.talk.fd = -1;
	snprintf(into.to, sizeof(into.to), "%s", target);
	if (hv_client_find(name, &network, into.error) < 0)
		return hv_show_fail(into.error);
	status = run(&into);
	hv_client_close(&into.talk);
	if (into.fd >= 0)
		close(into.fd);
	return status;
}
