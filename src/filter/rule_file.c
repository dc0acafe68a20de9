/*
 * Files of rules: a line each, comments, and `include FILE`, which the caller opens. What is wrong is told with the
 * file and the line where it stands; then nothing is added.
 */
#include <stdio.h>
#include <string.h>

#include "filter/rules.h"

enum { DEPTH_MAX = 8, INCLUDES_MAX = 1024, FILE_MAX = 1024 };

struct text {
	struct haven_rules *rules;
	const struct haven_rules_source *source;
	struct haven_rule_error *error;
	unsigned depth;
	unsigned *includes; /* of all files */
	const char *name;
	struct hv_rule_file *file;
};

static int add_text(struct text *text, const char *bytes, size_t size);

/* Why a file could not be opened. */
static const char *reason(int error)
{
	switch (error) {
	case -ENOENT:
		return "there is no such file";
	case -EACCES:
	case -EPERM:
		return "it may not be read";
	case -EISDIR:
		return "it is a directory";
	case -ELOOP:
		return "it is a link that leads nowhere";
	case -ENAMETOOLONG:
		return "the name is too long";
	case -EFBIG:
		return "it is too large";
	default:
		return NULL;
	}
}

static int fail_open(struct hv_reader *reader, const char *found, size_t size, int error)
{
	const char *why = reason(error);

	if (error == -ENOMEM)
		return error;
	if (why)
		return hv_reader_expected(reader, found, size, "a file that can be read (%s)",
					  why);
	return hv_reader_expected(reader, found, size, "a file that can be read (error %d)",
				  -error);
}

/* The rest of the line, without blanks around it: names of files have blanks in them. */
static size_t file_word(const struct hv_reader *reader)
{
	size_t size = (size_t)(reader->end - reader->word);

	while (size > 0 && strchr(" \t\r\v\f", reader->word[size - 1]) &&
	       reader->word[size - 1] != '\0')
		size--;
	return size;
}

static int open_and_add(struct text *text, struct hv_reader *reader, const char *name,
			size_t name_size)
{
	char path[192] = "";
	struct text inner = *text;
	const char *bytes = NULL;
	size_t size = 0;
	int error =
		text->source->open(text->source->user, name, text->name, &bytes, &size, path);

	if (error < 0)
		return fail_open(reader, reader->word, name_size, error);
	path[sizeof(path) - 1] = '\0';
	inner.name = path;
	inner.depth++;
	error = add_text(&inner, bytes, size);
	text->source->close(text->source->user, bytes, size);
	return error;
}

static int include(struct text *text, struct hv_reader *reader)
{
	size_t size = file_word(reader);
	char name[FILE_MAX];

	if (size == 0)
		return hv_reader_expected(reader, reader->word, 0, "the name of a file");
	if (!text->source)
		return hv_reader_expected(reader, reader->word, size,
					  "no `include` in a text that is no file");
	if (size >= sizeof(name) || memchr(reader->word, '\0', size))
		return hv_reader_expected(reader, reader->word, size,
					  "the name of a file of at most %d bytes",
					  FILE_MAX - 1);
	if (text->depth == DEPTH_MAX)
		return hv_reader_expected(reader, reader->word, size,
					  "`include` at most %d deep (a file may not include "
					  "itself)",
					  DEPTH_MAX);
	if (++*text->includes > INCLUDES_MAX)
		return hv_reader_expected(reader, reader->word, size,
					  "at most %d `include` in all", INCLUDES_MAX);
	memcpy(name, reader->word, size);
	name[size] = '\0';
	return open_and_add(text, reader, name, size);
}

/* Rules of one file share its name, which is made for the first of them. */
static int name_file(struct text *text)
{
	struct haven_env *env = &text->rules->env;

	if (text->file || !*text->name)
		return 0;
	text->file = env->alloc(env->user, sizeof(*text->file));
	if (!text->file)
		return -ENOMEM;
	text->file->references = 1;
	snprintf(text->file->name, sizeof(text->file->name), "%s", text->name);
	return 0;
}

static void begin_error(struct text *text, unsigned line)
{
	if (!text->error)
		return;
	*text->error = (struct haven_rule_error){.line = line, .column = 1};
	snprintf(text->error->file, sizeof(text->error->file), "%s", text->name);
}

static int add_line(struct text *text, const char *line, size_t size, unsigned number)
{
	struct hv_reader reader = {.services = text->rules->services, .error = text->error};
	bool allow;
	int error;

	begin_error(text, number);
	hv_reader_init(&reader, line, size);
	if (reader.size == 0)
		return 0;
	allow = hv_reader_is(&reader, "allow");
	if (hv_reader_is(&reader, "include")) {
		hv_reader_next(&reader);
		return include(text, &reader);
	}
	if (!allow && !hv_reader_is(&reader, "deny"))
		return hv_reader_word_expected(&reader, "`allow`, `deny` or `include`");
	hv_reader_next(&reader);
	error = name_file(text);
	if (error < 0)
		return error;
	return hv_rules_add(text->rules, &reader, allow, text->file, number);
}

static int add_text(struct text *text, const char *bytes, size_t size)
{
	const char *end = bytes + size;
	unsigned number = 0;
	int error = 0;

	text->file = NULL;
	while (error == 0 && bytes < end) {
		const char *stop = memchr(bytes, '\n', (size_t)(end - bytes));
		size_t length = (size_t)((stop ? stop : end) - bytes);

		error = add_line(text, bytes, length, ++number);
		bytes = stop ? stop + 1 : end;
	}
	hv_rule_file_release(&text->rules->env, text->file);
	return error;
}

int haven_rules_add_text(struct haven_rules *rules, const char *file, const char *bytes,
			 size_t size, const struct haven_rules_source *source,
			 struct haven_rule_error *error)
{
	unsigned includes = 0;
	uint32_t before = rules->count;
	struct text text = {
		.rules = rules,
		.source = source,
		.error = error,
		.includes = &includes,
		.name = file,
	};
	int result = add_text(&text, bytes, size);

	if (result < 0)
		hv_rules_cut(rules, before);
	else if (error)
		memset(error, 0, sizeof(*error));
	return result;
}
