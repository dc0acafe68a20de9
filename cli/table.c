/*
 * Aligned columns. See table.h.
 */
#include "cli/table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define GAP	  "  "
#define GAP_WIDTH 2
/* Columns do not shrink below this. */
#define WIDTH_MIN 6

void hv_screen_of(FILE *out, struct hv_screen *screen)
{
	const char *no_colour = getenv("NO_COLOR");
	struct winsize size;

	*screen = (struct hv_screen){0};
	if (!isatty(fileno(out)))
		return;
	screen->colour = !no_colour || !*no_colour;
	screen->width = 80;
	if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		screen->width = size.ws_col;
}

void hv_text_table_init(struct hv_text_table *table, const struct hv_column *columns,
			unsigned count)
{
	memset(table, 0, sizeof(*table));
	table->columns = columns;
	table->count = count;
	for (unsigned i = 0; i < count; i++)
		table->widths[i] = columns[i].title ? strlen(columns[i].title) : 0;
}

void hv_text_table_finish(struct hv_text_table *table)
{
	free(table->text);
	table->text = NULL;
}

/* --- characters ------------------------------------------------------------------------- */

/* Bytes after the first of a character in UTF-8. */
static bool continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static size_t characters(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += !continues(*text);
	return count;
}

/* Bytes of the first `count` characters. */
static size_t bytes_of(const char *text, size_t count)
{
	size_t size = 0;

	while (text[size] && (count > 0 || continues(text[size]))) {
		count -= !continues(text[size]);
		size++;
	}
	return size;
}

/* C0, DEL, and C1, which is U+0080 to U+009F: 0xc2 0x80 to 0xc2 0x9f. */
static bool is_harmful(const char *text)
{
	unsigned char c = (unsigned char)text[0], next = (unsigned char)text[1];

	return c < 0x20 || c == 0x7f || (c == 0xc2 && next >= 0x80 && next < 0xa0);
}

static void make_harmless(char *text)
{
	for (; *text; text++) {
		if (is_harmful(text)) {
			if ((unsigned char)*text == 0xc2)
				text[1] = '?';
			*text = '?';
		}
	}
}

void hv_text_put(const char *text, FILE *out)
{
	for (; *text; text++) {
		if (!is_harmful(text)) {
			fputc(*text, out);
			continue;
		}
		fputc('?', out);
		text += (unsigned char)*text == 0xc2;
	}
}

/* --- rows ------------------------------------------------------------------------------- */

static bool reserve(struct hv_text_table *table, size_t size)
{
	size_t wanted = table->size ? table->size : 4096;
	char *text;

	while (wanted < table->used + size)
		wanted *= 2;
	if (wanted == table->size)
		return true;
	text = realloc(table->text, wanted);
	if (!text)
		return false;
	table->text = text;
	table->size = wanted;
	return true;
}

void hv_text_table_add(struct hv_text_table *table, enum hv_row_style style,
		       const char *const *cells)
{
	size_t size = 1;

	for (unsigned i = 0; i < table->count; i++)
		size += cells[i] ? strlen(cells[i]) + 1 : sizeof("-");
	if (!reserve(table, size)) {
		table->incomplete = true;
		return;
	}
	table->text[table->used++] = (char)style;
	for (unsigned i = 0; i < table->count; i++) {
		char *cell = table->text + table->used;
		size_t width;

		strcpy(cell, cells[i] ? cells[i] : "-"); /* NOLINT: reserved above */
		table->used += strlen(cell) + 1;
		make_harmless(cell);
		width = characters(cell);
		if (width > table->widths[i])
			table->widths[i] = width;
	}
	table->rows++;
}

/* --- printing --------------------------------------------------------------------------- */

/* The widest column gives way until the line fits. */
static void fit(const struct hv_text_table *table, unsigned screen_width, size_t *widths)
{
	for (;;) {
		size_t total = 0;
		unsigned widest = 0;

		for (unsigned i = 0; i < table->count; i++) {
			if (!table->columns[i].title)
				continue;
			total += widths[i] + (total ? GAP_WIDTH : 0);
			if (widths[i] > widths[widest])
				widest = i;
		}
		if (total <= screen_width || widths[widest] <= WIDTH_MIN)
			return;
		widths[widest]--;
	}
}

