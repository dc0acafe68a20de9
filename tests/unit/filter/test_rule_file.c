/* Files of rules: lines, comments, include, and where an error is. */
#include "fixture.h"

struct file {
	const char *name, *text;
};

struct disk {
	const struct file *files;
	unsigned opened, closed;
	char from[192];
};

static int open_file(void *user, const char *name, const char *from, const char **text,
		     size_t *size, char path[192])
{
	struct disk *disk = user;

	snprintf(disk->from, sizeof(disk->from), "%s", from);
	for (const struct file *file = disk->files; file->name; file++) {
		if (strcmp(file->name, name) != 0)
			continue;
		if (!file->text)
			return -EACCES;
		disk->opened++;
		*text = file->text;
		*size = strlen(file->text);
		snprintf(path, 192, "/etc/haven/%s", name);
		return 0;
	}
	return strcmp(name, "odd") == 0 ? -EMFILE : -ENOENT;
}

static void close_file(void *user, const char *text, size_t size)
{
	struct disk *disk = user;

	assert_int_equal(strlen(text), size);
	disk->closed++;
}

struct reading {
	struct test_env test;
	struct haven_rules *rules;
	struct disk disk;
	struct haven_rule_error error;
};

static int read_text(struct reading *r, const struct file *files, const char *text)
{
	struct haven_rules_source source = {
		.user = &r->disk,
		.open = open_file,
		.close = close_file,
	};
	struct haven_env env;
	int error;

	test_env_init(&r->test, 1);
	env = test_env_haven(&r->test);
	r->disk = (struct disk){.files = files};
	assert_int_equal(haven_rules_create(&env, NULL, &r->rules), 0);
	assert_int_equal(haven_rules_add(r->rules, HAVEN_RULE_ALLOW, "out ssh", NULL), 0);
	error = haven_rules_add_text(r->rules, "main", text, strlen(text),
				     files ? &source : NULL, &r->error);
	assert_int_equal(r->disk.opened, r->disk.closed);
	if (error < 0)
		assert_int_equal(haven_rules_count(r->rules), 1);
	return error;
}

static void done(struct reading *r)
{
	haven_rules_destroy(r->rules);
	test_env_finish(&r->test);
}

static void expect(const struct file *files, const char *text, const char *file, unsigned line,
		   unsigned column, const char *what)
{
	struct reading r;

	assert_int_equal(read_text(&r, files, text), -EINVAL);
	assert_string_equal(r.error.text, what);
	assert_string_equal(r.error.file, file);
	assert_int_equal(r.error.line, line);
	assert_int_equal(r.error.column, column);
	done(&r);
}

static void lines_and_comments(void **state)
{
	static const char text[] = "# policy\n"
				   "\n"
				   "  \t\n"
				   "allow out https\r\n"
				   "  deny in ssh # nobody\n"
				   "deny out";
	struct haven_filter_config config;
	struct haven_filter *filter;
	struct haven_rule_info info;
	struct reading r;

	(void)state;
	assert_int_equal(read_text(&r, NULL, text), 0);
	assert_int_equal(haven_rules_count(r.rules), 4);
	assert_string_equal(r.error.text, "");
	haven_filter_config_init(&config);
	config.env = test_env_haven(&r.test);
	assert_int_equal(haven_filter_create(&config, &filter), 0);
	assert_int_equal(haven_filter_replace(filter, r.rules), 0);
	assert_true(haven_filter_rule(filter, 1, &info));
	assert_string_equal(info.file, "");
	assert_int_equal(info.line, 0);
	assert_true(haven_filter_rule(filter, 3, &info));
	assert_string_equal(info.file, "main");
	assert_int_equal(info.line, 5);
	assert_string_equal(info.text, "deny in :22");
	haven_filter_destroy(filter);
	test_env_finish(&r.test);
}

static void includes(void **state)
{
	static const struct file files[] = {
		{"web", "allow out http\ninclude more of it  # and this\nallow out https"},
		{"more of it", "allow out 8080\n"},
		{NULL, NULL},
	};
	struct haven_filter_config config;
	struct haven_filter *filter;
	struct haven_rule_info info;
	struct reading r;

	(void)state;
	assert_int_equal(read_text(&r, files, "include web\ndeny out\ninclude web\n"), 0);
	assert_int_equal(haven_rules_count(r.rules), 8);
	assert_int_equal(r.disk.opened, 4);
	assert_string_equal(r.disk.from, "/etc/haven/web");
	haven_filter_config_init(&config);
	config.env = test_env_haven(&r.test);
	assert_int_equal(haven_filter_create(&config, &filter), 0);
	assert_int_equal(haven_filter_replace(filter, r.rules), 0);
	assert_true(haven_filter_rule(filter, 3, &info));
	assert_string_equal(info.text, "allow out :8080");
	assert_string_equal(info.file, "/etc/haven/more of it");
	assert_int_equal(info.line, 1);
	assert_true(haven_filter_rule(filter, 4, &info));
	assert_string_equal(info.text, "allow out :443");
	assert_string_equal(info.file, "/etc/haven/web");
	assert_int_equal(info.line, 3);
	assert_true(haven_filter_rule(filter, 5, &info));
	assert_string_equal(info.text, "deny out");
	assert_string_equal(info.file, "main");
	haven_filter_destroy(filter);
	test_env_finish(&r.test);
}

