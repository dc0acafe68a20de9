/* Lines of the log: levels, the one write each, what is left out when there are too many. */
#include <string.h>
#include <unistd.h>

#include "gateway/log.h"
#include "support/test.h"

struct fixture {
	struct hv_log log;
	int ends[2];
	char text[4096];
};

static void open_log(struct fixture *f, enum hv_log_level level)
{
	assert_int_equal(pipe(f->ends), 0);
	hv_log_init(&f->log, f->ends[1], level);
}

/* What was written, all of it. */
static const char *written(struct fixture *f)
{
	ssize_t size;

	close(f->ends[1]);
	size = read(f->ends[0], f->text, sizeof(f->text) - 1);
	close(f->ends[0]);
	assert_true(size >= 0);
	f->text[size] = '\0';
	return f->text;
}

static void levels_have_prefixes(void **state)
{
	struct fixture f;

	(void)state;
	open_log(&f, HV_LOG_DEBUG);
	hv_log_line(&f.log, HV_LOG_ERROR, "%s %d", "one", 1);
	hv_log_line(&f.log, HV_LOG_WARNING, "two");
	hv_log_line(&f.log, HV_LOG_INFO, "three");
	hv_log_line(&f.log, HV_LOG_DEBUG, "four");
	hv_log_notice(&f.log, "five");
	assert_string_equal(written(&f), "haven: error: one 1\n"
					 "haven: warning: two\n"
					 "haven: three\n"
					 "haven: four\n"
					 "haven: five\n");
}

static void lines_above_the_level_are_left_out(void **state)
{
	struct fixture f;

	(void)state;
	open_log(&f, HV_LOG_WARNING);
	hv_log_line(&f.log, HV_LOG_INFO, "not this");
	hv_log_line(&f.log, HV_LOG_WARNING, "this");
	hv_log_notice(&f.log, "and this");
	assert_string_equal(written(&f), "haven: warning: this\nhaven: and this\n");
	open_log(&f, HV_LOG_ERROR);
	hv_log_line(&f.log, HV_LOG_WARNING, "not this");
	hv_log_notice(&f.log, "nor this");
	hv_log_line(&f.log, HV_LOG_ERROR, "this");
	assert_string_equal(written(&f), "haven: error: this\n");
}

static void colour_ends_with_the_line(void **state)
{
	struct fixture f;

	(void)state;
	open_log(&f, HV_LOG_INFO);
	assert_false(f.log.colour); /* a pipe is no terminal */
	f.log.colour = true;
	hv_log_line(&f.log, HV_LOG_ERROR, "red");
	hv_log_line(&f.log, HV_LOG_INFO, "plain");
	assert_string_equal(written(&f), "\033[31mhaven: error: red\033[0m\nhaven: plain\n");
}

static void a_long_line_is_cut_and_ends(void **state)
{
	struct fixture f;
	char text[3000];
	size_t size;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	open_log(&f, HV_LOG_ERROR);
	hv_log_line(&f.log, HV_LOG_ERROR, "%s", text);
	size = strlen(written(&f));
	assert_true(size > 1000 && size < 1200);
	assert_int_equal(f.text[size - 1], '\n');
	assert_ptr_equal(strchr(f.text, '\n'), f.text + size - 1);
}

static void control_characters_are_hidden(void **state)
{
	struct fixture f;

	(void)state;
	open_log(&f, HV_LOG_ERROR);
	hv_log_line(&f.log, HV_LOG_ERROR, "'%s'", "a\nhaven: b\033[2J\x7f\xc3\xa4");
	assert_string_equal(written(&f), "haven: error: 'a?haven: b?[2J?\xc3\xa4'\n");
}

static void often_is_said_once_in_five_seconds(void **state)
{
	struct hv_log_limit limit = {0};
	const uint64_t second = 1000000000;
	struct fixture f;

	(void)state;
	open_log(&f, HV_LOG_WARNING);
	for (uint64_t now = 100 * second; now < 111 * second; now += second / 2)
		hv_log_limited(&f.log, &limit, now, "full");
	assert_string_equal(written(&f), "haven: warning: full\n"
					 "haven: warning: full (and 9 more like this)\n"
					 "haven: warning: full (and 9 more like this)\n");
}

static void a_burst_is_said_and_then_one_each_half_second(void **state)
{
	struct hv_log_bucket bucket = {0};
	const uint64_t second = 1000000000;
	const char *text;
	struct fixture f;
	unsigned lines = 0;

	(void)state;
	open_log(&f, HV_LOG_WARNING);
	for (unsigned i = 0; i < HV_LOG_BURST + 5; i++)
		hv_log_bucketed(&f.log, &bucket, 100 * second, "bad");
	hv_log_bucketed(&f.log, &bucket, 100 * second + second / 2, "late");
	hv_log_bucketed(&f.log, &bucket, 100 * second + second / 2, "too late");
	text = written(&f);
	for (const char *at = text; (at = strstr(at, "bad\n")); at++)
		lines++;
	assert_int_equal(lines, HV_LOG_BURST);
	assert_non_null(strstr(text, "haven: warning: late (and 5 more like this)\n"));
	assert_null(strstr(text, "too late"));
}

static void level_names(void **state)
{
	enum hv_log_level level = HV_LOG_ERROR;

	(void)state;
	assert_true(hv_log_parse_level("debug", &level));
	assert_int_equal(level, HV_LOG_DEBUG);
	assert_true(hv_log_parse_level("error", &level));
	assert_int_equal(level, HV_LOG_ERROR);
	assert_false(hv_log_parse_level("Debug", &level));
	assert_false(hv_log_parse_level("", &level));
	assert_int_equal(level, HV_LOG_ERROR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels_have_prefixes),
		cmocka_unit_test(lines_above_the_level_are_left_out),
		cmocka_unit_test(colour_ends_with_the_line),
		cmocka_unit_test(a_long_line_is_cut_and_ends),
		cmocka_unit_test(control_characters_are_hidden),
		cmocka_unit_test(often_is_said_once_in_five_seconds),
		cmocka_unit_test(a_burst_is_said_and_then_one_each_half_second),
		cmocka_unit_test(level_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
