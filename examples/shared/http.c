/* Messages of HTTP/1.1: see http.h. */
#include "http.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The value of a field in the lines after the first, or NULL. It ends where its line does. */
static const char *field(const char *head, const char *name)
{
	size_t size = strlen(name);

	while ((head = strchr(head, '\n')))
		if (!strncasecmp(++head, name, size) && head[size] == ':')
			return head + size + 1 + strspn(head + size + 1, " \t");
	return NULL;
}

/* Bytes of body, at most HTTP_BODY_BYTES. Returns NULL, or what is wrong (RFC 9112 section 6.3). */
static const char *body_length(const char *head, size_t *size)
{
	const char *value = field(head, "Content-Length");
	char *end;

	*size = 0;
	if (field(head, "Transfer-Encoding"))
		return "501 Not Implemented";
	if (!value)
		return NULL;
	if (!isdigit((unsigned char)*value) || field(value, "Content-Length"))
		return "400 Bad Request";
	*size = strtoul(value, &end, 10);
	if (*end != '\r' && *end != '\0')
		return "400 Bad Request";
	return *size > HTTP_BODY_BYTES ? "413 Content Too Large" : NULL;
}

bool http_read(struct stream *stream, struct http_message *message, bool head)
{
	const char *end = strstr(stream->in, "\r\n\r\n"), *value;
	char text[STREAM_BYTES];
	size_t size, body_size;

	*message = (struct http_message){
		.wrong = "431 Request Header Fields Too Large",
		.close = true,
	};
	if (!end)
		return stream->in_size == STREAM_BYTES;
	size = (size_t)(end - stream->in);
	memcpy(text, stream->in, size);
	text[size] = '\0';
	message->wrong = "400 Bad Request";
	if (sscanf(text, "%63s %63s %63s", message->words[0], message->words[1],
		   message->words[2]) != 3)
		return true;
	message->wrong = body_length(text, &body_size);
	if (message->wrong)
		return true;
	if (head)
		body_size = 0;
	size += 4;
	if (stream->in_size - size < body_size)
		return false;
	memcpy(message->body, end + 4, body_size);
	message->host = field(text, "Host") != NULL;
	value = field(text, "Connection");
	message->close = (value && !strncasecmp(value, "close", 5)) ||
			 !strcmp(message->words[2], "HTTP/1.0");
	stream_consume(stream, size + body_size);
	return true;
}

void http_answer(struct stream *stream, const struct http_message *request, const char *status,
		 const char *body)
{
	char text[2 * HTTP_BODY_BYTES], length[40] = "";
	int size;

	if (strncmp(status, "204", 3) != 0)
		snprintf(length, sizeof(length), "Content-Length: %zu\r\n", strlen(body));
	if (!strcmp(request->words[0], "HEAD"))
		body = "";
	size = snprintf(text, sizeof(text), "HTTP/1.1 %s\r\n%s%s\r\n%s", status, length,
			request->close ? "Connection: close\r\n" : "", body);
	expect(size < (int)sizeof(text) && stream_put(stream, text, (size_t)size),
	       "there is room for an answer");
}