static void where_errors_are(void **state)
{
	static const struct file files[] = {
		{"bad", "\nallow out htps\n"},
		{"closed", NULL},
		{NULL, NULL},
	};

	(void)state;
	expect(NULL, "allow out https\n\n  permit out\n", "main", 3, 3,
	       "expected `allow`, `deny` or `include`, found 'permit'");
	expect(NULL, "allow out https\nallow uot https\n", "main", 2, 7,
	       "expected `in` or `out`, found 'uot'");
	expect(files, "deny out\ninclude bad\n", "/etc/haven/bad", 2, 11,
	       "expected a port, a range or a service (did you mean https?), or a host with a "
	       "dot behind it, found 'htps'");
	expect(files, "include nothing here\n", "main", 1, 9,
	       "expected a file that can be read (there is no such file), found 'nothing "
	       "here'");
	expect(files, " include closed", "main", 1, 10,
	       "expected a file that can be read (it may not be read), found 'closed'");
	expect(files, "include odd", "main", 1, 9,
	       "expected a file that can be read (error 24), found 'odd'");
	expect(files, "include  # nothing", "main", 1, 10,
	       "expected the name of a file, found nothing more");
	expect(NULL, "include web", "main", 1, 9,
	       "expected no `include` in a text that is no file, found 'web'");
}

static void zero_bytes(void **state)
{
	static const char text[] = "allow out\0https\n", name[] = "include a\0b";
	static const struct file files[] = {{NULL, NULL}};
	struct disk disk = {.files = files};
	struct haven_rules_source source = {&disk, open_file, close_file};
	struct reading r;

	(void)state;
	assert_int_equal(read_text(&r, NULL, ""), 0);
	assert_int_equal(haven_rules_add_text(r.rules, "main", text, sizeof(text) - 1, NULL,
					      &r.error),
			 -EINVAL);
	assert_string_equal(r.error.text, "expected `in` or `out`, found 'out\\x00https'");
	assert_int_equal(haven_rules_add_text(r.rules, "main", name, sizeof(name) - 1, &source,
					      &r.error),
			 -EINVAL);
	assert_string_equal(r.error.text, "expected the name of a file of at most 1023 bytes, "
					  "found 'a\\x00b'");
	done(&r);
}

static void loops(void **state)
{
	static const struct file files[] = {
		{"self", "allow out\ninclude self\n"},
		{"d1", "include d2"},
		{"d2", "include d3"},
		{"d3", "include d4"},
		{"d4", "include d5"},
		{"d5", "include d6"},
		{"d6", "include d7"},
		{"d7", "include d8"},
		{"d8", "allow out"},
		{"d0", "include d1"},
		{NULL, NULL},
	};
	struct reading r;

	(void)state;
	expect(files, "include self", "/etc/haven/self", 2, 9,
	       "expected `include` at most 8 deep (a file may not include itself), found "
	       "'self'");
	assert_int_equal(read_text(&r, files, "include d1"), 0);
	assert_int_equal(haven_rules_count(r.rules), 2);
	done(&r);
	expect(files, "include d0", "/etc/haven/d7", 1, 9,
	       "expected `include` at most 8 deep (a file may not include itself), found "
	       "'d8'");
}

/* Few lines can ask for very many files. */
static void too_many_includes(void **state)
{
	static char twelve[12 * 14 + 1], inner[12 * 14 + 1], text[12 * 14 + 1];
	static const struct file files[] = {
		{"outer", inner},
		{"inner", twelve},
		{"empty", ""},
		{NULL, NULL},
	};

	(void)state;
	for (int i = 0; i < 12; i++) {
		memcpy(text + (size_t)i * 14, "include outer\n", 15);
		memcpy(inner + (size_t)i * 14, "include inner\n", 15);
		memcpy(twelve + (size_t)i * 14, "include empty\n", 15);
	}
	expect(files, text, "/etc/haven/inner", 3, 9,
	       "expected at most 1024 `include` in all, found 'empty'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_and_comments),
		cmocka_unit_test(includes),
		cmocka_unit_test(where_errors_are),
		cmocka_unit_test(zero_bytes),
		cmocka_unit_test(loops),
		cmocka_unit_test(too_many_includes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
