/*
 * Command-line options from one table: it parses, it is `--help`, and the man page is checked
 * against it.
 *
 * As getopt_long does it: --name VALUE, --name=VALUE, -xVALUE, -x VALUE, letters together (-46),
 * `--` ends the options, and so does the first word that is none (what follows belongs to the command).
 */
#ifndef HV_CLI_OPTIONS_H
#define HV_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define HV_OPTION_ERROR 512

struct hv_option {
	char letter;	      /* 0: none */
	const char *name;     /* without dashes */
	const char *argument; /* what --help calls its value; NULL: takes none */
	const char *help;     /* lines after the first are indented alike */
	unsigned commands;    /* bits of the sub-commands that have it */
	/* value is NULL without argument. Returns false with a line in error. */
	bool (*apply)(void *settings, const char *value, char error[HV_OPTION_ERROR]);
};

/*
 * Parse argv[1..]. command: the bit of the sub-command. Returns the index of the first word that is no
 * option (argc: none), or -1 with a line in error.
 */
int hv_options_parse(const struct hv_option *table, size_t count, unsigned command, int argc,
		     char **argv, void *settings, char error[HV_OPTION_ERROR]);

/*
 * The same where options may stand anywhere among the other words: those are moved to the front of argv, *words of them. False
 * with a line in error.
 */
bool hv_options_words(const struct hv_option *table, size_t count, unsigned command, int argc,
		      char **argv, void *settings, int *words, char error[HV_OPTION_ERROR]);

/* The lines of --help for one sub-command. */
void hv_options_help(const struct hv_option *table, size_t count, unsigned command, FILE *out);

/*
 * The one of `names` that `word` was probably meant to be, or NULL when none is near. names(user, i) returns
 * the i-th, NULL at the end.
 */
const char *hv_nearest(const char *word, const char *(*names)(const void *user, size_t i),
		       const void *user);

#endif
