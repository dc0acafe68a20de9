/*
 * FTP's commands and replies that name addresses. See helper_ftp_text.h.
 */
#include "gateway/helper_ftp_text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "gateway/address.h"

#define EPRT_IPV4 1u /* RFC 2428 section 2: numbers of address families */
#define EPRT_IPV6 2u

/* --- reading ---------------------------------------------------------------------------- */

struct reader {
	const char *at, *end;
};

/* A decimal number of at most `max`; false without one. */
static bool read_number(struct reader *reader, unsigned max, unsigned *number)
{
	unsigned value = 0;
	const char *start = reader->at;

	while (reader->at < reader->end && isdigit((unsigned char)*reader->at)) {
		value = value * 10 + (unsigned)(*reader->at - '0');
		if (value > max)
			return false;
		reader->at++;
	}
	*number = value;
	return reader->at > start;
}

static bool read_char(struct reader *reader, char wanted)
{
	if (reader->at == reader->end || *reader->at != wanted)
		return false;
	reader->at++;
	return true;
}

/* h1,h2,h3,h4,p1,p2 */
static bool read_six(struct reader *reader, struct haven_endpoint *data)
{
	uint8_t bytes[6];

	for (unsigned i = 0; i < 6; i++) {
		unsigned number;

		if ((i > 0 && !read_char(reader, ',')) || !read_number(reader, 255, &number))
			return false;
		bytes[i] = (uint8_t)number;
	}
	hv_address_from_v4(data->address, bytes);
	data->port = (uint16_t)(bytes[4] << 8 | bytes[5]);
	return true;
}

/* |1|192.0.2.1|2021| with any delimiter from 33 to 126. */
static bool read_eprt(struct reader *reader, struct haven_endpoint *data)
{
	unsigned family, port;
	char text[64];
	const char *end;
	char delimiter;

	if (reader->at == reader->end || *reader->at < 33 || *reader->at > 126)
		return false;
	delimiter = *reader->at++;
	if (!read_number(reader, EPRT_IPV6, &family) || !read_char(reader, delimiter))
		return false;
	end = memchr(reader->at, delimiter, (size_t)(reader->end - reader->at));
	if (!end || (size_t)(end - reader->at) >= sizeof(text))
		return false;
	memcpy(text, reader->at, (size_t)(end - reader->at));
	text[end - reader->at] = '\0';
	reader->at = end + 1;
	if (!read_number(reader, 65535, &port) || !read_char(reader, delimiter) ||
	    !hv_address_parse(text, data->address))
		return false;
	data->port = (uint16_t)port;
	return hv_address_is_v4(data->address) == (family == EPRT_IPV4);
}

static struct reader without_line_end(const char *line, size_t size)
{
	while (size > 0 && (line[size - 1] == '\n' || line[size - 1] == '\r'))
		size--;
	return (struct reader){.at = line, .end = line + size};
}

/* --- commands --------------------------------------------------------------------------- */

static const struct {
	const char *word;
	enum hv_ftp_command command;
} commands[] = {
	{"PORT", HV_FTP_PORT},	  {"EPRT", HV_FTP_EPRT}, {"PASV", HV_FTP_PASV},
	{"EPSV", HV_FTP_EPSV},	  {"AUTH", HV_FTP_AUTH}, {"LPRT", HV_FTP_UNCLEAR},
	{"LPSV", HV_FTP_UNCLEAR}, /* RFC 1639, before EPRT and EPSV */
};

enum hv_ftp_command hv_ftp_command_parse(const char *line, size_t size,
					 struct haven_endpoint *data)
{
	struct reader reader = without_line_end(line, size);
	enum hv_ftp_command command = HV_FTP_OTHER;
	bool good = true;

	/* Telnet's interrupts may stand before a command (RFC 959 section 4.1.3), and some servers skip blanks. */
	while (reader.at < reader.end && !isalpha((unsigned char)*reader.at))
		reader.at++;
	/* Nothing but those in a piece of a line: the command is still to come. */
	if (reader.at == reader.end && size > 0 && line[size - 1] != '\n')
		return HV_FTP_UNCLEAR;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (reader.end - reader.at >= 4 &&
		    strncasecmp(reader.at, commands[i].word, 4) == 0 &&
		    (reader.end - reader.at == 4 || !isalnum((unsigned char)reader.at[4])))
			command = commands[i].command;
	}
	if (command != HV_FTP_PORT && command != HV_FTP_EPRT)
		return command;
	reader.at += 4;
	while (reader.at < reader.end && *reader.at == ' ')
		reader.at++;
	good = command == HV_FTP_PORT ? read_six(&reader, data) : read_eprt(&reader, data);
	while (reader.at < reader.end && *reader.at == ' ')
		reader.at++;
	return good && reader.at == reader.end ? command : HV_FTP_UNCLEAR;
}

/* --- replies ---------------------------------------------------------------------------- */

