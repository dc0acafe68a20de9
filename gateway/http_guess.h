/*
 * Whether bytes can be the first line of an HTTP request for some server, told as early as it can be. Strict servers want
 *
 *	method SP target SP HTTP/1.1 CR LF                      (RFC 9112 section 3)
 *
 * but others take other white space, more of it, a target with spaces in it, http/1.1 in small letters, or no version at all (HTTP/0.9).
 * What any of them could take for a request must not pass for another protocol.
 */
#ifndef HV_GATEWAY_HTTP_GUESS_H
#define HV_GATEWAY_HTTP_GUESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hv_http_verdict {
	HV_HTTP_PERHAPS, /* more bytes are wanted */
	HV_HTTP_NO,
	HV_HTTP_YES,	   /* a word of the line begins with HTTP/ */
	HV_HTTP_OLD,	   /* the line has ended as one of HTTP/0.9 */
	HV_HTTP_ODD,	   /* a request, but for a byte that no request has */
	HV_HTTP_LONG,	   /* a method of so many bytes that it is in doubt */
	HV_HTTP_FORWARDED, /* PROXY: the protocol of that name, with anything behind it */
};

/* Zeroed before the first byte. */
struct hv_http_guess {
	enum {
		HV_HTTP_GUESS_BEFORE,
		HV_HTTP_GUESS_METHOD,
		HV_HTTP_GUESS_GAP,    /* after the method */
		HV_HTTP_GUESS_TARGET, /* a word after it */
		HV_HTTP_GUESS_GAP2,
		HV_HTTP_GUESS_VERSION, /* a word after that, which may begin with HTTP/ */
		HV_HTTP_GUESS_WORD,    /* another one, which does not */
	} stage;
	char method[8];
	uint8_t method_size;
	uint8_t matched; /* bytes of "HTTP/", or of "://" in the target */
	bool small;	 /* the method is not all capital letters */
	bool path;	 /* the target begins as a path does, or as an URL */
};

/* The next byte; not to be called after another verdict than PERHAPS. */
enum hv_http_verdict hv_http_guess(struct hv_http_guess *guess, uint8_t byte);

/*
 * After PERHAPS: what was seen so far may go on, for no server does anything about it before the line has ended, and
 * all that would make a request of it is still to come. So a client that says "hello" or "hello world" and then waits is not
 * kept waiting for an end of line that it may never send.
 */
static inline bool hv_http_guess_is_harmless(const struct hv_http_guess *guess)
{
	return guess->stage < HV_HTTP_GUESS_TARGET ||
	       (guess->stage == HV_HTTP_GUESS_TARGET && !guess->path);
}

/* RFC 9110 section 5.6.2 */
bool hv_http_is_token(uint8_t byte);
/* What some server takes for white space, line ends aside: ASCII's, and what Python adds in Latin-1. */
bool hv_http_is_space(uint8_t byte);

#endif
