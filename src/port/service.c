/*
 * Questions to the registry, with an overlay before the built-in table. See <haven/service.h>.
 */
#include <haven/service.h>

#include <string.h>

#include "port/service_overlay.h"

enum { BY_NAME, BY_RANGE, BY_PREFIX };

static const struct {
	const char *name;
	unsigned bit;
} protocols[] = {
	{"tcp", HAVEN_SERVICE_TCP},
	{"udp", HAVEN_SERVICE_UDP},
	{"sctp", HAVEN_SERVICE_SCTP},
	{"dccp", HAVEN_SERVICE_DCCP},
};

#define PROTOCOLS (sizeof(protocols) / sizeof(protocols[0]))

const char *haven_service_protocol_name(unsigned bit)
{
	for (size_t i = 0; i < PROTOCOLS; i++) {
		if (protocols[i].bit == bit)
			return protocols[i].name;
	}
	return NULL;
}

unsigned haven_service_protocol(const char *name, size_t size)
{
	for (size_t i = 0; i < PROTOCOLS; i++) {
		if (hv_service_compare(name, size, protocols[i].name) == 0)
			return protocols[i].bit;
	}
	return 0;
}

/* RFC 6335 section 6. */
enum haven_port_class haven_port_class(uint16_t port)
{
	if (port < 1024)
		return HAVEN_PORT_SYSTEM;
	return port < 49152 ? HAVEN_PORT_USER : HAVEN_PORT_DYNAMIC;
}

const char *haven_port_class_name(enum haven_port_class port_class)
{
	switch (port_class) {
	case HAVEN_PORT_SYSTEM:
		return "system";
	case HAVEN_PORT_USER:
		return "user";
	case HAVEN_PORT_DYNAMIC:
		return "dynamic";
	}
	return "unknown";
}

/* --- questions ---------------------------------------------------------------------------- */

static void begin(struct haven_service_query *query, unsigned kind,
		  const struct haven_services *overlay, unsigned mask)
{
	memset(query, 0, sizeof(*query));
	query->kind = (uint8_t)kind;
	query->overlay = overlay;
	query->protocols = mask ? (uint8_t)mask : 0xff;
}

void haven_service_by_name(struct haven_service_query *query,
			   const struct haven_services *overlay, const char *name,
			   unsigned mask)
{
	begin(query, BY_NAME, overlay, mask);
	query->name = name;
	query->name_size = strlen(name);
}

void haven_service_by_port(struct haven_service_query *query,
			   const struct haven_services *overlay, uint16_t port, unsigned mask)
{
	haven_service_by_range(query, overlay, port, port, mask);
}

void haven_service_by_range(struct haven_service_query *query,
			    const struct haven_services *overlay, uint16_t first, uint16_t last,
			    unsigned mask)
{
	begin(query, BY_RANGE, overlay, mask);
	query->port = query->first = first;
	query->last = last;
}

/* The first of `count` sorted names that does not come before the prefix. */
static uint32_t lower_bound(const struct haven_service_query *query,
			    const char *(*text)(const struct haven_services *, uint32_t),
			    uint32_t count)
{
	uint32_t low = 0;

	while (low < count) {
		uint32_t middle = low + (count - low) / 2;

		if (hv_service_compare(query->name, query->name_size,
				       text(query->overlay, middle)) > 0)
			low = middle + 1;
		else
			count = middle;
	}
	return low;
}

static const char *builtin_text(const struct haven_services *overlay, uint32_t index)
{
	(void)overlay;
	return hv_service_name_text(index);
}

static const char *overlay_text(const struct haven_services *overlay, uint32_t index)
{
	return overlay->names[overlay->order[index]].text;
}

void haven_service_by_prefix(struct haven_service_query *query,
			     const struct haven_services *overlay, const char *prefix,
			     unsigned mask)
{
	begin(query, BY_PREFIX, overlay, mask);
	query->name = prefix;
	query->name_size = strlen(prefix);
	query->at = lower_bound(query, builtin_text, hv_service_names());
	if (overlay)
		query->overlay_at = lower_bound(query, overlay_text, overlay->name_count);
}

