/* Tables: aligned, cut to the screen, harmless; and the numbers in them. */
#include <stdlib.h>
#include <string.h>

#include "cli/table.h"
#include "support/test.h"

static const struct hv_column columns[] = {{"NAME", false},
					   {"N", true},
					   {NULL, false},
					   {"TEXT", false}};

static void add(struct hv_text_table *table, const char *name, const char *n, const char *text)
{
	const char *cells[] = {name, n, "left out", text};

	hv_text_table_add(table, HV_ROW_STRONG, cells);
}

/* What is printed; to be freed. */
static char *print(const struct hv_text_table *table, const struct hv_screen *screen)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	hv_text_table_print(table, screen, out);
	fclose(out);
	return text;
}

static void expect(const struct hv_text_table *table, struct hv_screen screen,
		   const char *wanted)
{
	char *text = print(table, &screen);

	assert_string_equal(text, wanted);
	free(text);
}

static void columns_are_aligned(void **state)
{
	struct hv_text_table table;

	(void)state;
	hv_text_table_init(&table, columns, 4);
	expect(&table, (struct hv_screen){0}, "NAME  N  TEXT\n");
	add(&table, "a", "1", "x");
	add(&table, "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6", "1000", NULL);
	expect(&table, (struct hv_screen){0},
	       "NAME      N  TEXT\na         1  x\n\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6  1000  -\n");
	expect(&table, (struct hv_screen){.height = 3},
	       "NAME      N  TEXT\na         1  x\n\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6  1000  -\n");
	expect(&table, (struct hv_screen){.height = 2}, "NAME      N  TEXT\nand 2 more\n");
	expect(&table, (struct hv_screen){.colour = true, .height = 2},
	       "\033[1mNAME      N  TEXT\033[0m\nand 2 more\n");
	hv_text_table_finish(&table);
}

static void the_widest_column_gives_way(void **state)
{
	struct hv_text_table table;

	(void)state;
	hv_text_table_init(&table, columns, 4);
	add(&table, "short", "1", "a text that is much too long");
	expect(&table, (struct hv_screen){.width = 20},
	       "NAME   N  TEXT\nshort  1  a text th…\n");
	expect(&table, (struct hv_screen){.width = 1}, "NAME   N  TEXT\nshort  1  a tex…\n");
	hv_text_table_finish(&table);
}

static void names_cannot_steer_the_terminal(void **state)
{
	struct hv_text_table table;

	(void)state;
	hv_text_table_init(&table, columns, 4);
	add(&table, "a\033[2Jb", "\x7f",
	    "c\nd\xc2\x9b"
	    "e");
	expect(&table, (struct hv_screen){0}, "NAME    N  TEXT\na?[2Jb  ?  c?d??e\n");
	hv_text_table_finish(&table);
}

static void many_rows(void **state)
{
	struct hv_text_table table;
	char number[16], *text;
	size_t lines = 0;

	(void)state;
	hv_text_table_init(&table, columns, 4);
	for (int i = 0; i < 20000; i++) {
		snprintf(number, sizeof(number), "%d", i);
		add(&table, "row", number, number);
	}
	text = print(&table, &(struct hv_screen){0});
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		lines++;
	assert_int_equal(lines, 20001);
	assert_false(table.incomplete);
	free(text);
	hv_text_table_finish(&table);
}

static void numbers_are_short(void **state)
{
	char text[16];

	(void)state;
	assert_string_equal(hv_text_bytes(0, text), "0");
	assert_string_equal(hv_text_bytes(999, text), "999");
	assert_string_equal(hv_text_bytes(1000, text), "1.0K");
	assert_string_equal(hv_text_bytes(10240, text), "10K");
	assert_string_equal(hv_text_bytes(1 << 20, text), "1.0M");
	assert_string_equal(hv_text_bytes(UINT64_MAX, text), "16E");
	assert_string_equal(hv_text_duration(0.04, text), "0.0s");
	assert_string_equal(hv_text_duration(59.9, text), "59s");
	assert_string_equal(hv_text_duration(185, text), "3m05s");
	assert_string_equal(hv_text_duration(7800, text), "2h10m");
	assert_string_equal(hv_text_duration(356400, text), "4d03h");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_aligned),
		cmocka_unit_test(the_widest_column_gives_way),
		cmocka_unit_test(names_cannot_steer_the_terminal),
		cmocka_unit_test(many_rows),
		cmocka_unit_test(numbers_are_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