static void print_cell(const char *cell, size_t width, bool right, bool last, FILE *out)
{
	size_t length = characters(cell);

	if (length > width) {
		fprintf(out, "%.*s…", (int)bytes_of(cell, width - 1), cell);
		return;
	}
	if (right)
		fprintf(out, "%*s", (int)(width - length), "");
	fputs(cell, out);
	if (!right && !last)
		fprintf(out, "%*s", (int)(width - length), "");
}

/* Returns what follows the cells. */
static const char *print_line(const struct hv_text_table *table, const size_t *widths,
			      const char *cells, FILE *out)
{
	bool first = true;
	unsigned last = 0;

	for (unsigned i = 0; i < table->count; i++) {
		if (table->columns[i].title)
			last = i;
	}
	for (unsigned i = 0; i < table->count; i++) {
		if (table->columns[i].title) {
			fputs(first ? "" : GAP, out);
			print_cell(cells, widths[i], table->columns[i].right, i == last, out);
			first = false;
		}
		cells += strlen(cells) + 1;
	}
	return cells;
}

static void print_titles(const struct hv_text_table *table, const size_t *widths,
			 const struct hv_screen *screen, FILE *out)
{
	char titles[HV_COLUMNS_MAX * 24];
	size_t used = 0;

	for (unsigned i = 0; i < table->count; i++)
		used += (size_t)snprintf(titles + used, sizeof(titles) - used, "%.20s",
					 table->columns[i].title ? table->columns[i].title
								 : "") +
			1;
	fputs(screen->colour ? "\033[1m" : "", out);
	print_line(table, widths, titles, out);
	fputs(screen->colour ? "\033[0m\n" : "\n", out);
}

void hv_text_table_print(const struct hv_text_table *table, const struct hv_screen *screen,
			 FILE *out)
{
	static const char *const styles[] = {
		[HV_ROW_PLAIN] = "", [HV_ROW_STRONG] = "\033[32m", [HV_ROW_FAINT] = "\033[2m"};
	const char *at = table->text;
	size_t widths[HV_COLUMNS_MAX];
	size_t shown = table->rows;

	memcpy(widths, table->widths, sizeof(widths));
	if (screen->width)
		fit(table, screen->width, widths);
	if (screen->height && table->rows + 1 > screen->height)
		shown = screen->height > 2 ? screen->height - 2 : 0;
	print_titles(table, widths, screen, out);
	for (size_t row = 0; row < shown; row++) {
		const char *style = screen->colour ? styles[(unsigned char)*at] : "";

		fputs(style, out);
		at = print_line(table, widths, at + 1, out);
		fputs(*style ? "\033[0m\n" : "\n", out);
	}
	if (shown < table->rows)
		fprintf(out, "and %zu more\n", table->rows - shown);
	if (table->incomplete)
		fputs("(some are left out: out of memory)\n", out);
}

/* --- numbers ---------------------------------------------------------------------------- */

const char *hv_text_bytes(unsigned long long bytes, char text[16])
{
	static const char units[] = "BKMGTPE";
	double value = (double)bytes;
	unsigned unit = 0;

	while (value >= 999.5 && unit + 1 < sizeof(units) - 1) {
		value /= 1024;
		unit++;
	}
	if (unit == 0)
		snprintf(text, 16, "%llu", bytes);
	else
		snprintf(text, 16, value < 9.95 ? "%.1f%c" : "%.0f%c", value, units[unit]);
	return text;
}

const char *hv_text_duration(double seconds, char text[16])
{
	unsigned long whole = (unsigned long)seconds;

	if (seconds < 9.95)
		snprintf(text, 16, "%.1fs", seconds);
	else if (whole < 60)
		snprintf(text, 16, "%lus", whole);
	else if (whole < 3600)
		snprintf(text, 16, "%lum%02lus", whole / 60, whole % 60);
	else if (whole < 86400)
		snprintf(text, 16, "%luh%02lum", whole / 3600, whole / 60 % 60);
	else
		snprintf(text, 16, "%lud%02luh", whole / 86400 % 100000, whole / 3600 % 24);
	return text;
}
