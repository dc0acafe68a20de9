/*
 * Scripts from files: lines, includes, variables and the statement on each line. Pieces of a line
 * are read by read_segment.c, read_call.c, read_config.c and icmp.c.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cursor.h"

enum { DEPTH = 8 };

static bool read_file(struct seg_script *script, const char *path, const char *from, int line);

/* --- variables ------------------------------------------------------------------------- */

static struct seg_variable *variable_of(struct seg_script *script, const char *name)
{
	for (unsigned i = 0; i < script->variable_count; i++)
		if (strcmp(script->variables[i].name, name) == 0)
			return &script->variables[i];
	return NULL;
}

static bool set_variable(struct seg_script *script, const char *name, const char *value)
{
	struct seg_variable *variable = variable_of(script, name);

	if (!variable) {
		if (script->variable_count == SEG_VARIABLES)
			return false;
		variable = &script->variables[script->variable_count++];
		snprintf(variable->name, sizeof(variable->name), "%s", name);
	}
	snprintf(variable->value, sizeof(variable->value), "%s", value);
	return true;
}

/* $name and ${name} become what they stand for. */
static bool substitute(struct seg_cursor *c, const char *line, char *out, size_t size)
{
	size_t used = 0;

	while (*line && *line != '#') {
		char name[SEG_NAME];
		size_t length = 0;
		bool braces;
		const struct seg_variable *variable;

		if (*line != '$') {
			if (used + 1 >= size)
				return seg_bad(c, "this line is too long");
			out[used++] = *line++;
			continue;
		}
		line++;
		braces = *line == '{';
		line += braces;
		while ((isalnum((unsigned char)*line) || *line == '_') &&
		       length + 1 < sizeof(name))
			name[length++] = *line++;
		name[length] = 0;
		line += braces && *line == '}';
		variable = variable_of(c->script, name);
		if (!variable)
			return seg_bad(c, "there is no variable '%s'", name);
		used += (size_t)snprintf(out + used, size - used, "%s", variable->value);
		if (used >= size)
			return seg_bad(c, "this line is too long");
	}
	while (used && isspace((unsigned char)out[used - 1]))
		used--;
	out[used] = 0;
	return true;
}

static bool read_let(struct seg_cursor *c, bool is_default)
{
	char name[SEG_NAME];

	if (!seg_word(c, name, sizeof(name)))
		return seg_bad(c, "the name of a variable was expected");
	seg_blanks(c);
	if (is_default && variable_of(c->script, name))
		return true;
	return set_variable(c->script, name, c->at) || seg_bad(c, "too many variables");
}

static bool read_each(struct seg_cursor *c)
{
	struct seg_script *script = c->script;
	char name[SEG_NAME], value[SEG_NAME * 2];

	if (script->each_seen)
		return seg_bad(c, "a script has one 'each' at most");
	script->each_seen = true;
	if (!seg_word(c, name, sizeof(name)) || !seg_take_word(c, "in"))
		return seg_bad(c, "each NAME in VALUE...");
	script->each_count = 0;
	while (!seg_at_end(c)) {
		if (!seg_text(c, value, sizeof(value)))
			return false;
		if (script->each_count++ != script->each_at)
			continue;
		snprintf(script->each_value, sizeof(script->each_value), "%s", value);
		if (!set_variable(script, name, value))
			return seg_bad(c, "too many variables");
	}
	return script->each_count || seg_bad(c, "each NAME in VALUE...");
}

/* --- includes -------------------------------------------------------------------------- */

/* include/NAME.seg beside the script, or beside a folder that it is in. */
static bool read_include(struct seg_cursor *c)
{
	char name[SEG_NAME], folder[4096], path[sizeof(folder) + SEG_NAME + 32];
	char *slash;

	if (!seg_word(c, name, sizeof(name)))
		return seg_bad(c, "the name of a file in include/ was expected");
	snprintf(folder, sizeof(folder), "%s", c->script->path);
	while ((slash = strrchr(folder, '/')) || folder[0]) {
		if (slash)
			*slash = 0;
		else
			folder[0] = 0;
		snprintf(path, sizeof(path), "%s%sinclude/%s.seg", folder, slash ? "/" : "",
			 name);
		if (access(path, R_OK) == 0)
			return read_file(c->script, path, c->file, c->line);
	}
	return seg_bad(c, "there is no include/%s.seg", name);
}

/* --- statements ------------------------------------------------------------------------ */

