/* FTP's control connection as text: what names an address, and which reply answers what. */
#include <string.h>

#include "gateway/address.h"
#include "gateway/helper_ftp_text.h"
#include "support/test.h"

static const struct {
	const char *line;
	enum hv_ftp_command command;
	const char *address; /* of PORT and EPRT */
	unsigned port;
} lines[] = {
	{"PORT 10,0,2,100,156,64\r\n", HV_FTP_PORT, "10.0.2.100", 40000},
	{"port 1,2,3,4,255,255\n", HV_FTP_PORT, "1.2.3.4", 65535},
	{"PORT  1,2,3,4,0,0 \r\n", HV_FTP_PORT, "1.2.3.4", 0},
	/* Telnet's "interrupt process" and "data mark" in front (RFC 959 section 4.1.3). */
	{"\377\364\377\362PORT 1,2,3,4,8,1\r\n", HV_FTP_PORT, "1.2.3.4", 2049},
	{" PORT 1,2,3,4,8,1\r\n", HV_FTP_PORT, "1.2.3.4", 2049},
	{"EPRT |1|132.235.1.2|6275|\r\n", HV_FTP_EPRT, "132.235.1.2", 6275},
	{"EPRT |2|1080::8:800:200C:417A|5282|\r\n", HV_FTP_EPRT, "1080::8:800:200c:417a", 5282},
	{"eprt !1!1.2.3.4!1024!\r\n", HV_FTP_EPRT, "1.2.3.4", 1024},
	{"PASV\r\n", HV_FTP_PASV, NULL, 0},
	{"pasv", HV_FTP_PASV, NULL, 0},
	{"EPSV\r\n", HV_FTP_EPSV, NULL, 0},
	{"EPSV ALL\r\n", HV_FTP_EPSV, NULL, 0},
	{"AUTH TLS\r\n", HV_FTP_AUTH, NULL, 0},
	{"LIST\r\n", HV_FTP_OTHER, NULL, 0},
	{"STOR PORT 1,2,3,4,5,6\r\n", HV_FTP_OTHER, NULL, 0},
	{"PORTS\r\n", HV_FTP_OTHER, NULL, 0},
	{"\r\n", HV_FTP_OTHER, NULL, 0},
	{"", HV_FTP_OTHER, NULL, 0},
};

/* A server might make something else of these than we do. */
static const char *const unclear[] = {
	"PORT\r\n",
	"PORT 1,2,3,4,5\r\n",
	"PORT 1,2,3,4,5,6,7\r\n",
	"PORT 1,2,3,4,5,256\r\n",
	"PORT 1,2,3,4,5,\r\n",
	"PORT 1,2,3,4, 5,6\r\n",
	"PORT 0x1,2,3,4,5,6\r\n",
	"PORT 1,2,3,4,5,6 x\r\n",
	"PORT\t1,2,3,4,5,6\r\n",
	"PORT 99999999999999999999,2,3,4,5,6\r\n",
	"EPRT |1|1.2.3.4|1024\r\n",
	"EPRT |1|1.2.3.4|65536|\r\n",
	"EPRT |1|::1|1024|\r\n",
	"EPRT |2|1.2.3.4|1024|\r\n",
	"EPRT |2|::ffff:1.2.3.4|1024|\r\n",
	"EPRT |3|1.2.3.4|1024|\r\n",
	"EPRT |1|1.2.3.4|1024|x\r\n",
	"EPRT |1|0000000000000000000000000000000000000000000000000000000000000001.2.3.4|1024|\r\n",
	"EPRT \r\n",
	"LPRT 6,16,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,2,4,1\r\n",
	"LPSV\r\n",
};

static void commands_are_told_apart(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(lines); i++) {
		struct haven_endpoint data = {0};
		uint8_t address[16];

		if (hv_ftp_command_parse(lines[i].line, strlen(lines[i].line), &data) !=
		    lines[i].command)
			fail_msg("%s is another command", lines[i].line);
		if (!lines[i].address)
			continue;
		assert_true(hv_address_parse(lines[i].address, address));
		assert_memory_equal(data.address, address, 16);
		assert_int_equal(data.port, lines[i].port);
	}
}

