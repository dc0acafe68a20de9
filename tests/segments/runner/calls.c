/* Socket calls of a script, and what it expects of sockets. */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "packet.h"

enum { BYTES_MAX = 1 << 24, DEFAULT_BACKLOG = 8 };

/* --- sockets by name ---------------------------------------------------------------------- */

static struct seg_socket *socket_find(struct seg_world *world, const char *name)
{
	for (unsigned i = 0; i < SEG_SOCKETS; i++)
		if (world->sockets[i].socket && strcmp(world->sockets[i].name, name) == 0)
			return &world->sockets[i];
	return NULL;
}

/* A place for a new socket of this name. */
static struct seg_socket *socket_place(struct seg_world *world, const char *name)
{
	if (socket_find(world, name)) {
		seg_fail(world, "there is a socket '%s' already", name);
		return NULL;
	}
	for (unsigned i = 0; i < SEG_SOCKETS; i++) {
		struct seg_socket *s = &world->sockets[i];

		if (!s->socket) {
			*s = (struct seg_socket){0};
			snprintf(s->name, sizeof(s->name), "%s", name);
			return s;
		}
	}
	seg_fail(world, "too many sockets");
	return NULL;
}

void seg_close_all(struct seg_world *world)
{
	for (unsigned i = 0; i < SEG_SOCKETS; i++) {
		if (world->sockets[i].socket)
			haven_close(world->sockets[i].socket);
		world->sockets[i].socket = NULL;
	}
}

/* --- results ------------------------------------------------------------------------------ */

static const char *result_text(int64_t result, char *out, size_t size)
{
	if (result < 0 && haven_errname((int)-result))
		snprintf(out, size, "%s", haven_errname((int)-result));
	else
		snprintf(out, size, "%lld", (long long)result);
	return out;
}

/* The call returned this; what was expected is said, or the usual. */
static bool check_result(struct seg_world *world, const struct seg_call *call, int64_t result,
			 int64_t usual)
{
	char came[32], wanted[32];

	if (call->said ? seg_in_range(&call->result, result) : result == usual)
		return true;
	return seg_fail(world, "%s\n\texpected: %s\n\tcame:     %s", world->at->text,
			result_text(call->said ? call->result.low : usual, wanted,
				    sizeof(wanted)),
			result_text(result, came, sizeof(came)));
}

/* --- calls -------------------------------------------------------------------------------- */

static bool do_socket(struct seg_world *world, const struct seg_call *call)
{
	struct seg_socket *s = socket_place(world, call->socket);

	return s && check_result(world, call,
				 haven_socket(world->stack, world->v6 ? AF_INET6 : AF_INET,
					      SOCK_STREAM, 0, &s->socket),
				 0);
}

static bool do_take(struct seg_world *world, const struct seg_call *call)
{
	struct seg_socket *s = socket_place(world, call->socket);

	if (!s || !check_result(world, call, seg_forward_take(world, &s->socket), 0))
		return false;
	seg_poll(world);
	return true;
}

static bool do_accept(struct seg_world *world, const struct seg_call *call)
{
	struct seg_socket *listener = socket_find(world, call->word);
	struct seg_socket *s = socket_place(world, call->socket);

	if (!listener)
		return seg_fail(world, "there is no socket '%s'", call->word);
	return s && check_result(world, call,
				 haven_accept(listener->socket, NULL, NULL, &s->socket), 0);
}

static int64_t do_bind(struct seg_world *world, struct seg_socket *s,
		       const struct seg_call *call)
{
	struct sockaddr_storage address;
	uint16_t port = call->pair_count ? (uint16_t)call->values[0].low
					 : (uint16_t)world->script->config.port;
	socklen_t length = seg_address(world, 1, port, &address);

	return haven_bind(s->socket, (struct sockaddr *)&address, length);
}

static int64_t do_send(struct seg_world *world, struct seg_socket *s,
		       const struct seg_call *call)
{
	size_t size = (size_t)call->values[0].low;
	struct sockaddr_storage address;
	uint8_t *bytes;
	ssize_t sent;

	if (size > BYTES_MAX)
		size = BYTES_MAX;
	bytes = malloc(size + 1);
	if (!bytes)
		abort();
	for (size_t i = 0; i < size; i++)
		bytes[i] = seg_pattern(s->sent + i);
	if (call->flags & MSG_FASTOPEN)
		sent = haven_sendto(s->socket, bytes, size, (int)call->flags,
				    (struct sockaddr *)&address,
				    seg_address(world, 2, seg_flow(world)->peer_port,
						&address));
	else
		sent = haven_send(s->socket, bytes, size, (int)call->flags);
	free(bytes);
	if (sent > 0)
		s->sent += (uint64_t)sent;
	return sent;
}