static bool read_when(struct seg_cursor *c, struct seg_statement *s)
{
	char next = seg_peek(c);

	if (next == '+')
		s->when = SEG_AFTER;
	else if (isdigit((unsigned char)next))
		s->when = SEG_AT;
	else
		return true;
	seg_take(c, '+');
	if (!seg_duration(c, &s->from_ns))
		return false;
	s->to_ns = s->from_ns;
	if (c->at[0] == '.' && c->at[1] == '.') {
		c->at += 2;
		seg_take(c, '+');
		s->range = true;
		if (!seg_duration(c, &s->to_ns))
			return false;
		if (s->to_ns < s->from_ns)
			return seg_bad(c, "this range ends before it begins");
	}
	return true;
}

static bool read_packet(struct seg_cursor *c, struct seg_statement *s, bool in)
{
	if (s->range && in)
		return seg_bad(c, "what goes in has one time");
	if (seg_take_word(c, "icmp")) {
		s->kind = in ? SEG_ICMP_IN : SEG_ICMP_OUT;
		return seg_read_icmp(c, &s->icmp, in);
	}
	s->kind = in ? SEG_SEGMENT_IN : SEG_SEGMENT_OUT;
	return seg_read_segment(c, &s->segment, in);
}

/* quiet for 3s, quiet until 10s: the time becomes the statement's own. */
static bool read_span(struct seg_cursor *c, struct seg_statement *s, enum seg_kind kind)
{
	s->kind = kind;
	if (s->when != SEG_NOW)
		return seg_bad(c, "the time is behind it: for 3s, or until 10s");
	if (seg_at_end(c) && kind != SEG_WAIT)
		return true; /* at this moment */
	s->when = SEG_AFTER;
	if (seg_take_word(c, "until"))
		s->when = SEG_AT;
	else if (!seg_take_word(c, "for"))
		return seg_bad(c, "for TIME or until TIME was expected");
	return seg_duration(c, &s->to_ns);
}

static bool read_fail(struct seg_cursor *c, struct seg_statement *s)
{
	s->kind = SEG_FAIL;
	if (!seg_take_word(c, "allocation"))
		return seg_bad(c, "fail allocation N [for M]");
	if (!seg_value(c, &s->plain.value))
		return false;
	return !seg_take_word(c, "for") || seg_value(c, &s->plain.more);
}

static bool read_anew(struct seg_cursor *c, struct seg_statement *s)
{
	s->kind = SEG_ANEW;
	if (!seg_take_word(c, "connection"))
		return seg_bad(c, "new connection [N]");
	return seg_at_end(c) || seg_value(c, &s->plain.value);
}

static bool read_link(struct seg_cursor *c, struct seg_statement *s)
{
	static const char *const modes[] = {"free", "busy", "lossy"}; /* enum seg_link_mode */

	s->kind = SEG_LINK;
	for (int i = 0; i < 3; i++) {
		if (seg_take_word(c, modes[i])) {
			s->plain.value.low = i;
			return true;
		}
	}
	return seg_bad(c, "link free, link busy or link lossy");
}

static bool read_plain(struct seg_cursor *c, struct seg_statement *s)
{
	if (seg_take_word(c, "quiet"))
		return read_span(c, s, SEG_QUIET);
	if (seg_take_word(c, "discard"))
		return read_span(c, s, SEG_DISCARD);
	if (seg_take_word(c, "wait"))
		return read_span(c, s, SEG_WAIT);
	if (seg_take_word(c, "state")) {
		s->kind = SEG_STATE;
		return seg_word(c, s->plain.name, sizeof(s->plain.name)) ||
		       seg_bad(c, "a state was expected, as RFC 9293 has it: FIN-WAIT-1");
	}
	if (seg_take_word(c, "drops")) {
		s->kind = SEG_DROPS;
		return seg_text(c, s->plain.name, sizeof(s->plain.name)) &&
		       seg_value(c, &s->plain.value);
	}
	if (seg_take_word(c, "fail"))
		return read_fail(c, s);
	if (seg_take_word(c, "flow")) {
		s->kind = SEG_FLOW;
		return seg_value(c, &s->plain.value);
	}
	if (seg_take_word(c, "new"))
		return read_anew(c, s);
	if (seg_take_word(c, "batch")) {
		s->kind = SEG_BATCH;
		return true;
	}
	if (seg_take_word(c, "link"))
		return read_link(c, s);
	if (seg_take_word(c, "refuse")) {
		s->kind = SEG_REFUSE;
		return seg_word(c, s->plain.name, sizeof(s->plain.name)) ||
		       seg_bad(c, "the name of an error was expected");
	}
	if (seg_take_word(c, "requests")) {
		s->kind = SEG_REQUESTS;
		return seg_value(c, &s->plain.value);
	}
	if (seg_take_word(c, "flush")) {
		s->kind = SEG_FLUSH;
		return true;
	}
	s->kind = SEG_CALL;
	if (!seg_word(c, s->call.socket, sizeof(s->call.socket)) || !seg_take(c, ':'))
		return seg_bad(c, "a statement was expected");
	return seg_read_call(c, &s->call);
}

