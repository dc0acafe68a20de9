/*
 * Finding and asking networks. See control_client.h.
 */
#include "cli/control_client.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/options.h"

/* A gateway answers within milliseconds, unless it is stopped (^Z stops it with its command). */
#define PATIENCE_MS 5000
/* A row of an answer is shorter than this. */
#define LINE_MAX_BYTES (1024 * 1024)

__attribute__((format(printf, 3, 4))) static int fail(char error[HV_CLIENT_ERROR], int number,
						      const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	/* clang 14's analyser loses sight of va_start. NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized) */
	vsnprintf(error, HV_CLIENT_ERROR, format, arguments);
	va_end(arguments);
	return number;
}

/* --- which there are -------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const struct hv_client_network *one = a, *other = b;
	int order = strcmp(one->name, other->name);

	return order ? order : (one->uid > other->uid) - (one->uid < other->uid);
}

static int add(struct hv_client_network **list, size_t *count, size_t *size,
	       const struct hv_client_network *network)
{
	if (*count == *size) {
		size_t wanted = *size ? *size * 2 : 16;
		void *grown = realloc(*list, wanted * sizeof(*network));

		if (!grown)
			return -ENOMEM;
		*list = grown;
		*size = wanted;
	}
	(*list)[(*count)++] = *network;
	return 0;
}

int hv_client_list(struct hv_client_network **list, size_t *count, char error[HV_CLIENT_ERROR])
{
	FILE *file = fopen("/proc/net/unix", "re");
	struct hv_client_network network;
	char line[512];
	size_t size = 0;
	int failed = 0;

	*list = NULL;
	*count = 0;
	if (!file)
		return fail(error, -errno, "cannot read /proc/net/unix: %s", strerror(errno));
	while (failed == 0 && fgets(line, sizeof(line), file)) {
		if (hv_control_name_parse(line, &network.uid, network.name) &&
		    (geteuid() == 0 || network.uid == geteuid()))
			failed = add(list, count, &size, &network);
	}
	fclose(file);
	if (failed < 0) {
		free(*list);
		return fail(error, failed, "out of memory");
	}
	if (*count > 0)
		qsort(*list, *count, sizeof(**list), compare);
	return 0;
}

struct names {
	const struct hv_client_network *list;
	size_t count;
};

static const char *name_at(const void *user, size_t i)
{
	const struct names *names = user;

	return i < names->count ? names->list[i].name : NULL;
}

static int not_found(const char *name, const struct hv_client_network *list, size_t count,
		     char error[HV_CLIENT_ERROR])
{
	struct names names = {list, count};
	const char *near = hv_nearest(name, name_at, &names);

	if (count == 0)
		return fail(error, -ENOENT, "there is no network '%.60s'; none is up", name);
	return fail(error, -ENOENT, "there is no network '%.60s'; %s%s%s", name,
		    near ? "did you mean '" : "'haven ls' lists what there is",
		    near ? near : "", near ? "'?" : "");
}

/* Which of the list is meant: returns its index, or a negative errno. */
static int choose(const char *name, const struct hv_client_network *list, size_t count,
		  char error[HV_CLIENT_ERROR])
{
	const char *slash = strchr(name, '/');
	const char *wanted = slash ? slash + 1 : name;
	unsigned long uid = slash ? strtoul(name, NULL, 10) : 0;
	int found = -1, matches = 0;

	for (size_t i = 0; i < count; i++) {
		if (strcmp(list[i].name, wanted) != 0 || (slash && list[i].uid != uid))
			continue;
		if (list[i].uid == geteuid())
			return (int)i;
		found = (int)i;
		matches++;
	}
	if (matches == 0)
		return not_found(name, list, count, error);
	if (matches > 1)
		return fail(error, -EEXIST, "several users have a network '%.60s': say %u/%s",
			    wanted, list[found].uid, list[found].name);
	return found;
}

int hv_client_find(const char *name, struct hv_client_network *network,
		   char error[HV_CLIENT_ERROR])
{
	struct hv_client_network *list;
	size_t count;
	int index = hv_client_list(&list, &count, error);

	if (index < 0)
		return index;
	index = choose(name, list, count, error);
	if (index >= 0 && (size_t)index < count)
		*network = list[index];
	free(list);
	return index < 0 ? index : 0;
}

/* --- asking ----------------------------------------------------------------------------- */

/* Abstract names are anybody's to take: the one who listens must be the user that the name says. */
static int check_peer(int fd, const struct hv_client_network *network,
		      char error[HV_CLIENT_ERROR])
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return fail(error, -errno, "'%s': %s", network->name, strerror(errno));
	if (peer.uid != network->uid)
		return fail(error, -EPERM, "the control socket of '%s' belongs to user %u",
			    network->name, peer.uid);
	return 0;
}

