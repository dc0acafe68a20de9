/*
 * Ports as people type them. See haven_ports_parse() in <haven/service.h>.
 *
 * Names have dashes in them, and so have ranges: a text that is a name as a whole is that; else each
 * dash is tried as the one of a range.
 */
#include <string.h>

#include "port/service_table.h"

/* Longer than any name, and than "65535-65535". */
#define TEXT_MAX 127

struct question {
	const struct haven_services *overlay;
	unsigned protocols; /* 0: any */
};

static bool is_number(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
	}
	return size > 0;
}

/* Decimal digits only: 0, or -ERANGE above 65535 or with more than five digits. */
static int parse_number(const char *text, size_t size, struct haven_ports *out)
{
	uint32_t value = 0;

	if (size > 5)
		return -ERANGE;
	for (size_t i = 0; i < size; i++)
		value = value * 10 + (uint32_t)(text[i] - '0');
	if (value > 65535)
		return -ERANGE;
	out->first = out->last = (uint16_t)value;
	out->protocols =
		HAVEN_SERVICE_TCP | HAVEN_SERVICE_UDP | HAVEN_SERVICE_SCTP | HAVEN_SERVICE_DCCP;
	return 0;
}

/*
 * How good an answer is, 0 is best: what the overlay says, then official names, then what is registered. Only answers
 * that are as good as the best can make a name ambiguous.
 */
static unsigned rank(const struct haven_service *service, const char *name, size_t size)
{
	if (service->overlay)
		return 0;
	return 1 + (hv_service_compare(name, size, service->name) != 0) * 2 +
	       !service->registered;
}

static int parse_name(const struct question *question, const char *text, size_t size,
		      struct haven_ports *out)
{
	struct haven_service_query query;
	struct haven_service service;
	char name[TEXT_MAX + 1];
	unsigned best = UINT32_MAX;
	int error = -ENOENT;

	memcpy(name, text, size);
	name[size] = '\0';
	haven_service_by_name(&query, question->overlay, name, question->protocols);
	while (haven_service_next(&query, &service)) {
		unsigned here = rank(&service, name, size);

		if (here > best)
			continue;
		if (here == best) {
			if (service.first == out->first && service.last == out->last)
				out->protocols |= service.protocols;
			else
				error = -ENOTUNIQ;
			continue;
		}
		best = here;
		error = 0;
		out->first = service.first;
		out->last = service.last;
		out->protocols = service.protocols;
	}
	return error;
}

static int parse_one(const struct question *question, const char *text, size_t size,
		     struct haven_ports *out)
{
	if (size == 0)
		return -EINVAL;
	return is_number(text, size) ? parse_number(text, size, out)
				     : parse_name(question, text, size, out);
}

/* Ends of which one is a number and wrong say more than "no such name". */
static int worse(int a, int b)
{
	if (a == 0 || b == 0)
		return a ? a : b;
	return a == -ENOENT ? b : a;
}

static int parse_range(const struct question *question, const char *text, size_t size,
		       struct haven_ports *out)
{
	struct haven_ports first, last;
	int error = -ENOENT;

	for (size_t dash = 1; dash + 1 < size; dash++) {
		int end;

		if (text[dash] != '-')
			continue;
		error = parse_one(question, text, dash, &first);
		end = parse_one(question, text + dash + 1, size - dash - 1, &last);
		error = worse(error, end);
		if (error == 0 && first.first > last.last)
			error = -ERANGE;
		if (error == 0) {
			out->first = first.first;
			out->last = last.last;
			out->protocols = first.protocols & last.protocols;
			return out->protocols ? 0 : -ENOENT;
		}
		if (error != -ENOENT)
			return error;
	}
	return error;
}

/* What names are made of (RFC 6335 section 5.1), and what else is in the lists. */
static bool is_name(const char *text, size_t size)
{
	if (size == 0 || size > TEXT_MAX || text[0] == '-' || text[size - 1] == '-')
		return false;
	for (size_t i = 0; i < size; i++) {
		char c = hv_service_lower(text[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    (c == '\0' || !strchr("-_.()", c)))
			return false;
	}
	return true;
}

int haven_ports_parse(const struct haven_services *overlay, const char *text, size_t size,
		      unsigned protocols, struct haven_ports *out)
{
	struct question question = {.overlay = overlay, .protocols = protocols};
	struct haven_ports ports = {0};
	const char *slash = memchr(text, '/', size);
	int error;

	if (slash) {
		size_t rest = size - (size_t)(slash + 1 - text);

		question.protocols = haven_service_protocol(slash + 1, rest);
		if (question.protocols == 0)
			return -EPROTONOSUPPORT;
		size = (size_t)(slash - text);
	}
	if (!is_name(text, size))
		return -EINVAL;
	error = parse_one(&question, text, size, &ports);
	if (error == -ENOENT)
		error = parse_range(&question, text, size, &ports);
	if (error < 0)
		return error;
	*out = ports;
	if (question.protocols)
		out->protocols &= (uint8_t)question.protocols;
	out->protocol_given = slash != NULL;
	return 0;
}
