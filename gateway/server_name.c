/*
 * Readers of server names: which protocol a client speaks, by its first byte, and the way to the part that reads it.
 *
 *	0x14..0x18         a record of TLS            server_name_tls.c
 *	0x80..0xc8         perhaps SSL 2              server_name_ssl2.c
 *	anything else      HTTP, or neither           server_name_http.c
 *
 * See server_name.h.
 */
#include "gateway/server_name.h"

#include <stdlib.h>

#include "gateway/server_name_reader.h"

struct hv_server_name_reader *hv_server_name_new(void)
{
	return calloc(1, sizeof(struct hv_server_name_reader));
}

void hv_server_name_free(struct hv_server_name_reader *reader)
{
	if (!reader)
		return;
	hv_tls_free(&reader->tls);
	hv_http_free(&reader->http);
	free(reader);
}

static enum hv_name_stage choose(uint8_t first)
{
	if (hv_tls_may_begin(first))
		return HV_NAME_TLS;
	if (hv_ssl2_may_begin(first))
		return HV_NAME_SSL2;
	return HV_NAME_HTTP;
}

/* One step: a byte at least, or another stage, or an event. */
static enum hv_server_name_event step(struct hv_server_name_reader *reader, const uint8_t *data,
				      size_t size, size_t *used)
{
	*used = 0;
	switch (reader->stage) {
	case HV_NAME_FIRST:
		reader->stage = choose(data[0]);
		return HV_SERVER_NAME_MORE;
	case HV_NAME_SSL2:
		return hv_ssl2_feed(reader, data, used);
	case HV_NAME_TLS:
		return hv_tls_feed(reader, data, size, used);
	case HV_NAME_HTTP:
		return hv_http_feed(reader, data, size, used);
	case HV_NAME_OVER:
	default:
		return hv_name_over(reader);
	}
}

static bool asks_for_judgement(enum hv_server_name_event event)
{
	return event == HV_SERVER_NAME_NAME || event >= HV_SERVER_NAME_MISSING;
}

enum hv_server_name_event hv_server_name_feed(struct hv_server_name_reader *reader,
					      const uint8_t *data, size_t size, size_t *used)
{
	enum hv_server_name_event event = HV_SERVER_NAME_MORE;
	size_t n;

	*used = 0;
	if (reader->judged)
		reader->held = 0;
	while (event == HV_SERVER_NAME_MORE && *used < size) {
		event = step(reader, data + *used, size - *used, &n);
		*used += n;
	}
	if (reader->stage == HV_NAME_OVER && event == HV_SERVER_NAME_MORE)
		event = HV_SERVER_NAME_DONE;
	if (event == HV_SERVER_NAME_DONE)
		*used = size;
	reader->judged = asks_for_judgement(event);
	return event;
}

enum hv_server_name_event hv_server_name_end(struct hv_server_name_reader *reader)
{
	enum hv_server_name_event event;

	if (reader->judged)
		reader->held = 0;
	if (reader->stage == HV_NAME_TLS)
		event = hv_tls_end(reader);
	else if (reader->stage == HV_NAME_HTTP)
		event = hv_http_end(reader);
	else
		event = hv_name_over(reader);
	reader->judged = asks_for_judgement(event);
	return event;
}

size_t hv_server_name_held(const struct hv_server_name_reader *reader)
{
	return reader->held;
}

const char *hv_server_name(const struct hv_server_name_reader *reader)
{
	return reader->name;
}

enum hv_server_name_kind hv_server_name_kind_of(const struct hv_server_name_reader *reader)
{
	return reader->kind;
}

const char *hv_server_name_fault(const struct hv_server_name_reader *reader)
{
	return reader->fault;
}

bool hv_server_name_listens(const struct hv_server_name_reader *reader)
{
	return reader->kind == HV_SERVER_NAME_HTTP && reader->stage == HV_NAME_HTTP;
}

bool hv_server_name_answered(struct hv_server_name_reader *reader, const uint8_t *data,
			     size_t size)
{
	if (!hv_server_name_listens(reader))
		return true;
	hv_http_answers_feed(&reader->http.answers, data, size);
	return hv_http_answers_settled(&reader->http.answers);
}