static int connect_to(const struct hv_client_network *network, char error[HV_CLIENT_ERROR])
{
	struct sockaddr_un address;
	socklen_t size = hv_control_address(network->uid, network->name, &address);
	struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int failed;

	if (fd < 0)
		return fail(error, -errno, "socket: %s", strerror(errno));
	/* Against a gateway that is stopped, with its queue of connections full. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&address, size) < 0) {
		failed = errno == EAGAIN ? -ETIMEDOUT : -errno;
		fail(error, failed, "'%s': %s", network->name, strerror(-failed));
	} else {
		failed = check_peer(fd, network, error);
	}
	if (failed == 0)
		return fd;
	close(fd);
	return failed;
}

static int send_request(int fd, json_t *request, char error[HV_CLIENT_ERROR])
{
	char *line = json_dumps(request, JSON_COMPACT);
	size_t size, done = 0;
	ssize_t sent = 0;

	if (!line)
		return fail(error, -ENOMEM, "out of memory");
	size = strlen(line);
	line[size++] = '\n'; /* in place of the final 0 */
	while (done < size && sent >= 0) {
		sent = send(fd, line + done, size - done, MSG_NOSIGNAL);
		if (sent > 0)
			done += (size_t)sent;
		else if (sent < 0 && errno == EINTR)
			sent = 0;
	}
	free(line);
	return done == size ? 0 : fail(error, -errno, "asking: %s", strerror(errno));
}

/* The reader of an answer. */
struct reader {
	int fd;
	int patience_ms; /* -1: any */
	const char *name;
	char *buffer;
	size_t size, begin, end; /* what was read and not yet used: begin..end */
};

static int fill(struct reader *reader, char error[HV_CLIENT_ERROR])
{
	struct pollfd wait = {.fd = reader->fd, .events = POLLIN};
	ssize_t size;

	if (reader->begin > 0) {
		reader->end -= reader->begin;
		memmove(reader->buffer, reader->buffer + reader->begin, reader->end);
		reader->begin = 0;
	}
	if (reader->end == reader->size) {
		size_t wanted = reader->size ? reader->size * 2 : 65536;
		char *grown = wanted <= LINE_MAX_BYTES ? realloc(reader->buffer, wanted) : NULL;

		if (!grown)
			return fail(error, -ENOMEM, "'%s': the answer is too long",
				    reader->name);
		reader->buffer = grown;
		reader->size = wanted;
	}
	if (poll(&wait, 1, reader->patience_ms) == 0)
		return fail(error, -ETIMEDOUT, "'%s' does not answer; is it stopped?",
			    reader->name);
	size = recv(reader->fd, reader->buffer + reader->end, reader->size - reader->end, 0);
	if (size == 0 || (size < 0 && errno != EINTR))
		return fail(error, -ECONNREFUSED, "'%s' has ended", reader->name);
	reader->end += size > 0 ? (size_t)size : 0;
	return 0;
}

/* The next row, or NULL with a line in error. */
static json_t *read_row(struct reader *reader, int *failed, char error[HV_CLIENT_ERROR])
{
	json_error_t wrong;
	json_t *row;
	size_t looked =
		0; /* at what is there, so that long lines cost no more than short ones */
	char *newline = NULL;

	while (reader->end - reader->begin == looked ||
	       !(newline = memchr(reader->buffer + reader->begin + looked, '\n',
				  reader->end - reader->begin - looked))) {
		looked = reader->end - reader->begin;
		*failed = fill(reader, error);
		if (*failed < 0)
			return NULL;
	}
	row = json_loadb(reader->buffer + reader->begin,
			 (size_t)(newline - reader->buffer) - reader->begin, 0, &wrong);
	reader->begin = (size_t)(newline - reader->buffer) + 1;
	if (json_is_object(row))
		return row;
	json_decref(row);
	*failed = fail(error, -EPROTO, "'%s' gives an answer that is no JSON object",
		       reader->name);
	return NULL;
}

static int read_answer(struct reader *reader, void (*row)(void *user, json_t *row), void *user,
		       char *note, char error[HV_CLIENT_ERROR])
{
	const char *type = "";
	const char *text;
	int failed = 0;

	while (strcmp(type, "end") != 0 && failed == 0) {
		json_t *one = read_row(reader, &failed, error);

		if (!one)
			break;
		text = json_string_value(json_object_get(one, "type"));
		type = !text			    ? ""
		       : strcmp(text, "end") == 0   ? "end"
		       : strcmp(text, "error") == 0 ? "error"
						    : "";
		if (strcmp(type, "error") == 0) {
			text = json_string_value(json_object_get(one, "message"));
			failed = fail(error, -EREMOTEIO, "%s", text ? text : "it failed");
		} else if (strcmp(type, "end") == 0) {
			text = json_string_value(json_object_get(one, "note"));
			if (note)
				snprintf(note, HV_CLIENT_ERROR, "%s", text ? text : "");
		} else {
			row(user, one);
		}
		json_decref(one);
	}
	return failed;
}

int hv_client_ask(const struct hv_client_network *network, json_t *request,
		  void (*row)(void *user, json_t *row), void *user, char *note,
		  char error[HV_CLIENT_ERROR])
{
	struct reader reader = {.name = network->name};
	size_t count = json_is_array(request) ? json_array_size(request) : 1;
	int failed = 0;

	if (note)
		note[0] = '\0';
	reader.fd = connect_to(network, error);
	if (reader.fd < 0)
		return reader.fd;
	for (size_t i = 0; i < count && failed == 0; i++) {
		json_t *one = json_is_array(request) ? json_array_get(request, i) : request;

		reader.patience_ms =
			json_is_true(json_object_get(one, "follow")) ? -1 : PATIENCE_MS;
		failed = send_request(reader.fd, one, error);
		if (failed == 0)
			failed = read_answer(&reader, row, user, note, error);
	}
	free(reader.buffer);
	close(reader.fd);
	return failed;
}
