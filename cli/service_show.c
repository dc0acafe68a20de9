/*
 * Services and URLs as text and as JSON. See service_show.h.
 */
#include "cli/service_show.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const struct hv_column service_columns[] = {
	{"SERVICE", false}, {"PORT", false},	    {"RANGE", false},
	{"ALIASES", false}, {"DESCRIPTION", false},
};
static const struct hv_column url_columns[] = {
	{"TRANSPORT", false}, {"HOST", false},	  {"PORT", true},
	{"TLS", false},	      {"SERVICE", false}, {"PATH", false},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

void hv_service_show_init(struct hv_service_show *show, bool json, FILE *out)
{
	memset(show, 0, sizeof(*show));
	show->json = json;
	show->out = out;
	hv_text_table_init(&show->services, service_columns, COUNT(service_columns));
	hv_text_table_init(&show->urls, url_columns, COUNT(url_columns));
}

void hv_service_show_finish(struct hv_service_show *show)
{
	struct hv_screen screen;

	hv_screen_of(show->out, &screen);
	if (show->services.rows > 0)
		hv_text_table_print(&show->services, &screen, show->out);
	if (show->services.rows > 0 && show->urls.rows > 0)
		fputc('\n', show->out);
	if (show->urls.rows > 0)
		hv_text_table_print(&show->urls, &screen, show->out);
	show->failed |= show->services.incomplete || show->urls.incomplete;
	hv_text_table_finish(&show->services);
	hv_text_table_finish(&show->urls);
}

/* --- text -------------------------------------------------------------------------------- */

#define PORTS_TEXT 64
#define RANGE_TEXT 32

/* "443", "6000-6063", and "/tcp,udp" behind it. */
static const char *ports_text(unsigned first, unsigned last, unsigned protocols,
			      char text[PORTS_TEXT])
{
	const char *before = "/";
	int at = snprintf(text, PORTS_TEXT, first == last ? "%u" : "%u-%u", first, last);

	for (unsigned bit = HAVEN_SERVICE_TCP; bit <= HAVEN_SERVICE_DCCP; bit <<= 1) {
		if (protocols & bit) {
			at += snprintf(text + at, PORTS_TEXT - (size_t)at, "%s%s", before,
				       haven_service_protocol_name(bit));
			before = ",";
		}
	}
	return text;
}

/* "system", or "user-dynamic" of a range that is in both. */
static const char *range_text(uint16_t first, uint16_t last, char text[RANGE_TEXT])
{
	const char *low = haven_port_class_name(haven_port_class(first));
	const char *high = haven_port_class_name(haven_port_class(last));

	snprintf(text, RANGE_TEXT, strcmp(low, high) == 0 ? "%s" : "%s-%s", low, high);
	return text;
}

static void aliases_text(const struct haven_service *service, char *text, size_t size)
{
	size_t at = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < service->alias_count && at < size; i++)
		at += (size_t)snprintf(text + at, size - at, "%s%s", i ? ", " : "",
				       service->aliases[i]);
}

/* --- JSON -------------------------------------------------------------------------------- */

/* Text of a file or of the user's need not be UTF-8, which JSON has to be. */
static json_t *json_text(const char *text)
{
	json_t *value = json_string(text);
	char *copy;

	if (value || !(copy = strdup(text)))
		return value;
	for (char *c = copy; *c; c++) {
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	}
	value = json_string(copy);
	free(copy);
	return value;
}

/* Takes the row. */
static void write_row(struct hv_service_show *show, json_t *row)
{
	if (!row || json_dumpf(row, show->out, JSON_COMPACT) < 0)
		show->failed = true;
	else
		fputc('\n', show->out);
	json_decref(row);
}

static json_t *json_texts(const char *const *texts, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_text(texts[i]));
	return array;
}

static json_t *json_protocols(unsigned protocols)
{
	json_t *array = json_array();

	for (unsigned bit = HAVEN_SERVICE_TCP; bit <= HAVEN_SERVICE_DCCP; bit <<= 1) {
		if (protocols & bit)
			json_array_append_new(array,
					      json_string(haven_service_protocol_name(bit)));
	}
	return array;
}