static void what_is_unclear_is_not_guessed(void **state)
{
	struct haven_endpoint data;

	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(unclear); i++) {
		if (hv_ftp_command_parse(unclear[i], strlen(unclear[i]), &data) !=
		    HV_FTP_UNCLEAR)
			fail_msg("%s is clear", unclear[i]);
	}
	assert_int_equal(hv_ftp_command_parse("    ", 4, &data), HV_FTP_UNCLEAR);
	/* Every beginning of a good one, as it arrives. */
	for (size_t size = 4; size < strlen("EPRT |1|1.2.3.4|1024|"); size++)
		assert_int_equal(hv_ftp_command_parse("EPRT |1|1.2.3.4|1024|", size, &data),
				 HV_FTP_UNCLEAR);
}

static const struct {
	const char *line;
	const char *address; /* NULL: none is found */
	unsigned port;
} passive[] = {
	{"227 Entering Passive Mode (10,0,2,100,117,48).\r\n", "10.0.2.100", 30000},
	{"227 Entering Passive Mode 10,0,2,100,117,48\r\n", "10.0.2.100", 30000},
	{"227 =10,0,2,100,117,48\r\n", "10.0.2.100", 30000},
	{"227 3 files, passive (1,2,3,4,4,0)\r\n", "1.2.3.4", 1024},
	{"227 1234,2,3,4,4,0\r\n", NULL, 0},
	{"227 (1,2,3,4,4)\r\n", NULL, 0},
	{"227 Entering Passive Mode\r\n", NULL, 0},
	{"227", NULL, 0},
	{"", NULL, 0},
};

static void passive_replies(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(passive); i++) {
		struct haven_endpoint data = {0};
		uint8_t address[16];
		bool good =
			hv_ftp_passive_parse(passive[i].line, strlen(passive[i].line), &data);

		if (good != (passive[i].address != NULL))
			fail_msg("%s: %d", passive[i].line, good);
		if (!good)
			continue;
		assert_true(hv_address_parse(passive[i].address, address));
		assert_memory_equal(data.address, address, 16);
		assert_int_equal(data.port, passive[i].port);
	}
}

static const struct {
	const char *line;
	unsigned port; /* 0: none is found */
} extended[] = {
	{"229 Entering Extended Passive Mode (|||6446|)\r\n", 6446},
	{"229 (!!!65535!)\r\n", 65535},
	{"229 (|||65536|)\r\n", 0},
	{"229 (||6446|)\r\n", 0},
	{"229 (|1|1.2.3.4|6446|)\r\n", 0},
	{"229 (|||6446)\r\n", 0},
	{"229 |||6446|\r\n", 0},
	{"229 (\r\n", 0},
	{"229 (|||\r\n", 0},
};

static void extended_passive_replies(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TEST_COUNT(extended); i++) {
		uint16_t port = 0;
		bool good = hv_ftp_extended_passive_parse(extended[i].line,
							  strlen(extended[i].line), &port);

		if (good != (extended[i].port != 0))
			fail_msg("%s: %d", extended[i].line, good);
		assert_int_equal(port, extended[i].port);
	}
}

static void what_is_written_is_read(void **state)
{
	struct haven_endpoint v4 = {.port = 40001}, v6 = {.port = 1024}, read = {0};
	char line[HV_FTP_DATA_LINE];
	uint16_t port = 0;
	size_t size;

	(void)state;
	assert_true(hv_address_parse("10.87.0.1", v4.address));
	assert_true(
		hv_address_parse("2001:db8:ffff:ffff:ffff:ffff:255.255.255.255", v6.address));
	size = hv_ftp_write_port(line, &v4);
	assert_int_equal(size, strlen("PORT 10,87,0,1,156,65\r\n"));
	assert_memory_equal(line, "PORT 10,87,0,1,156,65\r\n", size);
	size = hv_ftp_write_eprt(line, &v4);
	assert_memory_equal(line, "EPRT |1|10.87.0.1|40001|\r\n", size);
	size = hv_ftp_write_eprt(line, &v6);
	assert_true(size < sizeof(line));
	assert_int_equal(hv_ftp_command_parse(line, size, &read), HV_FTP_EPRT);
	assert_true(hv_endpoint_equal(&read, &v6));
	size = hv_ftp_write_passive(line, &v4);
	assert_true(hv_ftp_passive_parse(line, size, &read));
	assert_true(hv_endpoint_equal(&read, &v4));
	size = hv_ftp_write_extended_passive(line, 65535);
	assert_true(hv_ftp_extended_passive_parse(line, size, &port));
	assert_int_equal(port, 65535);
}

