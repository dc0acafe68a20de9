/* One line of a script while it is read: where we are in it, and what is wrong with it. */
#ifndef SEGMENTS_CURSOR_H
#define SEGMENTS_CURSOR_H

#include "script.h"

struct seg_cursor {
	struct seg_script *script;
	const char *file;
	int line;
	const char *text, *at;
	bool failed;
};

/* Note an error at this place, the first one only. Returns false. */
bool seg_bad(struct seg_cursor *c, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void seg_blanks(struct seg_cursor *c);
bool seg_at_end(struct seg_cursor *c);
/* What comes next, without taking it; 0 at the end of the line. */
char seg_peek(struct seg_cursor *c);
/* Take this character if it comes next. */
bool seg_take(struct seg_cursor *c, char wanted);
/* Take this word if it comes next, and ends there. */
bool seg_take_word(struct seg_cursor *c, const char *wanted);
/* A word of letters, digits, '-', '_', '.' and '/'. False, without a message, when there is none. */
bool seg_word(struct seg_cursor *c, char *out, size_t size);
/* The same in quotes, or a word. */
bool seg_text(struct seg_cursor *c, char *out, size_t size);
/* Sum of products: 1+2*1000, 64k, 0x10. With a message. */
bool seg_number(struct seg_cursor *c, int64_t *out);
/* `*`, a number, or N..M. With a message. */
bool seg_value(struct seg_cursor *c, struct seg_value *out);
/* 200ms, 1.5s, 0.2 (seconds), 3m, 2h, 24d, 50us. With a message. */
bool seg_duration(struct seg_cursor *c, uint64_t *out_ns);
/* Whether a number or `*` comes next. */
bool seg_is_value(struct seg_cursor *c);

/* --- parts of lines, each in a file of its own ------------------------------------------- */

/* After `<` or `>`: read_segment.c. */
bool seg_read_segment(struct seg_cursor *c, struct seg_segment *segment, bool in);
/* After `< icmp` or `> icmp`: icmp.c. */
bool seg_read_icmp(struct seg_cursor *c, struct seg_icmp *icmp, bool in);
/* After `NAME:`: read_call.c. */
bool seg_read_call(struct seg_cursor *c, struct seg_call *call);
/* After `config`: read_config.c. */
bool seg_read_config(struct seg_cursor *c, struct seg_config *config);
void seg_config_init(struct seg_config *config);

#endif
