/*
 * /etc/services, and what to say about names that are none. See services.h.
 */
#include "gateway/services.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/read_fd.h"

/* What haven_services_parse() takes. */
#define FILE_MAX  ((size_t)1 << 20)
#define SUGGESTED 3

struct haven_services *hv_services_load(const char *path)
{
	struct haven_services *services = NULL;
	/* A pipe in the file's place must not stop us. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text = fd < 0 ? NULL : malloc(FILE_MAX);
	ssize_t size = text ? hv_read_fd(fd, text, FILE_MAX) : -1;
	struct haven_env env;

	haven_env_default(&env);
	if (size > 0 && haven_services_parse(&env, text, (size_t)size, &services, NULL) < 0)
		services = NULL;
	free(text);
	if (fd >= 0)
		close(fd);
	return services;
}

/* --- one line ---------------------------------------------------------------------------- */

struct line {
	char *text;
	size_t size, used;
};

__attribute__((format(printf, 2, 3))) static void add(struct line *line, const char *format,
						      ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(line->text + line->used, line->size - line->used, format, arguments);
	va_end(arguments);
	if (n > 0)
		line->used += (size_t)n;
	if (line->used >= line->size)
		line->used = line->size - 1;
}

static void add_protocols(struct line *line, unsigned protocols)
{
	static const char *const names[] = {"TCP", "UDP", "SCTP", "DCCP"};
	const char *before = "";

	for (unsigned i = 0; i < 4; i++) {
		if (protocols & 1U << i) {
			add(line, "%s%s", before, names[i]);
			before = " or ";
		}
	}
}

/* A name of another protocol, or nothing that has this name. */
static void explain_unknown(struct line *line, const struct haven_services *services,
			    const char *text, unsigned protocols)
{
	const char *near[SUGGESTED];
	struct haven_ports ports;
	size_t length = strcspn(text, "/"), count;
	char name[64];

	if (protocols && haven_ports_parse(services, text, length, 0, &ports) == 0) {
		add(line, "'%.*s' is a service of ", (int)length, text);
		add_protocols(line, ports.protocols);
		add(line, ", not of ");
		add_protocols(line, protocols);
		return;
	}
	snprintf(name, sizeof(name), "%.*s", (int)length, text);
	add(line, "no ");
	add_protocols(line, protocols);
	add(line, "%sservice is called '%s'", protocols ? " " : "", name);
	count = haven_service_nearest(services, name, protocols, near, SUGGESTED);
	for (size_t i = 0; i < count; i++)
		add(line, "%s'%s'",
		    i == 0	    ? "; did you mean "
		    : i + 1 < count ? ", "
				    : " or ",
		    near[i]);
	if (count > 0)
		add(line, "?");
}

static void explain_several(struct line *line, const struct haven_services *services,
			    const char *text, unsigned protocols)
{
	struct haven_service_query query;
	struct haven_service service;
	const char *before = " has several ports: ";
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(text, "/"), text);
	add(line, "'%s'", name);
	haven_service_by_name(&query, services, name, protocols);
	while (haven_service_next(&query, &service)) {
		add(line, "%s%u", before, service.first);
		before = ", ";
	}
}

static bool is_negative(const char *text)
{
	return text[0] == '-' && text[1] && text[1 + strspn(text + 1, "0123456789")] == '\0';
}

static void explain_range(struct line *line, const char *text)
{
	if (strchr(text, '-') && !is_negative(text))
		add(line,
		    "'%.60s' is no range of ports: it goes from the lower to the higher, and "
		    "they are from 0 to 65535",
		    text);
	else
		add(line, "'%.60s' is no port: they are from 0 to 65535", text);
}

void hv_services_explain(const struct haven_services *services, const char *text,
			 unsigned protocols, int error, char *out, size_t size)
{
	struct line line = {.text = out, .size = size};
	const char *slash = strchr(text, '/');

	out[0] = '\0';
	if (slash && haven_service_protocol(slash + 1, strlen(slash + 1)))
		protocols = haven_service_protocol(slash + 1, strlen(slash + 1));
	switch (error) {
	case -ENOENT:
		explain_unknown(&line, services, text, protocols);
		break;
	case -ENOTUNIQ:
		explain_several(&line, services, text, protocols);
		break;
	case -EPROTONOSUPPORT:
		add(&line, "the protocol of '%.60s' is none of tcp, udp, sctp, dccp", text);
		break;
	case -ERANGE:
		explain_range(&line, text);
		break;
	default:
		if (is_negative(text))
			explain_range(&line, text);
		else
			add(&line,
			    "'%.60s' is neither a port, a range nor the name of a service",
			    text);
		break;
	}
}
