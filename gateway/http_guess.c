/*
 * What the first line of a request may look like. See http_guess.h.
 *
 *	BEFORE -> METHOD -> GAP -> TARGET -> GAP2 -> VERSION -> yes
 *	                                      ^         |
 *	                                      +- WORD <-+  (a target with spaces, when it is a path)
 */
#include "gateway/http_guess.h"

#include <string.h>

/* The longest first word that SSH has for its first line: a longer one is no other protocol's. */
#define METHOD_MAX 253

bool hv_http_is_token(uint8_t byte)
{
	if (byte <= ' ' || byte >= 0x7f)
		return false;
	return !strchr("\"(),/:;<=>?@[\\]{}", byte);
}

bool hv_http_is_space(uint8_t byte)
{
	return byte == ' ' || byte == '\t' || byte == '\v' || byte == '\f' || byte == '\r' ||
	       (byte >= 0x1c && byte <= 0x1f) || byte == 0x85 || byte == 0xa0;
}

static bool is_control(uint8_t byte)
{
	return byte < ' ' || byte == 0x7f;
}

static bool method_is(const struct hv_http_guess *guess, const char *name)
{
	size_t size = strlen(name);

	return guess->method_size == size && memcmp(guess->method, name, size) == 0;
}

static enum hv_http_verdict in_method(struct hv_http_guess *guess, uint8_t byte)
{
	if (hv_http_is_token(byte)) {
		if (guess->method_size < sizeof(guess->method))
			guess->method[guess->method_size] = (char)byte;
		if (byte < 'A' || byte > 'Z')
			guess->small = true;
		return ++guess->method_size > METHOD_MAX ? HV_HTTP_LONG : HV_HTTP_PERHAPS;
	}
	if (!hv_http_is_space(byte))
		return HV_HTTP_NO;
	guess->stage = HV_HTTP_GUESS_GAP;
	return method_is(guess, "PROXY") ? HV_HTTP_FORWARDED : HV_HTTP_PERHAPS;
}

/* A line of two words or more, none of them HTTP/: only GET is known to HTTP/0.9. */
static enum hv_http_verdict at_line_end(const struct hv_http_guess *guess)
{
	return guess->path && method_is(guess, "GET") ? HV_HTTP_OLD : HV_HTTP_NO;
}

/*
 * What no line has. Git begins with four digits, a small word, a path and then NUL; but behind a method
 * such bytes are a trick.
 */
static enum hv_http_verdict at_control(const struct hv_http_guess *guess)
{
	return guess->small ? HV_HTTP_NO : HV_HTTP_ODD;
}

static enum hv_http_verdict in_target(struct hv_http_guess *guess, uint8_t byte)
{
	static const char authority[] = "://";

	if (byte == (uint8_t)authority[guess->matched])
		guess->path |= ++guess->matched == strlen(authority);
	else
		guess->matched = byte == (uint8_t)authority[0];
	if (guess->path)
		guess->matched = 0;
	return HV_HTTP_PERHAPS;
}

static enum hv_http_verdict in_version(struct hv_http_guess *guess, uint8_t byte)
{
	static const char version[] = "HTTP/";
	char c = (char)(byte >= 'a' && byte <= 'z' ? byte - ('a' - 'A') : byte);

	if (c == version[guess->matched])
		return ++guess->matched == strlen(version) ? HV_HTTP_YES : HV_HTTP_PERHAPS;
	guess->stage = HV_HTTP_GUESS_WORD;
	return guess->path ? HV_HTTP_PERHAPS : HV_HTTP_NO;
}

/* The first byte of a word after the method. */
static enum hv_http_verdict begin_word(struct hv_http_guess *guess, uint8_t byte)
{
	guess->matched = 0;
	if (guess->stage == HV_HTTP_GUESS_GAP2) {
		guess->stage = HV_HTTP_GUESS_VERSION;
		return in_version(guess, byte);
	}
	guess->stage = HV_HTTP_GUESS_TARGET;
	guess->path = byte == '/' || byte == '*';
	return in_target(guess, byte);
}

/* After the method, by what the byte is; then by where it stands. */
static enum hv_http_verdict after_method(struct hv_http_guess *guess, uint8_t byte)
{
	if (byte == '\n')
		return at_line_end(guess);
	if (hv_http_is_space(byte)) {
		if (guess->stage != HV_HTTP_GUESS_GAP)
			guess->stage = HV_HTTP_GUESS_GAP2;
		return HV_HTTP_PERHAPS;
	}
	if (is_control(byte))
		return at_control(guess);
	switch (guess->stage) {
	case HV_HTTP_GUESS_TARGET:
		return in_target(guess, byte);
	case HV_HTTP_GUESS_VERSION:
		return in_version(guess, byte);
	case HV_HTTP_GUESS_WORD:
		return HV_HTTP_PERHAPS;
	default:
		return begin_word(guess, byte);
	}
}

enum hv_http_verdict hv_http_guess(struct hv_http_guess *guess, uint8_t byte)
{
	if (guess->stage == HV_HTTP_GUESS_BEFORE) {
		if (byte == '\n' || hv_http_is_space(byte))
			return HV_HTTP_PERHAPS;
		guess->stage = HV_HTTP_GUESS_METHOD;
	}
	if (guess->stage == HV_HTTP_GUESS_METHOD)
		return in_method(guess, byte);
	return after_method(guess, byte);
}
