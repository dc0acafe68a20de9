/*
 * A message of HTTP/1.1 (RFC 9112), request or response, out of a stream's buffer: start line, the
 * few fields that say where it ends, and a body of known length.
 */
#ifndef EXAMPLES_HTTP_H
#define EXAMPLES_HTTP_H

#include "stream.h"

enum { HTTP_WORD_BYTES = 64, HTTP_BODY_BYTES = 500 };

struct http_message {
	char words[3]
		  [HTTP_WORD_BYTES]; /* "GET", "/a", "HTTP/1.1", or "HTTP/1.1", "200", "OK" */
	char body[HTTP_BODY_BYTES + 1];
	bool host;	   /* it says for which host it is, as requests must */
	bool close;	   /* nothing comes after it */
	const char *wrong; /* NULL, or the status that says what is wrong with it */
};

/*
 * Take the next message out of the buffer. head: it answers HEAD, and has no body whatever it says. False: not all
 * of it is there. When it is wrong, what comes after it cannot be understood.
 */
bool http_read(struct stream *stream, struct http_message *message, bool head);
/*
 * Answer. status: "200 OK", and more fields behind it if need be. To a HEAD the body is only told of, and
 * "204 ..." has none. There must be room for it: all before it is out.
 */
void http_answer(struct stream *stream, const struct http_message *request, const char *status,
		 const char *body);

#endif
