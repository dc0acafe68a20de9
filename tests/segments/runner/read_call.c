/*
 * Socket calls as they are written in a script:
 *
 *	c: send 1000 more = EAGAIN
 *	c: set TCP_NODELAY 1
 *	c: has readable no error
 */
#include "cursor.h"

#include <string.h>
#include <sys/socket.h>

#include "names.h"

struct verb {
	const char *name;
	enum seg_verb verb;
	bool (*read)(struct seg_cursor *c, struct seg_call *call);
	bool needs_result;
};

static bool read_nothing(struct seg_cursor *c, struct seg_call *call)
{
	(void)c;
	(void)call;
	return true;
}

static bool read_optional_number(struct seg_cursor *c, struct seg_call *call)
{
	if (!seg_is_value(c))
		return true;
	call->pair_count = 1;
	return seg_value(c, &call->values[0]);
}

static bool read_other_socket(struct seg_cursor *c, struct seg_call *call)
{
	return seg_word(c, call->word, sizeof(call->word)) ||
	       seg_bad(c, "the name of a listener was expected");
}

/* send, recv: a number of bytes, and flags. */
static bool read_bytes_and_flags(struct seg_cursor *c, struct seg_call *call)
{
	char word[SEG_NAME];

	call->pair_count = 1;
	if (!seg_value(c, &call->values[0]))
		return false;
	while (seg_word(c, word, sizeof(word))) {
		unsigned flag = seg_message_flag_of(word);

		if (!flag)
			return seg_bad(c, "no such flag: more, oob, peek, trunc, fastopen");
		call->flags |= flag;
	}
	return !c->failed;
}

static bool read_direction(struct seg_cursor *c, struct seg_call *call)
{
	static const char *const names[] = {"rd", "wr", "rdwr"};

	for (unsigned i = 0; i < 3; i++) {
		if (seg_take_word(c, names[i])) {
			call->flags = i == 0 ? SHUT_RD : i == 1 ? SHUT_WR : SHUT_RDWR;
			return true;
		}
	}
	return seg_bad(c, "rd, wr or rdwr was expected");
}

static bool read_option_name(struct seg_cursor *c, struct seg_call *call)
{
	if (!seg_word(c, call->word, sizeof(call->word)))
		return seg_bad(c, "the name of a socket option was expected");
	return seg_socket_option_of(call->word) ||
	       seg_bad(c, "no socket option is called '%s'", call->word);
}

static bool read_set(struct seg_cursor *c, struct seg_call *call)
{
	if (!read_option_name(c, call))
		return false;
	if (seg_socket_option_of(call->word)->is_text)
		return seg_text(c, call->text, sizeof(call->text));
	while (seg_is_value(c) && call->pair_count < 2)
		if (!seg_value(c, &call->values[call->pair_count++]))
			return false;
	return call->pair_count || seg_bad(c, "a value was expected");
}

/* Events that must hold, and after `no` those that must not. */
static bool read_events(struct seg_cursor *c, struct seg_call *call)
{
	char word[SEG_NAME];
	bool no = false;

	while (seg_word(c, word, sizeof(word))) {
		unsigned event = seg_event_of(word);

		if (strcmp(word, "no") == 0) {
			no = true;
			continue;
		}
		if (!event)
			return seg_bad(c, "no such event: readable, writable, error, hangup, "
					  "peer-closed, connected, sent");
		if (no)
			call->unwanted |= event;
		else
			call->flags |= event;
	}
	return call->flags || call->unwanted || seg_bad(c, "an event was expected");
}

static bool read_error(struct seg_cursor *c, struct seg_call *call)
{
	char word[SEG_NAME];
	int number;

	call->said = true;
	call->result.given = true;
	if (seg_take_word(c, "none"))
		return true;
	if (!seg_word(c, word, sizeof(word)))
		return seg_bad(c, "an error's name, or none, was expected");
	number = seg_errno_of(word);
	call->result.low = call->result.high = number;
	return number >= 0 || seg_bad(c, "no error is called '%s'", word);
}

static bool read_info(struct seg_cursor *c, struct seg_call *call)
{
	char word[SEG_NAME];

	call->said = true;
	while (seg_word(c, word, sizeof(word))) {
		const struct seg_info_field *field = seg_info_field_of(word);

		if (!field)
			return seg_bad(c, "TCP_INFO has no field '%s'", word);
		if (call->pair_count == SEG_PAIRS)
			return seg_bad(c, "too many fields for one line");
		call->names[call->pair_count] = field->name;
		if (!seg_value(c, &call->values[call->pair_count++]))
			return false;
	}
	return call->pair_count || seg_bad(c, "a field of TCP_INFO was expected");
}

static const struct verb verbs[] = {
	{"socket", SEG_CALL_SOCKET, read_nothing, false},
	{"bind", SEG_CALL_BIND, read_optional_number, false},
	{"listen", SEG_CALL_LISTEN, read_optional_number, false},
	{"accept", SEG_CALL_ACCEPT, read_other_socket, false},
	{"connect", SEG_CALL_CONNECT, read_nothing, false},
	{"send", SEG_CALL_SEND, read_bytes_and_flags, false},
	{"recv", SEG_CALL_RECV, read_bytes_and_flags, true},
	{"close", SEG_CALL_CLOSE, read_nothing, false},
	{"abort", SEG_CALL_ABORT, read_nothing, false},
	{"shutdown", SEG_CALL_SHUTDOWN, read_direction, false},
	{"set", SEG_CALL_SET, read_set, false},
	{"get", SEG_CALL_GET, read_option_name, true},
	{"has", SEG_CALL_HAS, read_events, false},
	{"error", SEG_CALL_ERROR, read_error, false},
	{"info", SEG_CALL_INFO, read_info, false},
	{"queued", SEG_CALL_QUEUED, read_nothing, true},
	{"take", SEG_CALL_TAKE, read_nothing, false},
};

/* After '=': a number, a range, an error's name, or (of a get) a text. */
static bool read_result(struct seg_cursor *c, struct seg_call *call)
{
	int number;

	call->said = true;
	if (seg_is_value(c))
		return seg_value(c, &call->result);
	if (!seg_text(c, call->result_text, sizeof(call->result_text)))
		return false;
	number = seg_errno_of(call->result_text);
	if (number < 0)
		return call->verb == SEG_CALL_GET ||
		       seg_bad(c, "no error is called '%s'", call->result_text);
	call->result_text[0] = 0;
	call->result.given = true;
	call->result.low = call->result.high = -number;
	return true;
}

bool seg_read_call(struct seg_cursor *c, struct seg_call *call)
{
	char word[SEG_NAME];
	const struct verb *verb = verbs;

	if (!seg_word(c, word, sizeof(word)))
		return seg_bad(c, "a call was expected");
	while (verb < verbs + sizeof(verbs) / sizeof(verbs[0]) && strcmp(verb->name, word) != 0)
		verb++;
	if (verb == verbs + sizeof(verbs) / sizeof(verbs[0]))
		return seg_bad(c, "there is no call '%s'", word);
	call->verb = verb->verb;
	if (!verb->read(c, call))
		return false;
	if (seg_take(c, '='))
		return read_result(c, call);
	return !verb->needs_result || seg_bad(c, "'= RESULT' is missing");
}
