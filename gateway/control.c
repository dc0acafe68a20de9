/*
 * The control socket: who may connect, lines in, answers out in slices. See control.h.
 *
 *	readable -> a line -> hv_answer_begin -+
 *	                                       v
 *	writable -> a slice of hv_answer_step into the output -> send -> ... -> the next line
 *
 * A client is watched for one thing at a time: for reading between two answers, for writing while an
 * answer is made, for neither while a survey is under way.
 */
#include "gateway/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <haven/service.h>

#include "gateway/control_state.h"
#include "gateway/passed.h"

#define CLIENTS_MAX 16
/* Those that are told that they are not served. */
#define REFUSED_MAX	 16
#define BACKLOG		 64
#define ACCEPTS_PER_WAKE 16
/* The longest request, with its newline. */
#define REQUEST_MAX 4096
/* What one client gets made in one turn of the loop: less than half a millisecond. */
#define SLICE_ROWS  64
#define SLICE_STEPS 512
/* No more is made while this much waits to be read. */
#define OUTPUT_HIGH_BYTES 32768
/* Without a request, or without reading its answer, a client is dropped. */
#define TIMEOUT_NS (10 * HV_NS_PER_S)
#define PAUSE_NS   (100 * HV_NS_PER_MS)

/* --- clients ---------------------------------------------------------------------------- */

static void free_client(struct hv_source *source)
{
	struct hv_control_client *client =
		hv_container(source, struct hv_control_client, source);

	haven_rules_destroy(client->staged);
	if (client->passed_fd >= 0)
		close(client->passed_fd);
	free(client->request);
	free(client->output);
	free(client);
}

/* The number that it is counted in. */
static unsigned *count_of(const struct hv_control_client *client)
{
	struct hv_control *control = client->control;

	if (client->ending)
		return &control->refused_count;
	return client->connects ? &control->connect_count : &control->client_count;
}

static void drop(struct hv_control_client *client)
{
	struct hv_loop *loop = &client->control->gateway->loop;

	LIST_REMOVE(client, entry);
	--*count_of(client);
	hv_loop_timer_cancel(loop, &client->timeout);
	hv_answer_end(&client->answer);
	hv_source_close(loop, &client->source, free_client);
}

static void timed_out(struct hv_loop_timer *timer)
{
	struct hv_control_client *client =
		hv_container(timer, struct hv_control_client, timeout);

	hv_log_line(client->control->gateway->log, HV_LOG_DEBUG,
		    "a client of the control socket was silent for too long");
	drop(client);
}

static void progress(struct hv_control_client *client)
{
	struct hv_loop *loop = &client->control->gateway->loop;

	hv_loop_timer_set(loop, &client->timeout, loop->now_ns + TIMEOUT_NS);
}

/* Watch for what comes next. */
static void watch(struct hv_control_client *client)
{
	struct hv_loop *loop = &client->control->gateway->loop;
	uint32_t events = EPOLLIN;

	if (client->output_used > client->output_sent)
		events = EPOLLOUT;
	else if (client->answer.kind)
		events = hv_answer_can_step(&client->answer) ? EPOLLOUT : 0;
	if (events == 0)
		hv_loop_timer_cancel(loop, &client->timeout); /* it is we who are waited for */
	else if (!hv_loop_timer_armed(&client->timeout))
		progress(client);
	hv_source_change(loop, &client->source, events);
}

void hv_answer_ready(struct hv_answer *answer)
{
	watch(hv_container(answer, struct hv_control_client, answer));
}

/* --- out -------------------------------------------------------------------------------- */

static bool reserve(struct hv_control_client *client, size_t size)
{
	size_t wanted = client->output_size ? client->output_size : 4096;
	char *output;

	while (wanted < client->output_used + size)
		wanted *= 2;
	if (wanted == client->output_size)
		return true;
	output = realloc(client->output, wanted);
	if (!output)
		return false;
	client->output = output;
	client->output_size = wanted;
	return true;
}

static int append(const char *buffer, size_t size, void *data)
{
	struct hv_control_client *client = data;

	if (!reserve(client, size))
		return -1;
	memcpy(client->output + client->output_used, buffer, size);
	client->output_used += size;
	return 0;
}

/* The row as one line. Takes it. */
static bool put_row(struct hv_control_client *client, json_t *row)
{
	bool good = json_dump_callback(row, append, client, JSON_COMPACT) == 0 &&
		    append("\n", 1, client) == 0;

	json_decref(row);
	return good;
}

