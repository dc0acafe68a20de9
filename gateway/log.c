/*
 * Lines on standard error. See log.h.
 */
#include "gateway/log.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_INTERVAL_NS (5 * UINT64_C(1000000000))
#define BURST_REFILL_NS	  (UINT64_C(1000000000) / 2)

static const struct {
	const char *name;
	const char *prefix;
	const char *colour;
} levels[] = {
	[HV_LOG_ERROR] = {"error", "error: ", "\033[31m"},
	[HV_LOG_WARNING] = {"warning", "warning: ", "\033[33m"},
	[HV_LOG_INFO] = {"info", "", ""},
	[HV_LOG_DEBUG] = {"debug", "", "\033[2m"},
};
static_assert(sizeof(levels) / sizeof(levels[0]) == HV_LOG_LEVELS, "a row for each level");

void hv_log_init(struct hv_log *log, int fd, enum hv_log_level level)
{
	log->fd = fd;
	log->level = level;
	log->colour = isatty(fd) != 0;
}

bool hv_log_parse_level(const char *text, enum hv_log_level *level)
{
	for (unsigned i = 0; i < HV_LOG_LEVELS; i++) {
		if (strcmp(text, levels[i].name) == 0) {
			*level = (enum hv_log_level)i;
			return true;
		}
	}
	return false;
}

static void write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		data += n;
		size -= (size_t)n;
	}
}

/* A line stays one, and a name in it does not control the terminal. */
static void hide_controls(char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
	}
}

/* `suffix` ends the line, e.g. with how many like it were left out. */
static void write_line(const struct hv_log *log, const char *colour, const char *prefix,
		       const char *format, va_list arguments, const char *suffix)
{
	char line[1200];
	size_t size = 0;
	int n;
	bool colours = log->colour && colour[0];

	n = snprintf(line, 64, "%shaven: %s", colours ? colour : "", prefix);
	size = (size_t)n;
	n = vsnprintf(line + size, 1024, format, arguments);
	n = n < 1024 ? n : 1023;
	if (n > 0) {
		hide_controls(line + size, (size_t)n);
		size += (size_t)n;
	}
	n = snprintf(line + size, sizeof(line) - size, "%s%s\n", suffix,
		     colours ? "\033[0m" : "");
	size += (size_t)n;
	write_all(log->fd, line, size);
}

void hv_log_line(const struct hv_log *log, enum hv_log_level level, const char *format, ...)
{
	va_list arguments;

	if (!hv_log_on(log, level))
		return;
	va_start(arguments, format);
	write_line(log, levels[level].colour, levels[level].prefix, format, arguments, "");
	va_end(arguments);
}

void hv_log_notice(const struct hv_log *log, const char *format, ...)
{
	va_list arguments;

	if (!hv_log_on(log, HV_LOG_WARNING))
		return;
	va_start(arguments, format);
	write_line(log, "", "", format, arguments, "");
	va_end(arguments);
}

/* " (and 3 more like this)", of lines that were left out. */
static void tell_suppressed(uint64_t *suppressed, char suffix[64])
{
	suffix[0] = '\0';
	if (*suppressed > 0)
		snprintf(suffix, 64, " (and %llu more like this)",
			 (unsigned long long)*suppressed);
	*suppressed = 0;
}

static bool take_from(struct hv_log_bucket *bucket, uint64_t now_ns)
{
	uint64_t refills = (now_ns - bucket->filled_ns) / BURST_REFILL_NS;

	if (refills >= bucket->used) {
		bucket->used = 0;
		bucket->filled_ns = now_ns;
	} else {
		bucket->used -= (unsigned)refills;
		bucket->filled_ns += refills * BURST_REFILL_NS;
	}
	if (bucket->used == HV_LOG_BURST)
		return false;
	bucket->used++;
	return true;
}

void hv_log_bucketed(const struct hv_log *log, struct hv_log_bucket *bucket, uint64_t now_ns,
		     const char *format, ...)
{
	va_list arguments;
	char suffix[64];

	if (!hv_log_on(log, HV_LOG_WARNING))
		return;
	if (!take_from(bucket, now_ns)) {
		bucket->suppressed++;
		return;
	}
	tell_suppressed(&bucket->suppressed, suffix);
	va_start(arguments, format);
	write_line(log, levels[HV_LOG_WARNING].colour, levels[HV_LOG_WARNING].prefix, format,
		   arguments, suffix);
	va_end(arguments);
}

void hv_log_limited(const struct hv_log *log, struct hv_log_limit *limit, uint64_t now_ns,
		    const char *format, ...)
{
	va_list arguments;
	char suffix[64];

	if (!hv_log_on(log, HV_LOG_WARNING))
		return;
	if (now_ns < limit->next_ns) {
		limit->suppressed++;
		return;
	}
	tell_suppressed(&limit->suppressed, suffix);
	limit->next_ns = now_ns + LIMIT_INTERVAL_NS;
	va_start(arguments, format);
	write_line(log, levels[HV_LOG_WARNING].colour, levels[HV_LOG_WARNING].prefix, format,
		   arguments, suffix);
	va_end(arguments);
}
