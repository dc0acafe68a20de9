/*
 * Text in aligned columns, as `haven ls` and its like show it.
 *
 * Rows are kept as text until they are printed, since the widths depend on all of them. On a terminal, lines
 * are as wide as it is: the widest columns give way. Whatever would move a terminal's cursor or change its
 * state is shown as '?': names of processes are anybody's.
 */
#ifndef HV_CLI_TABLE_H
#define HV_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define HV_COLUMNS_MAX 16

struct hv_column {
	const char *title; /* NULL: the column is left out */
	bool right;	   /* numbers */
};

enum hv_row_style { HV_ROW_PLAIN, HV_ROW_STRONG, HV_ROW_FAINT };

struct hv_text_table {
	const struct hv_column *columns;
	unsigned count;
	size_t widths[HV_COLUMNS_MAX]; /* of the widest cell, in characters */
	char *text; /* the cells, each ended by 0; each row begins with its style */
	size_t used, size;
	size_t rows;
	bool incomplete; /* no memory for some rows */
};

/* Where it is printed. */
struct hv_screen {
	unsigned width;	 /* characters; 0: any */
	unsigned height; /* lines; 0: any */
	bool colour;
};

/* Of a standard stream: a terminal's size, colours unless NO_COLOR is set; else neither. */
void hv_screen_of(FILE *out, struct hv_screen *screen);

void hv_text_table_init(struct hv_text_table *table, const struct hv_column *columns,
			unsigned count);
void hv_text_table_finish(struct hv_text_table *table);
/* cells: `count` of them, copied; NULL is shown as '-'. */
void hv_text_table_add(struct hv_text_table *table, enum hv_row_style style,
		       const char *const *cells);
/* With a line of titles. When the screen's height does not take all, the last line says how many more there are. */
void hv_text_table_print(const struct hv_text_table *table, const struct hv_screen *screen,
			 FILE *out);

/* Text of others, outside of a table: with the same care. */
void hv_text_put(const char *text, FILE *out);

/* "0", "999", "1.2K", "34M": powers of 1024, at most four characters. */
const char *hv_text_bytes(unsigned long long bytes, char text[16]);
/* "0.4s", "12s", "3m05s", "2h10m", "4d03h" */
const char *hv_text_duration(double seconds, char text[16]);

#endif
