/*
 * segments: runs scripts of timed packets and socket calls on the stack, and says which hold.
 *
 *	segments [-v] FILE|FOLDER...
 *
 * One TAP line for each script. tests/segments/README.md describes the language.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "packet.h"

struct totals {
	unsigned scripts, failed, runs;
	bool verbose;
};

struct names {
	char **list;
	size_t count, room;
};

static void names_add(struct names *names, const char *name)
{
	if (names->count == names->room) {
		names->room = names->room ? 2 * names->room : 64;
		names->list = realloc(names->list, names->room * sizeof(*names->list));
		if (!names->list)
			abort();
	}
	names->list[names->count++] = strdup(name);
}

static void names_free(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->list[i]);
	free(names->list);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* --- one script ------------------------------------------------------------------------- */

/* Over one family, for one value of `each`. */
static bool run_once(const char *path, bool v6, unsigned each_at, struct totals *totals,
		     unsigned *each_count, char *error, size_t size)
{
	struct seg_script script;
	bool good = seg_read(&script, path, v6, each_at);
	char what[SEG_LINE * 8] = "";

	if (!good) {
		snprintf(error, size, "%s", script.error);
	} else if (v6 ? script.config.v6 : script.config.v4) {
		totals->runs++;
		good = seg_run(&script, v6, what, sizeof(what));
		if (!good)
			snprintf(error, size, "%s%s%s: %s", v6 ? "IPv6" : "IPv4",
				 script.each_seen ? ", " : "", script.each_value, what);
	}
	*each_count = script.each_count;
	seg_script_free(&script);
	return good;
}

static void print_indented(const char *text)
{
	fputs("# ", stdout);
	for (; *text; text++) {
		putchar(*text);
		if (*text == '\n')
			fputs("# ", stdout);
	}
	putchar('\n');
}

static void run_script(const char *path, struct totals *totals)
{
	unsigned each_count = 1;
	char error[SEG_LINE * 9] = "";
	bool good = true;

	totals->scripts++;
	for (unsigned i = 0; good && i < each_count; i++)
		for (unsigned family = 0; good && family < 2; family++)
			good = run_once(path, family == 1, i, totals, &each_count, error,
					sizeof(error));
	printf("%sok %u - %s\n", good ? "" : "not ", totals->scripts, path);
	if (!good) {
		totals->failed++;
		print_indented(error);
	} else if (totals->verbose && each_count > 1) {
		printf("# %u values\n", each_count);
	}
	fflush(stdout);
}

/* --- folders ---------------------------------------------------------------------------- */

static bool is_script(const char *name)
{
	size_t size = strlen(name);

	return size > 4 && strcmp(name + size - 4, ".seg") == 0;
}

static bool run_path(const char *path, struct totals *totals);

static bool run_folder(const char *path, struct totals *totals)
{
	struct names names = {0};
	const struct dirent *entry;
	DIR *folder = opendir(path);
	bool good = true;

	if (!folder)
		return false;
	while ((entry = readdir(folder))) {
		char *full;

		/* Parts of scripts, and those that must fail. */
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, "include") == 0 ||
		    strcmp(entry->d_name, "refused") == 0)
			continue;
		if (asprintf(&full, "%s/%s", path, entry->d_name) < 0)
			abort();
		names_add(&names, full);
		free(full);
	}
	closedir(folder);
	if (names.count)
		qsort(names.list, names.count, sizeof(*names.list), by_name);
	for (size_t i = 0; i < names.count; i++) {
		struct stat status;

		if (stat(names.list[i], &status) == 0 &&
		    (S_ISDIR(status.st_mode) || is_script(names.list[i])))
			good &= run_path(names.list[i], totals);
	}
	names_free(&names);
	return good;
}

static bool run_path(const char *path, struct totals *totals)
{
	struct stat status;

	if (stat(path, &status) < 0) {
		printf("not ok %u - %s\n# it is not there\n", ++totals->scripts, path);
		totals->failed++;
		return false;
	}
	if (S_ISDIR(status.st_mode))
		return run_folder(path, totals);
	run_script(path, totals);
	return true;
}

int main(int argc, char **argv)
{
	struct totals totals = {0};
	int first = 1;

	if (argc > 1 && strcmp(argv[1], "-v") == 0) {
		totals.verbose = true;
		first = 2;
	}
	if (first >= argc) {
		fputs("usage: segments [-v] FILE|FOLDER...\n", stderr);
		return 2;
	}
	for (int i = first; i < argc; i++)
		run_path(argv[i], &totals);
	printf("1..%u\n# %u scripts, %u failed; %u runs over both families\n", totals.scripts,
	       totals.scripts, totals.failed, totals.runs);
	return totals.failed || !totals.scripts ? 1 : 0;
}