/* A line of the server, and the command that it answers; code 0: none. */
static void expect_answer(struct hv_ftp_dialogue *dialogue, const char *line, unsigned code,
			  enum hv_ftp_command command)
{
	enum hv_ftp_command answered;

	if (hv_ftp_dialogue_reply(dialogue, line, strlen(line), &answered) != code ||
	    answered != command)
		fail_msg("%s answers something else", line);
}

static void replies_answer_in_order(void **state)
{
	struct hv_ftp_dialogue dialogue = {0};

	(void)state;
	/* A client need not wait for the greeting. */
	hv_ftp_dialogue_ask(&dialogue, HV_FTP_PASV);
	expect_answer(&dialogue, "120 in a minute\r\n", 0, HV_FTP_OTHER);
	expect_answer(&dialogue, "220-hello\r\n", 0, HV_FTP_OTHER);
	expect_answer(&dialogue, "220 hello\r\n", 220, HV_FTP_OTHER);
	hv_ftp_dialogue_ask(&dialogue, HV_FTP_OTHER);
	hv_ftp_dialogue_ask(&dialogue, HV_FTP_EPSV);
	expect_answer(&dialogue, "227 one\r\n", 227, HV_FTP_PASV);
	expect_answer(&dialogue, "150 here it comes\r\n", 0, HV_FTP_OTHER);
	expect_answer(&dialogue, "226 done\r\n", 226, HV_FTP_OTHER);
	expect_answer(&dialogue, "229\r\n", 229, HV_FTP_EPSV);
	/* Unasked. */
	expect_answer(&dialogue, "227 (1,2,3,4,5,6)\r\n", 227, HV_FTP_OTHER);
}

static void lines_within_a_reply_answer_nothing(void **state)
{
	struct hv_ftp_dialogue dialogue = {.greeted = true};

	(void)state;
	hv_ftp_dialogue_ask(&dialogue, HV_FTP_OTHER);
	hv_ftp_dialogue_ask(&dialogue, HV_FTP_PASV);
	expect_answer(&dialogue, "211-Features:\r\n", 0, HV_FTP_OTHER);
	expect_answer(&dialogue, "227 (1,2,3,4,5,6)\r\n", 0, HV_FTP_OTHER);
	expect_answer(&dialogue, " 211 not the end\r\n", 0, HV_FTP_OTHER);
	expect_answer(&dialogue, "211-still not\r\n", 0, HV_FTP_OTHER);
	expect_answer(&dialogue, "nothing\r\n", 0, HV_FTP_OTHER);
	expect_answer(&dialogue, "211 End\r\n", 211, HV_FTP_OTHER);
	expect_answer(&dialogue, "227 (1,2,3,4,5,6)\r\n", 227, HV_FTP_PASV);
}

static void too_far_ahead_is_no_longer_followed(void **state)
{
	struct hv_ftp_dialogue dialogue = {.greeted = true};

	(void)state;
	for (unsigned i = 0; i <= HV_FTP_AHEAD_MAX; i++)
		hv_ftp_dialogue_ask(&dialogue, HV_FTP_PASV);
	expect_answer(&dialogue, "227 (1,2,3,4,5,6)\r\n", 227, HV_FTP_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_told_apart),
		cmocka_unit_test(what_is_unclear_is_not_guessed),
		cmocka_unit_test(passive_replies),
		cmocka_unit_test(extended_passive_replies),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(replies_answer_in_order),
		cmocka_unit_test(lines_within_a_reply_answer_nothing),
		cmocka_unit_test(too_far_ahead_is_no_longer_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