/* --- answers ----------------------------------------------------------------------------- */

void hv_service_show_service(struct hv_service_show *show, const char *query,
			     const struct haven_service *service, unsigned protocols)
{
	char ports[PORTS_TEXT], range[RANGE_TEXT], aliases[1024];
	const char *cells[COUNT(service_columns)];

	protocols = protocols ? protocols & service->protocols : service->protocols;
	range_text(service->first, service->last, range);
	if (show->json) {
		write_row(show,
			  json_pack("{s:s, s:o, s:o, s:i, s:i, s:o, s:s, s:o, s:o, s:b}",
				    "type", "service", "query", json_text(query), "name",
				    json_text(service->name), "first", (int)service->first,
				    "last", (int)service->last, "protocols",
				    json_protocols(protocols), "range", range, "aliases",
				    json_texts(service->aliases, service->alias_count),
				    "description", json_text(service->description),
				    "registered", (int)service->registered));
		return;
	}
	aliases_text(service, aliases, sizeof(aliases));
	cells[0] = service->name;
	cells[1] = ports_text(service->first, service->last, protocols, ports);
	cells[2] = range;
	cells[3] = aliases[0] ? aliases : NULL;
	cells[4] = service->description[0] ? service->description : NULL;
	hv_text_table_add(&show->services, HV_ROW_PLAIN, cells);
}

static const char *nothing_at(const struct haven_ports *ports)
{
	if (ports->last == 0)
		return "reserved: whoever binds it gets one that is free";
	if (haven_port_class(ports->first) == HAVEN_PORT_DYNAMIC)
		return "no service: these are never assigned";
	return "no service is known";
}

void hv_service_show_ports(struct hv_service_show *show, const char *query,
			   const struct haven_ports *ports)
{
	char text[PORTS_TEXT], range[RANGE_TEXT];
	const char *cells[COUNT(service_columns)] = {0};

	range_text(ports->first, ports->last, range);
	if (show->json) {
		write_row(show, json_pack("{s:s, s:o, s:i, s:i, s:o, s:s}", "type", "ports",
					  "query", json_text(query), "first", (int)ports->first,
					  "last", (int)ports->last, "protocols",
					  json_protocols(ports->protocols), "range", range));
		return;
	}
	cells[1] = ports_text(ports->first, ports->last,
			      ports->protocol_given ? ports->protocols : 0, text);
	cells[2] = range;
	cells[4] = nothing_at(ports);
	hv_text_table_add(&show->services, HV_ROW_PLAIN, cells);
}

void hv_service_show_url(struct hv_service_show *show, const char *query,
			 const struct haven_url *url)
{
	const char *transport = haven_service_protocol_name(url->protocol);
	const char *path = query + url->path_at;
	const char *cells[COUNT(url_columns)];
	char port[8];

	if (show->json) {
		write_row(show,
			  json_pack("{s:s, s:o, s:s, s:s, s:s, s:i, s:b, s:s, s:o}", "type",
				    "url", "query", json_text(query), "scheme", url->scheme,
				    "transport", transport, "host", url->host, "port",
				    (int)url->port, "tls", (int)url->tls, "service",
				    url->service, "path", json_text(path)));
		return;
	}
	snprintf(port, sizeof(port), "%u", url->port);
	cells[0] = transport;
	cells[1] = url->host;
	cells[2] = port;
	cells[3] = !url->tls ? "no" : url->protocol == HAVEN_SERVICE_UDP ? "DTLS" : "TLS";
	cells[4] = url->service;
	cells[5] = *path ? path : NULL;
	hv_text_table_add(&show->urls, HV_ROW_PLAIN, cells);
}

void hv_service_show_error(struct hv_service_show *show, const char *query, const char *error,
			   const char *const *near, size_t near_count)
{
	if (show->json)
		write_row(show, json_pack("{s:s, s:o, s:o, s:o}", "type", "error", "query",
					  json_text(query), "error", json_text(error), "near",
					  json_texts(near, near_count)));
}