bool hv_ftp_passive_parse(const char *line, size_t size, struct haven_endpoint *data)
{
	struct reader reader = without_line_end(line, size);

	if (size < 4)
		return false;
	/* Not all servers have the parentheses: the first six numbers are meant (RFC 1123 section 4.1.2.6). */
	for (reader.at += 4; reader.at < reader.end; reader.at++) {
		struct reader from = reader;

		if (isdigit((unsigned char)*reader.at) &&
		    !isdigit((unsigned char)reader.at[-1]) && read_six(&from, data))
			return true;
	}
	return false;
}

bool hv_ftp_extended_passive_parse(const char *line, size_t size, uint16_t *port)
{
	struct reader reader = without_line_end(line, size);
	const char *open = memchr(line, '(', (size_t)(reader.end - line));
	char delimiter;
	unsigned number;

	if (!open || reader.end - open < 2)
		return false;
	delimiter = open[1];
	if (delimiter < 33 || delimiter > 126)
		return false;
	reader.at = open + 1;
	/* Family and address are left out. */
	for (unsigned i = 0; i < 3; i++) {
		if (!read_char(&reader, delimiter))
			return false;
	}
	if (!read_number(&reader, 65535, &number) || !read_char(&reader, delimiter) ||
	    !read_char(&reader, ')'))
		return false;
	*port = (uint16_t)number;
	return true;
}

/* --- writing ---------------------------------------------------------------------------- */

/* h1,h2,h3,h4,p1,p2 */
#define SIX	     "%u,%u,%u,%u,%u,%u"
#define SIX_OF(data) FOUR_OF((data)->address), (unsigned)(data)->port >> 8, (data)->port & 0xffu
#define FOUR_OF(a)   (a)[12], (a)[13], (a)[14], (a)[15]

size_t hv_ftp_write_port(char line[HV_FTP_DATA_LINE], const struct haven_endpoint *data)
{
	return (size_t)snprintf(line, HV_FTP_DATA_LINE, "PORT " SIX "\r\n", SIX_OF(data));
}

size_t hv_ftp_write_eprt(char line[HV_FTP_DATA_LINE], const struct haven_endpoint *data)
{
	char address[HV_ENDPOINT_TEXT];

	hv_address_text(data->address, address);
	return (size_t)snprintf(line, HV_FTP_DATA_LINE, "EPRT |%u|%s|%u|\r\n",
				hv_address_is_v4(data->address) ? EPRT_IPV4 : EPRT_IPV6,
				address, data->port);
}

size_t hv_ftp_write_passive(char line[HV_FTP_DATA_LINE], const struct haven_endpoint *data)
{
	return (size_t)snprintf(line, HV_FTP_DATA_LINE,
				"227 Entering Passive Mode (" SIX ").\r\n", SIX_OF(data));
}

size_t hv_ftp_write_extended_passive(char line[HV_FTP_DATA_LINE], uint16_t port)
{
	return (size_t)snprintf(line, HV_FTP_DATA_LINE,
				"229 Entering Extended Passive Mode (|||%u|)\r\n", port);
}

/* --- which reply answers which command --------------------------------------------------- */

void hv_ftp_dialogue_ask(struct hv_ftp_dialogue *dialogue, enum hv_ftp_command command)
{
	if (dialogue->count == HV_FTP_AHEAD_MAX)
		dialogue->lost = true;
	else
		dialogue->asked[dialogue->count++] = (uint8_t)command;
}

/* Three digits, and what is behind them: '-' begins a reply of many lines (RFC 959 section 4.2). */
static unsigned code_of(const char *line, size_t size, char *behind)
{
	if (size < 3 || line[0] < '1' || line[0] > '9' || !isdigit((unsigned char)line[1]) ||
	    !isdigit((unsigned char)line[2]))
		return 0;
	*behind = size > 3 ? line[3] : '\n';
	return (unsigned)(line[0] - '0') * 100 + (unsigned)(line[1] - '0') * 10 +
	       (unsigned)(line[2] - '0');
}

unsigned hv_ftp_dialogue_reply(struct hv_ftp_dialogue *dialogue, const char *line, size_t size,
			       enum hv_ftp_command *command)
{
	char behind = '\0';
	unsigned code = code_of(line, size, &behind);

	*command = HV_FTP_OTHER;
	if (dialogue->within) {
		if (code != dialogue->within || behind == '-')
			return 0;
		dialogue->within = 0;
	} else if (behind == '-') {
		dialogue->within = (uint16_t)code;
		return 0;
	}
	if (code < 200)
		return 0;
	/* The first of all answers the connection itself (RFC 959 section 5.4). */
	if (!dialogue->greeted) {
		dialogue->greeted = true;
		return code;
	}
	if (dialogue->count > 0 && !dialogue->lost) {
		*command = (enum hv_ftp_command)dialogue->asked[0];
		dialogue->count--;
		memmove(dialogue->asked, dialogue->asked + 1, dialogue->count);
	}
	return code;
}
