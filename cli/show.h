/*
 * What `haven ls`, `ports`, `flows` and `why` have in common: options, which networks are asked, what they
 * answer, as a table or as JSON lines, once or as a live screen.
 */
#ifndef HV_CLI_SHOW_H
#define HV_CLI_SHOW_H

#include "cli/control_client.h"
#include "cli/options.h"
#include "cli/table.h"

#define HV_SHOW_WORDS 2

/* Bits of the commands, for the table of options. */
enum hv_show_command {
	HV_SHOW_LS = 1 << 0,
	HV_SHOW_PORTS = 1 << 1,
	HV_SHOW_FLOWS = 1 << 2,
	HV_SHOW_WHY = 1 << 3,
};

struct hv_show_settings {
	bool json, watch, all, help;
	const char *words[HV_SHOW_WORDS]; /* the network's name, and what `why` asks about */
	unsigned word_count;
};

struct hv_row {
	json_t *row;
	const struct hv_client_network *network;
};

/* What the networks answered. */
struct hv_reading {
	const struct hv_show_settings *settings;
	struct hv_client_network *networks;
	size_t network_count;
	bool several; /* no name was given: rows say which network they are of */
	struct hv_row *rows;
	size_t count, size;
	const struct hv_client_network *asked; /* the one that is answering */
	char note[HV_CLIENT_ERROR];
	json_t *before; /* of --watch: what the view kept of the last reading; NULL: nothing */
	json_t *kept;	/* what it keeps of this one */
	double since_s; /* between the two */
};

/* A command. */
struct hv_view {
	enum hv_show_command command;
	const char *usage; /* of --help, before the options */
	unsigned words_min, words_max;
	/* NULL with a line in error. */
	json_t *(*request)(const struct hv_show_settings *settings,
			   char error[HV_CLIENT_ERROR]);
	void (*print)(struct hv_reading *reading, const struct hv_screen *screen, FILE *out);
};

/* One line on standard error; returns HV_EXIT_FAILED. */
int hv_show_fail(const char *text);

/* Returns what haven exits with. */
int hv_show_main(const struct hv_view *view, int argc, char **argv);

/* --- show_watch.c ----------------------------------------------------------------------- */

/*
 * Draws what `draw` writes each second on the terminal, until q or ^C (0 is returned), or
 * until draw returns false (1). A negative errno: there is no terminal.
 */
int hv_watch(bool (*draw)(void *user, const struct hv_screen *screen, FILE *out), void *user);

/* --- of rows ---------------------------------------------------------------------------- */

/* "" when there is no such text. */
const char *hv_row_text(const json_t *row, const char *key);
long long hv_row_number(const json_t *row, const char *key);
/* "192.0.2.1:80", "[2001:db8::1]:80" */
const char *hv_row_endpoint(const json_t *endpoint, char text[64]);
bool hv_row_is(const json_t *row, const char *type);

#endif