static int64_t do_recv(struct seg_world *world, struct seg_socket *s,
		       const struct seg_call *call)
{
	size_t size = (size_t)call->values[0].low;
	uint8_t *bytes;
	ssize_t received;

	if (size > BYTES_MAX)
		size = BYTES_MAX;
	bytes = malloc(size + 1);
	if (!bytes)
		abort();
	received = haven_recv(s->socket, bytes, size, (int)call->flags);
	for (ssize_t i = 0; i < received; i++) {
		if (bytes[i] != seg_pattern(s->received + (uint64_t)i)) {
			seg_fail(world, "byte %llu of what was received is wrong",
				 (unsigned long long)s->received + (uint64_t)i);
			break;
		}
	}
	free(bytes);
	if (received > 0 && !(call->flags & MSG_PEEK))
		s->received += (uint64_t)received;
	return received;
}

static int64_t do_connect(struct seg_world *world, struct seg_socket *s)
{
	struct sockaddr_storage address;
	socklen_t length = seg_address(world, 2, seg_flow(world)->peer_port, &address);

	return haven_connect(s->socket, (struct sockaddr *)&address, length);
}

static int64_t do_set(struct seg_socket *s, const struct seg_call *call)
{
	const struct seg_socket_option *option = seg_socket_option_of(call->word);
	int number = (int)call->values[0].low;
	struct linger linger = {number, (int)call->values[1].low};

	if (option->is_text)
		return haven_setsockopt(s->socket, option->level, option->option, call->text,
					(socklen_t)strlen(call->text));
	if (option->is_linger)
		return haven_setsockopt(s->socket, option->level, option->option, &linger,
					sizeof(linger));
	return haven_setsockopt(s->socket, option->level, option->option, &number,
				sizeof(number));
}

static bool do_get(struct seg_world *world, struct seg_socket *s, const struct seg_call *call)
{
	const struct seg_socket_option *option = seg_socket_option_of(call->word);
	char text[SEG_NAME] = "";
	struct linger linger = {0};
	int number = 0, error;
	socklen_t length = sizeof(number);

	if (option->is_text) {
		length = sizeof(text) - 1;
		error = haven_getsockopt(s->socket, option->level, option->option, text,
					 &length);
		if (!error && strcmp(text, call->result_text) != 0)
			return seg_fail(world, "%s\n\tcame: %s", world->at->text, text);
	} else if (option->is_linger) {
		length = sizeof(linger);
		error = haven_getsockopt(s->socket, option->level, option->option, &linger,
					 &length);
		number = linger.l_onoff ? linger.l_linger : -1;
	} else {
		error = haven_getsockopt(s->socket, option->level, option->option, &number,
					 &length);
	}
	if (option->is_text && !error)
		return true;
	return check_result(world, call, error < 0 ? error : number, 0);
}

/* --- expectations of sockets -------------------------------------------------------------- */

static bool do_has(struct seg_world *world, struct seg_socket *s, const struct seg_call *call)
{
	unsigned events = haven_socket_events(s->socket);
	char text[128];

	if ((events & call->flags) == call->flags && !(events & call->unwanted))
		return true;
	return seg_fail(world, "%s\n\tcame: %s", world->at->text,
			seg_events_text(events, text, sizeof(text)));
}

static bool do_error(struct seg_world *world, struct seg_socket *s, const struct seg_call *call)
{
	int number = 0;
	socklen_t length = sizeof(number);
	int error = haven_getsockopt(s->socket, SOL_SOCKET, SO_ERROR, &number, &length);

	if (!error && number == call->result.low)
		return true;
	return seg_fail(world, "%s\n\tcame: error %s", world->at->text,
			error	 ? haven_strerror(error)
			: number ? haven_errname(number)
				 : "none");
}

static uint64_t info_value(const uint8_t *info, const struct seg_info_field *field)
{
	uint64_t wide = 0;
	uint32_t word = 0;

	if (field->size == 1)
		return info[field->offset];
	if (field->size == 4) {
		memcpy(&word, info + field->offset, 4);
		return word;
	}
	memcpy(&wide, info + field->offset, 8);
	return wide;
}