/* Returns false when the client cannot be served any longer. */
static bool make_slice(struct hv_control_client *client)
{
	struct hv_answer *answer = &client->answer;
	unsigned rows = 0;

	for (unsigned step = 0; step < SLICE_STEPS && rows < SLICE_ROWS; step++) {
		json_t *row = NULL;
		bool more;

		if (!answer->kind || !hv_answer_can_step(answer) ||
		    client->output_used - client->output_sent >= OUTPUT_HIGH_BYTES)
			break;
		more = hv_answer_step(answer, &row);
		if (row) {
			rows++;
			if (!put_row(client, row))
				return false;
		}
		if (!more)
			hv_answer_end(answer);
	}
	return true;
}

static bool send_output(struct hv_control_client *client)
{
	size_t left = client->output_used - client->output_sent;
	ssize_t sent;

	if (left == 0)
		return true;
	sent = send(client->source.fd, client->output + client->output_sent, left,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0)
		return errno == EAGAIN || errno == EINTR;
	progress(client);
	client->output_sent += (size_t)sent;
	if (client->output_sent == client->output_used)
		client->output_sent = client->output_used = 0;
	else if (client->output_sent >= OUTPUT_HIGH_BYTES) {
		client->output_used -= client->output_sent;
		memmove(client->output, client->output + client->output_sent,
			client->output_used);
		client->output_sent = 0;
	}
	return true;
}

/* --- in --------------------------------------------------------------------------------- */

/* The next whole line becomes an answer. Returns false when there is none. */
static bool take_line(struct hv_control_client *client)
{
	char *end = memchr(client->request, '\n', client->request_used);
	size_t size;

	if (!end)
		return false;
	size = (size_t)(end - client->request) + 1;
	hv_answer_begin(&client->answer, client->control, client->request, size - 1);
	client->request_used -= size;
	memmove(client->request, end + 1, client->request_used);
	return true;
}

/* again: a moment later it will probably do. */
static void refuse(struct hv_control_client *client, const char *message, bool again)
{
	static const char line[] = "{\"type\":\"error\",\"message\":\"%s\"%s}\n";
	char text[256];
	int size = snprintf(text, sizeof(text), line, message, again ? ",\"again\":true" : "");

	--*count_of(client);
	client->ending = true;
	++*count_of(client);
	append(text, (size_t)size, client);
}

/*
 * Closed with something unread, the socket would take what we said along. So the client is told that
 * nothing more comes, and what it says is passed over until it closes.
 */
static bool linger(struct hv_control_client *client)
{
	char rest[1024];
	ssize_t size;

	if (!client->lingering) {
		client->lingering = true;
		return shutdown(client->source.fd, SHUT_WR) == 0;
	}
	size = recv(client->source.fd, rest, sizeof(rest), MSG_DONTWAIT);
	return size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Returns false when the client is to be dropped. */
static bool receive(struct hv_control_client *client)
{
	const char *fault;
	int fd;
	ssize_t size =
		hv_passed_receive(client->source.fd, client->request + client->request_used,
				  REQUEST_MAX - client->request_used, &fd, &fault);

	if (size < 0)
		return errno == EAGAIN || errno == EINTR;
	if (fd >= 0 && client->passed_fd >= 0) {
		close(fd);
		fault = "a descriptor came before, and no 'connect' has taken it";
	} else if (fd >= 0) {
		client->passed_fd = fd;
	}
	if (size == 0)
		return false;
	progress(client);
	client->request_used += (size_t)size;
	if (fault)
		refuse(client, fault, false);
	else if (!take_line(client) && client->request_used == REQUEST_MAX)
		refuse(client, "the request is longer than 4096 bytes", false);
	return true;
}

static void client_ready(struct hv_source *source, uint32_t events)
{
	struct hv_control_client *client =
		hv_container(source, struct hv_control_client, source);
	bool good = true;

	if (events & (EPOLLERR | EPOLLHUP)) {
		drop(client);
		return;
	}
	if ((events & EPOLLIN) && !client->ending)
		good = receive(client);
	if (good)
		good = make_slice(client) && send_output(client);
	if (good && client->ending && client->output_used == client->output_sent)
		good = linger(client);
	/* One answer after the other, in the order of the requests. */
	if (good && !client->answer.kind && !client->ending)
		take_line(client);
	if (good)
		watch(client);
	else
		drop(client);
}

/* --- accepting -------------------------------------------------------------------------- */

/* The gateway's own user, and root, who could do all of it anyway. */
static bool may_talk(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	       (peer.uid == geteuid() || peer.uid == 0);
}

/* Takes fd. */
static void add_client(struct hv_control *control, int fd)
{
	struct hv_control_client *client = calloc(1, sizeof(*client));

	if (client)
		client->request = malloc(REQUEST_MAX);
	if (!client || !client->request) {
		free(client);
		close(fd);
		return;
	}
	client->control = control;
	client->passed_fd = -1;
	client->source.fd = fd;
	client->source.ready = client_ready;
	client->timeout.expired = timed_out;
	LIST_INSERT_HEAD(&control->clients, client, entry);
	control->client_count++;
	if (!may_talk(fd))
		refuse(client, "this network belongs to another user", false);
	else if (control->client_count > CLIENTS_MAX)
		refuse(client, "too many are asking at the same time", true);
	if (hv_source_add(&control->gateway->loop, &client->source, EPOLLIN) < 0) {
		drop(client);
		return;
	}
	watch(client);
	if (control->refused_count > REFUSED_MAX)
		drop(client);
}

static void resume(struct hv_loop_timer *timer)
{
	struct hv_control *control = hv_container(timer, struct hv_control, pause);

	hv_source_change(&control->gateway->loop, &control->listener, EPOLLIN);
}

static void pause_accepting(struct hv_control *control)
{
	struct hv_loop *loop = &control->gateway->loop;

	hv_source_change(loop, &control->listener, 0);
	hv_loop_timer_set(loop, &control->pause, loop->now_ns + PAUSE_NS);
}

static void accept_ready(struct hv_source *source, uint32_t events)
{
	struct hv_control *control = hv_container(source, struct hv_control, listener);

	(void)events;
	for (int i = 0; i < ACCEPTS_PER_WAKE; i++) {
		int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0) {
			/* Without descriptors it stays ready: it is left alone for a while. */
			if (errno != EAGAIN)
				pause_accepting(control);
			return;
		}
		add_client(control, fd);
	}
}