static bool is_expectation(const struct seg_statement *s)
{
	switch (s->kind) {
	case SEG_SEGMENT_OUT:
	case SEG_ICMP_OUT:
	case SEG_QUIET:
	case SEG_STATE:
	case SEG_DROPS:
	case SEG_REQUESTS:
		return true;
	case SEG_CALL:
		return s->call.said || s->call.verb == SEG_CALL_HAS;
	default:
		return false;
	}
}

static struct seg_statement *new_statement(struct seg_script *script)
{
	if (script->count == script->room) {
		size_t room = script->room ? 2 * script->room : 32;
		struct seg_statement *more = realloc(script->statements, room * sizeof(*more));

		if (!more)
			abort();
		script->statements = more;
		script->room = room;
	}
	script->statements[script->count] = (struct seg_statement){0};
	return &script->statements[script->count++];
}

static bool read_statement(struct seg_cursor *c)
{
	struct seg_script *script = c->script;
	struct seg_statement *s = new_statement(script);
	bool good;

	s->file = c->file;
	s->line = c->line;
	s->own = script->depth == 1;
	snprintf(s->text, sizeof(s->text), "%s", c->text);
	if (!read_when(c, s))
		return false;
	if (seg_take(c, '<'))
		good = read_packet(c, s, true);
	else if (seg_take(c, '>'))
		good = read_packet(c, s, false);
	else
		good = read_plain(c, s);
	if (!good)
		return false;
	if (s->own && is_expectation(s))
		script->expectations++;
	return true;
}

static bool read_line(struct seg_cursor *c)
{
	bool good;

	if (seg_at_end(c))
		return true;
	if (seg_take_word(c, "include"))
		good = read_include(c);
	else if (seg_take_word(c, "let"))
		return read_let(c, false);
	else if (seg_take_word(c, "default"))
		return read_let(c, true);
	else if (seg_take_word(c, "each"))
		good = read_each(c);
	else if (seg_take_word(c, "config"))
		good = seg_read_config(c, &c->script->config);
	else
		good = read_statement(c);
	if (!good)
		return false;
	return seg_at_end(c) || seg_bad(c, "nothing more was expected on this line");
}

static bool read_file(struct seg_script *script, const char *path, const char *from, int line)
{
	struct seg_cursor c = {.script = script, .line = 0};
	char raw[SEG_LINE], text[SEG_LINE];
	bool good = true;
	FILE *file;

	if (script->depth == DEPTH || script->file_count == SEG_FILES) {
		snprintf(script->error, sizeof(script->error), "%s:%d: too many includes", from,
			 line);
		return false;
	}
	file = fopen(path, "r");
	if (!file) {
		snprintf(script->error, sizeof(script->error), "%s: cannot be read", path);
		return false;
	}
	c.file = script->files[script->file_count++] = strdup(path);
	script->depth++;
	while (good && fgets(raw, sizeof(raw), file)) {
		c.line++;
		c.text = c.at = raw;
		if (strlen(raw) + 1 == sizeof(raw))
			good = seg_bad(&c, "this line is too long");
		good = good && substitute(&c, raw, text, sizeof(text));
		c.text = c.at = text;
		seg_blanks(&c);
		c.text = c.at;
		good = good && read_line(&c);
	}
	script->depth--;
	fclose(file);
	return good;
}

bool seg_read(struct seg_script *script, const char *path, bool v6, unsigned each_at)
{
	*script = (struct seg_script){.path = path, .v6_now = v6, .each_at = each_at};
	script->each_count = 1;
	seg_config_init(&script->config);
	set_variable(script, "ip", v6 ? "6" : "4");
	set_variable(script, "headers", v6 ? "60" : "40");
	set_variable(script, "mss", v6 ? "1440" : "1460");
	if (!read_file(script, path, path, 0))
		return false;
	if (!script->expectations) {
		snprintf(script->error, sizeof(script->error),
			 "%s: this script expects nothing, so it cannot fail", path);
		return false;
	}
	return true;
}

void seg_script_free(struct seg_script *script)
{
	for (unsigned i = 0; i < script->file_count; i++)
		free(script->files[i]);
	free(script->statements);
}
