/*
 * Lines of FTP, as a client and as a server might say them: what is read of one has to be read again from what is written in its
 * place, and no order of replies may answer more than was asked.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/address.h"
#include "gateway/helper_ftp_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static void command(struct hv_ftp_dialogue *dialogue, const char *line, size_t size)
{
	struct haven_endpoint data = {0}, again = {0};
	enum hv_ftp_command kind = hv_ftp_command_parse(line, size, &data);
	char text[HV_FTP_DATA_LINE];
	size_t length = 0;

	hv_ftp_dialogue_ask(dialogue, kind);
	if (kind == HV_FTP_PORT)
		length = hv_ftp_write_port(text, &data);
	else if (kind == HV_FTP_EPRT)
		length = hv_ftp_write_eprt(text, &data);
	else
		return;
	check(length < sizeof(text));
	check(hv_ftp_command_parse(text, length, &again) == kind);
	check(hv_endpoint_equal(&data, &again));
}

static void reply(struct hv_ftp_dialogue *dialogue, const char *line, size_t size)
{
	struct haven_endpoint data = {0}, again = {0};
	uint8_t asked = dialogue->count;
	enum hv_ftp_command answered;
	char text[HV_FTP_DATA_LINE];
	unsigned code = hv_ftp_dialogue_reply(dialogue, line, size, &answered);
	uint16_t port = 0, port_again = 0;

	check(code == 0 || (code >= 200 && code <= 999));
	check(dialogue->count <= HV_FTP_AHEAD_MAX);
	check(answered == HV_FTP_OTHER || dialogue->count == asked - 1);
	if (hv_ftp_passive_parse(line, size, &data)) {
		check(hv_ftp_passive_parse(text, hv_ftp_write_passive(text, &data), &again));
		check(hv_endpoint_equal(&data, &again));
	}
	if (hv_ftp_extended_passive_parse(line, size, &port)) {
		check(hv_ftp_extended_passive_parse(text,
						    hv_ftp_write_extended_passive(text, port),
						    &port_again));
		check(port == port_again);
	}
}

/* Lines that begin with a digit are the server's. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hv_ftp_dialogue dialogue = {0};

	while (size > 0) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t length = end ? (size_t)(end - data) + 1 : size;
		char *line = malloc(length); /* of its own: a look behind its end is seen */

		if (!line)
			return 0;
		memcpy(line, data, length);
		if (line[0] >= '0' && line[0] <= '9')
			reply(&dialogue, line, length);
		else
			command(&dialogue, line, length);
		free(line);
		data += length;
		size -= length;
	}
	return 0;
}
