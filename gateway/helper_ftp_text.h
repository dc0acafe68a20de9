/*
 * FTP's control connection as text (RFC 959, RFC 2428): which commands and replies name an address for
 * data, and which reply is the answer to which command. No socket, no flow, no policy.
 *
 *	PORT h1,h2,h3,h4,p1,p2		the client waits for data there		(RFC 959 section 4.1.2)
 *	EPRT |1|192.0.2.1|2021|		the same, either family			(RFC 2428 section 2)
 *	227 ... (h1,h2,h3,h4,p1,p2)	the server does, after PASV		(RFC 959 section 4.1.2)
 *	229 ... (|||6446|)		the same, after EPSV, no address	(RFC 2428 section 3)
 */
#ifndef HV_GATEWAY_HELPER_FTP_TEXT_H
#define HV_GATEWAY_HELPER_FTP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <haven/forward.h>

/* Longer than any line that is rewritten; the longest of those is EPRT with an IPv6 address. */
#define HV_FTP_DATA_LINE 96

enum hv_ftp_command {
	HV_FTP_OTHER,
	HV_FTP_PORT,
	HV_FTP_EPRT,
	HV_FTP_PASV,
	HV_FTP_EPSV,
	HV_FTP_AUTH,
	/* Asks for data somewhere, in a way that nobody here understands: it may not reach a server. */
	HV_FTP_UNCLEAR,
};

/* What a client's line is, which may end in CR LF. Fills *data with PORT and EPRT. */
enum hv_ftp_command hv_ftp_command_parse(const char *line, size_t size,
					 struct haven_endpoint *data);

/* The address and port of a 227; or the port alone of a 229. The code is checked by who calls. */
bool hv_ftp_passive_parse(const char *line, size_t size, struct haven_endpoint *data);
bool hv_ftp_extended_passive_parse(const char *line, size_t size, uint16_t *port);

/* Write a command or reply with its CR LF; return its length. PORT and 227 are for IPv4. */
size_t hv_ftp_write_port(char line[HV_FTP_DATA_LINE], const struct haven_endpoint *data);
size_t hv_ftp_write_eprt(char line[HV_FTP_DATA_LINE], const struct haven_endpoint *data);
size_t hv_ftp_write_passive(char line[HV_FTP_DATA_LINE], const struct haven_endpoint *data);
size_t hv_ftp_write_extended_passive(char line[HV_FTP_DATA_LINE], uint16_t port);

/* --- which reply answers which command --------------------------------------------------- */

/* Commands that a client may be ahead by; after more of them no reply is known to be an answer any more. */
#define HV_FTP_AHEAD_MAX 16

/*
 * A 227 counts when PASV was asked, not when a server was brought to say "227" in an error's text or
 * within a reply of many lines.
 */
struct hv_ftp_dialogue {
	uint8_t asked[HV_FTP_AHEAD_MAX]; /* enum hv_ftp_command, the oldest first */
	uint8_t count;
	bool greeted, lost;
	uint16_t within; /* code of the reply of many lines that has not ended; 0: none */
};

/* A command goes to the server. */
void hv_ftp_dialogue_ask(struct hv_ftp_dialogue *dialogue, enum hv_ftp_command command);

/*
 * A line of the server. Returns its code (100 to 999) when it answers a command, in its only or last line; *command:
 * which (HV_FTP_OTHER when none was asked). Else 0. A preliminary reply (1yz) answers nothing yet.
 */
unsigned hv_ftp_dialogue_reply(struct hv_ftp_dialogue *dialogue, const char *line, size_t size,
			       enum hv_ftp_command *command);

#endif