/*
 * An answer that is a built-in row: what the overlay says of it where that has it. False when the overlay has given
 * this answer already: it has this name itself (by port: it always has).
 */
static bool answer_builtin(const struct haven_service_query *query, uint32_t row,
			   const char *name, size_t size, struct haven_service *out)
{
	uint32_t twin = hv_overlay_twin(query->overlay, row);

	if (twin == HV_SERVICE_NONE) {
		hv_service_row(row, out);
		return true;
	}
	if (!name || hv_overlay_has(query->overlay, twin, name, size))
		return false;
	hv_overlay_fill(query->overlay, twin, out);
	return true;
}

static bool next_by_name(struct haven_service_query *query, struct haven_service *out)
{
	uint32_t row;

	if (query->stage == 0 && query->overlay) {
		row = hv_overlay_probe(query->overlay, query->name, query->name_size,
				       &query->overlay_at);
		if (row != HV_SERVICE_NONE) {
			hv_overlay_fill(query->overlay, row, out);
			return true;
		}
	}
	query->stage = 1;
	do {
		row = hv_service_probe(query->name, query->name_size, &query->at);
		if (row == HV_SERVICE_NONE)
			return false;
	} while (!answer_builtin(query, row, query->name, query->name_size, out));
	return true;
}

/* One port's answers. A service of several ports stands at the first of them that was asked for. */
static bool next_at_port(struct haven_service_query *query, struct haven_service *out)
{
	uint16_t port = (uint16_t)query->port;
	uint32_t row;

	if (query->stage == 0 && query->overlay) {
		row = hv_overlay_probe_port(query->overlay, port, &query->overlay_at);
		if (row != HV_SERVICE_NONE) {
			hv_overlay_fill(query->overlay, row, out);
			return true;
		}
	}
	query->stage = 1;
	while ((row = hv_service_at_port(port, query->at++)) != HV_SERVICE_NONE) {
		if (port != query->first && hv_service_row_port(row) != port)
			continue;
		if (answer_builtin(query, row, NULL, 0, out))
			return true;
	}
	return false;
}

static bool next_by_range(struct haven_service_query *query, struct haven_service *out)
{
	for (; query->port <= query->last; query->port++) {
		if (next_at_port(query, out))
			return true;
		query->stage = 0;
		query->at = query->overlay_at = 0;
	}
	return false;
}

static bool next_by_prefix(struct haven_service_query *query, struct haven_service *out)
{
	const struct haven_services *overlay = query->overlay;

	for (;;) {
		const char *builtin = NULL, *other = NULL;

		if (query->at < hv_service_names())
			builtin = hv_service_name_text(query->at);
		if (builtin && !hv_service_begins(builtin, query->name, query->name_size))
			builtin = NULL;
		if (overlay && query->overlay_at < overlay->name_count)
			other = overlay_text(overlay, query->overlay_at);
		if (other && !hv_service_begins(other, query->name, query->name_size))
			other = NULL;
		if (other &&
		    (!builtin || hv_service_compare(other, strlen(other), builtin) <= 0)) {
			query->matched = other;
			hv_overlay_fill(overlay,
					overlay->names[overlay->order[query->overlay_at++]].row,
					out);
			return true;
		}
		if (!builtin)
			return false;
		query->matched = builtin;
		if (answer_builtin(query, hv_service_name_row(query->at++), builtin,
				   strlen(builtin), out))
			return true;
	}
}

bool haven_service_next(struct haven_service_query *query, struct haven_service *out)
{
	static bool (*const next[])(struct haven_service_query *, struct haven_service *) = {
		[BY_NAME] = next_by_name,
		[BY_RANGE] = next_by_range,
		[BY_PREFIX] = next_by_prefix,
	};

	while (next[query->kind](query, out)) {
		if (out->protocols & query->protocols)
			return true;
	}
	return false;
}

const char *haven_service_name(const struct haven_services *overlay, uint16_t port,
			       unsigned mask)
{
	struct haven_service_query query;
	struct haven_service service;

	haven_service_by_port(&query, overlay, port, mask);
	return haven_service_next(&query, &service) ? service.name : NULL;
}