static bool do_info(struct seg_world *world, struct seg_socket *s, const struct seg_call *call)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);
	int error;

	memset(&info, 0, sizeof(info));
	error = haven_getsockopt(s->socket, IPPROTO_TCP, TCP_INFO, &info, &length);
	if (error)
		return seg_fail(world, "%s\n\tTCP_INFO: %s", world->at->text,
				haven_strerror(error));
	for (unsigned i = 0; i < call->pair_count; i++) {
		const struct seg_info_field *field = seg_info_field_of(call->names[i]);
		uint64_t came = info_value((const uint8_t *)&info, field);

		if (field->offset + field->size > length)
			return seg_fail(world, "%s\n\tTCP_INFO ends before %s", world->at->text,
					field->name);
		if (!seg_in_range(&call->values[i], (int64_t)came))
			return seg_fail(world, "%s\n\tcame: %s %llu", world->at->text,
					field->name, (unsigned long long)came);
	}
	return true;
}

/* --- states ------------------------------------------------------------------------------- */

struct state_search {
	struct seg_world *world;
	const char *connection, *bind;
};

static uint16_t port_of(const struct sockaddr_storage *address)
{
	/* sin_port and sin6_port are in the same place */
	return ntohs(((const struct sockaddr_in *)address)->sin_port);
}

static bool visit_port(void *user, const struct haven_port_info *info)
{
	struct state_search *search = user;
	const struct seg_flow *flow = seg_flow(search->world);

	if (info->protocol != IPPROTO_TCP || port_of(&info->local) != flow->stack_port)
		return true;
	if (info->remote.ss_family == 0)
		search->bind = info->state;
	else if (port_of(&info->remote) == flow->peer_port)
		search->connection = info->state;
	return true;
}

const char *seg_state(struct seg_world *world)
{
	struct state_search search = {.world = world};

	haven_ports_each(world->stack, visit_port, &search);
	if (search.connection)
		return search.connection;
	return search.bind && strcmp(search.bind, "LISTEN") == 0 ? "LISTEN" : "CLOSED";
}

/* --- all of them --------------------------------------------------------------------------- */

static void end_socket(struct seg_socket *s, bool abort)
{
	if (abort)
		haven_abort(s->socket);
	else
		haven_close(s->socket);
	s->socket = NULL;
}

static bool call_on(struct seg_world *world, struct seg_socket *s, const struct seg_call *call)
{
	int backlog = call->pair_count ? (int)call->values[0].low : DEFAULT_BACKLOG;

	switch (call->verb) {
	case SEG_CALL_BIND:
		return check_result(world, call, do_bind(world, s, call), 0);
	case SEG_CALL_LISTEN:
		return check_result(world, call, haven_listen(s->socket, backlog), 0);
	case SEG_CALL_CONNECT:
		return check_result(world, call, do_connect(world, s), -EINPROGRESS);
	case SEG_CALL_SEND:
		return check_result(world, call, do_send(world, s, call), call->values[0].low);
	case SEG_CALL_RECV:
		return check_result(world, call, do_recv(world, s, call), 0) &&
		       !world->error[0];
	case SEG_CALL_SHUTDOWN:
		return check_result(world, call, haven_shutdown(s->socket, (int)call->flags),
				    0);
	case SEG_CALL_SET:
		return check_result(world, call, do_set(s, call), 0);
	case SEG_CALL_GET:
		return do_get(world, s, call);
	case SEG_CALL_HAS:
		return do_has(world, s, call);
	case SEG_CALL_ERROR:
		return do_error(world, s, call);
	case SEG_CALL_INFO:
		return do_info(world, s, call);
	case SEG_CALL_QUEUED:
		return check_result(world, call, (int64_t)haven_send_queued(s->socket), 0);
	case SEG_CALL_CLOSE:
	case SEG_CALL_ABORT:
		end_socket(s, call->verb == SEG_CALL_ABORT);
		return true;
	case SEG_CALL_SOCKET:
	case SEG_CALL_ACCEPT:
	case SEG_CALL_TAKE:
		break;
	}
	return false;
}

bool seg_do_call(struct seg_world *world, const struct seg_call *call)
{
	struct seg_socket *s;

	haven_set_time(world->stack, world->now_ns);
	if (call->verb == SEG_CALL_SOCKET)
		return do_socket(world, call);
	if (call->verb == SEG_CALL_ACCEPT)
		return do_accept(world, call);
	if (call->verb == SEG_CALL_TAKE)
		return do_take(world, call);
	s = socket_find(world, call->socket);
	if (!s)
		return seg_fail(world, "there is no socket '%s'", call->socket);
	if (!call_on(world, s, call))
		return false;
	seg_poll(world);
	return true;
}
