/* What a reader says, as text. See names_fixture.h. */
#include "names_fixture.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Cutting a stream everywhere takes the square of its size; a longer one is cut here and there. */
#define CUTS_MAX 400

struct run {
	struct hv_server_name_reader *reader;
	struct names_log *log;
	size_t fed, released;
};

static void say(struct names_log *log, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct names_log *log, const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(log->text + log->size, sizeof(log->text) - log->size, format, arguments);
	va_end(arguments);
	assert_true(n > 0 && (size_t)n < sizeof(log->text) - log->size);
	log->size += (size_t)n;
}

static void record(struct run *run, enum hv_server_name_event event)
{
	static const char *const words[] = {
		[HV_SERVER_NAME_NAME] = "name",
		[HV_SERVER_NAME_MISSING] = "missing",
		[HV_SERVER_NAME_HIDDEN] = "hidden",
		[HV_SERVER_NAME_UNREADABLE] = "unreadable",
	};
	const char *name = hv_server_name(run->reader);
	size_t held = hv_server_name_held(run->reader);

	switch (event) {
	case HV_SERVER_NAME_MORE:
		return;
	case HV_SERVER_NAME_WAIT:
		say(run->log, "wait %zu\n", run->fed);
		return;
	case HV_SERVER_NAME_DONE:
		if (run->log->decided == 0) {
			run->log->decided = run->fed;
			say(run->log, "done\n");
		}
		return;
	default:
		say(run->log, "%s %s%s%zu %zu\n", words[event], name, *name ? " " : "",
		    run->fed, held);
	}
	if (event == HV_SERVER_NAME_NAME)
		return;
	assert_non_null(hv_server_name_fault(run->reader));
	snprintf(run->log->fault, sizeof(run->log->fault), "%s",
		 hv_server_name_fault(run->reader));
}

/* What holds whatever is said. */
static void check(struct run *run, enum hv_server_name_event event, size_t size, size_t used)
{
	size_t held = hv_server_name_held(run->reader);

	assert_true(used <= size);
	assert_true(held <= 70 * 1024 && held <= run->fed);
	/* What was allowed to go on is gone. */
	assert_true(run->fed - held >= run->released);
	run->released = run->fed - held;
	if (event == HV_SERVER_NAME_MORE || event == HV_SERVER_NAME_DONE)
		assert_int_equal(used, size);
	if (event == HV_SERVER_NAME_DONE)
		assert_int_equal(held, 0);
}

/* False: the server is waited for. In a buffer of its own, so that a byte too many is found. */
static bool feed(struct run *run, const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size);
	enum hv_server_name_event event = HV_SERVER_NAME_MORE;
	size_t used = 0;

	assert_non_null(copy);
	memcpy(copy, data, size);
	for (size_t at = 0; at < size && event != HV_SERVER_NAME_WAIT; at += used) {
		event = hv_server_name_feed(run->reader, copy + at, size - at, &used);
		run->fed += used;
		check(run, event, size - at, used);
		record(run, event);
	}
	free(copy);
	return event != HV_SERVER_NAME_WAIT;
}

void names_run(const void *stream, size_t size, size_t first, size_t each,
	       struct names_log *log)
{
	struct run run = {.reader = hv_server_name_new(), .log = log};
	const uint8_t *data = stream;
	size_t n = first;

	assert_non_null(run.reader);
	*log = (struct names_log){0};
	for (size_t at = 0; at < size; at += n, n = each) {
		if (n > size - at)
			n = size - at;
		if (!feed(&run, data + at, n))
			goto end;
	}
	/* No more bytes: what was judged is held no more. */
	hv_server_name_feed(run.reader, data, 0, &n);
	say(log, "held %zu\n", hv_server_name_held(run.reader));
end:
	hv_server_name_free(run.reader);
}

/* Leaves in log what was said byte by byte, when it is what is said to all pieces. */
static void run_all(const void *stream, size_t size, struct names_log *log)
{
	static struct names_log other;
	size_t step = size / CUTS_MAX + 1;

	names_run(stream, size, 1, 1, log);
	names_run(stream, size, size, size, &other);
	assert_string_equal(other.text, log->text);
	assert_string_equal(other.fault, log->fault);
	for (size_t cut = 1; cut < size; cut += step) {
		names_run(stream, size, cut, size, &other);
		assert_string_equal(other.text, log->text);
		assert_string_equal(other.fault, log->fault);
	}
}

void names_expect(const void *stream, size_t size, const char *format, ...)
{
	static struct names_log log;
	char expected[sizeof(log.text)];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(expected, sizeof(expected), format, arguments);
	va_end(arguments);
	run_all(stream, size, &log);
	assert_string_equal(log.text, expected);
}

const char *names_join(const char *first, const char *second)
{
	static char text[512];
	int n = snprintf(text, sizeof(text), "%s%s", first, second);

	assert_true(n >= 0 && (size_t)n < sizeof(text));
	return text;
}

size_t names_harmless(const char *request)
{
	size_t n = strcspn(request, " \t"), word;
	const char *slashes;

	n += strspn(request + n, " \t");
	if (request[n] == '/' || request[n] == '*')
		return n;
	word = strcspn(request + n, " \r\n");
	slashes = strstr(request + n, "://");
	return slashes && slashes < request + n + word ? (size_t)(slashes - request) + 2
						       : n + word;
}

void names_expect_done(const void *stream, size_t size, size_t decided)
{
	static struct names_log log;

	run_all(stream, size, &log);
	assert_string_equal(log.text, "done\nheld 0\n");
	if (log.decided != decided)
		fail_msg("decided after %zu bytes: %.*s", log.decided, (int)size,
			 (const char *)stream);
}

void names_expect_fault(const void *stream, size_t size, const char *fault)
{
	static struct names_log log;

	run_all(stream, size, &log);
	if (!strstr(log.text, "unreadable "))
		fail_msg("not unreadable: %s", log.text);
	if (fault)
		assert_string_equal(log.fault, fault);
}