/* --- the whole -------------------------------------------------------------------------- */

static int listen_at(struct hv_control *control)
{
	struct sockaddr_un address;
	socklen_t size = hv_control_address(geteuid(), control->name, &address);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, BACKLOG) < 0) {
		error = -errno;
		close(fd);
		return error;
	}
	control->listener.fd = fd;
	control->listener.ready = accept_ready;
	return hv_source_add(&control->gateway->loop, &control->listener, EPOLLIN);
}

static int start(struct hv_control *control, const struct hv_gateway_config *config)
{
	const struct hv_guest_wire *wire = hv_guest_wire(control->guest);

	LIST_INIT(&control->clients);
	control->listener.fd = -1;
	control->pause.expired = resume;
	control->started = time(NULL);
	control->command = config->command;
	control->attached = config->attached;
	control->privileged_ports = config->privileged_ports;
	if (config->name)
		snprintf(control->name, sizeof(control->name), "%s", config->name);
	else
		hv_control_name_make(config->command && config->command[0] ? config->command[0]
									   : "net",
				     getpid(), control->name);
	control->surveyor = hv_surveyor_new(control->gateway, wire->diag_fd, wire->netns_fd);
	control->gateway->surveyor = control->surveyor;
	return control->surveyor ? listen_at(control) : -ENOMEM;
}

int hv_control_create(struct hv_gateway *gateway, const struct hv_guest *guest,
		      const struct hv_gateway_config *config, struct hv_control **out,
		      struct hv_gateway_error *error)
{
	struct hv_control *control = calloc(1, sizeof(*control));
	int failed;

	if (!control)
		return -ENOMEM;
	control->gateway = gateway;
	control->guest = guest;
	failed = start(control, config);
	if (failed < 0) {
		if (failed == -EADDRINUSE)
			snprintf(error->text, sizeof(error->text),
				 "a network called '%s' is up already; 'haven ls' shows it",
				 control->name);
		else
			snprintf(error->text, sizeof(error->text),
				 "cannot make the control socket of '%s': %s", control->name,
				 strerror(-failed));
		hv_control_destroy(control);
		return failed;
	}
	*out = control;
	return 0;
}

/* Those that connect are told how it ended, as far as that can be without waiting. */
static void end_connects(struct hv_control *control)
{
	struct hv_control_client *client;

	LIST_FOREACH(client, &control->clients, entry) {
		if (hv_answer_network_ends(&client->answer) && make_slice(client))
			send_output(client);
	}
}

void hv_control_destroy(struct hv_control *control)
{
	struct hv_loop *loop;

	if (!control)
		return;
	loop = &control->gateway->loop;
	end_connects(control);
	while (!LIST_EMPTY(&control->clients))
		drop(LIST_FIRST(&control->clients));
	hv_loop_end_turn(loop);
	hv_loop_timer_cancel(loop, &control->pause);
	if (control->listener.fd >= 0) {
		hv_source_remove(loop, &control->listener);
		close(control->listener.fd);
	}
	hv_refusals_stop(control->gateway);
	hv_surveyor_free(control->surveyor);
	haven_services_destroy(control->services);
	free(control);
}
