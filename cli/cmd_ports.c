/*
 * haven ports [NAME]: every port of a network that is in use or published.
 *
 * The gateway tells sockets and publications one by one; here they are put in order and joined:
 * a publication stands at the socket that serves it, or alone when there is none.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/show.h"

enum {
	NETWORK,
	PORT,
	SERVICE,
	RANGE,
	STATE,
	ADDRESS,
	CONNECTIONS,
	PROCESS,
	PUBLISHED,
	COLUMNS
};

static json_t *request(const struct hv_show_settings *settings, char error[HV_CLIENT_ERROR])
{
	(void)error;
	return json_pack("{s:s, s:b}", "request", "ports", "all", settings->all);
}

/* --- order ------------------------------------------------------------------------------ */

static long long port_of(const json_t *row)
{
	return hv_row_number(row, hv_row_is(row, "publication") ? "guest_port" : "port");
}

/* What joins a publication to a socket: network, port, protocol. */
static int compare_ports(const struct hv_row *a, const struct hv_row *b)
{
	long long difference = port_of(a->row) - port_of(b->row);

	if (a->network != b->network)
		return a->network < b->network ? -1 : 1;
	if (difference)
		return difference < 0 ? -1 : 1;
	return strcmp(hv_row_text(a->row, "protocol"), hv_row_text(b->row, "protocol"));
}

/* Publications first: they are at hand when their sockets come. Listeners before connections. */
static int rank(const json_t *row)
{
	if (hv_row_is(row, "publication"))
		return 0;
	return json_is_null(json_object_get(row, "remote")) ? 1 : 2;
}

static int compare(const void *one, const void *other)
{
	const struct hv_row *a = one, *b = other;
	int order = compare_ports(a, b);

	if (order == 0)
		order = rank(a->row) - rank(b->row);
	if (order == 0)
		order = strcmp(hv_row_text(a->row, "address"), hv_row_text(b->row, "address"));
	return order;
}

/* --- text ------------------------------------------------------------------------------- */

static bool is_any(const char *address)
{
	return strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0;
}

/* "*:8080, 127.0.0.1:8443/tls": where a port is published, all addresses of both families as one. */
static void published_text(const struct hv_row *rows, size_t count, char *text, size_t size)
{
	size_t used = 0;
	long long any_port = -1;

	text[0] = '\0';
	for (size_t i = 0; i < count && used < size; i++) {
		const char *address = hv_row_text(rows[i].row, "address");
		long long port = hv_row_number(rows[i].row, "host_port");
		const char *format = strchr(address, ':') ? "%s[%s]:%lld%s" : "%s%s:%lld%s";

		if (is_any(address)) {
			if (port == any_port)
				continue;
			any_port = port;
			address = "*";
			format = "%s%s:%lld%s";
		}
		used += (size_t)snprintf(text + used, size - used, format, used ? ", " : "",
					 address, port,
					 json_is_true(json_object_get(rows[i].row, "tls"))
						 ? "/tls"
						 : "");
	}
}

static void process_text(const json_t *row, char *text, size_t size)
{
	const json_t *process = json_object_get(row, "process");
	long long holders = hv_row_number(process, "holders");
	char more[32] = "";

	if (!json_is_object(process)) {
		snprintf(text, size, "-");
		return;
	}
	if (holders > 1)
		snprintf(more, sizeof(more), " +%lld", holders - 1);
	snprintf(text, size, "%s (%lld)%s", hv_row_text(process, "name"),
		 hv_row_number(process, "pid"), more);
}

static void address_text(const json_t *row, char *text, size_t size)
{
	const json_t *remote = json_object_get(row, "remote");
	const char *address = hv_row_text(row, "address");
	char end[64];

	if (json_is_object(remote))
		snprintf(text, size, "%s > %s", address, hv_row_endpoint(remote, end));
	else if (strcmp(address, "::") == 0 && json_is_false(json_object_get(row, "ipv6_only")))
		snprintf(text, size, "*"); /* both families */
	else
		snprintf(text, size, "%s", address);
}

/* --- the table -------------------------------------------------------------------------- */

