/*
 * Parsing by table. See options.h.
 */
#include "cli/options.h"

#include <string.h>

#define HELP_COLUMN 32
#define WORD_MAX    40

/* --- a word that is nearly right -------------------------------------------------------- */

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned smaller = a < b ? a : b;

	return smaller < c ? smaller : c;
}

/* How many letters to insert, leave out, replace, or swap with the next (Damerau and Levenshtein). */
static unsigned distance(const char *a, const char *b)
{
	unsigned d[WORD_MAX + 1][WORD_MAX + 1]; /* of the first i letters of a, j of b */
	size_t length_a = strlen(a), length_b = strlen(b);

	if (length_a > WORD_MAX || length_b > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= length_b; j++)
		d[0][j] = (unsigned)j;
	for (size_t i = 1; i <= length_a; i++) {
		d[i][0] = (unsigned)i;
		for (size_t j = 1; j <= length_b; j++) {
			d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1,
				       d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    d[i - 2][j - 2] + 1 < d[i][j])
				d[i][j] = d[i - 2][j - 2] + 1;
		}
	}
	return d[length_a][length_b];
}

const char *hv_nearest(const char *word, const char *(*names)(const void *user, size_t i),
		       const void *user)
{
	const char *best = NULL;
	unsigned best_distance = 3; /* more than two changes is another word */
	const char *name;

	for (size_t i = 0; (name = names(user, i)); i++) {
		unsigned d = distance(word, name);

		/* Of a short word at most half may be wrong; a beginning of a name is near. */
		if (strlen(word) >= 3 && strncmp(word, name, strlen(word)) == 0)
			d = 1;
		if (d < best_distance && d * 2 <= strlen(name)) {
			best = name;
			best_distance = d;
		}
	}
	return best;
}

/* --- parsing ---------------------------------------------------------------------------- */

struct parser {
	const struct hv_option *table;
	size_t count;
	unsigned command;
	int argc;
	char **argv;
	int index; /* of the word that is being parsed */
	void *settings;
	char *error;
};

static const char *option_name(const void *user, size_t i)
{
	const struct parser *parser = user;

	for (size_t k = 0; k < parser->count; k++) {
		if ((parser->table[k].commands & parser->command) && i-- == 0)
			return parser->table[k].name;
	}
	return NULL;
}

static bool unknown(struct parser *parser, const char *word, size_t size)
{
	char name[WORD_MAX + 1];
	const char *near = NULL;

	if (size > 1 && size <= WORD_MAX) {
		memcpy(name, word, size);
		name[size] = '\0';
		near = hv_nearest(name, option_name, parser);
	}
	snprintf(parser->error, HV_OPTION_ERROR, "unknown option '%s%.*s'%s%s%s",
		 size > 1 ? "--" : "-", (int)(size > 200 ? 200 : size), word,
		 near ? "; did you mean '--" : "", near ? near : "", near ? "'?" : "");
	return false;
}

/* `inside`: the value that stands in the same word, or NULL. */
static bool apply(struct parser *parser, const struct hv_option *option, const char *inside)
{
	const char *value = NULL;

	if (option->argument) {
		value = inside;
		if (!value && parser->index + 1 < parser->argc)
			value = parser->argv[++parser->index];
		if (!value) {
			snprintf(parser->error, HV_OPTION_ERROR,
				 "option '--%s' needs a value: %s", option->name,
				 option->argument);
			return false;
		}
	} else if (inside) {
		snprintf(parser->error, HV_OPTION_ERROR, "option '--%s' takes no value",
			 option->name);
		return false;
	}
	return option->apply(parser->settings, value, parser->error);
}

static bool parse_long(struct parser *parser, const char *word)
{
	size_t size = strcspn(word, "=");

	for (size_t i = 0; i < parser->count; i++) {
		const struct hv_option *option = &parser->table[i];

		if ((option->commands & parser->command) && strlen(option->name) == size &&
		    memcmp(option->name, word, size) == 0)
			return apply(parser, option, word[size] ? word + size + 1 : NULL);
	}
	return unknown(parser, word, size);
}

static bool parse_letters(struct parser *parser, const char *letters)
{
	while (*letters) {
		const struct hv_option *option = NULL;

		for (size_t i = 0; i < parser->count && !option; i++) {
			if ((parser->table[i].commands & parser->command) &&
			    parser->table[i].letter == *letters)
				option = &parser->table[i];
		}
		if (!option)
			return unknown(parser, letters, 1);
		if (option->argument)
			return apply(parser, option, letters[1] ? letters + 1 : NULL);
		if (!apply(parser, option, NULL))
			return false;
		letters++;
	}
	return true;
}

int hv_options_parse(const struct hv_option *table, size_t count, unsigned command, int argc,
		     char **argv, void *settings, char error[HV_OPTION_ERROR])
{
	struct parser parser = {
		.table = table,
		.count = count,
		.command = command,
		.argc = argc,
		.argv = argv,
		.index = 1,
		.settings = settings,
		.error = error,
	};

	for (; parser.index < argc; parser.index++) {
		const char *word = argv[parser.index];
		bool good;

		if (word[0] != '-' || word[1] == '\0')
			return parser.index;
		if (strcmp(word, "--") == 0)
			return parser.index + 1;
		if (word[1] == '-')
			good = parse_long(&parser, word + 2);
		else
			good = parse_letters(&parser, word + 1);
		if (!good)
			return -1;
	}
	return argc;
}

/* --- help ------------------------------------------------------------------------------- */

static void help_line(const struct hv_option *option, FILE *out)
{
	const char *text = option->help;
	int width;

	if (option->letter)
		width = fprintf(out, "  -%c, --%s", option->letter, option->name);
	else
		width = fprintf(out, "      --%s", option->name);
	if (option->argument)
		width += fprintf(out, " %s", option->argument);
	if (width >= HELP_COLUMN - 1) {
		fputc('\n', out);
		width = 0;
	}
	for (;;) {
		size_t size = strcspn(text, "\n");

		fprintf(out, "%*s%.*s\n", HELP_COLUMN - width, "", (int)size, text);
		if (!text[size])
			break;
		text += size + 1;
		width = 0;
	}
}

bool hv_options_words(const struct hv_option *table, size_t count, unsigned command, int argc,
		      char **argv, void *settings, int *words, char error[HV_OPTION_ERROR])
{
	int at = 0;

	*words = 0;
	while (at < argc) {
		int next = hv_options_parse(table, count, command, argc - at, argv + at,
					    settings, error);

		if (next < 0)
			return false;
		at += next;
		if (at < argc)
			argv[(*words)++] = argv[at];
	}
	return true;
}

void hv_options_help(const struct hv_option *table, size_t count, unsigned command, FILE *out)
{
	for (size_t i = 0; i < count; i++) {
		if (table[i].commands & command)
			help_line(&table[i], out);
	}
}
