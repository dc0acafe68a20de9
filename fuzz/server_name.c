/*
 * A stream of a client, to a reader of server names. The first byte says where the stream is cut: whatever pieces it comes in, the
 * same must be said about it, and nothing may be held back that was allowed to go on, or that there is no room for.
 *
 * What is behind 0xfd 0xfd in the stream is the server's, up to the next such pair.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/server_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EVENTS_MAX 64
#define HELD_MAX   ((size_t)70 * 1024)

struct said {
	enum hv_server_name_event event;
	size_t at, held;
	char name[HV_SERVER_NAME_SIZE];
};

struct run {
	struct hv_server_name_reader *reader;
	unsigned cut; /* each piece has a size that follows from it */
	size_t fed, released, count, held;
	bool done;
	const uint8_t *left; /* what the client says as soon as the server has answered */
	size_t left_size;
	struct said said[EVENTS_MAX];
};

static void check(bool good)
{
	if (!good)
		abort();
}

static void check_name(const char *name)
{
	size_t size = strlen(name);

	check(size > 0 && size < HV_SERVER_NAME_SIZE && name[size - 1] != '.');
	for (; *name; name++) {
		check((*name >= 'a' && *name <= 'z') || (*name >= '0' && *name <= '9') ||
		      strchr("-_.:", *name));
	}
}

static void note(struct run *run, enum hv_server_name_event event)
{
	struct said *said = &run->said[run->count];

	if (event == HV_SERVER_NAME_NAME)
		check_name(hv_server_name(run->reader));
	else if (event >= HV_SERVER_NAME_MISSING)
		check(hv_server_name_fault(run->reader));
	if (event == HV_SERVER_NAME_MORE || event == HV_SERVER_NAME_WAIT || run->done ||
	    run->count == EVENTS_MAX)
		return;
	run->done = event == HV_SERVER_NAME_DONE;
	said->event = event;
	said->at = run->done ? 0 : run->fed;
	said->held = hv_server_name_held(run->reader);
	snprintf(said->name, sizeof(said->name), "%s", hv_server_name(run->reader));
	run->count++;
}

/* From a buffer of exactly its size. How much was taken: less than all when the server is waited for. */
static size_t feed(struct run *run, const uint8_t *data, size_t size)
{
	enum hv_server_name_event event = HV_SERVER_NAME_MORE;
	uint8_t *copy = malloc(size);
	size_t used, held, at;

	if (!copy)
		abort();
	memcpy(copy, data, size);
	for (at = 0; at < size && event != HV_SERVER_NAME_WAIT; at += used) {
		event = hv_server_name_feed(run->reader, copy + at, size - at, &used);
		run->fed += used;
		held = hv_server_name_held(run->reader);
		check(used <= size - at && held <= HELD_MAX && held <= run->fed);
		check(run->fed - held >= run->released);
		run->released = run->fed - held;
		if (event == HV_SERVER_NAME_MORE || event == HV_SERVER_NAME_DONE)
			check(used == size - at);
		note(run, event);
	}
	free(copy);
	return at;
}

static size_t piece(const struct run *run, size_t at, size_t left)
{
	size_t n = run->cut == 0 ? left : run->cut == 1 ? 1 : (at * 31 + 7) % run->cut + 1;

	return n < left ? n : left;
}

static void say(struct run *run, const uint8_t *data, size_t size)
{
	size_t at = 0, n, taken;

	do {
		n = piece(run, at, size - at);
		taken = n > 0 ? feed(run, data + at, n) : 0;
		at += taken;
	} while (taken == n && at < size);
	run->left = data + at;
	run->left_size = size - at;
}

static void answer(struct run *run, const uint8_t *data, size_t size)
{
	size_t n;

	for (size_t at = 0; at < size; at += n) {
		n = piece(run, at, size - at);
		if (hv_server_name_listens(run->reader))
			hv_server_name_answered(run->reader, data + at, n);
	}
	say(run, run->left, run->left_size);
}

static size_t find_mark(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i + 1 < size; i++) {
		if (data[i] == 0xfd && data[i + 1] == 0xfd)
			return i;
	}
	return size;
}

static void converse(struct run *run, const uint8_t *data, size_t size)
{
	bool client = true;

	run->reader = hv_server_name_new();
	check(run->reader);
	run->left = data;
	for (;;) {
		size_t n = find_mark(data, size);

		if (!client)
			answer(run, data, n);
		else if (run->left_size == 0)
			say(run, data, n);
		if (n == size)
			break;
		client = !client;
		data += n + 2;
		size -= n + 2;
	}
	hv_server_name_feed(run->reader, data, 0, &(size_t){0});
	run->held = hv_server_name_held(run->reader);
	note(run, hv_server_name_end(run->reader));
	hv_server_name_free(run->reader);
}

static bool same(const struct said *a, const struct said *b)
{
	return a->event == b->event && a->at == b->at && a->held == b->held &&
	       strcmp(a->name, b->name) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct run whole, cut;

	if (size == 0)
		return 0;
	whole = (struct run){0};
	cut = (struct run){.cut = data[0] + 1u};
	converse(&whole, data + 1, size - 1);
	converse(&cut, data + 1, size - 1);
	check(whole.count == cut.count);
	check(whole.held == cut.held);
	for (size_t i = 0; i < whole.count; i++)
		check(same(&whole.said[i], &cut.said[i]));
	return 0;
}