static const char *port_text(const json_t *row, char text[24])
{
	snprintf(text, 24, "%lld/%.8s", port_of(row), hv_row_text(row, "protocol"));
	return text;
}

static void add_socket(struct hv_text_table *table, const struct hv_row *row,
		       const char *published)
{
	char port[24], address[128], connections[24], process[64];
	const json_t *count = json_object_get(row->row, "connections");
	const char *service = hv_row_text(row->row, "service");
	const char *state = hv_row_text(row->row, "state");
	const char *cells[COLUMNS] = {
		row->network->name,
		port_text(row->row, port),
		*service ? service : NULL,
		hv_row_text(row->row, "range"),
		state,
		address,
		count ? connections : NULL,
		process,
		*published ? published : NULL,
	};

	snprintf(connections, sizeof(connections), "%lld",
		 (long long)json_integer_value(count));
	address_text(row->row, address, sizeof(address));
	process_text(row->row, process, sizeof(process));
	hv_text_table_add(table,
			  strcmp(state, "LISTEN") == 0	    ? HV_ROW_STRONG
			  : strcmp(state, "TIME-WAIT") == 0 ? HV_ROW_FAINT
							    : HV_ROW_PLAIN,
			  cells);
}

/* Published, and nothing serves it. */
static void add_unserved(struct hv_text_table *table, const struct hv_row *row,
			 const char *published)
{
	const char *service = hv_row_text(row->row, "service");
	char port[24];
	const char *cells[COLUMNS] = {
		[NETWORK] = row->network->name,
		[PORT] = port_text(row->row, port),
		[SERVICE] = *service ? service : NULL,
		[RANGE] = hv_row_text(row->row, "range"),
		[STATE] = "NOT-SERVED",
		[PUBLISHED] = published,
	};

	hv_text_table_add(table, HV_ROW_FAINT, cells);
}

/* The rows of one port: publications, then sockets. Returns their number. */
static size_t add_port(struct hv_text_table *table, const struct hv_row *rows, size_t count)
{
	size_t publications = 0, used;
	char published[256];

	while (publications < count && compare_ports(rows, rows + publications) == 0 &&
	       hv_row_is(rows[publications].row, "publication"))
		publications++;
	published_text(rows, publications, published, sizeof(published));
	for (used = publications; used < count && compare_ports(rows, rows + used) == 0; used++)
		add_socket(table, &rows[used], rank(rows[used].row) == 1 ? published : "");
	if (used == publications)
		add_unserved(table, rows, published);
	return used;
}

static void print(struct hv_reading *reading, const struct hv_screen *screen, FILE *out)
{
	struct hv_column columns[COLUMNS] = {
		[NETWORK] = {reading->several ? "NETWORK" : NULL, false},
		[PORT] = {"PORT", true},
		[SERVICE] = {"SERVICE", false},
		[RANGE] = {"RANGE", false},
		[STATE] = {"STATE", false},
		[ADDRESS] = {"ADDRESS", false},
		[CONNECTIONS] = {"CONNS", true},
		[PROCESS] = {"PROCESS", false},
		[PUBLISHED] = {"PUBLISHED", false},
	};
	struct hv_text_table table;

	hv_text_table_init(&table, columns, COLUMNS);
	if (reading->count > 0)
		qsort(reading->rows, reading->count, sizeof(*reading->rows), compare);
	for (size_t at = 0; at < reading->count;)
		at += add_port(&table, reading->rows + at, reading->count - at);
	hv_text_table_print(&table, screen, out);
	hv_text_table_finish(&table);
}

static const struct hv_view view = {
	.command = HV_SHOW_PORTS,
	.usage =
		"usage: haven ports [options] [NAME]\n"
		"\n"
		"Lists every port of a network, or of all that are up, that is in use or published: service,\n"
		"range, state, address, the connections of listening ports, process, and where on\n"
		"the host it is published. A process is the first that has the socket, +N how many others do.\n"
		"\n"
		"options:",
	.words_max = 1,
	.request = request,
	.print = print,
};

int hv_command_ports(int argc, char **argv)
{
	return hv_show_main(&view, argc, argv);
}
