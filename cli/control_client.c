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

/* What goes with the first bytes of a request. */
struct passed {
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
};

static void attach(struct msghdr *message, struct passed *passed, int fd)
{
	struct cmsghdr *header;

	memset(passed, 0, sizeof(*passed));
	message->msg_control = passed->control.bytes;
	message->msg_controllen = sizeof(passed->control.bytes);
	header = CMSG_FIRSTHDR(message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
}

int hv_client_say(const struct hv_client_talk *talk, const json_t *request, int passed_fd,
		  char error[HV_CLIENT_ERROR])
{
	char *line = json_dumps(request, JSON_COMPACT);
	struct passed passed;
	size_t size, done = 0;
	ssize_t sent = 0;

	if (!line)
		return fail(error, -ENOMEM, "out of memory");
	size = strlen(line);
	line[size++] = '\n'; /* in place of the final 0 */
	while (done < size && sent >= 0) {
		struct iovec iov = {.iov_base = line + done, .iov_len = size - done};
		struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

		if (passed_fd >= 0 && done == 0)
			attach(&message, &passed, passed_fd);
		sent = sendmsg(talk->fd, &message, MSG_NOSIGNAL);
		if (sent > 0)
			done += (size_t)sent;
		else if (sent < 0 && errno == EINTR)
			sent = 0;
	}
	free(line);
	return done == size ? 0 : fail(error, -errno, "asking: %s", strerror(errno));
}

static int fill(struct hv_client_talk *talk, char error[HV_CLIENT_ERROR])
{
	struct pollfd wait = {.fd = talk->fd, .events = POLLIN};
	ssize_t size;

	if (talk->begin > 0) {
		talk->end -= talk->begin;
		memmove(talk->buffer, talk->buffer + talk->begin, talk->end);
		talk->begin = 0;
	}
	if (talk->end == talk->size) {
		size_t wanted = talk->size ? talk->size * 2 : 65536;
		char *grown = wanted <= LINE_MAX_BYTES ? realloc(talk->buffer, wanted) : NULL;

		if (!grown)
			return fail(error, -ENOMEM, "'%s': the answer is too long", talk->name);
		talk->buffer = grown;
		talk->size = wanted;
	}
	if (poll(&wait, 1, talk->patience_ms) == 0)
		return fail(error, -ETIMEDOUT, "'%s' does not answer; is it stopped?",
			    talk->name);
	size = recv(talk->fd, talk->buffer + talk->end, talk->size - talk->end, 0);
	if (size == 0 || (size < 0 && errno != EINTR))
		return fail(error, -ECONNREFUSED, "'%s' has ended", talk->name);
	talk->end += size > 0 ? (size_t)size : 0;
	return 0;
}

/* The next line as an object, or NULL with a line in error. */
static json_t *read_line(struct hv_client_talk *talk, int *failed, char error[HV_CLIENT_ERROR])
{
	json_error_t wrong;
	json_t *row;
	size_t looked =
		0; /* at what is there, so that long lines cost no more than short ones */
	char *newline = NULL;

	while (talk->end - talk->begin == looked ||
	       !(newline = memchr(talk->buffer + talk->begin + looked, '\n',
				  talk->end - talk->begin - looked))) {
		looked = talk->end - talk->begin;
		*failed = fill(talk, error);
		if (*failed < 0)
			return NULL;
	}
	row = json_loadb(talk->buffer + talk->begin,
			 (size_t)(newline - talk->buffer) - talk->begin, 0, &wrong);
	talk->begin = (size_t)(newline - talk->buffer) + 1;
	if (json_is_object(row))
		return row;
	json_decref(row);
	*failed =
		fail(error, -EPROTO, "'%s' gives an answer that is no JSON object", talk->name);
	return NULL;
}

static bool is_type(const json_t *row, const char *type)
{
	const char *text = json_string_value(json_object_get(row, "type"));

	return text && strcmp(text, type) == 0;
}

int hv_client_row(struct hv_client_talk *talk, json_t **row, char *note,
		  char error[HV_CLIENT_ERROR])
{
	const char *text;
	int failed = 0;

	*row = read_line(talk, &failed, error);
	if (!*row)
		return failed;
	if (is_type(*row, "error")) {
		text = json_string_value(json_object_get(*row, "message"));
		failed =
			fail(error,
			     json_is_true(json_object_get(*row, "again")) ? -EBUSY : -EREMOTEIO,
			     "%s", text ? text : "it failed");
	} else if (is_type(*row, "end")) {
		text = json_string_value(json_object_get(*row, "note"));
		if (note)
			snprintf(note, HV_CLIENT_ERROR, "%s", text ? text : "");
	} else {
		return 1;
	}
	json_decref(*row);
	*row = NULL;
	return failed;
}

int hv_client_open(const struct hv_client_network *network, struct hv_client_talk *talk,
		   char error[HV_CLIENT_ERROR])
{
	memset(talk, 0, sizeof(*talk));
	talk->name = network->name;
	talk->patience_ms = PATIENCE_MS;
	talk->fd = connect_to(network, error);
	return talk->fd < 0 ? talk->fd : 0;
}

void hv_client_close(struct hv_client_talk *talk)
{
	free(talk->buffer);
	if (talk->fd >= 0)
		close(talk->fd);
}

static int ask_one(struct hv_client_talk *talk, const json_t *request,
		   void (*row)(void *user, json_t *row), void *user, char *note,
		   char error[HV_CLIENT_ERROR])
{
	int more;

	talk->patience_ms = json_is_true(json_object_get(request, "follow")) ? -1 : PATIENCE_MS;
	more = hv_client_say(talk, request, -1, error);
	if (more < 0)
		return more;
	do {
		json_t *one;

		more = hv_client_row(talk, &one, note, error);
		if (more > 0) {
			row(user, one);
			json_decref(one);
		}
	} while (more > 0);
	return more;
}

int hv_client_ask(const struct hv_client_network *network, json_t *request,
		  void (*row)(void *user, json_t *row), void *user, char *note,
		  char error[HV_CLIENT_ERROR])
{
	size_t count = json_is_array(request) ? json_array_size(request) : 1;
	struct hv_client_talk talk;
	int failed = hv_client_open(network, &talk, error);

	if (note)
		note[0] = '\0';
	for (size_t i = 0; i < count && failed == 0; i++) {
		const json_t *one =
			json_is_array(request) ? json_array_get(request, i) : request;

		failed = ask_one(&talk, one, row, user, note, error);
	}
	hv_client_close(&talk);
	return failed;
}
